//! What a lookup answers: exactly what was asked and granted, each value with its origin.

use contract::{
    identity::v1::{GetPersonAnswer, LookupOutcome},
    r#type::v1::{ItemOutcome, item_outcome::Outcome, item_value::Value},
};
use store::Engine;
use tests::{Person, World, ask, basis, on_both_engines, people};

/// Requested here: granted and held; granted and not held; not granted; not in the catalogue.
const ITEMS: [&str; 6] = [
    "sex",
    "death_or_missing_date",
    "ethnic_group",
    "shoe_size",
    "birth_full_name",
    "date_of_birth",
];

fn outcome<'a>(answer: &'a GetPersonAnswer, item: &str) -> &'a Outcome {
    let found: Vec<&ItemOutcome> = answer.items.iter().filter(|i| i.item == item).collect();
    assert_eq!(found.len(), 1, "{item} has one outcome");
    found[0].outcome.as_ref().unwrap()
}

/// The one value of an item, and its source.
fn value<'a>(answer: &'a GetPersonAnswer, item: &str) -> (&'a Value, &'a str) {
    let (Outcome::Value(held) | Outcome::Partial(held)) = outcome(answer, item) else {
        panic!("{item} has no value");
    };
    assert_eq!(held.values.len(), 1, "{item}");
    let origin = held.values[0].provenance.as_ref().unwrap();
    assert_eq!(origin.contribution_id, "test-population");
    assert_eq!(origin.known_time.unwrap().seconds, tests::world::NOW.unix_timestamp());
    (held.values[0].value.as_ref().unwrap().value.as_ref().unwrap(), &origin.source)
}

fn check_answer(answer: &GetPersonAnswer, person: &Person) {
    assert_eq!(answer.outcome(), LookupOutcome::Match);
    let order: Vec<&str> = answer.items.iter().map(|i| i.item.as_str()).collect();
    assert_eq!(order, ITEMS);

    let (name, source) = value(answer, "birth_full_name");
    assert!(matches!(name, Value::Name(name) if name.full_name == person.name()));
    assert_eq!(source, person.said("birth_full_name").next().unwrap().2);
    let (date, _) = value(answer, "date_of_birth");
    let born = person.born();
    assert!(matches!(date, Value::Date(date) if (date.year, date.month, date.day)
        == (born.year(), i32::from(born.month()), i32::from(born.day()))));
    let (sex, _) = value(answer, "sex");
    let Value::Coded(sex) = sex else { panic!("sex is a code") };
    assert_eq!(sex.display, if sex.code == "1" { "Nam" } else { "Nữ" });

    assert!(matches!(outcome(answer, "death_or_missing_date"), Outcome::NotHeld(_)));
    assert!(matches!(outcome(answer, "shoe_size"), Outcome::UnknownItem(_)));
    let Outcome::Withheld(withheld) = outcome(answer, "ethnic_group") else {
        panic!("an item outside the agreement is withheld");
    };
    assert_eq!(withheld.rule, "agreement-scope");
    assert_eq!(withheld.article, "Decision 1911/QD-TTg, Art. 2(1)");
    assert_eq!(withheld.legal_basis, "1911-2021-art-2-1");

    assert!(answer.version > 0);
    assert_eq!(answer.etag.len(), 64);
    assert!(!answer.decision_id.is_empty() && !answer.policy_revision.is_empty());
    assert_eq!(answer.request_id, "request-1");
    let now = tests::world::NOW.unix_timestamp();
    assert_eq!(answer.answer_time.unwrap().seconds, now);
    assert_eq!(answer.valid_until.unwrap().seconds, now + 86_400);
}

async fn i3_one_outcome_for_each_item_in_order_within_asked_and_granted(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let client = world.client("insurance");
    let by_number = client.get_person(&ask(&person, &ITEMS)).await.unwrap().unwrap();
    check_answer(&by_number.answer, &person);

    let mut request = ask(&person, &ITEMS);
    request.subject = people::by_old_number(person.old_number().unwrap());
    let by_old_number = client.get_person(&request).await.unwrap().unwrap();
    check_answer(&by_old_number.answer, &person);
    assert_eq!(by_old_number.answer.items, by_number.answer.items);
    assert_eq!(by_old_number.answer.etag, by_number.answer.etag);
    assert_eq!(by_old_number.answer.version, by_number.answer.version);
    world.stop().await;
}

async fn i3_a_single_item_gives_that_item_alone(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let answered = client.get_person(&ask(world.plain(), &["sex"])).await.unwrap().unwrap();
    assert_eq!(answered.answer.items.len(), 1);
    assert_eq!(answered.answer.items[0].item, "sex");
    world.stop().await;
}

/// A year-only record gives a partial date, matches a claim of the year, and no whole date.
async fn i3_a_year_alone_is_partial_and_answers_to_a_year_alone(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.person(|p| p.is_plain() && p.born().month() == 0).clone();
    let client = world.client("insurance");
    let mut request = ask(&person, &["date_of_birth"]);
    let answer = client.get_person(&request).await.unwrap().unwrap().answer;
    assert!(matches!(outcome(&answer, "date_of_birth"), Outcome::Partial(_)));
    let (date, _) = value(&answer, "date_of_birth");
    assert!(matches!(date, Value::Date(date) if (date.month, date.day) == (0, 0)
        && date.year == person.born().year()));

    let claimed = request.claims.as_mut().unwrap().date_of_birth.as_mut().unwrap();
    (claimed.month, claimed.day) = (1, 1);
    let answer = client.get_person(&request).await.unwrap().unwrap().answer;
    assert_eq!(answer.outcome(), LookupOutcome::NoMatch);
    world.stop().await;
}

/// Names are compared with case and spacing folded and marks kept.
async fn claims_fold_case_and_spacing_and_keep_marks(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let client = world.client("insurance");
    let spaced = person.name().replace(' ', "   ");
    for (name, expected) in [
        (person.name().to_uppercase(), LookupOutcome::Match),
        (format!("  {spaced} "), LookupOutcome::Match),
        (format!("{}x", person.name()), LookupOutcome::NoMatch),
    ] {
        let mut request = ask(&person, &["sex"]);
        request.claims.as_mut().unwrap().full_name = name.clone();
        let answer = client.get_person(&request).await.unwrap().unwrap().answer;
        assert_eq!(answer.outcome(), expected, "{name}");
    }
    world.stop().await;
}

/// Where the procedure waives claims, the number alone names the person.
async fn a_procedure_that_waives_claims_needs_none(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let mut request = ask(&person, &["birth_full_name"]);
    (request.claims, request.basis) = (None, Some(basis("investigation-identification")));
    let answered = world.client("police").get_person(&request).await.unwrap().unwrap();
    assert_eq!(answered.answer.outcome(), LookupOutcome::Match);
    world.stop().await;
}

on_both_engines!(
    i3_one_outcome_for_each_item_in_order_within_asked_and_granted,
    i3_a_single_item_gives_that_item_alone,
    i3_a_year_alone_is_partial_and_answers_to_a_year_alone,
    claims_fold_case_and_spacing_and_keep_marks,
    a_procedure_that_waives_claims_needs_none,
);
