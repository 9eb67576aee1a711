//! `GET /metrics` without TLS, for Prometheus: nothing in it is of a person, and it is not the port of callers.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Connections at the same time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 16;
/// How long one may last.
const AGE: Duration = Duration::from_secs(30);
/// After accept fails, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers until it is dropped.
pub(super) async fn serve(listener: TcpListener, registry: Registry) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((tcp, _)) => {
                    connections.spawn(connection(tcp, registry.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

async fn connection(tcp: TcpStream, registry: Registry) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        std::future::ready(Ok::<_, Infallible>(answer(&request, &registry)))
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(AGE)
        .serve_connection(TokioIo::new(tcp), service);
    // A scraper that goes away or is too slow comes again.
    let _ended_either_way = tokio::time::timeout(AGE, served).await;
}

fn answer(request: &Request<Incoming>, registry: &Registry) -> Response<Full<Bytes>> {
    let said = |status: StatusCode, text: String| {
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        let kind = header::HeaderValue::from_static(TEXT_FORMAT);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    };
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            match TextEncoder::new().encode_to_string(&registry.gather()) {
                Ok(text) => said(StatusCode::OK, text),
                Err(_) => said(StatusCode::INTERNAL_SERVER_ERROR, String::new()),
            }
        }
        (_, "/metrics") => said(StatusCode::METHOD_NOT_ALLOWED, String::new()),
        _ => said(StatusCode::NOT_FOUND, String::new()),
    }
}
