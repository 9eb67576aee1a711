//! A policy service whose answers are lost, late or refusals, behind a server of ours; it counts as the real one does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
mod policy;

use std::sync::atomic::AtomicU32;

use contract::r#type::v1::ErrorReason;
use decide::{DecisionTable, TableAnswer};
use futures::stream;
use policy::{Fault, House};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{super::ClaimsRule, *};

/// A decision by which so many may be told of as a grant's volume has.
fn decision(grant: &str) -> Decision {
    let nobody = TableAnswer { visible: true, items: Vec::new() };
    Decision {
        id: "d".to_owned(),
        revision: "r".to_owned(),
        number: Some(1),
        connection: "c".to_owned(),
        database: String::new(),
        agreement: "a".to_owned(),
        claims: ClaimsRule::default(),
        valid_until: OffsetDateTime::UNIX_EPOCH,
        volume: Some(grant.to_owned()),
        purpose: String::new(),
        sealed_days: 0,
        signed_requests: false,
        verdict: Ok(DecisionTable::new(Vec::new(), vec![0], vec![nobody]).unwrap()),
    }
}

/// Only ends a hang.
fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

async fn take(house: &House, grant: &str) -> Result<Taken, NotTaken> {
    house.client.take(deadline(), &decision(grant), 1).await
}

fn is_away(taken: Result<Taken, NotTaken>, reason: ErrorReason) {
    let why = taken.err().unwrap();
    let NotTaken::NoDecision(NoDecision::Away(status)) = &why else { panic!("{why:?}") };
    assert_eq!(server::error::reason_of(status), Some(reason));
}

#[tokio::test]
async fn i4_a_lease_whose_answer_is_lost_is_asked_for_again_by_its_name() {
    let house = House::new(80).await;
    house.fails([Fault::Lost]);
    is_away(take(&house, "a").await, ErrorReason::PolicyUnavailable);
    let leased = house.leased("a");
    assert!(leased > 0);
    take(&house, "a").await.unwrap().told(1);
    assert_eq!(house.leased("a"), leased);
    let asked = house.asked();
    assert_eq!(asked[0].lease, asked[1].lease);
    assert_eq!(house.client.0.give_all().await, (0, 0));
    assert_eq!(house.leased("a"), 1);
    house.stop().await;
}

/// What is in doubt is given back, and what is asked for after that is another lease: the first is spent, and the volume is not.
#[tokio::test]
async fn a_lost_answer_makes_no_volume_used_up() {
    for answer_of_the_return in [None, Some(Fault::Lost), Some(Fault::Away)] {
        let house = House::new(80).await;
        house.fails([Fault::Lost].into_iter().chain(answer_of_the_return));
        is_away(take(&house, "a").await, ErrorReason::PolicyUnavailable);
        house.client.0.give_ended().await;
        take(&house, "a").await.unwrap().told(1);
        let asked = house.asked();
        assert_ne!(asked[0].lease, asked[2].lease);
        assert_eq!(house.client.0.give_all().await, (0, 0));
        assert_eq!(house.leased("a"), 1);
        house.stop().await;
    }
}

/// Whatever is lost: no more are told of than there are, all who are there are told of, and in the end nothing is lost.
#[tokio::test]
async fn i9_whatever_answers_are_lost_as_many_are_told_of_as_there_are() {
    const VOLUME: u32 = 60;
    for seed in 0..3 {
        let mut random = StdRng::seed_from_u64(seed);
        let house = House::new(VOLUME).await;
        let (mut told, mut held): (u32, Vec<Taken>) = (0, Vec::new());
        // Who holds somebody does not wait for itself.
        let take = async || house.client.take_beside(deadline(), &decision("a"), 1).await;
        while told < VOLUME {
            let fault = match random.random_range(0..10) {
                0..3 => Some(Fault::Lost),
                3 => Some(Fault::Away),
                _ => None,
            };
            house.fails(fault);
            match random.random_range(0..10) {
                0 => house.step(random.random_range(1..90)),
                1 => house.client.0.give_ended().await,
                2 => held.extend(take().await.ok()),
                3 => held.clear(),
                _ => match take().await {
                    Ok(taken) => {
                        taken.told(1);
                        told += 1;
                    }
                    Err(NotTaken::NoDecision(_)) => {}
                    // Policy is asked again after a while.
                    Err(NotTaken::UsedUp { .. }) => {
                        held.clear();
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                },
            }
            let out = told + u32::try_from(held.len()).unwrap();
            assert!(out <= house.leased("a"), "seed {seed}: {out}");
        }
        house.fails(None);
        held.clear();
        assert!(matches!(take().await, Err(NotTaken::UsedUp { .. })));
        assert_eq!(house.client.0.give_all().await, (0, 0));
        assert_eq!((told, house.leased("a")), (VOLUME, VOLUME), "seed {seed}");
        house.stop().await;
    }
}

#[tokio::test]
async fn those_who_wait_behind_an_ask_that_fails_share_what_came_of_it() {
    let house = House::new(80).await;
    let (first, second) = (Fault::held(), Fault::held());
    house.fails([first.clone(), second.clone()]);
    let ended = Arc::new(AtomicU32::new(0));
    let many = (0..20).map(|_| {
        let (client, ended) = (house.client.clone(), Arc::clone(&ended));
        tokio::spawn(async move {
            let taken = client.take(deadline(), &decision("a"), 1).await;
            ended.fetch_add(1, Ordering::Relaxed);
            taken.map(|taken| taken.count())
        })
    });
    let many: Vec<_> = many.collect();
    // All of them wait while the one that asks is held.
    let grant = house.client.0.volumes.grant("c", "a");
    while house.asked().is_empty() || grant.waiting.load(Ordering::Relaxed) < 20 {
        tokio::task::yield_now().await;
    }
    first.let_go();
    for one in many {
        let why = one.await.unwrap().err().unwrap();
        assert!(matches!(why, NotTaken::NoDecision(NoDecision::Away(_))), "{why:?}");
    }
    assert_eq!((house.asked().len(), ended.load(Ordering::Relaxed)), (1, 20));
    // Whoever comes after that asks anew.
    second.let_go();
    is_away(take(&house, "a").await, ErrorReason::PolicyUnavailable);
    take(&house, "a").await.unwrap().told(1);
    assert_eq!(house.asked().len(), 3);
    house.stop().await;
}

/// A refusal that says nothing of the grant takes nothing from whoever has a lease of it.
#[tokio::test]
async fn only_a_grant_that_is_no_more_is_decided_anew() {
    let house = House::new(2).await;
    let held = take(&house, "a").await.unwrap();
    house.fails([Fault::Refused(ErrorReason::MethodNotAllowed)]);
    is_away(take(&house, "a").await, ErrorReason::MethodNotAllowed);
    let grant = house.client.0.volumes.grant("c", "a");
    assert_eq!(grant.left(), (2, 0));
    house.fails([Fault::Refused(ErrorReason::NoAgreement)]);
    let why = take(&house, "a").await.err().unwrap();
    assert!(matches!(why, NotTaken::NoDecision(NoDecision::Overtaken)), "{why:?}");
    assert_eq!(grant.left(), (0, 0));
    held.told(1);
    house.stop().await;
}

#[tokio::test]
async fn a_process_that_ends_gives_back_all_that_it_has() {
    let house = House::new(1_000).await;
    // Leases of one person each, more than are given back at once.
    house.leases_what_is_needed();
    let mut held = Vec::new();
    for _ in 0..230 {
        held.push(take(&house, "a").await.unwrap());
    }
    for taken in held.drain(..3) {
        taken.told(1);
    }
    drop(held);
    house.fails([Fault::Lost, Fault::Away]);
    assert_eq!(house.client.0.give_all().await, (0, 0));
    assert_eq!(house.leased("a"), 3);
    house.stop().await;
}

#[tokio::test]
async fn a_process_that_ends_gives_back_many_grants_at_once_and_counts_what_stays() {
    let house = House::new(80).await;
    let grants = ["a", "b", "c", "d"];
    for grant in grants {
        take(&house, grant).await.unwrap().told(1);
    }
    // Each is answered only when all have come.
    let met = Fault::met(grants.len());
    house.fails(grants.map(|_| met.clone()));
    assert_eq!(house.client.0.give_all().await, (0, 0));
    for grant in grants {
        assert_eq!(house.leased(grant), 1);
    }
    // One that is never answered keeps no other from coming back.
    for grant in grants {
        take(&house, grant).await.unwrap().told(1);
    }
    let (never, before) = (Fault::held(), house.leased("a"));
    house.fails_of("a", never.clone());
    assert_eq!(house.client.0.give_all().await, (1, u64::from(before) - 2));
    for grant in ["b", "c", "d"] {
        assert_eq!(house.leased(grant), 2);
    }
    never.let_go();
    house.stop().await;
}
