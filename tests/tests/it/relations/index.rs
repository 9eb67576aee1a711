//! Who names whom is kept with the fold (I5), and given to whoever has none.

use contract::{
    identity::v1::{ListRelationsRequest, RelationDirection as Direction},
    r#type::v1::item_value,
};
use model::Value;
use store::Engine;
use tests::{
    behind_its_back,
    events::{code, correction, date},
    on_both_engines,
    whole::{LOADED_US, Prepared},
};

use super::{BOTH_WAYS, Kin, MOTHER, related, told, untold, world_of};

on_both_engines!(
    i5_a_number_that_is_replaced_still_leads_to_who_is_named,
    whoever_has_no_keys_of_relations_is_given_some,
    i2_who_is_allowed_nothing_is_told_so_also_while_keys_are_given,
);

/// The mother's sex is corrected, so that she gets another number; her child's record names the one before.
async fn i5_a_number_that_is_replaced_still_leads_to_who_is_named(engine: Engine) {
    let prepared = Prepared::new(engine).await;
    let child = Kin::of(2, "Trần Giả Định Con Cả").child_of(&MOTHER);
    let register = identity::Service::register(&prepared.settings.identity).await.unwrap();
    let number = Value::Identifier(MOTHER.identifier());
    let mother = MOTHER.with("personal_id_number", number);
    register.load(vec![mother.newcomer(), child.newcomer()], "added", LOADED_US).await.unwrap();
    register.close().await;
    let whole = prepared.start().await;
    let client = whole.client("civil-status");
    let ask = |kin: &Kin, direction| ListRelationsRequest {
        basis: Some(crate::authority::obtaining()),
        ..related(kin, direction, "")
    };
    let before = told(&client, &ask(&MOTHER, Direction::Inverse)).await;
    assert_eq!(before.parts.len(), 1);
    let who = tests::events::about(MOTHER.number().as_str(), MOTHER.name, (1990, 5, 6));
    let value = item_value::Value::Coded(code("sex", "1", "2").unwrap());
    let request = correction("CC-1", who, "sex", value, date(2026, 5, 4));
    let receipt = client.submit_contribution(&request).await.unwrap();
    let receipt = receipt.unwrap_or_else(|refused| panic!("{refused}")).answer;
    assert!(!receipt.personal_number.is_empty());
    let renewed = ListRelationsRequest {
        subject: tests::people::by_number(&receipt.personal_number),
        min_version: receipt.version,
        ..ask(&MOTHER, Direction::Inverse)
    };
    let after = told(&client, &renewed).await;
    assert_eq!(after.parts[0].answer.token, before.parts[0].answer.token);
    let old = told(&client, &ask(&MOTHER, Direction::Inverse)).await;
    assert!(old.page.answer.number_replaced && old.parts.len() == 1);
    let forward = told(&client, &ask(&child, Direction::Forward)).await;
    assert!(!forward.parts[0].answer.token.is_empty());
    assert!(whole.persons().await > 0);
    whole.all.stop().await;
}

/// As after this service has come to a register of before, and beside a process of before.
async fn whoever_has_no_keys_of_relations_is_given_some(engine: Engine) {
    let child = Kin::of(2, "Trần Giả Định Con Cả").child_of(&MOTHER);
    let mut world = world_of(engine, &[MOTHER, child]).await;
    for changes in [
        // Keys of the form before there were any of relations.
        &[
            "DELETE FROM relation_key",
            "UPDATE search_key SET form = 1",
            "UPDATE search SET form = 1",
        ][..],
        &[
            "DELETE FROM relation_key",
            "UPDATE search SET form = -2, version = 0",
            "UPDATE search_key SET version = 0",
        ],
    ] {
        world.stop_identity().await;
        behind_its_back(world.register_database(), identity::migrations(), changes).await;
        world.start_identity().await;
        let client = world.client("insurance");
        // Until everybody has keys nobody is said to have no relations.
        loop {
            let request = related(&MOTHER, Direction::Inverse, BOTH_WAYS);
            match client.list_relations(&request).await.unwrap() {
                Ok(found) => {
                    assert_eq!(found.parts.len(), 1);
                    break;
                }
                Err(refused) => assert_eq!(refused.reason, "REGISTER_UNAVAILABLE"),
            }
            tokio::task::yield_now().await;
        }
    }
    world.stop().await;
}

/// The table is asked before the register, and what it refuses is recorded (I1).
async fn i2_who_is_allowed_nothing_is_told_so_also_while_keys_are_given(engine: Engine) {
    let mut world = world_of(engine, &[MOTHER]).await;
    world.stop_identity().await;
    // A newer process gives others; this one waits.
    let newer = &["UPDATE search SET form = -99, version = 0"];
    behind_its_back(world.register_database(), identity::migrations(), newer).await;
    world.start_identity().await;
    let client = world.client("insurance");
    let forward = |procedure| related(&MOTHER, Direction::Forward, procedure);
    for (procedure, reason, records) in
        [(BOTH_WAYS, "REGISTER_UNAVAILABLE", 0), ("burial-allowance", "NOTHING_ALLOWED", 1)]
    {
        let before = world.records().await;
        assert_eq!(untold(&client, &forward(procedure)).await.reason, reason);
        assert_eq!(world.records().await, before + records);
    }
    world.stop().await;
}
