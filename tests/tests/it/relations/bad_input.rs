//! Every faulty field is named at once.

use contract::identity::v1::{GetHouseholdRequest, ListRelationsRequest, RotateTokensRequest};
use lienthong::client::Refused;
use store::Engine;
use tests::{World, on_both_engines};

use super::NAME;
use crate::why;

on_both_engines!(every_faulty_field_of_relations_households_and_rotations_is_named);

fn fields(refused: Option<Refused>) -> Vec<String> {
    let refused = refused.expect("a refusal");
    assert_eq!(why(&refused), ("InvalidArgument", "INVALID_REQUEST"));
    let mut fields: Vec<String> = refused.fields.into_iter().map(|(field, _)| field).collect();
    fields.sort_unstable();
    fields
}

async fn every_faulty_field_of_relations_households_and_rotations_is_named(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let before = world.records().await;
    let items = vec![NAME.to_owned(), "sex".into(), NAME.to_owned(), "*".into()];
    let request = ListRelationsRequest { items: items.clone(), ..ListRelationsRequest::default() };
    assert_eq!(
        fields(client.list_relations(&request).await.unwrap().err()),
        ["basis", "direction", "items[1]", "items[2]", "items[3]", "request_id", "subject"]
    );
    let request = GetHouseholdRequest { items, ..GetHouseholdRequest::default() };
    assert_eq!(
        fields(client.get_household(&request).await.unwrap().err()),
        ["basis", "items[1]", "items[2]", "items[3]", "request_id", "subject"]
    );
    let request =
        RotateTokensRequest { idempotency_key: "k".repeat(65), ..RotateTokensRequest::default() };
    assert_eq!(
        fields(client.rotate_tokens(&request).await.unwrap().err()),
        ["basis", "idempotency_key", "request_id"]
    );
    // Before anybody is looked for.
    assert_eq!(world.records().await, before);
    world.stop().await;
}
