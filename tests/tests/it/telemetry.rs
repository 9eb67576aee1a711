//! Metrics and traces as a collector and a scraper get them, of a process as an operator runs it: one trace through all
//! the services of a contribution, and nothing of a person in any of it (I8).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    trace::v1::{Span, span::SpanKind},
};
use server::Routes;
use store::Engine;
use tests::{
    events::birth,
    ports,
    processes::{Fleet, Shape},
    within,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tonic::{Request, Response, Status};

const CHILD: &str = "Giả Định Canary";

/// What a collector has received.
#[derive(Clone, Default)]
struct Collector {
    traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.traces.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.metrics.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Collector {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Routes::new(TraceServiceServer::new(self.clone()))
            .add_service(MetricsServiceServer::new(self.clone()))
            .prepare();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let service = TowerToHyperService::new(routes.clone());
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(tcp), service));
            }
        });
        address
    }

    fn spans(&self) -> Vec<Span> {
        let traces = self.traces.lock().unwrap();
        let resources = traces.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

async fn get(address: &str, path: &str) -> String {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Names and kinds of the spans below one, each with what is below it.
fn below(spans: &[Span], parent: &[u8]) -> BTreeSet<String> {
    let children = spans.iter().filter(|span| span.parent_span_id == parent);
    let told = children.map(|span| {
        let kind = if span.kind == SpanKind::Server as i32 { "server" } else { "client" };
        let method = span.name.rsplit('/').next().unwrap();
        let below = below(spans, &span.span_id).into_iter().collect::<Vec<_>>().join(" ");
        if below.is_empty() {
            format!("{kind} {method}")
        } else {
            format!("{kind} {method}({below})")
        }
    });
    told.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_metrics_and_traces_tell_of_calls_and_of_no_person() {
    let collector = Collector::default();
    let otlp = format!("http://{}", collector.start().await);
    let scraped = ports::free();
    let environment = [
        ("LIENTHONG__SERVER__TELEMETRY__LISTEN", scraped.as_str()),
        ("LIENTHONG__SERVER__TELEMETRY__OTLP_ENDPOINT", otlp.as_str()),
        ("LIENTHONG__SERVER__TELEMETRY__OTLP_SECONDS", "1"),
        ("LIENTHONG__SERVER__TELEMETRY__TRACES_RATIO", "1"),
    ];
    let mut fleet = Fleet::start_in(Shape::All, Engine::Sqlite, &environment).await;
    let (client, _) = fleet.clients("civil-status", "Z01.DEMO.HOTICH", "ho-tich");
    let submitted = client.submit_contribution(&birth("canary-entry", CHILD)).await.unwrap();
    let number = submitted.unwrap().answer.personal_number;
    // Not of this register: refused, and told apart from what went well.
    let mut unknown = birth("canary-entry-2", CHILD);
    unknown.basis.as_mut().unwrap().legal_basis = "canary-basis".to_owned();
    let refused = client.submit_contribution(&unknown).await.unwrap().err().unwrap();

    let text = within(get(&scraped, "/metrics")).await;
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    let called = |labels: &[&str]| {
        text.lines().any(|line| {
            line.starts_with("rpc_server_call_duration_seconds_count{")
                && labels.iter().all(|label| line.contains(label))
        })
    };
    let submit = r#"rpc_method="lienthong.contribution.v1.ContributionService/SubmitContribution""#;
    let reason = format!(r#"error_type="{}""#, refused.reason);
    assert!(called(&[submit, r#"rpc_response_status_code="OK""#]), "{text}");
    assert!(called(&[submit, &reason]), "{text}");
    let folded =
        |line: &str| line.starts_with("lienthong_identity_other_rules{") && line.ends_with(" 0");
    assert!(text.lines().any(folded), "{text}");
    for measured in
        ["lienthong_audit_commit_records_count{", "lienthong_audit_commit_duration_seconds_count{"]
    {
        let some = |line: &str| line.starts_with(measured) && !line.ends_with(" 0");
        assert!(text.lines().any(some), "{measured} {text}");
    }
    assert!(within(get(&scraped, "/")).await.starts_with("HTTP/1.1 404"));

    fleet = tokio::task::spawn_blocking(move || {
        fleet.terminate();
        fleet
    })
    .await
    .unwrap();
    drop(fleet);
    let spans = collector.spans();
    let mut traces: BTreeMap<Vec<u8>, Vec<Span>> = BTreeMap::new();
    for span in
        spans.iter().filter(|span| !span.name.contains("grpc.health") && span.name != "_OTHER")
    {
        traces.entry(span.trace_id.clone()).or_default().push(span.clone());
    }
    let told: Vec<_> = traces.values().map(|spans| below(spans, &[])).collect();
    let whole = "server SubmitContribution(client Append(server Append) \
                 client Apply(server Apply(client Append(server Append))) \
                 client Decide(server Decide))";
    assert!(told.iter().any(|told| told.iter().eq([whole])), "{told:#?}");
    assert!(!collector.metrics.lock().unwrap().is_empty());

    let sent = format!("{spans:?} {:?} {text}", collector.metrics.lock().unwrap());
    for canary in [CHILD, "anary", number.as_str(), "Thu Hà", "Z01.DEMO"] {
        assert!(!sent.contains(canary), "{canary} was told");
    }
}
