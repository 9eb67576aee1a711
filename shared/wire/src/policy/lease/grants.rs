//! The grants of which something is leased, and whose turn it is to ask for more.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use tokio::sync::{Mutex as Turn, Notify, OwnedMutexGuard};

use super::super::{NoDecision, kept::Now, volume::Ledger};

/// The grants of which something is leased.
#[derive(Default)]
pub(in crate::policy) struct Volumes(Mutex<HashMap<String, Arc<Grant>>>);

/// One grant.
pub(in crate::policy) struct Grant {
    pub(super) connection: String,
    pub(super) name: String,
    ledger: Mutex<Ledger>,
    /// Whose turn it is to ask policy.
    pub(super) turn: Arc<Turn<Asking>>,
    /// How often a lease was asked for, whatever came of it.
    pub(super) asked: AtomicU64,
    /// Persons that calls wait for.
    pub(super) waiting: AtomicU32,
    /// Told whenever persons who were taken are told of or put back.
    pub(super) settled: Notify,
}

impl Grant {
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many leases it has, with one of which it is not known whether it was given, and how many persons are left of them.
    pub(super) fn left(&self) -> (usize, u64) {
        let (leases, persons) = self.ledger().left();
        let doubted = self.turn.try_lock().map_or(true, |turn| turn.name.is_some());
        (leases + usize::from(doubted), persons)
    }
}

/// What whoever asks policy next has to know.
#[derive(Default)]
pub(super) struct Asking {
    /// The name of a lease that was asked for and is not known to be given.
    pub(super) name: Option<String>,
    /// Which time of asking for a lease failed last, and why.
    pub(super) failed: Option<(u64, NoDecision)>,
}

impl Asking {
    /// Why no lease was given since it had been asked for so often: those who wait behind one that fails share what came of it, and do
    /// not fail one after the other.
    pub(super) fn failed_since(&self, asked: u64) -> Option<NoDecision> {
        self.failed.as_ref().filter(|(time, _)| *time > asked).map(|(_, why)| why.clone())
    }
}

/// Persons that a call waits for, as long as it does.
pub(super) struct Waiting<'a>(&'a AtomicU32, u32);

impl<'a> Waiting<'a> {
    pub(super) fn for_so_many(grant: &'a Grant, persons: u32) -> Self {
        grant.waiting.fetch_add(persons, Ordering::Relaxed);
        Self(&grant.waiting, persons)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// A turn that whoever has it may keep for as long as it takes.
pub(super) type OwnTurn = OwnedMutexGuard<Asking>;

impl Volumes {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Arc<Grant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn grant(&self, connection: &str, name: &str) -> Arc<Grant> {
        let mut held = self.held();
        if let Some(grant) = held.get(name) {
            return Arc::clone(grant);
        }
        let grant = Arc::new(Grant {
            connection: connection.to_owned(),
            name: name.to_owned(),
            ledger: Mutex::default(),
            turn: Arc::default(),
            asked: AtomicU64::new(0),
            waiting: AtomicU32::new(0),
            settled: Notify::new(),
        });
        held.insert(name.to_owned(), Arc::clone(&grant));
        grant
    }

    pub(super) fn all(&self) -> Vec<Arc<Grant>> {
        self.held().values().cloned().collect()
    }

    /// Forgets grants of which nothing is leased and that nobody asks for.
    pub(super) fn forget(&self, now: Now) {
        let known = |grant: &Grant| grant.turn.try_lock().is_ok_and(|turn| turn.name.is_none());
        let idle = |grant: &Arc<Grant>| {
            Arc::strong_count(grant) == 1 && grant.ledger().is_empty(now) && known(grant)
        };
        self.held().retain(|_, grant| !idle(grant));
    }
}
