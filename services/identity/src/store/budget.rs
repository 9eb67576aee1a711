//! The guessing budget: durable counts of lookups that matched nobody, so that neither a restart nor
//! another replica refills it.

use std::collections::HashMap;

use store::{Sql, Value};

use super::{RegisterStore, field};
use crate::Error;

const SPENT: Sql = Sql {
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
             DO UPDATE SET misses = guessing.misses + excluded.misses",
    postgres: "INSERT INTO guessing (connection, window_start_ms, misses) \
               SELECT key, $1, value::bigint FROM jsonb_each_text($2::text::jsonb) ORDER BY key \
               ON CONFLICT (connection, window_start_ms) \
               DO UPDATE SET misses = guessing.misses + excluded.misses",
};
const FORGET: Sql = Sql {
    sqlite: "DELETE FROM guessing WHERE window_start_ms < ?",
    postgres: "DELETE FROM guessing WHERE window_start_ms < $1",
};

impl RegisterStore {
    /// How many misses each connection has had in a window; one without any is not there.
    pub(crate) async fn misses(
        &self,
        window_start_ms: i64,
        connections: &[&str],
    ) -> Result<HashMap<String, i64>, Error> {
        let connections = Value::from(serde_json::to_string(connections)?);
        let rows = self.store.read(&SPENT, vec![window_start_ms.into(), connections]).await?;
        rows.iter().map(|row| Ok((field(row, 0)?, field(row, 1)?))).collect()
    }

    /// Adds misses, and forgets the windows before `window_start_ms`.
    pub(crate) async fn charge(
        &self,
        window_start_ms: i64,
        misses: HashMap<String, u32>,
    ) -> Result<(), Error> {
        let misses = Value::from(serde_json::to_string(&misses)?);
        self.store
            .write("charge misses", move |tx| {
                Box::pin(async move {
                    tx.execute(&CHARGE, vec![window_start_ms.into(), misses]).await?;
                    tx.execute(&FORGET, vec![window_start_ms.into()]).await?;
                    Ok(())
                })
            })
            .await
    }
}
