//! The document of a contribution: the keys of the contract, in JSON. A key that nothing knows is refused;
//! what is missing is for the service to name, every fault at once.

use anyhow::{Result, anyhow};
use contract::contribution::v1::{
    BirthRegistration, submit_contribution_request::Event as Submitted,
};
use serde::{Deserialize, Serialize};

use crate::commands::{
    ground::Ground,
    values::{Address, CodedValue, Date, PersonName, Relation},
};

/// What `--example` prints, but for the entry and its dates.
const EXAMPLE: &str = include_str!("../../../data/example-birth.json");

/// A contribution.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// The source's own key of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) idempotency_key: Option<String>,
    /// The ground on which it is provided.
    #[serde(default)]
    pub(super) basis: Ground,
    /// What happened.
    pub(super) event: Event,
}

/// What happened, under the name of its kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// A birth was registered.
    Birth(Box<Birth>),
}

/// A registered birth.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Birth {
    entry_number: String,
    registration_date: Option<Date>,
    registration_place_code: String,
    registration_place: Option<Address>,
    full_name: Option<PersonName>,
    date_of_birth: Option<Date>,
    sex: Option<CodedValue>,
    place_of_birth: Option<Address>,
    native_place: Option<Address>,
    ethnic_group: Option<CodedValue>,
    nationality: Option<CodedValue>,
    parents: Vec<Relation>,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is no JSON, or has a key or a kind that nothing knows; line and column are named.
    pub(super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            anyhow!("the document cannot be read (see --example): {}", without_values(&error))
        })
    }

    /// The example: a synthetic child, born and registered today.
    pub(super) fn example(entry: &str, today: time::Date) -> Result<Self> {
        let mut example = Self::parse(EXAMPLE)?;
        let Event::Birth(birth) = &mut example.event;
        birth.entry_number = entry.to_owned();
        birth.date_of_birth = today.to_string().parse().ok();
        birth.registration_date = birth.date_of_birth;
        Ok(example)
    }
}

impl From<Event> for Submitted {
    fn from(event: Event) -> Self {
        match event {
            Event::Birth(birth) => Self::Birth((*birth).into()),
        }
    }
}

impl From<Birth> for BirthRegistration {
    fn from(birth: Birth) -> Self {
        Self {
            entry_number: birth.entry_number,
            registration_date: birth.registration_date.map(|date| date.0),
            registration_place_code: birth.registration_place_code,
            registration_place: birth.registration_place.map(Into::into),
            full_name: birth.full_name.map(Into::into),
            date_of_birth: birth.date_of_birth.map(|date| date.0),
            sex: birth.sex.map(Into::into),
            place_of_birth: birth.place_of_birth.map(Into::into),
            native_place: birth.native_place.map(Into::into),
            ethnic_group: birth.ethnic_group.map(Into::into),
            nationality: birth.nationality.map(Into::into),
            parents: birth.parents.into_iter().map(Into::into).collect(),
        }
    }
}

/// What is wrong with a document, and where; without the value that stands there, which may be of a person.
fn without_values(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let found = words.starts_with("invalid type") || words.starts_with("invalid value");
    match words.split_once(", expected ") {
        Some((_, expected)) if found => format!("expected {expected}"),
        _ => words,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use time::macros::date;

    use super::*;

    #[test]
    fn the_example_is_a_whole_birth_and_comes_back_as_it_was() {
        let example = Document::example("E-1", date!(2026 - 03 - 01)).unwrap();
        let text = serde_json::to_string(&example).unwrap();
        let Submitted::Birth(birth) = Document::parse(&text).unwrap().event.into() else {
            unreachable!()
        };
        assert_eq!(birth.entry_number, "E-1");
        let day = contract::r#type::v1::PartialDate { year: 2026, month: 3, day: 1 };
        assert_eq!((birth.date_of_birth, birth.registration_date), (Some(day), Some(day)));
        assert_eq!(birth.registration_place_code, "990");
        assert!(birth.sex.is_some() && birth.ethnic_group.is_some() && birth.nationality.is_some());
        assert_eq!(birth.parents.len(), 1);
    }

    #[test]
    fn what_nothing_knows_is_refused_and_what_is_missing_is_left_to_the_service() {
        Document::parse(r#"{"event":{"birth":{}}}"#).unwrap();
        for bad in [
            "",
            "{}",
            r#"{"event":{}}"#,
            r#"{"event":{"wedding":{}}}"#,
            r#"{"event":{"birth":{"weight":3}}}"#,
            r#"{"event":{"birth":{}},"more":1}"#,
            r#"{"event":{"birth":{"full_name":{"nick":"x"}}}}"#,
            r#"{"event":{"birth":{"date_of_birth":"31/05/1990"}}}"#,
            r#"{"event":{"birth":{}},"basis":{"reason":"x"}}"#,
        ] {
            assert!(Document::parse(bad).is_err(), "{bad}");
        }
        let error = Document::parse(r#"{"event":{"birth":{"sex":"990204000001"}}}"#).unwrap_err();
        assert!(!error.to_string().contains("990204000001"), "{error}");
    }
}
