//! Consents: what is given by one, to whom and for how long; what they are recorded by; and how citizens see what is held of
//! themselves.

mod own_record;
mod recorded;

use contract::{
    identity::v1::{
        ClaimOutcome, Consent, ConsentAnswer, ConsentChannel, ConsentRecipient, GetPersonAnswer,
        GetPersonRequest, LookupOutcome, LookupStreamOpening, LookupStreamQuery,
        RecordConsentRequest, WithdrawConsentRequest,
    },
    r#type::v1::{AccessBasis, item_outcome::Outcome, item_value::Value},
};
use lienthong::client::{Answered, Client, Refused};
use prost_types::Timestamp;
use store::Engine;
use tests::{Person, World, ask, basis, on_both_engines, people, world::NOW};
use time::Duration;

use crate::{
    answered, refused,
    verify::{about, claimed, verify},
    why,
};

on_both_engines!(
    i3_a_consent_opens_what_it_says_and_nothing_else,
    i2_a_consent_counts_from_its_beginning_until_its_end,
    i2_a_consent_that_is_withdrawn_counts_no_more_also_on_an_open_stream,
    i2_without_a_consent_nothing_is_read_that_needs_one,
    a_comparison_needs_a_consent_as_a_value_does,
    i7_a_consent_does_not_tell_whose_it_is,
    a_reference_that_no_database_holds_is_refused_and_disturbs_nobody,
);

/// The procedure under which the insurance obtains religion, and that under which it obtains how a person is reached.
const BURIAL: &str = "burial-allowance";
const CARD: &str = "child-health-insurance-card";

/// A moment after the beginning of the tests.
pub(crate) fn after(by: Duration) -> Option<Timestamp> {
    Some(Timestamp { seconds: (NOW + by).unix_timestamp(), nanos: 0 })
}

/// Somebody of whom a religion is held.
pub(crate) fn believer(world: &World) -> Person {
    let held = |p: &Person| p.said("religion").next().is_some();
    world.person(|p| p.is_plain() && p.has_whole_date() && held(p)).clone()
}

/// A consent that the insurance obtains religion for an hour.
pub(crate) fn consent(person: &Person, key: &str) -> RecordConsentRequest {
    RecordConsentRequest {
        subject: people::by_number(person.number()),
        claims: Some(person.claims()),
        items: vec!["religion".to_owned()],
        basis: Some(basis(BURIAL)),
        recipient: Some(ConsentRecipient {
            agency: "Z24.TEST".to_owned(),
            system: "health-insurance".to_owned(),
        }),
        begin_time: None,
        end_time: after(Duration::HOUR),
        channel: ConsentChannel::OwnApp.into(),
        evidence_digest: Vec::new(),
        notice_version: "notice-3".to_owned(),
        idempotency_key: key.to_owned(),
        request_id: "consent-1".to_owned(),
    }
}

pub(crate) async fn given(
    client: &Client,
    request: &RecordConsentRequest,
) -> Answered<ConsentAnswer> {
    client.record_consent(request).await.unwrap().unwrap_or_else(|refused| panic!("{refused}"))
}

/// The consent that is recorded.
async fn recorded(world: &World, request: &RecordConsentRequest) -> Consent {
    let answered = given(&world.client("portal"), request).await;
    answered.verify(&world.log).unwrap();
    assert_eq!(answered.answer.outcome(), LookupOutcome::Match);
    answered.answer.consent.unwrap()
}

async fn withdrawn(world: &World, reference: &str, procedure: &str) -> Answered<ConsentAnswer> {
    let request = WithdrawConsentRequest {
        consent_reference: reference.to_owned(),
        basis: Some(basis(procedure)),
        request_id: "withdraw-1".to_owned(),
    };
    let answered = world.client("portal").withdraw_consent(&request).await.unwrap();
    answered.unwrap_or_else(|refused| panic!("{refused}"))
}

fn by(procedure: &str, reference: &str) -> AccessBasis {
    AccessBasis { consent_reference: reference.to_owned(), ..basis(procedure) }
}

/// A lookup of an item by a consent.
fn wanted(person: &Person, item: &str, procedure: &str, reference: &str) -> GetPersonRequest {
    GetPersonRequest { basis: Some(by(procedure, reference)), ..ask(person, &[item]) }
}

/// The rule by which the one item of an answer is withheld; none where it is given.
fn rule(answer: &GetPersonAnswer) -> Option<String> {
    assert_eq!(answer.outcome(), LookupOutcome::Match);
    match answer.items[0].outcome.clone() {
        Some(Outcome::Withheld(withheld)) => Some(withheld.rule),
        Some(Outcome::Value(_) | Outcome::NotHeld(_)) => None,
        other => panic!("{other:?}"),
    }
}

async fn withheld(world: &World, request: &GetPersonRequest) -> Option<String> {
    rule(&answered(&world.client("insurance"), request).await.answer)
}

const RELIGION: Option<&str> = Some("religion-by-consent");
const CONTACT: Option<&str> = Some("contact-by-consent");

async fn i3_a_consent_opens_what_it_says_and_nothing_else(engine: Engine) {
    let world = World::new(engine).await;
    let person = believer(&world);
    let client = world.client("insurance");
    let Consent { reference, .. } = recorded(&world, &consent(&person, "k-1")).await;
    let before = world.records().await;
    let request = wanted(&person, "religion", BURIAL, &reference);
    let told = answered(&client, &request).await;
    told.verify(&world.log).unwrap();
    assert_eq!(world.records().await, before + 1);
    assert!(matches!(told.answer.items[0].outcome, Some(Outcome::Value(_))));
    // A copy may be used no longer than the consent lasts.
    assert_eq!(told.answer.valid_until, after(Duration::HOUR));

    // Nobody else's consent, and none of a reference that there is not.
    let other =
        world.person(|p| p.is_plain() && p.has_whole_date() && p.number() != person.number());
    for request in [
        wanted(other, "religion", BURIAL, &reference),
        wanted(&person, "religion", BURIAL, "DY-1"),
        wanted(&person, "religion", BURIAL, &reference[1..]),
    ] {
        let before = world.records().await;
        let answer = answered(&client, &request).await.answer;
        assert_eq!(rule(&answer).as_deref(), RELIGION);
        assert_eq!(answer.valid_until.unwrap().seconds, NOW.unix_timestamp() + 86_400);
        assert_eq!(world.records().await, before + 1);
    }
    // Not for another procedure, nor to an item outside of it.
    let contact = RecordConsentRequest {
        items: vec!["contact_points".to_owned()],
        basis: Some(basis(CARD)),
        ..consent(&person, "k-2")
    };
    let sex = RecordConsentRequest {
        items: vec!["sex".to_owned()],
        idempotency_key: "k-3".to_owned(),
        ..contact.clone()
    };
    let (contact, sex) = (recorded(&world, &contact).await, recorded(&world, &sex).await);
    let of = |item: &str, procedure: &str, consent: &Consent| {
        wanted(&person, item, procedure, &consent.reference)
    };
    assert_eq!(withheld(&world, &of("contact_points", CARD, &contact)).await, None);
    assert_eq!(withheld(&world, &of("contact_points", CARD, &sex)).await.as_deref(), CONTACT);
    let wrong = wanted(&person, "contact_points", CARD, &reference);
    assert_eq!(withheld(&world, &wrong).await.as_deref(), CONTACT);
    assert_eq!(withheld(&world, &of("religion", BURIAL, &contact)).await.as_deref(), RELIGION);
    // Not to another system.
    let elsewhere = RecordConsentRequest {
        recipient: Some(ConsentRecipient {
            agency: "Z24.TEST".to_owned(),
            system: "elsewhere".to_owned(),
        }),
        ..consent(&person, "k-4")
    };
    let elsewhere = recorded(&world, &elsewhere).await;
    assert_eq!(withheld(&world, &of("religion", BURIAL, &elsewhere)).await.as_deref(), RELIGION);
    // Nor does one that opens nothing shorten anything.
    let answer = answered(&client, &of("sex", CARD, &contact)).await.answer;
    assert_eq!(answer.valid_until.unwrap().seconds, NOW.unix_timestamp() + 86_400);
    // Two items of one request: the one that it covers, and not the other.
    let mut both = of("sex", CARD, &sex);
    both.items.push("contact_points".to_owned());
    let answer = answered(&client, &both).await.answer;
    assert_eq!(rule(&answer), None);
    assert!(matches!(answer.items[1].outcome, Some(Outcome::Withheld(_))));
    world.stop().await;
}

async fn i2_a_consent_counts_from_its_beginning_until_its_end(engine: Engine) {
    let world = World::new(engine).await;
    let person = believer(&world);
    let later =
        RecordConsentRequest { begin_time: after(Duration::MINUTE), ..consent(&person, "k-1") };
    let consent = recorded(&world, &later).await;
    assert_eq!((consent.begin_time, consent.end_time), (later.begin_time, later.end_time));
    let request = wanted(&person, "religion", BURIAL, &consent.reference);
    assert_eq!(withheld(&world, &request).await.as_deref(), RELIGION);
    world.hands.step(Duration::MINUTE);
    assert_eq!(withheld(&world, &request).await, None);
    world.hands.step(Duration::minutes(59) - Duration::MICROSECOND);
    assert_eq!(withheld(&world, &request).await, None);
    world.hands.step(Duration::MICROSECOND);
    assert_eq!(withheld(&world, &request).await.as_deref(), RELIGION);
    world.stop().await;
}

async fn i2_a_consent_that_is_withdrawn_counts_no_more_also_on_an_open_stream(engine: Engine) {
    let world = World::new(engine).await;
    let person = believer(&world);
    let client = world.client("insurance");
    let Consent { reference, .. } = recorded(&world, &consent(&person, "k-1")).await;
    let opening = LookupStreamOpening {
        items: vec!["religion".to_owned()],
        basis: Some(by(BURIAL, &reference)),
        request_id: "bulk-1".to_owned(),
        as_of: None,
    };
    let (asking, mut answers) = client.lookup_stream(opening).await.unwrap().unwrap();
    let (subject, claims) = (people::by_number(person.number()), Some(person.claims()));
    let query = LookupStreamQuery { correlation_id: 1, subject, claims, min_version: 0 };
    let mut asked = Vec::new();
    for _ in 0..2 {
        asking.ask(query.clone()).await.unwrap();
        let told = answers.next().await.unwrap().unwrap().unwrap();
        asked.push(rule(&told.answer.unwrap().answer));
        if asked.len() == 1 {
            let withdrawn = withdrawn(&world, &reference, BURIAL).await;
            withdrawn.verify(&world.log).unwrap();
            let consent = withdrawn.answer.consent.unwrap();
            assert_eq!(consent.withdraw_time, after(Duration::ZERO));
        }
    }
    assert_eq!(asked, [None, RELIGION.map(str::to_owned)]);
    let request = wanted(&person, "religion", BURIAL, &reference);
    assert_eq!(withheld(&world, &request).await.as_deref(), RELIGION);
    // It is for ever, and was then.
    world.hands.step(Duration::MINUTE);
    let again = withdrawn(&world, &reference, BURIAL).await.answer.consent.unwrap();
    assert_eq!(again.withdraw_time, after(Duration::ZERO));
    world.stop().await;
}

/// Whoever names no consent is refused where nothing is given without one; nobody is looked for.
async fn i2_without_a_consent_nothing_is_read_that_needs_one(engine: Engine) {
    let world = World::new(engine).await;
    let (person, client) = (believer(&world), world.client("insurance"));
    let before = world.statements();
    let records = world.records().await;
    let refused = refused(&client, &wanted(&person, "religion", BURIAL, "")).await;
    assert_eq!(why(&refused), ("PermissionDenied", "NOTHING_ALLOWED"));
    assert_eq!(refused.get("rule"), RELIGION);
    assert_eq!(refused.get("article"), Some("Decision 1911/QD-TTg, Art. 1(2)"));
    assert_eq!(world.records().await, records + 1);
    assert_eq!(world.statements(), before, "nothing is read");
    world.stop().await;
}

/// Whoever holds a reference finds out by it of nobody who is not shown whether that person gave the consent.
async fn i7_a_consent_does_not_tell_whose_it_is(engine: Engine) {
    let world = World::new(engine).await;
    let (person, client) = (believer(&world), world.client("insurance"));
    let Consent { reference, .. } = recorded(&world, &consent(&person, "k-1")).await;
    let other = world.person(|p| p.is_plain() && p.has_whole_date() && p.name() != person.name());
    let mut seen = Vec::new();
    for number in [person.number(), other.number(), "999300999999"] {
        // Claims of a third person, or of the second about the first.
        let mut claims = other.claims();
        claims.full_name.push_str(" Khác");
        let (subject, claims) = (people::by_number(number), Some(claims));
        let asked = wanted(&person, "religion", BURIAL, &reference);
        let before = world.statements();
        let told = answered(&client, &GetPersonRequest { subject, claims, ..asked }).await;
        let answer = GetPersonAnswer { decision_id: String::new(), ..told.answer };
        assert_eq!(answer.outcome(), LookupOutcome::NoMatch);
        seen.push((answer, told.answer_bytes.len(), world.statements() - before));
    }
    assert_eq!((&seen[0], &seen[0]), (&seen[1], &seen[2]));
    world.stop().await;
}

/// PostgreSQL holds no NUL, and many lookups are read by one statement.
async fn a_reference_that_no_database_holds_is_refused_and_disturbs_nobody(engine: Engine) {
    let world = World::new(engine).await;
    let (person, client) = (believer(&world), world.client("insurance"));
    let Consent { reference, .. } = recorded(&world, &consent(&person, "k-1")).await;
    let good = wanted(&person, "religion", BURIAL, &reference);
    let of = |basis| GetPersonRequest { basis: Some(basis), ..good.clone() };
    let bad = "DY-1\0".to_owned();
    let consent = AccessBasis { consent_reference: bad.clone(), ..basis(BURIAL) };
    let direction = AccessBasis { direction_reference: bad, ..basis(BURIAL) };
    let blank = AccessBasis { consent_reference: "  ".to_owned(), ..basis(BURIAL) };
    for (request, field) in [
        (of(consent), "basis.consent_reference"),
        (of(blank), "basis.consent_reference"),
        (of(direction), "basis.direction_reference"),
    ] {
        let calls = (0..20).map(|turn| if turn % 2 == 0 { &good } else { &request });
        let calls = calls.map(|request| client.get_person(request));
        for (turn, told) in futures::future::join_all(calls).await.into_iter().enumerate() {
            match (turn % 2, told.unwrap()) {
                (0, Ok(told)) => assert_eq!(rule(&told.answer), None),
                (1, Err(refused)) => {
                    assert_eq!(why(&refused), ("InvalidArgument", "INVALID_REQUEST"));
                    assert_eq!(refused.fields[0].0, field);
                }
                (_, told) => panic!("{turn}: told {}", told.is_ok()),
            }
        }
    }
    world.stop().await;
}

async fn a_comparison_needs_a_consent_as_a_value_does(engine: Engine) {
    let world = World::new(engine).await;
    let person = believer(&world);
    let Consent { reference, .. } = recorded(&world, &consent(&person, "k-1")).await;
    let request = wanted(&person, "religion", BURIAL, &reference);
    let answer = answered(&world.client("insurance"), &request).await.answer;
    let Some(Outcome::Value(held)) = &answer.items[0].outcome else { panic!("{answer:?}") };
    let value: Value = held.values[0].value.clone().unwrap().value.unwrap();
    let raw = world.raw("insurance").await;
    for (reference, outcome) in
        [(reference.as_str(), ClaimOutcome::Match), ("DY-1", ClaimOutcome::Denied)]
    {
        let mut request = about(&person, vec![claimed("religion", value.clone())]);
        request.basis = Some(by(BURIAL, reference));
        let call = verify(&raw, &request).await.unwrap();
        assert_eq!(call.answer.results[0].outcome(), outcome, "{reference}");
    }
    world.stop().await;
}
