//! Which responses carry personal data, and the answer that is in each.

use contract::{
    audit::v1::{CountAccessesAnswer, CountAccessesResponse},
    contribution::v1::{
        ContributionReceipt, GetConflictAnswer, GetConflictResponse, HandOverConflictAnswer,
        HandOverConflictResponse, IngestResponse, ListConflictsAnswer, ListConflictsResponse,
        ListOutcomesAnswer, ListOutcomesResponse, ListQualityAnswer, ListQualityResponse,
        SubmitContributionResponse, WithdrawContributionAnswer, WithdrawContributionResponse,
    },
    identity::v1::{
        ConsentAnswer, ExplainValueAnswer, ExplainValueResponse, FollowPersonsResponse,
        FollowedAnswer, FoundPerson, GetConsentResponse, GetHouseholdAnswer, GetHouseholdResponse,
        GetPersonAnswer, GetPersonResponse, ListAccessesAnswer, ListAccessesResponse,
        ListRelationsAnswer, ListRelationsResponse, ListedPerson, MemberOfHousehold, PersonChange,
        PersonRelation, RecordConsentResponse, RecordedListedPerson, RecordedMember,
        RecordedPerson, RecordedPersonChange, RecordedRelation, ResolvePersonAnswer,
        ResolvePersonResponse, RotateTokensAnswer, RotateTokensResponse, SearchPersonsAnswer,
        SearchPersonsResponse, UnfollowPersonsResponse, VerifyClaimsAnswer, VerifyClaimsResponse,
        WithdrawConsentResponse,
    },
    policy::v1::{
        ExplainDecisionAnswer, ExplainDecisionResponse, GetAdmissionAnswer, GetAdmissionResponse,
        GetAgreementAnswer, GetAgreementResponse, GetRuleSetAnswer, GetRuleSetResponse,
        ListAdmissionsAnswer, ListAdmissionsResponse, ListAgreementsAnswer, ListAgreementsResponse,
        ListReadinessAnswer, ListReadinessResponse, ListRuleSetsAnswer, ListRuleSetsResponse,
        MoveAgreementAnswer, MoveAgreementResponse, MoveConnectionAnswer, MoveConnectionResponse,
        MoveRuleSetAnswer, MoveRuleSetResponse, SimulateAnswer, SimulateResponse, WhatMayIAnswer,
        WhatMayIResponse,
    },
    register::v1::{
        ApplyAnswer, ApplyResponse, FollowedChange, GetDisagreementAnswer, GetDisagreementResponse,
        ListVisibleAnswer, ListVisibleResponse, RecordedChange,
    },
};
use prost::Message;

/// A response that carries personal data: `{ <answer> answer = 1; Receipt receipt = 2; }`.
pub trait Proven {
    /// The message in field 1.
    type Answer: Message;
}

macro_rules! proven {
    ($($response:ty => $answer:ty,)*) => {
        $(impl Proven for $response {
            type Answer = $answer;
        })*
    };
}

proven! {
    GetPersonResponse => GetPersonAnswer,
    VerifyClaimsResponse => VerifyClaimsAnswer,
    ExplainDecisionResponse => ExplainDecisionAnswer,
    WhatMayIResponse => WhatMayIAnswer,
    ExplainValueResponse => ExplainValueAnswer,
    ResolvePersonResponse => ResolvePersonAnswer,
    SearchPersonsResponse => SearchPersonsAnswer,
    RecordedPerson => FoundPerson,
    ListRelationsResponse => ListRelationsAnswer,
    RecordedRelation => PersonRelation,
    GetHouseholdResponse => GetHouseholdAnswer,
    ListAccessesResponse => ListAccessesAnswer,
    RecordedMember => MemberOfHousehold,
    RotateTokensResponse => RotateTokensAnswer,
    CountAccessesResponse => CountAccessesAnswer,
    ApplyResponse => ApplyAnswer,
    GetDisagreementResponse => GetDisagreementAnswer,
    ListVisibleResponse => ListVisibleAnswer,
    WithdrawContributionResponse => WithdrawContributionAnswer,
    ListOutcomesResponse => ListOutcomesAnswer,
    ListConflictsResponse => ListConflictsAnswer,
    GetConflictResponse => GetConflictAnswer,
    HandOverConflictResponse => HandOverConflictAnswer,
    ListQualityResponse => ListQualityAnswer,
    IngestResponse => ContributionReceipt,
    SubmitContributionResponse => ContributionReceipt,
    RecordedChange => FollowedChange,
    RecordedPersonChange => PersonChange,
    RecordedListedPerson => ListedPerson,
    RecordConsentResponse => ConsentAnswer,
    WithdrawConsentResponse => ConsentAnswer,
    GetConsentResponse => ConsentAnswer,
    FollowPersonsResponse => FollowedAnswer,
    UnfollowPersonsResponse => FollowedAnswer,
    MoveConnectionResponse => MoveConnectionAnswer,
    GetAdmissionResponse => GetAdmissionAnswer,
    ListAdmissionsResponse => ListAdmissionsAnswer,
    ListReadinessResponse => ListReadinessAnswer,
    MoveAgreementResponse => MoveAgreementAnswer,
    GetAgreementResponse => GetAgreementAnswer,
    ListAgreementsResponse => ListAgreementsAnswer,
    MoveRuleSetResponse => MoveRuleSetAnswer,
    GetRuleSetResponse => GetRuleSetAnswer,
    ListRuleSetsResponse => ListRuleSetsAnswer,
    SimulateResponse => SimulateAnswer,
}
