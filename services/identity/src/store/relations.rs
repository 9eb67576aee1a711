//! Whose records name whom: keys that are written wherever a record is, and reading by them.

use std::collections::{BTreeMap, BTreeSet};

use model::{GoldenRecord, item::RESIDENCE_FILE};
use serde::Serialize;
use store::{Sql, Transaction, Value};

use super::{RegisterStore, field, record};
use crate::{
    Error,
    domain::{
        find::SearchKey,
        relations::{Naming, keys},
    },
};

const FORGET: Sql = Sql {
    sqlite: "DELETE FROM relation_key WHERE person_id IN (SELECT value FROM json_each(?))",
    postgres: "DELETE FROM relation_key \
               WHERE person_id = ANY(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))",
};
const KEYS: Sql = Sql {
    sqlite: "INSERT INTO relation_key (item, value, person_id) \
             SELECT value ->> 'item', value ->> 'value', value ->> 'person_id' FROM json_each(?)",
    postgres: "INSERT INTO relation_key (item, value, person_id) \
               SELECT item, value, person_id FROM jsonb_to_recordset($1::text::jsonb) \
               AS t (item text, value text, person_id text)",
};
const KEYS_OF: Sql = Sql {
    sqlite: "SELECT person_id, item, value FROM relation_key \
             WHERE person_id IN (SELECT value FROM json_each(?))",
    postgres: "SELECT person_id, item, value FROM relation_key \
               WHERE person_id = ANY(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))",
};
const KEYED: Sql = Sql {
    sqlite: "SELECT p.person_id FROM person p JOIN search_key k ON k.person_id = p.person_id \
             WHERE k.version = p.version AND k.form = ?1 \
             AND p.person_id IN (SELECT value FROM json_each(?2))",
    postgres: "SELECT p.person_id FROM person p JOIN search_key k ON k.person_id = p.person_id \
               WHERE k.version = p.version AND k.form = $1 \
               AND p.person_id = ANY(ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb)))",
};
// A number that another has replaced still leads to its bearer. Who is protected is not read for whoever may not know of it, and so
// takes nobody's place (I7).
const NAMING: Sql = Sql {
    sqlite: "SELECT i.person_id, k.value, p.record FROM identifier i \
             JOIN relation_key k ON k.item = ?1 AND k.value = i.value \
             JOIN person p ON p.person_id = k.person_id \
             WHERE i.state = 'active' AND i.person_id IN (SELECT value FROM json_each(?2)) \
             AND (NOT p.protected OR ?3) ORDER BY i.person_id, k.person_id, k.value LIMIT 501",
    postgres: "SELECT i.person_id, k.value, p.record FROM identifier i \
               JOIN relation_key k ON k.item = $1 AND k.value = i.value \
               CROSS JOIN LATERAL \
               (SELECT protected, record FROM person WHERE person_id = k.person_id OFFSET 0) p \
               WHERE i.state = 'active' \
               AND i.person_id = ANY(ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb))) \
               AND (NOT p.protected OR $3) ORDER BY i.person_id, k.person_id, k.value LIMIT 501",
};
/// The rows of [`NAMING`], at most.
pub(crate) const NAMING_MAX: usize = 501;
const IN_FILE: Sql = Sql {
    sqlite: "SELECT p.record FROM relation_key k JOIN person p ON p.person_id = k.person_id \
             WHERE k.item = ?1 AND k.value = ?2 AND (NOT p.protected OR ?3) \
             ORDER BY k.person_id LIMIT 102",
    postgres: "SELECT p.record FROM relation_key k CROSS JOIN LATERAL \
               (SELECT protected, record FROM person WHERE person_id = k.person_id OFFSET 0) p \
               WHERE k.item = $1 AND k.value = $2 AND (NOT p.protected OR $3) \
               ORDER BY k.person_id LIMIT 102",
};
/// The rows of [`IN_FILE`], at most: one more than is told, beside the subject.
pub(crate) const IN_FILE_MAX: usize = 102;

#[derive(Serialize)]
struct KeyRow<'a> {
    item: &'static str,
    value: &'a str,
    person_id: &'a str,
}

/// Writes whom records name, in the place of whom they named.
pub(super) async fn write_relations(
    tx: &Transaction,
    records: &[(&GoldenRecord, u64)],
) -> Result<(), Error> {
    let persons: Vec<&str> = records.iter().map(|(record, _)| record.person_id.as_str()).collect();
    tx.execute(&FORGET, vec![serde_json::to_string(&persons)?.into()]).await?;
    let rows: Vec<KeyRow<'_>> = records
        .iter()
        .flat_map(|(record, _)| {
            let row = |(item, value)| KeyRow { item, value, person_id: &record.person_id };
            keys(record).into_iter().map(row)
        })
        .collect();
    tx.execute(&KEYS, vec![serde_json::to_string(&rows)?.into()]).await?;
    Ok(())
}

impl RegisterStore {
    /// The records that name these persons in an item, by any number that leads to one; of protected persons where they may be
    /// seen. At most [`NAMING_MAX`].
    pub(crate) async fn naming(
        &self,
        item: &str,
        person_ids: &[&str],
        protected: bool,
    ) -> Result<Vec<Naming>, Error> {
        let ids = serde_json::to_string(person_ids)?;
        let values = vec![item.into(), ids.into(), protected.into()];
        let rows = self.store.read(&NAMING, values).await?;
        let one = |row: &store::QueryResult| {
            let record = record(&field::<String>(row, 2)?)?;
            Ok(Naming { named: field(row, 0)?, number: field(row, 1)?, record })
        };
        rows.iter().map(one).collect()
    }

    /// The records of a residence file; of protected persons where they may be seen. At most [`IN_FILE_MAX`].
    pub(crate) async fn in_file(
        &self,
        file: &str,
        protected: bool,
    ) -> Result<Vec<GoldenRecord>, Error> {
        let values = vec![RESIDENCE_FILE.into(), file.into(), protected.into()];
        let rows = self.store.read(&IN_FILE, values).await?;
        rows.iter().map(|row| Ok(record(&field::<String>(row, 0)?)?)).collect()
    }

    /// Those of the records whose keys are not those of the record: of whom it names, or of another version or form.
    pub(super) async fn wrongly_keyed(
        &self,
        records: &[&GoldenRecord],
    ) -> Result<BTreeSet<String>, Error> {
        let ids: Vec<&str> = records.iter().map(|record| record.person_id.as_str()).collect();
        let ids = Value::from(serde_json::to_string(&ids)?);
        let mut stored: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
        for row in &self.store.read(&KEYS_OF, vec![ids.clone()]).await? {
            let key = (field(row, 1)?, field(row, 2)?);
            stored.entry(field(row, 0)?).or_default().insert(key);
        }
        let mut keyed = BTreeSet::new();
        for row in &self.store.read(&KEYED, vec![SearchKey::FORM.into(), ids]).await? {
            keyed.insert(field::<String>(row, 0)?);
        }
        let none = BTreeSet::new();
        let wrong = |record: &&&GoldenRecord| {
            let id = &record.person_id;
            let stored = stored.get(id).unwrap_or(&none);
            let stored = stored.iter().map(|(item, value)| (item.as_str(), value.as_str()));
            !keyed.contains(id) || !stored.eq(keys(record))
        };
        Ok(records.iter().filter(wrong).map(|record| record.person_id.clone()).collect())
    }
}
