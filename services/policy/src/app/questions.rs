//! Counts what policy is asked, so that another rule set can be tried on it: in memory, and stored now and then, off the way of whoever
//! asks. What a process that was killed had not stored is not counted; no decision rests on it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use ::store::Store;
use opentelemetry::{global, metrics::Counter};
use time::{Date, Duration};

use crate::{
    Error,
    domain::{decision::Profile, flips::Asked, registry::Standing, request::Request},
    store::questions as store,
};

/// Callers whose questions wait to be stored, and different questions of each; others are left out meanwhile.
const CALLERS_MAX: usize = 500;
const WAITING_MAX: usize = 200;
/// About how many different questions are kept of one caller.
const OF_CALLER_MAX: i64 = 5_000;
/// Questions that are stored by one statement.
const TOGETHER: usize = 500;
/// How many days a question is kept that nobody asks any more.
const KEPT_DAYS: i64 = 90;

/// The questions of each caller that wait, with how often each was asked.
type Waiting = HashMap<(String, String), HashMap<Asked, u64>>;

/// The questions that wait to be stored.
pub(crate) struct Questions {
    waiting: Mutex<Waiting>,
    /// One stores at a time, so that whoever waited finds stored what was asked before.
    storing: tokio::sync::Mutex<()>,
    left_out: Counter<u64>,
}

impl Questions {
    pub(crate) fn new() -> Self {
        let left_out = global::meter("lienthong")
            .u64_counter("lienthong.policy.questions.left_out")
            .with_description("Questions that are not counted for trials of rule sets, because too many others are")
            .build();
        Self { waiting: Mutex::default(), storing: Default::default(), left_out }
    }

    /// Counts a question of somebody who is connected.
    pub(crate) fn count(&self, profile: &Profile, request: &Request, standing: &Standing) {
        if let Some(asked) = Asked::of(&profile.catalogue, request, standing) {
            self.add(asked, 1);
        }
    }

    fn add(&self, asked: Asked, times: u64) {
        let caller = (asked.agency.clone(), asked.system.clone());
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = waiting.len() < CALLERS_MAX || waiting.contains_key(&caller);
        if room {
            let own = waiting.entry(caller).or_default();
            let room = own.len() < WAITING_MAX || own.contains_key(&asked);
            if room {
                *own.entry(asked).or_default() += times;
                return;
            }
        }
        drop(waiting);
        self.left_out.add(times, &[]);
    }

    /// Stores what waits, as of a day, whether or not the caller goes away. What cannot be stored waits on.
    pub(crate) async fn store(self: &Arc<Self>, store: &Store, day: Date) -> Result<(), Error> {
        let (own, store) = (Arc::clone(self), store.clone());
        let storing = tokio::spawn(async move { own.stored(&store, day).await });
        storing.await.map_err(|_| Error::Stored("questions that end the program"))?
    }

    async fn stored(&self, store: &Store, day: Date) -> Result<(), Error> {
        let _turn = self.storing.lock().await;
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting)
        };
        let mut rows = Vec::new();
        for (asked, times) in waiting.into_values().flatten() {
            let text = serde_json::to_vec(&asked).map_err(|_| Error::Stored("a question"))?;
            rows.push((hex::encode(tlog::digest(&text)), asked, times));
        }
        if rows.is_empty() {
            return Ok(());
        }
        // In one order wherever it is done, so that two processes do not wait for each other in a circle.
        rows.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let mut left = rows.as_slice();
        while let Some((now, rest)) = left.split_at_checked(left.len().min(TOGETHER)) {
            if now.is_empty() {
                break;
            }
            if let Err(error) = store::count(store, now.to_vec(), day, OF_CALLER_MAX).await {
                for (_, asked, times) in left {
                    self.add(asked.clone(), *times);
                }
                return Err(error);
            }
            left = rest;
        }
        store::forget(store, day.saturating_sub(Duration::days(KEPT_DAYS))).await
    }
}
