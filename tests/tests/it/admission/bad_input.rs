//! Faulty moves: every fault is named at once, and recorded; nothing changes.

use super::*;

on_both_engines!(every_faulty_field_is_named_at_once, an_unknown_admission_is_said_to_be_unknown);

fn faulty(refused: &Refused) -> Vec<(&str, &str)> {
    assert_eq!(why(refused), ("InvalidArgument", "INVALID_REQUEST"), "{refused:?}");
    let fault = |fault: &'_ str| fault.len().min(fault.find(':').unwrap_or(0));
    let all = refused.fields.iter();
    all.map(|(field, words)| (field.as_str(), &words[..fault(words)])).collect()
}

async fn every_faulty_field_is_named_at_once(engine: Engine) {
    let office = Office::open(engine).await;
    let records = office.whole.records().await;
    let send = async |officer: &str, request: MoveConnectionRequest| {
        office.officer(officer).move_connection(&request).await.unwrap().err().unwrap()
    };
    let refused = send("operator", MoveConnectionRequest::default()).await;
    let missing = ["request_id", "connection", "reason", "document", "move"];
    assert_eq!(faulty(&refused), missing.map(|field| (field, "MISSING")));
    assert_eq!(office.whole.records().await, records + 1, "it is recorded");
    let bad = MoveConnectionRequest {
        request_id: "a b".to_owned(),
        connection: "x".repeat(65),
        document: Some(AdmissionDocument { day: "2026-11-25".to_owned(), ..document() }),
        reason: "về công dân 990204000001".to_owned(),
        r#move: Some(Move::Apply(ConnectionApplication {
            agency: "G 1".to_owned(),
            legal_basis: "no-law".to_owned(),
            items: vec![
                RequestedItem { item: "sex".to_owned(), count: 1 },
                RequestedItem { item: "sex".to_owned(), count: 0 },
                RequestedItem { item: "shoe_size".to_owned(), count: 1 },
            ],
            ..application()
        })),
        ..MoveConnectionRequest::default()
    };
    let all = [
        ("request_id", "MALFORMED"),
        ("connection", "TOO_LONG"),
        ("reason", "PERSONAL_NUMBER"),
        ("document.day", "IN_THE_FUTURE"),
        ("apply.agency", "MALFORMED"),
        ("apply.legal_basis", "UNKNOWN_CODE"),
        ("apply.items[1].item", "REPEATED"),
        ("apply.items[1].count", "MISSING"),
        ("apply.items[2].item", "UNKNOWN_CODE"),
    ];
    assert_eq!(faulty(&send("operator", bad).await), all);
    let ask = async |officer: &str, step: Move| {
        let request = office.request(step).await;
        send(officer, request).await
    };
    let mut holes = check();
    holes.parts.truncate(3);
    holes.parts[1] = CheckedPart { passed: false, ..part("hardening") };
    (holes.infrastructure, holes.security_level) = (None, 6);
    let all = [
        ("check.infrastructure", "MISSING"),
        ("check.security_level", "NOT_ALLOWED"),
        ("check.parts[1].part", "REPEATED"),
        ("check.parts[1].finding", "MISSING"),
        ("check.parts", "MISSING"),
    ];
    assert_eq!(faulty(&ask("operator", Move::Check(holes)).await), all);
    let report = ConformanceReport {
        digest: vec![7; 31],
        roles: vec!["king".to_owned(), "sink".to_owned(), "sink".to_owned()],
        ..conformance()
    };
    let all = [
        ("conform.digest", "MALFORMED"),
        ("conform.roles[0]", "UNKNOWN_CODE"),
        ("conform.roles[2]", "REPEATED"),
    ];
    assert_eq!(faulty(&ask("operator", Move::Conform(report)).await), all);
    let grave = finding(FindingSeverity::Unspecified, FindingState::Unspecified);
    let twice = SecurityAssessment {
        day: "2026-11-31".to_owned(),
        findings: vec![grave.clone(), grave],
        ..assessment("")
    };
    let all = [
        ("assess.day", "MALFORMED"),
        ("assess.next_day", "MISSING"),
        ("assess.findings[0].severity", "MISSING"),
        ("assess.findings[0].state", "MISSING"),
        ("assess.findings[1].id", "REPEATED"),
        ("assess.findings[1].severity", "MISSING"),
        ("assess.findings[1].state", "MISSING"),
    ];
    assert_eq!(faulty(&ask("assessor", Move::Assess(twice)).await), all);
    let early = ask("assessor", Move::Assess(assessment("2026-11-20"))).await;
    assert_eq!(faulty(&early), [("assess.next_day", "TOO_EARLY")]);
    for (step, field) in [
        (suspend("boredom"), "suspend.cause"),
        (Move::ProposeEnd(end("boredom")), "propose_end.cause"),
        (Move::End(end("violation")), "end.cause"),
    ] {
        assert_eq!(faulty(&ask("operator", step).await), [(field, "UNKNOWN_CODE")]);
    }
    let list = ListAdmissionsRequest { page_size: 501, page_token: "c1.x".to_owned() };
    let refused = office.officer("auditor").list_admissions(&list).await.unwrap().err().unwrap();
    assert_eq!(faulty(&refused), [("page_size", "TOO_MANY"), ("page_token", "MALFORMED")]);
    assert_eq!(office.whole.count("policy", "SELECT COUNT(*) FROM admission_move").await, 0);
    office.close().await;
}

async fn an_unknown_admission_is_said_to_be_unknown(engine: Engine) {
    let office = Office::open(engine).await;
    let refused = office.get("auditor").await.err().unwrap();
    assert_eq!(why(&refused), ("NotFound", "UNKNOWN_CONNECTION"));
    assert!(refused.get("record_index").is_some());
    let refused = office.is_refused("operator", suspend("violation")).await;
    assert_eq!(why(&refused), ("NotFound", "UNKNOWN_CONNECTION"));
    office.close().await;
}
