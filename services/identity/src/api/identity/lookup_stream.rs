//! `LookupStream`: many persons on one stream, each answered as `GetPerson` answers.
//!
//! ```text
//! caller's messages -> start's task: at most UNDER_WAY_MAX queries at once -> channel -> Responses -> transport
//! ```
//!
//! A task of its own does the work, so that what a slow caller has not taken waits in the channel and holds no turn that
//! others wait for (I11). A query has its place from when it is read until the transport takes its response: when all
//! places are taken nothing is read, and HTTP/2 holds the caller back. When the caller goes away the task ends with what
//! it has under way; what was charged by then stays charged.

mod decision;
mod queries;
mod turns;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use contract::{
    identity::v1::{LookupStreamRequest, LookupStreamResponse},
    r#type::v1::ErrorReason,
};
use disclosure::{Exact, Released};
use futures::{Stream, StreamExt as _, stream::FuturesUnordered};
use server::{Caller, Closing, Deadline, error::refuse, trace::Trace};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::AbortHandle,
};
use tonic::{Code, Status, Streaming};
use tracing::Instrument as _;
use wire::{Fault, Faults};

use self::queries::{Opened, Query};
pub(in crate::api) use self::turns::Turns;
use crate::api::Shared;

/// Queries of one stream that are under way. It is in the contract.
const UNDER_WAY_MAX: usize = 64;

/// Everything of the caller, one message after the other.
type Messages = Streaming<Exact<LookupStreamRequest>>;
type Response = Released<LookupStreamResponse>;

/// A response, or the end of the stream, with the place of its query.
type Sent = (Result<Response, Status>, Option<OwnedSemaphorePermit>);

/// The responses of a stream, as the transport takes them.
pub(in crate::api) struct Responses {
    sent: mpsc::Receiver<Sent>,
    work: AbortHandle,
}

impl Stream for Responses {
    type Item = Result<Response, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The place is free as soon as the transport has the response.
        self.sent.poll_recv(cx).map(|sent| sent.map(|(response, _place)| response))
    }
}

impl Drop for Responses {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// Starts to answer.
pub(super) fn start(
    shared: Arc<Shared>,
    caller: Caller,
    deadline: Deadline,
    closing: Closing,
    messages: Messages,
) -> Responses {
    // Each place has room, and the end of the stream, too: sending never waits.
    let (sender, sent) = mpsc::channel(UNDER_WAY_MAX + 1);
    let work = async move {
        let answering = answer_all(&shared, &caller, deadline, closing, messages, &sender);
        if let Err(status) = deadline.bounds(answering).await {
            // Nobody is there any more when this fails.
            let _gone = sender.send((Err(status), None)).await;
        }
    };
    let work = tokio::spawn(Trace::go_on(work).in_current_span());
    Responses { sent, work: work.abort_handle() }
}

/// Reads the opening, then answers each query, until the caller has ended its side or the stream must end.
async fn answer_all(
    shared: &Shared,
    caller: &Caller,
    deadline: Deadline,
    closing: Closing,
    mut messages: Messages,
    sender: &mpsc::Sender<Sent>,
) -> Result<(), Status> {
    let first = tokio::select! {
        () = closing.begins() => return Err(refuse(ErrorReason::Overloaded)),
        first = messages.message() => first.map_err(in_our_words)?,
    };
    let Some(first) = first else { return Err(no_opening()) };
    let opened = Opened::read(shared, caller, deadline, &first)?;
    let places = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let mut working = FuturesUnordered::new();
    let (mut reading, mut ended) = (true, Ok(()));
    loop {
        tokio::select! {
            () = closing.begins(), if reading => {
                (reading, ended) = (false, Err(refuse(ErrorReason::Overloaded)));
            }
            Some((query, response, place)) = working.next() => {
                opened.is_answered(query);
                let _gone = sender.send((Ok(response), Some(place))).await;
            }
            read = next(&mut messages, &places), if reading => match read {
                Ok(Some((exact, place))) => {
                    let query = opened.begin(&exact);
                    working.push(respond(&opened, query, exact, place));
                }
                Ok(None) => reading = false,
                Err(status) => (reading, ended) = (false, Err(in_our_words(status))),
            },
            else => return ended,
        }
    }
}

/// The next message, when there is a place for it.
async fn next(
    messages: &mut Messages,
    places: &Arc<Semaphore>,
) -> Result<Option<(Exact<LookupStreamRequest>, OwnedSemaphorePermit)>, Status> {
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.map_err(|_closed| refuse(ErrorReason::Internal))?;
    Ok(messages.message().await?.map(|exact| (exact, place)))
}

/// The response to a query, whatever it is.
async fn respond(
    opened: &Opened<'_>,
    query: Query,
    exact: Exact<LookupStreamRequest>,
    place: OwnedSemaphorePermit,
) -> (Query, Response, OwnedSemaphorePermit) {
    let response = match opened.answer(&query, &exact).await {
        Ok(disclosed) => Released::answered(query.correlation_id, disclosed),
        Err(status) => Released::refused(query.correlation_id, &status),
    };
    (query, response, place)
}

/// A stream that ends before it is opened.
fn no_opening() -> Status {
    let mut faults = Faults::default();
    faults.add("opening", Fault::Missing);
    faults.finish().err().unwrap_or_else(|| refuse(ErrorReason::Internal))
}

/// What ended the caller's side, in our words: a message that is too large or cannot be read.
fn in_our_words(status: Status) -> Status {
    if !status.details().is_empty() {
        status
    } else if status.code() == Code::OutOfRange {
        refuse(ErrorReason::MessageTooLarge)
    } else {
        let mut faults = Faults::default();
        faults.add("", Fault::Malformed);
        faults.finish().err().unwrap_or(status)
    }
}
