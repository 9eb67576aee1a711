//! What lapses by itself: decisions deny on the day, and the service records it.

use super::*;

on_both_engines!(
    an_assessment_that_lapses_denies_at_once_and_suspends,
    a_clock_that_was_set_back_opens_nothing,
    an_agreement_that_ends_expires_the_connection,
    a_lapse_is_recorded_once,
);

async fn an_assessment_that_lapses_denies_at_once_and_suspends(engine: Engine) {
    let office = Office::open(engine).await;
    let (caller, lookup) = (office.caller(), office.lookup());
    office.admitted().await;
    let admission = async || office.get("auditor").await.unwrap().answer.admission.unwrap();
    let now = admission().await;
    assert_eq!((now.next_assessment_day.as_str(), now.assessment_due), ("2027-01-01", false));
    // Within the notice of 30 days.
    office.whole.hands.step(time::Duration::days(10));
    assert!(admission().await.assessment_due);
    assert_eq!(office.whole.all.policy().look().await.unwrap(), 0);
    answered(&caller, &lookup).await;
    office.whole.hands.step(time::Duration::days(28));
    // Nothing is recorded yet, and it is denied all the same.
    assert_eq!(admission().await.state(), AdmissionState::Active);
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("assessment-lapsed"));
    let records = office.whole.records().await;
    assert_eq!(office.whole.all.policy().look().await.unwrap(), 1);
    assert_eq!(office.whole.records().await, records + 1);
    let history = office.get("auditor").await.unwrap().answer;
    let (now, last) = (history.admission.unwrap(), history.moves.last().unwrap());
    assert_eq!((now.state(), now.cause.as_str()), (AdmissionState::Suspended, "assessment-lapsed"));
    assert!(last.made_by.ends_with("/service/policy") && last.role.is_empty());
    assert_eq!(last.record_index, Some(records));
    // An officer cannot give that cause, and a new assessment does not open by itself.
    assert_eq!(office.whole.all.policy().look().await.unwrap(), 0);
    let refused_ = office.is_refused("second-registrar", Move::Resume(Resumption {})).await;
    assert_eq!(missing(&refused_), ["ASSESSMENT_LAPSED"]);
    office.moves("assessor", Move::Assess(assessment("2027-05-01"))).await;
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("connection-suspended"));
    office.moves("second-registrar", Move::Resume(Resumption {})).await;
    answered(&caller, &lookup).await;
    let refused = office.is_refused("operator", suspend("assessment-lapsed")).await;
    assert_eq!(missing(&refused), ["CAUSE"]);
    office.close().await;
}

async fn a_clock_that_was_set_back_opens_nothing(engine: Engine) {
    let office = Office::open(engine).await;
    let (caller, lookup) = (office.caller(), office.lookup());
    office.admitted().await;
    office.whole.hands.step(time::Duration::days(40));
    assert_eq!(office.whole.all.policy().look().await.unwrap(), 1);
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("connection-suspended"));
    office.whole.hands.step(time::Duration::days(-39));
    assert_eq!(office.whole.all.policy().look().await.unwrap(), 0);
    // Nothing is decided at all on a day that was over.
    assert_eq!(why(&refused(&caller, &lookup).await), ("Unavailable", "POLICY_UNAVAILABLE"));
    let refused = office.is_refused("second-registrar", Move::Resume(Resumption {})).await;
    assert_eq!(missing(&refused), ["ASSESSMENT_LAPSED"]);
    office.close().await;
}

async fn an_agreement_that_ends_expires_the_connection(engine: Engine) {
    let office = Office::open(engine).await;
    let (caller, lookup) = (office.caller(), office.lookup());
    office.admitted().await;
    office.agree_until("2026-12-01").await;
    assert_eq!(office.whole.all.policy().look().await.unwrap(), 0);
    office.whole.hands.step(time::Duration::days(7));
    assert_eq!(why(&refused(&caller, &lookup).await), ("PermissionDenied", "NO_AGREEMENT"));
    assert_eq!(office.whole.all.policy().look().await.unwrap(), 1);
    let now = office.get("auditor").await.unwrap().answer.admission.unwrap();
    assert_eq!(now.state(), AdmissionState::Expired);
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("connection-expired"));
    // Another agreement makes it possible to open it again, and does not do so.
    office.agree_until("2027-06-01").await;
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("connection-expired"));
    office.moves("second-registrar", Move::Resume(Resumption {})).await;
    answered(&caller, &lookup).await;
    office.close().await;
}

/// Many looks at the same time, as of many replicas, make one move.
async fn a_lapse_is_recorded_once(engine: Engine) {
    let office = Office::open(engine).await;
    office.admitted().await;
    office.whole.hands.step(time::Duration::days(40));
    let policy = office.whole.all.policy();
    let looks = [policy.look(), policy.look(), policy.look(), policy.look()];
    futures::future::try_join_all(looks).await.unwrap();
    let moves = office.get("auditor").await.unwrap().answer.moves;
    assert_eq!(moves.len(), 7);
    assert!(moves[6].record_index.is_some());
    office.close().await;
}
