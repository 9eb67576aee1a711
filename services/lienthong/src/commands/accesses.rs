//! `lienthong accesses`: who asked about a person, when, why, and what was given.

use std::io::Write;

use anyhow::{Context as _, Result};
use contract::identity::v1::{
    AccessDetails, AccessEnding, AccessUntold, ListAccessesAnswer, ListAccessesRequest,
    LookupOutcome, PersonAccess, person_access::Told,
};
use lienthong::client::{Answered, history::verify_access, moment};
use serde_json::{Value, json};

use super::{
    connection::{Connected, Connection},
    evidence::{self, Checked},
    ground::Ground,
    lookup::{NO_MATCH, Whom, outcome, withheld_json, withheld_text},
    output::{Format, print as print_json, refuse},
    question::Question,
};

/// Who asks, in a demonstration.
const CALLER: &str = "portal";
/// The task under which it may, and its ground, unless others are said.
const PROCEDURE: &str = "own-record";
const LEGAL_BASIS: &str = "circular-46-2022-art-12";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    whom: Whom,
    /// The most accesses that are listed, 1 to 100.
    #[arg(long, help_heading = "Request", value_name = "NUMBER", default_value_t = 50)]
    page_size: u32,
    /// Where to go on, as the last page says.
    #[arg(long, help_heading = "Request", value_name = "TOKEN", default_value = "")]
    page: String,
    #[command(flatten)]
    question: Question,
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Arguments { whom, page_size, page, question, .. } = arguments;
    let (subject, claims) = whom.of(&connected.subjects)?;
    let request = ListAccessesRequest {
        subject: Some(subject),
        claims,
        basis: Some(question.basis_of(Ground::task(PROCEDURE, LEGAL_BASIS), &connected)?),
        request_id: question.request_id(),
        page_size,
        page_token: page,
    };
    let folder = question.folder()?;
    let told = match connected.client.list_accesses(&request).await? {
        Ok(told) => told,
        Err(refused) => return refuse(&refused, question.output.format, out),
    };
    let checked = evidence::check(&told, &connected, folder)?;
    prove(&told, &connected)?;
    match question.output.format {
        Format::Text => text(told.answer, &checked, out),
        Format::Json => print_json(&json_of(told.answer, &checked), out),
    }
}

/// Every access stands in the log, where its key is known.
fn prove(told: &Answered<ListAccessesAnswer>, connected: &Connected) -> Result<()> {
    let Some((_, log)) = &connected.log else { return Ok(()) };
    if told.answer.accesses.is_empty() {
        return Ok(());
    }
    let signed = log.verify(&told.answer.checkpoint).context("the checkpoint does not hold")?;
    for access in &told.answer.accesses {
        if let Some(Told::Details(details)) = &access.told {
            verify_access(details, &signed)?;
        }
    }
    Ok(())
}

fn text(answer: ListAccessesAnswer, checked: &Checked, out: &mut impl Write) -> Result<()> {
    if answer.outcome() != LookupOutcome::Match {
        writeln!(out, "{NO_MATCH}\n\nrecord       {}", checked.text())?;
        return Ok(());
    }
    if let Some(withheld) = &answer.withheld {
        writeln!(out, "{}", withheld_text(withheld))?;
    }
    for access in &answer.accesses {
        one(access, answer.counts.len() > 1, out)?;
    }
    let all: u64 = answer.counts.iter().sum();
    writeln!(out, "\naccesses     {} told of {all} recorded", answer.accesses.len())?;
    if !answer.next_page_token.is_empty() {
        writeln!(out, "more         --page {}", answer.next_page_token)?;
    }
    writeln!(out, "decision     {}\nrecord       {}", answer.decision_id, checked.text())?;
    Ok(())
}

/// One access; of several records with the place of its own.
fn one(access: &PersonAccess, several: bool, out: &mut impl Write) -> Result<()> {
    let place = if several { format!("{}.", access.record + 1) } else { String::new() };
    write!(out, "{place}{:<4} ", access.number)?;
    match &access.told {
        Some(Told::Details(details)) => {
            let AccessDetails { agency, system, acting_unit, method, .. } = details;
            let method = method.rsplit('/').next().unwrap_or_default();
            let time = moment(details.record_time).unwrap_or_default();
            writeln!(out, "{time}  {agency} {system}, unit {acting_unit}: {method}")?;
            let (procedure, purpose) = (&details.procedure, &details.purpose);
            let ground = format!("{procedure} ({purpose}), {}", details.legal_basis);
            writeln!(out, "      {ground}: {}", ending(details.ending()))?;
            for item in &details.items {
                let given = if item.disclosed { "given" } else { "not given" };
                let article = match item.article.as_str() {
                    "" => String::new(),
                    article => format!("  [{article}]"),
                };
                writeln!(out, "      {:<28} {given}{article}", item.item)?;
            }
        }
        Some(Told::Untold(why)) => writeln!(out, "{}", untold(*why))?,
        None => writeln!(out, "nothing is told of it")?,
    }
    Ok(())
}

fn json_of(answer: ListAccessesAnswer, checked: &Checked) -> Value {
    json!({
        "outcome": outcome(answer.outcome()),
        "accesses": answer.accesses.iter().map(one_json).collect::<Vec<_>>(),
        "counts": answer.counts,
        "next_page_token": answer.next_page_token,
        "checkpoint": answer.checkpoint,
        "withheld": answer.withheld.map(withheld_json),
        "answer_time": moment(answer.answer_time),
        "decision_id": answer.decision_id,
        "policy_revision": answer.policy_revision,
        "request_id": answer.request_id,
        "receipt": checked.json(),
    })
}

fn one_json(access: &PersonAccess) -> Value {
    let (record, number) = (access.record, access.number);
    match &access.told {
        Some(Told::Details(details)) => {
            let item = |item: &contract::identity::v1::AccessedItem| json!({ "item": item.item, "disclosed": item.disclosed, "article": item.article });
            json!({
                "record": record,
                "number": number,
                "time": moment(details.record_time),
                "agency": details.agency,
                "system": details.system,
                "acting_unit": details.acting_unit,
                "method": details.method,
                "procedure": details.procedure,
                "purpose": details.purpose,
                "legal_basis": details.legal_basis,
                "ending": ending(details.ending()),
                "items": details.items.iter().map(item).collect::<Vec<_>>(),
                "index": details.index,
            })
        }
        Some(Told::Untold(why)) => {
            json!({ "record": record, "number": number, "untold": untold(*why) })
        }
        None => json!({ "record": record, "number": number }),
    }
}

fn untold(why: i32) -> &'static str {
    match AccessUntold::try_from(why) {
        Ok(AccessUntold::Sealed) => "sealed",
        Ok(AccessUntold::Erased) => "erased",
        Ok(AccessUntold::Archived) => "archived",
        Ok(AccessUntold::Unspecified) | Err(_) => "untold",
    }
}

fn ending(ending: AccessEnding) -> &'static str {
    match ending {
        AccessEnding::Answered => "answered",
        AccessEnding::NothingGiven => "nothing_given",
        AccessEnding::Contributed => "contributed",
        AccessEnding::Rejected => "rejected",
        AccessEnding::Unspecified => "unspecified",
    }
}
