//! The shipped rules give what they say, and masks agree with Cedar asked item by item.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use cedar_policy::{Authorizer, Context, Decision, EntityUid, PolicySet, Request};
use decide::{Fact, ItemEffect};
use time::macros::{date, datetime};

use super::*;
use crate::domain::{
    catalogue::{ItemType, LegalProfile},
    table::Builder,
};

use crate::domain::decision::{RULES, SHIPPED};

const SCHEMA: &str = SHIPPED[3];
/// The clause of the rules that are made up here.
const CLAUSE: &str = "1911-2021-art-1-2";

/// Rules of a made-up file.
fn made_up(text: &str) -> Result<Rules, Error> {
    load(&[RuleFile { clause: CLAUSE, text }], &catalogue())
}

fn load(files: &[RuleFile<'_>], catalogue: &Catalogue) -> Result<Rules, Error> {
    Rules::load(files, SCHEMA, catalogue)
}

/// A rule with all its annotations.
fn rule(id: &str, rest: &str) -> String {
    format!(
        "@id(\"{id}\") @basis(\"{CLAUSE}\") @validity(\"2021-11-15/..\") @obligation(\"none\") \
         @vi(\"a\") @en(\"a\") {rest};"
    )
}

fn catalogue() -> Catalogue {
    catalogue_of(LegalProfile::Law2023)
}

fn catalogue_of(profile: LegalProfile) -> Catalogue {
    Catalogue::parse(
        profile,
        include_str!("../../data/items.toml"),
        include_str!("../../data/procedures.toml"),
        include_str!("../../data/legal-basis.toml"),
    )
    .unwrap()
}

fn ask() -> Question<'static> {
    Question {
        database: "social-insurance",
        act: Act::Obtain,
        procedure: "child-health-insurance-card",
        purpose: "social-insurance",
        basis: "1911-2021-art-2-1",
        direction: false,
    }
}

fn effect(rules: &Rules, item: &str, granted: bool, protected: Fact) -> (bool, ItemEffect, String) {
    let catalogue = catalogue();
    let items = [item.to_owned()];
    let granted = if granted { catalogue.all() } else { ItemSet::default() };
    let (ask, day) = (ask(), date!(2026 - 11 - 24));
    let builder = Builder {
        catalogue: &catalogue,
        rules,
        ask: &ask,
        act: Act::Obtain,
        items: &items,
        granted: &granted,
        obligations: &|_| &[],
        day,
        now: datetime!(2026-11-24 05:00 UTC),
    };
    let table = builder.build().unwrap();
    let fact = |name: &str| if name == "protected" { protected } else { Fact::False };
    let answer = table.resolve(fact);
    let decided = answer.items.first().unwrap();
    (answer.visible, decided.effect, decided.rule.clone())
}

fn shipped() -> Rules {
    load(&RULES, &catalogue()).unwrap()
}

#[test]
fn the_26_items_of_the_law_of_2023_are_there_in_order() {
    let catalogue = catalogue();
    let numbers: Vec<u32> = catalogue.items().iter().map(|item| item.number).collect();
    assert_eq!(numbers, (1..=26).collect::<Vec<_>>());
    assert_eq!(catalogue.items_basis(), "law-26-2023-art-9");
}

/// An identifier on the wire names a person, so what numbers a file is a text.
#[test]
fn identifiers_are_the_numbers_of_persons_only() {
    let catalogue = catalogue();
    let of = |kind| catalogue.items().iter().filter(move |item| item.kind == kind);
    let ids: Vec<_> = of(ItemType::Identifier).map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["personal_id_number", "old_id_number_9"]);
    assert!(of(ItemType::Text).any(|item| item.id == "residence_file_number"));
}

#[test]
fn procedures_that_are_ours_have_their_names() {
    let catalogue = catalogue();
    for (id, vi, en, purpose) in [
        ("civil-status-correction", "Cải chính hộ tịch", "civil-status correction", "civil-status"),
        (
            "temporary-residence-registration",
            "Đăng ký tạm trú",
            "temporary residence registration",
            "residence",
        ),
    ] {
        let found = catalogue.procedure(id).unwrap();
        assert_eq!((&*found.vi, &*found.en, &*found.purpose), (vi, en, purpose));
    }
}

/// Points count 15, items 16: point o names two.
#[test]
fn the_15_points_of_the_law_of_2014_are_there_in_order() {
    let catalogue = catalogue_of(LegalProfile::Law2014);
    let items = catalogue.items();
    assert_eq!(
        items.iter().map(|i| (i.law_2014.as_str(), i.id.as_str())).collect::<Vec<_>>(),
        [
            ("a", "birth_full_name"),
            ("b", "date_of_birth"),
            ("c", "sex"),
            ("d", "birth_registration_place"),
            ("đ", "native_place"),
            ("e", "ethnic_group"),
            ("g", "religion"),
            ("h", "nationality"),
            ("i", "marital_status"),
            ("k", "permanent_residence"),
            ("l", "current_residence"),
            ("m", "blood_type"),
            ("n", "family_relations"),
            ("o", "relation_to_household_head"),
            ("o", "household_members"),
            ("p", "death_or_missing_date"),
        ]
    );
    let mut points: Vec<&str> = items.iter().map(|item| item.law_2014.as_str()).collect();
    points.dedup();
    assert_eq!(points.concat(), "abcdđeghiklmnop");
    assert_eq!(points.len(), 15);
    assert_eq!(catalogue.items_basis(), "law-59-2014-art-9-1");
    // What only the law of 2023 lists is known of, and has no place.
    for id in ["personal_id_number", "old_id_number_9", "id_document_validity", "contact_points"] {
        assert!(catalogue.lists_item(id) && catalogue.item(id).is_none(), "{id}");
        assert_eq!(catalogue.place(id), None, "{id}");
    }
    assert_eq!(catalogue.all().len(), 16);
}

/// A law without such items does not make a rule about them a fault; a misspelt name stays one, and
/// what the law does not list is permitted by no rule.
#[test]
fn i2_a_scope_may_name_what_only_the_other_law_lists_and_nothing_else() {
    let catalogue = catalogue_of(LegalProfile::Law2014);
    let rules = load(&RULES, &catalogue).unwrap();
    let contact: Vec<_> = rules.iter().filter(|rule| rule.id.contains("contact")).collect();
    assert_eq!(contact.iter().map(|rule| rule.items.len()).collect::<Vec<_>>(), [0, 0]);
    for profile in LegalProfile::ALL {
        for (scope, loads) in [
            ("resource in ItemGroup::\"contact\"", true),
            ("resource is Item in ItemGroup::\"contact\"", true),
            ("resource == Item::\"contact_points\"", true),
            ("resource in ItemGroup::\"contcat\"", false),
            ("resource is Item in ItemGroup::\"contcat\"", false),
            ("resource == Item::\"contcat_points\"", false),
            ("resource == ItemGroup::\"contact\"", false),
        ] {
            let forbid = format!("forbid (principal, action == Action::\"obtain\", {scope})");
            let files = [RuleFile { clause: CLAUSE, text: &rule("a", &forbid) }];
            let loaded = load(&files, &catalogue_of(profile));
            assert_eq!(loaded.is_ok(), loads, "{profile:?} {scope}");
        }
    }
}

#[test]
fn i3_only_what_is_granted_and_permitted_is_allowed() {
    let rules = shipped();
    let (visible, allowed, _) = effect(&rules, "birth_full_name", true, Fact::False);
    assert!(visible && allowed == ItemEffect::Allowed);
    let (_, withheld, rule) = effect(&rules, "birth_full_name", false, Fact::False);
    assert_eq!((withheld, rule.as_str()), (ItemEffect::Withheld, "agreement-scope"));
    let (_, withheld, rule) = effect(&rules, "religion", true, Fact::False);
    assert_eq!((withheld, rule.as_str()), (ItemEffect::Withheld, "religion-by-consent"));
    let (_, unknown, _) = effect(&rules, "shoe_size", true, Fact::False);
    assert_eq!(unknown, ItemEffect::UnknownItem);
}

#[test]
fn i7_a_protected_person_is_hidden_and_so_is_one_who_may_be() {
    for fact in [Fact::True, Fact::Unknown] {
        assert!(!effect(&shipped(), "birth_full_name", true, fact).0);
    }
}

#[test]
fn i2_an_empty_rule_set_denies_everything() {
    let rules = made_up("").unwrap();
    let (visible, withheld, _) = effect(&rules, "birth_full_name", true, Fact::False);
    assert!(!visible && withheld == ItemEffect::Withheld);
}

/// Cedar skips a rule that fails, so a failing forbid would let everything through.
#[test]
fn i2_a_rule_that_fails_to_evaluate_denies_everything() {
    let failing = "forbid (principal, action == Action::\"obtain\", resource) \
                   when { 9223372036854775807 + 1 > 0 }";
    let failing = rule("failing", failing);
    let mut files = RULES.to_vec();
    files.push(RuleFile { clause: CLAUSE, text: &failing });
    let rules = load(&files, &catalogue()).unwrap();
    assert!(rules.satisfied(&ask(), &[]).is_none());
    let (visible, withheld, rule) = effect(&rules, "birth_full_name", true, Fact::False);
    assert!(!visible);
    assert_eq!((withheld, rule.as_str()), (ItemEffect::Withheld, "evaluation-error"));
}

#[test]
fn i2_rules_that_masks_cannot_carry_are_refused() {
    let permit = "permit (principal, action, resource)";
    let when = |condition: &str| {
        format!("permit (principal, action == Action::\"obtain\", resource) when {{ {condition} }}")
    };
    assert!(made_up(&rule("a", permit)).is_ok());
    for (why, text) in [
        ("same id", rule("a", permit).repeat(2)),
        ("condition on the resource", rule("a", &when("resource in ItemGroup::\"residence\""))),
        ("not of the schema", rule("a", &when("context.shoe_size"))),
    ] {
        assert!(made_up(&text).is_err(), "{why}");
    }
}

/// A rule says who it is, on which ground, when it holds and what it obliges to, each as it must be said and nothing else.
#[test]
fn i2_a_rule_has_all_its_annotations() {
    let whole = rule("a", "permit (principal, action, resource)");
    for (from, to) in [
        ("@id(\"a\")", ""),
        ("@basis(\"1911-2021-art-1-2\")", ""),
        ("@validity(\"2021-11-15/..\")", ""),
        ("@obligation(\"none\")", ""),
        ("@vi(\"a\")", ""),
        ("@en(\"a\")", "@en(\"\")"),
        ("@en(\"a\")", "@en(\"a\") @valdity(\"2021-11-15/..\")"),
        // Not the clause that its file carries out, and one that nobody knows.
        ("1911-2021-art-1-2", "1911-2021-art-2-1"),
        ("1911-2021-art-1-2", "1911-2021-art-9-9"),
        ("2021-11-15/..", "2021-11-15"),
        ("2021-11-15/..", "../2021-11-15"),
        ("2021-11-15/..", "2021-11-15/2021-11-15"),
        ("\"none\"", "\"tell-the-citizen\""),
        ("\"none\"", "\"none, max-age=60\""),
    ] {
        let text = whole.replace(from, to);
        assert_ne!(text, whole);
        assert!(made_up(&text).is_err(), "{from} {to}");
    }
    let obliges = whole.replace("\"none\"", "\"max-age=60, no-onward-transfer\"");
    let rules = made_up(&obliges).unwrap();
    let known: Vec<_> = rules.iter().flat_map(|rule| rule.obligations.clone()).collect();
    assert_eq!(known, [Obligation::MaxAge(60), Obligation::NoOnwardTransfer]);
    assert!(made_up(&obliges.replace("permit", "forbid")).is_err(), "nobody is given anything");
}

/// What a rule obliges to can be kept, of each item that it is about, by somebody who is given it.
#[test]
fn i2_a_rule_obliges_to_what_can_be_kept() {
    let permit = |action: &str, scope: &str| {
        format!("permit (principal, action == Action::\"{action}\", {scope})")
    };
    let (obtain, homes) = ("obtain", "resource in ItemGroup::\"residence\"");
    let number = "resource == Item::\"personal_id_number\"";
    for (action, scope, obligation, loads) in [
        (obtain, number, "mask=last-four, max-age=60", true),
        (obtain, number, "mask=province", false),
        (obtain, number, "mask=last-four, mask=province", false),
        (obtain, number, "mask=last-four, mask=last-four", true),
        (obtain, "resource", "mask=last-four", false),
        (obtain, "resource", "max-age=60", true),
        // Among places there is a number of a file.
        (obtain, homes, "mask=province", false),
        (obtain, "resource == Item::\"permanent_residence\"", "mask=province", true),
        ("contribute", "resource", "max-age=60", false),
        ("learn_existence", "resource is Register", "max-age=60", false),
        (obtain, "resource", "valid-until=0", false),
    ] {
        let text = rule("a", &permit(action, scope));
        let text = text.replace("@obligation(\"none\")", &format!("@obligation(\"{obligation}\")"));
        assert_eq!(made_up(&text).is_ok(), loads, "{action} {scope} {obligation}");
    }
}

/// Every file of rules is loaded.
#[test]
fn every_file_of_rules_is_there() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/rules");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    let clauses = names.iter().filter_map(|name| name.strip_suffix(".cedar"));
    let clauses: BTreeSet<&str> = clauses.collect();
    assert_eq!(clauses, RULES.iter().map(|file| file.clause).collect());
}

/// What masks say of one item, or of a person's existence, under the rules that are satisfied.
fn by_masks(satisfied: &[&Rule], about: impl Fn(&Rule) -> bool) -> bool {
    let hit: Vec<_> = satisfied.iter().filter(|rule| about(rule)).collect();
    !hit.is_empty() && hit.iter().all(|rule| !rule.forbids)
}

/// What plain Cedar says of one action on one resource.
fn by_cedar(rules: &Rules, ask: &Question<'_>, bits: u32, action: &str, resource: &str) -> bool {
    let bit = |n: u32| bits >> n & 1 == 1;
    let context = serde_json::json!({
        "procedure": ask.procedure, "purpose": ask.purpose, "basis": ask.basis,
        "consent": bit(0), "direction": ask.direction,
        "subject": { "deceased": bit(1), "minor": bit(2), "protected": bit(3) },
    });
    let uid = |text: String| text.parse::<EntityUid>().unwrap();
    let request = Request::new(
        uid(format!("Database::\"{}\"", ask.database)),
        uid(format!("Action::\"{action}\"")),
        uid(resource.to_owned()),
        Context::from_json_value(context, None).unwrap(),
        None,
    )
    .unwrap();
    let plain: &PolicySet = &rules.plain;
    let answer = Authorizer::new().is_authorized(&request, plain, &rules.entities);
    assert_eq!(answer.diagnostics().errors().count(), 0);
    answer.decision() == Decision::Allow
}

/// One evaluation with masks gives what Cedar says of each item, and of existence, by itself: for both
/// acts, every ground and purpose that rules name, and every combination of facts.
#[test]
fn masks_agree_with_cedar_item_by_item() {
    for (profile, items) in [(LegalProfile::Law2014, 16), (LegalProfile::Law2023, 26)] {
        let catalogue = catalogue_of(profile);
        assert_eq!(catalogue.items().len(), items);
        check_masks(&catalogue);
    }
}

fn check_masks(catalogue: &Catalogue) {
    let rules = load(&RULES, catalogue).unwrap();
    let (mut compared, mut allowed) = (0_usize, 0_usize);
    let mut same = |masks: bool, cedar: bool, what: &str| {
        assert_eq!(masks, cedar, "{what}");
        compared += 1;
        allowed += usize::from(cedar);
    };
    for act in [Act::Obtain, Act::Contribute] {
        let more = ["circular-46-2022-art-12", "decree-137-2015-art-8-3"];
        for basis in
            ["1911-2021-art-2-1", "1911-2021-art-2-2", "1911-2021-art-2-4"].into_iter().chain(more)
        {
            for purpose in ["social-insurance", "investigation", "self-access"] {
                for bits in 0..32_u32 {
                    let direction = bits & 16 != 0;
                    let ask = Question { act, basis, purpose, direction, ..ask() };
                    let holding: Vec<&str> = FACTS
                        .into_iter()
                        .zip(0..)
                        .filter(|(_, n)| bits >> n & 1 == 1)
                        .map(|(fact, _)| fact)
                        .collect();
                    let satisfied = rules.satisfied(&ask, &holding).unwrap();
                    let what = format!("{act:?} {basis} {purpose} {bits:05b}");
                    for item in catalogue.items() {
                        let place = catalogue.place(&item.id);
                        let masks = by_masks(&satisfied, |r| r.about(act) && r.items.has(place));
                        let resource = format!("Item::\"{}\"", item.id);
                        same(masks, by_cedar(&rules, &ask, bits, act.name(), &resource), &what);
                    }
                    let masks = by_masks(&satisfied, |rule| rule.existence);
                    let register = "Register::\"population\"";
                    let cedar = by_cedar(&rules, &ask, bits, "learn_existence", register);
                    same(masks, cedar, &what);
                }
            }
        }
    }
    assert_eq!(compared, 2 * 5 * 3 * 32 * (catalogue.items().len() + 1));
    assert!(allowed > 0 && allowed < compared, "{allowed} of {compared}");
}
