//! Counting contributions: what each adds, and what it changes of what was counted before. It does not matter in which order
//! they are counted.

use std::collections::{BTreeMap, BTreeSet};

use model::Disagreement;
use wire::event::Target;

use super::{Contributed, Counts, Place, contributed, month_of, rejected};
use crate::domain::{Application, Outcome, conflict::State};

/// A contribution that has an outcome and is not counted yet.
#[derive(Clone)]
pub(crate) struct Decided {
    /// Its id.
    pub(crate) id: String,
    /// What the register was asked.
    pub(crate) application: Application,
    /// When it was received, microseconds since 1970.
    pub(crate) received_at_us: i64,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// The contribution that is annulled since this, or counts again.
    pub(crate) annuls: Option<(String, bool)>,
}

/// What was contributed of an item, and the decision that set it aside last, whether that counts or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// What was contributed.
    pub(crate) value: Contributed,
    /// The decision; empty when there was none.
    pub(crate) set_aside_by: String,
}

/// A contribution, and an item of it.
pub(crate) type Unit = (String, String);

/// What was known of all contributions that are spoken of, and what is to be known.
#[derive(Default)]
pub(crate) struct Batch {
    /// What was counted before.
    pub(crate) was: BTreeMap<Unit, Held>,
    /// Where their conflicts stand, by the conflicts' ids: one for each person.
    pub(crate) conflicts: BTreeMap<Unit, BTreeMap<String, State>>,
    /// Whether they are annulled, since which version of the register.
    pub(crate) annulments: BTreeMap<String, (bool, u64)>,
    /// Those that were made here: what was not has no figures.
    pub(crate) here: BTreeSet<String>,
    is: BTreeMap<Unit, Held>,
    /// What rejected contributions add.
    rejected: BTreeMap<Place, Counts>,
}

impl Batch {
    /// Every contribution that is spoken of.
    pub(crate) fn spoken_of(all: &[Decided]) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for one in all {
            ids.insert(one.id.clone());
            ids.extend(one.annuls.iter().map(|(id, _)| id.clone()));
            if let Outcome::Applied { disagree, agree, .. } = &one.outcome {
                let both = |about: &Disagreement| {
                    [about.contribution_id.clone(), about.against_contribution_id.clone()]
                };
                ids.extend(disagree.iter().chain(agree).flat_map(both));
            }
        }
        ids
    }

    /// Counts one.
    pub(crate) fn count(&mut self, one: &Decided, timely_days: u32) {
        let (number, version, disagree, agree) = match &one.outcome {
            Outcome::Rejected(reasons) => {
                let month = month_of(one.received_at_us);
                for (item, counts) in rejected(&one.application, reasons) {
                    let source = one.application.source.clone();
                    let place = Place { source, month: month.clone(), item };
                    self.rejected.entry(place).or_default().add(&counts);
                }
                return;
            }
            Outcome::Applied { number, version, disagree, agree, .. } => {
                (number, *version, disagree, agree)
            }
        };
        let said = contributed(&one.application, number, one.received_at_us, timely_days);
        let annulled = self.is_annulled(&one.id);
        for (item, said) in said {
            let unit = (one.id.clone(), item);
            let conflict = self.stands(&unit);
            self.change(unit, |held| {
                held.value = Contributed { annulled, conflict, ..held.value.clone().saying(said) };
            });
        }
        for about in disagree.iter().chain(agree) {
            let unit = (about.contribution_id.clone(), about.item.clone());
            let conflict = self.stands(&unit);
            self.change(unit, |held| held.value.conflict = conflict);
        }
        if let Target::Decided { conflict, accepted, .. } = &one.application.target {
            for about in agree {
                self.decide(about, conflict, *accepted, one);
            }
        }
        if let Some((id, annulled)) = &one.annuls {
            self.annul(id, *annulled, version);
        }
    }

    /// What differs from what was counted before.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (&Unit, &Held)> {
        self.is.iter().filter(|(unit, held)| self.was.get(unit) != Some(held))
    }

    /// What has to be added to the sums.
    pub(crate) fn added(&self) -> BTreeMap<Place, Counts> {
        let mut sums = self.rejected.clone();
        for (unit, held) in self.changed() {
            let Contributed { source, month, .. } = held.value.clone();
            let was = self.was.get(unit).map(|held| held.value.counts()).unwrap_or_default();
            let place = Place { source, month, item: unit.1.clone() };
            sums.entry(place).or_default().add(&held.value.counts().since(&was));
        }
        sums.retain(|_, counts| *counts != Counts::default());
        sums
    }

    /// Where its conflict stands: of several persons' the one that says the least good of it.
    fn stands(&self, unit: &Unit) -> Option<State> {
        let goodness = |state: &State| match state {
            State::Rejected => 0,
            State::Open | State::Asked => 1,
            State::Overtaken => 2,
            State::Accepted => 3,
        };
        self.conflicts.get(unit)?.values().copied().min_by_key(goodness)
    }

    fn is_annulled(&self, id: &str) -> bool {
        self.annulments.get(id).is_some_and(|(annulled, _)| *annulled)
    }

    fn change(&mut self, unit: Unit, change: impl FnOnce(&mut Held)) {
        if self.here.contains(&unit.0) {
            let was = self.was.get(&unit);
            change(self.is.entry(unit).or_insert_with(|| was.cloned().unwrap_or_default()));
        }
    }

    /// Decides what a decision is about, and sets aside what it says: what was held before what it accepted, or what it rejected.
    fn decide(&mut self, about: &Disagreement, conflict: &str, accepted: bool, by: &Decided) {
        let unit = (about.contribution_id.clone(), about.item.clone());
        if self.conflicts.get(&unit).is_none_or(|all| !all.contains_key(conflict)) {
            return;
        }
        self.change(unit, |held| held.value.decided(by.received_at_us));
        let by = &by.id;
        let counts = !self.is_annulled(by);
        let aside = if accepted { &about.against_contribution_id } else { &about.contribution_id };
        self.change((aside.clone(), about.item.clone()), |held| {
            held.value.set_aside = counts;
            by.clone_into(&mut held.set_aside_by);
        });
    }

    /// Annuls what a contribution said, and what a decision set aside; or lets it count again. The register says what came last.
    fn annul(&mut self, id: &str, annulled: bool, version: u64) {
        if self.annulments.get(id).is_some_and(|(_, known)| *known >= version) {
            return;
        }
        self.annulments.insert(id.to_owned(), (annulled, version));
        let units = self.was.iter().chain(&self.is);
        let concerned = units.filter(|((of, _), held)| of == id || held.set_aside_by == id);
        let concerned: BTreeSet<Unit> = concerned.map(|(unit, _)| unit.clone()).collect();
        for unit in concerned {
            let own = unit.0 == id;
            self.change(unit, |held| {
                if own {
                    held.value.annulled = annulled;
                }
                if held.set_aside_by == id {
                    held.value.set_aside = !annulled;
                }
            });
        }
    }
}

#[cfg(test)]
#[path = "count_tests.rs"]
mod tests;
