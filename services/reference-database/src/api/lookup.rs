//! `LookupService`.

use std::{pin::Pin, sync::Arc};

use contract::{
    database::v1::{
        GetRecordRequest, GetRecordResponse, RecordClaimOutcome, RecordClaimResult, RecordOutcome,
        StreamRecordsRequest, StreamRecordsResponse, VerifyRecordRequest, VerifyRecordResponse,
        lookup_service_server::LookupService,
    },
    r#type::v1::{self as types, AccessBasis, Claims as WireClaims, SubjectRef, item_outcome},
};
use futures::{Stream, StreamExt as _, stream};
use model::{Agreement, Claims, GoldenRecord, PersonalNumber, Subject, Value};
use server::Thumbprint;
use tonic::{Request, Response, Status};
use wire::{
    Fault, Faults, basis, subject, timestamp,
    value::{Reader, write_held},
};

use super::{Api, away, warrant};
use crate::{
    Shared,
    domain::{ClaimOutcome, ItemOutcome, outcome, verdict},
    profile::QUERIES_MAX,
};

const REQUEST_ID_MAX: usize = 40;
const WARRANT_MAX: usize = 4096;

#[tonic::async_trait]
impl LookupService for Api {
    async fn get_record(
        &self,
        request: Request<GetRecordRequest>,
    ) -> Result<Response<GetRecordResponse>, Status> {
        self.admit(&request)?;
        let shown = Thumbprint::of(&request);
        let request = request.into_inner();
        let mut faults = Faults::default();
        let asked = read(&self.0, "", &request, &mut faults);
        faults.finish()?;
        let allowed = warrant::check(&self.0, shown, &[(&request).into()])?;
        let answer = get(&self.0, request, asked).await?;
        warrant::take(&self.0, allowed).await?;
        Ok(Response::new(answer))
    }

    async fn verify_record(
        &self,
        request: Request<VerifyRecordRequest>,
    ) -> Result<Response<VerifyRecordResponse>, Status> {
        self.admit(&request)?;
        let shown = Thumbprint::of(&request);
        let request = request.into_inner();
        Ok(Response::new(verify(&self.0, shown, request).await?))
    }

    type StreamRecordsStream =
        Pin<Box<dyn Stream<Item = Result<StreamRecordsResponse, Status>> + Send>>;

    async fn stream_records(
        &self,
        request: Request<StreamRecordsRequest>,
    ) -> Result<Response<Self::StreamRecordsStream>, Status> {
        let deadline = self.admit(&request)?;
        let shown = Thumbprint::of(&request);
        let queries = request.into_inner().queries;
        let mut faults = Faults::default();
        if queries.is_empty() {
            faults.add("queries", Fault::Missing);
        }
        if queries.len() > QUERIES_MAX.into() {
            faults.add("queries", Fault::TooMany(QUERIES_MAX.into()));
        }
        // All of them are looked at before the first answer (rule LKP-31).
        let read = |(place, query): (usize, GetRecordRequest)| {
            let asked = read(&self.0, &format!("queries[{place}]."), &query, &mut faults);
            (query, asked)
        };
        let asked: Vec<_> =
            queries.into_iter().take(QUERIES_MAX.into()).enumerate().map(read).collect();
        faults.finish()?;
        let warranted: Vec<_> = asked.iter().map(|(query, _)| query.into()).collect();
        let allowed = warrant::check(&self.0, shown, &warranted)?;
        warrant::take(&self.0, allowed).await?;
        let shared = Arc::clone(&self.0);
        let answers = stream::iter(asked).then(move |(query, asked)| {
            let shared = Arc::clone(&shared);
            async move {
                let record = deadline.bounds(get(&shared, query, asked)).await?;
                Ok(StreamRecordsResponse { record: Some(record) })
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

/// Who is asked about, and what is said to be known of the person.
struct Asked {
    subject: Option<PersonalNumber>,
    claims: Option<Claims>,
}

/// Reads what questions have in common, at `path`.
fn person(
    shared: &Shared,
    path: &str,
    named: Option<&SubjectRef>,
    claims: Option<&WireClaims>,
    faults: &mut Faults,
) -> Asked {
    let subject = subject::read(&format!("{path}subject"), named, faults);
    let field = format!("{path}claims");
    let read = claims.map(|c| subject::read_claims(&field, c, &shared.lists, faults));
    let subject = match subject {
        Some(Subject::Personal(number)) => Some(number),
        Some(Subject::Old(_)) => {
            faults.add(format!("{path}subject.old_number"), Fault::NotAllowed);
            None
        }
        None => None,
    };
    Asked { subject, claims: read.flatten() }
}

/// What every question must bring (rule LKP-8).
fn ground(
    path: &str,
    given: Option<&AccessBasis>,
    request_id: &str,
    warrant: &[u8],
    faults: &mut Faults,
) {
    let mut found = Faults::default();
    basis::check(given, &mut found);
    found.text("request_id", request_id, REQUEST_ID_MAX);
    if warrant.len() > WARRANT_MAX {
        found.add("warrant", Fault::TooLong(WARRANT_MAX));
    }
    faults.extend(path, found);
}

fn read(shared: &Shared, path: &str, request: &GetRecordRequest, faults: &mut Faults) -> Asked {
    let GetRecordRequest { subject, claims, items, basis: given, request_id, warrant, .. } =
        request;
    let asked = person(shared, path, subject.as_ref(), claims.as_ref(), faults);
    let mut found = Faults::default();
    basis::check_items(items, &mut found);
    faults.extend(path, found);
    ground(path, given.as_ref(), request_id, warrant, faults);
    asked
}

/// The record of who is asked about, if the claims agree: what is not there and what differs are one (rule LKP-4).
async fn find(shared: &Shared, asked: &Asked) -> Result<Option<GoldenRecord>, Status> {
    let Some(number) = &asked.subject else { return Ok(None) };
    let record = shared.database.by_number(number).await.map_err(|error| away(&error))?;
    Ok(record
        .filter(|record| asked.claims.as_ref().is_none_or(|claims| claims.agree(record, false))))
}

async fn get(
    shared: &Shared,
    request: GetRecordRequest,
    asked: Asked,
) -> Result<GetRecordResponse, Status> {
    let record = find(shared, &asked).await?;
    let items = record.as_ref().map(|record| {
        request.items.iter().map(|item| item_outcome(shared, record, item)).collect()
    });
    Ok(GetRecordResponse {
        outcome: matched(record.as_ref()).into(),
        items: items.unwrap_or_default(),
        subject: request.subject,
        request_id: request.request_id,
        answer_time: Some(timestamp(shared.clock.now())),
    })
}

fn matched(record: Option<&GoldenRecord>) -> RecordOutcome {
    if record.is_some() { RecordOutcome::Match } else { RecordOutcome::NoMatch }
}

fn item_outcome(shared: &Shared, record: &GoldenRecord, item: &str) -> types::ItemOutcome {
    let held = |values: &[model::HeldValue]| types::HeldValues {
        values: values.iter().map(|value| write_held(value, &shared.lists)).collect(),
    };
    let outcome = match outcome(&shared.profile, record, item) {
        ItemOutcome::Value(values) => item_outcome::Outcome::Value(held(values)),
        ItemOutcome::Partial(values) => item_outcome::Outcome::Partial(held(values)),
        ItemOutcome::NotHeld => item_outcome::Outcome::NotHeld(types::NotHeld {}),
        ItemOutcome::Unknown => item_outcome::Outcome::UnknownItem(types::UnknownItem {}),
    };
    types::ItemOutcome { item: item.to_owned(), outcome: Some(outcome), obligations: Vec::new() }
}

async fn verify(
    shared: &Shared,
    shown: Option<Thumbprint>,
    request: VerifyRecordRequest,
) -> Result<VerifyRecordResponse, Status> {
    let mut faults = Faults::default();
    let VerifyRecordRequest { subject, claims, claimed_values, basis: given, .. } = &request;
    let asked = person(shared, "", subject.as_ref(), claims.as_ref(), &mut faults);
    let items: Vec<String> = claimed_values.iter().map(|claimed| claimed.item.clone()).collect();
    basis::check_item_fields("claimed_values", ".item", &items, &mut faults);
    let mut values: Vec<Value> = Vec::new();
    for (place, claimed) in claimed_values.iter().take(basis::ITEMS_MAX).enumerate() {
        let field = format!("claimed_values[{place}].value");
        values
            .extend(Reader::new(&shared.lists, &mut faults).value(&field, claimed.value.as_ref()));
    }
    ground("", given.as_ref(), &request.request_id, &request.warrant, &mut faults);
    faults.finish()?;
    let allowed = warrant::check(shared, shown, &[(&request).into()])?;
    let record = find(shared, &asked).await?;
    warrant::take(shared, allowed).await?;
    let results = record.as_ref().map(|record| {
        let one = |(item, value): (&String, &Value)| RecordClaimResult {
            item: item.clone(),
            outcome: claim_outcome(verdict(&shared.profile, record, item, value)).into(),
        };
        items.iter().zip(&values).map(one).collect()
    });
    Ok(VerifyRecordResponse {
        outcome: matched(record.as_ref()).into(),
        results: results.unwrap_or_default(),
        subject: request.subject,
        request_id: request.request_id,
        answer_time: Some(timestamp(shared.clock.now())),
    })
}

fn claim_outcome(outcome: ClaimOutcome) -> RecordClaimOutcome {
    match outcome {
        ClaimOutcome::Held(Agreement::Match) => RecordClaimOutcome::Match,
        ClaimOutcome::Held(Agreement::Mismatch) => RecordClaimOutcome::Mismatch,
        ClaimOutcome::Held(Agreement::Indeterminate) => RecordClaimOutcome::Indeterminate,
        ClaimOutcome::NotHeld => RecordClaimOutcome::NotHeld,
        ClaimOutcome::Unknown => RecordClaimOutcome::UnknownItem,
    }
}
