//! The WAL of SQLite written back into the database beside its writers. SQLite has every commit that finds 1,000 pages do it, which
//! then takes as long as several: for whoever promises how long a commit takes, another connection does it instead.

use std::{sync::PoisonError, time::Duration};

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, Statement};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{Engine, Error, Store, engine};

/// Between two times, so that there is little to do at each.
const EVERY: Duration = Duration::from_millis(250);
/// As far as is possible without keeping writers or readers waiting.
const WRITE_BACK: &str = "PRAGMA wal_checkpoint(PASSIVE)";
/// What is written while it is being written back stays in the WAL, so under unbroken load it is never empty and grows. At 256 MiB what
/// is left is written back while writers wait, which is little when most of it just has been; and the WAL begins anew.
const LONG: i64 = 65_536;
const BEGIN_ANEW: &str = "PRAGMA wal_checkpoint(RESTART)";
/// At 1 GiB a commit does it after all. A connection that takes the writer's place after a failure is as SQLite has it.
const LIMIT: &str = "PRAGMA wal_autocheckpoint = 262144";

/// For the same promise: what a statement may have to undo is kept in memory, not in a temporary file. Set once the schema stands, for
/// indexes of large tables would be sorted there, too.
const IN_MEMORY: &str = "PRAGMA temp_store = MEMORY";

/// The task that does it, until it is told to stop.
pub(crate) struct WriteBack {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl WriteBack {
    /// Ends it, with its connection.
    pub(crate) async fn stop(self) {
        // Where it has ended already, nobody hears it.
        let _unheard = self.stop.send(());
        drop(self.task.await);
    }
}

impl Store {
    /// Has the WAL of SQLite written back beside its writers from now on, until the store is closed. PostgreSQL does that by itself.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn write_back_beside(&self, url: &str) -> Result<(), Error> {
        if self.engine == Engine::Postgres {
            return Ok(());
        }
        self.writer.execute_unprepared(LIMIT).await?;
        self.writer.execute_unprepared(IN_MEMORY).await?;
        let connection = engine::beside(url).await?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(keep(connection, stopped));
        let begun = WriteBack { stop, task };
        let before = self.write_back.lock().unwrap_or_else(PoisonError::into_inner).replace(begun);
        if let Some(before) = before {
            before.stop().await;
        }
        Ok(())
    }
}

async fn keep(connection: DatabaseConnection, mut stopped: oneshot::Receiver<()>) {
    // Also when the store goes away without having been closed.
    while tokio::time::timeout(EVERY, &mut stopped).await.is_err() {
        // A disk that is full, or a checkpoint of somebody else: there is a next time.
        if write_back(&connection).await.is_err() {
            tracing::debug!("the WAL was not written back");
        }
    }
    drop(connection.close().await);
}

async fn write_back(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let sqlite = DbBackend::Sqlite;
    let row = connection.query_one_raw(Statement::from_string(sqlite, WRITE_BACK)).await?;
    // Whether it was in the way of something, the pages of the WAL, and how many of them are written back.
    let pages: i64 = row.map_or(Ok(0), |row| row.try_get_by(1))?;
    if pages >= LONG {
        connection.execute_unprepared(WRITE_BACK).await?;
        connection.query_one_raw(Statement::from_string(sqlite, BEGIN_ANEW)).await?;
    }
    Ok(())
}
