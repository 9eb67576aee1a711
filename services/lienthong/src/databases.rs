//! Reference databases in this process: the synthetic population as it is seen from there, some changes to be read,
//! and what a conformance kit must be told of them.

use std::path::Path;

use anyhow::{Context as _, Result};
use contract::database::v1::change::Event;
use reference_database::{Config, METHODS, Newcomer, Profile, Service};
use server::{
    Routes, Running, Server,
    config::Secret,
    runtime::{Clock, Entropy},
};
use time::OffsetDateTime;
use wire::event::Said;

use crate::{
    demo::{BirthDate, Subject, choose},
    pki::shown,
    process::Runtime,
    synth::{self, SyntheticPerson, generate},
};

/// How long they keep their changes.
const RETENTION_DAYS: u32 = 400;
/// Every database knows whom it is about.
const EVERYWHERE: [&str; 2] = ["birth_full_name", "date_of_birth"];
/// Persons in one transaction.
const CHUNK: usize = 500;

/// What a database is started with.
pub struct Wanted<'a> {
    /// Name of its profile.
    pub profile: &'a str,
    /// The folder of its file.
    pub folder: &'a Path,
    /// How it listens and who it is.
    pub server: server::Config,
    /// Who may call it.
    pub allow: Vec<String>,
    /// Synthetic persons in a new one.
    pub persons: usize,
    /// Changes in a new one.
    pub changes: usize,
    /// Seed of the persons.
    pub seed: u64,
}

/// A database that runs.
pub struct Database {
    profile: Profile,
    service: Service,
    running: Running,
}

impl Database {
    /// Starts one, and gives a new one its part of the population and its changes.
    ///
    /// # Errors
    /// When its file or address cannot be used.
    pub async fn start(wanted: Wanted<'_>, runtime: &Runtime) -> Result<Self> {
        let profile = Profile::shipped(wanted.profile)?;
        let service = open(&wanted, runtime.clock.clone(), runtime.entropy.clone()).await?;
        let service = if service.size().await? == 0 {
            populate(&service, &profile, &wanted, runtime).await?;
            history(service, &wanted, runtime).await?
        } else {
            service
        };
        let server = Server::bind_with(wanted.server, METHODS).await?;
        service.report(server.health());
        let running = server.start(service.public(Routes::default())).await;
        Ok(Self { profile, service, running })
    }

    /// Name of its profile.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.profile.database_id
    }

    /// The database itself.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.running.address().to_string()
    }

    /// What a conformance kit must be told, because it cannot find it out: a person who is known, a cursor that is not
    /// kept any more. A file of the kit (TOML).
    ///
    /// # Errors
    /// When the database cannot be read, or has nobody to name.
    pub async fn fixtures(&self, seed: u64, persons: usize, now: OffsetDateTime) -> Result<String> {
        let known = subjects(seed, persons, now).into_iter().next();
        let known = known.context("a larger population is needed (--persons)")?;
        let BirthDate { year, month, day } = known.date_of_birth;
        let born = format!("{year:04}-{month:02}-{day:02}");
        let mut text = format!(
            "# A person of this database; synthetic, as everybody in it.\n\
             [basis]\nacting_unit = \"{}\"\n\n",
            self.profile.owner_unit
        );
        text += &format!(
            "[lookup.known]\npersonal_number = \"{}\"\nfull_name = \"{}\"\ndate_of_birth = \"{born}\"\n\
             not_held = \"{}\"\n\n\
             [[lookup.known.held]]\nitem = \"date_of_birth\"\nvalue = {{ date = \"{born}\" }}\n\
             other = {{ date = \"1901-01-01\" }}\n\n\
             [[lookup.known.held]]\nitem = \"birth_full_name\"\nvalue = {{ name = \"{}\" }}\n\
             other = {{ name = \"Giả Định Không Có\" }}\n",
            known.personal_number,
            known.full_name,
            if self.profile.holds("death_or_missing_date") {
                "death_or_missing_date"
            } else {
                "temporary_absence"
            },
            known.full_name,
        );
        if let Some((cursor, oldest)) = self.service.expired().await? {
            text += &format!(
                "\n[source]\nexpired_cursor = \"{cursor}\"\noldest_change = \"{oldest}\"\n"
            );
        }
        Ok(text)
    }

    /// Registers one event more, as an officer of the database would; says whether it registers any.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn register_one(&self, seed: u64, persons: usize, runtime: &Runtime) -> Result<bool> {
        let now = runtime.clock.now();
        let subjects = subjects(seed, persons, now);
        let event = event(self.profile(), &runtime.entropy.id(), &subjects, 0, now);
        let Some(event) = event else { return Ok(false) };
        self.service.register(event).await?;
        Ok(true)
    }

    /// Drains and stops it.
    pub async fn stop(self) {
        self.service.end_streams();
        self.running.stop().await;
        self.service.close().await;
    }
}

async fn open(wanted: &Wanted<'_>, clock: Clock, entropy: Entropy) -> Result<Service> {
    let file = wanted.folder.join(format!("{}.db", wanted.profile));
    let config = Config {
        profile: wanted.profile.to_owned(),
        database: Secret::new(format!("sqlite://{}", shown(&file))),
        allow: wanted.allow.clone(),
        retention_days: RETENTION_DAYS,
    };
    let service = Service::open(&config, clock, entropy).await;
    service.with_context(|| format!("the database {}", wanted.profile))
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

/// The changes of a new database: one that is not kept any more, and so many that are.
async fn history(service: Service, wanted: &Wanted<'_>, runtime: &Runtime) -> Result<Service> {
    if wanted.changes == 0 {
        return Ok(service);
    }
    let now = runtime.clock.now();
    let subjects = subjects(wanted.seed, wanted.persons, now);
    for number in 0..=wanted.changes {
        let entry = format!("{}/{number}", wanted.seed);
        let Some(event) = event(wanted.profile, &entry, &subjects, number, now) else { break };
        service.register(event).await?;
        if number == 0 {
            service.forget().await?;
        }
    }
    Ok(service)
}

/// Something that a database of this kind registers; nothing where it is no source.
fn event(
    profile: &str,
    entry: &str,
    subjects: &[Subject],
    number: usize,
    now: OffsetDateTime,
) -> Option<Event> {
    let today = Clock::fixed(now).today();
    match profile {
        // Now and then somebody dies, the last of those whom one can ask about.
        "civil-status" => match subjects.last() {
            Some(subject) if number % 10 == 3 => {
                Some(Event::Death(synth::death(entry, subject, today)))
            }
            _ => Some(Event::Birth(synth::birth(entry, "Nguyễn Giả Định Ánh Dương", today))),
        },
        "residence" => {
            let subject = subjects.get(number.checked_rem(subjects.len())?)?;
            let text = format!("Số {number} phố Giả Định, Hà Nội");
            Some(Event::Residence(synth::residence(subject, &text, today)))
        }
        _ => None,
    }
}

fn subjects(seed: u64, persons: usize, now: OffsetDateTime) -> Vec<Subject> {
    let today = Clock::fixed(now).today();
    let people: Vec<_> = generate(seed, persons, today).collect();
    choose(&people, today).into_iter().filter(|subject| subject.kind != "protected").collect()
}
