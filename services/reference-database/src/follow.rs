//! Looking up whom this database follows, whenever it has heard that somebody changed (Decision 1911/QD-TTg, Art. 2(1)).

use std::{sync::Arc, time::Duration};

use contract::identity::v1::identity_service_client::IdentityServiceClient;
use server::Channel;

use crate::{
    Error, Shared,
    client::{NotLearnt, Question, look_up},
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
        let mut learnt_any = false;
        for (token, version) in shared.database.heard().await? {
            match look_up(register, question, &shared.lists, (token.clone(), version)).await {
                Ok(learnt) => {
                    learnt_any = true;
                    let known = shared.clock.now_us();
                    shared.database.learn(&shared.profile, learnt, known).await?;
                }
                Err(NotLearnt::Refused) => shared.database.tried(token).await?,
                Err(NotLearnt::Away) => return Ok(false),
            }
        }
        // Whoever is left is tried again when there is something new, or some time has passed.
        if !learnt_any {
            return Ok(true);
        }
    }
}
