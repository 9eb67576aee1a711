//! Throw-away databases for tests: a SQLite file in a temporary folder, or a database of its own on the
//! PostgreSQL cluster that `tests/run` started.

use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait, Database};

use crate::Engine;

/// Where the cluster of this test run is: `postgres://user@host:port`, set by `tests/run`.
const CLUSTER: &str = "LIENTHONG_TEST_POSTGRES";
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Both engines, for tests that run on each.
pub const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// A database that is gone when this is dropped (SQLite) or when the cluster is (PostgreSQL).
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    _folder: Option<tempfile::TempDir>,
}

impl TestDatabase {
    /// A new, empty database.
    ///
    /// # Panics
    /// When there is no cluster to make it on: a test is never skipped in silence.
    #[expect(clippy::panic, clippy::expect_used, reason = "a test must not go on without it")]
    pub async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let url = format!("sqlite://{}/test.db", folder.path().display());
                Self { url, _folder: Some(folder) }
            }
            Engine::Postgres => {
                let cluster = std::env::var(CLUSTER).unwrap_or_else(|_| {
                    panic!("{CLUSTER} is not set: run ./tests/run, which starts PostgreSQL")
                });
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let name = format!("test_{}_{number}", std::process::id());
                let admin = Database::connect(format!("{cluster}/postgres")).await;
                let admin = admin.expect("the test cluster answers");
                let made = admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await;
                made.expect("a database can be made");
                admin.close().await.expect("the connection closes");
                Self { url: format!("{cluster}/{name}"), _folder: None }
            }
        }
    }

    /// The URL to open it by.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
