//! Who a request is about, both ways.

use contract::r#type::v1::{self as wire, subject_ref};
use model::{Claims, CodeLists, OldNumber, PersonalNumber, Subject};
use time::Date;

use crate::{
    Fault, Faults,
    value::{Reader, write_date},
};

/// The longest token.
const TOKEN_MAX: usize = 64;

/// How a lookup of the register names a person.
#[derive(Clone)]
pub enum Named {
    /// By a number.
    Number(Subject),
    /// By the token that the caller was given for the person.
    Token(String),
}

/// Reads the subject at `field`, of a method that knows persons by number.
pub fn read(
    field: &str,
    subject: Option<&wire::SubjectRef>,
    faults: &mut Faults,
) -> Option<Subject> {
    match read_named(field, subject, faults)? {
        Named::Number(subject) => Some(subject),
        Named::Token(_) => {
            faults.add(format!("{field}.token"), Fault::NotAllowed);
            None
        }
    }
}

/// Reads the subject at `field`.
pub fn read_named(
    field: &str,
    subject: Option<&wire::SubjectRef>,
    faults: &mut Faults,
) -> Option<Named> {
    let (kind, read) = match subject.and_then(|subject| subject.subject.as_ref()) {
        None => {
            faults.add(field, Fault::Missing);
            return None;
        }
        Some(subject_ref::Subject::PersonalNumber(text)) => {
            let number = PersonalNumber::parse(text).ok().map(Subject::Personal);
            ("personal_number", number.map(Named::Number))
        }
        Some(subject_ref::Subject::OldNumber(text)) => {
            ("old_number", OldNumber::parse(text).ok().map(Subject::Old).map(Named::Number))
        }
        Some(subject_ref::Subject::Token(text)) => {
            let token = (1..=TOKEN_MAX).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_graphic());
            ("token", token.then(|| Named::Token(text.clone())))
        }
    };
    if read.is_none() {
        faults.add(format!("{field}.{kind}"), Fault::Malformed);
    }
    read
}

/// Reads the claims at `field`; both of them are required.
pub fn read_claims(
    field: &str,
    claims: &wire::Claims,
    lists: &CodeLists,
    faults: &mut Faults,
) -> Option<Claims> {
    let mut reader = Reader::new(lists, faults);
    let full_name = reader.name_text(&format!("{field}.full_name"), &claims.full_name);
    let date = claims.date_of_birth.as_ref();
    let date_of_birth = reader.date(&format!("{field}.date_of_birth"), date);
    Some(Claims { full_name: full_name?, date_of_birth: date_of_birth? })
}

/// Nobody is born in the future.
pub fn check_born(field: &str, claims: Option<&Claims>, today: Date, faults: &mut Faults) {
    if claims.is_some_and(|claims| claims.date_of_birth.is_after(&today)) {
        faults.add(format!("{field}.date_of_birth"), Fault::InTheFuture);
    }
}

/// Names both claims as missing.
pub fn claims_missing(field: &str, faults: &mut Faults) {
    faults.add(format!("{field}.full_name"), Fault::Missing);
    faults.add(format!("{field}.date_of_birth"), Fault::Missing);
}

/// A subject as the contract writes it.
#[must_use]
pub fn write(subject: &Subject) -> wire::SubjectRef {
    let subject = match subject {
        Subject::Personal(number) => {
            subject_ref::Subject::PersonalNumber(number.as_str().to_owned())
        }
        Subject::Old(number) => subject_ref::Subject::OldNumber(number.as_str().to_owned()),
    };
    wire::SubjectRef { subject: Some(subject) }
}

/// Claims as the contract writes them.
#[must_use]
pub fn write_claims(claims: &Claims) -> wire::Claims {
    wire::Claims {
        full_name: claims.full_name.as_str().to_owned(),
        date_of_birth: Some(write_date(&claims.date_of_birth)),
    }
}
