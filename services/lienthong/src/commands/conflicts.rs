//! `lienthong conflicts`: where sources disagree, as whoever has to act sees it.

use std::io::Write;

use anyhow::Result;
use contract::contribution::v1::{
    Conflict, ConflictEvidence, ConflictRole, ConflictState, GetConflictAnswer, GetConflictRequest,
    HandOverConflictRequest, ListConflictsRequest,
};
use lienthong::{client::moment, process::Runtime};
use serde_json::{Value, json};

use super::{
    connection::Connection,
    evidence,
    ground::Ground,
    output::{Format, Output, print as print_json, refuse},
    question::Question,
    values::{Date, ItemValue},
};

/// Who asks, in a demonstration.
const CALLER: &str = "civil-status";
/// The task under which a conflict is decided, and its ground, unless others are said.
const PROCEDURE: &str = "conflict-resolution";
const LEGAL_BASIS: &str = "1911-2021-art-2-2";

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Those in which the caller has to act, or is one of the sides.
    List(List),
    /// One with what both sides say, for whoever may decide it. It is decided by `contribute`.
    Show(Box<Show>),
    /// Asks the source that disagrees; or, for that source, hands it back.
    HandOver(HandOver),
}

#[derive(clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    connection: Connection,
    /// Those in which the caller is one of the sides, whoever has to act.
    #[arg(long, help_heading = "Request")]
    side: bool,
    /// Where to go on: the token that the page before ended with.
    #[arg(long, help_heading = "Request", default_value = "", hide_default_value = true)]
    page_token: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    connection: Connection,
    /// Id of the conflict.
    id: String,
    /// Id of the item that it is about.
    #[arg(long, help_heading = "Request", value_name = "ID")]
    item: String,
    #[command(flatten)]
    question: Question,
}

#[derive(clap::Args)]
pub(crate) struct HandOver {
    #[command(flatten)]
    connection: Connection,
    /// Id of the conflict.
    id: String,
    /// The question, or the answer, for the other side to read.
    #[arg(long, help_heading = "Request", value_name = "TEXT")]
    message: String,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(command: Command, out: &mut impl Write) -> Result<()> {
    match command {
        Command::List(arguments) => list(arguments, out).await,
        Command::Show(arguments) => show(*arguments, out).await,
        Command::HandOver(arguments) => hand_over(arguments, out).await,
    }
}

async fn list(arguments: List, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let role = if arguments.side { ConflictRole::Side } else { ConflictRole::Owner };
    let request = ListConflictsRequest {
        role: role.into(),
        page_token: arguments.page_token,
        page_size: 0,
        request_id: Runtime::system().entropy.id(),
    };
    let answered = match connected.client.list_conflicts(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, arguments.output.format, out),
    };
    let (checked, answer) = (evidence::check(&answered, &connected, None)?, &answered.answer);
    if arguments.output.format == Format::Json {
        let conflicts: Vec<Value> = answer.conflicts.iter().map(json_of).collect();
        let result = json!({
            "conflicts": conflicts,
            "next_page_token": answer.next_page_token,
            "receipt": checked.json(),
        });
        return print_json(&result, out);
    }
    if answer.conflicts.is_empty() {
        writeln!(out, "No conflicts.")?;
    }
    for conflict in &answer.conflicts {
        writeln!(out, "{}", text(conflict))?;
    }
    if !answer.next_page_token.is_empty() {
        writeln!(out, "\npage token  {}", answer.next_page_token)?;
    }
    writeln!(out, "record  {}", checked.text())?;
    Ok(())
}

async fn show(arguments: Show, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Show { id, item, question, .. } = arguments;
    let request = GetConflictRequest {
        conflict_id: id,
        item,
        basis: Some(question.basis_of(Ground::task(PROCEDURE, LEGAL_BASIS), &connected)?),
        request_id: question.request_id(),
    };
    let folder = question.folder()?;
    let answered = match connected.client.get_conflict(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, question.output.format, out),
    };
    let checked = evidence::check(&answered, &connected, folder)?;
    let GetConflictAnswer { conflict, disagreeing, held, .. } = answered.answer;
    let conflict = conflict.unwrap_or_default();
    if question.output.format == Format::Json {
        let side = |side: Option<ConflictEvidence>| side.map(side_json);
        let result = json!({
            "conflict": json_of(&conflict),
            "disagreeing": side(disagreeing),
            "held": side(held),
            "receipt": checked.json(),
        });
        return print_json(&result, out);
    }
    writeln!(out, "{}", text(&conflict))?;
    for (name, side) in [("disagreeing", disagreeing), ("held", held)] {
        let Some(side) = side else { continue };
        let value = side.value.and_then(ItemValue::read);
        let value = value.map_or_else(|| "(none)".to_owned(), |value| value.to_string());
        let from = side.valid_from.map_or_else(|| "(not said)".to_owned(), |d| Date(d).to_string());
        writeln!(out, "{name:<12} {value}  from {from}  documents {}", side.evidence.len())?;
    }
    writeln!(out, "record       {}", checked.text())?;
    Ok(())
}

async fn hand_over(arguments: HandOver, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let request = HandOverConflictRequest {
        conflict_id: arguments.id,
        message: arguments.message,
        request_id: Runtime::system().entropy.id(),
    };
    let answered = match connected.client.hand_over_conflict(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, arguments.output.format, out),
    };
    let checked = evidence::check(&answered, &connected, None)?;
    let conflict = answered.answer.conflict.unwrap_or_default();
    if arguments.output.format == Format::Json {
        let result = json!({ "conflict": json_of(&conflict), "receipt": checked.json() });
        return print_json(&result, out);
    }
    writeln!(out, "{}\nrecord  {}", text(&conflict), checked.text())?;
    Ok(())
}

/// A state in a word.
pub(super) fn state(state: ConflictState) -> &'static str {
    match state {
        ConflictState::Open => "open",
        ConflictState::Asked => "asked",
        ConflictState::Accepted => "accepted",
        ConflictState::Rejected => "rejected",
        ConflictState::Overtaken => "overtaken",
        ConflictState::Unspecified => "unspecified",
    }
}

fn text(conflict: &Conflict) -> String {
    let database = |side: &Option<contract::contribution::v1::ConflictSide>| {
        side.as_ref().map(|side| side.database.clone()).unwrap_or_default()
    };
    let (disagreeing, held) = (database(&conflict.disagreeing), database(&conflict.held));
    let (id, item, owner) = (&conflict.conflict_id, &conflict.item, &conflict.owner);
    let due = moment(conflict.due_time).unwrap_or_default();
    let state = state(conflict.state());
    let mut text =
        format!("{id}  {item}  {state}: {disagreeing} against {held}; {owner} until {due}");
    if !conflict.message.is_empty() {
        text += &format!("\n  {}", conflict.message);
    }
    text
}

fn json_of(conflict: &Conflict) -> Value {
    let side = |side: &Option<contract::contribution::v1::ConflictSide>| {
        let side = side.as_ref()?;
        Some(json!({
            "database": side.database,
            "contribution_id": side.contribution_id,
            "idempotency_key": side.idempotency_key,
            "received_time": moment(side.received_time),
        }))
    };
    json!({
        "conflict_id": conflict.conflict_id,
        "item": conflict.item,
        "state": state(conflict.state()),
        "owner": conflict.owner,
        "due_time": moment(conflict.due_time),
        "opened_time": moment(conflict.opened_time),
        "disagreeing": side(&conflict.disagreeing),
        "held": side(&conflict.held),
        "message": conflict.message,
    })
}

fn side_json(side: ConflictEvidence) -> Value {
    let document = |one: &contract::contribution::v1::Evidence| {
        json!({
            "kind": one.kind.as_ref().map(|kind| kind.code.clone()),
            "digest": hex::encode(&one.digest),
            "number": one.number,
        })
    };
    json!({
        "value": side.value.and_then(ItemValue::read),
        "valid_from": side.valid_from.map(Date),
        "evidence": side.evidence.iter().map(document).collect::<Vec<_>>(),
    })
}
