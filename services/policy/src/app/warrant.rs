//! Issuing warrants: decide, look whether the database may be asked, sign.

use decide::{ItemDecision, ItemEffect};
use server::Deadline;
use time::{Duration, OffsetDateTime};
use warrant::{KeySet, PublicKey, Signer};

use super::{App, volume::NotCounted};
use crate::{
    Config, Error,
    domain::{
        decision::{Decision, Denial},
        warrant::{self as rules, Wanted},
    },
    store,
};

/// The keys of warrants, and how long a warrant lives.
pub(crate) struct Keys {
    signer: Signer,
    /// Those that are published: the one that signs first.
    pub(crate) published: KeySet,
    /// Who signs.
    pub(crate) issuer: String,
    life: Duration,
}

/// What was decided about a warrant.
pub(crate) struct Issued {
    /// Id of the decision.
    pub(crate) decision_id: String,
    /// The decision, as a warrant stands on it.
    pub(crate) decision: Decision,
    /// The warrant, or why there is none.
    pub(crate) outcome: Result<Signed, Denial>,
    /// Where the volume is used up: when there is a new one, or the grant ends.
    pub(crate) period_end: Option<OffsetDateTime>,
    /// What was decided of each item.
    pub(crate) items: Vec<ItemDecision>,
}

/// A warrant that was signed.
pub(crate) struct Signed {
    /// Its text.
    pub(crate) token: String,
    /// Seconds since 1970 at which it ends.
    pub(crate) ends: i64,
    /// The items that it allows.
    pub(crate) items: Vec<String>,
}

/// Why nothing was decided about a warrant.
#[derive(Debug)]
pub(crate) enum NotIssued {
    /// The policy data cannot be read.
    Unread(Error),
    /// The decision ends within this second: the next one is another.
    EndsNow,
    /// The items do not fit into a warrant.
    TooLong,
}

impl From<Error> for NotIssued {
    fn from(error: Error) -> Self {
        Self::Unread(error)
    }
}

impl Keys {
    /// The configured keys; none where none signs.
    ///
    /// # Errors
    /// When a file cannot be read or is no key, or a warrant would live for no time or too long.
    pub(crate) fn read(config: &Config, trust_domain: &str) -> Result<Option<Self>, Error> {
        let life = i64::try_from(config.warrant_seconds).ok();
        let life = life.filter(|life| (1..=warrant::LIFE_SECONDS_MAX).contains(life));
        let life = Duration::seconds(life.ok_or(Error::WarrantSeconds)?);
        let path = &config.warrant_key_file;
        if path.is_empty() {
            return Ok(None);
        }
        let malformed = |path: &String| Error::MalformedWarrantKey { path: path.clone() };
        let signer = Signer::from_pem(&text(path)?).map_err(|_| malformed(path))?;
        let mut published = vec![signer.public().clone()];
        for path in &config.warrant_published_files {
            published.push(PublicKey::from_pem(&text(path)?).map_err(|_| malformed(path))?);
        }
        let issuer = format!("spiffe://{trust_domain}/service/policy");
        Ok(Some(Self { signer, published: KeySet::new(published), issuer, life }))
    }
}

fn text(path: &String) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::WarrantKey { path: path.clone(), source })
}

impl App {
    /// Decides about a warrant, and signs it where something is allowed.
    pub(crate) async fn issue(
        &self,
        deadline: Deadline,
        keys: &Keys,
        wanted: Wanted,
    ) -> Result<Issued, NotIssued> {
        let (decision_id, decision) = self.decide(deadline, &wanted.request).await?;
        // What the system that is asked for has signed, whoever asks in its name does not show.
        let decision = self.to_who_checks_nothing(decision);
        let now = self.days.now()?;
        let refused = |decision, denial| Issued {
            decision_id: decision_id.clone(),
            decision,
            outcome: Err(denial),
            period_end: None,
            items: Vec::new(),
        };
        let items = match rules::allowed(&decision, &wanted.facts) {
            Ok(items) => items,
            Err(denial) => return Ok(refused(decision, denial)),
        };
        if let Err(denial) = self.may_be_asked(deadline, &wanted.database, now).await? {
            return Ok(refused(decision, denial));
        }
        let allowed = items.iter().filter(|item| item.effect == ItemEffect::Allowed);
        let allowed: Vec<String> = allowed.map(|item| item.item.clone()).collect();
        let ids = (self.entropy.id(), decision_id.clone());
        let times = (now, decision.valid_until, keys.life);
        let claims = rules::claims(wanted, ids, &keys.issuer, allowed.clone(), times);
        let claims = claims.ok_or(NotIssued::EndsNow)?;
        let token = keys.signer.sign(&claims).map_err(|_| NotIssued::TooLong)?;
        // Counted when it is signed, so that what cannot be signed costs nothing, and before anybody has it.
        if let Err(NotCounted { denial, period_end }) = self.count_one(deadline, &decision).await? {
            return Ok(Issued { period_end, ..refused(decision, denial) });
        }
        let signed = Signed { token, ends: claims.exp, items: allowed };
        Ok(Issued { decision_id, decision, outcome: Ok(signed), period_end: None, items })
    }

    /// Whether a database may be asked: it is connected, and the connection may be used.
    async fn may_be_asked(
        &self,
        deadline: Deadline,
        database: &str,
        now: OffsetDateTime,
    ) -> Result<Result<(), Denial>, Error> {
        let store = self.store.until(deadline.at());
        let (mut found, mut profile) = (Vec::new(), self.in_force.last());
        for system in store::warrant::systems_of(&store, database).await? {
            let standing = store::connection(&store, &system).await?;
            profile = self.in_force.of(&standing.rules).await?;
            let denial = profile.standing(&standing, now).denial;
            let usable = denial.is_none();
            found.push(denial);
            if usable {
                break;
            }
        }
        Ok(rules::may_be_asked(found, |rule| profile.not_connected(rule)))
    }
}
