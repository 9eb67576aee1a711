//! gRPC's own test service (`grpc.testing.TestService`) on our server core, so that what others expect of every
//! gRPC server is asked of ours: `tests/interop` runs the official cases against it.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    FutureExt as _, StreamExt as _, TryStreamExt as _, future, stream, stream::BoxStream,
};
use http::{HeaderValue, Request as HttpRequest, Response as HttpResponse};
use http_body_util::BodyExt as _;
use server::{
    caller::{Methods, OpenTo, Priority},
    tls::KeyExchange,
};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    codegen::{BoxFuture, Service},
    metadata::MetadataValue,
    server::NamedService,
};

use self::pb::{
    EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse, test_service_server::TestService,
};

/// Messages and server of `tests/interop/proto`.
pub mod pb {
    #![allow(
        missing_docs,
        unreachable_pub,
        rustdoc::all,
        clippy::all,
        clippy::wildcard_enum_match_arm,
        reason = "generated code"
    )]
    include!("gen/grpc.testing.rs");
}

/// Every method of the test service, also the one that it knows and does not implement. What is open to agencies
/// here is open to the cases. `UnimplementedService` is not there at all.
pub const METHODS: Methods = Methods::new(&[
    ("/grpc.testing.TestService/EmptyCall", Priority::Ordinary, &[OpenTo::Systems]),
    ("/grpc.testing.TestService/UnaryCall", Priority::Ordinary, &[OpenTo::Systems]),
    ("/grpc.testing.TestService/StreamingOutputCall", Priority::Ordinary, &[OpenTo::Systems]),
    ("/grpc.testing.TestService/StreamingInputCall", Priority::Ordinary, &[OpenTo::Systems]),
    ("/grpc.testing.TestService/FullDuplexCall", Priority::Ordinary, &[OpenTo::Systems]),
    ("/grpc.testing.TestService/UnimplementedCall", Priority::Ordinary, &[OpenTo::Systems]),
]);

/// The header of `EmptyCall`'s answer that says in which group the connection's keys were made.
const KEY_EXCHANGE: &str = "x-key-exchange";
const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";
const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// The test service.
#[derive(Clone, Copy)]
pub struct Interop;

#[tonic::async_trait]
impl TestService for Interop {
    async fn empty_call(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        let mut response = Response::new(Empty {});
        if let Some(group) = request.extensions().get::<KeyExchange>() {
            let group = MetadataValue::from_static(group.name());
            response.metadata_mut().insert(KEY_EXCHANGE, group);
        }
        Ok(response)
    }

    async fn unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        let request = request.into_inner();
        if request.expect_compressed.is_some_and(|expected| expected.value) {
            return Err(Status::invalid_argument("the request is not compressed"));
        }
        if request.response_compressed.is_some_and(|wanted| wanted.value) {
            return Err(Status::unimplemented("no compression is offered"));
        }
        echo(request.response_status)?;
        let payload = Some(payload(request.response_size)?);
        Ok(Response::new(SimpleResponse { payload, ..SimpleResponse::default() }))
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let size = |request: StreamingInputCallRequest| {
            i32::try_from(request.payload.unwrap_or_default().body.len())
                .map_err(|_| Status::invalid_argument("a payload is too large"))
        };
        let sizes = request.into_inner().and_then(|request| future::ready(size(request)));
        let sum = async |sum: i32, size: i32| Ok(sum.saturating_add(size));
        let aggregated_payload_size = sizes.try_fold(0, sum).await?;
        Ok(Response::new(StreamingInputCallResponse { aggregated_payload_size }))
    }

    type StreamingOutputCallStream =
        BoxStream<'static, Result<StreamingOutputCallResponse, Status>>;

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Self::StreamingOutputCallStream>, Status> {
        let request = request.into_inner();
        echo(request.response_status)?;
        let answers = stream::iter(request.response_parameters).then(answer);
        Ok(Response::new(answers.boxed()))
    }

    type FullDuplexCallStream = Self::StreamingOutputCallStream;

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Self::FullDuplexCallStream>, Status> {
        let begin = (request.into_inner(), VecDeque::new());
        let answers = stream::try_unfold(begin, async |(mut requests, mut wanted)| {
            loop {
                if let Some(next) = wanted.pop_front() {
                    return Ok(Some((answer(next).await?, (requests, wanted))));
                }
                let next: Option<StreamingOutputCallRequest> = requests.message().await?;
                let Some(request) = next else { return Ok(None) };
                echo(request.response_status)?;
                wanted.extend(request.response_parameters);
            }
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn unimplemented_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented("not implemented, as the cases want it"))
    }

    async fn cacheable_unary_call(
        &self,
        _: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        Err(Status::unimplemented("no case of ours calls it"))
    }

    type HalfDuplexCallStream = Self::StreamingOutputCallStream;

    async fn half_duplex_call(
        &self,
        _: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Self::HalfDuplexCallStream>, Status> {
        Err(Status::unimplemented("no case of ours calls it"))
    }
}

/// So many zeros.
fn payload(size: i32) -> Result<Payload, Status> {
    let size = usize::try_from(size).map_err(|_| Status::invalid_argument("a negative size"))?;
    Ok(Payload { body: vec![0; size], ..Payload::default() })
}

/// The status that a request wants for an answer.
fn echo(wanted: Option<EchoStatus>) -> Result<(), Status> {
    match wanted {
        Some(EchoStatus { code, message }) if code != 0 => {
            Err(Status::new(Code::from(code), message))
        }
        Some(_) | None => Ok(()),
    }
}

async fn answer(wanted: ResponseParameters) -> Result<StreamingOutputCallResponse, Status> {
    let pause = u64::try_from(wanted.interval_us)
        .map_err(|_| Status::invalid_argument("a negative interval"))?;
    if pause > 0 {
        tokio::time::sleep(Duration::from_micros(pause)).await;
    }
    Ok(StreamingOutputCallResponse { payload: Some(payload(wanted.size)?) })
}

/// The test service with the metadata that a caller wants back, among the headers and behind the answer. tonic lets
/// no handler write behind an answer.
#[derive(Clone)]
pub struct EchoMetadata<S>(pub S);

impl<S: NamedService> NamedService for EchoMetadata<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<HttpRequest<Body>> for EchoMetadata<S>
where
    S: Service<HttpRequest<Body>, Response = HttpResponse<Body>, Future: Send + 'static>,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<S::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let initial = request.headers().get(ECHO_INITIAL).cloned();
        let trailing = request.headers().get(ECHO_TRAILING).cloned();
        let answered = self.0.call(request);
        async move {
            let mut response = answered.await?;
            if let Some(initial) = initial {
                response.headers_mut().insert(ECHO_INITIAL, initial);
            }
            Ok(match trailing {
                Some(trailing) => response.map(|body| followed_by(body, trailing)),
                None => response,
            })
        }
        .boxed()
    }
}

fn followed_by(body: Body, trailing: HeaderValue) -> Body {
    Body::new(body.map_frame(move |mut frame| {
        if let Some(trailers) = frame.trailers_mut() {
            trailers.insert(ECHO_TRAILING, trailing.clone());
        }
        frame
    }))
}
