//! Warrants: what the policy service signs so that another database may be asked about one person, and how that database
//! checks it offline (Decision 1911/QD-TTg, Art. 2(3)). Pure: no I/O, and time is an argument.
//!
//! A warrant is a JSON Web Signature (RFC 7515, compact) with Ed25519 (RFC 8037). Its claims and every rule of its check stand in
//! `database/v1/lookup_service.proto`, with a test vector in `testdata/` that a Python script recomputes.
//!
//! | module | job |
//! |---|---|
//! | `claims` | what a warrant says |
//! | `key` | the keys that sign, and the set of those that are published (JWKS) |
//! | `subject` | the commitment to who is asked about |
//! | `verify` | everything that a database checks, but whether the warrant was used before |

mod claims;
mod key;
mod subject;
#[cfg(test)]
mod tests;
mod verify;

pub use claims::{Claims, Confirmation, Intent};
pub use key::{KeySet, PublicKey, Signer};
pub use subject::{OPENING_LEN, commitment, thumbprint};
pub use verify::{Accepted, Expected, Refusal, SKEW_SECONDS, verify};

/// The media type in the header of every warrant: no other token that the same key might sign is one.
pub const TYPE: &str = "lienthong-warrant+jwt";
/// The one algorithm.
pub const ALGORITHM: &str = "EdDSA";
/// The most bytes of a warrant.
pub const BYTES_MAX: usize = 4096;
/// The longest life of a warrant, so that whoever must remember its id knows for how long.
pub const LIFE_SECONDS_MAX: i64 = 300;

/// Why something is no key, no set of keys, or no warrant that can be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no Ed25519 key of the form that it must have.
    #[error("the key is no Ed25519 key in PEM (PKCS#8, or a public key)")]
    MalformedKey,
    /// It is no set of keys.
    #[error("the set of keys is no JWKS")]
    MalformedKeySet,
    /// The warrant would be longer than anybody takes.
    #[error("the warrant would have more than {BYTES_MAX} bytes")]
    TooLong,
}
