//! The log as it is shown: pieces and proofs, read when they are asked for. A checkpoint is checked against the key, entries against
//! their hashes, and proofs against the checkpoint, before they leave, so that a bit that has flipped on a disk is an outage and not an answer; a tile
//! proves itself to whoever has the checkpoint.
//!
//! Where there are witnesses, what is shown is the newest checkpoint that enough of them cosigned, and proofs lead to it; only what is
//! newer is proven to the newest that the log signed by itself.

use std::collections::HashMap;

use ::store::Store;
use tlog::{
    Hash,
    tile::{self, Tile},
};

use crate::{
    Error, Opened, Service,
    domain::Opening,
    log::Keys,
    store::{
        self, Checkpoint, cosigned,
        subject::{self, Entry, Name},
    },
};

/// A proof, and the signed checkpoint that it leads to.
pub(crate) struct Proven {
    pub(crate) proof: Vec<Hash>,
    pub(crate) checkpoint: String,
}

/// Accesses that stand under somebody.
pub(crate) struct Accesses {
    pub(crate) accesses: Vec<Access>,
    /// How many stand under each name.
    pub(crate) counts: Vec<u64>,
    /// Whether there are no more below.
    pub(crate) end_reached: bool,
    /// The signed checkpoint to which the proofs lead.
    pub(crate) checkpoint: String,
}

/// One of them.
pub(crate) struct Access {
    pub(crate) entry: Entry,
    /// Whether it must not be told yet.
    pub(crate) sealed: bool,
    /// None where it was pruned.
    pub(crate) proof: Vec<Hash>,
    pub(crate) kept: Kept,
}

/// What there is to be told of an access.
pub(crate) enum Kept {
    Whole(Box<Opening>),
    Erased,
    /// It is in the archive.
    Archived,
}

impl Service {
    /// The newest accesses under the names below an index, at most so many, each with the proof that it stands in the log; all of it
    /// of the moment of one checkpoint.
    pub(crate) async fn accesses(
        &self,
        names: &[Name],
        before: u64,
        most: u32,
    ) -> Result<Accesses, Error> {
        let Checkpoint { size, root, note } = self.shown().await?;
        let counts = subject::counts(&self.0.store, names, size).await?;
        // One more says whether there are more.
        let more = most.saturating_add(1);
        let mut entries = subject::list(&self.0.store, names, before.min(size), more).await?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let end_reached = entries.len() <= most;
        entries.truncate(most);
        let mut needs = Vec::new();
        for entry in &entries {
            needs.extend(tlog::inclusion_needs(entry.position, size)?);
        }
        let known = self.known(&needs).await?;
        let places: Vec<u64> = entries.iter().map(|entry| entry.position).collect();
        let mut openings = self.open_records(&places).await?;
        // Read last: what is pruned meanwhile is told as such, whatever of it was still there.
        let minimum = self.minimum_index().await?;
        let (mut accesses, now_ms) = (Vec::with_capacity(entries.len()), self.0.clock.now_ms());
        for mut entry in entries {
            let sealed = now_ms < entry.sealed_until_ms;
            if entry.position < minimum {
                entry.leaf = None;
                let kept = if entry.erased { Kept::Erased } else { Kept::Archived };
                accesses.push(Access { entry, sealed, proof: Vec::new(), kept });
                continue;
            }
            let proof = tlog::prove_inclusion(entry.position, size, &known)?;
            let leaf = entry.leaf.ok_or(Error::LogCorrupt("a leaf is missing"))?;
            let hash = tlog::leaf_hash(&leaf);
            let proven = tlog::verify_inclusion(entry.position, size, &hash, &proof, &root);
            proven.map_err(|_| damaged())?;
            let kept = match openings.remove(&entry.position) {
                Some(Opened::Whole(opening)) => Kept::Whole(opening),
                Some(Opened::Erased { .. } | Opened::Undone) => Kept::Erased,
                Some(Opened::Damaged | Opened::Closed) | None => {
                    return Err(Error::LogCorrupt("a record cannot be opened"));
                }
            };
            accesses.push(Access { entry, sealed, proof, kept });
        }
        Ok(Accesses { accesses, counts, end_reached, checkpoint: note })
    }

    /// The hashes of a tile; none where the log does not have it, or not yet.
    pub(crate) async fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, Error> {
        let Some(places) = tile.hashes() else { return Ok(None) };
        let hashes = self.hashes(&places).await?;
        Ok(hashes.map(|hashes| hashes.concat()))
    }

    /// The entries of a bundle; none where the log does not have it, or not yet. [`Error::Pruned`] where all of them are archived.
    pub(crate) async fn bundle(&self, bundle: &Tile) -> Result<Option<Vec<u8>>, Error> {
        // The tile of the same places has the hashes of its entries.
        let Some(places) = bundle.beside().hashes() else { return Ok(None) };
        let Some(hashes) = self.hashes(&places).await? else { return Ok(None) };
        let rows = store::whole::leaves(&self.0.store, bundle.places()).await?;
        // Read after them: it is set before anything is deleted.
        let minimum = self.minimum_index().await?;
        if bundle.places().end <= minimum {
            return Err(Error::Pruned(minimum));
        }
        let leaves = rows.values().map(|row| row.leaf.as_slice());
        if !leaves.clone().map(tlog::leaf_hash).eq(hashes) {
            return Err(Error::LogCorrupt("a stored leaf is not the one that was hashed"));
        }
        Ok(Some(tile::bundle(leaves)?))
    }

    /// The proof that the log covers a record; none where it is not so long.
    pub(crate) async fn inclusion(&self, index: u64) -> Result<Option<Proven>, Error> {
        let Some(end) = index.checked_add(1) else { return Ok(None) };
        let Some(Checkpoint { size, root, note }) = self.of_at_least(end).await? else {
            return Ok(None);
        };
        let mut needs = tlog::inclusion_needs(index, size)?;
        let own = tlog::leaf_place(index);
        needs.push(own);
        let known = self.known(&needs).await?;
        let proof = tlog::prove_inclusion(index, size, &known)?;
        let leaf = known.get(&own).ok_or(Error::Log(tlog::Error::MissingHashes))?;
        tlog::verify_inclusion(index, size, leaf, &proof, &root).map_err(|_| damaged())?;
        Ok(Some(Proven { proof, checkpoint: note }))
    }

    /// The proof that the log extends what it was at an old size; none where it is not so long.
    pub(crate) async fn consistency(&self, old: u64) -> Result<Option<Proven>, Error> {
        let Some(checkpoint) = self.of_at_least(old).await? else { return Ok(None) };
        let proof = extension(&self.0.store, old, &checkpoint).await?;
        Ok(Some(Proven { proof, checkpoint: checkpoint.note }))
    }

    /// The newest checkpoint, whoever cosigned it.
    pub(crate) async fn head(&self) -> Result<Checkpoint, Error> {
        newest(&self.0.store, &self.0.keys).await
    }

    /// The checkpoint that is shown: the newest, or the newest that is cosigned as the policy says. An empty log needs no witness.
    pub(crate) async fn shown(&self) -> Result<Checkpoint, Error> {
        // Read first, so that it is not the larger one.
        let cosigned = self.cosigned().await?;
        let newest = self.head().await?;
        let Some(policy) = &self.0.policy else { return Ok(newest) };
        match cosigned {
            Some(cosigned) if cosigned.size == newest.size => Ok(cosigned),
            // A policy may ask for no witness.
            _ if newest.size == 0 || policy.verify(&newest.note).is_ok() => Ok(newest),
            cosigned => cosigned.ok_or(Error::NotCosigned),
        }
    }

    /// The newest cosigned checkpoint, if the policy says today what it said then.
    async fn cosigned(&self) -> Result<Option<Checkpoint>, Error> {
        let Some(policy) = &self.0.policy else { return Ok(None) };
        let Some(note) = cosigned::newest(&self.0.store).await? else { return Ok(None) };
        // That it is of this log, and not of another that the policy names, the log's own key says.
        let own = self.0.keys.verifier.verify(&note).ok();
        let held = own.filter(|_| policy.verify(&note).is_ok());
        Ok(held.map(|held| Checkpoint { size: held.size, root: held.root, note }))
    }

    /// The checkpoint that is shown, if it is of so many records; else the newest, if that is.
    async fn of_at_least(&self, size: u64) -> Result<Option<Checkpoint>, Error> {
        let checkpoint = match self.shown().await {
            Ok(shown) if shown.size >= size => shown,
            Ok(_) | Err(Error::NotCosigned) => self.head().await?,
            Err(error) => return Err(error),
        };
        Ok(Some(checkpoint).filter(|checkpoint| checkpoint.size >= size))
    }

    /// The hashes at these places in their order, where all of them are there: one stands as soon as everything below it does.
    async fn hashes(&self, places: &[u64]) -> Result<Option<Vec<Hash>>, Error> {
        let stored = self.known(places).await?;
        Ok(places.iter().map(|place| stored.get(place).copied()).collect())
    }

    async fn known(&self, places: &[u64]) -> Result<HashMap<u64, Hash>, Error> {
        store::nodes(&self.0.store, places).await
    }
}

/// The newest signed checkpoint.
pub(crate) async fn newest(store: &Store, keys: &Keys) -> Result<Checkpoint, Error> {
    let head = store::head(store).await?;
    let newest = head.checkpoint.ok_or(Error::LogCorrupt("it has no checkpoint"))?;
    keys.check(&newest)?;
    Ok(newest)
}

/// The proof that a checkpoint extends the log of an old size, which is not larger.
pub(crate) async fn extension(
    store: &Store,
    old: u64,
    checkpoint: &Checkpoint,
) -> Result<Vec<Hash>, Error> {
    let Checkpoint { size, root, .. } = checkpoint;
    // Of nothing, and of itself, a log is the extension without any proof (RFC 6962, section 2.1.2).
    if old == 0 || old == *size {
        return Ok(Vec::new());
    }
    let known = store::nodes(store, &tlog::consistency_needs(old, *size)?).await?;
    let proof = tlog::prove_consistency(old, *size, &known)?;
    let edge = store::nodes(store, &tlog::Tree::edge(old)).await?;
    let before = tlog::Tree::restore(old, edge)?.root()?;
    tlog::verify_consistency((old, &before), (*size, root), &proof).map_err(|_| damaged())?;
    Ok(proof)
}

fn damaged() -> Error {
    Error::LogCorrupt("a stored hash is not the one that was signed")
}
