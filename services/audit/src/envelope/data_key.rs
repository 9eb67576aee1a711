//! The key of one day, and a record under it.
//!
//! The record's keys are wrapped under the key of the day. Its digests are of what could be guessed, a request with a known person in
//! it, and its decision says what happened: all of that is sealed under a key that comes from its inner key, which nobody has but us.
//! So an old copy of what is sealed says nothing once the keys are gone.

use server::runtime::Entropy;
use zeroize::Zeroizing;

use super::{
    KeyError, SecretKey,
    cipher::{self, Cipher},
};
use crate::domain::Opening;

const DATA_KEY: &str = "lienthong/data-key/1";
const RECORD_KEY: &str = "lienthong/record-key/1";
const OPENING: &str = "lienthong/opening/1";

/// A record as it is kept.
pub(crate) struct Sealed {
    pub(crate) position: u64,
    pub(crate) context: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) day: String,
    pub(crate) wrapped: Vec<u8>,
}

/// What the key of a day is bound to.
pub(super) fn bound(day: &str) -> Vec<u8> {
    cipher::bound(DATA_KEY, &[day.as_bytes()])
}

/// The key of a day, in use.
pub(crate) struct DataKey {
    day: String,
    cipher: Cipher,
    entropy: Entropy,
}

impl DataKey {
    pub(crate) fn new(day: String, key: &SecretKey, entropy: Entropy) -> Result<Self, KeyError> {
        Ok(Self { day, cipher: Cipher::new(&key.0)?, entropy })
    }

    pub(crate) fn day(&self) -> &str {
        &self.day
    }

    /// What the keys of the record at a place are bound to.
    fn bound(&self, position: u64) -> Vec<u8> {
        cipher::bound(RECORD_KEY, &[&position.to_be_bytes(), self.day.as_bytes()])
    }

    pub(crate) fn seal(&self, position: u64, opening: &Opening) -> Result<Sealed, KeyError> {
        let Opening { outer_key, inner_key, context, request_digest, answer_digest, decision } =
            opening;
        let pair = Zeroizing::new([outer_key.as_slice(), inner_key.as_slice()].concat());
        let wrapped = self.cipher.seal(&self.entropy, &self.bound(position), &pair)?;
        let plain = [request_digest.as_slice(), answer_digest, decision].concat();
        let bound = cipher::bound(OPENING, &[&position.to_be_bytes()]);
        let sealed = Cipher::derived(inner_key, &bound)?.seal(&self.entropy, &bound, &plain)?;
        Ok(Sealed { position, context: context.clone(), sealed, day: self.day.clone(), wrapped })
    }

    pub(crate) fn open(
        &self,
        position: u64,
        context: String,
        sealed: &[u8],
        wrapped: &[u8],
    ) -> Result<Opening, KeyError> {
        let pair = self.cipher.open(&self.bound(position), wrapped)?;
        let (outer, inner) = pair.split_first_chunk::<32>().ok_or(KeyError::Refused)?;
        let inner = <[u8; 32]>::try_from(inner).map_err(|_| KeyError::Refused)?;
        let (outer_key, inner_key) = (Zeroizing::new(*outer), Zeroizing::new(inner));
        let bound = cipher::bound(OPENING, &[&position.to_be_bytes()]);
        let plain = Cipher::derived(&inner_key, &bound)?.open(&bound, sealed)?;
        let (request, rest) = plain.split_first_chunk::<32>().ok_or(KeyError::Refused)?;
        let (answer, decision) = rest.split_first_chunk::<32>().ok_or(KeyError::Refused)?;
        let (request_digest, answer_digest) = (*request, *answer);
        let decision = decision.to_vec();
        Ok(Opening { outer_key, inner_key, context, request_digest, answer_digest, decision })
    }
}
