//! The register's feed.

use std::time::Duration;

use contract::{
    database::v1::PersonChanged,
    register::v1::{
        FollowedChange, ListChangesRequest, RecordedChange, feed_service_client::FeedServiceClient,
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use server::{Channel, Deadline, error::name};
use tonic::Status;
use tonic_types::StatusExt as _;
use wire::{Faults, basis as ground};

use super::micros;
use crate::routes::Follow;

/// How long the register may take for a page.
const NEWS_MAX: Duration = Duration::from_secs(30);
/// The register did not answer.
const REGISTER_AWAY: &str = "REGISTER_AWAY";
/// What people put right: the connection, the agreement, or what the operator wrote into the routes.
const REFUSED: [ErrorReason; 5] = [
    ErrorReason::ConnectionNotActive,
    ErrorReason::NoAgreement,
    ErrorReason::BasisNotInForce,
    ErrorReason::NothingAllowed,
    ErrorReason::InvalidRequest,
];
/// What passes by itself, and is not the register's.
const AWAY: [ErrorReason; 4] = [
    ErrorReason::PolicyUnavailable,
    ErrorReason::AuditUnavailable,
    ErrorReason::Overloaded,
    ErrorReason::DeadlineExceeded,
];

/// What changed in the register, for one follower.
pub(crate) struct News {
    pub(crate) changes: Vec<Changed>,
    pub(crate) next_cursor: String,
    pub(crate) end_reached: bool,
    /// When the register learnt the last change that was looked at, microseconds since 1970.
    pub(crate) seen_us: Option<i64>,
}

/// A person that changed, as the follower is told of it.
pub(crate) struct Changed {
    pub(crate) told: PersonChanged,
    pub(crate) known_at_us: i64,
}

/// Why a follower cannot be told of anything.
pub(crate) enum NoNews {
    /// The register never gave the cursor.
    UnknownCursor,
    /// Changes after the cursor are not kept any more; the oldest that are begin at this one.
    NotKept(String),
    /// It may not be told, for this stable reason: people put it right.
    Refused(&'static str),
    /// Not now, for this stable reason: later the same.
    NotNow(&'static str),
}

/// What changed in the register after a cursor, as far as a follower may hear of it.
pub(crate) async fn news(
    service: &FeedServiceClient<Channel>,
    follower: &str,
    follow: &Follow,
    cursor: &str,
    size: u16,
) -> Result<News, NoNews> {
    let request = ListChangesRequest {
        follower: follower.to_owned(),
        basis: Some(basis(follow)),
        items: follow.items.clone(),
        cursor: cursor.to_owned(),
        page_size: size.into(),
    };
    let deadline = Deadline::after(NEWS_MAX);
    let mut client = service.clone();
    let page = deadline.bounds(client.list_changes(deadline.request(request))).await;
    let page = page.map_err(|status| no_news(&status))?.into_inner();
    let changed = |recorded: RecordedChange| {
        let change = recorded.answer?;
        let FollowedChange { token, version, items, known_time, kind, bulk_job, surviving_token } =
            change;
        let known_at_us = known_time.map(micros)?;
        let told = PersonChanged { token, version, items, kind, bulk_job, surviving_token };
        Some(Changed { told, known_at_us })
    };
    let changes = page.changes.into_iter().map(changed).collect::<Option<_>>();
    Ok(News {
        changes: changes.ok_or(NoNews::NotNow(REGISTER_AWAY))?,
        next_cursor: page.next_cursor,
        end_reached: page.end_reached,
        seen_us: page.seen_time.map(micros),
    })
}

fn no_news(status: &Status) -> NoNews {
    let details = status.get_error_details();
    let info = details.error_info();
    let is = |known: &ErrorReason| info.is_some_and(|info| info.reason == name(*known));
    if is(&ErrorReason::UnknownCursor) {
        return NoNews::UnknownCursor;
    }
    let oldest = info.and_then(|info| info.metadata.get("oldest_cursor"));
    if let Some(oldest) = oldest.filter(|_| is(&ErrorReason::CursorOutOfRange)) {
        return NoNews::NotKept(oldest.clone());
    }
    if let Some(refused) = REFUSED.into_iter().find(is) {
        return NoNews::Refused(name(refused));
    }
    NoNews::NotNow(AWAY.into_iter().find(is).map_or(REGISTER_AWAY, name))
}

fn basis(follow: &Follow) -> AccessBasis {
    let follow = follow.clone();
    AccessBasis {
        procedure: follow.procedure,
        legal_basis: follow.legal_basis,
        case_reference: follow.case_reference,
        acting_unit: follow.acting_unit,
        officer: follow.officer,
        // Nobody consents on behalf of persons who are not known yet.
        consent_reference: String::new(),
        direction_reference: follow.direction_reference,
    }
}

/// Fields of what a route follows that the register would refuse.
pub(crate) fn follow_faults(follow: &Follow) -> Vec<String> {
    let mut faults = Faults::default();
    ground::check(Some(&basis(follow)), &mut faults);
    ground::check_items(&follow.items, &mut faults);
    faults.fields().map(|field| field.trim_start_matches("basis.").to_owned()).collect()
}
