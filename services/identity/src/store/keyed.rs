//! Keys for everybody who has none of today's form: persons from before there were any, or from before they changed, and
//! whoever was written by a process that does not know of them, while this one is rolled out.

use std::collections::{BTreeMap, BTreeSet};

use model::GoldenRecord;
use store::{Sql, Transaction, Value};

use super::{
    RegisterStore, enter::lock, field, find::write_keys, record, relations::forget_relations,
    stored,
};
use crate::{
    Error,
    domain::{find::SearchKey, relations},
};

const KEYED: Sql = Sql::same("SELECT form, version FROM search WHERE id = 1");
// Every person has come by a change.
pub(super) const CHANGED: Sql = Sql {
    sqlite: "SELECT c.version, c.person_id, k.version IS NULL OR k.version <> p.version OR k.form <> ?2 \
             FROM change c JOIN person p ON p.person_id = c.person_id \
             LEFT JOIN search_key k ON k.person_id = c.person_id \
             WHERE c.version > ?1 ORDER BY c.version LIMIT 500",
    postgres: "SELECT c.version, c.person_id, k.version IS NULL OR k.version <> p.version OR k.form <> $2 \
               FROM change c \
               CROSS JOIN LATERAL (SELECT version FROM person WHERE person_id = c.person_id OFFSET 0) p \
               LEFT JOIN search_key k ON k.person_id = c.person_id \
               WHERE c.version > $1 ORDER BY c.version LIMIT 500",
};
pub(super) const RECORDS: Sql = Sql {
    sqlite: "SELECT record, version FROM person WHERE person_id IN (SELECT value FROM json_each(?))",
    postgres: "SELECT p.record, p.version FROM jsonb_array_elements_text($1::text::jsonb) asked (person_id) \
               CROSS JOIN LATERAL (SELECT record, version FROM person WHERE person_id = asked.person_id OFFSET 0) p",
};
// Of two processes with other forms the newer one has its way. Of two with one form one begins, and the other goes on from where
// that is.
const BEGIN: Sql = Sql {
    sqlite: "UPDATE search SET form = -?1, version = 0 WHERE id = 1 AND abs(form) < ?1",
    postgres: "UPDATE search SET form = -$1, version = 0 WHERE id = 1 AND abs(form) < $1",
};
const SEEN: Sql = Sql {
    sqlite: "UPDATE search SET version = ?2 WHERE id = 1 AND abs(form) = ?1 AND version < ?2",
    postgres: "UPDATE search SET version = $2 WHERE id = 1 AND abs(form) = $1 AND version < $2",
};
const DONE: Sql = Sql {
    sqlite: "UPDATE search SET form = ?1 WHERE id = 1 AND form = -?1",
    postgres: "UPDATE search SET form = $1 WHERE id = 1 AND form = -$1",
};
/// Keys of persons as they are stored, of this form and of the record's version.
pub(super) const KEYS_OF: Sql = Sql {
    sqlite: "SELECT k.person_id, k.name_l3, k.name_l4, k.born, k.birth_year, k.sex, k.native_province, k.commune \
             FROM search_key k JOIN person p ON p.person_id = k.person_id \
             WHERE k.version = p.version AND k.form = ?1 AND k.person_id IN (SELECT value FROM json_each(?2))",
    postgres: "SELECT k.person_id, k.name_l3, k.name_l4, k.born, k.birth_year, k.sex, k.native_province, k.commune \
               FROM jsonb_array_elements_text($2::text::jsonb) asked (person_id) \
               JOIN search_key k ON k.person_id = asked.person_id \
               CROSS JOIN LATERAL (SELECT version FROM person WHERE person_id = asked.person_id OFFSET 0) p \
               WHERE k.version = p.version AND k.form = $1",
};
pub(super) const RELATION_KEYS_OF: Sql = Sql {
    sqlite: "SELECT person_id, item, value FROM relation_key \
             WHERE person_id IN (SELECT value FROM json_each(?))",
    postgres: "SELECT person_id, item, value FROM relation_key \
               WHERE person_id = ANY(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))",
};

impl RegisterStore {
    /// Whether everybody is known to have keys of this program's form.
    pub(crate) async fn is_keyed(&self) -> Result<bool, Error> {
        Ok(self.keyed().await?.0 == SearchKey::FORM)
    }

    /// Whether that was seen of all that was ever written.
    pub(crate) async fn is_keyed_whole(&self) -> Result<bool, Error> {
        let (form, seen) = self.keyed().await?;
        Ok(form == SearchKey::FORM && seen == stored(self.version().await?))
    }

    /// The form that everybody's keys have, less than 0 while they are given it, and the version of the register up to which
    /// it was seen that they do.
    async fn keyed(&self) -> Result<(i64, i64), Error> {
        let rows = self.store.read(&KEYED, Vec::new()).await?;
        let row = rows.first().ok_or(store::Error::NoRow)?;
        Ok((field(row, 0)?, field(row, 1)?))
    }

    /// Gives keys to everybody who has none of today's form, or some of another version than the record; says to how many.
    /// It looks at what has changed since it last did, in batches, and lets other writers wait only where there is something
    /// to write.
    pub(crate) async fn give_keys(&self) -> Result<u64, Error> {
        let Some(mut seen) = self.begin_keys().await? else { return Ok(0) };
        let mut given = 0;
        while let Some((last, stale)) = self.give_some(seen).await? {
            (seen, given) = (last, given + stale);
        }
        if self.keyed().await?.0 < 0 {
            self.note(&DONE, vec![SearchKey::FORM.into()]).await?;
        }
        Ok(given)
    }

    /// Begins where somebody may have other keys, or goes on where this process or another one is: gives the version up to which
    /// it was seen that everybody has some. Until that is done nobody is looked for by keys of which some are others. None
    /// where a newer process has its way.
    pub(super) async fn begin_keys(&self) -> Result<Option<u64>, Error> {
        if self.keyed().await?.0.abs() < SearchKey::FORM {
            self.note(&BEGIN, vec![SearchKey::FORM.into()]).await?;
        }
        let (form, seen) = self.keyed().await?;
        Ok((form.abs() == SearchKey::FORM).then_some(seen.unsigned_abs()))
    }

    /// Gives keys to those of the next changes who need some; says up to where that was, and to how many. None at the end.
    pub(super) async fn give_some(&self, seen: u64) -> Result<Option<(u64, u64)>, Error> {
        let values = vec![stored(seen).into(), SearchKey::FORM.into()];
        let rows = self.store.read(&CHANGED, values).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let last: i64 = field(last, 0)?;
        let mut stale = BTreeSet::new();
        for row in &rows {
            if field::<bool>(row, 2)? {
                stale.insert(field::<String>(row, 1)?);
            }
        }
        let given = stale.len() as u64;
        self.key(stale).await?;
        // Whoever is started again goes on from here.
        self.note(&SEEN, vec![SearchKey::FORM.into(), last.into()]).await?;
        Ok(Some((last.unsigned_abs(), given)))
    }

    async fn note(&self, sql: &'static Sql, values: Vec<Value>) -> Result<(), Error> {
        self.store
            .write("note keys", move |tx| {
                Box::pin(async move {
                    tx.execute(sql, values).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Those of the records whose keys are not those of the record, or not at its version.
    pub(super) async fn wrongly_keyed(
        &self,
        records: &[&GoldenRecord],
    ) -> Result<BTreeSet<String>, Error> {
        let ids: Vec<&str> = records.iter().map(|record| record.person_id.as_str()).collect();
        let ids = Value::from(serde_json::to_string(&ids)?);
        let mut named: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
        for row in &self.store.read(&RELATION_KEYS_OF, vec![ids.clone()]).await? {
            let key = (field(row, 1)?, field(row, 2)?);
            named.entry(field(row, 0)?).or_default().insert(key);
        }
        let mut keys = BTreeMap::new();
        for row in &self.store.read(&KEYS_OF, vec![SearchKey::FORM.into(), ids]).await? {
            keys.insert(field::<String>(row, 0)?, search_key(row)?);
        }
        let none = BTreeSet::new();
        let wrong = |record: &&&GoldenRecord| {
            let id = &record.person_id;
            let named = named.get(id).unwrap_or(&none);
            let named = named.iter().map(|(item, value)| (item.as_str(), value.as_str()));
            keys.get(id) != Some(&SearchKey::of(record)) || !named.eq(relations::keys(record))
        };
        Ok(records.iter().filter(wrong).map(|record| record.person_id.clone()).collect())
    }

    async fn key(&self, persons: BTreeSet<String>) -> Result<(), Error> {
        if persons.is_empty() {
            return Ok(());
        }
        let ids = Value::from(serde_json::to_string(&persons)?);
        self.store
            .write("give keys", move |tx| Box::pin(async move { rewrite(tx, ids).await }))
            .await
    }
}

/// A key, in the columns of [`KEYS_OF`].
fn search_key(row: &store::QueryResult) -> Result<SearchKey, Error> {
    Ok(SearchKey {
        name_l3: field(row, 1)?,
        name_l4: field(row, 2)?,
        born: field(row, 3)?,
        birth_year: field::<Option<i64>>(row, 4)?.and_then(|year| year.try_into().ok()),
        sex: field(row, 5)?,
        native_province: field(row, 6)?,
        commune: field(row, 7)?,
    })
}

/// Writes the keys of persons as their records are now: nobody writes one meanwhile.
async fn rewrite(tx: &Transaction, ids: Value) -> Result<(), Error> {
    lock(tx, 0).await?;
    let mut persons: Vec<(GoldenRecord, u64)> = Vec::new();
    for row in &tx.query(&RECORDS, vec![ids]).await? {
        let version: i64 = field(row, 1)?;
        persons.push((record(&field::<String>(row, 0)?)?, version.unsigned_abs()));
    }
    forget_relations(tx, persons.iter().map(|(record, _)| record.person_id.as_str())).await?;
    write_keys(tx, persons.iter().map(|(record, version)| (record, *version))).await
}

#[cfg(test)]
#[path = "keyed_tests.rs"]
mod tests;
