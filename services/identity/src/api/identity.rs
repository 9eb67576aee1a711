//! `IdentityService`: what agencies call.

mod explain_value;
mod get_person;
mod lookup_stream;
mod verify_claims;

use std::sync::Arc;

use contract::{
    audit::v1::AccessOutcome,
    identity::v1::{
        ExplainValueRequest, ExplainValueResponse, GetPersonRequest, GetPersonResponse,
        LookupStreamRequest, LookupStreamResponse, VerifyClaimsRequest, VerifyClaimsResponse,
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use disclosure::{
    Access, Answer, Disclosed, Exact, Released,
    identity::v1::identity_service_server::IdentityService, streaming::Responses,
};
use server::{Caller, Closing, Deadline, context, error::refuse};
use tonic::{Request, Response, Status, Streaming};
use wire::{
    Faults,
    policy::{Act, Decision, Denial},
    record, subject,
};

pub(super) use get_person::{item_outcome, lookup, whom};
pub(super) use lookup_stream::{STREAMS_MAX, Turns};

use super::Shared;
use crate::{
    app::{Looked, Lookup, NoAnswer},
    domain::lookup::Ending,
};

/// The service.
pub(super) struct Identity(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl IdentityService for Identity {
    async fn get_person(
        &self,
        request: Request<Exact<GetPersonRequest>>,
    ) -> Result<Response<Released<GetPersonResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let (message, lists) = (exact.message(), &self.0.lists);
        let (lookup, basis) = get_person::checked(message, lists, self.0.app.clock.today())?;
        let method = "/lienthong.identity.v1.IdentityService/GetPerson";
        let act = get_person::act(lookup.as_of.as_ref());
        let (shared, bytes) = (&*self.0, exact.bytes().as_ref());
        let call = Call { shared, caller: &caller, deadline, bytes, method, claims: CLAIMS };
        let items = message.items.as_slice();
        let build = |decision: &Decision, looked: &Looked| {
            get_person::answer(&message.request_id, decision, looked, lists)
        };
        Ok(Response::new(call.answer(act, &lookup, basis, items, build).await?.into()))
    }

    async fn verify_claims(
        &self,
        request: Request<Exact<VerifyClaimsRequest>>,
    ) -> Result<Response<Released<VerifyClaimsResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let message = exact.message();
        let verify_claims::Checked { lookup, basis, items, values } =
            verify_claims::checked(message, &self.0.lists, self.0.app.clock.today())?;
        let (method, act) = ("/lienthong.identity.v1.IdentityService/VerifyClaims", Act::Obtain);
        let (shared, bytes) = (&*self.0, exact.bytes().as_ref());
        let call = Call { shared, caller: &caller, deadline, bytes, method, claims: CLAIMS };
        let build = |decision: &Decision, looked: &Looked| {
            verify_claims::answer(message, decision, looked, &values)
        };
        Ok(Response::new(call.answer(act, &lookup, basis, &items, build).await?.into()))
    }

    async fn explain_value(
        &self,
        request: Request<Exact<ExplainValueRequest>>,
    ) -> Result<Response<Released<ExplainValueResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let (message, lists) = (exact.message(), &self.0.lists);
        let (lookup, basis) = explain_value::checked(message, lists, self.0.app.clock.today())?;
        let (method, act) = ("/lienthong.identity.v1.IdentityService/ExplainValue", Act::Explain);
        let (shared, bytes) = (&*self.0, exact.bytes().as_ref());
        let call = Call { shared, caller: &caller, deadline, bytes, method, claims: CLAIMS };
        let items = std::slice::from_ref(&message.item);
        let build = |decision: &Decision, looked: &Looked| {
            explain_value::answer(message, decision, looked, lists)
        };
        Ok(Response::new(call.answer(act, &lookup, basis, items, build).await?.into()))
    }

    type LookupStreamStream = Responses<LookupStreamResponse>;

    async fn lookup_stream(
        &self,
        request: Request<Streaming<Exact<LookupStreamRequest>>>,
    ) -> Result<Response<Self::LookupStreamStream>, Status> {
        let (caller, deadline) = context(&request)?;
        let closing = Closing::of(&request);
        let (shared, queries) = (Arc::clone(&self.0), request.into_inner());
        Ok(Response::new(lookup_stream::start(shared, caller, deadline, closing, queries)))
    }
}

/// Where a request of one person has its claims.
const CLAIMS: &str = "claims";

/// One call under way, or one query of a stream.
struct Call<'a> {
    shared: &'a Shared,
    caller: &'a Caller,
    deadline: Deadline,
    /// The exact bytes of what is asked.
    bytes: &'a [u8],
    method: &'static str,
    /// Path of the field that has the claims.
    claims: &'static str,
}

impl Call<'_> {
    /// Decide, read, build the answer, record it; only then is there anything to release.
    async fn answer<A: prost::Message>(
        &self,
        act: Act,
        lookup: &Lookup,
        basis: &AccessBasis,
        items: &[String],
        build: impl FnOnce(&Decision, &Looked) -> A,
    ) -> Result<Disclosed<A>, Status> {
        let policy = &self.shared.clients.policy;
        let decided = policy.decide(self.deadline, self.caller, act, basis, items);
        let decision = decided.await.map_err(|error| error.refusal(self.deadline))?;
        self.answer_under(&decision, lookup, build).await
    }

    /// The same under a decision that was made.
    async fn answer_under<A: prost::Message>(
        &self,
        decision: &Decision,
        lookup: &Lookup,
        build: impl FnOnce(&Decision, &Looked) -> A,
    ) -> Result<Disclosed<A>, Status> {
        let table = match &decision.verdict {
            Ok(table) => table,
            Err(denial) => return Err(self.refuse(decision, denial, &[]).await),
        };
        let looked = match self.shared.app.look_up(self.deadline, lookup, decision, table).await {
            Ok(looked) => looked,
            Err(reason) => return Err(self.no_answer(decision, reason).await),
        };
        let answer = Answer::new(&build(decision, &looked));
        let outcome = match looked.finding.ending {
            Ending::Shown => AccessOutcome::Answered,
            Ending::Absent => AccessOutcome::Absent,
            Ending::ClaimsDiffer => AccessOutcome::ClaimsDiffer,
            Ending::Hidden => AccessOutcome::Hidden,
        };
        let person = looked.record.as_ref().map(|record| record.person_id.as_str());
        let (facts, row) = (looked.finding.facts.clone(), looked.finding.row.as_ref());
        let decided = record::answered(decision, outcome, person, facts, row);
        let (access, recorder) = (self.access(), &self.shared.clients.recorder);
        let receipt = recorder.record(self.deadline, &access, &decided, &answer);
        let receipt = receipt.await.map_err(|error| error.refusal(self.deadline))?;
        Disclosed::new(answer, receipt).map_err(|error| error.refusal(self.deadline))
    }

    fn access(&self) -> Access<'_> {
        Access { method: self.method, caller: self.caller, request: self.bytes }
    }

    async fn no_answer(&self, decision: &Decision, reason: NoAnswer) -> Status {
        if reason == NoAnswer::ClaimsMissing {
            // Where they are missing depends on the method.
            let mut faults = Faults::default();
            subject::claims_missing(self.claims, &mut faults);
            return faults.finish().err().unwrap_or_else(|| refuse(ErrorReason::Internal));
        }
        self.shared.no_answer(self.deadline, &self.access(), decision, reason).await
    }

    async fn refuse(
        &self,
        decision: &Decision,
        denial: &Denial,
        more: &[(&str, String)],
    ) -> Status {
        self.shared.refuse(self.deadline, &self.access(), decision, denial, more).await
    }
}
