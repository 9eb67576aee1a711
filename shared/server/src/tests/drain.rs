//! The end of a server whose peers do nothing to end.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{connection::raw, person::*, wire::*, *};

/// Peers that are stuck at every step on the way to an answer; each is as far as it gets.
async fn stuck(server: &Running, files: &tls::Files) -> Vec<Box<dyn Send>> {
    let address = server.address();
    let silent = TcpStream::connect(address).await.unwrap();
    let mut half_shaken = TcpStream::connect(address).await.unwrap();
    half_shaken.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await.unwrap();
    let no_preface = shaken(address, files, Ipv4Addr::LOCALHOST).await.unwrap();
    let mut half_preface = shaken(address, files, Ipv4Addr::LOCALHOST).await.unwrap();
    half_preface.write_all(&PREFACE[..10]).await.unwrap();
    let mut no_end = Wire::connect(server, files).await;
    no_end.send(&[Frame::call(1, GET_PERSON, &[])]).await.unwrap();
    no_end.seen().await;
    let mut no_room = Wire::connect_with(server, files, &[(4, 0)]).await;
    no_room.send(&[Frame::call(1, GET_PERSON, &[]), Frame::message(1, &[])]).await.unwrap();
    no_room.until(|heard| heard.iter().any(|frame| frame.kind == HEADERS)).await;
    // Sends what it takes no answer to, until the server reads it no further.
    let mut takes_nothing = shaken(address, files, Ipv4Addr::LOCALHOST).await.unwrap();
    takes_nothing.write_all(PREFACE).await.unwrap();
    let pings = Frame::new(PING, 0, 0, [0; 8]).bytes().repeat(1_000);
    takes_nothing.write_all(&Frame::new(SETTINGS, 0, 0, []).bytes()).await.unwrap();
    let full = Duration::from_millis(500);
    while tokio::time::timeout(full, takes_nothing.write_all(&pings)).await.is_ok() {}
    vec![
        Box::new((silent, half_shaken)),
        Box::new((no_preface, half_preface)),
        Box::new((no_end, no_room)),
        Box::new(takes_nothing),
    ]
}

#[tokio::test]
async fn peers_that_are_stuck_do_not_hold_up_the_end_and_an_open_call_ends_well() {
    let pki = Pki::new();
    let (entered, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let policy =
        Policy { answers: Answers::When(Arc::clone(&release)), entered: Arc::clone(&entered) };
    let routes = Routes::new(PolicyServiceServer::new(policy))
        .add_service(Persons::reads_one_and_answers(1_000));
    let config = Config {
        // Only the deadline of the drain ends anything.
        handshake_max_seconds: 3_000,
        connection_grace_seconds: 3_000,
        drain_max_seconds: 4,
        ..config(&pki, 3_000)
    };
    let server = Server::bind(config).await.unwrap().start(routes).await;
    let _stuck = stuck(&server, &agency(&pki)).await;
    let mut client = raw(&server, &pki.service("identity")).await;
    let open = within(client.call()).await.unwrap();
    within(entered.notified()).await;
    let stopped = tokio::spawn(server.stop());
    within(client.goaway()).await;
    release.notify_one();
    let mut answer = within(open).await.unwrap().into_body();
    assert!(!within(answer.data()).await.unwrap().unwrap().is_empty());
    let trailers = within(answer.trailers()).await.unwrap().unwrap();
    assert_eq!(trailers.get(Status::GRPC_STATUS).unwrap(), "0");
    assert!(!stopped.is_finished(), "the stuck ones are stuck still");
    within(stopped).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_is_revoked_in_a_drain_is_cut() {
    let pki = Pki::new();
    let until = runtime::Clock::system().now() + Span::DAY;
    let crl = pki.revoke(&[], until);
    let entered = Arc::<Notify>::default();
    let slow = |config: Config| Config {
        crl,
        drain_max_seconds: 3_000,
        connection_grace_seconds: 3_000,
        deadline_max_seconds: 3_000,
        ..config
    };
    let server = start_with(&pki, Answers::Never, Arc::clone(&entered), slow).await;
    let uri = format!("spiffe://{DOMAIN}/service/identity");
    let mut client = raw(&server, &pki.issue_as(&uri, Some(7.into()))).await;
    let open = within(client.call()).await.unwrap();
    within(entered.notified()).await;
    let stopped = tokio::spawn(server.stop());
    within(client.goaway()).await;
    pki.revoke(&[7], until);
    assert!(within(open).await.is_err(), "its open call is cut");
    within(stopped).await.unwrap();
}

/// Also without an end of the server: as long as a connection without a call, and then its grace.
#[tokio::test]
async fn a_peer_that_never_begins_to_speak_http_is_cut_like_an_idle_one() {
    let pki = Pki::new();
    let soon = |config: Config| Config {
        connection_idle_seconds: 1,
        connection_grace_seconds: 1,
        ..config
    };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), soon).await;
    let files = pki.service("identity");
    let cut = async |said: &[u8]| {
        let mut peer = shaken(server.address(), &files, Ipv4Addr::LOCALHOST).await.unwrap();
        peer.write_all(said).await.unwrap();
        // An end by force is an end too.
        let _ended = within(peer.read_to_end(&mut Vec::new())).await;
    };
    tokio::join!(cut(&[]), cut(&PREFACE[..10]), cut(PREFACE));
    server.stop().await;
}
