//! A rolling restart under load: `rolling small|full PYTHON NODE ROOT`, which `tests/rolling/run` calls. Three
//! instances of the identity service are ended and started again, one after the other, while clients in Rust, Python
//! and Node look a person up without a pause. First by SIGTERM, as in a roll-out, with clients that attempt nothing
//! again; then, with the published service config, by SIGTERM and by SIGKILL. No client may see an error, each must be
//! answered in every phase, and what was restarted must be called again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test"
)]

mod clients;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clients::{AnyClient, Did, Here, Settings, WORKERS};
use contract::identity::v1::GetPersonRequest;
use lienthong::demo::{self, BirthDate, Subject};
use server::{
    health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    },
    tls,
};
use store::Engine;
use tests::{
    events::birth,
    processes::{Fleet, REPLICAS, Shape},
};
use tokio::signal::unix::{SignalKind, signal};

/// Only a hang lasts this long.
const HANG: Duration = Duration::from_secs(60);
const ITEMS: [&str; 2] = ["birth_full_name", "date_of_birth"];
const CHILD: &str = "Giả Định An";

/// What grpcio and grpc-js report of a connection that was lost, reset or closed. What a server resets has another code.
const LOST: &str = "UNAVAILABLE";

#[tokio::main]
async fn main() -> ExitCode {
    let mut terminated = signal(SignalKind::terminate()).unwrap();
    let mut interrupted = signal(SignalKind::interrupt()).unwrap();
    tokio::select! {
        () = check() => ExitCode::SUCCESS,
        // Whatever was started, and the folders, end with the check.
        _ = terminated.recv() => ExitCode::from(128 + 15),
        _ = interrupted.recv() => ExitCode::from(128 + 2),
    }
}

async fn check() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [scale, python, node, root] = arguments.as_slice() else {
        panic!("usage: rolling small|full PYTHON NODE ROOT")
    };
    let rounds = match scale.as_str() {
        "small" => 1,
        "full" => 10,
        _ => panic!("rolling: the scale is small or full"),
    };
    let root = PathBuf::from(root);
    let published = std::fs::read_to_string(root.join("proto/service_config.json")).unwrap();
    let mut load = Load {
        fleet: Fleet::start(Shape::Replicas, Engine::Postgres).await,
        programs: [python, node].map(Into::into),
        root,
        rounds,
    };
    let errors = [
        load.part("without retryPolicy", without_retries(&published), &[End::Terminate]).await,
        load.part("as published", published, &[End::Terminate, End::Kill]).await,
    ];
    load.fleet.terminate();
    assert_eq!(errors, [0, 0], "a client saw an error");
}

/// The published service config, but that no call is attempted again. (What a server never saw is sent again all the
/// same: gRFC A6, transparent retries.)
fn without_retries(published: &str) -> String {
    let mut config: serde_json::Value = serde_json::from_str(published).unwrap();
    for method in config["methodConfig"].as_array_mut().unwrap() {
        method.as_object_mut().unwrap().remove("retryPolicy");
    }
    config.to_string()
}

/// Three instances, and what is needed to put load on them.
struct Load {
    fleet: Fleet,
    /// Python and Node.
    programs: [PathBuf; 2],
    root: PathBuf,
    rounds: usize,
}

impl Load {
    /// Every instance is ended and started again in each way, under a load of new clients; how many errors they saw.
    async fn part(&mut self, title: &str, service_config: String, ends: &[End]) -> usize {
        let files = self.fleet.issue("social-insurance", "Z02.DEMO.BHXH", "bhyt");
        let request = lookup(&self.fleet).await;
        let settings = Settings::new(&self.fleet, &files, &request, service_config);
        let scripts = self.root.join("tests/rolling");
        let [python, node] = &self.programs;
        let own = vec![scripts.join("lookups.cjs"), self.root.join("proto")];
        let mut clients = vec![
            AnyClient::Here(Here::start(&self.fleet, &files, &request)),
            AnyClient::there("python", python, vec![scripts.join("lookups.py")], &settings),
            AnyClient::there("node", node, own, &settings),
        ];
        let begun = Instant::now();
        grown(&mut clients, &[0; 3], "before the first restart").await;
        let mut excused = 0;
        println!("Service config {title}. Calls of [Rust, Python, Node]:");
        for _ in 0..self.rounds {
            for (end, name) in ends.iter().flat_map(|end| REPLICAS.map(|name| (*end, name))) {
                excused += restart(&mut self.fleet, &mut clients, name, end, &files).await;
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        let (mut errors, mut broken_off) = (0, 0);
        for client in clients {
            let (name, did) = client.end().await;
            errors += did.errors.len();
            broken_off += did.broken_off.len();
            println!(
                "  {name:<7} {:>6} calls, {} errors, {} broken off, {:.0} calls/s, the slowest took {} ms",
                did.calls,
                did.errors.len(),
                did.broken_off.len(),
                did.calls as f64 / seconds,
                did.slowest_ms
            );
        }
        println!("  {} restarts in {seconds:.0} s", self.rounds * ends.len() * REPLICAS.len());
        errors + broken_off - excused
    }
}

/// How an instance is ended.
#[derive(Debug, Clone, Copy)]
enum End {
    Terminate,
    Kill,
}

/// One instance: ended, started again, ready, and called again by those who keep a connection to every instance. How
/// many calls may be said to have broken off because it was killed.
async fn restart(
    fleet: &mut Fleet,
    clients: &mut [AnyClient],
    name: &'static str,
    end: End,
    files: &tls::Files,
) -> usize {
    let (id, begun) = (fleet.id(name).unwrap(), Instant::now());
    let did = all_did(clients);
    let before = counts(clients);
    match end {
        End::Terminate => fleet.terminate_one(name),
        End::Kill => fleet.kill(name),
    }
    let ended = begun.elapsed();
    let down = grown(clients, &before, &format!("while {name} ended")).await;
    let said = fleet.said_by(name).len();
    fleet.start_missing();
    assert_ne!(fleet.id(name).unwrap(), id, "{name} was not started again");
    ready(fleet, name, files).await;
    let up = begun.elapsed();
    let after = grown(clients, &down, &format!("while {name} was away")).await;
    let back = |line: &String, client: &str| {
        line.contains("call ended") && line.contains(&format!("\"request_id\":\"{client}\""))
    };
    for client in ["python", "node"] {
        let again = async {
            while !fleet.said_by(name).iter().skip(said).any(|line| back(line, client)) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let again = tokio::time::timeout(HANG, again).await;
        assert!(again.is_ok(), "{client} does not call {name} again");
    }
    let again = grown(clients, &after, &format!("after {name} was back")).await;
    let of = |from: &[u64], to: &[u64]| -> Vec<u64> {
        from.iter().zip(to).map(|(from, to)| to - from).collect()
    };
    println!(
        "  {end:?} {name}: ended after {:.1} s, ready after {:.1} s, called again after {:.1} s; {:?} while it ended, \
         {:?} while it was away, {:?} until it was called again",
        ended.as_secs_f64(),
        up.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        of(&before, &down),
        of(&down, &after),
        of(&after, &again),
    );
    let mut excused = 0;
    for (before, now) in did.iter().zip(all_did(clients)) {
        now.errors.iter().skip(before.errors.len()).for_each(|e| println!("    ERROR {e}"));
        let broken_off = now.broken_off.iter().skip(before.broken_off.len());
        let mut left = match end {
            // A kill between headers and answer is nobody's fault, and can hit what is under way, once.
            End::Kill => WORKERS,
            // A drain lets every answer out whole.
            End::Terminate => 0,
        };
        for error in broken_off {
            let lost = error.split_once(':').is_some_and(|(code, _)| code == LOST);
            let excuses = lost && left > 0;
            println!(
                "    {} {error}",
                if excuses { "broken off:" } else { "ERROR behind headers" }
            );
            (excused, left) = (excused + usize::from(excuses), left - usize::from(excuses));
        }
    }
    excused
}

/// A child whose birth is registered, and a lookup of it.
async fn lookup(fleet: &Fleet) -> GetPersonRequest {
    let (registry, _) = fleet.clients("civil-status", "Z01.DEMO.HOTICH", "ho-tich");
    let registered = registry.submit_contribution(&birth("rolling-1", CHILD)).await;
    let child = Subject {
        kind: "child".to_owned(),
        personal_number: registered.unwrap().unwrap().answer.personal_number,
        old_number: None,
        full_name: CHILD.to_owned(),
        date_of_birth: BirthDate { year: 2026, month: 3, day: 1 },
    };
    demo::lookup(
        &child,
        &ITEMS,
        demo::basis("child-health-insurance-card", "1911-2021-art-2-1", "Z02.DEMO.BHXH"),
    )
}

/// Waits until an instance says that it serves.
async fn ready(fleet: &Fleet, name: &str, files: &tls::Files) {
    let at = REPLICAS.iter().position(|replica| *replica == name).unwrap();
    let endpoint = fleet.identity().split(',').nth(at).unwrap().to_owned();
    let peer = server::channel::Peer::direct(&endpoint, "identity");
    let channel = server::channel::to_service(&peer, demo::TRUST_DOMAIN, files).unwrap();
    let mut health = HealthClient::new(channel);
    let serves = async {
        loop {
            let answer = health.check(HealthCheckRequest::default()).await;
            match answer.map(|answer| answer.into_inner().status()) {
                Ok(ServingStatus::Serving) => return,
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    assert!(tokio::time::timeout(HANG, serves).await.is_ok(), "{name} is not ready");
}

fn counts(clients: &mut [AnyClient]) -> Vec<u64> {
    clients.iter_mut().map(|client| client.did().calls).collect()
}

fn all_did(clients: &mut [AnyClient]) -> Vec<Did> {
    clients.iter_mut().map(AnyClient::did).collect()
}

/// The counts, once every client has ended at least one call more than `before`.
async fn grown(clients: &mut [AnyClient], before: &[u64], when: &str) -> Vec<u64> {
    let begun = Instant::now();
    loop {
        let now = counts(clients);
        if now.iter().zip(before).all(|(now, before)| now > before) {
            return now;
        }
        assert!(begun.elapsed() < HANG, "a client does nothing {when}: {before:?}, {now:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
