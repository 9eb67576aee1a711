//! `lienthong resolve`: the one person of whom enough is known, or nobody.

use std::io::Write;

use anyhow::Result;
use contract::{
    identity::v1::{
        FurtherFacts, NameLevel, ResolveOutcome, ResolvePersonAnswer, ResolvePersonRequest,
        UnitCode,
    },
    r#type::v1::CodedValue,
};
use lienthong::client::moment;
use serde_json::{Value, json};

use super::{
    connection::Connection,
    evidence::{self, Checked},
    ground::Ground,
    output::{Format, print as print_json, refuse},
    question::{MinVersion, Question},
    values::Date,
};

/// Who asks, in a demonstration.
pub(super) const CALLER: &str = "civil-status";
/// The task under which it may, and its ground, unless others are said.
const PROCEDURE: &str = "civil-status-correction";
const LEGAL_BASIS: &str = "1911-2021-art-2-1";
/// The list of sexes, in its version.
const SEX: (&str, &str) = ("sex", "1");

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// The full name.
    #[arg(long, help_heading = "Person")]
    name: String,
    /// The date of birth: YYYY-MM-DD, or YYYY where the register holds the year alone.
    #[arg(long, help_heading = "Person", value_name = "DATE")]
    born: Date,
    /// Full name of the father or the mother.
    #[arg(long, help_heading = "Person", value_name = "NAME")]
    parent: Option<String>,
    /// Code of the commune of permanent residence: five digits.
    #[arg(long, help_heading = "Person", value_name = "CODE")]
    commune: Option<String>,
    #[command(flatten)]
    birth: Birth,
    #[command(flatten)]
    seen: MinVersion,
    #[command(flatten)]
    question: Question,
}

/// What of a birth narrows whom is looked for.
#[derive(clap::Args)]
pub(super) struct Birth {
    /// Code of the sex: 1 male, 2 female.
    #[arg(long, help_heading = "Person", value_name = "CODE")]
    sex: Option<String>,
    /// Code of the province of the native place: two digits.
    #[arg(long, help_heading = "Person", value_name = "CODE")]
    native_province: Option<String>,
    /// Version of the codes of units.
    #[arg(long, help_heading = "Person", value_name = "VERSION", default_value = "2025")]
    units: String,
}

impl Birth {
    /// The sex as the contract writes it.
    pub(super) fn sex(&self) -> Option<CodedValue> {
        let (code_system, code_system_version) = (SEX.0.to_owned(), SEX.1.to_owned());
        let code = self.sex.clone()?;
        Some(CodedValue { code_system, code_system_version, code, ..CodedValue::default() })
    }

    /// The province as the contract writes it.
    pub(super) fn province(&self) -> Option<UnitCode> {
        self.unit(self.native_province.as_ref())
    }

    fn unit(&self, code: Option<&String>) -> Option<UnitCode> {
        Some(UnitCode { code: code?.clone(), units_version: self.units.clone() })
    }
}

/// The task of finding, unless another one is said.
pub(super) fn task() -> Ground {
    Ground::task(PROCEDURE, LEGAL_BASIS)
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Arguments { name, born, parent, commune, birth, seen, question, .. } = arguments;
    let further = FurtherFacts {
        sex: birth.sex(),
        native_province: birth.province(),
        permanent_commune: birth.unit(commune.as_ref()),
        parent_full_name: parent.unwrap_or_default(),
    };
    let request = ResolvePersonRequest {
        full_name: name,
        date_of_birth: Some(born.0),
        further: Some(further),
        basis: Some(question.basis_of(task(), &connected)?),
        request_id: question.request_id(),
        min_version: seen.min_version,
    };
    let folder = question.folder()?;
    let answered = match connected.client.resolve_person(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, question.output.format, out),
    };
    let checked = evidence::check(&answered, &connected, folder)?;
    match question.output.format {
        Format::Text => text(&answered.answer, &checked, out),
        Format::Json => print_json(&json_of(&answered.answer, &checked), out),
    }
}

fn text(answer: &ResolvePersonAnswer, checked: &Checked, out: &mut impl Write) -> Result<()> {
    if answer.outcome() == ResolveOutcome::Resolved {
        writeln!(out, "token        {}", answer.token)?;
        writeln!(out, "name         {}", level(answer.name_level()))?;
    } else {
        writeln!(out, "No match: nobody, more than one person, or one who is hidden.")?;
    }
    writeln!(out, "\ndecision     {}\nrecord       {}", answer.decision_id, checked.text())?;
    Ok(())
}

fn json_of(answer: &ResolvePersonAnswer, checked: &Checked) -> Value {
    let resolved = answer.outcome() == ResolveOutcome::Resolved;
    json!({
        "outcome": if resolved { "resolved" } else { "no_match" },
        "token": resolved.then(|| answer.token.clone()),
        "name_level": resolved.then(|| level(answer.name_level())),
        "answer_time": moment(answer.answer_time),
        "decision_id": answer.decision_id,
        "policy_revision": answer.policy_revision,
        "request_id": answer.request_id,
        "receipt": checked.json(),
    })
}

/// A level in words.
pub(super) fn level(level: NameLevel) -> &'static str {
    match level {
        NameLevel::Exact => "exact",
        NameLevel::Case => "case",
        NameLevel::TonePlacement => "tone-placement",
        NameLevel::Spelling => "spelling",
        NameLevel::MarksFree => "marks-free",
        NameLevel::Unspecified => "unspecified",
    }
}
