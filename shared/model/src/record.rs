//! A person's current record: a pure fold of what sources asserted (I5).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::Date;

use crate::date::parts;
use crate::{AuthorityInForce, NameLevel, PartialDate, RelationKind, Value};

/// Items that hold several persons at once (Law 26/2023/QH15, Art. 9, items 15 and 23).
const SETS: [&str; 2] = ["family_relations", "household_members"];

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

/// What one contribution says of one item of one person. Never changed once stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// The person.
    pub person_id: String,
    /// The item's id in the catalogue.
    pub item: String,
    /// What is said.
    pub value: Value,
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

/// What tells the values of one item apart; single-valued items have the one key [`None`].
type Place = Option<(RelationKind, String)>;

/// Folds assertions into the record of `person_id`; those of other persons are passed over. The order of
/// `assertions` does not matter, nor that one arrives twice (I5).
///
/// `protected` is an argument and not a default, so that no recomputation can lift a protection.
///
/// Of an item that holds one value the source with the most authority wins; among equals the latest, by when it is
/// true, then when it was learnt, then by contribution. Items of relations keep one value for each (kind, name at L2), because a relative is
/// often known by name before by number; two children of one name are therefore held as one.
#[must_use]
pub fn fold(
    person_id: &str,
    protected: bool,
    assertions: &[Assertion],
    authority: &AuthorityInForce,
) -> GoldenRecord {
    let mut version = 0;
    let mut latest: BTreeMap<(&str, Place), &Assertion> = BTreeMap::new();
    for assertion in assertions.iter().filter(|a| a.person_id == person_id) {
        version = version.max(assertion.version);
        latest
            .entry((&assertion.item, place(assertion)))
            .and_modify(|held| {
                if precedence(assertion, held, authority) == Ordering::Greater {
                    *held = assertion;
                }
            })
            .or_insert(assertion);
    }
    let mut items: BTreeMap<String, Vec<HeldValue>> = BTreeMap::new();
    for ((item, _), assertion) in latest {
        items.entry(item.to_owned()).or_default().push(HeldValue {
            value: assertion.value.clone(),
            provenance: assertion.provenance.clone(),
        });
    }
    GoldenRecord { person_id: person_id.to_owned(), version, protected, items }
}

fn place(assertion: &Assertion) -> Place {
    let Value::Relation(relation) = &assertion.value else { return None };
    SETS.contains(&assertion.item.as_str())
        .then(|| (relation.kind, relation.name.full_name.match_key(NameLevel::L2)))
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
        let from = said.provenance.valid_from;
        valid_on.is_none_or(|day| from.is_none_or(|from| from.earliest() <= day.latest()))
    };
    assertions.iter().filter(known).filter(held).cloned().collect()
}

/// How an assertion stands in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its value is current.
    Current,
    /// A source with more authority says otherwise, or the same.
    Outranked,
    /// A source with as much authority says what is true from a later day.
    Superseded,
    /// A source with as much authority said something later of the same day.
    Replaced,
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
    let about = |said: &&Assertion| said.person_id == person_id && said.item == item;
    let mut places: BTreeMap<Place, Vec<&Assertion>> = BTreeMap::new();
    for said in assertions.iter().filter(about) {
        places.entry(place(said)).or_default().push(said);
    }
    let group = |mut said: Vec<&'a Assertion>| {
        said.sort_by(|left, right| precedence(right, left, authority));
        let winner = said.first().copied();
        let stands = |(place, said): (usize, &'a Assertion)| {
            let lost = winner.filter(|_| place > 0).map(|winner| lost(said, winner, authority));
            (said, lost.unwrap_or(Standing::Current))
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
        .then_with(|| left.value.cmp(&right.value))
}

impl GoldenRecord {
    /// What is held of an item; nothing where none is.
    #[must_use]
    pub fn values(&self, item: &str) -> &[HeldValue] {
        self.items.get(item).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether the register holds a date of death or of being declared missing (Law 26/2023/QH15,
    /// Art. 9, item 24).
    #[must_use]
    pub fn deceased(&self) -> bool {
        self.items.get("death_or_missing_date").is_some_and(|held| !held.is_empty())
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
mod tests {
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
        }
    }

    /// No rules.
    fn none() -> AuthorityInForce {
        AuthorityInForce::default()
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
        let one = one.prop_map(|(i, v, y, k, c, s)| by(&s, said(&i, v, y, k, &c)));
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
                let current = found.iter().filter(|(_, standing)| *standing == Standing::Current);
                let current = current.map(|(said, _)| (&said.value, &said.provenance));
                let held = record.values(item).iter().map(|held| (&held.value, &held.provenance));
                prop_assert!(current.eq(held));
            }
        }
    }
}
