//! One route at work.

mod deliver;
mod follow;
mod pull;

use std::{
    any::Any,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contract::{
    contribution::v1::ingest_service_client::IngestServiceClient,
    register::v1::feed_service_client::FeedServiceClient,
};
use server::{
    Channel,
    runtime::{Clock, Entropy},
};
use tokio::sync::{Notify, watch};

use crate::{
    Error,
    domain::{OPEN_AFTER, back_off},
    metrics::{doing, ended, metrics},
    routes::Route,
    store::{DeadLetter, ExchangeStore},
};

/// What a route works with.
pub(crate) struct Work {
    pub(crate) route: Route,
    pub(crate) conditions: Arc<Conditions>,
    /// Says that something that waited was taken away.
    pub(crate) withdrawn: Notify,
    pub(crate) store: ExchangeStore,
    pub(crate) database: Channel,
    pub(crate) contribution: IngestServiceClient<Channel>,
    pub(crate) register: FeedServiceClient<Channel>,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) page_size: u16,
    pub(crate) poll: Duration,
    pub(crate) answer_max: Duration,
}

/// So often something is tried before the route's owner is told that it holds up what comes after it.
const HELD_AFTER: u32 = 5;

/// How what is done for a database goes: each role with its failures in a row, and why the last one was.
#[derive(Default)]
pub(crate) struct Conditions(Mutex<BTreeMap<&'static str, (u32, &'static str)>>);

impl Conditions {
    fn note(&self, role: &'static str, failures: u32, reason: &'static str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(role, (failures, reason));
    }

    /// Each role that has done a step, with its failures in a row and the reason of the last.
    pub(crate) fn all(&self) -> Vec<(&'static str, u32, &'static str)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(role, (failures, reason))| (*role, *failures, *reason)).collect()
    }
}

/// How one step of a route ended.
pub(crate) enum Step {
    /// There may be more at once.
    More,
    /// There is nothing more now.
    Idle,
    /// It failed, for a stable reason, and is tried again later.
    Failed(&'static str),
}

impl Work {
    /// How a step ended, whatever became of it.
    fn step(&self, ended: Result<Result<Step, Error>, Box<dyn Any + Send>>) -> Step {
        let database = &self.route.database;
        match ended {
            Ok(Ok(step)) => step,
            Ok(Err(error)) => {
                tracing::error!(%database, %error, "the exchange's store");
                Step::Failed("STORE")
            }
            Err(_) => {
                tracing::error!(%database, "a step of the route ended in a panic");
                Step::Failed("PANIC")
            }
        }
    }

    /// Waits as the end of a step of a role asks; no more steps when the process ends. `failures` are those in a row.
    async fn rest(
        &self,
        role: &'static str,
        step: &Step,
        failures: &mut u32,
        ending: &mut watch::Receiver<bool>,
    ) -> bool {
        let database = &self.route.database;
        let wait = match step {
            Step::More | Step::Idle => {
                if *failures >= OPEN_AFTER {
                    tracing::info!(%database, role, "the route goes again");
                }
                *failures = 0;
                if matches!(step, Step::More) { Duration::ZERO } else { self.poll }
            }
            Step::Failed(reason) => {
                *failures = failures.saturating_add(1);
                metrics().failures.add(1, &ended(database, reason));
                if *failures == OPEN_AFTER {
                    tracing::warn!(%database, reason, "the route failed again and again");
                }
                let [byte] = self.entropy.array::<1>();
                back_off(*failures, byte)
            }
        };
        let reason = if let Step::Failed(reason) = step { reason } else { "" };
        self.conditions.note(role, *failures, reason);
        metrics().open.record((*failures >= OPEN_AFTER).into(), &doing(database, role));
        tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => false,
            () = tokio::time::sleep(wait) => true,
        }
    }

    fn letter(&self, reason: &str, about: &str) -> DeadLetter {
        DeadLetter {
            database: self.route.database.clone(),
            owner: self.route.owner.clone(),
            reason: reason.to_owned(),
            about: about.to_owned(),
            noted_us: self.clock.now_us(),
            settled: None,
        }
    }
}
