//! How consents are recorded, given and withdrawn: once, by whoever may, with a receipt each; and what nobody learns by it.

use contract::identity::v1::GetConsentRequest;
use tests::Options;

use super::*;

on_both_engines!(
    i4_one_key_is_one_consent,
    a_consent_is_given_as_it_was_recorded,
    i2_whoever_may_not_records_nothing,
    i7_a_consent_of_a_hidden_person_is_as_one_of_nobody,
    i7_consents_of_hidden_and_absent_persons_cost_the_same,
    i7_a_reference_that_is_not_the_callers_is_one_of_nothing,
    every_faulty_field_of_a_consent_is_named,
    a_consent_outlives_a_restart,
    i7_a_used_key_says_nothing_of_whoever_is_named_now,
    i4_a_repeated_call_gets_its_consent_whatever_became_of_the_person,
    a_consent_is_withdrawn_by_whoever_may_record_the_same,
);

async fn unrecorded(client: &Client, request: &RecordConsentRequest) -> Refused {
    match client.record_consent(request).await.unwrap() {
        Ok(_) => panic!("it was recorded"),
        Err(refused) => refused,
    }
}

fn named(reference: &str, procedure: &str) -> GetConsentRequest {
    GetConsentRequest {
        consent_reference: reference.to_owned(),
        basis: Some(basis(procedure)),
        request_id: "get-1".to_owned(),
    }
}

async fn got(client: &Client, reference: &str, procedure: &str) -> Answered<ConsentAnswer> {
    let answered = client.get_consent(&named(reference, procedure)).await.unwrap();
    answered.unwrap_or_else(|refused| panic!("{refused}"))
}

async fn i4_one_key_is_one_consent(engine: Engine) {
    let world = World::new(engine).await;
    let person = believer(&world);
    let request = consent(&person, "k-1");
    let first = recorded(&world, &request).await;
    assert_eq!(first.reference.len(), 32);
    world.hands.step(Duration::MINUTE);
    assert_eq!(recorded(&world, &request).await, first);
    // Two at the same time are one.
    let (client, twice) = (world.client("portal"), consent(&person, "k-2"));
    let (one, other) = tokio::join!(given(&client, &twice), given(&client, &twice));
    assert_eq!(one.answer.consent, other.answer.consent);
    assert_ne!(one.answer.consent.unwrap().reference, first.reference);
    let before = world.records().await;
    let refused = unrecorded(
        &client,
        &RecordConsentRequest {
            items: vec!["religion".into()],
            notice_version: "notice-4".into(),
            ..request.clone()
        },
    )
    .await;
    assert_eq!(why(&refused), ("AlreadyExists", "KEY_REUSED"));
    let digest = hex::encode(tlog::digest(&prost::Message::encode_to_vec(&request)));
    assert_eq!(refused.get("first_digest"), Some(digest.as_str()));
    assert_eq!(world.records().await, before + 1);
    world.stop().await;
}

async fn a_consent_is_given_as_it_was_recorded(engine: Engine) {
    let world = World::new(engine).await;
    let request = RecordConsentRequest {
        channel: ConsentChannel::OnPaper.into(),
        evidence_digest: vec![7; 32],
        ..consent(&believer(&world), "k-1")
    };
    let first = recorded(&world, &request).await;
    let expected = Consent {
        reference: first.reference.clone(),
        recipient: request.recipient.clone(),
        items: request.items.clone(),
        procedure: BURIAL.to_owned(),
        begin_time: after(Duration::ZERO),
        end_time: request.end_time,
        channel: request.channel,
        evidence_digest: request.evidence_digest.clone(),
        notice_version: request.notice_version.clone(),
        record_time: after(Duration::ZERO),
        withdraw_time: None,
    };
    assert_eq!(first, expected);
    let client = world.client("portal");
    let before = world.records().await;
    let told = got(&client, &first.reference, BURIAL).await;
    told.verify(&world.log).unwrap();
    assert_eq!(world.records().await, before + 1);
    assert_eq!(told.answer.consent.as_ref(), Some(&first));
    assert_eq!(
        (told.answer.request_id.as_str(), told.answer.answer_time),
        ("get-1", after(Duration::ZERO))
    );
    world.hands.step(Duration::MINUTE);
    withdrawn(&world, &first.reference, BURIAL).await;
    world.hands.step(Duration::MINUTE);
    let told = got(&client, &first.reference, BURIAL).await.answer.consent.unwrap();
    assert_eq!(told, Consent { withdraw_time: after(Duration::MINUTE), ..first });
    world.stop().await;
}

/// A consent is recorded by whom an agreement lets, for its procedure and to its items.
async fn i2_whoever_may_not_records_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let person = believer(&world);
    let request = consent(&person, "k-1");
    let (portal, insurance) = (world.client("portal"), world.client("insurance"));
    let of = |items: &[&str]| RecordConsentRequest {
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        ..request.clone()
    };
    for (client, request, reason, rule) in [
        (&insurance, request.clone(), "NO_AGREEMENT", "no-agreement"),
        (&portal, of(&["religion", "sex"]), "NOTHING_ALLOWED", "agreement-scope"),
        (&portal, of(&["religion", "shoe_size"]), "NOTHING_ALLOWED", "item-catalogue"),
    ] {
        let before = world.records().await;
        let refused = unrecorded(client, &request).await;
        assert_eq!(why(&refused), ("PermissionDenied", reason));
        assert_eq!(refused.get("rule"), Some(rule));
        assert_eq!(world.records().await, before + 1);
    }
    // Nor does it withdraw or see one.
    let Consent { reference, .. } = recorded(&world, &request).await;
    let refused = insurance.get_consent(&named(&reference, BURIAL)).await.unwrap().err().unwrap();
    assert_eq!(why(&refused), ("PermissionDenied", "NO_AGREEMENT"));
    world.stop().await;
}

/// A consent of a protected person with its true claims, of somebody who is not there, and of a plain person under another name.
fn nobody(world: &World) -> [(&'static str, RecordConsentRequest); 3] {
    let protected = world.person(|p| p.0.protected && p.has_whole_date());
    let hidden = consent(protected, "k-1");
    let of = |number: &str| RecordConsentRequest {
        subject: people::by_number(number),
        ..hidden.clone()
    };
    let (absent, claimed) = (of("999300999999"), of(world.plain().number()));
    [("protected", hidden), ("absent", absent), ("wrong claims", claimed)]
}

async fn i7_a_consent_of_a_hidden_person_is_as_one_of_nobody(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("portal");
    given(&client, &consent(&believer(&world), "k-0")).await;
    let mut seen = Vec::new();
    for (kind, request) in nobody(&world) {
        let (before, statements) = (world.records().await, world.statements());
        let call = given(&client, &request).await;
        let statements = world.statements() - statements;
        assert_eq!(world.records().await, before + 1, "{kind}: one record");
        call.verify(&world.log).unwrap();
        let answer = ConsentAnswer { decision_id: String::new(), ..call.answer };
        assert_eq!((answer.outcome(), &answer.consent), (LookupOutcome::NoMatch, &None), "{kind}");
        let lengths =
            [call.answer_bytes.len(), call.receipt.leaf.len(), call.receipt.opening.len()];
        seen.push((kind, answer, lengths, statements));
    }
    for (kind, answer, lengths, statements) in &seen {
        let first = &seen[0];
        assert_eq!((answer, lengths, statements), (&first.1, &first.2, &first.3), "{kind}");
    }
    world.stop().await;
}

async fn i7_consents_of_hidden_and_absent_persons_cost_the_same(engine: Engine) {
    let world = World::with(engine, Options { misses_max: 2, ..Options::default() }).await;
    let client = world.client("portal");
    for (kind, request) in nobody(&world) {
        let request = RecordConsentRequest { end_time: after(Duration::hours(9)), ..request };
        for _ in 0..2 {
            let answer = given(&client, &request).await.answer;
            assert_eq!(answer.outcome(), LookupOutcome::NoMatch, "{kind}");
        }
        let refused = unrecorded(&client, &request).await;
        assert_eq!(why(&refused), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"), "{kind}");
        world.hands.step(Duration::HOUR);
    }
    world.stop().await;
}

/// No such reference, one of another procedure, and a text that is none.
async fn i7_a_reference_that_is_not_the_callers_is_one_of_nothing(engine: Engine) {
    let world = World::with(engine, Options { misses_max: 6, ..Options::default() }).await;
    let client = world.client("portal");
    let Consent { reference, .. } = recorded(&world, &consent(&believer(&world), "k-1")).await;
    let mut seen = Vec::new();
    let nothing = "0".repeat(reference.len());
    for (reference, procedure) in [(&nothing, BURIAL), (&reference, CARD)] {
        let (before, statements) = (world.records().await, world.statements());
        let told = got(&client, reference, procedure).await;
        told.verify(&world.log).unwrap();
        assert_eq!(world.records().await, before + 1);
        let (answer, length) = (told.answer, told.receipt.opening.len());
        let answer = ConsentAnswer { decision_id: String::new(), ..answer };
        assert_eq!((answer.outcome(), &answer.consent), (LookupOutcome::NoMatch, &None));
        seen.push((answer, length, world.statements() - statements));
        let told = withdrawn(&world, reference, procedure).await.answer;
        assert_eq!(told.outcome(), LookupOutcome::NoMatch);
    }
    assert_eq!(seen[0], seen[1]);
    // It was not withdrawn by that.
    let told = got(&client, &reference, BURIAL).await.answer.consent.unwrap();
    assert_eq!(told.withdraw_time, None);
    // Whoever tries references ends at a budget, which is not that of lookups.
    for _ in 0..2 {
        got(&client, &nothing, BURIAL).await;
    }
    for reference in [&nothing, &reference] {
        let refused = client.get_consent(&named(reference, BURIAL)).await.unwrap().err().unwrap();
        assert_eq!(why(&refused), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"));
    }
    recorded(&world, &consent(&believer(&world), "k-2")).await;
    world.stop().await;
}

/// The faulty fields of a refusal, each with the end of its reason.
fn fields(refused: Refused) -> Vec<String> {
    assert_eq!(why(&refused), ("InvalidArgument", "INVALID_REQUEST"));
    let mut fields: Vec<String> = refused.fields.into_iter().map(|(field, _)| field).collect();
    fields.sort_unstable();
    fields
}

async fn every_faulty_field_of_a_consent_is_named(engine: Engine) {
    let world = World::new(engine).await;
    let (client, person) = (world.client("portal"), believer(&world));
    let before = world.records().await;
    let faults = async |request: RecordConsentRequest| fields(unrecorded(&client, &request).await);
    assert_eq!(
        faults(RecordConsentRequest::default()).await,
        [
            "basis",
            "channel",
            "end_time",
            "idempotency_key",
            "items",
            "notice_version",
            "recipient",
            "request_id",
            "subject"
        ]
    );
    let good = || consent(&person, "k-1");
    let wrong = RecordConsentRequest {
        items: vec!["religion".into(), "*".into(), "religion".into()],
        basis: Some(by(BURIAL, "DY-1")),
        recipient: Some(ConsentRecipient { agency: "Z/1".into(), system: String::new() }),
        begin_time: Some(Timestamp { seconds: 0, nanos: -1 }),
        end_time: Some(Timestamp { seconds: i64::MAX, nanos: 0 }),
        channel: ConsentChannel::OnPaper.into(),
        notice_version: "n".repeat(65),
        idempotency_key: "k".repeat(65),
        ..good()
    };
    assert_eq!(
        faults(wrong).await,
        [
            "basis.consent_reference",
            "begin_time",
            "end_time",
            "evidence_digest",
            "idempotency_key",
            "items[1]",
            "items[2]",
            "notice_version",
            "recipient.agency",
            "recipient.system"
        ]
    );
    // It ends after now and after it begins, and no later than in a year.
    let ends = |end: Duration| RecordConsentRequest { end_time: after(end), ..good() };
    let begins = RecordConsentRequest { begin_time: after(Duration::HOUR), ..good() };
    for request in [ends(Duration::ZERO), ends(Duration::days(366)), begins] {
        assert_eq!(faults(request).await, ["end_time"]);
    }
    let short = RecordConsentRequest { evidence_digest: vec![7; 31], ..good() };
    assert_eq!(faults(short).await, ["evidence_digest"]);
    let none = GetConsentRequest::default();
    let none = client.get_consent(&none).await.unwrap().err().unwrap();
    assert_eq!(fields(none), ["basis", "consent_reference", "request_id"]);
    let none = client.withdraw_consent(&WithdrawConsentRequest::default()).await.unwrap();
    assert_eq!(fields(none.err().unwrap()), ["basis", "consent_reference", "request_id"]);
    // Before anybody is looked for.
    assert_eq!(world.records().await, before);
    recorded(&world, &ends(Duration::days(365))).await;
    world.stop().await;
}

async fn a_consent_outlives_a_restart(engine: Engine) {
    let mut world = World::new(engine).await;
    let person = believer(&world);
    let Consent { reference, .. } = recorded(&world, &consent(&person, "k-1")).await;
    world.stop_identity().await;
    world.start_identity().await;
    let request = wanted(&person, "religion", BURIAL, &reference);
    assert_eq!(withheld(&world, &request).await, None);
    world.stop().await;
}

async fn i7_a_used_key_says_nothing_of_whoever_is_named_now(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("portal");
    given(&client, &consent(&believer(&world), "k-1")).await;
    let mut seen = Vec::new();
    let plain = [("plain", consent(world.plain(), "k-1"))];
    for (kind, request) in plain.into_iter().chain(nobody(&world)) {
        let before = world.statements();
        let refused = unrecorded(&client, &request).await;
        assert_eq!(why(&refused), ("AlreadyExists", "KEY_REUSED"), "{kind}");
        seen.push((world.statements() - before, refused.get("first_digest").map(str::to_owned)));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    world.stop().await;
}

async fn i4_a_repeated_call_gets_its_consent_whatever_became_of_the_person(engine: Engine) {
    const PROTECT: &[&str] = &["UPDATE person SET protected = TRUE, \
        record = REPLACE(record, '\"protected\":false', '\"protected\":true') WHERE NOT protected"];
    let mut world = World::new(engine).await;
    let person = believer(&world);
    let request = consent(&person, "k-1");
    let first = recorded(&world, &request).await;
    world.stop_identity().await;
    let (register, migrations) = (world.register_database(), identity::migrations());
    tests::behind_its_back(register, migrations, PROTECT).await;
    world.start_identity().await;
    let client = world.client("portal");
    let another = given(&client, &consent(&person, "k-2")).await.answer;
    assert_eq!(another.outcome(), LookupOutcome::NoMatch);
    assert_eq!(given(&client, &request).await.answer.consent, Some(first));
    world.stop().await;
}

/// Another connection withdraws what it may have recorded itself, and the first one sees it.
async fn a_consent_is_withdrawn_by_whoever_may_record_the_same(engine: Engine) {
    let world = World::new(engine).await;
    let Consent { reference, .. } = recorded(&world, &consent(&believer(&world), "k-1")).await;
    let request = WithdrawConsentRequest {
        consent_reference: reference.clone(),
        basis: Some(basis(BURIAL)),
        request_id: "withdraw-1".to_owned(),
    };
    let told = world.client("police").withdraw_consent(&request).await.unwrap().unwrap();
    told.verify(&world.log).unwrap();
    let seen = got(&world.client("portal"), &reference, BURIAL).await.answer.consent.unwrap();
    assert_eq!(seen.withdraw_time, after(Duration::ZERO));
    assert_eq!(told.answer.consent, Some(seen));
    world.stop().await;
}
