//! Accesses of a period, counted from the records between two checkpoints.

use model::report::Accesses;
use tlog::Leaf;

use crate::{
    Error, Opened, Service, alive,
    figures::{Figures, agency_of},
    store::{
        keys,
        period::{self, Alive},
        whole,
    },
};

/// Records that are opened at once.
const CHUNK: u64 = 1_024;

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
    pub(crate) known_from_ms: Option<u64>,
    pub(crate) outages: Vec<(u64, u64)>,
}

impl Service {
    /// Counts the accesses of a period.
    pub(crate) async fn count(&self, wanted: &Wanted) -> Result<Counted, Error> {
        let Wanted { from_ms, until_ms, .. } = *wanted;
        let store = &self.0.store;
        let extent = period::extent(store, from_ms, until_ms).await?;
        let (first, end) = match extent.records {
            // Where there is none, it lies behind all.
            0 => {
                let size = self.head().await?.size;
                (size, size)
            }
            _ => (extent.first, extent.end),
        };
        let (mut tally, mut place) = (Tally::default(), first);
        while place < end {
            let next = end.min(place.saturating_add(CHUNK));
            self.count_some(wanted, place..next, &mut tally).await?;
            place = next;
        }
        let Alive { known_from_ms, stretches } = period::alive(store, from_ms, until_ms).await?;
        let known = known_from_ms.map(|known| known.max(from_ms)).filter(|known| *known < until_ms);
        Ok(Counted {
            first: period::before(store, first).await?,
            last: period::after(store, end).await?,
            records: tally.records,
            erased: tally.erased,
            accesses: tally.figures.counted(),
            known_from_ms: known,
            outages: known
                .map_or_else(Vec::new, |known| alive::outages(&stretches, known, until_ms)),
        })
    }

    async fn count_some(
        &self,
        wanted: &Wanted,
        places: std::ops::Range<u64>,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let store = &self.0.store;
        let mut leaves = whole::leaves(store, places.clone()).await?;
        let mut rows = keys::rows(store, places.clone()).await?;
        if rows.len() as u64 != places.end - places.start {
            return Err(Error::LogCorrupt("what opens a record is missing"));
        }
        // What cannot be read stays, and is found when it is opened.
        rows.retain(|_, row| {
            wanted.agency.is_empty()
                || str::from_utf8(&row.context)
                    .map_or(true, |context| agency_of(context) == wanted.agency)
        });
        for (place, opened) in self.0.keys.records.open(store, rows).await? {
            let leaf = leaves.remove(&place).ok_or(Error::LogCorrupt("a leaf is missing"))?;
            let leaf = Leaf::parse(&leaf.leaf)?;
            if !(wanted.from_ms..wanted.until_ms).contains(&leaf.time_ms) {
                continue;
            }
            tally.records += 1;
            match opened {
                Opened::Whole(opening) => {
                    let inner = tlog::inner_commitment(&opening.inner_key, &opening.decision);
                    let (context, decision) = (&opening.context, &opening.decision);
                    if inner != leaf.inner || !tally.figures.add(leaf.time_ms, context, decision) {
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
    records: u64,
    erased: u64,
    figures: Figures,
}
