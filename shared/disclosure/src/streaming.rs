//! Streams of personal messages, each answered by itself, in any order.
//!
//! ```text
//! caller's messages -> answer's task: at most so many at once -> channel -> Responses -> transport
//! ```
//!
//! A task of its own does the work, so that what a slow caller has not taken waits in the channel and holds no turn that
//! others wait for (I11). A message has its place from when it is read until the transport takes its response: when all
//! places are taken nothing is read, and HTTP/2 holds the caller back. When the caller goes away nothing more is read, and what
//! is under way is finished: otherwise whoever asks and goes away, again and again, has more under way than it may.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll, ready},
};

use contract::r#type::v1::{ErrorReason, FieldFault};
use futures::{Stream, StreamExt as _, stream::FuturesUnordered};
use server::{
    Caller, Closing, Deadline,
    error::{Violation, invalid, refuse},
    trace::Trace,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::{Code, Status, Streaming};
use tracing::Instrument as _;

use crate::{Exact, Released};

/// The streams of each caller that are open. What a stream has read and not answered yet is held in memory: of a caller, by so
/// many (I11).
pub struct Streams {
    max: usize,
    open: Mutex<HashMap<String, Weak<()>>>,
}

impl Streams {
    /// Of each caller at most `max`.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, open: Mutex::default() }
    }

    /// A caller's next stream, as long as what is given is kept.
    ///
    /// # Errors
    /// OVERLOADED when it has as many as it may.
    pub fn open(&self, caller: &Caller) -> Result<Arc<()>, Status> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = open.get(caller.id()).and_then(Weak::upgrade) {
            // Its own streams, and this one.
            let allowed = Arc::strong_count(&stream) <= self.max;
            return allowed.then_some(stream).ok_or_else(|| refuse(ErrorReason::Overloaded));
        }
        // Callers that have no stream any more are forgotten.
        open.retain(|_, stream| stream.strong_count() > 0);
        let stream = Arc::new(());
        open.insert(caller.id().to_owned(), Arc::downgrade(&stream));
        Ok(stream)
    }
}

/// What goes to the transport.
enum Sent<R> {
    /// A response, with the place of its message, or its own.
    Response(Released<R>, OwnedSemaphorePermit),
    /// The end of the stream.
    End(Result<(), Status>),
}

/// The responses of a stream, as the transport takes them.
pub struct Responses<R> {
    sent: mpsc::Receiver<Sent<R>>,
    ended: bool,
}

impl<R> Stream for Responses<R> {
    type Item = Result<Released<R>, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let sent = ready!(self.sent.poll_recv(cx));
        Poll::Ready(match sent {
            // The place is free as soon as the transport has the response.
            Some(Sent::Response(response, _place)) => Some(Ok(response)),
            Some(Sent::End(end)) => {
                self.ended = true;
                end.err().map(Err)
            }
            // Without an end the work broke off, and not all is answered.
            None => {
                self.ended = true;
                Some(Err(refuse(ErrorReason::Internal)))
            }
        })
    }
}

/// The caller's side of a stream, and how responses to it go.
pub struct Messages<T, R> {
    messages: Streaming<Exact<T>>,
    sender: mpsc::Sender<Sent<R>>,
    places: Arc<Semaphore>,
    closing: Closing,
}

/// Starts to answer: `answering` reads the messages and ends the stream, with a status where it does not end well. At most
/// `under_way_max` messages are under way at once.
pub fn answer<T, R, F>(
    (deadline, closing): (Deadline, Closing),
    messages: Streaming<Exact<T>>,
    under_way_max: usize,
    answering: impl FnOnce(Messages<T, R>) -> F,
) -> Responses<R>
where
    R: Send + 'static,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    spawn(deadline, under_way_max, |sender, places| {
        answering(Messages { messages, sender, places, closing })
    })
}

/// Does the work of a stream in a task of its own, until its deadline.
fn spawn<R, F>(
    deadline: Deadline,
    places_max: usize,
    work: impl FnOnce(mpsc::Sender<Sent<R>>, Arc<Semaphore>) -> F,
) -> Responses<R>
where
    R: Send + 'static,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    // Each place has room, and the end of the stream, too: sending never waits.
    let (sender, sent) = mpsc::channel(places_max + 1);
    let work = work(sender.clone(), Arc::new(Semaphore::new(places_max)));
    let work = async move {
        let end = deadline.bounds(work).await;
        // Nobody is there any more when this fails.
        let _gone = sender.send(Sent::End(end)).await;
    };
    tokio::spawn(Trace::go_on(work).in_current_span());
    Responses { sent, ended: false }
}

impl<T, R> Messages<T, R> {
    /// The first message; none when the caller has ended its side before it.
    ///
    /// # Errors
    /// When it is too large or cannot be read, does not come in time, or the server stops.
    pub async fn first(&mut self, by: Deadline) -> Result<Option<Exact<T>>, Status> {
        tokio::select! {
            () = tokio::time::sleep_until(by.at()) => Err(refuse(ErrorReason::DeadlineExceeded)),
            () = self.closing.begins() => Err(refuse(ErrorReason::Overloaded)),
            first = self.messages.message() => first.map_err(in_our_words),
        }
    }

    /// Answers each message that comes, until the caller has ended its side or the stream must end, and everything under
    /// way is answered. `respond` is called when a message is read.
    ///
    /// # Errors
    /// Why the stream ended before its caller ended it.
    pub async fn answer_each<F>(mut self, respond: impl Fn(Exact<T>) -> F) -> Result<(), Status>
    where
        F: Future<Output = Released<R>>,
    {
        let mut working = FuturesUnordered::new();
        let (mut reading, mut ended) = (true, Ok(()));
        loop {
            tokio::select! {
                () = self.sender.closed(), if reading => reading = false,
                () = self.closing.begins(), if reading => {
                    (reading, ended) = (false, Err(refuse(ErrorReason::Overloaded)));
                }
                Some((response, place)) = working.next() => {
                    let _gone = self.sender.send(Sent::Response(response, place)).await;
                }
                read = next(&mut self.messages, &self.places), if reading => match read {
                    Ok(Some((exact, place))) => {
                        let response = respond(exact);
                        working.push(async move { (response.await, place) });
                    }
                    Ok(None) => reading = false,
                    Err(status) => (reading, ended) = (false, Err(in_our_words(status))),
                },
                else => return ended,
            }
        }
    }
}

/// How a caller is told on a stream that it opened by one request.
pub struct Telling<R> {
    sender: mpsc::Sender<Sent<R>>,
    places: Arc<Semaphore>,
    closing: Closing,
}

/// The place of a message that is not made yet.
pub struct Place(OwnedSemaphorePermit);

/// Starts to tell: `telling` makes the messages and ends the stream. At most `ahead_max` of them are made that the transport has
/// not taken; so nothing is read for a caller that stalls, and nobody waits for it (I11).
pub fn tell<R, F>(
    (deadline, closing): (Deadline, Closing),
    ahead_max: usize,
    telling: impl FnOnce(Telling<R>) -> F,
) -> Responses<R>
where
    R: Send + 'static,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    spawn(deadline, ahead_max, |sender, places| telling(Telling { sender, places, closing }))
}

impl<R> Telling<R> {
    /// Waits until the transport takes another message; none when the caller has gone away.
    ///
    /// # Errors
    /// OVERLOADED when the server stops.
    pub async fn place(&self) -> Result<Option<Place>, Status> {
        tokio::select! {
            biased;
            ended = self.ends() => ended.map(|()| None),
            place = Arc::clone(&self.places).acquire_owned() => {
                let place = place.map_err(|_closed| refuse(ErrorReason::Internal))?;
                Ok(Some(Place(place)))
            }
        }
    }

    /// Waits until the caller has gone away, or the server stops.
    ///
    /// # Errors
    /// OVERLOADED when the server stops.
    pub async fn ends(&self) -> Result<(), Status> {
        tokio::select! {
            () = self.closing.begins() => Err(refuse(ErrorReason::Overloaded)),
            () = self.sender.closed() => Ok(()),
        }
    }

    /// Sends a message.
    pub async fn send(&self, message: Released<R>, Place(place): Place) {
        // Each place has room; nobody is there any more when this fails.
        let _gone = self.sender.send(Sent::Response(message, place)).await;
    }
}

/// The next message, when there is a place for it.
async fn next<T>(
    messages: &mut Streaming<Exact<T>>,
    places: &Arc<Semaphore>,
) -> Result<Option<(Exact<T>, OwnedSemaphorePermit)>, Status> {
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.map_err(|_closed| refuse(ErrorReason::Internal))?;
    Ok(messages.message().await?.map(|exact| (exact, place)))
}

/// What ended the caller's side, in our words: a message that is too large or cannot be read.
fn in_our_words(status: Status) -> Status {
    if !status.details().is_empty() {
        status
    } else if status.code() == Code::OutOfRange {
        refuse(ErrorReason::MessageTooLarge)
    } else {
        invalid(vec![Violation {
            field: String::new(),
            reason: FieldFault::Malformed,
            vi: "không đúng dạng".to_owned(),
            en: "has not the right form".to_owned(),
        }])
    }
}
