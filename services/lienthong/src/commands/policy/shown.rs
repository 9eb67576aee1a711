//! Rule sets and flips for people and for programs.

use std::{collections::BTreeSet, io::Write};

use anyhow::Result;
use contract::policy::v1::{
    Flip, FlipKind, FlipTotal, ItemDecision, RuleSet, RuleSetMove, RuleSetState, SimulateAnswer,
    SubjectClass, move_rule_set_request::Move,
};
use lienthong::{client::moment, rule_set::RuleSet as Files};
use serde_json::{Value, json};
use similar::TextDiff;

fn state(number: i32) -> &'static str {
    let name = RuleSetState::try_from(number).unwrap_or_default().as_str_name();
    name.strip_prefix("RULE_SET_STATE_").unwrap_or(name)
}

pub(super) fn set(set: &RuleSet, out: &mut impl Write) -> Result<()> {
    let RuleSet { number, document, reason, proposed_by, ended_by, .. } = set;
    writeln!(out, "rule set {number}  {}", state(set.state))?;
    if *number == 0 {
        writeln!(out, "  it comes with the program")?;
    } else {
        writeln!(out, "  by {document}: {reason}")?;
        writeln!(out, "  follows              {}", set.follows.unwrap_or_default())?;
        let at = moment(set.propose_time).unwrap_or_default();
        writeln!(out, "  proposed by          {proposed_by}, {at}")?;
    }
    if !ended_by.is_empty() {
        let withdrawn = set.state() == RuleSetState::Withdrawn;
        let what = if withdrawn { "withdrawn by" } else { "approved by" };
        let at = moment(set.end_time).unwrap_or_default();
        writeln!(out, "  {what:<20} {ended_by}, {at}")?;
    }
    Ok(writeln!(out, "  digest               {}", hex::encode(&set.digest))?)
}

pub(super) fn set_json(set: &RuleSet) -> Value {
    json!({
        "number": set.number,
        "state": state(set.state),
        "digest": hex::encode(&set.digest),
        "follows": set.follows,
        "document": set.document,
        "reason": set.reason,
        "proposed_by": set.proposed_by,
        "propose_time": moment(set.propose_time),
        "ended_by": set.ended_by,
        "end_time": moment(set.end_time),
    })
}

/// How files of one set differ from those of another, by their names.
pub(super) fn differences(before: &Files, after: &Files) -> Vec<(String, String)> {
    let text = |set: &Files, name: &str| {
        let file = set.files.iter().find(|file| file.name == name);
        file.map(|file| file.text.clone()).unwrap_or_default()
    };
    let names: BTreeSet<&String> =
        before.files.iter().chain(&after.files).map(|file| &file.name).collect();
    let differs = |name: &&String| text(before, name) != text(after, name);
    let difference = |name: &String| {
        let (old, new) = (text(before, name), text(after, name));
        let lines = TextDiff::from_lines(&old, &new);
        (name.clone(), lines.unified_diff().header(name, name).to_string())
    };
    names.into_iter().filter(differs).map(difference).collect()
}

/// What was done by a move.
fn what(made: &RuleSetMove) -> (&'static str, &str) {
    match made.request.as_ref().and_then(|request| request.r#move.as_ref()) {
        Some(Move::Propose(_)) => ("proposed", ""),
        Some(Move::Approve(_)) => ("approved", ""),
        Some(Move::Withdraw(reason)) => ("withdrawn", reason),
        None => ("unknown", ""),
    }
}

pub(super) fn made(made: &RuleSetMove, out: &mut impl Write) -> Result<()> {
    let (what, why) = what(made);
    let at = moment(made.move_time).unwrap_or_default();
    let record = made.record_index.map_or("not recorded yet".to_owned(), |i| format!("record {i}"));
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    Ok(writeln!(out, "{}  {at}  {what} by {}, {record}{why}", made.version, made.made_by)?)
}

pub(super) fn move_json(made: &RuleSetMove) -> Value {
    let (what, why) = what(made);
    json!({
        "version": made.version,
        "move": what,
        "made_by": made.made_by,
        "move_time": moment(made.move_time),
        "reason": why,
        "record_index": made.record_index,
    })
}

fn kind(kind: FlipKind) -> &'static str {
    match kind {
        FlipKind::Unspecified => "unspecified",
        FlipKind::Opened => "opened",
        FlipKind::Closed => "closed",
        FlipKind::Conditions => "conditions",
        FlipKind::Hidden => "hidden",
        FlipKind::Shown => "shown",
    }
}

fn act(flip: &Flip) -> String {
    let name = flip.action().as_str_name();
    name.strip_prefix("DECISION_ACT_").unwrap_or(name).to_lowercase().replace('_', "-")
}

/// The item, or what stands for none.
fn item(item: &str) -> &str {
    if item.is_empty() { "(existence)" } else { item }
}

/// The rule that decides, and what it obliges to.
fn decided(decided: Option<&ItemDecision>) -> String {
    let Some(ItemDecision { rule, obligations, .. }) = decided else { return String::new() };
    if obligations.is_empty() {
        rule.clone()
    } else {
        format!("{rule} [{}]", obligations.join(", "))
    }
}

/// Of whom.
fn subjects(classes: &[SubjectClass]) -> String {
    let class = |class: &SubjectClass| {
        let fact = |fact: &contract::policy::v1::AssumedFact| {
            let not = if fact.holds { "" } else { "not " };
            format!("{not}{}", fact.fact)
        };
        class.facts.iter().map(fact).collect::<Vec<_>>().join(" and ")
    };
    let all: Vec<String> = classes.iter().map(class).collect();
    if all.iter().any(String::is_empty) { "anybody".to_owned() } else { all.join(", or ") }
}

pub(super) fn simulated(answer: &SimulateAnswer, out: &mut impl Write) -> Result<()> {
    let SimulateAnswer { in_force, questions, asked, first_day, last_day, other_rules, .. } =
        answer;
    let days =
        if first_day.is_empty() { String::new() } else { format!(", {first_day} to {last_day}") };
    writeln!(
        out,
        "{questions} questions, asked {asked} times{days}; compared with rule set {in_force}"
    )?;
    if *other_rules > 0 {
        writeln!(out, "{other_rules} of them decided alike by other rules")?;
    }
    if !answer.changes.is_empty() {
        writeln!(
            out,
            "rules or grounds begin or end on {}: see `--day`",
            answer.changes.join(", ")
        )?;
    }
    if *questions == 0 {
        return Ok(writeln!(out, "nothing was asked yet, so nothing was tried")?);
    }
    if answer.totals.is_empty() {
        return Ok(writeln!(out, "nothing of it would be decided otherwise")?);
    }
    writeln!(out, "\n{:<12}  {:<28}  {:<11}  questions  asked", "agency", "item", "becomes")?;
    for total in &answer.totals {
        let FlipTotal { agency, questions, asked, .. } = total;
        let (item, kind) = (item(&total.item), kind(total.kind()));
        writeln!(out, "{agency:<12}  {item:<28}  {kind:<11}  {questions:>9}  {asked:>5}")?;
    }
    for flip in &answer.flips {
        let Flip { agency, system, procedure, legal_basis, .. } = flip;
        let named = flip.now.as_ref().map_or("", |now| now.item.as_str());
        writeln!(out, "\n{} {}  for {agency}/{system}", item(named), kind(flip.kind()))?;
        let event = if flip.event.is_empty() { String::new() } else { format!(" {}", flip.event) };
        let directed = if flip.direction { ", by a direction" } else { "" };
        writeln!(out, "  {}{event} for {procedure} on {legal_basis}{directed}", act(flip))?;
        let (now, then) = (decided(flip.now.as_ref()), decided(flip.then.as_ref()));
        writeln!(out, "  {now} -> {then}, of {}", subjects(&flip.subjects))?;
    }
    Ok(())
}

pub(super) fn simulated_json(answer: &SimulateAnswer) -> Value {
    let total = |total: &FlipTotal| {
        json!({
            "agency": total.agency,
            "item": total.item,
            "kind": kind(total.kind()),
            "questions": total.questions,
            "asked": total.asked,
        })
    };
    let decision = |decided: Option<&ItemDecision>| {
        decided.map_or(Value::Null, |one| {
            json!({ "rule": one.rule, "article": one.article, "obligations": one.obligations })
        })
    };
    let flip = |flip: &Flip| {
        json!({
            "agency": flip.agency,
            "system": flip.system,
            "act": act(flip),
            "procedure": flip.procedure,
            "legal_basis": flip.legal_basis,
            "item": flip.now.as_ref().map(|now| now.item.clone()),
            "kind": kind(flip.kind()),
            "now": decision(flip.now.as_ref()),
            "then": decision(flip.then.as_ref()),
            "subjects": subjects(&flip.subjects),
            "direction": flip.direction,
            "event": flip.event,
            "questions": flip.questions,
            "asked": flip.asked,
        })
    };
    json!({
        "in_force": answer.in_force,
        "questions": answer.questions,
        "asked": answer.asked,
        "first_day": answer.first_day,
        "last_day": answer.last_day,
        "other_rules": answer.other_rules,
        "changes": answer.changes,
        "totals": answer.totals.iter().map(total).collect::<Vec<_>>(),
        "flips": answer.flips.iter().map(flip).collect::<Vec<_>>(),
    })
}
