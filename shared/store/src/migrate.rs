//! Schema versions: applied in order, each in a transaction, never changed once released.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};

use crate::Error;

/// One step of a service's schema, in the words of each engine.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// 1 for the first, without gaps.
    pub version: u32,
    /// What it brings.
    pub name: &'static str,
    /// For SQLite.
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

pub(crate) async fn run(
    writer: &DatabaseConnection,
    migrations: &'static [Migration],
) -> Result<(), Error> {
    writer
        .execute_unprepared(
            "CREATE TABLE IF NOT EXISTS schema_version \
             (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL)",
        )
        .await?;
    let found = newest(writer).await?;
    let known = migrations.iter().map(|m| m.version).max().unwrap_or(0);
    if found > known {
        return Err(Error::SchemaTooNew { found, known });
    }
    for migration in migrations.iter().filter(|m| m.version > found) {
        let tx = writer.begin().await?;
        tx.execute_unprepared(migration.sqlite).await?;
        tx.execute_raw(Statement::from_sql_and_values(
            DbBackend::Sqlite,
            "INSERT INTO schema_version (version, name) VALUES (?, ?)",
            [i64::from(migration.version).into(), migration.name.into()],
        ))
        .await?;
        tx.commit().await?;
        tracing::info!(version = migration.version, name = migration.name, "schema migrated");
    }
    Ok(())
}

async fn newest(writer: &DatabaseConnection) -> Result<u32, Error> {
    let ask = "SELECT COALESCE(MAX(version), 0) FROM schema_version";
    let row = writer.query_one_raw(Statement::from_string(DbBackend::Sqlite, ask)).await?;
    let version: i64 = match row {
        Some(row) => row.try_get_by(0)?,
        None => 0,
    };
    Ok(u32::try_from(version).unwrap_or(u32::MAX))
}
