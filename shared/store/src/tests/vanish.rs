//! A PostgreSQL that vanishes without a word: the road takes what is sent over it, and nothing ever comes back, not
//! even an end.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Barrier, watch},
};

use super::{
    late::{HOUR, SLEEPING, until},
    *,
};

/// Only ends a hang.
const HANG: Duration = Duration::from_secs(20);
/// What a pool has.
const POOL: usize = 8;

/// The road to the database. Connections that were open when it vanished stay lost when there is one again.
#[derive(Clone)]
struct Road {
    vanished: watch::Sender<u64>,
}

impl Road {
    async fn to(database: &TestDatabase) -> (Self, String) {
        let database = database.url();
        let server = database.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let url = database.replace(&server, &address);
        let (vanished, times) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(carry(from_client, to_server, times.clone()));
                tokio::spawn(carry(from_server, to_client, times.clone()));
            }
        });
        (Self { vanished }, url)
    }

    fn vanish(&self) {
        self.vanished.send_modify(|times| *times += 1);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, times: watch::Receiver<u64>) {
    let begun = *times.borrow();
    let there = || *times.borrow() == begun;
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if there() && to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
    if !there() {
        // Nobody is told of the end.
        std::future::pending::<()>().await;
    }
}

/// A store at the end of a road, whose statements are waited for a short while.
async fn store(database: &TestDatabase) -> (Store, Road) {
    let (road, url) = Road::to(database).await;
    let mut store = Store::open(&url, FIRST).await.unwrap();
    store.bounds.statement = Duration::from_secs(1);
    store.bounds.grace = Duration::from_millis(500);
    (store, road)
}

/// As many writes at once as there are connections; the road vanishes when all have written one of two rows.
async fn writes(store: &Store, road: &Road, second: bool) -> Vec<Result<(), Error>> {
    let all = Arc::new(Barrier::new(POOL));
    let write = |id: i64| {
        let (all, road) = (Arc::clone(&all), road.clone());
        store.write("lost", move |tx| {
            Box::pin(async move {
                tx.execute(&INSERT, vec![id.into()]).await?;
                if all.wait().await.is_leader() {
                    road.vanish();
                }
                if second {
                    tx.execute(&INSERT, vec![(-id).into()]).await?;
                }
                Ok(())
            })
        })
    };
    let writes = futures::future::join_all((1..=POOL as i64).map(write));
    tokio::time::timeout(HANG, writes).await.unwrap()
}

/// How many rows there are, by another road.
async fn there(database: &TestDatabase) -> i64 {
    count(&Store::open(database.url(), FIRST).await.unwrap()).await
}

#[tokio::test]
async fn i13_a_write_ends_when_the_database_vanishes_and_the_pool_is_whole() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (store, road) = store(&database).await;
    for lost in writes(&store, &road, true).await {
        assert!(matches!(&lost, Err(Error::Database(_))), "{lost:?}");
        assert_eq!(lost.unwrap_err().driver_kind(), "connection lost");
    }
    add(&store, 100).await.unwrap();
    assert_eq!(there(&database).await, 1);
    store.close().await;
}

#[tokio::test]
async fn i13_a_commit_that_is_not_answered_is_unknown() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (store, road) = store(&database).await;
    for lost in writes(&store, &road, false).await {
        assert!(matches!(&lost, Err(Error::CommitUnknown(_))), "{lost:?}");
    }
    add(&store, 100).await.unwrap();
    assert_eq!(there(&database).await, 1);
}

#[tokio::test]
async fn a_read_ends_when_the_database_vanishes_and_the_pool_is_whole() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (store, road) = store(&database).await;
    for _ in 0..POOL {
        assert_eq!(count(&store).await, 0);
        // Before the connection is back in the pool, which asks the server whether it is well.
        road.vanish();
    }
    assert_eq!(count(&store).await, 0);
    let direct = Store::open(database.url(), FIRST).await.unwrap();
    let lost = async {
        let lost = tokio::time::timeout(HANG, store.read(&HOUR, Vec::new())).await.unwrap();
        assert_eq!(lost.unwrap_err().driver_kind(), "connection lost");
    };
    let vanish = async {
        until(&direct, &SLEEPING, 1).await;
        road.vanish();
    };
    tokio::join!(lost, vanish);
    assert_eq!(count(&store).await, 0);
}

/// Whoever asks whether the database answers waits for a moment only.
#[tokio::test]
async fn i9_asking_a_database_that_vanished_whether_it_answers_takes_no_connection_away() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (store, road) = store(&database).await;
    assert!(store.answers().await);
    for _ in 0..2 * POOL {
        road.vanish();
        let asked = tokio::time::timeout(Duration::from_millis(50), store.answers()).await;
        assert!(asked.is_err() || asked == Ok(true), "{asked:?}");
    }
    assert!(store.answers().await);
    assert_eq!(count(&store).await, 0);
}

/// A write that never ends, whatever keeps it.
#[tokio::test]
async fn closing_ends_although_a_write_does_not() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let mut store = Store::open(database.url(), FIRST).await.unwrap();
        store.bounds.close = Duration::from_millis(200);
        let (begin, begun) = tokio::sync::oneshot::channel();
        let writing = store.clone();
        let write = tokio::spawn(async move {
            let work = writing.write("endless", |tx| {
                Box::pin(async move {
                    tx.execute(&INSERT, vec![1_i64.into()]).await?;
                    let _ = begin.send(());
                    std::future::pending::<Result<(), Error>>().await
                })
            });
            work.await
        });
        begun.await.unwrap();
        tokio::time::timeout(HANG, store.close()).await.unwrap();
        if engine == Engine::Sqlite {
            // Nobody else writes to what is not closed.
            assert!(matches!(Store::open(database.url(), FIRST).await, Err(Error::Locked)));
        }
        write.abort();
    }
}
