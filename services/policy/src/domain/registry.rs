//! The registry: agencies, their connections, and the agreements that grant items.
//!
//! An agreement is the plan that both sides agreed on (Decision 1911/QD-TTg, Art. 3(4)(b)). All periods are
//! half-open: the day named as the end is the first on which the thing no longer holds.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::Date;

use super::basis::day;
use super::catalogue::{Catalogue, Mask};
use super::rules::Act;
use crate::Error;

/// Whether a connection may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// It may be used.
    Active,
    /// It is stopped until something is put right.
    Suspended,
    /// It has ended.
    Revoked,
}

impl State {
    /// Its name, in the registry and in the database.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Revoked => "REVOKED",
        }
    }

    /// The state of a name; what is not known counts as revoked (I2).
    pub(crate) fn of(name: &str) -> Self {
        let all = [Self::Active, Self::Suspended];
        all.into_iter().find(|state| state.name() == name).unwrap_or(Self::Revoked)
    }
}

/// Agencies, connections and agreements, as a file says them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// The agencies.
    #[serde(default, rename = "agency")]
    pub agencies: Vec<Agency>,
    /// Their connections.
    #[serde(default, rename = "connection")]
    pub connections: Vec<Connection>,
    /// The agreements.
    #[serde(default, rename = "agreement")]
    pub agreements: Vec<Agreement>,
}

/// An agency.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    /// Its code, as in its certificates: `spiffe://…/agency/<code>/…`.
    pub code: String,
    /// Its name in Vietnamese.
    pub vi: String,
    /// Its name in English.
    pub en: String,
}

/// A system of an agency, connected for one database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Its id.
    pub id: String,
    /// Code of its agency.
    pub agency: String,
    /// The system, as in its certificates: `spiffe://…/system/<system>`.
    pub system: String,
    /// The database that it serves.
    pub database: String,
    /// Whether it may be used.
    pub state: State,
    /// The ground on which it was connected.
    pub legal_basis: String,
    /// First day on which its security assessment no longer counts (Art. 3(1)(b), 3(4)(c)).
    #[serde(with = "day")]
    pub assessed_until: Date,
}

/// An agreement for a connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// Its id.
    pub id: String,
    /// The connection.
    pub connection: String,
    /// First day.
    #[serde(with = "day")]
    pub valid_from: Date,
    /// First day on which it no longer holds.
    #[serde(with = "day")]
    pub valid_to: Date,
    /// What it grants.
    #[serde(default, rename = "grant")]
    pub grants: Vec<Grant>,
}

/// What an agreement grants for one act, procedure and ground.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// `obtain` or `contribute`.
    pub action: String,
    /// The procedure or task.
    pub procedure: String,
    /// The legal ground.
    pub legal_basis: String,
    /// The items.
    pub items: Vec<String>,
}

/// What the database holds about one caller, read at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// Digest of the registry as stored.
    pub(crate) revision: String,
    /// The caller's connection, if it has one.
    pub(crate) connection: Option<Connection>,
    /// Its agreements, in the order of their ids.
    pub(crate) agreements: Vec<Agreement>,
}

impl Registry {
    /// Reads a registry file.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] when the text is not a registry.
    pub fn parse(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|e| Error::data("registry", e))
    }

    /// Refuses what names something that is not there: it would be a silent denial later.
    pub(crate) fn check(&self, catalogue: &Catalogue) -> Result<(), Error> {
        let wrong = |of: &str, what: &str| {
            Err(Error::data("registry", format!("`{of}` names `{what}`, which is not there")))
        };
        let agencies: BTreeSet<_> = self.agencies.iter().map(|agency| &agency.code).collect();
        for connection in &self.connections {
            if !agencies.contains(&connection.agency) {
                return wrong(&connection.id, &connection.agency);
            }
            if catalogue.legal_basis().get(&connection.legal_basis).is_none() {
                return wrong(&connection.id, &connection.legal_basis);
            }
        }
        let connections: BTreeSet<_> = self.connections.iter().map(|c| &c.id).collect();
        for agreement in &self.agreements {
            if !connections.contains(&agreement.connection) {
                return wrong(&agreement.id, &agreement.connection);
            }
            for grant in &agreement.grants {
                if ![Act::Obtain, Act::Contribute].iter().any(|act| act.name() == grant.action) {
                    return wrong(&agreement.id, &grant.action);
                }
                if catalogue.procedure(&grant.procedure).is_none() {
                    return wrong(&agreement.id, &grant.procedure);
                }
                if catalogue.legal_basis().get(&grant.legal_basis).is_none() {
                    return wrong(&agreement.id, &grant.legal_basis);
                }
                if let Some(item) = grant.items.iter().find(|item| catalogue.bit(item) == 0) {
                    return wrong(&agreement.id, item);
                }
            }
        }
        Ok(())
    }
}

/// What an agreement in force grants of what was asked.
#[derive(Clone, Debug)]
pub(crate) struct Granted<'a> {
    /// The agreement.
    pub(crate) agreement: &'a Agreement,
    /// The items granted for this act, procedure and ground.
    pub(crate) items: Mask,
}

impl Standing {
    /// The agreement to apply: of those in force with a grant for this act, procedure and ground, the one
    /// that grants most of the items wanted; the first of equals.
    pub(crate) fn granted(
        &self,
        ask: &super::rules::Question<'_>,
        wanted: Mask,
        catalogue: &Catalogue,
        day: Date,
    ) -> Option<Granted<'_>> {
        let mut best: Option<Granted<'_>> = None;
        let in_force = |a: &&Agreement| a.valid_from <= day && day < a.valid_to;
        for agreement in self.agreements.iter().filter(in_force) {
            let mut grants = agreement
                .grants
                .iter()
                .filter(|grant| {
                    grant.action == ask.act.name()
                        && grant.procedure == ask.procedure
                        && grant.legal_basis == ask.basis
                })
                .peekable();
            if grants.peek().is_none() {
                continue;
            }
            let items = grants.fold(0, |mask, grant| mask | catalogue.mask(&grant.items));
            let covers = (items & wanted).count_ones();
            if best.as_ref().is_none_or(|best| covers > (best.items & wanted).count_ones()) {
                best = Some(Granted { agreement, items });
            }
        }
        best
    }
}

/// The agency and system of a caller: `spiffe://<trust-domain>/agency/<agency>/system/<system>`. The trust
/// domain was checked with the certificate, by whoever accepted the connection.
pub(crate) fn caller(spiffe_id: &str) -> Option<(&str, &str)> {
    let (domain, path) = spiffe_id.strip_prefix("spiffe://")?.split_once('/')?;
    let mut parts = path.split('/');
    let found = match (parts.next()?, parts.next()?, parts.next()?, parts.next()?) {
        ("agency", agency, "system", system) => (agency, system),
        _ => return None,
    };
    let whole = parts.next().is_none() && !domain.is_empty();
    (whole && !found.0.is_empty() && !found.1.is_empty()).then_some(found)
}
