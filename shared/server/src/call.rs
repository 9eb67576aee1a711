//! One call: led past identity, the method table and the deadline to its handler, under its ids.

use std::{sync::Arc, time::Duration};

use contract::r#type::v1::{ErrorReason, FieldFault};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use opentelemetry::trace::{Span as _, SpanKind};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body, service::Routes};
use tower::ServiceExt;
use tracing::Instrument as _;

use crate::{
    body::{Held, Holds},
    caller::{Admission, Caller, Kind, Methods, NoCaller},
    connection::Call,
    deadline::Deadline,
    error,
    limits::{Limits, Place},
    observed::Observed,
    runtime::Entropy,
    shed::Shed,
    telemetry::span::{self, Ended},
    tls::KeyExchange,
    trace::{self, Trace},
    who::Who,
};

const HEALTH: &str = "/grpc.health.v1.Health/";
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";
/// A watch on health lasts as long as the watcher likes; this only keeps the arithmetic in range.
const WATCH_MAX: Duration = Duration::from_secs(365 * 86_400);
/// Watches on health that a connection may have open: they need no place, and last.
pub(crate) const WATCHES_MAX: usize = 8;
const ACCEPT_ENCODING: &str = "grpc-accept-encoding";
/// When a caller over a limit may come again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The name in logs and labels of a method that is not in the table: what a stranger types is not repeated there.
const OTHER: &str = "_OTHER";

/// What a call has while it is sent: a place among the calls, or among the watches of its connection.
type Taken = (Option<Place>, Option<OwnedSemaphorePermit>);

/// The calls of one connection.
pub(crate) struct Calls {
    /// The handlers.
    pub(crate) routes: Routes,
    /// The methods there are, and who may call them.
    pub(crate) methods: Methods,
    /// Who makes them.
    pub(crate) who: Who,
    /// The certificate of who makes them, where it was shown here.
    pub(crate) shown: Option<ShownCertificate>,
    /// How the connection's keys were made, where they were made here.
    pub(crate) key_exchange: Option<KeyExchange>,
    /// A call without a deadline gets this one.
    pub(crate) deadline_max: Duration,
    /// The same for a stream on which the caller goes on asking.
    pub(crate) stream_max: Duration,
    /// Whether the connection is about to end.
    pub(crate) closing: Closing,
    /// How many calls may be under way.
    pub(crate) limits: Arc<Limits>,
    /// Those that were refused for it.
    pub(crate) shed: Shed,
    /// Room for [`WATCHES_MAX`].
    pub(crate) watches: Arc<Semaphore>,
    /// For ids of calls.
    pub(crate) entropy: Entropy,
}

impl Calls {
    /// Answers a call, which `counted` is a call of its connection.
    pub(crate) async fn answer(&self, request: Request<Incoming>, counted: Call) -> Response<Body> {
        let path = request.uri().path();
        let caller = self.who.makes(request.headers());
        let (health, admitted) = (path.starts_with(HEALTH), self.admit(path, caller));
        let method = self.methods.name(path).unwrap_or(OTHER);
        let parent = trace::parent(request.headers());
        let span = span::begin(SpanKind::Server, method, parent.as_ref());
        let trace =
            Trace::new(request.headers(), parent.as_ref(), span.span_context(), &self.entropy);
        let log = tracing::info_span!(
            "call",
            method,
            caller = caller.map(Caller::id).unwrap_or_default(),
            request_id = trace.request_id,
            trace_id = %trace.span.trace_id(),
            span_id = %trace.span.span_id(),
        );
        // Each service asks its peers for their health every two seconds: that is no news.
        let mut observed = Observed::new(method, health, log.clone(), span);
        let work = async {
            let (mut response, taken) = match admitted {
                Ok(caller) => self.handle(caller, request).await,
                Err(reason) => (refused(reason), Taken::default()),
            };
            trace.echo(response.headers_mut());
            observed.says(response.headers());
            // A call lasts until its last byte is sent, not until its handler returns; so does its place, which its
            // caller may put off.
            response.map(|body| {
                Held::until_sent(body, Open { observed, _taken: taken, _counted: counted })
            })
        };
        trace.clone().scope(work.instrument(log)).await
    }

    /// Who calls, if it may call this method.
    fn admit<'a>(
        &self,
        method: &str,
        caller: Result<&'a Caller, NoCaller>,
    ) -> Result<&'a Caller, ErrorReason> {
        let caller = caller.map_err(|_| ErrorReason::UnknownIdentity)?;
        match self.methods.admission(method, caller) {
            Admission::Open => Ok(caller),
            Admission::Closed => Err(ErrorReason::MethodNotAllowed),
            Admission::Unknown => Err(ErrorReason::UnknownMethod),
        }
    }

    /// Counts a refused call of an agency. Our own services come again with what they have to do.
    fn shed(&self, caller: &Caller, path: &str) {
        if let (Kind::System { .. }, Some(method)) = (caller.kind(), self.methods.name(path)) {
            self.shed.count(caller, method);
        }
    }

    /// The answer, and the place that the call has while it is sent.
    async fn handle(
        &self,
        caller: &Caller,
        mut request: Request<Incoming>,
    ) -> (Response<Body>, Taken) {
        let path = request.uri().path();
        let (watch, health) = (path == HEALTH_WATCH, path.starts_with(HEALTH));
        // Health takes no place from anybody, and whoever is busy is not taken for dead.
        let place =
            if health { None } else { self.limits.enter(caller, self.methods.priority(path)) };
        let watching =
            if watch { Arc::clone(&self.watches).try_acquire_owned().ok() } else { None };
        if watch && watching.is_none() {
            return (error::overloaded(RETRY_AFTER).into_http(), Taken::default());
        }
        if !health && place.is_none() {
            self.shed(caller, path);
            return (error::overloaded(RETRY_AFTER).into_http(), Taken::default());
        }
        let longest = if watch {
            WATCH_MAX
        } else if Methods::is_stream(path) {
            self.stream_max
        } else {
            self.deadline_max
        };
        let now = tokio::time::Instant::now();
        let Some(deadline) = Deadline::from_headers(request.headers(), now, longest) else {
            let field = "grpc-timeout".to_owned();
            let (vi, en) = ("không đúng dạng".to_owned(), "is not a gRPC timeout".to_owned());
            let fault = error::Violation { field, reason: FieldFault::Malformed, vi, en };
            return (error::invalid(vec![fault]).into_http(), (place, watching));
        };
        request.extensions_mut().insert(caller.clone());
        request.extensions_mut().insert(deadline);
        request.extensions_mut().insert(self.closing.clone());
        if let Some(shown) = &self.shown {
            request.extensions_mut().insert(shown.thumbprint);
            request.extensions_mut().insert(shown.clone());
        }
        if let Some(key_exchange) = self.key_exchange {
            request.extensions_mut().insert(key_exchange);
        }
        let handler = self.routes.clone().oneshot(request);
        let place = UntilDone(place);
        match tokio::time::timeout_at(deadline.at(), handler).await {
            Ok(Ok(response)) => {
                (in_time(deadline, in_our_words(response)), (place.done(), watching))
            }
            Ok(Err(never)) => match never {},
            Err(_) => (refused(ErrorReason::DeadlineExceeded), Taken::default()),
        }
    }
}

/// SHA-256 of the DER of the certificate that a connection was made with. Calls by the proxy of a mesh have none: it is the proxy's
/// connection, and what the proxy says of a certificate is not believed for this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thumbprint(pub [u8; 32]);

impl Thumbprint {
    /// That of a certificate.
    #[must_use]
    pub fn of_certificate(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// That of the connection by which a request came.
    pub fn of<T>(request: &tonic::Request<T>) -> Option<Self> {
        request.extensions().get::<Self>().copied()
    }
}

/// The certificate that a connection was made with: like its thumbprint, there is none of a call by the proxy of a mesh.
#[derive(Debug, Clone)]
pub struct ShownCertificate {
    der: Arc<[u8]>,
    thumbprint: Thumbprint,
}

impl ShownCertificate {
    /// A certificate in DER.
    #[must_use]
    pub fn new(der: &[u8]) -> Self {
        Self { der: der.into(), thumbprint: Thumbprint::of_certificate(der) }
    }

    /// That of the connection by which a request came.
    pub fn of<T>(request: &tonic::Request<T>) -> Option<&Self> {
        request.extensions().get::<Self>()
    }

    /// Its DER.
    #[must_use]
    pub fn der(&self) -> &Arc<[u8]> {
        &self.der
    }
}

/// Tells the streams of a connection that it is about to end, by age or because the server stops: whoever goes on asking
/// is to do so on another one.
#[derive(Debug, Clone, Default)]
pub struct Closing(CancellationToken);

impl Closing {
    /// That of the connection by which a request came; of one that came by none it never begins.
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    /// Waits until it begins.
    pub async fn begins(&self) {
        self.0.cancelled().await;
    }

    /// From now on.
    pub(crate) fn begin(&self) {
        self.0.cancel();
    }
}

/// What a call has until its answer is sent.
struct Open {
    observed: Observed,
    _taken: Taken,
    _counted: Call,
}

impl Holds for Open {
    fn sent(self, trailers: Option<&HeaderMap>) {
        self.observed.sent(trailers);
    }
}

/// The place of a call whose handler is at work. A handler that is given up, by its caller or for its deadline, may
/// leave a write behind that runs to its end (I13): its place is taken for a while longer, so that calls made and
/// reset at once are no way round the limits.
struct UntilDone(Option<Place>);

impl UntilDone {
    fn done(mut self) -> Option<Place> {
        self.0.take()
    }
}

impl Drop for UntilDone {
    fn drop(&mut self) {
        if let (Some(place), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                tokio::time::sleep(RETRY_AFTER).await;
                drop(place);
            });
        }
    }
}

/// What was stopped because the deadline passed, in a database or in the next service, may say so in the same moment
/// as the deadline does; it is the deadline that the caller is told of.
fn in_time(deadline: Deadline, response: Response<Body>) -> Response<Body> {
    let away = Ended::from_headers(response.headers())
        .is_some_and(|ended| ended.code == Code::Unavailable);
    if away && deadline.left().is_zero() {
        refused(ErrorReason::DeadlineExceeded)
    } else {
        response
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
        // A method that the table knows and nobody here serves, or a compression we do not take; gRPC wants it said
        // which we do.
        let accepted = headers.get(ACCEPT_ENCODING).cloned();
        let mut response = refused(ErrorReason::UnknownMethod);
        if let Some(accepted) = accepted {
            response.headers_mut().insert(ACCEPT_ENCODING, accepted);
        }
        response
    } else if code == Code::Internal {
        // A message that cannot be parsed.
        let (vi, en) = ("không đọc được".to_owned(), "cannot be parsed".to_owned());
        let fault =
            error::Violation { field: String::new(), reason: FieldFault::Malformed, vi, en };
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
