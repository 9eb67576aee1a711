//! A reference database: what `lienthong.database.v1` asks of a database, carried out on the server core and a real
//! store. A profile says which database it is; civil status, residence and the others differ in nothing else.
//!
//! ```text
//! api     ->  domain   what an event does to a record, what is said of a record: pure
//!         \->  store    the only place with SQL: records, changes, events, persons that are followed
//! follow  ->  client   the register, asked about whom this database follows
//!         \->  store
//! warrants              the keys by which warrants are checked; which were used, the store knows
//! ```
//!
//! It is a peer of the register in demonstrations and tests, and an example for whoever writes one. The persons in it
//! are synthetic: it takes no other number.

mod api;
mod client;
mod cursor;
mod domain;
mod follow;
mod profile;
mod store;
mod warrants;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::store::Store;
use contract::database::v1::change::Event;
use model::{CodeLists, GoldenRecord, PersonalNumber, Said};
pub use profile::{Follow, Profile, ProfileError};
use serde::{Deserialize, Serialize};
use server::{
    Channel, Health, Routes,
    caller::{Methods, OpenTo, Priority},
    config::Secret,
    runtime::{Clock, Entropy},
};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};
use wire::Faults;

use crate::store::Database;

/// The commented defaults of every key of `[reference_database]`.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// Its methods. Whom each is open to the allow list says (rule DB-3); which of them it has, its roles.
pub const METHODS: Methods = Methods::new(&[
    (
        "/lienthong.database.v1.DatabaseService/DescribeDatabase",
        Priority::Ordinary,
        &[OpenTo::Everyone],
    ),
    ("/lienthong.database.v1.SourceService/ListChanges", Priority::Bulk, &[OpenTo::Everyone]),
    ("/lienthong.database.v1.SourceService/StreamChanges", Priority::Bulk, &[OpenTo::Everyone]),
    ("/lienthong.database.v1.LookupService/GetRecord", Priority::Ordinary, &[OpenTo::Everyone]),
    ("/lienthong.database.v1.LookupService/VerifyRecord", Priority::Ordinary, &[OpenTo::Everyone]),
    ("/lienthong.database.v1.LookupService/StreamRecords", Priority::Ordinary, &[OpenTo::Everyone]),
    ("/lienthong.database.v1.SinkService/DeliverEvents", Priority::Bulk, &[OpenTo::Everyone]),
]);

/// How often changes past their time are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// Keys of the `[reference_database]` table.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of a shipped profile.
    pub profile: String,
    /// Where records, changes and events are kept.
    pub database: Secret,
    /// The identities that may call the methods of its roles.
    pub allow: Vec<String>,
    /// How long a change is kept.
    pub retention_days: u32,
    /// Who signs warrants: the SPIFFE id of the policy service.
    pub warrant_issuer: String,
    /// File of the keys that it publishes (JWKS); read again when a warrant names a key that is not known. Empty: no warrant is
    /// good, so nobody is told of a person.
    pub warrant_keys_file: String,
}

/// What keeps the database from starting, or from taking something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be opened, read or written.
    #[error("the database cannot be used")]
    Store(#[from] ::store::Error),
    /// What is stored does not have the form it was written in.
    #[error("a stored record cannot be read")]
    Stored(#[from] serde_json::Error),
    /// A stored message does not have the form it was written in.
    #[error("a stored message cannot be read")]
    Message,
    /// No database is named.
    #[error("`reference_database.database` is not set")]
    NoDatabase,
    /// The profile cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The shipped code lists are damaged.
    #[error("the code lists cannot be used")]
    CodeLists(#[from] model::CodeListError),
    /// The keys of warrants cannot be read.
    #[error("cannot read the keys of warrants from `{path}`")]
    WarrantKeys {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The keys of warrants are none.
    #[error("`{0}` is no JWKS")]
    MalformedWarrantKeys(String),
    /// A warrant was used before.
    #[error("a warrant was used before")]
    WarrantUsed,
    /// Changes must be kept for a day at least.
    #[error("`reference_database.retention_days` must be at least 1")]
    Retention,
    /// The database does not register events of this kind.
    #[error("the database registers no {0}")]
    NotItsEvent(&'static str),
    /// The event's fields are faulty.
    #[error("the event has faulty fields: {0}")]
    Faulty(String),
    /// A number is not a synthetic one, and this database takes no other.
    #[error("the number is not a synthetic one")]
    NotSynthetic,
}

/// One person as a population brings it.
pub struct Newcomer {
    /// Opaque id of the record.
    pub record_id: String,
    /// The personal number.
    pub number: PersonalNumber,
    /// What is said of the person, by whomever; what the profile does not hold is passed over.
    pub said: Vec<Said>,
}

/// A running reference database. Clones share it.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

struct Shared {
    profile: Profile,
    allow: Vec<String>,
    retention: time::Duration,
    database: Database,
    lists: CodeLists,
    warrants: warrants::Warrants,
    clock: Clock,
    entropy: Entropy,
    /// Says when the streams that follow must end.
    ending: watch::Sender<bool>,
    /// Says that events were stored.
    heard: Notify,
    /// What goes on by itself, to be ended.
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Service {
    /// Opens the database, and brings its schema up to date.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open(config: &Config, clock: Clock, entropy: Entropy) -> Result<Self, Error> {
        if config.database.reveal().is_empty() {
            return Err(Error::NoDatabase);
        }
        if config.retention_days == 0 {
            return Err(Error::Retention);
        }
        let profile = Profile::shipped(&config.profile)?;
        let warrants = warrants::Warrants::open(config)?;
        let store = Store::open(config.database.reveal(), store::MIGRATIONS).await?;
        let database = Database::open(store, entropy.array()).await?;
        let service = Self(Arc::new(Shared {
            profile,
            allow: config.allow.clone(),
            retention: time::Duration::days(config.retention_days.into()),
            database,
            lists: CodeLists::shipped()?,
            warrants,
            clock,
            entropy,
            ending: watch::Sender::new(false),
            heard: Notify::new(),
            tasks: Mutex::new(Vec::new()),
        }));
        service.spawn(prune(service.clone()));
        Ok(service)
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(work).abort_handle();
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Looks up in the register, from now on, whoever it hears has changed; a database that follows nobody does nothing.
    pub fn follow(&self, register: Channel) {
        let profile = &self.0.profile;
        if let (Some(basis), Some(follow)) = (profile.follow_basis(), &profile.follow) {
            let question = client::Question { basis, items: follow.items.clone() };
            self.spawn(follow::follow(Arc::clone(&self.0), register, question));
        }
    }

    /// What it knows of a person by number; none where it does not know the person.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn person(&self, number: &PersonalNumber) -> Result<Option<GoldenRecord>, Error> {
        self.0.database.by_number(number).await
    }

    /// Adds the services of its roles.
    #[must_use]
    pub fn public(&self, routes: Routes) -> Routes {
        api::add(routes, &self.0)
    }

    /// Tells `health` that it serves while its store answers.
    pub fn report(&self, health: &Health) {
        let shared = Arc::clone(&self.0);
        health.serves(&api::services(&self.0.profile), move || {
            let shared = Arc::clone(&shared);
            async move { shared.database.answers().await }
        });
    }

    /// Registers an event, as an officer of this database would, and gives the id of the change that lists it.
    ///
    /// # Errors
    /// [`Error::Faulty`], [`Error::NotItsEvent`], [`Error::NotSynthetic`], and whatever the store says. Nothing
    /// changed then.
    pub async fn register(&self, event: Event) -> Result<String, Error> {
        let shared = &self.0;
        let mut faults = Faults::default();
        let today = shared.clock.today();
        let read = wire::event::read((&event).into(), &shared.lists, today, &mut faults);
        let Some(read) = read.filter(|_| faults.is_empty()) else {
            return Err(Error::Faulty(faults.fields().collect::<Vec<_>>().join(", ")));
        };
        let kind = read.kind.name();
        let basis = shared.profile.basis(kind).ok_or(Error::NotItsEvent(kind))?;
        if !domain::is_synthetic(&read) {
            return Err(Error::NotSynthetic);
        }
        let id = shared.entropy.id();
        let known = shared.clock.now_us();
        let listed = api::listed(&id, basis, event);
        let said = domain::Registration { change_id: id.clone(), listed, read };
        shared.database.register(&shared.profile, said, known).await?;
        Ok(id)
    }

    /// Takes a population: its records, and no changes, for the register holds it already.
    ///
    /// # Errors
    /// [`Error::NotSynthetic`], and whatever the store says.
    pub async fn load(&self, newcomers: Vec<Newcomer>) -> Result<(), Error> {
        if newcomers.iter().any(|newcomer| !newcomer.number.is_synthetic()) {
            return Err(Error::NotSynthetic);
        }
        let known = self.0.clock.now_us();
        self.0.database.load(&self.0.profile, newcomers, known).await
    }

    /// The personal number of the person a change is about: of a birth, what the register gave it; none before.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn number(&self, change_id: &str) -> Result<Option<PersonalNumber>, Error> {
        self.0.database.number(change_id).await
    }

    /// Whether the register has taken a change, as far as this database was told.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn told(&self, change_id: &str) -> Result<Option<bool>, Error> {
        let events = self.0.database.events().await?;
        Ok(events.iter().find_map(|event| api::decided(event, change_id)))
    }

    /// A cursor whose changes are not kept any more, and the id of the oldest change that is; none where everything is
    /// kept, or nothing.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn expired(&self) -> Result<Option<(String, String)>, Error> {
        let Some((cursor, oldest)) = self.0.database.expired().await? else { return Ok(None) };
        Ok(Some((cursor, api::change(oldest)?.change_id)))
    }

    /// Takes away every change so far, as if its time had passed.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn forget(&self) -> Result<(), Error> {
        self.0.database.prune(i64::MAX).await
    }

    /// Which database it is.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.0.profile
    }

    /// Some of the persons it knows by number, at most `most`; the same ones as long as none is added.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn people(&self, most: u16) -> Result<Vec<GoldenRecord>, Error> {
        self.0.database.people(most).await
    }

    /// How many persons it knows.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn size(&self) -> Result<u64, Error> {
        self.0.database.size().await
    }

    /// Takes away the changes that are past their time, and warrants that nobody can use any more. It does this by itself every
    /// hour; a test need not wait.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn prune(&self) -> Result<(), Error> {
        let before = self.0.clock.now() - self.0.retention;
        let before_us = before.unix_timestamp_nanos() / 1_000;
        self.0.database.prune(i64::try_from(before_us).unwrap_or(i64::MIN)).await?;
        // A day late: a clock that was ahead, and is set right, makes none of them good again.
        let late = self.0.clock.now() - time::Duration::DAY;
        self.0.database.forget_warrants(late.unix_timestamp()).await
    }

    /// Ends the streams that follow its changes, so that a drain need not wait for them.
    pub fn end_streams(&self) {
        self.0.ending.send_replace(true);
    }

    /// Closes the store.
    pub async fn close(self) {
        self.end_streams();
        for task in self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
        self.0.database.close().await;
    }
}

async fn prune(service: Service) {
    loop {
        if service.prune().await.is_err() {
            tracing::error!("changes past their time could not be taken away");
        }
        tokio::time::sleep(PRUNE_EVERY).await;
    }
}
