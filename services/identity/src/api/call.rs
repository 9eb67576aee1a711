//! One call that is decided, answered and recorded, whatever it is about.

use std::sync::Arc;

use contract::{
    audit::v1::DecisionRecord,
    r#type::v1::{AccessBasis, ErrorReason},
};
use decide::{CONSENT, DecisionTable, Fact, ItemDecision, ItemEffect};
use disclosure::{Access, Answer, Asked, Disclosed, signature::NotSigned};
use server::{Caller, Deadline, caller::Kind};
use tonic::Status;
use wire::{
    policy::{Act, Decision, Denial, NotTaken, Taken},
    record,
};

use super::Shared;
use crate::{
    app::{NoAnswer, NoNews},
    domain::consent::{Cited, System},
};

/// Where a request of one person has its claims.
pub(super) const CLAIMS: &str = "claims";

const NOTHING: ErrorReason = ErrorReason::NothingAllowed;

/// The refusal of a request of which nothing is allowed, for what withholds an item.
pub(super) fn nothing_of(item: &ItemDecision) -> Denial {
    Denial { reason: NOTHING, rule: item.rule.clone(), article: item.article.clone() }
}

/// The consent that a request names, where one counts for what is asked. Whoever is no system of an agency was consented to by
/// nobody.
pub(super) fn cited(caller: &Caller, act: Act, basis: &AccessBasis) -> Option<Cited> {
    let reference = basis.consent_reference.trim();
    let counts = matches!(act, Act::Obtain | Act::Resolve | Act::Accesses) && !reference.is_empty();
    let caller = match caller.kind() {
        Kind::System { agency, system } if counts => {
            System { agency: agency.clone(), system: system.clone() }
        }
        Kind::System { .. } | Kind::Service(_) | Kind::Operator(_) => return None,
    };
    Some(Cited { reference: reference.to_owned(), caller, procedure: basis.procedure.clone() })
}

/// One call under way.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) deadline: Deadline,
    access: Access<'a>,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        caller: &'a Caller,
        deadline: Deadline,
        method: &'static str,
        asked: Asked<'a>,
    ) -> Self {
        Self { shared, deadline, access: Access { method, caller, asked, basis: None } }
    }

    /// On this ground, which its records name.
    pub(super) fn on(mut self, basis: &'a AccessBasis) -> Self {
        self.access.basis = Some(basis);
        self
    }

    pub(super) async fn decided(
        &self,
        act: Act,
        basis: &AccessBasis,
        items: &[String],
    ) -> Result<Arc<Decision>, Status> {
        self.decided_for(self.access.caller, act, basis, items).await
    }

    /// The decision about somebody else, for whom the caller asks.
    pub(super) async fn decided_for(
        &self,
        whom: &Caller,
        act: Act,
        basis: &AccessBasis,
        items: &[String],
    ) -> Result<Arc<Decision>, Status> {
        let policy = &self.shared.clients.policy;
        let decided = policy.decide(self.deadline, whom, act, basis, items).await;
        decided.map_err(|error| error.refusal(self.deadline))
    }

    /// The table of a decision; the refusal, once it is recorded, where there is none, or where the request is not signed as the
    /// agreement demands. Whoever reads anything has a table first, so nothing is read for a request that is refused so (I2).
    pub(super) async fn table<'d>(
        &self,
        decision: &'d Decision,
    ) -> Result<&'d DecisionTable, Status> {
        let table = match &decision.verdict {
            Ok(table) => table,
            Err(denial) => return Err(self.refuse(decision, denial, &[]).await),
        };
        let caller = self.access.caller;
        let Some(not_signed) = self.access.asked.presented().refusal(decision.demands_of(caller))
        else {
            return Ok(table);
        };
        let NotSigned { reason, rule, article, more } = not_signed;
        let denial = Denial { article: article.to_owned(), ..record::own(reason, rule) };
        Err(self.refuse(decision, &denial, &more).await)
    }

    /// The same, where the request names a consent or none: nothing is read for whoever is given nothing without one and names
    /// none (I2).
    pub(super) async fn table_with<'d>(
        &self,
        decision: &'d Decision,
        consented: bool,
    ) -> Result<&'d DecisionTable, Status> {
        let table = self.table(decision).await?;
        if consented || table.allows_anything_where(CONSENT, false) {
            return Ok(table);
        }
        let items = table.resolve(|_| Fact::False).items;
        let withheld = items.iter().find(|item| item.effect == ItemEffect::Withheld);
        let denial = withheld.or(items.first()).map(nothing_of);
        let denial = denial.unwrap_or_else(|| record::own(NOTHING, "nothing-allowed"));
        Err(self.refuse(decision, &denial, &[]).await)
    }

    /// A refusal of ours, once it is recorded.
    pub(super) async fn refuse(
        &self,
        decision: &Decision,
        denial: &Denial,
        more: &[(&str, String)],
    ) -> Status {
        self.shared.refuse(self.deadline, &self.access, decision, denial, more).await
    }

    /// Takes persons who may be told of, at most so many and at least one; the refusal, once it is recorded, where the volume of
    /// what was agreed is used up. It is taken before anything is read, so that it is the same whoever is there (I7).
    pub(super) async fn take(&self, decision: &Decision, most: u32) -> Result<Taken, Status> {
        match self.shared.clients.policy.take(self.deadline, decision, most).await {
            Ok(taken) => Ok(taken),
            Err(NotTaken::NoDecision(error)) => Err(error.refusal(self.deadline)),
            Err(NotTaken::UsedUp { period_end }) => {
                let denial = record::own(ErrorReason::VolumeUsedUp, "volume-used-up");
                let end = ("period_end", record::moment(period_end));
                Err(self.refuse(decision, &denial, &[end]).await)
            }
        }
    }

    /// Takes persons who are told of beside somebody who was taken; nobody where the volume is used up.
    pub(super) async fn take_beside(
        &self,
        decision: &Decision,
        most: u32,
    ) -> Result<Taken, Status> {
        match self.shared.clients.policy.take_beside(self.deadline, decision, most).await {
            Ok(taken) => Ok(taken),
            Err(NotTaken::NoDecision(error)) => Err(error.refusal(self.deadline)),
            Err(NotTaken::UsedUp { .. }) => Ok(Taken::nobody()),
        }
    }

    pub(super) async fn no_answer(&self, decision: &Decision, reason: NoAnswer) -> Status {
        self.no_answer_to(CLAIMS, decision, reason).await
    }

    /// The same, of a request that has its claims elsewhere.
    pub(super) async fn no_answer_to(
        &self,
        claims: &str,
        decision: &Decision,
        reason: NoAnswer,
    ) -> Status {
        self.shared.no_answer(self.deadline, &self.access, claims, decision, reason).await
    }

    pub(super) async fn no_news(&self, decision: &Decision, reason: NoNews) -> Status {
        self.shared.no_news(self.deadline, &self.access, decision, reason).await
    }

    /// An answer whose record stands.
    pub(super) async fn disclosed<A>(
        &self,
        decided: &DecisionRecord,
        answer: Answer<A>,
    ) -> Result<Disclosed<A>, Status> {
        let recorder = &self.shared.clients.recorder;
        let receipt = recorder.record(self.deadline, &self.access, decided, &answer).await;
        let receipt = receipt.map_err(|error| error.refusal(self.deadline))?;
        Disclosed::new(answer, receipt).map_err(|error| error.refusal(self.deadline))
    }

    /// One of several persons on a page whose being told is recorded. The log takes what comes together in one batch; many at
    /// once, and never so many that others have to wait.
    pub(super) async fn told<A: prost::Message>(
        &self,
        decided: &DecisionRecord,
        answer: Answer<A>,
    ) -> Result<Disclosed<A>, Status> {
        let _turn = self.shared.telling.acquire().await;
        self.disclosed(decided, answer).await
    }
}
