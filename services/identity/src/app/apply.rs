//! Applying a contribution.

use super::App;
use crate::{
    domain::apply::{Application, Outcome},
    store::apply::ApplyError,
};

/// Why a contribution was neither applied nor rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotApplied {
    /// The id was used with other bytes, whose digest this is.
    KeyReused([u8; 32]),
    /// The register did not answer; whether it was applied is unknown. The same id may be sent again.
    Away,
}

impl App {
    /// Applies a contribution once (I4).
    pub(crate) async fn apply(&self, application: Application) -> Result<Outcome, NotApplied> {
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
            ApplyError::Register(error) => {
                tracing::error!(kind = super::kind(&error), "a contribution could not be applied");
                NotApplied::Away
            }
        })
    }
}
