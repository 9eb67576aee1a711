//! What the access log says of a period.

use anyhow::{Context as _, Result};
use contract::audit::v1::{
    CountAccessesAnswer, CountAccessesRequest, CountedOutcome, ItemCount, LatencyCount,
    RefusalCount, RequestCount, Stretch,
};
use lienthong::client::{time_of, timestamp};
use model::report::{
    Accesses, Availability, Extent, Items, Latency, Outage, Outcome, Refusals, Requests,
};
use time::OffsetDateTime;
use tlog::LogVerifier;

use super::{moment, period::Asked};

pub(super) fn request(
    asked: &Asked,
    until: OffsetDateTime,
    agency: &str,
    request_id: String,
) -> CountAccessesRequest {
    let time = |at: OffsetDateTime| Some(timestamp(at));
    CountAccessesRequest {
        from_time: time(asked.from),
        until_time: time(until),
        agency: agency.to_owned(),
        request_id,
    }
}

/// Which part of the log was counted, by checkpoints that its key has signed.
pub(super) fn extent(
    answer: &CountAccessesAnswer,
    log: &LogVerifier,
    until: OffsetDateTime,
) -> Result<Extent> {
    let signed = |note: &str| log.verify(note).context("a checkpoint cannot be trusted");
    let first = signed(&answer.first_checkpoint)?;
    let last = signed(&answer.last_checkpoint)?;
    anyhow::ensure!(first.size <= last.size, "the checkpoints are in the wrong order");
    Ok(Extent {
        origin: last.origin,
        first: answer.first_checkpoint.clone(),
        first_size: first.size,
        last: answer.last_checkpoint.clone(),
        last_size: last.size,
        until: moment(until),
        records: answer.records,
        erased: answer.erased,
    })
}

pub(super) fn accesses(answer: &CountAccessesAnswer) -> Accesses {
    let requests = |counted: &RequestCount| Requests {
        month: counted.month.clone(),
        operation: counted.operation.clone(),
        agency: counted.agency.clone(),
        purpose: counted.purpose.clone(),
        outcome: outcome(counted.outcome()),
        requests: counted.requests,
    };
    let items = |counted: &ItemCount| Items {
        item: counted.item.clone(),
        vi: counted.item.clone(),
        agency: counted.agency.clone(),
        purpose: counted.purpose.clone(),
        disclosed: counted.disclosed,
        withheld: counted.withheld,
    };
    let refusals = |counted: &RefusalCount| Refusals {
        agency: counted.agency.clone(),
        reason: server::error::name(counted.reason()).to_owned(),
        requests: counted.requests,
    };
    let latency = |counted: &LatencyCount| Latency {
        operation: counted.operation.clone(),
        requests: counted.requests,
        p50_us: counted.p50_microseconds,
        p95_us: counted.p95_microseconds,
        p99_us: counted.p99_microseconds,
    };
    Accesses {
        requests: answer.requests.iter().map(requests).collect(),
        items: answer.items.iter().map(items).collect(),
        refusals: answer.refusals.iter().map(refusals).collect(),
        latency: answer.latencies.iter().map(latency).collect(),
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

pub(super) fn availability(answer: &CountAccessesAnswer, until: OffsetDateTime) -> Availability {
    let Some(known_from) = time_of(answer.known_from_time) else {
        return Availability::default();
    };
    let outages: Vec<Outage> = answer.outages.iter().filter_map(outage).collect();
    let known = u64::try_from((until - known_from).whole_seconds()).unwrap_or(0);
    let away: u64 = outages.iter().map(|outage| outage.seconds).sum();
    Availability {
        known_from: moment(known_from),
        known_seconds: known,
        available_seconds: known.saturating_sub(away),
        outages,
    }
}

fn outage(stretch: &Stretch) -> Option<Outage> {
    let (from, until) = (time_of(stretch.from_time)?, time_of(stretch.until_time)?);
    let seconds = u64::try_from((until - from).whole_seconds()).ok()?;
    Some(Outage { from: moment(from), until: moment(until), seconds })
}
