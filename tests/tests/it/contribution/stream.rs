//! Many contributions on one stream: each has one response, whatever becomes of the others.

use std::collections::BTreeMap;

use contract::{
    audit::v1::Receipt,
    contribution::v1::{
        StreamContributionsResponse, contribution_service_client::ContributionServiceClient,
    },
};
use futures::stream;
use tests::events::death;
use tonic::Streaming;

use super::*;

on_both_engines!(
    i4_many_births_on_one_stream_are_one_person_each_however_often_they_are_sent,
    what_is_refused_does_not_end_the_stream,
    i2_whoever_is_suspended_contributes_no_more_on_a_stream_that_is_open,
    i13_a_caller_that_goes_away_loses_nothing_that_it_sends_again,
    i11_a_caller_has_eight_streams_at_once_and_no_more,
);

const BIRTHS: usize = 60;

type Told = BTreeMap<String, Result<(ContributionReceipt, Receipt), String>>;

/// Sends requests on one stream.
async fn send(
    whole: &Whole,
    requests: Vec<SubmitContributionRequest>,
) -> Streaming<StreamContributionsResponse> {
    let mut client = ContributionServiceClient::new(whole.client("civil-status").channel().clone());
    client.stream_contributions(stream::iter(requests)).await.unwrap().into_inner()
}

/// All that is told on a stream that ends well: by key, what was taken with its receipt, or the reason of the refusal.
async fn told(mut responses: Streaming<StreamContributionsResponse>) -> Told {
    let mut told = Told::new();
    while let Some(response) = responses.message().await.unwrap() {
        let one = match response.answer {
            Some(answer) => {
                assert!(response.status.is_empty());
                Ok((answer, response.receipt.unwrap()))
            }
            None => {
                assert!(response.receipt.is_none());
                Err(reason(&response.status))
            }
        };
        assert!(told.insert(response.idempotency_key, one).is_none(), "one response each");
    }
    told
}

/// What comes on an open stream after policy told of the suspension is refused; what came before stands.
async fn i2_whoever_is_suspended_contributes_no_more_on_a_stream_that_is_open(engine: Engine) {
    let whole = Whole::start(engine).await;
    let (sending, sent) = tokio::sync::mpsc::channel(1);
    let requests = stream::unfold(sent, |mut sent| async move { Some((sent.recv().await?, sent)) });
    let mut client = ContributionServiceClient::new(whole.client("civil-status").channel().clone());
    sending.send(birth("before", CHILD)).await.unwrap();
    let mut responses = client.stream_contributions(requests).await.unwrap().into_inner();
    let before = responses.message().await.unwrap().unwrap();
    assert!(before.answer.is_some_and(|answer| answer.version > 0));
    let mut registry = whole.registry();
    let connection = registry.connections.iter_mut().find(|c| c.database == "civil-status");
    connection.unwrap().state = policy::domain::registry::State::Suspended;
    whole.apply_registry(&registry).await;
    let persons = whole.persons().await;
    sending.send(birth("after", CHILD)).await.unwrap();
    let after = responses.message().await.unwrap().unwrap();
    assert!(after.answer.is_none());
    assert_eq!(reason(&after.status), "CONNECTION_NOT_ACTIVE");
    assert_eq!(whole.persons().await, persons);
    drop(sending);
    assert!(responses.message().await.unwrap().is_none());
    whole.all.stop().await;
}

fn reason(status: &[u8]) -> String {
    Refused::from_status_bytes(status).unwrap().reason
}

async fn i4_many_births_on_one_stream_are_one_person_each_however_often_they_are_sent(
    engine: Engine,
) {
    let whole = Whole::start(engine).await;
    let (persons, records) = (whole.persons().await, whole.records().await);
    let births: Vec<_> = (0..BIRTHS).map(|n| birth(&format!("b-{n}"), CHILD)).collect();
    let first = told(send(&whole, births.clone()).await).await;
    assert_eq!(first.len(), BIRTHS);
    let numbers: std::collections::BTreeSet<_> =
        first.values().map(|told| told.clone().unwrap().0.personal_number).collect();
    assert_eq!(numbers.len(), BIRTHS);
    assert_eq!(whole.persons().await, persons + BIRTHS as u64);
    // Each is recorded by the register and by contribution.
    assert_eq!(whole.records().await, records + 2 * BIRTHS as u64);
    // The same bytes, on another stream at once and by single calls, are the same contributions.
    let (again, single) =
        tokio::join!(async { told(send(&whole, births.clone()).await).await }, async {
            submit(&whole.client("civil-status"), &births[7]).await
        },);
    assert!(again == first);
    // Each with its own receipt, which proves the bytes that were sent on the stream.
    for birth in &births {
        let (answer, receipt) = first[&birth.idempotency_key].clone().unwrap();
        let (answer, receipt) = (answer.encode_to_vec(), receipt.encode_to_vec());
        let proven = Answered::<ContributionReceipt>::of(birth.encode_to_vec(), answer, &receipt);
        proven.unwrap().verify(&whole.log).unwrap();
    }
    assert!(first[&births[7].idempotency_key] == Ok((single.answer, single.receipt)));
    assert_eq!(whole.persons().await, persons + BIRTHS as u64);
    whole.all.stop().await;
}

async fn what_is_refused_does_not_end_the_stream(engine: Engine) {
    let whole = Whole::start(engine).await;
    let child = submit(&whole.client("civil-status"), &birth("b-0", CHILD)).await.answer;
    let of_child = || about(&child.personal_number, CHILD, BORN);
    let mut other = birth("b-0", CHILD);
    other.request_id = "other".to_owned();
    let mut faulty = birth("b-2", "");
    faulty.idempotency_key = "khóa".to_owned();
    let mut denied = death("d-1", of_child());
    denied.basis.as_mut().unwrap().procedure = "burial-allowance".to_owned();
    let requests = vec![
        birth("b-1", CHILD),
        other,
        faulty,
        denied,
        death("d-2", about("990226999999", CHILD, BORN)),
        death("d-3", of_child()),
    ];
    let told = told(send(&whole, requests).await).await;
    let said: Vec<(&str, &str)> = told
        .iter()
        .map(|(key, told)| (key.as_str(), told.as_ref().err().map_or("", String::as_str)))
        .collect();
    assert_eq!(
        said,
        [
            ("", "INVALID_REQUEST"),
            ("key:b-0", "KEY_REUSED"),
            ("key:b-1", ""),
            ("key:d-1", "NO_AGREEMENT"),
            ("key:d-2", "CONTRIBUTION_REJECTED"),
            ("key:d-3", ""),
        ]
    );
    whole.all.stop().await;
}

async fn i13_a_caller_that_goes_away_loses_nothing_that_it_sends_again(engine: Engine) {
    let whole = Whole::start(engine).await;
    let persons = whole.persons().await;
    let births: Vec<_> = (0..BIRTHS).map(|n| birth(&format!("b-{n}"), CHILD)).collect();
    for taken in [0, 1, BIRTHS / 3] {
        let mut responses = send(&whole, births.clone()).await;
        for _ in 0..taken {
            responses.message().await.unwrap().unwrap();
        }
        drop(responses);
    }
    let told = told(send(&whole, births).await).await;
    assert!(told.len() == BIRTHS && told.values().all(Result::is_ok));
    assert_eq!(whole.persons().await, persons + BIRTHS as u64);
    let sql = "SELECT COUNT(*) FROM submission WHERE outcome IS NULL";
    assert_eq!(whole.count("contribution", sql).await, 0);
    whole.all.stop().await;
}

async fn i11_a_caller_has_eight_streams_at_once_and_no_more(engine: Engine) {
    let whole = Whole::start(engine).await;
    let mut client = ContributionServiceClient::new(whole.client("civil-status").channel().clone());
    let mut open = async |entry: &str| {
        let (sender, requests) = tokio::sync::mpsc::channel(1);
        sender.send(birth(entry, CHILD)).await.unwrap();
        let requests = stream::unfold(requests, |mut requests| async {
            requests.recv().await.map(|request| (request, requests))
        });
        let mut responses = client.stream_contributions(requests).await.unwrap().into_inner();
        let first = responses.message().await;
        (sender, responses, first)
    };
    let mut streams = Vec::new();
    for n in 0..8 {
        let (sender, responses, first) = open(&format!("b-{n}")).await;
        assert!(first.unwrap().unwrap().receipt.is_some());
        streams.push((sender, responses));
    }
    let (.., ninth) = open("b-8").await;
    let refused = ninth.unwrap_err();
    assert_eq!(reason(refused.details()), "OVERLOADED");
    // When one has ended there is room.
    let (sender, mut responses) = streams.pop().unwrap();
    drop(sender);
    assert!(responses.message().await.unwrap().is_none());
    let (.., next) = open("b-8").await;
    assert!(next.unwrap().unwrap().receipt.is_some());
    drop(streams);
    whole.all.stop().await;
}
