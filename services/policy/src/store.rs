//! The registry's tables, on both engines. The only place with SQL. `admission` and `agreement` have those of
//! admissions and of agreements, `permissions` lists what is granted, `volume` counts it.
//!
//! A registry is written as one JSON text that both engines unfold, so that its size makes no
//! difference to the number of statements.

pub(crate) mod admission;
pub(crate) mod agreement;
pub(crate) mod days;
pub(crate) mod moves;
pub(crate) mod permissions;
pub(crate) mod questions;
mod revisions;
pub(crate) mod rule_set;
pub(crate) mod volume;
pub(crate) mod warrant;

use ::store::{Migration, QueryResult, Sql, Store, Transaction, Value};
use sha2::{Digest, Sha256};
use time::{Date, format_description::StaticFormatDescription, macros::format_description};

pub(crate) use self::revisions::{Held, TOUCHED_MAX, newest, range};
use crate::{
    Error,
    domain::{
        agreement::Terms,
        registry::{self, Connection, Granted, Registry, Standing, State, obligations},
        request::Request,
    },
};

pub(crate) static MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "registry",
        sqlite: include_str!("../migrations/sqlite/0001_registry.sql"),
        postgres: include_str!("../migrations/postgres/0001_registry.sql"),
    },
    Migration {
        version: 2,
        name: "follow",
        sqlite: include_str!("../migrations/sqlite/0002_follow.sql"),
        postgres: include_str!("../migrations/postgres/0002_follow.sql"),
    },
    Migration {
        version: 3,
        name: "explain",
        sqlite: include_str!("../migrations/sqlite/0003_explain.sql"),
        postgres: include_str!("../migrations/postgres/0003_explain.sql"),
    },
    Migration {
        version: 4,
        name: "find",
        sqlite: include_str!("../migrations/sqlite/0004_find.sql"),
        postgres: include_str!("../migrations/postgres/0004_find.sql"),
    },
    Migration {
        version: 8,
        name: "relations",
        sqlite: include_str!("../migrations/sqlite/0008_relations.sql"),
        postgres: include_str!("../migrations/postgres/0008_relations.sql"),
    },
    Migration {
        version: 9,
        name: "revisions",
        sqlite: include_str!("../migrations/sqlite/0009_revisions.sql"),
        postgres: include_str!("../migrations/postgres/0009_revisions.sql"),
    },
    Migration {
        version: 10,
        name: "admission",
        sqlite: include_str!("../migrations/sqlite/0010_admission.sql"),
        postgres: include_str!("../migrations/postgres/0010_admission.sql"),
    },
    Migration {
        version: 11,
        name: "obligations",
        sqlite: include_str!("../migrations/sqlite/0011_obligations.sql"),
        postgres: include_str!("../migrations/postgres/0011_obligations.sql"),
    },
    Migration {
        version: 12,
        name: "agreements",
        sqlite: include_str!("../migrations/sqlite/0012_agreements.sql"),
        postgres: include_str!("../migrations/postgres/0012_agreements.sql"),
    },
    Migration {
        version: 13,
        name: "volumes",
        sqlite: include_str!("../migrations/sqlite/0013_volumes.sql"),
        postgres: include_str!("../migrations/postgres/0013_volumes.sql"),
    },
    Migration {
        version: 15,
        name: "rule sets",
        sqlite: include_str!("../migrations/sqlite/0015_rule_sets.sql"),
        postgres: include_str!("../migrations/postgres/0015_rule_sets.sql"),
    },
    Migration {
        version: 16,
        name: "latest day",
        sqlite: include_str!("../migrations/sqlite/0016_latest_day.sql"),
        postgres: include_str!("../migrations/postgres/0016_latest_day.sql"),
    },
];

const DAY: StaticFormatDescription = format_description!("[year]-[month]-[day]");

/// One statement, so that the revision and what was read belong together. There is at least one
/// row, which holds the revision, and one for each item granted; an agreement that grants nothing
/// of this has a row without an item.
const STANDING: Sql = Sql {
    sqlite: "SELECT r.digest, c.id, c.database_id, c.state, c.legal_basis, c.assessed_until, \
                    a.id, a.valid_from, a.valid_to, g.item, r.number, g.obligations, d.state, \
                    t.valid_from, t.valid_to, t.terms, a.origin, r.rules, r.rules_digest \
             FROM registry_revision r \
             LEFT JOIN connection c ON c.agency = ? AND c.system = ? \
             LEFT JOIN admission d ON d.connection = c.id \
             LEFT JOIN agreement a ON a.connection = c.id \
             LEFT JOIN agreement_grant g ON g.agreement = a.id AND g.action = ? \
                       AND g.procedure = ? AND g.legal_basis = ? \
             LEFT JOIN agreement_terms t ON t.agreement = g.agreement AND t.action = g.action \
                       AND t.procedure = g.procedure AND t.legal_basis = g.legal_basis \
             WHERE r.id = 1 ORDER BY a.id, g.item",
    postgres: "SELECT r.digest, c.id, c.database_id, c.state, c.legal_basis, c.assessed_until, \
                      a.id, a.valid_from, a.valid_to, g.item, r.number, g.obligations, d.state, \
                      t.valid_from, t.valid_to, t.terms, a.origin, r.rules, r.rules_digest \
               FROM registry_revision r \
               LEFT JOIN connection c ON c.agency = $1 AND c.system = $2 \
               LEFT JOIN admission d ON d.connection = c.id \
               LEFT JOIN agreement a ON a.connection = c.id \
               LEFT JOIN agreement_grant g ON g.agreement = a.id AND g.action = $3 \
                         AND g.procedure = $4 AND g.legal_basis = $5 \
               LEFT JOIN agreement_terms t ON t.agreement = g.agreement AND t.action = g.action \
                         AND t.procedure = g.procedure AND t.legal_basis = g.legal_basis \
               WHERE r.id = 1 ORDER BY a.id COLLATE \"C\", g.item",
};
/// The grants of a caller's agreements that both sides signed, with the terms of each. Whatever revision this is read under after
/// [`STANDING`]: an agreement demands as soon as it is there.
const SIGNING: Sql = Sql {
    sqlite: "SELECT a.valid_from, a.valid_to, t.terms FROM connection c \
             JOIN agreement a ON a.connection = c.id JOIN agreement_terms t ON t.agreement = a.id \
             WHERE c.agency = ? AND c.system = ?",
    postgres: "SELECT a.valid_from, a.valid_to, t.terms FROM connection c \
               JOIN agreement a ON a.connection = c.id JOIN agreement_terms t ON t.agreement = a.id \
               WHERE c.agency = $1 AND c.system = $2",
};
const FILE: Sql = Sql::same("SELECT file, rules_digest FROM registry_revision WHERE id = 1");
const SET_FILE: Sql = Sql {
    sqlite: "UPDATE registry_revision SET file = ? WHERE id = 1",
    postgres: "UPDATE registry_revision SET file = $1 WHERE id = 1",
};
const ADMITTED: Sql = Sql {
    sqlite: "SELECT connection, admission FROM admission ORDER BY connection",
    postgres: "SELECT connection, admission FROM admission ORDER BY connection COLLATE \"C\"",
};
const SIGNED: Sql = Sql {
    sqlite: "SELECT id, fold FROM signed_agreement ORDER BY id",
    postgres: "SELECT id, fold FROM signed_agreement ORDER BY id COLLATE \"C\"",
};
/// Ids of agreements that no file may name as its own.
const SIGNED_IDS: Sql = Sql::same("SELECT id FROM signed_agreement");
/// What admissions hold, which no file may name as its own.
const HELD: Sql =
    Sql::same("SELECT id, agency, system FROM connection WHERE origin = 'admission' ORDER BY id");
/// What came of the file that was applied before. An agency that an admission names stays.
const CLEAR: [Sql; 4] = [
    Sql::same(
        "DELETE FROM agreement_grant WHERE agreement IN \
         (SELECT id FROM agreement WHERE origin = 'file')",
    ),
    Sql::same("DELETE FROM agreement WHERE origin = 'file'"),
    Sql::same("DELETE FROM connection WHERE origin = 'file'"),
    Sql::same("DELETE FROM agency WHERE code NOT IN (SELECT agency FROM connection)"),
];
/// Each takes the whole registry.
const FILL: [Sql; 4] = [
    Sql {
        sqlite: "INSERT INTO agency (code, vi, en) \
                 SELECT value ->> 'code', value ->> 'vi', value ->> 'en' \
                 FROM json_each(?, '$.agency') WHERE true \
                 ON CONFLICT (code) DO UPDATE SET vi = excluded.vi, en = excluded.en",
        postgres: "INSERT INTO agency (code, vi, en) SELECT code, vi, en \
                   FROM json_to_recordset($1::json -> 'agency') AS r(code TEXT, vi TEXT, en TEXT) \
                   ON CONFLICT (code) DO UPDATE SET vi = excluded.vi, en = excluded.en",
    },
    Sql {
        sqlite: "INSERT INTO connection (id, agency, system, database_id, state, legal_basis, \
                                         assessed_until) \
                 SELECT value ->> 'id', value ->> 'agency', value ->> 'system', \
                        value ->> 'database', value ->> 'state', value ->> 'legal_basis', \
                        value ->> 'assessed_until' \
                 FROM json_each(?, '$.connection')",
        postgres: "INSERT INTO connection (id, agency, system, database_id, state, legal_basis, \
                                           assessed_until) \
                   SELECT id, agency, system, database, state, legal_basis, assessed_until \
                   FROM json_to_recordset($1::json -> 'connection') \
                        AS r(id TEXT, agency TEXT, system TEXT, database TEXT, state TEXT, \
                             legal_basis TEXT, assessed_until TEXT)",
    },
    Sql {
        sqlite: "INSERT INTO agreement (id, connection, valid_from, valid_to) \
                 SELECT value ->> 'id', value ->> 'connection', value ->> 'valid_from', \
                        value ->> 'valid_to' \
                 FROM json_each(?, '$.agreement')",
        postgres: "INSERT INTO agreement (id, connection, valid_from, valid_to) \
                   SELECT id, connection, valid_from, valid_to \
                   FROM json_to_recordset($1::json -> 'agreement') \
                        AS r(id TEXT, connection TEXT, valid_from TEXT, valid_to TEXT)",
    },
    Sql {
        sqlite: "INSERT INTO agreement_grant (agreement, action, procedure, legal_basis, item, obligations) \
                 SELECT DISTINCT a.value ->> 'id', g.value ->> 'action', \
                        g.value ->> 'procedure', g.value ->> 'legal_basis', i.value, \
                        (SELECT COALESCE(group_concat(o.value), '') \
                         FROM json_each(g.value, '$.obligations') o) \
                 FROM json_each(?, '$.agreement') a, json_each(a.value, '$.grant') g, \
                      json_each(g.value, '$.items') i",
        postgres: "INSERT INTO agreement_grant (agreement, action, procedure, legal_basis, item, obligations) \
                   SELECT DISTINCT a.id, g.action, g.procedure, g.legal_basis, i.item, \
                          (SELECT COALESCE(string_agg(o, ','), '') FROM json_array_elements_text(g.obligations) o) \
                   FROM json_to_recordset($1::json -> 'agreement') AS a(id TEXT, \"grant\" JSON), \
                        json_to_recordset(a.\"grant\") \
                        AS g(action TEXT, procedure TEXT, legal_basis TEXT, items JSON, obligations JSON), \
                        json_array_elements_text(g.items) AS i(item)",
    },
];

/// What is stored about the caller of a request, for its act, procedure and ground.
pub(crate) async fn standing(store: &Store, request: &Request) -> Result<Standing, Error> {
    let Request { act, procedure, legal_basis, .. } = request;
    read(store, &request.caller, [act.name(), procedure, legal_basis]).await
}

/// What is stored about a caller, whatever it wants to do.
pub(crate) async fn connection(
    store: &Store,
    caller: &(String, String),
) -> Result<Standing, Error> {
    let mut standing = read(store, caller, ["", "", ""]).await?;
    let (agency, system) = caller.clone();
    for row in &store.read(&SIGNING, vec![agency.into(), system.into()]).await? {
        let demanded: Terms =
            serde_json::from_str(&text(row, 2)?).map_err(|_| Error::Stored("terms of a grant"))?;
        if demanded.signed_requests {
            standing.signing.push((day(row, 0)?, day(row, 1)?));
        }
    }
    standing.signing.dedup();
    Ok(standing)
}

async fn read(
    store: &Store,
    caller: &(String, String),
    named: [&str; 3],
) -> Result<Standing, Error> {
    let (agency, system) = caller.clone();
    let named = [agency.as_str(), system.as_str()].into_iter().chain(named);
    let rows = store.read(&STANDING, named.map(Into::into).collect()).await?;
    let first = rows.first().ok_or(Error::Stored("the revision is missing"))?;
    let mut standing = Standing {
        registry: text(first, 0)?,
        number: revisions::number(first, 10)?,
        rules: revisions::ruling(first, [17, 18])?,
        ..Standing::default()
    };
    if let Some(id) = joined(first, 1)? {
        standing.connection = Some(Connection {
            id,
            agency,
            system,
            database: text(first, 2)?,
            state: State::of(&text(first, 3)?),
            legal_basis: text(first, 4)?,
            assessed_until: day(first, 5)?,
        });
        standing.admission = joined(first, 12)?;
    }
    for row in &rows {
        let Some(item) = joined(row, 9)? else { continue };
        let agreement = text(row, 6)?;
        let words = text(row, 11)?;
        let words: Vec<&str> = words.split(',').filter(|word| !word.is_empty()).collect();
        // A word that this version does not know cannot be kept, so the item is not granted (I2).
        let Ok(obligations) = obligations(&words) else { continue };
        let item = (item, obligations);
        if standing.granted.last().is_none_or(|last| last.agreement != agreement) {
            let dated = (day(row, 7)?, day(row, 8)?);
            standing.granted.push(granted(agreement, dated, row, [13, 14, 15, 16])?);
        }
        if let Some(last) = standing.granted.last_mut() {
            last.items.push(item);
        }
    }
    Ok(standing)
}

/// What an agreement of these days grants, without items, with the days and terms of a grant in columns of their own.
fn granted(
    agreement: String,
    (mut valid_from, mut valid_to): (Date, Date),
    row: &QueryResult,
    [from, to, terms, origin]: [usize; 4],
) -> Result<Granted, Error> {
    let mut demanded = Terms::default();
    // What both sides signed is granted on what they signed, or not at all (I2).
    if text(row, origin)? != "file" && joined(row, terms)?.is_none() {
        return Err(Error::Stored("a signed grant without its terms"));
    }
    if let Some(written) = joined(row, terms)? {
        demanded = serde_json::from_str(&written).map_err(|_| Error::Stored("terms of a grant"))?;
        (valid_from, valid_to) = (valid_from.max(day(row, from)?), valid_to.min(day(row, to)?));
    }
    Ok(Granted { agreement, valid_from, valid_to, terms: demanded, items: Vec::new() })
}

/// Puts a registry, which was checked beside the rule set of a number, in the place of the file that was applied before, with its
/// digest, in one transaction. What admissions hold stays, and a registry that names it as its own is refused. Says whether it is
/// another one.
pub(crate) async fn replace(
    store: &Store,
    registry: Registry,
    text: String,
    digest: String,
    rules: u64,
) -> Result<bool, Error> {
    store
        .write("replace registry", move |tx| Box::pin(fill(tx, registry, text, digest, rules)))
        .await
}

async fn fill(
    tx: &Transaction,
    registry: Registry,
    written: String,
    digest: String,
    rules: u64,
) -> Result<bool, Error> {
    let turn = Held::take(tx).await?;
    let rows = tx.query(&FILE, Vec::new()).await?;
    let file = text(rows.first().ok_or(Error::Stored("the revision is missing"))?, 0)?;
    if turn.rules() != rules {
        return Err(Error::Overtaken);
    }
    let held = tx.query(&HELD, Vec::new()).await?;
    let held = held.iter().map(|row| {
        Ok(registry::Held { id: text(row, 0)?, agency: text(row, 1)?, system: text(row, 2)? })
    });
    let signed = tx.query(&SIGNED_IDS, Vec::new()).await?;
    let signed = signed.iter().map(|row| text(row, 0)).collect::<Result<Vec<_>, _>>()?;
    registry.check_beside(&held.collect::<Result<Vec<_>, Error>>()?, &signed)?;
    if file == digest {
        return Ok(false);
    }
    let touched = revisions::touched(tx, &written).await?;
    for clear in &CLEAR {
        tx.execute(clear, Vec::new()).await?;
    }
    for fill in &FILL {
        tx.execute(fill, vec![written.clone().into()]).await?;
    }
    tx.execute(&SET_FILE, vec![digest.into()]).await?;
    revise(tx, turn, Some(&touched)).await?;
    Ok(true)
}

/// Says that the registry is another one from now on, and of which connections. Whoever writes to it calls this last, in the
/// transaction that does, with the turn that it took first; it names no connections where it touches every one. The digest is one
/// over what is there, so that the same registry has the same one wherever it stands.
async fn revise(tx: &Transaction, turn: Held<'_>, touched: Option<&[String]>) -> Result<(), Error> {
    let rows = tx.query(&FILE, Vec::new()).await?;
    let row = rows.first().ok_or(Error::Stored("the revision is missing"))?;
    let (file, rules) = (text(row, 0)?, text(row, 1)?);
    let admitted = tx.query(&ADMITTED, Vec::new()).await?;
    let mut digest = Sha256::new().chain_update(&file);
    let signed = tx.query(&SIGNED, Vec::new()).await?;
    // What their moves made of them, not how many there were: after the database was set back, others may be as many.
    for row in admitted.iter().chain(&signed) {
        for part in [text(row, 0)?, text(row, 1)?] {
            digest.update(Sha256::digest(part));
        }
    }
    if !rules.is_empty() {
        digest.update(Sha256::digest(&rules));
    }
    let alone = admitted.is_empty() && rules.is_empty();
    let digest = if alone { file } else { hex::encode(digest.finalize()) };
    turn.revise(digest, touched).await
}

fn text(row: &QueryResult, index: usize) -> Result<String, Error> {
    Ok(row.try_get_by(index).map_err(::store::Error::from)?)
}

/// The text in a column that the join may have left empty.
fn joined(row: &QueryResult, index: usize) -> Result<Option<String>, Error> {
    Ok(row.try_get_by(index).map_err(::store::Error::from)?)
}

/// The day in a column.
/// Runs one statement that changes something.
async fn execute(
    store: &Store,
    what: &'static str,
    sql: &'static Sql,
    values: Vec<Value>,
) -> Result<(), Error> {
    store
        .write(what, move |tx| {
            Box::pin(async move {
                tx.execute(sql, values).await?;
                Ok(())
            })
        })
        .await
}

fn day(row: &QueryResult, index: usize) -> Result<Date, Error> {
    Date::parse(&text(row, index)?, DAY).map_err(|_| Error::Stored("a stored day is none"))
}
