//! AES-256-GCM (NIST SP 800-38D) with random nonces, and keys derived by HKDF-SHA256 (RFC 5869): of aws-lc, which is the one stack for
//! cryptography. Pure but for the nonces, which are handed in.
//!
//! A ciphertext is nonce, text and tag. A key takes at most 2^32 random nonces (SP 800-38D, section 8.3), which is 49,000 records in
//! each second of a day.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};
use server::runtime::Entropy;
use zeroize::Zeroizing;

use super::KeyError;

/// Bytes of a key.
pub(super) const KEY_LEN: usize = 32;

/// What a ciphertext is for, and of: it opens in no other place.
pub(super) fn bound(purpose: &str, to: &[&[u8]]) -> Vec<u8> {
    let mut bytes = [purpose.as_bytes(), &[0]].concat();
    bytes.extend(to.concat());
    bytes
}

/// A key in use. aws-lc wipes it when it is dropped, and shows it to nobody (I8).
pub(super) struct Cipher(LessSafeKey);

impl Cipher {
    pub(super) fn new(key: &[u8; KEY_LEN]) -> Result<Self, KeyError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| KeyError::Refused)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// The key for one purpose that comes from a secret.
    pub(super) fn derived(secret: &[u8; KEY_LEN], purpose: &[u8]) -> Result<Self, KeyError> {
        let secret = Salt::new(HKDF_SHA256, &[]).extract(secret);
        let (info, mut key) = ([purpose], Zeroizing::new([0; KEY_LEN]));
        let made = secret.expand(&info, HKDF_SHA256).and_then(|made| made.fill(key.as_mut()));
        made.map_err(|_| KeyError::Refused)?;
        Self::new(&key)
    }

    pub(super) fn seal(
        &self,
        entropy: &Entropy,
        bound: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let nonce: [u8; NONCE_LEN] = entropy.array();
        let mut sealed = nonce.to_vec();
        sealed.reserve_exact(plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(plain);
        let (_, text) = sealed.split_first_chunk_mut::<NONCE_LEN>().ok_or(KeyError::Refused)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(bound), text);
        sealed.extend_from_slice(tag.map_err(|_| KeyError::Refused)?.as_ref());
        Ok(sealed)
    }

    pub(super) fn open(&self, bound: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(KeyError::Refused)?;
        let mut plain = Zeroizing::new(text.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(bound), &mut plain);
        let len = opened.map_err(|_| KeyError::Refused)?.len();
        plain.truncate(len);
        Ok(plain)
    }
}
