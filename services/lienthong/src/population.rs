//! Synthetic persons, straight into a register that holds no others, in whole chunks: each chunk is made while the one before
//! it is written.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use time::{Date, OffsetDateTime, macros::offset};
use tokio::sync::mpsc;

use crate::{
    demo,
    process::Runtime,
    synth::{self, SyntheticPerson},
};

/// Persons in one transaction.
const CHUNK: usize = 500;
/// Chunks that are made and wait to be written.
const READY: usize = 2;
/// What is kept of the persons to be looked up by hand is chosen from so many of the first.
const CHOSEN_FROM: usize = 2_000;
/// Under which the register keeps them.
const LOAD: &str = "synthetic-population";

/// A population.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// How many persons.
    pub persons: usize,
    /// The same seed, count and day give the same persons.
    pub seed: u64,
    /// File for a few of them, to be looked up by hand.
    pub subjects: Option<&'a Path>,
}

/// What a load did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Persons that were there before: of an earlier load, which this one went on with.
    pub before: usize,
    /// Persons that are there now.
    pub persons: usize,
}

/// Where a load begins.
struct Start {
    /// What the register was loaded with before.
    held: Option<identity::Loaded>,
    /// The day as of which the persons are made, and when the register learns of the first: those of the load that this one
    /// goes on with.
    today: Date,
    known_at_us: i64,
}

/// Loads a population into a register that holds nobody, or goes on with a load of the same seed that was stopped, or was of
/// fewer persons. Before the first chunk and after each `loaded` gets the number of persons so far, and says whether to go
/// on; what is loaded stays.
///
/// # Errors
/// When the register holds other persons or was written to since; when it or the file cannot be written.
pub async fn load(
    register: &identity::RegisterStore,
    wanted: Wanted<'_>,
    runtime: &Runtime,
    mut loaded: impl FnMut(usize) -> bool,
) -> Result<Done> {
    let start = Start::of(register, runtime).await?;
    let before = start.held.as_ref().map_or(Ok(0), |held| usize::try_from(held.persons))?;
    let bulk = register.bulk(LOAD, start.known_at_us, &runtime.entropy).await?;
    let (out, mut batches) = mpsc::channel(READY);
    let made = Made {
        seed: wanted.seed,
        persons: wanted.persons,
        subjects: wanted.subjects.map(Path::to_owned),
        start,
        bulk,
    };
    tokio::task::spawn_blocking(move || {
        let ended = made.send(before, &out);
        if let Err(error) = ended {
            // Whoever would hear of it may have stopped.
            out.blocking_send(Err(error)).ok();
        }
    });
    let mut persons = before;
    while let Some(batch) = batches.recv().await {
        // First, so that a register of other persons is refused and not counted.
        let batch = batch?;
        if persons == before && !loaded(persons) {
            break;
        }
        persons += register.load_batch(batch).await?;
        if !loaded(persons) {
            break;
        }
    }
    Ok(Done { before, persons })
}

impl Start {
    async fn of(register: &identity::RegisterStore, runtime: &Runtime) -> Result<Self> {
        let held = register.size().await?;
        if held == 0 {
            let known_at_us = runtime.clock.now_us();
            return Ok(Self { held: None, today: day(known_at_us)?, known_at_us });
        }
        let Some(loaded) = register.loaded().await? else { return Err(others(held)) };
        let known_at_us = loaded.first.1;
        Ok(Self { held: Some(loaded), today: day(known_at_us)?, known_at_us })
    }
}

/// Persons being made.
struct Made {
    seed: u64,
    persons: usize,
    subjects: Option<PathBuf>,
    start: Start,
    bulk: identity::Bulk,
}

impl Made {
    /// Makes batch after batch, until there are enough or nobody takes them any more.
    fn send(mut self, before: usize, out: &mpsc::Sender<Result<identity::Batch>>) -> Result<()> {
        let today = self.start.today;
        let mut people = synth::generate(self.seed, self.persons.max(before), today);
        let first: Vec<_> = people.by_ref().take(CHOSEN_FROM).collect();
        if let Some(held) = &self.start.held
            && first.first().is_none_or(|person| person.person_id != held.first.0)
        {
            return Err(others(held.persons));
        }
        if let Some(file) = &self.subjects {
            let subjects = serde_json::to_string_pretty(&demo::choose(&first, today))?;
            fs::write(file, subjects)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        let mut people = first.into_iter().chain(people);
        if let Some(held) = &self.start.held {
            let last = people.by_ref().take(before).last();
            if last.is_none_or(|person| person.person_id != held.last) {
                return Err(others(held.persons));
            }
        }
        let mut people = people.map(identity::Newcomer::from);
        loop {
            let chunk: Vec<_> = people.by_ref().take(CHUNK).collect();
            if chunk.is_empty() || out.blocking_send(Ok(self.bulk.batch(chunk)?)).is_err() {
                return Ok(());
            }
        }
    }
}

fn others(held: u64) -> anyhow::Error {
    anyhow::anyhow!(
        "the register holds {held} persons already, who are not the beginning of this population or were \
         written to since, and numbers could collide: take the seed that it was loaded with, or an empty database"
    )
}

/// The day in Viet Nam of a moment.
fn day(at_us: i64) -> Result<Date> {
    let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_us) * 1_000) else {
        bail!("the register was loaded at no time")
    };
    Ok(at.to_offset(offset!(+7)).date())
}

impl From<SyntheticPerson> for identity::Newcomer {
    fn from(person: SyntheticPerson) -> Self {
        Self {
            person_id: person.person_id,
            number: person.number,
            old_number: person.old_number,
            protected: person.protected,
            said: person.assertions,
        }
    }
}
