//! `lienthong relations`: to whom a person is related, in one direction.

use std::io::Write;

use anyhow::Result;
use contract::{
    identity::v1::{
        ListRelationsAnswer, ListRelationsRequest, LookupOutcome, PersonRelation, RelationDirection,
    },
    r#type::v1::{Provenance, RelationKind},
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
    values::Date,
};

/// Who asks, in a demonstration.
const CALLER: &str = "civil-status";
/// The task under which it may, and its ground, unless others are said.
const PROCEDURE: &str = "civil-status-correction";
const LEGAL_BASIS: &str = "1911-2021-art-2-1";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    whom: Whom,
    /// Those whose records name the person, and not those whom its own record names.
    #[arg(long, help_heading = "Request")]
    inverse: bool,
    /// What is wanted of the others beside their tokens: birth_full_name; separate ids by commas.
    #[arg(long = "item", help_heading = "Request", value_name = "ID", value_delimiter = ',')]
    items: Vec<String>,
    #[command(flatten)]
    seen: MinVersion,
    #[command(flatten)]
    question: Question,
}

type Told = Pages<ListRelationsAnswer, PersonRelation>;

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Arguments { whom, inverse, items, seen, question, .. } = arguments;
    let (subject, claims) = whom.of(&connected.subjects)?;
    let direction = if inverse { RelationDirection::Inverse } else { RelationDirection::Forward };
    let request = ListRelationsRequest {
        subject: Some(subject),
        claims,
        direction: direction.into(),
        items,
        basis: Some(question.basis_of(Ground::task(PROCEDURE, LEGAL_BASIS), &connected)?),
        request_id: question.request_id(),
        min_version: seen.min_version,
    };
    let folder = question.folder()?;
    let told = match connected.client.list_relations(&request).await? {
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
    } else if told.parts.is_empty() {
        writeln!(out, "Nobody of whom the caller may be told.")?;
    }
    for (part, checked) in told.parts.into_iter().zip(parts) {
        let relation = part.answer;
        let (kind, from) = (kind(relation.kind()), origin(relation.provenance.as_ref()));
        writeln!(out, "{:<15}  {}  [{from}]", says(&relation, kind), named(&relation.token))?;
        for item in relation.items {
            writeln!(out, "{:17}{}", "", item_text(item))?;
        }
        writeln!(out, "{:17}record {}", "", checked.text())?;
    }
    if answer.truncated {
        writeln!(out, "\nThere are more than are told.")?;
    }
    writeln!(out, "\nversion      {}\ndecision     {}", answer.version, answer.decision_id)?;
    writeln!(out, "record       {}", page.text())?;
    Ok(())
}

/// What a record says, as a person reads it.
fn says(relation: &PersonRelation, kind: &str) -> String {
    if relation.direction() == RelationDirection::Inverse {
        format!("is {kind} of")
    } else {
        kind.to_owned()
    }
}

/// A token, as a person reads it.
pub(super) fn named(token: &str) -> &str {
    if token.is_empty() { "(nobody of the register)" } else { token }
}

/// Who says something, and since when.
pub(super) fn origin(provenance: Option<&Provenance>) -> String {
    let source = provenance.map(|origin| origin.source.clone()).unwrap_or_default();
    let since = provenance.and_then(|origin| origin.valid_from);
    since.map_or_else(|| source.clone(), |date| format!("{source}, since {}", Date(date)))
}

/// The same for programs.
pub(super) fn origin_json(provenance: Option<Provenance>) -> Value {
    let origin = provenance.unwrap_or_default();
    json!({
        "source": origin.source,
        "contribution_id": origin.contribution_id,
        "valid_from": origin.valid_from.map(|date| Date(date).to_string()),
        "known_time": moment(origin.known_time),
    })
}

fn json_of(told: Told, parts: &[Checked], page: &Checked) -> Value {
    let answer = told.page.answer;
    let relations = told.parts.into_iter().zip(parts).map(|(part, checked)| {
        let relation = part.answer;
        let direction = match relation.direction() {
            RelationDirection::Forward => "forward",
            RelationDirection::Inverse => "inverse",
            RelationDirection::Unspecified => "unspecified",
        };
        json!({
            "direction": direction,
            "kind": kind(relation.kind()),
            "token": relation.token,
            "items": relation.items.into_iter().map(item_json).collect::<Vec<_>>(),
            "provenance": origin_json(relation.provenance),
            "receipt": checked.json(),
        })
    });
    json!({
        "outcome": outcome(answer.outcome()),
        "relations": relations.collect::<Vec<_>>(),
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

fn kind(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Father => "father",
        RelationKind::Mother => "mother",
        RelationKind::Spouse => "spouse",
        RelationKind::Child => "child",
        RelationKind::LegalRepresentative => "legal_representative",
        RelationKind::RepresentedPerson => "represented_person",
        RelationKind::HouseholdHead => "household_head",
        RelationKind::HouseholdMember => "household_member",
        RelationKind::Unspecified => "unspecified",
    }
}
