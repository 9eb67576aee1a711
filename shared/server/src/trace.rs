//! Which call a line of a log belongs to: a request id that the caller may choose, and a W3C trace context.
//! Both go with every call that is made on behalf of this one, and the request id is echoed.

use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::IdGenerator;

use crate::runtime::Entropy;

/// The header of the request id.
pub const REQUEST_ID: &str = "x-request-id";
/// The header of the trace context.
pub const TRACEPARENT: &str = "traceparent";
/// The header of what other tracing systems keep beside it.
pub const TRACESTATE: &str = "tracestate";
const REQUEST_ID_MAX: usize = 64;
/// What the standard wants to be passed on at least; more is dropped.
const TRACESTATE_MAX: usize = 512;

tokio::task_local! {
    static CURRENT: Trace;
}

/// The ids of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The caller's id of the call, or ours where it gave none of the right form.
    pub request_id: String,
    /// The whole trace, and this call within it.
    pub span: SpanContext,
}

impl Trace {
    /// The ids of a call: its request id and state from its headers, its place in the trace from `span`. Where no
    /// spans are made it is a child of `parent`, or the first of a trace of its own.
    pub(crate) fn new(
        headers: &HeaderMap,
        parent: Option<&SpanContext>,
        span: &SpanContext,
        entropy: &Entropy,
    ) -> Self {
        let own = span.is_valid() && Some(span.span_id()) != parent.map(SpanContext::span_id);
        let span = if own { span.clone() } else { child(parent, entropy) };
        let id = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let request_id = match id.filter(|id| is_id(id)) {
            Some(id) => id.to_owned(),
            None => request_id(entropy),
        };
        Self { request_id, span }
    }

    /// Runs a call, so that whatever it calls in turn carries its ids.
    pub async fn scope<F: Future>(self, call: F) -> F::Output {
        CURRENT.scope(self, call).await
    }

    /// Work that goes on after the handler of the call under way has returned, such as that of a stream: it has the ids of
    /// that call.
    pub fn go_on<F: Future>(work: F) -> impl Future<Output = F::Output> {
        let current = CURRENT.try_with(Clone::clone).ok();
        async move {
            match current {
                Some(trace) => trace.scope(work).await,
                None => work.await,
            }
        }
    }

    /// Puts the ids of the call under way, if there is one, on a call that it makes.
    pub(crate) fn continue_in(headers: &mut HeaderMap) {
        let put = |trace: &Self| {
            put(&trace.span, headers);
            trace.echo(headers);
        };
        // Work of our own, which no call asked for, has no ids.
        let _none = CURRENT.try_with(put);
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

    /// The call under way within its trace.
    pub(crate) fn current_span() -> Option<SpanContext> {
        CURRENT.try_with(|trace| trace.span.clone()).ok()
    }
}

/// Puts a place in a trace on a call.
pub(crate) fn put(span: &SpanContext, headers: &mut HeaderMap) {
    let flags = span.trace_flags().to_u8();
    let parent = format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id());
    if let Ok(parent) = HeaderValue::from_str(&parent) {
        headers.insert(TRACEPARENT, parent);
    }
    match HeaderValue::from_str(&span.trace_state().header()) {
        Ok(state) if !state.is_empty() => drop(headers.insert(TRACESTATE, state)),
        Ok(_) | Err(_) => drop(headers.remove(TRACESTATE)),
    }
}

/// The caller's place in a trace, if its headers say one.
pub(crate) fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (trace, span, flags) = text(TRACEPARENT).and_then(parse)?;
    // It goes to the collector, too, so it holds nothing that could be a number either.
    let state = text(TRACESTATE).filter(|s| s.len() <= TRACESTATE_MAX && !holds_a_number(s));
    let state = state.and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default();
    Some(SpanContext::new(trace, span, flags, true, state))
}

/// A place in the trace of `parent`, or the first of a new one.
fn child(parent: Option<&SpanContext>, entropy: &Entropy) -> SpanContext {
    let span = SpanId::from_bytes(place(entropy));
    match parent {
        Some(parent) => {
            let (trace, flags) = (parent.trace_id(), parent.trace_flags());
            SpanContext::new(trace, span, flags, false, parent.trace_state().clone())
        }
        None => {
            let trace = TraceId::from_bytes(place(entropy));
            SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, false, TraceState::NONE)
        }
    }
}

/// A request id of ours, which the next service must take.
fn request_id(entropy: &Entropy) -> String {
    loop {
        let id = hex::encode(entropy.array::<8>());
        if is_id(&id) {
            return id;
        }
    }
}

/// Ids of spans that are sent, which the next service must take.
#[derive(Debug)]
pub(crate) struct Ids(pub(crate) Entropy);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from_bytes(place(&self.0))
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from_bytes(place(&self.0))
    }
}

/// The id of a trace or of a span, which the next service must take.
fn place<const N: usize>(entropy: &Entropy) -> [u8; N] {
    loop {
        let id = entropy.array();
        if !ends_in_a_number(&hex::encode(id)) {
            return id;
        }
    }
}

/// So many digits may be a personal number, or an old one.
const DIGITS_REFUSED: usize = 9;
/// Digits of a personal number.
const DIGITS: usize = 12;

/// A request id goes into logs as it is, so it holds nothing but ids' characters, and nothing that could be a
/// personal number (I8).
fn is_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    let length = (1..=REQUEST_ID_MAX).contains(&text.len());
    length && text.bytes().all(allowed) && !holds_a_number(last_of_uuid(text).unwrap_or(text))
}

/// Whether nine digits stand together, also with separators in between, as people write numbers: only letters part
/// them.
fn holds_a_number(text: &str) -> bool {
    let digits = |piece: &str| piece.bytes().filter(u8::is_ascii_digit).count();
    text.split(|c: char| c.is_alphabetic()).any(|piece| digits(piece) >= DIGITS_REFUSED)
}

/// The last group of a UUID, the only one with room for nine digits. Across its groups, which mean nothing together,
/// every seventh UUID has nine, in the last group three of a hundred.
fn last_of_uuid(text: &str) -> Option<&str> {
    let hex = |group: &str| group.bytes().all(|b| b.is_ascii_hexdigit());
    let is_one = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(hex);
    text.rsplit('-').next().filter(|_| is_one)
}

/// Whether an id in a trace could be a number with something before it, or with zeros behind it: its last twelve
/// characters are decimal digits. Of honest headers seven in a thousand have such an id (twice 0.625 to the twelfth);
/// four in a hundred have twelve digits somewhere.
fn ends_in_a_number(id: &str) -> bool {
    id.bytes().rev().take_while(u8::is_ascii_digit).count() >= DIGITS
}

/// Ids and flags of a `traceparent` header (W3C Trace Context, version 00); none where an id could be a personal
/// number, because ids go to the log and the collector (I8).
fn parse(header: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let mut parts = header.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let good = version == "00"
        && parts.next().is_none()
        && hex(trace, 32)
        && hex(span, 16)
        && hex(flags, 2)
        && ![trace, span].into_iter().any(ends_in_a_number);
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    // Of the flags only the one that the standard knows is passed on.
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    let flags = TraceFlags::default().with_sampled(sampled);
    (good && trace != TraceId::INVALID && span != SpanId::INVALID).then_some((trace, span, flags))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(pairs: &[(&'static str, &str)]) -> Trace {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        let parent = parent(&headers);
        Trace::new(&headers, parent.as_ref(), &SpanContext::NONE, &Entropy::seeded(1))
    }

    fn parent_of(traceparent: &str) -> Option<SpanContext> {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, traceparent.parse().unwrap());
        parent(&headers)
    }

    #[test]
    fn a_trace_is_continued_and_what_is_none_begins_a_new_one() {
        let trace = of(&[(TRACEPARENT, PARENT), (TRACESTATE, "a=1,b=2")]);
        assert_eq!(trace.span.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_ne!(trace.span.span_id().to_string(), "b7ad6b7169203331");
        assert!(trace.span.is_sampled());
        assert_eq!(trace.span.trace_state().header(), "a=1,b=2");
        let zero = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
        for bad in [
            zero.as_str(),
            "01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ] {
            let trace = of(&[(TRACEPARENT, bad)]);
            assert_ne!(trace.span.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
            assert!(trace.span.is_valid() && !trace.span.is_sampled(), "{bad}");
        }
        // Too long, or none, or perhaps a number: the trace goes on without.
        let bad = [format!("a={}", "x".repeat(600)), "no list".into(), "a=990204000001".into()];
        let bad = bad.into_iter().chain(["a=990204-000001".into()]);
        for bad in bad {
            let trace = of(&[(TRACEPARENT, PARENT), (TRACESTATE, &bad)]);
            assert_eq!(trace.span.trace_state().header(), "", "{bad}");
        }
    }

    #[test]
    fn i8_a_request_id_that_could_be_a_number_is_replaced() {
        let uuid = "550e8400-e29b-41d4-a716-446655a40000";
        for good in ["case-7", "2026-11-24:a00012345", "12345678", "1234-5678", "A.b_c", uuid] {
            assert_eq!(of(&[(REQUEST_ID, good)]).request_id, good);
        }
        let bad = ["990204000001", "999000001", "cccd-990204000001", "a999000001b", "1234567890"];
        let parted = ["990204-000001", "0012 0100 0001", "0012.0100:0001", "cccd:999_000-001"];
        let shaped = "00000000-0000-0000-0000-990204000001";
        let none = ["a b", "", &"a".repeat(65)];
        for bad in bad.into_iter().chain(parted).chain([shaped]).chain(none) {
            let replaced = of(&[(REQUEST_ID, bad)]).request_id;
            assert!(is_id(&replaced) && replaced.len() == 16, "{bad}: {replaced}");
        }
    }

    #[test]
    fn uuids_are_request_ids_but_for_three_in_a_hundred() {
        let entropy = Entropy::seeded(1);
        let uuid = || {
            let id = entropy.id();
            format!("{}-{}-4{}-a{}-{}", &id[..8], &id[8..12], &id[13..16], &id[17..20], &id[20..])
        };
        let taken = (0..10_000).filter(|_| is_id(&uuid())).count();
        assert!((9_600..9_800).contains(&taken), "{taken}");
    }

    #[test]
    fn i8_a_trace_whose_ids_could_be_a_number_begins_anew() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let with = |trace: &str, span: &str| {
            let parent = format!("00-{trace}-{span}-01");
            parent_of(&parent).map(|parent| parent.trace_id().to_string())
        };
        // Of 64 bits, as some systems write them; and with a timestamp before it.
        for good in [trace, "0000000000000000b7ad6b7169203331", "6ac5f3b2000000001234567890abcdef"]
        {
            assert_eq!(with(good, span).as_deref(), Some(good));
        }
        for bad in [
            "00000000000000000000990204000001",
            "99020400000100000000000000000000",
            "00000000009902040000010000000000",
            "00000000000000000000000999000001",
            "aaaaaaaaaaaaaaaaaaaa001201000001",
            "99020400000199020400000199020400",
        ] {
            assert_eq!(with(bad, span), None, "{bad}");
        }
        for bad in ["0000990204000001", "9902040000010000", "abcd990204000001"] {
            assert_eq!(with(trace, bad), None, "{bad}");
        }
    }

    #[test]
    fn of_honest_traces_less_than_one_in_a_hundred_begins_anew() {
        let entropy = Entropy::seeded(1);
        let honest = || {
            let (trace, span) = (entropy.array::<16>(), entropy.array::<8>());
            format!("00-{}-{}-01", hex::encode(trace), hex::encode(span))
        };
        let anew = (0..20_000).filter(|_| parent_of(&honest()).is_none()).count();
        assert!((100..200).contains(&anew), "{anew}");
    }

    #[test]
    fn ids_of_ours_are_ids_for_the_next_service() {
        let entropy = Entropy::seeded(1);
        for _ in 0..1_000 {
            assert!(is_id(&request_id(&entropy)));
        }
        let mut place = child(None, &entropy);
        for _ in 0..1_000 {
            let mut headers = HeaderMap::new();
            put(&place, &mut headers);
            assert!(parent(&headers).is_some(), "{headers:?}");
            place = child(Some(&place), &entropy);
        }
        let ids = Ids(entropy);
        for _ in 0..1_000 {
            assert!(!ends_in_a_number(&ids.new_span_id().to_string()));
        }
    }

    #[tokio::test]
    async fn what_a_call_calls_carries_its_ids() {
        let trace = of(&[(REQUEST_ID, "case-7"), (TRACEPARENT, PARENT), (TRACESTATE, "a=1")]);
        let (id, span) = (trace.span.trace_id(), trace.span.span_id());
        let headers = trace
            .scope(async {
                let mut headers = HeaderMap::new();
                Trace::continue_in(&mut headers);
                headers
            })
            .await;
        assert_eq!(headers.get(REQUEST_ID).unwrap(), "case-7");
        assert_eq!(headers.get(TRACEPARENT).unwrap(), &format!("00-{id}-{span}-01"));
        assert_eq!(headers.get(TRACESTATE).unwrap(), "a=1");
        let mut outside = HeaderMap::new();
        Trace::continue_in(&mut outside);
        assert!(outside.is_empty());
    }
}
