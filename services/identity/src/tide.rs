//! How far the register has come, for those who wait for more: looked at once for all of them, and by nobody while nobody waits.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::store::RegisterStore;

/// How often it is looked. What changes is sent within a second; that is in the contract.
const LOOK: Duration = Duration::from_millis(200);
/// How long it waits where the database was away.
const AGAIN: Duration = Duration::from_secs(2);

/// The newest version that was seen.
pub(crate) struct Tide {
    seen: watch::Sender<u64>,
    wanted: Notify,
}

impl Tide {
    pub(crate) fn new() -> Self {
        Self { seen: watch::Sender::new(0), wanted: Notify::new() }
    }

    /// Tells of every rise from now on, as long as what is given is kept.
    pub(crate) fn watched(&self) -> watch::Receiver<u64> {
        let seen = self.seen.subscribe();
        self.wanted.notify_one();
        seen
    }

    /// Looks, while anybody waits.
    pub(crate) async fn look(&self, store: &RegisterStore) {
        loop {
            if self.seen.receiver_count() == 0 {
                self.wanted.notified().await;
                continue;
            }
            let wait = match store.version().await {
                Ok(version) => {
                    // Another version, whichever: a register that was set back is other, too.
                    let other = |seen: &mut u64| std::mem::replace(seen, version) != version;
                    self.seen.send_if_modified(other);
                    LOOK
                }
                // Whoever waits looks itself with its next heartbeat, and says so.
                Err(error) => {
                    tracing::warn!(kind = error.driver_kind(), "the register was not seen");
                    AGAIN
                }
            };
            tokio::time::sleep(wait).await;
        }
    }
}
