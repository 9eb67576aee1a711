//! `lienthong routes`: the connections to databases, as an officer of the operator sees them.

use std::io::Write;

use anyhow::Result;
use contract::exchange::v1::{
    DeadLetter, ListDeadLettersRequest, ListRoutesRequest, Route, SettleDeadLetterRequest,
    route_service_client::RouteServiceClient,
};
use lienthong::client::{Client, moment};
use serde_json::{Value, json};
use server::Channel;

use super::{
    connection::Connection,
    output::{Ending, Format, Output, print, refuse, say},
};

/// Who asks, in a demonstration.
const CALLER: &str = "operator";
/// Letters asked for at once.
const PAGE: u32 = 1000;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Every database that is connected: how far it was read and told, and what fails.
    List(List),
    /// What does not go on by itself, each with the owner who must see to it; the newest first.
    Letters(Letters),
    /// Puts a dead letter away that was seen to; when the same happens again it is open again.
    ///
    /// Ends with 1 where it was not open.
    Settle(Settle),
}

#[derive(clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Letters {
    #[command(flatten)]
    connection: Connection,
    /// Of this database alone.
    #[arg(long, value_name = "ID", default_value = "")]
    database: String,
    /// Those that were put away, too.
    #[arg(long)]
    with_settled: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Settle {
    #[command(flatten)]
    connection: Connection,
    /// Its id, as `letters` prints it.
    id: String,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(command: Command, out: &mut impl Write) -> Result<()> {
    match command {
        Command::List(arguments) => list(&arguments, out).await,
        Command::Letters(arguments) => letters(&arguments, out).await,
        Command::Settle(arguments) => settle(arguments, out).await,
    }
}

/// The service, and the connection that knows how long to wait for it.
fn open(connection: &Connection) -> Result<(RouteServiceClient<Channel>, Client)> {
    let client = connection.open(CALLER)?.client;
    Ok((RouteServiceClient::new(client.channel()), client))
}

async fn list(arguments: &List, out: &mut impl Write) -> Result<()> {
    let (mut service, client) = open(&arguments.connection)?;
    let routes = match service.list_routes(client.request(ListRoutesRequest {})).await {
        Ok(answer) => answer.into_inner().routes,
        Err(status) => return refuse(&status.into(), arguments.output.format, out),
    };
    if arguments.output.format == Format::Json {
        let routes: Vec<Value> = routes.iter().map(route_json).collect();
        return print(&json!({ "routes": routes }), out);
    }
    for route in &routes {
        writeln!(out, "{}  ({}, owner {})", route.database, route.identity, route.owner)?;
        let committed = moment(route.last_commit_time).map(|at| format!(" (the last of {at})"));
        writeln!(out, "  changes handed on    {}{}", route.changes, committed.unwrap_or_default())?;
        writeln!(out, "  events waiting       {}", route.waiting_events)?;
        writeln!(out, "  open dead letters    {}", route.open_dead_letters)?;
        for role in &route.roles {
            let goes = match role.failures {
                0 => "goes".to_owned(),
                failures => format!("failed {failures} times in a row: {}", role.reason),
            };
            writeln!(out, "  {:<20} {goes}", role.role)?;
        }
    }
    Ok(())
}

fn route_json(route: &Route) -> Value {
    let role = |role: &contract::exchange::v1::RouteRole| json!({ "role": role.role, "failures": role.failures, "reason": role.reason });
    json!({
        "database": route.database,
        "identity": route.identity,
        "owner": route.owner,
        "changes": route.changes,
        "last_commit_time": moment(route.last_commit_time),
        "waiting_events": route.waiting_events,
        "open_dead_letters": route.open_dead_letters,
        "roles": route.roles.iter().map(role).collect::<Vec<_>>(),
    })
}

async fn letters(arguments: &Letters, out: &mut impl Write) -> Result<()> {
    let (mut service, client) = open(&arguments.connection)?;
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListDeadLettersRequest {
            database: arguments.database.clone(),
            with_settled: arguments.with_settled,
            page_size: PAGE,
            page_token,
        };
        let page = match service.list_dead_letters(client.request(request)).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return refuse(&status.into(), arguments.output.format, out),
        };
        all.extend(page.dead_letters);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if arguments.output.format == Format::Json {
        let letters: Vec<Value> = all.iter().map(letter_json).collect();
        return print(&json!({ "dead_letters": letters }), out);
    }
    for letter in &all {
        writeln!(out, "{}", letter.id)?;
        writeln!(out, "  owner                {}", letter.owner)?;
        writeln!(out, "  noted                {}", moment(letter.note_time).unwrap_or_default())?;
        if let Some(at) = moment(letter.settle_time) {
            writeln!(out, "  put away             {at} by {}", letter.settled_by)?;
        }
    }
    if all.is_empty() {
        say("no dead letters");
    }
    Ok(())
}

fn letter_json(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id,
        "database": letter.database,
        "owner": letter.owner,
        "reason": letter.reason,
        "about": letter.about,
        "note_time": moment(letter.note_time),
        "settle_time": moment(letter.settle_time),
        "settled_by": letter.settled_by,
    })
}

async fn settle(arguments: Settle, out: &mut impl Write) -> Result<()> {
    let (mut service, client) = open(&arguments.connection)?;
    let request = client.request(SettleDeadLetterRequest { id: arguments.id });
    let settled = match service.settle_dead_letter(request).await {
        Ok(answer) => answer.into_inner().settled,
        Err(status) => return refuse(&status.into(), arguments.output.format, out),
    };
    match arguments.output.format {
        Format::Json => print(&json!({ "settled": settled }), out)?,
        Format::Text if settled => writeln!(out, "put away")?,
        Format::Text => say("lienthong: there is no open dead letter of this id"),
    }
    if settled { Ok(()) } else { Err(Ending::Failed.into()) }
}
