//! Plain Cedar, asked once for each item: slower than a table by far, and what tables are compared with. It reads the rules as they
//! were written, and knows nothing of masks, shadows and columns.

use std::{borrow::Cow, collections::BTreeSet};

use cedar_policy::{
    Authorizer, Context, Decision, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet,
    Request,
};
use decide::{
    DecisionTable, Fact, ItemDecision, ItemEffect, OBLIGATIONS_DIFFER, Obligation, obligation,
};

use super::{Act, FACTS, context};
use crate::domain::table::{Builder, FAULT, NO_RULE, SCOPE, UNLISTED};

/// The action that stands for the existence of a person, and what it is asked of (I7).
const EXISTENCE: [&str; 2] = ["learn_existence", "population"];

/// What Cedar says of one action on one thing, and the rules that decided: the permits where it is allowed, the forbids where it is
/// not, none where nothing permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Ids of the rules.
    pub rules: BTreeSet<String>,
}

/// Something of which a table says otherwise than plain Cedar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("of {what} the table says {table}, plain Cedar {cedar}")]
pub struct Difference {
    /// An item, or `existence`.
    pub what: String,
    /// What the table says of it.
    pub table: String,
    /// What plain Cedar says of it.
    pub cedar: String,
}

/// What has to be said of an item.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    effect: ItemEffect,
    rule: String,
    obligations: Vec<Obligation>,
}

impl Line {
    fn new(effect: ItemEffect, rule: &str) -> Self {
        Self { effect, rule: rule.to_owned(), obligations: Vec::new() }
    }

    fn of(decided: &ItemDecision) -> Self {
        let ItemDecision { effect, rule, obligations, .. } = decided;
        Self { effect: *effect, rule: rule.clone(), obligations: obligations.clone() }
    }

    /// What both say; the first that does not allow says why.
    fn and(&self, next: &Self) -> Self {
        match (self.effect, next.effect) {
            (ItemEffect::Withheld | ItemEffect::UnknownItem, _) => self.clone(),
            (_, ItemEffect::Withheld | ItemEffect::UnknownItem) => next.clone(),
            (ItemEffect::Allowed, ItemEffect::Allowed) => {
                match obligation::together(&self.obligations, &next.obligations) {
                    Some(obligations) => Self { obligations, ..self.clone() },
                    None => Self::new(ItemEffect::Withheld, OBLIGATIONS_DIFFER),
                }
            }
        }
    }
}

/// The question that a table is built from, put to the rules as they were written.
pub struct Plain<'b, 'a> {
    builder: &'b Builder<'a>,
    set: Cow<'b, PolicySet>,
}

impl<'b, 'a> Plain<'b, 'a> {
    /// Leaves out the rules that say nothing on the day: those that do not hold, and permits whose ground ended.
    pub fn new(builder: &'b Builder<'a>) -> Self {
        let rules = builder.rules;
        let mut set = Cow::Borrowed(&rules.plain);
        for rule in rules.iter().filter(|rule| !builder.stands(rule)) {
            // Cedar refuses only what is not there, which says nothing either.
            let _ = set.to_mut().remove_static(PolicyId::new(&rule.id));
        }
        Self { builder, set }
    }

    /// Compares a table in every row that there can be, also in those that it left out. `None` is a table that allows nothing to
    /// anybody.
    ///
    /// # Errors
    /// The first difference.
    pub fn compare(&self, table: Option<&DecisionTable>) -> Result<(), Difference> {
        for row in 0..1_usize << FACTS.len() {
            let mut bits = (0..FACTS.len()).map(|bit| Fact::from(row >> bit & 1 == 1));
            let facts = FACTS.map(|_| bits.next().unwrap_or(Fact::Unknown));
            self.compare_for(table, facts)?;
        }
        Ok(())
    }

    /// Compares a table for a subject of whom these facts are known, in the order of [`FACTS`].
    ///
    /// # Errors
    /// The first difference.
    pub fn compare_for(
        &self,
        table: Option<&DecisionTable>,
        facts: [Fact; FACTS.len()],
    ) -> Result<(), Difference> {
        let mut expected: Option<(bool, Vec<Line>)> = None;
        for row in 0..1_usize << FACTS.len() {
            let holds = |bit: usize| row >> bit & 1 == 1;
            if facts.iter().enumerate().any(|(bit, fact)| *fact == Fact::from(!holds(bit))) {
                continue;
            }
            let holding = FACTS.into_iter().enumerate().filter(|(bit, _)| holds(*bit));
            let holding: Vec<&str> = holding.map(|(_, fact)| fact).collect();
            let (visible, lines) = self.row(&self.builder.held(&holding));
            expected = Some(match expected {
                None => (visible, lines),
                Some((all, before)) => {
                    let both = before.iter().zip(&lines).map(|(a, b)| a.and(b));
                    (all && visible, both.collect())
                }
            });
        }
        let (visible, lines) = expected.unwrap_or_default();
        let known = |name: &str| FACTS.into_iter().zip(facts).find(|(fact, _)| *fact == name);
        let answer = table.map(|t| t.resolve(|name| known(name).map_or(Fact::Unknown, |(_, f)| f)));
        let Some(answer) = answer else {
            return nothing(self.builder.items, &lines);
        };
        if answer.visible || !self.fails() {
            same("existence", &answer.visible, &visible)?;
        }
        same("the number of items", &answer.items.len(), &lines.len())?;
        for (decided, line) in answer.items.iter().zip(&lines) {
            let found = Line::of(decided);
            if found != Line::new(ItemEffect::Withheld, FAULT) || !self.fails() {
                same(&decided.item, &found, line)?;
            }
        }
        Ok(())
    }

    /// Whether a rule fails of some subject, whatever it is about: a table denies then although Cedar, which is not asked about what
    /// that rule is about, does not tell of it. That is the safe side, and no difference.
    fn fails(&self) -> bool {
        let Builder { rules, ask, .. } = self.builder;
        (0..1_usize << FACTS.len()).any(|row| {
            let holding = FACTS.into_iter().enumerate().filter(|(bit, _)| row >> bit & 1 == 1);
            let holding = holding.map(|(_, fact)| fact).collect::<Vec<_>>();
            rules.satisfied(ask, &self.builder.held(&holding)).is_none()
        })
    }

    /// What plain Cedar says of an item where exactly these facts hold; `None` where a rule about it fails.
    pub fn item(&self, item: &str, holding: &[&str]) -> Option<Verdict> {
        let names = &self.builder.rules.names;
        self.ask(
            self.builder.ask.act.name(),
            &names.item,
            item,
            context(self.builder.ask, &self.builder.held(holding))?,
        )
    }

    /// Asks of every item, as whoever has no tables does: requests are made beforehand, and only the answers are waited for.
    #[cfg(test)]
    pub(in crate::domain) fn ask_each(&self, requests: &[Request]) -> usize {
        let cedar = Authorizer::new();
        let rules = self.builder.rules;
        let ask = |request| cedar.is_authorized(request, &self.set, &rules.entities);
        requests.iter().filter(|request| ask(request).decision() == Decision::Allow).count()
    }

    /// A request for each item.
    #[cfg(test)]
    pub(in crate::domain) fn requests(&self, holding: &[&str]) -> Vec<Request> {
        let Builder { rules, ask, items, .. } = self.builder;
        let of = |item: &String| {
            self.request(ask.act.name(), &rules.names.item, item, context(ask, holding)?)
        };
        items.iter().filter_map(of).collect()
    }

    /// What has to be said where exactly these facts hold.
    fn row(&self, holding: &[&str]) -> (bool, Vec<Line>) {
        let Builder { rules, ask, items, catalogue, granted, .. } = self.builder;
        let context = context(ask, holding);
        let one = |action: &str, kind, id: &str| self.ask(action, kind, id, context.clone()?);
        let [action, register] = EXISTENCE;
        let existence = one(action, &rules.names.register, register);
        // Whoever contributes holds the person already.
        let (visible, hides) = match &existence {
            _ if ask.act == Act::Contribute => (true, None),
            Some(verdict) if verdict.allowed => (true, None),
            Some(verdict) => (false, verdict.rules.first().cloned()),
            None => (false, None),
        };
        let mut failed = ask.act != Act::Contribute && existence.is_none();
        let mut lines = Vec::with_capacity(items.len());
        for item in *items {
            lines.push(match catalogue.place(item) {
                None => Line::new(ItemEffect::UnknownItem, UNLISTED),
                place if !granted.has(place) => Line::new(ItemEffect::Withheld, SCOPE),
                Some(_) if !visible => {
                    Line::new(ItemEffect::Withheld, hides.as_deref().unwrap_or(NO_RULE))
                }
                Some(_) => match one(ask.act.name(), &rules.names.item, item) {
                    Some(verdict) => self.line(item, &verdict),
                    None => {
                        failed = true;
                        Line::new(ItemEffect::Withheld, FAULT)
                    }
                },
            });
        }
        if failed {
            let known =
                |line: &&mut Line| line.effect != ItemEffect::UnknownItem && line.rule != SCOPE;
            lines
                .iter_mut()
                .filter(known)
                .for_each(|line| *line = Line::new(ItemEffect::Withheld, FAULT));
        }
        (visible && !failed, lines)
    }

    /// What has to be said of an item of which Cedar says this. On which of several permits it stands, and on what conditions, is
    /// no matter of Cedar's.
    fn line(&self, item: &str, verdict: &Verdict) -> Line {
        let rules = verdict.rules.iter().filter_map(|id| self.builder.rules.rules.get(id));
        let permitted = self.builder.permitted(item, rules.filter(|_| verdict.allowed));
        permitted.as_ref().map_or_else(
            || {
                let rule = verdict.rules.first().map_or(NO_RULE, String::as_str);
                Line::new(ItemEffect::Withheld, rule)
            },
            Line::of,
        )
    }

    /// Who asks for what.
    fn request(
        &self,
        action: &str,
        kind: &EntityTypeName,
        id: &str,
        context: Context,
    ) -> Option<Request> {
        let Builder { rules, ask, .. } = self.builder;
        let uid = |kind: &EntityTypeName, id: &str| {
            EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
        };
        let caller = uid(&rules.names.database, ask.database);
        Request::new(caller, uid(&rules.names.action, action), uid(kind, id), context, None).ok()
    }

    /// One answer.
    fn ask(
        &self,
        action: &str,
        kind: &EntityTypeName,
        id: &str,
        context: Context,
    ) -> Option<Verdict> {
        let request = self.request(action, kind, id, context)?;
        let response =
            Authorizer::new().is_authorized(&request, &self.set, &self.builder.rules.entities);
        let diagnostics = response.diagnostics();
        if diagnostics.errors().next().is_some() {
            return None;
        }
        Some(Verdict {
            allowed: response.decision() == Decision::Allow,
            rules: diagnostics.reason().map(ToString::to_string).collect(),
        })
    }
}

/// Nothing is allowed.
fn nothing(items: &[String], lines: &[Line]) -> Result<(), Difference> {
    let allowed = lines.iter().zip(items).find(|(line, _)| line.effect == ItemEffect::Allowed);
    allowed.map_or(Ok(()), |(line, item)| same(item, &None, &Some(line)))
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    table: &T,
    cedar: &T,
) -> Result<(), Difference> {
    if table == cedar {
        return Ok(());
    }
    let (table, cedar) = (format!("{table:?}"), format!("{cedar:?}"));
    Err(Difference { what: what.to_owned(), table, cedar })
}
