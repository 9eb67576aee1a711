//! The body of an answer, and what is held until it is sent.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};

/// What is held until an answer is sent; dropped before, it was not.
pub(crate) trait Holds: Unpin + Send + 'static {
    /// The last frame was taken to be sent; these are the trailers, where there are any.
    fn sent(self, trailers: Option<&HeaderMap>);
}

/// A body that holds something until its last frame is taken to be sent, or it is given up.
pub(crate) struct Held<T> {
    body: Body,
    held: Option<T>,
}

impl<T: Holds> Held<T> {
    /// `body`, which holds `held`.
    pub(crate) fn until_sent(body: Body, held: T) -> Body {
        // An answer without a body is sent as soon as its head is.
        if http_body::Body::is_end_stream(&body) {
            held.sent(None);
            body
        } else {
            Body::new(Self { body, held: Some(held) })
        }
    }
}

impl<T: Holds> http_body::Body for Held<T> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let trailers = match &frame {
            Poll::Ready(Some(Ok(frame))) => frame.trailers_ref(),
            Poll::Ready(Some(Err(_)) | None) | Poll::Pending => None,
        };
        let last = match &frame {
            Poll::Ready(Some(Ok(_))) => trailers.is_some() || self.body.is_end_stream(),
            Poll::Ready(Some(Err(_)) | None) => true,
            Poll::Pending => false,
        };
        if last && let Some(held) = self.held.take() {
            held.sent(trailers);
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
