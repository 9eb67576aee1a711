//! Between the contract's messages and the model's types: what services that speak of persons have in
//! common at their edge, so that prost and tonic types stop there.
//!
//! | module | job |
//! |---|---|
//! | `basis` | the ground of a request, checked |
//! | `disagreement` | two sources that disagree, both ways |
//! | `event` | events in persons' lives, and what they say |
//! | `faults` | every faulty field of a request, gathered and named at once |
//! | `obligation` | on what conditions a caller has an item |
//! | `policy` | asking the policy service, and what it decided |
//! | `record` | what inspectors will read of an access |
//! | `subject` | who a request is about, both ways |
//! | `value` | the typed values of items, both ways |

pub mod basis;
pub mod disagreement;
pub mod event;
pub mod faults;
mod obligation;
pub mod policy;
pub mod record;
pub mod subject;
pub mod value;

pub use faults::{Fault, Faults};
pub use obligation::obligation;

/// A moment as the contract writes it.
#[must_use]
pub fn timestamp(at: time::OffsetDateTime) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.nanosecond()).unwrap_or_default();
    prost_types::Timestamp { seconds: at.unix_timestamp(), nanos }
}

/// A moment of microseconds since 1970 as the contract writes it.
#[must_use]
pub fn timestamp_us(at_us: i64) -> prost_types::Timestamp {
    let nanos = i32::try_from(at_us.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    prost_types::Timestamp { seconds: at_us.div_euclid(1_000_000), nanos }
}

/// Microseconds since 1970 of a moment; none for what is none.
#[must_use]
pub fn micros(at: prost_types::Timestamp) -> Option<i64> {
    let micros = at.seconds.checked_mul(1_000_000)?.checked_add(i64::from(at.nanos) / 1_000);
    micros.filter(|_| (0..1_000_000_000).contains(&at.nanos))
}

/// A span of whole seconds as the contract writes it.
#[must_use]
pub fn duration(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}
