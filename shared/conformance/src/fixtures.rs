//! What the kit must be told of the database's records, because it cannot find it out: one person who is known, one
//! change, one cursor. Everything else it finds out or makes from its seed.

use contract::r#type::v1::{
    AccessBasis, CodedValue, Identifier, IdentifierKind, ItemValue, PartialDate, PersonName,
    item_value,
};
use model::PersonalNumber;
use serde::Deserialize;

use crate::Refusal;

/// The file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixtures {
    #[serde(default)]
    basis: Basis,
    #[serde(default)]
    pub(crate) lookup: Lookup,
    #[serde(default)]
    pub(crate) source: Source,
}

/// The ground that questions stand on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Basis {
    procedure: String,
    legal_basis: String,
    case_reference: String,
    acting_unit: String,
    officer: String,
}

impl Default for Basis {
    fn default() -> Self {
        Self {
            procedure: "conformance".into(),
            legal_basis: "1911-2021-art-2-3".into(),
            case_reference: "conformance-kit".into(),
            acting_unit: "Z99.CONFORMANCE".into(),
            officer: "conformance-kit".into(),
        }
    }
}

/// What is known of one person.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Lookup {
    pub(crate) known: Option<Known>,
    /// A person who is not known; made from the seed when not given.
    pub(crate) unknown_number: Option<String>,
}

/// A person whom the database knows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    pub(crate) personal_number: String,
    pub(crate) full_name: String,
    date_of_birth: String,
    /// Items of which it holds a value.
    #[serde(default)]
    pub(crate) held: Vec<Held>,
    /// An item that it holds as such, and of which it has no value for this person.
    pub(crate) not_held: Option<String>,
}

/// An item of which the database holds a value.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Held {
    pub(crate) item: String,
    /// The value that it holds.
    value: Option<Value>,
    /// Another value.
    other: Option<Value>,
}

/// A value, as a fixture writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Value {
    Text(String),
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    Date(String),
    Name(String),
    /// `LIST/VERSION/CODE`.
    Code(String),
    PersonalNumber(String),
}

/// What is known of the changes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Source {
    /// A cursor whose changes are not kept any more.
    pub(crate) expired_cursor: Option<String>,
    /// Id of the oldest change that is kept.
    pub(crate) oldest_change: Option<String>,
}

impl Fixtures {
    /// Reads a file, and refuses what is not synthetic.
    ///
    /// # Errors
    /// When it is no such file, or names a person who is not synthetic.
    pub fn read(path: &str) -> Result<Self, Refusal> {
        let text = std::fs::read_to_string(path).map_err(|error| Refusal::file(path, &error))?;
        Self::parse(&text).map_err(|error| Refusal::file(path, &error))
    }

    /// Reads a text as `read` reads a file.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fixtures: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        for number in fixtures.numbers() {
            let synthetic = PersonalNumber::parse(number).is_ok_and(|n| n.is_synthetic());
            if !synthetic {
                return Err(
                    "một số định danh cá nhân không phải số giả định (990 đến 999) / a personal \
                            number is not a fictional one (990 to 999)"
                        .to_owned(),
                );
            }
        }
        for value in fixtures.values() {
            value.wire()?;
        }
        if let Some(known) = &fixtures.lookup.known {
            date(&known.date_of_birth)?;
        }
        Ok(fixtures)
    }

    fn numbers(&self) -> impl Iterator<Item = &str> {
        let known = self.lookup.known.iter().map(|known| known.personal_number.as_str());
        let unknown = self.lookup.unknown_number.iter().map(String::as_str);
        let claimed = self.values().filter_map(|value| match value {
            Value::PersonalNumber(number) => Some(number.as_str()),
            Value::Text(_) | Value::Date(_) | Value::Name(_) | Value::Code(_) => None,
        });
        known.chain(unknown).chain(claimed)
    }

    fn values(&self) -> impl Iterator<Item = &Value> {
        let held = self.lookup.known.iter().flat_map(|known| &known.held);
        held.flat_map(|held| held.value.iter().chain(&held.other))
    }

    /// The ground that questions stand on.
    pub(crate) fn basis(&self) -> AccessBasis {
        let basis = self.basis.clone();
        AccessBasis {
            procedure: basis.procedure,
            legal_basis: basis.legal_basis,
            case_reference: basis.case_reference,
            acting_unit: basis.acting_unit,
            officer: basis.officer,
            ..Default::default()
        }
    }
}

impl Known {
    /// When the person was born.
    pub(crate) fn date_of_birth(&self) -> PartialDate {
        date(&self.date_of_birth).unwrap_or_default()
    }
}

impl Held {
    /// The value that the database holds, where the fixtures say it.
    pub(crate) fn value(&self) -> Option<ItemValue> {
        self.value.as_ref()?.wire().ok()
    }

    /// A value that it does not hold, where the fixtures say one.
    pub(crate) fn other(&self) -> Option<ItemValue> {
        self.other.as_ref()?.wire().ok()
    }
}

impl Value {
    fn wire(&self) -> Result<ItemValue, String> {
        let value = match self {
            Self::Text(text) => item_value::Value::Text(text.clone()),
            Self::Date(text) => item_value::Value::Date(date(text)?),
            Self::Name(text) => item_value::Value::Name(PersonName {
                full_name: text.clone(),
                ..Default::default()
            }),
            Self::Code(text) => item_value::Value::Coded(code(text)?),
            Self::PersonalNumber(number) => item_value::Value::Identifier(Identifier {
                kind: IdentifierKind::PersonalNumber.into(),
                value: number.clone(),
            }),
        };
        Ok(ItemValue { value: Some(value) })
    }
}

fn code(text: &str) -> Result<CodedValue, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let [list, version, code] = parts.as_slice() else {
        return Err(format!("`{text}` không phải LIST/VERSION/CODE / is not LIST/VERSION/CODE"));
    };
    Ok(CodedValue {
        code_system: (*list).to_owned(),
        code_system_version: (*version).to_owned(),
        code: (*code).to_owned(),
        display: String::new(),
    })
}

fn date(text: &str) -> Result<PartialDate, String> {
    let wrong = || format!("`{text}` không phải YYYY, YYYY-MM, YYYY-MM-DD / is none of them");
    let parts: Result<Vec<i32>, _> = text.split('-').map(str::parse).collect();
    let parts = parts.map_err(|_| wrong())?;
    let mut parts = parts.into_iter();
    let [year, month, day] = std::array::from_fn(|_| parts.next().unwrap_or(0));
    let small = |number: i32| u8::try_from(number).map_err(|_| wrong());
    model::PartialDate::new(year, small(month)?, small(day)?).map_err(|_| wrong())?;
    if parts.next().is_some() { Err(wrong()) } else { Ok(PartialDate { year, month, day }) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const EXAMPLE: &str = include_str!("../examples/fixtures.toml");

    #[test]
    fn the_example_is_read_and_a_number_of_a_person_is_refused() {
        let fixtures = Fixtures::parse(EXAMPLE).unwrap();
        let known = fixtures.lookup.known.unwrap();
        assert!(known.held.iter().any(|held| held.value().is_some() && held.other().is_some()));
        assert!(known.not_held.is_some());
        let real = EXAMPLE.replace("\"990", "\"001");
        assert!(Fixtures::parse(&real).unwrap_err().contains("fictional"));
    }

    #[test]
    fn what_is_malformed_is_named() {
        for wrong in ["[lookup]\nunknown = 1", "[source]\nexpired = \"x\""] {
            assert!(Fixtures::parse(wrong).is_err(), "{wrong}");
        }
        assert!(date("1990-13-01").is_err() && date("1990-1-1-1").is_err() && date("x").is_err());
        assert_eq!(date("1990-05").unwrap(), PartialDate { year: 1990, month: 5, day: 0 });
        assert!(code("sex/1").is_err());
    }
}
