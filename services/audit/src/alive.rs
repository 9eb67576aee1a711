//! When records could be written, without which nothing is given: noted as long as they can, so that the reports say how long they could
//! not.

use std::{ops::Range, time::Duration};

use ::store::Store;
use server::runtime::{Clock, Entropy};

use crate::{Error, store::period, witness::Halt};

/// How often it is noted.
const EVERY: Duration = Duration::from_secs(20);
/// What is not noted for so long could not be written. A restart may take less.
pub(crate) const BREAK_MS: u64 = 60_000;

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

/// The gaps of the time from one moment to another, which are those between stretches that are ordered by their beginnings and may
/// overlap. How long a gap is, is seen in the time around, which is `seen` at most: so one that lies across the border of two periods is
/// told of in both.
pub(crate) fn outages(
    stretches: &[(u64, u64)],
    period: Range<u64>,
    seen: Range<u64>,
) -> Vec<(u64, u64)> {
    let seen = seen.start.max(period.start.saturating_sub(BREAK_MS))
        ..seen.end.min(period.end.saturating_add(BREAK_MS));
    let mut gaps = Vec::new();
    let mut known = seen.start;
    for (begin, end) in stretches.iter().copied().chain([(seen.end, seen.end)]) {
        let begin = begin.min(seen.end);
        let gap = known.max(period.start)..begin.min(period.end);
        if begin.saturating_sub(known) >= BREAK_MS && !gap.is_empty() {
            gaps.push((gap.start, gap.end));
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
            assert_eq!(outages(&stretches, 0..hour, 0..hour), gaps, "{stretches:?}");
        }
    }

    #[test]
    fn a_gap_across_the_border_of_two_periods_is_told_of_in_both() {
        let (border, day) = (600 * MINUTE, 1_440 * MINUTE);
        for (gap, before, after) in [
            ((border - MINUTE / 2, border + MINUTE / 2), MINUTE / 2, MINUTE / 2),
            ((border - MINUTE / 2, border + MINUTE / 2 - 1), 0, 0),
            ((border - MINUTE, border), MINUTE, 0),
            ((border, border + MINUTE), 0, MINUTE),
            ((border - 90 * MINUTE, border + 1), 90 * MINUTE, 1),
        ] {
            let stretches = [(0, gap.0), (gap.1, day)];
            let length = |period| -> u64 {
                outages(&stretches, period, 0..day).iter().map(|(from, until)| until - from).sum()
            };
            assert_eq!((length(0..border), length(border..day)), (before, after), "{gap:?}");
        }
    }

    #[test]
    fn what_is_not_known_yet_is_no_gap() {
        // The last note is of ten seconds ago.
        let now = 10 * MINUTE;
        assert_eq!(outages(&[(0, now - 10_000)], 0..now, 0..now), []);
    }
}
