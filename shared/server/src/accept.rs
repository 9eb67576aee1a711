//! The listener: handshakes under a limit and a time limit, one task per connection, each call led past
//! identity, the method table and the deadline to its handler, and a drain that ends.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use contract::r#type::v1::ErrorReason;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body, service::Routes};
use tower::ServiceExt;

use crate::{
    Config, StartError,
    caller::{Admission, Caller, NoCaller, admission},
    deadline::Deadline,
    error, tls,
};

/// Small messages must not exhaust the window of the whole connection (hyperium/h2#935).
const CONNECTION_WINDOW: u32 = 8 << 20;
const STREAM_WINDOW: u32 = 1 << 20;
const HEADERS_MAX: u32 = 16 << 10;
const KEEPALIVE: Duration = Duration::from_secs(60);
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";
/// A watch on health lasts as long as the watcher likes; this only keeps the arithmetic in range.
const WATCH_MAX: Duration = Duration::from_secs(365 * 86_400);
/// After accept fails, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound listener whose identity is already valid.
pub struct Server {
    config: Config,
    acceptor: TlsAcceptor,
    listener: TcpListener,
    address: SocketAddr,
}

/// A server that is accepting.
pub struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Reads the identity, then binds the address: never a port without an identity (I9).
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let acceptor = TlsAcceptor::from(tls::server(&config.files(), &config.crl)?);
        let listen = |source| StartError::Listen { address: config.listen.clone(), source };
        let listener = TcpListener::bind(&config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self { config, acceptor, listener, address })
    }

    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to accept. Health (`grpc.health.v1`) is answered beside `routes`.
    pub async fn start(self, routes: Routes) -> Running {
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
        let routes = routes.add_service(health).prepare();
        let stop = CancellationToken::new();
        let address = self.address;
        let task = tokio::spawn(self.run(routes, reporter, stop.clone()));
        Running { address, stop, task }
    }

    async fn run(
        self,
        routes: Routes,
        health: tonic_health::server::HealthReporter,
        stop: CancellationToken,
    ) {
        let goaway = CancellationToken::new();
        let handshakes = Arc::new(Semaphore::new(self.config.handshakes_max));
        let mut connections = JoinSet::new();
        let lame_duck = async {
            stop.cancelled().await;
            health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
            tokio::time::sleep(Duration::from_secs(self.config.lame_duck_seconds)).await;
        };
        tokio::pin!(lame_duck);
        loop {
            let accepted = tokio::select! {
                () = &mut lame_duck => break,
                accepted = accept(&self.listener, &handshakes) => accepted,
                // Finished connections are taken off the set as they end.
                Some(_) = connections.join_next() => continue,
            };
            let Some((tcp, permit)) = accepted else { continue };
            let connection = Connection {
                routes: routes.clone(),
                acceptor: self.acceptor.clone(),
                config: self.config.clone(),
                goaway: goaway.clone(),
            };
            connections.spawn(connection.serve(tcp, permit));
        }
        drop(self.listener);
        goaway.cancel();
        let drained = async { while connections.join_next().await.is_some() {} };
        let longest = Duration::from_secs(self.config.drain_max_seconds);
        if tokio::time::timeout(longest, drained).await.is_err() {
            tracing::warn!("drain deadline passed; cutting what is left");
        }
        // Dropping the set aborts the connections that are still there.
    }
}

async fn accept(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(handshakes).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((tcp, _)) => Some((tcp, permit)),
        Err(error) => {
            tracing::warn!(kind = ?error.kind(), "accept failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

impl Running {
    /// The address that is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drains: health says NOT_SERVING, connections are still accepted for a while, open calls end,
    /// and what hangs is cut at the deadline.
    pub async fn stop(self) {
        self.stop.cancel();
        if self.task.await.is_err() {
            tracing::error!("the accept loop ended in a panic");
        }
    }
}

/// What one connection needs.
struct Connection {
    routes: Routes,
    acceptor: TlsAcceptor,
    config: Config,
    goaway: CancellationToken,
}

impl Connection {
    async fn serve(self, tcp: TcpStream, permit: tokio::sync::OwnedSemaphorePermit) {
        let longest = Duration::from_secs(self.config.handshake_max_seconds);
        let handshake = tokio::time::timeout(longest, self.acceptor.accept(tcp));
        let Ok(Ok(stream)) = handshake.await else { return };
        drop(permit);
        if stream.get_ref().0.set_nodelay(true).is_err() {
            return;
        }
        let certificate = stream.get_ref().1.peer_certificates().and_then(|c| c.first());
        let caller = certificate.map_or(Err(NoCaller::NotACertificate), |der| {
            Caller::from_certificate(der, &self.config.trust_domain)
        });
        let deadline_max = Duration::from_secs(self.config.deadline_max_seconds);
        let routes = self.routes;
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (routes, caller) = (routes.clone(), caller.clone());
            async move { Ok::<_, Infallible>(answer(routes, caller, request, deadline_max).await) }
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.config.streams_max)
            .max_header_list_size(HEADERS_MAX)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .keep_alive_interval(KEEPALIVE)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.goaway.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if ended.is_err() {
            tracing::debug!("connection ended with a protocol or transport error");
        }
    }
}

/// One call: who calls, may it, until when; then the handler.
async fn answer(
    routes: Routes,
    caller: Result<Caller, NoCaller>,
    mut request: Request<Incoming>,
    deadline_max: Duration,
) -> Response<Body> {
    let Ok(caller) = caller else { return refused(ErrorReason::UnknownIdentity) };
    let method = request.uri().path();
    match admission(method, &caller) {
        Admission::Open => {}
        Admission::Closed => return refused(ErrorReason::MethodNotAllowed),
        Admission::Unknown => return refused(ErrorReason::UnknownMethod),
    }
    let longest = if method == HEALTH_WATCH { WATCH_MAX } else { deadline_max };
    let now = tokio::time::Instant::now();
    let Some(deadline) = Deadline::from_headers(request.headers(), now, longest) else {
        let field = "grpc-timeout".to_owned();
        let (vi, en) = ("không đúng dạng".to_owned(), "is not a gRPC timeout".to_owned());
        let fault = error::Violation { field, reason: "MALFORMED", vi, en };
        return error::invalid(vec![fault]).into_http();
    };
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(deadline);
    match tokio::time::timeout_at(deadline.at(), routes.oneshot(request)).await {
        Ok(Ok(response)) => in_our_words(response),
        Ok(Err(never)) => match never {},
        Err(_) => refused(ErrorReason::DeadlineExceeded),
    }
}

/// Errors that the stack below makes, before a handler of ours is reached, carry no reason; they get the
/// one they stand for.
fn in_our_words(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    // Only an answer that is nothing but an error has its status among the headers.
    let Some(status) = headers.get(Status::GRPC_STATUS) else { return response };
    if headers.contains_key("grpc-status-details-bin") {
        return response;
    }
    let code = Code::from_bytes(status.as_bytes());
    if code == Code::OutOfRange {
        // A message over the method's limit.
        refused(ErrorReason::MessageTooLarge)
    } else if code == Code::Unimplemented {
        // A method that the table knows and nobody here serves, or a compression we do not take.
        refused(ErrorReason::UnknownMethod)
    } else if code == Code::Internal {
        // A message that cannot be parsed.
        let (vi, en) = ("không đọc được".to_owned(), "cannot be parsed".to_owned());
        let fault = error::Violation { field: String::new(), reason: "MALFORMED", vi, en };
        error::invalid(vec![fault]).into_http()
    } else {
        response
    }
}

fn refused(reason: ErrorReason) -> Response<Body> {
    error::refuse(reason).into_http()
}

/// Caller and deadline of a call, which `answer` put there. A request that did not come through it
/// has neither and is refused.
pub fn context<T>(request: &tonic::Request<T>) -> Result<(Caller, Deadline), tonic::Status> {
    let extensions = request.extensions();
    match (extensions.get::<Caller>(), extensions.get::<Deadline>()) {
        (Some(caller), Some(deadline)) => Ok((caller.clone(), *deadline)),
        _ => Err(error::refuse(ErrorReason::UnknownIdentity)),
    }
}
