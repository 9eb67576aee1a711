//! Verifying claims: a word for each claimed value, never a value, and nothing of whoever is hidden.

use contract::{
    audit::v1::{Receipt, SealedResponse},
    identity::v1::{
        ClaimOutcome, ClaimedValue, LookupOutcome, VerifyClaimsAnswer, VerifyClaimsRequest,
    },
    r#type::v1::{
        ItemValue, PartialDate, PersonName, SubjectRef, item_outcome::Outcome, item_value::Value,
    },
};
use lienthong::client::{Answered, Refused};
use prost::Message as _;
use store::Engine;
use tests::{Options, Person, World, ask, basis, on_both_engines, people, raw::Raw};

use crate::{answered, why};

const VERIFY_CLAIMS: &str = "/lienthong.identity.v1.IdentityService/VerifyClaims";

pub(crate) async fn verify(
    raw: &Raw,
    request: &VerifyClaimsRequest,
) -> Result<Answered<VerifyClaimsAnswer>, Refused> {
    let reply = raw.call(VERIFY_CLAIMS, request, &[]).await.unwrap();
    if reply.status.code() != tonic::Code::Ok {
        return Err(reply.refused());
    }
    let sealed = SealedResponse::decode(reply.message.as_slice()).unwrap();
    Ok(Answered {
        request: request.encode_to_vec(),
        answer: VerifyClaimsAnswer::decode(sealed.answer.as_slice()).unwrap(),
        answer_bytes: sealed.answer,
        receipt: Receipt::decode(sealed.receipt.as_slice()).unwrap(),
    })
}

pub(crate) fn claimed(item: &str, value: Value) -> ClaimedValue {
    ClaimedValue { item: item.to_owned(), value: Some(ItemValue { value: Some(value) }) }
}

pub(crate) fn name(person: &Person) -> Value {
    Value::Name(PersonName { full_name: person.name().to_owned(), ..PersonName::default() })
}

fn year(year: i32) -> Value {
    Value::Date(PartialDate { year, month: 0, day: 0 })
}

pub(crate) fn about(person: &Person, values: Vec<ClaimedValue>) -> VerifyClaimsRequest {
    VerifyClaimsRequest {
        subject: people::by_number(person.number()),
        claims: Some(person.claims()),
        claimed_values: values,
        basis: Some(basis("child-health-insurance-card")),
        request_id: "request-1".to_owned(),
        min_version: 0,
    }
}

/// What the register holds of an item, as it gives it.
async fn held(world: &World, person: &Person, item: &str) -> Value {
    let answer = answered(&world.client("insurance"), &ask(person, &[item])).await.answer;
    let Some(Outcome::Value(held)) = answer.items[0].outcome.clone() else { panic!("{item}") };
    held.values[0].value.clone().unwrap().value.unwrap()
}

async fn i3_one_word_for_each_claim_and_never_a_value(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain();
    let Value::Coded(sex) = held(&world, person, "sex").await else { panic!("a code") };
    let mut other = sex.clone();
    other.code = if sex.code == "1" { "2" } else { "1" }.to_owned();
    let values = vec![
        claimed("no_such_item", year(2000)),
        claimed("sex", Value::Coded(other)),
        claimed("birth_full_name", name(person)),
        claimed("date_of_birth", year(person.born().year())),
        claimed("death_or_missing_date", year(2026)),
        claimed("ethnic_group", Value::Coded(sex)),
    ];
    let before = world.records().await;
    let raw = world.raw("insurance").await;
    let call = verify(&raw, &about(person, values)).await.unwrap();
    call.verify(&world.log).unwrap();
    assert_eq!(world.records().await, before + 1);
    assert_eq!(call.answer.outcome(), LookupOutcome::Match);
    let said: Vec<_> = call.answer.results.iter().map(|r| (r.item.as_str(), r.outcome())).collect();
    let expected = [
        ("no_such_item", ClaimOutcome::UnknownItem),
        ("sex", ClaimOutcome::Mismatch),
        ("birth_full_name", ClaimOutcome::Match),
        ("date_of_birth", ClaimOutcome::Indeterminate),
        ("death_or_missing_date", ClaimOutcome::NotHeld),
        ("ethnic_group", ClaimOutcome::Denied),
    ];
    assert_eq!(said, expected);
    let denied: Vec<_> = call.answer.results.iter().filter_map(|r| r.denied.as_ref()).collect();
    assert_eq!(denied.len(), 1);
    assert_eq!(denied[0].rule, "agreement-scope");
    let text = String::from_utf8_lossy(&call.answer_bytes);
    assert!(!text.contains(person.name()) && !text.contains(person.number()));
    world.stop().await;
}

/// A protected person with its true claims, somebody who is not there, and a plain person under another name.
fn nobody(world: &World) -> [(&'static str, VerifyClaimsRequest); 3] {
    let protected = world.person(|p| p.0.protected && p.has_whole_date());
    let hidden = about(protected, vec![claimed("birth_full_name", name(protected))]);
    let of = |subject: Option<SubjectRef>| VerifyClaimsRequest { subject, ..hidden.clone() };
    [
        ("absent", of(people::by_number("999300999999"))),
        ("wrong claims", of(people::by_number(world.plain().number()))),
        ("protected", hidden),
    ]
}

async fn i7_hidden_looks_absent_to_whoever_verifies(engine: Engine) {
    let world = World::new(engine).await;
    let raw = world.raw("insurance").await;
    let mut seen = Vec::new();
    for (kind, request) in nobody(&world) {
        let before = world.records().await;
        let call = verify(&raw, &request).await.unwrap();
        call.verify(&world.log).unwrap();
        assert_eq!(world.records().await, before + 1, "{kind}: one record");
        assert_eq!(call.answer.outcome(), LookupOutcome::NoMatch, "{kind}");
        assert!(call.answer.results.is_empty(), "{kind}");
        let lengths =
            [call.answer_bytes.len(), call.receipt.leaf.len(), call.receipt.opening.len()];
        let answer = VerifyClaimsAnswer {
            decision_id: String::new(),
            answer_time: None,
            valid_until: None,
            ..call.answer
        };
        seen.push((answer, lengths));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    world.stop().await;
}

/// Guesses by verifying are charged as those by looking up, for each kind alike.
async fn i7_hidden_and_absent_cost_the_same_to_verify(engine: Engine) {
    let world = World::with(engine, Options { misses_max: 2, ..Options::default() }).await;
    let raw = world.raw("insurance").await;
    for (kind, request) in nobody(&world) {
        for _ in 0..2 {
            answered(&world.client("insurance"), &ask(world.plain(), &["sex"])).await;
            verify(&raw, &request).await.unwrap();
        }
        let known = about(world.plain(), vec![claimed("birth_full_name", name(world.plain()))]);
        let Err(refused) = verify(&raw, &known).await else { panic!("{kind}: answered") };
        assert_eq!(why(&refused), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"), "{kind}");
        world.hands.step(time::Duration::HOUR);
    }
    world.stop().await;
}

async fn every_faulty_field_of_a_claim_is_named_at_once(engine: Engine) {
    let world = World::new(engine).await;
    let raw = world.raw("insurance").await;
    let before = world.records().await;
    let request = VerifyClaimsRequest {
        claimed_values: vec![
            ClaimedValue { item: "*".to_owned(), value: None },
            claimed("sex", Value::Date(PartialDate { year: 2001, month: 13, day: 0 })),
            claimed("sex", year(2000)),
        ],
        ..VerifyClaimsRequest::default()
    };
    let Err(refused) = verify(&raw, &request).await else { panic!("answered") };
    assert_eq!(why(&refused), ("InvalidArgument", "INVALID_REQUEST"));
    let mut fields: Vec<&str> = refused.fields.iter().map(|(field, _)| field.as_str()).collect();
    fields.sort_unstable();
    let expected = [
        "basis",
        "claimed_values[0].item",
        "claimed_values[0].value",
        "claimed_values[1].value",
        "claimed_values[2].item",
        "request_id",
        "subject",
    ];
    assert_eq!(fields, expected);
    assert_eq!(world.records().await, before);
    world.stop().await;
}

on_both_engines!(
    i3_one_word_for_each_claim_and_never_a_value,
    i7_hidden_looks_absent_to_whoever_verifies,
    i7_hidden_and_absent_cost_the_same_to_verify,
    every_faulty_field_of_a_claim_is_named_at_once,
);
