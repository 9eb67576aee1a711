//! From rules and grants to a decision table.

use std::collections::BTreeSet;

use decide::{DecisionTable, ItemDecision, ItemEffect, Obligation, TableAnswer, obligation};
use time::Date;

use super::catalogue::Catalogue;
use super::item_set::ItemSet;
use super::rules::{Act, Question, Rule, Rules};

/// The rule by which what no agreement grants is withheld: sharing serves "assigned functions, tasks and
/// powers" (Decision 1911/QD-TTg, Art. 2(1)), and the agreement says which those are.
pub(super) const SCOPE: &str = "agreement-scope";
/// The ground of decisions that carry out the invariants: see [`SCOPE`].
pub(super) const TASKS: &str = "1911-2021-art-2-1";
/// The rule by which an item is unknown.
pub(super) const UNLISTED: &str = "item-catalogue";
/// The rule of a row that could not be evaluated.
pub(super) const FAULT: &str = "evaluation-error";
/// The rule of what is permitted on conditions that cannot all be kept.
pub(super) const OBLIGATIONS_DIFFER: &str = "obligations-differ";
/// The rule of what no rule permits.
pub(super) const NO_RULE: &str = "no-rule-permits";

/// Everything a table is built from.
pub struct Builder<'a> {
    /// The items and the legal basis.
    pub catalogue: &'a Catalogue,
    /// The statutory rules.
    pub rules: &'a Rules,
    /// What is asked.
    pub ask: &'a Question<'a>,
    /// The items requested, distinct, in their order.
    pub items: &'a [String],
    /// The items that the agreement grants.
    pub granted: &'a ItemSet,
    /// What the agreement obliges to, whoever is given an item under it.
    pub obligations: &'a dyn Fn(&str) -> &'a [Obligation],
    /// Today, in Viet Nam.
    pub day: Date,
}

impl<'a> Builder<'a> {
    /// The rules that can decide something here, today or on another day: neither can such a rule's ground end, nor can it
    /// begin to hold or end, without ending the table.
    pub fn applicable(&self) -> impl Iterator<Item = &'a Rule> {
        let wanted = self.granted.and(&self.catalogue.set(self.items));
        let act = self.ask.act;
        self.rules.iter().filter(move |rule| {
            (rule.about(act) && rule.items.common(&wanted) > 0)
                || (act == Act::Obtain && rule.existence)
        })
    }

    /// The table: one evaluation of the rules for each combination of facts.
    pub fn build(&self) -> Result<DecisionTable, decide::Error> {
        // What no rule reads that holds today is no column.
        let holding = self.applicable().filter(|rule| rule.validity.holds(self.day));
        let facts: BTreeSet<&str> = holding.flat_map(|r| r.facts.iter().copied()).collect();
        let facts: Vec<&str> = facts.into_iter().collect();
        if facts.len() > decide::MAX_FACTS {
            return Err(decide::Error::TooManyFacts(facts.len()));
        }
        let always = self.rules.satisfied_always(self.ask);
        let mut answers: Vec<TableAnswer> = Vec::new();
        let mut rows = Vec::new();
        for row in 0..1_usize << facts.len() {
            let holds = |bit: &usize| row >> bit & 1 == 1;
            let holding: Vec<&str> =
                facts.iter().enumerate().filter(|(bit, _)| holds(bit)).map(|(_, f)| *f).collect();
            let answer = self.answer(always.as_deref(), &holding);
            let at = answers.iter().position(|known| *known == answer).unwrap_or_else(|| {
                answers.push(answer);
                answers.len() - 1
            });
            // At most 256 answers; an index out of range is refused by the table.
            rows.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        DecisionTable::new(facts.into_iter().map(str::to_owned).collect(), rows, answers)
    }

    /// The answer of one row: exactly one decision for each item (I3).
    fn answer(&self, always: Option<&[&'a Rule]>, holding: &[&str]) -> TableAnswer {
        let beside = |always| self.rules.satisfied_beside(always, self.ask, holding);
        let satisfied = always.and_then(beside);
        let Some(mut satisfied) = satisfied else {
            return self.whole(|item| Some(self.withheld(item, FAULT, TASKS)));
        };
        satisfied.retain(|rule| self.stands(rule));
        if let Err((rule, basis)) = self.visible(&satisfied) {
            return self.whole(|item| Some(self.withheld(item, rule, basis)));
        }
        let about: Vec<&Rule> = satisfied.into_iter().filter(|r| r.about(self.ask.act)).collect();
        let mut answer = self.whole(|item| {
            let place = self.catalogue.place(item);
            let first = |forbids| about.iter().find(|r| r.forbids == forbids && r.items.has(place));
            match (first(true), first(false)) {
                (Some(forbid), _) => Some(self.withheld(item, &forbid.id, &forbid.basis)),
                (None, Some(permit)) => Some(self.allowed(item, permit)),
                (None, None) => None,
            }
        });
        answer.visible = true;
        answer
    }

    /// Whether a rule says anything today. What permitted under a ground that ended permits no longer; what forbids stays (I2),
    /// unless it says of itself that it ends.
    pub fn stands(&self, rule: &Rule) -> bool {
        let ground = || self.catalogue.legal_basis().in_force(&rule.basis, self.day).is_some();
        rule.validity.holds(self.day) && (rule.forbids || ground())
    }

    /// Whether the caller may learn that the person exists (I7); else the rule that hides, and its ground.
    ///
    /// A contributor is not asked: it already holds the person it writes about, and its answer must be the
    /// same whoever that is.
    fn visible(&self, satisfied: &[&'a Rule]) -> Result<(), (&'a str, &'a str)> {
        if self.ask.act == Act::Contribute {
            return Ok(());
        }
        let find = |forbids| satisfied.iter().find(|r| r.existence && r.forbids == forbids);
        match (find(true), find(false)) {
            (Some(rule), _) => Err((&rule.id, &rule.basis)),
            (None, Some(_)) => Ok(()),
            (None, None) => Err((NO_RULE, TASKS)),
        }
    }

    /// An answer in which `decide` speaks for what is known and granted; what it leaves open is withheld.
    fn whole(&self, decide: impl Fn(&str) -> Option<ItemDecision>) -> TableAnswer {
        let one = |item: &String| {
            let place = self.catalogue.place(item);
            if place.is_none() {
                let basis = self.catalogue.items_basis();
                return self.decision(item, ItemEffect::UnknownItem, UNLISTED, basis);
            }
            if !self.granted.has(place) {
                return self.withheld(item, SCOPE, TASKS);
            }
            decide(item).unwrap_or_else(|| self.withheld(item, NO_RULE, TASKS))
        };
        TableAnswer { visible: false, items: self.items.iter().map(one).collect() }
    }

    fn withheld(&self, item: &str, rule: &str, basis: &str) -> ItemDecision {
        self.decision(item, ItemEffect::Withheld, rule, basis)
    }

    /// An item that a rule permits, with what the rule and the agreement oblige to. A contributor is given nothing.
    fn allowed(&self, item: &str, permit: &Rule) -> ItemDecision {
        let obligations = if self.ask.act == Act::Contribute {
            Some(Vec::new())
        } else {
            obligation::together(&permit.obligations, (self.obligations)(item))
        };
        let Some(obligations) = obligations else {
            return self.withheld(item, OBLIGATIONS_DIFFER, &permit.basis);
        };
        let decision = self.decision(item, ItemEffect::Allowed, &permit.id, &permit.basis);
        ItemDecision { obligations, ..decision }
    }

    fn decision(&self, item: &str, effect: ItemEffect, rule: &str, basis: &str) -> ItemDecision {
        ItemDecision {
            item: item.to_owned(),
            effect,
            rule: rule.to_owned(),
            legal_basis: basis.to_owned(),
            article: self.catalogue.legal_basis().citation(basis),
            obligations: Vec::new(),
        }
    }
}
