//! Every service in one process, as `lienthong serve all` runs it, on either engine, with the agreements of
//! the demonstration and some synthetic persons.

use std::collections::BTreeMap;

use lienthong::{
    client::Client,
    demo::{self, TRUST_DOMAIN},
    pki::Pki,
    process::{ALL, All, Runtime},
    settings,
    synth::{SyntheticPerson, generate},
};
use model::{PartialDate, Value};
use server::{Caller, config::Secret, runtime::Entropy, tls};
use store::{Engine, Migration, Sql, Store, testing::TestDatabase};

use crate::{
    behind_its_back,
    world::{Hands, NOW, parts::told},
};

/// Persons of the register.
const PERSONS: usize = 300;
const SEED: u64 = 1911;
/// When the register learnt of them, microseconds since 1970: 1 January 2026, under the law of today.
pub const LOADED_US: i64 = 1_767_225_600_000_000;
/// The callers: name, agency, system.
const CALLERS: [(&str, &str, &str); 6] = [
    ("civil-status", "Z01.DEMO.HOTICH", "ho-tich"),
    ("residence", "Z05.DEMO.CUTRU", "cu-tru"),
    ("social-insurance", "Z02.DEMO.BHXH", "bhyt"),
    ("portal", "Z03.DEMO.CONGDVC", "dvc"),
    ("citizen-id", "Z06.DEMO.CANCUOC", "can-cuoc"),
    ("medical", "Z07.DEMO.YTE", "y-te"),
];

/// Everything, running.
pub struct Whole {
    /// The services.
    pub all: All,
    /// The clock of all services.
    pub hands: Hands,
    /// The log's public key.
    pub log: tlog::LogVerifier,
    pki: Pki,
    people: Vec<SyntheticPerson>,
    files: BTreeMap<&'static str, tls::Files>,
    databases: BTreeMap<&'static str, TestDatabase>,
    settings: settings::All,
    _folder: tempfile::TempDir,
}

/// Everything, about to be started: a test can change what it starts with.
pub struct Prepared {
    /// The settings.
    pub settings: settings::All,
    /// Whoever has a certificate.
    pub pki: Pki,
    /// The time and randomness of all services.
    pub runtime: Runtime,
    hands: Hands,
    people: Vec<SyntheticPerson>,
    files: BTreeMap<&'static str, tls::Files>,
    databases: BTreeMap<&'static str, TestDatabase>,
    folder: tempfile::TempDir,
}

impl Whole {
    /// Starts everything on an engine.
    ///
    /// # Panics
    /// When something does not start.
    pub async fn start(engine: Engine) -> Self {
        Prepared::new(engine).await.start().await
    }
}

impl Prepared {
    /// Makes certificates, databases and persons.
    ///
    /// # Panics
    /// When something cannot be made.
    pub async fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Certificates are checked by the machine's clock; everything else goes by the test's.
        let machine = Runtime::system();
        let pki = Pki::open(&folder.path().join("pki"), machine.clock.clone()).unwrap();
        let hands = Hands::at(NOW);
        let runtime = Runtime { clock: hands.clock(), entropy: Entropy::seeded(SEED) };
        let mut settings = demo::settings(folder.path(), "127.0.0.1:0", &pki, &runtime).unwrap();
        let mut databases = BTreeMap::new();
        let people: Vec<_> = generate(SEED, PERSONS, NOW.date()).collect();
        let persons = people.clone();
        databases.insert("identity", register(engine, &settings.identity, persons).await);
        for service in ["audit", "policy", "contribution", "exchange"] {
            let database = TestDatabase::migrated(engine, service, migrations(service));
            databases.insert(service, database.await);
        }
        let url = |service: &str| Secret::new(databases[service].url());
        settings.audit.database = url("audit");
        settings.policy.database = url("policy");
        settings.identity.database = url("identity");
        settings.contribution.database = url("contribution");
        settings.exchange.database = url("exchange");
        settings.server.drain_max_seconds = 60;
        // The worker does nothing by itself here: a test says when.
        settings.contribution.repeat_seconds = 86_400;
        let mut files = BTreeMap::new();
        for (name, agency, system) in CALLERS {
            files.insert(name, pki.issue(name, &spiffe_id(agency, system)).unwrap());
        }
        Self { settings, pki, runtime, hands, people, files, databases, folder }
    }

    /// A living person with a whole date of birth, protected or not.
    #[must_use]
    pub fn person(&self, protected: bool) -> &SyntheticPerson {
        living(&self.people, protected)
    }

    /// The files of a caller.
    #[must_use]
    pub fn files(&self, name: &str) -> &tls::Files {
        &self.files[name]
    }

    /// Lets civil status obtain these items for corrections, have them explained, and find persons by them.
    ///
    /// # Panics
    /// When it could not obtain anything before.
    pub fn shows_civil_status(&self, items: &[&str]) {
        shows_civil_status(&self.settings.policy.registry_file, items);
    }

    /// The folder of everything that is a file.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Starts everything.
    ///
    /// # Panics
    /// When something does not start.
    pub async fn start(self) -> Whole {
        let Self { settings, pki, runtime, hands, people, files, databases, folder } = self;
        let log = std::fs::read_to_string(&settings.identity.log_key_file).unwrap();
        let log = tlog::LogVerifier::new(&log).unwrap();
        let all = All::start(settings.clone(), runtime).await.unwrap();
        Whole { all, hands, log, pki, people, files, databases, settings, _folder: folder }
    }
}

impl Whole {
    /// The settings it runs with.
    #[must_use]
    pub fn settings(&self) -> &settings::All {
        &self.settings
    }

    /// The files of a caller.
    #[must_use]
    pub fn files(&self, name: &str) -> &tls::Files {
        &self.files[name]
    }

    /// A caller's connection.
    #[must_use]
    pub fn client(&self, name: &str) -> Client {
        self.client_with(&self.files[name])
    }

    /// A connection with these files.
    #[must_use]
    pub fn client_with(&self, files: &tls::Files) -> Client {
        let endpoint = self.all.address().to_string();
        Client::new(&endpoint, ALL, TRUST_DOMAIN, files).unwrap()
    }

    /// Files of an identity of the trust domain, by its path.
    #[must_use]
    pub fn issue(&self, name: &str, path: &str) -> tls::Files {
        self.pki.issue(name, &format!("spiffe://{TRUST_DOMAIN}{path}")).unwrap()
    }

    /// A caller as the server core knows it, for a test that calls a handler without a connection.
    #[must_use]
    pub fn caller(&self, name: &str) -> Caller {
        let (_, agency, system) = CALLERS.iter().find(|(known, ..)| *known == name).unwrap();
        Caller::parse(&spiffe_id(agency, system), TRUST_DOMAIN).unwrap()
    }

    /// A living person with a whole date of birth, of whom a test can say anything; protected or not.
    #[must_use]
    pub fn person(&self, protected: bool) -> &SyntheticPerson {
        living(&self.people, protected)
    }

    /// Stops everything, and starts it again with other rules of authority: of a file, or the shipped ones.
    pub async fn under_rules(mut self, file: &str) -> Self {
        file.clone_into(&mut self.settings.identity.authority_file);
        self.restarted(&[]).await
    }

    /// Stops everything, changes the exchange's database meanwhile, and starts everything again.
    ///
    /// # Panics
    /// When the database refuses, or something does not start.
    pub async fn restarted(self, changes: &'static [&'static str]) -> Self {
        self.changed("exchange", changes).await
    }

    /// Stops everything, changes a service's database meanwhile, and starts everything again.
    ///
    /// # Panics
    /// When the database refuses, or something does not start.
    pub async fn changed(self, service: &str, changes: &'static [&'static str]) -> Self {
        self.all.stop().await;
        behind_its_back(self.databases[service].url(), migrations(service), changes).await;
        let runtime = Runtime { clock: self.hands.clock(), ..Runtime::system() };
        let all = All::start(self.settings.clone(), runtime).await.unwrap();
        Self { all, ..self }
    }

    /// Stops everything, does something with a service's database meanwhile, by its URL, and starts everything again.
    ///
    /// # Panics
    /// When something does not start.
    pub async fn with_closed(self, service: &str, work: impl AsyncFnOnce(&str)) -> Self {
        self.all.stop().await;
        work(self.databases[service].url()).await;
        let runtime = Runtime { clock: self.hands.clock(), ..Runtime::system() };
        let all = All::start(self.settings.clone(), runtime).await.unwrap();
        Self { all, ..self }
    }

    /// Stops everything, changes a service's database meanwhile, and says why it does not start again.
    ///
    /// # Panics
    /// When the database refuses, or everything starts.
    pub async fn refuses_to_start(self, service: &str, changes: &'static [&'static str]) -> String {
        self.all.stop().await;
        behind_its_back(self.databases[service].url(), migrations(service), changes).await;
        let runtime = Runtime { clock: self.hands.clock(), ..Runtime::system() };
        match All::start(self.settings.clone(), runtime).await {
            Ok(_) => panic!("everything started"),
            Err(error) => format!("{error:#}"),
        }
    }

    /// A number that a query of a service's database gives, read without disturbing the service.
    pub async fn count(&self, service: &str, sql: &'static str) -> i64 {
        let url = self.databases[service].url();
        let store = Store::open_read_only(url, migrations(service)).await.unwrap();
        let rows = store.read(&Sql::same(sql), Vec::new()).await.unwrap();
        store.close().await;
        rows[0].try_get_by(0).unwrap()
    }

    /// Folds every record anew, and says how many persons there are.
    ///
    /// # Panics
    /// When a record is not the fold of its assertions, or its keys are not those of the record (I5).
    pub async fn persons(&self) -> u64 {
        let recomputed = self.all.identity().store().recompute().await.unwrap();
        assert_eq!((recomputed.different, recomputed.wrongly_keyed), (0, 0));
        recomputed.persons
    }

    /// The agreements that it was started with.
    #[must_use]
    pub fn registry(&self) -> policy::domain::registry::Registry {
        let text = std::fs::read_to_string(&self.settings.policy.registry_file).unwrap();
        policy::domain::registry::Registry::parse(&text).unwrap()
    }

    /// Puts a registry in force, and waits until everybody is told who keeps decisions.
    ///
    /// # Panics
    /// When it cannot be used.
    pub async fn apply_registry(&self, registry: &policy::domain::registry::Registry) {
        self.all.policy().apply_registry(registry).await.unwrap();
        self.all_told().await;
    }

    /// Waits until everybody is told of what is in force who keeps decisions.
    ///
    /// # Panics
    /// When policy does not say what is.
    pub async fn all_told(&self) {
        let newest = self.all.policy().revision_number().await.unwrap();
        told(self.all.identity().told(), newest).await;
        told(self.all.contribution().told(), newest).await;
    }

    /// How many records the log has.
    pub async fn records(&self) -> u64 {
        let note = self.all.audit().checkpoint().await.unwrap();
        self.log.verify(&note).unwrap().size
    }
}

/// A register of these persons, loaded before the service is started.
async fn register(
    engine: Engine,
    settings: &identity::Config,
    people: Vec<SyntheticPerson>,
) -> TestDatabase {
    let settings = settings.clone();
    TestDatabase::copy_of(engine, "the register of everything", async |url| {
        let settings = identity::Config { database: Secret::new(&url), ..settings };
        let register = identity::Service::register(&settings).await.unwrap();
        let newcomers = people.into_iter().map(identity::Newcomer::from);
        register.load(newcomers.collect(), "synthetic", LOADED_US).await.unwrap();
        register.close().await;
    })
    .await
}

fn migrations(service: &str) -> &'static [Migration] {
    match service {
        "identity" => identity::migrations(),
        "contribution" => contribution::migrations(),
        "exchange" => exchange::migrations(),
        "policy" => policy::migrations(),
        _ => audit::migrations(),
    }
}

/// Lets civil status obtain these items for corrections, have them explained, and find persons by them, in a file of
/// agreements.
///
/// # Panics
/// When it could not obtain anything before.
pub fn shows_civil_status(file: &str, items: &[&str]) {
    let mut text = std::fs::read_to_string(file).unwrap();
    let actions = ["obtain", "explain", "resolve", "search", "relations", "inverse-relations"];
    for action in actions {
        let grant = format!("action = \"{action}\"\nprocedure = \"civil-status-correction\"\n");
        let begins = text.find(&grant).unwrap();
        let list = begins + text[begins..].find("items = ").unwrap();
        let ends = list + text[list..].find(']').unwrap() + 1;
        text.replace_range(list..ends, &format!("items = {items:?}"));
        // How somebody is reached is told by consent only, which civil status may record, too.
        let contact = "contact_points";
        if action == "obtain" && items.contains(&contact) {
            let recording = grant.replace("obtain", "record-consents");
            let ground = "legal_basis = \"1911-2021-art-2-1\"";
            let grant =
                format!("{recording}{ground}\nitems = [\"{contact}\"]\n\n[[agreement.grant]]\n");
            text.insert_str(begins, &grant);
        }
    }
    std::fs::write(file, text).unwrap();
}

fn living(people: &[SyntheticPerson], protected: bool) -> &SyntheticPerson {
    let of = |person: &&SyntheticPerson| {
        let dead = person.assertions.iter().any(|said| said.0 == "death_or_missing_date");
        person.protected == protected && !dead && born(person).month() > 0
    };
    people.iter().find(of).unwrap()
}

fn spiffe_id(agency: &str, system: &str) -> String {
    format!("spiffe://{TRUST_DOMAIN}/agency/{agency}/system/{system}")
}

/// The date of birth of a synthetic person.
#[must_use]
pub fn born(person: &SyntheticPerson) -> PartialDate {
    match person.assertions.iter().find(|said| said.0 == "date_of_birth").map(|said| &said.1) {
        Some(Value::Date(date)) => *date,
        _ => panic!("every person is born"),
    }
}

/// The name of a synthetic person.
#[must_use]
pub fn full_name(person: &SyntheticPerson) -> &str {
    match person.assertions.iter().find(|said| said.0 == "birth_full_name").map(|said| &said.1) {
        Some(Value::Name(name)) => name.full_name.as_str(),
        _ => panic!("every person has a name"),
    }
}
