//! Records opened, for inspectors; and erased, so that nobody can open them any more. Their keys wrapped anew. What version 1 kept in
//! clear, sealed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ::store::Store;
use server::runtime::{Clock, Entropy};

use crate::{
    Config, Error, FileKeys, Service,
    envelope::{Envelope, Opened},
    migrations,
    store::keys::{self, Deleted},
};

/// Openings of version 1 that are sealed in one transaction.
const TAKEN_AT_ONCE: u64 = 256;
/// A document is a number or a name, not its text.
const DOCUMENT_MAX: usize = 200;

/// What became of an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Records of which the keys were deleted.
    pub records: u64,
    /// Records whose keys had been erased before; their documents stay what they were.
    pub before: u64,
    /// Of all of these, records that are in the archive, where whoever keeps that has to erase them.
    pub archived: u64,
}

impl Service {
    /// Opens the records of these indexes, as far as there are any.
    ///
    /// # Errors
    /// When the database or whoever holds the key-encryption key is away.
    pub async fn open_records(&self, indexes: &[u64]) -> Result<BTreeMap<u64, Opened>, Error> {
        let store = &self.0.store;
        let rows = keys::rows(store, indexes.iter().copied()).await?;
        self.0.keys.records.open(store, rows).await
    }
}

/// Deletes the keys of records, because a document orders it. Leaves, proofs and receipts stay valid. What was erased before stays so.
/// No key is needed. A SQLite log must not be open elsewhere.
///
/// # Errors
/// [`Error::NoRecord`], [`Error::Document`], [`Error::NotTakenOver`]: nothing was erased. [`Error::NotSettled`]: all was, but SQLite
/// may still have it in its WAL; the same call tries again.
pub async fn erase(
    database: &str,
    indexes: &[u64],
    document: &str,
    clock: &Clock,
) -> Result<Erased, Error> {
    check_document(document)?;
    let indexes: BTreeSet<u64> = indexes.iter().copied().collect();
    let all = indexes.len() as u64;
    let store = Store::open(database, migrations()).await?;
    let erased = async {
        let time_ms = clock.now_ms();
        let document = document.to_owned();
        let Deleted { records, archived } =
            keys::erase(&store, indexes, document.clone(), time_ms).await?;
        tracing::info!(document, records, before = all - records, "keys of records erased");
        keys::settle(&store).await?;
        Ok(Erased { records, before: all - records, archived })
    }
    .await;
    store.close().await;
    erased
}

/// A document is named, on one line.
pub(crate) fn check_document(document: &str) -> Result<(), Error> {
    let line = !document.trim().is_empty() && !document.contains(char::is_control);
    if line && document.len() <= DOCUMENT_MAX { Ok(()) } else { Err(Error::Document) }
}

/// Wraps every day's key by the first of the key-encryption keys, after which the others unwrap nothing. Says how many were wrapped by
/// another one. A SQLite log must not be open elsewhere.
///
/// # Errors
/// When a key cannot be read or unwrapped, or the database is away. What was wrapped until then stays so.
pub async fn rewrap(config: &Config) -> Result<u64, Error> {
    let entropy = Entropy::system();
    let kek = FileKeys::open(&config.key_encryption_key_files, entropy.clone())?;
    let envelope = Envelope::new(Arc::new(kek), entropy);
    let store = Store::open(config.database.reveal(), migrations()).await?;
    let wrapped = envelope.rewrap(&store).await;
    store.close().await;
    wrapped
}

/// Seals what version 1 kept in clear, before anything is recorded. One that was stopped is gone on with.
pub(crate) async fn take_over(store: &Store, keys: &Envelope, clock: &Clock) -> Result<(), Error> {
    if !keys::any_clear(store).await? {
        return Ok(());
    }
    let key = keys.data_key(store, clock.today()).await?;
    while keys::take_over(store, Arc::clone(&key), TAKEN_AT_ONCE).await? {}
    match keys::settle(store).await {
        // Whoever reads at this moment does not keep the log from starting: the WAL is written over in time.
        Err(Error::NotSettled) => tracing::warn!("the WAL still holds openings in clear"),
        settled => settled?,
    }
    tracing::info!("the openings of version 1 are sealed");
    Ok(())
}
