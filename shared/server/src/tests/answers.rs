//! What a channel makes of answers that are not as they should be.

use super::{
    person::*,
    road::{Road, State},
    silence::over,
    *,
};

#[tokio::test]
async fn an_answer_that_is_too_large_is_said_to_be_and_not_asked_for_again() {
    let pki = Pki::new();
    let persons = Persons::reads_one_and_answers(9 << 20);
    let server = persons.start(&pki, |config| config).await;
    let ours = channel(&server, "policy", &agency(&pki));
    let refused =
        within(get_person(ours, Request::new(DecideRequest::default()))).await.unwrap_err();
    assert_eq!(persons.entered(), 1);
    assert_eq!(reason(&refused), (Code::ResourceExhausted, String::new()));
    server.stop().await;
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_although_its_answer_does_not() {
    let pki = Pki::new();
    let persons = Persons::new(|_| async {
        let message = futures::stream::once(async { Ok(bytes::Bytes::from_static(&[0])) });
        let endless = futures::StreamExt::chain(message, futures::stream::pending());
        let head = http::Response::builder().header("content-type", "application/grpc");
        let body = http_body_util::StreamBody::new(futures::StreamExt::map(endless, |data| {
            data.map(http_body::Frame::data) as Result<_, Status>
        }));
        head.body(Body::new(body)).unwrap()
    });
    let server = persons.start(&pki, |config| config).await;
    let mut request = Request::new(DecideRequest::default());
    request.set_timeout(Duration::from_millis(300));
    let late = get_person(channel(&server, "policy", &agency(&pki)), request);
    let late = within(late).await.unwrap_err();
    assert_eq!(reason(&late), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
    assert_eq!(persons.entered(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_although_its_channel_does_not_connect() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let road = Road::to(server.address()).await;
    road.turns(State::Vanished);
    let late = decide(over(&road, &pki.service("identity")), Some("300m")).await.unwrap_err();
    assert_eq!(reason(&late), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
    server.stop().await;
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_although_it_is_not_answered() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let road = Road::to(server.address()).await;
    let ours = over(&road, &pki.service("identity"));
    // On each of its connections.
    for _ in 0..4 {
        decide(ours.clone(), None).await.unwrap();
    }
    road.turns(State::DeafClient);
    let late = decide(ours, Some("200m")).await.unwrap_err();
    assert_eq!(reason(&late), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
    server.stop().await;
}
