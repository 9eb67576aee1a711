//! Who is related to a person, in both directions, and who lives with it: of whom a caller is told, and what.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use decide::{DecisionTable, ItemEffect, TableAnswer};
use model::{
    GoldenRecord, HeldValue, Provenance, Relation, RelationKind, Value,
    item::{HOUSEHOLD, NAME, RELATIVES, RESIDENCE_FILE},
};
use time::Date;

use super::lookup::{ItemOutcome, ItemTold, fact, outcomes, relative, stated};

/// Relations and members that are told of one person, at most.
pub(crate) const RELATED_MAX: usize = 100;

/// By what others are found who are related to the person of a record: the numbers that it names, and its residence file. What is
/// entered by name alone leads to nobody.
pub(crate) fn keys(record: &GoldenRecord) -> BTreeSet<(&'static str, &str)> {
    let mut keys = BTreeSet::new();
    for item in [RELATIVES, HOUSEHOLD] {
        let named = record.values(item).iter().filter_map(|held| relative(&held.value));
        keys.extend(named.map(|number| (item, number)));
    }
    keys.extend(residence_file(record).map(|file| (RESIDENCE_FILE, file)));
    keys
}

/// The number of a person's residence file; none where it is not held.
pub(crate) fn residence_file(record: &GoldenRecord) -> Option<&str> {
    match record.values(RESIDENCE_FILE).first().map(|held| &held.value) {
        Some(Value::Text(file)) if !file.is_empty() => Some(file),
        Some(_) | None => None,
    }
}

/// Numbers of the persons that a record names in an item.
pub(crate) fn named_in<'a>(record: &'a GoldenRecord, item: &str) -> Vec<&'a str> {
    record.values(item).iter().filter_map(|held| relative(&held.value)).collect()
}

/// A record that names somebody by a number of that person's, current or before.
pub(crate) struct Naming {
    /// Who is named.
    pub(crate) named: String,
    /// By which number.
    pub(crate) number: String,
    /// The record.
    pub(crate) record: GoldenRecord,
}

/// Somebody who is told beside the subject.
pub(crate) struct Other {
    /// The person; none of one who is entered by name alone, or by a number that leads to nobody.
    pub(crate) person_id: Option<String>,
    /// The facts the row of the table was taken by, for the record.
    pub(crate) facts: Vec<String>,
    /// The row of the table, for the record.
    pub(crate) row: TableAnswer,
    /// One outcome for each item that is wanted of it (I3).
    pub(crate) items: Vec<ItemTold>,
    /// Who says that it is related, and since when.
    pub(crate) provenance: Provenance,
}

/// A relation that is told.
pub(crate) struct Related {
    /// What it is, as the record says that names the other.
    pub(crate) kind: RelationKind,
    /// Who is told.
    pub(crate) other: Other,
}

/// By what somebody is known to belong to a household.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// The subject's record names the person.
    NamedBySubject,
    /// The person's record names the subject.
    NamesSubject,
    /// The head's record names the person, or the person's the head.
    ThroughHead,
    /// Both are in one residence file.
    ResidenceFile,
}

/// A member of a household who is told.
pub(crate) struct Member {
    /// Whether the subject's record names it as the head.
    pub(crate) head: bool,
    /// By what it is known.
    pub(crate) evidence: Evidence,
    /// Who is told.
    pub(crate) other: Other,
}

/// What is asked about other persons, under which table.
pub(crate) struct Asked<'a> {
    /// The item that relates them to the subject.
    pub(crate) item: &'a str,
    /// The table.
    pub(crate) table: &'a DecisionTable,
    /// The day of the facts.
    pub(crate) today: Date,
}

impl Asked<'_> {
    /// Whether a row lets a caller be told who is related.
    pub(crate) fn told_by(&self, row: &TableAnswer) -> bool {
        let main = row.items.iter().find(|decided| decided.item == self.item);
        row.visible && main.is_some_and(|decided| decided.effect == ItemEffect::Allowed)
    }

    /// What is wanted of the person of a record, beside who is related.
    pub(crate) fn wanted(&self, record: &GoldenRecord, row: &TableAnswer) -> Vec<ItemTold> {
        let mut all = outcomes(record, row);
        all.retain(|told| told.item != self.item);
        all
    }

    /// Another person, as far as the rules tell of it by its own facts; none of whom they do not.
    fn other(&self, record: &GoldenRecord, provenance: &Provenance) -> Option<Other> {
        let row = self.table.resolve(|name| fact(record, name, self.today));
        self.told_by(&row).then(|| Other {
            person_id: Some(record.person_id.clone()),
            facts: stated(record, self.table, self.today),
            items: self.wanted(record, &row),
            row,
            provenance: provenance.clone(),
        })
    }

    /// Somebody whom the subject's record names and who is nobody of the register: part of what the subject's row allows.
    fn entered(&self, subject: &GoldenRecord, row: &TableAnswer, held: &HeldValue) -> Other {
        let nobody = GoldenRecord { items: BTreeMap::new(), ..subject.clone() };
        let mut items = self.wanted(&nobody, row);
        enter_name(&mut items, held);
        Other {
            person_id: None,
            facts: stated(subject, self.table, self.today),
            row: row.clone(),
            items,
            provenance: held.provenance.clone(),
        }
    }

    /// Whom a record names; `bearers` are the persons who bear the numbers. `row` is that of its person.
    pub(crate) fn forward(
        &self,
        subject: &GoldenRecord,
        row: &TableAnswer,
        bearers: &HashMap<String, GoldenRecord>,
    ) -> Vec<Related> {
        let mut related = Vec::new();
        for held in subject.values(self.item) {
            let Some(relation) = held.value.relation() else { continue };
            let other = match bearer(relation, bearers) {
                Some(record) if record.person_id == subject.person_id => None,
                Some(record) => self.other(record, &held.provenance).map(|mut other| {
                    enter_name(&mut other.items, held);
                    other
                }),
                None => Some(self.entered(subject, row, held)),
            };
            related.extend(other.map(|other| Related { kind: relation.kind, other }));
        }
        related
    }

    /// Whose records name a person.
    pub(crate) fn inverse(&self, subject: &str, namings: &[Naming]) -> Vec<Related> {
        let mut related = Vec::new();
        for naming in namings.iter().filter(|naming| naming.named == subject) {
            if naming.record.person_id == subject {
                continue;
            }
            for held in naming.record.values(self.item) {
                let named = relative(&held.value) == Some(naming.number.as_str());
                let Some(relation) = held.value.relation().filter(|_| named) else { continue };
                let other = self.other(&naming.record, &held.provenance);
                related.extend(other.map(|other| Related { kind: relation.kind, other }));
            }
        }
        related
    }

    /// The head whom a record names, where the caller may be told of that person.
    pub(crate) fn head<'a>(
        &self,
        subject: &GoldenRecord,
        bearers: &'a HashMap<String, GoldenRecord>,
    ) -> Option<&'a GoldenRecord> {
        subject.values(self.item).iter().find_map(|held| {
            let relation = held.value.relation()?;
            let head = bearer(relation, bearers)?;
            let told = relation.kind == RelationKind::HouseholdHead
                && head.person_id != subject.person_id
                && self.other(head, &held.provenance).is_some();
            told.then_some(head)
        })
    }

    /// The other persons of a household, each once, by the first evidence there is; and whether somebody's record names the
    /// subject as its head.
    pub(crate) fn household(&self, home: &Home<'_>) -> (Vec<Member>, bool) {
        let subject = home.subject.person_id.as_str();
        let mut members = Members { subject, all: Vec::new() };
        for Related { kind, other } in self.forward(home.subject, home.row, home.bearers) {
            members.add(Evidence::NamedBySubject, kind == RelationKind::HouseholdHead, other);
        }
        let mut is_head = false;
        for Related { kind, other } in self.inverse(subject, home.namings) {
            is_head |= kind == RelationKind::HouseholdHead;
            members.add(Evidence::NamesSubject, false, other);
        }
        if let Some(head) = home.head {
            for held in head.values(self.item) {
                let named = held.value.relation().and_then(|r| bearer(r, home.bearers_of_head));
                let other = named.and_then(|record| self.other(record, &held.provenance));
                other.into_iter().for_each(|o| members.add(Evidence::ThroughHead, false, o));
            }
            for Related { other, .. } in self.inverse(&head.person_id, home.namings) {
                members.add(Evidence::ThroughHead, false, other);
            }
        }
        for record in home.in_file {
            let Some(held) = record.values(RESIDENCE_FILE).first() else { continue };
            let other = self.other(record, &held.provenance).filter(|o| allows_file(&o.row));
            other.into_iter().for_each(|o| members.add(Evidence::ResidenceFile, false, o));
        }
        (members.all, is_head)
    }
}

/// What was read of a household.
pub(crate) struct Home<'a> {
    /// The subject, without relations to whoever is hidden.
    pub(crate) subject: &'a GoldenRecord,
    /// Its row.
    pub(crate) row: &'a TableAnswer,
    /// Who bears the numbers that it names.
    pub(crate) bearers: &'a HashMap<String, GoldenRecord>,
    /// The head that it names.
    pub(crate) head: Option<&'a GoldenRecord>,
    /// Who bears the numbers that the head names.
    pub(crate) bearers_of_head: &'a HashMap<String, GoldenRecord>,
    /// The records that name the subject or the head.
    pub(crate) namings: &'a [Naming],
    /// Those of the same residence file, where the caller may find by it.
    pub(crate) in_file: &'a [GoldenRecord],
}

/// Whether a row lets a caller have the number of the residence file.
pub(crate) fn allows_file(row: &TableAnswer) -> bool {
    let file = row.items.iter().find(|decided| decided.item == RESIDENCE_FILE);
    file.is_some_and(|decided| decided.effect == ItemEffect::Allowed)
}

/// Members so far.
struct Members<'a> {
    subject: &'a str,
    all: Vec<Member>,
}

impl Members<'_> {
    fn add(&mut self, evidence: Evidence, head: bool, other: Other) {
        let known = |id: &String| {
            id == self.subject || self.all.iter().any(|m| m.other.person_id.as_ref() == Some(id))
        };
        if !other.person_id.as_ref().is_some_and(known) {
            self.all.push(Member { head, evidence, other });
        }
    }
}

fn bearer<'a>(
    relation: &Relation,
    bearers: &'a HashMap<String, GoldenRecord>,
) -> Option<&'a GoldenRecord> {
    bearers.get(relation.identifier.as_ref()?.as_str())
}

/// Puts the name as it is entered in the place of the name that is allowed.
fn enter_name(items: &mut [ItemTold], held: &HeldValue) {
    let Some(relation) = held.value.relation() else { return };
    for ItemTold { outcome, .. } in items.iter_mut().filter(|told| told.item == NAME) {
        if let ItemOutcome::Value(_) | ItemOutcome::Partial(_) | ItemOutcome::NotHeld = outcome {
            let (value, provenance) = (Value::Name(relation.name.clone()), held.provenance.clone());
            *outcome = ItemOutcome::Value(vec![HeldValue { value, provenance }]);
        }
    }
}

#[cfg(test)]
#[path = "relations_tests.rs"]
mod tests;
