//! What a follower hears of a change: of whom it may know, the items that it follows and might obtain; never a value (I1).

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
};

use decide::{DecisionTable, ItemDecision, ItemEffect, TableAnswer};
use model::{Assertion, AuthorityInForce, GoldenRecord, Says, as_of, fold, merge::survivor};
use time::Date;

use super::lookup::{fact, names_others, stated, without};

/// What a change is, whatever items it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// The person comes into the register.
    Registered,
    /// Something new is said.
    Changed,
    /// What was said is corrected.
    Corrected,
    /// What was so ends, and nothing is said in its place.
    Ended,
    /// What was said counts as never said, or again.
    Annulled,
    /// By other rules of authority what was said is another record.
    Refolded,
}

impl ChangeKind {
    const ALL: [Self; 6] = [
        Self::Registered,
        Self::Changed,
        Self::Corrected,
        Self::Ended,
        Self::Annulled,
        Self::Refolded,
    ];

    /// That of a contribution about somebody who is known, by what it says.
    pub(crate) fn of(corrects: bool, says: impl Iterator<Item = Says>) -> Self {
        let mut says = says.peekable();
        let ends = says.peek().is_some() && says.all(|says| says == Says::Ends);
        match (corrects, ends) {
            (true, _) => Self::Corrected,
            (false, true) => Self::Ended,
            (false, false) => Self::Changed,
        }
    }

    /// As it is kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Changed => "changed",
            Self::Corrected => "corrected",
            Self::Ended => "ended",
            Self::Annulled => "annulled",
            Self::Refolded => "refolded",
        }
    }

    /// The kind that was kept; none of one that a newer program wrote and this one does not know.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A change of a person's record.
pub(crate) struct Change {
    /// The version that holds it.
    pub(crate) version: u64,
    /// The items that it touched.
    pub(crate) items: BTreeSet<String>,
    /// When the register learnt it, microseconds since 1970.
    pub(crate) known_at_us: i64,
    /// Whose record it was.
    pub(crate) person_id: String,
    /// The person as it is now: rules are about who it is today, not who it was. It is the record of another person where
    /// that one's is merged into it.
    pub(crate) record: GoldenRecord,
    /// Id of the rules by which the record was folded at this version, and at the one before.
    pub(crate) rules: String,
    /// See `rules`.
    pub(crate) rules_before: String,
    /// What it is; none where that was not kept.
    pub(crate) kind: Option<ChangeKind>,
    /// The job that changed many persons, if it was one.
    pub(crate) bulk_job: Option<String>,
}

/// A place in the register's history: a version and when it was learnt, so that another history is not taken for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The version; 0 before the first change.
    pub(crate) version: u64,
    /// When the register learnt it, microseconds since 1970; 0 before the first change.
    pub(crate) known_at_us: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.version, self.known_at_us)
    }
}

impl Place {
    /// The place that a cursor names; none where it is not written as one.
    pub(crate) fn parse(cursor: &str) -> Option<Self> {
        let (version, known_at_us) = cursor.split_once('.')?;
        let place = Self { version: version.parse().ok()?, known_at_us: known_at_us.parse().ok()? };
        let whole = place.version > 0 || place.known_at_us == 0;
        (whole && place.to_string() == cursor).then_some(place)
    }
}

impl Place {
    /// Before the first change.
    pub(crate) const START: Self = Self { version: 0, known_at_us: 0 };
}

/// Where an agency that follows goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The place after which it goes on.
    pub(crate) place: Place,
    /// Everything after it was learnt later than this, as clocks go, microseconds since 1970.
    pub(crate) after_us: i64,
}

impl Cursor {
    /// As it is written.
    pub(crate) fn to_bytes(&self) -> [u8; 24] {
        let Place { version, known_at_us } = self.place;
        let mut bytes = [0; 24];
        let parts = [version.to_be_bytes(), known_at_us.to_be_bytes(), self.after_us.to_be_bytes()];
        for (to, from) in bytes.iter_mut().zip(parts.as_flattened()) {
            *to = *from;
        }
        bytes
    }

    /// A cursor at the beginning of these bytes, and what comes after it.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (version, rest) = bytes.split_first_chunk::<8>()?;
        let (known_at_us, rest) = rest.split_first_chunk::<8>()?;
        let (after_us, rest) = rest.split_first_chunk::<8>()?;
        let (version, known_at_us) =
            (u64::from_be_bytes(*version), i64::from_be_bytes(*known_at_us));
        let place = Place { version, known_at_us };
        Some((Self { place, after_us: i64::from_be_bytes(*after_us) }, rest))
    }
}

/// What a follower hears of a change.
pub(crate) struct Heard {
    /// Whose record changed.
    pub(crate) person_id: String,
    /// The person whose record it is today: another one where it is merged into that.
    pub(crate) survivor: String,
    /// The version that holds the change.
    pub(crate) version: u64,
    /// When the register learnt it, microseconds since 1970.
    pub(crate) known_at_us: i64,
    /// The facts the row of the table was taken by, for the record.
    pub(crate) facts: Vec<String>,
    /// The row, of which only the items that are told are left.
    pub(crate) row: TableAnswer,
    /// What the change is; none where that was not kept.
    pub(crate) kind: Option<ChangeKind>,
    /// The job that changed many persons, if it was one.
    pub(crate) bulk_job: Option<String>,
}

impl Heard {
    /// The place right after the change.
    pub(crate) fn place(&self) -> Place {
        Place { version: self.version, known_at_us: self.known_at_us }
    }
}

/// What a follower does not hear of a change, whatever the rules say (I7).
#[derive(Default)]
pub(crate) struct Unsaid {
    /// The items of which it hears nothing.
    pub(crate) items: HashSet<String>,
    /// Whether it does not hear that something was annulled: that was said of nobody whom it may know of. Then something changed.
    pub(crate) annulled: bool,
}

impl Change {
    /// The place right after it.
    pub(crate) fn place(&self) -> Place {
        Place { version: self.version, known_at_us: self.known_at_us }
    }

    /// Whether it touched what a table allows somebody to know of other persons.
    pub(crate) fn names_others(&self, table: &DecisionTable) -> bool {
        let allowed = |item: &String| {
            let of = |answer: &TableAnswer| {
                answer.items.iter().any(|d| d.item == *item && d.effect == ItemEffect::Allowed)
            };
            table.answers().iter().any(of)
        };
        self.items.iter().any(|item| names_others(item) && allowed(item))
    }

    /// What a follower under this table hears of it; none where that is nothing.
    pub(crate) fn heard(
        &self,
        table: &DecisionTable,
        unsaid: &Unsaid,
        today: Date,
    ) -> Option<Heard> {
        let row = table.resolve(|name| fact(&self.record, name, today));
        let told = |decided: &ItemDecision| {
            let item = &decided.item;
            decided.effect == ItemEffect::Allowed
                && self.items.contains(item)
                && !unsaid.items.contains(item)
        };
        let items: Vec<ItemDecision> = row.items.into_iter().filter(told).collect();
        (row.visible && !items.is_empty()).then(|| Heard {
            person_id: self.person_id.clone(),
            survivor: self.record.person_id.clone(),
            version: self.version,
            known_at_us: self.known_at_us,
            facts: stated(&self.record, table, today),
            row: TableAnswer { visible: true, items },
            kind: self.kind.map(|kind| {
                let told = kind != ChangeKind::Annulled || !unsaid.annulled;
                if told { kind } else { ChangeKind::Changed }
            }),
            bulk_job: self.bulk_job.clone(),
        })
    }

    /// Whether a caller under this table may know of the person.
    pub(crate) fn is_visible(&self, table: &DecisionTable, today: Date) -> bool {
        table.read(|name| fact(&self.record, name, today)).visible
    }

    /// The items that look the same before and after it to whoever may not know of hidden persons: who looked would find nothing
    /// changed (I7). They are those about others; and any item, of a person who was ever taken for one with somebody hidden,
    /// where `before_us` is when its change before this one was learnt: what was heard of as the other one's change meanwhile is
    /// this one's then. `said` is everything that was ever said of the person, and of whoever was merged with it and may be
    /// known of, and the rules are those by which the record was folded before and after.
    pub(crate) fn same_to_see(
        &self,
        said: &[Assertion],
        hidden: &HashSet<String>,
        [rules_before, rules]: [&AuthorityInForce; 2],
        before_us: Option<i64>,
    ) -> HashSet<String> {
        // What is learnt by one contribution is learnt at one moment, and what is said of two who are merged in two versions.
        let at = |known_at_us: i64, rules: &AuthorityInForce| {
            let said = as_of(said, known_at_us, None);
            let shows = survivor(&self.person_id, &said).to_owned();
            let mut record = fold(&shows, false, &said, rules);
            without(&mut record, hidden);
            record
        };
        let just_before_us = self.known_at_us.saturating_sub(1);
        let before = at(before_us.unwrap_or(just_before_us), rules_before);
        let after = at(self.known_at_us, rules);
        // Where another record is shown, whoever looks finds that if it finds anything.
        let other = before.person_id != after.person_id;
        let same = |item: &&String| {
            let (before, after) = (before.values(item), after.values(item));
            let same = if other { before.is_empty() && after.is_empty() } else { before == after };
            (before_us.is_some() || names_others(item)) && same
        };
        self.items.iter().filter(same).cloned().collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use model::{
        Identifier, Name, PersonalNumber, Provenance, Relation, RelationKind, Value, fold,
    };
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 25);
    const HIDDEN: &str = "990126000001";
    const SHOWN: &str = "990126000002";
    const OTHER: &str = "990126000003";

    fn decided(item: &str, effect: ItemEffect) -> ItemDecision {
        ItemDecision {
            item: item.into(),
            effect,
            rule: "rule".into(),
            legal_basis: "basis".into(),
            article: "article".into(),
            obligations: Vec::new(),
        }
    }

    /// Hides protected persons; of the others, `sex` and `family_relations` are allowed and `religion` is not.
    fn table() -> DecisionTable {
        let items = ["religion", "sex", "family_relations"];
        let row = |visible: bool| {
            let one = |item: &&str| {
                let allowed = visible && *item != "religion";
                decided(item, if allowed { ItemEffect::Allowed } else { ItemEffect::Withheld })
            };
            TableAnswer { visible, items: items.iter().map(one).collect() }
        };
        DecisionTable::new(vec!["protected".into()], vec![0, 1], vec![row(true), row(false)])
            .unwrap()
    }

    fn change(items: &[&str], protected: bool) -> Change {
        Change {
            version: 7,
            items: items.iter().map(|item| (*item).to_owned()).collect(),
            known_at_us: 7,
            person_id: "p".into(),
            record: fold("p", protected, &[], &AuthorityInForce::default()),
            rules: String::new(),
            rules_before: String::new(),
            kind: Some(ChangeKind::Changed),
            bulk_job: None,
        }
    }

    pub(in crate::domain) fn relation(item: &str, version: u64, number: Option<&str>) -> Assertion {
        let identifier = number.map(|n| PersonalNumber::parse(n).unwrap());
        let value = Value::Relation(Relation {
            kind: RelationKind::Mother,
            name: Name::new("Trần Giả Định Hà").unwrap().into(),
            identifier: identifier.map(Identifier::PersonalNumber),
            date_of_birth: None,
            nationality: None,
        });
        let provenance = Provenance {
            source: "civil-status".into(),
            contribution_id: "c".into(),
            valid_from: None,
            known_at_us: i64::try_from(version).unwrap(),
        };
        Assertion {
            person_id: "p".into(),
            item: item.into(),
            value,
            provenance,
            version,
            says: model::Says::Holds,
            event: None,
        }
    }

    fn heard(change: &Change, unsaid: &[&str]) -> Option<Vec<String>> {
        let items = unsaid.iter().map(|item| (*item).to_owned()).collect();
        let unsaid = Unsaid { items, ..Unsaid::default() };
        let heard = change.heard(&table(), &unsaid, TODAY)?;
        Some(heard.row.items.into_iter().map(|decided| decided.item).collect())
    }

    #[test]
    fn a_kind_is_what_is_said_and_is_read_as_it_is_kept() {
        use Says::{Ends, Holds};
        let kind = |corrects, says: &[Says]| ChangeKind::of(corrects, says.iter().copied());
        assert_eq!(kind(true, &[Ends]), ChangeKind::Corrected);
        assert_eq!(kind(false, &[Ends, Ends]), ChangeKind::Ended);
        assert_eq!(kind(false, &[Ends, Holds]), ChangeKind::Changed);
        assert_eq!(kind(false, &[Holds]), ChangeKind::Changed);
        assert_eq!(kind(false, &[]), ChangeKind::Changed);
        for kind in ChangeKind::ALL {
            assert_eq!(ChangeKind::parse(kind.name()), Some(kind));
        }
        assert_eq!(ChangeKind::parse("of a newer program"), None);
    }

    #[test]
    fn a_cursor_is_written_in_one_way() {
        for place in [
            Place { version: 0, known_at_us: 0 },
            Place { version: 7, known_at_us: 0 },
            Place { version: u64::MAX, known_at_us: 1_795_000_000_000_000 },
        ] {
            assert_eq!(Place::parse(&place.to_string()), Some(place));
        }
        for cursor in ["", "7", "7.", ".7", "+7.1", "7.+1", "07.1", "7.01", "0.1", "7.1 ", "7.1.1"]
        {
            assert_eq!(Place::parse(cursor), None, "`{cursor}`");
        }
    }

    #[test]
    fn what_an_agency_holds_is_read_as_it_was_written() {
        for place in [Place::START, Place { version: u64::MAX, known_at_us: i64::MIN }] {
            let cursor = Cursor { place, after_us: 1_795_000_000_000_000 };
            let bytes = [&cursor.to_bytes()[..], b"rest"].concat();
            assert_eq!(Cursor::parse(&bytes), Some((cursor, &b"rest"[..])));
            assert_eq!(Cursor::parse(bytes.get(..23).unwrap()), None);
        }
    }

    #[test]
    fn i3_a_follower_hears_of_what_changed_and_it_follows_and_might_obtain() {
        assert_eq!(
            heard(&change(&["family_relations", "sex", "religion", "blood_type"], false), &[]),
            Some(vec!["sex".to_owned(), "family_relations".to_owned()])
        );
        // Of nothing else: neither what it may not see nor what it does not follow.
        assert_eq!(heard(&change(&["religion"], false), &[]), None);
        assert_eq!(heard(&change(&["blood_type"], false), &[]), None);
        assert_eq!(heard(&change(&[], false), &[]), None);
    }

    #[test]
    fn i7_nothing_is_heard_of_a_protected_person() {
        assert_eq!(heard(&change(&["sex", "family_relations"], true), &[]), None);
    }

    #[test]
    fn i7_nothing_is_heard_of_a_relation_to_a_hidden_person() {
        let change = change(&["sex", "family_relations"], false);
        let hidden = HashSet::from([HIDDEN.to_owned()]);
        let same = |said: &[Assertion]| {
            let none = AuthorityInForce::default();
            let items: Vec<_> =
                change.same_to_see(said, &hidden, [&none, &none], None).into_iter().collect();
            items
        };
        let of = |version, number| relation("family_relations", version, number);
        assert_eq!(same(&[of(7, Some(HIDDEN))]), ["family_relations"]);
        // Whoever is named beside makes it a change that can be seen, and so does one who is named by name alone.
        let father = |mut said: Assertion| {
            let Value::Relation(relation) = &mut said.value else { unreachable!() };
            relation.kind = RelationKind::Father;
            said
        };
        assert!(same(&[of(7, Some(HIDDEN)), father(of(7, Some(SHOWN)))]).is_empty());
        assert!(same(&[of(7, None)]).is_empty());
        // One who was seen before and is not any more is a change; what was said before or after is another one.
        assert!(same(&[of(6, Some(SHOWN)), of(7, Some(HIDDEN))]).is_empty());
        assert!(same(&[of(6, Some(HIDDEN)), of(7, Some(SHOWN))]).is_empty());
        assert_eq!(same(&[of(6, Some(HIDDEN)), of(7, Some(HIDDEN))]), ["family_relations"]);
        assert!(same(&[of(7, Some(SHOWN)), of(8, Some(HIDDEN))]).is_empty());
        assert_eq!(heard(&change, &["family_relations"]), Some(vec!["sex".to_owned()]));
    }

    /// A change of rules brings nothing new that was said: what looks otherwise does so by the rules alone.
    #[test]
    fn a_change_of_rules_is_heard_of_where_it_shows() {
        let rules = |first: &str| {
            let text = format!(
                "version = 1\n[[rule]]\nitem = \"family_relations\"\nsources = [\"{first}\"]\nbasis = \"Law A\"\n"
            );
            model::Authority::parse(&text).unwrap().in_force(TODAY)
        };
        let by = |source: &str, version, number| {
            let mut said = relation("family_relations", version, Some(number));
            said.provenance.source = source.into();
            said
        };
        let change = change(&["family_relations"], false);
        let (before, after) = (rules("civil-status"), rules("residence"));
        let said = [by("civil-status", 1, SHOWN), by("residence", 2, OTHER)];
        let none = HashSet::new();
        assert!(change.same_to_see(&said, &none, [&before, &after], None).is_empty());
        assert_eq!(change.same_to_see(&said, &none, [&after, &after], None).len(), 1);
        // From one who is hidden to another who is: nobody sees a change.
        let hidden = HashSet::from([SHOWN.to_owned(), OTHER.to_owned()]);
        assert_eq!(change.same_to_see(&said, &hidden, [&before, &after], None).len(), 1);
    }

    /// Of two versions of one merge the first is that of the record that goes: it shows the other one's at once.
    #[test]
    fn i7_a_merged_record_is_heard_of_by_what_is_seen_of_the_one_that_stays() {
        let change = change(&["family_relations"], false);
        let none = AuthorityInForce::default();
        let said = |person: &str, item: &str, version, number: Option<&str>| {
            let mut said = relation(item, version, number);
            said.person_id = person.into();
            said.provenance.known_at_us = said.provenance.known_at_us.min(7);
            said.provenance.contribution_id = format!("{item}-{version}");
            said
        };
        let link = |person: &str, item: &str, version, other: &str| Assertion {
            value: Value::Text(other.into()),
            ..said(person, item, version, None)
        };
        let same = |number: &str, hidden: &[&str]| {
            let said = [
                said("other", "family_relations", 5, Some(number)),
                link("p", "merged_into", 7, "other"),
                link("other", "merged_from", 8, "p"),
            ];
            let hidden = hidden.iter().map(|number| (*number).to_owned()).collect();
            !change.same_to_see(&said, &hidden, [&none, &none], None).is_empty()
        };
        assert!(!same(SHOWN, &[HIDDEN]), "the other one's mother is seen by the number now");
        assert!(same(HIDDEN, &[HIDDEN]), "of whom nobody may know nothing is heard");
    }

    #[test]
    fn other_persons_are_looked_for_only_where_somebody_might_hear_of_them() {
        assert!(change(&["family_relations"], false).names_others(&table()));
        assert!(!change(&["household_members", "sex"], false).names_others(&table()));
    }
}
