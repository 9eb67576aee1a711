//! Health over mutual TLS: what it lists, whom it does not know, and what a watcher is told.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use tonic::Streaming;

use super::*;
use crate::health::{
    LIVENESS,
    pb::{HealthCheckResponse, HealthListRequest, health_check_response::ServingStatus},
};

const POLICY: &str = "lienthong.policy.v1.PolicyService";

fn named(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

async fn status(health: &mut HealthClient<Channel>, service: &str) -> ServingStatus {
    within(health.check(named(service))).await.unwrap().into_inner().status()
}

async fn next(watch: &mut Streaming<HealthCheckResponse>) -> ServingStatus {
    within(watch.message()).await.unwrap().unwrap().status()
}

#[tokio::test]
async fn readiness_follows_what_a_service_stands_on_and_liveness_does_not() {
    let pki = Pki::new();
    let server = Server::bind(config(&pki, 30)).await.unwrap();
    let there = Arc::new(AtomicBool::new(false));
    let looked = Arc::clone(&there);
    server.health().serves(&[POLICY], move || {
        let ready = looked.load(Ordering::Relaxed);
        async move { ready }
    });
    let server = server.start(Routes::default()).await;
    let mut health = HealthClient::new(channel(&server, "policy", &pki.service("identity")));
    let mut watch = health.watch(named("")).await.unwrap().into_inner();
    assert_eq!(next(&mut watch).await, ServingStatus::NotServing);
    assert_eq!(status(&mut health, POLICY).await, ServingStatus::NotServing);
    assert_eq!(status(&mut health, LIVENESS).await, ServingStatus::Serving);
    there.store(true, Ordering::Relaxed);
    assert_eq!(next(&mut watch).await, ServingStatus::Serving);
    let list = health.list(HealthListRequest {}).await.unwrap().into_inner().statuses;
    let list: BTreeMap<_, _> = list.iter().map(|(name, s)| (name.as_str(), s.status())).collect();
    let expected = ["", POLICY, LIVENESS].map(|name| (name, ServingStatus::Serving));
    assert_eq!(list, BTreeMap::from(expected));
    there.store(false, Ordering::Relaxed);
    assert_eq!(next(&mut watch).await, ServingStatus::NotServing);
    assert_eq!(status(&mut health, LIVENESS).await, ServingStatus::Serving);
    server.stop().await;
}

#[tokio::test]
async fn a_service_that_is_not_here_is_not_found_and_can_be_watched() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let mut health = HealthClient::new(channel(&server, "policy", &pki.service("identity")));
    let refused = health.check(named("other")).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::NotFound, "UNKNOWN_SERVICE".to_owned()));
    let mut watch = health.watch(named("other")).await.unwrap().into_inner();
    assert_eq!(next(&mut watch).await, ServingStatus::ServiceUnknown);
    server.stop().await;
}

#[tokio::test]
async fn who_watches_is_told_of_a_drain_and_does_not_hold_it_up() {
    let pki = Pki::new();
    let slow = |config: Config| Config { drain_max_seconds: 3_000, ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), slow).await;
    let mut health = HealthClient::new(channel(&server, "policy", &pki.service("identity")));
    let mut watch = health.watch(named("")).await.unwrap().into_inner();
    assert_eq!(next(&mut watch).await, ServingStatus::Serving);
    let stopping = tokio::spawn(server.stop());
    assert_eq!(next(&mut watch).await, ServingStatus::NotServing);
    let gone = within(watch.message()).await.unwrap_err();
    assert_eq!(reason(&gone), (Code::Unavailable, "OVERLOADED".to_owned()));
    within(stopping).await.unwrap();
}
