//! Marriages, divorces and parents: what they say of whom.

use contract::{
    contribution::v1::{ParentChange, Party},
    r#type::v1::Relation as WireRelation,
};
use model::{
    EventKind, NameLevel, PartialDate, Relation, RelationKind, Said, Saying, Value, item::RELATIVES,
};

use super::{
    Further,
    life::{Told, Who, ends},
    read::Reading,
};
use crate::{Fault, value::Reader};

const PARENTS_MAX: usize = 2;
/// Codes of the list `marital-status`.
const MARRIED: &str = "2";
const DIVORCED_OR_WIDOWED: &str = "3";

/// Whom somebody married, or is divorced from.
pub(super) enum Spouse<'a> {
    Registered(&'a Party),
    Other(&'a WireRelation),
}

impl Reading<'_> {
    /// A marriage or a divorce: what it says of both.
    pub(super) fn couple(
        &mut self,
        kind: EventKind,
        spouse: Option<Spouse<'_>>,
        person: Option<&Who>,
        from: Option<PartialDate>,
    ) -> Option<Told> {
        let field = format!("life_event.{}", kind.name());
        let status = if kind == EventKind::Marriage { MARRIED } else { DIVORCED_OR_WIDOWED };
        let status = Value::Coded(self.lists.latest("marital-status", status)?);
        let said = |other: Relation| {
            let other = Value::Relation(Relation { kind: RelationKind::Spouse, ..other });
            let relation = if kind == EventKind::Marriage {
                Said::holds(RELATIVES, other, from)
            } else {
                ends(RELATIVES, Some(other), from, Saying::EndsIfHeld)
            };
            vec![Said::holds("marital_status", status.clone(), from), relation]
        };
        match spouse {
            None => {
                self.faults.add(format!("{field}.spouse"), Fault::Missing);
                None
            }
            Some(Spouse::Other(relation)) => {
                let place = format!("{field}.other_spouse");
                let relation = self.relation_of(&place, relation, &[RelationKind::Spouse])?;
                // Whoever has a number is in the register.
                if relation.identifier.is_some() {
                    self.faults.add(format!("{place}.identifier"), Fault::NotAllowed);
                }
                Told::of(kind, said(relation))
            }
            Some(Spouse::Registered(party)) => {
                let place = format!("{field}.registered_spouse");
                let spouse = self.party(&place, Some(party))?;
                let person = person?;
                if spouse.subject == person.subject {
                    self.faults.add(place.clone(), Fault::NotAllowed);
                }
                let (subject, claims) = (spouse.subject.clone(), spouse.claims.clone());
                let further = Further { place, subject, claims, said: said(person.relation()) };
                Some(Told { kind, said: said(spouse.relation()), further: vec![further] })
            }
        }
    }

    pub(super) fn parents(
        &mut self,
        kind: EventKind,
        change: &ParentChange,
        from: Option<PartialDate>,
    ) -> Option<Told> {
        let field = format!("life_event.{}", kind.name());
        if change.parents.is_empty() {
            self.faults.add(format!("{field}.parents"), Fault::Missing);
        }
        let parents = self.parents_at(&format!("{field}.parents"), &change.parents);
        let ended = self.parents_at(&format!("{field}.ended_parents"), &change.ended_parents);
        for (place, parent) in parents.iter().enumerate() {
            if parents.iter().take(place).any(|other| other.kind == parent.kind) {
                self.faults.add(format!("{field}.parents[{place}].kind"), Fault::Repeated);
            }
        }
        let name = |relation: &Relation| relation.name.full_name.match_key(NameLevel::L2);
        for (place, parent) in ended.iter().enumerate() {
            let same = |other: &Relation| other.kind == parent.kind && name(other) == name(parent);
            if parents.iter().any(same) {
                self.faults.add(format!("{field}.ended_parents[{place}]"), Fault::NotAllowed);
            }
        }
        let ended = ended.into_iter().map(Value::Relation);
        let ended = ended.map(|value| ends(RELATIVES, Some(value), from, Saying::Ends));
        let parents = parents.into_iter().map(Value::Relation);
        let said = parents.map(|value| Said::holds(RELATIVES, value, from)).chain(ended).collect();
        Told::of(kind, said)
    }

    fn parents_at(&mut self, list: &str, relations: &[WireRelation]) -> Vec<Relation> {
        const PARENTS: [RelationKind; 2] = [RelationKind::Father, RelationKind::Mother];
        if relations.len() > PARENTS_MAX {
            self.faults.add(list, Fault::TooMany(PARENTS_MAX));
        }
        let relations = relations.iter().take(PARENTS_MAX).enumerate();
        relations
            .filter_map(|(place, relation)| {
                self.relation_of(&format!("{list}[{place}]"), relation, &PARENTS)
            })
            .collect()
    }

    /// A relation of one of these kinds.
    fn relation_of(
        &mut self,
        field: &str,
        relation: &WireRelation,
        kinds: &[RelationKind],
    ) -> Option<Relation> {
        let relation = Reader::new(self.lists, self.faults).relation(field, Some(relation))?;
        if !kinds.contains(&relation.kind) {
            self.faults.add(format!("{field}.kind"), Fault::NotAllowed);
        }
        Some(relation)
    }
}
