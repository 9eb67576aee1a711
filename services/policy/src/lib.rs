//! The policy service: who may obtain or contribute which items, on which ground.
//!
//! It answers `PolicyService.Decide` from three things: the law as data (`data/`), the statutory
//! rules in Cedar, and a registry of agencies, connections and agreements in the service's own
//! database. It is asked about a caller and a ground, never about a person.
//!
//! - **Deny by default (I2).** Whatever is missing, ended, unknown or cannot be evaluated is
//!   denied, with the rule and the article that says so.
//! - **Fail closed (I9).** A fault in the data keeps the service from starting; without its
//!   database it decides nothing.
//! - Nothing here is of a person.
//!
//! | module | job |
//! |---|---|
//! | `api` | messages to requests, decisions to messages |
//! | `app` | the use cases |
//! | `domain::request` | what a request must hold; all faults at once |
//! | `domain::decision` | the order of denials, the table, how long it holds |
//! | `domain::registry` | agencies, connections, agreements; what one caller has of them |
//! | `domain::admission` | admissions of connections, as their moves made them |
//! | `domain::agreement` | agreements, as what their parties signed made them |
//! | `domain::officers`, `domain::calendar` | who may do what; working days |
//! | `domain::{basis, catalogue, rules, table}` | the law as data, the rules, the decision table |
//! | `domain::{explain, permissions}` | why a decision is what it is; what a connection may ever ask for |
//! | `domain::{rule_set, flips}` | what two officers put in force; what another set would decide otherwise |
//! | `domain::warrant` | what is signed so that another database may be asked |
//! | `domain::revision` | what whoever keeps decisions has to be told |
//! | `rules::plain` | plain Cedar, which tables are compared with |
//! | `looks` | what the newest revision is, looked at once for all who are told |
//! | `store` | the registry's tables, and its revisions |

mod api;
mod app;
mod client;
pub mod domain;
mod looks;
mod store;
#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use contract::policy::v1::policy_service_server::{PolicyServiceServer, SERVICE_NAME as NAME};
pub use disclosure::policy::v1::{
    admission_service_server::SERVICE_NAME as ADMISSION,
    decision_service_server::SERVICE_NAME as DECISIONS,
};
pub use domain::catalogue::LegalProfile;
use domain::{
    admission::law::Law, basis::today, calendar::Calendar, decision::Profile, officers::Officers,
    registry::Registry,
};
use serde::{Deserialize, Serialize};
use server::{
    Health, Routes, StartError,
    channel::Peer,
    config::{Secret, is_private},
    runtime::{Clock, Entropy},
    signed::Signers,
};
use tlog::NoteSigner;
use tokio::task::AbortHandle;

/// The shipped catalogue of items (TOML).
pub const ITEMS: &str = include_str!("../data/items.toml");

/// The shipped procedures and tasks, with their names (TOML).
pub const PROCEDURES: &str = include_str!("../data/procedures.toml");

/// The shipped legal grounds, with how they are cited (TOML).
pub const LEGAL_BASIS: &str = include_str!("../data/legal-basis.toml");

/// The commented defaults of every key of `[policy]`.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// The `[policy]` table of the configuration; `config/default.toml` says what each key is.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// URL of the database.
    pub database: Secret,
    /// File of the key that signs decisions.
    pub decision_key_file: String,
    /// Registry file that is applied at start, or empty.
    pub registry_file: String,
    /// The law that lists the items.
    pub legal_profile: LegalProfile,
    /// How long a decision is kept at most, in seconds.
    pub table_seconds_max: u64,
    /// Of how many decisions one is compared with plain Cedar.
    pub compare_every: u64,
    /// File of the officers, or empty: then nobody admits connections.
    pub officers_file: String,
    /// Days on which offices do not work.
    pub holidays: Vec<String>,
    /// How many days before an assessment lapses it is due.
    pub assessment_notice_days: u32,
    /// File of the access log's verifier key; needed where there are officers.
    pub log_key_file: String,
    /// File of the CA by which the signatures of rule sets are checked, or empty for that of the server.
    pub rule_set_ca_file: String,
    /// File of the key that signs warrants, or empty: then none are issued.
    pub warrant_key_file: String,
    /// Files of the keys that are published beside it: the next one, and the one before.
    pub warrant_published_files: Vec<String>,
    /// How long a warrant lives, in seconds.
    pub warrant_seconds: u64,
    /// How long a lease of a grant's volume lives, in seconds.
    pub volume_lease_seconds: u64,
    /// What the paths begin with that a proxy asks about (Envoy's external authorization), or nothing: then it is not asked.
    pub authz_paths: Vec<String>,
    /// Our own services that pass there.
    pub authz_services: Vec<String>,
    /// The access log.
    pub audit: Peer,
}

/// What keeps the service from starting or from deciding.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A data file does not hold what it must.
    #[error("{file}: {why}")]
    Data {
        /// Which kind of data.
        file: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The key that signs decisions cannot be read.
    #[error("cannot read the key of decisions from `{path}`")]
    DecisionKey {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The key that signs decisions is none, or is everybody's.
    #[error("the key of decisions `{path}` {why}")]
    DecisionKeyUnusable {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The registry file cannot be read.
    #[error("cannot read the registry file `{path}`")]
    RegistryFile {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The officers' file cannot be read.
    #[error("cannot read the officers from `{path}`")]
    OfficersFile {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `assessment_notice_days` is out of its range.
    #[error("`policy.assessment_notice_days` must be from 0 to 366")]
    NoticeDays,
    /// The log's verifier key cannot be read.
    #[error("cannot read the access log's key from `{path}`")]
    LogKey {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The log's verifier key is malformed.
    #[error("the access log's key is malformed")]
    MalformedLogKey(#[from] tlog::Error),
    /// The access log's address or our own identity cannot be used.
    #[error("the access log cannot be reached as configured")]
    Peer(#[from] StartError),
    /// `warrant_seconds` is out of its range.
    #[error("`policy.warrant_seconds` must be from 1 to 300")]
    WarrantSeconds,
    /// `volume_lease_seconds` is out of its range.
    #[error("`policy.volume_lease_seconds` must be from 1 to 300")]
    LeaseSeconds,
    /// A key of warrants cannot be read.
    #[error("cannot read a key of warrants from `{path}`")]
    WarrantKey {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key of warrants is none.
    #[error("`{path}` is no Ed25519 key in PEM")]
    MalformedWarrantKey {
        /// The file.
        path: String,
    },
    /// What a path must begin with is no path.
    #[error("`policy.authz_paths`: `{0}` does not begin with `/` and a name")]
    AuthzPath(String),
    /// `table_seconds_max` is out of its range.
    #[error("`policy.table_seconds_max` must be from 1 to 86400")]
    TableSeconds,
    /// `compare_every` is out of its range.
    #[error("`policy.compare_every` must be from 1 to 1000000")]
    CompareEvery,
    /// The clock stands on a day before one on which something was decided; nothing is decided until it does not.
    #[error("the clock was set back")]
    ClockSetBack,
    /// A table was found that is not what the rules say; nothing is decided any more.
    #[error("decision tables are not what the rules say")]
    Distrusted,
    /// Another rule set came in force meanwhile; what is asked again is about that one.
    #[error("another rule set came in force meanwhile")]
    Overtaken,
    /// The rule set in force cannot decide.
    #[error("the rule set {number} cannot decide: {why}")]
    RuleSet {
        /// Its number.
        number: u64,
        /// Why.
        why: String,
    },
    /// The database failed.
    #[error("the registry's database failed")]
    Store(#[from] ::store::Error),
    /// The database holds what this program never writes.
    #[error("the stored registry is not usable: {0}")]
    Stored(&'static str),
}

impl Error {
    pub(crate) fn data(file: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Data { file, why: why.to_string() }
    }
}

/// The steps of this service's schema.
pub fn migrations() -> &'static [::store::Migration] {
    store::MIGRATIONS
}

/// How often it is looked whether something has lapsed. Decisions do not wait for it: they deny on the day.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How often what was asked is stored.
const COUNT_EVERY: Duration = Duration::from_secs(10);
/// Days of notice: what is due for longer than a year is always due.
const NOTICE_DAYS_MAX: u32 = 366;

/// The policy service, open on its database. Clones share it.
#[derive(Clone)]
pub struct Service {
    app: Arc<app::App>,
    /// What decisions are signed by.
    signer: NoteSigner,
    admission: Option<Admission>,
    /// The keys of warrants, where some are configured.
    warrants: Option<Arc<app::warrant::Keys>>,
    /// What a proxy may ask about, where it may.
    guarded: Option<Arc<api::ext_authz::Guarded>>,
    /// What looks after revisions, and stores what was asked; they end when the service is closed.
    looking: [AbortHandle; 2],
}

/// What officers call, where there are officers.
#[derive(Clone)]
struct Admission {
    shared: Arc<api::admission::Shared>,
    gauges: Arc<api::admission::Gauges>,
    /// Looks after what lapses; ends when the service is closed.
    looking: AbortHandle,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("policy::Service")
    }
}

impl Service {
    /// Reads the shipped data, opens the database and applies the registry file, if one is named. Where officers are named, it
    /// prepares the way to the access log, which need not be there yet, and looks after lapses.
    ///
    /// # Errors
    /// See [`Error`]; then nothing is served (I9).
    pub async fn open(
        config: &Config,
        own: &server::Config,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let (profile, signer) = (Profile::load(config.legal_profile)?, decision_signer(config)?);
        Self::with(profile, signer, config, own, clock, entropy).await
    }

    /// The same with a profile and a key that were loaded.
    async fn with(
        profile: Profile,
        signer: NoteSigner,
        config: &Config,
        own: &server::Config,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let officers = officers(config)?;
        let law = Law::shipped(Calendar::parse(&config.holidays)?)?;
        let notice = config.assessment_notice_days;
        if notice > NOTICE_DAYS_MAX {
            return Err(Error::NoticeDays);
        }
        let log = match officers {
            None => None,
            Some(_) => Some(client::Log::open(config, own, clock.clone(), entropy.clone())?),
        };
        let warrants = app::warrant::Keys::read(config, &own.trust_domain)?.map(Arc::new);
        let guarded = api::ext_authz::Guarded::of(config, &own.trust_domain)?.map(Arc::new);
        let signers = rule_set_signers(config, own)?;
        let app = Arc::new(app::App::open(profile, config, signers, (clock, entropy)).await?);
        let counting = tokio::spawn(keep_count(Arc::clone(&app))).abort_handle();
        let looked = Arc::clone(&app);
        let revisions = tokio::spawn(async move {
            looked.looks.look(&looked.store, || looked.sample.trusted()).await
        });
        let revisions = revisions.abort_handle();
        let Some((officers, client::Log { recorder, own: (trust_domain, itself) })) =
            officers.zip(log)
        else {
            let looking = [revisions, counting];
            return Ok(Self { app, signer, admission: None, warrants, guarded, looking });
        };
        let signers = Signers::read(&own.files(), &trust_domain)?;
        let notice_days = notice.into();
        let admissions =
            app::admission::Admissions { app: Arc::clone(&app), law, officers, notice_days };
        let admissions = Arc::new(admissions);
        let agreements = app::agreement::Agreements {
            admissions: Arc::clone(&admissions),
            signers: signers.clone(),
        };
        let rule_sets = app::rule_set::RuleSets {
            admissions: Arc::clone(&admissions),
            signers,
            trying: Default::default(),
        };
        let shared = api::admission::Shared {
            admissions,
            agreements: Arc::new(agreements),
            rule_sets: Arc::new(rule_sets),
            recorder,
            own: itself,
            trust_domain,
        };
        let shared = Arc::new(shared);
        let gauges = Arc::new(api::admission::Gauges::new());
        let looking = tokio::spawn(look_after(Arc::clone(&shared), Arc::clone(&gauges)));
        let looking = looking.abort_handle();
        let admission = Some(Admission { shared, gauges, looking });
        Ok(Self { app, signer, admission, warrants, guarded, looking: [revisions, counting] })
    }

    /// Adds `PolicyService` to the routes for our own services, where there are keys the services of warrants, and where a proxy
    /// may ask, what it asks.
    pub fn internal(&self, routes: Routes) -> Routes {
        let (app, signer) = (Arc::clone(&self.app), self.signer.clone());
        let routes = routes.add_service(PolicyServiceServer::new(api::Api { app, signer }));
        let routes = match &self.warrants {
            None => routes,
            Some(keys) => api::warrant::add(routes, &self.app, keys),
        };
        match &self.guarded {
            None => routes,
            Some(guarded) => api::ext_authz::add(routes, &self.app, guarded),
        }
    }

    /// Adds what officers of the operator call; nothing where there are no officers.
    #[must_use]
    pub fn operators(&self, routes: Routes) -> Routes {
        match &self.admission {
            None => routes,
            Some(admission) => {
                let routes = api::admission::add(routes, Arc::clone(&admission.shared));
                let routes = api::agreement::add(routes, Arc::clone(&admission.shared));
                api::rule_set::add(routes, Arc::clone(&admission.shared))
            }
        }
    }

    /// Adds what agencies call about their own connections, and officers about any; nothing where there are no officers, because
    /// then there is no way to the access log, and every call is recorded.
    #[must_use]
    pub fn public(&self, routes: Routes) -> Routes {
        match &self.admission {
            None => routes,
            Some(admission) => api::decision::add(routes, Arc::clone(&admission.shared)),
        }
    }

    /// Tells `health` whether it can decide: while its database answers, the rule set in force can, and no table was found to differ from the rules.
    pub fn report(&self, health: &Health) {
        let app = Arc::clone(&self.app);
        health.serves(&[NAME], move || {
            let app = Arc::clone(&app);
            async move {
                let decides = app.sample.trusted() && app.days.decides();
                decides && app.in_force.now(&app.store).await.is_ok()
            }
        });
    }

    /// Tells `health` whether officers can work, and decisions be explained: while its database answers. A log that is away is said by each call; were it
    /// told here, the whole process would be taken for away, and decisions with it. Where there are no officers it is told nothing.
    pub fn report_operators(&self, health: &Health) {
        if self.admission.is_none() {
            return;
        }
        let app = Arc::clone(&self.app);
        health.serves(&[ADMISSION], move || {
            let app = Arc::clone(&app);
            async move { app.store.answers().await }
        });
        let app = Arc::clone(&self.app);
        health.serves(&[DECISIONS], move || {
            let app = Arc::clone(&app);
            async move { app.sample.trusted() && app.store.answers().await }
        });
    }

    /// Looks at every admission once: records what has lapsed, and what a process left without its record. Gives how many moves
    /// it made. The service does so by itself; a test need not wait for it.
    ///
    /// # Errors
    /// When admissions cannot be read or written.
    pub async fn look(&self) -> Result<usize, Error> {
        match &self.admission {
            None => Ok(0),
            Some(admission) => api::admission::look(&admission.shared, &admission.gauges).await,
        }
    }

    /// Puts a registry in the place of the one that was applied before, whole or not at all, beside what officers admitted. The
    /// next decision follows it.
    ///
    /// # Errors
    /// [`Error::Data`] for a registry that names what is not there or what officers admitted; [`Error::Store`]. Nothing
    /// changes then, except that a commit that was not acknowledged may have taken place: apply the
    /// registry again.
    pub async fn apply_registry(&self, registry: &Registry) -> Result<(), Error> {
        self.app.apply_registry(registry).await
    }

    /// The number of the revision that is in force.
    ///
    /// # Errors
    /// [`Error::Store`] when the database does not answer.
    pub async fn revision_number(&self) -> Result<u64, Error> {
        Ok(store::newest(&self.app.store).await?.number)
    }

    /// How many decisions were made since it was opened.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        self.app.decisions.load(Ordering::Relaxed)
    }

    /// Closes the database. Writes under way end first.
    pub async fn close(self) {
        for task in &self.looking {
            task.abort();
        }
        keep(&self.app).await;
        if let Some(admission) = &self.admission {
            admission.looking.abort();
        }
        self.app.store.clone().close().await;
    }
}

/// The officers; none where no file is named.
fn officers(config: &Config) -> Result<Option<Officers>, Error> {
    if config.officers_file.is_empty() {
        return Ok(None);
    }
    let path = config.officers_file.clone();
    let text =
        std::fs::read_to_string(&path).map_err(|source| Error::OfficersFile { path, source })?;
    Officers::parse(&text).map(Some)
}

/// What decisions are signed by; without it nothing is decided.
fn decision_signer(config: &Config) -> Result<NoteSigner, Error> {
    let path = || config.decision_key_file.clone();
    let unreadable = |source| Error::DecisionKey { path: path(), source };
    let unusable = |why| Error::DecisionKeyUnusable { path: path(), why };
    let text = std::fs::read_to_string(path()).map_err(unreadable)?;
    if !is_private(Path::new(&config.decision_key_file)).map_err(unreadable)? {
        return Err(unusable("can be read by others than its owner; make its mode 0600"));
    }
    NoteSigner::parse(text.trim()).map_err(|_| unusable("is not in the form of C2SP"))
}

/// Whose signatures of rule sets count; nobody's without an authority, and then only what comes with the program decides.
fn rule_set_signers(config: &Config, own: &server::Config) -> Result<Option<Signers>, Error> {
    let mut files = own.files();
    if config.rule_set_ca_file.is_empty() {
        return Ok(Signers::read(&files, &own.trust_domain).ok());
    }
    files.ca.clone_from(&config.rule_set_ca_file);
    Ok(Some(Signers::read(&files, &own.trust_domain)?))
}

/// Stores now and then what was asked, and the day.
async fn keep_count(app: Arc<app::App>) {
    loop {
        tokio::time::sleep(COUNT_EVERY).await;
        keep(&app).await;
    }
}

async fn keep(app: &app::App) {
    if app.questions.store(&app.store, today(app.clock.now())).await.is_err() {
        tracing::warn!("what was asked is not counted");
    }
    if app.days.keep(&app.store).await.is_err() {
        tracing::warn!("the day is not kept");
    }
}

/// Looks again and again. Every replica does, and one of them makes each move.
async fn look_after(shared: Arc<api::admission::Shared>, gauges: Arc<api::admission::Gauges>) {
    loop {
        match api::admission::look(&shared, &gauges).await {
            Ok(0) => {}
            Ok(made) => tracing::info!(made, "recorded what has lapsed"),
            Err(_) => tracing::error!("admissions could not be looked at"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
