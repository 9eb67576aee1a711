//! Taking persons of a grant's volume before they are told of, from what policy leased this process.
//!
//! | module | job |
//! |---|---|
//! | `ask` | asking policy for a lease, and giving leases back |
//! | `grants` | the grants of which something is leased, and whose turn it is to ask |

mod ask;
mod grants;
#[cfg(test)]
mod tests;

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use contract::r#type::v1::ErrorReason;
pub(super) use grants::Volumes;
use grants::{Grant, Waiting};
use opentelemetry::KeyValue;
use server::{Deadline, error::refuse};
use time::OffsetDateTime;

use super::{Decision, NoDecision, PolicyClient, client::Inner, metrics::metrics, volume::Parts};

/// How often it is looked for leases that have ended.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Persons that wait at once, at most. It is in the contract.
const NEEDED_MAX: u32 = 1_000;

/// Why nobody may be told of.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotTaken {
    /// As many were told of as the agreement grants, or the rest is leased to other processes.
    #[error("the volume of the grant is used up")]
    UsedUp {
        /// When there is a new one, or the grant ends.
        period_end: OffsetDateTime,
    },
    /// It is not known, so nobody is told of (I9).
    #[error("there is no lease")]
    NoDecision(#[from] NoDecision),
}

/// Persons who may be told of. Whoever is not told of is put back when this is dropped.
#[must_use]
pub struct Taken {
    count: u32,
    /// None where the grant has no volume.
    of: Option<(Arc<Grant>, Parts)>,
}

impl Taken {
    /// Nobody.
    pub fn nobody() -> Self {
        Self { count: 0, of: None }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// So many were told of: their records stand, and the answer is about to leave.
    pub fn told(mut self, persons: u32) {
        self.settle(persons);
    }

    fn settle(&mut self, told: u32) {
        if let Some((grant, parts)) = self.of.take() {
            grant.ledger().settle(parts, told);
            grant.settled.notify_waiters();
            let connection = KeyValue::new("connection", grant.connection.clone());
            metrics().told.add(told.into(), &[connection]);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.settle(0);
    }
}

impl PolicyClient {
    /// Takes at most so many persons who may be told of under a decision; at least one, or it says why not. Where the decision is
    /// without a volume, all of them.
    ///
    /// # Errors
    /// [`NotTaken`]; nobody may be told of then.
    pub async fn take(
        &self,
        deadline: Deadline,
        decision: &Decision,
        most: u32,
    ) -> Result<Taken, NotTaken> {
        self.taken(deadline, decision, most, true).await
    }

    /// The same, beside somebody whom the same call has taken and holds.
    ///
    /// # Errors
    /// See [`PolicyClient::take`].
    pub async fn take_beside(
        &self,
        deadline: Deadline,
        decision: &Decision,
        most: u32,
    ) -> Result<Taken, NotTaken> {
        self.taken(deadline, decision, most, false).await
    }

    async fn taken(
        &self,
        deadline: Deadline,
        decision: &Decision,
        most: u32,
        alone: bool,
    ) -> Result<Taken, NotTaken> {
        let Some(name) = decision.volume.as_deref().filter(|_| most > 0) else {
            return Ok(Taken { count: most, of: None });
        };
        let grant = self.0.volumes.grant(&decision.connection, name);
        let mut taken = Taken { count: 0, of: Some((Arc::clone(&grant), Vec::new())) };
        let took = self.0.fill(&grant, &mut taken, most, alone);
        let took = tokio::time::timeout_at(deadline.at(), took).await;
        let late = |_| Err(NoDecision::from(refuse(ErrorReason::DeadlineExceeded)).into());
        let took = took.unwrap_or_else(late);
        if let Err(NotTaken::UsedUp { .. }) = &took {
            let connection = KeyValue::new("connection", grant.connection.clone());
            metrics().used_up.add(1, &[connection]);
        }
        took.map(|()| taken)
    }

    /// Gives back, for as long as the service runs, what is left of leases that have ended.
    pub async fn give_back(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.0.give_ended().await;
        }
    }

    /// Gives everything back, when calls have ended. What policy does not hear of in time counts as used.
    pub async fn give_all_back(&self) {
        let (leases, persons) = self.0.give_all().await;
        if leases > 0 {
            tracing::warn!(
                leases,
                persons,
                "leases could not be given back: what is left of them counts as used"
            );
        }
    }
}

impl Inner {
    /// Takes until there are as many as wanted, or policy has no more. Who holds nothing beside this waits for others who may put
    /// somebody back; who does must not wait for itself.
    async fn fill(
        self: &Arc<Self>,
        grant: &Arc<Grant>,
        taken: &mut Taken,
        most: u32,
        alone: bool,
    ) -> Result<(), NotTaken> {
        loop {
            // Before it is looked, so that nothing that is put back meanwhile is missed.
            let mut settled = pin!(grant.settled.notified());
            settled.as_mut().enable();
            if self.take_left(grant, taken, most) {
                return Ok(());
            }
            let waiting = Waiting::for_so_many(grant, most - taken.count);
            let asked = grant.asked.load(Ordering::Relaxed);
            let turn = Arc::clone(&grant.turn).lock_owned().await;
            // Whoever was before may have brought enough.
            if self.take_left(grant, taken, most) {
                return Ok(());
            }
            // Or may have failed for both.
            if let Some(why) = turn.failed_since(asked) {
                return Err(why.into());
            }
            let known = grant.ledger().used_up(self.now());
            let used_up = match known {
                Some(period_end) => {
                    drop(turn);
                    Some(period_end)
                }
                None => {
                    let needed = grant.waiting.load(Ordering::Relaxed).clamp(1, NEEDED_MAX);
                    let (inner, grant) = (Arc::clone(self), Arc::clone(grant));
                    // In a task of its own: what policy leased is not lost when the caller goes away.
                    let asking =
                        tokio::spawn(async move { inner.lease(&grant, turn, needed).await });
                    asking.await.map_err(|_| NoDecision::Malformed)??
                }
            };
            drop(waiting);
            match used_up {
                None => {}
                Some(_) if taken.count > 0 => return Ok(()),
                // Whoever is under way may tell nobody, and then there is somebody left.
                Some(_) if alone && grant.ledger().is_under_way(self.now()) => settled.await,
                Some(period_end) => {
                    // What was put back since it was looked.
                    self.take_left(grant, taken, most);
                    let used_up = Err(NotTaken::UsedUp { period_end });
                    return if taken.count > 0 { Ok(()) } else { used_up };
                }
            }
        }
    }

    /// Takes what is left of leases; says whether that is enough.
    fn take_left(&self, grant: &Grant, taken: &mut Taken, most: u32) -> bool {
        let parts = grant.ledger().take(most - taken.count, self.now());
        taken.count += parts.iter().map(|(_, persons)| persons).sum::<u32>();
        if let Some((_, all)) = &mut taken.of {
            all.extend(parts);
        }
        taken.count >= most
    }
}
