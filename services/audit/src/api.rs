//! AuditService on the wire; `log` and `tiles` show the log itself, `report` counts it. The only place that names tonic and prost types.

mod accesses;
mod log;
pub(crate) mod opening;
mod report;
pub(crate) mod tiles;

use std::time::Duration;

use contract::{
    audit::v1::{
        AppendRequest, AppendResponse, DecisionRecord, ListAccessesRequest, ListAccessesResponse,
        audit_service_server::{AuditService, AuditServiceServer},
        log_service_server::LogServiceServer,
    },
    r#type::v1::{ErrorReason, FieldFault, RequestSignature},
};
use prost::Message;
use server::{
    context,
    error::{Violation, invalid, overloaded, refuse},
};
use tonic::{Request, Response, Status, service::Routes};
use zeroize::Zeroizing;

pub(crate) use self::report::seen;

use crate::{
    Error, Service,
    domain::{self, Fault, Opening, Parts, Record, Told},
    sequencer::Refused,
    store,
};

/// A full queue has room again with the next commit; with some of them, for most of those who were refused with it.
const COME_AGAIN: Duration = Duration::from_millis(50);

/// Adds what our own services call.
pub(crate) fn internal(service: &Service, routes: Routes) -> Routes {
    routes.add_service(AuditServiceServer::new(service.clone()))
}

/// Adds what everybody may call.
pub(crate) fn public(service: &Service, routes: Routes) -> Routes {
    report::add(service, routes.add_service(LogServiceServer::new(service.clone())))
}

/// What keeps the log from being shown is the operator's to know, not the caller's.
fn not_shown(error: &Error) {
    tracing::warn!(kind = error.kind(), "the log cannot be shown");
}

#[tonic::async_trait]
impl AuditService for Service {
    async fn append(
        &self,
        request: Request<AppendRequest>,
    ) -> Result<Response<AppendResponse>, Status> {
        context(&request)?;
        Ok(Response::new(append(self, request.into_inner()).await?))
    }

    async fn list_accesses(
        &self,
        request: Request<ListAccessesRequest>,
    ) -> Result<Response<ListAccessesResponse>, Status> {
        context(&request)?;
        let accesses::Asked { names, before, most } = accesses::asked(request.into_inner())?;
        let found = self.accesses(&names, before, most).await.map_err(log::unavailable)?;
        Ok(Response::new(accesses::response(found)))
    }
}

async fn append(service: &Service, request: AppendRequest) -> Result<AppendResponse, Status> {
    let ahead = domain::is_ahead(&request.leaf, service.0.clock.now_ms());
    let record = match domain::check(parts(request)) {
        // One that stands has its place, whatever the clock says today.
        Ok(record) if !ahead || stands(service, &record).await? => record,
        checked => {
            let ahead = ahead.then_some(("leaf", Fault::InTheFuture));
            let faults = checked.err().into_iter().flatten().chain(ahead);
            return Err(invalid(faults.map(violation).collect()));
        }
    };
    let leaf_hash = tlog::leaf_hash(&record.leaf).to_vec();
    let place = service.sequencer().append(record).await.map_err(refused)?;
    Ok(AppendResponse {
        index: place.index,
        leaf_hash,
        proof: hashes(&place.proof),
        checkpoint: place.checkpoint.as_ref().to_owned(),
    })
}

async fn stands(service: &Service, record: &Record) -> Result<bool, Status> {
    store::has(&service.0.store, &record.id).await.map_err(|error| {
        tracing::error!(kind = error.kind(), "a record is not looked up");
        refused(Refused::Unavailable)
    })
}

/// Hashes as the contract carries them.
fn hashes(proof: &[tlog::Hash]) -> Vec<Vec<u8>> {
    proof.iter().map(|hash| hash.to_vec()).collect()
}

fn parts(request: AppendRequest) -> Parts {
    let AppendRequest {
        leaf,
        outer_key,
        inner_key,
        context,
        request_digest,
        answer_digest,
        decision,
        signer_certificate,
    } = request;
    let told = told(&decision);
    let (outer_key, inner_key) = (Zeroizing::new(outer_key), Zeroizing::new(inner_key));
    Parts {
        leaf,
        outer_key,
        inner_key,
        context,
        request_digest,
        answer_digest,
        decision,
        signer_certificate,
        told,
    }
}

/// What a decision record says of whom it is about; none where it is none.
fn told(decision: &[u8]) -> Option<Told> {
    DecisionRecord::decode(decision).ok().map(|record| Told {
        person: record.person,
        missed: record.missed,
        sealed_days: record.sealed_days,
        signed_by: record.signature.map(|signature| signature.certificate_thumbprint),
    })
}

/// The signature over the request of a record, where there is one.
pub(crate) fn signature(opening: &Opening) -> Option<RequestSignature> {
    DecisionRecord::decode(opening.decision.as_slice()).ok()?.signature
}

fn refused(why: Refused) -> Status {
    match why {
        Refused::Overloaded => overloaded(COME_AGAIN),
        Refused::Unavailable => refuse(ErrorReason::AuditUnavailable),
        Refused::RecordIdReused => invalid(vec![violation(("leaf", Fault::RecordIdReused))]),
    }
}

fn violation((field, fault): (&'static str, Fault)) -> Violation {
    let (reason, vi, en) = match fault {
        Fault::Malformed => {
            (FieldFault::Malformed, "không đúng dạng", "is not of the form it must have")
        }
        Fault::Missing => (FieldFault::Missing, "bắt buộc phải có", "is required"),
        Fault::TooLong => (FieldFault::TooLong, "quá dài", "is too long"),
        Fault::OuterDiffers => (
            FieldFault::NotAllowed,
            "cam kết ngoài không khớp với các phần được gửi",
            "has an outer commitment to other parts than those sent",
        ),
        Fault::InnerDiffers => (
            FieldFault::NotAllowed,
            "cam kết trong không khớp với quyết định được gửi",
            "has an inner commitment to another decision than the one sent",
        ),
        Fault::RecordIdReused => (
            FieldFault::RecordIdReused,
            "mã bản ghi đã được dùng cho một bản ghi khác",
            "has a record id that another leaf of the log has",
        ),
        Fault::NotNamed => (
            FieldFault::NotAllowed,
            "không phải chứng thư số mà quyết định nêu",
            "is not the certificate that the decision names",
        ),
        Fault::InTheFuture => (
            FieldFault::InTheFuture,
            "có thời điểm muộn hơn giờ của nhật ký quá một ngày",
            "has a time more than a day ahead of the log's clock",
        ),
    };
    Violation::new(field, reason, vi, en)
}
