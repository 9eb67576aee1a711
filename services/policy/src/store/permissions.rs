//! What agreements grant a connection, page by page.

use ::store::{QueryResult, Sql, Store};
use time::OffsetDateTime;

use super::{DAY, day, text};
use crate::{
    Error,
    domain::{basis::today, permissions::Permission, registry::obligations, rules::Act},
};

const HOLDER: Sql = Sql {
    sqlite: "SELECT agency, system FROM connection WHERE id = ?",
    postgres: "SELECT agency, system FROM connection WHERE id = $1",
};
/// Of the agreements in force on a day, what stands after a key. One agreement grants for one act, procedure and ground at most each
/// item once.
const GRANTED: Sql = Sql {
    sqlite: "SELECT a.id, a.valid_from, a.valid_to, g.action, g.procedure, g.legal_basis, g.item, \
                    g.obligations, t.valid_from, t.valid_to, t.terms, a.origin \
             FROM agreement a JOIN agreement_grant g ON g.agreement = a.id \
             LEFT JOIN agreement_terms t ON t.agreement = g.agreement AND t.action = g.action \
                       AND t.procedure = g.procedure AND t.legal_basis = g.legal_basis \
             WHERE a.connection = ?1 AND a.valid_from <= ?2 AND a.valid_to > ?2 \
               AND COALESCE(t.valid_from, ?2) <= ?2 AND COALESCE(t.valid_to, a.valid_to) > ?2 \
               AND (a.id, g.action, g.procedure, g.legal_basis) > (?3, ?4, ?5, ?6) \
             ORDER BY a.id, g.action, g.procedure, g.legal_basis, g.item LIMIT ?7",
    postgres: "SELECT a.id, a.valid_from, a.valid_to, g.action, g.procedure, g.legal_basis, g.item, \
                      g.obligations, t.valid_from, t.valid_to, t.terms, a.origin \
               FROM agreement a JOIN agreement_grant g ON g.agreement = a.id \
               LEFT JOIN agreement_terms t ON t.agreement = g.agreement AND t.action = g.action \
                         AND t.procedure = g.procedure AND t.legal_basis = g.legal_basis \
               WHERE a.connection = $1 AND a.valid_from <= $2 AND a.valid_to > $2 \
                 AND COALESCE(t.valid_from, $2) <= $2 AND COALESCE(t.valid_to, a.valid_to) > $2 \
                 AND (a.id COLLATE \"C\", g.action COLLATE \"C\", g.procedure COLLATE \"C\", \
                      g.legal_basis COLLATE \"C\") > ($3, $4, $5, $6) \
               ORDER BY a.id COLLATE \"C\", g.action COLLATE \"C\", g.procedure COLLATE \"C\", \
                        g.legal_basis COLLATE \"C\", g.item COLLATE \"C\" LIMIT $7",
};

/// Agency and system of a connection.
pub(crate) async fn holder(
    store: &Store,
    connection: &str,
) -> Result<Option<(String, String)>, Error> {
    let rows = store.read(&HOLDER, vec![connection.into()]).await?;
    rows.first().map(|row| Ok((text(row, 0)?, text(row, 1)?))).transpose()
}

/// At most so many permissions of a connection after a key, and whether there are more. `items` is how many items one can have.
pub(crate) async fn page(
    store: &Store,
    connection: &str,
    now: OffsetDateTime,
    after: [String; 4],
    most: u16,
    items: usize,
) -> Result<(Vec<Permission>, bool), Error> {
    let most = usize::from(most);
    let day = today(now).format(DAY).map_err(|_| Error::Stored("a day cannot be written"))?;
    // Enough for every row of that many and one of the next.
    let rows = i64::try_from(most.saturating_mul(items).saturating_add(1)).unwrap_or(i64::MAX);
    let mut values = vec![connection.into(), day.into()];
    values.extend(after.into_iter().map(Into::into));
    values.push(rows.into());
    let mut all: Vec<Permission> = Vec::new();
    for row in &store.read(&GRANTED, values).await? {
        let key = [text(row, 0)?, text(row, 3)?, text(row, 4)?, text(row, 5)?];
        if all.last().is_none_or(|last| last.key() != key) {
            if all.len() == most {
                return Ok((all, true));
            }
            all.push(permission(row, key)?);
        }
        let words = text(row, 7)?;
        let words: Vec<&str> = words.split(',').filter(|word| !word.is_empty()).collect();
        // A word that this version does not know cannot be kept, so the item is not granted (I2).
        if let (Ok(obligations), Some(last)) = (obligations(&words), all.last_mut()) {
            last.granted.items.push((text(row, 6)?, obligations));
        }
    }
    Ok((all, false))
}

/// A permission without items.
fn permission(row: &QueryResult, key: [String; 4]) -> Result<Permission, Error> {
    let [agreement, act, procedure, legal_basis] = key;
    let act = Act::of(&act).ok_or(Error::Stored("a stored act is none"))?;
    let dated = (day(row, 1)?, day(row, 2)?);
    let granted = super::granted(agreement, dated, row, [8, 9, 10, 11])?;
    Ok(Permission { act, procedure, legal_basis, granted })
}
