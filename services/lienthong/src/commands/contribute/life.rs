//! The other events in the life of a person of the register, as documents write them.

use contract::contribution::v1::{self as submitted, divorce, life_event, marriage};
use serde::{Deserialize, Serialize};

use super::events::{Claims, Subject};
use crate::commands::values::{
    Address, CodedValue, Date, Document, ItemValue, PersonName, Relation,
};

/// A document on which an event rests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Evidence {
    kind: Option<CodedValue>,
    /// SHA-256 of the file, in hexadecimal digits.
    #[serde(with = "hex::serde")]
    digest: Vec<u8>,
    number: String,
}

/// An event in the life of a person of the register.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LifeEvent {
    pub(super) subject: Option<Subject>,
    claims: Option<Claims>,
    pub(super) effective_date: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) registration: Option<Registration>,
    pub(super) event: Option<Happened>,
}

/// An entry of a civil-status book.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Registration {
    pub(super) entry_number: String,
    pub(super) registration_date: Option<Date>,
    registration_place: Option<Address>,
}

/// What happened, under its name in the contract.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Happened {
    Marriage(Box<Spouse>),
    Divorce(Box<Spouse>),
    Missing(Nothing),
    Found(Nothing),
    Recognition(ParentChange),
    Adoption(ParentChange),
    CivilStatusChange(Box<CivilStatusChange>),
    Absence(TemporaryAbsence),
    Household(HouseholdChange),
    DocumentIssue(OneDocument),
    DocumentWithdrawal(OneDocument),
    BloodTest(BloodTest),
    ContactChange(ContactChange),
    End(ValueEnd),
    Merge(Box<RecordMerge>),
    Split(RecordSplit),
}

/// Nothing more to say.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Whom the person married, or is divorced from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Spouse {
    RegisteredSpouse(Party),
    OtherSpouse(Relation),
}

/// A person of the register beside the one whom the event is about.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Party {
    subject: Option<Subject>,
    claims: Option<Claims>,
}

/// Parents who are entered, and who are no more.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ParentChange {
    parents: Vec<Relation>,
    ended_parents: Vec<Relation>,
}

/// A change in the civil-status book.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CivilStatusChange {
    full_name: Option<PersonName>,
    sex: Option<CodedValue>,
    ethnic_group: Option<CodedValue>,
    nationality: Option<CodedValue>,
}

/// A declaration of temporary absence.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TemporaryAbsence {
    declaration: String,
}

/// A household as it is from now on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HouseholdChange {
    residence_file_number: String,
    members: Vec<HouseholdMember>,
    left: Vec<Party>,
    left_file_number: String,
}

/// A member of a household.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HouseholdMember {
    person: Option<Party>,
    relation_to_head: Option<CodedValue>,
}

/// A document that was issued or withdrawn.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OneDocument {
    document: Option<Document>,
}

/// A blood type.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BloodTest {
    blood_type: Option<CodedValue>,
}

/// How the person can be reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ContactChange {
    mobile_number: String,
    email: String,
}

/// Values that hold no more.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ValueEnd {
    ended_values: Vec<EndedValue>,
}

/// Whose record stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RecordMerge {
    surviving_person: Option<Party>,
    decision_number: String,
}

/// Who has a record of its own again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RecordSplit {
    restored_subject: Option<Subject>,
    decision_number: String,
}

/// A value that holds no more.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EndedValue {
    item: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<ItemValue>,
}

impl From<Evidence> for submitted::Evidence {
    fn from(Evidence { kind, digest, number }: Evidence) -> Self {
        Self { kind: kind.map(Into::into), digest, number }
    }
}

impl From<LifeEvent> for submitted::LifeEvent {
    fn from(life: LifeEvent) -> Self {
        let entry = |entry: Registration| submitted::Registration {
            entry_number: entry.entry_number,
            registration_date: entry.registration_date.map(|date| date.0),
            registration_place: entry.registration_place.map(Into::into),
        };
        Self {
            subject: life.subject.map(Into::into),
            claims: life.claims.map(Into::into),
            effective_date: life.effective_date.map(|date| date.0),
            registration: life.registration.map(entry),
            event: life.event.map(Into::into),
        }
    }
}

impl From<Happened> for life_event::Event {
    fn from(happened: Happened) -> Self {
        match happened {
            Happened::Marriage(spouse) => Self::Marriage(submitted::Marriage {
                spouse: Some(match *spouse {
                    Spouse::RegisteredSpouse(party) => {
                        marriage::Spouse::RegisteredSpouse(party.into())
                    }
                    Spouse::OtherSpouse(relation) => marriage::Spouse::OtherSpouse(relation.into()),
                }),
            }),
            Happened::Divorce(spouse) => Self::Divorce(submitted::Divorce {
                spouse: Some(match *spouse {
                    Spouse::RegisteredSpouse(party) => {
                        divorce::Spouse::RegisteredSpouse(party.into())
                    }
                    Spouse::OtherSpouse(relation) => divorce::Spouse::OtherSpouse(relation.into()),
                }),
            }),
            Happened::Missing(Nothing {}) => Self::Missing(submitted::MissingDeclaration {}),
            Happened::Found(Nothing {}) => Self::Found(submitted::MissingRevocation {}),
            Happened::Recognition(change) => Self::Recognition(change.into()),
            Happened::Adoption(change) => Self::Adoption(change.into()),
            Happened::CivilStatusChange(change) => Self::CivilStatusChange((*change).into()),
            Happened::Absence(TemporaryAbsence { declaration }) => {
                Self::Absence(submitted::TemporaryAbsence { declaration })
            }
            Happened::Household(change) => Self::Household(change.into()),
            Happened::DocumentIssue(OneDocument { document }) => {
                let document = document.map(Into::into);
                Self::DocumentIssue(submitted::DocumentIssue { document })
            }
            Happened::DocumentWithdrawal(OneDocument { document }) => {
                let document = document.map(Into::into);
                Self::DocumentWithdrawal(submitted::DocumentWithdrawal { document })
            }
            Happened::BloodTest(BloodTest { blood_type }) => {
                Self::BloodTest(submitted::BloodTest { blood_type: blood_type.map(Into::into) })
            }
            Happened::ContactChange(ContactChange { mobile_number, email }) => {
                Self::ContactChange(submitted::ContactChange { mobile_number, email })
            }
            Happened::End(end) => Self::End(end.into()),
            Happened::Merge(merge) => {
                let RecordMerge { surviving_person, decision_number } = *merge;
                let surviving_person = surviving_person.map(Into::into);
                Self::Merge(submitted::RecordMerge { surviving_person, decision_number })
            }
            Happened::Split(RecordSplit { restored_subject, decision_number }) => {
                let restored_subject = restored_subject.map(Into::into);
                Self::Split(submitted::RecordSplit { restored_subject, decision_number })
            }
        }
    }
}

impl From<Party> for submitted::Party {
    fn from(Party { subject, claims }: Party) -> Self {
        Self { subject: subject.map(Into::into), claims: claims.map(Into::into) }
    }
}

impl From<ParentChange> for submitted::ParentChange {
    fn from(ParentChange { parents, ended_parents }: ParentChange) -> Self {
        Self {
            parents: parents.into_iter().map(Into::into).collect(),
            ended_parents: ended_parents.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<CivilStatusChange> for submitted::CivilStatusChange {
    fn from(change: CivilStatusChange) -> Self {
        Self {
            full_name: change.full_name.map(Into::into),
            sex: change.sex.map(Into::into),
            ethnic_group: change.ethnic_group.map(Into::into),
            nationality: change.nationality.map(Into::into),
        }
    }
}

impl From<HouseholdChange> for submitted::HouseholdChange {
    fn from(change: HouseholdChange) -> Self {
        let member = |member: HouseholdMember| submitted::HouseholdMember {
            person: member.person.map(Into::into),
            relation_to_head: member.relation_to_head.map(Into::into),
        };
        Self {
            residence_file_number: change.residence_file_number,
            members: change.members.into_iter().map(member).collect(),
            left: change.left.into_iter().map(Into::into).collect(),
            left_file_number: change.left_file_number,
        }
    }
}

impl From<ValueEnd> for submitted::ValueEnd {
    fn from(ValueEnd { ended_values }: ValueEnd) -> Self {
        let one = |EndedValue { item, value }| submitted::EndedValue {
            item,
            value: value.map(Into::into),
        };
        Self { ended_values: ended_values.into_iter().map(one).collect() }
    }
}
