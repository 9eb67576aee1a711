//! A move in a request and the content that it proposes, checked for form; every faulty field is named at once. `grants` reads
//! what it grants.

mod grants;

use std::collections::BTreeSet;

use contract::policy::v1::{
    self as proto, AgreementContent, AgreementParty, AgreementRole, AgreementSignature,
    AgreementStatement, MoveAgreementRequest, move_agreement_request::Move,
};
use prost::Message as _;
use time::Date;
use wire::{Fault, Faults};

use super::super::{KEY, signature};
use crate::{
    app::agreement::Wanted,
    domain::{
        agreement::{Content, Party, Role, Says},
        calendar::read_day,
        catalogue::Catalogue,
        request::is_segment,
    },
};

const CONTENT_MAX: usize = 128 << 10;
const NAME_MAX: usize = 300;
const WORDS_MAX: usize = 2_000;
const NONCE: usize = 16;
const KEYS_MAX: usize = 8;
const UNITS_MAX: usize = 200;
const UNIT_MAX: usize = 35;
const PARTIES_MAX: usize = 200;
const GRANTS_MAX: usize = 200;
const ITEMS_MAX: usize = 200;

/// What a request wants; a proposal by the catalogue of the rule set in force. Where there is something, faults may have been named all the same.
pub(super) fn request(
    request: &MoveAgreementRequest,
    catalogue: Option<&Catalogue>,
    faults: &mut Faults,
) -> Option<Wanted> {
    faults.key("request_id", &request.request_id);
    faults.key("agreement", &request.agreement);
    match &request.r#move {
        None => {
            faults.add("move", Fault::Missing);
            None
        }
        Some(Move::Propose(bytes)) => {
            if bytes.is_empty() {
                faults.add("propose", Fault::Missing);
            } else if bytes.len() > CONTENT_MAX {
                faults.add("propose", Fault::TooMany(CONTENT_MAX));
            } else if let (Some(content), Some(catalogue)) = (whole(bytes), catalogue) {
                if content.id != request.agreement {
                    faults.add("propose.id", Fault::NotAllowed);
                }
                let content = Form { catalogue, faults }.content(&content);
                return Some(Wanted::Propose(Box::new(content), bytes.clone()));
            } else {
                faults.add("propose", Fault::Malformed);
            }
            None
        }
        Some(Move::Sign(signature)) => signed(signature, faults),
    }
}

/// The content in bytes that hold nothing else: what is not known here would be signed and not kept to.
fn whole(bytes: &[u8]) -> Option<AgreementContent> {
    AgreementContent::decode(bytes).ok().filter(|content| content.encode_to_vec() == bytes)
}

fn signed(message: &AgreementSignature, faults: &mut Faults) -> Option<Wanted> {
    let AgreementSignature { certificates, signature, .. } = message;
    let says = match message.statement() {
        AgreementStatement::Accept => Some(Says::Accept),
        AgreementStatement::Reject => Some(Says::Reject),
        AgreementStatement::Revoke => Some(Says::Revoke),
        AgreementStatement::Unspecified => {
            faults.add("sign.statement", Fault::Missing);
            None
        }
    };
    let signed = signature::signed("sign", message.algorithm(), certificates, signature, faults);
    Some(Wanted::Sign(says?, signed?))
}

struct Form<'a, 'f> {
    catalogue: &'a Catalogue,
    faults: &'f mut Faults,
}

impl Form<'_, '_> {
    fn content(&mut self, content: &AgreementContent) -> Content {
        let content = &self.bounded(content);
        self.faults.key("propose.id", &content.id);
        self.faults.key("propose.connection", &content.connection);
        if !content.renews.is_empty() {
            self.faults.key("propose.renews", &content.renews);
            if content.renews == content.id {
                self.faults.add("propose.renews", Fault::NotAllowed);
            }
        }
        match content.nonce.len() {
            0 => self.faults.add("propose.nonce", Fault::Missing),
            NONCE => {}
            _ => self.faults.add("propose.nonce", Fault::Malformed),
        }
        self.headings(content);
        let valid_from = self.day("propose.valid_from", &content.valid_from);
        let valid_to = self.day("propose.valid_to", &content.valid_to);
        if valid_from >= valid_to && valid_to != Date::MIN {
            self.faults.add("propose.valid_to", Fault::TooEarly);
        }
        let parties = self.parties(&content.parties);
        let delegations = self.delegations(&content.delegations, &parties);
        let mut read = Content {
            id: content.id.clone(),
            connection: content.connection.clone(),
            renews: content.renews.clone(),
            valid_from,
            valid_to,
            parties,
            signed_requests: content.signed_requests,
            delegations,
            grants: Vec::new(),
        };
        self.acts_for(&read);
        let units = read.acts_for().is_ok().then(|| read.units());
        let units = units.map(|units| units.into_iter().map(str::to_owned).collect());
        read.grants = self.grants(&content.grants, &read, units.as_ref());
        read
    }

    /// What is looked at of lists that are too long, which is named: nothing.
    fn bounded(&mut self, content: &AgreementContent) -> AgreementContent {
        let mut content = content.clone();
        if content.parties.len() > PARTIES_MAX {
            self.faults.add("propose.parties", Fault::TooMany(PARTIES_MAX));
            content.parties.clear();
        }
        if content.delegations.len() > PARTIES_MAX {
            self.faults.add("propose.delegations", Fault::TooMany(PARTIES_MAX));
            content.delegations.clear();
        }
        if content.grants.len() > GRANTS_MAX {
            self.faults.add("propose.grants", Fault::TooMany(GRANTS_MAX));
            content.grants.clear();
        }
        for (place, grant) in content.grants.iter_mut().enumerate() {
            if grant.items.len() > ITEMS_MAX {
                let path = format!("propose.grants[{place}].items");
                self.faults.add(path, Fault::TooMany(ITEMS_MAX));
                grant.items.clear();
            }
        }
        content
    }

    /// The headings that are words of people.
    fn headings(&mut self, content: &AgreementContent) {
        for (field, text) in [
            ("propose.content", &content.content),
            ("propose.place", &content.place),
            ("propose.method", &content.method),
            ("propose.processing", &content.processing),
            ("propose.limits", &content.limits),
            ("propose.commitments", &content.commitments),
            ("propose.security", &content.security),
            ("propose.storage", &content.storage),
            ("propose.deletion", &content.deletion),
        ] {
            self.faults.words(field, text, WORDS_MAX);
        }
        if !content.other.is_empty() {
            self.faults.words("propose.other", &content.other, WORDS_MAX);
        }
    }

    fn day(&mut self, field: &str, text: &str) -> Date {
        let read = read_day(text);
        if read.is_none() {
            let fault = if text.is_empty() { Fault::Missing } else { Fault::Malformed };
            self.faults.add(field, fault);
        }
        // Whatever stands in for it goes nowhere: the fault is named.
        read.unwrap_or(Date::MIN)
    }

    fn keys(&mut self, field: &str, keys: &[Vec<u8>], required: bool) -> Vec<String> {
        if keys.is_empty() && required {
            self.faults.add(field, Fault::Missing);
        } else if keys.len() > KEYS_MAX {
            self.faults.add(field, Fault::TooMany(KEYS_MAX));
        } else if keys.iter().any(|key| key.len() != KEY) {
            self.faults.add(field, Fault::Malformed);
        }
        keys.iter().map(hex::encode).collect()
    }

    fn units(&mut self, field: &str, units: &[String]) {
        let mut seen = BTreeSet::new();
        if units.len() > UNITS_MAX {
            self.faults.add(field, Fault::TooMany(UNITS_MAX));
        }
        for (place, unit) in units.iter().enumerate() {
            let path = format!("{field}[{place}]");
            if self.faults.text(&path, unit, UNIT_MAX) && !seen.insert(unit) {
                self.faults.add(path, Fault::Repeated);
            }
        }
    }

    fn parties(&mut self, parties: &[AgreementParty]) -> Vec<Party> {
        let mut seen = BTreeSet::new();
        let mut read = Vec::with_capacity(parties.len());
        for (place, party) in parties.iter().enumerate() {
            let path = format!("propose.parties[{place}]");
            let role = match party.role() {
                AgreementRole::Provider => Some(Role::Provider),
                AgreementRole::Consumer => Some(Role::Consumer),
                AgreementRole::Delegator => Some(Role::Delegator),
                AgreementRole::Unspecified => None,
            };
            if role.is_none() {
                self.faults.add(format!("{path}.role"), Fault::Missing);
            }
            let agency = format!("{path}.agency");
            if self.faults.text(&agency, &party.agency, NAME_MAX) {
                if !is_segment(&party.agency) {
                    self.faults.add(agency, Fault::Malformed);
                } else if !seen.insert(&party.agency) {
                    self.faults.add(agency, Fault::Repeated);
                }
            }
            self.faults.words(&format!("{path}.name_vi"), &party.name_vi, NAME_MAX);
            self.faults.words(&format!("{path}.name_en"), &party.name_en, NAME_MAX);
            self.units(&format!("{path}.units"), &party.units);
            let keys = self.keys(&format!("{path}.signing_keys"), &party.signing_keys, true);
            let (agency, units) = (party.agency.clone(), party.units.clone());
            read.push(Party { role: role.unwrap_or(Role::Delegator), agency, keys, units });
        }
        // A key or a unit that stood for two would make one of them the other.
        let keys = read.iter().flat_map(|party| &party.keys);
        let units = read.iter().flat_map(|party| &party.units);
        for (field, all) in [("signing_keys", keys.collect::<Vec<_>>()), ("units", units.collect())]
        {
            let distinct: BTreeSet<_> = all.iter().collect();
            if distinct.len() != all.len() {
                self.faults.add(format!("propose.parties.{field}"), Fault::Repeated);
            }
        }
        for role in [Role::Provider, Role::Consumer] {
            match read.iter().filter(|party| party.role == role).count() {
                0 => self.faults.add("propose.parties", Fault::Missing),
                1 => {}
                _ => self.faults.add("propose.parties", Fault::Repeated),
            }
        }
        read
    }

    fn delegations(
        &mut self,
        delegations: &[proto::AgreementDelegation],
        parties: &[Party],
    ) -> Vec<(String, String)> {
        let mut seen = BTreeSet::new();
        for (place, proto::AgreementDelegation { from, to }) in delegations.iter().enumerate() {
            let path = format!("propose.delegations[{place}]");
            for (field, agency) in [("from", from), ("to", to)] {
                let known = parties.iter().any(|party| party.agency == *agency);
                if agency.is_empty() {
                    self.faults.add(format!("{path}.{field}"), Fault::Missing);
                } else if !known {
                    self.faults.add(format!("{path}.{field}"), Fault::UnknownCode);
                }
            }
            // Nobody delegates to two.
            if !seen.insert(from) {
                self.faults.add(format!("{path}.from"), Fault::Repeated);
            }
            let delegates = |party: &Party| party.agency == *from && party.role == Role::Delegator;
            if !from.is_empty() && !parties.iter().any(delegates) {
                self.faults.add(format!("{path}.from"), Fault::NotAllowed);
            }
        }
        delegations.iter().map(|one| (one.from.clone(), one.to.clone())).collect()
    }

    /// Every delegator delegates, and every delegation leads to the consumer.
    fn acts_for(&mut self, content: &Content) {
        let Ok(agencies) = content.acts_for() else {
            return self.faults.add("propose.delegations", Fault::NotAllowed);
        };
        let idle = |party: &&Party| {
            party.role == Role::Delegator && !agencies.contains(party.agency.as_str())
        };
        if content.parties.iter().any(|party| idle(&party)) {
            self.faults.add("propose.delegations", Fault::Missing);
        }
    }
}
