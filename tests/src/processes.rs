//! Real processes: the binary, as an operator runs it, on a folder of its own, to be killed and started
//! again at the same addresses.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use lienthong::{
    client::Client,
    demo,
    pki::Pki,
    process::{ALL, Runtime},
    settings,
};
use server::{channel::Peer, config::Secret, tls};
use store::{Engine, testing::TestDatabase};

use crate::ports;

/// What `[server]` has by default, and the demonstration, whose settings these are, has not.
const LAME_DUCK_SECONDS: u64 = 2;
/// Of a start, and of an end: only a hang lasts this long.
const HANG: Duration = Duration::from_secs(60);

/// The four services.
pub const SERVICES: [&str; 4] = ["audit", "policy", "identity", "contribution"];

/// How the services are spread over processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Every service in one process.
    All,
    /// One process each.
    Each,
    /// One process each, but of the identity service as many as [`REPLICAS`], on one database, with the time that a
    /// process that ends leaves its callers by default.
    Replicas,
    /// One process each, but of the contribution service two, [`PAIR`], on one database.
    Pair,
}

/// The processes of the identity service in [`Shape::Replicas`].
pub const REPLICAS: [&str; 3] = ["identity-1", "identity-2", "identity-3"];

/// The processes of the contribution service in [`Shape::Pair`].
pub const PAIR: [&str; 2] = ["contribution-1", "contribution-2"];

impl Shape {
    /// The service of which there is more than one process, and those.
    fn replicated(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::All | Self::Each => None,
            Self::Replicas => Some(("identity", &REPLICAS)),
            Self::Pair => Some(("contribution", &PAIR)),
        }
    }
}

/// The service of a process.
fn service(name: &str) -> &str {
    name.split('-').next().unwrap()
}

/// One kind of process: how it is started, and the one that runs.
struct Place {
    config: PathBuf,
    environment: Vec<(String, String)>,
    running: Option<Child>,
}

/// Which process wrote what to its log, line by line.
type Said = Arc<Mutex<Vec<(&'static str, String)>>>;

/// All processes of a system.
pub struct Fleet {
    places: BTreeMap<&'static str, Place>,
    databases: BTreeMap<&'static str, TestDatabase>,
    peers: BTreeMap<&'static str, Peer>,
    pki: Pki,
    log_key: tlog::LogVerifier,
    log_key_file: String,
    audit: audit::Config,
    said: Said,
    environment: Vec<(String, String)>,
    _folder: tempfile::TempDir,
}

impl Fleet {
    /// Prepares a system in a new folder, with the agreements of the demonstration and no persons, and
    /// starts its processes.
    ///
    /// # Panics
    /// When anything is missing.
    pub async fn start(shape: Shape, engine: Engine) -> Self {
        Self::start_in(shape, engine, &[]).await
    }

    /// The same, with more in the environment of every process.
    ///
    /// # Panics
    /// When anything is missing.
    pub async fn start_in(shape: Shape, engine: Engine, environment: &[(&str, &str)]) -> Self {
        let mut fleet = Self::prepared(shape, engine, environment, |_| ()).await;
        fleet.start_missing();
        fleet
    }

    /// The same, with settings that `change` has changed, and not started yet.
    ///
    /// # Panics
    /// When anything is missing.
    pub async fn prepared(
        shape: Shape,
        engine: Engine,
        environment: &[(&str, &str)],
        change: impl FnOnce(&mut settings::All),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::system();
        let pki = Pki::open(&folder.path().join("pki"), runtime.clock.clone()).unwrap();
        // Callers keep the addresses over restarts, and processes know each other's before they start.
        let free = ports::free;
        let mut all = demo::settings(folder.path(), &free(), &pki, &runtime).unwrap();
        let mut databases = BTreeMap::new();
        for service in SERVICES {
            databases.insert(service, TestDatabase::new(engine).await);
        }
        // The file says what is public; where the data is, the environment says.
        let empty = || Secret::new("");
        (all.audit.database, all.policy.database) = (empty(), empty());
        (all.identity.database, all.contribution.database) = (empty(), empty());
        all.contribution.repeat_seconds = 1;
        change(&mut all);
        let log_key = std::fs::read_to_string(&all.identity.log_key_file).unwrap();
        let audit = all.audit.clone();
        let peer = |endpoint: &str, service: &str| Peer::direct(endpoint, service);
        let (mut files, mut replicas) = (Vec::new(), Vec::new());
        let peers = match shape {
            Shape::All => {
                files.push((ALL, toml::to_string(&all).unwrap()));
                SERVICES.iter().map(|name| (*name, peer(&all.server.listen, ALL))).collect()
            }
            Shape::Each | Shape::Replicas | Shape::Pair => {
                let mut peers: BTreeMap<_, _> =
                    SERVICES.iter().map(|name| (*name, peer(&free(), name))).collect();
                if let Some((service, names)) = shape.replicated() {
                    replicas = names.iter().map(|name| (*name, free())).collect();
                    let addresses: Vec<_> = replicas.iter().map(|(_, at)| at.as_str()).collect();
                    peers.insert(service, peer(&addresses.join(","), service));
                    all.server.lame_duck_seconds = LAME_DUCK_SECONDS;
                }
                files = each(&all, &pki, &peers, &replicas);
                peers
            }
        };
        let mut fleet = Self {
            places: BTreeMap::new(),
            databases,
            peers,
            pki,
            log_key_file: all.identity.log_key_file.clone(),
            log_key: tlog::LogVerifier::new(&log_key).unwrap(),
            audit,
            said: Arc::default(),
            environment: environment
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            _folder: folder,
        };
        for (name, text) in files {
            fleet.add(name, &text);
        }
        fleet
    }

    fn add(&mut self, name: &'static str, text: &str) {
        let config = self._folder.path().join(format!("{name}.toml"));
        std::fs::write(&config, text).unwrap();
        let own = |of: &&&'static str| name == ALL || service(name) == **of;
        let databases = SERVICES.iter().filter(own).map(|service| {
            let key = format!("LIENTHONG__{}__DATABASE", service.to_uppercase());
            (key, self.databases[service].url().to_owned())
        });
        let environment = databases.chain(self.environment.iter().cloned()).collect();
        self.places.insert(name, Place { config, environment, running: None });
    }

    /// The names of the processes.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.places.keys().copied().collect()
    }

    /// Kills a process where it stands (SIGKILL).
    pub fn kill(&mut self, name: &str) {
        if let Some(mut child) = self.places.get_mut(name).and_then(|place| place.running.take()) {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts every process that does not run, and waits until it serves.
    ///
    /// # Panics
    /// When one ends instead, or does not serve after a minute.
    pub fn start_missing(&mut self) {
        for (name, place) in &mut self.places {
            if place.running.is_none() {
                place.running = Some(start(name, place, &self.said));
            }
        }
    }

    /// Ends every process as an operator does (SIGTERM): what agencies reach first, the log last.
    ///
    /// # Panics
    /// When one does not end with status 0 within a minute.
    pub fn terminate(&mut self) {
        for of in [ALL, "contribution", "identity", "policy", "audit"] {
            for name in self.names().into_iter().filter(|name| service(name) == of) {
                self.terminate_one(name);
            }
        }
    }

    /// Ends one process, if it runs, in the same way.
    ///
    /// # Panics
    /// When it does not end with status 0 within a minute.
    pub fn terminate_one(&mut self, name: &str) {
        let Some(mut child) = self.places.get_mut(name).and_then(|p| p.running.take()) else {
            return;
        };
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let said = || self.said_by(name);
        let Some(ended) = ended(&mut child) else {
            panic!("{name} did not end {HANG:?} after SIGTERM; it said: {:?}", said())
        };
        assert!(ended.success(), "{name}: {ended}; it said: {:?}", said());
    }

    /// The id of a process that runs.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<u32> {
        self.places[name].running.as_ref().map(Child::id)
    }

    /// What the processes wrote to their logs.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    /// What one of them wrote.
    #[must_use]
    pub fn said_by(&self, name: &str) -> Vec<String> {
        let said = self.said.lock().unwrap();
        said.iter().filter(|(by, _)| *by == name).map(|(_, line)| line.clone()).collect()
    }

    /// Where the identity service is: `host:port`, or several with commas between them.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.peer("identity").endpoint
    }

    /// Where a service is: its endpoint, and the name in its certificate.
    #[must_use]
    pub fn peer(&self, service: &str) -> &Peer {
        &self.peers[service]
    }

    /// The certificate of an officer of the operator.
    ///
    /// # Panics
    /// When it cannot be issued.
    #[must_use]
    pub fn issue_operator(&self, name: &str) -> tls::Files {
        let id = format!("spiffe://{}/operator/{name}", demo::TRUST_DOMAIN);
        self.pki.issue(name, &id).unwrap()
    }

    /// The file of the log's public key.
    #[must_use]
    pub fn log_key_file(&self) -> &str {
        &self.log_key_file
    }

    /// The certificate of a system of an agency.
    ///
    /// # Panics
    /// When it cannot be issued.
    #[must_use]
    pub fn issue(&self, name: &str, agency: &str, system: &str) -> tls::Files {
        let id = format!("spiffe://{}/agency/{agency}/system/{system}", demo::TRUST_DOMAIN);
        self.pki.issue(name, &id).unwrap()
    }

    /// A caller of the contribution service, and one of the identity service.
    #[must_use]
    pub fn clients(&self, name: &str, agency: &str, system: &str) -> (Client, Client) {
        let files = self.issue(name, agency, system);
        let to = |peer: &Peer| {
            Client::new(&peer.endpoint, &peer.service, demo::TRUST_DOMAIN, &files).unwrap()
        };
        (to(self.peer("contribution")), to(self.peer("identity")))
    }

    /// A caller of each process of the contribution service.
    ///
    /// # Panics
    /// When there is no certificate for it.
    #[must_use]
    pub fn contributors(&self, name: &str, agency: &str, system: &str) -> Vec<Client> {
        let files = self.issue(name, agency, system);
        let Peer { endpoint, service, .. } = self.peer("contribution");
        let to = |at: &str| Client::new(at, service, demo::TRUST_DOMAIN, &files).unwrap();
        endpoint.split(',').map(to).collect()
    }

    /// The log's public key.
    #[must_use]
    pub fn log_key(&self) -> &tlog::LogVerifier {
        &self.log_key
    }

    /// The settings of the log, without its database.
    #[must_use]
    pub fn audit(&self) -> &audit::Config {
        &self.audit
    }

    /// Where a service's data is.
    #[must_use]
    pub fn database(&self, service: &str) -> &str {
        self.databases[service].url()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for place in self.places.values_mut() {
            if let Some(child) = &mut place.running {
                child.kill().ok();
                child.wait().ok();
            }
        }
    }
}

/// The configuration of each process.
fn each(
    all: &settings::All,
    pki: &Pki,
    peers: &BTreeMap<&'static str, Peer>,
    replicas: &[(&'static str, String)],
) -> Vec<(&'static str, String)> {
    let server = |name: &str| {
        let id = format!("spiffe://{}/service/{name}", demo::TRUST_DOMAIN);
        let files = pki.issue(name, &id).unwrap();
        server::Config {
            listen: peers[name].endpoint.clone(),
            certificate: files.certificate,
            key: files.key,
            ..all.server.clone()
        }
    };
    let (policy, audit) = (peers["policy"].clone(), peers["audit"].clone());
    let (mut identity, mut contribution) = (all.identity.clone(), all.contribution.clone());
    (identity.policy, identity.audit) = (policy.clone(), audit.clone());
    (contribution.policy, contribution.audit) = (policy, audit);
    contribution.identity = peers["identity"].clone();
    let audit = settings::Audit { server: server("audit"), audit: all.audit.clone() };
    let mut policy = settings::Policy { server: server("policy"), policy: all.policy.clone() };
    policy.policy.audit = peers["audit"].clone();
    let mut identity = settings::Identity { server: server("identity"), identity };
    let mut contribution = settings::Contribution { server: server("contribution"), contribution };
    let mut files = vec![
        ("audit", toml::to_string(&audit).unwrap()),
        ("policy", toml::to_string(&policy).unwrap()),
    ];
    // Each process of a service at its own address.
    let at = |of: &'static str| {
        let own = replicas.iter().filter(|(name, _)| service(name) == of).cloned();
        let own: Vec<_> = own.collect();
        if own.is_empty() { vec![(of, peers[of].endpoint.clone())] } else { own }
    };
    for (name, listen) in at("identity") {
        identity.server.listen = listen;
        files.push((name, toml::to_string(&identity).unwrap()));
    }
    for (name, listen) in at("contribution") {
        contribution.server.listen = listen;
        files.push((name, toml::to_string(&contribution).unwrap()));
    }
    files
}

/// How a process ends that was told to; nothing when it has not after a minute and was killed.
///
/// # Panics
/// When it cannot be waited for.
pub fn ended(child: &mut Child) -> Option<ExitStatus> {
    let told = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if told.elapsed() > HANG {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts a process and reads its log until it says that it serves.
fn start(name: &'static str, place: &Place, said: &Said) -> Child {
    let mut child = Command::new(binary())
        .args(["serve", service(name), "--config"])
        .arg(&place.config)
        .envs(place.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (serves, served) = mpsc::channel();
    let log = Arc::clone(said);
    std::thread::spawn(move || {
        // Gone when it was told, and when the process closes its log.
        let mut serves = Some(serves);
        for line in lines.map_while(Result::ok) {
            let serving = line.contains("\"serving\"");
            log.lock().unwrap().push((name, line));
            if let Some(serves) = serves.take_if(|_| serving) {
                serves.send(()).ok();
            }
        }
    });
    let Err(why) = served.recv_timeout(HANG) else { return child };
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    let said: Vec<_> = said.lock().unwrap().iter().filter(|(by, _)| *by == name).cloned().collect();
    match why {
        mpsc::RecvTimeoutError::Timeout => {
            panic!("{name} does not serve after {HANG:?} and was killed; it said: {said:?}")
        }
        mpsc::RecvTimeoutError::Disconnected => {
            panic!("{name} does not start: {ended}; it said: {said:?}")
        }
    }
}

/// The binary beside this program, or beside the folder of this test, which `tests/run` builds first.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().unwrap();
    let profile = if folder.ends_with("deps") { folder.parent().unwrap() } else { folder };
    let binary = profile.join("lienthong");
    assert!(binary.exists(), "{} is not built: run ./tests/run", binary.display());
    binary
}
