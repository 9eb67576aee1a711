//! Every record by the keys of today.

use std::time::Duration;

use crate::store::RegisterStore;

/// How often it is looked whether somebody was written by a process that knows of no keys: for as long such a person is not
/// found, and another of the same name may be taken for the only one.
const LOOK: Duration = Duration::from_secs(60);
/// After this long it is tried again, where the database was away.
const AGAIN: Duration = Duration::from_secs(10);

/// Gives everybody keys who has none. Until everybody has, nobody is looked for by them: a person without keys would look
/// absent.
/// `keyed` says whether everybody was seen to have some when the service started: then it is looked later who has none.
pub(crate) async fn give_keys(store: RegisterStore, keyed: bool) {
    if keyed {
        tokio::time::sleep(LOOK).await;
    }
    loop {
        let wait = match store.give_keys().await {
            Ok(persons) => {
                if persons > 0 {
                    tracing::info!(persons, "given keys, by which persons are found");
                }
                LOOK
            }
            Err(error) => {
                tracing::error!(%error, "keys could not be given");
                AGAIN
            }
        };
        tokio::time::sleep(wait).await;
    }
}
