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
//! | `domain::{basis, catalogue, rules, table}` | the law as data, the rules, the decision table |
//! | `domain::revision` | what whoever keeps decisions has to be told |
//! | `looks` | what the newest revision is, looked at once for all who are told |
//! | `store` | the registry's tables, and its revisions |

mod api;
mod app;
pub mod domain;
mod looks;
mod store;
#[cfg(test)]
mod tests;

use std::sync::{Arc, atomic::Ordering};

use contract::policy::v1::policy_service_server::{PolicyServiceServer, SERVICE_NAME as NAME};
pub use domain::catalogue::LegalProfile;
use domain::{catalogue::Catalogue, registry::Registry};
use serde::{Deserialize, Serialize};
use server::{
    Health,
    config::Secret,
    runtime::{Clock, Entropy},
};
use tokio::task::AbortHandle;

/// The commented defaults of every key of `[policy]`.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// The `[policy]` table of the configuration; `config/default.toml` says what each key is.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// URL of the database.
    pub database: Secret,
    /// Registry file that is applied at start, or empty.
    pub registry_file: String,
    /// The law that lists the items.
    pub legal_profile: LegalProfile,
    /// How long a decision is kept at most, in seconds.
    pub table_seconds_max: u64,
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
    /// The registry file cannot be read.
    #[error("cannot read the registry file `{path}`")]
    RegistryFile {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `table_seconds_max` is out of its range.
    #[error("`policy.table_seconds_max` must be from 1 to 86400")]
    TableSeconds,
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

/// The policy service, open on its database. Clones share it.
#[derive(Clone)]
pub struct Service {
    app: Arc<app::App>,
    /// Ends when the service is closed.
    looking: AbortHandle,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("policy::Service")
    }
}

impl Service {
    /// Reads the shipped data, opens the database and applies the registry file, if one is named.
    ///
    /// # Errors
    /// See [`Error`]; then nothing is served (I9).
    pub async fn open(config: &Config, clock: Clock, entropy: Entropy) -> Result<Self, Error> {
        let app = Arc::new(app::App::open(config, clock, entropy).await?);
        let looked = Arc::clone(&app);
        let looking = tokio::spawn(async move { looked.looks.look(&looked.store).await });
        Ok(Self { app, looking: looking.abort_handle() })
    }

    /// Adds `PolicyService` to the routes for our own services.
    pub fn internal(&self, routes: server::Routes) -> server::Routes {
        routes.add_service(PolicyServiceServer::new(api::Api(Arc::clone(&self.app))))
    }

    /// Tells `health` whether it can decide: while its database answers.
    pub fn report(&self, health: &Health) {
        let app = Arc::clone(&self.app);
        health.serves(&[NAME], move || {
            let app = Arc::clone(&app);
            async move { app.store.answers().await }
        });
    }

    /// The items, procedures and legal grounds.
    pub fn catalogue(&self) -> &Catalogue {
        &self.app.profile.catalogue
    }

    /// Puts a registry in the place of the stored one, whole or not at all. The next decision
    /// follows it.
    ///
    /// # Errors
    /// [`Error::Data`] for a registry that names what is not there; [`Error::Store`]. Nothing
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
        self.looking.abort();
        self.app.store.clone().close().await;
    }
}
