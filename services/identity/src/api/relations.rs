//! `RelationService`: what agencies call to be told who is related to a person, and who lives with it.

mod read;
mod write;

use std::sync::Arc;

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord},
    identity::v1::{
        GetHouseholdRequest, GetHouseholdResponse, ListRelationsRequest, ListRelationsResponse,
    },
};
use decide::TableAnswer;
use disclosure::{
    Answer, Disclosed, Exact, Released, identity::v1::relation_service_server::RelationService,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use model::item::{RELATIVES, RESIDENCE_FILE};
use prost::Message;
use tonic::{Request, Response, Status};
use wire::{
    policy::{Act, Decision, Taken},
    record,
};

use super::{Shared, call::Call, feed::TOLD_AT_ONCE, identity};
use crate::{
    app::{Direction, Household, Looked, Told},
    domain::relations::Other,
};

const LIST_RELATIONS: &str = "/lienthong.identity.v1.RelationService/ListRelations";
const GET_HOUSEHOLD: &str = "/lienthong.identity.v1.RelationService/GetHousehold";

/// The service.
pub(super) struct Relations(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl RelationService for Relations {
    async fn list_relations(
        &self,
        request: Request<Exact<ListRelationsRequest>>,
    ) -> Result<Response<Released<ListRelationsResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, LIST_RELATIONS)?;
        let (message, shared) = (exact.message(), &self.0);
        let read::Checked { lookup, direction, items, basis } =
            read::relations(message, &shared.lists, shared.app.clock.today())?;
        let act = match direction {
            Direction::Forward => Act::Relations,
            Direction::Inverse => Act::InverseRelations,
        };
        let call = Call::new(shared, &caller, deadline, LIST_RELATIONS, exact.asked()).on(basis);
        let decision = call.decided(act, basis, &items).await?;
        let table = call.table(&decision).await?;
        let taken = call.take(&decision, 1).await?;
        let told = shared.app.relations(deadline, &lookup, direction, &decision, table).await;
        let mut told = match told {
            Ok(told) => told,
            Err(reason) => return Err(call.no_answer(&decision, reason).await),
        };
        let others_taken = within_volume(&call, &decision, &mut told).await?;
        let answer = Answer::new(&write::relations(message, &decision, &told));
        let Told { looked, others, .. } = told;
        // Of the subject nothing else is told than who is related; what else is wanted is wanted of the others.
        let recorded = subject(&decision, &looked, |item| item == RELATIVES);
        let lists = &shared.lists;
        let others = others.into_iter().map(|(related, token)| {
            let answer = Answer::new(&write::relation(&related, direction, token, lists));
            let recorded = recorded_other(&decision, &looked, related.other);
            (recorded, answer)
        });
        let others = all_told(&call, others.collect()).await?;
        let found = call.disclosed(&recorded, answer).await?;
        taken.told(identity::shown(&looked).into());
        others_taken.told(count(&others));
        Ok(Response::new(Released::related(found, others)))
    }

    async fn get_household(
        &self,
        request: Request<Exact<GetHouseholdRequest>>,
    ) -> Result<Response<Released<GetHouseholdResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, GET_HOUSEHOLD)?;
        let (message, shared) = (exact.message(), &self.0);
        let (lookup, items, basis) =
            read::household(message, &shared.lists, shared.app.clock.today())?;
        let call = Call::new(shared, &caller, deadline, GET_HOUSEHOLD, exact.asked()).on(basis);
        let decision = call.decided(Act::Household, basis, &items).await?;
        let table = call.table(&decision).await?;
        let taken = call.take(&decision, 1).await?;
        let by_file = message.items.iter().any(|item| item == RESIDENCE_FILE);
        let household = shared.app.household(deadline, &lookup, by_file, &decision, table).await;
        let mut household = match household {
            Ok(household) => household,
            Err(reason) => return Err(call.no_answer(&decision, reason).await),
        };
        let others_taken = within_volume(&call, &decision, &mut household.told).await?;
        let lists = &shared.lists;
        let answer = Answer::new(&write::household(message, &decision, &household, lists));
        let Household { told: Told { looked, others, .. }, .. } = household;
        let recorded = subject(&decision, &looked, |_| true);
        let others = others.into_iter().map(|(member, token)| {
            let answer = Answer::new(&write::member(&member, token, lists));
            let recorded = recorded_other(&decision, &looked, member.other);
            (recorded, answer)
        });
        let others = all_told(&call, others.collect()).await?;
        let found = call.disclosed(&recorded, answer).await?;
        taken.told(identity::shown(&looked).into());
        others_taken.told(count(&others));
        Ok(Response::new(Released::household(found, others)))
    }
}

/// Takes the others who are told, of the volume of what was agreed; where it has no more left, fewer are told. Whoever is hidden is
/// none of them (I7).
async fn within_volume<T>(
    call: &Call<'_>,
    decision: &Decision,
    told: &mut Told<T>,
) -> Result<Taken, Status> {
    let taken = call.take_beside(decision, count(&told.others)).await?;
    let most = taken.count() as usize;
    told.truncated |= told.others.len() > most;
    told.others.truncate(most);
    Ok(taken)
}

fn count<T>(others: &[T]) -> u32 {
    u32::try_from(others.len()).unwrap_or(u32::MAX)
}

/// What inspectors will read of the subject, and of those items that are told of it.
fn subject(decision: &Decision, looked: &Looked, told: impl Fn(&str) -> bool) -> DecisionRecord {
    let row = looked.finding.row.as_ref().map(|row| TableAnswer {
        visible: row.visible,
        items: row.items.iter().filter(|decided| told(&decided.item)).cloned().collect(),
    });
    identity::recorded(decision, looked, row.as_ref())
}

/// What they will read of another person; of one who is nobody of the register, under the subject.
fn recorded_other(decision: &Decision, looked: &Looked, other: Other) -> DecisionRecord {
    let subject = looked.record.as_ref().map(|record| record.person_id.as_str());
    let person = other.person_id.as_deref().or(subject);
    record::answered(decision, AccessOutcome::Answered, person, other.facts, Some(&other.row))
}

/// The others, each recorded.
async fn all_told<A: Message>(
    call: &Call<'_>,
    others: Vec<(DecisionRecord, Answer<A>)>,
) -> Result<Vec<Disclosed<A>>, Status> {
    let told = others
        .into_iter()
        .map(|(recorded, answer)| async move { call.told(&recorded, answer).await });
    stream::iter(told).buffered(TOLD_AT_ONCE).try_collect().await
}
