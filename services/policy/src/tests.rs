//! `PolicyService.Decide` as its callers see it, on both engines. `registry` is about what is
//! stored and about starting.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use ::store::{
    Engine, Sql,
    testing::{ENGINES, TestDatabase},
};
use contract::{
    policy::v1::{
        Action, ClaimsRule, DecideRequest, DecideResponse, Denial, ItemDecision, ItemEffect,
        decide_response::Decision, policy_service_client::PolicyServiceClient,
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use decide::signed::DecisionVerifier;
use prost::Message as _;
use server::{Caller, Deadline};
use time::{OffsetDateTime, macros::datetime};
use tonic::{Code, Request, Status, service::Routes};
use tonic_types::StatusExt;
use wire::policy::{DECIDE, SIGNATURE};

use super::*;
use crate::domain::registry::State;

mod ext_authz;
mod profile;
mod registry;
mod revisions;
mod sample;
mod signatures;
mod volumes;
mod warrants;

/// Noon in Viet Nam.
const NOW: OffsetDateTime = datetime!(2026-11-24 05:00:00.7 UTC);
const SHARING: &str = "Decision 1911/QD-TTg, Art. 2(1)";
const PROVIDING: &str = "Decision 1911/QD-TTg, Art. 2(2)";
const CONNECTING: &str = "Decree 70/2024/ND-CP, Art. 7(2)";

/// With the legal profile of a day.
fn config(database: &TestDatabase, now: OffsetDateTime) -> Config {
    let database = Secret::new(database.url());
    let before = now < datetime!(2024-06-30 17:00 UTC);
    let legal_profile = if before { LegalProfile::Law2014 } else { LegalProfile::Law2023 };
    let defaults = server::config::load::<Defaults>(&[DEFAULTS], None).unwrap().policy;
    Config { database, legal_profile, ..defaults }
}

async fn open(database: &TestDatabase, now: OffsetDateTime) -> Service {
    start_anew(&config(database, now), now).await
}

/// As of a day that may be before one of which something was asked: each is a case by itself.
async fn start_anew(config: &Config, now: OffsetDateTime) -> Service {
    let store = ::store::Store::open(config.database.reveal(), migrations()).await.unwrap();
    let forget = store.write("forget the day", |tx| {
        Box::pin(async move { tx.execute(&Sql::same("DELETE FROM latest_day"), Vec::new()).await })
    });
    forget.await.unwrap();
    store.close().await;
    start(config, now).await.unwrap()
}

/// The table of this service alone.
#[derive(Deserialize, Serialize)]
struct Defaults {
    policy: Config,
}

/// The defaults of whoever serves it: without officers it calls nobody.
#[derive(Deserialize, Serialize)]
struct Process {
    server: server::Config,
}

async fn start(config: &Config, now: OffsetDateTime) -> Result<Service, Error> {
    let own = server::config::load::<Process>(&[server::config::DEFAULTS], None).unwrap().server;
    let profile = Profile::load(config.legal_profile)?;
    Service::with(profile, signer(), config, &own, Clock::fixed(now), Entropy::seeded(1)).await
}

fn signer() -> NoteSigner {
    NoteSigner::from_seed("policy.test", [9; 32]).unwrap()
}

fn sample() -> Registry {
    Registry::parse(include_str!("../testdata/registry.toml")).unwrap()
}

/// A registry of before 2024-07-01, as far as the law of the service lists its items.
fn of_2014(mut registry: Registry, service: &Service) -> Registry {
    for connection in &mut registry.connections {
        connection.legal_basis = "decree-137-2015-art-7-2".into();
    }
    for agreement in &mut registry.agreements {
        agreement.valid_from = time::macros::date!(2021 - 01 - 01);
        for grant in &mut agreement.grants {
            grant.items.retain(|item| service.app.in_force.last().catalogue.item(item).is_some());
        }
    }
    registry
}

/// A service on a new database with the registry of the tests.
async fn service(engine: Engine) -> (TestDatabase, Service) {
    let database = TestDatabase::migrated(engine, "policy", store::MIGRATIONS).await;
    let service = open(&database, NOW).await;
    service.apply_registry(&sample()).await.unwrap();
    (database, service)
}

/// The same database under a later or earlier clock.
async fn at(database: &TestDatabase, service: Service, now: OffsetDateTime) -> Service {
    service.close().await;
    open(database, now).await
}

fn request(agency: &str, system: &str, procedure: &str, items: &[&str]) -> DecideRequest {
    DecideRequest {
        caller: format!("spiffe://lienthong.test/agency/{agency}/system/{system}"),
        action: Action::Obtain.into(),
        basis: Some(AccessBasis {
            procedure: procedure.to_owned(),
            legal_basis: "1911-2021-art-2-1".to_owned(),
            case_reference: "HS-1".to_owned(),
            acting_unit: "G24.1".to_owned(),
            officer: "cb-7".to_owned(),
            ..AccessBasis::default()
        }),
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        event: String::new(),
        caller_key: Vec::new(),
        counts_volumes: true,
        checks_signatures: true,
    }
}

/// The same request, to contribute an event.
fn contributing(request: DecideRequest, event: &str) -> DecideRequest {
    let request = with_basis(request, |basis| basis.legal_basis = "1911-2021-art-2-2".into());
    DecideRequest { action: Action::Contribute.into(), event: event.to_owned(), ..request }
}

/// A request that the agreement on health-insurance cards covers.
fn covered() -> DecideRequest {
    request("G24", "health-insurance", "child-health-insurance-card", &["birth_full_name"])
}

fn with_basis(mut request: DecideRequest, change: impl FnOnce(&mut AccessBasis)) -> DecideRequest {
    change(request.basis.as_mut().unwrap());
    request
}

/// Over the routes that the binary serves, with what its server puts on every call.
async fn ask(service: &Service, request: DecideRequest) -> Result<DecideResponse, Status> {
    let identity = "spiffe://lienthong.test/service/identity";
    let mut request = Request::new(request);
    request.extensions_mut().insert(Caller::parse(identity, "lienthong.test").unwrap());
    request.extensions_mut().insert(Deadline::after(Duration::from_secs(60)));
    let mut client = PolicyServiceClient::new(service.internal(Routes::default()));
    let question = request.get_ref().encode_to_vec();
    let answered = client.decide(request).await?;
    let signature = answered.metadata().get_bin(SIGNATURE).unwrap().to_bytes().unwrap();
    let answer = answered.into_inner();
    let keys = DecisionVerifier::parse(signer().verifier_key()).unwrap();
    keys.verify(DECIDE, &question, &answer.encode_to_vec(), &signature).unwrap();
    Ok(answer)
}

async fn decide(service: &Service, request: DecideRequest) -> DecideResponse {
    ask(service, request).await.unwrap()
}

/// What is decided of each item of a person without any of the facts.
fn ordinary(response: &DecideResponse) -> Vec<ItemDecision> {
    let Some(Decision::Table(table)) = &response.decision else { panic!("{response:?}") };
    let answer = usize::try_from(table.rows[0]).unwrap();
    assert!(table.answers[answer].visible);
    table.answers[answer].items.clone()
}

/// Whether a response is exactly this denial; then it demands nothing of the caller.
fn check_denied(response: &DecideResponse, reason: ErrorReason, rule: &str, article: &str) {
    let (reason, rule, article) = (reason.into(), rule.into(), article.into());
    let denial = Denial { reason, rule, article, period_end: None };
    assert_eq!(response.decision, Some(Decision::Denial(denial)));
    assert_eq!(response.claims, Some(ClaimsRule::default()));
    assert_eq!((response.decision_id.len(), response.policy_revision.len()), (32, 16));
}

async fn denied(
    service: &Service,
    request: DecideRequest,
    reason: ErrorReason,
    rule: &str,
    article: &str,
) {
    check_denied(&decide(service, request).await, reason, rule, article);
}

fn decided(item: &str, effect: ItemEffect, rule: &str, basis: &str, article: &str) -> ItemDecision {
    ItemDecision {
        item: item.into(),
        effect: effect.into(),
        rule: rule.into(),
        legal_basis: basis.into(),
        article: article.into(),
        obligations: Vec::new(),
    }
}

#[tokio::test]
async fn i3_each_item_is_allowed_withheld_or_unknown() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let items = ["birth_full_name", "religion", "shoe_size"];
        let asked = request("G24", "health-insurance", "child-health-insurance-card", &items);
        let response = decide(&service, asked).await;
        let (allowed, withheld) = (ItemEffect::Allowed, ItemEffect::Withheld);
        let (unknown, law) = (ItemEffect::UnknownItem, "law-26-2023-art-9");
        let (basis, rule) = ("1911-2021-art-2-1", "shared-for-assigned-tasks");
        assert_eq!(
            ordinary(&response),
            [
                decided("birth_full_name", allowed, rule, basis, SHARING),
                decided("religion", withheld, "agreement-scope", basis, SHARING),
                decided("shoe_size", unknown, "item-catalogue", law, "Law 26/2023/QH15, Art. 9"),
            ]
        );
        assert_eq!(response.connection, "conn-social-insurance");
        assert_eq!(response.database, "social-insurance");
        assert_eq!(response.agreement, "agr-health-cards");
        assert_eq!(response.claims, Some(ClaimsRule::default()));
        let Some(Decision::Table(table)) = response.decision else { panic!("no table") };
        assert_eq!(table.facts, ["protected"]);
        assert_eq!(table.rows.len(), 2);
    }
}

#[tokio::test]
async fn contributing_stands_on_its_own_grant_and_ground() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let birth =
            request("G03", "civil-status", "birth-registration", &["date_of_birth", "religion"]);
        let birth = contributing(birth, "birth");
        let items = ordinary(&decide(&service, birth.clone()).await);
        assert_eq!(items[0].rule, "provided-to-the-register");
        assert_eq!(items[0].article, PROVIDING);
        assert_eq!(items[1].rule, "agreement-scope");
        // The same items cannot be obtained by it.
        let obtain = DecideRequest { action: Action::Obtain.into(), event: String::new(), ..birth };
        let article = "Decision 1911/QD-TTg, Art. 3(4)(b)";
        denied(&service, obtain, ErrorReason::NoAgreement, "no-agreement", article).await;
    }
}

/// Under the registration of births nothing but births is contributed, whatever the items; and who
/// has no agreement learns that first of the event.
#[tokio::test]
async fn i2_an_event_that_is_not_of_the_procedure_is_denied() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let (reason, rule) = (ErrorReason::NoAgreement, "event-not-of-procedure");
        let birth = request("G03", "civil-status", "birth-registration", &["date_of_birth"]);
        for event in ["death", "residence", "correction"] {
            let asked = contributing(birth.clone(), event);
            let response = decide(&service, asked).await;
            check_denied(&response, reason, rule, PROVIDING);
            assert_eq!(response.connection, "conn-civil-status");
            assert_eq!(response.agreement, "");
        }
        let card = contributing(covered(), "birth");
        denied(&service, card, reason, rule, PROVIDING).await;
        let named = contributing(
            request("G24", "health-insurance", "birth-registration", &["date_of_birth"]),
            "birth",
        );
        let agreeing = "Decision 1911/QD-TTg, Art. 3(4)(b)";
        denied(&service, named, reason, "no-agreement", agreeing).await;
    }
}

#[tokio::test]
async fn an_event_is_named_exactly_where_one_is_contributed() {
    let (_database, service) = service(Engine::Sqlite).await;
    let obtain = |event: &str| DecideRequest { event: event.to_owned(), ..covered() };
    for (asked, reason) in [
        (contributing(covered(), ""), "MISSING"),
        (contributing(covered(), " "), "MISSING"),
        (contributing(covered(), "wedding"), "UNKNOWN_CODE"),
        (contributing(covered(), "Birth"), "UNKNOWN_CODE"),
        (contributing(covered(), "birth "), "UNKNOWN_CODE"),
        (contributing(covered(), "001099000001"), "UNKNOWN_CODE"),
        (obtain("birth"), "NOT_ALLOWED"),
        (obtain("wedding"), "NOT_ALLOWED"),
        (obtain(" "), "NOT_ALLOWED"),
    ] {
        check_faults(&service, asked, &[("event", reason)]).await;
    }
    // Without an action it may be missing, and is still of a known kind.
    for (event, expect) in [
        ("", &[("action", "MISSING")][..]),
        ("birth", &[("action", "MISSING")]),
        ("wedding", &[("action", "MISSING"), ("event", "UNKNOWN_CODE")]),
    ] {
        let asked = DecideRequest { action: Action::Unspecified.into(), ..obtain(event) };
        check_faults(&service, asked, expect).await;
    }
}

#[tokio::test]
async fn claims_are_waived_where_the_procedure_says_so() {
    let (_database, service) = service(Engine::Sqlite).await;
    let asked =
        request("G24", "health-insurance", "investigation-identification", &["birth_full_name"]);
    let response = decide(&service, asked).await;
    assert_eq!(response.claims, Some(ClaimsRule { waived: true, year_suffices: true }));
}

#[tokio::test]
async fn i2_without_a_usable_connection_everything_is_denied() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        for (agency, system, rule, connection) in [
            ("G24", "other", "no-connection", ""),
            ("G99", "health-insurance", "no-connection", ""),
            ("H99", "portal", "connection-suspended", "conn-portal"),
            ("H99", "portal-old", "connection-revoked", "conn-portal-old"),
            ("G01", "residence", "assessment-lapsed", "conn-residence"),
        ] {
            let asked = request(agency, system, "portal-form-prefill", &["sex"]);
            let response = decide(&service, asked).await;
            check_denied(&response, ErrorReason::ConnectionNotActive, rule, CONNECTING);
            assert_eq!(response.connection, connection);
            assert_eq!(response.agreement, "");
        }
    }
}

#[tokio::test]
async fn i2_a_ground_that_is_unknown_or_ended_is_denied() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        for (basis, rule, article) in [
            ("law-of-nowhere", "basis-unknown", SHARING),
            ("law-59-2014-art-9-1", "basis-not-in-force", "Law 59/2014/QH13, Art. 9(1)"),
        ] {
            let asked = with_basis(covered(), |b| b.legal_basis = basis.into());
            denied(&service, asked, ErrorReason::BasisNotInForce, rule, article).await;
        }
    }
}

/// A connection made under what has been replaced is cited by what took its place, from its first
/// day on.
#[tokio::test]
async fn the_article_cited_is_the_one_in_force_on_the_day() {
    let (database, service) = service(Engine::Sqlite).await;
    let mut registry = sample();
    registry.connections[1].state = State::Suspended;
    service.apply_registry(&registry).await.unwrap();
    let asked = || request("G03", "civil-status", "birth-registration", &["sex"]);
    let (reason, rule) = (ErrorReason::ConnectionNotActive, "connection-suspended");
    denied(&service, asked(), reason, rule, CONNECTING).await;
    let service = at(&database, service, datetime!(2024-06-30 16:59:59 UTC)).await;
    denied(&service, asked(), reason, rule, "Decree 137/2015/ND-CP, Art. 7(2)").await;
    let service = at(&database, service, datetime!(2024-06-30 17:00 UTC)).await;
    denied(&service, asked(), reason, rule, CONNECTING).await;
}

#[tokio::test]
async fn i2_without_an_agreement_in_force_everything_is_denied() {
    for engine in ENGINES {
        let (database, service) = service(engine).await;
        let agreeing = "Decision 1911/QD-TTg, Art. 3(4)(b)";
        let no_agreement = ErrorReason::NoAgreement;
        for (procedure, rule, article) in [
            ("of-nowhere", "procedure-unknown", SHARING),
            ("portal-form-prefill", "no-agreement", agreeing),
            // Its agreement has ended.
            ("death-registration", "no-agreement", agreeing),
        ] {
            let asked = request("G24", "health-insurance", procedure, &["birth_full_name"]);
            denied(&service, asked, no_agreement, rule, article).await;
        }
        // The first and the last moment of the agreement's period, in Viet Nam.
        let service = at(&database, service, datetime!(2025-12-31 16:59:59 UTC)).await;
        denied(&service, covered(), no_agreement, "no-agreement", agreeing).await;
        let service = at(&database, service, datetime!(2025-12-31 17:00 UTC)).await;
        assert_eq!(decide(&service, covered()).await.agreement, "agr-health-cards");
        let service = at(&database, service, datetime!(2026-12-31 17:00 UTC)).await;
        denied(&service, covered(), no_agreement, "no-agreement", agreeing).await;
    }
}

#[tokio::test]
async fn i2_what_no_row_allows_is_denied_with_the_first_reason() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let nothing = ErrorReason::NothingAllowed;
        let religion = || request("G24", "health-insurance", "burial-allowance", &["religion"]);
        // Whether there is a consent is a fact of the person, and changes no decision: whoever reads the record looks for it.
        for reference in ["", "DY-1"] {
            let named = with_basis(religion(), |basis| basis.consent_reference = reference.into());
            let decided = decide(&service, named).await;
            let Some(Decision::Table(table)) = &decided.decision else { panic!("{decided:?}") };
            assert_eq!(table.facts, ["consent", "protected"], "{reference:?}");
            let effects = table.rows.iter().map(|row| {
                let decided = &table.answers[*row as usize].items[0];
                (decided.effect(), decided.rule.as_str())
            });
            let withheld = (ItemEffect::Withheld, "religion-by-consent");
            let hidden = (ItemEffect::Withheld, "protected-person-hidden");
            let given = (ItemEffect::Allowed, "shared-for-assigned-tasks");
            assert_eq!(effects.collect::<Vec<_>>(), [withheld, given, hidden, hidden]);
        }
        // For an act for which none counts there is none.
        let mut followed = religion();
        followed.action = Action::Explain.into();
        let denial = decide(&service, followed).await;
        assert!(matches!(denial.decision, Some(Decision::Denial(_))));
        let mut outside = covered();
        outside.items = vec!["shoe_size".into(), "blood_type".into()];
        denied(&service, outside, nothing, "agreement-scope", SHARING).await;
        let mut unknown = covered();
        unknown.items = vec!["shoe_size".into()];
        let law = "Law 26/2023/QH15, Art. 9";
        denied(&service, unknown, nothing, "item-catalogue", law).await;
    }
}

/// Faulty fields of a status, with their reasons, in order.
fn faults(status: &Status) -> Vec<(String, String)> {
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let fields = details.bad_request().unwrap().field_violations.iter();
    fields.map(|v| (v.field.clone(), v.reason.clone())).collect()
}

async fn check_faults(service: &Service, request: DecideRequest, expect: &[(&str, &str)]) {
    let status = ask(service, request).await.unwrap_err();
    let expect: Vec<_> = expect.iter().map(|(f, r)| ((*f).to_owned(), (*r).to_owned())).collect();
    assert_eq!(faults(&status), expect);
    assert!(!format!("{status:?}").contains("001099000001"), "a value in the error (I8)");
}

#[tokio::test]
async fn every_faulty_field_is_named_at_once() {
    let (_database, service) = service(Engine::Sqlite).await;
    let all = ["caller", "action", "basis", "items"].map(|field| (field, "MISSING"));
    check_faults(&service, DecideRequest::default(), &all).await;
    let fields = ["procedure", "legal_basis", "case_reference", "acting_unit", "officer"];
    let fields = fields.map(|field| format!("basis.{field}"));
    let missing: Vec<_> = fields.iter().map(|field| (field.as_str(), "MISSING")).collect();
    let empty = with_basis(covered(), |basis| *basis = AccessBasis::default());
    check_faults(&service, empty, &missing).await;
    let mut wrong = with_basis(covered(), |basis| {
        basis.procedure = " ".into();
        basis.case_reference = "đ".repeat(65);
        basis.acting_unit = "g24".into();
        basis.officer = "001099000001".into();
    });
    wrong.caller = "spiffe://lienthong.test/service/identity".into();
    wrong.action = 99;
    wrong.items = ["sex", "", "birth_*", "sex"].map(str::to_owned).to_vec();
    let expect = [
        ("caller", "MALFORMED"),
        ("action", "MISSING"),
        ("basis.procedure", "MISSING"),
        ("basis.case_reference", "TOO_LONG"),
        ("basis.acting_unit", "MALFORMED"),
        ("basis.officer", "PERSONAL_NUMBER"),
        ("items[1]", "MISSING"),
        ("items[2]", "WILDCARD"),
        ("items[3]", "REPEATED"),
    ];
    check_faults(&service, wrong, &expect).await;
    let mut long = with_basis(covered(), |basis| {
        basis.case_reference = "đ".repeat(64);
        basis.officer = "x".repeat(36);
    });
    long.items = (0..65).map(|n| format!("item_{n}")).collect();
    let expect = [("basis.officer", "TOO_LONG"), ("items", "TOO_MANY")];
    check_faults(&service, long, &expect).await;
}

#[tokio::test]
async fn valid_until_is_the_earliest_end() {
    for engine in ENGINES {
        let (database, mut service) = service(engine).await;
        let mut assessed = sample();
        assessed.connections[0].assessed_until = time::macros::date!(2026 - 11 - 25);
        for (registry, now, end) in [
            // Sixty seconds, and the part of a second cut off.
            (sample(), NOW, datetime!(2026-11-24 05:01 UTC)),
            (sample(), datetime!(2026-12-31 16:59:30 UTC), datetime!(2026-12-31 17:00 UTC)),
            (assessed, datetime!(2026-11-24 16:59:30 UTC), datetime!(2026-11-24 17:00 UTC)),
        ] {
            service = at(&database, service, now).await;
            service.apply_registry(&registry).await.unwrap();
            let response = decide(&service, covered()).await;
            ordinary(&response);
            let until = response.valid_until.unwrap();
            assert_eq!((until.seconds, until.nanos), (end.unix_timestamp(), 0), "{engine:?} {now}");
        }
    }
}
