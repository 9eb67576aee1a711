//! Writing to the register: persons with their numbers, assertions, record and change event, under the
//! version that holds them.

use std::collections::BTreeSet;

use model::{Assertion, AuthorityInForce, EventKind, GoldenRecord, Identifier, Says, fold};
use serde::Serialize;
use store::{Sql, Transaction};

use super::{field, find::write_keys, relations::forget_relations, stored};
use crate::{Error, domain::feed::ChangeKind};

/// Writers take their turn here; the version they take is theirs alone.
const LOCK: Sql = Sql {
    sqlite: "SELECT version, known_at_us FROM register WHERE id = 1",
    postgres: "SELECT version, known_at_us FROM register WHERE id = 1 FOR UPDATE",
};
// Whoever folds by other rules than everybody was folded by, or is being folded by, makes that untrue.
const ADVANCE: Sql = Sql {
    sqlite: "UPDATE register SET version = ?1, known_at_us = ?2, \
             authority = CASE WHEN authority IN (?3, 'folding:' || ?3) THEN authority ELSE '' END WHERE id = 1",
    postgres: "UPDATE register SET version = $1, known_at_us = $2, \
               authority = CASE WHEN authority IN ($3, 'folding:' || $3) THEN authority ELSE '' END WHERE id = 1",
};
const PERSONS: Sql = Sql {
    sqlite: "INSERT INTO person (person_id, protected, version, record, authority) \
             SELECT value ->> 'person_id', value ->> 'protected', value ->> 'version', value ->> 'record', \
             value ->> 'authority' FROM json_each(?)",
    postgres: "INSERT INTO person (person_id, protected, version, record, authority) \
               SELECT person_id, protected, version, record, authority FROM jsonb_to_recordset($1::text::jsonb) \
               AS t (person_id text, protected boolean, version bigint, record text, authority text)",
};
pub(super) const AMEND: Sql = Sql {
    sqlite: "UPDATE person SET version = ?, record = ?, authority = ? WHERE person_id = ?",
    postgres: "UPDATE person SET version = $1, record = $2, authority = $3 WHERE person_id = $4",
};
const IDENTIFIERS: Sql = Sql {
    sqlite: "INSERT INTO identifier (value, kind, person_id, state) \
             SELECT value ->> 'value', value ->> 'kind', value ->> 'person_id', 'active' FROM json_each(?)",
    postgres: "INSERT INTO identifier (value, kind, person_id, state) \
               SELECT value, kind, person_id, 'active' FROM jsonb_to_recordset($1::text::jsonb) \
               AS t (value text, kind text, person_id text)",
};
const ASSERTIONS: Sql = Sql {
    sqlite: "INSERT INTO assertion \
             (person_id, item, value, source, contribution_id, valid_from, known_at_us, version, says, event) \
             SELECT value ->> 'person_id', value ->> 'item', value ->> 'value', value ->> 'source', \
             value ->> 'contribution_id', value ->> 'valid_from', value ->> 'known_at_us', \
             value ->> 'version', value ->> 'says', value ->> 'event' FROM json_each(?)",
    postgres: "INSERT INTO assertion \
               (person_id, item, value, source, contribution_id, valid_from, known_at_us, version, says, event) \
               SELECT person_id, item, value, source, contribution_id, valid_from, known_at_us, version, says, event \
               FROM jsonb_to_recordset($1::text::jsonb) AS t (person_id text, item text, value text, \
               source text, contribution_id text, valid_from text, known_at_us bigint, version bigint, says text, event text)",
};
const CHANGES: Sql = Sql {
    sqlite: "INSERT INTO change (version, person_id, items, known_at_us, authority, kind, bulk_job) \
             SELECT value ->> 'version', value ->> 'person_id', value ->> 'items', value ->> 'known_at_us', \
             value ->> 'authority', value ->> 'kind', value ->> 'bulk_job' FROM json_each(?)",
    postgres: "INSERT INTO change (version, person_id, items, known_at_us, authority, kind, bulk_job) \
               SELECT version, person_id, items, known_at_us, authority, kind, bulk_job \
               FROM jsonb_to_recordset($1::text::jsonb) AS t (version bigint, person_id text, items text, \
               known_at_us bigint, authority text, kind text, bulk_job text)",
};

/// A person to be written.
pub(crate) struct Entered {
    pub(super) identifiers: Vec<Identifier>,
    pub(super) assertions: Vec<Assertion>,
    pub(super) record: GoldenRecord,
    pub(super) version: u64,
    /// The items that look otherwise now.
    pub(super) touched: BTreeSet<String>,
    /// The rules by which the record is folded.
    pub(super) authority: String,
    /// What the change is.
    pub(super) kind: ChangeKind,
    /// The job that changes many persons, if it is one.
    pub(super) bulk_job: Option<String>,
}

impl Entered {
    /// A person with its numbers, and its record folded from what is asserted.
    pub(crate) fn new(
        person_id: String,
        protected: bool,
        identifiers: Vec<Identifier>,
        assertions: Vec<Assertion>,
        version: u64,
        rules: &AuthorityInForce,
    ) -> Self {
        let record = fold(&person_id, protected, &assertions, rules);
        let touched = record.items.keys().cloned().collect();
        let authority = rules.id().to_owned();
        let (kind, bulk_job) = (ChangeKind::Registered, None);
        Self { identifiers, assertions, record, version, touched, authority, kind, bulk_job }
    }

    /// A person of the register, who was `before`, of whom `assertions` are new and `record` is the fold of all there are.
    pub(super) fn amended(
        before: &GoldenRecord,
        record: GoldenRecord,
        assertions: Vec<Assertion>,
        version: u64,
        rules: &AuthorityInForce,
    ) -> Self {
        let items = before.items.keys().chain(record.items.keys());
        let other = |item: &&String| before.values(item) != record.values(item);
        let touched = items.filter(other).cloned().collect();
        let (record, authority) = (GoldenRecord { version, ..record }, rules.id().to_owned());
        let (identifiers, kind, bulk_job) = (Vec::new(), ChangeKind::Changed, None);
        Self { identifiers, assertions, record, version, touched, authority, kind, bulk_job }
    }

    /// The same, as a change of this kind.
    pub(super) fn of_kind(self, kind: ChangeKind) -> Self {
        Self { kind, ..self }
    }

    /// The same, as one of many that a job changes.
    pub(super) fn of_job(self, bulk_job: String) -> Self {
        Self { bulk_job: Some(bulk_job), ..self }
    }

    /// The same, with numbers that nobody has or had.
    pub(super) fn with_numbers(self, identifiers: Vec<Identifier>) -> Self {
        Self { identifiers, ..self }
    }

    /// The same, as a change of these items, also where the record itself holds none of them: what a person's number shows is
    /// another record's where its own is merged into that.
    pub(super) fn showing(self, touched: BTreeSet<String>) -> Self {
        Self { touched, ..self }
    }

    /// The record.
    pub(super) fn record(&self) -> &GoldenRecord {
        &self.record
    }

    /// Whether anything looks otherwise now.
    pub(super) fn is_other(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The person.
    pub(super) fn person_id(&self) -> &str {
        &self.record.person_id
    }
}

#[derive(Serialize)]
struct PersonRow<'a> {
    person_id: &'a str,
    protected: bool,
    version: u64,
    record: String,
    authority: &'a str,
}

#[derive(Serialize)]
struct IdentifierRow<'a> {
    value: &'a str,
    kind: &'static str,
    person_id: &'a str,
}

#[derive(Serialize)]
pub(super) struct AssertionRow<'a> {
    pub(super) person_id: &'a str,
    pub(super) item: &'a str,
    pub(super) value: String,
    pub(super) source: &'a str,
    pub(super) contribution_id: &'a str,
    pub(super) valid_from: Option<String>,
    pub(super) known_at_us: i64,
    pub(super) version: u64,
    pub(super) says: Says,
    pub(super) event: Option<EventKind>,
}

#[derive(Serialize)]
struct ChangeRow<'a> {
    version: u64,
    person_id: &'a str,
    items: String,
    known_at_us: i64,
    authority: &'a str,
    kind: &'static str,
    bulk_job: Option<&'a str>,
}

/// Writes new persons and moves the register to `last`.
pub(crate) async fn enter(tx: &Transaction, persons: &[Entered], last: Turn) -> Result<(), Error> {
    let people = persons.iter().map(PersonRow::of).collect::<Result<Vec<_>, Error>>()?;
    tx.execute(&PERSONS, vec![serde_json::to_string(&people)?.into()]).await?;
    numbers(tx, persons).await?;
    history(tx, persons, last).await
}

/// Writes the numbers that are new.
async fn numbers(tx: &Transaction, persons: &[Entered]) -> Result<(), Error> {
    let mut identifiers = Vec::new();
    for person in persons {
        for number in &person.identifiers {
            let person_id = &person.record.person_id;
            identifiers.push(IdentifierRow {
                value: number.as_str(),
                kind: kind(number),
                person_id,
            });
        }
    }
    if !identifiers.is_empty() {
        tx.execute(&IDENTIFIERS, vec![serde_json::to_string(&identifiers)?.into()]).await?;
    }
    Ok(())
}

/// What kind of number it is, as it is stored.
pub(super) fn kind(number: &Identifier) -> &'static str {
    match number.kind() {
        model::IdentifierKind::PersonalNumber => "personal_number",
        model::IdentifierKind::OldNumber9 => "old_number_9",
    }
}

/// Writes what is new about persons, and moves the register to `last`.
pub(super) async fn amend(tx: &Transaction, persons: &[Entered], last: Turn) -> Result<(), Error> {
    for person in persons {
        let PersonRow { person_id, version, record, authority, .. } = PersonRow::of(person)?;
        let (version, record) = (stored(version).into(), record.into());
        let values = vec![version, record, authority.to_owned().into(), person_id.into()];
        // PostgreSQL does not hold assertions against persons: what is said of nobody must not be written.
        if tx.execute(&AMEND, values).await? == 0 {
            return Err(store::Error::NoRow.into());
        }
    }
    numbers(tx, persons).await?;
    forget_relations(tx, persons.iter().map(Entered::person_id)).await?;
    history(tx, persons, last).await
}

/// Writes assertions, change events and keys of records, and moves the register to `last`.
async fn history(tx: &Transaction, persons: &[Entered], last: Turn) -> Result<(), Error> {
    let (mut assertions, mut changes) = (Vec::new(), Vec::new());
    for person in persons {
        let (person_id, version) = (person.record.person_id.as_str(), person.version);
        for assertion in &person.assertions {
            assertions.push(AssertionRow::of(assertion)?);
        }
        let (items, known_at_us) = (serde_json::to_string(&person.touched)?, last.known_at_us);
        let authority = person.authority.as_str();
        let (kind, bulk_job) = (person.kind.name(), person.bulk_job.as_deref());
        changes.push(ChangeRow {
            version,
            person_id,
            items,
            known_at_us,
            authority,
            kind,
            bulk_job,
        });
    }
    // Also of a record that looks as before: its keys say that they are of this version.
    write_keys(tx, persons.iter().map(|person| (&person.record, person.version))).await?;
    tx.execute(&ASSERTIONS, vec![serde_json::to_string(&assertions)?.into()]).await?;
    tx.execute(&CHANGES, vec![serde_json::to_string(&changes)?.into()]).await?;
    // All of one transaction are folded by the same rules.
    let rules = persons.first().map(|person| person.authority.clone()).unwrap_or_default();
    advance(tx, last, rules).await
}

/// Moves the register to `last`, whose records are folded by `rules`.
pub(super) async fn advance(tx: &Transaction, last: Turn, rules: String) -> Result<(), Error> {
    let values = vec![stored(last.version).into(), last.known_at_us.into(), rules.into()];
    tx.execute(&ADVANCE, values).await?;
    Ok(())
}

impl<'a> PersonRow<'a> {
    fn of(person: &'a Entered) -> Result<Self, Error> {
        let GoldenRecord { person_id, protected, .. } = &person.record;
        let record = serde_json::to_string(&person.record)?;
        let (version, authority) = (person.version, person.authority.as_str());
        Ok(Self { person_id, protected: *protected, version, record, authority })
    }
}

impl<'a> AssertionRow<'a> {
    pub(super) fn of(assertion: &'a Assertion) -> Result<Self, Error> {
        let origin = &assertion.provenance;
        Ok(Self {
            person_id: &assertion.person_id,
            item: &assertion.item,
            value: serde_json::to_string(&assertion.value)?,
            source: &origin.source,
            contribution_id: &origin.contribution_id,
            valid_from: origin.valid_from.as_ref().map(serde_json::to_string).transpose()?,
            known_at_us: origin.known_at_us,
            version: assertion.version,
            says: assertion.says,
            event: assertion.event,
        })
    }
}

/// What is a writer's own while nobody else can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The version it may take.
    pub(crate) version: u64,
    /// When the register learns what it writes: now, and later than everything learnt before (I6).
    pub(crate) known_at_us: i64,
}

/// Waits for the turn to write.
pub(crate) async fn lock(tx: &Transaction, now_us: i64) -> Result<Turn, store::Error> {
    let rows = tx.query(&LOCK, Vec::new()).await?;
    let row = rows.first().ok_or(store::Error::NoRow)?;
    let (version, known): (i64, i64) = (field(row, 0)?, field(row, 1)?);
    let known_at_us = now_us.max(known.saturating_add(1));
    Ok(Turn { version: version.unsigned_abs() + 1, known_at_us })
}
