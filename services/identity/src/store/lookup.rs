//! Reading persons: any number of lookups in one statement.

use std::collections::{BTreeSet, HashMap, HashSet};

use model::{Assertion, GoldenRecord};
use store::{Sql, Value};

use super::{RegisterStore, field, record};
use crate::Error;

// A number stays with the person to whom it was given, whose record may be merged into another one.
pub(super) const PERSONS: Sql = Sql {
    sqlite: "SELECT i.value, i.person_id, p.record FROM identifier i JOIN person n ON n.person_id = i.person_id \
             JOIN person p ON p.person_id = COALESCE(n.merged_into, n.person_id) \
             WHERE i.state = 'active' AND i.value IN (SELECT value FROM json_each(?))",
    postgres: "SELECT asked.value, i.person_id, p.record FROM jsonb_array_elements_text($1::text::jsonb) asked (value) \
               CROSS JOIN LATERAL (SELECT person_id FROM identifier \
               WHERE value = asked.value AND state = 'active' OFFSET 0) i \
               CROSS JOIN LATERAL (SELECT person_id, merged_into FROM person WHERE person_id = i.person_id OFFSET 0) n \
               CROSS JOIN LATERAL (SELECT record FROM person \
               WHERE person_id = COALESCE(n.merged_into, n.person_id) OFFSET 0) p",
};

pub(super) const VISIBLE: Sql = Sql {
    sqlite: "SELECT i.value FROM identifier i JOIN person n ON n.person_id = i.person_id \
             JOIN person p ON p.person_id = COALESCE(n.merged_into, n.person_id) \
             WHERE NOT n.protected AND NOT p.protected AND i.value IN (SELECT value FROM json_each(?))",
    postgres: "SELECT asked.value FROM jsonb_array_elements_text($1::text::jsonb) asked (value) \
               CROSS JOIN LATERAL (SELECT person_id FROM identifier WHERE value = asked.value OFFSET 0) i \
               CROSS JOIN LATERAL (SELECT person_id, merged_into, protected FROM person \
               WHERE person_id = i.person_id OFFSET 0) n \
               CROSS JOIN LATERAL (SELECT protected FROM person \
               WHERE person_id = COALESCE(n.merged_into, n.person_id) OFFSET 0) p \
               WHERE NOT n.protected AND NOT p.protected",
};

// Whose record is merged into another one is as visible as that.
pub(super) const VISIBLE_PERSONS: Sql = Sql {
    sqlite: "SELECT n.person_id FROM person n JOIN person p ON p.person_id = COALESCE(n.merged_into, n.person_id) \
             WHERE NOT n.protected AND NOT p.protected AND n.person_id IN (SELECT value FROM json_each(?))",
    postgres: "SELECT asked.person_id FROM jsonb_array_elements_text($1::text::jsonb) asked (person_id) \
               CROSS JOIN LATERAL (SELECT protected, COALESCE(merged_into, person_id) AS leads_to FROM person \
               WHERE person_id = asked.person_id OFFSET 0) n \
               CROSS JOIN LATERAL (SELECT protected FROM person WHERE person_id = n.leads_to OFFSET 0) p \
               WHERE NOT n.protected AND NOT p.protected",
};

/// A person that was found.
#[derive(Clone)]
pub(crate) struct Found {
    /// Whose number or token it is: another person where that one's record is merged into the one that was found.
    pub(crate) named: String,
    /// The record.
    pub(crate) record: GoldenRecord,
}

impl RegisterStore {
    /// Those of the persons who are there and not protected.
    pub(crate) async fn visible(&self, persons: &[String]) -> Result<Vec<String>, Error> {
        let asked = Value::from(serde_json::to_string(persons)?);
        let rows = self.store.read(&VISIBLE_PERSONS, vec![asked]).await?;
        rows.iter().map(|row| Ok(field(row, 0)?)).collect()
    }

    /// Those of whom something was said who may not be known of by whoever does not see the protected.
    pub(crate) async fn hidden_persons(
        &self,
        said: &[Assertion],
    ) -> Result<HashSet<String>, Error> {
        let all: BTreeSet<&String> = said.iter().map(|said| &said.person_id).collect();
        let mut hidden: HashSet<String> = all.iter().map(|id| (*id).clone()).collect();
        let all: Vec<String> = all.into_iter().cloned().collect();
        for visible in self.visible(&all).await? {
            hidden.remove(&visible);
        }
        Ok(hidden)
    }

    /// Those of the numbers that nobody bears who may be named, currently or before: a protected person's and one that
    /// nobody has are the same (I7).
    pub(crate) async fn hidden(&self, numbers: &[&str]) -> Result<HashSet<String>, Error> {
        let asked = Value::from(serde_json::to_string(numbers)?);
        let rows = self.store.read(&VISIBLE, vec![asked]).await?;
        let visible = rows.iter().map(|row| Ok(field(row, 0)?));
        let visible: HashSet<String> = visible.collect::<Result<_, Error>>()?;
        let hidden = numbers.iter().filter(|number| !visible.contains(**number));
        Ok(hidden.map(|number| (*number).to_owned()).collect())
    }

    /// The records of the persons that bear the numbers, by number.
    pub(crate) async fn records(
        &self,
        numbers: &[&str],
    ) -> Result<HashMap<String, GoldenRecord>, Error> {
        let found = self.persons(numbers).await?.into_iter();
        Ok(found.map(|(number, found)| (number, found.record)).collect())
    }

    /// The persons that bear the numbers, by number.
    pub(crate) async fn persons(&self, numbers: &[&str]) -> Result<HashMap<String, Found>, Error> {
        let numbers = Value::from(serde_json::to_string(numbers)?);
        let mut found = HashMap::new();
        for row in self.store.read(&PERSONS, vec![numbers]).await? {
            let (number, text): (String, String) = (field(&row, 0)?, field(&row, 2)?);
            found.insert(number, Found { named: field(&row, 1)?, record: record(&text)? });
        }
        Ok(found)
    }
}
