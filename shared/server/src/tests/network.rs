//! Our channel and our server over a road on which things happen.

use super::{
    person::*,
    road::{Road, State},
    silence::over,
    *,
};

/// How long each call on a bad road may take.
const SHORT: Duration = Duration::from_millis(500);

/// A call of a service of ours.
async fn ask(caller: &Channel, longest: Duration) -> Result<(), Status> {
    let deadline = Deadline::after(longest);
    let call = get_person(caller.clone(), deadline.request(DecideRequest::default()));
    let answer = within(deadline.bounds(call)).await;
    answer.map(drop).inspect_err(|status| {
        // The codes of a connection that broke, or never was one.
        let broken = matches!(status.code(), Code::Unavailable | Code::Unknown);
        assert!(broken || deadline.ended(status), "{status:?}");
    })
}

#[tokio::test]
async fn a_bad_road_ends_calls_by_their_deadlines_and_a_good_one_carries_them_again() {
    let bad = [State::DeafClient, State::DeafServer, State::Vanished, State::Cut];
    futures::future::join_all(bad.map(there_and_back)).await;
}

async fn there_and_back(state: State) {
    let pki = Pki::new();
    let persons = Persons::reads_one_and_answers(100);
    let few = |config: Config| Config { calls_per_caller_max: 4, ..config };
    let server = persons.start(&pki, few).await;
    let road = Road::to(server.address()).await;
    let files = agency(&pki);
    let caller = over(&road, &files);
    ask(&caller, HANG).await.unwrap();
    road.turns(state);
    for _ in 0..3 {
        ask(&caller, SHORT).await.unwrap_err();
    }
    road.turns(State::Good);
    let again = async {
        while ask(&caller, SHORT).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(again).await;
    // Nothing of all that has kept a place.
    persons.fills(&single(&server, &files), 4).await;
    server.stop().await;
}

/// A channel that is connecting tries for five seconds, and a deadline is a deadline.
#[tokio::test]
async fn a_call_ends_at_its_deadline_while_its_channel_connects() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let road = Road::to(server.address()).await;
    road.turns(State::Vanished);
    let caller = over(&road, &pki.service("identity"));
    // The first call has the channel connect; it is under way when the second ends.
    let mut first = std::pin::pin!(ask(&caller, HANG));
    let second = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        ask(&caller, SHORT).await.unwrap_err()
    };
    tokio::select! {
        biased;
        _ended = &mut first => panic!("it was to be connecting still"),
        ended = second => assert_eq!(reason(&ended).1, "DEADLINE_EXCEEDED"),
    }
    server.stop().await;
}

#[tokio::test]
async fn a_slow_road_is_slow_and_nothing_else() {
    let pki = Pki::new();
    let persons = Persons::reads_one_and_answers(100);
    let server = persons.start(&pki, |config| config).await;
    for state in [State::Slow(50), State::Trickling] {
        let road = Road::to(server.address()).await;
        road.turns(state);
        let caller = over(&road, &agency(&pki));
        for _ in 0..3 {
            ask(&caller, HANG).await.unwrap();
        }
    }
    server.stop().await;
}
