//! The access log's formats and arithmetic, pure: leaves and their commitments, the Merkle tree of RFC
//! 6962, checkpoints as C2SP signed notes, tlog-proof files, and the offline check of a receipt.
//!
//! | module | job |
//! |---|---|
//! | `leaf` | the 104 bytes of a leaf, the two commitments, the opening |
//! | `merkle` | growing the tree, inclusion and consistency proofs |
//! | `checkpoint` | signing and verifying checkpoints |
//! | `cosignature` | what witnesses say about checkpoints, signing and verifying it |
//! | `note` | the signed notes that checkpoints are, of any text |
//! | `key` | the texts of the keys that verify both |
//! | [`tile`] | pieces of a log, at the paths of C2SP `tlog-tiles` |
//! | [`pieces`] | a log cut into such pieces, entry by entry: to make a copy, and to check one |
//! | [`policy`] | which logs and witnesses a checkpoint must be signed by, as C2SP `tlog-policy` |
//! | `proof_file` | the C2SP `tlog-proof` text |
//! | `request` | what a caller signs of its request |
//! | [`witness`] | what a log sends a witness and what the answer means, as C2SP `tlog-witness` |
//! | `verify` | everything an outsider checks about one receipt |
//!
//! The words that define leaf and commitments stand in `audit/v1/receipt.proto`, those of what is signed in
//! `type/v1/request_signature.proto`.

mod checkpoint;
mod cosignature;
mod key;
mod leaf;
mod merkle;
mod note;
pub mod pieces;
pub mod policy;
mod proof_file;
mod request;
#[cfg(test)]
mod tests;
pub mod tile;
mod verify;
pub mod witness;

pub use checkpoint::{Checkpoint, LogSigner, LogVerifier};
pub use cosignature::{CosignatureVerifier, Cosigner};
pub use leaf::{
    LEAF_LEN, Leaf, context, digest, inner_commitment, keyed_digest, opening, outer_commitment,
    parse_opening, record_id,
};
pub use merkle::{
    Hash, Tree, consistency_needs, hashes, inclusion_needs, leaf_hash, leaf_place, node_hash,
    prove_consistency, prove_inclusion, root_over, verify_consistency, verify_inclusion,
};
pub use note::{NoteSigner, NoteVerifier};
pub use proof_file::ProofFile;
pub use request::{REQUEST_TO_SIGN_LEN, request_to_sign};
pub use verify::{Evidence, Verified, verify_receipt};

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The leaf is not 104 bytes with the right tag.
    #[error("the leaf is not of the form `lienthong/leaf/1`")]
    MalformedLeaf,
    /// The opening is shorter than a key or its context is not text.
    #[error("the opening is malformed")]
    MalformedOpening,
    /// A hash is not 32 bytes.
    #[error("a hash is not of 32 bytes")]
    MalformedHash,
    /// The inclusion or consistency proof does not lead to the root.
    #[error("the proof does not lead to the checkpoint's root")]
    ProofDoesNotHold,
    /// Hashes of the tree that a computation needs are not there.
    #[error("hashes of the tree are missing")]
    MissingHashes,
    /// A bundle of entries ends within one, or an entry is too long.
    #[error("the bundle of entries is malformed")]
    MalformedBundle,
    /// What should be a signed note is none.
    #[error("the signed note is malformed")]
    MalformedNote,
    /// The note's body is no checkpoint of this log.
    #[error("the checkpoint is malformed or of another log")]
    MalformedCheckpoint,
    /// The key did not sign the note.
    #[error("the note is not signed by this key")]
    BadSignature,
    /// A cosignature's time is out of range.
    #[error("the cosignature is malformed")]
    MalformedCosignature,
    /// A signer or verifier key text is malformed.
    #[error("the key is malformed")]
    MalformedKey,
    /// A line of a policy is not as C2SP `tlog-policy` has it.
    #[error("line {line} of the policy: {fault}")]
    MalformedPolicy {
        /// Which line, from one on.
        line: usize,
        /// What is wrong with it.
        fault: policy::Fault,
    },
    /// None of a policy's logs signed the checkpoint as its own.
    #[error("the checkpoint is not of a log that the policy names")]
    UnknownLog,
    /// Too few of a policy's witnesses cosigned the checkpoint.
    #[error("the witnesses that cosigned the checkpoint are not enough")]
    NoQuorum,
    /// The body of a request to a witness is malformed, or its proof too long.
    #[error("the request to a witness is malformed")]
    MalformedRequest,
    /// The tlog-proof text is malformed.
    #[error("the proof file is malformed")]
    MalformedProofFile,
    /// The outer commitment does not open to this request, answer and context.
    #[error("the record was made for another request, answer or caller")]
    OtherContent,
}

/// A number that is written as C2SP's formats write all of theirs: ASCII digits, without zeros in front.
fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}
