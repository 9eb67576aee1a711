//! Asking for a decision, and checking that policy signed this very answer to this very question: as exact bytes, because what is
//! decoded and encoded again need not be what was signed.

use bytes::{Buf, BufMut, Bytes};
use contract::policy::v1::{DecideRequest, DecideResponse};
use decide::signed::{DecisionVerifier, Error as Faulty};
use prost::Message as _;
use server::Channel;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
};

use super::{NoDecision, metrics::metrics};

/// The metadata that carries the signature of an answer of `PolicyService.Decide`.
pub const SIGNATURE: &str = "lienthong-decision-signature-bin";
const DECIDE: &str = "/lienthong.policy.v1.PolicyService/Decide";

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

/// Asks once.
pub(super) async fn decide(
    channel: Channel,
    keys: &DecisionVerifier,
    asked: Request<&DecideRequest>,
) -> Result<DecideResponse, NoDecision> {
    let question = Bytes::from(asked.get_ref().encode_to_vec());
    let asked = asked.map(|_| question.clone());
    let mut policy = Grpc::new(channel);
    policy.ready().await.map_err(|_| Status::unavailable("policy is not reached"))?;
    let path = PathAndQuery::from_static(DECIDE);
    let answered = policy.unary(asked, path, Exact).await?;
    let signature = answered.metadata().get_bin(SIGNATURE);
    let signature = signature.and_then(|value| value.to_bytes().ok()).unwrap_or_default();
    let answer = answered.into_inner();
    if keys.verify(&question, &answer, &signature).is_err() {
        metrics().not_signed.add(1, &[]);
        return Err(NoDecision::NotSigned);
    }
    DecideResponse::decode(answer).map_err(|_| NoDecision::Malformed)
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
    fn the_method_is_that_of_the_contract() {
        assert_eq!(DECIDE, format!("/{POLICY}/Decide"));
    }
}
