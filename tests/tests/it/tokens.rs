//! Epochs of tokens: which are issued, which are accepted, and when they end.

use contract::identity::v1::{
    GetPersonAnswer, GetPersonRequest, LookupOutcome, NameLevel, RotateTokensAnswer,
    RotateTokensRequest, SearchPersonsRequest,
};
use lienthong::client::{Answered, Client, Refused};
use store::Engine;
use tests::{World, basis, on_both_engines, people, within};
use time::Duration;

use crate::{
    answered,
    finding::search::{listed, of_name},
    why,
};

on_both_engines!(
    tokens_of_the_epoch_before_are_accepted_for_the_overlap_and_lead_to_the_new_ones,
    tokens_end_at_once_where_that_is_asked,
    i4_one_key_begins_one_epoch,
    i7_a_token_of_an_ended_epoch_is_a_miss_as_any_text,
    i2_whoever_may_not_rotates_nothing,
    epochs_and_tokens_outlive_a_restart,
);

const OVERLAP: Duration = Duration::days(30);

fn rotation(key: &str) -> RotateTokensRequest {
    RotateTokensRequest {
        idempotency_key: key.to_owned(),
        basis: Some(basis("database-upkeep")),
        end_earlier_at_once: false,
        request_id: "rotation-1".to_owned(),
    }
}

async fn rotated(client: &Client, request: &RotateTokensRequest) -> Answered<RotateTokensAnswer> {
    client.rotate_tokens(request).await.unwrap().unwrap_or_else(|refused| panic!("{refused}"))
}

async fn unrotated(client: &Client, request: &RotateTokensRequest) -> Refused {
    match client.rotate_tokens(request).await.unwrap() {
        Ok(_) => panic!("it was answered"),
        Err(refused) => refused,
    }
}

/// The token by which the register names the plain person to the insurance now.
async fn token(world: &World) -> String {
    let person = world.plain();
    let request = SearchPersonsRequest {
        birth_year_from: person.born().year(),
        birth_year_to: person.born().year(),
        page_size: 1,
        ..of_name(person.name(), NameLevel::Exact)
    };
    // Another window, so that no budget of the name ends.
    world.hands.step(Duration::HOUR);
    listed(&world.client("insurance"), &request).await.parts[0].answer.token.clone()
}

fn by(token: &str) -> GetPersonRequest {
    GetPersonRequest {
        subject: people::by_token(token),
        claims: None,
        items: vec!["birth_full_name".to_owned()],
        basis: Some(basis("child-health-insurance-card")),
        request_id: "request-2".to_owned(),
        min_version: 0,
        as_of: None,
    }
}

async fn found(world: &World, token: &str) -> GetPersonAnswer {
    answered(&world.client("insurance"), &by(token)).await.answer
}

/// Whether a token names somebody.
async fn names(world: &World, token: &str) -> bool {
    found(world, token).await.outcome() == LookupOutcome::Match
}

async fn tokens_of_the_epoch_before_are_accepted_for_the_overlap_and_lead_to_the_new_ones(
    engine: Engine,
) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let first = token(&world).await;
    // Nobody else's tokens change.
    let before = world.records().await;
    let answer = rotated(&client, &rotation("r-1")).await;
    answer.verify(&world.log).unwrap();
    assert_eq!(world.records().await, before + 1);
    let RotateTokensAnswer { epoch, begin_time, earlier_until, .. } = answer.answer;
    let (begun, until) = (begin_time.unwrap(), earlier_until.unwrap());
    assert_eq!((epoch, until.seconds - begun.seconds), (1, OVERLAP.whole_seconds()));
    // Also before anything was issued anew.
    let answer = found(&world, &first).await;
    assert_eq!(answer.outcome(), LookupOutcome::Match);
    let second = token(&world).await;
    assert_ne!(second, first);
    assert_eq!(answer.token, second, "the token of before leads to that of now");
    assert_eq!(found(&world, &second).await.token, "");
    let by_number = answered(&client, &people::ask(world.plain(), &["sex"])).await.answer;
    assert_eq!(by_number.token, "");
    // The next epoch, within the overlap of the one before.
    world.hands.step(OVERLAP - Duration::days(1));
    let third = {
        assert_eq!(rotated(&client, &rotation("r-2")).await.answer.epoch, 2);
        token(&world).await
    };
    assert!(names(&world, &first).await && names(&world, &second).await);
    world.hands.step(Duration::days(1));
    assert!(!names(&world, &first).await, "its overlap has ended");
    assert_eq!(found(&world, &second).await.token, third);
    world.hands.step(OVERLAP);
    assert!(!names(&world, &second).await);
    assert!(names(&world, &third).await);
    assert_eq!(token(&world).await, third);
    world.stop().await;
}

async fn tokens_end_at_once_where_that_is_asked(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let first = token(&world).await;
    rotated(&client, &rotation("r-1")).await;
    let second = token(&world).await;
    let at_once = RotateTokensRequest { end_earlier_at_once: true, ..rotation("r-2") };
    let answer = rotated(&client, &at_once).await.answer;
    assert_eq!(answer.begin_time, answer.earlier_until);
    for ended in [&first, &second] {
        assert!(!names(&world, ended).await, "whatever overlap it was given");
    }
    let third = token(&world).await;
    assert!(![&first, &second].contains(&&third));
    assert!(names(&world, &third).await);
    world.stop().await;
}

async fn i4_one_key_begins_one_epoch(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let first = rotated(&client, &rotation("r-1")).await;
    world.hands.step(Duration::DAY);
    let again = rotated(&client, &rotation("r-1")).await.answer;
    let told = |a: &RotateTokensAnswer| (a.epoch, a.begin_time, a.earlier_until);
    assert_eq!(told(&again), told(&first.answer));
    let other = RotateTokensRequest { end_earlier_at_once: true, ..rotation("r-1") };
    let before = world.records().await;
    let refused = unrotated(&client, &other).await;
    assert_eq!(why(&refused), ("AlreadyExists", "KEY_REUSED"));
    assert_eq!(
        refused.get("first_digest"),
        Some(hex::encode(tlog::digest(&first.request)).as_str())
    );
    assert_eq!(world.records().await, before + 1);
    // Many at once, with one key and with several.
    let calls = (0..12).map(|call| {
        let client = client.clone();
        async move { rotated(&client, &rotation(&format!("m-{}", call % 3))).await.answer.epoch }
    });
    let mut epochs = futures::future::join_all(calls).await;
    epochs.sort_unstable();
    assert_eq!(epochs, [2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4]);
    world.stop().await;
}

/// What a caller holds and can count of a lookup by a token: answer, lengths, records, statements.
async fn held(world: &World, token: &str) -> (GetPersonAnswer, [usize; 2], u64, u64) {
    let (records, statements) = (world.records().await, world.statements());
    let call = answered(&world.client("insurance"), &by(token)).await;
    call.verify(&world.log).unwrap();
    let statements = world.statements() - statements;
    let answer = GetPersonAnswer {
        decision_id: String::new(),
        answer_time: None,
        valid_until: None,
        ..call.answer
    };
    let lengths = [call.answer_bytes.len(), call.receipt.leaf.len()];
    (answer, lengths, world.records().await - records, statements)
}

/// One of an ended epoch, one of another connection, and one that nobody was given.
async fn i7_a_token_of_an_ended_epoch_is_a_miss_as_any_text(engine: Engine) {
    let world = World::new(engine).await;
    let first = token(&world).await;
    let theirs = {
        let request = SearchPersonsRequest {
            basis: Some(basis("investigation-identification")),
            ..of_name(world.plain().name(), NameLevel::Exact)
        };
        listed(&world.client("police"), &request).await.parts[0].answer.token.clone()
    };
    let at_once = RotateTokensRequest { end_earlier_at_once: true, ..rotation("r-1") };
    rotated(&world.client("insurance"), &at_once).await;
    let nobodys: String = first.chars().rev().collect();
    let mut seen = Vec::new();
    for token in [&first, &theirs, &nobodys] {
        seen.push(held(&world, token).await);
    }
    assert_eq!(seen[0].0.outcome(), LookupOutcome::NoMatch);
    assert!(seen.iter().all(|held| *held == seen[0] && held.2 == 1), "{seen:?}");
    // The other connection's are as they were.
    let request =
        GetPersonRequest { basis: Some(basis("investigation-identification")), ..by(&theirs) };
    let answer = answered(&world.client("police"), &request).await.answer;
    assert_eq!((answer.outcome(), answer.token.as_str()), (LookupOutcome::Match, ""));
    world.stop().await;
}

async fn i2_whoever_may_not_rotates_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let first = token(&world).await;
    for (caller, procedure, reason) in [
        ("police", "database-upkeep", "NO_AGREEMENT"),
        ("insurance", "child-health-insurance-card", "NO_AGREEMENT"),
        ("suspended", "database-upkeep", "CONNECTION_NOT_ACTIVE"),
        ("stranger", "database-upkeep", "CONNECTION_NOT_ACTIVE"),
    ] {
        let request = RotateTokensRequest { basis: Some(basis(procedure)), ..rotation("r-1") };
        let before = world.records().await;
        let refused = unrotated(&world.client(caller), &request).await;
        assert_eq!(why(&refused), ("PermissionDenied", reason), "{caller}");
        assert_eq!(world.records().await, before + 1);
    }
    assert_eq!(token(&world).await, first);
    world.stop().await;
}

async fn epochs_and_tokens_outlive_a_restart(engine: Engine) {
    let mut world = World::new(engine).await;
    let first = token(&world).await;
    rotated(&world.client("insurance"), &rotation("r-1")).await;
    let second = token(&world).await;
    world.stop_identity().await;
    world.start_identity().await;
    assert_eq!(found(&world, &first).await.token, second);
    assert_eq!(token(&world).await, second);
    let again = rotated(&world.client("insurance"), &rotation("r-1")).await.answer;
    assert_eq!(again.epoch, 1);
    world.hands.step(OVERLAP);
    assert!(!names(&world, &first).await);
    assert!(names(&world, &second).await);
    world.stop().await;
}

/// What one process does the other goes by at once; both begin one epoch where they are sent one key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_have_one_epoch() {
    within(async {
        let world = World::new(Engine::Postgres).await;
        let (running, service) = world.another_identity().await;
        let other = world.client_at(running.address(), "insurance");
        let here = world.client("insurance");
        let first = token(&world).await;
        let (one, two) = (rotation("r-1"), rotation("r-1"));
        let (one, two) = tokio::join!(rotated(&here, &one), rotated(&other, &two));
        assert_eq!((one.answer.epoch, two.answer.epoch), (1, 1));
        assert_eq!(one.answer.begin_time, two.answer.begin_time);
        let second = answered(&other, &by(&first)).await.answer.token;
        assert_eq!(token(&world).await, second);
        let at_once = RotateTokensRequest { end_earlier_at_once: true, ..rotation("r-2") };
        assert_eq!(rotated(&other, &at_once).await.answer.epoch, 2);
        assert!(!names(&world, &second).await);
        running.stop().await;
        service.close().await;
        world.stop().await;
    })
    .await;
}
