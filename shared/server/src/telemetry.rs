//! Metrics and traces of a process, under the RPC conventions of OpenTelemetry: measurements as Prometheus text on a
//! port of their own and over OTLP, spans over OTLP. Names and labels come from tables of ours, never from what a
//! caller sends, so they are bounded and hold nothing of a person (I8).
//!
//! | module | job |
//! |---|---|
//! | `metrics` | what is measured |
//! | `scrape` | the port for Prometheus |
//! | `span` | one call as a span |

pub(crate) mod metrics;
mod scrape;
pub(crate) mod span;

use std::{net::SocketAddr, time::Duration};

use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkError,
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::{Sampler, SdkTracerProvider},
};
use prometheus::Registry;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{StartError, runtime::Entropy, trace::Ids};

/// An exporter that hears nothing from its collector for so long gives up what it would have sent.
const EXPORT_MAX: Duration = Duration::from_secs(5);

/// Keys of the `[server.telemetry]` table.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port at which metrics are read as Prometheus text; empty for none.
    pub listen: String,
    /// `http://host:port` of an OTLP collector (gRPC) that gets metrics and traces; empty for none.
    pub otlp_endpoint: String,
    /// How often metrics are sent to the collector.
    pub otlp_seconds: u64,
    /// Which part of the traces that begin here is sent, 0 to 1; one that began elsewhere is sent when it says so.
    pub traces_ratio: f64,
}

/// The telemetry of a process, until it is stopped.
pub struct Telemetry {
    address: Option<SocketAddr>,
    scraped: Option<JoinHandle<()>>,
    meters: Option<SdkMeterProvider>,
    tracers: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts what is configured, for a process that is known as `service`. Before any server, because what was
    /// measured earlier is lost.
    ///
    /// # Errors
    /// An address that cannot be bound, or a collector's that is none. A collector need not be there.
    pub async fn start(config: &Config, service: &str) -> Result<Self, StartError> {
        let mut telemetry = Self { address: None, scraped: None, meters: None, tracers: None };
        let resource = Resource::builder()
            .with_service_name(format!("lienthong-{service}"))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", Entropy::system().id()))
            .build();
        let mut meters = SdkMeterProvider::builder().with_resource(resource.clone());
        if !config.listen.is_empty() {
            let registry = Registry::new();
            let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone());
            meters = meters.with_reader(reader.build()?);
            let listen = |source| StartError::Listen { address: config.listen.clone(), source };
            let listener = TcpListener::bind(&config.listen).await.map_err(listen)?;
            telemetry.address = Some(listener.local_addr().map_err(listen)?);
            telemetry.scraped = Some(tokio::spawn(scrape::serve(listener, registry)));
        }
        if !config.otlp_endpoint.is_empty() {
            let every = Duration::from_secs(config.otlp_seconds.max(1));
            let metrics = MetricExporter::builder().with_tonic();
            let metrics = metrics.with_endpoint(&config.otlp_endpoint).with_timeout(EXPORT_MAX);
            let reader = PeriodicReader::builder(metrics.build()?).with_interval(every).build();
            meters = meters.with_reader(reader);
            let spans = SpanExporter::builder().with_tonic();
            let spans = spans.with_endpoint(&config.otlp_endpoint).with_timeout(EXPORT_MAX);
            let here = Sampler::TraceIdRatioBased(config.traces_ratio);
            let tracers = SdkTracerProvider::builder()
                .with_resource(resource)
                .with_sampler(Sampler::ParentBased(Box::new(here)))
                .with_id_generator(Ids(Entropy::system()))
                .with_batch_exporter(spans.build()?)
                .build();
            global::set_tracer_provider(tracers.clone());
            telemetry.tracers = Some(tracers);
        }
        if !config.listen.is_empty() || !config.otlp_endpoint.is_empty() {
            let meters = meters.build();
            global::set_meter_provider(meters.clone());
            telemetry.meters = Some(meters);
        }
        Ok(telemetry)
    }

    /// Where metrics are read, if anywhere.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Sends what has not been sent, and ends. A collector that is away holds nothing up for longer than its limit.
    pub async fn stop(self) {
        if let Some(scraped) = self.scraped {
            scraped.abort();
        }
        let (meters, tracers) = (self.meters, self.tracers);
        // The exporters wait on threads of their own.
        let ended = tokio::task::spawn_blocking(move || {
            let meters = meters.map_or(Ok(()), |meters| meters.shutdown_with_timeout(EXPORT_MAX));
            let tracers =
                tracers.map_or(Ok(()), |tracers| tracers.shutdown_with_timeout(EXPORT_MAX));
            meters.and(tracers)
        });
        if !matches!(ended.await, Ok(Ok(()))) {
            tracing::warn!("the last metrics or spans could not be sent");
        }
    }
}

impl From<OTelSdkError> for StartError {
    fn from(error: OTelSdkError) -> Self {
        Self::Telemetry(Box::new(error))
    }
}

impl From<opentelemetry_otlp::ExporterBuildError> for StartError {
    fn from(error: opentelemetry_otlp::ExporterBuildError) -> Self {
        Self::Telemetry(Box::new(error))
    }
}
