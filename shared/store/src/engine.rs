//! How each engine is opened, and what must be true of it before anything is written.

use std::{
    fs::{DirBuilder, File},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend,
    SqliteTransactionMode, Statement, TransactionOptions, Value,
};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

use crate::{Error, Statements, Store, postgres::Bounds};

/// SQLite readers beside the one writer.
const SQLITE_READERS: u32 = 4;
/// What we make, its owner alone may read: the data are personal.
const OWNERS_FOLDER: u32 = 0o700;
pub(crate) const OWNERS_FILE: u32 = 0o600;
/// PostgreSQL connections of each of the two pools.
const POSTGRES_CONNECTIONS: u32 = 8;
/// PostgreSQL ends a statement that takes longer.
pub(crate) const STATEMENT_MAX: Duration = Duration::from_secs(30);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that was idle this long is tried before it is used again.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(30);

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The embedded default.
    Sqlite,
    /// The engine to grow on.
    Postgres,
}

impl Engine {
    pub(crate) fn backend(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
            Self::Postgres => DbBackend::Postgres,
        }
    }

    pub(crate) fn transaction_options(self) -> TransactionOptions {
        TransactionOptions {
            // A transaction that begins as a reader and then writes can be refused half-way.
            sqlite_transaction_mode: (self == Self::Sqlite)
                .then_some(SqliteTransactionMode::Immediate),
            ..Default::default()
        }
    }
}

/// One statement in the words of each engine, side by side: `?` in SQLite, `$1` in PostgreSQL. The values
/// are the same and in the same order.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// For SQLite.
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

impl Sql {
    /// A statement that both engines read alike.
    #[must_use]
    pub const fn same(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }

    /// The words of an engine.
    #[must_use]
    pub const fn text(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }

    pub(crate) fn statement(&self, engine: Engine, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(engine.backend(), self.text(engine), values)
    }
}

pub(crate) async fn open(url: &str) -> Result<Store, Error> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        open_sqlite(url, Path::new(path)).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        open_postgres(url).await
    } else {
        Err(Error::UnsupportedEngine)
    }
}

/// Opens what is there, to read only. SQLite takes no lock: readers of other processes do no harm.
pub(crate) async fn open_read_only(url: &str) -> Result<Store, Error> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).min_connections(1).acquire_timeout(ACQUIRE_TIMEOUT);
    options.sqlx_logging(false);
    let engine = if let Some(path) = url.strip_prefix("sqlite://") {
        if !Path::new(path).exists() {
            return Err(Error::NoDatabase);
        }
        // Not opened as read-only by the file: whoever closes last tidies up after the WAL.
        options.map_sqlx_sqlite_opts(|sqlite| {
            let reader = sqlite.create_if_missing(false).busy_timeout(BUSY_TIMEOUT);
            reader.pragma("query_only", "ON")
        });
        Engine::Sqlite
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        options.map_sqlx_postgres_opts(|postgres| {
            postgres.options([("default_transaction_read_only", "on")])
        });
        Engine::Postgres
    } else {
        return Err(Error::UnsupportedEngine);
    };
    let reader = Database::connect(options).await?;
    Ok(store(engine, reader.clone(), reader, None))
}

/// A store over connections that are open.
pub(crate) fn store(
    engine: Engine,
    writer: DatabaseConnection,
    readers: DatabaseConnection,
    lock: Option<Arc<File>>,
) -> Store {
    Store {
        engine,
        readers,
        writer,
        lock,
        statements: Statements::default(),
        bounds: Bounds::DEFAULT,
        until: None,
        write_back: Arc::default(),
        #[cfg(any(test, feature = "testing"))]
        steering: None,
    }
}

async fn open_sqlite(url: &str, path: &Path) -> Result<Store, Error> {
    if let Some(folder) = path.parent() {
        let made = DirBuilder::new().recursive(true).mode(OWNERS_FOLDER).create(folder);
        made.map_err(Error::File)?;
    }
    let lock = lock(path)?;
    // Before SQLite makes it, which leaves the mode to the umask; its WAL takes the mode of this file.
    made(path)?;
    let writer = Database::connect(sqlite(url, 1)).await?;
    let synchronous: i64 = ask(&writer, DbBackend::Sqlite, "PRAGMA synchronous").await?;
    let journal: String = ask(&writer, DbBackend::Sqlite, "PRAGMA journal_mode").await?;
    // 2 is FULL: the WAL is flushed on every commit.
    if synchronous < 2 {
        return Err(Error::NotDurable("synchronous=FULL"));
    }
    if !journal.eq_ignore_ascii_case("wal") {
        return Err(Error::NotDurable("journal_mode=WAL"));
    }
    if ask::<i64>(&writer, DbBackend::Sqlite, "PRAGMA secure_delete").await? != 1 {
        return Err(Error::NotDurable("secure_delete=ON"));
    }
    let readers = Database::connect(sqlite(url, SQLITE_READERS)).await?;
    Ok(store(Engine::Sqlite, writer, readers, Some(Arc::new(lock))))
}

/// One more connection to a database of SQLite that is open.
pub(crate) async fn beside(url: &str) -> Result<DatabaseConnection, Error> {
    Ok(Database::connect(sqlite(url, 1)).await?)
}

fn sqlite(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A local file needs no ping before each use, and no connection to it grows old.
        .test_before_acquire(false)
        .max_lifetime(None)
        .idle_timeout(None)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                // What is deleted is overwritten: an erased key must not be found in a free page.
                .pragma("secure_delete", "ON")
                .busy_timeout(BUSY_TIMEOUT)
        });
    options
}

async fn open_postgres(url: &str) -> Result<Store, Error> {
    let writer = Database::connect(postgres(url)).await?;
    let on = |value: String| value != "off" && value != "local";
    let commit = ask(&writer, DbBackend::Postgres, "SHOW synchronous_commit").await?;
    if !on(commit) {
        return Err(Error::NotDurable("synchronous_commit"));
    }
    if !on(ask(&writer, DbBackend::Postgres, "SHOW fsync").await?) {
        return Err(Error::NotDurable("fsync"));
    }
    let readers = Database::connect(postgres(url)).await?;
    Ok(store(Engine::Postgres, writer, readers, None))
}

fn postgres(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(POSTGRES_CONNECTIONS)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .test_before_acquire_if_idle_for(TEST_AFTER_IDLE)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|postgres| {
            // The second belt to writes in tasks of their own: a session left inside a transaction
            // is ended by the server, and its locks with it.
            postgres.options([
                ("idle_in_transaction_session_timeout", "10s"),
                ("lock_timeout", "5s"),
                ("statement_timeout", &format!("{}s", STATEMENT_MAX.as_secs())),
                // A statement whose connection was given up is ended, not left to run.
                ("client_connection_check_interval", "100ms"),
                // They read few rows of tables in many parts: to compile one takes a second, and to carry it out a millisecond.
                ("jit", "off"),
            ])
        });
    options
}

async fn ask<T: sea_orm::TryGetable>(
    connection: &DatabaseConnection,
    backend: DbBackend,
    sql: &'static str,
) -> Result<T, Error> {
    let row = connection.query_one_raw(Statement::from_string(backend, sql)).await?;
    Ok(row.ok_or(Error::NotDurable(sql))?.try_get_by(0)?)
}

/// A file that is left as it is when it is there.
fn made(path: &Path) -> Result<File, Error> {
    let mut options = File::options();
    options.create(true).append(true).mode(OWNERS_FILE).open(path).map_err(Error::File)
}

fn lock(database: &Path) -> Result<File, Error> {
    let path = database.with_extension("lock");
    let file = made(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked),
        Err(std::fs::TryLockError::Error(error)) => Err(Error::File(error)),
    }
}
