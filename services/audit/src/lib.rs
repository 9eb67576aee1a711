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
//! | `witness` | witnesses cosign what the log signs, or have seen another log |
//! | `fsck` | the whole log checked as it is stored |
//! | `archive`, `pruning`, `import` | what is old goes into an archive, and a log comes back from it |
//! | `records` | records opened and erased, keys wrapped anew, and what version 1 kept in clear |
//! | `count`, `figures` | what a period's records come to, for the reports |
//! | `alive` | when records could be written |
//! | `openings` | records handed to inspectors |
//! | `signed` | requests that their callers signed, for inspectors |
//! | `envelope` | the keys of records, wrapped |
//! | `domain` | a record checked against its leaf, and the places of a batch; pure |
//! | `store` | the tables, on SQLite and PostgreSQL |

mod alive;
mod api;
mod archive;
mod count;
mod domain;
mod envelope;
mod figures;
mod fsck;
mod import;
mod log;
mod metrics;
pub mod openings;
mod pruning;
mod read;
mod records;
mod sequencer;
mod signed;
mod store;
#[cfg(test)]
mod tests;
mod witness;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

pub use crate::{
    archive::{Archive, ArchiveError, Progress, ReadPiece},
    domain::{Erasure, Opening},
    envelope::{FileKeys, KeyError, Opened, new_key},
    figures::{Figures, Histogram, agency_of},
    fsck::{Checked, Damage, fsck},
    import::{Imported, import},
    pruning::{Pruning, PruningDone, RETENTION, Retention, Target, prune},
    records::{Erased, erase, rewrap},
    signed::{SignedRequest, signed_request},
};
use contract::audit::v1::{
    audit_service_server::SERVICE_NAME as AUDIT, log_service_server::SERVICE_NAME as LOG,
};
use serde::{Deserialize, Serialize};
use server::{
    runtime::{Clock, Entropy},
    web::Web,
};
use tlog::{LogSigner, LogVerifier, policy::Policy};
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinHandle},
};

use crate::{
    alive::Pulse,
    envelope::{Envelope, KeyEncryption},
    log::{Keys, Log},
    sequencer::{Sequencer, Work},
    witness::{Fed, Halt, Pace, Witnesses},
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
    /// Files of the key-encryption keys: the first wraps the keys of records, all of them unwrap.
    pub key_encryption_key_files: Vec<String>,
    /// Records that one commit takes at most.
    pub batch_max: usize,
    /// Records that wait at most; one more is refused.
    pub queue_max: usize,
    /// Address and port at which checkpoint and tiles are public; empty for none.
    pub tiles_listen: String,
    /// Address and port at which they are shown over TLS to those with a certificate, and entries to auditors; empty for none.
    pub auditors_listen: String,
    /// SPIFFE ids of whoever may read entries: inspectors, courts, mirrors.
    pub auditors: Vec<String>,
    /// The file of the policy (C2SP tlog-policy) that names the witnesses; empty for none.
    pub witness_policy_file: String,
    /// PEM file of the CA certificates of witnesses at `https`.
    pub witness_roots_file: String,
    /// Milliseconds between two checkpoints that witnesses are sent.
    pub witness_interval_ms: u64,
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
    /// Those with a certificate cannot be listened to.
    #[error("those with a certificate cannot be shown the log (`audit.auditors_listen`)")]
    AuditorsListen(#[source] server::StartError),
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
    /// The policy cannot be read.
    #[error("cannot read the policy of the witnesses from `{path}` (`audit.witness_policy_file`)")]
    WitnessPolicy {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The policy is none.
    #[error("`{path}` is no policy (`audit.witness_policy_file`)")]
    MalformedWitnessPolicy {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: tlog::Error,
    },
    /// The policy is for other logs.
    #[error("the policy `{path}` does not name the key that signs this log")]
    PolicyOfOthers {
        /// The file.
        path: String,
    },
    /// The policy does not say where a witness is.
    #[error("the policy gives no URL for witness `{0}`")]
    WitnessWithoutUrl(String),
    /// Where the policy says that a witness is, nothing can be sent.
    #[error("witness `{name}` is at `{url}`, which is no URL of `https` or `http`")]
    WitnessUrl {
        /// What the policy calls it.
        name: String,
        /// What it says.
        url: String,
    },
    /// A witness' certificate could be verified by nothing.
    #[error("witness `{0}` is at `https`, and `audit.witness_roots_file` is empty")]
    NoWitnessRoots(String),
    /// The CA certificates cannot be read.
    #[error("witnesses cannot be verified (`audit.witness_roots_file`)")]
    WitnessRoots(#[source] server::StartError),
    /// There are witnesses, and too few have cosigned any checkpoint yet.
    #[error("no checkpoint is cosigned as the policy says")]
    NotCosigned,
    /// A witness has seen another log; only a person can say which one is true.
    #[error("a witness has seen another log than this one")]
    Conflict,
    /// What is stored is not what our key signed; only a person can say what happened to it.
    #[error("the log cannot be trusted: {0}")]
    LogCorrupt(&'static str),
    /// The log grew, or was taken over, since this process read it; nothing was written.
    #[error("another process wrote to the log")]
    Fenced,
    /// There is no record of this index to be erased.
    #[error("there is no record {0}; nothing was erased")]
    NoRecord(u64),
    /// An erasure names the document that orders it, on one line.
    #[error("the document must be named, on one line of at most 200 bytes")]
    Document,
    /// Version 1 left openings in clear; the service seals them when it starts.
    #[error("openings of version 1 are not sealed yet: start the service first")]
    NotTakenOver,
    /// What is asked for is in the archive: records below this index.
    #[error("records below {0} are in the archive, and no longer here")]
    Pruned(u64),
    /// Somebody reads the SQLite log, so its WAL was not written back.
    #[error("the WAL still holds what was erased: somebody reads the log; do it again")]
    NotSettled,
    /// The keys of records cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyError),
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
            Self::Keys(error) => error.kind(),
            Self::LogCorrupt(why) => why,
            Self::Fenced => "fenced",
            Self::Log(_) => "tree",
            Self::OutOfRange => "out of range",
            Self::NotCosigned => "not cosigned",
            Self::Conflict => "a witness has seen another log",
            Self::NoRecord(_) | Self::Document => "erasure",
            Self::NotTakenOver => "not taken over",
            Self::NotSettled => "not settled",
            Self::Pruned(_) => "pruned",
            Self::Limit(_)
            | Self::NoAuditor(_)
            | Self::Listen { .. }
            | Self::AuditorsListen(_)
            | Self::SigningKey { .. }
            | Self::SigningKeyOpen { .. }
            | Self::OtherOrigin { .. }
            | Self::WitnessPolicy { .. }
            | Self::MalformedWitnessPolicy { .. }
            | Self::PolicyOfOthers { .. }
            | Self::WitnessWithoutUrl(_)
            | Self::WitnessUrl { .. }
            | Self::NoWitnessRoots(_)
            | Self::WitnessRoots(_) => "configuration",
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
    clock: Clock,
    entropy: Entropy,
    sequencer: Sequencer,
    /// What must have been said of a checkpoint that is shown, where there are witnesses.
    policy: Option<Arc<Policy>>,
    halt: Halt,
    /// What shows the log, what feeds its witnesses, and what notes that it can be written.
    aside: Mutex<Vec<AbortHandle>>,
    /// What shows it to those with a certificate.
    certified: Mutex<Option<server::web::Running>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What a log is opened with beside its configuration.
struct With {
    signer: LogSigner,
    kek: Arc<dyn KeyEncryption>,
    clock: Clock,
    entropy: Entropy,
    pace: Pace,
}

impl Service {
    /// Opens the log: reads the keys, brings the schema up to date, and verifies that the stored tree has
    /// the root of the newest checkpoint and that our key signed it. Then it takes appends. Witnesses are
    /// not waited for.
    ///
    /// # Errors
    /// See [`Error`]; without a key, a database and a sound log there is no service (I9).
    pub async fn open(config: &Config) -> Result<Self, Error> {
        Self::open_at(config, Clock::system(), Entropy::system(), Pace::of(config)).await
    }

    /// The same by another clock, and with other randomness.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(config: &Config, clock: Clock, entropy: Entropy) -> Result<Self, Error> {
        Self::open_at(config, clock, entropy, Pace::of(config)).await
    }

    async fn open_at(
        config: &Config,
        clock: Clock,
        entropy: Entropy,
        pace: Pace,
    ) -> Result<Self, Error> {
        let signer = signer(config).await?;
        let files = FileKeys::open(&config.key_encryption_key_files, entropy.clone())?;
        let with = With { signer, kek: Arc::new(files), clock, entropy, pace };
        Self::open_by(config, with).await
    }

    async fn open_by(config: &Config, with: With) -> Result<Self, Error> {
        check_values(config)?;
        let With { signer, kek, clock, entropy, pace } = with;
        let auditors = config.auditors.iter().cloned().collect();
        let verifier = LogVerifier::new(signer.verifier_key())?;
        let records = Envelope::new(kek, entropy.clone());
        let keys = Arc::new(Keys { signer, verifier, records });
        let witnesses = Witnesses::read(config, keys.signer.verifier_key(), &pace)?;
        let store = ::store::Store::open(config.database.reveal(), migrations()).await?;
        keys.records.check(&store).await?;
        // Whoever asks waits for a commit (I1), and is not to wait for what can be done later.
        store.write_back_beside(config.database.reveal()).await?;
        let log = Log::take(&store, &keys, clock.now_ms()).await?;
        records::take_over(&store, &keys.records, &clock).await?;
        tracing::info!(size = log.checkpoint().size, "audit log open");
        let halt = Halt::default();
        let (own, its_clock) = (Arc::clone(&keys), clock.clone());
        let work = Work::new(store.clone(), own, its_clock, log, halt.clone());
        let (sequencer, task) = Sequencer::start(work, config.batch_max, config.queue_max);
        let task = Mutex::new(Some(task));
        let policy = witnesses.as_ref().map(|witnesses| Arc::clone(&witnesses.policy));
        let fed = Fed {
            store: store.clone(),
            keys: Arc::clone(&keys),
            clock: clock.clone(),
            entropy: entropy.clone(),
            halt: halt.clone(),
        };
        let mut aside: Vec<_> = witnesses.map(|them| them.start(fed, pace)).into_iter().collect();
        let pulse = Pulse::new(store.clone(), clock.clone(), halt.clone(), &entropy);
        aside.push(tokio::spawn(pulse.keep()).abort_handle());
        let aside = Mutex::new(aside);
        Ok(Self(Arc::new(Inner {
            store,
            keys,
            auditors,
            clock,
            entropy,
            sequencer,
            policy,
            halt,
            aside,
            certified: Mutex::default(),
            task,
        })))
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
        self.0.aside.lock().unwrap_or_else(PoisonError::into_inner).push(shown);
        Ok(Some(bound))
    }

    /// Shows the same, and entries to auditors, to those with a certificate, where an address is configured, by the identity of a process
    /// and until the service is closed. Gives the address.
    ///
    /// # Errors
    /// [`Error::AuditorsListen`].
    pub async fn show_certified(
        &self,
        config: &Config,
        own: &server::Config,
    ) -> Result<Option<SocketAddr>, Error> {
        let address = &config.auditors_listen;
        if address.is_empty() {
            return Ok(None);
        }
        let bound = Web::bind(address, own, api::tiles::CONNECTIONS_MAX).await;
        let running = bound.map_err(Error::AuditorsListen)?;
        let running = running.start(api::tiles::Certified(self.clone()));
        let address = running.address();
        *self.0.certified.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(Some(address))
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
    /// checkpoint can be read. After a conflict with a witness nothing is recorded, but the log is still shown.
    pub fn report(&self, health: &server::Health, names: &[&'static str]) {
        for name in names.iter().copied() {
            let service = self.clone();
            health.serves(&[name], move || {
                let service = service.clone();
                async move { service.answers(name).await }
            });
        }
    }

    async fn answers(&self, name: &str) -> bool {
        let records = name == PUBLIC || !self.0.halt.is_set();
        records && self.checkpoint().await.is_ok()
    }

    /// The log's public key (C2SP vkey), by which its checkpoints are verified.
    pub fn verifier_key(&self) -> &str {
        self.0.keys.signer.verifier_key()
    }

    /// The newest signed checkpoint, a C2SP signed note; of an empty log too. Nobody need have cosigned it.
    ///
    /// # Errors
    /// When the database refuses or is away.
    pub async fn checkpoint(&self) -> Result<String, Error> {
        Ok(self.head().await?.note)
    }

    /// Answers what those with a certificate have asked over HTTPS, and takes nothing more from them.
    pub async fn end_certified(&self) {
        let certified = self.0.certified.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(certified) = certified {
            certified.stop().await;
        }
    }

    /// Answers what is queued, takes nothing more, and closes the database.
    pub async fn close(self) {
        self.end_certified().await;
        self.0.sequencer.stop();
        for aside in self.0.aside.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            aside.abort();
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

/// What a log shows to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// The newest signed checkpoint, a C2SP signed note.
    pub checkpoint: String,
    /// The minimum index: records below it are in the archive.
    pub minimum_index: u64,
}

/// The newest signed checkpoint and the minimum index of a log that is only read: no key is needed, nothing is migrated, and
/// whoever has the log open is not fenced.
///
/// # Errors
/// When the database refuses, is away, or holds no log of this schema.
pub async fn read_checkpoint(database: &str) -> Result<Newest, Error> {
    let store = ::store::Store::open_read_only(database, migrations()).await?;
    let head = store::head(&store).await;
    store.close().await;
    let head = head?;
    let checkpoint = head.checkpoint.ok_or(Error::LogCorrupt("it has no checkpoint"))?.note;
    Ok(Newest { checkpoint, minimum_index: head.minimum })
}

/// What can be said of the configuration without looking at anything else.
fn check_values(config: &Config) -> Result<(), Error> {
    let (batch, queue) = (config.batch_max as u64, config.queue_max as u64);
    let interval = config.witness_interval_ms;
    for (name, limit) in
        [("batch_max", batch), ("queue_max", queue), ("witness_interval_ms", interval)]
    {
        if limit == 0 {
            return Err(Error::Limit(name));
        }
    }
    let named = |id: &&String| !id.starts_with("spiffe://");
    config.auditors.iter().find(named).map_or(Ok(()), |other| Err(Error::NoAuditor(other.clone())))
}

/// Whether the witnesses are configured as they must be for the log of this key (C2SP vkey), to say it before a start. Asks none.
///
/// # Errors
/// What is wrong with the policy or with what it needs.
pub fn check_witnesses(config: &Config, vkey: &str) -> Result<(), Error> {
    Witnesses::read(config, vkey, &Pace::of(config)).map(drop)
}

async fn signer(config: &Config) -> Result<LogSigner, Error> {
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
    Ok(signer)
}
