//! How many persons a grant lets be told of: counted by its period, whoever asks and whatever is started again.

use contract::{
    identity::v1::LookupOutcome,
    policy::v1::{Action, AgreementPeriod, AgreementVolume},
};
use lienthong::client::Client;
use time::Duration;

use super::*;

on_both_engines!(
    as_many_are_told_as_both_sides_signed_and_the_next_day_again,
    a_month_and_a_term_are_counted_as_they_are_signed,
    who_is_not_found_costs_nothing,
    i7_a_hidden_person_takes_of_a_volume_what_an_absent_one_does,
    a_start_refills_nothing,
    i9_policy_that_is_away_is_no_volume_used_up,
    a_volume_is_explained,
    i2_what_was_said_and_what_was_known_is_counted_by_its_own_grant,
    i2_what_is_not_counted_is_not_limited_either,
);

fn volume(persons: u64, period: AgreementPeriod) -> Option<AgreementVolume> {
    Some(AgreementVolume { persons, period: period.into() })
}

/// What one may obtain to fill in forms, of so many.
fn limited(persons: u64, period: AgreementPeriod) -> AgreementGrant {
    AgreementGrant { volume: volume(persons, period), ..prefill() }
}

/// How many of so many lookups are answered, before one is refused because the volume is used up; each is recorded.
async fn told(office: &Office, caller: &Client, lookup: &GetPersonRequest, tries: u64) -> u64 {
    for before in 0..tries {
        let records = office.whole.records().await;
        let answered = caller.get_person(lookup).await.unwrap();
        assert_eq!(office.whole.records().await, records + 1);
        match answered {
            Ok(answered) => {
                answered.verify(&office.whole.log).unwrap();
                assert_eq!(answered.answer.outcome(), LookupOutcome::Match);
            }
            Err(refused) => {
                is_used_up(&refused);
                return before;
            }
        }
    }
    tries
}

fn is_used_up(refused: &Refused) {
    assert_eq!(why(refused), ("PermissionDenied", "VOLUME_USED_UP"), "{refused:?}");
    assert_eq!(refused.get("rule"), Some("volume-used-up"));
    assert!(refused.get("record_index").is_some() && refused.get("period_end").is_some());
}

/// What is counted of the connection's grants.
async fn leased(office: &Office) -> i64 {
    let sql = "SELECT CAST(COALESCE(SUM(leased), 0) AS BIGINT) FROM grant_volume";
    office.whole.count("policy", sql).await
}

/// The same, with nobody who is there, and with a protected person.
fn misses(office: &Office) -> [GetPersonRequest; 2] {
    let lookup = office.prefilled();
    let of = |number: &str| GetPersonRequest {
        subject: tests::people::by_number(number),
        ..lookup.clone()
    };
    [of("999300999999"), of(office.whole.person(true).number.as_str())]
}

async fn as_many_are_told_as_both_sides_signed_and_the_next_day_again(engine: Engine) {
    let office = Office::opened(engine).await;
    office.agreed(&office.drafted(FIRST, vec![limited(3, AgreementPeriod::Day)])).await;
    let (caller, lookup) = (office.caller(), office.prefilled());
    for day in 1..=2 {
        assert_eq!(told(&office, &caller, &lookup, 10).await, 3);
        assert_eq!(leased(&office).await, 3 * day);
        // Whoever asks again, by whatever it is, is refused until the day in Viet Nam is over.
        let refused = refused(&caller, &lookup).await;
        is_used_up(&refused);
        let day = office.whole.hands.clock().today();
        assert_eq!(refused.get("period_end"), Some(format!("{day}T17:00:00Z").as_str()));
        office.whole.hands.step(Duration::hours(13));
        assert_eq!(told(&office, &caller, &lookup, 1).await, 0);
        // Midnight.
        office.whole.hands.step(Duration::hours(1));
        office.whole.hands.step(Duration::hours(10));
    }
    office.close().await;
}

async fn a_month_and_a_term_are_counted_as_they_are_signed(engine: Engine) {
    let office = Office::opened(engine).await;
    let term = AgreementGrant {
        procedure: "investigation-identification".to_owned(),
        ..limited(2, AgreementPeriod::Term)
    };
    let month = limited(2, AgreementPeriod::Month);
    office.agreed(&office.drafted(FIRST, vec![month, term])).await;
    let (caller, monthly) = (office.caller(), office.prefilled());
    let mut whole = monthly.clone();
    whole.basis.as_mut().unwrap().procedure = "investigation-identification".to_owned();
    assert_eq!(told(&office, &caller, &monthly, 9).await, 2);
    assert_eq!(told(&office, &caller, &whole, 9).await, 2);
    // From the 24th to the last of November, and to the first of December.
    office.whole.hands.step(Duration::days(6));
    assert_eq!(told(&office, &caller, &monthly, 1).await, 0);
    office.whole.hands.step(Duration::days(1));
    assert_eq!(told(&office, &caller, &monthly, 9).await, 2);
    assert_eq!(told(&office, &caller, &whole, 9).await, 0);
    let refused = refused(&caller, &whole).await;
    assert_eq!(refused.get("period_end"), Some("2027-05-31T17:00:00Z"));
    office.close().await;
}

async fn who_is_not_found_costs_nothing(engine: Engine) {
    let office = Office::opened(engine).await;
    office.agreed(&office.drafted(FIRST, vec![limited(2, AgreementPeriod::Day)])).await;
    let (caller, lookup) = (office.caller(), office.prefilled());
    for _ in 0..3 {
        for miss in misses(&office) {
            assert_eq!(answered(&caller, &miss).await.answer.outcome(), LookupOutcome::NoMatch);
        }
    }
    assert_eq!(told(&office, &caller, &lookup, 9).await, 2);
    office.close().await;
}

async fn i7_a_hidden_person_takes_of_a_volume_what_an_absent_one_does(engine: Engine) {
    let office = Office::opened(engine).await;
    office.agreed(&office.drafted(FIRST, vec![limited(2, AgreementPeriod::Day)])).await;
    let caller = office.caller();
    let statements = || office.whole.all.identity().store().statements();
    let mut seen = Vec::new();
    for miss in misses(&office) {
        let before = (leased(&office).await, statements(), office.whole.records().await);
        answered(&caller, &miss).await;
        let after = (leased(&office).await, statements(), office.whole.records().await);
        seen.push((after.1 - before.1, after.2 - before.2));
        // One is leased by the first and put back, so the second needs none.
        assert_eq!(after.0, 1);
    }
    assert_eq!(seen[0], seen[1]);
    // And when nobody is left, whoever is asked about is refused alike, before anything is read.
    assert_eq!(told(&office, &caller, &office.prefilled(), 9).await, 2);
    let before = statements();
    let mut said = Vec::new();
    for lookup in misses(&office).into_iter().chain([office.prefilled()]) {
        let refused = refused(&caller, &lookup).await;
        is_used_up(&refused);
        said.push((refused.message.clone(), refused.get("period_end").map(str::to_owned)));
    }
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    assert_eq!(statements(), before);
    office.close().await;
}

/// Neither the process that leased nor the one that counts makes anything of a volume anew.
async fn a_start_refills_nothing(engine: Engine) {
    let mut office = Office::opened(engine).await;
    office.agreed(&office.drafted(FIRST, vec![limited(40, AgreementPeriod::Day)])).await;
    let mut all = 0;
    for tries in [7, 5, 9] {
        all += told(&office, &office.caller(), &office.prefilled(), tries).await;
        office = office.restarted().await;
        // A process that ends in order gives back what it has not used, and no more.
        assert_eq!(leased(&office).await, i64::try_from(all).unwrap());
    }
    assert_eq!(all, 21);
    assert_eq!(told(&office, &office.caller(), &office.prefilled(), 99).await, 40 - all);
    office.close().await;
}

async fn i9_policy_that_is_away_is_no_volume_used_up(engine: Engine) {
    let office = Office::opened(engine).await;
    office.agreed(&office.drafted(FIRST, vec![limited(2, AgreementPeriod::Day)])).await;
    let (caller, lookup) = (office.caller(), office.prefilled());
    assert_eq!(told(&office, &caller, &lookup, 1).await, 1);
    office.whole.all.policy().clone().close().await;
    let refused = refused(&caller, &lookup).await;
    assert_eq!(why(&refused), ("Unavailable", "POLICY_UNAVAILABLE"));
    office.close().await;
}

async fn a_volume_is_explained(engine: Engine) {
    use contract::policy::v1::{
        DecisionAct, ExplainDecisionRequest, GrantedPeriod, WhatMayIRequest,
    };
    let office = Office::opened(engine).await;
    office.agreed(&office.drafted(FIRST, vec![limited(5, AgreementPeriod::Month)])).await;
    let caller = office.caller();
    let request = ExplainDecisionRequest {
        act: DecisionAct::Obtain.into(),
        procedure: "portal-form-prefill".to_owned(),
        legal_basis: "1911-2021-art-2-1".to_owned(),
        ..ExplainDecisionRequest::default()
    };
    let explained = caller.explain_decision(&request).await.unwrap().unwrap().answer;
    let volume = explained.terms.unwrap().volume.unwrap();
    assert_eq!((volume.persons, volume.period()), (5, GrantedPeriod::Month));
    let listed = caller.what_may_i(&WhatMayIRequest::default()).await.unwrap().unwrap().answer;
    let terms = |one: &contract::policy::v1::Permission| {
        let volume = one.terms.as_ref().unwrap().volume;
        (one.agreement.clone(), volume.map(|volume| volume.persons))
    };
    let listed: Vec<_> = listed.permissions.iter().map(terms).collect();
    assert!(listed.contains(&(FIRST.to_owned(), Some(5))), "{listed:?}");
    assert!(listed.iter().any(|(_, volume)| volume.is_none()), "{listed:?}");
    office.close().await;
}

/// What nobody counts is no limit, and what is counted for one act is not told by another one uncounted.
async fn i2_what_is_not_counted_is_not_limited_either(engine: Engine) {
    let office = Office::opened(engine).await;
    let proposed = async |grants: Vec<AgreementGrant>| {
        let content = office.drafted(FIRST, grants).encode_to_vec();
        let refused = office.tries(FIRST, Move::Propose(content)).await.err();
        let refused = refused.map(|refused| super::bad_input::faults(&refused));
        refused.unwrap_or_default()
    };
    let not_allowed = |field: &str| vec![(field.to_owned(), "NOT_ALLOWED".to_owned())];
    let limited = limited(5, AgreementPeriod::Day);
    let as_act = |action: Action| AgreementGrant { action: action.into(), ..limited.clone() };
    for action in [Action::Contribute, Action::RotateTokens] {
        let found = proposed(vec![as_act(action)]).await;
        assert_eq!(found, not_allowed("propose.grants[0].volume"), "{action:?}");
    }
    let uncounted = AgreementGrant { volume: None, ..as_act(Action::Explain) };
    let found = proposed(vec![limited.clone(), uncounted.clone()]).await;
    assert_eq!(found, not_allowed("propose.grants"));
    let many = AgreementGrant { volume: volume(1_000_000_001, AgreementPeriod::Day), ..prefill() };
    assert_eq!(proposed(vec![many]).await, not_allowed("propose.grants[0].volume.persons"));
    // The other way round it is a limit of its own.
    let obtained = AgreementGrant { volume: None, ..limited.clone() };
    assert!(proposed(vec![obtained, as_act(Action::Explain)]).await.is_empty());
    office.close().await;
}

/// To have explained what was said of an item, and to ask about another moment, is one act.
async fn i2_what_was_said_and_what_was_known_is_counted_by_its_own_grant(engine: Engine) {
    use contract::identity::v1::{AsOf, ExplainValueRequest};
    let office = Office::opened(engine).await;
    let obtained = limited(9, AgreementPeriod::Day);
    let explained = AgreementGrant {
        action: Action::Explain.into(),
        volume: volume(2, AgreementPeriod::Day),
        ..obtained.clone()
    };
    office.agreed(&office.drafted(FIRST, vec![obtained, explained])).await;
    let (caller, lookup) = (office.caller(), office.prefilled());
    let about = ExplainValueRequest {
        subject: lookup.subject.clone(),
        claims: lookup.claims.clone(),
        item: "birth_full_name".to_owned(),
        basis: lookup.basis.clone(),
        request_id: "request-2".to_owned(),
        min_version: 0,
    };
    let day = tests::events::date(2026, 11, 1);
    let then = GetPersonRequest {
        as_of: Some(AsOf { known_time: None, valid_date: day }),
        ..lookup.clone()
    };
    let answer = caller.explain_value(&about).await.unwrap().unwrap().answer;
    assert!(!answer.values.is_empty());
    assert_eq!(told(&office, &caller, &then, 9).await, 1);
    is_used_up(&caller.explain_value(&about).await.unwrap().err().unwrap());
    // What is current is obtained, as often as that is granted.
    assert_eq!(told(&office, &caller, &lookup, 99).await, 9);
    office.close().await;
}
