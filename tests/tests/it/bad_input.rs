//! Bad input: each case with its code and reason, every faulty field named at once, nothing changed.

use contract::{
    audit::v1::AppendRequest,
    identity::v1::{GetPersonRequest, LookupOutcome},
    policy::v1::DecideRequest,
    register::v1::ApplyRequest,
    r#type::v1::PartialDate,
};
use lienthong::{
    client::{GET_PERSON, Refused},
    pki::Pki,
};
use server::{runtime::Clock, tls};
use store::Engine;
use tests::{World, ask, basis, on_both_engines, people, raw::Raw, world::NOW};

use crate::{answered, refused, why};

const INVALID: (&str, &str) = ("InvalidArgument", "INVALID_REQUEST");

/// Field and reason of every fault, in the order they were named.
fn faults(refused: &Refused) -> Vec<(String, String)> {
    let reason = |description: &str| description.split(':').next().unwrap_or_default().to_owned();
    refused.fields.iter().map(|(field, why)| (field.clone(), reason(why))).collect()
}

type Change = fn(&mut GetPersonRequest);

/// A change of a good request, and every fault it makes.
const FAULTY: &[(Change, &[(&str, &str)])] = &[
    (|r| r.items.clear(), &[("items", "MISSING")]),
    (|r| r.items = vec!["*".into()], &[("items[0]", "WILDCARD")]),
    (|r| r.items = vec!["sex".into(), "birth_*".into()], &[("items[1]", "WILDCARD")]),
    (|r| r.items = vec!["sex".into(), "sex".into()], &[("items[1]", "REPEATED")]),
    (|r| r.basis = None, &[("basis", "MISSING")]),
    (
        |r| r.basis = Some(contract::r#type::v1::AccessBasis::default()),
        &[
            ("basis.procedure", "MISSING"),
            ("basis.legal_basis", "MISSING"),
            ("basis.case_reference", "MISSING"),
            ("basis.acting_unit", "MISSING"),
            ("basis.officer", "MISSING"),
        ],
    ),
    (
        |r| r.basis.as_mut().unwrap().officer = "990204000001".into(),
        &[("basis.officer", "PERSONAL_NUMBER")],
    ),
    (|r| r.subject = None, &[("subject", "MISSING")]),
    (|r| r.subject = people::by_token(""), &[("subject.token", "MALFORMED")]),
    (|r| r.subject = people::by_token("two words"), &[("subject.token", "MALFORMED")]),
    (|r| r.subject = people::by_token("đ"), &[("subject.token", "MALFORMED")]),
    (|r| r.subject = people::by_token(&"t".repeat(65)), &[("subject.token", "MALFORMED")]),
    (|r| r.subject = people::by_number("99020400001"), &[("subject.personal_number", "MALFORMED")]),
    (
        |r| r.subject = people::by_number("99020400000x"),
        &[("subject.personal_number", "MALFORMED")],
    ),
    (
        |r| r.subject = people::by_number("9902040000012"),
        &[("subject.personal_number", "MALFORMED")],
    ),
    (
        |r| r.subject = people::by_number("٩٩٠٢٠٤٠٠٠٠٠١"),
        &[("subject.personal_number", "MALFORMED")],
    ),
    (|r| r.subject = people::by_number(""), &[("subject.personal_number", "MALFORMED")]),
    (|r| r.subject = people::by_old_number("12345678"), &[("subject.old_number", "MALFORMED")]),
    (|r| r.subject = people::by_old_number("99912345A"), &[("subject.old_number", "MALFORMED")]),
    (
        |r| r.claims = Some(contract::r#type::v1::Claims::default()),
        &[("claims.full_name", "MISSING"), ("claims.date_of_birth", "MISSING")],
    ),
    (
        |r| {
            let date = PartialDate { year: 2001, month: 2, day: 30 };
            r.claims.as_mut().unwrap().date_of_birth = Some(date);
        },
        &[("claims.date_of_birth", "MALFORMED")],
    ),
    // Tomorrow, by the clock of the test.
    (
        |r| {
            let date = PartialDate { year: 2026, month: 11, day: 25 };
            r.claims.as_mut().unwrap().date_of_birth = Some(date);
        },
        &[("claims.date_of_birth", "IN_THE_FUTURE")],
    ),
    (|r| r.request_id.clear(), &[("request_id", "MISSING")]),
    (|r| r.request_id = "x".repeat(41), &[("request_id", "TOO_LONG")]),
    // What the procedure demands is found missing when policy has answered.
    (|r| r.claims = None, &[("claims.full_name", "MISSING"), ("claims.date_of_birth", "MISSING")]),
    // Everything at once.
    (
        |r| {
            *r = GetPersonRequest { items: vec!["*".into(), String::new()], ..Default::default() };
        },
        &[
            ("subject", "MISSING"),
            ("items[0]", "WILDCARD"),
            ("items[1]", "MISSING"),
            ("basis", "MISSING"),
            ("request_id", "MISSING"),
        ],
    ),
];

async fn every_faulty_field_is_named_at_once(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let before = world.records().await;
    for (change, expected) in FAULTY {
        let mut request = ask(world.plain(), &["sex"]);
        change(&mut request);
        let refused = refused(&client, &request).await;
        assert_eq!(why(&refused), INVALID, "{expected:?}");
        let found = faults(&refused);
        let found: Vec<_> = found.iter().map(|(f, r)| (f.as_str(), r.as_str())).collect();
        assert_eq!(found, *expected);
        for (_, description) in &refused.fields {
            assert!(description.contains(" / "), "both languages: {description}");
        }
    }
    assert_eq!(world.records().await, before, "nothing was disclosed, decided or changed");
    // And the request was good before it was changed.
    answered(&client, &ask(world.plain(), &["sex"])).await;
    world.stop().await;
}

async fn claims_that_do_not_match_are_an_answer_and_an_unknown_item_an_outcome(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let mut request = ask(world.plain(), &["sex", "no_such_item"]);
    let answer = answered(&client, &request).await.answer;
    assert_eq!(answer.items.len(), 2);
    request.claims.as_mut().unwrap().date_of_birth.as_mut().unwrap().year -= 1;
    let answer = answered(&client, &request).await.answer;
    assert_eq!(answer.outcome(), LookupOutcome::NoMatch);
    // Nothing but unknown items: there is nothing that could be given.
    let refused = refused(&client, &ask(world.plain(), &["no_such_item"])).await;
    assert_eq!(why(&refused), ("PermissionDenied", "NOTHING_ALLOWED"));
    world.stop().await;
}

/// Each denial says rule and article, and where it is recorded.
async fn i2_denials_say_why_and_are_recorded(engine: Engine) {
    let world = World::new(engine).await;
    let plain = ask(world.plain(), &["sex"]);
    let with = |change: Change| {
        let mut request = plain.clone();
        change(&mut request);
        request
    };
    let inactive = "CONNECTION_NOT_ACTIVE";
    let cases = [
        ("stranger", plain.clone(), inactive, "no-connection"),
        ("suspended", plain.clone(), inactive, "connection-suspended"),
        ("revoked", plain.clone(), inactive, "connection-revoked"),
        ("lapsed", plain.clone(), inactive, "assessment-lapsed"),
        (
            "insurance",
            with(|r| r.basis.as_mut().unwrap().legal_basis = "no-such-ground".into()),
            "BASIS_NOT_IN_FORCE",
            "basis-unknown",
        ),
        (
            "insurance",
            with(|r| r.basis.as_mut().unwrap().legal_basis = "law-59-2014-art-9-1".into()),
            "BASIS_NOT_IN_FORCE",
            "basis-not-in-force",
        ),
        (
            "insurance",
            with(|r| r.basis = Some(basis("no-such-procedure"))),
            "NO_AGREEMENT",
            "procedure-unknown",
        ),
        // The agreement that granted it has ended.
        (
            "insurance",
            with(|r| r.basis = Some(basis("death-registration"))),
            "NO_AGREEMENT",
            "no-agreement",
        ),
        (
            "insurance",
            with(|r| {
                (r.items, r.basis) = (vec!["religion".into()], Some(basis("burial-allowance")))
            }),
            "NOTHING_ALLOWED",
            "religion-by-consent",
        ),
    ];
    for (caller, request, reason, rule) in cases {
        let before = world.records().await;
        let refused = refused(&world.client(caller), &request).await;
        assert_eq!(why(&refused), ("PermissionDenied", reason), "{caller} {rule}");
        assert_eq!(refused.get("rule"), Some(rule));
        assert!(!refused.get("article").unwrap().is_empty());
        assert_eq!(refused.get("record_index"), Some(before.to_string().as_str()));
        assert_eq!(world.records().await, before + 1, "{caller} {rule}");
    }
    world.stop().await;
}

/// No answer of ours reaches a caller whose certificate is not good: the handshake fails.
async fn a_certificate_that_is_unknown_or_expired_gets_no_answer(engine: Engine) {
    let world = World::new(engine).await;
    let id = "spiffe://lienthong.test/agency/Z24.TEST/system/health-insurance";
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Pki::open(elsewhere.path(), Clock::system()).unwrap();
    let unknown =
        tls::Files { ca: world.files("insurance").ca, ..other.issue("insurance", id).unwrap() };
    let years_ago = Clock::fixed(NOW - time::Duration::days(800));
    let expired = world.pki_at(years_ago).issue("expired", id).unwrap();
    let before = world.records().await;
    for files in [unknown, expired] {
        let request = ask(world.plain(), &["sex"]);
        let called = async {
            Raw::connect(world.address(), &files).await?.call(GET_PERSON, &request, &[]).await
        };
        assert!(called.await.is_err(), "nothing was answered");
        let refused = refused(&world.client_with(&files), &request).await;
        assert_eq!((refused.reason.as_str(), refused.vi.as_str()), ("", ""), "not from us");
    }
    assert_eq!(world.records().await, before);
    world.stop().await;
}

async fn a_certificate_without_an_identity_of_ours_is_unknown(engine: Engine) {
    let world = World::new(engine).await;
    for (name, id) in [
        ("other-domain", "spiffe://other.test/agency/Z24.TEST/system/health-insurance"),
        ("no-spiffe", "https://lienthong.test/agency/Z24.TEST/system/health-insurance"),
        ("no-kind", "spiffe://lienthong.test/agency/Z24.TEST"),
    ] {
        let client = world.client_with(&world.issue(name, id));
        let refused = refused(&client, &ask(world.plain(), &["sex"])).await;
        assert_eq!(why(&refused), ("Unauthenticated", "UNKNOWN_IDENTITY"), "{name}");
    }
    world.stop().await;
}

async fn i2_a_method_is_open_to_whom_the_table_says(engine: Engine) {
    let world = World::new(engine).await;
    let raw = world.raw("insurance").await;
    let closed = ("PermissionDenied", "METHOD_NOT_ALLOWED");
    let apply = "/lienthong.register.v1.RegisterService/Apply";
    let reply = raw.call(apply, &ApplyRequest::default(), &[]).await.unwrap();
    assert_eq!(why(&reply.refused()), closed);
    let decide = "/lienthong.policy.v1.PolicyService/Decide";
    let reply = raw.call(decide, &DecideRequest::default(), &[]).await.unwrap();
    assert_eq!(why(&reply.refused()), closed);
    let append = "/lienthong.audit.v1.AuditService/Append";
    let reply = raw.call(append, &AppendRequest::default(), &[]).await.unwrap();
    assert_eq!(why(&reply.refused()), closed);

    let unknown = ("Unimplemented", "UNKNOWN_METHOD");
    let request = ask(world.plain(), &["sex"]);
    for path in [
        "/lienthong.identity.v1.IdentityService/DropPerson",
        "/lienthong.identity.v1.IdentityService/GetPerson/",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/",
    ] {
        let reply = raw.call(path, &request, &[]).await.unwrap();
        assert_eq!(why(&reply.refused()), unknown, "{path}");
    }
    // An agency's method is not one of a service's.
    let service = world.issue("identity", "spiffe://lienthong.test/service/identity");
    let raw = Raw::connect(world.address(), &service).await.unwrap();
    let reply = raw.call(GET_PERSON, &request, &[]).await.unwrap();
    assert_eq!(why(&reply.refused()), closed);
    world.stop().await;
}

async fn a_message_that_is_too_large_or_no_message_is_refused(engine: Engine) {
    let world = World::new(engine).await;
    let mut request = ask(world.plain(), &["sex"]);
    request.basis.as_mut().unwrap().case_reference = "x".repeat(300 << 10);
    let refused = refused(&world.client("insurance"), &request).await;
    assert_eq!(why(&refused), ("ResourceExhausted", "MESSAGE_TOO_LARGE"));

    let raw = world.raw("insurance").await;
    let reply = raw.call_bytes(GET_PERSON, &[0xff; 16], &[]).await.unwrap().refused();
    assert_eq!(why(&reply), INVALID);
    assert_eq!(faults(&reply), [(String::new(), "MALFORMED".to_owned())]);
    let timeout = [("grpc-timeout", "soon")];
    let request = ask(world.plain(), &["sex"]);
    let reply = raw.call(GET_PERSON, &request, &timeout).await.unwrap().refused();
    assert_eq!(why(&reply), INVALID);
    assert_eq!(faults(&reply), [("grpc-timeout".to_owned(), "MALFORMED".to_owned())]);
    world.stop().await;
}

async fn i10_a_version_beyond_the_register_is_not_answered(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let newest = u64::try_from(world.people().len()).unwrap();
    let mut request = ask(world.plain(), &["sex"]);
    request.min_version = newest;
    answered(&client, &request).await;
    request.min_version = newest + 1;
    let refused = refused(&client, &request).await;
    assert_eq!(why(&refused), ("Unavailable", "REGISTER_BEHIND"));
    world.stop().await;
}

on_both_engines!(
    every_faulty_field_is_named_at_once,
    claims_that_do_not_match_are_an_answer_and_an_unknown_item_an_outcome,
    i2_denials_say_why_and_are_recorded,
    a_certificate_that_is_unknown_or_expired_gets_no_answer,
    a_certificate_without_an_identity_of_ours_is_unknown,
    i2_a_method_is_open_to_whom_the_table_says,
    a_message_that_is_too_large_or_no_message_is_refused,
    i10_a_version_beyond_the_register_is_not_answered,
);
