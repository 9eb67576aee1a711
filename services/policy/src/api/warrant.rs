//! Warrants: `WarrantService` for our own services, `WarrantKeyService` for whoever checks them.

use std::sync::Arc;

use contract::{
    policy::v1::{
        self as proto, issue_warrant_response,
        warrant_key_service_server::{WarrantKeyService, WarrantKeyServiceServer},
        warrant_service_server::{WarrantService, WarrantServiceServer},
    },
    r#type::v1::ErrorReason,
};
use server::{Routes, context, error::refuse};
use tonic::{Request, Response, Status};
use warrant::Intent;
use wire::{Fault, Faults, basis};

use super::{answer_item, caller, denial_message, status};
use crate::{
    app::{
        App,
        warrant::{Issued, Keys, NotIssued, Signed},
    },
    domain::{
        request::{By, Request as Question},
        rules::Act,
        warrant::Wanted,
    },
};

/// The most characters of a database's id.
const DATABASE_MAX: usize = 40;
/// The most facts of a person: as many as a decision table has.
const FACTS_MAX: usize = decide::MAX_FACTS;
/// Whoever keeps the published keys asks again within this time; a key is to be published for so long before it signs.
const REFRESH_SECONDS: i64 = 300;

/// Adds both services.
pub(crate) fn add(routes: Routes, app: &Arc<App>, keys: &Arc<Keys>) -> Routes {
    let api = || Api { app: Arc::clone(app), keys: Arc::clone(keys) };
    routes
        .add_service(WarrantServiceServer::new(api()))
        .add_service(WarrantKeyServiceServer::new(api()))
}

struct Api {
    app: Arc<App>,
    keys: Arc<Keys>,
}

#[tonic::async_trait]
impl WarrantService for Api {
    async fn issue_warrant(
        &self,
        request: Request<proto::IssueWarrantRequest>,
    ) -> Result<Response<proto::IssueWarrantResponse>, Status> {
        let (_, deadline) = context(&request)?;
        let wanted = checked(request.into_inner())?;
        let issued = self.app.issue(deadline, &self.keys, wanted).await.map_err(not_issued)?;
        Ok(Response::new(response(issued)))
    }
}

#[tonic::async_trait]
impl WarrantKeyService for Api {
    async fn get_warrant_keys(
        &self,
        _request: Request<proto::GetWarrantKeysRequest>,
    ) -> Result<Response<proto::GetWarrantKeysResponse>, Status> {
        let jwks = self.keys.published.to_json().map_err(|_| refuse(ErrorReason::Internal))?;
        Ok(Response::new(proto::GetWarrantKeysResponse {
            issuer: self.keys.issuer.clone(),
            jwks: jwks.into_bytes(),
            refresh_after: Some(wire::duration(REFRESH_SECONDS)),
        }))
    }
}

/// What is wanted; every faulty field is named at once.
fn checked(message: proto::IssueWarrantRequest) -> Result<Wanted, Status> {
    let mut faults = Faults::default();
    let named = caller(&message.caller, &mut faults);
    let basis = basis::check(message.basis.as_ref(), &mut faults);
    basis::check_items(&message.items, &mut faults);
    faults.text("database", &message.database, DATABASE_MAX);
    let holder = bytes("holder", &message.holder, &mut faults);
    let subject = bytes("subject_commitment", &message.subject_commitment, &mut faults);
    if message.facts.len() > FACTS_MAX {
        faults.add("facts", Fault::TooMany(FACTS_MAX));
    }
    let intent = message.intent.as_ref().and_then(|intent| {
        let leaf = bytes("intent.leaf_hash", &intent.leaf_hash, &mut faults)?;
        Some(Intent { index: intent.index, leaf })
    });
    if message.intent.is_none() {
        faults.add("intent", Fault::Missing);
    }
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(named), Some(basis), Some(holder), Some(subject), Some(intent)) =
        (named, basis, holder, subject, intent)
    else {
        return Err(refuse(ErrorReason::Internal));
    };
    let given = |reference: &str| !reference.trim().is_empty();
    let request = Question {
        caller: named,
        act: Act::Obtain,
        event: None,
        procedure: basis.procedure.clone(),
        legal_basis: basis.legal_basis.clone(),
        direction: given(&basis.direction_reference),
        // Who asks for it says who is asked for, and not by which key.
        by: Some(By {
            direction: basis.direction_reference.clone(),
            acting_unit: basis.acting_unit.clone(),
            key: None,
        }),
        items: message.items,
    };
    let (caller, database) = (message.caller, message.database);
    let facts = message.facts.into_iter().map(|fact| (fact.fact, fact.holds)).collect();
    Ok(Wanted { request, caller, database, holder, subject, facts, intent })
}

fn bytes(field: &str, given: &[u8], faults: &mut Faults) -> Option<[u8; 32]> {
    let bytes = <[u8; 32]>::try_from(given).ok();
    if bytes.is_none() {
        faults.add(field, if given.is_empty() { Fault::Missing } else { Fault::Malformed });
    }
    bytes
}

fn not_issued(why: NotIssued) -> Status {
    match why {
        NotIssued::Unread(error) => status(&error),
        NotIssued::EndsNow => refuse(ErrorReason::PolicyUnavailable),
        NotIssued::TooLong => {
            let mut faults = Faults::default();
            faults.add("items", Fault::TooLong(warrant::BYTES_MAX));
            faults.finish().err().unwrap_or_else(|| refuse(ErrorReason::Internal))
        }
    }
}

fn response(issued: Issued) -> proto::IssueWarrantResponse {
    let Issued { decision_id, decision, outcome, period_end, items } = issued;
    proto::IssueWarrantResponse {
        decision_id,
        policy_revision: decision.revision,
        connection: decision.connection,
        agreement: decision.agreement,
        outcome: Some(match outcome {
            Ok(Signed { token, ends, items }) => {
                issue_warrant_response::Outcome::Warrant(proto::Warrant {
                    token: token.into_bytes(),
                    expire_time: Some(prost_types::Timestamp { seconds: ends, nanos: 0 }),
                    items,
                })
            }
            Err(denial) => issue_warrant_response::Outcome::Denial(proto::Denial {
                period_end: period_end.map(wire::timestamp),
                ..denial_message(denial)
            }),
        }),
        items: items.into_iter().map(answer_item).collect(),
    }
}
