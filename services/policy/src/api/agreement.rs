//! `AgreementService`: officers, the use case, the gate. Every call is recorded before it is answered, a refused one as well.

mod read;
mod write;

use std::{sync::Arc, time::Duration};

use contract::{
    audit::v1::DecisionRecord,
    policy::v1::{
        GetAgreementAnswer, GetAgreementRequest, GetAgreementResponse, ListAgreementsAnswer,
        ListAgreementsRequest, ListAgreementsResponse, MoveAgreementAnswer, MoveAgreementRequest,
        MoveAgreementResponse, move_agreement_request::Move,
    },
    r#type::v1::ErrorReason,
};
use disclosure::{
    Answer, Disclosed, Exact, Released,
    policy::v1::agreement_service_server::{AgreementService, AgreementServiceServer},
};
use prost::Message as _;
use server::{Caller, Deadline, Routes, error::Precondition};
use tonic::{Request, Response, Status};
use wire::{Faults, policy::Denial, record};

use super::office::{Call, Shared, page};
use crate::{
    Error,
    app::agreement::{Refused, Request as Asked},
    domain::{agreement::obstacle::Found, officers::Role},
    store::{agreement::Entry, moves::Kept},
};

const MOVE: &str = "/lienthong.policy.v1.AgreementService/MoveAgreement";
const GET: &str = "/lienthong.policy.v1.AgreementService/GetAgreement";
const LIST: &str = "/lienthong.policy.v1.AgreementService/ListAgreements";
/// A request of more bytes is refused before it is read.
const MESSAGE_MAX: usize = 256 << 10;
/// The form of a page token: what another list gave is not taken for it.
const TOKEN: &str = "g1.";
/// The ground of agreeing on a plan.
const AGREEING: &str = "Decision 1911/QD-TTg, Art. 3(4)(b)";
/// How long the record of one move may take that nobody waits for.
const RECORD_MAX: Duration = Duration::from_secs(10);

/// Adds what officers of the operator call.
pub(crate) fn add(routes: Routes, shared: Arc<Shared>) -> Routes {
    let service = AgreementServiceServer::new(Api(shared));
    routes.add_service(service.max_decoding_message_size(MESSAGE_MAX))
}

struct Api(Arc<Shared>);

#[tonic::async_trait]
impl AgreementService for Api {
    async fn move_agreement(
        &self,
        request: Request<Exact<MoveAgreementRequest>>,
    ) -> Result<Response<Released<MoveAgreementResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, MOVE)?;
        let (asked, agreement) = (exact.asked(), exact.message().agreement.as_str());
        let call = Call { shared: &self.0, agreement, method: MOVE, caller, deadline, asked };
        Ok(Response::new(call.move_agreement(exact.message()).await?.into()))
    }

    async fn get_agreement(
        &self,
        request: Request<Exact<GetAgreementRequest>>,
    ) -> Result<Response<Released<GetAgreementResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, GET)?;
        let (asked, agreement) = (exact.asked(), exact.message().agreement.as_str());
        let call = Call { shared: &self.0, agreement, method: GET, caller, deadline, asked };
        Ok(Response::new(call.get_agreement(exact.message()).await?.into()))
    }

    async fn list_agreements(
        &self,
        request: Request<Exact<ListAgreementsRequest>>,
    ) -> Result<Response<Released<ListAgreementsResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, LIST)?;
        let call = Call {
            shared: &self.0,
            agreement: "",
            method: LIST,
            caller,
            deadline,
            asked: exact.asked(),
        };
        Ok(Response::new(call.list_agreements(exact.message()).await?.into()))
    }
}

impl Call<'_> {
    async fn move_agreement(
        &self,
        request: &MoveAgreementRequest,
    ) -> Result<Disclosed<MoveAgreementAnswer>, Status> {
        self.authorised(&[Role::Registrar], "").await?;
        // What a proposal may name is what the rule set in force has; what is signed of it stands on no rule set.
        let (mut rules, mut profile) = (None, None);
        if let Some(Move::Propose(_)) = &request.r#move {
            let now = self.shared.admissions.rules(self.deadline).await;
            let (number, found) = now.map_err(|error| self.away(&error))?;
            (rules, profile) = (Some(number), Some(found));
        }
        let mut faults = Faults::default();
        let catalogue = profile.as_ref().map(|profile| &profile.catalogue);
        let wanted = read::request(request, catalogue, &mut faults);
        let (Some(wanted), true) = (wanted, faults.is_empty()) else {
            return Err(self.faulty(faults, "").await);
        };
        let asked = Asked {
            agreement: request.agreement.clone(),
            request_id: request.request_id.clone(),
            bytes: self.asked.bytes().to_vec(),
            by: self.caller.id().to_owned(),
            rules,
            wanted,
        };
        let entry = match self.shared.agreements.advance(self.deadline, asked).await {
            Err(error) => return Err(self.away(&error)),
            Ok(Err(refused)) => return Err(self.agreement_refused(refused).await),
            Ok(Ok(entry)) => entry,
        };
        if entry.digest != tlog::digest(self.asked.bytes()) || entry.made.by != self.caller.id() {
            let denial = record::own(ErrorReason::KeyReused, "one-request-one-move");
            let first = ("first_digest", hex::encode(entry.digest));
            return Err(self.refuse(&denial, "", &[first]).await);
        }
        let kept = match &entry.kept {
            Some(kept) => kept.clone(),
            None => self.agreement_recorded(&entry, &request.request_id).await?,
        };
        self.as_kept(kept)
    }

    async fn get_agreement(
        &self,
        request: &GetAgreementRequest,
    ) -> Result<Disclosed<GetAgreementAnswer>, Status> {
        self.authorised(&Role::ALL, "").await?;
        let mut faults = Faults::default();
        faults.key("agreement", &request.agreement);
        if !faults.is_empty() {
            return Err(self.faulty(faults, "").await);
        }
        let found = self.shared.agreements.get(self.deadline, &request.agreement).await;
        let Some((view, content, moves)) = found.map_err(|error| self.away(&error))? else {
            return Err(self.agreement_refused(Refused::Unknown).await);
        };
        let answer = GetAgreementAnswer {
            agreement: Some(write::agreement(&view)),
            content,
            moves: moves.iter().map(write::entry).collect(),
        };
        self.answer(&view.agreement.content.connection, &answer).await
    }

    async fn list_agreements(
        &self,
        request: &ListAgreementsRequest,
    ) -> Result<Disclosed<ListAgreementsAnswer>, Status> {
        self.authorised(&Role::ALL, "").await?;
        let mut faults = Faults::default();
        let (most, after) = page(request.page_size, &request.page_token, TOKEN, &mut faults);
        if !faults.is_empty() {
            return Err(self.faulty(faults, "").await);
        }
        let found = self.shared.agreements.list(self.deadline, after, most).await;
        let (views, more) = found.map_err(|error| self.away(&error))?;
        let last = views.last().filter(|_| more);
        let next = last.map(|last| format!("{TOKEN}{}", last.agreement.content.id));
        let answer = ListAgreementsAnswer {
            agreements: views.iter().map(write::agreement).collect(),
            next_page_token: next.unwrap_or_default(),
        };
        self.answer("", &answer).await
    }

    /// Records why a move was not made, and says so.
    async fn agreement_refused(&self, refused: Refused) -> Status {
        let found = match refused {
            Refused::Unknown => {
                let denial = record::own(ErrorReason::UnknownAgreement, "unknown-agreement");
                return self.refuse(&denial, "", &[]).await;
            }
            Refused::NotPossible(found) => found,
        };
        let denial = Denial {
            article: AGREEING.to_owned(),
            ..record::own(ErrorReason::AgreementNotPossible, "agreement-conditions")
        };
        let precondition = |(what, subject): Found| {
            let (vi, en) = write::words(what);
            Precondition { reason: write::name(what).to_owned(), subject, vi, en }
        };
        self.not_possible(&denial, "", found.into_iter().map(precondition).collect()).await
    }

    /// Records a move, and keeps what it is answered.
    async fn agreement_recorded(&self, entry: &Entry, request_id: &str) -> Result<Kept, Status> {
        let agreements = &self.shared.agreements;
        let view = agreements.made(self.deadline, entry).await;
        let view = view.map_err(|error| self.away(&error))?;
        let answer = Answer::new(&MoveAgreementAnswer {
            agreement: Some(write::agreement(&view)),
            request_id: request_id.to_owned(),
        });
        let decision_id = format!("{}/{}", entry.agreement, entry.version);
        let connection = &view.agreement.content.connection;
        let record = DecisionRecord { decision_id, ..self.administered(connection) };
        let receipt = self.record(&record, &answer).await?.to_bytes();
        let kept = Kept { answer: answer.bytes().to_vec(), receipt };
        agreements.keep(entry, kept).await.map_err(|error| self.away(&error))
    }
}

/// Makes the records that a process left unmade `older_us` ago or longer.
pub(super) async fn record_unmade(shared: &Shared, older_us: i64) -> Result<(), Error> {
    for entry in shared.agreements.unrecorded(older_us).await? {
        let Ok(caller) = Caller::parse(&entry.made.by, &shared.trust_domain) else {
            tracing::error!(agreement = entry.agreement, "a move of nobody");
            continue;
        };
        let asked = MoveAgreementRequest::decode(&entry.request[..]).unwrap_or_default();
        let deadline = Deadline::after(RECORD_MAX);
        let call = Call {
            shared,
            agreement: &entry.agreement,
            method: MOVE,
            caller,
            deadline,
            asked: disclosure::Asked::by_service(&entry.request),
        };
        if call.agreement_recorded(&entry, &asked.request_id).await.is_err() {
            tracing::error!(agreement = entry.agreement, "a move is not known to be recorded yet");
        }
    }
    Ok(())
}
