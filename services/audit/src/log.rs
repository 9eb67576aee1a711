//! The log as this process holds it: its right edge and its newest checkpoint, read from the store and
//! verified, and grown batch by batch.

use std::{collections::HashMap, sync::Arc};

use ::store::Store;
use tlog::{Hash, LogSigner, LogVerifier, Tree};

use crate::{
    Error,
    domain::Record,
    envelope::Envelope,
    store::{self, Checkpoint, Growth},
};

/// The log's key, in both its halves, and what wraps the keys of its records.
pub(crate) struct Keys {
    pub(crate) signer: LogSigner,
    pub(crate) verifier: LogVerifier,
    pub(crate) records: Envelope,
}

impl Keys {
    /// Whether the log's key signed a stored checkpoint, and it is what the note states.
    pub(crate) fn check(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let signed = self.verifier.verify(&checkpoint.note);
        let signed =
            signed.map_err(|_| Error::LogCorrupt("our key did not sign its checkpoint"))?;
        if (signed.size, signed.root) == (checkpoint.size, checkpoint.root) {
            Ok(())
        } else {
            Err(Error::LogCorrupt("a checkpoint is not what its note states"))
        }
    }
}

/// A log whose stored root is the one that its newest signed checkpoint states.
pub(crate) struct Log {
    tree: Tree,
    epoch: u64,
    checkpoint: Checkpoint,
}

impl Log {
    /// Takes the log over at start: makes it when there is none, verifies it, and only then fences
    /// whoever had it before.
    pub(crate) async fn take(store: &Store, keys: &Keys, time_ms: u64) -> Result<Self, Error> {
        let head = store::head(store).await?;
        if head.size == 0 && head.checkpoint.is_none() {
            let checkpoint = sign(&keys.signer, &Tree::default())?;
            store::begin(store, checkpoint, time_ms).await?;
        }
        let log = Self::load(store, keys).await?;
        let epoch = store::new_epoch(store).await?;
        Ok(Self { epoch, ..log })
    }

    /// Reads the log and verifies it. The epoch is the one that stands: whoever was fenced goes on
    /// after the one that fenced it, so two processes can follow each other without end.
    pub(crate) async fn load(store: &Store, keys: &Keys) -> Result<Self, Error> {
        let head = store::head(store).await?;
        let checkpoint = head.checkpoint.ok_or(Error::LogCorrupt("it has no checkpoint"))?;
        keys.check(&checkpoint)?;
        if head.leaves != head.size {
            return Err(Error::LogCorrupt("its leaves are not as many as its size says"));
        }
        if head.minimum > 0 && head.minimum >= head.size {
            return Err(Error::LogCorrupt("its minimum index is beyond its records"));
        }
        let edge = store::nodes(store, &Tree::edge(head.size)).await?;
        let tree = Tree::restore(head.size, edge);
        let tree = tree.map_err(|_| Error::LogCorrupt("hashes of its edge are missing"))?;
        if (tree.size(), tree.root()?) != (checkpoint.size, checkpoint.root) {
            return Err(Error::LogCorrupt("its root is not that of its checkpoint"));
        }
        Ok(Self { tree, epoch: head.epoch, checkpoint })
    }

    /// Whether this log extends what `seen` states. It does not when the database was set back to an
    /// older state: to go on would give one index to two records.
    pub(crate) async fn extends(&self, seen: &Checkpoint, store: &Store) -> Result<(), Error> {
        if seen.size == 0 {
            return Ok(());
        }
        let set_back = |_| Error::LogCorrupt("it does not extend what this process has answered");
        let size = self.checkpoint.size;
        let needs = tlog::consistency_needs(seen.size, size).map_err(set_back)?;
        let known = store::nodes(store, &needs).await?;
        let proof = tlog::prove_consistency(seen.size, size, &known).map_err(set_back)?;
        let (old, new) = ((seen.size, &seen.root), (size, &self.checkpoint.root));
        tlog::verify_consistency(old, new, &proof).map_err(set_back)
    }

    /// The newest checkpoint.
    pub(crate) fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The size and the epoch that the stored log must still have, for this one to grow.
    pub(crate) fn as_seen(&self) -> (u64, u64) {
        (self.checkpoint.size, self.epoch)
    }

    /// This log with these records behind it, and what is to be stored for that.
    pub(crate) fn grown(
        &self,
        records: Vec<Arc<Record>>,
        signer: &LogSigner,
        time_ms: u64,
    ) -> Result<(Self, Growth), Error> {
        let mut tree = self.tree.clone();
        let mut nodes = Vec::with_capacity(records.len() * 2);
        for record in &records {
            nodes.extend(tree.append(tlog::leaf_hash(&record.leaf))?);
        }
        let checkpoint = sign(signer, &tree)?;
        let from = self.as_seen();
        let growth = Growth { from, records, nodes, checkpoint: checkpoint.clone(), time_ms };
        Ok((Self { tree, epoch: self.epoch, checkpoint }, growth))
    }

    /// The inclusion proofs of these indexes to the newest checkpoint. What was added last is at hand;
    /// for older leaves the hashes are read.
    pub(crate) async fn prove(
        &self,
        indexes: impl Iterator<Item = u64> + Clone,
        store: &Store,
    ) -> Result<HashMap<u64, Vec<Hash>>, Error> {
        let (size, known) = (self.checkpoint.size, self.tree.known());
        let mut missing = Vec::new();
        for index in indexes.clone() {
            let needs = tlog::inclusion_needs(index, size)?;
            missing.extend(needs.into_iter().filter(|position| !known.contains_key(position)));
        }
        let mut hashes = std::borrow::Cow::Borrowed(known);
        if !missing.is_empty() {
            hashes.to_mut().extend(store::nodes(store, &missing).await?);
        }
        indexes.map(|index| Ok((index, tlog::prove_inclusion(index, size, &hashes)?))).collect()
    }

    /// Keeps of the tree only what it needs to grow.
    pub(crate) fn forget(&mut self) {
        self.tree.forget();
    }
}

/// The signed checkpoint of a tree.
pub(crate) fn sign(signer: &LogSigner, tree: &Tree) -> Result<Checkpoint, Error> {
    let (size, root) = (tree.size(), tree.root()?);
    Ok(Checkpoint { size, root, note: signer.sign(size, &root)? })
}
