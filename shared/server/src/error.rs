//! The one form of an error on the wire: a gRPC status with `google.rpc.ErrorInfo`, whose reason and
//! words come from one table. Nothing of a person and nothing of an underlying error goes into it.

use std::{collections::HashMap, time::Duration};

use contract::r#type::v1::{ErrorReason, FieldFault};
use tonic::{Code, Status};
use tonic_types::{
    ErrorDetails, FieldViolation, LocalizedMessage, PreconditionViolation, StatusExt,
};

/// The domain of every reason.
pub const DOMAIN: &str = "lienthong.gov.vn";
const VIETNAMESE: &str = "vi-VN";
/// Bytes of the faulty fields that one error names: clients take 8 KiB of headers (grpc-java and gRPC C++, and
/// what stands on it, unless told otherwise), a third of which is base64; with more they would see none of it.
const FIELDS_BYTES_MAX: usize = 5_400;

/// One faulty field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, for example `basis.procedure`.
    pub field: String,
    /// Stable reason.
    pub reason: FieldFault,
    /// What is wrong, in Vietnamese; never the value itself.
    pub vi: String,
    /// The same in English.
    pub en: String,
}

impl Violation {
    /// A fault of a field, in both languages.
    pub fn new(field: &str, reason: FieldFault, vi: &str, en: &str) -> Self {
        Self { field: field.to_owned(), reason, vi: vi.to_owned(), en: en.to_owned() }
    }
}

/// An error that names every faulty field, as far as they fit into the headers that clients take.
pub fn invalid(violations: Vec<Violation>) -> Status {
    let mut details = ErrorDetails::new();
    let mut left = FIELDS_BYTES_MAX;
    let fits = |field: &FieldViolation| match left.checked_sub(size(field)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let fields = violations.into_iter().map(FieldViolation::from).take_while(fits);
    details.set_bad_request(fields.collect::<Vec<_>>());
    with_details(ErrorReason::InvalidRequest, details, &[])
}

impl From<Violation> for FieldViolation {
    fn from(Violation { field, reason, vi, en }: Violation) -> Self {
        let reason = reason.as_str_name();
        let reason = reason.strip_prefix("FIELD_FAULT_").unwrap_or(reason).to_owned();
        Self {
            field,
            description: format!("{reason}: {vi} / {en}"),
            reason,
            localized_message: Some(LocalizedMessage::new(VIETNAMESE, vi)),
        }
    }
}

/// Bytes of a faulty field on the wire: its texts, and a few for each of them.
fn size(field: &FieldViolation) -> usize {
    let FieldViolation { field, description, reason, localized_message } = field;
    let local = localized_message.as_ref().map_or(0, |m| m.locale.len() + m.message.len());
    field.len() + description.len() + reason.len() + local + 20
}

/// One thing that must be otherwise before a request can succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precondition {
    /// Stable reason, UPPER_SNAKE.
    pub reason: String,
    /// What it is about, for example an item; empty when it is about the whole.
    pub subject: String,
    /// What is wrong, in Vietnamese and in English.
    pub vi: &'static str,
    /// See `vi`.
    pub en: &'static str,
}

/// An error that names everything that must be otherwise, as far as it fits into the headers that clients take, with values a
/// client can read.
pub fn unmet(
    reason: ErrorReason,
    preconditions: Vec<Precondition>,
    metadata: &[(&str, String)],
) -> Status {
    let mut details = ErrorDetails::new();
    let mut left = FIELDS_BYTES_MAX;
    let violations = preconditions
        .into_iter()
        .map(|p| PreconditionViolation::new(p.reason, p.subject, format!("{} / {}", p.vi, p.en)))
        .take_while(|one| {
            let size = one.r#type.len() + one.subject.len() + one.description.len() + 20;
            let rest = left.checked_sub(size);
            left = rest.unwrap_or_default();
            rest.is_some()
        });
    details.set_precondition_failure(violations.collect::<Vec<_>>());
    with_details(reason, details, metadata)
}

/// OVERLOADED, with when to come again: for people's programs as RetryInfo, and for gRPC's own retries as the
/// push-back they know (gRFC A6).
pub fn overloaded(after: Duration) -> Status {
    let mut details = ErrorDetails::new();
    details.set_retry_info(Some(after));
    let mut status = with_details(ErrorReason::Overloaded, details, &[]);
    if let Ok(after) = after.as_millis().to_string().parse() {
        status.metadata_mut().insert("grpc-retry-pushback-ms", after);
    }
    status
}

/// An error by its reason alone.
pub fn refuse(reason: ErrorReason) -> Status {
    refuse_with(reason, &[])
}

/// An error by its reason, with values a client can read; never anything of a person.
pub fn refuse_with(reason: ErrorReason, metadata: &[(&str, String)]) -> Status {
    with_details(reason, ErrorDetails::new(), metadata)
}

fn with_details(
    reason: ErrorReason,
    mut details: ErrorDetails,
    metadata: &[(&str, String)],
) -> Status {
    let (code, vi, en) = entry(reason);
    let mut metadata: HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    // A fault of ours says nothing but where our log has it.
    if code == Code::Internal
        && let Some(id) = crate::trace::Trace::current_request_id()
    {
        metadata.insert("request_id".to_owned(), id);
    }
    details.set_error_info(name(reason), DOMAIN, metadata);
    details.set_localized_message(VIETNAMESE, vi);
    Status::with_error_details(code, en, details)
}

/// The reason as clients see it: the enum name without its prefix.
pub fn name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

/// A code as gRPC's own texts write it, and with them the contract, telemetry and reports.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The reason of an error, if it is one of ours.
pub fn reason_of(status: &Status) -> Option<ErrorReason> {
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == DOMAIN)?;
    named(&info.reason)
}

/// The reason of a name as clients see it.
pub fn named(name: &str) -> Option<ErrorReason> {
    ErrorReason::from_str_name(&format!("ERROR_REASON_{name}"))
}

/// The reason in the headers or trailers of an error, if it is one of ours: no other text gets among the labels of
/// what is measured.
pub(crate) fn reason_in(headers: &http::HeaderMap) -> Option<&'static str> {
    reason_of(&Status::from_header_map(headers)?).map(name)
}

/// Code and words of a reason.
fn entry(reason: ErrorReason) -> (Code, &'static str, &'static str) {
    match reason {
        ErrorReason::Unspecified | ErrorReason::Internal => {
            (Code::Internal, "Lỗi của hệ thống.", "A fault of the system.")
        }
        ErrorReason::InvalidRequest => (
            Code::InvalidArgument,
            "Yêu cầu có trường không hợp lệ.",
            "The request has faulty fields.",
        ),
        ErrorReason::UnknownIdentity => (
            Code::Unauthenticated,
            "Chứng thư số không mang định danh được công nhận, hoặc yêu cầu mang \
             tiêu đề mà chỉ proxy của hệ thống được đặt.",
            "The certificate carries no recognised identity, or the call a header \
             that only a proxy of the system may set.",
        ),
        ErrorReason::MethodNotAllowed => (
            Code::PermissionDenied,
            "Bên gọi không được dùng phương thức này.",
            "The method is not open to this caller.",
        ),
        ErrorReason::ConnectionNotActive => (
            Code::PermissionDenied,
            "Kết nối chưa được mở, đã tạm dừng hoặc đã chấm dứt.",
            "The connection is absent, suspended or ended.",
        ),
        ErrorReason::NoAgreement => (
            Code::PermissionDenied,
            "Không có thỏa thuận còn hiệu lực cho thủ tục và căn cứ này.",
            "No agreement in force covers this procedure on this basis.",
        ),
        ErrorReason::BasisNotInForce => (
            Code::PermissionDenied,
            "Căn cứ pháp lý không tồn tại hoặc không có hiệu lực.",
            "The legal basis is unknown or not in force.",
        ),
        ErrorReason::NothingAllowed => (
            Code::PermissionDenied,
            "Không mục thông tin nào được phép cung cấp.",
            "None of the requested items is allowed.",
        ),
        ErrorReason::GuessingBudgetSpent => (
            Code::ResourceExhausted,
            "Quá nhiều lần tra cứu, đối chiếu hoặc cung cấp thông tin không khớp.",
            "Too many lookups, comparisons or contributions that did not match.",
        ),
        ErrorReason::DeadlineExceeded => {
            (Code::DeadlineExceeded, "Quá thời hạn của bên gọi.", "The caller's deadline passed.")
        }
        ErrorReason::AuditUnavailable => (
            Code::Unavailable,
            "Chưa ghi được nhật ký nên không cung cấp dữ liệu.",
            "The access could not be recorded, so nothing was released.",
        ),
        ErrorReason::PolicyUnavailable => (
            Code::Unavailable,
            "Dịch vụ chính sách không trả lời.",
            "The policy service did not answer.",
        ),
        ErrorReason::RegisterUnavailable => (
            Code::Unavailable,
            "Cơ sở dữ liệu dân cư không trả lời.",
            "The register did not answer.",
        ),
        ErrorReason::MessageTooLarge => {
            (Code::ResourceExhausted, "Thông điệp quá lớn.", "The message is too large.")
        }
        ErrorReason::Overloaded => (
            Code::Unavailable,
            "Hệ thống đang quá tải hoặc đang dừng.",
            "The server is overloaded or stopping.",
        ),
        ErrorReason::KeyReused => (
            Code::AlreadyExists,
            "Khóa này đã được dùng cho một yêu cầu khác.",
            "The key was used by another request.",
        ),
        ErrorReason::ContributionRejected => (
            Code::FailedPrecondition,
            "Cơ sở dữ liệu dân cư không tiếp nhận thông tin được cung cấp.",
            "The register rejected the contribution.",
        ),
        ErrorReason::ItemNotAllowed => (
            Code::PermissionDenied,
            "Có mục thông tin không được phép cung cấp cho Cơ sở dữ liệu dân cư.",
            "An item of the contribution is not allowed to this source.",
        ),
        ErrorReason::RegisterBehind => (
            Code::Unavailable,
            "Cơ sở dữ liệu dân cư chưa có phiên bản được yêu cầu.",
            "The register has not yet seen the version asked for.",
        ),
        ErrorReason::UnknownMethod => {
            (Code::Unimplemented, "Không có phương thức này.", "There is no such method.")
        }
        ErrorReason::UnknownService => {
            (Code::NotFound, "Không có dịch vụ này.", "There is no such service.")
        }
        ErrorReason::UnknownCursor => (
            Code::InvalidArgument,
            "Con trỏ không do cơ sở dữ liệu này cấp.",
            "The cursor is none that this database gave.",
        ),
        ErrorReason::CursorExpired => (
            Code::FailedPrecondition,
            "Các thay đổi sau con trỏ này không còn được lưu.",
            "The changes after this cursor are not kept any more.",
        ),
        ErrorReason::UnknownContribution => (
            Code::NotFound,
            "Không có thông tin nào được cung cấp theo khóa này.",
            "Nothing was contributed under this key.",
        ),
        ErrorReason::UnknownConflict => (
            Code::NotFound,
            "Không có mâu thuẫn nào như vậy thuộc trách nhiệm giải quyết của bên gọi.",
            "There is no such conflict that the caller has to decide.",
        ),
        ErrorReason::CursorOutOfRange => (
            Code::OutOfRange,
            "Các thay đổi sau con trỏ này không còn được lưu; con trỏ cũ nhất được kèm theo.",
            "The changes after this cursor are not kept any more; the oldest cursor is given.",
        ),
        ErrorReason::FollowedFull => (
            Code::ResourceExhausted,
            "Danh sách người được theo dõi đã đầy.",
            "The list of followed persons is full.",
        ),
        ErrorReason::OfficerNotAuthorised => (
            Code::PermissionDenied,
            "Cán bộ không có thẩm quyền thực hiện việc này.",
            "The officer has no authority to do this.",
        ),
        ErrorReason::SecondOfficerRequired => (
            Code::PermissionDenied,
            "Việc này phải do một cán bộ khác thực hiện.",
            "Another officer has to do this.",
        ),
        ErrorReason::MoveNotPossible => (
            Code::FailedPrecondition,
            "Hồ sơ kết nối chưa đủ điều kiện cho bước này.",
            "The admission is not ready for this move.",
        ),
        ErrorReason::WarrantRefused => (
            Code::PermissionDenied,
            "Thiếu giấy phép truy vấn, hoặc giấy phép không cho phép câu hỏi này.",
            "The warrant is missing, or does not allow this question.",
        ),
        ErrorReason::VolumeUsedUp => (
            Code::PermissionDenied,
            "Số lượt cung cấp thông tin mà thỏa thuận cho phép trong kỳ này đã dùng hết, hoặc phần còn lại \
             đang được cấp tạm cho tiến trình khác.",
            "As many persons were told of as the agreement grants for this time, or the rest is leased to \
             other processes for a moment.",
        ),
        ErrorReason::ConnectionChanged => (
            Code::Aborted,
            "Hồ sơ kết nối đã được thay đổi trong khi đó.",
            "The admission was moved in between.",
        ),
        ErrorReason::UnknownConnection => {
            (Code::NotFound, "Không có hồ sơ kết nối này.", "There is no such admission.")
        }
        ErrorReason::AgreementNotPossible => (
            Code::FailedPrecondition,
            "Thỏa thuận chưa đủ điều kiện cho bước này.",
            "The agreement does not allow this move.",
        ),
        ErrorReason::UnknownAgreement => {
            (Code::NotFound, "Không có thỏa thuận này.", "There is no such agreement.")
        }
        ErrorReason::SignatureInvalid => (
            Code::Unauthenticated,
            "Chữ ký kèm theo không phải chữ ký của bên gọi đối với yêu cầu này.",
            "The signature that came with the call is not one of its caller over this request.",
        ),
        ErrorReason::SignatureRequired => (
            Code::PermissionDenied,
            "Thỏa thuận buộc bên gọi ký yêu cầu, nhưng yêu cầu này không được ký.",
            "The agreement demands that requests are signed, and this one is not.",
        ),
        ErrorReason::RuleSetNotPossible => (
            Code::FailedPrecondition,
            "Bộ quy tắc chưa đủ điều kiện cho bước này.",
            "The rule set does not allow this move.",
        ),
        ErrorReason::UnknownRuleSet => {
            (Code::NotFound, "Không có bộ quy tắc này.", "There is no such rule set.")
        }
        ErrorReason::LogUnreadable => (
            Code::Unavailable,
            "Hiện không đọc được nhật ký truy cập.",
            "The access log cannot be read now.",
        ),
        ErrorReason::NotInLog => (
            Code::NotFound,
            "Nhật ký truy cập không có phần này, hoặc chưa có.",
            "The access log does not have this, or not yet.",
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use std::fmt::Write as _;

    use super::*;

    const CONTRACT: &str = "../../proto/lienthong/type/v1/error_reason.proto";
    const README: &str = "../../proto/README.md";
    const BEGIN: &str = "<!-- errors -->\n";
    const END: &str = "<!-- /errors -->";

    fn read(path: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(path).unwrap()
    }

    fn all() -> Vec<ErrorReason> {
        (1..).map_while(|number| ErrorReason::try_from(number).ok()).collect()
    }

    /// What the contract says of each reason, by its name: the comment before it, as one line.
    fn comments() -> HashMap<String, String> {
        let (mut found, mut comment) = (HashMap::new(), String::new());
        for line in read(CONTRACT).lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("//") {
                comment = format!("{comment} {}", text.trim()).trim().to_owned();
            } else if let Some((name, _)) =
                line.split_once(" = ").filter(|(name, _)| name.starts_with("ERROR_REASON_"))
            {
                found.insert(name.to_owned(), std::mem::take(&mut comment));
            } else {
                comment.clear();
            }
        }
        found
    }

    #[test]
    fn every_reason_has_its_code_and_its_words_in_both_languages() {
        let comments = comments();
        assert_eq!(comments.len(), all().len() + 1, "numbers without gaps, and 0");
        for reason in all() {
            let (code, vi, en) = entry(reason);
            let comment = &comments[reason.as_str_name()];
            assert!(
                comment.starts_with(&format!("{}. ", code_name(code))),
                "{reason:?}: {comment}"
            );
            let advised = comment.contains("epeat") || comment.contains("another one");
            assert!(advised, "{reason:?} does not say whether to repeat: {comment}");
            assert!(!vi.is_empty() && !en.is_empty() && vi != en, "{reason:?}");
            assert!(name(reason).len() <= 63, "longer than an ErrorInfo takes");
        }
    }

    /// `UPDATE=1` rewrites the table in `proto/README.md`.
    #[test]
    fn the_catalogue_of_errors_is_what_the_program_says() {
        let mut table = String::from("| reason | code | vi | en |\n|---|---|---|---|\n");
        for reason in all() {
            let (code, vi, en) = entry(reason);
            writeln!(table, "| `{}` | {} | {vi} | {en} |", name(reason), code_name(code)).unwrap();
        }
        let readme = read(README);
        let (before, rest) = readme.split_once(BEGIN).unwrap();
        let (found, after) = rest.split_once(END).unwrap();
        if found != table && std::env::var_os("UPDATE").is_some() {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(README);
            std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
            return;
        }
        assert!(found == table, "run `UPDATE=1 cargo test -p server` and read the difference");
    }

    #[test]
    fn every_faulty_field_carries_its_reason_and_both_languages() {
        let violation = |field: &str, reason| Violation {
            field: field.to_owned(),
            reason,
            vi: "bắt buộc phải có".to_owned(),
            en: "is required".to_owned(),
        };
        let status = invalid(vec![
            violation("items", FieldFault::Missing),
            violation("basis.officer", FieldFault::PersonalNumber),
        ]);
        assert_eq!(status.code(), Code::InvalidArgument);
        let fields = status.get_error_details().bad_request().unwrap().field_violations.clone();
        let first = &fields[0];
        assert_eq!((first.field.as_str(), first.reason.as_str()), ("items", "MISSING"));
        assert_eq!(first.description, "MISSING: bắt buộc phải có / is required");
        let vietnamese = first.localized_message.as_ref().unwrap();
        assert_eq!(
            (vietnamese.locale.as_str(), vietnamese.message.as_str()),
            ("vi-VN", "bắt buộc phải có")
        );
        assert_eq!(fields[1].reason, "PERSONAL_NUMBER");
    }

    #[test]
    fn an_error_fits_into_the_headers_that_clients_take() {
        let violation = |number: usize| Violation {
            field: format!("correction.corrected_values[{number}].value.relation.date_of_birth"),
            reason: FieldFault::PersonalNumber,
            vi: "không được là số định danh cá nhân".to_owned(),
            en: "must not be a personal number".to_owned(),
        };
        let status = invalid((0..64).map(violation).collect());
        let named = status.get_error_details().bad_request().unwrap().field_violations.clone();
        assert!(named.len() >= 20, "{}", named.len());
        let first = named.iter().zip((0..64).map(violation)).all(|(a, b)| a.field == b.field);
        assert!(first, "the first are named");
        let headers = status.into_http::<()>().into_parts().0.headers;
        // As RFC 9113 counts them.
        let bytes: usize = headers.iter().map(|(k, v)| k.as_str().len() + v.len() + 32).sum();
        assert!(bytes <= 8 << 10, "{bytes}");
    }

    #[test]
    fn every_error_carries_its_reason_and_both_languages() {
        let status = refuse_with(ErrorReason::NoAgreement, &[("record_index", "7".into())]);
        let details = status.get_error_details();
        assert_eq!(status.code(), Code::PermissionDenied);
        let info = details.error_info();
        assert_eq!(info.map(|i| i.reason.as_str()), Some("NO_AGREEMENT"));
        assert_eq!(info.map(|i| i.domain.as_str()), Some(DOMAIN));
        assert_eq!(
            info.and_then(|i| i.metadata.get("record_index")).map(String::as_str),
            Some("7")
        );
        assert!(details.localized_message().is_some_and(|m| m.locale == "vi-VN"));
        assert!(!status.message().is_empty());
    }
}
