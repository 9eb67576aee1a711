//! Reading a source's changes and handing them on.

use std::{panic::AssertUnwindSafe, sync::Arc};

use contract::{
    database::v1::{
        ChangeDecided, Discrepancy, DiscrepancyKind, change_decided::Outcome, event::Kind,
    },
    r#type::v1::ErrorReason,
};
use futures::FutureExt as _;
use server::error::name;
use tokio::sync::watch;

use super::{HELD_AFTER, Step, Work};
use crate::{
    Error,
    client::{self, Content, Ingested, NoPage},
    domain::{Listed, MALFORMED_CHANGE, PageFault, check, event_id, is_id},
    metrics::{doing, ended, metrics, noted},
    routes::Role,
    store::{DeadLetter, Settled},
};

/// What became of a change, to be told and noted.
struct Decided {
    events: Vec<(String, Kind)>,
    letter: Option<DeadLetter>,
    outcome: &'static str,
}

impl Work {
    /// Reads and hands on until the process ends.
    pub(crate) async fn pull(self: Arc<Self>, mut ending: watch::Receiver<bool>) {
        let mut failures = 0;
        loop {
            // What one change does to this program must not end its route.
            let page = AssertUnwindSafe(self.pull_page(failures, &mut ending)).catch_unwind();
            let step = self.step(page.await);
            if !self.rest("source", &step, &mut failures, &mut ending).await {
                return;
            }
        }
    }

    /// One page. The cursor moves with every change, so a page that is broken off is not read again from its start.
    async fn pull_page(
        &self,
        failures: u32,
        ending: &mut watch::Receiver<bool>,
    ) -> Result<Step, Error> {
        let database = &self.route.database;
        let (mut from, sequence) = self.store.position(database).await?;
        let size = self.page_size;
        let page = client::changes(&self.database, &from, size, self.answer_max);
        let page = tokio::select! {
            page = page => page,
            _ = ending.wait_for(|ending| *ending) => return Ok(Step::Idle),
        };
        let page = match page {
            Ok(page) => page,
            Err(NoPage::Away) => return Ok(Step::Failed("DATABASE_AWAY")),
            Err(NoPage::Lost(reason)) => return self.lost(from, reason).await,
        };
        if let Err(fault) = check(&page, &from, size, sequence) {
            return self.faulty_page(fault).await;
        }
        if page.changes.is_empty() && page.next_cursor != from {
            self.store.stand(database, from.clone(), page.next_cursor).await?;
        }
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
        if page.end_reached {
            metrics().lag.record(0.0, &doing(database, "source"));
        }
        Ok(if page.end_reached { Step::Idle } else { Step::More })
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
        let content = content.filter(|_| is_id(&id) && committed_us.is_some());
        let committed_us = committed_us.unwrap_or_else(|| self.clock.now_us());
        let behind = self.clock.now_us().saturating_sub(committed_us).max(0);
        metrics().lag.record(behind as f64 / 1e6, &doing(database, "source"));
        let decided = match content {
            None => Ok(self.passed_over(&id, sequence)),
            Some(content) => self.decided(&id, content).await,
        };
        let decided = match decided {
            Ok(decided) => decided,
            Err(reason) => {
                if failures >= HELD_AFTER {
                    noted(database, reason, self.store.note(self.letter(reason, &id)).await?);
                }
                return Ok(Some(Step::Failed(reason)));
            }
        };
        let Decided { events, letter, outcome } = decided;
        let events = self.kept(events, committed_us);
        let settled = Settled { from, cursor, sequence, committed_us, events, letter };
        let Some(new) = self.store.settle(database, settled).await? else {
            return Ok(Some(Step::More));
        };
        noted(database, "REJECTED", new);
        metrics().changes.add(1, &ended(database, outcome));
        Ok(None)
    }

    /// What contribution says of a change; why not now, where it does not say.
    async fn decided(&self, id: &str, content: Content) -> Result<Decided, &'static str> {
        let source = &self.route.identity;
        match client::ingest(&self.contribution, source, id, content).await {
            Ingested::NotNow(reason) => Err(reason),
            Ingested::Applied(applied) => Ok(Decided {
                events: vec![told(id, Outcome::Applied(applied))],
                letter: None,
                outcome: "applied",
            }),
            Ingested::Rejected(rejected) => {
                let letter = Some(self.letter(&rejected.reason, id));
                let mut events = Vec::new();
                if rejected.reason == name(ErrorReason::KeyReused) {
                    events.push(discrepancy(id, id, DiscrepancyKind::ChangedChange));
                }
                events.push(told(id, Outcome::Rejected(rejected)));
                Ok(Decided { events, letter, outcome: "rejected" })
            }
        }
    }

    /// A change that cannot be handed on holds nothing up, and its owner is told. What stands where its id should may be
    /// anything, so it is named by its place (I8).
    fn passed_over(&self, id: &str, sequence: u64) -> Decided {
        let place = format!("sequence-{sequence}");
        let id = if is_id(id) { id } else { "" };
        Decided {
            events: vec![discrepancy(&place, id, DiscrepancyKind::MalformedChange)],
            letter: Some(self.letter(MALFORMED_CHANGE, &place)),
            outcome: "malformed",
        }
    }

    /// A cursor that a source does not take any more is a gap: all is read anew, and its owner is told. What is in the
    /// register already is not changed by being handed on again (I4).
    async fn lost(&self, cursor: String, lost: &'static str) -> Result<Step, Error> {
        let (database, letter) = (&self.route.database, self.letter(lost, ""));
        // The beginning is no cursor that could be lost (rule SRC-20).
        let new = if cursor.is_empty() {
            self.store.note(letter).await?
        } else {
            let event = discrepancy(&format!("gap/{cursor}"), "", DiscrepancyKind::Gap);
            let events = self.kept(vec![event], self.clock.now_us());
            self.store.restart(database, cursor, events, letter).await?
        };
        noted(database, lost, new);
        Ok(Step::Failed(lost))
    }

    /// A page that breaks the contract is not taken, and its owner is told once.
    async fn faulty_page(&self, fault: PageFault) -> Result<Step, Error> {
        let (reason, database) = (fault.reason(), &self.route.database);
        tracing::warn!(%database, reason, "a page that breaks the contract");
        noted(database, reason, self.store.note(self.letter(reason, "")).await?);
        Ok(Step::Failed(reason))
    }

    /// Events as they are kept for whoever is told at all: what nobody will fetch is not heaped up.
    fn kept(&self, events: Vec<(String, Kind)>, at_us: i64) -> Vec<(String, Vec<u8>)> {
        let kept = |(id, kind): (String, Kind)| {
            let event = client::kept(&id, kind, at_us);
            (id, event)
        };
        if self.route.is(Role::Sink) { events.into_iter().map(kept).collect() } else { Vec::new() }
    }
}

/// What a source is told of a change of its own. Another outcome is another event: one that comes later corrects what
/// was said before.
fn told(change_id: &str, outcome: Outcome) -> (String, Kind) {
    let which = match &outcome {
        Outcome::Applied(applied) => format!("applied/{}", applied.contribution_id),
        Outcome::Rejected(rejected) => format!("rejected/{}", rejected.reason),
    };
    let id = event_id("decided", &format!("{change_id}/{which}"));
    let decided = ChangeDecided { change_id: change_id.to_owned(), outcome: Some(outcome) };
    (id, Kind::ChangeDecided(decided))
}

pub(super) fn discrepancy(key: &str, change_id: &str, kind: DiscrepancyKind) -> (String, Kind) {
    let discrepancy = Discrepancy {
        change_id: change_id.to_owned(),
        item: String::new(),
        discrepancy: kind.into(),
    };
    (
        event_id("discrepancy", &format!("{}/{key}", kind.as_str_name())),
        Kind::Discrepancy(discrepancy),
    )
}
