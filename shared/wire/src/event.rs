//! Events in persons' lives, as the contract writes them: read, held against themselves, and turned into what they say
//! of whom. Every faulty field is named by its path.
//!
//! | module | job |
//! |---|---|
//! | `birth` | a birth entry |
//! | `entry` | deaths, residences and corrections |
//! | `life` | the other events in the life of a person of the register |
//! | `family` | of these, marriages, divorces and parents |
//! | `household` | who lives with whom |
//! | `merge` | records that are one person, and persons who are two |
//! | `values` | those that say something of one person alone |
//! | `read` | from the contract's messages, field by field |
//! | `evidence` | the documents on which an event rests |

mod birth;
mod entry;
mod evidence;
mod family;
mod household;
mod life;
mod merge;
mod read;
mod values;

use contract::{
    contribution::v1::{
        Annulment, BirthRegistration, ConflictDecision, Correction, DeathRegistration, LifeEvent,
        ResidenceChange, submit_contribution_request::Event as Submitted,
    },
    database::v1::change::Event as Listed,
};
pub use evidence::{Evidence, read as read_evidence};
use model::{Claims, CodeLists, EventKind, PartialDate, Precision, Said, Subject};
use serde::{Deserialize, Serialize};
use time::Date;

use crate::{Fault, Faults};

/// Whom an event is about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
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
    /// A person of the register to whom something happened: values may end, and further persons be named. Apart from
    /// [`Self::Known`] so that a program that knows of neither cannot read what is stored, and sends nothing else.
    Affected {
        /// How the person is named.
        subject: Subject,
        /// What the source knows of the person.
        claims: Claims,
    },
    /// A person of the register whose record is merged into that of the one further person.
    Merged {
        /// How the person is named.
        subject: Subject,
        /// What the source knows of the person.
        claims: Claims,
    },
    /// A person of the register with whom another one had been taken for one.
    Split {
        /// How the person is named.
        subject: Subject,
        /// What the source knows of the person.
        claims: Claims,
        /// How the other one was named, and is again.
        restored: Subject,
    },
    /// Whomever an earlier contribution of the source was about, which is annulled.
    Earlier {
        /// The key under which it was contributed.
        key: String,
        /// The items of which it spoke, and perhaps others.
        items: Vec<String>,
    },
    /// Whomever a conflict is about that is decided.
    Decided {
        /// Id of the conflict.
        conflict: String,
        /// The item that it is about.
        item: String,
        /// Whether what disagreed is to be held.
        accepted: bool,
        /// Why, in words.
        reason: String,
    },
}

/// A further person of whom an event says something.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Further {
    /// Where the person stands in the event.
    pub place: String,
    /// How the person is named.
    pub subject: Subject,
    /// What the source knows of the person.
    pub claims: Claims,
    /// What it says of the person.
    pub said: Vec<Said>,
}

/// What an event says.
pub struct Event {
    /// Its kind.
    pub kind: EventKind,
    /// Whom it is about.
    pub target: Target,
    /// The source's own entry, unique at the source; empty when it has none.
    pub entry: String,
    /// What it says; nothing where it annuls.
    pub said: Vec<Said>,
    /// Whom else it is about, beside a known person.
    pub further: Vec<Further>,
}

/// An event of the contract, not looked at yet.
#[derive(Clone, Copy)]
pub enum Given<'a> {
    /// A birth.
    Birth(&'a BirthRegistration),
    /// A death.
    Death(&'a DeathRegistration),
    /// A residence.
    Residence(&'a ResidenceChange),
    /// A correction.
    Correction(&'a Correction),
    /// An annulment.
    Annulment(&'a Annulment),
    /// Another event in the life of a person of the register.
    Life(&'a LifeEvent),
    /// A decision of a conflict.
    ConflictDecision(&'a ConflictDecision),
}

impl Given<'_> {
    /// Whether it rests on documents that have to be named.
    #[must_use]
    pub fn needs_evidence(&self) -> bool {
        matches!(self, Self::Life(_) | Self::ConflictDecision(_))
    }
}

impl<'a> From<&'a Submitted> for Given<'a> {
    fn from(event: &'a Submitted) -> Self {
        match event {
            Submitted::Birth(birth) => Self::Birth(birth),
            Submitted::Death(death) => Self::Death(death),
            Submitted::Residence(residence) => Self::Residence(residence),
            Submitted::Correction(correction) => Self::Correction(correction),
            Submitted::Annulment(annulment) => Self::Annulment(annulment),
            Submitted::LifeEvent(event) => Self::Life(event),
            Submitted::ConflictDecision(decision) => Self::ConflictDecision(decision),
        }
    }
}

impl<'a> From<&'a Listed> for Given<'a> {
    fn from(event: &'a Listed) -> Self {
        match event {
            Listed::Birth(birth) => Self::Birth(birth),
            Listed::Death(death) => Self::Death(death),
            Listed::Residence(residence) => Self::Residence(residence),
            Listed::Correction(correction) => Self::Correction(correction),
            Listed::Annulment(annulment) => Self::Annulment(annulment),
            Listed::LifeEvent(event) => Self::Life(event),
        }
    }
}

/// Reads an event. What is wrong is noted; an event is given only when nothing is.
#[must_use]
pub fn read(
    given: Given<'_>,
    lists: &CodeLists,
    today: Date,
    faults: &mut Faults,
) -> Option<Event> {
    let mut reading = read::Reading { lists, today, faults };
    match given {
        Given::Birth(birth) => reading.birth(birth),
        Given::Death(death) => reading.death(death),
        Given::Residence(residence) => reading.residence(residence),
        Given::Correction(correction) => reading.correction(correction),
        Given::Annulment(annulment) => reading.annulment(annulment),
        Given::Life(event) => reading.life(event),
        Given::ConflictDecision(decision) => reading.conflict_decision(decision),
    }
}

/// Faults of fields, by path.
type EventFaults = Vec<(String, Fault)>;

/// What is wrong with a date on which something was done: it is whole, and not in the future.
fn check_day(field: &str, date: Option<PartialDate>, today: Date, faults: &mut EventFaults) {
    let Some(date) = date else { return };
    if date.precision() != Precision::Day {
        faults.push((field.to_owned(), Fault::NotWhole));
    } else if date.is_after(&today) {
        faults.push((field.to_owned(), Fault::InTheFuture));
    }
}

/// What is wrong with a date from which something is true: it may be partial, and is not in the future.
fn check_past(field: &str, date: Option<PartialDate>, today: Date, faults: &mut EventFaults) {
    if date.is_some_and(|date| date.is_after(&today)) {
        faults.push((field.to_owned(), Fault::InTheFuture));
    }
}

/// What is wrong with two dates of which the second cannot precede the first.
fn check_order(
    first: Option<PartialDate>,
    field: &str,
    second: Option<PartialDate>,
    faults: &mut EventFaults,
) {
    if let (Some(first), Some(second)) = (first, second)
        && second.latest() < first.earliest()
    {
        faults.push((field.to_owned(), Fault::TooEarly));
    }
}
