//! Which records are one person (I5).
//!
//! A person who was registered twice has two records. That they are one is said of both: of the one that ceases, into whom
//! it is merged, and of the one that stays, who is merged into it. Neither copies a value: the record that stays is the fold
//! of everything that was said of everybody who is merged into it, and the one that ceases holds nothing. So a merge that
//! counts as never made leaves nothing behind, and what is said of either number meanwhile stays with the person to whom that
//! number was given.

use std::collections::{BTreeMap, BTreeSet};

use crate::annulled::Annulled;
use crate::{Assertion, Says, Value, item::NUMBERS};

/// Item under which it is said of a person into whom its record is merged: that person's opaque id, as text. It is the
/// register's own and not in the catalogue: nobody is told it, and no source names it.
pub const MERGED_INTO: &str = "merged_into";
/// Item under which it is said of a person whose record is merged into its own; see [`MERGED_INTO`].
pub const MERGED_FROM: &str = "merged_from";

/// Whether an item says which records are one person.
#[must_use]
pub fn is_link(item: &str) -> bool {
    item == MERGED_INTO || item == MERGED_FROM
}

/// The person to whose record another one leads: itself, where that is merged into nobody. `assertions` are those of
/// everybody who was ever merged with it.
#[must_use]
pub fn survivor<'a>(person_id: &'a str, assertions: &'a [Assertion]) -> &'a str {
    let links = Links::of(assertions);
    let (mut at, mut seen) = (person_id, BTreeSet::new());
    // A circle is refused where it is said; should there be one, this still ends.
    while let Some(next) = links.last(at, MERGED_INTO).filter(|_| seen.insert(at)) {
        at = next;
    }
    at
}

/// What says that a person's record is merged into another one, the latest where there is more; none where it is not.
#[must_use]
pub fn merged_by<'a>(person_id: &str, assertions: &'a [Assertion]) -> Option<&'a Assertion> {
    Links::of(assertions).latest(person_id, MERGED_INTO)
}

/// The person whom something said of another one names as being one with that.
#[must_use]
pub fn linked(said: &Assertion) -> Option<&str> {
    let Value::Text(id) = &said.value else { return None };
    is_link(&said.item).then_some(id)
}

/// How many records a person's own is said to be merged into. More than one is no state of a register.
#[must_use]
pub fn times_merged(person_id: &str, assertions: &[Assertion]) -> usize {
    Links::of(assertions).counting(person_id, MERGED_INTO).count()
}

/// What says which records are one; of most persons there is nothing.
struct Links<'a> {
    said: Vec<&'a Assertion>,
    /// What is annulled of each person of whom there is something.
    annulled: BTreeMap<&'a str, Annulled<'a>>,
}

impl<'a> Links<'a> {
    fn of(assertions: &'a [Assertion]) -> Self {
        let said = assertions.iter().filter(|said| is_link(&said.item) && said.says == Says::Holds);
        let said: Vec<&Assertion> = said.collect();
        let persons: BTreeSet<&str> = said.iter().map(|said| said.person_id.as_str()).collect();
        let annulled = persons.into_iter().map(|person| (person, Annulled::of(person, assertions)));
        let annulled = annulled.collect();
        Self { said, annulled }
    }

    /// What counts of a person.
    fn counting(&self, person_id: &str, item: &str) -> impl Iterator<Item = &'a Assertion> {
        self.said.iter().copied().filter(move |said| {
            let id = said.provenance.contribution_id.as_str();
            let annulled = self.annulled.get(person_id).is_some_and(|of| of.holds(id));
            said.person_id == person_id && said.item == item && !annulled
        })
    }

    /// The latest of that.
    fn latest(&self, person_id: &str, item: &str) -> Option<&'a Assertion> {
        self.counting(person_id, item).max_by_key(|said| {
            (said.provenance.known_at_us, said.version, &said.provenance.contribution_id)
        })
    }

    /// Whom that names.
    fn last(&self, person_id: &str, item: &str) -> Option<&'a str> {
        self.latest(person_id, item).and_then(linked)
    }
}

/// Those of whom a record is the fold.
pub(crate) struct Gathered<'a> {
    person_id: &'a str,
    /// Whether the record is merged into another one, and holds nothing.
    away: bool,
    /// What is annulled of each: of the person, and of everybody whose record is merged into its own.
    annulled: BTreeMap<&'a str, Annulled<'a>>,
    /// Numbers that the person has itself.
    own_numbers: BTreeSet<&'a str>,
}

impl<'a> Gathered<'a> {
    /// Of a person; `assertions` are at least those of everybody who was ever merged into it.
    pub(crate) fn of(person_id: &'a str, assertions: &'a [Assertion]) -> Self {
        let links = Links::of(assertions);
        let (mut members, mut open) = (BTreeSet::from([person_id]), vec![person_id]);
        while let Some(member) = open.pop() {
            for other in links.counting(member, MERGED_FROM).filter_map(linked) {
                if members.insert(other) {
                    open.push(other);
                }
            }
        }
        let away = links.last(person_id, MERGED_INTO).is_some();
        let annulled = members.into_iter().map(|member| (member, Annulled::of(member, assertions)));
        let (annulled, own_numbers) = (annulled.collect(), BTreeSet::new());
        let mut gathered = Self { person_id, away, annulled, own_numbers };
        let own = assertions.iter().filter(|said| {
            said.person_id == person_id
                && said.says == Says::Holds
                && NUMBERS.contains(&said.item.as_str())
                && gathered.stands(said)
        });
        gathered.own_numbers = own.map(|said| said.item.as_str()).collect();
        gathered
    }

    /// Whether something was said of the person, or of somebody who is merged into it; of one who is merged into another
    /// person, only that.
    pub(crate) fn has(&self, said: &Assertion) -> bool {
        if self.away {
            return said.person_id == self.person_id
                && said.item == MERGED_INTO
                && !self.annuls(said);
        }
        self.annulled.contains_key(said.person_id.as_str())
    }

    /// Whether something that was said of them counts as never said.
    pub(crate) fn annuls(&self, said: &Assertion) -> bool {
        let of = self.annulled.get(said.person_id.as_str());
        of.is_some_and(|of| of.holds(&said.provenance.contribution_id))
    }

    /// Whether a decision between two sources set it aside.
    pub(crate) fn set_aside(&self, said: &Assertion) -> bool {
        self.annulled.get(said.person_id.as_str()).is_some_and(|of| of.set_aside(said))
    }

    /// Whether it is neither.
    fn stands(&self, said: &Assertion) -> bool {
        self.annulled.get(said.person_id.as_str()).is_some_and(|of| of.counts(said))
    }

    /// Whether it is a number of somebody who is merged into a person that has one itself: it leads to the person, and is not
    /// the person's number.
    pub(crate) fn is_merged_number(&self, said: &Assertion) -> bool {
        said.person_id != self.person_id && self.own_numbers.contains(said.item.as_str())
    }

    /// Whether something that was said of them has a say in the record.
    pub(crate) fn counts(&self, said: &Assertion) -> bool {
        let value = said.says != Says::Annuls && !is_link(&said.item);
        value && !self.away && self.stands(said) && !self.is_merged_number(said)
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
