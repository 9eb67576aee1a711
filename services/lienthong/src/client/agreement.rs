//! Agreements, as officers of the operator keep them.

use anyhow::Result;
use contract::policy::v1::{
    AgreementContent, AgreementSignature, GetAgreementAnswer, GetAgreementRequest,
    ListAgreementsAnswer, ListAgreementsRequest, MoveAgreementAnswer, MoveAgreementRequest,
};

use prost::Message as _;

use super::{Answered, Client, Refused};

/// Path of a move.
pub const MOVE_AGREEMENT: &str = "/lienthong.policy.v1.AgreementService/MoveAgreement";
/// Path of an agreement with its moves.
pub const GET_AGREEMENT: &str = "/lienthong.policy.v1.AgreementService/GetAgreement";
/// Path of the list of agreements.
pub const LIST_AGREEMENTS: &str = "/lienthong.policy.v1.AgreementService/ListAgreements";

/// The exact bytes of an agreement, as its parties sign them.
#[must_use]
pub fn agreement_bytes(content: &AgreementContent) -> Vec<u8> {
    content.encode_to_vec()
}

/// The agreement in bytes; none where they are none.
#[must_use]
pub fn agreement_in(bytes: &[u8]) -> Option<AgreementContent> {
    AgreementContent::decode(bytes).ok()
}

/// What a party signed, as a file holds it.
#[must_use]
pub fn signature_bytes(signature: &AgreementSignature) -> Vec<u8> {
    signature.encode_to_vec()
}

/// What a party signed, from a file; none where it is nothing signed.
#[must_use]
pub fn signature_in(bytes: &[u8]) -> Option<AgreementSignature> {
    AgreementSignature::decode(bytes).ok()
}

impl Client {
    /// Moves an agreement. The outer error is one of transport or form, the inner one the refusal; so with all calls here.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn move_agreement(
        &self,
        request: &MoveAgreementRequest,
    ) -> Result<Result<Answered<MoveAgreementAnswer>, Refused>> {
        self.call(MOVE_AGREEMENT, request).await
    }

    /// Gives an agreement with its bytes and its moves.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn get_agreement(
        &self,
        request: &GetAgreementRequest,
    ) -> Result<Result<Answered<GetAgreementAnswer>, Refused>> {
        self.call(GET_AGREEMENT, request).await
    }

    /// Lists agreements.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn list_agreements(
        &self,
        request: &ListAgreementsRequest,
    ) -> Result<Result<Answered<ListAgreementsAnswer>, Refused>> {
        self.call(LIST_AGREEMENTS, request).await
    }
}
