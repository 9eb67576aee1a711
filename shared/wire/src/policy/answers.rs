//! What policy answers, as plain types.

use contract::{
    policy::v1::{self as wire, DecideResponse, GetConnectionResponse, decide_response},
    r#type::v1::ErrorReason,
};
use decide::{DecisionTable, ItemDecision, ItemEffect, Obligation, TableAnswer};
use prost_types::Timestamp;
use time::OffsetDateTime;

use super::{ClaimsRule, Decision, Denial};

/// The rule by which an item is withheld of which policy demands what is not known here.
const OBLIGATION_UNKNOWN: &str = "obligation-unknown";

/// Where policy does not say for how many days an access is sealed: what is told once is told for ever.
const SEALED_UNSAID: u32 = 365;

pub(super) fn denial(denied: wire::Denial) -> Option<Denial> {
    let reason = ErrorReason::try_from(denied.reason).ok()?;
    Some(Denial { reason, rule: denied.rule, article: denied.article })
}

/// How a connection stands, if the response says so.
pub(super) fn connection(found: GetConnectionResponse) -> Option<Decision> {
    let nobody = TableAnswer { visible: true, items: Vec::new() };
    let verdict = match found.denial {
        None if found.connection.is_empty() => return None,
        None => Ok(DecisionTable::new(Vec::new(), vec![0], vec![nobody]).ok()?),
        Some(denied) => Err(denial(denied)?),
    };
    Some(Decision {
        id: found.decision_id,
        revision: found.policy_revision,
        number: found.revision_number,
        connection: found.connection,
        database: found.database,
        agreement: String::new(),
        claims: ClaimsRule::default(),
        valid_until: moment(found.valid_until),
        volume: None,
        purpose: String::new(),
        sealed_days: 0,
        signed_requests: found.signed_requests,
        verdict,
    })
}

/// When something ends; long ago where nobody says when.
fn moment(end: Option<Timestamp>) -> OffsetDateTime {
    let end = end.and_then(|end| OffsetDateTime::from_unix_timestamp(end.seconds).ok());
    end.unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The decision in a response, if it is whole and decides exactly the items asked about (I3).
pub(super) fn decision(response: DecideResponse, items: &[String]) -> Option<Decision> {
    let verdict = match response.decision? {
        decide_response::Decision::Table(found) => {
            let answers: Option<Vec<_>> = found.answers.into_iter().map(answer).collect();
            let table = DecisionTable::new(found.facts, found.rows, answers?).ok()?;
            let about = |answer: &TableAnswer| answer.items.iter().map(|i| &i.item).eq(items);
            if !table.answers().iter().all(about) {
                return None;
            }
            Ok(table)
        }
        decide_response::Decision::Denial(denied) => Err(denial(denied)?),
    };
    let claims = response.claims.unwrap_or_default();
    let year_suffices = claims.year_suffices;
    let valid_until = moment(response.valid_until);
    Some(Decision {
        id: response.decision_id,
        revision: response.policy_revision,
        number: response.revision_number,
        connection: response.connection,
        database: response.database,
        agreement: response.agreement,
        claims: ClaimsRule { waived: claims.waived, year_suffices },
        valid_until,
        volume: response.volume.map(|volume| volume.grant),
        purpose: response.purpose,
        sealed_days: response.sealed_days.unwrap_or(SEALED_UNSAID),
        signed_requests: response.signed_requests,
        verdict,
    })
}

fn answer(answer: wire::TableAnswer) -> Option<TableAnswer> {
    let item = |item: wire::ItemDecision| {
        let effect = match wire::ItemEffect::try_from(item.effect).ok()? {
            wire::ItemEffect::Allowed => ItemEffect::Allowed,
            wire::ItemEffect::UnknownItem => ItemEffect::UnknownItem,
            // Not stated counts as withheld (I2).
            wire::ItemEffect::Withheld | wire::ItemEffect::Unspecified => ItemEffect::Withheld,
        };
        let wire::ItemDecision { item, rule, legal_basis, article, obligations, .. } = item;
        // What is not understood cannot be kept.
        let read: Result<Vec<Obligation>, _> = obligations.iter().map(|o| o.parse()).collect();
        let (effect, rule, obligations) = match read {
            Ok(obligations) => (effect, rule, obligations),
            Err(_) => (ItemEffect::Withheld, OBLIGATION_UNKNOWN.to_owned(), Vec::new()),
        };
        Some(ItemDecision { item, effect, rule, legal_basis, article, obligations })
    };
    let items: Option<Vec<_>> = answer.items.into_iter().map(item).collect();
    Some(TableAnswer { visible: answer.visible, items: items? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn response(item: &str, effect: i32) -> DecideResponse {
        let items =
            vec![wire::ItemDecision { item: item.into(), effect, ..wire::ItemDecision::default() }];
        let answers = vec![wire::TableAnswer { visible: true, items }];
        let table = wire::DecisionTable { facts: Vec::new(), rows: vec![0], answers };
        let decision = Some(decide_response::Decision::Table(table));
        DecideResponse { decision, ..DecideResponse::default() }
    }

    #[test]
    fn i2_what_is_no_decision_about_these_items_is_none() {
        let asked = ["sex".to_owned()];
        assert!(decision(DecideResponse::default(), &asked).is_none());
        assert!(decision(response("religion", 1), &asked).is_none());
        assert!(decision(response("sex", 9), &asked).is_none());
        let stated = |effect| {
            let table = decision(response("sex", effect), &asked)?.verdict.ok()?;
            Some(table.allows_anything())
        };
        assert_eq!(stated(1), Some(true));
        assert_eq!(stated(0), Some(false));
    }

    #[test]
    fn i2_an_access_of_which_policy_does_not_say_whether_it_is_sealed_is() {
        let sealed = |said| {
            let response = DecideResponse { sealed_days: said, ..response("sex", 1) };
            decision(response, &["sex".to_owned()]).unwrap().sealed_days
        };
        assert_eq!((sealed(None), sealed(Some(0)), sealed(Some(7))), (SEALED_UNSAID, 0, 7));
    }

    #[test]
    fn i2_an_item_with_an_obligation_that_is_not_known_is_withheld() {
        let asked = ["sex".to_owned()];
        let with = |obligation: &str| {
            let mut response = response("sex", 1);
            let Some(decide_response::Decision::Table(table)) = &mut response.decision else {
                return None;
            };
            table.answers.first_mut()?.items.first_mut()?.obligations = vec![obligation.to_owned()];
            let table = decision(response, &asked)?.verdict.ok()?;
            table.resolve(|_| decide::Fact::False).items.pop()
        };
        let known = with("max-age=60").unwrap();
        assert_eq!(known.obligations, [Obligation::MaxAge(60)]);
        assert_eq!(known.effect, ItemEffect::Allowed);
        let unknown = with("tell-the-citizen").unwrap();
        assert_eq!((unknown.effect, &*unknown.rule), (ItemEffect::Withheld, OBLIGATION_UNKNOWN));
        assert!(unknown.obligations.is_empty());
    }
}
