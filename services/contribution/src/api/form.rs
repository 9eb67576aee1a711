//! The form of a contribution: every faulty field is named at once, and what was read is whole.

use contract::{
    contribution::v1::{SubmitContributionRequest, submit_contribution_request as submitted},
    r#type::v1::{AccessBasis, ErrorReason},
};
use model::{CodeLists, EventKind};
use server::error::refuse;
use time::Date;
use tonic::Status;
use wire::{
    Fault, Faults, basis,
    event::{self, Given},
};

use crate::domain::Application;

/// Characters of a caller's id of a request.
pub(super) const REQUEST_ID_MAX: usize = 40;

/// A contribution of the right form.
pub(super) struct Form<'a> {
    /// The kind of event, as policy names it.
    pub(super) event: EventKind,
    /// What the register is to be asked; the source is not known yet.
    pub(super) application: Application,
    /// The ground.
    pub(super) basis: &'a AccessBasis,
    /// The source's key.
    pub(super) key: &'a str,
}

/// Reads a request.
pub(super) fn read<'a>(
    request: &'a SubmitContributionRequest,
    lists: &CodeLists,
    today: Date,
) -> Result<Form<'a>, Status> {
    let mut faults = Faults::default();
    let key = &request.idempotency_key;
    faults.key("idempotency_key", key);
    faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
    let basis = basis::check(request.basis.as_ref(), &mut faults);
    let event = match &request.event {
        None => {
            faults.add("event", Fault::Missing);
            None
        }
        Some(event) => event::read(event.into(), lists, today, &mut faults),
    };
    let needed = request.event.as_ref().is_some_and(|event| Given::from(event).needs_evidence());
    let evidence = event::read_evidence("evidence", &request.evidence, needed, lists, &mut faults);
    let expected_version = request.expected_version;
    // Of whom a birth brings there is no record yet.
    if expected_version > 0 && matches!(request.event, Some(submitted::Event::Birth(_))) {
        faults.add("expected_version", Fault::NotAllowed);
    }
    faults.finish()?;
    match (event, basis) {
        (Some(event), Some(basis)) => {
            let kind = event.kind;
            let application = Application::of(event, evidence, expected_version);
            Ok(Form { event: kind, application, basis, key })
        }
        // Whatever is not there was named above.
        _ => Err(refuse(ErrorReason::Internal)),
    }
}
