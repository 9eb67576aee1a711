//! Writing to the register: persons with their numbers, assertions, record and change event, all in one
//! transaction with the version that holds them.

use model::{
    Assertion, GoldenRecord, Identifier, PersonalNumber, Provenance, Value as ItemValue, fold,
};
use serde::Serialize;
use server::runtime::Entropy;
use store::{Sql, Transaction, Value};

use super::{RegisterStore, field, only, stored};
use crate::{
    Error,
    domain::apply::{Application, NUMBER_ITEM, NumberParts, Outcome, REGISTER, Reason, Rejection},
};

/// Writers take their turn here; the version they take is theirs alone.
const LOCK: Sql = Sql {
    sqlite: "SELECT version FROM register WHERE id = 1",
    postgres: "SELECT version FROM register WHERE id = 1 FOR UPDATE",
};
const ADVANCE: Sql = Sql {
    sqlite: "UPDATE register SET version = ? WHERE id = 1",
    postgres: "UPDATE register SET version = $1 WHERE id = 1",
};
const APPLICATION: Sql = Sql {
    sqlite: "SELECT digest, outcome FROM application WHERE contribution_id = ?",
    postgres: "SELECT digest, outcome FROM application WHERE contribution_id = $1",
};
const KEEP_APPLICATION: Sql = Sql {
    sqlite: "INSERT INTO application (contribution_id, digest, outcome) VALUES (?, ?, ?)",
    postgres: "INSERT INTO application (contribution_id, digest, outcome) VALUES ($1, $2, $3)",
};
const ENTRY: Sql = Sql {
    sqlite: "SELECT 1 FROM source_entry WHERE source = ? AND entry = ?",
    postgres: "SELECT 1 FROM source_entry WHERE source = $1 AND entry = $2",
};
const KEEP_ENTRY: Sql = Sql {
    sqlite: "INSERT INTO source_entry (source, entry, person_id) VALUES (?, ?, ?)",
    postgres: "INSERT INTO source_entry (source, entry, person_id) VALUES ($1, $2, $3)",
};
const TAKEN: Sql = Sql {
    sqlite: "SELECT 1 FROM identifier WHERE value = ?",
    postgres: "SELECT 1 FROM identifier WHERE value = $1",
};
const PERSONS: Sql = Sql {
    sqlite: "INSERT INTO person (person_id, protected, version, record) \
             SELECT value ->> 'person_id', value ->> 'protected', value ->> 'version', value ->> 'record' \
             FROM json_each(?)",
    postgres: "INSERT INTO person (person_id, protected, version, record) \
               SELECT person_id, protected, version, record FROM jsonb_to_recordset($1::text::jsonb) \
               AS t (person_id text, protected boolean, version bigint, record text)",
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
             (person_id, item, value, source, contribution_id, valid_from, known_at_us, version) \
             SELECT value ->> 'person_id', value ->> 'item', value ->> 'value', value ->> 'source', \
             value ->> 'contribution_id', value ->> 'valid_from', value ->> 'known_at_us', \
             value ->> 'version' FROM json_each(?)",
    postgres: "INSERT INTO assertion \
               (person_id, item, value, source, contribution_id, valid_from, known_at_us, version) \
               SELECT person_id, item, value, source, contribution_id, valid_from, known_at_us, version \
               FROM jsonb_to_recordset($1::text::jsonb) AS t (person_id text, item text, value text, \
               source text, contribution_id text, valid_from text, known_at_us bigint, version bigint)",
};
const CHANGES: Sql = Sql {
    sqlite: "INSERT INTO change (version, person_id, items, known_at_us) \
             SELECT value ->> 'version', value ->> 'person_id', value ->> 'items', value ->> 'known_at_us' \
             FROM json_each(?)",
    postgres: "INSERT INTO change (version, person_id, items, known_at_us) \
               SELECT version, person_id, items, known_at_us FROM jsonb_to_recordset($1::text::jsonb) \
               AS t (version bigint, person_id text, items text, known_at_us bigint)",
};

/// How often a number is drawn before the register gives up: of the million numbers of a prefix, sex and
/// year, nearly all would have to be taken.
const DRAWS_MAX: usize = 200;

/// Why a contribution cannot be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The id was applied with another digest.
    #[error("the contribution id was used with other bytes")]
    KeyReused([u8; 32]),
    /// No free number was found.
    #[error("no number of this prefix, sex and year is left")]
    NumbersSpent,
    /// The register cannot be used.
    #[error(transparent)]
    Register(#[from] Error),
}

impl From<store::Error> for ApplyError {
    fn from(error: store::Error) -> Self {
        Self::Register(error.into())
    }
}

impl From<serde_json::Error> for ApplyError {
    fn from(error: serde_json::Error) -> Self {
        Self::Register(error.into())
    }
}

impl RegisterStore {
    /// Applies a contribution, in one transaction: the same id with the same digest gives the outcome it
    /// had before, the number is drawn where nobody else can draw, and whatever becomes of it is kept.
    /// `checked` is what the checks that need no register say.
    pub(crate) async fn apply(
        &self,
        application: Application,
        checked: Result<NumberParts, Vec<Rejection>>,
        known_at_us: i64,
        entropy: Entropy,
    ) -> Result<Outcome, ApplyError> {
        self.store
            .write("apply contribution", move |tx| {
                Box::pin(async move {
                    let version: i64 = only(&tx.query(&LOCK, Vec::new()).await?)?;
                    if let Some(before) = before(tx, &application).await? {
                        return Ok(before);
                    }
                    let entry =
                        vec![application.source.clone().into(), application.entry.clone().into()];
                    let checked = if tx.query(&ENTRY, entry).await?.is_empty() {
                        checked
                    } else {
                        let reason = Reason::AlreadyRegistered;
                        Err(vec![Rejection { item: String::new(), reason }])
                    };
                    let version = version.unsigned_abs() + 1;
                    let outcome = match checked {
                        Err(reasons) => Outcome::Rejected(reasons),
                        Ok(_) if application.dry_run => Outcome::Applied {
                            version: 0,
                            number: None,
                            person_id: None,
                            known_at_us,
                        },
                        Ok(parts) => {
                            let number = draw(tx, &parts, &entropy).await?;
                            born(tx, &application, number, version, known_at_us, &entropy).await?
                        }
                    };
                    if !application.dry_run {
                        let kept = serde_json::to_string(&outcome)?;
                        let id = application.contribution_id.into();
                        let digest = application.digest.to_vec().into();
                        tx.execute(&KEEP_APPLICATION, vec![id, digest, kept.into()]).await?;
                    }
                    Ok(outcome)
                })
            })
            .await
    }
}

/// What became of the same contribution before.
async fn before(
    tx: &Transaction,
    application: &Application,
) -> Result<Option<Outcome>, ApplyError> {
    let id = Value::from(application.contribution_id.clone());
    let rows = tx.query(&APPLICATION, vec![id]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (digest, outcome): (Vec<u8>, String) = (field(row, 0)?, field(row, 1)?);
    if digest != application.digest {
        return Err(ApplyError::KeyReused(digest.try_into().unwrap_or_default()));
    }
    Ok(Some(serde_json::from_str(&outcome)?))
}

/// A number that nobody has or had. Six random digits from a cryptographic source: nothing about the
/// next number follows from the last.
async fn draw(
    tx: &Transaction,
    parts: &NumberParts,
    entropy: &Entropy,
) -> Result<PersonalNumber, ApplyError> {
    const NUMBERS: u32 = 1_000_000;
    // The largest multiple of a million below 2^32: what lies above would make small numbers likelier.
    const FAIR: u32 = u32::MAX / NUMBERS * NUMBERS;
    for _ in 0..DRAWS_MAX {
        let random = u32::from_le_bytes(entropy.array());
        if random >= FAIR {
            continue;
        }
        let number = PersonalNumber::compose(parts.prefix, parts.sex, parts.year, random % NUMBERS)
            .map_err(|_| ApplyError::NumbersSpent)?;
        if tx.query(&TAKEN, vec![number.as_str().into()]).await?.is_empty() {
            return Ok(number);
        }
    }
    Err(ApplyError::NumbersSpent)
}

/// Enters the person of a birth.
async fn born(
    tx: &Transaction,
    application: &Application,
    number: PersonalNumber,
    version: u64,
    known_at_us: i64,
    entropy: &Entropy,
) -> Result<Outcome, ApplyError> {
    let person_id = entropy.id();
    let assert = |item: &str, value: ItemValue, source: &str, valid_from| Assertion {
        person_id: person_id.clone(),
        item: item.to_owned(),
        value,
        provenance: Provenance {
            source: source.to_owned(),
            contribution_id: application.contribution_id.clone(),
            valid_from,
            known_at_us,
        },
        version,
    };
    let mut assertions: Vec<Assertion> = application
        .said
        .iter()
        .map(|said| assert(&said.item, said.value.clone(), &application.source, said.valid_from))
        .collect();
    let identifier = Identifier::PersonalNumber(number.clone());
    assertions.push(assert(NUMBER_ITEM, ItemValue::Identifier(identifier.clone()), REGISTER, None));
    let person = Entered::new(person_id.clone(), false, vec![identifier], assertions, version);
    enter(tx, &[person], version).await?;
    let (source, entry) = (application.source.clone(), application.entry.clone());
    tx.execute(&KEEP_ENTRY, vec![source.into(), entry.into(), person_id.clone().into()]).await?;
    Ok(Outcome::Applied { version, number: Some(number), person_id: Some(person_id), known_at_us })
}

/// A person to be written.
pub(crate) struct Entered {
    identifiers: Vec<Identifier>,
    assertions: Vec<Assertion>,
    record: GoldenRecord,
    version: u64,
}

impl Entered {
    /// A person with its numbers, and its record folded from what is asserted.
    pub(crate) fn new(
        person_id: String,
        protected: bool,
        identifiers: Vec<Identifier>,
        assertions: Vec<Assertion>,
        version: u64,
    ) -> Self {
        let record = fold(&person_id, protected, &assertions);
        Self { identifiers, assertions, record, version }
    }
}

#[derive(Serialize)]
struct PersonRow<'a> {
    person_id: &'a str,
    protected: bool,
    version: u64,
    record: String,
}

#[derive(Serialize)]
struct IdentifierRow<'a> {
    value: &'a str,
    kind: &'static str,
    person_id: &'a str,
}

#[derive(Serialize)]
struct AssertionRow<'a> {
    person_id: &'a str,
    item: &'a str,
    value: String,
    source: &'a str,
    contribution_id: &'a str,
    valid_from: Option<String>,
    known_at_us: i64,
    version: u64,
}

#[derive(Serialize)]
struct ChangeRow<'a> {
    version: u64,
    person_id: &'a str,
    items: String,
    known_at_us: i64,
}

/// Writes persons and moves the register to `version`.
pub(crate) async fn enter(
    tx: &Transaction,
    persons: &[Entered],
    version: u64,
) -> Result<(), Error> {
    let (mut people, mut identifiers) = (Vec::new(), Vec::new());
    let (mut assertions, mut changes) = (Vec::new(), Vec::new());
    for person in persons {
        let person_id = person.record.person_id.as_str();
        let (version, record) = (person.version, serde_json::to_string(&person.record)?);
        people.push(PersonRow { person_id, protected: person.record.protected, version, record });
        for number in &person.identifiers {
            let kind = match number.kind() {
                model::IdentifierKind::PersonalNumber => "personal_number",
                model::IdentifierKind::OldNumber9 => "old_number_9",
            };
            identifiers.push(IdentifierRow { value: number.as_str(), kind, person_id });
        }
        for assertion in &person.assertions {
            let origin = &assertion.provenance;
            let valid_from = origin.valid_from.as_ref().map(serde_json::to_string).transpose()?;
            assertions.push(AssertionRow {
                person_id,
                item: &assertion.item,
                value: serde_json::to_string(&assertion.value)?,
                source: &origin.source,
                contribution_id: &origin.contribution_id,
                valid_from,
                known_at_us: origin.known_at_us,
                version: assertion.version,
            });
        }
        let items: Vec<&String> = person.record.items.keys().collect();
        let known = person.assertions.iter().map(|a| a.provenance.known_at_us).max();
        let (items, known_at_us) = (serde_json::to_string(&items)?, known.unwrap_or_default());
        changes.push(ChangeRow { version, person_id, items, known_at_us });
    }
    tx.execute(&PERSONS, vec![serde_json::to_string(&people)?.into()]).await?;
    tx.execute(&IDENTIFIERS, vec![serde_json::to_string(&identifiers)?.into()]).await?;
    tx.execute(&ASSERTIONS, vec![serde_json::to_string(&assertions)?.into()]).await?;
    tx.execute(&CHANGES, vec![serde_json::to_string(&changes)?.into()]).await?;
    tx.execute(&ADVANCE, vec![stored(version).into()]).await?;
    Ok(())
}

/// The version that the next writer takes, while nobody else can take it.
pub(crate) async fn lock(tx: &Transaction) -> Result<u64, store::Error> {
    let version: i64 = only(&tx.query(&LOCK, Vec::new()).await?)?;
    Ok(version.unsigned_abs() + 1)
}
