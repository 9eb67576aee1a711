//! Reading a source's changes and handing them on.

use std::sync::Arc;

use contract::{
    database::v1::{
        ChangeDecided, Discrepancy, DiscrepancyKind, change_decided::Outcome, event::Kind,
    },
    r#type::v1::ErrorReason,
};
use server::error::name;
use tokio::sync::watch;

use super::{Step, Work};
use crate::{
    Error,
    client::{self, Content, Ingested, NoPage},
    domain::{Listed, PageFault, check},
    metrics::{ended, metrics, noted, of},
    store::Settled,
};

/// So often a change is tried before its owner is told that it holds up what comes after it.
const HELD_AFTER: u32 = 5;

impl Work {
    /// Reads and hands on until the process ends.
    pub(crate) async fn pull(self: Arc<Self>, mut ending: watch::Receiver<bool>) {
        let mut failures = 0;
        loop {
            let step = match self.pull_page(failures, &ending).await {
                Ok(step) => step,
                Err(error) => {
                    tracing::error!(database = %self.route.database, %error, "the exchange's store");
                    Step::Failed("STORE")
                }
            };
            if !self.rest("source", &step, &mut failures, &mut ending).await {
                return;
            }
        }
    }

    /// One page. The cursor moves with every change, so a page that is broken off is not read again from its start.
    async fn pull_page(
        &self,
        failures: u32,
        ending: &watch::Receiver<bool>,
    ) -> Result<Step, Error> {
        let database = &self.route.database;
        let progress = self.store.progress(database).await?;
        let size = self.page_size;
        let page = client::changes(&self.database, &progress.cursor, size, self.answer_max).await;
        let page = match page {
            Ok(page) => page,
            Err(NoPage::Away) => return Ok(Step::Failed("DATABASE_AWAY")),
            Err(NoPage::Lost(reason)) => return self.lost(&progress.cursor, reason).await,
        };
        if let Err(fault) = check(&page, &progress.cursor, size, progress.sequence) {
            return self.faulty_page(fault).await;
        }
        let (end_reached, mut from) = (page.end_reached, progress.cursor);
        for change in page.changes {
            if *ending.borrow() {
                return Ok(Step::Idle);
            }
            let next = change.cursor.clone();
            if let Some(step) = self.hand_on(change, from, failures).await? {
                return Ok(step);
            }
            from = next;
        }
        if end_reached {
            metrics().lag.record(0.0, &[of(database)]);
        }
        Ok(if end_reached { Step::Idle } else { Step::More })
    }

    /// Hands one change on and stores what became of it; gives how the step ends when it must.
    async fn hand_on(
        &self,
        change: Listed<Content>,
        from: String,
        failures: u32,
    ) -> Result<Option<Step>, Error> {
        let database = &self.route.database;
        let Listed { id, sequence, cursor, committed_us, content } = change;
        // Whatever is not there was a fault of the page.
        let (Some(committed_us), Some(content)) = (committed_us, content) else {
            return Ok(Some(Step::Failed(PageFault::MalformedChange.reason())));
        };
        let source = &self.route.identity;
        let ingested = client::ingest(&self.contribution, source, &id, content).await;
        let (outcome, letter, ended_as) = match ingested {
            Ingested::NotNow(reason) => {
                if failures >= HELD_AFTER {
                    noted(database, reason, self.store.note(self.letter(reason, &id)).await?);
                }
                return Ok(Some(Step::Failed(reason)));
            }
            Ingested::Applied(applied) => (Outcome::Applied(applied), None, "applied"),
            Ingested::Rejected(rejected) => {
                let letter = self.letter(&rejected.reason, &id);
                (Outcome::Rejected(rejected), Some(letter), "rejected")
            }
        };
        let events = self.told(events(&id, outcome));
        let settled = Settled { from, cursor, sequence, committed_us, events, letter };
        let Some(new) = self.store.settle(database, settled).await? else {
            return Ok(Some(Step::More));
        };
        noted(database, "REJECTED", new);
        metrics().changes.add(1, &ended(database, ended_as));
        let behind = self.clock.now_us().saturating_sub(committed_us).max(0);
        metrics().lag.record(behind as f64 / 1e6, &[of(database)]);
        Ok(None)
    }

    /// A cursor that a source does not take any more is a gap: all is read anew, which changes nothing that was taken
    /// before (I4), and its owner is told, once for each cursor.
    async fn lost(&self, cursor: &str, lost: &'static str) -> Result<Step, Error> {
        let (database, letter) = (&self.route.database, self.letter(lost, cursor));
        // The beginning is no cursor that could be lost (rule SRC-20).
        let new = if cursor.is_empty() {
            self.store.note(letter).await?
        } else {
            let event = discrepancy(cursor, "", DiscrepancyKind::Gap);
            let event = self.told(vec![event]);
            self.store.restart(database, event, letter).await?
        };
        noted(database, lost, new);
        Ok(Step::Failed(lost))
    }

    /// Events as they are kept.
    fn told(&self, events: Vec<(String, Kind)>) -> Vec<(String, Vec<u8>)> {
        let now_us = self.clock.now_us();
        let kept = |(id, kind): (String, Kind)| {
            let event = client::kept(&id, kind, now_us);
            (id, event)
        };
        events.into_iter().map(kept).collect()
    }

    /// A page that breaks the contract is not taken, and its owner is told once.
    async fn faulty_page(&self, fault: PageFault) -> Result<Step, Error> {
        let reason = fault.reason();
        tracing::warn!(database = %self.route.database, reason, "a page that breaks the contract");
        noted(&self.route.database, reason, self.store.note(self.letter(reason, "")).await?);
        Ok(Step::Failed(reason))
    }
}

/// What a source is told of a change of its own.
fn events(change_id: &str, outcome: Outcome) -> Vec<(String, Kind)> {
    let changed = matches!(&outcome, Outcome::Rejected(rejected)
        if rejected.reason == name(ErrorReason::KeyReused));
    let decided = ChangeDecided { change_id: change_id.to_owned(), outcome: Some(outcome) };
    let mut events = vec![(event_id("decided", change_id), Kind::ChangeDecided(decided))];
    if changed {
        events.push(discrepancy(change_id, change_id, DiscrepancyKind::ChangedChange));
    }
    events
}

fn discrepancy(key: &str, change_id: &str, kind: DiscrepancyKind) -> (String, Kind) {
    let discrepancy = Discrepancy {
        change_id: change_id.to_owned(),
        item: String::new(),
        discrepancy: kind.into(),
    };
    (event_id("discrepancy", key), Kind::Discrepancy(discrepancy))
}

/// An id that is the same whenever the same is told, and no longer than one may be.
fn event_id(what: &str, key: &str) -> String {
    let digest = tlog::digest(key.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{what}:{hex}")
}
