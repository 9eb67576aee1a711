//! What contribution says: how good the data are, and what became of conflicts.

use std::collections::BTreeMap;

use contract::contribution::v1::{ItemQuality, QualityShare};
use model::report::{Conflicts, Quality, Share};

/// The sums of each database.
pub(super) fn summed(rows: &[ItemQuality]) -> (Vec<Conflicts>, Vec<Quality>) {
    let mut conflicts: BTreeMap<&str, Conflicts> = BTreeMap::new();
    let mut quality: BTreeMap<&str, Quality> = BTreeMap::new();
    for row in rows {
        let counts = row.counts.unwrap_or_default();
        let sum = quality.entry(&row.database).or_default();
        sum.database.clone_from(&row.database);
        sum.values += counts.values;
        sum.rejected += counts.rejected;
        add(&mut sum.consistency, row.consistency);
        add(&mut sum.completeness, row.completeness);
        add(&mut sum.accuracy, row.accuracy);
        add(&mut sum.timeliness, row.timeliness);
        if counts.disputed == 0 {
            continue;
        }
        let sum = conflicts.entry(&row.database).or_default();
        sum.database.clone_from(&row.database);
        sum.disputed += counts.disputed;
        sum.decided_for += counts.decided_for;
        sum.decided_against += counts.decided_against;
        sum.within_7_days += counts.decided_within_7_days;
        sum.within_30_days += counts.decided_within_30_days;
        sum.later += counts.decided_later;
    }
    (conflicts.into_values().collect(), quality.into_values().collect())
}

fn add(sum: &mut Share, more: Option<QualityShare>) {
    let QualityShare { part, all } = more.unwrap_or_default();
    sum.part += part;
    sum.all += all;
}
