//! The committed samples, and the fate of every outcome.

use model::{
    Address, Document, Identifier, OldNumber, PersonName, PersonalNumber, Relation, RelationKind,
};
use time::macros::datetime;

use super::*;

const ANNEX: &str = include_str!("../../testdata/annex.xml");
const REPLY: &str = include_str!("../../testdata/reply.xml");

fn person<'a>(collection: &'a Collection, id: &str) -> &'a Outcome {
    let items = &collection.persons[0].items;
    &items.iter().find(|item| item.id == id).unwrap_or_else(|| panic!("{id}")).outcome
}

#[test]
fn a_message_as_the_annex_has_it_comes_back_to_the_byte() {
    let read = qcvn().read(ANNEX.as_bytes(), &said()).unwrap();
    let collection = &read.collection;
    assert_eq!(short(&read.told), ["CongDan[1]/Me/HoVaTen WHOLE_NAME"]);
    assert_eq!(collection.time, Some(datetime!(2026-01-02 03:04:05 +7)));
    let birth = PersonName {
        full_name: name("Nguyễn Giả Định An"),
        family_name: Some(name("Nguyễn")),
        middle_name: Some(name("Giả Định")),
        given_name: Some(name("An")),
    };
    assert!(*person(collection, "birth_full_name") == Outcome::Value(vec![Value::Name(birth)]));
    let ethnic = Value::Coded(coded("ethnic-group", "1979", "04"));
    assert!(*person(collection, "ethnic_group") == Outcome::Value(vec![ethnic]));
    let Outcome::Value(relatives) = person(collection, "family_relations") else { panic!() };
    assert_eq!(relatives.len(), 2);
    for (id, outcome) in [
        ("religion", Outcome::NotHeld),
        ("blood_type", Outcome::Withheld),
        ("contact_points", Outcome::Withheld),
    ] {
        assert!(*person(collection, id) == outcome, "{id}");
    }
    // Written again it is the sample, but for its comment.
    let written = qcvn().write(collection).unwrap();
    let lines = |text: &str| {
        let kept = text.lines().filter(|line| !line.starts_with("<!--"));
        kept.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&written.xml), lines(ANNEX));
}

#[test]
fn a_reply_of_today_is_read_leniently_and_every_liberty_is_told() {
    let read = qcvn().read(REPLY.as_bytes(), &said()).unwrap();
    assert_eq!(
        short(&read.told),
        [
            "CongDan[1]/SoSoHoKhau UNKNOWN_ELEMENT",
            "CongDan[1]/SoCMND EMPTY",
            "CongDan[1]/HoVaTen WHOLE_NAME",
            "CongDan[1]/DanToc FLAT_CODE",
            "CongDan[1]/TonGiao FLAT_CODE",
            "CongDan[1]/TonGiao UNKNOWN_CODE",
            "CongDan[1]/NgayThangNamSinh/NgayThangNam COMPACT_DATE",
            "CongDan[1]/QuocTich EMPTY",
            "CongDan[1]/Cha/SoCMND NO_PART",
            "CongDan[1]/Cha/HoVaTen FLAT_NAME",
            "CongDan[2] NO_PERSON",
            "SoCongDan COUNT_DIFFERS",
        ]
    );
    assert_eq!(read.told[0].at.map(|at| (at.line, at.column)), Some((38, 9)));
    let collection = &read.collection;
    assert_eq!(collection.persons.len(), 1);
    let whole = Value::Name(name("LÊ GIẢ ĐỊNH CÚC").into());
    assert!(*person(collection, "birth_full_name") == Outcome::Value(vec![whole]));
    let born = Value::Date(date(1990, 8, 7));
    assert!(*person(collection, "date_of_birth") == Outcome::Value(vec![born]));
    let native = Address {
        text: "Huyện Giả Định".into(),
        district_code: Some("999".into()),
        units_version: Some("2025".into()),
        ..Address::default()
    };
    assert!(*person(collection, "native_place") == Outcome::Value(vec![Value::Address(native)]));
    let head = Value::Coded(coded("household-relation", "1", "CH01"));
    assert!(*person(collection, "relation_to_household_head") == Outcome::Value(vec![head]));
    assert_eq!(collection.persons[0].items.len(), 8);
}

#[test]
fn a_code_of_no_said_list_is_told_and_not_guessed() {
    let read = qcvn().read(ANNEX.as_bytes(), &Said::default()).unwrap();
    let told = short(&read.told);
    assert!(told.contains(&"CongDan[1]/DanToc/MaDanToc LIST_NOT_SAID".to_owned()), "{told:?}");
    let unit = "CongDan[1]/NoiDangKyKhaiSinh/MaDonViHanhChinh LIST_NOT_SAID".to_owned();
    assert!(told.contains(&unit), "{told:?}");
    let items = &read.collection.persons[0].items;
    assert!(!items.iter().any(|item| item.id == "ethnic_group"));
    let Outcome::Value(values) = person(&read.collection, "birth_registration_place") else {
        panic!()
    };
    let [Value::Address(place)] = values.as_slice() else { panic!() };
    assert!(place.commune_code.is_none() && place.units_version.is_none());
}

#[test]
fn every_outcome_has_its_fate() {
    let partial = Value::Date(date(1950, 0, 0));
    let items = vec![
        held("date_of_birth", vec![partial.clone()]),
        Item { id: "religion".into(), outcome: Outcome::NotHeld },
        Item { id: "sex".into(), outcome: Outcome::Withheld },
        Item { id: "nonsense".into(), outcome: Outcome::Unknown },
    ];
    let written = qcvn().write(&one(items)).unwrap();
    assert_eq!(
        short(&written.told),
        ["religion NOT_HELD", "sex WITHHELD", "nonsense UNKNOWN_ITEM"]
    );
    assert!(written.xml.contains("<dc:Nam>1950</dc:Nam>"), "{}", written.xml);
    assert!(!written.xml.contains("TonGiao") && !written.xml.contains("GioiTinh"));
    let note = "GhiChu=\"lienthong: not_held=religion; withheld=sex\"";
    assert!(written.xml.contains(note), "{}", written.xml);
    let back = qcvn().read(written.xml.as_bytes(), &said()).unwrap().collection;
    assert!(*person(&back, "date_of_birth") == Outcome::Partial(vec![partial]));
    assert!(*person(&back, "religion") == Outcome::NotHeld);
    assert!(*person(&back, "sex") == Outcome::Withheld);
    // Nobody found is a message without persons.
    let nobody = qcvn().write(&Collection::default()).unwrap();
    assert!(nobody.xml.contains("SoCongDan=\"0\""));
    assert!(qcvn().read(nobody.xml.as_bytes(), &said()).unwrap().collection.persons.is_empty());
}

#[test]
fn what_has_no_element_is_told() {
    let relative = |kind| {
        Value::Relation(Relation {
            kind,
            name: name("Trần Giả Định Hà").into(),
            identifier: Some(Identifier::OldNumber9(OldNumber::parse("999000001").unwrap())),
            date_of_birth: Some(date(1970, 0, 0)),
            nationality: Some(coded("nationality", "iso-3166-1", "VN")),
        })
    };
    let place = Value::Address(Address {
        text: "Xã Giả Định".into(),
        province_code: Some("01".into()),
        commune_code: Some("00001".into()),
        units_version: Some("2025".into()),
        ..Address::default()
    });
    let card = Value::Document(Document {
        kind: coded("document-kind", "1", "cccd"),
        number: String::new(),
        issue_date: None,
        issuer: String::new(),
        expiry_date: None,
    });
    let apart = Value::Name(PersonName {
        full_name: name("Y Giả Định"),
        family_name: Some(name("Định")),
        middle_name: None,
        given_name: Some(name("Y")),
    });
    let items = vec![
        held("birth_full_name", vec![apart]),
        held("id_document_validity", vec![card]),
        held("date_of_birth", vec![Value::Date(date(1990, 5, 0))]),
        held("permanent_residence", vec![place]),
        held(
            "family_relations",
            vec![
                relative(RelationKind::Spouse),
                relative(RelationKind::Spouse),
                relative(RelationKind::Child),
            ],
        ),
        held(
            "household_members",
            vec![relative(RelationKind::HouseholdHead), relative(RelationKind::HouseholdMember)],
        ),
    ];
    let written = qcvn().write(&one(items)).unwrap();
    assert_eq!(
        short(&written.told),
        [
            "birth_full_name.family_name NO_PART",
            "id_document_validity NO_ELEMENT",
            "date_of_birth.month NO_PART",
            "permanent_residence LIST_NOT_CARRIED",
            "permanent_residence.province_code NO_PART",
            "family_relations[0].date_of_birth NO_PART",
            "family_relations[1] FURTHER_VALUE",
            "family_relations[2] NO_RELATION",
            "household_members[0].date_of_birth NO_PART",
            "household_members[0].nationality NO_PART",
            "household_members[1] NO_RELATION",
        ]
    );
    assert!(written.xml.contains("<dc:Ten>Y Giả Định</dc:Ten>"), "{}", written.xml);
}

#[test]
fn a_value_of_another_type_or_that_no_xml_holds_is_a_fault() {
    let number = PersonalNumber::parse("990090000017").unwrap();
    let items = vec![
        held("sex", vec![Value::Date(date(1990, 0, 0))]),
        held("old_id_number_9", vec![Value::Identifier(Identifier::PersonalNumber(number))]),
        held(
            "native_place",
            vec![Value::Address(Address { text: "\u{1}".into(), ..Address::default() })],
        ),
    ];
    let faults = qcvn().write(&one(items)).unwrap_err();
    assert_eq!(
        short(&faults),
        ["sex MALFORMED", "old_id_number_9 MALFORMED", "native_place MALFORMED"]
    );
}
