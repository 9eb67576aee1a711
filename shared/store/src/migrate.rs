//! Schema versions: applied in order, each in a transaction, never changed once released.

use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};

use crate::{Engine, Error, Sql};

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

/// Several replicas may start at once; on PostgreSQL one of them migrates and the others wait. SQLite has
/// one process by its lock file.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1911)";
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version \
     (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL)";
const HAS_TABLE: Sql = Sql {
    sqlite: "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'",
    postgres: "SELECT COUNT(to_regclass('schema_version'))",
};
const NEWEST: Sql = Sql::same("SELECT COALESCE(MAX(version), 0) FROM schema_version");
const RECORD: Sql = Sql {
    sqlite: "INSERT INTO schema_version (version, name) VALUES (?, ?)",
    postgres: "INSERT INTO schema_version (version, name) VALUES ($1, $2)",
};

pub(crate) async fn run(
    engine: Engine,
    writer: &DatabaseConnection,
    migrations: &'static [Migration],
) -> Result<(), Error> {
    let known = newest_known(migrations);
    let tx = writer.begin_with_options(engine.transaction_options()).await?;
    if engine == Engine::Postgres {
        tx.execute_unprepared(LOCK).await?;
    }
    tx.execute_unprepared(TABLE).await?;
    let found = newest(engine, &tx).await?;
    if found > known {
        return Err(Error::SchemaTooNew { found, known });
    }
    // All steps in one transaction: both engines take schema changes back, so a schema is never half new.
    for migration in migrations.iter().filter(|m| m.version > found) {
        let text = Sql { sqlite: migration.sqlite, postgres: migration.postgres };
        tx.execute_unprepared(text.text(engine)).await?;
        let values = vec![i64::from(migration.version).into(), migration.name.into()];
        tx.execute_raw(RECORD.statement(engine, values)).await?;
        tracing::info!(version = migration.version, name = migration.name, "schema migrated");
    }
    tx.commit().await?;
    Ok(())
}

/// The version these migrations lead to.
pub(crate) fn newest_known(migrations: &[Migration]) -> u32 {
    migrations.iter().map(|m| m.version).max().unwrap_or(0)
}

/// The version that a database has: 0 when no migration was ever applied. Changes nothing.
pub(crate) async fn found(engine: Engine, connection: &impl ConnectionTrait) -> Result<u32, Error> {
    let row = connection.query_one_raw(HAS_TABLE.statement(engine, Vec::new())).await?;
    let tables: i64 = row.ok_or(Error::NoRow)?.try_get_by(0)?;
    if tables == 0 { Ok(0) } else { newest(engine, connection).await }
}

async fn newest(engine: Engine, connection: &impl ConnectionTrait) -> Result<u32, Error> {
    let row = connection.query_one_raw(NEWEST.statement(engine, Vec::new())).await?;
    let version: i64 = match row {
        Some(row) => row.try_get_by(0)?,
        None => 0,
    };
    Ok(u32::try_from(version).unwrap_or(u32::MAX))
}
