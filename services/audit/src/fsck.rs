//! The whole log checked as it is stored: every leaf, what opens it, every hash and every checkpoint.
//!
//! Each row is held against those that it was made of, so that a bit that has flipped is found where it is: a leaf against its
//! hash, a hash against the two below it, a checkpoint against the hashes of its size and the log's key. That a checkpoint between the
//! first and the newest is missing cannot be seen: there is one for each batch, whatever its size. Of what was pruned the hashes are here,
//! and are held against those above.

use std::{collections::BTreeMap, fmt, sync::Arc};

use ::store::Store;
use server::runtime::Entropy;
use tlog::{Hash, Leaf, LogVerifier, tile::FULL};

use crate::{
    Error,
    envelope::{self, Envelope, FileKeys, Opened},
    migrations,
    signed::{self, SignedRequest},
    store::{
        keys, pruning,
        whole::{self, CheckpointRow, Ends, LeafRow},
    },
};

/// Records that are read at once.
const PAGE: u64 = 256;
/// Damages that are named; whoever has more has a larger question.
const NAMED_MAX: usize = 1_000;

/// A row that is not there, or not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The row that fences is of another size than the log.
    State(u64),
    /// The leaf of an index is missing, or not the one that was hashed.
    Leaf(u64),
    /// What opens the leaf of an index is missing, or does not open it; the leaf's keys are missing, and nobody erased them.
    Opening(u64),
    /// The keys of an index were erased, and are there again; or they are there before their time.
    Key(u64),
    /// The erasure of an index is there before its time.
    Erasure(u64),
    /// The hash at a place is missing, or not that of the two below it, or is there before its time.
    Node(u64),
    /// The request of an index was signed, and its signature does not verify: it is not one of this request, or the certificate that it
    /// names is missing, or another one.
    Signature(u64),
    /// The minimum index is one that no order can have set: not of whole bundles, or beyond the newest record.
    Minimum(u64),
    /// The checkpoint of a size is not signed by the log, or of another tree; or it is the first or the newest, and missing.
    Checkpoint(u64),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(size) => write!(f, "state, which says {size}"),
            Self::Leaf(index) => write!(f, "leaf {index}"),
            Self::Opening(index) => write!(f, "opening {index}"),
            Self::Key(index) => write!(f, "key {index}"),
            Self::Erasure(index) => write!(f, "erasure {index}"),
            Self::Node(position) => write!(f, "node {position}"),
            Self::Signature(index) => write!(f, "signature {index}"),
            Self::Minimum(index) => write!(f, "minimum index {index}"),
            Self::Checkpoint(size) => write!(f, "checkpoint {size}"),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Records that there are.
    pub size: u64,
    /// The minimum index: of the records below only the hashes are here, and were checked.
    pub pruned: u64,
    /// Records below it that are still here, because a run that prunes was stopped. It can be gone on with.
    pub left: u64,
    /// The root over them; none where the check ended before them, because too much is damaged.
    pub root: Option<Hash>,
    /// Checkpoints that hold.
    pub checkpoints: u64,
    /// Records that can be opened.
    pub openings: u64,
    /// Signatures of requests that verify, of records that were opened.
    pub signatures: u64,
    /// Records whose keys were erased: nobody can open them any more.
    pub erased: u64,
    /// Records that may open, but were not opened, because their key-encryption key was not given.
    pub unopened: u64,
    /// What is damaged, at most a thousand.
    pub damages: Vec<Damage>,
}

/// Checks a log in its database, which may grow meanwhile: what is there when it begins. Says after each page how far it is. Without
/// key-encryption keys no record is opened.
///
/// # Errors
/// When the database refuses, is away, or holds no log of this schema; [`Error::NotTakenOver`]. Damage is no error.
pub async fn fsck(
    database: &str,
    log: &LogVerifier,
    keys: Option<FileKeys>,
    checked: impl FnMut(u64),
) -> Result<Checked, Error> {
    let envelope = keys.map(|keys| Envelope::new(Arc::new(keys), Entropy::system()));
    let store = Store::open_read_only(database, migrations()).await?;
    let result = whole(&store, log, envelope.as_ref(), checked).await;
    store.close().await;
    result
}

async fn whole(
    store: &Store,
    log: &LogVerifier,
    envelope: Option<&Envelope>,
    mut checked: impl FnMut(u64),
) -> Result<Checked, Error> {
    if keys::any_clear(store).await? {
        return Err(Error::NotTakenOver);
    }
    let ends = whole::ends(store).await?;
    // All of them grow in one transaction. Whatever reaches furthest, there the log is looked for.
    let size = ends.leaves.max(ends.checkpoint).max(ends.state);
    let mut check = Check {
        log,
        minimum: pruning::minimum(store).await?,
        peaks: Vec::new(),
        checkpoints: 0,
        openings: 0,
        signatures: 0,
        erased: 0,
        unopened: 0,
        damages: Vec::new(),
    };
    check.ends(&ends, size);
    let first = whole::checkpoints(store, 0..1).await?;
    check.signed(0, first.get(&0), ends.begun)?;
    let mut begin = 0;
    while begin < size && check.damages.len() < NAMED_MAX {
        let end = size.min(begin + PAGE);
        let (mut leaves, mut rows) = (BTreeMap::new(), BTreeMap::new());
        if end > check.minimum {
            leaves = whole::leaves(store, begin..end).await?;
            rows = keys::rows(store, begin..end).await?;
            // What is pruned meanwhile is no damage; it is set before anything is deleted.
            check.minimum = pruning::minimum(store).await?;
        }
        let openings = match envelope {
            Some(envelope) => envelope.open(store, rows).await?,
            None => rows.into_iter().map(|(index, row)| (index, envelope::closed(row))).collect(),
        };
        let nodes = tlog::leaf_place(begin)..tlog::leaf_place(end);
        let nodes = whole::nodes(store, nodes).await?;
        let checkpoints = whole::checkpoints(store, begin + 1..end + 1).await?;
        for index in begin..end {
            check.record(index, leaves.get(&index), openings.get(&index), &nodes);
            let signed = index + 1;
            check.signed(signed, checkpoints.get(&signed), signed == size)?;
        }
        check.signatures(&signed::of(store, openings).await?);
        begin = end;
        checked(end);
    }
    check.damages.truncate(NAMED_MAX);
    let root = if begin == size { Some(check.root()?) } else { None };
    let Check {
        minimum: pruned, checkpoints, openings, signatures, erased, unopened, damages, ..
    } = check;
    let left = pruning::left(store, pruned).await?;
    Ok(Checked {
        size,
        pruned,
        left,
        root,
        checkpoints,
        openings,
        signatures,
        erased,
        unopened,
        damages,
    })
}

struct Check<'a> {
    log: &'a LogVerifier,
    /// Of records below it there are only hashes.
    minimum: u64,
    /// The whole subtrees so far, the largest first.
    peaks: Vec<Peak>,
    checkpoints: u64,
    openings: u64,
    signatures: u64,
    erased: u64,
    unopened: u64,
    damages: Vec<Damage>,
}

/// The hash of a whole subtree.
#[derive(Clone, Copy)]
struct Peak {
    hash: Hash,
    /// Where a leaf and its stored hash do not go together, the hash is the stored one and this is that of the leaf, until the hash
    /// above says which of them is right; with the leaf's index. Zeros where neither is there. Of what was pruned there is no leaf: it is what
    /// the hashes below come to, without an index.
    or: Option<(Option<u64>, Hash)>,
}

impl Check<'_> {
    fn damaged(&mut self, damage: Damage) {
        self.damages.push(damage);
    }

    /// What lies beyond the log would be in the way of what is to come.
    fn ends(&mut self, ends: &Ends, size: u64) {
        if ends.state != size {
            self.damaged(Damage::State(ends.state));
        }
        let minimum = self.minimum;
        if minimum > 0 && (minimum >= size || !minimum.is_multiple_of(FULL)) {
            self.damaged(Damage::Minimum(minimum));
        }
        if ends.nodes > tlog::leaf_place(size) {
            self.damaged(Damage::Node(ends.nodes - 1));
        }
        if ends.openings > size {
            self.damaged(Damage::Opening(ends.openings - 1));
        }
        if ends.keys > size {
            self.damaged(Damage::Key(ends.keys - 1));
        }
        if ends.erasures > size {
            self.damaged(Damage::Erasure(ends.erasures - 1));
        }
    }

    /// A record, with the hashes that are whole by it.
    fn record(
        &mut self,
        index: u64,
        row: Option<&LeafRow>,
        opening: Option<&Opened>,
        nodes: &BTreeMap<u64, Vec<u8>>,
    ) {
        let row = row.filter(|_| index >= self.minimum);
        let place = tlog::leaf_place(index);
        let hash =
            |place: u64| nodes.get(&place).and_then(|hash| Hash::try_from(hash.as_slice()).ok());
        let leaf = row.and_then(|row| Leaf::parse(&row.leaf).ok());
        let named =
            row.zip(leaf.as_ref()).is_some_and(|(row, leaf)| row.record_id == leaf.record_id);
        let (own, stored) = (row.map(|row| tlog::leaf_hash(&row.leaf)), hash(place));
        if stored.is_none() {
            self.damaged(Damage::Node(place));
        }
        if index >= self.minimum {
            if !named || (stored.is_some() && own != stored) {
                self.damaged(Damage::Leaf(index));
            }
            self.opening(index, leaf.as_ref(), opening);
        }
        let mut peak = match (stored, own) {
            (Some(stored), Some(own)) if own != stored => {
                Peak { hash: stored, or: Some((Some(index), own)) }
            }
            (Some(hash), _) | (None, Some(hash)) => Peak { hash, or: None },
            (None, None) => {
                Peak { hash: Hash::default(), or: Some((Some(index), Hash::default())) }
            }
        };
        // Each record completes one subtree for each two that have become one.
        for above in 1..=u64::from((index + 1).trailing_zeros()) {
            let Some(left) = self.peaks.pop() else { break };
            peak = self.joined(left, peak, (index, place + above), hash(place + above));
        }
        self.peaks.push(peak);
    }

    /// What opens a record. Where its leaf is damaged, what opens it is not to blame.
    fn opening(&mut self, index: u64, leaf: Option<&Leaf>, opening: Option<&Opened>) {
        match (opening, leaf) {
            (Some(Opened::Whole(opening)), Some(leaf)) if opening.opens(leaf) => {
                self.openings += 1;
            }
            (Some(Opened::Whole(_)), None) => {}
            (Some(Opened::Erased { .. }), _) => self.erased += 1,
            (Some(Opened::Closed), _) => self.unopened += 1,
            (Some(Opened::Undone), _) => self.damaged(Damage::Key(index)),
            (Some(Opened::Whole(_) | Opened::Damaged) | None, _) => {
                self.damaged(Damage::Opening(index));
            }
        }
    }

    /// Signatures over requests of records that were opened.
    fn signatures(&mut self, signed: &BTreeMap<u64, SignedRequest>) {
        for (index, request) in signed {
            match request.verify() {
                Ok(()) => self.signatures += 1,
                Err(_) => self.damaged(Damage::Signature(*index)),
            }
        }
    }

    /// Two subtrees that have become one by the record of an index, whose hash is stored at a place.
    fn joined(
        &mut self,
        left: Peak,
        right: Peak,
        (index, place): (u64, u64),
        stored: Option<Hash>,
    ) -> Peak {
        let made = tlog::node_hash(&left.hash, &right.hash);
        let sound = |hash| Peak { hash, or: None };
        if stored == Some(made) {
            return sound(made);
        }
        let other = |peak: Peak| peak.or.map_or(peak.hash, |(_, hash)| hash);
        if left.or.is_none() && right.or.is_none() {
            self.damaged(Damage::Node(place));
            return match stored.filter(|_| index < self.minimum) {
                Some(stored) => Peak { hash: stored, or: Some((None, made)) },
                None => sound(made),
            };
        }
        let Some(stored) = stored else {
            self.damaged(Damage::Node(place));
            return Peak { hash: made, or: left.or.or(right.or) };
        };
        // The leaves are right, and their hashes are not.
        if stored == tlog::node_hash(&other(left), &other(right)) {
            for (index, _) in [left.or, right.or].into_iter().flatten() {
                let Some(index) = index else { continue };
                let wrong =
                    self.damages.iter_mut().rev().find(|damage| **damage == Damage::Leaf(index));
                if let Some(wrong) = wrong {
                    *wrong = Damage::Node(tlog::leaf_place(index));
                }
            }
        }
        sound(stored)
    }

    /// The root over what is stored (RFC 6962, section 2.1).
    fn root(&self) -> Result<Hash, Error> {
        let peaks: Vec<Hash> = self.peaks.iter().map(|peak| peak.hash).collect();
        Ok(tlog::root_over(&peaks)?)
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
        let signed =
            std::str::from_utf8(&row.note).ok().and_then(|note| self.log.verify(note).ok());
        let signed = signed.filter(|signed| signed.size == size && row.root == signed.root);
        // Where it is not known which of a leaf and its hash is right, the checkpoint is not to blame.
        let doubtful = self.peaks.iter().any(|peak| peak.or.is_some());
        let root = self.root()?;
        match signed {
            Some(signed) if signed.root == root => self.checkpoints += 1,
            Some(_) if doubtful => {}
            Some(_) | None => self.damaged(Damage::Checkpoint(size)),
        }
        Ok(())
    }
}
