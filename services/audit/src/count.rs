//! Accesses of a period, counted from the records between two checkpoints.

use std::collections::BTreeMap;

use model::report::Accesses;
use tlog::Leaf;

use crate::{
    Error, Opened, Service,
    alive::{self, BREAK_MS},
    figures::{Figures, agency_of},
    store::{
        keys,
        period::{self, Alive, Rest},
    },
};

/// Of what is counted.
pub(crate) struct Wanted {
    pub(crate) from_ms: u64,
    pub(crate) until_ms: u64,
    /// Of whose systems; all where it is empty.
    pub(crate) agency: String,
}

/// What was counted.
pub(crate) struct Counted {
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) records: u64,
    pub(crate) erased: u64,
    pub(crate) accesses: Accesses,
    /// Of each latency in `accesses`, the classes and how many are in each.
    pub(crate) classes: Vec<Vec<(u64, u64)>>,
    pub(crate) known_from_ms: Option<u64>,
    pub(crate) outages: Vec<(u64, u64)>,
}

impl Service {
    /// Counts the accesses of a period.
    pub(crate) async fn count(&self, wanted: &Wanted) -> Result<Counted, Error> {
        let Wanted { from_ms, until_ms, .. } = *wanted;
        let store = &self.0.store;
        self.not_pruned_since(from_ms).await?;
        let size = self.head().await?.size;
        let (mut tally, mut rest) =
            (Tally::default(), Some(Rest { from_ms, from: 0, until_ms, size }));
        while let Some(from) = rest {
            let (leaves, behind) = from.page(store).await?;
            self.count_some(wanted, &leaves, &mut tally).await?;
            rest = behind;
        }
        // Where there is none, it lies behind all.
        let (first, end) = tally.extent.unwrap_or((size, size));
        let (before_ms, after_ms) =
            (from_ms.saturating_sub(BREAK_MS), until_ms.saturating_add(BREAK_MS));
        let Alive { known_from_ms, stretches } = period::alive(store, before_ms, after_ms).await?;
        // What was pruned meanwhile was not counted.
        self.not_pruned_since(from_ms).await?;
        let known = known_from_ms.map(|known| known.max(from_ms)).filter(|known| *known < until_ms);
        let outages = known_from_ms.zip(known).map_or_else(Vec::new, |(ever, known)| {
            alive::outages(&stretches, known..until_ms, ever..self.0.clock.now_ms())
        });
        let classes = tally.figures.latencies().values().map(|took| took.classes().collect());
        let classes = classes.collect();
        Ok(Counted {
            first: period::before(store, first).await?,
            last: period::after(store, end).await?,
            records: tally.records,
            erased: tally.erased,
            accesses: tally.figures.counted(),
            classes,
            known_from_ms: known,
            outages,
        })
    }

    async fn count_some(
        &self,
        wanted: &Wanted,
        leaves: &BTreeMap<u64, Leaf>,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let store = &self.0.store;
        let mut rows = keys::rows(store, leaves.keys().copied()).await?;
        if rows.len() != leaves.len() {
            // Unless it was pruned since the leaves were read.
            self.not_pruned_since(wanted.from_ms).await?;
            return Err(Error::LogCorrupt("what opens a record is missing"));
        }
        for place in leaves.keys() {
            let (first, end) = tally.extent.unwrap_or((*place, place + 1));
            tally.extent = Some((first.min(*place), end.max(place + 1)));
        }
        // What cannot be read stays, and is found when it is opened. Whose the others are is believed: no commitment is opened to see it.
        rows.retain(|_, row| {
            wanted.agency.is_empty()
                || str::from_utf8(&row.context)
                    .map_or(true, |context| agency_of(context) == wanted.agency)
        });
        for (place, opened) in self.0.keys.records.open(store, rows).await? {
            let leaf = leaves.get(&place).ok_or(Error::LogCorrupt("a leaf is missing"))?;
            tally.records += 1;
            match opened {
                Opened::Whole(opening) => {
                    let (context, decision) = (&opening.context, &opening.decision);
                    if !opening.opens(leaf) || !tally.figures.add(leaf.time_ms, context, decision) {
                        return Err(Error::LogCorrupt("a record is not what its leaf commits to"));
                    }
                }
                Opened::Erased { .. } => tally.erased += 1,
                Opened::Undone | Opened::Damaged | Opened::Closed => {
                    return Err(Error::LogCorrupt("a record cannot be opened"));
                }
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Tally {
    /// The index of the first record, and the one behind the last.
    extent: Option<(u64, u64)>,
    records: u64,
    erased: u64,
    figures: Figures,
}
