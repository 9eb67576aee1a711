//! Conflicts that are decided.

use contract::identity::v1::{ExplainValueRequest, ValueStanding};
use tests::events::{about, annulment};

use super::*;

on_both_engines!(
    what_is_accepted_is_held,
    what_is_rejected_is_set_aside,
    i4_a_decision_is_one_contribution,
    i5_a_decision_that_is_annulled_was_none,
    whoever_has_the_authority_may_speak_again,
    a_decision_without_its_parts_is_faulty,
);

async fn decide(
    whole: &Whole,
    key: &str,
    id: &str,
    outcome: ConflictOutcome,
) -> ContributionReceipt {
    let client = whole.client("citizen-id");
    let answered = client.submit_contribution(&decision(key, id, outcome)).await.unwrap();
    answered.unwrap_or_else(|error| panic!("{error}")).answer
}

/// How what the sources said of the item stands, with who said it.
async fn standings(whole: &Whole, number: &str) -> Vec<(String, ValueStanding)> {
    let (subject, claims) = about(number, CHILD, (2026, 3, 1));
    let request = ExplainValueRequest {
        subject: Some(subject),
        claims: Some(claims),
        item: ITEM.to_owned(),
        basis: Some(contract::r#type::v1::AccessBasis {
            legal_basis: "1911-2021-art-2-1".to_owned(),
            ..ground("civil-status-correction", "Z01.DEMO.HOTICH")
        }),
        request_id: "r-1".to_owned(),
        min_version: 0,
    };
    let client = whole.client("civil-status");
    let told = client.explain_value(&request).await.unwrap().unwrap_or_else(|e| panic!("{e}"));
    let one = |value: &contract::identity::v1::ExplainedValue| {
        let source = value.held.clone().unwrap().provenance.unwrap().source;
        (source, value.standing())
    };
    told.answer.values.iter().map(one).collect()
}

async fn shown(engine: Engine) -> Whole {
    let mut prepared = Prepared::new(engine).await;
    prepared.shows_civil_status(&[ITEM]);
    let rules = prepared.folder().join("authority.toml");
    std::fs::write(&rules, RULES).unwrap();
    prepared.settings.identity.authority_file = rules.display().to_string();
    let registry = &prepared.settings.policy.registry_file;
    let agreed = std::fs::read_to_string(registry).unwrap() + AGREED;
    std::fs::write(registry, agreed).unwrap();
    prepared.start().await
}

async fn what_is_accepted_is_held(engine: Engine) {
    let whole = shown(engine).await;
    let (number, conflict) = disputed(&whole).await;
    let receipt = decide(&whole, "d-1", &conflict.conflict_id, ConflictOutcome::Accepted).await;
    assert!(receipt.version > 0);
    assert_eq!(held(&whole).await, THERE);
    let source = |source: &str, standing| (source.to_owned(), standing);
    assert_eq!(
        standings(&whole, &number).await,
        [
            source("residence", ValueStanding::Current),
            source("citizen-id", ValueStanding::SetAside),
        ]
    );
    for (client, key) in [("residence", "key:m-2"), ("citizen-id", "key:m-1")] {
        let last = told(&whole.client(client)).await.pop().unwrap();
        assert_eq!(last, (key.to_owned(), ConflictState::Accepted, String::new()));
    }
    assert!(owned(&whole.client("citizen-id")).await.is_empty());
    whole.persons().await;
    whole.all.stop().await;
}

async fn what_is_rejected_is_set_aside(engine: Engine) {
    let whole = shown(engine).await;
    let (number, conflict) = disputed(&whole).await;
    // A check changes nothing.
    let check = decision("d-0", &conflict.conflict_id, ConflictOutcome::Rejected);
    let check = SubmitContributionRequest { validate_only: true, ..check };
    whole.client("citizen-id").submit_contribution(&check).await.unwrap().unwrap();
    assert_eq!(owned(&whole.client("citizen-id")).await.len(), 1);
    decide(&whole, "d-1", &conflict.conflict_id, ConflictOutcome::Rejected).await;
    assert_eq!(held(&whole).await, HERE);
    let source = |source: &str, standing| (source.to_owned(), standing);
    assert_eq!(
        standings(&whole, &number).await,
        [
            source("citizen-id", ValueStanding::Current),
            source("residence", ValueStanding::SetAside),
        ]
    );
    let last = told(&whole.client("residence")).await.pop().unwrap();
    assert_eq!(last.1, ConflictState::Rejected);
    assert!(owned(&whole.client("citizen-id")).await.is_empty());
    whole.persons().await;
    whole.all.stop().await;
}

async fn i4_a_decision_is_one_contribution(engine: Engine) {
    let whole = shown(engine).await;
    let (_, conflict) = disputed(&whole).await;
    let id = &conflict.conflict_id;
    let first = decide(&whole, "d-1", id, ConflictOutcome::Accepted).await;
    let again = decide(&whole, "d-1", id, ConflictOutcome::Accepted).await;
    assert_eq!(first, again);
    let client = whole.client("citizen-id");
    for (key, outcome) in [("d-2", ConflictOutcome::Accepted), ("d-3", ConflictOutcome::Rejected)] {
        let refused = client.submit_contribution(&decision(key, id, outcome)).await.unwrap();
        assert_eq!(refused.err().unwrap().unmet[0].0, "NOTHING_TO_DECIDE");
    }
    let other = decision("d-1", id, ConflictOutcome::Rejected);
    let other = client.submit_contribution(&other);
    assert_eq!(other.await.unwrap().err().unwrap().reason, "KEY_REUSED");
    assert_eq!(whole.persons().await, 301);
    whole.all.stop().await;
}

async fn i5_a_decision_that_is_annulled_was_none(engine: Engine) {
    let whole = shown(engine).await;
    let (number, conflict) = disputed(&whole).await;
    decide(&whole, "d-1", &conflict.conflict_id, ConflictOutcome::Accepted).await;
    let annulled = annulment("a-1", "conflict-resolution", "d-1", &[ITEM]);
    let annulled = SubmitContributionRequest {
        basis: Some(ground("conflict-resolution", "Z06.DEMO.CANCUOC")),
        ..annulled
    };
    let client = whole.client("citizen-id");
    client.submit_contribution(&annulled).await.unwrap().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(held(&whole).await, HERE);
    let open = owned(&client).await;
    assert_eq!((open.len(), &open[0].conflict_id), (1, &conflict.conflict_id), "it is open again");
    let standings: Vec<_> = standings(&whole, &number).await.into_iter().map(|one| one.1).collect();
    assert_eq!(standings, [ValueStanding::Current, ValueStanding::Outranked]);
    whole.persons().await;
    whole.all.stop().await;
}

async fn whoever_has_the_authority_may_speak_again(engine: Engine) {
    let whole = shown(engine).await;
    let (number, conflict) = disputed(&whole).await;
    decide(&whole, "d-1", &conflict.conflict_id, ConflictOutcome::Accepted).await;
    says(&whole, "citizen-id", "m-9", &number, HERE).await;
    assert_eq!(held(&whole).await, HERE);
    assert_eq!(owned(&whole.client("citizen-id")).await.len(), 1, "they disagree again");
    whole.all.stop().await;
}

async fn a_decision_without_its_parts_is_faulty(engine: Engine) {
    let whole = shown(engine).await;
    let client = whole.client("citizen-id");
    let request = SubmitContributionRequest {
        event: Some(Event::ConflictDecision(ConflictDecision::default())),
        evidence: Vec::new(),
        ..decision("d-1", "x", ConflictOutcome::Accepted)
    };
    let refused = client.submit_contribution(&request).await.unwrap().err().unwrap();
    let fields: Vec<&str> = refused.fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "conflict_decision.conflict_id",
            "conflict_decision.item",
            "conflict_decision.outcome",
            "conflict_decision.decision_number",
            "conflict_decision.reason",
            "conflict_decision.decision_date",
            "evidence",
        ]
    );
    whole.all.stop().await;
}
