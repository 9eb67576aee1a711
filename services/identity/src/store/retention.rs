//! How long changes are told: what is older is taken away, in batches.

use store::Sql;

use super::{RegisterStore, field, stored};
use crate::{Error, domain::feed::Place};

const FLOOR: Sql = Sql::same("SELECT floor_version, floor_known_at_us FROM feed WHERE id = 1");
const LOCK: Sql = Sql {
    sqlite: "SELECT floor_version FROM feed WHERE id = 1",
    postgres: "SELECT floor_version FROM feed WHERE id = 1 FOR UPDATE",
};
// Known times grow with versions, so the old ones are the first ones.
const NEXT: Sql = Sql {
    sqlite: "SELECT version, known_at_us FROM change WHERE version > ? ORDER BY version LIMIT ?",
    postgres: "SELECT version, known_at_us FROM change WHERE version > $1 ORDER BY version LIMIT $2",
};
// That there was a change, when, and by which rules the record was folded stays: what was known at a moment rests on it (I6).
const TAKE_AWAY: Sql = Sql {
    sqlite: "UPDATE change SET items = '[]', kind = NULL, bulk_job = NULL WHERE version > ? AND version <= ?",
    postgres: "UPDATE change SET items = '[]', kind = NULL, bulk_job = NULL WHERE version > $1 AND version <= $2",
};
const RAISE: Sql = Sql {
    sqlite: "UPDATE feed SET floor_version = ?, floor_known_at_us = ? WHERE id = 1",
    postgres: "UPDATE feed SET floor_version = $1, floor_known_at_us = $2 WHERE id = 1",
};

impl RegisterStore {
    /// The changes after this one are kept.
    pub(crate) async fn floor(&self) -> Result<Place, Error> {
        let rows = self.store.read(&FLOOR, Vec::new()).await?;
        let row = rows.first().ok_or(store::Error::NoRow)?;
        let version: i64 = field(row, 0)?;
        Ok(Place { version: version.unsigned_abs(), known_at_us: field(row, 1)? })
    }

    /// Takes away at most so many of the changes that were learnt before a moment, the first ones first, and says how many.
    /// In one transaction with up to where that is, so that whoever reads what is left sees that it is not all.
    pub(crate) async fn take_away(&self, before_us: i64, most: usize) -> Result<u64, Error> {
        self.store
            .write("take old changes away", move |tx| {
                Box::pin(async move {
                    let rows = tx.query(&LOCK, Vec::new()).await?;
                    let floor: i64 = field(rows.first().ok_or(store::Error::NoRow)?, 0)?;
                    let values = vec![floor.into(), stored(most as u64).into()];
                    let (mut last, mut taken) = (None, 0);
                    for row in &tx.query(&NEXT, values).await? {
                        let (version, known_at_us): (i64, i64) = (field(row, 0)?, field(row, 1)?);
                        if known_at_us >= before_us {
                            break;
                        }
                        (last, taken) = (Some((version, known_at_us)), taken + 1);
                    }
                    if let Some((version, known_at_us)) = last {
                        tx.execute(&TAKE_AWAY, vec![floor.into(), version.into()]).await?;
                        tx.execute(&RAISE, vec![version.into(), known_at_us.into()]).await?;
                    }
                    Ok(taken)
                })
            })
            .await
    }
}
