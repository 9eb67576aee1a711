//! Work that is worth nothing any more: it stops, and the pool is whole.

use std::time::Duration;

use tokio::time::Instant;

use super::*;

/// Longer than any test: that it ends shows that it was ended.
pub(super) const HOUR: Sql = Sql { sqlite: "", postgres: "SELECT pg_sleep(3600)" };
pub(super) const SLEEPING: Sql = Sql {
    sqlite: "",
    postgres: "SELECT COUNT(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event = 'PgSleep'",
};
const IN_TRANSACTION: Sql = Sql {
    sqlite: "",
    postgres: "SELECT COUNT(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
};
/// What PostgreSQL lets the next statement take, in milliseconds.
const LIMIT: Sql = Sql {
    sqlite: "",
    postgres: "SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'",
};
/// A statement that takes a while, and nothing else.
const WHILE: Sql = Sql { sqlite: "", postgres: "SELECT pg_sleep(0.2)" };
/// More than any pool has connections.
const MANY: usize = 24;

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(50)
}

/// Waits until a count is `expected`; only a hang ends it otherwise.
pub(super) async fn until(store: &Store, sql: &Sql, expected: i64) {
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
async fn i13_each_statement_of_a_write_has_what_is_left_when_it_begins() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = Store::open(database.url(), FIRST).await.unwrap();
    let store = store.until(Instant::now() + Duration::from_secs(20));
    let limits = store.write("limits", |tx| {
        Box::pin(async move {
            let mut limits = Vec::new();
            for _ in 0..3 {
                let limit: i64 = tx.query(&LIMIT, Vec::new()).await?[0].try_get_by(0)?;
                limits.push(limit);
                tx.query(&WHILE, Vec::new()).await?;
            }
            Ok::<_, Error>(limits)
        })
    });
    let limits = limits.await.unwrap();
    assert!(limits[0] <= 20_000, "{limits:?}");
    assert!(limits.windows(2).all(|pair| pair[0] - pair[1] >= 200), "{limits:?}");
}

#[tokio::test]
async fn a_write_whose_time_passes_before_its_commit_leaves_nothing() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let store = Store::open(database.url(), FIRST).await.unwrap();
        let at = Instant::now() + Duration::from_secs(1);
        let late: Result<(), Error> = store
            .until(at)
            .write("late", move |tx| {
                Box::pin(async move {
                    tx.execute(&INSERT, vec![1_i64.into()]).await?;
                    tokio::time::sleep_until(at).await;
                    Ok(())
                })
            })
            .await;
        assert!(matches!(late, Err(Error::Late)), "{engine:?}: {late:?}");
        assert_eq!(count(&store).await, 0, "{engine:?}");
    }
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
