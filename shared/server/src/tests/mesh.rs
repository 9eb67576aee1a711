//! The `mesh` transport, with a client in the place of the proxy.

use std::os::unix::fs::PermissionsExt as _;

use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpSocket, UnixStream},
};
use tonic::transport::{self, Endpoint};

use super::*;
use crate::mesh::{Config as Mesh, Vouched};

const XFCC: &str = "x-forwarded-client-cert";
const LINKERD: &str = "l5d-client-id";
const DECIDE: &str = "/lienthong.policy.v1.PolicyService/Decide";
const APPEND: &str = "/lienthong.audit.v1.AuditService/Append";
const APPLY: &str = "/lienthong.register.v1.RegisterService/Apply";

/// What a service is called in the mesh, in the words of a header.
fn named(header: &str, service: &str) -> String {
    match header {
        XFCC => format!("spiffe://cluster.local/ns/lienthong/sa/{service}"),
        _ => format!("{service}.lienthong.serviceaccount.identity.linkerd.cluster.local"),
    }
}

/// What the proxy says of a call of a service.
fn said(header: &str, service: &str) -> String {
    let name = named(header, service);
    match header {
        XFCC => format!("By=spiffe://cluster.local/x;Hash=0a;Subject=\"CN=a,O=b\";URI={name}"),
        _ => name,
    }
}

fn table(header: &str) -> Mesh {
    let row = |service: &str| Vouched {
        vouched: named(header, service),
        caller: format!("/service/{service}"),
    };
    Mesh {
        listen: "127.0.0.1:0".to_owned(),
        header: header.to_owned(),
        proxies: vec!["127.0.0.1".to_owned()],
        identities: vec![row("identity"), row("contribution")],
    }
}

async fn meshed(pki: &Pki, header: &str) -> Running {
    let mesh = table(header);
    start_with(pki, Answers::AtOnce, Arc::default(), |config| Config { mesh, ..config }).await
}

/// A connection as a proxy makes it.
fn proxy(server: &Running) -> transport::Channel {
    let address = server.mesh_address().unwrap();
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

/// How a call ends: its code, its reason, and who it was taken for.
pub(super) type End = (Code, String, String);

pub(super) async fn ask(
    channel: &impl Way,
    method: &'static str,
    headers: &[(&'static str, &str)],
) -> End {
    let mut request = Request::new(DecideRequest::default());
    for (name, value) in headers {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    let codec = tonic_prost::ProstCodec::<DecideRequest, DecideResponse>::default();
    let mut client = tonic::client::Grpc::new(channel.clone());
    within(client.ready()).await.unwrap();
    let path = http::uri::PathAndQuery::from_static(method);
    match within(client.unary(request, path, codec)).await {
        Ok(answer) => (Code::Ok, String::new(), answer.into_inner().decision_id),
        Err(status) => {
            let (code, reason) = reason(&status);
            (code, reason, String::new())
        }
    }
}

fn refused(code: Code, reason: &str) -> End {
    (code, reason.to_owned(), String::new())
}

fn nobody() -> End {
    refused(Code::Unauthenticated, "UNKNOWN_IDENTITY")
}

fn taken_for(service: &str) -> End {
    (Code::Ok, String::new(), format!("spiffe://{DOMAIN}/service/{service}"))
}

#[tokio::test]
async fn a_caller_gets_the_same_answers_by_either_transport_and_either_header() {
    let pki = Pki::new();
    for header in [XFCC, LINKERD] {
        let server = meshed(&pki, header).await;
        let by_proxy = proxy(&server);
        for service in ["identity", "contribution"] {
            let direct = channel(&server, "policy", &pki.service(service));
            let said = said(header, service);
            for (method, more) in [
                (DECIDE, vec![]),
                (DECIDE, vec![("grpc-timeout", "5x")]),
                (APPLY, vec![]),
                (APPEND, vec![]),
                ("/lienthong.identity.v1.IdentityService/GetPerson", vec![]),
                ("/lienthong.policy.v1.PolicyService/Nothing", vec![]),
                ("/grpc.health.v1.Health/Check", vec![]),
            ] {
                let expect = ask(&direct, method, &more).await;
                let with = [&more[..], &[(header, said.as_str())]].concat();
                assert_eq!(ask(&by_proxy, method, &with).await, expect, "{service} {method}");
            }
            let expect = taken_for(service);
            assert_eq!(ask(&by_proxy, DECIDE, &[(header, &said)]).await, expect);
        }
        // One of them is open to one of these only.
        let closed = refused(Code::PermissionDenied, "METHOD_NOT_ALLOWED");
        assert_eq!(ask(&by_proxy, APPLY, &[(header, &said(header, "identity"))]).await, closed);
        server.stop().await;
    }
}

#[tokio::test]
async fn i2_whom_the_table_does_not_name_is_nobody() {
    let pki = Pki::new();
    let ours = said(XFCC, "identity");
    let name = named(XFCC, "identity");
    let server = meshed(&pki, XFCC).await;
    let by_proxy = proxy(&server);
    for bad in [
        vec![],
        vec![String::new()],
        vec![said(XFCC, "policy")],
        vec![name.clone()],
        vec![format!("URI=spiffe://{DOMAIN}/service/identity")],
        vec![format!("URI=spiffe://{DOMAIN}/agency/G24/system/hi")],
        vec![format!("{ours}x")],
        // What a caller said, with what the proxy put behind it; in one header or in two.
        vec![format!("{ours},{ours}")],
        vec![format!("{ours};URI={name}")],
        vec![ours.clone(), ours.clone()],
    ] {
        let headers: Vec<_> = bad.iter().map(|value| (XFCC, value.as_str())).collect();
        assert_eq!(ask(&by_proxy, DECIDE, &headers).await, nobody(), "{bad:?}");
    }
    assert_eq!(server.forged().calls(), 0, "nobody is no forger");
    server.stop().await;
    let server = meshed(&pki, LINKERD).await;
    let ours = said(LINKERD, "identity");
    for bad in [vec![], vec![""], vec!["sneaky.sneaky"], vec![ours.as_str(), ours.as_str()]] {
        let headers: Vec<_> = bad.iter().map(|value| (LINKERD, *value)).collect();
        assert_eq!(ask(&proxy(&server), DECIDE, &headers).await, nobody(), "{bad:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn i2_a_header_where_it_does_not_speak_is_refused_and_counted() {
    let pki = Pki::new();
    let server = meshed(&pki, XFCC).await;
    let direct = channel(&server, "policy", &pki.service("identity"));
    let (xfcc, linkerd) = (said(XFCC, "contribution"), said(LINKERD, "contribution"));
    // With a good certificate, whatever it says, and also where everybody may ask.
    for (counted, header, value, method) in [
        (1, XFCC, xfcc.as_str(), DECIDE),
        (2, LINKERD, &linkerd, DECIDE),
        (3, XFCC, "", DECIDE),
        (4, XFCC, &xfcc, "/grpc.health.v1.Health/Check"),
    ] {
        assert_eq!(ask(&direct, method, &[(header, value)]).await, nobody(), "{header}");
        assert_eq!(server.forged().calls(), counted);
    }
    assert_eq!(ask(&direct, DECIDE, &[]).await, taken_for("identity"), "others are served on");
    // The proxy lets through what is not its own header: that one a caller has written.
    let both = [(XFCC, said(XFCC, "identity")), (LINKERD, linkerd.clone())];
    let both: Vec<_> = both.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(ask(&proxy(&server), DECIDE, &both).await, nobody());
    assert_eq!(server.forged().calls(), 5);
    assert_eq!(server.forged().connections(), 0);
    server.stop().await;
    // Without the transport as well.
    let server = start(&pki, true, 30).await;
    assert!(server.mesh_address().is_none());
    let direct = channel(&server, "policy", &pki.service("identity"));
    assert_eq!(ask(&direct, DECIDE, &[(LINKERD, &linkerd)]).await, nobody());
    assert_eq!(server.forged().calls(), 1);
    server.stop().await;
}

#[tokio::test]
async fn i2_an_identity_that_is_revoked_is_nobody_whatever_the_proxy_says() {
    let pki = Pki::new();
    let revoked_identities = pki.revoke_identities("");
    let change = |config| Config { mesh: table(XFCC), revoked_identities, ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), change).await;
    let by_proxy = proxy(&server);
    let identity = [(XFCC, said(XFCC, "identity"))];
    let identity = identity.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(ask(&by_proxy, DECIDE, &identity).await, taken_for("identity"));
    pki.revoke_identities(&format!("spiffe://{DOMAIN}/service/identity\n"));
    let refused = async {
        while ask(&by_proxy, DECIDE, &identity).await != nobody() {
            tokio::task::yield_now().await;
        }
    };
    within(refused).await;
    assert_eq!(ask(&by_proxy, "/grpc.health.v1.Health/Check", &identity).await, nobody());
    // On the same connection.
    let other = said(XFCC, "contribution");
    assert_eq!(ask(&by_proxy, DECIDE, &[(XFCC, &other)]).await, taken_for("contribution"));
    assert_eq!(server.forged().calls(), 0);
    // It may come back.
    pki.revoke_identities("# nobody\n");
    let back = async {
        while ask(&by_proxy, DECIDE, &identity).await == nobody() {
            tokio::task::yield_now().await;
        }
    };
    within(back).await;
    server.stop().await;
}

async fn connect_from(from: &str, server: &Running) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    within(socket.connect(server.mesh_address().unwrap())).await.unwrap()
}

/// Whether whoever comes from there is answered; the first thing a server says is its SETTINGS.
async fn is_answered(from: &str, server: &Running) -> bool {
    let mut stream = connect_from(from, server).await;
    let mut first = [0; 9];
    within(stream.read_exact(&mut first)).await.is_ok()
}

#[tokio::test]
async fn i2_whoever_is_no_proxy_gets_no_answer_and_is_counted() {
    let pki = Pki::new();
    let check = async |proxies: &[&str], from: &str, expect: bool| {
        let proxies = proxies.iter().map(|text| (*text).to_owned()).collect();
        let mesh = Mesh { proxies, ..table(XFCC) };
        let change = |config| Config { mesh, ..config };
        let server = start_with(&pki, Answers::AtOnce, Arc::default(), change).await;
        assert_eq!(is_answered(from, &server).await, expect, "{from}");
        assert_eq!(server.forged().connections(), u64::from(!expect));
        server.stop().await;
    };
    check(&["127.0.0.1"], "127.0.0.1", true).await;
    check(&["127.0.0.1"], "127.0.0.2", false).await;
    check(&["192.0.2.1", "127.0.0.2/31"], "127.0.0.2", true).await;
    check(&["127.0.0.2/31"], "127.0.0.4", false).await;
    check(&["self"], "127.0.0.1", true).await;
    check(&["self"], "127.0.0.2", false).await;
}

#[tokio::test]
async fn callers_on_one_connection_of_a_proxy_are_told_apart_and_limited() {
    let pki = Pki::new();
    let (entered, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let change =
        |config| Config { mesh: table(LINKERD), calls_max: 2, connections_max: 1, ..config };
    let answers = Answers::When(Arc::clone(&release));
    let server = start_with(&pki, answers, Arc::clone(&entered), change).await;
    // One connection, because another would be ended.
    let by_proxy = proxy(&server);
    let call = |service: &'static str| {
        let by_proxy = by_proxy.clone();
        tokio::spawn(
            async move { ask(&by_proxy, DECIDE, &[(LINKERD, &said(LINKERD, service))]).await },
        )
    };
    let (one, other) = (call("identity"), call("contribution"));
    within(entered.notified()).await;
    within(entered.notified()).await;
    let third = within(call("identity")).await.unwrap();
    assert_eq!(third, refused(Code::Unavailable, "OVERLOADED"));
    let nobody_is_not_let_in = ask(&by_proxy, DECIDE, &[]).await;
    assert_eq!(nobody_is_not_let_in, nobody());
    release.notify_waiters();
    assert_eq!(within(one).await.unwrap(), taken_for("identity"));
    assert_eq!(within(other).await.unwrap(), taken_for("contribution"));
    server.stop().await;
}

#[tokio::test]
async fn a_drain_ends_calls_of_the_proxy_that_hang_and_the_port() {
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let change = |config| Config { mesh: table(XFCC), deadline_max_seconds: 3_000, ..config };
    let server = start_with(&pki, Answers::Never, Arc::clone(&entered), change).await;
    let address = server.mesh_address().unwrap();
    let by_proxy = proxy(&server);
    let hanging =
        tokio::spawn(
            async move { ask(&by_proxy, DECIDE, &[(XFCC, &said(XFCC, "identity"))]).await },
        );
    within(entered.notified()).await;
    // One that says nothing holds it up no longer.
    let _silent = connect_from("127.0.0.1", &server).await;
    within(server.stop()).await;
    assert_ne!(within(hanging).await.unwrap().0, Code::Ok);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_idle_or_old_connection_of_a_proxy_is_ended_also_one_that_says_nothing() {
    let pki = Pki::new();
    for (idle, age) in [(1, 3_600), (3_600, 1)] {
        let change = |config| Config {
            mesh: table(XFCC),
            connection_idle_seconds: idle,
            connection_age_seconds: age,
            connection_grace_seconds: 1,
            ..config
        };
        let server = start_with(&pki, Answers::AtOnce, Arc::default(), change).await;
        let mut stream = connect_from("127.0.0.1", &server).await;
        let mut all = Vec::new();
        within(stream.read_to_end(&mut all)).await.ok();
        server.stop().await;
    }
}

fn by_socket(path: &Path) -> transport::Channel {
    let path = path.to_owned();
    let connect = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector_lazy(connect)
}

#[tokio::test]
async fn a_socket_is_believed_by_its_mode_and_replaces_only_a_socket() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mesh.sock");
    let mesh =
        Mesh { listen: format!("unix:{}", path.display()), proxies: Vec::new(), ..table(XFCC) };
    let change = |config| Config { mesh: mesh.clone(), ..config };
    // The second finds the socket of the first.
    for _ in 0..2 {
        let server = start_with(&pki, Answers::AtOnce, Arc::default(), change).await;
        assert!(server.mesh_address().is_none());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660, "owner and group, and nobody else");
        let ours = said(XFCC, "identity");
        let answer = ask(&by_socket(&path), DECIDE, &[(XFCC, &ours)]).await;
        assert_eq!(answer, taken_for("identity"));
        assert_eq!(ask(&by_socket(&path), DECIDE, &[]).await, nobody());
        server.stop().await;
        assert!(UnixStream::connect(&path).await.is_err());
    }
    fs::remove_file(&path).unwrap();
    fs::write(&path, "somebody's").unwrap();
    assert!(Server::bind(change(config(&pki, 30))).await.is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

/// What an earlier process that was killed may have left beside the socket; in a container each has the same id.
#[tokio::test]
async fn a_socket_is_bound_although_a_start_was_broken_off_before() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mesh.sock");
    let mesh =
        Mesh { listen: format!("unix:{}", path.display()), proxies: Vec::new(), ..table(XFCC) };
    let left = std::os::unix::net::UnixListener::bind;
    let before = left(path.with_extension(format!("{}.new", std::process::id()))).unwrap();
    let halfway = folder.path().join(".mesh.sock.new");
    fs::create_dir(&halfway).unwrap();
    drop((before, left(halfway.join("s")).unwrap()));
    let change = |config| Config { mesh, ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), change).await;
    let ours = said(XFCC, "identity");
    let answer = ask(&by_socket(&path), DECIDE, &[(XFCC, &ours)]).await;
    assert_eq!(answer, taken_for("identity"));
    assert!(!halfway.exists());
    server.stop().await;
}

#[tokio::test]
async fn a_channel_by_mesh_speaks_without_tls_and_vouches_for_nobody() {
    let pki = Pki::new();
    let server = meshed(&pki, XFCC).await;
    let endpoint = server.mesh_address().unwrap().to_string();
    let transport = channel::Transport::Mesh;
    let peer = channel::Peer { transport, ..channel::Peer::direct(endpoint, "policy") };
    let by_mesh = channel::to_service(&peer, DOMAIN, &pki.service("identity")).unwrap();
    assert_eq!(ask(&by_mesh, DECIDE, &[]).await, nobody(), "that is for the proxy to say");
    let ours = said(XFCC, "identity");
    assert_eq!(ask(&by_mesh, DECIDE, &[(XFCC, &ours)]).await, taken_for("identity"));
    server.stop().await;
}

#[tokio::test]
async fn i9_what_is_not_configured_whole_is_named_at_once_and_does_not_start() {
    let pki = Pki::new();
    let check = async |mesh: Mesh, expect: &[&str]| {
        let config = Config { mesh, ..config(&pki, 30) };
        let mut faults = inspect::Faults::default();
        inspect::server(&config, "policy", runtime::Clock::system().now(), &mut faults);
        let found: Vec<_> =
            faults.found().iter().map(|one| format!("{} {}", one.key, one.fault)).collect();
        assert_eq!(found.len(), expect.len(), "{found:?}");
        for (found, expect) in found.iter().zip(expect) {
            assert!(found.starts_with("server.mesh.") && found.contains(expect), "{found}");
        }
        assert_eq!(Server::bind(config).await.is_ok(), expect.is_empty());
    };
    let good = table(XFCC);
    check(good.clone(), &[]).await;
    check(Mesh { listen: String::new(), ..Mesh::default() }, &[]).await;
    let alone = Mesh { listen: "127.0.0.1:0".to_owned(), ..Mesh::default() };
    check(alone, &["proxies is empty", "header must be", "identities is empty"]).await;
    let with = |listen: &str, proxies: &[&str]| Mesh {
        listen: listen.to_owned(),
        proxies: proxies.iter().map(|text| (*text).to_owned()).collect(),
        ..good.clone()
    };
    check(with("nowhere", &["self"]), &["listen is not `host:port`"]).await;
    check(with("unix:mesh.sock", &[]), &["no absolute path"]).await;
    check(with("unix:/tmp/mesh.sock", &["self"]), &["must be empty with a Unix socket"]).await;
    let bad = ["0.0.0.0/0", "::/0", "10.1.2.3/8", "localhost", ""];
    let told = ["is everybody", "is everybody", "`10.0.0.0/8`?", "no network", "no network"];
    check(with("127.0.0.1:0", &bad), &told).await;
    let rows = |rows: &[(&str, &str)]| {
        let row = |(vouched, caller): &(&str, &str)| Vouched {
            vouched: (*vouched).to_owned(),
            caller: (*caller).to_owned(),
        };
        Mesh { identities: rows.iter().map(row).collect(), ..good.clone() }
    };
    // A service may have several names, and a name one service.
    check(
        rows(&[("spiffe://a/x", "/service/identity"), ("spiffe://b/x", "/service/identity")]),
        &[],
    )
    .await;
    let faulty = rows(&[
        ("spiffe://a/x", "/service/identity"),
        ("spiffe://a/x", "/service/contribution"),
        ("spiffe://a/y", "/service/nobody"),
        ("spiffe://a/z", "/agency/G24/system/hi"),
        ("spiffe://a/o", "/operator/7"),
        ("spiffe://a/s", "spiffe://lienthong.test/service/identity"),
        ("identity.linkerd", "/service/identity"),
        ("", "/service/identity"),
    ]);
    let told = [
        "twice",
        "`/service/nobody` is no service that calls",
        "shows us a certificate",
        "shows us a certificate",
        "is not `/service/<name>`",
        "is no URI",
        "`` is no identity",
    ];
    check(faulty, &told).await;
}
