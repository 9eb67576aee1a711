//! `QualityService`: how good the values are that sources contribute.

use std::sync::Arc;

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord},
    contribution::v1::{
        ItemQuality, ListQualityAnswer, ListQualityRequest, ListQualityResponse, QualityCounts,
        QualityDelays, QualityShare,
    },
    r#type::v1::ErrorReason,
};
use disclosure::{
    Answer, Disclosed, Exact, Released, contribution::v1::quality_service_server::QualityService,
};
use server::{caller::Kind, error::refuse};
use tonic::{Request, Response, Status};
use wire::{
    Fault, Faults,
    policy::{Decision, Denial},
    record,
};

use super::{Call, Shared, form::REQUEST_ID_MAX, page};
use crate::{
    app::NoOutcome,
    domain::{
        conflict::REGISTER,
        quality::{Counts, Figures, Place, Share, is_month},
    },
};

const LIST: &str = "/lienthong.contribution.v1.QualityService/ListQuality";
const PAGE_MAX: u16 = 1000;
const PAGE_USUAL: u16 = 200;
/// The form of a page token: what another one wrote is not taken for it.
const TOKEN: &str = "q1.";

/// The service.
pub(super) struct Quality(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl QualityService for Quality {
    async fn list_quality(
        &self,
        request: Request<Exact<ListQualityRequest>>,
    ) -> Result<Response<Released<ListQualityResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, LIST)?;
        let call = Call::own(&self.0, LIST, caller, deadline, exact.asked());
        Ok(Response::new(call.list_quality(exact.message()).await?.into()))
    }
}

impl Call<'_> {
    /// The figures of the caller's database; for the register's own officers and inspectors those of all.
    async fn list_quality(
        &self,
        request: &ListQualityRequest,
    ) -> Result<Disclosed<ListQualityAnswer>, Status> {
        let ListQualityRequest { from_month, to_month, .. } = request;
        let mut faults = Faults::default();
        month("from_month", from_month, &mut faults);
        month("to_month", to_month, &mut faults);
        if is_month(from_month) && is_month(to_month) && to_month < from_month {
            faults.add("to_month", Fault::TooEarly);
        }
        faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
        let most = page("page_size", request.page_size, PAGE_USUAL, PAGE_MAX, &mut faults);
        faults.finish()?;
        let decision = self.source_or_inspector().await?;
        let Some(after) = place(&request.page_token, from_month) else {
            return Err(self.not_its_cursor(decision.as_ref()).await);
        };
        let app = &self.shared.app;
        let source = decision.as_ref().map(|decision| decision.database.as_str());
        let source = source.filter(|database| *database != REGISTER);
        let found = app.quality(self.deadline, source, to_month, &after, most).await;
        let found = match (found, &decision) {
            (Ok(found), _) => found,
            (Err(reason), Some(decision)) => return Err(self.no_outcome(decision, reason).await),
            (Err(NoOutcome::Late), None) => return Err(refuse(ErrorReason::DeadlineExceeded)),
            (Err(_), None) => return Err(refuse(ErrorReason::RegisterUnavailable)),
        };
        let last = found.last().filter(|_| found.len() == usize::from(most));
        let next = last
            .map(|(Place { source, month, item }, _)| format!("{TOKEN}{month}/{source}/{item}"));
        let answer = ListQualityAnswer {
            next_page_token: next.unwrap_or_default(),
            figures: found.into_iter().map(written).collect(),
            timely_days: app.timely_days,
            request_id: request.request_id.clone(),
        };
        if let Some(decision) = &decision {
            return self.answer(decision, None, &answer).await;
        }
        let answer = Answer::new(&answer);
        let receipt = self.record(&inspected(AccessOutcome::Administered), &answer).await?;
        Disclosed::new(answer, receipt).map_err(|error| error.refusal(self.deadline))
    }

    /// The caller goes on from where it never was.
    async fn not_its_cursor(&self, decision: Option<&Decision>) -> Status {
        if let Some(decision) = decision {
            return self.unknown_cursor(decision).await;
        }
        let denial = record::own(ErrorReason::UnknownCursor, "own-cursor");
        self.officer_refused(&denial).await
    }

    /// The decision of a source; none of an inspector, whom policy does not know.
    async fn source_or_inspector(&self) -> Result<Option<Decision>, Status> {
        let denial = match self.caller.kind() {
            Kind::System { .. } => return self.connected().await.map(Some),
            Kind::Operator(_) if self.shared.inspectors.contains(self.caller.id()) => {
                match self.asked.presented().refusal(None) {
                    None => return Ok(None),
                    Some(not_signed) => record::own(not_signed.reason, not_signed.rule),
                }
            }
            Kind::Operator(_) | Kind::Service(_) => {
                record::own(ErrorReason::MethodNotAllowed, "inspectors")
            }
        };
        Err(self.officer_refused(&denial).await)
    }

    /// Records the refusal of an officer.
    async fn officer_refused(&self, denial: &Denial) -> Status {
        let refused = inspected(AccessOutcome::Refused);
        let refused = DecisionRecord { reason: denial.reason.into(), ..refused };
        self.refused(&refused, denial, &[]).await
    }
}

/// What is recorded of an inspector, who is no connection and asks on no agreement.
fn inspected(outcome: AccessOutcome) -> DecisionRecord {
    DecisionRecord { outcome: outcome.into(), ..DecisionRecord::default() }
}

fn month(field: &str, text: &str, faults: &mut Faults) {
    if text.is_empty() {
        faults.add(field, Fault::Missing);
    } else if !is_month(text) {
        faults.add(field, Fault::Malformed);
    }
}

/// The place that a page token says; before the first of the first month where there is none.
fn place(token: &str, from: &str) -> Option<Place> {
    let named = |month: &str, source: &str, item: &str| Place {
        source: source.to_owned(),
        month: month.to_owned(),
        item: item.to_owned(),
    };
    if token.is_empty() {
        return Some(named(from, "", ""));
    }
    let (month, rest) = token.strip_prefix(TOKEN)?.split_once('/')?;
    let (source, item) = rest.split_once('/')?;
    // Not before what is asked for.
    let within = is_month(month) && month >= from && !source.is_empty() && !item.is_empty();
    within.then(|| named(month, source, item))
}

fn written((place, counts): (Place, Counts)) -> ItemQuality {
    let Figures { consistency, completeness, accuracy, timeliness } = Figures::of(&counts);
    ItemQuality {
        database: place.source,
        item: place.item,
        month: place.month,
        consistency: share(consistency),
        completeness: share(completeness),
        accuracy: share(accuracy),
        timeliness: share(timeliness),
        counts: Some(counted(&counts)),
    }
}

fn share(Share { part, all }: Share) -> Option<QualityShare> {
    Some(QualityShare { part, all })
}

fn counted(counts: &Counts) -> QualityCounts {
    let count = |count: i64| u64::try_from(count).unwrap_or_default();
    QualityCounts {
        values: count(counts.said),
        corrections: count(counts.corrections),
        annulled: count(counts.annulled),
        set_aside: count(counts.set_aside),
        disputed: count(counts.disputed),
        decided_for: count(counts.decided_for),
        decided_against: count(counts.decided_against),
        decided_within_7_days: count(counts.decided_within_7),
        decided_within_30_days: count(counts.decided_within_30),
        decided_later: count(counts.decided_later),
        number_differs: count(counts.number_differs),
        rejected: count(counts.rejected),
        rejected_for_it: count(counts.rejected_for_it),
        delays: Some(QualityDelays {
            within_1_day: count(counts.within_1),
            within_7_days: count(counts.within_7),
            within_15_days: count(counts.within_15),
            within_30_days: count(counts.within_30),
            within_60_days: count(counts.within_60),
            later: count(counts.later),
        }),
    }
}
