//! Bad days: a service behind identity is away, full or stalled, or a caller's time is up. Nothing leaks, and
//! when the day is over the service goes on without a restart.

use std::time::Duration;

use contract::{audit::v1::SealedResponse, identity::v1::GetPersonRequest};
use lienthong::client::GET_PERSON;
use prost::Message as _;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use store::Engine;
use tests::{World, ask, on_both_engines, people, within};

use crate::{answered, refused, why};

const AUDIT_AWAY: (&str, &str) = ("Unavailable", "AUDIT_UNAVAILABLE");
const POLICY_AWAY: (&str, &str) = ("Unavailable", "POLICY_UNAVAILABLE");
const TOO_LATE: (&str, &str) = ("DeadlineExceeded", "DEADLINE_EXCEEDED");

/// A hit, a miss and two denials: whatever is recorded.
fn calls(world: &World) -> [(&'static str, GetPersonRequest); 4] {
    let hit = ask(world.plain(), &["sex", "birth_full_name"]);
    let miss = GetPersonRequest { subject: people::by_number("999300999999"), ..hit.clone() };
    let withheld = ask(world.plain(), &["ethnic_group"]);
    [("insurance", hit.clone()), ("insurance", miss), ("insurance", withheld), ("revoked", hit)]
}

/// Every call is refused alike, and not a byte of an answer comes.
async fn nothing_is_given(world: &World, expected: (&str, &str)) {
    for (caller, request) in calls(world) {
        let reply = world.raw(caller).await.call(GET_PERSON, &request, &[]).await.unwrap();
        assert!(reply.message.is_empty());
        let refused = reply.refused();
        assert_eq!(why(&refused), expected, "{caller}");
        assert!(refused.metadata.is_empty() && refused.fields.is_empty(), "{refused:?}");
    }
}

/// Every call ends as on a good day, with one record each.
async fn all_is_well(world: &World) {
    let before = world.records().await;
    let mut endings = Vec::new();
    for (caller, request) in calls(world) {
        let reply = world.raw(caller).await.call(GET_PERSON, &request, &[]).await.unwrap();
        if reply.status.code() == tonic::Code::Ok {
            let sealed = SealedResponse::decode(reply.message.as_slice()).unwrap();
            assert!(!sealed.answer.is_empty() && !sealed.receipt.is_empty());
        }
        endings.push(reply.refused().reason);
    }
    assert_eq!(endings, ["", "", "NOTHING_ALLOWED", "CONNECTION_NOT_ACTIVE"]);
    assert_eq!(world.records().await, before + 4);
}

/// A service that was away is tried again at intervals that grew while it was: until one of them has passed, calls are
/// refused as before.
async fn until_answered(world: &World, expected: (&str, &str)) {
    let client = world.client("insurance");
    let request = ask(world.plain(), &["sex"]);
    let answered = async {
        while let Err(refused) = client.get_person(&request).await.unwrap() {
            assert_eq!(why(&refused), expected);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(answered).await;
}

async fn i1_without_the_access_log_nothing_leaves_and_then_it_goes_on(engine: Engine) {
    let mut world = World::new(engine).await;
    all_is_well(&world).await;
    let records = world.records().await;
    world.stop_audit().await;
    nothing_is_given(&world, AUDIT_AWAY).await;
    // What is wrong with a request is no secret.
    let mut request = ask(world.plain(), &["*"]);
    let client = world.client("insurance");
    assert_eq!(refused(&client, &request).await.reason, "INVALID_REQUEST");
    world.start_audit().await;
    assert_eq!(world.records().await, records);
    until_answered(&world, AUDIT_AWAY).await;
    all_is_well(&world).await;
    request.items = vec!["sex".to_owned()];
    answered(&client, &request).await.verify(&world.log).unwrap();
    world.stop().await;
}

/// The database of the log refuses to take more. The refusal is the database's own, by a trigger: it is what
/// audit sees of a full disk.
async fn i1_with_a_full_access_log_nothing_leaves_and_then_it_goes_on(engine: Engine) {
    let world = World::new(engine).await;
    all_is_well(&world).await;
    let records = world.records().await;
    let (full, emptied): (&[&str], &str) = match engine {
        Engine::Sqlite => (
            &["CREATE TRIGGER full BEFORE INSERT ON leaf \
               BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"],
            "DROP TRIGGER full",
        ),
        Engine::Postgres => (
            &[
                "CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql \
                 AS $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$",
                "CREATE TRIGGER disk_full BEFORE INSERT ON leaf \
                 FOR EACH ROW EXECUTE FUNCTION disk_full()",
            ],
            "DROP TRIGGER disk_full ON leaf",
        ),
    };
    let database = Database::connect(world.audit_database()).await.unwrap();
    for statement in full {
        database.execute_unprepared(statement).await.unwrap();
    }
    nothing_is_given(&world, AUDIT_AWAY).await;
    database.execute_unprepared(emptied).await.unwrap();
    database.close().await.unwrap();
    assert_eq!(world.records().await, records);
    all_is_well(&world).await;
    world.stop().await;
}

async fn i2_without_policy_nothing_is_read_and_then_it_goes_on(engine: Engine) {
    let mut world = World::new(engine).await;
    all_is_well(&world).await;
    let records = world.records().await;
    world.stop_policy().await;
    nothing_is_given(&world, POLICY_AWAY).await;
    assert_eq!(world.records().await, records);
    world.start_policy().await;
    until_answered(&world, POLICY_AWAY).await;
    all_is_well(&world).await;
    world.stop().await;
}

/// The register's table is gone for a while. What is denied without reading is denied and recorded as ever.
async fn i9_without_the_register_nothing_is_found_and_then_it_goes_on(engine: Engine) {
    let world = World::new(engine).await;
    all_is_well(&world).await;
    let database = Database::connect(world.register_database()).await.unwrap();
    database.execute_unprepared("ALTER TABLE person RENAME TO away").await.unwrap();
    let before = world.records().await;
    let mut endings = Vec::new();
    for (caller, request) in calls(&world) {
        let reply = world.raw(caller).await.call(GET_PERSON, &request, &[]).await.unwrap();
        assert!(reply.message.is_empty());
        endings.push(why(&reply.refused()).1.to_owned());
    }
    let away = "REGISTER_UNAVAILABLE";
    assert_eq!(endings, [away, away, "NOTHING_ALLOWED", "CONNECTION_NOT_ACTIVE"]);
    assert_eq!(world.records().await, before + 2);
    database.execute_unprepared("ALTER TABLE away RENAME TO person").await.unwrap();
    database.close().await.unwrap();
    all_is_well(&world).await;
    world.stop().await;
}

/// The caller's time is kept by the server, whichever service it waits for, down to a millisecond. The
/// client here keeps no time of its own.
async fn i9_a_deadline_that_passes_is_said_by_the_server(engine: Engine) {
    let mut world = World::new(engine).await;
    let request = ask(world.plain(), &["sex"]);
    let raw = world.raw("insurance").await;
    world.to_policy.stall();
    for timeout in ["1m", "1000u", "50m"] {
        let header = [("grpc-timeout", timeout)];
        let reply = raw.call(GET_PERSON, &request, &header).await.unwrap();
        assert_eq!(why(&reply.refused()), TOO_LATE);
        assert!(reply.message.is_empty());
    }
    world.open_policy_road();
    world.to_audit.stall();
    let header = [("grpc-timeout", "500m")];
    let reply = raw.call(GET_PERSON, &request, &header).await.unwrap();
    assert_eq!(why(&reply.refused()), TOO_LATE);
    assert!(reply.message.is_empty());
    world.open_audit_road();
    let reply = raw.call(GET_PERSON, &request, &[("grpc-timeout", "60S")]).await.unwrap();
    assert_eq!(reply.status.code(), tonic::Code::Ok);
    world.stop().await;
}

/// A query that takes an hour, asked for with a deadline of 50 ms: it is over then, in the database too, and whoever comes
/// next finds a connection.
#[tokio::test]
async fn i13_a_query_ends_with_the_deadline() {
    let world = World::new(Engine::Postgres).await;
    let database = Database::connect(world.register_database()).await.unwrap();
    for statement in [
        "ALTER TABLE person RENAME TO away",
        "CREATE VIEW person AS SELECT away.* FROM away, LATERAL pg_sleep(3600)",
    ] {
        database.execute_unprepared(statement).await.unwrap();
    }
    let sleeping = async |expected: bool| {
        let asked = "SELECT 1 FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event = 'PgSleep'";
        let asked = || Statement::from_string(DbBackend::Postgres, asked);
        let seen = async {
            while database.query_one_raw(asked()).await.unwrap().is_some() != expected {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within(seen).await;
    };
    let request = ask(world.plain(), &["sex"]);
    let raw = world.raw("insurance").await;
    // More than the pool has connections, one after the other: statements are coalesced.
    for _ in 0..12 {
        let reply = raw.call(GET_PERSON, &request, &[("grpc-timeout", "50m")]).await.unwrap();
        assert_eq!(why(&reply.refused()), TOO_LATE);
    }
    sleeping(false).await;
    database.execute_unprepared("DROP VIEW person").await.unwrap();
    database.execute_unprepared("ALTER TABLE away RENAME TO person").await.unwrap();
    database.close().await.unwrap();
    all_is_well(&world).await;
    world.stop().await;
}

/// Callers go away while their records are on the way. Whatever stands of them, the log holds and the next
/// caller is served.
async fn i13_callers_that_go_away_leave_the_service_whole(engine: Engine) {
    let mut world = World::new(engine).await;
    let before = world.records().await;
    world.to_audit.stall();
    let mut gone = Vec::new();
    for (caller, request) in calls(&world) {
        let raw = world.raw(caller).await;
        gone.push(tokio::spawn(async move { raw.call(GET_PERSON, &request, &[]).await }));
    }
    world.to_audit.holds().await;
    for call in gone {
        call.abort();
        assert!(call.await.is_err_and(|error| error.is_cancelled()));
    }
    world.open_audit_road();
    let client = world.client("insurance");
    let request = ask(world.plain(), &["sex"]);
    let next = answered(&client, &request).await;
    next.verify(&world.log).unwrap();
    assert!((before..=before + 4).contains(&next.receipt.index));
    world.stop().await;
}

on_both_engines!(
    i1_without_the_access_log_nothing_leaves_and_then_it_goes_on,
    i1_with_a_full_access_log_nothing_leaves_and_then_it_goes_on,
    i2_without_policy_nothing_is_read_and_then_it_goes_on,
    i9_without_the_register_nothing_is_found_and_then_it_goes_on,
    i9_a_deadline_that_passes_is_said_by_the_server,
    i13_callers_that_go_away_leave_the_service_whole,
);
