//! What does not go on by itself, until somebody puts it away.

use store::{QueryResult, Sql, Transaction};

use super::{ExchangeStore, field};
use crate::Error;

// What was put away and happens again is open again.
const NOTE: Sql = Sql {
    sqlite: "INSERT INTO dead_letter (id, database_id, owner, reason, about, noted_us) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT (id) DO UPDATE SET noted_us = excluded.noted_us, owner = excluded.owner, \
             settled_us = NULL, settled_by = '' WHERE dead_letter.settled_us IS NOT NULL",
    postgres: "INSERT INTO dead_letter (id, database_id, owner, reason, about, noted_us) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET noted_us = excluded.noted_us, \
               owner = excluded.owner, settled_us = NULL, settled_by = '' WHERE dead_letter.settled_us IS NOT NULL",
};
const NOTED: Sql = Sql {
    sqlite: "SELECT id, database_id, owner, reason, about, noted_us, settled_us, settled_by FROM dead_letter \
             WHERE (?1 = '' OR database_id = ?1) AND (?2 OR settled_us IS NULL) AND (noted_us, id) < (?3, ?4) \
             ORDER BY noted_us DESC, id DESC LIMIT ?5",
    postgres: "SELECT id, database_id, owner, reason, about, noted_us, settled_us, settled_by FROM dead_letter \
               WHERE ($1 = '' OR database_id = $1) AND ($2 OR settled_us IS NULL) AND (noted_us, id) < ($3, $4) \
               ORDER BY noted_us DESC, id DESC LIMIT $5",
};
const SETTLE: Sql = Sql {
    sqlite: "UPDATE dead_letter SET settled_us = ?, settled_by = ? WHERE id = ? AND settled_us IS NULL",
    postgres: "UPDATE dead_letter SET settled_us = $1, settled_by = $2 WHERE id = $3 AND settled_us IS NULL",
};

/// What does not go on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The database.
    pub database: String,
    /// Who must see to it.
    pub owner: String,
    /// Stable reason.
    pub reason: String,
    /// Id of the change or event; empty when it is the route.
    pub about: String,
    /// When it was noted, microseconds since 1970.
    pub noted_us: i64,
    /// When it was put away, and by whom; none while it is open.
    pub settled: Option<(i64, String)>,
}

impl DeadLetter {
    /// The same thing is noted once.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.database, self.reason, self.about)
    }
}

/// Which dead letters are looked for.
pub(crate) struct Letters {
    /// Of this database; empty for all.
    pub(crate) database: String,
    /// Those that were put away, too.
    pub(crate) with_settled: bool,
    /// After this one, by when it was noted and its id; none for the newest.
    pub(crate) after: Option<(i64, String)>,
    /// At most so many.
    pub(crate) most: u16,
}

impl ExchangeStore {
    /// Notes what does not go on by itself, once; gives how many letters are new.
    pub(crate) async fn note(&self, letter: DeadLetter) -> Result<u64, Error> {
        self.0
            .write("note dead letter", move |tx| {
                Box::pin(async move { note(tx, Some(letter)).await })
            })
            .await
    }

    /// Dead letters, the newest first.
    pub(crate) async fn dead_letters(&self, wanted: Letters) -> Result<Vec<DeadLetter>, Error> {
        let Letters { database, with_settled, after, most } = wanted;
        let (noted_us, id) = after.unwrap_or((i64::MAX, String::new()));
        let values = vec![
            database.into(),
            with_settled.into(),
            noted_us.into(),
            id.into(),
            i64::from(most).into(),
        ];
        let rows = self.0.read(&NOTED, values).await?;
        rows.iter().map(letter).collect()
    }

    /// Puts one away; whether it was open.
    pub(crate) async fn settle_letter(
        &self,
        id: String,
        by: String,
        now_us: i64,
    ) -> Result<bool, Error> {
        self.0
            .write("settle dead letter", move |tx| {
                Box::pin(async move {
                    let values = vec![now_us.into(), by.into(), id.into()];
                    Ok(tx.execute(&SETTLE, values).await? > 0)
                })
            })
            .await
    }
}

pub(super) async fn note(tx: &Transaction, letter: Option<DeadLetter>) -> Result<u64, Error> {
    let Some(letter) = letter else { return Ok(0) };
    let values = vec![
        letter.id().into(),
        letter.database.into(),
        letter.owner.into(),
        letter.reason.into(),
        letter.about.into(),
        letter.noted_us.into(),
    ];
    Ok(tx.execute(&NOTE, values).await?)
}

fn letter(row: &QueryResult) -> Result<DeadLetter, Error> {
    let settled_us: Option<i64> = field(row, 6)?;
    let by: String = field(row, 7)?;
    Ok(DeadLetter {
        database: field(row, 1)?,
        owner: field(row, 2)?,
        reason: field(row, 3)?,
        about: field(row, 4)?,
        noted_us: field(row, 5)?,
        settled: settled_us.map(|at| (at, by)),
    })
}
