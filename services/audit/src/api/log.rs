//! LogService on the wire: the log itself, to whoever verifies it.

use contract::{
    audit::v1::{
        GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest,
        GetConsistencyProofResponse, GetEntryBundleRequest, GetEntryBundleResponse,
        GetInclusionProofRequest, GetInclusionProofResponse, GetTileRequest, GetTileResponse,
        log_service_server::LogService,
    },
    r#type::v1::{ErrorReason, FieldFault},
};
use server::{
    context,
    error::{Violation, invalid, refuse},
};
use tlog::tile::{FULL, Row, Tile};
use tonic::{Request, Response, Status};

use crate::{Error, Service, read::Proven};

#[tonic::async_trait]
impl LogService for Service {
    async fn get_checkpoint(
        &self,
        _request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        let checkpoint = self.shown().await.map_err(unavailable)?.note;
        let minimum_index = self.minimum_index().await.map_err(unavailable)?;
        Ok(Response::new(GetCheckpointResponse { checkpoint, minimum_index }))
    }

    async fn get_tile(
        &self,
        request: Request<GetTileRequest>,
    ) -> Result<Response<GetTileResponse>, Status> {
        let GetTileRequest { level, index, width } = request.into_inner();
        let mut faults = Vec::new();
        let row = u8::try_from(level).ok().and_then(Row::hashes);
        if row.is_none() {
            faults.push(outside("level", "0–63"));
        }
        let width = checked(width, &mut faults);
        let (Some(row), Some(width)) = (row, width) else { return Err(invalid(faults)) };
        let tile = self.tile(&Tile::new(row, index, width)).await.map_err(unavailable)?;
        let tile = tile.ok_or_else(|| refuse(ErrorReason::NotInLog))?;
        Ok(Response::new(GetTileResponse { tile }))
    }

    async fn get_entry_bundle(
        &self,
        request: Request<GetEntryBundleRequest>,
    ) -> Result<Response<GetEntryBundleResponse>, Status> {
        let (caller, _) = context(&request)?;
        if !self.is_auditor(caller.id()) {
            return Err(refuse(ErrorReason::MethodNotAllowed));
        }
        let GetEntryBundleRequest { index, width } = request.into_inner();
        let mut faults = Vec::new();
        let Some(width) = checked(width, &mut faults) else { return Err(invalid(faults)) };
        let bundle = Tile::new(Row::Entries, index, width);
        let bundle = match self.bundle(&bundle).await {
            Err(Error::Pruned(_)) => None,
            found => found.map_err(unavailable)?,
        };
        let bundle = bundle.ok_or_else(|| refuse(ErrorReason::NotInLog))?;
        Ok(Response::new(GetEntryBundleResponse { bundle }))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        let proven = self.inclusion(request.into_inner().index).await;
        let (proof, checkpoint) = proven_or_refused(proven)?;
        Ok(Response::new(GetInclusionProofResponse { proof, checkpoint }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        let proven = self.consistency(request.into_inner().old_size).await;
        let (proof, checkpoint) = proven_or_refused(proven)?;
        Ok(Response::new(GetConsistencyProofResponse { proof, checkpoint }))
    }
}

/// The width of a piece, where 0 stands for a whole one.
fn checked(width: u32, faults: &mut Vec<Violation>) -> Option<u64> {
    let width = if width == 0 { FULL } else { u64::from(width) };
    if width <= FULL {
        return Some(width);
    }
    faults.push(outside("width", "0–256"));
    None
}

fn outside(field: &str, range: &str) -> Violation {
    let (vi, en) = (format!("phải trong khoảng {range}"), format!("must be {range}"));
    Violation::new(field, FieldFault::NotAllowed, &vi, &en)
}

fn proven_or_refused(
    proven: Result<Option<Proven>, Error>,
) -> Result<(Vec<Vec<u8>>, String), Status> {
    let proven = proven.map_err(unavailable)?;
    let Proven { proof, checkpoint } = proven.ok_or_else(|| refuse(ErrorReason::NotInLog))?;
    Ok((super::hashes(&proof), checkpoint))
}

pub(super) fn unavailable(error: Error) -> Status {
    super::not_shown(&error);
    refuse(ErrorReason::LogUnreadable)
}
