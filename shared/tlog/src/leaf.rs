//! One record of the log: 104 bytes that say nothing to whoever lacks the keys.

use hmac::{Hmac, Mac, digest::KeyInit};
use sha2::{Digest, Sha256};

use crate::Error;

/// Length of every leaf; one length, so that length tells nothing (I7).
pub const LEAF_LEN: usize = 104;

const TAG: &[u8; 16] = b"lienthong/leaf/1";
const OUTER: &[u8] = b"lienthong/outer/1\0";
const INNER: &[u8] = b"lienthong/inner/1\0";

/// The parts of a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Time of the record, milliseconds since 1970.
    pub time_ms: u64,
    /// Id of the record, as [`record_id`] makes it.
    pub record_id: [u8; 16],
    /// Commitment that is opened to the caller.
    pub outer: [u8; 32],
    /// Commitment that is opened to inspectors.
    pub inner: [u8; 32],
}

/// An id for a record of this time, in milliseconds since 1970, of bits that were drawn for it: a UUID of version 7 (RFC 9562,
/// section 5.7). Ids that are made one after the other lie beside one another in the index that finds them; the time is the leaf's own,
/// so nothing more is said.
pub fn record_id(time_ms: u64, random: [u8; 16]) -> [u8; 16] {
    const VERSION: u128 = 0x7 << 76;
    const VARIANT: u128 = 0b10 << 62;
    const DRAWN: u128 = 0xfff << 64 | ((1 << 62) - 1);
    // Of 64 bits 16 are cut off: they are zero until the year 10889.
    let time = u128::from(time_ms) << 80;
    (time | VERSION | VARIANT | u128::from_be_bytes(random) & DRAWN).to_be_bytes()
}

impl Leaf {
    /// The exact bytes.
    pub fn to_bytes(&self) -> [u8; LEAF_LEN] {
        let mut bytes = [0; LEAF_LEN];
        let parts: [&[u8]; 5] =
            [TAG, &self.time_ms.to_be_bytes(), &self.record_id, &self.outer, &self.inner];
        for (to, from) in bytes.iter_mut().zip(parts.concat()) {
            *to = from;
        }
        bytes
    }

    /// The parts of exact bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let rest = bytes.strip_prefix(TAG).ok_or(Error::MalformedLeaf)?;
        let (time, rest) = rest.split_first_chunk::<8>().ok_or(Error::MalformedLeaf)?;
        let (record_id, rest) = rest.split_first_chunk::<16>().ok_or(Error::MalformedLeaf)?;
        let (outer, rest) = rest.split_first_chunk::<32>().ok_or(Error::MalformedLeaf)?;
        let inner = <[u8; 32]>::try_from(rest).map_err(|_| Error::MalformedLeaf)?;
        let time_ms = u64::from_be_bytes(*time);
        Ok(Self { time_ms, record_id: *record_id, outer: *outer, inner })
    }
}

/// SHA-256.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The context text of a record.
pub fn context(method: &str, caller: &str) -> String {
    format!("{method}\n{caller}\n")
}

/// The commitment to who asked what and was answered what.
pub fn outer_commitment(
    key: &[u8; 32],
    context: &str,
    request_digest: &[u8; 32],
    answer_digest: &[u8; 32],
) -> [u8; 32] {
    hmac(key, &[OUTER, &digest(context.as_bytes()), request_digest, answer_digest])
}

/// The commitment to what really happened.
pub fn inner_commitment(key: &[u8; 32], decision: &[u8]) -> [u8; 32] {
    hmac(key, &[INNER, &digest(decision)])
}

/// A digest that only whoever has the key can make, of what is too easily guessed for one that anybody can. `domain` says what
/// it is for, so that no two uses of a key meet.
pub fn keyed_digest(key: &[u8; 32], domain: &str, bytes: &[u8]) -> [u8; 32] {
    hmac(key, &[&digest(domain.as_bytes()), &digest(bytes)])
}

/// The opening that a caller is given: the outer key, then the context.
pub fn opening(key: &[u8; 32], context: &str) -> Vec<u8> {
    [key.as_slice(), context.as_bytes()].concat()
}

/// The outer key and the context of an opening.
pub fn parse_opening(opening: &[u8]) -> Result<([u8; 32], &str), Error> {
    let (key, context) = opening.split_first_chunk::<32>().ok_or(Error::MalformedOpening)?;
    let context = std::str::from_utf8(context).map_err(|_| Error::MalformedOpening)?;
    Ok((*key, context))
}

/// HMAC-SHA256 with a key of exactly 32 bytes: other lengths would be padded or hashed, and two keys
/// could open one commitment.
fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut padded = [0_u8; 64];
    for (to, from) in padded.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&padded.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
