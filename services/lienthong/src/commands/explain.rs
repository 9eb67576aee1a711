//! `lienthong explain`: how the values of one item of a person came about.

use std::io::Write;

use anyhow::Result;
use contract::identity::v1::{
    ExplainValueAnswer, ExplainValueRequest, ExplainedValue, LookupOutcome, ValueStanding,
};
use lienthong::client::moment;
use serde_json::{Value, json};

use super::{
    connection::Connection,
    evidence::{self, Checked},
    ground::Ground,
    lookup::{NO_MATCH, Whom, held_json, held_text, named, outcome, withheld_json, withheld_text},
    output::{Format, print as print_json, refuse},
    question::{MinVersion, Question},
};

/// Who asks, in a demonstration.
const CALLER: &str = "civil-status";
/// The task under which sources may, and its ground, unless others are said.
const PROCEDURE: &str = "civil-status-correction";
const LEGAL_BASIS: &str = "1911-2021-art-2-1";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    whom: Whom,
    /// Id of the item.
    #[arg(long, help_heading = "Request", value_name = "ID")]
    item: String,
    #[command(flatten)]
    seen: MinVersion,
    #[command(flatten)]
    question: Question,
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Arguments { whom, item, seen, question, .. } = arguments;
    let (subject, claims) = whom.of(&connected.subjects)?;
    let request = ExplainValueRequest {
        subject: Some(subject),
        claims,
        item,
        basis: Some(question.basis_of(Ground::task(PROCEDURE, LEGAL_BASIS), &connected)?),
        request_id: question.request_id(),
        min_version: seen.min_version,
    };
    let folder = question.folder()?;
    let answered = match connected.client.explain_value(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, question.output.format, out),
    };
    let checked = evidence::check(&answered, &connected, folder)?;
    match question.output.format {
        Format::Text => text(answered.answer, &checked, out),
        Format::Json => print_json(&json_of(answered.answer, &checked), out),
    }
}

fn text(answer: ExplainValueAnswer, checked: &Checked, out: &mut impl Write) -> Result<()> {
    if answer.outcome() != LookupOutcome::Match {
        writeln!(out, "{NO_MATCH}\n\nrecord       {}", checked.text())?;
        return Ok(());
    }
    if let Some(withheld) = &answer.withheld {
        writeln!(out, "{}", withheld_text(withheld))?;
        writeln!(out, "\ndecision     {}\nrecord       {}", answer.decision_id, checked.text())?;
        return Ok(());
    }
    if answer.values.is_empty() {
        writeln!(out, "nothing was said of it")?;
    }
    for value in answer.values {
        let standing = standing(&value);
        let held = value.held.map(|held| held_text(held, "")).unwrap_or_default();
        writeln!(out, "{standing:<11}  {held}, version {}", value.version)?;
    }
    let rule = answer.rule.map_or_else(
        || "no rule: all sources are equal".to_owned(),
        |rule| format!("{} ({})", rule.sources.join(", then "), rule.basis),
    );
    writeln!(out, "\nauthority    {rule}")?;
    writeln!(out, "rules        {}", answer.authority)?;
    if let Some((what, how)) = named(answer.record_merged, false) {
        writeln!(out, "{what:<11}  {how}")?;
    }
    writeln!(out, "decision     {}", answer.decision_id)?;
    writeln!(out, "record       {}", checked.text())?;
    Ok(())
}

fn json_of(answer: ExplainValueAnswer, checked: &Checked) -> Value {
    let outcome = outcome(answer.outcome());
    let value = |value: ExplainedValue| {
        let standing = standing(&value);
        json!({
            "standing": standing,
            "held": value.held.map(held_json),
            "version": value.version,
        })
    };
    json!({
        "outcome": outcome,
        "item": answer.item,
        "values": answer.values.into_iter().map(value).collect::<Vec<_>>(),
        "rule": answer.rule.map(|rule| json!({ "sources": rule.sources, "basis": rule.basis })),
        "authority": answer.authority,
        "withheld": answer.withheld.map(withheld_json),
        "version": answer.version,
        "record_merged": answer.record_merged,
        "answer_time": moment(answer.answer_time),
        "valid_until": moment(answer.valid_until),
        "decision_id": answer.decision_id,
        "policy_revision": answer.policy_revision,
        "request_id": answer.request_id,
        "receipt": checked.json(),
    })
}

fn standing(value: &ExplainedValue) -> &'static str {
    match value.standing() {
        ValueStanding::Current => "current",
        ValueStanding::Outranked => "outranked",
        ValueStanding::Superseded => "superseded",
        ValueStanding::Replaced => "replaced",
        ValueStanding::Annulled => "annulled",
        ValueStanding::SetAside => "set aside",
        ValueStanding::Merged => "merged",
        ValueStanding::Unspecified => "unspecified",
    }
}
