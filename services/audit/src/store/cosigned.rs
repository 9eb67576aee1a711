//! What witnesses said, and the checkpoints that enough of them cosigned.

use ::store::{Sql, Store};

use super::{number, signed};
use crate::Error;

const LAST: Sql = Sql {
    sqlite: "SELECT size, line FROM cosignature WHERE witness = ? ORDER BY size DESC LIMIT 1",
    postgres: "SELECT size, line FROM cosignature WHERE witness = $1 ORDER BY size DESC LIMIT 1",
};
const KEEP: Sql = Sql {
    sqlite: "INSERT INTO cosignature (witness, size, line, time_ms) VALUES (?, ?, ?, ?) \
             ON CONFLICT (witness, size) DO UPDATE \
             SET line = excluded.line, time_ms = excluded.time_ms",
    postgres: "INSERT INTO cosignature (witness, size, line, time_ms) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (witness, size) DO UPDATE \
               SET line = excluded.line, time_ms = excluded.time_ms",
};
const LINES: Sql = Sql {
    sqlite: "SELECT witness, line FROM cosignature WHERE size = ?",
    postgres: "SELECT witness, line FROM cosignature WHERE size = $1",
};
pub(super) const SHOW: Sql = Sql {
    sqlite: "INSERT INTO cosigned (size, note, time_ms) VALUES (?, ?, ?) \
             ON CONFLICT (size) DO UPDATE SET note = excluded.note, time_ms = excluded.time_ms",
    postgres: "INSERT INTO cosigned (size, note, time_ms) VALUES ($1, $2, $3) \
               ON CONFLICT (size) DO UPDATE SET note = excluded.note, time_ms = excluded.time_ms",
};
const NEWEST: Sql = Sql::same("SELECT note FROM cosigned ORDER BY size DESC LIMIT 1");

/// The size that a witness cosigned last, with its line; none where it never did.
pub(crate) async fn last(store: &Store, witness: &str) -> Result<Option<(u64, String)>, Error> {
    let rows = store.read(&LAST, vec![witness.into()]).await?;
    let row = rows
        .first()
        .map(|row| Ok((number(row, 0)?, row.try_get_by(1).map_err(::store::Error::from)?)));
    row.transpose()
}

/// Keeps a witness' line.
pub(crate) async fn keep(
    store: &Store,
    witness: &str,
    size: u64,
    line: &str,
    time_ms: u64,
) -> Result<(), Error> {
    let values = vec![witness.into(), signed(size)?.into(), line.into(), signed(time_ms)?.into()];
    store
        .write("cosignature", |tx| {
            Box::pin(async move {
                tx.execute(&KEEP, values).await?;
                Ok(())
            })
        })
        .await
}

/// The lines of a size, each with the witness that said it.
pub(crate) async fn lines(store: &Store, size: u64) -> Result<Vec<(String, String)>, Error> {
    let rows = store.read(&LINES, vec![signed(size)?.into()]).await?;
    let text = |row: &::store::QueryResult, index: usize| {
        row.try_get_by(index).map_err(::store::Error::from)
    };
    rows.iter().map(|row| Ok((text(row, 0)?, text(row, 1)?))).collect()
}

/// Keeps a checkpoint that enough witnesses cosigned, to be shown.
pub(crate) async fn show(store: &Store, size: u64, note: &str, time_ms: u64) -> Result<(), Error> {
    let values = vec![signed(size)?.into(), note.into(), signed(time_ms)?.into()];
    store
        .write("cosigned", |tx| {
            Box::pin(async move {
                tx.execute(&SHOW, values).await?;
                Ok(())
            })
        })
        .await
}

/// The newest checkpoint that enough witnesses cosigned, under the policy of that time.
pub(crate) async fn newest(store: &Store) -> Result<Option<String>, Error> {
    let rows = store.read(&NEWEST, Vec::new()).await?;
    let note = rows.first().map(|row| row.try_get_by(0).map_err(::store::Error::from));
    Ok(note.transpose()?)
}
