//! A lookup: whether the person may be shown, and what becomes of each item.

use std::collections::HashSet;

use decide::{DecisionTable, Fact, ItemDecision, ItemEffect, Obligation, TableAnswer};
use model::{
    Agreement, Claims, GoldenRecord, HeldValue, Value,
    item::{HOUSEHOLD, RELATIVES},
};
use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};

use super::mask::masked;

/// How a lookup ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// The person is shown.
    Shown,
    /// There is no such person.
    Absent,
    /// There is one, of whom the claims say otherwise.
    ClaimsDiffer,
    /// There is one, whom the rules hide from this caller (I7).
    Hidden,
}

/// What became of a requested item.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum ItemOutcome {
    /// The current values.
    Value(Vec<HeldValue>),
    /// The current values, of which something is known to be missing.
    Partial(Vec<HeldValue>),
    /// The register holds none.
    NotHeld,
    /// The catalogue has no such item.
    UnknownItem,
    /// Not given to this caller, by this rule.
    Withheld {
        /// The rule.
        rule: String,
        /// Id of its legal basis.
        legal_basis: String,
        /// Its article, as cited.
        article: String,
    },
}

/// How a lookup ends, with everything the answer and the record need.
pub(crate) struct Finding {
    /// How it ends.
    pub(crate) ending: Ending,
    /// The facts the row of the table was taken by, for the record.
    pub(crate) facts: Vec<String>,
    /// The row of the table, for the record; none when there is no person.
    pub(crate) row: Option<TableAnswer>,
}

/// What the caller of a lookup gets to see of `record`. `claims` is none where the procedure waives them.
pub(crate) fn find(
    record: Option<&GoldenRecord>,
    claims: Option<&Claims>,
    year_suffices: bool,
    table: &DecisionTable,
    today: Date,
) -> Finding {
    let Some(record) = record else {
        return Finding { ending: Ending::Absent, facts: Vec::new(), row: None };
    };
    let known = |name: &str| fact(record, name, today);
    let row = table.resolve(known);
    let facts = stated(record, table, today);
    let ending = if claims.is_some_and(|claims| !claims.agree(record, year_suffices)) {
        Ending::ClaimsDiffer
    } else if row.visible {
        Ending::Shown
    } else {
        Ending::Hidden
    };
    Finding { ending, facts, row: Some(row) }
}

/// The facts that a table asks for, as records state them.
pub(super) fn stated(record: &GoldenRecord, table: &DecisionTable, today: Date) -> Vec<String> {
    let one = |name: &String| {
        let known = match fact(record, name, today) {
            Fact::True => "true",
            Fact::False => "false",
            Fact::Unknown => "unknown",
        };
        format!("{name}={known}")
    };
    table.facts().iter().map(one).collect()
}

/// A fact of the subject, as policy names it; one that is not known here is unknown (I2).
pub(super) fn fact(record: &GoldenRecord, name: &str, today: Date) -> Fact {
    match name {
        "deceased" => record.deceased().into(),
        "protected" => record.protected.into(),
        "minor" => record.is_minor(today).map_or(Fact::Unknown, Fact::from),
        _ => Fact::Unknown,
    }
}

/// Whether a caller under this table may learn of protected persons: if it may of one of whom nothing else is
/// known.
pub(crate) fn sees_protected(table: &DecisionTable) -> bool {
    let fact = |name: &str| if name == "protected" { Fact::True } else { Fact::Unknown };
    table.read(fact).visible
}

/// Whether an item is about other persons (Law 26/2023/QH15, Art. 9, items 15 and 23).
pub(crate) fn names_others(item: &str) -> bool {
    item == RELATIVES || item == HOUSEHOLD
}

/// Numbers of the persons that a record names.
pub(crate) fn relatives(record: &GoldenRecord) -> impl Iterator<Item = &str> {
    record.items.values().flatten().filter_map(|held| relative(&held.value))
}

/// The number of the person that a value names; none where it names nobody, or by name alone.
pub(crate) fn relative(value: &Value) -> Option<&str> {
    value.relation()?.identifier.as_ref().map(|number| number.as_str())
}

/// Takes relations to the persons with these numbers out of a record: hidden looks absent, also as somebody's mother (I7).
pub(crate) fn without(record: &mut GoldenRecord, hidden: &HashSet<String>) {
    record.items.retain(|_, held| {
        held.retain(|held| !relative(&held.value).is_some_and(|number| hidden.contains(number)));
        !held.is_empty()
    });
}

/// What became of an item, and on what conditions the caller has it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ItemTold {
    /// The item.
    pub(crate) item: String,
    /// What became of it.
    pub(crate) outcome: ItemOutcome,
    /// The conditions.
    pub(crate) obligations: Vec<Obligation>,
}

/// One outcome for each item of the row (I3).
pub(crate) fn outcomes(record: &GoldenRecord, row: &TableAnswer) -> Vec<ItemTold> {
    let one = |item: &ItemDecision| {
        let outcome = outcome(record, item);
        ItemTold { item: item.item.clone(), outcome, obligations: item.obligations.clone() }
    };
    row.items.iter().map(one).collect()
}

/// Until when a copy of an answer may be used: as long as the operator says, and no longer than any of its items may.
pub(crate) fn copy_ends(
    items: &[ItemTold],
    at: OffsetDateTime,
    usual: OffsetDateTime,
) -> OffsetDateTime {
    let end = |obligation: &Obligation| match *obligation {
        Obligation::MaxAge(seconds) => at.checked_add(Duration::seconds(seconds.into())),
        Obligation::ValidUntil(second) => OffsetDateTime::from_unix_timestamp(second).ok(),
        Obligation::Mask(_) | Obligation::NoOnwardTransfer => None,
    };
    items.iter().flat_map(|told| &told.obligations).filter_map(end).fold(usual, std::cmp::min)
}

fn outcome(record: &GoldenRecord, item: &ItemDecision) -> ItemOutcome {
    let withheld = |rule: &str| ItemOutcome::Withheld {
        rule: rule.to_owned(),
        legal_basis: item.legal_basis.clone(),
        article: item.article.clone(),
    };
    match (item.effect, item.mask()) {
        (ItemEffect::UnknownItem, _) => ItemOutcome::UnknownItem,
        (ItemEffect::Withheld, _) => withheld(&item.rule),
        (ItemEffect::Allowed, None) => match record.values(&item.item) {
            [] => ItemOutcome::NotHeld,
            held if held.iter().any(|h| h.value.is_partial()) => {
                ItemOutcome::Partial(held.to_vec())
            }
            held => ItemOutcome::Value(held.to_vec()),
        },
        (ItemEffect::Allowed, Some(form)) => match masked(record.values(&item.item), form) {
            None => withheld(decide::MASKED),
            Some(held) if held.is_empty() => ItemOutcome::NotHeld,
            Some(held) => ItemOutcome::Partial(held),
        },
    }
}

/// What the register says of a claimed value.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum ClaimOutcome {
    /// It holds a value, which agrees, disagrees, or does neither.
    Held(Agreement),
    /// It holds none.
    NotHeld,
    /// The catalogue has no such item.
    UnknownItem,
    /// The item is not given to this caller, so nothing is said of it.
    Denied {
        /// The rule.
        rule: String,
        /// Id of its legal basis.
        legal_basis: String,
        /// Its article, as cited.
        article: String,
    },
}

/// One outcome for each claimed value of the row (I3); never a value of the record.
pub(crate) fn verdicts(
    record: &GoldenRecord,
    row: &TableAnswer,
    claimed: &[Value],
    year_suffices: bool,
) -> Vec<(String, ClaimOutcome)> {
    let one = |(item, claim): (&decide::ItemDecision, &Value)| {
        let outcome = match item.effect {
            ItemEffect::UnknownItem => ClaimOutcome::UnknownItem,
            ItemEffect::Withheld => ClaimOutcome::Denied {
                rule: item.rule.clone(),
                legal_basis: item.legal_basis.clone(),
                article: item.article.clone(),
            },
            // Whether the whole value agrees says more than a form of it.
            ItemEffect::Allowed if !item.allows_whole() => ClaimOutcome::Denied {
                rule: decide::MASKED.to_owned(),
                legal_basis: item.legal_basis.clone(),
                article: item.article.clone(),
            },
            ItemEffect::Allowed => Agreement::of(claim, record.values(&item.item), year_suffices)
                .map_or(ClaimOutcome::NotHeld, ClaimOutcome::Held),
        };
        (item.item.clone(), outcome)
    };
    row.items.iter().zip(claimed).map(one).collect()
}
