//! What operators see of commits. There is one at a time, and each flushes the disk once: the middle of how long they take
//! says how fast the disk flushes while there is load, the number of records how far one flush carries.

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{KeyValue, global, metrics::Histogram};

/// Seconds, from a disk that flushes at once to one that hangs.
const SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
const RECORDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// The instruments.
struct Metrics {
    records: Histogram<u64>,
    duration: Histogram<f64>,
}

/// A batch that was to be committed, and how long that took.
pub(crate) fn committed(records: usize, took: Duration, stands: bool) {
    static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
        let meter = global::meter("lienthong");
        Metrics {
            records: meter
                .u64_histogram("lienthong.audit.commit.records")
                .with_unit("{record}")
                .with_description("New records that shared a commit which was acknowledged")
                .with_boundaries(RECORDS.to_vec())
                .build(),
            duration: meter
                .f64_histogram("lienthong.audit.commit.duration")
                .with_unit("s")
                .with_description("Transactions that append, to the end of their commit")
                .with_boundaries(SECONDS.to_vec())
                .build(),
        }
    });
    let outcome = if stands { "done" } else { "failed" };
    METRICS.duration.record(took.as_secs_f64(), &[KeyValue::new("outcome", outcome)]);
    if stands {
        METRICS.records.record(u64::try_from(records).unwrap_or(u64::MAX), &[]);
    }
}
