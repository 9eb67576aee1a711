//! `VerifyClaims`: its request read, its answer written.

use contract::{
    identity::v1::{
        ClaimOutcome as WireOutcome, ClaimResult, LookupOutcome, VerifyClaimsAnswer,
        VerifyClaimsRequest,
    },
    r#type::v1::{AccessBasis, ErrorReason, Withheld},
};
use model::{Agreement, CodeLists, Value};
use server::error::refuse;
use time::Date;
use tonic::Status;
use wire::{Faults, basis, policy::Decision, subject, timestamp, value::Reader};

use super::get_person::etag;
use crate::{
    api::REQUEST_ID_MAX,
    app::{Looked, Lookup},
    domain::lookup::{ClaimOutcome, Ending, names_others, verdicts},
};

/// A request of the right form.
pub(super) struct Checked<'a> {
    /// The lookup.
    pub(super) lookup: Lookup,
    /// The ground.
    pub(super) basis: &'a AccessBasis,
    /// The items, and the value claimed of each.
    pub(super) items: Vec<String>,
    /// See `items`.
    pub(super) values: Vec<Value>,
}

/// Reads a request; every faulty field is named at once.
pub(super) fn checked<'a>(
    request: &'a VerifyClaimsRequest,
    lists: &CodeLists,
    today: Date,
) -> Result<Checked<'a>, Status> {
    let mut faults = Faults::default();
    let subject = subject::read_named("subject", request.subject.as_ref(), &mut faults);
    let claims = request.claims.as_ref();
    let claims = claims.map(|c| subject::read_claims("claims", c, lists, &mut faults));
    subject::check_born("claims", claims.as_ref().and_then(Option::as_ref), today, &mut faults);
    let items: Vec<String> = request.claimed_values.iter().map(|c| c.item.clone()).collect();
    basis::check_item_fields("claimed_values", ".item", &items, &mut faults);
    let mut values = Vec::new();
    for (place, claimed) in request.claimed_values.iter().take(basis::ITEMS_MAX).enumerate() {
        let field = format!("claimed_values[{place}].value");
        values.extend(Reader::new(lists, &mut faults).value(&field, claimed.value.as_ref()));
    }
    let basis = basis::check(request.basis.as_ref(), &mut faults);
    faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(subject), Some(basis)) = (subject, basis) else {
        return Err(refuse(ErrorReason::Internal));
    };
    let comparisons = u32::try_from(values.len()).unwrap_or(u32::MAX);
    let min_version = request.min_version;
    let (claims, relations) = (claims.flatten(), items.iter().any(|i| names_others(i)));
    let lookup =
        Lookup { subject, claims, min_version, comparisons, relations, explain: None, as_of: None };
    Ok(Checked { lookup, basis, items, values })
}

/// The answer.
pub(super) fn answer(
    request: &VerifyClaimsRequest,
    decision: &Decision,
    looked: &Looked,
    values: &[Value],
) -> VerifyClaimsAnswer {
    let (outcome, results) = match (looked.finding.ending, &looked.record, &looked.finding.row) {
        (Ending::Shown, Some(record), Some(row)) => {
            let results = verdicts(record, row, values, decision.claims.year_suffices);
            (LookupOutcome::Match, results)
        }
        _ => (LookupOutcome::NoMatch, Vec::new()),
    };
    let shown = looked.record.as_ref().filter(|_| looked.finding.ending == Ending::Shown);
    VerifyClaimsAnswer {
        outcome: outcome.into(),
        results: results.into_iter().map(|(item, outcome)| result(item, outcome)).collect(),
        answer_time: Some(timestamp(looked.at)),
        valid_until: Some(timestamp(looked.valid_until)),
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request.request_id.clone(),
        version: shown.map_or(0, |record| record.version),
        etag: shown.map(etag).unwrap_or_default(),
        number_replaced: looked.number_replaced,
        record_merged: looked.record_merged,
    }
}

fn result(item: String, outcome: ClaimOutcome) -> ClaimResult {
    let (outcome, denied) = match outcome {
        ClaimOutcome::Held(Agreement::Match) => (WireOutcome::Match, None),
        ClaimOutcome::Held(Agreement::Mismatch) => (WireOutcome::Mismatch, None),
        ClaimOutcome::Held(Agreement::Indeterminate) => (WireOutcome::Indeterminate, None),
        ClaimOutcome::NotHeld => (WireOutcome::NotHeld, None),
        ClaimOutcome::UnknownItem => (WireOutcome::UnknownItem, None),
        ClaimOutcome::Denied { rule, legal_basis, article } => {
            (WireOutcome::Denied, Some(Withheld { rule, legal_basis, article }))
        }
    };
    ClaimResult { item, outcome: outcome.into(), denied }
}
