//! How many calls are under way, or connections open: of one caller, and of all. What is over a limit is refused at
//! once and told when to come again; nothing queues. Of calls there are three priorities ([`Priority`]), each of which
//! leaves room for those before it: what is asked for in bulk never keeps a person waiting, and what agencies ask for
//! never keeps a record from being made.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::caller::{Caller, Kind, Priority};

/// The part of all places that is kept for our own services and the operator.
const KEPT: usize = 8;
/// The part that is kept from bulk.
const KEPT_FROM_BULK: usize = 2;
/// Under what name the connections of proxies are counted; no SPIFFE id is that.
const PROXY: &str = "proxy";

/// The limits of a server.
pub(crate) struct Limits {
    all: usize,
    each: usize,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    all: usize,
    by_caller: HashMap<String, usize>,
}

/// A call under way, or an open connection; it ends when this is dropped.
pub(crate) struct Place {
    limits: Arc<Limits>,
    caller: String,
}

impl Limits {
    pub(crate) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { all, each, under_way: Mutex::default() })
    }

    /// A place for a call, if there is one.
    pub(crate) fn enter(self: &Arc<Self>, caller: &Caller, priority: Priority) -> Option<Place> {
        self.enter_of(Some(caller), priority)
    }

    /// A place for a connection, if there is one; all whose certificate names no caller are one.
    pub(crate) fn enter_or_stranger(self: &Arc<Self>, caller: Option<&Caller>) -> Option<Place> {
        self.enter_of(caller, Priority::Administration)
    }

    fn enter_of(self: &Arc<Self>, caller: Option<&Caller>, priority: Priority) -> Option<Place> {
        let (priority, each) = match caller.map(Caller::kind) {
            None | Some(Kind::System { .. }) => (priority.max(Priority::Ordinary), self.each),
            // A service calls for many callers, each of whom has its own limit where it comes in.
            Some(Kind::Service(_) | Kind::Operator(_)) => (priority, self.all),
        };
        let kept = match priority {
            Priority::Administration => 0,
            Priority::Ordinary => self.all / KEPT,
            Priority::Bulk => self.all / KEPT_FROM_BULK,
        };
        self.enter_as(caller.map(Caller::id).unwrap_or_default(), self.all - kept, each)
    }

    /// A place for a connection of the mesh's proxy, which brings the calls of our own services.
    pub(crate) fn enter_proxy(self: &Arc<Self>) -> Option<Place> {
        self.enter_as(PROXY, self.all, self.all)
    }

    fn enter_as(self: &Arc<Self>, id: &str, all: usize, each: usize) -> Option<Place> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let of_caller = under_way.by_caller.get(id).copied().unwrap_or_default();
        if under_way.all >= all || of_caller >= each {
            return None;
        }
        under_way.all += 1;
        *under_way.by_caller.entry(id.to_owned()).or_default() += 1;
        Some(Place { limits: Arc::clone(self), caller: id.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.limits.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.all = under_way.all.saturating_sub(1);
        if let Some(count) = under_way.by_caller.get_mut(&self.caller) {
            *count = count.saturating_sub(1);
            // Callers that are gone are forgotten.
            if *count == 0 {
                under_way.by_caller.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn caller(path: &str) -> Caller {
        Caller::parse(&format!("spiffe://t/{path}"), "t").unwrap()
    }

    #[test]
    fn each_caller_has_its_share_and_agencies_leave_one_to_our_own() {
        let limits = Limits::new(16, 10);
        let (a, b) = (caller("agency/A/system/s"), caller("agency/B/system/s"));
        let of_a: Vec<_> = (0..10).map(|_| limits.enter(&a, Priority::Ordinary).unwrap()).collect();
        assert!(limits.enter(&a, Priority::Ordinary).is_none(), "the share of one");
        let of_b: Vec<_> = (0..4).map(|_| limits.enter(&b, Priority::Ordinary).unwrap()).collect();
        assert!(limits.enter(&b, Priority::Ordinary).is_none(), "two of sixteen are kept");
        let service = caller("service/identity");
        let ours: Vec<_> =
            (0..2).map(|_| limits.enter(&service, Priority::Administration).unwrap()).collect();
        assert!(limits.enter(&service, Priority::Administration).is_none(), "the whole");
        drop((of_a, ours));
        assert!(limits.enter(&b, Priority::Ordinary).is_some());
        drop(of_b);
        assert!(limits.under_way.lock().unwrap().by_caller.is_empty());
    }

    #[test]
    fn a_priority_leaves_room_for_those_before_it() {
        use Priority::{Administration, Bulk, Ordinary};
        // How many of a caller get in where all are of this priority.
        let check = |all: usize, path: &str, priority, expect: usize| {
            let limits = Limits::new(all, all);
            let caller = caller(path);
            let places = std::iter::from_fn(|| limits.enter(&caller, priority));
            assert_eq!(places.collect::<Vec<_>>().len(), expect, "{path} {priority:?} of {all}");
        };
        let (system, service, operator) = ("agency/A/system/s", "service/audit", "operator/7");
        for (priority, of_others, of_ours) in
            [(Administration, 14, 16), (Ordinary, 14, 14), (Bulk, 8, 8)]
        {
            check(16, system, priority, of_others);
            check(16, service, priority, of_ours);
            check(16, operator, priority, of_ours);
            // Of the fewest there can be nothing is kept: each priority has a place.
            check(1, system, priority, 1);
        }
    }
}
