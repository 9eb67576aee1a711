//! A demonstration in one folder: identities, agreements, synthetic persons, all services in one process,
//! and a tour. A second start on the same folder keeps what is there.

mod admitted;
mod exchanged;
mod shown;
mod subjects;
mod tour;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use contract::r#type::v1::AccessBasis;
use server::{channel::Peer, config::Secret, tls};

use crate::{
    client::Client,
    databases::{Database, Wanted},
    pki::{Pki, shown, write_secret},
    population,
    process::{self, Runtime},
    settings::{self, Settings as _},
};
pub use subjects::{BirthDate, Subject, choose};
pub use tour::{basis, lookup};

/// The trust domain of every identity of a demonstration.
pub const TRUST_DOMAIN: &str = "lienthong.test";
/// The callers: name, agency, system.
const CALLERS: [(&str, &str, &str); 5] = [
    ("civil-status", "Z01.DEMO.HOTICH", "ho-tich"),
    ("residence", "Z05.DEMO.CUTRU", "cu-tru"),
    ("social-insurance", "Z02.DEMO.BHXH", "bhyt"),
    ("portal", "Z03.DEMO.CONGDVC", "dvc"),
    ("former", "Z04.DEMO.CU", "cu"),
];
/// The officers, as their file has them; the first looks after the connections.
const OFFICERS: [&str; 6] =
    ["operator", "second-registrar", "assessor", AUDITOR, "policy-author", "policy-approver"];
/// The file of the key-encryption key of the access log.
pub const KEK: &str = "kek.key";
/// The one who may read the entries of the access log.
const AUDITOR: &str = "auditor";
const OFFICERS_FILE: &str = include_str!("../data/demo-officers.toml");
/// A system that is not connected yet: the tour admits it.
const NEWCOMER: &str = "national-portal";
const NEWCOMER_AGENCY: &str = "Z08.DEMO.CONGQG";
const NEWCOMER_SYSTEM: &str = "cong-quoc-gia";
/// Of the callers, the databases that run in the same process and are connected.
const CONNECTED: [&str; 2] = ["civil-status", "residence"];
const REGISTRY: &str = include_str!("../data/demo-registry.toml");

/// What a demonstration is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of everything it keeps.
    pub folder: PathBuf,
    /// Where agencies reach it; port 0 lets the system choose.
    pub listen: String,
    /// Synthetic persons in a new register.
    pub persons: usize,
    /// Seed of those persons.
    pub seed: u64,
}

/// A running demonstration.
pub struct Demo {
    folder: PathBuf,
    process: process::All,
    databases: Vec<Database>,
    callers: BTreeMap<&'static str, tls::Files>,
    subjects: Vec<Subject>,
    log: tlog::LogVerifier,
    runtime: Runtime,
}

impl Demo {
    /// Prepares the folder, loads the persons into a new register, and starts every service.
    ///
    /// # Errors
    /// When the folder cannot be used, another process runs on it, or the address is taken.
    pub async fn start(options: &Options, runtime: Runtime) -> Result<Self> {
        let folder = options.folder.clone();
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", shown(&folder)))?;
        let pki = Pki::open(&folder.join("pki"), runtime.clock.clone())?;
        let mut callers = BTreeMap::new();
        for (name, agency, system) in CALLERS {
            let id = format!("spiffe://{TRUST_DOMAIN}/agency/{agency}/system/{system}");
            callers.insert(name, pki.issue(name, &id)?);
        }
        for officer in OFFICERS {
            let id = format!("spiffe://{TRUST_DOMAIN}/operator/{officer}");
            callers.insert(officer, pki.issue(officer, &id)?);
        }
        let newcomer =
            format!("spiffe://{TRUST_DOMAIN}/agency/{NEWCOMER_AGENCY}/system/{NEWCOMER_SYSTEM}");
        callers.insert(NEWCOMER, pki.issue(NEWCOMER, &newcomer)?);
        let mut settings = settings(&folder, &options.listen, &pki, &runtime)?;
        let subjects = populate(options, &settings, &runtime).await?;
        let log = tlog::LogVerifier::new(&fs::read_to_string(&settings.identity.log_key_file)?)?;
        let (mut databases, mut owns) = (Vec::new(), Vec::new());
        for name in CONNECTED {
            let files = callers.get(name).with_context(|| format!("no caller `{name}`"))?;
            let wanted = Wanted {
                profile: name,
                folder: &folder,
                server: server::Config {
                    listen: "127.0.0.1:0".to_owned(),
                    certificate: files.certificate.clone(),
                    key: files.key.clone(),
                    ..settings.server.clone()
                },
                allow: vec![format!("spiffe://{TRUST_DOMAIN}/service/exchange")],
                warrant_issuer: format!("spiffe://{TRUST_DOMAIN}/service/policy"),
                warrant_keys_file: String::new(),
                persons: options.persons,
                changes: 0,
                seed: options.seed,
            };
            databases.push(Database::start(&wanted, &runtime).await?);
            owns.push(wanted.server);
        }
        settings.exchange.routes_file = routes(&databases, &folder)?;
        let process = process::All::start(settings, runtime.clone()).await?;
        let register = Peer::direct(process.address().to_string(), process::ALL);
        for (database, own) in databases.iter().zip(&owns) {
            database.follow(&register, own)?;
        }
        let demo = Self { folder, process, databases, callers, subjects, log, runtime };
        demo.describe()?;
        Ok(demo)
    }

    /// The address that agencies reach.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.process.address().to_string()
    }

    /// Where the access log is shown to those with a certificate.
    #[must_use]
    pub fn log_for_auditors(&self) -> Option<String> {
        self.process.certified().map(|address| format!("https://localhost:{}", address.port()))
    }

    /// Where portals are told who saw a citizen.
    #[must_use]
    pub fn usage(&self) -> Option<String> {
        self.process.usage().map(|address| format!("https://localhost:{}", address.port()))
    }

    /// Persons to look up by hand, with their claims.
    #[must_use]
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// The access log's public key.
    #[must_use]
    pub fn log(&self) -> &tlog::LogVerifier {
        &self.log
    }

    /// A connection as one of the demonstration's callers: `civil-status`, `social-insurance`, `portal`
    /// or `former`.
    ///
    /// # Errors
    /// When there is no such caller.
    pub fn client(&self, caller: &str) -> Result<Client> {
        Client::new(&self.endpoint(), process::ALL, TRUST_DOMAIN, self.files(caller)?)
    }

    /// The files of a caller's identity.
    fn files(&self, caller: &str) -> Result<&tls::Files> {
        self.callers.get(caller).with_context(|| format!("no caller `{caller}`"))
    }

    /// Writes `demo.json`: what any gRPC client needs to be pointed at this demonstration.
    fn describe(&self) -> Result<()> {
        let absolute = |path: &str| -> Result<String> { Ok(shown(&fs::canonicalize(path)?)) };
        let mut callers = serde_json::Map::new();
        let mut ca = String::new();
        let registry = policy::domain::registry::Registry::parse(REGISTRY)?;
        for (name, agency, system) in CALLERS {
            let Some(files) = self.callers.get(name) else { continue };
            ca = absolute(&files.ca)?;
            // What the caller may ask for: a ground as a request carries it, and the items under it.
            let connection = registry.connections.iter().find(|c| c.agency == agency);
            let of = |id: &String| connection.is_some_and(|connection| connection.id == *id);
            let agreement = registry.agreements.iter().find(|a| of(&a.connection));
            let grant = agreement.and_then(|agreement| agreement.grants.first());
            let basis = grant.map(|grant| {
                serde_json::json!({
                    "procedure": grant.procedure,
                    "legal_basis": grant.legal_basis,
                    "case_reference": "DEMO-0001",
                    "acting_unit": agency,
                    "officer": "can-bo-01",
                })
            });
            let caller = serde_json::json!({
                "spiffe_id": format!("spiffe://{TRUST_DOMAIN}/agency/{agency}/system/{system}"),
                "certificate": absolute(&files.certificate)?,
                "key": absolute(&files.key)?,
                "connection": connection.map(|connection| connection.state),
                "basis": basis,
                "items": grant.map(|grant| &grant.items),
            });
            callers.insert(name.to_owned(), caller);
        }
        for name in OFFICERS {
            let Some(files) = self.callers.get(name) else { continue };
            let officer = serde_json::json!({
                "spiffe_id": format!("spiffe://{TRUST_DOMAIN}/operator/{name}"),
                "certificate": absolute(&files.certificate)?,
                "key": absolute(&files.key)?,
            });
            callers.insert(name.to_owned(), officer);
        }
        let description = serde_json::json!({
            "synthetic": true,
            "endpoint": self.endpoint(),
            "server_name": "localhost",
            "service": process::ALL,
            "trust_domain": TRUST_DOMAIN,
            "ca": ca,
            "log": self.process.tiles().map(|address| format!("http://{address}")),
            "log_for_auditors": self.log_for_auditors(),
            "usage": self.usage(),
            "log_key": absolute(&shown(&self.folder.join("log.vkey")))?,
            "callers": callers,
            "databases": self.databases.iter().map(|database| serde_json::json!({
                "name": database.profile(),
                "endpoint": database.endpoint(),
            })).collect::<Vec<_>>(),
            "subjects": self.subjects,
        });
        let path = self.folder.join("demo.json");
        fs::write(&path, serde_json::to_string_pretty(&description)? + "\n")
            .with_context(|| format!("cannot write {}", shown(&path)))
    }

    /// Drains and stops every service.
    pub async fn stop(self) {
        self.process.stop().await;
        for database in self.databases {
            database.stop().await;
        }
    }
}

/// The settings of a demonstration in a folder, with the keys they name. Its identities are issued by `pki`.
///
/// # Errors
/// When the folder cannot be written.
pub fn settings(
    folder: &Path,
    listen: &str,
    pki: &Pki,
    runtime: &Runtime,
) -> Result<settings::All> {
    let service = |name: &str| pki.issue(name, &format!("spiffe://{TRUST_DOMAIN}/service/{name}"));
    let own = service(process::ALL)?;
    let mut settings = settings::All::load(None)?;
    settings.server = server::Config {
        listen: listen.to_owned(),
        trust_domain: TRUST_DOMAIN.to_owned(),
        certificate: own.certificate,
        key: own.key,
        ca: own.ca,
        // Nobody has to be told that a demonstration is about to end.
        lame_duck_seconds: 0,
        ..settings.server
    };
    let caller = |name| -> Result<settings::Caller> {
        let tls::Files { certificate, key, .. } = service(name)?;
        Ok(settings::Caller { certificate, key })
    };
    settings.callers.policy = caller("policy")?;
    settings.callers.identity = caller("identity")?;
    settings.callers.contribution = caller("contribution")?;
    settings.callers.exchange = caller("exchange")?;
    let database = |name: &str| Secret::new(format!("sqlite://{}", shown(&folder.join(name))));
    settings.audit.database = database("audit.db");
    settings.policy.database = database("policy.db");
    settings.identity.database = database("identity.db");
    settings.identity.synthetic = true;
    settings.contribution.database = database("contribution.db");
    settings.exchange.database = database("exchange.db");
    settings.exchange.poll_milliseconds = 200;

    let registry = folder.join("registry.toml");
    if !registry.exists() {
        fs::write(&registry, REGISTRY)?;
    }
    settings.policy.registry_file = shown(&registry);
    settings.identity.usage_listen = "127.0.0.1:0".to_owned();
    // The agencies of this demonstration have their names there.
    settings.identity.usage_names_files = vec![shown(&registry)];
    let officers = folder.join("officers.toml");
    if !officers.exists() {
        fs::write(&officers, OFFICERS_FILE)?;
    }
    settings.policy.officers_file = shown(&officers);
    let (key, public) = (folder.join("log.key"), folder.join("log.vkey"));
    let origin = format!("{TRUST_DOMAIN}/lienthong-access/demo");
    if !key.exists() {
        let signer = tlog::LogSigner::from_seed(&origin, runtime.entropy.array())?;
        write_secret(&key, signer.secret_text())?;
    }
    let signer = tlog::LogSigner::parse(fs::read_to_string(&key)?.trim())?;
    fs::write(&public, format!("{}\n", signer.verifier_key()))?;
    settings.audit.origin = origin;
    settings.audit.signing_key_file = shown(&key);
    let kek = folder.join(KEK);
    if !kek.exists() {
        write_secret(&kek, &audit::new_key(&runtime.entropy))?;
    }
    settings.audit.key_encryption_key_files = vec![shown(&kek)];
    settings.audit.tiles_listen = "127.0.0.1:0".to_owned();
    settings.audit.auditors_listen = "127.0.0.1:0".to_owned();
    settings.audit.auditors = vec![format!("spiffe://{TRUST_DOMAIN}/operator/{AUDITOR}")];
    settings.contribution.inspectors.clone_from(&settings.audit.auditors);
    settings.policy.log_key_file = shown(&public);
    settings.identity.log_key_file = shown(&public);
    settings.contribution.log_key_file = shown(&public);
    let (key, public) = (folder.join("policy.key"), folder.join("policy.vkey"));
    if !key.exists() {
        let name = format!("{TRUST_DOMAIN}/lienthong-decisions/demo");
        let signer = tlog::NoteSigner::from_seed(&name, runtime.entropy.array())?;
        write_secret(&key, signer.secret_text())?;
    }
    let signer = tlog::NoteSigner::parse(fs::read_to_string(&key)?.trim())?;
    fs::write(&public, format!("{}\n", signer.verifier_key()))?;
    settings.policy.decision_key_file = shown(&key);
    settings.identity.policy_key_file = shown(&public);
    settings.contribution.policy_key_file = shown(&public);
    Ok(settings)
}

/// The routes to the databases, as a file of the exchange service.
fn routes(databases: &[Database], folder: &Path) -> Result<String> {
    let mut text =
        String::from("# Made at each start of the demonstration: the addresses are new ones.\n");
    for database in databases {
        let caller = CALLERS.iter().find(|(name, ..)| *name == database.profile());
        let (name, agency, system) = caller.context("a database is also a caller")?;
        let endpoint = database.endpoint();
        text += &format!(
            "\n[[route]]\ndatabase = \"{name}\"\n\
             identity = \"spiffe://{TRUST_DOMAIN}/agency/{agency}/system/{system}\"\n\
             endpoint = \"{endpoint}\"\nowner = \"{agency}\"\nroles = [\"source\", \"sink\"]\n"
        );
        let profile = database.service().profile();
        if let (Some(basis), Some(follow)) = (profile.follow_basis(), &profile.follow) {
            let AccessBasis {
                procedure, legal_basis, case_reference, acting_unit, officer, ..
            } = basis;
            text += &format!(
                "\n[route.follow]\nprocedure = \"{procedure}\"\nlegal_basis = \"{legal_basis}\"\n\
                 case_reference = \"{case_reference}\"\nacting_unit = \"{acting_unit}\"\n\
                 officer = \"{officer}\"\nitems = [\"{}\"]\n",
                follow.items.join("\", \"")
            );
        }
    }
    let path = folder.join("routes.toml");
    fs::write(&path, text).with_context(|| format!("cannot write {}", shown(&path)))?;
    Ok(shown(&path))
}

/// Loads synthetic persons into a new register, and keeps a few of them to be looked up by hand.
async fn populate(
    options: &Options,
    settings: &settings::All,
    runtime: &Runtime,
) -> Result<Vec<Subject>> {
    let kept = options.folder.join("subjects.json");
    let register = identity::Service::register(&settings.identity).await;
    let register = register.context("the register (does another process run on this folder?)")?;
    if register.size().await? == 0 {
        let (persons, seed) = (options.persons, options.seed);
        let wanted = population::Wanted { persons, seed, subjects: Some(&kept) };
        population::load(&register, wanted, runtime, |_| true).await?;
    }
    register.close().await;
    Ok(serde_json::from_str(&fs::read_to_string(&kept)?)?)
}
