//! Calls that were refused because there was too much to do. They are not recorded one by one, which would be more to
//! do still, but counted per caller and method, and each count is recorded once a minute (I9).

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{Caller, runtime::Clock};

/// Between two records of one caller and method.
const EVERY: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// For the last records, when the process ends: it is killed when all of its end takes too long.
const FINISH_MAX: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 5_000 });

/// The calls that a server refused and has not recorded yet. Clones share them.
#[derive(Clone)]
pub struct Shed {
    unrecorded: Arc<Mutex<Unrecorded>>,
    clock: Clock,
}

#[derive(Default)]
struct Unrecorded {
    /// What no record was made of.
    counts: HashMap<Key, ShedCalls>,
    /// The calls of a record that was made and is not known to stand.
    in_doubt: u64,
}

/// Caller and method.
type Key = (String, &'static str);

/// Calls of one method by one caller.
#[derive(Debug, Clone)]
pub struct ShedCalls {
    /// Who called.
    pub caller: Caller,
    /// The full path of the method.
    pub method: &'static str,
    /// When counting began.
    pub from: OffsetDateTime,
    /// How many were refused.
    pub calls: u64,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It stands.
    Stands,
    /// It may stand or not.
    Unknown,
    /// It does not stand, and will not as it is.
    Refused,
}

/// The records of what was refused, made once a minute until it is finished.
pub struct Recording {
    shed: Shed,
    finish: CancellationToken,
    task: JoinHandle<()>,
}

impl Shed {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { unrecorded: Arc::default(), clock }
    }

    /// Counts a call that is refused.
    pub(crate) fn count(&self, caller: &Caller, method: &'static str) {
        let now = self.clock.now();
        let mut unrecorded = self.unrecorded();
        let counted = unrecorded.counts.entry((caller.id().to_owned(), method));
        let counted = counted.or_insert_with(|| {
            let caller = caller.clone();
            ShedCalls { caller, method, from: now, calls: 0 }
        });
        counted.calls = counted.calls.saturating_add(1);
    }

    /// Makes a record of each count once a minute, and sends it, which says what became of it. One of which that is
    /// unknown is sent again as it is, before any other is made, so that it can be known as the same one; of one that was
    /// refused, the calls are counted again and another record is made. Meanwhile calls are counted on.
    #[must_use]
    pub fn record<R, F>(
        &self,
        make: impl Fn(&ShedCalls) -> R + Send + Sync + 'static,
        send: impl Fn(Arc<R>) -> F + Send + Sync + 'static,
    ) -> Recording
    where
        R: Send + Sync + 'static,
        F: Future<Output = Sent> + Send,
    {
        let (shed, finish) = (self.clone(), CancellationToken::new());
        let finishing = finish.clone();
        let task = tokio::spawn(async move {
            let mut sent = None;
            loop {
                let last = tokio::time::timeout(EVERY, finishing.cancelled()).await.is_ok();
                let pass = AssertUnwindSafe(shed.pass(&mut sent, &make, &send));
                if pass.catch_unwind().await.is_err() {
                    tracing::error!("recording refused calls ended in a panic");
                }
                if last {
                    return;
                }
            }
        });
        Recording { shed: self.clone(), finish, task }
    }

    /// Records what is counted now, until a record does not stand: the next would fare no better, and take as long.
    async fn pass<R, F: Future<Output = Sent>>(
        &self,
        sent: &mut Option<(ShedCalls, Arc<R>)>,
        make: &impl Fn(&ShedCalls) -> R,
        send: &impl Fn(Arc<R>) -> F,
    ) {
        let counted: Vec<Key> = self.unrecorded().counts.keys().cloned().collect();
        let mut counted = counted.iter();
        loop {
            if let Some((counted, record)) = sent {
                match send(Arc::clone(record)).await {
                    Sent::Unknown => return,
                    Sent::Refused => {
                        self.put_back(counted.clone());
                        *sent = None;
                        return;
                    }
                    Sent::Stands => {
                        *sent = None;
                        self.unrecorded().in_doubt = 0;
                    }
                }
            }
            let Some(key) = counted.next() else { return };
            *sent = self.take(key, make);
        }
    }

    /// Makes a record of a count, which begins anew.
    fn take<R>(&self, key: &Key, make: &impl Fn(&ShedCalls) -> R) -> Option<(ShedCalls, Arc<R>)> {
        let mut unrecorded = self.unrecorded();
        // Whoever makes it may panic, and then it is counted still.
        let record = make(unrecorded.counts.get(key)?);
        let counted = unrecorded.counts.remove(key)?;
        unrecorded.in_doubt = counted.calls;
        Some((counted, Arc::new(record)))
    }

    /// Counts calls again of which a record was made that does not stand.
    fn put_back(&self, counted: ShedCalls) {
        let mut unrecorded = self.unrecorded();
        unrecorded.in_doubt = 0;
        let key = (counted.caller.id().to_owned(), counted.method);
        let since = unrecorded.counts.remove(&key).map_or(0, |since| since.calls);
        let calls = counted.calls.saturating_add(since);
        unrecorded.counts.insert(key, ShedCalls { calls, ..counted });
    }

    /// Calls that are not known to be recorded.
    fn left(&self) -> u64 {
        let unrecorded = self.unrecorded();
        let counted: u64 = unrecorded.counts.values().map(|counted| counted.calls).sum();
        counted.saturating_add(unrecorded.in_doubt)
    }

    fn unrecorded(&self) -> MutexGuard<'_, Unrecorded> {
        self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording {
    /// Records what is left, after the server that counts has ended; soon, or not at all.
    pub async fn finish(mut self) {
        self.finish.cancel();
        if tokio::time::timeout(FINISH_MAX, &mut self.task).await.is_err() {
            self.task.abort();
        }
        let left = self.shed.left();
        if left > 0 {
            tracing::error!(left, "calls that were refused are not known to be recorded");
        }
    }
}

#[cfg(test)]
mod tests;
