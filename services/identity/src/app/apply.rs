//! Applying a contribution.

use super::{App, Charge};
use crate::{
    domain::apply::{Application, Outcome, Target},
    store::apply::ApplyError,
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
    /// Applies a contribution once (I4). A person that is not found counts as a miss of the connection, as
    /// it does in a lookup: contributions are no way to try out who is there.
    pub(crate) async fn apply(&self, application: Application) -> Result<Outcome, NotApplied> {
        let guesses = matches!(application.target, Target::Known { .. });
        let connection = application.connection.clone();
        let window_start_ms = self.window_start_ms();
        if guesses {
            let budget = [connection.clone()];
            let spent = self.store.spent(window_start_ms, &budget).await;
            let spent = spent.map_err(|error| away(&error))?;
            let spent = spent.get(&connection).copied().unwrap_or_default();
            if spent >= i64::from(self.budget.misses_max) {
                return Err(self.not_applied());
            }
        }
        let outcome = self.apply_once(application).await?;
        if outcome.is_miss() {
            let charge = Charge { window_start_ms, budget: connection, amount: 1 };
            let spent = self.charges.ask(charge).await.flatten().ok_or(NotApplied::Away)?;
            if spent > i64::from(self.budget.misses_max) {
                return Err(self.not_applied());
            }
        }
        Ok(outcome)
    }

    fn not_applied(&self) -> NotApplied {
        NotApplied::BudgetSpent { retry_after_seconds: self.seconds_to_next_window() }
    }

    async fn apply_once(&self, application: Application) -> Result<Outcome, NotApplied> {
        let known_at = self.clock.now().unix_timestamp_nanos() / 1_000;
        let known_at_us = i64::try_from(known_at).unwrap_or(i64::MAX);
        let entropy = self.entropy.clone();
        let applied = self.store.apply(application, self.today(), known_at_us, entropy).await;
        applied.map_err(|error| match error {
            ApplyError::KeyReused(first) => NotApplied::KeyReused(first),
            ApplyError::NumbersSpent => {
                tracing::error!("no free number was found");
                NotApplied::Away
            }
            ApplyError::Register(error) => away(&error),
        })
    }
}

fn away(error: &crate::Error) -> NotApplied {
    tracing::error!(kind = super::kind(error), "a contribution could not be applied");
    NotApplied::Away
}
