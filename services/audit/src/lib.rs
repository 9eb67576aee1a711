//! The audit service: the log in which every access is recorded before it takes place (I1).
//!
//! An append is answered when its leaf, the tree and a signed checkpoint over it are durable, in one
//! transaction; the answer carries the proof. Whatever goes wrong, no data is released (I9): the caller is
//! refused and the log is read again from the database before anything else is written.
//!
//! | module | job |
//! |---|---|
//! | `api` | AuditService and LogService on the wire, and the log over HTTP |
//! | `sequencer` | the one task that gives records their places, batch by batch |
//! | `log` | the log's right edge in memory: read, verified, grown |
//! | `metrics` | what operators see of commits |
//! | `read` | the log as it is shown: pieces and proofs |
//! | `fsck` | the whole log checked as it is stored |
//! | `domain` | a record checked against its leaf, and the places of a batch; pure |
//! | `store` | the tables, on SQLite and PostgreSQL |

mod api;
mod domain;
mod fsck;
mod log;
mod metrics;
mod read;
mod sequencer;
mod store;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

pub use crate::fsck::{Checked, Damage, fsck};
use contract::audit::v1::{
    audit_service_server::SERVICE_NAME as AUDIT, log_service_server::SERVICE_NAME as LOG,
};
use serde::{Deserialize, Serialize};
use server::runtime::Clock;
use tlog::{LogSigner, LogVerifier};
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinHandle},
};

use crate::{
    log::{Keys, Log},
    sequencer::{Sequencer, Work},
};

/// What everybody calls.
pub const PUBLIC: &str = LOG;
/// What our own services call.
pub const INTERNAL: &str = AUDIT;

/// The commented defaults of every key of `[audit]`.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// Where the log is kept and who signs it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sqlite:///path/audit.db` or `postgres://user@host/database`.
    pub database: server::config::Secret,
    /// The log's name, as in the signing key.
    pub origin: String,
    /// The file with the text of the log's secret key.
    pub signing_key_file: String,
    /// Records that one commit takes at most.
    pub batch_max: usize,
    /// Records that wait at most; one more is refused.
    pub queue_max: usize,
    /// Address and port at which checkpoint and tiles are public; empty for none.
    pub tiles_listen: String,
    /// SPIFFE ids of whoever may read entries: inspectors, courts, mirrors.
    pub auditors: Vec<String>,
}

/// Why the log cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A limit must be at least one.
    #[error("`audit.{0}` must be at least 1")]
    Limit(&'static str),
    /// Whoever may read entries has to be named by an identity.
    #[error("`audit.auditors` holds `{0}`, which is no SPIFFE id")]
    NoAuditor(String),
    /// The address of the tiles cannot be bound.
    #[error("cannot listen on `{address}` (`audit.tiles_listen`)")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The key file cannot be read.
    #[error("cannot read the signing key from `{path}`")]
    SigningKey {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner may read the key file.
    #[error("the signing key `{path}` can be read by others than its owner: make its mode 0600")]
    SigningKeyOpen {
        /// The file.
        path: String,
    },
    /// The key file does not hold the key of the log that the configuration names.
    #[error("the signing key is of log `{found}`, the configuration says `{origin}`")]
    OtherOrigin {
        /// The log that the configuration names.
        origin: String,
        /// The log that the key is of.
        found: String,
    },
    /// What is stored is not what our key signed; only a person can say what happened to it.
    #[error("the log cannot be trusted: {0}")]
    LogCorrupt(&'static str),
    /// The log grew, or was taken over, since this process read it; nothing was written.
    #[error("another process wrote to the log")]
    Fenced,
    /// A number does not fit the database.
    #[error("a number does not fit the database")]
    OutOfRange,
    /// The key's text is malformed, or the tree cannot be computed.
    #[error(transparent)]
    Log(#[from] tlog::Error),
    /// The database refused or is away.
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl Error {
    /// What kind of failure it was, in words fit for a log line.
    fn kind(&self) -> &'static str {
        match self {
            Self::Store(error) => error.driver_kind(),
            Self::LogCorrupt(why) => why,
            Self::Fenced => "fenced",
            Self::Log(_) => "tree",
            Self::OutOfRange => "out of range",
            Self::Limit(_)
            | Self::NoAuditor(_)
            | Self::Listen { .. }
            | Self::SigningKey { .. }
            | Self::SigningKeyOpen { .. }
            | Self::OtherOrigin { .. } => "configuration",
        }
    }
}

/// The schema of the log.
pub fn migrations() -> &'static [::store::Migration] {
    store::MIGRATIONS
}

/// The running service. Clones share one log.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    store: ::store::Store,
    keys: Arc<Keys>,
    auditors: BTreeSet<String>,
    sequencer: Sequencer,
    /// What shows the log.
    shown: Mutex<Option<AbortHandle>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Service {
    /// Opens the log: reads the key, brings the schema up to date, and verifies that the stored tree has
    /// the root of the newest checkpoint and that our key signed it. Then it takes appends.
    ///
    /// # Errors
    /// See [`Error`]; without a key, a database and a sound log there is no service (I9).
    pub async fn open(config: &Config) -> Result<Self, Error> {
        Self::open_at(config, Clock::system()).await
    }

    async fn open_at(config: &Config, clock: Clock) -> Result<Self, Error> {
        for (name, limit) in [("batch_max", config.batch_max), ("queue_max", config.queue_max)] {
            if limit == 0 {
                return Err(Error::Limit(name));
            }
        }
        let named = |id: &&String| !id.starts_with("spiffe://");
        if let Some(other) = config.auditors.iter().find(named) {
            return Err(Error::NoAuditor(other.clone()));
        }
        let auditors = config.auditors.iter().cloned().collect();
        let keys = Arc::new(keys(config).await?);
        let store = ::store::Store::open(config.database.reveal(), migrations()).await?;
        let log = Log::take(&store, &keys, clock.now_ms()).await?;
        tracing::info!(size = log.checkpoint().size, "audit log open");
        let work = Work::new(store.clone(), Arc::clone(&keys), clock, log);
        let (sequencer, task) = Sequencer::start(work, config.batch_max, config.queue_max);
        let task = Mutex::new(Some(task));
        let shown = Mutex::default();
        Ok(Self(Arc::new(Inner { store, keys, auditors, sequencer, task, shown })))
    }

    /// Shows checkpoint and tiles, where an address is configured, until the service is closed. Gives the address.
    ///
    /// # Errors
    /// [`Error::Listen`].
    pub async fn show(&self, config: &Config) -> Result<Option<SocketAddr>, Error> {
        let address = &config.tiles_listen;
        if address.is_empty() {
            return Ok(None);
        }
        let failed = |source| Error::Listen { address: address.clone(), source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let shown = tokio::spawn(api::tiles::serve(listener, self.clone())).abort_handle();
        *self.0.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(Some(bound))
    }

    /// Adds what our own services call.
    pub fn internal(&self, routes: server::Routes) -> server::Routes {
        api::internal(self, routes)
    }

    /// Adds what everybody may call.
    pub fn public(&self, routes: server::Routes) -> server::Routes {
        api::public(self, routes)
    }

    /// Whether somebody may read entries.
    fn is_auditor(&self, id: &str) -> bool {
        self.0.auditors.contains(id)
    }

    /// Tells `health` whether the services of these names, [`PUBLIC`] or [`INTERNAL`], can answer: while the newest
    /// checkpoint can be read.
    pub fn report(&self, health: &server::Health, names: &[&'static str]) {
        let service = self.clone();
        health.serves(names, move || {
            let service = service.clone();
            async move { service.checkpoint().await.is_ok() }
        });
    }

    /// The log's public key (C2SP vkey), by which its checkpoints are verified.
    pub fn verifier_key(&self) -> &str {
        self.0.keys.signer.verifier_key()
    }

    /// The newest signed checkpoint, a C2SP signed note; of an empty log too.
    ///
    /// # Errors
    /// When the database refuses or is away.
    pub async fn checkpoint(&self) -> Result<String, Error> {
        Ok(self.head().await?.note)
    }

    /// Answers what is queued, takes nothing more, and closes the database.
    pub async fn close(self) {
        self.0.sequencer.stop();
        if let Some(shown) = self.0.shown.lock().unwrap_or_else(PoisonError::into_inner).take() {
            shown.abort();
        }
        let task = self.0.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the sequencer ended in a panic");
        }
        self.0.store.clone().close().await;
    }

    fn sequencer(&self) -> &Sequencer {
        &self.0.sequencer
    }
}

/// The newest signed checkpoint of a log that is only read: no key is needed, nothing is migrated, and
/// whoever has the log open is not fenced.
///
/// # Errors
/// When the database refuses, is away, or holds no log of this schema.
pub async fn read_checkpoint(database: &str) -> Result<String, Error> {
    let store = ::store::Store::open_read_only(database, migrations()).await?;
    let head = store::head(&store).await;
    store.close().await;
    Ok(head?.checkpoint.ok_or(Error::LogCorrupt("it has no checkpoint"))?.note)
}

async fn keys(config: &Config) -> Result<Keys, Error> {
    let path = &config.signing_key_file;
    let unreadable = |source| Error::SigningKey { path: path.clone(), source };
    let text = tokio::fs::read_to_string(path).await.map_err(unreadable)?;
    if !server::config::is_private(Path::new(path)).map_err(unreadable)? {
        return Err(Error::SigningKeyOpen { path: path.clone() });
    }
    let signer = LogSigner::parse(text.trim())?;
    if signer.origin() != config.origin {
        let (origin, found) = (config.origin.clone(), signer.origin().to_owned());
        return Err(Error::OtherOrigin { origin, found });
    }
    let verifier = LogVerifier::new(signer.verifier_key())?;
    Ok(Keys { signer, verifier })
}
