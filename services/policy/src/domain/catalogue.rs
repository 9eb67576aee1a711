//! The catalogue: the items of the law, and the procedures that a request can name.

use std::collections::{BTreeMap, BTreeSet};

use decide::MaskForm;
use model::EventKind;
use serde::{Deserialize, Serialize};

use super::basis::LegalBasis;
use super::item_set::ItemSet;
use crate::Error;

/// Which law lists the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
// By way of a text: in an environment variable the year comes as a number.
#[serde(try_from = "String")]
pub enum LegalProfile {
    /// Law 59/2014/QH13, Art. 9(1).
    #[serde(rename = "2014")]
    Law2014,
    /// Law 26/2023/QH15, Art. 9.
    #[serde(rename = "2023")]
    Law2023,
}

impl LegalProfile {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Law2014, Self::Law2023];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Law2014 => "2014",
            Self::Law2023 => "2023",
        }
    }
}

impl TryFrom<String> for LegalProfile {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let found = Self::ALL.into_iter().find(|profile| profile.name() == name);
        found.ok_or_else(|| format!("`{name}` is no legal profile: `2014` and `2023` are"))
    }
}

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
    /// A number that identifies a person.
    Identifier,
    /// Other persons and what they are to this one.
    Relation,
    /// Papers issued.
    Document,
}

impl ItemType {
    /// Whether its values have a form.
    #[must_use]
    pub const fn has(self, form: MaskForm) -> bool {
        matches!(
            (self, form),
            (Self::Address, MaskForm::Province) | (Self::Identifier, MaskForm::LastFour)
        )
    }
}

/// One item of information about a person.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its id on the wire.
    pub id: String,
    /// Its number in the law.
    pub number: u32,
    /// Its name in Vietnamese: the law's, of some items abbreviated by us (`data/SOURCES.md`).
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
    /// The kinds of event that are contributed under it; none where items are only obtained.
    pub events: Vec<EventKind>,
    /// Whether a database may be told under it whenever persons change, rather than ask in single cases.
    #[serde(default)]
    pub follows: bool,
    /// What its callers must know of a person.
    #[serde(default)]
    pub claims: Claims,
    /// Whether a year of birth is enough where the register holds the whole date.
    #[serde(default)]
    pub year_suffices: bool,
    /// For how many days the person whom an access for it is about is told nothing of it but its number. What the law demands in
    /// single cases it does not say here: it is the operator's profile.
    #[serde(default)]
    pub sealed_days: u32,
}

/// Items, procedures and legal grounds, as loaded.
#[derive(Clone, Debug)]
pub struct Catalogue {
    items: Vec<Item>,
    procedures: Vec<Procedure>,
    legal_basis: LegalBasis,
    items_basis: String,
    places: BTreeMap<String, usize>,
    /// The items and the groups of both laws.
    listed: BTreeSet<String>,
    groups: BTreeSet<String>,
}

/// The file of items, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemFile {
    law_2023: Law2023,
    law_2014: Law2014,
    item: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Law2023 {
    legal_basis: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Law2014 {
    legal_basis: String,
    /// Its points, in order.
    points: Vec<String>,
}

impl ItemFile {
    /// Reads the file; it has no fault in what any profile needs.
    fn parse(text: &str, legal_basis: &LegalBasis) -> Result<Self, Error> {
        let file: Self = toml::from_str(text).map_err(|e| Error::data("items", e))?;
        let wrong = |why: String| Err(Error::data("items", why));
        for basis in [&file.law_2023.legal_basis, &file.law_2014.legal_basis] {
            if legal_basis.get(basis).is_none() {
                return wrong(format!("their legal basis `{basis}` is not known"));
            }
        }
        let mut ids = BTreeSet::new();
        let mut points: BTreeMap<&str, bool> = BTreeMap::new();
        for point in &file.law_2014.points {
            if point.is_empty() || points.insert(point, false).is_some() {
                return wrong(format!("point `{point}` is empty or there twice"));
            }
        }
        for item in &file.item {
            if !ids.insert(&item.id) {
                return wrong(format!("`{}` is there twice", item.id));
            }
            if (item.kind == ItemType::Coded) != item.code_list.is_some() {
                return wrong(format!("code list of `{}`", item.id));
            }
            if item.law_2014.is_empty() {
                continue;
            }
            match points.get_mut(item.law_2014.as_str()) {
                Some(named) => *named = true,
                None => return wrong(format!("`{}`: its point is not there", item.id)),
            }
        }
        if let Some((point, _)) = points.iter().find(|(_, named)| !**named) {
            return wrong(format!("no item is of point `{point}`"));
        }
        Ok(file)
    }

    /// The items that a law lists, in its order, and the ground that lists them.
    fn listed_by(self, profile: LegalProfile) -> (Vec<Item>, String) {
        match profile {
            LegalProfile::Law2023 => (self.item, self.law_2023.legal_basis),
            LegalProfile::Law2014 => {
                let Law2014 { legal_basis, points } = self.law_2014;
                let place = |item: &Item| points.iter().position(|p| *p == item.law_2014);
                let mut items = self.item;
                items.retain(|item| place(item).is_some());
                items.sort_by_key(place);
                (items, legal_basis)
            }
        }
    }
}

/// The file of procedures, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcedureFile {
    procedure: Vec<Procedure>,
}

impl Catalogue {
    /// Reads the three files. The items are those that the law of the profile lists.
    pub fn parse(
        profile: LegalProfile,
        items: &str,
        procedures: &str,
        basis: &str,
    ) -> Result<Self, Error> {
        let legal_basis = LegalBasis::parse(basis)?;
        let file = ItemFile::parse(items, &legal_basis)?;
        let procedures: ProcedureFile =
            toml::from_str(procedures).map_err(|e| Error::data("procedures", e))?;
        let mut named = BTreeSet::new();
        if let Some(p) = procedures.procedure.iter().find(|p| !named.insert(&p.id)) {
            return Err(Error::data("procedures", format!("`{}` is there twice", p.id)));
        }
        let listed = file.item.iter().map(|item| item.id.clone()).collect();
        let groups = file.item.iter().flat_map(|item| item.groups.clone()).collect();
        let (items, items_basis) = file.listed_by(profile);
        let places = items.iter().enumerate().map(|(place, item)| (item.id.clone(), place));
        Ok(Self {
            places: places.collect(),
            items,
            procedures: procedures.procedure,
            legal_basis,
            items_basis,
            listed,
            groups,
        })
    }

    /// The items that the law of the profile lists, in its order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// How many items any law lists, whatever the profile.
    #[must_use]
    pub fn most_items(&self) -> usize {
        self.listed.len()
    }

    /// The item of an id, if the law of the profile lists it.
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

    /// The place of an item; none for what the law of the profile does not list.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// Those of several items that the law of the profile lists.
    pub fn set<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> ItemSet {
        ids.into_iter().filter_map(|id| self.place(id)).collect()
    }

    /// Whether any law lists this item, whatever the profile.
    #[must_use]
    pub fn lists_item(&self, id: &str) -> bool {
        self.listed.contains(id)
    }

    /// Whether there is such a group, whether or not the law of the profile lists items of it.
    #[must_use]
    pub fn lists_group(&self, group: &str) -> bool {
        self.groups.contains(group)
    }

    /// All items.
    #[must_use]
    pub fn all(&self) -> ItemSet {
        (0..self.items.len()).collect()
    }

    /// The items of a group.
    #[must_use]
    pub fn group(&self, group: &str) -> ItemSet {
        let of = |item: &&Item| item.groups.iter().any(|g| g == group);
        self.set(self.items.iter().filter(of).map(|item| &item.id))
    }
}
