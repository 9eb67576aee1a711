//! Cosignatures of checkpoints with Ed25519, as C2SP `tlog-cosignature` has them (key type 0x04): a witness says that of all trees of
//! this log that it has seen, this was the largest at a time, and extends them all.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use signed_note::Signature;

use crate::{
    Checkpoint, Error,
    key::{COSIGNATURE_V1, VerifierKey},
    note::OpenNote,
};

/// The greatest time that may be said, in seconds since 1970.
const SECONDS_MAX: u64 = i64::MAX as u64;

/// A key that cosigns checkpoints. The name is not signed, so no two cosigners may share a key. Debug shows the name only.
#[derive(Clone)]
pub struct Cosigner {
    secret: SigningKey,
    public: VerifierKey,
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cosigner").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Cosigner {
    /// A key from 32 random bytes.
    ///
    /// # Errors
    /// [`Error::MalformedKey`] where the name is empty, or holds spaces or `+`.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, Error> {
        let secret = SigningKey::from_bytes(&seed);
        let public = VerifierKey::new(name, COSIGNATURE_V1, secret.verifying_key())?;
        Ok(Self { secret, public })
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.public.name()
    }

    /// The public key's text (C2SP vkey).
    #[must_use]
    pub fn verifier_key(&self) -> &str {
        self.public.text()
    }

    /// The signature line of a checkpoint's body (its lines, without empty line and signatures) at a time, in seconds since 1970. That
    /// the tree extends all that were cosigned before is for the caller to check, before.
    ///
    /// # Errors
    /// [`Error::MalformedCheckpoint`] where the body is none, and [`Error::MalformedCosignature`] for a time beyond 2^63 - 1.
    pub fn cosign(&self, body: &str, seconds: u64) -> Result<String, Error> {
        Checkpoint::parse(body.as_bytes())?;
        if seconds > SECONDS_MAX {
            return Err(Error::MalformedCosignature);
        }
        Ok(self.line(body.as_bytes(), seconds))
    }

    fn line(&self, body: &[u8], seconds: u64) -> String {
        let signature = self.secret.sign(&message(body, seconds)).to_bytes();
        let id = self.public.id().to_be_bytes();
        let line = [id.as_slice(), &seconds.to_be_bytes(), &signature].concat();
        format!("— {} {}\n", self.name(), BASE64_STANDARD.encode(line))
    }
}

/// A witness' public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignatureVerifier(VerifierKey);

impl CosignatureVerifier {
    /// A verifier from the key's text (C2SP vkey), which must be of type 0x04.
    ///
    /// # Errors
    /// [`Error::MalformedKey`] where it is not.
    pub fn new(vkey: &str) -> Result<Self, Error> {
        VerifierKey::parse(vkey.trim_ascii(), COSIGNATURE_V1).map(Self)
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The key's text (C2SP vkey).
    #[must_use]
    pub fn verifier_key(&self) -> &str {
        self.0.text()
    }

    pub(crate) fn key(&self) -> &VerifierKey {
        &self.0
    }

    /// When this key cosigned the checkpoint, in seconds since 1970; the latest time where it did more than once.
    ///
    /// # Errors
    /// [`Error::MalformedNote`] and [`Error::MalformedCheckpoint`] where it is no checkpoint; [`Error::BadSignature`] where the key did
    /// not cosign it, or a line that says so is not its own.
    pub fn verify(&self, note: &str) -> Result<u64, Error> {
        let note = OpenNote::parse(note.as_bytes())?;
        Checkpoint::parse(note.text)?;
        self.latest(&note)?.ok_or(Error::BadSignature)
    }

    /// The latest time at which this key cosigned; none where no line says that it is this key's.
    pub(crate) fn latest(&self, note: &OpenNote<'_>) -> Result<Option<u64>, Error> {
        let lines = note.signatures.iter().filter(|line| self.0.claims(line));
        let times: Result<Vec<u64>, Error> = lines.map(|line| self.time(note.text, line)).collect();
        Ok(times?.into_iter().max())
    }

    /// The time of one cosignature of this key.
    pub(crate) fn time(&self, body: &[u8], line: &Signature) -> Result<u64, Error> {
        let (time, signature) =
            line.signature().split_first_chunk::<8>().ok_or(Error::BadSignature)?;
        let seconds = u64::from_be_bytes(*time);
        let signed = seconds <= SECONDS_MAX && self.0.signed(&message(body, seconds), signature);
        if signed { Ok(seconds) } else { Err(Error::BadSignature) }
    }
}

/// What is signed: the first line keeps cosignatures apart from all else that Ed25519 keys sign.
fn message(body: &[u8], seconds: u64) -> Vec<u8> {
    [format!("cosignature/v1\ntime {seconds}\n").as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use serde_json::Value;

    use super::*;
    use crate::{LogSigner, digest};

    const TIME: u64 = 1_679_315_147;

    fn published() -> Value {
        serde_json::from_str(include_str!("../testdata/published_cosignatures.json")).unwrap()
    }

    fn cosigner() -> Cosigner {
        Cosigner::from_seed("witness.test/1", [3; 32]).unwrap()
    }

    fn verifier(cosigner: &Cosigner) -> CosignatureVerifier {
        CosignatureVerifier::new(cosigner.verifier_key()).unwrap()
    }

    fn checkpoint() -> String {
        LogSigner::from_seed("log.test/1", [7; 32]).unwrap().sign(5, &[1; 32]).unwrap()
    }

    fn body(note: &str) -> &str {
        &note[..=note.find("\n\n").unwrap()]
    }

    #[test]
    fn published_cosignatures_come_out_byte_for_byte() {
        for row in published()["cosignatures"].as_array().unwrap() {
            let text = |column: usize| row[column].as_str().unwrap();
            let (seconds, note) = (row[2].as_u64().unwrap(), text(3));
            let verifier = CosignatureVerifier::new(text(0)).unwrap();
            assert_eq!(verifier.verify(note), Ok(seconds));
            let cosigner =
                Cosigner::from_seed(verifier.name(), digest(text(1).as_bytes())).unwrap();
            assert_eq!(cosigner.verifier_key(), text(0));
            assert!(note.ends_with(&cosigner.cosign(body(note), seconds).unwrap()));
        }
    }

    #[test]
    fn keys_are_taken_and_refused_as_published() {
        let published = published();
        let key = published["key"].as_str().unwrap();
        assert_eq!(CosignatureVerifier::new(key).unwrap().name(), "remora.n621.de");
        let bad = published["bad_keys"].as_array().unwrap();
        // A key of another type would be made to say what it never meant to.
        for bad in bad.iter().chain([&published["key_of_another_type"]]) {
            let bad = CosignatureVerifier::new(bad.as_str().unwrap());
            assert_eq!(bad, Err(Error::MalformedKey));
        }
        let upper = key.replace("da77ade7", "DA77ADE7");
        assert_eq!(CosignatureVerifier::new(&upper), Err(Error::MalformedKey));
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let (cosigner, note) = (cosigner(), checkpoint());
        let verifier = verifier(&cosigner);
        let line = cosigner.cosign(body(&note), TIME).unwrap();
        assert_eq!(verifier.verify(&format!("{note}{line}")), Ok(TIME));
        let payload = line.trim_end().rsplit_once(' ').unwrap().1;
        let payload = BASE64_STANDARD.decode(payload).unwrap();
        for at in 4..payload.len() {
            let mut changed = payload.clone();
            changed[at] ^= 1;
            let changed = format!("— witness.test/1 {}\n", BASE64_STANDARD.encode(changed));
            // Neither alone nor beside a good one.
            for note in [format!("{note}{changed}"), format!("{note}{line}{changed}")] {
                assert_eq!(verifier.verify(&note), Err(Error::BadSignature), "byte {at}");
            }
        }
        for at in 0..body(&note).len() {
            let mut changed = format!("{note}{line}").into_bytes();
            changed[at] ^= 1;
            assert!(verifier.verify(std::str::from_utf8(&changed).unwrap()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn the_latest_time_counts_and_others_lines_do_not() {
        let (cosigner, note) = (cosigner(), checkpoint());
        let verifier = verifier(&cosigner);
        assert_eq!(verifier.verify(&note), Err(Error::BadSignature));
        let line = |seconds| cosigner.cosign(body(&note), seconds).unwrap();
        let other = Cosigner::from_seed("witness.test/2", [3; 32]).unwrap();
        let other = other.cosign(body(&note), TIME + 9).unwrap();
        let note = format!("{note}{}{other}{}", line(TIME + 1), line(TIME));
        assert_eq!(verifier.verify(&note), Ok(TIME + 1));
    }

    /// A cosigner that does not keep to the rules is not believed, though its key did sign.
    #[test]
    fn what_must_not_be_cosigned_does_not_count() {
        let (cosigner, note) = (cosigner(), checkpoint());
        let line = cosigner.line(body(&note).as_bytes(), SECONDS_MAX + 1);
        let verifier = verifier(&cosigner);
        assert_eq!(verifier.verify(&format!("{note}{line}")), Err(Error::BadSignature));
        let text = "a text\n";
        let note = format!("{text}\n{}", cosigner.line(text.as_bytes(), TIME));
        assert_eq!(verifier.verify(&note), Err(Error::MalformedCheckpoint));
    }

    /// The same key as a log's would sign another text: nobody can pass one off as the other.
    #[test]
    fn a_logs_signature_is_no_cosignature() {
        let note = LogSigner::from_seed("both.test/1", [3; 32]).unwrap().sign(5, &[1; 32]).unwrap();
        let both = Cosigner::from_seed("both.test/1", [3; 32]).unwrap();
        assert_eq!(verifier(&both).verify(&note), Err(Error::BadSignature));
    }

    #[test]
    fn only_checkpoints_are_cosigned_and_at_times_that_can_be() {
        let (cosigner, note) = (cosigner(), checkpoint());
        let refused = |body: &str, seconds| cosigner.cosign(body, seconds).unwrap_err();
        assert!(cosigner.cosign(body(&note), SECONDS_MAX).is_ok());
        assert_eq!(refused(body(&note), SECONDS_MAX + 1), Error::MalformedCosignature);
        for body in [&note, "", "a text\n", &format!("{}an extension\n", body(&note))] {
            assert_eq!(refused(body, TIME), Error::MalformedCheckpoint);
        }
        assert_eq!(Cosigner::from_seed("with space", [3; 32]).unwrap_err(), Error::MalformedKey);
        assert_eq!(format!("{cosigner:?}"), "Cosigner { name: \"witness.test/1\", .. }");
    }
}
