//! What stands where GetPerson does, the method that is open to agencies: a handler of each test's own.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::Response as Answer;
use hyper_util::rt::TokioIo;
use tonic::{
    body::Body, client::Grpc, codegen::http::uri::PathAndQuery, server::NamedService, transport,
};

use super::{wire::shaken, *};

pub(super) const GET_PERSON: &str = "/lienthong.identity.v1.IdentityService/GetPerson";
/// A call with this header is never answered, whatever else the handler does.
pub(super) const HOLD: &str = "x-hold";

type Handler = dyn Fn(http::Request<Body>) -> BoxFuture<'static, Answer<Body>> + Send + Sync;

/// The method, and how often it was reached.
#[derive(Clone)]
pub(super) struct Persons {
    handler: Arc<Handler>,
    entered: Arc<AtomicUsize>,
    held: Arc<tokio::sync::Semaphore>,
}

impl Persons {
    pub(super) fn new<F>(handler: impl Fn(http::Request<Body>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Answer<Body>> + Send + 'static,
    {
        Self {
            handler: Arc::new(move |request| Box::pin(handler(request))),
            entered: Arc::default(),
            held: Arc::new(tokio::sync::Semaphore::new(0)),
        }
    }

    /// Neither reads nor answers, ever.
    pub(super) fn never() -> Self {
        Self::new(|request| async move {
            let _unread = request;
            std::future::pending().await
        })
    }

    /// Reads one message as every handler does, and answers `length` bytes.
    pub(super) fn reads_one_and_answers(length: usize) -> Self {
        Self::new(move |request| async move {
            let codec = tonic_prost::ProstCodec::<DecideResponse, DecideRequest>::default();
            let handler = tower::service_fn(move |_: Request<DecideRequest>| async move {
                let decision_id = "x".repeat(length);
                Ok(Response::new(DecideResponse { decision_id, ..Default::default() }))
            });
            tonic::server::Grpc::new(codec).unary(handler, request).await
        })
    }

    /// How many calls have reached the handler.
    pub(super) fn entered(&self) -> usize {
        self.entered.load(Ordering::SeqCst)
    }

    /// The server of a test, with this and a policy service that answers at once.
    pub(super) async fn start(&self, pki: &Pki, change: impl FnOnce(Config) -> Config) -> Running {
        let policy = Policy { answers: Answers::AtOnce, entered: Arc::default() };
        let routes = Routes::new(PolicyServiceServer::new(policy)).add_service(self.clone());
        Server::bind(change(config(pki, 3_000))).await.unwrap().start(routes).await
    }

    /// Holds `count` calls of a caller open, which is as many as it may have: each gets in, if need be after the
    /// while that a place outlives a call that was given up, and one more does not.
    pub(super) async fn fills(&self, caller: &transport::Channel, count: usize) {
        let mut open = tokio::task::JoinSet::new();
        while open.len() < count {
            open.spawn(held(caller.clone()));
            let refused = tokio::select! {
                entered = within(self.held.acquire()) => {
                    entered.unwrap().forget();
                    continue;
                }
                refused = open.join_next() => refused.unwrap().unwrap().unwrap_err(),
            };
            assert_eq!(reason(&refused).1, "OVERLOADED", "{refused:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let refused = within(held(caller.clone())).await.unwrap_err();
        assert_eq!(reason(&refused).1, "OVERLOADED", "the limit is what the test takes it for");
    }
}

impl NamedService for Persons {
    const NAME: &'static str = "lienthong.identity.v1.IdentityService";
}

impl tower::Service<http::Request<Body>> for Persons {
    type Response = Answer<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Answer<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.headers().contains_key(HOLD) {
            self.held.add_permits(1);
            return Box::pin(std::future::pending());
        }
        self.entered.fetch_add(1, Ordering::SeqCst);
        let answer = (self.handler)(request);
        Box::pin(async move { Ok(answer.await) })
    }
}

/// An agency's system.
pub(super) fn agency(pki: &Pki) -> tls::Files {
    pki.issue(&format!("spiffe://{DOMAIN}/agency/G24/system/hi"))
}

/// A call that ends only when it is refused.
async fn held(caller: transport::Channel) -> Result<Response<DecideResponse>, Status> {
    let mut request = Request::new(DecideRequest::default());
    request.metadata_mut().insert(HOLD, "1".parse().unwrap());
    get_person(caller, request).await
}

/// A channel of one connection, which repeats nothing.
pub(super) fn single(server: &Running, files: &tls::Files) -> transport::Channel {
    let (address, files) = (server.address(), files.clone());
    let connect = tower::service_fn(move |_| {
        let files = files.clone();
        async move { shaken(address, &files, Ipv4Addr::LOCALHOST).await.map(TokioIo::new) }
    });
    transport::Endpoint::from_static("http://127.0.0.1").connect_with_connector_lazy(connect)
}

/// Calls the method.
pub(super) async fn get_person(
    caller: impl Way,
    request: Request<DecideRequest>,
) -> Result<Response<DecideResponse>, Status> {
    let mut client = Grpc::new(caller);
    client.ready().await.map_err(|error| Status::unavailable(format!("{error:?}")))?;
    let codec = tonic_prost::ProstCodec::default();
    client.unary(request, PathAndQuery::from_static(GET_PERSON), codec).await
}
