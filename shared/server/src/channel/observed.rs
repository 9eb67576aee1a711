//! What is told of a call to another service: a measurement and a span, when its answer has been taken or given up.

use http::HeaderMap;
use opentelemetry::{
    global::BoxedSpan,
    trace::{Span as _, SpanContext, SpanKind},
};
use tonic::Code;

use crate::{
    body::Holds,
    runtime::Entropy,
    telemetry::{
        metrics::metrics,
        span::{self, Ended},
    },
    trace::{self, Trace},
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

    /// Where the call stands in its trace, for whoever is called.
    pub(super) fn place(&self, entropy: &Entropy) -> SpanContext {
        let own = self.span.span_context();
        match &self.around {
            // Without spans of our own, the next service is a child of the call that is under way.
            Some(around) if !own.is_valid() || own.span_id() == around.span_id() => around.clone(),
            Some(_) => own.clone(),
            None if own.is_valid() => own.clone(),
            None => trace::child(None, entropy),
        }
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
