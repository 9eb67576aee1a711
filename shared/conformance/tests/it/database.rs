//! A database that implements the contract in memory, and does at most one thing wrong.
//!
//! `serve` is its connections and what holds for every call, `held` what a call holds, the rest its roles.

mod held;
mod lookup;
mod serve;
mod sink;
mod source;
mod warrant;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use conformance::Act;
use contract::{
    database::v1::{
        Change, DatabaseContact, DatabaseEnvironment, DatabaseLimits, DatabaseRole,
        DescribeDatabaseRequest, DescribeDatabaseResponse, HeldItem,
        database_service_server::{DatabaseService, DatabaseServiceServer},
        lookup_service_server::LookupServiceServer,
        sink_service_server::SinkServiceServer,
        source_service_server::SourceServiceServer,
    },
    r#type::v1::{ErrorReason, FieldFault},
};
use prost_types::Duration;
use server::error::{Violation, invalid, refuse};
use tonic::{Request, Response, Status, service::Routes};

use ::warrant::KeySet;
pub use serve::Running;

use crate::faults::Fault;

pub const PAGE_SIZE_MAX: i32 = 10;
pub const QUERIES_MAX: i32 = 20;
pub const EVENTS_MAX: i32 = 20;

#[derive(Clone)]
pub struct Database(Arc<Inner>);

pub struct Inner {
    pub fault: Option<Fault>,
    pub environment: DatabaseEnvironment,
    /// By which warrants are checked.
    pub keys: KeySet,
    pub state: Mutex<State>,
    /// Whoever reads the list; a fault holds it while it writes.
    pub reading: tokio::sync::Mutex<()>,
    pub committed: tokio::sync::watch::Sender<usize>,
    pub asked: AtomicUsize,
}

#[derive(Default)]
pub struct State {
    pub changes: Vec<Change>,
    /// How often a page was asked for.
    pub pages: HashMap<(String, i32), usize>,
    pub questions: HashMap<Vec<u8>, usize>,
    pub events: HashMap<String, Vec<u8>>,
    pub versions: HashMap<String, u64>,
    /// Ids of the warrants that were taken.
    pub used: HashSet<String>,
    /// Every question that reached a role, without its warrant.
    pub log: Vec<Vec<u8>>,
}

impl Database {
    pub fn new(fault: Option<Fault>, environment: DatabaseEnvironment, keys: KeySet) -> Self {
        let state = State { changes: source::changes(fault), ..State::default() };
        let committed = tokio::sync::watch::Sender::new(state.changes.len());
        Self(Arc::new(Inner {
            fault,
            environment,
            keys,
            state: Mutex::new(state),
            reading: tokio::sync::Mutex::new(()),
            committed,
            asked: AtomicUsize::new(0),
        }))
    }

    pub fn is(&self, fault: Fault) -> bool {
        self.0.fault == Some(fault)
    }

    pub fn inner(&self) -> &Inner {
        &self.0
    }

    /// What a restart leaves.
    pub fn restart(&self) {
        let mut state = self.0.state.lock().unwrap();
        if self.is(Fault::RestartForgets) {
            state.events.clear();
        }
        if self.is(Fault::RestartForgetsWarrants) {
            state.used.clear();
        }
        if self.is(Fault::RestartRenumbers) {
            state.changes.iter_mut().for_each(|change| change.sequence += 100);
        }
        if self.is(Fault::RestartLoses) {
            state.changes.truncate(20);
        }
    }

    /// One more change.
    pub fn commit(&self) {
        let mut state = self.0.state.lock().unwrap();
        let number = state.changes.len();
        let more = source::change(number, self.0.fault);
        state.changes.push(more);
        self.0.committed.send_replace(number + 1);
    }

    /// One more change, as the kit asks for it.
    pub fn committing(&self) -> Act {
        let database = self.clone();
        Act::new(move || {
            database.commit();
            async { Ok(()) }
        })
    }

    pub fn routes(&self) -> Routes {
        // The limit is looked at here, so that a fault can do without.
        let max = if self.is(Fault::TooLargeTaken) { usize::MAX } else { 4 << 20 };
        Routes::new(DatabaseServiceServer::new(self.clone()).max_decoding_message_size(max))
            .add_service(SourceServiceServer::new(self.clone()).max_decoding_message_size(max))
            .add_service(LookupServiceServer::new(self.clone()).max_decoding_message_size(max))
            .add_service(SinkServiceServer::new(self.clone()).max_decoding_message_size(max))
    }

    pub fn described(&self) -> DescribeDatabaseResponse {
        let mut items: Vec<HeldItem> = lookup::ITEMS
            .into_iter()
            .map(|item| HeldItem { item: item.to_owned(), ..Default::default() })
            .collect();
        if self.is(Fault::ItemTwice) {
            items.push(items[0].clone());
        }
        let mut roles: Vec<i32> =
            [DatabaseRole::Source, DatabaseRole::Lookup, DatabaseRole::Sink].map(i32::from).into();
        if self.is(Fault::RoleTwice) {
            roles.push(roles[0]);
        }
        let named = !self.is(Fault::Nameless);
        let kept =
            Duration { seconds: if self.is(Fault::NoRetention) { 0 } else { 86_400 }, nanos: 0 };
        DescribeDatabaseResponse {
            database_id: "civil-status".into(),
            owner_unit: "Z00.TEST".into(),
            name: if named { "Hộ tịch (thử)".into() } else { String::new() },
            contract_versions: vec!["lienthong.database.v1".into()],
            roles,
            items,
            limits: Some(DatabaseLimits {
                page_size_max: PAGE_SIZE_MAX,
                retention: Some(kept),
                queries_max: QUERIES_MAX,
                events_max: EVENTS_MAX,
            }),
            contact: Some(DatabaseContact {
                email: "a@lienthong.test".into(),
                ..Default::default()
            }),
            environment: self.0.environment.into(),
            software: "test 1".into(),
        }
    }

    /// Keeps a question.
    pub fn note(&self, question: &impl prost::Message) {
        self.0.state.lock().unwrap().log.push(question.encode_to_vec());
    }

    /// Every question that reached a role, sorted: some are asked at once.
    pub fn noted(&self) -> Vec<Vec<u8>> {
        let mut log = self.0.state.lock().unwrap().log.clone();
        log.sort_unstable();
        log
    }

    /// How many calls were answered.
    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }
}

#[tonic::async_trait]
impl DatabaseService for Database {
    async fn describe_database(
        &self,
        _: Request<DescribeDatabaseRequest>,
    ) -> Result<Response<DescribeDatabaseResponse>, Status> {
        Ok(Response::new(self.described()))
    }
}

/// The faulty fields of a request.
#[derive(Default)]
pub struct Faults(Vec<Violation>);

impl Faults {
    pub fn check(&mut self, holds: bool, field: impl Into<String>, reason: FieldFault) {
        if !holds {
            let (vi, en) = ("sai".to_owned(), "faulty".to_owned());
            self.0.push(Violation { field: field.into(), reason, vi, en });
        }
    }

    pub fn finish(self) -> Result<(), Status> {
        if self.0.is_empty() { Ok(()) } else { Err(invalid(self.0)) }
    }
}

pub fn unknown_cursor() -> Status {
    refuse(ErrorReason::UnknownCursor)
}
