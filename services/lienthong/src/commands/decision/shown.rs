//! Explanations and permissions for people and for programs.

use std::io::Write;

use anyhow::Result;
use contract::policy::v1::{
    AssumedFact, DecidedEffect, DecidingRule, DecisionAct, DecisionChange, DecisionCheck,
    ExplainDecisionAnswer, ExplainedItem, GrantTerms, GrantedPeriod, GrantedVolume, Permission,
    PermittedItem, PermittedWay,
};
use contract::r#type::v1::ErrorReason;
use lienthong::client::moment;
use serde_json::{Value, json};

use super::super::lookup::conditions;

fn effect(effect: DecidedEffect) -> &'static str {
    match effect {
        DecidedEffect::Allowed => "allowed",
        DecidedEffect::Withheld => "withheld",
        DecidedEffect::UnknownItem => "unknown item",
        DecidedEffect::Unspecified => "unspecified",
    }
}

fn act(act: DecisionAct) -> String {
    let name = act.as_str_name();
    name.strip_prefix("DECISION_ACT_").unwrap_or(name).to_lowercase().replace('_', "-")
}

pub(super) fn explained(answer: &ExplainDecisionAnswer, out: &mut impl Write) -> Result<()> {
    writeln!(out, "connection  {} (database {})", answer.connection, answer.database)?;
    for one in &answer.checks {
        check(one, out)?;
    }
    if answer.denial() != ErrorReason::Unspecified {
        writeln!(out, "denied      {}", answer.denial().as_str_name())?;
    }
    terms(answer.terms.as_ref(), "            ", out)?;
    if !answer.items.is_empty() {
        let seen = if answer.visible { "is shown" } else { "is hidden, as if there were none" };
        writeln!(out, "person      {seen}\n")?;
    }
    for one in &answer.items {
        item(one, out)?;
    }
    let until = moment(answer.valid_until).unwrap_or_default();
    writeln!(out, "\nholds until {until}, revision {}", answer.policy_revision)?;
    Ok(())
}

pub(super) fn check(check: &DecisionCheck, out: &mut impl Write) -> Result<()> {
    let DecisionCheck { check, passed, subject, article, vi, en, .. } = check;
    let stands = if *passed { "yes" } else { "NO " };
    writeln!(out, "{stands}  {check:<13}  {subject}  {vi} / {en}{}", cited(article))?;
    Ok(())
}

fn cited(article: &str) -> String {
    if article.is_empty() { String::new() } else { format!(" ({article})") }
}

fn item(item: &ExplainedItem, out: &mut impl Write) -> Result<()> {
    let conditions = conditions(&item.obligations);
    let conditions =
        if conditions.is_empty() { String::new() } else { format!(", {}", conditions.join(", ")) };
    writeln!(out, "{:<28}  {}{conditions}", item.item, effect(item.effect()))?;
    for deciding in &item.rules {
        rule(deciding, out)?;
    }
    for change in &item.changes {
        let DecisionChange { condition, holds, rule, .. } = change;
        let not = if *holds { "" } else { "not " };
        writeln!(out, "    if {not}{condition}: {} ({rule})", effect(change.effect()))?;
    }
    Ok(())
}

fn rule(deciding: &DecidingRule, out: &mut impl Write) -> Result<()> {
    let DecidingRule { rule, article, vi, en, .. } = deciding;
    writeln!(out, "    {rule}{}\n      {vi}\n      {en}", cited(article))?;
    Ok(())
}

/// What a signed grant demands of whoever uses it.
fn terms(terms: Option<&GrantTerms>, margin: &str, out: &mut impl Write) -> Result<()> {
    let Some(GrantTerms { units, client_keys, direction, volume, signed_requests }) = terms else {
        return Ok(());
    };
    writeln!(out, "{margin}for the units {}", units.join(", "))?;
    for key in client_keys {
        writeln!(out, "{margin}for the key {}", hex::encode(key))?;
    }
    if !direction.is_empty() {
        writeln!(out, "{margin}by the direction {direction}")?;
    }
    if let Some(volume) = volume {
        writeln!(out, "{margin}for {} persons a {}", volume.persons, period(volume))?;
    }
    if *signed_requests {
        writeln!(out, "{margin}for signed requests")?;
    }
    Ok(())
}

/// In which time is counted, as a word.
fn period(volume: &GrantedVolume) -> &'static str {
    match volume.period() {
        GrantedPeriod::Day => "day",
        GrantedPeriod::Month => "month",
        GrantedPeriod::Term => "term",
        GrantedPeriod::Unspecified => "time that is not known",
    }
}

fn terms_json(terms: Option<&GrantTerms>) -> Value {
    terms.map_or(Value::Null, |terms| {
        let keys: Vec<_> = terms.client_keys.iter().map(hex::encode).collect();
        let volume = terms.volume.as_ref();
        let volume = volume.map(|v| json!({ "persons": v.persons, "period": period(v) }));
        json!({
            "units": terms.units,
            "client_keys": keys,
            "direction": terms.direction,
            "volume": volume,
            "signed_requests": terms.signed_requests,
        })
    })
}

pub(super) fn permission(permission: &Permission, out: &mut impl Write) -> Result<()> {
    let Permission { agreement, procedure, procedure_vi, procedure_en, from_day, to_day, .. } =
        permission;
    let act = act(permission.act());
    writeln!(out, "\n{act}  {procedure}  ({procedure_vi} / {procedure_en})")?;
    writeln!(out, "  {}, {agreement}, from {from_day} to before {to_day}", permission.article)?;
    if !permission.events.is_empty() {
        writeln!(out, "  events: {}", permission.events.join(", "))?;
    }
    terms(permission.terms.as_ref(), "  ", out)?;
    if let Some(denial) = &permission.denial {
        check(denial, out)?;
    }
    for PermittedItem { item, ways, withheld, .. } in &permission.items {
        let rule = withheld.as_ref().map_or("", |rule| rule.rule.as_str());
        let ways: Vec<String> = ways.iter().map(way).collect();
        let given = if ways.is_empty() { format!("never ({rule})") } else { ways.join("; or ") };
        writeln!(out, "  {item:<28}  {given}")?;
    }
    Ok(())
}

/// On which conditions an item is given, of whom.
fn way(way: &PermittedWay) -> String {
    let named = match (way.consent, way.direction) {
        (false, false) => "given",
        (true, false) => "with a consent",
        (false, true) => "with a direction",
        (true, true) => "with a consent and a direction",
    };
    let fact = |fact: &AssumedFact| {
        let not = if fact.holds { "" } else { "not " };
        format!("{not}{}", fact.fact)
    };
    let class = |class: &[AssumedFact]| class.iter().map(fact).collect::<Vec<_>>().join(" and ");
    let classes: Vec<String> = way.subjects.iter().map(|one| class(&one.facts)).collect();
    let whom = if classes.iter().any(String::is_empty) {
        String::new()
    } else {
        format!(" of who is {}", classes.join(", or "))
    };
    let conditions = conditions(&way.obligations);
    let conditions =
        if conditions.is_empty() { String::new() } else { format!(", {}", conditions.join(", ")) };
    format!("{named}{whom}{conditions}")
}

pub(super) fn explained_json(answer: &ExplainDecisionAnswer) -> Value {
    let denial = answer.denial();
    json!({
        "connection": answer.connection,
        "database": answer.database,
        "agreement": answer.agreement,
        "checks": answer.checks.iter().map(check_json).collect::<Vec<_>>(),
        "denial": (denial != ErrorReason::Unspecified).then(|| denial.as_str_name()),
        "visible": answer.visible,
        "items": answer.items.iter().map(item_json).collect::<Vec<_>>(),
        "valid_until": moment(answer.valid_until),
        "answer_time": moment(answer.answer_time),
        "terms": terms_json(answer.terms.as_ref()),
        "policy_revision": answer.policy_revision,
        "revision_number": answer.revision_number,
    })
}

pub(super) fn check_json(check: &DecisionCheck) -> Value {
    json!({
        "check": check.check,
        "passed": check.passed,
        "subject": check.subject,
        "rule": check.rule,
        "article": check.article,
        "vi": check.vi,
        "en": check.en,
    })
}

fn item_json(item: &ExplainedItem) -> Value {
    let change = |change: &DecisionChange| {
        json!({
            "condition": change.condition,
            "holds": change.holds,
            "effect": effect(change.effect()),
            "rule": change.rule,
        })
    };
    json!({
        "item": item.item,
        "vi": item.vi,
        "en": item.en,
        "effect": effect(item.effect()),
        "rules": item.rules.iter().map(rule_json).collect::<Vec<_>>(),
        "obligations": conditions(&item.obligations),
        "changes": item.changes.iter().map(change).collect::<Vec<_>>(),
    })
}

fn rule_json(rule: &DecidingRule) -> Value {
    json!({
        "rule": rule.rule,
        "withholds": rule.withholds,
        "legal_basis": rule.legal_basis,
        "article": rule.article,
        "vi": rule.vi,
        "en": rule.en,
    })
}

pub(super) fn permission_json(permission: &Permission) -> Value {
    let way = |way: &PermittedWay| {
        let fact = |fact: &AssumedFact| (fact.fact.clone(), Value::from(fact.holds));
        let class = |class: &contract::policy::v1::SubjectClass| {
            Value::Object(class.facts.iter().map(fact).collect())
        };
        json!({
            "consent": way.consent,
            "direction": way.direction,
            "subjects": way.subjects.iter().map(class).collect::<Vec<_>>(),
            "obligations": conditions(&way.obligations),
        })
    };
    let item = |item: &PermittedItem| {
        json!({
            "item": item.item,
            "vi": item.vi,
            "en": item.en,
            "ways": item.ways.iter().map(way).collect::<Vec<_>>(),
            "withheld": item.withheld.as_ref().map(rule_json),
        })
    };
    json!({
        "agreement": permission.agreement,
        "act": act(permission.act()),
        "procedure": permission.procedure,
        "procedure_vi": permission.procedure_vi,
        "procedure_en": permission.procedure_en,
        "legal_basis": permission.legal_basis,
        "article": permission.article,
        "from_day": permission.from_day,
        "to_day": permission.to_day,
        "events": permission.events,
        "denial": permission.denial.as_ref().map(check_json),
        "items": permission.items.iter().map(item).collect::<Vec<_>>(),
        "terms": terms_json(permission.terms.as_ref()),
    })
}
