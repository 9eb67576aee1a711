//! The C2SP `tlog-proof` text: index, inclusion proof, checkpoint verbatim.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{Error, decimal, merkle::Hash};

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
        let mut text = format!("{HEADER}\nindex {}\n", self.index);
        for hash in &self.proof {
            text.push_str(&BASE64_STANDARD.encode(hash));
            text.push('\n');
        }
        text + "\n" + &self.checkpoint
    }

    /// Reads the text, strictly.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let malformed = || Error::MalformedProofFile;
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(malformed)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(malformed());
        }
        let index = lines.next().and_then(|line| decimal(line.strip_prefix("index ")?));
        let index = index.ok_or_else(malformed)?;
        let hash = |line: &str| BASE64_STANDARD.decode(line).ok()?.try_into().ok();
        let proof = lines.map(|line| hash(line).ok_or_else(malformed)).collect::<Result<_, _>>()?;
        Ok(Self { index, proof, checkpoint: checkpoint.to_owned() })
    }
}
