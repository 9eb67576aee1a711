//! The typed values that items hold; the same shapes as `lienthong/type/v1/value.proto`.

use serde::{Deserialize, Serialize};

use crate::{Name, OldNumber, PartialDate, PersonalNumber, Precision};

/// A person's name. The full name as registered is authoritative; parts are there only where the source
/// keeps them apart, because splitting a Vietnamese name is a guess.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PersonName {
    /// The whole name.
    pub full_name: Name,
    /// Surname (họ).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<Name>,
    /// Middle name (chữ đệm).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<Name>,
    /// Given name (tên).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<Name>,
}

impl From<Name> for PersonName {
    fn from(full_name: Name) -> Self {
        Self { full_name, family_name: None, middle_name: None, given_name: None }
    }
}

/// A place, as written by its source, with the codes of its administrative units.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// As written.
    pub text: String,
    /// Province, two digits, in the version `units_version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province_code: Option<String>,
    /// District, three digits; only before 1 July 2025, when the tier ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub district_code: Option<String>,
    /// Commune, five digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commune_code: Option<String>,
    /// Country, ISO 3166-1 alpha-2; none when it is not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    /// Version of the codes of units; there where one of them is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units_version: Option<String>,
}

/// A code with its list and the list's version: the same code means different things in two lists.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CodedValue {
    /// The list.
    pub code_system: String,
    /// Its version.
    pub code_system_version: String,
    /// The code.
    pub code: String,
    /// The code's Vietnamese name in that version; filled for output, ignored on input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// The kinds of numbers that identify a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentifierKind {
    /// Twelve digits (Decree 70/2024/ND-CP, Art. 11).
    PersonalNumber,
    /// Nine digits (Law 26/2023/QH15, Art. 9, item 13).
    OldNumber9,
}

/// A number that identifies a person. The kind is the variant, so a number never has the wrong length.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Identifier {
    /// The personal identification number.
    PersonalNumber(PersonalNumber),
    /// The old identity-card number.
    #[serde(rename = "old_number_9")]
    OldNumber9(OldNumber),
}

impl Identifier {
    /// What kind of number it is.
    #[must_use]
    pub fn kind(&self) -> IdentifierKind {
        match self {
            Self::PersonalNumber(_) => IdentifierKind::PersonalNumber,
            Self::OldNumber9(_) => IdentifierKind::OldNumber9,
        }
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::PersonalNumber(number) => number.as_str(),
            Self::OldNumber9(number) => number.as_str(),
        }
    }
}

/// What another person is to the subject (Law 26/2023/QH15, Art. 9, items 15 and 23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// Father.
    Father,
    /// Mother.
    Mother,
    /// Husband or wife.
    Spouse,
    /// Child.
    Child,
    /// Legal representative of the subject.
    LegalRepresentative,
    /// Person whom the subject represents.
    RepresentedPerson,
    /// Head of the subject's household.
    HouseholdHead,
    /// Another member of the subject's household.
    HouseholdMember,
}

/// Another person, as seen from the subject.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Relation {
    /// What the other person is to the subject.
    pub kind: RelationKind,
    /// The other person's name.
    pub name: PersonName,
    /// The other person's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
    /// The other person's year or date of birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<PartialDate>,
    /// The other person's nationality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nationality: Option<CodedValue>,
}

/// A document issued to a person (Law 26/2023/QH15, Art. 9, item 14).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Document {
    /// A code of the list `document-kind`.
    pub kind: CodedValue,
    /// Its number, empty when it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub number: String,
    /// When it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue_date: Option<PartialDate>,
    /// Who issued it, as written on it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub issuer: String,
    /// When it ends; none when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_date: Option<PartialDate>,
}

/// One value of an item.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Free text.
    Text(String),
    /// A date.
    Date(PartialDate),
    /// A name.
    Name(PersonName),
    /// A place.
    Address(Address),
    /// A code.
    Coded(CodedValue),
    /// A number that identifies a person.
    Identifier(Identifier),
    /// Another person.
    Relation(Relation),
    /// A document.
    Document(Document),
}

redacted_debug!(PersonName, Address, CodedValue, Identifier, Relation, Document, Value);

impl Value {
    /// The other person, where it names one.
    #[must_use]
    pub fn relation(&self) -> Option<&Relation> {
        if let Self::Relation(relation) = self { Some(relation) } else { None }
    }

    /// Whether something is known to be missing (Circular 13/2017/TT-BTTTT, Art. 8(2)): a date without
    /// its day. A relative's birth year alone is whole: that is all a birth entry holds of a parent
    /// (Law 60/2014/QH13, Art. 14).
    #[must_use]
    pub fn is_partial(&self) -> bool {
        let short = |date: &PartialDate| date.precision() != Precision::Day;
        match self {
            Self::Date(date) => short(date),
            Self::Document(document) => {
                document.issue_date.iter().chain(&document.expiry_date).any(short)
            }
            Self::Text(_)
            | Self::Name(_)
            | Self::Address(_)
            | Self::Coded(_)
            | Self::Identifier(_)
            | Self::Relation(_) => false,
        }
    }

    /// Whether it says all that a database needs to work with it: a date its day, an address its commune where it lies in Viet
    /// Nam, a relative a number, a document its number and whole dates. It is no question of what may be given or held: a value
    /// that is not whole is as true as another, and counts less in its source's quality (Decision 1911/QD-TTg, Art. 2(2)).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Address(address) => {
                let abroad = address.country_code.as_deref().is_some_and(|code| code != "VN");
                abroad || address.commune_code.is_some()
            }
            Self::Relation(relation) => relation.identifier.is_some(),
            Self::Document(document) => !document.number.is_empty() && !self.is_partial(),
            Self::Date(_) => !self.is_partial(),
            Self::Text(text) => !text.trim().is_empty(),
            Self::Name(_) | Self::Coded(_) | Self::Identifier(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )]
    use super::*;

    fn relation() -> Value {
        Value::Relation(Relation {
            kind: RelationKind::Mother,
            name: Name::new("Trần Thị Hoà").unwrap().into(),
            identifier: Some(Identifier::OldNumber9(OldNumber::parse("999000001").unwrap())),
            date_of_birth: Some(PartialDate::new(1970, 0, 0).unwrap()),
            nationality: None,
        })
    }

    #[test]
    fn stored_form_names_the_type_and_comes_back() {
        let json = serde_json::to_string(&relation()).unwrap();
        assert_eq!(
            json,
            r#"{"relation":{"kind":"mother","name":{"full_name":"Trần Thị Hoà"},"identifier":{"kind":"old_number_9","value":"999000001"},"date_of_birth":{"year":1970}}}"#
        );
        assert!(serde_json::from_str::<Value>(&json).unwrap() == relation());
    }

    #[test]
    fn a_number_of_the_wrong_length_is_no_identifier() {
        let wrong = r#"{"kind":"personal_number","value":"999000001"}"#;
        assert!(serde_json::from_str::<Identifier>(wrong).is_err());
    }

    #[test]
    fn a_date_without_a_day_is_partial() {
        let date = |month, day| Value::Date(PartialDate::new(1970, month, day).unwrap());
        assert!(date(0, 0).is_partial());
        assert!(date(5, 0).is_partial());
        assert!(!date(5, 6).is_partial());
        assert!(!relation().is_partial());
        assert!(!Value::Text(String::new()).is_partial());
    }

    #[test]
    fn what_is_not_there_is_not_whole() {
        let date = |month, day| PartialDate::new(1970, month, day).unwrap();
        assert!(Value::Date(date(5, 6)).is_whole());
        assert!(!Value::Date(date(5, 0)).is_whole() && !Value::Date(date(0, 0)).is_whole());
        assert!(Value::Text("A+".to_owned()).is_whole() && !Value::Text(" ".to_owned()).is_whole());
        let place = |commune: Option<&str>, country: Option<&str>| {
            let (commune_code, country_code) =
                (commune.map(str::to_owned), country.map(str::to_owned));
            Value::Address(Address { commune_code, country_code, ..Address::default() }).is_whole()
        };
        assert!(place(Some("00001"), None) && place(Some("00001"), Some("VN")));
        assert!(!place(None, None) && !place(None, Some("VN")));
        assert!(place(None, Some("LA")), "abroad there are no communes");
        assert!(relation().is_whole());
        let Value::Relation(unnumbered) = relation() else { panic!() };
        assert!(!Value::Relation(Relation { identifier: None, ..unnumbered }).is_whole());
        let kind = CodedValue {
            code_system: "document-kind".into(),
            code_system_version: "1".into(),
            code: "1".into(),
            display: None,
        };
        let document = |number: &str, issue_date, expiry_date| {
            let (kind, number) = (kind.clone(), number.to_owned());
            let issuer = String::new();
            Value::Document(Document { kind, number, issue_date, issuer, expiry_date }).is_whole()
        };
        assert!(document("1", Some(date(5, 6)), None) && document("1", None, None));
        assert!(!document("", Some(date(5, 6)), None) && !document("1", None, Some(date(5, 0))));
    }

    #[test]
    fn i8_debug_shows_no_value() {
        assert_eq!(format!("{:?}", relation()), "Value([personal])");
        assert_eq!(format!("{:?}", Some(Value::Text("An".into()))), "Some(Value([personal]))");
    }
}
