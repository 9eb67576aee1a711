//! Telling a database what it is to know.

use std::sync::Arc;

use contract::database::v1::EventStatus;
use tokio::sync::watch;

use super::{Step, Work};
use crate::{
    Error,
    client::{self, NoDelivery},
    metrics::{ended, metrics, noted},
};

/// The most events in one delivery; fewer than any database must take is not known, so it is small.
const EVENTS_MAX: u16 = 50;

impl Work {
    /// Tells until the process ends.
    pub(crate) async fn deliver(self: Arc<Self>, mut ending: watch::Receiver<bool>) {
        let mut failures = 0;
        loop {
            let step = match self.deliver_some().await {
                Ok(step) => step,
                Err(error) => {
                    tracing::error!(database = %self.route.database, %error, "the exchange's store");
                    Step::Failed("STORE")
                }
            };
            if !self.rest("sink", &step, &mut failures, &mut ending).await {
                return;
            }
        }
    }

    async fn deliver_some(&self) -> Result<Step, Error> {
        let database = &self.route.database;
        let waiting = self.store.waiting(database, EVENTS_MAX).await?;
        if waiting.is_empty() {
            return Ok(Step::Idle);
        }
        let results = match client::deliver(&self.database, &waiting, self.answer_max).await {
            Ok(results) => results,
            Err(NoDelivery::Away) => return Ok(Step::Failed("DATABASE_AWAY")),
            Err(NoDelivery::OtherResults) => return self.held("OTHER_RESULTS").await,
            Err(NoDelivery::Unreadable) => return self.held("UNREADABLE_EVENT").await,
        };
        let mut letters = Vec::new();
        for (event_id, status) in &results {
            let outcome = match status {
                EventStatus::Conflict => "CONFLICT",
                EventStatus::Unsupported => "UNSUPPORTED",
                EventStatus::Stored => "stored",
                EventStatus::Duplicate => "duplicate",
                EventStatus::Obsolete => "obsolete",
                EventStatus::Unspecified => "unspecified",
            };
            metrics().events.add(1, &ended(database, outcome));
            if matches!(status, EventStatus::Conflict | EventStatus::Unsupported) {
                letters.push(self.letter(outcome, event_id));
            }
        }
        let sequences = waiting.iter().map(|event| event.sequence).collect();
        noted(database, "NOT_TAKEN", self.store.told(database, sequences, letters).await?);
        Ok(Step::More)
    }

    /// What holds up everything behind it has an owner.
    async fn held(&self, reason: &'static str) -> Result<Step, Error> {
        let new = self.store.note(self.letter(reason, "")).await?;
        noted(&self.route.database, reason, new);
        Ok(Step::Failed(reason))
    }
}
