//! Channels to a service that has replicas, some of which go.

use std::sync::Mutex;

use tokio::net::TcpListener;

use super::*;
use crate::{channel::Resolver, telemetry::metrics::testing::value};

/// A service at several addresses.
fn to(servers: &[&Running], files: &tls::Files) -> Channel {
    let addresses: Vec<_> = servers.iter().map(|server| server.address().to_string()).collect();
    let peer = channel::Peer::direct(addresses.join(","), "policy");
    channel::to_service(&peer, DOMAIN, files).unwrap()
}

/// A server, and how often its handler was entered.
async fn counted(pki: &Pki) -> (Running, Arc<AtomicUsize>) {
    let entered = Arc::<Notify>::default();
    let server = start_with(pki, Answers::AtOnce, Arc::clone(&entered), |config| config).await;
    let count = Arc::<AtomicUsize>::default();
    let counts = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            entered.notified().await;
            counts.fetch_add(1, Ordering::Relaxed);
        }
    });
    (server, count)
}

#[tokio::test]
async fn calls_are_spread_over_the_replicas_and_none_fails_when_one_goes() {
    let pki = Pki::new();
    let ours = pki.service("identity");
    let ((one, at_one), (other, at_other)) = (counted(&pki).await, counted(&pki).await);
    let channel = to(&[&one, &other], &ours);
    for _ in 0..40 {
        decide(channel.clone(), None).await.unwrap();
        tokio::task::yield_now().await;
    }
    let counts = [&at_one, &at_other].map(|count| count.load(Ordering::Relaxed));
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    let calling = tokio::spawn(async move {
        for _ in 0..200 {
            decide(channel.clone(), None).await.unwrap();
        }
        channel
    });
    within(one.stop()).await;
    let channel = calling.await.unwrap();
    // It is gone altogether, and the other has it all.
    let before = at_other.load(Ordering::Relaxed);
    for _ in 0..20 {
        decide(channel.clone(), None).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(at_other.load(Ordering::Relaxed) > before);
    other.stop().await;
}

/// As behind a headless Service: one name, whose addresses change.
#[tokio::test]
async fn calls_go_on_when_an_address_behind_a_name_goes_and_when_another_comes() {
    let pki = Pki::new();
    let ((one, at_one), (other, at_other)) = (counted(&pki).await, counted(&pki).await);
    let behind = Arc::new(Mutex::new(vec![one.address(), other.address()]));
    let now = Arc::clone(&behind);
    let resolver = Resolver::from_fn(move |place| {
        assert_eq!(place, format!("{NAME}:443"));
        std::future::ready(Ok(now.lock().unwrap().clone()))
    });
    let peer = channel::Peer::direct(format!("{NAME}:443"), "policy");
    let ours = pki.service("identity");
    let channel = channel::to_service_by(resolver, &peer, DOMAIN, &ours).unwrap();
    let calls = async || {
        for _ in 0..20 {
            decide(channel.clone(), None).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    calls().await;
    let counts = [&at_one, &at_other].map(|count| count.load(Ordering::Relaxed));
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    // It is gone, and the name does not say so yet.
    within(one.stop()).await;
    calls().await;
    // It is somewhere else now, and the other goes.
    let (third, at_third) = counted(&pki).await;
    *behind.lock().unwrap() = vec![third.address()];
    within(other.stop()).await;
    calls().await;
    assert!(at_third.load(Ordering::Relaxed) > 0);
    third.stop().await;
}

#[tokio::test]
async fn a_service_that_is_away_is_said_to_be_and_is_found_when_it_is_back() {
    let pki = Pki::new();
    let ours = pki.service("identity");
    let server = start(&pki, true, 30).await;
    let (channel, address) = (to(&[&server], &ours), server.address());
    decide(channel.clone(), None).await.unwrap();
    within(server.stop()).await;
    let away = decide(channel.clone(), None).await.unwrap_err();
    assert_eq!((away.code(), reason(&away).1), (Code::Unavailable, String::new()));
    let routes = Routes::new(PolicyServiceServer::new(Policy {
        answers: Answers::AtOnce,
        entered: Arc::default(),
    }));
    let listen = address.to_string();
    let again = Server::bind(Config { listen, ..config(&pki, 30) }).await.unwrap();
    let again = again.start(routes).await;
    let found = async { while decide(channel.clone(), None).await.is_err() {} };
    within(found).await;
    again.stop().await;
}

/// What is left of the deadline ends the attempts, not their number.
#[tokio::test]
async fn attempts_end_with_the_deadline() {
    let pki = Pki::new();
    let few = |config: Config| Config { calls_per_caller_max: 1, calls_max: 1, ..config };
    let entered = Arc::<Notify>::default();
    let server = start_with(&pki, Answers::Never, Arc::clone(&entered), few).await;
    let ours = pki.service("identity");
    let open = tokio::spawn(decide(channel(&server, "policy", &ours), None));
    within(entered.notified()).await;
    // The server pushes back by a second, which is more than there is.
    let refused = decide(channel(&server, "policy", &ours), Some("900m")).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Unavailable, "OVERLOADED".to_owned()));
    open.abort();
    server.stop().await;
}

#[tokio::test]
async fn an_overloaded_service_is_asked_again_when_it_says() {
    let pki = Pki::new();
    let few = |config: Config| Config { calls_per_caller_max: 1, calls_max: 1, ..config };
    let (entered, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let answers = Answers::When(Arc::clone(&release));
    let server = start_with(&pki, answers, Arc::clone(&entered), few).await;
    let ours = pki.service("identity");
    let first = tokio::spawn(decide(channel(&server, "policy", &ours), None));
    within(entered.notified()).await;
    let retries = || value("lienthong_client_retries_total", &[]);
    let (before, begun) = (retries(), tokio::time::Instant::now());
    let second = tokio::spawn(decide(channel(&server, "policy", &ours), None));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!second.is_finished(), "it waits");
    release.notify_one();
    first.await.unwrap().unwrap();
    within(entered.notified()).await;
    release.notify_one();
    second.await.unwrap().unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "it waits for as long as it was told");
    assert!(retries() > before, "it was asked again");
    server.stop().await;
}

/// A service without TLS whose first answer breaks off behind its head; those after it are whole.
async fn breaks_off(listener: TcpListener) {
    for broken in [true, false] {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(tcp).await.unwrap();
        while let Some(Ok((_request, mut respond))) = connection.accept().await {
            let head = http::Response::builder().header("content-type", "application/grpc");
            let mut send = respond.send_response(head.body(()).unwrap(), false).unwrap();
            if broken {
                // The head goes out, and then the machine is gone.
                let gone = std::future::poll_fn(|cx| connection.poll_closed(cx));
                let _sent = tokio::time::timeout(Duration::from_millis(100), gone).await;
                break;
            }
            let message = bytes::Bytes::from_static(&[0, 0, 0, 0, 0]);
            send.send_data(message, false).unwrap();
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            send.send_trailers(trailers).unwrap();
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_behind_its_head_is_none() {
    let pki = Pki::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = channel::Peer {
        transport: channel::Transport::Mesh,
        ..channel::Peer::direct(listener.local_addr().unwrap().to_string(), "policy")
    };
    let serving = tokio::spawn(breaks_off(listener));
    let ours = channel::to_service(&peer, DOMAIN, &pki.service("identity")).unwrap();
    decide(ours, None).await.unwrap();
    serving.abort();
}
