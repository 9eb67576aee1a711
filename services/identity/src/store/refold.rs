//! A change of the rules of authority: every record folded anew, with events of its own.

use model::{AuthorityInForce, GoldenRecord, fold};
use server::runtime::Clock;
use store::{Sql, Transaction, Value};

use super::{
    ASSERTIONS_OF, PERSONS_AFTER, RegisterStore, assertions,
    enter::{Entered, amend, lock},
    field, only, record,
};
use crate::{
    Error,
    domain::{apart::Apart, feed::ChangeKind},
};

const APPLIED: Sql = Sql::same("SELECT authority FROM register WHERE id = 1");
const KEPT: Sql = Sql::same("SELECT id FROM rules");
const BEGIN: Sql = Sql {
    sqlite: "UPDATE register SET authority = ? WHERE id = 1",
    postgres: "UPDATE register SET authority = $1 WHERE id = 1",
};
const APPLY: Sql = Sql {
    sqlite: "UPDATE register SET authority = ?, known_at_us = ? WHERE id = 1 AND authority = ?",
    postgres: "UPDATE register SET authority = $1, known_at_us = $2 WHERE id = 1 AND authority = $3",
};
const APPLIED_FROM: Sql = Sql {
    sqlite: "INSERT INTO rules_applied (known_at_us, id) VALUES (?, ?)",
    postgres: "INSERT INTO rules_applied (known_at_us, id) VALUES ($1, $2)",
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

    /// Folds everybody by the rules of today who was folded by others. Writers take their turn between its batches; a
    /// second run, or one beside it, finds less to do. Not by rules that are older than some that were in use: of two
    /// processes with other files, the newer one has its way. Ends early when the day has brought other rules.
    pub(crate) async fn refold(&self, clock: &Clock) -> Result<Refolded, Error> {
        let rules = self.rules(clock.today());
        self.keep_rules(&rules).await?;
        let kept = self.store.read(&KEPT, Vec::new()).await?;
        for row in &kept {
            let id: String = field(row, 0)?;
            if AuthorityInForce::order_of(&id) > rules.order() {
                return Err(Error::OlderRules { own: rules.id().to_owned(), newer: id });
            }
        }
        let mark = format!("folding:{}", rules.id());
        self.mark(mark.clone()).await?;
        let (mut done, mut after) = (Refolded::default(), Some(String::new()));
        while let Some(from) = after {
            if self.rules(clock.today()) != rules {
                return Ok(done);
            }
            let (rules, now_us) = (rules.clone(), clock.now_us());
            let batch = self.store.write("fold anew", move |tx| {
                Box::pin(async move { refold_batch(tx, &from, &rules, now_us).await })
            });
            let (batch, next) = batch.await?;
            done.persons += batch.persons;
            done.changed += batch.changed;
            after = next;
        }
        let (id, now_us) = (rules.id().to_owned(), clock.now_us());
        let applied: Result<(), Error> = self
            .store
            .write("note rules", move |tx| {
                Box::pin(async move {
                    // A moment of its own: what is known at it is folded by these rules.
                    let turn = lock(tx, now_us).await?;
                    let id = Value::from(id);
                    let values = vec![id.clone(), turn.known_at_us.into(), mark.into()];
                    // Whoever wrote by other rules meanwhile took the mark away: then there is more to fold.
                    if tx.execute(&APPLY, values).await? > 0 {
                        tx.execute(&APPLIED_FROM, vec![turn.known_at_us.into(), id]).await?;
                    }
                    Ok(())
                })
            })
            .await;
        applied.map(|()| done)
    }

    async fn mark(&self, mark: String) -> Result<(), Error> {
        self.store
            .write("begin to fold anew", move |tx| {
                Box::pin(async move {
                    tx.execute(&BEGIN, vec![mark.into()]).await?;
                    Ok(())
                })
            })
            .await
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
    let said = Apart::new(assertions(&tx.query(&ASSERTIONS_OF, vec![ids]).await?)?);
    let (mut changed, mut same) = (Vec::new(), Vec::new());
    let mut last = turn;
    for before in others {
        let of = said.of(&before.person_id);
        let folded = fold(&before.person_id, before.protected, of, rules);
        let version = turn.version + changed.len() as u64;
        let person = Entered::amended(&before, folded, Vec::new(), version, rules);
        let person = person.of_kind(ChangeKind::Refolded).of_job(format!("rules/{}", rules.id()));
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
