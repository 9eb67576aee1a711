//! What a contribution says, and what must hold of it before the register is asked. Pure: no I/O, no
//! async; time is an argument.

mod birth;

pub(crate) use birth::{Birth, Draft};
use model::{Address, Claims, PartialDate, Precision, Subject, Value};
use serde::{Deserialize, Serialize};
use time::Date;

/// One value that a contribution asserts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The item.
    pub(crate) item: String,
    /// Its value.
    pub(crate) value: Value,
    /// From when it is true.
    pub(crate) valid_from: Option<PartialDate>,
}

/// Whom a contribution is about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// A person the register does not hold yet.
    New {
        /// First three digits of the number to issue.
        prefix: String,
    },
    /// A person of the register.
    Known {
        /// How the person is named.
        subject: Subject,
        /// What the source knows of the person.
        claims: Claims,
        /// Whether the values correct what the source said before.
        corrects: bool,
    },
}

/// What the register is asked to apply.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Application {
    /// The database that contributes.
    pub(crate) source: String,
    /// Its connection.
    #[serde(default)]
    pub(crate) connection: String,
    /// Whom it is about.
    pub(crate) target: Target,
    /// The source's own entry, unique at the source; empty when it has none.
    pub(crate) entry: String,
    /// What is asserted.
    pub(crate) said: Vec<Said>,
}

/// What became of a contribution.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It is in the register.
    Applied {
        /// Version of the register that holds it.
        version: u64,
        /// The number issued; empty when none was.
        number: String,
        /// When the register learnt it, microseconds since 1970.
        known_at_us: i64,
    },
    /// The register rejected it, for all these reasons.
    Rejected(Vec<Rejection>),
}

/// One reason of a rejection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejection {
    /// The faulty item; empty when the fault lies with the whole.
    pub(crate) item: String,
    /// Stable reason.
    pub(crate) reason: String,
}

/// What can be wrong between the fields of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventFault {
    /// A full date is needed.
    NotWhole,
    /// It lies in the future.
    InTheFuture,
    /// It lies before what it cannot precede.
    TooEarly,
    /// The value is none that such an event has.
    NotAllowed,
    /// A second one of what there is one of.
    Repeated,
}

/// Faults of fields, by path.
pub(crate) type EventFaults = Vec<(String, EventFault)>;

/// What is wrong with a date on which something was done: it is whole, and not in the future.
pub(crate) fn check_day(
    field: &str,
    date: Option<PartialDate>,
    today: Date,
    faults: &mut EventFaults,
) {
    let Some(date) = date else { return };
    if date.precision() != Precision::Day {
        faults.push((field.to_owned(), EventFault::NotWhole));
    } else if date.is_after(&today) {
        faults.push((field.to_owned(), EventFault::InTheFuture));
    }
}

/// What is wrong with a date from which something is true: it may be partial, and is not in the future.
pub(crate) fn check_past(
    field: &str,
    date: Option<PartialDate>,
    today: Date,
    faults: &mut EventFaults,
) {
    if date.is_some_and(|date| date.is_after(&today)) {
        faults.push((field.to_owned(), EventFault::InTheFuture));
    }
}

/// What is wrong with two dates of which the second cannot precede the first.
pub(crate) fn check_order(
    first: Option<PartialDate>,
    field: &str,
    second: Option<PartialDate>,
    faults: &mut EventFaults,
) {
    if let (Some(first), Some(second)) = (first, second)
        && second.latest() < first.earliest()
    {
        faults.push((field.to_owned(), EventFault::TooEarly));
    }
}

/// The entry of a civil-status book: its kind, commune, year and number tell it from every other. The commune
/// is there: the form demands it.
pub(crate) fn entry(kind: &str, place: &Address, registered: PartialDate, number: &str) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let (version, commune) = (part(&place.units_version), part(&place.commune_code));
    format!("{kind}/{version}/{commune}/{}/{number}", registered.year())
}

/// A death entry.
pub(crate) struct Death {
    pub(crate) subject: Subject,
    pub(crate) claims: Claims,
    pub(crate) entry_number: String,
    pub(crate) registration_date: PartialDate,
    pub(crate) registration_place: Address,
    pub(crate) date_of_death: PartialDate,
}

impl Death {
    /// What the entry says, as the register takes it (Law 26/2023/QH15, Art. 9, item 24).
    pub(crate) fn application(self) -> Application {
        let died = self.date_of_death;
        let place = &self.registration_place;
        Application {
            source: String::new(),
            connection: String::new(),
            entry: entry("death", place, self.registration_date, &self.entry_number),
            target: Target::Known { subject: self.subject, claims: self.claims, corrects: false },
            said: vec![Said {
                item: "death_or_missing_date".to_owned(),
                value: Value::Date(died),
                valid_from: Some(died),
            }],
        }
    }
}

/// A residence that was registered or changed.
pub(crate) struct Residence {
    pub(crate) subject: Subject,
    pub(crate) claims: Claims,
    pub(crate) item: &'static str,
    pub(crate) address: Address,
    pub(crate) effective_date: PartialDate,
    pub(crate) file_number: String,
}

impl Residence {
    /// What it says, as the register takes it (Law 26/2023/QH15, Art. 9, items 16 to 18 and 20).
    pub(crate) fn application(self) -> Application {
        let from = Some(self.effective_date);
        let said = |item: &str, value| Said { item: item.to_owned(), value, valid_from: from };
        let mut all = vec![said(self.item, Value::Address(self.address))];
        if !self.file_number.is_empty() {
            all.push(said("residence_file_number", Value::Text(self.file_number)));
        }
        Application {
            source: String::new(),
            connection: String::new(),
            entry: String::new(),
            target: Target::Known { subject: self.subject, claims: self.claims, corrects: false },
            said: all,
        }
    }
}

/// Values that were corrected.
pub(crate) struct Correction {
    pub(crate) subject: Subject,
    pub(crate) claims: Claims,
    pub(crate) entry_number: String,
    pub(crate) correction_date: PartialDate,
    pub(crate) registration_place: Address,
    pub(crate) said: Vec<Said>,
}

impl Correction {
    /// What it says, as the register takes it.
    pub(crate) fn application(self) -> Application {
        let place = &self.registration_place;
        let entry = entry("correction", place, self.correction_date, &self.entry_number);
        Application {
            source: String::new(),
            connection: String::new(),
            entry,
            target: Target::Known { subject: self.subject, claims: self.claims, corrects: true },
            said: self.said,
        }
    }
}

impl Application {
    /// The items it is about, each once.
    pub(crate) fn items(&self) -> Vec<String> {
        let mut items: Vec<String> = Vec::new();
        for said in &self.said {
            if !items.contains(&said.item) {
                items.push(said.item.clone());
            }
        }
        items
    }
}
