//! What a warrant says.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What a warrant says. A claim that is not known here is passed over: later issuers may say more.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Claims {
    /// SPIFFE id of the policy service that signed it.
    pub iss: String,
    /// Id of the one database that it is for.
    pub aud: String,
    /// Whose certificate presents it.
    pub cnf: Confirmation,
    /// SPIFFE id of the system that asks, which is not the one that presents it.
    pub caller: String,
    /// Its id; refused when it comes again.
    pub jti: String,
    /// The commitment to who is asked about.
    #[serde(with = "bytes32")]
    pub subject: [u8; 32],
    /// The items that may be asked for.
    pub items: Vec<String>,
    /// The procedure or task that it is for.
    pub procedure: String,
    /// Id of the legal ground.
    pub legal_basis: String,
    /// Id of the decision that allowed it.
    pub decision: String,
    /// Where the intent to ask stands in the access log.
    pub intent: Intent,
    /// Seconds since 1970 from which on it holds.
    pub nbf: i64,
    /// Seconds since 1970 from which on it does not hold any more.
    pub exp: i64,
}

/// The key that has to be shown with a warrant (RFC 7800).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Confirmation {
    /// SHA-256 of the presenting certificate's DER (RFC 8705, 3.1).
    #[serde(rename = "x5t#S256", with = "bytes32")]
    pub thumbprint: [u8; 32],
}

/// A record of the access log (I1): the intent was recorded before anybody was asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Intent {
    /// Index of the leaf.
    pub index: u64,
    /// Hash of the leaf (RFC 6962, 2.1).
    #[serde(with = "bytes32")]
    pub leaf: [u8; 32],
}

/// 32 bytes as base64url without padding, in their one form.
mod bytes32 {
    use super::*;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.ok_or_else(|| D::Error::custom("not 32 bytes in base64url"))
    }
}
