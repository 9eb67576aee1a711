//! The use cases.

mod apply;
mod change_feed;
mod coalesce;
mod consents;
mod dispute;
mod feed;
mod find;
mod history;
mod lookup;
mod relations;
mod sealed;
mod tokens;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

pub(crate) use apply::NotApplied;
use change_feed::Following;
pub(crate) use change_feed::{NotFollowed, PersonNews, Persons, Wanted};
use coalesce::{Coalescer, Gone};
pub(crate) use consents::{Given, Known, NotRecorded};
pub(crate) use feed::{Heard, News, NoNews, Place};
pub(crate) use find::{Listed, Page, Resolved, Search};
pub(crate) use history::{Accessed, Names};
pub(crate) use lookup::{AsOf, Looked, Lookup, NoAnswer};
use model::GoldenRecord;
pub(crate) use relations::{Direction, Household, Told};
use server::runtime::{Clock, Entropy};
pub(crate) use tokens::{NotRotated, Rotated, Rotation};
use tokio::time::Instant;
use wire::subject::Named;

use crate::{
    Config,
    domain::{consent::Consent, lookup::relatives},
    store::RegisterStore,
};

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// How much a connection may find out by trying, in a window of time.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    /// Lookups that match nobody.
    pub(crate) misses_max: u32,
    /// Claimed values that are compared.
    pub(crate) comparisons_max: u32,
    /// Persons of one name who are tried to be found.
    pub(crate) tries_per_name_max: u32,
    /// The window.
    pub(crate) window: Duration,
}

/// What a lookup reads: the person, and how much of the budgets is spent.
struct Read {
    record: Option<GoldenRecord>,
    /// Whether it was named by a token of an epoch before the present one.
    by_earlier_token: bool,
    /// Whose number or token was asked by; another person where that one's record is merged into `record`.
    named: Option<String>,
    misses: i64,
    comparisons: i64,
    version: u64,
    /// Numbers that the record names and that nobody bears who may be named.
    hidden: HashSet<String>,
    /// The consent of the reference that was named, whosever it is.
    consent: Option<Consent>,
}

/// What a lookup asks for.
struct Question {
    subject: Named,
    connection: String,
    window_start_ms: i64,
    min_version: u64,
    /// Whether relations to other persons are asked for.
    relations: bool,
    /// Reference of a consent, if one is named.
    consent: Option<String>,
    /// When the answer is worth nothing any more.
    until: Instant,
}

/// What is charged to budgets, of which each is another.
struct Charge {
    window_start_ms: i64,
    amounts: Vec<(String, u32)>,
}

/// The budget of misses of a connection, by how it names a person.
fn misses_of(connection: &str, subject: &Named) -> String {
    match subject {
        Named::Number(_) => connection.to_owned(),
        Named::Token(_) => tokens_of(connection),
    }
}

/// The budget of comparisons of a connection; that of misses has the connection's own name.
fn comparisons_of(connection: &str) -> String {
    format!("{connection} comparisons")
}

/// The budget of tokens that name nobody: its own, because they cannot be guessed, and whoever holds some that the
/// register lost when it was restored must not lose its other lookups with them.
fn tokens_of(connection: &str) -> String {
    format!("{connection} tokens")
}

/// The budget of persons that were not found by contributing: its own, so that a source with old data does not
/// end the lookups of its agency.
fn contributions_of(connection: &str) -> String {
    format!("{connection} contributions")
}

/// The use cases over one register.
pub(crate) struct App {
    store: RegisterStore,
    budget: Budget,
    answer_valid: Duration,
    /// How long tokens of an epoch are accepted after it.
    token_overlap_us: i64,
    /// How long consents last, at most; and those of citizens to see what is held of themselves.
    consents_last_us: [i64; 2],
    pub(crate) clock: Clock,
    entropy: Entropy,
    /// The register's own key; see [`find`] and [`sealed`].
    secret: [u8; 32],
    following: Following,
    reads: Coalescer<Question, Option<Read>>,
    charges: Arc<Coalescer<Charge, Option<Vec<i64>>>>,
}

impl App {
    pub(crate) fn start(
        store: RegisterStore,
        budget: Budget,
        config: &Config,
        clock: Clock,
        entropy: Entropy,
        secret: [u8; 32],
    ) -> Self {
        let batch = config.batch_max.max(1);
        let (reading, now) = (store.clone(), clock.clone());
        let reads = Coalescer::start(batch, Gone::Dropped, move |asked: Arc<[Question]>| {
            // As long as anybody of the batch waits.
            let until = asked.iter().map(|q| q.until).max();
            let store = until.map_or_else(|| reading.clone(), |until| reading.until(until));
            let now_us = now.now_us();
            async move { read(&store, &asked, now_us).await }
        });
        let charging = store.clone();
        let charges = Coalescer::start(batch, Gone::Counted, move |charged: Arc<[Charge]>| {
            let store = charging.clone();
            async move { charge(&store, &charged).await }
        });
        let answer_valid = Duration::from_secs(config.answer_valid_seconds.into());
        let (charges, following) = (Arc::new(charges), Following::of(config));
        let token_overlap_us = i64::from(config.token_overlap_days) * DAY_US;
        let lasting = [config.consent_seconds_max, config.own_record_seconds_max];
        let consents_last_us = lasting.map(|seconds| i64::from(seconds) * 1_000_000);
        Self {
            store,
            budget,
            answer_valid,
            token_overlap_us,
            consents_last_us,
            clock,
            entropy,
            secret,
            following,
            reads,
            charges,
        }
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
async fn read(store: &RegisterStore, asked: &[Question], now_us: i64) -> Vec<Option<Read>> {
    let all = async {
        let version =
            if asked.iter().any(|q| q.min_version > 0) { store.version().await? } else { 0 };
        let (mut numbers, mut tokens) = (Vec::new(), Vec::new());
        for q in asked {
            match &q.subject {
                Named::Number(number) => numbers.push(number.digits()),
                Named::Token(token) => tokens.push((q.connection.as_str(), token.as_str())),
            }
        }
        let (mut persons, mut bearers) = (HashMap::new(), HashMap::new());
        if !numbers.is_empty() {
            persons = store.persons(&numbers).await?;
        }
        if !tokens.is_empty() {
            bearers = store.bearers(&tokens, now_us).await?;
        }
        let mut windows: HashMap<i64, Vec<String>> = HashMap::new();
        for q in asked {
            let budgets = windows.entry(q.window_start_ms).or_default();
            budgets.extend([misses_of(&q.connection, &q.subject), comparisons_of(&q.connection)]);
        }
        // Nearly always one window: a batch spans two only at the turn of one.
        let mut spent = HashMap::new();
        for (window, budgets) in windows {
            for (budget, amount) in store.spent(window, &budgets).await? {
                spent.insert((window, budget), amount);
            }
        }
        // Asked whenever anybody asks for relations, whoever is there (I7).
        let mut hidden = HashSet::new();
        if asked.iter().any(|q| q.relations) {
            let found = persons.values().map(|found| &found.record);
            let found = found.chain(bearers.values().map(|bearer| &bearer.record));
            let related: Vec<&str> = found.flat_map(relatives).collect();
            hidden = store.hidden(&related).await?;
        }
        // As often as anybody names one, whoever is there.
        let mut consents = HashMap::new();
        let references: Vec<&str> = asked.iter().filter_map(|q| q.consent.as_deref()).collect();
        if !references.is_empty() {
            consents = store.consents(&references).await?;
        }
        let one = |q: &Question| {
            let of = |budget| spent.get(&(q.window_start_ms, budget)).copied().unwrap_or(0);
            let found = match &q.subject {
                Named::Number(number) => {
                    persons.get(number.digits()).map(|found| (&found.record, &found.named, false))
                }
                Named::Token(token) => bearers
                    .get(&(q.connection.clone(), token.clone()))
                    .map(|bearer| (&bearer.record, &bearer.named, bearer.earlier)),
            };
            Some(Read {
                record: found.map(|(record, ..)| record.clone()),
                named: found.map(|(_, named, _)| named.clone()),
                by_earlier_token: found.is_some_and(|(.., earlier)| earlier),
                misses: of(misses_of(&q.connection, &q.subject)),
                comparisons: of(comparisons_of(&q.connection)),
                version,
                hidden: hidden.clone(),
                consent: q.consent.as_ref().and_then(|named| consents.get(named)).cloned(),
            })
        };
        Ok::<_, crate::Error>(asked.iter().map(one).collect::<Vec<_>>())
    };
    all.await.unwrap_or_else(|error| {
        tracing::error!(kind = kind(&error), "the register could not be read");
        asked.iter().map(|_| None).collect()
    })
}

/// One batch of charges, summed per budget, durable before any of the answers. Each answer says how much of
/// its budget is spent with that charge: what came at the same time counts one after the other.
async fn charge(store: &RegisterStore, charged: &[Charge]) -> Vec<Option<Vec<i64>>> {
    let mut windows: HashMap<i64, HashMap<String, u32>> = HashMap::new();
    for one in charged {
        let budgets = windows.entry(one.window_start_ms).or_default();
        for (budget, amount) in &one.amounts {
            *budgets.entry(budget.clone()).or_default() += amount;
        }
    }
    let mut windows: Vec<_> = windows.into_iter().collect();
    windows.sort_unstable_by_key(|(window, _)| *window);
    let mut spent: HashMap<(i64, String), i64> = HashMap::new();
    for (window, budgets) in windows {
        let sums = budgets.clone();
        match store.charge(window, budgets).await {
            Ok(after) => spent.extend(after.into_iter().map(|(budget, after)| {
                let sum = sums.get(&budget).copied().unwrap_or_default();
                ((window, budget), after - i64::from(sum))
            })),
            Err(error) => {
                tracing::error!(kind = kind(&error), "a budget could not be charged");
                return charged.iter().map(|_| None).collect();
            }
        }
    }
    let one = |one: &Charge| {
        let each = |(budget, amount): &(String, u32)| {
            let before = spent.get_mut(&(one.window_start_ms, budget.clone()))?;
            *before += i64::from(*amount);
            Some(*before)
        };
        one.amounts.iter().map(each).collect()
    };
    charged.iter().map(one).collect()
}

impl App {
    /// Charges a budget, whether or not the caller waits: whoever goes away has still asked. Says how much is
    /// spent then.
    async fn charge(&self, window_start_ms: i64, budget: String, amount: u32) -> Option<i64> {
        self.charge_all(window_start_ms, vec![(budget, amount)]).await?.first().copied()
    }

    /// Charges several budgets at once, as [`Self::charge`].
    async fn charge_all(
        &self,
        window_start_ms: i64,
        amounts: Vec<(String, u32)>,
    ) -> Option<Vec<i64>> {
        let charges = Arc::clone(&self.charges);
        let charge = Charge { window_start_ms, amounts };
        tokio::spawn(async move { charges.ask(charge).await.flatten() }).await.ok().flatten()
    }
}

/// What may be logged of an error.
fn kind(error: &crate::Error) -> &'static str {
    if let crate::Error::Store(error) = error { error.driver_kind() } else { "record" }
}
