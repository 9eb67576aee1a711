//! A call of every method of agencies that tells of somebody, as it would be answered.

use contract::{
    contribution::v1::{
        ConflictRole, GetConflictRequest, HandOverConflictRequest, ListConflictsRequest,
        ListOutcomesRequest, ListQualityRequest, WithdrawContributionRequest,
    },
    identity::v1::{
        ClaimedValue, ConsentChannel, ConsentRecipient, ExplainValueRequest, FollowPersonsRequest,
        FurtherFacts, GetConsentRequest, GetHouseholdRequest, GetPersonRequest,
        ListAccessesRequest, ListPersonChangesRequest, ListPersonsRequest, ListRelationsRequest,
        NameLevel, RecordConsentRequest, RelationDirection, ResolvePersonRequest,
        RotateTokensRequest, SearchPersonsRequest, UnfollowPersonsRequest, VerifyClaimsRequest,
        WatchPersonChangesRequest, WithdrawConsentRequest,
    },
    r#type::v1::{AccessBasis, Claims, ItemValue, item_value},
};
use lienthong::demo;
use prost::Message;
use prost_types::Timestamp;
use tests::{
    events,
    people::by_number,
    whole::{Whole, born, full_name},
    world::NOW,
};

/// The method, who makes it, and the request.
pub(super) type Call = (&'static str, &'static str, Vec<u8>);

const CORRECTION: &str = "civil-status-correction";

fn ground(procedure: &str, unit: &str) -> Option<AccessBasis> {
    Some(demo::basis(procedure, "1911-2021-art-2-1", unit))
}

fn own_record() -> Option<AccessBasis> {
    Some(demo::basis("own-record", "circular-46-2022-art-12", "Z03.DEMO.CONGDVC"))
}

fn claims(whole: &Whole) -> Option<Claims> {
    let person = whole.person(false);
    let born = born(person);
    let date = events::date(born.year(), born.month().into(), born.day().into());
    Some(Claims { full_name: full_name(person).to_owned(), date_of_birth: date })
}

fn items(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// What the register is asked about a person.
pub(super) fn lookups(whole: &Whole) -> Vec<Call> {
    let subject = || by_number(whole.person(false).number.as_str());
    let (claims, id) = (|| claims(whole), || "r-1".to_owned());
    let upkeep = || ground("database-upkeep", "Z02.DEMO.BHXH");
    let correction = || ground(CORRECTION, "Z01.DEMO.HOTICH");
    let name = full_name(whole.person(false)).to_owned();
    let sex =
        ItemValue { value: Some(item_value::Value::Coded(events::code("sex", "1", "2").unwrap())) };
    let get = GetPersonRequest {
        subject: subject(),
        claims: claims(),
        items: items(&["birth_full_name"]),
        basis: correction(),
        request_id: id(),
        ..Default::default()
    };
    let verify = VerifyClaimsRequest {
        subject: subject(),
        claims: claims(),
        claimed_values: vec![ClaimedValue { item: "sex".to_owned(), value: Some(sex) }],
        basis: correction(),
        request_id: id(),
        ..Default::default()
    };
    let explain = ExplainValueRequest {
        subject: subject(),
        claims: claims(),
        item: "sex".to_owned(),
        basis: correction(),
        request_id: id(),
        ..Default::default()
    };
    let relations = ListRelationsRequest {
        subject: subject(),
        claims: claims(),
        direction: RelationDirection::Forward.into(),
        items: items(&["birth_full_name"]),
        basis: correction(),
        request_id: id(),
        ..Default::default()
    };
    let household = GetHouseholdRequest {
        subject: subject(),
        claims: claims(),
        items: items(&["birth_full_name"]),
        basis: ground("household-change", "Z05.DEMO.CUTRU"),
        request_id: id(),
        ..Default::default()
    };
    let born = born(whole.person(false)).year();
    let resolve = ResolvePersonRequest {
        full_name: name.clone(),
        date_of_birth: claims().unwrap().date_of_birth,
        further: Some(FurtherFacts {
            parent_full_name: "Trần Giả Định Thu Hà".to_owned(),
            ..Default::default()
        }),
        basis: correction(),
        request_id: id(),
        ..Default::default()
    };
    let search = SearchPersonsRequest {
        full_name: name,
        name_level: NameLevel::Exact.into(),
        birth_year_from: born,
        birth_year_to: born,
        page_size: 1,
        basis: correction(),
        request_id: id(),
        ..Default::default()
    };
    let rotate = RotateTokensRequest {
        idempotency_key: "k-1".to_owned(),
        basis: upkeep(),
        request_id: id(),
        ..Default::default()
    };
    let accesses = ListAccessesRequest {
        subject: subject(),
        claims: claims(),
        basis: own_record(),
        request_id: id(),
        ..Default::default()
    };
    vec![
        ("/lienthong.identity.v1.IdentityService/GetPerson", "civil-status", get.encode_to_vec()),
        (
            "/lienthong.identity.v1.IdentityService/VerifyClaims",
            "civil-status",
            verify.encode_to_vec(),
        ),
        (
            "/lienthong.identity.v1.IdentityService/ExplainValue",
            "civil-status",
            explain.encode_to_vec(),
        ),
        (
            "/lienthong.identity.v1.RelationService/ListRelations",
            "civil-status",
            relations.encode_to_vec(),
        ),
        (
            "/lienthong.identity.v1.RelationService/GetHousehold",
            "residence",
            household.encode_to_vec(),
        ),
        (
            "/lienthong.identity.v1.SearchService/ResolvePerson",
            "civil-status",
            resolve.encode_to_vec(),
        ),
        (
            "/lienthong.identity.v1.SearchService/SearchPersons",
            "civil-status",
            search.encode_to_vec(),
        ),
        (
            "/lienthong.identity.v1.TokenService/RotateTokens",
            "social-insurance",
            rotate.encode_to_vec(),
        ),
        (
            "/lienthong.identity.v1.AccessHistoryService/ListAccesses",
            "portal",
            accesses.encode_to_vec(),
        ),
    ]
}

/// What is followed, and what persons consent to.
pub(super) fn standing(whole: &Whole) -> Vec<Call> {
    let upkeep = || ground("database-upkeep", "Z02.DEMO.BHXH");
    let (wanted, id) = (|| items(&["birth_full_name"]), || "r-1".to_owned());
    let changes = ListPersonChangesRequest {
        basis: upkeep(),
        items: wanted(),
        page_size: 1,
        ..Default::default()
    };
    let watch = WatchPersonChangesRequest {
        basis: upkeep(),
        items: wanted(),
        heartbeat_seconds: 1,
        ..Default::default()
    };
    let persons =
        ListPersonsRequest { basis: upkeep(), items: wanted(), page_size: 1, ..Default::default() };
    let tokens = || vec!["token-1".to_owned()];
    let follow = FollowPersonsRequest {
        basis: upkeep(),
        items: wanted(),
        tokens: tokens(),
        request_id: id(),
    };
    let unfollow = UnfollowPersonsRequest {
        basis: upkeep(),
        items: wanted(),
        tokens: tokens(),
        request_id: id(),
    };
    let end = (NOW + time::Duration::minutes(5)).unix_timestamp();
    let consent = RecordConsentRequest {
        subject: by_number(whole.person(false).number.as_str()),
        claims: claims(whole),
        items: items(&["sex"]),
        basis: own_record(),
        recipient: Some(ConsentRecipient {
            agency: "Z03.DEMO.CONGDVC".to_owned(),
            system: "dvc".to_owned(),
        }),
        end_time: Some(Timestamp { seconds: end, nanos: 0 }),
        channel: ConsentChannel::OwnApp.into(),
        notice_version: "notice-1".to_owned(),
        idempotency_key: "k-1".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    let reference = || "consent-1".to_owned();
    let withdraw = WithdrawConsentRequest {
        consent_reference: reference(),
        basis: own_record(),
        request_id: id(),
    };
    let shown =
        GetConsentRequest { consent_reference: reference(), basis: own_record(), request_id: id() };
    vec![
        (
            "/lienthong.identity.v1.ChangeFeedService/ListPersonChanges",
            "social-insurance",
            changes.encode_to_vec(),
        ),
        (
            "/lienthong.identity.v1.ChangeFeedService/WatchPersonChanges",
            "social-insurance",
            watch.encode_to_vec(),
        ),
        (
            "/lienthong.identity.v1.ChangeFeedService/ListPersons",
            "social-insurance",
            persons.encode_to_vec(),
        ),
        (
            "/lienthong.identity.v1.ChangeFeedService/FollowPersons",
            "social-insurance",
            follow.encode_to_vec(),
        ),
        (
            "/lienthong.identity.v1.ChangeFeedService/UnfollowPersons",
            "social-insurance",
            unfollow.encode_to_vec(),
        ),
        ("/lienthong.identity.v1.ConsentService/RecordConsent", "portal", consent.encode_to_vec()),
        (
            "/lienthong.identity.v1.ConsentService/WithdrawConsent",
            "portal",
            withdraw.encode_to_vec(),
        ),
        ("/lienthong.identity.v1.ConsentService/GetConsent", "portal", shown.encode_to_vec()),
    ]
}

/// What is contributed, and what became of it.
pub(super) fn contributions() -> Vec<Call> {
    let id = || "r-1".to_owned();
    let submit = events::birth("entry-1", "Trần Giả Định Bảo An");
    let withdraw =
        WithdrawContributionRequest { idempotency_key: "k-1".to_owned(), request_id: id() };
    let outcomes = ListOutcomesRequest { request_id: id(), ..Default::default() };
    let conflicts = ListConflictsRequest {
        role: ConflictRole::Owner.into(),
        request_id: id(),
        ..Default::default()
    };
    let conflict = GetConflictRequest {
        conflict_id: "c-1".to_owned(),
        item: "sex".to_owned(),
        basis: Some(events::ground("conflict-resolution", "Z01.DEMO.HOTICH")),
        request_id: id(),
    };
    let hand_over = HandOverConflictRequest {
        conflict_id: "c-1".to_owned(),
        message: "xin xem lại".to_owned(),
        request_id: id(),
    };
    let quality = ListQualityRequest {
        from_month: "2026-11".to_owned(),
        to_month: "2026-11".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    vec![
        (
            "/lienthong.contribution.v1.ContributionService/SubmitContribution",
            "civil-status",
            submit.encode_to_vec(),
        ),
        (
            "/lienthong.contribution.v1.ContributionService/WithdrawContribution",
            "civil-status",
            withdraw.encode_to_vec(),
        ),
        (
            "/lienthong.contribution.v1.ContributionService/ListOutcomes",
            "civil-status",
            outcomes.encode_to_vec(),
        ),
        (
            "/lienthong.contribution.v1.ConflictService/ListConflicts",
            "civil-status",
            conflicts.encode_to_vec(),
        ),
        (
            "/lienthong.contribution.v1.ConflictService/GetConflict",
            "civil-status",
            conflict.encode_to_vec(),
        ),
        (
            "/lienthong.contribution.v1.ConflictService/HandOverConflict",
            "civil-status",
            hand_over.encode_to_vec(),
        ),
        (
            "/lienthong.contribution.v1.QualityService/ListQuality",
            "civil-status",
            quality.encode_to_vec(),
        ),
    ]
}
