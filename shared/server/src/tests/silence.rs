//! Peers that say nothing: a server that vanished, and strangers that hold on to handshakes.

use tokio::{
    io,
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::*;

/// A road to a server; once told, it hands nothing on and ends nothing.
async fn road(to: std::net::SocketAddr, vanished: watch::Receiver<bool>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let mut vanished = vanished.clone();
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await.unwrap();
                tokio::select! {
                    _ended = io::copy_bidirectional(&mut from, &mut to) => {}
                    () = async { while !*vanished.borrow_and_update() && vanished.changed().await.is_ok() {} } => {
                        std::future::pending::<()>().await;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_vanished_is_noticed_while_a_call_is_open() {
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let server = start_told(&pki, false, 3_000, Arc::clone(&entered)).await;
    let (vanish, vanished) = watch::channel(false);
    let endpoint = road(server.address(), vanished).await.to_string();
    let peer = channel::Peer::direct(endpoint, "policy");
    let ours = channel::to_service(&peer, DOMAIN, &pki.service("identity")).unwrap();
    let open = tokio::spawn(decide(ours, None));
    within(entered.notified()).await;
    // Longer than it takes to notice: a server that is there answers.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!open.is_finished());
    vanish.send_replace(true);
    assert_eq!(reason(&within(open).await.unwrap().unwrap_err()).1, "");
    server.stop().await;
}

#[tokio::test]
async fn one_address_does_not_hold_every_handshake() {
    let pki = Pki::new();
    let shared = |config: Config| Config { handshakes_per_address_max: 4, ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), shared).await;
    let port = server.address().port();
    // As many as there are handshakes in all, and none says a word.
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
    }
    // Another address of this machine is served at once, before any handshake is cut for its length.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let tcp = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
    let connector =
        tokio_rustls::TlsConnector::from(tls::client(&pki.service("identity")).unwrap());
    let shaken = connector.connect("127.0.0.1".try_into().unwrap(), tcp);
    tokio::time::timeout(Duration::from_secs(5), shaken).await.unwrap().unwrap();
    server.stop().await;
}
