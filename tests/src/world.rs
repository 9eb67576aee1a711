//! The services, each as in a process of its own: its own database, its own port, its own identity. Between
//! identity and the two services behind it lies a road that a test can cut or stall.

pub(crate) mod parts;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use lienthong::{
    client::Client,
    pki::Pki,
    settings::{self, Settings as _},
    synth,
};
use parts::Part;
use server::{
    Recording,
    config::Secret,
    runtime::{Clock, Entropy},
    tls,
};
use store::{Engine, testing::TestDatabase};
use tempfile::TempDir;
use time::{OffsetDateTime, macros::datetime};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use crate::{Person, raw::Raw, relay::Relay};

/// The trust domain of every identity.
pub const TRUST_DOMAIN: &str = "lienthong.test";
/// The day on which the tests begin: 10:00 in Viet Nam.
pub const NOW: OffsetDateTime = datetime!(2026-11-24 03:00 UTC);
/// Persons of the register.
const PERSONS: usize = 600;
const SEED: u64 = 1911;
const ORIGIN: &str = "lienthong.test/lienthong-access/test";
const REGISTRY: &str = include_str!("../testdata/registry.toml");
const OFFICERS: &str = include_str!("../../services/policy/testdata/officers.toml");
/// The callers: name, agency, system. The last one has a certificate and no connection.
const CALLERS: [(&str, &str, &str); 7] = [
    ("insurance", "Z24.TEST", "health-insurance"),
    ("police", "Z01.TEST", "investigation"),
    ("portal", "Z99.TEST", "portal"),
    ("suspended", "Z99.TEST", "suspended"),
    ("revoked", "Z99.TEST", "revoked"),
    ("lapsed", "Z99.TEST", "lapsed"),
    ("stranger", "Z99.TEST", "stranger"),
];
/// Worlds at the same time; each opens three databases.
static WORLDS: Semaphore = Semaphore::const_new(8);

/// A clock that stands until it is turned.
#[derive(Clone)]
pub struct Hands(Arc<Mutex<OffsetDateTime>>);

impl Hands {
    /// A clock that stands at `at`.
    #[must_use]
    pub fn at(at: OffsetDateTime) -> Self {
        Self(Arc::new(Mutex::new(at)))
    }

    /// Turns the clock on.
    pub fn step(&self, by: time::Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// The clock, as services take it.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let at = Arc::clone(&self.0);
        Clock::from_fn(move || *at.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a world is started with.
#[derive(Clone, Copy)]
pub struct Options {
    /// Lookups that match nobody, per connection and hour.
    pub misses_max: u32,
    /// How long identity lets open calls end when it is stopped.
    pub drain_max_seconds: u64,
    /// Whether the services look whether what they stand on is there. It uses the roads too, so whoever waits for
    /// a call on one goes without.
    pub readiness: bool,
    /// Calls under way at identity, of one caller.
    pub calls_per_caller_max: usize,
    /// Persons that one connection follows by name.
    pub followed_max: u32,
    /// Persons of the register.
    pub persons: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            misses_max: 100,
            drain_max_seconds: 60,
            readiness: false,
            calls_per_caller_max: 512,
            followed_max: 100_000,
            persons: PERSONS,
        }
    }
}

/// Everything, running.
pub struct World {
    /// The clock of policy and identity.
    pub hands: Hands,
    /// The road from identity and policy to the access log.
    pub to_audit: Relay,
    /// The road from identity to policy.
    pub to_policy: Relay,
    /// The access log's public key.
    pub log: tlog::LogVerifier,
    options: Options,
    /// The keys of warrants, by their seeds: the first one signs. None are issued where there is none.
    signing: Vec<u8>,
    /// The clock of policy, where it has one of its own.
    policy_clock: Option<Clock>,
    entropy: Entropy,
    folder: TempDir,
    pki: Pki,
    databases: [TestDatabase; 3],
    people: Vec<Person>,
    audit: Option<Part<audit::Service>>,
    policy: Option<Part<policy::Service>>,
    identity: Option<Part<identity::Service>>,
    /// Where it tells portals who saw a citizen, if it does.
    usage: OnceCell<SocketAddr>,
    recording: Option<Recording>,
    _permit: SemaphorePermit<'static>,
}

impl World {
    /// Starts everything on an engine.
    ///
    /// # Panics
    /// When something does not start.
    pub async fn new(engine: Engine) -> Self {
        Self::with(engine, Options::default()).await
    }

    /// As [`World::new`], with other options.
    ///
    /// # Panics
    /// When something does not start.
    pub async fn with(engine: Engine, options: Options) -> Self {
        let permit = WORLDS.acquire().await.expect("the bound stands");
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The machine's clock: certificates are checked by it.
        let pki = Pki::open(&folder.path().join("pki"), Clock::system()).expect("a CA");
        let entropy = Entropy::seeded(SEED);
        let signer = tlog::LogSigner::from_seed(ORIGIN, entropy.array()).expect("a log key");
        for (name, text) in [
            ("registry.toml", REGISTRY),
            ("officers.toml", OFFICERS),
            ("log.key", signer.secret_text()),
            ("log.vkey", signer.verifier_key()),
            ("kek.key", &audit::new_key(&Entropy::system())),
            ("policy.key", parts::decision_signer(0).secret_text()),
            ("policy.vkey", parts::decision_signer(0).verifier_key()),
        ] {
            let written = lienthong::pki::write_secret(&folder.path().join(name), text);
            written.expect("a file can be written");
        }
        let log = tlog::LogVerifier::new(signer.verifier_key()).expect("a verifier key");
        let databases = [
            TestDatabase::migrated(engine, "audit", audit::migrations()).await,
            TestDatabase::migrated(engine, "policy", policy::migrations()).await,
            register(engine, options.persons).await,
        ];
        let people = people(options.persons).map(Person).collect();
        let mut world = Self {
            hands: Hands::at(NOW),
            to_audit: Relay::new().await,
            to_policy: Relay::new().await,
            log,
            options,
            signing: Vec::new(),
            policy_clock: None,
            entropy,
            folder,
            pki,
            databases,
            people,
            audit: None,
            policy: None,
            identity: None,
            usage: OnceCell::new(),
            recording: None,
            _permit: permit,
        };
        world.start_audit().await;
        world.start_policy().await;
        world.start_identity().await;
        world
    }

    /// A person of the register.
    ///
    /// # Panics
    /// When there is none of that kind.
    #[must_use]
    pub fn person(&self, kind: impl Fn(&Person) -> bool) -> &Person {
        self.people.iter().find(|person| kind(person)).expect("a person of that kind")
    }

    /// A living person whom everybody may learn of, with a whole date of birth.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn plain(&self) -> &Person {
        self.person(|p| p.is_plain() && p.has_whole_date() && p.old_number().is_some())
    }

    /// Everybody in the register.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The files of a caller; see the table in this file.
    ///
    /// # Panics
    /// When there is no such caller.
    #[must_use]
    pub fn files(&self, caller: &str) -> tls::Files {
        let found = CALLERS.iter().find(|(name, ..)| *name == caller);
        let (name, agency, system) = found.expect("a caller of that name");
        self.issue(name, &format!("spiffe://{TRUST_DOMAIN}/agency/{agency}/system/{system}"))
    }

    /// Files of any identity, issued by the CA of this world.
    ///
    /// # Panics
    /// When they cannot be issued.
    #[must_use]
    pub fn issue(&self, name: &str, spiffe_id: &str) -> tls::Files {
        self.pki.issue(name, spiffe_id).expect("a certificate")
    }

    /// The same CA, with a clock of the caller's.
    ///
    /// # Panics
    /// When it cannot be opened.
    #[must_use]
    pub fn pki_at(&self, clock: Clock) -> Pki {
        Pki::open(&self.folder.path().join("pki"), clock).expect("the CA")
    }

    /// A connection to identity as a caller.
    ///
    /// # Panics
    /// When identity does not run.
    #[must_use]
    pub fn client(&self, caller: &str) -> Client {
        self.client_with(&self.files(caller))
    }

    /// A connection to a process of identity as a caller.
    ///
    /// # Panics
    /// When there is no such caller.
    #[must_use]
    pub fn client_at(&self, address: SocketAddr, caller: &str) -> Client {
        let files = self.files(caller);
        Client::new(&address.to_string(), "identity", TRUST_DOMAIN, &files).expect("a client")
    }

    /// A connection to identity with these files.
    ///
    /// # Panics
    /// When identity does not run.
    #[must_use]
    pub fn client_with(&self, files: &tls::Files) -> Client {
        let address = self.address().to_string();
        Client::new(&address, "identity", TRUST_DOMAIN, files).expect("a client")
    }

    /// A connection to policy with these files, as officers have it.
    ///
    /// # Panics
    /// When policy does not run.
    #[must_use]
    pub fn policy_client(&self, files: &tls::Files) -> Client {
        let address = self.policy.as_ref().expect("policy runs").running.address().to_string();
        Client::new(&address, "policy", TRUST_DOMAIN, files).expect("a client")
    }

    /// A connection to identity that sends what it is told.
    ///
    /// # Panics
    /// When there is no connection.
    pub async fn raw(&self, caller: &str) -> Raw {
        Raw::connect(self.address(), &self.files(caller)).await.expect("a connection")
    }

    /// Where identity listens.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.identity.as_ref().expect("identity runs").running.address()
    }

    /// Adds persons to the register while identity runs, each with a number of its own.
    ///
    /// # Panics
    /// When identity is stopped, or the register refuses.
    pub async fn add(&self, persons: Vec<identity::Newcomer>) {
        let known_at_us = i64::try_from(NOW.unix_timestamp_nanos() / 1_000).expect("it fits");
        let register = self.identity.as_ref().expect("identity runs").service.store();
        register.load(persons, "added", known_at_us).await.expect("it loads");
    }

    /// Has identity take away the changes that are older than they are told, and says how many.
    ///
    /// # Panics
    /// When identity is stopped, or the register refuses.
    pub async fn forget(&self) -> u64 {
        let identity = &self.identity.as_ref().expect("identity runs").service;
        identity.take_old_changes_away().await.expect("they are taken away")
    }

    /// Folds every record anew, and says how many are not as they are stored (I5).
    ///
    /// # Panics
    /// When identity is stopped, the register cannot be read, or somebody's keys are not those of the record.
    pub async fn different(&self) -> u64 {
        let register = self.identity.as_ref().expect("identity runs").service.store();
        let recomputed = register.recompute().await.expect("the register is read");
        assert_eq!(recomputed.wrongly_keyed, 0);
        recomputed.different
    }

    /// How many statements identity has sent to the register.
    ///
    /// # Panics
    /// When identity is stopped.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.identity.as_ref().expect("identity runs").service.store().statements()
    }

    /// How many records the access log has; its newest checkpoint is verified.
    ///
    /// # Panics
    /// When it does not run, or its checkpoint does not hold.
    pub async fn records(&self) -> u64 {
        let audit = &self.audit.as_ref().expect("audit runs").service;
        let note = audit.checkpoint().await.expect("a checkpoint");
        self.log.verify(&note).expect("the log signed it").size
    }

    /// Records of the access log, opened.
    ///
    /// # Panics
    /// When it does not run, or its keys cannot be had.
    pub async fn opened(&self, indexes: &[u64]) -> BTreeMap<u64, audit::Opened> {
        let audit = &self.audit.as_ref().expect("audit runs").service;
        audit.open_records(indexes).await.expect("the log is read")
    }

    /// The URL of the register's database.
    #[must_use]
    pub fn register_database(&self) -> &str {
        let [.., register] = &self.databases;
        register.url()
    }

    /// The URL of policy's database.
    #[must_use]
    pub fn policy_database(&self) -> &str {
        let [_, policy, _] = &self.databases;
        policy.url()
    }

    /// Has identity ask policy for each decision from now on.
    ///
    /// # Panics
    /// When identity is stopped.
    pub fn keep_nothing(&self) {
        self.identity.as_ref().expect("identity runs").service.keep_nothing();
    }

    /// The URL of the access log's database.
    #[must_use]
    pub fn audit_database(&self) -> &str {
        let [audit, ..] = &self.databases;
        audit.url()
    }
}

fn people(persons: usize) -> impl Iterator<Item = synth::SyntheticPerson> {
    synth::generate(SEED, persons, NOW.date())
}

/// A register with so many persons, as an operator has loaded them before the service is started.
async fn register(engine: Engine, persons: usize) -> TestDatabase {
    TestDatabase::copy_of(engine, &format!("a world of {persons}"), async |url| {
        let newcomers: Vec<_> = people(persons).map(identity::Newcomer::from).collect();
        let mut config = settings::Identity::load(None).expect("settings").identity;
        (config.database, config.synthetic) = (Secret::new(&url), true);
        let register = identity::Service::register(&config).await.expect("the register opens");
        let known_at_us = i64::try_from(NOW.unix_timestamp_nanos() / 1_000).expect("it fits");
        // As a large population is loaded: on PostgreSQL by COPY. So whatever is tested here is tested of what that leaves.
        let entropy = Entropy::seeded(SEED + 1);
        let bulk = register.bulk("test-population", known_at_us, &entropy).await;
        let batch = bulk.expect("a load begins").batch(newcomers).expect("a batch");
        let loaded = register.load_batch(batch).await.expect("it loads");
        assert_eq!(loaded, persons);
        register.close().await;
    })
    .await
}
