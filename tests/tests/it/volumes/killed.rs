//! Processes of the binary are killed at random while they tell: what a killed one held counts as used, so all of them together never
//! tell more than the volume.
//!
//! What would fail it: more answers than policy counted, a count that is not the sum of the leases, a volume that is never used up, or
//! persons said to be used of whom nobody was told. What it does not control: where exactly a kill falls. The seed is printed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use contract::identity::v1::GetPersonRequest;
use lienthong::demo;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use store::{Sql, Store};
use tests::{
    behind_its_back,
    events::birth,
    people::by_number,
    processes::{Fleet, REPLICAS, Shape},
};

use super::*;

const VOLUME: u64 = 1_500;
const KILLS: u32 = 12;
/// Calls under way at once.
const CALLS: u64 = 6;
const SEED: u64 = 1911;
/// The demonstration's agreement, as if both sides had signed a volume for its term. Written while policy runs, before it decides
/// about it.
const LIMIT: &[&str] = &["INSERT INTO agreement_terms \
     (agreement, action, procedure, legal_basis, valid_from, valid_to, terms) \
     VALUES ('demo-2026-social-insurance', 'obtain', 'child-health-insurance-card', \
             '1911-2021-art-2-1', '2026-01-01', '2099-01-01', \
             '{\"direction\":\"\",\"units\":[],\"keys\":[],\
               \"volume\":{\"persons\":1500,\"period\":\"Term\"}}')"];

/// A lookup of a child that was just registered.
async fn lookup(fleet: &Fleet) -> GetPersonRequest {
    let (civil_status, _) = fleet.clients("civil-status", "Z01.DEMO.HOTICH", "ho-tich");
    let registered = birth("volume-1", "Trần Giả Định Đếm");
    let registered = civil_status.submit_contribution(&registered).await.unwrap().unwrap();
    GetPersonRequest {
        subject: by_number(&registered.answer.personal_number),
        claims: Some(contract::r#type::v1::Claims {
            full_name: "Trần Giả Định Đếm".to_owned(),
            date_of_birth: tests::events::date(2026, 3, 1),
        }),
        items: vec![ITEM.to_owned()],
        basis: Some(demo::basis(
            "child-health-insurance-card",
            "1911-2021-art-2-1",
            "Z02.DEMO.BHXH",
        )),
        request_id: "request-1".to_owned(),
        ..GetPersonRequest::default()
    }
}

/// Asks until the volume is used up for a while: a process that is killed is no reason to stop.
async fn ask_on(client: Client, request: GetPersonRequest, told: Arc<AtomicU64>) {
    let mut refused = 0;
    while refused < 20 {
        match client.get_person(&request).await.unwrap() {
            Ok(answered) => {
                assert_eq!(answered.answer.outcome(), LookupOutcome::Match);
                told.fetch_add(1, Ordering::Relaxed);
                refused = 0;
            }
            Err(reason) if reason.reason == "VOLUME_USED_UP" => {
                refused += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            // An answer of ours has a reason; without one the connection broke.
            Err(reason) if reason.code == "Unavailable" || reason.reason.is_empty() => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(reason) => panic!("{reason:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i9_killed_processes_tell_no_more_than_the_grant_together() {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut fleet = Fleet::start(Shape::Replicas, Engine::Postgres).await;
    behind_its_back(fleet.database("policy"), policy::migrations(), LIMIT).await;
    let request = tests::within(lookup(&fleet)).await;
    let told: Arc<AtomicU64> = Arc::default();
    let (_, client) = fleet.clients("social-insurance", "Z02.DEMO.BHXH", "bhyt");
    let asking: Vec<_> = (0..CALLS)
        .map(|_| tokio::spawn(ask_on(client.clone(), request.clone(), Arc::clone(&told))))
        .collect();
    let mut hit = 0;
    for kill in 0..KILLS {
        // Between two kills somebody is told, while there is somebody left, however slow the machine is.
        let before = told.load(Ordering::Relaxed);
        let progress = async {
            while told.load(Ordering::Relaxed) < before + 10
                && asking.iter().any(|one| !one.is_finished())
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tests::within(progress).await;
        let name = match kill % 4 {
            3 => "policy",
            _ => REPLICAS[random.random_range(0..REPLICAS.len())],
        };
        hit += u32::from(asking.iter().any(|one| !one.is_finished()));
        fleet.kill(name);
        fleet = tokio::task::spawn_blocking(move || {
            fleet.start_missing();
            fleet
        })
        .await
        .unwrap();
    }
    for one in asking {
        tests::within(one).await.unwrap();
    }
    let all = told.load(Ordering::Relaxed);
    let store =
        Store::open_read_only(fleet.database("policy"), policy::migrations()).await.unwrap();
    // What is counted, what the leases come to, and what of them came back as used.
    let sum = Sql::same(
        "SELECT CAST((SELECT SUM(leased) FROM grant_volume) AS BIGINT), \
                CAST(SUM(COALESCE(used, persons)) AS BIGINT), \
                CAST(COALESCE(SUM(used), 0) AS BIGINT) FROM volume_lease",
    );
    let rows = store.read(&sum, Vec::new()).await.unwrap();
    let number = |place| u64::try_from(rows[0].try_get_by::<i64, usize>(place).unwrap()).unwrap();
    let (leased, leases, used) = (number(0), number(1), number(2));
    store.close().await;
    println!("{hit} kills, {all} told of {VOLUME}, {leased} counted, {used} used, seed {SEED}");
    // A kill of which nobody takes notice proves nothing.
    assert!(hit > KILLS / 2, "{hit} kills");
    assert!(all <= leased, "{all} told, {leased} counted");
    assert_eq!(leased, leases, "the count is the sum of the leases");
    // It is used up: all but what one process may hold beyond its needs.
    assert!(leased >= VOLUME - VOLUME / 8, "{leased}");
    // Whoever was told and did not hear of it was on a connection that broke.
    assert!(used <= all + CALLS * u64::from(KILLS), "{used} used, {all} told");
    assert!(all > VOLUME / 4, "{all}");
}
