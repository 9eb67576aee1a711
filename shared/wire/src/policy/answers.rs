//! What policy answers, as plain types.

use contract::{
    policy::v1::{self as wire, DecideResponse, GetConnectionResponse, decide_response},
    r#type::v1::ErrorReason,
};
use decide::{DecisionTable, ItemDecision, ItemEffect, TableAnswer};
use time::OffsetDateTime;

use super::{ClaimsRule, Decision, Denial};

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
        valid_until: OffsetDateTime::UNIX_EPOCH,
        verdict,
    })
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
    let valid_until = response
        .valid_until
        .and_then(|until| OffsetDateTime::from_unix_timestamp(until.seconds).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    Some(Decision {
        id: response.decision_id,
        revision: response.policy_revision,
        number: response.revision_number,
        connection: response.connection,
        database: response.database,
        agreement: response.agreement,
        claims: ClaimsRule { waived: claims.waived, year_suffices },
        valid_until,
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
        let wire::ItemDecision { item, rule, legal_basis, article, .. } = item;
        Some(ItemDecision { item, effect, rule, legal_basis, article })
    };
    let items: Option<Vec<_>> = answer.items.into_iter().map(item).collect();
    Some(TableAnswer { visible: answer.visible, items: items? })
}

#[cfg(test)]
mod tests {
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
}
