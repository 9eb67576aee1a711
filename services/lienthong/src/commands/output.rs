//! Formats of results, and how a command ends. Results go to standard output, everything else to standard
//! error, so that a program can read the one and a person the other.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;
use lienthong::client::Refused;
use serde_json::json;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For persons.
    #[default]
    Text,
    /// For programs: one JSON document.
    Json,
}

/// The choice of a format, in the arguments of a command.
#[derive(Clone, Copy, Default, clap::Args)]
pub(crate) struct Output {
    /// How to print the result.
    #[arg(long, help_heading = "Result", value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// An end that is none of the ordinary errors.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It failed, and what was printed says why.
    Failed,
    /// It was asked wrongly.
    Usage(String),
    /// It was stopped by a signal.
    Interrupted(String),
    /// It did what it could, and not everything could be done; what was printed says what.
    Incomplete,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed => f.write_str("failed"),
            Self::Incomplete => f.write_str("incomplete"),
            Self::Usage(why) | Self::Interrupted(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Ending {}

/// Whoever read standard output went away: what a program that SIGPIPE ends would say.
const PIPE: u8 = 141;
const INTERRUPTED: u8 = 130;
const USAGE: u8 = 2;
const INCOMPLETE: u8 = 3;

/// The end of the process, with the reason on the terminal where there is one to tell.
pub(crate) fn ended(result: Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.chain().any(|cause| cause.downcast_ref().is_some_and(broken)) {
        return ExitCode::from(PIPE);
    }
    let code = match error.downcast_ref() {
        Some(Ending::Failed) => return ExitCode::FAILURE,
        Some(Ending::Incomplete) => return ExitCode::from(INCOMPLETE),
        Some(Ending::Usage(_)) => ExitCode::from(USAGE),
        Some(Ending::Interrupted(_)) => ExitCode::from(INTERRUPTED),
        None => ExitCode::FAILURE,
    };
    say(&format!("lienthong: {error:#}"));
    code
}

/// A share in tenths of a hundredth, rounded down, so that only all of them are 100.0%; a line where there is nothing.
pub(crate) fn percentage(part: u64, all: u64) -> String {
    match (u128::from(part) * 1000).checked_div(u128::from(all)) {
        None => "-".to_owned(),
        Some(thousandths) => format!("{}.{}%", thousandths / 10, thousandths % 10),
    }
}

/// A line on the terminal, beside the result. That nobody reads it is no reason to fail.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints why a call was refused: as text to the terminal, as JSON where the result would be. A refusal is
/// an answer of its own, with a reason in both languages.
pub(crate) fn refuse(refused: &Refused, format: Format, out: &mut impl Write) -> Result<()> {
    match format {
        Format::Text => say(refused_text(refused).trim_end()),
        Format::Json => print(&json!({ "refused": refused_json(refused) }), out)?,
    }
    Err(Ending::Failed.into())
}

/// Why a call was refused, for programs.
pub(crate) fn refused_json(refused: &Refused) -> serde_json::Value {
    let metadata: serde_json::Map<_, _> =
        refused.metadata.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
    let fields: Vec<_> = refused
        .fields
        .iter()
        .map(|(field, fault)| json!({ "field": field, "fault": fault }))
        .collect();
    let unmet: Vec<_> = refused
        .unmet
        .iter()
        .map(|(reason, subject)| json!({ "reason": reason, "subject": subject }))
        .collect();
    json!({
        "code": refused.code,
        "reason": refused.reason,
        "message": { "vi": refused.vi, "en": refused.message },
        "fields": fields,
        "unmet": unmet,
        "metadata": metadata,
    })
}

/// Why a call was refused, for persons.
pub(crate) fn refused_text(refused: &Refused) -> String {
    let mut text = match refused.reason.as_str() {
        // None of the service's words: it was not reached, or something between went wrong.
        "" => format!("lienthong: no answer: {}", refused.code),
        reason => format!("lienthong: refused: {} {reason}\n  {}", refused.code, refused.vi),
    };
    text += &format!("\n  {}", refused.message);
    for (field, fault) in &refused.fields {
        text += &format!("\n  {field:<28} {fault}");
    }
    for (reason, subject) in &refused.unmet {
        text += format!("\n  {reason} {subject}").trim_end();
    }
    for (key, value) in &refused.metadata {
        text += &format!("\n  {key:<28} {value}");
    }
    text
}

/// Prints a result for a program.
pub(crate) fn print(result: &serde_json::Value, out: &mut impl Write) -> Result<()> {
    writeln!(out, "{}", serde_json::to_string_pretty(result)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use anyhow::Context as _;

    use super::*;

    fn code(error: impl Into<anyhow::Error>) -> String {
        format!("{:?}", ended(Err(error.into())))
    }

    #[test]
    fn each_end_has_its_code() {
        let shown = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(format!("{:?}", ended(Ok(()))), shown(0));
        assert_eq!(code(anyhow::anyhow!("x")), shown(1));
        assert_eq!(code(Ending::Failed), shown(1));
        assert_eq!(code(Ending::Usage("x".into())), shown(2));
        assert_eq!(code(Ending::Incomplete), shown(3));
        assert_eq!(code(Ending::Interrupted("x".into())), shown(130));
        let pipe = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe)).context("printing");
        assert_eq!(code(pipe.unwrap_err()), shown(141));
    }

    #[test]
    fn a_refusal_is_printed_whole() {
        let refused = Refused {
            code: "InvalidArgument".into(),
            reason: "INVALID_REQUEST".into(),
            message: "in English".into(),
            vi: "tiếng Việt".into(),
            fields: vec![("items".into(), "is required".into())],
            unmet: vec![("ALREADY_REGISTERED".into(), String::new())],
            metadata: vec![("record_index".into(), "7".into())],
        };
        let mut out = Vec::new();
        assert!(refuse(&refused, Format::Json, &mut out).is_err());
        let text = String::from_utf8(out).unwrap();
        for part in [
            "InvalidArgument",
            "INVALID_REQUEST",
            "in English",
            "tiếng Việt",
            "items",
            "ALREADY_REGISTERED",
            "\"7\"",
        ] {
            assert!(text.contains(part), "{part}");
            assert!(refused_text(&refused).contains(part.trim_matches('"')), "{part}");
        }
    }
}
