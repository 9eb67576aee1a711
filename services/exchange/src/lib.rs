//! The exchange service: every connection that we open to the databases of others (Decision 1911/QD-TTg, Art. 2).
//!
//! ```text
//! api  ->  store    what officers of the operator see of the routes
//! app  ->  domain   what a page of changes may be, when to try again: pure
//!     \->  store    the only place with SQL: how far each database was read and told
//!     \->  client   the databases, the contribution service and the register's feed
//! ```
//!
//! It reads the changes of sources and hands each to contribution as the source whose certificate it verified, and it
//! tells databases what became of them and what changed about persons they follow. Each route is up to three tasks of
//! its own, so that a database that hangs delays nobody else (I11). A change is handed on at least once and is one contribution (I4); the cursor moves when what became of
//! the change is stored.

mod api;
mod app;
mod client;
mod domain;
mod metrics;
mod routes;
mod store;

use std::{sync::Arc, time::Duration};

use ::store::{Migration, Store};
use contract::{
    contribution::v1::ingest_service_client::IngestServiceClient,
    register::v1::feed_service_client::FeedServiceClient,
};
pub use routes::{Follow, Role, Route, RoutesError, read as routes};
use serde::{Deserialize, Serialize};
use server::{
    Health, Routes, StartError,
    channel::{self, Peer},
    config::Secret,
    health::Peers,
    runtime::{Clock, Entropy},
};
pub use store::{DeadLetter, Progress};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::{
    app::{Conditions, Work},
    store::{ExchangeStore, Letters},
};

/// What it needs of contribution, and of the register where somebody follows it.
const INGEST: &str = "lienthong.contribution.v1.IngestService";
const FEED: &str = "lienthong.register.v1.FeedService";

/// The most changes that anybody is asked for at once.
pub const PAGE_MAX: u16 = 1000;

/// The commented defaults of every key of `[exchange]`.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// Keys of the `[exchange]` table.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where cursors, events and dead letters are kept.
    pub database: Secret,
    /// File of the routes.
    pub routes_file: String,
    /// How long to wait at the end of a source's changes.
    pub poll_milliseconds: u64,
    /// The most changes asked for at once.
    pub page_size: u16,
    /// How long a database may take for one answer.
    pub answer_max_seconds: u64,
    /// The contribution service.
    pub contribution: Peer,
    /// The register.
    pub identity: Peer,
}

/// What keeps the service from starting, or from going on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be opened, read or written.
    #[error("the exchange's database cannot be used")]
    Store(#[from] ::store::Error),
    /// No database is named.
    #[error("`exchange.database` is not set")]
    NoDatabase,
    /// A page has 1 to 1000 changes.
    #[error("`exchange.page_size` must be 1 to {PAGE_MAX}")]
    PageSize,
    /// The routes cannot be used.
    #[error(transparent)]
    Routes(#[from] RoutesError),
    /// A database's address or our own identity cannot be used.
    #[error("a database cannot be reached as configured")]
    Peer(#[from] StartError),
}

/// The schema of the exchange.
#[must_use]
pub fn migrations() -> &'static [Migration] {
    store::MIGRATIONS
}

/// The running service.
pub struct Service {
    store: ExchangeStore,
    shared: Arc<api::Shared>,
    peers: Peers,
    ending: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Service {
    /// Opens the store, reads the routes, and begins to read and tell the databases, none of which needs to be there.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open(
        config: &Config,
        own: &server::Config,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        if config.database.reveal().is_empty() {
            return Err(Error::NoDatabase);
        }
        if !(1..=PAGE_MAX).contains(&config.page_size) {
            return Err(Error::PageSize);
        }
        let routes = routes(&config.routes_file, &own.trust_domain)?;
        let store =
            ExchangeStore::new(Store::open(config.database.reveal(), store::MIGRATIONS).await?);
        let files = own.files();
        let contribution = channel::to_service(&config.contribution, &own.trust_domain, &files)?;
        let identity = channel::to_service(&config.identity, &own.trust_domain, &files)?;
        let mut needed = vec![(contribution.clone(), INGEST)];
        if routes.iter().any(|route| route.follow.is_some()) {
            needed.push((identity.clone(), FEED));
        }
        let peers = Peers::new(needed);
        let ending = watch::Sender::new(false);
        let (mut tasks, mut routed) = (JoinSet::new(), Vec::new());
        for route in &routes {
            let conditions = Arc::new(Conditions::default());
            routed.push((route.clone(), Arc::clone(&conditions)));
            let database =
                channel::to_database(&route.endpoint, &route.identity, &own.trust_domain, &files)?;
            let work = Arc::new(Work {
                route: route.clone(),
                conditions,
                withdrawn: Notify::new(),
                store: store.clone(),
                database,
                contribution: IngestServiceClient::new(contribution.clone()),
                register: FeedServiceClient::new(identity.clone()),
                clock: clock.clone(),
                entropy: entropy.clone(),
                page_size: config.page_size,
                poll: Duration::from_millis(config.poll_milliseconds.max(1)),
                answer_max: Duration::from_secs(config.answer_max_seconds.max(1)),
            });
            if route.is(Role::Source) {
                tasks.spawn(Arc::clone(&work).pull(ending.subscribe()));
            }
            if let Some(follow) = route.follow.clone() {
                tasks.spawn(Arc::clone(&work).follow(follow, ending.subscribe()));
            }
            if route.is(Role::Sink) {
                tasks.spawn(work.deliver(ending.subscribe()));
            }
        }
        let shared = Arc::new(api::Shared { store: store.clone(), routes: routed, clock });
        Ok(Self { store, shared, peers, ending, tasks })
    }

    /// Adds what officers of the operator call.
    #[must_use]
    pub fn operators(&self, routes: Routes) -> Routes {
        api::add(routes, Arc::clone(&self.shared))
    }

    /// Tells `health` that it works while its store and the services it needs answer.
    pub fn report(&self, health: &Health) {
        let (store, peers) = (self.store.clone(), self.peers.clone());
        health.serves(&[api::NAME], move || {
            let (store, peers) = (store.clone(), peers.clone());
            async move { store.answers().await && peers.serve().await }
        });
    }

    /// How far each database was read and told, in the order of the routes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn progress(&self) -> Result<Vec<Progress>, Error> {
        let mut all = Vec::with_capacity(self.shared.routes.len());
        for (route, _) in &self.shared.routes {
            all.push(self.store.progress(&route.database).await?);
        }
        Ok(all)
    }

    /// What does not go on by itself and was not put away, the newest first, each with its owner; at most a thousand.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, Error> {
        let (database, with_settled) = (String::new(), false);
        self.store.dead_letters(Letters { database, with_settled, after: None, most: 1000 }).await
    }

    /// Ends after the change or delivery under way, and closes the store.
    pub async fn close(mut self) {
        self.ending.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            if ended.is_err() {
                tracing::error!("a route ended in a panic");
            }
        }
        self.store.close().await;
    }
}
