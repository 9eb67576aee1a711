//! `SearchService`: what agencies call to find persons whose number is not known.

mod read;
mod write;

use std::sync::Arc;

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord},
    identity::v1::{
        FoundPerson, ResolvePersonRequest, ResolvePersonResponse, SearchPersonsRequest,
        SearchPersonsResponse,
    },
};
use disclosure::{
    Answer, Disclosed, Exact, Released, identity::v1::search_service_server::SearchService,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tonic::{Request, Response, Status};
use wire::{
    policy::{Act, Decision},
    record,
};

use super::{
    Shared,
    call::{Call, cited},
    feed::TOLD_AT_ONCE,
};
use crate::{app::Listed, domain::find::Resolution};

const RESOLVE_PERSON: &str = "/lienthong.identity.v1.SearchService/ResolvePerson";
const SEARCH_PERSONS: &str = "/lienthong.identity.v1.SearchService/SearchPersons";

/// The service.
pub(super) struct Search(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl SearchService for Search {
    async fn resolve_person(
        &self,
        request: Request<Exact<ResolvePersonRequest>>,
    ) -> Result<Response<Released<ResolvePersonResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, RESOLVE_PERSON)?;
        let (message, shared) = (exact.message(), &self.0);
        let (known, basis) = read::known(message, &shared.lists, shared.app.clock.today())?;
        let call = Call::new(shared, &caller, deadline, RESOLVE_PERSON, exact.asked()).on(basis);
        let decision = call.decided(Act::Resolve, basis, &known.items()).await?;
        let cited = cited(&caller, Act::Resolve, basis);
        let table = call.table_with(&decision, cited.is_some()).await?;
        let taken = call.take(&decision, 1).await?;
        let (app, asked) = (&shared.app, (message.min_version, cited.as_ref()));
        let resolved = app.resolve(deadline, &known, asked, &decision, table).await;
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(reason) => return Err(call.no_answer(&decision, reason).await),
        };
        let answer = Answer::new(&write::resolved(message, &decision, &resolved));
        let one = matches!(resolved.resolution, Resolution::One(_));
        let decided = recorded(&decision, resolved.resolution);
        let disclosed = call.disclosed(&decided, answer).await?;
        taken.told(one.into());
        Ok(Response::new(disclosed.into()))
    }

    async fn search_persons(
        &self,
        request: Request<Exact<SearchPersonsRequest>>,
    ) -> Result<Response<Released<SearchPersonsResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, SEARCH_PERSONS)?;
        let (message, shared) = (exact.message(), &self.0);
        let (mut search, basis) = read::search(message, &shared.lists)?;
        let call = Call::new(shared, &caller, deadline, SEARCH_PERSONS, exact.asked()).on(basis);
        let decision = call.decided(Act::Search, basis, &search.wanted.items()).await?;
        let table = call.table(&decision).await?;
        let taken = call.take(&decision, search.most).await?;
        search.most = taken.count();
        let page = match shared.app.search(deadline, &search, &decision, table).await {
            Ok(page) => page,
            Err(reason) => return Err(call.no_answer(&decision, reason).await),
        };
        let answer = Answer::new(&write::page(message, &decision, &page));
        let outcome =
            if page.listed.is_empty() { AccessOutcome::Absent } else { AccessOutcome::Answered };
        let listed = u32::try_from(page.listed.len()).unwrap_or(u32::MAX);
        let persons = page.listed.into_iter().map(|listed| told(&call, &decision, listed));
        let persons = stream::iter(persons).buffered(TOLD_AT_ONCE).try_collect().await?;
        let decided = record::answered(&decision, outcome, None, Vec::new(), None);
        let page = call.disclosed(&decided, answer).await?;
        taken.told(listed);
        Ok(Response::new(Released::found(page, persons)))
    }
}

/// What inspectors will read of how looking for one person ended.
fn recorded(decision: &Decision, resolution: Resolution) -> DecisionRecord {
    let (outcome, hit) = match resolution {
        Resolution::One(hit) => (AccessOutcome::Answered, Some(hit)),
        Resolution::Nobody => (AccessOutcome::Absent, None),
        Resolution::Several => (AccessOutcome::Ambiguous, None),
        Resolution::Hidden(hit) => (AccessOutcome::Hidden, hit),
    };
    let person = hit.as_ref().map(|hit| hit.person_id.as_str());
    let (facts, row) =
        hit.as_ref().map_or_else(Default::default, |hit| (hit.facts.clone(), Some(&hit.row)));
    record::answered(decision, outcome, person, facts, row)
}

/// A person whose being listed is recorded.
async fn told(
    call: &Call<'_>,
    decision: &Decision,
    Listed { hit, token }: Listed,
) -> Result<Disclosed<FoundPerson>, Status> {
    let answer = Answer::new(&write::found(&hit, token));
    let (person, row) = (Some(hit.person_id.as_str()), Some(&hit.row));
    let decided = record::answered(decision, AccessOutcome::Answered, person, hit.facts, row);
    call.told(&decided, answer).await
}
