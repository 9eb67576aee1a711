//! The databases and the contribution service, as the exchange uses them.

use std::time::Duration;

use contract::{
    contribution::v1::{
        IngestRequest, SubmitContributionRequest, ingest_service_client::IngestServiceClient,
        submit_contribution_request::Event as Submitted,
    },
    database::v1::{
        Change, ChangeApplied, ChangeRejected, ChangeRejection, DeliverEventsRequest, Event,
        EventStatus, ListChangesRequest, ListChangesResponse, change::Event as Listed,
        sink_service_client::SinkServiceClient, source_service_client::SourceServiceClient,
    },
    r#type::v1::{ErrorReason, RejectionReason},
};
use server::{Channel, Deadline, error::name};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// How long contribution may take for one change.
const INGEST_MAX: Duration = Duration::from_secs(30);
/// Bytes of a page: what rule SRC-23 allows, and what is around it.
const PAGE_MAX: usize = (4 << 20) + 1024;

/// What became of a change that was handed on.
pub(crate) enum Ingested {
    /// It is in the register.
    Applied(ChangeApplied),
    /// It is not, and will not be as it stands.
    Rejected(ChangeRejected),
    /// Not now: later the same.
    NotNow(&'static str),
}

/// A page of a source's changes.
pub(crate) async fn changes(
    database: &Channel,
    cursor: &str,
    size: u16,
    answer_max: Duration,
) -> Result<ListChangesResponse, Status> {
    let deadline = Deadline::after(answer_max);
    let request = ListChangesRequest { cursor: cursor.to_owned(), page_size: size.into() };
    let client = SourceServiceClient::new(database.clone());
    let mut client = client.max_decoding_message_size(PAGE_MAX);
    deadline
        .bounds(client.list_changes(deadline.request(request)))
        .await
        .map(|page| page.into_inner())
}

/// What a database said of each event of a delivery; none when its answer is not about these.
pub(crate) async fn deliver(
    database: &Channel,
    events: &[Event],
    answer_max: Duration,
) -> Result<Option<Vec<EventStatus>>, Status> {
    let deadline = Deadline::after(answer_max);
    let request = DeliverEventsRequest { events: events.to_vec() };
    let mut client = SinkServiceClient::new(database.clone());
    let answer = deadline.bounds(client.deliver_events(deadline.request(request))).await?;
    let results = answer.into_inner().results;
    let matching = results.len() == events.len()
        && results.iter().zip(events).all(|(result, event)| result.event_id == event.event_id);
    let statuses: Vec<_> = results.iter().map(|result| result.status()).collect();
    Ok((matching && !statuses.contains(&EventStatus::Unspecified)).then_some(statuses))
}

/// Hands a change on as its source's contribution: the same change is the same bytes (I4).
pub(crate) async fn ingest(
    contribution: &IngestServiceClient<Channel>,
    source: &str,
    change: Change,
) -> Ingested {
    let request =
        IngestRequest { source: source.to_owned(), contribution: Some(submitted(change)) };
    let deadline = Deadline::after(INGEST_MAX);
    let mut client = contribution.clone();
    match deadline.bounds(client.ingest(deadline.request(request))).await {
        Ok(answer) => {
            let receipt = answer.into_inner().answer.unwrap_or_default();
            Ingested::Applied(ChangeApplied {
                contribution_id: receipt.contribution_id,
                version: receipt.version,
                personal_number: receipt.personal_number,
            })
        }
        Err(status) => refused(&status),
    }
}

fn submitted(change: Change) -> SubmitContributionRequest {
    // A change's id may be longer than a request's; its beginning will do to find it by.
    let request_id = change.change_id.chars().take(40).collect();
    SubmitContributionRequest {
        idempotency_key: change.change_id,
        basis: change.basis,
        event: change.event.map(|event| match event {
            Listed::Birth(birth) => Submitted::Birth(birth),
            Listed::Death(death) => Submitted::Death(death),
            Listed::Residence(residence) => Submitted::Residence(residence),
            Listed::Correction(correction) => Submitted::Correction(correction),
        }),
        validate_only: false,
        request_id,
    }
}

/// What is refused for good is told to the source; everything else is tried again, for a change must not be lost.
fn refused(status: &Status) -> Ingested {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let is = |known: ErrorReason| reason == name(known);
    let for_good = match status.code() {
        Code::FailedPrecondition | Code::InvalidArgument | Code::AlreadyExists => true,
        // A connection that is suspended will be active again.
        Code::PermissionDenied => {
            !is(ErrorReason::ConnectionNotActive) && !is(ErrorReason::MethodNotAllowed)
        }
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => false,
    };
    if !for_good || reason.is_empty() {
        let connection = is(ErrorReason::ConnectionNotActive);
        return Ingested::NotNow(if connection {
            "CONNECTION_NOT_ACTIVE"
        } else {
            "CONTRIBUTION_AWAY"
        });
    }
    let violations = details.precondition_failure().map(|failure| failure.violations.clone());
    let rejection = |violation: tonic_types::PreconditionViolation| {
        let reason = format!("REJECTION_REASON_{}", violation.r#type);
        ChangeRejection {
            item: violation.subject,
            reason: RejectionReason::from_str_name(&reason).unwrap_or_default().into(),
        }
    };
    let rejections = violations.unwrap_or_default().into_iter().map(rejection).collect();
    Ingested::Rejected(ChangeRejected { reason, rejections })
}
