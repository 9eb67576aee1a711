//! Agreements for people and for programs.

use std::io::Write;

use anyhow::Result;
use contract::policy::v1::{
    Agreement, AgreementContent, AgreementGrant, AgreementMove, AgreementState, AgreementStatement,
    move_agreement_request::Move,
};
use lienthong::client::moment;
use serde_json::{Value, json};

/// The word of a value of the contract, without its prefix.
fn word(name: &'static str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase().replace('_', "-")
}

fn state(number: i32) -> &'static str {
    let name = AgreementState::try_from(number).unwrap_or_default().as_str_name();
    name.strip_prefix("AGREEMENT_STATE_").unwrap_or(name)
}

pub(super) fn agreement(agreement: &Agreement, out: &mut impl Write) -> Result<()> {
    let Agreement { agreement: id, connection, valid_from, valid_to, .. } = agreement;
    writeln!(out, "{id}  {}  (connection {connection})", state(agreement.state))?;
    writeln!(out, "  term                 {valid_from} to {valid_to}")?;
    let list = |list: &[String]| if list.is_empty() { "-".to_owned() } else { list.join(", ") };
    writeln!(out, "  accepted by          {}", list(&agreement.accepted))?;
    if !agreement.missing.is_empty() {
        writeln!(out, "  not accepted by      {}", list(&agreement.missing))?;
    }
    if !agreement.renewed_by.is_empty() {
        writeln!(out, "  renewed by           {}", agreement.renewed_by)?;
    }
    Ok(())
}

pub(super) fn agreement_json(agreement: &Agreement) -> Value {
    json!({
        "agreement": agreement.agreement,
        "state": state(agreement.state),
        "connection": agreement.connection,
        "digest": hex::encode(&agreement.digest),
        "version": agreement.version,
        "valid_from": agreement.valid_from,
        "valid_to": agreement.valid_to,
        "accepted": agreement.accepted,
        "missing": agreement.missing,
        "renewed_by": agreement.renewed_by,
    })
}

/// The headings that are words, as Decree 47/2020/ND-CP, Art. 38 numbers them.
fn headings(content: &AgreementContent) -> [(&'static str, &str); 10] {
    [
        ("content", &content.content),
        ("place", &content.place),
        ("method", &content.method),
        ("processing", &content.processing),
        ("limits", &content.limits),
        ("commitments", &content.commitments),
        ("security", &content.security),
        ("storage", &content.storage),
        ("deletion", &content.deletion),
        ("other", &content.other),
    ]
}

pub(super) fn content(content: &AgreementContent, out: &mut impl Write) -> Result<()> {
    let AgreementContent { id, connection, valid_from, valid_to, renews, .. } = content;
    writeln!(out, "agreement {id} for {connection}, {valid_from} to {valid_to}")?;
    if !renews.is_empty() {
        writeln!(out, "  renews               {renews}")?;
    }
    for party in &content.parties {
        let role = word(party.role().as_str_name(), "AGREEMENT_ROLE_");
        writeln!(out, "  {role:<20} {}  {} / {}", party.agency, party.name_vi, party.name_en)?;
        if !party.units.is_empty() {
            writeln!(out, "    units              {}", party.units.join(", "))?;
        }
        for key in &party.signing_keys {
            writeln!(out, "    signs with         {}", hex::encode(key))?;
        }
    }
    for (heading, text) in headings(content) {
        if !text.is_empty() {
            writeln!(out, "  {heading:<20} {text}")?;
        }
    }
    if content.signed_requests {
        writeln!(out, "  signed requests      the consumer signs each of its requests")?;
    }
    for delegation in &content.delegations {
        writeln!(out, "  delegates            {} to {}", delegation.from, delegation.to)?;
    }
    for grant in &content.grants {
        granted(grant, out)?;
    }
    Ok(())
}

fn granted(grant: &AgreementGrant, out: &mut impl Write) -> Result<()> {
    let action = word(grant.action().as_str_name(), "ACTION_");
    writeln!(out, "  grant {action} for {} by {}", grant.procedure, grant.legal_basis)?;
    writeln!(out, "    items              {}", grant.items.join(", "))?;
    let mut line = |name: &str, text: &str| {
        if text.is_empty() { Ok(()) } else { writeln!(out, "    {name:<18} {text}") }
    };
    line("obligations", &grant.obligations.join(", "))?;
    line("from", &grant.valid_from)?;
    line("to", &grant.valid_to)?;
    line("direction", &grant.direction)?;
    line("recipients", &grant.recipients.join(", "))?;
    let volume = grant.volume.as_ref().map(|volume| {
        let period = word(volume.period().as_str_name(), "AGREEMENT_PERIOD_");
        format!("{} persons a {period}", volume.persons)
    });
    line("volume", &volume.unwrap_or_default())?;
    for key in &grant.client_keys {
        line("for the key", &hex::encode(key))?;
    }
    Ok(())
}

pub(super) fn content_json(content: &AgreementContent, digest: &str) -> Value {
    let keys = |keys: &[Vec<u8>]| keys.iter().map(hex::encode).collect::<Vec<_>>();
    let parties = content.parties.iter().map(|party| {
        json!({
            "role": word(party.role().as_str_name(), "AGREEMENT_ROLE_"),
            "agency": party.agency,
            "name_vi": party.name_vi,
            "name_en": party.name_en,
            "signing_keys": keys(&party.signing_keys),
            "units": party.units,
        })
    });
    let delegations =
        content.delegations.iter().map(|one| json!({ "from": one.from, "to": one.to }));
    let grants = content.grants.iter().map(|grant| {
        let volume = grant.volume.as_ref().map(|volume| {
            let period = word(volume.period().as_str_name(), "AGREEMENT_PERIOD_");
            json!({ "persons": volume.persons, "period": period })
        });
        json!({
            "action": word(grant.action().as_str_name(), "ACTION_"),
            "procedure": grant.procedure,
            "legal_basis": grant.legal_basis,
            "items": grant.items,
            "obligations": grant.obligations,
            "valid_from": grant.valid_from,
            "valid_to": grant.valid_to,
            "direction": grant.direction,
            "volume": volume,
            "recipients": grant.recipients,
            "client_keys": keys(&grant.client_keys),
        })
    });
    let mut all = json!({
        "id": content.id,
        "connection": content.connection,
        "renews": content.renews,
        "valid_from": content.valid_from,
        "valid_to": content.valid_to,
        "digest": digest,
        "nonce": hex::encode(&content.nonce),
        "parties": parties.collect::<Vec<_>>(),
        "delegations": delegations.collect::<Vec<_>>(),
        "grants": grants.collect::<Vec<_>>(),
    });
    if let Some(all) = all.as_object_mut() {
        all.extend(headings(content).map(|(name, text)| (name.to_owned(), text.into())));
    }
    all
}

/// What a move did.
fn step(made: &AgreementMove) -> String {
    match made.request.as_ref().and_then(|request| request.r#move.as_ref()) {
        None => String::new(),
        Some(Move::Propose(_)) => "propose".to_owned(),
        Some(Move::Sign(signed)) => {
            let statement = AgreementStatement::try_from(signed.statement).unwrap_or_default();
            word(statement.as_str_name(), "AGREEMENT_STATEMENT_")
        }
    }
}

pub(super) fn made(made: &AgreementMove, out: &mut impl Write) -> Result<()> {
    let at = moment(made.move_time).unwrap_or_default();
    writeln!(out, "  {:>3}  {at}  {}", made.version, step(made))?;
    if !made.signed_by.is_empty() {
        writeln!(out, "       signed by {}", made.signed_by)?;
    }
    writeln!(out, "       by {}", made.made_by)?;
    match made.record_index {
        Some(index) => writeln!(out, "       record {index}")?,
        None => writeln!(out, "       not recorded yet")?,
    }
    Ok(())
}

pub(super) fn move_json(made: &AgreementMove) -> Value {
    json!({
        "version": made.version,
        "move": step(made),
        "made_by": made.made_by,
        "signed_by": made.signed_by,
        "move_time": moment(made.move_time),
        "record_index": made.record_index,
    })
}
