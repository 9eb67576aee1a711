//! Statements about persons whose records are merged into others: the same on both engines.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::HashSet;

use model::GoldenRecord;
use server::runtime::Entropy;
use store::{
    Sql,
    testing::{ENGINES, TestDatabase},
};

use super::{
    MIGRATIONS, change_feed, field,
    plans::{newcomer, opened},
};
use crate::Error;

/// Ten persons, of whom the first is merged into the second, and that one into the third.
#[tokio::test]
async fn a_chain_is_one_person_to_whoever_reads_by_any_of_it() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let register = opened(&database, MIGRATIONS).await;
        let ten: Vec<_> = (0..10).map(newcomer).collect();
        let numbers: Vec<String> = ten.iter().map(|one| one.number.as_str().to_owned()).collect();
        register.load(ten, "merged", 1).await.unwrap();
        register.merge(&[("p-0", "p-1"), ("p-1", "p-2")], "p-2").await;
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let ids = |records: Vec<GoldenRecord>| {
            records.into_iter().map(|record| record.person_id).collect::<Vec<_>>()
        };

        // A list has the one who stays, once.
        let listed = ids(register.persons_after("", None, 100).await.unwrap());
        assert_eq!(listed, (2..10).map(|n| format!("p-{n}")).collect::<Vec<_>>(), "{engine:?}");
        let entropy = Entropy::seeded(1);
        let tokens = register.tokens("c", &["p-0", "p-1", "p-2", "p-3"], &entropy).await.unwrap();
        let of = |persons: &[&str]| -> Vec<String> {
            persons.iter().map(|person| tokens[*person].clone()).collect()
        };
        assert_eq!(register.follow("c", &of(&["p-0", "p-1", "p-3"]), 9).await.unwrap(), 3);
        let followed = ids(register.persons_after("", Some("c"), 100).await.unwrap());
        assert_eq!(followed, ["p-2", "p-3"], "{engine:?}");

        // Changes, whichever way they are looked for: of who is followed, and of who that is today.
        for sql in [&change_feed::BETWEEN_OF_FOLLOWED, &change_feed::LONG_OF_FOLLOWED] {
            let values = vec![0_i64.into(), 9999_i64.into(), "c".into(), 100_i64.into()];
            let rows = register.store.read(sql, values).await.unwrap();
            let whose: Vec<String> = rows.iter().map(|row| field(row, 9).unwrap()).collect();
            assert_eq!(whose, ["p-0", "p-1", "p-2", "p-3"], "{engine:?}");
            let shown = |row| super::record(&field::<String>(row, 3).unwrap()).unwrap();
            assert_eq!(
                ids(rows.iter().map(shown).collect()),
                ["p-2", "p-2", "p-2", "p-3"],
                "{engine:?}"
            );
        }

        // Off the list by the token that a list shows; by that of one who is merged, that one alone.
        assert_eq!(register.unfollow("c", &of(&["p-0"])).await.unwrap(), 2);
        assert_eq!(register.unfollow("c", &of(&["p-2"])).await.unwrap(), 1);
        assert_eq!(register.unfollow("other", &of(&["p-3"])).await.unwrap(), 0);
        assert_eq!(register.unfollow("c", &of(&["p-3"])).await.unwrap(), 0);

        // Others' records name the numbers of all three.
        let named = Sql::same(
            "INSERT INTO relation_key SELECT 'family_relations', value, 'p-9' FROM identifier \
             WHERE person_id IN ('p-0', 'p-1', 'p-2', 'p-4')",
        );
        let keyed: Result<(), Error> = register
            .store
            .write("name", move |tx| {
                Box::pin(async move {
                    tx.execute(&named, Vec::new()).await?;
                    Ok(())
                })
            })
            .await;
        keyed.unwrap();
        let naming = async |person: &str| {
            let found = register.naming("family_relations", &[person], true).await.unwrap();
            assert!(found.iter().all(|one| one.named == person));
            found.into_iter().map(|one| one.number).collect::<HashSet<_>>()
        };
        let three = numbers[..3].iter().map(|number| (*number).to_owned());
        assert_eq!(naming("p-2").await, three.collect(), "{engine:?}");
        assert_eq!(naming("p-4").await, HashSet::from([numbers[4].to_owned()]));
        for gone in ["p-0", "p-1"] {
            assert!(naming(gone).await.is_empty(), "{engine:?}: no person of its own");
        }

        // Whoever is merged may be named where the one who stays may; where either is hidden, nobody who leads there.
        assert!(register.hidden(&numbers).await.unwrap().is_empty());
        for (protected, hidden) in [("p-2", 0..3), ("p-1", 1..2), ("p-3", 3..4)] {
            for now in [true, false] {
                let protect = Sql {
                    sqlite: "UPDATE person SET protected = ?2 WHERE person_id = ?1",
                    postgres: "UPDATE person SET protected = $2 WHERE person_id = $1",
                };
                let written: Result<(), Error> = register
                    .store
                    .write("protect", move |tx| {
                        Box::pin(async move {
                            tx.execute(&protect, vec![protected.into(), now.into()]).await?;
                            Ok(())
                        })
                    })
                    .await;
                written.unwrap();
                let hidden = if now { hidden.clone() } else { 0..0 };
                let persons: Vec<String> = (0..10).map(|n| format!("p-{n}")).collect();
                let seen = register.visible(&persons).await.unwrap().len();
                assert_eq!(seen, 10 - hidden.len(), "{engine:?} {protected}");
                let hidden: HashSet<String> =
                    numbers[hidden].iter().map(|number| (*number).to_owned()).collect();
                assert_eq!(register.hidden(&numbers).await.unwrap(), hidden, "{engine:?}");
            }
        }
        register.close().await;
    }
}
