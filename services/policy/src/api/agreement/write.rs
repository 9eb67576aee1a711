//! Agreements as the contract writes them, and what is in the way of a move, by name and in words.

use contract::{
    audit::v1::Receipt,
    policy::v1::{self as proto, AgreementObstacle, AgreementState, MoveAgreementRequest},
};
use prost::Message as _;
use wire::timestamp_us;

use crate::{
    app::agreement::View,
    domain::agreement::{State, Step, obstacle::Obstacle},
    store::agreement::Entry,
};

pub(super) fn agreement(view: &View) -> proto::Agreement {
    let agreement = &view.agreement;
    let content = &agreement.content;
    let agencies = content.parties.iter().map(|party| &party.agency);
    let closed = agreement.closed.as_ref().map(|(by, _)| by);
    let says_no =
        |agency: &&String| closed == Some(*agency) || !agreement.accepted.contains(*agency);
    proto::Agreement {
        agreement: content.id.clone(),
        state: state(view.state).into(),
        connection: content.connection.clone(),
        digest: hex::decode(&agreement.digest).unwrap_or_default(),
        version: agreement.version,
        valid_from: content.valid_from.to_string(),
        valid_to: view.valid_to.to_string(),
        accepted: agreement.accepted.clone(),
        missing: agencies.filter(says_no).cloned().collect(),
        renewed_by: view.renewed_by.clone(),
    }
}

fn state(state: State) -> AgreementState {
    match state {
        State::Proposed => AgreementState::Proposed,
        State::Accepted => AgreementState::Accepted,
        State::InForce => AgreementState::InForce,
        State::Rejected => AgreementState::Rejected,
        State::Revoked => AgreementState::Revoked,
        State::Ended => AgreementState::Ended,
    }
}

pub(super) fn entry(entry: &Entry) -> proto::AgreementMove {
    let signed_by = match &entry.made.step {
        Step::Propose(..) => String::new(),
        Step::Sign { signer, .. } => signer.clone(),
    };
    let receipt = entry.kept.as_ref().and_then(|kept| Receipt::decode(&kept.receipt[..]).ok());
    proto::AgreementMove {
        version: entry.version,
        made_by: entry.made.by.clone(),
        move_time: Some(timestamp_us(entry.made.at_us)),
        signed_by,
        request: MoveAgreementRequest::decode(&entry.request[..]).ok(),
        record_index: receipt.map(|receipt| receipt.index),
    }
}

fn obstacle(obstacle: Obstacle) -> AgreementObstacle {
    match obstacle {
        Obstacle::AlreadyProposed => AgreementObstacle::AlreadyProposed,
        Obstacle::NoConnection => AgreementObstacle::NoConnection,
        Obstacle::OtherConsumer => AgreementObstacle::OtherConsumer,
        Obstacle::OtherOfficer => AgreementObstacle::OtherOfficer,
        Obstacle::NotTrusted => AgreementObstacle::CertificateNotTrusted,
        Obstacle::NotAParty => AgreementObstacle::NotAParty,
        Obstacle::KeyNotNamed => AgreementObstacle::KeyNotNamed,
        Obstacle::SignatureInvalid => AgreementObstacle::SignatureInvalid,
        Obstacle::AlreadySaid => AgreementObstacle::AlreadySaid,
        Obstacle::Closed => AgreementObstacle::Closed,
        Obstacle::OtherStatement => AgreementObstacle::OtherStatement,
        Obstacle::TermEnded => AgreementObstacle::TermEnded,
        Obstacle::Overlaps => AgreementObstacle::Overlaps,
        Obstacle::NothingToRenew => AgreementObstacle::NothingToRenew,
    }
}

/// The stable name: that of the enum, without its prefix.
pub(super) fn name(what: Obstacle) -> &'static str {
    let name = obstacle(what).as_str_name();
    name.strip_prefix("AGREEMENT_OBSTACLE_").unwrap_or(name)
}

/// What is in the way, in Vietnamese and English.
pub(super) fn words(what: Obstacle) -> (&'static str, &'static str) {
    match what {
        Obstacle::AlreadyProposed => {
            ("đã có thỏa thuận với mã này", "there is an agreement of this id")
        }
        Obstacle::NoConnection => (
            "kết nối không có hồ sơ, hoặc đã kết thúc",
            "no admission holds the connection, or it has ended",
        ),
        Obstacle::OtherConsumer => (
            "bên khai thác không phải cơ quan của kết nối",
            "the consumer is not the agency of the connection",
        ),
        Obstacle::OtherOfficer => (
            "người ký cho bên cung cấp không có thẩm quyền, hoặc là người đề xuất",
            "who signed for the provider may not, or is who proposed it",
        ),
        Obstacle::NotTrusted => {
            ("chứng thư số không được tin cậy", "the certificate is not trusted")
        }
        Obstacle::NotAParty => ("người ký không phải một bên", "who signed is no party"),
        Obstacle::KeyNotNamed => {
            ("khóa không được nêu trong thỏa thuận", "the agreement does not name the key")
        }
        Obstacle::SignatureInvalid => (
            "chữ ký không phải của nội dung này",
            "the signature is not one of this statement about these bytes",
        ),
        Obstacle::AlreadySaid => ("bên này đã ký", "the party has said so already"),
        Obstacle::Closed => ("một bên đã từ chối hoặc hủy bỏ", "a party rejected or revoked it"),
        Obstacle::OtherStatement => (
            "thỏa thuận chưa đủ chữ ký thì từ chối, đã đủ thì hủy bỏ",
            "what not all accepted is rejected, what all accepted is revoked",
        ),
        Obstacle::TermEnded => ("thời hạn đã hết", "its term has ended"),
        Obstacle::Overlaps => (
            "thỏa thuận khác cho phép cùng việc trong cùng thời gian",
            "another agreement grants the same in the same time",
        ),
        Obstacle::NothingToRenew => {
            ("không có thỏa thuận để gia hạn", "what it renews cannot be renewed by it")
        }
    }
}
