//! What COPY writes is what was given to it.

use super::*;
use crate::Rows;

const INTO: &str = "note (id, text)";

async fn copied(store: &Store, rows: Rows) -> Result<u64, Error> {
    store.write("copy", move |tx| Box::pin(async move { tx.copy(INTO, &rows).await })).await
}

async fn texts(store: &Store) -> Vec<String> {
    let rows = store.read(&Sql::same("SELECT text FROM note ORDER BY id"), Vec::new()).await;
    rows.unwrap().iter().map(|row| row.try_get_by(0).unwrap()).collect()
}

#[tokio::test]
async fn odd_texts_arrive_as_they_are() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = Store::open(database.url(), FIRST).await.unwrap();
    let odd = [
        "",
        "\\N",
        "\\.",
        "a\tb\nc\r\\t",
        "NULL",
        "{\"x\":\"\\n\\\"\"}",
        "Đỗ Giả Định Hoà",
        "\u{1}\u{7f}",
    ];
    let mut rows = Rows::default();
    for (id, text) in (0..).zip(odd) {
        rows.number(id).text(text).end();
    }
    assert_eq!(copied(&store, rows).await.unwrap(), odd.len() as u64);
    assert_eq!(texts(&store).await, odd);
    // More than goes in one message.
    let mut many = Rows::default();
    for id in 100..20_100 {
        many.number(id).text(&"x".repeat(200)).end();
    }
    assert_eq!(copied(&store, many).await.unwrap(), 20_000);
    assert_eq!(count(&store).await, 20_000 + odd.len() as i64);
}

#[tokio::test]
async fn a_copy_that_is_refused_leaves_nothing_and_a_sound_connection() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = Store::open(database.url(), FIRST).await.unwrap();
    let mut twice = Rows::default();
    let mut empty = Rows::default();
    for id in [1, 2, 1] {
        twice.number(id).text("x").end();
        empty.number(id).null().end();
    }
    // As often as there are connections, and once more.
    for _ in 0..10 {
        assert!(matches!(copied(&store, twice.clone()).await, Err(Error::Database(_))));
        assert!(matches!(copied(&store, empty.clone()).await, Err(Error::Database(_))));
    }
    assert_eq!(count(&store).await, 0);
    add(&store, 1).await.unwrap();
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn sqlite_has_no_copy() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let store = Store::open(database.url(), FIRST).await.unwrap();
    let mut rows = Rows::default();
    rows.number(1).text("x").end();
    assert!(matches!(copied(&store, rows).await, Err(Error::NoCopy)));
    assert_eq!(count(&store).await, 0);
}
