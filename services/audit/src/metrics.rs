//! What operators see of the witnesses, and of commits. Of these there is one at a time, and each flushes the disk once: the middle of
//! how long they take says how fast the disk flushes while there is load, the number of records how far one flush carries.

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Gauge, Histogram},
};

/// The instruments.
pub(crate) struct Metrics {
    /// What came of sending checkpoints to witnesses.
    pub(crate) answers: Counter<u64>,
    /// The size that each witness cosigned last.
    pub(crate) cosigned: Gauge<u64>,
    /// The size of the checkpoint that is shown.
    pub(crate) shown: Gauge<u64>,
    /// Whether a witness has seen another log than this one.
    pub(crate) conflict: Gauge<u64>,
}

/// The instruments, of the meter that is there when they are first used.
pub(crate) fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
        let meter = global::meter("lienthong");
        let gauge = |name, what| meter.u64_gauge(name).with_description(what).build();
        Metrics {
            answers: meter
                .u64_counter("lienthong.audit.witness.answers")
                .with_unit("{answer}")
                .with_description("Checkpoints that were sent to witnesses, by what came of it")
                .build(),
            cosigned: gauge(
                "lienthong.audit.witness.cosigned",
                "Records of the checkpoint that a witness cosigned last",
            ),
            shown: gauge(
                "lienthong.audit.cosigned",
                "Records of the newest checkpoint that enough witnesses cosigned",
            ),
            conflict: gauge(
                "lienthong.audit.conflict",
                "Whether a witness has seen another log than this one, so that nothing is recorded",
            ),
        }
    });
    &METRICS
}

/// The label of a witness, as the policy calls it.
pub(crate) fn of(witness: &str) -> KeyValue {
    KeyValue::new("witness", witness.to_owned())
}

/// Counts what came of a checkpoint that was sent.
pub(crate) fn answered(witness: &str, outcome: &'static str) {
    metrics().answers.add(1, &[of(witness), KeyValue::new("outcome", outcome)]);
}

/// Seconds, from a disk that flushes at once to one that hangs.
const SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
const RECORDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// The instruments of commits.
struct Commits {
    records: Histogram<u64>,
    duration: Histogram<f64>,
}

/// A batch that was to be committed: how long that took, and how many of its records are new if it stands.
pub(crate) fn committed(took: Duration, stands: Option<usize>) {
    static COMMITS: LazyLock<Commits> = LazyLock::new(|| {
        let meter = global::meter("lienthong");
        Commits {
            records: meter
                .u64_histogram("lienthong.audit.commit.records")
                .with_unit("{record}")
                .with_description("New records that shared a commit which was acknowledged")
                .with_boundaries(RECORDS.to_vec())
                .build(),
            duration: meter
                .f64_histogram("lienthong.audit.commit.duration")
                .with_unit("s")
                .with_description(
                    "Transactions that look records up and append them, to the end of their commit",
                )
                .with_boundaries(SECONDS.to_vec())
                .build(),
        }
    });
    if stands == Some(0) {
        // Nothing was new, so nothing was written.
        return;
    }
    let outcome = if stands.is_some() { "done" } else { "failed" };
    COMMITS.duration.record(took.as_secs_f64(), &[KeyValue::new("outcome", outcome)]);
    if let Some(records) = stands {
        COMMITS.records.record(u64::try_from(records).unwrap_or(u64::MAX), &[]);
    }
}
