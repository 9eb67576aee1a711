//! What is to be looked at, and with what.

use std::{pin::Pin, sync::Arc, time::Duration};

use contract::database::v1::{
    DatabaseRole, lookup_service_server, sink_service_server, source_service_server,
};
use serde::Serialize;
use server::runtime::Clock;

use crate::{Fixtures, WarrantKey};

/// What a database does for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It lists its changes.
    Source,
    /// It answers about single persons.
    Lookup,
    /// It takes events.
    Sink,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Source, Self::Lookup, Self::Sink];

    /// As the contract numbers it.
    pub(crate) fn number(self) -> i32 {
        let role = match self {
            Self::Source => DatabaseRole::Source,
            Self::Lookup => DatabaseRole::Lookup,
            Self::Sink => DatabaseRole::Sink,
        };
        role.into()
    }

    /// Its name, as the report writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Lookup => "lookup",
            Self::Sink => "sink",
        }
    }

    /// Its service.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::Source => source_service_server::SERVICE_NAME,
            Self::Lookup => lookup_service_server::SERVICE_NAME,
            Self::Sink => sink_service_server::SERVICE_NAME,
        }
    }

    /// The role that a rule belongs to; none where it holds for all.
    pub(crate) fn of_rule(id: &str) -> Option<Self> {
        match id.split('-').next() {
            Some("SRC") => Some(Self::Source),
            Some("LKP") => Some(Self::Lookup),
            Some("SNK") => Some(Self::Sink),
            _ => None,
        }
    }
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Pem {
    /// The certificate chain.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// What every request is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// Chosen for this run: what the kit sends was never sent before.
    Fresh(u64),
    /// Given: what the kit sends may have been sent before.
    Given(u64),
}

impl Seed {
    /// The number.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Fresh(number) | Self::Given(number) => number,
        }
    }
}

type Done = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Something that is done to the database from outside: a restart, or the commit of a change.
#[derive(Clone)]
pub struct Act(Arc<dyn Fn() -> Done + Send + Sync>);

impl Act {
    /// What this function does.
    pub fn new<F, R>(act: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(act())))
    }

    /// What a shell does with this command; its output goes to the kit's standard error.
    #[must_use]
    pub fn command(command: String) -> Self {
        Self::new(move || {
            let command = command.clone();
            async move { shell(&command).await }
        })
    }

    pub(crate) async fn done(&self) -> Result<(), String> {
        (self.0)().await
    }
}

async fn shell(command: &str) -> Result<(), String> {
    let mut shell = tokio::process::Command::new("sh");
    // Nothing of it may stand in the kit's own output, which is a report.
    shell.arg("-c").arg(command).stdin(std::process::Stdio::null());
    shell.stdout(std::process::Stdio::null()).kill_on_drop(true);
    let ended = shell.status().await.map_err(|error| error.to_string())?;
    if ended.success() { Ok(()) } else { Err(format!("the command ended with {ended}")) }
}

/// What is to be looked at.
#[derive(Clone)]
pub struct Plan {
    /// Where the database listens, `host:port`.
    pub target: String,
    /// Name that its certificate must carry; the host when not given.
    pub server_name: Option<String>,
    /// PEM file of the authority that issued its certificate.
    pub ca: String,
    /// Who the kit is: an identity on the database's allow list.
    pub identity: Pem,
    /// A good certificate that is not on the allow list.
    pub stranger: Option<Pem>,
    /// The roles that are looked at; those of the description when there are none.
    pub roles: Vec<Role>,
    /// The only cases that are tried; all when there are none.
    pub only: Vec<String>,
    /// What the kit must be told of the database's records.
    pub fixtures: Fixtures,
    /// What signs warrants; without it the role lookup cannot be tried.
    pub warrants: Option<WarrantKey>,
    /// What every request is made from.
    pub seed: Seed,
    /// Restarts the database, and returns when it may be called again or is about to be.
    pub restart: Option<Act>,
    /// Commits one more synthetic change in the database.
    pub change: Option<Act>,
    /// How long one answer is waited for.
    pub patience: Duration,
    /// What time it is.
    pub clock: Clock,
}
