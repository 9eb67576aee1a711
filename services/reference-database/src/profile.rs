//! Which database it is: data, so that one more kind is one more file.

use std::collections::BTreeMap;

use contract::{
    database::v1::{
        DatabaseContact, DatabaseEnvironment, DatabaseLimits, DatabaseRole,
        DescribeDatabaseResponse, HeldItem,
    },
    r#type::v1::AccessBasis,
};
use serde::Deserialize;

const SHIPPED: [(&str, &str); 6] = [
    ("civil-status", include_str!("../data/civil-status.toml")),
    ("residence", include_str!("../data/residence.toml")),
    ("citizen-id", include_str!("../data/citizen-id.toml")),
    ("medical", include_str!("../data/medical.toml")),
    ("social-insurance", include_str!("../data/social-insurance.toml")),
    ("one-stop", include_str!("../data/one-stop.toml")),
];
/// The ground on which a source provides its changes (Decision 1911/QD-TTg, Art. 2(2)).
const PROVIDING: &str = "1911-2021-art-2-2";
/// The most changes in one page, queries in one stream, events in one delivery.
pub(crate) const PAGE_MAX: u16 = 200;
pub(crate) const QUERIES_MAX: u16 = 100;
pub(crate) const EVENTS_MAX: u16 = 200;

/// What keeps a profile from being used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// None of this name is shipped.
    #[error("`{0}` is no profile of a reference database")]
    Unknown(String),
    /// It cannot be read.
    #[error("the profile `{0}` is malformed")]
    Malformed(String, #[source] toml::de::Error),
}

/// What a reference database is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its id, as it stands beside every value it provided.
    pub database_id: String,
    /// Electronic identifier of the agency that owns it.
    pub owner_unit: String,
    /// Its name in Vietnamese.
    pub name: String,
    /// The office that answers for it.
    pub email: String,
    /// See `email`.
    pub telephone: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// The items it holds.
    pub items: Vec<String>,
    /// The kinds of events that it registers, and the procedure under which it provides each.
    pub events: BTreeMap<String, String>,
    /// What it follows in the register; none where it follows nobody.
    pub follow: Option<Follow>,
}

/// What a database follows in the register, and looks up there when it has changed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// The task.
    pub procedure: String,
    /// Id of the legal-basis row.
    pub legal_basis: String,
    /// The items; it holds each of them.
    pub items: Vec<String>,
}

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It lists its changes.
    Source,
    /// It answers about single persons.
    Lookup,
    /// It takes events.
    Sink,
}

impl Profile {
    /// A shipped profile.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn shipped(name: &str) -> Result<Self, ProfileError> {
        let found = SHIPPED.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| ProfileError::Unknown(name.to_owned()))?;
        toml::from_str(text).map_err(|error| ProfileError::Malformed(name.to_owned(), error))
    }

    /// Names of the shipped profiles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// Whether it has a role.
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether it holds an item.
    #[must_use]
    pub fn holds(&self, item: &str) -> bool {
        self.items.iter().any(|held| held == item)
    }

    /// The ground on which it provides an event; none for events it does not register.
    pub(crate) fn basis(&self, kind: &str) -> Option<AccessBasis> {
        Some(self.ground(self.events.get(kind)?, PROVIDING, kind))
    }

    /// The ground on which it follows, and looks up whom it follows; none where it follows nobody.
    #[must_use]
    pub fn follow_basis(&self) -> Option<AccessBasis> {
        let follow = self.follow.as_ref()?;
        Some(self.ground(&follow.procedure, &follow.legal_basis, "follow"))
    }

    fn ground(&self, procedure: &str, legal_basis: &str, case: &str) -> AccessBasis {
        AccessBasis {
            procedure: procedure.to_owned(),
            legal_basis: legal_basis.to_owned(),
            case_reference: format!("{}:{case}", self.database_id),
            acting_unit: self.owner_unit.clone(),
            officer: "can-bo-01".to_owned(),
            ..AccessBasis::default()
        }
    }

    /// How it describes itself.
    pub(crate) fn description(&self, retention: time::Duration) -> DescribeDatabaseResponse {
        let limit = |role, limit: u16| if self.is(role) { limit.into() } else { 0 };
        let seconds = retention.whole_seconds();
        DescribeDatabaseResponse {
            database_id: self.database_id.clone(),
            owner_unit: self.owner_unit.clone(),
            name: self.name.clone(),
            contract_versions: vec!["lienthong.database.v1".to_owned()],
            roles: self.roles.iter().map(|role| DatabaseRole::from(*role).into()).collect(),
            items: self.items.iter().map(|item| held(item)).collect(),
            limits: Some(DatabaseLimits {
                page_size_max: limit(Role::Source, PAGE_MAX),
                retention: self.is(Role::Source).then_some(wire::duration(seconds)),
                queries_max: limit(Role::Lookup, QUERIES_MAX),
                events_max: limit(Role::Sink, EVENTS_MAX),
            }),
            contact: Some(DatabaseContact {
                email: self.email.clone(),
                telephone: self.telephone.clone(),
            }),
            environment: DatabaseEnvironment::Synthetic.into(),
            software: concat!("lienthong reference-database ", env!("CARGO_PKG_VERSION"))
                .to_owned(),
        }
    }
}

impl From<Role> for DatabaseRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Source => Self::Source,
            Role::Lookup => Self::Lookup,
            Role::Sink => Self::Sink,
        }
    }
}

/// An item, with the list that its codes are of.
fn held(item: &str) -> HeldItem {
    let (list, versions): (&str, &[&str]) = match item {
        "sex" => ("sex", &["1"]),
        "nationality" => ("nationality", &["iso-3166-1"]),
        "ethnic_group" => ("ethnic-group", &["gso-15172", "1979"]),
        _ => ("", &[]),
    };
    HeldItem {
        item: item.to_owned(),
        code_system: list.to_owned(),
        code_system_versions: versions.iter().map(|version| (*version).to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_shipped_profile_describes_a_database() {
        for name in Profile::names() {
            let profile = Profile::shipped(name).unwrap();
            assert_eq!(profile.database_id, name);
            assert!(!profile.roles.is_empty() && !profile.items.is_empty(), "{name}");
            // What is registered is provided, and only then.
            assert_eq!(profile.is(Role::Source), !profile.events.is_empty(), "{name}");
            // Whoever follows is told, and keeps what it looks up.
            let follow = profile.follow.iter();
            let mut followed = follow.clone().flat_map(|follow| &follow.items);
            assert!(followed.all(|item| profile.holds(item)), "{name}");
            assert!(profile.follow.is_none() || profile.is(Role::Sink), "{name}");
        }
        assert!(Profile::shipped("x").is_err());
    }
}
