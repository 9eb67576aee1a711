//! A store whose steps a test decides about, one by one: in which order with those of others they take place, and how each
//! ends. So a test can go through all that may happen to processes on one database: commits that are refused or not
//! acknowledged, and writes that arrive after whoever sent them has died.
//!
//! It can also say a statement in other words, or forget what it acknowledged. Such a store is wrong, and shows that a test
//! would notice it.

use std::convert::Infallible;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbErr, QueryResult, Statement, Value};
use tokio::sync::{mpsc, oneshot};

use crate::{Engine, Error, Migration, Sql, Store, Transaction, engine, migrate};

/// What is about to take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// One statement that reads.
    Read,
    /// One transaction, with its commit.
    Write,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Well.
    Well,
    /// It fails, and nothing stands.
    Refused,
    /// It fails, and stands: the commit was not acknowledged. A read is refused.
    Unacknowledged,
    /// It is acknowledged, and nothing stands: a disk that lies.
    Forgotten,
}

/// A step that waits. One that is dropped never takes place, and its sender hears so.
#[derive(Debug)]
pub struct Asked {
    /// Which.
    pub step: Step,
    decided: oneshot::Sender<Decided>,
}

impl Asked {
    /// Lets it take place. What is given back is done when it is over, whoever may have heard of it.
    pub fn ends(self, fate: Fate) -> impl Future<Output = ()> {
        let (over, ended) = oneshot::channel::<Infallible>();
        // Whoever asked may be gone, and with it what it asked for.
        drop(self.decided.send(Decided { fate, _over: over }));
        async {
            ended.await.ok();
        }
    }
}

#[derive(Debug)]
struct Decided {
    fate: Fate,
    _over: oneshot::Sender<Infallible>,
}

/// Says a statement in other words, with the same values.
pub type Words = fn(&str) -> String;

#[derive(Clone)]
pub(crate) struct Steering {
    asks: mpsc::UnboundedSender<Asked>,
    words: Words,
}

/// A transaction about which it is decided.
pub(crate) struct Steered {
    decided: Decided,
    words: Words,
}

impl Steering {
    async fn ask(&self, step: Step) -> Result<Decided, Error> {
        let (decided, waits) = oneshot::channel();
        self.asks.send(Asked { step, decided }).map_err(|_| Error::Aborted)?;
        waits.await.map_err(|_| Error::Aborted)
    }

    pub(crate) async fn read(
        &self,
        store: &Store,
        sql: &Sql,
        values: Vec<Value>,
    ) -> Result<Vec<QueryResult>, Error> {
        let decided = self.ask(Step::Read).await?;
        match decided.fate {
            Fate::Well | Fate::Forgotten => {
                let statement = statement(self.words, store.engine, sql, values);
                Ok(store.readers.query_all_raw(statement).await?)
            }
            Fate::Refused | Fate::Unacknowledged => Err(Error::Database(refused())),
        }
    }

    pub(crate) async fn write(&self) -> Result<Steered, Error> {
        Ok(Steered { decided: self.ask(Step::Write).await?, words: self.words })
    }
}

impl Steered {
    pub(crate) fn statement(&self, engine: Engine, sql: &Sql, values: Vec<Value>) -> Statement {
        statement(self.words, engine, sql, values)
    }

    pub(crate) fn fate(&self) -> Fate {
        self.decided.fate
    }
}

impl Fate {
    pub(crate) async fn end(self, transaction: Transaction) -> Result<(), DbErr> {
        match self {
            Self::Well => transaction.committed().await,
            Self::Refused => transaction.rollback().await.and(Err(refused())),
            Self::Unacknowledged => transaction.committed().await.and(Err(refused())),
            Self::Forgotten => transaction.rollback().await,
        }
    }
}

fn statement(words: Words, engine: Engine, sql: &Sql, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(engine.backend(), words(sql.text(engine)), values)
}

fn refused() -> DbErr {
    DbErr::Custom("a test decided so".to_owned())
}

impl Store {
    /// The same database for one more process, every step of which waits for a decision.
    #[must_use]
    pub fn steered(&self, words: Words) -> (Self, mpsc::UnboundedReceiver<Asked>) {
        let (asks, asked) = mpsc::unbounded_channel();
        (Self { steering: Some(Steering { asks, words }), ..self.clone() }, asked)
    }

    /// A SQLite database in memory. Nothing in it is durable: it is for what does not turn on that.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn in_memory(migrations: &'static [Migration]) -> Result<Self, Error> {
        let mut options = ConnectOptions::new("sqlite::memory:");
        // One connection, for each would have a database of its own; it is gone with the last.
        options.max_connections(1).min_connections(1).test_before_acquire(false);
        options.idle_timeout(None).max_lifetime(None).sqlx_logging(false);
        let connection = Database::connect(options).await?;
        migrate::run(Engine::Sqlite, &connection, migrations).await?;
        Ok(engine::store(Engine::Sqlite, connection.clone(), connection, None))
    }
}
