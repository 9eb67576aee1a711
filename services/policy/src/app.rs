//! The use cases: decide about a request, put a registry in force, and say what it touched. `admission`, `agreement` and `rule_set`
//! have those of officers, `decisions` explains, `in_force` has the rule set that decides, `questions` counts what is asked, `sample`
//! compares decisions with plain Cedar, `volume` leases, `warrant` signs.

pub(crate) mod admission;
pub(crate) mod agreement;
mod days;
pub(crate) mod decisions;
pub(crate) mod in_force;
mod questions;
pub(crate) mod rule_set;
mod sample;
pub(crate) mod volume;
pub(crate) mod warrant;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ::store::Store;
use days::Days;
use in_force::InForce;
use questions::Questions;
use sample::Sample;
use server::{
    Deadline,
    runtime::{Clock, Entropy},
    signed::{Algorithm, Signers},
};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

use crate::{
    Config, Error,
    domain::{
        basis::today,
        decision::{ClaimsRule, Connected, Decision, Profile},
        registry::Registry,
        request::Request,
        revision::{BEHIND_MAX, Newest, Touched},
    },
    looks::{LOOK_MAX, Looks},
    store,
};

/// Days are what the law counts in, so no decision outlives one.
const SECONDS_MAX: u64 = 86_400;
/// Whoever compares less than that might as well compare nothing.
const COMPARE_EVERY_MAX: u64 = 1_000_000;

/// What somebody signed, as a request brings it.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// DER, that of the signer first.
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) algorithm: Algorithm,
    pub(crate) signature: Vec<u8>,
}

pub(crate) struct App {
    /// The rule set that decides.
    pub(crate) in_force: Arc<InForce>,
    pub(crate) store: Store,
    /// Counts what is asked.
    pub(crate) questions: Arc<Questions>,
    /// What the newest revision is, for those who are told.
    pub(crate) looks: Looks,
    /// Compares some of the decisions with plain Cedar.
    pub(crate) sample: Arc<Sample>,
    /// How many decisions were made.
    pub(crate) decisions: AtomicU64,
    pub(crate) clock: Clock,
    /// The same, to decide by.
    pub(crate) days: Days,
    entropy: Entropy,
    longest: Duration,
    /// How long a lease of a volume lives.
    lease_life: Duration,
}

impl App {
    pub(crate) async fn open(
        profile: Profile,
        config: &Config,
        signers: Option<Signers>,
        (clock, entropy): (Clock, Entropy),
    ) -> Result<Self, Error> {
        let seconds = Some(config.table_seconds_max).filter(|s| (1..=SECONDS_MAX).contains(s));
        let seconds = seconds.and_then(|s| i64::try_from(s).ok()).ok_or(Error::TableSeconds)?;
        if !(1..=COMPARE_EVERY_MAX).contains(&config.compare_every) {
            return Err(Error::CompareEvery);
        }
        let lease_life = volume::life(config)?;
        let sample = Arc::new(Sample::new(config.compare_every));
        let store = Store::open(config.database.reveal(), store::MIGRATIONS).await?;
        let days = Days::open(&store, clock.clone()).await?;
        let in_force = InForce::new(config.legal_profile, profile, store.clone(), signers);
        let in_force = Arc::new(in_force);
        // A set that cannot decide keeps the service from starting (I9).
        let (ruling, profile) = in_force.now(&store).await?;
        if ruling.number != 0 {
            tracing::info!("what comes with the program is not the rule set in force");
        }
        if profile.listing(today(clock.now())).is_err() {
            let legal_profile = config.legal_profile.name();
            tracing::warn!(legal_profile, "its law is not in force today: everything is denied");
        }
        let (looks, decisions, questions) =
            (Looks::new(), AtomicU64::new(0), Arc::new(Questions::new()));
        let longest = Duration::seconds(seconds);
        let app = Self {
            in_force,
            store,
            questions,
            looks,
            sample,
            decisions,
            clock,
            days,
            entropy,
            longest,
            lease_life,
        };
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
        let store = self.store.until(deadline.at());
        let standing = store::standing(&store, request).await?;
        let profile = self.in_force.of(&standing.rules).await?;
        let now = self.days.now()?;
        let decision = profile.decide(request, &standing, now, self.longest);
        self.questions.count(&profile, request, &standing);
        self.sample.take(&profile, request, standing, now, &decision);
        if !self.sample.trusted() {
            return Err(Error::Distrusted);
        }
        self.decisions.fetch_add(1, Ordering::Relaxed);
        Ok((self.entropy.id(), decision))
    }

    /// Looks at a caller's connection, and gives what was decided an id, and until when it is of use.
    pub(crate) async fn connection(
        &self,
        deadline: Deadline,
        caller: &(String, String),
    ) -> Result<(String, Connected, OffsetDateTime), Error> {
        let store = self.store.until(deadline.at());
        let standing = store::connection(&store, caller).await?;
        let profile = self.in_force.of(&standing.rules).await?;
        let now = self.days.now()?;
        Ok((self.entropy.id(), profile.standing(&standing, now), now + self.longest))
    }

    /// A decision as it is for whoever looks at no signature: where requests must be signed, nothing is allowed (I2).
    pub(crate) fn to_who_checks_nothing(&self, decision: Decision) -> Decision {
        if !decision.signed_requests || decision.outcome.is_err() {
            return decision;
        }
        let outcome = Err(self.in_force.last().not_checked());
        Decision { outcome, claims: ClaimsRule::default(), volume: None, ..decision }
    }

    /// The same of a connection.
    pub(crate) fn connected_unchecked(&self, found: Connected) -> Connected {
        let must = found.signed_requests.then(|| self.in_force.last().not_checked());
        Connected { denial: found.denial.or(must), ..found }
    }

    pub(crate) async fn apply_registry(&self, registry: &Registry) -> Result<(), Error> {
        let (rules, profile) = self.in_force.now(&self.store).await?;
        registry.check(&profile.catalogue)?;
        let text = serde_json::to_string(registry).map_err(|e| Error::data("registry", e))?;
        let digest = hex::encode(Sha256::digest(&text));
        if store::replace(&self.store, registry.clone(), text, digest, rules.number).await? {
            self.looks.at_once();
        }
        Ok(())
    }

    /// What revisions touched since one that somebody was told of.
    pub(crate) async fn touched_since(
        &self,
        told: &Newest,
        newest: &Newest,
    ) -> Result<Touched, Error> {
        let store = self.store.until(Instant::now() + LOOK_MAX);
        let last = newest.number.min(told.number.saturating_add(BEHIND_MAX));
        let kept = store::range(&store, told.number, last).await?;
        Ok(Touched::since(told, newest, &kept, store::TOUCHED_MAX))
    }
}
