//! C2SP signed notes with Ed25519: a text, an empty line, and the line of each signature. Keys are C2SP's texts.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use signed_note::{Note, Signature, StandardSigner};

use crate::{
    Error,
    key::{ED25519, VerifierKey},
};

/// A note taken apart, of which nothing is verified yet.
pub(crate) struct OpenNote<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) signatures: Vec<Signature>,
}

impl<'a> OpenNote<'a> {
    pub(crate) fn parse(note: &'a [u8]) -> Result<Self, Error> {
        let malformed = || Error::MalformedNote;
        // The characters of the text, how long it is, and how many signatures there are.
        Note::from_bytes(note).map_err(|_| malformed())?;
        // The last empty line is between text and signatures; a text may have empty lines, too.
        let end = note.windows(2).rposition(|pair| pair == b"\n\n").ok_or_else(malformed)?;
        let (text, lines) = note.split_at_checked(end + 1).ok_or_else(malformed)?;
        let lines = lines.strip_prefix(b"\n").and_then(|lines| lines.strip_suffix(b"\n"));
        let lines = lines.ok_or_else(malformed)?.split(|byte| *byte == b'\n');
        let signatures: Result<_, _> = lines.map(Signature::from_bytes).collect();
        Ok(Self { text, signatures: signatures.map_err(|_| malformed())? })
    }

    /// Whether the key signed. A line that says that it is this key's and is not makes the whole note worthless, wherever it stands.
    pub(crate) fn is_signed_by(&self, key: &VerifierKey) -> Result<bool, Error> {
        let mut lines = self.signatures.iter().filter(|line| key.claims(line)).peekable();
        let any = lines.peek().is_some();
        let all = lines.all(|line| key.signed(self.text, line.signature()));
        if all { Ok(any) } else { Err(Error::BadSignature) }
    }
}

/// A key that signs notes. Debug shows its name only.
#[derive(Clone)]
pub struct NoteSigner {
    name: String,
    skey: String,
    vkey: String,
    signer: StandardSigner,
}

impl std::fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NoteSigner").field("name", &self.name).finish_non_exhaustive()
    }
}

impl NoteSigner {
    /// A key from 32 random bytes. Its name must not be empty, and hold neither spaces nor `+`.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, Error> {
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        let id = VerifierKey::new(name, ED25519, key.verifying_key())?.id();
        let secret = BASE64_STANDARD.encode([&[ED25519], seed.as_slice()].concat());
        Self::parse(&format!("PRIVATE+KEY+{name}+{id:08x}+{secret}"))
    }

    /// A key from its text.
    pub fn parse(skey: &str) -> Result<Self, Error> {
        let signer = StandardSigner::new(skey).map_err(|_| Error::MalformedKey)?;
        let name = skey.split('+').nth(2).ok_or(Error::MalformedKey)?.to_owned();
        // base64 may hold `+`, so the secret is everything after the fourth one.
        let secret = skey.splitn(5, '+').nth(4).ok_or(Error::MalformedKey)?;
        let secret = BASE64_STANDARD.decode(secret).map_err(|_| Error::MalformedKey)?;
        let seed = secret.get(1..).and_then(|s| <[u8; 32]>::try_from(s).ok());
        let key = ed25519_dalek::SigningKey::from_bytes(&seed.ok_or(Error::MalformedKey)?);
        let vkey = signed_note::new_ed25519_verifier_key(&name, &key.verifying_key());
        Ok(Self { name, skey: skey.to_owned(), vkey, signer })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The secret key's text, to be kept in a file only its owner reads.
    pub fn secret_text(&self) -> &str {
        &self.skey
    }

    /// The public key's text (C2SP vkey).
    pub fn verifier_key(&self) -> &str {
        &self.vkey
    }

    /// The note of a text, which must end with a line break.
    pub fn sign(&self, text: &[u8]) -> Result<String, Error> {
        let mut note = Note::new(text, &[]).map_err(|_| Error::MalformedNote)?;
        note.add_sigs(&[&self.signer]).map_err(|_| Error::MalformedKey)?;
        String::from_utf8(note.to_bytes()).map_err(|_| Error::MalformedNote)
    }

    /// The lines of the signature of a text, which must end with a line break: the note without the text and the empty line.
    pub fn sign_detached(&self, text: &[u8]) -> Result<String, Error> {
        let note = self.sign(text)?;
        note.get(text.len() + 1..).map(str::to_owned).ok_or(Error::MalformedNote)
    }
}

/// A key that checks notes.
#[derive(Debug, Clone)]
pub struct NoteVerifier(VerifierKey);

impl NoteVerifier {
    /// A verifier from the key's text (C2SP vkey).
    pub fn new(vkey: &str) -> Result<Self, Error> {
        VerifierKey::parse(vkey.trim_ascii(), ED25519).map(Self)
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The text of a note, if this key signed it.
    pub fn verify(&self, note: &[u8]) -> Result<Vec<u8>, Error> {
        let note = OpenNote::parse(note)?;
        if note.is_signed_by(&self.0)? { Ok(note.text.to_vec()) } else { Err(Error::BadSignature) }
    }

    /// Whether this key signed exactly this text, by the lines of its signatures.
    pub fn verify_detached(&self, text: &[u8], signature: &[u8]) -> Result<(), Error> {
        let signed = self.verify(&[text, b"\n", signature].concat())?;
        // What is given as a signature could begin with further lines of the text.
        if signed == text { Ok(()) } else { Err(Error::MalformedNote) }
    }
}
