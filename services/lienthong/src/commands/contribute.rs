//! `lienthong contribute`: one event in a person's life, as the database that registered it provides it.

mod document;
mod events;
mod life;

use std::{io::Write, path::PathBuf, time::Duration};

use anyhow::Result;
use contract::contribution::v1::{
    ContributionReceipt, ContributionState, SubmitContributionRequest,
};
use lienthong::{
    client::{Answered, Refused, moment},
    process::Runtime,
};
use serde_json::json;

use self::document::{Document, Kind};
use super::{
    connection::{Connected, Connection},
    evidence::{self, Checked, Folder},
    ground::Ground,
    input,
    output::{Format, Output, print as print_json, refuse, say},
};

/// Whom the contribution is made as, in a demonstration.
const CALLER: &str = "civil-status";
const REQUEST_ID_MAX: usize = 40;
/// Pauses before the same bytes are sent again.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// JSON document of the event; `-` reads it from standard input. `--example` prints one.
    #[arg(required_unless_present = "example")]
    file: Option<PathBuf>,
    /// Prints an example of a document, of a synthetic person and of today, and does nothing else.
    #[arg(
        long,
        value_name = "KIND",
        value_enum,
        num_args = 0..=1,
        default_missing_value = "birth",
        conflicts_with = "file"
    )]
    example: Option<Kind>,
    #[command(flatten)]
    connection: Connection,
    /// The source's own key of this contribution, 1 to 64 of letters, digits, `.`, `_`, `:` and `-`, over
    /// the document's; made up where neither has one. The same bytes under the same key are one
    /// contribution, however often they are sent.
    #[arg(long, help_heading = "Request", value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The source's own id of this request, at most 40 characters, over the document's; where neither has
    /// one, the beginning of the idempotency key, so that the same document sent again is the same bytes.
    #[arg(long, help_heading = "Request", value_name = "ID")]
    request_id: Option<String>,
    /// The version of the person's record that was read before, as `lookup` prints it of now: when the record has changed since,
    /// the contribution is rejected.
    #[arg(
        long,
        help_heading = "Request",
        value_name = "VERSION",
        default_value_t = 0,
        hide_default_value = true
    )]
    expected_version: u64,
    /// Checks everything and changes nothing.
    #[arg(long, help_heading = "Request")]
    validate_only: bool,
    /// Folder for the exact request, answer and receipt, which `audit verify` checks. The files hold
    /// personal data.
    #[arg(long, help_heading = "Result", value_name = "FOLDER")]
    save: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Ground (over the document's)")]
    ground: Ground,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let runtime = Runtime::system();
    if let Some(kind) = arguments.example {
        let today = runtime.clock.today();
        let example = Document::example(kind, &runtime.entropy.id(), today)?;
        return print_json(&serde_json::to_value(&example)?, out);
    }
    let document = Document::parse(&input::text(&arguments.file.unwrap_or_default())?)?;
    let connected = arguments.connection.open(CALLER)?;
    let key = arguments.idempotency_key.or(document.idempotency_key);
    let key = key.unwrap_or_else(|| runtime.entropy.id());
    let request_id = arguments.request_id.or(document.request_id);
    let request_id = request_id.unwrap_or_else(|| key.chars().take(REQUEST_ID_MAX).collect());
    let ground = arguments.ground.or(document.basis).or(connected.ground.clone());
    let request = SubmitContributionRequest {
        idempotency_key: key.clone(),
        basis: Some(ground.whole()?),
        event: Some(document.event.into()),
        evidence: document.evidence.into_iter().map(Into::into).collect(),
        validate_only: arguments.validate_only,
        request_id,
        expected_version: arguments.expected_version,
    };
    let folder = arguments.save.map(|path| Folder::prepare(&path)).transpose()?;
    // Before anything is sent: whatever happens then, the same can be sent again.
    say(&format!("idempotency key  {key}"));
    let format = arguments.output.format;
    match submit(&connected, &request).await? {
        Ok(answered) => {
            let checked = evidence::check(&answered, &connected, folder)?;
            print(&answered.answer, &checked, format, out)
        }
        Err(refused) => {
            if undecided(&refused) {
                let version = match request.expected_version {
                    0 => String::new(),
                    version => format!(" and --expected-version {version}"),
                };
                say(&format!(
                    "It is not known whether it was applied. Send the same document again, with \
                     --idempotency-key {key}{version}: it will be applied once."
                ));
            }
            refuse(&refused, format, out)
        }
    }
}

/// Sends the same bytes until there is an answer that says what became of them.
async fn submit(
    connected: &Connected,
    request: &SubmitContributionRequest,
) -> Result<Result<Answered<ContributionReceipt>, Refused>> {
    for pause in PAUSES {
        match connected.client.submit_contribution(request).await? {
            Err(refused) if repeatable(&refused) => {
                let seconds = pause.as_secs_f32();
                say(&format!("{refused}\n  sending the same again in {seconds} s"));
                tokio::time::sleep(pause).await;
            }
            answer => return Ok(answer),
        }
    }
    connected.client.submit_contribution(request).await
}

/// Whether it may still be carried out, by the contract.
fn undecided(refused: &Refused) -> bool {
    repeatable(refused) || refused.reason == "GUESSING_BUDGET_SPENT"
}

/// Whether the contract says to send the same bytes again, and soon.
fn repeatable(refused: &Refused) -> bool {
    matches!(refused.code.as_str(), "Unavailable" | "DeadlineExceeded")
}

fn print(
    answer: &ContributionReceipt,
    checked: &Checked,
    format: Format,
    out: &mut impl Write,
) -> Result<()> {
    let state = match answer.state() {
        ContributionState::Applied => "applied",
        ContributionState::Validated => "validated",
        ContributionState::Unspecified => "unspecified",
    };
    if format == Format::Json {
        let result = json!({
            "idempotency_key": answer.idempotency_key,
            "contribution_id": answer.contribution_id,
            "state": state,
            "personal_number": answer.personal_number,
            "version": answer.version,
            "received_time": moment(answer.received_time),
            "known_time": moment(answer.known_time),
            "decision_id": answer.decision_id,
            "policy_revision": answer.policy_revision,
            "request_id": answer.request_id,
            "digest": hex::encode(&answer.digest),
            "receipt": checked.json(),
        });
        return print_json(&result, out);
    }
    writeln!(out, "state            {state}")?;
    for (name, value) in [
        ("personal number", answer.personal_number.as_str()),
        ("contribution", answer.contribution_id.as_str()),
    ] {
        if !value.is_empty() {
            writeln!(out, "{name:<15}  {value}")?;
        }
    }
    if answer.version > 0 {
        writeln!(out, "version          {}", answer.version)?;
    }
    writeln!(out, "record           {}", checked.text())?;
    Ok(())
}
