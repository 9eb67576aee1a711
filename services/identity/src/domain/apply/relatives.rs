//! Parents and spouses: what cannot be of them, who they are, and who may be told of them.

use std::collections::{BTreeMap, HashMap};

use model::{
    Assertion, AuthorityInForce, EventKind, GoldenRecord, HeldValue, Identifier, PartialDate,
    Relation, RelationKind, Said, Value, gone_by, item::RELATIVES,
};

use crate::domain::lookup::relative;

/// Somebody of the register.
#[derive(Clone)]
pub(crate) struct Bearer {
    /// The person.
    pub(crate) person_id: String,
    /// Whether the person is protected.
    pub(crate) protected: bool,
}

/// Who bears the numbers that relations name.
#[derive(Default)]
pub(crate) struct Bearers(pub(crate) HashMap<String, Bearer>);

impl Bearers {
    /// Whether two numbers are one person's: numbers are set anew, and old ones are named too.
    pub(crate) fn same(&self, one: &Identifier, other: &Identifier) -> bool {
        let person = |number: &Identifier| Some(&self.0.get(number.as_str())?.person_id);
        one == other || person(one).is_some_and(|one| Some(one) == person(other))
    }

    /// What `named` gives, of a record.
    pub(crate) fn named<'a>(
        &self,
        record: &'a GoldenRecord,
        item: &str,
        value: Option<&Value>,
    ) -> Vec<&'a HeldValue> {
        record.named(item, value, &|one, other| self.same(one, other))
    }

    /// What a source may be told of a record: a relation to somebody who is protected, or whose number nobody bears, is not
    /// there, unless the source said it itself (I7).
    pub(crate) fn told(&self, record: &GoldenRecord, source: &str) -> GoldenRecord {
        let hidden = |held: &HeldValue| {
            let number = relative(&held.value);
            let visible = |number: &str| self.0.get(number).is_some_and(|bearer| !bearer.protected);
            number.is_some_and(|number| !visible(number)) && held.provenance.source != source
        };
        let items: BTreeMap<String, Vec<HeldValue>> = record
            .items
            .iter()
            .map(|(item, held)| {
                let told = held.iter().filter(|held| !hidden(held)).cloned().collect();
                (item.clone(), told)
            })
            .collect();
        GoldenRecord { items, ..record.clone() }
    }
}

/// The numbers that the relations of a record, and of what is said, name.
pub(crate) fn numbers_named<'a>(
    record: &'a GoldenRecord,
    said: &'a [Said],
) -> impl Iterator<Item = &'a str> {
    let held = record.items.values().flatten().map(|held| &held.value);
    held.chain(said.iter().filter_map(|said| said.value.as_ref())).filter_map(relative)
}

/// Whether one of two persons is held as a relative of the other, by number.
pub(crate) fn are_related(one: &GoldenRecord, other: &GoldenRecord, bearers: &Bearers) -> bool {
    let names = |record: &GoldenRecord, person: &GoldenRecord| {
        let mut named = record.values(RELATIVES).iter().filter_map(|held| relative(&held.value));
        named.any(|number| bearers.0.get(number).is_some_and(|b| b.person_id == person.person_id))
    };
    names(one, other) || names(other, one)
}

/// Whether somebody is said to be a parent or a child of a person who was born then, and the parent is certainly not older
/// than the child.
pub(super) fn parent_not_older(said: &Said, born: Option<PartialDate>) -> bool {
    said.held().is_some_and(|value| not_older(value, born))
}

/// The same of a relation, as it is said or held.
pub(super) fn not_older(value: &Value, born: Option<PartialDate>) -> bool {
    let (Some(relation), Some(born)) = (value.relation(), born) else { return false };
    let Some(other) = relation.date_of_birth else { return false };
    let not_older = |parent: PartialDate, child: PartialDate| parent.earliest() >= child.latest();
    match relation.kind {
        RelationKind::Father | RelationKind::Mother => not_older(other, born),
        RelationKind::Child => not_older(born, other),
        RelationKind::Spouse
        | RelationKind::LegalRepresentative
        | RelationKind::RepresentedPerson
        | RelationKind::HouseholdHead
        | RelationKind::HouseholdMember => false,
    }
}

/// The spouses that a record holds, but for the one of whom `said` speaks.
pub(crate) fn spouses<'a>(
    record: &'a GoldenRecord,
    said: &[Said],
    bearers: &Bearers,
) -> Vec<&'a Relation> {
    let of_relatives = said.iter().filter(|said| said.item == RELATIVES);
    let spoken_of: Vec<&HeldValue> = of_relatives
        .flat_map(|said| bearers.named(record, RELATIVES, said.value.as_ref()))
        .collect();
    let spouse = |held: &'a HeldValue| {
        held.value.relation().filter(|relation| relation.kind == RelationKind::Spouse)
    };
    let others = record.values(RELATIVES).iter().filter(|held| !spoken_of.contains(held));
    others.filter_map(spouse).collect()
}

/// Whether a spouse may be alive: `bearer` is who bears the spouse's number, with everything that was said of that person. A
/// declaration of being missing ends no marriage.
pub(crate) fn may_live(bearer: Option<(&str, &[Assertion])>, rules: &AuthorityInForce) -> bool {
    bearer.is_none_or(|(person_id, said)| gone_by(person_id, said, rules) != Some(EventKind::Death))
}
