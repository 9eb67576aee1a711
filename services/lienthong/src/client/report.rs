//! What was asked, allowed and given in a period.

use anyhow::Result;
use contract::audit::v1::{CountAccessesAnswer, CountAccessesRequest};

use super::{Answered, Client, Refused};

/// Path of the figures of a period.
pub const COUNT_ACCESSES: &str = "/lienthong.audit.v1.ReportService/CountAccesses";

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
