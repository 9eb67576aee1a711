//! Why a decision is what it is: what was looked at, which rules decide each item, and what would change it.

mod words;

use decide::{CONSENT, DecisionTable, Fact, ItemDecision, ItemEffect, TableAnswer};
use time::{Duration, OffsetDateTime};

use super::agreement::Terms;
use super::basis::today;
use super::decision::{AGREEING, Decision, Denial, Profile, nothing};
use super::registry::Standing;
use super::request::Request;
use super::rules::{Consents, FACTS, Rule};
use super::table::Builder;
use words::words;

/// A decision, explained.
#[derive(Debug)]
pub(crate) struct Explanation {
    /// The decision itself.
    pub(crate) decision: Decision,
    /// What must stand before a rule is asked, in the order in which it is looked at, and what the rules make of it.
    pub(crate) checks: Vec<Check>,
    /// Whether such a person would be shown.
    pub(crate) visible: bool,
    /// Each item; none where a check failed before rules are asked.
    pub(crate) items: Vec<Explained>,
    /// What the agreement that is applied demands.
    pub(crate) terms: Terms,
}

/// One thing that must stand.
#[derive(Debug)]
pub(crate) struct Check {
    /// Which.
    pub(crate) check: &'static str,
    /// The id of what was looked at; may be empty.
    pub(crate) subject: String,
    /// The article; may be empty.
    pub(crate) article: String,
    /// The rule by which it does not stand.
    pub(crate) rule: Option<String>,
    /// What was found, in Vietnamese.
    pub(crate) vi: String,
    /// The same in English.
    pub(crate) en: String,
}

/// An item, explained.
#[derive(Debug)]
pub(crate) struct Explained {
    pub(crate) decided: ItemDecision,
    /// Every rule that decides it so; the first is the one that is named.
    pub(crate) rules: Vec<Deciding>,
    /// What would be otherwise, were one thing otherwise.
    pub(crate) changes: Vec<Change>,
}

/// A rule that decides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Deciding {
    pub(crate) rule: String,
    pub(crate) withholds: bool,
    pub(crate) legal_basis: String,
    pub(crate) article: String,
    pub(crate) vi: String,
    pub(crate) en: String,
}

/// What an item would be, were one thing otherwise.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// `consent`, `direction`, or a fact of the subject.
    pub(crate) condition: &'static str,
    pub(crate) holds: bool,
    pub(crate) effect: ItemEffect,
    pub(crate) rule: String,
}

impl<'a> Builder<'a> {
    /// The rules that decide each item where exactly these facts hold: every forbid about it, or every permit where there is no
    /// forbid. `None` where a rule fails, which makes the whole row deny. Of each list the first is the one that an answer names.
    pub fn deciding(&self, holding: &[&str]) -> Option<Vec<Vec<&'a Rule>>> {
        let mut satisfied = self.rules.satisfied(self.ask, &self.held(holding))?;
        satisfied.retain(|rule| rule.about(self.ask.act) && self.stands(rule));
        let one = |item: &String| {
            let place = self.catalogue.place(item);
            let about = |forbids| {
                let of = |rule: &&&'a Rule| rule.forbids == forbids && rule.items.has(place);
                satisfied.iter().filter(of).copied().collect::<Vec<_>>()
            };
            let forbids = about(true);
            if forbids.is_empty() { about(false) } else { forbids }
        };
        Some(self.items.iter().map(one).collect())
    }

    /// The rules that hide the person where exactly these facts hold.
    fn hiding(&self, holding: &[&str]) -> Vec<&'a Rule> {
        let mut satisfied = self.rules.satisfied(self.ask, &self.held(holding)).unwrap_or_default();
        satisfied.retain(|rule| rule.existence && rule.forbids && self.stands(rule));
        satisfied
    }
}

/// The rules of one row: those that hide the person, and those that decide each item.
type Ruled<'a> = (Vec<&'a Rule>, Vec<Vec<&'a Rule>>);

/// Every rule that decides an item as an answer says, in the first row of those that count in which it does.
fn first_named<'a>(rows: &[Ruled<'a>], decided: &ItemDecision, place: usize) -> Vec<&'a Rule> {
    let named = |rules: &&Vec<&Rule>| rules.first().is_some_and(|rule| rule.id == decided.rule);
    let lists = rows.iter().flat_map(|(hiding, items)| [Some(hiding), items.get(place)]);
    lists.flatten().find(named).cloned().unwrap_or_default()
}

/// What is assumed of a subject.
type Assumed<'a> = &'a [(&'static str, bool)];

/// What is known of a fact.
fn known(assumed: Assumed<'_>, name: &str) -> Fact {
    let found = assumed.iter().find(|(fact, _)| *fact == name);
    found.map_or(Fact::Unknown, |(_, holds)| (*holds).into())
}

/// The rows that count, each by the facts that hold in it, in the order of the table.
fn rows<'t>(table: &'t DecisionTable, assumed: Assumed<'_>) -> Vec<Vec<&'t str>> {
    let holds = |row: usize, bit: usize| row >> bit & 1 == 1;
    let counts = |row: &usize| {
        let mut bits = table.facts().iter().enumerate();
        bits.all(|(bit, name)| known(assumed, name) != Fact::from(!holds(*row, bit)))
    };
    let facts = |row: usize| {
        let bits = table.facts().iter().enumerate().filter(move |(bit, _)| holds(row, *bit));
        bits.map(|(_, name)| name.as_str()).collect()
    };
    (0..table.rows().len()).filter(counts).map(facts).collect()
}

impl Profile {
    /// Explains what is decided about a request at a moment, of a subject of whom this is assumed.
    pub(crate) fn explain(
        &self,
        request: &Request,
        assumed: Assumed<'_>,
        standing: &Standing,
        now: OffsetDateTime,
        longest: Duration,
    ) -> Explanation {
        let mut decision = self.decide(request, standing, now, longest);
        // Whoever names no consent, or one that counts for nothing, is refused where there is nothing without one.
        let denial = decision.outcome.as_ref().ok().and_then(|table| {
            let left = table.knowing(CONSENT, known(assumed, CONSENT) == Fact::True);
            (!left.allows_anything()).then(|| nothing(&left))
        });
        if let Some(denial) = denial {
            decision.outcome = Err(denial);
        }
        let mut checks = self.checks(request, standing, now);
        let applied = self.agreement(request, standing, today(now)).ok();
        let terms = applied.map(|(granted, _)| granted.terms.clone()).unwrap_or_default();
        let nothing = |decision, checks| {
            let terms = Terms::default();
            Explanation { decision, checks, visible: false, items: Vec::new(), terms }
        };
        if checks.iter().any(|check| check.rule.is_some()) {
            return nothing(decision, checks);
        }
        let outcome = decision.outcome.as_ref().map(|_| String::new());
        checks.push(self.check("rules", "", outcome.map_err(Denial::clone)));
        let Some((visible, mut items)) = self.items(request, assumed, standing, now) else {
            return nothing(decision, checks);
        };
        self.change(&mut items, request, assumed, standing, now);
        Explanation { decision, checks, visible, items, terms }
    }

    /// What must stand before a rule is asked.
    pub(crate) fn checks(
        &self,
        request: &Request,
        standing: &Standing,
        now: OffsetDateTime,
    ) -> Vec<Check> {
        let day = today(now);
        let law = self.catalogue.legal_basis();
        let mut checks = self.connecting(standing, now);
        let mut check = |check, subject: &str, found: Result<String, Denial>| {
            checks.push(self.check(check, subject, found));
        };
        let basis = self.basis(request, day);
        check("legal-basis", &request.legal_basis, basis.map(|row| row.citation.clone()));
        check("procedure", &request.procedure, self.procedure(request).map(|_| String::new()));
        let (applied, found) = match self.agreement(request, standing, day) {
            Ok((granted, _)) => (granted.agreement.as_str(), Ok(law.citation(AGREEING))),
            Err(denial) => ("", Err(denial)),
        };
        check("agreement", applied, found);
        checks
    }

    /// Whether a connection may be used at all, whatever for.
    pub(crate) fn connecting(&self, standing: &Standing, now: OffsetDateTime) -> Vec<Check> {
        let day = today(now);
        let listing = self.listing(day).map(|row| row.citation.clone());
        let connected = self.connected(standing, day).map(|(_, ground)| ground.citation.clone());
        let connection = standing.connection.as_ref().map_or("", |connection| &connection.id);
        vec![
            self.check("legal-profile", self.catalogue.items_basis(), listing),
            self.check("connection", connection, connected),
        ]
    }

    /// Each item of a request, with every rule that decides it; whether the person is shown. `None` where nothing can be decided.
    fn items(
        &self,
        request: &Request,
        assumed: Assumed<'_>,
        standing: &Standing,
        now: OffsetDateTime,
    ) -> Option<(bool, Vec<Explained>)> {
        self.with_builder(request, standing, now, |builder| {
            let table = builder.build().ok()?;
            let ruled = |holding: Vec<&str>| {
                (builder.hiding(&holding), builder.deciding(&holding).unwrap_or_default())
            };
            let rows: Vec<Ruled<'_>> = rows(&table, assumed).into_iter().map(ruled).collect();
            let TableAnswer { visible, items } = table.resolve(|name| known(assumed, name));
            let one = |(place, decided): (usize, ItemDecision)| {
                let rules = first_named(&rows, &decided, place);
                let rules = rules.into_iter().map(|rule| self.deciding(rule)).collect();
                let rules = Some(rules).filter(|rules: &Vec<_>| !rules.is_empty());
                let rules = rules.unwrap_or_else(|| vec![own(&decided)]);
                Explained { decided, rules, changes: Vec::new() }
            };
            Some((visible, items.into_iter().enumerate().map(one).collect()))
        })
    }

    /// Adds what would be otherwise.
    fn change(
        &self,
        items: &mut [Explained],
        request: &Request,
        assumed: Assumed<'_>,
        standing: &Standing,
        now: OffsetDateTime,
    ) {
        let mut note = |condition, holds, request: &Request, assumed: Assumed<'_>| {
            let answer = self.with_builder(request, standing, now, |builder| {
                Some(builder.build().ok()?.resolve(|name| known(assumed, name)))
            });
            for (item, other) in items.iter_mut().zip(answer.into_iter().flat_map(|a| a.items)) {
                if (other.effect, &other.rule) != (item.decided.effect, &item.decided.rule) {
                    let (effect, rule) = (other.effect, other.rule);
                    item.changes.push(Change { condition, holds, effect, rule });
                }
            }
        };
        let otherwise = |fact: &'static str, holds: bool| {
            let others = assumed.iter().copied().filter(|(name, _)| *name != fact);
            others.chain([(fact, holds)]).collect::<Vec<_>>()
        };
        if request.act.consents() == Consents::Counted {
            let consent = known(assumed, CONSENT) != Fact::True;
            note(CONSENT, consent, request, &otherwise(CONSENT, consent));
        }
        let direction = !request.direction;
        note("direction", direction, &Request { direction, ..request.clone() }, assumed);
        for fact in FACTS.into_iter().filter(|fact| *fact != CONSENT) {
            for holds in [true, false] {
                if known(assumed, fact) != Fact::from(holds) {
                    note(fact, holds, request, &otherwise(fact, holds));
                }
            }
        }
    }

    /// A check, with the words of the rule by which it fails, or of what stands.
    pub(crate) fn check(
        &self,
        check: &'static str,
        subject: &str,
        found: Result<String, Denial>,
    ) -> Check {
        let (article, rule) = match found {
            Ok(article) => (article, None),
            Err(Denial { rule, article, .. }) => (article, Some(rule)),
        };
        let named = rule.as_deref().unwrap_or(check);
        let own = || {
            let (vi, en) = words(named);
            (vi.to_owned(), en.to_owned())
        };
        let (vi, en) = self.rule(named).map_or_else(own, |rule| (rule.vi.clone(), rule.en.clone()));
        Check { check, subject: subject.to_owned(), article, rule, vi, en }
    }

    /// A rule, as it says itself.
    fn deciding(&self, rule: &Rule) -> Deciding {
        Deciding {
            rule: rule.id.clone(),
            withholds: rule.forbids,
            legal_basis: rule.basis.clone(),
            article: self.catalogue.legal_basis().citation(&rule.basis),
            vi: rule.vi.clone(),
            en: rule.en.clone(),
        }
    }

    /// What decided an item, as far as it is named: by a rule of the law, or by one of this service.
    pub(crate) fn named_rule(&self, decided: &ItemDecision) -> Deciding {
        self.rule(&decided.rule).map_or_else(|| own(decided), |rule| self.deciding(rule))
    }
}

/// A rule of this service itself, which no file of rules has.
fn own(decided: &ItemDecision) -> Deciding {
    let (vi, en) = words(&decided.rule);
    Deciding {
        rule: decided.rule.clone(),
        withholds: decided.effect != ItemEffect::Allowed,
        legal_basis: decided.legal_basis.clone(),
        article: decided.article.clone(),
        vi: vi.to_owned(),
        en: en.to_owned(),
    }
}
