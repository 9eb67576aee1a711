//! The log over HTTP at the paths of C2SP `tlog-tiles`. Checkpoint and tiles of hashes say how many records there are and nothing else, and
//! prove themselves: they are shown to whoever asks, without TLS. Where there is a listener of its own for those with a certificate, they
//! are shown there, too, and bundles of entries to auditors.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use server::{
    Caller, Deadline, plain,
    web::{Answer, Site, said},
};
use tlog::tile::{Row, Tile};
use tokio::net::TcpListener;

use crate::{Error, Service};

pub(crate) const CONNECTIONS_MAX: usize = 64;
/// A checkpoint is a new one with the next record.
const FRESH: &str = "no-cache";
/// A tile never changes, also where a fuller one comes after it.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Nor does a bundle, but it is not for whoever shares a cache with an auditor.
const FOR_EVER_PRIVATE: &str = "private, max-age=31536000, immutable";
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// Answers until it is dropped.
pub(crate) async fn serve(listener: TcpListener, service: Service) {
    let answers = move |request: Request<()>| {
        let service = service.clone();
        async move { answer(&service, &request, false).await }
    };
    plain::serve(listener, CONNECTIONS_MAX, answers).await;
}

/// The log to those with a certificate.
pub(crate) struct Certified(pub(crate) Service);

impl Site for Certified {
    fn name(&self, path: &str) -> Option<&'static str> {
        match Tile::parse(path.strip_prefix('/').unwrap_or(path)) {
            Some(tile) if tile.row() == Row::Entries => Some("/tile/entries"),
            Some(_) => Some("/tile"),
            None => ["/checkpoint", "/minimum-index"].into_iter().find(|name| *name == path),
        }
    }

    async fn answer(&self, request: Request<()>, caller: Caller, _: Deadline) -> Answer {
        answer(&self.0, &request, self.0.is_auditor(caller.id())).await
    }
}

/// The answer to somebody who may or may not read entries. It is not compressed, as C2SP says that bundles should be: a leaf is an
/// id and two commitments, of which hardly anything can be made shorter, behind a fixed head and a time, by which a fifth could.
async fn answer(service: &Service, request: &Request<()>, auditor: bool) -> Answer {
    if request.method() != Method::GET {
        return with(said(StatusCode::METHOD_NOT_ALLOWED), header::ALLOW, "GET");
    }
    let path = request.uri().path();
    let path = path.strip_prefix('/').unwrap_or(path);
    let found = match (path, Tile::parse(path)) {
        ("checkpoint", _) => {
            service.shown().await.map(|shown| Some(file(Bytes::from(shown.note), TEXT, FRESH)))
        }
        ("minimum-index", _) => {
            let index = service.minimum_index().await;
            index.map(|index| Some(file(Bytes::from(format!("{index}\n")), TEXT, FRESH)))
        }
        (_, Some(tile)) if tile.row() == Row::Entries => {
            if !auditor {
                return said(StatusCode::FORBIDDEN);
            }
            let bundle = service.bundle(&tile).await;
            bundle.map(|found| found.map(|b| file(Bytes::from(b), BYTES, FOR_EVER_PRIVATE)))
        }
        (_, Some(tile)) => service
            .tile(&tile)
            .await
            .map(|tile| tile.map(|bytes| file(Bytes::from(bytes), BYTES, FOR_EVER))),
        (_, None) => Ok(None),
    };
    match found {
        Ok(Some(file)) => file,
        Ok(None) => said(StatusCode::NOT_FOUND),
        // It was there, and the archive has it.
        Err(Error::Pruned(_)) => said(StatusCode::GONE),
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

fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}
