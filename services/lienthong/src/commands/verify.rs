//! `lienthong verify`: claimed values held against the register, which says of each whether it agrees and
//! never what it holds.

use std::{io::Write, str::FromStr};

use anyhow::Result;
use contract::identity::v1::{
    ClaimOutcome, ClaimResult, ClaimedValue, LookupOutcome, VerifyClaimsAnswer, VerifyClaimsRequest,
};
use lienthong::client::moment;
use serde_json::{Value, json};

use super::{
    connection::Connection,
    evidence::{self, Checked},
    lookup::Whom,
    output::{Format, print as print_json, refuse},
    question::{MinVersion, Question},
    values::ItemValue,
};

/// Whom the question is asked as, in a demonstration.
const CALLER: &str = "portal";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    whom: Whom,
    /// A claimed value; repeat it. TYPE is text, date, name, address, code (SYSTEM/VERSION/CODE),
    /// personal-number or old-number; or the whole is ITEM={"TYPE": …} in JSON, as `lookup` prints it.
    #[arg(
        long = "claim",
        help_heading = "Request",
        value_name = "ITEM=TYPE:VALUE",
        required = true
    )]
    claims: Vec<Claim>,
    #[command(flatten)]
    seen: MinVersion,
    #[command(flatten)]
    question: Question,
}

/// A claimed value of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    item: String,
    value: ItemValue,
}

impl FromStr for Claim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (item, value) = text.split_once('=').ok_or("is not ITEM=TYPE:VALUE")?;
        let value = if value.starts_with('{') {
            serde_json::from_str(value).map_err(|error| error.to_string())?
        } else {
            let (kind, value) = value.split_once(':').ok_or("is not ITEM=TYPE:VALUE")?;
            typed(kind, value)?
        };
        Ok(Self { item: item.to_owned(), value })
    }
}

/// A value by the name of its type.
fn typed(kind: &str, value: &str) -> Result<ItemValue, String> {
    let whole = match kind {
        "text" | "date" => json!({ kind: value }),
        "name" => json!({ "name": { "full_name": value } }),
        "address" => json!({ "address": { "text": value } }),
        "code" => {
            let parts: Vec<&str> = value.split('/').collect();
            let [system, version, code] = parts.as_slice() else {
                return Err("a code is SYSTEM/VERSION/CODE, such as sex/1/2".to_owned());
            };
            let (system, version) = (json!(system), json!(version));
            json!({ "coded": {
                "code_system": system, "code_system_version": version, "code": code,
            } })
        }
        "personal-number" => {
            json!({ "identifier": { "kind": "personal_number", "value": value } })
        }
        "old-number" => json!({ "identifier": { "kind": "old_number9", "value": value } }),
        _ => return Err(format!("`{kind}` is no type of values")),
    };
    serde_json::from_value(whole).map_err(|error| error.to_string())
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let question = &arguments.question;
    let (subject, claims) = arguments.whom.of(&connected.subjects)?;
    let claimed = |claim: Claim| ClaimedValue { item: claim.item, value: Some(claim.value.into()) };
    let request = VerifyClaimsRequest {
        subject: Some(subject),
        claims,
        claimed_values: arguments.claims.into_iter().map(claimed).collect(),
        basis: Some(question.basis(&connected)?),
        request_id: question.request_id(),
        min_version: arguments.seen.min_version,
    };
    let folder = question.folder()?;
    let format = question.output.format;
    let answered = match connected.client.verify_claims(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, format, out),
    };
    let checked = evidence::check(&answered, &connected, folder)?;
    match format {
        Format::Text => text(&answered.answer, &checked, out),
        Format::Json => print_json(&object(&answered.answer, &checked), out),
    }
}

fn text(answer: &VerifyClaimsAnswer, checked: &Checked, out: &mut impl Write) -> Result<()> {
    if answer.outcome() != LookupOutcome::Match {
        writeln!(out, "{}", super::lookup::NO_MATCH)?;
    }
    let width = answer.results.iter().map(|result| result.item.len()).max().unwrap_or(0).max(6);
    for result in &answer.results {
        let denied = result.denied.as_ref();
        let rule = denied.map(|denied| format!(" by rule {}, {}", denied.rule, denied.article));
        let (item, rule) = (&result.item, rule.unwrap_or_default());
        writeln!(out, "{item:<width$}  {}{rule}", words(result.outcome()))?;
        let conditions = super::lookup::conditions(&result.obligations).join(", ");
        if !conditions.is_empty() {
            writeln!(out, "{:<width$}  on condition of {conditions}", "")?;
        }
    }
    writeln!(out)?;
    if let Some((what, how)) = super::lookup::named(answer.record_merged, answer.number_replaced) {
        writeln!(out, "{what:<width$}  {how}")?;
    }
    writeln!(out, "{:<width$}  {}", "record", checked.text())?;
    Ok(())
}

fn object(answer: &VerifyClaimsAnswer, checked: &Checked) -> Value {
    let one = |result: &ClaimResult| {
        let denied = result.denied.as_ref().map(|denied| {
            json!({
                "rule": denied.rule,
                "legal_basis": denied.legal_basis,
                "article": denied.article,
            })
        });
        let outcome = words(result.outcome()).replace(' ', "_");
        let obligations = super::lookup::conditions(&result.obligations);
        let mut told = json!({ "item": result.item, "outcome": outcome, "denied": denied });
        if let (Value::Object(told), false) = (&mut told, obligations.is_empty()) {
            told.insert("obligations".to_owned(), json!(obligations));
        }
        told
    };
    json!({
        "outcome": super::lookup::outcome(answer.outcome()),
        "results": answer.results.iter().map(one).collect::<Vec<_>>(),
        "number_replaced": answer.number_replaced,
        "record_merged": answer.record_merged,
        "answer_time": moment(answer.answer_time),
        "valid_until": moment(answer.valid_until),
        "decision_id": answer.decision_id,
        "policy_revision": answer.policy_revision,
        "request_id": answer.request_id,
        "receipt": checked.json(),
    })
}

fn words(outcome: ClaimOutcome) -> &'static str {
    match outcome {
        ClaimOutcome::Unspecified => "unspecified",
        ClaimOutcome::Match => "match",
        ClaimOutcome::Mismatch => "mismatch",
        ClaimOutcome::NotHeld => "not held",
        ClaimOutcome::Denied => "denied",
        ClaimOutcome::Indeterminate => "indeterminate",
        ClaimOutcome::UnknownItem => "unknown item",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_claim_is_an_item_a_type_and_a_value() {
        for (text, json) in [
            ("x=text:a:b=c", r#"{"text":"a:b=c"}"#),
            ("x=date:1990-05", r#"{"date":"1990-05"}"#),
            ("x=name:Lê An", r#"{"name":{"full_name":"Lê An"}}"#),
            ("x=address:Số 1", r#"{"address":{"text":"Số 1"}}"#),
            (
                "x=code:sex/1/2",
                r#"{"coded":{"code_system":"sex","code_system_version":"1","code":"2"}}"#,
            ),
            ("x=old-number:1", r#"{"identifier":{"kind":"old_number9","value":"1"}}"#),
        ] {
            let claim: Claim = text.parse().unwrap();
            assert_eq!(claim, format!("x={json}").parse().unwrap());
            assert_eq!(claim.item, "x");
        }
        for bad in ["x", "x=1", "x=date:1/2/1990", "x=code:2", "x=age:3", "x={", "x={\"age\":3}"] {
            assert!(bad.parse::<Claim>().is_err(), "{bad}");
        }
    }
}
