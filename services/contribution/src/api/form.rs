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

/// A contribution of the right form.
pub(super) struct Form<'a> {
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
    let basis = basis::check(request.basis.as_ref(), &mut faults);
    let mut reading = events::Reading { lists, today, faults: &mut faults };
    let application = match &request.event {
        None => {
            faults.add("event", Fault::Missing);
            None
        }
        Some(Event::Birth(birth)) => reading.birth(birth),
        Some(Event::Death(death)) => reading.death(death),
        Some(Event::Residence(residence)) => reading.residence(residence),
        Some(Event::Correction(correction)) => reading.correction(correction),
    };
    faults.finish()?;
    match (application, basis) {
        (Some(application), Some(basis)) => Ok(Form { application, basis, key }),
        // Whatever is not there was named above.
        _ => Err(refuse(ErrorReason::Internal)),
    }
}
