//! What a write can do.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, RuntimeErr, Value};
use tokio::time::Instant;

use crate::{Engine, Error, Sql, Statements, engine::STATEMENT_MAX};

/// PostgreSQL's `query_canceled`.
const CANCELLED: &str = "57014";

/// An open transaction of [`crate::Store::write`].
pub struct Transaction {
    engine: Engine,
    inner: DatabaseTransaction,
    statements: Statements,
    until: Option<Instant>,
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
        Self { engine, inner, statements, until }
    }

    /// Has PostgreSQL end any statement that is under way when the time has passed.
    pub(crate) async fn limit(&self) -> Result<(), Error> {
        let left = self.left()?;
        if let (Engine::Postgres, Some(left)) = (self.engine, left) {
            // 0 would be no limit at all; and never more than what every session has.
            let ms = left.as_millis().clamp(1, STATEMENT_MAX.as_millis());
            let limit = format!("SET LOCAL statement_timeout = {ms}");
            self.inner.execute_unprepared(&limit).await?;
        }
        Ok(())
    }

    /// What is left of the time, if there is a limit.
    fn left(&self) -> Result<Option<Duration>, Error> {
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
        self.left()?;
        self.statements.count();
        let done = self.inner.execute_raw(sql.statement(self.engine, values)).await;
        Ok(done.map_err(|error| self.failed(error))?.rows_affected())
    }

    /// Runs a statement that gives rows.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn query(&self, sql: &Sql, values: Vec<Value>) -> Result<Vec<QueryResult>, Error> {
        self.left()?;
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
