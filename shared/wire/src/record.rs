//! What inspectors will read of an access: the words that the inner commitment covers.

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord, ItemRecord, Refusal},
    r#type::v1::ErrorReason,
};
use decide::{ItemEffect, TableAnswer};

use crate::policy::{Decision, Denial};

/// The record of an access that was answered: with what was found, under which facts.
#[must_use]
pub fn answered(
    decision: &Decision,
    outcome: AccessOutcome,
    person: Option<&str>,
    facts: Vec<String>,
    given: Option<&TableAnswer>,
) -> DecisionRecord {
    let disclosed = outcome == AccessOutcome::Answered;
    let items = given.into_iter().flat_map(|answer| &answer.items).map(|item| ItemRecord {
        item: item.item.clone(),
        disclosed: disclosed && item.effect == ItemEffect::Allowed,
        rule: item.rule.clone(),
    });
    DecisionRecord {
        outcome: outcome.into(),
        person: person.unwrap_or_default().to_owned(),
        facts,
        items: items.collect(),
        ..decided(decision)
    }
}

/// The record of a refusal.
#[must_use]
pub fn refused(decision: &Decision, reason: ErrorReason) -> DecisionRecord {
    DecisionRecord {
        outcome: AccessOutcome::Refused.into(),
        reason: reason.into(),
        ..decided(decision)
    }
}

fn decided(decision: &Decision) -> DecisionRecord {
    DecisionRecord {
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        connection: decision.connection.clone(),
        agreement: decision.agreement.clone(),
        ..DecisionRecord::default()
    }
}

/// The words of a refusal, which stand in the record where the answer would.
#[must_use]
pub fn refusal(denial: &Denial) -> Refusal {
    Refusal {
        reason: denial.reason.into(),
        rule: denial.rule.clone(),
        article: denial.article.clone(),
    }
}
