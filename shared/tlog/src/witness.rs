//! What a log and a witness say to each other, as C2SP `tlog-witness` has it: the body of `add-checkpoint`, and what its answer means.
//! Sending it is for others.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use signed_note::Signature;

use crate::{
    Checkpoint, CosignatureVerifier, Error, Hash, decimal,
    merkle::{PROOF_MAX, parse_hash},
    note::OpenNote,
};

/// The content type of a size that a witness answers with.
const SIZE: &str = "text/x.tlog.size";

/// The body of `add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// How many leaves the checkpoint had that the witness cosigned last; 0 where it never did, or where that is not known.
    pub old_size: u64,
    /// The proof that this checkpoint extends that one; empty where `old_size` is 0.
    pub proof: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// What a witness' answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It cosigned: the lines of its key, verified, to be added to the checkpoint.
    Cosigned(String),
    /// The checkpoint that it cosigned last has this many leaves, at most as many as the one that was sent: to be sent again with the
    /// proof from there.
    Behind(u64),
    /// It has cosigned a larger checkpoint, of so many leaves, or another one of this size. Others send to it, too, or the log went back
    /// to what it was before, or forked.
    Conflict(u64),
    /// It refused with this HTTP status: 400 and 422 for what was sent, 403 and 404 for a key or log that it does not know.
    Refused(u16),
    /// It does not speak the protocol, or claims a cosignature that is none.
    Malformed,
}

impl AddCheckpoint {
    /// The body's text.
    ///
    /// # Errors
    /// [`Error::MalformedRequest`] for more than 63 hashes.
    pub fn to_text(&self) -> Result<String, Error> {
        if self.proof.len() > PROOF_MAX {
            return Err(Error::MalformedRequest);
        }
        let hashes = self.proof.iter().map(|hash| BASE64_STANDARD.encode(hash) + "\n");
        let hashes: String = hashes.collect();
        Ok(format!("old {}\n{hashes}\n{}", self.old_size, self.checkpoint))
    }

    /// Reads the text, strictly. The checkpoint is taken as it stands, and verified by nobody yet.
    ///
    /// # Errors
    /// [`Error::MalformedRequest`] where it is none, or has more than 63 hashes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let malformed = || Error::MalformedRequest;
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(malformed)?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| decimal(line.strip_prefix("old ")?));
        let old_size = old_size.ok_or_else(malformed)?;
        let proof: Option<Vec<Hash>> = lines.map(parse_hash).collect();
        let proof = proof.filter(|proof| proof.len() <= PROOF_MAX).ok_or_else(malformed)?;
        Ok(Self { old_size, proof, checkpoint: checkpoint.to_owned() })
    }

    /// What a witness' answer to this means: its status, content type and body.
    #[must_use]
    pub fn answer(
        &self,
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
        witness: &CosignatureVerifier,
    ) -> Answer {
        let answer = match status {
            200 => self.cosigned(body, witness).map(Answer::Cosigned),
            409 => self.conflict(content_type, body),
            // Of this very size it has cosigned another root: no proof can lead there (C2SP tlog-witness).
            422 if self.sent().is_some_and(|sent| sent == self.old_size) => {
                Some(Answer::Conflict(self.old_size))
            }
            status => Some(Answer::Refused(status)),
        };
        answer.unwrap_or(Answer::Malformed)
    }

    /// The witness' lines out of a body, all of which must be of signatures.
    fn cosigned(&self, body: &[u8], witness: &CosignatureVerifier) -> Option<String> {
        let note = OpenNote::parse(self.checkpoint.as_bytes()).ok()?;
        let mut own = String::new();
        for line in str::from_utf8(body).ok()?.strip_suffix('\n')?.split('\n') {
            let signature = Signature::from_bytes(line.as_bytes()).ok()?;
            // C2SP: cosignatures of unknown keys must be ignored; a witness may have more keys than one.
            if witness.key().claims(&signature) {
                // A witness must say a time; zero stands for none.
                witness.time(note.text, &signature).ok().filter(|seconds| *seconds > 0)?;
                own.push_str(line);
                own.push('\n');
            }
        }
        Some(own).filter(|own| !own.is_empty())
    }

    fn conflict(&self, content_type: Option<&str>, body: &[u8]) -> Option<Answer> {
        let media = content_type?.split(';').next()?.trim();
        let size = decimal(str::from_utf8(body).ok()?.strip_suffix('\n')?)?;
        let sent = self.sent().filter(|_| media.eq_ignore_ascii_case(SIZE))?;
        // Whoever is told to send again what was just refused would do so for ever; of the size itself another root was cosigned.
        if size == self.old_size {
            return (size == sent).then_some(Answer::Conflict(size));
        }
        Some(if size <= sent { Answer::Behind(size) } else { Answer::Conflict(size) })
    }

    /// The size of the checkpoint that is sent.
    fn sent(&self) -> Option<u64> {
        let note = OpenNote::parse(self.checkpoint.as_bytes()).ok()?;
        Some(Checkpoint::parse(note.text).ok()?.size)
    }
}

#[cfg(test)]
mod tests;
