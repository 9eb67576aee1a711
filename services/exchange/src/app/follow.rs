//! Telling a database that follows persons what changed in the register.

use std::{panic::AssertUnwindSafe, sync::Arc};

use contract::database::v1::{PersonChanged, event::Kind};
use futures::FutureExt as _;
use tokio::sync::watch;

use super::{HELD_AFTER, Step, Work, pull::event_id};
use crate::{
    Error,
    client::{self, News, NoNews},
    metrics::{doing, metrics, noted},
    routes::Follow,
    store::Told,
};

/// With so many events that a database has not taken, the register keeps the rest: its feed is durable, and this list
/// does not grow with an outage.
const HEAP_MAX: u16 = 1000;
const ROLE: &str = "follower";

impl Work {
    /// Follows until the process ends.
    pub(crate) async fn follow(self: Arc<Self>, follow: Follow, mut ending: watch::Receiver<bool>) {
        let mut failures = 0;
        loop {
            let page = AssertUnwindSafe(self.follow_page(&follow, failures, &mut ending));
            let step = self.step(page.catch_unwind().await);
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
        ending: &mut watch::Receiver<bool>,
    ) -> Result<Step, Error> {
        let database = &self.route.database;
        if self.store.heaped(database, HEAP_MAX).await? {
            return Ok(Step::Idle);
        }
        let from = self.store.followed(database).await?;
        let cursor = from.as_deref().unwrap_or_default();
        let (identity, size) = (&self.route.identity, self.page_size);
        let news = tokio::select! {
            news = client::news(&self.register, identity, follow, cursor, size) => news,
            _ = ending.wait_for(|ending| *ending) => return Ok(Step::Idle),
        };
        let news = match news {
            Ok(news) => news,
            Err(NoNews::UnknownCursor) => return self.register_set_back(follow, from).await,
            Err(NoNews::NotNow(reason)) => {
                if failures >= HELD_AFTER {
                    noted(database, reason, self.store.note(self.letter(reason, "")).await?);
                }
                return Ok(Step::Failed(reason));
            }
        };
        self.tell(from, news).await
    }

    async fn tell(&self, from: Option<String>, news: News) -> Result<Step, Error> {
        let database = &self.route.database;
        let News { changes, next_cursor, end_reached } = news;
        let behind = changes.last().map_or(0, |change| self.clock.now_us() - change.known_at_us);
        let behind = if end_reached { 0 } else { behind.max(0) };
        metrics().lag.record(behind as f64 / 1e6, &doing(database, ROLE));
        if from.as_ref() == Some(&next_cursor) {
            return Ok(Step::Idle);
        }
        let events = changes.into_iter().map(|change| kept(change.told, change.known_at_us));
        let told = Told { from, cursor: next_cursor, events: events.collect(), letter: None };
        // Where another process has moved it, that one told it.
        self.store.follow(database, told).await?;
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
}

/// An event whose id is the same whenever the same is told: a page that is listed again is told once.
fn kept(told: PersonChanged, known_at_us: i64) -> (String, Vec<u8>) {
    let PersonChanged { token, version, items } = &told;
    let id = event_id("changed", &format!("{token}/{version}/{}", items.join(",")));
    let event = client::kept(&id, Kind::PersonChanged(told), known_at_us);
    (id, event)
}
