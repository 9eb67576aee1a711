//! `ExplainValue`: its request read, its answer written.

use contract::{
    identity::v1::{
        AuthorityRule, ExplainValueAnswer, ExplainValueRequest, ExplainedValue, LookupOutcome,
        ValueStanding,
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use decide::ItemEffect;
use model::{CodeLists, HeldValue, Says, Standing};
use server::error::refuse;
use time::Date;
use tonic::Status;
use wire::{Faults, basis, policy::Decision, subject, timestamp, value::write_held};

use crate::{
    api::REQUEST_ID_MAX,
    app::{Looked, Lookup},
    domain::lookup::{Ending, names_others},
};

/// The lookup in a request; every faulty field is named at once.
pub(super) fn checked<'a>(
    request: &'a ExplainValueRequest,
    lists: &CodeLists,
    today: Date,
) -> Result<(Lookup, &'a AccessBasis), Status> {
    let mut faults = Faults::default();
    let subject = subject::read_named("subject", request.subject.as_ref(), &mut faults);
    let claims = request.claims.as_ref();
    let claims = claims.map(|c| subject::read_claims("claims", c, lists, &mut faults));
    subject::check_born("claims", claims.as_ref().and_then(Option::as_ref), today, &mut faults);
    basis::check_item("item", &request.item, &mut faults);
    let basis = basis::check(request.basis.as_ref(), &mut faults);
    faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(subject), Some(basis)) = (subject, basis) else {
        return Err(refuse(ErrorReason::Internal));
    };
    let min_version = request.min_version;
    let (claims, relations) = (claims.flatten(), names_others(&request.item));
    let explain = Some(request.item.clone());
    // A consent to give a value is none to give everything that was ever said of it.
    let (comparisons, as_of, consent) = (0, None, None);
    let lookup =
        Lookup { subject, claims, min_version, comparisons, relations, explain, as_of, consent };
    Ok((lookup, basis))
}

/// The answer.
pub(super) fn answer(
    request: &ExplainValueRequest,
    decision: &Decision,
    looked: &Looked,
    lists: &CodeLists,
) -> ExplainValueAnswer {
    let shown = looked.record.as_ref().filter(|_| looked.finding.ending == Ending::Shown);
    let outcome = if shown.is_some() { LookupOutcome::Match } else { LookupOutcome::NoMatch };
    let decided = looked.finding.row.as_ref().filter(|_| shown.is_some());
    let decided = decided.and_then(|row| row.items.first());
    let withheld = decided.filter(|decided| decided.effect != ItemEffect::Allowed);
    let explained = looked.explained.as_ref().filter(|_| shown.is_some() && withheld.is_none());
    let value = |(said, standing): &(model::Assertion, Standing)| {
        let (value, provenance) = (said.value.clone(), said.provenance.clone());
        ExplainedValue {
            held: Some(write_held(&HeldValue { value, provenance }, lists)),
            standing: written(*standing).into(),
            version: said.version,
            ended: said.says == Says::Ends,
            event: said.event.map(|event| event.name().to_owned()).unwrap_or_default(),
        }
    };
    let values = explained.map(|explained| explained.said.iter().map(value).collect());
    let rule = explained.and_then(|explained| explained.rules.rule(&request.item));
    ExplainValueAnswer {
        outcome: outcome.into(),
        item: request.item.clone(),
        values: values.unwrap_or_default(),
        rule: rule
            .map(|rule| AuthorityRule { sources: rule.sources.clone(), basis: rule.basis.clone() }),
        authority: explained.map(|explained| explained.rules.id().to_owned()).unwrap_or_default(),
        withheld: withheld.map(super::withheld),
        version: shown.map_or(0, |record| record.version),
        answer_time: Some(timestamp(looked.at)),
        valid_until: Some(timestamp(looked.valid_until)),
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request.request_id.clone(),
        record_merged: looked.record_merged,
    }
}

fn written(standing: Standing) -> ValueStanding {
    match standing {
        Standing::Current => ValueStanding::Current,
        Standing::Outranked => ValueStanding::Outranked,
        Standing::Superseded => ValueStanding::Superseded,
        Standing::Replaced => ValueStanding::Replaced,
        Standing::Annulled => ValueStanding::Annulled,
        Standing::SetAside => ValueStanding::SetAside,
        Standing::Merged => ValueStanding::Merged,
    }
}
