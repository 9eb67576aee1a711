//! A log cut into the pieces of C2SP `tlog-tiles`, entry by entry: what a copy of a log is made by, and checked by.
//!
//! It takes no more room than the pieces that are not full yet, whatever the size of the log: each row of tiles is a tree of
//! the roots of the tiles below it (RFC 6962), so the last ones alone say what the root is.

use crate::{
    Checkpoint, Error, Hash, hashes, leaf_hash, node_hash, root_over,
    tile::{self, FULL, Row, Tile},
};

/// A piece, and its bytes.
pub type Piece = (Tile, Vec<u8>);

/// A log that grows, by its pieces that are not full yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pieces {
    size: u64,
    entries: Vec<Vec<u8>>,
    /// By level.
    rows: Vec<Vec<Hash>>,
}

/// What is wrong with a copy of a log.
#[derive(Debug, thiserror::Error)]
pub enum Wrong<E> {
    /// A piece is not there, or cannot be read.
    #[error("`{0}` cannot be read")]
    Unreadable(Tile, #[source] E),
    /// A piece is not of as many entries or hashes as its place says.
    #[error("`{0}` is not of its length")]
    Malformed(Tile),
    /// A tile is not what the entries come to.
    #[error("`{0}` does not hold the hashes of the entries")]
    Differs(Tile),
    /// The tree over the entries is not the one that was signed.
    #[error("the first {0} entries are not those of the checkpoint of that size")]
    OtherRoot(u64),
    /// It ends before the checkpoint that it should extend.
    #[error(
        "it has {size} entries and ends before the checkpoint of {old}: bring it up to date first"
    )]
    Shorter {
        /// How many there are.
        size: u64,
        /// How many the checkpoint is of.
        old: u64,
    },
}

impl Pieces {
    /// The log of a checkpoint, going on from its pieces that are not full. They are checked: against one another, and against the
    /// checkpoint.
    ///
    /// # Errors
    /// What is wrong with such a piece.
    pub fn resume<E>(
        held: &Checkpoint,
        mut read: impl FnMut(&Tile) -> Result<Vec<u8>, E>,
    ) -> Result<Self, Wrong<E>> {
        let size = held.size;
        let mut pieces = Self { size, ..Self::default() };
        if let Some(bundle) = Tile::partial(Row::Entries, size) {
            pieces.entries = entries_of(&bundle, &mut read)?;
        }
        for level in (0..).take_while(|level| size.checked_shr(level * 8).is_some_and(|n| n > 0)) {
            let row = u8::try_from(level).ok().and_then(Row::hashes);
            let row = match row.and_then(|row| Tile::partial(row, size)) {
                Some(tile) => hashes_of(&tile, &mut read)?,
                None => Vec::new(),
            };
            pieces.rows.push(row);
        }
        let leaves = pieces.entries.iter().map(|entry| leaf_hash(entry));
        if !leaves.eq(pieces.rows.first().into_iter().flatten().copied()) {
            let tile = Tile::partial(Row::Hashes(0), size);
            return Err(tile.map_or(Wrong::OtherRoot(size), Wrong::Differs));
        }
        if pieces.root().is_ok_and(|root| root == held.root) {
            Ok(pieces)
        } else {
            Err(Wrong::OtherRoot(size))
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry, and gives the pieces that are full by it: a bundle, and a tile of each level that it completes.
    ///
    /// # Errors
    /// [`Error::MalformedBundle`] for an entry of more than 65,535 bytes; nothing is added then.
    pub fn push(&mut self, entry: &[u8]) -> Result<Vec<Piece>, Error> {
        tile::bundle([entry])?;
        let mut full = Vec::new();
        let mut hash = leaf_hash(entry);
        self.entries.push(entry.to_vec());
        self.size += 1;
        if self.size.is_multiple_of(FULL) {
            let entries = std::mem::take(&mut self.entries);
            let bundle = tile::bundle(entries.iter().map(Vec::as_slice))?;
            full.push((Tile::new(Row::Entries, self.size / FULL - 1, FULL), bundle));
        }
        let mut below = self.size;
        for level in 0.. {
            let Some(row) = Row::hashes(level) else { break };
            if self.rows.len() <= usize::from(level) {
                self.rows.push(Vec::new());
            }
            let Some(hashes) = self.rows.get_mut(usize::from(level)) else { break };
            hashes.push(hash);
            if !below.is_multiple_of(FULL) {
                break;
            }
            below /= FULL;
            full.push((Tile::new(row, below - 1, FULL), hashes.concat()));
            hash = above(hashes);
            hashes.clear();
        }
        Ok(full)
    }

    /// The pieces that are not full.
    ///
    /// # Errors
    /// None that [`Pieces::push`] has not refused.
    pub fn partial(&self) -> Result<Vec<Piece>, Error> {
        let mut partial = Vec::new();
        if let Some(bundle) = Tile::partial(Row::Entries, self.size) {
            partial.push((bundle, tile::bundle(self.entries.iter().map(Vec::as_slice))?));
        }
        for (level, hashes) in (0..).zip(&self.rows) {
            let row = Row::hashes(level).and_then(|row| Tile::partial(row, self.size));
            partial.extend(row.map(|tile| (tile, hashes.concat())));
        }
        Ok(partial)
    }

    /// The root over all entries (RFC 6962, section 2.1).
    ///
    /// # Errors
    /// None but for the empty log, which has a root, too.
    pub fn root(&self) -> Result<Hash, Error> {
        let peaks: Vec<Hash> = self.rows.iter().rev().flat_map(|row| peaks(row)).collect();
        root_over(&peaks)
    }
}

/// Checks a copy of a log, of which the newest checkpoint was verified: every bundle, every tile, the root, and that it extends
/// older checkpoints. Says after each bundle how far it is.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify<E>(
    newest: &Checkpoint,
    older: &[&Checkpoint],
    mut read: impl FnMut(&Tile) -> Result<Vec<u8>, E>,
    mut verified: impl FnMut(u64),
) -> Result<(), Wrong<E>> {
    if let Some(older) = older.iter().find(|older| older.size > newest.size) {
        return Err(Wrong::Shorter { size: newest.size, old: older.size });
    }
    let mut pieces = Pieces::default();
    let holds = |pieces: &Pieces| {
        let claims = older.iter().copied().chain([newest]);
        let mut of_size = claims.filter(|claim| claim.size == pieces.size);
        let holds = of_size.all(|claim| pieces.root().is_ok_and(|root| root == claim.root));
        if holds { Ok(()) } else { Err(Wrong::OtherRoot(pieces.size)) }
    };
    holds(&pieces)?;
    for bundle in Tile::all(Row::Entries, newest.size) {
        for entry in entries_of(&bundle, &mut read)? {
            let full = pieces.push(&entry).map_err(|_| Wrong::Malformed(bundle))?;
            same(full, &mut read)?;
            holds(&pieces)?;
        }
        verified(pieces.size);
    }
    same(pieces.partial().map_err(|_| Wrong::OtherRoot(pieces.size))?, &mut read)
}

/// Whether the tiles of hashes among these pieces are those that are read.
fn same<E>(
    pieces: Vec<Piece>,
    read: &mut impl FnMut(&Tile) -> Result<Vec<u8>, E>,
) -> Result<(), Wrong<E>> {
    for (tile, bytes) in pieces.into_iter().filter(|(tile, _)| tile.row() != Row::Entries) {
        if read(&tile).map_err(|error| Wrong::Unreadable(tile, error))? != bytes {
            return Err(Wrong::Differs(tile));
        }
    }
    Ok(())
}

fn entries_of<E>(
    bundle: &Tile,
    read: &mut impl FnMut(&Tile) -> Result<Vec<u8>, E>,
) -> Result<Vec<Vec<u8>>, Wrong<E>> {
    let bytes = read(bundle).map_err(|error| Wrong::Unreadable(*bundle, error))?;
    let entries = tile::entries(&bytes).map_err(|_| Wrong::Malformed(*bundle))?;
    if entries.len() as u64 != bundle.width() {
        return Err(Wrong::Malformed(*bundle));
    }
    Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
}

fn hashes_of<E>(
    tile: &Tile,
    read: &mut impl FnMut(&Tile) -> Result<Vec<u8>, E>,
) -> Result<Vec<Hash>, Wrong<E>> {
    let bytes = read(tile).map_err(|error| Wrong::Unreadable(*tile, error))?;
    let cut: Vec<_> = bytes.chunks(size_of::<Hash>()).map(<[u8]>::to_vec).collect();
    let hashes = hashes(&cut).map_err(|_| Wrong::Malformed(*tile))?;
    if hashes.len() as u64 == tile.width() { Ok(hashes) } else { Err(Wrong::Malformed(*tile)) }
}

/// The roots of the whole subtrees over the hashes of a row, the largest first.
fn peaks(mut row: &[Hash]) -> Vec<Hash> {
    let mut peaks = Vec::new();
    while let Some(log) = row.len().checked_ilog2() {
        let Some((whole, rest)) = row.split_at_checked(1 << log) else { break };
        peaks.push(above(whole));
        row = rest;
    }
    peaks
}

/// The root over as many hashes as a power of two.
fn above(hashes: &[Hash]) -> Hash {
    let mut level = hashes.to_vec();
    while let [_, _, ..] = level.as_slice() {
        level = level
            .chunks_exact(2)
            .filter_map(
                |pair| if let [left, right] = pair { Some(node_hash(left, right)) } else { None },
            )
            .collect();
    }
    level.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::collections::HashMap;

    use super::*;
    use crate::Tree;

    /// A copy of a log of so many entries, its newest checkpoint and one of each size.
    fn copy(size: u64) -> (HashMap<Tile, Vec<u8>>, Vec<Checkpoint>) {
        let (mut copy, mut checkpoints) = (HashMap::new(), Vec::new());
        let (mut pieces, mut tree) = (Pieces::default(), Tree::default());
        for number in 0..=size {
            let root = tree.root().unwrap();
            assert_eq!(pieces.root().unwrap(), root, "two ways to one root");
            let origin = "lienthong.test/log".to_owned();
            checkpoints.push(Checkpoint { origin, size: number, root });
            if number < size {
                let entry = number.to_be_bytes();
                tree.append(leaf_hash(&entry)).unwrap();
                copy.extend(pieces.push(&entry).unwrap());
            }
        }
        copy.extend(pieces.partial().unwrap());
        (copy, checkpoints)
    }

    fn reading(
        copy: &HashMap<Tile, Vec<u8>>,
    ) -> impl FnMut(&Tile) -> Result<Vec<u8>, &'static str> {
        |tile| copy.get(tile).cloned().ok_or("not there")
    }

    #[test]
    fn a_copy_has_the_pieces_of_its_size_and_holds() {
        for size in [0, 1, 2, 3, 255, 256, 257, 511, 512, 700] {
            let (copy, checkpoints) = copy(size);
            let mut expect: Vec<_> = Tile::all(Row::Entries, size).collect();
            for level in 0..3 {
                expect.extend(Tile::all(Row::Hashes(level), size));
            }
            assert_eq!(copy.len(), expect.len(), "{size}");
            assert!(expect.iter().all(|tile| copy.contains_key(tile)), "{size}");
            let newest = checkpoints.last().unwrap();
            let mut seen = Vec::new();
            for older in &checkpoints {
                seen.clear();
                verify(newest, &[older], reading(&copy), |size| seen.push(size)).unwrap();
            }
            assert_eq!(seen.last().copied().unwrap_or_default(), size);
            verify(newest, &[], reading(&copy), drop).unwrap();
        }
    }

    /// 65,536 entries fill a tile of level 1.
    #[test]
    fn a_tile_of_tiles_of_tiles_is_as_the_tree_has_it() {
        let size = 65_536 + 257;
        let (mut pieces, mut tree, mut full) = (Pieces::default(), Tree::default(), Vec::new());
        let mut stored = HashMap::new();
        for number in 0..size {
            let entry = u64::to_be_bytes(number);
            stored.extend(tree.append(leaf_hash(&entry)).unwrap());
            full.extend(pieces.push(&entry).unwrap());
        }
        assert_eq!(pieces.root(), tree.root());
        full.extend(pieces.partial().unwrap());
        let tiles: Vec<_> = full.iter().filter(|(tile, _)| tile.row() != Row::Entries).collect();
        assert_eq!(tiles.len(), 258 + 2 + 1);
        for (tile, bytes) in tiles {
            let hashes: Vec<Hash> =
                tile.hashes().unwrap().iter().map(|place| stored[place]).collect();
            assert_eq!(*bytes, hashes.concat(), "{tile}");
        }
    }

    #[test]
    fn a_copy_goes_on_where_it_ended() {
        let (whole, checkpoints) = copy(1_030);
        for stop in [0, 1, 255, 256, 300, 512, 1_029] {
            let (mut part, _) = copy(stop);
            let mut pieces = Pieces::resume(&checkpoints[stop as usize], reading(&part)).unwrap();
            for number in stop..1_030 {
                part.extend(pieces.push(&number.to_be_bytes()).unwrap());
            }
            part.extend(pieces.partial().unwrap());
            assert_eq!(pieces.root().unwrap(), checkpoints[1_030].root);
            assert!(whole.iter().all(|(tile, bytes)| part.get(tile) == Some(bytes)), "{stop}");
        }
    }

    #[test]
    fn whatever_is_changed_left_out_or_set_back_is_found() {
        let (whole, checkpoints) = copy(700);
        let newest = &checkpoints[700];
        for tile in whole.keys() {
            let mut copy = whole.clone();
            *copy.get_mut(tile).unwrap().last_mut().unwrap() ^= 1;
            verify(newest, &[], reading(&copy), drop).unwrap_err();
            copy.get_mut(tile).unwrap().pop();
            verify(newest, &[], reading(&copy), drop).unwrap_err();
            copy.remove(tile);
            assert!(matches!(
                verify(newest, &[], reading(&copy), drop),
                Err(Wrong::Unreadable(missing, "not there")) if missing == *tile
            ));
        }
        let forked = Checkpoint { root: [7; 32], ..checkpoints[300].clone() };
        assert!(matches!(
            verify(newest, &[&forked], reading(&whole), drop),
            Err(Wrong::OtherRoot(300))
        ));
        assert!(matches!(
            verify(&checkpoints[699], &[newest], reading(&whole), drop),
            Err(Wrong::Shorter { size: 699, old: 700 })
        ));
        // Whatever is not full yet is checked before anything is put to it.
        let partial = [Row::Entries, Row::Hashes(0), Row::Hashes(1)]
            .map(|row| Tile::partial(row, 700).unwrap());
        for tile in partial {
            let mut copy = whole.clone();
            *copy.get_mut(&tile).unwrap().last_mut().unwrap() ^= 1;
            Pieces::resume(newest, reading(&copy)).unwrap_err();
            copy.get_mut(&tile).unwrap().pop();
            assert!(matches!(
                Pieces::resume(newest, reading(&copy)),
                Err(Wrong::Malformed(short)) if short == tile
            ));
        }
        assert!(matches!(
            Pieces::resume(&Checkpoint { root: [7; 32], ..newest.clone() }, reading(&whole)),
            Err(Wrong::OtherRoot(700))
        ));
        assert_eq!(Pieces::default().push(&[0; 65_536]), Err(Error::MalformedBundle));
    }
}
