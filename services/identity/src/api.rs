//! The gRPC services of identity: messages to domain types, the use case, the gate.

mod identity;
mod register;

use std::sync::Arc;

use disclosure::{
    identity::v1::identity_service_server::IdentityServiceServer,
    register::v1::register_service_server::RegisterServiceServer,
};
use model::CodeLists;
use server::Routes;

use crate::{app::App, client::Clients};

/// A request of more bytes is refused before it is read.
const MESSAGE_MAX: usize = 256 << 10;
/// What contribution takes and wraps must fit.
const APPLY_MAX: usize = 1 << 20;

/// What both services stand on.
pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    pub(crate) clients: Clients,
    pub(crate) lists: CodeLists,
}

/// Adds what agencies call.
pub(crate) fn add_identity(routes: Routes, shared: Arc<Shared>) -> Routes {
    let service = IdentityServiceServer::new(identity::Identity(shared));
    routes.add_service(service.max_decoding_message_size(MESSAGE_MAX))
}

/// Adds what contribution calls.
pub(crate) fn add_register(routes: Routes, shared: Arc<Shared>) -> Routes {
    let service = RegisterServiceServer::new(register::Register(shared));
    routes.add_service(service.max_decoding_message_size(APPLY_MAX))
}
