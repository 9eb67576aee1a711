//! A rolling restart under load: `rolling small|full PYTHON NODE ROOT`, which `tests/rolling/run` calls. Three
//! instances of the identity service are ended and started again, one after the other, while clients in Rust, Python
//! and Node look a person up without a pause: first by SIGTERM, as in a roll-out, then by SIGKILL, which only attempts
//! of the clients' own make up for. No client may see an error, each must be answered in every phase, and what was
//! restarted must be called again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test"
)]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use contract::identity::v1::GetPersonRequest;
use lienthong::{
    client::Client,
    demo::{self, BirthDate, Subject},
};
use prost::Message as _;
use serde::{Deserialize, Serialize};
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
use tokio::task::JoinHandle;

/// Calls at once of each client.
const WORKERS: usize = 4;
/// Of one lookup, with all its attempts.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Only a hang lasts this long.
const HANG: Duration = Duration::from_secs(60);
const ITEMS: [&str; 2] = ["birth_full_name", "date_of_birth"];
const CHILD: &str = "Giả Định An";

/// What a client did so far.
#[derive(Debug, Clone, Default, Deserialize)]
struct Did {
    calls: u64,
    errors: Vec<String>,
    slowest_ms: u64,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [scale, python, node, root] = arguments.as_slice() else {
        panic!("usage: rolling small|full PYTHON NODE ROOT")
    };
    let rounds = match scale.as_str() {
        "small" => 1,
        "full" => 10,
        _ => panic!("rolling: the scale is small or full"),
    };
    let mut fleet = Fleet::start(Shape::Replicas, Engine::Postgres).await;
    let files = fleet.issue("social-insurance", "Z02.DEMO.BHXH", "bhyt");
    let request = lookup(&fleet).await;
    let settings = Settings::new(&fleet, &files, &request, Path::new(root));
    let scripts = Path::new(root).join("tests/rolling");
    let proto = Path::new(root).join("proto");
    let mut clients = vec![
        AnyClient::Here(Here::start(&fleet, &files, &request)),
        AnyClient::there("python", python, vec![scripts.join("lookups.py")], &settings),
        AnyClient::there("node", node, vec![scripts.join("lookups.cjs"), proto], &settings),
    ];
    let begun = Instant::now();
    grown(&mut clients, &[0; 3], "before the first restart").await;
    for round in 1..=rounds {
        for end in [End::Terminate, End::Kill] {
            for name in REPLICAS {
                restart(&mut fleet, &mut clients, name, end, &files, round).await;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let mut failed = false;
    for client in clients {
        let (name, did) = client.end().await;
        println!(
            "{name:<8} {:>7} calls, {} errors, {:.0} calls/s, the slowest took {} ms",
            did.calls,
            did.errors.len(),
            did.calls as f64 / seconds,
            did.slowest_ms
        );
        for error in did.errors.iter().take(5) {
            println!("{name:<8} {error}");
        }
        failed |= !did.errors.is_empty();
    }
    println!("{} restarts in {seconds:.0} s", rounds * 2 * REPLICAS.len());
    fleet.terminate();
    assert!(!failed, "a client saw an error");
}

/// How an instance is ended.
#[derive(Debug, Clone, Copy)]
enum End {
    Terminate,
    Kill,
}

/// One instance: ended, started again, ready, and called again by those who keep a connection to every instance.
async fn restart(
    fleet: &mut Fleet,
    clients: &mut [AnyClient],
    name: &'static str,
    end: End,
    files: &tls::Files,
    round: usize,
) {
    let (id, begun) = (fleet.id(name).unwrap(), Instant::now());
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
        "round {round}, {end:?} {name}: ended after {:.1} s, ready after {:.1} s, called again after {:.1} s; \
         calls [Rust, Python, Node] while it ended {:?}, away {:?}, back {:?}",
        ended.as_secs_f64(),
        up.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        of(&before, &down),
        of(&down, &after),
        of(&after, &again),
    );
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
    let peer = server::channel::Peer { endpoint, service: "identity".to_owned() };
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

/// What a client of another language is told, by the names it has there.
#[derive(Serialize)]
struct Settings {
    target: String,
    server_name: &'static str,
    ca: String,
    certificate: String,
    key: String,
    service_config: String,
    request: String,
    workers: usize,
    timeout_seconds: u64,
}

impl Settings {
    fn new(fleet: &Fleet, files: &tls::Files, request: &GetPersonRequest, root: &Path) -> Self {
        Self {
            target: format!("ipv4:{}", fleet.identity()),
            server_name: "localhost",
            ca: files.ca.clone(),
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            service_config: std::fs::read_to_string(root.join("proto/service_config.json"))
                .unwrap(),
            request: BASE64_STANDARD.encode(request.encode_to_vec()),
            workers: WORKERS,
            timeout_seconds: TIMEOUT.as_secs(),
        }
    }
}

/// A client that looks a person up until it is ended.
enum AnyClient {
    Here(Here),
    There(There),
}

impl AnyClient {
    fn there(
        name: &'static str,
        program: &str,
        arguments: Vec<PathBuf>,
        settings: &Settings,
    ) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (send, said) = channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        let mut there = There { name, child, stdin, said };
        there.tell(&serde_json::to_string(settings).unwrap());
        Self::There(there)
    }

    fn did(&mut self) -> Did {
        match self {
            Self::Here(here) => here.did.lock().unwrap().clone(),
            Self::There(there) => {
                there.tell("");
                there.hear()
            }
        }
    }

    async fn end(self) -> (&'static str, Did) {
        match self {
            Self::Here(here) => {
                here.over.store(true, Ordering::Relaxed);
                for worker in here.workers {
                    worker.await.unwrap();
                }
                ("rust", here.did.lock().unwrap().clone())
            }
            Self::There(mut there) => {
                there.stdin = None;
                let did = there.hear();
                assert!(there.child.wait().unwrap().success(), "{} failed", there.name);
                (there.name, did)
            }
        }
    }
}

/// A client in a process of its own.
struct There {
    name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<String>,
}

impl There {
    fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn hear(&self) -> Did {
        let line = self.said.recv_timeout(HANG);
        let line = line.unwrap_or_else(|_| panic!("the client in {} says nothing", self.name));
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for There {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The client of our own.
struct Here {
    did: Arc<Mutex<Did>>,
    over: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl Here {
    fn start(fleet: &Fleet, files: &tls::Files, request: &GetPersonRequest) -> Self {
        let client = Client::new(fleet.identity(), "identity", demo::TRUST_DOMAIN, files).unwrap();
        let client = client.within(TIMEOUT);
        let (did, over) = (Arc::<Mutex<Did>>::default(), Arc::<AtomicBool>::default());
        let worker = |_| {
            let (client, request) = (client.clone(), request.clone());
            tokio::spawn(look_up(client, request, Arc::clone(&did), Arc::clone(&over)))
        };
        let workers = (0..WORKERS).map(worker).collect();
        Self { did, over, workers }
    }
}

async fn look_up(
    client: Client,
    request: GetPersonRequest,
    did: Arc<Mutex<Did>>,
    over: Arc<AtomicBool>,
) {
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let error = match client.get_person(&request).await {
            Ok(Ok(found)) if found.answer.items.iter().map(|i| &i.item).eq(&request.items) => None,
            Ok(Ok(_)) => Some("the answer has other items".to_owned()),
            Ok(Err(refused)) => Some(refused.to_string()),
            Err(error) => Some(error.to_string()),
        };
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap();
        let mut did = did.lock().unwrap();
        did.calls += 1;
        did.slowest_ms = did.slowest_ms.max(took);
        did.errors.extend(error);
    }
}
