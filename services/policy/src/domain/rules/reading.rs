//! Reading a rule: its annotations, what its scope is about, and which facts its condition reads.

use std::collections::BTreeSet;

use cedar_policy::{ActionConstraint, Effect, EntityUid, Policy, PolicyId, ResourceConstraint};
use decide::{CONSENT, Obligation, obligation::together};
use serde_json::Value;
use time::{Date, format_description::StaticFormatDescription, macros::format_description};

use super::{FACTS, Names, Rule, Validity, rules_error};
use crate::{
    Error,
    domain::{catalogue::Catalogue, item_set::ItemSet},
};

/// The annotations of a rule: each must be there, and there is no other, so that none is misspelt.
const ANNOTATIONS: [&str; 6] = ["id", "basis", "validity", "obligation", "vi", "en"];
/// What `@obligation` says where there is none.
const NONE: &str = "none";
/// What an interval without an end ends with (ISO 8601-2, 4.4).
const OPEN: &str = "..";

const DAY: StaticFormatDescription = format_description!("[year]-[month]-[day]");

/// What the annotations of a rule say.
struct Annotations {
    id: String,
    basis: String,
    validity: Validity,
    obligations: Vec<Obligation>,
    vi: String,
    en: String,
}

impl Annotations {
    fn of(policy: &Policy) -> Result<Self, Error> {
        let annotation = |key: &str| {
            let value = policy.annotation(key).filter(|value| !value.is_empty());
            value.map(str::to_owned).ok_or_else(|| rules_error(format!("a rule has no @{key}")))
        };
        let id = annotation("id")?;
        let wrong = |why: String| rules_error(format!("rule `{id}`: {why}"));
        if let Some((key, _)) = policy.annotations().find(|(key, _)| !ANNOTATIONS.contains(key)) {
            return Err(wrong(format!("there is no annotation @{key}")));
        }
        let validity = annotation("validity")?;
        let validity = interval(&validity)
            .ok_or_else(|| wrong("its @validity is not <first day>/<end or ..>".to_owned()))?;
        let obligation = annotation("obligation")?;
        let obligations = if obligation == NONE {
            Vec::new()
        } else {
            let read = |text: &str| text.trim().parse().map_err(|error| wrong(format!("{error}")));
            obligation.split(',').map(read).collect::<Result<_, Error>>()?
        };
        let (basis, vi, en) = (annotation("basis")?, annotation("vi")?, annotation("en")?);
        Ok(Self { id, basis, validity, obligations, vi, en })
    }
}

/// The days of an interval: the first one, and the first on which it no longer holds.
fn interval(text: &str) -> Option<Validity> {
    let (from, to) = text.split_once('/')?;
    let from = Date::parse(from, DAY).ok()?;
    let to = if to == OPEN { None } else { Some(Date::parse(to, DAY).ok()?) };
    to.is_none_or(|to| from < to).then_some(Validity { from, to })
}

/// What can be known of a policy without evaluating it.
pub(super) fn read(
    policy: &Policy,
    clause: &str,
    catalogue: &Catalogue,
    names: &Names,
) -> Result<Rule, Error> {
    let Annotations { id, basis, validity, obligations, vi, en } = Annotations::of(policy)?;
    let wrong = |why: &str| rules_error(format!("rule `{id}`: {why}"));
    if catalogue.legal_basis().get(&basis).is_none() {
        return Err(wrong("its @basis is not known"));
    }
    if basis != clause {
        return Err(wrong("its @basis is not what its file is named by"));
    }
    if policy.effect() == Effect::Forbid && !obligations.is_empty() {
        return Err(wrong("what is forbidden obliges nobody"));
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
    if !obligations.is_empty() && !acts.contains(&"obtain") {
        return Err(wrong("it obliges who is given nothing"));
    }
    check_obligations(&obligations, &items, catalogue).map_err(&wrong)?;
    let json = policy.to_json().map_err(rules_error)?;
    let mut facts = BTreeSet::new();
    facts_of(json.get("conditions").unwrap_or(&Value::Null), &mut facts).map_err(&wrong)?;
    Ok(Rule {
        forbids: policy.effect() == Effect::Forbid,
        existence: register && acts.contains(&"learn_existence"),
        acts: acts.into_iter().collect(),
        items,
        facts,
        validity,
        obligations,
        vi,
        en,
        id: id.clone(),
        basis,
    })
}

/// That they can be kept together, and of each item that the rule is about there is the form.
fn check_obligations(
    all: &[Obligation],
    items: &ItemSet,
    catalogue: &Catalogue,
) -> Result<(), &'static str> {
    if together(all, &[]).is_none() {
        return Err("it wants one value in two forms");
    }
    for obligation in all {
        let Obligation::Mask(form) = obligation else { continue };
        let all = catalogue.items();
        if !items.places().all(|place| all.get(place).is_some_and(|item| item.kind.has(*form))) {
            return Err("an item in its scope has no such form");
        }
    }
    Ok(())
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
) -> Option<(ItemSet, bool)> {
    let one = |uid: &EntityUid| {
        let id: &str = uid.id().as_ref();
        let (known, items) = match uid.type_name() {
            kind if *kind == names.item => {
                (catalogue.lists_item(id), catalogue.place(id).into_iter().collect())
            }
            kind if *kind == names.group => (catalogue.lists_group(id), catalogue.group(id)),
            _ => (false, ItemSet::default()),
        };
        known.then_some((items, false))
    };
    match resource {
        ResourceConstraint::Any => Some((catalogue.all(), true)),
        ResourceConstraint::Is(kind) if *kind == names.item => Some((catalogue.all(), false)),
        ResourceConstraint::Is(kind) if *kind == names.register => Some((ItemSet::default(), true)),
        // `resource == ItemGroup::"x"` is about the group itself, which nobody asks for.
        ResourceConstraint::Eq(uid) if *uid.type_name() == names.item => one(uid),
        ResourceConstraint::In(uid) => one(uid),
        ResourceConstraint::IsIn(kind, uid) if *kind == names.item => one(uid),
        ResourceConstraint::Is(_) | ResourceConstraint::Eq(_) | ResourceConstraint::IsIn(..) => {
            None
        }
    }
}

/// Collects the facts that a condition reads, and refuses a condition whose meaning would
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
                let known = FACTS.into_iter().find(|known| *known == fact && *known != CONSENT);
                found.insert(known.ok_or("a condition reads an unknown fact")?);
                return Ok(());
            }
            if is_subject(json) {
                return Err("a condition reads all facts of the subject at once");
            }
            if let Some(attribute) = access(json, is_context) {
                if attribute == CONSENT {
                    found.insert(CONSENT);
                }
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
pub(super) fn shadow_of(policy: &Policy, id: PolicyId) -> Result<Policy, Error> {
    let mut json = policy.to_json().map_err(rules_error)?;
    let map = json.as_object_mut().ok_or_else(|| rules_error("a policy is not an object"))?;
    map.insert("effect".to_owned(), "permit".into());
    for scope in ["action", "resource"] {
        map.insert(scope.to_owned(), serde_json::json!({ "op": "All" }));
    }
    Policy::from_json(Some(id), json).map_err(rules_error)
}
