//! One request to a witness over HTTP: one answer, of bounded length, in bounded time. Redirects are not followed.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

/// An answer is some lines.
const BODY_MAX: usize = 64 << 10;
/// So are its headers.
const HEAD_MAX: usize = 64 << 10;
/// Connections that nobody uses are left to the witness for so long.
const IDLE: Duration = Duration::from_secs(60);

/// What sends. Clones share connections.
#[derive(Clone)]
pub(crate) struct Post {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    answer_max: Duration,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Bytes,
}

/// Why nothing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It took too long.
    Late,
    /// No connection, or it ended.
    Away,
    /// The answer is too long, or ends in the middle.
    Unreadable,
}

impl Post {
    /// Sends to whoever has a certificate of the CAs in a PEM file, for `https`, and waits so long for an answer.
    pub(crate) fn new(roots_file: &str, answer_max: Duration) -> Result<Self, server::StartError> {
        let tls = server::tls::outward(roots_file)?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(HEAD_MAX)
            .build(connector.enable_http1().build());
        Ok(Self { client, answer_max })
    }

    /// Sends a text.
    pub(crate) async fn send(&self, to: &Uri, text: String) -> Result<Reply, Unanswered> {
        let mut request = Request::new(Full::from(text));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = to.clone();
        let answered = tokio::time::timeout(self.answer_max, self.answer(request));
        answered.await.unwrap_or(Err(Unanswered::Late))
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Reply, Unanswered> {
        let answer = self.client.request(request).await.map_err(|_| Unanswered::Away)?;
        let (head, body) = answer.into_parts();
        let content_type = head.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let body = Limited::new(body, BODY_MAX).collect().await;
        let body = body.map_err(|_| Unanswered::Unreadable)?.to_bytes();
        Ok(Reply { status: head.status.as_u16(), content_type, body })
    }
}
