//! On what conditions a caller has an item: told with it, carried out where that is the register's part (Decision 1911/QD-TTg,
//! Art. 3(4)(b): what the agreement says).

use contract::{
    identity::v1::{ClaimOutcome, GetPersonAnswer, GetPersonRequest, LookupOutcome},
    r#type::v1::{
        Address, Identifier, IdentifierKind, ItemOutcome, MaskForm, item_outcome::Outcome,
        item_value::Value, obligation::Obligation,
    },
};
use lienthong::client::{Client, Refused};
use store::Engine;
use tests::{World, ask, events::code, on_both_engines, world::NOW};

use crate::{
    answered,
    verify::{about, claimed, verify},
};

const ITEMS: [&str; 4] =
    ["personal_id_number", "permanent_residence", "sex", "death_or_missing_date"];
/// What the agreement of the tests grants, and the same on conditions.
const GRANTED: &str = r#"items = [
  "birth_full_name",
  "personal_id_number",
  "date_of_birth",
  "sex",
  "death_or_missing_date",
  "family_relations",
  "permanent_residence",
  "contact_points","#;
const ON_CONDITIONS: &str = r#"items = ["personal_id_number"]
obligations = ["mask=last-four"]

[[agreement.grant]]
action = "obtain"
procedure = "child-health-insurance-card"
legal_basis = "1911-2021-art-2-1"
items = ["permanent_residence"]
obligations = ["mask=province", "max-age=60"]

[[agreement.grant]]
action = "obtain"
procedure = "child-health-insurance-card"
legal_basis = "1911-2021-art-2-1"
obligations = ["no-onward-transfer", "max-age=3600"]
items = ["sex", "death_or_missing_date"]

[[agreement.grant]]
action = "obtain"
procedure = "child-health-insurance-card"
legal_basis = "1911-2021-art-2-1"
items = [
  "birth_full_name",
  "date_of_birth",
  "family_relations",
  "contact_points","#;
/// Whoever finds persons by an item is told of no conditions, so it must be obtained without any.
const RESOLVED: [&str; 2] = [
    r#"items = ["birth_full_name", "date_of_birth", "sex"]

[[agreement.grant]]
action = "obtain"
procedure = "burial-allowance""#,
    r#"items = ["birth_full_name", "date_of_birth"]

[[agreement.grant]]
action = "obtain"
procedure = "burial-allowance""#,
];

/// The agreement on conditions.
async fn agreed(world: &mut World, conditions: &str) {
    world.change_registry(RESOLVED[0], RESOLVED[1]).await;
    world.change_registry(GRANTED, conditions).await;
}

/// The answer, once the way to policy, which was started anew, is found again.
async fn told(client: &Client, request: &GetPersonRequest) -> Result<GetPersonAnswer, Refused> {
    loop {
        match client.get_person(request).await.unwrap() {
            Ok(answered) => return Ok(answered.answer),
            Err(refused) if refused.reason == "POLICY_UNAVAILABLE" => {}
            Err(refused) => return Err(refused),
        }
    }
}

fn obligations(item: &ItemOutcome) -> Vec<Obligation> {
    item.obligations.iter().map(|obligation| obligation.obligation.unwrap()).collect()
}

fn only(answer: &GetPersonAnswer, item: &str) -> Value {
    let found = answer.items.iter().find(|told| told.item == item).unwrap();
    let Some(Outcome::Value(held) | Outcome::Partial(held)) = &found.outcome else {
        panic!("{item} is told")
    };
    held.values[0].value.as_ref().unwrap().value.clone().unwrap()
}

async fn an_item_comes_with_its_conditions_and_in_the_form_that_they_say(engine: Engine) {
    let mut world = World::new(engine).await;
    let person = world.plain().clone();
    let client = world.client("insurance");
    let free = answered(&client, &ask(&person, &ITEMS)).await.answer;
    assert!(free.items.iter().all(|item| item.obligations.is_empty()));

    agreed(&mut world, ON_CONDITIONS).await;
    world.hands.step(time::Duration::seconds(1));
    let answer = told(&client, &ask(&person, &ITEMS)).await.unwrap();
    let order: Vec<&str> = answer.items.iter().map(|item| item.item.as_str()).collect();
    assert_eq!(order, ITEMS);
    let number = person.number();
    let last_four = format!("********{}", &number[8..]);
    assert!(only(&answer, "personal_id_number") == Value::Text(last_four));
    assert!(matches!(answer.items[1].outcome, Some(Outcome::Partial(_))));
    let Value::Address(whole) = only(&free, "permanent_residence") else { panic!("a place") };
    let Value::Address(told) = only(&answer, "permanent_residence") else { panic!("a place") };
    assert!(!whole.text.is_empty() && !whole.province_code.is_empty());
    let province = Address {
        province_code: whole.province_code,
        country_code: whole.country_code,
        units_version: whole.units_version,
        ..Address::default()
    };
    assert!(told == province);
    let age = |seconds| Obligation::MaxAge(prost_types::Duration { seconds, nanos: 0 });
    let mask = |form: MaskForm| Obligation::Mask(form.into());
    let for_itself =
        Obligation::NoOnwardTransfer(contract::r#type::v1::NoOnwardTransfer::default());
    assert_eq!(obligations(&answer.items[0]), [mask(MaskForm::LastFour)]);
    assert_eq!(obligations(&answer.items[1]), [mask(MaskForm::Province), age(60)]);
    // Whether or not a value is held.
    assert!(matches!(answer.items[2].outcome, Some(Outcome::Value(_))));
    assert!(matches!(answer.items[3].outcome, Some(Outcome::NotHeld(_))));
    for item in &answer.items[2..] {
        assert_eq!(obligations(item), [age(3_600), for_itself]);
    }
    // A copy of the whole may be used as long as each of its items.
    let at = answer.answer_time.unwrap().seconds;
    assert_eq!(answer.valid_until.unwrap().seconds, at + 60);
    world.stop().await;
}

/// Whether a whole value agrees says more than the form that is granted.
async fn i3_a_value_of_which_a_form_is_granted_is_not_compared(engine: Engine) {
    let mut world = World::new(engine).await;
    let person = world.plain().clone();
    agreed(&mut world, ON_CONDITIONS).await;
    let raw = world.raw("insurance").await;
    let number = || Identifier {
        kind: IdentifierKind::PersonalNumber.into(),
        value: person.number().to_owned(),
    };
    let number = || claimed("personal_id_number", Value::Identifier(number()));
    let sex = code("sex", "1", "1").unwrap();
    let request = about(&person, vec![number(), claimed("sex", Value::Coded(sex))]);
    let answer = loop {
        match verify(&raw, &request).await {
            Ok(answered) => break answered.answer,
            Err(refused) => assert_eq!(refused.reason, "POLICY_UNAVAILABLE"),
        }
    };
    assert_eq!(answer.outcome(), LookupOutcome::Match);
    let [denied, compared] = &answer.results[..] else { panic!("one for each claim") };
    assert_eq!(denied.outcome(), ClaimOutcome::Denied);
    assert_eq!(denied.denied.as_ref().unwrap().rule, "masked");
    assert!(denied.obligations.is_empty());
    // What is said of a value is on the conditions of the value.
    assert!([ClaimOutcome::Match, ClaimOutcome::Mismatch].contains(&compared.outcome()));
    let all: Vec<_> = compared.obligations.iter().map(|one| one.obligation.unwrap()).collect();
    assert!(matches!(all[..], [Obligation::MaxAge(_), Obligation::NoOnwardTransfer(_)]), "{all:?}");
    let at = answer.answer_time.unwrap().seconds;
    assert_eq!(answer.valid_until.unwrap().seconds, at + 3_600);
    // Where nothing else is claimed nobody is looked for.
    let refused = verify(&raw, &about(&person, vec![number()])).await.err().expect("a refusal");
    assert_eq!((refused.reason.as_str(), refused.get("rule")), ("NOTHING_ALLOWED", Some("masked")));
    world.stop().await;
}

/// Up to a moment is until then, whatever is kept; and hidden persons are answered about as absent ones are (I7).
async fn i2_what_is_given_up_to_a_moment_is_withheld_afterwards(engine: Engine) {
    let mut world = World::new(engine).await;
    let client = world.client("insurance");
    let end = NOW.unix_timestamp() + 90;
    let conditions = ON_CONDITIONS.replace("mask=last-four", &format!("valid-until={end}"));
    agreed(&mut world, &conditions).await;
    let person = world.plain().clone();
    let hidden = world.person(|p| p.0.protected && p.has_whole_date()).clone();
    let items = ["personal_id_number", "birth_full_name"];
    world.hands.step(time::Duration::seconds(80));
    let before = told(&client, &ask(&person, &items)).await.unwrap();
    assert!(matches!(before.items[0].outcome, Some(Outcome::Value(_))));
    let until = prost_types::Timestamp { seconds: end, nanos: 0 };
    assert_eq!(obligations(&before.items[0]), [Obligation::ValidUntil(until)]);
    assert_eq!(before.valid_until, Some(until));
    let none = told(&client, &ask(&hidden, &items)).await.unwrap();
    assert_eq!(none.outcome(), LookupOutcome::NoMatch);
    let usual = none.answer_time.unwrap().seconds + 86_400;
    assert_eq!(none.valid_until.unwrap().seconds, usual, "there is nothing to keep");
    // In less than a decision is kept.
    world.hands.step(time::Duration::seconds(10));
    let after = told(&client, &ask(&person, &items)).await.unwrap();
    let Some(Outcome::Withheld(withheld)) = &after.items[0].outcome else { panic!() };
    assert_eq!(withheld.rule, "obligations-ended");
    assert!(after.items[0].obligations.is_empty());
    assert!(matches!(after.items[1].outcome, Some(Outcome::Value(_))));
    let refused = told(&client, &ask(&person, &items[..1])).await.unwrap_err();
    assert_eq!(refused.get("rule"), Some("obligations-ended"));
    world.stop().await;
}

on_both_engines!(
    an_item_comes_with_its_conditions_and_in_the_form_that_they_say,
    i3_a_value_of_which_a_form_is_granted_is_not_compared,
    i2_what_is_given_up_to_a_moment_is_withheld_afterwards,
);
