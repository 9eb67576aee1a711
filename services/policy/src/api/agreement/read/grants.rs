//! What a proposal grants, checked for form and against the law's lists and the agreement's own days, units and keys.

use std::collections::BTreeSet;

use contract::policy::v1::{AgreementGrant, AgreementPeriod, AgreementVolume};
use time::Date;
use wire::Fault;

use super::{super::super::acted, Form};
use crate::domain::{
    agreement::{BY_DIRECTION, Content, Granted, Terms},
    registry::{self, Grant},
    rules::Act,
    volume::{PERSONS_MAX, Period, Volume},
};

const DIRECTION_MAX: usize = 64;

impl Form<'_, '_> {
    /// What is granted. `units` are those that may act, where delegations lead to the consumer.
    pub(super) fn grants(
        &mut self,
        grants: &[AgreementGrant],
        content: &Content,
        units: Option<&BTreeSet<String>>,
    ) -> Vec<Granted> {
        if grants.is_empty() {
            self.faults.add("propose.grants", Fault::Missing);
        }
        let mut read: Vec<Granted> = Vec::with_capacity(grants.len());
        for (place, grant) in grants.iter().enumerate() {
            let path = format!("propose.grants[{place}]");
            let Some(granted) = self.grant(&path, grant, content, units) else { continue };
            let same = |before: &Granted| {
                before.action == granted.action
                    && before.procedure == granted.procedure
                    && before.legal_basis == granted.legal_basis
            };
            if read.iter().any(same) {
                self.faults.add(path, Fault::Repeated);
            }
            read.push(granted);
        }
        // What the registry file may not grant, no agreement may.
        let as_filed: Vec<Grant> = read.iter().map(filed).collect();
        let catalogue = self.catalogue;
        for (place, grant) in as_filed.iter().enumerate() {
            if grant.check(&content.id, catalogue).is_err() {
                self.faults.add(format!("propose.grants[{place}]"), Fault::NotAllowed);
            }
        }
        let obtained = registry::check_obtained(&content.id, &as_filed).is_ok();
        if !obtained || !read.iter().all(|granted| granted.is_within_what_is_obtained(&read)) {
            self.faults.add("propose.grants", Fault::NotAllowed);
        }
        read
    }

    fn grant(
        &mut self,
        path: &str,
        grant: &AgreementGrant,
        content: &Content,
        units: Option<&BTreeSet<String>>,
    ) -> Option<Granted> {
        let action = acted(grant.action());
        if action.is_none() {
            self.faults.add(format!("{path}.action"), Fault::Missing);
        }
        let catalogue = self.catalogue;
        let mut code = |field: &str, code: &str, known: bool| {
            if code.is_empty() {
                self.faults.add(format!("{path}.{field}"), Fault::Missing);
            } else if !known {
                self.faults.add(format!("{path}.{field}"), Fault::UnknownCode);
            }
        };
        code("procedure", &grant.procedure, catalogue.procedure(&grant.procedure).is_some());
        let basis = catalogue.legal_basis().get(&grant.legal_basis);
        code("legal_basis", &grant.legal_basis, basis.is_some());
        if grant.items.is_empty() {
            self.faults.add(format!("{path}.items"), Fault::Missing);
        }
        let mut seen = BTreeSet::new();
        for (place, item) in grant.items.iter().enumerate() {
            let path = format!("{path}.items[{place}]");
            if catalogue.item(item).is_none() {
                self.faults.add(path, Fault::UnknownCode);
            } else if !seen.insert(item) {
                self.faults.add(path, Fault::Repeated);
            }
        }
        for (place, word) in grant.obligations.iter().enumerate() {
            if word.parse::<decide::Obligation>().is_err() {
                self.faults.add(format!("{path}.obligations[{place}]"), Fault::UnknownCode);
            }
        }
        let (valid_from, valid_to) = self.term(path, grant, content);
        let signed_requests = content.signed_requests;
        let terms = Terms { signed_requests, ..self.terms(path, grant, units, action) };
        Some(Granted {
            action: action?,
            procedure: grant.procedure.clone(),
            legal_basis: grant.legal_basis.clone(),
            items: grant.items.clone(),
            obligations: grant.obligations.clone(),
            valid_from,
            valid_to,
            terms,
        })
    }

    /// The days of a grant, which lie in those of the agreement.
    fn term(&mut self, path: &str, grant: &AgreementGrant, content: &Content) -> (Date, Date) {
        let (mut from, mut to) = (content.valid_from, content.valid_to);
        if !grant.valid_from.is_empty() {
            let field = format!("{path}.valid_from");
            from = self.day(&field, &grant.valid_from);
            if from < content.valid_from && from != Date::MIN {
                self.faults.add(field, Fault::TooEarly);
            }
        }
        let field = format!("{path}.valid_to");
        if !grant.valid_to.is_empty() {
            to = self.day(&field, &grant.valid_to);
        }
        if to > content.valid_to {
            self.faults.add(field, Fault::NotAllowed);
        } else if from >= to && to != Date::MIN {
            self.faults.add(field, Fault::TooEarly);
        }
        (from, to)
    }

    fn terms(
        &mut self,
        path: &str,
        grant: &AgreementGrant,
        covered: Option<&BTreeSet<String>>,
        action: Option<Act>,
    ) -> Terms {
        let direction = format!("{path}.direction");
        match (grant.legal_basis == BY_DIRECTION, grant.direction.is_empty()) {
            (true, true) => self.faults.add(direction, Fault::Missing),
            (false, false) => self.faults.add(direction, Fault::NotAllowed),
            (true, false) => {
                self.faults.words(&direction, &grant.direction, DIRECTION_MAX);
            }
            (false, true) => {}
        }
        self.units(&format!("{path}.recipients"), &grant.recipients);
        let mut units: BTreeSet<String> = grant.recipients.iter().cloned().collect();
        // Where delegations lead astray, that is named already.
        if let Some(covered) = covered {
            for (place, unit) in grant.recipients.iter().enumerate() {
                if !covered.contains(unit) {
                    self.faults.add(format!("{path}.recipients[{place}]"), Fault::UnknownCode);
                }
            }
            if units.is_empty() {
                units.clone_from(covered);
            }
            // With no unit nobody could ever use it.
            if units.is_empty() {
                self.faults.add(format!("{path}.recipients"), Fault::Missing);
            }
        }
        let keys = self.keys(&format!("{path}.client_keys"), &grant.client_keys, false);
        let keys = keys.into_iter().collect();
        let volume = grant.volume.and_then(|v| self.volume(&format!("{path}.volume"), v, action));
        let direction = grant.direction.clone();
        Terms { direction, units, keys, volume, signed_requests: false }
    }

    fn volume(
        &mut self,
        path: &str,
        volume: AgreementVolume,
        action: Option<Act>,
    ) -> Option<Volume> {
        // What is limited and not counted would not be limited.
        if action.is_some_and(|action| !action.tells_of_persons()) {
            self.faults.add(path, Fault::NotAllowed);
            return None;
        }
        let persons = volume.persons;
        if persons == 0 {
            self.faults.add(format!("{path}.persons"), Fault::Missing);
        } else if persons > PERSONS_MAX {
            self.faults.add(format!("{path}.persons"), Fault::NotAllowed);
        }
        let period = match volume.period() {
            AgreementPeriod::Day => Some(Period::Day),
            AgreementPeriod::Month => Some(Period::Month),
            AgreementPeriod::Term => Some(Period::Term),
            AgreementPeriod::Unspecified => None,
        };
        if period.is_none() {
            self.faults.add(format!("{path}.period"), Fault::Missing);
        }
        Some(Volume { persons, period: period? })
    }
}

/// A grant as the registry file would say it.
fn filed(granted: &Granted) -> Grant {
    Grant {
        action: granted.action,
        procedure: granted.procedure.clone(),
        legal_basis: granted.legal_basis.clone(),
        items: granted.items.clone(),
        obligations: granted.obligations.clone(),
    }
}
