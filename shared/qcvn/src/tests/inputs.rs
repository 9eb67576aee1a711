//! The inputs of a lookup, both ways.

use super::*;
use crate::Inputs;

fn given(pairs: &[(&str, &str)]) -> Inputs {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn whole() -> Inputs {
    given(&[
        ("MaYeuCau", "YC-1"),
        ("MaDVC", "1.000001"),
        ("MaTichHop", "037"),
        ("MaDonVi", "Z02.DEMO.BHXH"),
        ("MaCanBo", "CB-7"),
        ("SoDinhDanh", "990090000017"),
        ("HoVaTen", "Nguyễn Giả Định An"),
        ("NgayThangNamSinh", "1990-05-31"),
    ])
}

#[test]
fn whole_inputs_come_back_as_they_were() {
    let (asked, told) = qcvn().ask(&whole()).unwrap();
    assert!(told.is_empty());
    assert_eq!(qcvn().inputs(&asked).unwrap(), whole());
    let mut old = whole();
    old.remove("SoDinhDanh");
    old.insert("SoCMND".into(), "999000017".into());
    old.insert("NgayThangNamSinh".into(), "1990".into());
    let (asked, told) = qcvn().ask(&old).unwrap();
    assert!(told.is_empty());
    assert_eq!(qcvn().inputs(&asked).unwrap(), old);
}

#[test]
fn every_fault_is_named_at_once_and_no_value_is_repeated() {
    let long = "9".repeat(101);
    let all: Vec<(&str, &str)> =
        ["MaDVC", "MaDonVi", "HoVaTen", "SoDinhDanh"].map(|name| (name, long.as_str())).into();
    let mut bad = given(&all);
    bad.extend(given(&[
        ("MaTichHop", "033"),
        ("MaCanBo", "990090000017"),
        ("NgayThangNamSinh", "1990-5"),
        ("NgaySinh", "x"),
        ("990090000017", "x"),
    ]));
    let faults = qcvn().ask(&bad).unwrap_err();
    assert_eq!(
        short(&faults),
        [
            "? UNKNOWN_INPUT",
            "NgaySinh UNKNOWN_INPUT",
            "MaDVC TOO_LONG",
            "MaDonVi TOO_LONG",
            "SoDinhDanh TOO_LONG",
            "HoVaTen TOO_LONG",
            "MaYeuCau MISSING",
            "MaTichHop NOT_A_LOOKUP",
            "MaCanBo PERSONAL_NUMBER",
            "SoDinhDanh MALFORMED",
            "NgayThangNamSinh MALFORMED",
        ]
    );
    let text: String = faults.iter().map(|told| format!("{told}\n")).collect();
    assert!(!text.contains("99009") && !text.contains("1990"), "{text}");
    let none = qcvn().ask(&given(&[("HoVaTen", "An")])).unwrap_err();
    assert_eq!(
        short(&none),
        ["MaYeuCau MISSING", "SoDinhDanh MISSING", "NgayThangNamSinh MISSING"]
    );
}

#[test]
fn what_callers_of_today_send_is_read_and_told() {
    let mut sent = whole();
    sent.insert("SoCMND".into(), "999000017".into());
    sent.insert("HoVaTen".into(), "NGUYENGIADINHAN".into());
    sent.insert("NgayThangNamSinh".into(), "19900531".into());
    let (asked, told) = qcvn().ask(&sent).unwrap();
    assert_eq!(
        short(&told),
        ["SoCMND NO_FIELD", "HoVaTen STRIPPED_NAME", "NgayThangNamSinh COMPACT_DATE"]
    );
    assert!(asked.date_of_birth == Some(date(1990, 5, 31)));
}

#[test]
fn a_request_that_the_inputs_cannot_hold_is_refused() {
    let (mut asked, _) = qcvn().ask(&whole()).unwrap();
    asked.procedure = Some("health-insurance-card-issuance".into());
    asked.date_of_birth = Some(date(1990, 5, 0));
    let faults = qcvn().inputs(&asked).unwrap_err();
    assert_eq!(short(&faults), ["NgayThangNamSinh MALFORMED", "MaDVC TOO_LONG"]);
}
