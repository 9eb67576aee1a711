//! One statement that reads, on PostgreSQL. Its connection goes back to the pool only when the statement has ended;
//! when whoever asked waits no longer, the connection is closed instead, and the server ends what runs on it
//! (`client_connection_check_interval`). Returned as it is, it would stay in the pool until the statement ends by
//! itself, and a few slow ones would keep everybody else from the database.

use std::sync::Arc;

use sea_orm::{ConnAcquireErr, DbErr, QueryResult, RuntimeErr, Statement, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{PgPool, Postgres, pool::PoolConnection};

/// A connection on which a statement is under way.
struct UnderWay {
    connection: PoolConnection<Postgres>,
    over: bool,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.over {
            self.connection.close_on_drop();
        }
    }
}

/// The rows of a statement.
pub(crate) async fn rows(pool: &PgPool, statement: &Statement) -> Result<Vec<QueryResult>, DbErr> {
    let connection = pool.acquire().await.map_err(no_connection)?;
    let mut read = UnderWay { connection, over: false };
    let values = statement.values.clone().unwrap_or_else(|| Values(Vec::new()));
    // The statements are ours, word for word; what is given to them is bound.
    let sql = sqlx::AssertSqlSafe(statement.sql.as_str());
    let rows = sqlx::query_with(sql, SqlxValues(values)).fetch_all(&mut *read.connection).await;
    read.over = !matches!(rows, Err(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)));
    Ok(rows.map_err(failed)?.into_iter().map(QueryResult::from).collect())
}

fn no_connection(error: sqlx::Error) -> DbErr {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
    } else if matches!(error, sqlx::Error::PoolClosed) {
        DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)
    } else {
        DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
    }
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
