//! What operators see of the witnesses.

use std::sync::LazyLock;

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Gauge},
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
