//! Keys that are being given by more than one process, and keys that are wrong.

#![allow(clippy::unwrap_used, reason = "tests")]

use server::runtime::Entropy;
use store::{
    Sql,
    testing::{ENGINES, TestDatabase},
};

use super::super::{
    MIGRATIONS, RegisterStore,
    plans::{PERSONS, newcomer, opened},
};
use crate::Error;

async fn change(register: &RegisterStore, sql: &'static str) {
    let changed: Result<(), Error> = register
        .store
        .write("behind its back", move |tx| {
            Box::pin(async move {
                tx.execute(&Sql::same(sql), Vec::new()).await?;
                Ok(())
            })
        })
        .await;
    changed.unwrap();
}

/// One has given keys to some when the other comes: that one goes on from there, and what is done stays done.
#[tokio::test]
async fn of_two_processes_with_one_form_neither_sets_the_other_back() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let one = opened(&database, MIGRATIONS).await;
        one.own_key(&Entropy::seeded(1)).await.unwrap();
        one.load((0..PERSONS).map(newcomer).collect(), "keys", 1).await.unwrap();
        change(&one, "UPDATE search_key SET form = 1").await;
        change(&one, "UPDATE search SET form = 1").await;
        let other = one.clone();

        assert_eq!(one.begin_keys().await.unwrap(), Some(0));
        assert_eq!(one.give_some(0).await.unwrap(), Some((500, 500)));
        assert!(!other.is_keyed().await.unwrap());
        assert_eq!(other.begin_keys().await.unwrap(), Some(500), "{engine:?}");
        assert_eq!(other.give_keys().await.unwrap(), u64::from(PERSONS) - 500);
        assert!(other.is_keyed_whole().await.unwrap());
        // The one is behind, and moves nothing back.
        assert_eq!(one.give_some(500).await.unwrap(), Some((1000, 0)));
        assert!(one.is_keyed_whole().await.unwrap(), "{engine:?}");
        assert_eq!(one.give_keys().await.unwrap(), 0);
        assert!(one.is_keyed_whole().await.unwrap());
        assert_eq!(one.recompute().await.unwrap().wrongly_keyed, 0);

        // A newer one has its way.
        change(&one, "UPDATE search SET form = -99, version = 7").await;
        assert_eq!(one.begin_keys().await.unwrap(), None);
        assert_eq!(one.give_keys().await.unwrap(), 0);
        assert!(!one.is_keyed().await.unwrap());
        one.close().await;
    }
}

/// Each column of a key by which somebody would be found, or not be found, is compared with the record (I5).
#[tokio::test]
async fn i5_a_key_that_is_not_the_records_is_counted() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let register = opened(&database, MIGRATIONS).await;
        register.load((0..20).map(newcomer).collect(), "keys", 1).await.unwrap();
        for (wrong, sql) in (1..).zip([
            "UPDATE search_key SET name_l3 = 'x' WHERE person_id = 'p-1'",
            "UPDATE search_key SET name_l4 = NULL WHERE person_id = 'p-2'",
            "UPDATE search_key SET born = '1990-05-07' WHERE person_id = 'p-3'",
            "UPDATE search_key SET birth_year = 1991 WHERE person_id = 'p-4'",
            "UPDATE search_key SET sex = 'x' WHERE person_id = 'p-5'",
            "UPDATE search_key SET native_province = 'x' WHERE person_id = 'p-6'",
            "UPDATE search_key SET commune = 'x' WHERE person_id = 'p-7'",
            "UPDATE search_key SET version = version - 1 WHERE person_id = 'p-8'",
            "UPDATE search_key SET form = 1 WHERE person_id = 'p-9'",
            "DELETE FROM search_key WHERE person_id = 'p-10'",
            "INSERT INTO relation_key (item, value, person_id) VALUES ('family_relations', '1', 'p-11')",
        ]) {
            change(&register, sql).await;
            let found = register.recompute().await.unwrap();
            assert_eq!((found.wrongly_keyed, found.different), (wrong, 0), "{engine:?}: {sql}");
        }
        register.close().await;
    }
}
