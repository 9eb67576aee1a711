//! `ChangeFeedService`: what agencies call to follow what changes.

mod read;
mod watch;
mod write;

use std::sync::Arc;

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord},
    identity::v1::{
        FollowPersonsRequest, FollowPersonsResponse, FollowedAnswer, ListPersonChangesRequest,
        ListPersonChangesResponse, ListPersonsRequest, ListPersonsResponse, ListedPerson,
        PersonChange, UnfollowPersonsRequest, UnfollowPersonsResponse, WatchPersonChangesRequest,
        WatchPersonChangesResponse,
    },
    r#type::v1::ErrorReason,
};
use decide::DecisionTable;
use disclosure::{
    Access, Answer, Disclosed, Exact, Released,
    identity::v1::change_feed_service_server::ChangeFeedService, streaming::Responses,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use server::{Caller, Closing, Deadline, context, error::refuse};
use tonic::{Request, Response, Status};
use wire::{
    policy::{Act, Decision},
    record, timestamp_us,
};

use self::read::{Asked, Followed};
use super::{Shared, feed::TOLD_AT_ONCE};
use crate::{
    app::{Heard, NotListed, PersonNews, Persons, Wanted},
    domain::listed::Listed,
};

pub(super) use self::{watch::STREAMS_MAX, write::kind};

const LIST_PERSON_CHANGES: &str = "/lienthong.identity.v1.ChangeFeedService/ListPersonChanges";
const WATCH_PERSON_CHANGES: &str = "/lienthong.identity.v1.ChangeFeedService/WatchPersonChanges";
const LIST_PERSONS: &str = "/lienthong.identity.v1.ChangeFeedService/ListPersons";
const FOLLOW_PERSONS: &str = "/lienthong.identity.v1.ChangeFeedService/FollowPersons";
const UNFOLLOW_PERSONS: &str = "/lienthong.identity.v1.ChangeFeedService/UnfollowPersons";

/// The service.
pub(super) struct ChangeFeed(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl ChangeFeedService for ChangeFeed {
    async fn list_person_changes(
        &self,
        request: Request<Exact<ListPersonChangesRequest>>,
    ) -> Result<Response<Released<ListPersonChangesResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let (asked, shared) = (read::changes(exact.message())?, &self.0);
        let call = Call::new(shared, &caller, deadline, LIST_PERSON_CHANGES, exact.bytes());
        let decision = call.decided(&asked).await?;
        let news = call.news(&asked.wanted, &decision).await?;
        let seen_time = timestamp_us(news.seen_at_us);
        let changes = call.told(&decision, news.heard).await?;
        let page = Released::<ListPersonChangesResponse>::changes(
            changes,
            news.cursor,
            news.end_reached,
            seen_time,
        );
        Ok(Response::new(page))
    }

    type WatchPersonChangesStream = Responses<WatchPersonChangesResponse>;

    async fn watch_person_changes(
        &self,
        request: Request<Exact<WatchPersonChangesRequest>>,
    ) -> Result<Response<Self::WatchPersonChangesStream>, Status> {
        let (caller, deadline) = context(&request)?;
        let closing = Closing::of(&request);
        let (shared, exact) = (Arc::clone(&self.0), request.into_inner());
        Ok(Response::new(watch::start(shared, caller, deadline, closing, exact)))
    }

    async fn list_persons(
        &self,
        request: Request<Exact<ListPersonsRequest>>,
    ) -> Result<Response<Released<ListPersonsResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let (asked, shared) = (read::persons(exact.message())?, &self.0);
        let call = Call::new(shared, &caller, deadline, LIST_PERSONS, exact.bytes());
        let decision = call.decided(&asked).await?;
        let table = call.table(&decision).await?;
        let page = shared.app.persons(deadline, &asked.wanted, &decision, table).await;
        let Persons { listed, next, cursor } = match page {
            Ok(page) => page,
            Err(reason) => {
                return Err(shared.no_news(deadline, &call.access, &decision, reason).await);
            }
        };
        let persons = listed.into_iter().map(|one| call.listed(&decision, one));
        let persons = stream::iter(persons).buffered(TOLD_AT_ONCE).try_collect().await?;
        Ok(Response::new(Released::persons(persons, next.unwrap_or_default(), cursor)))
    }

    async fn follow_persons(
        &self,
        request: Request<Exact<FollowPersonsRequest>>,
    ) -> Result<Response<Released<FollowPersonsResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let FollowPersonsRequest { basis, items, tokens, request_id } = exact.message();
        let asked = read::followed(basis.as_ref(), items, tokens, request_id)?;
        let call = Call::new(&self.0, &caller, deadline, FOLLOW_PERSONS, exact.bytes());
        Ok(Response::new(call.follow(&asked, true).await?.into()))
    }

    async fn unfollow_persons(
        &self,
        request: Request<Exact<UnfollowPersonsRequest>>,
    ) -> Result<Response<Released<UnfollowPersonsResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let UnfollowPersonsRequest { basis, items, tokens, request_id } = exact.message();
        let asked = read::followed(basis.as_ref(), items, tokens, request_id)?;
        let call = Call::new(&self.0, &caller, deadline, UNFOLLOW_PERSONS, exact.bytes());
        Ok(Response::new(call.follow(&asked, false).await?.into()))
    }
}

/// One call under way, or one message of a stream.
struct Call<'a> {
    shared: &'a Shared,
    deadline: Deadline,
    access: Access<'a>,
}

impl<'a> Call<'a> {
    fn new(
        shared: &'a Shared,
        caller: &'a Caller,
        deadline: Deadline,
        method: &'static str,
        request: &'a [u8],
    ) -> Self {
        Self { shared, deadline, access: Access { method, caller, request } }
    }

    async fn decided(&self, asked: &Asked<'_>) -> Result<Decision, Status> {
        let (policy, caller) = (&self.shared.clients.policy, self.access.caller);
        let decided = policy.decide(self.deadline, caller, Act::Follow, asked.basis, asked.items);
        decided.await.map_err(|error| error.refusal(self.deadline))
    }

    /// The table of a decision; the refusal, once it is recorded, where there is none.
    async fn table<'d>(&self, decision: &'d Decision) -> Result<&'d DecisionTable, Status> {
        match &decision.verdict {
            Ok(table) => Ok(table),
            Err(denial) => {
                let shared = self.shared;
                Err(shared.refuse(self.deadline, &self.access, decision, denial, &[]).await)
            }
        }
    }

    async fn news(&self, wanted: &Wanted<'_>, decision: &Decision) -> Result<PersonNews, Status> {
        let (shared, deadline) = (self.shared, self.deadline);
        let table = self.table(decision).await?;
        match shared.app.person_news(deadline, wanted, decision, table).await {
            Ok(news) => Ok(news),
            Err(reason) => Err(shared.no_news(deadline, &self.access, decision, reason).await),
        }
    }

    /// Changes whose telling is recorded. The log takes what comes together in one batch; many at once, and never so many that
    /// others have to wait.
    async fn told(
        &self,
        decision: &Decision,
        heard: Vec<(Heard, String)>,
    ) -> Result<Vec<Disclosed<PersonChange>>, Status> {
        let one = |(heard, token): (Heard, String)| async move {
            let answer = Answer::new(&write::change(&heard, token));
            let Heard { person_id, facts, row, .. } = heard;
            let (outcome, person) = (AccessOutcome::Answered, Some(person_id.as_str()));
            let decided = record::answered(decision, outcome, person, facts, Some(&row));
            self.disclosed(&decided, answer).await
        };
        stream::iter(heard.into_iter().map(one)).buffered(TOLD_AT_ONCE).try_collect().await
    }

    /// A person whose being listed is recorded.
    async fn listed(
        &self,
        decision: &Decision,
        (listed, token): (Listed, String),
    ) -> Result<Disclosed<ListedPerson>, Status> {
        let Listed { person_id, version, facts, row } = listed;
        let answer = Answer::new(&ListedPerson { token, version });
        let (outcome, person) = (AccessOutcome::Answered, Some(person_id.as_str()));
        let decided = record::answered(decision, outcome, person, facts, Some(&row));
        self.disclosed(&decided, answer).await
    }

    /// An answer about a person, or about a list, whose record stands.
    async fn disclosed<A: prost::Message>(
        &self,
        decided: &DecisionRecord,
        answer: Answer<A>,
    ) -> Result<Disclosed<A>, Status> {
        let _turn = self.shared.telling.acquire().await;
        let recorder = &self.shared.clients.recorder;
        let receipt = recorder.record(self.deadline, &self.access, decided, &answer).await;
        let receipt = receipt.map_err(|error| error.refusal(self.deadline))?;
        Disclosed::new(answer, receipt).map_err(|error| error.refusal(self.deadline))
    }

    /// Has persons followed by name, or no more.
    async fn follow(
        &self,
        asked: &Followed<'_>,
        on: bool,
    ) -> Result<Disclosed<FollowedAnswer>, Status> {
        let decision = self.decided(&asked.asked).await?;
        let table = self.table(&decision).await?;
        let app = &self.shared.app;
        let followed = match app.follow(self.deadline, asked.tokens, on, &decision, table).await {
            Ok(followed) => followed,
            Err(reason) => return Err(self.not_listed(&decision, reason).await),
        };
        let answer = Answer::new(&write::followed(followed, &decision, asked.request_id));
        let outcome = AccessOutcome::Answered;
        let decided = record::answered(&decision, outcome, None, Vec::new(), None);
        self.disclosed(&decided, answer).await
    }

    async fn not_listed(&self, decision: &Decision, reason: NotListed) -> Status {
        let (reason, rule, more) = match reason {
            NotListed::Away => return refuse(ErrorReason::RegisterUnavailable),
            NotListed::NothingAllowed => {
                (ErrorReason::NothingAllowed, "nothing-allowed", Vec::new())
            }
            NotListed::Full(most) => {
                let most = vec![("followed_max", most.to_string())];
                (ErrorReason::FollowedFull, "followed-max", most)
            }
        };
        let denial = record::own(reason, rule);
        self.shared.refuse(self.deadline, &self.access, decision, &denial, &more).await
    }
}
