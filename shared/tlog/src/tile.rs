//! Pieces of a log at the paths of C2SP `tlog-tiles`: tiles of 256 hashes, and bundles of 256 entries, the last ones partial.

use std::{fmt, ops::Range};

use crate::Error;

/// Hashes of a full tile, and entries of a full bundle.
pub const FULL: u64 = 256;
/// Levels of the tree that a tile spans.
const HEIGHT: u8 = 8;
/// The highest level that a path may name; of no tree of this world is there more than the eighth.
const LEVEL_MAX: u8 = 63;

/// Which row of pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Row {
    /// Tiles of hashes: level 0 has those of entries, each level above those of the tiles below.
    Hashes(u8),
    /// Bundles of entries.
    Entries,
}

impl Row {
    /// The row of hashes of a level; none above those that there are.
    #[must_use]
    pub fn hashes(level: u8) -> Option<Self> {
        (level <= LEVEL_MAX).then_some(Self::Hashes(level))
    }

    /// How many hashes or entries it has in a log of so many entries.
    fn of(self, size: u64) -> u64 {
        match self {
            Self::Entries => size,
            Self::Hashes(level) => {
                size.checked_shr(u32::from(level) * u32::from(HEIGHT)).unwrap_or_default()
            }
        }
    }
}

/// A tile or bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    row: Row,
    index: u64,
    width: u64,
}

impl Tile {
    /// A piece by its path, from `tile/` on; none where it is not written as it must be.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (row, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let row = match row {
            "entries" => Row::Entries,
            level => {
                let level = Some(level).filter(|level| digits(level) && !leads_zero(level))?;
                Row::hashes(level.parse().ok()?)?
            }
        };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, FULL),
            Some((index, width)) => {
                let width = Some(width).filter(|width| digits(width) && !leads_zero(width))?;
                (index, width.parse().ok().filter(|width| (1..FULL).contains(width))?)
            }
        };
        let mut number = 0_u64;
        let mut groups = index.split('/').peekable();
        while let Some(group) = groups.next() {
            let last = groups.peek().is_none();
            let group = if last { group } else { group.strip_prefix('x')? };
            let group = Some(group).filter(|group| group.len() == 3 && digits(group))?;
            number = number.checked_mul(1_000)?.checked_add(group.parse().ok()?)?;
        }
        let tile = Self { row, index: number, width };
        // Written in one way only: no groups of zeros in front, and nothing else that means the same.
        (tile.to_string() == path).then_some(tile)
    }

    /// A piece of so many hashes or entries, at most [`FULL`].
    #[must_use]
    pub fn new(row: Row, index: u64, width: u64) -> Self {
        Self { row, index, width: width.min(FULL) }
    }

    /// The tile of the hashes of a bundle's entries. A tile of hashes is beside itself.
    #[must_use]
    pub fn beside(&self) -> Self {
        match self.row {
            Row::Hashes(_) => *self,
            Row::Entries => Self { row: Row::Hashes(0), ..*self },
        }
    }

    /// The row that it is in.
    #[must_use]
    pub fn row(&self) -> Row {
        self.row
    }

    /// Whether a log of so many entries has it. What it had when it was smaller it has still.
    #[must_use]
    pub fn is_of(&self, size: u64) -> bool {
        let end = self.index.checked_mul(FULL).and_then(|begin| begin.checked_add(self.width));
        end.is_some_and(|end| end <= self.row.of(size))
    }

    /// The places of its hashes among those that a log stores, in their order; none where it has entries, or lies where no log
    /// reaches.
    #[must_use]
    pub fn hashes(&self) -> Option<Vec<u64>> {
        let Row::Hashes(level) = self.row else { return None };
        let level = level.checked_mul(HEIGHT).filter(|level| *level < 64)?;
        let places = self.places();
        // A place is less than twice the entries below it, and a database counts to 2^63.
        if places.end.leading_zeros() <= u32::from(level) + 2 {
            return None;
        }
        Some(places.map(|place| tlog_tiles::stored_hash_index(level, place)).collect())
    }

    /// The places of its entries, or of its hashes within their level.
    #[must_use]
    pub fn places(&self) -> Range<u64> {
        let begin = self.index.saturating_mul(FULL);
        begin..begin.saturating_add(self.width)
    }

    /// How many hashes or entries it has.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.width
    }

    /// The pieces that hold the row of a log of so many entries: full ones, and a last one that may be partial.
    pub fn all(row: Row, size: u64) -> impl Iterator<Item = Self> {
        let full = (0..row.of(size) / FULL).map(move |index| Self { row, index, width: FULL });
        full.chain(Self::partial(row, size))
    }

    /// The last piece of a row of a log of so many entries, where it is not full.
    #[must_use]
    pub fn partial(row: Row, size: u64) -> Option<Self> {
        let (index, width) = (row.of(size) / FULL, row.of(size) % FULL);
        (width > 0).then_some(Self { row, index, width })
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Row::Entries => f.write_str("tile/entries")?,
            Row::Hashes(level) => write!(f, "tile/{level}")?,
        }
        let mut groups = vec![format!("{:03}", self.index % 1_000)];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1_000));
            rest /= 1_000;
        }
        for group in groups.iter().rev() {
            write!(f, "/{group}")?;
        }
        if self.width == FULL { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn leads_zero(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0')
}

/// A bundle of entries: each with its length before it, as two bytes.
///
/// # Errors
/// [`Error::MalformedBundle`] for an entry of more than 65,535 bytes.
pub fn bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| Error::MalformedBundle)?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle.
///
/// # Errors
/// [`Error::MalformedBundle`] where it ends within an entry.
pub fn entries(mut bundle: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let mut entries = Vec::new();
    while !bundle.is_empty() {
        let (length, rest) = bundle.split_first_chunk().ok_or(Error::MalformedBundle)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(Error::MalformedBundle)?;
        entries.push(entry);
        bundle = rest;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::collections::HashMap;

    use serde_json::Value;

    use super::*;
    use crate::{Checkpoint, LogVerifier, Tree, digest, leaf_hash};

    /// As tessera's `api/layout/paths_test.go` has them.
    #[test]
    fn paths_are_those_of_the_published_table() {
        let hashes = |level, index, width| Tile { row: Row::Hashes(level), index, width };
        let entries = |index, width| Tile { row: Row::Entries, index, width };
        for (tile, path) in [
            (hashes(0, 0, 256), "tile/0/000"),
            (hashes(0, 0, 255), "tile/0/000.p/255"),
            (hashes(1, 0, 256), "tile/1/000"),
            (hashes(15, 455_667, 256), "tile/15/x455/667"),
            (hashes(15, 123_456_789, 41), "tile/15/x123/x456/789.p/41"),
            (hashes(0, 1_234_067, 89), "tile/0/x001/x234/067.p/89"),
            (
                hashes(63, 999_999_999_999_999_999, 255),
                "tile/63/x999/x999/x999/x999/x999/999.p/255",
            ),
            (entries(0, 8), "tile/entries/000.p/8"),
            (entries(255, 253), "tile/entries/255.p/253"),
            (entries(123_456_789, 256), "tile/entries/x123/x456/789"),
        ] {
            assert_eq!(tile.to_string(), path);
            assert_eq!(Tile::parse(path), Some(tile));
        }
        for path in [
            "tile/0/x001/x234/067.p/",
            "tile/0/x001/x234/067.p",
            "tile/0/x001/x234/",
            "tile/0/x001/x234",
            "tile/0/x001/",
            "tile/0/x001",
            "tile/1/x001/.p/abc",
            "tile/64/x001/002",
            "tile/-1/x001/002",
            "tile/abc/x001/002",
            "tile/8/001/002",
            "tile/8/x001/0002",
            "tile/8/x001/-002",
            "tile/8/x001/002.p/256",
            "tile/63/x999/x999/x999/x999/x999/x999/999.p/255",
            "tile/0/x000/001",
            "tile/00/001",
            "tile/0/001.p/0",
            "tile/0/001.p/01",
            "tile/0",
            "tile/",
            "",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    /// As C2SP `tlog-tiles` counts them out for a log of 70,000 entries.
    #[test]
    fn a_log_has_the_tiles_of_the_specification() {
        let paths = |level| -> Vec<String> {
            Tile::all(Row::Hashes(level), 70_000).map(|tile| tile.to_string()).collect()
        };
        let lowest = paths(0);
        assert_eq!((lowest.len(), lowest[273].as_str()), (274, "tile/0/273.p/112"));
        assert_eq!(paths(1), ["tile/1/000", "tile/1/001.p/17"]);
        assert_eq!(paths(2), ["tile/2/000.p/1"]);
        assert_eq!((paths(3).len(), paths(63).len()), (0, 0));
        let is_of = |path: &str, size| Tile::parse(path).unwrap().is_of(size);
        assert!(is_of("tile/0/273.p/112", 70_000) && is_of("tile/0/273.p/111", 70_000));
        assert!(!is_of("tile/0/273.p/113", 70_000) && !is_of("tile/0/273", 70_000));
        assert!(is_of("tile/1/001.p/17", 70_000) && !is_of("tile/1/001.p/18", 70_000));
        assert!(is_of("tile/1/000.p/1", 256) && !is_of("tile/1/000.p/1", 255));
        assert!(!is_of("tile/63/000.p/1", u64::MAX) && !is_of("tile/0/000.p/1", 0));
        for far in ["tile/8/000", "tile/7/x001/000", "tile/0/x072/x057/x594/x037/x927/935.p/1"] {
            assert_eq!(Tile::parse(far).unwrap().hashes(), None, "{far}");
        }
        assert_eq!(Tile::new(Row::Hashes(0), u64::MAX, 1).hashes(), None);
        let last = Tile::parse("tile/7/000.p/1").unwrap();
        assert_eq!(last.hashes().map(|places| places.len()), Some(1));
    }

    /// The whole published log: its checkpoints, the tile and the bundle of each size are ours of the same leaves.
    #[test]
    fn the_published_log_comes_out_byte_for_byte() {
        let log: Value =
            serde_json::from_str(include_str!("../testdata/published_log.json")).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let verifier = LogVerifier::new(&text(&log["verifier_key"])).unwrap();
        let leaves: Vec<String> = log["leaves"].as_array().unwrap().iter().map(text).collect();
        let (mut tree, mut stored) = (Tree::default(), HashMap::new());
        for size in 0..=leaves.len() {
            let note = text(&log["checkpoints"][size]);
            let Checkpoint { size: signed, root, .. } = verifier.verify(&note).unwrap();
            assert_eq!((signed, root), (size as u64, tree.root().unwrap()));
            if let Some(row) = size.checked_sub(1) {
                let tile = Tile::all(Row::Hashes(0), size as u64).next().unwrap();
                assert_eq!(tile.to_string(), format!("tile/0/000.p/{size}"));
                let hashes: Vec<[u8; 32]> =
                    tile.hashes().unwrap().iter().map(|place| stored[place]).collect();
                let published = text(&log["hash_tiles_sha256"][row]);
                assert_eq!(hex::encode(digest(&hashes.concat())), published);
                let bytes = bundle(leaves[..size].iter().map(String::as_bytes)).unwrap();
                assert_eq!(hex::encode(digest(&bytes)), text(&log["bundles_sha256"][row]));
                assert_eq!(entries(&bytes).unwrap().len(), size);
            }
            if let Some(leaf) = leaves.get(size) {
                stored.extend(tree.append(leaf_hash(leaf.as_bytes())).unwrap());
            }
        }
    }

    #[test]
    fn a_bundle_that_ends_within_an_entry_is_none() {
        assert_eq!(entries(&[]).unwrap(), Vec::<&[u8]>::new());
        for cut in [&[0_u8][..], &[0, 2, 1], &[0, 1, 7, 0]] {
            assert_eq!(entries(cut), Err(Error::MalformedBundle));
        }
        assert_eq!(bundle([&[0_u8; 65_536][..]]), Err(Error::MalformedBundle));
        assert_eq!(bundle([&[0_u8; 65_535][..]]).unwrap().len(), 65_537);
    }
}
