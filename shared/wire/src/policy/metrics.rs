//! What operators see of the decisions that are kept.

use std::sync::LazyLock;

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Histogram, UpDownCounter},
};

/// Seconds between two messages of policy: five a second are usual, and after 0.75 no kept decision is used.
const SILENCE: &[f64] = &[0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0];

/// The instruments.
pub(super) struct Metrics {
    /// Decisions that are kept.
    pub(super) kept: UpDownCounter<i64>,
    /// Decisions that were needed, by where they came from.
    pub(super) needed: Counter<u64>,
    /// Kept decisions that were dropped, by why.
    pub(super) dropped: Counter<u64>,
    /// How long policy said nothing before it said something.
    pub(super) silence: Histogram<f64>,
    /// Streams of revisions that ended, by why.
    pub(super) ended: Counter<u64>,
    /// Answers and messages that were of an older revision than was told before.
    pub(super) older: Counter<u64>,
    /// Answers that no known key signed.
    pub(super) not_signed: Counter<u64>,
    /// Persons of grants' volumes that were told of, by connection.
    pub(super) told: Counter<u64>,
    /// Calls that were refused because a volume is used up, by connection.
    pub(super) used_up: Counter<u64>,
}

/// The instruments, of the meter that is there when they are first used.
pub(super) fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
        let meter = global::meter("lienthong");
        let counter = |name, unit, what| {
            meter.u64_counter(name).with_unit(unit).with_description(what).build()
        };
        Metrics {
            kept: meter
                .i64_up_down_counter("lienthong.decisions.kept")
                .with_unit("{decision}")
                .with_description("Decisions of the policy service that are kept in memory")
                .build(),
            needed: counter(
                "lienthong.decisions.needed",
                "{decision}",
                "Decisions that were needed: kept ones, or asked for, or those that another call asked for",
            ),
            dropped: counter(
                "lienthong.decisions.dropped",
                "{decision}",
                "Kept decisions that were dropped, by why",
            ),
            silence: meter
                .f64_histogram("lienthong.policy.silence")
                .with_unit("s")
                .with_description("Between two messages of the policy service about its revisions")
                .with_boundaries(SILENCE.to_vec())
                .build(),
            ended: counter(
                "lienthong.policy.streams.ended",
                "{stream}",
                "Streams of revisions that ended, by why",
            ),
            older: counter(
                "lienthong.policy.older",
                "{answer}",
                "Answers under an older revision than was told before, which are refused",
            ),
            not_signed: counter(
                "lienthong.policy.not_signed",
                "{answer}",
                "Answers that came as decisions of the policy service and no known key signed, which are refused",
            ),
            told: counter(
                "lienthong.volume.told",
                "{person}",
                "Persons of grants' volumes that were told of, by connection",
            ),
            used_up: counter(
                "lienthong.volume.used_up",
                "{call}",
                "Calls that were refused because a grant's volume is used up, by connection",
            ),
        }
    });
    &METRICS
}

/// Where something came from, or why it ended, as a label.
pub(super) fn by(outcome: &'static str) -> [KeyValue; 1] {
    [KeyValue::new("outcome", outcome)]
}
