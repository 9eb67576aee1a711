//! `lienthong check-config`: the effective configuration, and every fault that would keep it from being
//! used. It reads the files that the configuration names, opens no port and no database.

use std::{fs, io::Write, path::Path};

use anyhow::Result;
use lienthong::{
    process::{self, Runtime},
    settings::{self, Settings},
};
use serde_json::json;
use server::{
    channel::Peer,
    inspect::{self, Fault, Faults},
};
use time::OffsetDateTime;
use tlog::{LogSigner, LogVerifier};

use super::{
    ServiceArguments, ServiceName,
    output::{Ending, Format, Output, print, say},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    service: ServiceArguments,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let file = arguments.service.config.as_deref();
    let now = Runtime::system().clock.now();
    let format = arguments.output.format;
    match arguments.service.service {
        ServiceName::All => {
            let settings = settings::All::load(file)?;
            tell(&settings, all(&settings, now), format, out)
        }
        ServiceName::Identity => {
            let settings = settings::Identity::load(file)?;
            let faults = one("identity", &settings.server, now, |faults| {
                identity(&settings.identity, faults);
                peers("identity", &identity_peers(&settings.identity), faults);
            });
            tell(&settings, faults, format, out)
        }
        ServiceName::Contribution => {
            let settings = settings::Contribution::load(file)?;
            let faults = one("contribution", &settings.server, now, |faults| {
                contribution(&settings.contribution, &settings.server.trust_domain, faults);
                peers("contribution", &contribution_peers(&settings.contribution), faults);
            });
            tell(&settings, faults, format, out)
        }
        ServiceName::Exchange => {
            let settings = settings::Exchange::load(file)?;
            let faults = one("exchange", &settings.server, now, |faults| {
                exchange(&settings.exchange, &settings.server, faults);
                peers("exchange", &exchange_peers(&settings.exchange), faults);
            });
            tell(&settings, faults, format, out)
        }
        ServiceName::Policy => {
            let settings = settings::Policy::load(file)?;
            let faults = one("policy", &settings.server, now, |faults| {
                policy(&settings.policy, faults);
                if !settings.policy.officers_file.is_empty() {
                    peers("policy", &[("audit", &settings.policy.audit)], faults);
                }
            });
            tell(&settings, faults, format, out)
        }
        ServiceName::Audit => {
            let settings = settings::Audit::load(file)?;
            let domain = &settings.server.trust_domain;
            let check = |faults: &mut Faults| drop(audit(&settings.audit, domain, faults));
            tell(&settings, one("audit", &settings.server, now, check), format, out)
        }
    }
}

/// Prints the configuration, and after it what is wrong.
fn tell<S: Settings>(
    settings: &S,
    faults: Vec<Fault>,
    format: Format,
    out: &mut impl Write,
) -> Result<()> {
    let usable = faults.is_empty();
    match format {
        Format::Text => {
            write!(out, "{}", toml::to_string(settings)?)?;
            out.flush()?;
            if !usable {
                say(&format!("\nlienthong: not usable, {} faults:", faults.len()));
            }
            for Fault { key, fault } in &faults {
                say(&format!("  {key}: {fault}"));
            }
        }
        Format::Json => {
            print(&json!({ "usable": usable, "faults": faults, "configuration": settings }), out)?
        }
    }
    if usable { Ok(()) } else { Err(Ending::Failed.into()) }
}

fn all(settings: &settings::All, now: OffsetDateTime) -> Vec<Fault> {
    let mut faults = Faults::default();
    let server = &settings.server;
    inspect::server(server, process::ALL, now, &mut faults);
    if !server.mesh.listen.is_empty() {
        faults.add("server.mesh.listen", process::NO_MESH);
    }
    for (name, caller) in
        [("identity", &settings.callers.identity), ("contribution", &settings.callers.contribution)]
    {
        let (table, files) = (format!("callers.{name}"), caller.of(server).files());
        inspect::identity(&table, &files, name, server, now, &mut faults);
    }
    let signs = audit(&settings.audit, &server.trust_domain, &mut faults);
    let decisions = policy(&settings.policy, &mut faults);
    if !settings.policy.officers_file.is_empty() {
        let files = settings.callers.policy.of(server).files();
        inspect::identity("callers.policy", &files, "policy", server, now, &mut faults);
    }
    identity(&settings.identity, &mut faults);
    contribution(&settings.contribution, &settings.server.trust_domain, &mut faults);
    if !settings.exchange.routes_file.is_empty() {
        let files = settings.callers.exchange.of(server).files();
        inspect::identity("callers.exchange", &files, "exchange", server, now, &mut faults);
        exchange(&settings.exchange, server, &mut faults);
    }
    if let Some(signs) = decisions {
        for (key, file) in [
            ("identity.policy_key_file", &settings.identity.policy_key_file),
            ("contribution.policy_key_file", &settings.contribution.policy_key_file),
        ] {
            if fs::read_to_string(file)
                .is_ok_and(|text| !text.lines().any(|key| key.trim() == signs))
            {
                faults.add(
                    key,
                    "does not hold the key that signs decisions (`policy.decision_key_file`)",
                );
            }
        }
    }
    if let Some(signs) = signs {
        for (key, file) in [
            ("identity.log_key_file", &settings.identity.log_key_file),
            ("contribution.log_key_file", &settings.contribution.log_key_file),
            ("policy.log_key_file", &settings.policy.log_key_file),
        ] {
            if fs::read_to_string(file).is_ok_and(|text| text.trim() != signs) {
                faults.add(key, "is not the key that signs the log (`audit.signing_key_file`)");
            }
        }
    }
    faults.found()
}

/// The faults of one service that is a process of its own.
fn one(
    name: &str,
    server: &server::Config,
    now: OffsetDateTime,
    check: impl FnOnce(&mut Faults),
) -> Vec<Fault> {
    let mut faults = Faults::default();
    inspect::server(server, name, now, &mut faults);
    check(&mut faults);
    faults.found()
}

/// The faults of the access log, and the public half of its key.
fn audit(config: &audit::Config, trust_domain: &str, faults: &mut Faults) -> Option<String> {
    database("audit.database", &config.database, faults);
    faults.required("audit.origin", &config.origin);
    for (key, limit) in [
        ("audit.batch_max", config.batch_max as u64),
        ("audit.queue_max", config.queue_max as u64),
        ("audit.witness_interval_ms", config.witness_interval_ms),
    ] {
        at_least_one(key, limit, faults);
    }
    for (key, address) in [
        ("audit.tiles_listen", &config.tiles_listen),
        ("audit.auditors_listen", &config.auditors_listen),
    ] {
        if !address.is_empty() {
            inspect::address(key, address, faults);
        }
    }
    officers("audit.auditors", &config.auditors, trust_domain, faults);
    let files = &config.key_encryption_key_files;
    if let Err(error) = audit::FileKeys::open(files, Runtime::system().entropy) {
        faults.error("audit.key_encryption_key_files", &error);
    }
    let key = "audit.signing_key_file";
    let text = text_of(key, &config.signing_key_file, faults)?;
    if !server::config::is_private(Path::new(&config.signing_key_file)).unwrap_or(false) {
        faults.add(key, "can be read by others than its owner; make its mode 0600");
    }
    match LogSigner::parse(text.trim()) {
        Err(error) => faults.error(key, &error),
        Ok(signer) if signer.origin() != config.origin => {
            faults.add(key, format!("is the key of log `{}`", signer.origin()));
        }
        Ok(signer) => {
            if let Err(error) = audit::check_witnesses(config, signer.verifier_key()) {
                faults.error("audit.witness_policy_file", &error);
            }
            return Some(signer.verifier_key().trim().to_owned());
        }
    }
    None
}

/// The faults of policy, and the public half of the key that signs its decisions.
fn policy(config: &policy::Config, faults: &mut Faults) -> Option<String> {
    database("policy.database", &config.database, faults);
    if !(1..=1_000_000).contains(&config.compare_every) {
        faults.add("policy.compare_every", "must be from 1 to 1000000");
    }
    if !(1..=86_400).contains(&config.table_seconds_max) {
        faults.add("policy.table_seconds_max", "must be from 1 to 86400");
    }
    let key = "policy.registry_file";
    if !config.registry_file.is_empty()
        && let Some(text) = text_of(key, &config.registry_file, faults)
        && let Err(error) = policy::domain::registry::Registry::parse(&text)
    {
        faults.error(key, &error);
    }
    let key = "policy.officers_file";
    if !config.officers_file.is_empty() {
        log_key("policy.log_key_file", &config.log_key_file, faults);
        if let Some(text) = text_of(key, &config.officers_file, faults)
            && let Err(error) = policy::domain::officers::Officers::parse(&text)
        {
            faults.error(key, &error);
        }
    }
    if let Err(error) = policy::domain::calendar::Calendar::parse(&config.holidays) {
        faults.error("policy.holidays", &error);
    }
    if !(1..=300).contains(&config.warrant_seconds) {
        faults.add("policy.warrant_seconds", "must be from 1 to 300");
    }
    if !(1..=300).contains(&config.volume_lease_seconds) {
        faults.add("policy.volume_lease_seconds", "must be from 1 to 300");
    }
    let signing = Some(("policy.warrant_key_file", &config.warrant_key_file));
    let signing = signing.filter(|(_, path)| !path.is_empty());
    let published = config.warrant_published_files.iter();
    let published = published.map(|path| ("policy.warrant_published_files", path));
    for (key, path) in signing.into_iter().chain(published) {
        let Some(text) = text_of(key, path, faults) else { continue };
        let fault = match key {
            "policy.warrant_key_file" => warrant::Signer::from_pem(&text).err(),
            _ => warrant::PublicKey::from_pem(&text).err(),
        };
        if let Some(error) = fault {
            faults.error(key, &error);
        }
    }
    if config.assessment_notice_days > 366 {
        faults.add("policy.assessment_notice_days", "must be from 0 to 366");
    }
    decision_key(&config.decision_key_file, faults)
}

/// The public half of the key that signs decisions.
fn decision_key(file: &str, faults: &mut Faults) -> Option<String> {
    let key = "policy.decision_key_file";
    let text = text_of(key, file, faults)?;
    if !server::config::is_private(Path::new(file)).unwrap_or(false) {
        faults.add(key, "can be read by others than its owner; make its mode 0600");
    }
    match tlog::NoteSigner::parse(text.trim()) {
        Ok(signer) => Some(signer.verifier_key().trim().to_owned()),
        Err(error) => {
            faults.error(key, &error);
            None
        }
    }
}

/// The keys by which decisions are checked.
fn policy_keys(key: &str, file: &str, faults: &mut Faults) {
    if let Some(text) = text_of(key, file, faults)
        && let Err(error) = decide::signed::DecisionVerifier::parse(&text)
    {
        faults.error(key, &error);
    }
}

fn identity(config: &identity::Config, faults: &mut Faults) {
    database("identity.database", &config.database, faults);
    log_key("identity.log_key_file", &config.log_key_file, faults);
    policy_keys("identity.policy_key_file", &config.policy_key_file, faults);
    at_least_one("identity.batch_max", config.batch_max as u64, faults);
    for (key, fault) in identity::faults(config) {
        faults.add(format!("identity.{key}"), fault);
    }
    if !config.usage_listen.is_empty() {
        inspect::address("identity.usage_listen", &config.usage_listen, faults);
        faults.required("identity.usage_procedure", &config.usage_procedure);
        faults.required("identity.usage_legal_basis", &config.usage_legal_basis);
    }
    if let Err(error) = identity::check_names(config) {
        faults.error("identity.usage_names_files", &error);
    }
    if let Err(error) = identity::authority(config) {
        faults.error("identity.authority_file", &error);
    }
}

/// That whoever is let in is named by an identity of the trust domain.
fn officers(key: &str, named: &[String], trust_domain: &str, faults: &mut Faults) {
    for id in named {
        if let Err(error) = server::Caller::parse(id, trust_domain) {
            faults.error(format!("{key}: `{id}`"), &error);
        }
    }
}

fn contribution(config: &contribution::Config, trust_domain: &str, faults: &mut Faults) {
    officers("contribution.inspectors", &config.inspectors, trust_domain, faults);
    database("contribution.database", &config.database, faults);
    log_key("contribution.log_key_file", &config.log_key_file, faults);
    policy_keys("contribution.policy_key_file", &config.policy_key_file, faults);
    at_least_one("contribution.repeat_seconds", config.repeat_seconds, faults);
    if !(1..=366).contains(&config.conflict_days) {
        faults.add("contribution.conflict_days", "must be 1 to 366".to_owned());
    }
    if !(1..=366).contains(&config.timely_days) {
        faults.add("contribution.timely_days", "must be 1 to 366".to_owned());
    }
}

fn exchange(config: &exchange::Config, server: &server::Config, faults: &mut Faults) {
    database("exchange.database", &config.database, faults);
    if !(1..=exchange::PAGE_MAX).contains(&config.page_size) {
        faults.add("exchange.page_size", format!("must be 1 to {}", exchange::PAGE_MAX));
    }
    let key = "exchange.routes_file";
    if faults.required(key, &config.routes_file)
        && let Err(error) = exchange::routes(&config.routes_file, &server.trust_domain)
    {
        faults.error(key, &error);
    }
}

fn identity_peers(config: &identity::Config) -> [(&'static str, &Peer); 2] {
    [("policy", &config.policy), ("audit", &config.audit)]
}

fn contribution_peers(config: &contribution::Config) -> [(&'static str, &Peer); 3] {
    [("identity", &config.identity), ("policy", &config.policy), ("audit", &config.audit)]
}

fn exchange_peers(config: &exchange::Config) -> [(&'static str, &Peer); 2] {
    [("contribution", &config.contribution), ("identity", &config.identity)]
}

fn peers(table: &str, peers: &[(&str, &Peer)], faults: &mut Faults) {
    for (name, peer) in peers {
        for place in peer.endpoint.split(',') {
            inspect::address(&format!("{table}.{name}.endpoint"), place, faults);
        }
        faults.required(&format!("{table}.{name}.service"), &peer.service);
    }
}

fn database(key: &str, url: &server::config::Secret, faults: &mut Faults) {
    let url = url.reveal();
    if !faults.required(key, url) {
        return;
    }
    let engines = ["sqlite://", "postgres://", "postgresql://"];
    match engines.iter().find_map(|engine| url.strip_prefix(engine)) {
        None => faults.add(key, "must start with `sqlite://` or `postgres://`"),
        Some("") => faults.add(key, "names no database"),
        Some(_) => {}
    }
}

fn log_key(key: &str, file: &str, faults: &mut Faults) {
    if let Some(text) = text_of(key, file, faults)
        && let Err(error) = LogVerifier::new(&text)
    {
        faults.error(key, &error);
    }
}

fn text_of(key: &str, file: &str, faults: &mut Faults) -> Option<String> {
    if !faults.required(key, file) {
        return None;
    }
    match fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) => {
            faults.add(key, format!("cannot read `{file}`: {error}"));
            None
        }
    }
}

fn at_least_one(key: &str, number: u64, faults: &mut Faults) {
    if number == 0 {
        faults.add(key, "must be at least 1");
    }
}
