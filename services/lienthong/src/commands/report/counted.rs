//! A period counted in as many parts as it takes: each is asked for by itself, and what they say is put together.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use audit::Histogram;
use contract::audit::v1::{CountAccessesAnswer, CountAccessesRequest, CountedOutcome};
use lienthong::client::{Answered, Refused, time_of, timestamp};
use model::report::{
    Accesses, Availability, Extent, Items, Latency, Outage, Outcome, Refusals, Requests,
};
use time::{Duration, OffsetDateTime};
use tlog::{Checkpoint, LogVerifier};

use super::{
    super::{connection::Connected, evidence, output::say},
    moment, request_id,
};

/// A part that cannot be counted in the time of a call is none because there is so much in it.
const SHORTEST: Duration = Duration::minutes(1);
/// A service that gave up a part, or counts for somebody else, may need that long to begin another.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);
/// How often somebody else may be counted for meanwhile, one after the other.
const TURNS: u32 = 60;

/// Counts the accesses from one moment to another, of an agency or all of them. What takes longer than a call may is halved, and what
/// comes after it is asked for in parts of that length.
pub(super) async fn count(
    connected: &Connected,
    log: &LogVerifier,
    from: OffsetDateTime,
    until: OffsetDateTime,
    agency: &str,
) -> Result<Result<Sum, Refused>> {
    let (mut sum, mut begin, mut length) = (Sum::default(), from, until - from);
    let mut turns = TURNS;
    while begin < until {
        let end = until.min(begin + length);
        match part(connected, begin, end, agency).await? {
            Ok(answer) => {
                sum.add(&answer, log)?;
                (begin, turns) = (end, TURNS);
                if length < until - from {
                    say(&format!("counted until {}", moment(end)));
                }
            }
            Err(late) if late.code == "DeadlineExceeded" && length >= SHORTEST * 2 => {
                // Whole seconds, as moments are sent.
                length = Duration::seconds(length.whole_seconds() / 2);
                tokio::time::sleep(PAUSE).await;
            }
            // Not of the first one: whoever asks for one alone is told at once.
            Err(busy) if busy.reason == "OVERLOADED" && begin > from && turns > 0 => {
                turns -= 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(refused) => return Ok(Err(refused)),
        }
    }
    Ok(Ok(sum))
}

async fn part(
    connected: &Connected,
    from: OffsetDateTime,
    until: OffsetDateTime,
    agency: &str,
) -> Result<Result<CountAccessesAnswer, Refused>> {
    let request = CountAccessesRequest {
        from_time: Some(timestamp(from)),
        until_time: Some(timestamp(until)),
        agency: agency.to_owned(),
        request_id: request_id(),
    };
    let counted = connected.client.count_accesses(&request).await?;
    let checked = |answered: Answered<CountAccessesAnswer>| {
        evidence::check(&answered, connected, None)?;
        Ok(answered.answer)
    };
    counted.map_or_else(|refused| Ok(Err(refused)), |answered| checked(answered).map(Ok))
}

/// What the parts say together.
#[derive(Default)]
pub(super) struct Sum {
    /// The smallest checkpoint that a part begins at, and the largest one that a part ends at, each with its text.
    extent: Option<[(Checkpoint, String); 2]>,
    records: u64,
    erased: u64,
    requests: BTreeMap<(String, String, String, String, Outcome), u64>,
    items: BTreeMap<(String, String, String), (u64, u64)>,
    refusals: BTreeMap<(String, String), u64>,
    latencies: BTreeMap<String, Histogram>,
    known_from: Option<OffsetDateTime>,
    /// By their beginnings, none touches another.
    outages: Vec<(OffsetDateTime, OffsetDateTime)>,
}

impl Sum {
    /// Adds the next part.
    fn add(&mut self, answer: &CountAccessesAnswer, log: &LogVerifier) -> Result<()> {
        let signed = |note: &str| {
            let checkpoint = log.verify(note).context("a checkpoint cannot be trusted")?;
            anyhow::Ok((checkpoint, note.to_owned()))
        };
        let [first, last] = [signed(&answer.first_checkpoint)?, signed(&answer.last_checkpoint)?];
        ensure!(first.0.size <= last.0.size, "the checkpoints are in the wrong order");
        self.extent = Some(match self.extent.take() {
            None => [first, last],
            Some([began, ended]) => [
                if first.0.size < began.0.size { first } else { began },
                if last.0.size > ended.0.size { last } else { ended },
            ],
        });
        for one in &answer.latencies {
            let classes: u64 = one.classes.iter().map(|class| class.requests).sum();
            ensure!(
                classes == one.requests,
                "the service is older than this program: it says no classes of latencies"
            );
        }
        self.records += answer.records;
        self.erased += answer.erased;
        self.add_figures(answer);
        self.known_from = self.known_from.or_else(|| time_of(answer.known_from_time));
        for outage in &answer.outages {
            let Some((from, until)) = time_of(outage.from_time).zip(time_of(outage.until_time))
            else {
                continue;
            };
            match self.outages.last_mut() {
                // One that goes on from the part before.
                Some((_, ended)) if *ended == from => *ended = until,
                Some(_) | None => self.outages.push((from, until)),
            }
        }
        Ok(())
    }

    fn add_figures(&mut self, answer: &CountAccessesAnswer) {
        for one in &answer.requests {
            let (agency, purpose) = (one.agency.clone(), one.purpose.clone());
            let key =
                (one.month.clone(), one.operation.clone(), agency, purpose, outcome(one.outcome()));
            *self.requests.entry(key).or_default() += one.requests;
        }
        for one in &answer.items {
            let key = (one.item.clone(), one.agency.clone(), one.purpose.clone());
            let (disclosed, withheld) = self.items.entry(key).or_default();
            *disclosed += one.disclosed;
            *withheld += one.withheld;
        }
        for one in &answer.refusals {
            let reason = server::error::name(one.reason()).to_owned();
            *self.refusals.entry((one.agency.clone(), reason)).or_default() += one.requests;
        }
        for one in &answer.latencies {
            let took = self.latencies.entry(one.operation.clone()).or_default();
            one.classes.iter().for_each(|class| took.add(class.most_microseconds, class.requests));
        }
    }

    /// Which part of the log was counted, by checkpoints that its key has signed.
    pub(super) fn extent(&self, until: OffsetDateTime) -> Result<Extent> {
        let [(first, first_note), (last, last_note)] =
            self.extent.as_ref().context("nothing was counted")?;
        Ok(Extent {
            origin: last.origin.clone(),
            first: first_note.clone(),
            first_size: first.size,
            last: last_note.clone(),
            last_size: last.size,
            until: moment(until),
            records: self.records,
            erased: self.erased,
        })
    }

    /// What was asked, allowed and given, ordered as `audit` orders it.
    pub(super) fn accesses(&self) -> Accesses {
        let requests = |(key, requests): (&(String, String, String, String, Outcome), &u64)| {
            let (month, operation, agency, purpose, outcome) = key.clone();
            Requests { month, operation, agency, purpose, outcome, requests: *requests }
        };
        let items = |(key, counts): (&(String, String, String), &(u64, u64))| {
            let ((item, agency, purpose), (disclosed, withheld)) = (key.clone(), *counts);
            Items { vi: item.clone(), item, agency, purpose, disclosed, withheld }
        };
        let refusals = |((agency, reason), requests): (&(String, String), &u64)| Refusals {
            agency: agency.clone(),
            reason: reason.clone(),
            requests: *requests,
        };
        let latency =
            |(operation, took): (&String, &Histogram)| -> Latency { took.told(operation) };
        Accesses {
            requests: self.requests.iter().map(requests).collect(),
            items: self.items.iter().map(items).collect(),
            refusals: self.refusals.iter().map(refusals).collect(),
            latency: self.latencies.iter().map(latency).collect(),
        }
    }

    /// For how long something could be given.
    pub(super) fn availability(&self, until: OffsetDateTime) -> Availability {
        let Some(known_from) = self.known_from else { return Availability::default() };
        let seconds = |from: OffsetDateTime, until: OffsetDateTime| {
            u64::try_from((until - from).whole_seconds()).unwrap_or(0)
        };
        let outage = |&(from, until): &(OffsetDateTime, OffsetDateTime)| Outage {
            from: moment(from),
            until: moment(until),
            seconds: seconds(from, until),
        };
        let outages: Vec<Outage> = self.outages.iter().map(outage).collect();
        let known = seconds(known_from, until);
        let away: u64 = outages.iter().map(|outage| outage.seconds).sum();
        Availability {
            known_from: moment(known_from),
            known_seconds: known,
            available_seconds: known.saturating_sub(away),
            outages,
        }
    }
}

/// What a service says that this program does not know is nothing that was given.
fn outcome(outcome: CountedOutcome) -> Outcome {
    match outcome {
        CountedOutcome::Answered => Outcome::Answered,
        CountedOutcome::NoMatch => Outcome::NoMatch,
        CountedOutcome::Refused | CountedOutcome::Unspecified => Outcome::Refused,
        CountedOutcome::Contributed => Outcome::Contributed,
        CountedOutcome::Rejected => Outcome::Rejected,
        CountedOutcome::Administered => Outcome::Administered,
        CountedOutcome::Shed => Outcome::Shed,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use contract::{
        audit::v1::{ItemCount, LatencyClass, LatencyCount, RefusalCount, RequestCount, Stretch},
        r#type::v1::ErrorReason,
    };
    use time::macros::datetime;
    use tlog::LogSigner;

    use super::*;

    const BEGAN: OffsetDateTime = datetime!(2026-06-15 00:00 +7);

    fn signer() -> LogSigner {
        LogSigner::from_seed("example.com/log", [7; 32]).unwrap()
    }

    /// Of some minutes: each figure is `one`, and an outage goes from and until these seconds.
    fn part(one: u64, sizes: (u64, u64), outage: (i64, i64)) -> CountAccessesAnswer {
        let note = |size| signer().sign(size, &[size.to_be_bytes()[7]; 32]).unwrap();
        let at = |seconds| Some(timestamp(BEGAN + Duration::seconds(seconds)));
        let agency = "Z02.TEST".to_owned();
        let classes = vec![
            LatencyClass { most_microseconds: 1_023, requests: one },
            LatencyClass { most_microseconds: 2_047, requests: 1 },
        ];
        CountAccessesAnswer {
            first_checkpoint: note(sizes.0),
            last_checkpoint: note(sizes.1),
            records: one,
            erased: 1,
            requests: vec![RequestCount {
                month: "2026-06".to_owned(),
                operation: "a".to_owned(),
                agency: agency.clone(),
                outcome: CountedOutcome::Answered.into(),
                requests: one,
                ..RequestCount::default()
            }],
            items: vec![ItemCount {
                item: "sex".to_owned(),
                agency: agency.clone(),
                disclosed: one,
                withheld: 1,
                ..ItemCount::default()
            }],
            refusals: vec![RefusalCount {
                agency,
                reason: ErrorReason::Overloaded.into(),
                requests: one,
            }],
            latencies: vec![LatencyCount {
                operation: "a".to_owned(),
                requests: one + 1,
                classes,
                ..LatencyCount::default()
            }],
            known_from_time: at(60),
            outages: vec![Stretch { from_time: at(outage.0), until_time: at(outage.1) }],
            ..CountAccessesAnswer::default()
        }
    }

    #[test]
    fn parts_add_up_and_an_outage_across_their_border_is_one() {
        let log = LogVerifier::new(signer().verifier_key()).unwrap();
        let mut sum = Sum::default();
        // A record of the first part came late, behind the second part's first one.
        sum.add(&part(3, (4, 9), (400, 600)), &log).unwrap();
        sum.add(&part(5, (7, 12), (600, 700)), &log).unwrap();
        let until = BEGAN + Duration::seconds(1_060);
        let extent = sum.extent(until).unwrap();
        assert_eq!((extent.first_size, extent.last_size), (4, 12));
        assert_eq!((extent.records, extent.erased), (8, 2));
        let Accesses { requests, items, refusals, latency } = sum.accesses();
        assert_eq!(requests.iter().map(|one| one.requests).collect::<Vec<_>>(), [8]);
        assert_eq!((items.len(), items[0].disclosed, items[0].withheld), (1, 8, 2));
        let refused = Refusals {
            agency: "Z02.TEST".to_owned(),
            reason: "OVERLOADED".to_owned(),
            requests: 8,
        };
        assert_eq!(refusals, [refused]);
        assert_eq!((latency[0].requests, latency[0].p50_us, latency[0].p99_us), (10, 1_023, 2_047));
        let availability = sum.availability(until);
        assert_eq!((availability.known_seconds, availability.available_seconds), (1_000, 700));
        let outages: Vec<u64> = availability.outages.iter().map(|one| one.seconds).collect();
        assert_eq!(outages, [300]);
    }

    #[test]
    fn a_part_that_was_not_signed_or_says_no_classes_is_not_added() {
        let log = LogVerifier::new(signer().verifier_key()).unwrap();
        let good = part(3, (4, 9), (400, 600));
        let unsigned = CountAccessesAnswer { last_checkpoint: "x".to_owned(), ..good.clone() };
        let mut classless = good.clone();
        classless.latencies[0].classes.clear();
        let swapped = part(3, (9, 4), (400, 600));
        for bad in [unsigned, classless, swapped] {
            assert!(Sum::default().add(&bad, &log).is_err());
        }
        Sum::default().add(&good, &log).unwrap();
    }
}
