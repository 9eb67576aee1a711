//! `GET /metrics` without TLS, for Prometheus: nothing in it is of a person, and it is not the port of callers.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};
use tokio::net::TcpListener;

use crate::plain::{self, Answer};

const CONNECTIONS_MAX: usize = 16;

/// Answers until it is dropped.
pub(super) async fn serve(listener: TcpListener, registry: Registry) {
    let answers = move |request| std::future::ready(answer(&request, &registry));
    plain::serve(listener, CONNECTIONS_MAX, answers).await;
}

fn answer(request: &Request<()>, registry: &Registry) -> Answer {
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
