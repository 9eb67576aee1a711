//! When records could be written, without which nothing is given: noted as long as they can, so that the reports say how long they could
//! not.

use std::time::Duration;

use ::store::Store;
use server::runtime::{Clock, Entropy};

use crate::{Error, store::period, witness::Halt};

/// How often it is noted.
const EVERY: Duration = Duration::from_secs(20);
/// What is not noted for so long could not be written. A restart may take less.
const BREAK_MS: u64 = 60_000;

/// Notes it.
pub(crate) struct Pulse {
    store: Store,
    clock: Clock,
    halt: Halt,
    process: String,
    /// The stretch that goes on, and until when it is noted.
    stretch: Option<(u64, u64)>,
}

impl Pulse {
    pub(crate) fn new(store: Store, clock: Clock, halt: Halt, entropy: &Entropy) -> Self {
        Self { store, clock, halt, process: entropy.id(), stretch: None }
    }

    /// Notes it until it is aborted.
    pub(crate) async fn keep(mut self) {
        let mut again = tokio::time::interval(EVERY);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            if let Err(error) = self.beat().await {
                tracing::warn!(kind = error.kind(), "the database cannot be written");
            }
        }
    }

    /// Notes that records can be written now, and could since the last time unless that is too long ago. After a conflict with a
    /// witness none can.
    pub(crate) async fn beat(&mut self) -> Result<(), Error> {
        if self.halt.is_set() {
            return Ok(());
        }
        let now = self.clock.now_ms();
        let from = match self.stretch {
            Some((from, until)) if now.saturating_sub(until) < BREAK_MS => from,
            Some(_) | None => now,
        };
        period::beat(&self.store, self.process.clone(), from, now).await?;
        self.stretch = Some((from, now));
        Ok(())
    }
}

/// The gaps between stretches, which are ordered by their beginnings and may overlap, from one moment to another.
pub(crate) fn outages(stretches: &[(u64, u64)], from: u64, until: u64) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    let mut known = from;
    for (begin, end) in stretches.iter().copied().chain([(until, until)]) {
        if begin.min(until).saturating_sub(known) >= BREAK_MS {
            gaps.push((known, begin.min(until)));
        }
        known = known.max(end);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    #[test]
    fn what_no_stretch_covers_for_a_minute_is_an_outage() {
        let hour = 60 * MINUTE;
        for (stretches, gaps) in [
            (vec![], vec![(0, hour)]),
            (vec![(0, hour)], vec![]),
            (vec![(0, hour - MINUTE + 1)], vec![]),
            (vec![(0, hour - MINUTE)], vec![(hour - MINUTE, hour)]),
            (
                vec![(MINUTE, 2 * MINUTE), (5 * MINUTE, 2 * hour)],
                vec![(0, MINUTE), (2 * MINUTE, 5 * MINUTE)],
            ),
            // One inside of another does not end it.
            (vec![(0, 30 * MINUTE), (MINUTE, 2 * MINUTE), (30 * MINUTE, hour)], vec![]),
            (vec![(2 * hour, 3 * hour)], vec![(0, hour)]),
        ] {
            assert_eq!(outages(&stretches, 0, hour), gaps, "{stretches:?}");
        }
    }
}
