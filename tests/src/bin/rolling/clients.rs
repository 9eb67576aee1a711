//! Clients that look a person up until they are ended: one of our own, and those of other languages as processes.

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
use lienthong::{client::Client, demo};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use server::tls;
use tests::processes::{Fleet, ended};
use tokio::task::JoinHandle;

use crate::HANG;

/// Calls at once of each client.
pub(crate) const WORKERS: usize = 4;
/// Of one lookup, with all its attempts.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A call that fails at once is not made again at once: errors would be all that it does, and fill the memory.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// What a client did so far.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Did {
    pub(crate) calls: u64,
    pub(crate) errors: Vec<String>,
    /// Errors after the headers of an answer: grpcio and grpc-js do not attempt those calls again (gRFC A6), ours does.
    pub(crate) broken_off: Vec<String>,
    pub(crate) slowest_ms: u64,
}

/// What a client of another language is told, by the names it has there.
#[derive(Serialize)]
pub(crate) struct Settings {
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
    pub(crate) fn new(
        fleet: &Fleet,
        files: &tls::Files,
        request: &GetPersonRequest,
        service_config: String,
    ) -> Self {
        Self {
            target: format!("ipv4:{}", fleet.identity()),
            server_name: "localhost",
            ca: files.ca.clone(),
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            service_config,
            request: BASE64_STANDARD.encode(request.encode_to_vec()),
            workers: WORKERS,
            timeout_seconds: TIMEOUT.as_secs(),
        }
    }
}

/// A client that looks a person up until it is ended.
pub(crate) enum AnyClient {
    Here(Here),
    There(There),
}

impl AnyClient {
    pub(crate) fn there(
        name: &'static str,
        program: &Path,
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

    pub(crate) fn did(&mut self) -> Did {
        match self {
            Self::Here(here) => here.did.lock().unwrap().clone(),
            Self::There(there) => {
                there.tell("");
                there.hear()
            }
        }
    }

    pub(crate) async fn end(self) -> (&'static str, Did) {
        match self {
            Self::Here(mut here) => {
                here.over.store(true, Ordering::Relaxed);
                for worker in std::mem::take(&mut here.workers) {
                    worker.await.unwrap();
                }
                ("rust", here.did.lock().unwrap().clone())
            }
            Self::There(mut there) => {
                there.stdin = None;
                let did = there.hear();
                let ended = ended(&mut there.child);
                assert!(ended.is_some_and(|ended| ended.success()), "{}: {ended:?}", there.name);
                (there.name, did)
            }
        }
    }
}

/// A client in a process of its own.
pub(crate) struct There {
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
pub(crate) struct Here {
    did: Arc<Mutex<Did>>,
    over: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl Drop for Here {
    /// The workers end with it, also when the check ends in the middle: a runtime waits for them.
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Here {
    pub(crate) fn start(fleet: &Fleet, files: &tls::Files, request: &GetPersonRequest) -> Self {
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
        let failed = error.is_some();
        {
            let mut did = did.lock().unwrap();
            did.calls += 1;
            did.slowest_ms = did.slowest_ms.max(took);
            did.errors.extend(error);
        }
        if failed {
            tokio::time::sleep(AFTER_ERROR).await;
        }
    }
}
