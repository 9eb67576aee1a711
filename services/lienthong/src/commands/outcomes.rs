//! `lienthong outcomes`, `lienthong withdraw`: what became of a source's contributions, and taking one back.

use std::io::Write;

use anyhow::Result;
use contract::contribution::v1::{
    ContributionOutcome, ListOutcomesRequest, WithdrawContributionRequest,
    contribution_outcome::Outcome,
};
use lienthong::{client::moment, process::Runtime};
use serde_json::{Value, json};

use super::{
    conflicts::state,
    connection::Connection,
    evidence::{self, Checked},
    output::{Format, Output, print as print_json, refuse},
};

/// Who asks, in a demonstration.
const CALLER: &str = "civil-status";

#[derive(clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    connection: Connection,
    /// Where to go on: the cursor that the page before ended with.
    #[arg(long, help_heading = "Request", default_value = "", hide_default_value = true)]
    cursor: String,
    /// The most outcomes to list.
    #[arg(long, help_heading = "Request", value_name = "NUMBER", default_value_t = 100)]
    page_size: u32,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Withdraw {
    #[command(flatten)]
    connection: Connection,
    /// The key under which it was contributed.
    #[arg(value_name = "KEY")]
    idempotency_key: String,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn list(arguments: List, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let request = ListOutcomesRequest {
        cursor: arguments.cursor,
        page_size: arguments.page_size,
        request_id: Runtime::system().entropy.id(),
    };
    let answered = match connected.client.list_outcomes(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, arguments.output.format, out),
    };
    let (checked, answer) = (evidence::check(&answered, &connected, None)?, &answered.answer);
    if arguments.output.format == Format::Json {
        let outcomes: Vec<Value> = answer.outcomes.iter().map(json_of).collect();
        return print_json(
            &json!({
                "outcomes": outcomes,
                "next_cursor": answer.next_cursor,
                "end_reached": answer.end_reached,
                "receipt": checked.json(),
            }),
            out,
        );
    }
    for outcome in &answer.outcomes {
        writeln!(out, "{}", line(outcome))?;
    }
    if answer.outcomes.is_empty() {
        writeln!(out, "Nothing more has become of the caller's contributions.")?;
    }
    ended(&answer.next_cursor, &checked, out)
}

pub(crate) async fn withdraw(arguments: Withdraw, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let request = WithdrawContributionRequest {
        idempotency_key: arguments.idempotency_key,
        request_id: Runtime::system().entropy.id(),
    };
    let answered = match connected.client.withdraw_contribution(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, arguments.output.format, out),
    };
    let checked = evidence::check(&answered, &connected, None)?;
    let outcome = answered.answer.outcome.unwrap_or_default();
    if arguments.output.format == Format::Json {
        let result = json!({ "outcome": json_of(&outcome), "receipt": checked.json() });
        return print_json(&result, out);
    }
    writeln!(out, "{}", line(&outcome))?;
    if matches!(outcome.outcome, Some(Outcome::Applied(_))) {
        writeln!(out, "It is in the register: annul it.")?;
    }
    ended("", &checked, out)
}

fn ended(cursor: &str, checked: &Checked, out: &mut impl Write) -> Result<()> {
    if !cursor.is_empty() {
        writeln!(out, "\ncursor  {cursor}")?;
    }
    writeln!(out, "record  {}", checked.text())?;
    Ok(())
}

fn line(outcome: &ContributionOutcome) -> String {
    let at = moment(outcome.outcome_time).unwrap_or_default();
    let became = match &outcome.outcome {
        Some(Outcome::Applied(applied)) => format!("applied, version {}", applied.version),
        Some(Outcome::Rejected(rejected)) => {
            let one = |reason: &contract::contribution::v1::OutcomeRejection| {
                format!("{} {}", reason.reason, reason.item).trim_end().to_owned()
            };
            let reasons: Vec<String> = rejected.reasons.iter().map(one).collect();
            format!("rejected: {}", reasons.join(", "))
        }
        Some(Outcome::Conflict(turn)) => {
            let side = if turn.disagrees { "disagrees" } else { "is disagreed with" };
            let next = match turn.owner.as_str() {
                "" => String::new(),
                owner => format!("; {owner} until {}", moment(turn.due_time).unwrap_or_default()),
            };
            let (id, item) = (&turn.conflict_id, &turn.item);
            format!("{side} on {item}: conflict {id} is {}{next}", state(turn.state()))
        }
        None => "unknown".to_owned(),
    };
    format!("{at}  {}  {became}", outcome.idempotency_key)
}

fn json_of(outcome: &ContributionOutcome) -> Value {
    let became = match &outcome.outcome {
        Some(Outcome::Applied(applied)) => json!({ "applied": { "version": applied.version } }),
        Some(Outcome::Rejected(rejected)) => {
            let one = |reason: &contract::contribution::v1::OutcomeRejection| json!({ "item": reason.item, "reason": reason.reason });
            json!({ "rejected": rejected.reasons.iter().map(one).collect::<Vec<_>>() })
        }
        Some(Outcome::Conflict(turn)) => json!({
            "conflict": {
                "conflict_id": turn.conflict_id,
                "item": turn.item,
                "state": state(turn.state()),
                "disagrees": turn.disagrees,
                "owner": turn.owner,
                "due_time": moment(turn.due_time),
            }
        }),
        None => Value::Null,
    };
    json!({
        "sequence": outcome.sequence,
        "outcome_time": moment(outcome.outcome_time),
        "idempotency_key": outcome.idempotency_key,
        "contribution_id": outcome.contribution_id,
        "outcome": became,
    })
}
