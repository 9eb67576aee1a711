//! A store keeps what it acknowledged and refuses what it does not know, on both engines.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod cancel;
mod copy;
mod late;
mod vanish;
mod write_back;

use super::*;
use crate::testing::{ENGINES, TestDatabase};

const INSERT: Sql = Sql {
    sqlite: "INSERT INTO note (id, text) VALUES (?, 'x')",
    postgres: "INSERT INTO note (id, text) VALUES ($1, 'x')",
};
static FIRST: &[Migration] = &[Migration {
    version: 1,
    name: "notes",
    sqlite: "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
    postgres: "CREATE TABLE note (id BIGINT PRIMARY KEY, text TEXT NOT NULL)",
}];
static SECOND: &[Migration] = &[
    FIRST[0],
    Migration {
        version: 2,
        name: "marks",
        sqlite: "ALTER TABLE note ADD COLUMN mark TEXT",
        postgres: "ALTER TABLE note ADD COLUMN mark TEXT",
    },
];

async fn add(store: &Store, id: i64) -> Result<(), Error> {
    store
        .write("add", move |tx| {
            Box::pin(async move {
                tx.execute(&INSERT, vec![id.into()]).await?;
                tokio::task::yield_now().await;
                Ok(())
            })
        })
        .await
}

async fn count(store: &Store) -> i64 {
    let rows = store.read(&Sql::same("SELECT COUNT(*) FROM note"), Vec::new()).await.unwrap();
    rows[0].try_get_by(0).unwrap()
}

#[tokio::test]
async fn a_second_process_is_refused_on_sqlite() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let first = Store::open(database.url(), FIRST).await.unwrap();
    assert!(matches!(Store::open(database.url(), FIRST).await, Err(Error::Locked)));
    // Once it is closed the next one gets it, also while a clone is somewhere still.
    let _clone = first.clone();
    first.close().await;
    Store::open(database.url(), FIRST).await.unwrap().close().await;
}

#[tokio::test]
async fn what_is_made_for_sqlite_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("data");
    let url = format!("sqlite://{}/test.db", folder.display());
    let store = Store::open(&url, FIRST).await.unwrap();
    add(&store, 1).await.unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in ["test.db", "test.db-wal", "test.db-shm", "test.lock"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_database_of_another_service_is_refused_and_left_as_it_is() {
    static OTHER: &[Migration] = &[Migration { name: "others", ..FIRST[0] }, SECOND[1]];
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        Store::open(database.url(), FIRST).await.unwrap().close().await;
        for refused in [
            Store::open(database.url(), OTHER).await,
            Store::open_read_only(database.url(), OTHER).await,
        ] {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, Error::OtherSchema { version: 1, .. }), "{engine:?}");
            assert!(refused.to_string().contains("`notes`"), "{refused}");
        }
        assert_eq!(Store::schema_version(database.url()).await.unwrap(), 1, "{engine:?}");
        Store::open(database.url(), SECOND).await.unwrap().close().await;
    }
}

#[tokio::test]
async fn replicas_that_start_together_migrate_once_on_postgres() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let open = || Store::open(database.url(), SECOND);
    let (first, second, third) = tokio::join!(open(), open(), open());
    for store in [first, second, third] {
        add(&store.unwrap(), i64::from(next_id())).await.unwrap();
    }
}

/// Distinct ids are enough here.
fn next_id() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_an_older_one_brought_up() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        Store::open(database.url(), FIRST).await.unwrap().close().await;
        Store::open(database.url(), SECOND).await.unwrap().close().await;
        let refused = Store::open(database.url(), FIRST).await;
        assert!(matches!(refused, Err(Error::SchemaTooNew { found: 2, known: 1 })), "{engine:?}");
    }
}

#[tokio::test]
async fn what_is_opened_to_read_is_left_as_it_is() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        assert_eq!(Store::schema_version(database.url()).await.unwrap(), 0, "{engine:?}");
        assert!(Store::open_read_only(database.url(), FIRST).await.is_err(), "{engine:?}");
        // Neither made anything.
        let store = Store::open(database.url(), FIRST).await.unwrap();
        add(&store, 1).await.unwrap();
        assert_eq!(Store::schema_version(database.url()).await.unwrap(), 1, "{engine:?}");
        // Also while another process has it, which SQLite knows by its lock.
        let reader = Store::open_read_only(database.url(), FIRST).await.unwrap();
        assert_eq!(count(&reader).await, 1, "{engine:?}");
        assert!(add(&reader, 2).await.is_err(), "{engine:?}");
        add(&store, 3).await.unwrap();
        assert_eq!(count(&reader).await, 2, "{engine:?}");
        store.close().await;
        reader.close().await;
        let older = Store::open_read_only(database.url(), SECOND).await;
        assert!(matches!(older, Err(Error::SchemaTooOld { found: 1, known: 2 })), "{engine:?}");
        assert_eq!(Store::schema_version(database.url()).await.unwrap(), 1, "{engine:?}");
    }
}

#[tokio::test]
async fn another_engine_is_refused() {
    let refused = Store::open("mysql://nowhere/x", FIRST).await;
    assert!(matches!(refused, Err(Error::UnsupportedEngine)));
}

#[tokio::test]
async fn a_failed_write_leaves_nothing() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let store = Store::open(database.url(), FIRST).await.unwrap();
        add(&store, 1).await.unwrap();
        let failed: Result<(), Error> = store
            .write("fail", |tx| {
                Box::pin(async move {
                    tx.execute(&INSERT, vec![2_i64.into()]).await?;
                    tx.execute(&INSERT, vec![1_i64.into()]).await?;
                    Ok(())
                })
            })
            .await;
        assert!(matches!(failed, Err(Error::Database(_))), "{engine:?}");
        assert_eq!(count(&store).await, 1, "{engine:?}");
    }
}

/// PostgreSQL answers COMMIT after a failed statement as if it had committed.
#[tokio::test]
async fn a_write_that_goes_on_after_a_failed_statement_is_not_acknowledged_without_being_kept() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let store = Store::open(database.url(), FIRST).await.unwrap();
        let written: Result<(), Error> = store
            .write("go on", |tx| {
                Box::pin(async move {
                    tx.execute(&INSERT, vec![1_i64.into()]).await?;
                    assert!(tx.execute(&INSERT, vec![1_i64.into()]).await.is_err());
                    Ok(())
                })
            })
            .await;
        assert_eq!(count(&store).await, i64::from(written.is_ok()), "{engine:?}: {written:?}");
        // And the connection takes the next one.
        add(&store, 2).await.unwrap();
    }
}

/// Every other statement ends after a time.
#[tokio::test]
async fn a_migration_takes_as_long_as_it_takes() {
    static BOUND: &[Migration] = &[Migration {
        version: 1,
        name: "bound",
        sqlite: "",
        postgres: "CREATE TABLE bound AS SELECT current_setting('statement_timeout') AS bound",
    }];
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = Store::open(database.url(), BOUND).await.unwrap();
    let bound = Sql::same("SELECT bound, current_setting('statement_timeout') FROM bound");
    let row = &store.read(&bound, Vec::new()).await.unwrap()[0];
    let bounds: (String, String) = (row.try_get_by(0).unwrap(), row.try_get_by(1).unwrap());
    assert_eq!(bounds, ("0".to_owned(), "30s".to_owned()));
}

/// PostgreSQL estimates high what reads tables in many parts, and would compile for a second what then takes a millisecond.
#[tokio::test]
async fn jit_is_off() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = Store::open(database.url(), &[]).await.unwrap();
    let setting = Sql::same("SELECT setting FROM pg_settings WHERE name = 'jit'");
    let row = &store.read(&setting, Vec::new()).await.unwrap()[0];
    assert_eq!(row.try_get_by::<String, _>(0).unwrap(), "off");
}

/// SQLite ends a transaction by itself when the disk is full. What is acknowledged after that stands as ever.
#[tokio::test]
async fn a_transaction_that_sqlite_has_ended_takes_no_later_one_with_it() {
    const LARGE: Sql = Sql::same("INSERT INTO note (id, text) VALUES (1, hex(zeroblob(100000)))");
    let database = TestDatabase::new(Engine::Sqlite).await;
    let store = Store::open(database.url(), FIRST).await.unwrap();
    let act = async |sql: Sql| {
        let done: Result<(), Error> = store
            .write("act", move |tx| {
                Box::pin(async move { tx.execute(&sql, Vec::new()).await.map(drop) })
            })
            .await;
        done
    };
    act(Sql::same("PRAGMA max_page_count = 1")).await.unwrap();
    for _ in 0..3 {
        assert!(matches!(act(LARGE).await, Err(Error::Database(_))));
    }
    // The same connection, with the limit that it was given, until it is given another.
    act(Sql::same("PRAGMA max_page_count = 1000000")).await.unwrap();
    act(LARGE).await.unwrap();
    add(&store, 2).await.unwrap();
    store.close().await;
    let store = Store::open(database.url(), FIRST).await.unwrap();
    assert_eq!(count(&store).await, 2);
    store.close().await;
}
