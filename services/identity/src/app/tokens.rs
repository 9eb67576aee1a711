//! Tokens, and new epochs of them.

use std::collections::HashMap;

use decide::DecisionTable;
use server::Deadline;
use time::OffsetDateTime;
use wire::policy::Decision;

use super::App;
use crate::store::{
    RegisterStore,
    epoch::{Beginning, Epoch},
};

/// A rotation that was checked.
pub(crate) struct Rotation {
    /// The caller's key.
    pub(crate) key: String,
    /// SHA-256 of the call's bytes.
    pub(crate) digest: [u8; 32],
    /// Whether tokens of the epochs before end at once.
    pub(crate) end_earlier_at_once: bool,
}

/// What a rotation did.
pub(crate) struct Rotated {
    /// The epoch that it began.
    pub(crate) epoch: Epoch,
    /// When the register answered.
    pub(crate) at: OffsetDateTime,
}

/// Why there is no new epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRotated {
    /// The rules do not allow it.
    NothingAllowed,
    /// The key was used by a call of this digest.
    KeyReused([u8; 32]),
    /// The register did not answer.
    Away,
}

impl App {
    /// The tokens of persons for a connection, by person, where there are any persons.
    pub(super) async fn tokens(
        &self,
        store: &RegisterStore,
        connection: &str,
        persons: &[&str],
    ) -> Result<HashMap<String, String>, crate::Error> {
        if persons.is_empty() {
            return Ok(HashMap::new());
        }
        store.tokens(connection, persons, &self.entropy).await
    }

    /// Begins a new epoch of the tokens of a caller's connection, once for each key and bytes.
    pub(crate) async fn rotate(
        &self,
        deadline: Deadline,
        rotation: Rotation,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<Rotated, NotRotated> {
        if !table.allows_anything() {
            return Err(NotRotated::NothingAllowed);
        }
        let Rotation { key, digest, end_earlier_at_once } = rotation;
        let begun_us = self.clock.now_us();
        let overlap_us = if end_earlier_at_once { 0 } else { self.token_overlap_us };
        let earlier_until_us = begun_us.saturating_add(overlap_us);
        let connection = decision.connection.clone();
        let beginning = Beginning { connection, begun_us, earlier_until_us, key, digest };
        let begun = self.store.until(deadline.at()).begin_epoch(beginning).await;
        let begun = begun.map_err(|error| {
            tracing::error!(kind = super::kind(&error), "no epoch of tokens could be begun");
            NotRotated::Away
        })?;
        let epoch = begun.map_err(NotRotated::KeyReused)?;
        Ok(Rotated { epoch, at: self.clock.now() })
    }
}
