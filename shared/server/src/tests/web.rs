//! HTTP/1.1 by client certificate.

use std::{io, net::SocketAddr};

use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{log::lines, *};
use crate::web::{Answer, Running, Site, Web, said};

const HELLO: &str = "/hello";
const CONNECTIONS_MAX: usize = 8;

/// Says who asked, or answers when it is told to.
#[derive(Default)]
struct Who {
    held: Option<Arc<Notify>>,
    entered: Arc<Notify>,
}

impl Site for Who {
    fn name(&self, path: &str) -> Option<&'static str> {
        (path == HELLO).then_some(HELLO)
    }

    async fn answer(&self, request: Request<()>, caller: Caller, _: Deadline) -> Answer {
        self.entered.notify_one();
        if let Some(held) = &self.held {
            held.notified().await;
        }
        match self.name(request.uri().path()) {
            Some(_) => Answer::new(Full::new(caller.id().to_owned().into())),
            None => said(StatusCode::NOT_FOUND),
        }
    }
}

async fn web(config: &Config, site: Who) -> Running {
    Web::bind("127.0.0.1:0", config, CONNECTIONS_MAX).await.unwrap().start(site)
}

/// A connection that speaks HTTP/1.1, or whatever is said. A server that refuses the certificate says so after its handshake is done.
async fn connected(
    address: SocketAddr,
    files: &tls::Files,
    alpn: &[u8],
) -> io::Result<TlsStream<TcpStream>> {
    let mut config = (*tls::client(files).unwrap()).clone();
    config.alpn_protocols = vec![alpn.to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let tcp = TcpStream::connect(address).await?;
    connector.connect("127.0.0.1".try_into().unwrap(), tcp).await
}

/// The status and the body of the answer to one request, the last of a connection.
async fn get(address: SocketAddr, files: &tls::Files, line: &str) -> io::Result<(u16, String)> {
    let stream = connected(address, files, b"http/1.1").await?;
    asked(stream, line).await
}

async fn asked(mut stream: TlsStream<TcpStream>, line: &str) -> io::Result<(u16, String)> {
    let request = format!("{line} HTTP/1.1\r\nhost: log\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await?;
    let (head, body) =
        answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("no answer"))?;
    Ok((head[9..12].parse().unwrap(), body.to_owned()))
}

/// Until the other end closes the connection.
async fn closed(stream: &mut TlsStream<TcpStream>) {
    let mut rest = Vec::new();
    let _ended_either_way = within(stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn the_caller_is_the_certificate_and_strangers_get_no_connection() {
    let pki = Pki::new();
    let config = config(&pki, 30);
    let running = web(&config, Who::default()).await;
    let (address, id) = (running.address(), format!("spiffe://{DOMAIN}/agency/G24/system/hi"));
    let ours = pki.issue(&id);
    let line = format!("GET {HELLO}");
    assert_eq!(get(address, &ours, &line).await.unwrap(), (200, id));
    assert_eq!(get(address, &ours, "GET /x").await.unwrap().0, 404);
    // Of our CA, and nobody of our trust domain: let in, and answered nothing.
    let nobody = pki.issue("spiffe://other/agency/G24/system/hi");
    assert_eq!(get(address, &nobody, &line).await.unwrap(), (403, String::new()));
    // A header of a proxy is believed from nobody.
    let forged = format!("{line} HTTP/1.1\r\nl5d-client-id: x\r\nx:");
    assert_eq!(get(address, &ours, &forged).await.unwrap().0, 403);
    // Without a certificate, with one of another CA, without TLS, and by HTTP/2.
    let other = Pki::new();
    let strange = other.issue(&format!("spiffe://{DOMAIN}/agency/G24/system/hi"));
    let strange = tls::Files { ca: ours.ca.clone(), ..strange };
    assert!(get(address, &strange, &line).await.is_err());
    let mut outward = tls::outward(&ours.ca).unwrap();
    outward.alpn_protocols = vec![b"http/1.1".to_vec()];
    let tcp = TcpStream::connect(address).await.unwrap();
    let none = TlsConnector::from(Arc::new(outward));
    let none = none.connect("127.0.0.1".try_into().unwrap(), tcp).await;
    let none = match none {
        Ok(stream) => asked(stream, &line).await,
        Err(error) => Err(error),
    };
    assert!(none.is_err());
    assert!(connected(address, &ours, b"h2").await.is_err());
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(format!("{line} HTTP/1.1\r\nhost: log\r\n\r\n").as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let _ended_either_way = within(plain.read_to_end(&mut said)).await;
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    running.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn whoever_is_revoked_is_cut_and_stays_out() {
    let pki = Pki::new();
    let until = runtime::Clock::system().now() + Span::DAY;
    let crl = pki.revoke(&[], until);
    let revoked_identities = pki.revoke_identities("");
    let config = Config { crl, revoked_identities, ..config(&pki, 30) };
    let running = web(&config, Who { held: Some(Arc::default()), ..Who::default() }).await;
    let system = |name: &str| format!("spiffe://{DOMAIN}/agency/G24/system/{name}");
    let listed = pki.issue_as(&system("listed"), Some(7.into()));
    let named = pki.issue_as(&system("named"), Some(8.into()));
    let mut open = Vec::new();
    for files in [&listed, &named] {
        let mut stream = connected(running.address(), files, b"http/1.1").await.unwrap();
        stream
            .write_all(format!("GET {HELLO} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
            .await
            .unwrap();
        open.push(stream);
    }
    pki.revoke(&[7], until);
    closed(&mut open[0]).await;
    pki.revoke_identities(&format!("{}\n", system("named")));
    closed(&mut open[1]).await;
    for files in [&listed, &named] {
        assert!(get(running.address(), files, &format!("GET {HELLO}")).await.is_err());
    }
    running.stop().await;
}

/// A certificate that takes the place of another is shown from then on, and connections that are there stay.
#[tokio::test]
async fn an_identity_that_is_renewed_is_shown_without_a_restart() {
    let pki = Pki::new();
    let config = config(&pki, 30);
    let running = web(&config, Who::default()).await;
    let ours = pki.issue(&format!("spiffe://{DOMAIN}/agency/G24/system/hi"));
    let shown = async || {
        let stream = connected(running.address(), &ours, b"http/1.1").await.unwrap();
        let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        (stream, certificate)
    };
    let (stream, before) = shown().await;
    let renewed = pki.service("policy");
    assert_eq!(renewed.certificate, config.certificate, "in the same files");
    let changed = async {
        while shown().await.1 == before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(changed).await;
    assert_eq!(asked(stream, &format!("GET {HELLO}")).await.unwrap().0, 200);
    running.stop().await;
}

#[tokio::test]
async fn one_caller_has_its_part_of_the_connections() {
    let pki = Pki::new();
    let running = web(&config(&pki, 30), Who::default()).await;
    let address = running.address();
    let of = |name: &str| pki.issue(&format!("spiffe://{DOMAIN}/agency/G24/system/{name}"));
    let (first, second) = (of("first"), of("second"));
    let line = format!("GET {HELLO} HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS_MAX / 4 {
        let mut stream = connected(address, &first, b"http/1.1").await.unwrap();
        stream.write_all(line.as_bytes()).await.unwrap();
        // Once it is answered it has its place.
        assert!(within(stream.read(&mut [0; 16])).await.unwrap() > 0);
        open.push(stream);
    }
    assert!(get(address, &first, &format!("GET {HELLO}")).await.is_err());
    assert_eq!(get(address, &second, &format!("GET {HELLO}")).await.unwrap().0, 200);
    drop(open);
    let again = async {
        while get(address, &first, &format!("GET {HELLO}")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(again).await;
    running.stop().await;
}

/// A head that never ends, one that is too long, a handshake that is not made, and silence behind an answer.
#[tokio::test]
async fn whoever_is_slow_or_endless_is_cut() {
    let pki = Pki::new();
    let config = Config { handshake_max_seconds: 1, ..config(&pki, 30) };
    let running = web(&config, Who::default()).await;
    let ours = pki.issue(&format!("spiffe://{DOMAIN}/agency/G24/system/hi"));
    let mut silent = TcpStream::connect(running.address()).await.unwrap();
    let _ended_either_way = within(silent.read(&mut [0; 1])).await;
    let line = format!("GET {HELLO} HTTP/1.1\r\nhost: x\r\n");
    for words in [line.clone(), String::new(), format!("{line}\r\n")] {
        let mut stream = connected(running.address(), &ours, b"http/1.1").await.unwrap();
        stream.write_all(words.as_bytes()).await.unwrap();
        closed(&mut stream).await;
    }
    let long = format!("GET {HELLO}?{}", "x".repeat(64 << 10));
    let refused = get(running.address(), &ours, &long).await;
    assert!(refused.is_err() || refused.is_ok_and(|(status, _)| status >= 400));
    running.stop().await;
}

/// What was begun is answered when the process ends.
#[tokio::test]
async fn a_request_under_way_is_answered_at_the_end() {
    let pki = Pki::new();
    let config = Config { drain_max_seconds: 30, ..config(&pki, 30) };
    let (held, entered) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let site = Who { held: Some(Arc::clone(&held)), entered: Arc::clone(&entered) };
    let running = web(&config, site).await;
    let (address, ours) = (running.address(), pki.service("identity"));
    let asking = tokio::spawn(async move { get(address, &ours, &format!("GET {HELLO}")).await });
    within(entered.notified()).await;
    let stopping = tokio::spawn(running.stop());
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(refused).await;
    held.notify_one();
    assert_eq!(within(asking).await.unwrap().unwrap().0, 200);
    within(stopping).await.unwrap();
}

/// One that takes longer than its deadline is given up.
#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let pki = Pki::new();
    let running = web(&config(&pki, 1), Who { held: Some(Arc::default()), ..Who::default() }).await;
    let ours = pki.service("identity");
    assert_eq!(get(running.address(), &ours, &format!("GET {HELLO}")).await.unwrap().0, 504);
    running.stop().await;
}

/// Neither path nor query stand in the log, whoever typed them; who asked, for what and how it ended do.
#[tokio::test]
async fn i8_the_log_names_what_was_asked_for_and_not_by_which_words() {
    log::listen();
    let pki = Pki::new();
    let running = web(&config(&pki, 30), Who::default()).await;
    let id = format!("spiffe://{DOMAIN}/agency/G24/system/hi");
    let ours = pki.issue(&id);
    for line in [format!("GET {HELLO}?userCode=990204000001"), "GET /990204000001".to_owned()] {
        get(running.address(), &ours, &line).await.unwrap();
    }
    let ended = lines("request ended");
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert!(ended[0].contains(&format!("name=\"{HELLO}\"")) && ended[0].contains("status=200"));
    assert!(ended[1].contains("name=\"_OTHER\"") && ended[1].contains("status=404"));
    assert!(ended.iter().all(|line| line.contains(&id)), "{ended:?}");
    assert!(lines("990204000001").is_empty());
    running.stop().await;
}

#[tokio::test]
async fn one_caller_has_its_share_of_the_requests_under_way() {
    const SHARE: usize = 8;
    let pki = Pki::new();
    let (held, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let site = Who { held: Some(Arc::clone(&held)), entered: Arc::clone(&entered) };
    // More connections than requests, so that it is these that are counted.
    let config = config(&pki, 30);
    let bound = Web::bind("127.0.0.1:0", &config, 64).await.unwrap();
    let running = bound.start(site);
    let (address, line) = (running.address(), format!("GET {HELLO}"));
    let files = |system: &str| pki.issue(&format!("spiffe://{DOMAIN}/agency/G24/system/{system}"));
    let (one, other) = (files("one"), files("other"));
    let ask = |files: &tls::Files| {
        let (files, line) = (files.clone(), line.clone());
        tokio::spawn(async move { get(address, &files, &line).await })
    };
    let mut under_way = Vec::new();
    for _ in 0..SHARE {
        under_way.push(ask(&one));
        within(entered.notified()).await;
    }
    assert_eq!(get(address, &one, &line).await.unwrap().0, 503);
    under_way.push(ask(&other));
    within(entered.notified()).await;
    held.notify_waiters();
    for answer in under_way {
        assert_eq!(within(answer).await.unwrap().unwrap().0, 200);
    }
    // Its places are free again.
    let again = ask(&one);
    within(entered.notified()).await;
    held.notify_one();
    assert_eq!(within(again).await.unwrap().unwrap().0, 200);
    running.stop().await;
}
