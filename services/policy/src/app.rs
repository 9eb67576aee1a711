//! The use cases: decide about a request, and put a registry in force. `admission` has those of admissions.

pub(crate) mod admission;

use ::store::Store;
use server::{
    Deadline,
    runtime::{Clock, Entropy},
};
use sha2::{Digest, Sha256};
use time::Duration;

use crate::{
    Config, Error,
    domain::{
        basis::today,
        decision::{Connected, Decision, Profile},
        registry::Registry,
        request::Request,
    },
    store,
};

/// Days are what the law counts in, so no decision outlives one.
const SECONDS_MAX: u64 = 86_400;

pub(crate) struct App {
    pub(crate) profile: Profile,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    entropy: Entropy,
    longest: Duration,
}

impl App {
    pub(crate) async fn open(
        config: &Config,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let seconds = Some(config.table_seconds_max).filter(|s| (1..=SECONDS_MAX).contains(s));
        let seconds = seconds.and_then(|s| i64::try_from(s).ok()).ok_or(Error::TableSeconds)?;
        let profile = Profile::load(config.legal_profile)?;
        if profile.listing(today(clock.now())).is_err() {
            let legal_profile = config.legal_profile.name();
            tracing::warn!(legal_profile, "its law is not in force today: everything is denied");
        }
        let store = Store::open(config.database.reveal(), store::MIGRATIONS).await?;
        let app = Self { profile, store, clock, entropy, longest: Duration::seconds(seconds) };
        if !config.registry_file.is_empty() {
            let text = std::fs::read_to_string(&config.registry_file).map_err(|source| {
                Error::RegistryFile { path: config.registry_file.clone(), source }
            })?;
            app.apply_registry(&Registry::parse(&text)?).await?;
        }
        Ok(app)
    }

    /// Decides about a request, and gives the decision an id.
    pub(crate) async fn decide(
        &self,
        deadline: Deadline,
        request: &Request,
    ) -> Result<(String, Decision), Error> {
        let standing = store::standing(&self.store.until(deadline.at()), request).await?;
        let decision = self.profile.decide(request, &standing, self.clock.now(), self.longest);
        Ok((self.entropy.id(), decision))
    }

    /// Looks at a caller's connection, and gives what was decided an id.
    pub(crate) async fn connection(
        &self,
        deadline: Deadline,
        caller: &(String, String),
    ) -> Result<(String, Connected), Error> {
        let standing = store::connection(&self.store.until(deadline.at()), caller).await?;
        Ok((self.entropy.id(), self.profile.standing(&standing, self.clock.now())))
    }

    pub(crate) async fn apply_registry(&self, registry: &Registry) -> Result<(), Error> {
        registry.check(&self.profile.catalogue)?;
        let text = serde_json::to_string(registry).map_err(|e| Error::data("registry", e))?;
        let digest = hex::encode(Sha256::digest(&text));
        store::replace(&self.store, registry.clone(), text, digest).await
    }
}
