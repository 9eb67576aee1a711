//! The gRPC service: messages to requests, decisions to messages. The only place that names tonic
//! and prost.

use std::sync::Arc;

use contract::{
    policy::v1::{self as proto, decide_response, policy_service_server::PolicyService as Rpc},
    r#type::v1::{AccessBasis, ErrorReason},
};
use server::error::{Violation, invalid, refuse};
use tonic::{Request, Response, Status};

use crate::{
    Error,
    app::App,
    domain::{
        decision::{Decision, Denial, Refusal},
        request::{Basis, Fault, Faults, Sent},
        rules::Act,
    },
};

pub(crate) struct Api(pub(crate) Arc<App>);

#[tonic::async_trait]
impl Rpc for Api {
    async fn decide(
        &self,
        request: Request<proto::DecideRequest>,
    ) -> Result<Response<proto::DecideResponse>, Status> {
        let request = sent(request.into_inner()).check().map_err(faulty)?;
        let (id, decision) = self.0.decide(&request).await.map_err(|error| status(&error))?;
        Ok(Response::new(response(id, decision)))
    }
}

fn sent(message: proto::DecideRequest) -> Sent {
    let act = match message.action() {
        proto::Action::Obtain => Some(Act::Obtain),
        proto::Action::Contribute => Some(Act::Contribute),
        proto::Action::Unspecified => None,
    };
    let basis = message.basis.map(|basis: AccessBasis| Basis {
        procedure: basis.procedure,
        legal_basis: basis.legal_basis,
        case_reference: basis.case_reference,
        acting_unit: basis.acting_unit,
        officer: basis.officer,
        consent_reference: basis.consent_reference,
        direction_reference: basis.direction_reference,
    });
    Sent { caller: message.caller, act, basis, items: message.items }
}

/// An error that names every faulty field, and no value.
fn faulty(faults: Faults) -> Status {
    let violation = |(field, fault)| {
        let (reason, vi, en) = match fault {
            Fault::Missing => ("MISSING", "còn thiếu", "is missing"),
            Fault::Malformed => ("MALFORMED", "không đúng dạng", "does not have the form"),
            Fault::TooLong => ("TOO_LONG", "quá dài", "is too long"),
            Fault::TooMany => ("TOO_MANY", "quá nhiều", "are too many"),
            Fault::Repeated => ("REPEATED", "bị lặp lại", "is there twice"),
            Fault::Wildcard => {
                ("WILDCARD", "phải nêu rõ từng mục", "must name one item, not a pattern")
            }
            Fault::PersonalNumber => (
                "PERSONAL_NUMBER",
                "không được là số định danh cá nhân",
                "must not be a personal number",
            ),
        };
        Violation { field, reason, vi: vi.to_owned(), en: en.to_owned() }
    };
    invalid(faults.into_iter().map(violation).collect())
}

/// Whatever keeps a decision from being made is an outage: the caller gives no data and repeats
/// (I9).
fn status(error: &Error) -> Status {
    let kind = if let Error::Store(error) = error { error.driver_kind() } else { "stored data" };
    tracing::warn!(kind, "the registry cannot be read");
    refuse(ErrorReason::PolicyUnavailable)
}

fn response(decision_id: String, decision: Decision) -> proto::DecideResponse {
    // Rounded down: a decision never outlives what it was built from.
    let seconds = decision.valid_until.unix_timestamp();
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
        valid_until: Some(prost_types::Timestamp { seconds, nanos: 0 }),
        claims: Some(proto::ClaimsRule {
            waived: claims.waived,
            year_suffices: claims.year_suffices,
        }),
    }
}

fn denial_message(denial: Denial) -> proto::Denial {
    let reason = match denial.refusal {
        Refusal::ConnectionNotActive => ErrorReason::ConnectionNotActive,
        Refusal::BasisNotInForce => ErrorReason::BasisNotInForce,
        Refusal::NoAgreement => ErrorReason::NoAgreement,
        Refusal::NothingAllowed => ErrorReason::NothingAllowed,
    };
    proto::Denial { reason: reason.into(), rule: denial.rule, article: denial.article }
}

fn table_message(table: &decide::DecisionTable) -> proto::DecisionTable {
    proto::DecisionTable {
        facts: table.facts().to_vec(),
        rows: table.rows().to_vec(),
        answers: table.answers().iter().map(answer_message).collect(),
    }
}

fn answer_message(answer: &decide::TableAnswer) -> proto::TableAnswer {
    let items = answer.items.iter().cloned().map(|decided| {
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
        }
    });
    proto::TableAnswer { visible: answer.visible, items: items.collect() }
}
