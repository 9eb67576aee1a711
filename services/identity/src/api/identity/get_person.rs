//! `GetPerson`: its request read, its answer written.

use contract::{
    identity::v1::{self as wire_identity, GetPersonAnswer, GetPersonRequest, LookupOutcome},
    r#type::v1::{self as types, AccessBasis, ErrorReason, SubjectRef, item_outcome},
};
use decide::ItemDecision;
use model::{Claims, CodeLists, GoldenRecord, Precision};
use server::error::refuse;
use time::Date;
use tonic::Status;
use wire::{
    Fault, Faults, basis,
    policy::{Act, Decision},
    subject::{self, Named},
    timestamp, timestamp_us,
    value::{Reader, write_held},
};

use crate::{
    api::REQUEST_ID_MAX,
    app::{AsOf, Looked, Lookup},
    domain::lookup::{Ending, ItemOutcome, ItemTold, names_others, outcomes},
};

/// The lookup in a request; every faulty field is named at once.
pub(super) fn checked<'a>(
    request: &'a GetPersonRequest,
    lists: &CodeLists,
    today: Date,
) -> Result<(Lookup, &'a AccessBasis), Status> {
    let mut faults = Faults::default();
    let GetPersonRequest { subject, claims, items, basis, request_id, min_version, as_of } =
        request;
    let whom = whom(subject.as_ref(), claims.as_ref(), lists, today, &mut faults);
    let ground = ground(items, basis.as_ref(), request_id, as_of.as_ref(), lists, &mut faults);
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(whom), Some((basis, as_of))) = (whom, ground) else {
        return Err(refuse(ErrorReason::Internal));
    };
    Ok((lookup(whom, *min_version, items, as_of), basis))
}

/// Who is asked about, and what the caller knows of that person.
pub(in crate::api) struct Whom {
    subject: Named,
    claims: Option<Claims>,
}

/// Reads who is asked about; none when that is not said.
pub(in crate::api) fn whom(
    subject: Option<&SubjectRef>,
    claims: Option<&types::Claims>,
    lists: &CodeLists,
    today: Date,
    faults: &mut Faults,
) -> Option<Whom> {
    let subject = subject::read_named("subject", subject, faults);
    let claims = claims.map(|c| subject::read_claims("claims", c, lists, faults));
    subject::check_born("claims", claims.as_ref().and_then(Option::as_ref), today, faults);
    Some(Whom { subject: subject?, claims: claims.flatten() })
}

/// Reads what is asked for and on which ground, which may be said for many persons at once; none when there is no ground.
pub(super) fn ground<'a>(
    items: &[String],
    basis: Option<&'a AccessBasis>,
    request_id: &str,
    as_of: Option<&wire_identity::AsOf>,
    lists: &CodeLists,
    faults: &mut Faults,
) -> Option<(&'a AccessBasis, Option<AsOf>)> {
    basis::check_items(items, faults);
    let basis = basis::check(basis, faults);
    faults.text("request_id", request_id, REQUEST_ID_MAX);
    let as_of = as_of.map(|as_of| moment(as_of, lists, faults));
    Some((basis?, as_of))
}

/// The lookup of a person that was read.
pub(in crate::api) fn lookup(
    whom: Whom,
    min_version: u64,
    items: &[String],
    as_of: Option<AsOf>,
) -> Lookup {
    let Whom { subject, claims } = whom;
    let relations = items.iter().any(|item| names_others(item));
    let (comparisons, explain, consent) = (0, None, None);
    Lookup { subject, claims, min_version, comparisons, relations, explain, as_of, consent }
}

/// What is asked for: what was known or true before is more than what is current.
pub(super) fn act(as_of: Option<&AsOf>) -> Act {
    if as_of.is_some() { Act::Explain } else { Act::Obtain }
}

/// The moment that is asked about.
fn moment(as_of: &wire_identity::AsOf, lists: &CodeLists, faults: &mut Faults) -> AsOf {
    let known_at_us = as_of.known_time.and_then(wire::micros);
    if as_of.known_time.is_some() && known_at_us.is_none() {
        faults.add("as_of.known_time", Fault::Malformed);
    }
    let day = as_of.valid_date.as_ref();
    let valid_on =
        day.and_then(|day| Reader::new(lists, faults).date("as_of.valid_date", Some(day)));
    if valid_on.is_some_and(|day| day.precision() != Precision::Day) {
        faults.add("as_of.valid_date", Fault::NotWhole);
    }
    if as_of.known_time.is_none() && day.is_none() {
        faults.add("as_of", Fault::Missing);
    }
    AsOf { known_at_us, valid_on }
}

/// A tag that changes with the record and tells nothing of it.
pub(super) fn etag(record: &GoldenRecord) -> String {
    hex::encode(tlog::digest(format!("{}/{}", record.person_id, record.version).as_bytes()))
}

/// The answer.
pub(super) fn answer(
    request_id: &str,
    decision: &Decision,
    looked: &Looked,
    lists: &CodeLists,
) -> GetPersonAnswer {
    let shown = match (looked.finding.ending, &looked.record, &looked.finding.row) {
        (Ending::Shown, Some(record), Some(row)) => Some((record, row)),
        _ => None,
    };
    let outcome = if shown.is_some() { LookupOutcome::Match } else { LookupOutcome::NoMatch };
    let items = shown.map(|(record, row)| outcomes(record, row)).unwrap_or_default();
    let version = shown.map_or(0, |(record, _)| record.version);
    GetPersonAnswer {
        outcome: outcome.into(),
        items: items.iter().map(|told| item_outcome(told, lists)).collect(),
        version,
        etag: shown.map(|(record, _)| etag(record)).unwrap_or_default(),
        answer_time: Some(timestamp(looked.at)),
        valid_until: Some(timestamp(looked.valid_until)),
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request_id.to_owned(),
        known_time: looked.known_at_us.filter(|_| shown.is_some()).map(timestamp_us),
        number_replaced: looked.number_replaced,
        token: looked.token.clone().unwrap_or_default(),
        record_merged: looked.record_merged,
    }
}

/// What became of an item.
pub(in crate::api) fn item_outcome(told: &ItemTold, lists: &CodeLists) -> types::ItemOutcome {
    let held = |values: &[model::HeldValue]| types::HeldValues {
        values: values.iter().map(|value| write_held(value, lists)).collect(),
    };
    let outcome = match &told.outcome {
        ItemOutcome::Value(values) => item_outcome::Outcome::Value(held(values)),
        ItemOutcome::Partial(values) => item_outcome::Outcome::Partial(held(values)),
        ItemOutcome::NotHeld => item_outcome::Outcome::NotHeld(types::NotHeld {}),
        ItemOutcome::UnknownItem => item_outcome::Outcome::UnknownItem(types::UnknownItem {}),
        ItemOutcome::Withheld { rule, legal_basis, article } => {
            item_outcome::Outcome::Withheld(types::Withheld {
                rule: rule.clone(),
                legal_basis: legal_basis.clone(),
                article: article.clone(),
            })
        }
    };
    types::ItemOutcome {
        item: told.item.clone(),
        outcome: Some(outcome),
        obligations: told.obligations.iter().copied().map(wire::obligation).collect(),
    }
}

/// Why an item is withheld.
pub(in crate::api) fn withheld(decided: &ItemDecision) -> types::Withheld {
    types::Withheld {
        rule: decided.rule.clone(),
        legal_basis: decided.legal_basis.clone(),
        article: decided.article.clone(),
    }
}
