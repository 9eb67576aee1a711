//! Explanations and permissions, as messages.

use contract::{
    policy::v1::{
        AssumedFact, DecidedEffect, DecidingRule, DecisionAct, DecisionChange, DecisionCheck,
        ExplainDecisionAnswer, ExplainedItem, GrantTerms, GrantedPeriod, GrantedVolume,
        Permission as Message, PermittedItem as ItemMessage, PermittedWay, SubjectClass,
        WhatMayIAnswer,
    },
    r#type::v1::ErrorReason,
};
use decide::ItemEffect;
use prost_types::Timestamp;
use time::OffsetDateTime;

use super::super::reason;
use crate::{
    app::decisions::{Explanations, Found},
    domain::{
        agreement::Terms,
        explain::{Change, Check, Deciding, Explained, Explanation},
        permissions::{Permission, Permitted, PermittedItem, Way},
        rules::Act,
        volume::{Period, Volume},
    },
};

pub(super) fn explanation(
    (explanation, at): (Explanation, OffsetDateTime),
    explanations: Explanations<'_>,
) -> ExplainDecisionAnswer {
    let Explanation { decision, checks, visible, items, terms } = explanation;
    let denial = decision.outcome.as_ref().err().map(|denial| reason(denial.refusal));
    let items = items.into_iter().map(|item| explained(item, explanations));
    ExplainDecisionAnswer {
        items: items.collect(),
        checks: checks.into_iter().map(check).collect(),
        denial: denial.unwrap_or(ErrorReason::Unspecified).into(),
        visible,
        valid_until: Some(moment(decision.valid_until)),
        connection: decision.connection,
        database: decision.database,
        agreement: decision.agreement,
        policy_revision: decision.revision,
        revision_number: decision.number,
        answer_time: Some(moment(at)),
        terms: demanded(terms),
    }
}

/// What a grant demands; nothing where it is the registry file's.
fn demanded(terms: Terms) -> Option<GrantTerms> {
    let Terms { direction, units, keys, volume, signed_requests } = terms;
    let volume = volume.map(|Volume { persons, period }| {
        let period = match period {
            Period::Day => GrantedPeriod::Day,
            Period::Month => GrantedPeriod::Month,
            Period::Term => GrantedPeriod::Term,
        };
        GrantedVolume { persons, period: period.into() }
    });
    let client_keys = keys.iter().filter_map(|key| hex::decode(key).ok()).collect();
    let units: Vec<_> = units.into_iter().collect();
    (!units.is_empty()).then_some(GrantTerms {
        units,
        client_keys,
        direction,
        volume,
        signed_requests,
    })
}

fn explained(item: Explained, explanations: Explanations<'_>) -> ExplainedItem {
    let Explained { decided, rules, changes } = item;
    let (vi, en) = explanations.item_names(&decided.item);
    ExplainedItem {
        vi,
        en,
        effect: effect(decided.effect).into(),
        rules: rules.into_iter().map(rule).collect(),
        obligations: decided.obligations.iter().copied().map(wire::obligation).collect(),
        changes: changes.into_iter().map(change).collect(),
        item: decided.item,
    }
}

fn change(change: Change) -> DecisionChange {
    let Change { condition, holds, effect: other, rule } = change;
    DecisionChange { condition: condition.to_owned(), holds, effect: effect(other).into(), rule }
}

fn check(check: Check) -> DecisionCheck {
    let Check { check, subject, article, rule, vi, en } = check;
    let passed = rule.is_none();
    let (check, rule) = (check.to_owned(), rule.unwrap_or_default());
    DecisionCheck { check, passed, subject, rule, article, vi, en }
}

fn rule(deciding: Deciding) -> DecidingRule {
    let Deciding { rule, withholds, legal_basis, article, vi, en } = deciding;
    DecidingRule { rule, withholds, legal_basis, article, vi, en }
}

pub(super) fn permissions(found: Found, explanations: Explanations<'_>) -> WhatMayIAnswer {
    let one = |(permission, permitted)| self::permission(permission, permitted, explanations);
    WhatMayIAnswer {
        connection: found.connection().to_owned(),
        database: found.database().to_owned(),
        policy_revision: found.revision,
        revision_number: found.standing.number,
        checks: found.checks.into_iter().map(check).collect(),
        permissions: found.permissions.into_iter().map(one).collect(),
        next_page_token: String::new(),
        answer_time: Some(moment(found.at)),
    }
}

fn permission(
    permission: Permission,
    permitted: Permitted,
    explanations: Explanations<'_>,
) -> Message {
    let Permission { act, procedure, legal_basis, granted } = permission;
    let (procedure_vi, procedure_en, events) = explanations.procedure(&procedure);
    let items = permitted.items.into_iter().map(|item| self::item(item, explanations));
    let denied = permitted.denial.map(|denial| check(explanations.check(denial)));
    Message {
        agreement: granted.agreement,
        act: self::act(act).into(),
        procedure,
        procedure_vi,
        procedure_en,
        article: explanations.citation(&legal_basis),
        legal_basis,
        from_day: granted.valid_from.to_string(),
        to_day: granted.valid_to.to_string(),
        events: if act == Act::Contribute { events } else { Vec::new() },
        denial: denied,
        items: items.collect(),
        terms: demanded(granted.terms),
    }
}

fn item(item: PermittedItem, explanations: Explanations<'_>) -> ItemMessage {
    let PermittedItem { item, ways, withheld } = item;
    let (vi, en) = explanations.item_names(&item);
    let withheld = withheld.map(|decided| rule(explanations.named_rule(&decided)));
    ItemMessage { item, vi, en, ways: ways.into_iter().map(way).collect(), withheld }
}

fn way(way: Way) -> PermittedWay {
    let Way { consent, direction, subjects, obligations } = way;
    let fact = |(fact, holds)| AssumedFact { fact, holds };
    let class =
        |facts: Vec<(String, bool)>| SubjectClass { facts: facts.into_iter().map(fact).collect() };
    PermittedWay {
        consent,
        direction,
        subjects: subjects.into_iter().map(class).collect(),
        obligations: obligations.into_iter().map(wire::obligation).collect(),
    }
}

fn effect(effect: ItemEffect) -> DecidedEffect {
    match effect {
        ItemEffect::Allowed => DecidedEffect::Allowed,
        ItemEffect::Withheld => DecidedEffect::Withheld,
        ItemEffect::UnknownItem => DecidedEffect::UnknownItem,
    }
}

pub(in super::super) fn act(act: Act) -> DecisionAct {
    match act {
        Act::Obtain => DecisionAct::Obtain,
        Act::Contribute => DecisionAct::Contribute,
        Act::Follow => DecisionAct::Follow,
        Act::Explain => DecisionAct::Explain,
        Act::Resolve => DecisionAct::Resolve,
        Act::Search => DecisionAct::Search,
        Act::Relations => DecisionAct::Relations,
        Act::InverseRelations => DecisionAct::InverseRelations,
        Act::Household => DecisionAct::Household,
        Act::RotateTokens => DecisionAct::RotateTokens,
        Act::RecordConsents => DecisionAct::RecordConsents,
        Act::Accesses => DecisionAct::Accesses,
    }
}

/// Rounded down: nothing is said to hold longer than it does.
fn moment(at: OffsetDateTime) -> Timestamp {
    Timestamp { seconds: at.unix_timestamp(), nanos: 0 }
}
