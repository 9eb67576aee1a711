//! The answers of `ChangeFeedService`.

use contract::{
    identity::v1::{FollowedAnswer, PersonChange},
    r#type::v1::ChangeKind as WireKind,
};
use wire::{policy::Decision, timestamp_us};

use crate::{app::Heard, domain::feed::ChangeKind};

/// What a caller hears of a change.
pub(super) fn change(
    heard: &Heard,
    token: String,
    surviving_token: Option<String>,
) -> PersonChange {
    PersonChange {
        token,
        version: heard.version,
        items: heard.row.items.iter().map(|decided| decided.item.clone()).collect(),
        known_time: Some(timestamp_us(heard.known_at_us)),
        kind: kind(heard.kind).into(),
        bulk_job: heard.bulk_job.clone().unwrap_or_default(),
        surviving_token: surviving_token.unwrap_or_default(),
    }
}

/// What a change is.
pub(in crate::api) fn kind(kind: Option<ChangeKind>) -> WireKind {
    match kind {
        None => WireKind::Unspecified,
        Some(ChangeKind::Registered) => WireKind::Registered,
        Some(ChangeKind::Changed) => WireKind::Changed,
        Some(ChangeKind::Corrected) => WireKind::Corrected,
        Some(ChangeKind::Ended) => WireKind::Ended,
        Some(ChangeKind::Annulled) => WireKind::Annulled,
        Some(ChangeKind::Refolded) => WireKind::Refolded,
    }
}

/// How long a list is.
pub(super) fn followed(followed: u64, decision: &Decision, request_id: &str) -> FollowedAnswer {
    FollowedAnswer {
        followed,
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request_id.to_owned(),
    }
}
