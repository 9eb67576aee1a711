//! `AccessHistoryService`: what citizens' portals and inspectorates call to be told who accessed a person.

mod write;

use std::sync::Arc;

use contract::{
    audit::v1 as log,
    identity::v1::{ListAccessesAnswer, ListAccessesRequest, ListAccessesResponse},
    r#type::v1::{AccessBasis, ErrorReason},
};
use decide::ItemDecision;
use disclosure::{
    Answer, Disclosed, Exact, Released,
    identity::v1::access_history_service_server::AccessHistoryService,
};
use model::{CodeLists, item::NUMBER};
use server::error::refuse;
use time::Date;
use tonic::{Code, Request, Response, Status};
use wire::{
    Fault, Faults, basis,
    policy::{Act, Decision},
    record,
};

use super::{
    REQUEST_ID_MAX, Shared,
    call::{Call, cited},
    identity::{self, lookup, whom},
};
use crate::{
    app::{Accessed, Looked, Lookup, Names, NoAnswer},
    domain::history::Spell,
};

pub(super) use write::access;

pub(super) const LIST_ACCESSES: &str = "/lienthong.identity.v1.AccessHistoryService/ListAccesses";
const PAGE: u32 = 50;
const PAGE_MAX: u32 = 100;

/// The service.
pub(super) struct History(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl AccessHistoryService for History {
    async fn list_accesses(
        &self,
        request: Request<Exact<ListAccessesRequest>>,
    ) -> Result<Response<Released<ListAccessesResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, LIST_ACCESSES)?;
        let (message, shared) = (exact.message(), &self.0);
        let (lookup, basis) = checked(message, &shared.lists, shared.app.clock.today())?;
        let lookup = Lookup { consent: cited(&caller, Act::Accesses, basis), ..lookup };
        let call = Call::new(shared, &caller, deadline, LIST_ACCESSES, exact.asked()).on(basis);
        Ok(Response::new(tell(&call, &lookup, basis, &Page(message)).await?.into()))
    }
}

/// How accesses are asked for, and told: as a page, or as a portal wants them.
pub(super) trait Listing: Sync {
    /// What is read of the access log.
    type Found: Send;
    /// What is told.
    type Answer;

    /// Where to go on, as the last answer said; empty from the newest.
    fn page_token(&self) -> &str;

    /// What the access log has under the names, below an index; 0 is none.
    fn read(
        &self,
        call: &Call<'_>,
        names: Names,
        before: u64,
    ) -> impl Future<Output = Result<Self::Found, Status>> + Send;

    /// The answer; `found` is what was read of somebody of whom it may be told. None where a record of it is none.
    fn write(&self, about: &About<'_>, found: Option<Self::Found>) -> Option<Answer<Self::Answer>>;
}

/// What an answer is about.
pub(super) struct About<'a> {
    /// The decision it rests on.
    pub(super) decision: &'a Decision,
    /// How looking for the subject ended.
    pub(super) looked: &'a Looked,
    /// The item of which nothing may be told, where that is so.
    pub(super) withheld: Option<&'a ItemDecision>,
    /// What seals where to go on.
    pub(super) shared: &'a Shared,
}

/// Decides, looks for the subject, reads who accessed it, and records that before any of it is told (I1).
pub(super) async fn tell<L: Listing>(
    call: &Call<'_>,
    lookup: &Lookup,
    basis: &AccessBasis,
    listing: &L,
) -> Result<Disclosed<L::Answer>, Status> {
    let shared = call.shared;
    let decision = call.decided(Act::Accesses, basis, &[NUMBER.to_owned()]).await?;
    let table = call.table_with(&decision, lookup.consent.is_some()).await?;
    let taken = call.take(&decision, 1).await?;
    // Below which index a list goes on, and of whom.
    let place = match listing.page_token() {
        "" => Ok(None),
        token => shared.app.accesses_place(token, &decision.connection).map(Some),
    };
    let place = match place {
        Ok(place) => place,
        Err(reason) => return Err(call.no_answer(&decision, reason).await),
    };
    let accessed = shared.app.accessed(call.deadline, lookup, &decision, table).await;
    let Accessed { looked, names } = match accessed {
        Ok(accessed) => accessed,
        Err(reason) => return Err(call.no_answer(&decision, reason).await),
    };
    let of_another = place.as_ref().is_some_and(|(_, of)| looked.person_id.as_ref() != Some(of));
    if of_another && identity::shown(&looked) {
        return Err(call.no_answer(&decision, NoAnswer::UnknownCursor).await);
    }
    let mut recorded = identity::recorded(&decision, &looked, looked.finding.row.as_ref());
    // Who accessed it is told, and no value of it.
    recorded.items.iter_mut().for_each(|item| item.disclosed = false);
    let before = place.map_or(0, |(before, _)| before);
    let (found, withheld) = match names {
        Ok(names) => match listing.read(call, names, before).await {
            Ok(found) => (Some(found), None),
            // That there is such a person was looked at all the same, and is recorded.
            Err(status) => return Err(not_told(call, recorded, status).await),
        },
        Err(withheld) => (None, withheld),
    };
    let withheld = withheld.as_ref();
    let about = About { decision: &decision, looked: &looked, withheld, shared };
    let Some(answer) = listing.write(&about, found) else {
        let status = refuse(ErrorReason::LogUnreadable);
        return Err(not_told(call, recorded, status).await);
    };
    let disclosed = call.disclosed(&recorded, answer).await?;
    taken.told(identity::shown(&looked).into());
    Ok(disclosed)
}

/// A page of the list, as `ListAccesses` gives it.
struct Page<'a>(&'a ListAccessesRequest);

impl Listing for Page<'_> {
    type Found = log::ListAccessesResponse;
    type Answer = ListAccessesAnswer;

    fn page_token(&self) -> &str {
        &self.0.page_token
    }

    async fn read(
        &self,
        call: &Call<'_>,
        names: Names,
        before: u64,
    ) -> Result<Self::Found, Status> {
        let most = if self.0.page_size == 0 { PAGE } else { self.0.page_size };
        listed(call, &request(names, before, most)).await
    }

    fn write(&self, about: &About<'_>, found: Option<Self::Found>) -> Option<Answer<Self::Answer>> {
        write::answer(about, self.0, found).map(|answer| Answer::new(&answer))
    }
}

/// The lookup in a request; every faulty field is named at once.
fn checked<'a>(
    request: &'a ListAccessesRequest,
    lists: &CodeLists,
    today: Date,
) -> Result<(Lookup, &'a AccessBasis), Status> {
    let mut faults = Faults::default();
    let ListAccessesRequest { subject, claims, basis, request_id, page_size, page_token: _ } =
        request;
    let whom = whom(subject.as_ref(), claims.as_ref(), lists, today, &mut faults);
    let basis = basis::check(basis.as_ref(), &mut faults);
    faults.text("request_id", request_id, REQUEST_ID_MAX);
    if *page_size > PAGE_MAX {
        faults.add("page_size", Fault::NotAllowed);
    }
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(whom), Some(basis)) = (whom, basis) else {
        return Err(refuse(ErrorReason::Internal));
    };
    Ok((lookup(whom, 0, &[], None), basis))
}

/// Nothing is told of somebody who was found, once that is recorded.
async fn not_told(call: &Call<'_>, recorded: log::DecisionRecord, status: Status) -> Status {
    let reason = ErrorReason::LogUnreadable;
    let outcome = log::AccessOutcome::Refused.into();
    let recorded = log::DecisionRecord { outcome, reason: reason.into(), ..recorded };
    let refusal = record::refusal(&record::own(reason, "access-history"), Vec::new());
    match call.disclosed(&recorded, Answer::new(&refusal)).await {
        Ok(_) => status,
        Err(not_recorded) => not_recorded,
    }
}

/// The question to the access log for so many of the newest below an index; 0 is none.
pub(super) fn request(names: Names, before: u64, most: u32) -> log::ListAccessesRequest {
    let Names { spells, missed } = names;
    let name = |spell: Spell| log::RecordedName {
        person: spell.person_id,
        from_milliseconds: spell.from_ms,
        until_milliseconds: spell.until_ms,
    };
    log::ListAccessesRequest {
        names: spells.into_iter().map(name).collect(),
        missed: missed.iter().map(|digest| digest.to_vec()).collect(),
        before_index: before,
        page_size: most,
    }
}

/// What the access log answers to it.
pub(super) async fn listed(
    call: &Call<'_>,
    request: &log::ListAccessesRequest,
) -> Result<log::ListAccessesResponse, Status> {
    let deadline = call.deadline;
    let mut log = call.shared.clients.log.clone();
    let found = deadline.bounds(log.list_accesses(deadline.request(request.clone()))).await;
    found.map(Response::into_inner).map_err(|status| {
        tracing::warn!(code = ?status.code(), "the access log could not be read");
        let late = status.code() == Code::DeadlineExceeded && deadline.ended(&status);
        refuse(if late { ErrorReason::DeadlineExceeded } else { ErrorReason::LogUnreadable })
    })
}
