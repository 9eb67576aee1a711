//! Under whom accesses stand.

use ::store::{Sql, Store, Value};
use serde::Serialize;
use tlog::LEAF_LEN;

use super::{bytes, json, number, signed, whole::value};
use crate::Error;

/// Of a name that is somebody's for a time alone, those of that time: of what comes after nothing is told, not even that it came.
const COUNTS: Sql = Sql {
    sqlite: "SELECT CASE WHEN n.value ->> 'from_ms' = 0 AND n.value ->> 'until_ms' = 0 \
                    THEN COALESCE((SELECT e.number FROM subject_entry e \
                                   WHERE e.subject = n.value ->> 'subject' AND e.position < ?2 \
                                   ORDER BY e.position DESC LIMIT 1), 0) \
                    ELSE (SELECT COUNT(*) FROM subject_entry e \
                          WHERE e.subject = n.value ->> 'subject' AND e.position < ?2 \
                            AND e.time_ms >= n.value ->> 'from_ms' \
                            AND (n.value ->> 'until_ms' = 0 OR e.time_ms < n.value ->> 'until_ms')) END \
             FROM json_each(?1) n ORDER BY n.value ->> 'name'",
    postgres: "SELECT CASE WHEN n.from_ms = 0 AND n.until_ms = 0 \
                      THEN COALESCE((SELECT e.number FROM subject_entry e \
                                     WHERE e.subject = n.subject AND e.position < $2 \
                                     ORDER BY e.position DESC LIMIT 1), 0) \
                      ELSE (SELECT COUNT(*) FROM subject_entry e \
                            WHERE e.subject = n.subject AND e.position < $2 AND e.time_ms >= n.from_ms \
                              AND (n.until_ms = 0 OR e.time_ms < n.until_ms)) END \
               FROM json_to_recordset($1::json) \
                    AS n(name BIGINT, subject TEXT, from_ms BIGINT, until_ms BIGINT) ORDER BY n.name",
};
const LIST: Sql = Sql {
    sqlite: "SELECT p.name, CASE WHEN p.from_ms = 0 AND p.until_ms = 0 THEN p.number \
                            ELSE (SELECT COUNT(*) FROM subject_entry w \
                                  WHERE w.subject = p.subject AND w.position <= p.position \
                                    AND w.time_ms >= p.from_ms \
                                    AND (p.until_ms = 0 OR w.time_ms < p.until_ms)) END, \
                    p.position, p.sealed_until_ms, l.leaf, x.position \
             FROM (SELECT n.value ->> 'name' AS name, n.value ->> 'from_ms' AS from_ms, \
                          n.value ->> 'until_ms' AS until_ms, e.subject, e.number, e.position, e.sealed_until_ms \
                   FROM json_each(?1) n \
                   JOIN subject_entry e ON e.subject = n.value ->> 'subject' AND e.position < ?2 \
                        AND e.time_ms >= n.value ->> 'from_ms' \
                        AND (n.value ->> 'until_ms' = 0 OR e.time_ms < n.value ->> 'until_ms') \
                   ORDER BY e.position DESC, name LIMIT ?3) p \
             LEFT JOIN leaf l ON l.position = p.position \
             LEFT JOIN erasure x ON x.position = p.position \
             ORDER BY p.position DESC, p.name",
    // Of each name no more is read than a page holds.
    postgres: "SELECT p.name, CASE WHEN p.from_ms = 0 AND p.until_ms = 0 THEN p.number \
                              ELSE (SELECT COUNT(*) FROM subject_entry w \
                                    WHERE w.subject = p.subject AND w.position <= p.position \
                                      AND w.time_ms >= p.from_ms \
                                      AND (p.until_ms = 0 OR w.time_ms < p.until_ms)) END, \
                      p.position, p.sealed_until_ms, l.leaf, x.position \
               FROM (SELECT n.name, n.subject, n.from_ms, n.until_ms, e.number, e.position, e.sealed_until_ms \
                     FROM json_to_recordset($1::json) \
                          AS n(name BIGINT, subject TEXT, from_ms BIGINT, until_ms BIGINT) \
                     CROSS JOIN LATERAL (SELECT number, position, sealed_until_ms FROM subject_entry \
                          WHERE subject = n.subject AND position < $2 AND time_ms >= n.from_ms \
                            AND (n.until_ms = 0 OR time_ms < n.until_ms) \
                          ORDER BY position DESC LIMIT $3) e \
                     ORDER BY e.position DESC, n.name LIMIT $3) p \
               LEFT JOIN leaf l ON l.position = p.position \
               LEFT JOIN erasure x ON x.position = p.position \
               ORDER BY p.position DESC, p.name",
};

/// A subject whose accesses are asked for, and the time for which they are.
#[derive(Serialize)]
pub(crate) struct Name {
    /// Its place in the question.
    pub(crate) name: usize,
    /// As the column holds it.
    pub(crate) subject: String,
    pub(crate) from_ms: u64,
    /// 0 for ever.
    pub(crate) until_ms: u64,
}

/// An access that stands under one of the names.
pub(crate) struct Entry {
    pub(crate) name: u64,
    pub(crate) number: u64,
    pub(crate) position: u64,
    pub(crate) sealed_until_ms: u64,
    /// None where it is not there: it was pruned, or is missing.
    pub(crate) leaf: Option<[u8; LEAF_LEN]>,
    /// Whether an erasure of its keys is recorded.
    pub(crate) erased: bool,
}

/// How many accesses stand under each of the names in the log of this size.
pub(crate) async fn counts(store: &Store, names: &[Name], size: u64) -> Result<Vec<u64>, Error> {
    let values: Vec<Value> = vec![json(&names)?.into(), signed(size)?.into()];
    let rows = store.read(&COUNTS, values).await?;
    rows.iter().map(|row| number(row, 0)).collect()
}

/// The newest accesses under the names that are below an index, at most so many.
pub(crate) async fn list(
    store: &Store,
    names: &[Name],
    below: u64,
    most: u32,
) -> Result<Vec<Entry>, Error> {
    let values: Vec<Value> =
        vec![json(&names)?.into(), signed(below)?.into(), i64::from(most).into()];
    let rows = store.read(&LIST, values).await?;
    let entry = |row| {
        let leaf: Option<Vec<u8>> = value(row, 4)?;
        let erased: Option<i64> = value(row, 5)?;
        Ok(Entry {
            name: number(row, 0)?,
            number: number(row, 1)?,
            position: number(row, 2)?,
            sealed_until_ms: number(row, 3)?,
            leaf: leaf.is_some().then(|| bytes(row, 4)).transpose()?,
            erased: erased.is_some(),
        })
    };
    rows.iter().map(entry).collect()
}
