//! The mapping, as data shipped with the program.

use std::collections::BTreeSet;

use model::RelationKind;
use serde::Deserialize;

const SHIPPED: &str = include_str!("../data/qcvn-109.toml");

/// Why a text holds no mapping.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It is not of the form of the shipped file.
    #[error("the mapping cannot be read")]
    Malformed(#[from] toml::de::Error),
    /// An element, an item or an input stands there twice.
    #[error("`{0}` is there twice")]
    Repeated(String),
    /// An element lacks what its type needs.
    #[error("`{0}` lacks what its type needs")]
    Incomplete(String),
}

/// The mapping: elements, items without one, and the inputs of a lookup.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The namespace of every element.
    pub namespace: String,
    /// The elements, in the order in which they are written.
    #[serde(rename = "element")]
    pub elements: Vec<Element>,
    /// Items that have no element.
    pub absent: Vec<Absent>,
    /// The inputs of a lookup on today's platform.
    #[serde(rename = "input")]
    pub inputs: Vec<Input>,
    /// The integration services that have a method.
    #[serde(rename = "service")]
    pub services: Vec<Service>,
}

/// An element that carries values of an item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// The element it stands in, where that is not CongDan.
    pub within: Option<String>,
    /// The item.
    pub item: String,
    /// The type of the item's values.
    #[serde(rename = "type")]
    pub form: Form,
    /// What kind of number or of relation it is.
    pub kind: Option<Kind>,
    /// The parts of a relation, in the order in which they are written.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// The list of its codes.
    pub list: Option<String>,
    /// The list's version, where the message can mean one alone.
    pub version: Option<String>,
    /// The child that holds the code.
    pub code_in: Option<String>,
    /// Where its shape was read.
    pub origin: Origin,
}

/// The type of an item's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A number that identifies a person.
    Identifier,
    /// A name.
    Name,
    /// A code.
    Coded,
    /// A date.
    Date,
    /// A place.
    Address,
    /// Another person.
    Relation,
}

/// What kind of number or of relation an element holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The personal number.
    PersonalNumber,
    /// The old number.
    #[serde(rename = "old_number_9")]
    OldNumber9,
    /// A relation.
    #[serde(untagged)]
    Relation(RelationKind),
}

/// A part of a relation, by the name of its element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Part {
    /// The personal number.
    SoDinhDanh,
    /// The old number.
    #[serde(rename = "SoCMND")]
    SoCmnd,
    /// The nationality.
    QuocTich,
    /// The name.
    HoVaTen,
}

impl Part {
    /// The name of its element.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SoDinhDanh => "SoDinhDanh",
            Self::SoCmnd => "SoCMND",
            Self::QuocTich => "QuocTich",
            Self::HoVaTen => "HoVaTen",
        }
    }
}

/// Where the shape of an element was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The regulation's own illustration.
    Annex,
    /// The code of systems that call the national database.
    Client,
}

/// An item that has no element.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absent {
    /// The item.
    pub item: String,
    /// Why it has none.
    pub why: String,
}

/// An input of a lookup.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// The field of the request that carries it.
    pub field: String,
    /// Its greatest length, in characters.
    pub max: usize,
}

/// An integration service and the method that does the same.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its code (MaTichHop).
    pub code: String,
    /// Its operation on today's platform.
    pub operation: String,
    /// The method of `lienthong.identity.v1.IdentityService`.
    pub method: String,
}

impl Table {
    /// The mapping shipped with this program.
    ///
    /// # Errors
    /// When the shipped file is damaged.
    pub fn shipped() -> Result<Self, TableError> {
        Self::parse(SHIPPED)
    }

    /// Reads a mapping.
    ///
    /// # Errors
    /// When the text is not of the right form, something stands there twice, or an element lacks what its type
    /// needs.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let table: Self = toml::from_str(text)?;
        let mut seen = BTreeSet::new();
        let elements = table.elements.iter().map(|e| format!("{:?}/{}", e.within, e.name));
        let absent = table.absent.iter().map(|absent| absent.item.clone());
        let inputs = table.inputs.iter().map(|input| format!("input {}", input.name));
        let services = table.services.iter().map(|service| format!("service {}", service.code));
        for name in elements.chain(absent).chain(inputs).chain(services) {
            if !seen.insert(name.clone()) {
                return Err(TableError::Repeated(name));
            }
        }
        for element in &table.elements {
            if table.is_absent(&element.item) {
                return Err(TableError::Repeated(element.item.clone()));
            }
            if !table.is_complete(element) {
                return Err(TableError::Incomplete(element.name.clone()));
            }
        }
        Ok(table)
    }

    fn is_complete(&self, element: &Element) -> bool {
        let relation = matches!(element.kind, Some(Kind::Relation(_)));
        let host = |host: &String| {
            self.elements.iter().any(|e| e.name == *host && e.form == Form::Relation)
        };
        let typed = match element.form {
            Form::Identifier => element.kind.is_some() && !relation,
            Form::Coded | Form::Address => element.list.is_some(),
            Form::Relation => relation && element.parts.contains(&Part::HoVaTen),
            Form::Name | Form::Date => true,
        };
        typed && element.within.as_ref().is_none_or(host)
    }

    /// Whether the item is known to have no element.
    #[must_use]
    pub fn is_absent(&self, item: &str) -> bool {
        self.absent.iter().any(|absent| absent.item == item)
    }

    /// The elements that carry values of an item.
    pub fn of_item<'a>(&'a self, item: &str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |element| element.item == item)
    }

    /// The elements that stand in another, or in CongDan itself.
    pub fn within<'a>(&'a self, host: Option<&'a str>) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |element| element.within.as_deref() == host)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_stands_twice_or_is_not_whole_is_refused() {
        let damaged = |from: &str, to: &str| {
            assert!(SHIPPED.contains(from), "{from}");
            Table::parse(&SHIPPED.replacen(from, to, 1)).unwrap_err()
        };
        let twice = damaged("name = \"SoCMND\"", "name = \"SoDinhDanh\"");
        assert!(matches!(twice, TableError::Repeated(_)));
        let both = damaged("item = \"other_names\"", "item = \"sex\"");
        assert!(matches!(both, TableError::Repeated(item) if item == "sex"));
        let listless = damaged("list = \"sex\"\n", "");
        assert!(matches!(listless, TableError::Incomplete(name) if name == "GioiTinh"));
        let homeless = damaged("within = \"ChuHo\"", "within = \"CongDan\"");
        assert!(matches!(homeless, TableError::Incomplete(name) if name == "QuanHe"));
        assert!(matches!(damaged("kind = \"father\"", "kind = 3"), TableError::Malformed(_)));
    }
}
