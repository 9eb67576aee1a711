//! The C2SP `tlog-proof` text: index, inclusion proof, checkpoint verbatim; and extra data, which is kept apart because nobody signed it.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    Error, decimal,
    merkle::{Hash, PROOF_MAX, parse_hash},
};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// What a tlog-proof file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// The leaf's index.
    pub index: u64,
    /// Hashes from the leaf's sibling upwards.
    pub proof: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl ProofFile {
    /// The text.
    pub fn to_text(&self) -> String {
        self.to_text_with_extra(None)
    }

    /// The text with extra data, which it does not authenticate.
    #[must_use]
    pub fn to_text_with_extra(&self, extra: Option<&[u8]>) -> String {
        let extra = extra.map(|extra| format!("extra {}\n", BASE64_STANDARD.encode(extra)));
        let mut text = format!("{HEADER}\n{}index {}\n", extra.unwrap_or_default(), self.index);
        for hash in &self.proof {
            text.push_str(&BASE64_STANDARD.encode(hash));
            text.push('\n');
        }
        text + "\n" + &self.checkpoint
    }

    /// Reads the text, strictly, and leaves extra data aside.
    ///
    /// # Errors
    /// [`Error::MalformedProofFile`] where it is none, or has more than 63 hashes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_with_extra(text).map(|(file, _)| file)
    }

    /// Reads the text, strictly, and its extra data as they are, if there are any. These must not be trusted: they are no part of what
    /// the log signed, and whoever passed the file on could have changed them.
    ///
    /// # Errors
    /// [`Error::MalformedProofFile`] where it is none, or has more than 63 hashes.
    pub fn parse_with_extra(text: &str) -> Result<(Self, Option<Vec<u8>>), Error> {
        let malformed = || Error::MalformedProofFile;
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(malformed)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(malformed());
        }
        let extra = lines.peek().and_then(|line| line.strip_prefix("extra "));
        let extra = extra.map(|extra| BASE64_STANDARD.decode(extra)).transpose();
        let extra = extra.map_err(|_| malformed())?;
        if extra.is_some() {
            lines.next();
        }
        let index = lines.next().and_then(|line| decimal(line.strip_prefix("index ")?));
        let index = index.ok_or_else(malformed)?;
        let proof: Option<Vec<Hash>> = lines.map(parse_hash).collect();
        let proof = proof.filter(|proof| proof.len() <= PROOF_MAX).ok_or_else(malformed)?;
        Ok((Self { index, proof, checkpoint: checkpoint.to_owned() }, extra))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use serde_json::Value;

    use super::*;
    use crate::digest;

    fn published() -> Value {
        serde_json::from_str(include_str!("../testdata/published_proof_files.json")).unwrap()
    }

    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }

    #[test]
    fn good_files_are_written_and_read_as_published() {
        for row in published()["good"].as_array().unwrap() {
            let hashed = row[3].as_array().unwrap().iter();
            let file = ProofFile {
                index: row[2].as_u64().unwrap(),
                proof: hashed.map(|hashed| digest(text(hashed).as_bytes())).collect(),
                checkpoint: text(&row[4]).to_owned(),
            };
            let extra = row[1].as_str().map(|extra| extra.as_bytes().to_vec());
            assert_eq!(file.to_text_with_extra(extra.as_deref()), text(&row[5]));
            assert_eq!(ProofFile::parse(text(&row[5])), Ok(file.clone()));
            assert_eq!(ProofFile::parse_with_extra(text(&row[5])), Ok((file, extra)));
        }
    }

    #[test]
    fn bad_files_are_refused_as_published() {
        let published = published();
        let bad = published["bad"].as_array().unwrap();
        assert_eq!(bad.len(), 8);
        for row in bad {
            assert_eq!(ProofFile::parse(text(&row[1])), Err(Error::MalformedProofFile), "{row}");
        }
    }

    #[test]
    fn the_specifications_example_is_read() {
        let published = published();
        let example = text(&published["example"]);
        let (file, extra) = ProofFile::parse_with_extra(example).unwrap();
        assert_eq!((file.index, file.proof.len()), (73_894, 5));
        assert!(file.checkpoint.starts_with("example.com/fancylog\n109482\n"));
        assert!(extra.as_ref().unwrap().starts_with(b"age-v1.2.1-darwin-arm64.tar.gz"));
        assert_eq!(file.to_text_with_extra(extra.as_deref()), example);
    }

    #[test]
    fn extra_data_have_one_line_at_their_place() {
        let file = ProofFile { index: 7, proof: vec![[1; 32]], checkpoint: "a\n".to_owned() };
        let with = |extra: &[u8]| file.to_text_with_extra(Some(extra));
        for extra in [&b""[..], b"\n\nindex 8\n"] {
            let read = ProofFile::parse_with_extra(&with(extra)).unwrap();
            assert_eq!(read, (file.clone(), Some(extra.to_vec())));
        }
        let text = with(b"xyz");
        let refused = |text: &str| {
            assert_eq!(ProofFile::parse(text), Err(Error::MalformedProofFile), "{text}");
        };
        refused(&text.replace("extra ", "extra"));
        refused(&text.replace("extra ", "Extra "));
        refused(&text.replace("extra eHl6\n", "extra eHl6\nextra eHl6\n"));
        refused(&text.replace("extra eHl6\nindex 7\n", "index 7\nextra eHl6\n"));
        refused(&text.replace("extra eHl6\n", "extra eHk\n"));
    }

    #[test]
    fn a_proof_has_no_more_hashes_than_a_tree_could_need() {
        let of = |hashes| {
            let proof = vec![[1; 32]; hashes];
            ProofFile { index: 7, proof, checkpoint: "a\n".to_owned() }
        };
        assert_eq!(ProofFile::parse(&of(63).to_text()), Ok(of(63)));
        assert_eq!(ProofFile::parse(&of(64).to_text()), Err(Error::MalformedProofFile));
    }
}
