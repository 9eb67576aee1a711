//! The keys by which warrants are checked, from the file that the operator keeps: it is read again when a warrant names a key that is
//! not known, so that a new key needs no restart.

use std::sync::{Arc, PoisonError, RwLock};

use warrant::{Accepted, Expected, KeySet, Refusal, verify};

use crate::{Config, Error};

/// The keys that are known.
pub(crate) struct Warrants {
    issuer: String,
    file: String,
    keys: RwLock<Arc<KeySet>>,
}

impl Warrants {
    /// The keys of the configured file; none where none is configured.
    ///
    /// # Errors
    /// When the file cannot be read, or is no JWKS.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let (issuer, file) = (config.warrant_issuer.clone(), config.warrant_keys_file.clone());
        let keys = if file.is_empty() { KeySet::default() } else { read(&file)? };
        Ok(Self { issuer, file, keys: RwLock::new(Arc::new(keys)) })
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
        let known = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let checked = verify(warrant, &known, expected, now);
        if checked != Err(Refusal::UnknownKey) || self.file.is_empty() {
            return checked;
        }
        // What cannot be read now leaves the keys as they were: those that are known stay good.
        let Ok(keys) = read(&self.file) else {
            tracing::error!("the keys of warrants cannot be read again");
            return checked;
        };
        if keys == *known {
            return checked;
        }
        tracing::info!(keys = keys.len(), "the keys of warrants are others now");
        let keys = Arc::new(keys);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&keys);
        verify(warrant, &keys, expected, now)
    }
}

fn read(file: &str) -> Result<KeySet, Error> {
    let json = std::fs::read(file)
        .map_err(|source| Error::WarrantKeys { path: file.to_owned(), source })?;
    KeySet::parse(&json).map_err(|_| Error::MalformedWarrantKeys(file.to_owned()))
}
