//! `IdentityService`: what agencies call.

use std::sync::Arc;

use contract::{
    audit::v1::{AccessOutcome, Refusal},
    identity::v1::{GetPersonAnswer, GetPersonRequest, GetPersonResponse, LookupOutcome},
    r#type::v1::{self as types, AccessBasis, ErrorReason, item_outcome, subject_ref},
};
use disclosure::{
    Access, Answer, Disclosed, Exact, Released,
    identity::v1::identity_service_server::IdentityService,
};
use model::{CodeLists, OldNumber, PersonalNumber};
use server::{
    Caller, Deadline,
    accept::context,
    error::{refuse, refuse_with},
};
use tonic::{Request, Response, Status};
use wire::{
    Fault, Faults, basis,
    policy::{Act, Decision, Denial},
    record, timestamp, timestamp_us,
    value::{Reader, write, write_date},
};

use super::{Shared, undecided, unrecorded};
use crate::{
    app::{Looked, Lookup, NoAnswer},
    domain::lookup::{Claims, Ending, ItemOutcome, Subject},
};

const GET_PERSON: &str = "/lienthong.identity.v1.IdentityService/GetPerson";
/// MaYeuCau of the existing interface.
const REQUEST_ID_MAX: usize = 40;

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
        let call = Call { shared: &self.0, caller, deadline, bytes: exact.bytes() };
        call.get_person(exact.message()).await
    }
}

/// One call under way.
struct Call<'a> {
    shared: &'a Shared,
    caller: Caller,
    deadline: Deadline,
    bytes: &'a [u8],
}

impl Call<'_> {
    async fn get_person(
        &self,
        request: &GetPersonRequest,
    ) -> Result<Response<Released<GetPersonResponse>>, Status> {
        let (lookup, basis) = checked(request, &self.shared.lists)?;
        let decided = self.shared.clients.policy.decide(
            self.deadline,
            &self.caller,
            Act::Obtain,
            basis,
            &request.items,
        );
        let decision = decided.await.map_err(|error| undecided(&error))?;
        let table = match &decision.verdict {
            Ok(table) => table,
            Err(denial) => return Err(self.refuse(&decision, denial, &[]).await),
        };
        let looked = match self.shared.app.look_up(&lookup, &decision, table).await {
            Ok(looked) => looked,
            Err(reason) => return Err(self.no_answer(&decision, reason).await),
        };
        let answer = Answer::new(&answer(request, &decision, &looked, &self.shared.lists));
        let outcome = match looked.finding.ending {
            Ending::Shown => AccessOutcome::Answered,
            Ending::Absent => AccessOutcome::Absent,
            Ending::ClaimsDiffer => AccessOutcome::ClaimsDiffer,
            Ending::Hidden => AccessOutcome::Hidden,
        };
        let row = looked.finding.row.as_ref();
        let facts = looked.finding.facts.clone();
        let decided = record::answered(&decision, outcome, looked.person_id.as_deref(), facts, row);
        let (access, recorder) = (self.access(), &self.shared.clients.recorder);
        let receipt = recorder.record(self.deadline, &access, &decided, &answer);
        let receipt = receipt.await.map_err(|error| unrecorded(&error))?;
        let disclosed = Disclosed::new(answer, receipt).map_err(|error| unrecorded(&error))?;
        Ok(Response::new(disclosed.into()))
    }

    fn access(&self) -> Access<'_> {
        Access { method: GET_PERSON, caller: &self.caller, request: self.bytes }
    }

    /// A lookup that ended before there was an answer; what the policy or the budget refused is recorded.
    async fn no_answer(&self, decision: &Decision, reason: NoAnswer) -> Status {
        let denial =
            |reason, rule: &str| Denial { reason, rule: rule.to_owned(), article: String::new() };
        match reason {
            NoAnswer::ClaimsMissing => {
                let mut faults = Faults::default();
                faults.add("claims.full_name", Fault::Missing);
                faults.add("claims.date_of_birth", Fault::Missing);
                faults.finish().err().unwrap_or_else(|| refuse(ErrorReason::Internal))
            }
            NoAnswer::NothingAllowed => {
                let denial = denial(ErrorReason::NothingAllowed, "nothing-allowed");
                self.refuse(decision, &denial, &[]).await
            }
            NoAnswer::BudgetSpent { retry_after_seconds } => {
                let denial = denial(ErrorReason::GuessingBudgetSpent, "guessing-budget");
                let after = ("retry_after_seconds", retry_after_seconds.to_string());
                self.refuse(decision, &denial, &[after]).await
            }
            NoAnswer::Behind => refuse(ErrorReason::RegisterBehind),
            NoAnswer::Away => refuse(ErrorReason::RegisterUnavailable),
        }
    }

    /// Records a refusal, and gives the error with the record's index.
    async fn refuse(
        &self,
        decision: &Decision,
        denial: &Denial,
        more: &[(&str, String)],
    ) -> Status {
        let answer = Answer::<Refusal>::new(&record::refusal(denial));
        let decided = record::refused(decision, denial.reason);
        let recorder = &self.shared.clients.recorder;
        match recorder.record(self.deadline, &self.access(), &decided, &answer).await {
            Err(error) => unrecorded(&error),
            Ok(receipt) => {
                let mut metadata = vec![
                    ("record_index", receipt.index().to_string()),
                    ("rule", denial.rule.clone()),
                    ("article", denial.article.clone()),
                ];
                metadata.extend_from_slice(more);
                refuse_with(denial.reason, &metadata)
            }
        }
    }
}

/// The lookup in a request; every faulty field is named at once.
fn checked<'a>(
    request: &'a GetPersonRequest,
    lists: &CodeLists,
) -> Result<(Lookup, &'a AccessBasis), Status> {
    let mut faults = Faults::default();
    let subject = subject(request.subject.as_ref(), &mut faults);
    let claims = request.claims.as_ref().map(|claims| claims_of(claims, lists, &mut faults));
    basis::check_items(&request.items, &mut faults);
    let basis = basis::check(request.basis.as_ref(), &mut faults);
    faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
    faults.finish()?;
    match (subject, claims, basis) {
        (Some(subject), None, Some(basis)) => {
            Ok((Lookup { subject, claims: None, min_version: request.min_version }, basis))
        }
        (Some(subject), Some(Some(claims)), Some(basis)) => {
            let claims = Some(claims);
            Ok((Lookup { subject, claims, min_version: request.min_version }, basis))
        }
        // Whatever is not there was named above.
        _ => Err(refuse(ErrorReason::Internal)),
    }
}

fn subject(subject: Option<&types::SubjectRef>, faults: &mut Faults) -> Option<Subject> {
    let (field, read) = match subject.and_then(|subject| subject.subject.as_ref()) {
        None => {
            faults.add("subject", Fault::Missing);
            return None;
        }
        Some(subject_ref::Subject::PersonalNumber(text)) => {
            ("subject.personal_number", PersonalNumber::parse(text).ok().map(Subject::Personal))
        }
        Some(subject_ref::Subject::OldNumber(text)) => {
            ("subject.old_number", OldNumber::parse(text).ok().map(Subject::Old))
        }
    };
    if read.is_none() {
        faults.add(field, Fault::Malformed);
    }
    read
}

fn claims_of(claims: &types::Claims, lists: &CodeLists, faults: &mut Faults) -> Option<Claims> {
    let mut reader = Reader::new(lists, faults);
    let full_name = reader.name_text("claims.full_name", &claims.full_name);
    let date_of_birth = reader.date("claims.date_of_birth", claims.date_of_birth.as_ref());
    Some(Claims { full_name: full_name?, date_of_birth: date_of_birth? })
}

fn answer(
    request: &GetPersonRequest,
    decision: &Decision,
    looked: &Looked,
    lists: &CodeLists,
) -> GetPersonAnswer {
    let shown = looked.finding.ending == Ending::Shown;
    let outcome = if shown { LookupOutcome::Match } else { LookupOutcome::NoMatch };
    let items = looked.finding.items.iter();
    let etag = looked.person_id.as_ref().filter(|_| shown).map(|person| {
        // Opaque: changes with the record and tells nothing of it.
        hex::encode(tlog::digest(format!("{person}/{}", looked.version).as_bytes()))
    });
    GetPersonAnswer {
        outcome: outcome.into(),
        items: items.map(|(item, outcome)| item_outcome(item, outcome, lists)).collect(),
        version: if shown { looked.version } else { 0 },
        etag: etag.unwrap_or_default(),
        answer_time: Some(timestamp(looked.at)),
        valid_until: Some(timestamp(looked.valid_until)),
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request.request_id.clone(),
    }
}

fn item_outcome(item: &str, outcome: &ItemOutcome, lists: &CodeLists) -> types::ItemOutcome {
    let held = |values: &[model::HeldValue]| types::HeldValues {
        values: values.iter().map(|value| held_value(value, lists)).collect(),
    };
    let outcome = match outcome {
        ItemOutcome::Value(values) => item_outcome::Outcome::Value(held(values)),
        ItemOutcome::Partial(values) => item_outcome::Outcome::Partial(held(values)),
        ItemOutcome::NotHeld => item_outcome::Outcome::NotHeld(types::NotHeld {}),
        ItemOutcome::UnknownItem => item_outcome::Outcome::UnknownItem(types::UnknownItem {}),
        ItemOutcome::Withheld { rule, legal_basis, article } => {
            item_outcome::Outcome::Withheld(types::Withheld {
                rule: rule.clone(),
                legal_basis: legal_basis.clone(),
                article: article.clone(),
            })
        }
    };
    types::ItemOutcome { item: item.to_owned(), outcome: Some(outcome) }
}

fn held_value(held: &model::HeldValue, lists: &CodeLists) -> types::HeldValue {
    let origin = &held.provenance;
    types::HeldValue {
        value: Some(write(&held.value, lists)),
        provenance: Some(types::Provenance {
            source: origin.source.clone(),
            contribution_id: origin.contribution_id.clone(),
            valid_from: origin.valid_from.as_ref().map(write_date),
            known_time: Some(timestamp_us(origin.known_at_us)),
        }),
    }
}
