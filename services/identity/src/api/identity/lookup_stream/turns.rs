//! Whose turn it is to be worked at. What all streams have under way together is bounded, because each query takes a place of
//! the access log that single lookups need, too; and what one caller has is bounded before that, so that however many
//! streams it opens, only a few of its queries are ever in front of another caller's (I11).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use server::Caller;
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// Queries of all streams that are worked at.
const IN_ALL: usize = 128;
/// Of these, of one caller: one stream can have them all.
const OF_EACH: usize = super::UNDER_WAY_MAX;

/// The turns of a service.
pub(in crate::api) struct Turns {
    all: Semaphore,
    each: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A turn; it ends when this is dropped.
pub(super) struct Turn<'a> {
    _of_all: SemaphorePermit<'a>,
    _of_caller: SemaphorePermit<'a>,
}

impl Turns {
    pub(in crate::api) fn new() -> Self {
        Self { all: Semaphore::new(IN_ALL), each: Mutex::default() }
    }

    /// What a caller has of them, on all its streams together.
    pub(super) fn share(&self, caller: &Caller) -> Arc<Semaphore> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = each.get(caller.id()).and_then(Weak::upgrade) {
            return share;
        }
        // Callers that have no stream any more are forgotten.
        each.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(OF_EACH));
        each.insert(caller.id().to_owned(), Arc::downgrade(&share));
        share
    }

    /// Waits for a turn: first among what the caller has asked itself, then among all.
    pub(super) async fn wait<'a>(&'a self, share: &'a Semaphore) -> Result<Turn<'a>, AcquireError> {
        let of_caller = share.acquire().await?;
        Ok(Turn { _of_all: self.all.acquire().await?, _of_caller: of_caller })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use futures::FutureExt as _;

    use super::*;

    fn caller(path: &str) -> Caller {
        Caller::parse(&format!("spiffe://t/agency/{path}/system/s"), "t").unwrap()
    }

    // Without a runtime: in one, what would be had at once is put off after so many times.

    #[test]
    fn i11_a_caller_with_many_streams_is_in_front_of_another_with_its_share_only() {
        let turns = Turns::new();
        let (greedy, other) = (turns.share(&caller("A")), turns.share(&caller("B")));
        // Another stream of the same caller has the same share.
        assert!(Arc::ptr_eq(&greedy, &turns.share(&caller("A"))));
        let taken = (0..OF_EACH).map(|_| turns.wait(&greedy).now_or_never().unwrap());
        let taken: Vec<_> = taken.collect::<Result<_, _>>().unwrap();
        assert!(turns.wait(&greedy).now_or_never().is_none(), "its share is taken");
        let of_other = turns.wait(&other).now_or_never().unwrap().unwrap();
        drop((taken, of_other));
        assert!(turns.wait(&greedy).now_or_never().is_some());
    }

    #[test]
    fn all_together_have_no_more_than_there_are_and_who_is_gone_is_forgotten() {
        let turns = Turns::new();
        let shares: Vec<_> = (0..4).map(|n| turns.share(&caller(&n.to_string()))).collect();
        let waits = shares.iter().flat_map(|share| (0..OF_EACH).map(|_| turns.wait(share)));
        let taken: Vec<_> = waits.filter_map(|wait| wait.now_or_never()).collect();
        assert_eq!(taken.len(), IN_ALL);
        drop(taken);
        drop(shares);
        let _last = turns.share(&caller("last"));
        assert_eq!(turns.each.lock().unwrap().len(), 1);
    }
}
