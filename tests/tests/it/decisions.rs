//! Decisions are explained in Vietnamese and in English, and everybody can read what it may ever ask for (Decision 1911/QD-TTg, Art.
//! 1(2), 2(1)), through the gRPC interface.

use contract::policy::v1::{
    AssumedFact, DecidedEffect, DecisionAct, ExplainDecisionAnswer, ExplainDecisionRequest,
    ExplainedItem, Permission, WhatMayIAnswer, WhatMayIRequest,
};
use contract::r#type::v1::ErrorReason;
use lienthong::client::{Answered, Client};
use store::Engine;
use tests::{World, on_both_engines, world::TRUST_DOMAIN};

use super::why;

on_both_engines!(
    a_decision_says_which_rules_decide_each_item_and_what_would_change_it,
    every_ground_is_looked_at_and_the_first_that_fails_is_the_denial,
    what_is_explained_is_what_is_decided,
    i2_a_connection_may_ask_for_what_its_agreements_grant_and_the_rules_give,
    permissions_are_listed_page_by_page,
    i7_an_agency_learns_of_no_connection_but_its_own,
    i1_every_call_is_recorded_a_refused_one_as_well,
    faulty_questions_are_refused_whole,
);

const PROCEDURE: &str = "child-health-insurance-card";

fn asked(items: &[&str]) -> ExplainDecisionRequest {
    ExplainDecisionRequest {
        act: DecisionAct::Obtain.into(),
        procedure: PROCEDURE.to_owned(),
        legal_basis: "1911-2021-art-2-1".to_owned(),
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        ..ExplainDecisionRequest::default()
    }
}

fn assume(request: ExplainDecisionRequest, facts: &[(&str, bool)]) -> ExplainDecisionRequest {
    let fact =
        |(fact, holds): &(&str, bool)| AssumedFact { fact: (*fact).to_owned(), holds: *holds };
    ExplainDecisionRequest { facts: facts.iter().map(fact).collect(), ..request }
}

async fn explained(client: &Client, request: &ExplainDecisionRequest) -> ExplainDecisionAnswer {
    client.explain_decision(request).await.unwrap().unwrap().answer
}

async fn may(client: &Client, request: &WhatMayIRequest) -> WhatMayIAnswer {
    client.what_may_i(request).await.unwrap().unwrap().answer
}

fn officer(world: &World, id: &str) -> Client {
    world.policy_client(&world.issue(id, &format!("spiffe://{TRUST_DOMAIN}/operator/{id}")))
}

/// An agency at the policy service.
fn agency(world: &World, caller: &str) -> Client {
    world.policy_client(&world.files(caller))
}

fn rules(item: &ExplainedItem) -> Vec<&str> {
    item.rules.iter().map(|rule| rule.rule.as_str()).collect()
}

fn changes(item: &ExplainedItem) -> Vec<(&str, bool, DecidedEffect, &str)> {
    item.changes
        .iter()
        .map(|c| (c.condition.as_str(), c.holds, c.effect(), c.rule.as_str()))
        .collect()
}

async fn a_decision_says_which_rules_decide_each_item_and_what_would_change_it(engine: Engine) {
    let world = World::new(engine).await;
    let client = agency(&world, "insurance");
    let items = ["birth_full_name", "contact_points", "religion", "shoe_size"];
    let open = assume(asked(&items), &[("protected", false)]);
    let answer = explained(&client, &open).await;
    assert_eq!(answer.connection, "conn-insurance");
    assert!(answer.visible && answer.denial() == ErrorReason::Unspecified);
    assert!(
        answer
            .checks
            .iter()
            .all(|check| check.passed && !check.vi.is_empty() && !check.en.is_empty())
    );
    let [name, contact, religion, shoe] = &answer.items[..] else { panic!("four items") };

    assert_eq!(name.effect(), DecidedEffect::Allowed);
    assert_eq!(rules(name), ["shared-for-assigned-tasks"]);
    let rule = &name.rules[0];
    assert!(
        !rule.withholds
            && rule.vi.contains("chức năng, nhiệm vụ")
            && rule.en.contains("assigned functions")
    );
    assert_eq!(rule.article, "Decision 1911/QD-TTg, Art. 2(1)");
    assert_eq!((name.vi.as_str(), name.en.is_empty()), ("Họ, chữ đệm và tên khai sinh", false));
    // Were the person protected it would not be shown; nothing else makes a difference.
    let hidden = ("protected", true, DecidedEffect::Withheld, "protected-person-hidden");
    assert_eq!(changes(name), [hidden]);

    assert_eq!(
        (contact.effect(), rules(contact)),
        (DecidedEffect::Withheld, vec!["contact-by-consent"])
    );
    assert!(contact.rules[0].withholds && contact.rules[0].en.contains("consent"));
    let consented = ("consent", true, DecidedEffect::Allowed, "shared-for-assigned-tasks");
    assert_eq!(changes(contact), [consented, hidden]);
    assert_eq!(
        (religion.effect(), rules(religion)),
        (DecidedEffect::Withheld, vec!["agreement-scope"])
    );
    assert_eq!(changes(religion), []);
    assert_eq!((shoe.effect(), rules(shoe)), (DecidedEffect::UnknownItem, vec!["item-catalogue"]));
    assert_eq!(shoe.rules[0].article, "Law 26/2023/QH15, Art. 9");
    assert!(
        answer
            .items
            .iter()
            .flat_map(|item| &item.rules)
            .all(|rule| !rule.vi.is_empty() && !rule.en.is_empty())
    );

    // Of nobody known both ways count: whoever may be protected is not shown, and knowing more would change it.
    let unknown = explained(&client, &asked(&items)).await;
    assert!(!unknown.visible);
    let name = &unknown.items[0];
    assert_eq!(
        (name.effect(), rules(name)),
        (DecidedEffect::Withheld, vec!["protected-person-hidden"])
    );
    let shown = ("protected", false, DecidedEffect::Allowed, "shared-for-assigned-tasks");
    assert_eq!(changes(name), [shown]);
    // For an investigation every forbid about it is told, the one that is named first.
    let police = agency(&world, "police");
    let protected = ExplainDecisionRequest {
        procedure: "investigation-identification".to_owned(),
        ..assume(asked(&["household_members"]), &[("protected", true)])
    };
    let answer = explained(&police, &protected).await;
    assert!(answer.visible);
    assert_eq!(rules(&answer.items[0]), ["protected-person-residence"]);
    let directed = ("direction", true, DecidedEffect::Allowed, "shared-for-assigned-tasks");
    let open = ("protected", false, DecidedEffect::Allowed, "shared-for-assigned-tasks");
    assert_eq!(changes(&answer.items[0]), [directed, open]);
    world.stop().await;
}

async fn every_ground_is_looked_at_and_the_first_that_fails_is_the_denial(engine: Engine) {
    let world = World::new(engine).await;
    let auditor = officer(&world, "auditor");
    let request = ExplainDecisionRequest {
        connection: "conn-suspended".to_owned(),
        procedure: "mind-reading".to_owned(),
        legal_basis: "law-59-2014-art-9-1".to_owned(),
        ..asked(&["sex"])
    };
    let answer = explained(&auditor, &request).await;
    assert_eq!(answer.denial(), ErrorReason::ConnectionNotActive);
    let checks: Vec<_> =
        answer.checks.iter().map(|check| (check.check.as_str(), check.rule.as_str())).collect();
    assert_eq!(
        checks,
        [
            ("legal-profile", ""),
            ("connection", "connection-suspended"),
            ("legal-basis", "basis-not-in-force"),
            ("procedure", "procedure-unknown"),
            ("agreement", "no-agreement"),
        ]
    );
    assert!(answer.checks.iter().all(|check| check.passed == check.rule.is_empty()));
    assert!(answer.checks.iter().all(|check| !check.vi.is_empty() && !check.en.is_empty()));
    assert_eq!(answer.checks[2].article, "Law 59/2014/QH13, Art. 9(1)");
    assert!(answer.items.is_empty() && !answer.visible);
    // What the rules allow to nobody is denied by them, and each item still says why.
    let insurance = agency(&world, "insurance");
    let of_direction =
        ExplainDecisionRequest { items: vec!["contact_points".to_owned()], ..asked(&[]) };
    let answer = explained(&insurance, &of_direction).await;
    assert_eq!(answer.denial(), ErrorReason::NothingAllowed);
    let last = answer.checks.last().unwrap();
    assert_eq!((last.check.as_str(), last.rule.as_str()), ("rules", "contact-by-consent"));
    assert_eq!(answer.items.len(), 1);
    // Nothing named is everything that the law lists.
    assert_eq!(explained(&insurance, &asked(&[])).await.items.len(), 26);
    world.stop().await;
}

/// A lookup has what was explained of a person who is not protected.
async fn what_is_explained_is_what_is_decided(engine: Engine) {
    let world = World::new(engine).await;
    let client = agency(&world, "insurance");
    let person = world.plain().clone();
    let items = ["birth_full_name", "date_of_birth", "contact_points", "religion"];
    let facts = [("protected", false), ("deceased", false), ("minor", false)];
    let explained = explained(&client, &assume(asked(&items), &facts)).await;
    let told =
        super::answered(&world.client("insurance"), &tests::ask(&person, &items)).await.answer;
    for (item, told) in explained.items.iter().zip(&told.items) {
        use contract::r#type::v1::item_outcome::Outcome;
        assert_eq!(item.item, told.item);
        match (&told.outcome, item.effect()) {
            (Some(Outcome::Withheld(withheld)), DecidedEffect::Withheld) => {
                assert_eq!(withheld.rule, item.rules[0].rule);
                assert_eq!(withheld.article, item.rules[0].article);
            }
            (Some(Outcome::Value(_) | Outcome::NotHeld(_)), DecidedEffect::Allowed) => {}
            (told, effect) => panic!("{}: {told:?} {effect:?}", item.item),
        }
    }
    assert_eq!(explained.policy_revision, told.policy_revision);
    world.stop().await;
}

fn permission<'a>(answer: &'a WhatMayIAnswer, act: DecisionAct, procedure: &str) -> &'a Permission {
    let mut all = answer.permissions.iter();
    all.find(|one| one.act() == act && one.procedure == procedure).unwrap()
}

async fn i2_a_connection_may_ask_for_what_its_agreements_grant_and_the_rules_give(engine: Engine) {
    let mut world = World::new(engine).await;
    let client = agency(&world, "insurance");
    let answer = may(&client, &WhatMayIRequest::default()).await;
    assert_eq!(
        (answer.connection.as_str(), answer.database.as_str()),
        ("conn-insurance", "social-insurance")
    );
    assert!(answer.checks.iter().all(|check| check.passed));
    let obtain = permission(&answer, DecisionAct::Obtain, PROCEDURE);
    assert!(!obtain.procedure_vi.is_empty() && obtain.denial.is_none());
    assert_eq!(obtain.article, "Decision 1911/QD-TTg, Art. 2(1)");
    let of = |id: &str| obtain.items.iter().find(|item| item.item == id).unwrap();
    let name = of("birth_full_name");
    let [way] = &name.ways[..] else { panic!("one way: {name:?}") };
    assert!(!way.consent && !way.direction && name.withheld.is_none());
    let [class] = &way.subjects[..] else { panic!("one class: {way:?}") };
    assert_eq!(class.facts, [AssumedFact { fact: "protected".to_owned(), holds: false }]);
    let contact = of("contact_points");
    let [way] = &contact.ways[..] else { panic!("one way: {contact:?}") };
    assert!(way.consent && !way.direction);
    assert_eq!(contact.withheld.as_ref().unwrap().rule, "contact-by-consent");
    // An officer sees the same of any connection.
    let request =
        WhatMayIRequest { connection: "conn-insurance".to_owned(), ..WhatMayIRequest::default() };
    assert_eq!(may(&officer(&world, "auditor"), &request).await.permissions, answer.permissions);
    // Each explained by itself is allowed exactly as it says.
    for item in &obtain.items {
        for (consent, direction) in [(false, false), (true, false), (false, true), (true, true)] {
            for protected in [false, true] {
                let request = assume(asked(&[&item.item]), &[("protected", protected)]);
                let request = ExplainDecisionRequest { consent, direction, ..request };
                let decided = explained(&client, &request).await.items[0].effect();
                let holds =
                    |fact: &AssumedFact| fact.fact == "protected" && fact.holds == protected;
                let gives = |way: &contract::policy::v1::PermittedWay| {
                    (consent || !way.consent)
                        && (direction || !way.direction)
                        && way.subjects.iter().any(|class| class.facts.iter().all(holds))
                };
                let expected = item.ways.iter().any(gives);
                assert_eq!(
                    decided == DecidedEffect::Allowed,
                    expected,
                    "{} {consent} {direction} {protected}",
                    item.item
                );
            }
        }
    }
    // While the connection is closed nothing of it is given.
    let active = "database = \"social-insurance\"\nstate = \"ACTIVE\"";
    world.change_registry(active, &active.replace("ACTIVE", "SUSPENDED")).await;
    let closed = may(&agency(&world, "insurance"), &WhatMayIRequest::default()).await;
    assert_eq!(closed.checks[1].rule, "connection-suspended");
    assert_eq!(closed.permissions, answer.permissions);
    world.stop().await;
}

async fn permissions_are_listed_page_by_page(engine: Engine) {
    let world = World::new(engine).await;
    let client = agency(&world, "insurance");
    let all = may(&client, &WhatMayIRequest::default()).await;
    assert!(all.permissions.len() > 1 && all.next_page_token.is_empty());
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = WhatMayIRequest { page_size: 1, page_token, ..WhatMayIRequest::default() };
        let page = may(&client, &request).await;
        assert!(page.permissions.len() <= 1);
        found.extend(page.permissions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, all.permissions);
    world.stop().await;
}

async fn i7_an_agency_learns_of_no_connection_but_its_own(engine: Engine) {
    let world = World::new(engine).await;
    let client = agency(&world, "insurance");
    let own = ExplainDecisionRequest { connection: "conn-insurance".to_owned(), ..asked(&["sex"]) };
    assert_eq!(explained(&client, &own).await.connection, "conn-insurance");
    for other in ["conn-police", "of-nobody"] {
        let connection = other.to_owned();
        let request = ExplainDecisionRequest { connection: connection.clone(), ..asked(&["sex"]) };
        let refused = client.explain_decision(&request).await.unwrap().err().unwrap();
        assert_eq!(why(&refused), ("NotFound", "UNKNOWN_CONNECTION"), "{other}");
        let request = WhatMayIRequest { connection, ..WhatMayIRequest::default() };
        let refused = client.what_may_i(&request).await.unwrap().err().unwrap();
        assert_eq!(why(&refused), ("NotFound", "UNKNOWN_CONNECTION"), "{other}");
        assert!(!format!("{refused:?}").contains(other));
    }
    // Officers are known by their file, whatever they ask about.
    for (id, reason) in [("auditor", "UNKNOWN_CONNECTION"), ("stranger", "OFFICER_NOT_AUTHORISED")]
    {
        let request =
            WhatMayIRequest { connection: "of-nobody".to_owned(), ..WhatMayIRequest::default() };
        let refused = officer(&world, id).what_may_i(&request).await.unwrap().err().unwrap();
        assert_eq!(refused.reason, reason);
    }
    world.stop().await;
}

async fn i1_every_call_is_recorded_a_refused_one_as_well(engine: Engine) {
    let mut world = World::new(engine).await;
    let client = agency(&world, "insurance");
    let first: Answered<_> = client.explain_decision(&asked(&["sex"])).await.unwrap().unwrap();
    let second = client.what_may_i(&WhatMayIRequest::default()).await.unwrap().unwrap();
    assert!(first.verify(&world.log).is_ok() && second.verify(&world.log).is_ok());
    assert!(second.receipt.index > first.receipt.index);
    let faulty = client.explain_decision(&ExplainDecisionRequest::default()).await.unwrap();
    assert_eq!(why(&faulty.err().unwrap()), ("InvalidArgument", "INVALID_REQUEST"));
    let third = client.what_may_i(&WhatMayIRequest::default()).await.unwrap().unwrap();
    assert_eq!(third.receipt.index, second.receipt.index + 2);
    // What is not recorded is not answered.
    world.stop_audit().await;
    let refused = client.explain_decision(&asked(&["sex"])).await.unwrap().err().unwrap();
    assert_eq!(refused.reason, "AUDIT_UNAVAILABLE");
    world.start_audit().await;
    world.stop().await;
}

async fn faulty_questions_are_refused_whole(engine: Engine) {
    let world = World::new(engine).await;
    let client = agency(&world, "insurance");
    let bad = ExplainDecisionRequest {
        items: vec!["sex".to_owned(), "sex".to_owned(), "*".to_owned()],
        event: "birth".to_owned(),
        legal_basis: String::new(),
        procedure: "x".repeat(65),
        facts: [("minor", true), ("minor", false), ("tall", true)]
            .map(|(fact, holds)| AssumedFact { fact: fact.to_owned(), holds })
            .to_vec(),
        ..asked(&[])
    };
    let refused = client.explain_decision(&bad).await.unwrap().err().unwrap();
    assert_eq!(why(&refused), ("InvalidArgument", "INVALID_REQUEST"));
    let fields: Vec<&str> = refused.fields.iter().map(|(field, _)| field.as_str()).collect();
    for field in [
        "procedure",
        "legal_basis",
        "items[1]",
        "items[2]",
        "event",
        "facts[1].fact",
        "facts[2].fact",
    ] {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
    assert_eq!(fields.len(), 7, "{fields:?}");
    for request in [
        WhatMayIRequest { page_size: 101, ..WhatMayIRequest::default() },
        WhatMayIRequest { page_token: "a1.61".to_owned(), ..WhatMayIRequest::default() },
    ] {
        let refused = client.what_may_i(&request).await.unwrap().err().unwrap();
        assert_eq!(refused.reason, "INVALID_REQUEST");
    }
    // An officer has to say whose connection.
    let refused =
        officer(&world, "auditor").explain_decision(&asked(&["sex"])).await.unwrap().err().unwrap();
    assert_eq!(refused.fields.len(), 1);
    world.stop().await;
}
