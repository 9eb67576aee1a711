//! Whose records name whom: keys that are written wherever a record is, and reading by them.

use model::{GoldenRecord, item::RESIDENCE_FILE};
use serde::Serialize;
use store::{Sql, Transaction};

use super::{RegisterStore, field, find::records, record};
use crate::{
    Error,
    domain::relations::{Naming, keys},
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
// A number that another has replaced still leads to its bearer, and that of a record that is merged into another one to the person
// whose that is. The numbers of a person are in any part, and one index each is asked for them. Who is protected is not read
// for whoever may not know of it, and so takes nobody's place (I7).
pub(super) const NAMING: Sql = Sql {
    sqlite: "WITH RECURSIVE whole (person_id, root) AS (SELECT value, value FROM json_each(?2) UNION \
             SELECT m.other_id, w.root FROM whole w JOIN once_merged m ON m.person_id = w.person_id) \
             SELECT w.root, k.value, p.record FROM whole w JOIN person n ON n.person_id = w.person_id \
             JOIN identifier i ON i.person_id = w.person_id \
             JOIN relation_key k ON k.item = ?1 AND k.value = i.value \
             JOIN person p ON p.person_id = k.person_id \
             WHERE i.state = 'active' AND COALESCE(n.merged_into, n.person_id) = w.root \
             AND (NOT p.protected OR ?3) ORDER BY w.root, k.person_id, k.value LIMIT 501",
    postgres: "WITH RECURSIVE whole (person_id, root) AS (\
               SELECT value, value FROM jsonb_array_elements_text($2::text::jsonb) asked (value) UNION \
               SELECT m.other_id, w.root FROM whole w CROSS JOIN LATERAL \
               (SELECT other_id FROM once_merged WHERE person_id = w.person_id OFFSET 0) m) \
               SELECT w.root, i.value, p.record FROM whole w CROSS JOIN LATERAL \
               (SELECT COALESCE(merged_into, person_id) AS leads_to FROM person WHERE person_id = w.person_id OFFSET 0) n \
               CROSS JOIN LATERAL \
               (SELECT value FROM identifier WHERE person_id = w.person_id AND state = 'active' OFFSET 0) i \
               CROSS JOIN LATERAL \
               (SELECT person_id FROM relation_key WHERE item = $1 AND value = i.value OFFSET 0) k \
               CROSS JOIN LATERAL \
               (SELECT protected, record FROM person WHERE person_id = k.person_id OFFSET 0) p \
               WHERE n.leads_to = w.root AND (NOT p.protected OR $3) \
               ORDER BY w.root, k.person_id, i.value LIMIT 501",
};
/// The rows of [`NAMING`], at most.
pub(crate) const NAMING_MAX: usize = 501;
pub(super) const IN_FILE: Sql = Sql {
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

/// Takes away whom records name, of persons whose records are written anew.
pub(super) async fn forget_relations<'a>(
    tx: &Transaction,
    persons: impl Iterator<Item = &'a str>,
) -> Result<(), Error> {
    let persons: Vec<&str> = persons.collect();
    tx.execute(&FORGET, vec![serde_json::to_string(&persons)?.into()]).await?;
    Ok(())
}

/// Writes whom records name.
pub(super) async fn write_relations(
    tx: &Transaction,
    records: impl Iterator<Item = &GoldenRecord>,
) -> Result<(), Error> {
    let rows: Vec<KeyRow<'_>> = records
        .flat_map(|record| {
            let row = |(item, value)| KeyRow { item, value, person_id: &record.person_id };
            keys(record).into_iter().map(row)
        })
        .collect();
    if !rows.is_empty() {
        tx.execute(&KEYS, vec![serde_json::to_string(&rows)?.into()]).await?;
    }
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
        records(&rows)
    }
}
