//! The guessing budgets: durable counts of lookups that matched nobody and of values that were compared, so
//! that neither a restart nor another replica refills them. A budget is named by the column `connection`:
//! the connection's id for misses, with a word after it for comparisons and for contributions.

use std::collections::HashMap;

use store::{Sql, Value};

use super::{RegisterStore, field};
use crate::Error;

pub(super) const SPENT: Sql = Sql {
    sqlite: "SELECT connection, misses FROM guessing \
             WHERE window_start_ms = ? AND connection IN (SELECT value FROM json_each(?))",
    postgres: "SELECT connection, misses FROM guessing WHERE window_start_ms = $1 \
               AND connection = ANY(ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb)))",
};
// `WHERE true` keeps SQLite from reading ON CONFLICT as a join condition.
const CHARGE: Sql = Sql {
    sqlite: "INSERT INTO guessing (connection, window_start_ms, misses) \
             SELECT key, ?, value FROM json_each(?) WHERE true \
             ON CONFLICT (connection, window_start_ms) \
             DO UPDATE SET misses = guessing.misses + excluded.misses \
             RETURNING connection, misses",
    postgres: "INSERT INTO guessing (connection, window_start_ms, misses) \
               SELECT key, $1, value::bigint FROM jsonb_each_text($2::text::jsonb) ORDER BY key \
               ON CONFLICT (connection, window_start_ms) \
               DO UPDATE SET misses = guessing.misses + excluded.misses \
               RETURNING connection, misses",
};
pub(super) const FORGET: Sql = Sql {
    sqlite: "DELETE FROM guessing WHERE window_start_ms < ?",
    postgres: "DELETE FROM guessing WHERE window_start_ms < $1",
};

impl RegisterStore {
    /// How much of each budget is spent in a window; one that is whole is not there.
    pub(crate) async fn spent(
        &self,
        window_start_ms: i64,
        budgets: &[String],
    ) -> Result<HashMap<String, i64>, Error> {
        let budgets = Value::from(serde_json::to_string(budgets)?);
        let rows = self.store.read(&SPENT, vec![window_start_ms.into(), budgets]).await?;
        rows.iter().map(|row| Ok((field(row, 0)?, field(row, 1)?))).collect()
    }

    /// Charges budgets, and forgets the windows before `window_start_ms`. Says how much of each is spent
    /// now, also by others at the same time.
    pub(crate) async fn charge(
        &self,
        window_start_ms: i64,
        amounts: HashMap<String, u32>,
    ) -> Result<HashMap<String, i64>, Error> {
        let amounts = Value::from(serde_json::to_string(&amounts)?);
        self.store
            .write("charge budgets", move |tx| {
                Box::pin(async move {
                    let rows = tx.query(&CHARGE, vec![window_start_ms.into(), amounts]).await?;
                    tx.execute(&FORGET, vec![window_start_ms.into()]).await?;
                    rows.iter().map(|row| Ok((field(row, 0)?, field(row, 1)?))).collect()
                })
            })
            .await
    }
}
