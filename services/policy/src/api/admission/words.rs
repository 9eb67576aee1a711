//! The names and words of what is in the way of a move.

use contract::policy::v1::{self as proto, AdmissionObstacle};

use crate::domain::admission::{
    law::Law,
    obstacle::{Found, Obstacle},
};

pub(super) fn obstacle((what, subject): &Found, law: &Law) -> proto::Obstacle {
    let (by, article) = what.condition().map_or(("", ""), |condition| law.owed(condition));
    proto::Obstacle {
        obstacle: wire(*what).into(),
        subject: subject.clone(),
        owed_by: by.to_owned(),
        article: article.to_owned(),
    }
}

/// The stable name of what is in the way.
pub(super) fn name(what: Obstacle) -> &'static str {
    let name = wire(what).as_str_name();
    name.strip_prefix("ADMISSION_OBSTACLE_").unwrap_or(name)
}

fn wire(what: Obstacle) -> AdmissionObstacle {
    match what {
        Obstacle::NotApplied => AdmissionObstacle::NotApplied,
        Obstacle::AlreadyApplied => AdmissionObstacle::AlreadyApplied,
        Obstacle::HeldElsewhere => AdmissionObstacle::HeldElsewhere,
        Obstacle::BasisNotInForce => AdmissionObstacle::BasisNotInForce,
        Obstacle::NotChecked => AdmissionObstacle::NotChecked,
        Obstacle::Infrastructure => AdmissionObstacle::Infrastructure,
        Obstacle::Standards => AdmissionObstacle::Standards,
        Obstacle::SecurityLevel => AdmissionObstacle::SecurityLevel,
        Obstacle::Checklist => AdmissionObstacle::Checklist,
        Obstacle::NotAgreed => AdmissionObstacle::NotAgreed,
        Obstacle::AgreementNotInForce => AdmissionObstacle::AgreementNotInForce,
        Obstacle::NotConformant => AdmissionObstacle::NotConformant,
        Obstacle::NotAssessed => AdmissionObstacle::NotAssessed,
        Obstacle::AssessmentLapsed => AdmissionObstacle::AssessmentLapsed,
        Obstacle::FindingOpen => AdmissionObstacle::FindingOpen,
        Obstacle::AlreadyActive => AdmissionObstacle::AlreadyActive,
        Obstacle::NotActive => AdmissionObstacle::NotActive,
        Obstacle::AlreadyOpened => AdmissionObstacle::AlreadyOpened,
        Obstacle::NotSuspended => AdmissionObstacle::NotSuspended,
        Obstacle::SuspendFirst => AdmissionObstacle::SuspendFirst,
        Obstacle::Ended => AdmissionObstacle::Ended,
        Obstacle::EndNotProposed => AdmissionObstacle::EndNotProposed,
        Obstacle::Cause => AdmissionObstacle::Cause,
        Obstacle::OtherSystem => AdmissionObstacle::OtherSystem,
        Obstacle::Suspended => AdmissionObstacle::Suspended,
        Obstacle::NotOpened => AdmissionObstacle::NotOpened,
    }
}

/// What is in the way, in Vietnamese and in English.
pub(super) fn words(what: Obstacle) -> (&'static str, &'static str) {
    match what {
        Obstacle::NotApplied => ("chưa có hồ sơ đề nghị kết nối", "there is no application"),
        Obstacle::AlreadyApplied => {
            ("đã có hồ sơ đề nghị kết nối", "there is an application already")
        }
        Obstacle::HeldElsewhere => (
            "mã kết nối hoặc hệ thống đã thuộc kết nối khác",
            "the id or the system is another connection's",
        ),
        Obstacle::BasisNotInForce => {
            ("căn cứ kết nối không có hiệu lực", "the ground of connecting is not in force")
        }
        Obstacle::NotChecked => ("chưa kiểm tra điều kiện", "conditions were not checked"),
        Obstacle::Infrastructure => {
            ("không đủ hạ tầng thông tin để kết nối", "there is no infrastructure to connect")
        }
        Obstacle::Standards => ("không đạt chuẩn kết nối", "the standards are not met"),
        Obstacle::SecurityLevel => {
            ("cấp độ an toàn hệ thống thông tin quá thấp", "the level of security is too low")
        }
        Obstacle::Checklist => {
            ("nội dung kiểm tra an toàn không đạt", "a part of the checklist was not found good")
        }
        Obstacle::NotAgreed => ("chưa có thỏa thuận", "no agreement is recorded"),
        Obstacle::AgreementNotInForce => (
            "thỏa thuận không thuộc kết nối này hoặc không có hiệu lực",
            "the agreement is not this connection's, or not in force",
        ),
        Obstacle::NotConformant => {
            ("chưa có báo cáo kiểm thử được chấp nhận", "no conformance report is accepted")
        }
        Obstacle::NotAssessed => ("chưa đánh giá an toàn", "security was not assessed"),
        Obstacle::AssessmentLapsed => ("đánh giá an toàn đã hết hạn", "the assessment lapsed"),
        Obstacle::FindingOpen => ("lỗ hổng nghiêm trọng chưa khắc phục", "a grave finding is open"),
        Obstacle::AlreadyActive => ("kết nối đang mở", "the connection is open already"),
        Obstacle::NotActive => ("kết nối không mở", "the connection is not open"),
        Obstacle::AlreadyOpened => {
            ("kết nối đã từng được mở, cần khôi phục", "it was opened before, so it is resumed")
        }
        Obstacle::NotSuspended => {
            ("kết nối không bị tạm dừng, không hết hạn", "it is not suspended and not expired")
        }
        Obstacle::SuspendFirst => ("phải tạm dừng kết nối trước", "suspend the connection first"),
        Obstacle::Ended => ("kết nối đã chấm dứt", "the connection has ended"),
        Obstacle::EndNotProposed => {
            ("chưa có đề xuất chấm dứt với lý do này", "nobody proposed an end for this cause")
        }
        Obstacle::Cause => ("lý do không phù hợp", "the cause does not fit"),
        Obstacle::OtherSystem => (
            "hồ sơ của cơ quan, hệ thống hoặc cơ sở dữ liệu khác",
            "the application is of another agency, system or database",
        ),
        Obstacle::Suspended => ("kết nối bị tạm dừng", "the connection is suspended"),
        Obstacle::NotOpened => ("kết nối chưa được mở", "the connection is not opened yet"),
    }
}
