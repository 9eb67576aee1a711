//! The log as auditors, and everybody else, read it by LogService.

use contract::audit::v1::{
    GetCheckpointRequest, GetConsistencyProofRequest, GetEntryBundleRequest,
    GetInclusionProofRequest, GetTileRequest, log_service_server::LogService,
};
use futures::future::join_all;
use tlog::{
    Checkpoint, pieces,
    tile::{FULL, Row, Tile},
};

use super::*;

const RECORDS: u64 = 300;

pub(super) fn asked<T>(message: T, caller: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller::parse(caller, "lienthong.test").unwrap());
    request.extensions_mut().insert(Deadline::after(HANG));
    request
}

pub(super) async fn tile(
    service: &Service,
    level: u32,
    index: u64,
    width: u32,
) -> Result<Vec<u8>, Status> {
    let request = GetTileRequest { level, index, width };
    let answer = ends(service.get_tile(asked(request, CALLER))).await?;
    Ok(answer.into_inner().tile)
}

pub(super) async fn bundle(
    service: &Service,
    by: &str,
    index: u64,
    width: u32,
) -> Result<Vec<u8>, Status> {
    let request = GetEntryBundleRequest { index, width };
    let answer = ends(service.get_entry_bundle(asked(request, by))).await?;
    Ok(answer.into_inner().bundle)
}

async fn newest(service: &Service) -> Checkpoint {
    let answer = ends(service.get_checkpoint(asked(GetCheckpointRequest {}, CALLER))).await;
    log().verify(&answer.unwrap().into_inner().checkpoint).unwrap()
}

/// The proof that the log extends one of so many records, and the checkpoint that it leads to.
pub(super) async fn extends(
    service: &Service,
    old_size: u64,
) -> Result<(Vec<Hash>, Checkpoint), Status> {
    let request = asked(GetConsistencyProofRequest { old_size }, CALLER);
    let answer = ends(service.get_consistency_proof(request)).await?.into_inner();
    Ok((tlog::hashes(&answer.proof).unwrap(), log().verify(&answer.checkpoint).unwrap()))
}

/// The proof of a record, checked against its leaf.
pub(super) async fn covered(service: &Service, index: u64, leaf: &Hash) -> Result<(), Status> {
    let request = asked(GetInclusionProofRequest { index }, CALLER);
    let answer = ends(service.get_inclusion_proof(request)).await?.into_inner();
    let checkpoint = log().verify(&answer.checkpoint).unwrap();
    let proof = tlog::hashes(&answer.proof).unwrap();
    tlog::verify_inclusion(index, checkpoint.size, leaf, &proof, &checkpoint.root).unwrap();
    Ok(())
}

#[tokio::test]
async fn whoever_has_the_pieces_has_the_log() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        let mut checkpoints = vec![newest(&service).await];
        for begin in (0..RECORDS).step_by(60) {
            join_all((begin..begin + 60).map(|number| recorded(&service, number))).await;
            checkpoints.push(newest(&service).await);
        }
        let newest = checkpoints.last().unwrap();
        assert_eq!(newest.size, RECORDS);
        let mut copy = std::collections::HashMap::new();
        let width = |piece: &Tile| u32::try_from(piece.width() % FULL).unwrap();
        for piece in Tile::all(Row::Entries, RECORDS) {
            let index = piece.places().start / FULL;
            copy.insert(piece, bundle(&service, AUDITOR, index, width(&piece)).await.unwrap());
        }
        for level in 0..2 {
            for piece in Tile::all(Row::Hashes(level), RECORDS) {
                let index = piece.places().start / FULL;
                let got = tile(&service, level.into(), index, width(&piece)).await;
                copy.insert(piece, got.unwrap());
            }
        }
        let read = |piece: &Tile| copy.get(piece).cloned().ok_or("not there");
        for older in &checkpoints {
            pieces::verify(newest, &[older], read, drop).unwrap();
            let (proof, to) = extends(&service, older.size).await.unwrap();
            assert_eq!((to.size, to.root), (newest.size, newest.root));
            if older.size == 0 {
                assert!(proof.is_empty());
                continue;
            }
            let (old, new) = ((older.size, &older.root), (to.size, &to.root));
            tlog::verify_consistency(old, new, &proof).unwrap();
        }
        let leaves: Vec<_> = copy[&Tile::new(Row::Entries, 0, FULL)].chunks(106).collect();
        for index in [0, 1, 127, 255] {
            let leaf = tlog::leaf_hash(&leaves[usize::try_from(index).unwrap()][2..]);
            covered(&service, index, &leaf).await.unwrap();
        }
        ends(service.close()).await;
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_is_asked_wrongly_is_refused() {
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    recorded(&service, 1).await;
    let absent = (Code::NotFound, "NOT_IN_LOG".to_owned());
    for (level, index, width) in [(0, 0, 2), (0, 0, 0), (0, u64::MAX, 1), (1, 0, 1), (63, 0, 1)] {
        let refused = tile(&service, level, index, width).await.unwrap_err();
        assert_eq!(reason(&refused), absent, "{level} {index} {width}");
    }
    for (index, width) in [(0, 2), (0, 0), (u64::MAX, 1)] {
        let refused = bundle(&service, AUDITOR, index, width).await.unwrap_err();
        assert_eq!(reason(&refused), absent, "{index} {width}");
    }
    assert_eq!(reason(&extends(&service, 2).await.unwrap_err()), absent);
    assert_eq!(reason(&covered(&service, 1, &[0; 32]).await.unwrap_err()), absent);
    let both = tile(&service, 64, 0, 257).await.unwrap_err();
    let fault = |field: &str| (field.to_owned(), "NOT_ALLOWED".to_owned());
    assert_eq!(faults(&both), [fault("level"), fault("width")]);
    let one = bundle(&service, AUDITOR, 0, 257).await.unwrap_err();
    assert_eq!(faults(&one), [fault("width")]);
    ends(service.close()).await;
}

#[tokio::test]
async fn entries_are_read_by_auditors_alone() {
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    recorded(&service, 1).await;
    assert_eq!(bundle(&service, AUDITOR, 0, 1).await.unwrap().len(), 2 + tlog::LEAF_LEN);
    for other in [CALLER, "spiffe://lienthong.test/operator/auditor"] {
        let refused = bundle(&service, other, 0, 1).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::PermissionDenied, "METHOD_NOT_ALLOWED".to_owned()));
    }
    ends(service.close()).await;
    let nobody = Config { auditors: vec!["auditor".to_owned()], ..setup.config() };
    assert!(matches!(open(&nobody).await, Err(Error::NoAuditor(id)) if id == "auditor"));
}

/// What was flipped on the disk is not given out.
#[tokio::test]
async fn a_stored_leaf_or_hash_that_has_changed_is_an_outage() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        join_all((0..8).map(|number| recorded(&service, number))).await;
        ends(service.close()).await;
        setup
            .tamper(match engine {
                Engine::Sqlite => &[
                    "UPDATE leaf SET leaf = substr(leaf, 1, 103) || unhex('00') WHERE position = 3",
                    "UPDATE node SET hash = unhex('00') || substr(hash, 2) WHERE position = 0",
                ],
                Engine::Postgres => &[
                    "UPDATE leaf SET leaf = set_byte(leaf, 103, 0) WHERE position = 3",
                    "UPDATE node SET hash = set_byte(hash, 0, 0) WHERE position = 0",
                ],
            })
            .await;
        let service = setup.open().await;
        let away = (Code::Unavailable, "LOG_UNREADABLE".to_owned());
        assert_eq!(reason(&bundle(&service, AUDITOR, 0, 8).await.unwrap_err()), away);
        bundle(&service, AUDITOR, 0, 3).await.unwrap_err();
        assert_eq!(reason(&extends(&service, 1).await.unwrap_err()), away);
        assert_eq!(reason(&covered(&service, 1, &[0; 32]).await.unwrap_err()), away);
        // What does not lead over it is as sound as it was.
        assert_eq!(extends(&service, 4).await.unwrap().1.size, 8);
        ends(service.close()).await;
    }
}
