//! HTTP/1.1 with our own TLS, by client certificate: for whoever speaks no gRPC and is somebody all the same. Who is let in, and who
//! is cut, is as at the port of gRPC (`connection`): the same files, read again when they change, the same lists, the same trust
//! domain. What is answered to whom the [`Site`] says.

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use opentelemetry::{KeyValue, trace::SpanContext};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument as _;

pub use crate::plain::Answer;
use crate::{
    Caller, Config, Deadline, StartError,
    accept::{failed, listen, paused},
    caller::Priority,
    connection::{Counted, LetIn, let_in, no_longer_admitted, over, say, say_cut},
    handshake::{Handshake, Handshakes},
    limits::Limits,
    reload::{self, Identities},
    runtime::Entropy,
    telemetry::metrics::metrics,
    trace::{self, Trace},
    who::{Forged, Who},
};

/// How long a connection may last; the request under way then is answered.
const AGE: Duration = Duration::from_secs(30);
/// How long the head of a request may take, from the end of the answer before.
const HEAD: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
/// The line and the headers of a request, at most.
const HEAD_MAX: usize = 16 << 10;
/// The part of the connections, and of the requests under way, that one agency's system may have.
const PART: usize = 4;
/// Requests under way. Nothing here is asked for by the thousand; and an answer lies in memory until it is read.
const REQUESTS_MAX: usize = 32;
/// When to come again, in seconds.
const COME_AGAIN: HeaderValue = HeaderValue::from_static("1");
/// What a site may take to say that it is too late.
const ENDING: Duration = Duration::from_secs(1);
/// The name in logs and labels of a path that the site does not have: what a stranger types is not repeated there.
const OTHER: &str = "_OTHER";

/// What is answered at a listener.
pub trait Site: Send + Sync + 'static {
    /// The name of what is at a path, for logs and measurements; none where nothing is. It is never the path itself, and of what
    /// stands behind it, such as a query, nothing of ours says anything (I8).
    fn name(&self, path: &str) -> Option<&'static str>;

    /// The answer to a request of this caller, whose body is not read, by this moment.
    fn answer(
        &self,
        request: Request<()>,
        caller: Caller,
        deadline: Deadline,
    ) -> impl Future<Output = Answer> + Send;

    /// The answer of a status to whom it does not answer: who is nobody, comes too often, or has waited for too long.
    fn refused(&self, status: StatusCode) -> Answer {
        said(status)
    }
}

/// A bound listener whose identity is already valid.
pub struct Web {
    config: Config,
    connections_max: usize,
    identities: Identities,
    following: Pin<Box<dyn Future<Output = ()> + Send>>,
    listener: TcpListener,
    address: SocketAddr,
}

/// A listener that is accepting; dropped, it goes on until what is under way is answered.
pub struct Running {
    address: SocketAddr,
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Web {
    /// Reads the identity of `config`, then binds an address, for so many connections at the same time.
    ///
    /// # Errors
    /// See [`StartError`]: never a port without an identity (I9).
    pub async fn bind(
        address: &str,
        config: &Config,
        connections_max: usize,
    ) -> Result<Self, StartError> {
        let (identities, following) = reload::follow(config)?;
        let listener = listen(address).await?;
        let bound = listener.local_addr().map_err(failed(address))?;
        let (config, following) = (config.clone(), Box::pin(following));
        Ok(Self { config, connections_max, identities, following, listener, address: bound })
    }

    /// Starts to accept.
    #[must_use]
    pub fn start<S: Site>(self, site: S) -> Running {
        let (address, stop) = (self.address, CancellationToken::new());
        let task = tokio::spawn(self.run(site, stop.clone()));
        Running { address, stop: stop.drop_guard(), task }
    }

    async fn run<S: Site>(mut self, site: S, stop: CancellationToken) {
        let Config { handshakes_max, handshakes_per_address_max, drain_max_seconds, .. } =
            self.config;
        let handshakes = Handshakes::new(handshakes_max, handshakes_per_address_max);
        let each = (self.connections_max / PART).max(1).min(self.config.connections_per_caller_max);
        let open = Limits::new(self.connections_max, each);
        let goaway = CancellationToken::new();
        let shared = Arc::new(Shared {
            site,
            config: self.config,
            identities: self.identities,
            open,
            under_way: Limits::new(REQUESTS_MAX, REQUESTS_MAX / PART),
            goaway: goaway.clone(),
            forged: Arc::default(),
            entropy: Entropy::system(),
        });
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                () = &mut self.following => break,
                accepted = accept(&self.listener, &handshakes) => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let Some((tcp, handshake)) = accepted else { continue };
            connections.spawn(Arc::clone(&shared).serve(tcp, handshake));
        }
        drop(self.listener);
        goaway.cancel();
        let drained = async {
            tokio::select! {
                () = async { while connections.join_next().await.is_some() {} } => {}
                // Whoever is revoked meanwhile is cut all the same.
                () = &mut self.following => {}
            }
        };
        // Dropping the set aborts the connections that are still there.
        let _drained = tokio::time::timeout(Duration::from_secs(drain_max_seconds), drained).await;
    }
}

impl Running {
    /// The address that is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, answers what is under way, and cuts what hangs.
    pub async fn stop(self) {
        drop(self.stop);
        if self.task.await.is_err() {
            tracing::error!("the loop of a listener ended in a panic");
        }
    }
}

/// Whoever has its share of handshakes is told so by the end of the connection.
async fn accept(listener: &TcpListener, handshakes: &Handshakes) -> Option<(TcpStream, Handshake)> {
    let permit = handshakes.permit().await?;
    match listener.accept().await {
        Ok((tcp, from)) => Some((tcp, handshakes.begin(permit, from.ip())?)),
        Err(error) => paused(&error).await,
    }
}

/// What the connections of a listener have in common.
struct Shared<S> {
    site: S,
    config: Config,
    identities: Identities,
    open: Arc<Limits>,
    under_way: Arc<Limits>,
    goaway: CancellationToken,
    forged: Arc<Forged>,
    entropy: Entropy,
}

impl<S: Site> Shared<S> {
    async fn serve(self: Arc<Self>, tcp: TcpStream, under_way: Handshake) {
        let mut identities = self.identities.clone();
        let identity = Arc::clone(&identities.borrow_and_update());
        let let_in = let_in(&identity, &identity.web, tcp, &self.config, &self.goaway).await;
        let Some(LetIn { stream, chain, caller }) = let_in else { return };
        drop(under_way);
        let Some(_open) = self.open.enter_or_stranger(caller.as_ref().ok()) else {
            return over("one too many");
        };
        let _counted = Counted::new();
        let cut = no_longer_admitted(&mut identities, &chain, caller.clone().ok());
        let who = Arc::new(Who::certified(caller, &self.forged));
        let answering = Arc::clone(&self);
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (shared, who) = (Arc::clone(&answering), Arc::clone(&who));
            async move { Ok::<_, Infallible>(shared.answer(request.map(drop), &who).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_MAX)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection, cut);
        let why = tokio::select! {
            ended = &mut connection => return over(say(ended)),
            () = self.goaway.cancelled() => "drain",
            () = tokio::time::sleep(AGE) => "age",
            () = &mut cut => return over(say_cut()),
        };
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ended_either_way = connection => over(why),
            () = cut => over(say_cut()),
            () = tokio::time::sleep(Duration::from_secs(self.config.connection_grace_seconds)) => {
                over("grace passed");
            }
        }
    }

    async fn answer(&self, request: Request<()>, who: &Who) -> Answer {
        let name = self.site.name(request.uri().path()).unwrap_or(OTHER);
        let caller = who.makes(request.headers()).cloned();
        let parent = trace::parent(request.headers());
        let trace =
            Trace::new(request.headers(), parent.as_ref(), &SpanContext::NONE, &self.entropy);
        let log = tracing::info_span!(
            "request",
            name,
            caller = caller.as_ref().map(Caller::id).unwrap_or_default(),
            request_id = trace.request_id,
            trace_id = %trace.span.trace_id(),
            span_id = %trace.span.span_id(),
        );
        let work = async {
            let deadline = Deadline::after(Duration::from_secs(self.config.deadline_max_seconds));
            let mut answer = match caller {
                Ok(caller) => self.answered(request, caller, deadline).await,
                Err(_) => self.site.refused(StatusCode::FORBIDDEN),
            };
            trace.echo(answer.headers_mut());
            // What is read of an answer is what its type says.
            let nosniff = HeaderValue::from_static("nosniff");
            answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
            let (status, took) = (answer.status().as_u16(), deadline.waited());
            let labels = [
                KeyValue::new("http.route", name),
                KeyValue::new("http.response.status_code", i64::from(status)),
            ];
            metrics().web_requests.record(took.as_secs_f64(), &labels);
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(status, ms, "request ended");
            answer
        };
        trace.clone().scope(work.instrument(log)).await
    }
}

impl<S: Site> Shared<S> {
    async fn answered(&self, request: Request<()>, caller: Caller, deadline: Deadline) -> Answer {
        let Some(_place) = self.under_way.enter(&caller, Priority::Ordinary) else {
            let mut answer = self.site.refused(StatusCode::SERVICE_UNAVAILABLE);
            answer.headers_mut().insert(header::RETRY_AFTER, COME_AGAIN);
            return answer;
        };
        let answer = self.site.answer(request, caller, deadline);
        // What the site itself says of its deadline comes first.
        let late = deadline.at() + ENDING;
        let answered = tokio::time::timeout_at(late, answer).await;
        answered.unwrap_or_else(|_| self.site.refused(StatusCode::GATEWAY_TIMEOUT))
    }
}

/// An answer that is nothing but a status.
#[must_use]
pub fn said(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}
