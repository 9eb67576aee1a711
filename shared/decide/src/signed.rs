//! Decisions signed by policy: whoever uses one checks first that policy gave it, and gave it to this very question. So a decision
//! that something between the two changed, exchanged or made up opens nothing (I9), whatever vouches for the connection.
//!
//! What is signed is a text, as a C2SP signed note with Ed25519: that it is a decision, the method, and the SHA-256 of the exact bytes
//! of the request and of the answer, each in base64 on a line of its own. What goes with the answer are the lines of the signatures.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tlog::{NoteSigner, NoteVerifier};

/// What the text says that it is.
const KIND: &str = "lienthong.gov.vn/decision/v1";

/// Why a decision is not policy's, or a key is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A key is not in the form of C2SP.
    #[error("the key is malformed")]
    MalformedKey,
    /// There is no key to check by.
    #[error("there is no key")]
    NoKey,
    /// None of the known keys signed this answer to this question.
    #[error("no known key signed it")]
    NotSigned,
}

/// Signs what a method, by its path, answers to a question, each as its exact bytes: the lines of the signature.
///
/// # Errors
/// [`Error::MalformedKey`] where the key cannot sign.
pub fn sign(
    key: &NoteSigner,
    method: &str,
    request: &[u8],
    answer: &[u8],
) -> Result<String, Error> {
    let text = text(method, request, answer);
    key.sign_detached(text.as_bytes()).map_err(|_| Error::MalformedKey)
}

/// The keys by which decisions are checked: more than one while policy changes its own.
#[derive(Clone, Debug)]
pub struct DecisionVerifier(Vec<NoteVerifier>);

impl DecisionVerifier {
    /// Keys from a text, one on each line (C2SP vkey); empty lines and those that begin with `#` are left out.
    ///
    /// # Errors
    /// [`Error::MalformedKey`], or [`Error::NoKey`] where there is none: nothing is used unchecked.
    pub fn parse(vkeys: &str) -> Result<Self, Error> {
        let lines = vkeys.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Result<Vec<_>, _> = lines.map(NoteVerifier::new).collect();
        let keys = keys.map_err(|_| Error::MalformedKey)?;
        if keys.is_empty() { Err(Error::NoKey) } else { Ok(Self(keys)) }
    }

    /// Whether one of the keys signed this answer of a method to this question, each as its exact bytes.
    ///
    /// # Errors
    /// [`Error::NotSigned`], also where there is no signature at all.
    pub fn verify(
        &self,
        method: &str,
        request: &[u8],
        answer: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let text = text(method, request, answer);
        let signed =
            self.0.iter().any(|key| key.verify_detached(text.as_bytes(), signature).is_ok());
        if signed { Ok(()) } else { Err(Error::NotSigned) }
    }
}

/// The text that is signed.
fn text(method: &str, request: &[u8], answer: &[u8]) -> String {
    let [request, answer] =
        [request, answer].map(|bytes| BASE64_STANDARD.encode(tlog::digest(bytes)));
    format!("{KIND}\n{method}\n{request}\n{answer}\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn signer(seed: u8) -> NoteSigner {
        NoteSigner::from_seed("policy.test", [seed; 32]).unwrap()
    }

    fn verifier(signers: &[&NoteSigner]) -> DecisionVerifier {
        let lines: Vec<&str> = signers.iter().map(|signer| signer.verifier_key()).collect();
        DecisionVerifier::parse(&lines.join("\n")).unwrap()
    }

    #[test]
    fn the_answer_to_a_question_is_signed_and_no_other() {
        let (own, next) = (signer(1), signer(2));
        let signature = sign(&own, "/a/b", b"question", b"answer").unwrap();
        let verify = |keys: &DecisionVerifier, request: &[u8], answer: &[u8], signature: &[u8]| {
            keys.verify("/a/b", request, answer, signature)
        };
        let keys = verifier(&[&own]);
        assert_eq!(verify(&keys, b"question", b"answer", signature.as_bytes()), Ok(()));
        let refused = [
            keys.verify("/a/c", b"question", b"answer", signature.as_bytes()),
            verify(&keys, b"another", b"answer", signature.as_bytes()),
            verify(&keys, b"question", b"another", signature.as_bytes()),
            verify(&keys, b"answer", b"question", signature.as_bytes()),
            verify(&keys, b"question", b"answer", b""),
            verify(&keys, b"question", b"answer", &[signature.as_bytes(), b"\n"].concat()),
            verify(&verifier(&[&next]), b"question", b"answer", signature.as_bytes()),
            // The same key under another name is another key.
            verify(
                &verifier(&[&NoteSigner::from_seed("other.test", [1; 32]).unwrap()]),
                b"question",
                b"answer",
                signature.as_bytes(),
            ),
        ];
        assert_eq!(refused, [const { Err(Error::NotSigned) }; 8]);
        // While the key changes, both count.
        let both = verifier(&[&own, &next]);
        for signer in [&own, &next] {
            let signature = sign(signer, "/a/b", b"question", b"answer").unwrap();
            assert_eq!(verify(&both, b"question", b"answer", signature.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn keys_are_read_from_their_texts_and_nothing_counts_without_one() {
        let own = signer(1);
        let again = NoteSigner::parse(own.secret_text()).unwrap();
        assert_eq!(again.verifier_key(), own.verifier_key());
        let error = |text: &str| DecisionVerifier::parse(text).err();
        assert_eq!(error(""), Some(Error::NoKey));
        assert_eq!(error("# none yet\n\n"), Some(Error::NoKey));
        assert_eq!(error("policy.test+00000000+AAAA"), Some(Error::MalformedKey));
        assert_eq!(error(&format!("# now\n{}\n", own.verifier_key())), None);
        assert!(NoteSigner::from_seed("a b", [1; 32]).is_err());
        // A further line of text before the signature is not passed off as part of it.
        let own_text = text("/a/b", b"question", b"answer");
        let longer = own.sign(format!("{own_text}\nmore\n").as_bytes()).unwrap();
        let lines = longer.strip_prefix(&format!("{own_text}\n")).unwrap().as_bytes().to_vec();
        let keys = DecisionVerifier::parse(own.verifier_key()).unwrap();
        let verified = keys.verify("/a/b", b"question", b"answer", &lines);
        assert_eq!(verified, Err(Error::NotSigned));
    }

    proptest! {
        #[test]
        fn no_changed_bit_passes(
            request in prop::collection::vec(any::<u8>(), 1..64),
            answer in prop::collection::vec(any::<u8>(), 1..64),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let own = signer(1);
            let (keys, signature) = (verifier(&[&own]), sign(&own, "/a/b", &request, &answer).unwrap());
            prop_assert_eq!(keys.verify("/a/b", &request, &answer, signature.as_bytes()), Ok(()));
            let changed = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
                bytes
            };
            prop_assert!(keys.verify("/a/b", &changed(&request), &answer, signature.as_bytes()).is_err());
            prop_assert!(keys.verify("/a/b", &request, &changed(&answer), signature.as_bytes()).is_err());
            prop_assert!(keys.verify("/a/b", &request, &answer, &changed(signature.as_bytes())).is_err());
        }
    }
}
