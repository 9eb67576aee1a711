//! Tests of disagreements, and of what is set aside.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
use proptest::prelude::*;
use time::macros::date;

use super::*;
use crate::{Authority, PartialDate, Provenance, Value, fold, merge};

fn said(source: &str, value: &str, year: Option<i32>, known: i64, id: &str) -> Assertion {
    Assertion {
        person_id: "p1".into(),
        item: "sex".into(),
        value: Value::Text(value.into()),
        provenance: Provenance {
            source: source.into(),
            contribution_id: id.into(),
            valid_from: year.map(|year| PartialDate::new(year, 0, 0).unwrap()),
            known_at_us: known,
        },
        version: known.unsigned_abs(),
        says: Says::Holds,
        event: None,
    }
}

fn aside(id: &str, known: i64, by: &str) -> Assertion {
    Assertion { says: Says::Annuls, ..said("high", id, None, known, by) }
}

fn rules() -> AuthorityInForce {
    let text = "version = 1\n[[rule]]\nitem = \"sex\"\nsources = [\"high\", \"middle\"]\n\
                effective_from = \"2016-01-01\"\nbasis = \"Law A\"\n";
    Authority::parse(text).unwrap().in_force(date!(2026 - 11 - 25))
}

fn found(all: &[Assertion]) -> Vec<(String, String)> {
    let found = disagreements("p1", ["sex"], all, &rules()).into_iter();
    found.map(|one| (one.contribution_id, one.against_contribution_id)).collect()
}

fn pair(one: &str, other: &str) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

#[test]
fn whoever_has_less_authority_and_says_otherwise_disagrees() {
    let (high, low) = (said("high", "a", Some(2000), 1, "h"), said("low", "b", Some(2000), 2, "l"));
    assert_eq!(found(&[high.clone(), low.clone()]), [pair("l", "h")]);
    // Whoever spoke first.
    let earlier = said("low", "b", Some(2000), 0, "l");
    assert_eq!(found(&[high.clone(), earlier]), [pair("l", "h")]);
    // The same is no disagreement, nor what was so before.
    assert_eq!(found(&[high.clone(), said("low", "A", Some(2000), 2, "l")]), []);
    assert_eq!(found(&[high.clone(), said("low", "b", Some(1999), 2, "l")]), []);
    assert_eq!(found(&[high.clone(), said("low", "b", None, 2, "l")]), [pair("l", "h")]);
    // Among equals the later word is held.
    assert_eq!(found(&[low, said("lower", "c", Some(2001), 3, "o")]), []);
    // That something ended disagrees with that it holds.
    let ends = Assertion { says: Says::Ends, ..said("low", "a", Some(2001), 2, "l") };
    assert_eq!(found(&[high, ends]), [pair("l", "h")]);
}

#[test]
fn of_a_source_what_it_says_now_counts() {
    let high = said("high", "a", Some(2000), 1, "h");
    let (was, is) = (said("low", "b", Some(2000), 2, "l1"), said("low", "a", Some(2001), 3, "l2"));
    assert_eq!(found(&[high.clone(), was.clone()]), [pair("l1", "h")]);
    assert_eq!(found(&[high.clone(), was, is]), []);
    let middle = said("middle", "c", Some(2000), 4, "m");
    let low = said("low", "b", Some(2000), 5, "l");
    assert_eq!(found(&[high, middle, low]), [pair("l", "h"), pair("m", "h")]);
}

#[test]
fn what_is_decided_is_no_disagreement_any_more() {
    let all = [said("high", "a", Some(2000), 1, "h"), said("low", "b", Some(2000), 2, "l")];
    let held = |more: &[Assertion]| {
        let all = [&all[..], more].concat();
        let record = fold("p1", false, &all, &rules());
        let Value::Text(text) = record.values("sex")[0].value.clone() else { panic!() };
        (text, found(&all).len())
    };
    assert_eq!(held(&[]), ("a".to_owned(), 1));
    // For the source, against it, and that decision annulled.
    assert_eq!(held(&[aside("h", 3, "d")]), ("b".to_owned(), 0));
    assert_eq!(held(&[aside("l", 3, "d")]), ("a".to_owned(), 0));
    let annulled = Assertion { item: String::new(), ..aside("d", 4, "x") };
    assert_eq!(held(&[aside("h", 3, "d"), annulled]), ("a".to_owned(), 1));
    // Whoever has the authority may speak again.
    assert_eq!(held(&[aside("h", 3, "d"), said("high", "c", Some(2000), 5, "n")]).0, "c");
}

/// That the record of one is merged into that of the other, at a moment.
fn merged(one: &str, other: &str, known: i64) -> [Assertion; 2] {
    let link = |person: &str, item: &str, of: &str| Assertion {
        person_id: person.into(),
        item: item.into(),
        ..said("npd", of, None, known, &format!("m{known}"))
    };
    [link(one, merge::MERGED_INTO, other), link(other, merge::MERGED_FROM, one)]
}

fn of(person: &str, said: Assertion) -> Assertion {
    Assertion { person_id: person.into(), ..said }
}

#[test]
fn no_contribution_disagrees_with_itself() {
    // Everybody was loaded by one contribution, whatever the source.
    let mut all = vec![said("high", "a", Some(2000), 1, "load")];
    all.push(of("p2", said("low", "b", Some(2000), 1, "load")));
    all.extend(merged("p2", "p1", 2));
    assert_eq!(found(&all), []);
    // What another one says beside it is as it would be without.
    all.push(of("p2", said("middle", "c", Some(2000), 3, "m")));
    assert_eq!(found(&all), [pair("m", "load")]);
}

#[test]
fn only_what_is_said_of_those_in_the_record_is_set_aside() {
    let mut all: Vec<Assertion> = ["p1", "p2", "p3"]
        .into_iter()
        .flat_map(|person| {
            let one = [
                said("high", "a", Some(2000), 1, "load"),
                said("low", "b", Some(2000), 2, "household"),
            ];
            one.map(|said| of(person, said))
        })
        .collect();
    all.extend(merged("p2", "p1", 3));
    all.extend(merged("p3", "p1", 4));
    // That one was split again.
    let annuls = |person| {
        let annuls = Assertion { item: String::new(), ..aside("m4", 5, "s") };
        of(person, annuls)
    };
    all.extend([annuls("p1"), annuls("p3")]);
    let all = all.as_slice();
    assert_eq!(found(all), [pair("household", "load")]);
    let both = |id| BTreeSet::from([("p1", id), ("p2", id)]);
    assert_eq!(before("p1", "sex", "household", all, &rules()), both("load"));
    assert_eq!(said_by("p1", "sex", "household", all, &rules()), both("household"));
    // What is accepted of one of them may go before what is said of another.
    let mixed = [said("high", "a", Some(2000), 1, "load"), said("low", "b", Some(2000), 2, "x")];
    let mut mixed = mixed.to_vec();
    mixed.push(of("p2", said("low", "c", Some(1999), 2, "x")));
    mixed.push(of("p2", said("lower", "c", Some(1998), 1, "load")));
    mixed.extend(merged("p2", "p1", 3));
    assert_eq!(before("p1", "sex", "x", &mixed, &rules()), BTreeSet::from([("p1", "load")]));
}

fn anything() -> impl Strategy<Value = Vec<Assertion>> {
    let one = ("(high|middle|low)", "[ab]", prop::option::of(1999i32..2002), 0i64..4, "c[1-4]");
    let says = prop_oneof![4 => Just(Says::Holds), 1 => Just(Says::Ends), 1 => Just(Says::Annuls)];
    let one =
        (one, says, "c[1-4]").prop_map(
            |((source, value, year, known, id), says, other)| match says {
                Says::Annuls => aside(&other, known, &id),
                Says::Holds | Says::Ends => {
                    Assertion { says, ..said(&source, &value, year, known, &id) }
                }
            },
        );
    prop::collection::vec(one, 0..10)
}

proptest! {
    #[test]
    fn i5_who_disagrees_does_not_depend_on_the_order_of_arrival(
        (first, second) in anything().prop_flat_map(|a| (Just(a.clone()), Just(a).prop_shuffle())),
    ) {
        prop_assert_eq!(found(&first), found(&second));
    }

    /// With what goes before it set aside, what a contribution says is held, if it counts.
    #[test]
    fn i5_what_is_accepted_is_held(all in anything()) {
        for (id, _) in found(&all) {
            let mut all = all.clone();
            let set_aside: Vec<String> =
                before("p1", "sex", &id, &all, &rules()).into_iter().map(|(_, id)| id.to_owned()).collect();
            all.extend(set_aside.iter().map(|other| aside(other, 9, "decision")));
            let first = explain("p1", "sex", &all, &rules()).concat();
            prop_assert_eq!(&first[0].0.provenance.contribution_id, &id);
        }
    }
}
