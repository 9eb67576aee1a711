//! The policy service of these tests: its counts are those of the real one, its answers go wrong as it is told.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use contract::policy::v1::{
    DecideRequest, DecideResponse, GetConnectionRequest, GetConnectionResponse, LeaseVolumeRequest,
    LeaseVolumeResponse, WatchRevisionsRequest, WatchRevisionsResponse,
    policy_service_server::{PolicyService, PolicyServiceServer},
};
use decide::signed::DecisionVerifier;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use server::{
    Routes, Running, Server,
    channel::{self, Peer},
    runtime::{Clock, Entropy},
    tls,
};
use tempfile::TempDir;
use tokio::sync::{Barrier, Semaphore};
use tonic::{Request, Response, Status};

use super::*;

const DOMAIN: &str = "lienthong.test";
const LIFE: Duration = Duration::from_secs(60);
const BEGUN: i64 = 1_795_500_000;
/// An eighth of what is left, as policy leases beyond what is needed.
const PART: u32 = 8;

/// What goes wrong with a call.
#[derive(Clone)]
pub(super) enum Fault {
    /// Nothing is done.
    Away,
    /// It is done, and the answer does not arrive.
    Lost,
    /// Nothing is done, and it is refused.
    Refused(ErrorReason),
    /// It waits until it is let go, and then nothing is done.
    Held(Arc<Semaphore>),
    /// It waits until so many have come, and then it is done.
    Met(Arc<Barrier>),
}

impl Fault {
    pub(super) fn held() -> Self {
        Self::Held(Arc::new(Semaphore::new(0)))
    }

    pub(super) fn met(calls: usize) -> Self {
        Self::Met(Arc::new(Barrier::new(calls)))
    }

    pub(super) fn let_go(&self) {
        let Self::Held(held) = self else { panic!("nothing is held") };
        held.close();
    }
}

#[derive(Default)]
struct State {
    volume: u32,
    /// Of each grant how many are leased, or were told of.
    leased: BTreeMap<String, u32>,
    /// Of each lease how many it has, and whether it came back.
    leases: BTreeMap<String, (u32, bool)>,
    /// What goes wrong next, with whatever grant or with this one.
    faults: VecDeque<(Option<String>, Fault)>,
    asked: Vec<LeaseVolumeRequest>,
    /// Leases no more than is needed.
    sparing: bool,
    /// How often a lease was asked for that came back before.
    spent: u32,
}

impl State {
    fn fault(&mut self, grant: &str) -> Option<Fault> {
        let of = |(whose, _): &(Option<String>, Fault)| whose.as_deref().is_none_or(|w| w == grant);
        let place = self.faults.iter().position(of)?;
        self.faults.remove(place).map(|(_, fault)| fault)
    }

    /// Takes back, and then leases: both, or nothing because more is said to be used than was leased.
    fn lease(&mut self, request: &LeaseVolumeRequest) -> LeaseVolumeResponse {
        let leased = self.leased.entry(request.grant.clone()).or_default();
        assert!(request.returned.len() <= 100, "more than the contract takes");
        for back in &request.returned {
            let Some((persons, came_back)) = self.leases.get_mut(&back.lease) else { continue };
            assert!(back.used <= *persons, "more was used than was leased");
            if !std::mem::replace(came_back, true) {
                *leased -= *persons - back.used;
            }
        }
        let persons = match self.leases.get(&request.lease) {
            _ if request.lease.is_empty() => 0,
            Some((_, true)) => {
                self.spent += 1;
                0
            }
            Some((persons, false)) => *persons,
            None => {
                let left = self.volume - *leased;
                let more = if self.sparing { 0 } else { (left / PART).min(request.wanted) };
                let persons = more.max(request.needed).min(left);
                *leased += persons;
                if persons > 0 {
                    self.leases.insert(request.lease.clone(), (persons, false));
                }
                persons
            }
        };
        LeaseVolumeResponse {
            persons,
            lives_milliseconds: u64::try_from(LIFE.as_millis()).unwrap(),
            period_end: Some(prost_types::Timestamp { seconds: BEGUN * 2, nanos: 0 }),
        }
    }
}

struct Policy(Arc<Mutex<State>>);

#[tonic::async_trait]
impl PolicyService for Policy {
    async fn lease_volume(
        &self,
        request: Request<LeaseVolumeRequest>,
    ) -> Result<Response<LeaseVolumeResponse>, Status> {
        let request = request.into_inner();
        let fault = {
            let mut state = self.0.lock().unwrap();
            state.asked.push(request.clone());
            state.fault(&request.grant)
        };
        let lease = || self.0.lock().unwrap().lease(&request);
        let away = Err(refuse(ErrorReason::PolicyUnavailable));
        match fault {
            None => Ok(Response::new(lease())),
            Some(Fault::Away) => away,
            Some(Fault::Lost) => {
                lease();
                away
            }
            Some(Fault::Refused(reason)) => Err(refuse(reason)),
            Some(Fault::Held(held)) => {
                held.acquire().await.unwrap_err();
                away
            }
            Some(Fault::Met(met)) => {
                met.wait().await;
                Ok(Response::new(lease()))
            }
        }
    }

    /// Nobody calls it here.
    async fn decide(&self, _: Request<DecideRequest>) -> Result<Response<DecideResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    /// Nobody calls it here.
    async fn get_connection(
        &self,
        _: Request<GetConnectionRequest>,
    ) -> Result<Response<GetConnectionResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    type WatchRevisionsStream = stream::Empty<Result<WatchRevisionsResponse, Status>>;

    /// Nobody calls it here.
    async fn watch_revisions(
        &self,
        _: Request<WatchRevisionsRequest>,
    ) -> Result<Response<Self::WatchRevisionsStream>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

/// A policy service that runs, and a client of it.
pub(super) struct House {
    pub(super) client: PolicyClient,
    state: Arc<Mutex<State>>,
    clock: Arc<AtomicI64>,
    running: Running,
    _folder: TempDir,
}

impl House {
    /// Each grant has so many persons.
    pub(super) async fn new(volume: u32) -> Self {
        #[derive(serde::Deserialize)]
        struct Defaults {
            server: server::Config,
        }
        let folder = tempfile::tempdir().unwrap();
        let [own, identity] = issue(&folder, ["policy", "identity"]);
        let defaults: Defaults = server::config::load(&[server::config::DEFAULTS], None).unwrap();
        let config = server::Config {
            listen: "127.0.0.1:0".to_owned(),
            trust_domain: DOMAIN.to_owned(),
            certificate: own.certificate,
            key: own.key,
            ca: own.ca,
            lame_duck_seconds: 0,
            drain_max_seconds: 1,
            ..defaults.server
        };
        let state = Arc::new(Mutex::new(State { volume, ..State::default() }));
        let routes = Routes::new(PolicyServiceServer::new(Policy(Arc::clone(&state))));
        let running = Server::bind(config).await.unwrap().start(routes).await;
        let peer = Peer::direct(running.address().to_string(), "policy");
        let channel = channel::to_service(&peer, DOMAIN, &identity).unwrap();
        let clock = Arc::new(AtomicI64::new(BEGUN));
        let now = Arc::clone(&clock);
        let now = move || OffsetDateTime::from_unix_timestamp(now.load(Ordering::Relaxed)).unwrap();
        // Nothing is decided here, so nothing is signed.
        let signer = tlog::NoteSigner::from_seed("lienthong.test/decisions", [0; 32]).unwrap();
        let keys = DecisionVerifier::parse(signer.verifier_key()).unwrap();
        let client = PolicyClient::new(channel, keys, Clock::from_fn(now), Entropy::seeded(1));
        Self { client, state, clock, running, _folder: folder }
    }

    pub(super) async fn stop(self) {
        assert_eq!(self.state.lock().unwrap().spent, 0, "a lease was asked for that came back");
        self.running.stop().await;
    }

    /// What goes wrong with the next calls, instead of whatever was to.
    pub(super) fn fails(&self, faults: impl IntoIterator<Item = Fault>) {
        let faults = faults.into_iter().map(|fault| (None, fault)).collect();
        self.state.lock().unwrap().faults = faults;
    }

    /// What goes wrong with the next call about a grant.
    pub(super) fn fails_of(&self, grant: &str, fault: Fault) {
        self.state.lock().unwrap().faults.push_back((Some(grant.to_owned()), fault));
    }

    pub(super) fn leases_what_is_needed(&self) {
        self.state.lock().unwrap().sparing = true;
    }

    /// How many of a grant are leased, or were told of.
    pub(super) fn leased(&self, grant: &str) -> u32 {
        self.state.lock().unwrap().leased.get(grant).copied().unwrap_or_default()
    }

    /// Everything that was asked for.
    pub(super) fn asked(&self) -> Vec<LeaseVolumeRequest> {
        self.state.lock().unwrap().asked.clone()
    }

    /// Sets the client's clock on by so many seconds.
    pub(super) fn step(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// Certificates of services.
fn issue<const N: usize>(folder: &TempDir, services: [&str; N]) -> [tls::Files; N] {
    let write = |name: String, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = write("ca.pem".to_owned(), params.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(params, key);
    services.map(|service| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let uri = format!("spiffe://{DOMAIN}/service/{service}");
        params.subject_alt_names.push(SanType::URI(uri.as_str().try_into().unwrap()));
        let certificate = params.signed_by(&key, &issuer).unwrap();
        tls::Files {
            certificate: write(format!("{service}.pem"), certificate.pem()),
            key: write(format!("{service}.key"), key.serialize_pem()),
            ca: ca.clone(),
            crl: String::new(),
            revoked_identities: String::new(),
        }
    })
}
