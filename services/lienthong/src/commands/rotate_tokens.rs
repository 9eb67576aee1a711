//! `lienthong rotate-tokens`: a new epoch of the caller's tokens.

use std::io::Write;

use anyhow::Result;
use contract::identity::v1::RotateTokensRequest;
use lienthong::{client::moment, process::Runtime};
use serde_json::json;

use super::{
    connection::Connection,
    evidence,
    ground::Ground,
    output::{Format, print as print_json, refuse},
    question::Question,
};

/// Who asks, in a demonstration.
const CALLER: &str = "social-insurance";
/// The task under which it may, and its ground, unless others are said.
const PROCEDURE: &str = "database-upkeep";
const LEGAL_BASIS: &str = "1911-2021-art-2-1";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// The caller's key of the rotation: the same one begins no second epoch. Made up when not given.
    #[arg(long, help_heading = "Request", value_name = "KEY")]
    idempotency_key: Option<String>,
    /// End all tokens from before at once, because they may be known to others.
    #[arg(long, help_heading = "Request")]
    end_earlier_at_once: bool,
    #[command(flatten)]
    question: Question,
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Arguments { idempotency_key, end_earlier_at_once, question, .. } = arguments;
    let request = RotateTokensRequest {
        idempotency_key: idempotency_key.unwrap_or_else(|| Runtime::system().entropy.id()),
        basis: Some(question.basis_of(Ground::task(PROCEDURE, LEGAL_BASIS), &connected)?),
        end_earlier_at_once,
        request_id: question.request_id(),
    };
    let folder = question.folder()?;
    let answered = match connected.client.rotate_tokens(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, question.output.format, out),
    };
    let checked = evidence::check(&answered, &connected, folder)?;
    let answer = answered.answer;
    let until = moment(answer.earlier_until);
    match question.output.format {
        Format::Text => {
            writeln!(out, "epoch        {}", answer.epoch)?;
            writeln!(out, "began        {}", moment(answer.begin_time).unwrap_or_default())?;
            writeln!(out, "earlier ones accepted until {}", until.unwrap_or_default())?;
            writeln!(out, "\ndecision     {}", answer.decision_id)?;
            writeln!(out, "record       {}", checked.text())?;
            Ok(())
        }
        Format::Json => {
            let all = json!({
                "epoch": answer.epoch,
                "begin_time": moment(answer.begin_time),
                "earlier_until": until,
                "idempotency_key": request.idempotency_key,
                "answer_time": moment(answer.answer_time),
                "decision_id": answer.decision_id,
                "policy_revision": answer.policy_revision,
                "request_id": answer.request_id,
                "receipt": checked.json(),
            });
            print_json(&all, out)
        }
    }
}
