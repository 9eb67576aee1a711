//! What is repeated, when, and how often: as gRPC's own retries do (gRFC A6), but of what is refused only what never
//! reached a handler. An outage further down is the outermost caller's to repeat, or load would multiply with each
//! service on the way.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use contract::r#type::v1::ErrorReason;
use http::HeaderMap;
use tokio::time::Instant;
use tonic::Code;

use crate::{error, runtime::Entropy, telemetry::span::Ended};

/// The first attempt and those after it.
const ATTEMPTS: u32 = 4;
/// Before the second attempt, and how it grows; half to one and a half times of it.
const WAIT: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(1);
/// The longest push-back that is obeyed: as long as our services give a call (`deadline_max_seconds`). Who is told to
/// come again later than that, or than its deadline, is answered at once; coming again sooner would be no obeying.
const PUSH_BACK_MAX_MS: u64 = 30_000;
/// Thousandths: as many failures in a row, and what one success gives back. With less than half left nothing is
/// repeated, so that a service in trouble is not called the more for it.
const TOKENS: i64 = 20_000;
const FAILURE: i64 = 1_000;
const SUCCESS: i64 = 100;

/// Whether the contract says that a call of this method may be repeated.
pub(super) fn repeatable(path: &str) -> bool {
    contract::METHODS.iter().any(|(method, repeatable)| *method == path && *repeatable)
}

/// How much may be repeated, of all calls to one service.
pub(super) struct Budget(AtomicI64);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicI64::new(TOKENS))
    }
}

impl Budget {
    fn change(&self, by: i64) -> i64 {
        let change = |tokens: i64| Some((tokens + by).clamp(0, TOKENS));
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
        (before.unwrap_or_else(|tokens| tokens) + by).clamp(0, TOKENS)
    }
}

/// What to do after an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing: its answer is the answer.
    Over,
    /// Another one, after so long.
    For(Duration),
}

/// The attempts of one call.
pub(super) struct Repeat<'a> {
    budget: &'a Budget,
    entropy: &'a Entropy,
    deadline: Option<Instant>,
    attempts: u32,
}

impl<'a> Repeat<'a> {
    pub(super) fn new(budget: &'a Budget, entropy: &'a Entropy, deadline: Option<Instant>) -> Self {
        Self { budget, entropy, deadline, attempts: 0 }
    }

    /// After an attempt that was answered with this head, or with none.
    pub(super) fn after(&mut self, head: Option<&HeaderMap>) -> Wait {
        self.attempts += 1;
        if !turned_away(head) {
            self.budget.change(SUCCESS);
            return Wait::Over;
        }
        let left = self.budget.change(-FAILURE);
        let pushed_back = head.and_then(|head| head.get("grpc-retry-pushback-ms"));
        let wait = match pushed_back.map(|ms| ms.to_str().ok().and_then(|ms| ms.parse().ok())) {
            Some(Some(ms @ ..=PUSH_BACK_MAX_MS)) => Duration::from_millis(ms),
            // Anything else there means: not again.
            Some(_) => return Wait::Over,
            None => self.backing_off(),
        };
        let in_time = self.deadline.is_none_or(|deadline| Instant::now() + wait < deadline);
        if self.attempts < ATTEMPTS && left > TOKENS / 2 && in_time {
            Wait::For(wait)
        } else {
            Wait::Over
        }
    }

    fn backing_off(&self) -> Duration {
        let grown = WAIT.saturating_mul(1 << (self.attempts - 1).min(16)).min(WAIT_MAX);
        let [byte] = self.entropy.array::<1>();
        grown.mul_f64(0.5 + f64::from(byte) / 255.0)
    }
}

/// Whether an attempt reached no handler: the connection was not there or broke, somebody between turned it away, or
/// the service did because it has too much to do.
fn turned_away(head: Option<&HeaderMap>) -> bool {
    let Some(head) = head else { return true };
    let ended = Ended::from_headers(head);
    ended.is_some_and(|ended| {
        let overloaded = ended.reason == Some(error::name(ErrorReason::Overloaded));
        ended.code == Code::Unavailable && (ended.reason.is_none() || overloaded)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::error::{overloaded, refuse};

    fn head(status: &tonic::Status) -> HeaderMap {
        status.clone().into_http::<()>().into_parts().0.headers
    }

    fn again(wait: &Wait) -> bool {
        matches!(wait, Wait::For(_))
    }

    #[tokio::test]
    async fn only_what_reached_no_handler_is_repeated_and_so_often() {
        let (budget, entropy) = (Budget::default(), Entropy::seeded(1));
        let mut repeat = Repeat::new(&budget, &entropy, None);
        for _ in 1..ATTEMPTS {
            assert!(again(&repeat.after(None)));
        }
        assert_eq!(repeat.after(None), Wait::Over);
        let once = |status: tonic::Status| {
            Repeat::new(&budget, &entropy, None).after(Some(&head(&status)))
        };
        assert!(again(&once(tonic::Status::unavailable("of a proxy"))));
        for other in [
            refuse(ErrorReason::AuditUnavailable),
            refuse(ErrorReason::NoAgreement),
            tonic::Status::ok(""),
            tonic::Status::internal(""),
        ] {
            assert_eq!(once(other), Wait::Over);
        }
        assert_eq!(Repeat::new(&budget, &entropy, None).after(Some(&HeaderMap::new())), Wait::Over);
    }

    #[tokio::test]
    async fn a_push_back_is_obeyed() {
        let (budget, entropy) = (Budget::default(), Entropy::seeded(1));
        let after = |pushed: &str, deadline| {
            let mut head = head(&overloaded(Duration::from_secs(1)));
            head.insert("grpc-retry-pushback-ms", pushed.parse().unwrap());
            Repeat::new(&budget, &entropy, deadline).after(Some(&head))
        };
        assert_eq!(after("250", None), Wait::For(Duration::from_millis(250)));
        for never in ["-1", "soon", "99999999999999999999"] {
            assert_eq!(after(never, None), Wait::Over, "{never}");
        }
        assert_eq!(after("30000", None), Wait::For(Duration::from_secs(30)));
        for absurd in ["30001", "86400000", "18446744073709551615"] {
            let far = Some(Instant::now() + Duration::from_secs(1_000_000));
            assert_eq!(after(absurd, None), Wait::Over, "{absurd}");
            assert_eq!(after(absurd, far), Wait::Over, "{absurd}");
        }
        let soon = Some(Instant::now() + Duration::from_millis(100));
        assert_eq!(after("250", soon), Wait::Over, "the deadline comes first");
    }

    #[tokio::test]
    async fn a_service_in_trouble_is_not_called_the_more_for_it() {
        let (budget, entropy) = (Budget::default(), Entropy::seeded(1));
        let once = |head: Option<&HeaderMap>| Repeat::new(&budget, &entropy, None).after(head);
        let failures = (0..100).filter(|_| again(&once(None))).count();
        assert_eq!(failures, 9, "as long as more than half is left");
        let well = HeaderMap::new();
        for _ in 0..99 {
            once(Some(&well));
        }
        assert!(!again(&once(None)), "what was given back is not enough yet");
        for _ in 0..30 {
            once(Some(&well));
        }
        assert!(again(&once(None)));
    }
}
