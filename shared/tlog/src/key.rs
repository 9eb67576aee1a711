//! Verifier keys as C2SP `signed-note` writes them: `<name>+<key id in hex>+<base64 of type and public key>`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};

use crate::Error;

/// The type of an Ed25519 key that signs any text (C2SP `signed-note`).
pub(crate) const ED25519: u8 = 0x01;
/// The type of an Ed25519 key that cosigns checkpoints with a time (C2SP `tlog-cosignature`).
pub(crate) const COSIGNATURE_V1: u8 = 0x04;

/// A public key with its name, of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerifierKey {
    name: String,
    id: u32,
    key: VerifyingKey,
    text: String,
}

impl VerifierKey {
    /// A key of the type under a name, which must not be empty, and hold neither spaces nor `+`.
    pub(crate) fn new(name: &str, of_type: u8, key: VerifyingKey) -> Result<Self, Error> {
        if !signed_note::is_key_name_valid(name) {
            return Err(Error::MalformedKey);
        }
        let public = [&[of_type], key.as_bytes().as_slice()].concat();
        let id = signed_note::key_id(name, &public);
        let text = format!("{name}+{id:08x}+{}", BASE64_STANDARD.encode(public));
        Ok(Self { name: name.to_owned(), id, key, text })
    }

    /// A key of the type from its text.
    pub(crate) fn parse(vkey: &str, of_type: u8) -> Result<Self, Error> {
        // base64 may hold `+`, so the public key is everything after the second one.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(_), Some(public)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::MalformedKey);
        };
        let public = BASE64_STANDARD.decode(public).map_err(|_| Error::MalformedKey)?;
        let public = public.strip_prefix(&[of_type]).ok_or(Error::MalformedKey)?;
        let key = VerifyingKey::try_from(public).map_err(|_| Error::MalformedKey)?;
        // A key is written in one way only, so this is also the check of its id.
        Some(Self::new(name, of_type, key)?)
            .filter(|key| key.text == vkey)
            .ok_or(Error::MalformedKey)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The key's text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The public key alone, whatever it is called and used for.
    pub(crate) fn public(&self) -> &VerifyingKey {
        &self.key
    }

    /// Whether a signature line says that it is this key's. Names and ids are chosen by whoever writes the line.
    pub(crate) fn claims(&self, signature: &signed_note::Signature) -> bool {
        signature.name() == self.name && signature.id() == self.id
    }

    /// Whether the key signed the message.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify(message, &signature).is_ok())
    }
}
