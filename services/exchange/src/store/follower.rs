//! How far a database that follows persons was told of the register's changes.

use store::Sql;

use super::{BEGIN, DeadLetter, ExchangeStore, field, note, tell};
use crate::Error;

const FOLLOWED: Sql = Sql {
    sqlite: "SELECT cursor FROM follower WHERE database_id = ?",
    postgres: "SELECT cursor FROM follower WHERE database_id = $1",
};
// As far as it matters.
const HEAPED: Sql = Sql {
    sqlite: "SELECT count(*) FROM \
             (SELECT 1 FROM delivery WHERE database_id = ? AND event IS NOT NULL LIMIT ?) heap",
    postgres: "SELECT count(*) FROM \
               (SELECT 1 FROM delivery WHERE database_id = $1 AND event IS NOT NULL LIMIT $2) heap",
};
const FOLLOW: Sql = Sql {
    sqlite: "INSERT INTO follower (database_id, cursor) VALUES (?, ?) ON CONFLICT (database_id) DO NOTHING",
    postgres: "INSERT INTO follower (database_id, cursor) VALUES ($1, $2) ON CONFLICT (database_id) DO NOTHING",
};
// Only from where it was: of two processes on one database, one goes on.
const MOVE: Sql = Sql {
    sqlite: "UPDATE follower SET cursor = ? WHERE database_id = ? AND cursor = ?",
    postgres: "UPDATE follower SET cursor = $1 WHERE database_id = $2 AND cursor = $3",
};

// The first one that waits was listed first.
const WITHDRAWN: Sql = Sql {
    sqlite: "SELECT listed_from FROM delivery \
             WHERE database_id = ? AND event IS NOT NULL AND listed_from IS NOT NULL ORDER BY sequence LIMIT 1",
    postgres: "SELECT listed_from FROM delivery \
               WHERE database_id = $1 AND event IS NOT NULL AND listed_from IS NOT NULL ORDER BY sequence LIMIT 1",
};
const WITHDRAW: Sql = Sql {
    sqlite: "DELETE FROM delivery WHERE database_id = ? AND event IS NOT NULL AND listed_from IS NOT NULL",
    postgres: "DELETE FROM delivery WHERE database_id = $1 AND event IS NOT NULL AND listed_from IS NOT NULL",
};
const SET_BACK: Sql = Sql {
    sqlite: "UPDATE follower SET cursor = ? WHERE database_id = ?",
    postgres: "UPDATE follower SET cursor = $1 WHERE database_id = $2",
};

/// What a follower is to be told, and up to where that is.
pub(crate) struct Told {
    /// Where its changes were listed from; none where it begins.
    pub(crate) from: Option<String>,
    /// Up to where they were.
    pub(crate) cursor: String,
    /// The ids of the events, and the events.
    pub(crate) events: Vec<(String, Vec<u8>)>,
    /// What its owner must see to.
    pub(crate) letter: Option<DeadLetter>,
}

impl ExchangeStore {
    /// Up to where a follower was told; none before it began.
    pub(crate) async fn followed(&self, database: &str) -> Result<Option<String>, Error> {
        let rows = self.0.read(&FOLLOWED, vec![database.to_owned().into()]).await?;
        Ok(rows.first().map(|row| field(row, 0)).transpose()?)
    }

    /// Whether so many events wait for a database already.
    pub(crate) async fn heaped(&self, database: &str, most: u16) -> Result<bool, Error> {
        let values = vec![database.to_owned().into(), i64::from(most).into()];
        let rows = self.0.read(&HEAPED, values).await?;
        let waiting: i64 = field(rows.first().ok_or(store::Error::NoRow)?, 0)?;
        Ok(waiting >= i64::from(most))
    }

    /// Puts events into a follower's list and moves its cursor past their changes, in one transaction; gives how many
    /// letters are new. Nothing, when another process has moved it.
    pub(crate) async fn follow(&self, database: &str, told: Told) -> Result<Option<u64>, Error> {
        let database = database.to_owned();
        self.0
            .write("tell follower", move |tx| {
                Box::pin(async move {
                    tx.execute(&BEGIN, vec![database.clone().into()]).await?;
                    let id = database.clone().into();
                    let moved = match told.from.clone() {
                        None => tx.execute(&FOLLOW, vec![id, told.cursor.into()]).await?,
                        Some(from) => {
                            tx.execute(&MOVE, vec![told.cursor.into(), id, from.into()]).await?
                        }
                    };
                    if moved == 0 {
                        return Ok(None);
                    }
                    let from = told.from.unwrap_or_default();
                    tell(tx, &database, told.events, Some(&from)).await?;
                    note(tx, told.letter).await.map(Some)
                })
            })
            .await
    }

    /// Takes away what a follower has not yet been told of the register, because it may not be told now; it goes on from
    /// there when it may again. Says whether there was something.
    pub(crate) async fn withdraw(&self, database: &str) -> Result<bool, Error> {
        let database = database.to_owned();
        self.0
            .write("withdraw from follower", move |tx| {
                Box::pin(async move {
                    let first = tx.query(&WITHDRAWN, vec![database.clone().into()]).await?;
                    let Some(first) = first.first() else { return Ok(false) };
                    let from: String = field(first, 0)?;
                    tx.execute(&WITHDRAW, vec![database.clone().into()]).await?;
                    tx.execute(&SET_BACK, vec![from.into(), database.into()]).await?;
                    Ok(true)
                })
            })
            .await
    }
}
