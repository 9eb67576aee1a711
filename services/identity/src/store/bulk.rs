//! Loading many persons: each batch is made while the one before it is written, on PostgreSQL by COPY. What comes of it is the
//! register that the same persons make one by one ([`RegisterStore::load`]).

use model::{AuthorityInForce, GoldenRecord, day_in_viet_nam};
use serde::Serialize;
use server::runtime::Entropy;
use store::{Engine, Rows, Sql, Transaction};

use super::{
    RegisterStore,
    enter::{AssertionRow, Entered, Turn, advance, enter, kind, lock},
    field,
    population::{FIRST_RULES, Newcomer},
    stored,
};
use crate::{
    Error,
    domain::{find::SearchKey, relations::keys},
};

const PLACE: Sql = Sql::same("SELECT version, known_at_us FROM register WHERE id = 1");
const CHANGED: Sql = Sql {
    sqlite: "SELECT person_id, known_at_us FROM change WHERE version = ?",
    postgres: "SELECT person_id, known_at_us FROM change WHERE version = $1",
};
// Only where it was true of everybody before.
const KEYED: Sql = Sql {
    sqlite: "UPDATE search SET version = ?1 WHERE id = 1 AND form = ?2 AND version = ?3",
    postgres: "UPDATE search SET version = $1 WHERE id = 1 AND form = $2 AND version = $3",
};
// Of SQLite the whole file.
const SIZES: Sql = Sql {
    sqlite: "SELECT 'all', page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    postgres: "SELECT c.relname::text, COALESCE(\
               (SELECT SUM(pg_total_relation_size(part.relid)) FROM pg_partition_tree(c.oid) part), \
               pg_total_relation_size(c.oid))::bigint AS size \
               FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') \
               AND NOT c.relispartition ORDER BY size DESC, c.relname",
};
const PERSONS: &str = "person (person_id, protected, version, record, authority)";
const IDENTIFIERS: &str = "identifier (value, kind, person_id, state)";
const KEYS: &str = "search_key \
     (person_id, version, form, name_l3, name_l4, born, birth_year, sex, native_province, commune)";
const ASSERTIONS: &str = "assertion \
     (person_id, item, value, source, contribution_id, valid_from, known_at_us, version, says, event)";
const CHANGES: &str = "change (version, person_id, items, known_at_us, authority, kind, bulk_job)";
const RELATIONS: &str = "relation_key (item, value, person_id)";

/// Where a bulk load is. It makes batches one after the other, with nothing but itself.
pub struct Bulk {
    contribution_id: &'static str,
    engine: Engine,
    synthetic: bool,
    rules: AuthorityInForce,
    /// The version and known time of the next batch, if nobody else writes.
    next: Turn,
    known_at_us: i64,
}

/// Persons ready to be written.
pub struct Batch {
    persons: usize,
    first: Turn,
    last: Turn,
    rules: String,
    tables: Tables,
}

/// What is written of them.
enum Tables {
    /// Statement by statement, as everything else.
    Statements(Vec<Entered>),
    /// By COPY.
    Copies(Box<Copies>),
}

#[derive(Default)]
struct Copies {
    persons: Rows,
    identifiers: Rows,
    keys: Rows,
    assertions: Rows,
    changes: Rows,
    relations: Rows,
}

/// What a register holds that nothing but a load has written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// How many persons.
    pub persons: u64,
    /// The first one that was loaded, and when the register learnt of it, microseconds since 1970.
    pub first: (String, i64),
    /// The last one that was loaded.
    pub last: String,
}

impl RegisterStore {
    /// Begins to load persons under one contribution id, after those that are there. The first known time is this one, or
    /// comes right after the last.
    ///
    /// # Errors
    /// When the register cannot be read or written.
    pub async fn bulk(
        &self,
        contribution_id: &'static str,
        known_at_us: i64,
        entropy: &Entropy,
    ) -> Result<Bulk, Error> {
        let rules = self.rules(day_in_viet_nam(known_at_us));
        self.keep_rules(&rules).await?;
        // Found while nobody is there, so that it is known of everybody who is loaded that they have keys.
        self.own_key(entropy).await?;
        let rows = self.store.read(&PLACE, Vec::new()).await?;
        let row = rows.first().ok_or(store::Error::NoRow)?;
        let (version, known): (i64, i64) = (field(row, 0)?, field(row, 1)?);
        let next = Turn {
            version: version.unsigned_abs() + 1,
            known_at_us: known_at_us.max(known.saturating_add(1)),
        };
        let (engine, synthetic) = (self.store.engine(), self.synthetic());
        Ok(Bulk { contribution_id, engine, synthetic, rules, next, known_at_us })
    }

    /// Writes a batch, in one transaction, and says how many persons it has.
    ///
    /// # Errors
    /// When the database refuses, or somebody else has written since the load began: then nothing of the batch is written.
    pub async fn load_batch(&self, batch: Batch) -> Result<usize, Error> {
        let Batch { persons, first, last, rules, tables } = batch;
        if persons == 0 {
            return Ok(0);
        }
        self.store
            .write("load batch", move |tx| {
                Box::pin(async move {
                    if lock(tx, first.known_at_us).await? != first {
                        return Err(Error::WrittenMeanwhile);
                    }
                    match &tables {
                        Tables::Statements(entered) => enter(tx, entered, last).await?,
                        Tables::Copies(copies) => {
                            copies.write(tx).await?;
                            advance(tx, last, rules.clone()).await?;
                        }
                    }
                    if first.version == 1 {
                        // Who comes into a new register is all there is to fold.
                        tx.execute(&FIRST_RULES, vec![rules.into()]).await?;
                    }
                    let before = stored(first.version - 1).into();
                    let keyed = vec![stored(last.version).into(), SearchKey::FORM.into(), before];
                    tx.execute(&KEYED, keyed).await?;
                    Ok(persons)
                })
            })
            .await
    }

    /// What was loaded, where the register holds nothing else: each version is a person's first. None for an empty
    /// register, and for one that was written to otherwise.
    ///
    /// # Errors
    /// When the register cannot be read.
    pub async fn loaded(&self) -> Result<Option<Loaded>, Error> {
        let (persons, version) = (self.size().await?, self.version().await?);
        if persons == 0 || persons != version {
            return Ok(None);
        }
        let (first, last) = (self.changed(1).await?, self.changed(version).await?);
        Ok(first.zip(last).map(|(first, (last, _))| Loaded { persons, first, last }))
    }

    async fn changed(&self, version: u64) -> Result<Option<(String, i64)>, Error> {
        let rows = self.store.read(&CHANGED, vec![stored(version).into()]).await?;
        rows.first().map(|row| Ok((field(row, 0)?, field(row, 1)?))).transpose()
    }

    /// How many bytes each table takes with its indexes, the largest first; on SQLite all of them together, as `all`.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn sizes(&self) -> Result<Vec<(String, u64)>, Error> {
        let rows = self.store.read(&SIZES, Vec::new()).await?;
        let one = |row: &store::QueryResult| {
            let size: i64 = field(row, 1)?;
            Ok((field(row, 0)?, size.unsigned_abs()))
        };
        rows.iter().map(one).collect()
    }
}

impl Bulk {
    /// Makes the next batch.
    ///
    /// # Errors
    /// When a person's number is of the other kind than the register's.
    pub fn batch(&mut self, persons: Vec<Newcomer>) -> Result<Batch, Error> {
        if let Some(wrong) = persons.iter().find(|p| p.number.is_synthetic() != self.synthetic) {
            return Err(Error::OtherSide(!wrong.number.is_synthetic()));
        }
        let (first, count) = (self.next, persons.len());
        let entered = (first.version..).zip(persons).map(|(version, person)| {
            person.enter(self.contribution_id, first.known_at_us, version, &self.rules)
        });
        let tables = match self.engine {
            Engine::Sqlite => Tables::Statements(entered.collect()),
            Engine::Postgres => {
                let mut copies = Box::<Copies>::default();
                for person in entered {
                    copies.add(&person, first.known_at_us)?;
                }
                Tables::Copies(copies)
            }
        };
        let after = first.version + count as u64;
        let last = Turn { version: (after - 1).max(first.version), ..first };
        self.next = Turn {
            version: after,
            known_at_us: self.known_at_us.max(first.known_at_us.saturating_add(1)),
        };
        Ok(Batch { persons: count, first, last, rules: self.rules.id().to_owned(), tables })
    }
}

impl Copies {
    fn add(&mut self, person: &Entered, known_at_us: i64) -> Result<(), Error> {
        let GoldenRecord { person_id, protected, .. } = &person.record;
        let version = stored(person.version);
        let record = serde_json::to_string(&person.record)?;
        let row = self.persons.text(person_id).truth(*protected).number(version);
        row.text(&record).text(&person.authority).end();
        for number in &person.identifiers {
            let row = self.identifiers.text(number.as_str()).text(kind(number));
            row.text(person_id).text("active").end();
        }
        for assertion in &person.assertions {
            let row = AssertionRow::of(assertion)?;
            let (says, event) = (word(&row.says)?, row.event.as_ref().map(word).transpose()?);
            let rows = self.assertions.text(row.person_id).text(row.item).text(&row.value);
            let rows = rows.text(row.source).text(row.contribution_id);
            let rows = rows.maybe(row.valid_from.as_deref()).number(row.known_at_us);
            rows.number(stored(row.version)).text(&says).maybe(event.as_deref()).end();
        }
        let items = serde_json::to_string(&person.touched)?;
        let row = self.changes.number(version).text(person_id).text(&items);
        let row = row.number(known_at_us).text(&person.authority).text(person.kind.name());
        row.maybe(person.bulk_job.as_deref()).end();
        for (item, value) in keys(&person.record) {
            self.relations.text(item).text(value).text(person_id).end();
        }
        let key = SearchKey::of(&person.record);
        let row = self.keys.text(person_id).number(version).number(SearchKey::FORM);
        let row = row.maybe(key.name_l3.as_deref()).maybe(key.name_l4.as_deref());
        let row = row.maybe(key.born.as_deref());
        let row = match key.birth_year {
            Some(year) => row.number(year.into()),
            None => row.null(),
        };
        let row = row.maybe(key.sex.as_deref()).maybe(key.native_province.as_deref());
        row.maybe(key.commune.as_deref()).end();
        Ok(())
    }

    async fn write(&self, tx: &Transaction) -> Result<(), Error> {
        // Persons first, to whom the others refer.
        for (into, rows) in [
            (PERSONS, &self.persons),
            (IDENTIFIERS, &self.identifiers),
            (KEYS, &self.keys),
            (ASSERTIONS, &self.assertions),
            (CHANGES, &self.changes),
            (RELATIONS, &self.relations),
        ] {
            if !rows.is_empty() {
                tx.copy(into, rows).await?;
            }
        }
        Ok(())
    }
}

/// A word of a closed list, as it is stored.
fn word(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let word = serde_json::to_string(value)?;
    Ok(word.trim_matches('"').to_owned())
}
