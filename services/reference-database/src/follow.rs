//! Looking up whom this database follows, whenever it has heard that somebody changed (Decision 1911/QD-TTg, Art. 2(1)).

use std::{sync::Arc, time::Duration};

use contract::identity::v1::identity_service_client::IdentityServiceClient;
use server::Channel;

use crate::{
    Error, Shared,
    client::{Question, look_up},
};

/// What was heard and not looked up is looked for so often, also where nobody says that there is something.
const EVERY: Duration = Duration::from_secs(30);
/// After a lookup that failed, and how it grows.
const BACK_OFF: Duration = Duration::from_millis(200);
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// Follows until it is dropped.
pub(crate) async fn follow(shared: Arc<Shared>, register: Channel, question: Question) {
    let register = IdentityServiceClient::new(register);
    let mut wait = EVERY;
    loop {
        tokio::select! {
            // What is heard while the register is away waits as long as everything else.
            () = shared.heard.notified(), if wait == EVERY => {}
            () = tokio::time::sleep(wait) => {}
        }
        wait = match catch_up(&shared, &register, &question).await {
            Ok(true) => EVERY,
            Ok(false) if wait == EVERY => BACK_OFF,
            Ok(false) => wait.saturating_mul(2).min(BACK_OFF_MAX),
            Err(error) => {
                tracing::error!(%error, "what the register said could not be kept");
                BACK_OFF_MAX
            }
        };
    }
}

/// Looks up everybody who was heard of; whether the register answered.
async fn catch_up(
    shared: &Shared,
    register: &IdentityServiceClient<Channel>,
    question: &Question,
) -> Result<bool, Error> {
    loop {
        let heard = shared.database.heard().await?;
        if heard.is_empty() {
            return Ok(true);
        }
        for one in heard {
            let Some(learnt) = look_up(register, question, &shared.lists, one).await else {
                return Ok(false);
            };
            shared.database.learn(&shared.profile, learnt, shared.clock.now_us()).await?;
        }
    }
}
