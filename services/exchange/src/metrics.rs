//! What operators see of each route.

use std::sync::LazyLock;

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Gauge},
};

/// The instruments.
pub(crate) struct Metrics {
    /// How long ago the last change that was handed on was committed where it comes from, at the end of its list 0.
    pub(crate) lag: Gauge<f64>,
    /// Whether a route's circuit is open: it failed again and again.
    pub(crate) open: Gauge<u64>,
    /// Attempts that failed, by why.
    pub(crate) failures: Counter<u64>,
    /// Changes that were handed on, by what became of them.
    pub(crate) changes: Counter<u64>,
    /// Events that were delivered, by what became of them.
    pub(crate) events: Counter<u64>,
    /// Dead letters, by reason.
    pub(crate) dead_letters: Counter<u64>,
}

/// The instruments, of the meter that is there when they are first used.
pub(crate) fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
        let meter = global::meter("lienthong");
        let counter = |name, unit, what| {
            meter.u64_counter(name).with_unit(unit).with_description(what).build()
        };
        Metrics {
            lag: meter
                .f64_gauge("lienthong.exchange.lag")
                .with_unit("s")
                .with_description(
                    "How far the register is behind a source, or a follower behind the register",
                )
                .build(),
            open: meter
                .u64_gauge("lienthong.exchange.open")
                .with_description("Whether a route failed again and again")
                .build(),
            failures: counter(
                "lienthong.exchange.failures",
                "{attempt}",
                "Attempts at a database that failed, by why",
            ),
            changes: counter(
                "lienthong.exchange.changes",
                "{change}",
                "Changes of sources that were handed on, by what became of them",
            ),
            events: counter(
                "lienthong.exchange.events",
                "{event}",
                "Events that databases were told, by what became of them",
            ),
            dead_letters: counter(
                "lienthong.exchange.dead_letters",
                "{letter}",
                "What does not go on by itself, by reason",
            ),
        }
    });
    &METRICS
}

/// The label of a database.
pub(crate) fn of(database: &str) -> KeyValue {
    KeyValue::new("database", database.to_owned())
}

/// The labels of a database and of what is done for it.
pub(crate) fn doing(database: &str, role: &'static str) -> [KeyValue; 2] {
    [of(database), KeyValue::new("role", role)]
}

/// The labels of a database and of how something ended.
pub(crate) fn ended(database: &str, outcome: &'static str) -> [KeyValue; 2] {
    [of(database), KeyValue::new("outcome", outcome)]
}

/// Counts dead letters that are new.
pub(crate) fn noted(database: &str, reason: &'static str, new: u64) {
    if new > 0 {
        metrics().dead_letters.add(new, &ended(database, reason));
    }
}
