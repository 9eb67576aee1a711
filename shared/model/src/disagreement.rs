//! Where a source says otherwise than another one that has more authority, so that somebody has to decide (Decision
//! 1911/QD-TTg, Art. 2(2)).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Agreement, Assertion, AuthorityInForce, HeldValue, Says, Standing, Value, explain,
    item::holds_several, merge::is_link,
};

/// One contribution says otherwise of an item than what is held.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Disagreement {
    /// The person.
    pub person_id: String,
    /// The item.
    pub item: String,
    /// The contribution that says otherwise.
    pub contribution_id: String,
    /// Its source.
    pub source: String,
    /// The contribution that says what is held.
    pub against_contribution_id: String,
    /// Its source, which has more authority.
    pub against_source: String,
}

/// The disagreements about some items of a person. It does not matter who spoke first. What a source said of an earlier day
/// than what is held is no disagreement: it changed since. Of each source only what it says now counts. Values disagree
/// where they cannot both be so; a year and a day of it can, and one place is written in many ways. Items that hold several
/// values are not held against one another; nor is a contribution against itself, which can have said something of each of
/// two whose records are one now: a decision names contributions, and of one there is no other side to decide for.
#[must_use]
pub fn disagreements<'a>(
    person_id: &str,
    items: impl IntoIterator<Item = &'a str>,
    assertions: &[Assertion],
    authority: &AuthorityInForce,
) -> BTreeSet<Disagreement> {
    let mut found = BTreeSet::new();
    for item in items.into_iter().filter(|item| !holds_several(item) && !is_link(item)) {
        let all = explain(person_id, item, assertions, authority).concat();
        let Some((winner, Standing::Current)) = all.first().copied() else { continue };
        // Whose number it is, is no question of which source has authority.
        if matches!(winner.value, Value::Identifier(_)) {
            continue;
        }
        let mut spoke = BTreeSet::from([winner.provenance.source.as_str()]);
        for (said, standing) in all.iter().skip(1).filter(|(_, standing)| standing.counts()) {
            let first = spoke.insert(said.provenance.source.as_str());
            if said.provenance.contribution_id == winner.provenance.contribution_id {
                continue;
            }
            if first && *standing == Standing::Outranked && disagree(said, winner) {
                found.insert(Disagreement {
                    person_id: person_id.to_owned(),
                    item: item.to_owned(),
                    contribution_id: said.provenance.contribution_id.clone(),
                    source: said.provenance.source.clone(),
                    against_contribution_id: winner.provenance.contribution_id.clone(),
                    against_source: winner.provenance.source.clone(),
                });
            }
        }
    }
    found
}

/// What a contribution said of a person: the person, and the contribution's id. The person may be one whose record is merged
/// into that of the person asked about.
pub type SaidOf<'a> = (&'a str, &'a str);

/// What has to be set aside of an item so that what a contribution says of it is held: everything that goes before.
#[must_use]
pub fn before<'a>(
    person_id: &str,
    item: &str,
    contribution_id: &str,
    assertions: &'a [Assertion],
    authority: &AuthorityInForce,
) -> BTreeSet<SaidOf<'a>> {
    let all = counting(person_id, item, assertions, authority).into_iter();
    all.take_while(|(_, id)| *id != contribution_id).collect()
}

/// What has to be set aside of an item so that what a contribution says of it is not held: that, of everybody in the record.
#[must_use]
pub fn said_by<'a>(
    person_id: &str,
    item: &str,
    contribution_id: &str,
    assertions: &'a [Assertion],
    authority: &AuthorityInForce,
) -> BTreeSet<SaidOf<'a>> {
    let all = counting(person_id, item, assertions, authority).into_iter();
    all.filter(|(_, id)| *id == contribution_id).collect()
}

/// What counts of an item in a person's record, as it would win. What is said of somebody who is not in that record today is
/// not there: one contribution speaks of several persons.
fn counting<'a>(
    person_id: &str,
    item: &str,
    assertions: &'a [Assertion],
    authority: &AuthorityInForce,
) -> Vec<SaidOf<'a>> {
    let all = explain(person_id, item, assertions, authority).concat();
    let all = all.into_iter().filter(|(_, standing)| standing.counts());
    all.map(|(said, _)| (said.person_id.as_str(), said.provenance.contribution_id.as_str()))
        .collect()
}

fn disagree(said: &Assertion, winner: &Assertion) -> bool {
    let (from, since) = (said.provenance.valid_from, winner.provenance.valid_from);
    if matches!((from, since), (Some(from), Some(since)) if from.latest() < since.earliest()) {
        return false;
    }
    if said.says != winner.says {
        return true;
    }
    let held = [HeldValue { value: winner.value.clone(), provenance: winner.provenance.clone() }];
    said.says == Says::Holds && Agreement::of(&said.value, &held, true) == Some(Agreement::Mismatch)
}

#[cfg(test)]
#[path = "disagreement_tests.rs"]
mod tests;
