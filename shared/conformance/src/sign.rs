//! The signature of a report: Ed25519 over the exact bytes of `report.json`, kept beside it as the signature line of a
//! C2SP signed note. The report, an empty line and that line together are such a note, so any verifier of notes checks it.

use rand::RngCore as _;
use tlog::{NoteSigner, NoteVerifier};

/// A key that signs reports, as C2SP writes it.
pub struct Key(NoteSigner);

/// Why a report is not signed, or its signature not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// It is no key.
    #[error("khóa không đúng dạng / the key is malformed")]
    MalformedKey,
    /// The report or its signature is not of the form of a note.
    #[error("báo cáo hoặc chữ ký không đúng dạng / the report or the signature is malformed")]
    MalformedReport,
    /// The key did not sign these bytes.
    #[error("chữ ký không phải của báo cáo này / the signature is not of this report")]
    BadSignature,
}

impl Key {
    /// A new key under a name, for example `example.vn/conformance`.
    ///
    /// # Errors
    /// When the name is none: it must not be empty, and hold neither spaces nor `+`.
    pub fn generate(name: &str) -> Result<Self, SignError> {
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        Self::from_seed(name, seed)
    }

    fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, SignError> {
        NoteSigner::from_seed(name, seed).map(Self).map_err(|_| SignError::MalformedKey)
    }

    /// A key from its text.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(secret: &str) -> Result<Self, SignError> {
        NoteSigner::parse(secret.trim()).map(Self).map_err(|_| SignError::MalformedKey)
    }

    /// The secret key's text, to be kept in a file that only its owner reads.
    #[must_use]
    pub fn secret_text(&self) -> &str {
        self.0.secret_text()
    }

    /// The public key's text (C2SP vkey).
    #[must_use]
    pub fn verifier_key(&self) -> &str {
        self.0.verifier_key()
    }

    /// The signature line of a report, which ends with a line break.
    ///
    /// # Errors
    /// When the report is no text that ends with a line break.
    pub fn sign(&self, report: &[u8]) -> Result<String, SignError> {
        self.0.sign_detached(report).map_err(|_| SignError::MalformedReport)
    }
}

/// Checks that the key signed exactly these bytes.
///
/// # Errors
/// When it did not.
pub fn verify(report: &[u8], signature: &str, verifier_key: &str) -> Result<(), SignError> {
    let key = NoteVerifier::new(verifier_key).map_err(|_| SignError::MalformedKey)?;
    key.verify_detached(report, signature.as_bytes()).map_err(|error| {
        match error == tlog::Error::BadSignature {
            true => SignError::BadSignature,
            false => SignError::MalformedReport,
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_report_with_one_byte_changed_is_refused() {
        let key = Key::from_seed("lienthong.test/conformance", [7; 32]).unwrap();
        let report = b"{\n  \"verdict\": \"passed\"\n}\n";
        let line = key.sign(report).unwrap();
        assert!(line.starts_with("\u{2014} lienthong.test/conformance "), "{line}");
        assert_eq!(verify(report, &line, key.verifier_key()), Ok(()));
        let changed = String::from_utf8_lossy(report).replace("passed", "failed");
        let refused = verify(changed.as_bytes(), &line, key.verifier_key());
        assert_eq!(refused, Err(SignError::BadSignature));
        let other = Key::from_seed("lienthong.test/conformance", [8; 32]).unwrap();
        assert!(verify(report, &line, other.verifier_key()).is_err());
        assert!(verify(report, "", key.verifier_key()).is_err());
        assert!(verify(report, &line, "nonsense").is_err());
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let key = Key::generate("lienthong.test/conformance").unwrap();
        let read = Key::parse(&format!("{}\n", key.secret_text())).unwrap();
        assert_eq!(read.verifier_key(), key.verifier_key());
        assert!(Key::generate("a b").is_err() && Key::parse("PRIVATE+KEY+x").is_err());
    }
}
