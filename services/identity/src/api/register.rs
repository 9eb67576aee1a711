//! `RegisterService`: what contribution calls.

use std::sync::Arc;

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord},
    register::v1::{
        Annulled, Applied, ApplyAnswer, ApplyRequest, ApplyResponse, Rejected, Rejection,
        apply_answer, apply_request,
    },
    r#type::v1::{ErrorReason, RejectionReason},
};
use disclosure::{
    Access, Answer, Disclosed, Exact, Released,
    register::v1::register_service_server::RegisterService,
};
use model::CodeLists;
use server::{
    context,
    error::{refuse, refuse_with},
};
use tonic::{Request, Response, Status};
use wire::{Fault, Faults, subject, timestamp_us, value::Reader};

use super::Shared;
use crate::{
    app::NotApplied,
    domain::{
        apply::{Application, Outcome, Reason, Said, Target},
        lookup::Ending,
    },
};

const APPLY: &str = "/lienthong.register.v1.RegisterService/Apply";
const ID_MAX: usize = 64;
const ENTRY_MAX: usize = 1024;
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
        let outcome =
            self.0.app.apply(deadline, application).await.map_err(|error| match error {
                NotApplied::KeyReused(first) => {
                    refuse_with(ErrorReason::KeyReused, &[("first_digest", hex::encode(first))])
                }
                NotApplied::BudgetSpent { retry_after_seconds } => {
                    let after = ("retry_after_seconds", retry_after_seconds.to_string());
                    refuse_with(ErrorReason::GuessingBudgetSpent, &[after])
                }
                NotApplied::Away => refuse(ErrorReason::RegisterUnavailable),
            })?;
        let decision = record(&outcome, &exact.message().connection);
        let answer = Answer::new(&answer(outcome));
        let access = Access { method: APPLY, caller: &caller, request: exact.bytes() };
        // The record stands before the number leaves the register.
        let recorded = self.0.clients.recorder.record(deadline, &access, &decision, &answer).await;
        let receipt = recorded.map_err(|error| error.refusal(deadline))?;
        let disclosed = Disclosed::new(answer, receipt).map_err(|error| error.refusal(deadline))?;
        Ok(Response::new(disclosed.into()))
    }
}

fn checked(request: &ApplyRequest, lists: &CodeLists) -> Result<Application, Status> {
    let mut faults = Faults::default();
    faults.text("contribution_id", &request.contribution_id, ID_MAX);
    faults.text("source", &request.source, ID_MAX);
    faults.text("connection", &request.connection, ID_MAX);
    let digest = <[u8; 32]>::try_from(request.digest.as_slice()).ok();
    if digest.is_none() {
        faults.add("digest", Fault::Malformed);
    }
    let target = target(request.subject.as_ref(), lists, &mut faults);
    let annuls = matches!(request.subject, Some(apply_request::Subject::Annulled(_)));
    match (annuls, request.assertions.is_empty()) {
        (false, true) => faults.add("assertions", Fault::Missing),
        (true, false) => faults.add("assertions", Fault::NotAllowed),
        (true, true) | (false, false) => {}
    }
    if request.assertions.len() > ASSERTIONS_MAX {
        faults.add("assertions", Fault::TooMany(ASSERTIONS_MAX));
    }
    let mut said = Vec::with_capacity(request.assertions.len());
    for (place, assertion) in request.assertions.iter().take(ASSERTIONS_MAX).enumerate() {
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
    let (Some(digest), Some((target, entry))) = (digest, target) else {
        return Err(refuse(ErrorReason::Internal));
    };
    Ok(Application {
        contribution_id: request.contribution_id.clone(),
        digest,
        source: request.source.clone(),
        connection: request.connection.clone(),
        target,
        entry,
        said,
        expected_version: request.expected_version,
        dry_run: request.dry_run,
    })
}

/// Whom it is about, and the source's entry.
fn target(
    found: Option<&apply_request::Subject>,
    lists: &CodeLists,
    faults: &mut Faults,
) -> Option<(Target, String)> {
    match found {
        None => {
            faults.add("subject", Fault::Missing);
            None
        }
        Some(apply_request::Subject::NewPerson(person)) => {
            faults.text("new_person.number_prefix", &person.number_prefix, 3);
            faults.text("new_person.source_entry", &person.source_entry, ENTRY_MAX);
            let prefix = person.number_prefix.clone();
            Some((Target::New { prefix }, person.source_entry.clone()))
        }
        Some(apply_request::Subject::Annulled(Annulled { contribution_id })) => {
            if !contribution_id.is_empty() {
                faults.text("annulled.contribution_id", contribution_id, ID_MAX);
            }
            let contribution_id = contribution_id.clone();
            Some((Target::Earlier { contribution_id }, String::new()))
        }
        Some(apply_request::Subject::KnownPerson(person)) => {
            let subject = subject::read("known_person.subject", person.subject.as_ref(), faults);
            let claims = match &person.claims {
                None => {
                    subject::claims_missing("known_person.claims", faults);
                    None
                }
                Some(claims) => subject::read_claims("known_person.claims", claims, lists, faults),
            };
            let (subject, claims, corrects) = (subject?, claims?, person.corrects);
            Some((Target::Known { subject, claims, corrects }, person.source_entry.clone()))
        }
    }
}

/// What inspectors will read: what really became of it, and about whom it was.
fn record(outcome: &Outcome, connection: &str) -> DecisionRecord {
    let (outcome, person) = match outcome {
        Outcome::Applied { person_id, .. } => (AccessOutcome::Contributed, person_id),
        Outcome::Rejected { ending: Some(ending), person_id, .. } => {
            let outcome = match ending {
                Ending::Absent => AccessOutcome::Absent,
                Ending::ClaimsDiffer => AccessOutcome::ClaimsDiffer,
                Ending::Hidden => AccessOutcome::Hidden,
                Ending::Shown => AccessOutcome::Rejected,
            };
            (outcome, person_id)
        }
        Outcome::Rejected { ending: None, person_id, .. } => (AccessOutcome::Rejected, person_id),
    };
    DecisionRecord {
        outcome: outcome.into(),
        person: person.clone().unwrap_or_default(),
        connection: connection.to_owned(),
        ..DecisionRecord::default()
    }
}

fn answer(outcome: Outcome) -> ApplyAnswer {
    let outcome = match outcome {
        Outcome::Applied { version, number, known_at_us, outranked, .. } => {
            apply_answer::Outcome::Applied(Applied {
                version,
                outranked_items: outranked,
                known_time: (version > 0).then(|| timestamp_us(known_at_us)),
                issued_number: number.map(|n| n.as_str().to_owned()).unwrap_or_default(),
            })
        }
        Outcome::Rejected { reasons, .. } => {
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
        Reason::PersonNotFound => RejectionReason::PersonNotFound,
        Reason::PersonDeceased => RejectionReason::PersonDeceased,
        Reason::NothingToCorrect => RejectionReason::NothingToCorrect,
        Reason::OtherSource => RejectionReason::OtherSource,
        Reason::NumbersSpent => RejectionReason::NumbersSpent,
        Reason::VersionChanged => RejectionReason::VersionChanged,
        Reason::NothingToAnnul => RejectionReason::NothingToAnnul,
    }
}
