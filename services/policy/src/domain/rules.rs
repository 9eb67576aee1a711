//! The statutory rules, written in Cedar. Nothing else in the workspace knows Cedar.
//!
//! Cedar decides one item at a time; a table needs every item of a row. So conditions are evaluated
//! once: in a shadow set every rule is a permit without resource and action, one evaluation says which
//! conditions hold (and those that read no fact of the subject are evaluated once for all rows), and masks computed from the scopes at load say which items each rule is about. The
//! test `masks_agree_with_cedar_item_by_item` compares that with plain Cedar, item by item.
//!
//! Cedar skips a policy whose evaluation fails, which would open what a forbid closes. Here any failure
//! makes the whole row deny (I2).

pub mod plain;
mod reading;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use decide::{CONSENT, Obligation};
use serde::{Deserialize, Serialize};
use time::Date;

use super::catalogue::Catalogue;
use super::item_set::ItemSet;
use crate::Error;

/// The facts that rules can read and nobody knows before a person is looked at: whether that person consented to what is asked,
/// and what the schema names of the subject.
pub const FACTS: [&str; 4] = [CONSENT, "deceased", "minor", "protected"];

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Obtain items of a person (Art. 2(1)).
    Obtain,
    /// Contribute items of a person (Art. 2(2)).
    Contribute,
    /// Be told whenever items of persons change, without their values (Art. 2(1)).
    Follow,
    /// See everything that sources said of items of a person (Art. 2(2)).
    Explain,
    /// Have the one person named of whom items are known (Art. 2(1)).
    Resolve,
    /// Have persons listed by items (Art. 2(1)).
    Search,
    /// Have the persons told whom a person's own record names (Art. 2(1)).
    Relations,
    /// Have the persons told whose records name a person (Art. 2(1)).
    InverseRelations,
    /// Have the persons of a household told (Art. 2(1)).
    Household,
    /// Have persons named by other tokens from now on (Art. 2(1)).
    RotateTokens,
    /// Have it recorded that a person consents that somebody obtains items (Art. 1(2)).
    RecordConsents,
    /// Be told who accessed a person's items (Art. 1(2)).
    Accesses,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Obtain,
        Self::Contribute,
        Self::Follow,
        Self::Explain,
        Self::Resolve,
        Self::Search,
        Self::Relations,
        Self::InverseRelations,
        Self::Household,
        Self::RotateTokens,
        Self::RecordConsents,
        Self::Accesses,
    ];

    /// Its name in the registry and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Obtain => "obtain",
            Self::Contribute => "contribute",
            Self::Follow => "follow",
            Self::Explain => "explain",
            Self::Resolve => "resolve",
            Self::Search => "search",
            Self::Relations => "relations",
            Self::InverseRelations => "inverse-relations",
            Self::Household => "household",
            Self::RotateTokens => "rotate-tokens",
            Self::RecordConsents => "record-consents",
            Self::Accesses => "accesses",
        }
    }

    /// What becomes of the conditions on which items are given.
    pub const fn conditions(self) -> Conditions {
        match self {
            Self::Obtain => Conditions::Told,
            // Who accessed items is told, and no value of them.
            Self::Contribute | Self::RotateTokens | Self::RecordConsents | Self::Accesses => {
                Conditions::None
            }
            Self::Follow
            | Self::Explain
            | Self::Resolve
            | Self::Search
            | Self::Relations
            | Self::InverseRelations
            | Self::Household => Conditions::Untold,
        }
    }

    /// Whether what is learnt by it is part of what is obtained, so that nobody is granted it who may not obtain the same.
    pub(crate) const fn is_part_of_obtaining(self) -> bool {
        match self {
            Self::Follow
            | Self::Explain
            | Self::Resolve
            | Self::Search
            | Self::Relations
            | Self::InverseRelations
            | Self::Household
            // Only whoever may be told the number is told who asked about its bearer.
            | Self::Accesses => true,
            // Other tokens tell nothing, and a consent that is recorded nothing of an item.
            Self::Obtain | Self::Contribute | Self::RotateTokens | Self::RecordConsents => false,
        }
    }

    /// Whether whoever does it is told of persons, one by one, so that they are counted.
    pub(crate) const fn tells_of_persons(self) -> bool {
        match self {
            Self::Obtain
            | Self::Explain
            | Self::Resolve
            | Self::Search
            | Self::Relations
            | Self::InverseRelations
            | Self::Household
            | Self::Accesses
            // That there is such a person, and that what is claimed of it is so.
            | Self::RecordConsents => true,
            // A follower is told that something changed, and the others nothing of a person.
            Self::Contribute | Self::Follow | Self::RotateTokens => false,
        }
    }

    /// The act of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.name() == name)
    }

    /// The act that rules speak of: who may not obtain an item may not be told that it changed either, nor what else was
    /// said of it, nor of whom it is true, nor who the others are whom it names; and a consent is recorded to what may be obtained
    /// with one.
    pub const fn in_rules(self) -> Self {
        match self {
            Self::Obtain
            | Self::Follow
            | Self::Explain
            | Self::Resolve
            | Self::Search
            | Self::Relations
            | Self::InverseRelations
            | Self::Household
            | Self::RotateTokens
            | Self::RecordConsents
            | Self::Accesses => Self::Obtain,
            Self::Contribute => Self::Contribute,
        }
    }

    /// What a consent counts for. A standing order, a search and relations are about persons whom nobody has asked yet, and a
    /// consent to give a value is none to give everything that was ever said of it. Whoever contributes is given nothing.
    pub const fn consents(self) -> Consents {
        match self {
            Self::Obtain | Self::Resolve | Self::Accesses => Consents::Counted,
            Self::RecordConsents => Consents::Assumed,
            Self::Contribute
            | Self::Follow
            | Self::Explain
            | Self::Search
            | Self::Relations
            | Self::InverseRelations
            | Self::Household
            | Self::RotateTokens => Consents::Ignored,
        }
    }
}

/// What a consent counts for in an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consents {
    /// Whether there is one is a fact like those of the subject: a column of the table.
    Counted,
    /// There might as well be none.
    Ignored,
    /// It is what is being recorded, so rules are asked as if there were one.
    Assumed,
}

/// What becomes of the conditions on which items are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditions {
    /// They come with each item.
    Told,
    /// The answer has no place for them, so nothing is given on any.
    Untold,
    /// Nothing is given, so there are none.
    None,
}

/// Everything a rule can know before anybody looks at a person.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The database that the caller's connection serves.
    pub database: &'a str,
    /// What the caller wants to do.
    pub act: Act,
    /// The procedure, and its purpose group.
    pub procedure: &'a str,
    /// See `procedure`.
    pub purpose: &'a str,
    /// The legal ground named.
    pub basis: &'a str,
    /// Whether the request names a direction of the Prime Minister.
    pub direction: bool,
}

/// The days on which a rule holds, in Viet Nam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first.
    pub from: Date,
    /// The first on which it no longer holds.
    pub to: Option<Date>,
}

impl Validity {
    /// Whether it holds on a day.
    #[must_use]
    pub fn holds(&self, day: Date) -> bool {
        self.from <= day && self.to.is_none_or(|to| day < to)
    }

    /// The day after this one on which that changes, if it does.
    #[must_use]
    pub fn changes(&self, day: Date) -> Option<Date> {
        [Some(self.from), self.to].into_iter().flatten().find(|change| day < *change)
    }
}

/// A file of rules: those that carry out one clause.
#[derive(Clone, Debug)]
pub struct RuleFile<'a> {
    /// Id of the row of legal grounds for the clause; the file is named by it.
    pub clause: &'a str,
    /// The rules, in Cedar.
    pub text: &'a str,
}

/// One rule, as far as it can be known without evaluating it.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its `@id`.
    pub id: String,
    /// Its `@basis`.
    pub basis: String,
    /// Whether it forbids; else it permits.
    pub forbids: bool,
    /// The items it is about.
    pub items: ItemSet,
    /// Whether it is about the existence of a person (I7).
    pub existence: bool,
    /// Whether it is about obtaining and about contributing.
    acts: BTreeSet<&'static str>,
    /// The facts that its condition reads.
    pub facts: BTreeSet<&'static str>,
    /// When it holds.
    pub validity: Validity,
    /// What whoever is given something by it must do; what forbids obliges nobody.
    pub obligations: Vec<Obligation>,
    /// What it says, in Vietnamese.
    pub vi: String,
    /// What it says, in English.
    pub en: String,
}

impl Rule {
    /// Whether it is about this act.
    pub fn about(&self, act: Act) -> bool {
        self.acts.contains(act.name())
    }
}

/// The rules, loaded, validated and ready.
pub struct Rules {
    rules: BTreeMap<String, Rule>,
    /// Those that read no fact: they say the same in every row of a table.
    still: PolicySet,
    /// The others.
    moving: PolicySet,
    entities: Entities,
    names: Names,
    /// As they were written.
    plain: PolicySet,
}

/// The entity types, parsed once.
struct Names {
    database: EntityTypeName,
    item: EntityTypeName,
    group: EntityTypeName,
    register: EntityTypeName,
    action: EntityTypeName,
}

impl Names {
    fn new() -> Result<Self, Error> {
        let name = |text: &str| text.parse::<EntityTypeName>().map_err(rules_error);
        Ok(Self {
            database: name("Database")?,
            item: name("Item")?,
            group: name("ItemGroup")?,
            register: name("Register")?,
            action: name("Action")?,
        })
    }
}

impl Rules {
    /// Loads rules; refuses whatever could not be evaluated faithfully.
    pub fn load(
        files: &[RuleFile<'_>],
        schema: &str,
        catalogue: &Catalogue,
    ) -> Result<Self, Error> {
        let names = Names::new()?;
        let (schema, _) = Schema::from_cedarschema_str(schema).map_err(rules_error)?;
        let (mut plain, mut rules) = (PolicySet::new(), BTreeMap::new());
        let (mut still, mut moving) = (PolicySet::new(), PolicySet::new());
        for RuleFile { clause, text } in files {
            let wrong = |why: &dyn std::fmt::Display| rules_error(format!("`{clause}`: {why}"));
            let parsed: PolicySet = text.parse().map_err(|e| wrong(&e))?;
            if parsed.templates().next().is_some() {
                return Err(wrong(&"templates are not used"));
            }
            for policy in parsed.policies() {
                let rule = reading::read(policy, clause, catalogue, &names)?;
                // Cedar numbers policies by their place in the file; ours are named by what they are.
                let id = PolicyId::new(&rule.id);
                plain.add(policy.new_id(id.clone())).map_err(rules_error)?;
                let shadows = if rule.facts.is_empty() { &mut still } else { &mut moving };
                shadows.add(reading::shadow_of(policy, id)?).map_err(rules_error)?;
                rules.insert(rule.id.clone(), rule);
            }
        }
        let result = Validator::new(schema).validate(&plain, ValidationMode::Strict);
        if !result.validation_passed() {
            return Err(rules_error(result));
        }
        let entities = entities(catalogue, &names)?;
        Ok(Self { rules, still, moving, entities, names, plain })
    }

    /// Takes a rule out of those that were written, and leaves it where tables are made.
    #[cfg(test)]
    pub(super) fn forget(&mut self, rule: &str) {
        let _ = self.plain.remove_static(PolicyId::new(rule));
    }

    /// The rule of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.get(id)
    }

    /// All rules, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    /// The rules whose conditions hold, by id, where exactly the facts in `holding` hold; `None` if any
    /// condition could not be evaluated. They may be about other acts and items than those asked.
    pub fn satisfied(&self, ask: &Question<'_>, holding: &[&str]) -> Option<Vec<&Rule>> {
        self.satisfied_beside(&self.satisfied_always(ask)?, ask, holding)
    }

    /// Those of them that hold whatever the facts are, because they read none.
    pub fn satisfied_always(&self, ask: &Question<'_>) -> Option<Vec<&Rule>> {
        self.satisfied_of(&self.still, ask, &[])
    }

    /// Those that hold where exactly the facts in `holding` do, beside those that `always` hold.
    pub fn satisfied_beside<'a>(
        &'a self,
        always: &[&'a Rule],
        ask: &Question<'_>,
        holding: &[&str],
    ) -> Option<Vec<&'a Rule>> {
        let mut all = self.satisfied_of(&self.moving, ask, holding)?;
        all.extend_from_slice(always);
        all.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        Some(all)
    }

    fn satisfied_of(
        &self,
        shadows: &PolicySet,
        ask: &Question<'_>,
        holding: &[&str],
    ) -> Option<Vec<&Rule>> {
        if shadows.is_empty() {
            return Some(Vec::new());
        }
        let uid = |kind: &EntityTypeName, id: &str| {
            EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
        };
        // Scopes name no resource and no action any more, so which ones stand here changes nothing.
        let request = Request::new(
            uid(&self.names.database, ask.database),
            uid(&self.names.action, ask.act.name()),
            uid(&self.names.register, "population"),
            context(ask, holding)?,
            None,
        )
        .ok()?;
        let response = Authorizer::new().is_authorized(&request, shadows, &self.entities);
        if response.diagnostics().errors().next().is_some() {
            return None;
        }
        let ids = response.diagnostics().reason();
        ids.map(|id| self.rules.get(AsRef::<str>::as_ref(id))).collect()
    }
}

/// The context of a question, where exactly the facts in `holding` hold.
fn context(ask: &Question<'_>, holding: &[&str]) -> Option<Context> {
    let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
    let holds = |fact: &str| RestrictedExpression::new_bool(holding.contains(&fact));
    // A consent is of the request as rules speak of it, although whether there is one is found with the person.
    let facts = FACTS.into_iter().filter(|fact| *fact != CONSENT);
    let facts = facts.map(|fact| (fact.to_owned(), holds(fact)));
    Context::from_pairs([
        ("procedure".to_owned(), text(ask.procedure)),
        ("purpose".to_owned(), text(ask.purpose)),
        ("basis".to_owned(), text(ask.basis)),
        ("consent".to_owned(), holds(CONSENT)),
        ("direction".to_owned(), RestrictedExpression::new_bool(ask.direction)),
        ("subject".to_owned(), RestrictedExpression::new_record(facts).ok()?),
    ])
    .ok()
}

/// Items with their groups, as Cedar sees them.
fn entities(catalogue: &Catalogue, names: &Names) -> Result<Entities, Error> {
    let uid = |kind: &EntityTypeName, id: &str| {
        EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
    };
    let groups: BTreeSet<_> = catalogue.items().iter().flat_map(|item| &item.groups).collect();
    let groups =
        groups.into_iter().map(|id| Entity::new_no_attrs(uid(&names.group, id), HashSet::new()));
    let mut all: Vec<Entity> = groups.collect();
    for item in catalogue.items() {
        let parents = item.groups.iter().map(|group| uid(&names.group, group)).collect();
        let entity = Entity::new(uid(&names.item, &item.id), HashMap::new(), parents);
        all.push(entity.map_err(rules_error)?);
    }
    Entities::from_entities(all, None).map_err(rules_error)
}

/// A fault in the rules.
fn rules_error(why: impl std::fmt::Display) -> Error {
    Error::data("rules", why)
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
