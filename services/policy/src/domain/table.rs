//! From rules and grants to a decision table.

use std::collections::BTreeSet;

use decide::{
    CONSENT, DecisionTable, ItemDecision, ItemEffect, OBLIGATIONS_DIFFER, OBLIGATIONS_UNTOLD,
    Obligation, TableAnswer, obligation,
};
use time::{Date, OffsetDateTime};

use super::catalogue::Catalogue;
use super::item_set::ItemSet;
use super::rules::{Act, Conditions, Consents, Question, Rule, Rules};

/// The rule by which what no agreement grants is withheld: sharing serves "assigned functions, tasks and
/// powers" (Decision 1911/QD-TTg, Art. 2(1)), and the agreement says which those are.
pub(super) const SCOPE: &str = "agreement-scope";
/// The ground of decisions that carry out the invariants: see [`SCOPE`].
pub(super) const TASKS: &str = "1911-2021-art-2-1";
/// The rule by which an item is unknown.
pub(super) const UNLISTED: &str = "item-catalogue";
/// The rule of a row that could not be evaluated.
pub(super) const FAULT: &str = "evaluation-error";
/// The rule of what is permitted up to a moment that has come.
const OBLIGATIONS_ENDED: &str = "obligations-ended";
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
    /// What the caller wants to do; what is asked names the act of it that rules speak of.
    pub act: Act,
    /// The items requested, distinct, in their order.
    pub items: &'a [String],
    /// The items that the agreement grants.
    pub granted: &'a ItemSet,
    /// What the agreement obliges to, whoever is given an item under it.
    pub obligations: &'a dyn Fn(&str) -> &'a [Obligation],
    /// Today, in Viet Nam.
    pub day: Date,
    /// The moment.
    pub now: OffsetDateTime,
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

    /// The table: one evaluation of the rules for each combination of facts. A consent that makes no difference is no column.
    pub fn build(&self) -> Result<DecisionTable, decide::Error> {
        // What no rule reads that holds today is no column.
        let holding = self.applicable().filter(|rule| rule.validity.holds(self.day));
        let counts = |fact: &&str| *fact != CONSENT || self.act.consents() == Consents::Counted;
        let facts: BTreeSet<&str> =
            holding.flat_map(|r| r.facts.iter().copied()).filter(counts).collect();
        let facts: Vec<&str> = facts.into_iter().collect();
        if facts.len() > decide::MAX_FACTS {
            return Err(decide::Error::TooManyFacts(facts.len()));
        }
        let always = self.rules.satisfied_always(self.ask);
        // Rows in which the same rules decide have the same answer; other rules may still come to the same one.
        let mut said: Vec<(Option<Vec<&Rule>>, u32)> = Vec::new();
        let mut answers: Vec<TableAnswer> = Vec::new();
        let mut rows = Vec::new();
        for row in 0..1_usize << facts.len() {
            let holds = |bit: &usize| row >> bit & 1 == 1;
            let holding: Vec<&str> =
                facts.iter().enumerate().filter(|(bit, _)| holds(bit)).map(|(_, f)| *f).collect();
            let deciding = self.deciding_in_row(always.as_deref(), &holding);
            if let Some((_, at)) = said.iter().find(|(known, _)| same(known, &deciding)) {
                rows.push(*at);
                continue;
            }
            let answer = self.answer(deciding.as_deref());
            let at = answers.iter().position(|known| *known == answer).unwrap_or_else(|| {
                answers.push(answer);
                answers.len() - 1
            });
            // At most 256 answers; an index out of range is refused by the table.
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            said.push((deciding, at));
            rows.push(at);
        }
        let facts = facts.into_iter().map(str::to_owned).collect();
        let table = DecisionTable::new(facts, rows, answers)?;
        // A rule about existence can decide in every table, and one of them asks for a consent for a single purpose.
        Ok(if table.ignores(CONSENT) { table.knowing(CONSENT, false) } else { table })
    }

    /// The facts that rules are told of, where these hold: of a consent what the act makes of it.
    pub fn held<'f>(&self, holding: &[&'f str]) -> Vec<&'f str> {
        let consented = match self.act.consents() {
            Consents::Counted => holding.contains(&CONSENT),
            Consents::Ignored => false,
            Consents::Assumed => true,
        };
        let others = holding.iter().copied().filter(|fact| *fact != CONSENT);
        others.chain(consented.then_some(CONSENT)).collect()
    }

    /// The rules that decide in a row: those that stand and whose condition holds there, of the act or of the existence of the
    /// person; none can be said where the condition of any could not be evaluated.
    fn deciding_in_row(
        &self,
        always: Option<&[&'a Rule]>,
        holding: &[&str],
    ) -> Option<Vec<&'a Rule>> {
        let mut rules = self.rules.satisfied_beside(always?, self.ask, &self.held(holding))?;
        rules.retain(|r| (r.existence || r.about(self.ask.act)) && self.stands(r));
        Some(rules)
    }

    /// The answer of a row: exactly one decision for each item (I3).
    fn answer(&self, deciding: Option<&[&'a Rule]>) -> TableAnswer {
        let Some(deciding) = deciding else {
            return self.whole(|item| Some(self.withheld(item, FAULT, TASKS)));
        };
        if let Err((rule, basis)) = self.visible(deciding) {
            return self.whole(|item| Some(self.withheld(item, rule, basis)));
        }
        let about: Vec<&Rule> =
            deciding.iter().copied().filter(|r| r.about(self.ask.act)).collect();
        let mut answer = self.whole(|item| {
            let place = self.catalogue.place(item);
            let mut forbids = about.iter().filter(|r| r.forbids && r.items.has(place));
            if let Some(forbid) = forbids.next() {
                return Some(self.withheld(item, &forbid.id, &forbid.basis));
            }
            let permits = about.iter().filter(|r| !r.forbids && r.items.has(place));
            self.permitted(item, permits.copied())
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

    /// An item that rules permit; none where none does. Whoever is permitted something by several rules stands on one of them:
    /// on that which, with the agreement, obliges to least, and among equals on the first by name. Where the conditions of none can
    /// be kept, the first says why.
    pub(super) fn permitted(
        &self,
        item: &str,
        permits: impl Iterator<Item = &'a Rule>,
    ) -> Option<ItemDecision> {
        let mut least: Option<(&Rule, Vec<Obligation>)> = None;
        let mut why: Option<(&Rule, &str)> = None;
        for permit in permits {
            match self.obliged(item, permit) {
                Ok(all) => {
                    let less = |(_, known): &(&Rule, Vec<Obligation>)| {
                        obligation::burden(&all) < obligation::burden(known)
                    };
                    if least.as_ref().is_none_or(less) {
                        least = Some((permit, all));
                    }
                }
                Err(rule) => why = why.or(Some((permit, rule))),
            }
        }
        if let Some((permit, obligations)) = least {
            let decision = self.decision(item, ItemEffect::Allowed, &permit.id, &permit.basis);
            return Some(ItemDecision { obligations, ..decision });
        }
        why.map(|(permit, rule)| self.withheld(item, rule, &permit.basis))
    }

    /// What a rule and the agreement oblige to; the rule by which the item is withheld where that cannot be kept.
    fn obliged(&self, item: &str, permit: &Rule) -> Result<Vec<Obligation>, &'static str> {
        let conditions = self.act.conditions();
        if conditions == Conditions::None {
            return Ok(Vec::new());
        }
        let all = obligation::together(&permit.obligations, (self.obligations)(item));
        let all = all.ok_or(OBLIGATIONS_DIFFER)?;
        if obligation::ends(&all).is_some_and(|end| end <= self.now.unix_timestamp()) {
            return Err(OBLIGATIONS_ENDED);
        }
        if conditions == Conditions::Untold && !all.is_empty() {
            return Err(OBLIGATIONS_UNTOLD);
        }
        Ok(all)
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

/// Whether the same rules decide; they come in the order of their ids.
fn same(one: &Option<Vec<&Rule>>, other: &Option<Vec<&Rule>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.id == b.id)
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}
