//! The records of a period, by the times in their leaves; and when records could be written.

use std::collections::BTreeMap;

use ::store::{Sql, Store, Value};
use tlog::{LEAF_LEN, Leaf};

use super::{bytes, number, signed, whole::value};
use crate::Error;

/// The time is the leaf's bytes 17 to 24, big-endian, so that bytes compare as times do. A page begins behind the last record of the
/// one before, which may have the same time.
pub(crate) const PAGE: Sql = Sql {
    sqlite: "SELECT position, leaf FROM leaf \
             WHERE substr(leaf, 17, 8) >= ?1 AND substr(leaf, 17, 8) < ?2 AND position < ?3 \
                   AND (substr(leaf, 17, 8) > ?1 OR position >= ?4) \
             ORDER BY substr(leaf, 17, 8), position LIMIT ?5",
    postgres: "SELECT position, leaf FROM leaf \
               WHERE substring(leaf FROM 17 FOR 8) >= $1 AND substring(leaf FROM 17 FOR 8) < $2 \
                     AND position < $3 AND (substring(leaf FROM 17 FOR 8) > $1 OR position >= $4) \
               ORDER BY substring(leaf FROM 17 FOR 8), position LIMIT $5",
};
/// The largest checkpoint of at most so many records.
const BEFORE: Sql = Sql {
    sqlite: "SELECT note FROM checkpoint WHERE size <= ? ORDER BY size DESC LIMIT 1",
    postgres: "SELECT note FROM checkpoint WHERE size <= $1 ORDER BY size DESC LIMIT 1",
};
/// The smallest one of at least so many.
const AFTER: Sql = Sql {
    sqlite: "SELECT note FROM checkpoint WHERE size >= ? ORDER BY size LIMIT 1",
    postgres: "SELECT note FROM checkpoint WHERE size >= $1 ORDER BY size LIMIT 1",
};
const BEAT: Sql = Sql {
    sqlite: "INSERT INTO alive (process, from_ms, until_ms) VALUES (?1, ?2, ?3) \
             ON CONFLICT (process, from_ms) DO UPDATE SET until_ms = excluded.until_ms",
    postgres: "INSERT INTO alive (process, from_ms, until_ms) VALUES ($1, $2, $3) \
               ON CONFLICT (process, from_ms) DO UPDATE SET until_ms = excluded.until_ms",
};
const KNOWN_FROM: Sql = Sql::same("SELECT COALESCE(MIN(from_ms), -1) + 1 FROM alive");
const STRETCHES: Sql = Sql {
    sqlite: "SELECT from_ms, until_ms FROM alive WHERE until_ms >= ? AND from_ms < ? ORDER BY from_ms",
    postgres: "SELECT from_ms, until_ms FROM alive WHERE until_ms >= $1 AND from_ms < $2 \
               ORDER BY from_ms",
};

/// Records that are read at once.
const RECORDS: usize = 1_024;

/// What is left of a period's records: where they begin, and where they end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    pub(crate) from_ms: u64,
    /// Of that millisecond, records from this index on.
    pub(crate) from: u64,
    pub(crate) until_ms: u64,
    /// The index behind the last record that counts, whatever is appended meanwhile.
    pub(crate) size: u64,
}

impl Rest {
    /// The next records with their leaves; and what is left then, unless nothing is.
    pub(crate) async fn page(
        self,
        store: &Store,
    ) -> Result<(BTreeMap<u64, Leaf>, Option<Self>), Error> {
        let time = |ms: u64| -> Value { ms.to_be_bytes().to_vec().into() };
        let values = vec![
            time(self.from_ms),
            time(self.until_ms),
            signed(self.size)?.into(),
            signed(self.from)?.into(),
            signed(RECORDS as u64)?.into(),
        ];
        let rows = store.read(&PAGE, values).await?;
        let leaf = |row| {
            let leaf = Leaf::parse(&bytes::<LEAF_LEN>(row, 1)?)?;
            Ok::<_, Error>((number(row, 0)?, leaf))
        };
        let leaves = rows.iter().map(leaf).collect::<Result<Vec<_>, _>>()?;
        let rest = leaves.last().filter(|_| leaves.len() == RECORDS).map(|(last, leaf)| Self {
            from_ms: leaf.time_ms,
            from: last + 1,
            ..self
        });
        Ok((leaves.into_iter().collect(), rest))
    }
}

/// The largest checkpoint that covers none of what is from a place on.
pub(crate) async fn before(store: &Store, place: u64) -> Result<String, Error> {
    note(store, &BEFORE, place).await
}

/// The smallest checkpoint that covers all that is below a place.
pub(crate) async fn after(store: &Store, place: u64) -> Result<String, Error> {
    note(store, &AFTER, place).await
}

async fn note(store: &Store, sql: &Sql, size: u64) -> Result<String, Error> {
    let rows = store.read(sql, vec![signed(size)?.into()]).await?;
    value(rows.first().ok_or(Error::LogCorrupt("a checkpoint is missing"))?, 0)
}

/// Notes that records could be written from one moment to another, by a process.
pub(crate) async fn beat(
    store: &Store,
    process: String,
    from_ms: u64,
    until_ms: u64,
) -> Result<(), Error> {
    let values = vec![process.into(), signed(from_ms)?.into(), signed(until_ms)?.into()];
    store
        .write("alive", |tx| {
            Box::pin(async move {
                tx.execute(&BEAT, values).await?;
                Ok(())
            })
        })
        .await
}

/// When records could be written.
pub(crate) struct Alive {
    /// Since when it is noted; none where it never was.
    pub(crate) known_from_ms: Option<u64>,
    /// From and until, by from; they may overlap.
    pub(crate) stretches: Vec<(u64, u64)>,
}

/// When records could be written between two moments.
pub(crate) async fn alive(store: &Store, from_ms: u64, until_ms: u64) -> Result<Alive, Error> {
    let rows = store.read(&KNOWN_FROM, Vec::new()).await?;
    // One more than it is, so that 0 says that there is none.
    let known = number(rows.first().ok_or(::store::Error::NoRow)?, 0)?;
    let values = vec![signed(from_ms)?.into(), signed(until_ms)?.into()];
    let rows = store.read(&STRETCHES, values).await?;
    let stretches = rows.iter().map(|row| Ok((number(row, 0)?, number(row, 1)?)));
    Ok(Alive {
        known_from_ms: known.checked_sub(1),
        stretches: stretches.collect::<Result<_, Error>>()?,
    })
}
