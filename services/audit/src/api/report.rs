//! ReportService: what was asked, allowed and given in a period; recorded like any access, in the log that it is counted from.

use std::sync::Arc;

use contract::{
    audit::v1::{
        AccessOutcome, AppendRequest, AppendResponse, CountAccessesAnswer, CountAccessesRequest,
        CountAccessesResponse, CountedOutcome, DecisionRecord, ItemCount, ItemRecord, LatencyClass,
        LatencyCount, Refusal, RefusalCount, RequestCount, Stretch,
    },
    r#type::v1::{ErrorReason, FieldFault},
};
use disclosure::{
    Access, Answer, Asked, Disclosed, DurableReceipt, Exact, Recorder, Released,
    audit::v1::report_service_server::{ReportService, ReportServiceServer},
};
use model::report::{Accesses, Outcome};
use prost::Message;
use prost_types::Timestamp;
use server::{
    Caller, Deadline,
    caller::Kind,
    error::{self, Violation, invalid, overloaded, refuse, refuse_with},
};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, service::Routes};

use super::{COME_AGAIN, append, log::unavailable};
use crate::{
    Error, Service,
    count::{Counted, Wanted},
    figures::Seen,
};

const COUNT: &str = "/lienthong.audit.v1.ReportService/CountAccesses";
const REQUEST_ID_MAX: usize = 40;
/// The ground of reporting at all.
const REPORTING: &str = "Decision 1911/QD-TTg, Art. 3(1)(dd), 3(4)(dd)";

/// Adds what everybody calls.
pub(super) fn add(service: &Service, routes: Routes) -> Routes {
    let inner = &service.0;
    let (verifier, clock) = (inner.keys.verifier.clone(), inner.clock.clone());
    let log = Arc::new(service.clone());
    let recorder = Recorder::beside(log, verifier, clock, inner.entropy.clone());
    // To count is to open records by the thousand. No agency keeps an auditor waiting, and they are counted one after the other.
    let turns = [(); 2].map(|()| Arc::new(Semaphore::new(1)));
    let reports = Reports { service: service.clone(), recorder, turns };
    routes.add_service(ReportServiceServer::new(reports))
}

struct Reports {
    service: Service,
    recorder: Recorder,
    /// The auditors' and the agencies'.
    turns: [Arc<Semaphore>; 2],
}

#[tonic::async_trait]
impl disclosure::Log for Service {
    async fn append(
        &self,
        _deadline: Deadline,
        record: AppendRequest,
    ) -> Result<AppendResponse, Status> {
        append(self, record).await
    }
}

#[tonic::async_trait]
impl ReportService for Reports {
    async fn count_accesses(
        &self,
        request: Request<Exact<CountAccessesRequest>>,
    ) -> Result<Response<Released<CountAccessesResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, COUNT)?;
        let call = Call { reports: self, caller, deadline, asked: exact.asked() };
        Ok(Response::new(call.count(exact.message()).await?.into()))
    }
}

struct Call<'a> {
    reports: &'a Reports,
    caller: Caller,
    deadline: Deadline,
    asked: Asked<'a>,
}

impl Call<'_> {
    async fn count(
        &self,
        request: &CountAccessesRequest,
    ) -> Result<Disclosed<CountAccessesAnswer>, Status> {
        let Reports { service, turns: [auditors, agencies], .. } = self.reports;
        if let Some(not_signed) = self.asked.presented().refusal(None) {
            return Err(self.refuse(not_signed.reason, not_signed.rule).await?);
        }
        let audits = service.is_auditor(self.caller.id());
        if !self.may_ask_of(&request.agency) {
            return Err(self.refuse(ErrorReason::MethodNotAllowed, "own-agency").await?);
        }
        let wanted = match wanted(request, service.0.clock.now_ms()) {
            Ok(wanted) => wanted,
            Err(faults) => {
                self.refuse(ErrorReason::InvalidRequest, "faulty-fields").await?;
                return Err(invalid(faults));
            }
        };
        let turn = if audits { auditors } else { agencies };
        let Ok(turn) = Arc::clone(turn).try_acquire_owned() else {
            self.refuse(ErrorReason::Overloaded, "one-at-a-time").await?;
            return Err(overloaded(COME_AGAIN));
        };
        let counting = {
            let (service, time) = (service.clone(), self.deadline.left());
            // In a task that has the turn, so that it is given back when the work has ended, and not when whoever asked went away.
            tokio::spawn(async move {
                let counted = tokio::time::timeout(time, service.count(&wanted)).await;
                drop(turn);
                counted
            })
        };
        let counted = match counting.await {
            Ok(Ok(Err(Error::Pruned(_)))) => {
                self.refuse(ErrorReason::InvalidRequest, "archived").await?;
                return Err(invalid(vec![archived()]));
            }
            Ok(Ok(counted)) => counted.map_err(unavailable)?,
            Ok(Err(_)) => return Err(refuse(ErrorReason::DeadlineExceeded)),
            Err(_) => return Err(refuse(ErrorReason::Internal)),
        };
        let mut figures = answer(counted, request.request_id.clone());
        if !audits {
            // Of one request of its own it would tell how long the register took for somebody who is hidden (I7).
            figures.latencies.clear();
        }
        let answer = Answer::new(&figures);
        let record = DecisionRecord {
            outcome: AccessOutcome::Administered.into(),
            ..DecisionRecord::default()
        };
        let receipt = self.record(&record, &answer).await?;
        Disclosed::new(answer, receipt).map_err(|error| error.refusal(self.deadline))
    }

    /// An agency about its own systems, an auditor about all.
    fn may_ask_of(&self, agency: &str) -> bool {
        let own = match self.caller.kind() {
            Kind::System { agency: own, .. } => own == agency,
            Kind::Operator(_) | Kind::Service(_) => false,
        };
        own || self.reports.service.is_auditor(self.caller.id())
    }

    async fn refuse(&self, reason: ErrorReason, rule: &str) -> Result<Status, Status> {
        let record = DecisionRecord {
            outcome: AccessOutcome::Refused.into(),
            reason: reason.into(),
            ..DecisionRecord::default()
        };
        let refusal = Refusal {
            reason: reason.into(),
            rule: rule.to_owned(),
            article: REPORTING.to_owned(),
            ..Refusal::default()
        };
        let receipt = self.record(&record, &Answer::new(&refusal)).await?;
        let metadata = [
            ("rule", rule.to_owned()),
            ("article", REPORTING.to_owned()),
            ("record_index", receipt.index().to_string()),
        ];
        Ok(refuse_with(reason, &metadata))
    }

    async fn record<T: Message>(
        &self,
        record: &DecisionRecord,
        answer: &Answer<T>,
    ) -> Result<DurableReceipt, Status> {
        let access = Access { method: COUNT, caller: &self.caller, asked: self.asked, basis: None };
        let recorded = self.reports.recorder.record(self.deadline, &access, record, answer).await;
        recorded.map_err(|error| error.refusal(self.deadline))
    }
}

/// What is to be counted, or every faulty field.
fn wanted(request: &CountAccessesRequest, now_ms: u64) -> Result<Wanted, Vec<Violation>> {
    let mut faults = Vec::new();
    let mut moment = |field: &str, time: Option<&Timestamp>| {
        let Some(time) = time else {
            faults.push(Violation::new(
                field,
                FieldFault::Missing,
                "bắt buộc phải có",
                "is required",
            ));
            return None;
        };
        let ms = milliseconds(time);
        if ms.is_none() {
            faults.push(Violation::new(
                field,
                FieldFault::Malformed,
                "phải là thời điểm từ năm 1970, tròn mili giây",
                "must be a moment since 1970, in whole milliseconds",
            ));
        }
        ms
    };
    let from = moment("from_time", request.from_time.as_ref());
    let until = moment("until_time", request.until_time.as_ref());
    if let (Some(from), Some(until)) = (from, until)
        && !(from < until && until <= now_ms)
    {
        faults.push(Violation::new(
            "until_time",
            FieldFault::NotAllowed,
            "phải sau from_time và không ở tương lai",
            "must be after from_time and not in the future",
        ));
    }
    let id = &request.request_id;
    if id.is_empty() {
        faults.push(Violation::new(
            "request_id",
            FieldFault::Missing,
            "bắt buộc phải có",
            "is required",
        ));
    } else if id.chars().count() > REQUEST_ID_MAX {
        faults.push(Violation::new("request_id", FieldFault::TooLong, "quá dài", "is too long"));
    }
    match (from, until) {
        (Some(from_ms), Some(until_ms)) if faults.is_empty() => {
            Ok(Wanted { from_ms, until_ms, agency: request.agency.clone() })
        }
        _ => Err(faults),
    }
}

/// Records of the period were pruned.
fn archived() -> Violation {
    Violation::new(
        "from_time",
        FieldFault::NotAllowed,
        "thuộc thời gian đã chuyển vào lưu trữ; kiểm đếm từ bản lưu trữ bằng `lienthong report verify`",
        "reaches back to records that are archived: what was reported of them is counted again from the archive, by `lienthong report verify`",
    )
}

fn milliseconds(time: &Timestamp) -> Option<u64> {
    let (seconds, nanos) = (u64::try_from(time.seconds).ok()?, u32::try_from(time.nanos).ok()?);
    let whole = nanos < 1_000_000_000 && nanos.is_multiple_of(1_000_000);
    let ms = seconds.checked_mul(1_000)?.checked_add(u64::from(nanos / 1_000_000))?;
    // As far as the log's times go.
    (whole && i64::try_from(ms).is_ok()).then_some(ms)
}

fn timestamp(ms: u64) -> Timestamp {
    let seconds = i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
    Timestamp { seconds, nanos: i32::try_from(ms % 1_000 * 1_000_000).unwrap_or(0) }
}

fn answer(counted: Counted, request_id: String) -> CountAccessesAnswer {
    let Counted { first, last, records, erased, accesses, classes, known_from_ms, outages } =
        counted;
    let Accesses { requests, items, refusals, latency } = accesses;
    let stretch = |(from, until)| Stretch {
        from_time: Some(timestamp(from)),
        until_time: Some(timestamp(until)),
    };
    CountAccessesAnswer {
        first_checkpoint: first,
        last_checkpoint: last,
        records,
        erased,
        requests: requests
            .into_iter()
            .map(|counted| RequestCount {
                outcome: told(counted.outcome).into(),
                month: counted.month,
                operation: counted.operation,
                agency: counted.agency,
                purpose: counted.purpose,
                requests: counted.requests,
            })
            .collect(),
        items: items
            .into_iter()
            .map(|counted| ItemCount {
                item: counted.item,
                agency: counted.agency,
                purpose: counted.purpose,
                disclosed: counted.disclosed,
                withheld: counted.withheld,
            })
            .collect(),
        refusals: refusals
            .into_iter()
            .map(|counted| RefusalCount {
                agency: counted.agency,
                reason: error::named(&counted.reason).unwrap_or_default().into(),
                requests: counted.requests,
            })
            .collect(),
        latencies: latency
            .into_iter()
            .zip(classes)
            .map(|(counted, classes)| LatencyCount {
                operation: counted.operation,
                requests: counted.requests,
                p50_microseconds: counted.p50_us,
                p95_microseconds: counted.p95_us,
                p99_microseconds: counted.p99_us,
                classes: classes
                    .into_iter()
                    .map(|(most_microseconds, requests)| LatencyClass {
                        most_microseconds,
                        requests,
                    })
                    .collect(),
            })
            .collect(),
        known_from_time: known_from_ms.map(timestamp),
        outages: outages.into_iter().map(stretch).collect(),
        request_id,
    }
}

fn told(outcome: Outcome) -> CountedOutcome {
    match outcome {
        Outcome::Answered => CountedOutcome::Answered,
        Outcome::NoMatch => CountedOutcome::NoMatch,
        Outcome::Refused => CountedOutcome::Refused,
        Outcome::Contributed => CountedOutcome::Contributed,
        Outcome::Rejected => CountedOutcome::Rejected,
        Outcome::Administered => CountedOutcome::Administered,
        Outcome::Shed => CountedOutcome::Shed,
    }
}

/// The rule of an item that the catalogue does not have.
const UNLISTED: &str = "item-catalogue";
/// As what such items are counted, all of them.
const UNKNOWN: &str = "unknown";

/// What is counted of a decision record; nothing where it is none.
pub(crate) fn seen(decision: &[u8]) -> Option<Seen> {
    let record = DecisionRecord::decode(decision).ok()?;
    let outcome = match record.outcome() {
        AccessOutcome::Answered => Outcome::Answered,
        // One and the same to whoever asked (I7).
        AccessOutcome::Absent
        | AccessOutcome::ClaimsDiffer
        | AccessOutcome::Hidden
        | AccessOutcome::Ambiguous => Outcome::NoMatch,
        AccessOutcome::Refused if record.shed.is_some() => Outcome::Shed,
        AccessOutcome::Refused => Outcome::Refused,
        AccessOutcome::Contributed => Outcome::Contributed,
        AccessOutcome::Rejected => Outcome::Rejected,
        AccessOutcome::Administered => Outcome::Administered,
        // Nothing was given of which this version knows.
        AccessOutcome::Unspecified => Outcome::Refused,
    };
    let reason = Some(record.reason()).filter(|reason| *reason != ErrorReason::Unspecified);
    let reason = reason.map_or("", error::name).to_owned();
    // Of a miss it would say that there was something to withhold.
    let items = if outcome == Outcome::Answered { record.items } else { Vec::new() };
    // What the catalogue does not have is whatever the caller wrote, and may be somebody's name (I8).
    let item = |item: ItemRecord| {
        let name = if item.rule == UNLISTED { UNKNOWN.to_owned() } else { item.item };
        (name, item.disclosed)
    };
    Some(Seen {
        outcome,
        purpose: record.purpose,
        items: items.into_iter().map(item).collect(),
        reason,
        calls: record.shed.map_or(1, |shed| shed.calls),
        took_us: record.took_microseconds,
    })
}
