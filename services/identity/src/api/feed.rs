//! `FeedService`: what exchange calls for the databases that follow persons.

use std::sync::Arc;

use contract::{
    audit::v1::AccessOutcome,
    register::v1::{FollowedChange, ListChangesRequest, ListChangesResponse},
    r#type::v1::{AccessBasis, ErrorReason},
};
use disclosure::{
    Answer, Disclosed, Exact, Released, register::v1::feed_service_server::FeedService,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use server::{Caller, caller::Kind, error::refuse};
use tonic::{Request, Response, Status};
use wire::{
    Fault, Faults, basis,
    policy::{Act, Decision},
    record, timestamp_us,
};

use super::{Shared, call::Call, change_feed};
use crate::app::{Heard, News, Place};

const LIST_CHANGES: &str = "/lienthong.register.v1.FeedService/ListChanges";
const PAGE_MAX: u16 = 1000;
/// Records under way of one page, and of all pages together: each takes a place of the access log that lookups need, too.
pub(super) const TOLD_AT_ONCE: usize = 32;
pub(super) const TOLD_AT_ONCE_IN_ALL: usize = 64;

/// The service.
pub(super) struct Feed(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl FeedService for Feed {
    async fn list_changes(
        &self,
        request: Request<Exact<ListChangesRequest>>,
    ) -> Result<Response<Released<ListChangesResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, LIST_CHANGES)?;
        let asked = checked(exact.message(), &self.0.trust_domain)?;
        let call = Call::new(&self.0, &caller, deadline, LIST_CHANGES, exact.asked());
        Ok(Response::new(page(&call, &asked).await?))
    }
}

/// A request that was checked.
struct Asked<'a> {
    follower: Caller,
    basis: &'a AccessBasis,
    items: &'a [String],
    /// Up to where it was told; none where the follower begins now.
    after: Option<Place>,
    most: u16,
}

fn checked<'a>(request: &'a ListChangesRequest, trust_domain: &str) -> Result<Asked<'a>, Status> {
    let mut faults = Faults::default();
    let follower = Caller::parse(&request.follower, trust_domain).ok();
    let follower = follower.filter(|follower| matches!(follower.kind(), Kind::System { .. }));
    if follower.is_none() {
        faults.add("follower", Fault::Malformed);
    }
    let basis = basis::check(request.basis.as_ref(), &mut faults);
    basis::check_items(&request.items, &mut faults);
    let most = u16::try_from(request.page_size).ok().filter(|most| (1..=PAGE_MAX).contains(most));
    if most.is_none() {
        faults.add("page_size", Fault::NotAllowed);
    }
    faults.finish()?;
    let (Some(follower), Some(basis), Some(most)) = (follower, basis, most) else {
        return Err(refuse(ErrorReason::Internal));
    };
    let after = match request.cursor.as_str() {
        "" => None,
        cursor => Some(Place::parse(cursor).ok_or_else(|| refuse(ErrorReason::UnknownCursor))?),
    };
    Ok(Asked { follower, basis, items: &request.items, after, most })
}

/// Decide, read, record each change; only then is there anything to release.
async fn page(call: &Call<'_>, asked: &Asked<'_>) -> Result<Released<ListChangesResponse>, Status> {
    let Asked { follower, basis, items, after, most } = asked;
    let decision = call.decided_for(follower, Act::Follow, basis, items).await?;
    let table = call.table(&decision).await?;
    let app = &call.shared.app;
    let news = app.news(call.deadline, after.clone(), *most, &decision, table).await;
    let News { heard, seen, end_reached } = match news {
        Ok(news) => news,
        Err(reason) => return Err(call.no_news(&decision, reason).await),
    };
    let changes = heard.into_iter();
    let changes = changes.map(|(heard, token, merged)| told(call, &decision, heard, token, merged));
    let changes = stream::iter(changes).buffered(TOLD_AT_ONCE).try_collect().await?;
    let seen_at = (seen.version > 0).then(|| timestamp_us(seen.known_at_us));
    Ok(Released::page(changes, seen.to_string(), end_reached, seen_at))
}

/// A change whose telling is recorded.
async fn told(
    call: &Call<'_>,
    decision: &Decision,
    heard: Heard,
    token: String,
    surviving_token: Option<String>,
) -> Result<Disclosed<FollowedChange>, Status> {
    let Heard { survivor, version, known_at_us, facts, row, kind, bulk_job, .. } = heard;
    let answer = Answer::new(&FollowedChange {
        token,
        version,
        items: row.items.iter().map(|decided| decided.item.clone()).collect(),
        known_time: Some(timestamp_us(known_at_us)),
        kind: change_feed::kind(kind).into(),
        bulk_job: bulk_job.unwrap_or_default(),
        surviving_token: surviving_token.unwrap_or_default(),
    });
    let outcome = AccessOutcome::Answered;
    let decided = record::answered(decision, outcome, Some(&survivor), facts, Some(&row));
    call.told(&decided, answer).await
}
