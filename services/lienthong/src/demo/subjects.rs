//! A few synthetic persons to look up by hand, with what a caller must know of them.

use model::{PartialDate, Precision, Value};
use serde::{Deserialize, Serialize};
use time::Date;

use crate::synth::SyntheticPerson;

/// How many of each kind are kept.
const EACH: usize = 3;
/// Children under this age have the health insurance card of Art. 3(3)(c).
const CHILD: i32 = 6;

/// A synthetic person to look up.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Subject {
    /// What kind of person it is: `child`, `adult` or `protected`.
    pub kind: String,
    /// The personal number; its province code is a fictional one.
    pub personal_number: String,
    /// The old number, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_number: Option<String>,
    /// The full name.
    pub full_name: String,
    /// The date of birth, in the form of the contract's `PartialDate`.
    pub date_of_birth: BirthDate,
}

/// A whole date of birth.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
pub struct BirthDate {
    /// Year.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month.
    pub day: u8,
}

/// A few children, adults and protected persons who are alive.
#[must_use]
pub fn choose(people: &[SyntheticPerson], today: Date) -> Vec<Subject> {
    let mut chosen: Vec<Subject> = Vec::new();
    for person in people {
        let Some((name, born)) = claims(person) else { continue };
        let kind = match (person.protected, today.year() - born.year() < CHILD) {
            (true, _) => "protected",
            (false, true) => "child",
            (false, false) => "adult",
        };
        if chosen.iter().filter(|s| s.kind == kind).count() < EACH {
            chosen.push(Subject {
                kind: kind.to_owned(),
                personal_number: person.number.as_str().to_owned(),
                old_number: person.old_number.as_ref().map(|n| n.as_str().to_owned()),
                full_name: name,
                date_of_birth: BirthDate {
                    year: born.year(),
                    month: born.month(),
                    day: born.day(),
                },
            });
        }
    }
    chosen
}

/// Name and date of birth of a living person whose whole date is known.
fn claims(person: &SyntheticPerson) -> Option<(String, PartialDate)> {
    let value = |item: &str| person.assertions.iter().find(|a| a.0 == item).map(|a| &a.1);
    if value("death_or_missing_date").is_some() {
        return None;
    }
    let (Some(Value::Name(name)), Some(Value::Date(born))) =
        (value("birth_full_name"), value("date_of_birth"))
    else {
        return None;
    };
    (born.precision() == Precision::Day).then(|| (name.full_name.as_str().to_owned(), *born))
}
