//! `RegisterService`: what contribution calls.

use std::sync::Arc;

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord},
    identity::v1::{
        Applied, ApplyAnswer, ApplyRequest, ApplyResponse, Rejected, Rejection, RejectionReason,
        apply_answer, apply_request,
    },
    r#type::v1::ErrorReason,
};
use disclosure::{
    Access, Answer, Disclosed, Exact, Released,
    identity::v1::register_service_server::RegisterService,
};
use model::CodeLists;
use server::{
    accept::context,
    error::{refuse, refuse_with},
};
use tonic::{Request, Response, Status};
use wire::{Fault, Faults, timestamp_us, value::Reader};

use super::{Shared, unrecorded};
use crate::{
    app::NotApplied,
    domain::apply::{Application, Outcome, Reason, Said},
};

const APPLY: &str = "/lienthong.identity.v1.RegisterService/Apply";
const ID_MAX: usize = 64;
const ENTRY_MAX: usize = 256;
const ASSERTIONS_MAX: usize = 64;

/// The service.
pub(super) struct Register(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl RegisterService for Register {
    async fn apply(
        &self,
        request: Request<Exact<ApplyRequest>>,
    ) -> Result<Response<Released<ApplyResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let application = checked(exact.message(), &self.0.lists)?;
        let outcome = self.0.app.apply(application).await.map_err(|error| match error {
            NotApplied::KeyReused(first) => {
                refuse_with(ErrorReason::KeyReused, &[("first_digest", hex::encode(first))])
            }
            NotApplied::Away => refuse(ErrorReason::RegisterUnavailable),
        })?;
        let decision = DecisionRecord {
            outcome: AccessOutcome::Answered.into(),
            person: person(&outcome).to_owned(),
            ..DecisionRecord::default()
        };
        let answer = Answer::new(&answer(outcome));
        let access = Access { method: APPLY, caller: &caller, request: exact.bytes() };
        // The record stands before the number leaves the register.
        let recorded = self.0.clients.recorder.record(deadline, &access, &decision, &answer).await;
        let receipt = recorded.map_err(|error| unrecorded(&error))?;
        let disclosed = Disclosed::new(answer, receipt).map_err(|error| unrecorded(&error))?;
        Ok(Response::new(disclosed.into()))
    }
}

fn checked(request: &ApplyRequest, lists: &CodeLists) -> Result<Application, Status> {
    let mut faults = Faults::default();
    faults.text("contribution_id", &request.contribution_id, ID_MAX);
    faults.text("source", &request.source, ID_MAX);
    let digest = <[u8; 32]>::try_from(request.digest.as_slice()).ok();
    if digest.is_none() {
        faults.add("digest", Fault::Malformed);
    }
    let person = request.subject.as_ref().map(|apply_request::Subject::NewPerson(person)| person);
    match person {
        None => faults.add("subject", Fault::Missing),
        Some(person) => {
            faults.text("new_person.number_prefix", &person.number_prefix, 3);
            faults.text("new_person.source_entry", &person.source_entry, ENTRY_MAX);
        }
    }
    if request.assertions.is_empty() {
        faults.add("assertions", Fault::Missing);
    }
    if request.assertions.len() > ASSERTIONS_MAX {
        faults.add("assertions", Fault::TooMany(ASSERTIONS_MAX));
    }
    let mut said = Vec::with_capacity(request.assertions.len());
    for (place, assertion) in request.assertions.iter().enumerate() {
        let field = |name: &str| format!("assertions[{place}].{name}");
        faults.text(&field("item"), &assertion.item, ID_MAX);
        let mut reader = Reader::new(lists, &mut faults);
        let valid_from =
            assertion.valid_from.as_ref().and_then(|d| reader.date(&field("valid_from"), Some(d)));
        if let Some(value) = reader.value(&field("value"), assertion.value.as_ref()) {
            said.push(Said { item: assertion.item.clone(), value, valid_from });
        }
    }
    faults.finish()?;
    let (Some(digest), Some(person)) = (digest, person) else {
        return Err(refuse(ErrorReason::Internal));
    };
    Ok(Application {
        contribution_id: request.contribution_id.clone(),
        digest,
        source: request.source.clone(),
        prefix: person.number_prefix.clone(),
        entry: person.source_entry.clone(),
        said,
        dry_run: request.dry_run,
    })
}

fn person(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Applied { person_id, .. } => person_id.as_deref().unwrap_or_default(),
        Outcome::Rejected(_) => "",
    }
}

fn answer(outcome: Outcome) -> ApplyAnswer {
    let outcome = match outcome {
        Outcome::Applied { version, number, known_at_us, .. } => {
            apply_answer::Outcome::Applied(Applied {
                version,
                known_time: number.as_ref().map(|_| timestamp_us(known_at_us)),
                issued_number: number.map(|n| n.as_str().to_owned()).unwrap_or_default(),
            })
        }
        Outcome::Rejected(reasons) => {
            let reasons = reasons.into_iter().map(|rejection| Rejection {
                item: rejection.item,
                reason: reason(rejection.reason).into(),
            });
            apply_answer::Outcome::Rejected(Rejected { reasons: reasons.collect() })
        }
    };
    ApplyAnswer { outcome: Some(outcome) }
}

fn reason(reason: Reason) -> RejectionReason {
    match reason {
        Reason::AlreadyRegistered => RejectionReason::AlreadyRegistered,
        Reason::PrefixNotIssued => RejectionReason::PrefixNotIssued,
        Reason::WrongType => RejectionReason::WrongType,
        Reason::DateOutOfRange => RejectionReason::DateOutOfRange,
    }
}
