//! Finding persons: the calls of `SearchService`.

use anyhow::Result;
use contract::{
    audit::v1::SealedResponse,
    identity::v1::{
        FoundPerson, ResolvePersonAnswer, ResolvePersonRequest, SearchPersonsAnswer,
        SearchPersonsRequest,
    },
};

use super::{Answered, Client, Refused};

/// Path of finding one person.
pub const RESOLVE_PERSON: &str = "/lienthong.identity.v1.SearchService/ResolvePerson";
/// Path of the search.
pub const SEARCH_PERSONS: &str = "/lienthong.identity.v1.SearchService/SearchPersons";

/// A page of a search, with its answers and receipts left as bytes.
#[derive(Clone, PartialEq, prost::Message)]
struct SealedPage {
    #[prost(bytes = "vec", tag = "1")]
    answer: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    receipt: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    persons: Vec<SealedResponse>,
}

/// A page of a search: what it is, and the persons on it, each with a receipt of its own.
pub struct Found {
    /// What it is.
    pub page: Answered<SearchPersonsAnswer>,
    /// The persons.
    pub persons: Vec<Answered<FoundPerson>>,
}

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
        let sealed = match self.sealed::<_, SealedPage>(SEARCH_PERSONS, request).await {
            Ok(sealed) => sealed,
            Err(refused) => return Ok(Err(refused)),
        };
        let one = |person: SealedResponse| Answered::open(request, person.answer, &person.receipt);
        Ok(Ok(Found {
            page: Answered::open(request, sealed.answer, &sealed.receipt)?,
            persons: sealed.persons.into_iter().map(one).collect::<Result<_>>()?,
        }))
    }
}
