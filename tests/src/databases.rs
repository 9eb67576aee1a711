//! Databases that are connected: reference ones, and one for each way of being bad.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use contract::{
    database::v1::{
        Change, DeliverEventsRequest, DeliverEventsResponse, Event as ToldEvent, EventResult,
        EventStatus, ListChangesRequest, ListChangesResponse, PersonChanged, StreamChangesRequest,
        StreamChangesResponse,
        change::Event,
        event::Kind,
        sink_service_server::{SinkService, SinkServiceServer},
        source_service_server::{SourceService, SourceServiceServer},
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use lienthong::{demo::TRUST_DOMAIN, process::Runtime};
use reference_database::{Config, METHODS, Service};
use server::{Routes, Running, Server, config::Secret, error::refuse, tls};
use store::{Engine, testing::TestDatabase};
use tonic::{Request, Response, Status};

use crate::whole::Prepared;

/// A reference database that runs.
pub struct Reference {
    /// The database.
    pub service: Service,
    running: Running,
    _store: TestDatabase,
}

impl Reference {
    /// An empty one of a profile, which the exchange service may call.
    pub async fn start(prepared: &Prepared, profile: &str, engine: Engine) -> Self {
        let store = TestDatabase::new(engine).await;
        let config = Config {
            profile: profile.to_owned(),
            database: Secret::new(store.url()),
            allow: vec![format!("spiffe://{TRUST_DOMAIN}/service/exchange")],
            retention_days: 30,
            warrant_issuer: format!("spiffe://{TRUST_DOMAIN}/service/policy"),
            warrant_keys_file: String::new(),
        };
        let Runtime { clock, entropy } = prepared.runtime.clone();
        let service = Service::open(&config, clock, entropy).await.unwrap();
        let server = listening(prepared, prepared.files(profile)).await;
        let running = server.start(service.public(Routes::default())).await;
        Self { service, running, _store: store }
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.running.address().to_string()
    }
}

/// A database's own way of breaking the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// It never answers.
    Hangs,
    /// It sends ten times what was asked.
    TooMany,
    /// The order of its changes goes back.
    OutOfOrder,
    /// It says that there is more, and never gives any: it pages for ever.
    Stuck,
    /// It does not say where to go on.
    NoCursor,
    /// A change without an event. It is passed over.
    Malformed,
    /// The first cursor that it gives is older than its retention when it comes back.
    Expired,
    /// It knows no cursor that it gave: it was set back.
    Unknown,
}

/// All of them.
pub const BAD: [Bad; 8] = [
    Bad::Hangs,
    Bad::TooMany,
    Bad::OutOfOrder,
    Bad::Stuck,
    Bad::NoCursor,
    Bad::Malformed,
    Bad::Expired,
    Bad::Unknown,
];

impl Bad {
    /// The reason under which its owner is told; none for one that does not answer.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Hangs => None,
            Self::TooMany => Some("TOO_MANY_CHANGES"),
            Self::OutOfOrder => Some("OUT_OF_ORDER"),
            Self::Stuck => Some("STUCK"),
            Self::NoCursor => Some("NO_CURSOR"),
            Self::Malformed => Some("MALFORMED_CHANGE"),
            Self::Expired => Some("CURSOR_EXPIRED"),
            Self::Unknown => Some("UNKNOWN_CURSOR"),
        }
    }

    /// Its name, agency and system.
    #[must_use]
    pub fn identity(self) -> (String, String) {
        let name = format!("{self:?}").to_lowercase();
        let id = format!("spiffe://{TRUST_DOMAIN}/agency/Z09.{}/system/bad", name.to_uppercase());
        (name, id)
    }

    /// Starts it.
    pub async fn start(self, prepared: &Prepared) -> Running {
        let (name, id) = self.identity();
        let files = prepared.pki.issue(&name, &id).unwrap();
        let server = listening(prepared, &files).await;
        server.start(Routes::default().add_service(SourceServiceServer::new(self))).await
    }
}

async fn listening(prepared: &Prepared, files: &tls::Files) -> Server {
    listening_at(&prepared.settings.server, files, "127.0.0.1:0").await
}

async fn listening_at(server: &server::Config, files: &tls::Files, address: &str) -> Server {
    let tls::Files { certificate, key, ca, .. } = files.clone();
    let config = server::Config {
        listen: address.to_owned(),
        certificate,
        key,
        ca,
        drain_max_seconds: 1,
        ..server.clone()
    };
    Server::bind_with(config, METHODS).await.unwrap()
}

fn change(sequence: u64) -> Change {
    Change {
        change_id: format!("bad-{sequence}"),
        sequence,
        commit_time: Some(wire::timestamp_us(1)),
        cursor: format!("after-{sequence}"),
        basis: Some(AccessBasis::default()),
        event: Some(Event::Birth(Default::default())),
        evidence: Vec::new(),
    }
}

fn page(changes: Vec<Change>, next_cursor: &str, end_reached: bool) -> ListChangesResponse {
    ListChangesResponse { changes, next_cursor: next_cursor.to_owned(), end_reached }
}

#[tonic::async_trait]
impl SourceService for Bad {
    async fn list_changes(
        &self,
        request: Request<ListChangesRequest>,
    ) -> Result<Response<ListChangesResponse>, Status> {
        let asked = request.into_inner();
        let page = match self {
            Self::Hangs => std::future::pending().await,
            Self::TooMany => {
                let ten_times = u64::from(asked.page_size.unsigned_abs()) * 10;
                page((1..=ten_times).map(change).collect(), "next", false)
            }
            Self::OutOfOrder => page(vec![change(2), change(1)], "next", true),
            Self::Stuck => page(Vec::new(), "next", false),
            Self::NoCursor => page(vec![change(1)], "", true),
            Self::Malformed => page(vec![Change { event: None, ..change(1) }], "next", true),
            Self::Expired | Self::Unknown if asked.cursor.is_empty() => {
                page(Vec::new(), "after-1", true)
            }
            Self::Expired => return Err(refuse(ErrorReason::CursorExpired)),
            Self::Unknown => return Err(refuse(ErrorReason::UnknownCursor)),
        };
        Ok(Response::new(page))
    }

    type StreamChangesStream = futures::stream::Empty<Result<StreamChangesResponse, Status>>;

    async fn stream_changes(
        &self,
        _request: Request<StreamChangesRequest>,
    ) -> Result<Response<Self::StreamChangesStream>, Status> {
        Err(refuse(ErrorReason::UnknownMethod))
    }
}

/// One route, as a file of the exchange service has it.
#[must_use]
pub fn route(name: &str, identity: &str, endpoint: &str, roles: &str) -> String {
    format!(
        "\n[[route]]\ndatabase = \"{name}\"\nidentity = \"{identity}\"\nendpoint = \"{endpoint}\"\n\
         owner = \"Z09.{}\"\nroles = [{roles}]\n",
        name.to_uppercase()
    )
}

/// Has everything connected by these routes when it is started.
pub fn connect(prepared: &mut Prepared, routes: &[String]) {
    let path = prepared.folder().join("routes.toml");
    std::fs::write(&path, routes.concat()).unwrap();
    prepared.settings.exchange.routes_file = path.display().to_string();
    prepared.settings.exchange.poll_milliseconds = 5;
    prepared.settings.exchange.answer_max_seconds = 3_600;
}

/// What a route says of a database that follows persons.
#[must_use]
pub fn following(unit: &str, items: &[&str]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
    format!(
        "\n[route.follow]\nprocedure = \"database-upkeep\"\nlegal_basis = \"1911-2021-art-2-1\"\n\
         case_reference = \"T-1\"\nacting_unit = \"{unit}\"\nofficer = \"can-bo-01\"\n\
         items = [{}]\n",
        items.join(", ")
    )
}

/// A sink that keeps whatever it is told; or takes nothing and never says so.
#[derive(Clone, Default)]
pub struct Listener {
    /// What it was told, as often as it was.
    pub told: Arc<Mutex<Vec<ToldEvent>>>,
    /// Whether it hangs.
    pub hangs: bool,
    /// Whether it says that it takes nothing now.
    pub away: Arc<AtomicBool>,
}

impl Listener {
    /// Starts it under the name of a caller.
    pub async fn start(&self, prepared: &Prepared, name: &str) -> Running {
        let server = listening(prepared, prepared.files(name)).await;
        server.start(Routes::default().add_service(SinkServiceServer::new(self.clone()))).await
    }

    /// The persons of whom it was told that they changed, with the ids of the events.
    #[must_use]
    pub fn changed(&self) -> Vec<(String, PersonChanged)> {
        let told = self.told.lock().unwrap();
        let changed = |event: &ToldEvent| match &event.kind {
            Some(Kind::PersonChanged(changed)) => Some((event.event_id.clone(), changed.clone())),
            _ => None,
        };
        told.iter().filter_map(changed).collect()
    }
}

#[tonic::async_trait]
impl SinkService for Listener {
    async fn deliver_events(
        &self,
        request: Request<DeliverEventsRequest>,
    ) -> Result<Response<DeliverEventsResponse>, Status> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        if self.away.load(Ordering::SeqCst) {
            return Err(refuse(ErrorReason::Overloaded));
        }
        let events = request.into_inner().events;
        let status = EventStatus::Stored.into();
        let one = |event: &ToldEvent| EventResult { event_id: event.event_id.clone(), status };
        let results = events.iter().map(one).collect();
        self.told.lock().unwrap().extend(events);
        Ok(Response::new(DeliverEventsResponse { results }))
    }
}

/// A source of some births, that takes one event at a time, and one of them not at all.
#[derive(Clone, Default)]
pub struct Small {
    /// The births that it lists.
    pub births: Arc<Vec<Event>>,
    /// What it was told.
    pub told: Arc<Mutex<Vec<ToldEvent>>>,
}

impl Small {
    /// Starts it under the name of a caller.
    pub async fn start(&self, prepared: &Prepared, name: &str) -> Running {
        self.start_at(&prepared.settings.server, prepared.files(name), "127.0.0.1:0").await
    }

    /// Starts it with these files at an address.
    pub async fn start_at(
        &self,
        server: &server::Config,
        files: &tls::Files,
        address: &str,
    ) -> Running {
        let server = listening_at(server, files, address).await;
        let routes = Routes::default().add_service(SourceServiceServer::new(self.clone()));
        server.start(routes.add_service(SinkServiceServer::new(self.clone()))).await
    }
}

#[tonic::async_trait]
impl SourceService for Small {
    async fn list_changes(
        &self,
        request: Request<ListChangesRequest>,
    ) -> Result<Response<ListChangesResponse>, Status> {
        let after = request.into_inner().cursor;
        let after: usize = after.trim_start_matches("after-").parse().unwrap_or_default();
        let listed = |(place, birth): (usize, &Event)| Change {
            change_id: format!("small-{place}"),
            basis: Some(crate::events::ground("birth-registration", "Z01.DEMO.HOTICH")),
            event: Some(birth.clone()),
            ..change(place as u64 + 1)
        };
        let changes = self.births.iter().enumerate().skip(after).map(listed).collect();
        let end = format!("after-{}", self.births.len());
        Ok(Response::new(page(changes, &end, true)))
    }

    type StreamChangesStream = futures::stream::Empty<Result<StreamChangesResponse, Status>>;

    async fn stream_changes(
        &self,
        _request: Request<StreamChangesRequest>,
    ) -> Result<Response<Self::StreamChangesStream>, Status> {
        Err(refuse(ErrorReason::UnknownMethod))
    }
}

#[tonic::async_trait]
impl SinkService for Small {
    async fn deliver_events(
        &self,
        request: Request<DeliverEventsRequest>,
    ) -> Result<Response<DeliverEventsResponse>, Status> {
        let events = request.into_inner().events;
        let [event] = events.as_slice() else { return Err(refuse(ErrorReason::InvalidRequest)) };
        if event.sequence == 2 {
            return Err(refuse(ErrorReason::InvalidRequest));
        }
        self.told.lock().unwrap().push(event.clone());
        let status = EventStatus::Stored.into();
        let results = vec![EventResult { event_id: event.event_id.clone(), status }];
        Ok(Response::new(DeliverEventsResponse { results }))
    }
}
