//! `RouteService`: what officers of the operator call.

use std::sync::Arc;

use contract::{
    exchange::v1::{
        DeadLetter, ListDeadLettersRequest, ListDeadLettersResponse, ListRoutesRequest,
        ListRoutesResponse, Route, RouteRole, SettleDeadLetterRequest, SettleDeadLetterResponse,
        route_service_server::{RouteService, RouteServiceServer},
    },
    r#type::v1::ErrorReason,
};
use server::{Routes, context, error::refuse, runtime::Clock};
use tonic::{Request, Response, Status};
use wire::{Fault, Faults, timestamp_us};

pub(crate) use contract::exchange::v1::route_service_server::SERVICE_NAME as NAME;

use crate::{
    Error,
    app::Conditions,
    routes,
    store::{self, ExchangeStore, Letters},
};

const ID_MAX: usize = 300;
const PAGE_MAX: u16 = 1000;
const PAGE_USUAL: u16 = 100;

/// What it answers from.
pub(crate) struct Shared {
    pub(crate) store: ExchangeStore,
    /// Each route, and how it goes.
    pub(crate) routes: Vec<(routes::Route, Arc<Conditions>)>,
    pub(crate) clock: Clock,
}

/// Adds it.
pub(crate) fn add(routes: Routes, shared: Arc<Shared>) -> Routes {
    routes.add_service(RouteServiceServer::new(Api(shared)))
}

struct Api(Arc<Shared>);

#[tonic::async_trait]
impl RouteService for Api {
    async fn list_routes(
        &self,
        _request: Request<ListRoutesRequest>,
    ) -> Result<Response<ListRoutesResponse>, Status> {
        let mut routes = Vec::with_capacity(self.0.routes.len());
        for (route, conditions) in &self.0.routes {
            let progress = self.0.store.progress(&route.database).await;
            let progress = progress.map_err(|error| away(&error))?;
            let role = |(role, failures, reason): (&str, u32, &str)| RouteRole {
                role: role.to_owned(),
                failures,
                reason: reason.to_owned(),
            };
            let committed = Some(progress.committed_us).filter(|at| *at > 0);
            routes.push(Route {
                database: route.database.clone(),
                identity: route.identity.clone(),
                owner: route.owner.clone(),
                roles: conditions.all().into_iter().map(role).collect(),
                changes: progress.changes,
                last_commit_time: committed.map(timestamp_us),
                waiting_events: progress.waiting,
                open_dead_letters: progress.dead_letters,
            });
        }
        Ok(Response::new(ListRoutesResponse { routes }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let wanted = checked(request.into_inner())?;
        let most = usize::from(wanted.most);
        let found = self.0.store.dead_letters(wanted).await.map_err(|error| away(&error))?;
        let last = found.last().filter(|_| found.len() == most);
        let next_page_token = last.map(|last| format!("{}/{}", last.noted_us, last.id()));
        Ok(Response::new(ListDeadLettersResponse {
            next_page_token: next_page_token.unwrap_or_default(),
            dead_letters: found.into_iter().map(written).collect(),
        }))
    }

    async fn settle_dead_letter(
        &self,
        request: Request<SettleDeadLetterRequest>,
    ) -> Result<Response<SettleDeadLetterResponse>, Status> {
        let (caller, _) = context(&request)?;
        let id = request.into_inner().id;
        let mut faults = Faults::default();
        faults.text("id", &id, ID_MAX);
        faults.finish()?;
        let (by, now_us) = (caller.id().to_owned(), self.0.clock.now_us());
        let settled = self.0.store.settle_letter(id, by, now_us).await;
        let settled = settled.map_err(|error| away(&error))?;
        Ok(Response::new(SettleDeadLetterResponse { settled }))
    }
}

fn checked(request: ListDeadLettersRequest) -> Result<Letters, Status> {
    let ListDeadLettersRequest { database, with_settled, page_size, page_token } = request;
    let mut faults = Faults::default();
    let most = match page_size {
        0 => Some(PAGE_USUAL),
        size => u16::try_from(size).ok().filter(|size| *size <= PAGE_MAX),
    };
    if most.is_none() {
        faults.add("page_size", Fault::NotAllowed);
    }
    let after = match page_token.split_once('/') {
        None if page_token.is_empty() => None,
        Some((at, id)) if at.parse::<i64>().is_ok() => {
            at.parse().ok().map(|at| (at, id.to_owned()))
        }
        None | Some(_) => {
            faults.add("page_token", Fault::Malformed);
            None
        }
    };
    faults.finish()?;
    Ok(Letters { database, with_settled, after, most: most.unwrap_or(PAGE_USUAL) })
}

fn written(letter: store::DeadLetter) -> DeadLetter {
    let id = letter.id();
    let store::DeadLetter { database, owner, reason, about, noted_us, settled } = letter;
    let (settle_time, settled_by) =
        settled.map_or((None, String::new()), |(at, by)| (Some(timestamp_us(at)), by));
    let note_time = Some(timestamp_us(noted_us));
    DeadLetter { id, database, owner, reason, about, note_time, settle_time, settled_by }
}

fn away(error: &Error) -> Status {
    tracing::error!(%error, "the routes could not be read");
    refuse(ErrorReason::Overloaded)
}
