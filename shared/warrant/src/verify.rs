//! Everything that a database checks of a warrant, but whether it was used before: that needs a memory.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::Signature;
use serde::Deserialize;

use crate::{
    ALGORITHM, BYTES_MAX, Claims, KeySet, LIFE_SECONDS_MAX, OPENING_LEN, TYPE, commitment,
};

/// How far the clocks of issuer and database may be apart.
pub const SKEW_SECONDS: i64 = 5;

/// What a warrant is held against: the question that it came with, and who asks whom.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who signs warrants.
    pub issuer: &'a str,
    /// The database that is asked.
    pub audience: &'a str,
    /// SHA-256 of the certificate that the connection was made with; none where it is not known.
    pub holder: Option<&'a [u8; 32]>,
    /// The personal number that is asked about.
    pub subject: &'a str,
    /// The opening of the commitment.
    pub opening: &'a [u8],
    /// The items that are asked for.
    pub items: &'a [String],
    /// The procedure that the question names.
    pub procedure: &'a str,
    /// The legal ground that the question names.
    pub legal_basis: &'a str,
}

/// A warrant that is good, unless it was used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What it says.
    pub claims: Claims,
    /// Seconds since 1970 until which its id must be remembered.
    pub remember_until: i64,
}

/// Why a warrant is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// There is none.
    Missing,
    /// It is no warrant.
    Malformed,
    /// It is signed in another way, or is another kind of token.
    Algorithm,
    /// No key of this id is published.
    UnknownKey,
    /// The key did not sign these bytes.
    BadSignature,
    /// Somebody else issued it.
    Issuer,
    /// It is for another database.
    Audience,
    /// Somebody else presents it.
    Holder,
    /// It does not hold yet.
    NotYet,
    /// It does not hold any more.
    Expired,
    /// It would hold for too long.
    TooLongLived,
    /// It is about another person.
    Subject,
    /// More is asked for than it allows.
    Items,
    /// The question stands on another ground.
    Ground,
    /// It was used before.
    Replayed,
}

impl Refusal {
    /// Its name, as an error's metadata says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown-key",
            Self::BadSignature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Holder => "holder",
            Self::NotYet => "not-yet",
            Self::Expired => "expired",
            Self::TooLongLived => "life",
            Self::Subject => "subject",
            Self::Items => "items",
            Self::Ground => "ground",
            Self::Replayed => "replayed",
        }
    }
}

/// A header. Whatever else stands in it is passed over, but for `crit`: what that names must be understood, and nothing is.
#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    alg: String,
    #[serde(default)]
    typ: String,
    #[serde(default)]
    kid: String,
    crit: Option<serde_json::Value>,
}

/// Checks a warrant at a moment, in seconds since 1970. Whoever takes it must remember its id for so long as it says, and refuse it
/// when it comes again ([`Refusal::Replayed`]).
///
/// # Errors
/// The first thing that is wrong: nothing of the claims is looked at before the signature was found good.
pub fn verify(
    warrant: &[u8],
    keys: &KeySet,
    expected: &Expected<'_>,
    now: i64,
) -> Result<Accepted, Refusal> {
    if warrant.is_empty() {
        return Err(Refusal::Missing);
    }
    let claims = signed(warrant, keys)?;
    let Claims { nbf, exp, .. } = claims;
    let life = exp.checked_sub(nbf).filter(|life| *life > 0).ok_or(Refusal::Malformed)?;
    let opening = <&[u8; OPENING_LEN]>::try_from(expected.opening);
    let opens = |opening| commitment(opening, expected.subject) == claims.subject;
    let checks = [
        (claims.jti.is_empty(), Refusal::Malformed),
        (claims.iss != expected.issuer, Refusal::Issuer),
        (claims.aud != expected.audience, Refusal::Audience),
        (expected.holder != Some(&claims.cnf.thumbprint), Refusal::Holder),
        (life > LIFE_SECONDS_MAX, Refusal::TooLongLived),
        (now.saturating_add(SKEW_SECONDS) < nbf, Refusal::NotYet),
        (now.saturating_sub(SKEW_SECONDS) >= exp, Refusal::Expired),
        (!opening.is_ok_and(opens), Refusal::Subject),
        (!expected.items.iter().all(|item| claims.items.contains(item)), Refusal::Items),
        (
            claims.procedure != expected.procedure || claims.legal_basis != expected.legal_basis,
            Refusal::Ground,
        ),
    ];
    match checks.into_iter().find(|(wrong, _)| *wrong) {
        Some((_, refusal)) => Err(refusal),
        None => Ok(Accepted { remember_until: exp.saturating_add(SKEW_SECONDS), claims }),
    }
}

/// The claims of a warrant that one of the keys has signed.
fn signed(warrant: &[u8], keys: &KeySet) -> Result<Claims, Refusal> {
    if warrant.len() > BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    let text = std::str::from_utf8(warrant).map_err(|_| Refusal::Malformed)?;
    let (signed, signature) = text.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
    // Each in its one form: no padding, no bits left over, no other alphabet.
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed);
    let head: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Refusal::Malformed)?;
    if head.alg != ALGORITHM || head.typ != TYPE || head.crit.is_some() {
        return Err(Refusal::Algorithm);
    }
    let key = keys.find(&head.kid).ok_or(Refusal::UnknownKey)?;
    let signature = Signature::from_slice(&decode(signature)?);
    let signature = signature.map_err(|_| Refusal::Malformed)?;
    let good = key.key.verify_strict(signed.as_bytes(), &signature);
    good.map_err(|_| Refusal::BadSignature)?;
    serde_json::from_slice(&decode(payload)?).map_err(|_| Refusal::Malformed)
}
