//! Code lists, as versioned data shipped with the program.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::CodedValue;

const SHIPPED: &str = include_str!("../data/code-lists.toml");

/// Why a file holds no code lists.
#[derive(Debug, thiserror::Error)]
pub enum CodeListError {
    /// It is not of the form of the shipped file.
    #[error("the code lists cannot be read")]
    Malformed(#[from] toml::de::Error),
    /// A list or a code stands there twice.
    #[error("`{0}` is there twice")]
    Repeated(String),
}

/// All code lists known, each by id and version.
#[derive(Debug, Clone)]
pub struct CodeLists {
    lists: BTreeMap<(String, String), BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    list: Vec<List>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    id: String,
    version: String,
    codes: Vec<(String, String)>,
}

impl CodeLists {
    /// The lists shipped with this program.
    ///
    /// # Errors
    /// When the shipped file is damaged.
    pub fn shipped() -> Result<Self, CodeListError> {
        Self::parse(SHIPPED)
    }

    /// Reads lists.
    ///
    /// # Errors
    /// When the text is not of the right form, or something stands there twice.
    pub fn parse(text: &str) -> Result<Self, CodeListError> {
        let file: File = toml::from_str(text)?;
        let mut lists = BTreeMap::new();
        for List { id, version, codes } in file.list {
            let name = format!("{id} {version}");
            let mut names = BTreeMap::new();
            for (code, display) in codes {
                let place = format!("{name} {code}");
                if names.insert(code, display).is_some() {
                    return Err(CodeListError::Repeated(place));
                }
            }
            if lists.insert((id, version), names).is_some() {
                return Err(CodeListError::Repeated(name));
            }
        }
        Ok(Self { lists })
    }

    /// Whether the value's code is in its list, in the version it names.
    #[must_use]
    pub fn holds(&self, value: &CodedValue) -> bool {
        self.codes(&value.code_system, &value.code_system_version)
            .is_some_and(|codes| codes.contains_key(&value.code))
    }

    /// Whether there is such a version of a list.
    #[must_use]
    pub fn knows(&self, list: &str, version: &str) -> bool {
        self.codes(list, version).is_some()
    }

    /// Whether any version of a list has the code.
    #[must_use]
    pub fn any_version_holds(&self, list: &str, code: &str) -> bool {
        self.lists.iter().any(|((id, _), codes)| id == list && codes.contains_key(code))
    }

    /// A code in the last version of a list that has it.
    #[must_use]
    pub fn latest(&self, list: &str, code: &str) -> Option<CodedValue> {
        let with = |((id, _), codes): &(&(String, String), &BTreeMap<String, String>)| {
            id == list && codes.contains_key(code)
        };
        let ((_, version), _) = self.lists.iter().rfind(with)?;
        Some(CodedValue {
            code_system: list.to_owned(),
            code_system_version: version.clone(),
            code: code.to_owned(),
            display: None,
        })
    }

    /// The Vietnamese name of the value's code; none where the list has no name for it.
    #[must_use]
    pub fn display(&self, value: &CodedValue) -> Option<&str> {
        self.codes(&value.code_system, &value.code_system_version)?
            .get(&value.code)
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }

    fn codes(&self, list: &str, version: &str) -> Option<&BTreeMap<String, String>> {
        self.lists.get(&(list.to_owned(), version.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn ethnic(version: &str, code: &str) -> CodedValue {
        CodedValue {
            code_system: "ethnic-group".into(),
            code_system_version: version.into(),
            code: code.into(),
            display: None,
        }
    }

    #[test]
    fn a_code_has_its_meaning_from_its_list_and_version() {
        let lists = CodeLists::shipped().unwrap();
        assert_eq!(lists.display(&ethnic("gso-15172", "04")), Some("Mường"));
        assert_eq!(lists.display(&ethnic("1979", "04")), Some("Hoa"));
        assert!(!lists.holds(&ethnic("gso-15172", "57")));
        assert!(!lists.holds(&ethnic("", "04")));
        assert!(lists.any_version_holds("province", "01"));
        assert!(lists.knows("number-prefix", "synthetic"));
    }

    #[test]
    fn what_stands_twice_is_refused() {
        let twice = "[[list]]\nid = 'x'\nversion = '1'\ncodes = [['1', 'a'], ['1', 'b']]\n";
        assert!(matches!(CodeLists::parse(twice), Err(CodeListError::Repeated(_))));
    }
}
