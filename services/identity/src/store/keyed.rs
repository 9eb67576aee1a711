//! Keys for everybody who has none of today's form: persons from before there were any, or from before they changed, and
//! whoever was written by a process that does not know of them, while this one is rolled out.

use std::collections::BTreeSet;

use model::GoldenRecord;
use store::{Sql, Transaction, Value};

use super::{RegisterStore, enter::lock, field, find::write_keys, record, stored};
use crate::{Error, domain::find::SearchKey};

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
// Of two processes with other forms the newer one has its way.
const NOTE: Sql = Sql {
    sqlite: "UPDATE search SET form = ?1, version = ?2 WHERE id = 1 AND abs(form) <= ?3",
    postgres: "UPDATE search SET form = $1, version = $2 WHERE id = 1 AND abs(form) <= $3",
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
        let (form, seen) = self.keyed().await?;
        if form.abs() > SearchKey::FORM {
            return Ok(0);
        }
        let all = form != SearchKey::FORM;
        if all {
            // Until it is done nobody is looked for by keys of which some are others.
            self.note(-SearchKey::FORM, 0).await?;
        }
        let begun = if all { 0 } else { seen.unsigned_abs() };
        let mut seen = begun;
        let mut given = 0;
        loop {
            let values = vec![stored(seen).into(), SearchKey::FORM.into()];
            let rows = self.store.read(&CHANGED, values).await?;
            let mut stale = BTreeSet::new();
            for row in &rows {
                seen = field::<i64>(row, 0)?.unsigned_abs();
                if field::<bool>(row, 2)? {
                    stale.insert(field::<String>(row, 1)?);
                }
            }
            if rows.is_empty() {
                break;
            }
            given += stale.len() as u64;
            self.key(stale).await?;
        }
        if !all && seen == begun {
            return Ok(given);
        }
        self.note(SearchKey::FORM, seen).await?;
        Ok(given)
    }

    async fn note(&self, form: i64, seen: u64) -> Result<(), Error> {
        let values = vec![form.into(), stored(seen).into(), SearchKey::FORM.into()];
        self.store
            .write("note keys", move |tx| {
                Box::pin(async move {
                    tx.execute(&NOTE, values).await?;
                    Ok(())
                })
            })
            .await
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

/// Writes the keys of persons as their records are now: nobody writes one meanwhile.
async fn rewrite(tx: &Transaction, ids: Value) -> Result<(), Error> {
    lock(tx, 0).await?;
    let mut persons: Vec<(GoldenRecord, u64)> = Vec::new();
    for row in &tx.query(&RECORDS, vec![ids]).await? {
        let version: i64 = field(row, 1)?;
        persons.push((record(&field::<String>(row, 0)?)?, version.unsigned_abs()));
    }
    write_keys(tx, persons.iter().map(|(record, version)| (record, *version))).await
}
