//! The databases that are connected in a demonstration: reference databases in this process, each with an address and
//! a certificate of its own, and the synthetic population as it is seen from there.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use reference_database::{Config, METHODS, Newcomer, Profile, Service};
use server::{Routes, Running, Server, config::Secret, tls};
use wire::event::Said;

use super::{CALLERS, TRUST_DOMAIN};
use crate::{
    pki::shown,
    process::Runtime,
    synth::{SyntheticPerson, generate},
};

/// Those that are connected, by the names of profiles and of callers.
pub(super) const CONNECTED: [&str; 2] = ["civil-status", "residence"];
/// Every database knows whom it is about.
const EVERYWHERE: [&str; 2] = ["birth_full_name", "date_of_birth"];
/// Persons in one transaction.
const CHUNK: usize = 500;

/// A database that runs.
pub(super) struct Database {
    /// Its name.
    pub(super) name: &'static str,
    service: Service,
    running: Running,
}

/// What a database is started with.
pub(super) struct Wanted<'a> {
    /// The folder of its file.
    pub(super) folder: &'a Path,
    /// Its certificate.
    pub(super) files: &'a tls::Files,
    /// Synthetic persons in a new one.
    pub(super) persons: usize,
    /// Their seed.
    pub(super) seed: u64,
}

impl Database {
    /// Starts one, and gives a new one its part of the population.
    ///
    /// # Errors
    /// When its file or address cannot be used.
    pub(super) async fn start(
        name: &'static str,
        wanted: &Wanted<'_>,
        runtime: &Runtime,
    ) -> Result<Self> {
        let exchange = format!("spiffe://{TRUST_DOMAIN}/service/exchange");
        let config = Config {
            profile: name.to_owned(),
            database: Secret::new(format!(
                "sqlite://{}",
                shown(&wanted.folder.join(format!("{name}.db")))
            )),
            allow: vec![exchange, format!("spiffe://{TRUST_DOMAIN}/operator/conformance")],
            retention_days: 400,
        };
        let (clock, entropy) = (runtime.clock.clone(), runtime.entropy.clone());
        let service = Service::open(&config, clock, entropy).await;
        let service = service.with_context(|| format!("the database {name}"))?;
        if service.size().await? == 0 {
            populate(&service, &Profile::shipped(name)?, wanted, runtime).await?;
        }
        let server = Server::bind_with(of(wanted.files)?, METHODS).await?;
        service.report(server.health());
        let running = server.start(service.public(Routes::default())).await;
        Ok(Self { name, service, running })
    }

    /// The database itself.
    #[must_use]
    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    /// Where it listens.
    #[must_use]
    pub(super) fn endpoint(&self) -> String {
        self.running.address().to_string()
    }

    /// Drains and stops it.
    pub(super) async fn stop(self) {
        self.service.end_streams();
        self.running.stop().await;
        self.service.close().await;
    }
}

/// A server on an address of its own.
fn of(files: &tls::Files) -> Result<server::Config> {
    let defaults: Defaults = server::config::load(&[server::config::DEFAULTS], None)?;
    let tls::Files { certificate, key, ca, .. } = files.clone();
    Ok(server::Config {
        listen: "127.0.0.1:0".to_owned(),
        trust_domain: TRUST_DOMAIN.to_owned(),
        certificate,
        key,
        ca,
        lame_duck_seconds: 0,
        ..defaults.server
    })
}

#[derive(serde::Deserialize)]
struct Defaults {
    server: server::Config,
}

async fn populate(
    service: &Service,
    profile: &Profile,
    wanted: &Wanted<'_>,
    runtime: &Runtime,
) -> Result<()> {
    let people = generate(wanted.seed, wanted.persons, runtime.clock.today());
    let mut newcomers = people.map(|person| newcomer(profile, person));
    loop {
        let chunk: Vec<_> = newcomers.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        service.load(chunk).await?;
    }
}

/// What a database says of a person, and by whom it knows it is about.
fn newcomer(profile: &Profile, person: SyntheticPerson) -> Newcomer {
    let own =
        |item: &str, source: &str| source == profile.database_id || EVERYWHERE.contains(&item);
    let said = person.assertions.into_iter().filter(|(item, _, source, _)| own(item, source));
    let said = said.map(|(item, value, _, valid_from)| Said { item, value, valid_from }).collect();
    Newcomer { record_id: person.person_id, number: person.number, said }
}

/// The routes to these databases, as a file of the exchange service.
///
/// # Errors
/// When it cannot be written.
pub(super) fn routes(databases: &[Database], folder: &Path) -> Result<String> {
    let mut text =
        String::from("# Made at each start of the demonstration: the addresses are new ones.\n");
    for database in databases {
        let caller = CALLERS.iter().find(|(name, ..)| *name == database.name);
        let (name, agency, system) = caller.context("a database is also a caller")?;
        let endpoint = database.endpoint();
        text += &format!(
            "\n[[route]]\ndatabase = \"{name}\"\n\
             identity = \"spiffe://{TRUST_DOMAIN}/agency/{agency}/system/{system}\"\n\
             endpoint = \"{endpoint}\"\nowner = \"{agency}\"\nroles = [\"source\", \"sink\"]\n"
        );
    }
    let path = folder.join("routes.toml");
    fs::write(&path, text).with_context(|| format!("cannot write {}", shown(&path)))?;
    Ok(shown(&path))
}
