//! `TokenService`: what agencies call to have persons named to them by new tokens.

use std::sync::Arc;

use contract::{
    audit::v1::AccessOutcome,
    identity::v1::{RotateTokensAnswer, RotateTokensRequest, RotateTokensResponse},
    r#type::v1::{AccessBasis, ErrorReason},
};
use disclosure::{Answer, Exact, Released, identity::v1::token_service_server::TokenService};
use model::item::NUMBER;
use server::error::refuse;
use tonic::{Request, Response, Status};
use wire::{
    Faults, basis,
    policy::{Act, Decision},
    record, timestamp, timestamp_us,
};

use super::{REQUEST_ID_MAX, Shared, call::Call};
use crate::app::{NoAnswer, NotRotated, Rotated, Rotation};

const ROTATE_TOKENS: &str = "/lienthong.identity.v1.TokenService/RotateTokens";
const KEY_MAX: usize = 64;

/// The service.
pub(super) struct Tokens(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl TokenService for Tokens {
    async fn rotate_tokens(
        &self,
        request: Request<Exact<RotateTokensRequest>>,
    ) -> Result<Response<Released<RotateTokensResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, ROTATE_TOKENS)?;
        let (message, shared) = (exact.message(), &self.0);
        let basis = checked(message)?;
        let rotation = Rotation {
            key: message.idempotency_key.clone(),
            digest: tlog::digest(exact.bytes()),
            end_earlier_at_once: message.end_earlier_at_once,
        };
        let call = Call::new(shared, &caller, deadline, ROTATE_TOKENS, exact.asked()).on(basis);
        // Tokens stand for numbers.
        let decision = call.decided(Act::RotateTokens, basis, &[NUMBER.to_owned()]).await?;
        let table = call.table(&decision).await?;
        let rotated = match shared.app.rotate(deadline, rotation, &decision, table).await {
            Ok(rotated) => rotated,
            Err(NotRotated::KeyReused(first)) => {
                let denial = record::own(ErrorReason::KeyReused, "one-key-one-epoch");
                let first = ("first_digest", hex::encode(first));
                return Err(call.refuse(&decision, &denial, &[first]).await);
            }
            Err(NotRotated::NothingAllowed) => {
                return Err(call.no_answer(&decision, NoAnswer::NothingAllowed).await);
            }
            Err(NotRotated::Away) => return Err(call.no_answer(&decision, NoAnswer::Away).await),
        };
        let answer = Answer::new(&written(message, &decision, &rotated));
        // It is about nobody, and gives no item.
        let outcome = AccessOutcome::Answered;
        let decided = record::answered(&decision, outcome, None, Vec::new(), None);
        Ok(Response::new(call.disclosed(&decided, answer).await?.into()))
    }
}

/// The ground of a request without faults.
fn checked(request: &RotateTokensRequest) -> Result<&AccessBasis, Status> {
    let mut faults = Faults::default();
    faults.text("idempotency_key", &request.idempotency_key, KEY_MAX);
    let basis = basis::check(request.basis.as_ref(), &mut faults);
    faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
    faults.finish()?;
    basis.ok_or_else(|| refuse(ErrorReason::Internal))
}

fn written(
    request: &RotateTokensRequest,
    decision: &Decision,
    Rotated { epoch, at }: &Rotated,
) -> RotateTokensAnswer {
    RotateTokensAnswer {
        epoch: epoch.epoch,
        begin_time: Some(timestamp_us(epoch.begun_us)),
        earlier_until: Some(timestamp_us(epoch.earlier_until_us)),
        answer_time: Some(timestamp(*at)),
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request.request_id.clone(),
    }
}
