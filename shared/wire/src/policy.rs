//! Asking the policy service, and what it decided, as plain types.

use contract::{
    policy::v1::{
        self as wire, Action, DecideRequest, DecideResponse, GetConnectionRequest, decide_response,
        policy_service_client::PolicyServiceClient,
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use decide::{DecisionTable, ItemDecision, ItemEffect, Obligation, TableAnswer};
use server::{Caller, Channel, Deadline, error::refuse};
use time::OffsetDateTime;

/// The rule by which an item is withheld of which policy demands what is not known here.
const OBLIGATION_UNKNOWN: &str = "obligation-unknown";

/// What the caller wants to do with the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Obtain them (Art. 2(1)).
    Obtain,
    /// Contribute them (Art. 2(2)), by an event of this kind.
    Contribute(&'static str),
    /// Be told whenever they change (Art. 2(1)).
    Follow,
    /// See everything that was said of them (Art. 2(2)).
    Explain,
    /// Have the one person named of whom they are known (Art. 2(1)).
    Resolve,
    /// Have persons listed by them (Art. 2(1)).
    Search,
    /// Have the persons told whom a person's own record names in them (Art. 2(1)).
    Relations,
    /// Have the persons told whose records name a person in them (Art. 2(1)).
    InverseRelations,
    /// Have the persons of a household told, by them (Art. 2(1)).
    Household,
    /// Have persons named by other tokens from now on (Art. 2(1)).
    RotateTokens,
}

/// What policy decided about a caller and a ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Id of the decision.
    pub id: String,
    /// Revision of the policy data.
    pub revision: String,
    /// The caller's connection; empty when it has none.
    pub connection: String,
    /// The database that the connection serves; empty when none.
    pub database: String,
    /// The agreement that was applied; empty when there is none.
    pub agreement: String,
    /// What a caller must know of the person.
    pub claims: ClaimsRule,
    /// When it ends: the earliest end of anything it was built from. In the past where policy names none, so that nobody
    /// keeps it.
    pub valid_until: OffsetDateTime,
    /// The decision itself.
    pub verdict: Result<DecisionTable, Denial>,
}

/// What a caller must know of a person beside the number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClaimsRule {
    /// The number alone names the person.
    pub waived: bool,
    /// A year of birth is enough where the register holds the whole date.
    pub year_suffices: bool,
}

/// Why nothing is allowed, whoever the subject is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The reason.
    pub reason: ErrorReason,
    /// The rule or state that refused.
    pub rule: String,
    /// The article, as cited.
    pub article: String,
}

/// Why there is no decision. Whatever it is, nothing is read (I2).
#[derive(Debug, thiserror::Error)]
pub enum NoDecision {
    /// The policy service did not answer.
    #[error("the policy service did not answer")]
    Away(#[from] tonic::Status),
    /// It answered with something that is no decision about these items.
    #[error("the policy service answered with no decision")]
    Malformed,
}

impl NoDecision {
    /// The error for whoever asked: the deadline it set has passed, or policy is away.
    #[must_use]
    pub fn refusal(&self, deadline: Deadline) -> tonic::Status {
        tracing::error!(error = %self, "no decision");
        let late = matches!(self, Self::Away(status) if deadline.ended(status));
        refuse(if late { ErrorReason::DeadlineExceeded } else { ErrorReason::PolicyUnavailable })
    }
}

/// The way to the policy service.
#[derive(Clone)]
pub struct PolicyClient(PolicyServiceClient<Channel>);

impl PolicyClient {
    /// A client on a channel to the policy service.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self(PolicyServiceClient::new(channel))
    }

    /// Asks what `caller` may do with `items` on a ground.
    ///
    /// # Errors
    /// [`NoDecision`]; the caller of this function must then give nothing.
    pub async fn decide(
        &self,
        deadline: Deadline,
        caller: &Caller,
        act: Act,
        basis: &AccessBasis,
        items: &[String],
    ) -> Result<Decision, NoDecision> {
        let (action, event) = match act {
            Act::Obtain => (Action::Obtain, ""),
            Act::Contribute(event) => (Action::Contribute, event),
            Act::Follow => (Action::Follow, ""),
            Act::Explain => (Action::Explain, ""),
            Act::Resolve => (Action::Resolve, ""),
            Act::Search => (Action::Search, ""),
            Act::Relations => (Action::Relations, ""),
            Act::InverseRelations => (Action::InverseRelations, ""),
            Act::Household => (Action::Household, ""),
            Act::RotateTokens => (Action::RotateTokens, ""),
        };
        let request = DecideRequest {
            caller: caller.id().to_owned(),
            action: action.into(),
            basis: Some(basis.clone()),
            items: items.to_vec(),
            event: event.to_owned(),
        };
        let mut policy = self.0.clone();
        let response = deadline.bounds(policy.decide(deadline.request(request))).await?;
        let response = response.into_inner();
        let mut decided = decision(response, items).ok_or(NoDecision::Malformed)?;
        if act != Act::Obtain
            && let Ok(table) = &mut decided.verdict
        {
            // Nothing else gives values one by one, in a form that says less.
            table.withhold_masked();
        }
        Ok(decided)
    }
}

impl PolicyClient {
    /// Asks which connection `caller` has, for what it may do with whatever it itself brought.
    ///
    /// # Errors
    /// [`NoDecision`]; the caller of this function must then give nothing.
    pub async fn connection(
        &self,
        deadline: Deadline,
        caller: &Caller,
    ) -> Result<Decision, NoDecision> {
        let request = GetConnectionRequest { caller: caller.id().to_owned() };
        let mut policy = self.0.clone();
        let found = deadline.bounds(policy.get_connection(deadline.request(request))).await?;
        let found = found.into_inner();
        let nobody = TableAnswer { visible: true, items: Vec::new() };
        let verdict = match found.denial {
            None if found.connection.is_empty() => return Err(NoDecision::Malformed),
            None => DecisionTable::new(Vec::new(), vec![0], vec![nobody])
                .map_err(|_| NoDecision::Malformed)
                .map(Ok)?,
            Some(denied) => Err(denial(denied).ok_or(NoDecision::Malformed)?),
        };
        Ok(Decision {
            id: found.decision_id,
            revision: found.policy_revision,
            connection: found.connection,
            database: found.database,
            agreement: String::new(),
            claims: ClaimsRule::default(),
            valid_until: OffsetDateTime::UNIX_EPOCH,
            verdict,
        })
    }
}

fn denial(denied: wire::Denial) -> Option<Denial> {
    let reason = ErrorReason::try_from(denied.reason).ok()?;
    Some(Denial { reason, rule: denied.rule, article: denied.article })
}

/// The decision in a response, if it is whole and decides exactly the items asked about (I3).
fn decision(response: DecideResponse, items: &[String]) -> Option<Decision> {
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
