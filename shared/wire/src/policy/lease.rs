//! Taking persons of a grant's volume before they are told of, from what policy leased this process.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use contract::{
    policy::v1::{LeaseVolumeRequest, LeaseVolumeResponse, ReturnedVolume},
    r#type::v1::ErrorReason,
};
use opentelemetry::KeyValue;
use server::{Deadline, error::refuse};
use time::OffsetDateTime;
use tokio::sync::{Mutex as Turn, Notify, OwnedMutexGuard};
use tonic::Code;

use super::{
    Decision, NoDecision, PolicyClient,
    client::Inner,
    metrics::metrics,
    volume::{Leased, Ledger, Parts},
};

/// Nobody waits longer for a lease than this.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How often it is looked for leases that have ended.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a process that ends takes to give back what it has.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// No lease lives longer, whatever is said.
const LIFE_MAX: Duration = Duration::from_secs(300);
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

/// The grants of which something is leased.
#[derive(Default)]
pub(super) struct Volumes(Mutex<HashMap<String, Arc<Grant>>>);

/// One grant.
struct Grant {
    connection: String,
    name: String,
    ledger: Mutex<Ledger>,
    /// Whose turn it is to ask policy. It holds the name of a lease that was asked for and is not known to be given.
    turn: Arc<Turn<Option<String>>>,
    /// Persons that calls wait for.
    waiting: AtomicU32,
    /// Told whenever persons who were taken are told of or put back.
    settled: Notify,
}

impl Grant {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

/// Persons that a call waits for, as long as it does.
struct Waiting<'a>(&'a AtomicU32, u32);

impl<'a> Waiting<'a> {
    fn for_so_many(grant: &'a Grant, persons: u32) -> Self {
        grant.waiting.fetch_add(persons, Ordering::Relaxed);
        Self(&grant.waiting, persons)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
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
            for grant in self.0.volumes.all() {
                // Whoever asks just now gives back, too.
                let Ok(turn) = Arc::clone(&grant.turn).try_lock_owned() else { continue };
                let ended = grant.ledger().ended(self.0.now());
                if self.0.give(&grant, turn, ended).await.is_err() {
                    // It is said again.
                    tracing::debug!("leases could not be given back");
                }
            }
            self.0.volumes.forget();
        }
    }

    /// Gives everything back, when calls have ended. What policy does not hear of in time counts as used.
    pub async fn give_all_back(&self) {
        let all = async {
            for grant in self.0.volumes.all() {
                let turn = Arc::clone(&grant.turn).lock_owned().await;
                let all = grant.ledger().all();
                if self.0.give(&grant, turn, all).await.is_err() {
                    tracing::warn!("leases could not be given back: what is left of them is lost");
                }
            }
        };
        let _late = tokio::time::timeout(CLOSE_MAX, all).await;
    }
}

type OwnTurn = OwnedMutexGuard<Option<String>>;

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
            let turn = Arc::clone(&grant.turn).lock_owned().await;
            // Whoever was before may have brought enough.
            if self.take_left(grant, taken, most) {
                return Ok(());
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

    /// Asks for a lease. Gives the end of the period where nobody is left in it.
    async fn lease(
        &self,
        grant: &Grant,
        mut turn: OwnTurn,
        needed: u32,
    ) -> Result<Option<OffsetDateTime>, NoDecision> {
        let now = self.now();
        let name = turn.get_or_insert_with(|| self.entropy.id()).clone();
        let (wanted, ended) = {
            let ledger = grant.ledger();
            (ledger.wanted(needed), ledger.ended(now))
        };
        let request =
            LeaseVolumeRequest { lease: name.clone(), needed, wanted, ..returning(grant, &ended) };
        let response = self.call(grant, &mut turn, request).await?;
        *turn = None;
        let LeaseVolumeResponse { persons, lives_milliseconds, period_end } = response;
        let period_end = period_end.map(|at| OffsetDateTime::from_unix_timestamp(at.seconds));
        let Some(Ok(period_end)) = period_end else { return Err(NoDecision::Malformed) };
        let mut ledger = grant.ledger();
        ledger.forget(&ended.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
        if persons == 0 {
            ledger.has_nobody(period_end, self.now());
            return Ok(Some(period_end));
        }
        // Counted from before it was asked, so it ends no later than it does for policy.
        let lives = Duration::from_millis(lives_milliseconds).min(LIFE_MAX);
        let (ends, expires) = (now.at + lives, now.clock + lives);
        ledger.add(Leased { name, persons: persons.min(wanted), ends, expires });
        Ok(None)
    }

    /// Gives leases back, and with them one of which it is not known whether it was given.
    async fn give(
        &self,
        grant: &Grant,
        mut turn: OwnTurn,
        mut back: Parts,
    ) -> Result<(), NoDecision> {
        back.extend(turn.clone().map(|name| (name, 0)));
        if back.is_empty() {
            return Ok(());
        }
        self.call(grant, &mut turn, returning(grant, &back)).await?;
        *turn = None;
        let names: Vec<String> = back.into_iter().map(|(name, _)| name).collect();
        grant.ledger().forget(&names);
        Ok(())
    }

    async fn call(
        &self,
        grant: &Grant,
        turn: &mut Option<String>,
        request: LeaseVolumeRequest,
    ) -> Result<LeaseVolumeResponse, NoDecision> {
        let deadline = Deadline::after(ANSWER_MAX);
        let mut policy = self.policy.clone();
        let response = policy.lease_volume(deadline.request(request));
        let Ok(response) = tokio::time::timeout_at(deadline.at(), response).await else {
            return Err(NoDecision::Slow);
        };
        response.map(tonic::Response::into_inner).map_err(|status| {
            if status.code() != Code::PermissionDenied {
                return status.into();
            }
            // The decision stands on something that is there no more; the next one will say so.
            grant.ledger().clear();
            *turn = None;
            NoDecision::Overtaken
        })
    }
}

fn returning(grant: &Grant, back: &Parts) -> LeaseVolumeRequest {
    let one = |(lease, used): &(String, u32)| ReturnedVolume { lease: lease.clone(), used: *used };
    LeaseVolumeRequest {
        connection: grant.connection.clone(),
        grant: grant.name.clone(),
        returned: back.iter().map(one).collect(),
        ..LeaseVolumeRequest::default()
    }
}

impl Volumes {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Arc<Grant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grant(&self, connection: &str, name: &str) -> Arc<Grant> {
        let mut held = self.held();
        if let Some(grant) = held.get(name) {
            return Arc::clone(grant);
        }
        let grant = Arc::new(Grant {
            connection: connection.to_owned(),
            name: name.to_owned(),
            ledger: Mutex::default(),
            turn: Arc::default(),
            waiting: AtomicU32::new(0),
            settled: Notify::new(),
        });
        held.insert(name.to_owned(), Arc::clone(&grant));
        grant
    }

    fn all(&self) -> Vec<Arc<Grant>> {
        self.held().values().cloned().collect()
    }

    /// Forgets grants of which nothing is leased and that nobody asks for.
    fn forget(&self) {
        let known = |grant: &Grant| grant.turn.try_lock().is_ok_and(|asked| asked.is_none());
        let idle = |grant: &Arc<Grant>| {
            Arc::strong_count(grant) == 1 && grant.ledger().is_empty() && known(grant)
        };
        self.held().retain(|_, grant| !idle(grant));
    }
}
