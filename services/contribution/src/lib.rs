//! The contribution service: events in persons' lives, as the databases that register them provide them
//! (Decision 1911/QD-TTg, Art. 2(2)).
//!
//! ```text
//! api  ->  app  ->  domain   what an event must hold, and what it says: pure
//!              \->  store    the only place with SQL
//!  \->  client              policy, the register and the access log
//! ```
//!
//! What is submitted is checked for form, stored, applied to the register, and answered; a worker repeats
//! whatever the register has not answered. The same bytes under the same key are one contribution, one
//! outcome and one receipt (I4).

mod api;
mod app;
mod client;
mod domain;
mod store;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ::store::{Migration, Store};
pub use app::Repeated;
use disclosure::contribution::v1::{
    conflict_service_server::SERVICE_NAME as CONFLICTS, contribution_service_server::SERVICE_NAME,
    ingest_service_server::SERVICE_NAME as INGEST, quality_service_server::SERVICE_NAME as QUALITY,
};
use opentelemetry::{KeyValue, global};
use serde::{Deserialize, Serialize};
use server::{
    Health, Recording, Routes, Shed, StartError,
    channel::Peer,
    config::Secret,
    runtime::{Clock, Entropy},
};
use tokio::{sync::watch, task::AbortHandle};

/// The commented defaults of every key of `[contribution]`.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// Keys of the `[contribution]` table.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where submissions are kept.
    pub database: Secret,
    /// File of the access log's verifier key.
    pub log_key_file: String,
    /// File of the keys by which decisions of policy are checked.
    pub policy_key_file: String,
    /// How often unanswered submissions are sent to the register again.
    pub repeat_seconds: u64,
    /// How many days whoever has to act in a conflict has for it.
    pub conflict_days: u32,
    /// Within how many days of the day from which it is true a value has to be received to count as timely.
    pub timely_days: u32,
    /// SPIFFE ids of the officers who read the figures of all sources, for the reports.
    pub inspectors: Vec<String>,
    /// The register.
    pub identity: Peer,
    /// The policy service.
    pub policy: Peer,
    /// The access log.
    pub audit: Peer,
}

/// What keeps the service from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be opened or written.
    #[error("the submissions cannot be used")]
    Store(#[from] ::store::Error),
    /// A stored submission does not have the form it was written in.
    #[error("a stored submission cannot be read")]
    Stored(#[from] serde_json::Error),
    /// Nobody has time to act in a conflict, or more than a year.
    #[error("`contribution.conflict_days` is not 1 to 366")]
    ConflictDays,
    /// Nothing could be timely, or everything.
    #[error("`contribution.timely_days` is not 1 to 366")]
    TimelyDays,
    /// Whoever may read all figures has to be named by an identity.
    #[error("`contribution.inspectors` holds `{0}`, which is no SPIFFE id")]
    NoInspector(String),
    /// No database is named.
    #[error("`contribution.database` is not set")]
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
    /// The shipped code lists are damaged.
    #[error("the code lists cannot be used")]
    CodeLists(#[from] model::CodeListError),
    /// A peer's address or our own identity cannot be used.
    #[error("a peer cannot be reached as configured")]
    Peer(#[from] StartError),
}

/// What agencies call.
pub const PUBLIC: [&str; 3] = [SERVICE_NAME, CONFLICTS, QUALITY];
/// What our own services call.
pub const INTERNAL: &str = INGEST;

const DAY_US: i64 = 86_400_000_000;

/// The schema of the submissions.
#[must_use]
pub fn migrations() -> &'static [Migration] {
    store::MIGRATIONS
}

/// The running service. Clones share it.
#[derive(Clone)]
pub struct Service {
    shared: Arc<api::Shared>,
    /// What goes on beside calls, until the service is closed.
    tasks: [AbortHandle; 2],
}

impl Service {
    /// Opens the submissions, prepares the channels to the other services, none of which needs to be
    /// there yet, and starts the worker.
    ///
    /// # Errors
    /// See [`Error`]: no database, no log key, or no identity, no start (I9).
    pub async fn open(
        config: &Config,
        own: &server::Config,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let url = config.database.reveal();
        if url.is_empty() {
            return Err(Error::NoDatabase);
        }
        let inspectors: BTreeSet<String> = config.inspectors.iter().cloned().collect();
        if let Some(other) = inspectors.iter().find(|id| !id.starts_with("spiffe://")) {
            return Err(Error::NoInspector(other.clone()));
        }
        let store = store::Submissions::new(Store::open(url, store::MIGRATIONS).await?);
        let path = config.log_key_file.clone();
        let key =
            std::fs::read_to_string(&path).map_err(|source| Error::LogKey { path, source })?;
        let clients = client::Clients::new(config, own, &key, clock.clone(), entropy.clone())?;
        let days = Some(i64::from(config.conflict_days)).filter(|days| (1..=366).contains(days));
        let conflict_us = days.ok_or(Error::ConflictDays)? * DAY_US;
        let timely = Some(config.timely_days).filter(|days| (1..=366).contains(days));
        let timely_days = timely.ok_or(Error::TimelyDays)?;
        let register = clients.register.clone();
        let app = app::App::new(store, register, clock, entropy, conflict_us, timely_days);
        let lists = model::CodeLists::shipped()?;
        let trust_domain = own.trust_domain.clone();
        let shared = Arc::new(api::Shared::new(app, clients, lists, trust_domain, inspectors));
        let every = Duration::from_secs(config.repeat_seconds.max(1));
        let worker = tokio::spawn(repeat(Arc::clone(&shared), every)).abort_handle();
        let following = tokio::spawn(shared.clients.policy.clone().follow()).abort_handle();
        Ok(Self { shared, tasks: [worker, following] })
    }

    /// Adds what agencies call.
    #[must_use]
    pub fn public(&self, routes: Routes) -> Routes {
        api::add(routes, Arc::clone(&self.shared))
    }

    /// Adds what our own services call.
    #[must_use]
    pub fn internal(&self, routes: Routes) -> Routes {
        api::add_internal(routes, Arc::clone(&self.shared))
    }

    /// Tells `health` of these services whether contributions can be taken: while the database, policy, the register and the access
    /// log answer.
    pub fn report(&self, health: &Health, services: &[&'static str]) {
        let shared = Arc::clone(&self.shared);
        health.serves(services, move || {
            let shared = Arc::clone(&shared);
            async move { shared.app.answers().await && shared.clients.peers.serve().await }
        });
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

    /// Sends every submission that the register has not answered to it again. The worker does this by
    /// itself; a test need not wait for it.
    ///
    /// # Errors
    /// When the submissions cannot be read.
    pub async fn repeat_unfinished(&self) -> Result<Repeated, Error> {
        self.shared.app.repeat_unfinished(Duration::ZERO).await
    }

    /// Hands conflicts that their owners let lie to the register's own officers, and gives how many are open and how many of
    /// them overdue. The worker does this by itself; a test need not wait for it.
    ///
    /// # Errors
    /// When the conflicts cannot be read or written.
    pub async fn lapse_conflicts(&self) -> Result<(u64, u64), Error> {
        self.shared.app.lapse_conflicts().await
    }

    /// Counts how good the values are of every contribution that is not counted yet, and gives how many that were. The worker
    /// does this by itself; a test need not wait for it.
    ///
    /// # Errors
    /// When the submissions cannot be read or the figures not written.
    pub async fn count_quality(&self) -> Result<usize, Error> {
        let mut all = 0;
        loop {
            match self.shared.app.count_quality().await? {
                0 => return Ok(all),
                counted => all += counted,
            }
        }
    }

    /// Stops the worker and closes the submissions.
    pub async fn close(self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.app.close().await;
    }
}

/// The worker: a submission whose sender went away, or whose outcome was lost in a crash, is finished too; a conflict that its
/// owner lets lie goes to whoever is above; and what was decided is counted.
async fn repeat(shared: Arc<api::Shared>, every: Duration) {
    let conflicts = global::meter("lienthong")
        .u64_gauge("lienthong.contribution.conflicts")
        .with_description("Conflicts between sources that are open, and those that are overdue")
        .build();
    loop {
        match shared.app.repeat_unfinished(every).await {
            Ok(repeated) if repeated == Repeated::default() => {}
            Ok(Repeated { finished, left }) => {
                tracing::info!(finished, left, "repeated unfinished submissions");
            }
            Err(_) => tracing::error!("unfinished submissions could not be read"),
        }
        match shared.app.lapse_conflicts().await {
            Ok((open, overdue)) => {
                conflicts.record(open.saturating_sub(overdue), &[KeyValue::new("overdue", false)]);
                conflicts.record(overdue, &[KeyValue::new("overdue", true)]);
            }
            Err(_) => tracing::error!("conflicts could not be read"),
        }
        match shared.app.count_quality().await {
            // A batch between what cannot wait: there may be many to count.
            Ok(counted) if counted > 0 => continue,
            Ok(_) => {}
            Err(_) => tracing::error!("the quality of contributions could not be counted"),
        }
        tokio::time::sleep(every).await;
    }
}
