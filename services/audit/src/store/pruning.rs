//! The log's minimum index, and what is deleted below it.

use std::{collections::BTreeMap, ops::Range};

use ::store::{Engine, QueryResult, Sql, Store, Transaction, Value};

use super::{number, signed, whole::value};
use crate::{
    Error,
    domain::{Erasure, Subject, Under},
};

const PRUNED: Sql =
    Sql::same("SELECT minimum, newest_ms FROM pruning ORDER BY minimum DESC LIMIT 1");
/// The time is the leaf's bytes 16 to 23, big-endian, so that bytes compare as times do.
const FIRST_SINCE: Sql = Sql {
    sqlite: "SELECT position FROM leaf \
             WHERE position >= ? AND position < ? AND substr(leaf, 17, 8) >= ? \
             ORDER BY position LIMIT 1",
    postgres: "SELECT position FROM leaf \
               WHERE position >= $1 AND position < $2 AND substring(leaf FROM 17 FOR 8) >= $3 \
               ORDER BY position LIMIT 1",
};
const ERASED: Sql = Sql {
    sqlite: "SELECT position FROM erasure WHERE position >= ? AND position < ? ORDER BY position",
    postgres: "SELECT position FROM erasure WHERE position >= $1 AND position < $2 ORDER BY position",
};
const ERASURES: Sql = Sql {
    sqlite: "SELECT e.position, e.document, e.time_ms, s.subject, s.sealed_until_ms FROM erasure e \
             LEFT JOIN subject_entry s ON s.position = e.position AND s.position >= ?1 AND s.position < ?2 \
             WHERE e.position >= ?1 AND e.position < ?2",
    postgres: "SELECT e.position, e.document, e.time_ms, s.subject, s.sealed_until_ms FROM erasure e \
               LEFT JOIN subject_entry s ON s.position = e.position AND s.position >= $1 AND s.position < $2 \
               WHERE e.position >= $1 AND e.position < $2",
};
/// Places that one statement looks at, so that it ends in time however large the log is.
const WINDOW: u64 = 1 << 16;
const COUNT_ERASED: Sql = Sql {
    sqlite: "SELECT COUNT(*) FROM erasure WHERE position >= ? AND position < ?",
    postgres: "SELECT COUNT(*) FROM erasure WHERE position >= $1 AND position < $2",
};
const INSERT: Sql = Sql {
    sqlite: "INSERT INTO pruning (minimum, newest_ms, days, document, time_ms) VALUES (?, ?, ?, ?, ?)",
    postgres: "INSERT INTO pruning (minimum, newest_ms, days, document, time_ms) \
               VALUES ($1, $2, $3, $4, $5)",
};
/// Where something is left that can be deleted. Each table is asked for its own first row.
const FIRST: Sql = Sql::same(
    "SELECT MIN(position) FROM (SELECT MIN(position) AS position FROM leaf \
                                UNION ALL SELECT MIN(position) FROM opening \
                                UNION ALL SELECT MIN(position) FROM record_key) t",
);
/// A million says as much as more.
const LEFT: Sql = Sql {
    sqlite: "SELECT COUNT(*) FROM (SELECT 1 FROM leaf WHERE position < ? LIMIT 1000000)",
    postgres: "SELECT COUNT(*) FROM (SELECT 1 FROM leaf WHERE position < $1 LIMIT 1000000) t",
};
/// What opens a record first, as in an erasure.
const DELETE: [Sql; 3] = [
    Sql {
        sqlite: "DELETE FROM record_key WHERE position >= ? AND position < ?",
        postgres: "DELETE FROM record_key WHERE position >= $1 AND position < $2",
    },
    Sql {
        sqlite: "DELETE FROM opening WHERE position >= ? AND position < ?",
        postgres: "DELETE FROM opening WHERE position >= $1 AND position < $2",
    },
    Sql {
        sqlite: "DELETE FROM leaf WHERE position >= ? AND position < ?",
        postgres: "DELETE FROM leaf WHERE position >= $1 AND position < $2",
    },
];

/// How far the log is pruned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// The minimum index; 0 where nothing was.
    pub(crate) minimum: u64,
    /// The latest time of the leaves below it.
    pub(crate) newest_ms: u64,
}

/// An order to prune.
pub(crate) struct Order {
    /// What is to be the minimum index, and the one that is.
    pub(crate) minimum: u64,
    pub(crate) before: u64,
    pub(crate) newest_ms: u64,
    pub(crate) days: u64,
    pub(crate) document: String,
    pub(crate) time_ms: u64,
    /// How many of the records between the two are known to be erased.
    pub(crate) erased: u64,
}

pub(crate) async fn pruned(store: &Store) -> Result<Pruned, Error> {
    let rows = store.read(&PRUNED, Vec::new()).await?;
    let Some(row) = rows.first() else { return Ok(Pruned::default()) };
    Ok(Pruned { minimum: number(row, 0)?, newest_ms: number(row, 1)? })
}

/// The minimum index; 0 where nothing was pruned.
pub(crate) async fn minimum(store: &Store) -> Result<u64, Error> {
    Ok(pruned(store).await?.minimum)
}

/// The minimum index as a transaction sees it.
pub(super) async fn minimum_in(tx: &Transaction) -> Result<u64, Error> {
    tx.query(&PRUNED, Vec::new()).await?.first().map_or(Ok(0), |row| number(row, 0))
}

/// The first of these records that is of a moment or later; none where all are older.
pub(crate) async fn first_since(
    store: &Store,
    indexes: Range<u64>,
    ms: u64,
) -> Result<Option<u64>, Error> {
    let mut begin = indexes.start;
    while begin < indexes.end {
        let end = indexes.end.min(begin.saturating_add(WINDOW));
        let mut values = between(&(begin..end));
        values.push(ms.to_be_bytes().to_vec().into());
        if let Some(row) = store.read(&FIRST_SINCE, values).await?.first() {
            return Ok(Some(number(row, 0)?));
        }
        begin = end;
    }
    Ok(None)
}

/// What is known of the records of these indexes that were erased, whether or not they are pruned.
pub(crate) async fn erased(
    store: &Store,
    indexes: Range<u64>,
) -> Result<BTreeMap<u64, Erasure>, Error> {
    // SQLite looks at every name for each statement, PostgreSQL at those of the places.
    let window = match store.engine() {
        Engine::Sqlite => u64::MAX,
        Engine::Postgres => WINDOW,
    };
    let positions = store.read(&ERASED, between(&indexes)).await?;
    let (mut all, mut next) = (BTreeMap::new(), indexes.start);
    for position in &positions {
        let position = number(position, 0)?;
        if position < next {
            continue;
        }
        next = indexes.end.min(position.saturating_add(window));
        let rows = store.read(&ERASURES, between(&(position..next))).await?;
        for row in &rows {
            all.insert(number(row, 0)?, erasure(row)?);
        }
    }
    Ok(all)
}

fn erasure(row: &QueryResult) -> Result<Erasure, Error> {
    let subject: Option<String> = value(row, 3)?;
    let under = match subject {
        None => None,
        Some(text) => {
            let subject = Subject::stored(&text);
            let subject = subject.ok_or(Error::LogCorrupt("a name of accesses is none"))?;
            Some(Under { subject, sealed_until_ms: number(row, 4)? })
        }
    };
    Ok(Erasure { document: value(row, 1)?, time_ms: number(row, 2)?, under })
}

fn between(indexes: &Range<u64>) -> Vec<Value> {
    // Whoever asks for all asks for more than can be counted.
    [indexes.start, indexes.end].map(|at| i64::try_from(at).unwrap_or(i64::MAX).into()).into()
}

/// Sets the minimum index. From then on nothing below it is shown, and all of it can be deleted.
///
/// # Errors
/// [`Error::Fenced`] when another order came first, or a record was erased meanwhile; nothing was set.
pub(crate) async fn order(store: &Store, order: Order) -> Result<(), Error> {
    let Order { minimum, before, newest_ms, days, document, time_ms, erased } = order;
    let between = between(&(before..minimum));
    let values = vec![
        signed(minimum)?.into(),
        signed(newest_ms)?.into(),
        signed(days)?.into(),
        document.into(),
        signed(time_ms)?.into(),
    ];
    store
        .write("prune", move |tx| {
            Box::pin(async move {
                super::locked(tx).await?;
                let rows = tx.query(&COUNT_ERASED, between).await?;
                let now = number(rows.first().ok_or(::store::Error::NoRow)?, 0)?;
                if (minimum_in(tx).await?, now) != (before, erased) {
                    return Err(Error::Fenced);
                }
                tx.execute(&INSERT, values).await?;
                Ok(())
            })
        })
        .await
}

/// Where something is left below the minimum index; none where nothing is.
pub(crate) async fn first_left(store: &Store) -> Result<Option<u64>, Error> {
    let minimum = minimum(store).await?;
    let rows = store.read(&FIRST, Vec::new()).await?;
    let first: Option<i64> = value(rows.first().ok_or(::store::Error::NoRow)?, 0)?;
    let first = first.map(|first| u64::try_from(first).map_err(|_| Error::OutOfRange));
    Ok(first.transpose()?.filter(|first| *first < minimum))
}

/// Deletes leaves below the minimum index, and what opens them, in one transaction. Says how many leaves it were.
pub(crate) async fn delete(store: &Store, indexes: Range<u64>) -> Result<u64, Error> {
    store
        .write("prune some", move |tx| {
            Box::pin(async move {
                if indexes.end > minimum_in(tx).await? {
                    return Err(Error::Fenced);
                }
                let mut leaves = 0;
                for sql in &DELETE {
                    leaves = tx.execute(sql, between(&indexes)).await?;
                }
                Ok(leaves)
            })
        })
        .await
}

/// How many leaves below an index are not deleted, as far as a million.
pub(crate) async fn left(store: &Store, minimum: u64) -> Result<u64, Error> {
    let rows = store.read(&LEFT, vec![signed(minimum)?.into()]).await?;
    number(rows.first().ok_or(::store::Error::NoRow)?, 0)
}
