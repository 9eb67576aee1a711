//! Changes, page by page.

use store::Sql;

use super::{Database, field};
use crate::Error;

const STATE: Sql = Sql::same("SELECT sequence, kept_from FROM state WHERE id = 1");
const AFTER: Sql = Sql {
    sqlite: "SELECT sequence, committed_at_us, change FROM change WHERE sequence > ? ORDER BY sequence LIMIT ?",
    postgres: "SELECT sequence, committed_at_us, change FROM change WHERE sequence > $1 ORDER BY sequence LIMIT $2",
};
const FORGET: Sql = Sql {
    sqlite: "UPDATE state SET kept_from = max(kept_from, coalesce((SELECT max(sequence) + 1 FROM change \
             WHERE committed_at_us < ?1), 0)) WHERE id = 1",
    postgres: "UPDATE state SET kept_from = greatest(kept_from, coalesce((SELECT max(sequence) + 1 FROM change \
               WHERE committed_at_us < $1), 0)) WHERE id = 1",
};
const TAKE_AWAY: Sql =
    Sql::same("DELETE FROM change WHERE sequence < (SELECT kept_from FROM state WHERE id = 1)");

/// Bytes of the changes of one page, at most: under the 4 MiB of rule SRC-23, with room for what is around them.
const BYTES_MAX: usize = 3 << 20;

/// A change as it is stored.
pub(crate) struct Stored {
    /// Its place in the order.
    pub(crate) sequence: u64,
    /// When it was committed, microseconds since 1970.
    pub(crate) committed_at_us: i64,
    /// Where to go on after it.
    pub(crate) cursor: String,
    /// What is listed, but for these.
    pub(crate) listed: Vec<u8>,
}

/// A page of changes.
pub(crate) struct Page {
    /// The changes.
    pub(crate) changes: Vec<Stored>,
    /// Where to go on.
    pub(crate) next_cursor: String,
    /// Whether there was no further change.
    pub(crate) end_reached: bool,
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// The cursor is none that this database gave (rule SRC-7).
    Unknown,
    /// What comes after it is not kept any more (rule SRC-8).
    Expired,
}

impl Database {
    /// The changes after a cursor, at most `size`; of the empty cursor, the oldest that are kept (rule SRC-20).
    pub(crate) async fn changes(
        &self,
        cursor: &str,
        size: u16,
    ) -> Result<Result<Page, Gone>, Error> {
        let from = match cursor {
            "" => None,
            cursor => match self.cursors.read(cursor).and_then(|from| i64::try_from(from).ok()) {
                Some(from) => Some(from),
                None => return Ok(Err(Gone::Unknown)),
            },
        };
        let (last, kept_from) = self.state().await?;
        let from = match from {
            None => kept_from - 1,
            // It was made here, and this state of the database never gave it: one that was set back.
            Some(from) if from > last => return Ok(Err(Gone::Unknown)),
            Some(from) => from,
        };
        let page = self.page(from, size, last).await?;
        // Asked for after the page was read: what was taken away meanwhile is a gap, too.
        let (_, kept_from) = self.state().await?;
        Ok(if from < kept_from - 1 { Err(Gone::Expired) } else { Ok(page) })
    }

    /// The last sequence, and from which on changes are kept.
    async fn state(&self) -> Result<(i64, i64), Error> {
        let rows = self.store.read(&STATE, Vec::new()).await?;
        let state = rows.first().ok_or(store::Error::NoRow)?;
        Ok((field(state, 0)?, field(state, 1)?))
    }

    /// A cursor whose changes are not kept any more, and the oldest change that is.
    pub(crate) async fn expired(&self) -> Result<Option<(String, Stored)>, Error> {
        let (_, kept_from) = self.state().await?;
        let Ok(before) = u64::try_from(kept_from - 2) else { return Ok(None) };
        let oldest = self.page(kept_from - 1, 1, 0).await?.changes.into_iter().next();
        Ok(oldest.map(|change| (self.cursors.after(before), change)))
    }

    async fn page(&self, from: i64, size: u16, last: i64) -> Result<Page, Error> {
        let rows = self.store.read(&AFTER, vec![from.into(), i64::from(size).into()]).await?;
        let (mut changes, mut at, mut bytes) = (Vec::new(), from, 0);
        for row in &rows {
            let (sequence, listed): (i64, Vec<u8>) = (field(row, 0)?, field(row, 2)?);
            bytes += listed.len();
            if bytes > BYTES_MAX && !changes.is_empty() {
                break;
            }
            changes.push(Stored {
                sequence: sequence.unsigned_abs(),
                committed_at_us: field(row, 1)?,
                cursor: self.cursors.after(sequence.unsigned_abs()),
                listed,
            });
            at = sequence;
        }
        let next_cursor = self.cursors.after(at.unsigned_abs());
        // What was committed since `last` was read may be on the page, too.
        Ok(Page { changes, next_cursor, end_reached: at >= last })
    }

    /// Takes away the changes that were committed before a moment.
    pub(crate) async fn prune(&self, before_us: i64) -> Result<(), Error> {
        self.store
            .write("take away old changes", move |tx| {
                Box::pin(async move {
                    tx.execute(&FORGET, vec![before_us.into()]).await?;
                    tx.execute(&TAKE_AWAY, Vec::new()).await?;
                    Ok(())
                })
            })
            .await
    }
}
