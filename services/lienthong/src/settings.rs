//! What each kind of process reads from its configuration.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The commented defaults of what only `serve all` has.
const ALL: &str = include_str!("../config/default.toml");

/// Settings of a kind of process, with the defaults of each of its tables.
pub trait Settings: DeserializeOwned + Serialize {
    /// The commented defaults.
    const DEFAULTS: &'static [&'static str];

    /// The effective settings: defaults, file, environment.
    ///
    /// # Errors
    /// When the file cannot be read or a key is unknown.
    fn load(file: Option<&Path>) -> Result<Self> {
        server::config::load(Self::DEFAULTS, file).context("configuration")
    }
}

/// Every service in one process.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct All {
    /// The port that agencies reach, and the identity of the process (`/service/all`).
    pub server: server::Config,
    /// Whom the services are when they call one another.
    pub callers: Callers,
    /// The access log.
    pub audit: audit::Config,
    /// Decisions.
    pub policy: policy::Config,
    /// The register.
    pub identity: identity::Config,
    /// Contributions to it.
    pub contribution: contribution::Config,
    /// The databases of others; none are connected where it names no routes.
    pub exchange: exchange::Config,
}

/// Identities of the services that call others.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Callers {
    /// The policy service; used where there are officers.
    pub policy: Caller,
    /// The identity service.
    pub identity: Caller,
    /// The contribution service.
    pub contribution: Caller,
    /// The exchange service.
    pub exchange: Caller,
}

/// Files of an identity.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// PEM file of the certificate chain.
    pub certificate: String,
    /// PEM file of the private key.
    pub key: String,
}

impl Caller {
    /// The process's configuration with this identity instead of its own.
    #[must_use]
    pub fn of(&self, server: &server::Config) -> server::Config {
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        server::Config { certificate, key, ..server.clone() }
    }
}

/// The access log alone.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// How the process listens and who it is.
    pub server: server::Config,
    /// The access log.
    pub audit: audit::Config,
}

/// Decisions alone.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How the process listens and who it is.
    pub server: server::Config,
    /// Decisions.
    pub policy: policy::Config,
}

/// The register alone.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// How the process listens and who it is.
    pub server: server::Config,
    /// The register.
    pub identity: identity::Config,
}

/// Contributions alone.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contribution {
    /// How the process listens and who it is.
    pub server: server::Config,
    /// Contributions.
    pub contribution: contribution::Config,
}

/// The databases of others alone.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// How the process listens and who it is.
    pub server: server::Config,
    /// The databases of others.
    pub exchange: exchange::Config,
}

impl Settings for Exchange {
    const DEFAULTS: &'static [&'static str] = &[server::config::DEFAULTS, exchange::DEFAULTS];
}

impl Settings for All {
    const DEFAULTS: &'static [&'static str] = &[
        server::config::DEFAULTS,
        ALL,
        audit::DEFAULTS,
        policy::DEFAULTS,
        identity::DEFAULTS,
        contribution::DEFAULTS,
        exchange::DEFAULTS,
    ];
}

impl Settings for Contribution {
    const DEFAULTS: &'static [&'static str] = &[server::config::DEFAULTS, contribution::DEFAULTS];
}

impl Settings for Audit {
    const DEFAULTS: &'static [&'static str] = &[server::config::DEFAULTS, audit::DEFAULTS];
}

impl Settings for Policy {
    const DEFAULTS: &'static [&'static str] = &[server::config::DEFAULTS, policy::DEFAULTS];
}

impl Settings for Identity {
    const DEFAULTS: &'static [&'static str] = &[server::config::DEFAULTS, identity::DEFAULTS];
}
