//! Rule sets and their moves. Moves are never changed, and what a set is follows from them; which one decides stands with the revision
//! of the registry.

use ::store::{QueryResult, Sql, Store, Transaction, Value};
use time::Date;

use super::{
    Held,
    moves::{self, Kept, field, signed, written},
    revise,
    revisions::{self, ruling},
    text,
};
use crate::{
    Error,
    domain::{
        admission::obstacle::day_of,
        agreement::Agreement,
        registry::Grant,
        revision::Ruling,
        rule_set::{Found, Move, Named, RuleSet, Step},
        rules::Act,
    },
};

/// Moves that are recorded together.
const TOGETHER: i64 = 100;

const BY_REQUEST: Sql = Sql {
    sqlite: "SELECT number, version, digest, request, made, answer, receipt \
             FROM rule_set_move WHERE request_id = ?",
    postgres: "SELECT number, version, digest, request, made, answer, receipt \
               FROM rule_set_move WHERE request_id = $1",
};
const MOVES: Sql = Sql {
    sqlite: "SELECT number, version, digest, request, made, answer, receipt \
             FROM rule_set_move WHERE number = ? ORDER BY version",
    postgres: "SELECT number, version, digest, request, made, answer, receipt \
               FROM rule_set_move WHERE number = $1 ORDER BY version",
};
const UNRECORDED: Sql = Sql {
    sqlite: "SELECT number, version, digest, request, made, answer, receipt \
             FROM rule_set_move WHERE receipt IS NULL AND made_at_us <= ? \
             ORDER BY made_at_us LIMIT ?",
    postgres: "SELECT number, version, digest, request, made, answer, receipt \
               FROM rule_set_move WHERE receipt IS NULL AND made_at_us <= $1 \
               ORDER BY made_at_us LIMIT $2",
};
const ONE: Sql = Sql {
    sqlite: "SELECT rule_set, content FROM rule_set WHERE number = ?",
    postgres: "SELECT rule_set, content FROM rule_set WHERE number = $1",
};
const LIST: Sql = Sql {
    sqlite: "SELECT rule_set FROM rule_set WHERE number < ? ORDER BY number DESC LIMIT ?",
    postgres: "SELECT rule_set FROM rule_set WHERE number < $1 ORDER BY number DESC LIMIT $2",
};
const LAST: Sql = Sql::same("SELECT COALESCE(MAX(number), 0) FROM rule_set");
const IN_FORCE: Sql = Sql::same("SELECT rules, rules_digest FROM registry_revision WHERE id = 1");
/// Sets after a number.
const LATER: Sql = Sql {
    sqlite: "SELECT rule_set FROM rule_set WHERE number > ?",
    postgres: "SELECT rule_set FROM rule_set WHERE number > $1",
};
/// What is granted by a file, which is read anew whenever the service starts, or by an agreement whose term has not ended; with one of
/// the items.
const GRANTED: Sql = Sql {
    sqlite: "SELECT g.action, g.procedure, g.legal_basis, MIN(g.item) \
             FROM agreement_grant g JOIN agreement a ON a.id = g.agreement \
             WHERE a.origin = 'file' OR a.valid_to > ? \
             GROUP BY g.action, g.procedure, g.legal_basis",
    postgres: "SELECT g.action, g.procedure, g.legal_basis, MIN(g.item) \
               FROM agreement_grant g JOIN agreement a ON a.id = g.agreement \
               WHERE a.origin = 'file' OR a.valid_to > $1 \
               GROUP BY g.action, g.procedure, g.legal_basis",
};
const CONNECTED: Sql = Sql::same(
    "SELECT DISTINCT legal_basis FROM connection \
     WHERE origin = 'file' OR state IN ('ACTIVE', 'SUSPENDED')",
);
/// Agreements that parties may still sign, or have.
const AGREED: Sql = Sql::same("SELECT agreement FROM signed_agreement");
const PUT: Sql = Sql {
    sqlite: "INSERT INTO rule_set (number, version, content, rule_set) VALUES (?, ?, ?, ?)",
    postgres: "INSERT INTO rule_set (number, version, content, rule_set) VALUES ($1, $2, $3, $4)",
};
const CHANGE: Sql = Sql {
    sqlite: "UPDATE rule_set SET version = ?, rule_set = ? WHERE number = ?",
    postgres: "UPDATE rule_set SET version = $1, rule_set = $2 WHERE number = $3",
};
const MOVE: Sql = Sql {
    sqlite: "INSERT INTO rule_set_move \
             (number, version, request_id, digest, request, made, made_at_us) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
    postgres: "INSERT INTO rule_set_move \
               (number, version, request_id, digest, request, made, made_at_us) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)",
};
const DECIDES: Sql = Sql {
    sqlite: "UPDATE registry_revision SET rules = ?, rules_digest = ? WHERE id = 1",
    postgres: "UPDATE registry_revision SET rules = $1, rules_digest = $2 WHERE id = 1",
};
// The first answer stands.
const KEEP: Sql = Sql {
    sqlite: "UPDATE rule_set_move SET answer = ?, receipt = ? \
             WHERE number = CAST(? AS INTEGER) AND version = ? AND receipt IS NULL",
    postgres: "UPDATE rule_set_move SET answer = $1, receipt = $2 \
               WHERE number = CAST($3 AS BIGINT) AND version = $4 AND receipt IS NULL",
};
const KEPT: Sql = Sql {
    sqlite: "SELECT answer, receipt FROM rule_set_move \
             WHERE number = CAST(? AS INTEGER) AND version = ?",
    postgres: "SELECT answer, receipt FROM rule_set_move \
               WHERE number = CAST($1 AS BIGINT) AND version = $2",
};

/// A move as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) number: u64,
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
    /// Number of the set; none for one that is proposed.
    pub(crate) number: Option<u64>,
    pub(crate) request_id: String,
    pub(crate) digest: [u8; 32],
    pub(crate) request: Vec<u8>,
    /// The exact bytes that are proposed; empty otherwise.
    pub(crate) content: Vec<u8>,
    pub(crate) made: Move,
}

/// What a move is judged by, all of one moment.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) set: Option<RuleSet>,
    /// Number of the set in force.
    pub(crate) in_force: u64,
    /// What agreements grant and connections stand on.
    pub(crate) named: Named,
}

/// Makes a move, once for each request id, if `judge` finds nothing in its way; where the request id was used, what it was used for is
/// given. Time does not go back in a history.
pub(crate) async fn advance<J>(
    store: &Store,
    mut asked: Asked,
    judge: J,
) -> Result<Result<Entry, Vec<Found>>, Error>
where
    J: FnOnce(&Asked, &Before) -> Vec<Found> + Send + 'static,
{
    store
        .write("move rule set", move |tx| {
            Box::pin(async move {
                let turn = Held::take(tx).await?;
                let same = tx.query(&BY_REQUEST, vec![asked.request_id.clone().into()]).await?;
                if let Some(row) = same.first() {
                    return Ok(Ok(entry(row)?));
                }
                let judged = !matches!(asked.made.step, Step::Withdraw { .. });
                let day = day_of(asked.made.at_us).ok_or(Error::Stored("a moment that is none"))?;
                let named = if judged { named(tx, day).await? } else { Named::default() };
                let before = before(tx, asked.number, (turn.rules(), named)).await?;
                let last_us = before.set.as_ref().map_or(i64::MIN, RuleSet::moved_at_us);
                asked.made.at_us = asked.made.at_us.max(last_us);
                let found = judge(&asked, &before);
                if !found.is_empty() {
                    return Ok(Err(found));
                }
                Ok(Ok(put(tx, turn, asked, before.set).await?))
            })
        })
        .await
}

async fn before(
    tx: &Transaction,
    number: Option<u64>,
    (in_force, named): (u64, Named),
) -> Result<Before, Error> {
    let rows = match number {
        Some(number) => tx.query(&ONE, vec![signed(number)?.into()]).await?,
        None => Vec::new(),
    };
    let set = rows.first().map(folded).transpose()?;
    Ok(Before { set, in_force, named })
}

/// What is granted and stood on, or may be before somebody could be asked again.
async fn named(tx: &Transaction, day: Date) -> Result<Named, Error> {
    let mut named = Named::default();
    for row in tx.query(&GRANTED, vec![written(day)?.into()]).await? {
        // An act that this version does not know grants nothing.
        let Some(action) = Act::of(&text(&row, 0)?) else { continue };
        let (procedure, legal_basis) = (text(&row, 1)?, text(&row, 2)?);
        let (items, obligations) = (vec![text(&row, 3)?], Vec::new());
        named.grants.push(Grant { action, procedure, legal_basis, items, obligations });
    }
    for row in tx.query(&CONNECTED, Vec::new()).await? {
        named.legal_bases.push(text(&row, 0)?);
    }
    for row in tx.query(&AGREED, Vec::new()).await? {
        let agreement: Agreement =
            serde_json::from_str(&text(&row, 0)?).map_err(|_| Error::Stored("an agreement"))?;
        let content = agreement.content;
        if agreement.closed.is_some() || content.valid_to <= day {
            continue;
        }
        named.grants.extend(content.grants.into_iter().map(|granted| Grant {
            action: granted.action,
            procedure: granted.procedure,
            legal_basis: granted.legal_basis,
            items: granted.items,
            obligations: Vec::new(),
        }));
    }
    Ok(named)
}

async fn put(
    tx: &Transaction,
    turn: Held<'_>,
    asked: Asked,
    before: Option<RuleSet>,
) -> Result<Entry, Error> {
    let number = match &before {
        Some(set) => set.number,
        None => number_of(&tx.query(&LAST, Vec::new()).await?)? + 1,
    };
    let after = RuleSet::after(before, number, &asked.made);
    let after = after.ok_or(Error::Stored("a move of no rule set"))?;
    let folded = serde_json::to_string(&after).map_err(|_| Error::Stored("a rule set"))?;
    let (at, version) = (signed(number)?, signed(after.version)?);
    if after.version == 1 {
        let values: Vec<Value> =
            vec![at.into(), version.into(), asked.content.into(), folded.into()];
        tx.execute(&PUT, values).await?;
    } else {
        tx.execute(&CHANGE, vec![version.into(), folded.into(), at.into()]).await?;
    }
    let made = serde_json::to_string(&asked.made).map_err(|_| Error::Stored("a move"))?;
    let values: Vec<Value> = vec![
        at.into(),
        version.into(),
        asked.request_id.into(),
        asked.digest.to_vec().into(),
        asked.request.clone().into(),
        made.into(),
        asked.made.at_us.into(),
    ];
    tx.execute(&MOVE, values).await?;
    if matches!(asked.made.step, Step::Approve { .. }) {
        tx.execute(&DECIDES, vec![at.into(), after.digest.clone().into()]).await?;
        revise(tx, turn, None).await?;
    }
    Ok(Entry {
        number,
        version: after.version,
        digest: asked.digest,
        request: asked.request,
        made: asked.made,
        kept: None,
    })
}

/// What a request id was used for.
pub(crate) async fn by_request(store: &Store, request_id: &str) -> Result<Option<Entry>, Error> {
    store.read(&BY_REQUEST, vec![request_id.into()]).await?.first().map(entry).transpose()
}

/// A set and its exact bytes.
pub(crate) async fn one(store: &Store, number: u64) -> Result<Option<(RuleSet, Vec<u8>)>, Error> {
    // There is none of a number that cannot be stored.
    let Ok(number) = signed(number) else { return Ok(None) };
    let rows = store.read(&ONE, vec![number.into()]).await?;
    rows.first().map(|row| Ok((folded(row)?, field(row, 1)?))).transpose()
}

/// Every move of a set, the first one first.
pub(crate) async fn moves(store: &Store, number: u64) -> Result<Vec<Entry>, Error> {
    store.read(&MOVES, vec![signed(number)?.into()]).await?.iter().map(entry).collect()
}

/// Sets before a number, the newest first.
pub(crate) async fn list(store: &Store, before: u64, most: u16) -> Result<Vec<RuleSet>, Error> {
    let before = signed(before).unwrap_or(i64::MAX);
    let rows = store.read(&LIST, vec![before.into(), i64::from(most).into()]).await?;
    rows.iter().map(folded).collect()
}

/// Which set is in force.
pub(crate) async fn in_force(store: &Store) -> Result<Ruling, Error> {
    let rows = store.read(&IN_FORCE, Vec::new()).await?;
    ruling(rows.first().ok_or(Error::Stored("the revision is missing"))?, [0, 1])
}

/// Sets after a number, in any order.
pub(crate) async fn later(store: &Store, number: u64) -> Result<Vec<RuleSet>, Error> {
    store.read(&LATER, vec![signed(number)?.into()]).await?.iter().map(folded).collect()
}

/// Moves that are not recorded, made before a moment, the oldest first.
pub(crate) async fn unrecorded(store: &Store, until_us: i64) -> Result<Vec<Entry>, Error> {
    let rows = store.read(&UNRECORDED, vec![until_us.into(), TOGETHER.into()]).await?;
    rows.iter().map(entry).collect()
}

/// Stores what a move is answered, and gives what is stored: the first answer stands.
pub(crate) async fn keep(
    store: &Store,
    number: u64,
    version: u64,
    kept: Kept,
) -> Result<Kept, Error> {
    moves::keep(store, [&KEEP, &KEPT], number.to_string(), version, kept).await
}

fn number_of(rows: &[QueryResult]) -> Result<u64, Error> {
    revisions::number(rows.first().ok_or(Error::Stored("the revision is missing"))?, 0)
}

fn folded(row: &QueryResult) -> Result<RuleSet, Error> {
    serde_json::from_str(&text(row, 0)?).map_err(|_| Error::Stored("a rule set"))
}

fn entry(row: &QueryResult) -> Result<Entry, Error> {
    let digest: Vec<u8> = field(row, 2)?;
    Ok(Entry {
        number: revisions::number(row, 0)?,
        version: revisions::number(row, 1)?,
        digest: digest.try_into().map_err(|_| Error::Stored("a digest"))?,
        request: field(row, 3)?,
        made: serde_json::from_str(&text(row, 4)?).map_err(|_| Error::Stored("a move"))?,
        kept: moves::kept(row, [5, 6])?,
    })
}
