//! The keys by which warrants are checked, from the file that the operator keeps: it is read again once a minute, and when a warrant
//! names a key that is not known, so that a new key needs no restart and one that was taken out is good no longer.

use std::sync::{Arc, PoisonError, RwLock};

use warrant::{Accepted, Expected, KeySet, Refusal, verify};

use crate::{Config, Error};

/// For how many seconds the keys of the last reading are used.
const READ_EVERY: u64 = 60;

/// The keys that are known.
pub(crate) struct Warrants {
    issuer: String,
    file: String,
    read: RwLock<Read>,
}

/// What was read last, and in which second since 1970; none before the first warrant.
struct Read {
    keys: Arc<KeySet>,
    at: Option<i64>,
}

impl Warrants {
    /// The keys of the configured file; none where none is configured.
    ///
    /// # Errors
    /// When the file cannot be read, or is no JWKS.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let (issuer, file) = (config.warrant_issuer.clone(), config.warrant_keys_file.clone());
        let keys = if file.is_empty() { KeySet::default() } else { read(&file)? };
        let read = RwLock::new(Read { keys: Arc::new(keys), at: None });
        Ok(Self { issuer, file, read })
    }

    /// Who signs.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether a warrant allows what it came with, unless it was used before.
    pub(crate) fn check(
        &self,
        warrant: &[u8],
        expected: &Expected<'_>,
        now: i64,
    ) -> Result<Accepted, Refusal> {
        let (known, at) = {
            let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
            (Arc::clone(&read.keys), read.at)
        };
        // Also where the clock was set back.
        let old = at.is_none_or(|at| now.abs_diff(at) >= READ_EVERY);
        let known = if old { self.again(known, now) } else { known };
        let checked = verify(warrant, &known, expected, now);
        // Whoever sends unknown keys has the file read once in a second.
        if checked != Err(Refusal::UnknownKey) || old || at == Some(now) {
            return checked;
        }
        verify(warrant, &self.again(known, now), expected, now)
    }

    /// The keys in the file. What cannot be read now leaves them as they were: those that are known stay good.
    fn again(&self, known: Arc<KeySet>, now: i64) -> Arc<KeySet> {
        if self.file.is_empty() {
            return known;
        }
        let found = read(&self.file);
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        read.at = Some(now);
        match found {
            Ok(keys) if keys != *read.keys => {
                tracing::info!(keys = keys.len(), "the keys of warrants are others now");
                read.keys = Arc::new(keys);
            }
            Ok(_) => {}
            Err(_) => tracing::error!("the keys of warrants cannot be read again"),
        }
        Arc::clone(&read.keys)
    }
}

fn read(file: &str) -> Result<KeySet, Error> {
    let json = std::fs::read(file)
        .map_err(|source| Error::WarrantKeys { path: file.to_owned(), source })?;
    KeySet::parse(&json).map_err(|_| Error::MalformedWarrantKeys(file.to_owned()))
}
