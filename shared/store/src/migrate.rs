//! Schema versions: applied in order, each in a transaction, never changed once released.

use std::cmp::Ordering;

use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};

use crate::{Engine, Error, Sql};

/// One step of a service's schema, in the words of each engine.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// 1 for the first, without gaps.
    pub version: u32,
    /// What it brings; of the first one it also tells this service's databases from every other's.
    pub name: &'static str,
    /// For SQLite.
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

/// Several replicas may start at once; on PostgreSQL one of them migrates and the others wait. SQLite has
/// one process by its lock file.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1911)";
/// A step over a large table takes as long as it takes. Whoever waits for the lock is bounded as before.
const UNBOUNDED: &str = "SET LOCAL statement_timeout = 0";
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version \
     (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL)";
const HAS_TABLE: Sql = Sql {
    sqlite: "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'",
    postgres: "SELECT COUNT(to_regclass('schema_version'))",
};
const APPLIED: Sql = Sql::same("SELECT version, name FROM schema_version ORDER BY version");
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
        tx.execute_unprepared(UNBOUNDED).await?;
    }
    tx.execute_unprepared(TABLE).await?;
    let found = ours(&applied(engine, &tx).await?, migrations)?;
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
fn newest_known(migrations: &[Migration]) -> u32 {
    migrations.iter().map(|m| m.version).max().unwrap_or(0)
}

/// Refuses a database of another schema than these migrations lead to. Changes nothing.
pub(crate) async fn current(
    engine: Engine,
    connection: &impl ConnectionTrait,
    migrations: &'static [Migration],
) -> Result<(), Error> {
    let known = newest_known(migrations);
    let applied = if has_table(engine, connection).await? {
        applied(engine, connection).await?
    } else {
        Vec::new()
    };
    let found = ours(&applied, migrations)?;
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(Error::SchemaTooOld { found, known }),
        Ordering::Greater => Err(Error::SchemaTooNew { found, known }),
    }
}

/// The version that a database has: 0 when no migration was ever applied. Changes nothing.
pub(crate) async fn found(engine: Engine, connection: &impl ConnectionTrait) -> Result<u32, Error> {
    if !has_table(engine, connection).await? {
        return Ok(0);
    }
    Ok(applied(engine, connection).await?.last().map_or(0, |(version, _)| *version))
}

async fn has_table(engine: Engine, connection: &impl ConnectionTrait) -> Result<bool, Error> {
    let row = connection.query_one_raw(HAS_TABLE.statement(engine, Vec::new())).await?;
    let tables: i64 = row.ok_or(Error::NoRow)?.try_get_by(0)?;
    Ok(tables > 0)
}

/// The steps a database has, in order.
async fn applied(
    engine: Engine,
    connection: &impl ConnectionTrait,
) -> Result<Vec<(u32, String)>, Error> {
    let rows = connection.query_all_raw(APPLIED.statement(engine, Vec::new())).await?;
    let step = |row: &sea_orm::QueryResult| {
        let version: i64 = row.try_get_by(0)?;
        Ok((u32::try_from(version).unwrap_or(u32::MAX), row.try_get_by(1)?))
    };
    rows.iter().map(step).collect()
}

/// The version that these steps lead to, when those that are known here have the names they have here.
fn ours(applied: &[(u32, String)], migrations: &[Migration]) -> Result<u32, Error> {
    for (version, name) in applied {
        let known = migrations.iter().find(|migration| migration.version == *version);
        if let Some(known) = known.filter(|known| known.name != name) {
            let (version, found, known) = (*version, name.clone(), known.name);
            return Err(Error::OtherSchema { version, found, known });
        }
    }
    Ok(applied.last().map_or(0, |(version, _)| *version))
}
