//! The kinds of events, as documents write them.

use contract::{
    contribution::v1::{self as submitted, submit_contribution_request::Event as Submitted},
    r#type::v1::{self as types, subject_ref},
};
use serde::{Deserialize, Serialize};

use super::life::LifeEvent;
use crate::commands::values::{Address, CodedValue, Date, ItemValue, PersonName, Relation, kinds};

/// What happened, under the name of its kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// A birth was registered.
    Birth(Box<Birth>),
    /// A death was registered.
    Death(Box<Death>),
    /// A residence was registered or changed.
    Residence(Box<Residence>),
    /// Values were corrected at their source.
    Correction(Box<Correction>),
    /// An earlier contribution was annulled.
    Annulment(Box<Annulment>),
    /// Another event in the life of a person of the register.
    #[serde(rename = "life_event")]
    Life(Box<LifeEvent>),
    /// A conflict was decided.
    ConflictDecision(Box<ConflictDecision>),
}

/// A registered birth.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Birth {
    pub(super) entry_number: String,
    pub(super) registration_date: Option<Date>,
    registration_place_code: String,
    registration_place: Option<Address>,
    full_name: Option<PersonName>,
    pub(super) date_of_birth: Option<Date>,
    sex: Option<CodedValue>,
    place_of_birth: Option<Address>,
    native_place: Option<Address>,
    ethnic_group: Option<CodedValue>,
    nationality: Option<CodedValue>,
    parents: Vec<Relation>,
}

/// A registered death.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Death {
    subject: Option<Subject>,
    claims: Option<Claims>,
    pub(super) entry_number: String,
    pub(super) registration_date: Option<Date>,
    registration_place: Option<Address>,
    pub(super) date_of_death: Option<Date>,
}

/// A residence that was registered or changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Residence {
    subject: Option<Subject>,
    claims: Option<Claims>,
    kind: Option<ResidenceKind>,
    address: Option<Address>,
    pub(super) effective_date: Option<Date>,
    residence_file_number: String,
}

/// Values that were corrected at their source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Correction {
    subject: Option<Subject>,
    claims: Option<Claims>,
    pub(super) entry_number: String,
    pub(super) correction_date: Option<Date>,
    registration_place: Option<Address>,
    corrected_values: Vec<CorrectedValue>,
}

/// One corrected value.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CorrectedValue {
    item: String,
    value: Option<ItemValue>,
    valid_from: Option<Date>,
}

/// An earlier contribution that was annulled.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Annulment {
    annulled_key: String,
    annulled_items: Vec<String>,
    pub(super) decision_number: String,
    pub(super) decision_date: Option<Date>,
}

/// A decision of a conflict.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConflictDecision {
    conflict_id: String,
    item: String,
    outcome: Option<Verdict>,
    pub(super) decision_number: String,
    pub(super) decision_date: Option<Date>,
    reason: String,
}

/// Which of two values holds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// What the source says that disagrees.
    Accepted,
    /// What is held.
    Rejected,
}

/// Whom an event is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Subject {
    PersonalNumber(String),
    OldNumber(String),
}

/// What the source knows of the person.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Claims {
    full_name: String,
    date_of_birth: Option<Date>,
}

kinds! {
    submitted:
    /// Which residence.
    ResidenceKind { Permanent, Temporary, Current }
}

impl From<Event> for Submitted {
    fn from(event: Event) -> Self {
        match event {
            Event::Birth(birth) => Self::Birth((*birth).into()),
            Event::Death(death) => Self::Death((*death).into()),
            Event::Residence(residence) => Self::Residence((*residence).into()),
            Event::Correction(correction) => Self::Correction((*correction).into()),
            Event::Annulment(annulment) => Self::Annulment((*annulment).into()),
            Event::Life(event) => Self::LifeEvent((*event).into()),
            Event::ConflictDecision(decision) => Self::ConflictDecision((*decision).into()),
        }
    }
}

impl From<Subject> for types::SubjectRef {
    fn from(subject: Subject) -> Self {
        let subject = match subject {
            Subject::PersonalNumber(number) => subject_ref::Subject::PersonalNumber(number),
            Subject::OldNumber(number) => subject_ref::Subject::OldNumber(number),
        };
        Self { subject: Some(subject) }
    }
}

impl From<Claims> for types::Claims {
    fn from(claims: Claims) -> Self {
        Self { full_name: claims.full_name, date_of_birth: claims.date_of_birth.map(|date| date.0) }
    }
}

impl From<Annulment> for submitted::Annulment {
    fn from(annulment: Annulment) -> Self {
        Self {
            annulled_key: annulment.annulled_key,
            annulled_items: annulment.annulled_items,
            decision_number: annulment.decision_number,
            decision_date: annulment.decision_date.map(|date| date.0),
        }
    }
}

impl From<ConflictDecision> for submitted::ConflictDecision {
    fn from(decision: ConflictDecision) -> Self {
        let outcome = match decision.outcome {
            Some(Verdict::Accepted) => submitted::ConflictOutcome::Accepted,
            Some(Verdict::Rejected) => submitted::ConflictOutcome::Rejected,
            None => submitted::ConflictOutcome::Unspecified,
        };
        Self {
            conflict_id: decision.conflict_id,
            item: decision.item,
            outcome: outcome.into(),
            decision_number: decision.decision_number,
            decision_date: decision.decision_date.map(|date| date.0),
            reason: decision.reason,
        }
    }
}

impl From<Birth> for submitted::BirthRegistration {
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

impl From<Death> for submitted::DeathRegistration {
    fn from(death: Death) -> Self {
        Self {
            subject: death.subject.map(Into::into),
            claims: death.claims.map(Into::into),
            entry_number: death.entry_number,
            registration_date: death.registration_date.map(|date| date.0),
            registration_place: death.registration_place.map(Into::into),
            date_of_death: death.date_of_death.map(|date| date.0),
        }
    }
}

impl From<Residence> for submitted::ResidenceChange {
    fn from(residence: Residence) -> Self {
        let kind = residence.kind.map(submitted::ResidenceKind::from).unwrap_or_default();
        Self {
            subject: residence.subject.map(Into::into),
            claims: residence.claims.map(Into::into),
            kind: kind.into(),
            address: residence.address.map(Into::into),
            effective_date: residence.effective_date.map(|date| date.0),
            residence_file_number: residence.residence_file_number,
        }
    }
}

impl From<Correction> for submitted::Correction {
    fn from(correction: Correction) -> Self {
        let one = |corrected: CorrectedValue| submitted::CorrectedValue {
            item: corrected.item,
            value: corrected.value.map(Into::into),
            valid_from: corrected.valid_from.map(|date| date.0),
        };
        Self {
            subject: correction.subject.map(Into::into),
            claims: correction.claims.map(Into::into),
            entry_number: correction.entry_number,
            correction_date: correction.correction_date.map(|date| date.0),
            registration_place: correction.registration_place.map(Into::into),
            corrected_values: correction.corrected_values.into_iter().map(one).collect(),
        }
    }
}
