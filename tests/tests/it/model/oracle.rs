//! What the register must say, worked out anew from everything that was said, in the plainest way. It shares no code with
//! the register: values are texts, days are triples, and who wins is looked for from the beginning each time.

use std::collections::BTreeMap;

/// Year, month and day; 0 for a part that is not known.
pub(super) type Day = (i32, i32, i32);

/// For an item, the sources in their order; whoever is not named comes after them, and all of these are equal.
pub(super) type Order = BTreeMap<&'static str, Vec<&'static str>>;

/// One thing that a source said.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) item: &'static str,
    pub(super) value: String,
    pub(super) source: &'static str,
    pub(super) from: Day,
    /// That it holds no more, rather than that it holds.
    pub(super) ends: bool,
    /// Of a day of death or of being missing, that it is the latter.
    pub(super) missing: bool,
    /// Its place among everything that was said.
    pub(super) place: usize,
    /// The key under which it was contributed; empty for what was loaded.
    pub(super) key: String,
}

/// That something was annulled, which counts as never said.
#[derive(Clone, Debug)]
pub(super) struct Annulled {
    /// The key of what was annulled.
    pub(super) key: String,
    /// The key under which that was contributed, so that it can be annulled in turn.
    pub(super) by: String,
    pub(super) place: usize,
}

/// What a source wants to say.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) said: Said,
    /// That it corrects what the source said before.
    pub(super) corrects: bool,
    /// That it rests on a record that has changed since.
    pub(super) stale: bool,
}

/// A person, as everybody spoke of it.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) born: Day,
    pub(super) said: Vec<Said>,
    /// Whom it married, each by name and place (`name/place`), and that it is married to it no more. The register tells
    /// relations apart by name.
    pub(super) spouses: Vec<Said>,
    pub(super) annulled: Vec<Annulled>,
}

/// The last day that a date can mean.
fn latest((year, month, day): Day) -> Day {
    (year, if month == 0 { 12 } else { month }, if day == 0 { 31 } else { day })
}

/// The first day that a date can mean.
fn earliest((year, month, day): Day) -> Day {
    (year, month.max(1), day.max(1))
}

fn rank(order: &Order, said: &Said) -> usize {
    let named = order.get(said.item).map(Vec::as_slice).unwrap_or_default();
    named.iter().position(|source| *source == said.source).unwrap_or(usize::MAX)
}

const DEATH: &str = "death_or_missing_date";

/// What wins of all.
fn last<'a>(order: &Order, all: &[&'a Said]) -> Option<&'a Said> {
    let wins = |said: &&&Said| !all.iter().any(|other| beats(order, other, said));
    all.iter().find(wins).copied()
}

/// Whether `other` wins against `said`.
fn beats(order: &Order, other: &Said, said: &Said) -> bool {
    let (mine, its) = (rank(order, said), rank(order, other));
    its < mine || (its == mine && (other.from, other.place) > (said.from, said.place))
}

impl Person {
    /// Whether what was contributed under a key counts, after everything before the place `known`.
    pub(super) fn counts(&self, key: &str, known: usize) -> bool {
        let against = |annulled: &&Annulled| annulled.key == key && annulled.place < known;
        key.is_empty() || !self.annulled.iter().filter(against).any(|a| self.counts(&a.by, known))
    }

    /// What counts of an item.
    fn of_item(&self, item: &str, known: usize) -> impl Iterator<Item = &Said> {
        self.said.iter().filter(move |said| {
            said.item == item && said.place < known && self.counts(&said.key, known)
        })
    }

    /// What holds of an item, of what had been said before the place `known`, on a day.
    pub(super) fn held(
        &self,
        item: &str,
        order: &Order,
        known: usize,
        on: Option<Day>,
    ) -> Option<&Said> {
        let begun = |said: &&Said| on.is_none_or(|day| earliest(said.from) <= day);
        let all: Vec<&Said> = self.of_item(item, known).filter(begun).collect();
        last(order, &all).filter(|said| !said.ends)
    }

    /// What was said last of an item, whether it holds or ends.
    fn stands(&self, item: &str, order: &Order) -> Option<&Said> {
        let all: Vec<&Said> = self.of_item(item, usize::MAX).collect();
        last(order, &all)
    }

    /// Whether it is held as dead.
    pub(super) fn is_dead(&self, order: &Order) -> bool {
        self.held(DEATH, order, usize::MAX, None).is_some_and(|said| !said.missing)
    }

    /// Whom it is married to, by name.
    pub(super) fn married_to(&self) -> Vec<(usize, &Said)> {
        fn name(spouse: &Said) -> &str {
            spouse.value.split('/').next().unwrap()
        }
        let of = |spouse: &&Said| self.counts(&spouse.key, usize::MAX);
        let all: Vec<&Said> = self.spouses.iter().filter(of).collect();
        let last = |spouse: &&&Said| {
            let beats = |other: &&&Said| {
                name(other) == name(spouse)
                    && (other.from, other.place) > (spouse.from, spouse.place)
            };
            !all.iter().any(|other| beats(&other))
        };
        let place = |spouse: &Said| spouse.value.rsplit('/').next().unwrap().parse().unwrap();
        let held = all.iter().filter(last).filter(|spouse| !spouse.ends);
        let mut held: Vec<_> = held.map(|spouse| (place(spouse), *spouse)).collect();
        held.sort_by(|one, other| one.1.value.cmp(&other.1.value));
        held
    }

    /// Whether a day is before its birth.
    pub(super) fn is_unborn(&self, day: Day) -> bool {
        latest(day) < earliest(self.born)
    }

    /// Whether a source with more authority than this one speaks of the item.
    pub(super) fn outranks(&self, said: &Said, order: &Order) -> bool {
        self.of_item(said.item, usize::MAX).any(|other| rank(order, other) < rank(order, said))
    }

    /// Why the register will not take it, as it names the reasons.
    pub(super) fn refuses(&self, wish: &Wish, order: &Order) -> Vec<&'static str> {
        let said = &wish.said;
        let mut reasons = Vec::new();
        if self.is_dead(order) && !wish.corrects && !said.ends {
            reasons.push("PERSON_DECEASED");
        }
        if wish.stale {
            reasons.push("VERSION_CHANGED");
        }
        if said.ends {
            reasons.extend(self.refuses_end(said, order));
            return reasons;
        }
        let of_item = || self.of_item(said.item, usize::MAX);
        let own = of_item().filter(|other| other.source == said.source);
        let last = own.map(|own| (own.from, own.place)).max();
        // What an equal said later is not this source's to correct.
        let held = self.held(said.item, order, usize::MAX, None);
        let equal = held.is_some_and(|held| {
            held.source != said.source && rank(order, held) >= rank(order, said)
        });
        if wish.corrects && (last.is_none() || equal) {
            let nobody = of_item().next().is_none();
            reasons.push(if nobody { "NOTHING_TO_CORRECT" } else { "OTHER_SOURCE" });
        } else if (wish.corrects && last.is_some_and(|(from, _)| from > said.from))
            || self.is_unborn(said.from)
            || (said.item == DEATH && self.stands_later(said, order))
        {
            reasons.push("DATE_OUT_OF_RANGE");
        }
        reasons
    }

    /// Whether what stands of an item began or ended later, by a source of as much authority.
    fn stands_later(&self, said: &Said, order: &Order) -> bool {
        self.stands(said.item, order).is_some_and(|stands| {
            rank(order, stands) == rank(order, said) && stands.from > said.from
        })
    }

    fn refuses_end(&self, said: &Said, order: &Order) -> Option<&'static str> {
        let held = self.held(said.item, order, usize::MAX, None);
        match held {
            None => Some("NOTHING_TO_END"),
            Some(held) if said.item == DEATH && !held.missing => Some("NOTHING_TO_END"),
            Some(held) if held.from > said.from || self.is_unborn(said.from) => {
                Some("DATE_OUT_OF_RANGE")
            }
            Some(_) => None,
        }
    }
}
