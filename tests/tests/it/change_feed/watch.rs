//! The stream of changes: as they come, with heartbeats, and how it ends.

use std::time::Duration;

use contract::identity::v1::{WatchPersonChangesRequest, WatchPersonChangesResponse};
use lienthong::client::{Changes, Client, Refused, WATCH_PERSON_CHANGES, Watching};
use prost::Message as _;
use store::Engine;
use tests::{World, basis, on_both_engines};
use tokio::net::TcpStream;

use super::{ITEMS, UPKEEP, after, all_after, items, newcomer, newcomers, now, page};
use crate::why;

on_both_engines!(
    what_changes_is_sent_and_heartbeats_say_how_far,
    i2_a_connection_that_is_suspended_hears_of_nothing_more,
    i9_a_stream_ends_at_its_deadline_and_with_its_server,
    i11_a_stalled_stream_holds_up_nobody,
    i11_a_caller_has_eight_streams_at_once_and_no_more,
);

fn asked(cursor: &str) -> WatchPersonChangesRequest {
    WatchPersonChangesRequest {
        basis: Some(basis(UPKEEP)),
        items: items(&ITEMS),
        cursor: cursor.to_owned(),
        followed_only: false,
        heartbeat_seconds: 1,
    }
}

async fn watch(client: &Client, cursor: &str) -> Watching {
    let opened = client.watch_person_changes(asked(cursor)).await;
    opened.unwrap_or_else(|refused| panic!("{refused}"))
}

async fn next(watching: &mut Watching) -> Changes {
    watching.next().await.unwrap().unwrap_or_else(|end| panic!("{end}")).expect("a message")
}

/// Why a stream ends, after whatever it still sends.
async fn end(watching: &mut Watching) -> Refused {
    loop {
        match watching.next().await.unwrap() {
            Ok(Some(message)) => assert!(message.changes.is_empty(), "nothing more is told"),
            Ok(None) => panic!("it ended well"),
            Err(ended) => return ended,
        }
    }
}

/// So many changes of a stream, and the cursor after them.
async fn heard(watching: &mut Watching, many: usize) -> (Vec<u64>, String) {
    let (mut versions, mut cursor) = (Vec::new(), String::new());
    while versions.len() < many {
        let message = next(watching).await;
        assert!(message.changes.len() <= 32);
        versions.extend(message.changes.iter().map(|change| change.answer.version));
        cursor = message.cursor;
    }
    (versions, cursor)
}

async fn what_changes_is_sent_and_heartbeats_say_how_far(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let mut watching = watch(&client, "").await;
    let first = next(&mut watching).await;
    assert!(first.changes.is_empty() && first.end_reached && first.seen_time.is_some());
    // What comes later is sent without being asked for, and recorded before.
    let records = world.records().await;
    world.add(newcomers(0..40)).await;
    let (mut all, mut cursors) = (Vec::new(), vec![first.cursor.clone()]);
    while all.len() < 40 {
        let message = next(&mut watching).await;
        assert!(world.records().await >= records + (all.len() + message.changes.len()) as u64);
        cursors.push(message.cursor);
        for change in message.changes {
            change.verify(&world.log).unwrap();
            all.push(change.answer);
        }
    }
    assert_eq!(world.records().await, records + 40);
    // A heartbeat tells of nobody: not of one who is hidden either (I7).
    world.add(vec![newcomer(100, true)]).await;
    for _ in 0..2 {
        let heartbeat = next(&mut watching).await;
        assert!(heartbeat.changes.is_empty() && heartbeat.end_reached);
        assert_eq!(heartbeat.cursor.len(), first.cursor.len());
        assert!(heartbeat.seen_time.is_some());
        cursors.push(heartbeat.cursor);
    }
    assert_eq!(world.records().await, records + 40);
    // Every cursor is good for the other way, too, and for a stream that begins where this one was.
    let (pulled, _) = all_after(&client, after(&cursors[0], 7)).await;
    assert!(pulled == all);
    let last = cursors.last().unwrap();
    assert!(page(&client, &after(last, 0)).await.changes.is_empty());
    drop(watching);
    let (again, _) = heard(&mut watch(&client, &cursors[0]).await, 40).await;
    assert_eq!(again, all.iter().map(|change| change.version).collect::<Vec<_>>());
    world.stop().await;
}

/// It is told so when policy tells of it, and not when there are news or a heartbeat is due.
async fn i2_a_connection_that_is_suspended_hears_of_nothing_more(engine: Engine) {
    let mut world = World::new(engine).await;
    let client = world.client("insurance");
    let request = WatchPersonChangesRequest { heartbeat_seconds: 60, ..asked("") };
    let mut watching = client.watch_person_changes(request).await.unwrap();
    next(&mut watching).await;
    let active =
        "system = \"health-insurance\"\ndatabase = \"social-insurance\"\nstate = \"ACTIVE\"";
    world.revise(active, &active.replace("ACTIVE", "SUSPENDED")).await;
    // The heartbeat is due when this test is ended for hanging.
    let refused = end(&mut watching).await;
    assert_eq!(why(&refused), ("PermissionDenied", "CONNECTION_NOT_ACTIVE"));
    let records = world.records().await;
    assert_eq!(refused.get("record_index"), Some((records - 1).to_string().as_str()));
    world.stop().await;
}

async fn i9_a_stream_ends_at_its_deadline_and_with_its_server(engine: Engine) {
    let mut world = World::new(engine).await;
    let client = world.client("insurance");
    let mut watching = watch(&client, "").await;
    next(&mut watching).await;
    let (running, service) = world.take_identity();
    let address = running.address();
    let stopping = tokio::spawn(running.stop());
    let ended = end(&mut watching).await;
    assert_eq!(why(&ended), ("Unavailable", "OVERLOADED"));
    // It says so as soon as it stops, and waits for nobody who follows.
    stopping.await.unwrap();
    service.close().await;
    assert!(TcpStream::connect(address).await.is_err());
    world.start_identity().await;
    // A deadline of the caller's own holds, too.
    let raw = world.raw("insurance").await;
    let headers = [("grpc-timeout", "1500m")];
    let reply = raw.call(WATCH_PERSON_CHANGES, &asked(""), &headers).await.unwrap();
    assert_eq!(why(&reply.refused()), ("DeadlineExceeded", "DEADLINE_EXCEEDED"));
    assert!(!reply.message.is_empty());
    // What cannot be asked ends at once.
    let request = WatchPersonChangesRequest { heartbeat_seconds: 61, ..asked("") };
    let client = world.client("insurance");
    let refused = match client.watch_person_changes(request).await {
        Ok(mut watching) => end(&mut watching).await,
        Err(refused) => refused,
    };
    assert_eq!(why(&refused), ("InvalidArgument", "INVALID_REQUEST"));
    world.stop().await;
}

/// One subscriber that reads nothing beside nine that do: they hear of everything at once, and little is made for the one. When
/// it reads, it hears of everything, too, in order.
async fn i11_a_stalled_stream_holds_up_nobody(engine: Engine) {
    const ALL: usize = 240;
    /// What its window of 64 KiB and the transport take, of changes of more than half a KiB, and the messages behind.
    const MADE_MAX: u64 = 200;
    let world = World::new(engine).await;
    let start = now(&world.client("insurance")).await;
    let (raw, mut healthy) = (world.raw("insurance").await, Vec::new());
    let mut stalled = raw.stalled(WATCH_PERSON_CHANGES, &asked(&start)).await.unwrap();
    for place in 0..9 {
        let client = world.client(if place < 4 { "insurance" } else { "police" });
        let mut watching = watch(&client, "").await;
        next(&mut watching).await;
        healthy.push(watching);
    }
    let records = world.records().await;
    for first in (0..ALL as u32).step_by(40) {
        world.add(newcomers(first..first + 40)).await;
    }
    let each = healthy.iter_mut().map(|watching| heard(watching, ALL));
    let each = futures::future::join_all(each).await;
    let (versions, _) = &each[0];
    assert!(each.iter().all(|(other, _)| other == versions));
    let made = world.records().await - records - 9 * ALL as u64;
    assert!(made < MADE_MAX, "{made} were made for nobody");
    // Nothing more is made for it, however long it stands.
    tokio::time::timeout(Duration::from_secs(3), next(&mut healthy[0])).await.unwrap();
    let still = world.records().await - records - 9 * ALL as u64;
    assert!(still < MADE_MAX, "{still} were made for nobody");
    let mut late = Vec::new();
    while late.len() < ALL {
        let message = stalled.next().await.unwrap();
        let message = WatchPersonChangesResponse::decode(message).unwrap();
        late.extend(message.changes.into_iter().map(|change| change.answer.unwrap().version));
    }
    assert_eq!(&late, versions);
    println!("{still} of {ALL} were made for a subscriber that did not read");
    drop((healthy, raw));
    world.stop().await;
}

async fn i11_a_caller_has_eight_streams_at_once_and_no_more(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut watching = watch(&client, "").await;
        next(&mut watching).await;
        streams.push(watching);
    }
    let refused = match client.watch_person_changes(asked("")).await {
        Ok(mut watching) => end(&mut watching).await,
        Err(refused) => refused,
    };
    assert_eq!(why(&refused), ("Unavailable", "OVERLOADED"));
    // Another caller has its own; and when one has gone away there is room.
    next(&mut watch(&world.client("police"), "").await).await;
    drop(streams.pop());
    loop {
        let mut watching = watch(&client, "").await;
        match watching.next().await.unwrap() {
            Ok(message) => break assert!(message.is_some()),
            Err(refused) => assert_eq!(refused.reason, "OVERLOADED"),
        }
    }
    world.stop().await;
}
