//! Households: joined, left, and under another head.

use contract::contribution::v1::{HouseholdChange, HouseholdMember, Party};

use super::*;

on_both_engines!(
    a_household_is_joined_left_and_has_another_head,
    who_lives_with_whom_is_said_of_all_or_of_nobody,
);

const CHANGE: (&str, &str) = ("household-change", "Z05.DEMO.CUTRU");
const MEMBERS: &str = "household_members";

fn household(
    key: &str,
    head: &Villager,
    members: &[&Villager],
    left: &[&Villager],
    day: i32,
) -> SubmitContributionRequest {
    let parties = |of: &[&Villager]| -> Vec<Party> {
        of.iter().map(|villager| party(villager.about())).collect()
    };
    let member = |person| HouseholdMember { person: Some(person), relation_to_head: None };
    let change = Life::Household(HouseholdChange {
        residence_file_number: format!("SYN-{}", head.2),
        members: parties(members).into_iter().map(member).collect(),
        left: parties(left),
        left_file_number: String::new(),
    });
    let mut request = life(key, CHANGE, head.about(), (2026, 1, day), change);
    let Some(Event::LifeEvent(event)) = &mut request.event else { panic!() };
    event.registration = None;
    request
}

/// With whom somebody lives, by name.
async fn lives_with(whole: &Whole, of: &Villager) -> Vec<(RelationKind, String)> {
    let mut all = related(whole, of, MEMBERS).await;
    all.sort_by(|one, other| one.1.cmp(&other.1));
    all
}

fn head(of: &Villager) -> (RelationKind, String) {
    (RelationKind::HouseholdHead, of.0.to_owned())
}

fn member(of: &Villager) -> (RelationKind, String) {
    (RelationKind::HouseholdMember, of.0.to_owned())
}

async fn file_number(whole: &Whole, of: &Villager) -> Option<String> {
    match held(whole, of, "residence_file_number").await.as_slice() {
        [] => None,
        [item_value::Value::Text(text)] => Some(text.clone()),
        other => panic!("{}", other.len()),
    }
}

async fn a_household_is_joined_left_and_has_another_head(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("residence");
    submit(&client, &household("h-1", &DUNG, &[&AN, &CHI], &[], 1)).await;
    assert_eq!(lives_with(&whole, &AN).await, [member(&CHI), head(&DUNG)]);
    assert_eq!(lives_with(&whole, &DUNG).await, [member(&CHI), member(&AN)]);
    let to_head = "relation_to_household_head";
    assert_eq!(held_code(&whole, &DUNG, to_head).await.as_deref(), Some("CH01"));
    // Chi leaves, and Bình comes.
    submit(&client, &household("h-2", &DUNG, &[&AN, &BINH], &[&CHI], 2)).await;
    assert!(lives_with(&whole, &CHI).await.is_empty());
    assert_eq!(file_number(&whole, &CHI).await, None);
    assert_eq!(lives_with(&whole, &DUNG).await, [member(&AN), member(&BINH)]);
    assert_eq!(lives_with(&whole, &BINH).await, [member(&AN), head(&DUNG)]);
    // An is its head now, of a file of his own.
    submit(&client, &household("h-3", &AN, &[&DUNG, &BINH], &[], 3)).await;
    assert_eq!(lives_with(&whole, &BINH).await, [head(&AN), member(&DUNG)]);
    assert_eq!(lives_with(&whole, &AN).await, [member(&DUNG), member(&BINH)]);
    assert_eq!(held_code(&whole, &AN, to_head).await.as_deref(), Some("CH01"));
    assert_eq!(held_code(&whole, &DUNG, to_head).await, None);
    assert_eq!(file_number(&whole, &DUNG).await.as_deref(), Some("SYN-1990"));
    // What was never so counts for nobody.
    let items = ["residence_file_number", to_head, MEMBERS];
    let mut annulled = annulment("a-1", "household-change", "h-3", &items);
    annulled.basis = Some(ground("household-change", "Z05.DEMO.CUTRU"));
    submit(&client, &annulled).await;
    assert_eq!(lives_with(&whole, &BINH).await, [member(&AN), head(&DUNG)]);
    assert_eq!(held_code(&whole, &DUNG, to_head).await.as_deref(), Some("CH01"));
    whole.persons().await;
    whole.all.stop().await;
}

async fn who_lives_with_whom_is_said_of_all_or_of_nobody(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("residence");
    submit(&whole.client("civil-status"), &death("d-1", AN.about())).await;
    let request = household("h-1", &DUNG, &[&AN, &HIDDEN], &[&BINH], 1);
    let at = |list: &str| format!("life_event.household.{list}");
    assert_eq!(
        rejected(&client, &request).await,
        [
            ("PERSON_DECEASED".to_owned(), at("members[0].person")),
            ("PERSON_NOT_FOUND".to_owned(), at("members[1].person")),
        ]
    );
    assert!(lives_with(&whole, &DUNG).await.is_empty());
    // Somebody left whom the register did not hold there: that she came is heard of later, and changes nothing (I5).
    submit(&client, &household("h-2", &DUNG, &[&CHI], &[&BINH], 2)).await;
    submit(&client, &household("h-1b", &DUNG, &[&BINH], &[], 1)).await;
    assert!(lives_with(&whole, &BINH).await.is_empty());
    assert_eq!(lives_with(&whole, &DUNG).await, [member(&CHI)]);
    // The dead can leave.
    submit(&client, &household("h-3", &DUNG, &[], &[&CHI, &AN], 3)).await;
    assert!(lives_with(&whole, &DUNG).await.is_empty());
    whole.persons().await;
    whole.all.stop().await;
}
