//! Leasing parts of volumes.

use std::sync::LazyLock;

use opentelemetry::{KeyValue, global, metrics::Counter};
use server::Deadline;
use time::{Duration, OffsetDateTime};

use super::App;
use crate::{
    Config, Error,
    domain::{
        decision::{Decision, Denial},
        volume::GrantKey,
    },
    store::{
        self,
        volume::{Leased, NotLeased, Wanted},
    },
};

/// The longest life of a lease: for so long what one process does not use is kept from others.
const LIFE_SECONDS_MAX: u64 = 300;
/// The rule by which nobody is told of any more.
const USED_UP: &str = "volume-used-up";

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
        let now = self.clock.now();
        let connection = [KeyValue::new("connection", wanted.connection.clone())];
        let leased = store::volume::lease(&store, wanted, now, self.lease_life).await?;
        if let Ok(leased) = &leased {
            // What is said again was counted.
            metrics().leased.add(leased.fresh.into(), &connection);
            metrics().returned.add(leased.free, &connection);
        }
        Ok((now, leased))
    }

    /// Counts one person under a decision, where it has a volume: of a warrant nobody gives anything back. The denial where none is
    /// left.
    pub(super) async fn count_one(
        &self,
        deadline: Deadline,
        decision: &Decision,
    ) -> Result<Result<(), Denial>, Error> {
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
        if !leased.is_ok_and(|leased| leased.persons == 1) {
            return Ok(Err(self.in_force.last().volume_denial(USED_UP)));
        }
        let (_, used) = self.lease(deadline, named(String::new(), 0, vec![(lease, 1)])).await?;
        if used.is_err() {
            tracing::debug!("a grant ended while a warrant was issued");
        }
        Ok(Ok(()))
    }
}
