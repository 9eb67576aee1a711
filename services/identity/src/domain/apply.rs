//! Applying a contribution: what the register itself checks, and how an outcome is kept.
//!
//! | module | job |
//! |---|---|
//! | `birth` | a child that the register does not hold yet |
//! | `known` | what must hold of what is said of somebody whom it holds |
//! | `asserted` | what of that is asserted |
//! | `relatives` | parents and spouses, and who may be told of them |
//! | `numbers` | which numbers lead to a person, and when one is set anew |
//! | `annulment` | what counts as never said |

mod annulment;
mod asserted;
mod birth;
mod known;
mod numbers;
mod relatives;

pub(crate) use annulment::{can_annul, goes_with};
pub(crate) use asserted::asserted;
pub(crate) use birth::{NumberParts, check_birth};
pub(crate) use known::{Asked, Known, check_known, found};
pub(crate) use numbers::{is_replaced, number_due, numbers};
pub(crate) use relatives::{Bearer, Bearers, are_related, may_live, numbers_named, spouses};

use std::collections::BTreeSet;

use model::{
    Assertion, AuthorityInForce, Claims, Disagreement, EventKind, GoldenRecord, PersonalNumber,
    Said, Subject, disagreements,
};
use serde::{Deserialize, Serialize};

use super::lookup::Ending;

/// The source of what the register itself says: the National Population Database.
pub(crate) const REGISTER: &str = "npd";

/// Whom a contribution is about.
#[derive(Clone)]
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
    /// Whomever an earlier contribution of the source was about, which counts as never made.
    Earlier {
        /// Id of that contribution; empty when the source has made none.
        contribution_id: String,
    },
    /// Whomever a contribution is about that says otherwise of an item than what is held.
    Decided(Decided),
    /// Nobody: the contribution is taken back.
    Withdrawn,
}

/// A further person of whom a contribution says something.
#[derive(Clone)]
pub(crate) struct Further {
    /// How the person is named.
    pub(crate) subject: Subject,
    /// What the source knows of the person.
    pub(crate) claims: Claims,
    /// What the source asserts.
    pub(crate) said: Vec<Said>,
}

/// A decision between what two sources say of an item.
#[derive(Clone)]
pub(crate) struct Decided {
    /// The item.
    pub(crate) item: String,
    /// The contribution that says otherwise than what is held; empty when there is nothing to decide.
    pub(crate) contribution_id: String,
    /// The one that says what is held.
    pub(crate) against: String,
    /// Whether what the first says is to be held.
    pub(crate) accepted: bool,
    /// The person.
    pub(crate) person_id: String,
}

/// A contribution.
#[derive(Clone)]
pub(crate) struct Application {
    /// Id of the contribution.
    pub(crate) contribution_id: String,
    /// SHA-256 of the submitted bytes.
    pub(crate) digest: [u8; 32],
    /// The database that contributed.
    pub(crate) source: String,
    /// Its connection, whose guessing budget counts.
    pub(crate) connection: String,
    /// The kind of event; none where it was not kept.
    pub(crate) event: Option<EventKind>,
    /// Whom it is about.
    pub(crate) target: Target,
    /// The source's own entry; empty when it has none.
    pub(crate) entry: String,
    /// What the source asserts; nothing where it annuls.
    pub(crate) said: Vec<Said>,
    /// Whom else it is about, beside a known person.
    pub(crate) further: Vec<Further>,
    /// The version of the person's record on which it rests; 0 when on none.
    pub(crate) expected_version: u64,
    /// Check only.
    pub(crate) dry_run: bool,
}

/// What became of a contribution; kept as JSON beside its id, and given again for the same one (I4).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It was applied.
    Applied {
        /// Version of the register that holds it; 0 in a dry run.
        version: u64,
        /// The number issued; none in a dry run.
        number: Option<PersonalNumber>,
        /// The person; none in a dry run.
        person_id: Option<String>,
        /// Whom else it was about.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        further: Vec<String>,
        /// When the register learnt it, microseconds since 1970.
        known_at_us: i64,
        /// Items of which a source with more authority says what is held.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        outranked: Vec<String>,
        /// Which sources disagree, and which do not any more, since this.
        #[serde(default)]
        disputes: Disputes,
    },
    /// It was rejected.
    Rejected {
        /// Why, as the source is told.
        reasons: Vec<Rejection>,
        /// How the person was not found, for the record.
        ending: Option<Ending>,
        /// The person, also where the source may not know of it, for the record.
        person_id: Option<String>,
    },
}

/// What a contribution changed about who says otherwise than what is held.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Disputes {
    /// Who does since this.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) opened: BTreeSet<Disagreement>,
    /// Who does not any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) settled: BTreeSet<Disagreement>,
}

impl Disputes {
    /// What changed about items of a person, of whom `before` was said, and `all` now. Of somebody protected nobody is told (I7).
    pub(crate) fn add(
        &mut self,
        GoldenRecord { person_id, protected, .. }: &GoldenRecord,
        items: &BTreeSet<&str>,
        (before, all): (&[Assertion], &[Assertion]),
        rules: &AuthorityInForce,
    ) {
        if *protected {
            return;
        }
        let found = |said| disagreements(person_id, items.iter().copied(), said, rules);
        let (was, is) = (found(before), found(all));
        let same = |one: &Disagreement, of: &BTreeSet<Disagreement>| {
            of.iter().any(|o| (&o.item, &o.contribution_id) == (&one.item, &one.contribution_id))
        };
        self.opened.extend(is.difference(&was).cloned());
        self.settled.extend(was.into_iter().filter(|one| !same(one, &is)));
    }
}

impl Outcome {
    /// A rejection that is not about a person of the register.
    pub(crate) fn rejected(reasons: Vec<Rejection>) -> Self {
        Self::Rejected { reasons, ending: None, person_id: None }
    }

    /// How many persons it says were not found.
    pub(crate) fn misses(&self) -> u32 {
        let Self::Rejected { reasons, ending: Some(_), .. } = self else { return 0 };
        let missing = reasons.iter().filter(|reason| reason.reason == Reason::PersonNotFound);
        u32::try_from(missing.count()).unwrap_or(u32::MAX)
    }
}

/// One reason of a rejection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejection {
    /// The faulty item; empty when the fault lies with the subject.
    pub(crate) item: String,
    /// What is wrong.
    pub(crate) reason: Reason,
    /// Whom it concerns: 0 the person of the contribution, then the further ones.
    #[serde(default)]
    pub(crate) person: u32,
}

impl Rejection {
    /// Of an item of the person of the contribution; of none where the fault lies with the subject.
    pub(crate) fn of(item: &str, reason: Reason) -> Self {
        Self { item: item.to_owned(), reason, person: 0 }
    }
}

/// Why a contribution is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The source's entry is already in the register.
    AlreadyRegistered,
    /// The register issues no number with this prefix.
    PrefixNotIssued,
    /// A birth needs this item, with a value of its type.
    WrongType,
    /// A date lies in the future, or before the birth, or a correction before what it corrects.
    DateOutOfRange,
    /// There is no such person, or none that the source may know of (I7).
    PersonNotFound,
    /// The register already holds the person's death.
    PersonDeceased,
    /// The register holds no value that could be corrected.
    NothingToCorrect,
    /// What is held was provided by another source.
    OtherSource,
    /// No number of this prefix, sex and year is left.
    NumbersSpent,
    /// The record has changed since the source read it.
    VersionChanged,
    /// The source has made no such contribution that counts.
    NothingToAnnul,
    /// There is no such value that could end.
    NothingToEnd,
    /// What everybody always has does not end.
    CannotEnd,
    /// A parent is not older than the child.
    ParentNotOlder,
    /// There is another spouse, who may be alive.
    AlreadyMarried,
    /// One person stands in two places.
    PersonRepeated,
    /// Nothing is to be decided between these contributions.
    NothingToDecide,
    /// Its source took it back before it was applied.
    Withdrawn,
    /// The number is that of a record that is merged into another one.
    AlreadyMerged,
    /// No record with that number is merged into the person's.
    NotMerged,
    /// The persons are relatives of one another.
    PersonsRelated,
}
