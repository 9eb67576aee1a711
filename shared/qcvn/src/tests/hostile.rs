//! What is refused, where it stands, and that no value is repeated.

use super::*;
use crate::{BYTES_MAX, What};

fn refused(xml: &[u8]) -> Vec<Told> {
    qcvn().read(xml, &said()).unwrap_err()
}

#[test]
fn what_is_dangerous_is_refused_unread() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>";
    let outside = "<!DOCTYPE x SYSTEM \"file:///etc/passwd\">";
    for doctype in [bomb, outside] {
        let xml = format!("{doctype}{}", message("<c:GioiTinh>&b;</c:GioiTinh>"));
        assert_eq!(short(&refused(xml.as_bytes())), ["XML DOCUMENT_TYPE"]);
    }
    let entity = message("<c:GioiTinh>&b;</c:GioiTinh>");
    assert_eq!(short(&refused(entity.as_bytes())), ["XML ENTITY"]);
    let attribute = entity.replacen("<c:CongDan>", "<c:CongDan a=\"&b;\">", 1);
    assert_eq!(short(&refused(attribute.as_bytes())), ["XML ENTITY"]);
    let deep = message(&format!("{}{}", "<c:a>".repeat(50_000), "</c:a>".repeat(50_000)));
    assert_eq!(short(&refused(deep.as_bytes())), ["XML TOO_DEEP"]);
    let large = message(&" ".repeat(BYTES_MAX));
    assert_eq!(short(&refused(large.as_bytes())), ["XML TOO_LARGE"]);
    let many: String = (0..60_000).map(|i| format!(" a{i}=''")).collect();
    let many = format!("<a{many}/>");
    assert_eq!(short(&refused(many.as_bytes())), ["XML NOT_WELL_FORMED"]);
    let spaces: String = (0..40_000).map(|i| format!(" xmlns:a{i}='b'")).collect();
    assert_eq!(short(&refused(format!("<a{spaces}/>").as_bytes())), ["XML NOT_WELL_FORMED"]);
}

#[test]
fn what_is_no_message_is_refused() {
    let good = message("<c:GioiTinh>1</c:GioiTinh>");
    assert!(qcvn().read(good.as_bytes(), &said()).is_ok());
    for (xml, what) in [
        (String::new(), "NOT_WELL_FORMED"),
        ("x".into(), "NOT_WELL_FORMED"),
        (good.replace("</c:CongDan>", ""), "NOT_WELL_FORMED"),
        (good.replace("</c:CongdanCollection>", ""), "NOT_WELL_FORMED"),
        (format!("{good}{good}"), "NOT_WELL_FORMED"),
        (format!("{good}x"), "NOT_WELL_FORMED"),
        (good.replace(">1<", ">&#1;<"), "NOT_WELL_FORMED"),
        (good.replace(">1<", ">\u{1}<"), "NOT_WELL_FORMED"),
        (good.replace(">1<", ">a&b<"), "NOT_WELL_FORMED"),
        (format!("<?xml version=\"1.0\" encoding=\"UTF-16\"?>{good}"), "ENCODING"),
        (good.replace("dancu/1.0", "dancu/2.0"), "WRONG_ROOT"),
        (good.replace("CongdanCollection", "CongDanCollection"), "WRONG_ROOT"),
        ("<a/>".into(), "WRONG_ROOT"),
    ] {
        let faults = refused(xml.as_bytes());
        assert_eq!((faults.len(), faults[0].what.name()), (1, what), "{xml}");
        assert!(faults[0].at.is_some(), "{xml}");
    }
    assert_eq!(refused(b"<a>\xFF</a>")[0].what, What::Encoding);
}

#[test]
fn every_fault_is_named_at_once_with_its_place_and_without_its_value() {
    let inner = "\n<c:SoDinhDanh>99009000001</c:SoDinhDanh>
        <c:SoCMND>999 00001</c:SoCMND>
        <c:HoVaTen>NguyenVanAn</c:HoVaTen>
        <c:GioiTinh><c:x>secret</c:x></c:GioiTinh>
        <c:DanToc>01<c:MaDanToc>secret</c:MaDanToc></c:DanToc>
        <c:NgayThangNamSinh><c:Nam>1990</c:Nam><c:NgayThangNam>1991-01-01</c:NgayThangNam></c:NgayThangNamSinh>
        <c:QueQuan><c:MaDonViHanhChinh>secret</c:MaDonViHanhChinh><c:ChiTiet>secret</c:ChiTiet></c:QueQuan>
        <c:Cha><c:SoDinhDanh>secret</c:SoDinhDanh><c:HoVaTen><c:Ho>secret</c:Ho></c:HoVaTen></c:Cha>
        <c:Me><c:HoVaTen>secret</c:HoVaTen><c:HoVaTen>secret</c:HoVaTen></c:Me>
        <c:n990090000017>secret</c:n990090000017>";
    let faults = refused(message(inner).as_bytes());
    assert_eq!(
        short(&faults),
        [
            "DanToc MALFORMED",
            "CongDan[1]/SoDinhDanh MALFORMED",
            "CongDan[1]/SoCMND MALFORMED",
            "CongDan[1]/HoVaTen MALFORMED",
            "CongDan[1]/GioiTinh MALFORMED",
            "CongDan[1]/NgayThangNamSinh CONTRADICTION",
            "CongDan[1]/QueQuan/MaDonViHanhChinh MALFORMED",
            "CongDan[1]/Cha/SoDinhDanh MALFORMED",
            "CongDan[1]/Cha/HoVaTen/Ten MISSING",
            "CongDan[1]/Me/HoVaTen REPEATED",
        ]
    );
    assert_eq!(faults[1].at.map(|at| (at.line, at.column)), Some((2, 1)));
    assert_eq!(faults[3].at.map(|at| (at.line, at.column)), Some((4, 9)));
    let text: String = faults.iter().map(|told| format!("{told}\n")).collect();
    for value in ["secret", "99009", "999 ", "NguyenVanAn", "1990", "1991"] {
        assert!(!text.contains(value), "{value} in {text}");
    }
    assert!(text.starts_with("6:9 DanToc  MALFORMED: không đúng dạng / has not the right form"));
    // The name of an element is the sender's, too.
    let odd = message("<c:GioiTinh>1</c:GioiTinh><c:n990090000017>x</c:n990090000017>");
    let read = qcvn().read(odd.as_bytes(), &said()).unwrap();
    assert_eq!(short(&read.told), ["CongDan[1]/? UNKNOWN_ELEMENT"]);
}

#[test]
fn dates_that_are_none_are_refused() {
    for bad in [
        "1990-02-30",
        "1990-00-00",
        "1990-01",
        "19900000",
        "31/05/1990",
        "1990-5-1",
        "1990",
        "1799-01-01",
        "1990-01-01-1",
        "199001010",
        "١٩٩٠-٠١-٠١",
        "1990-01-0é",
        "1990é101",
    ] {
        let date = format!("<c:NgayThangNam>{bad}</c:NgayThangNam>");
        let xml = message(&format!("<c:NgayThangNamSinh>{date}</c:NgayThangNamSinh>"));
        let place = "CongDan[1]/NgayThangNamSinh/NgayThangNam MALFORMED";
        assert_eq!(short(&refused(xml.as_bytes())), [place], "{bad}");
    }
}

#[test]
fn i8_debug_shows_no_value() {
    let read = qcvn().read(message("<c:GioiTinh>1</c:GioiTinh>").as_bytes(), &said()).unwrap();
    let text = format!("{read:?} {:?}", read.collection.persons[0].items);
    assert!(!text.contains('1') && text.contains("[personal]"), "{text}");
}
