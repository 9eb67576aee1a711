//! `lienthong policy`: rule sets, tried on what was asked, proposed by one officer and put in force by another.

mod shown;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use contract::policy::v1::{
    GetRuleSetAnswer, GetRuleSetRequest, ListRuleSetsRequest, MoveRuleSetRequest, RuleSetProposal,
    SimulateAnswer, SimulateRequest, move_rule_set_request::Move, simulate_request,
};
use lienthong::{
    client::{Answered, Refused},
    process::Runtime,
    rule_set::{self, RuleSet, Word},
};
use serde_json::{Value, json};

use super::{
    connection::{Connected, Connection},
    evidence,
    output::{Ending, Format, Output, print, refuse, say},
};

/// Who writes, who approves and who looks, in a demonstration.
const AUTHOR: &str = "policy-author";
const APPROVER: &str = "policy-approver";
const READER: &str = "auditor";
/// Sets and flips asked for at once.
const PAGE: u32 = 500;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Every rule set and how it stands, the newest first.
    List(List),
    /// One rule set: what it says of itself, its files, and every move that was made.
    Show(Show),
    /// What one set says otherwise than another, line by line.
    Diff(Diff),
    /// Says everything that another set would decide otherwise of what was asked. Nothing is changed.
    Simulate(Simulate),
    /// Proposes the set of a folder, signed by the caller's own key.
    Propose(Propose),
    /// Puts a proposed set in force, signed by the caller's own key, which is not the author's.
    Approve(Approve),
    /// Says that a proposed set will never be in force.
    Withdraw(Withdraw),
    /// Proposes what an earlier set held, to go back to it; another officer approves it.
    Revert(Revert),
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
    /// Number of the set; 0 is the one that comes with the program. Left out, the one in force.
    number: Option<u64>,
    /// Folder to write its files into, as a draft that follows the set in force.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    connection: Connection,
    /// Number of the set.
    number: u64,
    /// Number of the set that it is compared with; left out, the one that it follows.
    with: Option<u64>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Simulate {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    which: Which,
    /// As of the beginning of which day (`YYYY-MM-DD`), for what begins or ends later; left out, as of now.
    #[arg(long)]
    day: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Which set is tried.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// A draft, as `show --write` made it.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// A set that was proposed before.
    #[arg(long)]
    number: Option<u64>,
}

/// Why a set comes.
#[derive(clap::Args)]
struct Why {
    /// Number of the document that orders it.
    #[arg(long)]
    document: String,
    /// Why, in words.
    #[arg(long)]
    reason: String,
    /// Names the move, so that it can be sent again; left out, a new one.
    #[arg(long, help_heading = "Move", value_name = "ID")]
    request_id: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct Propose {
    #[command(flatten)]
    connection: Connection,
    /// The draft, as `show --write` made it and somebody changed it.
    folder: PathBuf,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    connection: Connection,
    /// Number of the set.
    number: u64,
    /// SHA-256 of the set's bytes, in hexadecimal, as `show` gives it: what was read is what is signed.
    #[arg(long, value_name = "HEX")]
    digest: String,
    /// Names the move, so that it can be sent again; left out, a new one.
    #[arg(long, help_heading = "Move", value_name = "ID")]
    request_id: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Withdraw {
    #[command(flatten)]
    connection: Connection,
    /// Number of the set.
    number: u64,
    /// Why, in words.
    #[arg(long)]
    reason: String,
    /// Names the move, so that it can be sent again; left out, a new one.
    #[arg(long, help_heading = "Move", value_name = "ID")]
    request_id: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Revert {
    #[command(flatten)]
    connection: Connection,
    /// Number of the set to go back to.
    number: u64,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(command: Command, out: &mut impl Write) -> Result<()> {
    match command {
        Command::List(arguments) => list(&arguments, out).await,
        Command::Show(arguments) => show(&arguments, out).await,
        Command::Diff(arguments) => diff(&arguments, out).await,
        Command::Simulate(arguments) => simulate(&arguments, out).await,
        Command::Propose(Propose { connection, folder, why, output }) => {
            let set = draft(&folder)?;
            let connected = connection.open(AUTHOR)?;
            propose(&connected, set, why, output.format, out).await
        }
        Command::Approve(arguments) => approve(&arguments, out).await,
        Command::Withdraw(Withdraw { connection, number, reason, request_id, output }) => {
            let connected = connection.open(AUTHOR)?;
            let step = Move::Withdraw(reason);
            make(&connected, number, request_id, step, output.format, out).await
        }
        Command::Revert(arguments) => revert(&arguments, out).await,
    }
}

fn draft(folder: &Path) -> Result<RuleSet> {
    RuleSet::read(folder).map_err(|error| Ending::Usage(format!("{error:#}")).into())
}

/// A set with its bytes, which are those that it names.
async fn get(
    connected: &Connected,
    number: Option<u64>,
) -> Result<Result<Answered<GetRuleSetAnswer>, Refused>> {
    let answered = match connected.client.get_rule_set(&GetRuleSetRequest { number }).await? {
        Ok(answered) => answered,
        Err(refused) => return Ok(Err(refused)),
    };
    evidence::check(&answered, connected, None)?;
    let set = answered.answer.rule_set.clone().unwrap_or_default();
    let digest = tlog::digest(&answered.answer.content);
    anyhow::ensure!(set.digest == digest, "the set's bytes are not those it names");
    Ok(Ok(answered))
}

async fn propose(
    connected: &Connected,
    set: RuleSet,
    Why { document, reason, request_id }: Why,
    format: Format,
    out: &mut impl Write,
) -> Result<()> {
    let content = RuleSet { document, reason, ..set }.to_bytes()?;
    let [certificate, key] = &connected.own;
    let signature = Some(rule_set::sign(&content, Word::Propose, certificate, key)?);
    let step = Move::Propose(RuleSetProposal { content, signature });
    make(connected, 0, request_id, step, format, out).await
}

async fn approve(arguments: &Approve, out: &mut impl Write) -> Result<()> {
    let Approve { connection, number, digest, request_id, output } = arguments;
    let connected = connection.open(APPROVER)?;
    let content = match get(&connected, Some(*number)).await? {
        Ok(answered) => answered.answer.content,
        Err(refused) => return refuse(&refused, output.format, out),
    };
    // What is signed is what the officer read, not what the service says now.
    let found = hex::encode(tlog::digest(&content));
    if found != digest.to_lowercase() {
        let why = format!("set {number} has the digest {found}: read it again");
        return Err(Ending::Usage(why).into());
    }
    let [certificate, key] = &connected.own;
    let signed = rule_set::sign(&content, Word::Approve, certificate, key)?;
    let step = Move::Approve(signed);
    make(&connected, *number, request_id.clone(), step, output.format, out).await
}

async fn revert(arguments: &Revert, out: &mut impl Write) -> Result<()> {
    let Revert { connection, number, why, output } = arguments;
    let connected = connection.open(AUTHOR)?;
    let mut found = Vec::new();
    for number in [Some(*number), None] {
        match get(&connected, number).await? {
            Ok(answered) => found.push(answered.answer),
            Err(refused) => return refuse(&refused, output.format, out),
        }
    }
    let [earlier, in_force] = &found[..] else { anyhow::bail!("two sets were asked for") };
    let follows = in_force.rule_set.as_ref().map_or(0, |set| set.number);
    let set = RuleSet { follows, ..RuleSet::parse(&earlier.content)? };
    let Why { document, reason, request_id } = why;
    let (document, reason) = (document.clone(), reason.clone());
    let why = Why { document, reason, request_id: request_id.clone() };
    propose(&connected, set, why, output.format, out).await
}

async fn make(
    connected: &Connected,
    number: u64,
    request_id: Option<String>,
    step: Move,
    format: Format,
    out: &mut impl Write,
) -> Result<()> {
    let request_id = request_id.unwrap_or_else(|| Runtime::system().entropy.id());
    let request = MoveRuleSetRequest { request_id, number, r#move: Some(step) };
    let answered = match connected.client.move_rule_set(&request).await? {
        Ok(answered) => answered,
        Err(refused) => {
            // With it the same move can be sent again.
            say(&format!("lienthong: request id {}", request.request_id));
            return refuse(&refused, format, out);
        }
    };
    let checked = evidence::check(&answered, connected, None)?;
    let set = answered.answer.rule_set.unwrap_or_default();
    if format == Format::Json {
        let result = json!({
            "request_id": request.request_id,
            "rule_set": shown::set_json(&set),
            "receipt": checked.json(),
        });
        return print(&result, out);
    }
    shown::set(&set, out)?;
    writeln!(out, "  request id           {}", request.request_id)?;
    Ok(writeln!(out, "record  {}", checked.text())?)
}

async fn list(arguments: &List, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(READER)?;
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListRuleSetsRequest { page_size: PAGE, page_token };
        let answered = match connected.client.list_rule_sets(&request).await? {
            Ok(answered) => answered,
            Err(refused) => return refuse(&refused, arguments.output.format, out),
        };
        evidence::check(&answered, &connected, None)?;
        all.extend(answered.answer.rule_sets);
        page_token = answered.answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if arguments.output.format == Format::Json {
        let sets: Vec<Value> = all.iter().map(shown::set_json).collect();
        return print(&json!({ "rule_sets": sets }), out);
    }
    all.iter().try_for_each(|set| shown::set(set, out))
}

async fn show(arguments: &Show, out: &mut impl Write) -> Result<()> {
    let Show { connection, number, write, output } = arguments;
    let connected = connection.open(READER)?;
    let answered = match get(&connected, *number).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, output.format, out),
    };
    let set = answered.answer.rule_set.clone().unwrap_or_default();
    let content = RuleSet::parse(&answered.answer.content)?;
    if let Some(folder) = write {
        let in_force = match get(&connected, None).await? {
            Ok(in_force) => in_force.answer.rule_set.context("no set is in force")?.number,
            Err(refused) => return refuse(&refused, output.format, out),
        };
        content.write(folder, in_force)?;
    }
    let moves = &answered.answer.moves;
    if output.format == Format::Json {
        let files: Vec<Value> =
            content.files.iter().map(|f| json!({ "name": f.name, "text": f.text })).collect();
        let moves: Vec<Value> = moves.iter().map(shown::move_json).collect();
        let set = shown::set_json(&set);
        return print(&json!({ "rule_set": set, "files": files, "moves": moves }), out);
    }
    shown::set(&set, out)?;
    for file in &content.files {
        writeln!(out, "  file                 {}, {} lines", file.name, file.text.lines().count())?;
    }
    moves.iter().try_for_each(|made| shown::made(made, out))
}

async fn diff(arguments: &Diff, out: &mut impl Write) -> Result<()> {
    let Diff { connection, number, with, output } = arguments;
    let connected = connection.open(READER)?;
    let later = match get(&connected, Some(*number)).await? {
        Ok(answered) => answered.answer,
        Err(refused) => return refuse(&refused, output.format, out),
    };
    let set = later.rule_set.unwrap_or_default();
    let with = with.or(set.follows).unwrap_or_default();
    let earlier = match get(&connected, Some(with)).await? {
        Ok(answered) => answered.answer,
        Err(refused) => return refuse(&refused, output.format, out),
    };
    let (before, after) = (RuleSet::parse(&earlier.content)?, RuleSet::parse(&later.content)?);
    let files = shown::differences(&before, &after);
    if output.format == Format::Json {
        let files: Vec<Value> = files
            .iter()
            .map(|(name, difference)| json!({ "name": name, "difference": difference }))
            .collect();
        let digest = hex::encode(&set.digest);
        return print(
            &json!({ "number": number, "with": with, "digest": digest, "files": files }),
            out,
        );
    }
    for (_, difference) in &files {
        write!(out, "{difference}")?;
    }
    if files.is_empty() {
        writeln!(out, "rule set {number} holds what rule set {with} does")?;
    }
    Ok(writeln!(out, "digest of rule set {number}  {}", hex::encode(&set.digest))?)
}

async fn simulate(arguments: &Simulate, out: &mut impl Write) -> Result<()> {
    let Simulate { connection, which, day, output } = arguments;
    let rule_set = match (&which.folder, which.number) {
        (Some(folder), _) => simulate_request::RuleSet::Content(draft(folder)?.to_bytes()?),
        (None, Some(number)) => simulate_request::RuleSet::Number(number),
        (None, None) => return Err(Ending::Usage("which set is not said".to_owned()).into()),
    };
    let connected = connection.open(READER)?;
    let mut all: Option<SimulateAnswer> = None;
    let mut page_token = String::new();
    let receipt = loop {
        let rule_set = Some(rule_set.clone());
        let day = day.clone().unwrap_or_default();
        let request = SimulateRequest { rule_set, page_size: PAGE, page_token, day };
        let answered = match connected.client.simulate(&request).await? {
            Ok(answered) => answered,
            Err(refused) => return refuse(&refused, output.format, out),
        };
        let receipt = evidence::check(&answered, &connected, None)?;
        page_token = answered.answer.next_page_token.clone();
        match &mut all {
            Some(all) => {
                let SimulateAnswer { in_force, questions, totals, flips, .. } = answered.answer;
                // Each page is of a trial of its own.
                anyhow::ensure!(
                    (all.in_force, all.questions, &all.totals) == (in_force, questions, &totals),
                    "something else was asked, or came in force, while this was read: try again"
                );
                all.flips.extend(flips);
            }
            None => all = Some(answered.answer),
        }
        if page_token.is_empty() {
            break receipt;
        }
    };
    let all = all.unwrap_or_default();
    if output.format == Format::Json {
        let mut result = shown::simulated_json(&all);
        if let Some(fields) = result.as_object_mut() {
            fields.insert("receipt".to_owned(), receipt.json());
        }
        return print(&result, out);
    }
    shown::simulated(&all, out)?;
    Ok(writeln!(out, "record  {}", receipt.text())?)
}
