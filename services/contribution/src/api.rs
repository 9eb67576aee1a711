//! `ContributionService`: messages to domain types, the use case, the gate.

mod conflicts;
mod form;
mod outcomes;
mod quality;
mod stream;
mod words;

use std::{collections::BTreeSet, sync::Arc};

use contract::{
    audit::v1::{AccessOutcome, Refusal},
    contribution::v1::{
        ContributionReceipt, ContributionState, IngestRequest, IngestResponse, ListOutcomesRequest,
        ListOutcomesResponse, StreamContributionsResponse, SubmitContributionRequest,
        SubmitContributionResponse, WithdrawContributionRequest, WithdrawContributionResponse,
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use decide::{DecisionTable, Fact, ItemEffect, TableAnswer};
use disclosure::{
    Access, Answer, Asked, Disclosed, DurableReceipt, Exact, Released,
    contribution::v1::{
        conflict_service_server::ConflictServiceServer,
        contribution_service_server::{ContributionService, ContributionServiceServer},
        ingest_service_server::{IngestService, IngestServiceServer},
        quality_service_server::QualityServiceServer,
    },
    signature::{NotSigned, Presented},
    streaming::{Responses, Streams},
};
use form::Form;
use model::CodeLists;
use server::{
    Caller, Closing, Deadline, Routes,
    caller::Kind,
    context,
    error::{refuse, refuse_with},
};
use tonic::{Request, Response, Status, Streaming};
use wire::{
    Fault, Faults,
    policy::{Act, Decision, Denial},
    record, timestamp_us,
};
use words::rejected;

use crate::{
    app::{App, NoOutcome},
    client::Clients,
    domain::{Application, Outcome, Rejection},
    store::{Kept, Submission},
};

const SUBMIT: &str = "/lienthong.contribution.v1.ContributionService/SubmitContribution";
const INGEST: &str = "/lienthong.contribution.v1.IngestService/Ingest";
/// A request of more bytes is refused before it is read.
const MESSAGE_MAX: usize = 256 << 10;
/// The ground of a refusal that the register or the agreement gives (Art. 2(2)).
const PROVIDING: &str = "Decision 1911/QD-TTg, Art. 2(2)";

/// What the service stands on.
pub(crate) struct Shared {
    pub(crate) app: App,
    pub(crate) clients: Clients,
    pub(crate) lists: CodeLists,
    pub(crate) trust_domain: String,
    /// Who reads the figures of all sources.
    pub(crate) inspectors: BTreeSet<String>,
    pub(crate) streams: Streams,
}

impl Shared {
    pub(crate) fn new(
        app: App,
        clients: Clients,
        lists: CodeLists,
        trust_domain: String,
        inspectors: BTreeSet<String>,
    ) -> Self {
        let streams = Streams::new(stream::STREAMS_MAX);
        Self { app, clients, lists, trust_domain, inspectors, streams }
    }
}

/// Adds what agencies call.
pub(crate) fn add(routes: Routes, shared: Arc<Shared>) -> Routes {
    let service = ContributionServiceServer::new(Contribution(Arc::clone(&shared)));
    let routes = routes.add_service(service.max_decoding_message_size(MESSAGE_MAX));
    let conflicts = ConflictServiceServer::new(conflicts::Conflicts(Arc::clone(&shared)));
    let routes = routes.add_service(conflicts.max_decoding_message_size(MESSAGE_MAX));
    let quality = QualityServiceServer::new(quality::Quality(shared));
    routes.add_service(quality.max_decoding_message_size(MESSAGE_MAX))
}

/// Adds what our own services call.
pub(crate) fn add_internal(routes: Routes, shared: Arc<Shared>) -> Routes {
    let service = IngestServiceServer::new(Contribution(shared));
    routes.add_service(service.max_decoding_message_size(MESSAGE_MAX))
}

struct Contribution(Arc<Shared>);

/// What is released to whoever contributed.
type Submitted = Disclosed<ContributionReceipt>;

#[tonic::async_trait]
impl ContributionService for Contribution {
    async fn submit_contribution(
        &self,
        request: Request<Exact<SubmitContributionRequest>>,
    ) -> Result<Response<Released<SubmitContributionResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, SUBMIT)?;
        let call = Call::own(&self.0, SUBMIT, caller, deadline, exact.asked());
        let call = call.on(exact.message().basis.as_ref());
        Ok(Response::new(call.submit(exact.message()).await?.into()))
    }

    type StreamContributionsStream = Responses<StreamContributionsResponse>;

    async fn stream_contributions(
        &self,
        request: Request<Streaming<Exact<SubmitContributionRequest>>>,
    ) -> Result<Response<Self::StreamContributionsStream>, Status> {
        let (caller, deadline) = context(&request)?;
        let ends = (deadline, Closing::of(&request));
        let presented = Presented::on_stream(&request, SUBMIT);
        let (shared, messages) = (Arc::clone(&self.0), request.into_inner());
        Ok(Response::new(stream::start(shared, caller, ends, presented, messages)))
    }

    async fn withdraw_contribution(
        &self,
        request: Request<Exact<WithdrawContributionRequest>>,
    ) -> Result<Response<Released<WithdrawContributionResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, outcomes::WITHDRAW)?;
        let call = Call::own(&self.0, outcomes::WITHDRAW, caller, deadline, exact.asked());
        Ok(Response::new(call.withdraw(exact.message()).await?.into()))
    }

    async fn list_outcomes(
        &self,
        request: Request<Exact<ListOutcomesRequest>>,
    ) -> Result<Response<Released<ListOutcomesResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, outcomes::LIST)?;
        let call = Call::own(&self.0, outcomes::LIST, caller, deadline, exact.asked());
        Ok(Response::new(call.list_outcomes(exact.message()).await?.into()))
    }
}

#[tonic::async_trait]
impl IngestService for Contribution {
    async fn ingest(
        &self,
        request: Request<Exact<IngestRequest>>,
    ) -> Result<Response<Released<IngestResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, INGEST)?;
        let IngestRequest { source, contribution } = exact.message();
        let mut faults = Faults::default();
        let source = Caller::parse(source, &self.0.trust_domain).ok();
        let source = source.filter(|source| matches!(source.kind(), Kind::System { .. }));
        if source.is_none() {
            faults.add("source", Fault::Malformed);
        }
        if contribution.is_none() {
            faults.add("contribution", Fault::Missing);
        }
        faults.finish()?;
        let (Some(source), Some(contribution)) = (source, contribution) else {
            return Err(refuse(ErrorReason::Internal));
        };
        let call = Call::own(&self.0, INGEST, caller, deadline, exact.asked());
        let call = Call { source, ..call.on(contribution.basis.as_ref()) };
        Ok(Response::new(call.submit(contribution).await?.into()))
    }
}

/// One call under way.
struct Call<'a> {
    shared: &'a Shared,
    method: &'static str,
    /// Who called, as the record has it.
    caller: Caller,
    /// Whose contribution it is; the caller itself, unless it carries what it pulled.
    source: Caller,
    deadline: Deadline,
    /// What was asked, and what signs it.
    asked: Asked<'a>,
    /// The ground that the request names, where it names one.
    basis: Option<&'a AccessBasis>,
}

impl<'a> Call<'a> {
    /// A call about what the caller itself brought.
    fn own(
        shared: &'a Shared,
        method: &'static str,
        caller: Caller,
        deadline: Deadline,
        asked: Asked<'a>,
    ) -> Self {
        Self { shared, method, source: caller.clone(), caller, deadline, asked, basis: None }
    }

    /// On this ground, which its records name.
    fn on(self, basis: Option<&'a AccessBasis>) -> Self {
        Self { basis, ..self }
    }

    /// The caller's connection, if it may be used.
    async fn connected(&self) -> Result<Decision, Status> {
        let connected = self.shared.clients.policy.connection(self.deadline, &self.caller).await;
        let decision = connected.map_err(|error| error.refusal(self.deadline))?;
        self.table(&decision).await?;
        Ok(decision)
    }

    /// What is decided of items, where anything is and the request is signed as the agreement demands; else the refusal, once it is
    /// recorded. Whoever reads or stores anything has asked this first.
    async fn table<'d>(&self, decision: &'d Decision) -> Result<&'d DecisionTable, Status> {
        let table = match &decision.verdict {
            Ok(table) => table,
            Err(denial) => return Err(self.refuse(decision, denial, &[]).await),
        };
        let demanded = decision.demands_of(&self.caller);
        let Some(not_signed) = self.asked.presented().refusal(demanded) else { return Ok(table) };
        let NotSigned { reason, rule, article, more } = not_signed;
        let denial = Denial { article: article.to_owned(), ..record::own(reason, rule) };
        Err(self.refuse(decision, &denial, &more).await)
    }

    /// An answer about a person, or about nobody, once it is recorded.
    async fn answer<T: prost::Message>(
        &self,
        decision: &Decision,
        person: Option<&str>,
        answer: &T,
    ) -> Result<Disclosed<T>, Status> {
        let answer = Answer::new(answer);
        let outcome = AccessOutcome::Answered;
        let record = record::answered(decision, outcome, person, Vec::new(), None);
        let receipt = self.record(&record, &answer).await?;
        Disclosed::new(answer, receipt).map_err(|error| error.refusal(self.deadline))
    }

    /// The caller goes on from where it never was.
    async fn unknown_cursor(&self, decision: &Decision) -> Status {
        let denial = record::own(ErrorReason::UnknownCursor, "own-cursor");
        self.refuse(decision, &denial, &[]).await
    }

    async fn submit(&self, request: &SubmitContributionRequest) -> Result<Submitted, Status> {
        let form = form::read(request, &self.shared.lists, self.shared.app.clock.today())?;
        // Which database it comes from, policy knows; what the event says does not depend on it.
        let Form { event, mut application, basis, key } = form;
        let (items, act) = (application.items(), Act::Contribute(event.name()));
        let policy = &self.shared.clients.policy;
        let decided = policy.decide(self.deadline, &self.source, act, basis, &items).await;
        let decision = decided.map_err(|error| error.refusal(self.deadline))?;
        self.allowed(&decision).await?;
        application.source.clone_from(&decision.database);
        application.connection.clone_from(&decision.connection);
        let digest = tlog::digest(self.asked.bytes());
        let receipt = ContributionReceipt {
            idempotency_key: key.to_owned(),
            digest: digest.to_vec(),
            decision_id: decision.id.clone(),
            policy_revision: decision.revision.clone(),
            request_id: request.request_id.clone(),
            ..ContributionReceipt::default()
        };
        let found = if request.validate_only {
            self.check_only(&decision, digest, &application, receipt).await
        } else {
            self.apply(&decision, digest, application, receipt).await
        };
        match found {
            Ok(found) => found,
            Err(reason) => Err(self.no_outcome(&decision, reason).await),
        }
    }

    async fn apply(
        &self,
        decision: &Decision,
        digest: [u8; 32],
        application: Application,
        receipt: ContributionReceipt,
    ) -> Result<Result<Submitted, Status>, NoOutcome> {
        let (app, items) = (&self.shared.app, application.items());
        let key = &receipt.idempotency_key;
        let submission =
            app.receive(self.deadline, &decision.connection, key, digest, application).await?;
        match app.finish(self.deadline, &submission).await? {
            Outcome::Applied { version, number, known_at_us, outranked, .. } => {
                let answer = ContributionReceipt {
                    contribution_id: submission.contribution_id.clone(),
                    state: ContributionState::Applied.into(),
                    version,
                    personal_number: number,
                    received_time: Some(timestamp_us(submission.received_at_us)),
                    known_time: Some(timestamp_us(known_at_us)),
                    outranked_items: outranked,
                    ..receipt
                };
                let record = record::contributed(decision, AccessOutcome::Contributed, "", &items);
                let kept = self.once(&submission, &record, Answer::new(&answer)).await;
                Ok(kept.and_then(|(answer, receipt)| self.release(answer, receipt)))
            }
            Outcome::Rejected(reasons) => {
                let refusal = Answer::<Refusal>::new(&refusal_of(&reasons));
                let record = record::contributed(decision, AccessOutcome::Rejected, "", &items);
                let kept = self.once(&submission, &record, refusal).await;
                Ok(kept.and_then(|(_, receipt)| Err(rejected(reasons, &receipt))))
            }
        }
    }

    /// Checks everything and changes nothing but the log, which records the question too.
    async fn check_only(
        &self,
        decision: &Decision,
        digest: [u8; 32],
        application: &Application,
        receipt: ContributionReceipt,
    ) -> Result<Result<Submitted, Status>, NoOutcome> {
        let items = application.items();
        match self.shared.app.try_out(self.deadline, &digest, application).await? {
            Outcome::Applied { outranked, .. } => {
                let answer = Answer::new(&ContributionReceipt {
                    outranked_items: outranked,
                    state: ContributionState::Validated.into(),
                    received_time: Some(timestamp_us(self.shared.app.clock.now_us())),
                    ..receipt
                });
                let record = record::contributed(decision, AccessOutcome::Contributed, "", &items);
                let recorded = self.record(&record, &answer).await;
                Ok(recorded.and_then(|receipt| self.release(answer, receipt)))
            }
            Outcome::Rejected(reasons) => {
                let refusal = Answer::<Refusal>::new(&refusal_of(&reasons));
                let record = record::contributed(decision, AccessOutcome::Rejected, "", &items);
                let recorded = self.record(&record, &refusal).await;
                Ok(recorded.and_then(|receipt| Err(rejected(reasons, &receipt))))
            }
        }
    }

    /// A contribution without an outcome; what was refused is recorded.
    async fn no_outcome(&self, decision: &Decision, reason: NoOutcome) -> Status {
        match reason {
            NoOutcome::KeyReused(first) => {
                let denial = record::own(ErrorReason::KeyReused, "one-key-one-contribution");
                let first = ("first_digest", hex::encode(first));
                self.refuse(decision, &denial, &[first]).await
            }
            NoOutcome::BudgetSpent(after) => {
                let denial = record::own(ErrorReason::GuessingBudgetSpent, "guessing-budget");
                let after = ("retry_after_seconds", after.to_string());
                self.refuse(decision, &denial, &[after]).await
            }
            NoOutcome::Late => refuse(ErrorReason::DeadlineExceeded),
            NoOutcome::Away => refuse(ErrorReason::RegisterUnavailable),
            NoOutcome::AuditAway => refuse(ErrorReason::AuditUnavailable),
        }
    }

    /// A contribution must be allowed whole, whoever it is about: what may be contributed cannot depend on
    /// facts of a person whom the source may not know to be there (I7).
    async fn allowed(&self, decision: &Decision) -> Result<(), Status> {
        let table = self.table(decision).await?.read(|_| Fact::Unknown);
        let Some(denial) = first_refused(&table) else { return Ok(()) };
        let all = table.items.iter().filter(|item| item.effect != ItemEffect::Allowed);
        let named: Vec<&str> = all.map(|item| item.item.as_str()).collect();
        Err(self.refuse(decision, &denial, &[("items", named.join(","))]).await)
    }

    fn access(&self) -> Access<'_> {
        let Self { method, caller, asked, basis, .. } = self;
        Access { method, caller, asked: *asked, basis: *basis }
    }

    async fn record<T: prost::Message>(
        &self,
        record: &contract::audit::v1::DecisionRecord,
        answer: &Answer<T>,
    ) -> Result<DurableReceipt, Status> {
        let recorder = &self.shared.clients.recorder;
        let recorded = recorder.record(self.deadline, &self.access(), record, answer).await;
        recorded.map_err(|error| error.refusal(self.deadline))
    }

    /// The answer to this contribution with its receipt: what was kept, or what is kept now. One answer,
    /// one receipt, however often the same bytes are sent (I4).
    async fn once<T: prost::Message>(
        &self,
        submission: &Submission,
        record: &contract::audit::v1::DecisionRecord,
        answer: Answer<T>,
    ) -> Result<(Answer<T>, DurableReceipt), Status> {
        let kept = match &submission.kept {
            Some(kept) => kept.clone(),
            None => {
                let receipt = self.record(record, &answer).await?.to_bytes();
                let kept = Kept { answer: answer.bytes().to_vec(), receipt };
                let stored = self.shared.app.keep(&submission.contribution_id, kept).await;
                stored.map_err(|_| refuse(ErrorReason::RegisterUnavailable))?
            }
        };
        let answer = Answer::kept(kept.answer);
        let recorder = &self.shared.clients.recorder;
        let receipt = recorder.kept(&self.access(), &answer, &kept.receipt);
        Ok((answer, receipt.map_err(|error| error.refusal(self.deadline))?))
    }

    fn release(
        &self,
        answer: Answer<ContributionReceipt>,
        receipt: DurableReceipt,
    ) -> Result<Submitted, Status> {
        Disclosed::new(answer, receipt).map_err(|error| error.refusal(self.deadline))
    }

    /// Records a refusal, and gives the error with the record's index.
    async fn refuse(
        &self,
        decision: &Decision,
        denial: &Denial,
        more: &[(&str, String)],
    ) -> Status {
        self.refused(&record::refused(decision, denial.reason), denial, more).await
    }

    /// The same by a record that is made.
    async fn refused(
        &self,
        refused: &contract::audit::v1::DecisionRecord,
        denial: &Denial,
        more: &[(&str, String)],
    ) -> Status {
        let answer = Answer::<Refusal>::new(&record::refusal(denial, Vec::new()));
        match self.record(refused, &answer).await {
            Err(status) => status,
            Ok(receipt) => {
                let metadata = record::metadata(denial, receipt.index(), more);
                refuse_with(denial.reason, &metadata)
            }
        }
    }
}

/// How many are asked for: `usual` where nothing is said, at most `max`.
fn page(field: &str, asked: u32, usual: u16, max: u16, faults: &mut Faults) -> u16 {
    match u16::try_from(asked) {
        Ok(0) => usual,
        Ok(asked) if asked <= max => asked,
        Ok(_) | Err(_) => {
            faults.add(field, Fault::TooMany(usize::from(max)));
            usual
        }
    }
}

/// The first item that is not allowed, as a denial.
fn first_refused(table: &TableAnswer) -> Option<Denial> {
    let item = table.items.iter().find(|item| item.effect != ItemEffect::Allowed)?;
    Some(Denial {
        reason: ErrorReason::ItemNotAllowed,
        rule: item.rule.clone(),
        article: item.article.clone(),
    })
}

/// What stands in the record where the answer would: that the register rejected it, and why.
fn refusal_of(reasons: &[Rejection]) -> Refusal {
    let denial = Denial {
        reason: ErrorReason::ContributionRejected,
        rule: "register-checks".to_owned(),
        article: PROVIDING.to_owned(),
    };
    let one = |rejection: &Rejection| format!("{}:{}", rejection.item, rejection.reason);
    record::refusal(&denial, reasons.iter().map(one).collect())
}
