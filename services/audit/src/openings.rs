//! Records handed to inspectors in a file, beside a copy of the log: what opens each leaf, or that nobody can any more.

use std::{
    io::{self, Read},
    ops::Range,
    sync::Arc,
};

use ::store::Store;
use server::runtime::Entropy;

pub use crate::api::opening::{Handed, Malformed};
use crate::{
    Error, FileKeys,
    api::opening,
    envelope::Envelope,
    migrations,
    store::{self, keys},
};

/// Records that are opened at once.
const CHUNK: u64 = 1_024;
/// The most that one takes: a decision record and what is beside it.
const RECORD_MAX: u64 = (crate::domain::DECISION_MAX as u64) + (4 << 10);

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

/// Hands the records of these indexes to `write`, as far as there are any; says how many there were. The log is only read.
///
/// # Errors
/// [`ExportError`]; what was written until then is no whole file.
pub async fn export(
    database: &str,
    kek: FileKeys,
    indexes: Range<u64>,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<u64, ExportError> {
    let store = Store::open_read_only(database, migrations()).await.map_err(Error::from)?;
    let records = Envelope::new(Arc::new(kek), Entropy::system());
    let exported = async {
        let end = indexes.end.min(store::head(&store).await?.size);
        let (mut place, mut count) = (indexes.start, 0);
        while place < end {
            let next = end.min(place.saturating_add(CHUNK));
            let rows = keys::rows(&store, place..next).await?;
            if rows.len() as u64 != next - place {
                return Err(Error::LogCorrupt("what opens a record is missing").into());
            }
            for (index, opened) in records.open(&store, rows).await? {
                let handed = opening::written(&Handed { index, opened });
                write(&handed.ok_or(Error::LogCorrupt("a record cannot be opened"))?)?;
                count += 1;
            }
            place = next;
        }
        Ok(count)
    }
    .await;
    store.close().await;
    exported
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
