//! Applying contributions: each once, in one transaction.

use std::collections::BTreeSet;

use model::{
    Assertion, AuthorityInForce, Claims, Identifier, PersonalNumber, Provenance, Says, Standing,
    Subject, Value as ItemValue, explain, fold,
};
use server::runtime::Entropy;
use store::{Sql, Transaction, Value};
use time::Date;

use super::{
    RegisterStore,
    enter::{Entered, Turn, amend, enter, lock},
    field,
};
use crate::{
    Error,
    domain::apply::{
        Application, NUMBER_ITEM, NumberParts, Outcome, REGISTER, Reason, Rejection, Target,
        check_annulment, check_birth, check_known, found, numbers_gone,
    },
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
const BEARER: Sql = Sql {
    sqlite: "SELECT p.record FROM identifier i JOIN person p ON p.person_id = i.person_id \
             WHERE i.state = 'active' AND i.value = ?",
    postgres: "SELECT p.record FROM identifier i JOIN person p ON p.person_id = i.person_id \
               WHERE i.state = 'active' AND i.value = $1",
};
const RECORD: Sql = Sql {
    sqlite: "SELECT record FROM person WHERE person_id = ?",
    postgres: "SELECT record FROM person WHERE person_id = $1",
};
const NUMBER_STATE: Sql = Sql {
    sqlite: "UPDATE identifier SET state = ? WHERE value = ?",
    postgres: "UPDATE identifier SET state = $1 WHERE value = $2",
};
const TAKEN: Sql = Sql {
    sqlite: "SELECT 1 FROM identifier WHERE value = ?",
    postgres: "SELECT 1 FROM identifier WHERE value = $1",
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
    /// had before, the number is drawn where nobody else can draw, and whatever becomes of it is kept. Also
    /// says whether it was applied now, and not before.
    pub(crate) async fn apply(
        &self,
        application: Application,
        today: Date,
        now_us: i64,
        entropy: Entropy,
    ) -> Result<(Outcome, bool), ApplyError> {
        let (synthetic, rules) = (self.synthetic(), self.rules(today));
        self.keep_rules(&rules).await?;
        self.store
            .write("apply contribution", move |tx| {
                Box::pin(async move {
                    let turn = lock(tx, now_us).await?;
                    if let Some(before) = before(tx, &application).await? {
                        return Ok((before, false));
                    }
                    let work = Work { tx, application: &application, turn, today, rules };
                    let outcome = if work.entry_is_known().await? {
                        rejected(Reason::AlreadyRegistered)
                    } else {
                        match &application.target {
                            Target::New { prefix } => {
                                let checked = check_birth(&application, prefix, synthetic, today);
                                work.enter(checked, &entropy).await?
                            }
                            Target::Known { subject, claims, corrects } => {
                                work.amend(subject, claims, *corrects).await?
                            }
                            Target::Earlier { contribution_id } => {
                                work.annul(contribution_id).await?
                            }
                        }
                    };
                    if !application.dry_run {
                        let kept = serde_json::to_string(&outcome)?;
                        let id = application.contribution_id.into();
                        let digest = application.digest.to_vec().into();
                        tx.execute(&KEEP_APPLICATION, vec![id, digest, kept.into()]).await?;
                    }
                    Ok((outcome, true))
                })
            })
            .await
    }
}

fn rejected(reason: Reason) -> Outcome {
    Outcome::rejected(vec![Rejection { item: String::new(), reason }])
}

/// One application under way.
struct Work<'a> {
    tx: &'a Transaction,
    application: &'a Application,
    turn: Turn,
    today: Date,
    rules: AuthorityInForce,
}

impl Work<'_> {
    /// Whether the source's entry was applied before, under whatever key.
    async fn entry_is_known(&self) -> Result<bool, ApplyError> {
        let Application { source, entry, .. } = self.application;
        if entry.is_empty() {
            return Ok(false);
        }
        let values = vec![source.clone().into(), entry.clone().into()];
        Ok(!self.tx.query(&ENTRY, values).await?.is_empty())
    }

    async fn keep_entry(&self, person_id: &str) -> Result<(), ApplyError> {
        let Application { source, entry, .. } = self.application;
        if !entry.is_empty() {
            let values = vec![source.clone().into(), entry.clone().into(), person_id.into()];
            self.tx.execute(&KEEP_ENTRY, values).await?;
        }
        Ok(())
    }

    /// What the source says, as assertions about a person.
    fn assertions(&self, person_id: &str) -> Vec<Assertion> {
        let Application { contribution_id, source, said, .. } = self.application;
        let one = |said: &crate::domain::apply::Said| Assertion {
            person_id: person_id.to_owned(),
            item: said.item.clone(),
            value: said.value.clone(),
            provenance: Provenance {
                source: source.clone(),
                contribution_id: contribution_id.clone(),
                valid_from: said.valid_from,
                known_at_us: self.turn.known_at_us,
            },
            version: self.turn.version,
            says: Says::Holds,
        };
        said.iter().map(one).collect()
    }

    fn applied(
        &self,
        number: Option<PersonalNumber>,
        person_id: Option<String>,
        outranked: Vec<String>,
    ) -> Outcome {
        let version = if self.application.dry_run { 0 } else { self.turn.version };
        let known_at_us = self.turn.known_at_us;
        Outcome::Applied { version, number, person_id, known_at_us, outranked }
    }

    /// Enters the person of a birth, with a number that nobody has or had.
    async fn enter(
        &self,
        checked: Result<NumberParts, Vec<Rejection>>,
        entropy: &Entropy,
    ) -> Result<Outcome, ApplyError> {
        let parts = match checked {
            Err(reasons) => return Ok(Outcome::rejected(reasons)),
            Ok(_) if self.application.dry_run => return Ok(self.applied(None, None, Vec::new())),
            Ok(parts) => parts,
        };
        let Some(number) = draw(self.tx, &parts, entropy).await? else {
            return Ok(rejected(Reason::NumbersSpent));
        };
        let person_id = entropy.id();
        let identifier = Identifier::PersonalNumber(number.clone());
        let mut assertions = self.assertions(&person_id);
        assertions.push(Assertion {
            person_id: person_id.clone(),
            item: NUMBER_ITEM.to_owned(),
            value: ItemValue::Identifier(identifier.clone()),
            provenance: Provenance {
                source: REGISTER.to_owned(),
                contribution_id: self.application.contribution_id.clone(),
                valid_from: None,
                known_at_us: self.turn.known_at_us,
            },
            version: self.turn.version,
            says: Says::Holds,
        });
        let numbers = vec![identifier];
        let version = self.turn.version;
        let id = person_id.clone();
        let person = Entered::new(id, false, numbers, assertions, version, &self.rules);
        enter(self.tx, &[person], self.turn).await?;
        self.keep_entry(&person_id).await?;
        Ok(self.applied(Some(number), Some(person_id), Vec::new()))
    }

    /// Adds to a person of the register what the source says. The record is folded anew from everything
    /// that was ever said (I5).
    async fn amend(
        &self,
        subject: &Subject,
        claims: &Claims,
        corrects: bool,
    ) -> Result<Outcome, ApplyError> {
        let rows = self.tx.query(&BEARER, vec![subject.digits().into()]).await?;
        let text: Option<String> = rows.first().map(|row| field(row, 0)).transpose()?;
        let held = text.map(|text| super::record(&text)).transpose()?;
        let record = match found(held, claims) {
            Ok(record) => record,
            Err(rejected) => return Ok(rejected),
        };
        let person_id = record.person_id.clone();
        let mut all = self.said_of(&person_id).await?;
        if let Err(rejected) =
            check_known(self.application, &record, &all, corrects, &self.rules, self.today)
        {
            return Ok(rejected);
        }
        let new = self.assertions(&person_id);
        all.extend(new.iter().cloned());
        let outranked = outranked(&person_id, &new, &all, &self.rules);
        if self.application.dry_run {
            return Ok(self.applied(None, None, outranked));
        }
        let folded = fold(&person_id, record.protected, &all, &self.rules);
        let amended = Entered::amended(&record, folded, new, self.turn.version, &self.rules);
        amend(self.tx, &[amended], self.turn).await?;
        self.keep_entry(&person_id).await?;
        Ok(self.applied(None, Some(person_id), outranked))
    }

    /// Annuls what an earlier contribution of the same source said (I5): the record is folded anew as if it had never been
    /// said. The person's numbers follow: one that is not held any more is cancelled, and one that is held again counts
    /// again (Decree 70/2024/ND-CP, Art. 11). Who the person is, its source has known since it contributed: so it is told
    /// nothing new of one who is protected (I7).
    async fn annul(&self, earlier: &str) -> Result<Outcome, ApplyError> {
        let Some(person_id) = self.person_of(earlier).await? else {
            return Ok(rejected(Reason::NothingToAnnul));
        };
        let rows = self.tx.query(&RECORD, vec![person_id.clone().into()]).await?;
        let record = super::record(&field::<String>(rows.first().ok_or(store::Error::NoRow)?, 0)?)?;
        let mut all = self.said_of(&person_id).await?;
        if let Err(reasons) = check_annulment(self.application, &record, &all, earlier) {
            return Ok(Outcome::Rejected { reasons, ending: None, person_id: Some(person_id) });
        }
        let new = Assertion {
            person_id: person_id.clone(),
            item: String::new(),
            value: ItemValue::Text(earlier.to_owned()),
            provenance: Provenance {
                source: self.application.source.clone(),
                contribution_id: self.application.contribution_id.clone(),
                valid_from: None,
                known_at_us: self.turn.known_at_us,
            },
            version: self.turn.version,
            says: Says::Annuls,
        };
        if self.application.dry_run {
            return Ok(self.applied(None, None, Vec::new()));
        }
        all.push(new.clone());
        let folded = fold(&person_id, record.protected, &all, &self.rules);
        let (lost, won) = (numbers_gone(&record, &folded), numbers_gone(&folded, &record));
        for (numbers, state) in [(lost, "cancelled"), (won, "active")] {
            for number in numbers {
                self.tx.execute(&NUMBER_STATE, vec![state.into(), number.into()]).await?;
            }
        }
        let amended = Entered::amended(&record, folded, vec![new], self.turn.version, &self.rules);
        amend(self.tx, &[amended], self.turn).await?;
        Ok(self.applied(None, Some(person_id), Vec::new()))
    }

    /// Whom a contribution that was applied was about.
    async fn person_of(&self, contribution_id: &str) -> Result<Option<String>, ApplyError> {
        let rows = self.tx.query(&APPLICATION, vec![contribution_id.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        match serde_json::from_str(&field::<String>(row, 1)?)? {
            Outcome::Applied { person_id, .. } => Ok(person_id),
            Outcome::Rejected { .. } => Ok(None),
        }
    }

    /// Everything that was ever said of a person.
    async fn said_of(&self, person_id: &str) -> Result<Vec<Assertion>, ApplyError> {
        let ids = Value::from(serde_json::to_string(&[person_id])?);
        let rows = self.tx.query(&super::ASSERTIONS_OF, vec![ids]).await?;
        Ok(super::assertions(&rows)?)
    }
}

/// The items of which what is said now is not what is held, because a source with more authority says it.
fn outranked(
    person_id: &str,
    new: &[Assertion],
    all: &[Assertion],
    rules: &AuthorityInForce,
) -> Vec<String> {
    let items: BTreeSet<&str> = new.iter().map(|said| said.item.as_str()).collect();
    let lost = |item: &&str| {
        explain(person_id, item, all, rules)
            .into_iter()
            .flatten()
            .any(|(said, standing)| standing == Standing::Outranked && new.contains(said))
    };
    items.into_iter().filter(lost).map(str::to_owned).collect()
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

/// A number that nobody has or had; none when none is left. Six random digits from a cryptographic source: nothing about the
/// next number follows from the last.
async fn draw(
    tx: &Transaction,
    parts: &NumberParts,
    entropy: &Entropy,
) -> Result<Option<PersonalNumber>, ApplyError> {
    const NUMBERS: u32 = 1_000_000;
    // The largest multiple of a million below 2^32: what lies above would make small numbers likelier.
    const FAIR: u32 = u32::MAX / NUMBERS * NUMBERS;
    for _ in 0..DRAWS_MAX {
        let random = u32::from_le_bytes(entropy.array());
        if random >= FAIR {
            continue;
        }
        let random = random % NUMBERS;
        let Ok(number) = PersonalNumber::compose(parts.prefix, parts.sex, parts.year, random)
        else {
            return Ok(None);
        };
        if tx.query(&TAKEN, vec![number.as_str().into()]).await?.is_empty() {
            return Ok(Some(number));
        }
    }
    Ok(None)
}
