//! Under which records accesses to a person stand.

#![allow(clippy::unwrap_used, reason = "tests")]
use model::Provenance;

use super::*;

fn said(person: &str, item: &str, value: Value, known_ms: i64, id: &str) -> Assertion {
    Assertion {
        person_id: person.to_owned(),
        item: item.to_owned(),
        value,
        provenance: Provenance {
            source: "npd".to_owned(),
            contribution_id: id.to_owned(),
            valid_from: None,
            known_at_us: known_ms * 1_000,
        },
        version: known_ms.unsigned_abs(),
        says: Says::Holds,
        event: None,
    }
}

/// That the record of one is merged into that of the other, at a moment.
fn merged(one: &str, other: &str, known_ms: i64) -> [Assertion; 2] {
    let link = |person, item, of: &str| {
        said(person, item, Value::Text(of.to_owned()), known_ms, &format!("m{known_ms}"))
    };
    [link(one, merge::MERGED_INTO, other), link(other, merge::MERGED_FROM, one)]
}

/// That what was said at a moment counts as never said, of both.
fn annulled(persons: [&str; 2], of_ms: i64, known_ms: i64) -> [Assertion; 2] {
    persons.map(|person| {
        let names = Value::Text(format!("m{of_ms}"));
        Assertion {
            says: Says::Annuls,
            ..said(person, "", names, known_ms, &format!("a{known_ms}"))
        }
    })
}

fn spell(person_id: &str, from_ms: u64, until_ms: u64) -> Spell {
    Spell { person_id: person_id.to_owned(), from_ms, until_ms }
}

#[test]
fn somebody_who_was_never_merged_has_one_record() {
    assert_eq!(spells("a", &[]), [spell("a", 0, 0)]);
}

#[test]
fn a_merge_adds_the_record_that_ceased() {
    let all = merged("b", "a", 10);
    assert_eq!(spells("a", &all), [spell("a", 0, 0), spell("b", 0, 0)]);
}

#[test]
fn after_a_split_the_time_for_which_they_were_one_is_with_both() {
    let all = [merged("b", "a", 10), annulled(["b", "a"], 10, 20)].concat();
    assert_eq!(spells("a", &all), [spell("a", 0, 0)]);
    assert_eq!(spells("b", &all), [spell("b", 0, 0), spell("a", 10, 20)]);
    // And merged anew, the other way round.
    let all = [all, merged("a", "b", 30).to_vec()].concat();
    assert_eq!(spells("b", &all), [spell("b", 0, 0), spell("a", 0, 0)]);
}

#[test]
fn a_time_that_others_cut_is_one_spell() {
    // While `b` was `a`, somebody else was merged into `a`, too.
    let all = [merged("b", "a", 10), merged("c", "a", 15), annulled(["b", "a"], 10, 20)].concat();
    assert_eq!(spells("b", &all), [spell("b", 0, 0), spell("a", 10, 20)]);
    assert_eq!(spells("a", &all), [spell("a", 0, 0), spell("c", 0, 0)]);
}

#[test]
fn times_that_are_no_whole_milliseconds_are_one_spell_too() {
    let us = |mut said: Assertion, by: i64| {
        said.provenance.known_at_us += by;
        said
    };
    let all = [merged("b", "a", 10), merged("c", "a", 15), annulled(["b", "a"], 10, 20)].concat();
    let all: Vec<Assertion> = all.into_iter().map(|said| us(said, 123)).collect();
    assert_eq!(spells("b", &all), [spell("b", 0, 0), spell("a", 10, 20)]);
}
