//! The catalogue: the items of the law, and the procedures that a request can name.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::basis::LegalBasis;
use crate::Error;

/// A set of items, one bit for each place in the catalogue.
pub type Mask = u64;

/// What kind of value an item has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemType {
    /// Free text.
    Text,
    /// A date, perhaps partial.
    Date,
    /// A person's name.
    Name,
    /// A place.
    Address,
    /// A code of a code list.
    Coded,
    /// A number that identifies.
    Identifier,
    /// Other persons and what they are to this one.
    Relation,
    /// Papers issued.
    Document,
}

/// One item of information about a person.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its id on the wire.
    pub id: String,
    /// Its number in the law.
    pub number: u32,
    /// Its name in Vietnamese, as the law has it.
    pub vi: String,
    /// Its name in English.
    pub en: String,
    /// The point of Law 59/2014/QH13, Art. 9(1) that named it before; empty where none did.
    pub law_2014: String,
    /// The kind of its value.
    #[serde(rename = "type")]
    pub kind: ItemType,
    /// Its code list, exactly where it is coded.
    pub code_list: Option<String>,
    /// The sources that should win for it, the first one first.
    pub authority: Vec<String>,
    /// The groups it belongs to, which rules speak of.
    pub groups: Vec<String>,
}

/// What a caller must know of a person beside the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claims {
    /// Full name and date of birth, as the law's own lookup asks (Decree 70/2024/ND-CP, Art. 10).
    #[default]
    Required,
    /// Nothing: the number alone names the person.
    Waived,
}

/// One administrative procedure or task.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Procedure {
    /// Its id, as requests name it.
    pub id: String,
    /// Its name in Vietnamese.
    pub vi: String,
    /// Its name in English.
    pub en: String,
    /// The purpose group, which rules speak of.
    pub purpose: String,
    /// What its callers must know of a person.
    #[serde(default)]
    pub claims: Claims,
    /// Whether a year of birth is enough where the register holds the whole date.
    #[serde(default)]
    pub year_suffices: bool,
}

/// Items, procedures and legal grounds, as loaded.
#[derive(Clone, Debug)]
pub struct Catalogue {
    items: Vec<Item>,
    procedures: Vec<Procedure>,
    legal_basis: LegalBasis,
    items_basis: String,
    places: BTreeMap<String, usize>,
}

/// The file of items, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemFile {
    legal_basis: String,
    item: Vec<Item>,
}

/// The file of procedures, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcedureFile {
    procedure: Vec<Procedure>,
}

impl Catalogue {
    /// Reads the three files.
    pub fn parse(items: &str, procedures: &str, basis: &str) -> Result<Self, Error> {
        let legal_basis = LegalBasis::parse(basis)?;
        let file: ItemFile = toml::from_str(items).map_err(|e| Error::data("items", e))?;
        let procedures: ProcedureFile =
            toml::from_str(procedures).map_err(|e| Error::data("procedures", e))?;
        if legal_basis.get(&file.legal_basis).is_none() {
            return Err(Error::data("items", "their legal basis is not known"));
        }
        let bits = usize::try_from(Mask::BITS).unwrap_or(usize::MAX);
        if file.item.len() > bits {
            return Err(Error::data("items", format!("there are more than {bits}")));
        }
        let mut places = BTreeMap::new();
        for (place, item) in file.item.iter().enumerate() {
            if places.insert(item.id.clone(), place).is_some() {
                return Err(Error::data("items", format!("`{}` is there twice", item.id)));
            }
            if (item.kind == ItemType::Coded) != item.code_list.is_some() {
                return Err(Error::data("items", format!("code list of `{}`", item.id)));
            }
        }
        let mut named = BTreeSet::new();
        if let Some(p) = procedures.procedure.iter().find(|p| !named.insert(&p.id)) {
            return Err(Error::data("procedures", format!("`{}` is there twice", p.id)));
        }
        Ok(Self {
            items: file.item,
            procedures: procedures.procedure,
            legal_basis,
            items_basis: file.legal_basis,
            places,
        })
    }

    /// The items, in the order of the law.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The item of an id.
    #[must_use]
    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items.get(*self.places.get(id)?)
    }

    /// The procedures and tasks.
    #[must_use]
    pub fn procedures(&self) -> &[Procedure] {
        &self.procedures
    }

    /// The procedure of an id.
    #[must_use]
    pub fn procedure(&self, id: &str) -> Option<&Procedure> {
        self.procedures.iter().find(|procedure| procedure.id == id)
    }

    /// The legal grounds.
    #[must_use]
    pub fn legal_basis(&self) -> &LegalBasis {
        &self.legal_basis
    }

    /// Id of the ground that lists the items.
    #[must_use]
    pub fn items_basis(&self) -> &str {
        &self.items_basis
    }

    /// The bit of an item; none for what the catalogue does not know.
    pub fn bit(&self, id: &str) -> Mask {
        self.places.get(id).map_or(0, |place| 1 << place)
    }

    /// The bits of several items.
    pub fn mask<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> Mask {
        ids.into_iter().fold(0, |mask, id| mask | self.bit(id))
    }

    /// The bits of all items.
    pub fn all(&self) -> Mask {
        self.mask(self.places.keys())
    }

    /// The bits of the items of a group.
    pub fn group(&self, group: &str) -> Mask {
        let of = self.items.iter().filter(|item| item.groups.iter().any(|g| g == group));
        self.mask(of.map(|item| &item.id))
    }
}
