//! What a write can do.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use crate::{Engine, Error, Sql, Statements};

/// An open transaction of [`crate::Store::write`].
pub struct Transaction {
    engine: Engine,
    inner: DatabaseTransaction,
    statements: Statements,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Transaction {
    pub(crate) fn new(engine: Engine, inner: DatabaseTransaction, statements: Statements) -> Self {
        Self { engine, inner, statements }
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
        self.statements.count();
        let done = self.inner.execute_raw(sql.statement(self.engine, values)).await?;
        Ok(done.rows_affected())
    }

    /// Runs a statement that gives rows.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn query(&self, sql: &Sql, values: Vec<Value>) -> Result<Vec<QueryResult>, Error> {
        self.statements.count();
        Ok(self.inner.query_all_raw(sql.statement(self.engine, values)).await?)
    }

    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        self.inner.commit().await
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }
}
