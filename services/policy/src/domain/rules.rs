//! The statutory rules, written in Cedar. Nothing else in the workspace knows Cedar.
//!
//! Cedar decides one item at a time; a table needs every item of a row. So conditions are evaluated
//! once: in a shadow set every rule is a permit without resource and action, one evaluation says which
//! conditions hold, and masks computed from the scopes at load say which items each rule is about. The
//! test `masks_agree_with_cedar_item_by_item` compares that with plain Cedar, item by item.
//!
//! Cedar skips a policy whose evaluation fails, which would open what a forbid closes. Here any failure
//! makes the whole row deny (I2).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Effect, Entities, Entity, EntityId, EntityTypeName,
    EntityUid, Policy, PolicyId, PolicySet, Request, ResourceConstraint, RestrictedExpression,
    Schema, ValidationMode, Validator,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalogue::{Catalogue, Mask};
use crate::Error;

/// The facts of the subject that rules can read, as the schema names them.
pub const FACTS: [&str; 3] = ["deceased", "minor", "protected"];

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
}

impl Act {
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
        }
    }

    /// The act that rules speak of: who may not obtain an item may not be told that it changed either, nor what else was
    /// said of it, nor of whom it is true, nor who the others are whom it names.
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
            | Self::RotateTokens => Self::Obtain,
            Self::Contribute => Self::Contribute,
        }
    }
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
    /// Whether the request names a consent.
    pub consent: bool,
    /// Whether the request names a direction of the Prime Minister.
    pub direction: bool,
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
    pub items: Mask,
    /// Whether it is about the existence of a person (I7).
    pub existence: bool,
    /// Whether it is about obtaining and about contributing.
    acts: BTreeSet<&'static str>,
    /// The facts of the subject that its condition reads.
    pub facts: BTreeSet<&'static str>,
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
    shadow: PolicySet,
    entities: Entities,
    names: Names,
    #[cfg(test)]
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
    pub fn load(text: &str, schema: &str, catalogue: &Catalogue) -> Result<Self, Error> {
        let names = Names::new()?;
        let (schema, _) = Schema::from_cedarschema_str(schema).map_err(rules_error)?;
        let parsed: PolicySet = text.parse().map_err(rules_error)?;
        if parsed.templates().next().is_some() {
            return Err(rules_error("templates are not used"));
        }
        let (mut plain, mut shadow, mut rules) =
            (PolicySet::new(), PolicySet::new(), BTreeMap::new());
        for policy in parsed.policies() {
            let rule = read(policy, catalogue, &names)?;
            // Cedar numbers policies by their place in the file; ours are named by what they are.
            let id = PolicyId::new(&rule.id);
            plain.add(policy.new_id(id.clone())).map_err(rules_error)?;
            shadow.add(shadow_of(policy, id)?).map_err(rules_error)?;
            rules.insert(rule.id.clone(), rule);
        }
        let result = Validator::new(schema).validate(&plain, ValidationMode::Strict);
        if !result.validation_passed() {
            return Err(rules_error(result));
        }
        let entities = entities(catalogue, &names)?;
        Ok(Self {
            rules,
            shadow,
            entities,
            names,
            #[cfg(test)]
            plain,
        })
    }

    /// All rules, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    /// The rules whose conditions hold, by id, where exactly the facts in `holding` hold; `None` if any
    /// condition could not be evaluated. They may be about other acts and items than those asked.
    pub fn satisfied(&self, ask: &Question<'_>, holding: &[&str]) -> Option<Vec<&Rule>> {
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
        let response = Authorizer::new().is_authorized(&request, &self.shadow, &self.entities);
        if response.diagnostics().errors().next().is_some() {
            return None;
        }
        let ids: BTreeSet<&str> = response.diagnostics().reason().map(AsRef::as_ref).collect();
        ids.into_iter().map(|id| self.rules.get(id)).collect()
    }
}

/// The context of a question, where exactly the facts in `holding` hold.
fn context(ask: &Question<'_>, holding: &[&str]) -> Option<Context> {
    let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
    let facts = FACTS
        .map(|fact| (fact.to_owned(), RestrictedExpression::new_bool(holding.contains(&fact))));
    Context::from_pairs([
        ("procedure".to_owned(), text(ask.procedure)),
        ("purpose".to_owned(), text(ask.purpose)),
        ("basis".to_owned(), text(ask.basis)),
        ("consent".to_owned(), RestrictedExpression::new_bool(ask.consent)),
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

/// What can be known of a policy without evaluating it.
fn read(policy: &Policy, catalogue: &Catalogue, names: &Names) -> Result<Rule, Error> {
    let annotation = |key: &str| {
        let value = policy.annotation(key).filter(|value| !value.is_empty());
        value.map(str::to_owned).ok_or_else(|| rules_error(format!("a rule has no @{key}")))
    };
    let (id, basis) = (annotation("id")?, annotation("basis")?);
    let wrong = |why: &str| rules_error(format!("rule `{id}`: {why}"));
    if catalogue.legal_basis().get(&basis).is_none() {
        return Err(wrong("its @basis is not known"));
    }
    let acts = match policy.action_constraint() {
        ActionConstraint::Any => vec!["obtain", "contribute", "learn_existence"],
        ActionConstraint::Eq(action) => vec![act(&action).ok_or_else(|| wrong("unknown action"))?],
        ActionConstraint::In(actions) => {
            let acts: Option<Vec<_>> = actions.iter().map(act).collect();
            acts.ok_or_else(|| wrong("unknown action"))?
        }
    };
    let (items, register) = scope(&policy.resource_constraint(), catalogue, names)
        .ok_or_else(|| wrong("its scope names an item or group that no law lists"))?;
    let json = policy.to_json().map_err(rules_error)?;
    let mut facts = BTreeSet::new();
    facts_of(json.get("conditions").unwrap_or(&Value::Null), &mut facts).map_err(wrong)?;
    Ok(Rule {
        forbids: policy.effect() == Effect::Forbid,
        existence: register && acts.contains(&"learn_existence"),
        acts: acts.into_iter().collect(),
        items,
        facts,
        id: id.clone(),
        basis,
    })
}

/// The name of an action that the schema has.
fn act(action: &EntityUid) -> Option<&'static str> {
    let id: &str = action.id().as_ref();
    ["obtain", "contribute", "learn_existence"].into_iter().find(|known| *known == id)
}

/// The items that a resource scope is about, and whether it is about the register as a whole. A scope that
/// names nothing known is refused: a misspelt forbid would be open for ever. What is known but not listed
/// by the law of the profile is no such fault: the rule is then about no item.
fn scope(
    resource: &ResourceConstraint,
    catalogue: &Catalogue,
    names: &Names,
) -> Option<(Mask, bool)> {
    let one = |uid: &EntityUid| {
        let id: &str = uid.id().as_ref();
        let (known, mask) = match uid.type_name() {
            kind if *kind == names.item => (catalogue.lists_item(id), catalogue.bit(id)),
            kind if *kind == names.group => (catalogue.lists_group(id), catalogue.group(id)),
            _ => (false, 0),
        };
        known.then_some((mask, false))
    };
    match resource {
        ResourceConstraint::Any => Some((catalogue.all(), true)),
        ResourceConstraint::Is(kind) if *kind == names.item => Some((catalogue.all(), false)),
        ResourceConstraint::Is(kind) if *kind == names.register => Some((0, true)),
        // `resource == ItemGroup::"x"` is about the group itself, which nobody asks for.
        ResourceConstraint::Eq(uid) if *uid.type_name() == names.item => one(uid),
        ResourceConstraint::In(uid) => one(uid),
        ResourceConstraint::IsIn(kind, uid) if *kind == names.item => one(uid),
        ResourceConstraint::Is(_) | ResourceConstraint::Eq(_) | ResourceConstraint::IsIn(..) => {
            None
        }
    }
}

/// Collects the facts of the subject that a condition reads, and refuses a condition whose meaning would
/// change in the shadow set (`resource`, `action`) or whose facts could not be seen (a whole record).
fn facts_of(json: &Value, found: &mut BTreeSet<&'static str>) -> Result<(), &'static str> {
    match json {
        Value::Object(map) => {
            match map.get("Var").and_then(Value::as_str) {
                Some("resource" | "action") => {
                    return Err("a condition may not speak of the resource or the action");
                }
                Some("context") => return Err("a condition reads the whole context"),
                Some(_) | None => {}
            }
            if let Some(fact) = access(json, is_subject) {
                let known = FACTS.into_iter().find(|known| *known == fact);
                found.insert(known.ok_or("a condition reads an unknown fact")?);
                return Ok(());
            }
            if is_subject(json) {
                return Err("a condition reads all facts of the subject at once");
            }
            if access(json, is_context).is_some() {
                return Ok(());
            }
            map.values().try_for_each(|value| facts_of(value, found))
        }
        Value::Array(values) => values.iter().try_for_each(|value| facts_of(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// The attribute that an expression reads of something.
fn access(json: &Value, of: impl Fn(&Value) -> bool) -> Option<&str> {
    let dot = json.get(".")?;
    dot.get("left").is_some_and(of).then(|| dot.get("attr")?.as_str())?
}

/// Whether an expression is `context`.
fn is_context(json: &Value) -> bool {
    json.get("Var").and_then(Value::as_str) == Some("context")
}

/// Whether an expression is `context.subject`.
fn is_subject(json: &Value) -> bool {
    access(json, is_context) == Some("subject")
}

/// The policy as a permit without action and resource: it is satisfied exactly where its condition holds.
fn shadow_of(policy: &Policy, id: PolicyId) -> Result<Policy, Error> {
    let mut json = policy.to_json().map_err(rules_error)?;
    let map = json.as_object_mut().ok_or_else(|| rules_error("a policy is not an object"))?;
    map.insert("effect".to_owned(), "permit".into());
    for scope in ["action", "resource"] {
        map.insert(scope.to_owned(), serde_json::json!({ "op": "All" }));
    }
    Policy::from_json(Some(id), json).map_err(rules_error)
}

/// A fault in the rules.
fn rules_error(why: impl std::fmt::Display) -> Error {
    Error::data("rules", why)
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
