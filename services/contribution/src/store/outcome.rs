//! What each connection is told became of its contributions.

use store::{QueryResult, Sql, Transaction, Value};

use super::{Submissions, conflict::tell, field};
use crate::{
    Error,
    domain::{Application, Outcome, conflict::Turn},
};

const OUTCOMES: Sql = Sql {
    sqlite: "SELECT o.sequence, o.at_us, o.contribution_id, s.idempotency_key, o.conflict, s.outcome \
             FROM outcome o JOIN submission s ON s.contribution_id = o.contribution_id \
             WHERE o.connection = ? AND o.sequence > ? ORDER BY o.sequence LIMIT ?",
    postgres: "SELECT o.sequence, o.at_us, o.contribution_id, s.idempotency_key, o.conflict, s.outcome \
               FROM outcome o JOIN submission s ON s.contribution_id = o.contribution_id \
               WHERE o.connection = $1 AND o.sequence > $2 ORDER BY o.sequence LIMIT $3",
};
const OUTCOME: Sql = Sql {
    sqlite: "SELECT o.sequence, o.at_us, o.contribution_id, s.idempotency_key, o.conflict, s.outcome \
             FROM outcome o JOIN submission s ON s.contribution_id = o.contribution_id \
             WHERE o.contribution_id = ? AND o.conflict IS NULL",
    postgres: "SELECT o.sequence, o.at_us, o.contribution_id, s.idempotency_key, o.conflict, s.outcome \
               FROM outcome o JOIN submission s ON s.contribution_id = o.contribution_id \
               WHERE o.contribution_id = $1 AND o.conflict IS NULL",
};
const UNTOLD: Sql = Sql {
    sqlite: "SELECT value FROM json_each(?) WHERE NOT EXISTS \
             (SELECT 1 FROM outcome o WHERE o.contribution_id = value AND o.conflict IS NULL)",
    postgres: "SELECT id FROM jsonb_array_elements_text($1::text::jsonb) AS asked (id) WHERE NOT EXISTS \
               (SELECT 1 FROM outcome o WHERE o.contribution_id = id AND o.conflict IS NULL)",
};
const LAST: Sql = Sql {
    sqlite: "SELECT sequence FROM outcome_last WHERE connection = ?",
    postgres: "SELECT sequence FROM outcome_last WHERE connection = $1",
};
const SIDES: Sql = Sql {
    sqlite: "SELECT contribution_id, connection, idempotency_key, received_at_us, application FROM submission \
             WHERE contribution_id IN (SELECT value FROM json_each(?))",
    postgres: "SELECT contribution_id, connection, idempotency_key, received_at_us, application FROM submission \
               WHERE contribution_id = ANY(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))",
};

/// One outcome, as its source is told.
pub(crate) struct Told {
    /// Its place among those of the connection, from 1.
    pub(crate) sequence: u64,
    /// When it came about, microseconds since 1970.
    pub(crate) at_us: i64,
    /// The contribution.
    pub(crate) contribution_id: String,
    /// Its key.
    pub(crate) key: String,
    /// What became of it.
    pub(crate) became: Became,
}

/// What became of a contribution.
pub(crate) enum Became {
    /// It has an outcome.
    Settled(Outcome),
    /// Something became of a conflict about it.
    Turned(Turn),
}

/// What was contributed, as a side of a conflict.
#[derive(Clone)]
pub(crate) struct Side {
    /// The contribution.
    pub(crate) contribution_id: String,
    /// Over which connection.
    pub(crate) connection: String,
    /// Under which key.
    pub(crate) key: String,
    /// When it was received, microseconds since 1970.
    pub(crate) received_at_us: i64,
    /// What the register was asked.
    pub(crate) application: Application,
}

impl Submissions {
    /// What a connection is told after a place, in order; none when it never got as far.
    pub(crate) async fn outcomes(
        &self,
        connection: &str,
        after: u64,
        most: u16,
    ) -> Result<Option<Vec<Told>>, Error> {
        let rows = self.0.read(&LAST, vec![connection.into()]).await?;
        let last: i64 = rows.first().map(|row| field(row, 0)).transpose()?.unwrap_or_default();
        let Some(place) = i64::try_from(after).ok().filter(|after| *after <= last) else {
            return Ok(None);
        };
        let values = vec![connection.into(), place.into(), i64::from(most).into()];
        let told: Result<Vec<Told>, Error> =
            self.0.read(&OUTCOMES, values).await?.iter().map(told).collect();
        Ok(Some(told?))
    }

    /// What became of a contribution, as its source is told; none while nothing has.
    pub(crate) async fn outcome(&self, contribution_id: &str) -> Result<Option<Told>, Error> {
        let rows = self.0.read(&OUTCOME, vec![contribution_id.into()]).await?;
        rows.first().map(told).transpose()
    }

    /// Those of the contributions that were made here.
    pub(crate) async fn sides(&self, ids: &[&str]) -> Result<Vec<Side>, Error> {
        let ids = Value::from(serde_json::to_string(ids)?);
        let one = |row: &store::QueryResult| {
            Ok(Side {
                contribution_id: field(row, 0)?,
                connection: field(row, 1)?,
                key: field(row, 2)?,
                received_at_us: field(row, 3)?,
                application: serde_json::from_str(&field::<String>(row, 4)?)?,
            })
        };
        self.0.read(&SIDES, vec![ids]).await?.iter().map(one).collect()
    }
}

/// Lists contributions that have an outcome which is not listed: an earlier version of this program, which does not list them,
/// settles some while it is being replaced.
pub(super) async fn tell_untold(
    tx: &Transaction,
    ids: &[String],
    now_us: i64,
) -> Result<(), Error> {
    let rows = tx.query(&UNTOLD, vec![serde_json::to_string(ids)?.into()]).await?;
    let untold = rows.iter().map(|row| Ok((field(row, 0)?, None)));
    tell(tx, untold.collect::<Result<_, Error>>()?, now_us).await
}

fn told(row: &QueryResult) -> Result<Told, Error> {
    let (sequence, turn): (i64, Option<String>) = (field(row, 0)?, field(row, 4)?);
    let became = match turn {
        Some(turn) => Became::Turned(serde_json::from_str(&turn)?),
        None => Became::Settled(serde_json::from_str(&field::<String>(row, 5)?)?),
    };
    Ok(Told {
        sequence: sequence.unsigned_abs(),
        at_us: field(row, 1)?,
        contribution_id: field(row, 2)?,
        key: field(row, 3)?,
        became,
    })
}
