//! What a connection may ever ask for: on which conditions each item is given that an agreement grants.

use decide::{CONSENT, DecisionTable, ItemDecision, ItemEffect, Obligation, TableAnswer};
use time::OffsetDateTime;

use super::basis::today;
use super::decision::{Denial, Named, Profile};
use super::registry::{Granted, Standing};
use super::request::Request;
use super::rules::{Act, Consents, FACTS};

/// What one agreement grants for one act, procedure and ground.
#[derive(Clone, Debug)]
pub(crate) struct Permission {
    pub(crate) act: Act,
    pub(crate) procedure: String,
    pub(crate) legal_basis: String,
    pub(crate) granted: Granted,
}

impl Permission {
    /// What it stands in the order by.
    pub(crate) fn key(&self) -> [String; 4] {
        let Self { act, procedure, legal_basis, granted } = self;
        [granted.agreement.clone(), act.name().to_owned(), procedure.clone(), legal_basis.clone()]
    }
}

/// What is given of it.
#[derive(Debug)]
pub(crate) struct Permitted {
    /// Why nothing is, whatever is named.
    pub(crate) denial: Option<Denial>,
    /// Each item that the law lists, in its order.
    pub(crate) items: Vec<PermittedItem>,
}

/// On which conditions an item is given.
#[derive(Debug)]
pub(crate) struct PermittedItem {
    pub(crate) item: String,
    /// The fewest conditions first; none where the law withholds it.
    pub(crate) ways: Vec<Way>,
    /// What withholds it from a request that names nothing, of a subject of whom no fact holds.
    pub(crate) withheld: Option<ItemDecision>,
}

/// A way to be given an item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) consent: bool,
    pub(crate) direction: bool,
    /// Of whom: of subjects of whom all facts of one of these are so. One without facts is anybody.
    pub(crate) subjects: Vec<Vec<(String, bool)>>,
    pub(crate) obligations: Vec<Obligation>,
}

/// What a request may name, the least first.
const NAMED: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

impl Profile {
    /// What is given under a permission, whether or not the connection may be used today.
    pub(crate) fn permitted(
        &self,
        permission: &Permission,
        standing: &Standing,
        now: OffsetDateTime,
    ) -> Permitted {
        let day = today(now);
        let request = self.asking(permission);
        let grounds = match self.named_grounds(&request, day) {
            Ok(grounds) => grounds,
            Err(denial) => return Permitted { denial: Some(denial), items: Vec::new() },
        };
        let tables =
            NAMED.map(|named| self.named(&request, named, &grounds, permission, standing, now));
        let items = request.items.iter().enumerate().map(|(place, item)| PermittedItem {
            item: item.clone(),
            ways: ways(&tables, place),
            withheld: tables
                .first()
                .and_then(Option::as_ref)
                .and_then(|table| withheld(table, place)),
        });
        Permitted { denial: None, items: items.collect() }
    }

    /// A request for everything that is granted, in the order of the law.
    fn asking(&self, permission: &Permission) -> Request {
        let Permission { act, procedure, legal_basis, granted } = permission;
        let event = self.catalogue.procedure(procedure).and_then(|p| p.events.first().copied());
        let is_granted = |id: &String| granted.items.iter().any(|(item, _)| item == id);
        let listed = self.catalogue.items().iter().map(|item| item.id.clone());
        Request {
            caller: Default::default(),
            act: *act,
            event: event.filter(|_| *act == Act::Contribute),
            procedure: procedure.clone(),
            legal_basis: legal_basis.clone(),
            direction: false,
            by: None,
            items: listed.filter(is_granted).collect(),
        }
    }

    /// The table of a request that names this; none where no consent counts, or where nothing can be decided.
    fn named(
        &self,
        request: &Request,
        (consent, direction): (bool, bool),
        grounds: &Named<'_>,
        permission: &Permission,
        standing: &Standing,
        now: OffsetDateTime,
    ) -> Option<DecisionTable> {
        if consent && request.act.consents() != Consents::Counted {
            return None;
        }
        let connection = standing.connection.as_ref()?;
        let request = Request { direction, ..request.clone() };
        let granted = &permission.granted;
        if direction && !granted.directs(&request) {
            return None;
        }
        let ask = grounds.question(&connection.database, &request, direction);
        let items = self.catalogue.set(granted.items.iter().map(|(item, _)| item));
        let obligations = |item: &str| granted.obligations(item);
        let table = self.builder(&ask, &request, &items, &obligations, now).build().ok()?;
        Some(table.knowing(CONSENT, consent))
    }
}

/// What a table says of an item, row by row.
fn rows(table: &DecisionTable, place: usize) -> impl Iterator<Item = Option<&ItemDecision>> {
    let answer = |row: &u32| table.answers().get(usize::try_from(*row).ok()?);
    table.rows().iter().map(move |row| answer(row).and_then(|a: &TableAnswer| a.items.get(place)))
}

fn is_allowed(decided: Option<&ItemDecision>) -> bool {
    decided.is_some_and(|decided| decided.effect == ItemEffect::Allowed)
}

/// What withholds an item of a subject of whom no fact holds.
fn withheld(table: &DecisionTable, place: usize) -> Option<ItemDecision> {
    let first = rows(table, place).next().flatten()?;
    (first.effect != ItemEffect::Allowed).then(|| first.clone())
}

/// Every way to be given an item that gives it of somebody of whom none with less does.
fn ways(tables: &[Option<DecisionTable>], place: usize) -> Vec<Way> {
    let mut ways: Vec<(Way, Vec<bool>)> = Vec::new();
    for ((consent, direction), table) in NAMED.into_iter().zip(tables) {
        let Some(table) = table else { continue };
        let given: Vec<bool> = rows(table, place).map(is_allowed).collect();
        let less = |way: &&(Way, Vec<bool>)| {
            (!way.0.consent || consent) && (!way.0.direction || direction)
        };
        let before =
            |row: usize| ways.iter().filter(less).any(|(_, given)| given.get(row) == Some(&true));
        if !given.iter().enumerate().any(|(row, given)| *given && !before(row)) {
            continue;
        }
        let first = rows(table, place).find(|decided| is_allowed(*decided)).flatten();
        let obligations = first.map(|decided| decided.obligations.clone()).unwrap_or_default();
        let subjects = classes(table.facts(), &given);
        ways.push((Way { consent, direction, subjects, obligations }, given));
    }
    ways.into_iter().map(|(way, _)| way).collect()
}

/// The subjects for whom a list of rows says yes, by the facts that make a difference.
pub(super) fn classes(facts: &[String], given: &[bool]) -> Vec<Vec<(String, bool)>> {
    let matters =
        |bit: usize| (0..given.len()).any(|row| given.get(row) != given.get(row ^ 1 << bit));
    let bits: Vec<usize> = (0..facts.len()).filter(|bit| matters(*bit)).collect();
    // The other facts do not matter, so each class is read where none of them holds.
    let others =
        |row: usize| (0..facts.len()).any(|bit| !bits.contains(&bit) && row >> bit & 1 == 1);
    let class = |row: usize| {
        let fact = |bit: &usize| Some((facts.get(*bit)?.clone(), row >> bit & 1 == 1));
        bits.iter().filter_map(fact).collect()
    };
    let yes = given.iter().enumerate().filter(|(row, given)| **given && !others(*row));
    yes.map(|(row, _)| class(row)).collect()
}

/// The fact of the subject of a name; a consent is none of them.
pub(crate) fn is_fact(name: &str) -> Option<&'static str> {
    FACTS.into_iter().find(|fact| *fact == name && *fact != CONSENT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn subjects_are_named_by_the_facts_that_make_a_difference() {
        let facts = ["minor".to_owned(), "protected".to_owned()];
        let of = |given: [bool; 4]| classes(&facts, &given);
        let fact = |name: &str, holds| (name.to_owned(), holds);
        assert_eq!(of([true; 4]), [vec![]]);
        assert_eq!(of([true, true, false, false]), [vec![fact("protected", false)]]);
        assert_eq!(of([false, true, false, true]), [vec![fact("minor", true)]]);
        let either = of([false, true, true, true]);
        assert_eq!(either.len(), 3);
        assert_eq!(either[0], [fact("minor", true), fact("protected", false)]);
        assert!(of([false; 4]).is_empty());
    }
}
