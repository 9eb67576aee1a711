//! Rule sets, their moves and what is in the way of one, and flips, as messages.

use contract::{
    audit::v1::Receipt,
    policy::v1::{
        self as proto, AssumedFact, FlipKind, MoveRuleSetRequest, RuleSetObstacle, RuleSetState,
        SubjectClass, move_rule_set_request::Move,
    },
};
use prost::Message as _;
use wire::timestamp_us;

use crate::{
    api::{answer_item, decision::write::act},
    app::rule_set::View,
    domain::{
        flips::{Asked, Flip, Kind, Times},
        rule_set::{Obstacle, Stage, State},
    },
    store::rule_set::Entry,
};

pub(super) fn rule_set(view: &View) -> proto::RuleSet {
    let set = &view.set;
    let ended = match &set.stage {
        Stage::Proposed => None,
        Stage::Approved { by, at_us } | Stage::Withdrawn { by, at_us } => Some((by, *at_us)),
    };
    // Nobody put set 0 in force.
    let ended = ended.filter(|_| set.number != 0);
    proto::RuleSet {
        number: set.number,
        state: state(view.state).into(),
        digest: hex::decode(&set.digest).unwrap_or_default(),
        follows: (set.number != 0).then_some(set.follows),
        document: set.document.clone(),
        reason: set.reason.clone(),
        proposed_by: set.proposed_by.clone(),
        propose_time: (set.number != 0).then(|| timestamp_us(set.proposed_at_us)),
        ended_by: ended.map(|(by, _)| by.clone()).unwrap_or_default(),
        end_time: ended.map(|(_, at_us)| timestamp_us(at_us)),
    }
}

fn state(state: State) -> RuleSetState {
    match state {
        State::Proposed => RuleSetState::Proposed,
        State::InForce => RuleSetState::InForce,
        State::Replaced => RuleSetState::Replaced,
        State::Withdrawn => RuleSetState::Withdrawn,
        State::Overtaken => RuleSetState::Overtaken,
    }
}

pub(super) fn entry(entry: &Entry) -> proto::RuleSetMove {
    let receipt = entry.kept.as_ref().and_then(|kept| Receipt::decode(&kept.receipt[..]).ok());
    let mut request = MoveRuleSetRequest::decode(&entry.request[..]).ok();
    // They stand beside, and need not be sent twice.
    if let Some(Move::Propose(proposal)) =
        request.as_mut().and_then(|request| request.r#move.as_mut())
    {
        proposal.content.clear();
    }
    proto::RuleSetMove {
        version: entry.version,
        made_by: entry.made.by.clone(),
        move_time: Some(timestamp_us(entry.made.at_us)),
        request,
        record_index: receipt.map(|receipt| receipt.index),
    }
}

fn kind(kind: Kind) -> FlipKind {
    match kind {
        Kind::Opened => FlipKind::Opened,
        Kind::Closed => FlipKind::Closed,
        Kind::Conditions => FlipKind::Conditions,
        Kind::Hidden => FlipKind::Hidden,
        Kind::Shown => FlipKind::Shown,
    }
}

/// A total, without whose and of what.
pub(super) fn total(of: Kind, times: Times) -> proto::FlipTotal {
    let Times { questions, asked } = times;
    let kind = kind(of).into();
    proto::FlipTotal { kind, questions, asked, ..proto::FlipTotal::default() }
}

pub(super) fn flip((of, flip, times): &(Asked, Flip, Times)) -> proto::Flip {
    let class = |facts: &Vec<(String, bool)>| SubjectClass {
        facts: facts
            .iter()
            .map(|(fact, holds)| AssumedFact { fact: fact.clone(), holds: *holds })
            .collect(),
    };
    proto::Flip {
        agency: of.agency.clone(),
        system: of.system.clone(),
        action: act(of.act).into(),
        procedure: of.procedure.clone(),
        legal_basis: of.legal_basis.clone(),
        kind: kind(flip.kind).into(),
        now: Some(answer_item(flip.now.clone())),
        then: Some(answer_item(flip.then.clone())),
        subjects: flip.subjects.iter().map(class).collect(),
        questions: times.questions,
        asked: times.asked,
        direction: of.directed,
        event: of.event.map(|event| event.name().to_owned()).unwrap_or_default(),
    }
}

fn obstacle(obstacle: Obstacle) -> RuleSetObstacle {
    match obstacle {
        Obstacle::NotValid => RuleSetObstacle::NotValid,
        Obstacle::FollowsAnother => RuleSetObstacle::FollowsAnother,
        Obstacle::OtherOfficer => RuleSetObstacle::OtherOfficer,
        Obstacle::NotTrusted => RuleSetObstacle::CertificateNotTrusted,
        Obstacle::OtherSigner => RuleSetObstacle::OtherSigner,
        Obstacle::SignatureInvalid => RuleSetObstacle::SignatureInvalid,
        Obstacle::Closed => RuleSetObstacle::Closed,
        Obstacle::StillNamed => RuleSetObstacle::StillNamed,
    }
}

/// The stable name: that of the enum, without its prefix.
pub(super) fn name(what: Obstacle) -> &'static str {
    let name = obstacle(what).as_str_name();
    name.strip_prefix("RULE_SET_OBSTACLE_").unwrap_or(name)
}

/// What is in the way, in Vietnamese and English.
pub(super) fn words(what: Obstacle) -> (&'static str, &'static str) {
    match what {
        Obstacle::NotValid => ("bộ quy tắc không hợp lệ", "the rule set cannot decide"),
        Obstacle::FollowsAnother => (
            "bộ quy tắc thay thế một bộ không còn hiệu lực",
            "it follows a rule set that is not in force",
        ),
        Obstacle::OtherOfficer => {
            ("người phê duyệt là người đề xuất", "who approves it is who proposed it")
        }
        Obstacle::NotTrusted => {
            ("chứng thư số không được tin cậy", "the certificate is not trusted")
        }
        Obstacle::OtherSigner => {
            ("người ký không phải người gửi", "somebody else signed than calls")
        }
        Obstacle::SignatureInvalid => (
            "chữ ký không phải của nội dung này",
            "the signature is not one of this word about these bytes",
        ),
        Obstacle::Closed => {
            ("bộ quy tắc đã được phê duyệt hoặc rút lại", "it was approved or withdrawn")
        }
        Obstacle::StillNamed => (
            "thỏa thuận hoặc kết nối còn nêu mã này",
            "an agreement or a connection names what the set does not have",
        ),
    }
}
