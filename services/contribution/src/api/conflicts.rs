//! `ConflictService`: conflicts between sources, and whoever has to act.

use std::sync::Arc;

use contract::{
    contribution::v1::{
        Conflict, ConflictEvidence, ConflictRole, ConflictSide, GetConflictAnswer,
        GetConflictRequest, GetConflictResponse, HandOverConflictAnswer, HandOverConflictRequest,
        HandOverConflictResponse, ListConflictsAnswer, ListConflictsRequest, ListConflictsResponse,
    },
    register::v1::Assertion,
    r#type::v1::ErrorReason,
};
use disclosure::{
    Disclosed, Exact, Released, contribution::v1::conflict_service_server::ConflictService,
};
use model::{CodeLists, EventKind};
use server::error::refuse;
use tonic::{Request, Response, Status};
use wire::{
    Fault, Faults, basis,
    policy::{Act, Decision},
    record, timestamp_us,
};

use super::{Call, Shared, form::REQUEST_ID_MAX, outcomes::state, page};
use crate::{app::Sides, domain::conflict, store::outcome::Side};

const LIST: &str = "/lienthong.contribution.v1.ConflictService/ListConflicts";
const GET: &str = "/lienthong.contribution.v1.ConflictService/GetConflict";
const HAND_OVER: &str = "/lienthong.contribution.v1.ConflictService/HandOverConflict";
const PAGE_MAX: u16 = 100;
const PAGE_USUAL: u16 = 50;
/// The form of a page token: what another list gave is not taken for it.
const TOKEN: &str = "c1.";
/// Characters of what is written to the other side.
const MESSAGE_MAX: usize = 500;

/// The service.
pub(super) struct Conflicts(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl ConflictService for Conflicts {
    async fn list_conflicts(
        &self,
        request: Request<Exact<ListConflictsRequest>>,
    ) -> Result<Response<Released<ListConflictsResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, LIST)?;
        let call = Call::own(&self.0, LIST, caller, deadline, exact.asked());
        Ok(Response::new(call.list_conflicts(exact.message()).await?.into()))
    }

    async fn get_conflict(
        &self,
        request: Request<Exact<GetConflictRequest>>,
    ) -> Result<Response<Released<GetConflictResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, GET)?;
        let call = Call::own(&self.0, GET, caller, deadline, exact.asked());
        let call = call.on(exact.message().basis.as_ref());
        Ok(Response::new(call.get_conflict(exact.message()).await?.into()))
    }

    async fn hand_over_conflict(
        &self,
        request: Request<Exact<HandOverConflictRequest>>,
    ) -> Result<Response<Released<HandOverConflictResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, HAND_OVER)?;
        let call = Call::own(&self.0, HAND_OVER, caller, deadline, exact.asked());
        Ok(Response::new(call.hand_over(exact.message()).await?.into()))
    }
}

impl Call<'_> {
    async fn list_conflicts(
        &self,
        request: &ListConflictsRequest,
    ) -> Result<Disclosed<ListConflictsAnswer>, Status> {
        let mut faults = Faults::default();
        let owned = match ConflictRole::try_from(request.role) {
            Ok(ConflictRole::Owner) => true,
            Ok(ConflictRole::Side) => false,
            Ok(ConflictRole::Unspecified) => {
                faults.add("role", Fault::Missing);
                false
            }
            Err(_) => {
                faults.add("role", Fault::Malformed);
                false
            }
        };
        faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
        let most = page("page_size", request.page_size, PAGE_USUAL, PAGE_MAX, &mut faults);
        faults.finish()?;
        let decision = self.connected().await?;
        let Some(after) = place(&request.page_token) else {
            return Err(self.unknown_cursor(&decision).await);
        };
        let asker = asker(&decision);
        let found = self.shared.app.conflicts(self.deadline, asker, owned, after, most).await;
        let (found, next) = match found {
            Ok(found) => found,
            Err(reason) => return Err(self.no_outcome(&decision, reason).await),
        };
        let next = next.map(|(due, id)| format!("{TOKEN}{due}/{id}"));
        let answer = ListConflictsAnswer {
            conflicts: found.iter().map(|sides| written(sides, &decision)).collect(),
            next_page_token: next.unwrap_or_default(),
            request_id: request.request_id.clone(),
        };
        self.answer(&decision, None, &answer).await
    }

    async fn get_conflict(
        &self,
        request: &GetConflictRequest,
    ) -> Result<Disclosed<GetConflictAnswer>, Status> {
        let mut faults = Faults::default();
        faults.key("conflict_id", &request.conflict_id);
        basis::check_item("item", &request.item, &mut faults);
        faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
        let basis = basis::check(request.basis.as_ref(), &mut faults);
        faults.finish()?;
        let basis = basis.ok_or_else(|| refuse(ErrorReason::Internal))?;
        // Whoever may decide it may read it, and nobody else.
        let act = Act::Contribute(EventKind::ConflictDecision.name());
        let items = std::slice::from_ref(&request.item);
        let policy = &self.shared.clients.policy;
        let decided = policy.decide(self.deadline, &self.caller, act, basis, items).await;
        let decision = decided.map_err(|error| error.refusal(self.deadline))?;
        self.allowed(&decision).await?;
        let named = (request.conflict_id.as_str(), request.item.as_str());
        let found = self.shared.app.conflict(self.deadline, asker(&decision), named).await;
        let found = match found {
            Ok(found) => found,
            Err(reason) => return Err(self.no_outcome(&decision, reason).await),
        };
        let Some((sides, said)) = found else { return Err(self.unknown_conflict(&decision).await) };
        let (person, lists) = (sides.conflict.about.person_id.clone(), &self.shared.lists);
        let evidence = |said: Option<Assertion>, side: &Option<Side>| {
            said.map(|said| evidence(said, side.as_ref(), lists))
        };
        let answer = GetConflictAnswer {
            conflict: Some(written(&sides, &decision)),
            disagreeing: evidence(said.disagreeing, &sides.disagreeing),
            held: evidence(said.held, &sides.held),
            decision_id: decision.id.clone(),
            policy_revision: decision.revision.clone(),
            request_id: request.request_id.clone(),
        };
        self.answer(&decision, Some(&person), &answer).await
    }

    async fn hand_over(
        &self,
        request: &HandOverConflictRequest,
    ) -> Result<Disclosed<HandOverConflictAnswer>, Status> {
        let mut faults = Faults::default();
        faults.key("conflict_id", &request.conflict_id);
        faults.text("message", &request.message, MESSAGE_MAX);
        faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
        faults.finish()?;
        let decision = self.connected().await?;
        let (id, message) = (&request.conflict_id, &request.message);
        let moved = self.shared.app.hand_over(self.deadline, asker(&decision), id, message).await;
        match moved {
            Err(reason) => Err(self.no_outcome(&decision, reason).await),
            Ok(None) => Err(self.unknown_conflict(&decision).await),
            Ok(Some(sides)) => {
                let person = sides.conflict.about.person_id.clone();
                let answer = HandOverConflictAnswer {
                    conflict: Some(written(&sides, &decision)),
                    request_id: request.request_id.clone(),
                };
                self.answer(&decision, Some(&person), &answer).await
            }
        }
    }

    async fn unknown_conflict(&self, decision: &Decision) -> Status {
        let denial = record::own(ErrorReason::UnknownConflict, "own-conflict");
        self.refuse(decision, &denial, &[]).await
    }
}

fn asker(decision: &Decision) -> (&str, &str) {
    (&decision.connection, &decision.database)
}

/// The place that a page token says; the beginning where there is none.
fn place(token: &str) -> Option<(i64, String)> {
    if token.is_empty() {
        return Some((i64::MIN, String::new()));
    }
    let (due, id) = token.strip_prefix(TOKEN)?.split_once('/')?;
    let hex = |c: char| c.is_ascii_hexdigit();
    let good = id.len() == 32 && id.chars().all(hex);
    due.parse().ok().map(|due| (due, id.to_owned())).filter(|_| good)
}

fn written(sides: &Sides, decision: &Decision) -> Conflict {
    let Sides { conflict, disagreeing, held } = sides;
    let conflict::Conflict { about, .. } = conflict;
    let side = |database: &String, id: &String, contributed: &Option<Side>| ConflictSide {
        database: database.clone(),
        contribution_id: id.clone(),
        idempotency_key: contributed
            .as_ref()
            .filter(|side| side.connection == decision.connection)
            .map(|side| side.key.clone())
            .unwrap_or_default(),
        received_time: contributed.as_ref().map(|side| timestamp_us(side.received_at_us)),
    };
    Conflict {
        conflict_id: conflict.id.clone(),
        item: about.item.clone(),
        state: state(conflict.state).into(),
        owner: conflict.owner.clone(),
        due_time: conflict.state.is_open().then(|| timestamp_us(conflict.due_at_us)),
        opened_time: Some(timestamp_us(conflict.opened_at_us)),
        disagreeing: Some(side(&about.source, &about.contribution_id, disagreeing)),
        held: Some(side(&about.against_source, &about.against_contribution_id, held)),
        message: conflict.message.clone(),
    }
}

fn evidence(said: Assertion, contributed: Option<&Side>, lists: &CodeLists) -> ConflictEvidence {
    let documents = contributed.map(|side| side.application.evidence.as_slice());
    let document = |one: &wire::event::Evidence| one.write(lists);
    ConflictEvidence {
        value: said.value,
        valid_from: said.valid_from,
        evidence: documents.unwrap_or_default().iter().map(document).collect(),
    }
}
