//! The typed values of items, from the contract's messages to the model's types and back. Reading names
//! every faulty field by its path; what was read is valid where none was named.

mod read;

use contract::r#type::v1::{self as wire, item_value};
use model::{CodeLists, Value};
pub use read::Reader;

use crate::timestamp_us;

/// A value as the contract writes it, with the name of its code where a list has one.
#[must_use]
pub fn write(value: &Value, lists: &CodeLists) -> wire::ItemValue {
    let value = match value {
        Value::Text(text) => item_value::Value::Text(text.clone()),
        Value::Date(date) => item_value::Value::Date(write_date(date)),
        Value::Name(name) => item_value::Value::Name(write_name(name)),
        Value::Address(address) => item_value::Value::Address(write_address(address)),
        Value::Coded(coded) => item_value::Value::Coded(write_coded(coded, lists)),
        Value::Identifier(number) => item_value::Value::Identifier(write_identifier(number)),
        Value::Relation(relation) => item_value::Value::Relation(write_relation(relation, lists)),
        Value::Document(document) => item_value::Value::Document(write_document(document, lists)),
    };
    wire::ItemValue { value: Some(value) }
}

/// A value with its origin as the contract writes it.
#[must_use]
pub fn write_held(held: &model::HeldValue, lists: &CodeLists) -> wire::HeldValue {
    wire::HeldValue {
        value: Some(write(&held.value, lists)),
        provenance: Some(write_provenance(&held.provenance)),
    }
}

/// An origin as the contract writes it.
#[must_use]
pub fn write_provenance(origin: &model::Provenance) -> wire::Provenance {
    wire::Provenance {
        source: origin.source.clone(),
        contribution_id: origin.contribution_id.clone(),
        valid_from: origin.valid_from.as_ref().map(write_date),
        known_time: Some(timestamp_us(origin.known_at_us)),
    }
}

/// A date as the contract writes it.
#[must_use]
pub fn write_date(date: &model::PartialDate) -> wire::PartialDate {
    wire::PartialDate { year: date.year(), month: date.month().into(), day: date.day().into() }
}

fn write_name(name: &model::PersonName) -> wire::PersonName {
    let part = |part: &Option<model::Name>| {
        part.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default()
    };
    wire::PersonName {
        full_name: name.full_name.as_str().to_owned(),
        family_name: part(&name.family_name),
        middle_name: part(&name.middle_name),
        given_name: part(&name.given_name),
    }
}

fn write_address(address: &model::Address) -> wire::Address {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    wire::Address {
        text: address.text.clone(),
        province_code: part(&address.province_code),
        district_code: part(&address.district_code),
        commune_code: part(&address.commune_code),
        country_code: part(&address.country_code),
        units_version: part(&address.units_version),
    }
}

pub(crate) fn write_coded(coded: &model::CodedValue, lists: &CodeLists) -> wire::CodedValue {
    wire::CodedValue {
        code_system: coded.code_system.clone(),
        code_system_version: coded.code_system_version.clone(),
        code: coded.code.clone(),
        display: lists.display(coded).unwrap_or_default().to_owned(),
    }
}

fn write_identifier(number: &model::Identifier) -> wire::Identifier {
    let kind = match number.kind() {
        model::IdentifierKind::PersonalNumber => wire::IdentifierKind::PersonalNumber,
        model::IdentifierKind::OldNumber9 => wire::IdentifierKind::OldNumber9,
    };
    wire::Identifier { kind: kind.into(), value: number.as_str().to_owned() }
}

/// What another person is, as the contract writes it.
#[must_use]
pub fn write_kind(kind: model::RelationKind) -> wire::RelationKind {
    match kind {
        model::RelationKind::Father => wire::RelationKind::Father,
        model::RelationKind::Mother => wire::RelationKind::Mother,
        model::RelationKind::Spouse => wire::RelationKind::Spouse,
        model::RelationKind::Child => wire::RelationKind::Child,
        model::RelationKind::LegalRepresentative => wire::RelationKind::LegalRepresentative,
        model::RelationKind::RepresentedPerson => wire::RelationKind::RepresentedPerson,
        model::RelationKind::HouseholdHead => wire::RelationKind::HouseholdHead,
        model::RelationKind::HouseholdMember => wire::RelationKind::HouseholdMember,
    }
}

fn write_relation(relation: &model::Relation, lists: &CodeLists) -> wire::Relation {
    wire::Relation {
        kind: write_kind(relation.kind).into(),
        name: Some(write_name(&relation.name)),
        identifier: relation.identifier.as_ref().map(write_identifier),
        date_of_birth: relation.date_of_birth.as_ref().map(write_date),
        nationality: relation.nationality.as_ref().map(|code| write_coded(code, lists)),
    }
}

fn write_document(document: &model::Document, lists: &CodeLists) -> wire::Document {
    wire::Document {
        kind: Some(write_coded(&document.kind, lists)),
        number: document.number.clone(),
        issue_date: document.issue_date.as_ref().map(write_date),
        issuer: document.issuer.clone(),
        expiry_date: document.expiry_date.as_ref().map(write_date),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use model::{Identifier, Name, OldNumber, PartialDate, Relation, RelationKind};

    use super::*;
    use crate::Faults;

    fn coded(list: &str, version: &str, code: &str) -> model::CodedValue {
        model::CodedValue {
            code_system: list.into(),
            code_system_version: version.into(),
            code: code.into(),
            display: None,
        }
    }

    #[test]
    fn a_value_comes_back_as_it_was() {
        let lists = CodeLists::shipped().unwrap();
        let relation = Relation {
            kind: RelationKind::Mother,
            name: Name::new("Trần Thị Hoà").unwrap().into(),
            identifier: Some(Identifier::OldNumber9(OldNumber::parse("999000001").unwrap())),
            date_of_birth: Some(PartialDate::new(1970, 0, 0).unwrap()),
            nationality: Some(coded("nationality", "iso-3166-1", "VN")),
        };
        let address = model::Address {
            text: "Số 1".into(),
            province_code: Some("01".into()),
            units_version: Some("2025".into()),
            ..model::Address::default()
        };
        let document = model::Document {
            kind: coded("document-kind", "1", "cccd"),
            number: "1".into(),
            issue_date: Some(PartialDate::new(2020, 5, 0).unwrap()),
            issuer: String::new(),
            expiry_date: None,
        };
        for value in [
            Value::Text("một".into()),
            Value::Date(PartialDate::new(1990, 5, 0).unwrap()),
            Value::Name(Name::new("Y Blok").unwrap().into()),
            Value::Address(address),
            Value::Coded(coded("ethnic-group", "1979", "27")),
            Value::Relation(relation),
            Value::Document(document),
        ] {
            let mut faults = Faults::default();
            let written = write(&value, &lists);
            let read = Reader::new(&lists, &mut faults).value("v", Some(&written));
            assert!(faults.is_empty(), "{faults:?}");
            assert!(read == Some(value));
        }
    }

    #[test]
    fn every_fault_is_named_by_its_path_and_no_value_is_repeated() {
        let lists = CodeLists::shipped().unwrap();
        let relation = wire::Relation {
            kind: 0,
            name: None,
            identifier: Some(wire::Identifier { kind: 1, value: "99020400001".into() }),
            date_of_birth: Some(wire::PartialDate { year: 2023, month: 2, day: 29 }),
            nationality: Some(wire::CodedValue { code: "ZZ".into(), ..Default::default() }),
        };
        let mut faults = Faults::default();
        let read = Reader::new(&lists, &mut faults).relation("r", Some(&relation));
        assert!(read.is_none());
        let text = format!("{faults:?}");
        for field in ["r.kind", "r.name", "r.identifier", "r.date_of_birth", "r.nationality"] {
            assert!(text.contains(&format!("\"{field}\"")), "{field} in {text}");
        }
        for value in ["99020400001", "ZZ", "29"] {
            assert!(!text.contains(value), "{value} in {text}");
        }
    }
}
