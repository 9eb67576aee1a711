//! The use cases: receive a contribution, bring it to its outcome, keep what was answered.
//!
//! | module | job |
//! |---|---|
//! | `conflict` | conflicts between sources: read, handed over, lapsed |
//! | `outcome` | what became of contributions; taking one back |
//! | `quality` | how good the values are |

mod conflict;
mod outcome;
mod quality;

pub(crate) use conflict::Sides;

use std::{collections::HashSet, time::Duration};

use server::{
    Deadline,
    runtime::{Clock, Entropy},
};

use wire::event::Target;

use crate::{
    Error,
    client::{Named, NotApplied, RegisterClient},
    domain::{Application, Outcome, conflict::State},
    store::{Kept, Submission, Submissions, conflict::Settled},
};

/// How long the worker waits for the register.
const REPEAT_DEADLINE: Duration = Duration::from_secs(10);

/// Why a contribution has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoOutcome {
    /// The key was used with other bytes, whose digest this is.
    KeyReused([u8; 32]),
    /// Our database or the register did not answer. What was stored will be applied.
    Away,
    /// Too many persons were not found; the next try is due after so many seconds.
    BudgetSpent(u64),
    /// The deadline passed first. What was stored will be applied.
    Late,
    /// The register recorded nothing, so it gave nothing out.
    AuditAway,
}

/// What came of sending unfinished submissions to the register again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repeated {
    /// They have an outcome now.
    pub finished: usize,
    /// The register did not answer.
    pub left: usize,
}

/// The use cases over the submissions.
pub(crate) struct App {
    store: Submissions,
    register: RegisterClient,
    pub(crate) clock: Clock,
    entropy: Entropy,
    /// How long the owner of a conflict has to act, microseconds.
    conflict_us: i64,
    /// Within how many days a value has to be received to be timely.
    pub(crate) timely_days: u32,
}

impl App {
    pub(crate) fn new(
        store: Submissions,
        register: RegisterClient,
        clock: Clock,
        entropy: Entropy,
        conflict_us: i64,
        timely_days: u32,
    ) -> Self {
        Self { store, register, clock, entropy, conflict_us, timely_days }
    }

    /// Stores a contribution, or finds the one that was stored under its key.
    pub(crate) async fn receive(
        &self,
        deadline: Deadline,
        connection: &str,
        key: &str,
        digest: [u8; 32],
        application: Application,
    ) -> Result<Submission, NoOutcome> {
        let store = self.store.until(deadline.at());
        let known = store.by_key(connection, key).await.map_err(|error| away(&error))?;
        let stored = match known {
            Some(known) => known,
            None => {
                let new = Submission {
                    contribution_id: self.entropy.id(),
                    digest,
                    application,
                    received_at_us: self.clock.now_us(),
                    outcome: None,
                    kept: None,
                };
                let received = store.receive(connection.to_owned(), key.to_owned(), new);
                received.await.map_err(|error| away(&error))?
            }
        };
        if stored.digest == digest { Ok(stored) } else { Err(NoOutcome::KeyReused(stored.digest)) }
    }

    /// Brings a stored contribution to its outcome. The register applies a contribution once, so this may
    /// be done by the sender's call and by the worker at the same time (I4).
    pub(crate) async fn finish(
        &self,
        deadline: Deadline,
        submission: &Submission,
    ) -> Result<Outcome, NoOutcome> {
        if let Some(outcome) = &submission.outcome {
            return Ok(outcome.clone());
        }
        let named = self.named(&submission.application).await?;
        self.settle(deadline, submission, &named).await
    }

    /// Has the register apply a contribution, or not apply it any more, and stores what became of it.
    async fn settle(
        &self,
        deadline: Deadline,
        submission: &Submission,
        named: &Named,
    ) -> Result<Outcome, NoOutcome> {
        let Submission { contribution_id: id, application, digest, .. } = submission;
        let applied = self.register.apply(deadline, id, digest, application, named, false);
        let outcome = applied.await.map_err(not_applied)?;
        let decided = match &application.target {
            Target::Decided { conflict, accepted, reason, .. } => {
                let state = if *accepted { State::Accepted } else { State::Rejected };
                Some((conflict.clone(), state, reason.clone()))
            }
            Target::New { .. }
            | Target::Known { .. }
            | Target::Affected { .. }
            | Target::Merged { .. }
            | Target::Split { .. }
            | Target::Earlier { .. } => None,
        };
        let settled = Settled {
            id: id.clone(),
            outcome: outcome.clone(),
            decided,
            now_us: self.clock.now_us(),
            owner_time_us: self.conflict_us,
        };
        let stored = self.store.settle(settled, self.entropy.clone()).await;
        stored.map_err(|error| away(&error))?;
        Ok(outcome)
    }

    /// Asks the register what would become of a contribution, and changes nothing.
    pub(crate) async fn try_out(
        &self,
        deadline: Deadline,
        digest: &[u8; 32],
        application: &Application,
    ) -> Result<Outcome, NoOutcome> {
        let id = self.entropy.id();
        let named = self.named(application).await?;
        let tried = self.register.apply(deadline, &id, digest, application, &named, true).await;
        tried.map_err(not_applied)
    }

    /// What an application names: the contribution that is annulled, if the source made one under that key and named all of
    /// its items, because for these alone it was decided that the source may; the conflict, if it is about that item and the
    /// source has it to decide. Whether the register holds it so, the register knows.
    async fn named(&self, application: &Application) -> Result<Named, NoOutcome> {
        match &application.target {
            Target::Earlier { key, items } => {
                let known = self.store.by_key(&application.connection, key).await;
                let known = known.map_err(|error| away(&error))?;
                let named = |known: &Submission| {
                    known.application.items().iter().all(|i| items.contains(i))
                };
                Ok(Named::Earlier(known.filter(named).map(|known| known.contribution_id)))
            }
            Target::Decided { conflict, item, .. } => {
                let found = self.store.conflict(conflict).await.map_err(|error| away(&error))?;
                let decides = found.filter(|found| {
                    found.about.item == *item && found.is_decided_by(&application.source)
                });
                Ok(Named::Conflict(decides.map(|found| found.about)))
            }
            Target::New { .. }
            | Target::Known { .. }
            | Target::Affected { .. }
            | Target::Merged { .. }
            | Target::Split { .. } => Ok(Named::Nothing),
        }
    }

    /// Stores what the source is answered, and gives what is stored: the first answer stands.
    pub(crate) async fn keep(&self, id: &str, kept: Kept) -> Result<Kept, NoOutcome> {
        self.store.keep(id.to_owned(), kept).await.map_err(|error| away(&error))
    }

    /// Sends submissions without an outcome to the register again: those that nobody can be waiting for any
    /// more. A connection whose budget is spent is left alone until the next time.
    pub(crate) async fn repeat_unfinished(&self, older: Duration) -> Result<Repeated, Error> {
        let older = i64::try_from(older.as_micros()).unwrap_or(i64::MAX);
        let until_us = self.clock.now_us().saturating_sub(older);
        let (mut from_us, mut repeated) = (i64::MIN, Repeated::default());
        let mut spent = HashSet::new();
        loop {
            let Some((last_us, unfinished)) = self.store.unfinished(from_us, until_us).await?
            else {
                return Ok(repeated);
            };
            // What is received at the same moment as the last is looked at again next time.
            from_us = last_us.saturating_add(1);
            for submission in &unfinished {
                let connection = &submission.application.connection;
                if spent.contains(connection) {
                    repeated.left += 1;
                    continue;
                }
                let deadline = Deadline::after(REPEAT_DEADLINE);
                match self.finish(deadline, submission).await {
                    Ok(_) => repeated.finished += 1,
                    Err(error) => {
                        repeated.left += 1;
                        if matches!(error, NoOutcome::BudgetSpent(_)) {
                            spent.insert(connection.clone());
                        }
                    }
                }
            }
        }
    }

    /// Whether the database answers.
    pub(crate) async fn answers(&self) -> bool {
        self.store.answers().await
    }

    pub(crate) async fn close(&self) {
        self.store.close().await;
    }
}

fn away(error: &Error) -> NoOutcome {
    let kind = if let Error::Store(error) = error { error.driver_kind() } else { "stored" };
    tracing::error!(kind, "the submissions could not be used");
    NoOutcome::Away
}

fn not_applied(error: NotApplied) -> NoOutcome {
    match error {
        NotApplied::KeyReused(first) => NoOutcome::KeyReused(first),
        NotApplied::AuditAway => NoOutcome::AuditAway,
        NotApplied::BudgetSpent(after) => NoOutcome::BudgetSpent(after),
        NotApplied::Late => NoOutcome::Late,
        NotApplied::Away => NoOutcome::Away,
    }
}
