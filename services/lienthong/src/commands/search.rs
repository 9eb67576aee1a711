//! `lienthong search`: persons of a name, page by page.

use std::io::Write;

use anyhow::Result;
use contract::identity::v1::{NameLevel, SearchPersonsRequest};
use lienthong::client::{Found, moment};
use serde_json::{Value, json};

use super::{
    connection::Connection,
    evidence::{self, Checked},
    output::{Format, print as print_json, refuse},
    question::{MinVersion, Question},
    resolve::{Birth, CALLER, level, task},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// The full name.
    #[arg(long, help_heading = "Person")]
    name: String,
    /// The loosest level at which a name agrees.
    #[arg(long, help_heading = "Person", value_enum, default_value_t = Level::TonePlacement)]
    level: Level,
    /// The earliest year of birth.
    #[arg(long, help_heading = "Person", value_name = "YEAR", default_value_t = 0)]
    born_from: i32,
    /// The latest year of birth.
    #[arg(long, help_heading = "Person", value_name = "YEAR", default_value_t = 0)]
    born_to: i32,
    #[command(flatten)]
    birth: Birth,
    /// Where to go on: the cursor that the page before ended with.
    #[arg(long, help_heading = "Request", default_value = "")]
    cursor: String,
    #[command(flatten)]
    seen: MinVersion,
    #[command(flatten)]
    question: Question,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Level {
    Exact,
    Case,
    TonePlacement,
    Spelling,
    MarksFree,
}

impl From<Level> for NameLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Exact => Self::Exact,
            Level::Case => Self::Case,
            Level::TonePlacement => Self::TonePlacement,
            Level::Spelling => Self::Spelling,
            Level::MarksFree => Self::MarksFree,
        }
    }
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Arguments { name, level, born_from, born_to, birth, cursor, seen, question, .. } =
        arguments;
    let request = SearchPersonsRequest {
        full_name: name,
        name_level: NameLevel::from(level).into(),
        birth_year_from: born_from,
        birth_year_to: born_to,
        sex: birth.sex(),
        native_province: birth.province(),
        basis: Some(question.basis_of(task(), &connected)?),
        request_id: question.request_id(),
        cursor,
        page_size: 0,
        min_version: seen.min_version,
    };
    let folder = question.folder()?;
    let found = match connected.client.search_persons(&request).await? {
        Ok(found) => found,
        Err(refused) => return refuse(&refused, question.output.format, out),
    };
    let (page, persons) = evidence::check_all(&found, &connected, folder)?;
    match question.output.format {
        Format::Text => text(&found, &persons, &page, out),
        Format::Json => print_json(&json_of(&found, &persons, &page), out),
    }
}

fn text(found: &Found, persons: &[Checked], page: &Checked, out: &mut impl Write) -> Result<()> {
    if found.parts.is_empty() {
        writeln!(out, "Nobody whom the caller may see.")?;
    }
    for (person, checked) in found.parts.iter().zip(persons) {
        let level = level(person.answer.name_level());
        writeln!(out, "{}  {level:<14}  record {}", person.answer.token, checked.text())?;
    }
    let answer = &found.page.answer;
    if !answer.next_cursor.is_empty() {
        writeln!(out, "\ncursor       {}", answer.next_cursor)?;
    }
    if answer.truncated {
        writeln!(out, "\nThere are more persons than a search lists: narrow it.")?;
    }
    writeln!(out, "\ndecision     {}\nrecord       {}", answer.decision_id, page.text())?;
    Ok(())
}

fn json_of(found: &Found, persons: &[Checked], page: &Checked) -> Value {
    let answer = &found.page.answer;
    let persons = found.parts.iter().zip(persons).map(|(person, checked)| {
        json!({
            "token": person.answer.token,
            "name_level": level(person.answer.name_level()),
            "receipt": checked.json(),
        })
    });
    json!({
        "persons": persons.collect::<Vec<_>>(),
        "next_cursor": answer.next_cursor,
        "truncated": answer.truncated,
        "answer_time": moment(answer.answer_time),
        "decision_id": answer.decision_id,
        "policy_revision": answer.policy_revision,
        "request_id": answer.request_id,
        "receipt": page.json(),
    })
}
