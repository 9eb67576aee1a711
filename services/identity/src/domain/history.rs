//! Under which records of the register accesses to a person stand. A record that is merged into another one is that person's as well;
//! what stood under the other one while they were one was about both.

use std::collections::BTreeSet;

use model::{Assertion, GoldenRecord, Says, Value, as_of, item::NUMBERS, merge};

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
    // Microseconds: a time that something else cuts is one only where both ends meet.
    let mut times: Vec<(String, i64, i64)> = Vec::new();
    // After the last of them they are one of today's.
    for (from, until) in moments.iter().zip(moments.iter().skip(1)) {
        let known = as_of(said, *from, None);
        let led_to: BTreeSet<&str> =
            members.iter().map(|member| merge::survivor(member, &known)).collect();
        for other in led_to.difference(&members) {
            match times.iter_mut().find(|(one, _, end)| one == other && end == from) {
                Some((_, _, end)) => *end = *until,
                None => times.push(((*other).to_owned(), *from, *until)),
            }
        }
    }
    spells.extend(times.into_iter().map(|(person_id, from, until)| Spell {
        person_id,
        from_ms: milliseconds(from),
        until_ms: milliseconds(until),
    }));
    spells
}

/// The numbers that a record holds: one that was given by mistake is another person's, and so is who asked by it.
pub(crate) fn numbers(record: &GoldenRecord) -> BTreeSet<&str> {
    let held = NUMBERS.into_iter().flat_map(|item| record.values(item));
    held.filter_map(|held| match &held.value {
        Value::Identifier(number) => Some(number.as_str()),
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
    let all = said.iter().map(|said| said.person_id.as_str());
    let own = all.filter(|one| merge::survivor(one, said) == person_id);
    own.chain([person_id]).collect()
}

fn milliseconds(us: i64) -> u64 {
    u64::try_from(us / 1_000).unwrap_or(0)
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
