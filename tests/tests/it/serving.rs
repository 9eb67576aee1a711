//! Serving and stopping: health, records one by one, draining, and the demonstration that everything runs in.

use std::collections::BTreeSet;

use contract::{
    audit::v1::DecisionRecord,
    identity::v1::{GetPersonRequest, LookupOutcome},
    r#type::v1::ErrorReason,
};
use lienthong::{
    client::GET_PERSON,
    demo::{self, Demo},
    process::Runtime,
};
use prost::Message as _;
use sea_orm::{ConnectionTrait, Database};
use server::{
    channel::{self, Peer, to_service},
    health::{
        LIVENESS,
        pb::{
            HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
            health_client::HealthClient,
        },
    },
};
use store::Engine;
use tests::{Options, World, ask, on_both_engines, people, raw::Raw, world::TRUST_DOMAIN};
use tonic::Streaming;

use crate::{answered, refused};

async fn health_is_answered_to_whoever_has_an_identity(engine: Engine) {
    let world = World::new(engine).await;
    for files in [
        world.files("insurance"),
        world.files("revoked"),
        world.issue("probe", "spiffe://lienthong.test/operator/probe"),
    ] {
        let peer = Peer::direct(world.address().to_string(), "identity");
        let channel = to_service(&peer, TRUST_DOMAIN, &files).unwrap();
        let request = HealthCheckRequest { service: String::new() };
        let answer = HealthClient::new(channel).check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
    world.stop().await;
}

/// Who watches the health of identity.
struct Watcher {
    health: HealthClient<channel::Channel>,
    watches: Vec<Streaming<HealthCheckResponse>>,
}

impl Watcher {
    async fn of(world: &World) -> Self {
        let peer = Peer::direct(world.address().to_string(), "identity");
        let channel = to_service(&peer, TRUST_DOMAIN, &world.files("insurance")).unwrap();
        let (mut health, mut watches) = (HealthClient::new(channel), Vec::new());
        for service in [""].into_iter().chain(identity::PUBLIC) {
            let watch = HealthCheckRequest { service: service.to_owned() };
            watches.push(health.watch(watch).await.unwrap().into_inner());
        }
        Self { health, watches }
    }

    /// Waits until the process and its service are told as `expect`; it lives all the while.
    async fn turns(&mut self, expect: ServingStatus) {
        for watch in &mut self.watches {
            while tests::within(watch.message()).await.unwrap().unwrap().status() != expect {}
        }
        let liveness = HealthCheckRequest { service: LIVENESS.to_owned() };
        let lives = self.health.check(liveness).await.unwrap().into_inner().status();
        assert_eq!(lives, ServingStatus::Serving);
    }
}

/// A peer that is away is told as NOT_SERVING, and when it is back as SERVING; the process lives all the while.
async fn i9_readiness_follows_the_peers_and_liveness_does_not(engine: Engine) {
    let world = World::with(engine, Options { readiness: true, ..Options::default() }).await;
    let mut health = Watcher::of(&world).await;
    health.turns(ServingStatus::Serving).await;
    world.to_policy.cut();
    health.turns(ServingStatus::NotServing).await;
    world.open_policy_road();
    health.turns(ServingStatus::Serving).await;
    world.to_audit.cut();
    health.turns(ServingStatus::NotServing).await;
    world.open_audit_road();
    health.turns(ServingStatus::Serving).await;
    world.stop().await;
}

/// The same of the register's database, and what is asked meanwhile is refused as an outage. On PostgreSQL alone: a
/// file does not go away from whoever has it open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i9_readiness_follows_the_database_and_liveness_does_not() {
    let readiness = Options { readiness: true, ..Options::default() };
    let world = World::with(Engine::Postgres, readiness).await;
    let mut health = Watcher::of(&world).await;
    health.turns(ServingStatus::Serving).await;
    let (cluster, name) = world.register_database().rsplit_once('/').unwrap();
    let admin = Database::connect(format!("{cluster}/postgres")).await.unwrap();
    let run = async |statement: &str| {
        admin.execute_unprepared(&statement.replace("{name}", name)).await.unwrap();
    };
    run("ALTER DATABASE {name} ALLOW_CONNECTIONS false").await;
    run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'").await;
    health.turns(ServingStatus::NotServing).await;
    let (client, request) = (world.client("insurance"), ask(world.plain(), &["sex"]));
    assert_eq!(refused(&client, &request).await.reason, "REGISTER_UNAVAILABLE");
    run("ALTER DATABASE {name} ALLOW_CONNECTIONS true").await;
    health.turns(ServingStatus::Serving).await;
    answered(&client, &request).await;
    admin.close().await.unwrap();
    world.stop().await;
}

/// Answers, misses and denials at the same time: each has one record of its own.
async fn i1_each_of_many_calls_at_once_has_one_record(engine: Engine) {
    let world = World::new(engine).await;
    let before = world.records().await;
    let hit = ask(world.plain(), &["sex"]);
    let miss = GetPersonRequest { subject: people::by_number("999300999999"), ..hit.clone() };
    let (insurance, revoked) = (world.client("insurance"), world.client("revoked"));
    let calls = (0..30_u32).map(|number| {
        let (client, request) = match number % 3 {
            0 => (&insurance, &hit),
            1 => (&insurance, &miss),
            _ => (&revoked, &hit),
        };
        let log = &world.log;
        async move {
            match client.get_person(request).await.unwrap() {
                Ok(call) => {
                    call.verify(log).unwrap();
                    let expected =
                        if number % 3 == 0 { LookupOutcome::Match } else { LookupOutcome::NoMatch };
                    assert_eq!(call.answer.outcome(), expected);
                    call.receipt.index
                }
                Err(refused) => {
                    assert_eq!((refused.reason.as_str(), number % 3), ("CONNECTION_NOT_ACTIVE", 2));
                    refused.get("record_index").unwrap().parse().unwrap()
                }
            }
        }
    });
    let indexes: BTreeSet<u64> = futures::future::join_all(calls).await.into_iter().collect();
    assert_eq!(indexes, (before..before + 30).collect());
    assert_eq!(world.records().await, before + 30);
    world.stop().await;
}

/// A call that is open when the service is told to stop is answered; new callers find nobody.
async fn stopping_ends_open_calls_first(engine: Engine) {
    let mut world = World::new(engine).await;
    let raw = world.raw("insurance").await;
    let (address, files) = (world.address(), world.files("insurance"));
    let request = ask(world.plain(), &["sex"]);
    world.to_audit.stall();
    let open = tokio::spawn(async move { raw.call(GET_PERSON, &request, &[]).await });
    world.to_audit.holds().await;
    let (running, service) = world.take_identity();
    let stopping = tokio::spawn(running.stop());
    // The listener goes away while the call is still open.
    while Raw::connect(address, &files).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!open.is_finished() && !stopping.is_finished());
    world.open_audit_road();
    let reply = open.await.unwrap().unwrap();
    assert_eq!(reply.status.code(), tonic::Code::Ok);
    assert!(!reply.message.is_empty());
    stopping.await.unwrap();
    service.close().await;
    world.start_identity().await;
    answered(&world.client("insurance"), &ask(world.plain(), &["sex"])).await;
    world.stop().await;
}

/// What hangs is cut at the end of the drain: no answer, and the process ends.
async fn a_call_that_hangs_does_not_keep_the_service(engine: Engine) {
    let options = Options { drain_max_seconds: 1, ..Options::default() };
    let mut world = World::with(engine, options).await;
    let raw = world.raw("insurance").await;
    let request = ask(world.plain(), &["sex"]);
    world.to_audit.stall();
    let open = tokio::spawn(async move { raw.call(GET_PERSON, &request, &[]).await });
    world.to_audit.holds().await;
    world.stop_identity().await;
    assert!(open.await.unwrap().is_err(), "cut, not answered");
    world.open_audit_road();
    world.stop().await;
}

/// Calls over a caller's share are refused and told when to come again; one record counts them.
async fn i9_calls_that_are_refused_for_overload_are_one_counted_record(engine: Engine) {
    let options = Options { calls_per_caller_max: 1, ..Options::default() };
    let mut world = World::with(engine, options).await;
    let before = world.records().await;
    let request = ask(world.plain(), &["sex"]);
    let raw = world.raw("insurance").await;
    world.to_audit.stall();
    let (first, asked) = (world.raw("insurance").await, request.clone());
    let open = tokio::spawn(async move { first.call(GET_PERSON, &asked, &[]).await });
    world.to_audit.holds().await;
    for _ in 0..5 {
        let refused = raw.call(GET_PERSON, &request, &[]).await.unwrap().refused();
        assert_eq!(refused.reason, "OVERLOADED");
    }
    world.open_audit_road();
    assert_eq!(open.await.unwrap().unwrap().status.code(), tonic::Code::Ok);
    world.stop_identity().await;
    assert_eq!(world.records().await, before + 2, "the call that was answered, and the count");
    let mut opened = world.opened(&[before + 1]).await;
    let Some(audit::Opened::Whole(opening)) = opened.remove(&(before + 1)) else { panic!() };
    let decision = DecisionRecord::decode(opening.decision.as_slice()).unwrap();
    assert_eq!(decision.shed.unwrap().calls, 5);
    assert_eq!(decision.reason(), ErrorReason::Overloaded);
    world.start_identity().await;
    world.stop().await;
}

on_both_engines!(
    i9_calls_that_are_refused_for_overload_are_one_counted_record,
    health_is_answered_to_whoever_has_an_identity,
    i9_readiness_follows_the_peers_and_liveness_does_not,
    i1_each_of_many_calls_at_once_has_one_record,
    stopping_ends_open_calls_first,
    a_call_that_hangs_does_not_keep_the_service,
);

/// Everything in one process: the tour holds, also the second time on the same folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_runs_twice_on_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let options = demo::Options {
        folder: folder.path().to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        persons: 300,
        seed: 7,
    };
    let mut subjects = Vec::new();
    for _ in 0..2 {
        let mut account = Vec::new();
        let run = async {
            let demo = Demo::start(&options, Runtime::system()).await.unwrap();
            demo.tour(&mut account).await.unwrap();
            subjects.push(demo.subjects().to_vec());
            demo.stop().await;
        };
        tests::within(run).await;
        assert!(String::from_utf8(account).unwrap().contains("record_index"));
    }
    assert_eq!(subjects[0], subjects[1]);
    for file in ["demo.json", "tour/receipt.tlog-proof", "tour/leaf.bin", "tour/opening.bin"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}
