//! `lienthong consent`: what persons consented to that somebody obtains of them.

use std::{fs, io::Write, path::PathBuf};

use anyhow::{Context as _, Result};
use contract::identity::v1::{
    Consent, ConsentAnswer, ConsentChannel, ConsentRecipient, GetConsentRequest, LookupOutcome,
    RecordConsentRequest, WithdrawConsentRequest,
};
use lienthong::{
    client::{Answered, moment},
    process::Runtime,
};
use serde_json::{Value, json};

use super::{
    connection::{Connected, Connection},
    evidence::{self, Folder},
    ground::Ground,
    lookup::{Moment, NO_MATCH, Whom, outcome},
    output::{Format, print as print_json, refuse},
    question::{Items, Question},
};

/// Who has consents recorded, in a demonstration.
const CALLER: &str = "portal";
/// What citizens consent to there, and its ground, unless others are said.
const PROCEDURE: &str = "own-record";
const LEGAL_BASIS: &str = "circular-46-2022-art-12";
/// What is said where there is none.
const NONE: &str = "No such consent, or none that the caller may know of for this procedure: it cannot be told which.";

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Has a consent recorded, and prints its receipt: a lookup names it by its reference (`lookup --consent`).
    Record(Box<Record>),
    /// Withdraws a consent, at once and for ever.
    Withdraw(Box<Named>),
    /// Shows a consent as it is: to what, for how long, and whether it is withdrawn.
    Show(Box<Named>),
}

#[derive(clap::Args)]
pub(crate) struct Record {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    items: Items,
    /// Code of the agency that may obtain them, as its certificate names it.
    #[arg(long, help_heading = "Request", value_name = "CODE")]
    agency: String,
    /// Id of its system.
    #[arg(long, help_heading = "Request", value_name = "ID")]
    system: String,
    /// From when on (RFC 3339); left out, from now on.
    #[arg(long, help_heading = "Request", value_name = "TIME")]
    from: Option<Moment>,
    /// Until when (RFC 3339).
    #[arg(long, help_heading = "Request", value_name = "TIME")]
    until: Moment,
    /// It was given on paper, of which this file is a copy; only its digest is sent. Left out, by the person's own app.
    #[arg(long, help_heading = "Request", value_name = "FILE")]
    paper: Option<PathBuf>,
    /// Which version of the notice the person was shown.
    #[arg(long, help_heading = "Request", value_name = "VERSION")]
    notice: String,
    /// The caller's key of the consent: the same one is no second consent. Made up when not given.
    #[arg(long, help_heading = "Request", value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    question: Question,
}

#[derive(clap::Args)]
pub(crate) struct Named {
    #[command(flatten)]
    connection: Connection,
    /// Reference of the consent.
    reference: String,
    #[command(flatten)]
    question: Question,
}

pub(crate) async fn run(command: Command, out: &mut impl Write) -> Result<()> {
    match command {
        Command::Record(arguments) => record(*arguments, out).await,
        Command::Withdraw(arguments) => named(*arguments, true, out).await,
        Command::Show(arguments) => named(*arguments, false, out).await,
    }
}

async fn record(arguments: Record, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Record { whom, items, agency, system, from, until, paper, notice, question, .. } =
        arguments;
    let (subject, claims) = whom.of(&connected.subjects)?;
    let (channel, evidence_digest) = match paper {
        None => (ConsentChannel::OwnApp, Vec::new()),
        Some(path) => {
            let shown = path.display().to_string();
            let bytes = fs::read(path).with_context(|| format!("cannot read `{shown}`"))?;
            (ConsentChannel::OnPaper, tlog::digest(&bytes).to_vec())
        }
    };
    let key = arguments.idempotency_key;
    let request = RecordConsentRequest {
        subject: Some(subject),
        claims,
        items: items.ids,
        basis: Some(question.basis_of(Ground::task(PROCEDURE, LEGAL_BASIS), &connected)?),
        recipient: Some(ConsentRecipient { agency, system }),
        begin_time: from.map(|Moment(at)| wire::timestamp(at)),
        end_time: Some(wire::timestamp(until.0)),
        channel: channel.into(),
        evidence_digest,
        notice_version: notice,
        idempotency_key: key.unwrap_or_else(|| Runtime::system().entropy.id()),
        request_id: question.request_id(),
    };
    let folder = question.folder()?;
    let answered = match connected.client.record_consent(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, question.output.format, out),
    };
    told(&answered, &connected, folder, (NO_MATCH, question.output.format), out)
}

async fn named(arguments: Named, withdraw: bool, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Named { reference: consent_reference, question, .. } = arguments;
    let basis = Some(question.basis_of(Ground::task(PROCEDURE, LEGAL_BASIS), &connected)?);
    let request_id = question.request_id();
    let folder = question.folder()?;
    let answered = if withdraw {
        let request = WithdrawConsentRequest { consent_reference, basis, request_id };
        connected.client.withdraw_consent(&request).await?
    } else {
        let request = GetConsentRequest { consent_reference, basis, request_id };
        connected.client.get_consent(&request).await?
    };
    match answered {
        Ok(answered) => told(&answered, &connected, folder, (NONE, question.output.format), out),
        Err(refused) => refuse(&refused, question.output.format, out),
    }
}

/// Prints a consent, once its receipt is checked.
fn told(
    answered: &Answered<ConsentAnswer>,
    connected: &Connected,
    folder: Option<Folder>,
    (none, format): (&str, Format),
    out: &mut impl Write,
) -> Result<()> {
    let checked = evidence::check(answered, connected, folder)?;
    let answer = &answered.answer;
    match (format, &answer.consent) {
        (Format::Json, consent) => {
            let all = json!({
                "outcome": outcome(answer.outcome()),
                "consent": consent.as_ref().map(json_of),
                "answer_time": moment(answer.answer_time),
                "decision_id": answer.decision_id,
                "policy_revision": answer.policy_revision,
                "request_id": answer.request_id,
                "receipt": checked.json(),
            });
            print_json(&all, out)
        }
        (Format::Text, Some(consent)) if answer.outcome() == LookupOutcome::Match => {
            text(consent, out)?;
            writeln!(out, "\ndecision     {}", answer.decision_id)?;
            writeln!(out, "record       {}", checked.text())?;
            Ok(())
        }
        (Format::Text, _) => {
            writeln!(out, "{none}\n\nrecord       {}", checked.text())?;
            Ok(())
        }
    }
}

fn text(consent: &Consent, out: &mut impl Write) -> Result<()> {
    let time = |at| moment(at).unwrap_or_default();
    let ConsentRecipient { agency, system } = consent.recipient.clone().unwrap_or_default();
    writeln!(out, "consent      {}", consent.reference)?;
    writeln!(out, "to           {agency}, {system}")?;
    writeln!(out, "for          {}", consent.procedure)?;
    writeln!(out, "items        {}", consent.items.join(", "))?;
    writeln!(out, "from         {}", time(consent.begin_time))?;
    writeln!(out, "until        {}", time(consent.end_time))?;
    writeln!(
        out,
        "given        {}, notice {}",
        channel(consent.channel()),
        consent.notice_version
    )?;
    if consent.withdraw_time.is_some() {
        writeln!(out, "withdrawn    {}", time(consent.withdraw_time))?;
    }
    Ok(())
}

const fn channel(channel: ConsentChannel) -> &'static str {
    match channel {
        ConsentChannel::Unspecified => "",
        ConsentChannel::OwnApp => "own_app",
        ConsentChannel::OnPaper => "on_paper",
    }
}

fn json_of(consent: &Consent) -> Value {
    let recipient = consent.recipient.clone().unwrap_or_default();
    json!({
        "reference": consent.reference,
        "recipient": { "agency": recipient.agency, "system": recipient.system },
        "items": consent.items,
        "procedure": consent.procedure,
        "begin_time": moment(consent.begin_time),
        "end_time": moment(consent.end_time),
        "channel": channel(consent.channel()),
        "evidence_digest": hex::encode(&consent.evidence_digest),
        "notice_version": consent.notice_version,
        "record_time": moment(consent.record_time),
        "withdraw_time": moment(consent.withdraw_time),
    })
}
