//! Asking policy for a lease, and giving leases back.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use contract::{
    policy::v1::{LeaseVolumeRequest, LeaseVolumeResponse, ReturnedVolume},
    r#type::v1::ErrorReason,
};
use futures::{StreamExt as _, stream};
use server::{Deadline, error::reason_of};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    super::{
        NoDecision,
        client::Inner,
        volume::{Leased, Ledger, Parts},
    },
    grants::{Asking, Grant, OwnTurn},
};

/// Nobody waits longer for a lease than this.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// No lease lives longer, whatever is said.
const LIFE_MAX: Duration = Duration::from_secs(300);
/// How long a process that ends takes to give back what it has.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// Grants of which leases are given back at once: one that policy answers late delays few others.
const GRANTS_AT_ONCE: usize = 32;
/// Between two attempts of a process that ends.
const AGAIN: Duration = Duration::from_millis(100);

impl Inner {
    /// Asks for a lease, and says what came of it to those who wait behind. Gives the end of the period where nobody is left in it.
    pub(super) async fn lease(
        &self,
        grant: &Grant,
        mut turn: OwnTurn,
        needed: u32,
    ) -> Result<Option<OffsetDateTime>, NoDecision> {
        let leased = self.leased(grant, &mut turn, needed).await;
        let asked = grant.asked.fetch_add(1, Ordering::Relaxed) + 1;
        turn.failed = leased.as_ref().err().map(|why| (asked, why.clone()));
        leased
    }

    async fn leased(
        &self,
        grant: &Grant,
        turn: &mut Asking,
        needed: u32,
    ) -> Result<Option<OffsetDateTime>, NoDecision> {
        let now = self.now();
        let name = turn.name.get_or_insert_with(|| self.entropy.id()).clone();
        let (wanted, ended) = {
            let ledger = grant.ledger();
            (ledger.wanted(needed), ledger.ended(now))
        };
        let request =
            LeaseVolumeRequest { lease: name.clone(), needed, wanted, ..returning(grant, &ended) };
        let response = self.call(grant, turn, request).await?;
        turn.name = None;
        let LeaseVolumeResponse { persons, lives_milliseconds, period_end } = response;
        let period_end = period_end.map(|at| OffsetDateTime::from_unix_timestamp(at.seconds));
        let Some(Ok(period_end)) = period_end else { return Err(NoDecision::Malformed) };
        let mut ledger = grant.ledger();
        ledger.forget(&names(ended));
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

    /// Gives back what is left of leases that have ended.
    pub(super) async fn give_ended(&self) {
        let grants = stream::iter(self.volumes.all());
        let back = grants.for_each_concurrent(GRANTS_AT_ONCE, |grant| async move {
            // Whoever asks just now gives back, too.
            let Ok(turn) = Arc::clone(&grant.turn).try_lock_owned() else { return };
            let ended = |ledger: &Ledger| ledger.ended(self.now());
            if self.give(&grant, turn, ended).await.is_err() {
                // It is said again.
                tracing::debug!("leases could not be given back");
            }
        });
        back.await;
        self.volumes.forget(self.now());
    }

    /// Gives everything back, until there is nothing or the time for it is over. Gives how many leases stay behind, and how many
    /// persons of them nobody was told of.
    pub(super) async fn give_all(&self) -> (usize, u64) {
        let until = Instant::now() + CLOSE_MAX;
        let grants = self.volumes.all();
        let back = stream::iter(&grants).for_each_concurrent(GRANTS_AT_ONCE, |grant| async move {
            loop {
                let turn = Arc::clone(&grant.turn).lock_owned().await;
                match self.give(grant, turn, Ledger::all).await {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
            }
        });
        let _late = tokio::time::timeout_at(until, back).await;
        let left = grants.iter().map(|grant| grant.left());
        left.fold((0, 0), |sum, left| (sum.0 + left.0, sum.1 + left.1))
    }

    /// Gives leases back, and with them one of which it is not known whether it was given. Gives how many.
    async fn give(
        &self,
        grant: &Grant,
        mut turn: OwnTurn,
        which: impl FnOnce(&Ledger) -> Parts,
    ) -> Result<usize, NoDecision> {
        let back = {
            let mut ledger = grant.ledger();
            if let Some(name) = turn.name.take() {
                ledger.doubt(name, self.now());
            }
            which(&ledger)
        };
        if back.is_empty() {
            return Ok(0);
        }
        let given = back.len();
        self.call(grant, &mut turn, returning(grant, &back)).await?;
        grant.ledger().forget(&names(back));
        Ok(given)
    }

    async fn call(
        &self,
        grant: &Grant,
        turn: &mut Asking,
        request: LeaseVolumeRequest,
    ) -> Result<LeaseVolumeResponse, NoDecision> {
        let deadline = Deadline::after(ANSWER_MAX);
        let mut policy = self.policy.clone();
        let response = policy.lease_volume(deadline.request(request));
        let Ok(response) = tokio::time::timeout_at(deadline.at(), response).await else {
            return Err(NoDecision::Slow);
        };
        response.map(tonic::Response::into_inner).map_err(|status| {
            // Whoever else refuses, and for whatever else, says nothing of the grant.
            if reason_of(&status) != Some(ErrorReason::NoAgreement) {
                return status.into();
            }
            // The decision stands on something that is there no more; the next one will say so.
            grant.ledger().clear();
            turn.name = None;
            NoDecision::Overtaken
        })
    }
}

fn names(parts: Parts) -> Vec<String> {
    parts.into_iter().map(|(name, _)| name).collect()
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
