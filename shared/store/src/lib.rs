//! Opening a service's database, bringing its schema up to date, and writing to it.
//!
//! Three rules hold for every service, and only here:
//! - A write runs in a task of its own, so a caller who goes away never cancels it half-way and no
//!   connection returns to a pool inside a transaction (I13; the driver loses acknowledged writes
//!   otherwise).
//! - SQLite has one writer connection, BEGIN IMMEDIATE, WAL and `synchronous=FULL`, read back at start.
//! - A database is opened by one process at a time (lock file), and never with a schema newer than the
//!   program knows.
//!
//! Only SQLite is open for use so far; the PostgreSQL side of each migration lies beside it.

mod migrate;
#[cfg(test)]
mod tests;

use std::{fs::File, path::Path, sync::Arc, time::Duration};

use futures::future::BoxFuture;
pub use migrate::Migration;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

const READERS_MAX: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// What can go wrong with a store, whatever is in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or could not be reached. The driver's words may quote data, so they are
    /// kept out of this message and reach the log through `source` only.
    #[error("the database refused or is away")]
    Database(#[from] DbErr),
    /// The URL names an engine this build does not open.
    #[error("database URL must start with `sqlite://`")]
    UnsupportedEngine,
    /// Another process holds the database.
    #[error("another process has this database open")]
    Locked,
    /// The lock file or the folder cannot be made.
    #[error("cannot make the database's folder or lock file")]
    File(#[source] std::io::Error),
    /// The schema is newer than this program.
    #[error("the schema has version {found}; this program knows {known}")]
    SchemaTooNew {
        /// Version found in the database.
        found: u32,
        /// Newest version this program knows.
        known: u32,
    },
    /// SQLite did not take a setting that durability rests on.
    #[error("SQLite did not accept {0}")]
    NotDurable(&'static str),
    /// The task that wrote ended without an answer; whether it committed is unknown.
    #[error("the write ended without an answer")]
    Aborted,
}

/// One service's database.
#[derive(Clone)]
pub struct Store {
    readers: DatabaseConnection,
    writer: DatabaseConnection,
    _lock: Arc<File>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens `sqlite:///path/file.db`, making it when it is not there, and applies the migrations it
    /// does not have yet.
    pub async fn open(url: &str, migrations: &'static [Migration]) -> Result<Self, Error> {
        let path = url.strip_prefix("sqlite://").ok_or(Error::UnsupportedEngine)?;
        let path = Path::new(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::File)?;
        }
        let lock = lock(path)?;
        let writer = Database::connect(sqlite(url, 1)).await?;
        check_durable(&writer).await?;
        migrate::run(&writer, migrations).await?;
        let readers = Database::connect(sqlite(url, READERS_MAX)).await?;
        Ok(Self { readers, writer, _lock: Arc::new(lock) })
    }

    /// Connections for reading.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.readers
    }

    /// Runs `work` in one transaction and commits it, in a task of its own: when the caller stops
    /// waiting, the write still ends whole or not at all. `name` says in the log which write failed.
    ///
    /// When the commit itself fails it is unknown whether it took place; `work` must therefore be
    /// idempotent by a key of its own.
    pub async fn write<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a DatabaseTransaction) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let writer = self.writer.clone();
        let task = tokio::spawn(async move {
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..Default::default()
            };
            let tx = writer.begin_with_options(options).await.map_err(Error::from)?;
            match work(&tx).await {
                Ok(value) => {
                    tx.commit().await.map_err(Error::from)?;
                    Ok(value)
                }
                Err(error) => {
                    if tx.rollback().await.is_err() {
                        tracing::warn!(write = name, "rollback failed");
                    }
                    Err(error)
                }
            }
        });
        task.await.unwrap_or_else(|_| {
            tracing::error!(write = name, "write task ended without an answer");
            Err(E::from(Error::Aborted))
        })
    }
}

fn sqlite(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A local file needs no ping before each use.
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(BUSY_TIMEOUT)
        });
    options
}

/// Reads back what SQLite made of the settings that an acknowledged write rests on.
async fn check_durable(writer: &DatabaseConnection) -> Result<(), Error> {
    let ask = |sql: &str| Statement::from_string(DbBackend::Sqlite, sql);
    let synchronous = writer.query_one_raw(ask("PRAGMA synchronous")).await?;
    let synchronous: i32 = synchronous.ok_or(Error::NotDurable("synchronous"))?.try_get_by(0)?;
    let journal = writer.query_one_raw(ask("PRAGMA journal_mode")).await?;
    let journal: String = journal.ok_or(Error::NotDurable("journal_mode"))?.try_get_by(0)?;
    // 2 is FULL: the WAL is flushed on every commit.
    if synchronous < 2 {
        return Err(Error::NotDurable("synchronous=FULL"));
    }
    if !journal.eq_ignore_ascii_case("wal") {
        return Err(Error::NotDurable("journal_mode=WAL"));
    }
    Ok(())
}

fn lock(database: &Path) -> Result<File, Error> {
    let path = database.with_extension("lock");
    let file = File::options().create(true).append(true).open(path).map_err(Error::File)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked),
        Err(std::fs::TryLockError::Error(error)) => Err(Error::File(error)),
    }
}
