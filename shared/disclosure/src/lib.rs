//! The gate of invariant I1: no personal data is handed to the transport before the record of that
//! disclosure is committed durably at a fixed index of the access log.
//!
//! The gate is a chain of types, each made from the one before and by nothing else:
//!
//! ```text
//! Answer<T>  --Recorder::record-->  DurableReceipt  --Disclosed::new-->  Disclosed<T>  -->  Released<R>
//! ```
//!
//! The servers of personal services are generated so that a handler must return `Released<_>`; a
//! response message cannot be returned, and a receipt cannot be made up:
//!
//! ```compile_fail
//! let forged = disclosure::DurableReceipt { receipt: Default::default(), answer: [0; 32] };
//! ```
//! ```compile_fail
//! fn around(response: contract::identity::v1::GetPersonResponse)
//!     -> disclosure::Released<contract::identity::v1::GetPersonResponse> {
//!     response.into()
//! }
//! ```
//! ```compile_fail
//! use contract::identity::v1::{GetPersonAnswer, GetPersonResponse};
//! fn unrecorded(answer: disclosure::Answer<GetPersonAnswer>)
//!     -> disclosure::Released<GetPersonResponse> {
//!     answer.into()
//! }
//! ```
//! ```
//! // The one way that compiles.
//! use contract::identity::v1::{GetPersonAnswer, GetPersonResponse};
//! fn recorded(answer: disclosure::Answer<GetPersonAnswer>, receipt: disclosure::DurableReceipt)
//!     -> Result<disclosure::Released<GetPersonResponse>, disclosure::Error> {
//!     Ok(disclosure::Disclosed::new(answer, receipt)?.into())
//! }
//! ```

pub mod codec;
mod exact;
mod pages;
mod proven;
mod recorder;
pub mod signature;
pub mod streaming;
pub mod web;

use std::marker::PhantomData;

use bytes::{BufMut, Bytes, BytesMut};
use contract::{
    audit::v1::Receipt,
    contribution::v1::{ContributionReceipt, StreamContributionsResponse},
    identity::v1::{
        FoundPerson, GetHouseholdAnswer, GetHouseholdResponse, GetPersonAnswer,
        ListRelationsAnswer, ListRelationsResponse, LookupStreamResponse, MemberOfHousehold,
        PersonRelation, RecordedMember, RecordedPerson, RecordedRelation, SearchPersonsAnswer,
        SearchPersonsResponse,
    },
    r#type::v1::ErrorReason,
};
pub use exact::{Asked, Exact, asked};
use prost::Message;
pub use proven::Proven;
pub use recorder::{Access, Log, Record, Recorder};
use server::Deadline;

/// Servers of the services of `lienthong.audit.v1` whose answers are recorded.
pub mod audit {
    /// Package `lienthong.audit.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::wildcard_enum_match_arm,
        reason = "generated code"
    )]
    pub mod v1 {
        include!("gen/lienthong.audit.v1.rs");
    }
}

/// Servers of the personal services of `lienthong.contribution.v1`.
pub mod contribution {
    /// Package `lienthong.contribution.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::wildcard_enum_match_arm,
        reason = "generated code"
    )]
    pub mod v1 {
        include!("gen/lienthong.contribution.v1.rs");
    }
}

/// Servers of the personal services of `lienthong.identity.v1`.
pub mod identity {
    /// Package `lienthong.identity.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::wildcard_enum_match_arm,
        reason = "generated code"
    )]
    pub mod v1 {
        include!("gen/lienthong.identity.v1.rs");
    }
}

/// Servers of the services of `lienthong.policy.v1` whose answers are recorded.
pub mod policy {
    /// Package `lienthong.policy.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::wildcard_enum_match_arm,
        reason = "generated code"
    )]
    pub mod v1 {
        include!("gen/lienthong.policy.v1.rs");
    }
}

/// Servers of the personal services of `lienthong.register.v1`.
pub mod register {
    /// Package `lienthong.register.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::wildcard_enum_match_arm,
        reason = "generated code"
    )]
    pub mod v1 {
        include!("gen/lienthong.register.v1.rs");
    }
}

/// Why nothing may be released.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The access log did not answer, or refused. The message is fixed; the status's code goes to the log.
    #[error("the access log did not record the access")]
    NotRecorded(#[source] tonic::Status),
    /// The log answered with a proof that does not lead from the leaf we sent to a checkpoint it signed.
    #[error("the access log's proof does not hold")]
    ProofDoesNotHold(#[from] tlog::Error),
    /// The log answered for another leaf.
    #[error("the access log answered for another leaf")]
    OtherLeaf,
    /// The receipt was made for another answer.
    #[error("the receipt belongs to another answer")]
    OtherAnswer,
    /// A receipt that was kept is not one.
    #[error("the kept receipt is malformed")]
    Malformed(#[from] prost::DecodeError),
}

impl Error {
    /// What the log answered, where it did. `INVALID_ARGUMENT` is a record that it will never take: this clock, or the log's,
    /// is wrong by more than it allows, or the program is.
    pub fn code(&self) -> Option<tonic::Code> {
        if let Self::NotRecorded(status) = self { Some(status.code()) } else { None }
    }

    /// The error for whoever asked: the deadline it set has passed, or nothing was recorded, so nothing is
    /// released (I1).
    pub fn refusal(&self, deadline: Deadline) -> tonic::Status {
        tracing::error!(error = %self, code = ?self.code(), "not recorded");
        let late = matches!(self, Self::NotRecorded(status) if deadline.ended(status));
        let reason =
            if late { ErrorReason::DeadlineExceeded } else { ErrorReason::AuditUnavailable };
        server::error::refuse(reason)
    }
}

impl<T> std::fmt::Debug for Answer<T> {
    /// Not the bytes (I8).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer([personal])")
    }
}

/// An answer, serialised once: these bytes are recorded and these bytes are sent.
pub struct Answer<T> {
    bytes: Bytes,
    of: PhantomData<T>,
}

impl<T: Message> Answer<T> {
    /// Serialises the answer.
    pub fn new(answer: &T) -> Self {
        Self::of(answer.encode_to_vec().into())
    }

    /// An answer that was serialised before and kept, byte for byte.
    pub fn kept(bytes: Vec<u8>) -> Self {
        Self::of(bytes.into())
    }
}

impl<T> Answer<T> {
    fn of(bytes: Bytes) -> Self {
        Self { bytes, of: PhantomData }
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Proof that a record is committed durably in the access log. Only [`Recorder`] makes one,
/// after it has checked the log's proof.
pub struct DurableReceipt {
    receipt: Receipt,
    answer: [u8; 32],
}

impl DurableReceipt {
    /// The record's index in the log.
    pub fn index(&self) -> u64 {
        self.receipt.index
    }

    /// The receipt's bytes, to be kept where the same answer must come with the same receipt (I4).
    pub fn to_bytes(&self) -> Vec<u8> {
        self.receipt.encode_to_vec()
    }
}

/// An answer that may leave, because its record stands.
pub struct Disclosed<T> {
    answer: Answer<T>,
    receipt: DurableReceipt,
}

impl<T> Disclosed<T> {
    /// Joins an answer with the receipt of its own record; the receipt of another answer is refused.
    pub fn new(answer: Answer<T>, receipt: DurableReceipt) -> Result<Self, Error> {
        if tlog::digest(&answer.bytes) == receipt.answer {
            Ok(Self { answer, receipt })
        } else {
            Err(Error::OtherAnswer)
        }
    }
}

/// The bytes of a response that may be sent. Made from [`Disclosed`] and from nothing else.
pub struct Released<R> {
    bytes: Bytes,
    of: PhantomData<R>,
}

impl<R: Proven> From<Disclosed<R::Answer>> for Released<R> {
    fn from(disclosed: Disclosed<R::Answer>) -> Self {
        Self { bytes: sealed(disclosed).freeze(), of: PhantomData }
    }
}

/// Answer and receipt as the fields 1 and 2 of a response.
fn sealed<T>(disclosed: Disclosed<T>) -> BytesMut {
    let answer = disclosed.answer.bytes;
    let receipt = disclosed.receipt.receipt.encode_to_vec();
    let mut bytes = BytesMut::with_capacity(answer.len() + receipt.len() + 22);
    put(&mut bytes, 1, &answer);
    put(&mut bytes, 2, &receipt);
    bytes
}

impl Released<LookupStreamResponse> {
    /// The response to a query of a stream that is answered.
    pub fn answered(correlation_id: u64, disclosed: Disclosed<GetPersonAnswer>) -> Self {
        let mut bytes = sealed(disclosed);
        let rest = LookupStreamResponse { correlation_id, ..LookupStreamResponse::default() };
        bytes.put_slice(&rest.encode_to_vec());
        Self { bytes: bytes.freeze(), of: PhantomData }
    }

    /// The response to a query of a stream that is refused. As with a single call, an error holds nothing of a person.
    pub fn refused(correlation_id: u64, status: &tonic::Status) -> Self {
        let status = details(status);
        let rest =
            LookupStreamResponse { correlation_id, status, ..LookupStreamResponse::default() };
        Self { bytes: rest.encode_to_vec().into(), of: PhantomData }
    }
}

impl Released<StreamContributionsResponse> {
    /// The response to a contribution of a stream that is answered.
    pub fn answered(idempotency_key: String, disclosed: Disclosed<ContributionReceipt>) -> Self {
        let mut bytes = sealed(disclosed);
        let rest = StreamContributionsResponse {
            idempotency_key,
            ..StreamContributionsResponse::default()
        };
        bytes.put_slice(&rest.encode_to_vec());
        Self { bytes: bytes.freeze(), of: PhantomData }
    }

    /// The response to a contribution of a stream that is refused. As with a single call, an error holds nothing of a person.
    pub fn refused(idempotency_key: String, status: &tonic::Status) -> Self {
        let rest = StreamContributionsResponse {
            idempotency_key,
            status: details(status),
            ..StreamContributionsResponse::default()
        };
        Self { bytes: rest.encode_to_vec().into(), of: PhantomData }
    }
}

/// The serialised `google.rpc.Status` of an error.
fn details(status: &tonic::Status) -> Vec<u8> {
    if status.details().is_empty() {
        // Not one of our errors, so it has no words of ours and says nothing.
        server::error::refuse(ErrorReason::Internal).details().to_vec()
    } else {
        status.details().to_vec()
    }
}

impl Released<SearchPersonsResponse> {
    /// A page: it may leave, and so may each of its persons.
    pub fn found(
        page: Disclosed<SearchPersonsAnswer>,
        persons: Vec<Disclosed<FoundPerson>>,
    ) -> Self {
        Self::beside::<RecordedPerson>(page, persons)
    }
}

impl Released<ListRelationsResponse> {
    /// What was found: it may leave, and so may each of the relations.
    pub fn related(
        found: Disclosed<ListRelationsAnswer>,
        relations: Vec<Disclosed<PersonRelation>>,
    ) -> Self {
        Self::beside::<RecordedRelation>(found, relations)
    }
}

impl Released<GetHouseholdResponse> {
    /// What was found: it may leave, and so may each of the members.
    pub fn household(
        found: Disclosed<GetHouseholdAnswer>,
        members: Vec<Disclosed<MemberOfHousehold>>,
    ) -> Self {
        Self::beside::<RecordedMember>(found, members)
    }
}

impl<R: Proven> Released<R> {
    /// A response whose field 3 has parts with proofs of their own.
    fn beside<P: Proven>(whole: Disclosed<R::Answer>, parts: Vec<Disclosed<P::Answer>>) -> Self {
        let mut bytes = sealed(whole);
        for part in parts {
            put(&mut bytes, 3, &Released::<P>::from(part).bytes);
        }
        Self { bytes: bytes.freeze(), of: PhantomData }
    }
}

/// A length-delimited field, around bytes that exist already.
fn put(bytes: &mut BytesMut, field: u32, part: &[u8]) {
    prost::encoding::encode_key(field, prost::encoding::WireType::LengthDelimited, bytes);
    prost::encoding::encode_varint(part.len() as u64, bytes);
    bytes.put_slice(part);
}
