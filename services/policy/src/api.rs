//! The gRPC services: messages to requests, decisions to messages. The only place that names tonic and prost beside `client`.
//! `admission`, `agreement` and `rule_set` are what officers call, `decision` what they and agencies do, `office` what these have in common.

pub(crate) mod admission;
pub(crate) mod agreement;
pub(crate) mod decision;
pub(crate) mod ext_authz;
mod office;
pub(crate) mod rule_set;
mod signature;
pub(crate) mod warrant;

mod volume;
mod watch;

use std::sync::Arc;

use contract::{
    policy::v1::{self as proto, decide_response, policy_service_server::PolicyService as Rpc},
    r#type::v1::ErrorReason,
};
use decide::signed;
use model::EventKind;
use prost::Message as _;
use server::{Closing, context, error::refuse};
use time::OffsetDateTime;
use tlog::NoteSigner;
use tonic::{Request, Response, Status, metadata::MetadataValue};
use wire::{
    Fault, Faults, basis,
    policy::{DECIDE, GET_CONNECTION, SIGNATURE},
};

use crate::{
    Error,
    app::App,
    domain::{
        decision::{Decision, Denial, Refusal},
        request::{By, Request as Question, agency_and_system},
        rules::Act,
    },
};

/// Bytes of a key's thumbprint.
pub(crate) const KEY: usize = 32;

/// What our own services call.
pub(crate) struct Api {
    pub(crate) app: Arc<App>,
    pub(crate) signer: NoteSigner,
}

#[tonic::async_trait]
impl Rpc for Api {
    async fn decide(
        &self,
        request: Request<proto::DecideRequest>,
    ) -> Result<Response<proto::DecideResponse>, Status> {
        let (_, deadline) = context(&request)?;
        let message = request.into_inner();
        // What it says that is not known here is not among these bytes, so whoever said it gets nothing that it could use.
        let question = message.encode_to_vec();
        let (counts, checks) = (message.counts_volumes, message.checks_signatures);
        let request = checked(message)?;
        let (id, decision) =
            self.app.decide(deadline, &request).await.map_err(|error| status(&error))?;
        let decision = if counts { decision } else { self.app.to_who_counts_nobody(decision) };
        let decision = if checks { decision } else { self.app.to_who_checks_nothing(decision) };
        self.signed(DECIDE, &question, response(id, decision))
    }

    async fn get_connection(
        &self,
        request: Request<proto::GetConnectionRequest>,
    ) -> Result<Response<proto::GetConnectionResponse>, Status> {
        let (_, deadline) = context(&request)?;
        let (message, mut faults) = (request.into_inner(), Faults::default());
        let question = message.encode_to_vec();
        let caller = caller(&message.caller, &mut faults);
        faults.finish()?;
        let caller = caller.ok_or_else(|| refuse(ErrorReason::Internal))?;
        let found = self.app.connection(deadline, &caller).await;
        let (decision_id, found, until) = found.map_err(|error| status(&error))?;
        let checks = message.checks_signatures;
        let found = if checks { found } else { self.app.connected_unchecked(found) };
        let answer = proto::GetConnectionResponse {
            decision_id,
            policy_revision: found.revision,
            connection: found.connection,
            database: found.database,
            denial: found.denial.map(denial_message),
            revision_number: Some(found.number),
            valid_until: Some(seconds(until)),
            signed_requests: found.signed_requests,
        };
        self.signed(GET_CONNECTION, &question, answer)
    }

    async fn lease_volume(
        &self,
        request: Request<proto::LeaseVolumeRequest>,
    ) -> Result<Response<proto::LeaseVolumeResponse>, Status> {
        let (_, deadline) = context(&request)?;
        volume::lease(&self.app, deadline, request.into_inner()).await.map(Response::new)
    }

    type WatchRevisionsStream = watch::Messages;

    async fn watch_revisions(
        &self,
        request: Request<proto::WatchRevisionsRequest>,
    ) -> Result<Response<Self::WatchRevisionsStream>, Status> {
        let (_, deadline) = context(&request)?;
        let (app, ends) = (Arc::clone(&self.app), (deadline, Closing::of(&request)));
        Ok(Response::new(watch::start(app, ends, request.into_inner())))
    }
}

impl Api {
    /// An answer with the signature over it and the question.
    fn signed<T: prost::Message>(
        &self,
        method: &str,
        question: &[u8],
        answer: T,
    ) -> Result<Response<T>, Status> {
        let signature = signed::sign(&self.signer, method, question, &answer.encode_to_vec());
        let signature = signature.map_err(|_| refuse(ErrorReason::Internal))?;
        let mut answer = Response::new(answer);
        answer
            .metadata_mut()
            .insert_bin(SIGNATURE, MetadataValue::from_bytes(signature.as_bytes()));
        Ok(answer)
    }
}

/// Rounded down: nothing outlives what it was built from.
fn seconds(end: OffsetDateTime) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: end.unix_timestamp(), nanos: 0 }
}

/// The caller's agency and system.
fn caller(id: &str, faults: &mut Faults) -> Option<(String, String)> {
    let caller = agency_and_system(id).map(|(a, s)| (a.to_owned(), s.to_owned()));
    if caller.is_none() {
        faults.add("caller", if id.is_empty() { Fault::Missing } else { Fault::Malformed });
    }
    caller
}

/// What an action is; none where none is stated.
fn acted(action: proto::Action) -> Option<Act> {
    Some(match action {
        proto::Action::Obtain => Act::Obtain,
        proto::Action::Contribute => Act::Contribute,
        proto::Action::Follow => Act::Follow,
        proto::Action::Explain => Act::Explain,
        proto::Action::Resolve => Act::Resolve,
        proto::Action::Search => Act::Search,
        proto::Action::Relations => Act::Relations,
        proto::Action::InverseRelations => Act::InverseRelations,
        proto::Action::Household => Act::Household,
        proto::Action::RotateTokens => Act::RotateTokens,
        proto::Action::RecordConsents => Act::RecordConsents,
        proto::Action::Accesses => Act::Accesses,
        proto::Action::Unspecified => return None,
    })
}

/// The question in a request; every faulty field is named at once.
fn checked(message: proto::DecideRequest) -> Result<Question, Status> {
    let mut faults = Faults::default();
    let caller = caller(&message.caller, &mut faults);
    let act = acted(message.action());
    if act.is_none() {
        faults.add("action", Fault::Missing);
    }
    let basis = basis::check(message.basis.as_ref(), &mut faults);
    basis::check_items(&message.items, &mut faults);
    let event = event(act, &message.event, &mut faults);
    if !matches!(message.caller_key.len(), 0 | KEY) {
        faults.add("caller_key", Fault::Malformed);
    }
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(caller), Some(act), Some(basis)) = (caller, act, basis) else {
        return Err(refuse(ErrorReason::Internal));
    };
    let named = |reference: &str| !reference.is_empty();
    Ok(Question {
        caller,
        act,
        event,
        procedure: basis.procedure.clone(),
        legal_basis: basis.legal_basis.clone(),
        direction: named(&basis.direction_reference),
        by: Some(By {
            direction: basis.direction_reference.clone(),
            acting_unit: basis.acting_unit.clone(),
            key: (!message.caller_key.is_empty()).then(|| hex::encode(&message.caller_key)),
        }),
        items: message.items,
    })
}

/// The kind of event that is contributed: required then, and not allowed where items are obtained.
fn event(act: Option<Act>, name: &str, faults: &mut Faults) -> Option<EventKind> {
    let known = EventKind::of(name);
    let fault = match act {
        Some(
            Act::Obtain
            | Act::Follow
            | Act::Explain
            | Act::Resolve
            | Act::Search
            | Act::Relations
            | Act::InverseRelations
            | Act::Household
            | Act::RotateTokens
            | Act::RecordConsents
            | Act::Accesses,
        ) => (!name.is_empty()).then_some(Fault::NotAllowed),
        Some(Act::Contribute) if name.trim().is_empty() => Some(Fault::Missing),
        // Without an act an event may be missing, and is still of a known kind.
        Some(Act::Contribute) | None => {
            (!name.is_empty() && known.is_none()).then_some(Fault::UnknownCode)
        }
    };
    if let Some(fault) = fault {
        faults.add("event", fault);
    }
    known
}

/// Whatever keeps a decision from being made is an outage: the caller gives no data and repeats
/// (I9).
fn status(error: &Error) -> Status {
    if matches!(
        error,
        Error::Distrusted | Error::ClockSetBack | Error::Overtaken | Error::RuleSet { .. }
    ) {
        // It was said when it was found, or is over when it is asked again.
        return refuse(ErrorReason::PolicyUnavailable);
    }
    let kind = if let Error::Store(error) = error { error.driver_kind() } else { "stored data" };
    tracing::warn!(kind, "the registry cannot be read");
    refuse(ErrorReason::PolicyUnavailable)
}

fn response(decision_id: String, decision: Decision) -> proto::DecideResponse {
    let valid_until = seconds(decision.valid_until);
    let claims = decision.claims;
    proto::DecideResponse {
        decision_id,
        policy_revision: decision.revision,
        connection: decision.connection,
        database: decision.database,
        agreement: decision.agreement,
        decision: Some(match decision.outcome {
            Ok(table) => decide_response::Decision::Table(table_message(&table)),
            Err(denial) => decide_response::Decision::Denial(denial_message(denial)),
        }),
        valid_until: Some(valid_until),
        claims: Some(proto::ClaimsRule {
            waived: claims.waived,
            year_suffices: claims.year_suffices,
        }),
        purpose: decision.purpose,
        sealed_days: Some(decision.sealed_days),
        revision_number: Some(decision.number),
        signed_requests: decision.signed_requests,
        volume: decision.volume.map(|(grant, volume)| proto::GrantVolume {
            grant: grant.written(),
            persons: volume.persons,
        }),
    }
}

fn denial_message(denial: Denial) -> proto::Denial {
    let reason = reason(denial.refusal).into();
    proto::Denial { reason, rule: denial.rule, article: denial.article, period_end: None }
}

fn reason(refusal: Refusal) -> ErrorReason {
    match refusal {
        Refusal::ConnectionNotActive => ErrorReason::ConnectionNotActive,
        Refusal::BasisNotInForce => ErrorReason::BasisNotInForce,
        Refusal::NoAgreement => ErrorReason::NoAgreement,
        Refusal::NothingAllowed => ErrorReason::NothingAllowed,
        Refusal::VolumeUsedUp => ErrorReason::VolumeUsedUp,
        Refusal::SignatureRequired => ErrorReason::SignatureRequired,
    }
}

fn table_message(table: &decide::DecisionTable) -> proto::DecisionTable {
    proto::DecisionTable {
        facts: table.facts().to_vec(),
        rows: table.rows().to_vec(),
        answers: table.answers().iter().map(answer_message).collect(),
    }
}

fn answer_message(answer: &decide::TableAnswer) -> proto::TableAnswer {
    let items = answer.items.iter().cloned().map(answer_item);
    proto::TableAnswer { visible: answer.visible, items: items.collect() }
}

fn answer_item(decided: decide::ItemDecision) -> proto::ItemDecision {
    let effect = match decided.effect {
        decide::ItemEffect::Allowed => proto::ItemEffect::Allowed,
        decide::ItemEffect::Withheld => proto::ItemEffect::Withheld,
        decide::ItemEffect::UnknownItem => proto::ItemEffect::UnknownItem,
    };
    proto::ItemDecision {
        item: decided.item,
        effect: effect.into(),
        rule: decided.rule,
        legal_basis: decided.legal_basis,
        article: decided.article,
        obligations: decided.obligations.iter().map(ToString::to_string).collect(),
    }
}
