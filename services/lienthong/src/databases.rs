//! Reference databases in this process: the synthetic population as it is seen from there, some changes to be read,
//! and what a conformance kit must be told of them.

use std::path::Path;

use anyhow::{Context as _, Result};
use contract::database::v1::change::Event;
use model::Said;
use model::{GoldenRecord, PartialDate, Precision, Value};
use reference_database::{Config, METHODS, Newcomer, Profile, Service};
use server::{
    Routes, Running, Server,
    channel::{self, Peer},
    config::Secret,
};
use time::Date;

use crate::{
    demo::{BirthDate, Subject},
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
/// Who is named in events and fixtures is one of so many.
const LOOKED_AT: u16 = 50;
/// Every child that they register.
const CHILD: &str = "Nguyễn Giả Định Ánh Dương";

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
    /// Who signs warrants.
    pub warrant_issuer: String,
    /// File of its keys (JWKS), or empty: then nobody is told of a person.
    pub warrant_keys_file: String,
    /// Synthetic persons in a new one.
    pub persons: usize,
    /// Changes in a new one.
    pub changes: usize,
    /// Seed of the persons.
    pub seed: u64,
}

/// A database that runs.
pub struct Database {
    service: Service,
    running: Running,
}

impl Database {
    /// Starts one, and gives a new one its part of the population and its changes.
    ///
    /// # Errors
    /// When its file or address cannot be used.
    pub async fn start(wanted: &Wanted<'_>, runtime: &Runtime) -> Result<Self> {
        // What keeps it from listening is known before anything is made.
        let server = Server::bind_with(wanted.server.clone(), METHODS).await?;
        let service = open(wanted, runtime).await?;
        let today = runtime.clock.today();
        if service.size().await? == 0 {
            populate(&service, wanted, today).await?;
            history(&service, wanted, today).await?;
        }
        service.report(server.health());
        let running = server.start(service.public(Routes::default())).await;
        Ok(Self { service, running })
    }

    /// Has it look up in the register, under its own identity, whoever it hears has changed.
    ///
    /// # Errors
    /// When the register's address is none, or the identity cannot be used.
    pub fn follow(&self, register: &Peer, own: &server::Config) -> Result<()> {
        let register = channel::to_service(register, &own.trust_domain, &own.files())?;
        self.service.follow(register);
        Ok(())
    }

    /// Name of its profile.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.service.profile().database_id
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
    /// When the database cannot be read, or knows nobody to name.
    pub async fn fixtures(&self) -> Result<String> {
        let (subject, record) = people(&self.service).await?.into_iter().next().context(
            "the database knows nobody with a whole date of birth: it needs more persons (--persons)",
        )?;
        let profile = self.service.profile();
        let not_held = profile.items.iter().find(|item| record.values(item).is_empty());
        let BirthDate { year, month, day } = subject.date_of_birth;
        let (name, born) = (&subject.full_name, format!("{year:04}-{month:02}-{day:02}"));
        let mut text = format!(
            "# A person of this database; synthetic, as everybody in it.\n\
             [basis]\nacting_unit = \"{}\"\n\n\
             [lookup.known]\npersonal_number = \"{}\"\nfull_name = \"{name}\"\ndate_of_birth = \"{born}\"\n",
            profile.owner_unit, subject.personal_number,
        );
        if let Some(item) = not_held {
            text += &format!("not_held = \"{item}\"\n");
        }
        text += &format!(
            "\n[[lookup.known.held]]\nitem = \"date_of_birth\"\nvalue = {{ date = \"{born}\" }}\n\
             other = {{ date = \"1901-01-01\" }}\n\n\
             [[lookup.known.held]]\nitem = \"birth_full_name\"\nvalue = {{ name = \"{name}\" }}\n\
             other = {{ name = \"Giả Định Không Có\" }}\n",
        );
        if let Some((cursor, oldest)) = self.service.expired().await? {
            text += &format!(
                "\n[source]\nexpired_cursor = \"{cursor}\"\noldest_change = \"{oldest}\"\n"
            );
        }
        Ok(text)
    }

    /// Registers one event more, as an officer of the database would; nothing where it registers none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn register_one(&self, runtime: &Runtime) -> Result<()> {
        let subjects = subjects(&self.service).await?;
        let (entry, today) = (runtime.entropy.id(), runtime.clock.today());
        if let Some(event) = event(self.profile(), &entry, &subjects, 0, today) {
            self.service.register(event).await?;
        }
        Ok(())
    }

    /// Drains and stops it.
    pub async fn stop(self) {
        self.service.end_streams();
        self.running.stop().await;
        self.service.close().await;
    }
}

async fn open(wanted: &Wanted<'_>, runtime: &Runtime) -> Result<Service> {
    let file = wanted.folder.join(format!("{}.db", wanted.profile));
    let config = Config {
        profile: wanted.profile.to_owned(),
        database: Secret::new(format!("sqlite://{}", shown(&file))),
        allow: wanted.allow.clone(),
        retention_days: RETENTION_DAYS,
        warrant_issuer: wanted.warrant_issuer.clone(),
        warrant_keys_file: wanted.warrant_keys_file.clone(),
    };
    let service = Service::open(&config, runtime.clock.clone(), runtime.entropy.clone()).await;
    service.with_context(|| format!("the database {}", wanted.profile))
}

async fn populate(service: &Service, wanted: &Wanted<'_>, today: Date) -> Result<()> {
    let people = generate(wanted.seed, wanted.persons, today);
    let mut newcomers = people.map(|person| newcomer(service.profile(), person));
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
    let said =
        said.map(|(item, value, _, valid_from)| Said::holds(&item, value, valid_from)).collect();
    Newcomer { record_id: person.person_id, number: person.number, said }
}

/// The changes of a new database: one that is not kept any more, and so many that are.
async fn history(service: &Service, wanted: &Wanted<'_>, today: Date) -> Result<()> {
    if wanted.changes == 0 {
        return Ok(());
    }
    let subjects = subjects(service).await?;
    for number in 0..=wanted.changes {
        let entry = format!("{}/{number}", wanted.seed);
        let Some(event) = event(wanted.profile, &entry, &subjects, number, today) else { break };
        service.register(event).await?;
        if number == 0 {
            service.forget().await?;
        }
    }
    Ok(())
}

/// Something that a database of this kind registers; nothing where it is no source.
fn event(
    profile: &str,
    entry: &str,
    subjects: &[Subject],
    number: usize,
    today: Date,
) -> Option<Event> {
    match profile {
        // Now and then somebody dies, the last of those whom one can ask about.
        "civil-status" => match subjects.last() {
            Some(subject) if number % 10 == 3 => {
                Some(Event::Death(synth::death(entry, subject, today)))
            }
            _ => Some(Event::Birth(synth::birth(entry, CHILD, today))),
        },
        "residence" => {
            let subject = subjects.get(number.checked_rem(subjects.len())?)?;
            let text = format!("Số {number} phố Giả Định, Hà Nội");
            Some(Event::Residence(synth::residence(subject, &text, today)))
        }
        _ => None,
    }
}

async fn subjects(service: &Service) -> Result<Vec<Subject>> {
    Ok(people(service).await?.into_iter().map(|(subject, _)| subject).collect())
}

/// Persons of the database whom one can ask about, with what it holds of them: who lives, and whose whole date of birth
/// is known.
async fn people(service: &Service) -> Result<Vec<(Subject, GoldenRecord)>> {
    let records = service.people(LOOKED_AT).await?.into_iter();
    Ok(records.filter_map(|record| Some((subject(&record)?, record))).collect())
}

fn subject(record: &GoldenRecord) -> Option<Subject> {
    let value = |item: &str| record.values(item).first().map(|held| &held.value);
    let (Value::Identifier(number), Value::Name(name), Value::Date(born)) =
        (value("personal_id_number")?, value("birth_full_name")?, value("date_of_birth")?)
    else {
        return None;
    };
    let known = !record.deceased() && born.precision() == Precision::Day;
    known.then(|| Subject {
        kind: "adult".to_owned(),
        personal_number: number.as_str().to_owned(),
        old_number: None,
        full_name: name.full_name.as_str().to_owned(),
        date_of_birth: whole(born),
    })
}

fn whole(born: &PartialDate) -> BirthDate {
    BirthDate { year: born.year(), month: born.month(), day: born.day() }
}
