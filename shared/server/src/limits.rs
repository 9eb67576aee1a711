//! How many calls are under way, or connections open: of one caller, and of all. What is over a limit is refused at
//! once and told when to come again; nothing queues. Our own services and the operator keep a share of their own, so that what agencies
//! ask for in bulk never keeps a record from being made.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::caller::{Caller, Kind};

/// The part of all calls that is kept for our own services and the operator.
const KEPT: usize = 8;
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

    /// A place for a call or connection, if there is one.
    pub(crate) fn enter(self: &Arc<Self>, caller: &Caller) -> Option<Place> {
        self.enter_or_stranger(Some(caller))
    }

    /// The same; all whose certificate names no caller are one.
    pub(crate) fn enter_or_stranger(self: &Arc<Self>, caller: Option<&Caller>) -> Option<Place> {
        let (all, each) = match caller.map(Caller::kind) {
            None | Some(Kind::System { .. }) => (self.all - self.all / KEPT, self.each),
            // A service calls for many callers, each of whom has its own limit where it comes in.
            Some(Kind::Service(_) | Kind::Operator(_)) => (self.all, self.all),
        };
        self.enter_as(caller.map(Caller::id).unwrap_or_default(), all, each)
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
        let of_a: Vec<_> = (0..10).map(|_| limits.enter(&a).unwrap()).collect();
        assert!(limits.enter(&a).is_none(), "the share of one");
        let of_b: Vec<_> = (0..4).map(|_| limits.enter(&b).unwrap()).collect();
        assert!(limits.enter(&b).is_none(), "two of sixteen are kept");
        let service = caller("service/identity");
        let ours: Vec<_> = (0..2).map(|_| limits.enter(&service).unwrap()).collect();
        assert!(limits.enter(&service).is_none(), "the whole");
        drop((of_a, ours));
        assert!(limits.enter(&b).is_some());
        drop(of_b);
        assert!(limits.under_way.lock().unwrap().by_caller.is_empty());
    }
}
