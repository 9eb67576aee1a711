//! Moves while the access log is away: they hold, and are answered when they are recorded.

use tests::World;

use super::*;
use crate::exchange::until;

on_both_engines!(i1_a_move_is_not_answered_before_it_is_recorded);

async fn i1_a_move_is_not_answered_before_it_is_recorded(engine: Engine) {
    let world = World::new(engine).await;
    let client = |officer: &str| {
        let id = format!("spiffe://{}/operator/{officer}", tests::world::TRUST_DOMAIN);
        world.policy_client(&world.issue(officer, &id))
    };
    let (operator, auditor) = (client("operator"), client("auditor"));
    let request = MoveConnectionRequest {
        request_id: "req-1".to_owned(),
        connection: ID.to_owned(),
        expected_version: 0,
        document: Some(document()),
        reason: "theo hồ sơ".to_owned(),
        r#move: Some(Move::Apply(application())),
    };
    let look = GetAdmissionRequest { connection: ID.to_owned() };
    world.to_audit.cut();
    let refused = operator.move_connection(&request).await.unwrap().err().unwrap();
    assert_eq!(why(&refused), ("Unavailable", "AUDIT_UNAVAILABLE"));
    // Nor is anything told, or refused, unrecorded.
    let refused = auditor.get_admission(&look).await.unwrap().err().unwrap();
    assert_eq!(why(&refused), ("Unavailable", "AUDIT_UNAVAILABLE"));
    let refused = auditor.move_connection(&request).await.unwrap().err().unwrap();
    assert_eq!(why(&refused), ("Unavailable", "AUDIT_UNAVAILABLE"));
    world.open_audit_road();
    // It stands, and has no record yet. The way back to the log is found after a moment.
    let found = until(async || auditor.get_admission(&look).await.unwrap().ok()).await;
    assert_eq!(found.answer.moves.len(), 1);
    assert_eq!(found.answer.moves[0].record_index, None);
    let records = world.records().await;
    let answered = operator.move_connection(&request).await.unwrap().unwrap();
    answered.verify(&world.log).unwrap();
    assert_eq!(answered.receipt.index, records);
    assert_eq!(world.records().await, records + 1);
    world.stop().await;
}
