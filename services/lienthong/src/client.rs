//! Calling the published services as an agency does, keeping the exact bytes of request, answer and
//! receipt, which is what can be checked afterwards.

mod admission;
mod agreement;
mod consents;
mod contributions;
mod decision;
mod feed;
pub mod history;
mod pages;
mod relations;
mod report;
mod rule_set;
mod search;
mod stream;

use std::{sync::Arc, time::Duration};

pub use admission::{GET_ADMISSION, LIST_ADMISSIONS, LIST_READINESS, MOVE_CONNECTION};
pub use agreement::{
    GET_AGREEMENT, LIST_AGREEMENTS, MOVE_AGREEMENT, agreement_bytes, agreement_in, signature_bytes,
    signature_in,
};
use anyhow::{Context as _, Result};
pub use consents::{GET_CONSENT, RECORD_CONSENT, WITHDRAW_CONSENT};
use contract::{
    audit::v1::{Receipt, SealedResponse},
    contribution::v1::{ContributionReceipt, SubmitContributionRequest},
    identity::v1::{
        ExplainValueAnswer, ExplainValueRequest, GetPersonAnswer, GetPersonRequest,
        VerifyClaimsAnswer, VerifyClaimsRequest,
    },
};
pub use contributions::{
    GET_CONFLICT, HAND_OVER_CONFLICT, LIST_CONFLICTS, LIST_OUTCOMES, LIST_QUALITY,
    WITHDRAW_CONTRIBUTION,
};
pub use decision::{EXPLAIN_DECISION, WHAT_MAY_I};
pub use feed::{
    Changes, FOLLOW_PERSONS, LIST_PERSON_CHANGES, LIST_PERSONS, PersonsPage, UNFOLLOW_PERSONS,
    WATCH_PERSON_CHANGES, Watching,
};
pub use pages::Pages;
use prost::Message;
use prost_types::Timestamp;
pub use relations::{GET_HOUSEHOLD, LIST_RELATIONS, ROTATE_TOKENS};
pub use report::COUNT_ACCESSES;
pub use rule_set::{GET_RULE_SET, LIST_RULE_SETS, MOVE_RULE_SET, SIMULATE};
pub use search::{Found, RESOLVE_PERSON, SEARCH_PERSONS};
use server::{Channel, channel, signed::request, tls};
pub use stream::{Answers, Queries, Told};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tonic::{Code, Request, Status, client::Grpc, metadata::MetadataValue};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

/// Path of the lookup.
pub const GET_PERSON: &str = "/lienthong.identity.v1.IdentityService/GetPerson";

/// Path of the comparison.
pub const VERIFY_CLAIMS: &str = "/lienthong.identity.v1.IdentityService/VerifyClaims";
/// Path of the explanation.
pub const EXPLAIN_VALUE: &str = "/lienthong.identity.v1.IdentityService/ExplainValue";
/// Path of the stream of lookups.
pub const LOOKUP_STREAM: &str = "/lienthong.identity.v1.IdentityService/LookupStream";
/// Path of the contribution.
pub const SUBMIT_CONTRIBUTION: &str =
    "/lienthong.contribution.v1.ContributionService/SubmitContribution";

/// A connection to the published services, as one caller.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    within: Option<Duration>,
    signs: Option<Signs>,
}

/// Makes the signature over a request, by the path of its method and its exact bytes: the bytes of the metadata
/// `lienthong-signature-bin`.
pub type Signs = Arc<dyn Fn(&str, &[u8]) -> Result<Vec<u8>> + Send + Sync>;

/// What came of a call that was answered.
pub struct Answered<T> {
    /// The exact bytes of the request.
    pub request: Vec<u8>,
    /// The exact bytes of the answer.
    pub answer_bytes: Vec<u8>,
    /// The answer.
    pub answer: T,
    /// The receipt.
    pub receipt: Receipt,
}

/// Why a call was refused, as a program reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The gRPC code.
    pub code: String,
    /// The stable reason.
    pub reason: String,
    /// The message in English.
    pub message: String,
    /// The message in Vietnamese.
    pub vi: String,
    /// Field and description of each faulty field.
    pub fields: Vec<(String, String)>,
    /// Reason and subject of each unmet precondition.
    pub unmet: Vec<(String, String)>,
    /// Further values.
    pub metadata: Vec<(String, String)>,
}

impl Refused {
    /// A value of the error's metadata.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// The refusal of one message of a stream: a serialised `google.rpc.Status`, which is what the details of a single
    /// call's status are.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn from_status_bytes(bytes: &[u8]) -> Result<Self> {
        let status = tonic_types::pb::Status::decode(bytes).context("the status is malformed")?;
        let code = Code::from_i32(status.code);
        Ok(Status::with_details(code, status.message, bytes.to_vec().into()).into())
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let mut metadata: Vec<_> =
            info.map(|i| i.metadata.clone()).unwrap_or_default().into_iter().collect();
        metadata.sort_unstable();
        let fields = details.bad_request().map(|b| b.field_violations.clone()).unwrap_or_default();
        let message = match info {
            Some(_) => status.message().to_owned(),
            // None of our words: what the transport says, down to its cause.
            None => causes(&status),
        };
        let unmet =
            details.precondition_failure().map(|p| p.violations.clone()).unwrap_or_default();
        Self {
            code: format!("{:?}", status.code()),
            reason: info.map(|i| i.reason.clone()).unwrap_or_default(),
            message,
            vi: details.localized_message().map(|m| m.message.clone()).unwrap_or_default(),
            fields: fields.into_iter().map(|f| (f.field, f.description)).collect(),
            unmet: unmet.into_iter().map(|v| (v.r#type, v.subject)).collect(),
            metadata,
        }
    }
}

/// A moment as messages carry it, to the second.
#[must_use]
pub fn timestamp(at: OffsetDateTime) -> Timestamp {
    Timestamp { seconds: at.unix_timestamp(), nanos: 0 }
}

/// The moment of a message; none where there is none, or no such.
#[must_use]
pub fn time_of(at: Option<Timestamp>) -> Option<OffsetDateTime> {
    let Timestamp { seconds, nanos } = at?;
    let second = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    Some(second + time::Duration::nanoseconds(nanos.into()))
}

/// A moment in the words of RFC 3339.
#[must_use]
pub fn moment(at: Option<Timestamp>) -> Option<String> {
    time_of(at)?.format(&Rfc3339).ok()
}

/// The answer to a lookup, of bytes that were kept.
///
/// # Errors
/// When they are none.
pub fn kept_answer(bytes: &[u8]) -> Result<GetPersonAnswer> {
    // Words of the decoder would say nothing to whoever named the file.
    GetPersonAnswer::decode(bytes).map_err(|_| anyhow::anyhow!("the bytes are no answer"))
}

/// What an error says, and what lies below it.
fn causes(status: &Status) -> String {
    let mut words = vec![status.message().to_owned()];
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    // It says only that there was one.
    words.retain(|word| word != "transport error" || status.message() == word);
    words.dedup();
    words.join(": ")
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.reason.is_empty() {
            return write!(f, "{}: {}", self.code, self.message);
        }
        write!(f, "{} {}: {} / {}", self.code, self.reason, self.vi, self.message)
    }
}

impl std::error::Error for Refused {}

impl Client {
    /// Connects, when first used, to `service` at `host:port`.
    ///
    /// # Errors
    /// When the address or the files cannot be used.
    pub fn new(
        endpoint: &str,
        service: &str,
        trust_domain: &str,
        files: &tls::Files,
    ) -> Result<Self> {
        let peer = channel::Peer::direct(endpoint, service);
        let channel = channel::to_service(&peer, trust_domain, files)?;
        Ok(Self { channel, within: None, signs: None })
    }

    /// The same connection, with so much time for each call; the service is told.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { within: Some(time), ..self }
    }

    /// The same connection, on which every request that can be signed is: by the key of these files, which are those that it is made
    /// with.
    ///
    /// # Errors
    /// When the files cannot be used, or the key is of a kind that signs no requests.
    pub fn signed(self, files: &tls::Files) -> Result<Self> {
        let signer = request::Signer::open(files)?;
        Ok(self.signed_by(Arc::new(move |method, request| {
            let message = tlog::request_to_sign(method, &tlog::digest(request));
            Ok(signer.sign(&message)?.encode_to_vec())
        })))
    }

    /// The same, by whoever holds the key.
    #[must_use]
    pub fn signed_by(self, signs: Signs) -> Self {
        Self { signs: Some(signs), ..self }
    }

    /// Adds the signature to a call of a method with this one request.
    fn sign<T>(
        &self,
        call: &mut Request<T>,
        method: &str,
        message: &impl Message,
    ) -> Result<(), Status> {
        let Some(signs) = &self.signs else { return Ok(()) };
        // prost writes a message the same way every time, and these messages have no maps.
        let signature = signs(method, &message.encode_to_vec());
        let signature = signature
            .map_err(|error| Status::failed_precondition(format!("not signed: {error}")))?;
        call.metadata_mut().insert_bin(request::METADATA, MetadataValue::from_bytes(&signature));
        Ok(())
    }

    /// The connection itself, for services that answer without a receipt.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A request with the time there is for its call.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(time) = self.within {
            request.set_timeout(time);
        }
        request
    }

    /// Looks a person up. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn get_person(
        &self,
        request: &GetPersonRequest,
    ) -> Result<Result<Answered<GetPersonAnswer>, Refused>> {
        self.call(GET_PERSON, request).await
    }

    /// Holds claimed values against the register. The outer error is one of transport or form, the inner
    /// one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn verify_claims(
        &self,
        request: &VerifyClaimsRequest,
    ) -> Result<Result<Answered<VerifyClaimsAnswer>, Refused>> {
        self.call(VERIFY_CLAIMS, request).await
    }

    /// Asks how the values of an item came about. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn explain_value(
        &self,
        request: &ExplainValueRequest,
    ) -> Result<Result<Answered<ExplainValueAnswer>, Refused>> {
        self.call(EXPLAIN_VALUE, request).await
    }

    /// Submits a contribution. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn submit_contribution(
        &self,
        request: &SubmitContributionRequest,
    ) -> Result<Result<Answered<ContributionReceipt>, Refused>> {
        self.call(SUBMIT_CONTRIBUTION, request).await
    }

    async fn call<Q, A>(
        &self,
        path: &'static str,
        request: &Q,
    ) -> Result<Result<Answered<A>, Refused>>
    where
        Q: Message + Clone + Default + 'static,
        A: Message + Default,
    {
        // The same wire format as the response message, with answer and receipt left as bytes.
        match self.sealed::<Q, SealedResponse>(path, request).await {
            Ok(sealed) => Ok(Ok(Answered::open(request, sealed.answer, &sealed.receipt)?)),
            Err(refused) => Ok(Err(refused)),
        }
    }

    async fn sealed<Q, S>(&self, path: &'static str, request: &Q) -> Result<S, Refused>
    where
        Q: Message + Clone + Default + 'static,
        S: Message + Default + 'static,
    {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(Status::from_error)?;
        let mut call = self.request(request.clone());
        self.sign(&mut call, path, request)?;
        let path = tonic::codegen::http::uri::PathAndQuery::from_static(path);
        Ok(grpc.unary(call, path, ProstCodec::<Q, S>::default()).await?.into_inner())
    }
}

impl<T: Message + Default> Answered<T> {
    /// The answer of bytes as they went over the wire, and its receipt.
    fn open(request: &impl Message, answer: Vec<u8>, receipt: &[u8]) -> Result<Self> {
        // prost writes a message the same way every time, and these messages have no maps.
        Self::of(request.encode_to_vec(), answer, receipt)
    }

    /// The same, where the bytes of the request are at hand.
    ///
    /// # Errors
    /// When the answer or the receipt is none.
    pub fn of(request: Vec<u8>, answer: Vec<u8>, receipt: &[u8]) -> Result<Self> {
        Ok(Self {
            request,
            answer: T::decode(answer.as_slice()).context("the answer is malformed")?,
            answer_bytes: answer,
            receipt: Receipt::decode(receipt).context("no receipt")?,
        })
    }
}

impl<T> Answered<T> {
    /// Checks the receipt against the request and answer as they went over the wire.
    ///
    /// # Errors
    /// When it does not hold.
    pub fn verify(&self, log: &tlog::LogVerifier) -> Result<tlog::Verified, tlog::Error> {
        let evidence = tlog::Evidence {
            request: &self.request,
            answer: &self.answer_bytes,
            leaf: &self.receipt.leaf,
            index: self.receipt.index,
            proof: &tlog::hashes(&self.receipt.proof)?,
            checkpoint: &self.receipt.checkpoint,
            opening: &self.receipt.opening,
        };
        tlog::verify_receipt(&evidence, log)
    }

    /// The receipt as a C2SP tlog-proof text.
    ///
    /// # Errors
    /// When a hash is not one.
    pub fn proof_file(&self) -> Result<String, tlog::Error> {
        let file = tlog::ProofFile {
            index: self.receipt.index,
            proof: tlog::hashes(&self.receipt.proof)?,
            checkpoint: self.receipt.checkpoint.clone(),
        };
        Ok(file.to_text())
    }
}
