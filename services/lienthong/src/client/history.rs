//! Who accessed a person: the call of `AccessHistoryService`, and the proof of each access.

use anyhow::{Context as _, Result, ensure};
use contract::identity::v1::{AccessDetails, ListAccessesAnswer, ListAccessesRequest};
use tlog::{Checkpoint, Leaf};

use super::{Answered, Client, Refused};

/// Path of accesses.
pub const LIST_ACCESSES: &str = "/lienthong.identity.v1.AccessHistoryService/ListAccesses";

impl Client {
    /// Lists who accessed a person. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn list_accesses(
        &self,
        request: &ListAccessesRequest,
    ) -> Result<Result<Answered<ListAccessesAnswer>, Refused>> {
        self.call(LIST_ACCESSES, request).await
    }
}

/// Checks that something stands in the log of a verified checkpoint, which came with the answer, at the place and the time of which it is told that an
/// access was. What it was is the register's word: what proves that is opened to inspectors.
///
/// # Errors
/// What does not hold.
pub fn verify_access(access: &AccessDetails, signed: &Checkpoint) -> Result<()> {
    let proof = tlog::hashes(&access.proof)?;
    let hash = tlog::leaf_hash(&access.leaf);
    tlog::verify_inclusion(access.index, signed.size, &hash, &proof, &signed.root)
        .context("the log does not hold this record")?;
    let leaf = Leaf::parse(&access.leaf)?;
    let told = access.record_time.map(|time| (time.seconds, time.nanos / 1_000_000));
    let stated = (i64::try_from(leaf.time_ms / 1_000)?, i32::try_from(leaf.time_ms % 1_000)?);
    ensure!(told == Some(stated), "it is of another time");
    Ok(())
}
