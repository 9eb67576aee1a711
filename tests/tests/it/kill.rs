//! Killed at random, fifty times and more, while contributions stream in: every acknowledged one
//! is there once, the log verifies, and the golden records equal a recomputation (I4, I5, I13).
//!
//! What would fail it: an acknowledged contribution that is missing or there twice; a number given twice;
//! the same bytes answered otherwise; a leaf that was shown and is not at its index; a root that is not that
//! of the leaves; a record that is not the fold of its assertions. What it does not control: where exactly a
//! kill falls. The seed of the pauses is printed.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use contract::contribution::v1::SubmitContributionRequest;
use lienthong::client::{Answered, Client};
use prost::Message as _;
use rand::{Rng, SeedableRng, rngs::StdRng};
use store::{Engine, Sql, Store};
use tests::{
    events::birth,
    processes::{Fleet, Shape},
};

const SENDERS: u32 = 4;
/// A pause before a kill, at most.
const PAUSE_MS: u64 = 120;

/// Fifty, or ten times as many in the full scale (`./tests/run --scale full kill`).
fn kills() -> u32 {
    if std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full") { 500 } else { 50 }
}

/// What a sender was told: the request, the answer's bytes, the receipt's bytes, the number.
#[derive(Clone)]
pub(crate) struct Acknowledged {
    pub(crate) request: SubmitContributionRequest,
    pub(crate) answer: Vec<u8>,
    pub(crate) receipt: contract::audit::v1::Receipt,
    pub(crate) number: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_killed_at_random_with_every_service_in_one_process_on_sqlite() {
    survive(Shape::All, Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_killed_at_random_with_one_process_per_service_on_sqlite() {
    survive(Shape::Each, Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_killed_at_random_with_one_process_per_service_on_postgres() {
    survive(Shape::Each, Engine::Postgres).await;
}

async fn survive(shape: Shape, engine: Engine) {
    let seed = 1911;
    let mut random = StdRng::seed_from_u64(seed);
    let mut fleet = Fleet::start(shape, engine).await;
    let acknowledged: Arc<Mutex<Vec<Acknowledged>>> = Arc::default();
    let over = Arc::new(AtomicBool::new(false));
    let next = Arc::new(AtomicU32::new(0));
    let (client, _) = fleet.clients("civil-status", "Z01.DEMO.HOTICH", "ho-tich");
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (client, acknowledged) = (client.clone(), Arc::clone(&acknowledged));
            tokio::spawn(send(client, acknowledged, Arc::clone(&over), Arc::clone(&next)))
        })
        .collect();
    let names = fleet.names();
    let kills = kills();
    for _ in 0..kills {
        // Between two kills at least one contribution goes through, however slow the machine is.
        let before = acknowledged.lock().unwrap().len();
        let progress = async {
            while acknowledged.lock().unwrap().len() == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tests::within(progress).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..PAUSE_MS))).await;
        let name = names[random.random_range(0..names.len())];
        fleet.kill(name);
        fleet = tokio::task::spawn_blocking(move || {
            fleet.start_missing();
            fleet
        })
        .await
        .unwrap();
    }
    over.store(true, Ordering::Relaxed);
    for sender in senders {
        tests::within(sender).await.unwrap();
    }
    let acknowledged = Arc::try_unwrap(acknowledged).ok().unwrap().into_inner().unwrap();
    println!(
        "{shape:?} {engine:?}: {kills} kills, {} acknowledged, seed {seed}",
        acknowledged.len()
    );
    same_again(&client, &acknowledged).await;
    fleet = tokio::task::spawn_blocking(move || {
        fleet.terminate();
        fleet
    })
    .await
    .unwrap();
    fleet = finish(fleet).await;
    register_holds(&fleet, &acknowledged).await;
    log_holds(&fleet, &acknowledged).await;
}

/// Sends births until it is over: most are sent again until they are acknowledged, every fifth is given up
/// after its first failure, so that the worker has something to finish.
async fn send(
    client: Client,
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
    over: Arc<AtomicBool>,
    next: Arc<AtomicU32>,
) {
    while !over.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let request = birth(&format!("kill-{number}"), &format!("Giả Định {number}"));
        loop {
            match client.submit_contribution(&request).await.unwrap() {
                Ok(answered) => {
                    let Answered { answer_bytes, answer, receipt, .. } = answered;
                    let number = answer.personal_number;
                    let request = request.clone();
                    let told = Acknowledged { request, answer: answer_bytes, receipt, number };
                    acknowledged.lock().unwrap().push(told);
                    break;
                }
                // An answer of ours has a reason; without one the connection broke.
                Err(refused) if refused.code == "Unavailable" || refused.reason.is_empty() => {
                    if number.is_multiple_of(5) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(refused) => panic!("{refused:?}"),
            }
        }
    }
}

/// The same bytes get the same answer and the same receipt as before.
async fn same_again(client: &Client, acknowledged: &[Acknowledged]) {
    for told in acknowledged {
        let again = client.submit_contribution(&told.request).await.unwrap().unwrap();
        assert!(again.answer_bytes == told.answer && again.receipt == told.receipt);
    }
}

/// Every acknowledged person is there once under its number, and every record is the fold of its assertions.
async fn register_holds(fleet: &Fleet, acknowledged: &[Acknowledged]) {
    let config = identity::Config {
        database: server::config::Secret::new(fleet.database("identity")),
        synthetic: true,
        ..tests::events::register_config()
    };
    let register = identity::Service::register(&config).await.unwrap();
    let recomputed = register.recompute().await.unwrap();
    assert_eq!((recomputed.different, recomputed.wrongly_keyed), (0, 0));
    let persons = register.size().await.unwrap();
    assert_eq!(recomputed.persons, persons);
    register.close().await;

    let store = Store::open(fleet.database("identity"), identity::migrations()).await.unwrap();
    let rows =
        store.read(&Sql::same("SELECT person_id, record FROM person"), vec![]).await.unwrap();
    let mut by_name: HashMap<String, u32> = HashMap::new();
    for row in &rows {
        let record: String = row.try_get_by(1).unwrap();
        let record: model::GoldenRecord = serde_json::from_str(&record).unwrap();
        let model::Value::Name(name) = &record.items["birth_full_name"][0].value else { panic!() };
        *by_name.entry(name.full_name.as_str().to_owned()).or_default() += 1;
    }
    assert!(by_name.values().all(|count| *count == 1), "a person is there twice");
    let rows = store.read(&Sql::same("SELECT value FROM identifier"), vec![]).await.unwrap();
    assert_eq!(rows.len() as u64, persons, "one number each");
    let numbers: Vec<String> = rows.iter().map(|row| row.try_get_by(0).unwrap()).collect();
    for told in acknowledged {
        let Some(contract::contribution::v1::submit_contribution_request::Event::Birth(birth)) =
            &told.request.event
        else {
            panic!()
        };
        assert_eq!(by_name.get(&birth.full_name.as_ref().unwrap().full_name), Some(&1));
        assert!(numbers.contains(&told.number));
    }
    store.close().await;
}

const ROUNDS: usize = 5;

/// What was received and given up by its sender is finished by the worker once the register answers.
pub(crate) async fn finish(mut fleet: Fleet) -> Fleet {
    println!("given up by their senders and unfinished: {}", unfinished(&fleet).await);
    // The worker leaves alone what somebody may still be waiting for, so one round may not see the youngest.
    for _ in 0..ROUNDS {
        if unfinished(&fleet).await == 0 {
            return fleet;
        }
        fleet = repeated(fleet).await;
    }
    assert_eq!(unfinished(&fleet).await, 0);
    fleet
}

/// Runs until the worker has left nothing of what it looked at.
async fn repeated(mut fleet: Fleet) -> Fleet {
    let before = fleet.said().len();
    fleet = tokio::task::spawn_blocking(move || {
        fleet.start_missing();
        fleet
    })
    .await
    .unwrap();
    let done = |line: &String| {
        line.contains("repeated unfinished submissions") && line.contains("\"left\":0")
    };
    while !fleet.said().iter().skip(before).any(done) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fleet = tokio::task::spawn_blocking(move || {
        fleet.terminate();
        fleet
    })
    .await
    .unwrap();
    fleet
}

async fn unfinished(fleet: &Fleet) -> i64 {
    let migrations = contribution::migrations();
    let store = Store::open(fleet.database("contribution"), migrations).await.unwrap();
    let unfinished = Sql::same("SELECT COUNT(*) FROM submission WHERE outcome IS NULL");
    let rows = store.read(&unfinished, vec![]).await.unwrap();
    store.close().await;
    rows[0].try_get_by(0).unwrap()
}

/// The root of the stored leaves is the one that was signed last, and what was shown is at its index.
pub(crate) async fn log_holds(fleet: &Fleet, acknowledged: &[Acknowledged]) {
    let store = Store::open(fleet.database("audit"), audit::migrations()).await.unwrap();
    let leaves = Sql::same("SELECT position, leaf FROM leaf ORDER BY position");
    let mut tree = tlog::Tree::default();
    let mut stored: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for row in store.read(&leaves, vec![]).await.unwrap() {
        let (index, leaf): (i64, Vec<u8>) =
            (row.try_get_by(0).unwrap(), row.try_get_by(1).unwrap());
        assert_eq!(index.unsigned_abs(), tree.size(), "the log has a gap");
        tree.append(tlog::leaf_hash(&leaf)).unwrap();
        stored.insert(index.unsigned_abs(), leaf);
    }
    store.close().await;
    let config = audit::Config {
        database: server::config::Secret::new(fleet.database("audit")),
        tiles_listen: String::new(),
        auditors_listen: String::new(),
        ..fleet.audit().clone()
    };
    let log = audit::Service::open(&config).await.unwrap();
    let checkpoint = fleet.log_key().verify(&log.checkpoint().await.unwrap()).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (tree.size(), tree.root().unwrap()));
    log.close().await;
    for told in acknowledged {
        assert_eq!(stored.get(&told.receipt.index), Some(&told.receipt.leaf));
        let evidence = tlog::Evidence {
            request: &told.request.encode_to_vec(),
            answer: &told.answer,
            leaf: &told.receipt.leaf,
            index: told.receipt.index,
            proof: &tlog::hashes(&told.receipt.proof).unwrap(),
            checkpoint: &told.receipt.checkpoint,
            opening: &told.receipt.opening,
        };
        tlog::verify_receipt(&evidence, fleet.log_key()).unwrap();
    }
}
