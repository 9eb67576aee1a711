//! How PostgreSQL carries out the statements of a call: each by an index, and in no more parts of a table than there are
//! persons and numbers in question. The plans are those that hold for any values, which PostgreSQL comes to after a few calls.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{Name, NameLevel, PartialDate, PersonalNumber, Sex, Value};
use server::runtime::Entropy;
use store::{
    Engine, Migration, Sql, Store,
    testing::{ENGINES, TestDatabase},
};

use super::{
    ASSERTIONS_OF, MIGRATIONS, RegisterStore,
    apply::{self, annul, birth, known, touched},
    as_of, assertions, budget, change_feed, consent, enter, feed, field, find, keyed, lookup, only,
    population::Newcomer,
    relations,
};
use crate::{
    AUTHORITY, Error,
    domain::{
        consent::{Channel, System, Terms},
        find::SearchKey,
    },
};

/// Enough that no part is empty.
pub(super) const PERSONS: u32 = 1_200;
/// Everybody bears it.
const NAME: &str = "Lê Giả Định An";
/// Into how many parts the tables are split.
const PARTS: usize = 16;

/// A register with persons.
async fn register() -> (TestDatabase, RegisterStore) {
    let database = TestDatabase::new(Engine::Postgres).await;
    let register = opened(&database, MIGRATIONS).await;
    register.load((0..PERSONS).map(newcomer).collect(), "plans", 1).await.unwrap();
    (database, register)
}

pub(super) async fn opened(
    database: &TestDatabase,
    migrations: &'static [Migration],
) -> RegisterStore {
    let store = Store::open(database.url(), migrations).await.unwrap();
    let authority = model::Authority::parse(AUTHORITY).unwrap();
    RegisterStore::open(store, true, authority).await.unwrap()
}

pub(super) fn newcomer(n: u32) -> Newcomer {
    let born = PartialDate::new(1990, 5, 6).unwrap();
    Newcomer {
        person_id: format!("p-{n}"),
        number: number(n),
        old_number: None,
        protected: false,
        said: vec![
            said("birth_full_name", Value::Name(Name::new(NAME).unwrap().into())),
            said("date_of_birth", Value::Date(born)),
        ],
    }
}

fn said(item: &str, value: Value) -> (String, Value, String, Option<PartialDate>) {
    (item.to_owned(), value, "civil-status".to_owned(), None)
}

fn number(n: u32) -> PersonalNumber {
    PersonalNumber::compose(990, Sex::Male, 1990, n).unwrap()
}

/// What was looked at: the parts of each table, and whether any table was read from one end to the other.
#[derive(Debug, Default)]
struct Looked {
    parts: BTreeMap<String, BTreeSet<String>>,
    whole: Vec<String>,
    plan: Vec<String>,
}

impl RegisterStore {
    /// Carries out a statement by the plan for any values, and says how that went.
    async fn looked(&self, sql: &Sql, values: &str) -> Looked {
        let text = |text: String| Sql::same(Box::leak(text.into_boxed_str()));
        let prepare = text(format!("PREPARE asked AS {}", sql.postgres));
        let explain = text(format!(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE asked ({values})"
        ));
        let plan = self.store.write("explain", move |tx| {
            Box::pin(async move {
                // Tables that are small here are read whole for that reason alone, where they may be.
                for before in [
                    Sql::same("SET LOCAL plan_cache_mode = force_generic_plan"),
                    Sql::same("SET LOCAL enable_seqscan = off"),
                    prepare,
                ] {
                    tx.execute(&before, Vec::new()).await?;
                }
                let rows = tx.query(&explain, Vec::new()).await?;
                tx.execute(&Sql::same("DEALLOCATE asked"), Vec::new()).await?;
                rows.iter().map(|row| Ok(field(row, 0)?)).collect::<Result<Vec<String>, Error>>()
            })
        });
        let mut looked = Looked { plan: plan.await.unwrap(), ..Looked::default() };
        for line in looked.plan.clone() {
            let Some((scan, of)) = line.split_once(" on ") else { continue };
            if !scan.contains("Scan") || line.contains("never executed") {
                continue;
            }
            let of = of.split_whitespace().next().unwrap();
            if scan.contains("Seq Scan") && of != "register" {
                looked.whole.push(of.to_owned());
            }
            if let Some((table, part)) = of.rsplit_once('_')
                && part.len() == 2
                && part.parse::<u8>().is_ok()
            {
                looked.parts.entry(table.to_owned()).or_default().insert(part.to_owned());
            }
        }
        looked
    }

    /// Makes these one, each pair of which the first was merged into the second.
    pub(super) async fn merge(&self, pairs: &[(&'static str, &'static str)], into: &'static str) {
        let pairs = pairs.to_vec();
        let merged: Result<(), Error> = self
            .store
            .write("merge", move |tx| {
                Box::pin(async move {
                    for (one, other) in pairs {
                        let linked = vec![one.into(), other.into()];
                        tx.execute(&touched::ONCE_MERGED, linked).await?;
                        let leads_to = vec![one.into(), into.into()];
                        tx.execute(&touched::LEADS_TO, leads_to).await?;
                    }
                    Ok(())
                })
            })
            .await;
        merged.unwrap();
    }

    /// Fails where a statement reads a table whole, or more parts of any than so many.
    async fn reads(&self, name: &str, sql: &Sql, values: &str, tables: &[(&str, usize)]) {
        let looked = self.looked(sql, values).await;
        assert!(looked.whole.is_empty(), "{name}: {looked:#?}");
        let read: Vec<&str> = looked.parts.keys().map(String::as_str).collect();
        let expected: Vec<&str> = tables.iter().map(|(table, _)| *table).collect();
        assert_eq!(read, expected, "{name}: {looked:#?}");
        for (table, most) in tables {
            assert!(looked.parts[*table].len() <= *most, "{name}: {looked:#?}");
        }
    }
}

#[tokio::test]
async fn who_asks_about_one_person_reads_one_part() {
    let (_database, register) = register().await;
    let one = number(7);
    let (number, numbers) = (format!("'{}'", one.as_str()), format!("'[\"{}\"]'", one.as_str()));
    let (id, ids) = ("'p-7'", "'[\"p-7\"]'");
    let both = [("identifier", 1), ("person", 1)];
    register.reads("lookup", &lookup::PERSONS, &numbers, &both).await;
    register.reads("may be named", &lookup::VISIBLE, &numbers, &both).await;
    register.reads("may be known of", &lookup::VISIBLE_PERSONS, ids, &[("person", 1)]).await;
    register.reads("contribution", &known::BEARER, &number, &both).await;
    register.reads("relatives", &known::BEARERS, &numbers, &both).await;
    register.reads("number", &birth::TAKEN, &number, &[("identifier", 1)]).await;
    register
        .reads(
            "number ends",
            &annul::NUMBER_STATE,
            &format!("'cancelled', {number}"),
            &[("identifier", 1)],
        )
        .await;
    register.reads("said", &ASSERTIONS_OF, ids, &[("assertion", 1)]).await;
    register.reads("annulled", &apply::RECORD, id, &[("person", 1)]).await;
    register.reads("explained", &as_of::FOLDED, id, &[("person", 1)]).await;
    register.reads("keys", &keyed::RECORDS, ids, &[("person", 1)]).await;
    register
        .reads("keyed", &keyed::KEYS_OF, &format!("{}, {ids}", SearchKey::FORM), &[("person", 1)])
        .await;
    register.reads("keyed by others", &keyed::RELATION_KEYS_OF, ids, &[]).await;
    register.reads("tokens", &feed::TOKENS, &format!("'c', {ids}"), &[]).await;
    register
        .reads("record", &enter::AMEND, &format!("2, '{{}}', '', {id}"), &[("person", 1)])
        .await;
    // One change is of one person, whatever limit the plan was made for.
    register.reads("feed", &feed::AFTER, "7, 1", &[("person", 1)]).await;
    register.reads("never one with anybody", &feed::ONCE_WITH_HIDDEN, ids, &[]).await;
    register
        .reads("changed", &keyed::CHANGED, &format!("{}, 1", PERSONS - 1), &[("person", 1)])
        .await;
}

#[tokio::test]
async fn who_is_looked_for_by_a_name_is_found_by_an_index() {
    let (_database, register) = register().await;
    // All bear this name and were born on this day: the persons found are in all parts, and are read one by one.
    let all = [("person", PARTS)];
    let name = Name::new(NAME).unwrap();
    let (spelling, marks_free) = (name.match_key(NameLevel::L3), name.match_key(NameLevel::L4));
    let one = format!("'{spelling}', '1990-05-06', '', '', ''");
    register.reads("resolve", &find::ONE, &one, &all).await;
    let rest = "true, 0, 9999, '', ''";
    register.reads("search", &find::SOME, &format!("'{marks_free}', '', '', {rest}"), &all).await;
    let other = format!("'', '', '{spelling}', {rest}");
    register.reads("other script", &find::OTHER_SCRIPT, &other, &all).await;
    // Nobody: no part at all.
    register.reads("nobody", &find::ONE, "'nobody', '1990-05-06', '', '', ''", &[]).await;
    register.reads("no token", &feed::BEARERS, "'[[\"c\", \"t\"]]', 1", &[]).await;
    register.reads("budgets", &budget::SPENT, "1, '[\"c\"]'", &[]).await;
    register.reads("windows", &budget::FORGET, "1", &[]).await;
}

/// A consent is read by its reference, and the one person whose it is.
#[tokio::test]
async fn who_names_a_consent_reads_one() {
    let (_database, register) = register().await;
    let recording = |n: u32| consent::Recording {
        reference: format!("r-{n}"),
        person_id: format!("p-{n}"),
        terms: Terms {
            recipient: System { agency: "a".to_owned(), system: "s".to_owned() },
            procedure: "own-record".to_owned(),
            items: vec!["sex".to_owned()],
            begins_us: 1,
            ends_us: 2,
            channel: Channel::OwnApp,
            evidence: None,
            notice_version: "1".to_owned(),
        },
        connection: "c".to_owned(),
        recorded_us: 1,
        key: format!("k-{n}"),
        digest: [0; 32],
    };
    for n in 0..20 {
        register.record_consent(recording(n)).await.unwrap().unwrap();
    }
    register.reads("consent", &consent::CONSENTS, "'[\"r-7\"]'", &[("person", 1)]).await;
    register.reads("no consent", &consent::CONSENTS, "'[\"nothing\"]'", &[]).await;
    register.reads("recorded before", &consent::OF_KEY, "'c', 'k-7'", &[]).await;
    register.reads("withdrawn", &consent::WITHDRAW, "'r-7', 3, 'c'", &[]).await;
    // It is that of the record to which the person leads today.
    register.merge(&[("p-7", "p-8")], "p-8").await;
    let consents = register.consents(&["r-7", "r-9", "nothing"]).await.unwrap();
    let records: BTreeMap<_, _> =
        consents.iter().map(|(reference, one)| (reference.as_str(), one.record.as_str())).collect();
    assert_eq!(records, BTreeMap::from([("r-7", "p-8"), ("r-9", "p-9")]));
    assert_eq!(consents["r-7"].withdrawn_us, Some(3));
    assert_eq!(consents["r-9"].withdrawn_us, None);
}

/// Whatever its tokens and the changes are, of whom it does not follow nothing is read.
#[tokio::test]
async fn whoever_follows_reads_the_parts_of_whom_it_hears() {
    let (_database, register) = register().await;
    let entropy = Entropy::seeded(1);
    let everybody: Vec<String> = (0..PERSONS).map(|n| format!("p-{n}")).collect();
    let everybody: Vec<&str> = everybody.iter().map(String::as_str).collect();
    let tokens = register.tokens("c", &everybody, &entropy).await.unwrap();
    let followed = [tokens["p-1"].clone(), tokens["p-7"].clone()];
    register.follow("c", &followed, 9).await.unwrap();
    let two = [("person", 2)];
    let all = "0, 9999, 'c', 100";
    register.reads("followed", &change_feed::BETWEEN_OF_FOLLOWED, all, &two).await;
    register.reads("followed from long ago", &change_feed::LONG_OF_FOLLOWED, all, &two).await;
    register.reads("list of followed", &change_feed::FOLLOWED_PERSONS, "'', 'c', 100", &two).await;
    for (sql, values) in
        [(&change_feed::LONG_OF_FOLLOWED, all), (&change_feed::FOLLOWED_PERSONS, "'', 'c', 100")]
    {
        let looked = register.looked(sql, values).await;
        let read = |line: &&String| line.contains(" Scan") && line.contains("actual rows=1200");
        assert_eq!(looked.plan.iter().find(read), None, "{looked:#?}");
    }
    // Of whoever is merged into another one that one is read, too; of each person a part.
    register.merge(&[("p-1", "p-2"), ("p-2", "p-3")], "p-3").await;
    let three = [("person", 3)];
    register.reads("merged", &change_feed::BETWEEN_OF_FOLLOWED, all, &three).await;
    register.reads("merged long ago", &change_feed::LONG_OF_FOLLOWED, all, &three).await;
    register.reads("list of merged", &change_feed::FOLLOWED_PERSONS, "'', 'c', 100", &three).await;
    register.reads("once one with", &feed::ONCE_WITH_HIDDEN, "'[\"p-1\"]'", &three).await;
    let off = format!("'c', '[\"{}\"]'", tokens["p-3"]);
    register.reads("unfollow", &change_feed::UNFOLLOW, &off, &three).await;
    register.reads("follow anew", &change_feed::FOLLOWED_ANEW, &off, &[]).await;
    let looked = register.looked(&change_feed::FOLLOWED_ANEW, &off).await;
    let read = |line: &&String| line.contains(" Scan") && line.contains("actual rows=1200");
    assert_eq!(looked.plan.iter().find(read), None, "{looked:#?}");
    register.reads("led", &touched::LEADS_TO, "'p-3', NULL", &[("person", 1)]).await;
    register.follow("c", &followed, 9).await.unwrap();
    register.reads("standing", &change_feed::STANDING, "7", &[]).await;
    register.reads("changes", &change_feed::BETWEEN, "7, 8, 100", &[("person", 1)]).await;
    // A list of everybody is in the order of persons, who are in all parts.
    register.reads("list", &change_feed::PERSONS, "'', 100", &[("person", PARTS)]).await;
    let token = format!("'[[\"c\", \"{}\"]]', 1", followed[1]);
    register.reads("by a token", &feed::BEARERS, &token, &[("person", 1)]).await;

    let versions = async |sql: &Sql, most: i64| {
        let values = vec![0_i64.into(), 9999_i64.into(), "c".into(), most.into()];
        let rows = register.store.read(sql, values).await.unwrap();
        rows.iter().map(|row| field(row, 0).unwrap()).collect::<Vec<i64>>()
    };
    for most in [1, 2, 100] {
        let long = versions(&change_feed::LONG_OF_FOLLOWED, most).await;
        assert_eq!(long, versions(&change_feed::BETWEEN_OF_FOLLOWED, most).await);
        assert_eq!(long.len(), most.min(3) as usize, "two who are followed, and who one is today");
    }
}

#[tokio::test]
async fn who_is_named_is_found_by_its_numbers() {
    let (_database, register) = register().await;
    let named = Sql::same(
        "INSERT INTO relation_key SELECT 'family_relations', value, 'p-9' FROM identifier WHERE person_id IN ('p-7', 'p-8') \
         UNION ALL SELECT 'residence_file_number', '7', 'p-9'",
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
    // Parts are by number: those of a person may be in any. Of persons the one who is named is read, and the one who names.
    let naming = "'family_relations', '[\"p-7\"]', true";
    register
        .reads("who names", &relations::NAMING, naming, &[("identifier", PARTS), ("person", 2)])
        .await;
    let looked = register.looked(&relations::NAMING, naming).await;
    let by_value = |line: &String| line.contains("item = $1) AND (value = ");
    assert!(looked.plan.iter().any(by_value), "{looked:#?}");
    let file = "'residence_file_number', '7', true";
    register.reads("residence file", &relations::IN_FILE, file, &[("person", 1)]).await;
}

#[tokio::test]
async fn many_at_once_read_only_the_parts_that_they_are_in() {
    let (_database, register) = register().await;
    let numbers: Vec<String> = (0..8).map(|n| format!("\"{}\"", number(n).as_str())).collect();
    let looked = register.looked(&lookup::PERSONS, &format!("'[{}]'", numbers.join(","))).await;
    assert!(looked.whole.is_empty(), "{looked:#?}");
    for parts in looked.parts.values() {
        assert!((2..=8).contains(&parts.len()), "{looked:#?}");
    }
}

/// A register that was in use before is split with all that is in it, on PostgreSQL; on SQLite it stays as it is.
#[tokio::test]
async fn a_register_in_use_is_split_with_all_that_is_in_it() {
    let partitions = MIGRATIONS.iter().position(|step| step.name == "partitions").unwrap();
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let before = opened(&database, &MIGRATIONS[..partitions]).await;
        before.load((0..200).map(newcomer).collect(), "plans", 1).await.unwrap();
        let entropy = Entropy::seeded(1);
        let tokens = before.tokens("c", &["p-1", "p-2"], &entropy).await.unwrap();
        before.charge(5, HashMap::from([("c".to_owned(), 3)])).await.unwrap();
        // As it was asked for before there were merged records.
        let said = Sql::same(
            "SELECT person_id, item, value, source, contribution_id, valid_from, known_at_us, version, says, event \
             FROM assertion WHERE person_id = 'p-7'",
        );
        let said = assertions(&before.store.read(&said, Vec::new()).await.unwrap()).unwrap();
        before.close().await;

        let after = opened(&database, MIGRATIONS).await;
        let recomputed = after.recompute().await.unwrap();
        assert_eq!((recomputed.persons, recomputed.different), (200, 0));
        assert_eq!(recomputed.wrongly_keyed, 0);
        assert!(!said.is_empty());
        assert_eq!(after.assertions(&["p-7"]).await.unwrap(), said);
        assert_eq!(after.tokens("c", &["p-1", "p-2"], &entropy).await.unwrap(), tokens);
        assert_eq!(after.spent(5, &["c".to_owned()]).await.unwrap()["c"], 3);
        let seventh = number(7);
        let found = after.persons(&[seventh.as_str()]).await.unwrap();
        assert_eq!(found[seventh.as_str()].record.person_id, "p-7");
        // A number is somebody's once, and one of nobody is none.
        let again = Newcomer { person_id: "p-again".to_owned(), ..newcomer(7) };
        assert!(after.load(vec![again], "plans", 2).await.is_err());
        assert!(after.load(vec![newcomer(200)], "plans", 2).await.is_ok());
        for (kept, sql) in [
            (
                "number",
                "INSERT INTO identifier VALUES ('990099999999', 'personal_number', 'nobody', 'active')",
            ),
            ("key", "INSERT INTO search_key (person_id, version, form) VALUES ('nobody', 1, 1)"),
            (
                "change",
                "INSERT INTO change (version, person_id, items, known_at_us) VALUES (999, 'nobody', '[]', 1)",
            ),
            (
                "token",
                "INSERT INTO token (connection, person_id, token) VALUES ('c', 'nobody', 't')",
            ),
        ] {
            let refused: Result<(), Error> = after
                .store
                .write("of nobody", move |tx| {
                    Box::pin(async move {
                        tx.execute(&Sql::same(sql), Vec::new()).await?;
                        Ok(())
                    })
                })
                .await;
            assert!(refused.is_err(), "{engine:?}: {kept} of nobody");
        }
        if engine == Engine::Postgres {
            let parts = Sql::same(
                "SELECT COUNT(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                 WHERE c.relkind = 'r' AND c.relname ~ '^(person|identifier|assertion)_[0-9]{2}$'",
            );
            let parts: i64 = only(&after.store.read(&parts, Vec::new()).await.unwrap()).unwrap();
            assert_eq!(parts, 3 * PARTS as i64);
        }
        after.close().await;
    }
}
