//! The only place with SQL: how far each database was read and told, and what does not go on by itself.

mod dead_letters;
mod follower;

use store::{Migration, QueryResult, Sql, Store, Transaction, TryGetable, Value};

pub use dead_letters::DeadLetter;
pub(crate) use dead_letters::Letters;
use dead_letters::note;
pub(crate) use follower::Told;

use crate::Error;

pub(crate) static MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "exchange",
        sqlite: include_str!("../migrations/sqlite/0001_exchange.sql"),
        postgres: include_str!("../migrations/postgres/0001_exchange.sql"),
    },
    Migration {
        version: 2,
        name: "follower",
        sqlite: include_str!("../migrations/sqlite/0002_follower.sql"),
        postgres: include_str!("../migrations/postgres/0002_follower.sql"),
    },
    Migration {
        version: 3,
        name: "settled",
        sqlite: include_str!("../migrations/sqlite/0003_settled.sql"),
        postgres: include_str!("../migrations/postgres/0003_settled.sql"),
    },
    Migration {
        version: 4,
        name: "listed_from",
        sqlite: include_str!("../migrations/sqlite/0004_listed_from.sql"),
        postgres: include_str!("../migrations/postgres/0004_listed_from.sql"),
    },
];

const BEGIN: Sql = Sql {
    sqlite: "INSERT INTO route (database_id, cursor, sequence, changes, committed_us, told) \
             VALUES (?, '', 0, 0, 0, 0) ON CONFLICT (database_id) DO NOTHING",
    postgres: "INSERT INTO route (database_id, cursor, sequence, changes, committed_us, told) \
               VALUES ($1, '', 0, 0, 0, 0) ON CONFLICT (database_id) DO NOTHING",
};
const ROUTE: Sql = Sql {
    sqlite: "SELECT cursor, sequence, changes, committed_us, \
             (SELECT count(*) FROM delivery d WHERE d.database_id = route.database_id AND d.event IS NOT NULL), \
             (SELECT count(*) FROM dead_letter l WHERE l.database_id = route.database_id AND l.settled_us IS NULL), \
             (SELECT f.cursor FROM follower f WHERE f.database_id = route.database_id) \
             FROM route WHERE database_id = ?",
    postgres: "SELECT cursor, sequence, changes, committed_us, \
               (SELECT count(*) FROM delivery d WHERE d.database_id = route.database_id AND d.event IS NOT NULL), \
               (SELECT count(*) FROM dead_letter l WHERE l.database_id = route.database_id AND l.settled_us IS NULL), \
               (SELECT f.cursor FROM follower f WHERE f.database_id = route.database_id) \
               FROM route WHERE database_id = $1",
};
// Only from where it was read: of two processes on one database, one goes on.
const MOVE: Sql = Sql {
    sqlite: "UPDATE route SET cursor = ?, sequence = ?, committed_us = ?, changes = changes + 1 \
             WHERE database_id = ? AND cursor = ?",
    postgres: "UPDATE route SET cursor = $1, sequence = $2, committed_us = $3, changes = changes + 1 \
               WHERE database_id = $4 AND cursor = $5",
};
const RESTART: Sql = Sql {
    sqlite: "UPDATE route SET cursor = '', sequence = 0 WHERE database_id = ? AND cursor = ?",
    postgres: "UPDATE route SET cursor = '', sequence = 0 WHERE database_id = $1 AND cursor = $2",
};
// Where nothing was listed, nothing is handed on; but a gap after this cursor will be seen.
const STAND: Sql = Sql {
    sqlite: "UPDATE route SET cursor = ? WHERE database_id = ? AND cursor = ?",
    postgres: "UPDATE route SET cursor = $1 WHERE database_id = $2 AND cursor = $3",
};
const POSITION: Sql = Sql {
    sqlite: "SELECT cursor, sequence FROM route WHERE database_id = ?",
    postgres: "SELECT cursor, sequence FROM route WHERE database_id = $1",
};
const TURN: Sql = Sql {
    sqlite: "UPDATE route SET told = told + 1 WHERE database_id = ? RETURNING told",
    postgres: "UPDATE route SET told = told + 1 WHERE database_id = $1 RETURNING told",
};
const TELL: Sql = Sql {
    sqlite: "INSERT INTO delivery (database_id, sequence, event_id, event, listed_from) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (database_id, event_id) DO NOTHING",
    postgres: "INSERT INTO delivery (database_id, sequence, event_id, event, listed_from) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (database_id, event_id) DO NOTHING",
};
const WAITING: Sql = Sql {
    sqlite: "SELECT sequence, event FROM delivery WHERE database_id = ? AND event IS NOT NULL ORDER BY sequence LIMIT ?",
    postgres: "SELECT sequence, event FROM delivery WHERE database_id = $1 AND event IS NOT NULL ORDER BY sequence LIMIT $2",
};
const TOLD: Sql = Sql {
    sqlite: "UPDATE delivery SET event = NULL WHERE database_id = ? AND sequence = ?",
    postgres: "UPDATE delivery SET event = NULL WHERE database_id = $1 AND sequence = $2",
};
// Of a change of the register nothing is kept: its cursor keeps it from being told again, and there are many.
const FORGET: Sql = Sql {
    sqlite: "DELETE FROM delivery WHERE database_id = ? AND sequence = ? AND listed_from IS NOT NULL",
    postgres: "DELETE FROM delivery WHERE database_id = $1 AND sequence = $2 AND listed_from IS NOT NULL",
};

/// How far a database was read and told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The database.
    pub database: String,
    /// Where its changes are read on; empty before the first page.
    pub cursor: String,
    /// Sequence of the last change that was handed on.
    pub sequence: u64,
    /// How many changes were.
    pub changes: u64,
    /// When that change was committed at its source, microseconds since 1970; 0 before the first.
    pub committed_us: i64,
    /// Events that it has not yet taken.
    pub waiting: u64,
    /// Dead letters about it that are open.
    pub dead_letters: u64,
    /// Up to where it was told of the register's changes; none where it follows nobody, or has not begun.
    pub followed: Option<String>,
}

/// What became of one change, to be stored.
pub(crate) struct Settled {
    /// Where it was read.
    pub(crate) from: String,
    /// Where to read on.
    pub(crate) cursor: String,
    /// Its sequence.
    pub(crate) sequence: u64,
    /// When it was committed at its source.
    pub(crate) committed_us: i64,
    /// What its source is told: the ids of the events, and the events.
    pub(crate) events: Vec<(String, Vec<u8>)>,
    /// What its owner must see to.
    pub(crate) letter: Option<DeadLetter>,
}

/// An event that a database has not yet taken.
pub(crate) struct Waiting {
    /// Its place among those for this database.
    pub(crate) sequence: u64,
    /// The event, but for that.
    pub(crate) event: Vec<u8>,
}

/// The store.
#[derive(Clone)]
pub(crate) struct ExchangeStore(Store);

impl ExchangeStore {
    pub(crate) fn new(store: Store) -> Self {
        Self(store)
    }

    /// How far a database was read and told.
    pub(crate) async fn progress(&self, database: &str) -> Result<Progress, Error> {
        let rows = self.0.read(&ROUTE, vec![database.to_owned().into()]).await?;
        let of = |place| -> Result<u64, Error> {
            let Some(row) = rows.first() else { return Ok(0) };
            Ok(field::<i64>(row, place)?.unsigned_abs())
        };
        let cursor = rows.first().map(|row| field(row, 0)).transpose()?.unwrap_or_default();
        let committed_us = rows.first().map(|row| field(row, 3)).transpose()?.unwrap_or_default();
        Ok(Progress {
            database: database.to_owned(),
            cursor,
            sequence: of(1)?,
            changes: of(2)?,
            committed_us,
            waiting: of(4)?,
            dead_letters: of(5)?,
            followed: rows.first().map(|row| field(row, 6)).transpose()?.flatten(),
        })
    }

    /// Where a database is read on, and the sequence of the last change that was handed on.
    pub(crate) async fn position(&self, database: &str) -> Result<(String, u64), Error> {
        let rows = self.0.read(&POSITION, vec![database.to_owned().into()]).await?;
        let Some(row) = rows.first() else { return Ok((String::new(), 0)) };
        Ok((field(row, 0)?, field::<i64>(row, 1)?.unsigned_abs()))
    }

    /// Keeps where an empty page ended.
    pub(crate) async fn stand(
        &self,
        database: &str,
        from: String,
        at: String,
    ) -> Result<(), Error> {
        let database = database.to_owned();
        self.0
            .write("keep cursor", move |tx| {
                Box::pin(async move {
                    tx.execute(&BEGIN, vec![database.clone().into()]).await?;
                    tx.execute(&STAND, vec![at.into(), database.into(), from.into()]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Stores what became of a change, and moves the cursor past it, in one transaction; gives how many letters are new.
    /// Nothing, when another process has moved it.
    pub(crate) async fn settle(&self, database: &str, done: Settled) -> Result<Option<u64>, Error> {
        let database = database.to_owned();
        self.0
            .write("settle change", move |tx| {
                Box::pin(async move {
                    tx.execute(&BEGIN, vec![database.clone().into()]).await?;
                    let values: Vec<Value> = vec![
                        done.cursor.into(),
                        number(done.sequence).into(),
                        done.committed_us.into(),
                        database.clone().into(),
                        done.from.into(),
                    ];
                    if tx.execute(&MOVE, values).await? == 0 {
                        return Ok(None);
                    }
                    tell(tx, &database, done.events, None).await?;
                    note(tx, done.letter).await.map(Some)
                })
            })
            .await
    }

    /// Begins a database's changes anew, and notes why; gives how many letters are new.
    pub(crate) async fn restart(
        &self,
        database: &str,
        from: String,
        events: Vec<(String, Vec<u8>)>,
        letter: DeadLetter,
    ) -> Result<u64, Error> {
        let database = database.to_owned();
        self.0
            .write("restart route", move |tx| {
                Box::pin(async move {
                    tx.execute(&BEGIN, vec![database.clone().into()]).await?;
                    let lost =
                        tx.execute(&RESTART, vec![database.clone().into(), from.into()]).await?;
                    // Another process has gone on from elsewhere.
                    if lost == 0 {
                        return Ok(0);
                    }
                    tell(tx, &database, events, None).await?;
                    note(tx, Some(letter)).await
                })
            })
            .await
    }

    /// What a database has not yet been told, in order, at most `size`.
    pub(crate) async fn waiting(&self, database: &str, size: u16) -> Result<Vec<Waiting>, Error> {
        let values = vec![database.to_owned().into(), i64::from(size).into()];
        let rows = self.0.read(&WAITING, values).await?;
        let one = |row: &QueryResult| {
            let (sequence, event): (i64, Vec<u8>) = (field(row, 0)?, field(row, 1)?);
            Ok(Waiting { sequence: sequence.unsigned_abs(), event })
        };
        rows.iter().map(one).collect()
    }

    /// Takes away what a database has taken, and notes what it did not; gives how many letters are new.
    pub(crate) async fn told(
        &self,
        database: &str,
        sequences: Vec<u64>,
        letters: Vec<DeadLetter>,
    ) -> Result<u64, Error> {
        let database = database.to_owned();
        self.0
            .write("note delivery", move |tx| {
                Box::pin(async move {
                    for sequence in sequences {
                        let values = vec![database.clone().into(), number(sequence).into()];
                        tx.execute(&FORGET, values.clone()).await?;
                        tx.execute(&TOLD, values).await?;
                    }
                    let mut new = 0;
                    for letter in letters {
                        new += note(tx, Some(letter)).await?;
                    }
                    Ok(new)
                })
            })
            .await
    }

    /// Whether the store answers.
    pub(crate) async fn answers(&self) -> bool {
        self.0.answers().await
    }

    /// Closes the store.
    pub(crate) async fn close(self) {
        self.0.close().await;
    }
}

async fn tell(
    tx: &Transaction,
    database: &str,
    events: Vec<(String, Vec<u8>)>,
    listed_from: Option<&str>,
) -> Result<(), Error> {
    for (event_id, event) in events {
        let rows = tx.query(&TURN, vec![database.to_owned().into()]).await?;
        let sequence: i64 = field(rows.first().ok_or(store::Error::NoRow)?, 0)?;
        let values = vec![
            database.to_owned().into(),
            sequence.into(),
            event_id.into(),
            event.into(),
            listed_from.map(str::to_owned).into(),
        ];
        tx.execute(&TELL, values).await?;
    }
    Ok(())
}

fn field<T: TryGetable>(row: &QueryResult, place: usize) -> Result<T, store::Error> {
    Ok(row.try_get_by(place)?)
}

fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
