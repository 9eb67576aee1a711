//! An agreement as people write it.

use std::path::Path;

use anyhow::Result;
use contract::policy::v1::{
    Action, AgreementContent, AgreementDelegation, AgreementGrant, AgreementParty, AgreementPeriod,
    AgreementRole, AgreementVolume,
};
use serde::Deserialize;

use super::super::{input, output::Ending};

/// Bytes of chance in an agreement.
const NONCE: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    id: String,
    connection: String,
    #[serde(default)]
    renews: String,
    valid_from: String,
    valid_to: String,
    content: String,
    place: String,
    method: String,
    processing: String,
    limits: String,
    commitments: String,
    security: String,
    storage: String,
    deletion: String,
    #[serde(default)]
    other: String,
    /// Whether the consumer signs its requests.
    #[serde(default)]
    signed_requests: bool,
    #[serde(rename = "party")]
    parties: Vec<Party>,
    #[serde(default, rename = "delegation")]
    delegations: Vec<Delegation>,
    #[serde(rename = "grant")]
    grants: Vec<Grant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Party {
    role: String,
    agency: String,
    name_vi: String,
    name_en: String,
    /// Thumbprints in hexadecimal, as `lienthong agreement thumbprint` says them.
    signing_keys: Vec<String>,
    #[serde(default)]
    units: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delegation {
    from: String,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    action: String,
    procedure: String,
    legal_basis: String,
    items: Vec<String>,
    #[serde(default)]
    obligations: Vec<String>,
    #[serde(default)]
    valid_from: String,
    #[serde(default)]
    valid_to: String,
    #[serde(default)]
    direction: String,
    volume: Option<Volume>,
    #[serde(default)]
    recipients: Vec<String>,
    #[serde(default)]
    client_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Volume {
    persons: u64,
    period: String,
}

/// The agreement in a file; `chance` makes it one of its own.
pub(super) fn read(file: &Path, chance: &str) -> Result<AgreementContent> {
    let text = input::text(file)?;
    let wrong = |error: toml::de::Error| {
        Ending::Usage(format!("`{}`: {}", file.display(), error.message()))
    };
    let form: Content = toml::from_str(&text).map_err(wrong)?;
    let mut nonce = tlog::digest(chance.as_bytes()).to_vec();
    nonce.truncate(NONCE);
    let delegation = |Delegation { from, to }| AgreementDelegation { from, to };
    Ok(AgreementContent {
        id: form.id,
        nonce,
        connection: form.connection,
        renews: form.renews,
        parties: form.parties.into_iter().map(party).collect::<Result<_>>()?,
        content: form.content,
        place: form.place,
        valid_from: form.valid_from,
        valid_to: form.valid_to,
        method: form.method,
        processing: form.processing,
        limits: form.limits,
        commitments: form.commitments,
        security: form.security,
        storage: form.storage,
        deletion: form.deletion,
        other: form.other,
        delegations: form.delegations.into_iter().map(delegation).collect(),
        grants: form.grants.into_iter().map(grant).collect::<Result<_>>()?,
        signed_requests: form.signed_requests,
    })
}

fn party(party: Party) -> Result<AgreementParty> {
    let Party { role, agency, name_vi, name_en, signing_keys, units } = party;
    let known = AgreementRole::from_str_name(&named("AGREEMENT_ROLE", &role));
    let role = known.ok_or_else(|| Ending::Usage(format!("`{role}` is no role of a party")))?;
    let signing_keys = keys(&signing_keys)?;
    Ok(AgreementParty { role: role.into(), agency, name_vi, name_en, signing_keys, units })
}

fn grant(grant: Grant) -> Result<AgreementGrant> {
    let action = Action::from_str_name(&named("ACTION", &grant.action));
    let wrong = || Ending::Usage(format!("`{}` is no action", grant.action));
    let action = action.ok_or_else(wrong)?.into();
    let volume = grant.volume.map(|Volume { persons, period }| {
        let known = AgreementPeriod::from_str_name(&named("AGREEMENT_PERIOD", &period));
        let wrong = || Ending::Usage(format!("`{period}` is no period"));
        Ok::<_, Ending>(AgreementVolume { persons, period: known.ok_or_else(wrong)?.into() })
    });
    Ok(AgreementGrant {
        action,
        procedure: grant.procedure,
        legal_basis: grant.legal_basis,
        items: grant.items,
        obligations: grant.obligations,
        valid_from: grant.valid_from,
        valid_to: grant.valid_to,
        direction: grant.direction,
        volume: volume.transpose()?,
        recipients: grant.recipients,
        client_keys: keys(&grant.client_keys)?,
    })
}

/// The name of a value of the contract.
fn named(prefix: &str, word: &str) -> String {
    format!("{prefix}_{}", word.to_uppercase().replace('-', "_"))
}

fn keys(keys: &[String]) -> Result<Vec<Vec<u8>>> {
    let one = |key: &String| {
        let wrong = |_| Ending::Usage(format!("`{key}` is no thumbprint"));
        Ok(hex::decode(key).map_err(wrong)?)
    };
    keys.iter().map(one).collect()
}
