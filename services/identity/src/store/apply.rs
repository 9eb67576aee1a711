//! Applying contributions: each once, in one transaction.
//!
//! | module | job |
//! |---|---|
//! | `birth` | enters a child, with a number |
//! | `known` | adds to persons of the register |
//! | `annul` | makes a contribution count as never made |
//! | `decide` | decides between what two sources say |
//! | `merge` | makes two records one, and two of one |
//! | `touched` | which records look otherwise then |

pub(super) mod annul;
pub(super) mod birth;
mod decide;
pub(super) mod known;
mod merge;
pub(super) mod touched;

use model::{
    Assertion, AuthorityInForce, PartialDate, PersonalNumber, Provenance, Said, Says,
    Value as ItemValue,
};
use server::runtime::Entropy;
use store::{Sql, Transaction, Value};
use time::Date;

use super::{
    RegisterStore,
    enter::{Turn, lock},
    field,
};
use crate::{
    Error,
    domain::apply::{Application, Disputes, Outcome, Reason, Rejection, Target, check_birth},
};

pub(super) const RECORD: Sql = Sql {
    sqlite: "SELECT record FROM person WHERE person_id = ?",
    postgres: "SELECT record FROM person WHERE person_id = $1",
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
    sqlite: "SELECT 1 FROM source_entry WHERE source = ?1 AND entry = ?2 UNION ALL \
             SELECT 1 FROM contributed_entry WHERE source = ?1 AND entry = ?2 AND NOT annulled",
    postgres: "SELECT 1 FROM source_entry WHERE source = $1 AND entry = $2 UNION ALL \
               SELECT 1 FROM contributed_entry WHERE source = $1 AND entry = $2 AND NOT annulled",
};
const KEEP_ENTRY: Sql = Sql {
    sqlite: "INSERT INTO contributed_entry (contribution_id, source, entry) VALUES (?, ?, ?)",
    postgres: "INSERT INTO contributed_entry (contribution_id, source, entry) VALUES ($1, $2, $3)",
};

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
                    let work = Work { tx, application: &application, turn, today, rules, entropy };
                    let outcome = if work.entry_is_known().await? {
                        rejected(Reason::AlreadyRegistered)
                    } else {
                        match &application.target {
                            Target::New { prefix } => {
                                let checked = check_birth(&application, prefix, synthetic, today);
                                work.enter(checked).await?
                            }
                            Target::Known { subject, claims, corrects } => {
                                let first =
                                    known::About { subject, claims, said: &application.said };
                                work.amend(first, *corrects).await?
                            }
                            Target::Merged { subject, claims } => {
                                work.merge(subject, claims).await?
                            }
                            Target::Split { subject, claims, restored } => {
                                work.split(subject, claims, restored).await?
                            }
                            Target::Earlier { contribution_id } => {
                                work.annul(contribution_id).await?
                            }
                            Target::Decided(decided) => work.decide(decided).await?,
                            // Kept like any other outcome, so that it is not applied later (I4).
                            Target::Withdrawn => rejected(Reason::Withdrawn),
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
    Outcome::rejected(vec![Rejection::of("", reason)])
}

/// What the source and its neighbours are told of what was applied.
#[derive(Default)]
struct Told {
    /// Items of which a source with more authority says what is held.
    outranked: Vec<String>,
    /// Which sources disagree, and which do not any more.
    disputes: Disputes,
}

/// One application under way.
struct Work<'a> {
    tx: &'a Transaction,
    application: &'a Application,
    turn: Turn,
    today: Date,
    rules: AuthorityInForce,
    entropy: Entropy,
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

    async fn keep_entry(&self) -> Result<(), ApplyError> {
        let Application { contribution_id, source, entry, .. } = self.application;
        if !entry.is_empty() {
            let id = contribution_id.clone().into();
            let values = vec![id, source.clone().into(), entry.clone().into()];
            self.tx.execute(&KEEP_ENTRY, values).await?;
        }
        Ok(())
    }

    /// Something that the source says of a person, as an assertion of a version.
    fn assertion(
        &self,
        person_id: &str,
        said: Said,
        value: ItemValue,
        says: Says,
        version: u64,
    ) -> Assertion {
        Assertion {
            person_id: person_id.to_owned(),
            item: said.item,
            value,
            provenance: self.provenance(said.valid_from),
            version,
            says,
            event: self.application.event,
        }
    }

    fn provenance(&self, valid_from: Option<PartialDate>) -> Provenance {
        let Application { contribution_id, source, .. } = self.application;
        Provenance {
            source: source.clone(),
            contribution_id: contribution_id.clone(),
            valid_from,
            known_at_us: self.turn.known_at_us,
        }
    }

    /// The version of the register that holds what is said of a person: of several persons each has its own.
    fn version_of(&self, place: usize) -> u64 {
        self.turn.version + place as u64
    }

    /// That it was applied to persons, the one that the contribution is about first, in so many versions.
    fn applied(
        &self,
        number: Option<PersonalNumber>,
        persons: Vec<String>,
        Told { outranked, disputes }: Told,
        versions: usize,
    ) -> Outcome {
        let known_at_us = self.turn.known_at_us;
        if self.application.dry_run {
            let (version, person_id, further) = (0, None, Vec::new());
            return Outcome::Applied {
                version,
                number: None,
                person_id,
                further,
                known_at_us,
                outranked,
                disputes: Disputes::default(),
            };
        }
        let version = self.version_of(versions.saturating_sub(1));
        let mut further = persons;
        let person_id = (!further.is_empty()).then(|| further.remove(0));
        Outcome::Applied { version, number, person_id, further, known_at_us, outranked, disputes }
    }

    /// Everything that was ever said of persons, and of everybody with whom they were ever said to be one.
    async fn said_of<T: AsRef<str>>(&self, persons: &[T]) -> Result<Vec<Assertion>, ApplyError> {
        let ids: Vec<&str> = persons.iter().map(AsRef::as_ref).collect();
        let ids = Value::from(serde_json::to_string(&ids)?);
        let rows = self.tx.query(&super::ASSERTIONS_OF, vec![ids]).await?;
        Ok(super::assertions(&rows)?)
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
