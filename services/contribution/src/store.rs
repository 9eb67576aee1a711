//! The only place with SQL: submissions, by connection and key.
//!
//! | module | job |
//! |---|---|
//! | `conflict` | what became of a submission, and the conflicts that it opens and closes |
//! | `outcome` | what each connection is told of that |
//! | `quality` | counting how good the values are |

pub(crate) mod conflict;
pub(crate) mod outcome;
pub(crate) mod quality;

use store::{Migration, QueryResult, Sql, Store, TryGetable, Value};
use tokio::time::Instant;

use crate::{
    Error,
    domain::{Application, Outcome},
};

pub(crate) static MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "submission",
        sqlite: include_str!("../migrations/sqlite/0001_submission.sql"),
        postgres: include_str!("../migrations/postgres/0001_submission.sql"),
    },
    Migration {
        version: 2,
        name: "conflict",
        sqlite: include_str!("../migrations/sqlite/0002_conflict.sql"),
        postgres: include_str!("../migrations/postgres/0002_conflict.sql"),
    },
    Migration {
        version: 3,
        name: "quality",
        sqlite: include_str!("../migrations/sqlite/0003_quality.sql"),
        postgres: include_str!("../migrations/postgres/0003_quality.sql"),
    },
    Migration {
        version: 4,
        name: "conflict of person",
        sqlite: include_str!("../migrations/sqlite/0004_conflict_of_person.sql"),
        postgres: include_str!("../migrations/postgres/0004_conflict_of_person.sql"),
    },
];

const RECEIVE: Sql = Sql {
    sqlite: "INSERT INTO submission \
             (connection, idempotency_key, contribution_id, digest, application, received_at_us) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (connection, idempotency_key) DO NOTHING",
    postgres: "INSERT INTO submission \
               (connection, idempotency_key, contribution_id, digest, application, received_at_us) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (connection, idempotency_key) DO NOTHING",
};
const BY_KEY: Sql = Sql {
    sqlite: "SELECT contribution_id, digest, application, received_at_us, outcome, answer, receipt \
             FROM submission WHERE connection = ? AND idempotency_key = ?",
    postgres: "SELECT contribution_id, digest, application, received_at_us, outcome, answer, receipt \
               FROM submission WHERE connection = $1 AND idempotency_key = $2",
};
const UNFINISHED: Sql = Sql {
    sqlite: "SELECT contribution_id, digest, application, received_at_us, outcome, answer, receipt \
             FROM submission WHERE outcome IS NULL AND received_at_us >= ? AND received_at_us <= ? \
             ORDER BY received_at_us LIMIT 100",
    postgres: "SELECT contribution_id, digest, application, received_at_us, outcome, answer, receipt \
               FROM submission WHERE outcome IS NULL AND received_at_us >= $1 AND received_at_us <= $2 \
               ORDER BY received_at_us LIMIT 100",
};
// The first outcome stands.
const SETTLE: Sql = Sql {
    sqlite: "UPDATE submission SET outcome = ? WHERE contribution_id = ? AND outcome IS NULL",
    postgres: "UPDATE submission SET outcome = $1 WHERE contribution_id = $2 AND outcome IS NULL",
};
// The first answer stands.
const KEEP: Sql = Sql {
    sqlite: "UPDATE submission SET answer = ?, receipt = ? WHERE contribution_id = ? AND answer IS NULL",
    postgres: "UPDATE submission SET answer = $1, receipt = $2 \
               WHERE contribution_id = $3 AND answer IS NULL",
};
const KEPT: Sql = Sql {
    sqlite: "SELECT answer, receipt FROM submission WHERE contribution_id = ?",
    postgres: "SELECT answer, receipt FROM submission WHERE contribution_id = $1",
};

/// A submission as it is stored.
#[derive(Clone)]
pub(crate) struct Submission {
    /// Id of the contribution.
    pub(crate) contribution_id: String,
    /// SHA-256 of the exact request bytes.
    pub(crate) digest: [u8; 32],
    /// What the register is asked to apply.
    pub(crate) application: Application,
    /// When it was received, microseconds since 1970.
    pub(crate) received_at_us: i64,
    /// What became of it.
    pub(crate) outcome: Option<Outcome>,
    /// What the source was answered, and the receipt of that.
    pub(crate) kept: Option<Kept>,
}

/// An answer with its receipt, both as bytes.
#[derive(Clone)]
pub(crate) struct Kept {
    /// The answer.
    pub(crate) answer: Vec<u8>,
    /// The receipt.
    pub(crate) receipt: Vec<u8>,
}

/// The submissions.
#[derive(Clone)]
pub(crate) struct Submissions(Store);

impl Submissions {
    pub(crate) fn new(store: Store) -> Self {
        Self(store)
    }

    /// The same submissions, for work that is worth nothing after a moment.
    pub(crate) fn until(&self, at: Instant) -> Self {
        Self(self.0.until(at))
    }

    /// Stores a submission unless its key was used before, and gives what is stored under the key.
    pub(crate) async fn receive(
        &self,
        connection: String,
        key: String,
        new: Submission,
    ) -> Result<Submission, Error> {
        self.0
            .write("receive submission", move |tx| {
                Box::pin(async move {
                    let application = serde_json::to_string(&new.application)?;
                    let values: Vec<Value> = vec![
                        connection.clone().into(),
                        key.clone().into(),
                        new.contribution_id.into(),
                        new.digest.to_vec().into(),
                        application.into(),
                        new.received_at_us.into(),
                    ];
                    tx.execute(&RECEIVE, values).await?;
                    let rows = tx.query(&BY_KEY, vec![connection.into(), key.into()]).await?;
                    submission(rows.first().ok_or(store::Error::NoRow)?)
                })
            })
            .await
    }

    /// What is stored under a key.
    pub(crate) async fn by_key(
        &self,
        connection: &str,
        key: &str,
    ) -> Result<Option<Submission>, Error> {
        let rows = self.0.read(&BY_KEY, vec![connection.into(), key.into()]).await?;
        rows.first().map(submission).transpose()
    }

    /// Submissions without an outcome, the oldest first, received in a span of time, and when the last of them was
    /// received; none when there are no more. One that cannot be read is passed over and said: it must not keep the
    /// others waiting, also when as many come together as are looked at.
    pub(crate) async fn unfinished(
        &self,
        from_us: i64,
        until_us: i64,
    ) -> Result<Option<(i64, Vec<Submission>)>, Error> {
        let rows = self.0.read(&UNFINISHED, vec![from_us.into(), until_us.into()]).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let last_us = field(last, 3)?;
        let read = rows.iter().filter_map(|row| {
            let read = submission(row);
            if read.is_err() {
                tracing::error!("a stored submission cannot be read");
            }
            read.ok()
        });
        Ok(Some((last_us, read.collect())))
    }

    /// Stores what the source is answered, and gives what is stored: the first answer stands.
    pub(crate) async fn keep(&self, id: String, kept: Kept) -> Result<Kept, Error> {
        self.0
            .write("keep answer", move |tx| {
                Box::pin(async move {
                    let values = vec![kept.answer.into(), kept.receipt.into(), id.clone().into()];
                    tx.execute(&KEEP, values).await?;
                    let rows = tx.query(&KEPT, vec![id.into()]).await?;
                    let row = rows.first().ok_or(store::Error::NoRow)?;
                    Ok(Kept { answer: field(row, 0)?, receipt: field(row, 1)? })
                })
            })
            .await
    }

    pub(crate) async fn answers(&self) -> bool {
        self.0.answers().await
    }

    pub(crate) async fn close(&self) {
        self.0.clone().close().await;
    }
}

fn field<T: TryGetable>(row: &QueryResult, place: usize) -> Result<T, store::Error> {
    Ok(row.try_get_by(place)?)
}

fn submission(row: &QueryResult) -> Result<Submission, Error> {
    let digest: Vec<u8> = field(row, 1)?;
    let outcome: Option<String> = field(row, 4)?;
    let (answer, receipt): (Option<Vec<u8>>, Option<Vec<u8>>) = (field(row, 5)?, field(row, 6)?);
    Ok(Submission {
        contribution_id: field(row, 0)?,
        digest: digest.try_into().map_err(|_| store::Error::NoRow)?,
        application: serde_json::from_str(&field::<String>(row, 2)?)?,
        received_at_us: field(row, 3)?,
        outcome: outcome.map(|text| serde_json::from_str(&text)).transpose()?,
        kept: answer.zip(receipt).map(|(answer, receipt)| Kept { answer, receipt }),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use store::testing::{ENGINES, TestDatabase};

    use super::*;

    const PAGE: usize = 100;

    /// A row that no version of this program has written.
    async fn damage(store: &Store, at_us: i64) {
        let key = format!("key-{at_us}");
        let values: Vec<Value> = vec![
            "connection".into(),
            key.clone().into(),
            key.into(),
            vec![0_u8; 32].into(),
            "no application".into(),
            at_us.into(),
        ];
        let written: Result<(), Error> = store
            .write("damage", |tx| {
                Box::pin(async move {
                    tx.execute(&RECEIVE, values).await?;
                    Ok(())
                })
            })
            .await;
        written.unwrap();
    }

    #[tokio::test]
    async fn a_page_of_what_cannot_be_read_does_not_hide_what_comes_after_it() {
        for engine in ENGINES {
            let database = TestDatabase::new(engine).await;
            let store = Store::open(database.url(), MIGRATIONS).await.unwrap();
            for at_us in 1..=101 {
                damage(&store, at_us).await;
            }
            let submissions = Submissions::new(store);
            let (mut from, mut pages) = (i64::MIN, Vec::new());
            while let Some((last, read)) = submissions.unfinished(from, 1_000).await.unwrap() {
                pages.push((last, read.len()));
                from = last + 1;
            }
            assert_eq!(pages, [(PAGE as i64, 0), (101, 0)], "{engine:?}");
        }
    }
}
