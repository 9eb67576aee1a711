//! The whole log checked as it is stored: every leaf, what opens it, every hash and every checkpoint.
//!
//! Each row is held against those that it was made of, so that a bit that has flipped is found where it is: a leaf against its
//! hash, a hash against the two below it, a checkpoint against the hashes of its size and the log's key.

use std::{collections::BTreeMap, fmt};

use ::store::Store;
use tlog::{Hash, Leaf, LogVerifier};

use crate::{
    Error, migrations,
    store::{
        self,
        whole::{self, CheckpointRow, LeafRow, OpeningRow},
    },
};

/// Records that are read at once.
const PAGE: u64 = 256;
/// Damages that are named; whoever has more has a larger question.
const NAMED_MAX: usize = 1_000;

/// A row that is not there, or not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The leaf of an index: it is missing, or not the one that was hashed.
    Leaf(u64),
    /// What opens the leaf of an index does not open it.
    Opening(u64),
    /// The hash at a place: it is missing, or not that of the two below it.
    Node(u64),
    /// The checkpoint of a size: it is missing, not signed by the log, or of another tree.
    Checkpoint(u64),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(index) => write!(f, "leaf {index}"),
            Self::Opening(index) => write!(f, "opening {index}"),
            Self::Node(position) => write!(f, "node {position}"),
            Self::Checkpoint(size) => write!(f, "checkpoint {size}"),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Records of the newest checkpoint.
    pub size: u64,
    /// The root over the stored hashes.
    pub root: Hash,
    /// Checkpoints that hold.
    pub checkpoints: u64,
    /// Records that can be opened.
    pub openings: u64,
    /// What is damaged, at most a thousand.
    pub damages: Vec<Damage>,
}

/// Checks a log in its database, which may grow meanwhile: what is there when it begins. Says after each page how far it is.
///
/// # Errors
/// When the database refuses, is away, or holds no log of this schema. Damage is no error.
pub async fn fsck(
    database: &str,
    log: &LogVerifier,
    checked: impl FnMut(u64),
) -> Result<Checked, Error> {
    let store = Store::open_read_only(database, migrations()).await?;
    let result = whole(&store, log, checked).await;
    store.close().await;
    result
}

async fn whole(
    store: &Store,
    log: &LogVerifier,
    mut checked: impl FnMut(u64),
) -> Result<Checked, Error> {
    let head = store::head(store).await?;
    let mut check =
        Check { log, peaks: Vec::new(), checkpoints: 0, openings: 0, damages: Vec::new() };
    let newest = head.checkpoint.map_or(0, |newest| newest.size);
    // State and leaves grow with the checkpoint, in one transaction.
    if head.size != newest {
        check.damaged(Damage::Checkpoint(head.size));
    }
    if head.leaves != head.size {
        check.damaged(Damage::Leaf(head.leaves.min(head.size)));
    }
    let first = whole::checkpoints(store, 0..1).await?;
    check.signed(0, first.get(&0), true)?;
    let mut begin = 0;
    while begin < head.size && check.damages.len() < NAMED_MAX {
        let end = head.size.min(begin + PAGE);
        let leaves = whole::leaves(store, begin..end).await?;
        let openings = whole::openings(store, begin..end).await?;
        let nodes = tlog::leaf_place(begin)..tlog::leaf_place(end);
        let nodes = whole::nodes(store, nodes).await?;
        let checkpoints = whole::checkpoints(store, begin + 1..end + 1).await?;
        for index in begin..end {
            check.record(index, leaves.get(&index), openings.get(&index), &nodes);
            let size = index + 1;
            check.signed(size, checkpoints.get(&size), size == head.size)?;
        }
        begin = end;
        checked(end);
    }
    check.damages.truncate(NAMED_MAX);
    let Check { checkpoints, openings, damages, .. } = check;
    let root = root(&check.peaks)?;
    Ok(Checked { size: head.size, root, checkpoints, openings, damages })
}

struct Check<'a> {
    log: &'a LogVerifier,
    /// The stored hashes of the whole subtrees so far, the largest first.
    peaks: Vec<Hash>,
    checkpoints: u64,
    openings: u64,
    damages: Vec<Damage>,
}

impl Check<'_> {
    fn damaged(&mut self, damage: Damage) {
        self.damages.push(damage);
    }

    /// A record, with the hashes that are whole by it.
    fn record(
        &mut self,
        index: u64,
        row: Option<&LeafRow>,
        opening: Option<&OpeningRow>,
        nodes: &BTreeMap<u64, Vec<u8>>,
    ) {
        let place = tlog::leaf_place(index);
        let hash =
            |place: u64| nodes.get(&place).and_then(|hash| Hash::try_from(hash.as_slice()).ok());
        let leaf = row.and_then(|row| Leaf::parse(&row.leaf).ok());
        let own = row.map(|row| tlog::leaf_hash(&row.leaf));
        let named =
            row.zip(leaf.as_ref()).is_some_and(|(row, leaf)| row.record_id == leaf.record_id);
        if !named || own != hash(place) {
            self.damaged(Damage::Leaf(index));
        }
        if let (Some(opening), Some(leaf)) = (opening, leaf) {
            if opens(opening, &leaf) {
                self.openings += 1;
            } else {
                self.damaged(Damage::Opening(index));
            }
        }
        let Some(mut peak) = hash(place).or(own) else { return self.damaged(Damage::Node(place)) };
        // Each record completes one subtree for each two that have become one.
        for above in 1..=u64::from((index + 1).trailing_zeros()) {
            let Some(left) = self.peaks.pop() else { break };
            let made = tlog::node_hash(&left, &peak);
            let stored = hash(place + above);
            if stored != Some(made) {
                self.damaged(Damage::Node(place + above));
            }
            peak = stored.unwrap_or(made);
        }
        self.peaks.push(peak);
    }

    /// The checkpoint of a size, of which there is one for each batch.
    fn signed(
        &mut self,
        size: u64,
        row: Option<&CheckpointRow>,
        must_be: bool,
    ) -> Result<(), Error> {
        let Some(row) = row else {
            if must_be {
                self.damaged(Damage::Checkpoint(size));
            }
            return Ok(());
        };
        let root = root(&self.peaks)?;
        let signed = self.log.verify(&row.note);
        if row.root == root && signed.is_ok_and(|signed| (signed.size, signed.root) == (size, root))
        {
            self.checkpoints += 1;
        } else {
            self.damaged(Damage::Checkpoint(size));
        }
        Ok(())
    }
}

fn opens(row: &OpeningRow, leaf: &Leaf) -> bool {
    let fixed = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).ok();
    let (Some(outer), Some(inner)) = (fixed(&row.outer_key), fixed(&row.inner_key)) else {
        return false;
    };
    let (Some(request), Some(answer)) = (fixed(&row.request_digest), fixed(&row.answer_digest))
    else {
        return false;
    };
    tlog::outer_commitment(&outer, &row.context, &request, &answer) == leaf.outer
        && tlog::inner_commitment(&inner, &row.decision) == leaf.inner
}

/// The root over whole subtrees (RFC 6962, section 2.1).
fn root(peaks: &[Hash]) -> Result<Hash, Error> {
    let root = peaks.iter().rev().copied().reduce(|root, left| tlog::node_hash(&left, &root));
    root.map_or_else(|| Ok(tlog::Tree::default().root()?), Ok)
}
