//! The guessing budget: durable, per connection, refilled by the next window and by nothing else.

use contract::identity::v1::{GetPersonRequest, LookupOutcome};
use lienthong::client::Client;
use store::Engine;
use tests::{Options, World, ask, on_both_engines, people};

use crate::{answered, refused, why};

const MISSES_MAX: u32 = 3;

async fn world(engine: Engine) -> World {
    World::with(engine, Options { misses_max: MISSES_MAX, ..Options::default() }).await
}

/// A lookup that matches nobody.
fn guess(world: &World) -> GetPersonRequest {
    let subject = people::by_number("999300999999");
    GetPersonRequest { subject, ..ask(world.plain(), &["sex"]) }
}

async fn spend(world: &World, client: &Client) {
    for _ in 0..MISSES_MAX {
        let answer = answered(client, &guess(world)).await.answer;
        assert_eq!(answer.outcome(), LookupOutcome::NoMatch);
    }
}

/// Also a lookup that would have matched is refused; the refusal is recorded and says when to come back.
async fn is_spent(world: &World, client: &Client, seconds_left: u64) {
    for request in [ask(world.plain(), &["sex"]), guess(world)] {
        let before = world.records().await;
        let refused = refused(client, &request).await;
        assert_eq!(why(&refused), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"));
        let retry = refused.get("retry_after_seconds").unwrap();
        assert_eq!(retry, seconds_left.to_string());
        assert_eq!(refused.get("record_index"), Some(before.to_string().as_str()));
        assert_eq!(world.records().await, before + 1);
    }
}

async fn after_the_last_miss_nothing_is_answered_until_the_next_window(engine: Engine) {
    let world = world(engine).await;
    let client = world.client("insurance");
    // Hits cost nothing.
    for _ in 0..=MISSES_MAX {
        answered(&client, &ask(world.plain(), &["sex"])).await;
    }
    spend(&world, &client).await;
    is_spent(&world, &client, 3_600).await;
    world.hands.step(time::Duration::seconds(3_599));
    is_spent(&world, &client, 1).await;
    world.hands.step(time::Duration::SECOND);
    answered(&client, &ask(world.plain(), &["sex"])).await;
    spend(&world, &client).await;
    is_spent(&world, &client, 3_600).await;
    world.stop().await;
}

async fn a_restart_refills_nothing(engine: Engine) {
    let mut world = world(engine).await;
    spend(&world, &world.client("insurance")).await;
    world.stop_identity().await;
    world.start_identity().await;
    is_spent(&world, &world.client("insurance"), 3_600).await;
    world.stop().await;
}

async fn each_connection_spends_its_own(engine: Engine) {
    let world = world(engine).await;
    let police = world.client("police");
    spend(&world, &world.client("insurance")).await;
    is_spent(&world, &world.client("insurance"), 3_600).await;
    let mut request = ask(world.plain(), &["sex"]);
    request.basis = Some(tests::basis("investigation-identification"));
    answered(&police, &request).await;
    world.stop().await;
}

/// However many guess at the same time, no more of them are answered than the budget has.
async fn guesses_at_the_same_time_do_not_get_past_the_end(engine: Engine) {
    let world = world(engine).await;
    let client = world.client("insurance");
    let request = guess(&world);
    let guesses = (0..60).map(|_| client.get_person(&request));
    let mut answers = 0;
    for guess in futures::future::join_all(guesses).await {
        match guess.unwrap() {
            Ok(_) => answers += 1,
            Err(refused) => {
                assert_eq!(why(&refused), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"));
            }
        }
    }
    assert_eq!(answers, MISSES_MAX);
    assert_eq!(world.records().await, 60);
    world.stop().await;
}

on_both_engines!(
    after_the_last_miss_nothing_is_answered_until_the_next_window,
    a_restart_refills_nothing,
    each_connection_spends_its_own,
    guesses_at_the_same_time_do_not_get_past_the_end,
);
