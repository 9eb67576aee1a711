//! The log's tables, on both engines. The only place with SQL.

pub(crate) mod archived;
pub(crate) mod cosigned;
pub(crate) mod keys;
pub(crate) mod period;
pub(crate) mod pruning;
mod rows;
pub(crate) mod signers;
pub(crate) mod subject;
pub(crate) mod whole;

use std::{collections::HashMap, sync::Arc};

use ::store::{Migration, QueryResult, Sql, Store, Transaction};
use serde::Serialize;
use tlog::{Hash, LEAF_LEN};

use self::rows::Rows;
use crate::{Error, domain::Record, envelope::DataKey};

pub(crate) static MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "log",
        sqlite: include_str!("../migrations/sqlite/0001_log.sql"),
        postgres: include_str!("../migrations/postgres/0001_log.sql"),
    },
    Migration {
        version: 2,
        name: "witnesses",
        sqlite: include_str!("../migrations/sqlite/0002_witnesses.sql"),
        postgres: include_str!("../migrations/postgres/0002_witnesses.sql"),
    },
    Migration {
        version: 3,
        name: "keys",
        sqlite: include_str!("../migrations/sqlite/0003_keys.sql"),
        postgres: include_str!("../migrations/postgres/0003_keys.sql"),
    },
    Migration {
        version: 4,
        name: "subject",
        sqlite: include_str!("../migrations/sqlite/0004_subject.sql"),
        postgres: include_str!("../migrations/postgres/0004_subject.sql"),
    },
    Migration {
        version: 5,
        name: "alive",
        sqlite: include_str!("../migrations/sqlite/0005_alive.sql"),
        postgres: include_str!("../migrations/postgres/0005_alive.sql"),
    },
    Migration {
        version: 6,
        name: "signers",
        sqlite: include_str!("../migrations/sqlite/0006_signers.sql"),
        postgres: include_str!("../migrations/postgres/0006_signers.sql"),
    },
    Migration {
        version: 7,
        name: "leaf_time",
        sqlite: include_str!("../migrations/sqlite/0007_leaf_time.sql"),
        postgres: include_str!("../migrations/postgres/0007_leaf_time.sql"),
    },
    Migration {
        version: 8,
        name: "pruning",
        sqlite: include_str!("../migrations/sqlite/0008_pruning.sql"),
        postgres: include_str!("../migrations/postgres/0008_pruning.sql"),
    },
];

/// One statement, so that state and checkpoint are of one moment although others may be appending.
const HEAD: Sql = Sql::same(
    "SELECT s.size, s.epoch, c.size, c.root, c.note, \
            (SELECT COALESCE(MAX(position) + 1, 0) FROM leaf), \
            (SELECT COALESCE(MAX(minimum), 0) FROM pruning) \
     FROM log_state s \
     LEFT JOIN checkpoint c ON c.size = (SELECT MAX(size) FROM checkpoint) \
     WHERE s.id = 1",
);
const NEW_EPOCH: Sql =
    Sql::same("UPDATE log_state SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch");
/// The fence: no row is touched unless the log is as this process last saw it.
const ADVANCE: Sql = Sql {
    sqlite: "UPDATE log_state SET size = ? WHERE id = 1 AND size = ? AND epoch = ?",
    postgres: "UPDATE log_state SET size = $1 WHERE id = 1 AND size = $2 AND epoch = $3",
};
/// What is erased and what is pruned follow on one another: each looks at what the other one has written. SQLite has one writer.
const LOCK: Sql =
    Sql { sqlite: "SELECT 1", postgres: "SELECT 1 FROM log_state WHERE id = 1 FOR UPDATE" };
/// Several processes may find the log empty at once; with the same key they sign the same bytes.
const INSERT_FIRST_CHECKPOINT: Sql = Sql {
    sqlite: "INSERT INTO checkpoint (size, root, note, time_ms) VALUES (0, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO checkpoint (size, root, note, time_ms) VALUES (0, $1, $2, $3) \
               ON CONFLICT DO NOTHING",
};
const NODES: Sql = Sql {
    sqlite: "SELECT position, hash FROM node WHERE position IN (SELECT value FROM json_each(?))",
    postgres: "SELECT position, hash FROM node \
               WHERE position = ANY(ARRAY(SELECT value::bigint \
                                          FROM json_array_elements_text($1::json) AS t(value)))",
};
const FIND: Sql = Sql {
    sqlite: "SELECT record_id, position, leaf FROM leaf \
             WHERE record_id IN (SELECT unhex(value) FROM json_each(?))",
    postgres: "SELECT record_id, position, leaf FROM leaf \
               WHERE record_id = ANY(ARRAY(SELECT decode(value, 'hex') \
                                           FROM json_array_elements_text($1::json) AS t(value)))",
};

/// The row that fences, the newest checkpoint and the number of leaves, of one moment.
pub(crate) struct Head {
    pub(crate) size: u64,
    pub(crate) epoch: u64,
    pub(crate) leaves: u64,
    /// Leaves below it are in the archive.
    pub(crate) minimum: u64,
    /// None for a log on which no process ever started.
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// A signed checkpoint as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) note: String,
}

/// Everything that one transaction adds.
pub(crate) struct Growth {
    /// The size and the epoch that the log must still have.
    pub(crate) from: (u64, u64),
    /// The new records, from index `from.0` on.
    pub(crate) records: Vec<Arc<Record>>,
    /// The tree's new hashes.
    pub(crate) nodes: Vec<(u64, Hash)>,
    /// The checkpoint over all of it.
    pub(crate) checkpoint: Checkpoint,
    /// When it was signed.
    pub(crate) time_ms: u64,
}

pub(crate) async fn head(store: &Store) -> Result<Head, Error> {
    let rows = store.read(&HEAD, Vec::new()).await?;
    let row = rows.first().ok_or(Error::LogCorrupt("the state row is missing"))?;
    let note: Option<String> = row.try_get_by(4).map_err(::store::Error::from)?;
    let checkpoint = match note {
        None => None,
        Some(note) => Some(Checkpoint { size: number(row, 2)?, root: bytes(row, 3)?, note }),
    };
    let (size, epoch, leaves) = (number(row, 0)?, number(row, 1)?, number(row, 5)?);
    Ok(Head { size, epoch, leaves, minimum: number(row, 6)?, checkpoint })
}

/// Puts the checkpoint of the empty log in, unless another process was first.
pub(crate) async fn begin(store: &Store, empty: Checkpoint, time_ms: u64) -> Result<(), Error> {
    let time = signed(time_ms)?;
    let values = vec![empty.root.to_vec().into(), empty.note.into(), time.into()];
    store
        .write("begin", |tx| {
            Box::pin(async move {
                tx.execute(&INSERT_FIRST_CHECKPOINT, values).await?;
                Ok(())
            })
        })
        .await
}

/// Fences every process that has the log open, and gives the epoch that counts from now on.
pub(crate) async fn new_epoch(store: &Store) -> Result<u64, Error> {
    let rows = store
        .write("new epoch", |tx| {
            Box::pin(async move { Ok::<_, Error>(tx.query(&NEW_EPOCH, Vec::new()).await?) })
        })
        .await?;
    number(rows.first().ok_or(Error::LogCorrupt("the state row is missing"))?, 0)
}

/// Keeps others who lock it, and appends, waiting until the transaction ends.
async fn locked(tx: &Transaction) -> Result<(), Error> {
    tx.query(&LOCK, Vec::new()).await?;
    Ok(())
}

/// The stored hashes at these positions, as far as they are there.
pub(crate) async fn nodes(store: &Store, positions: &[u64]) -> Result<HashMap<u64, Hash>, Error> {
    let rows = store.read(&NODES, vec![json(&positions)?.into()]).await?;
    rows.iter().map(|row| Ok((number(row, 0)?, bytes(row, 1)?))).collect()
}

/// Where records stand, and with which leaf, by their ids.
pub(crate) type Stored = HashMap<[u8; 16], (u64, [u8; LEAF_LEN])>;

/// Looks records up, and grows the log by what is planned then, in one transaction; or leaves it as it was. Gives what the plan says.
///
/// # Errors
/// Those of the plan; [`Error::Fenced`] when the log is not as the growth says: nothing was written. After any other error it may be
/// unknown whether it was.
pub(crate) async fn append<T, P>(
    store: &Store,
    ids: Vec<[u8; 16]>,
    key: Arc<DataKey>,
    plan: P,
) -> Result<T, Error>
where
    P: FnOnce(Stored) -> Result<(T, Option<Growth>), Error> + Send + 'static,
    T: Send + 'static,
{
    let append = async move |tx: &Transaction| {
        // Where they are looked for they are then put: the engine reads these pages once.
        let (told, growth) = plan(find(tx, &ids).await?)?;
        if let Some(growth) = growth {
            grow(tx, growth, &key).await?;
        }
        Ok(told)
    };
    store.write("append", |tx| Box::pin(append(tx))).await
}

async fn find(tx: &Transaction, ids: &[[u8; 16]]) -> Result<Stored, Error> {
    let ids: Vec<String> = ids.iter().map(hex::encode).collect();
    let rows = tx.query(&FIND, vec![json(&ids)?.into()]).await?;
    rows.iter().map(|row| Ok((bytes(row, 0)?, (number(row, 1)?, bytes(row, 2)?)))).collect()
}

/// Whether a record of this id stands in the log.
pub(crate) async fn has(store: &Store, id: &[u8; 16]) -> Result<bool, Error> {
    let rows = store.read(&FIND, vec![json(&[hex::encode(id)])?.into()]).await?;
    Ok(!rows.is_empty())
}

/// Grows the log in a transaction. What opens the records is sealed before, under the key of the day.
///
/// # Errors
/// [`Error::Fenced`] when the log is not as `growth.from` says.
pub(crate) async fn grow(tx: &Transaction, growth: Growth, key: &DataKey) -> Result<(), Error> {
    let Growth { from: (size, epoch), records, nodes, checkpoint, time_ms } = growth;
    let places = || (size..).zip(&records);
    let sealed = places().map(|(place, record)| key.seal(place, &record.opening));
    let sealed = sealed.collect::<Result<Vec<_>, _>>()?;
    let mut rows = Rows::default();
    for (place, record) in places() {
        rows.leaf(place, &record.id, &record.leaf);
        if let Some(about) = &record.about {
            rows.about(place, about);
        }
    }
    sealed.iter().for_each(|one| rows.sealed(one));
    nodes.iter().for_each(|(place, hash)| rows.node(*place, hash));
    rows.checkpoint(&checkpoint, time_ms);
    let fence = vec![signed(checkpoint.size)?.into(), signed(size)?.into(), signed(epoch)?.into()];
    if tx.execute(&ADVANCE, fence).await? != 1 {
        return Err(Error::Fenced);
    }
    rows.insert(tx).await?;
    signers::insert(tx, records.iter().filter_map(|record| record.signer.as_ref()), time_ms).await
}

fn json(rows: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(rows).map_err(|_| Error::OutOfRange)
}

/// The count or position in a column.
fn number(row: &QueryResult, index: usize) -> Result<u64, Error> {
    let number: i64 = row.try_get_by(index).map_err(::store::Error::from)?;
    u64::try_from(number).map_err(|_| Error::LogCorrupt("a stored number is negative"))
}

/// The bytes in a column, of a known length.
fn bytes<const N: usize>(row: &QueryResult, index: usize) -> Result<[u8; N], Error> {
    let bytes: Vec<u8> = row.try_get_by(index).map_err(::store::Error::from)?;
    bytes.try_into().map_err(|_| Error::LogCorrupt("a stored value has another length"))
}

/// Both engines count in 64 bits with a sign.
fn signed(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::OutOfRange)
}
