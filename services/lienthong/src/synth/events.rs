//! Events of synthetic persons, as databases register them.

use contract::{
    contribution::v1::{BirthRegistration, DeathRegistration, ResidenceChange, ResidenceKind},
    r#type::v1::{
        Address, Claims, CodedValue, PartialDate, PersonName, Relation, RelationKind, SubjectRef,
        subject_ref,
    },
};
use time::Date;

use crate::demo::{BirthDate, Subject};

/// The entry of a birth on a day, in the book of a fictional province.
#[must_use]
pub fn birth(entry: &str, child: &str, today: Date) -> BirthRegistration {
    let (day, place) = (day(today), place("Phường Giả Định, Hà Nội"));
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

/// The entry of a death of today.
#[must_use]
pub fn death(entry: &str, subject: &Subject, today: Date) -> DeathRegistration {
    let (subject, claims) = about(subject);
    DeathRegistration {
        subject: Some(subject),
        claims: Some(claims),
        entry_number: entry.to_owned(),
        registration_date: Some(day(today)),
        registration_place: Some(place("Phường Giả Định, Hà Nội")),
        date_of_death: Some(day(today)),
    }
}

/// That a person lives at a place since the beginning of this year.
#[must_use]
pub fn residence(subject: &Subject, text: &str, today: Date) -> ResidenceChange {
    let (subject, claims) = about(subject);
    ResidenceChange {
        subject: Some(subject),
        claims: Some(claims),
        kind: ResidenceKind::Permanent.into(),
        address: Some(place(text)),
        effective_date: Some(PartialDate { year: today.year(), month: 1, day: 1 }),
        residence_file_number: String::new(),
    }
}

/// Who an event is about, and what its source knows of the person.
fn about(subject: &Subject) -> (SubjectRef, Claims) {
    let BirthDate { year, month, day } = subject.date_of_birth;
    let number = subject_ref::Subject::PersonalNumber(subject.personal_number.clone());
    let date_of_birth = Some(PartialDate { year, month: month.into(), day: day.into() });
    let claims = Claims { full_name: subject.full_name.clone(), date_of_birth };
    (SubjectRef { subject: Some(number) }, claims)
}

fn day(date: Date) -> PartialDate {
    let month = u8::from(date.month()).into();
    PartialDate { year: date.year(), month, day: date.day().into() }
}

fn place(text: &str) -> Address {
    Address {
        text: text.to_owned(),
        province_code: "01".to_owned(),
        commune_code: "00001".to_owned(),
        units_version: "2025".to_owned(),
        ..Address::default()
    }
}
