//! Takes away the changes that are older than they are to be told.

use std::time::Duration;

use crate::Service;

/// How often it is looked whether some have become too old.
const LOOK: Duration = Duration::from_secs(3_600);
/// After this long it is tried again, where the database was away.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks again and again, first after a while: a start has other things to do.
pub(crate) async fn keep_short(service: Service) {
    let mut wait = AGAIN;
    loop {
        tokio::time::sleep(wait).await;
        wait = match service.take_old_changes_away().await {
            Ok(0) => LOOK,
            Ok(changes) => {
                tracing::info!(changes, "old changes are not told any more");
                LOOK
            }
            Err(error) => {
                tracing::error!(%error, "old changes could not be taken away");
                AGAIN
            }
        };
    }
}
