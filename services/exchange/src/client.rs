//! The databases, the contribution service and the register, as the exchange uses them.

mod register;

use std::time::Duration;

use contract::{
    contribution::v1::{
        Evidence, IngestRequest, SubmitContributionRequest,
        ingest_service_client::IngestServiceClient,
        submit_contribution_request::Event as Submitted,
    },
    database::v1::{
        Change, ChangeApplied, ChangeRejected, ChangeRejection, DeliverEventsRequest,
        Event as Told, EventStatus, ListChangesRequest, change::Event, event::Kind,
        sink_service_client::SinkServiceClient, source_service_client::SourceServiceClient,
    },
    r#type::v1::{AccessBasis, ErrorReason, RejectionReason},
};
use prost::Message as _;
use server::{Channel, Deadline, error::name};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use wire::timestamp_us;

use crate::{
    domain::{Listed, Page},
    store::Waiting,
};

pub(crate) use register::{News, NoNews, follow_faults, news};

/// How long contribution may take for one change.
const INGEST_MAX: Duration = Duration::from_secs(30);
/// Bytes of a page: what rule SRC-23 allows, and what is around it.
const PAGE_MAX: usize = (4 << 20) + 1024;

/// Contribution did not answer.
const CONTRIBUTION_AWAY: &str = "CONTRIBUTION_AWAY";
/// What people put right: until they have, there is no agreement to act on.
const HELD: [ErrorReason; 5] = [
    ErrorReason::ConnectionNotActive,
    ErrorReason::NoAgreement,
    ErrorReason::BasisNotInForce,
    ErrorReason::NothingAllowed,
    ErrorReason::GuessingBudgetSpent,
];

/// What became of a change that was handed on.
pub(crate) enum Ingested {
    /// It is in the register.
    Applied(ChangeApplied),
    /// It is not, and will not be as it stands.
    Rejected(ChangeRejected),
    /// Not now: later the same.
    NotNow(&'static str),
}

/// Why a source gave no page.
pub(crate) enum NoPage {
    /// It does not take the cursor any more, for this stable reason.
    Lost(&'static str),
    /// It did not answer.
    Away,
}

/// A page of a source's changes.
pub(crate) async fn changes(
    database: &Channel,
    cursor: &str,
    size: u16,
    answer_max: Duration,
) -> Result<Page<Content>, NoPage> {
    let deadline = Deadline::after(answer_max);
    let request = ListChangesRequest { cursor: cursor.to_owned(), page_size: size.into() };
    let client = SourceServiceClient::new(database.clone());
    let mut client = client.max_decoding_message_size(PAGE_MAX);
    let page = deadline.bounds(client.list_changes(deadline.request(request))).await;
    let page = page.map_err(|status| no_page(&status))?.into_inner();
    Ok(Page {
        changes: page.changes.into_iter().map(listed).collect(),
        next_cursor: page.next_cursor,
        end_reached: page.end_reached,
    })
}

/// What is handed on of a change.
pub(crate) struct Content {
    basis: AccessBasis,
    event: Event,
    evidence: Vec<Evidence>,
}

fn micros(time: prost_types::Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos) / 1_000)
}

fn listed(change: Change) -> Listed<Content> {
    let content = change.basis.zip(change.event);
    Listed {
        id: change.change_id,
        sequence: change.sequence,
        cursor: change.cursor,
        committed_us: change.commit_time.map(micros),
        content: content.map(|(basis, event)| Content { basis, event, evidence: change.evidence }),
    }
}

fn no_page(status: &Status) -> NoPage {
    let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
    let is = |known: ErrorReason| reason.as_deref() == Some(name(known));
    if is(ErrorReason::CursorExpired) {
        NoPage::Lost("CURSOR_EXPIRED")
    } else if is(ErrorReason::UnknownCursor) {
        NoPage::Lost("UNKNOWN_CURSOR")
    } else {
        NoPage::Away
    }
}

/// An event as it is kept until it is delivered.
pub(crate) fn kept(event_id: &str, kind: Kind, now_us: i64) -> Vec<u8> {
    let (event_id, event_time) = (event_id.to_owned(), Some(timestamp_us(now_us)));
    Told { event_id, sequence: 0, event_time, kind: Some(kind) }.encode_to_vec()
}

/// Why a delivery was not taken.
pub(crate) enum NoDelivery {
    /// The database did not answer.
    Away,
    /// It refuses the delivery's form: too many events for it, or one that it cannot read (rule SNK-6).
    Refused,
    /// Its answer is not about these events.
    OtherResults,
    /// What was kept is no event.
    Unreadable,
}

/// What became of each event of a delivery, with the event's id.
pub(crate) async fn deliver(
    database: &Channel,
    waiting: &[Waiting],
    answer_max: Duration,
) -> Result<Vec<(String, EventStatus)>, NoDelivery> {
    let event = |waiting: &Waiting| -> Option<Told> {
        let event = Told::decode(waiting.event.as_slice()).ok()?;
        Some(Told { sequence: waiting.sequence, ..event })
    };
    let events = waiting.iter().map(event).collect::<Option<Vec<_>>>();
    let events = events.ok_or(NoDelivery::Unreadable)?;
    let ids: Vec<String> = events.iter().map(|event| event.event_id.clone()).collect();
    let deadline = Deadline::after(answer_max);
    let mut client = SinkServiceClient::new(database.clone());
    let call = client.deliver_events(deadline.request(DeliverEventsRequest { events }));
    let answer = deadline.bounds(call).await.map_err(|status| {
        let refused = status.code() == Code::InvalidArgument;
        if refused { NoDelivery::Refused } else { NoDelivery::Away }
    })?;
    let results = answer.into_inner().results;
    let about_these = results.len() == ids.len()
        && results.iter().zip(&ids).all(|(result, id)| {
            result.event_id == *id && result.status() != EventStatus::Unspecified
        });
    if !about_these {
        return Err(NoDelivery::OtherResults);
    }
    Ok(ids.into_iter().zip(results.iter().map(|result| result.status())).collect())
}

/// Hands a change on as its source's contribution: the same change is the same bytes (I4).
pub(crate) async fn ingest(
    service: &IngestServiceClient<Channel>,
    source: &str,
    id: &str,
    content: Content,
) -> Ingested {
    let contribution = Some(submitted(id, content));
    let request = IngestRequest { source: source.to_owned(), contribution };
    let deadline = Deadline::after(INGEST_MAX);
    let mut client = service.clone();
    match deadline.bounds(client.ingest(deadline.request(request))).await {
        Ok(answer) => {
            let Some(receipt) = answer.into_inner().answer else {
                return Ingested::NotNow(CONTRIBUTION_AWAY);
            };
            Ingested::Applied(ChangeApplied {
                contribution_id: receipt.contribution_id,
                version: receipt.version,
                personal_number: receipt.personal_number,
            })
        }
        Err(status) => refused(&status),
    }
}

fn submitted(id: &str, Content { basis, event, evidence }: Content) -> SubmitContributionRequest {
    SubmitContributionRequest {
        idempotency_key: id.to_owned(),
        basis: Some(basis),
        event: Some(match event {
            Event::Birth(birth) => Submitted::Birth(birth),
            Event::Death(death) => Submitted::Death(death),
            Event::Residence(residence) => Submitted::Residence(residence),
            Event::Correction(correction) => Submitted::Correction(correction),
            Event::Annulment(annulment) => Submitted::Annulment(annulment),
            Event::LifeEvent(event) => Submitted::LifeEvent(event),
        }),
        validate_only: false,
        // A change's id may be longer than a request's; its beginning will do to find it by.
        request_id: id.chars().take(40).collect(),
        expected_version: 0,
        evidence,
    }
}

/// What is refused for good is told to the source; everything else is tried again, for a change must not be lost. An
/// agreement that is not there is put right by people, and then the change is good as it stands.
fn refused(status: &Status) -> Ingested {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    const FOR_GOOD: [ErrorReason; 5] = [
        ErrorReason::InvalidRequest,
        ErrorReason::ContributionRejected,
        ErrorReason::KeyReused,
        ErrorReason::ItemNotAllowed,
        ErrorReason::MessageTooLarge,
    ];
    if let Some(held) = HELD.into_iter().find(|held| name(*held) == reason) {
        return Ingested::NotNow(name(held));
    }
    if !FOR_GOOD.into_iter().any(|known| name(known) == reason) {
        return Ingested::NotNow(CONTRIBUTION_AWAY);
    }
    let rejection = |violation: &tonic_types::PreconditionViolation| {
        let reason = format!("REJECTION_REASON_{}", violation.r#type);
        ChangeRejection {
            item: violation.subject.clone(),
            reason: RejectionReason::from_str_name(&reason).unwrap_or_default().into(),
        }
    };
    let rejections = details.precondition_failure().map(|failure| &failure.violations);
    let fields = details.bad_request().map(|request| &request.field_violations);
    Ingested::Rejected(ChangeRejected {
        reason,
        rejections: rejections.into_iter().flatten().map(rejection).collect(),
        fields: fields.into_iter().flatten().map(|field| field.field.clone()).collect(),
    })
}
