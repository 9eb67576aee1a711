//! One call, from its head to its status.

use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream, client::ResponseFuture};
use http::HeaderMap;
use prost::Message;
use tonic::{Code, Status};

use super::{NoAnswer, Wire, within};

/// What a server is told of a call's time when no case says otherwise: the contract asks every caller for a deadline.
const DEADLINE: &str = "30S";
/// More than this of one answer is not kept.
const ANSWER_MAX: usize = 64 << 20;

/// A call that is to be made.
pub(crate) struct Ask<'a> {
    path: &'a str,
    body: Option<Bytes>,
    timeout: String,
}

impl<'a> Ask<'a> {
    /// A call with these bytes as its message.
    pub(crate) fn bytes(path: &'a str, message: &[u8]) -> Self {
        Self { path, body: Some(framed(message)), timeout: DEADLINE.to_owned() }
    }

    /// A call with a message.
    pub(crate) fn of(path: &'a str, message: &impl Message) -> Self {
        Self::bytes(path, &message.encode_to_vec())
    }

    /// A call whose message does not come with its head.
    pub(crate) fn held_back(path: &'a str) -> Self {
        Self { path, body: None, timeout: DEADLINE.to_owned() }
    }

    /// The same call with a deadline. It is a header and nothing else: the server alone keeps it.
    pub(crate) fn due_in(self, time: Duration) -> Self {
        Self { timeout: format!("{}m", time.as_millis()), ..self }
    }
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The messages, without their prefixes.
    pub(crate) messages: Vec<Bytes>,
    /// How it ended, OK or not.
    pub(crate) status: Status,
    /// The names of the headers and trailers, sorted.
    pub(crate) names: Vec<String>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// A call under way.
pub(crate) struct Open {
    response: Option<ResponseFuture>,
    send: SendStream<Bytes>,
    head: Option<HeaderMap>,
    code: http::StatusCode,
    body: Option<RecvStream>,
    buffer: BytesMut,
    taken: usize,
    patience: Duration,
    began: Instant,
}

/// A message as gRPC frames it.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

impl Wire {
    /// Makes a call and takes all of its answer.
    pub(crate) async fn call(&self, ask: Ask<'_>) -> Result<Reply, NoAnswer> {
        let patience = self.patience;
        within(patience, async { self.open(ask).await?.rest(patience).await }).await
    }

    /// Begins a call.
    pub(crate) async fn open(&self, ask: Ask<'_>) -> Result<Open, NoAnswer> {
        let head = http::Request::post(format!("https://{}{}", self.authority, ask.path))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", concat!("lienthong-conformance/", env!("CARGO_PKG_VERSION")))
            .header("grpc-timeout", ask.timeout)
            .body(())
            .map_err(|error| NoAnswer::NotGrpc(error.to_string()))?;
        let ready = async {
            self.send.clone().ready().await.map_err(|error| NoAnswer::Ended(error.to_string()))
        };
        let mut send = within(self.patience, ready).await?;
        let (response, stream) =
            send.send_request(head, false).map_err(|error| NoAnswer::Ended(error.to_string()))?;
        let mut open = Open {
            response: Some(response),
            send: stream,
            head: None,
            code: http::StatusCode::OK,
            body: None,
            buffer: BytesMut::new(),
            taken: 0,
            patience: self.patience,
            began: Instant::now(),
        };
        if let Some(body) = ask.body {
            open.send(body);
        }
        Ok(open)
    }
}

impl Open {
    /// Sends the message, and with it the end of the request. A server may have answered already.
    pub(crate) fn send(&mut self, framed: Bytes) {
        let _taken = self.send.send_data(framed, true);
    }

    /// Gives the call up.
    pub(crate) fn cancel(mut self) {
        self.send.send_reset(Reason::CANCEL);
    }

    /// Waits until the answer's head has come.
    pub(crate) async fn begun(&mut self, patience: Duration) -> Result<(), NoAnswer> {
        let Some(response) = &mut self.response else { return Ok(()) };
        let response = tokio::time::timeout(patience, response)
            .await
            .map_err(|_| NoAnswer::Silent(patience))?;
        self.response = None;
        let (head, body) = response.map_err(|error| ended(&error))?.into_parts();
        (self.head, self.code, self.body) = (Some(head.headers), head.status, Some(body));
        Ok(())
    }

    /// The next message; none when no further one comes.
    pub(crate) async fn next(&mut self, patience: Duration) -> Result<Option<Bytes>, NoAnswer> {
        self.begun(patience).await?;
        let taken = async {
            loop {
                if let Some(message) = self.message()? {
                    return Ok(Some(message));
                }
                let Some(body) = &mut self.body else { return Ok(None) };
                let Some(chunk) = body.data().await else { return Ok(None) };
                let chunk = chunk.map_err(|error| ended(&error))?;
                let _released = body.flow_control().release_capacity(chunk.len());
                self.taken += chunk.len();
                if self.taken > ANSWER_MAX {
                    return Err(NoAnswer::NotGrpc(format!("more than {ANSWER_MAX} bytes")));
                }
                self.buffer.put_slice(&chunk);
            }
        };
        within(patience, taken).await
    }

    fn message(&mut self) -> Result<Option<Bytes>, NoAnswer> {
        let Some(prefix) = self.buffer.first_chunk::<5>() else { return Ok(None) };
        let [compressed, length @ ..] = *prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if compressed != 0 {
            return Err(NoAnswer::NotGrpc("a message is compressed, which was not asked".into()));
        }
        if self.buffer.len() - 5 < length {
            return Ok(None);
        }
        self.buffer.advance(5);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Takes everything that comes until the call ends; a call that is reset has the status that gRPC gives to it.
    pub(crate) async fn rest(mut self, patience: Duration) -> Result<Reply, NoAnswer> {
        let mut messages = Vec::new();
        let began = Instant::now();
        let status = loop {
            let left = patience.saturating_sub(began.elapsed());
            match self.next(left).await {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break None,
                Err(NoAnswer::Ended(why)) => match reset(&why) {
                    Some(status) => break Some(status),
                    None => return Err(NoAnswer::Ended(why)),
                },
                Err(NoAnswer::Silent(_)) => return Err(NoAnswer::Silent(patience)),
                Err(other) => return Err(other),
            }
        };
        self.finish(messages, status).await
    }

    async fn finish(
        mut self,
        messages: Vec<Bytes>,
        status: Option<Status>,
    ) -> Result<Reply, NoAnswer> {
        let head = self.head.take().unwrap_or_default();
        let trailers = match (&status, &mut self.body) {
            (None, Some(body)) => within(self.patience, async {
                body.trailers().await.map_err(|error| ended(&error))
            })
            .await
            .unwrap_or_default()
            .unwrap_or_default(),
            _ => HeaderMap::new(),
        };
        let status = status
            .or_else(|| Status::from_header_map(&trailers))
            .or_else(|| Status::from_header_map(&head))
            .or_else(|| by_http(self.code))
            .ok_or_else(|| NoAnswer::NotGrpc("it ended without grpc-status".into()))?;
        if !self.buffer.is_empty() {
            return Err(NoAnswer::NotGrpc("it ended within a message".into()));
        }
        let mut names: Vec<String> =
            head.keys().chain(trailers.keys()).map(ToString::to_string).collect();
        names.sort_unstable();
        names.dedup();
        Ok(Reply { messages, status, names, took: self.began.elapsed() })
    }
}

const RESET: &str = "reset: ";

/// The end of a stream, or of the connection below it.
fn ended(error: &h2::Error) -> NoAnswer {
    match error.reason() {
        Some(reason) if error.is_reset() && error.is_remote() => {
            NoAnswer::Ended(format!("{RESET}{}", u32::from(reason)))
        }
        _ => NoAnswer::Ended(error.to_string()),
    }
}

/// The status of a call that was reset, as gRPC's own clients read it.
fn reset(why: &str) -> Option<Status> {
    let reason = Reason::from(why.strip_prefix(RESET)?.parse::<u32>().ok()?);
    let code = match reason {
        Reason::CANCEL => Code::Cancelled,
        Reason::REFUSED_STREAM => Code::Unavailable,
        Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Internal,
    };
    Some(Status::new(code, format!("RST_STREAM {}", reason.description())))
}

/// The status of an answer that has none, as gRPC's own clients read it; none for an answer that was OK.
fn by_http(code: http::StatusCode) -> Option<Status> {
    let status = match code.as_u16() {
        200 => return None,
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Some(Status::new(status, format!("HTTP {code}")))
}
