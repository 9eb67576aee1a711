//! What a process may tell of a grant's volume: parts that were leased to it, each for a short time. Pure; time is an argument.
//!
//! Whoever is about to be told of is taken first, and then either told or put back. A lease that has ended gives nobody any more;
//! when nobody taken from it is under way, it is given back with how many were told of. So no more are told of than were leased,
//! whatever becomes of the calls.

#[cfg(test)]
mod tests;

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::kept::Now;

/// For so long policy is not asked again after it had nobody left: whoever is refused costs it nothing, and what another process
/// gives back is seen soon.
const NOT_AGAIN: Duration = Duration::from_secs(1);
/// Persons that are asked for first, before it is known how many are told of in the life of a lease.
const AT_FIRST: u32 = 16;
/// Persons that one lease is asked for, at most, beyond those that wait.
const AT_MOST: u32 = 100_000;
/// Leases that are given back at once. It is in the contract.
const RETURNED_MAX: usize = 100;

/// A part of a volume.
struct Lease {
    name: String,
    persons: u32,
    /// Persons that were taken, and neither told of nor put back yet.
    under_way: u32,
    told: u32,
    /// Its end by the monotonic clock, and by the other: whichever comes first.
    ends: Instant,
    expires: OffsetDateTime,
}

impl Lease {
    fn lasts(&self, now: Now) -> bool {
        now.at < self.ends && now.clock < self.expires
    }

    fn left(&self) -> u32 {
        self.persons.saturating_sub(self.under_way).saturating_sub(self.told)
    }
}

/// A lease as policy gives it.
pub(super) struct Leased {
    pub(super) name: String,
    pub(super) persons: u32,
    pub(super) ends: Instant,
    pub(super) expires: OffsetDateTime,
}

/// The leases of one grant.
#[derive(Default)]
pub(super) struct Ledger {
    leases: Vec<Lease>,
    /// Until when policy is not asked again, and the end of the period of which nobody is left.
    used_up: Option<(Instant, OffsetDateTime)>,
    /// Persons taken since the last lease.
    since: u32,
}

/// Persons that were taken, by the names of their leases.
pub(super) type Parts = Vec<(String, u32)>;

impl Ledger {
    /// Takes persons, at most as many as may still be told of; of the lease that ends first before others.
    pub(super) fn take(&mut self, most: u32, now: Now) -> Parts {
        let mut missing = most;
        let mut parts = Vec::new();
        self.leases.sort_by_key(|lease| lease.ends);
        for lease in self.leases.iter_mut().filter(|lease| lease.lasts(now)) {
            let taken = lease.left().min(missing);
            if taken > 0 {
                lease.under_way += taken;
                missing -= taken;
                parts.push((lease.name.clone(), taken));
            }
        }
        self.since = self.since.saturating_add(most - missing);
        parts
    }

    /// Of persons who were taken so many were told of; the others are put back.
    pub(super) fn settle(&mut self, parts: Parts, mut told: u32) {
        for (name, taken) in parts {
            let used = told.min(taken);
            told -= used;
            if let Some(lease) = self.leases.iter_mut().find(|lease| lease.name == name) {
                lease.under_way = lease.under_way.saturating_sub(taken);
                lease.told += used;
            }
        }
    }

    /// How many would be of use, of whom so many are needed now: twice as many as were taken since the last lease.
    pub(super) fn wanted(&self, needed: u32) -> u32 {
        self.since.saturating_mul(2).clamp(AT_FIRST, AT_MOST).max(needed)
    }

    /// A lease was given.
    pub(super) fn add(&mut self, leased: Leased) {
        let Leased { name, persons, ends, expires } = leased;
        self.leases.push(Lease { name, persons, under_way: 0, told: 0, ends, expires });
        (self.since, self.used_up) = (0, None);
    }

    /// A lease of which it is not known whether it was given is given back, as one that has ended and of which nobody was told. Its
    /// name is not asked for again: once policy heard that it came back there is nothing in it, and that says nothing of what is left.
    pub(super) fn doubt(&mut self, name: String, now: Now) {
        let Now { at: ends, clock: expires } = now;
        self.leases.push(Lease { name, persons: 0, under_way: 0, told: 0, ends, expires });
    }

    /// Policy has nobody left in the period that ends then.
    pub(super) fn has_nobody(&mut self, period_end: OffsetDateTime, now: Now) {
        self.used_up = Some((now.at + NOT_AGAIN, period_end));
    }

    /// The end of the period, where policy is not to be asked again yet.
    pub(super) fn used_up(&self, now: Now) -> Option<OffsetDateTime> {
        let (until, period_end) = self.used_up?;
        (now.at < until && now.clock < period_end).then_some(period_end)
    }

    /// Whether persons were taken who may still be put back to be taken again.
    pub(super) fn is_under_way(&self, now: Now) -> bool {
        self.leases.iter().any(|lease| lease.under_way > 0 && lease.lasts(now))
    }

    /// Leases of which nobody can be told any more, and how many were.
    pub(super) fn ended(&self, now: Now) -> Parts {
        let ended = |lease: &&Lease| {
            lease.under_way == 0 && (lease.told >= lease.persons || !lease.lasts(now))
        };
        let ended = self.leases.iter().filter(ended).take(RETURNED_MAX);
        ended.map(|lease| (lease.name.clone(), lease.told)).collect()
    }

    /// All leases, as many as are given back at once. Who is under way counts as told of.
    pub(super) fn all(&self) -> Parts {
        let all = self.leases.iter().take(RETURNED_MAX);
        all.map(|lease| (lease.name.clone(), lease.told + lease.under_way)).collect()
    }

    /// Leases were given back.
    pub(super) fn forget(&mut self, names: &[String]) {
        self.leases.retain(|lease| !names.contains(&lease.name));
    }

    /// The grant is in force no more.
    pub(super) fn clear(&mut self) {
        self.leases.clear();
    }

    /// How many leases there are, and how many persons nobody was told of under them, nor is about to be.
    pub(super) fn left(&self) -> (usize, u64) {
        (self.leases.len(), self.leases.iter().map(|lease| u64::from(lease.left())).sum())
    }

    /// Whether there is nothing to be remembered: no lease, and not that policy had nobody just now.
    pub(super) fn is_empty(&self, now: Now) -> bool {
        self.leases.is_empty() && self.used_up(now).is_none()
    }
}
