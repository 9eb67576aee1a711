//! Throw-away databases for tests: a SQLite file in a temporary folder, or a database of its own on the
//! PostgreSQL cluster that `tests/run` started. What many tests begin with is made once in a process, and copied.

use std::{
    collections::BTreeMap,
    os::unix::fs::OpenOptionsExt as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use sea_orm::{ConnectionTrait, Database};
use tokio::sync::OnceCell;

use crate::{Engine, Migration, Store};

/// Where the cluster of this test run is: `postgres://user@host:port`, set by `tests/run`.
const CLUSTER: &str = "LIENTHONG_TEST_POSTGRES";
static NEXT: AtomicU32 = AtomicU32::new(0);
/// Databases of the cluster whose tests have ended: whoever makes another takes them away.
static GONE: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// What databases begin with, by engine and name.
static ORIGINALS: Mutex<BTreeMap<String, Arc<OnceCell<Original>>>> = Mutex::new(BTreeMap::new());

/// What a database can be a copy of.
#[derive(Debug)]
enum Original {
    /// A whole file.
    Sqlite(Vec<u8>),
    /// A database that nobody is connected to.
    Postgres(TestDatabase),
}

/// Both engines, for tests that run on each.
pub const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// A database that is gone when this is dropped (SQLite), or when another one is made after that (PostgreSQL).
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    folder: Option<tempfile::TempDir>,
}

impl TestDatabase {
    /// A new, empty database.
    ///
    /// # Panics
    /// When there is no cluster to make it on: a test is never skipped in silence.
    pub async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::in_a_folder(None),
            Engine::Postgres => Self::on_the_cluster("template1").await,
        }
    }

    /// A new database with the schema that these steps lead to.
    ///
    /// # Panics
    /// When it cannot be made, or a step fails.
    #[expect(clippy::expect_used, reason = "a test must not go on without it")]
    pub async fn migrated(engine: Engine, service: &str, migrations: &'static [Migration]) -> Self {
        let migrate = async |url: String| {
            Store::open(&url, migrations).await.expect("it migrates").close().await;
        };
        Self::copy_of(engine, &format!("{service} as migrated"), migrate).await
    }

    /// A copy of what `fill` leaves in an empty database, which it must have closed. It is filled once in a process for
    /// each engine and name, so whatever is filled under a name must be the same each time.
    ///
    /// # Panics
    /// When it cannot be made, or filled.
    #[expect(clippy::expect_used, reason = "a test must not go on without it")]
    pub async fn copy_of(engine: Engine, name: &str, fill: impl AsyncFnOnce(String)) -> Self {
        let original = {
            let mut originals = ORIGINALS.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(originals.entry(format!("{engine:?}: {name}")).or_default())
        };
        let filled = async || {
            let database = Self::new(engine).await;
            fill(database.url.clone()).await;
            match engine {
                Engine::Sqlite => {
                    // Whoever closed it may have left a part of it in its WAL.
                    let last = Database::connect(&database.url).await.expect("it opens");
                    let whole = last.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await;
                    whole.expect("it is one file");
                    last.close().await.expect("it closes");
                    Original::Sqlite(std::fs::read(database.path()).expect("a database file"))
                }
                Engine::Postgres => Original::Postgres(database),
            }
        };
        match original.get_or_init(filled).await {
            Original::Sqlite(file) => Self::in_a_folder(Some(file)),
            Original::Postgres(database) => Self::on_the_cluster(database.name()).await,
        }
    }

    #[expect(clippy::expect_used, reason = "a test must not go on without it")]
    fn in_a_folder(file: Option<&[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}/test.db", folder.path().display());
        let made = Self { url, folder: Some(folder) };
        if let Some(file) = file {
            let mut options = std::fs::File::options();
            let mut copy = options
                .create_new(true)
                .write(true)
                .mode(crate::engine::OWNERS_FILE)
                .open(made.path())
                .expect("a database file");
            std::io::Write::write_all(&mut copy, file).expect("the file is written");
        }
        made
    }

    #[expect(clippy::panic, clippy::expect_used, reason = "a test must not go on without it")]
    async fn on_the_cluster(original: &str) -> Self {
        let cluster = std::env::var(CLUSTER).unwrap_or_else(|_| {
            panic!("{CLUSTER} is not set: run ./tests/run, which starts PostgreSQL")
        });
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let admin = Database::connect(format!("{cluster}/postgres")).await;
        let admin = admin.expect("the test cluster answers");
        let gone = std::mem::take(&mut *GONE.lock().unwrap_or_else(PoisonError::into_inner));
        for name in gone {
            // Whoever is still connected belongs to a test that has ended.
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            admin.execute_unprepared(&drop).await.expect("a database can be dropped");
        }
        let made = format!("CREATE DATABASE {name} TEMPLATE {original}");
        admin.execute_unprepared(&made).await.expect("a database can be made");
        admin.close().await.expect("the connection closes");
        Self { url: format!("{cluster}/{name}"), folder: None }
    }

    /// The URL to open it by.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    fn path(&self) -> &str {
        self.url.strip_prefix("sqlite://").unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if self.folder.is_none() {
            let mut gone = GONE.lock().unwrap_or_else(PoisonError::into_inner);
            gone.push(self.name().to_owned());
        }
    }
}
