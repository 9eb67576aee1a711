//! What a stream was opened with, and its queries: each is checked and answered by itself.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contract::{
    identity::v1::{GetPersonAnswer, LookupStreamQuery, LookupStreamRequest},
    r#type::v1::ErrorReason,
};
use disclosure::{Asked, Disclosed, Exact, signature::Presented};
use server::{Caller, Deadline, error::refuse};
use tokio::sync::Semaphore;
use tonic::{Code, Status};
use wire::{Fault, Faults, policy::Decision};

use super::super::{answer_under, cited, get_person};
use crate::{
    api::{Shared, call::Call, deciding::Deciding},
    app::{AsOf, Looked, Lookup},
};

const METHOD: &str = "/lienthong.identity.v1.IdentityService/LookupStream";
/// Bytes of one message, which are held while a query is under way. It is in the contract.
const BYTES_MAX: usize = 16 << 10;
/// How long a query may take: what a stream lasts is no time for one. It is in the contract.
const QUERY_MAX: Duration = Duration::from_secs(30);

/// A stream that is open.
pub(super) struct Opened<'a> {
    shared: &'a Shared,
    deadline: Deadline,
    /// What the call came with to sign it: nothing, or what cannot be.
    presented: &'a Presented,
    first: &'a Exact<LookupStreamRequest>,
    as_of: Option<AsOf>,
    deciding: Deciding<'a>,
    /// What the caller may have worked at, on all its streams.
    share: Arc<Semaphore>,
    /// Numbers of queries that have no response yet.
    under_way: Mutex<HashSet<u64>>,
}

/// A query that has begun.
pub(super) struct Query {
    /// The caller's number for it.
    pub(super) correlation_id: u64,
    /// By when it must be answered.
    deadline: Deadline,
    /// Whether another one of this number is under way.
    repeated: bool,
}

impl<'a> Opened<'a> {
    /// Reads the first message; every faulty field is named at once.
    pub(super) fn read(
        shared: &'a Shared,
        (caller, presented): (&'a Caller, &'a Presented),
        deadline: Deadline,
        first: &'a Exact<LookupStreamRequest>,
    ) -> Result<Self, Status> {
        if first.bytes().len() > BYTES_MAX {
            return Err(refuse(ErrorReason::MessageTooLarge));
        }
        let (mut faults, mut inner) = (Faults::default(), Faults::default());
        let LookupStreamRequest { opening, query } = first.message();
        let ground = opening.as_ref().and_then(|opening| {
            let (basis, as_of) = (opening.basis.as_ref(), opening.as_of.as_ref());
            let (items, id) = (&opening.items, &opening.request_id);
            let ground = get_person::ground(items, basis, id, as_of, &shared.lists, &mut inner);
            Some((items.as_slice(), ground?))
        });
        if opening.is_none() {
            faults.add("opening", Fault::Missing);
        }
        faults.extend("opening.", inner);
        if query.is_some() {
            faults.add("query", Fault::NotAllowed);
        }
        faults.finish()?;
        let Some((items, (basis, as_of))) = ground else {
            return Err(refuse(ErrorReason::Internal));
        };
        let act = get_person::act(as_of.as_ref());
        let deciding = Deciding { caller, act, basis, items };
        let share = shared.streaming.share(caller);
        let under_way = Mutex::default();
        Ok(Self { shared, deadline, presented, first, as_of, deciding, share, under_way })
    }

    /// A query begins when its message is read.
    pub(super) fn begin(&self, exact: &Exact<LookupStreamRequest>) -> Query {
        let correlation_id = exact.message().query.as_ref().map_or(0, |query| query.correlation_id);
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a number it is refused, and is no other one's repetition.
        let repeated = correlation_id != 0 && !under_way.insert(correlation_id);
        Query { correlation_id, deadline: self.deadline.within(QUERY_MAX), repeated }
    }

    /// Its number may be used again.
    pub(super) fn is_answered(&self, query: Query) {
        if !query.repeated {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.remove(&query.correlation_id);
        }
    }

    /// The answer to a query, which may leave.
    pub(super) async fn answer(
        &self,
        query: &Query,
        exact: &Exact<LookupStreamRequest>,
    ) -> Result<Disclosed<GetPersonAnswer>, Status> {
        let lookup = self.checked(query, exact)?;
        let deadline = query.deadline;
        let ended = deadline.bounds(self.disclosed(deadline, &lookup, exact)).await;
        // What was stopped because the time is over may say so in the same moment.
        ended.map_err(|status| {
            let late = status.code() == Code::Unavailable && deadline.left().is_zero();
            if late { refuse(ErrorReason::DeadlineExceeded) } else { status }
        })
    }

    /// Decide, read, record, as a single call does, when it is this query's turn.
    async fn disclosed(
        &self,
        deadline: Deadline,
        lookup: &Lookup,
        exact: &Exact<LookupStreamRequest>,
    ) -> Result<Disclosed<GetPersonAnswer>, Status> {
        let Self { shared, deciding, .. } = self;
        let turn = shared.streaming.wait(&self.share).await;
        let _turn = turn.map_err(|_closed| refuse(ErrorReason::Internal))?;
        let decision = deciding.now(shared, deadline).await?;
        let bytes = exact.asked_after(self.first);
        let asked = Asked::on_stream(&bytes, self.presented);
        let call = Call::new(shared, deciding.caller, deadline, METHOD, asked).on(deciding.basis);
        let build = |decision: &Decision, looked: &Looked| {
            get_person::answer(self.request_id(), decision, looked, &shared.lists)
        };
        answer_under(&call, "query.claims", &decision, lookup, build).await
    }

    fn request_id(&self) -> &str {
        self.first.message().opening.as_ref().map_or("", |opening| &opening.request_id)
    }

    /// The lookup of a query; every faulty field is named at once.
    fn checked(&self, query: &Query, exact: &Exact<LookupStreamRequest>) -> Result<Lookup, Status> {
        if exact.bytes().len() > BYTES_MAX {
            return Err(refuse(ErrorReason::MessageTooLarge));
        }
        let (mut faults, mut inner) = (Faults::default(), Faults::default());
        let LookupStreamRequest { opening, query: asked } = exact.message();
        if opening.is_some() {
            faults.add("opening", Fault::NotAllowed);
        }
        let read = asked.as_ref().and_then(|asked| {
            let LookupStreamQuery { correlation_id, subject, claims, min_version } = asked;
            if *correlation_id == 0 {
                inner.add("correlation_id", Fault::Missing);
            } else if query.repeated {
                inner.add("correlation_id", Fault::Repeated);
            }
            let (today, lists) = (self.shared.app.clock.today(), &self.shared.lists);
            let (subject, claims) = (subject.as_ref(), claims.as_ref());
            let whom = get_person::whom(subject, claims, lists, today, &mut inner)?;
            let items = self.deciding.items;
            let lookup = get_person::lookup(whom, *min_version, items, self.as_of.clone());
            let Deciding { caller, act, basis, .. } = &self.deciding;
            Some(Lookup { consent: cited(caller, *act, basis), ..lookup })
        });
        if asked.is_none() {
            faults.add("query", Fault::Missing);
        }
        faults.extend("query.", inner);
        faults.finish()?;
        // Whatever is not there was named above.
        read.ok_or_else(|| refuse(ErrorReason::Internal))
    }
}
