//! `AdmissionService`: officers, the use case, the gate. Every call is recorded before it is answered, a refused one as well.

mod lapse;
mod read;
mod words;
mod write;

use std::sync::Arc;

use contract::{
    audit::v1::DecisionRecord,
    policy::v1::{
        GetAdmissionAnswer, GetAdmissionRequest, GetAdmissionResponse, ListAdmissionsAnswer,
        ListAdmissionsRequest, ListAdmissionsResponse, ListReadinessAnswer, ListReadinessRequest,
        ListReadinessResponse, MoveConnectionAnswer, MoveConnectionRequest, MoveConnectionResponse,
        move_connection_request::Move as Wanted,
    },
    r#type::v1::ErrorReason,
};
use disclosure::{
    Answer, Disclosed, Exact, Released,
    policy::v1::admission_service_server::{AdmissionService, AdmissionServiceServer},
};
use server::{Routes, error::Precondition};
use tonic::{Request, Response, Status};
use wire::{Faults, policy::Denial, record};

pub(crate) use lapse::{Gauges, look};

pub(crate) use super::office::Shared;
use super::office::{Call, page};
use crate::{
    app::admission::Refused,
    domain::{
        admission::{Move, obstacle::Found},
        officers::Role,
    },
    store::{
        admission::{Asked, Entry},
        moves::Kept,
    },
};

const MOVE: &str = "/lienthong.policy.v1.AdmissionService/MoveConnection";
const GET: &str = "/lienthong.policy.v1.AdmissionService/GetAdmission";
const LIST: &str = "/lienthong.policy.v1.AdmissionService/ListAdmissions";
const READINESS: &str = "/lienthong.policy.v1.AdmissionService/ListReadiness";
/// A request of more bytes is refused before it is read.
const MESSAGE_MAX: usize = 256 << 10;
/// The form of a page token: what another list gave is not taken for it.
const TOKEN: &str = "a1.";
/// The ground of admitting at all.
const ADMITTING: &str = "Decision 1911/QD-TTg, Art. 1(1), 3(1)(b)";

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
        let (caller, deadline, exact) = disclosure::asked(request, MOVE)?;
        let call = Call {
            shared: &self.0,
            agreement: "",
            method: MOVE,
            caller,
            deadline,
            asked: exact.asked(),
        };
        Ok(Response::new(call.move_connection(exact.message()).await?.into()))
    }

    async fn get_admission(
        &self,
        request: Request<Exact<GetAdmissionRequest>>,
    ) -> Result<Response<Released<GetAdmissionResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, GET)?;
        let call = Call {
            shared: &self.0,
            agreement: "",
            method: GET,
            caller,
            deadline,
            asked: exact.asked(),
        };
        Ok(Response::new(call.get(exact.message()).await?.into()))
    }

    async fn list_admissions(
        &self,
        request: Request<Exact<ListAdmissionsRequest>>,
    ) -> Result<Response<Released<ListAdmissionsResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, LIST)?;
        let call = Call {
            shared: &self.0,
            agreement: "",
            method: LIST,
            caller,
            deadline,
            asked: exact.asked(),
        };
        Ok(Response::new(call.list(exact.message()).await?.into()))
    }

    async fn list_readiness(
        &self,
        request: Request<Exact<ListReadinessRequest>>,
    ) -> Result<Response<Released<ListReadinessResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, READINESS)?;
        let asked = exact.asked();
        let call =
            Call { shared: &self.0, agreement: "", method: READINESS, caller, deadline, asked };
        Ok(Response::new(call.readiness().await?.into()))
    }
}

impl Call<'_> {
    async fn move_connection(
        &self,
        request: &MoveConnectionRequest,
    ) -> Result<Disclosed<MoveConnectionAnswer>, Status> {
        let connection = request.connection.as_str();
        let mut faults = Faults::default();
        let admissions = &self.shared.admissions;
        let last = admissions.app.in_force.last();
        let mut read = read::request(request, &last.catalogue, admissions, &mut faults);
        // Who may do it is asked before whether it is asked well.
        let roles = read.as_ref().map_or(&Role::ALL[..], |(step, _)| step.roles());
        let role = self.authorised(roles, connection).await?;
        // Only an application names what a rule set has; everything else is moved whichever is in force.
        let mut rules = None;
        if let Some(Wanted::Apply(_)) = &request.r#move {
            let now = admissions.rules(self.deadline).await;
            let (number, profile) = now.map_err(|error| self.away(&error))?;
            (rules, faults) = (Some(number), Faults::default());
            read = read::request(request, &profile.catalogue, admissions, &mut faults);
        }
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
            digest: tlog::digest(self.asked.bytes()),
            request: self.asked.bytes().to_vec(),
            expected: request.expected_version,
            rules,
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
        let kept = match &entry.kept {
            Some(kept) => kept.clone(),
            None => self.recorded(&entry, &request.request_id).await?,
        };
        self.as_kept(kept)
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
        let (most, after) = page(request.page_size, &request.page_token, TOKEN, &mut faults);
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
        let precondition = |(what, subject): Found| {
            let (vi, en) = words::words(what);
            Precondition { reason: words::name(what).to_owned(), subject, vi, en }
        };
        let found = found.into_iter().map(precondition).collect();
        self.not_possible(&denial, connection, found).await
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
        let record = DecisionRecord { decision_id, ..self.administered(&entry.connection) };
        let receipt = self.record(&record, &answer).await?.to_bytes();
        let kept = Kept { answer: answer.bytes().to_vec(), receipt };
        admissions.keep(entry, kept).await.map_err(|error| self.away(&error))
    }
}
