//! Agreements: what the parties signed (Decision 1911/QD-TTg, Art. 3(4)(b); Decree 47/2020/ND-CP, Art. 38).
//!
//! An agreement is its exact bytes; what is read of them here is kept beside them. It is complete once every party has accepted,
//! and closed for good once one has rejected or revoked it.
//!
//! | module | job |
//! |---|---|
//! | `obstacle` | everything that is in the way of a move |

pub(crate) mod obstacle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::Date;

use super::basis::day;
use super::rules::Act;
use super::volume::Volume;

/// The ground of sharing in other cases by direction of the Prime Minister (Art. 2(4)).
pub(crate) const BY_DIRECTION: &str = "1911-2021-art-2-4";
/// The first line of what is signed.
const DOMAIN: &str = "lienthong.gov.vn/agreement/v1";

/// What a party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Role {
    Provider,
    Consumer,
    Delegator,
}

/// A side.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Party {
    pub(crate) role: Role,
    pub(crate) agency: String,
    /// Thumbprints in hexadecimal.
    pub(crate) keys: Vec<String>,
    /// Units that act.
    pub(crate) units: Vec<String>,
}

/// What is granted for one action, procedure and ground.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Granted {
    pub(crate) action: Act,
    pub(crate) procedure: String,
    pub(crate) legal_basis: String,
    pub(crate) items: Vec<String>,
    /// Words, as `decide::Obligation` writes them.
    pub(crate) obligations: Vec<String>,
    #[serde(with = "day")]
    pub(crate) valid_from: Date,
    /// The first day on which it no longer holds.
    #[serde(with = "day")]
    pub(crate) valid_to: Date,
    pub(crate) terms: Terms,
}

impl Granted {
    /// Whether it serves nobody, on no day, by no direction, of whom the grant to obtain the same does not, and nobody without
    /// counting whom that one counts: what somebody is told by another act is part of what is obtained.
    pub(crate) fn is_within_what_is_obtained(&self, all: &[Self]) -> bool {
        let uncounted = self.action.tells_of_persons() && self.terms.volume.is_none();
        let counted = |own: &Self| own.action == Act::Obtain && own.terms.volume.is_some();
        // Nothing is obtained by a consent, but whoever may ask for so many persons may not ask whether there are more.
        let beside = self.action == Act::RecordConsents && uncounted && all.iter().any(counted);
        let stands_alone = !self.action.is_part_of_obtaining() && !beside;
        let encloses = |own: &Self| {
            let (terms, more) = (&own.terms, &self.terms);
            let keys = terms.keys.is_empty()
                || (!more.keys.is_empty() && more.keys.is_subset(&terms.keys));
            own.action == Act::Obtain
                && own.procedure == self.procedure
                && own.legal_basis == self.legal_basis
                && own.valid_from <= self.valid_from
                && self.valid_to <= own.valid_to
                && more.units.is_subset(&terms.units)
                && keys
                && !(uncounted && terms.volume.is_some())
                && terms.direction == more.direction
        };
        stands_alone || all.iter().any(encloses)
    }
}

/// What a request must be for a grant to serve it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Terms {
    /// Number of the direction; empty where none is needed.
    pub(crate) direction: String,
    /// Units for which it may be used; empty where that is not said, as in the registry file.
    pub(crate) units: BTreeSet<String>,
    /// Thumbprints in hexadecimal; empty for any.
    pub(crate) keys: BTreeSet<String>,
    /// How many persons may be told of; none where that is not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) volume: Option<Volume>,
    /// Whether requests must be signed. What was stored before there was this is written as it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) signed_requests: bool,
}

/// What is read of an agreement's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Content {
    pub(crate) id: String,
    pub(crate) connection: String,
    /// Empty where it takes no other's place.
    pub(crate) renews: String,
    #[serde(with = "day")]
    pub(crate) valid_from: Date,
    #[serde(with = "day")]
    pub(crate) valid_to: Date,
    pub(crate) parties: Vec<Party>,
    /// Whether the consumer signs its requests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) signed_requests: bool,
    /// Who delegates, and to whom.
    pub(crate) delegations: Vec<(String, String)>,
    pub(crate) grants: Vec<Granted>,
}

impl Content {
    /// The party of a role; of delegators the first.
    pub(crate) fn party(&self, role: Role) -> Option<&Party> {
        self.parties.iter().find(|party| party.role == role)
    }

    /// The party that an agency is.
    pub(crate) fn of_agency(&self, agency: &str) -> Option<&Party> {
        self.parties.iter().find(|party| party.agency == agency)
    }

    /// The agencies for which the consumer acts, itself among them, where every delegation leads to it without a circle; else
    /// those whose delegations do not.
    pub(crate) fn acts_for(&self) -> Result<BTreeSet<&str>, BTreeSet<&str>> {
        let consumer = self.party(Role::Consumer).map_or("", |party| party.agency.as_str());
        let to: BTreeMap<_, _> =
            self.delegations.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        let leads = |from: &&str| {
            let (mut at, mut steps) = (*from, 0);
            while let Some(next) = to.get(at) {
                // A way longer than there are delegations goes in a circle.
                if steps > to.len() {
                    return false;
                }
                (at, steps) = (next, steps + 1);
            }
            at == consumer
        };
        let astray: BTreeSet<&str> = to.keys().copied().filter(|from| !leads(from)).collect();
        if !astray.is_empty() {
            return Err(astray);
        }
        Ok(to.keys().copied().chain([consumer]).collect())
    }

    /// The units that may act under the agreement: the consumer's, and those of whoever delegates to it.
    pub(crate) fn units(&self) -> BTreeSet<&str> {
        let agencies = self.acts_for().unwrap_or_default();
        let own = self.parties.iter().filter(|party| agencies.contains(party.agency.as_str()));
        own.flat_map(|party| party.units.iter().map(String::as_str)).collect()
    }
}

/// What a party says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Says {
    Accept,
    Reject,
    Revoke,
}

impl Says {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Revoke => "revoke",
        }
    }

    /// The bytes that are signed to say so of an agreement.
    pub(crate) fn signed_bytes(self, digest: &str) -> Vec<u8> {
        format!("{DOMAIN}\n{}\n{digest}\n", self.word()).into_bytes()
    }
}

/// What a move does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Step {
    /// The content, and the digest of its bytes in hexadecimal.
    Propose(Content, String),
    /// A party's statement: whose, and by which signer.
    Sign { agency: String, signer: String, says: Says },
}

/// A move that was made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Move {
    /// SPIFFE id of the officer.
    pub(crate) by: String,
    /// Microseconds since 1970.
    pub(crate) at_us: i64,
    pub(crate) step: Step,
}

/// How an agreement stands on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Proposed,
    Accepted,
    InForce,
    Rejected,
    Revoked,
    Ended,
}

/// An agreement: what its moves made of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Agreement {
    /// How many moves were made.
    pub(crate) version: u64,
    pub(crate) content: Content,
    /// SHA-256 of its bytes, in hexadecimal.
    pub(crate) digest: String,
    pub(crate) proposed_by: String,
    /// Agencies that accepted, in that order.
    pub(crate) accepted: Vec<String>,
    /// Who rejected or revoked it.
    pub(crate) closed: Option<(String, Says)>,
    /// When the last move was made, microseconds since 1970.
    pub(crate) moved_at_us: i64,
}

impl Agreement {
    /// What a move makes of an agreement. Whether it may be made is asked before (`obstacle`).
    pub(crate) fn after(before: Option<Self>, made: &Move) -> Option<Self> {
        match (&made.step, before) {
            (Step::Propose(content, digest), None) => Some(Self {
                version: 1,
                content: content.clone(),
                digest: digest.clone(),
                proposed_by: made.by.clone(),
                accepted: Vec::new(),
                closed: None,
                moved_at_us: made.at_us,
            }),
            (Step::Sign { agency, says, .. }, Some(mut now)) => {
                match says {
                    Says::Accept => now.accepted.push(agency.clone()),
                    Says::Reject | Says::Revoke => now.closed = Some((agency.clone(), *says)),
                }
                now.version += 1;
                now.moved_at_us = made.at_us;
                Some(now)
            }
            (Step::Propose(..), Some(_)) | (Step::Sign { .. }, None) => None,
        }
    }

    /// What moves made of it, from the first on.
    pub(crate) fn of<'a>(moves: impl IntoIterator<Item = &'a Move>) -> Option<Self> {
        moves.into_iter().fold(None, Self::after)
    }

    /// Whether every party has accepted, whatever was said later.
    pub(crate) fn complete(&self) -> bool {
        self.content.parties.iter().all(|party| self.accepted.contains(&party.agency))
    }

    /// Whether it grants what it names on its days.
    pub(crate) fn counts(&self) -> bool {
        self.complete() && self.closed.is_none()
    }

    /// How it stands on a day, where another takes its place from `renewed` on.
    pub(crate) fn state(&self, today: Date, renewed: Option<Date>) -> State {
        match &self.closed {
            Some((_, Says::Revoke)) => return State::Revoked,
            Some((_, Says::Reject | Says::Accept)) => return State::Rejected,
            None => {}
        }
        if today >= self.valid_to(renewed) {
            State::Ended
        } else if !self.complete() {
            State::Proposed
        } else if today < self.content.valid_from {
            State::Accepted
        } else {
            State::InForce
        }
    }

    /// The first day on which it no longer holds, where another takes its place from `renewed` on.
    pub(crate) fn valid_to(&self, renewed: Option<Date>) -> Date {
        renewed.map_or(self.content.valid_to, |from| from.min(self.content.valid_to))
    }
}
