//! Finding persons: the calls of `SearchService`.

use anyhow::Result;
use contract::identity::v1::{
    FoundPerson, ResolvePersonAnswer, ResolvePersonRequest, SearchPersonsAnswer,
    SearchPersonsRequest,
};

use super::{Answered, Client, Pages, Refused};

/// Path of finding one person.
pub const RESOLVE_PERSON: &str = "/lienthong.identity.v1.SearchService/ResolvePerson";
/// Path of the search.
pub const SEARCH_PERSONS: &str = "/lienthong.identity.v1.SearchService/SearchPersons";

/// A page of a search and the persons on it.
pub type Found = Pages<SearchPersonsAnswer, FoundPerson>;

impl Client {
    /// Finds the one person of whom what is stated is true. The outer error is one of transport or form, the inner one the
    /// refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn resolve_person(
        &self,
        request: &ResolvePersonRequest,
    ) -> Result<Result<Answered<ResolvePersonAnswer>, Refused>> {
        self.call(RESOLVE_PERSON, request).await
    }

    /// Lists persons of a name. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn search_persons(
        &self,
        request: &SearchPersonsRequest,
    ) -> Result<Result<Found, Refused>> {
        self.pages(SEARCH_PERSONS, request).await
    }
}
