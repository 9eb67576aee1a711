//! The requests of `RelationService`; every faulty field is named at once.

use contract::{
    identity::v1::{GetHouseholdRequest, ListRelationsRequest, RelationDirection},
    r#type::v1::{AccessBasis, ErrorReason},
};
use model::{
    CodeLists,
    item::{HOUSEHOLD, NAME, RELATION_TO_HEAD, RELATIVES, RESIDENCE_FILE},
};
use server::error::refuse;
use time::Date;
use tonic::Status;
use wire::{Fault, Faults, basis};

use crate::{
    api::{
        REQUEST_ID_MAX,
        identity::{lookup, whom},
    },
    app::{Direction, Lookup},
};

/// What can be wanted of other persons.
const OF_RELATED: [&str; 1] = [NAME];
const OF_MEMBERS: [&str; 3] = [NAME, RELATION_TO_HEAD, RESIDENCE_FILE];

/// A request for relations that was checked.
pub(super) struct Checked<'a> {
    /// The subject.
    pub(super) lookup: Lookup,
    /// The direction.
    pub(super) direction: Direction,
    /// The items that are decided about, the relation first.
    pub(super) items: Vec<String>,
    /// The ground.
    pub(super) basis: &'a AccessBasis,
}

/// Whose relations to tell.
pub(super) fn relations<'a>(
    request: &'a ListRelationsRequest,
    lists: &CodeLists,
    today: Date,
) -> Result<Checked<'a>, Status> {
    let mut faults = Faults::default();
    let ListRelationsRequest { subject, claims, items, basis, request_id, min_version, .. } =
        request;
    let whom = whom(subject.as_ref(), claims.as_ref(), lists, today, &mut faults);
    let direction = direction(request, &mut faults);
    of_others(items, &OF_RELATED, &mut faults);
    let basis = basis::check(basis.as_ref(), &mut faults);
    faults.text("request_id", request_id, REQUEST_ID_MAX);
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(whom), Some(direction), Some(basis)) = (whom, direction, basis) else {
        return Err(refuse(ErrorReason::Internal));
    };
    let items = decided(RELATIVES, items);
    let lookup = lookup(whom, *min_version, &items, None);
    Ok(Checked { lookup, direction, items, basis })
}

/// Whose household to tell, the items that are decided about, and the ground.
pub(super) fn household<'a>(
    request: &'a GetHouseholdRequest,
    lists: &CodeLists,
    today: Date,
) -> Result<(Lookup, Vec<String>, &'a AccessBasis), Status> {
    let mut faults = Faults::default();
    let GetHouseholdRequest { subject, claims, items, basis, request_id, min_version } = request;
    let whom = whom(subject.as_ref(), claims.as_ref(), lists, today, &mut faults);
    of_others(items, &OF_MEMBERS, &mut faults);
    let basis = basis::check(basis.as_ref(), &mut faults);
    faults.text("request_id", request_id, REQUEST_ID_MAX);
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(whom), Some(basis)) = (whom, basis) else {
        return Err(refuse(ErrorReason::Internal));
    };
    let items = decided(HOUSEHOLD, items);
    Ok((lookup(whom, *min_version, &items, None), items, basis))
}

fn direction(request: &ListRelationsRequest, faults: &mut Faults) -> Option<Direction> {
    match request.direction() {
        RelationDirection::Unspecified => {
            faults.add("direction", Fault::Missing);
            None
        }
        RelationDirection::Forward => Some(Direction::Forward),
        RelationDirection::Inverse => Some(Direction::Inverse),
    }
}

/// What is wanted of other persons: nothing, or some of what can be, each once.
fn of_others(items: &[String], known: &[&str], faults: &mut Faults) {
    for (place, item) in items.iter().enumerate() {
        let path = format!("items[{place}]");
        if !known.contains(&item.as_str()) {
            faults.add(path, Fault::NotAllowed);
        } else if items.iter().take(place).any(|earlier| earlier == item) {
            faults.add(path, Fault::Repeated);
        }
    }
}

/// The items that are decided about: the one that relates persons, and what is wanted of the others.
fn decided(relating: &str, items: &[String]) -> Vec<String> {
    std::iter::once(relating.to_owned()).chain(items.iter().cloned()).collect()
}
