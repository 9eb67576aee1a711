//! Telling a database what it is to know.

use std::sync::Arc;

use contract::database::v1::EventStatus;
use tokio::sync::watch;

use super::{Step, Work};
use crate::{
    Error, client,
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
        let events = self.store.waiting(database, EVENTS_MAX).await?;
        if events.is_empty() {
            return Ok(Step::Idle);
        }
        let statuses = match client::deliver(&self.database, &events, self.answer_max).await {
            Ok(Some(statuses)) => statuses,
            Ok(None) => {
                let new = self.store.note(self.letter("OTHER_RESULTS", "")).await?;
                noted(database, "OTHER_RESULTS", new);
                return Ok(Step::Failed("OTHER_RESULTS"));
            }
            Err(_) => return Ok(Step::Failed("DATABASE_AWAY")),
        };
        let mut letters = Vec::new();
        for (event, status) in events.iter().zip(&statuses) {
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
                letters.push(self.letter(outcome, &event.event_id));
            }
        }
        let sequences = events.iter().map(|event| event.sequence).collect();
        noted(database, "NOT_TAKEN", self.store.told(database, sequences, letters).await?);
        Ok(Step::More)
    }
}
