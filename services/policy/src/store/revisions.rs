//! The numbered revisions of the registry. Whoever writes it holds the one row that has the number for as long as its
//! transaction lasts, and leaves what it touched: so numbers are in the order of commits, and none is missing.

use ::store::{QueryResult, Sql, Store, Transaction};

use super::{moves::signed, text};
use crate::{
    Error,
    domain::revision::{KEPT, Newest, Revision, Ruling},
};

/// Connections that a revision names. With more it touches everything.
pub(crate) const TOUCHED_MAX: usize = 1_000;

/// Whoever else writes the registry waits here until the transaction has ended; on SQLite there is one writer at a time anyway.
const HOLD: Sql = Sql {
    sqlite: "SELECT number, digest, rules, rules_digest FROM registry_revision WHERE id = 1",
    postgres: "SELECT number, digest, rules, rules_digest FROM registry_revision WHERE id = 1 FOR UPDATE",
};
const NEWEST: Sql =
    Sql::same("SELECT number, digest, rules, rules_digest FROM registry_revision WHERE id = 1");
const RAISE: Sql = Sql {
    sqlite: "UPDATE registry_revision SET number = ?, digest = ? WHERE id = 1",
    postgres: "UPDATE registry_revision SET number = $1, digest = $2 WHERE id = 1",
};
const KEEP: Sql = Sql {
    sqlite: "INSERT INTO revision (number, digest, everything) VALUES (?, ?, ?)",
    postgres: "INSERT INTO revision (number, digest, everything) VALUES ($1, $2, $3)",
};
const TOUCH: Sql = Sql {
    sqlite: "INSERT INTO revision_connection (number, connection) SELECT ?, value FROM json_each(?)",
    postgres: "INSERT INTO revision_connection (number, connection) \
               SELECT $1, value FROM json_array_elements_text($2::json)",
};
const FORGET: [Sql; 2] = [
    Sql {
        sqlite: "DELETE FROM revision_connection WHERE number <= ?",
        postgres: "DELETE FROM revision_connection WHERE number <= $1",
    },
    Sql {
        sqlite: "DELETE FROM revision WHERE number <= ?",
        postgres: "DELETE FROM revision WHERE number <= $1",
    },
];
/// A row for each connection that a revision touches, and one for a revision that touches none, in the order of their numbers.
const RANGE: Sql = Sql {
    sqlite: "SELECT r.number, r.digest, r.everything, c.connection FROM revision r \
             LEFT JOIN revision_connection c ON c.number = r.number \
             WHERE r.number BETWEEN ? AND ? ORDER BY r.number, c.connection",
    postgres: "SELECT r.number, r.digest, r.everything, c.connection FROM revision r \
               LEFT JOIN revision_connection c ON c.number = r.number \
               WHERE r.number BETWEEN $1 AND $2 ORDER BY r.number, c.connection",
};
/// The connections of which something is stored that the registry does not have, or the other way round: of themselves, of their
/// agreements, of what these grant.
const TOUCHED: [Sql; 3] = [
    Sql {
        sqlite: "WITH old (connection, agency, system, served, state, basis, until) AS ( \
                     SELECT id, agency, system, database_id, state, legal_basis, assessed_until \
                     FROM connection WHERE origin = 'file'), \
                 new (connection, agency, system, served, state, basis, until) AS ( \
                     SELECT value ->> 'id', value ->> 'agency', value ->> 'system', \
                            value ->> 'database', value ->> 'state', value ->> 'legal_basis', \
                            value ->> 'assessed_until' \
                     FROM json_each(?, '$.connection')) \
                 SELECT connection FROM (SELECT * FROM old EXCEPT SELECT * FROM new) \
                 UNION SELECT connection FROM (SELECT * FROM new EXCEPT SELECT * FROM old)",
        postgres: "WITH old (connection, agency, system, served, state, basis, until) AS ( \
                       SELECT id, agency, system, database_id, state, legal_basis, assessed_until \
                       FROM connection WHERE origin = 'file'), \
                   new (connection, agency, system, served, state, basis, until) AS ( \
                       SELECT id, agency, system, database, state, legal_basis, assessed_until \
                       FROM json_to_recordset($1::json -> 'connection') \
                            AS r(id TEXT, agency TEXT, system TEXT, database TEXT, state TEXT, \
                                 legal_basis TEXT, assessed_until TEXT)) \
                   SELECT connection FROM (SELECT * FROM old EXCEPT SELECT * FROM new) AS gone \
                   UNION SELECT connection FROM (SELECT * FROM new EXCEPT SELECT * FROM old) AS come",
    },
    Sql {
        sqlite: "WITH old (connection, id, begins, ends) AS ( \
                     SELECT connection, id, valid_from, valid_to FROM agreement \
                     WHERE origin = 'file'), \
                 new (connection, id, begins, ends) AS ( \
                     SELECT value ->> 'connection', value ->> 'id', value ->> 'valid_from', \
                            value ->> 'valid_to' \
                     FROM json_each(?, '$.agreement')) \
                 SELECT connection FROM (SELECT * FROM old EXCEPT SELECT * FROM new) \
                 UNION SELECT connection FROM (SELECT * FROM new EXCEPT SELECT * FROM old)",
        postgres: "WITH old (connection, id, begins, ends) AS ( \
                       SELECT connection, id, valid_from, valid_to FROM agreement \
                     WHERE origin = 'file'), \
                   new (connection, id, begins, ends) AS ( \
                       SELECT connection, id, valid_from, valid_to \
                       FROM json_to_recordset($1::json -> 'agreement') \
                            AS r(id TEXT, connection TEXT, valid_from TEXT, valid_to TEXT)) \
                   SELECT connection FROM (SELECT * FROM old EXCEPT SELECT * FROM new) AS gone \
                   UNION SELECT connection FROM (SELECT * FROM new EXCEPT SELECT * FROM old) AS come",
    },
    Sql {
        sqlite: "WITH old (connection, id, action, procedure, basis, item, obliges) AS ( \
                     SELECT a.connection, a.id, g.action, g.procedure, g.legal_basis, g.item, \
                            g.obligations \
                     FROM agreement_grant g JOIN agreement a ON a.id = g.agreement \
                     WHERE a.origin = 'file'), \
                 new (connection, id, action, procedure, basis, item, obliges) AS ( \
                     SELECT a.value ->> 'connection', a.value ->> 'id', g.value ->> 'action', \
                            g.value ->> 'procedure', g.value ->> 'legal_basis', i.value, \
                            (SELECT COALESCE(group_concat(o.value), '') \
                             FROM json_each(g.value, '$.obligations') o) \
                     FROM json_each(?, '$.agreement') a, json_each(a.value, '$.grant') g, \
                          json_each(g.value, '$.items') i) \
                 SELECT connection FROM (SELECT * FROM old EXCEPT SELECT * FROM new) \
                 UNION SELECT connection FROM (SELECT * FROM new EXCEPT SELECT * FROM old)",
        postgres: "WITH old (connection, id, action, procedure, basis, item, obliges) AS ( \
                       SELECT a.connection, a.id, g.action, g.procedure, g.legal_basis, g.item, \
                            g.obligations \
                       FROM agreement_grant g JOIN agreement a ON a.id = g.agreement \
                     WHERE a.origin = 'file'), \
                   new (connection, id, action, procedure, basis, item, obliges) AS ( \
                       SELECT a.connection, a.id, g.action, g.procedure, g.legal_basis, i.item, \
                              (SELECT COALESCE(string_agg(o, ','), '') \
                               FROM json_array_elements_text(g.obligations) o) \
                       FROM json_to_recordset($1::json -> 'agreement') \
                            AS a(id TEXT, connection TEXT, \"grant\" JSON), \
                            json_to_recordset(a.\"grant\") \
                            AS g(action TEXT, procedure TEXT, legal_basis TEXT, items JSON, \
                                 obligations JSON), \
                            json_array_elements_text(g.items) AS i(item)) \
                   SELECT connection FROM (SELECT * FROM old EXCEPT SELECT * FROM new) AS gone \
                   UNION SELECT connection FROM (SELECT * FROM new EXCEPT SELECT * FROM old) AS come",
    },
];

/// The registry, while a transaction may write it. Everything that writes a connection, an agreement or what it grants takes it
/// first, and ends with [`Held::revise`].
pub(crate) struct Held<'a> {
    tx: &'a Transaction,
    newest: Newest,
}

impl<'a> Held<'a> {
    /// Waits until nobody else writes.
    pub(crate) async fn take(tx: &'a Transaction) -> Result<Self, Error> {
        let rows = tx.query(&HOLD, Vec::new()).await?;
        Ok(Self { tx, newest: newest_of(&rows)? })
    }

    /// Number of the rule set in force.
    pub(crate) fn rules(&self) -> u64 {
        self.newest.rules.number
    }

    /// Makes what was written a revision of its own: its digest, and the connections of which anything is other than before; none
    /// where everything is.
    pub(crate) async fn revise(
        self,
        digest: String,
        touched: Option<&[String]>,
    ) -> Result<(), Error> {
        let number = self.newest.number + 1;
        let everything = touched.is_none_or(|touched| touched.len() > TOUCHED_MAX);
        let (at, touched) = (signed(number)?, touched.unwrap_or_default());
        self.tx.execute(&RAISE, vec![at.into(), digest.clone().into()]).await?;
        self.tx.execute(&KEEP, vec![at.into(), digest.into(), everything.into()]).await?;
        if !everything && !touched.is_empty() {
            let names = serde_json::to_string(touched).map_err(|e| Error::data("registry", e))?;
            self.tx.execute(&TOUCH, vec![at.into(), names.into()]).await?;
        }
        if let Some(old) = number.checked_sub(KEPT).filter(|old| *old > 0) {
            for forget in &FORGET {
                self.tx.execute(forget, vec![signed(old)?.into()]).await?;
            }
        }
        Ok(())
    }
}

/// The connections of which anything is other in this registry than in the stored one.
pub(super) async fn touched(tx: &Transaction, registry: &str) -> Result<Vec<String>, Error> {
    let mut touched = Vec::new();
    for sql in &TOUCHED {
        for row in tx.query(sql, vec![registry.into()]).await? {
            touched.push(text(&row, 0)?);
        }
    }
    touched.sort_unstable();
    touched.dedup();
    Ok(touched)
}

/// The newest revision.
pub(crate) async fn newest(store: &Store) -> Result<Newest, Error> {
    newest_of(&store.read(&NEWEST, Vec::new()).await?)
}

/// Those of the revisions from one to another that are kept, both among them.
pub(crate) async fn range(store: &Store, from: u64, to: u64) -> Result<Vec<Revision>, Error> {
    let range = vec![signed(from)?.into(), signed(to)?.into()];
    let mut revisions: Vec<Revision> = Vec::new();
    for row in store.read(&RANGE, range).await? {
        let number = number(&row, 0)?;
        if revisions.last().is_none_or(|last| last.number != number) {
            let everything = row.try_get_by(2).map_err(::store::Error::from)?;
            let digest = text(&row, 1)?;
            revisions.push(Revision { number, digest, everything, connections: Vec::new() });
        }
        let connection: Option<String> = row.try_get_by(3).map_err(::store::Error::from)?;
        if let (Some(last), Some(connection)) = (revisions.last_mut(), connection) {
            last.connections.push(connection);
        }
    }
    Ok(revisions)
}

fn newest_of(rows: &[QueryResult]) -> Result<Newest, Error> {
    let row = rows.first().ok_or(Error::Stored("the revision is missing"))?;
    Ok(Newest { number: number(row, 0)?, digest: text(row, 1)?, rules: ruling(row, [2, 3])? })
}

/// The rule set that two columns name.
pub(super) fn ruling(row: &QueryResult, [at, digest]: [usize; 2]) -> Result<Ruling, Error> {
    Ok(Ruling { number: number(row, at)?, digest: text(row, digest)? })
}

/// The number in a column.
pub(super) fn number(row: &QueryResult, index: usize) -> Result<u64, Error> {
    let number: i64 = row.try_get_by(index).map_err(::store::Error::from)?;
    u64::try_from(number).map_err(|_| Error::Stored("a revision has no number"))
}
