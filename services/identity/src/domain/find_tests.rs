#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use decide::ItemDecision;
use model::{
    Address, Assertion, AuthorityInForce, Identifier, PersonalNumber, Provenance, Relation, Says,
    fold,
};
use proptest::prelude::*;
use time::macros::date;

use super::*;
use crate::domain::consent::{Channel, System, Terms};

const TODAY: Date = date!(2026 - 11 - 25);
const NAMES: [&str; 6] = ["Hoà Lý", "HOÀ LÝ", "hòa lý", "Hòa Lí", "Hoa Ly", "Hoá Lý"];

fn code(code: &str) -> CodedValue {
    CodedValue {
        code_system: "sex".into(),
        code_system_version: "1".into(),
        code: code.into(),
        display: None,
    }
}

fn unit(code: &str) -> Unit {
    Unit { version: "2025".into(), code: code.into() }
}

/// What a person may be, in few different values.
type Drawn = (usize, u8, u8, u8, bool);

fn drawn() -> impl Strategy<Value = Drawn> {
    (0..NAMES.len(), 0..3_u8, 0..3_u8, 0..3_u8, any::<bool>())
}

fn birth(which: u8) -> PartialDate {
    PartialDate::new(1990, if which == 0 { 0 } else { 5 }, which.min(1)).unwrap()
}

/// A record; what is 0 of the others is not held.
fn record(id: usize, (name, born, sex, province, protected): Drawn) -> GoldenRecord {
    let place = |province: u8| {
        Value::Address(Address {
            province_code: (province > 0).then(|| format!("0{province}")),
            units_version: (province > 0).then(|| "2025".into()),
            ..Address::default()
        })
    };
    let mut said = vec![
        ("birth_full_name", Value::Name(Name::new(NAMES[name]).unwrap().into())),
        ("date_of_birth", Value::Date(birth(born))),
        ("native_place", place(province)),
    ];
    if sex > 0 {
        said.push(("sex", Value::Coded(code(&sex.to_string()))));
    }
    let id = format!("p{id}");
    let said = said.into_iter().map(|(item, value)| Assertion {
        person_id: id.clone(),
        item: item.into(),
        value,
        provenance: Provenance {
            source: "civil-status".into(),
            contribution_id: "c".into(),
            valid_from: None,
            known_at_us: 1,
        },
        version: 1,
        event: None,
        says: Says::Holds,
    });
    fold(&id, protected, &said.collect::<Vec<_>>(), &AuthorityInForce::default())
}

fn known((name, born, sex, province, _): Drawn) -> Known {
    Known {
        name: Name::new(NAMES[name]).unwrap(),
        born: birth(born),
        sex: (sex > 0).then(|| code(&sex.to_string())),
        native_province: (province > 0).then(|| unit(&format!("0{province}"))),
        commune: None,
        parent: None,
    }
}

/// A table that hides protected persons, or shows everybody.
fn table(hides: bool) -> DecisionTable {
    let row = |visible: bool| {
        let item = |item: &str| ItemDecision {
            item: item.into(),
            effect: if visible { ItemEffect::Allowed } else { ItemEffect::Withheld },
            rule: "rule".into(),
            legal_basis: "basis".into(),
            article: "article".into(),
            obligations: Vec::new(),
        };
        TableAnswer { visible, items: vec![item("birth_full_name"), item("date_of_birth")] }
    };
    let rows = if hides { vec![0, 1] } else { vec![0, 0] };
    DecisionTable::new(vec!["protected".into()], rows, vec![row(true), row(false)]).unwrap()
}

/// Who is named, as a caller sees it.
fn named(known: &Known, records: Vec<GoldenRecord>, hides: bool) -> Option<(String, NameLevel)> {
    match resolve(known, records, &HashSet::new(), |_| None, &table(hides), TODAY) {
        Resolution::One(hit) => Some((hit.person_id, hit.level)),
        Resolution::Nobody | Resolution::Several | Resolution::Hidden(_) => None,
    }
}

proptest! {
    /// Protected persons change nothing for whoever may not know of them.
    #[test]
    fn i7_hidden_persons_count_for_nothing(
        asked in drawn(),
        people in prop::collection::vec(drawn(), 0..8),
    ) {
        let records: Vec<_> = people.into_iter().enumerate().map(|(id, p)| record(id, p)).collect();
        let visible: Vec<_> = records.iter().filter(|record| !record.protected).cloned().collect();
        let known = known(asked);
        prop_assert_eq!(named(&known, records.clone(), true), named(&known, visible.clone(), true));
        // Nobody is named who is not the only one, at any level up to L3.
        let agree = |record: &&GoldenRecord| known.level(record).is_some();
        let alone = records.iter().filter(agree).count() == 1;
        prop_assert_eq!(named(&known, records, false).is_some(), alone);
        if let Some((_, level)) = named(&known, visible, true) {
            prop_assert!(level <= NameLevel::L3);
        }
    }

    /// Whoever agrees is found by the keys: the index loses nobody.
    #[test]
    fn keys_find_whoever_agrees(asked in drawn(), held in drawn()) {
        let (known, record) = (known(asked), record(0, held));
        let key = SearchKey::of(&record);
        if known.level(&record).is_some() {
            prop_assert_eq!(key.name_l3, Some(known.name.match_key(NameLevel::L3)));
            prop_assert_eq!(key.born, Some(date_key(&known.born)));
            let sex = known.sex.as_ref().map(code_key);
            prop_assert!(sex.is_none() || key.sex == sex);
            let province = known.native_province.as_ref().map(Unit::key);
            prop_assert!(province.is_none() || key.native_province == province);
        }
        for level in NameLevel::ALL {
            let Known { name, sex, native_province, .. } = super::tests::known(asked);
            let years = Some((1990, 1990));
            let wanted = Wanted { name, level, years, sex, native_province };
            if wanted.level(&record).is_some() {
                prop_assert_eq!(SearchKey::of(&record).name_l4, Some(wanted.name.match_key(NameLevel::L4)));
            }
        }
    }
}

#[test]
fn i7_a_hidden_parent_agrees_with_nothing() {
    let number = PersonalNumber::parse("990190000001").unwrap();
    let mother = |identifier| Relation {
        kind: RelationKind::Mother,
        name: Name::new("Trần Giả Định Hà").unwrap().into(),
        identifier,
        date_of_birth: None,
        nationality: None,
    };
    let held = |relation| {
        let mut record = record(0, (0, 1, 1, 1, false));
        let held = model::HeldValue {
            value: Value::Relation(relation),
            provenance: record.values("sex").first().unwrap().provenance.clone(),
        };
        record.items.insert("family_relations".into(), vec![held]);
        record
    };
    let asked = Known {
        parent: Some(Name::new("TRẦN GIẢ ĐỊNH HÀ").unwrap()),
        ..known((0, 1, 0, 0, false))
    };
    let hidden = HashSet::from([number.as_str().to_owned()]);
    let found = |relation, hidden: &HashSet<String>| {
        let found = resolve(&asked, vec![held(relation)], hidden, |_| None, &table(true), TODAY);
        matches!(found, Resolution::One(_))
    };
    let by_number = || mother(Some(Identifier::PersonalNumber(number.clone())));
    assert!(found(by_number(), &HashSet::new()));
    assert!(!found(by_number(), &hidden));
    assert!(found(mother(None), &hidden));
    let sibling = Relation { kind: RelationKind::HouseholdMember, ..mother(None) };
    assert!(!found(sibling, &HashSet::new()));
}

/// One statement reads 201 candidates, protected ones last. Who counts among them depends on who may be known of.
#[test]
fn nobody_is_the_only_one_of_more_than_are_looked_at() {
    let namesake = |id| record(id, (0, 1, 0, 0, id >= 150));
    let crowd = |all: usize| {
        let mut records: Vec<_> = (0..all).map(namesake).collect();
        records[0] = record(0, (0, 1, 1, 1, false));
        named(&known((0, 1, 1, 1, false)), records, false)
    };
    assert!(crowd(CANDIDATES_MAX).is_some());
    assert_eq!(crowd(CANDIDATES_MAX + 1), None);
    // Whoever may not know of them finds the one, however many they are.
    let records: Vec<_> = (0..=CANDIDATES_MAX).map(|id| record(id, (0, 1, 0, 0, id > 0))).collect();
    assert!(named(&known((0, 1, 0, 0, false)), records, true).is_some());
}

/// Whoever may be found by consent only is found by that of the person, and of nobody else.
#[test]
fn i7_somebody_is_found_by_the_own_consent_alone() {
    let asked = (0, 1, 1, 1, false);
    let shown = table(false).answers().to_vec();
    let by_consent = DecisionTable::new(vec![CONSENT.into()], vec![1, 0], shown).unwrap();
    let consent = Consent {
        reference: "r".into(),
        record: "p0".into(),
        terms: Terms {
            recipient: System { agency: "a".into(), system: "s".into() },
            procedure: "own-record".into(),
            items: vec!["birth_full_name".into(), "date_of_birth".into()],
            begins_us: 0,
            ends_us: 1,
            channel: Channel::OwnApp,
            evidence: None,
            notice_version: "1".into(),
        },
        connection: "c".into(),
        recorded_us: 0,
        withdrawn_us: None,
    };
    let found = |records: Vec<GoldenRecord>, items: usize| {
        let mut consent = consent.clone();
        consent.terms.items.truncate(items);
        let of = |record: &GoldenRecord| Some(&consent).filter(|c| c.record == record.person_id);
        match resolve(&known(asked), records, &HashSet::new(), of, &by_consent, TODAY) {
            Resolution::One(hit) => Some((hit.person_id, hit.facts)),
            Resolution::Nobody | Resolution::Several | Resolution::Hidden(_) => None,
        }
    };
    let (own, other) = (record(0, asked), record(1, asked));
    let expected = Some(("p0".to_owned(), vec!["consent=true".to_owned()]));
    assert_eq!(found(vec![own.clone()], 2), expected);
    // The other one, who is as much like it, is not there for this caller.
    assert_eq!(found(vec![own.clone(), other.clone()], 2), expected);
    assert_eq!(found(vec![other], 2), None);
    assert_eq!(found(vec![own], 1), None, "not to all that is searched by");
    assert!(may_find(&by_consent, true) && !may_find(&by_consent, false));
}
