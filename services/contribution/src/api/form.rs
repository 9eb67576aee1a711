//! The form of a contribution: every faulty field is named at once, and what was read is whole.

use contract::{
    contribution::v1::{
        BirthRegistration, SubmitContributionRequest, submit_contribution_request::Event,
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use model::CodeLists;
use server::error::refuse;
use time::Date;
use tonic::Status;
use wire::{Fault, Faults, basis, value::Reader};

use crate::domain::{Birth, BirthFault, Draft};

const KEY_MAX: usize = 64;
const ENTRY_MAX: usize = 64;
/// The list of the places that a personal number can start with.
const PREFIXES: &str = "number-prefix";

/// A contribution of the right form.
pub(super) struct Form<'a> {
    /// The event.
    pub(super) birth: Birth,
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
    let birth = match &request.event {
        None => {
            faults.add("event", Fault::Missing);
            None
        }
        Some(Event::Birth(birth)) => read_birth(birth, lists, today, &mut faults),
    };
    faults.finish()?;
    match (birth, basis) {
        (Some(birth), Some(basis)) => Ok(Form { birth, basis, key }),
        // Whatever is not there was named above.
        _ => Err(refuse(ErrorReason::Internal)),
    }
}

fn read_birth(
    birth: &BirthRegistration,
    lists: &CodeLists,
    today: Date,
    faults: &mut Faults,
) -> Option<Birth> {
    faults.text("birth.entry_number", &birth.entry_number, ENTRY_MAX);
    let code = &birth.registration_place_code;
    if code.is_empty() {
        faults.add("birth.registration_place_code", Fault::Missing);
    } else if !lists.any_version_holds(PREFIXES, code) {
        faults.add("birth.registration_place_code", Fault::UnknownCode);
    }
    let mut reader = Reader::new(lists, faults);
    let registration_date =
        reader.date("birth.registration_date", birth.registration_date.as_ref());
    let registration_place =
        reader.address("birth.registration_place", birth.registration_place.as_ref());
    let full_name = reader.name("birth.full_name", birth.full_name.as_ref());
    let date_of_birth = reader.date("birth.date_of_birth", birth.date_of_birth.as_ref());
    let sex = reader.coded("birth.sex", birth.sex.as_ref(), "sex");
    let place_of_birth = reader.address("birth.place_of_birth", birth.place_of_birth.as_ref());
    let native_place = reader.address("birth.native_place", birth.native_place.as_ref());
    let ethnic_group =
        reader.coded("birth.ethnic_group", birth.ethnic_group.as_ref(), "ethnic-group");
    let nationality = reader.coded("birth.nationality", birth.nationality.as_ref(), "nationality");
    let parents: Vec<_> = birth
        .parents
        .iter()
        .enumerate()
        .map(|(place, parent)| reader.relation(&format!("birth.parents[{place}]"), Some(parent)))
        .collect();
    let sex_read = sex.as_ref();
    let draft = Draft { registration_date, date_of_birth, sex: sex_read, parents: &parents };
    for (field, fault) in draft.faults(today) {
        faults.add(field, named(fault));
    }
    Some(Birth {
        entry_number: birth.entry_number.clone(),
        registration_date: registration_date?,
        registration_place_code: code.clone(),
        registration_place: registration_place?,
        full_name: full_name?,
        date_of_birth: date_of_birth?,
        sex: sex?,
        place_of_birth: place_of_birth?,
        native_place: native_place?,
        ethnic_group: ethnic_group?,
        nationality: nationality?,
        parents: parents.into_iter().collect::<Option<_>>()?,
    })
}

fn named(fault: BirthFault) -> Fault {
    match fault {
        BirthFault::NotWhole => Fault::NotWhole,
        BirthFault::InTheFuture => Fault::InTheFuture,
        BirthFault::TooEarly => Fault::TooEarly,
        BirthFault::NotAllowed => Fault::NotAllowed,
        BirthFault::Repeated => Fault::Repeated,
    }
}
