//! A lookup: whether the person may be shown, and what becomes of each item.

use decide::{DecisionTable, Fact, ItemEffect, TableAnswer};
use model::{
    GoldenRecord, HeldValue, Name, NameLevel, OldNumber, PartialDate, PersonalNumber, Value,
};
use time::Date;

/// How a person is named.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// By the personal number.
    Personal(PersonalNumber),
    /// By the old number of nine digits.
    Old(OldNumber),
}

impl Subject {
    /// The digits. The two kinds never meet: they differ in length.
    pub(crate) fn digits(&self) -> &str {
        match self {
            Self::Personal(number) => number.as_str(),
            Self::Old(number) => number.as_str(),
        }
    }
}

/// What the caller says it knows of the person.
#[derive(Clone)]
pub(crate) struct Claims {
    /// The full name.
    pub(crate) full_name: Name,
    /// The date of birth, or its year.
    pub(crate) date_of_birth: PartialDate,
}

impl Claims {
    /// Whether they agree with the record: the name with case, spacing and tone placement folded and
    /// marks kept (level L2), the date as the profile says. What the register does not hold agrees with
    /// nothing.
    pub(crate) fn agree(&self, record: &GoldenRecord, year_suffices: bool) -> bool {
        let key = self.full_name.match_key(NameLevel::L2);
        let name = values(record, "birth_full_name").iter().any(|held| {
            matches!(&held.value, Value::Name(name)
                if name.full_name.match_key(NameLevel::L2) == key)
        });
        let date = values(record, "date_of_birth").iter().any(|held| {
            matches!(&held.value, Value::Date(date)
                if PartialDate::claim_matches(&self.date_of_birth, date, year_suffices))
        });
        // Both are looked at whatever the first says.
        name & date
    }
}

fn values<'a>(record: &'a GoldenRecord, item: &str) -> &'a [HeldValue] {
    record.items.get(item).map(Vec::as_slice).unwrap_or_default()
}

/// How a lookup ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// What became of each item, in the order of the request; empty unless the person is shown.
    pub(crate) items: Vec<(String, ItemOutcome)>,
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
        return Finding { ending: Ending::Absent, items: Vec::new(), facts: Vec::new(), row: None };
    };
    let known = |name: &str| fact(record, name, today);
    let row = table.resolve(known);
    let facts = table.facts().iter().map(|name| format!("{name}={:?}", known(name))).collect();
    let ending = if claims.is_some_and(|claims| !claims.agree(record, year_suffices)) {
        Ending::ClaimsDiffer
    } else if row.visible {
        Ending::Shown
    } else {
        Ending::Hidden
    };
    let items = if ending == Ending::Shown { outcomes(record, &row) } else { Vec::new() };
    Finding { ending, items, facts, row: Some(row) }
}

/// A fact of the subject, as policy names it; one that is not known here is unknown (I2).
fn fact(record: &GoldenRecord, name: &str, today: Date) -> Fact {
    match name {
        "deceased" => record.deceased().into(),
        "protected" => record.protected.into(),
        "minor" => record.is_minor(today).map_or(Fact::Unknown, Fact::from),
        _ => Fact::Unknown,
    }
}

/// One outcome for each item of the row (I3).
fn outcomes(record: &GoldenRecord, row: &TableAnswer) -> Vec<(String, ItemOutcome)> {
    let one = |item: &decide::ItemDecision| {
        let outcome = match item.effect {
            ItemEffect::UnknownItem => ItemOutcome::UnknownItem,
            ItemEffect::Withheld => ItemOutcome::Withheld {
                rule: item.rule.clone(),
                legal_basis: item.legal_basis.clone(),
                article: item.article.clone(),
            },
            ItemEffect::Allowed => match values(record, &item.item) {
                [] => ItemOutcome::NotHeld,
                held if held.iter().any(|h| h.value.is_partial()) => {
                    ItemOutcome::Partial(held.to_vec())
                }
                held => ItemOutcome::Value(held.to_vec()),
            },
        };
        (item.item.clone(), outcome)
    };
    row.items.iter().map(one).collect()
}
