//! Volumes of grants are leased to processes: what all of them tell together is never more than both sides signed, whoever is
//! killed, started again, or says something twice (Decision 1911/QD-TTg, Art. 3(4)(b)).
//!
//! | module | about |
//! |---|---|
//! | `killed` | processes of the binary that are killed |
//! | `lease` | what policy leases and takes back |

mod killed;
mod lease;

use contract::identity::v1::{GetPersonRequest, LookupOutcome, RecordConsentRequest};
use lienthong::client::{Client, Refused};
use store::Engine;
use tests::{World, ask, on_both_engines, people};
use time::Duration;

use crate::{
    consents::{believer, consent},
    verify::{about, claimed, name, verify},
    why,
};

on_both_engines!(
    what_is_compared_is_told,
    a_process_that_ends_in_order_gives_back_what_it_has,
    i9_a_lease_outlives_no_policy,
    a_call_that_is_not_recorded_tells_nobody,
    whoever_records_a_consent_is_told_of_a_person,
    a_consent_whose_answer_is_lost_is_counted,
);

const ITEM: &str = "birth_full_name";

fn is_used_up(refused: &Refused) {
    assert_eq!(why(refused), ("PermissionDenied", "VOLUME_USED_UP"), "{refused:?}");
}

/// Asks until the volume is used up; how many were told.
async fn until_used_up(client: &Client, request: &GetPersonRequest) -> u64 {
    let mut told = 0;
    loop {
        match client.get_person(request).await.unwrap() {
            Ok(answered) => {
                assert_eq!(answered.answer.outcome(), LookupOutcome::Match);
                told += 1;
            }
            Err(refused) => {
                is_used_up(&refused);
                return told;
            }
        }
    }
}

async fn what_is_compared_is_told(engine: Engine) {
    let mut world = World::new(engine).await;
    world.limit(2).await;
    let person = world.plain();
    let raw = world.raw("insurance").await;
    let request = about(person, vec![claimed(ITEM, name(person))]);
    for _ in 0..2 {
        assert_eq!(verify(&raw, &request).await.unwrap().answer.outcome(), LookupOutcome::Match);
    }
    is_used_up(&verify(&raw, &request).await.err().unwrap());
    // One volume for looking up and for comparing: both obtain.
    let refused = world.client("insurance").get_person(&ask(person, &[ITEM])).await.unwrap();
    is_used_up(&refused.err().unwrap());
    drop(raw);
    world.stop().await;
}

async fn a_process_that_ends_in_order_gives_back_what_it_has(engine: Engine) {
    let mut world = World::new(engine).await;
    world.limit(100).await;
    let request = ask(world.plain(), &[ITEM]);
    for told in 1..4 {
        world.client("insurance").get_person(&request).await.unwrap().unwrap();
        assert!(world.leased("obtain").await > told);
        world.stop_identity().await;
        assert_eq!(world.leased("obtain").await, told);
        world.start_identity().await;
    }
    world.stop().await;
}

/// What was leased is of no use while policy does not say that the decision stands.
async fn i9_a_lease_outlives_no_policy(engine: Engine) {
    let mut world = World::new(engine).await;
    world.limit(100).await;
    let (client, request) = (world.client("insurance"), ask(world.plain(), &[ITEM]));
    client.get_person(&request).await.unwrap().unwrap();
    let leased = world.leased("obtain").await;
    assert!(leased > 1);
    world.stop_policy().await;
    let refused = client.get_person(&request).await.unwrap().err().unwrap();
    assert_eq!(why(&refused), ("Unavailable", "POLICY_UNAVAILABLE"));
    world.start_policy().await;
    // And of use again: nothing is leased anew.
    world.told().await;
    client.get_person(&request).await.unwrap().unwrap();
    assert_eq!(world.leased("obtain").await, leased);
    world.stop().await;
}

/// While the access log is away nobody is told of anybody, and nobody is counted.
async fn a_call_that_is_not_recorded_tells_nobody(engine: Engine) {
    let mut world = World::new(engine).await;
    world.limit(3).await;
    let (client, request) = (world.client("insurance"), ask(world.plain(), &[ITEM]));
    world.stop_audit().await;
    for _ in 0..5 {
        let refused = client.get_person(&request).await.unwrap().err().unwrap();
        assert_eq!(why(&refused), ("Unavailable", "AUDIT_UNAVAILABLE"));
    }
    world.start_audit().await;
    // As soon as the log is reached again.
    while client.get_person(&request).await.unwrap().is_err() {}
    assert_eq!(until_used_up(&client, &request).await, 2);
    world.stop().await;
}

/// A consent that is recorded says that there is such a person, and one that is not says nothing and is not counted.
async fn whoever_records_a_consent_is_told_of_a_person(engine: Engine) {
    let mut world = World::new(engine).await;
    world.limit_portal(2).await;
    let (client, person) = (world.client("portal"), believer(&world));
    let record = async |request| client.record_consent(&request).await.unwrap();
    let nobody = RecordConsentRequest {
        subject: people::by_number("999300999999"),
        ..consent(&person, "k-0")
    };
    for _ in 0..3 {
        let answer = record(nobody.clone()).await.unwrap().answer;
        assert_eq!(answer.outcome(), LookupOutcome::NoMatch);
    }
    for key in ["k-1", "k-2"] {
        // Said again it is told as it was, and nobody more is.
        for _ in 0..2 {
            assert!(record(consent(&person, key)).await.unwrap().answer.consent.is_some());
        }
    }
    is_used_up(&record(consent(&person, "k-3")).await.err().unwrap());
    world.stop().await;
}

/// The same call is answered of it later, so it counts as soon as it stands.
async fn a_consent_whose_answer_is_lost_is_counted(engine: Engine) {
    let mut world = World::new(engine).await;
    world.limit_portal(1).await;
    let (client, person) = (world.client("portal"), believer(&world));
    let record = async |request| client.record_consent(&request).await.unwrap();
    world.stop_audit().await;
    let refused = record(consent(&person, "k-1")).await.err().unwrap();
    assert_eq!(why(&refused), ("Unavailable", "AUDIT_UNAVAILABLE"));
    world.start_audit().await;
    let answer = loop {
        // As soon as the log is reached again.
        if let Ok(answered) = record(consent(&person, "k-1")).await {
            break answered.answer;
        }
    };
    assert!(answer.consent.is_some());
    is_used_up(&record(consent(&person, "k-2")).await.err().unwrap());
    world.stop().await;
}

/// Two processes on one register, at the same time: never more than there is, and all of it when leases have ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i9_two_processes_tell_no_more_than_the_grant_together() {
    tests::within(async {
        let mut world = World::new(Engine::Postgres).await;
        world.limit(120).await;
        let (running, service) = world.another_identity().await;
        let request = ask(world.plain(), &[ITEM]);
        let (here, there) =
            (world.client("insurance"), world.client_at(running.address(), "insurance"));
        // One asks once, so that it holds what it does not use.
        there.get_person(&request).await.unwrap().unwrap();
        let told = 1 + until_used_up(&here, &request).await;
        assert!((100..120).contains(&told), "{told}");
        assert_eq!(world.leased("obtain").await, 120);
        // The other one has it still.
        let more = until_used_up(&there, &request).await;
        assert!(told + more <= 120 && more > 0, "{told} and {more}");
        // Another day, both at once; what one holds when the other is refused comes back when the lease ends.
        world.hands.step(Duration::DAY);
        let (one, two) =
            tokio::join!(until_used_up(&here, &request), until_used_up(&there, &request));
        let mut told = one + two;
        assert!(one > 0 && two > 0 && told <= 120, "{one} and {two}");
        world.hands.step(Duration::seconds(61));
        while told < 120 {
            told += until_used_up(&here, &request).await;
            told += until_used_up(&there, &request).await;
            assert!(told <= 120, "{told}");
        }
        is_used_up(&here.get_person(&request).await.unwrap().err().unwrap());
        running.stop().await;
        service.close().await;
        world.stop().await;
    })
    .await;
}
