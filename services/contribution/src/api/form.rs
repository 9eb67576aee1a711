//! The form of a contribution: every faulty field is named at once, and what was read is whole.

mod events;

use contract::{
    contribution::v1::{SubmitContributionRequest, submit_contribution_request::Event},
    r#type::v1::{AccessBasis, ErrorReason},
};
use model::CodeLists;
use server::error::refuse;
use time::Date;
use tonic::Status;
use wire::{Fault, Faults, basis};

use crate::domain::Application;

const KEY_MAX: usize = 64;
const REQUEST_ID_MAX: usize = 40;

/// A contribution of the right form.
pub(super) struct Form<'a> {
    /// The kind of event, as policy names it.
    pub(super) event: &'static str,
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
    faults.text("idempotency_key", key, KEY_MAX);
    let in_keys = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    if !key.chars().all(in_keys) {
        faults.add("idempotency_key", Fault::Malformed);
    }
    faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
    let basis = basis::check(request.basis.as_ref(), &mut faults);
    let mut reading = events::Reading { lists, today, faults: &mut faults };
    let (event, application) = match &request.event {
        None => {
            faults.add("event", Fault::Missing);
            ("", None)
        }
        Some(Event::Birth(birth)) => ("birth", reading.birth(birth)),
        Some(Event::Death(death)) => ("death", reading.death(death)),
        Some(Event::Residence(residence)) => ("residence", reading.residence(residence)),
        Some(Event::Correction(correction)) => ("correction", reading.correction(correction)),
    };
    faults.finish()?;
    match (application, basis) {
        (Some(application), Some(basis)) => Ok(Form { event, application, basis, key }),
        // Whatever is not there was named above.
        _ => Err(refuse(ErrorReason::Internal)),
    }
}
