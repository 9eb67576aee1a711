//! What contribution asks about those who say otherwise than what is held.

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord},
    register::v1::{
        Assertion, GetDisagreementAnswer, GetDisagreementRequest, GetDisagreementResponse,
        ListVisibleAnswer, ListVisibleRequest, ListVisibleResponse, Says,
    },
    r#type::v1::ErrorReason,
};
use disclosure::{Access, Answer, Disclosed, Exact, Proven, Released};
use server::{context, error::refuse};
use tonic::{Request, Response, Status};
use wire::{
    Fault, Faults, disagreement,
    value::{write, write_date},
};

use super::{ID_MAX, Shared};
use crate::app::NoAnswer;

const GET_DISAGREEMENT: &str = "/lienthong.register.v1.RegisterService/GetDisagreement";
const LIST_VISIBLE: &str = "/lienthong.register.v1.RegisterService/ListVisible";
const VISIBLE_MAX: usize = 100;

pub(super) async fn list_visible(
    shared: &Shared,
    request: Request<Exact<ListVisibleRequest>>,
) -> Result<Response<Released<ListVisibleResponse>>, Status> {
    let ListVisibleRequest { persons, connection } = request.get_ref().message();
    let mut faults = Faults::default();
    faults.text("connection", connection, ID_MAX);
    match persons.len() {
        0 => faults.add("persons", Fault::Missing),
        1..=VISIBLE_MAX => {}
        _ => faults.add("persons", Fault::TooMany(VISIBLE_MAX)),
    }
    faults.finish()?;
    let (_, deadline) = context(&request)?;
    let visible = shared.app.visible(deadline, persons).await;
    let visible_persons = visible.map_err(away)?;
    let record = record(AccessOutcome::Answered, String::new(), connection);
    let answer = Answer::new(&ListVisibleAnswer { visible_persons });
    released(shared, LIST_VISIBLE, &request, &record, answer).await
}

pub(super) async fn get_disagreement(
    shared: &Shared,
    request: Request<Exact<GetDisagreementRequest>>,
) -> Result<Response<Released<GetDisagreementResponse>>, Status> {
    let GetDisagreementRequest { disagreement: asked, connection } = request.get_ref().message();
    let mut faults = Faults::default();
    faults.text("connection", connection, ID_MAX);
    let one = asked.clone().unwrap_or_default();
    faults.text("disagreement.person", &one.person, ID_MAX);
    faults.text("disagreement.item", &one.item, ID_MAX);
    faults.text("disagreement.contribution_id", &one.contribution_id, ID_MAX);
    faults.text("disagreement.against_contribution_id", &one.against_contribution_id, ID_MAX);
    faults.finish()?;
    let one = disagreement::read(one);
    let (_, deadline) = context(&request)?;
    let sides = shared.app.sides(deadline, &one).await.map_err(away)?;
    let outcome = if sides.is_some() { AccessOutcome::Answered } else { AccessOutcome::Absent };
    let record = record(outcome, one.person_id, connection);
    let wire = |said: &model::Assertion| Assertion {
        item: said.item.clone(),
        value: (said.says == model::Says::Holds).then(|| write(&said.value, &shared.lists)),
        valid_from: said.provenance.valid_from.as_ref().map(write_date),
        says: match said.says {
            model::Says::Holds => Says::Holds,
            model::Says::Ends => Says::Ends,
            model::Says::Annuls => Says::Unspecified,
        }
        .into(),
    };
    let answer = GetDisagreementAnswer {
        disagreeing: sides.as_ref().map(|(disagreeing, _)| wire(disagreeing)),
        held: sides.as_ref().map(|(_, held)| wire(held)),
    };
    released(shared, GET_DISAGREEMENT, &request, &record, Answer::new(&answer)).await
}

fn record(outcome: AccessOutcome, person: String, connection: &str) -> DecisionRecord {
    DecisionRecord {
        outcome: outcome.into(),
        person,
        connection: connection.to_owned(),
        ..DecisionRecord::default()
    }
}

/// The answer, once it is recorded.
async fn released<Q, R: Proven>(
    shared: &Shared,
    method: &str,
    request: &Request<Exact<Q>>,
    record: &DecisionRecord,
    answer: Answer<R::Answer>,
) -> Result<Response<Released<R>>, Status> {
    let (caller, deadline) = context(request)?;
    let asked = disclosure::Asked::by_service(request.get_ref().bytes());
    let access = Access { method, caller: &caller, asked, basis: None };
    let recorded = shared.clients.recorder.record(deadline, &access, record, &answer).await;
    let receipt = recorded.map_err(|error| error.refusal(deadline))?;
    let disclosed = Disclosed::new(answer, receipt).map_err(|error| error.refusal(deadline))?;
    Ok(Response::new(disclosed.into()))
}

fn away(_: NoAnswer) -> Status {
    refuse(ErrorReason::RegisterUnavailable)
}
