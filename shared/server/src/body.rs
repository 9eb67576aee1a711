//! The body of an answer, and what is held until it is sent.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};

/// A body that holds something until its last frame is taken to be sent, or it is given up.
pub(crate) struct Held<T> {
    body: Body,
    held: Option<T>,
}

impl<T: Unpin + Send + 'static> Held<T> {
    /// `body`, which holds `held`.
    pub(crate) fn until_sent(body: Body, held: T) -> Body {
        // An answer without a body is sent as soon as its head is.
        if http_body::Body::is_end_stream(&body) {
            body
        } else {
            Body::new(Self { body, held: Some(held) })
        }
    }
}

impl<T: Unpin> http_body::Body for Held<T> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let last = match &frame {
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers() || self.body.is_end_stream(),
            Poll::Ready(Some(Err(_)) | None) => true,
            Poll::Pending => false,
        };
        if last {
            self.held = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
