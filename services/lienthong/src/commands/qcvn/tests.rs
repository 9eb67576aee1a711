//! The conversions as they are run, on synthetic persons.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;

use clap::Parser as _;
use contract::{
    identity::v1::{GetPersonAnswer, LookupOutcome},
    r#type::v1::{
        HeldValue, HeldValues, ItemOutcome, ItemValue, NotHeld, PartialDate, PersonName, Withheld,
        item_outcome::Outcome, item_value,
    },
};
use prost::Message as _;
use prost_types::Timestamp;

use super::*;
use crate::commands::Cli;

/// What a command prints, and how it ended.
fn run(arguments: &[&str]) -> (String, Result<()>) {
    let cli = Cli::try_parse_from([&["lienthong", "qcvn"], arguments].concat());
    let command = match cli.map(|cli| cli.command) {
        Ok(crate::commands::Command::Qcvn(command)) => command,
        Ok(_) => unreachable!(),
        Err(error) => return (String::new(), Err(error.into())),
    };
    let mut out = Vec::new();
    let ended = super::run(command, &mut out);
    (String::from_utf8(out).unwrap(), ended)
}

fn text(arguments: &[&str]) -> String {
    let (out, ended) = run(arguments);
    ended.unwrap();
    out
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&text(&[arguments, &["--format", "json"]].concat())).unwrap()
}

/// The faults of a command that ends with them, place and reason of each.
fn faults(arguments: &[&str]) -> Vec<(String, String)> {
    let (out, ended) = run(&[arguments, &["--format", "json"]].concat());
    assert!(matches!(ended.unwrap_err().downcast_ref(), Some(Ending::Failed)));
    let out: Value = serde_json::from_str(&out).unwrap();
    let word = |fault: &Value, key: &str| fault[key].as_str().unwrap().to_owned();
    let faults = out["faults"].as_array().unwrap().iter();
    faults.map(|fault| (word(fault, "place"), word(fault, "reason"))).collect()
}

fn reasons(report: &Value, key: &str) -> Vec<String> {
    let of = |line: &Value| {
        format!("{} {}", line["place"].as_str().unwrap(), line["reason"].as_str().unwrap())
    };
    report[key].as_array().unwrap().iter().map(of).collect()
}

fn file(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn item(id: &str, outcome: Outcome) -> ItemOutcome {
    ItemOutcome { item: id.into(), outcome: Some(outcome), ..ItemOutcome::default() }
}

fn held(value: item_value::Value) -> HeldValues {
    let value = Some(ItemValue { value: Some(value) });
    HeldValues { values: vec![HeldValue { value, provenance: None }] }
}

fn answer() -> GetPersonAnswer {
    let name = PersonName { full_name: "Y Giả Định".into(), ..PersonName::default() };
    let born = PartialDate { year: 1950, month: 0, day: 0 };
    GetPersonAnswer {
        outcome: LookupOutcome::Match.into(),
        items: vec![
            item("birth_full_name", Outcome::Value(held(item_value::Value::Name(name)))),
            item("date_of_birth", Outcome::Partial(held(item_value::Value::Date(born)))),
            item("other_information", Outcome::Value(held(item_value::Value::Text("x".into())))),
            item("religion", Outcome::NotHeld(NotHeld {})),
            item("sex", Outcome::Withheld(Withheld::default())),
        ],
        answer_time: Some(Timestamp { seconds: 1_767_297_845, nanos: 0 }),
        ..GetPersonAnswer::default()
    }
}

#[test]
fn an_answer_goes_to_a_message_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = file(folder.path(), "answer.bin", answer().encode_to_vec());
    let written = json(&["to-xml", &bytes]);
    assert_eq!(
        reasons(&written, "left_out"),
        ["other_information NO_ELEMENT", "religion NOT_HELD", "sex WITHHELD"]
    );
    let xml = written["xml"].as_str().unwrap();
    assert!(xml.contains("ThoiDiemDuLieu=\"2026-01-02T03:04:05\""), "{xml}");
    assert_eq!(text(&["to-xml", &bytes]), xml);

    let message = file(folder.path(), "message.xml", xml);
    let read = json(&["from-xml", &message]);
    assert_eq!(reasons(&read, "notes"), ["CongDan[1]/HoVaTen WHOLE_NAME"]);
    let items = read["persons"][0]["items"].as_array().unwrap();
    let outcomes: Vec<_> = items
        .iter()
        .map(|i| (i["item"].as_str().unwrap(), i["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("birth_full_name", "value"),
            ("date_of_birth", "partial"),
            ("religion", "not_held"),
            ("sex", "withheld"),
        ]
    );
    assert_eq!(items[1]["values"][0]["value"], json!({ "date": "1950" }));
    // What from-xml prints is what to-xml reads, and so is one person as lookup prints it.
    let printed = file(folder.path(), "persons.json", text(&["from-xml", &message]));
    assert_eq!(text(&["to-xml", &printed]), xml);
    let one = json!({ "outcome": "match", "items": items, "answer_time": "2026-01-01T20:04:05Z",
        "receipt": { "index": 1 } });
    let one = file(folder.path(), "one.json", one.to_string());
    assert_eq!(text(&["to-xml", &one]), xml);
}

#[test]
fn nobody_found_is_a_message_of_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let none =
        GetPersonAnswer { outcome: LookupOutcome::NoMatch.into(), ..GetPersonAnswer::default() };
    let bytes = file(folder.path(), "answer.bin", none.encode_to_vec());
    let printed = file(folder.path(), "a.json", r#"{"outcome":"no_match","items":[]}"#);
    for file in [bytes, printed] {
        assert!(text(&["to-xml", &file]).contains("SoCongDan=\"0\""));
    }
}

#[test]
fn what_is_no_answer_is_refused_and_no_value_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("empty", ""),
        ("bytes", "990090000017"),
        ("object", "{}"),
        ("both", r#"{"items":[],"persons":[]}"#),
        ("value", r#"{"items":[{"item":"sex","values":[{"value":{"text":990090000017}}]}]}"#),
        ("outcome", r#"{"items":[{"item":"sex","outcome":"lost"}]}"#),
    ] {
        let error = run(&["to-xml", &file(folder.path(), name, bytes)]).1.unwrap_err();
        assert!(!format!("{error:#}").contains("990090000017"), "{name}: {error:#}");
    }
    let large = file(folder.path(), "large", " ".repeat(input::BYTES_MAX + 1));
    assert!(run(&["to-xml", &large]).1.is_err());
    let faulty = json!({ "items": [
        { "item": "sex", "outcome": "value", "values": [{ "value": { "coded": { "code": "9" } } }] },
        { "item": "date_of_birth", "outcome": "value", "values": [{ "value": { "date": "1990-02-30" } }] },
    ] });
    let named = faults(&["to-xml", &file(folder.path(), "faulty", faulty.to_string())]);
    let fault = |place: &str, reason: &str| (place.to_owned(), reason.to_owned());
    assert_eq!(named, [fault("sex[0]", "UNKNOWN_CODE"), fault("date_of_birth[0]", "MALFORMED")]);
}

#[test]
fn a_message_with_faults_names_them_all_and_lists_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let xml = "<a:CongdanCollection xmlns:a=\"http://www.mic.gov.vn/dancu/1.0\"><a:CongDan>\
        <a:SoDinhDanh>99</a:SoDinhDanh><a:SoCMND>x</a:SoCMND></a:CongDan></a:CongdanCollection>";
    let named = faults(&["from-xml", &file(folder.path(), "a.xml", xml)]);
    assert_eq!(named.len(), 2);
    let ethnic = xml
        .replace("SoDinhDanh>99<", "DanToc><a:MaDanToc>04</a:MaDanToc><")
        .replace("/a:SoDinhDanh", "/a:DanToc")
        .replace("<a:SoCMND>x</a:SoCMND>", "");
    let ethnic = file(folder.path(), "b.xml", ethnic);
    let unsaid = json(&["from-xml", &ethnic]);
    assert_eq!(reasons(&unsaid, "left_out"), ["CongDan[1]/DanToc/MaDanToc LIST_NOT_SAID"]);
    for (version, name) in [("1979", "Hoa"), ("gso-15172", "Mường")] {
        let said = json(&["from-xml", &ethnic, "--list", &format!("ethnic-group/{version}")]);
        let coded = &said["persons"][0]["items"][0]["values"][0]["value"]["coded"];
        assert_eq!(
            (&coded["display"], &coded["code_system_version"]),
            (&name.into(), &version.into())
        );
    }
    for wrong in ["ethnic-group", "ethnic-group/2", "x/1"] {
        let error = run(&["from-xml", &ethnic, "--list", wrong]).1.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Ending::Usage(_))), "{wrong}");
    }
}

const INPUTS: &str = r#"{"MaYeuCau":"YC-1","MaDVC":"1.000001","MaTichHop":"037","MaDonVi":"Z02.DEMO.BHXH",
    "MaCanBo":"CB-7","SoDinhDanh":"990090000017","HoVaTen":"Nguyễn Giả Định An",
    "NgayThangNamSinh":"1990-05-31"}"#;
const REST: [&str; 6] =
    ["--item", "sex,nationality", "--legal-basis", "1911-2021-art-2-1", "--case", "HS-1"];

#[test]
fn inputs_become_a_request_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = file(folder.path(), "inputs.json", INPUTS);
    let request = text(&[&["request", &inputs], &REST[..]].concat());
    let parsed: Value = serde_json::from_str(&request).unwrap();
    assert_eq!(
        parsed,
        json!({
            "subject": { "personal_number": "990090000017" },
            "claims": {
                "full_name": "Nguyễn Giả Định An",
                "date_of_birth": { "year": 1990, "month": 5, "day": 31 },
            },
            "items": ["sex", "nationality"],
            "basis": {
                "procedure": "1.000001",
                "legal_basis": "1911-2021-art-2-1",
                "case_reference": "HS-1",
                "acting_unit": "Z02.DEMO.BHXH",
                "officer": "CB-7",
            },
            "request_id": "YC-1",
        })
    );
    let camel = request
        .replace("personal_number", "personalNumber")
        .replace("date_of_birth", "dateOfBirth")
        .replace("\"request_id\"", "\"minVersion\": \"7\", \"requestId\"");
    for (name, request) in [("snake", request), ("camel", camel)] {
        let request = file(folder.path(), name, request);
        let back = json(&["request", "--back", &request]);
        assert_eq!(back["inputs"], serde_json::from_str::<Value>(INPUTS).unwrap());
        let lost = reasons(&back, "left_out");
        assert_eq!(lost.contains(&"min_version NO_FIELD".to_owned()), name == "camel");
        assert!(lost.contains(&"basis.case_reference NO_FIELD".to_owned()), "{lost:?}");
    }
}

#[test]
fn what_the_inputs_do_not_say_has_to_be_said_and_faults_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = file(folder.path(), "inputs.json", INPUTS);
    let usage = |arguments: &[&str]| {
        let error = run(arguments).1.unwrap_err();
        let by_clap = error.downcast_ref::<clap::Error>().is_some();
        assert!(by_clap || matches!(error.downcast_ref(), Some(Ending::Usage(_))), "{error}");
        error.to_string()
    };
    usage(&["request", &inputs]);
    usage(&[&["request", "--back", &inputs], &REST[..2]].concat());
    usage(&[&["request", "--back", &inputs], &REST[2..]].concat());
    let missing = usage(&[&["request", &inputs], &REST[..2]].concat());
    assert!(missing.contains("--legal-basis, --case"), "{missing}");

    // Callers of today send the officer's own number.
    let own = INPUTS.replace("CB-7", "990090000025");
    let own = file(folder.path(), "own.json", own);
    let given = [&["request", own.as_str()], &REST[..]].concat();
    assert_eq!(faults(&given), [("MaCanBo".to_owned(), "PERSONAL_NUMBER".to_owned())]);
    let request = json(&[&given[..], &["--officer", "CB-7"]].concat());
    assert_eq!(request["request"]["basis"]["officer"], "CB-7");

    // The services' own form is held against it, too.
    let unit = file(folder.path(), "unit.json", INPUTS.replace("Z02.DEMO.BHXH", "z02"));
    let named = faults(&[&["request", unit.as_str()], &REST[..]].concat());
    assert_eq!(named, [("basis.acting_unit".to_owned(), "MALFORMED".to_owned())]);
    let empty = file(folder.path(), "empty.json", "{}");
    assert_eq!(faults(&["request", "--back", &empty]).len(), 8);
    let typed = file(folder.path(), "typed.json", r#"{"SoDinhDanh":990090000017}"#);
    let error = run(&[&["request", typed.as_str()], &REST[..]].concat()).1.unwrap_err();
    assert!(!format!("{error:#}").contains("990090000017"), "{error:#}");
}
