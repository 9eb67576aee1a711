//! Following what changes: the calls of `ChangeFeedService`.

use anyhow::Result;
use contract::{
    audit::v1::SealedResponse,
    identity::v1::{
        FollowPersonsRequest, FollowedAnswer, ListPersonChangesRequest, ListPersonsRequest,
        ListedPerson, PersonChange, UnfollowPersonsRequest, WatchPersonChangesRequest,
    },
};
use futures::stream;
use prost::Message;
use prost_types::Timestamp;
use tonic::{Request, Status, Streaming, client::Grpc};
use tonic_prost::ProstCodec;

use super::{Answered, Client, Refused};

/// Path of a page of changes.
pub const LIST_PERSON_CHANGES: &str = "/lienthong.identity.v1.ChangeFeedService/ListPersonChanges";
/// Path of the stream of changes.
pub const WATCH_PERSON_CHANGES: &str =
    "/lienthong.identity.v1.ChangeFeedService/WatchPersonChanges";
/// Path of a page of persons.
pub const LIST_PERSONS: &str = "/lienthong.identity.v1.ChangeFeedService/ListPersons";
/// Path of following by name.
pub const FOLLOW_PERSONS: &str = "/lienthong.identity.v1.ChangeFeedService/FollowPersons";
/// Path of following no more.
pub const UNFOLLOW_PERSONS: &str = "/lienthong.identity.v1.ChangeFeedService/UnfollowPersons";

/// A page or a message of changes, with answers and receipts left as bytes: the same wire format.
#[derive(Clone, PartialEq, Message)]
struct SealedChanges {
    #[prost(message, repeated, tag = "1")]
    changes: Vec<SealedResponse>,
    #[prost(string, tag = "2")]
    cursor: String,
    #[prost(bool, tag = "3")]
    end_reached: bool,
    #[prost(message, optional, tag = "4")]
    seen_time: Option<Timestamp>,
}

/// A page of persons, with answers and receipts left as bytes.
#[derive(Clone, PartialEq, Message)]
struct SealedPersons {
    #[prost(message, repeated, tag = "1")]
    persons: Vec<SealedResponse>,
    #[prost(string, tag = "2")]
    next_page_token: String,
    #[prost(string, tag = "3")]
    cursor: String,
}

/// Some changes, each with a receipt of its own, or none.
pub struct Changes {
    /// The changes.
    pub changes: Vec<Answered<PersonChange>>,
    /// Where to go on.
    pub cursor: String,
    /// Whether there was nothing more.
    pub end_reached: bool,
    /// The high-water mark.
    pub seen_time: Option<Timestamp>,
}

/// A page of persons, each with a receipt of its own.
pub struct PersonsPage {
    /// The persons.
    pub persons: Vec<Answered<ListedPerson>>,
    /// Where to go on; empty at the end.
    pub next_page_token: String,
    /// From where to follow what changes.
    pub cursor: String,
}

/// A stream of changes.
pub struct Watching {
    messages: Streaming<SealedChanges>,
    request: WatchPersonChangesRequest,
}

impl Changes {
    fn open(request: &impl Message, sealed: SealedChanges) -> Result<Self> {
        let SealedChanges { changes, cursor, end_reached, seen_time } = sealed;
        let one = |change: SealedResponse| Answered::open(request, change.answer, &change.receipt);
        let changes = changes.into_iter().map(one).collect::<Result<_>>()?;
        Ok(Self { changes, cursor, end_reached, seen_time })
    }
}

impl Client {
    /// What changed after a cursor. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn list_person_changes(
        &self,
        request: &ListPersonChangesRequest,
    ) -> Result<Result<Changes, Refused>> {
        match self.sealed::<_, SealedChanges>(LIST_PERSON_CHANGES, request).await {
            Ok(sealed) => Ok(Ok(Changes::open(request, sealed)?)),
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Has what changes sent, for as long as the service lets a stream last: no time of this connection's own ends it.
    ///
    /// # Errors
    /// The refusal.
    pub async fn watch_person_changes(
        &self,
        request: WatchPersonChangesRequest,
    ) -> Result<Watching, Refused> {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(Status::from_error)?;
        let path = tonic::codegen::http::uri::PathAndQuery::from_static(WATCH_PERSON_CHANGES);
        let codec = ProstCodec::<WatchPersonChangesRequest, SealedChanges>::default();
        let mut asked = Request::new(stream::iter([request.clone()]));
        self.sign(&mut asked, WATCH_PERSON_CHANGES, &request)?;
        let messages = grpc.streaming(asked, path, codec).await?;
        Ok(Watching { messages: messages.into_inner(), request })
    }

    /// Persons of whom the caller would hear. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn list_persons(
        &self,
        request: &ListPersonsRequest,
    ) -> Result<Result<PersonsPage, Refused>> {
        let sealed = match self.sealed::<_, SealedPersons>(LIST_PERSONS, request).await {
            Ok(sealed) => sealed,
            Err(refused) => return Ok(Err(refused)),
        };
        let SealedPersons { persons, next_page_token, cursor } = sealed;
        let one = |person: SealedResponse| Answered::open(request, person.answer, &person.receipt);
        let persons = persons.into_iter().map(one).collect::<Result<_>>()?;
        Ok(Ok(PersonsPage { persons, next_page_token, cursor }))
    }

    /// Follows persons by name. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn follow_persons(
        &self,
        request: &FollowPersonsRequest,
    ) -> Result<Result<Answered<FollowedAnswer>, Refused>> {
        self.call(FOLLOW_PERSONS, request).await
    }

    /// Follows persons by name no more. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn unfollow_persons(
        &self,
        request: &UnfollowPersonsRequest,
    ) -> Result<Result<Answered<FollowedAnswer>, Refused>> {
        self.call(UNFOLLOW_PERSONS, request).await
    }
}

impl Watching {
    /// The next message; none when the stream has ended well. The outer error is one of form, the inner one says why the
    /// stream ended.
    ///
    /// # Errors
    /// When a message is none.
    pub async fn next(&mut self) -> Result<Result<Option<Changes>, Refused>> {
        match self.messages.message().await {
            Ok(None) => Ok(Ok(None)),
            Ok(Some(sealed)) => Ok(Ok(Some(Changes::open(&self.request, sealed)?))),
            Err(status) => Ok(Err(status.into())),
        }
    }
}
