//! The tables as they are, a page at a time: whatever a row holds, it is given out. Text is read as bytes, which need not be text.

use std::{collections::BTreeMap, ops::Range};

use ::store::{QueryResult, Sql, Store, TryGetable, Value};

use super::{number, signed};
use crate::Error;

/// Of one moment, although others may be appending.
const ENDS: Sql = Sql::same(
    "SELECT (SELECT size FROM log_state WHERE id = 1), \
            (SELECT COALESCE(MAX(position) + 1, 0) FROM leaf), \
            (SELECT COALESCE(MAX(position) + 1, 0) FROM opening), \
            (SELECT COALESCE(MAX(position) + 1, 0) FROM record_key), \
            (SELECT COALESCE(MAX(position) + 1, 0) FROM erasure), \
            (SELECT COALESCE(MAX(position) + 1, 0) FROM node), \
            (SELECT COALESCE(MAX(size), 0) FROM checkpoint), \
            (SELECT COUNT(*) FROM checkpoint)",
);
const LEAVES: Sql = Sql {
    sqlite: "SELECT position, record_id, leaf FROM leaf WHERE position >= ? AND position < ?",
    postgres: "SELECT position, record_id, leaf FROM leaf WHERE position >= $1 AND position < $2",
};
const NODES: Sql = Sql {
    sqlite: "SELECT position, hash FROM node WHERE position >= ? AND position < ?",
    postgres: "SELECT position, hash FROM node WHERE position >= $1 AND position < $2",
};
const CHECKPOINTS: Sql = Sql {
    sqlite: "SELECT size, root, CAST(note AS BLOB) FROM checkpoint WHERE size >= ? AND size < ?",
    postgres: "SELECT size, root, convert_to(note, 'UTF8') FROM checkpoint \
               WHERE size >= $1 AND size < $2",
};

/// A row of `leaf`.
pub(crate) struct LeafRow {
    pub(crate) record_id: Vec<u8>,
    pub(crate) leaf: Vec<u8>,
}

/// A row of `checkpoint`.
pub(crate) struct CheckpointRow {
    pub(crate) root: Vec<u8>,
    pub(crate) note: Vec<u8>,
}

/// Where each table ends.
pub(crate) struct Ends {
    /// What the row says that fences.
    pub(crate) state: u64,
    pub(crate) leaves: u64,
    pub(crate) openings: u64,
    pub(crate) keys: u64,
    pub(crate) erasures: u64,
    pub(crate) nodes: u64,
    /// The size of the newest checkpoint; 0, too, where there is none.
    pub(crate) checkpoint: u64,
    /// Whether a process ever started on it.
    pub(crate) begun: bool,
}

pub(crate) async fn ends(store: &Store) -> Result<Ends, Error> {
    let rows = store.read(&ENDS, Vec::new()).await?;
    let row = rows.first().ok_or(Error::LogCorrupt("the state row is missing"))?;
    let count = |index| number(row, index);
    Ok(Ends {
        state: count(0)?,
        leaves: count(1)?,
        openings: count(2)?,
        keys: count(3)?,
        erasures: count(4)?,
        nodes: count(5)?,
        checkpoint: count(6)?,
        begun: count(7)? > 0,
    })
}

pub(crate) async fn leaves(
    store: &Store,
    places: Range<u64>,
) -> Result<BTreeMap<u64, LeafRow>, Error> {
    rows(store, &LEAVES, places, |row| {
        Ok(LeafRow { record_id: value(row, 1)?, leaf: value(row, 2)? })
    })
    .await
}

pub(crate) async fn nodes(
    store: &Store,
    places: Range<u64>,
) -> Result<BTreeMap<u64, Vec<u8>>, Error> {
    rows(store, &NODES, places, |row| value(row, 1)).await
}

pub(crate) async fn checkpoints(
    store: &Store,
    sizes: Range<u64>,
) -> Result<BTreeMap<u64, CheckpointRow>, Error> {
    rows(store, &CHECKPOINTS, sizes, |row| {
        Ok(CheckpointRow { root: value(row, 1)?, note: value(row, 2)? })
    })
    .await
}

async fn rows<T>(
    store: &Store,
    sql: &Sql,
    range: Range<u64>,
    row: impl Fn(&QueryResult) -> Result<T, Error>,
) -> Result<BTreeMap<u64, T>, Error> {
    let values: Vec<Value> = vec![signed(range.start)?.into(), signed(range.end)?.into()];
    let rows = store.read(sql, values).await?;
    rows.iter().map(|found| Ok((number(found, 0)?, row(found)?))).collect()
}

pub(super) fn value<T: TryGetable>(row: &QueryResult, index: usize) -> Result<T, Error> {
    Ok(row.try_get_by(index).map_err(::store::Error::from)?)
}
