//! Work that is worth nothing any more: it stops, and the pool is whole.

use std::time::Duration;

use tokio::time::Instant;

use super::*;

/// Longer than any test: that it ends shows that it was ended.
const HOUR: Sql = Sql { sqlite: "", postgres: "SELECT pg_sleep(3600)" };
const SLEEPING: Sql = Sql {
    sqlite: "",
    postgres: "SELECT COUNT(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event = 'PgSleep'",
};
const IN_TRANSACTION: Sql = Sql {
    sqlite: "",
    postgres: "SELECT COUNT(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
};
/// More than any pool has connections.
const MANY: usize = 24;

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(50)
}

/// Waits until a count is `expected`; only a hang ends it otherwise.
async fn until(store: &Store, sql: &Sql, expected: i64) {
    let counted = async {
        while store.read(sql, Vec::new()).await.unwrap()[0].try_get_by::<i64, _>(0) != Ok(expected)
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), counted).await.unwrap();
}

#[tokio::test]
async fn a_read_whose_time_has_passed_is_ended_and_the_pool_is_whole() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = Store::open(database.url(), FIRST).await.unwrap();
    for _ in 0..MANY {
        let late = store.until(soon()).read(&HOUR, Vec::new()).await;
        assert!(matches!(late, Err(Error::Late)));
    }
    // Every one of them would hold a connection for an hour.
    until(&store, &SLEEPING, 0).await;
    assert_eq!(count(&store).await, 0);
}

#[tokio::test]
async fn a_read_that_nobody_waits_for_is_ended_and_the_pool_is_whole() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = Store::open(database.url(), FIRST).await.unwrap();
    let reading: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.read(&HOUR, Vec::new()).await.map(drop) })
        })
        .collect();
    until(&store, &SLEEPING, 4).await;
    for read in reading {
        read.abort();
        assert!(read.await.unwrap_err().is_cancelled());
    }
    until(&store, &SLEEPING, 0).await;
    assert_eq!(count(&store).await, 0);
}

#[tokio::test]
async fn i13_a_write_whose_time_has_passed_is_ended_and_leaves_nothing() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = Store::open(database.url(), FIRST).await.unwrap();
    for id in 0..3_i64 {
        let late: Result<(), Error> = store
            .until(soon())
            .write("late", move |tx| {
                Box::pin(async move {
                    tx.execute(&INSERT, vec![id.into()]).await?;
                    tx.query(&HOUR, Vec::new()).await?;
                    Ok(())
                })
            })
            .await;
        assert!(matches!(late, Err(Error::Late)));
    }
    until(&store, &SLEEPING, 0).await;
    until(&store, &IN_TRANSACTION, 0).await;
    assert_eq!(count(&store).await, 0);
    // The limit was that transaction's own.
    add(&store, 7).await.unwrap();
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn what_is_late_before_it_begins_is_not_begun() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let store = Store::open(database.url(), FIRST).await.unwrap();
        let late = store.until(Instant::now() - Duration::from_millis(1));
        assert!(matches!(add(&late, 1).await, Err(Error::Late)), "{engine:?}");
        assert_eq!(count(&store).await, 0, "{engine:?}");
        // Another caller of the same database has its own time.
        add(&store.until(Instant::now() + Duration::from_secs(3_600)), 2).await.unwrap();
        assert_eq!(count(&store).await, 1, "{engine:?}");
    }
}
