//! The commitment to who is asked about: a warrant that is kept somewhere names nobody (I8), and whoever holds the opening, which
//! travels in the question, sees that it is about this person and no other.

use hmac::{Hmac, Mac as _, digest::KeyInit};
use sha2::{Digest as _, Sha256};

/// Bytes of an opening.
pub const OPENING_LEN: usize = 32;
/// What no other use of such a key begins with.
const DOMAIN: &[u8] = b"lienthong/warrant-subject/1\0";

/// The commitment to a personal number under an opening of 32 random bytes.
#[must_use]
pub fn commitment(opening: &[u8; OPENING_LEN], personal_number: &str) -> [u8; 32] {
    // A key of exactly 32 bytes: others would be padded or hashed, and two openings could open one commitment.
    let mut padded = [0_u8; 64];
    for (to, from) in padded.iter_mut().zip(opening) {
        *to = *from;
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&padded.into());
    mac.update(DOMAIN);
    mac.update(personal_number.as_bytes());
    mac.finalize().into_bytes().into()
}

/// SHA-256 of a certificate's DER, by which a warrant names who presents it.
#[must_use]
pub fn thumbprint(der: &[u8]) -> [u8; 32] {
    Sha256::digest(der).into()
}
