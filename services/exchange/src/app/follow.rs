//! Telling a database that follows persons what changed in the register.

use std::{panic::AssertUnwindSafe, sync::Arc};

use contract::database::v1::{DiscrepancyKind, PersonChanged, event::Kind};
use futures::FutureExt as _;
use tokio::sync::watch;

use super::{HELD_AFTER, Step, Work, pull::discrepancy};
use crate::{
    Error,
    client::{self, News, NoNews},
    domain::event_id,
    metrics::{doing, metrics, noted},
    routes::Follow,
    store::Told,
};

/// With so many pages of events that a database has not taken, the register keeps the rest: its feed is durable, and this
/// list does not grow with an outage.
const HEAP_PAGES: u16 = 10;
const ROLE: &str = "follower";

impl Work {
    /// Follows until the process ends.
    pub(crate) async fn follow(self: Arc<Self>, follow: Follow, mut ending: watch::Receiver<bool>) {
        // Up to when the register's changes were listed.
        let (mut failures, mut seen_us) = (0, None);
        loop {
            let page = self.follow_page(&follow, failures, &mut seen_us, &mut ending);
            let step = self.step(AssertUnwindSafe(page).catch_unwind().await);
            if !self.rest(ROLE, &step, &mut failures, &mut ending).await {
                return;
            }
        }
    }

    /// One page: its events are in the database's list when the cursor is past it.
    async fn follow_page(
        &self,
        follow: &Follow,
        failures: u32,
        seen_us: &mut Option<i64>,
        ending: &mut watch::Receiver<bool>,
    ) -> Result<Step, Error> {
        let (database, size) = (&self.route.database, self.page_size);
        let heaped = self.store.heaped(database, size.saturating_mul(HEAP_PAGES)).await?;
        let from = self.store.followed(database).await?;
        // What waits is told only while it may be: so it is asked for also when nothing more is listed.
        let cursor = if heaped { "" } else { from.as_deref().unwrap_or_default() };
        let news = client::news(&self.register, &self.route.identity, follow, cursor, size);
        let news = tokio::select! {
            news = news => news,
            _ = ending.wait_for(|ending| *ending) => return Ok(Step::Idle),
        };
        match news {
            Ok(news) => {
                self.lag(&news, heaped && from.as_ref() != Some(&news.next_cursor), seen_us);
                if heaped { Ok(Step::Idle) } else { self.tell(from, news).await }
            }
            Err(NoNews::UnknownCursor) => self.register_set_back(follow, from).await,
            Err(NoNews::NotKept(oldest)) => self.register_forgot(from, oldest).await,
            Err(NoNews::NotNow(reason)) => Ok(Step::Failed(reason)),
            Err(NoNews::Refused(reason)) => {
                if self.store.withdraw(database).await? {
                    self.withdrawn.notify_waiters();
                    tracing::warn!(%database, reason, "what it was to be told is withdrawn");
                }
                if failures >= HELD_AFTER {
                    noted(database, reason, self.store.note(self.letter(reason, "")).await?);
                }
                Ok(Step::Failed(reason))
            }
        }
    }

    /// How far the database is behind the register. While its list is full, what was listed last grows older.
    fn lag(&self, news: &News, stands: bool, seen_us: &mut Option<i64>) {
        let now_us = self.clock.now_us();
        if !stands {
            *seen_us = if news.end_reached { None } else { news.seen_us };
        } else if seen_us.is_none() {
            *seen_us = Some(now_us);
        }
        let behind = seen_us.map_or(0, |seen| now_us.saturating_sub(seen).max(0));
        metrics().lag.record(behind as f64 / 1e6, &doing(&self.route.database, ROLE));
    }

    async fn tell(&self, from: Option<String>, news: News) -> Result<Step, Error> {
        let News { changes, next_cursor, end_reached, .. } = news;
        if from.as_ref() == Some(&next_cursor) {
            return Ok(Step::Idle);
        }
        let events = changes.into_iter().map(|change| kept(change.told, change.known_at_us));
        let told = Told { from, cursor: next_cursor, events: events.collect(), letter: None };
        // Where another process has moved it, that one told it.
        self.store.follow(&self.route.database, told).await?;
        Ok(if end_reached { Step::Idle } else { Step::More })
    }

    /// The register does not know the cursor: it was set back to an earlier state. The database goes on from what it is
    /// now, and its owner is told that it may have missed something.
    async fn register_set_back(
        &self,
        follow: &Follow,
        from: Option<String>,
    ) -> Result<Step, Error> {
        const REASON: &str = "REGISTER_SET_BACK";
        let database = &self.route.database;
        let now = client::news(&self.register, &self.route.identity, follow, "", 1).await;
        let Ok(News { next_cursor, .. }) = now else { return Ok(Step::Failed(REASON)) };
        let letter = Some(self.letter(REASON, from.as_deref().unwrap_or_default()));
        let told = Told { from, cursor: next_cursor, events: Vec::new(), letter };
        let new = self.store.follow(database, told).await?.unwrap_or_default();
        noted(database, REASON, new);
        Ok(Step::Failed(REASON))
    }

    /// The database was behind for so long that the register keeps not all that it was to be told. It is told that there is a
    /// gap, and what is kept; its owner must look everybody up anew whom it follows.
    async fn register_forgot(&self, from: Option<String>, oldest: String) -> Result<Step, Error> {
        const REASON: &str = "CHANGES_NOT_KEPT";
        let (database, begun) = (&self.route.database, from.clone().unwrap_or_default());
        let (id, gap) = discrepancy(&format!("gap/{begun}"), "", DiscrepancyKind::Gap);
        let event = client::kept(&id, gap, self.clock.now_us());
        let letter = Some(self.letter(REASON, &begun));
        let told = Told { from, cursor: oldest, events: vec![(id, event)], letter };
        let new = self.store.follow(database, told).await?.unwrap_or_default();
        noted(database, REASON, new);
        Ok(Step::Failed(REASON))
    }
}

/// An event whose id is the same whenever the same is told: a page that is listed again is told once.
fn kept(told: PersonChanged, known_at_us: i64) -> (String, Vec<u8>) {
    let PersonChanged { token, version, items, surviving_token, .. } = &told;
    let what = format!("{token}/{version}/{}", items.join(","));
    // Into whose record it is merged is told as it is today, so that it is part of what is told.
    let what = match surviving_token.as_str() {
        "" => what,
        surviving => format!("{what}/{surviving}"),
    };
    let id = event_id("changed", &what);
    let event = client::kept(&id, Kind::PersonChanged(told), known_at_us);
    (id, event)
}
