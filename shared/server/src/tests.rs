//! The listener and the channels together, over real connections with certificates of a throw-away CA.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod child;
mod connection;
mod crowd;
mod drain;
mod frames;
mod health;
mod hostile;
mod limits;
mod log;
mod measured;
mod mesh;
mod network;
mod person;
mod probe;
mod reflection;
mod reload;
mod replicas;
mod road;
mod silence;
mod web;
mod wire;

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use contract::policy::v1::{
    DecideRequest, DecideResponse, GetConnectionRequest, GetConnectionResponse, LeaseVolumeRequest,
    LeaseVolumeResponse, WatchRevisionsRequest, WatchRevisionsResponse,
    policy_service_client::PolicyServiceClient,
    policy_service_server::{PolicyService, PolicyServiceServer},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SanType, SerialNumber,
};
use time::{Duration as Span, OffsetDateTime};
use tokio::sync::Notify;
use tonic::{Code, Request, Response, Status, body::Body, client::GrpcService, service::Routes};
use tonic_types::StatusExt;
use tower::BoxError;

use super::{
    health::pb::{HealthCheckRequest, health_client::HealthClient},
    *,
};

pub(crate) const DOMAIN: &str = "lienthong.test";
/// The name of every service, beside its address.
const NAME: &str = "service.test";
/// Only ends a hang.
const HANG: Duration = Duration::from_secs(60);

/// A CA and its folder.
pub(crate) struct Pki {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, uri: &str) -> tls::Files {
        self.issue_as(uri, None)
    }

    pub(crate) fn issue_as(&self, uri: &str, serial: Option<SerialNumber>) -> tls::Files {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1", NAME].map(str::to_owned)).unwrap();
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        params.serial_number = serial;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let name = uri.replace([':', '/'], "_");
        let write = |suffix: &str, text: String| {
            let path = self.folder.path().join(format!("{name}.{suffix}"));
            fs::write(&path, text).unwrap();
            text_of(&path)
        };
        tls::Files {
            certificate: write("pem", certificate.pem()),
            key: write("key", key.serialize_pem()),
            ca: text_of(&self.folder.path().join("ca.pem")),
            crl: String::new(),
            revoked_identities: String::new(),
        }
    }

    /// The list of what is revoked, until `until`.
    pub(crate) fn revoke(&self, serials: &[u64], until: OffsetDateTime) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: OffsetDateTime::UNIX_EPOCH,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: OffsetDateTime::UNIX_EPOCH,
            next_update: until,
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.folder.path().join("crl.pem");
        fs::write(&path, list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
        text_of(&path)
    }

    /// The file of revoked identities, put in place at once.
    pub(crate) fn revoke_identities(&self, text: &str) -> String {
        let path = self.folder.path().join("revoked");
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, &path).unwrap();
        text_of(&path)
    }

    pub(crate) fn service(&self, name: &str) -> tls::Files {
        self.issue(&format!("spiffe://{DOMAIN}/service/{name}"))
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, work).await.unwrap()
}

fn text_of(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// When the policy service of these tests answers.
#[derive(Clone)]
enum Answers {
    AtOnce,
    When(Arc<Notify>),
    Never,
}

/// A policy service that answers, or never does.
struct Policy {
    answers: Answers,
    /// Told when a call has reached the handler.
    entered: Arc<Notify>,
}

/// Tells when the handler that holds it is given up.
struct ToldAtTheEnd(Arc<Notify>);

impl Drop for ToldAtTheEnd {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tonic::async_trait]
impl PolicyService for Policy {
    async fn decide(
        &self,
        request: Request<DecideRequest>,
    ) -> Result<Response<DecideResponse>, Status> {
        let (caller, _) = context(&request)?;
        self.entered.notify_one();
        match &self.answers {
            Answers::AtOnce => {}
            Answers::When(told) => told.notified().await,
            Answers::Never => {
                let _told = ToldAtTheEnd(Arc::clone(&self.entered));
                std::future::pending().await
            }
        }
        let decision_id = caller.id().to_owned();
        Ok(Response::new(DecideResponse { decision_id, ..Default::default() }))
    }

    /// Nobody calls it here.
    async fn get_connection(
        &self,
        _: Request<GetConnectionRequest>,
    ) -> Result<Response<GetConnectionResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    /// Nobody calls it here.
    async fn lease_volume(
        &self,
        _: Request<LeaseVolumeRequest>,
    ) -> Result<Response<LeaseVolumeResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    type WatchRevisionsStream = futures::stream::Empty<Result<WatchRevisionsResponse, Status>>;

    /// Nobody calls it here.
    async fn watch_revisions(
        &self,
        _: Request<WatchRevisionsRequest>,
    ) -> Result<Response<Self::WatchRevisionsStream>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

async fn start(pki: &Pki, answers: bool, deadline_max_seconds: u64) -> Running {
    start_told(pki, answers, deadline_max_seconds, Arc::default()).await
}

async fn start_told(
    pki: &Pki,
    answers: bool,
    deadline_max_seconds: u64,
    entered: Arc<Notify>,
) -> Running {
    let answers = if answers { Answers::AtOnce } else { Answers::Never };
    let limited = |config: Config| Config { deadline_max_seconds, ..config };
    start_with(pki, answers, entered, limited).await
}

async fn start_with(
    pki: &Pki,
    answers: Answers,
    entered: Arc<Notify>,
    change: impl FnOnce(Config) -> Config,
) -> Running {
    let routes = Routes::new(PolicyServiceServer::new(Policy { answers, entered }));
    Server::bind(change(config(pki, 30))).await.unwrap().start(routes).await
}

pub(crate) fn config(pki: &Pki, deadline_max_seconds: u64) -> Config {
    let files = pki.service("policy");
    Config {
        listen: "127.0.0.1:0".to_owned(),
        health_listen: String::new(),
        reflection: true,
        trust_domain: DOMAIN.to_owned(),
        certificate: files.certificate,
        key: files.key,
        ca: files.ca,
        crl: String::new(),
        revoked_identities: String::new(),
        deadline_max_seconds,
        stream_max_seconds: deadline_max_seconds,
        handshake_max_seconds: 10,
        handshakes_max: 16,
        handshakes_per_address_max: 16,
        streams_max: 200,
        calls_max: 64,
        calls_per_caller_max: 32,
        connections_max: 64,
        connections_per_caller_max: 32,
        readiness_seconds: 1,
        connection_age_seconds: 3_600,
        connection_idle_seconds: 3_600,
        connection_grace_seconds: 60,
        lame_duck_seconds: 0,
        drain_max_seconds: 1,
        mesh: crate::mesh::Config::default(),
        telemetry: telemetry::Config { otlp_seconds: 1, ..Default::default() },
    }
}

fn channel(server: &Running, service: &str, files: &tls::Files) -> Channel {
    let endpoint = server.address().to_string();
    channel::to_service(&channel::Peer::direct(endpoint, service), DOMAIN, files).unwrap()
}

/// What calls go over: a channel of ours, or one of tonic's.
trait Way:
    GrpcService<
        Body,
        ResponseBody: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError> + Send>
                          + Send
                          + 'static,
        Error: Into<BoxError> + std::fmt::Debug,
    > + Clone
{
}

impl Way for Channel {}
impl Way for tonic::transport::Channel {}

async fn decide(channel: impl Way, timeout: Option<&str>) -> Result<DecideResponse, Status> {
    let mut request = Request::new(DecideRequest::default());
    if let Some(timeout) = timeout {
        request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
    }
    let mut client = PolicyServiceClient::new(channel);
    tokio::time::timeout(HANG, client.decide(request)).await.unwrap().map(Response::into_inner)
}

fn reason(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    (status.code(), details.error_info().map(|i| i.reason.clone()).unwrap_or_default())
}

#[tokio::test]
async fn the_caller_is_the_certificate_and_the_table_says_what_it_may_call() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let ours = pki.service("identity");
    let answer = decide(channel(&server, "policy", &ours), None).await.unwrap();
    assert_eq!(answer.decision_id, format!("spiffe://{DOMAIN}/service/identity"));

    for (uri, code, expect) in [
        (
            format!("spiffe://{DOMAIN}/agency/G24/system/hi"),
            Code::PermissionDenied,
            "METHOD_NOT_ALLOWED",
        ),
        (format!("spiffe://{DOMAIN}/service/audit"), Code::PermissionDenied, "METHOD_NOT_ALLOWED"),
        ("spiffe://other/service/identity".to_owned(), Code::Unauthenticated, "UNKNOWN_IDENTITY"),
    ] {
        let refused = decide(channel(&server, "policy", &pki.issue(&uri)), None).await;
        assert_eq!(reason(&refused.unwrap_err()), (code, expect.to_owned()), "{uri}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_connection_is_tls_1_3_with_a_key_exchange_that_outlives_quantum_computers() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let files = pki.service("identity");
    let connector = tokio_rustls::TlsConnector::from(tls::client(&files).unwrap());
    let tcp = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let stream = connector.connect("127.0.0.1".try_into().unwrap(), tcp).await.unwrap();
    let (_, connection) = stream.get_ref();
    assert_eq!(connection.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    let group = connection.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    // On either side it comes before all others.
    assert_eq!(tls::provider().kx_groups[0].name(), group);
    server.stop().await;
}

#[tokio::test]
async fn a_compression_that_is_not_taken_is_refused_with_those_that_are() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let mut client = PolicyServiceClient::new(channel(&server, "policy", &pki.service("identity")));
    let mut request = Request::new(DecideRequest::default());
    request.metadata_mut().insert("grpc-encoding", "gzip".parse().unwrap());
    let refused = within(client.decide(request)).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Unimplemented, "UNKNOWN_METHOD".to_owned()));
    assert_eq!(refused.metadata().get("grpc-accept-encoding").unwrap(), "identity");
    server.stop().await;
}

#[tokio::test]
async fn strangers_on_either_side_get_no_connection() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    // A client of another CA that trusts ours: the handshake ends it.
    let elsewhere = Pki::new();
    let stranger = tls::Files { ca: pki.service("x").ca, ..elsewhere.service("identity") };
    let refused = decide(channel(&server, "policy", &stranger), None).await.unwrap_err();
    assert_eq!(reason(&refused).1, "", "no answer of ours, whatever the transport calls it");
    // A server of the right CA, but another service than the one that is called.
    let refused = decide(channel(&server, "audit", &pki.service("identity")), None).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    server.stop().await;
}

#[tokio::test]
async fn a_deadline_is_kept_as_deadline_exceeded_and_a_malformed_one_is_named() {
    let pki = Pki::new();
    let server = start(&pki, false, 1).await;
    let ours = channel(&server, "policy", &pki.service("identity"));
    let late = decide(ours.clone(), None).await.unwrap_err();
    assert_eq!(reason(&late), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
    let malformed = decide(ours, Some("5x")).await.unwrap_err();
    assert_eq!(reason(&malformed), (Code::InvalidArgument, "INVALID_REQUEST".to_owned()));
    let details = malformed.get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "grpc-timeout");
    server.stop().await;
}

#[tokio::test]
async fn health_answers_and_a_drain_ends_although_a_call_hangs() {
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let server = start_told(&pki, false, 3_000, Arc::clone(&entered)).await;
    let ours = channel(&server, "policy", &pki.service("identity"));
    let mut health = HealthClient::new(ours.clone());
    let check = HealthCheckRequest { service: String::new() };
    assert_eq!(health.check(check).await.unwrap().into_inner().status, 1);
    let hanging = tokio::spawn(decide(ours, None));
    tokio::time::timeout(HANG, entered.notified()).await.unwrap();
    let address = server.address();
    tokio::time::timeout(HANG, server.stop()).await.unwrap();
    assert!(hanging.await.unwrap().is_err());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_revoked_certificate_gets_no_connection_and_another_does() {
    let pki = Pki::new();
    let crl = pki.revoke(&[7], runtime::Clock::system().now() + Span::DAY);
    let listed = |config: Config| Config { crl, ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), listed).await;
    let uri = format!("spiffe://{DOMAIN}/service/identity");
    let revoked = pki.issue_as(&uri, Some(7.into()));
    let refused = decide(channel(&server, "policy", &revoked), None).await.unwrap_err();
    assert_eq!(reason(&refused).1, "", "no answer of ours, whatever the transport calls it");
    let other = pki.issue_as(&uri, Some(8.into()));
    decide(channel(&server, "policy", &other), None).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_revoked_service_is_not_called() {
    let pki = Pki::new();
    let until = runtime::Clock::system().now() + Span::DAY;
    let shows = |config: Config| {
        let own = pki.issue_as(&format!("spiffe://{DOMAIN}/service/policy"), Some(9.into()));
        Config { certificate: own.certificate, key: own.key, ..config }
    };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), shows).await;
    let ours = tls::Files { crl: pki.revoke(&[], until), ..pki.service("identity") };
    let open = channel(&server, "policy", &ours);
    decide(open.clone(), None).await.unwrap();
    pki.revoke(&[9], until);
    // Also not over a connection that is open.
    let cut = async { while decide(open.clone(), None).await.is_ok() {} };
    within(cut).await;
    let refused = decide(channel(&server, "policy", &ours), None).await.unwrap_err();
    assert_eq!(reason(&refused).1, "", "no answer of ours, whatever the transport calls it");
    // A list that has passed its date lets us call nobody (I9).
    pki.revoke(&[], until - Span::days(2));
    let peer = channel::Peer::direct(server.address().to_string(), "policy");
    assert!(channel::to_service(&peer, DOMAIN, &ours).is_err());
    server.stop().await;
}

#[tokio::test]
async fn i9_without_a_usable_revocation_list_nothing_starts() {
    let pki = Pki::new();
    let now = runtime::Clock::system().now();
    let check = async |crl: String, expect: &str| {
        let refused = Server::bind(Config { crl, ..config(&pki, 30) }).await.err().unwrap();
        assert!(refused.to_string().contains(expect), "{refused}");
    };
    check(pki.revoke(&[], now - Span::SECOND), "passed its date").await;
    let crl = pki.revoke(&[], now + Span::DAY);
    fs::write(&crl, "").unwrap();
    check(crl.clone(), "holds no list").await;
    fs::write(&crl, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n").unwrap();
    check(crl, "is damaged").await;
    check("/nowhere/crl.pem".to_owned(), "/nowhere/crl.pem").await;
}

#[tokio::test]
async fn i9_without_a_usable_list_of_revoked_identities_nothing_starts() {
    let pki = Pki::new();
    let check = async |revoked_identities: String, expect: &str| {
        let config = Config { revoked_identities, ..config(&pki, 30) };
        let refused = Server::bind(config).await.err().unwrap().to_string();
        assert!(refused.contains(expect), "{refused}");
    };
    check(pki.revoke_identities("# none\n\nspiffe://other/service/audit\n"), "line 3").await;
    check("/nowhere/revoked".to_owned(), "/nowhere/revoked").await;
}

/// The keys that `config` is found faulty in.
fn faulty(config: &Config) -> Vec<String> {
    let mut faults = inspect::Faults::default();
    inspect::server(config, "policy", runtime::Clock::system().now(), &mut faults);
    faults.found().into_iter().map(|fault| fault.key).collect()
}

#[test]
fn every_fault_of_an_identity_is_found_at_once() {
    let pki = Pki::new();
    let good = config(&pki, 30);
    assert_eq!(faulty(&good), Vec::<String>::new());
    let other = pki.service("audit");
    let system = pki.issue(&format!("spiffe://{DOMAIN}/agency/G24/system/hi"));
    let check = |config: Config, expect: &[&str]| assert_eq!(faulty(&config), expect);
    check(Config { key: other.key, ..good.clone() }, &["server.key"]);
    check(Config { trust_domain: "other".into(), ..good.clone() }, &["server.certificate"]);
    check(
        Config { certificate: system.certificate, key: system.key, ..good.clone() },
        &["server.certificate"],
    );
    let bad = Config {
        listen: "nowhere".into(),
        certificate: String::new(),
        key: "/nowhere".into(),
        ca: good.key.clone(),
        crl: "/nowhere".into(),
        revoked_identities: pki.revoke_identities("# none\n/service/audit\n"),
        ..good
    };
    let keys = ["listen", "certificate", "key", "ca", "crl", "revoked_identities"];
    let keys = keys.map(|key| format!("server.{key}"));
    check(bad, &keys.each_ref().map(String::as_str));
}
