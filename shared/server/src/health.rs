//! `grpc.health.v1`: readiness of the process (`""`) and of each service that is served, and `liveness` apart from
//! it. A database or a peer that is away, or a drain, is told as NOT_SERVING; nothing is refused for it, because
//! calls say for themselves what they miss (I9).

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

use contract::r#type::v1::ErrorReason;
use futures::{Stream, stream};
use opentelemetry::KeyValue;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::{channel::Channel, error::refuse, telemetry::metrics::metrics};

/// The protocol, made by `shared/contract/tests/generate.rs`.
#[allow(
    missing_docs,
    unreachable_pub,
    rustdoc::all,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    reason = "generated code"
)]
pub mod pb {
    include!("gen/grpc.health.v1.rs");
}

use pb::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
    health_check_response::ServingStatus, health_client::HealthClient, health_server,
};

/// The name that is SERVING for as long as the process runs.
pub const LIVENESS: &str = "liveness";
/// Whoever does not say within this time that it serves, does not.
const CHECK_MAX: Duration = Duration::from_secs(5);
/// A question holds nothing but a name.
const MESSAGE_MAX: usize = 1 << 10;

/// The health of a process. Clones share it.
#[derive(Clone)]
pub struct Health {
    states: Arc<watch::Sender<State>>,
    every: Duration,
}

#[derive(Default)]
struct State {
    services: BTreeMap<&'static str, bool>,
    draining: bool,
    ended: bool,
}

impl State {
    fn of(&self, name: &str) -> ServingStatus {
        let ready = match name {
            LIVENESS => return ServingStatus::Serving,
            "" => self.services.values().all(|ready| *ready),
            name => match self.services.get(name) {
                Some(ready) => *ready,
                None => return ServingStatus::ServiceUnknown,
            },
        };
        let serving = ready && !self.draining;
        if serving { ServingStatus::Serving } else { ServingStatus::NotServing }
    }
}

impl Health {
    pub(crate) fn new(every: Duration) -> Self {
        Self { states: Arc::default(), every }
    }

    /// Services that are served from now on: ready while `check`, asked every `readiness_seconds`, says so, and
    /// not before it has. Tell it before the server is started.
    pub fn serves<C, F>(&self, services: &[&'static str], check: C)
    where
        C: Fn() -> F + Send + 'static,
        F: Future<Output = bool> + Send,
    {
        let (services, every) = (services.to_vec(), self.every);
        self.set(&services, false);
        let states = Arc::downgrade(&self.states);
        tokio::spawn(async move {
            loop {
                let ready = tokio::time::timeout(CHECK_MAX, check()).await.unwrap_or(false);
                // A server that has ended has no health.
                let Some(states) = states.upgrade() else { return };
                let health = Self { states, every };
                if health.states.borrow().ended {
                    return;
                }
                health.set(&services, ready);
                drop(health);
                tokio::time::sleep(every).await;
            }
        });
    }

    fn set(&self, services: &[&'static str], ready: bool) {
        self.states.send_if_modified(|state| {
            let mut changed = false;
            for service in services {
                let label = [KeyValue::new("rpc.service", *service)];
                metrics().ready.record((ready && !state.draining).into(), &label);
                changed |= state.services.insert(service, ready) != Some(ready);
            }
            if changed {
                tracing::info!(?services, ready, "readiness");
            }
            changed
        });
    }

    /// Every service that is served.
    pub(crate) fn services(&self) -> Vec<&'static str> {
        self.states.borrow().services.keys().copied().collect()
    }

    /// From now on nothing is ready.
    pub(crate) fn drain(&self) {
        self.states.send_modify(|state| {
            state.draining = true;
            for service in state.services.keys() {
                metrics().ready.record(0, &[KeyValue::new("rpc.service", *service)]);
            }
        });
    }

    /// Whoever watches is told to go.
    pub(crate) fn end(&self) {
        self.states.send_modify(|state| state.ended = true);
    }

    /// The protocol's server.
    pub(crate) fn server(&self) -> health_server::HealthServer<Self> {
        health_server::HealthServer::new(self.clone()).max_decoding_message_size(MESSAGE_MAX)
    }

    fn watched(
        &self,
        name: String,
    ) -> impl Stream<Item = Result<HealthCheckResponse, Status>> + use<> {
        let from = Some((self.states.subscribe(), None));
        stream::unfold(from, move |from| {
            let name = name.clone();
            async move {
                let (mut states, last) = from?;
                loop {
                    let (status, ended) = {
                        let state = states.borrow_and_update();
                        (state.of(&name), state.ended)
                    };
                    if last != Some(status) {
                        return Some((Ok(answer(status)), Some((states, Some(status)))));
                    }
                    if ended || states.changed().await.is_err() {
                        return Some((Err(refuse(ErrorReason::Overloaded)), None));
                    }
                }
            }
        })
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let status = self.states.borrow().of(&request.get_ref().service);
        if status == ServingStatus::ServiceUnknown {
            return Err(refuse(ErrorReason::UnknownService));
        }
        Ok(Response::new(answer(status)))
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        let state = self.states.borrow();
        let names = ["", LIVENESS].into_iter().chain(state.services.keys().copied());
        let statuses = names.map(|name| (name.to_owned(), answer(state.of(name)))).collect();
        Ok(Response::new(HealthListResponse { statuses }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(Box::pin(self.watched(request.into_inner().service))))
    }
}

/// The services of others that one of ours stands on, each with the channel to it.
#[derive(Clone)]
pub struct Peers(Arc<[(HealthClient<Channel>, &'static str)]>);

impl Peers {
    /// Each by its channel and its full name.
    pub fn new(peers: impl IntoIterator<Item = (Channel, &'static str)>) -> Self {
        Self(peers.into_iter().map(|(channel, name)| (HealthClient::new(channel), name)).collect())
    }

    /// Whether each says that it serves.
    pub async fn serve(&self) -> bool {
        for (client, name) in self.0.iter() {
            let mut request = Request::new(HealthCheckRequest { service: (*name).to_owned() });
            request.set_timeout(CHECK_MAX);
            let answer = client.clone().check(request).await;
            if !answer.is_ok_and(|a| a.get_ref().status() == ServingStatus::Serving) {
                return false;
            }
        }
        true
    }
}
