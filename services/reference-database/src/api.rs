//! The services of `lienthong.database.v1`: messages to domain types and back.

mod lookup;
mod sink;
mod source;
mod warrant;

use std::sync::Arc;

use contract::{
    database::v1::{
        Change, DescribeDatabaseRequest, DescribeDatabaseResponse, Event, change, change_decided,
        database_service_server::{
            DatabaseService, DatabaseServiceServer, SERVICE_NAME as DATABASE,
        },
        event::Kind,
        lookup_service_server::{LookupServiceServer, SERVICE_NAME as LOOKUP},
        sink_service_server::{SERVICE_NAME as SINK, SinkServiceServer},
        source_service_server::{SERVICE_NAME as SOURCE, SourceServiceServer},
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use prost::Message as _;
use server::{Deadline, Routes, context, error::refuse};
use tonic::{Request, Response, Status};
use wire::timestamp_us;

use crate::{
    Error, Shared,
    profile::{Profile, Role},
    store::Stored,
};

/// Adds the services of its roles.
pub(crate) fn add(routes: Routes, shared: &Arc<Shared>) -> Routes {
    let mut routes = routes.add_service(DatabaseServiceServer::new(Api(Arc::clone(shared))));
    if shared.profile.is(Role::Source) {
        routes = routes.add_service(SourceServiceServer::new(Api(Arc::clone(shared))));
    }
    if shared.profile.is(Role::Lookup) {
        routes = routes.add_service(LookupServiceServer::new(Api(Arc::clone(shared))));
    }
    if shared.profile.is(Role::Sink) {
        routes = routes.add_service(SinkServiceServer::new(Api(Arc::clone(shared))));
    }
    routes
}

/// Names of the services of its roles.
pub(crate) fn services(profile: &Profile) -> Vec<&'static str> {
    let roles = [(Role::Source, SOURCE), (Role::Lookup, LOOKUP), (Role::Sink, SINK)];
    let of_roles = roles.into_iter().filter(|(role, _)| profile.is(*role)).map(|(_, name)| name);
    std::iter::once(DATABASE).chain(of_roles).collect()
}

/// The services.
struct Api(Arc<Shared>);

impl Api {
    /// The deadline of a call whose caller is on the allow list (rule DB-3).
    fn admit<T>(&self, request: &Request<T>) -> Result<Deadline, Status> {
        let (caller, deadline) = context(request)?;
        if self.0.allow.iter().any(|allowed| allowed == caller.id()) {
            Ok(deadline)
        } else {
            Err(refuse(ErrorReason::MethodNotAllowed))
        }
    }
}

#[tonic::async_trait]
impl DatabaseService for Api {
    async fn describe_database(
        &self,
        _request: Request<DescribeDatabaseRequest>,
    ) -> Result<Response<DescribeDatabaseResponse>, Status> {
        Ok(Response::new(self.0.profile.description(self.0.retention)))
    }
}

/// What is listed of an event, but for its place in the order.
pub(crate) fn listed(change_id: &str, basis: AccessBasis, event: change::Event) -> Vec<u8> {
    let change_id = change_id.to_owned();
    let (basis, event) = (Some(basis), Some(event));
    Change { change_id, basis, event, ..Change::default() }.encode_to_vec()
}

/// A stored change as it is listed: always the same bytes (rule SRC-2).
pub(crate) fn change(stored: Stored) -> Result<Change, Error> {
    let Stored { sequence, committed_at_us, cursor, listed } = stored;
    let change = Change::decode(listed.as_slice()).map_err(|_| Error::Message)?;
    Ok(Change { sequence, commit_time: Some(timestamp_us(committed_at_us)), cursor, ..change })
}

/// Whether a stored event says that a change was taken; none when it is about another.
pub(crate) fn decided(event: &[u8], change_id: &str) -> Option<bool> {
    let Some(Kind::ChangeDecided(decided)) = Event::decode(event).ok()?.kind else { return None };
    let applied = matches!(decided.outcome, Some(change_decided::Outcome::Applied(_)));
    (decided.change_id == change_id).then_some(applied)
}

/// What the store could not do, as a caller is told of it.
fn away(error: &Error) -> Status {
    let kind = if let Error::Store(error) = error { error.driver_kind() } else { "stored" };
    tracing::error!(kind, "the database could not be used");
    refuse(ErrorReason::Overloaded)
}
