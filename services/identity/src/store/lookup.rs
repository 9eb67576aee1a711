//! Reading persons: any number of lookups in one statement.

use std::collections::{HashMap, HashSet};

use model::GoldenRecord;
use store::{Sql, Value};

use super::{RegisterStore, field, record};
use crate::Error;

pub(super) const PERSONS: Sql = Sql {
    sqlite: "SELECT i.value, p.record FROM identifier i JOIN person p ON p.person_id = i.person_id \
             WHERE i.state = 'active' AND i.value IN (SELECT value FROM json_each(?))",
    postgres: "SELECT asked.value, p.record FROM jsonb_array_elements_text($1::text::jsonb) asked (value) \
               CROSS JOIN LATERAL (SELECT person_id FROM identifier \
               WHERE value = asked.value AND state = 'active' OFFSET 0) i \
               CROSS JOIN LATERAL (SELECT record FROM person WHERE person_id = i.person_id OFFSET 0) p",
};

pub(super) const VISIBLE: Sql = Sql {
    sqlite: "SELECT i.value FROM identifier i JOIN person p ON p.person_id = i.person_id \
             WHERE NOT p.protected AND i.value IN (SELECT value FROM json_each(?))",
    postgres: "SELECT asked.value FROM jsonb_array_elements_text($1::text::jsonb) asked (value) \
               CROSS JOIN LATERAL (SELECT person_id FROM identifier WHERE value = asked.value OFFSET 0) i \
               CROSS JOIN LATERAL (SELECT protected FROM person WHERE person_id = i.person_id OFFSET 0) p \
               WHERE NOT p.protected",
};

pub(super) const VISIBLE_PERSONS: Sql = Sql {
    sqlite: "SELECT person_id FROM person \
             WHERE NOT protected AND person_id IN (SELECT value FROM json_each(?))",
    postgres: "SELECT asked.person_id FROM jsonb_array_elements_text($1::text::jsonb) asked (person_id) \
               CROSS JOIN LATERAL (SELECT protected FROM person WHERE person_id = asked.person_id OFFSET 0) p \
               WHERE NOT p.protected",
};

impl RegisterStore {
    /// Those of the persons who are there and not protected.
    pub(crate) async fn visible(&self, persons: &[String]) -> Result<Vec<String>, Error> {
        let asked = Value::from(serde_json::to_string(persons)?);
        let rows = self.store.read(&VISIBLE_PERSONS, vec![asked]).await?;
        rows.iter().map(|row| Ok(field(row, 0)?)).collect()
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
    pub(crate) async fn persons(
        &self,
        numbers: &[&str],
    ) -> Result<HashMap<String, GoldenRecord>, Error> {
        let numbers = Value::from(serde_json::to_string(numbers)?);
        let mut found = HashMap::new();
        for row in self.store.read(&PERSONS, vec![numbers]).await? {
            let (number, text): (String, String) = (field(&row, 0)?, field(&row, 1)?);
            found.insert(number, record(&text)?);
        }
        Ok(found)
    }
}
