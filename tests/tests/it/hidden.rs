//! Hidden looks absent (I7): whatever a caller can hold or count is the same for a protected person, an
//! absent one, and one of whom other things are true than was claimed. Time is not measured.

use contract::identity::v1::{GetPersonAnswer, GetPersonRequest, LookupOutcome};
use lienthong::client::{Answered, Client};
use store::Engine;
use tests::{Options, Person, World, ask, basis, on_both_engines, people};

use crate::{answered, refused, why};

const ITEMS: [&str; 3] = ["birth_full_name", "ethnic_group", "shoe_size"];

/// A protected person with its true claims, somebody who is not there, and a plain person under another
/// name.
fn nobody(world: &World) -> [(&'static str, GetPersonRequest); 3] {
    let protected = world.person(|p| p.0.protected && p.has_whole_date());
    let plain = world.plain();
    let hidden = ask(protected, &ITEMS);
    // Same lengths as the protected person's, so that lengths can be compared.
    let absent =
        GetPersonRequest { subject: people::by_number(absent_number(world)), ..hidden.clone() };
    let claimed = GetPersonRequest { subject: people::by_number(plain.number()), ..hidden.clone() };
    [("protected", hidden), ("absent", absent), ("wrong claims", claimed)]
}

/// A well-formed number that nobody has.
fn absent_number(world: &World) -> &'static str {
    const NOBODYS: &str = "999300999999";
    assert!(world.people().iter().all(|p| p.number() != NOBODYS));
    NOBODYS
}

/// What a caller holds of a call, apart from ids and times.
fn held(answered: &Answered<GetPersonAnswer>) -> (GetPersonAnswer, [usize; 5]) {
    let answer = GetPersonAnswer {
        decision_id: String::new(),
        answer_time: None,
        valid_until: None,
        ..answered.answer.clone()
    };
    let receipt = &answered.receipt;
    let proof = receipt.proof.iter().map(Vec::len).max().unwrap_or_default();
    let lengths = [
        answered.answer_bytes.len(),
        receipt.leaf.len(),
        receipt.opening.len(),
        proof,
        answered.answer.decision_id.len(),
    ];
    (answer, lengths)
}

async fn i7_hidden_looks_absent_to_whoever_asks(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    // Every call stands at the same place of a pair, so that proofs are as long.
    answered(&client, &ask(world.plain(), &ITEMS)).await;
    let mut seen = Vec::new();
    for (kind, request) in nobody(&world) {
        let before = world.records().await;
        let call = answered(&client, &request).await;
        assert_eq!(world.records().await, before + 1, "{kind}: one record");
        call.verify(&world.log).unwrap();
        let answer = &call.answer;
        assert_eq!(answer.outcome(), LookupOutcome::NoMatch, "{kind}");
        assert!(answer.items.is_empty() && answer.etag.is_empty(), "{kind}");
        assert_eq!(answer.version, 0, "{kind}");
        assert_eq!(call.receipt.leaf.len(), tlog::LEAF_LEN);
        seen.push((kind, held(&call)));
    }
    let (_, first) = &seen[0];
    for (kind, other) in &seen {
        assert_eq!(other, first, "{kind}");
    }
    world.stop().await;
}

/// The protected person is there: whoever has the right to know finds it by the same number.
async fn i7_whoever_has_the_right_sees_the_hidden_person(engine: Engine) {
    let world = World::new(engine).await;
    let [(_, hidden), ..] = nobody(&world);
    let basis = Some(basis("investigation-identification"));
    let request = GetPersonRequest { basis, ..hidden };
    let answer = answered(&world.client("police"), &request).await.answer;
    assert_eq!(answer.outcome(), LookupOutcome::Match);
    world.stop().await;
}

/// What is wrong with a request, or unknown to the register, is said before anybody is looked for.
async fn i7_errors_are_the_same_for_hidden_and_absent(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    type Change = fn(&mut GetPersonRequest);
    let changes: [(Change, &str, u64); 6] = [
        (|r| r.items = vec!["*".into()], "INVALID_REQUEST", 0),
        (|r| r.claims = None, "INVALID_REQUEST", 0),
        (|r| r.min_version = u64::MAX, "REGISTER_BEHIND", 0),
        (|r| r.basis = Some(basis("birth-registration")), "NO_AGREEMENT", 1),
        (|r| r.items = vec!["ethnic_group".into()], "NOTHING_ALLOWED", 1),
        (|r| r.basis.as_mut().unwrap().legal_basis = "x".into(), "BASIS_NOT_IN_FORCE", 1),
    ];
    for (change, reason, recorded) in changes {
        let mut seen = Vec::new();
        for (kind, mut request) in nobody(&world) {
            change(&mut request);
            let before = world.records().await;
            let mut refused = refused(&client, &request).await;
            assert_eq!(why(&refused).1, reason, "{kind}");
            assert_eq!(world.records().await - before, recorded, "{kind}: {reason}");
            refused.metadata.retain(|(key, _)| key != "record_index");
            seen.push(refused);
        }
        assert!(seen.iter().all(|refused| *refused == seen[0]), "{seen:?}");
    }
    world.stop().await;
}

/// How many lookups of `request` are answered before the budget is spent.
async fn spent_after(client: &Client, request: &GetPersonRequest, known: &Person) -> u32 {
    for misses in 0.. {
        match client.get_person(&ask(known, &["sex"])).await.unwrap() {
            Ok(call) => assert_eq!(call.answer.outcome(), LookupOutcome::Match),
            Err(refused) => {
                assert_eq!(refused.reason, "GUESSING_BUDGET_SPENT");
                return misses;
            }
        }
        answered(client, request).await;
    }
    unreachable!("the budget ends")
}

async fn i7_hidden_and_absent_cost_the_same(engine: Engine) {
    let world = World::with(engine, Options { misses_max: 3, ..Options::default() }).await;
    let client = world.client("insurance");
    for (kind, request) in nobody(&world) {
        assert_eq!(spent_after(&client, &request, world.plain()).await, 3, "{kind}");
        world.hands.step(time::Duration::HOUR);
    }
    world.stop().await;
}

async fn i7_hidden_and_absent_take_the_same_statements(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    answered(&client, &ask(world.plain(), &ITEMS)).await;
    for items in [&ITEMS[..], &["family_relations"]] {
        let mut seen = Vec::new();
        for (kind, mut request) in nobody(&world) {
            request.items = items.iter().map(|item| (*item).to_owned()).collect();
            let before = world.statements();
            answered(&client, &request).await;
            seen.push((kind, world.statements() - before));
        }
        let counts: Vec<u64> = seen.iter().map(|(_, count)| *count).collect();
        assert!(counts.iter().all(|count| *count == counts[0] && *count > 0), "{seen:?}");
    }
    world.stop().await;
}

on_both_engines!(
    i7_hidden_looks_absent_to_whoever_asks,
    i7_whoever_has_the_right_sees_the_hidden_person,
    i7_errors_are_the_same_for_hidden_and_absent,
    i7_hidden_and_absent_cost_the_same,
    i7_hidden_and_absent_take_the_same_statements,
);
