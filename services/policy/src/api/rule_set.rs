//! `RuleSetService`: officers, the use case, the gate. Every call is recorded before it is answered, a refused one as well.

mod read;
mod write;

use std::{sync::Arc, time::Duration};

use contract::{
    audit::v1::DecisionRecord,
    policy::v1::{
        FlipTotal, GetRuleSetAnswer, GetRuleSetRequest, GetRuleSetResponse, ListRuleSetsAnswer,
        ListRuleSetsRequest, ListRuleSetsResponse, MoveRuleSetAnswer, MoveRuleSetRequest,
        MoveRuleSetResponse, SimulateAnswer, SimulateRequest, SimulateResponse,
    },
    r#type::v1::ErrorReason,
};
use disclosure::{
    Answer, Disclosed, Exact, Released,
    policy::v1::rule_set_service_server::{RuleSetService, RuleSetServiceServer},
};
use prost::Message as _;
use server::{Caller, Deadline, Routes, error::Precondition};
use time::Date;
use tonic::{Request, Response, Status};
use wire::{Fault, Faults, policy::Denial, record};

use super::office::{Call, Shared, page};
use crate::{
    Error,
    app::rule_set::{Outcome, Refused, Request as Asked},
    domain::{officers::Role, rule_set::Found},
    store::{moves::Kept, rule_set::Entry},
};

const MOVE: &str = "/lienthong.policy.v1.RuleSetService/MoveRuleSet";
const GET: &str = "/lienthong.policy.v1.RuleSetService/GetRuleSet";
const LIST: &str = "/lienthong.policy.v1.RuleSetService/ListRuleSets";
const SIMULATE: &str = "/lienthong.policy.v1.RuleSetService/Simulate";
/// A request of more bytes is refused before it is read.
const MESSAGE_MAX: usize = 1 << 20;
/// The forms of page tokens: what another list gave is not taken for them.
const SETS: &str = "r1.";
const FLIPS: &str = "f1.";
/// Days that are named on which something changes.
const CHANGES_MAX: usize = 100;
/// The ground on which the operator keeps the rules.
const KEEPING: &str = "Decision 1911/QD-TTg, Art. 3(1)(b)";
/// How long the record of one move may take that nobody waits for.
const RECORD_MAX: Duration = Duration::from_secs(10);

/// Adds what officers of the operator call.
pub(crate) fn add(routes: Routes, shared: Arc<Shared>) -> Routes {
    let service = RuleSetServiceServer::new(Api(shared));
    routes.add_service(service.max_decoding_message_size(MESSAGE_MAX))
}

struct Api(Arc<Shared>);

impl Api {
    fn call<'a, T>(
        &'a self,
        method: &'static str,
        (caller, deadline): (Caller, Deadline),
        exact: &'a Exact<T>,
    ) -> Call<'a> {
        Call { shared: &self.0, agreement: "", method, caller, deadline, asked: exact.asked() }
    }
}

#[tonic::async_trait]
impl RuleSetService for Api {
    async fn move_rule_set(
        &self,
        request: Request<Exact<MoveRuleSetRequest>>,
    ) -> Result<Response<Released<MoveRuleSetResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, MOVE)?;
        let call = self.call(MOVE, (caller, deadline), &exact);
        Ok(Response::new(call.move_rule_set(exact.message()).await?.into()))
    }

    async fn get_rule_set(
        &self,
        request: Request<Exact<GetRuleSetRequest>>,
    ) -> Result<Response<Released<GetRuleSetResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, GET)?;
        let call = self.call(GET, (caller, deadline), &exact);
        Ok(Response::new(call.get_rule_set(exact.message()).await?.into()))
    }

    async fn list_rule_sets(
        &self,
        request: Request<Exact<ListRuleSetsRequest>>,
    ) -> Result<Response<Released<ListRuleSetsResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, LIST)?;
        let call = self.call(LIST, (caller, deadline), &exact);
        Ok(Response::new(call.list_rule_sets(exact.message()).await?.into()))
    }

    async fn simulate(
        &self,
        request: Request<Exact<SimulateRequest>>,
    ) -> Result<Response<Released<SimulateResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, SIMULATE)?;
        let call = self.call(SIMULATE, (caller, deadline), &exact);
        Ok(Response::new(call.simulate(exact.message()).await?.into()))
    }
}

impl Call<'_> {
    async fn move_rule_set(
        &self,
        request: &MoveRuleSetRequest,
    ) -> Result<Disclosed<MoveRuleSetAnswer>, Status> {
        self.authorised(read::roles(request), "").await?;
        let mut faults = Faults::default();
        let wanted = read::request(request, &mut faults);
        let (Some(wanted), true) = (wanted, faults.is_empty()) else {
            return Err(self.faulty(faults, "").await);
        };
        let asked = Asked {
            request_id: request.request_id.clone(),
            bytes: self.asked.bytes().to_vec(),
            by: self.caller.id().to_owned(),
            wanted,
        };
        let entry = match self.shared.rule_sets.advance(self.deadline, asked).await {
            Err(error) => return Err(self.away(&error)),
            Ok(Err(refused)) => return Err(self.rule_set_refused(refused).await),
            Ok(Ok(entry)) => entry,
        };
        if entry.digest != tlog::digest(self.asked.bytes()) || entry.made.by != self.caller.id() {
            let denial = record::own(ErrorReason::KeyReused, "one-request-one-move");
            let first = ("first_digest", hex::encode(entry.digest));
            return Err(self.refuse(&denial, "", &[first]).await);
        }
        let kept = match &entry.kept {
            Some(kept) => kept.clone(),
            None => self.rule_set_recorded(&entry, &request.request_id).await?,
        };
        self.as_kept(kept)
    }

    async fn get_rule_set(
        &self,
        request: &GetRuleSetRequest,
    ) -> Result<Disclosed<GetRuleSetAnswer>, Status> {
        self.authorised(&Role::ALL, "").await?;
        let found = self.shared.rule_sets.get(self.deadline, request.number).await;
        let Some((view, content, moves)) = found.map_err(|error| self.away(&error))? else {
            return Err(self.rule_set_refused(Refused::Unknown).await);
        };
        let answer = GetRuleSetAnswer {
            rule_set: Some(write::rule_set(&view)),
            content,
            moves: moves.iter().map(write::entry).collect(),
        };
        self.answer("", &answer).await
    }

    async fn list_rule_sets(
        &self,
        request: &ListRuleSetsRequest,
    ) -> Result<Disclosed<ListRuleSetsAnswer>, Status> {
        self.authorised(&Role::ALL, "").await?;
        let mut faults = Faults::default();
        let (most, before) = page(request.page_size, &request.page_token, SETS, &mut faults);
        let before = number(before, &mut faults);
        if !faults.is_empty() {
            return Err(self.faulty(faults, "").await);
        }
        let before = before.unwrap_or(u64::MAX);
        let found = self.shared.rule_sets.list(self.deadline, before, most).await;
        let (views, more) = found.map_err(|error| self.away(&error))?;
        let last = views.last().filter(|_| more);
        let next = last.map(|last| format!("{SETS}{}", last.set.number));
        let answer = ListRuleSetsAnswer {
            rule_sets: views.iter().map(write::rule_set).collect(),
            next_page_token: next.unwrap_or_default(),
        };
        self.answer("", &answer).await
    }

    async fn simulate(
        &self,
        request: &SimulateRequest,
    ) -> Result<Disclosed<SimulateAnswer>, Status> {
        self.authorised(&Role::ALL, "").await?;
        let mut faults = Faults::default();
        let (most, after) = page(request.page_size, &request.page_token, FLIPS, &mut faults);
        let first = number(after, &mut faults);
        let tried = read::tried(request, &mut faults);
        let day = read::day(&request.day, self.shared.admissions.today(), &mut faults);
        let (Some(tried), true) = (tried, faults.is_empty()) else {
            return Err(self.faulty(faults, "").await);
        };
        let first = first.and_then(|first| usize::try_from(first).ok()).unwrap_or_default();
        let outcome = match self.shared.rule_sets.simulate(self.deadline, tried, day).await {
            Err(error) => return Err(self.away(&error)),
            Ok(Err(refused)) => return Err(self.rule_set_refused(refused).await),
            Ok(Ok(outcome)) => outcome,
        };
        self.answer("", &simulated(&outcome, first, most.into())).await
    }

    /// Records why a move was not made, and says so.
    async fn rule_set_refused(&self, refused: Refused) -> Status {
        let found = match refused {
            Refused::Unknown => {
                let denial = record::own(ErrorReason::UnknownRuleSet, "unknown-rule-set");
                return self.refuse(&denial, "", &[]).await;
            }
            Refused::NotPossible(found) => found,
        };
        let denial = Denial {
            article: KEEPING.to_owned(),
            ..record::own(ErrorReason::RuleSetNotPossible, "rule-set-conditions")
        };
        let precondition = |(what, subject): Found| {
            let (vi, en) = write::words(what);
            Precondition { reason: write::name(what).to_owned(), subject, vi, en }
        };
        self.not_possible(&denial, "", found.into_iter().map(precondition).collect()).await
    }

    /// Records a move, and keeps what it is answered.
    async fn rule_set_recorded(&self, entry: &Entry, request_id: &str) -> Result<Kept, Status> {
        let rule_sets = &self.shared.rule_sets;
        let view = rule_sets.made(self.deadline, entry).await;
        let view = view.map_err(|error| self.away(&error))?;
        let answer = Answer::new(&MoveRuleSetAnswer {
            rule_set: Some(write::rule_set(&view)),
            request_id: request_id.to_owned(),
        });
        let decision_id = format!("rule-set/{}/{}", entry.number, entry.version);
        let record = DecisionRecord { decision_id, ..self.administered("") };
        let receipt = self.record(&record, &answer).await?.to_bytes();
        let kept = Kept { answer: answer.bytes().to_vec(), receipt };
        rule_sets.keep(entry, kept).await.map_err(|error| self.away(&error))
    }
}

/// The number in a page token; none where it is the first page.
fn number(token: &str, faults: &mut Faults) -> Option<u64> {
    if token.is_empty() {
        return None;
    }
    let number = token.parse().ok();
    if number.is_none() {
        faults.add("page_token", Fault::Malformed);
    }
    number
}

/// A page of what came of a trial.
fn simulated(outcome: &Outcome, first: usize, most: usize) -> SimulateAnswer {
    let Outcome { in_force, changes, days, flips } = outcome;
    let all = flips.iter().count();
    let next = first.saturating_add(most);
    let total = |((agency, item, kind), times): (&(String, String, _), &_)| FlipTotal {
        agency: agency.clone(),
        item: item.clone(),
        ..write::total(*kind, *times)
    };
    SimulateAnswer {
        in_force: *in_force,
        questions: flips.all.questions,
        asked: flips.all.asked,
        first_day: days.map(|(first, _)| first.to_string()).unwrap_or_default(),
        last_day: days.map(|(_, last)| last.to_string()).unwrap_or_default(),
        other_rules: flips.other_rules,
        totals: flips.totals.iter().map(total).collect(),
        flips: flips.iter().skip(first).take(most).map(write::flip).collect(),
        next_page_token: if next < all { format!("{FLIPS}{next}") } else { String::new() },
        changes: changes.iter().take(CHANGES_MAX).map(Date::to_string).collect(),
    }
}

/// Makes the records that a process left unmade `older_us` ago or longer.
pub(super) async fn record_unmade(shared: &Shared, older_us: i64) -> Result<(), Error> {
    for entry in shared.rule_sets.unrecorded(older_us).await? {
        let Ok(caller) = Caller::parse(&entry.made.by, &shared.trust_domain) else {
            tracing::error!(rule_set = entry.number, "a move of nobody");
            continue;
        };
        let asked = MoveRuleSetRequest::decode(&entry.request[..]).unwrap_or_default();
        let deadline = Deadline::after(RECORD_MAX);
        let request = disclosure::Asked::by_service(&entry.request);
        let call = Call { shared, agreement: "", method: MOVE, caller, deadline, asked: request };
        if call.rule_set_recorded(&entry, &asked.request_id).await.is_err() {
            tracing::error!(rule_set = entry.number, "a move is not known to be recorded yet");
        }
    }
    Ok(())
}
