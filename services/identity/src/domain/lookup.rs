//! A lookup: whether the person may be shown, and what becomes of each item.

use std::collections::HashSet;

use decide::{CONSENT, DecisionTable, Fact, ItemDecision, ItemEffect, Obligation, TableAnswer};
use model::{
    Agreement, Claims, GoldenRecord, HeldValue, Value,
    item::{HOUSEHOLD, RELATIVES},
};
use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};

use super::{consent::Consent, mask::masked};

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

/// By what the row of a table is taken.
#[derive(Clone, Copy)]
pub(crate) struct Under<'a> {
    /// The table.
    pub(crate) table: &'a DecisionTable,
    /// The consent of the person that counts for the request, if there is one.
    pub(crate) consent: Option<&'a Consent>,
    /// Today, in Viet Nam.
    pub(crate) today: Date,
}

impl Under<'_> {
    /// The row of a person.
    pub(crate) fn row(&self, record: &GoldenRecord) -> TableAnswer {
        let known = |name: &str| fact(record, name, self.today);
        self.consent.map_or_else(
            || self.table.resolve(known),
            |consent| self.table.consented(known, |item| consent.covers(item)),
        )
    }

    /// Whether the consent opens something of a person that would be closed without it, or given on other conditions.
    pub(crate) fn is_opened(&self, record: &GoldenRecord) -> bool {
        let without = Self { consent: None, ..*self }.row(record);
        let with = self.row(record);
        let allowed = |item: &ItemDecision| item.effect == ItemEffect::Allowed;
        (with.visible && !without.visible)
            || with
                .items
                .iter()
                .zip(&without.items)
                .any(|(w, o)| allowed(w) && (!allowed(o) || w.obligations != o.obligations))
    }

    /// The facts by which it was taken, as records state them.
    pub(crate) fn stated(&self, record: &GoldenRecord) -> Vec<String> {
        let mut stated = stated(record, self.table, self.today);
        if self.consent.is_some() {
            let none = format!("{CONSENT}=false");
            stated
                .iter_mut()
                .filter(|fact| **fact == none)
                .for_each(|fact| *fact = format!("{CONSENT}=true"));
        }
        stated
    }
}

/// What the caller of a lookup gets to see of `record`. `claims` is none where the procedure waives them.
pub(crate) fn find(
    record: Option<&GoldenRecord>,
    claims: Option<&Claims>,
    year_suffices: bool,
    under: &Under<'_>,
) -> Finding {
    let Some(record) = record else {
        return Finding { ending: Ending::Absent, facts: Vec::new(), row: None };
    };
    let (row, facts) = (under.row(record), under.stated(record));
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

/// A fact of the subject, as policy names it; one that is not known here is unknown (I2). There is no consent but the one that was
/// found with the person.
pub(super) fn fact(record: &GoldenRecord, name: &str, today: Date) -> Fact {
    match name {
        "deceased" => record.deceased().into(),
        "protected" => record.protected.into(),
        CONSENT => Fact::False,
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
        // What is not given obliges to nothing.
        let given = !matches!(outcome, ItemOutcome::Withheld { .. });
        let obligations = if given { item.obligations.clone() } else { Vec::new() };
        ItemTold { item: item.item.clone(), outcome, obligations }
    };
    row.items.iter().map(one).collect()
}

/// Until when a copy of an answer may be used, whatever it tells of the person: as long as the operator says, and no longer than
/// any item of the row may. There is none of whoever is not shown.
pub(crate) fn copy_ends(
    row: Option<&TableAnswer>,
    at: OffsetDateTime,
    usual: OffsetDateTime,
) -> OffsetDateTime {
    // An age or an end beyond all dates is later than any.
    let end = |obligation: &Obligation| match *obligation {
        Obligation::MaxAge(seconds) => at.checked_add(Duration::seconds(seconds.into())),
        Obligation::ValidUntil(second) => OffsetDateTime::from_unix_timestamp(second).ok(),
        Obligation::Mask(_) | Obligation::NoOnwardTransfer => None,
    };
    let items = row.into_iter().flat_map(|row| &row.items);
    items.flat_map(|item| &item.obligations).filter_map(end).fold(usual, std::cmp::min)
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

/// One outcome for each claimed value of the row (I3), with the conditions on which the caller has it; never a value of the record.
pub(crate) fn verdicts(
    record: &GoldenRecord,
    row: &TableAnswer,
    claimed: &[Value],
    year_suffices: bool,
) -> Vec<(String, ClaimOutcome, Vec<Obligation>)> {
    let one = |(item, claim): (&decide::ItemDecision, &Value)| {
        let outcome = match item.effect {
            ItemEffect::UnknownItem => ClaimOutcome::UnknownItem,
            ItemEffect::Withheld => ClaimOutcome::Denied {
                rule: item.rule.clone(),
                legal_basis: item.legal_basis.clone(),
                article: item.article.clone(),
            },
            ItemEffect::Allowed => Agreement::of(claim, record.values(&item.item), year_suffices)
                .map_or(ClaimOutcome::NotHeld, ClaimOutcome::Held),
        };
        // Only what is allowed has any.
        (item.item.clone(), outcome, item.obligations.clone())
    };
    row.items.iter().zip(claimed).map(one).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use decide::MaskForm;
    use model::{AuthorityInForce, fold};
    use time::macros::datetime;

    use super::*;

    fn row(obligations: &[&[Obligation]]) -> TableAnswer {
        let one = |obligations: &&[Obligation]| ItemDecision {
            item: "sex".into(),
            effect: ItemEffect::Allowed,
            rule: "rule".into(),
            legal_basis: "basis".into(),
            article: "article".into(),
            obligations: obligations.to_vec(),
        };
        TableAnswer { visible: true, items: obligations.iter().map(one).collect() }
    }

    #[test]
    fn a_copy_is_used_no_longer_than_any_of_its_items() {
        let (at, usual) = (datetime!(2026-11-24 05:00 UTC), datetime!(2026-11-24 06:00 UTC));
        let until = |seconds| Obligation::ValidUntil(at.unix_timestamp() + seconds);
        let ends =
            |all: &[&[Obligation]]| (copy_ends(Some(&row(all)), at, usual) - at).whole_seconds();
        assert_eq!(copy_ends(None, at, usual), usual);
        assert_eq!(ends(&[&[], &[Obligation::NoOnwardTransfer]]), 3_600);
        assert_eq!(ends(&[&[Obligation::MaxAge(60)], &[]]), 60);
        assert_eq!(ends(&[&[Obligation::MaxAge(7_200)], &[until(7_200)]]), 3_600);
        assert_eq!(ends(&[&[Obligation::MaxAge(60)], &[Obligation::MaxAge(90), until(30)]]), 30);
        // It has ended, where clocks differ.
        assert_eq!(ends(&[&[until(-5)]]), -5);
        assert_eq!(ends(&[&[Obligation::ValidUntil(i64::MAX)]]), 3_600);
        assert_eq!(ends(&[&[Obligation::MaxAge(u32::MAX)]]), 3_600);
    }

    /// A value without the form is withheld, and then there is nothing to do about it.
    #[test]
    fn what_is_withheld_obliges_to_nothing() {
        let mut said = crate::domain::feed::tests::relation("sex", 1, None);
        said.value = Value::Text("x".into());
        let record = fold("p", false, &[said], &AuthorityInForce::default());
        let obligations = [Obligation::Mask(MaskForm::Province), Obligation::MaxAge(60)];
        let told = outcomes(&record, &row(&[&obligations]));
        let told = told.first().unwrap();
        let rule = match &told.outcome {
            ItemOutcome::Withheld { rule, .. } => rule.as_str(),
            ItemOutcome::Value(_)
            | ItemOutcome::Partial(_)
            | ItemOutcome::NotHeld
            | ItemOutcome::UnknownItem => "",
        };
        assert_eq!((rule, told.obligations.len()), (decide::MASKED, 0));
        // Of somebody of whom none is held they are told as they would be otherwise.
        let nothing = fold("p", false, &[], &AuthorityInForce::default());
        let told = outcomes(&nothing, &row(&[&obligations]));
        assert_eq!(told.first().unwrap().obligations, obligations);
    }
}
