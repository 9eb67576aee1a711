//! `AdmissionService`: officers, the use case, the gate. Every call is recorded before it is answered, a refused one as well.

mod lapse;
mod read;
mod words;
mod write;

use std::sync::Arc;

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord, Refusal},
    policy::v1::{
        GetAdmissionAnswer, GetAdmissionRequest, GetAdmissionResponse, ListAdmissionsAnswer,
        ListAdmissionsRequest, ListAdmissionsResponse, ListReadinessAnswer, ListReadinessRequest,
        ListReadinessResponse, MoveConnectionAnswer, MoveConnectionRequest, MoveConnectionResponse,
    },
    r#type::v1::ErrorReason,
};
use disclosure::{
    Access, Answer, Disclosed, DurableReceipt, Exact, Recorder, Released,
    policy::v1::admission_service_server::{AdmissionService, AdmissionServiceServer},
};
use server::{
    Caller, Deadline, Routes,
    caller::Kind,
    context,
    error::{Precondition, refuse, refuse_with, unmet},
};
use tonic::{Request, Response, Status};
use wire::{Fault, Faults, policy::Denial, record};

pub(crate) use lapse::{Gauges, look};

use super::status;
use crate::{
    Error,
    app::admission::{Admissions, Refused},
    domain::{
        admission::{Move, obstacle::Found},
        officers::Role,
    },
    store::admission::{Asked, Entry, Kept},
};

const MOVE: &str = "/lienthong.policy.v1.AdmissionService/MoveConnection";
const GET: &str = "/lienthong.policy.v1.AdmissionService/GetAdmission";
const LIST: &str = "/lienthong.policy.v1.AdmissionService/ListAdmissions";
const READINESS: &str = "/lienthong.policy.v1.AdmissionService/ListReadiness";
/// A request of more bytes is refused before it is read.
const MESSAGE_MAX: usize = 256 << 10;
const PAGE_MAX: u16 = 500;
const PAGE_USUAL: u16 = 100;
/// The form of a page token: what another list gave is not taken for it.
const TOKEN: &str = "a1.";
/// The ground of admitting at all.
const ADMITTING: &str = "Decision 1911/QD-TTg, Art. 1(1), 3(1)(b)";

/// What the service stands on.
pub(crate) struct Shared {
    pub(crate) admissions: Arc<Admissions>,
    pub(crate) recorder: Recorder,
    /// The service itself, as its own moves name it.
    pub(crate) own: Caller,
    pub(crate) trust_domain: String,
}

/// Adds what officers of the operator call.
pub(crate) fn add(routes: Routes, shared: Arc<Shared>) -> Routes {
    let service = AdmissionServiceServer::new(Api(shared));
    routes.add_service(service.max_decoding_message_size(MESSAGE_MAX))
}

struct Api(Arc<Shared>);

#[tonic::async_trait]
impl AdmissionService for Api {
    async fn move_connection(
        &self,
        request: Request<Exact<MoveConnectionRequest>>,
    ) -> Result<Response<Released<MoveConnectionResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let call = Call { shared: &self.0, method: MOVE, caller, deadline, bytes: exact.bytes() };
        Ok(Response::new(call.move_connection(exact.message()).await?.into()))
    }

    async fn get_admission(
        &self,
        request: Request<Exact<GetAdmissionRequest>>,
    ) -> Result<Response<Released<GetAdmissionResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let call = Call { shared: &self.0, method: GET, caller, deadline, bytes: exact.bytes() };
        Ok(Response::new(call.get(exact.message()).await?.into()))
    }

    async fn list_admissions(
        &self,
        request: Request<Exact<ListAdmissionsRequest>>,
    ) -> Result<Response<Released<ListAdmissionsResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let call = Call { shared: &self.0, method: LIST, caller, deadline, bytes: exact.bytes() };
        Ok(Response::new(call.list(exact.message()).await?.into()))
    }

    async fn list_readiness(
        &self,
        request: Request<Exact<ListReadinessRequest>>,
    ) -> Result<Response<Released<ListReadinessResponse>>, Status> {
        let (caller, deadline) = context(&request)?;
        let exact = request.into_inner();
        let bytes = exact.bytes();
        let call = Call { shared: &self.0, method: READINESS, caller, deadline, bytes };
        Ok(Response::new(call.readiness().await?.into()))
    }
}

/// One call under way.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) method: &'static str,
    pub(super) caller: Caller,
    pub(super) deadline: Deadline,
    pub(super) bytes: &'a [u8],
}

impl Call<'_> {
    async fn move_connection(
        &self,
        request: &MoveConnectionRequest,
    ) -> Result<Disclosed<MoveConnectionAnswer>, Status> {
        let connection = request.connection.as_str();
        let mut faults = Faults::default();
        let admissions = &self.shared.admissions;
        let read = read::request(request, admissions, &mut faults);
        // Who may do it is asked before whether it is asked well.
        let roles = read.as_ref().map_or(&Role::ALL[..], |(step, _)| step.roles());
        let role = self.authorised(roles, connection).await?;
        let (step, document) = match (read, faults.is_empty()) {
            (Some(read), true) => read,
            (Some(_) | None, _) => return Err(self.faulty(faults, connection).await),
        };
        let made = Move {
            by: self.caller.id().to_owned(),
            role: Some(role),
            at_us: admissions.now_us(),
            document: Some(document),
            reason: request.reason.clone(),
            step,
        };
        let asked = Asked {
            connection: connection.to_owned(),
            request_id: request.request_id.clone(),
            digest: tlog::digest(self.bytes),
            request: self.bytes.to_vec(),
            expected: request.expected_version,
            made,
        };
        let digest = asked.digest;
        let entry = match admissions.advance(self.deadline, asked).await {
            Err(error) => return Err(self.away(&error)),
            Ok(Err(refused)) => return Err(self.not_made(refused, connection).await),
            Ok(Ok(entry)) => entry,
        };
        if entry.digest != digest || entry.made.by != self.caller.id() {
            let denial = record::own(ErrorReason::KeyReused, "one-request-one-move");
            let first = ("first_digest", hex::encode(entry.digest));
            return Err(self.refuse(&denial, connection, &[first]).await);
        }
        let (answer, receipt) = self.once(&entry, &request.request_id).await?;
        Disclosed::new(answer, receipt).map_err(|error| error.refusal(self.deadline))
    }

    async fn get(
        &self,
        request: &GetAdmissionRequest,
    ) -> Result<Disclosed<GetAdmissionAnswer>, Status> {
        self.authorised(&Role::ALL, &request.connection).await?;
        let mut faults = Faults::default();
        faults.key("connection", &request.connection);
        if !faults.is_empty() {
            return Err(self.faulty(faults, "").await);
        }
        let admissions = &self.shared.admissions;
        let found = admissions.get(self.deadline, &request.connection).await;
        let Some((view, moves)) = found.map_err(|error| self.away(&error))? else {
            return Err(self.not_made(Refused::Unknown, &request.connection).await);
        };
        let answer = GetAdmissionAnswer {
            admission: Some(write::admission(&view, &admissions.law)),
            moves: moves.iter().map(|entry| write::entry(entry, admissions)).collect(),
        };
        self.answer(&request.connection, &answer).await
    }

    async fn list(
        &self,
        request: &ListAdmissionsRequest,
    ) -> Result<Disclosed<ListAdmissionsAnswer>, Status> {
        self.authorised(&Role::ALL, "").await?;
        let mut faults = Faults::default();
        let most = match u16::try_from(request.page_size) {
            Ok(0) => PAGE_USUAL,
            Ok(size) if size <= PAGE_MAX => size,
            Ok(_) | Err(_) => {
                faults.add("page_size", Fault::TooMany(PAGE_MAX.into()));
                PAGE_USUAL
            }
        };
        let after = match request.page_token.strip_prefix(TOKEN) {
            _ if request.page_token.is_empty() => "",
            // The id of a connection.
            Some(after) if is_key(after) => after,
            Some(_) | None => {
                faults.add("page_token", Fault::Malformed);
                ""
            }
        };
        if !faults.is_empty() {
            return Err(self.faulty(faults, "").await);
        }
        let admissions = &self.shared.admissions;
        let found = admissions.list(self.deadline, after, most).await;
        let (views, more) = found.map_err(|error| self.away(&error))?;
        let last = views.last().filter(|_| more);
        let next = last.map(|last| format!("{TOKEN}{}", last.connection));
        let answer = ListAdmissionsAnswer {
            admissions: views.iter().map(|view| write::admission(view, &admissions.law)).collect(),
            next_page_token: next.unwrap_or_default(),
        };
        self.answer("", &answer).await
    }

    async fn readiness(&self) -> Result<Disclosed<ListReadinessAnswer>, Status> {
        self.authorised(&Role::ALL, "").await?;
        let admissions = &self.shared.admissions;
        let ready = admissions.readiness(self.deadline).await;
        let ready = ready.map_err(|error| self.away(&error))?;
        let databases = ready.iter().map(|ready| write::ready(ready, &admissions.law)).collect();
        self.answer("", &ListReadinessAnswer { databases }).await
    }

    /// The role of the caller that may do this.
    pub(super) async fn authorised(
        &self,
        roles: &[Role],
        connection: &str,
    ) -> Result<Role, Status> {
        let rule = match self.caller.kind() {
            Kind::Operator(id) => match self.shared.admissions.authorise(id, roles) {
                Ok(role) => return Ok(role),
                Err(why) => why.rule(),
            },
            // The table of methods lets nobody else come so far.
            Kind::System { .. } | Kind::Service(_) => "officer-unknown",
        };
        let named: Vec<_> = roles.iter().map(|role| role.name()).collect();
        let denial = record::own(ErrorReason::OfficerNotAuthorised, rule);
        Err(self.refuse(&denial, connection, &[("roles", named.join(","))]).await)
    }

    /// Records that fields were faulty, and names them.
    pub(super) async fn faulty(&self, faults: Faults, connection: &str) -> Status {
        let denial = record::own(ErrorReason::InvalidRequest, "faulty-fields");
        match self.refused(&denial, connection, Vec::new()).await {
            Err(status) => status,
            Ok(_) => faults.finish().err().unwrap_or_else(|| refuse(ErrorReason::Internal)),
        }
    }

    /// Records why a move was not made, and says so.
    async fn not_made(&self, refused: Refused, connection: &str) -> Status {
        let found = match refused {
            Refused::Unknown => {
                let denial = record::own(ErrorReason::UnknownConnection, "unknown-connection");
                return self.refuse(&denial, connection, &[]).await;
            }
            Refused::Changed(version) => {
                let denial = record::own(ErrorReason::ConnectionChanged, "expected-version");
                let version = ("version", version.to_string());
                return self.refuse(&denial, connection, &[version]).await;
            }
            Refused::Second => {
                let denial = Denial {
                    article: ADMITTING.to_owned(),
                    ..record::own(ErrorReason::SecondOfficerRequired, "two-officers")
                };
                return self.refuse(&denial, connection, &[]).await;
            }
            Refused::NotPossible(found) => found,
        };
        let denial = Denial {
            article: ADMITTING.to_owned(),
            ..record::own(ErrorReason::MoveNotPossible, "admission-conditions")
        };
        let name = |(what, subject): &Found| format!("{subject}:{}", words::name(*what));
        let named = found.iter().map(name).collect();
        match self.refused(&denial, connection, named).await {
            Err(status) => status,
            Ok(receipt) => {
                let precondition = |(what, subject): Found| {
                    let (vi, en) = words::words(what);
                    Precondition { reason: words::name(what).to_owned(), subject, vi, en }
                };
                let metadata = record::metadata(&denial, receipt.index(), &[]);
                unmet(denial.reason, found.into_iter().map(precondition).collect(), &metadata)
            }
        }
    }

    /// The answer to a move with its receipt: what was kept, or what is kept now. One answer, one receipt, however often the same
    /// bytes are sent.
    async fn once(
        &self,
        entry: &Entry,
        request_id: &str,
    ) -> Result<(Answer<MoveConnectionAnswer>, DurableReceipt), Status> {
        let kept = match &entry.kept {
            Some(kept) => kept.clone(),
            None => self.recorded(entry, request_id).await?,
        };
        let answer = Answer::kept(kept.answer);
        let receipt = self.shared.recorder.kept(&self.access(), &answer, &kept.receipt);
        Ok((answer, receipt.map_err(|error| error.refusal(self.deadline))?))
    }

    /// Records a move, and keeps what it is answered.
    async fn recorded(&self, entry: &Entry, request_id: &str) -> Result<Kept, Status> {
        let admissions = &self.shared.admissions;
        let view = admissions.made(self.deadline, entry).await;
        let view = view.map_err(|error| self.away(&error))?;
        let answer = Answer::new(&MoveConnectionAnswer {
            admission: Some(write::admission(&view, &admissions.law)),
            request_id: request_id.to_owned(),
        });
        let decision_id = format!("{}/{}", entry.connection, entry.version);
        let record = DecisionRecord { decision_id, ..administered(&entry.connection) };
        let receipt = self.record(&record, &answer).await?.to_bytes();
        let kept = Kept { answer: answer.bytes().to_vec(), receipt };
        admissions.keep(entry, kept).await.map_err(|error| self.away(&error))
    }

    /// An answer that changes nothing, once it is recorded.
    pub(super) async fn answer<T: prost::Message>(
        &self,
        connection: &str,
        answer: &T,
    ) -> Result<Disclosed<T>, Status> {
        let answer = Answer::new(answer);
        let receipt = self.record(&administered(connection), &answer).await?;
        Disclosed::new(answer, receipt).map_err(|error| error.refusal(self.deadline))
    }

    fn access(&self) -> Access<'_> {
        Access { method: self.method, caller: &self.caller, request: self.bytes }
    }

    async fn record<T: prost::Message>(
        &self,
        record: &DecisionRecord,
        answer: &Answer<T>,
    ) -> Result<DurableReceipt, Status> {
        let recorder = &self.shared.recorder;
        let recorded = recorder.record(self.deadline, &self.access(), record, answer).await;
        recorded.map_err(|error| error.refusal(self.deadline))
    }

    async fn refused(
        &self,
        denial: &Denial,
        connection: &str,
        rejections: Vec<String>,
    ) -> Result<DurableReceipt, Status> {
        let answer = Answer::<Refusal>::new(&record::refusal(denial, rejections));
        let record = DecisionRecord {
            outcome: AccessOutcome::Refused.into(),
            reason: denial.reason.into(),
            ..administered(connection)
        };
        self.record(&record, &answer).await
    }

    /// Records a refusal, and gives the error with the record's index.
    pub(super) async fn refuse(
        &self,
        denial: &Denial,
        connection: &str,
        more: &[(&str, String)],
    ) -> Status {
        match self.refused(denial, connection, Vec::new()).await {
            Err(status) => status,
            Ok(receipt) => {
                refuse_with(denial.reason, &record::metadata(denial, receipt.index(), more))
            }
        }
    }

    pub(super) fn away(&self, error: &Error) -> Status {
        if self.deadline.left().is_zero() {
            return refuse(ErrorReason::DeadlineExceeded);
        }
        status(error)
    }
}

/// What inspectors will read of a call about a connection. What a caller typed as its id may be anything, so only what can be one
/// is repeated.
fn administered(connection: &str) -> DecisionRecord {
    let connection = if is_key(connection) { connection.to_owned() } else { String::new() };
    DecisionRecord {
        outcome: AccessOutcome::Administered.into(),
        connection,
        ..DecisionRecord::default()
    }
}

/// Whether a text can be the id of a connection.
fn is_key(text: &str) -> bool {
    let mut faults = Faults::default();
    faults.key("", text);
    faults.is_empty()
}
