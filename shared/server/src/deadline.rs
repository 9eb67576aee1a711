//! Deadlines: the caller's `grpc-timeout` becomes a moment that goes with the request, is kept by the
//! server as DEADLINE_EXCEEDED, and is passed on to the next service. (tonic's own server answers
//! CANCELLED and ignores a header it cannot parse.)

use std::time::Duration;

use contract::r#type::v1::ErrorReason;
use http::HeaderMap;
use tokio::time::Instant;

use crate::error::refuse;

/// The header of a call's time.
const HEADER: &str = "grpc-timeout";

/// The moment by which a call must be answered, and the one since which somebody waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    since: Instant,
}

impl Deadline {
    /// The deadline that a call's headers ask for, not later than `longest` from now. `None` when the
    /// header cannot be parsed.
    pub fn from_headers(headers: &HeaderMap, now: Instant, longest: Duration) -> Option<Self> {
        let asked = match headers.get(HEADER) {
            None => longest,
            Some(value) => parse(value.to_str().ok()?)?,
        };
        Some(Self { at: now + asked.min(longest), since: now })
    }

    /// A deadline `after` from now, for work that no call asked for.
    pub fn after(after: Duration) -> Self {
        let since = Instant::now();
        Self { at: since + after, since }
    }

    /// This one, or `most` from now where that is earlier: for one of many things that are done by it, which begins now.
    #[must_use]
    pub fn within(self, most: Duration) -> Self {
        let since = Instant::now();
        Self { at: self.at.min(since + most), since }
    }

    /// The moment itself.
    pub fn at(self) -> Instant {
        self.at
    }

    /// How long somebody has waited.
    pub fn waited(self) -> Duration {
        Instant::now().saturating_duration_since(self.since)
    }

    /// How long is left; nothing when it has passed.
    pub fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Whether a call to the next service that ended with `status` ended because this deadline passed: that
    /// service says so, or our own side of the connection gave up. A connection that breaks has the same
    /// code as the latter, so the moment decides.
    pub fn ended(self, status: &tonic::Status) -> bool {
        status.code() == tonic::Code::DeadlineExceeded || self.left().is_zero()
    }

    /// What a call to the next service comes to, or DEADLINE_EXCEEDED at this moment: a channel that is still
    /// connecting keeps no deadline itself.
    ///
    /// # Errors
    /// Whatever the call ends with.
    pub async fn bounds<T>(
        self,
        call: impl Future<Output = Result<T, tonic::Status>>,
    ) -> Result<T, tonic::Status> {
        let ended = tokio::time::timeout_at(self.at, call).await;
        ended.unwrap_or_else(|_| Err(refuse(ErrorReason::DeadlineExceeded)))
    }

    /// A request to the next service that carries what is left, and the ids of the call under way.
    pub fn request<T>(self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.set_timeout(self.left());
        crate::trace::Trace::continue_in(request.metadata_mut().as_mut());
        request
    }
}

/// The moment that a request's own header asks for.
pub(crate) fn asked(headers: &HeaderMap) -> Option<Instant> {
    let left = headers.get(HEADER)?.to_str().ok().and_then(parse)?;
    Instant::now().checked_add(left)
}

/// Puts what is left until a moment on a request.
pub(crate) fn put(until: Instant, headers: &mut HeaderMap) {
    let left = until.saturating_duration_since(Instant::now());
    let mut request = tonic::Request::new(());
    request.set_timeout(left);
    if let Some(value) = request.metadata().as_ref().get(HEADER) {
        headers.insert(HEADER, value.clone());
    }
}

/// The gRPC wire form: one to eight digits and a unit.
fn parse(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_is_parsed_strictly() {
        assert_eq!(parse("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(parse("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in ["", "m", "5", "5x", "-5m", "5.0S", "123456789m", "5ms", "٣m"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
