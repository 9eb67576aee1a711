//! The answer to a lookup, printed. Personal values go to standard output, because whoever ran the command
//! asked for them, and nowhere else.

use std::io::Write;

use anyhow::Result;
use contract::{
    identity::v1::{GetPersonAnswer, LookupOutcome},
    r#type::v1::{
        HeldValue, HeldValues, ItemOutcome, MaskForm, Obligation, Withheld, item_outcome::Outcome,
        obligation::Obligation as Condition,
    },
};
use lienthong::client::moment;
use serde_json::{Value, json};

use crate::commands::{
    evidence::Checked,
    output::{Format, print as print_json},
    values::{Date, ItemValue},
};

/// What a person is told when nobody was found.
pub(in crate::commands) const NO_MATCH: &str = "No match: there is no such person, or the claims \
    differ, or the person is hidden from this caller.\nThe register does not say which.";

/// The name of an outcome, for programs.
pub(in crate::commands) fn outcome(outcome: LookupOutcome) -> &'static str {
    match outcome {
        LookupOutcome::Match => "match",
        LookupOutcome::NoMatch => "no_match",
        LookupOutcome::Unspecified => "unspecified",
    }
}

/// Prints an answer and what is known of its receipt.
pub(super) fn print(
    answer: GetPersonAnswer,
    checked: &Checked,
    format: Format,
    out: &mut impl Write,
) -> Result<()> {
    match format {
        Format::Text => text(answer, checked, out),
        Format::Json => print_json(&json(answer, checked), out),
    }
}

/// For persons.
pub(in crate::commands) fn text(
    answer: GetPersonAnswer,
    checked: &Checked,
    out: &mut impl Write,
) -> Result<()> {
    if answer.outcome() == LookupOutcome::Match {
        let width = answer.items.iter().map(|item| item.item.len()).max().unwrap_or(0).max(11);
        for item in answer.items {
            let (name, lines) = (item.item.clone(), lines(item));
            for (place, line) in lines.iter().enumerate() {
                let name = if place == 0 { name.as_str() } else { "" };
                writeln!(out, "{name:<width$}  {line}")?;
            }
        }
        writeln!(out, "\n{:<width$}  {}", "version", answer.version)?;
        let until = moment(answer.valid_until);
        writeln!(out, "{:<width$}  {}", "valid until", until.unwrap_or_default())?;
        if let Some((what, how)) = named(answer.record_merged, answer.number_replaced) {
            writeln!(out, "{what:<width$}  {how}")?;
        }
        if let Some(known) = moment(answer.known_time) {
            writeln!(out, "{:<width$}  {known}", "known up to")?;
        }
        if !answer.token.is_empty() {
            writeln!(out, "{:<width$}  {}", "new token", answer.token)?;
        }
        writeln!(out, "{:<width$}  {}", "decision", answer.decision_id)?;
        writeln!(out, "{:<width$}  {}", "record", checked.text())?;
    } else {
        writeln!(out, "{NO_MATCH}\n\nrecord       {}", checked.text())?;
    }
    Ok(())
}

/// That a person was not named by what names the record now, as a person reads it: in which line, and the line.
pub(in crate::commands) fn named(
    merged: bool,
    replaced: bool,
) -> Option<(&'static str, &'static str)> {
    if merged {
        Some(("merged", "named by a record that is merged into this one"))
    } else {
        replaced.then_some(("number", "named by a number that another has replaced"))
    }
}

/// An item and what became of it, on one line.
pub(in crate::commands) fn item_text(item: ItemOutcome) -> String {
    format!("{}  {}", item.item.clone(), lines(item).join("; "))
}

/// What became of an item, as a person reads it, and on what conditions the caller has it.
fn lines(item: ItemOutcome) -> Vec<String> {
    let conditions = conditions(&item.obligations).join(", ");
    let mut lines = match item.outcome {
        Some(Outcome::Value(held)) => values(held, ""),
        Some(Outcome::Partial(held)) => values(held, ", in part"),
        Some(Outcome::NotHeld(_)) => vec!["not held".to_owned()],
        Some(Outcome::UnknownItem(_)) => vec!["there is no such item".to_owned()],
        Some(Outcome::Withheld(withheld)) => vec![withheld_text(&withheld)],
        None => vec!["(of a kind that this version does not know)".to_owned()],
    };
    if !conditions.is_empty() {
        lines.push(format!("on condition of {conditions}"));
    }
    lines
}

/// On what conditions a caller has an item, in the words in which agreements say it.
pub(in super::super) fn conditions(obligations: &[Obligation]) -> Vec<String> {
    let one = |obligation: &Obligation| match obligation.obligation {
        Some(Condition::Mask(form)) => {
            let form = MaskForm::try_from(form).unwrap_or_default().as_str_name();
            let form = form.trim_start_matches("MASK_FORM_").to_lowercase().replace('_', "-");
            format!("mask={form}")
        }
        Some(Condition::MaxAge(age)) => format!("max-age={}", age.seconds),
        Some(Condition::NoOnwardTransfer(_)) => "no-onward-transfer".to_owned(),
        Some(Condition::ValidUntil(until)) => {
            format!("valid-until={}", moment(Some(until)).unwrap_or_default())
        }
        None => "something that this version does not know: the value must not be used".to_owned(),
    };
    obligations.iter().map(one).collect()
}

/// By which rule something is withheld, as a person reads it.
pub(in crate::commands) fn withheld_text(withheld: &Withheld) -> String {
    format!("withheld by rule {}, {}", withheld.rule, withheld.article)
}

/// The same for programs.
pub(in crate::commands) fn withheld_json(withheld: Withheld) -> Value {
    json!({
        "rule": withheld.rule,
        "legal_basis": withheld.legal_basis,
        "article": withheld.article,
    })
}

fn values(held: HeldValues, note: &str) -> Vec<String> {
    held.values.into_iter().map(|held| held_text(held, note)).collect()
}

/// A value and where it comes from, as a person reads it.
pub(in crate::commands) fn held_text(held: HeldValue, note: &str) -> String {
    let value = held.value.and_then(ItemValue::read);
    let value = value.map_or_else(|| "(of another version)".to_owned(), |v| v.to_string());
    let provenance = held.provenance.unwrap_or_default();
    let since = provenance.valid_from.map(|date| format!(", since {}", Date(date)));
    format!("{value}  [{}{}{note}]", provenance.source, since.unwrap_or_default())
}

/// For programs.
pub(in crate::commands) fn json(answer: GetPersonAnswer, checked: &Checked) -> Value {
    json!({
        "outcome": outcome(answer.outcome()),
        "items": answer.items.into_iter().map(item).collect::<Vec<_>>(),
        "version": answer.version,
        "etag": answer.etag,
        "token": answer.token,
        "answer_time": moment(answer.answer_time),
        "valid_until": moment(answer.valid_until),
        "known_time": moment(answer.known_time),
        "number_replaced": answer.number_replaced,
        "record_merged": answer.record_merged,
        "decision_id": answer.decision_id,
        "policy_revision": answer.policy_revision,
        "request_id": answer.request_id,
        "receipt": checked.json(),
    })
}

/// What became of an item, for programs.
pub(in crate::commands) fn item(item: ItemOutcome) -> Value {
    let name = item.item;
    let obligations = conditions(&item.obligations);
    let held = |outcome: &str, held: HeldValues| {
        let values: Vec<_> = held.values.into_iter().map(held_json).collect();
        json!({ "item": name.as_str(), "outcome": outcome, "values": values })
    };
    let mut told = match item.outcome {
        Some(Outcome::Value(values)) => held("value", values),
        Some(Outcome::Partial(values)) => held("partial", values),
        Some(Outcome::NotHeld(_)) => json!({ "item": name, "outcome": "not_held" }),
        Some(Outcome::UnknownItem(_)) => json!({ "item": name, "outcome": "unknown_item" }),
        Some(Outcome::Withheld(withheld)) => json!({
            "item": name,
            "outcome": "withheld",
            "rule": withheld.rule,
            "legal_basis": withheld.legal_basis,
            "article": withheld.article,
        }),
        None => json!({ "item": name, "outcome": null }),
    };
    if let (Value::Object(told), false) = (&mut told, obligations.is_empty()) {
        told.insert("obligations".to_owned(), json!(obligations));
    }
    told
}

/// A value and where it comes from, for programs.
pub(in crate::commands) fn held_json(held: HeldValue) -> Value {
    let provenance = held.provenance.unwrap_or_default();
    json!({
        "value": held.value.and_then(ItemValue::read),
        "source": provenance.source,
        "contribution_id": provenance.contribution_id,
        "valid_from": provenance.valid_from.map(Date),
        "known_time": moment(provenance.known_time),
    })
}
