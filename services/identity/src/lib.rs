//! The identity service: the population register, looked up by agencies and written by contributions.
//!
//! ```text
//! api  ->  app  ->  domain   what to answer, what to apply: pure
//!              \->  store    the only place with SQL
//!  \->  client              policy and the access log
//! ```
//!
//! | module | job |
//! |---|---|
//! | `api` | the gRPC services, and who saw me over HTTP: messages to domain types and back, and the gate |
//! | `app` | the use cases: look up, find, tell relations, who accessed and what changed, apply, record consents, begin epochs of tokens |
//! | `client` | policy and audit |
//! | `domain` | claims, facts, consents and items of a lookup; who is found; checks of a contribution; what a follower hears; who is related |
//! | `folding` | every record by the rules of authority of today |
//! | `keying` | keys of every record, by which persons and relations are found |
//! | `names` | what people call what is recorded by its id |
//! | `retention` | old changes taken away |
//! | `store` | the register, its keys, feed, consents and tokens, the guessing budget, loading a population |
//! | `tide` | how far the register has come, for streams that wait for more |
//!
//! What holds here: nothing is read for a caller whose table allows nothing (I2); every requested item has
//! one outcome (I3); a contribution is applied once (I4); the record is a fold of assertions (I5); hidden
//! and absent persons take the same steps (I7).

mod api;
mod app;
mod client;
mod domain;
mod folding;
mod keying;
mod names;
mod retention;
mod store;
mod tide;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::store::{Migration, Store};
use disclosure::{
    identity::v1::{
        access_history_service_server::SERVICE_NAME as HISTORY,
        change_feed_service_server::SERVICE_NAME as CHANGE_FEED,
        consent_service_server::SERVICE_NAME as CONSENTS,
        identity_service_server::SERVICE_NAME as IDENTITY,
        relation_service_server::SERVICE_NAME as RELATIONS,
        search_service_server::SERVICE_NAME as SEARCH,
        token_service_server::SERVICE_NAME as TOKENS,
    },
    register::v1::{
        feed_service_server::SERVICE_NAME as FEED,
        register_service_server::SERVICE_NAME as REGISTER,
    },
    web::Gate,
};
use serde::{Deserialize, Serialize};
use server::{
    Health, Recording, Routes, Shed, StartError,
    channel::Peer,
    config::Secret,
    runtime::{Clock, Entropy},
    web::Web,
};
pub use store::{
    bulk::{Batch, Bulk, Loaded},
    population::Newcomer,
};
use tokio::{sync::watch, task::AbortHandle};

/// Names of the services that agencies call.
pub const PUBLIC: [&str; 7] = [IDENTITY, SEARCH, RELATIONS, TOKENS, CONSENTS, HISTORY, CHANGE_FEED];

/// Names of the services that our own services call.
pub const INTERNAL: [&str; 2] = [REGISTER, FEED];

/// Connections of portals at the same time.
const USAGE_CONNECTIONS_MAX: usize = 256;

/// The commented defaults of every key of `[identity]`.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// Keys of the `[identity]` table.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the register is kept.
    pub database: Secret,
    /// Whether it holds synthetic persons only.
    pub synthetic: bool,
    /// File of the access log's verifier key.
    pub log_key_file: String,
    /// File of the keys by which decisions of policy are checked.
    pub policy_key_file: String,
    /// Lookups that match nobody, per connection and window.
    pub misses_max: u32,
    /// Claimed values that are compared, per connection and window.
    pub comparisons_max: u32,
    /// Persons of one name who are tried to be found, per connection and window.
    pub tries_per_name_max: u32,
    /// The window of all budgets.
    pub misses_window_seconds: u32,
    /// How long a stored copy of an answer may be used.
    pub answer_valid_seconds: u32,
    /// How long a consent lasts, at most.
    pub consent_seconds_max: u32,
    /// How long one lasts by which citizens see what is held of themselves, at most.
    pub own_record_seconds_max: u32,
    /// How many days tokens of an epoch are accepted after it; 0 for not at all.
    pub token_overlap_days: u16,
    /// File of the rules of authority; empty for those that come with this program.
    pub authority_file: String,
    /// Lookups read in one statement, at most.
    pub batch_max: usize,
    /// Days for which changes are told.
    pub feed_retention_days: u32,
    /// Persons that one connection follows by name, at most.
    pub followed_max: u32,
    /// Address and port at which portals are told over HTTP who saw a citizen; empty for none.
    pub usage_listen: String,
    /// The task for which they are.
    pub usage_procedure: String,
    /// Its ground.
    pub usage_legal_basis: String,
    /// Files of the names of procedures, legal grounds and agencies.
    pub usage_names_files: Vec<String>,
    /// The policy service.
    pub policy: Peer,
    /// The access log.
    pub audit: Peer,
}

/// What keeps the service from starting, or a population from being loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The register cannot be opened or written.
    #[error("the register cannot be used")]
    Store(#[from] ::store::Error),
    /// A stored record does not have the form it was written in.
    #[error("a stored record cannot be read")]
    Record(#[from] serde_json::Error),
    /// The register's own key is not one.
    #[error("the register's own key is not of 32 bytes")]
    MalformedKey,
    /// The register was made for the other kind of persons.
    #[error("the register was made with `synthetic = {0}`")]
    OtherSide(bool),
    /// A limit that must be more than nothing is 0.
    #[error("`identity.{0}` must not be 0")]
    Zero(&'static str),
    /// No register is named.
    #[error("`identity.database` is not set")]
    NoDatabase,
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
    /// There are no keys to check decisions by.
    #[error("decisions cannot be checked")]
    PolicyKeys(#[from] wire::policy::KeysError),
    /// The rules of authority cannot be read.
    #[error("cannot read the rules of authority from `{path}`")]
    AuthorityFile {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Newer rules of authority than these were in use: nobody is folded back.
    #[error(
        "the rules of authority `{own}` are older than `{newer}`, by which records were folded"
    )]
    OlderRules {
        /// These.
        own: String,
        /// The newer ones.
        newer: String,
    },
    /// A load is the only one that writes.
    #[error("somebody else wrote to the register while persons were loaded")]
    WrittenMeanwhile,
    /// Rules are kept under this id that are others: the version of the data must be raised.
    #[error("the rules of authority `{0}` were others before: raise their `version`")]
    OtherRules(String),
    /// The rules of authority cannot be used.
    #[error("the rules of authority cannot be used")]
    Authority(#[from] model::AuthorityError),
    /// The shipped code lists are damaged.
    #[error("the code lists cannot be used")]
    CodeLists(#[from] model::CodeListError),
    /// Names cannot be read.
    #[error("cannot read names from `{path}` (`identity.usage_names_files`)")]
    NamesFile {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Names are not in the form that they must have.
    #[error("the names in `{path}` are malformed (`identity.usage_names_files`)")]
    MalformedNames {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// Portals cannot be listened to.
    #[error("portals cannot be told who saw a citizen (`identity.usage_listen`)")]
    UsageListen(#[source] StartError),
    /// A peer's address or our own identity cannot be used.
    #[error("a peer cannot be reached as configured")]
    Peer(#[from] StartError),
}

/// The rules of authority that come with this program.
const AUTHORITY: &str = include_str!("../data/authority.toml");

/// The rules of authority that a configuration names.
///
/// # Errors
/// When they cannot be read or used.
pub fn authority(config: &Config) -> Result<model::Authority, Error> {
    let path = config.authority_file.clone();
    if path.is_empty() {
        return Ok(model::Authority::parse(AUTHORITY)?);
    }
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|source| Error::AuthorityFile { path, source })?;
    Ok(model::Authority::parse(&text)?)
}

/// The keys of `[identity]` whose values the service does not start with, and what they must be.
#[must_use]
pub fn faults(config: &Config) -> Vec<(&'static str, String)> {
    // A window of no length would be no budget at all (I9).
    let limits = [
        ("misses_window_seconds", config.misses_window_seconds),
        ("misses_max", config.misses_max),
        ("comparisons_max", config.comparisons_max),
        ("tries_per_name_max", config.tries_per_name_max),
        ("feed_retention_days", config.feed_retention_days),
        ("followed_max", config.followed_max),
        ("consent_seconds_max", config.consent_seconds_max),
        ("own_record_seconds_max", config.own_record_seconds_max),
    ];
    let zero = limits.into_iter().filter(|(_, limit)| *limit == 0);
    zero.map(|(key, _)| (key, "must be at least 1".to_owned())).collect()
}

/// The names of what is recorded by its id: those that are shipped, and over them those of the configuration's files.
fn names(config: &Config, shipped: &[&str]) -> Result<names::Names, Error> {
    let mut names = names::Names::default();
    for text in shipped {
        names.add(text).map_err(|source| Error::MalformedNames {
            path: "shipped".to_owned(),
            source: Box::new(source),
        })?;
    }
    for path in &config.usage_names_files {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| Error::NamesFile { path: path.clone(), source })?;
        names.add(&text).map_err(|source| Error::MalformedNames {
            path: path.clone(),
            source: Box::new(source),
        })?;
    }
    Ok(names)
}

/// Checks that the names of a configuration can be read.
///
/// # Errors
/// [`Error::NamesFile`] and [`Error::MalformedNames`].
pub fn check_names(config: &Config) -> Result<(), Error> {
    names(config, &[]).map(drop)
}

/// The schema of the register.
#[must_use]
pub fn migrations() -> &'static [Migration] {
    store::MIGRATIONS
}

/// The running service. Clones share it.
#[derive(Clone)]
pub struct Service {
    store: store::RegisterStore,
    shared: Arc<api::Shared>,
    /// What goes on beside calls, until the service is closed; first, that policy is followed.
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
    /// What tells portals who saw a citizen.
    usage: Arc<Mutex<Option<server::web::Running>>>,
}

impl Service {
    /// Opens the register and prepares the channels to policy and audit; neither needs to be there yet.
    ///
    /// # Errors
    /// See [`Error`]: no register, no log key, or no identity, no start (I9).
    pub async fn open(
        config: &Config,
        own: &server::Config,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        if let Some((key, _)) = faults(config).first() {
            return Err(Error::Zero(key));
        }
        let store = Self::register(config).await?;
        let path = config.log_key_file.clone();
        let key =
            std::fs::read_to_string(&path).map_err(|source| Error::LogKey { path, source })?;
        let clients = client::Clients::new(config, own, &key, clock.clone(), entropy.clone())?;
        let budget = app::Budget {
            misses_max: config.misses_max,
            comparisons_max: config.comparisons_max,
            tries_per_name_max: config.tries_per_name_max,
            window: Duration::from_secs(config.misses_window_seconds.into()),
        };
        let secret = store.own_key(&entropy).await?;
        let app = app::App::start(store.clone(), budget, config, clock, entropy, secret);
        let (app, lists) = (Arc::new(app), model::CodeLists::shipped()?);
        let trust_domain = own.trust_domain.clone();
        let shared = Arc::new(api::Shared::new(app, clients, lists, trust_domain));
        let service = Self { store, shared, tasks: Arc::default(), usage: Arc::default() };
        let rules = service.store.rules(service.shared.app.clock.today());
        service.store.keep_rules(&rules).await?;
        // Asked before it serves, so that what it does afterwards is what it is asked.
        let folded = service.store.is_folded_by(&rules).await?;
        let folding = tokio::spawn(folding::keep_folded(service.clone(), folded)).abort_handle();
        let keyed = service.store.is_keyed_whole().await?;
        let keying = tokio::spawn(keying::give_keys(service.store.clone(), keyed)).abort_handle();
        let keeping = tokio::spawn(retention::keep_short(service.clone())).abort_handle();
        let watched = service.clone();
        let looking = async move { watched.shared.tide.look(&watched.store).await };
        let looking = tokio::spawn(looking).abort_handle();
        let following = tokio::spawn(service.shared.clients.policy.clone().follow()).abort_handle();
        let giving = tokio::spawn(service.shared.clients.policy.clone().give_back()).abort_handle();
        let tasks = [following, folding, keying, keeping, looking, giving];
        service.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(tasks);
        Ok(service)
    }

    /// Folds everybody anew by the rules of authority of today who was folded by others. The service does so by itself,
    /// when it starts and when a day has brought other rules.
    ///
    /// # Errors
    /// When the register cannot be read or written.
    pub async fn refold(&self) -> Result<Refolded, Error> {
        self.store.refold(&self.shared.app.clock).await
    }

    /// Takes away the changes that are older than they are to be told, and says how many. The service does so by itself, every
    /// hour.
    ///
    /// # Errors
    /// When the register cannot be read or written.
    pub async fn take_old_changes_away(&self) -> Result<u64, Error> {
        self.shared.app.take_old_changes_away().await
    }

    /// Opens the register alone, to load or check it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn register(config: &Config) -> Result<store::RegisterStore, Error> {
        let url = config.database.reveal();
        if url.is_empty() {
            return Err(Error::NoDatabase);
        }
        let store = Store::open(url, store::MIGRATIONS).await?;
        store::RegisterStore::open(store, config.synthetic, authority(config)?).await
    }

    /// Adds what agencies call.
    #[must_use]
    pub fn public(&self, routes: Routes) -> Routes {
        api::add_identity(routes, Arc::clone(&self.shared))
    }

    /// Adds what our own services call.
    #[must_use]
    pub fn internal(&self, routes: Routes) -> Routes {
        api::add_internal(routes, Arc::clone(&self.shared))
    }

    /// Tells portals who saw a citizen, over HTTP and by their certificates, where an address is configured, by the identity of a
    /// process. `shipped` are policy's own files, for the names in them. Gives the address.
    ///
    /// # Errors
    /// When names cannot be read or nobody can be listened to.
    pub async fn tell_usage(
        &self,
        config: &Config,
        own: &server::Config,
        shipped: &[&str],
    ) -> Result<Option<SocketAddr>, Error> {
        if config.usage_listen.is_empty() {
            return Ok(None);
        }
        let site = api::usage::Usage {
            shared: Arc::clone(&self.shared),
            store: self.store.clone(),
            names: names(config, shipped)?,
            procedure: config.usage_procedure.clone(),
            legal_basis: config.usage_legal_basis.clone(),
        };
        let bound = Web::bind(&config.usage_listen, own, USAGE_CONNECTIONS_MAX).await;
        let running = bound.map_err(Error::UsageListen)?.start(Gate(site));
        let address = running.address();
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(Some(address))
    }

    /// Answers what portals have asked, and takes nothing more from them. Called while policy and the access log still answer.
    pub async fn end_usage(&self) {
        let running = self.usage.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(running) = running {
            running.stop().await;
        }
    }

    /// Tells `health` whether the services of these names, [`PUBLIC`] or [`INTERNAL`], can answer: while the
    /// register's database, policy and the access log do.
    pub fn report(&self, health: &Health, names: &[&'static str]) {
        let (store, shared) = (self.store.clone(), Arc::clone(&self.shared));
        health.serves(names, move || {
            let (store, shared) = (store.clone(), Arc::clone(&shared));
            async move { store.answers().await && shared.clients.peers.serve().await }
        });
    }

    /// The register itself.
    #[must_use]
    pub fn store(&self) -> &store::RegisterStore {
        &self.store
    }

    /// Has policy asked for each decision from now on: a figure of what keeping them is worth.
    pub fn keep_nothing(&self) {
        if let Some(following) = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).first() {
            following.abort();
        }
        self.shared.clients.policy.lose();
    }

    /// The revision of policy under which decisions are kept, as it changes; none while none that is kept is used because no
    /// stream to policy is open.
    #[must_use]
    pub fn told(&self) -> watch::Receiver<Option<u64>> {
        self.shared.clients.policy.told()
    }

    /// Has the calls that a server refused because there was too much to do recorded, until that is finished.
    #[must_use]
    pub fn record_shed(&self, shed: &Shed) -> Recording {
        let (making, sending) = (Arc::clone(&self.shared), Arc::clone(&self.shared));
        shed.record(
            move |calls| making.clients.recorder.shed(calls),
            move |record| {
                let shared = Arc::clone(&sending);
                async move { shared.clients.recorder.record_shed(&record).await }
            },
        )
    }

    /// Gives back what is left of the parts of grants' volumes that were leased to this process. Called when calls have ended,
    /// while policy still answers; what policy does not hear of counts as used.
    pub async fn give_back(&self) {
        self.shared.clients.policy.give_all_back().await;
    }

    /// Closes the register.
    pub async fn close(self) {
        self.end_usage().await;
        self.give_back().await;
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
        self.store.close().await;
    }
}

pub use store::{RegisterStore, refold::Refolded};
