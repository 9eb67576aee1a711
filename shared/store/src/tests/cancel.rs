//! Callers who go away in the middle of a write (I13).

use std::{
    future::Future,
    pin::pin,
    sync::Mutex,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::*;

/// Only ends a hang.
const HANG: Duration = Duration::from_secs(60);
/// Each write is two rows: this one and its opposite.
const HALVES: Sql = Sql::same("SELECT COUNT(*) FROM note WHERE -id NOT IN (SELECT id FROM note)");

async fn add_both(store: &Store, id: i64) -> Result<(), Error> {
    store
        .write("both", move |tx| {
            Box::pin(async move {
                tx.execute(&INSERT, vec![id.into()]).await?;
                tx.execute(&INSERT, vec![(-id).into()]).await?;
                Ok(())
            })
        })
        .await
}

async fn number(store: &Store, sql: &Sql) -> i64 {
    store.read(sql, Vec::new()).await.unwrap()[0].try_get_by(0).unwrap()
}

async fn visible(store: &Store, id: i64) -> bool {
    let ask = Sql {
        sqlite: "SELECT 1 FROM note WHERE id = ?",
        postgres: "SELECT 1 FROM note WHERE id = $1",
    };
    !store.read(&ask, vec![id.into()]).await.unwrap().is_empty()
}

/// Waits until no session is inside a transaction. One that does nothing in it for seconds was left there; the
/// server's own timeout would hide it later.
async fn settled(store: &Store) {
    let inside = Sql::same(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND xact_start IS NOT NULL AND pid <> pg_backend_pid()",
    );
    let left = Sql::same(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND state LIKE 'idle in transaction%' AND state_change < now() - interval '3 seconds'",
    );
    let begun = Instant::now();
    while number(store, &inside).await > 0 {
        assert_eq!(number(store, &left).await, 0, "a session was left inside a transaction");
        assert!(begun.elapsed() < HANG, "it never ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Drops the caller's future after its k-th poll, for every k, while another connection looks: each write is whole or
/// absent, also in between, and the writer connection comes back clean.
#[tokio::test]
async fn i13_a_cancelled_write_is_whole_or_absent_and_nobody_sees_half_of_it() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let store = Store::open(database.url(), FIRST).await.unwrap();
        let (looked, mut looks) = watch::channel(());
        let look = async {
            loop {
                assert_eq!(number(&store, &HALVES).await, 0, "{engine:?}: half a write was seen");
                looked.send_replace(());
            }
        };
        let sweep = async {
            for k in 0..40_i64 {
                drop_after(k, add_both(&store, k + 1)).await;
                // One look has ended since, another goes on beside the next write.
                looks.changed().await.unwrap();
            }
        };
        tokio::select! {
            () = look => {}
            () = sweep => {}
        }
        // A write that follows is acknowledged and visible to another connection.
        add_both(&store, 1_000).await.unwrap();
        assert!(visible(&store, 1_000).await, "{engine:?}");
        // The first write was dropped before its first poll: it never began.
        assert!(!visible(&store, 1).await, "{engine:?}");
        if engine == Engine::Postgres {
            settled(&store).await;
        }
        assert_eq!(number(&store, &HALVES).await, 0, "{engine:?}");
    }
}

/// The driver takes a `begin` that is dropped on its way for one that was not made, and leaves its connection inside
/// the transaction (transact-rs/sqlx#4385): not so in a task of its own. On a road that takes 4 ms each way, a caller
/// goes away at every stage of a write.
#[tokio::test]
async fn i13_writes_dropped_on_a_slow_road_leave_no_transaction_open_and_lose_nothing() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let direct = Store::open(database.url(), FIRST).await.unwrap();
    let address = database.url().rsplit_once('@').unwrap().1.split('/').next().unwrap();
    let road = slow_road(address.to_owned()).await;
    let store = Store::open(&database.url().replace(address, &road), FIRST).await.unwrap();
    let acknowledged = Mutex::new(Vec::new());
    let lane = |lane: i64| {
        let (store, acknowledged) = (&store, &acknowledged);
        async move {
            for turn in 0..50 {
                let id = lane * 50 + turn + 1;
                // Every fourth caller stays.
                let milliseconds = if turn % 4 == 3 { 60_000 } else { id * 7 % 60 };
                let patience = Duration::from_millis(milliseconds.unsigned_abs());
                if let Ok(done) = tokio::time::timeout(patience, add_both(store, id)).await {
                    done.unwrap();
                    acknowledged.lock().unwrap().push(id);
                }
            }
        }
    };
    futures::future::join_all((0..8).map(lane)).await;
    settled(&direct).await;
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!((96..400).contains(&acknowledged.len()), "{}", acknowledged.len());
    for id in acknowledged {
        assert!(visible(&direct, id).await, "{id} was acknowledged");
    }
    assert_eq!(number(&direct, &HALVES).await, 0);
    // And every connection of the pool takes writes that are kept.
    let more = (1_001..1_017).map(|id| add_both(&store, id));
    for done in futures::future::join_all(more).await {
        done.unwrap();
    }
    assert!(visible(&direct, 1_001).await && visible(&direct, 1_016).await);
}

/// Polls a call `k` times, and drops it wherever it stands then.
async fn drop_after<T>(k: i64, call: impl Future<Output = T>) {
    let mut call = pin!(call);
    for _ in 0..k {
        let ready = std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        if ready.is_ready() {
            break;
        }
        tokio::task::yield_now().await;
    }
}

/// A road to the database on which everything takes 4 ms each way.
async fn slow_road(database: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&database).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(carry(from_client, to_server));
            tokio::spawn(carry(from_server, to_client));
        }
    });
    address
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        tokio::time::sleep(Duration::from_millis(4)).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
