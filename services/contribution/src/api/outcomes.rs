//! What became of a source's contributions; taking one back.

use contract::{
    contribution::v1::{
        ConflictState, ContributionOutcome, ListOutcomesAnswer, ListOutcomesRequest,
        OutcomeApplied, OutcomeConflict, OutcomeRejected, OutcomeRejection,
        WithdrawContributionAnswer, WithdrawContributionRequest, contribution_outcome,
    },
    r#type::v1::ErrorReason,
};
use disclosure::Disclosed;
use tonic::Status;
use wire::{Faults, record, timestamp_us};

use super::{Call, form::REQUEST_ID_MAX, page};
use crate::{
    domain::{
        Outcome,
        conflict::{State, Turn},
    },
    store::outcome::{Became, Told},
};

pub(super) const WITHDRAW: &str =
    "/lienthong.contribution.v1.ContributionService/WithdrawContribution";
pub(super) const LIST: &str = "/lienthong.contribution.v1.ContributionService/ListOutcomes";
const PAGE_MAX: u16 = 1000;
const PAGE_USUAL: u16 = 100;
/// The form of a cursor: what another one wrote is not taken for it.
const CURSOR: &str = "o1.";

impl Call<'_> {
    /// What became of the caller's contributions after a cursor.
    pub(super) async fn list_outcomes(
        &self,
        request: &ListOutcomesRequest,
    ) -> Result<Disclosed<ListOutcomesAnswer>, Status> {
        let mut faults = Faults::default();
        faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
        let most = page("page_size", request.page_size, PAGE_USUAL, PAGE_MAX, &mut faults);
        faults.finish()?;
        let decision = self.connected().await?;
        let connection = &decision.connection;
        let told = match place(&request.cursor) {
            None => None,
            Some(after) => {
                let told = self.shared.app.outcomes(self.deadline, connection, after, most).await;
                match told {
                    Ok(told) => told,
                    Err(reason) => return Err(self.no_outcome(&decision, reason).await),
                }
            }
        };
        let Some(told) = told else {
            return Err(self.unknown_cursor(&decision).await);
        };
        let last = told.last().map(|told| format!("{CURSOR}{}", told.sequence));
        let answer = ListOutcomesAnswer {
            end_reached: told.len() < usize::from(most),
            // Nothing new: the same place, or the beginning.
            next_cursor: last.unwrap_or_else(|| request.cursor.clone()),
            outcomes: told.into_iter().map(outcome).collect(),
            request_id: request.request_id.clone(),
        };
        self.answer(&decision, None, &answer).await
    }

    /// Takes a contribution back that has no outcome.
    pub(super) async fn withdraw(
        &self,
        request: &WithdrawContributionRequest,
    ) -> Result<Disclosed<WithdrawContributionAnswer>, Status> {
        let mut faults = Faults::default();
        faults.key("idempotency_key", &request.idempotency_key);
        faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
        faults.finish()?;
        let decision = self.connected().await?;
        let (connection, key) = (&decision.connection, &request.idempotency_key);
        match self.shared.app.withdraw(self.deadline, connection, key).await {
            Err(reason) => Err(self.no_outcome(&decision, reason).await),
            Ok(None) => {
                let denial = record::own(ErrorReason::UnknownContribution, "own-contribution");
                Err(self.refuse(&decision, &denial, &[]).await)
            }
            Ok(Some(told)) => {
                let answer = WithdrawContributionAnswer {
                    outcome: Some(outcome(told)),
                    request_id: request.request_id.clone(),
                };
                self.answer(&decision, None, &answer).await
            }
        }
    }
}

/// The place that a cursor says; the beginning where there is none.
fn place(cursor: &str) -> Option<u64> {
    if cursor.is_empty() {
        return Some(0);
    }
    let digits = cursor.strip_prefix(CURSOR)?;
    // One place is written in one way.
    digits.parse().ok().filter(|place: &u64| place.to_string() == digits)
}

fn outcome(told: Told) -> ContributionOutcome {
    let Told { sequence, at_us, contribution_id, key, became } = told;
    let outcome = match became {
        Became::Settled(Outcome::Applied { version, .. }) => {
            contribution_outcome::Outcome::Applied(OutcomeApplied { version })
        }
        Became::Settled(Outcome::Rejected(reasons)) => {
            let one = |reason: crate::domain::Rejection| OutcomeRejection {
                item: reason.item,
                reason: reason.reason,
            };
            let reasons = reasons.into_iter().map(one).collect();
            contribution_outcome::Outcome::Rejected(OutcomeRejected { reasons })
        }
        Became::Turned(turn) => contribution_outcome::Outcome::Conflict(turned(turn)),
    };
    ContributionOutcome {
        sequence,
        outcome_time: Some(timestamp_us(at_us)),
        idempotency_key: key,
        contribution_id,
        outcome: Some(outcome),
    }
}

fn turned(turn: Turn) -> OutcomeConflict {
    OutcomeConflict {
        conflict_id: turn.conflict_id,
        item: turn.item,
        state: state(turn.state).into(),
        disagrees: turn.disagrees,
        due_time: turn.state.is_open().then(|| timestamp_us(turn.due_at_us)),
        owner: turn.owner,
    }
}

pub(super) fn state(state: State) -> ConflictState {
    match state {
        State::Open => ConflictState::Open,
        State::Asked => ConflictState::Asked,
        State::Accepted => ConflictState::Accepted,
        State::Rejected => ConflictState::Rejected,
        State::Overtaken => ConflictState::Overtaken,
    }
}
