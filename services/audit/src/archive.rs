//! An archive: a copy of the log, and files of openings that were exported beside it. What is taken from it is what the log signed, and
//! what opens that.

use std::io::{self, Read};

use tlog::{
    Checkpoint, LEAF_LEN, Leaf, LogVerifier,
    pieces::{self, Wrong},
    tile::{self, Row, Tile},
};

use crate::{
    Error, Opened,
    api::opening,
    domain::{self, About, Erasure, Record},
    openings::{Files, Malformed},
};

/// Reads a piece of a copy.
pub type ReadPiece = Box<dyn FnMut(&Tile) -> io::Result<Vec<u8>> + Send>;

/// A copy of the log, with what opens its records.
pub struct Archive {
    /// The signed checkpoint of the copy, a C2SP signed note.
    pub checkpoint: String,
    /// Reads a piece of the copy.
    pub pieces: ReadPiece,
    /// Files of openings. Of a record that is in several, an erasure counts.
    pub openings: Vec<Box<dyn Read + Send>>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Entries of the copy that were verified.
    Verified(u64),
    /// Records that were deleted, or brought back.
    Done(u64),
}

/// What is wrong with an archive, or with what was to be done by it.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The log's key did not sign it, or it is no checkpoint.
    #[error("the checkpoint of the copy cannot be trusted")]
    Checkpoint(#[source] tlog::Error),
    /// A piece of the copy is missing or another one.
    #[error("the copy does not hold")]
    Copy(#[source] Wrong<io::Error>),
    /// A file of openings is none, or not whole.
    #[error("the openings: {0}")]
    Openings(#[from] Malformed),
    /// A record is not among the openings.
    #[error("record {0} is not among the openings")]
    NoOpening(u64),
    /// What is said to open a record does not.
    #[error("record {index} is not what its leaf commits to: {fields}")]
    Differs {
        /// The record.
        index: u64,
        /// What of it.
        fields: String,
    },
    /// The file says of a record that it was erased, and not by what.
    #[error(
        "the openings say of record {0} that it was erased, and not by what: export them again"
    )]
    NoErasure(u64),
    /// The openings open a record that was erased since.
    #[error("the openings open record {0}, which was erased: export them again")]
    OpensErased(u64),
    /// The openings say of a record that it was erased, and it was not.
    #[error("the openings say of record {0} that it was erased, and it was not")]
    NotErased(u64),
    /// What the openings say of a record that was erased is not what the log knows of it.
    #[error("the openings say other things of record {0}, which was erased, than the log")]
    OtherErasure(u64),
    /// A record was erased while the archive was verified.
    #[error("the log was pruned, or a record erased, meanwhile: export the openings again")]
    Meanwhile,
    /// The copy is not of all that is to be pruned.
    #[error("the copy is of {size} records, and {minimum} are to be pruned: bring it up to date")]
    Short {
        /// The copy's size.
        size: u64,
        /// Records that are to be pruned.
        minimum: u64,
    },
    /// The log signed more than it has.
    #[error("the copy is of {copy} records and the log of {log}: the database was set back")]
    SetBack {
        /// The copy's size.
        copy: u64,
        /// The log's size.
        log: u64,
    },
    /// Both are signed, and one is not an older state of the other.
    #[error("the copy is not an older state of this log: the log forked")]
    Forked,
    /// A retention is too short for what rests on it.
    #[error("a retention of {0} days is refused: at least 366 are kept")]
    Retention(u64),
    /// What is wanted to be pruned is too young.
    #[error("the retention is of {days} days: what is of {day} or later stays")]
    Young {
        /// The retention.
        days: u64,
        /// The day, in Viet Nam, of the first moment that must stay.
        day: String,
    },
    /// A record below the index is too young.
    #[error("record {index} is younger than the retention of {days} days")]
    YoungRecord {
        /// The record.
        index: u64,
        /// The retention.
        days: u64,
    },
    /// A log that is imported has to be empty.
    #[error(
        "the database is not empty: an archive is imported into one on which no process started"
    )]
    NotEmpty,
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] Error),
}

impl From<::store::Error> for ArchiveError {
    fn from(error: ::store::Error) -> Self {
        Self::Log(error.into())
    }
}

/// A record of an archive, which is what its leaf commits to.
pub(crate) struct Archived {
    pub(crate) index: u64,
    pub(crate) id: [u8; 16],
    pub(crate) time_ms: u64,
    pub(crate) leaf: [u8; LEAF_LEN],
    pub(crate) held: Held,
}

/// What an archive has of a record.
pub(crate) enum Held {
    Whole(Box<Record>),
    /// Its keys were erased; context and erasure are believed.
    Erased {
        context: String,
        erasure: Erasure,
    },
}

/// An archive whose copy is to be trusted, with its records.
pub(crate) struct Verified {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) note: String,
    pieces: ReadPiece,
    openings: Files,
}

impl Archive {
    /// Checks the copy whole: that the log signed it, every entry and every hash.
    pub(crate) fn verify(
        mut self,
        log: &LogVerifier,
        told: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Verified, ArchiveError> {
        let checkpoint = log.verify(&self.checkpoint).map_err(ArchiveError::Checkpoint)?;
        let verified = |size| told(Progress::Verified(size));
        pieces::verify(&checkpoint, &[], &mut self.pieces, verified).map_err(ArchiveError::Copy)?;
        let openings = Files::new(self.openings);
        Ok(Verified { checkpoint, note: self.checkpoint, pieces: self.pieces, openings })
    }
}

impl Verified {
    /// The records of a bundle of the copy, each opened against its leaf. Bundles are asked for in their order.
    pub(crate) fn records(&mut self, bundle: &Tile) -> Result<Vec<Archived>, ArchiveError> {
        let unreadable = |error| ArchiveError::Copy(Wrong::Unreadable(*bundle, error));
        let bytes = (self.pieces)(bundle).map_err(unreadable)?;
        let malformed = || ArchiveError::Copy(Wrong::Malformed(*bundle));
        let entries = tile::entries(&bytes).map_err(|_| malformed())?;
        if entries.len() as u64 != bundle.width() {
            return Err(malformed());
        }
        bundle.places().zip(entries).map(|(index, entry)| self.archived(index, entry)).collect()
    }

    /// The bundles of its first records.
    pub(crate) fn bundles(size: u64) -> impl Iterator<Item = Tile> {
        Tile::all(Row::Entries, size)
    }
}

impl Verified {
    fn archived(&mut self, index: u64, entry: &[u8]) -> Result<Archived, ArchiveError> {
        let differs = |fields: &str| ArchiveError::Differs { index, fields: fields.to_owned() };
        let leaf = Leaf::parse(entry).map_err(|_| differs("leaf"))?;
        let handed = self.openings.next(index)?.ok_or(ArchiveError::NoOpening(index))?;
        let held = match handed.opened {
            Opened::Whole(opening) => {
                let signed_by = opening::signed_by(&opening);
                let named = signed_by.and_then(|by| <[u8; 32]>::try_from(by).ok());
                let certificate = named.and_then(|by| self.openings.certificate(&by));
                let parts = opening::parts(entry, *opening, certificate.unwrap_or_default());
                // As when it came: whatever was taken then is taken now.
                let record = domain::check(parts).map_err(|faults| {
                    let fields: Vec<&str> = faults.iter().map(|(field, _)| *field).collect();
                    differs(&fields.join(", "))
                })?;
                Held::Whole(Box::new(record))
            }
            Opened::Erased { context } => {
                let erasure = handed.erasure.ok_or(ArchiveError::NoErasure(index))?;
                Held::Erased { context, erasure }
            }
            Opened::Undone | Opened::Damaged | Opened::Closed => return Err(differs("opening")),
        };
        let (id, time_ms, leaf) = (leaf.record_id, leaf.time_ms, leaf.to_bytes());
        Ok(Archived { index, id, time_ms, leaf, held })
    }
}

impl Archived {
    /// Under whom it stands.
    pub(crate) fn about(&mut self) -> Option<About> {
        let time_ms = self.time_ms;
        match &mut self.held {
            Held::Whole(record) => record.about.take(),
            Held::Erased { erasure, .. } => erasure.under.take().map(|under| About {
                subject: under.subject,
                time_ms,
                sealed_until_ms: under.sealed_until_ms,
            }),
        }
    }
}
