//! Which call a line of a log belongs to: a request id that the caller may choose, and a W3C trace context.
//! Both go with every call that is made on behalf of this one, and the request id is echoed.

use http::{HeaderMap, HeaderValue};

use crate::runtime::Entropy;

/// The header of the request id.
pub const REQUEST_ID: &str = "x-request-id";
/// The header of the trace context.
pub const TRACEPARENT: &str = "traceparent";
const REQUEST_ID_MAX: usize = 64;

tokio::task_local! {
    static CURRENT: Trace;
}

/// The ids of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The caller's id of the call, or ours where it gave none of the right form.
    pub request_id: String,
    /// Id of the whole trace, 32 hexadecimal digits.
    pub trace_id: String,
    /// Id of this call within the trace, 16 hexadecimal digits.
    pub span_id: String,
    flags: String,
}

impl Trace {
    /// The ids in a call's headers; new ones where there are none.
    pub fn from_headers(headers: &HeaderMap, entropy: &Entropy) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let request_id = text(REQUEST_ID).filter(|id| is_id(id)).map(str::to_owned);
        let parent = text(TRACEPARENT).and_then(parse);
        let (trace_id, flags) = parent.unwrap_or_else(|| (entropy.id(), "00".to_owned()));
        let mut span_id = hex::encode(entropy.array::<8>());
        // It may become the request id, which the next service must take.
        while !is_id(&span_id) {
            span_id = hex::encode(entropy.array::<8>());
        }
        let request_id = request_id.unwrap_or_else(|| span_id.clone());
        Self { request_id, trace_id, span_id, flags }
    }

    /// Runs a call, so that whatever it calls in turn carries its ids.
    pub async fn scope<F: Future>(self, call: F) -> F::Output {
        CURRENT.scope(self, call).await
    }

    /// Puts the ids of the call under way, if there is one, on a call that it makes.
    pub(crate) fn continue_in(metadata: &mut tonic::metadata::MetadataMap) {
        let headers = CURRENT.try_with(|trace| {
            let parent = format!("00-{}-{}-{}", trace.trace_id, trace.span_id, trace.flags);
            (parent.parse(), trace.request_id.parse())
        });
        if let Ok((Ok(parent), Ok(request_id))) = headers {
            metadata.insert(TRACEPARENT, parent);
            metadata.insert(REQUEST_ID, request_id);
        }
    }

    /// Puts the request id on an answer.
    pub(crate) fn echo(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.request_id) {
            headers.insert(REQUEST_ID, value);
        }
    }

    /// The request id of the call under way.
    pub fn current_request_id() -> Option<String> {
        CURRENT.try_with(|trace| trace.request_id.clone()).ok()
    }
}

/// A run of so many digits may be a personal number, or an old one.
const DIGITS_REFUSED: usize = 9;

/// A request id goes into logs as it is, so it holds nothing but ids' characters, and nothing that could be a
/// personal number (I8).
fn is_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    let number = text.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() >= DIGITS_REFUSED);
    !text.is_empty() && text.len() <= REQUEST_ID_MAX && text.bytes().all(allowed) && !number
}

/// Trace id and flags of a `traceparent` header (W3C Trace Context, version 00).
fn parse(header: &str) -> Option<(String, String)> {
    let mut parts = header.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let zero = |text: &str| text.bytes().all(|b| b == b'0');
    let good = version == "00"
        && parts.next().is_none()
        && hex(trace, 32)
        && !zero(trace)
        && hex(parent, 16)
        && !zero(parent)
        && hex(flags, 2);
    good.then(|| (trace.to_owned(), flags.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn of(pairs: &[(&'static str, &str)]) -> Trace {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        Trace::from_headers(&headers, &Entropy::seeded(1))
    }

    #[test]
    fn good_ids_are_kept_and_others_replaced() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = of(&[(TRACEPARENT, parent), (REQUEST_ID, "case-7")]);
        assert_eq!(trace.trace_id, "0af7651916cd43dd8448eb211c80319c");
        assert_ne!(trace.span_id, "b7ad6b7169203331");
        assert_eq!(trace.request_id, "case-7");
        for good in ["2026-11-24:00012345", "12345678", "A.b_c"] {
            assert_eq!(of(&[(REQUEST_ID, good)]).request_id, good);
        }
        let bad = ["990204000001", "999000001", "cccd-990204000001", "a999000001b", "1234567890"];
        for bad in bad.into_iter().chain(["a b", "", "x\u{7f}", &"a".repeat(65)]) {
            if let Ok(value) = bad.parse::<HeaderValue>() {
                let mut headers = HeaderMap::new();
                headers.insert(REQUEST_ID, value);
                let trace = Trace::from_headers(&headers, &Entropy::seeded(1));
                assert_eq!(trace.request_id, trace.span_id, "{bad}");
            }
        }
        let zero = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
        for bad in [zero.as_str(), "01-x", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"] {
            assert_ne!(of(&[(TRACEPARENT, bad)]).trace_id, "0".repeat(32), "{bad}");
            assert_eq!(of(&[(TRACEPARENT, bad)]).trace_id.len(), 32);
        }
    }

    #[test]
    fn ids_of_ours_are_ids_for_the_next_service() {
        let entropy = Entropy::seeded(1);
        for _ in 0..1_000 {
            assert!(is_id(&Trace::from_headers(&HeaderMap::new(), &entropy).request_id));
        }
    }

    #[tokio::test]
    async fn what_a_call_calls_carries_its_ids() {
        let trace = of(&[(REQUEST_ID, "case-7")]);
        let (id, span) = (trace.trace_id.clone(), trace.span_id.clone());
        let metadata = trace
            .scope(async {
                let mut metadata = tonic::metadata::MetadataMap::new();
                Trace::continue_in(&mut metadata);
                metadata
            })
            .await;
        assert_eq!(metadata.get(REQUEST_ID).unwrap(), "case-7");
        assert_eq!(metadata.get(TRACEPARENT).unwrap(), &format!("00-{id}-{span}-00"));
        let mut outside = tonic::metadata::MetadataMap::new();
        Trace::continue_in(&mut outside);
        assert!(outside.is_empty());
    }
}
