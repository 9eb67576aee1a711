//! `PolicyService.LeaseVolume`, as identity calls it.

use std::collections::BTreeMap;

use contract::policy::v1::{
    DecideRequest, LeaseVolumeRequest, LeaseVolumeResponse, ReturnedVolume,
    policy_service_client::PolicyServiceClient,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use server::{
    Channel,
    channel::{self, Peer},
};
use tests::basis;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::*;

on_both_engines!(
    i4_a_lease_that_is_asked_for_again_is_the_same,
    i4_what_is_given_back_is_given_back_once,
    i9_the_sum_of_all_leases_is_never_more_than_the_volume,
    a_faulty_request_names_every_fault,
    i2_who_is_not_the_register_leases_nothing,
);

/// A process that leases, of what it was told when it asked for a decision.
struct Process {
    policy: PolicyServiceClient<Channel>,
    asks: LeaseVolumeRequest,
}

impl Process {
    async fn of(world: &World) -> Self {
        let files = world.issue("identity", "spiffe://lienthong.test/service/identity");
        let peer = Peer::direct(world.policy_address().to_string(), "policy");
        let channel = channel::to_service(&peer, "lienthong.test", &files).unwrap();
        let mut policy = PolicyServiceClient::new(channel);
        let request = DecideRequest {
            caller: "spiffe://lienthong.test/agency/Z24.TEST/system/health-insurance".to_owned(),
            action: contract::policy::v1::Action::Obtain.into(),
            basis: Some(basis("child-health-insurance-card")),
            items: vec![ITEM.to_owned()],
            counts_volumes: true,
            ..DecideRequest::default()
        };
        let decided = policy.decide(request).await.unwrap().into_inner();
        let grant = decided.volume.unwrap().grant;
        let asks =
            LeaseVolumeRequest { connection: decided.connection, grant, ..Default::default() };
        Self { policy, asks }
    }

    async fn asks(&self, request: LeaseVolumeRequest) -> Result<LeaseVolumeResponse, Status> {
        self.policy.clone().lease_volume(request).await.map(tonic::Response::into_inner)
    }

    fn wants(&self, lease: u32, needed: u32, wanted: u32) -> LeaseVolumeRequest {
        LeaseVolumeRequest { lease: named(lease), needed, wanted, ..self.asks.clone() }
    }

    fn returns(&self, lease: u32, used: u32) -> LeaseVolumeRequest {
        let returned = vec![ReturnedVolume { lease: named(lease), used }];
        LeaseVolumeRequest { returned, ..self.asks.clone() }
    }
}

fn named(lease: u32) -> String {
    format!("{lease:032x}")
}

async fn i4_a_lease_that_is_asked_for_again_is_the_same(engine: Engine) {
    let mut world = World::new(engine).await;
    world.limit(80).await;
    let process = Process::of(&world).await;
    let first = process.asks(process.wants(1, 1, 99)).await.unwrap();
    // An eighth of what is left.
    assert_eq!((first.persons, first.lives_milliseconds), (10, 60_000));
    world.hands.step(Duration::seconds(20));
    let again = process.asks(process.wants(1, 9, 9)).await.unwrap();
    assert_eq!((again.persons, again.lives_milliseconds), (10, 40_000));
    assert_eq!(world.leased("obtain").await, 10);
    // Once it was given back there is nothing in it.
    process.asks(process.returns(1, 3)).await.unwrap();
    assert_eq!(process.asks(process.wants(1, 1, 1)).await.unwrap().persons, 0);
    assert_eq!(world.leased("obtain").await, 3);
    // Whoever needs more at once has it, if it is left.
    assert_eq!(process.asks(process.wants(2, 50, 50)).await.unwrap().persons, 50);
    assert_eq!(process.asks(process.wants(3, 50, 50)).await.unwrap().persons, 27);
    let none = process.asks(process.wants(4, 1, 1)).await.unwrap();
    assert_eq!(none.persons, 0);
    // Midnight in Viet Nam, and no lease goes beyond.
    assert_eq!(
        none.period_end.unwrap().seconds,
        world.hands.clock().now().unix_timestamp() + 50_380
    );
    world.hands.step(Duration::seconds(50_375));
    world.hands.step(Duration::seconds(10));
    assert_eq!(process.asks(process.wants(5, 1, 99)).await.unwrap().persons, 10);
    world.hands.step(Duration::seconds(86_380));
    let last = process.asks(process.wants(6, 1, 1)).await.unwrap();
    assert_eq!(last.lives_milliseconds, 15_000);
    world.stop().await;
}

async fn i4_what_is_given_back_is_given_back_once(engine: Engine) {
    let mut world = World::new(engine).await;
    world.limit(80).await;
    let process = Process::of(&world).await;
    process.asks(process.wants(1, 10, 10)).await.unwrap();
    for used in [4, 4, 0] {
        process.asks(process.returns(1, used)).await.unwrap();
        assert_eq!(world.leased("obtain").await, 4, "the first stands");
    }
    // Over a start of policy, too; and one that nobody leased is none.
    world.stop_policy().await;
    world.start_policy().await;
    let process = Process::of(&world).await;
    process.asks(process.returns(1, 0)).await.unwrap();
    process.asks(process.returns(9, 0)).await.unwrap();
    assert_eq!(world.leased("obtain").await, 4);
    // More than was leased was not leased; nothing of that request is done.
    process.asks(process.wants(2, 10, 10)).await.unwrap();
    let mut overdrawn = process.wants(3, 5, 5);
    overdrawn.returned = process.returns(2, 11).returned;
    let refused = process.asks(overdrawn).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let details = refused.get_error_details();
    let field = &details.bad_request().unwrap().field_violations[0].field;
    assert_eq!(field, "returned[0].used");
    assert_eq!(world.leased("obtain").await, 14);
    // What comes back on the next day was of the day before.
    world.hands.step(Duration::DAY);
    let mut late = process.wants(4, 10, 10);
    late.returned = process.returns(2, 0).returned;
    assert_eq!(process.asks(late).await.unwrap().persons, 10);
    assert_eq!(world.leased("obtain").await, 4 + 10);
    world.stop().await;
}

/// Whatever three processes ask for, say twice, or never give back.
async fn i9_the_sum_of_all_leases_is_never_more_than_the_volume(engine: Engine) {
    const VOLUME: u64 = 300;
    let mut world = World::new(engine).await;
    world.limit(VOLUME).await;
    let process = Process::of(&world).await;
    let mut random = StdRng::seed_from_u64(1911);
    // What each lease still holds, or used.
    let mut held: BTreeMap<u32, u32> = BTreeMap::new();
    let mut open: Vec<u32> = Vec::new();
    for lease in 1..=60 {
        let needed = random.random_range(1..=9);
        let wanted = needed + random.random_range(0..=60);
        let mut request = process.wants(lease, needed, wanted);
        if !open.is_empty() && random.random_bool(0.6) {
            let back = open.swap_remove(random.random_range(0..open.len()));
            let used = random.random_range(0..=held[&back]);
            request.returned = process.returns(back, used).returned;
            held.insert(back, used);
        }
        let (one, two) = tokio::join!(process.asks(request.clone()), process.asks(request));
        let (one, two) = (one.unwrap().persons, two.unwrap().persons);
        assert_eq!(one, two, "one lease");
        if one > 0 {
            held.insert(lease, one);
            open.push(lease);
        }
        let sum: u64 = held.values().map(|persons| u64::from(*persons)).sum();
        assert!(sum <= VOLUME, "{sum}");
        assert_eq!(i64::try_from(sum).unwrap(), world.leased("obtain").await);
    }
    world.stop().await;
}

async fn a_faulty_request_names_every_fault(engine: Engine) {
    let mut world = World::new(engine).await;
    world.limit(80).await;
    let process = Process::of(&world).await;
    let faults = async |request: LeaseVolumeRequest| {
        let refused = process.asks(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        let named = refused.get_error_details().bad_request().unwrap().field_violations.clone();
        named.into_iter().map(|one| (one.field, one.reason)).collect::<Vec<_>>()
    };
    let named = |all: &[(&str, &str)]| {
        all.iter().map(|(f, r)| ((*f).to_owned(), (*r).to_owned())).collect::<Vec<_>>()
    };
    let empty = faults(LeaseVolumeRequest::default()).await;
    let missing = ["connection", "grant", "lease", "needed"].map(|field| (field, "MISSING"));
    assert_eq!(empty, named(&missing));
    let back = |lease: &str| ReturnedVolume { lease: lease.to_owned(), used: 0 };
    let odd = LeaseVolumeRequest {
        connection: "c".to_owned(),
        grant: "zz".to_owned(),
        lease: "A".repeat(32),
        needed: 1_001,
        wanted: 7,
        returned: vec![back("x"), back(&named_lease()), back(&named_lease())],
    };
    let expected = [
        ("grant", "MALFORMED"),
        ("lease", "MALFORMED"),
        ("needed", "NOT_ALLOWED"),
        ("wanted", "NOT_ALLOWED"),
        ("returned[0].lease", "MALFORMED"),
        ("returned[2].lease", "REPEATED"),
    ];
    assert_eq!(faults(odd).await, named(&expected));
    // A grant of another connection is none.
    let other =
        LeaseVolumeRequest { connection: "conn-police".to_owned(), ..process.wants(1, 1, 1) };
    let refused = process.asks(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let details = refused.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "NO_AGREEMENT");
    world.stop().await;
}

fn named_lease() -> String {
    named(7)
}

async fn i2_who_is_not_the_register_leases_nothing(engine: Engine) {
    let mut world = World::new(engine).await;
    world.limit(80).await;
    let request = { Process::of(&world).await.wants(1, 1, 1) };
    for other in ["service/contribution", "agency/Z24.TEST/system/health-insurance", "operator/x"] {
        let files = world.issue("other", &format!("spiffe://lienthong.test/{other}"));
        let peer = Peer::direct(world.policy_address().to_string(), "policy");
        let channel = channel::to_service(&peer, "lienthong.test", &files).unwrap();
        let refused = PolicyServiceClient::new(channel).lease_volume(request.clone()).await;
        let details = refused.unwrap_err().get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "METHOD_NOT_ALLOWED", "{other}");
    }
    assert_eq!(world.leased("obtain").await, 0);
    world.stop().await;
}
