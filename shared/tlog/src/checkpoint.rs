//! Checkpoints: `<origin>\n<size>\n<base64 root>\n`, signed as a C2SP note with Ed25519. The key's name
//! is the log's origin.

use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};

use crate::{Error, merkle::Hash};

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// The log's signing key. Debug shows its name only.
#[derive(Clone)]
pub struct LogSigner {
    origin: String,
    skey: String,
    vkey: String,
    signer: StandardSigner,
}

impl std::fmt::Debug for LogSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogSigner").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl LogSigner {
    /// A key from 32 random bytes, for the log named `origin`.
    pub fn from_seed(origin: &str, seed: [u8; 32]) -> Result<Self, Error> {
        use base64::Engine as _;
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        let public = [&[1_u8], key.verifying_key().to_bytes().as_slice()].concat();
        let id = signed_note::key_id(origin, &public);
        let secret = base64::prelude::BASE64_STANDARD.encode([&[1_u8], seed.as_slice()].concat());
        Self::parse(&format!("PRIVATE+KEY+{origin}+{id:08x}+{secret}"))
    }

    /// A key from its text.
    pub fn parse(skey: &str) -> Result<Self, Error> {
        use base64::Engine as _;
        let signer = StandardSigner::new(skey).map_err(|_| Error::MalformedKey)?;
        let origin = skey.split('+').nth(2).ok_or(Error::MalformedKey)?.to_owned();
        // base64 may hold `+`, so the secret is everything after the fourth one.
        let secret = skey.splitn(5, '+').nth(4).ok_or(Error::MalformedKey)?;
        let secret = base64::prelude::BASE64_STANDARD.decode(secret);
        let secret = secret.map_err(|_| Error::MalformedKey)?;
        let seed = secret.get(1..).and_then(|s| <[u8; 32]>::try_from(s).ok());
        let key = ed25519_dalek::SigningKey::from_bytes(&seed.ok_or(Error::MalformedKey)?);
        let vkey = signed_note::new_ed25519_verifier_key(&origin, &key.verifying_key());
        Ok(Self { origin, skey: skey.to_owned(), vkey, signer })
    }

    /// The secret key's text, to be kept in a file only its owner reads.
    pub fn secret_text(&self) -> &str {
        &self.skey
    }

    /// The public key's text (C2SP vkey).
    pub fn verifier_key(&self) -> &str {
        &self.vkey
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A signed checkpoint.
    pub fn sign(&self, size: u64, root: &Hash) -> Result<String, Error> {
        let body = tlog_tiles::Checkpoint::new(&self.origin, size, tlog_tiles::Hash(*root), "")
            .map_err(|_| Error::MalformedCheckpoint)?;
        let mut note = Note::new(&body.to_bytes(), &[]).map_err(|_| Error::MalformedCheckpoint)?;
        note.add_sigs(&[&self.signer]).map_err(|_| Error::MalformedKey)?;
        String::from_utf8(note.to_bytes()).map_err(|_| Error::MalformedCheckpoint)
    }
}

/// The log's public key.
#[derive(Debug, Clone)]
pub struct LogVerifier {
    origin: String,
    vkey: String,
}

impl LogVerifier {
    /// A verifier from the key's text (C2SP vkey).
    pub fn new(vkey: &str) -> Result<Self, Error> {
        let vkey = vkey.trim();
        StandardVerifier::new(vkey).map_err(|_| Error::MalformedKey)?;
        let origin = vkey.split('+').next().ok_or(Error::MalformedKey)?.to_owned();
        Ok(Self { origin, vkey: vkey.to_owned() })
    }

    /// What a checkpoint says, if this log's key signed it.
    pub fn verify(&self, note: &str) -> Result<Checkpoint, Error> {
        let key = StandardVerifier::new(&self.vkey).map_err(|_| Error::MalformedKey)?;
        let note = Note::from_bytes(note.as_bytes()).map_err(|_| Error::MalformedCheckpoint)?;
        note.verify(&VerifierList::new(vec![Box::new(key)])).map_err(|_| Error::BadSignature)?;
        let body = tlog_tiles::Checkpoint::from_bytes(note.text())
            .map_err(|_| Error::MalformedCheckpoint)?;
        // Extension lines are not used, and a cosigner would not sign them.
        if body.origin() != self.origin || !body.extension().is_empty() {
            return Err(Error::MalformedCheckpoint);
        }
        Ok(Checkpoint { origin: self.origin.clone(), size: body.size(), root: body.hash().0 })
    }
}
