//! The change feed as agencies follow it: changes between two places, lists of persons, and whom a connection follows by name.

use model::GoldenRecord;
use store::Sql;

use super::{
    RegisterStore,
    epoch::turn_of,
    feed::{Changes, change, whole},
    field,
    find::records,
    only, stored,
};
use crate::{
    Error,
    domain::feed::{Change, Place},
};

// All that says where the register is, by one statement: what is read after it goes no further.
pub(super) const STANDING: Sql = Sql {
    sqlite: "SELECT r.version, COALESCE(n.known_at_us, 0), f.floor_version, f.floor_known_at_us, \
             (SELECT known_at_us FROM change WHERE version = ?) \
             FROM register r JOIN feed f ON f.id = 1 LEFT JOIN change n ON n.version = r.version WHERE r.id = 1",
    postgres: "SELECT r.version, COALESCE(n.known_at_us, 0), f.floor_version, f.floor_known_at_us, \
               (SELECT known_at_us FROM change WHERE version = $1) \
               FROM register r JOIN feed f ON f.id = 1 LEFT JOIN change n ON n.version = r.version WHERE r.id = 1",
};
pub(super) const BETWEEN: Sql = Sql {
    sqlite: "SELECT c.version, c.items, c.known_at_us, p.record, c.authority, COALESCE((\
             SELECT b.authority FROM change b WHERE b.person_id = c.person_id AND b.version < c.version \
             ORDER BY b.version DESC LIMIT 1), ''), c.kind, c.bulk_job, f.floor_version, c.person_id \
             FROM change c JOIN person n ON n.person_id = c.person_id \
             JOIN person p ON p.person_id = COALESCE(n.merged_into, n.person_id) JOIN feed f ON f.id = 1 \
             WHERE c.version > ? AND c.version <= ? ORDER BY c.version LIMIT ?",
    postgres: "SELECT c.version, c.items, c.known_at_us, p.record, c.authority, COALESCE((\
               SELECT b.authority FROM change b WHERE b.person_id = c.person_id AND b.version < c.version \
               ORDER BY b.version DESC LIMIT 1), ''), c.kind, c.bulk_job, f.floor_version, c.person_id \
               FROM change c JOIN feed f ON f.id = 1 \
               CROSS JOIN LATERAL (SELECT COALESCE(merged_into, person_id) AS leads_to FROM person \
               WHERE person_id = c.person_id OFFSET 0) n \
               CROSS JOIN LATERAL (SELECT record FROM person WHERE person_id = n.leads_to OFFSET 0) p \
               WHERE c.version > $1 AND c.version <= $2 ORDER BY c.version LIMIT $3",
};
// A token is one of the person's, of whatever epoch: whoever rotates goes on to follow. Whoever follows somebody whose record is
// merged into another one hears of that one, too.
pub(super) const BETWEEN_OF_FOLLOWED: Sql = Sql {
    sqlite: "SELECT c.version, c.items, c.known_at_us, p.record, c.authority, COALESCE((\
             SELECT b.authority FROM change b WHERE b.person_id = c.person_id AND b.version < c.version \
             ORDER BY b.version DESC LIMIT 1), ''), c.kind, c.bulk_job, f.floor_version, c.person_id \
             FROM change c JOIN person n ON n.person_id = c.person_id \
             JOIN person p ON p.person_id = COALESCE(n.merged_into, n.person_id) JOIN feed f ON f.id = 1 \
             WHERE c.version > ?1 AND c.version <= ?2 AND c.person_id IN (SELECT t.person_id FROM followed o \
             JOIN token t ON t.connection = o.connection AND t.token = o.token WHERE o.connection = ?3 \
             UNION SELECT m.merged_into FROM followed o \
             JOIN token t ON t.connection = o.connection AND t.token = o.token \
             JOIN person m ON m.person_id = t.person_id WHERE o.connection = ?3 AND m.merged_into IS NOT NULL) \
             ORDER BY c.version LIMIT ?4",
    postgres: "SELECT c.version, c.items, c.known_at_us, p.record, c.authority, COALESCE((\
               SELECT b.authority FROM change b WHERE b.person_id = c.person_id AND b.version < c.version \
               ORDER BY b.version DESC LIMIT 1), ''), c.kind, c.bulk_job, f.floor_version, c.person_id \
               FROM change c JOIN feed f ON f.id = 1 \
               CROSS JOIN LATERAL (SELECT COALESCE(merged_into, person_id) AS leads_to FROM person \
               WHERE person_id = c.person_id OFFSET 0) n \
               CROSS JOIN LATERAL (SELECT record FROM person WHERE person_id = n.leads_to OFFSET 0) p \
               WHERE c.version > $1 AND c.version <= $2 AND c.person_id IN (SELECT w.person_id FROM \
               (SELECT token FROM followed WHERE connection = $3 OFFSET 0) o CROSS JOIN LATERAL \
               (SELECT person_id FROM token WHERE connection = $3 AND token = o.token OFFSET 0) t CROSS JOIN LATERAL \
               (SELECT merged_into FROM person WHERE person_id = t.person_id OFFSET 0) m CROSS JOIN LATERAL \
               (VALUES (t.person_id), (m.merged_into)) w (person_id) OFFSET 0) ORDER BY c.version LIMIT $4",
};
// The same of many changes: of each person who is followed those of that person are read, and nobody else's.
pub(super) const LONG_OF_FOLLOWED: Sql = Sql {
    sqlite: BETWEEN_OF_FOLLOWED.sqlite,
    postgres: "SELECT c.version, c.items, c.known_at_us, p.record, c.authority, COALESCE((\
               SELECT b.authority FROM change b WHERE b.person_id = c.person_id AND b.version < c.version \
               ORDER BY b.version DESC LIMIT 1), ''), c.kind, c.bulk_job, f.floor_version, c.person_id \
               FROM (SELECT one.* FROM (SELECT DISTINCT w.person_id FROM \
               (SELECT token FROM followed WHERE connection = $3 OFFSET 0) o CROSS JOIN LATERAL \
               (SELECT person_id FROM token WHERE connection = $3 AND token = o.token OFFSET 0) t CROSS JOIN LATERAL \
               (SELECT merged_into FROM person WHERE person_id = t.person_id OFFSET 0) m CROSS JOIN LATERAL \
               (VALUES (t.person_id), (m.merged_into)) w (person_id) OFFSET 0) w \
               CROSS JOIN LATERAL (SELECT * FROM change WHERE person_id = w.person_id \
               AND version > $1 AND version <= $2 ORDER BY version LIMIT $4) one \
               ORDER BY one.version LIMIT $4) c JOIN feed f ON f.id = 1 \
               CROSS JOIN LATERAL (SELECT COALESCE(merged_into, person_id) AS leads_to FROM person \
               WHERE person_id = c.person_id OFFSET 0) n \
               CROSS JOIN LATERAL (SELECT record FROM person WHERE person_id = n.leads_to OFFSET 0) p \
               ORDER BY c.version",
};
/// Of so many changes it is looked for each whether its person is followed.
const LOOKED_AT_EACH_MAX: u64 = 5_000;
// Whose record is merged into another one has none to begin from.
pub(super) const PERSONS: Sql = Sql {
    sqlite: "SELECT record FROM person WHERE person_id > ? AND merged_into IS NULL ORDER BY person_id LIMIT ?",
    postgres: "SELECT record FROM person WHERE person_id > $1 AND merged_into IS NULL ORDER BY person_id LIMIT $2",
};
// Each once, by however many of its tokens it is followed; of a record that is merged into another one that one.
pub(super) const FOLLOWED_PERSONS: Sql = Sql {
    sqlite: "SELECT record FROM person WHERE person_id > ? AND person_id IN (\
             SELECT COALESCE(n.merged_into, n.person_id) FROM followed o \
             JOIN token t ON t.connection = o.connection AND t.token = o.token \
             JOIN person n ON n.person_id = t.person_id WHERE o.connection = ?) ORDER BY person_id LIMIT ?",
    postgres: "SELECT p.record FROM (SELECT DISTINCT n.leads_to FROM \
               (SELECT token FROM followed WHERE connection = $2 OFFSET 0) o CROSS JOIN LATERAL \
               (SELECT person_id FROM token WHERE connection = $2 AND token = o.token OFFSET 0) t CROSS JOIN LATERAL \
               (SELECT COALESCE(merged_into, person_id) AS leads_to FROM person \
               WHERE person_id = t.person_id OFFSET 0) n \
               WHERE n.leads_to > $1 ORDER BY n.leads_to LIMIT $3) f \
               CROSS JOIN LATERAL (SELECT record FROM person WHERE person_id = f.leads_to OFFSET 0) p \
               ORDER BY f.leads_to",
};
const FOLLOW: Sql = Sql {
    sqlite: "INSERT INTO followed (connection, token) SELECT ?, value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO followed (connection, token) \
               SELECT $1, jsonb_array_elements_text($2::text::jsonb) ON CONFLICT DO NOTHING",
};
// With the tokens that the same persons have in other epochs, so that nobody counts twice. Not with those of whoever is merged
// into them: once they are told apart, whoever was followed is followed.
pub(super) const FOLLOWED_ANEW: Sql = Sql {
    sqlite: "DELETE FROM followed WHERE connection = ?1 AND token IN (SELECT value FROM json_each(?2) UNION ALL \
             SELECT other.token FROM json_each(?2) asked \
             JOIN token t ON t.connection = ?1 AND t.token = asked.value \
             JOIN token other ON other.connection = ?1 AND other.person_id = t.person_id)",
    postgres: "DELETE FROM followed WHERE connection = $1 AND token = ANY(ARRAY(\
               SELECT jsonb_array_elements_text($2::text::jsonb) UNION ALL \
               SELECT other.token FROM jsonb_array_elements_text($2::text::jsonb) asked (token) CROSS JOIN LATERAL \
               (SELECT person_id FROM token WHERE connection = $1 AND token = asked.token OFFSET 0) t CROSS JOIN LATERAL \
               (SELECT token FROM token WHERE connection = $1 AND person_id = t.person_id OFFSET 0) other))",
};
// With the tokens that the same persons have in other epochs: whoever unfollows by the token of now may have followed by one of
// before. And with those of whoever is merged into them: of all these a list shows the one token of the record that stays. Of a
// token of nobody there are no others.
pub(super) const UNFOLLOW: Sql = Sql {
    sqlite: "DELETE FROM followed WHERE connection = ?1 AND token IN (\
             WITH RECURSIVE whole (person_id, root) AS (SELECT t.person_id, t.person_id FROM json_each(?2) asked \
             JOIN token t ON t.connection = ?1 AND t.token = asked.value UNION \
             SELECT m.other_id, w.root FROM whole w JOIN once_merged m ON m.person_id = w.person_id) \
             SELECT value FROM json_each(?2) UNION ALL \
             SELECT t.token FROM whole w JOIN person n ON n.person_id = w.person_id \
             JOIN token t ON t.connection = ?1 AND t.person_id = w.person_id \
             WHERE w.person_id = w.root OR n.merged_into = w.root)",
    postgres: "DELETE FROM followed WHERE connection = $1 AND token = ANY(ARRAY(\
               WITH RECURSIVE whole (person_id, root) AS (\
               SELECT t.person_id, t.person_id FROM jsonb_array_elements_text($2::text::jsonb) asked (token) \
               JOIN token t ON t.connection = $1 AND t.token = asked.token UNION \
               SELECT m.other_id, w.root FROM whole w CROSS JOIN LATERAL \
               (SELECT other_id FROM once_merged WHERE person_id = w.person_id OFFSET 0) m) \
               SELECT jsonb_array_elements_text($2::text::jsonb) UNION ALL \
               SELECT t.token FROM whole w CROSS JOIN LATERAL \
               (SELECT merged_into FROM person WHERE person_id = w.person_id OFFSET 0) n CROSS JOIN LATERAL \
               (SELECT token FROM token WHERE connection = $1 AND person_id = w.person_id OFFSET 0) t \
               WHERE w.person_id = w.root OR n.merged_into = w.root))",
};
const FOLLOWED: Sql = Sql {
    sqlite: "SELECT COUNT(*) FROM followed WHERE connection = ?",
    postgres: "SELECT COUNT(*) FROM followed WHERE connection = $1",
};

/// Where the register is, as a follower at some place sees it.
pub(crate) struct Standing {
    /// Where it is now. Nothing at a lower version is still to come: whoever writes holds the register's row until it commits.
    pub(crate) newest: Place,
    /// The changes after this one are kept.
    pub(crate) floor: Place,
    /// Whether it was at the follower's place.
    pub(crate) was_there: bool,
}

/// Why a list of followed persons is not longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotFollowed {
    /// It would be too long.
    #[error("the list of followed persons is full")]
    Full,
    /// The register cannot be used.
    #[error(transparent)]
    Register(#[from] Error),
}

impl From<store::Error> for NotFollowed {
    fn from(error: store::Error) -> Self {
        Self::Register(error.into())
    }
}

impl RegisterStore {
    /// Where the register is, as seen from a place.
    pub(crate) async fn standing(&self, place: &Place) -> Result<Standing, Error> {
        let rows = self.store.read(&STANDING, vec![stored(place.version).into()]).await?;
        let row = rows.first().ok_or(store::Error::NoRow)?;
        let (newest, floor): (i64, i64) = (field(row, 0)?, field(row, 2)?);
        let there: Option<i64> = field(row, 4)?;
        Ok(Standing {
            newest: Place { version: newest.unsigned_abs(), known_at_us: field(row, 1)? },
            floor: Place { version: floor.unsigned_abs(), known_at_us: field(row, 3)? },
            was_there: place.version == 0 || there == Some(place.known_at_us),
        })
    }

    /// At most so many of the changes after a version and up to another one; of the persons whom a connection follows by name,
    /// where one is given.
    pub(crate) async fn changes_between(
        &self,
        (after, last): (u64, u64),
        followed_by: Option<&str>,
        most: usize,
    ) -> Result<Changes, Error> {
        let mut values = vec![stored(after).into(), stored(last).into()];
        values.extend(followed_by.map(Into::into));
        values.push(stored(most as u64).into());
        let sql = match followed_by {
            None => &BETWEEN,
            Some(_) if last.saturating_sub(after) > LOOKED_AT_EACH_MAX => &LONG_OF_FOLLOWED,
            Some(_) => &BETWEEN_OF_FOLLOWED,
        };
        let rows = self.store.read(sql, values).await?;
        whole(rows.iter().map(change).collect::<Result<Vec<Change>, Error>>()?, &rows)
    }

    /// At most so many persons after one, by id; of those whom a connection follows by name, where one is given.
    pub(crate) async fn persons_after(
        &self,
        after: &str,
        followed_by: Option<&str>,
        most: usize,
    ) -> Result<Vec<GoldenRecord>, Error> {
        let mut values = vec![after.into()];
        values.extend(followed_by.map(Into::into));
        values.push(stored(most as u64).into());
        let sql = if followed_by.is_some() { &FOLLOWED_PERSONS } else { &PERSONS };
        let rows = self.store.read(sql, values).await?;
        records(&rows)
    }

    /// Adds tokens to a connection's list, all or none, and says how long it is then. They take the place of those that the same
    /// persons have in other epochs, so that nobody who is followed anew after a rotation counts twice.
    pub(crate) async fn follow(
        &self,
        connection: &str,
        tokens: &[String],
        most: u32,
    ) -> Result<u64, NotFollowed> {
        let (connection, tokens) = (connection.to_owned(), serde_json::to_string(tokens));
        let tokens = tokens.map_err(Error::from)?;
        self.store
            .write("follow persons", move |tx| {
                Box::pin(async move {
                    // The list grows by one call after the other, so that it does not grow past its end.
                    turn_of(tx, &connection).await?;
                    let list = || vec![connection.clone().into(), tokens.clone().into()];
                    tx.execute(&FOLLOWED_ANEW, list()).await?;
                    tx.execute(&FOLLOW, list()).await?;
                    let followed: i64 = only(&tx.query(&FOLLOWED, vec![connection.into()]).await?)?;
                    if followed > i64::from(most) {
                        return Err(NotFollowed::Full);
                    }
                    Ok(followed.unsigned_abs())
                })
            })
            .await
    }

    /// Takes the persons of these tokens off a connection's list, and whoever is merged into them, and says how long it is then.
    pub(crate) async fn unfollow(
        &self,
        connection: &str,
        tokens: &[String],
    ) -> Result<u64, NotFollowed> {
        let (connection, tokens) = (connection.to_owned(), serde_json::to_string(tokens));
        let tokens = tokens.map_err(Error::from)?;
        self.store
            .write("unfollow persons", move |tx| {
                Box::pin(async move {
                    tx.execute(&UNFOLLOW, vec![connection.clone().into(), tokens.into()]).await?;
                    let followed: i64 = only(&tx.query(&FOLLOWED, vec![connection.into()]).await?)?;
                    Ok(followed.unsigned_abs())
                })
            })
            .await
    }
}
