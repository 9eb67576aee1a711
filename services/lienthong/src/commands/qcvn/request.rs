//! `lienthong qcvn request`: the inputs of a lookup on today's platform as a request, and back.

use std::io::Write;

use anyhow::{Result, anyhow};
use contract::{
    identity::v1::GetPersonRequest,
    r#type::v1::{AccessBasis, Claims, PartialDate, SubjectRef, subject_ref},
};
use model::{CodeLists, Subject};
use qcvn::{Asked, Inputs, Qcvn, Told, What};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Line, Request, finish, of_refused, refuse};
use crate::commands::{
    ground::Ground,
    input::{self, without_values},
    output::Format,
};

/// As the contract has it.
const REQUEST_ID_MAX: usize = 40;

/// A request as proto3 JSON, with the contract's own names.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    subject: DocumentSubject,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<DocumentClaims>,
    items: Vec<String>,
    basis: Ground,
    request_id: String,
    /// A number, or a text of digits: proto3 JSON writes 64 bits as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_version: Option<Value>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DocumentSubject {
    #[serde(skip_serializing_if = "Option::is_none")]
    personal_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_number: Option<String>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DocumentClaims {
    full_name: String,
    date_of_birth: DocumentDate,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DocumentDate {
    year: i32,
    month: i32,
    day: i32,
}

pub(super) fn run(
    arguments: Request,
    qcvn: &Qcvn,
    lists: &CodeLists,
    out: &mut impl Write,
) -> Result<()> {
    let text = input::text(&arguments.file)?;
    let format = arguments.output.format;
    let (name, result) = if arguments.back {
        ("inputs", back(&text, qcvn, lists)?)
    } else {
        ("request", forth(&text, arguments.items, arguments.ground, qcvn, lists)?)
    };
    match result {
        Ok((result, told)) if format == Format::Json => {
            finish(Map::from_iter([(name.to_owned(), result)]).into(), &told, format, out)
        }
        Ok((result, told)) => finish(result, &told, format, out),
        Err(faults) => refuse(faults, format, out),
    }
}

/// The result and what is told beside it, or every fault.
type Converted = Result<(Value, Vec<Told>), Vec<Line>>;

fn forth(
    text: &str,
    items: Vec<String>,
    ground: Ground,
    qcvn: &Qcvn,
    lists: &CodeLists,
) -> Result<Converted> {
    let mut inputs: Inputs = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    if ground.names_officer() {
        inputs.remove("MaCanBo");
    }
    let (asked, told) = match qcvn.ask(&inputs) {
        Ok(asked) => asked,
        Err(faults) => return Ok(Err(faults.iter().map(Line::of).collect())),
    };
    let of_inputs =
        Ground::of(asked.procedure.clone(), asked.acting_unit.clone(), asked.officer.clone());
    let ground = ground.or(of_inputs);
    ground.clone().whole()?;
    let mut subject = DocumentSubject::default();
    match asked.subject {
        Subject::Personal(number) => subject.personal_number = Some(number.as_str().to_owned()),
        Subject::Old(number) => subject.old_number = Some(number.as_str().to_owned()),
    }
    let claims = asked.full_name.zip(asked.date_of_birth).map(|(name, date)| {
        let PartialDate { year, month, day } = wire::value::write_date(&date);
        let date_of_birth = DocumentDate { year, month, day };
        DocumentClaims { full_name: name.as_str().to_owned(), date_of_birth }
    });
    let request_id = asked.request_id;
    let document =
        Document { subject, claims, items, basis: ground, request_id, min_version: None };
    if let Err(faults) = check(&document.clone().request(), lists) {
        return Ok(Err(faults));
    }
    Ok(Ok((serde_json::to_value(document)?, told)))
}

fn back(text: &str, qcvn: &Qcvn, lists: &CodeLists) -> Result<Converted> {
    let value: Value = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    let document: Document =
        serde_json::from_value(in_snake_case(value)).map_err(|error| unreadable(&error))?;
    let versioned = document.min_version.is_some();
    let request = document.request();
    let asked = match check(&request, lists) {
        Ok(asked) => asked,
        Err(faults) => return Ok(Err(faults)),
    };
    let inputs = match qcvn.inputs(&asked) {
        Ok(inputs) => inputs,
        Err(faults) => return Ok(Err(faults.iter().map(Line::of).collect())),
    };
    let basis = request.basis.unwrap_or_default();
    let lost = [
        ("items", true),
        ("basis.legal_basis", true),
        ("basis.case_reference", true),
        ("basis.consent_reference", !basis.consent_reference.is_empty()),
        ("basis.direction_reference", !basis.direction_reference.is_empty()),
        ("min_version", versioned),
    ];
    let told = lost.into_iter().filter(|(_, there)| *there).map(|(field, _)| Told {
        place: field.to_owned(),
        at: None,
        what: What::NoField,
    });
    Ok(Ok((serde_json::to_value(inputs)?, told.collect())))
}

/// The form of a request, as the services check it: every faulty field at once.
fn check(request: &GetPersonRequest, lists: &CodeLists) -> Result<Asked, Vec<Line>> {
    let mut faults = wire::Faults::default();
    let subject = wire::subject::read("subject", request.subject.as_ref(), &mut faults);
    let claims = request
        .claims
        .as_ref()
        .and_then(|claims| wire::subject::read_claims("claims", claims, lists, &mut faults));
    wire::basis::check_items(&request.items, &mut faults);
    let basis = wire::basis::check(request.basis.as_ref(), &mut faults);
    faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
    if let Err(status) = faults.finish() {
        return Err(of_refused(status.into()));
    }
    // Where there is none, it was a fault.
    let Some(subject) = subject else { return Err(Vec::new()) };
    let given = |field: fn(&AccessBasis) -> &String| basis.map(|basis| field(basis).clone());
    Ok(Asked {
        request_id: request.request_id.clone(),
        procedure: given(|basis| &basis.procedure),
        acting_unit: given(|basis| &basis.acting_unit),
        officer: given(|basis| &basis.officer),
        subject,
        full_name: claims.as_ref().map(|claims| claims.full_name.clone()),
        date_of_birth: claims.map(|claims| claims.date_of_birth),
    })
}

impl Document {
    fn request(self) -> GetPersonRequest {
        let DocumentSubject { personal_number, old_number } = self.subject;
        let subject = personal_number
            .map(subject_ref::Subject::PersonalNumber)
            .or(old_number.map(subject_ref::Subject::OldNumber));
        let claims = self.claims.map(|DocumentClaims { full_name, date_of_birth }| {
            let DocumentDate { year, month, day } = date_of_birth;
            Claims { full_name, date_of_birth: Some(PartialDate { year, month, day }) }
        });
        GetPersonRequest {
            subject: Some(SubjectRef { subject }),
            claims,
            items: self.items,
            basis: Some(self.basis.into()),
            request_id: self.request_id,
            min_version: 0,
            as_of: None,
        }
    }
}

/// Keys in the contract's own form: whoever prints proto3 JSON may write `requestId`.
fn in_snake_case(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let fields = fields.into_iter().map(|(key, value)| {
        let mut snake = String::new();
        for c in key.chars() {
            if c.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(c.to_ascii_lowercase());
        }
        (snake, in_snake_case(value))
    });
    Value::Object(fields.collect())
}

fn unreadable(error: &serde_json::Error) -> anyhow::Error {
    anyhow!("the document cannot be read: {}", without_values(error))
}
