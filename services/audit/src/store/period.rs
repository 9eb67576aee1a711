//! The records of a period, by the times in their leaves; and when records could be written.

use ::store::{Sql, Store, Value};

use super::{number, signed, whole::value};
use crate::Error;

/// The time is the leaf's bytes 16 to 23, big-endian, so that bytes compare as times do.
const EXTENT: Sql = Sql {
    sqlite: "SELECT COUNT(*), COALESCE(MIN(position), 0), COALESCE(MAX(position) + 1, 0) FROM leaf \
             WHERE substr(leaf, 17, 8) >= ? AND substr(leaf, 17, 8) < ?",
    postgres: "SELECT COUNT(*), COALESCE(MIN(position), 0), COALESCE(MAX(position) + 1, 0) FROM leaf \
               WHERE substring(leaf FROM 17 FOR 8) >= $1 AND substring(leaf FROM 17 FOR 8) < $2",
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

/// Where the records of a period lie.
pub(crate) struct Extent {
    pub(crate) records: u64,
    /// The place of the first one, and the one after the last; both 0 where there is none.
    pub(crate) first: u64,
    pub(crate) end: u64,
}

/// The records of the milliseconds from one, to before another.
pub(crate) async fn extent(store: &Store, from_ms: u64, until_ms: u64) -> Result<Extent, Error> {
    let time = |ms: u64| -> Value { ms.to_be_bytes().to_vec().into() };
    let rows = store.read(&EXTENT, vec![time(from_ms), time(until_ms)]).await?;
    let row = rows.first().ok_or(::store::Error::NoRow)?;
    Ok(Extent { records: number(row, 0)?, first: number(row, 1)?, end: number(row, 2)? })
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
