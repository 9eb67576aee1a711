//! A transaction of SQLite without sea-orm, which takes one that SQLite has ended by itself for one that is still open:
//! a full disk ends it (sqlite.org/lang_transaction.html, section 3), there is nothing left to roll back, and the driver
//! makes of the next one a savepoint whose commit commits nothing. Here a connection goes back to its pool only when no
//! transaction is open on it; otherwise it is closed.

use std::sync::Arc;

use sea_orm::{DbErr, QueryResult, RuntimeErr, Statement, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{Executor as _, Sqlite, SqlitePool, pool::PoolConnection, query::Query};

use crate::postgres::no_connection;

/// A connection with a transaction.
pub(crate) struct Session {
    connection: PoolConnection<Sqlite>,
    open: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.open {
            self.connection.close_on_drop();
        }
    }
}

impl Session {
    /// A transaction that begins as a reader and then writes can be refused half-way; this one is a writer.
    pub(crate) async fn begin(pool: &SqlitePool) -> Result<Self, DbErr> {
        let connection = pool.acquire().await.map_err(no_connection)?;
        let mut session = Self { connection, open: true };
        session.command("BEGIN IMMEDIATE").await?;
        Ok(session)
    }

    pub(crate) async fn rows(&mut self, statement: &Statement) -> Result<Vec<QueryResult>, DbErr> {
        let rows = query(statement).fetch_all(&mut *self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    pub(crate) async fn execute(&mut self, statement: &Statement) -> Result<u64, DbErr> {
        let done = query(statement).execute(&mut *self.connection).await;
        Ok(done.map_err(failed)?.rows_affected())
    }

    pub(crate) async fn commit(mut self) -> Result<(), DbErr> {
        self.command("COMMIT").await?;
        self.open = false;
        Ok(())
    }

    pub(crate) async fn rollback(mut self) -> Result<(), DbErr> {
        if self.command("ROLLBACK").await.is_err() {
            // SQLite has done so by itself, if another one can begin.
            self.command("BEGIN").await?;
            self.command("ROLLBACK").await?;
        }
        self.open = false;
        Ok(())
    }

    async fn command(&mut self, sql: &'static str) -> Result<(), DbErr> {
        self.connection.execute(sql).await.map(drop).map_err(failed)
    }
}

fn query(statement: &Statement) -> Query<'_, Sqlite, SqlxValues> {
    let values = statement.values.clone().unwrap_or_else(|| Values(Vec::new()));
    // The statements are ours, word for word; what is given to them is bound.
    sqlx::query_with(sqlx::AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
