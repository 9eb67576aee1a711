//! What a CA issued and revoked, in `index.json`. One process changes it at a time, and a reader finds the
//! whole of it.

use std::{fs::File, path::Path};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{replace, shown};

/// Everything the CA did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Index {
    /// The trust domain of what it issues.
    pub(super) trust_domain: Option<String>,
    /// Number of the newest revocation list.
    pub(super) crl_number: u64,
    /// Every certificate, the oldest first.
    pub(super) issued: Vec<Issued>,
    /// Every certificate that is revoked.
    pub(super) revoked: Vec<Revoked>,
}

/// A certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// Name of its files.
    pub name: String,
    /// Its identity.
    pub spiffe_id: String,
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// Until when it is valid, in seconds since 1970.
    pub not_after: i64,
}

/// A certificate that was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// Name of its files.
    pub name: String,
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// When it was revoked, in seconds since 1970.
    pub at: i64,
}

impl Index {
    /// The index of a folder; an empty one where there is none.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("index.json");
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = super::read(&path)?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", shown(&path)))
    }

    /// Changes the index of a folder, unless the change fails.
    pub(super) fn change<T>(
        folder: &Path,
        change: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let lock = File::options().create(true).append(true).open(folder.join("index.lock"));
        let lock = lock.with_context(|| format!("cannot write into {}", shown(folder)))?;
        lock.lock().context("cannot lock the index")?;
        let mut index = Self::read(folder)?;
        let done = change(&mut index)?;
        replace(&folder.join("index.json"), &(serde_json::to_string_pretty(&index)? + "\n"))?;
        Ok(done)
    }

    /// The newest certificate of a name.
    pub(super) fn last(&self, name: &str) -> Option<&Issued> {
        self.issued.iter().rev().find(|issued| issued.name == name)
    }

    /// The newest certificate of a name, if it is neither revoked nor expired.
    pub(super) fn valid(&self, name: &str, now: OffsetDateTime) -> Option<&Issued> {
        let last = self.last(name)?;
        let valid = !self.is_revoked(last) && last.not_after > now.unix_timestamp();
        valid.then_some(last)
    }

    /// Revokes the newest certificate of a name.
    pub(super) fn revoke(&mut self, name: &str, at: OffsetDateTime) -> Result<Revoked> {
        let Some(last) = self.last(name) else {
            let mut names: Vec<&str> = self.issued.iter().map(|i| i.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            bail!("no certificate `{name}` was issued here; there are: {}", names.join(", "));
        };
        if self.is_revoked(last) {
            bail!("the certificate of `{name}` is revoked already");
        }
        let (name, serial) = (last.name.clone(), last.serial.clone());
        let revoked = Revoked { name, serial, at: at.unix_timestamp() };
        self.revoked.push(revoked.clone());
        Ok(revoked)
    }

    fn is_revoked(&self, issued: &Issued) -> bool {
        self.revoked.iter().any(|revoked| revoked.serial == issued.serial)
    }
}
