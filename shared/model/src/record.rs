//! A person's current record: a pure fold of what sources asserted (I5).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::Date;

use crate::date::parts;
use crate::item::{CONTACTS, DEATH, DOCUMENTS, HOUSEHOLD, RELATIVES, holds_several};
use crate::merge::Gathered;
use crate::{
    AuthorityInForce, EventKind, Identifier, NameLevel, PartialDate, Relation, RelationKind, Value,
};

/// A person is a minor below this age. The article that says so is still to be verified.
const MAJORITY: i32 = 18;

/// Where a value comes from, and its two clocks (I6).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The database that provided it.
    pub source: String,
    /// The contribution that brought it.
    pub contribution_id: String,
    /// From when it is true; none when the source did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<PartialDate>,
    /// When the register learnt it, in microseconds since 1970 (UTC).
    pub known_at_us: i64,
}

/// One value with its origin.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldValue {
    /// The value.
    pub value: Value,
    /// Its origin.
    pub provenance: Provenance,
}

/// What an assertion says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// The value holds, from `valid_from` on.
    #[default]
    Holds,
    /// The value holds no more, from `valid_from` on, and no other takes its place.
    Ends,
    /// What the contribution of this id said was never so; where there is an item, what it said of that: it was set aside when
    /// it was decided between two sources. The value is that id, as text. What annuls can itself be annulled.
    Annuls,
}

impl Says {
    fn holds(&self) -> bool {
        *self == Self::Holds
    }
}

/// What one contribution says of one item of one person. Never changed once stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// The person.
    pub person_id: String,
    /// The item's id in the catalogue; empty for what annuls a contribution.
    pub item: String,
    /// What is said.
    pub value: Value,
    /// Whether that holds, ends, or annuls.
    #[serde(default, skip_serializing_if = "Says::holds")]
    pub says: Says,
    /// The kind of event that said it; none where it was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventKind>,
    /// Who says it, and since when.
    pub provenance: Provenance,
    /// The version of the person's record that it made.
    pub version: u64,
}

/// A person's current values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldenRecord {
    /// The person.
    pub person_id: String,
    /// The highest version among the assertions; 0 without any.
    pub version: u64,
    /// Whether the person is hidden from callers without the right to know (I7).
    pub protected: bool,
    /// Current values by item; an item without values is not there.
    pub items: BTreeMap<String, Vec<HeldValue>>,
}

redacted_debug!(Provenance, HeldValue, Assertion, GoldenRecord);

/// What tells the values of one item apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place<'a> {
    /// The item holds one value.
    Only,
    /// What somebody is to the person, and the name at L2.
    Relation(RelationKind, String),
    /// A member of the household, head or not, by the name at L2.
    Member(String),
    /// A kind of document.
    Document(&'a str),
    /// A telephone number.
    Telephone,
    /// An e-mail address.
    Email,
}

/// Folds assertions into the record of `person_id`: its own, and those of whoever is merged into it ([`crate::merge`]); those
/// of other persons are passed over. The order of `assertions` does not matter, nor that one arrives twice (I5). What was
/// annulled counts as never said; a value that ended is not held. Whoever is merged into another person holds nothing.
///
/// `protected` is an argument and not a default, so that no recomputation can lift a protection.
///
/// Of an item that holds one value the source with the most authority wins; among equals the latest, by when it is
/// true, then when it was learnt, then by contribution. Relations keep one value for each kind and name at L2, a household
/// one for each name, because a relative is often known by name before by number; two children of one name are therefore
/// held as one. Documents keep one for each kind, contact points a telephone number and an e-mail address.
#[must_use]
pub fn fold(
    person_id: &str,
    protected: bool,
    assertions: &[Assertion],
    authority: &AuthorityInForce,
) -> GoldenRecord {
    let mut version = 0;
    let gathered = Gathered::of(person_id, assertions);
    let mut latest: BTreeMap<(&str, Place<'_>), &Assertion> = BTreeMap::new();
    for assertion in assertions.iter().filter(|said| gathered.has(said)) {
        version = version.max(assertion.version);
        if !gathered.counts(assertion) {
            continue;
        }
        latest
            .entry((&assertion.item, place(&assertion.item, &assertion.value, authority)))
            .and_modify(|held| {
                if precedence(assertion, held, authority) == Ordering::Greater {
                    *held = assertion;
                }
            })
            .or_insert(assertion);
    }
    let mut items: BTreeMap<String, Vec<HeldValue>> = BTreeMap::new();
    for ((item, _), assertion) in latest.into_iter().filter(|(_, said)| said.says == Says::Holds) {
        items.entry(item.to_owned()).or_default().push(HeldValue {
            value: assertion.value.clone(),
            provenance: assertion.provenance.clone(),
        });
    }
    GoldenRecord { person_id: person_id.to_owned(), version, protected, items }
}

/// Where a value has its place, by the rules: which items hold several values is part of them.
fn place<'a>(item: &str, value: &'a Value, rules: &AuthorityInForce) -> Place<'a> {
    let told_apart = rules.tells_apart(item);
    match (item, value) {
        (HOUSEHOLD, Value::Relation(relation)) if told_apart => Place::Member(name_of(relation)),
        (RELATIVES | HOUSEHOLD, Value::Relation(relation)) => {
            Place::Relation(relation.kind, name_of(relation))
        }
        (DOCUMENTS, Value::Document(document)) if told_apart => {
            Place::Document(&document.kind.code)
        }
        (CONTACTS, Value::Text(text)) if told_apart && text.contains('@') => Place::Email,
        (CONTACTS, Value::Text(_)) if told_apart => Place::Telephone,
        _ => Place::Only,
    }
}

fn name_of(relation: &Relation) -> String {
    relation.name.full_name.match_key(NameLevel::L2)
}

/// Whether a relation is of the kind of another; to be the head of a household and to be another member is one.
fn is_of_kind(item: &str, held: &Value, relation: &Relation) -> bool {
    held.relation().is_some_and(|held| held.kind == relation.kind || item == HOUSEHOLD)
}

/// Whether two relations name one person by number; none where one of them names none.
fn same_number(
    held: &Value,
    relation: &Relation,
    same: &dyn Fn(&Identifier, &Identifier) -> bool,
) -> Option<bool> {
    let held = held.relation()?;
    Some(same(held.identifier.as_ref()?, relation.identifier.as_ref()?))
}

/// What was known at a moment and true on a day, of everything that was said: as if nothing else had been.
#[must_use]
pub fn as_of(
    assertions: &[Assertion],
    known_at_us: i64,
    valid_on: Option<PartialDate>,
) -> Vec<Assertion> {
    let known = |said: &&Assertion| said.provenance.known_at_us <= known_at_us;
    let held = |said: &&Assertion| {
        let from = said.provenance.valid_from.filter(|_| said.says != Says::Annuls);
        valid_on.is_none_or(|day| from.is_none_or(|from| from.earliest() <= day.latest()))
    };
    assertions.iter().filter(known).filter(held).cloned().collect()
}

/// The kind of event by which somebody is held as dead or missing; none of whoever is not. A correction corrects what it is,
/// and what was asserted without its kind is a death.
#[must_use]
pub fn gone_by(
    person_id: &str,
    assertions: &[Assertion],
    authority: &AuthorityInForce,
) -> Option<EventKind> {
    let all = explain(person_id, DEATH, assertions, authority).into_iter().next()?;
    let (current, standing) = all.first()?;
    if *standing != Standing::Current || current.says != Says::Holds {
        return None;
    }
    let counts =
        all.iter().filter(|(said, standing)| said.says == Says::Holds && standing.counts());
    let mut kinds = counts.map(|(said, _)| said.event.unwrap_or(EventKind::Death));
    Some(kinds.find(|kind| *kind != EventKind::Correction).unwrap_or(EventKind::Death))
}

/// How an assertion stands in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// What it says is current: its value, or that there is none any more.
    Current,
    /// A source with more authority says otherwise, or the same.
    Outranked,
    /// A source with as much authority says what is true from a later day.
    Superseded,
    /// A source with as much authority said something later of the same day.
    Replaced,
    /// It was annulled: it counts as never said.
    Annulled,
    /// It was decided against it, in favour of what another source said.
    SetAside,
    /// It is the number of a record that is merged into the person's: it leads to the person, who has another one.
    Merged,
}

impl Standing {
    /// Whether it counts.
    #[must_use]
    pub fn counts(self) -> bool {
        !matches!(self, Self::Annulled | Self::SetAside | Self::Merged)
    }
}

/// Everything that was said of an item of a person, with how it stands: for each value that is current beside others, that
/// one first, and after it what lost to it, as it would win.
#[must_use]
pub fn explain<'a>(
    person_id: &str,
    item: &str,
    assertions: &'a [Assertion],
    authority: &AuthorityInForce,
) -> Vec<Vec<(&'a Assertion, Standing)>> {
    let gathered = Gathered::of(person_id, assertions);
    let about =
        |said: &&Assertion| gathered.has(said) && said.item == item && said.says != Says::Annuls;
    let mut places: BTreeMap<Place<'_>, Vec<&Assertion>> = BTreeMap::new();
    for said in assertions.iter().filter(about) {
        places.entry(place(item, &said.value, authority)).or_default().push(said);
    }
    let group = |mut said: Vec<&'a Assertion>| {
        let counts = |said: &Assertion| gathered.counts(said);
        said.sort_by(|left, right| {
            counts(right).cmp(&counts(left)).then_with(|| precedence(right, left, authority))
        });
        let winner = said.first().copied();
        let stands = |(place, said): (usize, &'a Assertion)| match winner {
            _ if gathered.annuls(said) => (said, Standing::Annulled),
            _ if gathered.set_aside(said) => (said, Standing::SetAside),
            _ if gathered.is_merged_number(said) => (said, Standing::Merged),
            Some(winner) if place > 0 => (said, lost(said, winner, authority)),
            Some(_) | None => (said, Standing::Current),
        };
        said.into_iter().enumerate().map(stands).collect()
    };
    places.into_values().map(group).collect()
}

fn lost(said: &Assertion, winner: &Assertion, authority: &AuthorityInForce) -> Standing {
    let rank = |said: &Assertion| authority.rank(&said.item, &said.provenance.source);
    if rank(winner) < rank(said) {
        Standing::Outranked
    } else if said.provenance.valid_from < winner.provenance.valid_from {
        Standing::Superseded
    } else {
        Standing::Replaced
    }
}

/// The order of winning. It ends with source and value, so that two assertions that differ at all are
/// never equal and the order of arrival has no say.
fn precedence(left: &Assertion, right: &Assertion, authority: &AuthorityInForce) -> Ordering {
    let (a, b) = (&left.provenance, &right.provenance);
    let rank = |said: &Assertion| authority.rank(&said.item, &said.provenance.source);
    // The lowest place wins.
    rank(right)
        .cmp(&rank(left))
        .then_with(|| a.valid_from.cmp(&b.valid_from))
        .then_with(|| a.known_at_us.cmp(&b.known_at_us))
        .then_with(|| a.contribution_id.cmp(&b.contribution_id))
        .then_with(|| a.source.cmp(&b.source))
        .then_with(|| left.says.cmp(&right.says))
        .then_with(|| left.value.cmp(&right.value))
        .then_with(|| left.event.cmp(&right.event))
}

impl GoldenRecord {
    /// What is held of an item; nothing where none is.
    #[must_use]
    pub fn values(&self, item: &str) -> &[HeldValue] {
        self.items.get(item).map(Vec::as_slice).unwrap_or_default()
    }

    /// The held values of an item that `value` names: a person by a number that is the `same` person's, or else by name; a
    /// document by its kind, and its number where one is given; anything else by itself. Without a value, the one of an item
    /// that holds one.
    #[must_use]
    pub fn named(
        &self,
        item: &str,
        value: Option<&Value>,
        same: &dyn Fn(&Identifier, &Identifier) -> bool,
    ) -> Vec<&HeldValue> {
        let held = self.values(item).iter();
        match value {
            None => held.take(1).filter(|_| !holds_several(item)).collect(),
            Some(Value::Relation(relation)) => {
                let of_kind = |held: &&HeldValue| is_of_kind(item, &held.value, relation);
                let of_kind: Vec<&HeldValue> = held.filter(of_kind).collect();
                let by = |number: Option<bool>| {
                    of_kind
                        .iter()
                        .copied()
                        .filter(move |held| same_number(&held.value, relation, same) == number)
                };
                let numbered: Vec<&HeldValue> = by(Some(true)).collect();
                let placed = |held: &&HeldValue| {
                    held.value.relation().is_some_and(|held| name_of(held) == name_of(relation))
                };
                if numbered.is_empty() { by(None).filter(placed).collect() } else { numbered }
            }
            Some(Value::Document(document)) => {
                let is = |held: &&HeldValue| {
                    let Value::Document(held) = &held.value else { return false };
                    let number = document.number.is_empty() || held.number == document.number;
                    held.kind.code == document.kind.code && number
                };
                held.filter(is).collect()
            }
            Some(value) => held.filter(|held| held.value == *value).collect(),
        }
    }

    /// Whether the register holds a date of death or of being declared missing (Law 26/2023/QH15,
    /// Art. 9, item 24).
    #[must_use]
    pub fn deceased(&self) -> bool {
        !self.values(DEATH).is_empty()
    }

    /// Whether the person is a minor on that day; none when the date of birth is not held, or not
    /// precisely enough to tell. An unknown fact is no fact (I2).
    #[must_use]
    pub fn is_minor(&self, today: Date) -> Option<bool> {
        let held = self.items.get("date_of_birth")?.first()?;
        let Value::Date(birth) = &held.value else { return None };
        let (year, month, day) = parts(today);
        // Born on or before this day: of age.
        let of_age = (year - MAJORITY, month, day);
        if birth.latest() <= of_age {
            Some(false)
        } else if birth.earliest() > of_age {
            Some(true)
        } else {
            None
        }
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
