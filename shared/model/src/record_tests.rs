//! Tests of the fold.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
use proptest::prelude::*;
use time::macros::date;

use super::*;
use crate::{Name, Relation};

fn said(item: &str, value: Value, year: Option<i32>, known: i64, id: &str) -> Assertion {
    Assertion {
        person_id: "p1".into(),
        item: item.into(),
        value,
        provenance: Provenance {
            source: "civil-status".into(),
            contribution_id: id.into(),
            valid_from: year.map(|year| PartialDate::new(year, 0, 0).unwrap()),
            known_at_us: known,
        },
        version: known.unsigned_abs(),
        says: Says::Holds,
        event: None,
    }
}

/// No rules.
fn none() -> AuthorityInForce {
    AuthorityInForce::equal()
}

/// For `x` and `sex`, citizen identification goes before civil status, and that before whoever else.
fn rules() -> AuthorityInForce {
    let rule = |item: &str| {
        format!(
            "[[rule]]\nitem = \"{item}\"\nsources = [\"citizen-id\", \"civil-status\"]\n\
             effective_from = \"2016-01-01\"\nbasis = \"Law A\"\n"
        )
    };
    let text = format!("version = 1\n{}{}", rule("x"), rule("sex"));
    crate::Authority::parse(&text).unwrap().in_force(date!(2026 - 11 - 25))
}

fn by(source: &str, mut said: Assertion) -> Assertion {
    said.provenance.source = source.into();
    said
}

/// What `id` annuls, said by another contribution.
fn annuls(annulled: &str, known: i64, id: &str) -> Assertion {
    Assertion { says: Says::Annuls, ..said("", text(annulled), None, known, id) }
}

fn ends(mut said: Assertion) -> Assertion {
    said.says = Says::Ends;
    said
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn relative(kind: RelationKind, name: &str) -> Value {
    let name = Name::new(name).unwrap().into();
    let (identifier, date_of_birth, nationality) = (None, None, None);
    Value::Relation(Relation { kind, name, identifier, date_of_birth, nationality })
}

fn born(year: i32, month: u8, day: u8) -> GoldenRecord {
    let value = Value::Date(PartialDate::new(year, month, day).unwrap());
    fold("p1", false, &[said("date_of_birth", value, None, 1, "c1")], &none())
}

#[test]
fn the_latest_truth_wins_then_the_latest_knowledge() {
    for (left, right) in [
        // The loser is first: no date, earlier date, learnt earlier, lower contribution.
        (said("x", text("l"), None, 9, "c9"), said("x", text("r"), Some(2000), 1, "c1")),
        (said("x", text("l"), Some(1999), 9, "c9"), said("x", text("r"), Some(2000), 1, "c1")),
        (said("x", text("l"), Some(2000), 1, "c9"), said("x", text("r"), Some(2000), 2, "c1")),
        (said("x", text("l"), Some(2000), 1, "c1"), said("x", text("r"), Some(2000), 1, "c2")),
    ] {
        let record = fold("p1", false, &[left, right], &none());
        assert_eq!(record.items["x"].len(), 1);
        assert!(record.items["x"][0].value == text("r"));
    }
}

#[test]
fn whoever_has_authority_wins_whatever_is_said_later() {
    let late = |source: &str| by(source, said("x", text(source), Some(2020), 9, "c9"));
    let early = |source: &str| by(source, said("x", text(source), Some(1990), 1, "c1"));
    for (winner, loser) in
        [("citizen-id", "civil-status"), ("civil-status", "medical"), ("citizen-id", "medical")]
    {
        let all = [early(winner), late(loser)];
        let record = fold("p1", false, &all, &rules());
        assert!(record.items["x"][0].value == text(winner));
        // Without a rule the later truth does.
        let record = fold("p1", false, &all, &none());
        assert!(record.items["x"][0].value == text(loser));
    }
}

#[test]
fn every_assertion_stands_somewhere_and_says_why() {
    let all = [
        by("medical", said("x", text("m"), Some(2020), 9, "c9")),
        by("citizen-id", said("x", text("old"), Some(1990), 2, "c2")),
        by("citizen-id", said("x", text("new"), Some(2000), 3, "c3")),
        by("citizen-id", said("x", text("wrong"), Some(2000), 1, "c1")),
        by("civil-status", said("x", text("b"), None, 4, "c4")),
        by("civil-status", said("y", text("y"), None, 4, "c4")),
    ];
    let found = explain("p1", "x", &all, &rules()).concat();
    let found: Vec<_> = found.iter().map(|(said, standing)| (&said.value, *standing)).collect();
    let expected = [
        (&text("new"), Standing::Current),
        (&text("wrong"), Standing::Replaced),
        (&text("old"), Standing::Superseded),
        (&text("b"), Standing::Outranked),
        (&text("m"), Standing::Outranked),
    ];
    assert!(found == expected);
    assert!(explain("p2", "x", &all, &rules()).is_empty());
}

#[test]
fn what_ended_is_not_held_until_something_begins_after_it() {
    let all = vec![
        said("x", text("a"), Some(1990), 1, "c1"),
        ends(said("x", text("a"), Some(2000), 2, "c2")),
        said("x", text("b"), Some(1995), 3, "c3"),
    ];
    assert!(fold("p1", false, &all, &none()).values("x").is_empty());
    let day = |year| Some(PartialDate::new(year, 6, 1).unwrap());
    let on = |year| fold("p1", false, &as_of(&all, 9, day(year)), &none());
    assert!(on(1991).values("x")[0].value == text("a"));
    assert!(on(1999).values("x")[0].value == text("b"));
    assert!(on(2001).values("x").is_empty());
    let again = [all, vec![said("x", text("c"), Some(2001), 4, "c4")]].concat();
    assert!(fold("p1", false, &again, &none()).values("x")[0].value == text("c"));
}

#[test]
fn of_a_set_one_value_ends_and_the_others_stay() {
    let item = "family_relations";
    let wife = || said(item, relative(RelationKind::Spouse, "Lê Thị Hoà"), Some(2000), 1, "c1");
    let child = said(item, relative(RelationKind::Child, "Lê Thị Hoà"), Some(2001), 2, "c2");
    let divorced =
        ends(said(item, relative(RelationKind::Spouse, "LÊ THỊ HÒA"), Some(2010), 3, "c3"));
    let record = fold("p1", false, &[wife(), child.clone(), divorced], &none());
    assert_eq!(record.values(item).len(), 1);
    assert!(record.values(item)[0].value == child.value);
}

#[test]
fn what_is_annulled_was_never_said_and_can_be_again() {
    let (first, second) =
        (said("x", text("a"), Some(1990), 1, "c1"), said("x", text("b"), Some(2000), 2, "c2"));
    let held = |all: &[Assertion]| fold("p1", false, all, &none()).values("x")[0].value.clone();
    let mut all = vec![first, second, annuls("c2", 3, "c3")];
    assert!(held(&all) == text("a"));
    let standings: Vec<_> = explain("p1", "x", &all, &none()).concat();
    let standings: Vec<_> = standings.iter().map(|(said, how)| (&said.value, *how)).collect();
    assert!(standings == [(&text("a"), Standing::Current), (&text("b"), Standing::Annulled)]);
    // What annulled it is annulled, and so on.
    all.push(annuls("c3", 4, "c4"));
    assert!(held(&all) == text("b"));
    all.push(annuls("c4", 5, "c5"));
    assert!(held(&all) == text("a"));
    // What was known before any of it does not change (I6), and on a day that is past it was never so.
    assert!(held(&as_of(&all, 2, None)) == text("b"));
    assert!(held(&as_of(&all, 3, None)) == text("a"));
    assert!(held(&as_of(&all, 4, None)) == text("b"));
    assert!(held(&as_of(&all, 9, PartialDate::new(2005, 1, 1).ok())) == text("a"));
    // Of nobody else.
    let mut other = annuls("c1", 3, "c6");
    other.person_id = "p2".into();
    all.push(other);
    assert!(held(&all) == text("a"));
}

#[test]
fn of_a_past_day_what_began_later_does_not_count() {
    let all = [
        said("x", text("never said since when"), None, 1, "c1"),
        said("x", text("old"), Some(1990), 2, "c2"),
        said("x", text("new"), Some(2000), 3, "c3"),
    ];
    for (year, expected) in
        [(1989, "never said since when"), (1990, "old"), (1999, "old"), (2000, "new")]
    {
        let day = PartialDate::new(year, 12, 31).unwrap();
        let record = fold("p1", false, &as_of(&all, 9, Some(day)), &none());
        assert!(record.items["x"][0].value == text(expected), "{year}");
    }
    let known = fold("p1", false, &as_of(&all, 2, None), &none());
    assert!(known.items["x"][0].value == text("old"));
}

#[test]
fn relations_are_a_set_by_kind_and_name() {
    let item = "family_relations";
    let record = fold(
        "p1",
        false,
        &[
            said(item, relative(RelationKind::Child, "Lê Thị Hoà"), None, 1, "c1"),
            said(item, relative(RelationKind::Child, "LÊ THỊ HÒA"), None, 2, "c2"),
            said(item, relative(RelationKind::Child, "Lê Thị Hoa"), None, 3, "c3"),
            said(item, relative(RelationKind::Mother, "Lê Thị Hoà"), None, 4, "c4"),
        ],
        &none(),
    );
    assert_eq!(record.items[item].len(), 3);
    assert_eq!(record.version, 4);
}

#[test]
fn others_assertions_are_passed_over_and_protection_stays() {
    let mut other = said("x", text("l"), None, 7, "c1");
    other.person_id = "p2".into();
    let record = fold("p1", true, &[other], &none());
    assert!(record.items.is_empty() && record.version == 0 && record.protected);
}

#[test]
fn a_minor_is_one_for_certain_or_unknown() {
    let today = date!(2026 - 02 - 28);
    for (record, minor) in [
        (born(2008, 2, 28), Some(false)),
        (born(2008, 2, 29), Some(true)),
        (born(2008, 3, 0), Some(true)),
        (born(2008, 2, 0), None),
        (born(2008, 0, 0), None),
        (born(2007, 0, 0), Some(false)),
        (born(2009, 0, 0), Some(true)),
        (fold("p1", false, &[], &none()), None),
    ] {
        assert_eq!(record.is_minor(today), minor);
    }
    // Born on 29 February: of age on 1 March of a common year.
    assert_eq!(born(2008, 2, 29).is_minor(date!(2026 - 03 - 01)), Some(false));
}

#[test]
fn deceased_is_what_the_register_holds() {
    let death = Value::Date(PartialDate::new(2020, 0, 0).unwrap());
    assert!(
        fold("p1", false, &[said("death_or_missing_date", death, None, 1, "c1")], &none())
            .deceased()
    );
    assert!(!born(1950, 0, 0).deceased());
}

#[test]
fn stored_record_comes_back() {
    let record = born(1990, 5, 6);
    let json = serde_json::to_string(&record).unwrap();
    assert!(serde_json::from_str::<GoldenRecord>(&json).unwrap() == record);
    assert_eq!(format!("{record:?}"), "GoldenRecord([personal])");
}

/// Few distinct parts, so that ties in every part of the order are common.
fn assertions() -> impl Strategy<Value = Vec<Assertion>> {
    let value = prop_oneof![
        "[ab]".prop_map(|t| text(&t)),
        ("(Hoà|Hòa|An)", prop_oneof![Just(RelationKind::Child), Just(RelationKind::Spouse)])
            .prop_map(|(name, kind)| relative(kind, &name)),
    ];
    let one = (
        "(sex|family_relations|household_members)",
        value,
        prop::option::of(1999i32..2001),
        0i64..3,
        "c[12]",
        "(citizen-id|civil-status|medical)",
    );
    let says = prop_oneof![3 => Just(Says::Holds), 1 => Just(Says::Ends), 1 => Just(Says::Annuls)];
    let one = (one, says, "c[12]").prop_map(|((i, v, y, k, c, s), says, annulled)| {
        let said = by(&s, Assertion { says, ..said(&i, v, y, k, &c) });
        match says {
            Says::Annuls => Assertion { item: String::new(), value: text(&annulled), ..said },
            Says::Holds | Says::Ends => said,
        }
    });
    prop::collection::vec(one, 0..12)
}

proptest! {
    #[test]
    fn i5_order_of_arrival_does_not_matter(
        (first, second) in assertions().prop_flat_map(|a| (Just(a.clone()), Just(a).prop_shuffle())),
    ) {
        prop_assert!(fold("p1", false, &first, &rules()) == fold("p1", false, &second, &rules()));
    }

    #[test]
    fn i5_arriving_twice_is_arriving_once(all in assertions()) {
        let twice = [all.clone(), all.clone()].concat();
        prop_assert!(fold("p1", false, &all, &rules()) == fold("p1", false, &twice, &rules()));
    }

    /// What was known at a moment is what the record was when nothing later had been said.
    #[test]
    fn i6_what_is_said_later_changes_no_answer_for_a_past_moment(
        (all, known) in (assertions(), 0i64..3),
    ) {
        let then: Vec<Assertion> =
            all.iter().filter(|said| said.provenance.known_at_us <= known).cloned().collect();
        let record = |said: &[Assertion]| fold("p1", false, &as_of(said, known, None), &rules());
        prop_assert!(record(&all) == record(&then));
        prop_assert!(record(&then) == fold("p1", false, &then, &rules()));
    }

    /// What is explained as current is what the record holds, and nothing is left out.
    #[test]
    fn i5_the_explanation_is_of_the_fold(all in assertions()) {
        let record = fold("p1", false, &all, &rules());
        for item in ["sex", "family_relations", "household_members"] {
            let found = explain("p1", item, &all, &rules()).concat();
            prop_assert_eq!(found.len(), all.iter().filter(|said| said.item == item).count());
            let holds = |(said, standing): &&(&Assertion, Standing)| {
                *standing == Standing::Current && said.says == Says::Holds
            };
            let current = found.iter().filter(holds);
            let current = current.map(|(said, _)| (&said.value, &said.provenance));
            let held = record.values(item).iter().map(|held| (&held.value, &held.provenance));
            prop_assert!(current.eq(held));
        }
    }
}
