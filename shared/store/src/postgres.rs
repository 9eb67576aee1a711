//! PostgreSQL without sea-orm, which gives a connection back to the pool whatever runs on it. Here it goes back only
//! when nothing runs on it and no transaction is open. Otherwise it is closed, and the server ends what runs on it
//! (`client_connection_check_interval`): returned as it is, it would stay in the pool until the statement ends by
//! itself, and a few slow ones would keep everybody else from the database.
//!
//! Nothing here waits for ever: a server that vanishes without a word (no FIN, no RST) would otherwise keep what waits
//! for it, and its place in the pool.

use std::{mem, sync::Arc, time::Duration};

use sea_orm::{ConnAcquireErr, DbErr, QueryResult, RuntimeErr, Statement, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{Executor as _, PgPool, Postgres, pool::PoolConnection, query::Query};

use crate::engine::STATEMENT_MAX;

/// PostgreSQL's `query_canceled`.
const CANCELLED: &str = "57014";

/// How much goes in one message of a COPY.
const COPY_MESSAGE: usize = 256 * 1024;

/// How long we wait for a database that may have vanished.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// For a statement that nobody gave a time.
    pub(crate) statement: Duration,
    /// Beyond the limit that the server has for a statement; and for whatever takes no time.
    pub(crate) grace: Duration,
    /// For all connections to end.
    pub(crate) close: Duration,
}

impl Bounds {
    pub(crate) const DEFAULT: Self = Self {
        statement: STATEMENT_MAX,
        grace: Duration::from_secs(5),
        // With what else a process does at its end, less than the 10 s that are left of its time then (k8s).
        close: Duration::from_secs(4),
    };
}

/// What a connection is fit for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Any work.
    Free,
    /// A transaction is open.
    Open,
    /// A statement of the transaction failed: it can only be rolled back.
    Failed,
    /// Something runs on it still, or it is broken.
    Lost,
}

/// A connection of the pool.
pub(crate) struct Session {
    connection: PoolConnection<Postgres>,
    state: State,
    bounds: Bounds,
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.state == State::Free {
            // Not left to the pool, which asks the server first whether the connection is well, and waits for ever.
            let returned = self.connection.return_to_pool();
            tokio::spawn(tokio::time::timeout(self.bounds.grace, returned));
        } else {
            self.connection.close_on_drop();
        }
    }
}

impl Session {
    pub(crate) async fn take(pool: &PgPool, bounds: Bounds) -> Result<Self, DbErr> {
        let connection = pool.acquire().await.map_err(no_connection)?;
        Ok(Self { connection, state: State::Free, bounds })
    }

    /// The rows of a statement. The server ends it after `limit`, and we soon after that.
    pub(crate) async fn rows(
        &mut self,
        limit: Duration,
        statement: &Statement,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let rows = query(statement).fetch_all(&mut *self.connection);
        let rows = ended(&mut self.state, limit + self.bounds.grace, rows).await?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// How many rows a statement touched.
    pub(crate) async fn execute(
        &mut self,
        limit: Duration,
        statement: &Statement,
    ) -> Result<u64, DbErr> {
        let done = query(statement).execute(&mut *self.connection);
        Ok(ended(&mut self.state, limit + self.bounds.grace, done).await?.rows_affected())
    }

    /// How many rows a COPY wrote of what it is given.
    pub(crate) async fn copy(
        &mut self,
        limit: Duration,
        into: &str,
        rows: &[u8],
    ) -> Result<u64, DbErr> {
        let statement = format!("COPY {into} FROM STDIN");
        let done = async {
            let mut copy = self.connection.copy_in_raw(&statement).await?;
            for message in rows.chunks(COPY_MESSAGE) {
                copy.send(message).await?;
            }
            copy.finish().await
        };
        ended(&mut self.state, limit + self.bounds.grace, done).await
    }

    pub(crate) async fn begin(&mut self) -> Result<(), DbErr> {
        self.command(Duration::ZERO, "BEGIN").await?;
        self.state = State::Open;
        Ok(())
    }

    /// The server's limit for each statement of the transaction that follows.
    pub(crate) async fn limit(&mut self, limit: Duration) -> Result<(), DbErr> {
        // 0 would be no limit at all.
        let limit = format!("SET LOCAL statement_timeout = {}", limit.as_millis().max(1));
        self.command(Duration::ZERO, &limit).await
    }

    /// Whether COMMIT would commit: PostgreSQL makes a ROLLBACK of it after a statement that failed, and calls that
    /// a success.
    pub(crate) fn may_commit(&self) -> Result<(), DbErr> {
        if self.state == State::Open {
            Ok(())
        } else {
            Err(lost("the transaction is none any more"))
        }
    }

    pub(crate) async fn commit(&mut self, limit: Duration) -> Result<(), DbErr> {
        self.command(limit, "COMMIT").await?;
        self.state = State::Free;
        Ok(())
    }

    /// One that is lost is rolled back by the server, once its connection ends.
    pub(crate) async fn rollback(&mut self) -> Result<(), DbErr> {
        self.command(Duration::ZERO, "ROLLBACK").await?;
        self.state = State::Free;
        Ok(())
    }

    async fn command(&mut self, limit: Duration, sql: &str) -> Result<(), DbErr> {
        let done = (*self.connection).execute(sqlx::AssertSqlSafe(sql));
        ended(&mut self.state, limit + self.bounds.grace, done).await.map(drop)
    }
}

/// The rows of one statement that reads.
pub(crate) async fn rows(
    pool: &PgPool,
    bounds: Bounds,
    limit: Duration,
    statement: &Statement,
) -> Result<Vec<QueryResult>, DbErr> {
    Session::take(pool, bounds).await?.rows(limit, statement).await
}

fn query(statement: &Statement) -> Query<'_, Postgres, SqlxValues> {
    let values = statement.values.clone().unwrap_or_else(|| Values(Vec::new()));
    // The statements are ours, word for word; what is given to them is bound.
    sqlx::query_with(sqlx::AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}

/// Waits for a statement, and keeps account of what its connection is fit for, also when nobody waits for the end.
async fn ended<T>(
    state: &mut State,
    within: Duration,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, DbErr> {
    let before = mem::replace(state, State::Lost);
    if before == State::Lost {
        return Err(lost("the connection is lost"));
    }
    let done = tokio::time::timeout(within, statement).await;
    match done.map_err(|_| lost("no answer in time"))? {
        Ok(done) => {
            *state = before;
            Ok(done)
        }
        Err(error @ (sqlx::Error::Io(_) | sqlx::Error::Protocol(_))) => {
            Err(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
        }
        Err(error) => {
            *state = if before == State::Open { State::Failed } else { before };
            Err(DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))))
        }
    }
}

/// Whether the server ended the statement, because its time had passed.
pub(crate) fn is_cancelled(error: &DbErr) -> bool {
    let DbErr::Query(RuntimeErr::SqlxError(error)) = error else { return false };
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == CANCELLED)
}

fn lost(why: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(why.to_owned()))
}

pub(crate) fn no_connection(error: sqlx::Error) -> DbErr {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
    } else if matches!(error, sqlx::Error::PoolClosed) {
        DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)
    } else {
        DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
    }
}
