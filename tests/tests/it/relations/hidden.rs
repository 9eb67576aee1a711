//! Hidden looks absent (I7), also as somebody's relative, in either direction, and as who is asked about.

use contract::{
    identity::v1::{
        GetHouseholdRequest, ListRelationsRequest, LookupOutcome, RelationDirection as Direction,
    },
    r#type::v1::AccessBasis,
};
use model::RelationKind;
use store::Engine;
use tests::{Options, World, basis, on_both_engines, people};

use super::{
    BOTH_WAYS, Kin, MOTHER, POLICE, RELATIVES, household, related, told, untold, world_of,
};
use crate::why;

on_both_engines!(
    i7_a_protected_relative_is_not_there_in_either_direction,
    i7_a_protected_member_is_not_there_nor_anybody_found_through_it,
    i7_a_protected_subject_is_a_miss_as_an_absent_one,
    i7_errors_are_the_same_for_hidden_and_absent_subjects,
);

/// What a caller holds of an answer, and what it can count: lengths, records and statements.
type Held = (Vec<u8>, Vec<usize>, u64, u64);

async fn held_of_relations(world: &World, request: &ListRelationsRequest) -> Held {
    let (records, statements) = (world.records().await, world.statements());
    let found = told(&world.client("insurance"), request).await;
    found.page.verify(&world.log).unwrap();
    let statements = world.statements() - statements;
    let mut answer = found.page.answer.clone();
    // Of two subjects who are there the versions differ.
    (answer.decision_id, answer.version) = (String::new(), answer.version.min(1));
    (answer.answer_time, answer.valid_until) = (None, None);
    let mut lengths = vec![found.page.receipt.leaf.len(), found.page.receipt.opening.len()];
    lengths.push(found.parts.len());
    let bytes = prost::Message::encode_to_vec(&answer);
    (bytes, lengths, world.records().await - records, statements)
}

async fn held_of_household(world: &World, request: &GetHouseholdRequest) -> Held {
    let (records, statements) = (world.records().await, world.statements());
    let found = household::told(&world.client("insurance"), request).await;
    found.page.verify(&world.log).unwrap();
    let statements = world.statements() - statements;
    let mut answer = found.page.answer.clone();
    (answer.decision_id, answer.version) = (String::new(), answer.version.min(1));
    (answer.answer_time, answer.valid_until) = (None, None);
    answer.items.clear();
    let mut lengths = vec![found.page.receipt.leaf.len(), found.page.receipt.opening.len()];
    lengths.push(found.parts.len());
    let bytes = prost::Message::encode_to_vec(&answer);
    (bytes, lengths, world.records().await - records, statements)
}

fn hidden() -> Kin {
    Kin::of(30, "Lê Giả Định Kín Mít").hidden()
}

/// Persons whose relatives are hidden, or there are none: to whoever may not know, they look the same.
async fn i7_a_protected_relative_is_not_there_in_either_direction(engine: Engine) {
    let nobody = Kin::of(77, "Lê Giả Định Không Ai");
    let (with, without) = (Kin::of(1, "Lê Giả Định Mẹ Một"), Kin::of(2, "Lê Giả Định Mẹ Hai"));
    let of_hidden = Kin::of(3, "Lê Giả Định Con Một").child_of(&hidden());
    let of_nobody = Kin::of(4, "Lê Giả Định Con Hai").child_of(&nobody);
    let alone = Kin::of(5, "Lê Giả Định Con Ba");
    let child = hidden().child_of(&with);
    let all = [&with, &without, &of_hidden, &of_nobody, &alone, &child].map(Clone::clone);
    let world = world_of(engine, &all).await;
    for (direction, subjects) in [
        (Direction::Inverse, vec![&with, &without]),
        (Direction::Forward, vec![&of_hidden, &of_nobody, &alone]),
    ] {
        // The first call of a connection may cost more.
        told(&world.client("insurance"), &related(&alone, direction, BOTH_WAYS)).await;
        let mut seen = Vec::new();
        for subject in subjects {
            let request = related(subject, direction, BOTH_WAYS);
            let held = held_of_relations(&world, &request).await;
            assert_eq!((held.1[2], held.2), (0, 1), "{}", subject.name);
            seen.push(held);
        }
        assert!(seen.iter().all(|held| *held == seen[0]), "{direction:?}: {seen:?}");
    }
    // It is there: whoever has the right to know is told.
    let police = world.client("police");
    for (subject, direction) in [(&with, Direction::Inverse), (&of_hidden, Direction::Forward)] {
        let found = told(&police, &related(subject, direction, POLICE)).await;
        assert_eq!(found.parts.len(), 1);
        assert!(!found.parts[0].answer.token.is_empty());
    }
    // One whom the record of somebody visible names by name alone cannot be told from others.
    let by_name = Kin::of(6, "Lê Giả Định Con Tư");
    let by_name = by_name.says(RELATIVES, RelationKind::Mother, hidden().name, None);
    world.add(vec![by_name.newcomer()]).await;
    let request = related(&by_name, Direction::Forward, BOTH_WAYS);
    let found = told(&world.client("insurance"), &request).await;
    assert_eq!(found.parts.len(), 1);
    assert!(found.parts[0].answer.token.is_empty() && found.parts[0].answer.items.is_empty());
    world.stop().await;
}

/// A hidden head leads to nobody, and a hidden member is nowhere.
async fn i7_a_protected_member_is_not_there_nor_anybody_found_through_it(engine: Engine) {
    let nobody = Kin::of(77, "Lê Giả Định Không Ai");
    let head = RelationKind::HouseholdHead;
    let member = RelationKind::HouseholdMember;
    let under_hidden = Kin::of(1, "Lê Giả Định Ở Một").lives_with(&hidden(), head);
    let under_nobody = Kin::of(2, "Lê Giả Định Ở Hai").lives_with(&nobody, head);
    let alone = Kin::of(3, "Lê Giả Định Ở Ba");
    let other = Kin::of(4, "Lê Giả Định Ở Tư").lives_with(&hidden(), head);
    let named_by_hidden = Kin::of(5, "Lê Giả Định Ở Năm");
    let of_head = hidden().lives_with(&named_by_hidden, member);
    let all = [&under_hidden, &under_nobody, &alone, &other, &named_by_hidden, &of_head];
    let world = world_of(engine, &all.map(Clone::clone)).await;
    let ask = |kin: &Kin| household::of(kin, BOTH_WAYS, &["residence_file_number"]);
    household::told(&world.client("insurance"), &ask(&alone)).await;
    let mut seen = Vec::new();
    for subject in [&under_hidden, &under_nobody, &alone, &named_by_hidden] {
        let held = held_of_household(&world, &ask(subject)).await;
        assert_eq!((held.1[2], held.2), (0, 1), "{}", subject.name);
        seen.push(held);
    }
    assert!(seen.iter().all(|held| *held == seen[0]), "{seen:?}");
    // Where a protected person lives is told by direction alone: of the head, of whom it names, and of whose head it is.
    let police = world.client("police");
    let undirected = household::of(&under_hidden, POLICE, &[]);
    assert!(household::told(&police, &undirected).await.parts.is_empty());
    let directed = AccessBasis { direction_reference: "DIR-1".to_owned(), ..basis(POLICE) };
    let directed = GetHouseholdRequest { basis: Some(directed), ..undirected };
    let found = household::told(&police, &directed).await;
    assert_eq!(found.parts.len(), 3);
    assert!(found.parts[0].answer.head);
    world.stop().await;
}

/// A protected subject, somebody who is not there, and a wrong claim.
fn nobodies() -> (Vec<Kin>, [Kin; 3]) {
    let (kept, plain) = (hidden().child_of(&MOTHER), Kin::of(31, "Lê Giả Định Sáng Tỏ"));
    let absent = Kin { name: kept.name, ..Kin::of(99, "") };
    let claimed = Kin { name: kept.name, ..plain.clone() };
    (vec![MOTHER, kept.clone(), plain], [kept, absent, claimed])
}

async fn i7_a_protected_subject_is_a_miss_as_an_absent_one(engine: Engine) {
    let (there, asked) = nobodies();
    let options = Options { misses_max: 4, ..Options::default() };
    let world = World::with(engine, options).await;
    world.add(there.iter().map(Kin::newcomer).collect()).await;
    let client = world.client("insurance");
    for direction in [Direction::Forward, Direction::Inverse] {
        let mut seen = Vec::new();
        told(&client, &related(&MOTHER, direction, BOTH_WAYS)).await;
        for kin in &asked {
            seen.push(held_of_relations(&world, &related(kin, direction, BOTH_WAYS)).await);
        }
        assert!(seen.iter().all(|held| *held == seen[0] && held.2 == 1), "{seen:?}");
        let found = told(&client, &related(&asked[0], direction, BOTH_WAYS)).await;
        assert_eq!(found.page.answer.outcome(), LookupOutcome::NoMatch);
        // Each was a miss of the budget that lookups have.
        let refused = untold(&client, &related(&asked[0], direction, BOTH_WAYS)).await;
        assert_eq!(why(&refused), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"));
        world.hands.step(time::Duration::HOUR);
    }
    let mut seen = Vec::new();
    household::told(&client, &household::of(&MOTHER, BOTH_WAYS, &[])).await;
    for kin in &asked {
        seen.push(held_of_household(&world, &household::of(kin, BOTH_WAYS, &[])).await);
    }
    assert!(seen.iter().all(|held| *held == seen[0] && held.2 == 1), "{seen:?}");
    world.stop().await;
}

async fn i7_errors_are_the_same_for_hidden_and_absent_subjects(engine: Engine) {
    let (there, asked) = nobodies();
    let world = world_of(engine, &there).await;
    let client = world.client("insurance");
    type Change = fn(&mut ListRelationsRequest);
    let changes: [(Change, &str); 4] = [
        (|r| r.claims = None, "INVALID_REQUEST"),
        (|r| r.min_version = u64::MAX, "REGISTER_BEHIND"),
        (|r| r.basis = Some(basis("birth-registration")), "NO_AGREEMENT"),
        (|r| r.subject = people::by_number("x"), "INVALID_REQUEST"),
    ];
    for (change, reason) in changes {
        let mut seen = Vec::new();
        for kin in &asked {
            let mut request = related(kin, Direction::Inverse, BOTH_WAYS);
            change(&mut request);
            let mut refused = untold(&client, &request).await;
            assert_eq!(why(&refused).1, reason);
            refused.metadata.retain(|(key, _)| key != "record_index");
            seen.push(refused);
        }
        assert!(seen.iter().all(|refused| *refused == seen[0]), "{seen:?}");
    }
    world.stop().await;
}
