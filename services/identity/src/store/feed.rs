//! The change feed, and the tokens by which followers know persons.

use std::collections::{BTreeMap, HashMap};

use model::GoldenRecord;
use server::runtime::Entropy;
use store::{Sql, Value};

use super::{RegisterStore, field, record, stored};
use crate::{
    Error,
    domain::feed::{Change, Place},
};

// Whoever writes holds the row of the register until it commits, so no lower version can appear after a higher one was
// seen: nothing is passed over.
pub(super) const AFTER: Sql = Sql {
    sqlite: "SELECT c.version, c.items, c.known_at_us, p.record, c.authority, COALESCE((\
             SELECT b.authority FROM change b WHERE b.person_id = c.person_id AND b.version < c.version \
             ORDER BY b.version DESC LIMIT 1), '') \
             FROM change c JOIN person p ON p.person_id = c.person_id \
             WHERE c.version >= ? ORDER BY c.version LIMIT ?",
    postgres: "SELECT c.version, c.items, c.known_at_us, p.record, c.authority, COALESCE((\
               SELECT b.authority FROM change b WHERE b.person_id = c.person_id AND b.version < c.version \
               ORDER BY b.version DESC LIMIT 1), '') \
               FROM change c \
               CROSS JOIN LATERAL (SELECT record FROM person WHERE person_id = c.person_id OFFSET 0) p \
               WHERE c.version >= $1 ORDER BY c.version LIMIT $2",
};
const NEWEST: Sql = Sql::same(
    "SELECT r.version, COALESCE(c.known_at_us, 0) FROM register r \
     LEFT JOIN change c ON c.version = r.version WHERE r.id = 1",
);
const TOKENS: Sql = Sql {
    sqlite: "SELECT person_id, token FROM token \
             WHERE connection = ? AND person_id IN (SELECT value FROM json_each(?))",
    postgres: "SELECT person_id, token FROM token WHERE connection = $1 \
               AND person_id = ANY(ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb)))",
};
// Whoever was first keeps its token.
const ISSUE: Sql = Sql {
    sqlite: "INSERT INTO token (connection, person_id, token) \
             SELECT ?, key, value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO token (connection, person_id, token) \
               SELECT $1, key, value FROM jsonb_each_text($2::text::jsonb) ON CONFLICT DO NOTHING",
};
pub(super) const BEARERS: Sql = Sql {
    sqlite: "SELECT t.connection, t.token, p.record FROM json_each(?) asked \
             JOIN token t ON t.connection = asked.value ->> 0 AND t.token = asked.value ->> 1 \
             JOIN person p ON p.person_id = t.person_id",
    postgres: "SELECT t.connection, t.token, p.record FROM jsonb_array_elements($1::text::jsonb) asked \
               JOIN token t ON t.connection = asked ->> 0 AND t.token = asked ->> 1 \
               CROSS JOIN LATERAL (SELECT record FROM person WHERE person_id = t.person_id OFFSET 0) p",
};

impl RegisterStore {
    /// Where the register is.
    pub(crate) async fn newest(&self) -> Result<Place, Error> {
        let rows = self.store.read(&NEWEST, Vec::new()).await?;
        let row = rows.first().ok_or(store::Error::NoRow)?;
        let version: i64 = field(row, 0)?;
        Ok(Place { version: version.unsigned_abs(), known_at_us: field(row, 1)? })
    }

    /// The changes after a place, at most so many, each with the person as it is now. None when the register never was
    /// at that place.
    pub(crate) async fn changes(
        &self,
        after: &Place,
        most: u16,
    ) -> Result<Option<Vec<Change>>, Error> {
        // The change at the place is read, too: a register that was set back has another one there, or none.
        let values = vec![stored(after.version).into(), (i64::from(most) + 1).into()];
        let rows = self.store.read(&AFTER, values).await?;
        let one = |row: &store::QueryResult| {
            let (version, items): (i64, String) = (field(row, 0)?, field(row, 1)?);
            Ok(Change {
                version: version.unsigned_abs(),
                items: serde_json::from_str(&items)?,
                known_at_us: field(row, 2)?,
                record: record(&field::<String>(row, 3)?)?,
                rules: field(row, 4)?,
                rules_before: field(row, 5)?,
            })
        };
        let mut changes = rows.iter().map(one).collect::<Result<Vec<Change>, Error>>()?;
        if after.version > 0 {
            let there = changes.first().is_some_and(|change| change.place() == *after);
            if !there {
                return Ok(None);
            }
            changes.remove(0);
        }
        changes.truncate(most.into());
        Ok(Some(changes))
    }

    /// The tokens of persons for a connection, by person; those that have none yet are given one.
    pub(crate) async fn tokens(
        &self,
        connection: &str,
        person_ids: &[&str],
        entropy: &Entropy,
    ) -> Result<HashMap<String, String>, Error> {
        let known = self.issued(connection, person_ids).await?;
        let new = person_ids.iter().filter(|id| !known.contains_key(**id));
        let new: BTreeMap<&str, String> = new.map(|id| (*id, entropy.id())).collect();
        if new.is_empty() {
            return Ok(known);
        }
        let values = vec![connection.into(), serde_json::to_string(&new)?.into()];
        let issued: Result<(), Error> = self
            .store
            .write("issue tokens", move |tx| {
                Box::pin(async move {
                    tx.execute(&ISSUE, values).await?;
                    Ok(())
                })
            })
            .await;
        issued?;
        self.issued(connection, person_ids).await
    }

    async fn issued(
        &self,
        connection: &str,
        person_ids: &[&str],
    ) -> Result<HashMap<String, String>, Error> {
        let values = vec![connection.into(), serde_json::to_string(person_ids)?.into()];
        let rows = self.store.read(&TOKENS, values).await?;
        rows.iter().map(|row| Ok((field(row, 0)?, field(row, 1)?))).collect()
    }

    /// The records of the persons to whom these tokens were issued, by connection and token.
    pub(crate) async fn bearers(
        &self,
        tokens: &[(&str, &str)],
    ) -> Result<HashMap<(String, String), GoldenRecord>, Error> {
        let tokens = Value::from(serde_json::to_string(tokens)?);
        let mut found = HashMap::new();
        for row in self.store.read(&BEARERS, vec![tokens]).await? {
            let text: String = field(&row, 2)?;
            found.insert((field(&row, 0)?, field(&row, 1)?), record(&text)?);
        }
        Ok(found)
    }
}
