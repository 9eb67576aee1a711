//! Synthetic persons as the tests see them, and lookups of them.

use contract::{
    identity::v1::GetPersonRequest,
    r#type::v1::{self as types, AccessBasis, Claims, SubjectRef, subject_ref::Subject},
};
use lienthong::synth::{Statement, SyntheticPerson};
use model::{PartialDate, Precision, Value};

/// What a caller of the tests names as its ground when nothing else is said.
#[must_use]
pub fn basis(procedure: &str) -> AccessBasis {
    AccessBasis {
        procedure: procedure.to_owned(),
        legal_basis: "1911-2021-art-2-1".to_owned(),
        case_reference: "CASE-1".to_owned(),
        acting_unit: "Z24.TEST".to_owned(),
        officer: "officer-1".to_owned(),
        consent_reference: String::new(),
        direction_reference: String::new(),
    }
}

/// One synthetic person of the register.
#[derive(Clone)]
pub struct Person(pub SyntheticPerson);

impl Person {
    /// The personal number.
    #[must_use]
    pub fn number(&self) -> &str {
        self.0.number.as_str()
    }

    /// The old number, where there is one.
    #[must_use]
    pub fn old_number(&self) -> Option<&str> {
        self.0.old_number.as_ref().map(model::OldNumber::as_str)
    }

    /// What the sources say of an item.
    pub fn said<'a>(&'a self, item: &'a str) -> impl Iterator<Item = &'a Statement> {
        self.0.assertions.iter().filter(move |said| said.0 == item)
    }

    /// The full name.
    ///
    /// # Panics
    /// When the person has none.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.said("birth_full_name").next().map(|said| &said.1) {
            Some(Value::Name(name)) => name.full_name.as_str(),
            _ => panic!("a person without a name"),
        }
    }

    /// The date of birth.
    ///
    /// # Panics
    /// When the person has none.
    #[must_use]
    pub fn born(&self) -> PartialDate {
        match self.said("date_of_birth").next().map(|said| &said.1) {
            Some(Value::Date(date)) => *date,
            _ => panic!("a person without a date of birth"),
        }
    }

    /// Whether the person lives, and is not hidden from anybody.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.0.protected && self.said("death_or_missing_date").next().is_none()
    }

    /// Whether the whole date of birth is known.
    #[must_use]
    pub fn has_whole_date(&self) -> bool {
        self.born().precision() == Precision::Day
    }

    /// What a caller who knows the person says of it.
    #[must_use]
    pub fn claims(&self) -> Claims {
        let born = self.born();
        let date = types::PartialDate {
            year: born.year(),
            month: born.month().into(),
            day: born.day().into(),
        };
        Claims { full_name: self.name().to_owned(), date_of_birth: Some(date) }
    }

    /// Every text of the person that must never be met outside of an answer (I8).
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let mut texts = vec![self.number().to_owned(), self.name().to_owned()];
        texts.extend(self.old_number().map(ToOwned::to_owned));
        texts
    }
}

/// A lookup by the personal number, with good claims and the ground of the insurance's agreement.
#[must_use]
pub fn ask(person: &Person, items: &[&str]) -> GetPersonRequest {
    GetPersonRequest {
        subject: by_number(person.number()),
        claims: Some(person.claims()),
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        basis: Some(basis("child-health-insurance-card")),
        request_id: "request-1".to_owned(),
        min_version: 0,
        as_of: None,
    }
}

/// A person named by a personal number.
#[must_use]
pub fn by_number(number: &str) -> Option<SubjectRef> {
    Some(SubjectRef { subject: Some(Subject::PersonalNumber(number.to_owned())) })
}

/// A person named by an old number.
#[must_use]
pub fn by_old_number(number: &str) -> Option<SubjectRef> {
    Some(SubjectRef { subject: Some(Subject::OldNumber(number.to_owned())) })
}

/// A person named by a token.
#[must_use]
pub fn by_token(token: &str) -> Option<SubjectRef> {
    Some(SubjectRef { subject: Some(Subject::Token(token.to_owned())) })
}
