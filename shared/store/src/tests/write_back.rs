//! The WAL of SQLite is written back beside its writers, and by them where nobody asked for that.

use super::*;

const LONG: Sql = Sql::same("INSERT INTO note (id, text) VALUES (?, hex(zeroblob(4000)))");

/// What commits leave to be written back: forty pages, of which SQLite itself would take no notice before there are 1,000.
async fn write(store: &Store) {
    for id in 100..120_i64 {
        let written: Result<(), Error> = store
            .write("long", move |tx| {
                Box::pin(async move { tx.execute(&LONG, vec![id.into()]).await.map(drop) })
            })
            .await;
        written.unwrap();
    }
}

#[tokio::test]
async fn the_wal_is_written_back_without_a_commit_that_does_it() {
    for beside in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.db");
        let url = format!("sqlite://{}", file.display());
        let store = Store::open(&url, FIRST).await.unwrap();
        if beside {
            store.write_back_beside(&url).await.unwrap();
        }
        let size = || file.metadata().unwrap().len();
        let before = size();
        write(&store).await;
        let grown = async {
            while size() == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let wait = Duration::from_secs(if beside { 60 } else { 1 });
        assert_eq!(tokio::time::timeout(wait, grown).await.is_ok(), beside);
        store.close().await;
        // Whoever closes last tidies up: so nobody is left.
        assert!(!folder.path().join("test.db-wal").exists());
        let again = Store::open(&url, FIRST).await.unwrap();
        assert_eq!(count(&again).await, 20);
        again.close().await;
    }
}

#[tokio::test]
async fn a_store_that_goes_away_unclosed_leaves_nobody_behind() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let store = Store::open(&url, FIRST).await.unwrap();
    store.write_back_beside(&url).await.unwrap();
    write(&store).await;
    drop(store);
    let gone = async {
        while folder.path().join("test.db-wal").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.unwrap();
}

#[tokio::test]
async fn postgres_does_it_by_itself() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = Store::open(database.url(), FIRST).await.unwrap();
    store.write_back_beside(database.url()).await.unwrap();
    assert!(store.write_back.lock().unwrap().is_none());
    store.close().await;
}
