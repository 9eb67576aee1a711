//! A store keeps what it acknowledged and refuses what it does not know.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{future::Future, pin::pin, task::Poll};

use super::*;

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

fn url(folder: &tempfile::TempDir) -> String {
    format!("sqlite://{}/notes.db", folder.path().display())
}

async fn add(store: &Store, id: i64) -> Result<(), Error> {
    store
        .write("add", move |tx| {
            Box::pin(async move {
                tx.execute_raw(Statement::from_sql_and_values(
                    DbBackend::Sqlite,
                    "INSERT INTO note (id, text) VALUES (?, 'x')",
                    [id.into()],
                ))
                .await?;
                tokio::task::yield_now().await;
                Ok(())
            })
        })
        .await
}

async fn count(store: &Store) -> i64 {
    let ask = Statement::from_string(DbBackend::Sqlite, "SELECT COUNT(*) FROM note");
    store.reader().query_one_raw(ask).await.unwrap().unwrap().try_get_by(0).unwrap()
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Store::open(&url(&folder), FIRST).await.unwrap();
    assert!(matches!(Store::open(&url(&folder), FIRST).await, Err(Error::Locked)));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_an_older_one_brought_up() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(&url(&folder), FIRST).await.unwrap());
    drop(Store::open(&url(&folder), SECOND).await.unwrap());
    let refused = Store::open(&url(&folder), FIRST).await;
    assert!(matches!(refused, Err(Error::SchemaTooNew { found: 2, known: 1 })));
}

#[tokio::test]
async fn another_engine_is_refused() {
    let refused = Store::open("mysql://nowhere/x", FIRST).await;
    assert!(matches!(refused, Err(Error::UnsupportedEngine)));
}

/// Drops the caller's future after its k-th poll, for every k: each write is whole or absent, and the
/// writer connection comes back clean.
#[tokio::test]
async fn i13_a_cancelled_write_is_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder), FIRST).await.unwrap();
    for k in 0..12_i64 {
        let mut write = pin!(add(&store, k));
        for _ in 0..k {
            let ready = std::future::poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx))).await;
            if ready.is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        // Dropped here, wherever it stands.
    }
    // A write that follows is acknowledged and visible to another connection.
    add(&store, 1_000).await.unwrap();
    let seen = count(&store).await;
    add(&store, 1_001).await.unwrap();
    assert_eq!(count(&store).await, seen + 1);
    // The first write was dropped before its first poll: it never began.
    assert!((2..=13).contains(&seen), "{seen}");
}
