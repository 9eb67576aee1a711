//! Connections, and what holds for every call.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use conformance::Act;
use contract::{database::v1::DatabaseEnvironment, r#type::v1::ErrorReason};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use server::{Thumbprint, error::refuse};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use tonic::{Code, Status, body::Body, service::Routes};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{
    Database,
    held::{Held, Place},
};
use crate::{faults::Fault, pki::Pki};

/// Calls under way on one connection.
const PLACES: usize = 40;
const DESCRIBE: &str = "/lienthong.database.v1.DatabaseService/DescribeDatabase";
const VERIFY: &str = "/lienthong.database.v1.LookupService/VerifyRecord";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// A database that serves until it is dropped.
pub struct Running {
    pub address: String,
    pub database: Database,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    pub async fn start(pki: &Pki, fault: Option<Fault>) -> Self {
        Self::start_in(pki, fault, DatabaseEnvironment::Synthetic).await
    }

    pub async fn start_in(
        pki: &Pki,
        fault: Option<Fault>,
        environment: DatabaseEnvironment,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let database = Database::new(fault, environment, pki.warrant_keys());
        let acceptor = TlsAcceptor::from(pki.server(fault));
        let mut routes = database.routes();
        if fault != Some(Fault::NoReflection) {
            let reflection = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(contract::database::v1::DESCRIPTORS)
                .build_v1()
                .unwrap();
            routes = routes.add_service(reflection);
        }
        let served = database.clone();
        let task = tokio::spawn(async move {
            loop {
                let Ok((tcp, _)) = listener.accept().await else { continue };
                let (database, acceptor) = (served.clone(), acceptor.clone());
                tokio::spawn(connection(tcp, acceptor, database, routes.clone()));
            }
        });
        Self { address, database, task }
    }

    pub fn restart(&self) -> Act {
        let database = self.database.clone();
        Act::new(move || {
            database.restart();
            async { Ok(()) }
        })
    }

    pub fn commit(&self) -> Act {
        self.database.committing()
    }
}

async fn connection(tcp: TcpStream, acceptor: TlsAcceptor, database: Database, routes: Routes) {
    tcp.set_nodelay(true).unwrap();
    if database.is(Fault::OlderTls) && greets_older(&tcp).await {
        return greet_older(tcp).await;
    }
    let Ok(stream) = acceptor.accept(tcp).await else { return };
    let chain = stream.get_ref().1.peer_certificates();
    // The kit's certificate is the one that carries its name; who has none is the kit where none is wanted.
    let own = |der: &[u8]| {
        der.windows(crate::pki::KIT.len()).any(|part| part == crate::pki::KIT.as_bytes())
    };
    let shown = chain.and_then(|chain| chain.first()).map(|der| Thumbprint::of_certificate(der));
    let is_kit = chain.and_then(|chain| chain.first()).is_none_or(|der| own(der));
    let end = Arc::new(Notify::new());
    let call = Arc::new(Call {
        database,
        routes,
        is_kit,
        shown,
        places: Arc::new(Semaphore::new(PLACES)),
        end: Arc::clone(&end),
    });
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let call = Arc::clone(&call);
        async move { Ok::<_, Infallible>(call.answer(request).await) }
    });
    let mut http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    http.initial_connection_window_size(8 << 20).initial_stream_window_size(1 << 20);
    tokio::select! {
        _ended = http.serve_connection(TokioIo::new(stream), service) => {}
        () = end.notified() => {}
    }
}

/// Whether a greeting offers no version but those that it names first.
async fn greets_older(tcp: &TcpStream) -> bool {
    let mut head = vec![0; 2048];
    let read = tcp.peek(&mut head).await.unwrap_or(0);
    // supported_versions, with TLS 1.3 first.
    !head[..read].windows(4).any(|part| part[..2] == [0x03, 0x04] || part == [0, 43, 0, 5])
}

async fn greet_older(mut tcp: TcpStream) {
    // A record with the beginning of a ServerHello.
    let _sent = tcp.write_all(&[22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3]).await;
}

struct Call {
    database: Database,
    routes: Routes,
    is_kit: bool,
    shown: Option<Thumbprint>,
    places: Arc<Semaphore>,
    end: Arc<Notify>,
}

fn refused(reason: ErrorReason) -> Response<Body> {
    refuse(reason).into_http()
}

impl Call {
    fn is(&self, fault: Fault) -> bool {
        self.database.is(fault)
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        if let Some(shown) = self.shown {
            request.extensions_mut().insert(shown);
        }
        self.database.inner().asked.fetch_add(1, Ordering::Relaxed);
        let path = request.uri().path().to_owned();
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return refused(ErrorReason::Overloaded);
        };
        let mut place = Place { held: Some(place), leaks: self.is(Fault::CancelledLeaks) };
        let busy = PLACES - self.places.available_permits();
        if self.is(Fault::TwelveAtOnce) && busy > 12 {
            return refused(ErrorReason::Overloaded);
        }
        if let Some(refused) = self.stranger(&path) {
            place.leaks = false;
            return refused;
        }
        let mut deadline = timeout(request.headers());
        let follows = path.ends_with("/StreamChanges");
        if self.is(Fault::DeadlineIgnored) && !follows {
            deadline = Duration::from_secs(60);
        }
        if self.is(Fault::DeadlineLate) && !follows {
            deadline += Duration::from_secs(2);
        }
        if self.is(Fault::FollowKnowsNoDeadline) && follows {
            deadline = Duration::from_secs(60);
        }
        let mut sleep = Box::pin(tokio::time::sleep(deadline));
        let answer = tokio::select! {
            answer = self.routed(&path, request) => answer,
            () = &mut sleep => {
                place.leaks = false;
                return refused(ErrorReason::DeadlineExceeded);
            }
        };
        let (head, body) = answer.into_parts();
        Response::from_parts(head, Body::new(Held { body, place, sleep: Some(sleep) }))
    }

    /// The refusal of who is not on the allow list.
    fn stranger(&self, path: &str) -> Option<Response<Body>> {
        let open = path == DESCRIBE && !self.is(Fault::StrangerSeesNoDescription);
        let ours = path.starts_with("/lienthong.database.v1.");
        if self.is_kit || open || !ours || self.is(Fault::StrangerServed) {
            return None;
        }
        let reason = match self.is(Fault::StrangerUnauthenticated) {
            true => ErrorReason::UnknownIdentity,
            false => ErrorReason::MethodNotAllowed,
        };
        Some(refused(reason))
    }

    async fn routed(&self, path: &str, request: Request<Incoming>) -> Response<Body> {
        if path == HEALTH {
            return self.health(request).await;
        }
        let mut routes = self.routes.clone();
        let answer = if self.is(Fault::UnknownFieldRefused) || self.is(Fault::MalformedAnswered) {
            let (head, body) = request.into_parts();
            let Ok(body) = body.collect().await else { return refused(ErrorReason::Internal) };
            let mut bytes = body.to_bytes();
            if self.is(Fault::UnknownFieldRefused) && is_newer(&bytes) {
                return refused(ErrorReason::InvalidRequest);
            }
            if self.is(Fault::MalformedAnswered) && is_malformed(&bytes) {
                bytes = Bytes::from_static(&[0; 5]);
            }
            let request = Request::from_parts(head, Body::new(Full::new(bytes)));
            tower_call(&mut routes, request).await
        } else {
            tower_call(&mut routes, request.map(Body::new)).await
        };
        self.spoilt(path, answer).await
    }

    /// What the gRPC library made, as this database says it; and the faults of errors.
    async fn spoilt(&self, path: &str, answer: Response<Body>) -> Response<Body> {
        let Some(status) = Status::from_header_map(answer.headers()) else {
            return self.leaking(path, answer).await;
        };
        match status.code() {
            Code::OutOfRange if !self.is(Fault::TooLargeOutOfRange) => {
                return refused(ErrorReason::MessageTooLarge);
            }
            Code::Unimplemented if self.is(Fault::UnknownMethodInternal) => {
                return refused(ErrorReason::Internal);
            }
            Code::Internal if self.is(Fault::MalformedEndsConnection) => {
                self.end.notify_one();
                std::future::pending::<()>().await;
            }
            _ => {}
        }
        self.spoilt_status(&status).map_or(answer, Status::into_http)
    }

    fn spoilt_status(&self, status: &Status) -> Option<Status> {
        let details = status.get_error_details();
        let info = details.error_info()?.clone();
        let mut spoilt = ErrorDetails::new();
        let mut fields = details.bad_request().map(|bad| bad.field_violations.clone());
        let (mut reason, mut domain) = (info.reason.as_str(), info.domain.as_str());
        match self.database.inner().fault? {
            Fault::NoErrorInfo => domain = "",
            Fault::OtherDomain => domain = "example.com",
            Fault::OwnReasons => reason = "NOT_OF_THE_CONTRACT",
            Fault::FirstFieldOnly => fields.as_mut()?.truncate(1),
            Fault::NoBadRequest => fields = None,
            Fault::OwnFieldFaults => {
                fields.as_mut()?.iter_mut().for_each(|field| field.reason = "WRONG".into());
            }
            _ => return None,
        }
        if self.is(Fault::OwnReasons) && status.code() != Code::InvalidArgument {
            return None;
        }
        if !domain.is_empty() {
            spoilt.set_error_info(reason, domain, []);
        }
        if let Some(fields) = fields {
            spoilt.set_bad_request(fields);
        }
        Some(Status::with_error_details(status.code(), status.message(), spoilt))
    }

    /// A comparison whose answer brings more than the contract says.
    async fn leaking(&self, path: &str, answer: Response<Body>) -> Response<Body> {
        if !(self.is(Fault::VerifyLeaks) && path == VERIFY) {
            return answer;
        }
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let mut message = bytes[5..].to_vec();
        prost::encoding::string::encode(99, &"the value".to_owned(), &mut message);
        reply(&message)
    }

    async fn health(&self, request: Request<Incoming>) -> Response<Body> {
        let Ok(body) = request.into_body().collect().await else {
            return refused(ErrorReason::Internal);
        };
        let bytes = body.to_bytes();
        // The name is the one field of the message.
        let name = String::from_utf8_lossy(bytes.get(7..).unwrap_or_default()).into_owned();
        let roles = ["DatabaseService", "SourceService", "LookupService", "SinkService"];
        let known = roles.iter().any(|role| name == format!("lienthong.database.v1.{role}"));
        if !name.is_empty() && !known && !self.is(Fault::HealthKnowsEverything) {
            return refused(ErrorReason::UnknownService);
        }
        let down = self.is(Fault::HealthOfARole) && name.ends_with("SinkService");
        reply(&[8, if down { 2 } else { 1 }])
    }
}

async fn tower_call(routes: &mut Routes, request: Request<Body>) -> Response<Body> {
    use tonic::codegen::Service as _;
    std::future::poll_fn(|cx| {
        <Routes as tonic::codegen::Service<Request<Body>>>::poll_ready(routes, cx)
    })
    .await
    .unwrap();
    routes.call(request).await.unwrap()
}

/// Whether a small request has a field of the kit's later contract.
fn is_newer(bytes: &[u8]) -> bool {
    let mut key = Vec::new();
    prost::encoding::encode_key(1911, prost::encoding::WireType::Varint, &mut key);
    bytes.len() < 1 << 20 && bytes.windows(key.len()).any(|part| part == key)
}

/// Whether these are the bytes of the kit that are no message.
fn is_malformed(framed: &[u8]) -> bool {
    matches!(framed.get(5..), Some([0x0a, 0x7f, b'x'] | [15, 0] | [8, 255, ..]))
}

pub fn timeout(headers: &HeaderMap) -> Duration {
    let text = headers.get("grpc-timeout").and_then(|text| text.to_str().ok()).unwrap_or("30S");
    let (number, unit) = text.split_at(text.len() - 1);
    let number = number.parse().unwrap();
    match unit {
        "m" => Duration::from_millis(number),
        "S" => Duration::from_secs(number),
        _ => panic!("{text}"),
    }
}

/// An answer of one message.
fn reply(message: &[u8]) -> Response<Body> {
    let mut framed = BytesMut::from(&[0][..]);
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(framed.freeze()).with_trailers(async { Some(Ok(trailers)) });
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(Body::new(body)).unwrap()
}
