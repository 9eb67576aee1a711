//! Who lives with a person: by its own record, by theirs, through the head, and by the residence file.

use contract::{
    identity::v1::{
        GetHouseholdAnswer, GetHouseholdRequest, HouseholdEvidence as By, LookupOutcome,
        MemberOfHousehold,
    },
    r#type::v1::{ItemOutcome, item_outcome::Outcome},
};
use lienthong::client::{Client, Pages};
use model::{CodedValue, RelationKind, Value};
use store::Engine;
use tests::{basis, on_both_engines, people};

use super::{BOTH_WAYS, FORWARD_ONLY, Kin, NAME, POLICE, name_in, name_of, world_of};
use crate::why;

on_both_engines!(
    a_household_is_told_by_all_that_says_so,
    i2_i3_a_household_is_told_as_far_as_it_is_granted,
);

const FILE: &str = "residence_file_number";
const TO_HEAD: &str = "relation_to_household_head";

pub(super) fn of(kin: &Kin, procedure: &str, items: &[&str]) -> GetHouseholdRequest {
    GetHouseholdRequest {
        subject: people::by_number(kin.number().as_str()),
        claims: kin.claims(),
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        basis: Some(basis(procedure)),
        request_id: "request-1".to_owned(),
        min_version: 0,
    }
}

pub(super) async fn told(
    client: &Client,
    request: &GetHouseholdRequest,
) -> Pages<GetHouseholdAnswer, MemberOfHousehold> {
    client.get_household(request).await.unwrap().unwrap_or_else(|refused| panic!("{refused}"))
}

fn file(number: &str) -> Value {
    Value::Text(number.to_owned())
}

/// A head whose record names one member; another whose record names the head; one of the same file; and a neighbour.
fn home() -> Vec<Kin> {
    let code = CodedValue {
        code_system: "household-relation".to_owned(),
        code_system_version: "1".to_owned(),
        code: "CH01".to_owned(),
        display: None,
    };
    let wife = Kin::of(2, "Lê Giả Định Vợ Hiền").with(FILE, file("SYN1"));
    let head = Kin::of(1, "Trần Giả Định Chủ Hộ").with(FILE, file("SYN1"));
    let head = head.lives_with(&wife, RelationKind::HouseholdMember);
    let head = head.with(TO_HEAD, Value::Coded(code));
    let child = Kin::of(3, "Trần Giả Định Con Cả");
    let child = child.lives_with(&head, RelationKind::HouseholdHead);
    let second = Kin::of(4, "Trần Giả Định Con Hai");
    let second = second.lives_with(&head, RelationKind::HouseholdHead);
    let in_file = Kin::of(5, "Lê Giả Định Cùng Sổ").with(FILE, file("SYN1"));
    let hidden = Kin::of(6, "Lê Giả Định Ẩn Danh").with(FILE, file("SYN1")).hidden();
    let other = Kin::of(7, "Lê Giả Định Khác Sổ").with(FILE, file("SYN2"));
    vec![head, wife, child, second, in_file, hidden, other]
}

/// Name, evidence, and whether it is the head, of each member.
fn members(told: &Pages<GetHouseholdAnswer, MemberOfHousehold>) -> Vec<(String, By, bool)> {
    let one = |member: &MemberOfHousehold| {
        (name_in(&member.items).unwrap(), member.evidence(), member.head)
    };
    let mut members: Vec<_> = told.parts.iter().map(|part| one(&part.answer)).collect();
    members.sort();
    members
}

async fn a_household_is_told_by_all_that_says_so(engine: Engine) {
    let people = home();
    let world = world_of(engine, &people).await;
    let client = world.client("insurance");
    let name = |place: usize| people[place].name.to_owned();
    let sorted = |mut all: Vec<(String, By, bool)>| {
        all.sort();
        all
    };
    for (subject, is_head, expected) in [
        (
            0,
            true,
            vec![
                (name(1), By::NamedBySubject, false),
                (name(2), By::NamesSubject, false),
                (name(3), By::NamesSubject, false),
                (name(4), By::ResidenceFile, false),
            ],
        ),
        (1, false, vec![(name(0), By::NamesSubject, false), (name(4), By::ResidenceFile, false)]),
        (
            2,
            false,
            vec![
                (name(0), By::NamedBySubject, true),
                (name(1), By::ThroughHead, false),
                (name(3), By::ThroughHead, false),
            ],
        ),
        (6, false, vec![]),
    ] {
        let before = world.records().await;
        let found = told(&client, &of(&people[subject], BOTH_WAYS, &[NAME, FILE])).await;
        assert_eq!(members(&found), sorted(expected), "{}", people[subject].name);
        assert_eq!(found.page.answer.head, is_head);
        assert_eq!(found.page.answer.outcome(), LookupOutcome::Match);
        assert_eq!(found.page.answer.listed as usize, found.parts.len());
        assert_eq!(name_in(&found.page.answer.items).as_deref(), Some(people[subject].name));
        // One for the subject and one for each of the others.
        assert_eq!(world.records().await, before + 1 + found.parts.len() as u64);
        for part in &found.parts {
            part.verify(&world.log).unwrap();
            assert!(part.answer.provenance.is_some());
            let known = name_of(&client, &part.answer.token, BOTH_WAYS).await;
            assert_eq!(known, name_in(&part.answer.items));
        }
        if subject == 2 {
            assert!(found.parts[0].answer.head, "the head comes first");
        }
    }
    world.stop().await;
}

async fn i2_i3_a_household_is_told_as_far_as_it_is_granted(engine: Engine) {
    let people = home();
    let world = world_of(engine, &people).await;
    let (client, police) = (world.client("insurance"), world.client("police"));
    let refused = client.get_household(&of(&people[0], FORWARD_ONLY, &[])).await.unwrap().err();
    assert_eq!(why(&refused.unwrap()), ("PermissionDenied", "NO_AGREEMENT"));
    // Without the file nobody is found by it, whether it is not asked for or not granted.
    let found = told(&client, &of(&people[0], BOTH_WAYS, &[])).await;
    assert_eq!((found.parts.len(), found.page.answer.items.len()), (3, 0));
    let found = told(&police, &of(&people[0], POLICE, &[FILE, TO_HEAD])).await;
    assert_eq!(found.parts.len(), 3);
    for items in found.parts.iter().map(|p| &p.answer.items).chain([&found.page.answer.items]) {
        let asked: Vec<&str> = items.iter().map(|outcome| outcome.item.as_str()).collect();
        assert_eq!(asked, [FILE, TO_HEAD]);
        let withheld =
            |outcome: &ItemOutcome| matches!(outcome.outcome, Some(Outcome::Withheld(_)));
        assert!(items.iter().all(withheld), "{items:?}");
    }
    let found = told(&client, &of(&people[0], BOTH_WAYS, &[TO_HEAD])).await;
    let held = |items: &[ItemOutcome]| matches!(items[0].outcome, Some(Outcome::Value(_)));
    assert!(held(&found.page.answer.items));
    assert!(found.parts.iter().all(|part| !held(&part.answer.items)));
    world.stop().await;
}
