//! Relations and households, and the tokens by which they are told: the calls of `RelationService` and `TokenService`.

use anyhow::Result;
use contract::identity::v1::{
    GetHouseholdAnswer, GetHouseholdRequest, ListRelationsAnswer, ListRelationsRequest,
    MemberOfHousehold, PersonRelation, RotateTokensAnswer, RotateTokensRequest,
};

use super::{Answered, Client, Pages, Refused};

/// Path of relations.
pub const LIST_RELATIONS: &str = "/lienthong.identity.v1.RelationService/ListRelations";
/// Path of households.
pub const GET_HOUSEHOLD: &str = "/lienthong.identity.v1.RelationService/GetHousehold";
/// Path of a new epoch of tokens.
pub const ROTATE_TOKENS: &str = "/lienthong.identity.v1.TokenService/RotateTokens";

impl Client {
    /// Lists to whom a person is related, each with a receipt of its own. The outer error is one of transport or form, the inner
    /// one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn list_relations(
        &self,
        request: &ListRelationsRequest,
    ) -> Result<Result<Pages<ListRelationsAnswer, PersonRelation>, Refused>> {
        self.pages(LIST_RELATIONS, request).await
    }

    /// Gives who lives with a person, each with a receipt of its own. The outer error is one of transport or form, the inner one
    /// the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn get_household(
        &self,
        request: &GetHouseholdRequest,
    ) -> Result<Result<Pages<GetHouseholdAnswer, MemberOfHousehold>, Refused>> {
        self.pages(GET_HOUSEHOLD, request).await
    }

    /// Begins a new epoch of the caller's tokens. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn rotate_tokens(
        &self,
        request: &RotateTokensRequest,
    ) -> Result<Result<Answered<RotateTokensAnswer>, Refused>> {
        self.call(ROTATE_TOKENS, request).await
    }
}
