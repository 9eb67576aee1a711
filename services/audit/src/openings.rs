//! Records handed to inspectors, and to archives, in a file beside a copy of the log: what opens each leaf, or that nobody can any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
    ops::Range,
    sync::Arc,
};

use ::store::Store;
use server::runtime::Entropy;

pub use crate::api::opening::{Handed, Malformed};
use crate::{
    Error, FileKeys, Opened,
    api::opening,
    domain::Erasure,
    envelope::Envelope,
    migrations,
    store::{self, keys, pruning, signers},
};

/// Records that are opened at once.
const CHUNK: u64 = 1_024;
/// The most that one takes: a decision record, a certificate, and what is beside them.
const RECORD_MAX: u64 =
    (crate::domain::DECISION_MAX + crate::domain::CERTIFICATE_MAX + (4 << 10)) as u64;

/// Why records could not be handed over.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log cannot be read, or a record of it cannot be opened.
    #[error(transparent)]
    Log(#[from] Error),
    /// What was read cannot be written.
    #[error("what was read cannot be written")]
    Write(#[from] io::Error),
}

/// What was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// So many records.
    pub records: u64,
    /// From this index on: those that were asked for and are below are in the archive.
    pub from: u64,
}

/// Hands the records of these indexes to `write`, as far as there are any. Of those that are archived it hands over which were erased,
/// so that no archive brings them back. The log is only read.
///
/// # Errors
/// [`ExportError`]; what was written until then is no whole file.
pub async fn export(
    database: &str,
    kek: FileKeys,
    indexes: Range<u64>,
    write: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Exported, ExportError> {
    let store = Store::open_read_only(database, migrations()).await.map_err(Error::from)?;
    let records = Envelope::new(Arc::new(kek), Entropy::system());
    let export = Export { store: &store, records, certified: BTreeSet::new(), write };
    let exported = export.run(indexes).await;
    store.close().await;
    exported
}

struct Export<'a, W> {
    store: &'a Store,
    records: Envelope,
    /// Certificates that were written, by their SHA-256.
    certified: BTreeSet<Vec<u8>>,
    write: W,
}

impl<W: FnMut(&[u8]) -> io::Result<()>> Export<'_, W> {
    async fn run(mut self, indexes: Range<u64>) -> Result<Exported, ExportError> {
        let head = store::head(self.store).await?;
        let end = indexes.end.min(head.size);
        let from = indexes.start.max(head.minimum).min(end.max(indexes.start));
        let mut erased = pruning::erased(self.store, indexes.start..end).await?;
        for index in erased.range(..from).map(|(index, _)| *index).collect::<Vec<_>>() {
            let opened = Opened::Erased { context: String::new() };
            self.hand(index, opened, Vec::new(), erased.remove(&index))?;
        }
        let mut place = from;
        while place < end {
            let next = end.min(place.saturating_add(CHUNK));
            self.some(place..next, &mut erased).await?;
            place = next;
        }
        Ok(Exported { records: end.saturating_sub(from), from })
    }

    async fn some(
        &mut self,
        places: Range<u64>,
        erased: &mut BTreeMap<u64, Erasure>,
    ) -> Result<(), ExportError> {
        let rows = keys::rows(self.store, places.clone()).await?;
        if rows.len() as u64 != places.end - places.start {
            let minimum = pruning::minimum(self.store).await?;
            let pruned = places.start < minimum;
            let missing = Error::LogCorrupt("what opens a record is missing");
            return Err(if pruned { Error::Pruned(minimum) } else { missing }.into());
        }
        let opened = self.records.open(self.store, rows).await?;
        let signed_by = |opened: &Opened| match opened {
            Opened::Whole(opening) => opening::signed_by(opening),
            Opened::Erased { .. } | Opened::Undone | Opened::Damaged | Opened::Closed => None,
        };
        let named: Vec<Vec<u8>> = opened.values().filter_map(signed_by).collect();
        let mut certificates = signers::find(self.store, named.iter().map(Vec::as_slice)).await?;
        certificates.retain(|named, _| !self.certified.contains(named));
        for (index, opened) in opened {
            let named = signed_by(&opened);
            let certificate = named.as_ref().and_then(|named| certificates.remove(named));
            if certificate.is_some() {
                self.certified.extend(named);
            }
            self.hand(index, opened, certificate.unwrap_or_default(), erased.remove(&index))?;
        }
        Ok(())
    }

    fn hand(
        &mut self,
        index: u64,
        opened: Opened,
        certificate: Vec<u8>,
        erasure: Option<Erasure>,
    ) -> Result<(), ExportError> {
        let handed = Handed { index, opened, certificate, erasure };
        let written = opening::written(&handed);
        (self.write)(&written.ok_or(Error::LogCorrupt("a record cannot be opened"))?)?;
        Ok(())
    }
}

/// The next record of a file; none at its end.
///
/// # Errors
/// [`Malformed`] when it is no record, or the file ends in the middle of it.
pub fn next(input: &mut impl Read) -> Result<Option<Handed>, Malformed> {
    let Some(length) = length(input)? else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = input.take(length).read_to_end(&mut bytes).map_err(|_| Malformed)?;
    if read as u64 != length {
        return Err(Malformed);
    }
    opening::read(&bytes).map(Some)
}

/// A varint of at most five bytes.
fn length(input: &mut impl Read) -> Result<Option<u64>, Malformed> {
    let mut length = 0_u64;
    for place in 0..5 {
        let mut byte = [0_u8; 1];
        if input.read(&mut byte).map_err(|_| Malformed)? == 0 {
            return if place == 0 { Ok(None) } else { Err(Malformed) };
        }
        let [byte] = byte;
        length |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return if length <= RECORD_MAX { Ok(Some(length)) } else { Err(Malformed) };
        }
    }
    Err(Malformed)
}

/// Files of openings of one log, read together.
pub struct Files {
    files: Vec<File>,
    /// Certificates that came until now, by their SHA-256.
    certificates: BTreeMap<[u8; 32], Vec<u8>>,
}

struct File {
    input: Box<dyn Read + Send>,
    next: Option<Handed>,
}

impl Files {
    /// The files, each from its beginning.
    #[must_use]
    pub fn new(files: Vec<Box<dyn Read + Send>>) -> Self {
        let files = files.into_iter().map(|input| File { input, next: None }).collect();
        Self { files, certificates: BTreeMap::new() }
    }

    /// The certificate of this SHA-256, where it came until now.
    pub(crate) fn certificate(&self, thumbprint: &[u8; 32]) -> Option<Vec<u8>> {
        self.certificates.get(thumbprint).cloned()
    }

    /// What the files have of a record; none where none of them has it. Indexes are asked for in their order. Of a record that is in
    /// several an erasure counts.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn next(&mut self, index: u64) -> Result<Option<Handed>, Malformed> {
        let mut found: Option<Handed> = None;
        for file in &mut self.files {
            loop {
                let next = match file.next.take() {
                    Some(next) => next,
                    None => match next(&mut file.input)? {
                        Some(next) => next,
                        None => break,
                    },
                };
                if next.index > index {
                    file.next = Some(next);
                    break;
                }
                if !next.certificate.is_empty() {
                    let certificate = next.certificate.clone();
                    self.certificates.insert(tlog::digest(&certificate), certificate);
                }
                if next.index == index {
                    found = Some(match found {
                        Some(other) => joined(other, next),
                        None => next,
                    });
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// One of two that say something of the same record: the one that says that it was erased, with the context that the other one knows.
fn joined(one: Handed, other: Handed) -> Handed {
    let (mut erased, whole) = match (&one.opened, &other.opened) {
        (Opened::Erased { .. }, _) => (one, other),
        (_, Opened::Erased { .. }) => (other, one),
        _ => return one,
    };
    if erased.erasure.is_none() {
        erased.erasure = whole.erasure;
    }
    if let Opened::Erased { context } = &mut erased.opened
        && context.is_empty()
    {
        *context = match whole.opened {
            Opened::Whole(opening) => opening.context,
            Opened::Erased { context } => context,
            Opened::Undone | Opened::Damaged | Opened::Closed => String::new(),
        };
    }
    erased
}
