//! `lienthong qcvn`: the message and the inputs of today's platform, converted both ways. Nothing is sent.

mod answer;
mod request;
#[cfg(test)]
mod tests;

use std::{io::Write, path::PathBuf};

use anyhow::Result;
use lienthong::client::Refused;
use model::CodeLists;
use qcvn::{Position, Qcvn, Said, Severity, Table, Told};
use serde_json::{Value, json};

use super::{
    ground::Ground,
    input,
    output::{Ending, Format, Output, print as print_json, say},
};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Writes the answer to a lookup as a message of QCVN 109.
    ToXml {
        /// `answer.bin` as `lookup --save` keeps it, or JSON as `lookup --format json` or `from-xml` prints it; `-`
        /// reads it from standard input.
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Reads a message of QCVN 109 and prints the values of its persons as JSON.
    FromXml {
        /// The message, also in an envelope of SOAP; `-` reads it from standard input.
        file: PathBuf,
        /// Which version of a code list the message means, where it can be several: `ethnic-group/1979`, and
        /// `province/2025` for the codes of units; repeat it. Codes of a list that is not said are left out.
        #[arg(long = "list", value_name = "LIST/VERSION")]
        lists: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Makes a request of the inputs of a lookup on today's platform, or, with --back, inputs of a request.
    Request(Box<Request>),
}

#[derive(clap::Args)]
pub(crate) struct Request {
    /// The inputs as one JSON object, `{"MaYeuCau": "…", "SoDinhDanh": "…"}`, or a request in proto3 JSON; `-` reads it
    /// from standard input.
    file: PathBuf,
    /// Makes inputs of a request.
    #[arg(long, conflicts_with_all = ["items", "Ground"])]
    back: bool,
    /// Id of a wanted item, which the inputs do not say; repeat it, or separate ids by commas.
    #[arg(
        long = "item",
        value_name = "ID",
        required_unless_present = "back",
        value_delimiter = ','
    )]
    items: Vec<String>,
    #[command(flatten, next_help_heading = "Ground (over the inputs')")]
    ground: Ground,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(command: Command, out: &mut impl Write) -> Result<()> {
    let lists = CodeLists::shipped()?;
    let qcvn = Qcvn::new(Table::shipped()?, lists.clone());
    match command {
        Command::ToXml { file, output } => {
            let format = output.format;
            let collection = match answer::read(&input::bytes(&file)?, &lists)? {
                Ok(collection) => collection,
                Err(refused) => return refuse(of_refused(refused), format, out),
            };
            match qcvn.write(&collection) {
                Ok(written) if format == Format::Text => {
                    write!(out, "{}", written.xml)?;
                    tell(&written.told);
                    Ok(())
                }
                Ok(written) => {
                    print_json(&report(json!({ "xml": written.xml }), &written.told), out)
                }
                Err(faults) => refuse(faults.iter().map(Line::of).collect(), format, out),
            }
        }
        Command::FromXml { file, lists: said, output } => {
            let said = versions(&said, &lists)?;
            match qcvn.read(&input::bytes(&file)?, &said) {
                Ok(read) => {
                    let persons = answer::json(&read.collection, &lists);
                    finish(persons, &read.told, output.format, out)
                }
                Err(faults) => refuse(faults.iter().map(Line::of).collect(), output.format, out),
            }
        }
        Command::Request(arguments) => request::run(*arguments, &qcvn, &lists, out),
    }
}

/// The versions of lists that were said.
fn versions(said: &[String], lists: &CodeLists) -> Result<Said, Ending> {
    let mut versions = Said::default();
    for text in said {
        match text.split_once('/') {
            Some((list, version)) if lists.knows(list, version) => versions.list(list, version),
            _ => return Err(Ending::Usage(format!("`{text}` is no LIST/VERSION that is known"))),
        }
    }
    Ok(versions)
}

/// A fault, for a person and for a program.
struct Line {
    text: String,
    json: Value,
}

impl Line {
    fn of(told: &Told) -> Self {
        let Told { place, at, what } = told;
        let json = json(place, *at, what.name(), &what.vi(), &what.en());
        Self { text: told.to_string(), json }
    }
}

fn json(place: &str, at: Option<Position>, reason: &str, vi: &str, en: &str) -> Value {
    let (line, column) = (at.map(|at| at.line), at.map(|at| at.column));
    json!({ "place": place, "line": line, "column": column, "reason": reason, "vi": vi, "en": en })
}

/// The faulty fields that the contract's own checks name: `REASON: vi / en`.
fn of_refused(refused: Refused) -> Vec<Line> {
    let line = |(place, words): (String, String)| {
        let (reason, both) = words.split_once(": ").unwrap_or_default();
        let (vi, en) = both.split_once(" / ").unwrap_or_default();
        Line { text: format!("{place}  {words}"), json: json(&place, None, reason, vi, en) }
    };
    refused.fields.into_iter().map(line).collect()
}

/// Prints every fault: as text to the terminal, as JSON where the result would be.
fn refuse(faults: Vec<Line>, format: Format, out: &mut impl Write) -> Result<()> {
    match format {
        Format::Text => faults.iter().for_each(|fault| say(&fault.text)),
        Format::Json => {
            let faults: Vec<Value> = faults.into_iter().map(|fault| fault.json).collect();
            print_json(&json!({ "faults": faults }), out)?;
        }
    }
    Err(Ending::Failed.into())
}

/// Prints a result that is JSON by itself, and what is told beside it.
fn finish(result: Value, told: &[Told], format: Format, out: &mut impl Write) -> Result<()> {
    if format == Format::Json {
        return print_json(&report(result, told), out);
    }
    print_json(&result, out)?;
    tell(told);
    Ok(())
}

/// What was left out and notes, beside a result.
fn tell(told: &[Told]) {
    for one in told {
        say(&format!("{:<8}  {one}", one.what.severity().name().replace('_', " ")));
    }
}

/// The result with what was left out and notes, as one document.
fn report(mut result: Value, told: &[Told]) -> Value {
    for (key, severity) in [("left_out", Severity::LeftOut), ("notes", Severity::Note)] {
        let of = told.iter().filter(|told| told.what.severity() == severity);
        let lines: Vec<Value> = of.map(|told| Line::of(told).json).collect();
        if let Some(result) = result.as_object_mut() {
            result.insert(key.to_owned(), lines.into());
        }
    }
    result
}
