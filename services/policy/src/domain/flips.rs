//! What would be decided otherwise under another rule set: questions that were asked, decided again for every subject under both.

use std::collections::BTreeMap;

use decide::{Fact, ItemDecision, ItemEffect, TableAnswer};
use model::EventKind;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::catalogue::Catalogue;
use super::decision::{Decision, Profile};
use super::permissions::classes;
use super::registry::Standing;
use super::request::{By, Request};
use super::rules::{Act, Conditions, FACTS};

/// A direction that no agreement can name: none holds such a character.
const OTHER: &str = "\u{0}";

/// A question, without the person, the case and the officer: the same one whoever it was asked about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(crate) struct Asked {
    pub(crate) agency: String,
    pub(crate) system: String,
    pub(crate) act: Act,
    pub(crate) event: Option<EventKind>,
    pub(crate) procedure: String,
    pub(crate) legal_basis: String,
    /// Whether a direction was named.
    pub(crate) directed: bool,
    /// Which one, where an agreement grants something by it.
    pub(crate) direction: String,
    /// Electronic identifier of the unit that acted, where an agreement names it.
    pub(crate) acting_unit: String,
    /// Thumbprint of the key, where an agreement names it.
    pub(crate) key: Option<String>,
    /// In the order of their ids.
    pub(crate) items: Vec<String>,
}

impl Asked {
    /// The question that a request of somebody connected asks; nothing where it is only asked what would be decided, and of what no
    /// catalogue knows, which is denied whatever the rules are. What agreements grant to nobody by name is left out: what a caller
    /// wrote there is its own affair.
    pub(crate) fn of(
        catalogue: &Catalogue,
        request: &Request,
        standing: &Standing,
    ) -> Option<Self> {
        let By { direction, acting_unit, key } = request.by.clone()?;
        standing.connection.as_ref()?;
        catalogue.procedure(&request.procedure)?;
        catalogue.legal_basis().get(&request.legal_basis)?;
        let terms = || standing.granted.iter().map(|granted| &granted.terms);
        let (agency, system) = request.caller.clone();
        let known = |item: &&String| catalogue.item(item).is_some();
        let mut items: Vec<String> = request.items.iter().filter(known).cloned().collect();
        items.sort_unstable();
        let named = |name: &String| terms().any(|terms| terms.direction == *name);
        let acts = |unit: &String| terms().any(|terms| terms.units.contains(unit));
        let granted = |key: &String| terms().any(|terms| terms.keys.contains(key));
        (!items.is_empty()).then(|| Self {
            agency,
            system,
            act: request.act,
            event: request.event,
            procedure: request.procedure.clone(),
            legal_basis: request.legal_basis.clone(),
            directed: request.direction,
            direction: Some(direction).filter(named).unwrap_or_default(),
            acting_unit: Some(acting_unit).filter(acts).unwrap_or_default(),
            key: key.filter(granted),
            items,
        })
    }

    /// The request that asks it.
    pub(crate) fn request(&self) -> Request {
        let Self { mut direction, acting_unit, key, .. } = self.clone();
        // What was named stood in no agreement, so it is not the one of any; not even of one that names none.
        if self.directed && direction.is_empty() {
            OTHER.clone_into(&mut direction);
        }
        Request {
            caller: (self.agency.clone(), self.system.clone()),
            act: self.act,
            event: self.event,
            procedure: self.procedure.clone(),
            legal_basis: self.legal_basis.clone(),
            direction: self.directed,
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
type Key = (String, String, &'static str, String, String, String, Kind, String);

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
        let found = flips(&before, &after, asked);
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
                // Whatever else makes two of them different, in one order.
                format!(
                    "{:?}",
                    (&flip.now, &flip.then, &flip.subjects, asked.directed, asked.event)
                ),
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
        // Nothing is read, so nothing is told of whether there is somebody.
        Err(denial) => {
            let withheld = |item: &String| ItemDecision {
                item: item.clone(),
                effect: ItemEffect::Withheld,
                rule: denial.rule.clone(),
                legal_basis: String::new(),
                article: denial.article.clone(),
                obligations: Vec::new(),
            };
            TableAnswer { visible: false, items: items.iter().map(withheld).collect() }
        }
    }
}

fn rows() -> std::ops::Range<usize> {
    0..1 << FACTS.len()
}

fn flips(before: &Decision, after: &Decision, asked: &Asked) -> Vec<Flip> {
    let items = &asked.items;
    let facts = FACTS.map(str::to_owned);
    let mut found: Vec<(Kind, ItemDecision, ItemDecision, Vec<bool>)> = Vec::new();
    // Whoever is given nothing is told of nobody.
    let told = asked.act.conditions() != Conditions::None;
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
        if told && now.visible != then.visible {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use decide::{DecisionTable, Obligation};
    use time::OffsetDateTime;

    use super::*;
    use crate::domain::decision::{Denial, Refusal};

    fn item(effect: ItemEffect, rule: &str, obligations: Vec<Obligation>) -> ItemDecision {
        ItemDecision {
            effect,
            rule: rule.to_owned(),
            item: "i".to_owned(),
            obligations,
            ..nothing()
        }
    }

    fn decision(outcome: Result<DecisionTable, Denial>) -> Decision {
        Decision {
            revision: String::new(),
            number: 1,
            connection: "c".to_owned(),
            database: String::new(),
            agreement: String::new(),
            volume: None,
            purpose: String::new(),
            sealed_days: 0,
            signed_requests: false,
            outcome,
            valid_until: OffsetDateTime::UNIX_EPOCH,
            claims: Default::default(),
        }
    }

    /// A decision that depends on whether the person is protected: what is said of who is not, and of who is.
    fn table(answers: [(bool, ItemDecision); 2]) -> Decision {
        let answers = answers.map(|(visible, item)| TableAnswer { visible, items: vec![item] });
        let facts = vec!["protected".to_owned()];
        decision(Ok(DecisionTable::new(facts, vec![0, 1], answers.to_vec()).unwrap()))
    }

    fn asked(act: Act) -> Asked {
        Asked {
            agency: "a".to_owned(),
            system: "s".to_owned(),
            act,
            event: None,
            procedure: "p".to_owned(),
            legal_basis: "b".to_owned(),
            directed: false,
            direction: String::new(),
            acting_unit: String::new(),
            key: None,
            items: vec!["i".to_owned()],
        }
    }

    /// Of whom something becomes otherwise.
    type Of = Vec<Vec<(String, bool)>>;

    fn kinds(before: &Decision, after: &Decision) -> Vec<(Kind, Of)> {
        let found = flips(before, after, &asked(Act::Obtain));
        found.into_iter().map(|flip| (flip.kind, flip.subjects)).collect()
    }

    /// A grant without a direction is for whoever names none; one that no agreement names is replayed as another one.
    #[test]
    fn a_direction_that_no_agreement_names_is_not_none() {
        let named = |asked: &Asked| asked.request().by.unwrap().direction;
        let unknown = Asked { directed: true, ..asked(Act::Obtain) };
        assert_eq!(named(&unknown), OTHER);
        assert_eq!(named(&Asked { direction: "12/TTg".to_owned(), ..unknown }), "12/TTg");
        assert_eq!(named(&asked(Act::Obtain)), "");
    }

    #[test]
    fn every_kind_of_flip_is_told_of_exactly_whom_it_is_about() {
        let given = || item(ItemEffect::Allowed, "r", Vec::new());
        let withheld = || item(ItemEffect::Withheld, "w", Vec::new());
        let of = |holds| vec![vec![("protected".to_owned(), holds)]];
        let now = table([(true, given()), (false, withheld())]);
        assert_eq!(kinds(&now, &now), []);
        let closed = table([(true, withheld()), (false, withheld())]);
        assert_eq!(kinds(&now, &closed), [(Kind::Closed, of(false))]);
        assert_eq!(kinds(&closed, &now), [(Kind::Opened, of(false))]);
        let shown = table([(true, given()), (true, withheld())]);
        assert_eq!(kinds(&now, &shown), [(Kind::Shown, of(true))]);
        assert_eq!(kinds(&shown, &now), [(Kind::Hidden, of(true))]);
        let on_condition = item(ItemEffect::Allowed, "r", vec![Obligation::NoOnwardTransfer]);
        let conditions = table([(true, on_condition), (false, withheld())]);
        assert_eq!(kinds(&now, &conditions), [(Kind::Conditions, of(false))]);
        let (rule, article) = ("d".to_owned(), String::new());
        let denied = decision(Err(Denial { refusal: Refusal::NothingAllowed, rule, article }));
        assert_eq!(kinds(&now, &denied), [(Kind::Hidden, of(false)), (Kind::Closed, of(false))]);
        // Whoever contributes is told of nobody.
        let of_nobody = flips(&now, &shown, &asked(Act::Contribute));
        assert!(of_nobody.is_empty(), "{of_nobody:?}");
        // By another rule it is decided alike.
        let other =
            table([(true, item(ItemEffect::Allowed, "q", Vec::new())), (false, withheld())]);
        assert_eq!(kinds(&now, &other), []);
        let items = ["i".to_owned()];
        assert!(other_rules(&now, &other, &items) && !other_rules(&now, &now, &items));
    }
}
