//! Under which records of the register accesses to a person stand. A record that is merged into another one is that person's as well;
//! what stood under the other one while they were one was about both.

use std::collections::BTreeSet;

use model::{Assertion, Identifier, Says, Value, as_of, item::NUMBERS, merge};

/// A record under which accesses to a person stand, and for how long they are that person's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spell {
    /// The record.
    pub(crate) person_id: String,
    /// From when, milliseconds since 1970; 0 from the beginning.
    pub(crate) from_ms: u64,
    /// Until when; 0 for ever.
    pub(crate) until_ms: u64,
}

impl Spell {
    fn always(person_id: &str) -> Self {
        Self { person_id: person_id.to_owned(), from_ms: 0, until_ms: 0 }
    }
}

/// The records of a person: its own, those that are merged into it, and those with which one of these was one for a time. `said` is
/// what was ever said of it, and of whoever was ever merged with it.
pub(crate) fn spells(person_id: &str, said: &[Assertion]) -> Vec<Spell> {
    let members = members(person_id, said);
    let mut spells = vec![Spell::always(person_id)];
    let others = members.iter().filter(|member| **member != person_id);
    spells.extend(others.map(|member| Spell::always(member)));
    let counts = |said: &&Assertion| merge::is_link(&said.item) || said.says == Says::Annuls;
    let moments: BTreeSet<i64> =
        said.iter().filter(counts).map(|said| said.provenance.known_at_us).collect();
    let moments: Vec<i64> = moments.into_iter().collect();
    for (place, moment) in moments.iter().enumerate() {
        let known = as_of(said, *moment, None);
        // Up to now they are one of today's.
        let Some(next) = moments.get(place + 1) else { break };
        for member in &members {
            let led_to = merge::survivor(member, &known);
            if members.contains(led_to) {
                continue;
            }
            let spell = Spell {
                person_id: led_to.to_owned(),
                from_ms: milliseconds(*moment),
                until_ms: milliseconds(next.saturating_add(999)),
            };
            if spells.contains(&spell) {
                continue;
            }
            let before = |s: &&mut Spell| s.person_id == led_to && s.until_ms == spell.from_ms;
            match spells.iter_mut().find(before) {
                Some(before) => before.until_ms = spell.until_ms,
                None => spells.push(spell),
            }
        }
    }
    spells
}

/// The numbers that were given to a person, under any of its records.
pub(crate) fn numbers<'a>(person_id: &'a str, said: &'a [Assertion]) -> BTreeSet<&'a str> {
    let members = members(person_id, said);
    let own = said.iter().filter(|said| {
        members.contains(said.person_id.as_str()) && NUMBERS.contains(&said.item.as_str())
    });
    own.filter_map(|said| match &said.value {
        Value::Identifier(Identifier::PersonalNumber(number)) => Some(number.as_str()),
        Value::Identifier(Identifier::OldNumber9(number)) => Some(number.as_str()),
        Value::Text(_)
        | Value::Date(_)
        | Value::Name(_)
        | Value::Address(_)
        | Value::Coded(_)
        | Value::Relation(_)
        | Value::Document(_) => None,
    })
    .collect()
}

/// Whose records are the person's today.
fn members<'a>(person_id: &'a str, said: &'a [Assertion]) -> BTreeSet<&'a str> {
    let all: BTreeSet<&str> = said.iter().map(|said| said.person_id.as_str()).collect();
    let own = all.into_iter().filter(|one| merge::survivor(one, said) == person_id);
    own.chain([person_id]).collect()
}

fn milliseconds(us: i64) -> u64 {
    u64::try_from(us / 1_000).unwrap_or(0)
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
