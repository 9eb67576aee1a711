//! What is told of a call: a line of the log, a measurement and a span, each once, when the last byte of its answer
//! is taken to be sent, or it is given up.

use http::HeaderMap;
use opentelemetry::{global::BoxedSpan, trace::SpanKind};
use tonic::Code;

use crate::telemetry::{
    metrics::metrics,
    span::{self, Ended},
};

/// The call whose end is told when this is dropped.
pub(crate) struct Observed {
    begun: tokio::time::Instant,
    method: &'static str,
    quiet: bool,
    ended: Ended,
    log: tracing::Span,
    span: BoxedSpan,
}

impl Observed {
    /// A call that begins now; `quiet` ones are no news. `log` holds its ids.
    pub(crate) fn new(
        method: &'static str,
        quiet: bool,
        log: tracing::Span,
        span: BoxedSpan,
    ) -> Self {
        metrics().calls.add(1, &[]);
        let ended = Ended { code: Code::Cancelled, reason: None };
        Self { begun: tokio::time::Instant::now(), method, quiet, ended, log, span }
    }

    /// What the head of its answer, or the trailers behind it, say of how it ended.
    pub(crate) fn says(&mut self, headers: &HeaderMap) {
        if let Some(ended) = Ended::from_headers(headers) {
            self.ended = ended;
        }
    }

    /// It was sent to its end. An answer that says nothing of how it ended was cut by its handler.
    pub(crate) fn sent(mut self, trailers: Option<&HeaderMap>) {
        if let Some(trailers) = trailers {
            self.says(trailers);
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        metrics().calls.add(-1, &[]);
        metrics().server_calls.record(took.as_secs_f64(), &self.ended.labels(self.method));
        span::end(&mut self.span, &SpanKind::Server, &self.ended);
        let Ended { code, reason } = self.ended;
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.log.in_scope(|| {
            if self.quiet {
                tracing::debug!(?code, reason, ms, "call ended");
            } else {
                tracing::info!(?code, reason, ms, "call ended");
            }
        });
    }
}
