//! What is told of a call to another service: a measurement and a span, when its answer has been taken or given up.

use http::HeaderMap;
use opentelemetry::{
    global::BoxedSpan,
    trace::{Span as _, SpanContext, SpanKind},
};
use tonic::Code;

use crate::{
    body::Holds,
    telemetry::{
        metrics::metrics,
        span::{self, Ended},
    },
    trace::Trace,
};

/// Other methods than the contract's.
const OTHER: &str = "_OTHER";

/// The call whose end is told when this is dropped.
pub(super) struct Observed {
    begun: tokio::time::Instant,
    method: &'static str,
    ended: Ended,
    span: BoxedSpan,
    around: Option<SpanContext>,
}

impl Observed {
    pub(super) fn new(path: &str) -> Self {
        let known = contract::METHODS.iter().map(|(method, _)| *method).find(|m| *m == path);
        let method = known.unwrap_or(OTHER);
        let around = Trace::current_span();
        let span = span::begin(SpanKind::Client, method, around.as_ref());
        let ended = Ended { code: Code::Cancelled, reason: None };
        Self { begun: tokio::time::Instant::now(), method, ended, span, around }
    }

    /// Where the call stands in its trace, for whoever is called: nowhere, when none is under way and no spans are
    /// made. The next service then begins one, and says itself whether it is kept.
    pub(super) fn place(&self) -> Option<&SpanContext> {
        let own = self.span.span_context();
        if own.is_valid() { Some(own) } else { self.around.as_ref() }
    }

    /// The head of the answer has come, or none did.
    pub(super) fn begun(&mut self, head: Option<&HeaderMap>) {
        match head {
            None => self.ended = Ended { code: Code::Unavailable, reason: None },
            Some(head) => self.says(head),
        }
    }

    fn says(&mut self, headers: &HeaderMap) {
        if let Some(ended) = Ended::from_headers(headers) {
            self.ended = ended;
        }
    }
}

impl Holds for Observed {
    fn sent(mut self, trailers: Option<&HeaderMap>) {
        if let Some(trailers) = trailers {
            self.says(trailers);
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let took = self.begun.elapsed().as_secs_f64();
        metrics().client_calls.record(took, &self.ended.labels(self.method));
        span::end(&mut self.span, &SpanKind::Client, &self.ended);
    }
}
