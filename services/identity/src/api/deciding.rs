//! The decision of a stream, of lookups or of changes: needed anew with each query or message, so that whoever is suspended is
//! refused also on a stream that is open. Policy is not asked for each (`wire::policy`).

use std::sync::Arc;

use contract::r#type::v1::AccessBasis;
use server::{Caller, Deadline};
use tonic::Status;
use wire::policy::{Act, Decision};

use super::Shared;

/// What is decided about: one caller, ground and list of items for the whole stream.
pub(super) struct Deciding<'a> {
    pub(super) caller: &'a Caller,
    pub(super) act: Act,
    pub(super) basis: &'a AccessBasis,
    pub(super) items: &'a [String],
}

impl Deciding<'_> {
    /// The decision for a query or a message that is taken up now.
    pub(super) async fn now(
        &self,
        shared: &Shared,
        deadline: Deadline,
    ) -> Result<Arc<Decision>, Status> {
        let Self { caller, act, basis, items } = self;
        let decided = shared.clients.policy.decide(deadline, caller, *act, basis, items).await;
        decided.map_err(|error| error.refusal(deadline))
    }
}
