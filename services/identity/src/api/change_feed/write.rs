//! The answers of `ChangeFeedService`.

use contract::identity::v1::{ChangeKind as WireKind, FollowedAnswer, PersonChange};
use wire::{policy::Decision, timestamp_us};

use crate::{app::Heard, domain::feed::ChangeKind};

/// What a caller hears of a change.
pub(super) fn change(heard: &Heard, token: String) -> PersonChange {
    PersonChange {
        token,
        version: heard.version,
        items: heard.row.items.iter().map(|decided| decided.item.clone()).collect(),
        known_time: Some(timestamp_us(heard.known_at_us)),
        kind: heard.kind.map_or(WireKind::Unspecified, kind).into(),
        bulk_job: heard.bulk_job.clone().unwrap_or_default(),
    }
}

fn kind(kind: ChangeKind) -> WireKind {
    match kind {
        ChangeKind::Registered => WireKind::Registered,
        ChangeKind::Changed => WireKind::Changed,
        ChangeKind::Corrected => WireKind::Corrected,
        ChangeKind::Ended => WireKind::Ended,
        ChangeKind::Annulled => WireKind::Annulled,
        ChangeKind::Refolded => WireKind::Refolded,
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
