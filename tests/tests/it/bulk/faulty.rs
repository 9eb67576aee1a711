//! What is wrong with a message: with a query it is that query's response, with the opening it is the end.

use contract::{
    identity::v1::{
        LookupStreamRequest, LookupStreamResponse, identity_service_client::IdentityServiceClient,
    },
    r#type::v1::{PartialDate, SubjectRef},
};
use futures::stream;
use lienthong::client::{Client, Refused};
use store::Engine;
use tests::{Options, World, on_both_engines, people};
use tokio::sync::mpsc;
use tonic::Streaming;

use super::{opening, query};
use crate::why;

on_both_engines!(
    every_faulty_field_of_an_opening_is_named_and_ends_the_stream,
    a_faulty_query_is_refused_and_the_others_are_answered,
    a_number_that_is_under_way_is_not_taken_again,
    a_message_that_is_too_large_is_refused,
);

/// The stream as the generated client has it, which sends what it is told.
async fn raw(
    client: &Client,
) -> (mpsc::Sender<LookupStreamRequest>, Streaming<LookupStreamResponse>) {
    let (sender, receiver) = mpsc::channel(64);
    let messages = stream::unfold(receiver, |mut receiver: mpsc::Receiver<_>| async move {
        receiver.recv().await.map(|message| (message, receiver))
    });
    let mut generated = IdentityServiceClient::new(client.channel());
    (sender, generated.lookup_stream(messages).await.unwrap().into_inner())
}

/// How a stream of these messages ends that has no response.
async fn end(client: &Client, messages: Vec<LookupStreamRequest>) -> Refused {
    let (sender, mut responses) = raw(client).await;
    for message in messages {
        // A stream that ends early says so on its other side.
        if sender.send(message).await.is_err() {
            break;
        }
    }
    drop(sender);
    match responses.message().await {
        Ok(_) => panic!("the stream went on"),
        Err(status) => status.into(),
    }
}

fn fields(refused: &Refused) -> Vec<&str> {
    refused.fields.iter().map(|(field, _)| field.as_str()).collect()
}

fn opened() -> LookupStreamRequest {
    LookupStreamRequest { opening: Some(opening()), query: None }
}

/// The refusal in a response, which has nothing else.
fn refusal(response: &LookupStreamResponse) -> Refused {
    assert!(response.answer.is_none() && response.receipt.is_none());
    Refused::from_status_bytes(&response.status).unwrap()
}

async fn every_faulty_field_of_an_opening_is_named_and_ends_the_stream(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let asked = LookupStreamRequest { opening: None, query: Some(query(1, world.plain())) };
    let mut faulty = opening();
    faulty.items = vec!["sex".into(), "sex".into(), "*".into()];
    faulty.basis.as_mut().unwrap().officer = "990204000001".into();
    faulty.request_id = String::new();
    faulty.as_of = Some(contract::identity::v1::AsOf::default());
    let faulty = LookupStreamRequest { opening: Some(faulty), query: asked.query.clone() };
    let empty = LookupStreamRequest::default();
    let cases: [(Vec<LookupStreamRequest>, &[&str]); 4] = [
        (vec![], &["opening"]),
        (vec![empty, asked.clone()], &["opening"]),
        (vec![asked.clone(), asked.clone()], &["opening", "query"]),
        (
            vec![faulty, asked],
            &[
                "opening.items[1]",
                "opening.items[2]",
                "opening.basis.officer",
                "opening.request_id",
                "opening.as_of",
                "query",
            ],
        ),
    ];
    let before = world.records().await;
    for (messages, named) in cases {
        let refused = end(&client, messages).await;
        assert_eq!(why(&refused), ("InvalidArgument", "INVALID_REQUEST"));
        assert_eq!(fields(&refused), named);
    }
    assert_eq!(world.records().await, before);
    world.stop().await;
}

async fn a_faulty_query_is_refused_and_the_others_are_answered(engine: Engine) {
    let world = World::new(engine).await;
    let (sender, mut responses) = raw(&world.client("insurance")).await;
    let good = query(1, world.plain());
    let mut unread = query(2, world.plain());
    unread.subject = people::by_number("1");
    let mut born = query(3, world.plain());
    born.claims.as_mut().unwrap().date_of_birth =
        Some(PartialDate { year: 2099, month: 0, day: 0 });
    let mut nobody = query(4, world.plain());
    (nobody.subject, nobody.claims) = (Some(SubjectRef::default()), None);
    let mut unclaimed = query(5, world.plain());
    unclaimed.claims = None;
    let mut behind = query(6, world.plain());
    behind.min_version = u64::MAX;
    let unnumbered = query(0, world.plain());
    sender.send(opened()).await.unwrap();
    for query in [good, unread, born, nobody, unclaimed, behind, unnumbered] {
        let message = LookupStreamRequest { opening: None, query: Some(query) };
        sender.send(message).await.unwrap();
    }
    // Without a query, and with an opening once more.
    sender.send(LookupStreamRequest::default()).await.unwrap();
    let twice = LookupStreamRequest { query: Some(query(7, world.plain())), ..opened() };
    sender.send(twice).await.unwrap();
    sender
        .send(LookupStreamRequest { opening: None, query: Some(query(8, world.plain())) })
        .await
        .unwrap();
    drop(sender);
    let mut seen = Vec::new();
    while let Some(response) = responses.message().await.unwrap() {
        if response.status.is_empty() {
            assert!(response.answer.is_some() && response.receipt.is_some());
            seen.push((response.correlation_id, String::new(), String::new()));
        } else {
            let refused = refusal(&response);
            assert!(!refused.message.is_empty() && !refused.vi.is_empty());
            seen.push((
                response.correlation_id,
                refused.reason.clone(),
                fields(&refused).join(" "),
            ));
        }
    }
    seen.sort();
    let expected = [
        (0, "INVALID_REQUEST", "query"),
        (0, "INVALID_REQUEST", "query.correlation_id"),
        (1, "", ""),
        (2, "INVALID_REQUEST", "query.subject.personal_number"),
        (3, "INVALID_REQUEST", "query.claims.date_of_birth"),
        (4, "INVALID_REQUEST", "query.subject"),
        (5, "INVALID_REQUEST", "query.claims.full_name query.claims.date_of_birth"),
        (6, "REGISTER_BEHIND", ""),
        (7, "INVALID_REQUEST", "opening"),
        (8, "", ""),
    ];
    let seen: Vec<_> = seen.iter().map(|(id, a, b)| (*id, a.as_str(), b.as_str())).collect();
    assert_eq!(seen, expected);
    assert_eq!(world.records().await, 2, "the two that were answered");
    world.stop().await;
}

/// While a query is under way its number names it alone; afterwards it may be used again.
async fn a_number_that_is_under_way_is_not_taken_again(engine: Engine) {
    let mut world = World::with(engine, Options::default()).await;
    let (sender, mut responses) = raw(&world.client("insurance")).await;
    let asked = LookupStreamRequest { opening: None, query: Some(query(5, world.plain())) };
    sender.send(opened()).await.unwrap();
    world.to_audit.stall();
    sender.send(asked.clone()).await.unwrap();
    world.to_audit.holds().await;
    sender.send(asked.clone()).await.unwrap();
    let twice = responses.message().await.unwrap().unwrap();
    assert_eq!(twice.correlation_id, 5);
    let refused = refusal(&twice);
    assert_eq!(why(&refused), ("InvalidArgument", "INVALID_REQUEST"));
    assert_eq!(refused.fields.len(), 1);
    let (field, description) = &refused.fields[0];
    assert_eq!(field, "query.correlation_id");
    assert!(description.starts_with("REPEATED"), "{description}");
    world.open_audit_road();
    for again in [false, true] {
        if again {
            sender.send(asked.clone()).await.unwrap();
        }
        let response = responses.message().await.unwrap().unwrap();
        assert!(response.correlation_id == 5 && response.answer.is_some());
    }
    drop(sender);
    assert!(responses.message().await.unwrap().is_none());
    world.stop().await;
}

/// A query of more than 16 KiB is refused by itself; a message of more than the service reads ends the stream, once what
/// came before it is answered.
async fn a_message_that_is_too_large_is_refused(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let too_large = ("ResourceExhausted", "MESSAGE_TOO_LARGE");
    let sized = |id, bytes| {
        let mut query = query(id, world.plain());
        query.claims.as_mut().unwrap().full_name = "x".repeat(bytes);
        LookupStreamRequest { opening: None, query: Some(query) }
    };
    let (sender, mut responses) = raw(&client).await;
    let good = LookupStreamRequest { opening: None, query: Some(query(2, world.plain())) };
    for message in [opened(), sized(1, 16 << 10), good, sized(3, 300 << 10)] {
        sender.send(message).await.unwrap();
    }
    let mut seen = Vec::new();
    let ended: Refused = loop {
        match responses.message().await {
            Ok(Some(response)) => seen.push(response),
            Ok(None) => panic!("the stream ended well"),
            Err(status) => break status.into(),
        }
    };
    assert_eq!(why(&ended), too_large);
    seen.sort_by_key(|response| response.correlation_id);
    assert_eq!(seen.iter().map(|response| response.correlation_id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(why(&refusal(&seen[0])), too_large);
    assert!(seen[1].answer.is_some());
    let mut large = opened();
    large.opening.as_mut().unwrap().request_id = "x".repeat(16 << 10);
    assert_eq!(why(&end(&client, vec![large]).await), too_large);
    world.stop().await;
}
