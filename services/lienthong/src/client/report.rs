//! What was asked, allowed and given in a period.

use anyhow::Result;
use contract::audit::v1::{CountAccessesAnswer, CountAccessesRequest};
use prost_types::Timestamp;
use time::OffsetDateTime;

use super::{Answered, Client, Refused};

/// Path of the figures of a period.
pub const COUNT_ACCESSES: &str = "/lienthong.audit.v1.ReportService/CountAccesses";

/// A moment as messages carry it, to the second.
#[must_use]
pub fn timestamp(at: OffsetDateTime) -> Timestamp {
    Timestamp { seconds: at.unix_timestamp(), nanos: 0 }
}

/// The moment of a message; none where there is none, or no such.
#[must_use]
pub fn time_of(at: Option<Timestamp>) -> Option<OffsetDateTime> {
    let Timestamp { seconds, nanos } = at?;
    let second = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    Some(second + time::Duration::nanoseconds(nanos.into()))
}

impl Client {
    /// Counts the accesses of a period. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn count_accesses(
        &self,
        request: &CountAccessesRequest,
    ) -> Result<Result<Answered<CountAccessesAnswer>, Refused>> {
        self.call(COUNT_ACCESSES, request).await
    }
}
