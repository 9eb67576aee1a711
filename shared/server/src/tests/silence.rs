//! Peers that say nothing: a server or a client that vanished, and strangers that hold on to handshakes.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::{
    road::{Road, State},
    wire::shaken,
    *,
};

/// A channel over a road.
pub(super) fn over(road: &Road, files: &tls::Files) -> Channel {
    let peer = channel::Peer::direct(road.address().to_string(), "policy");
    channel::to_service(&peer, DOMAIN, files).unwrap()
}

/// A ping and its time, and for our channel three attempts more, each of two seconds; the time that hyper gives a ping
/// by itself, which is 20 s, is longer.
const NOTICED: Duration = Duration::from_secs(16);

fn road_vanishes(road: &Road) -> tokio::time::Instant {
    road.turns(State::Vanished);
    tokio::time::Instant::now()
}

#[tokio::test]
async fn a_server_that_vanished_is_noticed_while_a_call_is_open() {
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let server = start_told(&pki, false, 3_000, Arc::clone(&entered)).await;
    let road = Road::to(server.address()).await;
    let open = tokio::spawn(decide(over(&road, &pki.service("identity")), None));
    within(entered.notified()).await;
    // Longer than it takes to notice: a server that is there answers.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!open.is_finished());
    let vanished = road_vanishes(&road);
    assert_eq!(reason(&within(open).await.unwrap().unwrap_err()).1, "");
    assert!(vanished.elapsed() < NOTICED, "noticed after {:?}", vanished.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_vanished_is_noticed_and_its_call_given_up() {
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let server = start_told(&pki, false, 3_000, Arc::clone(&entered)).await;
    let road = Road::to(server.address()).await;
    let open = tokio::spawn(decide(over(&road, &pki.service("identity")), None));
    within(entered.notified()).await;
    let vanished = road_vanishes(&road);
    // The client is gone long before, and nobody has told the server.
    within(open).await.unwrap().unwrap_err();
    within(entered.notified()).await;
    assert!(vanished.elapsed() < NOTICED, "noticed after {:?}", vanished.elapsed());
    server.stop().await;
}

/// Connects from an address of this machine.
async fn connect(from: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Whether the other end has closed a connection, without waiting for it.
pub(super) fn is_closed(mut stream: &std::net::TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    loop {
        match std::io::Read::read(&mut stream, &mut [0; 64]) {
            Ok(1..) => {}
            Ok(0) => return true,
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

#[tokio::test]
async fn one_address_does_not_hold_every_handshake() {
    let pki = Pki::new();
    // Nobody is cut for the length of a handshake.
    let shared = |config: Config| Config {
        handshakes_per_address_max: 4,
        handshake_max_seconds: 3_000,
        ..config
    };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), shared).await;
    // As many as there are handshakes in all, and none says a word.
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(connect(1, server.address()).await);
    }
    // Another address of this machine is served all the same.
    let ours = pki.service("identity");
    let another = shaken(server.address(), &ours, Ipv4Addr::new(127, 0, 0, 2));
    within(another).await.unwrap();
    server.stop().await;
}

/// Silent, half a word, and a word that never ends: each is cut when a handshake has to be done.
#[tokio::test]
async fn a_handshake_that_is_not_done_in_time_is_cut() {
    let pki = Pki::new();
    let soon = |config: Config| Config { handshake_max_seconds: 1, ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), soon).await;
    // The head of a ClientHello of 512 bytes.
    let hello = [22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let held = async |said: usize, trickles: bool| {
        let mut stream = connect(1, server.address()).await;
        stream.write_all(&hello[..said]).await.unwrap();
        let (mut from, mut to) = stream.into_split();
        let mut answer = Vec::new();
        let trickle = async {
            while trickles && to.write_all(&[0]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            // An end by force is an end too.
            _ended = within(from.read_to_end(&mut answer)) => {}
            () = trickle => {}
        }
        assert!(answer.is_empty(), "nobody is refused before the time: {answer:?}");
    };
    tokio::join!(held(0, false), held(hello.len(), false), held(hello.len(), true));
    server.stop().await;
}

#[tokio::test]
async fn no_more_handshakes_than_there_may_be_are_under_way() {
    let pki = Pki::new();
    let few = |config: Config| Config { handshakes_max: 2, handshake_max_seconds: 1, ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), few).await;
    let silent = [connect(2, server.address()).await, connect(3, server.address()).await];
    let ours = pki.service("identity");
    let honest = shaken(server.address(), &ours, Ipv4Addr::LOCALHOST);
    within(honest).await.unwrap();
    // It had to wait until another was cut.
    assert!(silent.into_iter().any(|silent| is_closed(&silent.into_std().unwrap())));
    server.stop().await;
}

/// A ClientHello that offers TLS 1.2 and nothing later, to which there is no answer but an alert.
#[tokio::test]
async fn tls_1_2_is_refused() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let mut stream = connect(1, server.address()).await;
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    // No session; ECDHE-ECDSA-AES128-GCM-SHA256 and its RSA twin; no compression.
    hello.extend([0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    // Groups x25519 and secp256r1, points uncompressed, signatures of ECDSA and RSA-PSS with SHA-256.
    let extensions = [
        &[0, 10, 0, 6, 0, 4, 0, 29, 0, 23][..],
        &[0, 11, 0, 2, 1, 0],
        &[0, 13, 0, 6, 0, 4, 4, 3, 8, 4],
    ]
    .concat();
    hello.extend([0, u8::try_from(extensions.len()).unwrap()]);
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).unwrap();
    let head = [22, 3, 1, 0, length + 4, 1, 0, 0, length];
    stream.write_all(&[&head[..], &hello].concat()).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    // Alert, fatal, protocol_version.
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 70]);
    server.stop().await;
}
