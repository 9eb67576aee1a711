//! Hidden looks absent (I7), also to whoever looks for somebody: nothing that a caller can hold or count tells them apart.

use contract::identity::v1::{
    NameLevel, ResolveOutcome, ResolvePersonAnswer, ResolvePersonRequest, SearchPersonsRequest,
};
use model::PersonalNumber;
use store::Engine;
use tests::{World, basis, on_both_engines};

use super::{NAME, Somebody, level, of_name, resolved, search, unresolved, world_of};
use crate::why;

on_both_engines!(
    i7_a_protected_person_is_resolved_as_an_absent_one,
    i7_a_protected_person_makes_nobody_ambiguous,
    i7_a_protected_parent_agrees_with_nothing,
    i7_a_protected_person_is_in_no_search,
);

const PROTECTED: &str = "Lê Giả Định Kín Mít";
const ABSENT: &str = "Lê Giả Định Vắng Mặt";

fn protected(id: u32, name: &'static str) -> Somebody {
    Somebody { protected: true, ..Somebody::new(id, name) }
}

fn police(request: ResolvePersonRequest) -> ResolvePersonRequest {
    ResolvePersonRequest { basis: Some(basis("investigation-identification")), ..request }
}

/// What a caller holds of an answer, apart from ids and times.
fn held(answer: &ResolvePersonAnswer) -> ResolvePersonAnswer {
    ResolvePersonAnswer { decision_id: String::new(), answer_time: None, ..answer.clone() }
}

async fn i7_a_protected_person_is_resolved_as_an_absent_one(engine: Engine) {
    let world = world_of(engine, &[Somebody::new(1, NAME), protected(2, PROTECTED)]).await;
    let client = world.client("insurance");
    resolved(&client, &of_name(NAME)).await;
    let mut seen = Vec::new();
    for name in [PROTECTED, ABSENT] {
        let (records, statements) = (world.records().await, world.statements());
        let call = resolved(&client, &of_name(name)).await;
        call.verify(&world.log).unwrap();
        let counts = (world.records().await - records, world.statements() - statements);
        let lengths =
            (call.answer_bytes.len(), call.receipt.leaf.len(), call.receipt.opening.len());
        seen.push((held(&call.answer), counts, lengths, tries(&world, name).await));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!((seen[0].0.outcome(), seen[0].1.0), (ResolveOutcome::NoMatch, 1));
    // It is there: whoever has the right to know finds it.
    let answer = resolved(&world.client("police"), &police(of_name(PROTECTED))).await.answer;
    assert_eq!(level(&answer), Some(NameLevel::Exact));
    world.stop().await;
}

/// How many more persons of a name may be tried.
async fn tries(world: &World, name: &str) -> u32 {
    let client = world.client("insurance");
    for tries in 0.. {
        match client.resolve_person(&of_name(name)).await.unwrap() {
            Ok(call) => assert_eq!(level(&call.answer), None),
            Err(refused) => {
                assert_eq!(why(&refused), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"));
                return tries;
            }
        }
    }
    unreachable!("the budget ends")
}

async fn i7_a_protected_person_makes_nobody_ambiguous(engine: Engine) {
    let world = world_of(engine, &[Somebody::new(1, NAME), protected(2, NAME)]).await;
    let answer = resolved(&world.client("insurance"), &of_name(NAME)).await.answer;
    assert_eq!(level(&answer), Some(NameLevel::Exact));
    // To whoever sees both they are two.
    let answer = resolved(&world.client("police"), &police(of_name(NAME))).await.answer;
    assert_eq!(level(&answer), None);
    world.stop().await;
}

/// That somebody is a protected person's child is not confirmed; nor is it of a number that nobody has.
async fn i7_a_protected_parent_agrees_with_nothing(engine: Engine) {
    let mother = protected(9, PROTECTED);
    let child = |id, name, mother: PersonalNumber| Somebody {
        mother: Some(mother),
        ..Somebody::new(id, name)
    };
    let nobody = Somebody::new(77, ABSENT).number();
    let people = [
        child(1, "Lê Giả Định Con Cả", mother.number()),
        child(2, "Lê Giả Định Con Út", nobody),
        child(3, "Lê Giả Định Con Nuôi", Somebody::new(4, NAME).number()),
        Somebody::new(4, NAME),
        mother,
    ];
    let world = world_of(engine, &people).await;
    let client = world.client("insurance");
    let mut seen = Vec::new();
    for (person, found) in [(&people[2], true), (&people[0], false), (&people[1], false)] {
        let statements = world.statements();
        let answer = resolved(&client, &of_name(person.name)).await.answer;
        assert_eq!(level(&answer).is_some(), found, "{}", person.name);
        seen.push(world.statements() - statements);
    }
    assert_eq!(seen[1], seen[2]);
    let answer = resolved(&world.client("police"), &police(of_name(people[0].name))).await.answer;
    assert!(level(&answer).is_some());
    world.stop().await;
}

async fn i7_a_protected_person_is_in_no_search(engine: Engine) {
    let world =
        world_of(engine, &[Somebody::new(1, NAME), protected(2, PROTECTED), protected(3, NAME)])
            .await;
    let client = world.client("insurance");
    let named = |name: &str| search::of_name(name, NameLevel::MarksFree);
    assert_eq!(search::listed(&client, &named(NAME)).await.parts.len(), 1);
    let mut seen = Vec::new();
    for name in [PROTECTED, ABSENT] {
        let (records, statements) = (world.records().await, world.statements());
        let found = search::listed(&client, &named(name)).await;
        assert!(found.parts.is_empty() && found.page.answer.listed == 0);
        assert!(!found.page.answer.truncated && found.page.answer.next_cursor.is_empty());
        let counts = (world.records().await - records, world.statements() - statements);
        seen.push((counts, found.page.answer_bytes.len()));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].0.0, 1);
    let basis = Some(basis("investigation-identification"));
    let request = SearchPersonsRequest { basis, ..named(NAME) };
    assert_eq!(search::listed(&world.client("police"), &request).await.parts.len(), 2);
    // Errors are said before anybody is looked for.
    let mut refusals = Vec::new();
    for name in [PROTECTED, ABSENT] {
        let request = ResolvePersonRequest { min_version: u64::MAX, ..of_name(name) };
        refusals.push(unresolved(&client, &request).await);
    }
    assert_eq!(refusals[0], refusals[1]);
    assert_eq!(why(&refusals[0]).1, "REGISTER_BEHIND");
    world.stop().await;
}
