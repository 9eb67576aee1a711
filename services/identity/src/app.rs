//! The use cases.

mod apply;
mod coalesce;
mod lookup;

use std::{collections::HashMap, sync::Arc, time::Duration};

pub(crate) use apply::NotApplied;
use coalesce::Coalescer;
pub(crate) use lookup::{Looked, Lookup, NoAnswer};
use model::GoldenRecord;
use server::runtime::{Clock, Entropy};
use time::{Date, UtcOffset, macros::offset};

use crate::{Config, store::RegisterStore};

/// Viet Nam's time of day: UTC+7, without summer time.
const VIET_NAM: UtcOffset = offset!(+7);

/// How many lookups that match nobody a connection has in a window of time.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    /// Misses in a window.
    pub(crate) misses_max: u32,
    /// The window.
    pub(crate) window: Duration,
}

/// What a lookup reads: the person, and how much of the budget is spent.
#[derive(Clone)]
struct Read {
    record: Option<GoldenRecord>,
    misses: i64,
    version: u64,
}

/// What a lookup asks for.
struct Question {
    number: String,
    connection: String,
    window_start_ms: i64,
    min_version: u64,
}

/// The use cases over one register.
pub(crate) struct App {
    store: RegisterStore,
    budget: Budget,
    answer_valid: Duration,
    clock: Clock,
    entropy: Entropy,
    reads: Coalescer<Question, Option<Read>>,
    charges: Coalescer<(i64, String), bool>,
}

impl App {
    pub(crate) fn start(
        store: RegisterStore,
        budget: Budget,
        config: &Config,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        let batch = config.batch_max.max(1);
        let reading = store.clone();
        let reads = Coalescer::start(batch, move |asked: Arc<[Question]>| {
            let store = reading.clone();
            async move { read(&store, &asked).await }
        });
        let charging = store.clone();
        let charges = Coalescer::start(batch, move |missed: Arc<[(i64, String)]>| {
            let store = charging.clone();
            async move { charge(&store, &missed).await }
        });
        let answer_valid = Duration::from_secs(config.answer_valid_seconds.into());
        Self { store, budget, answer_valid, clock, entropy, reads, charges }
    }

    /// Today in Viet Nam.
    fn today(&self) -> Date {
        self.clock.now().to_offset(VIET_NAM).date()
    }

    /// Start of the budget's window.
    fn window_start_ms(&self) -> i64 {
        let length = i64::try_from(self.budget.window.as_millis()).unwrap_or(i64::MAX).max(1);
        let now = i64::try_from(self.clock.now_ms()).unwrap_or(i64::MAX);
        now - now.rem_euclid(length)
    }

    /// Seconds until the budget's window ends.
    fn seconds_to_next_window(&self) -> u64 {
        let start = self.window_start_ms().unsigned_abs();
        let end = start + u64::try_from(self.budget.window.as_millis()).unwrap_or(u64::MAX / 2);
        end.saturating_sub(self.clock.now_ms()).div_ceil(1000)
    }
}

/// One batch of lookups: the version if any asks for it, the persons, the budgets. The statements are the
/// same whether a person is there or not (I7). The version is read first, so the persons are at least as new.
async fn read(store: &RegisterStore, asked: &[Question]) -> Vec<Option<Read>> {
    let all = async {
        let version =
            if asked.iter().any(|q| q.min_version > 0) { store.version().await? } else { 0 };
        let numbers: Vec<&str> = asked.iter().map(|q| q.number.as_str()).collect();
        let persons = store.persons(&numbers).await?;
        let mut windows: HashMap<i64, Vec<&str>> = HashMap::new();
        for q in asked {
            windows.entry(q.window_start_ms).or_default().push(&q.connection);
        }
        // Nearly always one window: a batch spans two only at the turn of one.
        let mut spent = HashMap::new();
        for (window, connections) in windows {
            for (connection, misses) in store.misses(window, &connections).await? {
                spent.insert((window, connection), misses);
            }
        }
        let one = |q: &Question| {
            let record = persons.get(&q.number).cloned();
            let key = (q.window_start_ms, q.connection.clone());
            Some(Read { record, misses: spent.get(&key).copied().unwrap_or(0), version })
        };
        Ok::<_, crate::Error>(asked.iter().map(one).collect::<Vec<_>>())
    };
    all.await.unwrap_or_else(|error| {
        tracing::error!(kind = kind(&error), "the register could not be read");
        asked.iter().map(|_| None).collect()
    })
}

/// One batch of misses, summed per connection, durable before any of the answers.
async fn charge(store: &RegisterStore, missed: &[(i64, String)]) -> Vec<bool> {
    let mut windows: HashMap<i64, HashMap<String, u32>> = HashMap::new();
    for (window, connection) in missed {
        *windows.entry(*window).or_default().entry(connection.clone()).or_default() += 1;
    }
    let mut windows: Vec<_> = windows.into_iter().collect();
    windows.sort_unstable_by_key(|(window, _)| *window);
    for (window, misses) in windows {
        if let Err(error) = store.charge(window, misses).await {
            tracing::error!(kind = kind(&error), "misses could not be counted");
            return missed.iter().map(|_| false).collect();
        }
    }
    missed.iter().map(|_| true).collect()
}

/// What may be logged of an error.
fn kind(error: &crate::Error) -> &'static str {
    if let crate::Error::Store(error) = error { error.driver_kind() } else { "record" }
}
