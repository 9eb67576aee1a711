//! `ChangeFeedService`: what agencies call to follow what changes.

mod read;
mod watch;
mod write;

use std::sync::Arc;

use contract::{
    audit::v1::AccessOutcome,
    identity::v1::{
        FollowPersonsRequest, FollowPersonsResponse, FollowedAnswer, ListPersonChangesRequest,
        ListPersonChangesResponse, ListPersonsRequest, ListPersonsResponse, ListedPerson,
        PersonChange, UnfollowPersonsRequest, UnfollowPersonsResponse, WatchPersonChangesRequest,
        WatchPersonChangesResponse,
    },
    r#type::v1::ErrorReason,
};
use disclosure::{
    Answer, Disclosed, Exact, Released,
    identity::v1::change_feed_service_server::ChangeFeedService, streaming::Responses,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use server::Closing;
use tonic::{Request, Response, Status};
use wire::{
    policy::{Act, Decision},
    record, timestamp_us,
};

use self::read::{Asked, Followed};
use super::{Shared, call::Call, feed::TOLD_AT_ONCE};
use crate::{
    app::{Heard, NoAnswer, NotFollowed, PersonNews, Persons, Wanted},
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
        let (caller, deadline, exact) = disclosure::asked(request, LIST_PERSON_CHANGES)?;
        let (asked, shared) = (read::changes(exact.message())?, &self.0);
        let call = Call::new(shared, &caller, deadline, LIST_PERSON_CHANGES, exact.asked())
            .on(asked.basis);
        let decision = call.decided(Act::Follow, asked.basis, asked.items).await?;
        let news = self::news(&call, &asked.wanted, &decision).await?;
        let seen_time = timestamp_us(news.seen_at_us);
        let changes = told(&call, &decision, news.heard).await?;
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
        let (shared, closing) = (Arc::clone(&self.0), Closing::of(&request));
        let (caller, deadline, exact) = disclosure::asked(request, WATCH_PERSON_CHANGES)?;
        Ok(Response::new(watch::start(shared, caller, deadline, closing, exact)))
    }

    async fn list_persons(
        &self,
        request: Request<Exact<ListPersonsRequest>>,
    ) -> Result<Response<Released<ListPersonsResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, LIST_PERSONS)?;
        let (asked, shared) = (read::persons(exact.message())?, &self.0);
        let call =
            Call::new(shared, &caller, deadline, LIST_PERSONS, exact.asked()).on(asked.basis);
        let decision = call.decided(Act::Follow, asked.basis, asked.items).await?;
        let table = call.table(&decision).await?;
        let page = shared.app.persons(deadline, &asked.wanted, &decision, table).await;
        let Persons { listed, next, cursor } = match page {
            Ok(page) => page,
            Err(reason) => return Err(call.no_news(&decision, reason).await),
        };
        let persons = listed.into_iter().map(|one| self::listed(&call, &decision, one));
        let persons = stream::iter(persons).buffered(TOLD_AT_ONCE).try_collect().await?;
        Ok(Response::new(Released::persons(persons, next.unwrap_or_default(), cursor)))
    }

    async fn follow_persons(
        &self,
        request: Request<Exact<FollowPersonsRequest>>,
    ) -> Result<Response<Released<FollowPersonsResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, FOLLOW_PERSONS)?;
        let FollowPersonsRequest { basis, items, tokens, request_id } = exact.message();
        let asked = read::followed(basis.as_ref(), items, tokens, request_id)?;
        let call = Call::new(&self.0, &caller, deadline, FOLLOW_PERSONS, exact.asked())
            .on(asked.asked.basis);
        Ok(Response::new(follow(&call, &asked, true).await?.into()))
    }

    async fn unfollow_persons(
        &self,
        request: Request<Exact<UnfollowPersonsRequest>>,
    ) -> Result<Response<Released<UnfollowPersonsResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, UNFOLLOW_PERSONS)?;
        let UnfollowPersonsRequest { basis, items, tokens, request_id } = exact.message();
        let asked = read::followed(basis.as_ref(), items, tokens, request_id)?;
        let call = Call::new(&self.0, &caller, deadline, UNFOLLOW_PERSONS, exact.asked())
            .on(asked.asked.basis);
        Ok(Response::new(follow(&call, &asked, false).await?.into()))
    }
}

/// What a caller hears from a place on, under a decision.
async fn news(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    decision: &Decision,
) -> Result<PersonNews, Status> {
    let table = call.table(decision).await?;
    let news = call.shared.app.person_news(call.deadline, wanted, decision, table).await;
    match news {
        Ok(news) => Ok(news),
        Err(reason) => Err(call.no_news(decision, reason).await),
    }
}

/// Changes whose telling is recorded.
async fn told(
    call: &Call<'_>,
    decision: &Decision,
    heard: Vec<(Heard, String, Option<String>)>,
) -> Result<Vec<Disclosed<PersonChange>>, Status> {
    let one = |(heard, token, merged): (Heard, String, Option<String>)| async move {
        let answer = Answer::new(&write::change(&heard, token, merged));
        let Heard { survivor, facts, row, .. } = heard;
        let (outcome, person) = (AccessOutcome::Answered, Some(survivor.as_str()));
        let decided = record::answered(decision, outcome, person, facts, Some(&row));
        call.told(&decided, answer).await
    };
    stream::iter(heard.into_iter().map(one)).buffered(TOLD_AT_ONCE).try_collect().await
}

/// A person whose being listed is recorded.
async fn listed(
    call: &Call<'_>,
    decision: &Decision,
    (listed, token): (Listed, String),
) -> Result<Disclosed<ListedPerson>, Status> {
    let Listed { person_id, version, facts, row } = listed;
    let answer = Answer::new(&ListedPerson { token, version });
    let (outcome, person) = (AccessOutcome::Answered, Some(person_id.as_str()));
    let decided = record::answered(decision, outcome, person, facts, Some(&row));
    call.told(&decided, answer).await
}

/// Has persons followed by name, or no more.
async fn follow(
    call: &Call<'_>,
    asked: &Followed<'_>,
    on: bool,
) -> Result<Disclosed<FollowedAnswer>, Status> {
    let Asked { basis, items, .. } = asked.asked;
    let decision = call.decided(Act::Follow, basis, items).await?;
    let table = call.table(&decision).await?;
    let app = &call.shared.app;
    let followed = match app.follow(call.deadline, asked.tokens, on, &decision, table).await {
        Ok(followed) => followed,
        Err(reason) => return Err(not_followed(call, &decision, reason).await),
    };
    let answer = Answer::new(&write::followed(followed, &decision, asked.request_id));
    let outcome = AccessOutcome::Answered;
    let decided = record::answered(&decision, outcome, None, Vec::new(), None);
    call.disclosed(&decided, answer).await
}

async fn not_followed(call: &Call<'_>, decision: &Decision, reason: NotFollowed) -> Status {
    match reason {
        NotFollowed::Away => call.no_answer(decision, NoAnswer::Away).await,
        NotFollowed::NothingAllowed => call.no_answer(decision, NoAnswer::NothingAllowed).await,
        NotFollowed::Full(most) => {
            let denial = record::own(ErrorReason::FollowedFull, "followed-max");
            let most = ("followed_max", most.to_string());
            call.refuse(decision, &denial, &[most]).await
        }
    }
}
