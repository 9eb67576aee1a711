//! A population that is loaded at once is the register that the same persons make one by one, on either engine, and one that
//! was stopped goes on to be the same. What can be read of it through gRPC, every test of `World` reads: its persons are
//! loaded so.

use lienthong::{
    population::{self, Done, Wanted},
    process::Runtime,
    synth::generate,
};
use model::{PersonalNumber, Sex};
use server::{
    config::Secret,
    runtime::{Clock, Entropy},
};
use store::{Engine, Sql, Store, testing::TestDatabase};
use tests::{events::register_config, on_both_engines, world::NOW};

on_both_engines!(
    what_is_loaded_at_once_is_what_is_loaded_one_after_the_other,
    a_load_that_was_stopped_goes_on_to_the_same_register,
    a_register_of_others_or_in_use_is_refused,
    who_writes_beside_a_load_ends_it,
);

const SEED: u64 = 7;
/// Under which a population is loaded.
const LOAD: &str = "synthetic-population";
/// More than one chunk has.
const PERSONS: usize = 700;
const CHUNK: usize = 500;

/// Everything that a register holds of persons, and where it is, row by row in the same words on both engines.
const ROWS: [&str; 9] = [
    "SELECT 'person ' || person_id || ' ' || CASE WHEN protected THEN 1 ELSE 0 END || ' ' || version || ' ' \
     || authority || ' ' || record FROM person",
    "SELECT 'number ' || value || ' ' || kind || ' ' || person_id || ' ' || state FROM identifier",
    "SELECT 'said ' || person_id || ' ' || item || ' ' || source || ' ' || contribution_id || ' ' \
     || COALESCE(valid_from, '-') || ' ' || known_at_us || ' ' || version || ' ' || says || ' ' \
     || COALESCE(event, '-') || ' ' || value FROM assertion",
    "SELECT 'change ' || version || ' ' || person_id || ' ' || items || ' ' || known_at_us || ' ' || authority \
     || ' ' || COALESCE(kind, '-') || ' ' || COALESCE(bulk_job, '-') FROM change",
    "SELECT 'relation ' || item || ' ' || value || ' ' || person_id FROM relation_key",
    "SELECT 'key ' || person_id || ' ' || version || ' ' || form || ' ' || COALESCE(name_l3, '-') || ' ' \
     || COALESCE(name_l4, '-') || ' ' || COALESCE(born, '-') || ' ' || COALESCE(birth_year, 0) || ' ' \
     || COALESCE(sex, '-') || ' ' || COALESCE(native_province, '-') || ' ' || COALESCE(commune, '-') FROM search_key",
    "SELECT 'register ' || version || ' ' || known_at_us || ' ' || authority FROM register",
    "SELECT 'rules ' || id || ' ' || rules FROM rules",
    "SELECT 'application ' || contribution_id FROM application",
];

struct Register {
    database: TestDatabase,
    store: identity::RegisterStore,
}

impl Register {
    async fn new(engine: Engine) -> Self {
        let database = TestDatabase::new(engine).await;
        let config =
            identity::Config { database: Secret::new(database.url()), ..register_config() };
        let store = identity::Service::register(&config).await.unwrap();
        Self { database, store }
    }

    /// Loads a population `minutes` after noon, until `loaded` says stop.
    async fn load(&self, persons: usize, minutes: i64, stop_at: usize) -> anyhow::Result<Done> {
        let clock = Clock::fixed(NOW + time::Duration::minutes(minutes));
        let runtime = Runtime { clock, entropy: Entropy::seeded(1) };
        let wanted = Wanted { persons, seed: SEED, subjects: None };
        population::load(&self.store, wanted, &runtime, |count| count < stop_at).await
    }

    /// Closes it and says what it holds.
    async fn held(self) -> Vec<String> {
        let recomputed = self.store.recompute().await.unwrap();
        assert_eq!((recomputed.different, recomputed.wrongly_keyed), (0, 0));
        assert_eq!(recomputed.persons, self.store.size().await.unwrap());
        self.store.close().await;
        let store =
            Store::open_read_only(self.database.url(), identity::migrations()).await.unwrap();
        let mut held = Vec::new();
        for sql in ROWS {
            for row in store.read(&Sql::same(sql), Vec::new()).await.unwrap() {
                held.push(row.try_get_by::<String, _>(0).unwrap());
            }
        }
        store.close().await;
        held.sort();
        held
    }
}

fn newcomers(from: usize, to: usize) -> Vec<identity::Newcomer> {
    generate(SEED, to, NOW.date()).skip(from).map(identity::Newcomer::from).collect()
}

/// Two long lists, of which a failure must not print all.
fn same(one: &[String], other: &[String]) {
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one, other);
    }
}

async fn what_is_loaded_at_once_is_what_is_loaded_one_after_the_other(engine: Engine) {
    let persons = 200;
    let at_once = Register::new(engine).await;
    let done = at_once.load(persons, 0, usize::MAX).await.unwrap();
    assert_eq!(done, Done { before: 0, persons });
    let at_once = at_once.held().await;
    assert!(at_once.len() > 15 * persons);
    // By the statements by which contributions are written, on either engine.
    let others = match engine {
        Engine::Sqlite => &[Engine::Sqlite][..],
        Engine::Postgres => &[Engine::Postgres, Engine::Sqlite],
    };
    for other in others.iter().copied() {
        let one_by_one = Register::new(other).await;
        let known_at_us = i64::try_from(NOW.unix_timestamp_nanos() / 1_000).unwrap();
        one_by_one.store.load(newcomers(0, persons), LOAD, known_at_us).await.unwrap();
        same(&at_once, &one_by_one.held().await);
    }
}

async fn a_load_that_was_stopped_goes_on_to_the_same_register(engine: Engine) {
    let stopped = Register::new(engine).await;
    let done = stopped.load(PERSONS, 0, CHUNK).await.unwrap();
    assert_eq!(done, Done { before: 0, persons: CHUNK });
    // Hours later, and on another day.
    let done = stopped.load(PERSONS, 2_000, usize::MAX).await.unwrap();
    assert_eq!(done, Done { before: CHUNK, persons: PERSONS });
    let done = stopped.load(PERSONS, 2_000, usize::MAX).await.unwrap();
    assert_eq!(done, Done { before: PERSONS, persons: PERSONS });
    let whole = Register::new(engine).await;
    whole.load(PERSONS, 0, usize::MAX).await.unwrap();
    same(&stopped.held().await, &whole.held().await);
}

async fn a_register_of_others_or_in_use_is_refused(engine: Engine) {
    // Somebody else is in it: of another load, or beside this one.
    for (first, then) in [(0, 1), (40, 50)] {
        let register = Register::new(engine).await;
        if first > 0 {
            register.load(first, 0, usize::MAX).await.unwrap();
        }
        let somebody = identity::Newcomer {
            person_id: "somebody".to_owned(),
            number: PersonalNumber::compose(990, Sex::Male, 1990, 1).unwrap(),
            old_number: None,
            protected: false,
            said: Vec::new(),
        };
        register.store.load(vec![somebody], "other", 1).await.unwrap();
        let held = register.store.size().await.unwrap();
        let refused = register.load(then + 10, 0, usize::MAX).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("holds {held} persons already")), "{refused}");
        assert_eq!(register.store.size().await.unwrap(), held);
    }
}

async fn who_writes_beside_a_load_ends_it(engine: Engine) {
    let register = Register::new(engine).await;
    let begun = register.store.bulk(LOAD, 1, &Entropy::seeded(1)).await;
    let mut bulk = begun.unwrap();
    let (first, second) = (newcomers(0, 10), newcomers(10, 20));
    let (first, second) = (bulk.batch(first).unwrap(), bulk.batch(second).unwrap());
    assert_eq!(register.store.load_batch(first).await.unwrap(), 10);
    register.store.load(newcomers(30, 31), "other", 1).await.unwrap();
    let refused = register.store.load_batch(second).await.unwrap_err();
    assert!(matches!(refused, identity::Error::WrittenMeanwhile), "{refused}");
    assert_eq!(register.held().await.iter().filter(|row| row.starts_with("person ")).count(), 11);
}
