//! One call as a span, and the attributes that spans and measurements of a call have in common.

use http::HeaderMap;
use opentelemetry::{
    Context, KeyValue,
    global::{self, BoxedSpan},
    trace::{Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _},
};
use tonic::Code;

use crate::error;

/// The span of a call of `method`, by the name that our tables have it under; it is sent when it is dropped.
pub(crate) fn begin(
    kind: SpanKind,
    method: &'static str,
    parent: Option<&SpanContext>,
) -> BoxedSpan {
    let around = Context::new();
    let around =
        parent.map_or(around.clone(), |parent| around.with_remote_span_context(parent.clone()));
    SpanBuilder::from_name(full_name(method))
        .with_kind(kind)
        .with_attributes([system(), KeyValue::new("rpc.method", full_name(method))])
        .start_with_context(&global::tracer("lienthong"), &around)
}

/// Says on the span how its call ended. Of a server, only what is its own fault is an error (the conventions' list).
pub(crate) fn end(span: &mut BoxedSpan, kind: &SpanKind, ended: &Ended) {
    span.set_attributes(ended.attributes());
    let fault = match kind {
        SpanKind::Server => matches!(
            ended.code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ),
        SpanKind::Client | SpanKind::Producer | SpanKind::Consumer | SpanKind::Internal => {
            ended.code != Code::Ok
        }
    };
    if fault {
        span.set_status(Status::error(""));
    }
    span.end();
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The code.
    pub(crate) code: Code,
    /// The reason, where it is one of ours: denial, outage and overload are told apart by it (I9).
    pub(crate) reason: Option<&'static str>,
}

impl Ended {
    /// What headers or trailers say of it; `None` when they are silent.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let code = Code::from_bytes(headers.get(tonic::Status::GRPC_STATUS)?.as_bytes());
        let reason = if code == Code::Ok { None } else { error::reason_in(headers) };
        Some(Self { code, reason })
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let code = error::code_name(self.code);
        let mut attributes = vec![KeyValue::new("rpc.response.status_code", code)];
        if self.code != Code::Ok {
            attributes.push(KeyValue::new("error.type", self.reason.unwrap_or(code)));
        }
        attributes
    }

    /// Labels of the measurement of a call.
    pub(crate) fn labels(&self, method: &'static str) -> Vec<KeyValue> {
        let mut labels = self.attributes();
        labels.extend([system(), KeyValue::new("rpc.method", full_name(method))]);
        labels
    }
}

fn system() -> KeyValue {
    KeyValue::new("rpc.system.name", "grpc")
}

/// `package.Service/Method`, as the conventions write it.
fn full_name(path: &'static str) -> &'static str {
    path.strip_prefix('/').unwrap_or(path)
}
