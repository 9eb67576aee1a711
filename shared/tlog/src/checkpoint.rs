//! Checkpoints: `<origin>\n<size>\n<base64 root>\n`, signed as a C2SP note with Ed25519. The key's name
//! is the log's origin.

use crate::{Error, NoteSigner, NoteVerifier, merkle::Hash};

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

impl Checkpoint {
    /// What a checkpoint's body says, whoever signed it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Error> {
        let body =
            tlog_tiles::Checkpoint::from_bytes(body).map_err(|_| Error::MalformedCheckpoint)?;
        // No log of ours has extension lines, which C2SP recommends against, so what has some is not taken for a checkpoint of one.
        if !body.extension().is_empty() {
            return Err(Error::MalformedCheckpoint);
        }
        Ok(Self { origin: body.origin().to_owned(), size: body.size(), root: body.hash().0 })
    }
}

/// The log's signing key. Debug shows its name only.
#[derive(Debug, Clone)]
pub struct LogSigner(NoteSigner);

impl LogSigner {
    /// A key from 32 random bytes, for the log named `origin`.
    pub fn from_seed(origin: &str, seed: [u8; 32]) -> Result<Self, Error> {
        NoteSigner::from_seed(origin, seed).map(Self)
    }

    /// A key from its text.
    pub fn parse(skey: &str) -> Result<Self, Error> {
        NoteSigner::parse(skey).map(Self)
    }

    /// The secret key's text, to be kept in a file only its owner reads.
    pub fn secret_text(&self) -> &str {
        self.0.secret_text()
    }

    /// The public key's text (C2SP vkey).
    pub fn verifier_key(&self) -> &str {
        self.0.verifier_key()
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        self.0.name()
    }

    /// A signed checkpoint.
    pub fn sign(&self, size: u64, root: &Hash) -> Result<String, Error> {
        let body = tlog_tiles::Checkpoint::new(self.origin(), size, tlog_tiles::Hash(*root), "")
            .map_err(|_| Error::MalformedCheckpoint)?;
        self.0.sign(&body.to_bytes())
    }
}

/// The log's public key.
#[derive(Debug, Clone)]
pub struct LogVerifier(NoteVerifier);

impl LogVerifier {
    /// A verifier from the key's text (C2SP vkey).
    pub fn new(vkey: &str) -> Result<Self, Error> {
        NoteVerifier::new(vkey).map(Self)
    }

    /// What a checkpoint says, if this log's key signed it.
    pub fn verify(&self, note: &str) -> Result<Checkpoint, Error> {
        let checkpoint = Checkpoint::parse(&self.0.verify(note.as_bytes())?)?;
        if checkpoint.origin == self.0.name() {
            Ok(checkpoint)
        } else {
            Err(Error::MalformedCheckpoint)
        }
    }
}
