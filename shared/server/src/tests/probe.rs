//! The port for probes: health without a certificate, and nothing else.

use tokio::{io::AsyncReadExt, net::TcpStream};
use tonic::transport::Endpoint;

use super::{silence::is_closed, *};
use crate::health::{LIVENESS, pb::HealthListRequest};

#[tokio::test]
async fn a_probe_without_a_certificate_reaches_health_and_nothing_else() {
    let pki = Pki::new();
    let probed = |config: Config| Config { health_listen: "127.0.0.1:0".to_owned(), ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), probed).await;
    let address = server.health_address().unwrap();
    let plain = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let mut health = HealthClient::new(plain.clone());
    for service in ["", LIVENESS] {
        let check = HealthCheckRequest { service: service.to_owned() };
        assert_eq!(health.check(check).await.unwrap().into_inner().status, 1);
    }
    let list = health.list(HealthListRequest {}).await.unwrap().into_inner().statuses;
    assert_eq!(list.len(), 2);
    let watch = HealthCheckRequest { service: String::new() };
    let mut watch = health.watch(watch).await.unwrap().into_inner();
    assert_eq!(within(watch.message()).await.unwrap().unwrap().status, 1);
    // Served behind TLS to whom the table names; here to nobody.
    assert_eq!(decide(plain, None).await.unwrap_err().code(), Code::Unimplemented);
    // And what answers with TLS answers nobody without.
    let bare = Endpoint::from_shared(format!("http://{}", server.address())).unwrap();
    assert_eq!(reason(&decide(bare.connect_lazy(), None).await.unwrap_err()).1, "");
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn whoever_says_nothing_to_the_port_for_probes_is_cut() {
    let pki = Pki::new();
    let probed = |config: Config| Config { health_listen: "127.0.0.1:0".to_owned(), ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), probed).await;
    let mut silent = TcpStream::connect(server.health_address().unwrap()).await.unwrap();
    let mut said = Vec::new();
    within(silent.read_to_end(&mut said)).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn the_port_for_probes_holds_so_many_connections_and_the_next_waits() {
    let pki = Pki::new();
    let probed = |config: Config| Config { health_listen: "127.0.0.1:0".to_owned(), ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), probed).await;
    let address = server.health_address().unwrap();
    let check = async || {
        let plain = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        let check = HealthCheckRequest { service: LIVENESS.to_owned() };
        within(HealthClient::new(plain).check(check)).await.unwrap()
    };
    let connect = || std::net::TcpStream::connect(address).unwrap();
    let mut silent: Vec<_> = (0..63).map(|_| connect()).collect();
    // There is room for one more; its answer comes while all the others are there.
    check().await;
    assert!(!silent.iter().any(is_closed));
    silent.push(connect());
    // And now for none, until one of them is cut for its age.
    check().await;
    assert!(silent.iter().any(is_closed));
    server.stop().await;
}

#[tokio::test]
async fn without_the_key_there_is_no_port_for_probes() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    assert!(server.health_address().is_none());
    server.stop().await;
}
