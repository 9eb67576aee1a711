//! Small messages that wait to be read: h2 from 0.4.16 on counts them, and before 0.4.19 ended the whole connection
//! after about a hundred (hyperium/h2#935). Now what may wait goes by the window of the connection, which both
//! sides therefore set.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream;
use prost::Message as _;
use tonic::{Streaming, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use super::{person::*, wire::*, *};

/// What is 50 bytes on the wire, 55 with its prefix.
fn fifty() -> String {
    "x".repeat(48)
}

/// So many that a channel with hyper's own window would end the connection.
const TO_US: usize = 20_000;

#[tokio::test]
async fn small_answers_that_wait_for_a_slow_reader_do_not_end_the_connection() {
    let pki = Pki::new();
    let all_sent = Arc::<AtomicBool>::default();
    let sent = Arc::clone(&all_sent);
    let persons = Persons::new(move |request| {
        let sent = Arc::clone(&sent);
        let handler = tower::service_fn(move |_: Request<DecideRequest>| {
            let sent = Arc::clone(&sent);
            let answers = stream::unfold(0, move |number| {
                let sent = Arc::clone(&sent);
                async move {
                    // One by one: what is ready together is sent together.
                    tokio::task::yield_now().await;
                    sent.store(number == TO_US, Ordering::SeqCst);
                    let answer = DecideResponse { decision_id: fifty(), ..Default::default() };
                    (number < TO_US).then(|| (Ok(answer), number + 1))
                }
            });
            std::future::ready(Ok::<_, Status>(Response::new(answers)))
        });
        async move {
            let codec = ProstCodec::<DecideResponse, DecideRequest>::default();
            tonic::server::Grpc::new(codec).server_streaming(handler, request).await
        }
    });
    let server = persons.start(&pki, |config| config).await;
    let caller = channel(&server, "policy", &agency(&pki));
    let mut client = Grpc::new(caller.clone());
    client.ready().await.unwrap();
    let codec = ProstCodec::<DecideRequest, DecideResponse>::default();
    let (request, path) = (Request::new(DecideRequest::default()), GET_PERSON);
    let asked = client.server_streaming(request, PathAndQuery::from_static(path), codec);
    let mut answers = within(asked).await.unwrap().into_inner();
    // Nothing is read until all is sent; another call of the connection goes on beside it.
    let beside = async {
        let mut health = HealthClient::new(caller);
        while !all_sent.load(Ordering::SeqCst) {
            health.check(HealthCheckRequest::default()).await.unwrap();
        }
        health.check(HealthCheckRequest::default()).await.unwrap();
    };
    within(beside).await;
    let mut read = 0;
    while let Some(answer) = within(answers.message()).await.unwrap() {
        assert_eq!(answer.encoded_len(), 50);
        read += 1;
    }
    assert_eq!(read, TO_US);
    server.stop().await;
}

#[tokio::test]
async fn small_messages_that_wait_for_a_slow_handler_do_not_end_the_connection() {
    const MANY: usize = 10_000;
    let pki = Pki::new();
    let release = Arc::<Notify>::default();
    let told = Arc::clone(&release);
    let persons = Persons::new(move |request| {
        let told = Arc::clone(&told);
        let handler = tower::service_fn(move |request: Request<Streaming<DecideRequest>>| {
            let told = Arc::clone(&told);
            async move {
                told.notified().await;
                let (mut messages, mut read) = (request.into_inner(), 0);
                while messages.message().await?.is_some() {
                    read += 1;
                }
                let decision_id = format!("{read} read");
                Ok(Response::new(DecideResponse { decision_id, ..Default::default() }))
            }
        });
        async move {
            let codec = ProstCodec::<DecideResponse, DecideRequest>::default();
            tonic::server::Grpc::new(codec).client_streaming(handler, request).await
        }
    });
    let server = persons.start(&pki, |config| config).await;
    let mut wire = Wire::connect(&server, &agency(&pki)).await;
    wire.room().await;
    wire.send(&[Frame::call(1, GET_PERSON, &[])]).await.unwrap();
    let message = DecideRequest { caller: fifty(), ..Default::default() }.encode_to_vec();
    let small = Frame::new(DATA, 0, 1, grpc(0, &message));
    wire.send(&vec![small; MANY]).await.unwrap();
    wire.send(&[Frame::new(PING, 0, 0, [0; 8])]).await.unwrap();
    // All have arrived, and none is read.
    wire.until(|heard| heard.iter().any(|frame| frame.kind == PING && frame.flags == ACK)).await;
    release.notify_one();
    wire.send(&[Frame::new(DATA, END_STREAM, 1, [])]).await.unwrap();
    let heard = wire.until(|heard| heard.iter().any(|frame| frame.kind == DATA)).await;
    let answer = &heard.iter().find(|frame| frame.kind == DATA).unwrap().payload;
    assert!(String::from_utf8_lossy(answer).contains(&format!("{MANY} read")), "{answer:?}");
    server.stop().await;
}

#[test]
fn h2_is_of_a_version_that_bears_small_messages() {
    let lock = include_str!("../../../../Cargo.lock");
    let locked: Vec<Vec<u32>> = lock
        .split("[[package]]")
        .filter(|package| package.contains("name = \"h2\"\n"))
        .map(|package| {
            let version = package.split("version = \"").nth(1).unwrap().split('"').next().unwrap();
            version.split('.').map(|part| part.parse().unwrap()).collect()
        })
        .collect();
    assert!(!locked.is_empty());
    assert!(locked.iter().all(|version| *version >= vec![0, 4, 20]), "{locked:?}");
}
