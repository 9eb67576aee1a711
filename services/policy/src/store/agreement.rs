//! Signed agreements and their moves. Moves are never changed, and what an agreement is follows from them; while it counts, what
//! it grants stands among what the registry file grants.

use std::slice;

use ::store::{QueryResult, Sql, Store, Transaction, Value};
use sha2::{Digest as _, Sha256};
use time::Date;

use super::{
    FILL, Held,
    moves::{self, Kept, field, signed, written},
    revise, text,
};
use crate::{
    Error,
    domain::{
        admission::obstacle::day_of,
        agreement::{Agreement, Move, Step},
        registry::{self, Grant, Registry},
    },
};

/// Moves that are recorded together.
const TOGETHER: u16 = 100;

const BY_REQUEST: Sql = Sql {
    sqlite: "SELECT agreement, version, digest, request, made, answer, receipt \
             FROM agreement_move WHERE request_id = ?",
    postgres: "SELECT agreement, version, digest, request, made, answer, receipt \
               FROM agreement_move WHERE request_id = $1",
};
const MOVES: Sql = Sql {
    sqlite: "SELECT agreement, version, digest, request, made, answer, receipt \
             FROM agreement_move WHERE agreement = ? ORDER BY version",
    postgres: "SELECT agreement, version, digest, request, made, answer, receipt \
               FROM agreement_move WHERE agreement = $1 ORDER BY version",
};
const UNRECORDED: Sql = Sql {
    sqlite: "SELECT agreement, version, digest, request, made, answer, receipt \
             FROM agreement_move WHERE receipt IS NULL AND made_at_us <= ? \
             ORDER BY made_at_us LIMIT ?",
    postgres: "SELECT agreement, version, digest, request, made, answer, receipt \
               FROM agreement_move WHERE receipt IS NULL AND made_at_us <= $1 \
               ORDER BY made_at_us LIMIT $2",
};
const ONE: Sql = Sql {
    sqlite: "SELECT agreement, content FROM signed_agreement WHERE id = ?",
    postgres: "SELECT agreement, content FROM signed_agreement WHERE id = $1",
};
/// All agreements of a connection.
const OF_CONNECTION: Sql = Sql {
    sqlite: "SELECT agreement FROM signed_agreement WHERE connection = ? ORDER BY id",
    postgres: "SELECT agreement FROM signed_agreement WHERE connection = $1 ORDER BY id",
};
const LIST: Sql = Sql {
    sqlite: "SELECT agreement FROM signed_agreement WHERE id > ? ORDER BY id LIMIT ?",
    postgres: "SELECT agreement FROM signed_agreement WHERE id COLLATE \"C\" > $1 \
               ORDER BY id COLLATE \"C\" LIMIT $2",
};
const OF_FILE: Sql = Sql {
    sqlite: "SELECT id FROM agreement WHERE id = ? AND origin = 'file'",
    postgres: "SELECT id FROM agreement WHERE id = $1 AND origin = 'file'",
};
/// The agency of a connection that an admission holds.
const AGENCY: Sql = Sql {
    sqlite: "SELECT c.agency FROM connection c JOIN admission d ON d.connection = c.id \
             WHERE c.id = ? AND d.state <> 'ENDED'",
    postgres: "SELECT c.agency FROM connection c JOIN admission d ON d.connection = c.id \
               WHERE c.id = $1 AND d.state <> 'ENDED'",
};
const PUT: Sql = Sql {
    sqlite: "INSERT INTO signed_agreement (id, connection, version, content, agreement, fold) \
             VALUES (?, ?, ?, ?, ?, ?)",
    postgres: "INSERT INTO signed_agreement (id, connection, version, content, agreement, fold) \
               VALUES ($1, $2, $3, $4, $5, $6)",
};
const CHANGE: Sql = Sql {
    sqlite: "UPDATE signed_agreement SET version = ?, agreement = ?, fold = ? WHERE id = ?",
    postgres: "UPDATE signed_agreement SET version = $1, agreement = $2, fold = $3 WHERE id = $4",
};
const MOVE: Sql = Sql {
    sqlite: "INSERT INTO agreement_move \
             (agreement, version, request_id, digest, request, made, made_at_us) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
    postgres: "INSERT INTO agreement_move \
               (agreement, version, request_id, digest, request, made, made_at_us) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)",
};
// The first answer stands.
const KEEP: Sql = Sql {
    sqlite: "UPDATE agreement_move SET answer = ?, receipt = ? \
             WHERE agreement = ? AND version = ? AND receipt IS NULL",
    postgres: "UPDATE agreement_move SET answer = $1, receipt = $2 \
               WHERE agreement = $3 AND version = $4 AND receipt IS NULL",
};
const KEPT: Sql = Sql {
    sqlite: "SELECT answer, receipt FROM agreement_move WHERE agreement = ? AND version = ?",
    postgres: "SELECT answer, receipt FROM agreement_move WHERE agreement = $1 AND version = $2",
};
const IS_SIGNED: Sql = Sql {
    sqlite: "UPDATE agreement SET origin = 'signed' WHERE id = ?",
    postgres: "UPDATE agreement SET origin = 'signed' WHERE id = $1",
};
const TERMS: Sql = Sql {
    sqlite: "INSERT INTO agreement_terms \
             (agreement, action, procedure, legal_basis, valid_from, valid_to, terms) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
    postgres: "INSERT INTO agreement_terms \
               (agreement, action, procedure, legal_basis, valid_from, valid_to, terms) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)",
};
const CUT: Sql = Sql {
    sqlite: "UPDATE agreement SET valid_to = ?1 WHERE id = ?2 AND valid_from < ?1 AND valid_to > ?1",
    postgres: "UPDATE agreement SET valid_to = $1 \
               WHERE id = $2 AND valid_from < $1 AND valid_to > $1",
};
/// Whether an agreement grants nothing before a day.
const BEGINS: Sql = Sql {
    sqlite: "SELECT id FROM agreement WHERE id = ? AND valid_from >= ?",
    postgres: "SELECT id FROM agreement WHERE id = $1 AND valid_from >= $2",
};
/// What an agreement grants.
const DROP: [Sql; 3] = [
    Sql {
        sqlite: "DELETE FROM agreement_terms WHERE agreement = ?",
        postgres: "DELETE FROM agreement_terms WHERE agreement = $1",
    },
    Sql {
        sqlite: "DELETE FROM agreement_grant WHERE agreement = ?",
        postgres: "DELETE FROM agreement_grant WHERE agreement = $1",
    },
    Sql {
        sqlite: "DELETE FROM agreement WHERE id = ? AND origin = 'signed'",
        postgres: "DELETE FROM agreement WHERE id = $1 AND origin = 'signed'",
    },
];

/// A move as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) agreement: String,
    /// The version that it made.
    pub(crate) version: u64,
    /// SHA-256 of the exact request bytes.
    pub(crate) digest: [u8; 32],
    /// The exact request bytes.
    pub(crate) request: Vec<u8>,
    pub(crate) made: Move,
    /// What was answered; none while it is not recorded.
    pub(crate) kept: Option<Kept>,
}

/// A move that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) agreement: String,
    pub(crate) request_id: String,
    pub(crate) digest: [u8; 32],
    pub(crate) request: Vec<u8>,
    /// Number of the rule set by which a proposal was checked for form.
    pub(crate) rules: Option<u64>,
    /// The exact bytes that are proposed; empty otherwise.
    pub(crate) content: Vec<u8>,
    pub(crate) made: Move,
}

/// What a move is judged by, all of one moment.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) agreement: Option<Agreement>,
    /// Agency of the connection.
    pub(crate) agency: Option<String>,
    /// The id is one of the registry file.
    pub(crate) of_file: bool,
    /// Other agreements of the connection.
    pub(crate) others: Vec<Agreement>,
    /// The day of the move.
    pub(crate) day: Date,
}

/// Makes a move, once for each request id, if `judge` lets it be made; where the request id was used, what it was used for is given.
/// Time does not go back in a history: with a clock that was set back, a move is judged and made at the moment of the last one.
pub(crate) async fn advance<R, J>(
    store: &Store,
    mut asked: Asked,
    judge: J,
) -> Result<Result<Entry, R>, Error>
where
    R: Send + 'static,
    J: FnOnce(&Asked, Before) -> Result<Agreement, R> + Send + 'static,
{
    store
        .write("move agreement", move |tx| {
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
                let counted = before.agreement.as_ref().is_some_and(Agreement::counts);
                match judge(&asked, before) {
                    Ok(after) => Ok(Ok(put(tx, turn, asked, &after, counted).await?)),
                    Err(refused) => Ok(Err(refused)),
                }
            })
        })
        .await
}

async fn before(tx: &Transaction, asked: &mut Asked) -> Result<Before, Error> {
    let rows = tx.query(&ONE, vec![asked.agreement.clone().into()]).await?;
    let agreement = rows.first().map(folded).transpose()?;
    let last_us = agreement.as_ref().map_or(i64::MIN, |agreement| agreement.moved_at_us);
    asked.made.at_us = asked.made.at_us.max(last_us);
    let day = day_of(asked.made.at_us).ok_or(Error::Stored("a moment that is none"))?;
    let connection = match (&agreement, &asked.made.step) {
        (Some(agreement), _) => agreement.content.connection.clone(),
        (None, Step::Propose(content, _)) => content.connection.clone(),
        (None, Step::Sign { .. }) => String::new(),
    };
    let agency = tx.query(&AGENCY, vec![connection.clone().into()]).await?;
    let agency = agency.first().map(|row| text(row, 0)).transpose()?;
    let of_file = !tx.query(&OF_FILE, vec![asked.agreement.clone().into()]).await?.is_empty();
    let others = tx.query(&OF_CONNECTION, vec![connection.into()]).await?;
    let mut others = others.iter().map(folded).collect::<Result<Vec<_>, _>>()?;
    others.retain(|other| other.content.id != asked.agreement);
    Ok(Before { agreement, agency, of_file, others, day })
}

async fn put(
    tx: &Transaction,
    turn: Held<'_>,
    asked: Asked,
    after: &Agreement,
    counted: bool,
) -> Result<Entry, Error> {
    let version = signed(after.version)?;
    let folded = serde_json::to_string(after).map_err(|_| Error::Stored("an agreement"))?;
    let fold = hex::encode(Sha256::digest(&folded));
    let id = asked.agreement.clone();
    if after.version == 1 {
        let connection = after.content.connection.clone();
        let content = asked.content;
        let values: Vec<Value> = vec![
            id.clone().into(),
            connection.into(),
            version.into(),
            content.into(),
            folded.into(),
            fold.into(),
        ];
        tx.execute(&PUT, values).await?;
    } else {
        let values: Vec<Value> =
            vec![version.into(), folded.into(), fold.into(), id.clone().into()];
        tx.execute(&CHANGE, values).await?;
    }
    let made = serde_json::to_string(&asked.made).map_err(|_| Error::Stored("a move"))?;
    let values: Vec<Value> = vec![
        id.clone().into(),
        version.into(),
        asked.request_id.into(),
        asked.digest.to_vec().into(),
        asked.request.clone().into(),
        made.into(),
        asked.made.at_us.into(),
    ];
    tx.execute(&MOVE, values).await?;
    match (counted, after.counts()) {
        (false, true) => grant(tx, after).await?,
        (true, false) => drop_grants(tx, &id).await?,
        (true, true) | (false, false) => {}
    }
    revise(tx, turn, Some(slice::from_ref(&after.content.connection))).await?;
    Ok(Entry {
        agreement: id,
        version: after.version,
        digest: asked.digest,
        request: asked.request,
        made: asked.made,
        kept: None,
    })
}

/// Writes what an agreement grants, and ends what it renews.
async fn grant(tx: &Transaction, agreement: &Agreement) -> Result<(), Error> {
    let content = &agreement.content;
    let begins = written(content.valid_from)?;
    if !content.renews.is_empty() {
        let renewed = content.renews.clone();
        let values: Vec<Value> = vec![renewed.clone().into(), begins.clone().into()];
        if tx.query(&BEGINS, values).await?.is_empty() {
            tx.execute(&CUT, vec![begins.into(), renewed.into()]).await?;
        } else {
            drop_grants(tx, &renewed).await?;
        }
    }
    let grants = content.grants.iter().map(|granted| Grant {
        action: granted.action,
        procedure: granted.procedure.clone(),
        legal_basis: granted.legal_basis.clone(),
        items: granted.items.clone(),
        obligations: granted.obligations.clone(),
    });
    let as_filed = registry::Agreement {
        id: content.id.clone(),
        connection: content.connection.clone(),
        valid_from: content.valid_from,
        valid_to: content.valid_to,
        grants: grants.collect(),
    };
    let registry = Registry { agreements: vec![as_filed], ..Registry::default() };
    let registry = serde_json::to_string(&registry).map_err(|_| Error::Stored("an agreement"))?;
    let [_, _, agreements, granted] = &FILL;
    for fill in [agreements, granted] {
        tx.execute(fill, vec![registry.clone().into()]).await?;
    }
    tx.execute(&IS_SIGNED, vec![content.id.clone().into()]).await?;
    for granted in &content.grants {
        let terms = serde_json::to_string(&granted.terms).map_err(|_| Error::Stored("terms"))?;
        let values: Vec<Value> = vec![
            content.id.clone().into(),
            granted.action.name().into(),
            granted.procedure.clone().into(),
            granted.legal_basis.clone().into(),
            written(granted.valid_from)?.into(),
            written(granted.valid_to)?.into(),
            terms.into(),
        ];
        tx.execute(&TERMS, values).await?;
    }
    Ok(())
}

async fn drop_grants(tx: &Transaction, id: &str) -> Result<(), Error> {
    for drop in &DROP {
        tx.execute(drop, vec![id.into()]).await?;
    }
    Ok(())
}

/// What a request id was used for.
pub(crate) async fn by_request(store: &Store, request_id: &str) -> Result<Option<Entry>, Error> {
    store.read(&BY_REQUEST, vec![request_id.into()]).await?.first().map(entry).transpose()
}

/// An agreement and its exact bytes.
pub(crate) async fn one(store: &Store, id: &str) -> Result<Option<(Agreement, Vec<u8>)>, Error> {
    let rows = store.read(&ONE, vec![id.into()]).await?;
    rows.first().map(|row| Ok((folded(row)?, field(row, 1)?))).transpose()
}

/// Every move of an agreement, the first one first.
pub(crate) async fn moves(store: &Store, id: &str) -> Result<Vec<Entry>, Error> {
    store.read(&MOVES, vec![id.into()]).await?.iter().map(entry).collect()
}

/// All agreements of a connection.
pub(crate) async fn of_connection(
    store: &Store,
    connection: &str,
) -> Result<Vec<Agreement>, Error> {
    store.read(&OF_CONNECTION, vec![connection.into()]).await?.iter().map(folded).collect()
}

/// Agreements after an id, by their ids.
pub(crate) async fn list(store: &Store, after: &str, most: u16) -> Result<Vec<Agreement>, Error> {
    let rows = store.read(&LIST, vec![after.into(), i64::from(most).into()]).await?;
    rows.iter().map(folded).collect()
}

/// Moves that are not recorded, made before a moment, the oldest first.
pub(crate) async fn unrecorded(store: &Store, until_us: i64) -> Result<Vec<Entry>, Error> {
    let rows = store.read(&UNRECORDED, vec![until_us.into(), i64::from(TOGETHER).into()]).await?;
    rows.iter().map(entry).collect()
}

/// Stores what a move is answered, and gives what is stored: the first answer stands.
pub(crate) async fn keep(
    store: &Store,
    agreement: String,
    version: u64,
    kept: Kept,
) -> Result<Kept, Error> {
    moves::keep(store, [&KEEP, &KEPT], agreement, version, kept).await
}

fn folded(row: &QueryResult) -> Result<Agreement, Error> {
    serde_json::from_str(&text(row, 0)?).map_err(|_| Error::Stored("an agreement"))
}

fn entry(row: &QueryResult) -> Result<Entry, Error> {
    let version: i64 = field(row, 1)?;
    let digest: Vec<u8> = field(row, 2)?;
    Ok(Entry {
        agreement: text(row, 0)?,
        version: u64::try_from(version).map_err(|_| Error::Stored("a version"))?,
        digest: digest.try_into().map_err(|_| Error::Stored("a digest"))?,
        request: field(row, 3)?,
        made: serde_json::from_str(&text(row, 4)?).map_err(|_| Error::Stored("a move"))?,
        kept: moves::kept(row, [5, 6])?,
    })
}
