//! The contract's values as documents write them, in both directions, and as a person reads them. Keys are
//! those of the contract; a date is `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.

use contract::r#type::v1::{self as types, item_value::Value};
use serde::{Deserialize, Serialize};

/// A date of which day, or day and month, may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Date(pub(crate) types::PartialDate);

impl std::str::FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "is not YYYY, YYYY-MM or YYYY-MM-DD".to_owned();
        let part = |text: &str, digits: usize| {
            let whole = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
            if whole { text.parse::<u16>().map_err(|_| bad()) } else { Err(bad()) }
        };
        let parts: Vec<&str> = text.split('-').collect();
        let (year, month, day) = match parts.as_slice() {
            [year] => (part(year, 4)?, 0, 0),
            [year, month] => (part(year, 4)?, part(month, 2)?, 0),
            [year, month, day] => (part(year, 4)?, part(month, 2)?, part(day, 2)?),
            _ => return Err(bad()),
        };
        // A month or day that is written must be one; 0 is how the contract says that it is not known.
        if (parts.len() > 1 && month == 0) || (parts.len() > 2 && day == 0) {
            return Err(bad());
        }
        Ok(Self(types::PartialDate { year: year.into(), month: month.into(), day: day.into() }))
    }
}

impl TryFrom<String> for Date {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0.month, self.0.day) {
            (0, _) => write!(f, "{:04}", self.0.year),
            (month, 0) => write!(f, "{:04}-{month:02}", self.0.year),
            (month, day) => write!(f, "{:04}-{month:02}-{day:02}", self.0.year),
        }
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

/// Structures of the contract as documents write them: the same keys, empty texts left out.
macro_rules! mirrored {
    ($($(#[$doc:meta])* $name:ident { $($field:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct $name {
            $(#[serde(skip_serializing_if = "String::is_empty")] pub(crate) $field: String,)+
        }

        impl From<types::$name> for $name {
            fn from(from: types::$name) -> Self {
                Self { $($field: from.$field),+ }
            }
        }

        impl From<$name> for types::$name {
            fn from(from: $name) -> Self {
                Self { $($field: from.$field),+ }
            }
        }
    )+};
}

mirrored! {
    /// A person's name.
    PersonName { full_name, family_name, middle_name, given_name }
    /// A place.
    Address { text, province_code, district_code, commune_code, country_code, units_version }
    /// A code of a list; `display` is output only.
    CodedValue { code_system, code_system_version, code, display }
}

/// A number that identifies a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identifier {
    kind: IdentifierKind,
    value: String,
}

/// Kinds, by their names in the contract without the prefix.
macro_rules! kinds {
    ($from:ident: $($(#[$doc:meta])* $name:ident { $($kind:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $name {
            /// None that this program knows.
            Unspecified,
            $(#[doc = "As in the contract."] $kind,)+
        }

        impl From<$from::$name> for $name {
            fn from(from: $from::$name) -> Self {
                match from {
                    $from::$name::Unspecified => Self::Unspecified,
                    $($from::$name::$kind => Self::$kind,)+
                }
            }
        }

        impl From<$name> for $from::$name {
            fn from(from: $name) -> Self {
                match from {
                    $name::Unspecified => Self::Unspecified,
                    $($name::$kind => Self::$kind,)+
                }
            }
        }
    )+};
}
pub(crate) use kinds;

kinds! {
    types:
    /// What kind of number it is.
    IdentifierKind { PersonalNumber, OldNumber9 }
    /// What another person is to the subject.
    RelationKind {
        Father, Mother, Spouse, Child, LegalRepresentative, RepresentedPerson, HouseholdHead,
        HouseholdMember,
    }
}

/// Another person, as seen from the subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relation {
    pub(crate) kind: RelationKind,
    pub(crate) name: PersonName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identifier: Option<Identifier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) date_of_birth: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nationality: Option<CodedValue>,
}

/// A document issued to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    kind: CodedValue,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issue_date: Option<Date>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    issuer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry_date: Option<Date>,
}

/// A value of an item, under the name of its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ItemValue {
    Text(String),
    Date(Date),
    Name(PersonName),
    Address(Address),
    Coded(CodedValue),
    Identifier(Identifier),
    Relation(Box<Relation>),
    Document(Document),
}

impl From<types::Identifier> for Identifier {
    fn from(from: types::Identifier) -> Self {
        Self { kind: from.kind().into(), value: from.value }
    }
}

impl From<Identifier> for types::Identifier {
    fn from(from: Identifier) -> Self {
        Self { kind: types::IdentifierKind::from(from.kind).into(), value: from.value }
    }
}

impl From<types::Relation> for Relation {
    fn from(from: types::Relation) -> Self {
        Self {
            kind: from.kind().into(),
            name: from.name.map(Into::into).unwrap_or_default(),
            identifier: from.identifier.map(Into::into),
            date_of_birth: from.date_of_birth.map(Date),
            nationality: from.nationality.map(Into::into),
        }
    }
}

impl From<Relation> for types::Relation {
    fn from(from: Relation) -> Self {
        Self {
            kind: types::RelationKind::from(from.kind).into(),
            name: Some(from.name.into()),
            identifier: from.identifier.map(Into::into),
            date_of_birth: from.date_of_birth.map(|date| date.0),
            nationality: from.nationality.map(Into::into),
        }
    }
}

impl From<types::Document> for Document {
    fn from(from: types::Document) -> Self {
        Self {
            kind: from.kind.map(Into::into).unwrap_or_default(),
            number: from.number,
            issue_date: from.issue_date.map(Date),
            issuer: from.issuer,
            expiry_date: from.expiry_date.map(Date),
        }
    }
}

impl From<Document> for types::Document {
    fn from(from: Document) -> Self {
        Self {
            kind: Some(from.kind.into()),
            number: from.number,
            issue_date: from.issue_date.map(|date| date.0),
            issuer: from.issuer,
            expiry_date: from.expiry_date.map(|date| date.0),
        }
    }
}

impl From<ItemValue> for types::ItemValue {
    fn from(from: ItemValue) -> Self {
        let value = match from {
            ItemValue::Text(text) => Value::Text(text),
            ItemValue::Date(date) => Value::Date(date.0),
            ItemValue::Name(name) => Value::Name(name.into()),
            ItemValue::Address(address) => Value::Address(address.into()),
            ItemValue::Coded(coded) => Value::Coded(coded.into()),
            ItemValue::Identifier(identifier) => Value::Identifier(identifier.into()),
            ItemValue::Relation(relation) => Value::Relation((*relation).into()),
            ItemValue::Document(document) => Value::Document(document.into()),
        };
        Self { value: Some(value) }
    }
}

impl ItemValue {
    /// The value, unless it is of a type that this program does not know.
    pub(crate) fn read(value: types::ItemValue) -> Option<Self> {
        Some(match value.value? {
            Value::Text(text) => Self::Text(text),
            Value::Date(date) => Self::Date(Date(date)),
            Value::Name(name) => Self::Name(name.into()),
            Value::Address(address) => Self::Address(address.into()),
            Value::Coded(coded) => Self::Coded(coded.into()),
            Value::Identifier(identifier) => Self::Identifier(identifier.into()),
            Value::Relation(relation) => Self::Relation(Box::new(relation.into())),
            Value::Document(document) => Self::Document(document.into()),
        })
    }
}

/// As a person reads it, in one line.
impl std::fmt::Display for ItemValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Date(date) => date.fmt(f),
            Self::Name(name) => f.write_str(&name.full_name),
            Self::Address(address) => f.write_str(&address.text),
            Self::Coded(coded) => coded.fmt(f),
            Self::Identifier(identifier) => f.write_str(&identifier.value),
            Self::Relation(relation) => {
                let kind = format!("{:?}", relation.kind).to_lowercase();
                write!(f, "{kind} {}", relation.name.full_name)?;
                relation.date_of_birth.map_or(Ok(()), |date| write!(f, ", born {date}"))
            }
            Self::Document(document) if document.number.is_empty() => document.kind.fmt(f),
            Self::Document(document) => write!(f, "{}, {}", document.kind, document.number),
        }
    }
}

impl std::fmt::Display for CodedValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A list may have no name for a code.
        match self.display.as_str() {
            "" => f.write_str(&self.code),
            display => write!(f, "{display} ({})", self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_date_is_written_as_far_as_it_is_known() {
        for text in ["1990", "1990-05", "1990-05-31", "2000-02-29"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        for text in ["", "90", "1990-5", "1990-00", "1990-05-00", "31/05/1990", "1990-05-31-1", "x"]
        {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_document_and_an_address_come_back_as_they_were() {
        let text = r#"{"document":{"kind":{"code_system":"document-kind",
            "code_system_version":"1","code":"cmnd-9"},"number":"999000001"}}"#;
        let document: ItemValue = serde_json::from_str(text).unwrap();
        let back = ItemValue::read(types::ItemValue::from(document.clone())).unwrap();
        assert_eq!(back, document);
        assert_eq!(back.to_string(), "cmnd-9, 999000001");
        let text = r#"{"text":"Phường Giả Định","commune_code":"00001","units_version":"2025"}"#;
        let address: Address = serde_json::from_str(text).unwrap();
        let back = Address::from(types::Address::from(address.clone()));
        assert_eq!((back.units_version.as_str(), &back), ("2025", &address));
    }

    #[test]
    fn a_relation_comes_back_as_it_was_and_unknown_keys_are_refused() {
        let text = r#"{"kind":"mother","name":{"full_name":"Trần Thị Hoà"},
            "identifier":{"kind":"personal_number","value":"990304000001"},
            "date_of_birth":"1970","nationality":{"code_system":"nationality","code":"VN"}}"#;
        let relation: Relation = serde_json::from_str(text).unwrap();
        let back = Relation::from(types::Relation::from(relation.clone()));
        assert_eq!(back, relation);
        let again = serde_json::to_string(&back).unwrap();
        assert_eq!(serde_json::from_str::<Relation>(&again).unwrap(), relation);
        for bad in [text.replace("mother", "aunt"), text.replace("\"1970\"", "\"1970\",\"age\":1")]
        {
            assert!(serde_json::from_str::<Relation>(&bad).is_err(), "{bad}");
        }
    }
}
