//! Applying a contribution.

use std::sync::Arc;

use server::Deadline;

use super::{App, contributions_of};
use crate::{
    domain::apply::{Application, Outcome, Target},
    store::{RegisterStore, apply::ApplyError},
};

/// Why a contribution was neither applied nor rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotApplied {
    /// The id was used with other bytes, whose digest this is.
    KeyReused([u8; 32]),
    /// Too many persons were not found.
    BudgetSpent {
        /// When the next window begins.
        retry_after_seconds: u64,
    },
    /// The register did not answer; whether it was applied is unknown. The same id may be sent again.
    Away,
}

impl App {
    /// Applies a contribution once (I4), in a task of its own: what it tells is charged even where the caller
    /// goes away. A person that is not found counts against the budget of the connection: contributions are
    /// no way to try out who is there.
    pub(crate) async fn apply(
        self: &Arc<Self>,
        deadline: Deadline,
        application: Application,
    ) -> Result<Outcome, NotApplied> {
        let app = Arc::clone(self);
        let task = tokio::spawn(async move { app.apply_charged(deadline, application).await });
        task.await.unwrap_or(Err(NotApplied::Away))
    }

    async fn apply_charged(
        &self,
        deadline: Deadline,
        application: Application,
    ) -> Result<Outcome, NotApplied> {
        let store = self.store.until(deadline.at());
        let guesses = matches!(application.target, Target::Known { .. });
        let budget = contributions_of(&application.connection);
        let window_start_ms = self.window_start_ms();
        let max = i64::from(self.budget.misses_max);
        if guesses {
            let spent = store.spent(window_start_ms, std::slice::from_ref(&budget)).await;
            let spent = spent.map_err(|error| away(&error))?;
            if spent.get(&budget).copied().unwrap_or_default() >= max {
                return Err(self.not_applied());
            }
        }
        let (outcome, now) = self.apply_once(&store, application).await?;
        // What was said before costs nothing to say again.
        let misses = outcome.misses();
        if now && misses > 0 {
            let spent = self.charge(window_start_ms, budget, misses).await;
            let spent = spent.ok_or(NotApplied::Away)?;
            if spent > max {
                return Err(self.not_applied());
            }
        }
        Ok(outcome)
    }

    fn not_applied(&self) -> NotApplied {
        NotApplied::BudgetSpent { retry_after_seconds: self.seconds_to_next_window() }
    }

    async fn apply_once(
        &self,
        store: &RegisterStore,
        application: Application,
    ) -> Result<(Outcome, bool), NotApplied> {
        let entropy = self.entropy.clone();
        let applied =
            store.apply(application, self.clock.today(), self.clock.now_us(), entropy).await;
        applied.map_err(|error| match error {
            ApplyError::KeyReused(first) => NotApplied::KeyReused(first),
            ApplyError::Register(error) => away(&error),
        })
    }
}

fn away(error: &crate::Error) -> NotApplied {
    tracing::error!(kind = super::kind(error), "a contribution could not be applied");
    NotApplied::Away
}
