//! How a stream ends when it does not end well: at its deadline, with its caller, with its server, or because a service
//! behind it is away.

use std::time::Duration;

use store::Engine;
use tests::{Options, World, ask, on_both_engines};
use tokio::net::TcpStream;

use super::{all, guess, many, next, of_a_match, open, opening, query};
use crate::why;

on_both_engines!(
    i9_a_stream_ends_at_its_deadline,
    i13_a_caller_that_goes_away_has_been_charged,
    a_server_that_stops_answers_what_is_under_way_and_says_so,
    i1_without_the_access_log_each_query_is_refused_and_then_it_goes_on,
);

/// The caller's time is kept by the server, whether it waits for the caller or for the log.
async fn i9_a_stream_ends_at_its_deadline(engine: Engine) {
    let mut world = World::new(engine).await;
    for stalled in [false, true] {
        let client = world.client("insurance").within(Duration::from_millis(1_500));
        let (asking, mut answers) = open(&client, opening()).await;
        if stalled {
            world.to_audit.stall();
            asking.ask(query(1, world.plain())).await.unwrap();
        }
        let ended = loop {
            match answers.next().await.unwrap() {
                // What was under way may say so itself in the same moment.
                Ok(Some(told)) => {
                    let refused = told.answer.err().expect("nothing is given");
                    assert_eq!(refused.reason, "DEADLINE_EXCEEDED");
                }
                Ok(None) => panic!("the stream ended well"),
                Err(ended) => break ended,
            }
        };
        assert_eq!(why(&ended), ("DeadlineExceeded", "DEADLINE_EXCEEDED"));
        drop(asking);
    }
    world.open_audit_road();
    world.stop().await;
}

/// What it has guessed is charged although it did not wait for the answers; the next caller is served.
async fn i13_a_caller_that_goes_away_has_been_charged(engine: Engine) {
    let mut world = World::with(engine, Options { misses_max: 1, ..Options::default() }).await;
    let client = world.client("insurance");
    let (asking, answers) = open(&client, opening()).await;
    world.to_audit.stall();
    asking.ask(guess(1, &world)).await.unwrap();
    world.to_audit.holds().await;
    drop((asking, answers));
    world.open_audit_road();
    let request = ask(world.plain(), &["sex"]);
    let refused = client.get_person(&request).await.unwrap().err().expect("the budget is spent");
    assert_eq!(why(&refused), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"));
    world.hands.step(time::Duration::HOUR);
    let (came, ended) = all(open(&client, opening()).await, many(&world, 10)).await;
    assert_eq!((came.len(), ended), (10, None));
    came.into_values().for_each(|answer| drop(of_a_match(answer)));
    world.stop().await;
}

/// Whoever asks on a stream is told to go on elsewhere, after the answers to what was read.
async fn a_server_that_stops_answers_what_is_under_way_and_says_so(engine: Engine) {
    let mut world = World::new(engine).await;
    let (asking, mut answers) = open(&world.client("insurance"), opening()).await;
    let person = world.plain().clone();
    asking.ask(query(1, &person)).await.unwrap();
    of_a_match(next(&mut answers).await.answer);
    world.to_audit.stall();
    asking.ask(query(2, &person)).await.unwrap();
    world.to_audit.holds().await;
    let (running, service) = world.take_identity();
    let address = running.address();
    let stopping = tokio::spawn(running.stop());
    let road = async {
        // It takes no connection any more when it has begun to stop.
        while TcpStream::connect(address).await.is_ok() {}
        world.open_audit_road();
    };
    let ((), told) = tokio::join!(road, next(&mut answers));
    assert_eq!(told.correlation_id, 2);
    of_a_match(told.answer);
    let ended = answers.next().await.unwrap().err().expect("the stream ends");
    assert_eq!(why(&ended), ("Unavailable", "OVERLOADED"));
    drop((asking, answers));
    stopping.await.unwrap();
    service.close().await;
    world.stop().await;
}

/// Nothing leaves while nothing can be recorded, and the stream is still good when that is over.
async fn i1_without_the_access_log_each_query_is_refused_and_then_it_goes_on(engine: Engine) {
    let mut world = World::new(engine).await;
    let person = world.plain().clone();
    let (asking, mut answers) = open(&world.client("insurance"), opening()).await;
    asking.ask(query(1, &person)).await.unwrap();
    of_a_match(next(&mut answers).await.answer);
    world.stop_audit().await;
    for id in 2..6 {
        asking.ask(query(id, &person)).await.unwrap();
        let refused = next(&mut answers).await.answer.err().expect("nothing leaves");
        assert_eq!(why(&refused), ("Unavailable", "AUDIT_UNAVAILABLE"));
    }
    world.start_audit().await;
    // It is tried again at intervals that grew meanwhile.
    let answered = loop {
        asking.ask(query(6, &person)).await.unwrap();
        match next(&mut answers).await.answer {
            Ok(answered) => break answered,
            Err(refused) => assert_eq!(refused.reason, "AUDIT_UNAVAILABLE"),
        }
    };
    answered.verify(&world.log).unwrap();
    drop(asking);
    assert!(answers.next().await.unwrap().unwrap().is_none());
    world.stop().await;
}
