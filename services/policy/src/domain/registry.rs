//! The registry: agencies, their connections, and the agreements that grant items.
//!
//! An agreement is the plan that both sides agreed on (Decision 1911/QD-TTg, Art. 3(4)(b)). All
//! periods are half-open: the day named as the end is the first on which the thing no longer holds.

use std::collections::{BTreeMap, BTreeSet};

use decide::{
    Obligation,
    obligation::{self, UnknownObligation},
};
use serde::{Deserialize, Serialize};
use time::Date;

use super::agreement::Terms;
use super::basis::day;
use super::catalogue::Catalogue;
use super::item_set::ItemSet;
use super::request::{Request, is_segment};
use super::revision::Ruling;
use super::rules::{Act, Conditions};
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
    /// The state of a name; what is not known counts as revoked (I2).
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "ACTIVE" => Self::Active,
            "SUSPENDED" => Self::Suspended,
            _ => Self::Revoked,
        }
    }
}

/// Agencies, connections and agreements, as a file says them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    /// The ground on which it was connected (Art. 1(1)).
    pub legal_basis: String,
    /// First day on which its security assessment no longer counts (Art. 3(1)(b), 3(4)(c)).
    #[serde(with = "day")]
    pub assessed_until: Date,
}

/// An agreement for a connection.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// What may be done.
    pub action: Act,
    /// The procedure or task.
    pub procedure: String,
    /// The legal ground.
    pub legal_basis: String,
    /// The items, at least one.
    pub items: Vec<String>,
    /// What whoever obtains something by it must do, such as `mask=province`, `max-age=86400`, `no-onward-transfer`; of any other
    /// act nothing, because of that no conditions are told.
    #[serde(default)]
    pub obligations: Vec<String>,
}

impl Registry {
    /// Reads a registry file.
    ///
    /// # Errors
    /// [`Error::Data`] when the text is not a registry.
    pub fn parse(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|e| Error::data("registry", e))
    }

    /// Refuses what would be a silent denial later: a name of something that is not there, a period
    /// without a day, an id that is not one thing's alone.
    ///
    /// # Errors
    /// [`Error::Data`], which names the fault.
    pub fn check(&self, catalogue: &Catalogue) -> Result<(), Error> {
        let agencies = distinct(self.agencies.iter().map(|agency| agency.code.as_str()))?;
        distinct(self.connections.iter().map(|c| c.id.as_str()))?;
        distinct(self.agreements.iter().map(|agreement| agreement.id.as_str()))?;
        if let Some(code) = agencies.iter().find(|code| !is_segment(code)) {
            return wrong(format!("`{code}` cannot stand in a SPIFFE id"));
        }
        let mut systems = BTreeSet::new();
        for connection in &self.connections {
            let Connection { id, agency, system, database, legal_basis, .. } = connection;
            known(id, agency, agencies.contains(agency.as_str()))?;
            known(id, legal_basis, catalogue.legal_basis().get(legal_basis).is_some())?;
            if !is_segment(system) {
                return wrong(format!("`{id}`: its system cannot stand in a SPIFFE id"));
            }
            if database.is_empty() {
                return wrong(format!("`{id}` serves no database"));
            }
            if !systems.insert((agency, system)) {
                return wrong(format!("`{id}`: its system has another connection"));
            }
        }
        for agreement in &self.agreements {
            let Agreement { id, valid_from, valid_to, .. } = agreement;
            if valid_from >= valid_to {
                return wrong(format!("`{id}` ends before it begins"));
            }
            agreement.grants.iter().try_for_each(|grant| grant.check(id, catalogue))?;
            check_obtained(id, &agreement.grants)?;
            agreement.check_obliges_once()?;
        }
        Ok(())
    }

    /// Refuses what cannot stand beside the connections that admissions hold and the agreements that were signed: an id or a
    /// system of theirs, and an agreement for a connection that is not of the file. What officers admitted stands on agreements that
    /// both sides signed (Art. 3(4)(b)).
    ///
    /// # Errors
    /// [`Error::Data`], which names the fault.
    pub(crate) fn check_beside(&self, held: &[Held], signed: &[String]) -> Result<(), Error> {
        for Connection { id, agency, system, .. } in &self.connections {
            if held.iter().any(|held| held.id == *id) {
                return wrong(format!("`{id}` is a connection that was admitted by officers"));
            }
            if held.iter().any(|held| held.agency == *agency && held.system == *system) {
                return wrong(format!("`{id}`: its system was admitted by officers"));
            }
        }
        let own: BTreeSet<_> = self.connections.iter().map(|one| one.id.as_str()).collect();
        for Agreement { id, connection, .. } in &self.agreements {
            if signed.contains(id) {
                return wrong(format!("`{id}` is an agreement that both sides signed"));
            }
            if held.iter().any(|held| held.id == *connection) {
                return wrong(format!(
                    "`{id}`: `{connection}` was admitted by officers, and stands on agreements that both sides signed"
                ));
            }
            known(id, connection, own.contains(connection.as_str()))?;
        }
        Ok(())
    }
}

/// A connection that an admission holds.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Its id.
    pub(crate) id: String,
    /// Code of its agency.
    pub(crate) agency: String,
    /// Its system.
    pub(crate) system: String,
}

impl Agreement {
    /// An item is granted for one act, procedure and ground with one list of obligations.
    fn check_obliges_once(&self) -> Result<(), Error> {
        let mut seen = BTreeMap::new();
        for grant in &self.grants {
            let Grant { action, procedure, legal_basis, items, obligations } = grant;
            for item in items {
                let before = seen.insert((action, procedure, legal_basis, item), obligations);
                if before.is_some_and(|before| before != obligations) {
                    return wrong(format!("`{}` grants `{item}` on two conditions", self.id));
                }
            }
        }
        Ok(())
    }
}

/// That an item changed may say as much as its value, such as that somebody died, and what else was said of it says
/// more; whoever is found by it has it confirmed, and whoever is told whom it names has part of it: whoever is granted that
/// must be granted to obtain it, the whole of it, and on no condition that the other act would not be told of.
pub(crate) fn check_obtained(agreement: &str, grants: &[Grant]) -> Result<(), Error> {
    for follow in grants.iter().filter(|grant| grant.action.is_part_of_obtaining()) {
        let obtained = |item: &String| {
            grants.iter().any(|grant| {
                grant.action == Act::Obtain
                    && grant.procedure == follow.procedure
                    && grant.legal_basis == follow.legal_basis
                    && grant.items.contains(item)
                    && grant.obligations.is_empty()
            })
        };
        if let Some(item) = follow.items.iter().find(|item| !obtained(item)) {
            return wrong(format!(
                "`{agreement}` grants more of `{item}` than to obtain it, and not that without conditions"
            ));
        }
    }
    Ok(())
}

impl Grant {
    pub(crate) fn check(&self, agreement: &str, catalogue: &Catalogue) -> Result<(), Error> {
        let Self { procedure, legal_basis, items, .. } = self;
        known(agreement, procedure, catalogue.procedure(procedure).is_some())?;
        known(agreement, legal_basis, catalogue.legal_basis().get(legal_basis).is_some())?;
        if items.is_empty() {
            return wrong(format!("`{agreement}` grants nothing for `{procedure}`"));
        }
        if self.action == Act::Follow && !catalogue.procedure(procedure).is_some_and(|p| p.follows)
        {
            return wrong(format!("`{agreement}`: nobody is told of changes under `{procedure}`"));
        }
        if let Some(item) = items.iter().find(|item| catalogue.item(item).is_none()) {
            let law = catalogue.items_basis();
            return wrong(format!("`{agreement}` grants `{item}`, which `{law}` does not list"));
        }
        let obligations = obligations(&self.obligations).map_err(|error| {
            Error::data("registry", format!("`{agreement}` obliges to something unknown: {error}"))
        })?;
        if obligation::together(&obligations, &[]).is_none() {
            return wrong(format!("`{agreement}` wants one value in two forms"));
        }
        for obligation in &obligations {
            let Obligation::Mask(form) = obligation else { continue };
            let lacks =
                |item: &&String| !catalogue.item(item).is_some_and(|item| item.kind.has(*form));
            if let Some(item) = items.iter().find(lacks) {
                return wrong(format!("`{agreement}`: there is no `{obligation}` of `{item}`"));
            }
        }
        if self.action.conditions() != Conditions::Told && !obligations.is_empty() {
            let act = self.action.name();
            return wrong(format!("`{agreement}`: of no conditions is told who may `{act}`"));
        }
        Ok(())
    }
}

/// The obligations in a list.
pub(crate) fn obligations<T: AsRef<str>>(
    texts: &[T],
) -> Result<Vec<Obligation>, UnknownObligation> {
    texts.iter().map(|text| text.as_ref().parse()).collect()
}

fn known(of: &str, what: &str, there: bool) -> Result<(), Error> {
    if there { Ok(()) } else { wrong(format!("`{of}` names `{what}`, which is not there")) }
}

fn distinct<'a>(ids: impl Iterator<Item = &'a str>) -> Result<BTreeSet<&'a str>, Error> {
    let mut seen = BTreeSet::new();
    for id in ids {
        if id.is_empty() || !seen.insert(id) {
            return wrong(format!("the id `{id}` is empty or there twice"));
        }
    }
    Ok(seen)
}

fn wrong<T>(why: String) -> Result<T, Error> {
    Err(Error::data("registry", why))
}

/// What is stored about one caller, for one act, procedure and ground; all of one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// Digest of the registry as stored.
    pub(crate) registry: String,
    /// Number of its revision.
    pub(crate) number: u64,
    /// The rule set in force.
    pub(crate) rules: Ruling,
    /// The caller's connection, if it has one.
    pub(crate) connection: Option<Connection>,
    /// Name of the state of its admission; none where it is of the registry file.
    pub(crate) admission: Option<String>,
    /// What its agreements grant, in the order of their ids.
    pub(crate) granted: Vec<Granted>,
    /// The terms of its agreements that demand signed requests, whatever they grant; looked for where nothing is asked for.
    pub(crate) signing: Vec<(Date, Date)>,
}

/// What one agreement grants for the act, procedure and ground asked about.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    /// The agreement.
    pub(crate) agreement: String,
    /// First day.
    pub(crate) valid_from: Date,
    /// First day on which it no longer holds.
    pub(crate) valid_to: Date,
    /// What a request must be for it.
    pub(crate) terms: Terms,
    /// The items, at least one, each with what whoever is given it must do.
    pub(crate) items: Vec<(String, Vec<Obligation>)>,
}

impl Granted {
    /// The rule by which it does not serve a request.
    fn refuses(&self, request: &Request) -> Option<&'static str> {
        let by = request.by.as_ref()?;
        let Terms { direction, units, keys, volume: _, signed_requests: _ } = &self.terms;
        // A key that is not known is not the one that was granted (I2).
        let keyed = by.key.as_ref().is_some_and(|key| keys.contains(key));
        if !keys.is_empty() && !keyed {
            return Some("key-not-granted");
        }
        if !units.is_empty() && !units.contains(&by.acting_unit) {
            return Some("unit-not-granted");
        }
        (!direction.is_empty() && by.direction != *direction).then_some("direction-not-granted")
    }

    /// Whether a request stands on a direction of the Prime Minister: on the one that both sides signed, or, by the registry
    /// file, on the caller's word.
    pub(crate) fn directs(&self, request: &Request) -> bool {
        let signed = !self.terms.units.is_empty();
        let named = match &request.by {
            Some(by) => by.direction == self.terms.direction,
            None => !self.terms.direction.is_empty(),
        };
        request.direction && (!signed || named)
    }

    /// What whoever is given an item under it must do.
    pub(crate) fn obligations(&self, item: &str) -> &[Obligation] {
        let found = self.items.iter().find(|(granted, _)| granted == item);
        found.map_or(&[], |(_, obligations)| obligations)
    }
}

impl Standing {
    /// Whether an agreement that is in force demands that requests are signed.
    pub(crate) fn demands_signed(&self, day: Date) -> bool {
        self.signing.iter().any(|(from, to)| *from <= day && day < *to)
    }

    /// Whether an agreement that is in force and serves the request demands that it is signed, also where another one is applied: else
    /// whoever asks could choose the one that does not by the items it names.
    pub(crate) fn demands_signed_of(&self, day: Date, request: &Request) -> bool {
        self.granted.iter().any(|granted| {
            let holds = granted.valid_from <= day && day < granted.valid_to;
            holds && granted.refuses(request).is_none() && granted.terms.signed_requests
        })
    }

    /// The agreement to apply: of those in force that serve the request, the one that grants most of the items wanted; the
    /// first of equals by id, whatever each obliges to. Two agreements are never added up: what is given stands on one of them. Where none serves, the
    /// rule by which the first one in force does not.
    pub(crate) fn in_force(
        &self,
        day: Date,
        request: &Request,
        wanted: &ItemSet,
        catalogue: &Catalogue,
    ) -> Result<(&Granted, ItemSet), &'static str> {
        let in_force = || {
            let holds = |granted: &&Granted| granted.valid_from <= day && day < granted.valid_to;
            self.granted.iter().filter(holds)
        };
        in_force()
            .filter(|granted| granted.refuses(request).is_none())
            .map(|granted| (granted, catalogue.set(granted.items.iter().map(|(item, _)| item))))
            // `max_by_key` takes the last of equals.
            .rev()
            .max_by_key(|(_, items)| items.common(wanted))
            .ok_or_else(|| {
                in_force().find_map(|granted| granted.refuses(request)).unwrap_or("no-agreement")
            })
    }
}
