//! Counts what policy is asked, so that another rule set can be tried on it: in memory, and stored now and then, off the way of whoever
//! asks. What a process that was killed had not stored is not counted; no decision rests on it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use ::store::Store;
use time::{Date, Duration};

use crate::{
    Error,
    domain::{decision::Decision, flips::Asked, request::Request},
    store::questions as store,
};

/// Different questions that are counted between two times of storing; others are left out meanwhile.
const WAITING_MAX: usize = 10_000;
/// Different questions that are kept of one caller.
const OF_CALLER_MAX: i64 = 5_000;
/// Questions that are stored by one statement.
const TOGETHER: usize = 500;
/// How many days a question is kept that nobody asks any more.
const KEPT_DAYS: i64 = 90;

/// The questions that wait to be stored.
#[derive(Default)]
pub(crate) struct Questions(Mutex<HashMap<Asked, u64>>);

impl Questions {
    /// Counts a question of somebody who is connected.
    pub(crate) fn count(&self, request: &Request, decision: &Decision) {
        if decision.connection.is_empty() {
            return;
        }
        let Some(asked) = Asked::of(request) else { return };
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = waiting.len() >= WAITING_MAX;
        match waiting.get_mut(&asked) {
            Some(times) => *times += 1,
            None if full => {}
            None => {
                waiting.insert(asked, 1);
            }
        }
    }

    /// Stores what waits, as of a day.
    pub(crate) async fn store(&self, store: &Store, day: Date) -> Result<(), Error> {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut rows = Vec::with_capacity(waiting.len());
        for (asked, times) in waiting {
            let text = serde_json::to_vec(&asked).map_err(|_| Error::Stored("a question"))?;
            rows.push((hex::encode(tlog::digest(&text)), asked, times));
        }
        // In one order wherever it is done, so that two processes do not wait for each other in a circle.
        rows.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let forget = day.saturating_sub(Duration::days(KEPT_DAYS));
        for rows in rows.chunks(TOGETHER) {
            store::count(store, rows.to_vec(), (day, forget), OF_CALLER_MAX).await?;
        }
        Ok(())
    }
}
