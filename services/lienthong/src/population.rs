//! Synthetic persons, straight into an empty register, in whole chunks.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{
    demo,
    process::Runtime,
    synth::{self, SyntheticPerson},
};

/// Persons in one transaction.
const CHUNK: usize = 500;
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

/// Loads a population into a register that holds nobody. After each chunk `loaded` gets the number of
/// persons so far, and says whether to go on; what is loaded stays.
///
/// # Errors
/// When the register or the file cannot be written.
pub async fn load(
    register: &identity::RegisterStore,
    wanted: Wanted<'_>,
    runtime: &Runtime,
    mut loaded: impl FnMut(usize) -> bool,
) -> Result<usize> {
    let (today, known_at_us) = (runtime.clock.today(), runtime.clock.now_us());
    let mut people = synth::generate(wanted.seed, wanted.persons, today);
    let first: Vec<_> = people.by_ref().take(CHOSEN_FROM).collect();
    if let Some(file) = wanted.subjects {
        let subjects = serde_json::to_string_pretty(&demo::choose(&first, today))?;
        fs::write(file, subjects).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let mut people = first.into_iter().chain(people).map(newcomer);
    let mut count = 0;
    loop {
        let chunk: Vec<_> = people.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return Ok(count);
        }
        let size = chunk.len();
        register.load(chunk, LOAD, known_at_us).await?;
        count += size;
        if !loaded(count) {
            return Ok(count);
        }
    }
}

fn newcomer(person: SyntheticPerson) -> identity::Newcomer {
    identity::Newcomer {
        person_id: person.person_id,
        number: person.number,
        old_number: person.old_number,
        protected: person.protected,
        said: person.assertions,
    }
}
