//! What inspectors will read of an access: the words that the inner commitment covers.

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord, ItemRecord, Refusal},
    r#type::v1::ErrorReason,
};
use decide::{ItemEffect, TableAnswer};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

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
        legal_basis: item.legal_basis.clone(),
        article: item.article.clone(),
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
        purpose: decision.purpose.clone(),
        sealed_days: decision.sealed_days,
        ..DecisionRecord::default()
    }
}

/// The record of a contribution: whether the register took it, about whom it was, and its items.
#[must_use]
pub fn contributed(
    decision: &Decision,
    outcome: AccessOutcome,
    person: &str,
    items: &[String],
) -> DecisionRecord {
    let items = items.iter().map(|item| ItemRecord { item: item.clone(), ..ItemRecord::default() });
    DecisionRecord {
        outcome: outcome.into(),
        person: person.to_owned(),
        items: items.collect(),
        ..decided(decision)
    }
}

/// The words of a refusal, which stand in the record where the answer would. `rejections` are the reasons of
/// a register, each as `<item>:<REASON>`.
#[must_use]
pub fn refusal(denial: &Denial, rejections: Vec<String>) -> Refusal {
    Refusal {
        reason: denial.reason.into(),
        rule: denial.rule.clone(),
        article: denial.article.clone(),
        rejections,
    }
}

/// What a refusal says to a program: where it is recorded, by which rule and article, and `more`.
#[must_use]
pub fn metadata<'a>(
    denial: &Denial,
    index: u64,
    more: &[(&'a str, String)],
) -> Vec<(&'a str, String)> {
    let mut all = vec![
        ("record_index", index.to_string()),
        ("rule", denial.rule.clone()),
        ("article", denial.article.clone()),
    ];
    all.extend_from_slice(more);
    all.retain(|(_, value)| !value.is_empty());
    all
}

/// A moment as the metadata of a refusal says it: RFC 3339, UTC.
#[must_use]
pub fn moment(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

/// A refusal of ours that is no policy's: by a rule of the service itself.
#[must_use]
pub fn own(reason: ErrorReason, rule: &str) -> Denial {
    Denial { reason, rule: rule.to_owned(), article: String::new() }
}
