//! What is told of accesses: who asked, when, why, and what became of each item; nothing of anybody else, and not which rule hid what.

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord, ItemRecord, ListAccessesResponse, RecordedAccess},
    identity::v1::{
        AccessDetails, AccessEnding, AccessUntold, AccessedItem, ListAccessesAnswer,
        ListAccessesRequest, LookupOutcome, PersonAccess, person_access::Told,
    },
};
use prost::Message;
use server::{Caller, caller::Kind};
use wire::{timestamp, timestamp_us};

use super::About;
use crate::api::identity;

/// The answer; `found` is what the log has of somebody of whom it may be told. None where a record of it is none.
pub(super) fn answer(
    about: &About<'_>,
    request: &ListAccessesRequest,
    found: Option<ListAccessesResponse>,
) -> Option<ListAccessesAnswer> {
    let About { decision, looked, withheld, shared } = about;
    let outcome =
        if identity::shown(looked) { LookupOutcome::Match } else { LookupOutcome::NoMatch };
    let found = found.unwrap_or_default();
    let last = found.accesses.last().filter(|_| !found.end_reached).map(|access| access.index);
    let next = last
        .zip(looked.person_id.as_ref())
        .map(|(index, person)| shared.app.accesses_from(index, person, &decision.connection));
    let accesses = found.accesses.into_iter().map(|one| access(one, &shared.trust_domain));
    Some(ListAccessesAnswer {
        outcome: outcome.into(),
        next_page_token: next.unwrap_or_default(),
        accesses: accesses.collect::<Option<_>>()?,
        counts: found.counts,
        checkpoint: found.checkpoint,
        withheld: withheld.map(identity::withheld),
        answer_time: Some(timestamp(looked.at)),
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request.request_id.clone(),
    })
}

/// What is told of one; none where its record is none.
pub(in crate::api) fn access(access: RecordedAccess, trust_domain: &str) -> Option<PersonAccess> {
    let (record, number) = (access.name, access.number);
    let told = if access.sealed {
        Told::Untold(AccessUntold::Sealed.into())
    } else if access.erased {
        Told::Untold(AccessUntold::Erased.into())
    } else if access.archived {
        Told::Untold(AccessUntold::Archived.into())
    } else {
        Told::Details(details(access, trust_domain)?)
    };
    Some(PersonAccess { record, number, told: Some(told) })
}

fn details(access: RecordedAccess, trust_domain: &str) -> Option<AccessDetails> {
    let RecordedAccess { index, leaf, proof, context, decision, .. } = access;
    let (method, caller) = context.split_once('\n')?;
    let (method, caller) =
        (method.to_owned(), Caller::parse(caller.trim_end(), trust_domain).ok()?);
    let time_us = i64::try_from(tlog::Leaf::parse(&leaf).ok()?.time_ms).ok()?.checked_mul(1_000)?;
    let record = DecisionRecord::decode(decision.as_slice()).ok()?;
    let (agency, system) = match caller.kind() {
        Kind::System { agency, system } => (agency.clone(), system.clone()),
        // What was contributed is applied by a service of ours, for a connection.
        Kind::Service(_) => (String::new(), record.connection.clone()),
        // Who the officer was is not told.
        Kind::Operator(_) => Default::default(),
    };
    let ending = ending(record.outcome());
    let basis = record.basis.unwrap_or_default();
    Some(AccessDetails {
        record_time: Some(timestamp_us(time_us)),
        agency,
        system,
        acting_unit: basis.acting_unit,
        method,
        procedure: basis.procedure,
        purpose: record.purpose,
        legal_basis: basis.legal_basis,
        ending: ending.into(),
        items: record.items.into_iter().map(item).collect(),
        index,
        leaf,
        proof,
    })
}

fn item(item: ItemRecord) -> AccessedItem {
    AccessedItem { item: item.item, disclosed: item.disclosed, article: item.article }
}

/// What of how it ended is told: not whether it was the claims or a rule that kept something back.
fn ending(outcome: AccessOutcome) -> AccessEnding {
    match outcome {
        AccessOutcome::Answered => AccessEnding::Answered,
        AccessOutcome::Absent
        | AccessOutcome::ClaimsDiffer
        | AccessOutcome::Hidden
        | AccessOutcome::Refused
        | AccessOutcome::Ambiguous => AccessEnding::NothingGiven,
        AccessOutcome::Contributed => AccessEnding::Contributed,
        AccessOutcome::Rejected => AccessEnding::Rejected,
        AccessOutcome::Administered | AccessOutcome::Unspecified => AccessEnding::Unspecified,
    }
}
