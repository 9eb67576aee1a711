//! The routes: data that the operator keeps.

use std::{collections::HashSet, fs};

use serde::Deserialize;
use server::{Caller, caller::Kind};

use crate::client::follow_faults;

/// What keeps the routes from being used.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// The file cannot be read.
    #[error("cannot read the routes from `{path}`")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no list of routes.
    #[error("the routes in `{path}` are malformed")]
    Malformed {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: toml::de::Error,
    },
    /// What a route follows cannot be asked for.
    #[error("route `{database}`: what it follows has faulty fields: {fields}")]
    Follow {
        /// The route.
        database: String,
        /// The fields.
        fields: String,
    },
    /// What a route says cannot be.
    #[error("route `{database}`: {why}")]
    Route {
        /// The route.
        database: String,
        /// What is wrong.
        why: &'static str,
    },
}

/// What a database is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Its changes are read.
    Source,
    /// It is told of events.
    Sink,
}

/// A database that is connected.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its id.
    pub database: String,
    /// The SPIFFE id that its certificate must carry, and under which its changes are contributed.
    pub identity: String,
    /// Where it listens, `host:port`.
    pub endpoint: String,
    /// Who answers for what does not go on by itself: an agency's electronic identifier.
    pub owner: String,
    /// What it is to us.
    pub roles: Vec<Role>,
    /// What it follows in the register, if anything; what is found changed is told to it as a sink.
    pub follow: Option<Follow>,
}

/// What a database follows: a standing request, on a ground of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// The task, one that databases are kept in step under.
    pub procedure: String,
    /// Id of the legal-basis row.
    pub legal_basis: String,
    /// Its owner's file of this request.
    pub case_reference: String,
    /// Electronic identifier of the unit on whose behalf it follows.
    pub acting_unit: String,
    /// The officer who is in charge there, by the organisation's own id.
    pub officer: String,
    /// Number of a direction of the Prime Minister, where that is the ground.
    #[serde(default)]
    pub direction_reference: String,
    /// Ids of the items.
    pub items: Vec<String>,
}

impl Route {
    /// Whether it has a role.
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    route: Vec<Route>,
}

/// The routes in a file.
///
/// # Errors
/// See [`RoutesError`].
pub fn read(path: &str, trust_domain: &str) -> Result<Vec<Route>, RoutesError> {
    let file = |source| RoutesError::File { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(file)?;
    parse(&text, path, trust_domain)
}

fn parse(text: &str, path: &str, trust_domain: &str) -> Result<Vec<Route>, RoutesError> {
    let malformed = |source| RoutesError::Malformed { path: path.to_owned(), source };
    let File { route: routes } = toml::from_str(text).map_err(malformed)?;
    let (mut databases, mut identities) = (HashSet::new(), HashSet::new());
    for route in &routes {
        let wrong = |why| RoutesError::Route { database: route.database.clone(), why };
        let system = Caller::parse(&route.identity, trust_domain)
            .is_ok_and(|caller| matches!(caller.kind(), Kind::System { .. }));
        if !system {
            return Err(wrong("its identity is no system of an agency in the trust domain"));
        }
        // Contributions are told apart by the identity, so two databases cannot have one.
        if !databases.insert(&route.database) || !identities.insert(&route.identity) {
            return Err(wrong("its id or identity stands there twice"));
        }
        if route.owner.trim().is_empty() {
            return Err(wrong("it has no owner"));
        }
        if route.roles.is_empty() {
            return Err(wrong("it has no role"));
        }
        let Some(follow) = &route.follow else { continue };
        if !route.is(Role::Sink) {
            return Err(wrong("it follows, and is no sink that could be told"));
        }
        let fields = follow_faults(follow);
        if !fields.is_empty() {
            let (database, fields) = (route.database.clone(), fields.join(", "));
            return Err(RoutesError::Follow { database, fields });
        }
    }
    Ok(routes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const GOOD: &str = include_str!("../testdata/routes.toml");

    #[test]
    fn routes_are_read_strictly() {
        let routes = parse(GOOD, "x", "lienthong.test").unwrap();
        assert_eq!(routes.len(), 2);
        assert!(routes.iter().all(|route| route.is(Role::Sink)));
        assert_eq!(routes.iter().filter(|route| route.follow.is_some()).count(), 1);
        for (what, with) in [
            ("agency/Z05.DEMO.CUTRU/system/cu-tru", "service/audit"),
            ("agency/Z05.DEMO.CUTRU/system/cu-tru", "agency/Z01.DEMO.HOTICH/system/ho-tich"),
            ("\"residence\"", "\"civil-status\""),
            ("owner = \"Z05.DEMO.CUTRU\"", "owner = \" \""),
            ("[\"sink\"]", "[]"),
            ("[\"sink\"]", "[\"step\"]"),
            ("[\"sink\"]", "[\"source\"]"),
            ("procedure = \"database-upkeep\"", "procedure = \"\""),
            ("procedure = \"database-upkeep\"\n", ""),
            ("items = [", "items = [] #"),
            ("items = [", "items = [\"*\", "),
            ("items = [", "items = [\"date_of_birth\", "),
            ("officer = \"can-bo-01\"", "officer = \"990204000001\""),
            ("acting_unit = \"Z05.DEMO.CUTRU\"", "acting_unit = \"x\""),
        ] {
            assert!(GOOD.contains(what));
            assert!(parse(&GOOD.replace(what, with), "x", "lienthong.test").is_err(), "{with}");
        }
    }
}
