//! Events of synthetic persons, as databases register them.

use contract::{
    contribution::v1::{BirthRegistration, ResidenceChange, ResidenceKind},
    r#type::v1::{
        Address, Claims, CodedValue, PartialDate, PersonName, Relation, RelationKind, SubjectRef,
        subject_ref,
    },
};
use time::Date;

use crate::demo::Subject;

/// The entry of a birth on a day, in the book of a fictional province.
#[must_use]
pub fn birth(entry: &str, child: &str, today: Date) -> BirthRegistration {
    let day = PartialDate {
        year: today.year(),
        month: u8::from(today.month()).into(),
        day: today.day().into(),
    };
    let place = Address {
        text: "Phường Giả Định, Hà Nội".to_owned(),
        province_code: "01".to_owned(),
        commune_code: "00001".to_owned(),
        units_version: "2025".to_owned(),
        ..Address::default()
    };
    let code = |system: &str, version: &str, code: &str| {
        let (code_system, code_system_version) = (system.to_owned(), version.to_owned());
        Some(CodedValue {
            code_system,
            code_system_version,
            code: code.to_owned(),
            ..CodedValue::default()
        })
    };
    let name =
        |text: &str| Some(PersonName { full_name: text.to_owned(), ..PersonName::default() });
    let parent = |kind: RelationKind, text, year| Relation {
        kind: kind.into(),
        name: name(text),
        // A birth entry holds a parent's year of birth alone (Law 60/2014/QH13, Art. 14).
        date_of_birth: Some(PartialDate { year, month: 0, day: 0 }),
        nationality: code("nationality", "iso-3166-1", "VN"),
        ..Relation::default()
    };
    BirthRegistration {
        entry_number: entry.to_owned(),
        registration_date: Some(day),
        registration_place_code: "990".to_owned(),
        registration_place: Some(place.clone()),
        full_name: name(child),
        date_of_birth: Some(day),
        sex: code("sex", "1", "2"),
        place_of_birth: Some(place.clone()),
        native_place: Some(place),
        ethnic_group: code("ethnic-group", "gso-15172", "01"),
        nationality: code("nationality", "iso-3166-1", "VN"),
        parents: vec![
            parent(RelationKind::Mother, "Trần Giả Định Thu Hà", 1998),
            parent(RelationKind::Father, "Nguyễn Giả Định Văn Bình", 1996),
        ],
    }
}

/// That a person lives at a place since the beginning of this year.
#[must_use]
pub fn residence(subject: &Subject, text: &str, today: Date) -> ResidenceChange {
    let born = subject.date_of_birth;
    let number = subject_ref::Subject::PersonalNumber(subject.personal_number.clone());
    ResidenceChange {
        subject: Some(SubjectRef { subject: Some(number) }),
        claims: Some(Claims {
            full_name: subject.full_name.clone(),
            date_of_birth: Some(PartialDate {
                year: born.year,
                month: born.month.into(),
                day: born.day.into(),
            }),
        }),
        kind: ResidenceKind::Permanent.into(),
        address: Some(Address {
            text: text.to_owned(),
            province_code: "01".to_owned(),
            commune_code: "00001".to_owned(),
            units_version: "2025".to_owned(),
            ..Address::default()
        }),
        effective_date: Some(PartialDate { year: today.year(), month: 1, day: 1 }),
        residence_file_number: String::new(),
    }
}
