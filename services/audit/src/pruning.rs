//! Records that are old enough go into the archive: deleted here once an archive is known to hold them (C2SP tlog-tiles, "Pruning").
//! Hashes and checkpoints stay, so that every proof can be made as before.

use std::{collections::BTreeMap, ops::Range};

use ::store::Store;
use serde::Deserialize;
use server::runtime::Clock;
use tlog::{Checkpoint, LogVerifier, Tree, tile::FULL};

use crate::{
    Archive, ArchiveError, Error, Progress, Service,
    archive::{Held, Verified},
    domain::Erasure,
    import, migrations, records,
    store::{
        self, Head, keys,
        pruning::{self, Order, Pruned},
    },
};

/// The retention that is shipped (`services/audit/data/SOURCES.md` says where it comes from).
pub const RETENTION: &str = include_str!("../data/retention.toml");

/// The record id of what was pruned is known no more, so a record sent again would be recorded again: whoever repeats one does it within
/// moments, and never after a year.
const DAYS_MIN: u64 = 366;
const DAY_MS: u64 = 86_400_000;
/// Records that are deleted in one transaction, so that no append waits for long.
const AT_ONCE: u64 = 256;

/// For how long records stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// So many days from the time of the record.
    pub days: u64,
}

/// What is to be pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Records below an index.
    Below(u64),
    /// Records of before a moment, in milliseconds since 1970.
    Before(u64),
}

/// An order to prune.
#[derive(Debug, Clone)]
pub struct Pruning {
    /// What.
    pub target: Target,
    /// Under which policy.
    pub retention: Retention,
    /// The document that orders it.
    pub document: String,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruningDone {
    /// The minimum index from now on.
    pub minimum: u64,
    /// The one before.
    pub before: u64,
    /// Records that were deleted now; more than the difference where an earlier run was stopped.
    pub deleted: u64,
    /// Records that the log has.
    pub size: u64,
}

/// Moves what is old enough into an archive: verifies that the archive holds it, sets the minimum index, and deletes what is below. A run
/// that was stopped is gone on with by the same call. No secret is needed. A SQLite log must not be open elsewhere.
///
/// # Errors
/// [`ArchiveError`]. Before the minimum index is set nothing was changed; afterwards the log is sound whatever happens, and the same
/// call tries again.
pub async fn prune(
    database: &str,
    log: &LogVerifier,
    archive: Archive,
    order: Pruning,
    clock: &Clock,
    mut told: impl FnMut(Progress) + Send,
) -> Result<PruningDone, ArchiveError> {
    records::check_document(&order.document)?;
    if order.retention.days < DAYS_MIN {
        return Err(ArchiveError::Retention(order.retention.days));
    }
    let store = Store::open(database, migrations()).await?;
    let prune = Prune { store: &store, log, clock, order };
    let done = prune.run(archive, &mut told).await;
    store.close().await;
    done
}

struct Prune<'a> {
    store: &'a Store,
    log: &'a LogVerifier,
    clock: &'a Clock,
    order: Pruning,
}

impl Prune<'_> {
    async fn run(
        self,
        archive: Archive,
        told: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<PruningDone, ArchiveError> {
        if keys::any_clear(self.store).await? {
            return Err(Error::NotTakenOver.into());
        }
        let head = store::head(self.store).await?;
        let before = pruning::pruned(self.store).await?;
        let minimum = self.minimum(&head, before.minimum).await?;
        if minimum > before.minimum {
            self.set(archive, &head, before, minimum, told).await?;
        }
        let minimum = minimum.max(before.minimum);
        let mut deleted = 0;
        // From where on is looked up once: PostgreSQL goes through all that was deleted each time.
        let mut place = pruning::first_left(self.store).await?.unwrap_or(minimum);
        while place < minimum {
            let next = minimum.min(place.saturating_add(AT_ONCE));
            deleted += pruning::delete(self.store, place..next).await?;
            told(Progress::Done(deleted));
            place = next;
        }
        keys::settle(self.store).await?;
        Ok(PruningDone { minimum, before: before.minimum, deleted, size: head.size })
    }

    /// What is from this moment on stays.
    fn stays_from(&self) -> u64 {
        let kept = self.order.retention.days.saturating_mul(DAY_MS);
        self.clock.now_ms().saturating_sub(kept)
    }

    /// The minimum index that is ordered: whole bundles, and never the newest record, by which the log is known to be whole.
    async fn minimum(&self, head: &Head, before: u64) -> Result<u64, ArchiveError> {
        let (days, from) = (self.order.retention.days, self.stays_from());
        let wanted = match self.order.target {
            Target::Below(index) => index,
            Target::Before(ms) if ms > from => {
                return Err(ArchiveError::Young { days, day: import::day_of(from)? });
            }
            Target::Before(ms) => {
                let first = pruning::first_since(self.store, before..head.size, ms).await?;
                first.unwrap_or(head.size)
            }
        };
        let minimum = wanted.min(head.size.saturating_sub(1)) / FULL * FULL;
        match pruning::first_since(self.store, before..minimum, from).await? {
            Some(index) => Err(ArchiveError::YoungRecord { index, days }),
            None => Ok(minimum),
        }
    }

    /// Sets the minimum index, if the archive holds what is below.
    async fn set(
        &self,
        archive: Archive,
        head: &Head,
        before: Pruned,
        minimum: u64,
        told: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), ArchiveError> {
        let mut archive = archive.verify(self.log, told)?;
        self.same_log(&archive.checkpoint, head, minimum).await?;
        let indexes = before.minimum..minimum;
        let erased = pruning::erased(self.store, indexes.clone()).await?;
        let newest_ms = self.holds(&mut archive, indexes, &erased).await?;
        let order = Order {
            minimum,
            before: before.minimum,
            newest_ms: newest_ms.max(before.newest_ms),
            days: self.order.retention.days,
            document: self.order.document.clone(),
            time_ms: self.clock.now_ms(),
            erased: erased.len() as u64,
        };
        let document = &self.order.document;
        match pruning::order(self.store, order).await {
            Ok(()) => tracing::info!(document, minimum, "minimum index set"),
            Err(Error::Fenced) => return Err(ArchiveError::Meanwhile),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Whether the copy is an older state of this log, by the hashes that stay, and long enough.
    async fn same_log(
        &self,
        copy: &Checkpoint,
        head: &Head,
        minimum: u64,
    ) -> Result<(), ArchiveError> {
        if copy.size < minimum {
            return Err(ArchiveError::Short { size: copy.size, minimum });
        }
        if copy.size > head.size {
            return Err(ArchiveError::SetBack { copy: copy.size, log: head.size });
        }
        let edge = store::nodes(self.store, &Tree::edge(copy.size)).await?;
        let root = Tree::restore(copy.size, edge).and_then(|tree| tree.root());
        if root.map_err(Error::from)? == copy.root { Ok(()) } else { Err(ArchiveError::Forked) }
    }

    /// Whether the archive opens each of these records, or knows of its erasure as the log does: what it says of one that was erased
    /// nothing proves any more, and the log will not know it. Gives the latest time of any.
    async fn holds(
        &self,
        archive: &mut Verified,
        indexes: Range<u64>,
        erased: &BTreeMap<u64, Erasure>,
    ) -> Result<u64, ArchiveError> {
        let (days, from, mut newest_ms) = (self.order.retention.days, self.stays_from(), 0);
        let bundles = Verified::bundles(indexes.end);
        for bundle in bundles.filter(|bundle| indexes.contains(&bundle.places().start)) {
            let places: Vec<u64> = bundle.places().map(tlog::leaf_place).collect();
            let hashes = store::nodes(self.store, &places).await?;
            let gone = bundle.places().filter(|index| erased.contains_key(index));
            let rows = keys::rows(self.store, gone).await?;
            for record in archive.records(&bundle)? {
                let index = record.index;
                // The bytes that were read now, which need not be those that were verified.
                let leaf = tlog::leaf_hash(&record.leaf);
                if hashes.get(&tlog::leaf_place(index)) != Some(&leaf) {
                    return Err(ArchiveError::Forked);
                }
                match (&record.held, erased.get(&index)) {
                    (Held::Whole(_), None) => {}
                    (Held::Erased { context, erasure }, Some(known)) => {
                        let own = rows.get(&index).map(|row| row.context.as_slice());
                        if own != Some(context.as_bytes()) || erasure != known {
                            return Err(ArchiveError::OtherErasure(index));
                        }
                    }
                    (Held::Whole(_), Some(_)) => return Err(ArchiveError::OpensErased(index)),
                    (Held::Erased { .. }, None) => return Err(ArchiveError::NotErased(index)),
                }
                // The leaf that was signed, and not the row, says how old it is.
                if record.time_ms >= from {
                    return Err(ArchiveError::YoungRecord { index, days });
                }
                newest_ms = newest_ms.max(record.time_ms);
            }
        }
        Ok(newest_ms)
    }
}

impl Service {
    /// The minimum index (C2SP tlog-tiles): entries below it are in the archive. Everybody may know it.
    pub(crate) async fn minimum_index(&self) -> Result<u64, Error> {
        pruning::minimum(&self.0.store).await
    }

    /// Refuses what reaches back to a time of which records were pruned.
    pub(crate) async fn not_pruned_since(&self, from_ms: u64) -> Result<(), Error> {
        let pruned = pruning::pruned(&self.0.store).await?;
        if pruned.minimum > 0 && from_ms <= pruned.newest_ms {
            return Err(Error::Pruned(pruned.minimum));
        }
        Ok(())
    }
}
