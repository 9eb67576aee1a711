//! What a write can do.

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr, QueryResult, Statement, Value};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    Engine, Error, Rows, Sql, Statements,
    postgres::{self, Bounds, Session},
    sqlite,
};

/// What a statement may have too much of the time, so that not each of many quick ones costs a limit of its own.
const STALE: Duration = Duration::from_millis(50);

/// An open transaction of [`crate::Store::write`].
pub struct Transaction {
    inner: Inner,
    statements: Statements,
    bounds: Bounds,
    until: Option<Instant>,
    #[cfg(any(test, feature = "testing"))]
    steered: Option<crate::steer::Steered>,
}

enum Inner {
    Sqlite(Mutex<sqlite::Session>),
    Postgres(Mutex<Limited>),
}

/// A transaction of PostgreSQL, and the limit of a statement that the server was told.
struct Limited {
    session: Session,
    told: Option<Duration>,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

impl Limited {
    /// Has the server end the next statement when the time has passed: it counts a limit anew for each. Gives the
    /// limit.
    async fn limit(&mut self, left: Option<Duration>, most: Duration) -> Result<Duration, DbErr> {
        let Some(left) = left else { return Ok(most) };
        let limit = left.min(most);
        if self.told.is_none_or(|told| told > limit + STALE) {
            self.session.limit(limit).await?;
            self.told = Some(limit);
        }
        Ok(limit)
    }
}

impl Transaction {
    pub(crate) async fn begin(
        engine: Engine,
        writer: &DatabaseConnection,
        statements: Statements,
        bounds: Bounds,
        until: Option<Instant>,
    ) -> Result<Self, Error> {
        let inner = match engine {
            Engine::Sqlite => {
                let pool = writer.get_sqlite_connection_pool();
                Inner::Sqlite(Mutex::new(sqlite::Session::begin(pool).await?))
            }
            Engine::Postgres => {
                let pool = writer.get_postgres_connection_pool();
                let mut session = Session::take(pool, bounds).await?;
                session.begin().await?;
                Inner::Postgres(Mutex::new(Limited { session, told: None }))
            }
        };
        Ok(Self {
            inner,
            statements,
            bounds,
            until,
            #[cfg(any(test, feature = "testing"))]
            steered: None,
        })
    }

    /// The same, as a test decided that it ends.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn steered(self, steered: crate::steer::Steered) -> Self {
        Self { steered: Some(steered), ..self }
    }

    fn statement(&self, sql: &Sql, values: Vec<Value>) -> Statement {
        #[cfg(any(test, feature = "testing"))]
        if let Some(steered) = &self.steered {
            return steered.statement(self.engine(), sql, values);
        }
        sql.statement(self.engine(), values)
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
        match self.inner {
            Inner::Sqlite(_) => Engine::Sqlite,
            Inner::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs a statement and says how many rows it touched.
    ///
    /// # Errors
    /// [`Error::Database`]; [`Error::Late`].
    pub async fn execute(&self, sql: &Sql, values: Vec<Value>) -> Result<u64, Error> {
        let left = self.left()?;
        self.statements.count();
        let statement = self.statement(sql, values);
        match &self.inner {
            Inner::Sqlite(inner) => Ok(inner.lock().await.execute(&statement).await?),
            Inner::Postgres(inner) => {
                let mut inner = inner.lock().await;
                let limit = inner.limit(left, self.bounds.statement).await;
                let limit = limit.map_err(|error| self.failed(error))?;
                let done = inner.session.execute(limit, &statement).await;
                done.map_err(|error| self.failed(error))
            }
        }
    }

    /// Runs a statement that gives rows.
    ///
    /// # Errors
    /// [`Error::Database`]; [`Error::Late`].
    pub async fn query(&self, sql: &Sql, values: Vec<Value>) -> Result<Vec<QueryResult>, Error> {
        let left = self.left()?;
        self.statements.count();
        let statement = self.statement(sql, values);
        match &self.inner {
            Inner::Sqlite(inner) => Ok(inner.lock().await.rows(&statement).await?),
            Inner::Postgres(inner) => {
                let mut inner = inner.lock().await;
                let limit = inner.limit(left, self.bounds.statement).await;
                let limit = limit.map_err(|error| self.failed(error))?;
                let rows = inner.session.rows(limit, &statement).await;
                rows.map_err(|error| self.failed(error))
            }
        }
    }

    /// Writes rows into a table by COPY, and says how many: `into` is the table with its columns, as in
    /// `note (id, text)`. PostgreSQL alone has it.
    ///
    /// # Errors
    /// [`Error::Database`]; [`Error::Late`]; [`Error::NoCopy`].
    pub async fn copy(&self, into: &'static str, rows: &Rows) -> Result<u64, Error> {
        let left = self.left()?;
        let Inner::Postgres(inner) = &self.inner else { return Err(Error::NoCopy) };
        self.statements.count();
        let mut inner = inner.lock().await;
        let limit = inner.limit(left, self.bounds.statement).await;
        let limit = limit.map_err(|error| self.failed(error))?;
        let done = inner.session.copy(limit, into, rows.bytes()).await;
        done.map_err(|error| self.failed(error))
    }

    /// A statement that PostgreSQL ended because the time had passed is late, and nothing worse; also one that it
    /// never answered.
    fn failed(&self, error: DbErr) -> Error {
        let late = self.until.is_some() && postgres::is_cancelled(&error);
        if late || self.left().is_err() { Error::Late } else { Error::Database(error) }
    }

    /// Refuses what nobody waits for any more, and what cannot be committed.
    pub(crate) fn may_commit(&mut self) -> Result<(), Error> {
        self.left()?;
        if let Inner::Postgres(inner) = &mut self.inner {
            inner.get_mut().session.may_commit()?;
        }
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        #[cfg(any(test, feature = "testing"))]
        if let Some(fate) = self.steered.as_ref().map(crate::steer::Steered::fate) {
            return fate.end(self).await;
        }
        self.committed().await
    }

    pub(crate) async fn committed(self) -> Result<(), DbErr> {
        let most = self.bounds.statement;
        let limit = self.left().ok().flatten().map_or(most, |left| left.min(most));
        match self.inner {
            Inner::Sqlite(inner) => inner.into_inner().commit().await,
            Inner::Postgres(inner) => inner.into_inner().session.commit(limit).await,
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        match self.inner {
            Inner::Sqlite(inner) => inner.into_inner().rollback().await,
            Inner::Postgres(inner) => inner.into_inner().session.rollback().await,
        }
    }
}
