//! Everything that is in the way of a move of an agreement, all at once.

use time::Date;

use super::{Agreement, Content, Role, Says, Step};

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Obstacle {
    AlreadyProposed,
    NoConnection,
    OtherConsumer,
    OtherOfficer,
    NotTrusted,
    NotAParty,
    KeyNotNamed,
    SignatureInvalid,
    AlreadySaid,
    Closed,
    OtherStatement,
    TermEnded,
    Overlaps,
    NothingToRenew,
}

/// What is in the way, and which of several it is: an agreement, an agency.
pub(crate) type Found = (Obstacle, String);

/// What is known beside the agreement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// Agency of the connection, which an admission holds and which has not ended; none where there is no such one.
    pub(crate) agency: Option<&'a str>,
    /// The id is one of the registry file.
    pub(crate) of_file: bool,
    /// Other agreements of the connection.
    pub(crate) others: &'a [Agreement],
    /// Whether who signed for the provider may: a registrar today.
    pub(crate) officer: bool,
    pub(crate) day: Date,
}

impl Facts<'_> {
    /// The first day of the agreement that every party accepted in the place of one.
    pub(crate) fn renewed(&self, id: &str) -> Option<Date> {
        let takes = |other: &&Agreement| other.content.renews == id && other.complete();
        self.others.iter().filter(takes).map(|other| other.content.valid_from).min()
    }
}

/// What is in the way of proposing an agreement, where `before` is what its id has.
pub(crate) fn proposing(before: Option<&Agreement>, content: &Content, facts: Facts) -> Vec<Found> {
    let mut found = Vec::new();
    if before.is_some() || facts.of_file {
        found.push(one(Obstacle::AlreadyProposed));
    }
    let consumer = content.party(Role::Consumer).map(|party| party.agency.as_str());
    match facts.agency {
        None => found.push((Obstacle::NoConnection, content.connection.clone())),
        Some(agency) if consumer != Some(agency) => {
            found.push((Obstacle::OtherConsumer, agency.to_owned()));
        }
        Some(_) => {}
    }
    if facts.day >= content.valid_to {
        found.push(one(Obstacle::TermEnded));
    }
    found.extend(beside(content, facts));
    found
}

/// What is in the way of a statement that was verified.
pub(crate) fn saying(agreement: &Agreement, step: &Step, facts: Facts) -> Vec<Found> {
    let Step::Sign { agency, says, .. } = step else { return Vec::new() };
    if let Some((by, _)) = &agreement.closed {
        return vec![(Obstacle::Closed, by.clone())];
    }
    let mut found = Vec::new();
    let provides = agreement.content.party(Role::Provider).is_some_and(|p| p.agency == *agency);
    if provides && !facts.officer {
        found.push(one(Obstacle::OtherOfficer));
    }
    let ended = facts.day >= agreement.valid_to(facts.renewed(&agreement.content.id));
    match says {
        Says::Accept if agreement.accepted.contains(agency) => {
            found.push((Obstacle::AlreadySaid, agency.clone()));
        }
        Says::Accept if ended => found.push(one(Obstacle::TermEnded)),
        Says::Accept if facts.agency.is_none() => {
            found.push((Obstacle::NoConnection, agreement.content.connection.clone()));
        }
        Says::Accept => found.extend(beside(&agreement.content, facts)),
        Says::Reject if agreement.complete() => found.push(one(Obstacle::OtherStatement)),
        Says::Revoke if !agreement.complete() => found.push(one(Obstacle::OtherStatement)),
        Says::Reject | Says::Revoke => {}
    }
    found
}

/// What other agreements of the connection leave no place for.
fn beside(content: &Content, facts: Facts) -> Vec<Found> {
    let mut found = Vec::new();
    if !content.renews.is_empty() {
        let renewed = facts.others.iter().find(|other| other.content.id == content.renews);
        let free = facts.renewed(&content.renews).is_none();
        if !renewed.is_some_and(|renewed| renewed.counts() && free) {
            found.push((Obstacle::NothingToRenew, content.renews.clone()));
        }
    }
    let counting = facts.others.iter().filter(|other| other.counts());
    let overlapping = counting.filter(|other| overlap(content, other, facts));
    found.extend(overlapping.map(|other| (Obstacle::Overlaps, other.content.id.clone())));
    found
}

/// Whether both grant for one action, procedure and ground on one day. What is renewed ends when its successor begins.
fn overlap(content: &Content, other: &Agreement, facts: Facts) -> bool {
    let renewed = facts.renewed(&other.content.id);
    let own = (content.renews == other.content.id).then_some(content.valid_from);
    let end = other.valid_to(renewed.into_iter().chain(own).min());
    content.grants.iter().any(|grant| {
        let same = other.content.grants.iter().filter(|held| {
            held.action == grant.action
                && held.procedure == grant.procedure
                && held.legal_basis == grant.legal_basis
        });
        let mut same = same;
        same.any(|held| {
            grant.valid_from < held.valid_to.min(end) && held.valid_from < grant.valid_to
        })
    })
}

fn one(obstacle: Obstacle) -> Found {
    (obstacle, String::new())
}
