//! Decision tables: what the policy service decides about a caller, before anybody looks at a person.
//!
//! A table has one row for every combination of a few named facts of the subject. The service that reads
//! the record finds the facts and picks the row; it needs no policy engine for that. A fact that cannot be
//! established counts as both true and false, and only what every such row allows is allowed (I2). Serves
//! Decision 1911/QD-TTg, Art. 2(1): sharing "according to their assigned functions, tasks and powers".
//!
//! - [`DecisionTable::new`] refuses a table that is not whole, so [`DecisionTable::resolve`] cannot fail.
//! - [`signed`] says whether policy gave a decision, and to which question.
//! - Nothing here knows Cedar, protobuf or time.

pub mod obligation;
pub mod signed;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::BTreeSet};

pub use obligation::{MaskForm, Obligation};

/// The largest number of facts in a table: two to the power of eight rows is the most a caller keeps.
pub const MAX_FACTS: usize = 8;

/// The fact that the subject consented to what is asked. Unlike the others it is not of the subject's record: a consent is given to
/// somebody, for something and for some items, so it may hold for one item and not for the next.
pub const CONSENT: &str = "consent";

/// What is known of a fact of the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be established: both rows count.
    Unknown,
}

impl From<bool> for Fact {
    fn from(known: bool) -> Self {
        if known { Self::True } else { Self::False }
    }
}

/// What was decided about an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemEffect {
    /// The item is allowed.
    Allowed,
    /// The item is withheld.
    Withheld,
    /// The item is not in the catalogue of the legal profile.
    UnknownItem,
}

/// What was decided about one item, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ItemDecision {
    /// The item.
    pub item: String,
    /// What was decided.
    pub effect: ItemEffect,
    /// The rule that decided.
    pub rule: String,
    /// Id of the legal-basis row that the rule carries out.
    pub legal_basis: String,
    /// The article, as cited.
    pub article: String,
    /// What whoever is given the item must do about it; nothing unless it is allowed.
    pub obligations: Vec<Obligation>,
}

impl ItemDecision {
    /// The form in which the value is allowed, where not the whole of it is.
    #[must_use]
    pub fn mask(&self) -> Option<MaskForm> {
        self.obligations.iter().find_map(|obligation| match obligation {
            Obligation::Mask(form) => Some(*form),
            Obligation::MaxAge(_) | Obligation::NoOnwardTransfer | Obligation::ValidUntil(_) => {
                None
            }
        })
    }

    /// The same item withheld, by a rule on the same ground.
    fn withheld(&self, rule: &str) -> Self {
        Self {
            effect: ItemEffect::Withheld,
            rule: rule.to_owned(),
            obligations: Vec::new(),
            ..self.clone()
        }
    }
}

/// The rule by which an item is withheld where its whole value would have to be told, and only a form of it is allowed.
pub const MASKED: &str = "masked";
/// The rule by which what obliges to two things that cannot both be is withheld.
pub const OBLIGATIONS_DIFFER: &str = "obligations-differ";
/// The rule of what is permitted on conditions where nobody is told of any.
pub const OBLIGATIONS_UNTOLD: &str = "obligations-untold";

/// The rule by which what is allowed is withheld where all was wanted and not all is.
pub const IN_PART: &str = "not-all-of-it";

/// One answer of a decision table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableAnswer {
    /// False when the caller may not learn that the person exists (I7); then no item is allowed.
    pub visible: bool,
    /// One decision for each requested item, in the order of the request.
    pub items: Vec<ItemDecision>,
}

impl TableAnswer {
    /// Whether at least one item is allowed.
    #[must_use]
    pub fn allows_anything(&self) -> bool {
        self.items.iter().any(|item| item.effect == ItemEffect::Allowed)
    }
}

/// Why something is not a decision table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More facts than [`MAX_FACTS`].
    #[error("a table has at most {MAX_FACTS} facts, not {0}")]
    TooManyFacts(usize),
    /// A fact is named twice.
    #[error("the fact `{0}` is named twice")]
    RepeatedFact(String),
    /// The number of rows is not two to the power of the number of facts.
    #[error("{facts} facts make {expected} rows, not {rows}")]
    WrongRowCount {
        /// Facts of the table.
        facts: usize,
        /// Rows that they make.
        expected: usize,
        /// Rows that were given.
        rows: usize,
    },
    /// A row points at no answer.
    #[error("row {row} points at answer {answer}, which is not there")]
    NoSuchAnswer {
        /// The row.
        row: usize,
        /// Where it points.
        answer: u32,
    },
    /// The answers do not decide the same items in the same order.
    #[error("answer {0} decides other items than answer 0")]
    OtherItems(usize),
    /// An item is decided twice in one answer.
    #[error("the item `{0}` is decided twice")]
    RepeatedItem(String),
    /// An item is in the catalogue for one subject and not for another.
    #[error("the item `{0}` is unknown in one answer only")]
    CatalogueDiffers(String),
    /// An answer hides the person and still allows an item.
    #[error("answer {0} hides the person and allows an item")]
    HiddenButAllowed(usize),
    /// An item is not allowed, or its value wanted in two forms, and still obliges to something.
    #[error("what the item `{0}` obliges to cannot be")]
    Obliges(String),
}

/// For every combination of the named facts, which items are allowed. Always whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionTable {
    facts: Vec<String>,
    rows: Vec<u32>,
    answers: Vec<TableAnswer>,
}

impl DecisionTable {
    /// Makes a table of `facts`; of `rows`, in which the row whose number has bit i set where fact i holds
    /// is an index into `answers`; and of the distinct `answers`.
    ///
    /// # Errors
    ///
    /// Whatever makes the table not whole; see [`Error`].
    pub fn new(
        facts: Vec<String>,
        rows: Vec<u32>,
        answers: Vec<TableAnswer>,
    ) -> Result<Self, Error> {
        check_facts(&facts, rows.len())?;
        for (row, answer) in rows.iter().enumerate() {
            if get(&answers, *answer).is_none() {
                return Err(Error::NoSuchAnswer { row, answer: *answer });
            }
        }
        check_answers(&answers)?;
        Ok(Self { facts, rows, answers })
    }

    /// The facts, in the order of the bits of a row's number.
    #[must_use]
    pub fn facts(&self) -> &[String] {
        &self.facts
    }

    /// For each row, an index into the answers.
    #[must_use]
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The distinct answers.
    #[must_use]
    pub fn answers(&self) -> &[TableAnswer] {
        &self.answers
    }

    /// Withholds every item of which only a form is allowed, for whoever cannot give a form of a value.
    pub fn withhold_masked(&mut self) {
        for item in self.answers.iter_mut().flat_map(|answer| &mut answer.items) {
            if item.mask().is_some() {
                *item = item.withheld(MASKED);
            }
        }
    }

    /// Withholds every item that is allowed on a condition, for whoever is told of none and can keep none (I2).
    pub fn withhold_conditional(&mut self) {
        for item in self.answers.iter_mut().flat_map(|answer| &mut answer.items) {
            if !item.obligations.is_empty() {
                *item = item.withheld(OBLIGATIONS_UNTOLD);
            }
        }
    }

    /// Hides the subject wherever not all items are allowed, for whoever wants all of them or nothing.
    pub fn hide_in_part(&mut self) {
        let allowed = |item: &ItemDecision| item.effect == ItemEffect::Allowed;
        for answer in self.answers.iter_mut().filter(|answer| !answer.items.iter().all(allowed)) {
            answer.visible = false;
            for item in answer.items.iter_mut().filter(|item| allowed(item)) {
                *item = item.withheld(IN_PART);
            }
        }
    }

    /// Whether some row allows some item. Where none does, nothing is read (I2).
    #[must_use]
    pub fn allows_anything(&self) -> bool {
        self.rows
            .iter()
            .filter_map(|row| get(&self.answers, *row))
            .any(TableAnswer::allows_anything)
    }

    /// Whether some row allows some item in which this is so of a fact. Where none does, nothing is read for whoever knows that
    /// it is (I2).
    #[must_use]
    pub fn allows_anything_where(&self, fact: &str, holds: bool) -> bool {
        self.answers_where(fact, holds).any(TableAnswer::allows_anything)
    }

    /// The answers of the rows in which this is so of a fact; of all rows where it is no column.
    pub fn answers_where(&self, fact: &str, holds: bool) -> impl Iterator<Item = &TableAnswer> {
        let bit = self.facts.iter().position(|name| name == fact);
        let is_so = move |row: usize| bit.is_none_or(|bit| (row >> bit & 1 == 1) == holds);
        let rows = self.rows.iter().enumerate().filter(move |(row, _)| is_so(*row));
        rows.filter_map(|(_, answer)| get(&self.answers, *answer))
    }

    /// Whether a fact has a column that makes no difference to any subject.
    #[must_use]
    pub fn ignores(&self, fact: &str) -> bool {
        let same =
            |(one, other): (&TableAnswer, &TableAnswer)| std::ptr::eq(one, other) || one == other;
        self.facts.iter().any(|name| name == fact)
            && self.answers_where(fact, true).zip(self.answers_where(fact, false)).all(same)
    }

    /// The same table for whoever knows what is so of a fact: without its column, and without the answers that are of no row
    /// any more.
    #[must_use]
    pub fn knowing(&self, fact: &str, holds: bool) -> Self {
        let (mut rows, mut answers) = (Vec::new(), Vec::<TableAnswer>::new());
        for answer in self.answers_where(fact, holds) {
            let at = answers.iter().position(|known| known == answer).unwrap_or_else(|| {
                answers.push(answer.clone());
                answers.len() - 1
            });
            // There are no more answers than before.
            rows.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        let facts = self.facts.iter().filter(|name| *name != fact).cloned().collect();
        Self { facts, rows, answers }
    }

    /// The answer for a subject who consented to some items, given what `fact` knows of each other named fact: what is said of
    /// an item that is covered is said with consent, what is said of any other as if there were none. Whether the person is
    /// visible is said with consent, because there is one; of a person whom it hides nothing is said that is not said of a
    /// hidden person.
    pub fn consented(
        &self,
        fact: impl Fn(&str) -> Fact,
        covers: impl Fn(&str) -> bool,
    ) -> TableAnswer {
        let known = |consent: Fact| {
            self.read(|name: &str| if name == CONSENT { consent } else { fact(name) })
        };
        let mut answer = known(Fact::True).into_owned();
        if answer.visible && self.facts.iter().any(|name| name == CONSENT) {
            let without = known(Fact::False);
            for (item, other) in answer.items.iter_mut().zip(&without.items) {
                if !covers(&item.item) {
                    item.clone_from(other);
                }
            }
        }
        answer
    }

    /// The answer for a subject, given what `fact` knows of each named fact.
    ///
    /// A fact that is unknown is the AND over both of its rows: the person is visible only if visible in
    /// all, an item is allowed only if allowed in all, with the obligations of all, and the first row that withholds says why.
    pub fn resolve(&self, fact: impl Fn(&str) -> Fact) -> TableAnswer {
        self.read(fact).into_owned()
    }

    /// The same, without a copy where every fact is known: for whoever only reads it.
    pub fn read(&self, fact: impl Fn(&str) -> Fact) -> Cow<'_, TableAnswer> {
        // Bits that must be set, and bits that must be clear; an unknown fact demands neither.
        let (mut set, mut clear) = (0_usize, 0_usize);
        for (bit, name) in self.facts.iter().enumerate() {
            match fact(name) {
                Fact::True => set |= 1 << bit,
                Fact::False => clear |= 1 << bit,
                Fact::Unknown => {}
            }
        }
        let left = self.rows.iter().enumerate();
        left.filter(|(row, _)| row & set == set && row & clear == 0)
            .filter_map(|(_, answer)| get(&self.answers, *answer))
            .map(Cow::Borrowed)
            .reduce(|all, next| Cow::Owned(both(all.into_owned(), &next)))
            // At least one row is always left; were it not so, nobody is visible.
            .unwrap_or_else(|| Cow::Owned(TableAnswer { visible: false, items: Vec::new() }))
    }
}

/// What both answers allow.
fn both(mut all: TableAnswer, next: &TableAnswer) -> TableAnswer {
    all.visible &= next.visible;
    for (mine, theirs) in all.items.iter_mut().zip(&next.items) {
        match (mine.effect, theirs.effect) {
            (ItemEffect::Allowed, ItemEffect::Allowed) => {
                match obligation::together(&mine.obligations, &theirs.obligations) {
                    Some(obligations) => mine.obligations = obligations,
                    None => *mine = mine.withheld(OBLIGATIONS_DIFFER),
                }
            }
            (ItemEffect::Allowed, _) => mine.clone_from(theirs),
            (ItemEffect::Withheld | ItemEffect::UnknownItem, _) => {}
        }
    }
    all
}

/// The answer at an index as tables carry it.
fn get(answers: &[TableAnswer], index: u32) -> Option<&TableAnswer> {
    answers.get(usize::try_from(index).ok()?)
}

/// The facts are few and distinct, and there is a row for every combination.
fn check_facts(facts: &[String], rows: usize) -> Result<(), Error> {
    if facts.len() > MAX_FACTS {
        return Err(Error::TooManyFacts(facts.len()));
    }
    let mut seen = BTreeSet::new();
    if let Some(fact) = facts.iter().find(|fact| !seen.insert(*fact)) {
        return Err(Error::RepeatedFact(fact.clone()));
    }
    let expected = 1_usize << facts.len();
    if rows != expected {
        return Err(Error::WrongRowCount { facts: facts.len(), expected, rows });
    }
    Ok(())
}

/// All answers decide the same items, once each, and none both hides the person and allows an item.
fn check_answers(answers: &[TableAnswer]) -> Result<(), Error> {
    let Some(first) = answers.first() else {
        return Ok(());
    };
    let mut seen = BTreeSet::new();
    if let Some(item) = first.items.iter().find(|item| !seen.insert(&item.item)) {
        return Err(Error::RepeatedItem(item.item.clone()));
    }
    for (index, answer) in answers.iter().enumerate() {
        if !answer.items.iter().map(|item| &item.item).eq(first.items.iter().map(|item| &item.item))
        {
            return Err(Error::OtherItems(index));
        }
        for (mine, theirs) in answer.items.iter().zip(&first.items) {
            // Whether the law knows an item does not depend on who is asked about.
            if (mine.effect == ItemEffect::UnknownItem)
                != (theirs.effect == ItemEffect::UnknownItem)
            {
                return Err(Error::CatalogueDiffers(mine.item.clone()));
            }
        }
        if !answer.visible && answer.allows_anything() {
            return Err(Error::HiddenButAllowed(index));
        }
        let allowed = |item: &ItemDecision| item.effect == ItemEffect::Allowed;
        let can = |item: &ItemDecision| obligation::together(&item.obligations, &[]).is_some();
        let obliges = |item: &&ItemDecision| !item.obligations.is_empty();
        let mut obliging = answer.items.iter().filter(obliges);
        if let Some(item) = obliging.find(|item| !allowed(item) || !can(item)) {
            return Err(Error::Obliges(item.item.clone()));
        }
    }
    Ok(())
}
