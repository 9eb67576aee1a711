//! What would be decided otherwise under another rule set: questions that were asked, decided again for every subject under both.

use std::collections::BTreeMap;

use decide::{Fact, ItemDecision, ItemEffect, TableAnswer};
use model::EventKind;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::decision::{Decision, Profile};
use super::permissions::classes;
use super::registry::Standing;
use super::request::{By, Request};
use super::rules::{Act, FACTS};

/// A question, without the person, the case and the officer: the same one whoever it was asked about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(crate) struct Asked {
    pub(crate) agency: String,
    pub(crate) system: String,
    pub(crate) act: Act,
    pub(crate) event: Option<EventKind>,
    pub(crate) procedure: String,
    pub(crate) legal_basis: String,
    pub(crate) consent: bool,
    /// The direction that was named, or empty.
    pub(crate) direction: String,
    /// Electronic identifier of the unit that acted.
    pub(crate) acting_unit: String,
    /// Thumbprint of the key, where it was known.
    pub(crate) key: Option<String>,
    pub(crate) items: Vec<String>,
}

impl Asked {
    /// The question that a request asks; nothing where it is only asked what would be decided.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let By { direction, acting_unit, key } = request.by.clone()?;
        let (agency, system) = request.caller.clone();
        Some(Self {
            agency,
            system,
            act: request.act,
            event: request.event,
            procedure: request.procedure.clone(),
            legal_basis: request.legal_basis.clone(),
            consent: request.consent,
            direction: if request.direction { direction } else { String::new() },
            acting_unit,
            key,
            items: request.items.clone(),
        })
    }

    /// The request that asks it.
    pub(crate) fn request(&self) -> Request {
        let Self { direction, acting_unit, key, .. } = self.clone();
        Request {
            caller: (self.agency.clone(), self.system.clone()),
            act: self.act,
            event: self.event,
            procedure: self.procedure.clone(),
            legal_basis: self.legal_basis.clone(),
            consent: self.consent,
            direction: !direction.is_empty(),
            by: Some(By { direction, acting_unit, key }),
            items: self.items.clone(),
        }
    }
}

/// What becomes of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Opened,
    Closed,
    Conditions,
    Hidden,
    Shown,
}

/// What would be otherwise of one item, for one connection and ground. Of the existence of persons where the item is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flip {
    pub(crate) kind: Kind,
    pub(crate) now: ItemDecision,
    pub(crate) then: ItemDecision,
    /// Of whom: as in what a connection may ask for.
    pub(crate) subjects: Vec<Vec<(String, bool)>>,
}

/// How many questions, and how often they were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) questions: u64,
    pub(crate) asked: u64,
}

impl Times {
    fn add(&mut self, asked: u64) {
        self.questions += 1;
        self.asked = self.asked.saturating_add(asked);
    }
}

/// What flips stand in the order by, and what makes two of them one.
type Key = (String, String, &'static str, String, String, String, Kind, String, String, String);

/// Everything that would be otherwise.
#[derive(Debug, Default)]
pub(crate) struct Flips {
    pub(crate) all: Times,
    /// Of questions that are decided alike and by other rules.
    pub(crate) other_rules: u64,
    pub(crate) totals: BTreeMap<(String, String, Kind), Times>,
    flips: BTreeMap<Key, (Asked, Flip, Times)>,
}

impl Flips {
    /// The flips in their order: whose, of which question, what, and how often.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Asked, Flip, Times)> {
        self.flips.values()
    }

    /// Decides a question under both, as it stands at a moment.
    pub(crate) fn add(
        &mut self,
        (now, then): (&Profile, &Profile),
        asked: &Asked,
        times: u64,
        standing: &Standing,
        at: OffsetDateTime,
    ) {
        let request = asked.request();
        let [before, after] =
            [now, then].map(|set| set.decide(&request, standing, at, Duration::ZERO));
        self.all.add(times);
        let found = flips(&before, &after, &asked.items);
        self.other_rules +=
            u64::from(found.is_empty() && other_rules(&before, &after, &asked.items));
        let mut counted: Vec<(&str, Kind)> = Vec::new();
        for flip in &found {
            let total = (flip.now.item.as_str(), flip.kind);
            if counted.contains(&total) {
                continue;
            }
            counted.push(total);
            let key = (asked.agency.clone(), flip.now.item.clone(), flip.kind);
            self.totals.entry(key).or_default().add(times);
        }
        for flip in found {
            let key = (
                asked.agency.clone(),
                asked.system.clone(),
                asked.act.name(),
                asked.procedure.clone(),
                asked.legal_basis.clone(),
                flip.now.item.clone(),
                flip.kind,
                format!("{:?}", flip.now),
                format!("{:?}", flip.then),
                format!("{:?}", flip.subjects),
            );
            let (_, _, all) =
                self.flips.entry(key).or_insert((asked.clone(), flip, Times::default()));
            all.add(times);
        }
    }
}

/// What a decision says of a subject, the rows of a table being numbered by `FACTS`.
fn said(decision: &Decision, items: &[String], row: usize) -> TableAnswer {
    match &decision.outcome {
        Ok(table) => table.resolve(|fact| {
            let bit = FACTS.iter().position(|one| *one == fact);
            bit.map_or(Fact::Unknown, |bit| Fact::from(row >> bit & 1 == 1))
        }),
        // Nothing is read, so nothing is said of whether there is somebody.
        Err(denial) => {
            let withheld = |item: &String| ItemDecision {
                item: item.clone(),
                effect: ItemEffect::Withheld,
                rule: denial.rule.clone(),
                legal_basis: String::new(),
                article: denial.article.clone(),
                obligations: Vec::new(),
            };
            TableAnswer { visible: true, items: items.iter().map(withheld).collect() }
        }
    }
}

fn rows() -> std::ops::Range<usize> {
    0..1 << FACTS.len()
}

fn flips(before: &Decision, after: &Decision, items: &[String]) -> Vec<Flip> {
    let facts = FACTS.map(str::to_owned);
    let mut found: Vec<(Kind, ItemDecision, ItemDecision, Vec<bool>)> = Vec::new();
    let read = before.outcome.is_ok() && after.outcome.is_ok();
    for row in rows() {
        let [now, then] = [before, after].map(|decision| said(decision, items, row));
        let mut note = |kind, now: &ItemDecision, then: &ItemDecision| {
            let same = |one: &(Kind, ItemDecision, ItemDecision, Vec<bool>)| {
                (one.0, &one.1, &one.2) == (kind, now, then)
            };
            let place = found.iter().position(same).unwrap_or_else(|| {
                found.push((kind, now.clone(), then.clone(), vec![false; rows().len()]));
                found.len() - 1
            });
            if let Some(given) = found.get_mut(place).and_then(|one| one.3.get_mut(row)) {
                *given = true;
            }
        };
        if read && now.visible != then.visible {
            let kind = if now.visible { Kind::Hidden } else { Kind::Shown };
            // Whatever withholds everything says why.
            let [now, then] = [&now, &then].map(|answer| {
                let first = answer.items.first().filter(|_| !answer.visible);
                let first = first.cloned().unwrap_or_else(nothing);
                ItemDecision { item: String::new(), ..first }
            });
            note(kind, &now, &then);
        }
        for (now, then) in now.items.iter().zip(&then.items) {
            let given = [now, then].map(|item| item.effect == ItemEffect::Allowed);
            match given {
                [false, true] => note(Kind::Opened, now, then),
                [true, false] => note(Kind::Closed, now, then),
                [true, true] if now.obligations != then.obligations => {
                    note(Kind::Conditions, now, then);
                }
                [true, true] | [false, false] => {}
            }
        }
    }
    let flip = |(kind, now, then, given): (Kind, ItemDecision, ItemDecision, Vec<bool>)| Flip {
        kind,
        now,
        then,
        subjects: classes(&facts, &given),
    };
    found.into_iter().map(flip).collect()
}

/// What is said of nothing.
fn nothing() -> ItemDecision {
    ItemDecision {
        item: String::new(),
        effect: ItemEffect::Withheld,
        rule: String::new(),
        legal_basis: String::new(),
        article: String::new(),
        obligations: Vec::new(),
    }
}

/// Whether something is decided by another rule, though alike.
fn other_rules(before: &Decision, after: &Decision, items: &[String]) -> bool {
    rows().any(|row| said(before, items, row) != said(after, items, row))
}
