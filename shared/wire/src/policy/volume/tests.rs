#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::BTreeMap;

use proptest::prelude::*;
use time::macros::datetime;

use super::*;

const BEGUN: OffsetDateTime = datetime!(2026-11-24 03:00 UTC);

struct Time {
    begun: Instant,
}

impl Time {
    fn new() -> Self {
        Self { begun: Instant::now() }
    }

    fn after(&self, seconds: u64) -> Now {
        Now {
            at: self.begun + Duration::from_secs(seconds),
            clock: BEGUN + Duration::from_secs(seconds),
        }
    }

    fn lease(&self, name: &str, persons: u32, ends: u64) -> Leased {
        let Now { at, clock } = self.after(ends);
        Leased { name: name.to_owned(), persons, ends: at, expires: clock }
    }
}

fn count(parts: &Parts) -> u32 {
    parts.iter().map(|(_, n)| n).sum()
}

#[test]
fn a_lease_gives_as_many_as_it_has_until_it_ends() {
    let (time, mut ledger) = (Time::new(), Ledger::default());
    assert_eq!(count(&ledger.take(1, time.after(0))), 0);
    ledger.add(time.lease("a", 3, 60));
    let two = ledger.take(2, time.after(1));
    assert_eq!(count(&two), 2);
    assert_eq!(count(&ledger.take(5, time.after(1))), 1);
    assert_eq!(count(&ledger.take(1, time.after(1))), 0);
    // One of the two was not there; it is free again.
    ledger.settle(two, 1);
    assert_eq!(count(&ledger.take(5, time.after(59))), 1);
}

#[test]
fn a_lease_ends_by_whichever_clock_comes_first() {
    let time = Time::new();
    let (early, late) = (time.after(1), time.after(61));
    for now in [
        late,
        // A clock that was set on, and one that was set back.
        Now { at: early.at, clock: late.clock },
        Now { at: late.at, clock: early.clock },
    ] {
        let mut ledger = Ledger::default();
        ledger.add(time.lease("a", 3, 60));
        assert_eq!(count(&ledger.take(1, now)), 0);
        assert_eq!(ledger.ended(now), [("a".to_owned(), 0)]);
        assert!(ledger.ended(early).is_empty());
    }
}

#[test]
fn what_is_under_way_is_not_given_back() {
    let (time, mut ledger) = (Time::new(), Ledger::default());
    ledger.add(time.lease("a", 3, 60));
    let taken = ledger.take(2, time.after(59));
    assert!(ledger.ended(time.after(61)).is_empty());
    assert_eq!(ledger.all(), [("a".to_owned(), 2)]);
    ledger.settle(taken, 1);
    assert_eq!(ledger.ended(time.after(61)), [("a".to_owned(), 1)]);
    // Said until it was heard.
    assert_eq!(ledger.ended(time.after(62)), [("a".to_owned(), 1)]);
    ledger.forget(&["a".to_owned()]);
    assert!(ledger.is_empty(time.after(62)));
}

#[test]
fn that_nobody_is_left_is_remembered_as_long_as_it_is_believed() {
    let (time, mut ledger) = (Time::new(), Ledger::default());
    assert!(ledger.is_empty(time.after(0)));
    ledger.has_nobody(time.after(3600).clock, time.after(0));
    assert!(!ledger.is_empty(time.after(0)));
    assert!(ledger.is_empty(time.after(1)));
}

#[test]
fn a_lease_in_doubt_is_given_back_and_gives_nobody() {
    let (time, mut ledger) = (Time::new(), Ledger::default());
    ledger.doubt("a".to_owned(), time.after(1));
    assert_eq!(count(&ledger.take(1, time.after(0))), 0);
    assert_eq!(ledger.ended(time.after(0)), [("a".to_owned(), 0)]);
    assert_eq!(ledger.all(), [("a".to_owned(), 0)]);
    assert_eq!(ledger.left(), (1, 0));
    ledger.add(time.lease("b", 5, 60));
    let taken = ledger.take(2, time.after(2));
    assert_eq!(ledger.left(), (2, 3));
    ledger.settle(taken, 1);
    assert_eq!(ledger.left(), (2, 4));
    ledger.forget(&["a".to_owned()]);
    assert!(ledger.ended(time.after(2)).is_empty());
}

#[test]
fn no_more_are_given_back_at_once_than_the_contract_takes() {
    let (time, mut ledger) = (Time::new(), Ledger::default());
    for lease in 0..=RETURNED_MAX {
        ledger.add(time.lease(&lease.to_string(), 1, 60));
    }
    ledger.doubt("doubt".to_owned(), time.after(60));
    for left in [2, 0] {
        for back in [ledger.all(), ledger.ended(time.after(61))] {
            assert!((1..=RETURNED_MAX).contains(&back.len()));
        }
        let names: Vec<String> = ledger.all().into_iter().map(|(name, _)| name).collect();
        ledger.forget(&names);
        assert_eq!(ledger.left().0, left);
    }
}

#[test]
fn policy_that_has_nobody_is_asked_again_after_a_second_or_in_the_next_period() {
    let (time, mut ledger) = (Time::new(), Ledger::default());
    let end = time.after(3600).clock;
    ledger.has_nobody(end, time.after(0));
    assert_eq!(ledger.used_up(time.after(0)), Some(end));
    assert_eq!(ledger.used_up(time.after(1)), None);
    assert_eq!(ledger.used_up(Now { at: time.after(0).at, clock: end }), None);
    ledger.has_nobody(end, time.after(5));
    ledger.add(time.lease("a", 1, 60));
    assert_eq!(ledger.used_up(time.after(5)), None);
}

#[test]
fn what_is_asked_for_follows_what_was_needed() {
    let (time, mut ledger) = (Time::new(), Ledger::default());
    assert_eq!(ledger.wanted(1), AT_FIRST);
    assert_eq!(ledger.wanted(101), 101);
    ledger.add(time.lease("a", 1_000, 60));
    ledger.take(700, time.after(1));
    assert_eq!(ledger.wanted(1), 1_400);
    ledger.add(time.lease("b", 1_000, 60));
    assert_eq!(ledger.wanted(1), AT_FIRST);
}

#[derive(Clone, Debug)]
enum Step {
    Lease(u32, u64),
    Take(u32),
    Settle(usize, u32),
    Pass(u64),
    GiveBack,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1_u32..20, 1_u64..60).prop_map(|(persons, life)| Step::Lease(persons, life)),
        (1_u32..15).prop_map(Step::Take),
        (any::<usize>(), 0_u32..15).prop_map(|(which, told)| Step::Settle(which, told)),
        (0_u64..30).prop_map(Step::Pass),
        Just(Step::GiveBack),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    /// Of each lease no more are told of than it has, nobody after its end, and what is given back is what was told of.
    #[test]
    fn i9_no_more_are_told_of_than_were_leased(steps in steps()) {
        let (time, mut ledger, mut now, mut names) = (Time::new(), Ledger::default(), 0, 0);
        let mut leases: BTreeMap<String, (u32, u64)> = BTreeMap::new();
        let mut told: BTreeMap<String, u32> = BTreeMap::new();
        let mut under_way: Vec<Parts> = Vec::new();
        for step in steps {
            match step {
                Step::Lease(persons, life) => {
                    names += 1;
                    let name = names.to_string();
                    ledger.add(time.lease(&name, persons, now + life));
                    leases.insert(name, (persons, now + life));
                }
                Step::Take(most) => {
                    let parts = ledger.take(most, time.after(now));
                    prop_assert!(count(&parts) <= most);
                    for (name, _) in &parts {
                        prop_assert!(now < leases.get(name).unwrap().1);
                    }
                    under_way.push(parts);
                }
                Step::Settle(which, used) if !under_way.is_empty() => {
                    let parts = under_way.swap_remove(which % under_way.len());
                    let used = used.min(count(&parts));
                    let mut rest = used;
                    for (name, taken) in &parts {
                        *told.entry(name.clone()).or_default() += rest.min(*taken);
                        rest -= rest.min(*taken);
                    }
                    ledger.settle(parts, used);
                }
                Step::Settle(..) => {}
                Step::Pass(seconds) => now += seconds,
                Step::GiveBack => {
                    let ended = ledger.ended(time.after(now));
                    for (name, used) in &ended {
                        prop_assert_eq!(*used, told.get(name).copied().unwrap_or_default());
                        prop_assert!(!under_way.iter().flatten().any(|(taken, _)| taken == name));
                    }
                    let gone: Vec<String> = ended.into_iter().map(|(name, _)| name).collect();
                    ledger.forget(&gone);
                }
            }
            for (name, (persons, _)) in &leases {
                let out = under_way.iter().flatten().filter(|(of, _)| of == name);
                let out: u32 = out.map(|(_, n)| n).sum();
                prop_assert!(told.get(name).copied().unwrap_or_default() + out <= *persons);
            }
        }
    }
}
