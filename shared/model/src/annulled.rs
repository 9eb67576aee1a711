//! What counts as never said.

use std::collections::BTreeSet;

use crate::{Assertion, Says, Value};

/// What counts as never said of everything that was said of a person: contributions that were annulled, and what a
/// decision between two sources set aside of an item.
pub(crate) struct Annulled<'a> {
    contributions: BTreeSet<&'a str>,
    /// Items, each with the contribution.
    set_aside: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Annulled<'a> {
    /// By what annuls and is not annulled itself. Whatever annuls is later than what it annuls, so from the latest on each
    /// is decided when its turn comes.
    pub(crate) fn of(person_id: &str, assertions: &'a [Assertion]) -> Self {
        let annuls = |said: &&Assertion| said.person_id == person_id && said.says == Says::Annuls;
        let mut annulling: Vec<&Assertion> = assertions.iter().filter(annuls).collect();
        // To the end: the order of arrival has no say (I5).
        annulling.sort_by_key(|said| {
            (said.provenance.known_at_us, said.version, contribution(said), &said.value)
        });
        let (mut contributions, mut set_aside) = (BTreeSet::new(), BTreeSet::new());
        for said in annulling.into_iter().rev() {
            if let (false, Value::Text(id)) =
                (contributions.contains(contribution(said)), &said.value)
            {
                if said.item.is_empty() {
                    contributions.insert(id.as_str());
                } else {
                    set_aside.insert((said.item.as_str(), id.as_str()));
                }
            }
        }
        Self { contributions, set_aside }
    }

    /// Whether a contribution is annulled.
    pub(crate) fn holds(&self, contribution_id: &str) -> bool {
        self.contributions.contains(contribution_id)
    }

    /// Whether something was set aside.
    pub(crate) fn set_aside(&self, said: &Assertion) -> bool {
        self.set_aside.contains(&(said.item.as_str(), contribution(said)))
    }

    /// Whether something counts.
    pub(crate) fn counts(&self, said: &Assertion) -> bool {
        !self.holds(contribution(said)) && !self.set_aside(said)
    }
}

/// Whether a contribution is annulled for a person: whether what it said counts as never said.
#[must_use]
pub fn is_annulled(person_id: &str, assertions: &[Assertion], contribution_id: &str) -> bool {
    Annulled::of(person_id, assertions).holds(contribution_id)
}

fn contribution(assertion: &Assertion) -> &str {
    &assertion.provenance.contribution_id
}
