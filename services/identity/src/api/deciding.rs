//! The decision of a stream, of lookups or of changes: asked for once, and kept while it is fresh.

use std::sync::Arc;

use contract::r#type::v1::AccessBasis;
use server::{Caller, Deadline};
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;
use tonic::Status;
use wire::policy::{Act, Decision};

use super::Shared;

/// How long a decision is kept. Nothing tells identity yet that policy data have changed, so it asks again: whoever is
/// suspended is refused within this time also on a stream that is open. It is in the contract.
const KEPT: Duration = Duration::SECOND;

/// What is decided about: one caller, ground and list of items for the whole stream.
pub(super) struct Deciding<'a> {
    pub(super) caller: &'a Caller,
    pub(super) act: Act,
    pub(super) basis: &'a AccessBasis,
    pub(super) items: &'a [String],
    /// The newest decision, and when it was asked for. Whoever needs a new one asks while the others wait for it.
    pub(super) kept: Mutex<Option<(Arc<Decision>, OffsetDateTime)>>,
}

impl Deciding<'_> {
    /// The decision for a query that is taken up now.
    pub(super) async fn now(
        &self,
        shared: &Shared,
        deadline: Deadline,
    ) -> Result<Arc<Decision>, Status> {
        let mut kept = self.kept.lock().await;
        let now = shared.app.clock.now();
        if let Some((decision, asked)) = kept.as_ref()
            && is_fresh(*asked, decision.valid_until, now)
        {
            return Ok(Arc::clone(decision));
        }
        *kept = None;
        let decided =
            shared.clients.policy.decide(deadline, self.caller, self.act, self.basis, self.items);
        let decision = Arc::new(decided.await.map_err(|error| error.refusal(deadline))?);
        *kept = Some((Arc::clone(&decision), now));
        Ok(decision)
    }
}

/// Whether a decision that was asked for at `asked` and ends at `ends` may be used at `now`. A clock that was set back
/// says nothing of how old it is.
fn is_fresh(asked: OffsetDateTime, ends: OffsetDateTime, now: OffsetDateTime) -> bool {
    (Duration::ZERO..KEPT).contains(&(now - asked)) && now < ends
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Fresh is exactly: not older than the bound, not from the future, not ended.
        #[test]
        fn i2_a_decision_is_kept_for_less_than_a_second_and_never_beyond_its_end(
            age_ms in -3_000_i64..3_000,
            left_ms in -3_000_i64..3_000,
        ) {
            let now = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
            let ms = Duration::milliseconds;
            let fresh = is_fresh(now - ms(age_ms), now + ms(left_ms), now);
            prop_assert_eq!(fresh, (0..1_000).contains(&age_ms) && left_ms > 0);
        }
    }
}
