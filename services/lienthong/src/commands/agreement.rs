//! `lienthong agreement`: drafted and signed by the parties, each on its own; kept by officers of the operator.

mod draft;
mod shown;

use std::{io::Write, path::PathBuf};

use anyhow::{Context as _, Result};
use contract::policy::v1::{
    AgreementContent, AgreementStatement, GetAgreementRequest, ListAgreementsRequest,
    MoveAgreementRequest, move_agreement_request::Move,
};
use lienthong::{agreement, client, process::Runtime};
use serde_json::{Value, json};

use super::{
    connection::Connection,
    evidence, input,
    output::{Ending, Format, Output, print, refuse, say},
};

/// Who moves, in a demonstration.
const CALLER: &str = "operator";
/// Who looks, in a demonstration.
const READER: &str = "auditor";
/// Agreements asked for at once.
const PAGE: u32 = 500;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes the exact bytes of an agreement from a file (TOML), and says what they are. Nobody is called.
    Draft(Draft),
    /// Says what the exact bytes of an agreement are. Nobody is called.
    Read(Read),
    /// Signs an agreement for a party: that it accepts, rejects or revokes it. Nobody is called.
    Sign(Sign),
    /// Says under which thumbprint agreements name the key of a certificate. Nobody is called.
    Thumbprint(Thumbprint),
    /// Proposes an agreement.
    Propose(Propose),
    /// Brings what a party signed.
    Submit(Submit),
    /// Every agreement and how it stands.
    List(List),
    /// One agreement: its headings, its grants, and every move that was made.
    Show(Show),
}

#[derive(clap::Args)]
pub(crate) struct Draft {
    /// The agreement (TOML), with the fields of the contract; `-` is standard input.
    file: PathBuf,
    /// Where to write the exact bytes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Read {
    /// The exact bytes, as `draft` wrote them.
    content: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// What a party says.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Statement {
    /// It agrees.
    Accept,
    /// It does not agree, and never will to these bytes.
    Reject,
    /// It agreed, and does so no longer.
    Revoke,
}

#[derive(clap::Args)]
pub(crate) struct Sign {
    /// What the party says.
    statement: Statement,
    /// The exact bytes, as `draft` wrote them.
    content: PathBuf,
    /// PEM file of the party's certificate chain.
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// PEM file of its private key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where to write what is signed, for `submit`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(clap::Args)]
pub(crate) struct Thumbprint {
    /// PEM file of the certificate.
    certificate: PathBuf,
}

#[derive(clap::Args)]
pub(crate) struct Propose {
    #[command(flatten)]
    connection: Connection,
    /// The exact bytes, as `draft` wrote them.
    content: PathBuf,
    /// Names the move, so that it can be sent again; left out, a new one.
    #[arg(long, help_heading = "Move", value_name = "ID")]
    request_id: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Submit {
    #[command(flatten)]
    connection: Connection,
    /// Id of the agreement.
    id: String,
    /// What a party signed, as `sign` wrote it.
    signed: PathBuf,
    /// Names the move, so that it can be sent again; left out, a new one.
    #[arg(long, help_heading = "Move", value_name = "ID")]
    request_id: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    connection: Connection,
    /// Id of the agreement.
    id: String,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(command: Command, out: &mut impl Write) -> Result<()> {
    match command {
        Command::Draft(arguments) => write_draft(&arguments, out),
        Command::Read(Read { content, output }) => {
            let bytes = input::bytes(&content)?;
            tell(&bytes, &content, output.format, out)
        }
        Command::Sign(arguments) => sign(&arguments, out),
        Command::Thumbprint(Thumbprint { certificate }) => {
            let thumbprint = agreement::thumbprint(&certificate.display().to_string())?;
            Ok(writeln!(out, "{}", hex::encode(thumbprint))?)
        }
        Command::Propose(Propose { connection, content, request_id, output }) => {
            let bytes = input::bytes(&content)?;
            let id = decoded(&bytes, &content)?.id;
            let step = Move::Propose(bytes);
            make(&connection, id, request_id, step, output.format, out).await
        }
        Command::Submit(Submit { connection, id, signed, request_id, output }) => {
            let bytes = input::bytes(&signed)?;
            let wrong = || Ending::Usage(format!("`{}` is nothing signed", signed.display()));
            let signature = client::signature_in(&bytes).ok_or_else(wrong)?;
            make(&connection, id, request_id, Move::Sign(signature), output.format, out).await
        }
        Command::List(arguments) => list(&arguments, out).await,
        Command::Show(arguments) => show(&arguments, out).await,
    }
}

fn decoded(bytes: &[u8], file: &std::path::Path) -> Result<AgreementContent> {
    let wrong = || Ending::Usage(format!("`{}` holds no agreement", file.display()));
    Ok(client::agreement_in(bytes).ok_or_else(wrong)?)
}

fn write_draft(arguments: &Draft, out: &mut impl Write) -> Result<()> {
    let content = draft::read(&arguments.file, &Runtime::system().entropy.id())?;
    let bytes = client::agreement_bytes(&content);
    let shown = arguments.out.display();
    std::fs::write(&arguments.out, &bytes).with_context(|| format!("cannot write `{shown}`"))?;
    tell(&bytes, &arguments.out, arguments.output.format, out)
}

/// What the bytes of an agreement are.
fn tell(bytes: &[u8], file: &std::path::Path, format: Format, out: &mut impl Write) -> Result<()> {
    let content = decoded(bytes, file)?;
    let digest = hex::encode(tlog::digest(bytes));
    if format == Format::Json {
        return print(&shown::content_json(&content, &digest), out);
    }
    shown::content(&content, out)?;
    Ok(writeln!(out, "digest  {digest}")?)
}

fn sign(arguments: &Sign, out: &mut impl Write) -> Result<()> {
    let bytes = input::bytes(&arguments.content)?;
    let content = decoded(&bytes, &arguments.content)?;
    let (statement, word) = match arguments.statement {
        Statement::Accept => (AgreementStatement::Accept, "accept"),
        Statement::Reject => (AgreementStatement::Reject, "reject"),
        Statement::Revoke => (AgreementStatement::Revoke, "revoke"),
    };
    let files = [&arguments.certificate, &arguments.key].map(|file| file.display().to_string());
    let [certificate, key] = &files;
    let signed = agreement::sign(&bytes, statement, certificate, key)?;
    let shown = arguments.out.display();
    std::fs::write(&arguments.out, client::signature_bytes(&signed))
        .with_context(|| format!("cannot write `{shown}`"))?;
    let digest = hex::encode(tlog::digest(&bytes));
    Ok(writeln!(out, "{}  {word}  {digest}", content.id)?)
}

async fn make(
    connection: &Connection,
    id: String,
    request_id: Option<String>,
    step: Move,
    format: Format,
    out: &mut impl Write,
) -> Result<()> {
    let connected = connection.open(CALLER)?;
    let request = MoveAgreementRequest {
        request_id: request_id.unwrap_or_else(|| Runtime::system().entropy.id()),
        agreement: id,
        r#move: Some(step),
    };
    let answered = match connected.client.move_agreement(&request).await? {
        Ok(answered) => answered,
        Err(refused) => {
            // With it the same move can be sent again.
            say(&format!("lienthong: request id {}", request.request_id));
            return refuse(&refused, format, out);
        }
    };
    let checked = evidence::check(&answered, &connected, None)?;
    let agreement = answered.answer.agreement.unwrap_or_default();
    if format == Format::Json {
        let result = json!({
            "request_id": request.request_id,
            "agreement": shown::agreement_json(&agreement),
            "receipt": checked.json(),
        });
        return print(&result, out);
    }
    shown::agreement(&agreement, out)?;
    writeln!(out, "  request id           {}", request.request_id)?;
    Ok(writeln!(out, "record  {}", checked.text())?)
}

async fn list(arguments: &List, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(READER)?;
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListAgreementsRequest { page_size: PAGE, page_token };
        let answered = match connected.client.list_agreements(&request).await? {
            Ok(answered) => answered,
            Err(refused) => return refuse(&refused, arguments.output.format, out),
        };
        evidence::check(&answered, &connected, None)?;
        all.extend(answered.answer.agreements);
        page_token = answered.answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if arguments.output.format == Format::Json {
        let agreements: Vec<Value> = all.iter().map(shown::agreement_json).collect();
        return print(&json!({ "agreements": agreements }), out);
    }
    for agreement in &all {
        shown::agreement(agreement, out)?;
    }
    if all.is_empty() {
        say("no agreements");
    }
    Ok(())
}

async fn show(arguments: &Show, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(READER)?;
    let request = GetAgreementRequest { agreement: arguments.id.clone() };
    let answered = match connected.client.get_agreement(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, arguments.output.format, out),
    };
    let checked = evidence::check(&answered, &connected, None)?;
    let agreement = answered.answer.agreement.clone().unwrap_or_default();
    let (bytes, moves) = (&answered.answer.content, &answered.answer.moves);
    let content = client::agreement_in(bytes).context("the stored agreement is none")?;
    // What is shown is what was signed, or it is not shown.
    let digest = tlog::digest(bytes);
    anyhow::ensure!(agreement.digest == digest, "the agreement's bytes are not those it names");
    if arguments.output.format == Format::Json {
        let moves: Vec<Value> = moves.iter().map(shown::move_json).collect();
        let result = json!({
            "agreement": shown::agreement_json(&agreement),
            "content": shown::content_json(&content, &hex::encode(digest)),
            "moves": moves,
            "receipt": checked.json(),
        });
        return print(&result, out);
    }
    shown::agreement(&agreement, out)?;
    shown::content(&content, out)?;
    for made in moves {
        shown::made(made, out)?;
    }
    Ok(writeln!(out, "record  {}", checked.text())?)
}
