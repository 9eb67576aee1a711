//! The kinds of event that sources contribute (Decision 1911/QD-TTg, Art. 2(2)).

use serde::{Deserialize, Serialize};

/// A kind of event in a person's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventKind {
    /// A birth was registered.
    Birth,
    /// A death was registered.
    Death,
    /// A place of residence changed.
    Residence,
    /// Values were corrected at their source.
    Correction,
    /// An earlier contribution was annulled.
    Annulment,
    /// A marriage was registered.
    Marriage,
    /// A marriage ended by divorce.
    Divorce,
    /// Somebody was declared missing.
    Missing,
    /// Somebody who was missing was found.
    Found,
    /// A parent was recognized.
    Recognition,
    /// Somebody was adopted.
    Adoption,
    /// Name, sex, ethnic group or nationality changed.
    CivilStatusChange,
    /// Somebody declared to be away.
    Absence,
    /// A household has other members or another head.
    Household,
    /// A document was issued.
    DocumentIssue,
    /// A document lost its validity.
    DocumentWithdrawal,
    /// A blood type was determined.
    BloodTest,
    /// Somebody can be reached otherwise.
    ContactChange,
    /// Values hold no more.
    End,
    /// It was decided between what two sources say.
    ConflictDecision,
    /// A record is merged into another one of the same person.
    Merge,
    /// Two persons were taken for one.
    Split,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Birth,
        Self::Death,
        Self::Residence,
        Self::Correction,
        Self::Annulment,
        Self::Marriage,
        Self::Divorce,
        Self::Missing,
        Self::Found,
        Self::Recognition,
        Self::Adoption,
        Self::CivilStatusChange,
        Self::Absence,
        Self::Household,
        Self::DocumentIssue,
        Self::DocumentWithdrawal,
        Self::BloodTest,
        Self::ContactChange,
        Self::End,
        Self::ConflictDecision,
        Self::Merge,
        Self::Split,
    ];

    /// Its name in requests and in the data.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Birth => "birth",
            Self::Death => "death",
            Self::Residence => "residence",
            Self::Correction => "correction",
            Self::Annulment => "annulment",
            Self::Marriage => "marriage",
            Self::Divorce => "divorce",
            Self::Missing => "missing",
            Self::Found => "found",
            Self::Recognition => "recognition",
            Self::Adoption => "adoption",
            Self::CivilStatusChange => "civil-status-change",
            Self::Absence => "absence",
            Self::Household => "household",
            Self::DocumentIssue => "document-issue",
            Self::DocumentWithdrawal => "document-withdrawal",
            Self::BloodTest => "blood-test",
            Self::ContactChange => "contact-change",
            Self::End => "end",
            Self::ConflictDecision => "conflict-decision",
            Self::Merge => "merge",
            Self::Split => "split",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}

impl TryFrom<String> for EventKind {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::of(&name).ok_or_else(|| format!("`{name}` is no kind of event"))
    }
}

impl From<EventKind> for String {
    fn from(kind: EventKind) -> Self {
        kind.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_that_leads_back() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::of(kind.name()), Some(kind));
        }
        assert_eq!(EventKind::of("wedding"), None);
    }
}
