//! The figures of the half-yearly and yearly reports (Decision 1911/QD-TTg, Art. 3(1)(dd), 3(4)(dd)), counted from the access log.

use contract::{
    audit::v1::{
        CountAccessesAnswer, CountAccessesRequest, CountedOutcome, DecisionRecord, ItemCount,
        RequestCount,
    },
    contribution::v1::ListQualityRequest,
    identity::v1::{GetPersonAnswer, GetPersonRequest},
    r#type::v1::{AccessBasis, ErrorReason},
};
use lienthong::{
    client::{Answered, Client, Refused},
    demo,
    process::Runtime,
    synth::SyntheticPerson,
};
use model::report::Report;
use prost::Message as _;
use prost_types::Timestamp;
use store::Engine;
use tests::{
    behind_its_back,
    events::{about, birth},
    on_both_engines,
    processes::{Fleet, Shape, binary},
    whole::{Whole, born, full_name},
    world::NOW,
};
use time::{Duration, OffsetDateTime};

on_both_engines!(
    an_agency_is_told_of_its_own_and_an_auditor_of_all,
    i1_who_asks_how_much_was_asked_is_recorded_too,
    i7_a_protected_person_is_counted_as_nobody,
    a_period_is_half_open,
    what_cannot_be_opened_any_more_is_counted_as_that,
    a_period_of_which_records_are_archived_is_not_counted_by_half,
    bad_requests_name_every_fault,
    figures_of_all_sources_are_for_inspectors,
);

/// As on Kubernetes, where each service has an endpoint of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_whole_where_each_service_has_an_endpoint_of_its_own() {
    let fleet = Fleet::start(Shape::Each, Engine::Sqlite).await;
    let auditor = fleet.issue_operator("auditor");
    // Years of reports begin on 15 December.
    let year = (Runtime::system().clock.now() + Duration::days(17)).year().to_string();
    let at = |service: &str| fleet.peer(service).endpoint.clone();
    let report = |elsewhere: &[&str]| {
        let output = std::process::Command::new(binary())
            .args(["report", "--format", "json", "--period", &year, "--service", "audit"])
            .args(["--endpoint", &at("audit"), "--trust-domain", demo::TRUST_DOMAIN])
            .args([
                "--ca",
                &auditor.ca,
                "--certificate",
                &auditor.certificate,
                "--key",
                &auditor.key,
            ])
            .args(["--log-key", fleet.log_key_file()])
            .args(elsewhere)
            .output()
            .unwrap();
        let report: Report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.success(), report)
    };
    let (policy, contribution) = (at("policy"), at("contribution"));
    let (whole, told) =
        report(&["--policy-endpoint", &policy, "--contribution-endpoint", &contribution]);
    assert!(whole && told.missing.is_empty(), "{:?}", told.missing);
    assert!(told.databases.is_some_and(|databases| !databases.is_empty()));
    // Those who are not asked do not say anything.
    let (whole, told) = report(&["--policy-endpoint", &policy]);
    let missing: Vec<_> = told.missing.iter().map(|missing| missing.part.as_str()).collect();
    assert_eq!((whole, missing), (false, vec!["conflicts", "quality"]));
}

const LOOKUP: &str = "lienthong.identity.v1.IdentityService/GetPerson";
const COUNT: &str = "lienthong.audit.v1.ReportService/CountAccesses";
const AGENCY: &str = "Z02.DEMO.BHXH";
/// A number that nobody bears.
const NOBODYS: &str = "999300999999";

/// The minutes after the start that a test is about.
fn minutes(from: i64, until: i64, agency: &str) -> CountAccessesRequest {
    let at = |minutes| moment(NOW + Duration::minutes(minutes));
    CountAccessesRequest {
        from_time: at(from),
        until_time: at(until),
        agency: agency.to_owned(),
        request_id: "count-1".to_owned(),
    }
}

fn moment(at: OffsetDateTime) -> Option<Timestamp> {
    Some(Timestamp { seconds: at.unix_timestamp(), nanos: 0 })
}

fn auditor(whole: &Whole) -> Client {
    whole.client_with(&whole.issue("auditor", "/operator/auditor"))
}

async fn count(
    client: &Client,
    request: &CountAccessesRequest,
) -> Result<Answered<CountAccessesAnswer>, Refused> {
    client.count_accesses(request).await.unwrap()
}

async fn counted(client: &Client, request: &CountAccessesRequest) -> CountAccessesAnswer {
    count(client, request).await.unwrap_or_else(|refused| panic!("{refused}")).answer
}

/// Social insurance asks about a person, or about a number that nobody bears, which is answered, too.
async fn look(whole: &Whole, person: &SyntheticPerson, number: &str) -> Answered<GetPersonAnswer> {
    let day = born(person);
    let day = (day.year(), day.month().into(), day.day().into());
    let (subject, claims) = about(number, full_name(person), day);
    let request = GetPersonRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: vec!["sex".to_owned(), "religion".to_owned()],
        basis: Some(AccessBasis {
            procedure: "child-health-insurance-card".to_owned(),
            legal_basis: "1911-2021-art-2-1".to_owned(),
            case_reference: "TEST-0003".to_owned(),
            acting_unit: "Z02.DEMO.BHXH".to_owned(),
            officer: "can-bo-02".to_owned(),
            ..AccessBasis::default()
        }),
        request_id: "r-1".to_owned(),
        min_version: 0,
        as_of: None,
    };
    whole.client("social-insurance").get_person(&request).await.unwrap().unwrap()
}

fn of<'a>(answer: &'a CountAccessesAnswer, operation: &str) -> Vec<&'a RequestCount> {
    answer.requests.iter().filter(|counted| counted.operation == operation).collect()
}

async fn an_agency_is_told_of_its_own_and_an_auditor_of_all(engine: Engine) {
    let whole = Whole::start(engine).await;
    let known = whole.person(false);
    look(&whole, known, known.number.as_str()).await;
    look(&whole, known, known.number.as_str()).await;
    look(&whole, known, NOBODYS).await;
    let child = birth("b-1", "Trần Giả Định Bảo An");
    let submitted = whole.client("civil-status").submit_contribution(&child).await.unwrap();
    submitted.unwrap_or_else(|refused| panic!("{refused}"));
    whole.hands.step(Duration::minutes(1));
    let insurance = whole.client("social-insurance");
    let answered = count(&insurance, &minutes(0, 1, AGENCY)).await.unwrap();
    answered.verify(&whole.log).unwrap();
    let own = answered.answer;
    let lookups: Vec<_> =
        of(&own, LOOKUP).iter().map(|one| (one.outcome(), one.requests)).collect();
    assert_eq!(lookups, [(CountedOutcome::Answered, 2), (CountedOutcome::NoMatch, 1)]);
    assert!(own.requests.iter().all(|one| one.agency == AGENCY && one.month == "2026-11"));
    assert_eq!(own.records, 3);
    let item = |one: &ItemCount| (one.item.clone(), one.disclosed, one.withheld);
    let items: Vec<_> = own.items.iter().map(item).collect();
    assert_eq!(items, [("religion".to_owned(), 0, 2), ("sex".to_owned(), 2, 0)]);
    assert!(own.latencies.is_empty(), "of one request they would tell how long the register took");
    let [first, last] = [&own.first_checkpoint, &own.last_checkpoint]
        .map(|note| whole.log.verify(note).unwrap().size);
    assert!(first + 3 <= last, "{first} {last}");

    let all = counted(&auditor(&whole), &minutes(0, 1, "")).await;
    assert!(all.records > own.records);
    let took = all.latencies.iter().find(|one| one.operation == LOOKUP).unwrap();
    assert!(took.requests == 3 && took.p99_microseconds > 0);
    let contributed = all.requests.iter().find(|one| one.outcome() == CountedOutcome::Contributed);
    assert_eq!(contributed.map(|one| one.agency.as_str()), Some("Z01.DEMO.HOTICH"));
    assert_eq!(counted(&auditor(&whole), &minutes(0, 1, AGENCY)).await.requests, own.requests);

    for (client, agency) in [
        (insurance, ""),
        (whole.client("social-insurance"), "Z01.DEMO.HOTICH"),
        (whole.client_with(&whole.issue("other", "/operator/other")), AGENCY),
        (whole.client_with(&whole.issue("other", "/operator/other")), ""),
    ] {
        let refused = count(&client, &minutes(0, 1, agency)).await.err().unwrap();
        assert_eq!(refused.reason, "METHOD_NOT_ALLOWED");
        assert!(refused.get("record_index").is_some());
    }
    whole.all.stop().await;
}

async fn i1_who_asks_how_much_was_asked_is_recorded_too(engine: Engine) {
    let whole = Whole::start(engine).await;
    whole.hands.step(Duration::minutes(1));
    let client = whole.client("social-insurance");
    let index = count(&client, &minutes(0, 1, AGENCY)).await.unwrap().receipt.index;
    let refused = count(&client, &minutes(0, 1, "")).await.err().unwrap();
    whole.hands.step(Duration::minutes(1));
    let own = counted(&client, &minutes(1, 2, AGENCY)).await;
    let asked: Vec<_> = of(&own, COUNT).iter().map(|one| (one.outcome(), one.requests)).collect();
    assert_eq!(asked, [(CountedOutcome::Refused, 1), (CountedOutcome::Administered, 1)]);
    assert_eq!(own.refusals.len(), 1);
    assert_eq!(own.refusals[0].reason(), ErrorReason::MethodNotAllowed);
    let refused: u64 = refused.get("record_index").unwrap().parse().unwrap();
    let mut opened = whole.all.audit().open_records(&[index, refused]).await.unwrap();
    for (index, reason) in
        [(index, ErrorReason::Unspecified), (refused, ErrorReason::MethodNotAllowed)]
    {
        let Some(audit::Opened::Whole(opening)) = opened.remove(&index) else { panic!("{index}") };
        let record = DecisionRecord::decode(opening.decision.as_slice()).unwrap();
        assert_eq!(record.reason(), reason);
    }
    whole.all.stop().await;
}

async fn i7_a_protected_person_is_counted_as_nobody(engine: Engine) {
    let whole = Whole::start(engine).await;
    let protected = whole.person(true);
    let client = whole.client("social-insurance");
    let mut told = Vec::new();
    for (minute, number) in [(0, protected.number.as_str()), (1, NOBODYS)] {
        look(&whole, protected, number).await;
        whole.hands.step(Duration::minutes(1));
        let answer = counted(&client, &minutes(minute, minute + 1, AGENCY)).await;
        // How long it took, nobody has to keep secret, and it is never twice the same.
        told.push(CountAccessesAnswer {
            latencies: Vec::new(),
            first_checkpoint: String::new(),
            last_checkpoint: String::new(),
            known_from_time: None,
            // The clock leaps.
            outages: Vec::new(),
            // Each question is in the next minute.
            requests: of(&answer, LOOKUP).into_iter().cloned().collect(),
            records: 0,
            ..answer
        });
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0].requests[0].outcome(), CountedOutcome::NoMatch);
    assert!(told[0].items.is_empty(), "what is withheld of nobody says that there is somebody");
    whole.all.stop().await;
}

async fn a_period_is_half_open(engine: Engine) {
    let whole = Whole::start(engine).await;
    let known = whole.person(false);
    // At the first moment, in the middle, and at the first moment after it.
    for _ in 0..3 {
        look(&whole, known, known.number.as_str()).await;
        whole.hands.step(Duration::seconds(30));
    }
    let client = whole.client("social-insurance");
    for (from, until, lookups) in [(0, 1, 2), (1, 2, 1), (-10, 0, 0), (-10, 1, 2)] {
        if until > 1 {
            whole.hands.step(Duration::minutes(1));
        }
        let answer = counted(&client, &minutes(from, until, AGENCY)).await;
        let found: u64 = of(&answer, LOOKUP).iter().map(|one| one.requests).sum();
        assert_eq!(found, lookups, "{from} to {until}");
        assert_eq!(answer.items.iter().map(|one: &ItemCount| one.disclosed).sum::<u64>(), lookups);
    }
    whole.all.stop().await;
}

async fn what_cannot_be_opened_any_more_is_counted_as_that(engine: Engine) {
    let whole = Whole::start(engine).await;
    let known = whole.person(false);
    let index = look(&whole, known, known.number.as_str()).await.receipt.index;
    look(&whole, known, known.number.as_str()).await;
    whole.hands.step(Duration::minutes(1));
    let clock = whole.hands.clock();
    let whole = whole
        .with_closed("audit", async |url| {
            audit::erase(url, &[index], "Quyết định 1/QĐ-TEST", &clock).await.unwrap();
        })
        .await;
    let answer = counted(&whole.client("social-insurance"), &minutes(0, 1, AGENCY)).await;
    assert_eq!((answer.records, answer.erased), (2, 1));
    assert_eq!(of(&answer, LOOKUP).iter().map(|one| one.requests).sum::<u64>(), 1);
    whole.all.stop().await;
}

async fn a_period_of_which_records_are_archived_is_not_counted_by_half(engine: Engine) {
    let whole = Whole::start(engine).await;
    let known = whole.person(false);
    look(&whole, known, known.number.as_str()).await;
    whole.hands.step(Duration::minutes(1));
    look(&whole, known, known.number.as_str()).await;
    whole.hands.step(Duration::minutes(1));
    // As `audit prune` leaves it, which wants more records than these.
    let newest_ms = (NOW + Duration::seconds(59)).unix_timestamp() * 1_000;
    let order = format!(
        "INSERT INTO pruning (minimum, newest_ms, days, document, time_ms) \
         VALUES (1, {newest_ms}, 400, '1', 1)"
    );
    let whole = whole
        .with_closed("audit", async |url| {
            let order: &'static str = order.leak();
            behind_its_back(url, audit::migrations(), vec![order].leak()).await;
        })
        .await;
    let client = whole.client("social-insurance");
    let refused = count(&client, &minutes(0, 2, AGENCY)).await.err().unwrap();
    let fields: Vec<&str> = refused.fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!((refused.reason.as_str(), fields), ("INVALID_REQUEST", vec!["from_time"]));
    let later = counted(&client, &minutes(1, 2, AGENCY)).await;
    assert_eq!(of(&later, LOOKUP).iter().map(|one| one.requests).sum::<u64>(), 1);
    whole.all.stop().await;
}

async fn bad_requests_name_every_fault(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("social-insurance");
    let faults = async |request: CountAccessesRequest| {
        let refused = count(&client, &request).await.err().unwrap();
        assert_eq!(refused.reason, "INVALID_REQUEST");
        let mut fields: Vec<_> = refused.fields.into_iter().map(|(field, _)| field).collect();
        fields.sort();
        fields
    };
    let empty = CountAccessesRequest { agency: AGENCY.to_owned(), ..Default::default() };
    assert_eq!(faults(empty).await, ["from_time", "request_id", "until_time"]);
    let odd = Some(Timestamp { seconds: 1, nanos: 1 });
    let before = Some(Timestamp { seconds: -1, nanos: 0 });
    let wrong = CountAccessesRequest {
        from_time: odd,
        until_time: before,
        request_id: "x".repeat(41),
        ..minutes(0, 1, AGENCY)
    };
    assert_eq!(faults(wrong).await, ["from_time", "request_id", "until_time"]);
    for (from, until) in [(0, 0), (-1, -2), (-2, 1)] {
        assert_eq!(faults(minutes(from, until, AGENCY)).await, ["until_time"]);
    }
    whole.all.stop().await;
}

/// What a report says of quality is asked for by who makes it.
async fn figures_of_all_sources_are_for_inspectors(engine: Engine) {
    let whole = Whole::start(engine).await;
    let child = birth("b-1", "Trần Giả Định Bảo An");
    let submitted = whole.client("civil-status").submit_contribution(&child).await.unwrap();
    submitted.unwrap_or_else(|refused| panic!("{refused}"));
    whole.all.contribution().count_quality().await.unwrap();
    let request = ListQualityRequest {
        from_month: "2026-11".to_owned(),
        to_month: "2026-11".to_owned(),
        page_token: String::new(),
        page_size: 2,
        request_id: "r-1".to_owned(),
    };
    let own = whole.client("civil-status").list_quality(&request).await.unwrap().unwrap();
    let all = auditor(&whole).list_quality(&request).await.unwrap().unwrap();
    all.verify(&whole.log).unwrap();
    assert_eq!(all.answer.figures, own.answer.figures);
    let page_token = all.answer.next_page_token.clone();
    let next = ListQualityRequest { page_token, ..request.clone() };
    assert!(!auditor(&whole).list_quality(&next).await.unwrap().unwrap().answer.figures.is_empty());
    let wrong = ListQualityRequest { page_token: "q1.x".to_owned(), ..request.clone() };
    let refused = auditor(&whole).list_quality(&wrong).await.unwrap().err().unwrap();
    assert_eq!(refused.reason, "UNKNOWN_CURSOR");
    assert!(refused.get("record_index").is_some());
    let other = whole.client_with(&whole.issue("other", "/operator/other"));
    let refused = other.list_quality(&request).await.unwrap().err().unwrap();
    assert_eq!(refused.reason, "METHOD_NOT_ALLOWED");
    assert!(refused.get("record_index").is_some());
    whole.all.stop().await;
}
