#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use decide::ItemDecision;
use model::{Identifier, Name, PersonalNumber, Sex};
use time::macros::date;

use super::*;

const TODAY: Date = date!(2026 - 11 - 24);

fn number(id: u32) -> PersonalNumber {
    PersonalNumber::compose(990, Sex::Male, 1990, id).unwrap()
}

fn provenance() -> Provenance {
    Provenance {
        source: "residence".into(),
        contribution_id: "c".into(),
        valid_from: None,
        known_at_us: 1,
    }
}

fn held(value: Value) -> HeldValue {
    HeldValue { value, provenance: provenance() }
}

fn relation(kind: RelationKind, name: &str, id: Option<u32>) -> HeldValue {
    held(Value::Relation(Relation {
        kind,
        name: Name::new(name).unwrap().into(),
        identifier: id.map(|id| Identifier::PersonalNumber(number(id))),
        date_of_birth: None,
        nationality: None,
    }))
}

fn person(id: u32, items: &[(&str, Vec<HeldValue>)]) -> GoldenRecord {
    GoldenRecord {
        person_id: format!("p-{id}"),
        version: 1,
        protected: id == 9,
        items: items.iter().map(|(item, held)| ((*item).to_owned(), held.clone())).collect(),
    }
}

/// Allows the item and withholds the name; of protected persons nobody learns.
fn table(item: &str) -> DecisionTable {
    let decided = |item: &str, effect| ItemDecision {
        item: item.to_owned(),
        effect,
        rule: "rule".into(),
        legal_basis: "basis".into(),
        article: "article".into(),
        obligations: Vec::new(),
    };
    let row = |visible: bool| {
        let effect = if visible { ItemEffect::Allowed } else { ItemEffect::Withheld };
        let items = vec![decided(item, effect), decided(NAME, ItemEffect::Withheld)];
        TableAnswer { visible, items }
    };
    DecisionTable::new(vec!["protected".into()], vec![0, 1], vec![row(true), row(false)]).unwrap()
}

fn bearers(records: &[GoldenRecord]) -> HashMap<String, GoldenRecord> {
    let id = |record: &GoldenRecord| record.person_id[2..].parse().unwrap();
    records.iter().map(|r| (number(id(r)).as_str().to_owned(), r.clone())).collect()
}

#[test]
fn i5_keys_are_the_numbers_that_are_named_and_the_file() {
    let record = person(
        1,
        &[
            (
                RELATIVES,
                vec![
                    relation(RelationKind::Mother, "Lê Giả Định Một", Some(2)),
                    relation(RelationKind::LegalRepresentative, "Lê Giả Định Một", Some(2)),
                    relation(RelationKind::Father, "Lê Giả Định Hai", None),
                ],
            ),
            (HOUSEHOLD, vec![relation(RelationKind::HouseholdHead, "Lê Giả Định Một", Some(2))]),
            (RESIDENCE_FILE, vec![held(Value::Text("SYN1".into()))]),
            ("sex", vec![held(Value::Text("1".into()))]),
        ],
    );
    let named = number(2);
    let expected =
        [(RELATIVES, named.as_str()), (HOUSEHOLD, named.as_str()), (RESIDENCE_FILE, "SYN1")];
    assert_eq!(keys(&record), expected.into_iter().collect());
    assert!(keys(&person(3, &[])).is_empty());
}

#[test]
fn i7_nobody_is_told_whose_own_row_hides_it() {
    let table = table(RELATIVES);
    let asked = Asked { item: RELATIVES, table: &table, today: TODAY };
    let spouse = |id| relation(RelationKind::Spouse, "Lê Giả Định Ba", Some(id));
    let subject = person(1, &[(RELATIVES, vec![spouse(2), spouse(9), spouse(1)])]);
    let row = table.resolve(|_| decide::Fact::False);
    let others = [person(2, &[]), person(9, &[]), subject.clone()];
    let told = asked.forward(&subject, &row, &bearers(&others));
    let ids: Vec<_> = told.iter().map(|related| related.other.person_id.clone()).collect();
    assert_eq!(ids, [Some("p-2".to_owned())]);
    // The name is withheld, also where the record enters one.
    assert!(matches!(
        told[0].other.items[..],
        [ItemTold { outcome: ItemOutcome::Withheld { .. }, .. }]
    ));
    let naming = |id: u32| Naming {
        named: "p-1".into(),
        number: number(1).as_str().to_owned(),
        record: person(
            id,
            &[(
                RELATIVES,
                vec![relation(RelationKind::Child, "Lê Giả Định Bốn", Some(1)), spouse(7)],
            )],
        ),
    };
    let told = asked.inverse("p-1", &[naming(2), naming(9), naming(1)]);
    let kinds: Vec<_> =
        told.iter().map(|related| (related.kind, related.other.person_id.clone())).collect();
    assert_eq!(kinds, [(RelationKind::Child, Some("p-2".to_owned()))]);
}

#[test]
fn each_member_of_a_household_is_told_once_by_its_first_evidence() {
    let table = table(HOUSEHOLD);
    let asked = Asked { item: HOUSEHOLD, table: &table, today: TODAY };
    let member = |id| relation(RelationKind::HouseholdMember, "Lê Giả Định Năm", Some(id));
    let head_named = relation(RelationKind::HouseholdHead, "Lê Giả Định Sáu", Some(2));
    let subject = person(1, &[(HOUSEHOLD, vec![head_named.clone()])]);
    let head = person(2, &[(HOUSEHOLD, vec![member(1), member(3), member(9)])]);
    let third = person(3, &[(HOUSEHOLD, vec![head_named.clone()])]);
    let of_head = |record: &GoldenRecord| Naming {
        named: "p-2".into(),
        number: number(2).as_str().to_owned(),
        record: record.clone(),
    };
    let fourth = person(4, &[(HOUSEHOLD, vec![head_named])]);
    let known = bearers(&[subject.clone(), head.clone(), third.clone(), person(9, &[])]);
    let row = table.resolve(|_| decide::Fact::False);
    let found = asked.head(&subject, &known).unwrap();
    let namings = [of_head(&subject), of_head(&third), of_head(&fourth)];
    let home = Home {
        subject: &subject,
        row: &row,
        bearers: &known,
        head: Some(found),
        bearers_of_head: &known,
        namings: &namings,
        in_file: &[],
    };
    let (members, is_head) = asked.household(&home);
    let told: Vec<_> = members
        .iter()
        .map(|m| (m.other.person_id.clone().unwrap_or_default(), m.evidence, m.head))
        .collect();
    assert_eq!(
        told,
        [
            ("p-2".to_owned(), Evidence::NamedBySubject, true),
            ("p-3".to_owned(), Evidence::ThroughHead, false),
            ("p-4".to_owned(), Evidence::ThroughHead, false),
        ]
    );
    assert!(!is_head);
    // Without a head whom the caller may see nobody is found through one.
    let home = Home { head: None, bearers: &HashMap::new(), ..home };
    let hidden = asked.household(&home).0;
    assert!(hidden.iter().all(|member| member.other.person_id.is_none()));
}
