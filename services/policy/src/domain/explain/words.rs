//! What the rules of this service itself say, in Vietnamese and in English; those of the law say so in their own files.

/// What a rule of this service says, or that a check stands. Whatever has no words here says nothing.
pub(super) fn words(rule: &str) -> (&'static str, &'static str) {
    let found = WORDS.iter().find(|(id, ..)| *id == rule);
    found.map_or(("", ""), |(_, vi, en)| (vi, en))
}

const WORDS: &[(&str, &str, &str)] = &[
    (
        "legal-profile",
        "Luật liệt kê các thông tin đang có hiệu lực.",
        "The law that lists the items is in force.",
    ),
    (
        "legal-profile-not-in-force",
        "Luật liệt kê các thông tin không có hiệu lực trong ngày này.",
        "The law that lists the items is not in force on this day.",
    ),
    ("connection", "Kết nối đang được sử dụng.", "The connection may be used."),
    ("no-connection", "Hệ thống chưa được kết nối.", "The system has no connection."),
    (
        "connection-not-admitted",
        "Kết nối chưa được mở: còn điều kiện chưa đáp ứng.",
        "The connection is not opened yet: conditions are not met.",
    ),
    ("connection-suspended", "Kết nối đang tạm dừng.", "The connection is suspended."),
    (
        "connection-expired",
        "Kết nối hết hiệu lực: không còn thỏa thuận nào có hiệu lực.",
        "The connection expired: no agreement for it is in force.",
    ),
    ("connection-revoked", "Kết nối đã chấm dứt.", "The connection has ended."),
    (
        "assessment-lapsed",
        "Đánh giá an toàn của kết nối đã hết hạn.",
        "The security assessment of the connection lapsed.",
    ),
    (
        "connection-basis-ended",
        "Căn cứ pháp lý của kết nối không còn hiệu lực và không có căn cứ thay thế.",
        "The legal ground of the connection ended and none took its place.",
    ),
    ("legal-basis", "Căn cứ pháp lý đang có hiệu lực.", "The legal ground is in force."),
    ("basis-unknown", "Không có căn cứ pháp lý này.", "There is no such legal ground."),
    (
        "basis-not-in-force",
        "Căn cứ pháp lý không có hiệu lực trong ngày này.",
        "The legal ground is not in force on this day.",
    ),
    ("procedure", "Thủ tục phù hợp với việc này.", "The procedure is one for this."),
    ("procedure-unknown", "Không có thủ tục này.", "There is no such procedure."),
    (
        "event-not-of-procedure",
        "Loại sự kiện không thuộc thủ tục này.",
        "The kind of event is not one of this procedure.",
    ),
    (
        "procedure-follows-nobody",
        "Thủ tục này chỉ dùng cho từng trường hợp, không dùng để theo dõi thay đổi.",
        "The procedure is for single cases, and not to be told of changes.",
    ),
    ("agreement", "Có thỏa thuận đang có hiệu lực.", "An agreement in force grants it."),
    (
        "no-agreement",
        "Không có thỏa thuận đang có hiệu lực cho việc này.",
        "No agreement in force grants this.",
    ),
    ("rules", "Các quy tắc cho phép ít nhất một thông tin.", "The rules allow at least one item."),
    (
        "agreement-scope",
        "Thỏa thuận không bao gồm thông tin này.",
        "The agreement does not grant this item.",
    ),
    ("item-catalogue", "Luật không liệt kê thông tin này.", "The law does not list this item."),
    (
        "no-rule-permits",
        "Không có quy tắc nào cho phép trên căn cứ này.",
        "No rule permits this on the ground named.",
    ),
    (
        "evaluation-error",
        "Một quy tắc không đánh giá được, nên không cung cấp gì.",
        "A rule could not be evaluated, so nothing is given.",
    ),
    (
        "key-not-granted",
        "Thỏa thuận không dành cho khóa của chứng thư này.",
        "The agreement does not grant it to this key.",
    ),
    (
        "unit-not-granted",
        "Thỏa thuận không dành cho đơn vị này.",
        "The agreement does not grant it for this unit.",
    ),
    (
        "direction-not-granted",
        "Chỉ đạo được nêu không phải chỉ đạo trong thỏa thuận.",
        "The direction named is not the one of the agreement.",
    ),
    (
        "obligations-ended",
        "Thời hạn kèm theo đã hết.",
        "The moment up to which it is given has come.",
    ),
    (
        "obligations-untold",
        "Việc này không kèm được điều kiện, nên không cung cấp gì có điều kiện.",
        "No conditions are told of this act, so nothing is given on any.",
    ),
    (
        "obligations-differ",
        "Các điều kiện kèm theo không thể cùng được thực hiện.",
        "The conditions on which it is given cannot all be kept.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_has_words_in_both_languages_once() {
        assert!(WORDS.iter().all(|(_, vi, en)| !vi.is_empty() && !en.is_empty()));
        let ids: BTreeSet<_> = WORDS.iter().map(|(id, ..)| id).collect();
        assert_eq!(ids.len(), WORDS.len());
        assert_eq!(words("of-nobody"), ("", ""));
    }
}
