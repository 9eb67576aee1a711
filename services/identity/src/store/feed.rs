//! The change feed, and the tokens by which followers know persons.

use std::collections::{BTreeMap, HashMap};

use model::GoldenRecord;
use server::runtime::Entropy;
use store::{Sql, Value};

use super::{RegisterStore, field, record, stored};
use crate::{
    Error,
    domain::feed::{Change, ChangeKind, Place},
};

// Whoever writes holds the row of the register until it commits, so no lower version can appear after a higher one was
// seen: nothing is passed over.
pub(super) const AFTER: Sql = Sql {
    sqlite: "SELECT c.version, c.items, c.known_at_us, p.record, c.authority, COALESCE((\
             SELECT b.authority FROM change b WHERE b.person_id = c.person_id AND b.version < c.version \
             ORDER BY b.version DESC LIMIT 1), ''), c.kind, c.bulk_job, f.floor_version, c.person_id \
             FROM change c JOIN person n ON n.person_id = c.person_id \
             JOIN person p ON p.person_id = COALESCE(n.merged_into, n.person_id) JOIN feed f ON f.id = 1 \
             WHERE c.version >= ? ORDER BY c.version LIMIT ?",
    postgres: "SELECT c.version, c.items, c.known_at_us, p.record, c.authority, COALESCE((\
               SELECT b.authority FROM change b WHERE b.person_id = c.person_id AND b.version < c.version \
               ORDER BY b.version DESC LIMIT 1), ''), c.kind, c.bulk_job, f.floor_version, c.person_id \
               FROM change c JOIN feed f ON f.id = 1 \
               CROSS JOIN LATERAL (SELECT person_id, merged_into FROM person WHERE person_id = c.person_id OFFSET 0) n \
               CROSS JOIN LATERAL (SELECT record FROM person \
               WHERE person_id = COALESCE(n.merged_into, n.person_id) OFFSET 0) p \
               WHERE c.version >= $1 ORDER BY c.version LIMIT $2",
};
const NEWEST: Sql = Sql::same(
    "SELECT r.version, COALESCE(c.known_at_us, 0) FROM register r \
     LEFT JOIN change c ON c.version = r.version WHERE r.id = 1",
);
// Those of the present epoch.
pub(super) const TOKENS: Sql = Sql {
    sqlite: "SELECT person_id, token FROM token WHERE connection = ?1 \
             AND epoch = COALESCE((SELECT MAX(epoch) FROM token_epoch WHERE connection = ?1), 0) \
             AND person_id IN (SELECT value FROM json_each(?2))",
    postgres: "SELECT person_id, token FROM token WHERE connection = $1 \
               AND epoch = COALESCE((SELECT MAX(epoch) FROM token_epoch WHERE connection = $1), 0) \
               AND person_id = ANY(ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb)))",
};
// Whoever was first keeps its token.
const ISSUE: Sql = Sql {
    sqlite: "INSERT INTO token (connection, person_id, token, epoch) SELECT ?1, key, value, \
             COALESCE((SELECT MAX(epoch) FROM token_epoch WHERE connection = ?1), 0) \
             FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO token (connection, person_id, token, epoch) SELECT $1, key, value, \
               COALESCE((SELECT MAX(epoch) FROM token_epoch WHERE connection = $1), 0) \
               FROM jsonb_each_text($2::text::jsonb) ON CONFLICT DO NOTHING",
};
// A token is accepted until an epoch after its own has ended it.
pub(super) const BEARERS: Sql = Sql {
    sqlite: "SELECT t.connection, t.token, p.record, t.person_id, EXISTS (SELECT 1 FROM token_epoch e \
             WHERE e.connection = t.connection AND e.epoch > t.epoch) FROM json_each(?1) asked \
             JOIN token t ON t.connection = asked.value ->> 0 AND t.token = asked.value ->> 1 \
             JOIN person n ON n.person_id = t.person_id \
             JOIN person p ON p.person_id = COALESCE(n.merged_into, n.person_id) \
             WHERE NOT EXISTS (SELECT 1 FROM token_epoch e WHERE e.connection = t.connection \
             AND e.epoch > t.epoch AND e.earlier_until_us <= ?2)",
    postgres: "SELECT t.connection, t.token, p.record, t.person_id, EXISTS (SELECT 1 FROM token_epoch e \
               WHERE e.connection = t.connection AND e.epoch > t.epoch) \
               FROM jsonb_array_elements($1::text::jsonb) asked \
               JOIN token t ON t.connection = asked ->> 0 AND t.token = asked ->> 1 \
               CROSS JOIN LATERAL (SELECT person_id, merged_into FROM person WHERE person_id = t.person_id OFFSET 0) n \
               CROSS JOIN LATERAL (SELECT record FROM person \
               WHERE person_id = COALESCE(n.merged_into, n.person_id) OFFSET 0) p \
               WHERE NOT EXISTS (SELECT 1 FROM token_epoch e WHERE e.connection = t.connection \
               AND e.epoch > t.epoch AND e.earlier_until_us <= $2)",
};
// Whoever was never said to be one with anybody is found nowhere, so a page of changes costs a look at an index for each.
pub(super) const ONCE_WITH_HIDDEN: Sql = Sql {
    sqlite: "WITH RECURSIVE whole (root, person_id) AS (SELECT asked.value, m.other_id FROM json_each(?) asked \
             JOIN once_merged m ON m.person_id = asked.value UNION \
             SELECT w.root, m.other_id FROM whole w JOIN once_merged m ON m.person_id = w.person_id) \
             SELECT c.person_id, c.version, c.known_at_us FROM change c WHERE c.person_id IN (\
             SELECT w.root FROM whole w JOIN person p ON p.person_id = w.person_id WHERE p.protected)",
    postgres: "WITH RECURSIVE whole (root, person_id) AS (\
               SELECT asked.value, m.other_id FROM jsonb_array_elements_text($1::text::jsonb) asked (value) \
               CROSS JOIN LATERAL (SELECT other_id FROM once_merged WHERE person_id = asked.value OFFSET 0) m UNION \
               SELECT w.root, m.other_id FROM whole w CROSS JOIN LATERAL \
               (SELECT other_id FROM once_merged WHERE person_id = w.person_id OFFSET 0) m), \
               hidden (root) AS (SELECT DISTINCT w.root FROM whole w CROSS JOIN LATERAL \
               (SELECT protected FROM person WHERE person_id = w.person_id OFFSET 0) p WHERE p.protected) \
               SELECT c.person_id, c.version, c.known_at_us FROM hidden h CROSS JOIN LATERAL \
               (SELECT person_id, version, known_at_us FROM change WHERE person_id = h.root OFFSET 0) c",
};
/// How often tokens are issued where an epoch begins meanwhile.
const ISSUES_MAX: usize = 3;

/// To whom a token was issued.
#[derive(Clone)]
pub(crate) struct TokenBearer {
    /// Whose token it is: another person where that one's record is merged into `record`.
    pub(crate) named: String,
    /// The person.
    pub(crate) record: GoldenRecord,
    /// Whether the token is of an epoch before the present one.
    pub(crate) earlier: bool,
}

/// What was found after a place.
pub(crate) enum Changes {
    /// These, in order.
    Found(Vec<Change>),
    /// The register was never at that place: it was set back.
    UnknownPlace,
    /// Not all of them are kept any more.
    NotKept,
}

/// The changes that are not told any more have no items. Up to where those are is read by the same statement, so that none
/// is taken for one that touched nothing.
pub(super) fn whole(changes: Vec<Change>, rows: &[store::QueryResult]) -> Result<Changes, Error> {
    let floor = rows.first().map(|row| field::<i64>(row, 8)).transpose()?.unwrap_or_default();
    let kept = changes.first().is_none_or(|first| first.version > floor.unsigned_abs());
    Ok(if kept { Changes::Found(changes) } else { Changes::NotKept })
}

/// A change, in the columns of [`AFTER`].
pub(super) fn change(row: &store::QueryResult) -> Result<Change, Error> {
    let (version, items): (i64, String) = (field(row, 0)?, field(row, 1)?);
    Ok(Change {
        version: version.unsigned_abs(),
        items: serde_json::from_str(&items)?,
        known_at_us: field(row, 2)?,
        person_id: field(row, 9)?,
        record: record(&field::<String>(row, 3)?)?,
        rules: field(row, 4)?,
        rules_before: field(row, 5)?,
        kind: field::<Option<String>>(row, 6)?.as_deref().and_then(ChangeKind::parse),
        bulk_job: field(row, 7)?,
    })
}

impl RegisterStore {
    /// Where the register is.
    pub(crate) async fn newest(&self) -> Result<Place, Error> {
        let rows = self.store.read(&NEWEST, Vec::new()).await?;
        let row = rows.first().ok_or(store::Error::NoRow)?;
        let version: i64 = field(row, 0)?;
        Ok(Place { version: version.unsigned_abs(), known_at_us: field(row, 1)? })
    }

    /// The changes after a place, at most so many, each with the person as it is now, by whatever record.
    pub(crate) async fn changes(&self, after: &Place, most: u16) -> Result<Changes, Error> {
        // The change at the place is read, too: a register that was set back has another one there, or none.
        let values = vec![stored(after.version).into(), (i64::from(most) + 1).into()];
        let rows = self.store.read(&AFTER, values).await?;
        let mut changes = rows.iter().map(change).collect::<Result<Vec<Change>, Error>>()?;
        if after.version > 0 {
            let there = changes.first().is_some_and(|change| change.place() == *after);
            if !there {
                return Ok(Changes::UnknownPlace);
            }
            changes.remove(0);
        }
        changes.truncate(most.into());
        whole(changes, &rows)
    }

    /// Those of the persons who were ever said to be one with somebody who is protected today, through however many: when each
    /// of their changes was learnt, by version.
    pub(crate) async fn once_with_hidden(
        &self,
        person_ids: &[&str],
    ) -> Result<HashMap<String, BTreeMap<u64, i64>>, Error> {
        let ids = Value::from(serde_json::to_string(person_ids)?);
        let mut changes: HashMap<String, BTreeMap<u64, i64>> = HashMap::new();
        for row in self.store.read(&ONCE_WITH_HIDDEN, vec![ids]).await? {
            let version: i64 = field(&row, 1)?;
            let of = changes.entry(field(&row, 0)?).or_default();
            of.insert(version.unsigned_abs(), field(&row, 2)?);
        }
        Ok(changes)
    }

    /// The tokens of persons for a connection, by person, of the present epoch; those that have none yet are given one.
    pub(crate) async fn tokens(
        &self,
        connection: &str,
        person_ids: &[&str],
        entropy: &Entropy,
    ) -> Result<HashMap<String, String>, Error> {
        let mut known = self.issued(connection, person_ids).await?;
        // An epoch may begin between the statements: then there are others to be issued.
        for _ in 0..ISSUES_MAX {
            let new = person_ids.iter().filter(|id| !known.contains_key(**id));
            let new: BTreeMap<&str, String> = new.map(|id| (*id, entropy.id())).collect();
            if new.is_empty() {
                break;
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
            known = self.issued(connection, person_ids).await?;
        }
        Ok(known)
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

    /// The persons to whom these tokens were issued, by connection and token, as far as these are accepted at a moment.
    pub(crate) async fn bearers(
        &self,
        tokens: &[(&str, &str)],
        now_us: i64,
    ) -> Result<HashMap<(String, String), TokenBearer>, Error> {
        let tokens = Value::from(serde_json::to_string(tokens)?);
        let mut found = HashMap::new();
        for row in self.store.read(&BEARERS, vec![tokens, now_us.into()]).await? {
            let record = record(&field::<String>(&row, 2)?)?;
            let bearer = TokenBearer { named: field(&row, 3)?, record, earlier: field(&row, 4)? };
            found.insert((field(&row, 0)?, field(&row, 1)?), bearer);
        }
        Ok(found)
    }
}
