//! What opens the records, the keys that are wrapped, and their erasure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ::store::{Engine, QueryResult, Sql, Store, Transaction};
use zeroize::Zeroizing;

use super::{bytes, json, number, pruning, rows::Rows, signed, whole::value};
use crate::{
    Error,
    domain::Opening,
    envelope::{DataKey, Wrapped},
};

/// One statement, so that what belongs together is of one moment. Text is read as bytes, which need not be text any more.
const ROWS: Sql = Sql {
    sqlite: "SELECT o.position, CAST(o.context AS BLOB), o.sealed, k.day, k.wrapped, e.position \
             FROM opening o LEFT JOIN record_key k ON k.position = o.position \
                            LEFT JOIN erasure e ON e.position = o.position \
             WHERE o.position IN (SELECT value FROM json_each(?))",
    postgres: "SELECT o.position, convert_to(o.context, 'UTF8'), o.sealed, k.day, k.wrapped, e.position \
               FROM opening o LEFT JOIN record_key k ON k.position = o.position \
                              LEFT JOIN erasure e ON e.position = o.position \
               WHERE o.position = ANY(ARRAY(SELECT value::bigint \
                                            FROM json_array_elements_text($1::json) AS t(value)))",
};
const ALL_DATA_KEYS: Sql = Sql::same("SELECT day, kek, wrapped FROM data_key");
const DATA_KEYS: Sql = Sql {
    sqlite: "SELECT day, kek, wrapped FROM data_key WHERE day IN (SELECT value FROM json_each(?))",
    postgres: "SELECT day, kek, wrapped FROM data_key \
               WHERE day = ANY(ARRAY(SELECT json_array_elements_text($1::json)))",
};
const INSERT_DATA_KEY: Sql = Sql {
    sqlite: "INSERT INTO data_key (day, kek, wrapped) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO data_key (day, kek, wrapped) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
};
/// Where it is as it was read: another process may be wrapping it, too.
const REWRAP: Sql = Sql {
    sqlite: "UPDATE data_key SET kek = ?, wrapped = ? WHERE day = ? AND wrapped = ?",
    postgres: "UPDATE data_key SET kek = $1, wrapped = $2 WHERE day = $3 AND wrapped = $4",
};
const LEAVES: Sql = Sql {
    sqlite: "SELECT position FROM leaf WHERE position IN (SELECT value FROM json_each(?))",
    postgres: "SELECT position FROM leaf \
               WHERE position = ANY(ARRAY(SELECT value::bigint \
                                          FROM json_array_elements_text($1::json) AS t(value)))",
};
const INSERT_ERASURES: Sql = Sql {
    sqlite: "INSERT INTO erasure (position, document, time_ms) \
             SELECT value, ?2, ?3 FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO erasure (position, document, time_ms) \
               SELECT value::bigint, $2, $3 FROM json_array_elements_text($1::json) AS t(value) \
               ON CONFLICT DO NOTHING",
};
const DELETE_RECORD_KEYS: Sql = Sql {
    sqlite: "DELETE FROM record_key WHERE position IN (SELECT value FROM json_each(?))",
    postgres: "DELETE FROM record_key \
               WHERE position = ANY(ARRAY(SELECT value::bigint \
                                          FROM json_array_elements_text($1::json) AS t(value)))",
};
/// SQLite has one process and one writer.
const LOCK_CLEAR: Sql =
    Sql { sqlite: "SELECT 1", postgres: "LOCK TABLE opening_clear IN EXCLUSIVE MODE" };
const HAS_CLEAR: Sql = Sql {
    sqlite: "SELECT EXISTS (SELECT 1 FROM opening_clear)",
    postgres: "SELECT EXISTS (SELECT 1 FROM opening_clear)::int::bigint",
};
const TAKE_CLEAR: Sql = Sql {
    sqlite: "DELETE FROM opening_clear \
             WHERE position IN (SELECT position FROM opening_clear ORDER BY position LIMIT ?) \
             RETURNING position, outer_key, inner_key, context, request_digest, answer_digest, decision",
    postgres: "DELETE FROM opening_clear \
               WHERE position IN (SELECT position FROM opening_clear ORDER BY position LIMIT $1) \
               RETURNING position, outer_key, inner_key, context, request_digest, answer_digest, decision",
};
/// PostgreSQL leaves what was deleted in the file; this gives up the file.
const EMPTY_CLEAR: Sql =
    Sql { sqlite: "DELETE FROM opening_clear", postgres: "TRUNCATE opening_clear" };
/// What SQLite overwrote stays in the WAL until that is written back.
const CHECKPOINT: Sql = Sql::same("PRAGMA wal_checkpoint(TRUNCATE)");

/// What is kept of a record beside its leaf.
pub(crate) struct Row {
    pub(crate) context: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
    pub(crate) key: Option<RecordKey>,
    /// Whether an erasure of the key is recorded.
    pub(crate) erased: bool,
}

/// A record's keys, wrapped by the key of a day.
pub(crate) struct RecordKey {
    pub(crate) day: String,
    pub(crate) wrapped: Vec<u8>,
}

/// What is kept of the records at these positions, as far as it is there.
pub(crate) async fn rows(
    store: &Store,
    positions: impl Iterator<Item = u64>,
) -> Result<BTreeMap<u64, Row>, Error> {
    let positions: Vec<u64> = positions.collect();
    let rows = store.read(&ROWS, vec![json(&positions)?.into()]).await?;
    rows.iter().map(|row| Ok((number(row, 0)?, kept(row)?))).collect()
}

fn kept(row: &QueryResult) -> Result<Row, Error> {
    let day: Option<String> = value(row, 3)?;
    let key = match day {
        None => None,
        Some(day) => Some(RecordKey { day, wrapped: value(row, 4)? }),
    };
    let erased: Option<i64> = value(row, 5)?;
    Ok(Row { context: value(row, 1)?, sealed: value(row, 2)?, key, erased: erased.is_some() })
}

/// Every day's key.
pub(crate) async fn data_keys(store: &Store) -> Result<BTreeMap<String, Wrapped>, Error> {
    wrapped(&store.read(&ALL_DATA_KEYS, Vec::new()).await?)
}

/// The keys of these days, as far as they are there.
pub(crate) async fn data_keys_of(
    store: &Store,
    days: &BTreeSet<&str>,
) -> Result<BTreeMap<String, Wrapped>, Error> {
    wrapped(&store.read(&DATA_KEYS, vec![json(days)?.into()]).await?)
}

/// The key of a day, if there is one.
pub(crate) async fn data_key(store: &Store, day: &str) -> Result<Option<Wrapped>, Error> {
    Ok(data_keys_of(store, &BTreeSet::from([day])).await?.remove(day))
}

fn wrapped(rows: &[QueryResult]) -> Result<BTreeMap<String, Wrapped>, Error> {
    let key = |row: &QueryResult| {
        Ok((value(row, 0)?, Wrapped { kek: value(row, 1)?, bytes: value(row, 2)? }))
    };
    rows.iter().map(key).collect()
}

/// Adds the key of a day, unless another process was first.
pub(crate) async fn add_data_key(store: &Store, day: &str, key: Wrapped) -> Result<(), Error> {
    let day = day.to_owned();
    store
        .write("data key", |tx| Box::pin(async move { insert_data_key(tx, &day, key).await }))
        .await
}

/// The same in a transaction.
pub(super) async fn insert_data_key(
    tx: &Transaction,
    day: &str,
    key: Wrapped,
) -> Result<(), Error> {
    tx.execute(&INSERT_DATA_KEY, vec![day.into(), key.kek.into(), key.bytes.into()]).await?;
    Ok(())
}

/// Puts a day's key, wrapped anew, in the place of the old one. Says how many it was: none where another process was first.
pub(crate) async fn rewrapped(
    store: &Store,
    day: &str,
    old: &Wrapped,
    new: Wrapped,
) -> Result<u64, Error> {
    let values = vec![new.kek.into(), new.bytes.into(), day.into(), old.bytes.clone().into()];
    store
        .write("rewrap", |tx| {
            Box::pin(async move { Ok::<_, Error>(tx.execute(&REWRAP, values).await?) })
        })
        .await
}

/// How many records were erased that were not before, and how many of all that were named are archived.
pub(crate) struct Deleted {
    pub(crate) records: u64,
    pub(crate) archived: u64,
}

/// Deletes the keys of these records and writes down by which document, in one transaction. Of those that are archived there is only
/// that to write.
pub(crate) async fn erase(
    store: &Store,
    positions: BTreeSet<u64>,
    document: String,
    time_ms: u64,
) -> Result<Deleted, Error> {
    let (list, time) = (json(&positions)?, signed(time_ms)?);
    store
        .write("erase", move |tx| {
            Box::pin(async move {
                super::locked(tx).await?;
                let found = tx.query(&LEAVES, vec![list.clone().into()]).await?;
                let found: BTreeSet<u64> =
                    found.iter().map(|row| number(row, 0)).collect::<Result<_, _>>()?;
                let minimum = pruning::minimum_in(tx).await?;
                let mut missing = positions.difference(&found).filter(|at| **at >= minimum);
                if let Some(missing) = missing.next() {
                    return Err(Error::NoRecord(*missing));
                }
                let archived = positions.range(..minimum).count() as u64;
                if has_clear(&tx.query(&HAS_CLEAR, Vec::new()).await?)? {
                    return Err(Error::NotTakenOver);
                }
                let values = vec![list.clone().into(), document.into(), time.into()];
                let records = tx.execute(&INSERT_ERASURES, values).await?;
                tx.execute(&DELETE_RECORD_KEYS, vec![list.into()]).await?;
                Ok(Deleted { records, archived })
            })
        })
        .await
}

/// Has SQLite write back what was overwritten. PostgreSQL has its own times, which are the operator's.
pub(crate) async fn settle(store: &Store) -> Result<(), Error> {
    if store.engine() == Engine::Postgres {
        return Ok(());
    }
    let rows = store.read(&CHECKPOINT, Vec::new()).await?;
    let busy: i64 = value(rows.first().ok_or(::store::Error::NoRow)?, 0)?;
    if busy == 0 { Ok(()) } else { Err(Error::NotSettled) }
}

/// Whether openings of version 1 are left.
pub(crate) async fn any_clear(store: &Store) -> Result<bool, Error> {
    has_clear(&store.read(&HAS_CLEAR, Vec::new()).await?)
}

fn has_clear(rows: &[QueryResult]) -> Result<bool, Error> {
    Ok(number(rows.first().ok_or(::store::Error::NoRow)?, 0)? > 0)
}

/// Seals the next openings of version 1, at most so many, in one transaction, and says whether any are left. Another process that does
/// the same waits.
pub(crate) async fn take_over(store: &Store, key: Arc<DataKey>, most: u64) -> Result<bool, Error> {
    let most = signed(most)?;
    store
        .write("take over", move |tx| {
            Box::pin(async move {
                tx.execute(&LOCK_CLEAR, Vec::new()).await?;
                let rows = tx.query(&TAKE_CLEAR, vec![most.into()]).await?;
                let seal = |row: &QueryResult| Ok(key.seal(number(row, 0)?, &clear(row)?)?);
                let sealed: Vec<_> = rows.iter().map(seal).collect::<Result<_, Error>>()?;
                let mut rows = Rows::default();
                sealed.iter().for_each(|one| rows.sealed(one));
                rows.insert(tx).await?;
                let left = has_clear(&tx.query(&HAS_CLEAR, Vec::new()).await?)?;
                if !left {
                    tx.execute(&EMPTY_CLEAR, Vec::new()).await?;
                }
                Ok(left)
            })
        })
        .await
}

fn clear(row: &QueryResult) -> Result<Opening, Error> {
    Ok(Opening {
        outer_key: Zeroizing::new(bytes(row, 1)?),
        inner_key: Zeroizing::new(bytes(row, 2)?),
        context: value(row, 3)?,
        request_digest: bytes(row, 4)?,
        answer_digest: bytes(row, 5)?,
        decision: value(row, 6)?,
    })
}
