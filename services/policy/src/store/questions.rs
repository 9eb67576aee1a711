//! What policy was asked, each question once, with how often.

use ::store::{Sql, Store};
use time::Date;

use super::{
    day, execute,
    moves::{field, written},
    text,
};
use crate::{Error, domain::flips::Asked};

/// A question that is stored.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) id: String,
    /// None where another version of the program wrote it, and this one does not know what it is.
    pub(crate) asked: Option<Asked>,
    pub(crate) times: u64,
    pub(crate) first_day: Date,
    pub(crate) last_day: Date,
}

/// Takes a list of `[id, agency, system, asked, times]`, a day, and how many a caller may have. A caller that has as many is given no
/// more; those that it has are counted on.
const COUNT: Sql = Sql {
    sqlite: "WITH asked (id, agency, system, asked, times) AS MATERIALIZED ( \
                 SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 \
                 FROM json_each(?1)), \
             full_of (agency, system) AS MATERIALIZED ( \
                 SELECT agency, system FROM question \
                 WHERE (agency, system) IN (SELECT agency, system FROM asked) \
                 GROUP BY agency, system HAVING COUNT(*) >= ?3) \
             INSERT INTO question (id, agency, system, asked, times, first_day, last_day) \
             SELECT id, agency, system, asked, times, ?2, ?2 FROM asked \
             WHERE (agency, system) NOT IN (SELECT agency, system FROM full_of) \
                OR id IN (SELECT id FROM question) \
             ON CONFLICT (id) DO UPDATE SET times = question.times + excluded.times, \
                 last_day = max(question.last_day, excluded.last_day)",
    postgres: "WITH asked (id, agency, system, asked, times) AS MATERIALIZED ( \
                   SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, \
                          CAST(value ->> 4 AS BIGINT) \
                   FROM json_array_elements($1::json) n(value)), \
               full_of (agency, system) AS MATERIALIZED ( \
                   SELECT agency, system FROM question \
                   WHERE (agency, system) IN (SELECT agency, system FROM asked) \
                   GROUP BY agency, system HAVING COUNT(*) >= $3) \
               INSERT INTO question (id, agency, system, asked, times, first_day, last_day) \
               SELECT a.id, a.agency, a.system, a.asked, a.times, $2, $2 FROM asked a \
               WHERE NOT EXISTS (SELECT 1 FROM full_of f \
                                 WHERE f.agency = a.agency AND f.system = a.system) \
                  OR EXISTS (SELECT 1 FROM question q WHERE q.id = a.id) \
               ORDER BY a.id \
               ON CONFLICT (id) DO UPDATE SET times = question.times + excluded.times, \
                   last_day = GREATEST(question.last_day, excluded.last_day)",
};
const FORGET: Sql = Sql {
    sqlite: "DELETE FROM question WHERE last_day < ?",
    postgres: "DELETE FROM question WHERE last_day < $1",
};
const PAGE: Sql = Sql {
    sqlite: "SELECT id, asked, times, first_day, last_day FROM question \
             WHERE id > ? ORDER BY id LIMIT ?",
    postgres: "SELECT id, asked, times, first_day, last_day FROM question \
               WHERE id > $1 ORDER BY id LIMIT $2",
};

/// Counts questions of a day, each with its id and how often it was asked. Of a caller about so many are kept.
pub(crate) async fn count(
    store: &Store,
    asked: Vec<(String, Asked, u64)>,
    day: Date,
    most: i64,
) -> Result<(), Error> {
    let mut rows = Vec::with_capacity(asked.len());
    for (id, asked, times) in asked {
        let text = serde_json::to_string(&asked).map_err(|_| Error::Stored("a question"))?;
        rows.push(serde_json::json!([id, asked.agency, asked.system, text, times]));
    }
    let rows = serde_json::to_string(&rows).map_err(|_| Error::Stored("questions"))?;
    let values = vec![rows.into(), written(day)?.into(), most.into()];
    execute(store, "count questions", &COUNT, values).await
}

/// Forgets the questions that were asked before a day for the last time.
pub(crate) async fn forget(store: &Store, before: Date) -> Result<(), Error> {
    execute(store, "forget questions", &FORGET, vec![written(before)?.into()]).await
}

/// Questions after an id, in the order of their ids.
pub(crate) async fn page(store: &Store, after: &str, most: u16) -> Result<Vec<Question>, Error> {
    let rows = store.read(&PAGE, vec![after.into(), i64::from(most).into()]).await?;
    rows.iter()
        .map(|row| {
            let asked = text(row, 1)?;
            let times: i64 = field(row, 2)?;
            Ok(Question {
                id: text(row, 0)?,
                asked: serde_json::from_str(&asked).ok(),
                times: u64::try_from(times).unwrap_or_default(),
                first_day: day(row, 3)?,
                last_day: day(row, 4)?,
            })
        })
        .collect()
}
