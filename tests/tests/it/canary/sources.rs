//! The same of what sources contribute, on streams and by single calls, and of conflicts about it.

use std::collections::BTreeSet;

use contract::contribution::v1::{
    ConflictOutcome, GetConflictRequest, HandOverConflictRequest, SubmitContributionRequest,
    contribution_service_client::ContributionServiceClient, submit_contribution_request::Event,
};
use futures::stream;
use lienthong::client::{Client, Refused};
use store::Engine;
use tests::{
    events::{about, birth, death, ground, residence},
    on_both_engines,
    whole::Whole,
};

use super::{CANARIES, Needles, watch};
use crate::conflict::{decision, disputed, start};

on_both_engines!(i8_nothing_that_a_source_says_is_in_a_log_line_or_an_error);

/// What is contributed, and what is said of a conflict. The child and the street are those of `conflict`.
const SAID: [&str; 7] = [
    "Trần Giả Định Bảo An",
    "phố Giả Định",
    "canary-entry",
    "canary-street",
    "canary-decision",
    "canary-reason",
    "canary-message",
];

fn needles(whole: &Whole) -> Needles {
    let people = [false, true].map(|protected| whole.person(protected));
    let names = people.map(|person| tests::Person(person.clone()).name().to_owned());
    let mut numbers: std::collections::HashSet<_> =
        people.map(|person| person.number.as_str().to_owned()).into();
    numbers.insert("999300999999".to_owned());
    let texts = CANARIES.into_iter().chain(SAID).map(str::to_owned);
    Needles { numbers, texts: texts.chain(names).collect() }
}

/// Contributions about somebody, about whom nobody may learn, and about nobody; with faults, too.
fn contributions(whole: &Whole, child: &str) -> Vec<SubmitContributionRequest> {
    let born = (2026, 3, 1);
    let known = || about(child, SAID[0], born);
    let hidden = whole.person(true);
    let hidden = about(hidden.number.as_str(), CANARIES[0], born);
    let mut denied = death("n-1", known());
    denied.basis.as_mut().unwrap().procedure = "burial-allowance".to_owned();
    let mut requests = vec![
        birth("n-0", CANARIES[0]),
        birth("n-2", &CANARIES[0].repeat(20)),
        denied,
        death("n-3", about("999300999999", CANARIES[0], born)),
        death("n-4", about("canary-number", CANARIES[0], born)),
        death("n-5", hidden),
        death("n-6", about(child, CANARIES[0], born)),
        residence("n-7", known(), "canary-street"),
        death("n-8", known()),
    ];
    for request in &mut requests {
        match &mut request.event {
            Some(Event::Birth(birth)) => birth.entry_number = "canary-entry".to_owned(),
            Some(Event::Death(death)) => death.entry_number = "canary-entry".to_owned(),
            _ => {}
        }
    }
    requests
}

/// Sends contributions on one stream. How many were taken, and what was refused.
async fn streamed(
    client: &Client,
    requests: Vec<SubmitContributionRequest>,
) -> (usize, Vec<Refused>) {
    let mut client = ContributionServiceClient::new(client.channel().clone());
    let responses = client.stream_contributions(stream::iter(requests)).await.unwrap();
    let (mut responses, mut taken, mut refused) = (responses.into_inner(), 0, Vec::new());
    while let Some(response) = responses.message().await.unwrap() {
        if response.status.is_empty() {
            taken += 1;
        } else {
            refused.push(Refused::from_status_bytes(&response.status).unwrap());
        }
    }
    (taken, refused)
}

/// A decision with words of its own.
fn decided(key: &str, id: &str, times: usize) -> SubmitContributionRequest {
    let mut request = decision(key, id, ConflictOutcome::Accepted);
    let Some(Event::ConflictDecision(decision)) = &mut request.event else { panic!() };
    decision.decision_number = "canary-decision".repeat(times);
    decision.reason = "canary-reason".repeat(times);
    request
}

/// Reads a conflict and hands it over, as who may and who may not, with faults, too. What was refused.
async fn handed_over(whole: &Whole, id: &str) -> Vec<Refused> {
    let mut refused = Vec::new();
    let name = tests::Person(whole.person(false).clone()).name().to_owned();
    for (caller, unit) in [("residence", "Z05.DEMO.CUTRU"), ("citizen-id", "Z06.DEMO.CANCUOC")] {
        let client = whole.client(caller);
        for item in ["permanent_residence", &name] {
            let request = GetConflictRequest {
                conflict_id: id.to_owned(),
                item: item.to_owned(),
                basis: Some(ground("conflict-resolution", unit)),
                request_id: "r-1".to_owned(),
            };
            refused.extend(client.get_conflict(&request).await.unwrap().err());
        }
        for (id, times) in [(id, 1), (id, 1_000), (name.as_str(), 1)] {
            let request = HandOverConflictRequest {
                conflict_id: id.to_owned(),
                message: "canary-message".repeat(times),
                request_id: "r-1".to_owned(),
            };
            refused.extend(client.hand_over_conflict(&request).await.unwrap().err());
        }
    }
    refused
}

async fn i8_nothing_that_a_source_says_is_in_a_log_line_or_an_error(engine: Engine) {
    let whole = start(engine).await;
    let watch = watch(needles(&whole));
    let (child, conflict) = disputed(&whole).await;
    // It is known only now.
    watch.also(Needles { numbers: [child.clone()].into(), ..Needles::default() });
    let id = &conflict.conflict_id;
    let mut refused = handed_over(&whole, id).await;
    // It was handed over to residence, which hands it back.
    let decisions = vec![decided("d-1", id, 1_000), decided("d-2", "canary-number", 1)];
    let (taken, decided_not) = streamed(&whole.client("citizen-id"), decisions).await;
    assert_eq!((taken, decided_not.len()), (0, 2));
    let back = HandOverConflictRequest {
        conflict_id: id.clone(),
        message: "canary-message".to_owned(),
        request_id: "r-1".to_owned(),
    };
    whole.client("residence").hand_over_conflict(&back).await.unwrap().unwrap();
    let (taken, _) = streamed(&whole.client("citizen-id"), vec![decided("d-3", id, 1)]).await;
    assert_eq!(taken, 1);
    let (taken, told) =
        streamed(&whole.client("civil-status"), contributions(&whole, &child)).await;
    assert_eq!((taken, told.len()), (2, 7));
    refused.extend(decided_not.into_iter().chain(told));
    refused.iter().for_each(|refused| watch.reads(refused));
    let reasons: BTreeSet<_> = refused.iter().map(|refused| refused.reason.as_str()).collect();
    assert_eq!(
        reasons,
        BTreeSet::from([
            "CONTRIBUTION_REJECTED",
            "INVALID_REQUEST",
            "NOTHING_ALLOWED",
            "NO_AGREEMENT",
            "UNKNOWN_CONFLICT",
        ])
    );
    whole.all.stop().await;
    watch.ends();
}
