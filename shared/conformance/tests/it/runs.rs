//! Whole runs.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use conformance::{
    Event, Refusal, Role, Seed, Status, Verdict,
    report::page,
    run,
    sign::{Key, verify},
};
use contract::database::v1::{DatabaseEnvironment, RULES};
use tokio::sync::Semaphore;

use crate::{
    database::Running,
    faults::Fault,
    kit::{looked_at, plan},
    pki::Pki,
};

/// Databases that are looked at at once.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_keeps_the_contract_passes_everything() {
    let pki = Pki::new();
    let database = Running::start(&pki, None).await;
    let report = looked_at(plan(&pki, &database)).await;
    let text = page(&report, "lienthong conformance");
    assert_eq!(report.verdict, Verdict::Passed, "{text}");
    assert!(report.cases.iter().all(|case| case.status == Status::Passed), "{text}");
    assert_eq!(report.cases.len(), RULES.len());
    assert_eq!(report.target.contract_sha256, Some(conformance::contract_digest()));
    // With a change that is committed meanwhile nothing of the source is left untried.
    assert!(report.cases.iter().all(|case| case.rule != "SRC-32" || case.remarks.is_empty()));
}

#[test]
fn every_must_has_a_fault_that_breaks_it() {
    let broken: BTreeSet<&str> =
        Fault::ALL.iter().flat_map(|fault| fault.breaks()).copied().collect();
    let rules: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(broken, rules);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_found_and_nothing_else() {
    let pki = Arc::new(Pki::new());
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut runs = tokio::task::JoinSet::new();
    let only = std::env::var("LIENTHONG_TEST_FAULT").ok();
    for fault in Fault::ALL.iter().copied() {
        if only.as_ref().is_some_and(|only| format!("{fault:?}") != *only) {
            continue;
        }
        let (pki, places) = (Arc::clone(&pki), Arc::clone(&places));
        runs.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            let database = Running::start(&pki, Some(fault)).await;
            let report = looked_at(plan(&pki, &database)).await;
            let json = report.to_json().unwrap();
            // No number and no name of a person stands in it, whatever the database does.
            let personal = json.contains("Nguyễn") || tells_a_number(&json);
            let mut expected = fault.breaks().to_vec();
            let mut found = report.broken();
            expected.sort_unstable();
            found.sort_unstable();
            (personal || found != expected).then(|| {
                let text = page(&report, "");
                format!("== {fault:?}: personal data {personal}, found {found:?} instead of {expected:?}\n{text}")
            })
        });
    }
    let wrong: Vec<String> = runs.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whether a personal number of the tests' persons stands in `text`: twelve digits by
/// themselves. A digest, a signature or a time has such digits in it by chance, between others.
fn tells_a_number(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        let digits = word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_digit());
        digits && ["9901900", "0011900", "0011600"].iter().any(|start| word.starts_with(start))
    })
}

#[test]
fn a_number_is_seen_and_a_digest_is_not_one() {
    assert!(tells_a_number(r#"{"en": "subject 990190000123: not answered"}"#));
    assert!(!tells_a_number(r#"{"sha256": "ab990190000123cd0011600"}"#));
    assert!(!tells_a_number(r#"{"at": "2026-11-25T08:00:00.990190012Z"}"#));
}

#[tokio::test]
async fn what_is_not_synthetic_is_not_looked_at() {
    let pki = Pki::new();
    for environment in [DatabaseEnvironment::Production, DatabaseEnvironment::Unspecified] {
        let database = Running::start_in(&pki, None, environment).await;
        let outcome = run(plan(&pki, &database), std::future::pending(), |_| {}).await;
        assert!(matches!(outcome, Err(Refusal::NotSynthetic(_))), "{environment:?}");
        // It was asked what it is, and nothing else.
        assert_eq!(database.database.asked(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_tried_is_said_and_never_passed() {
    let pki = Pki::new();
    let database = Running::start(&pki, None).await;
    let bare = conformance::Plan {
        stranger: None,
        restart: None,
        change: None,
        fixtures: conformance::Fixtures::default(),
        ..plan(&pki, &database)
    };
    let report = looked_at(bare).await;
    assert_eq!(report.verdict, Verdict::Incomplete, "{}", page(&report, ""));
    let not_tried: Vec<_> =
        report.cases.iter().filter(|case| case.status == Status::NotTried).collect();
    for rule in ["DB-3", "SRC-8", "SRC-9", "SRC-20", "SRC-24", "LKP-1", "LKP-20", "SNK-7"] {
        assert!(not_tried.iter().any(|case| case.rule == rule), "{rule}");
    }
    assert!(not_tried.iter().all(|case| {
        let missing = case.not_tried.as_ref().unwrap();
        !missing.reason.vi.is_empty() && !missing.give.en.is_empty()
    }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_cases_of_the_roles_that_are_asked_for_are_tried() {
    let pki = Pki::new();
    let database = Running::start(&pki, None).await;
    let sink = conformance::Plan { roles: vec![Role::Sink], ..plan(&pki, &database) };
    let report = looked_at(sink).await;
    assert_eq!(report.verdict, Verdict::Passed, "{}", page(&report, ""));
    assert!(report.cases.iter().all(|case| !case.rule.starts_with("SRC")));
    let one = conformance::Plan { only: vec!["SRC-7".into()], ..plan(&pki, &database) };
    let report = looked_at(one).await;
    assert_eq!(report.cases.len(), 1);
    assert_eq!(report.verdict, Verdict::Incomplete, "one case is no admission");
    let none = conformance::Plan { only: vec!["SRC-99".into()], ..plan(&pki, &database) };
    assert!(matches!(run(none, std::future::pending(), |_| {}).await, Err(Refusal::Usage(_))));
}

#[tokio::test]
async fn a_run_that_is_stopped_says_what_it_found() {
    let pki = Pki::new();
    let database = Running::start(&pki, None).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut stop = Some(stop);
    let watch = |event: Event<'_>| {
        if let Event::Tried(case) = event
            && case.rule == "DB-4"
        {
            stop.take().unwrap().send(()).unwrap();
        }
    };
    let stopped = async move { stopped.await.unwrap() };
    let report = run(plan(&pki, &database), stopped, watch).await.unwrap();
    assert!(report.interrupted && report.verdict == Verdict::Incomplete);
    assert_eq!(report.cases.len(), RULES.len());
    assert_eq!(report.counts.passed, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_that_was_used_before_is_no_failure_and_no_pass() {
    let pki = Pki::new();
    let database = Running::start(&pki, None).await;
    let sink = || conformance::Plan {
        roles: vec![Role::Sink],
        only: vec!["SNK-1".into(), "SNK-3".into()],
        seed: Seed::Given(5),
        ..plan(&pki, &database)
    };
    let first = looked_at(sink()).await;
    assert_eq!(first.counts.passed, 2, "{}", page(&first, ""));
    let second = looked_at(sink()).await;
    assert_eq!(second.counts.not_tried, 2, "{}", page(&second, ""));
}

#[tokio::test]
async fn a_report_is_signed_and_read_back() {
    let pki = Pki::new();
    let database = Running::start(&pki, None).await;
    let one = conformance::Plan { only: vec!["DB-20".into()], ..plan(&pki, &database) };
    let json = looked_at(one).await.to_json().unwrap();
    let key = Key::generate("lienthong.test/conformance").unwrap();
    let line = key.sign(json.as_bytes()).unwrap();
    assert_eq!(verify(json.as_bytes(), &line, key.verifier_key()), Ok(()));
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["verdict"], "incomplete");
    assert_eq!(read["tls"]["version"], "TLSv1_3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_asks_the_same_and_another_one_does_not() {
    let pki = Pki::new();
    let mut questions = Vec::new();
    for seed in [7, 7, 8] {
        let database = Running::start(&pki, None).await;
        let seeded = conformance::Plan { seed: Seed::Given(seed), ..plan(&pki, &database) };
        let report = looked_at(seeded).await;
        assert_eq!(report.verdict, Verdict::Passed, "{}", page(&report, ""));
        questions.push(database.database.noted());
    }
    assert!(questions[0].len() > 300, "{}", questions[0].len());
    assert!(questions[0] == questions[1] && questions[1] != questions[2]);
}

#[tokio::test]
async fn a_database_that_says_nothing_is_not_waited_for() {
    let pki = Pki::new();
    let database = Running::start(&pki, None).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = silent.local_addr().unwrap().to_string();
    let patience = Duration::from_millis(300);
    let silent = conformance::Plan { target, patience, ..plan(&pki, &database) };
    let began = Instant::now();
    let outcome = run(silent, std::future::pending(), |_| {}).await;
    assert!(matches!(outcome, Err(Refusal::NoDescription(_))));
    assert!(began.elapsed() < Duration::from_secs(3));
}
