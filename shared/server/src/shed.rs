//! Calls that were refused because there was too much to do. They are not recorded one by one, which would be more to
//! do still, but counted per caller and method, and each count is recorded once a minute (I9).

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{Caller, runtime::Clock};

/// Between two records of one caller and method.
const EVERY: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });

/// The calls that a server refused and has not recorded yet. Clones share them.
#[derive(Clone)]
pub struct Shed {
    counts: Arc<Mutex<HashMap<(String, &'static str), ShedCalls>>>,
    clock: Clock,
}

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

/// The records of what was refused, made once a minute until it is finished.
pub struct Recording {
    finish: CancellationToken,
    task: JoinHandle<()>,
}

impl Shed {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { counts: Arc::default(), clock }
    }

    /// Counts a call that is refused.
    pub(crate) fn count(&self, caller: &Caller, method: &'static str) {
        let (caller, from) = (caller.clone(), self.clock.now());
        self.add(ShedCalls { caller, method, from, calls: 1 });
    }

    fn add(&self, more: ShedCalls) {
        let mut counts = self.counts();
        let counted = counts.entry((more.caller.id().to_owned(), more.method));
        let counted = counted.or_insert_with(|| ShedCalls { calls: 0, ..more.clone() });
        counted.calls = counted.calls.saturating_add(more.calls);
        counted.from = counted.from.min(more.from);
    }

    /// Has `record` make a record of each count, once a minute, and say whether it stands. What does not stand is
    /// counted on.
    #[must_use]
    pub fn record<R, F>(&self, record: R) -> Recording
    where
        R: Fn(ShedCalls) -> F + Send + Sync + 'static,
        F: Future<Output = bool> + Send,
    {
        let (shed, finish) = (self.clone(), CancellationToken::new());
        let finishing = finish.clone();
        let task = tokio::spawn(async move {
            loop {
                let last = tokio::time::timeout(EVERY, finishing.cancelled()).await.is_ok();
                let counts = mem::take(&mut *shed.counts());
                for counted in counts.into_values() {
                    if !record(counted.clone()).await {
                        shed.add(counted);
                    }
                }
                if last {
                    let left: u64 = shed.counts().values().map(|counted| counted.calls).sum();
                    if left > 0 {
                        tracing::error!(left, "calls that were refused could not be recorded");
                    }
                    return;
                }
            }
        });
        Recording { finish, task }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<(String, &'static str), ShedCalls>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording {
    /// Records what is left, after the server that counts has ended.
    pub async fn finish(self) {
        self.finish.cancel();
        if self.task.await.is_err() {
            tracing::error!("the recording of refused calls ended in a panic");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn caller(system: &str) -> Caller {
        Caller::parse(&format!("spiffe://t/agency/A/system/{system}"), "t").unwrap()
    }

    #[tokio::test]
    async fn i9_refused_calls_are_counted_per_caller_and_method_until_they_are_recorded() {
        let shed = Shed::new(Clock::fixed(OffsetDateTime::UNIX_EPOCH));
        let told = Arc::<Mutex<Vec<(String, &str, u64)>>>::default();
        for _ in 0..3 {
            shed.count(&caller("a"), "/s/Get");
        }
        shed.count(&caller("a"), "/s/Put");
        shed.count(&caller("b"), "/s/Get");
        let (telling, away) = (Arc::clone(&told), Mutex::new(true));
        let recording = shed.record(move |counted: ShedCalls| {
            // At first it cannot be recorded; nothing is lost by that.
            let stands = !mem::replace(&mut *away.lock().unwrap(), false);
            if stands {
                let ShedCalls { caller, method, calls, .. } = counted;
                telling.lock().unwrap().push((caller.id().to_owned(), method, calls));
            }
            std::future::ready(stands)
        });
        while told.lock().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        shed.count(&caller("b"), "/s/Get");
        recording.finish().await;
        assert!(shed.counts().is_empty());
        let mut told: Vec<_> = mem::take(&mut *told.lock().unwrap());
        let all: u64 = told.iter().map(|(_, _, calls)| calls).sum();
        assert_eq!(all, 6);
        told.retain(|(caller, method, _)| caller.ends_with("/a") && *method == "/s/Get");
        assert_eq!(told, [("spiffe://t/agency/A/system/a".to_owned(), "/s/Get", 3)]);
    }
}
