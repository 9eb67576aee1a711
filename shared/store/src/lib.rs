//! Opening a service's database, bringing its schema up to date, reading from it and writing to it, on
//! SQLite and on PostgreSQL.
//!
//! Four rules hold for every service, and only here:
//! - A write runs in a task of its own, so a caller who goes away never cancels it half-way and no
//!   connection returns to a pool inside a transaction (I13; the driver loses acknowledged writes
//!   otherwise).
//! - What is acknowledged is on stable storage: SQLite has one writer connection, BEGIN IMMEDIATE, WAL
//!   and `synchronous=FULL`, PostgreSQL `synchronous_commit` and `fsync`; all read back at start.
//! - What is deleted from SQLite is overwritten; what PostgreSQL does with it is the operator's to know.
//! - A SQLite database is opened by one process at a time (lock file), and no database with a schema newer
//!   than the program knows, or of another service. Its files are readable by their owner alone.
//!
//! | module | job |
//! |---|---|
//! | `copy` | rows as PostgreSQL's COPY reads them |
//! | `engine` | how each engine is opened, and a statement in the words of both |
//! | `migrate` | schema versions |
//! | `postgres` | a connection to PostgreSQL, and what becomes of it when nobody waits, or nobody answers |
//! | `sqlite` | a transaction of SQLite, and what becomes of its connection |
//! | `steer` | a store whose steps a test decides about, one by one (feature `testing`) |
//! | `testing` | throw-away databases (feature `testing`) |
//! | `transaction` | what a write can do |
//! | `write_back` | SQLite's WAL, written back beside its writers |

mod copy;
mod engine;
mod migrate;
mod postgres;
mod sqlite;
#[cfg(any(test, feature = "testing"))]
pub mod steer;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod transaction;
mod write_back;

use std::{
    fs::File,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub use copy::Rows;
pub use engine::{Engine, Sql};
use futures::future::BoxFuture;
pub use migrate::Migration;
use postgres::Bounds;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
pub use sea_orm::{QueryResult, TryGetable, Value};
use tokio::time::Instant;
pub use transaction::Transaction;

/// What can go wrong with a store, whatever is in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or could not be reached. The driver's words may quote data, so they are
    /// kept out of this message; [`Error::driver_kind`] says what may be logged.
    #[error("the database refused or is away")]
    Database(#[from] DbErr),
    /// The URL names an engine this build does not open.
    #[error("database URL must start with `sqlite://` or `postgres://`")]
    UnsupportedEngine,
    /// The engine has no COPY.
    #[error("this engine has no COPY; PostgreSQL has")]
    NoCopy,
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
    /// The schema is older than this program, and was to be left as it is.
    #[error("the schema has version {found}, this program needs {known}: migrate it first")]
    SchemaTooOld {
        /// Version found in the database.
        found: u32,
        /// Newest version this program knows.
        known: u32,
    },
    /// A step of the schema is of another name than here: it is another service's database.
    #[error(
        "step {version} of the schema is `{found}`, here it is `{known}`: the database is another service's"
    )]
    OtherSchema {
        /// The version that the step led to.
        version: u32,
        /// Its name in the database.
        found: String,
        /// Its name in this program.
        known: &'static str,
    },
    /// There is no such database file.
    #[error("there is no database at this place")]
    NoDatabase,
    /// The engine did not take a setting that durability, or erasure, rests on.
    #[error("the database did not accept {0}")]
    NotDurable(&'static str),
    /// A row that must be there is not.
    #[error("a row that must be there is not")]
    NoRow,
    /// The task that wrote ended without an answer; whether it committed is unknown.
    #[error("the write ended without an answer")]
    Aborted,
    /// The time that was given for it had passed. A write has left nothing behind.
    #[error("the time for it had passed")]
    Late,
    /// The commit was not acknowledged; whether it took place is unknown.
    #[error("the commit was not acknowledged")]
    CommitUnknown(#[source] DbErr),
}

impl Error {
    /// What kind of failure it was, in words that never hold data: fit for a log line.
    #[must_use]
    pub fn driver_kind(&self) -> &'static str {
        if matches!(self, Self::Late) {
            return "late";
        }
        let (Self::Database(error) | Self::CommitUnknown(error)) = self else { return "store" };
        // The kinds that an operator acts on; of the rest it is enough to know that the engine refused.
        if matches!(error, DbErr::ConnectionAcquire(_)) {
            "no connection"
        } else if matches!(error, DbErr::Conn(_)) {
            "connection lost"
        } else {
            "refused"
        }
    }
}

/// One service's database.
#[derive(Clone)]
pub struct Store {
    engine: Engine,
    readers: DatabaseConnection,
    writer: DatabaseConnection,
    lock: Option<Arc<File>>,
    statements: Statements,
    bounds: Bounds,
    until: Option<Instant>,
    write_back: Arc<Mutex<Option<write_back::WriteBack>>>,
    #[cfg(any(test, feature = "testing"))]
    steering: Option<steer::Steering>,
}

/// How many statements were sent; a figure for operators, and what a test of invariant I7 compares.
#[derive(Clone, Default)]
pub(crate) struct Statements(Arc<AtomicU64>);

impl Statements {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens `sqlite:///path/file.db`, made when it is not there, or `postgres://user@host/database`,
    /// and applies the migrations it does not have yet.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open(url: &str, migrations: &'static [Migration]) -> Result<Self, Error> {
        let store = engine::open(url).await?;
        migrate::run(store.engine, &store.writer, migrations).await?;
        Ok(store)
    }

    /// Opens a database of exactly this schema to read from it; whatever is written to it fails. Another
    /// process may have it open at the same time.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open_read_only(
        url: &str,
        migrations: &'static [Migration],
    ) -> Result<Self, Error> {
        let store = engine::open_read_only(url).await?;
        match migrate::current(store.engine, &store.readers, migrations).await {
            Ok(()) => Ok(store),
            Err(refused) => {
                store.close().await;
                Err(refused)
            }
        }
    }

    /// The schema version of a database: 0 when there is none, or no migration was ever applied. Changes
    /// nothing.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn schema_version(url: &str) -> Result<u32, Error> {
        let store = match engine::open_read_only(url).await {
            Ok(store) => store,
            Err(Error::NoDatabase) => return Ok(0),
            Err(error) => return Err(error),
        };
        let found = migrate::found(store.engine, &store.readers).await;
        store.close().await;
        found
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The same database, for work that is worth nothing after a moment, because whoever asked waits no longer:
    /// PostgreSQL ends a statement then, and what it wrote is rolled back. SQLite, which is here in the process,
    /// lets one that has begun go on to its end, and begins no other.
    #[must_use]
    pub fn until(&self, at: Instant) -> Self {
        Self { until: Some(at), ..self.clone() }
    }

    /// Reads rows, outside any transaction. When the caller stops waiting, PostgreSQL ends the statement.
    ///
    /// # Errors
    /// [`Error::Database`]; [`Error::Late`].
    pub async fn read(&self, sql: &Sql, values: Vec<Value>) -> Result<Vec<QueryResult>, Error> {
        self.statements.count();
        #[cfg(any(test, feature = "testing"))]
        if let Some(steering) = &self.steering {
            return steering.read(self, sql, values).await;
        }
        let statement = sql.statement(self.engine, values);
        let rows = async {
            match self.engine {
                Engine::Sqlite => self.readers.query_all_raw(statement).await,
                Engine::Postgres => {
                    let pool = self.readers.get_postgres_connection_pool();
                    postgres::rows(pool, self.bounds, self.bounds.statement, &statement).await
                }
            }
        };
        match self.until {
            None => Ok(rows.await?),
            Some(until) => match tokio::time::timeout_at(until, rows).await {
                Ok(rows) => Ok(rows?),
                Err(_) => Err(Error::Late),
            },
        }
    }

    /// Whether the database answers. It is asked for nothing, and not counted among the statements.
    pub async fn answers(&self) -> bool {
        let nothing = Sql::same("SELECT 1").statement(self.engine, Vec::new());
        match self.engine {
            Engine::Sqlite => self.readers.query_one_raw(nothing).await.is_ok(),
            // Whoever asks may stop waiting: the connection must not go back with the answer still to come.
            Engine::Postgres => {
                let pool = self.readers.get_postgres_connection_pool();
                postgres::rows(pool, self.bounds, Duration::ZERO, &nothing).await.is_ok()
            }
        }
    }

    /// How many statements were sent since it was opened.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.0.load(Ordering::Relaxed)
    }

    /// Runs `work` in one transaction and commits it, in a task of its own: when the caller stops
    /// waiting, the write still ends whole or not at all. `name` says in the log which write failed.
    ///
    /// When the commit itself fails it is unknown whether it took place; `work` must therefore be
    /// idempotent by a key of its own.
    ///
    /// # Errors
    /// Whatever `work` returns, after a rollback; [`Error::Late`]; [`Error::CommitUnknown`]; [`Error::Aborted`].
    pub async fn write<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a Transaction) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let store = self.clone();
        let task = tokio::spawn(async move {
            let mut tx = store.begin().await?;
            match work(&tx).await.and_then(|value| Ok((value, tx.may_commit()?))) {
                Ok((value, ())) => {
                    tx.commit().await.map_err(Error::CommitUnknown)?;
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

    async fn begin(&self) -> Result<Transaction, Error> {
        let (statements, bounds) = (self.statements.clone(), self.bounds);
        let begin = Transaction::begin(self.engine, &self.writer, statements, bounds, self.until);
        #[cfg(any(test, feature = "testing"))]
        if let Some(steering) = &self.steering {
            let steered = steering.write().await?;
            return Ok(begin.await?.steered(steered));
        }
        begin.await
    }

    /// Closes all connections, also of clones, and lets another process open the database. Writes under
    /// way end first, if they do so soon: one that waits for a database that has vanished would keep the process.
    pub async fn close(self) {
        let write_back = self.write_back.lock().unwrap_or_else(PoisonError::into_inner).take();
        let written_back = async {
            if let Some(write_back) = write_back {
                write_back.stop().await;
            }
        };
        let closing =
            async { futures::join!(self.writer.close(), self.readers.close(), written_back) };
        let Ok((writer, readers, ())) = tokio::time::timeout(self.bounds.close, closing).await
        else {
            tracing::warn!("the database is left without its writes and reads having ended");
            return;
        };
        // A clone somewhere may keep the file open for longer than the connections.
        let unlocked = self.lock.as_deref().map_or(Ok(()), File::unlock);
        if writer.is_err() || readers.is_err() || unlocked.is_err() {
            tracing::warn!("closing the database failed");
        }
    }
}
