//! Tests of what records of one person fold to.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
use proptest::prelude::*;

use super::*;
use crate::{AuthorityInForce, GoldenRecord, Provenance, Standing, explain, fold};

const PERSONS: [&str; 3] = ["a", "b", "c"];

fn said(person: &str, item: &str, text: &str, at: i64) -> Assertion {
    Assertion {
        person_id: person.into(),
        item: item.into(),
        value: Value::Text(text.into()),
        provenance: Provenance {
            source: "civil-status".into(),
            contribution_id: format!("c-{at}"),
            valid_from: None,
            known_at_us: at,
        },
        version: at.unsigned_abs(),
        says: Says::Holds,
        event: None,
    }
}

/// That `one` is merged into `other`, by the contribution of a moment.
fn merged(one: &str, other: &str, at: i64) -> Vec<Assertion> {
    vec![said(one, MERGED_INTO, other, at), said(other, MERGED_FROM, one, at)]
}

/// That what was contributed at a moment counts as never said, of these persons.
fn annuls(persons: &[&str], annulled: i64, at: i64) -> Vec<Assertion> {
    let one = |person: &&str| Assertion {
        says: Says::Annuls,
        ..said(person, "", &format!("c-{annulled}"), at)
    };
    persons.iter().map(one).collect()
}

fn of(person: &str, all: &[Assertion]) -> GoldenRecord {
    fold(person, false, all, &AuthorityInForce::equal())
}

/// The contribution by which a person is merged.
fn by<'a>(person: &str, all: &'a [Assertion]) -> Option<&'a str> {
    merged_by(person, all).map(|said| said.provenance.contribution_id.as_str())
}

fn text(record: &GoldenRecord, item: &str) -> Option<String> {
    let Value::Text(text) = &record.values(item).first()?.value else { panic!("{item}") };
    Some(text.clone())
}

#[test]
fn whoever_is_merged_holds_nothing_and_the_other_one_what_was_said_of_both() {
    let mut all = vec![said("a", "x", "of a", 1), said("b", "x", "of b", 2)];
    all.push(said("a", "y", "of a", 3));
    all.extend(merged("a", "b", 4));
    assert!(of("a", &all).items.is_empty());
    assert_eq!(text(&of("b", &all), "x").as_deref(), Some("of b"), "the later one");
    assert_eq!(text(&of("b", &all), "y").as_deref(), Some("of a"));
    assert_eq!((survivor("a", &all), survivor("b", &all)), ("b", "b"));
    assert_eq!((by("a", &all), by("b", &all)), (Some("c-4"), None));
    all.extend(annuls(&["a", "b"], 4, 5));
    assert_eq!(text(&of("a", &all), "x").as_deref(), Some("of a"));
    assert!(text(&of("b", &all), "y").is_none());
    assert_eq!((survivor("a", &all), by("a", &all)), ("a", None));
    // What was a split was none.
    all.extend(annuls(&["a", "b"], 5, 6));
    assert!(of("a", &all).items.is_empty());
    assert_eq!(text(&of("b", &all), "y").as_deref(), Some("of a"));
}

#[test]
fn whoever_stays_keeps_its_number_and_takes_one_that_it_has_not() {
    const NUMBER: &str = "personal_id_number";
    let mut all = vec![said("b", NUMBER, "of b", 1), said("a", NUMBER, "of a", 2)];
    all.push(said("a", "old_id_number_9", "old", 3));
    all.extend(merged("a", "b", 4));
    let record = of("b", &all);
    assert_eq!(text(&record, NUMBER).as_deref(), Some("of b"), "although the other was said later");
    assert_eq!(text(&record, "old_id_number_9").as_deref(), Some("old"));
    let rules = AuthorityInForce::equal();
    let told: Vec<Standing> =
        explain("b", NUMBER, &all, &rules).concat().into_iter().map(|(_, s)| s).collect();
    assert_eq!(told, [Standing::Current, Standing::Merged]);
    // A person without a number of its own has that of whoever is merged into it.
    all.extend(annuls(&["b"], 1, 5));
    assert_eq!(text(&of("b", &all), NUMBER).as_deref(), Some("of a"));
}

#[test]
fn a_circle_holds_nothing_and_ends() {
    let all: Vec<_> = merged("a", "b", 1).into_iter().chain(merged("b", "a", 2)).collect();
    assert!(of("a", &all).items.is_empty() && of("b", &all).items.is_empty());
    assert!(PERSONS.contains(&survivor("a", &all)));
    assert_eq!((times_merged("a", &all), times_merged("c", &all)), (1, 0));
}

/// Things said of three persons, each at its moment.
fn sayings() -> impl Strategy<Value = Vec<Assertion>> {
    let one = (0usize..3, 0usize..3, 0u8..4);
    prop::collection::vec(one, 0..12).prop_map(|all| {
        let one = |(at, (person, item, text)): (usize, (usize, usize, u8))| {
            let at = i64::try_from(at).unwrap() + 1;
            let item = ["x", "y", "personal_id_number"][item];
            said(PERSONS[person], item, &text.to_string(), at)
        };
        all.into_iter().enumerate().map(one).collect()
    })
}

proptest! {
    /// Whatever was said before and meanwhile: a merge that was split leaves each with what was said of it.
    #[test]
    fn i5_a_merge_that_was_split_leaves_nothing_behind(
        sayings in sayings(),
        split_first in any::<bool>(),
        turn in 0usize..40,
    ) {
        let before = PERSONS.map(|person| of(person, &sayings).items);
        let mut all = sayings.clone();
        all.extend(merged("a", "b", 100));
        all.extend(merged("b", "c", 101));
        prop_assert_eq!([survivor("a", &all), survivor("b", &all)], ["c", "c"]);
        prop_assert!(of("a", &all).items.is_empty() && of("b", &all).items.is_empty());
        // What any of them holds the last one holds, of somebody.
        let whole = of("c", &all);
        for items in &before {
            prop_assert!(items.keys().all(|item| whole.items.contains_key(item)));
        }
        let turned = turn % all.len();
        all.rotate_left(turned);
        prop_assert!(of("c", &all) == whole, "the order of arrival has no say");
        let (first, second) = if split_first { (100, 101) } else { (101, 100) };
        for (place, annulled) in [first, second].into_iter().enumerate() {
            let both: &[&str] = if annulled == 100 { &["a", "b"] } else { &["b", "c"] };
            all.extend(annuls(both, annulled, 200 + i64::try_from(place).unwrap()));
        }
        let turned = turn % all.len();
        all.rotate_left(turned);
        for (person, before) in PERSONS.into_iter().zip(before) {
            prop_assert!(of(person, &all).items == before);
            prop_assert_eq!(survivor(person, &all), person);
        }
    }
}
