//! Who may do what, and when two are needed.

use super::*;

on_both_engines!(
    i2_only_an_officer_in_role_and_in_term_moves_anything,
    whoever_opens_is_neither_who_applied_nor_who_assessed,
    ending_takes_two_and_the_same_cause,
);

fn denied(refused: &Refused) -> (Option<&str>, Option<&str>) {
    assert_eq!(why(refused), ("PermissionDenied", "OFFICER_NOT_AUTHORISED"), "{refused:?}");
    assert!(refused.get("record_index").is_some(), "it is recorded");
    (refused.get("rule"), refused.get("roles"))
}

async fn i2_only_an_officer_in_role_and_in_term_moves_anything(engine: Engine) {
    let office = Office::open(engine).await;
    let records = office.whole.records().await;
    // In nobody's file.
    let open = Some(Move::Activate(Activation {}));
    let request = MoveConnectionRequest { r#move: open, ..MoveConnectionRequest::default() };
    let stranger = office.officer("stranger");
    let refused = stranger.move_connection(&request).await.unwrap().err().unwrap();
    assert_eq!(denied(&refused), (Some("officer-unknown"), Some("registrar")));
    assert_eq!(office.whole.records().await, records + 1);
    // In another role; whether it was asked well is not said.
    for (officer, step, roles) in [
        ("assessor", Move::Apply(application()), "registrar"),
        ("operator", Move::Assess(SecurityAssessment::default()), "security-assessor"),
        ("auditor", suspend("violation"), "registrar,security-assessor"),
        // The service's own.
        ("operator", Move::Expire(contract::policy::v1::Expiry {}), ""),
    ] {
        let refused = office.is_refused(officer, step).await;
        assert_eq!(denied(&refused).0, Some("officer-role"));
        assert_eq!(refused.get("roles").unwrap_or_default(), roles);
    }
    // The table of methods lets nobody else come so far.
    let system = office.caller().list_readiness().await.unwrap().err().unwrap();
    assert_eq!(why(&system), ("PermissionDenied", "METHOD_NOT_ALLOWED"));
    denied(&stranger.list_readiness().await.unwrap().err().unwrap());
    // The terms of the demonstration's officers end.
    office.moves("operator", Move::Apply(application())).await;
    office.whole.hands.step(time::Duration::days(73 * 366));
    let refused = office.get("operator").await.err().unwrap();
    assert_eq!(denied(&refused).0, Some("officer-not-in-term"));
    office.close().await;
}

async fn whoever_opens_is_neither_who_applied_nor_who_assessed(engine: Engine) {
    // One officer of both roles.
    let prepared = Prepared::new(engine).await;
    let file = prepared.settings.policy.officers_file.clone();
    let text = std::fs::read_to_string(&file).unwrap();
    let both = text.replace("[\"security-assessor\"]", "[\"security-assessor\", \"registrar\"]");
    std::fs::write(&file, both).unwrap();
    let whole = prepared.start().await;
    let office = Office::of(whole);
    office.prepared().await;
    for officer in ["operator", "assessor"] {
        let refused = office.is_refused(officer, Move::Activate(Activation {})).await;
        assert_eq!(why(&refused), ("PermissionDenied", "SECOND_OFFICER_REQUIRED"));
        assert!(refused.get("record_index").is_some());
    }
    office.moves("second-registrar", Move::Activate(Activation {})).await;
    office.moves("assessor", suspend("design-changed")).await;
    office.moves("assessor", Move::Assess(assessment("2027-02-01"))).await;
    for officer in ["operator", "assessor"] {
        let refused = office.is_refused(officer, Move::Resume(Resumption {})).await;
        assert_eq!(refused.reason, "SECOND_OFFICER_REQUIRED");
    }
    office.moves("second-registrar", Move::Resume(Resumption {})).await;
    office.close().await;
}

async fn ending_takes_two_and_the_same_cause(engine: Engine) {
    let office = Office::open(engine).await;
    office.moves("operator", Move::Apply(application())).await;
    let refused = office.is_refused("operator", Move::End(end("refused"))).await;
    assert_eq!(missing(&refused), ["END_NOT_PROPOSED"]);
    let proposed = office.moves("operator", Move::ProposeEnd(end("refused"))).await;
    assert_eq!(
        (proposed.state(), proposed.proposed_end.as_str()),
        (AdmissionState::Applied, "refused")
    );
    let refused = office.is_refused("operator", Move::End(end("refused"))).await;
    assert_eq!(refused.reason, "SECOND_OFFICER_REQUIRED");
    let refused = office.is_refused("second-registrar", Move::End(end("no-need"))).await;
    assert_eq!(missing(&refused), ["END_NOT_PROPOSED"]);
    let ended = office.moves("second-registrar", Move::End(end("refused"))).await;
    assert_eq!(ended.article, "Decree 47/2020/ND-CP, Art. 35(3)");
    // Nothing else is done with it.
    for step in [Move::Activate(Activation {}), Move::Check(check()), suspend("violation")] {
        let refused = office.is_refused("second-registrar", step).await;
        assert_eq!(missing(&refused), ["ENDED"]);
    }
    office.close().await;
}
