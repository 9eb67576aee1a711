//! `lienthong household`: who lives with a person.

use std::io::Write;

use anyhow::Result;
use contract::identity::v1::{
    GetHouseholdAnswer, GetHouseholdRequest, HouseholdEvidence, LookupOutcome, MemberOfHousehold,
};
use lienthong::client::{Pages, moment};
use serde_json::{Value, json};

use super::{
    connection::Connection,
    evidence::{self, Checked},
    ground::Ground,
    lookup::{NO_MATCH, Whom, item_json, item_text, outcome, withheld_json, withheld_text},
    output::{Format, print as print_json, refuse},
    question::{MinVersion, Question},
    relations::{named, origin, origin_json},
};

/// Who asks, in a demonstration.
const CALLER: &str = "residence";
/// The task under which it may, and its ground, unless others are said.
const PROCEDURE: &str = "household-change";
const LEGAL_BASIS: &str = "1911-2021-art-2-1";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    whom: Whom,
    /// What is wanted of each person beside the token: birth_full_name, relation_to_household_head, and residence_file_number, by
    /// which members are found, too; separate ids by commas.
    #[arg(long = "item", help_heading = "Request", value_name = "ID", value_delimiter = ',')]
    items: Vec<String>,
    #[command(flatten)]
    seen: MinVersion,
    #[command(flatten)]
    question: Question,
}

type Told = Pages<GetHouseholdAnswer, MemberOfHousehold>;

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Arguments { whom, items, seen, question, .. } = arguments;
    let (subject, claims) = whom.of(&connected.subjects)?;
    let request = GetHouseholdRequest {
        subject: Some(subject),
        claims,
        items,
        basis: Some(question.basis_of(Ground::task(PROCEDURE, LEGAL_BASIS), &connected)?),
        request_id: question.request_id(),
        min_version: seen.min_version,
    };
    let folder = question.folder()?;
    let told = match connected.client.get_household(&request).await? {
        Ok(told) => told,
        Err(refused) => return refuse(&refused, question.output.format, out),
    };
    let (page, parts) = evidence::check_all(&told, &connected, folder)?;
    match question.output.format {
        Format::Text => text(told, &parts, &page, out),
        Format::Json => print_json(&json_of(told, &parts, &page), out),
    }
}

fn text(told: Told, parts: &[Checked], page: &Checked, out: &mut impl Write) -> Result<()> {
    let answer = told.page.answer;
    if answer.outcome() != LookupOutcome::Match {
        writeln!(out, "{NO_MATCH}\n\nrecord       {}", page.text())?;
        return Ok(());
    }
    if let Some(withheld) = &answer.withheld {
        writeln!(out, "{}", withheld_text(withheld))?;
    } else {
        writeln!(out, "the person{}", if answer.head { ", the head" } else { "" })?;
        for item in answer.items {
            writeln!(out, "  {}", item_text(item))?;
        }
    }
    for (part, checked) in told.parts.into_iter().zip(parts) {
        let member = part.answer;
        let (token, from) = (named(&member.token), origin(member.provenance.as_ref()));
        let head = if member.head { ", the head" } else { "" };
        writeln!(out, "{token}{head}  {}  [{from}]", evidence(member.evidence()))?;
        for item in member.items {
            writeln!(out, "  {}", item_text(item))?;
        }
        writeln!(out, "  record {}", checked.text())?;
    }
    if answer.truncated {
        writeln!(out, "\nThere are more than are told.")?;
    }
    writeln!(out, "\nversion      {}\ndecision     {}", answer.version, answer.decision_id)?;
    writeln!(out, "record       {}", page.text())?;
    Ok(())
}

fn json_of(told: Told, parts: &[Checked], page: &Checked) -> Value {
    let answer = told.page.answer;
    let members = told.parts.into_iter().zip(parts).map(|(part, checked)| {
        let member = part.answer;
        json!({
            "token": member.token,
            "head": member.head,
            "evidence": evidence(member.evidence()),
            "items": member.items.into_iter().map(item_json).collect::<Vec<_>>(),
            "provenance": origin_json(member.provenance),
            "receipt": checked.json(),
        })
    });
    json!({
        "outcome": outcome(answer.outcome()),
        "head": answer.head,
        "items": answer.items.into_iter().map(item_json).collect::<Vec<_>>(),
        "members": members.collect::<Vec<_>>(),
        "truncated": answer.truncated,
        "withheld": answer.withheld.map(withheld_json),
        "version": answer.version,
        "number_replaced": answer.number_replaced,
        "answer_time": moment(answer.answer_time),
        "valid_until": moment(answer.valid_until),
        "decision_id": answer.decision_id,
        "policy_revision": answer.policy_revision,
        "request_id": answer.request_id,
        "receipt": page.json(),
    })
}

fn evidence(evidence: HouseholdEvidence) -> &'static str {
    match evidence {
        HouseholdEvidence::NamedBySubject => "named_by_subject",
        HouseholdEvidence::NamesSubject => "names_subject",
        HouseholdEvidence::ThroughHead => "through_head",
        HouseholdEvidence::ResidenceFile => "residence_file",
        HouseholdEvidence::Unspecified => "unspecified",
    }
}
