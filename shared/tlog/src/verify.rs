//! What an outsider checks about one receipt, offline.

use crate::{
    Error, Hash, Leaf, LogVerifier, digest, leaf_hash, outer_commitment, parse_opening,
    verify_inclusion,
};

/// Everything a caller holds of one call.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// The exact request bytes.
    pub request: &'a [u8],
    /// The exact answer bytes: field 1 of the response.
    pub answer: &'a [u8],
    /// The leaf.
    pub leaf: &'a [u8],
    /// The leaf's index.
    pub index: u64,
    /// The inclusion proof.
    pub proof: &'a [Hash],
    /// The signed checkpoint.
    pub checkpoint: &'a str,
    /// The opening.
    pub opening: &'a [u8],
}

/// What a verified receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// When the record was made, milliseconds since 1970.
    pub time_ms: u64,
    /// The full method that was called.
    pub method: String,
    /// Who called.
    pub caller: String,
    /// Size of the log that the checkpoint covers.
    pub size: u64,
}

/// Checks that this request got this answer, and that the log holds the record of it.
pub fn verify_receipt(evidence: &Evidence<'_>, log: &LogVerifier) -> Result<Verified, Error> {
    let leaf = Leaf::parse(evidence.leaf)?;
    let checkpoint = log.verify(evidence.checkpoint)?;
    let hash = leaf_hash(evidence.leaf);
    verify_inclusion(evidence.index, checkpoint.size, &hash, evidence.proof, &checkpoint.root)?;
    let (key, context) = parse_opening(evidence.opening)?;
    let request = digest(evidence.request);
    let answer = digest(evidence.answer);
    if outer_commitment(&key, context, &request, &answer) != leaf.outer {
        return Err(Error::OtherContent);
    }
    let (method, caller) = context
        .strip_suffix('\n')
        .and_then(|lines| lines.split_once('\n'))
        .ok_or(Error::MalformedOpening)?;
    Ok(Verified {
        time_ms: leaf.time_ms,
        method: method.to_owned(),
        caller: caller.to_owned(),
        size: checkpoint.size,
    })
}
