//! No statutory forbid can be overridden by an agreement: shown by exhaustion over the catalogue, the rules and everything that they
//! read. What fires is found out by Cedar, from the rule as it is written beside a permit of everything; what is given, from tables.
//!
//! All subsets of 26 items are too many to grant, and need not be: that what is decided about an item depends on an agreement only
//! by whether it grants that item is shown for all subsets of items of different groups, and then one grant of everything and one
//! of each item stand for all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request,
};
use decide::{CONSENT, Fact, ItemEffect, MaskForm, Obligation, TableAnswer};
use time::macros::date;

use super::{
    catalogue::{Catalogue, LegalProfile},
    decision::{RULES, SHIPPED},
    item_set::ItemSet,
    rules::{Act, FACTS, Question, Rule, Rules},
    sweep::catalogue,
    table::Builder,
};

/// A forbid as it is written, beside a permit of everything.
struct Forbid {
    id: String,
    alone: PolicySet,
}

fn forbids(rules: &Rules) -> Vec<Forbid> {
    let written: Vec<_> = RULES
        .iter()
        .flat_map(|file| {
            file.text.parse::<PolicySet>().unwrap().policies().cloned().collect::<Vec<_>>()
        })
        .collect();
    let one = |rule: &Rule| {
        let policy =
            written.iter().find(|policy| policy.annotation("id") == Some(&*rule.id)).unwrap();
        let mut alone: PolicySet = "permit (principal, action, resource);".parse().unwrap();
        alone.add(policy.new_id("the-forbid".parse().unwrap())).unwrap();
        Forbid { id: rule.id.clone(), alone }
    };
    rules.iter().filter(|rule| rule.forbids).map(one).collect()
}

/// Items and their groups, made here.
fn entities(catalogue: &Catalogue) -> Entities {
    let item = |item: &super::catalogue::Item| {
        let groups = item.groups.iter().map(|group| uid("ItemGroup", group)).collect();
        Entity::new(uid("Item", &item.id), std::collections::HashMap::new(), groups).unwrap()
    };
    Entities::from_entities(catalogue.items().iter().map(item), None).unwrap()
}

fn uid(kind: &str, id: &str) -> EntityUid {
    format!("{kind}::\"{id}\"").parse().unwrap()
}

/// What Cedar is told of a question, of one subject.
fn context(ask: &Question<'_>, row: usize) -> Context {
    let mut facts: serde_json::Map<_, _> = FACTS
        .iter()
        .enumerate()
        .map(|(bit, fact)| ((*fact).to_owned(), (row >> bit & 1 == 1).into()))
        .collect();
    let context = serde_json::json!({
        "procedure": ask.procedure, "purpose": ask.purpose, "basis": ask.basis,
        "consent": facts.remove(CONSENT), "direction": ask.direction, "subject": facts,
    });
    Context::from_json_value(context, None).unwrap()
}

/// Whether a forbid denies one thing.
fn fires(forbid: &Forbid, entities: &Entities, request: &Request) -> bool {
    let answer = Authorizer::new().is_authorized(request, &forbid.alone, entities);
    assert_eq!(answer.diagnostics().errors().count(), 0);
    answer.decision() == Decision::Deny
}

/// Everything that a rule can read of a question: every act and ground, a procedure of each purpose, with a direction and without.
fn questions(catalogue: &Catalogue) -> Vec<Question<'_>> {
    let mut purposes: Vec<(&str, &str)> = Vec::new();
    for procedure in catalogue.procedures() {
        if !purposes.iter().any(|(_, purpose)| *purpose == procedure.purpose) {
            purposes.push((&procedure.id, &procedure.purpose));
        }
    }
    let mut all = Vec::new();
    for act in [Act::Obtain, Act::Contribute] {
        for basis in RULES.map(|file| file.clause) {
            for (procedure, purpose) in &purposes {
                for direction in [false, true] {
                    let database = "social-insurance";
                    all.push(Question { database, act, procedure, purpose, basis, direction });
                }
            }
        }
    }
    all
}

/// What a table says for every subject under an agreement that grants these items and obliges to this.
fn answers(
    catalogue: &Catalogue,
    rules: &Rules,
    ask: &Question<'_>,
    granted: &ItemSet,
    obliges: &[Obligation],
) -> Vec<TableAnswer> {
    let items: Vec<String> = catalogue.items().iter().map(|item| item.id.clone()).collect();
    let builder = Builder {
        catalogue,
        rules,
        ask,
        items: &items,
        granted,
        obligations: &|_| obliges,
        day: date!(2026 - 11 - 24),
        act: ask.act,
        now: crate::domain::basis::start_of(date!(2026 - 11 - 24)),
    };
    let table = builder.build().unwrap();
    let bit = |name: &str| FACTS.iter().position(|fact| *fact == name);
    let fact = |row: usize, name: &str| {
        bit(name).map_or(Fact::Unknown, |bit| (row >> bit & 1 == 1).into())
    };
    (0..1 << FACTS.len()).map(|row| table.resolve(|name| fact(row, name))).collect()
}

fn allowed(answer: &TableAnswer, place: usize) -> bool {
    answer.items[place].effect == ItemEffect::Allowed
}

/// A forbid that fires withholds, whatever is granted and on whatever condition.
#[test]
fn i2_no_agreement_overrides_a_forbid() {
    let catalogue = catalogue(LegalProfile::Law2023);
    let rules = Rules::load(&RULES, SHIPPED[3], &catalogue).unwrap();
    let (forbids, entities) = (forbids(&rules), entities(&catalogue));
    let all = catalogue.all();
    let conditions: [&[Obligation]; 3] =
        [&[], &[Obligation::MaxAge(60)], &[Obligation::Mask(MaskForm::LastFour)]];
    let register = uid("Register", "population");
    let resources: Vec<_> = catalogue.items().iter().map(|item| uid("Item", &item.id)).collect();
    let (mut fired, mut checked, mut allows) = (vec![0; forbids.len()], 0, 0);
    for ask in questions(&catalogue) {
        let full = conditions.map(|obliges| answers(&catalogue, &rules, &ask, &all, obliges));
        let contexts: Vec<_> = (0..1 << FACTS.len()).map(|row| context(&ask, row)).collect();
        for (place, item) in catalogue.items().iter().enumerate() {
            let single = answers(&catalogue, &rules, &ask, &[place].into_iter().collect(), &[]);
            for row in 0..1 << FACTS.len() {
                let request = |action, resource: &EntityUid| {
                    let database = uid("Database", ask.database);
                    let context = contexts[row].clone();
                    Request::new(database, uid("Action", action), resource.clone(), context, None)
                        .unwrap()
                };
                let existence = request("learn_existence", &register);
                let of_item = request(ask.act.name(), &resources[place]);
                let mut forbidden = false;
                for (forbid, fired) in forbids.iter().zip(&mut fired) {
                    let hides = ask.act == Act::Obtain && fires(forbid, &entities, &existence);
                    if hides || fires(forbid, &entities, &of_item) {
                        *fired += 1;
                        forbidden = true;
                    }
                }
                let given =
                    full.iter().chain([&single]).map(|answers| allowed(&answers[row], place));
                for given in given {
                    checked += 1;
                    allows += usize::from(given);
                    assert!(!(given && forbidden), "{ask:?} {} {row:03b}", item.id);
                }
            }
        }
    }
    println!("no forbid overridden: {checked} items under agreements, {allows} allowed");
    for (forbid, fired) in forbids.iter().zip(&fired) {
        println!("  {} fired {fired} times", forbid.id);
        assert!(*fired > 0, "{} never fires: nothing was shown of it", forbid.id);
    }
    assert!(allows > 0);
}

/// What is decided about an item depends on an agreement by nothing but whether it grants the item: for every subset of items of which
/// each is of another group.
#[test]
fn i3_what_an_agreement_grants_beside_an_item_changes_nothing_about_it() {
    let catalogue = catalogue(LegalProfile::Law2023);
    let rules = Rules::load(&RULES, SHIPPED[3], &catalogue).unwrap();
    let mut places: Vec<usize> = Vec::new();
    for (place, item) in catalogue.items().iter().enumerate() {
        if !places.iter().any(|other| catalogue.items()[*other].groups == item.groups) {
            places.push(place);
        }
    }
    let (all, mut subsets) = (catalogue.all(), 0);
    // One purpose of the law's own exception, and one of the rest.
    let purposes = ["investigation", "civil-status"];
    for ask in questions(&catalogue).iter().filter(|ask| purposes.contains(&ask.purpose)) {
        let full = answers(&catalogue, &rules, ask, &all, &[]);
        for subset in 0..1_usize << places.len() {
            let granted: Vec<usize> = places
                .iter()
                .enumerate()
                .filter(|(bit, _)| subset >> bit & 1 == 1)
                .map(|(_, at)| *at)
                .collect();
            let some = answers(&catalogue, &rules, ask, &granted.iter().copied().collect(), &[]);
            for (row, answer) in some.iter().enumerate() {
                for place in 0..catalogue.items().len() {
                    let expected = granted.contains(&place) && allowed(&full[row], place);
                    assert_eq!(allowed(answer, place), expected, "{ask:?} {granted:?} {row:03b}");
                }
            }
            subsets += 1;
        }
    }
    println!("{subsets} subsets granted, of {} items of different groups", places.len());
    assert_eq!(subsets, (2 * RULES.len() * 2 * 2) << places.len());
}
