//! What a rejection says to its source, in words.

use contract::r#type::v1::ErrorReason;
use disclosure::DurableReceipt;
use server::error::{Precondition, unmet};
use tonic::Status;

use crate::domain::Rejection;

/// The error that names every reason of a rejection.
pub(super) fn rejected(reasons: Vec<Rejection>, receipt: &DurableReceipt) -> Status {
    let one = |rejection: Rejection| {
        let (vi, en) = match rejection.reason.as_str() {
            "ALREADY_REGISTERED" => (
                "bản ghi này của nguồn đã có trong cơ sở dữ liệu dân cư",
                "this entry of the source is already in the register",
            ),
            "PREFIX_NOT_ISSUED" => (
                "không cấp số định danh với mã nơi đăng ký này",
                "no number is issued with this place code",
            ),
            "DATE_OUT_OF_RANGE" => (
                "ngày ở tương lai hoặc trước ngày sinh",
                "a date lies in the future or before the birth",
            ),
            "PERSON_NOT_FOUND" => (
                "không có người như vậy hoặc thông tin không khớp",
                "there is no such person, or what is known of it differs",
            ),
            "PERSON_DECEASED" => (
                "cơ sở dữ liệu dân cư đã ghi nhận người này chết hoặc mất tích",
                "the register already holds the person's death or disappearance",
            ),
            "NOTHING_TO_CORRECT" => {
                ("không có giá trị nào để cải chính", "there is no value that could be corrected")
            }
            "OTHER_SOURCE" => (
                "giá trị do nguồn khác cung cấp, chỉ nguồn đó được cải chính",
                "the value was provided by another source, which alone corrects it",
            ),
            "NUMBERS_SPENT" => (
                "đã hết số định danh cho mã nơi đăng ký, giới tính và năm sinh này",
                "no number with this prefix, sex and year of birth is left",
            ),
            "VERSION_CHANGED" => (
                "bản ghi đã thay đổi kể từ khi nguồn đọc, cần đọc lại",
                "the record has changed since the source read it: read it again",
            ),
            "NOTHING_TO_ANNUL" => (
                "nguồn không có thông tin nào với khóa này để hủy, hoặc chưa nêu đủ các mục",
                "the source has nothing under this key that could be annulled, or its items are not all named",
            ),
            "NOTHING_TO_END" => (
                "cơ sở dữ liệu dân cư không có giá trị nào như vậy để chấm dứt",
                "the register holds no such value that could end",
            ),
            "CANNOT_END" => (
                "thông tin này không chấm dứt mà chỉ được cải chính, thay đổi hoặc hủy",
                "this does not end: it is corrected, changed or annulled",
            ),
            "PARENT_NOT_OLDER" => {
                ("cha, mẹ không nhiều tuổi hơn con", "a parent is not older than the child")
            }
            "ALREADY_MARRIED" => (
                "cơ sở dữ liệu dân cư đã có vợ hoặc chồng khác chưa ghi nhận chết",
                "the register holds another spouse, whose death it does not hold",
            ),
            "PERSON_REPEATED" => (
                "một người xuất hiện ở hai vị trí của sự kiện",
                "one person stands in two places of the event",
            ),
            "NOTHING_TO_DECIDE" => (
                "không có mâu thuẫn nào như vậy để nguồn giải quyết, hoặc đã thay đổi",
                "there is no such conflict that the source may decide, or it has changed",
            ),
            "WITHDRAWN" => (
                "nguồn đã rút thông tin này trước khi được tiếp nhận",
                "the source withdrew it before it was applied",
            ),
            "WRONG_TYPE" => ("giá trị không đúng kiểu", "the value has not the right type"),
            _ => (
                "cơ sở dữ liệu dân cư không nhận dạng thông tin này",
                "the register does not take a contribution of this form",
            ),
        };
        Precondition { reason: rejection.reason, subject: rejection.item, vi, en }
    };
    let index = ("record_index", receipt.index().to_string());
    let reasons = reasons.into_iter().map(one).collect();
    unmet(ErrorReason::ContributionRejected, reasons, &[index])
}
