//! What is measured. `rpc.*` are OpenTelemetry's RPC metrics; what they have no name for is `lienthong.*`.

use std::sync::LazyLock;

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter},
};

/// Seconds. The conventions begin at 5 ms; a lookup takes a fraction of one, so 50 µs are told apart at the start.
const SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_15, 0.000_2, 0.000_25, 0.000_3, 0.000_4, 0.000_5, 0.000_75, 0.001,
    0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Every instrument there is.
pub(crate) struct Metrics {
    /// How long calls took to their last byte, by method, code and reason.
    pub(crate) server_calls: Histogram<f64>,
    /// How long requests to a port of HTTP/1.1 took to their answer, by what is asked for and its status.
    pub(crate) web_requests: Histogram<f64>,
    /// How long calls to other services took, with all attempts.
    pub(crate) client_calls: Histogram<f64>,
    /// Attempts beyond the first.
    pub(crate) client_retries: Counter<u64>,
    /// Connections to other services, by how the attempt ended.
    pub(crate) client_connects: Counter<u64>,
    /// Calls under way.
    pub(crate) calls: UpDownCounter<i64>,
    /// Open connections.
    pub(crate) connections: UpDownCounter<i64>,
    /// Connections that ended, by why.
    pub(crate) connections_ended: Counter<u64>,
    /// Handshakes, by how they ended.
    pub(crate) handshakes: Counter<u64>,
    /// Who claimed to be vouched for by a proxy and was refused, by what it was.
    pub(crate) forged: Counter<u64>,
    /// Attempts to read the identity again, by how they ended.
    pub(crate) identity_reads: Counter<u64>,
    /// When what the identity rests on runs out, in seconds since 1970: the certificate, or the first list.
    pub(crate) identity_expires: Gauge<u64>,
    /// Whether a service is ready.
    pub(crate) ready: Gauge<u64>,
}

impl Metrics {
    fn new(meter: &Meter) -> Self {
        let counter = |name, unit, what| {
            meter.u64_counter(name).with_unit(unit).with_description(what).build()
        };
        let open = |name, unit, what| {
            meter.i64_up_down_counter(name).with_unit(unit).with_description(what).build()
        };
        let seconds = |name, what| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(what);
            histogram.with_boundaries(SECONDS.to_vec()).build()
        };
        Self {
            server_calls: seconds("rpc.server.call.duration", "Incoming calls, to their last byte"),
            web_requests: seconds(
                "http.server.request.duration",
                "Incoming requests over HTTP/1.1, to their answer",
            ),
            client_calls: seconds("rpc.client.call.duration", "Outgoing calls, all attempts"),
            client_retries: counter(
                "lienthong.client.retries",
                "{attempt}",
                "Attempts of outgoing calls beyond the first",
            ),
            client_connects: counter(
                "lienthong.client.connects",
                "{connection}",
                "Attempts to connect to another service",
            ),
            calls: open("lienthong.server.calls", "{call}", "Incoming calls under way"),
            connections: open("lienthong.server.connections", "{connection}", "Open connections"),
            connections_ended: counter(
                "lienthong.server.connections.ended",
                "{connection}",
                "Connections that ended, by why",
            ),
            handshakes: counter(
                "lienthong.server.handshakes",
                "{handshake}",
                "Handshakes, by how they ended",
            ),
            forged: counter(
                "lienthong.server.forged",
                "{attempt}",
                "Calls and connections that claimed a proxy's word and were refused",
            ),
            identity_reads: counter(
                "lienthong.server.identity.reads",
                "{read}",
                "Readings of the certificate, its key, CA and lists",
            ),
            identity_expires: meter
                .u64_gauge("lienthong.server.identity.expires")
                .with_unit("s")
                .with_description(
                    "When the certificate or the first revocation list runs out (Unix time)",
                )
                .build(),
            ready: meter
                .u64_gauge("lienthong.server.ready")
                .with_description("1 while a service is ready")
                .build(),
        }
    }
}

/// The instruments of this process.
pub(crate) fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
        #[cfg(test)]
        testing::install();
        Metrics::new(&global::meter("lienthong"))
    });
    &METRICS
}

/// How something ended, as a label.
pub(crate) fn labelled(outcome: &'static str) -> [KeyValue; 1] {
    [KeyValue::new("outcome", outcome)]
}

#[cfg(test)]
pub(crate) mod testing {
    //! The tests of one process share its instruments.
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::LazyLock;

    use opentelemetry::global;
    use opentelemetry_sdk::metrics::SdkMeterProvider;
    use prometheus::{Registry, TextEncoder};

    static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

    pub(super) fn install() {
        let reader = opentelemetry_prometheus::exporter().with_registry(REGISTRY.clone());
        let meters = SdkMeterProvider::builder().with_reader(reader.build().unwrap()).build();
        global::set_meter_provider(meters);
    }

    /// The value of the one series of this name whose labels hold all of `labels`; 0 when there is none.
    pub(crate) fn value(name: &str, labels: &[&str]) -> f64 {
        values(name, labels).iter().sum()
    }

    /// The values of every series of this name whose labels hold all of `labels`.
    pub(crate) fn values(name: &str, labels: &[&str]) -> Vec<f64> {
        let text = TextEncoder::new().encode_to_string(&REGISTRY.gather()).unwrap();
        let found = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        found.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
    }
}
