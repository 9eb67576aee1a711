//! What becomes of contributions: the source's outcomes, conflicts between sources, and how good the values are.

use anyhow::Result;
use contract::contribution::v1::{
    GetConflictAnswer, GetConflictRequest, HandOverConflictAnswer, HandOverConflictRequest,
    ListConflictsAnswer, ListConflictsRequest, ListOutcomesAnswer, ListOutcomesRequest,
    ListQualityAnswer, ListQualityRequest, WithdrawContributionAnswer, WithdrawContributionRequest,
};

use super::{Answered, Client, Refused};

/// Path of the list of outcomes.
pub const LIST_OUTCOMES: &str = "/lienthong.contribution.v1.ContributionService/ListOutcomes";
/// Path of taking a contribution back.
pub const WITHDRAW_CONTRIBUTION: &str =
    "/lienthong.contribution.v1.ContributionService/WithdrawContribution";
/// Path of the list of conflicts.
pub const LIST_CONFLICTS: &str = "/lienthong.contribution.v1.ConflictService/ListConflicts";
/// Path of a conflict with both sides.
pub const GET_CONFLICT: &str = "/lienthong.contribution.v1.ConflictService/GetConflict";
/// Path of handing a conflict over.
pub const HAND_OVER_CONFLICT: &str = "/lienthong.contribution.v1.ConflictService/HandOverConflict";
/// Path of the figures of quality.
pub const LIST_QUALITY: &str = "/lienthong.contribution.v1.QualityService/ListQuality";

impl Client {
    /// Lists what became of the caller's contributions. The outer error is one of transport or form, the inner one the
    /// refusal; so with all calls here.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn list_outcomes(
        &self,
        request: &ListOutcomesRequest,
    ) -> Result<Result<Answered<ListOutcomesAnswer>, Refused>> {
        self.call(LIST_OUTCOMES, request).await
    }

    /// Takes a contribution back that has no outcome.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn withdraw_contribution(
        &self,
        request: &WithdrawContributionRequest,
    ) -> Result<Result<Answered<WithdrawContributionAnswer>, Refused>> {
        self.call(WITHDRAW_CONTRIBUTION, request).await
    }

    /// Lists conflicts.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn list_conflicts(
        &self,
        request: &ListConflictsRequest,
    ) -> Result<Result<Answered<ListConflictsAnswer>, Refused>> {
        self.call(LIST_CONFLICTS, request).await
    }

    /// Reads both sides of a conflict.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn get_conflict(
        &self,
        request: &GetConflictRequest,
    ) -> Result<Result<Answered<GetConflictAnswer>, Refused>> {
        self.call(GET_CONFLICT, request).await
    }

    /// Hands a conflict over.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn hand_over_conflict(
        &self,
        request: &HandOverConflictRequest,
    ) -> Result<Result<Answered<HandOverConflictAnswer>, Refused>> {
        self.call(HAND_OVER_CONFLICT, request).await
    }

    /// Lists how good the values are that sources contribute.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn list_quality(
        &self,
        request: &ListQualityRequest,
    ) -> Result<Result<Answered<ListQualityAnswer>, Refused>> {
        self.call(LIST_QUALITY, request).await
    }
}
