//! The rules in Vietnamese; in English they are the contract's own words.

/// A rule in Vietnamese.
pub(crate) fn vi(id: &str) -> &'static str {
    VI.iter().find(|(rule, _)| *rule == id).map_or("", |(_, text)| text)
}

const VI: &[(&str, &str)] = &[
    (
        "DB-1",
        "Chỉ dùng TLS 1.3, không dùng phiên bản cũ hơn; HTTP/2 được thỏa thuận bằng ALPN (`h2`).",
    ),
    (
        "DB-2",
        "Bên gọi không có chứng thư số, hoặc chứng thư số không do cơ quan cấp đã cấu hình phát hành, không nhận được trả lời nào.",
    ),
    (
        "DB-3",
        "Bên gọi có chứng thư số tốt nhưng không có trong danh sách cho phép nhận PERMISSION_DENIED với METHOD_NOT_ALLOWED ở mọi phương thức, trừ DescribeDatabase.",
    ),
    (
        "DB-4",
        "Health/Check trả lời SERVING cho tên rỗng và mỗi dịch vụ được triển khai, NOT_FOUND cho dịch vụ không có.",
    ),
    (
        "DB-5",
        "Phương thức không triển khai, và phương thức của vai trò không có trong mô tả, trả lời UNIMPLEMENTED.",
    ),
    (
        "DB-6",
        "Mọi lỗi mang google.rpc.ErrorInfo của miền `lienthong.gov.vn` với lý do thuộc ErrorReason.",
    ),
    (
        "DB-7",
        "INVALID_REQUEST mang google.rpc.BadRequest nêu cùng lúc mọi trường sai, mỗi trường với lý do thuộc FieldFault.",
    ),
    (
        "DB-8",
        "Thông điệp không đọc được chỉ kết thúc lời gọi của nó bằng lỗi; các lời gọi sau trên cùng kết nối vẫn được trả lời.",
    ),
    ("DB-9", "Yêu cầu lớn hơn 4 MiB chỉ kết thúc lời gọi của nó bằng lỗi RESOURCE_EXHAUSTED."),
    ("DB-10", "Lời gọi kết thúc trong vòng một giây sau khi hết thời hạn (`grpc-timeout`)."),
    (
        "DB-11",
        "Lời gọi bị hủy trả lại những gì nó giữ: sau một trăm lời gọi bị hủy, lời gọi khác vẫn được trả lời như trước.",
    ),
    ("DB-12", "Mười sáu lời gọi cùng lúc trên một kết nối đều được trả lời."),
    ("DB-13", "Trường mà cơ sở dữ liệu không biết không làm thay đổi gì."),
    ("DB-14", "Bên gọi không nhận trả lời không làm chậm bên gọi khác."),
    ("DB-15", "Có grpc.reflection.v1 để xem được những gì được cung cấp."),
    (
        "DB-20",
        "Mô tả đầy đủ và đúng dạng: mã, đơn vị chủ quản, tên, phiên bản hợp đồng, ít nhất một vai trò, mỗi vai trò một lần.",
    ),
    ("DB-21", "Cơ sở dữ liệu nguồn hoặc tra cứu nêu các mục thông tin nó giữ, mỗi mục một lần."),
    ("DB-22", "Mọi giới hạn của vai trò được nêu và lớn hơn không."),
    (
        "LKP-1",
        "Người được biết và thông tin khai khớp: trả lời MATCH và đúng một kết quả cho mỗi mục được hỏi, theo thứ tự hỏi.",
    ),
    ("LKP-2", "Trả lời lặp lại `subject` và `request_id` của yêu cầu, và giá trị là của người đó."),
    ("LKP-3", "Người không được biết: trả lời OK với NO_MATCH và không gì khác."),
    ("LKP-4", "Thông tin khai không khớp: trả lời giống như người không được biết."),
    (
        "LKP-5",
        "Mục không có: `unknown_item`; mục không có giá trị: `not_held`. Không phải lỗi, và chuỗi rỗng không thay cho chúng.",
    ),
    ("LKP-6", "Mỗi giá trị có kiểu như danh mục mục thông tin; mã nêu danh mục và phiên bản."),
    ("LKP-7", "Có thể hỏi lại với giấy phép khác: khi hồ sơ không đổi, kết quả như nhau."),
    ("LKP-8", "Câu hỏi sai bị từ chối với INVALID_REQUEST, và giấy phép của nó chưa bị dùng."),
    ("LKP-9", "Trong môi trường giả định, mọi số định danh cá nhân trong trả lời là số giả định."),
    (
        "LKP-20",
        "Mỗi giá trị được đối chiếu có một kết quả, theo thứ tự hỏi: MATCH, MISMATCH, INDETERMINATE, NOT_HELD hoặc UNKNOWN_ITEM.",
    ),
    (
        "LKP-21",
        "Kết quả đối chiếu không chứa giá trị của cơ sở dữ liệu: kích thước trả lời không phụ thuộc giá trị được giữ.",
    ),
    ("LKP-30", "Mỗi câu hỏi có một trả lời, theo thứ tự hỏi, giống như GetRecord trả lời."),
    (
        "LKP-31",
        "Một câu hỏi sai, hoặc nhiều hơn `queries_max`, bị từ chối với INVALID_REQUEST trước trả lời đầu tiên.",
    ),
    ("LKP-40", "Câu hỏi không có giấy phép bị từ chối."),
    ("LKP-41", "Giấy phép không do khóa nào trong JWKS ký bị từ chối, dù nêu `kid` nào."),
    ("LKP-42", "Giấy phép bị sửa một byte, hoặc không gồm ba phần base64url, bị từ chối."),
    (
        "LKP-43",
        "Giấy phép có `alg` là `none` hay khác `EdDSA`, `typ` khác, hoặc có `crit` bị từ chối.",
    ),
    (
        "LKP-44",
        "Giấy phép bị từ chối khi đã quá `exp` năm giây trở lên, hoặc có hạn dài hơn 300 giây.",
    ),
    ("LKP-45", "Giấy phép bị từ chối khi còn hơn năm giây mới đến `nbf`."),
    ("LKP-46", "Giấy phép dành cho cơ sở dữ liệu khác, hoặc do nơi khác cấp, bị từ chối."),
    ("LKP-47", "Giấy phép dành cho chứng thư số khác với chứng thư của kết nối bị từ chối."),
    (
        "LKP-48",
        "Giấy phép đã được chấp nhận bị từ chối khi đến lần nữa, kể cả khi nhiều lần đến cùng lúc.",
    ),
    ("LKP-49", "Giấy phép mà `warrant_opening` không mở ra đúng người được hỏi bị từ chối."),
    ("LKP-50", "Giấy phép không nêu mọi mục được hỏi bị từ chối."),
    ("LKP-51", "Giấy phép cho thủ tục hoặc căn cứ khác với câu hỏi bị từ chối."),
    ("LKP-52", "Giấy phép đã được chấp nhận bị từ chối cả sau khi khởi động lại."),
    ("LKP-53", "Thành phần không biết trong phần đầu và nội dung không làm thay đổi gì."),
    (
        "SNK-1",
        "Mỗi sự kiện có một kết quả, theo thứ tự giao; chỉ trả lời STORED khi đã lưu bền vững.",
    ),
    ("SNK-2", "Sự kiện đã lưu khi đến lần nữa được trả lời DUPLICATE và chỉ có hiệu lực một lần."),
    ("SNK-3", "Sự kiện trùng mã nhưng khác nội dung được trả lời CONFLICT và không thay đổi gì."),
    (
        "SNK-4",
        "Sự kiện về một người với phiên bản không cao hơn phiên bản đã lưu được trả lời OBSOLETE và không thay đổi gì.",
    ),
    (
        "SNK-5",
        "Sự kiện loại không biết được trả lời UNSUPPORTED; các sự kiện khác được nhận như thể không có nó.",
    ),
    (
        "SNK-6",
        "Lần giao rỗng, quá `events_max`, hoặc có sự kiện thiếu mã, thứ tự hay thời điểm bị từ chối với INVALID_REQUEST và không thay đổi gì.",
    ),
    ("SNK-7", "Những gì đã lưu vẫn được biết sau khi khởi động lại."),
    ("SRC-1", "Các thay đổi theo thứ tự ghi nhận; `sequence` tăng theo từng thay đổi."),
    ("SRC-2", "Cùng một con trỏ cho cùng các thay đổi, cùng thứ tự, cùng nội dung từng byte."),
    ("SRC-3", "Mỗi thay đổi được liệt kê một lần, với mọi kích thước trang."),
    (
        "SRC-4",
        "Thay đổi có đủ `change_id`, `sequence`, `commit_time`, `cursor`, `basis`, đúng một sự kiện, và đúng dạng.",
    ),
    ("SRC-5", "Con trỏ có 1 đến 256 ký tự ASCII in được và không chứa dữ liệu cá nhân."),
    ("SRC-6", "Đọc tiếp từ `cursor` của một thay đổi cho thay đổi ngay sau nó."),
    (
        "SRC-7",
        "Con trỏ không do cơ sở dữ liệu cấp, hoặc dài hơn 256 ký tự, bị từ chối với UNKNOWN_CURSOR.",
    ),
    ("SRC-8", "Con trỏ có các thay đổi không còn được lưu bị từ chối với CURSOR_EXPIRED."),
    ("SRC-9", "Thay đổi còn nguyên sau khi khởi động lại, với mã, thứ tự và con trỏ của chúng."),
    (
        "SRC-10",
        "Trong môi trường giả định, mọi số định danh cá nhân trong thay đổi là số giả định.",
    ),
    ("SRC-11", "`commit_time` không lùi lại và không ở tương lai."),
    ("SRC-20", "Con trỏ rỗng nghĩa là thay đổi cũ nhất còn được lưu."),
    (
        "SRC-21",
        "Một trang có nhiều nhất `page_size` và `page_size_max` thay đổi; `page_size` lớn hơn không phải lỗi; 0 để cơ sở dữ liệu chọn.",
    ),
    ("SRC-22", "`page_size` âm bị từ chối với INVALID_REQUEST."),
    ("SRC-23", "Một trang có nhiều nhất 4 MiB."),
    (
        "SRC-24",
        "`next_cursor` không bao giờ rỗng; hỏi lại với nó cho những gì được ghi nhận từ đó, không gì hai lần.",
    ),
    ("SRC-25", "Trang chỉ rỗng ở cuối danh sách, và `end_reached` nói đúng đã đến cuối hay chưa."),
    ("SRC-30", "Luồng cho đúng những gì ListChanges cho từ cùng con trỏ, cùng thứ tự."),
    ("SRC-31", "Không có `follow`, luồng kết thúc với OK ở cuối danh sách."),
    (
        "SRC-32",
        "Với `follow`, luồng vẫn mở ở cuối danh sách và kết thúc theo thời hạn của bên gọi.",
    ),
    ("SRC-33", "Luồng bị ngắt được đọc tiếp từ `next_cursor` nhận được sau cùng, không mất gì."),
];

#[cfg(test)]
mod tests {
    use contract::database::v1::RULES;

    use super::*;

    #[test]
    fn every_rule_is_said_in_vietnamese_and_nothing_else() {
        assert!(RULES.iter().all(|rule| !vi(rule.id).is_empty()));
        assert_eq!(RULES.len(), VI.len());
    }
}
