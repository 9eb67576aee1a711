//! Leasing parts of volumes.

use std::sync::LazyLock;

use opentelemetry::{KeyValue, global, metrics::Counter};
use server::Deadline;
use time::{Duration, OffsetDateTime};

use super::App;
use crate::{
    Config, Error,
    domain::{
        decision::{ClaimsRule, Decision, Denial},
        volume::GrantKey,
    },
    store::{
        self,
        volume::{Leased, NotLeased, Wanted},
    },
};

/// The longest life of a lease: for so long what one process does not use is kept from others.
const LIFE_SECONDS_MAX: u64 = 300;

/// Why nobody is counted.
#[derive(Debug)]
pub(crate) struct NotCounted {
    pub(crate) denial: Denial,
    /// When there is a new volume, or the grant ends; none where it has ended.
    pub(crate) period_end: Option<OffsetDateTime>,
}

/// How long a lease lives.
///
/// # Errors
/// When that is nothing or too long.
pub(super) fn life(config: &Config) -> Result<Duration, Error> {
    let seconds = Some(config.volume_lease_seconds).filter(|s| (1..=LIFE_SECONDS_MAX).contains(s));
    let seconds = seconds.and_then(|s| i64::try_from(s).ok()).ok_or(Error::LeaseSeconds)?;
    Ok(Duration::seconds(seconds))
}

/// What operators see.
struct Metrics {
    leased: Counter<u64>,
    returned: Counter<u64>,
}

fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
        let counter = |name, what| {
            let meter = global::meter("lienthong");
            meter.u64_counter(name).with_unit("{person}").with_description(what).build()
        };
        Metrics {
            leased: counter(
                "lienthong.policy.volume.leased",
                "Persons of grants' volumes that were leased to processes, by connection",
            ),
            returned: counter(
                "lienthong.policy.volume.returned",
                "Persons that were leased and came back unused, by connection",
            ),
        }
    });
    &METRICS
}

impl App {
    /// Leases what is wanted, and takes back what is given back; with the moment at which it did.
    pub(crate) async fn lease(
        &self,
        deadline: Deadline,
        wanted: Wanted,
    ) -> Result<(OffsetDateTime, Result<Leased, NotLeased>), Error> {
        let store = self.store.until(deadline.at());
        let now = self.days.now()?;
        let connection = [KeyValue::new("connection", wanted.connection.clone())];
        let leased = store::volume::lease(&store, wanted, now, self.lease_life).await?;
        if let Ok(leased) = &leased {
            // What is said again was counted.
            metrics().leased.add(leased.fresh.into(), &connection);
            metrics().returned.add(leased.free, &connection);
        }
        Ok((now, leased))
    }

    /// A decision as it is for whoever counts nobody: where only so many may be told of, nothing is allowed (I2).
    pub(crate) fn to_who_counts_nobody(&self, decision: Decision) -> Decision {
        if decision.volume.is_none() {
            return decision;
        }
        let outcome = Err(self.in_force.last().not_counted());
        Decision { outcome, claims: ClaimsRule::default(), volume: None, ..decision }
    }

    /// Counts one person under a decision, where it has a volume: of a warrant nobody gives anything back. The denial where none is
    /// left, or where the grant ended since it was decided.
    pub(crate) async fn count_one(
        &self,
        deadline: Deadline,
        decision: &Decision,
    ) -> Result<Result<(), NotCounted>, Error> {
        let Some((grant, _)) = &decision.volume else { return Ok(Ok(())) };
        let named = |lease: String, needed, returned| Wanted {
            connection: decision.connection.clone(),
            grant: GrantKey::clone(grant),
            lease,
            needed,
            wanted: needed,
            returned,
        };
        let lease = self.entropy.id();
        let (_, leased) = self.lease(deadline, named(lease.clone(), 1, Vec::new())).await?;
        let profile = self.in_force.last();
        match leased {
            Ok(Leased { persons: 1.., .. }) => {}
            Ok(Leased { period_end, .. }) => {
                let (denial, period_end) = (profile.volume_used_up(), Some(period_end));
                return Ok(Err(NotCounted { denial, period_end }));
            }
            // Nobody else has the name, and nothing comes back: so the grant is no more.
            Err(NotLeased::NoGrant | NotLeased::OtherGrant | NotLeased::Overdrawn(_)) => {
                return Ok(Err(NotCounted { denial: profile.not_agreed(), period_end: None }));
            }
        }
        // It is counted, whatever becomes of saying that it was used.
        let used = self.lease(deadline, named(String::new(), 0, vec![(lease, 1)])).await;
        if !matches!(used, Ok((_, Ok(_)))) {
            tracing::debug!("that a warrant was counted is not noted as used");
        }
        Ok(Ok(()))
    }
}
