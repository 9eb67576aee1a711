//! What a call holds until its answer is taken: its place, and its deadline.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use contract::r#type::v1::ErrorReason;
use http::HeaderMap;
use http_body::Frame;
use server::error::refuse;
use tokio::{sync::OwnedSemaphorePermit, time::Sleep};
use tonic::{Status, body::Body};

/// The place of a call; a fault keeps it when nobody waits for the end.
pub struct Place {
    pub held: Option<OwnedSemaphorePermit>,
    pub leaks: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.leaks
            && let Some(held) = self.held.take()
        {
            held.forget();
        }
    }
}

/// A body that holds its place, and ends at its deadline.
pub struct Held {
    pub body: Body,
    pub place: Place,
    pub sleep: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(sleep) = &mut self.sleep else { return Poll::Ready(None) };
        let late = sleep.as_mut().poll(cx).is_ready();
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                if frame
                    .as_ref()
                    .is_none_or(|frame| frame.as_ref().is_ok_and(http_body::Frame::is_trailers))
                {
                    self.place.leaks = false;
                }
                Poll::Ready(frame)
            }
            Poll::Pending if late => {
                (self.sleep, self.place.leaks) = (None, false);
                let mut trailers = HeaderMap::new();
                refuse(ErrorReason::DeadlineExceeded).add_header(&mut trailers).unwrap();
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.sleep.is_none() || self.body.is_end_stream()
    }
}
