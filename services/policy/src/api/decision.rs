//! `DecisionService`: what would be decided and why, and what a connection may ever ask for. For agencies about their own connection
//! and for officers about any; every call is recorded before it is answered, a refused one as well.

pub(super) mod write;

use std::sync::Arc;

use contract::{
    policy::v1::{
        DecisionAct, ExplainDecisionAnswer, ExplainDecisionRequest, ExplainDecisionResponse,
        WhatMayIAnswer, WhatMayIRequest, WhatMayIResponse,
    },
    r#type::v1::ErrorReason,
};
use decide::CONSENT;
use disclosure::{
    Disclosed, Exact, Released,
    policy::v1::decision_service_server::{DecisionService, DecisionServiceServer},
};
use server::{Routes, caller::Kind};
use tonic::{Request, Response, Status};
use wire::{Fault, Faults, record};

use super::{
    event,
    office::{Call, Shared},
};
use crate::{
    app::decisions::Explanations,
    domain::{officers::Role, permissions::is_fact, request::Request as Question, rules::Act},
};

const EXPLAIN: &str = "/lienthong.policy.v1.DecisionService/ExplainDecision";
const WHAT_MAY_I: &str = "/lienthong.policy.v1.DecisionService/WhatMayI";
/// A request of more bytes is refused before it is read.
const MESSAGE_MAX: usize = 64 << 10;
const ID_MAX: usize = 64;
const PAGE_MAX: u16 = 100;
const PAGE_USUAL: u16 = 50;
/// The form of a page token: what another list gave is not taken for it.
const TOKEN: &str = "w1.";

/// Adds what agencies and officers call.
pub(crate) fn add(routes: Routes, shared: Arc<Shared>) -> Routes {
    let service = DecisionServiceServer::new(Api(shared));
    routes.add_service(service.max_decoding_message_size(MESSAGE_MAX))
}

struct Api(Arc<Shared>);

#[tonic::async_trait]
impl DecisionService for Api {
    async fn explain_decision(
        &self,
        request: Request<Exact<ExplainDecisionRequest>>,
    ) -> Result<Response<Released<ExplainDecisionResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, EXPLAIN)?;
        let asked = exact.asked();
        let call =
            Call { shared: &self.0, agreement: "", method: EXPLAIN, caller, deadline, asked };
        Ok(Response::new(explain(&call, exact.message()).await?.into()))
    }

    async fn what_may_i(
        &self,
        request: Request<Exact<WhatMayIRequest>>,
    ) -> Result<Response<Released<WhatMayIResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, WHAT_MAY_I)?;
        let asked = exact.asked();
        let call =
            Call { shared: &self.0, agreement: "", method: WHAT_MAY_I, caller, deadline, asked };
        Ok(Response::new(what_may_i(&call, exact.message()).await?.into()))
    }
}

async fn explain(
    call: &Call<'_>,
    message: &ExplainDecisionRequest,
) -> Result<Disclosed<ExplainDecisionAnswer>, Status> {
    let mut faults = Faults::default();
    let whom = whom(call, &message.connection, &mut faults).await?;
    let question = question(message, &mut faults);
    let assumed = assumed(message, &mut faults);
    let (Some(whom), Some(mut question), true) = (whom, question, faults.is_empty()) else {
        return Err(call.faulty(faults, &message.connection).await);
    };
    let explanations = explanations(call);
    question.caller = whom;
    if question.items.is_empty() {
        question.items = explanations.items();
    }
    let explained = explanations.explain(call.deadline, &question, &assumed).await;
    let explained = explained.map_err(|error| call.away(&error))?;
    let connection = explained.0.decision.connection.clone();
    let answer = write::explanation(explained, explanations);
    call.answer(&connection, &answer).await
}

async fn what_may_i(
    call: &Call<'_>,
    message: &WhatMayIRequest,
) -> Result<Disclosed<WhatMayIAnswer>, Status> {
    let mut faults = Faults::default();
    let whom = whom(call, &message.connection, &mut faults).await?;
    let most = match u16::try_from(message.page_size) {
        Ok(0) => PAGE_USUAL,
        Ok(size) if size <= PAGE_MAX => size,
        Ok(_) | Err(_) => {
            faults.add("page_size", Fault::TooMany(PAGE_MAX.into()));
            PAGE_USUAL
        }
    };
    let after = after(&message.page_token);
    if after.is_none() {
        faults.add("page_token", Fault::Malformed);
    }
    let (Some(whom), Some(after), true) = (whom, after, faults.is_empty()) else {
        return Err(call.faulty(faults, &message.connection).await);
    };
    let explanations = explanations(call);
    let found = explanations.permissions(call.deadline, &whom, after, most).await;
    let found = found.map_err(|error| call.away(&error))?;
    let connection = found.connection().to_owned();
    let last = found.permissions.last().filter(|_| found.more);
    let token = last.map(|(permission, _)| token(&permission.key())).unwrap_or_default();
    let answer =
        WhatMayIAnswer { next_page_token: token, ..write::permissions(found, explanations) };
    call.answer(&connection, &answer).await
}

fn explanations<'a>(call: &Call<'a>) -> Explanations<'a> {
    Explanations { app: &call.shared.admissions.app }
}

/// The page that a token goes on with: four ids, each without a NUL.
fn token(key: &[String; 4]) -> String {
    format!("{TOKEN}{}", hex::encode(key.join("\0")))
}

fn after(token: &str) -> Option<[String; 4]> {
    if token.is_empty() {
        return Some(<[String; 4]>::default());
    }
    let text = String::from_utf8(hex::decode(token.strip_prefix(TOKEN)?).ok()?).ok()?;
    let parts: Vec<String> = text.split('\0').map(str::to_owned).collect();
    parts.try_into().ok()
}

/// Agency and system of the connection that is asked about: an agency's own, or any for an officer. `None` where a fault was named.
async fn whom(
    call: &Call<'_>,
    named: &str,
    faults: &mut Faults,
) -> Result<Option<(String, String)>, Status> {
    let explanations = explanations(call);
    let caller = match call.caller.kind() {
        Kind::System { agency, system } => {
            call.signed(named).await?;
            let caller = (agency.clone(), system.clone());
            if named.is_empty() {
                return Ok(Some(caller));
            }
            let mut form = Faults::default();
            form.key("connection", named);
            let found = if form.is_empty() {
                explanations.holder(call.deadline, named).await
            } else {
                Ok(None)
            };
            // Another's is not told from one that is not there.
            found.map_err(|error| call.away(&error))?.filter(|holder| *holder == caller)
        }
        Kind::Operator(_) | Kind::Service(_) => {
            call.authorised(&Role::ALL, named).await?;
            faults.key("connection", named);
            if !faults.is_empty() {
                return Ok(None);
            }
            let found = explanations.holder(call.deadline, named).await;
            found.map_err(|error| call.away(&error))?
        }
    };
    match caller {
        Some(caller) => Ok(Some(caller)),
        None => {
            let denial = record::own(ErrorReason::UnknownConnection, "unknown-connection");
            Err(call.refuse(&denial, named, &[]).await)
        }
    }
}

/// The question in a request, of nobody yet; every faulty field is named at once.
fn question(message: &ExplainDecisionRequest, faults: &mut Faults) -> Option<Question> {
    let act = act(message.act());
    if act.is_none() {
        faults.add("act", Fault::Missing);
    }
    faults.text("procedure", &message.procedure, ID_MAX);
    faults.text("legal_basis", &message.legal_basis, ID_MAX);
    if !message.items.is_empty() {
        wire::basis::check_items(&message.items, faults);
    }
    let event = event(act, &message.event, faults);
    let act = act?;
    Some(Question {
        caller: Default::default(),
        act,
        event,
        procedure: message.procedure.clone(),
        legal_basis: message.legal_basis.clone(),
        direction: message.direction,
        by: None,
        items: message.items.clone(),
    })
}

/// What is assumed of the subject.
fn assumed(message: &ExplainDecisionRequest, faults: &mut Faults) -> Vec<(&'static str, bool)> {
    let mut all: Vec<(&'static str, bool)> = vec![(CONSENT, message.consent)];
    for (place, assumed) in message.facts.iter().enumerate() {
        let path = format!("facts[{place}].fact");
        match is_fact(&assumed.fact) {
            None => faults.add(path, Fault::UnknownCode),
            Some(fact) if all.iter().any(|(known, _)| *known == fact) => {
                faults.add(path, Fault::Repeated);
            }
            Some(fact) => all.push((fact, assumed.holds)),
        }
    }
    all
}

fn act(act: DecisionAct) -> Option<Act> {
    Some(match act {
        DecisionAct::Unspecified => return None,
        DecisionAct::Obtain => Act::Obtain,
        DecisionAct::Contribute => Act::Contribute,
        DecisionAct::Follow => Act::Follow,
        DecisionAct::Explain => Act::Explain,
        DecisionAct::Resolve => Act::Resolve,
        DecisionAct::Search => Act::Search,
        DecisionAct::Relations => Act::Relations,
        DecisionAct::InverseRelations => Act::InverseRelations,
        DecisionAct::Household => Act::Household,
        DecisionAct::RotateTokens => Act::RotateTokens,
        DecisionAct::RecordConsents => Act::RecordConsents,
        DecisionAct::Accesses => Act::Accesses,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_after_what_its_token_names() {
        let key = ["agr-1", "obtain", "birth", "1911"].map(str::to_owned);
        assert_eq!(after(&token(&key)), Some(key));
        assert_eq!(after(""), Some(<[String; 4]>::default()));
        for bad in ["x", "a1.61", "w1.zz", "w1.61"] {
            assert_eq!(after(bad), None, "{bad}");
        }
    }
}
