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
/// A service that gave up a part may need that long to begin another.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

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
    while begin < until {
        let end = until.min(begin + length);
        match part(connected, begin, end, agency).await? {
            Ok(answer) => {
                sum.add(&answer, log)?;
                begin = end;
                if length < until - from {
                    say(&format!("counted until {}", moment(end)));
                }
            }
            Err(late) if late.code == "DeadlineExceeded" && length >= SHORTEST * 2 => {
                // Whole seconds, as moments are sent.
                length = Duration::seconds(length.whole_seconds() / 2);
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
