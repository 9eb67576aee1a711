//! Asking policy, and checking that it signed this very answer to this very question: as exact bytes, because what is decoded and
//! encoded again need not be what was signed.

use bytes::{Buf, BufMut, Bytes};
use decide::signed::{DecisionVerifier, Error as Faulty};
use prost::Message;
use server::Channel;
use time::{Duration, OffsetDateTime};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
};

use super::{NoDecision, metrics::metrics};

/// The metadata that carries the signature of an answer of the methods below.
pub const SIGNATURE: &str = "lienthong-decision-signature-bin";
/// Decides; signed.
pub const DECIDE: &str = "/lienthong.policy.v1.PolicyService/Decide";
/// Says how a connection stands; signed.
pub const GET_CONNECTION: &str = "/lienthong.policy.v1.PolicyService/GetConnection";
/// By how much the clocks of two machines may differ: what ended that long ago is still used, once.
const CLOCKS_DIFFER: Duration = Duration::minutes(1);

/// Why the keys of policy cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("cannot read policy's keys from `{path}`")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It holds no keys, or something else.
    #[error("`{path}` does not hold policy's keys")]
    Faulty {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: Faulty,
    },
}

/// The keys of policy that a file holds (C2SP vkey, one on each line).
///
/// # Errors
/// See [`KeysError`]; nothing is decided by whoever has none (I9).
pub fn keys(path: &str) -> Result<DecisionVerifier, KeysError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| KeysError::File { path: path.to_owned(), source })?;
    DecisionVerifier::parse(&text)
        .map_err(|source| KeysError::Faulty { path: path.to_owned(), source })
}

/// The way to what policy signs.
pub(super) struct Signed {
    pub(super) channel: Channel,
    pub(super) keys: DecisionVerifier,
}

impl Signed {
    /// Asks once.
    pub(super) async fn ask<A: Message + Default>(
        &self,
        method: &'static str,
        asked: Request<&impl Message>,
    ) -> Result<A, NoDecision> {
        let question = Bytes::from(asked.get_ref().encode_to_vec());
        let asked = asked.map(|_| question.clone());
        let mut policy = Grpc::new(self.channel.clone());
        policy.ready().await.map_err(|_| Status::unavailable("policy is not reached"))?;
        let answered = policy.unary(asked, PathAndQuery::from_static(method), Exact).await?;
        let signature = answered.metadata().get_bin(SIGNATURE);
        let signature = signature.and_then(|value| value.to_bytes().ok()).unwrap_or_default();
        let answer = answered.into_inner();
        if self.keys.verify(method, &question, &answer, &signature).is_err() {
            metrics().not_signed.add(1, &[]);
            return Err(NoDecision::NotSigned);
        }
        A::decode(answer).map_err(|_| NoDecision::Malformed)
    }
}

/// Whether an answer is as new as it has to be: one that was signed long ago would be brought again by whoever kept it.
pub(super) fn is_current(valid_until: OffsetDateTime, now: OffsetDateTime) -> bool {
    valid_until + CLOCKS_DIFFER > now
}

/// Messages as the bytes that they are.
struct Exact;

impl Codec for Exact {
    type Decode = Bytes;
    type Decoder = Self;
    type Encode = Bytes;
    type Encoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Exact {
    type Error = Status;
    type Item = Bytes;

    fn encode(&mut self, message: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(message);
        Ok(())
    }
}

impl Decoder for Exact {
    type Error = Status;
    type Item = Bytes;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use contract::policy::v1::policy_service_server::SERVICE_NAME as POLICY;

    use super::*;

    #[test]
    fn the_methods_are_those_of_the_contract() {
        assert_eq!(DECIDE, format!("/{POLICY}/Decide"));
        assert_eq!(GET_CONNECTION, format!("/{POLICY}/GetConnection"));
    }

    #[test]
    fn what_ended_long_ago_is_not_current() {
        let end = OffsetDateTime::UNIX_EPOCH + Duration::DAY;
        assert!(is_current(end, end - Duration::DAY) && is_current(end, end + Duration::SECOND));
        assert!(!is_current(end, end + CLOCKS_DIFFER));
    }
}
