//! Calls to our other services: over a few connections that are spread over the addresses behind the service's name,
//! each pursued with a back-off, and repeated, within a budget and the caller's deadline, where the contract says that
//! a call may be and nothing was answered.
//!
//! | module | job |
//! |---|---|
//! | `admitted` | a connection, for as long as the service may be called |
//! | `connect` | one connection: address, transport, whom it must end at, back-off |
//! | `observed` | what is told of a call |
//! | `retry` | what is repeated, when, and how often |

mod admitted;
mod connect;
mod observed;
mod retry;

use std::{
    convert::Infallible,
    error::Error,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use contract::r#type::v1::ErrorReason;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tokio::time::Instant;
use tonic::{
    Status, TimeoutExpired,
    body::Body,
    transport::{self, Endpoint},
};
use tower::{BoxError, Service, ServiceExt as _};

use crate::{
    StartError, body::Held, deadline, error, runtime::Entropy, telemetry::metrics::metrics, tls,
    trace,
};
use connect::Connector;
pub(crate) use connect::Resolver;
use observed::Observed;
use retry::{Budget, Repeat, Wait};

/// Connections to one service. More than one, so that the streams of one connection are no limit, and so that calls
/// are spread over the replicas behind a headless name.
const CONNECTIONS: usize = 4;
/// One attempt, with its handshake.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Bytes of one answer; the messages of ours are far smaller.
const ANSWER_MAX: usize = 8 << 20;
/// Small messages must not exhaust the window of the whole connection (hyperium/h2#935).
const CONNECTION_WINDOW: u32 = 8 << 20;
/// A machine that vanished says nothing: it is asked also while no call is open, so that the next call does
/// not wait for it. Our server answers every ping.
const KEEPALIVE: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 30_000 });
const KEEPALIVE_TIMEOUT: Duration = Duration::from_millis(if cfg!(test) { 1_000 } else { 10_000 });

/// Another of our services, as configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Where it listens, `host:port`, or several with commas between them. A host that has several addresses is
    /// all of them.
    pub endpoint: String,
    /// The name its certificate must carry: `/service/<name>`. A process that runs every service
    /// answers under the name `all`.
    pub service: String,
    /// Who makes the connection secret and knows its ends.
    pub transport: Transport,
}

/// How a connection comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Our own mutual TLS: the peer must be the service it is meant to be, not just anybody whom the CA knows.
    Direct,
    /// HTTP/2 without TLS, to the port of the peer's `mesh` transport, which the proxy beside this process takes and
    /// makes mutual TLS of; that the peer is the right one is then for the proxy to see, and nothing here can.
    Mesh,
}

impl Peer {
    /// A service that is reached over our own TLS.
    pub fn direct(endpoint: impl Into<String>, service: impl Into<String>) -> Self {
        let (endpoint, service) = (endpoint.into(), service.into());
        Self { endpoint, service, transport: Transport::Direct }
    }
}

/// The way to a service. Clones share its connections and its budget.
#[derive(Clone)]
pub struct Channel(Arc<Shared>);

struct Shared {
    connections: Vec<Connection>,
    next: AtomicUsize,
    budget: Budget,
    entropy: Entropy,
}

struct Connection {
    channel: transport::Channel,
    connector: Connector,
}

/// A channel to a service, connected when first used and again after a loss.
///
/// # Errors
/// An address that is none, or an identity that cannot be used.
pub fn to_service(
    peer: &Peer,
    trust_domain: &str,
    files: &tls::Files,
) -> Result<Channel, StartError> {
    to_service_by(Resolver::system(), peer, trust_domain, files)
}

/// A channel to a database of an agency, over our own TLS: it must be the one of this SPIFFE id, not just anybody whom
/// the CA knows.
///
/// # Errors
/// As [`to_service`].
pub fn to_database(
    endpoint: &str,
    id: &str,
    trust_domain: &str,
    files: &tls::Files,
) -> Result<Channel, StartError> {
    let peer = Peer::direct(endpoint, String::new());
    to(Resolver::system(), &peer, id, trust_domain, files)
}

fn service_id(trust_domain: &str, service: &str) -> String {
    format!("spiffe://{trust_domain}/service/{service}")
}

/// The same, whose addresses are asked of `resolver`.
pub(crate) fn to_service_by(
    resolver: Resolver,
    peer: &Peer,
    trust_domain: &str,
    files: &tls::Files,
) -> Result<Channel, StartError> {
    to(resolver, peer, &service_id(trust_domain, &peer.service), trust_domain, files)
}

fn to(
    resolver: Resolver,
    peer: &Peer,
    id: &str,
    trust_domain: &str,
    files: &tls::Files,
) -> Result<Channel, StartError> {
    let entropy = Entropy::system();
    let first = Connector::new(resolver, peer, id, trust_domain, files, entropy.clone())?;
    // Every connection asks the connector where it goes; this is the name that calls carry.
    let authority = peer.endpoint.split(',').next().unwrap_or_default();
    let endpoint = Endpoint::from_shared(format!("http://{authority}"))
        .map_err(|_| StartError::Endpoint(peer.endpoint.clone()))?
        .connect_timeout(CONNECT_MAX)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    // Processes that begin together do not begin with the same address.
    let [begin] = entropy.array::<1>();
    let connections = (0..CONNECTIONS).map(|number| {
        let connector = first.another(usize::from(begin) + number);
        let connect = connector.clone();
        let connect = tower::service_fn(move |_| {
            let connect = connect.clone();
            async move { connect.connect().await }
        });
        Connection { channel: endpoint.connect_with_connector_lazy(connect), connector }
    });
    let (connections, next) = (connections.collect(), AtomicUsize::new(0));
    Ok(Channel(Arc::new(Shared { connections, next, budget: Budget::default(), entropy })))
}

impl Shared {
    /// The next connection in turn that is not waiting to try again; any, when all are.
    fn pick(&self) -> Option<transport::Channel> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = || {
            let count = self.connections.len();
            (0..count).filter_map(move |step| self.connections.get((turn + step) % count))
        };
        let found = in_turn().find(|c| !c.connector.waits()).or_else(|| in_turn().next());
        found.map(|connection| connection.channel.clone())
    }

    async fn call(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (mut head, body) = request.into_parts();
        let mut observed = Observed::new(head.uri.path());
        if let Some(place) = observed.place() {
            trace::put(place, &mut head.headers);
        }
        let answer = match retry::repeatable(head.uri.path()) {
            false => {
                let deadline = deadline::asked(&head.headers);
                by(deadline, self.attempt(Request::from_parts(head, body))).await
            }
            true => match whole(body).await {
                Ok(body) => self.repeated(head, body).await,
                // What cannot be encoded is not sent.
                Err(status) => Err(status.into()),
            },
        };
        observed.begun(answer.as_ref().ok().map(Response::headers));
        Ok(answer?.map(|body| Held::until_sent(body, observed)))
    }

    async fn attempt(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        match self.pick() {
            Some(channel) => Ok(channel.oneshot(request).await?),
            None => Err("the channel has no connection".into()),
        }
    }

    async fn repeated(
        &self,
        head: http::request::Parts,
        body: Bytes,
    ) -> Result<Response<Body>, BoxError> {
        let deadline = deadline::asked(&head.headers);
        let mut repeat = Repeat::new(&self.budget, &self.entropy, deadline);
        loop {
            let mut head = head.clone();
            if let Some(deadline) = deadline {
                // What is left now, not what was left before the first attempt.
                deadline::put(deadline, &mut head.headers);
            }
            let body = Body::new(Full::new(body.clone()).map_err(never));
            let request = Request::from_parts(head, body);
            let answer = by(deadline, async { taken(self.attempt(request).await?).await }).await;
            match repeat.after(answer.as_ref().ok().map(Response::headers)) {
                Wait::Over => return answer,
                Wait::For(wait) => {
                    metrics().client_retries.add(1, &[]);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }
}

/// An attempt up to the deadline of its call. Below, the time of a call is kept from when there is a connection until
/// the head of the answer, and has the code CANCELLED.
async fn by(
    deadline: Option<Instant>,
    attempt: impl Future<Output = Result<Response<Body>, BoxError>>,
) -> Result<Response<Body>, BoxError> {
    let Some(deadline) = deadline else { return attempt.await };
    match tokio::time::timeout_at(deadline, attempt).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if Instant::now() < deadline && !timed_out(&*error) => Err(error),
        Ok(Err(_)) | Err(_) => Ok(error::refuse(ErrorReason::DeadlineExceeded).into_http()),
    }
}

fn timed_out(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |cause| (*cause).source());
    causes.any(|cause| cause.is::<TimeoutExpired>())
}

/// An answer with its message and its end. One whose end did not come was not given: its connection broke, also where
/// its head had arrived (gRPC's own clients leave such a call to their caller, who knows less of what may be repeated).
/// One that is too large was given, and would be again; it has no reason, because MESSAGE_TOO_LARGE says that a request
/// was refused, and this one may have been carried out.
async fn taken(answer: Response<Body>) -> Result<Response<Body>, BoxError> {
    let (head, body) = answer.into_parts();
    match Limited::new(body, ANSWER_MAX).collect().await {
        Ok(body) => Ok(Response::from_parts(head, Body::new(body.map_err(never)))),
        Err(error) if error.is::<LengthLimitError>() => {
            Ok(Status::resource_exhausted("the answer is too large").into_http())
        }
        Err(error) => Err(error),
    }
}

/// The body of a request, to be sent more than once. Messages of ours are small, and limited where they arrive.
async fn whole(body: Body) -> Result<Bytes, Status> {
    Ok(body.collect().await?.to_bytes())
}

fn never(never: Infallible) -> Status {
    match never {}
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // A connection is waited for in the call, which has a deadline.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.call(request).await })
    }
}
