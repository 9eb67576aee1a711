//! `RegisterService`: what contribution calls.

mod dispute;

use std::{collections::BTreeSet, sync::Arc};

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord, ItemRecord},
    register::v1::{
        Annulled, Applied, ApplyAnswer, ApplyRequest, ApplyResponse, Assertion, Decided,
        FurtherPerson, GetDisagreementRequest, GetDisagreementResponse, KnownPerson,
        ListVisibleRequest, ListVisibleResponse, Rejected, Rejection, Says, SplitPerson,
        apply_answer, apply_request,
    },
    r#type::v1::{ErrorReason, RejectionReason},
};
use disclosure::{
    Access, Answer, Asked, Disclosed, Exact, Released,
    register::v1::register_service_server::RegisterService,
};
use model::{Claims, CodeLists, EventKind, Said, Saying, Subject, merge::is_link};
use server::{
    context,
    error::{refuse, refuse_with},
};
use tonic::{Request, Response, Status};
use wire::{Fault, Faults, disagreement, subject, timestamp_us, value::Reader};

use super::Shared;
use crate::{
    app::NotApplied,
    domain::{
        apply::{self, Application, Disputes, Further, Outcome, Reason, Target},
        lookup::Ending,
    },
};

const APPLY: &str = "/lienthong.register.v1.RegisterService/Apply";
const ID_MAX: usize = 64;
const ENTRY_MAX: usize = 1024;
const ASSERTIONS_MAX: usize = 64;
const FURTHER_MAX: usize = 40;

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
        let items: BTreeSet<String> =
            application.said.iter().map(|said| said.item.clone()).collect();
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
        let connection = &exact.message().connection;
        let items = items.into_iter().map(|item| ItemRecord { item, ..ItemRecord::default() });
        let decision = DecisionRecord { items: items.collect(), ..record(&outcome, connection) };
        let others = records_of_others(&outcome, connection);
        let answer = Answer::new(&answer(outcome));
        let asked = Asked::by_service(exact.bytes());
        let access = Access { method: APPLY, caller: &caller, asked, basis: None };
        let recorder = &self.0.clients.recorder;
        // The record stands before the number leaves the register: one of each person.
        for other in &others {
            let recorded = recorder.record(deadline, &access, other, &answer).await;
            recorded.map_err(|error| error.refusal(deadline))?;
        }
        let recorded = recorder.record(deadline, &access, &decision, &answer).await;
        let receipt = recorded.map_err(|error| error.refusal(deadline))?;
        let disclosed = Disclosed::new(answer, receipt).map_err(|error| error.refusal(deadline))?;
        Ok(Response::new(disclosed.into()))
    }

    async fn get_disagreement(
        &self,
        request: Request<Exact<GetDisagreementRequest>>,
    ) -> Result<Response<Released<GetDisagreementResponse>>, Status> {
        dispute::get_disagreement(&self.0, request).await
    }

    async fn list_visible(
        &self,
        request: Request<Exact<ListVisibleRequest>>,
    ) -> Result<Response<Released<ListVisibleResponse>>, Status> {
        dispute::list_visible(&self.0, request).await
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
    let event = EventKind::of(&request.event);
    if event.is_none() && !request.event.is_empty() {
        faults.add("event", Fault::UnknownCode);
    }
    let target = target(request.subject.as_ref(), lists, &mut faults);
    match (says_nothing(request), request.assertions.is_empty()) {
        (false, true) => faults.add("assertions", Fault::Missing),
        (true, false) => faults.add("assertions", Fault::NotAllowed),
        (true, true) | (false, false) => {}
    }
    let said = said("", &request.assertions, lists, &mut faults);
    let further = further(request, lists, &mut faults);
    faults.finish()?;
    let (Some(digest), Some((target, entry))) = (digest, target) else {
        return Err(refuse(ErrorReason::Internal));
    };
    Ok(Application {
        contribution_id: request.contribution_id.clone(),
        digest,
        source: request.source.clone(),
        connection: request.connection.clone(),
        event,
        target,
        entry,
        said,
        further,
        expected_version: request.expected_version,
        dry_run: request.dry_run,
    })
}

/// Whether it is about earlier contributions or whole records, so that it asserts nothing of items.
fn says_nothing(request: &ApplyRequest) -> bool {
    match &request.subject {
        Some(
            apply_request::Subject::Annulled(_)
            | apply_request::Subject::Decided(_)
            | apply_request::Subject::Withdrawn(_)
            | apply_request::Subject::MergedPerson(_)
            | apply_request::Subject::SplitPerson(_),
        ) => true,
        Some(
            apply_request::Subject::NewPerson(_)
            | apply_request::Subject::KnownPerson(_)
            | apply_request::Subject::AffectedPerson(_),
        )
        | None => false,
    }
}

/// What is asserted of one person, whose path is `person`.
fn said(
    person: &str,
    assertions: &[Assertion],
    lists: &CodeLists,
    faults: &mut Faults,
) -> Vec<Said> {
    if assertions.len() > ASSERTIONS_MAX {
        faults.add(format!("{person}assertions"), Fault::TooMany(ASSERTIONS_MAX));
    }
    let mut said = Vec::with_capacity(assertions.len());
    for (place, assertion) in assertions.iter().take(ASSERTIONS_MAX).enumerate() {
        let field = |name: &str| format!("{person}assertions[{place}].{name}");
        faults.text(&field("item"), &assertion.item, ID_MAX);
        // Which records are one is no value that a source says.
        if is_link(&assertion.item) {
            faults.add(field("item"), Fault::NotAllowed);
        }
        let says = match Says::try_from(assertion.says) {
            Ok(Says::Unspecified | Says::Holds) => Saying::Holds,
            Ok(Says::Ends) => Saying::Ends,
            Ok(Says::EndsIfHeld) => Saying::EndsIfHeld,
            Err(_) => {
                faults.add(field("says"), Fault::Malformed);
                continue;
            }
        };
        let mut reader = Reader::new(lists, faults);
        let valid_from =
            assertion.valid_from.as_ref().and_then(|d| reader.date(&field("valid_from"), Some(d)));
        let value = match (&assertion.value, says) {
            (None, Saying::Ends | Saying::EndsIfHeld) => None,
            (value, _) => reader.value(&field("value"), value.as_ref()),
        };
        said.push(Said { item: assertion.item.clone(), value, valid_from, says });
    }
    said
}

/// The further persons, of whom there are none but beside an affected person.
fn further(request: &ApplyRequest, lists: &CodeLists, faults: &mut Faults) -> Vec<Further> {
    let persons = &request.further_persons;
    let affected = matches!(request.subject, Some(apply_request::Subject::AffectedPerson(_)));
    let merged = matches!(request.subject, Some(apply_request::Subject::MergedPerson(_)));
    if !affected && !merged && !persons.is_empty() {
        faults.add("further_persons", Fault::NotAllowed);
    }
    // A record is merged into one other.
    if merged && persons.is_empty() {
        faults.add("further_persons", Fault::Missing);
    } else if merged && persons.len() > 1 {
        faults.add("further_persons", Fault::TooMany(1));
    }
    if persons.len() > FURTHER_MAX {
        faults.add("further_persons", Fault::TooMany(FURTHER_MAX));
    }
    let mut further = Vec::new();
    for (place, FurtherPerson { person, assertions }) in
        persons.iter().take(FURTHER_MAX).enumerate()
    {
        let path = format!("further_persons[{place}].");
        if assertions.is_empty() != merged {
            let fault = if merged { Fault::NotAllowed } else { Fault::Missing };
            faults.add(format!("{path}assertions"), fault);
        }
        let said = said(&path, assertions, lists, faults);
        let Some(person) = person else {
            faults.add(format!("{path}person"), Fault::Missing);
            continue;
        };
        if person.corrects || !person.source_entry.is_empty() {
            faults.add(format!("{path}person"), Fault::NotAllowed);
        }
        if let Some((subject, claims)) =
            known_person(&format!("{path}person"), person, lists, faults)
        {
            further.push(Further { subject, claims, said });
        }
    }
    further
}

fn known_person(
    field: &str,
    person: &KnownPerson,
    lists: &CodeLists,
    faults: &mut Faults,
) -> Option<(Subject, Claims)> {
    let named = subject::read(&format!("{field}.subject"), person.subject.as_ref(), faults);
    let field = format!("{field}.claims");
    let claims = match &person.claims {
        None => {
            subject::claims_missing(&field, faults);
            None
        }
        Some(claims) => subject::read_claims(&field, claims, lists, faults),
    };
    Some((named?, claims?))
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
        Some(apply_request::Subject::Withdrawn(_)) => Some((Target::Withdrawn, String::new())),
        Some(apply_request::Subject::Decided(decided)) => {
            let Decided { item, contribution_id, against_contribution_id, accepted, person } =
                decided;
            faults.text("decided.item", item, ID_MAX);
            if !contribution_id.is_empty() {
                faults.text("decided.contribution_id", contribution_id, ID_MAX);
                faults.text("decided.against_contribution_id", against_contribution_id, ID_MAX);
                faults.text("decided.person", person, ID_MAX);
            }
            let target = Target::Decided(apply::Decided {
                item: item.clone(),
                contribution_id: contribution_id.clone(),
                against: against_contribution_id.clone(),
                accepted: *accepted,
                person_id: person.clone(),
            });
            Some((target, String::new()))
        }
        Some(apply_request::Subject::AffectedPerson(person)) => {
            if person.corrects {
                faults.add("affected_person.corrects", Fault::NotAllowed);
            }
            let (subject, claims) = known_person("affected_person", person, lists, faults)?;
            let target = Target::Known { subject, claims, corrects: false };
            Some((target, person.source_entry.clone()))
        }
        Some(apply_request::Subject::MergedPerson(person)) => {
            if person.corrects {
                faults.add("merged_person.corrects", Fault::NotAllowed);
            }
            let (subject, claims) = known_person("merged_person", person, lists, faults)?;
            Some((Target::Merged { subject, claims }, person.source_entry.clone()))
        }
        Some(apply_request::Subject::SplitPerson(SplitPerson { person, restored_subject })) => {
            let field = "split_person.restored_subject";
            let restored = subject::read(field, restored_subject.as_ref(), faults);
            let Some(person) = person else {
                faults.add("split_person.person", Fault::Missing);
                return None;
            };
            if person.corrects {
                faults.add("split_person.person.corrects", Fault::NotAllowed);
            }
            let (subject, claims) = known_person("split_person.person", person, lists, faults)?;
            let target = Target::Split { subject, claims, restored: restored? };
            Some((target, person.source_entry.clone()))
        }
        Some(apply_request::Subject::KnownPerson(person)) => {
            let known = known_person("known_person", person, lists, faults);
            let ((subject, claims), corrects) = (known?, person.corrects);
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

/// The same of whom else it was about.
fn records_of_others(outcome: &Outcome, connection: &str) -> Vec<DecisionRecord> {
    let Outcome::Applied { further, .. } = outcome else { return Vec::new() };
    let one = |person: &String| DecisionRecord {
        outcome: AccessOutcome::Contributed.into(),
        person: person.clone(),
        connection: connection.to_owned(),
        ..DecisionRecord::default()
    };
    further.iter().map(one).collect()
}

fn answer(outcome: Outcome) -> ApplyAnswer {
    let outcome = match outcome {
        Outcome::Applied { version, number, known_at_us, outranked, disputes, .. } => {
            let Disputes { opened, settled } = disputes;
            apply_answer::Outcome::Applied(Applied {
                version,
                outranked_items: outranked,
                disagreements: opened.iter().map(disagreement::write).collect(),
                settled_disagreements: settled.iter().map(disagreement::write).collect(),
                known_time: (version > 0).then(|| timestamp_us(known_at_us)),
                issued_number: number.map(|n| n.as_str().to_owned()).unwrap_or_default(),
            })
        }
        Outcome::Rejected { reasons, .. } => {
            let reasons = reasons.into_iter().map(|rejection| Rejection {
                item: rejection.item,
                reason: reason(rejection.reason).into(),
                person: rejection.person,
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
        Reason::NothingToEnd => RejectionReason::NothingToEnd,
        Reason::CannotEnd => RejectionReason::CannotEnd,
        Reason::ParentNotOlder => RejectionReason::ParentNotOlder,
        Reason::AlreadyMarried => RejectionReason::AlreadyMarried,
        Reason::PersonRepeated => RejectionReason::PersonRepeated,
        Reason::NothingToDecide => RejectionReason::NothingToDecide,
        Reason::Withdrawn => RejectionReason::Withdrawn,
        Reason::AlreadyMerged => RejectionReason::AlreadyMerged,
        Reason::NotMerged => RejectionReason::NotMerged,
        Reason::PersonsRelated => RejectionReason::PersonsRelated,
    }
}
