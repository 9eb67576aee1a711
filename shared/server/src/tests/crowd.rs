//! Many peers at once: more than there are file descriptors for, and as many as there may be.

use std::net::{Ipv4Addr, SocketAddr};

use futures::{StreamExt as _, stream};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use super::{
    child::Child,
    connection::{DECIDE, Raw},
    wire::shaken_by,
    *,
};

/// Connections of the crowd. `tests/run --scale full` makes it a large one.
fn crowd() -> usize {
    if std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full") { 10_000 } else { 500 }
}

#[tokio::test]
async fn a_server_that_has_no_file_left_waits_and_serves_again() {
    let pki = Pki::new();
    // Silent ones stay for as long as they like.
    let config = Config {
        handshakes_max: 1_000,
        handshakes_per_address_max: 1_000,
        handshake_max_seconds: 3_000,
        ..config(&pki, 30)
    };
    let begun = tokio::time::Instant::now();
    let child = Child::start(&config, 64).await;
    let files = pki.service("identity");
    decide(child.channel(&files), None).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(child.address()).await.unwrap());
    }
    let failures = || child.log().matches("accept failed").count();
    let failing = async {
        while failures() < 20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(failing).await;
    // Each time it lets a while pass, of 50 ms.
    let (failures, passed) = (failures(), begun.elapsed());
    assert!(
        failures <= usize::try_from(passed.as_millis()).unwrap() / 50 + 1,
        "{failures} in {passed:?}"
    );
    drop(silent);
    is_served(&child.channel(&files)).await;
}

/// Waits until a caller is, whatever became of its connection meanwhile.
async fn is_served(caller: &Channel) {
    let served = async {
        while decide(caller.clone(), None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(served).await;
}

/// What one connection may cost, whatever it does, besides the messages that it has under way.
const CONNECTION_BYTES: usize = 64 << 10;

/// Slow peers, each as far as it gets: silent ones, such as say nothing after the handshake, idle ones, and such whose
/// call never comes to its end.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the figure")]
async fn memory_goes_by_the_connections_there_may_be() {
    let (pki, crowd) = (Pki::new(), crowd());
    let files_needed = crowd + 200;
    let files = files_max();
    assert!(files >= files_needed, "needs `ulimit -n {files_needed}`, and has {files}");
    let config = Config {
        connections_max: crowd,
        calls_max: crowd,
        handshakes_max: 64,
        handshakes_per_address_max: 16,
        handshake_max_seconds: 1,
        ..config(&pki, 3_000)
    };
    let child = Child::start(&config, files_needed).await;
    let honest = child.channel(&pki.service("contribution"));
    is_served(&honest).await;
    let before = child.resident();
    let connector = TlsConnector::from(tls::client(&pki.service("identity")).unwrap());
    let one = |number| member(number, child.address(), &connector);
    let members: Vec<_> = stream::iter(0..crowd).map(one).buffer_unordered(32).collect().await;
    is_served(&honest).await;
    // The silent ones are cut when their handshakes take too long, so what is there is the others.
    let each = (child.resident() - before) / (crowd - crowd / 4);
    println!("{each} bytes for each of {} connections", crowd - crowd / 4);
    assert!(each <= CONNECTION_BYTES, "{each} bytes for each connection");
    drop(members);
}

/// One of the crowd, whatever keeps it there.
async fn member(number: usize, server: SocketAddr, connector: &TlsConnector) -> Box<dyn Send> {
    let from = Ipv4Addr::new(127, 0, 1, u8::try_from(number % 200).unwrap() + 1);
    if number.is_multiple_of(4) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        return Box::new(within(socket.connect(server)).await.unwrap());
    }
    let shaken = async {
        loop {
            // What its address may have of handshakes, others may have for a while.
            if let Ok(stream) = shaken_by(connector, server, from).await {
                return stream;
            }
        }
    };
    let stream = within(shaken).await;
    if number % 4 == 1 {
        return Box::new(stream);
    }
    let mut client = Raw::over(stream, &h2::client::Builder::new()).await;
    if number % 4 == 2 {
        return Box::new(client);
    }
    let call = client.begin(DECIDE, None).await.unwrap();
    Box::new((client, call))
}

/// How many files this process may open.
fn files_max() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let open = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    open.split_whitespace().next().unwrap().parse().unwrap_or(usize::MAX)
}
