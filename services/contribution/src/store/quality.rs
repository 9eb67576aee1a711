//! How good the values are that sources contribute: each contribution is counted once, after its outcome is stored.
//!
//! One counts after the other, a batch in one transaction, so what is read stays so until the sums are written. It is not done
//! with the outcome: nobody who contributes waits for it, and what an earlier version of this program decided counts too.

use std::collections::BTreeMap;

use serde::Serialize;
use store::{QueryResult, Sql, Transaction, Value};
use wire::event::Target;

use super::{BY_KEY, Submissions, field, outcome::tell_untold, submission};
use crate::{
    Error,
    domain::{
        Outcome,
        conflict::State,
        quality::{
            Counts, Place,
            count::{Batch, Decided, Held},
        },
    },
};

/// Whoever counts keeps it until the end; meanwhile nobody else counts, nor waits.
const TURN: Sql = Sql {
    sqlite: "SELECT one FROM quality_turn",
    postgres: "SELECT one FROM quality_turn FOR UPDATE SKIP LOCKED",
};
const UNCOUNTED: Sql = Sql::same(
    "SELECT contribution_id, connection, application, received_at_us, outcome FROM submission \
     WHERE outcome IS NOT NULL AND counted = 0 ORDER BY received_at_us LIMIT 100",
);
const COUNTED: Sql = Sql {
    sqlite: "UPDATE submission SET counted = ? WHERE contribution_id IN (SELECT value FROM json_each(?))",
    postgres: "UPDATE submission SET counted = $1 \
               WHERE contribution_id = ANY(ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb)))",
};
/// Those that were contributed here: what was not has no figures.
const HERE: Sql = Sql {
    sqlite: "SELECT contribution_id FROM submission WHERE contribution_id IN (SELECT value FROM json_each(?))",
    postgres: "SELECT contribution_id FROM submission \
               WHERE contribution_id = ANY(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))",
};
const CONFLICTS: Sql = Sql {
    sqlite: "SELECT contribution_id, item, state, conflict_id FROM conflict \
             WHERE contribution_id IN (SELECT value FROM json_each(?))",
    postgres: "SELECT contribution_id, item, state, conflict_id FROM conflict \
               WHERE contribution_id = ANY(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))",
};
const VALUES: Sql = Sql {
    sqlite: "SELECT contribution_id, item, set_aside_by, counts FROM contributed_value \
             WHERE contribution_id IN (SELECT value FROM json_each(?1)) \
             UNION SELECT contribution_id, item, set_aside_by, counts FROM contributed_value \
             WHERE set_aside_by <> '' AND set_aside_by IN (SELECT value FROM json_each(?1))",
    postgres: "SELECT contribution_id, item, set_aside_by, counts FROM contributed_value \
               WHERE contribution_id = ANY(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))) \
               UNION SELECT contribution_id, item, set_aside_by, counts FROM contributed_value \
               WHERE set_aside_by <> '' \
               AND set_aside_by = ANY(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))",
};
const ANNULMENTS: Sql = Sql {
    sqlite: "SELECT contribution_id, annulled, register_version FROM annulment \
             WHERE contribution_id IN (SELECT value FROM json_each(?))",
    postgres: "SELECT contribution_id, annulled, register_version FROM annulment \
               WHERE contribution_id = ANY(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))",
};
const PUT_VALUES: Sql = Sql {
    sqlite: "INSERT INTO contributed_value (contribution_id, item, set_aside_by, counts) \
             SELECT value ->> 'contribution_id', value ->> 'item', value ->> 'set_aside_by', value ->> 'counts' \
             FROM json_each(?) WHERE true ON CONFLICT (contribution_id, item) DO UPDATE SET \
             set_aside_by = excluded.set_aside_by, counts = excluded.counts",
    postgres: "INSERT INTO contributed_value (contribution_id, item, set_aside_by, counts) \
               SELECT contribution_id, item, set_aside_by, counts FROM jsonb_to_recordset($1::text::jsonb) \
               AS t (contribution_id text, item text, set_aside_by text, counts text) \
               ON CONFLICT (contribution_id, item) DO UPDATE SET \
               set_aside_by = excluded.set_aside_by, counts = excluded.counts",
};
const PUT_ANNULMENT: Sql = Sql {
    sqlite: "INSERT INTO annulment (contribution_id, annulled, register_version) VALUES (?, ?, ?) \
             ON CONFLICT (contribution_id) DO UPDATE SET \
             annulled = excluded.annulled, register_version = excluded.register_version",
    postgres: "INSERT INTO annulment (contribution_id, annulled, register_version) VALUES ($1, $2, $3) \
               ON CONFLICT (contribution_id) DO UPDATE SET \
               annulled = excluded.annulled, register_version = excluded.register_version",
};

const SUMS: Sql = Sql {
    sqlite: "SELECT q.source, q.month, q.item, q.counts FROM json_each(?) asked \
             JOIN quality q ON q.source = asked.value ->> 'source' AND q.month = asked.value ->> 'month' \
             AND q.item = asked.value ->> 'item'",
    postgres: "SELECT q.source, q.month, q.item, q.counts FROM jsonb_to_recordset($1::text::jsonb) \
               AS asked (source text, month text, item text) \
               JOIN quality q ON q.source = asked.source AND q.month = asked.month AND q.item = asked.item",
};
const PUT_SUMS: Sql = Sql {
    sqlite: "INSERT INTO quality (source, month, item, counts) \
             SELECT value ->> 'source', value ->> 'month', value ->> 'item', value ->> 'counts' \
             FROM json_each(?) WHERE true ON CONFLICT (source, month, item) DO UPDATE SET counts = excluded.counts",
    postgres: "INSERT INTO quality (source, month, item, counts) \
               SELECT source, month, item, counts FROM jsonb_to_recordset($1::text::jsonb) \
               AS t (source text, month text, item text, counts text) \
               ON CONFLICT (source, month, item) DO UPDATE SET counts = excluded.counts",
};
const OF_SOURCE: Sql = Sql {
    sqlite: "SELECT source, month, item, counts FROM quality WHERE source = ?1 AND month <= ?2 \
             AND (month, source, item) > (?3, ?4, ?5) ORDER BY month, source, item LIMIT ?6",
    postgres: "SELECT source, month, item, counts FROM quality WHERE source = $1 AND month <= $2 \
               AND (month, source, item) > ($3, $4, $5) ORDER BY month, source, item LIMIT $6",
};
const OF_ALL: Sql = Sql {
    sqlite: "SELECT source, month, item, counts FROM quality WHERE month <= ?1 \
             AND (month, source, item) > (?2, ?3, ?4) ORDER BY month, source, item LIMIT ?5",
    postgres: "SELECT source, month, item, counts FROM quality WHERE month <= $1 \
               AND (month, source, item) > ($2, $3, $4) ORDER BY month, source, item LIMIT $5",
};

impl Submissions {
    /// Counts contributions that have an outcome, as many as are looked at at once, and gives how many that were.
    pub(crate) async fn count_quality(
        &self,
        timely_days: u32,
        now_us: i64,
    ) -> Result<usize, Error> {
        self.0
            .write("count quality", move |tx| {
                Box::pin(async move {
                    if tx.query(&TURN, Vec::new()).await?.is_empty() {
                        return Ok(0);
                    }
                    let rows = tx.query(&UNCOUNTED, Vec::new()).await?;
                    let (mut all, mut counted, mut damaged) = (Vec::new(), Vec::new(), Vec::new());
                    for row in &rows {
                        let id: String = field(row, 0)?;
                        // One that cannot be read must not keep the others waiting.
                        if let Ok((one, connection)) = decided(row) {
                            all.push(with_annulled(tx, one, connection).await?);
                            counted.push(id);
                        } else {
                            tracing::error!("a stored submission cannot be read");
                            damaged.push(id);
                        }
                    }
                    count(tx, &all, timely_days).await?;
                    tell_untold(tx, &counted, now_us).await?;
                    for (state, ids) in [(1_i64, counted), (2, damaged)] {
                        if !ids.is_empty() {
                            tx.execute(&COUNTED, vec![state.into(), list(&ids)?]).await?;
                        }
                    }
                    Ok(rows.len())
                })
            })
            .await
    }

    /// The sums of a database, or of all, until a month and after a place.
    pub(crate) async fn quality(
        &self,
        source: Option<&str>,
        until: &str,
        after: &Place,
        most: u16,
    ) -> Result<Vec<(Place, Counts)>, Error> {
        let sql = if source.is_some() { &OF_SOURCE } else { &OF_ALL };
        let mut values: Vec<Value> = source.map(Value::from).into_iter().collect();
        values.extend([
            until.into(),
            after.month.as_str().into(),
            after.source.as_str().into(),
            after.item.as_str().into(),
            i64::from(most).into(),
        ]);
        self.0.read(sql, values).await?.iter().map(sum).collect()
    }
}

async fn count(tx: &Transaction, all: &[Decided], timely_days: u32) -> Result<(), Error> {
    let mut batch = read(tx, all).await?;
    let known = batch.annulments.clone();
    for one in all {
        batch.count(one, timely_days);
    }
    let values = batch.changed().map(|((contribution_id, item), held)| {
        let counts = serde_json::to_string(&held.value)?;
        Ok(WrittenValue { contribution_id, item, set_aside_by: &held.set_aside_by, counts })
    });
    let values: Vec<WrittenValue<'_>> = values.collect::<Result<_, Error>>()?;
    put(tx, &PUT_VALUES, &values).await?;
    for (id, annulment) in &batch.annulments {
        if known.get(id) != Some(annulment) {
            let (annulled, version) = *annulment;
            let version = i64::try_from(version).unwrap_or(i64::MAX);
            let values: Vec<Value> = vec![id.clone().into(), annulled.into(), version.into()];
            tx.execute(&PUT_ANNULMENT, values).await?;
        }
    }
    add(tx, batch.added()).await
}

/// What is known of all contributions that are spoken of.
async fn read(tx: &Transaction, all: &[Decided]) -> Result<Batch, Error> {
    let mut batch = Batch::default();
    let ids = Batch::spoken_of(all);
    if ids.is_empty() {
        return Ok(batch);
    }
    let ids = list(&ids)?;
    for row in tx.query(&HERE, vec![ids.clone()]).await? {
        batch.here.insert(field(&row, 0)?);
    }
    for row in tx.query(&CONFLICTS, vec![ids.clone()]).await? {
        let state = State::of(&field::<String>(&row, 2)?)?;
        let unit = (field(&row, 0)?, field(&row, 1)?);
        batch.conflicts.entry(unit).or_default().insert(field(&row, 3)?, state);
    }
    for row in tx.query(&VALUES, vec![ids.clone()]).await? {
        let value = serde_json::from_str(&field::<String>(&row, 3)?)?;
        let held = Held { value, set_aside_by: field(&row, 2)? };
        batch.was.insert((field(&row, 0)?, field(&row, 1)?), held);
    }
    for row in tx.query(&ANNULMENTS, vec![ids]).await? {
        let version: i64 = field(&row, 2)?;
        batch.annulments.insert(field(&row, 0)?, (field(&row, 1)?, version.unsigned_abs()));
    }
    Ok(batch)
}

/// Adds to the sums.
async fn add(tx: &Transaction, mut sums: BTreeMap<Place, Counts>) -> Result<(), Error> {
    let places: Vec<WrittenSum<'_>> =
        sums.keys().map(|place| written(place, String::new())).collect();
    if places.is_empty() {
        return Ok(());
    }
    for row in tx.query(&SUMS, vec![list(&places)?]).await? {
        let (place, known) = sum(&row)?;
        sums.entry(place).or_default().add(&known);
    }
    let one = |(place, counts)| Ok(written(place, serde_json::to_string::<Counts>(counts)?));
    let sums: Vec<WrittenSum<'_>> = sums.iter().map(one).collect::<Result<_, Error>>()?;
    put(tx, &PUT_SUMS, &sums).await
}

/// A contribution with the one that it annuls or lets count again: what an annulment of an annulment is about is what that one
/// annulled.
async fn with_annulled(
    tx: &Transaction,
    mut one: Decided,
    connection: String,
) -> Result<Decided, Error> {
    if matches!(one.outcome, Outcome::Rejected(_)) {
        return Ok(one);
    }
    let (mut target, mut annulled) = (one.application.target.clone(), false);
    // Whatever annuls is later than what it annuls, so this ends.
    while let Target::Earlier { key, .. } = &target {
        let place = vec![connection.clone().into(), key.clone().into()];
        let rows = tx.query(&BY_KEY, place).await?;
        let Some(row) = rows.first() else { break };
        // One that cannot be read must not keep those that annul it waiting.
        let Ok(earlier) = submission(row) else { break };
        (target, annulled) = (earlier.application.target, !annulled);
        one.annuls = Some((earlier.contribution_id, annulled));
    }
    Ok(one)
}

fn decided(row: &QueryResult) -> Result<(Decided, String), Error> {
    let one = Decided {
        id: field(row, 0)?,
        application: serde_json::from_str(&field::<String>(row, 2)?)?,
        received_at_us: field(row, 3)?,
        outcome: serde_json::from_str(&field::<String>(row, 4)?)?,
        annuls: None,
    };
    Ok((one, field(row, 1)?))
}

fn sum(row: &QueryResult) -> Result<(Place, Counts), Error> {
    let place = Place { source: field(row, 0)?, month: field(row, 1)?, item: field(row, 2)? };
    Ok((place, serde_json::from_str(&field::<String>(row, 3)?)?))
}

#[derive(Serialize)]
struct WrittenValue<'a> {
    contribution_id: &'a str,
    item: &'a str,
    set_aside_by: &'a str,
    counts: String,
}

#[derive(Serialize)]
struct WrittenSum<'a> {
    source: &'a str,
    month: &'a str,
    item: &'a str,
    counts: String,
}

fn written(place: &Place, counts: String) -> WrittenSum<'_> {
    WrittenSum { source: &place.source, month: &place.month, item: &place.item, counts }
}

fn list(all: &impl Serialize) -> Result<Value, Error> {
    Ok(serde_json::to_string(all)?.into())
}

async fn put(tx: &Transaction, sql: &Sql, rows: &[impl Serialize]) -> Result<(), Error> {
    if !rows.is_empty() {
        tx.execute(sql, vec![list(&rows)?]).await?;
    }
    Ok(())
}
