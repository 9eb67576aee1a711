//! The Merkle tree of RFC 6962, grown at its right edge. Only the edge is kept in memory; every
//! completed subtree's hash is handed out to be stored, numbered as `tlog_tiles` numbers them.

use std::{cell::RefCell, collections::HashMap};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tlog_tiles::{Hash as TileHash, HashReader};

use crate::Error;

/// A hash of the tree.
pub type Hash = [u8; 32];

/// The hash of a leaf.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    tlog_tiles::record_hash(leaf).0
}

/// The hash of two subtrees side by side.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    tlog_tiles::node_hash(TileHash(*left), TileHash(*right)).0
}

/// The root over whole subtrees, the largest first (RFC 6962, section 2.1): from right to left each is the right one beside the next.
pub fn root_over(peaks: &[Hash]) -> Result<Hash, Error> {
    let root = peaks.iter().rev().copied().reduce(|root, left| node_hash(&left, &root));
    root.map_or_else(|| Tree::default().root(), Ok)
}

/// The place of the hash of leaf `index` among those that are stored.
pub fn leaf_place(index: u64) -> u64 {
    tlog_tiles::stored_hash_index(0, index)
}

/// Hashes as they come off the wire.
pub fn hashes(proof: &[Vec<u8>]) -> Result<Vec<Hash>, Error> {
    proof.iter().map(|h| Hash::try_from(h.as_slice()).map_err(|_| Error::MalformedHash)).collect()
}

/// How many hashes a proof has at most that is sent or read as text: no tree of this world needs more (C2SP `tlog-witness`).
pub(crate) const PROOF_MAX: usize = 63;

/// A hash as a line of a proof has it.
pub(crate) fn parse_hash(line: &str) -> Option<Hash> {
    BASE64_STANDARD.decode(line).ok()?.try_into().ok()
}

/// A tree that grows. `known` holds at least the hashes of its right edge.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    size: u64,
    known: HashMap<u64, Hash>,
}

impl Tree {
    /// The stored hashes that a tree of `size` leaves needs to go on growing.
    pub fn edge(size: u64) -> Vec<u64> {
        if size == 0 { Vec::new() } else { tlog_tiles::sub_tree_index(0, size, Vec::new()) }
    }

    /// A tree of `size` leaves from the hashes named by [`Tree::edge`].
    pub fn restore(size: u64, known: HashMap<u64, Hash>) -> Result<Self, Error> {
        let tree = Self { size, known };
        if Self::edge(size).iter().all(|i| tree.known.contains_key(i)) {
            Ok(tree)
        } else {
            Err(Error::MissingHashes)
        }
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf and gives the hashes that it completed, by their stored index.
    pub fn append(&mut self, leaf: Hash) -> Result<Vec<(u64, Hash)>, Error> {
        let new =
            tlog_tiles::stored_hashes_for_record_hash(self.size, TileHash(leaf), &Map(&self.known))
                .map_err(|_| Error::MissingHashes)?;
        let first = tlog_tiles::stored_hash_index(0, self.size);
        let new: Vec<_> = (first..).zip(new.into_iter().map(|h| h.0)).collect();
        self.known.extend(new.iter().copied());
        self.size += 1;
        Ok(new)
    }

    /// The root.
    pub fn root(&self) -> Result<Hash, Error> {
        tlog_tiles::tree_hash(self.size, &Map(&self.known))
            .map(|h| h.0)
            .map_err(|_| Error::MissingHashes)
    }

    /// The hashes at hand: the edge, and whatever was added since [`Tree::forget`].
    pub fn known(&self) -> &HashMap<u64, Hash> {
        &self.known
    }

    /// Keeps the edge only.
    pub fn forget(&mut self) {
        let edge = Self::edge(self.size);
        self.known.retain(|index, _| edge.contains(index));
    }
}

/// Which stored hashes the inclusion proof of leaf `index` in a tree of `size` needs.
pub fn inclusion_needs(index: u64, size: u64) -> Result<Vec<u64>, Error> {
    needs(|reader| tlog_tiles::prove_record(size, index, reader).map(drop))
}

/// The inclusion proof of leaf `index` in a tree of `size`.
pub fn prove_inclusion(
    index: u64,
    size: u64,
    known: &HashMap<u64, Hash>,
) -> Result<Vec<Hash>, Error> {
    tlog_tiles::prove_record(size, index, &Map(known))
        .map(|proof| proof.into_iter().map(|h| h.0).collect())
        .map_err(|_| Error::MissingHashes)
}

/// Checks an inclusion proof.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), Error> {
    let proof = proof.iter().copied().map(TileHash).collect();
    tlog_tiles::check_record(&proof, size, TileHash(*root), index, TileHash(*leaf))
        .map_err(|_| Error::ProofDoesNotHold)
}

/// Which stored hashes the proof that a tree of `size` extends one of `old` needs.
pub fn consistency_needs(old: u64, size: u64) -> Result<Vec<u64>, Error> {
    needs(|reader| tlog_tiles::prove_tree(size, old, reader).map(drop))
}

/// The proof that a tree of `size` extends one of `old` leaves.
pub fn prove_consistency(
    old: u64,
    size: u64,
    known: &HashMap<u64, Hash>,
) -> Result<Vec<Hash>, Error> {
    tlog_tiles::prove_tree(size, old, &Map(known))
        .map(|proof| proof.into_iter().map(|h| h.0).collect())
        .map_err(|_| Error::MissingHashes)
}

/// Checks a consistency proof.
pub fn verify_consistency(
    old: (u64, &Hash),
    new: (u64, &Hash),
    proof: &[Hash],
) -> Result<(), Error> {
    let proof = proof.iter().copied().map(TileHash).collect();
    tlog_tiles::check_tree(&proof, new.0, TileHash(*new.1), old.0, TileHash(*old.1))
        .map_err(|_| Error::ProofDoesNotHold)
}

/// Asks the proof maker which hashes it would read: all of them in one call.
fn needs(prove: impl FnOnce(&Wishes) -> Result<(), tlog_tiles::Error>) -> Result<Vec<u64>, Error> {
    let wishes = Wishes(RefCell::default());
    prove(&wishes).map_err(|_| Error::ProofDoesNotHold)?;
    Ok(wishes.0.into_inner())
}

struct Wishes(RefCell<Vec<u64>>);

impl HashReader for Wishes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<TileHash>, tlog_tiles::Error> {
        self.0.borrow_mut().extend(indexes);
        Ok(vec![TileHash([0; 32]); indexes.len()])
    }
}

struct Map<'a>(&'a HashMap<u64, Hash>);

impl HashReader for Map<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<TileHash>, tlog_tiles::Error> {
        let missing = || tlog_tiles::Error::InvalidInput("hash not known".into());
        indexes.iter().map(|i| self.0.get(i).copied().map(TileHash).ok_or_else(missing)).collect()
    }
}
