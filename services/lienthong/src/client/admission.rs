//! Admission of connections, as officers of the operator see to it.

use anyhow::Result;
use contract::policy::v1::{
    GetAdmissionAnswer, GetAdmissionRequest, ListAdmissionsAnswer, ListAdmissionsRequest,
    ListReadinessAnswer, ListReadinessRequest, MoveConnectionAnswer, MoveConnectionRequest,
};

use super::{Answered, Client, Refused};

/// Path of a move.
pub const MOVE_CONNECTION: &str = "/lienthong.policy.v1.AdmissionService/MoveConnection";
/// Path of an admission with its moves.
pub const GET_ADMISSION: &str = "/lienthong.policy.v1.AdmissionService/GetAdmission";
/// Path of the list of admissions.
pub const LIST_ADMISSIONS: &str = "/lienthong.policy.v1.AdmissionService/ListAdmissions";
/// Path of the list of databases that are obliged.
pub const LIST_READINESS: &str = "/lienthong.policy.v1.AdmissionService/ListReadiness";

impl Client {
    /// Moves an admission. The outer error is one of transport or form, the inner one the refusal; so with all calls here.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn move_connection(
        &self,
        request: &MoveConnectionRequest,
    ) -> Result<Result<Answered<MoveConnectionAnswer>, Refused>> {
        self.call(MOVE_CONNECTION, request).await
    }

    /// Gives an admission with its moves.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn get_admission(
        &self,
        request: &GetAdmissionRequest,
    ) -> Result<Result<Answered<GetAdmissionAnswer>, Refused>> {
        self.call(GET_ADMISSION, request).await
    }

    /// Lists admissions.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn list_admissions(
        &self,
        request: &ListAdmissionsRequest,
    ) -> Result<Result<Answered<ListAdmissionsAnswer>, Refused>> {
        self.call(LIST_ADMISSIONS, request).await
    }

    /// Lists every database that has to be connected.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn list_readiness(&self) -> Result<Result<Answered<ListReadinessAnswer>, Refused>> {
        self.call(LIST_READINESS, &ListReadinessRequest {}).await
    }
}
