//! A sample of decisions is compared with plain Cedar while the service runs, off the way of whoever asked.
//!
//! Where a table says otherwise, what makes tables is not what the rules say, and nobody can know which other tables are wrong. So
//! the process decides nothing any more until it is started anew: an outage that is said to be one (I9), because a denial would
//! say that the law withholds. Nothing is told of revisions either, so that nobody goes on with what it keeps.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use opentelemetry::{KeyValue, global, metrics::Counter};
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use crate::domain::{
    decision::{Decision, Profile},
    registry::Standing,
    request::Request,
};

/// Which decisions are compared, and what came of it.
pub(crate) struct Sample {
    every: u64,
    decisions: AtomicU64,
    distrusted: AtomicBool,
    /// One at a time: a decision whose turn comes meanwhile is left out.
    place: Arc<Semaphore>,
    compared: Counter<u64>,
}

impl Sample {
    /// Compares the first decision, and then each after so many.
    pub(crate) fn new(every: u64) -> Self {
        let compared = global::meter("lienthong")
            .u64_counter("lienthong.policy.compared")
            .with_description(
                "Decisions compared with plain Cedar, by result: `same`, or `different`, after which the process decides \
                 nothing any more",
            )
            .build();
        Self {
            every: every.max(1),
            decisions: AtomicU64::new(0),
            distrusted: AtomicBool::new(false),
            place: Arc::new(Semaphore::new(1)),
            compared,
        }
    }

    /// Whether no table was found to differ.
    pub(crate) fn trusted(&self) -> bool {
        !self.distrusted.load(Ordering::Acquire)
    }

    /// Whether nothing is compared now.
    #[cfg(test)]
    pub(crate) fn idle(&self) -> bool {
        self.place.available_permits() == 1
    }

    /// Compares a decision where it is its turn.
    pub(crate) fn take(
        self: &Arc<Self>,
        profile: &Arc<Profile>,
        request: &Request,
        standing: Standing,
        now: OffsetDateTime,
        decision: &Decision,
    ) {
        // What was denied before rules were asked is no matter of theirs, and takes no turn.
        if decision.agreement.is_empty() {
            return;
        }
        if !self.decisions.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.every) {
            return;
        }
        let Ok(place) = Arc::clone(&self.place).try_acquire_owned() else { return };
        let (sample, profile) = (Arc::clone(self), Arc::clone(profile));
        let (request, decision) = (request.clone(), decision.clone());
        tokio::task::spawn_blocking(move || {
            sample.compare(&profile, &request, &standing, now, &decision);
            drop(place);
        });
    }

    fn compare(
        &self,
        profile: &Profile,
        request: &Request,
        standing: &Standing,
        now: OffsetDateTime,
        decision: &Decision,
    ) {
        let result = match profile.compare(request, standing, now, decision) {
            Ok(()) => "same",
            Err(difference) => {
                self.distrusted.store(true, Ordering::Release);
                tracing::error!(
                    %difference,
                    connection = decision.connection,
                    agreement = decision.agreement,
                    policy_revision = decision.revision,
                    act = request.act.name(),
                    procedure = request.procedure,
                    legal_basis = request.legal_basis,
                    "a decision table is not what the rules say: nothing is decided until policy is started anew"
                );
                "different"
            }
        };
        self.compared.add(1, &[KeyValue::new("result", result)]);
    }
}
