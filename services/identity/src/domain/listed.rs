//! Of whom a follower would hear: the persons it may know of, of whom something is held that it follows and might obtain.

use std::collections::HashSet;

use decide::{DecisionTable, ItemDecision, ItemEffect, TableAnswer};
use model::GoldenRecord;
use time::Date;

use super::lookup::{fact, names_others, stated, without};

/// Whether a table allows items that are about other persons.
pub(crate) fn allows_naming_others(table: &DecisionTable) -> bool {
    let one = |d: &ItemDecision| d.effect == ItemEffect::Allowed && names_others(&d.item);
    table.answers().iter().any(|answer| answer.items.iter().any(one))
}

/// A person of whom a follower would hear.
pub(crate) struct Listed {
    /// The person.
    pub(crate) person_id: String,
    /// Version of the record.
    pub(crate) version: u64,
    /// The facts the row of the table was taken by, for the record.
    pub(crate) facts: Vec<String>,
    /// The row, of which only the items that are held and might be obtained are left.
    pub(crate) row: TableAnswer,
}

/// What a follower under this table would hear of a person; none where that is nothing. Relations to persons with these numbers
/// are not held, as far as it can know (I7).
pub(crate) fn listed(
    mut record: GoldenRecord,
    table: &DecisionTable,
    hidden: &HashSet<String>,
    today: Date,
) -> Option<Listed> {
    let row = table.resolve(|name| fact(&record, name, today));
    if !row.visible {
        return None;
    }
    let facts = stated(&record, table, today);
    without(&mut record, hidden);
    let held = |decided: &ItemDecision| {
        decided.effect == ItemEffect::Allowed && !record.values(&decided.item).is_empty()
    };
    let items: Vec<ItemDecision> = row.items.into_iter().filter(held).collect();
    let (person_id, version) = (record.person_id.clone(), record.version);
    let row = TableAnswer { visible: true, items };
    (!row.items.is_empty()).then_some(Listed { person_id, version, facts, row })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use model::{
        Assertion, AuthorityInForce, Identifier, Name, PersonalNumber, Provenance, Relation,
        RelationKind, Says, Value, fold,
    };
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 25);
    const HIDDEN: &str = "990126000001";

    /// Hides protected persons; of the others, `birth_full_name` and `family_relations` are allowed, `religion` is not.
    fn table() -> DecisionTable {
        let row = |visible: bool| {
            let one = |item: &&str| ItemDecision {
                item: (*item).to_owned(),
                effect: if visible && *item != "religion" {
                    ItemEffect::Allowed
                } else {
                    ItemEffect::Withheld
                },
                rule: "rule".into(),
                legal_basis: "basis".into(),
                article: "article".into(),
                obligations: Vec::new(),
            };
            let items = ["religion", "birth_full_name", "family_relations"].iter().map(one);
            TableAnswer { visible, items: items.collect() }
        };
        DecisionTable::new(vec!["protected".into()], vec![0, 1], vec![row(true), row(false)])
            .unwrap()
    }

    fn record(protected: bool, said: Vec<(&str, Value)>) -> GoldenRecord {
        let one = |(item, value): (&str, Value)| Assertion {
            person_id: "p".into(),
            item: item.into(),
            value,
            provenance: Provenance {
                source: "civil-status".into(),
                contribution_id: "c".into(),
                valid_from: None,
                known_at_us: 7,
            },
            version: 7,
            says: Says::Holds,
            event: None,
        };
        let said: Vec<Assertion> = said.into_iter().map(one).collect();
        fold("p", protected, &said, &AuthorityInForce::default())
    }

    fn name() -> (&'static str, Value) {
        ("birth_full_name", Value::Name(Name::new("Lê Giả Định An").unwrap().into()))
    }

    fn mother(number: &str) -> (&'static str, Value) {
        let relation = Relation {
            kind: RelationKind::Mother,
            name: Name::new("Trần Giả Định Hà").unwrap().into(),
            identifier: Some(Identifier::PersonalNumber(PersonalNumber::parse(number).unwrap())),
            date_of_birth: None,
            nationality: None,
        };
        ("family_relations", Value::Relation(relation))
    }

    fn items(record: GoldenRecord) -> Option<Vec<String>> {
        let hidden = HashSet::from([HIDDEN.to_owned()]);
        let listed = listed(record, &table(), &hidden, TODAY)?;
        assert_eq!((listed.person_id.as_str(), listed.version), ("p", 7));
        Some(listed.row.items.into_iter().map(|decided| decided.item).collect())
    }

    #[test]
    fn i3_whoever_holds_what_is_followed_and_might_be_obtained_is_listed() {
        let religion = ("religion", Value::Text("x".into()));
        assert_eq!(items(record(false, vec![name()])), Some(vec!["birth_full_name".to_owned()]));
        // Not by what is not granted.
        assert_eq!(items(record(false, vec![religion])), None);
        assert_eq!(items(record(false, Vec::new())), None);
    }

    #[test]
    fn i7_hidden_persons_are_not_listed_and_nobody_is_for_a_relation_to_one() {
        assert_eq!(items(record(true, vec![name()])), None);
        assert_eq!(items(record(false, vec![mother(HIDDEN)])), None);
        let both = vec![mother("990126000002")];
        assert_eq!(items(record(false, both)), Some(vec!["family_relations".to_owned()]));
        assert!(allows_naming_others(&table()));
    }
}
