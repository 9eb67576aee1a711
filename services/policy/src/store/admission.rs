//! Admissions and their moves. Moves are never changed, and what an admission is follows from them.

use ::store::{QueryResult, Sql, Store, Transaction, Value};
use time::Date;

use super::{
    Held, day,
    moves::{self, Kept, field, signed, written},
    revise, text,
};
use crate::{
    Error,
    domain::{
        admission::{Admission, Move, State, Step, obstacle::day_of},
        registry::State as Stands,
    },
};

/// Moves that are recorded together.
const TOGETHER: u16 = 100;

const BY_REQUEST: Sql = Sql {
    sqlite: "SELECT connection, version, digest, request, made, state, answer, receipt \
             FROM admission_move WHERE request_id = ?",
    postgres: "SELECT connection, version, digest, request, made, state, answer, receipt \
               FROM admission_move WHERE request_id = $1",
};
const MOVES: Sql = Sql {
    sqlite: "SELECT connection, version, digest, request, made, state, answer, receipt \
             FROM admission_move WHERE connection = ? ORDER BY version",
    postgres: "SELECT connection, version, digest, request, made, state, answer, receipt \
               FROM admission_move WHERE connection = $1 ORDER BY version",
};
const UNRECORDED: Sql = Sql {
    sqlite: "SELECT connection, version, digest, request, made, state, answer, receipt \
             FROM admission_move WHERE receipt IS NULL AND made_at_us <= ? \
             ORDER BY made_at_us LIMIT ?",
    postgres: "SELECT connection, version, digest, request, made, state, answer, receipt \
               FROM admission_move WHERE receipt IS NULL AND made_at_us <= $1 \
               ORDER BY made_at_us LIMIT $2",
};
const AGREEMENTS: Sql = Sql {
    sqlite: "SELECT id FROM agreement WHERE connection = ?1 AND valid_from <= ?2 AND valid_to > ?2 \
             ORDER BY id",
    postgres: "SELECT id FROM agreement \
               WHERE connection = $1 AND valid_from <= $2 AND valid_to > $2 ORDER BY id",
};
/// Whether a connection that is not yet an admission's has its id or its system.
const TAKEN: Sql = Sql {
    sqlite: "SELECT id FROM connection WHERE id = ? OR (agency = ? AND system = ?)",
    postgres: "SELECT id FROM connection WHERE id = $1 OR (agency = $2 AND system = $3)",
};
/// The agency's name is the file's, where the file has one.
const AGENCY: Sql = Sql {
    sqlite: "INSERT INTO agency (code, vi, en) VALUES (?, ?, ?) ON CONFLICT (code) DO NOTHING",
    postgres: "INSERT INTO agency (code, vi, en) VALUES ($1, $2, $3) ON CONFLICT (code) DO NOTHING",
};
const CONNECTION: Sql = Sql {
    sqlite: "INSERT INTO connection (id, agency, system, database_id, state, legal_basis, \
                                     assessed_until, origin) \
             VALUES (?, ?, ?, ?, ?, ?, ?, 'admission') \
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, \
                legal_basis = excluded.legal_basis, assessed_until = excluded.assessed_until",
    postgres: "INSERT INTO connection (id, agency, system, database_id, state, legal_basis, \
                                       assessed_until, origin) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, 'admission') \
               ON CONFLICT (id) DO UPDATE SET state = excluded.state, \
                  legal_basis = excluded.legal_basis, assessed_until = excluded.assessed_until",
};
const ADMISSION: Sql = Sql {
    sqlite: "INSERT INTO admission (connection, version, state, admission) VALUES (?, ?, ?, ?) \
             ON CONFLICT (connection) DO UPDATE SET version = excluded.version, \
                state = excluded.state, admission = excluded.admission",
    postgres: "INSERT INTO admission (connection, version, state, admission) \
               VALUES ($1, $2, $3, $4) \
               ON CONFLICT (connection) DO UPDATE SET version = excluded.version, \
                  state = excluded.state, admission = excluded.admission",
};
const MOVE: Sql = Sql {
    sqlite: "INSERT INTO admission_move \
             (connection, version, request_id, digest, request, made, state, made_at_us) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    postgres: "INSERT INTO admission_move \
               (connection, version, request_id, digest, request, made, state, made_at_us) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
};
// The first answer stands.
const KEEP: Sql = Sql {
    sqlite: "UPDATE admission_move SET answer = ?, receipt = ? \
             WHERE connection = ? AND version = ? AND receipt IS NULL",
    postgres: "UPDATE admission_move SET answer = $1, receipt = $2 \
               WHERE connection = $3 AND version = $4 AND receipt IS NULL",
};
const KEPT: Sql = Sql {
    sqlite: "SELECT answer, receipt FROM admission_move WHERE connection = ? AND version = ?",
    postgres: "SELECT answer, receipt FROM admission_move WHERE connection = $1 AND version = $2",
};
const LIST: Sql = Sql {
    sqlite: "SELECT connection, admission FROM admission WHERE connection > ? \
             ORDER BY connection LIMIT ?",
    postgres: "SELECT connection, admission FROM admission WHERE connection COLLATE \"C\" > $1 \
               ORDER BY connection COLLATE \"C\" LIMIT $2",
};
/// Agreements in force of all connections.
const ALL_AGREEMENTS: Sql = Sql {
    sqlite: "SELECT connection, id FROM agreement WHERE valid_from <= ?1 AND valid_to > ?1 ORDER BY id",
    postgres: "SELECT connection, id FROM agreement WHERE valid_from <= $1 AND valid_to > $1 ORDER BY id",
};
const CONNECTIONS: Sql = Sql::same(
    "SELECT id, database_id, state, assessed_until FROM connection WHERE origin = 'file' ORDER BY id",
);

/// A move as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) connection: String,
    /// The version that it made.
    pub(crate) version: u64,
    /// SHA-256 of the exact request bytes.
    pub(crate) digest: [u8; 32],
    /// The exact request bytes.
    pub(crate) request: Vec<u8>,
    pub(crate) made: Move,
    /// Name of the state that it led to.
    pub(crate) state: String,
    /// What was answered; none while it is not recorded.
    pub(crate) kept: Option<Kept>,
}

/// A move that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) connection: String,
    pub(crate) request_id: String,
    pub(crate) digest: [u8; 32],
    pub(crate) request: Vec<u8>,
    pub(crate) expected: u64,
    /// Number of the rule set by which an application was checked for form.
    pub(crate) rules: Option<u64>,
    pub(crate) made: Move,
}

/// What an admission is judged by, all of one moment.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) admission: Option<Admission>,
    /// Agreements in force on the day.
    pub(crate) agreements: Vec<String>,
    /// The id or the system is held by something else.
    pub(crate) held: bool,
    /// The day of the move.
    pub(crate) day: Date,
}

/// What a move makes.
pub(crate) struct Judged {
    pub(crate) admission: Admission,
    pub(crate) state: State,
}

/// How a move that was asked for ended: made now or before, or not made.
pub(crate) type Moved<R> = Result<Entry, R>;

/// Makes a move, once for each request id, if `judge` lets it be made; where the request id was used, what it was used for is given.
/// Time does not go back in a history: with a clock that was set back, a move is judged and made at the moment of the last one.
pub(crate) async fn advance<R, J>(
    store: &Store,
    mut asked: Asked,
    judge: J,
) -> Result<Moved<R>, Error>
where
    R: Send + 'static,
    J: FnOnce(&Asked, Before) -> Result<Judged, R> + Send + 'static,
{
    store
        .write("move admission", move |tx| {
            Box::pin(async move {
                let turn = Held::take(tx).await?;
                let same = tx.query(&BY_REQUEST, vec![asked.request_id.clone().into()]).await?;
                if let Some(row) = same.first() {
                    return Ok(Ok(entry(row)?));
                }
                if asked.rules.is_some_and(|rules| rules != turn.rules()) {
                    return Err(Error::Overtaken);
                }
                let before = before(tx, &mut asked).await?;
                match judge(&asked, before) {
                    Ok(judged) => Ok(Ok(put(tx, turn, asked, judged).await?)),
                    Err(refused) => Ok(Err(refused)),
                }
            })
        })
        .await
}

async fn before(tx: &Transaction, asked: &mut Asked) -> Result<Before, Error> {
    let rows = tx.query(&MOVES, vec![asked.connection.clone().into()]).await?;
    let moves = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let admission = Admission::of(moves.iter().map(|entry| &entry.made));
    let last_us = admission.as_ref().map_or(i64::MIN, |admission| admission.moved_at_us);
    asked.made.at_us = asked.made.at_us.max(last_us);
    let day = day_of(asked.made.at_us).ok_or(Error::Stored("a moment that is none"))?;
    let values = vec![asked.connection.clone().into(), written(day)?.into()];
    let agreements = tx.query(&AGREEMENTS, values).await?;
    let agreements = agreements.iter().map(|row| text(row, 0)).collect::<Result<_, _>>()?;
    let mut held = false;
    if let (None, Step::Apply(wanted)) = (&admission, &asked.made.step) {
        let values = [&asked.connection, &wanted.agency, &wanted.system];
        let values = values.map(|value| value.clone().into()).to_vec();
        held = !tx.query(&TAKEN, values).await?.is_empty();
    }
    Ok(Before { admission, agreements, held, day })
}

async fn put(
    tx: &Transaction,
    turn: Held<'_>,
    asked: Asked,
    judged: Judged,
) -> Result<Entry, Error> {
    let Judged { admission, state } = judged;
    let version = signed(admission.version)?;
    let application = &admission.application;
    let agency = [&application.agency, &application.agency_vi, &application.agency_en];
    tx.execute(&AGENCY, agency.map(|value| value.clone().into()).to_vec()).await?;
    // Without an assessment no day is one on which it still counts.
    let until = admission.assessed.as_ref().map_or(Date::MIN, |assessed| assessed.next);
    let connection: Vec<Value> = vec![
        asked.connection.clone().into(),
        application.agency.clone().into(),
        application.system.clone().into(),
        application.database.clone().into(),
        state.effective().into(),
        application.legal_basis.clone().into(),
        written(until.max(FIRST))?.into(),
    ];
    tx.execute(&CONNECTION, connection).await?;
    let folded = serde_json::to_string(&admission).map_err(|_| Error::Stored("an admission"))?;
    let values: Vec<Value> =
        vec![asked.connection.clone().into(), version.into(), state.name().into(), folded.into()];
    tx.execute(&ADMISSION, values).await?;
    let made = serde_json::to_string(&asked.made).map_err(|_| Error::Stored("a move"))?;
    let values: Vec<Value> = vec![
        asked.connection.clone().into(),
        version.into(),
        asked.request_id.into(),
        asked.digest.to_vec().into(),
        asked.request.clone().into(),
        made.into(),
        state.name().into(),
        asked.made.at_us.into(),
    ];
    tx.execute(&MOVE, values).await?;
    revise(tx, turn, Some(std::slice::from_ref(&asked.connection))).await?;
    Ok(Entry {
        connection: asked.connection,
        version: admission.version,
        digest: asked.digest,
        request: asked.request,
        made: asked.made,
        state: state.name().to_owned(),
        kept: None,
    })
}

/// The first day that is written in ten characters.
const FIRST: Date = time::macros::date!(1000 - 01 - 01);

/// Every move of an admission, the first one first.
pub(crate) async fn moves(store: &Store, connection: &str) -> Result<Vec<Entry>, Error> {
    let rows = store.read(&MOVES, vec![connection.into()]).await?;
    rows.iter().map(entry).collect()
}

/// Moves that are not recorded, made before a moment, the oldest first.
pub(crate) async fn unrecorded(store: &Store, until_us: i64) -> Result<Vec<Entry>, Error> {
    let rows = store.read(&UNRECORDED, vec![until_us.into(), i64::from(TOGETHER).into()]).await?;
    rows.iter().map(entry).collect()
}

/// Stores what a move is answered, and gives what is stored: the first answer stands.
pub(crate) async fn keep(
    store: &Store,
    connection: String,
    version: u64,
    kept: Kept,
) -> Result<Kept, Error> {
    moves::keep(store, [&KEEP, &KEPT], connection, version, kept).await
}

/// Agreements in force of one connection.
pub(crate) async fn agreements(
    store: &Store,
    connection: &str,
    day: Date,
) -> Result<Vec<String>, Error> {
    let rows = store.read(&AGREEMENTS, vec![connection.into(), written(day)?.into()]).await?;
    rows.iter().map(|row| text(row, 0)).collect()
}

/// Connection and agreement of every agreement in force.
pub(crate) async fn all_agreements(
    store: &Store,
    day: Date,
) -> Result<Vec<(String, String)>, Error> {
    let rows = store.read(&ALL_AGREEMENTS, vec![written(day)?.into()]).await?;
    rows.iter().map(|row| Ok((text(row, 0)?, text(row, 1)?))).collect()
}

/// Admissions after an id, by the ids of their connections.
pub(crate) async fn list(
    store: &Store,
    after: &str,
    most: u16,
) -> Result<Vec<(String, Admission)>, Error> {
    let rows = store.read(&LIST, vec![after.into(), i64::from(most).into()]).await?;
    let one = |row: &QueryResult| {
        let admission = serde_json::from_str(&text(row, 1)?);
        Ok((text(row, 0)?, admission.map_err(|_| Error::Stored("an admission"))?))
    };
    rows.iter().map(one).collect()
}

/// A connection of the registry file.
pub(crate) struct FileConnection {
    pub(crate) id: String,
    pub(crate) database: String,
    pub(crate) state: Stands,
    pub(crate) assessed_until: Date,
}

/// Every connection of the registry file.
pub(crate) async fn file_connections(store: &Store) -> Result<Vec<FileConnection>, Error> {
    let rows = store.read(&CONNECTIONS, Vec::new()).await?;
    let one = |row: &QueryResult| {
        Ok(FileConnection {
            id: text(row, 0)?,
            database: text(row, 1)?,
            state: Stands::of(&text(row, 2)?),
            assessed_until: day(row, 3)?,
        })
    };
    rows.iter().map(one).collect()
}

fn entry(row: &QueryResult) -> Result<Entry, Error> {
    let version: i64 = field(row, 1)?;
    let digest: Vec<u8> = field(row, 2)?;
    Ok(Entry {
        connection: text(row, 0)?,
        version: u64::try_from(version).map_err(|_| Error::Stored("a version"))?,
        digest: digest.try_into().map_err(|_| Error::Stored("a digest"))?,
        request: field(row, 3)?,
        made: serde_json::from_str(&text(row, 4)?).map_err(|_| Error::Stored("a move"))?,
        state: text(row, 5)?,
        kept: moves::kept(row, [6, 7])?,
    })
}
