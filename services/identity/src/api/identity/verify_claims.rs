//! `VerifyClaims`: its request read, its answer written.

use std::sync::Arc;

use contract::{
    identity::v1::{
        ClaimOutcome as WireOutcome, ClaimResult, LookupOutcome, VerifyClaimsAnswer,
        VerifyClaimsRequest,
    },
    r#type::v1::{AccessBasis, ErrorReason, Withheld},
};
use decide::{DecisionTable, ItemDecision, MASKED, Obligation};
use model::{Agreement, CodeLists, Value};
use server::error::refuse;
use time::Date;
use tonic::Status;
use wire::{
    Faults, basis,
    policy::{Decision, Denial},
    subject, timestamp,
    value::Reader,
};

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
    let (explain, as_of, consent) = (None, None, None);
    let lookup =
        Lookup { subject, claims, min_version, comparisons, relations, explain, as_of, consent };
    Ok(Checked { lookup, basis, items, values })
}

/// A decision as it is about comparing. Whether the whole value agrees says more than a form of it, so of what only a form is
/// allowed of nothing is said, and no record says that anything was.
pub(super) fn comparing(decision: Arc<Decision>) -> Arc<Decision> {
    let masks = |item: &ItemDecision| item.mask().is_some();
    let given =
        |table: &DecisionTable| table.answers().iter().flat_map(|answer| &answer.items).any(masks);
    if !decision.verdict.as_ref().is_ok_and(given) {
        return decision;
    }
    let mut decision = Arc::unwrap_or_clone(decision);
    if let Ok(table) = &mut decision.verdict {
        table.withhold_masked();
        if !table.allows_anything() {
            let mut items = table.answers().iter().flat_map(|answer| &answer.items);
            let masked = items.find(|item| item.rule == MASKED);
            let article = masked.map(|item| item.article.clone()).unwrap_or_default();
            let reason = ErrorReason::NothingAllowed;
            decision.verdict = Err(Denial { reason, rule: MASKED.to_owned(), article });
        }
    }
    Arc::new(decision)
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
        results: results.into_iter().map(result).collect(),
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

fn result((item, outcome, obligations): (String, ClaimOutcome, Vec<Obligation>)) -> ClaimResult {
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
    let obligations = obligations.into_iter().map(wire::obligation).collect();
    ClaimResult { item, outcome: outcome.into(), denied, obligations }
}
