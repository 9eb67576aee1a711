//! What the reports of Articles 3(1)(dd) and 3(4)(dd) count of the log: record by record, and of each what whoever asked was told. Pure;
//! whoever holds the opened records counts the same.

use std::collections::BTreeMap;

use model::report::{Accesses, Items, Latency, Outcome, Refusals, Requests};
use time::{OffsetDateTime, macros::offset};

/// How contribution hands on to the register.
const APPLY: &str = "lienthong.register.v1.RegisterService/Apply";
const CONSENTS: &str = "lienthong.identity.v1.ConsentService/";

/// What is counted of a record, as it was read.
pub(crate) struct Seen {
    pub(crate) outcome: Outcome,
    pub(crate) purpose: String,
    /// Each item of an answer, and whether it was given out.
    pub(crate) items: Vec<(String, bool)>,
    /// Why it was refused, as on the wire; empty where it was not.
    pub(crate) reason: String,
    /// How many calls the record stands for.
    pub(crate) calls: u64,
    /// 0 where nobody waited.
    pub(crate) took_us: u64,
}

/// Counts records.
#[derive(Default)]
pub struct Figures {
    requests: BTreeMap<(String, String, String, String, Outcome), u64>,
    items: BTreeMap<(String, String, String), (u64, u64)>,
    refusals: BTreeMap<(String, String), u64>,
    latencies: BTreeMap<String, Histogram>,
}

impl Figures {
    /// Counts the record of a time, in milliseconds since 1970, by its context and the bytes of its `DecisionRecord`. False where they
    /// are none.
    pub fn add(&mut self, time_ms: u64, context: &str, decision: &[u8]) -> bool {
        let parts = operation(context).zip(month(time_ms)).zip(crate::api::seen(decision));
        let Some(((operation, month), seen)) = parts else { return false };
        let Seen { outcome, purpose, items, reason, calls, took_us } = seen;
        let agency = agency_of(context);
        if operation == APPLY {
            // What the register notes of a contribution that is counted as one already.
            return true;
        }
        // Of what somebody consents to nothing is asked for.
        let items = if operation.starts_with(CONSENTS) { Vec::new() } else { items };
        for (item, disclosed) in items {
            let key = (item, agency.to_owned(), purpose.clone());
            let (given, kept) = self.items.entry(key).or_default();
            *(if disclosed { given } else { kept }) += 1;
        }
        if !reason.is_empty() {
            *self.refusals.entry((agency.to_owned(), reason)).or_default() += calls;
        }
        if took_us > 0 {
            self.latencies.entry(operation.to_owned()).or_default().add(took_us, 1);
        }
        let key = (month, operation.to_owned(), agency.to_owned(), purpose, outcome);
        *self.requests.entry(key).or_default() += calls;
        true
    }

    /// How many requests of each operation took how long.
    pub(crate) fn latencies(&self) -> &BTreeMap<String, Histogram> {
        &self.latencies
    }

    /// What was counted.
    #[must_use]
    pub fn counted(self) -> Accesses {
        let requests = self.requests.into_iter().map(
            |((month, operation, agency, purpose, outcome), requests)| Requests {
                month,
                operation,
                agency,
                purpose,
                outcome,
                requests,
            },
        );
        let items =
            self.items.into_iter().map(|((item, agency, purpose), (disclosed, withheld))| Items {
                vi: item.clone(),
                item,
                agency,
                purpose,
                disclosed,
                withheld,
            });
        let refusals = self.refusals.into_iter();
        let refusals =
            refusals.map(|((agency, reason), requests)| Refusals { agency, reason, requests });
        let latency = self.latencies.iter().map(|(operation, took)| took.told(operation));
        Accesses {
            requests: requests.collect(),
            items: items.collect(),
            refusals: refusals.collect(),
            latency: latency.collect(),
        }
    }
}

/// The code of the agency whose system called, by the context of a record; empty where no system did.
#[must_use]
pub fn agency_of(context: &str) -> &str {
    let caller = context.lines().nth(1).unwrap_or_default();
    let path = caller.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/'));
    let agency = path.and_then(|(_, path)| path.strip_prefix("agency/"));
    agency.and_then(|rest| rest.split_once('/')).map_or("", |(agency, _)| agency)
}

fn operation(context: &str) -> Option<&str> {
    context.lines().next()?.strip_prefix('/')
}

/// The month in Viet Nam, as in `2026-01`.
fn month(time_ms: u64) -> Option<String> {
    let seconds = i64::try_from(time_ms / 1_000).ok()?;
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?.to_offset(offset!(+7));
    Some(format!("{:04}-{:02}", time.year(), u8::from(time.month())))
}

/// Durations in classes, sixteen for each doubling. Those of several periods can be put together.
#[derive(Debug, Default)]
pub struct Histogram {
    classes: BTreeMap<u64, u64>,
}

/// Sub-classes of a doubling, as a power of two.
const FINE: u32 = 4;

impl Histogram {
    /// Adds so many durations of microseconds in the class of this one.
    pub fn add(&mut self, took: u64, requests: u64) {
        *self.classes.entry(upper(took)).or_default() += requests;
    }

    /// The upper bound of each class that has any, and how many, from the fastest on.
    pub fn classes(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.classes.iter().map(|(upper, requests)| (*upper, *requests))
    }

    /// What the reports say of an operation's.
    #[must_use]
    pub fn told(&self, operation: &str) -> Latency {
        Latency {
            operation: operation.to_owned(),
            requests: self.classes.values().sum(),
            p50_us: self.quantile(50),
            p95_us: self.quantile(95),
            p99_us: self.quantile(99),
        }
    }

    /// The upper bound of the class in which so many of a hundred have ended.
    fn quantile(&self, percent: u64) -> u64 {
        let all: u128 = self.classes.values().copied().map(u128::from).sum();
        let wanted = (all * u128::from(percent)).div_ceil(100);
        let mut ended = 0;
        let class = self.classes.iter().find(|(_, count)| {
            ended += u128::from(**count);
            ended >= wanted
        });
        class.map_or(0, |(upper, _)| *upper)
    }
}

/// The largest value of the class that a value is in.
fn upper(value: u64) -> u64 {
    let coarse = value.checked_ilog2().unwrap_or(0).saturating_sub(FINE);
    value | ((1 << coarse) - 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_class_is_at_most_a_sixteenth_wide(value in any::<u64>()) {
            let upper = upper(value);
            prop_assert!(upper >= value);
            prop_assert!(upper - value <= value / 16);
            prop_assert_eq!(super::upper(upper), upper);
        }

        #[test]
        fn a_quantile_is_not_below_that_of_the_values(mut took in prop::collection::vec(1_u64..10_000_000, 1..200)) {
            let mut histogram = Histogram::default();
            took.iter().for_each(|took| histogram.add(*took, 1));
            took.sort_unstable();
            for percent in [50, 95, 99] {
                let exact = *took.get((took.len() * percent).div_ceil(100) - 1).unwrap();
                let told = histogram.quantile(percent as u64);
                prop_assert!(exact <= told && told - exact <= exact / 16);
            }
        }
    }

    proptest! {
        #[test]
        fn parts_put_together_by_their_classes_are_the_whole(took in prop::collection::vec(1_u64..10_000_000, 0..200), cut in 0_usize..200) {
            let [mut whole, mut parts] = [Histogram::default(), Histogram::default()];
            took.iter().for_each(|took| whole.add(*took, 1));
            for part in [took.get(..cut).unwrap_or(&took), took.get(cut..).unwrap_or_default()] {
                let mut one = Histogram::default();
                part.iter().for_each(|took| one.add(*took, 1));
                one.classes().for_each(|(upper, requests)| parts.add(upper, requests));
            }
            prop_assert_eq!(whole.told("x"), parts.told("x"));
        }
    }

    #[test]
    fn the_agency_is_that_of_a_system() {
        for (context, agency) in [
            ("/a.B/C\nspiffe://x.test/agency/Z02.DEMO/system/bhyt\n", "Z02.DEMO"),
            ("/a.B/C\nspiffe://x.test/operator/can-bo-01\n", ""),
            ("/a.B/C\nspiffe://x.test/service/exchange\n", ""),
            ("/a.B/C\n", ""),
            ("", ""),
        ] {
            assert_eq!(agency_of(context), agency);
        }
    }

    #[test]
    fn a_month_begins_at_midnight_in_viet_nam() {
        // 31 December 2025, 17:00 UTC.
        assert_eq!(month(1_767_200_400_000).unwrap(), "2026-01");
        assert_eq!(month(1_767_200_399_999).unwrap(), "2025-12");
    }
}
