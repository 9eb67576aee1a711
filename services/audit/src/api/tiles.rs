//! The log over HTTP at the paths of C2SP `tlog-tiles`: checkpoint and tiles of hashes, to whoever asks. They say how many records
//! there are and nothing else, and prove themselves: so neither TLS nor a certificate is asked for. Bundles of entries are not here.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use server::plain::{self, Answer};
use tlog::tile::{Row, Tile};
use tokio::net::TcpListener;

use crate::Service;

const CONNECTIONS_MAX: usize = 64;
/// A checkpoint is a new one with the next record.
const FRESH: &str = "no-cache";
/// A tile never changes, also where a fuller one comes after it.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// Answers until it is dropped.
pub(crate) async fn serve(listener: TcpListener, service: Service) {
    let answers = move |request: Request<()>| {
        let service = service.clone();
        async move { answer(&service, &request).await }
    };
    plain::serve(listener, CONNECTIONS_MAX, answers).await;
}

async fn answer(service: &Service, request: &Request<()>) -> Answer {
    if request.method() != Method::GET {
        return with(said(StatusCode::METHOD_NOT_ALLOWED), header::ALLOW, "GET");
    }
    let path = request.uri().path().trim_start_matches('/');
    let found = match (path, Tile::parse(path)) {
        ("checkpoint", _) => {
            service.shown().await.map(|shown| Some(file(Bytes::from(shown.note), TEXT, FRESH)))
        }
        (_, Some(tile)) if tile.row() == Row::Entries => return said(StatusCode::FORBIDDEN),
        (_, Some(tile)) => service
            .tile(&tile)
            .await
            .map(|tile| tile.map(|bytes| file(Bytes::from(bytes), BYTES, FOR_EVER))),
        (_, None) => Ok(None),
    };
    match found {
        Ok(Some(file)) => file,
        Ok(None) => said(StatusCode::NOT_FOUND),
        Err(error) => {
            super::not_shown(&error);
            with(said(StatusCode::SERVICE_UNAVAILABLE), header::RETRY_AFTER, "1")
        }
    }
}

fn file(bytes: Bytes, kind: &'static str, caching: &'static str) -> Answer {
    let answer = with(Response::new(Full::new(bytes)), header::CONTENT_TYPE, kind);
    with(answer, header::CACHE_CONTROL, caching)
}

fn said(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}
