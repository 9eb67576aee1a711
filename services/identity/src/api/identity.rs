//! `IdentityService`: what agencies call.

mod explain_value;
mod get_person;
mod lookup_stream;
mod verify_claims;

use std::sync::Arc;

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord},
    identity::v1::{
        ExplainValueRequest, ExplainValueResponse, GetPersonRequest, GetPersonResponse,
        LookupStreamRequest, LookupStreamResponse, VerifyClaimsRequest, VerifyClaimsResponse,
    },
    r#type::v1::AccessBasis,
};
use decide::TableAnswer;
use disclosure::{
    Answer, Disclosed, Exact, Released, identity::v1::identity_service_server::IdentityService,
    signature::Presented, streaming::Responses,
};
use server::{Closing, context};
use tonic::{Request, Response, Status, Streaming};
use wire::{
    policy::{Act, Decision},
    record,
};

pub(super) use get_person::{item_outcome, lookup, whom, withheld};
pub(super) use lookup_stream::{STREAMS_MAX, Turns};

use super::{
    Shared,
    call::{CLAIMS, Call, cited},
};
use crate::{
    app::{Looked, Lookup},
    domain::lookup::Ending,
};

const GET_PERSON: &str = "/lienthong.identity.v1.IdentityService/GetPerson";
const VERIFY_CLAIMS: &str = "/lienthong.identity.v1.IdentityService/VerifyClaims";
const EXPLAIN_VALUE: &str = "/lienthong.identity.v1.IdentityService/ExplainValue";

/// The service.
pub(super) struct Identity(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl IdentityService for Identity {
    async fn get_person(
        &self,
        request: Request<Exact<GetPersonRequest>>,
    ) -> Result<Response<Released<GetPersonResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, GET_PERSON)?;
        let (message, lists) = (exact.message(), &self.0.lists);
        let (lookup, basis) = get_person::checked(message, lists, self.0.app.clock.today())?;
        let act = get_person::act(lookup.as_of.as_ref());
        let call = Call::new(&self.0, &caller, deadline, GET_PERSON, exact.asked()).on(basis);
        let lookup = Lookup { consent: cited(&caller, act, basis), ..lookup };
        let items = message.items.as_slice();
        let build = |decision: &Decision, looked: &Looked| {
            get_person::answer(&message.request_id, decision, looked, lists)
        };
        Ok(Response::new(answer(&call, act, &lookup, basis, items, build).await?.into()))
    }

    async fn verify_claims(
        &self,
        request: Request<Exact<VerifyClaimsRequest>>,
    ) -> Result<Response<Released<VerifyClaimsResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, VERIFY_CLAIMS)?;
        let message = exact.message();
        let verify_claims::Checked { lookup, basis, items, values } =
            verify_claims::checked(message, &self.0.lists, self.0.app.clock.today())?;
        let act = Act::Obtain;
        let call = Call::new(&self.0, &caller, deadline, VERIFY_CLAIMS, exact.asked()).on(basis);
        let lookup = Lookup { consent: cited(&caller, act, basis), ..lookup };
        let build = |decision: &Decision, looked: &Looked| {
            verify_claims::answer(message, decision, looked, &values)
        };
        let decision = verify_claims::comparing(call.decided(act, basis, &items).await?);
        Ok(Response::new(answer_under(&call, CLAIMS, &decision, &lookup, build).await?.into()))
    }

    async fn explain_value(
        &self,
        request: Request<Exact<ExplainValueRequest>>,
    ) -> Result<Response<Released<ExplainValueResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, EXPLAIN_VALUE)?;
        let (message, lists) = (exact.message(), &self.0.lists);
        let (lookup, basis) = explain_value::checked(message, lists, self.0.app.clock.today())?;
        let act = Act::Explain;
        let call = Call::new(&self.0, &caller, deadline, EXPLAIN_VALUE, exact.asked()).on(basis);
        let items = std::slice::from_ref(&message.item);
        let build = |decision: &Decision, looked: &Looked| {
            explain_value::answer(message, decision, looked, lists)
        };
        Ok(Response::new(answer(&call, act, &lookup, basis, items, build).await?.into()))
    }

    type LookupStreamStream = Responses<LookupStreamResponse>;

    async fn lookup_stream(
        &self,
        request: Request<Streaming<Exact<LookupStreamRequest>>>,
    ) -> Result<Response<Self::LookupStreamStream>, Status> {
        let (caller, deadline) = context(&request)?;
        let ends = (deadline, Closing::of(&request));
        let presented = Presented::on_stream(&request, GET_PERSON);
        let (shared, queries) = (Arc::clone(&self.0), request.into_inner());
        Ok(Response::new(lookup_stream::start(shared, caller, ends, presented, queries)))
    }
}

/// Decide, read, build the answer, record it; only then is there anything to release.
async fn answer<A: prost::Message>(
    call: &Call<'_>,
    act: Act,
    lookup: &Lookup,
    basis: &AccessBasis,
    items: &[String],
    build: impl FnOnce(&Decision, &Looked) -> A,
) -> Result<Disclosed<A>, Status> {
    let decision = call.decided(act, basis, items).await?;
    answer_under(call, CLAIMS, &decision, lookup, build).await
}

/// The same under a decision that was made; `claims` is the path of the field that has them.
async fn answer_under<A: prost::Message>(
    call: &Call<'_>,
    claims: &str,
    decision: &Decision,
    lookup: &Lookup,
    build: impl FnOnce(&Decision, &Looked) -> A,
) -> Result<Disclosed<A>, Status> {
    let table = call.table_with(decision, lookup.consent.is_some()).await?;
    let taken = call.take(decision, 1).await?;
    let looked = match call.shared.app.look_up(call.deadline, lookup, decision, table).await {
        Ok(looked) => looked,
        Err(reason) => return Err(call.no_answer_to(claims, decision, reason).await),
    };
    let answer = Answer::new(&build(decision, &looked));
    let decided = recorded(decision, &looked, looked.finding.row.as_ref());
    let disclosed = call.disclosed(&decided, answer).await?;
    taken.told(shown(&looked).into());
    Ok(disclosed)
}

/// Whether the caller is told of somebody.
pub(super) fn shown(looked: &Looked) -> bool {
    looked.finding.ending == Ending::Shown
}

/// What inspectors will read of how a lookup ended, by this row of the table.
pub(super) fn recorded(
    decision: &Decision,
    looked: &Looked,
    row: Option<&TableAnswer>,
) -> DecisionRecord {
    let outcome = match looked.finding.ending {
        Ending::Shown => AccessOutcome::Answered,
        Ending::Absent => AccessOutcome::Absent,
        Ending::ClaimsDiffer => AccessOutcome::ClaimsDiffer,
        Ending::Hidden => AccessOutcome::Hidden,
    };
    let person = looked.person_id.as_deref();
    let missed = looked.missed.map(|digest| digest.to_vec()).unwrap_or_default();
    let facts = looked.finding.facts.clone();
    DecisionRecord { missed, ..record::answered(decision, outcome, person, facts, row) }
}
