//! What a write can do.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, RuntimeErr, Value};
use tokio::time::Instant;

use crate::{Engine, Error, Sql, Statements, engine::STATEMENT_MAX};

/// PostgreSQL's `query_canceled`.
const CANCELLED: &str = "57014";

/// What a statement may have too much of the time, so that not each of many quick ones costs a limit of its own.
const STALE_MS: u64 = 50;

/// An open transaction of [`crate::Store::write`].
pub struct Transaction {
    engine: Engine,
    inner: DatabaseTransaction,
    statements: Statements,
    until: Option<Instant>,
    /// The limit of a statement that the server was last told, in milliseconds.
    limit_ms: AtomicU64,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Transaction {
    pub(crate) fn new(
        engine: Engine,
        inner: DatabaseTransaction,
        statements: Statements,
        until: Option<Instant>,
    ) -> Self {
        // Before anything is said, the server has no limit that a time needs.
        Self { engine, inner, statements, until, limit_ms: AtomicU64::new(u64::MAX) }
    }

    /// Has PostgreSQL end the next statement when the time has passed: it counts a limit anew for each statement.
    async fn limit(&self) -> Result<(), Error> {
        let left = self.left()?;
        if let (Engine::Postgres, Some(left)) = (self.engine, left) {
            // 0 would be no limit at all; and never more than what every session has.
            let ms = left.min(STATEMENT_MAX).as_millis().max(1);
            let ms = u64::try_from(ms).unwrap_or(u64::MAX);
            if self.limit_ms.load(Ordering::Relaxed) > ms.saturating_add(STALE_MS) {
                let limit = format!("SET LOCAL statement_timeout = {ms}");
                self.inner.execute_unprepared(&limit).await?;
                self.limit_ms.store(ms, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// What is left of the time, if there is a limit.
    pub(crate) fn left(&self) -> Result<Option<Duration>, Error> {
        let Some(until) = self.until else { return Ok(None) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Error::Late) } else { Ok(Some(left)) }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Runs a statement and says how many rows it touched.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn execute(&self, sql: &Sql, values: Vec<Value>) -> Result<u64, Error> {
        self.limit().await?;
        self.statements.count();
        let done = self.inner.execute_raw(sql.statement(self.engine, values)).await;
        Ok(done.map_err(|error| self.failed(error))?.rows_affected())
    }

    /// Runs a statement that gives rows.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn query(&self, sql: &Sql, values: Vec<Value>) -> Result<Vec<QueryResult>, Error> {
        self.limit().await?;
        self.statements.count();
        let rows = self.inner.query_all_raw(sql.statement(self.engine, values)).await;
        rows.map_err(|error| self.failed(error))
    }

    /// A statement that PostgreSQL ended because the time had passed is late, and nothing worse.
    fn failed(&self, error: DbErr) -> Error {
        if is_cancelled(&error) && self.until.is_some() {
            Error::Late
        } else {
            Error::Database(error)
        }
    }

    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        self.inner.commit().await
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }
}

fn is_cancelled(error: &DbErr) -> bool {
    let (DbErr::Exec(error) | DbErr::Query(error)) = error else { return false };
    let RuntimeErr::SqlxError(error) = error else { return false };
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == CANCELLED)
}
