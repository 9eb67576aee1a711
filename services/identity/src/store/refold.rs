//! A change of the rules of authority: every record folded anew, with events of its own.

use model::{AuthorityInForce, GoldenRecord, fold};
use store::{Sql, Transaction, Value};

use super::{
    ASSERTIONS_OF, PERSONS_AFTER, RegisterStore, assertions,
    enter::{Entered, amend, lock},
    field, only, record,
};
use crate::Error;

const APPLIED: Sql = Sql::same("SELECT authority FROM register WHERE id = 1");
const APPLY: Sql = Sql {
    sqlite: "UPDATE register SET authority = ? WHERE id = 1",
    postgres: "UPDATE register SET authority = $1 WHERE id = 1",
};
const MARK: Sql = Sql {
    sqlite: "UPDATE person SET authority = ? WHERE person_id IN (SELECT value FROM json_each(?))",
    postgres: "UPDATE person SET authority = $1 \
               WHERE person_id = ANY(ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb)))",
};

/// What a change of rules did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refolded {
    /// Persons who had been folded by other rules.
    pub persons: u64,
    /// Of these, those whose record is another one now.
    pub changed: u64,
}

impl RegisterStore {
    /// Whether every record is known to be folded by these rules.
    pub(crate) async fn is_folded_by(&self, rules: &AuthorityInForce) -> Result<bool, Error> {
        let applied: String = only(&self.store.read(&APPLIED, Vec::new()).await?)?;
        Ok(applied == rules.id())
    }

    /// Folds everybody by these rules who was folded by others. Writers take their turn between its batches, and fold by
    /// the rules of their day; a second run, or one beside it, finds less to do.
    pub(crate) async fn refold(
        &self,
        rules: &AuthorityInForce,
        now_us: i64,
    ) -> Result<Refolded, Error> {
        let (mut done, mut after) = (Refolded::default(), Some(String::new()));
        while let Some(from) = after {
            let rules = rules.clone();
            let batch = self.store.write("fold anew", move |tx| {
                Box::pin(async move { refold_batch(tx, &from, &rules, now_us).await })
            });
            let (batch, next) = batch.await?;
            done.persons += batch.persons;
            done.changed += batch.changed;
            after = next;
        }
        let id = rules.id().to_owned();
        let applied: Result<(), Error> = self
            .store
            .write("note rules", move |tx| {
                Box::pin(async move {
                    tx.execute(&APPLY, vec![id.into()]).await?;
                    Ok(())
                })
            })
            .await;
        applied.map(|()| done)
    }
}

/// One batch of persons after `from`; where to go on, if there may be more.
async fn refold_batch(
    tx: &Transaction,
    from: &str,
    rules: &AuthorityInForce,
    now_us: i64,
) -> Result<(Refolded, Option<String>), Error> {
    let turn = lock(tx, now_us).await?;
    let rows = tx.query(&PERSONS_AFTER, vec![from.to_owned().into()]).await?;
    let Some(last) = rows.last() else { return Ok((Refolded::default(), None)) };
    let next: String = field(last, 0)?;
    let mut others: Vec<GoldenRecord> = Vec::new();
    for row in &rows {
        if field::<String>(row, 2)? != rules.id() {
            others.push(record(&field::<String>(row, 1)?)?);
        }
    }
    let mut done = Refolded { persons: others.len() as u64, changed: 0 };
    if others.is_empty() {
        return Ok((done, Some(next)));
    }
    let ids: Vec<&str> = others.iter().map(|record| record.person_id.as_str()).collect();
    let ids = Value::from(serde_json::to_string(&ids)?);
    let said = assertions(&tx.query(&ASSERTIONS_OF, vec![ids]).await?)?;
    let (mut changed, mut same) = (Vec::new(), Vec::new());
    let mut last = turn;
    for before in others {
        let folded = fold(&before.person_id, before.protected, &said, rules);
        let version = turn.version + changed.len() as u64;
        let person = Entered::amended(&before, folded, Vec::new(), version, rules);
        if person.is_other() {
            last.version = version;
            changed.push(person);
        } else {
            same.push(person.person_id().to_owned());
        }
    }
    let ids = serde_json::to_string(&same)?;
    tx.execute(&MARK, vec![rules.id().to_owned().into(), ids.into()]).await?;
    if !changed.is_empty() {
        done.changed = changed.len() as u64;
        amend(tx, &changed, last).await?;
    }
    Ok((done, Some(next)))
}
