//! The answers of `SearchService`.

use contract::identity::v1::{
    FoundPerson, NameLevel as WireLevel, ResolveOutcome, ResolvePersonAnswer, ResolvePersonRequest,
    SearchPersonsAnswer, SearchPersonsRequest,
};
use model::NameLevel;
use wire::{policy::Decision, timestamp};

use crate::{
    app::{Page, Resolved},
    domain::find::{Hit, Resolution},
};

/// The one person, or none.
pub(super) fn resolved(
    request: &ResolvePersonRequest,
    decision: &Decision,
    resolved: &Resolved,
) -> ResolvePersonAnswer {
    let (outcome, name_level) = match &resolved.resolution {
        Resolution::One(hit) => (ResolveOutcome::Resolved, level(hit.level)),
        Resolution::Nobody | Resolution::Several | Resolution::Hidden(_) => {
            (ResolveOutcome::NoMatch, WireLevel::Unspecified)
        }
    };
    ResolvePersonAnswer {
        outcome: outcome.into(),
        token: resolved.token.clone().unwrap_or_default(),
        name_level: name_level.into(),
        answer_time: Some(timestamp(resolved.at)),
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request.request_id.clone(),
    }
}

/// What a page is.
pub(super) fn page(
    request: &SearchPersonsRequest,
    decision: &Decision,
    page: &Page,
) -> SearchPersonsAnswer {
    SearchPersonsAnswer {
        listed: u32::try_from(page.listed.len()).unwrap_or(u32::MAX),
        next_cursor: page.next.clone().unwrap_or_default(),
        truncated: page.truncated,
        answer_time: Some(timestamp(page.at)),
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request.request_id.clone(),
    }
}

/// One person of a page.
pub(super) fn found(hit: &Hit, token: String) -> FoundPerson {
    FoundPerson { token, name_level: level(hit.level).into() }
}

fn level(level: NameLevel) -> WireLevel {
    match level {
        NameLevel::L0 => WireLevel::Exact,
        NameLevel::L1 => WireLevel::Case,
        NameLevel::L2 => WireLevel::TonePlacement,
        NameLevel::L3 => WireLevel::Spelling,
        NameLevel::L4 => WireLevel::MarksFree,
    }
}
