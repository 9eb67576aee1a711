//! The two clocks: what the register knew at a moment and what was true on a day, and that neither ever changes (I6).

use contract::{
    identity::v1::{AsOf, GetPersonAnswer, GetPersonRequest, LookupOutcome},
    r#type::v1::{AccessBasis, PartialDate, item_outcome, item_value},
};
use lienthong::client::{Client, Refused};
use model::{PersonalNumber, Sex};
use prost_types::Timestamp;
use store::Engine;
use tests::{
    events::{about, correction, date, ground, name},
    on_both_engines,
    whole::{LOADED_US, Whole, full_name},
};

use crate::authority::{NAME, TURN, number, obtaining, who, with_two_sources};

on_both_engines!(
    i6_an_answer_for_a_past_moment_never_changes,
    of_a_past_day_what_was_true_then_is_told,
    i6_a_moment_to_come_is_the_last_one_that_there_was,
    i2_only_whoever_is_granted_it_looks_back,
    i7_hidden_and_absent_persons_were_never_there,
    every_fault_of_a_moment_is_named,
);

const ITEMS: [&str; 2] = ["birth_full_name", "sex"];

fn asked(known_time: Option<Timestamp>, valid_date: Option<PartialDate>) -> GetPersonRequest {
    let (subject, claims) = who();
    GetPersonRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: ITEMS.iter().map(|item| (*item).to_owned()).collect(),
        basis: Some(obtaining()),
        request_id: "r-1".to_owned(),
        min_version: 0,
        as_of: Some(AsOf { known_time, valid_date }),
    }
}

async fn answer(client: &Client, request: &GetPersonRequest) -> GetPersonAnswer {
    let answered = client.get_person(request).await.unwrap();
    answered.unwrap_or_else(|refused| panic!("{refused}")).answer
}

async fn refusal(client: &Client, request: &GetPersonRequest) -> Refused {
    match client.get_person(request).await.unwrap() {
        Ok(_) => panic!("it was answered"),
        Err(refused) => refused,
    }
}

/// Name and sex in an answer; nothing where nothing is held.
fn told(answer: &GetPersonAnswer) -> [String; 2] {
    let one = |place: usize| match &answer.items[place].outcome {
        Some(item_outcome::Outcome::Value(held)) => {
            match held.values[0].value.as_ref().unwrap().value.as_ref().unwrap() {
                item_value::Value::Name(name) => name.full_name.clone(),
                item_value::Value::Coded(code) => code.code.clone(),
                item_value::Value::Text(_)
                | item_value::Value::Date(_)
                | item_value::Value::Address(_)
                | item_value::Value::Identifier(_)
                | item_value::Value::Relation(_)
                | item_value::Value::Document(_) => panic!(),
            }
        }
        Some(item_outcome::Outcome::NotHeld(_)) => String::new(),
        Some(
            item_outcome::Outcome::Partial(_)
            | item_outcome::Outcome::UnknownItem(_)
            | item_outcome::Outcome::Withheld(_),
        )
        | None => panic!(),
    };
    [one(0), one(1)]
}

/// What a later answer must be equal to: all but who decided it, when.
fn lasting(answer: GetPersonAnswer) -> GetPersonAnswer {
    GetPersonAnswer { answer_time: None, valid_until: None, decision_id: String::new(), ..answer }
}

/// A moment on the test's clock.
fn now(whole: &Whole) -> Option<Timestamp> {
    let at = whole.hands.clock().now();
    Some(Timestamp { seconds: at.unix_timestamp(), nanos: 0 })
}

/// Civil status corrects the name, from a day on.
async fn renamed(whole: &Whole, entry: &str, from: &str, to: &str, since: i32) -> u64 {
    let value = item_value::Value::Name(name(to).unwrap());
    let who = about(number().as_str(), from, crate::authority::BORN);
    let request = correction(entry, who, "birth_full_name", value, date(since, 5, 6));
    let client = whole.client("civil-status");
    client.submit_contribution(&request).await.unwrap().unwrap().answer.version
}

async fn i6_an_answer_for_a_past_moment_never_changes(engine: Engine) {
    let whole = with_two_sources(engine, Some(TURN)).await.start().await;
    let client = whole.client("civil-status");
    whole.hands.step(time::Duration::HOUR);
    let first = renamed(&whole, "c-1", NAME, "Lê Giả Định Bình An", 2000).await;
    whole.hands.step(time::Duration::HOUR);
    let moment = now(&whole);
    whole.hands.step(time::Duration::HOUR);
    // Before the name was put right nobody knew the other one.
    let begin = Some(Timestamp { seconds: LOADED_US / 1_000_000 + 1, nanos: 0 });
    let mut before = asked(begin, None);
    before.claims = Some(about(number().as_str(), "Lê Giả Định Bình An", crate::authority::BORN).1);
    let mut then = asked(moment, None);
    then.claims = before.claims.clone();
    assert_eq!(told(&answer(&client, &before).await), [NAME, "1"]);
    let known = answer(&client, &then).await;
    assert_eq!(told(&known), ["Lê Giả Định Bình An", "1"]);
    assert_eq!(known.version, first);
    // The register has learnt nothing since the correction: up to then it knows.
    assert!(known.known_time.unwrap().seconds < moment.unwrap().seconds);
    then.as_of = Some(AsOf { known_time: known.known_time, valid_date: None });
    let (known, known_before) = (lasting(known), lasting(answer(&client, &before).await));

    // Another name, another law, everything folded anew, and a clock that stands back.
    renamed(&whole, "c-2", "Lê Giả Định Bình An", "Lê Giả Định Bình Yên", 2010).await;
    whole.hands.step(time::Duration::days(7));
    assert_eq!(whole.all.identity().refold().await.unwrap().changed, 1);
    let after = now(&whole);
    whole.hands.step(-time::Duration::HOUR);
    let claims = Some(about(number().as_str(), "Lê Giả Định Bình Yên", crate::authority::BORN).1);
    for request in [&mut before, &mut then] {
        request.claims = claims.clone();
    }
    assert!(lasting(answer(&client, &then).await) == known);
    assert!(lasting(answer(&client, &before).await) == known_before);
    let mut later = asked(after, None);
    later.claims = claims;
    assert_eq!(told(&answer(&client, &later).await), ["Lê Giả Định Bình Yên", "2"]);
    whole.all.stop().await;
}

async fn of_a_past_day_what_was_true_then_is_told(engine: Engine) {
    let whole = with_two_sources(engine, Some(TURN)).await.start().await;
    let client = whole.client("civil-status");
    renamed(&whole, "c-1", NAME, "Lê Giả Định Bình An", 2000).await;
    let (_, claims) = about(number().as_str(), "Lê Giả Định Bình An", crate::authority::BORN);
    for (year, expected) in [
        (1980, [String::new(), String::new()]),
        (1999, [NAME.to_owned(), "1".to_owned()]),
        (2000, ["Lê Giả Định Bình An".to_owned(), "1".to_owned()]),
    ] {
        let request =
            GetPersonRequest { claims: Some(claims.clone()), ..asked(None, date(year, 12, 31)) };
        let found = answer(&client, &request).await;
        assert_eq!(found.outcome(), LookupOutcome::Match);
        assert_eq!(told(&found), expected, "{year}");
    }
    whole.all.stop().await;
}

async fn i6_a_moment_to_come_is_the_last_one_that_there_was(engine: Engine) {
    let whole = with_two_sources(engine, Some(TURN)).await.start().await;
    let client = whole.client("civil-status");
    let far = Some(Timestamp { seconds: 4_000_000_000, nanos: 0 });
    let known = answer(&client, &asked(far, None)).await;
    assert_eq!(told(&known), [NAME, "1"]);
    assert!(known.known_time.unwrap().seconds < 4_000_000_000);
    renamed(&whole, "c-1", NAME, "Lê Giả Định Bình An", 2000).await;
    let (_, claims) = about(number().as_str(), "Lê Giả Định Bình An", crate::authority::BORN);
    let again = GetPersonRequest { claims: Some(claims), ..asked(known.known_time, None) };
    assert!(lasting(answer(&client, &again).await) == lasting(known));
    whole.all.stop().await;
}

async fn i2_only_whoever_is_granted_it_looks_back(engine: Engine) {
    let whole = with_two_sources(engine, None).await.start().await;
    let basis = AccessBasis {
        procedure: "child-health-insurance-card".to_owned(),
        legal_basis: "1911-2021-art-2-1".to_owned(),
        ..ground("", "Z02.DEMO.BHXH")
    };
    let request = GetPersonRequest { basis: Some(basis), ..asked(now(&whole), None) };
    let insurance = whole.client("social-insurance");
    let before = whole.records().await;
    assert_eq!(refusal(&insurance, &request).await.reason, "NO_AGREEMENT");
    assert_eq!(whole.records().await, before + 1);
    // What is current it may obtain.
    let current = GetPersonRequest { as_of: None, ..request };
    assert_eq!(told(&answer(&insurance, &current).await), [NAME, "1"]);
    whole.all.stop().await;
}

async fn i7_hidden_and_absent_persons_were_never_there(engine: Engine) {
    let whole = with_two_sources(engine, None).await.start().await;
    let client = whole.client("civil-status");
    let protected = whole.person(true);
    let born = tests::whole::born(protected);
    let born = (born.year(), i32::from(born.month()), i32::from(born.day()));
    let nobody = PersonalNumber::compose(990, Sex::Female, 1990, 7).unwrap();
    let mut seen = Vec::new();
    for number in [&protected.number, &nobody] {
        let (subject, claims) = about(number.as_str(), full_name(protected), born);
        let moment = asked(now(&whole), date(2020, 1, 1));
        let request = GetPersonRequest { subject: Some(subject), claims: Some(claims), ..moment };
        let (records, statements) =
            (whole.records().await, whole.all.identity().store().statements());
        let found = answer(&client, &request).await;
        let spent = whole.all.identity().store().statements() - statements;
        assert_eq!(whole.records().await, records + 1);
        seen.push((lasting(found), spent));
    }
    assert_eq!(seen[0].0.outcome(), LookupOutcome::NoMatch);
    assert!(seen[0].0.known_time.is_none());
    assert!(seen[0] == seen[1]);
    whole.all.stop().await;
}

async fn every_fault_of_a_moment_is_named(engine: Engine) {
    let whole = with_two_sources(engine, None).await.start().await;
    let client = whole.client("civil-status");
    let broken = Some(Timestamp { seconds: 1, nanos: -1 });
    let far = Some(Timestamp { seconds: i64::MAX, nanos: 0 });
    for (request, fields) in [
        (asked(None, None), &["as_of"][..]),
        (asked(broken, date(2020, 5, 0)), &["as_of.known_time", "as_of.valid_date"]),
        (asked(far, date(2020, 13, 1)), &["as_of.known_time", "as_of.valid_date"]),
        (asked(None, date(2020, 0, 0)), &["as_of.valid_date"]),
    ] {
        let refused = refusal(&client, &request).await;
        assert_eq!(refused.reason, "INVALID_REQUEST");
        let named: Vec<&str> = refused.fields.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(named, fields);
    }
    whole.all.stop().await;
}
