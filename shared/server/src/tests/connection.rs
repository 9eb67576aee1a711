//! How a connection ends, seen by a raw HTTP/2 client: what a gRPC client would paper over.

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use super::*;

const DECIDE: &str = "/lienthong.policy.v1.PolicyService/Decide";

/// A raw client, and word of when the connection has ended.
pub(super) struct Raw {
    pub(super) send: SendRequest<Bytes>,
    pub(super) closed: oneshot::Receiver<()>,
}

pub(super) async fn raw(server: &Running, files: &tls::Files) -> Raw {
    raw_with(server, files, &h2::client::Builder::new()).await
}

async fn raw_with(server: &Running, files: &tls::Files, client: &h2::client::Builder) -> Raw {
    let connector = TlsConnector::from(tls::client(files).unwrap());
    let tcp = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    let stream = connector.connect(name, tcp).await.unwrap();
    let (send, connection) = client.handshake(stream).await.unwrap();
    let (ended, closed) = oneshot::channel();
    tokio::spawn(async move {
        let _ended_either_way = connection.await;
        let _nobody_waits = ended.send(());
    });
    Raw { send, closed }
}

impl Raw {
    /// Sends a call, if the connection takes one still.
    pub(super) async fn call(&mut self) -> Result<ResponseFuture, h2::Error> {
        self.call_of(DECIDE).await
    }

    /// The same, of the method at `path`.
    pub(super) async fn call_of(&mut self, path: &str) -> Result<ResponseFuture, h2::Error> {
        let mut send = self.send.clone().ready().await?;
        let request = http::Request::post(format!("https://127.0.0.1{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let (response, mut body) = send.send_request(request, false)?;
        body.send_data(Bytes::from_static(&[0, 0, 0, 0, 0]), true)?;
        Ok(response)
    }

    /// Ends when the server takes no new call any more.
    pub(super) async fn goaway(&mut self) {
        while self.send.clone().ready().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn an_old_connection_takes_no_new_call_ends_open_ones_and_is_closed() {
    let pki = Pki::new();
    let (entered, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let aged = |config: Config| Config { connection_age_seconds: 1, ..config };
    let server = start_with(&pki, Answers::When(Arc::clone(&release)), entered.clone(), aged).await;
    let mut client = raw(&server, &pki.service("identity")).await;
    let open = within(client.call()).await.unwrap();
    within(entered.notified()).await;
    // The server says that it is going while the call is open; the call then ends well.
    within(client.goaway()).await;
    release.notify_one();
    let response = within(open).await.unwrap();
    assert_eq!(response.status(), 200);
    drop(response);
    within(client.closed).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn what_outlives_the_grace_of_an_old_connection_is_cut() {
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let aged = |config: Config| Config {
        connection_age_seconds: 1,
        connection_grace_seconds: 1,
        deadline_max_seconds: 3_000,
        ..config
    };
    let server = start_with(&pki, Answers::Never, entered.clone(), aged).await;
    let mut client = raw(&server, &pki.service("identity")).await;
    let open = within(client.call()).await.unwrap();
    within(entered.notified()).await;
    within(client.goaway()).await;
    assert!(within(open).await.is_err(), "the call was cut");
    within(client.closed).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_connection_is_idle_only_when_no_call_is_open() {
    let pki = Pki::new();
    let (entered, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let idle = |config: Config| Config { connection_idle_seconds: 1, ..config };
    let server = start_with(&pki, Answers::When(Arc::clone(&release)), entered.clone(), idle).await;
    let mut busy = raw(&server, &pki.service("identity")).await;
    let open = within(busy.call()).await.unwrap();
    within(entered.notified()).await;
    // One that began later and does nothing is gone first.
    let lazy = raw(&server, &pki.service("identity")).await;
    within(lazy.closed).await.unwrap();
    assert!(within(busy.send.clone().ready()).await.is_ok(), "an open call keeps its connection");
    release.notify_one();
    assert_eq!(within(open).await.unwrap().status(), 200);
    within(busy.closed).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_connection_more_than_there_may_be_is_ended_and_one_that_ends_makes_room() {
    let pki = Pki::new();
    let one = |config: Config| Config { connections_max: 1, ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), one).await;
    let ours = pki.service("identity");
    let mut first = raw(&server, &ours).await;
    within(within(first.call()).await.unwrap()).await.unwrap();
    let second = raw(&server, &ours).await;
    within(second.closed).await.unwrap();
    within(within(first.call()).await.unwrap()).await.unwrap();
    drop(first.send);
    within(first.closed).await.unwrap();
    let served = async {
        while decide(channel(&server, "policy", &ours), None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(served).await;
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_not_taken_keeps_its_place() {
    let pki = Pki::new();
    let few = |config: Config| Config { calls_per_caller_max: 1, calls_max: 1, ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), few).await;
    let ours = pki.service("identity");
    // A client that gives answers no room at all.
    let mut client = h2::client::Builder::new();
    let mut stingy = raw_with(&server, &ours, client.initial_window_size(0)).await;
    let head = within(within(stingy.call()).await.unwrap()).await.unwrap();
    let refused = decide(channel(&server, "policy", &ours), None).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Unavailable, "OVERLOADED".to_owned()));
    drop((head, stingy.send));
    within(stingy.closed).await.unwrap();
    let served = async {
        while decide(channel(&server, "policy", &ours), None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(served).await;
    server.stop().await;
}
