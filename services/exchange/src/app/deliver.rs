//! Telling a database what it is to know.

use std::{panic::AssertUnwindSafe, sync::Arc};

use contract::database::v1::EventStatus;
use futures::FutureExt as _;
use tokio::sync::watch;

use super::{Step, Work};
use crate::{
    Error,
    client::{self, NoDelivery},
    metrics::{ended, metrics, noted},
};

/// The most events in one delivery. A database may take fewer: one that refuses so many is sent half as many.
const EVENTS_MAX: u16 = 50;

impl Work {
    /// Tells until the process ends.
    pub(crate) async fn deliver(self: Arc<Self>, mut ending: watch::Receiver<bool>) {
        let (mut failures, mut size) = (0, EVENTS_MAX);
        loop {
            let some = AssertUnwindSafe(self.deliver_some(&mut size, &mut ending)).catch_unwind();
            let step = self.step(some.await);
            if !self.rest("sink", &step, &mut failures, &mut ending).await {
                return;
            }
        }
    }

    async fn deliver_some(
        &self,
        size: &mut u16,
        ending: &mut watch::Receiver<bool>,
    ) -> Result<Step, Error> {
        let database = &self.route.database;
        // What is taken away from now on is not told, also where it is on its way.
        let withdrawn = self.withdrawn.notified();
        tokio::pin!(withdrawn);
        withdrawn.as_mut().enable();
        let waiting = self.store.waiting(database, *size).await?;
        let Some(first) = waiting.first() else { return Ok(Step::Idle) };
        let results = tokio::select! {
            results = client::deliver(&self.database, &waiting, self.answer_max) => results,
            () = withdrawn => return Ok(Step::More),
            _ = ending.wait_for(|ending| *ending) => return Ok(Step::Idle),
        };
        let results = match results {
            Ok(results) => results,
            Err(NoDelivery::Away) => return Ok(Step::Failed("DATABASE_AWAY")),
            Err(NoDelivery::OtherResults) => return self.held("OTHER_RESULTS").await,
            // One that it refuses, or that cannot be read, holds up no other.
            Err(NoDelivery::Refused | NoDelivery::Unreadable) if waiting.len() == 1 => {
                let letter = self.letter("REFUSED_EVENT", &format!("sequence-{}", first.sequence));
                let new = self.store.told(database, vec![first.sequence], vec![letter]).await?;
                noted(database, "REFUSED_EVENT", new);
                return Ok(Step::More);
            }
            Err(NoDelivery::Refused | NoDelivery::Unreadable) => {
                *size = (*size / 2).max(1);
                return Ok(Step::More);
            }
        };
        *size = size.saturating_mul(2).min(EVENTS_MAX);
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
