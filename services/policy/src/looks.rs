//! What the newest revision is, for those who are told: looked at once for all of them, and by nobody while nobody is told. Each
//! look that finds the database is a sign to all of them, so what they hear is never older than the last look.

use std::time::Duration;

use ::store::Store;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::{domain::revision::Newest, store};

/// How often it is looked: what another process wrote is seen within this time. Whoever keeps decisions uses them for 750 ms
/// after a look, so two looks may be late or lost before it asks for each one, and whoever is suspended is still refused within
/// a second.
pub(crate) const LOOK: Duration = Duration::from_millis(200);
/// A look that takes longer is given up; it says nothing of now any more.
pub(crate) const LOOK_MAX: Duration = Duration::from_secs(2);

/// One look.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// What was found.
    pub(crate) newest: Newest,
    /// When it was begun.
    pub(crate) begun: Instant,
}

/// The looks of a process.
pub(crate) struct Looks {
    last: watch::Sender<Option<Look>>,
    now: Notify,
}

impl Looks {
    pub(crate) fn new() -> Self {
        Self { last: watch::Sender::new(None), now: Notify::new() }
    }

    /// Tells of every look from now on, as long as what is given is kept.
    pub(crate) fn watched(&self) -> watch::Receiver<Option<Look>> {
        let looks = self.last.subscribe();
        self.now.notify_one();
        looks
    }

    /// Looks at once: this process has written.
    pub(crate) fn at_once(&self) {
        self.now.notify_one();
    }

    /// Looks, while anybody is told. Nothing is said any more once what is decided cannot be trusted.
    pub(crate) async fn look(&self, store: &Store, trusted: impl Fn() -> bool) {
        let mut away = false;
        loop {
            if self.last.receiver_count() == 0 {
                self.now.notified().await;
                continue;
            }
            let begun = Instant::now();
            match store::newest(&store.until(begun + LOOK_MAX)).await {
                Ok(_) if !trusted() => {}
                Ok(newest) => {
                    away = false;
                    self.last.send_replace(Some(Look { newest, begun }));
                }
                // Nothing is said, so whoever keeps decisions stops using them.
                Err(_) if away => {}
                Err(error) => {
                    away = true;
                    tracing::error!(%error, "the revision cannot be read: callers are told nothing");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.now.notified() => {}
            }
        }
    }
}
