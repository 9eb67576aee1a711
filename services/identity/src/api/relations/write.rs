//! The answers of `RelationService`.

use contract::{
    identity::v1::{
        GetHouseholdAnswer, GetHouseholdRequest, HouseholdEvidence, ListRelationsAnswer,
        ListRelationsRequest, LookupOutcome, MemberOfHousehold, PersonRelation, RelationDirection,
    },
    r#type::v1 as types,
};
use model::{CodeLists, GoldenRecord};
use wire::{
    policy::Decision,
    timestamp,
    value::{write_kind, write_provenance},
};

use crate::{
    api::identity::{item_outcome, withheld},
    app::{Direction, Household, Looked, Told},
    domain::{
        lookup::{Ending, ItemTold},
        relations::{Evidence, Member, Related},
    },
};

/// What was found of the relations of a person.
pub(super) fn relations(
    request: &ListRelationsRequest,
    decision: &Decision,
    told: &Told<Related>,
) -> ListRelationsAnswer {
    let looked = &told.looked;
    ListRelationsAnswer {
        outcome: outcome(looked).into(),
        listed: count(&told.others),
        truncated: told.truncated,
        withheld: told.withheld.as_ref().map(withheld),
        version: shown(looked).map_or(0, |record| record.version),
        number_replaced: looked.number_replaced,
        answer_time: Some(timestamp(looked.at)),
        valid_until: Some(timestamp(looked.valid_until)),
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request.request_id.clone(),
    }
}

/// One relation.
pub(super) fn relation(
    related: &Related,
    direction: Direction,
    token: String,
    lists: &CodeLists,
) -> PersonRelation {
    let direction = match direction {
        Direction::Forward => RelationDirection::Forward,
        Direction::Inverse => RelationDirection::Inverse,
    };
    PersonRelation {
        direction: direction.into(),
        kind: write_kind(related.kind).into(),
        token,
        items: items(&related.other.items, lists),
        provenance: Some(write_provenance(&related.other.provenance)),
    }
}

/// What was found of the household of a person.
pub(super) fn household(
    request: &GetHouseholdRequest,
    decision: &Decision,
    household: &Household,
    lists: &CodeLists,
) -> GetHouseholdAnswer {
    let Household { told, head, items: of_subject } = household;
    let looked = &told.looked;
    GetHouseholdAnswer {
        outcome: outcome(looked).into(),
        head: *head,
        items: items(of_subject, lists),
        listed: count(&told.others),
        truncated: told.truncated,
        withheld: told.withheld.as_ref().map(withheld),
        version: shown(looked).map_or(0, |record| record.version),
        number_replaced: looked.number_replaced,
        answer_time: Some(timestamp(looked.at)),
        valid_until: Some(timestamp(looked.valid_until)),
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request.request_id.clone(),
    }
}

/// One member.
pub(super) fn member(member: &Member, token: String, lists: &CodeLists) -> MemberOfHousehold {
    let evidence = match member.evidence {
        Evidence::NamedBySubject => HouseholdEvidence::NamedBySubject,
        Evidence::NamesSubject => HouseholdEvidence::NamesSubject,
        Evidence::ThroughHead => HouseholdEvidence::ThroughHead,
        Evidence::ResidenceFile => HouseholdEvidence::ResidenceFile,
    };
    MemberOfHousehold {
        token,
        head: member.head,
        evidence: evidence.into(),
        items: items(&member.other.items, lists),
        provenance: Some(write_provenance(&member.other.provenance)),
    }
}

fn items(items: &[ItemTold], lists: &CodeLists) -> Vec<types::ItemOutcome> {
    items.iter().map(|told| item_outcome(told, lists)).collect()
}

fn outcome(looked: &Looked) -> LookupOutcome {
    if shown(looked).is_some() { LookupOutcome::Match } else { LookupOutcome::NoMatch }
}

fn shown(looked: &Looked) -> Option<&GoldenRecord> {
    looked.record.as_ref().filter(|_| looked.finding.ending == Ending::Shown)
}

fn count<T>(others: &[T]) -> u32 {
    u32::try_from(others.len()).unwrap_or(u32::MAX)
}
