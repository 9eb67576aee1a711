//! A log brought back from its archive into an empty database, whole or not at all.

use std::{collections::BTreeMap, sync::Arc};

use ::store::Store;
use server::runtime::{Clock, Entropy};
use time::{OffsetDateTime, macros::offset};
use tlog::{Hash, LogVerifier, Tree, pieces::Wrong, tile::Tile};

use crate::{
    Archive, ArchiveError, Config, Error, FileKeys, Progress,
    archive::{Held, Verified},
    envelope::{DataKey, Envelope},
    log::{Keys, sign},
    migrations, signer,
    store::{
        Checkpoint,
        archived::{self, Page, Pages},
    },
};

/// What was brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Records.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// Records that can be opened.
    pub openings: u64,
    /// Records that were erased before.
    pub erased: u64,
}

/// Brings a log back from its archive, into a database on which no process ever started, in one transaction: what is read is verified,
/// sealed anew under keys of the records' days, and numbered under its names as when it came. Log and key-encryption key are those of the
/// configuration.
///
/// # Errors
/// [`ArchiveError`]; nothing was written then.
pub async fn import(
    config: &Config,
    archive: Archive,
    clock: &Clock,
    mut told: impl FnMut(Progress) + Send + 'static,
) -> Result<Imported, ArchiveError> {
    let signer = signer(config).await?;
    let verifier = LogVerifier::new(signer.verifier_key()).map_err(Error::from)?;
    let entropy = Entropy::system();
    let files = FileKeys::open(&config.key_encryption_key_files, entropy.clone());
    let records = Envelope::new(Arc::new(files.map_err(Error::from)?), entropy);
    let keys = Keys { signer, verifier, records };
    let store = Store::open(config.database.reveal(), migrations()).await?;
    let imported = async {
        // Said before much is read.
        if !archived::is_empty(&store).await? {
            return Err(ArchiveError::NotEmpty);
        }
        let archive = archive.verify(&keys.verifier, &mut told)?;
        let bundles = Box::new(Verified::bundles(archive.checkpoint.size));
        let import = Import {
            archive,
            bundles,
            keys,
            tree: Tree::default(),
            days: BTreeMap::new(),
            openings: 0,
            erased: 0,
            told: Box::new(told),
        };
        let done = archived::bring_back(&store, import, clock.now_ms()).await?;
        let (size, root) = (done.archive.checkpoint.size, done.archive.checkpoint.root);
        Ok(Imported { size, root, openings: done.openings, erased: done.erased })
    }
    .await;
    store.close().await;
    imported
}

struct Import {
    archive: Verified,
    /// Those that are still to be read.
    bundles: Box<dyn Iterator<Item = Tile> + Send>,
    keys: Keys,
    /// Over what was read.
    tree: Tree,
    /// The keys of days on which records were made, until now.
    days: BTreeMap<String, DataKey>,
    openings: u64,
    erased: u64,
    told: Box<dyn FnMut(Progress) + Send>,
}

impl Pages for Import {
    fn size(&self) -> u64 {
        self.archive.checkpoint.size
    }

    async fn next(&mut self) -> Result<Option<Page>, ArchiveError> {
        let Some(bundle) = self.bundles.next() else { return Ok(None) };
        let mut page = Page::default();
        for mut record in self.archive.records(&bundle)? {
            let (index, about) = (record.index, record.about());
            page.leaves.push((index, record.id, record.leaf));
            let hashes = self.tree.append(tlog::leaf_hash(&record.leaf));
            page.nodes.extend(hashes.map_err(Error::from)?);
            page.about.extend(about.map(|about| (index, about)));
            match record.held {
                Held::Whole(whole) => {
                    let day = day_of(record.time_ms)?;
                    if !self.days.contains_key(&day) {
                        let made = self.keys.records.new_day(&day).await;
                        let (key, wrapped) = made.map_err(Error::from)?;
                        page.days.push((day.clone(), wrapped));
                        self.days.insert(day.clone(), key);
                    }
                    let key = self.days.get(&day);
                    let key = key.ok_or(Error::LogCorrupt("the key of a day is missing"))?;
                    page.sealed.push(key.seal(index, &whole.opening).map_err(Error::from)?);
                    page.certificates.extend(whole.signer);
                }
                Held::Erased { context, erasure } => page.erased.push((index, context, erasure)),
            }
        }
        self.tree.forget();
        self.openings += page.sealed.len() as u64;
        self.erased += page.erased.len() as u64;
        (self.told)(Progress::Done(self.tree.size()));
        Ok(Some(page))
    }

    fn checkpoints(&self) -> Result<Vec<(Checkpoint, Option<String>)>, ArchiveError> {
        let signer = &self.keys.signer;
        let newest = sign(signer, &self.tree)?;
        if newest.root != self.archive.checkpoint.root {
            // It was changed since it was verified.
            return Err(ArchiveError::Copy(Wrong::OtherRoot(newest.size)));
        }
        // What the log signs it signs with the same bytes; where there are more, others signed, too.
        let note = &self.archive.note;
        let cosigned = (*note != newest.note).then(|| note.clone());
        let empty = sign(signer, &Tree::default())?;
        let first = (newest.size > 0).then_some((empty, None));
        Ok(first.into_iter().chain([(newest, cosigned)]).collect())
    }
}

/// The day in Viet Nam, as `Clock::today` has it.
pub(crate) fn day_of(time_ms: u64) -> Result<String, Error> {
    let seconds = i64::try_from(time_ms / 1_000).map_err(|_| Error::OutOfRange)?;
    let time = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Error::OutOfRange)?;
    Ok(time.to_offset(offset!(+7)).date().to_string())
}
