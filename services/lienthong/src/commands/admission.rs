//! `lienthong connection`: admission of databases, as officers of the operator see to it.

mod forms;
mod shown;

use std::{io::Write, path::PathBuf};

use anyhow::Result;
use contract::policy::v1::{
    Activation, AdmissionDocument, AgreementReference, ConnectionEnd, GetAdmissionRequest,
    ListAdmissionsRequest, MoveConnectionRequest, Resumption, Suspension,
    move_connection_request::Move,
};
use lienthong::process::Runtime;
use serde_json::{Value, json};

use super::{
    connection::Connection,
    evidence,
    output::{Format, Output, print, refuse, say},
};

/// Who moves, in a demonstration.
const CALLER: &str = "operator";
/// Who looks, in a demonstration.
const READER: &str = "auditor";
/// Admissions asked for at once.
const PAGE: u32 = 500;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Every database that the Decision or what followed it obliges, connected or not: what is missing, who owes it, since
    /// when, and by which day.
    Readiness(Readiness),
    /// Every admission and how it stands.
    List(Readiness),
    /// One admission with every move that was made.
    Show(Show),
    /// Records an application: the legal form, from a file.
    Apply(Form),
    /// Records that conditions were checked, from a file.
    Check(Form),
    /// Records the agreement that both sides signed, by its id.
    Agree(Agree),
    /// Accepts a report of the conformance kit.
    Conform(Conform),
    /// Records a security assessment, from a file.
    Assess(Form),
    /// Opens the connection. Not by who recorded the application or the assessment.
    Activate(Plain),
    /// Stops the connection until something is put right.
    Suspend(Suspend),
    /// Opens it again. Not by who recorded the application or the assessment.
    Resume(Plain),
    /// Ends the connection: proposed by one officer with `--propose`, carried out by another without.
    End(End),
}

#[derive(clap::Args)]
pub(crate) struct Readiness {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    connection: Connection,
    /// Id of the connection.
    id: String,
    #[command(flatten)]
    output: Output,
}

/// What every move has.
#[derive(clap::Args)]
pub(crate) struct Plain {
    #[command(flatten)]
    connection: Connection,
    /// Id of the connection.
    id: String,
    /// Number of the document that orders or proves the move.
    #[arg(long, help_heading = "Move", value_name = "NUMBER")]
    document: String,
    /// Who issued it.
    #[arg(long, help_heading = "Move", value_name = "TEXT")]
    issuer: String,
    /// The day it was issued.
    #[arg(long, help_heading = "Move", value_name = "YYYY-MM-DD")]
    day: String,
    /// Why; nothing of a person.
    #[arg(long, help_heading = "Move", value_name = "TEXT")]
    reason: String,
    /// Names the move, so that it can be sent again; left out, a new one.
    #[arg(long, help_heading = "Move", value_name = "ID")]
    request_id: Option<String>,
    /// The version on which it is made; left out, the one that there is now, and for a suspension whichever there is.
    #[arg(long, help_heading = "Move", value_name = "NUMBER")]
    version: Option<u64>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Form {
    /// The form (TOML), with the fields of the contract; `-` is standard input.
    #[arg(long, help_heading = "Move", value_name = "FILE")]
    form: PathBuf,
    #[command(flatten)]
    plain: Plain,
}

#[derive(clap::Args)]
pub(crate) struct Agree {
    /// Id of the agreement.
    #[arg(long, help_heading = "Move", value_name = "ID")]
    agreement: String,
    #[command(flatten)]
    plain: Plain,
}

#[derive(clap::Args)]
pub(crate) struct Conform {
    /// The `report.json` of the conformance kit. It must say that the database conforms.
    #[arg(long, help_heading = "Move", value_name = "FILE")]
    report: PathBuf,
    #[command(flatten)]
    plain: Plain,
}

#[derive(clap::Args)]
pub(crate) struct Suspend {
    /// The cause: `violation`, `planned-stop`, `personal-data-breach` or `design-changed`.
    #[arg(long, help_heading = "Move", value_name = "CAUSE")]
    cause: String,
    /// What has to be put right.
    #[arg(long, help_heading = "Move", value_name = "TEXT")]
    remedy: String,
    #[command(flatten)]
    plain: Plain,
}

#[derive(clap::Args)]
pub(crate) struct End {
    /// The cause: `refused`, `purpose-ended`, `not-restorable`, `ordered`, `no-need` or `agreement-expired`.
    #[arg(long, help_heading = "Move", value_name = "CAUSE")]
    cause: String,
    /// Proposes it, for another officer to carry out.
    #[arg(long, help_heading = "Move")]
    propose: bool,
    #[command(flatten)]
    plain: Plain,
}

pub(crate) async fn run(command: Command, out: &mut impl Write) -> Result<()> {
    let (plain, step) = match command {
        Command::Readiness(arguments) => return readiness(&arguments, out).await,
        Command::List(arguments) => return list(&arguments, out).await,
        Command::Show(arguments) => return show(&arguments, out).await,
        Command::Apply(Form { form, plain }) => (plain, Move::Apply(forms::application(&form)?)),
        Command::Check(Form { form, plain }) => (plain, Move::Check(forms::check(&form)?)),
        Command::Assess(Form { form, plain }) => (plain, Move::Assess(forms::assessment(&form)?)),
        Command::Conform(Conform { report, plain }) => {
            (plain, Move::Conform(forms::conformance(&report)?))
        }
        Command::Agree(Agree { agreement, plain }) => {
            (plain, Move::Agree(AgreementReference { agreement }))
        }
        Command::Activate(plain) => (plain, Move::Activate(Activation {})),
        Command::Resume(plain) => (plain, Move::Resume(Resumption {})),
        Command::Suspend(Suspend { cause, remedy, plain }) => {
            (plain, Move::Suspend(Suspension { cause, remedy }))
        }
        Command::End(End { cause, propose, plain }) => {
            let end = ConnectionEnd { cause };
            (plain, if propose { Move::ProposeEnd(end) } else { Move::End(end) })
        }
    };
    make(plain, step, out).await
}

async fn make(plain: Plain, step: Move, out: &mut impl Write) -> Result<()> {
    let connected = plain.connection.open(CALLER)?;
    let Plain { id, document, issuer, day, reason, request_id, version, output, .. } = plain;
    let urgent = matches!(step, Move::Suspend(_));
    let expected_version = match version {
        Some(version) => version,
        // It must not wait for an access log that is away: to look is recorded, too.
        None if urgent => 0,
        None => {
            let request = GetAdmissionRequest { connection: id.clone() };
            match connected.client.get_admission(&request).await? {
                Ok(found) => found.answer.admission.unwrap_or_default().version,
                // The first move of a connection is on nothing.
                Err(refused) if refused.reason == "UNKNOWN_CONNECTION" => 0,
                Err(refused) => return refuse(&refused, output.format, out),
            }
        }
    };
    let request = MoveConnectionRequest {
        request_id: request_id.unwrap_or_else(|| Runtime::system().entropy.id()),
        connection: id,
        expected_version,
        document: Some(AdmissionDocument { number: document, issuer, day }),
        reason,
        r#move: Some(step),
    };
    let answered = match connected.client.move_connection(&request).await? {
        Ok(answered) => answered,
        Err(refused) => {
            // With it the same move can be sent again.
            say(&format!("lienthong: request id {}", request.request_id));
            return refuse(&refused, output.format, out);
        }
    };
    let checked = evidence::check(&answered, &connected, None)?;
    let admission = answered.answer.admission.unwrap_or_default();
    if output.format == Format::Json {
        let result = json!({
            "request_id": request.request_id,
            "admission": shown::admission_json(&admission),
            "receipt": checked.json(),
        });
        return print(&result, out);
    }
    shown::admission(&admission, out)?;
    writeln!(out, "  request id           {}", request.request_id)?;
    writeln!(out, "record  {}", checked.text())?;
    Ok(())
}

async fn readiness(arguments: &Readiness, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(READER)?;
    let answered = match connected.client.list_readiness().await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, arguments.output.format, out),
    };
    let checked = evidence::check(&answered, &connected, None)?;
    let databases = &answered.answer.databases;
    if arguments.output.format == Format::Json {
        let databases: Vec<Value> = databases.iter().map(shown::ready_json).collect();
        return print(&json!({ "databases": databases, "receipt": checked.json() }), out);
    }
    for database in databases {
        shown::ready(database, out)?;
    }
    writeln!(out, "record  {}", checked.text())?;
    Ok(())
}

async fn list(arguments: &Readiness, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(READER)?;
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListAdmissionsRequest { page_size: PAGE, page_token };
        let answered = match connected.client.list_admissions(&request).await? {
            Ok(answered) => answered,
            Err(refused) => return refuse(&refused, arguments.output.format, out),
        };
        evidence::check(&answered, &connected, None)?;
        all.extend(answered.answer.admissions);
        page_token = answered.answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if arguments.output.format == Format::Json {
        let admissions: Vec<Value> = all.iter().map(shown::admission_json).collect();
        return print(&json!({ "admissions": admissions }), out);
    }
    for admission in &all {
        shown::admission(admission, out)?;
    }
    if all.is_empty() {
        say("no admissions");
    }
    Ok(())
}

async fn show(arguments: &Show, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(READER)?;
    let request = GetAdmissionRequest { connection: arguments.id.clone() };
    let answered = match connected.client.get_admission(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, arguments.output.format, out),
    };
    let checked = evidence::check(&answered, &connected, None)?;
    let admission = answered.answer.admission.clone().unwrap_or_default();
    let moves = &answered.answer.moves;
    if arguments.output.format == Format::Json {
        let moves: Vec<Value> = moves.iter().map(shown::move_json).collect();
        let result = json!({
            "admission": shown::admission_json(&admission),
            "moves": moves,
            "receipt": checked.json(),
        });
        return print(&result, out);
    }
    shown::admission(&admission, out)?;
    for made in moves {
        shown::made(made, out)?;
    }
    writeln!(out, "record  {}", checked.text())?;
    Ok(())
}
