//! Contributions that are annulled: they count as never made, and what was known before does not change.

use contract::identity::v1::{AsOf, ExplainValueRequest, LookupOutcome, ValueStanding};
use tests::events::{annulment, correction, date, death, ground, name, residence};

use super::*;

on_both_engines!(
    a_death_that_was_annulled_was_none,
    i6_what_was_annulled_was_known_before_and_is_explained,
    i5_what_annulled_can_be_annulled,
    the_number_of_a_birth_that_was_annulled_is_cancelled,
    what_a_source_has_not_contributed_it_cannot_annul,
    i4_an_annulment_is_one_contribution,
    i2_what_may_not_be_contributed_cannot_be_annulled,
);

const DEATH: [&str; 1] = ["death_or_missing_date"];
const BIRTH: [&str; 9] = [
    "birth_full_name",
    "date_of_birth",
    "sex",
    "place_of_birth",
    "birth_registration_place",
    "native_place",
    "ethnic_group",
    "nationality",
    "family_relations",
];
const OTHER: &str = "Trần Giả Định Bảo Ân";

async fn child(whole: &Whole) -> String {
    submit(&whole.client("civil-status"), &birth("b-1", CHILD)).await.answer.personal_number
}

fn reasons(refused: &Refused) -> Vec<&str> {
    assert_eq!(refused.reason, "CONTRIBUTION_REJECTED", "{refused:?}");
    refused.unmet.iter().map(|(reason, _)| reason.as_str()).collect()
}

/// The name of the child is corrected to [`OTHER`].
fn renamed(number: &str) -> SubmitContributionRequest {
    let value = item_value::Value::Name(name(OTHER).unwrap());
    correction("c-1", about(number, CHILD, BORN), "birth_full_name", value, date(2026, 3, 1))
}

/// Whether somebody is found under a name.
async fn known_as(whole: &Whole, number: &str, name: &str) -> bool {
    let found = look(whole, number, name, BORN, &["birth_full_name"], 0).await.answer;
    found.outcome() == LookupOutcome::Match
}

async fn a_death_that_was_annulled_was_none(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let client = whole.client("civil-status");
    submit(&client, &death("d-1", about(&number, CHILD, BORN))).await;
    let moved = |key: &str| residence(key, about(&number, CHILD, BORN), "Số 7");
    let refused = refuse(&whole.client("residence"), &moved("r-1")).await;
    assert_eq!(reasons(&refused), ["PERSON_DECEASED"]);
    let annulled = submit(&client, &annulment("a-1", "death-registration", "d-1", &DEATH)).await;
    assert!(annulled.answer.personal_number.is_empty() && annulled.answer.version > 0);
    submit(&whole.client("residence"), &moved("r-2")).await;
    // Who lives can die.
    submit(&client, &death("d-2", about(&number, CHILD, BORN))).await;
    let sql = "SELECT COUNT(*) FROM change WHERE items = '[\"death_or_missing_date\"]'";
    assert_eq!(whole.count("identity", sql).await, 3, "death, annulment, death");
    whole.persons().await;
    whole.all.stop().await;
}

async fn i6_what_was_annulled_was_known_before_and_is_explained(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let client = whole.client("civil-status");
    let renamed = submit(&client, &renamed(&number)).await.answer;
    let items = ["birth_full_name"];
    let annulled = annulment("a-1", "civil-status-correction", "c-1", &items);
    submit(&client, &annulled).await;
    assert!(known_as(&whole, &number, CHILD).await && !known_as(&whole, &number, OTHER).await);
    let basis = AccessBasis {
        legal_basis: "1911-2021-art-2-1".to_owned(),
        ..ground("civil-status-correction", "Z01.DEMO.HOTICH")
    };
    let (subject, claims) = about(&number, CHILD, BORN);
    let question = ExplainValueRequest {
        subject: Some(subject.clone()),
        claims: Some(claims.clone()),
        item: items[0].to_owned(),
        basis: Some(basis.clone()),
        request_id: "r-1".to_owned(),
        min_version: 0,
    };
    let told = client.explain_value(&question).await.unwrap().unwrap_or_else(|e| panic!("{e}"));
    let standings: Vec<_> = told.answer.values.iter().map(|value| value.standing()).collect();
    assert_eq!(standings, [ValueStanding::Current, ValueStanding::Annulled]);
    let then = GetPersonRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: vec![items[0].to_owned()],
        basis: Some(basis),
        request_id: "r-1".to_owned(),
        min_version: 0,
        as_of: Some(AsOf { known_time: renamed.known_time, valid_date: None }),
    };
    let then = crate::answered(&client, &then).await.answer;
    let Some((item_value::Value::Name(held), _)) = value(&then.items, items[0]) else { panic!() };
    assert_eq!(held.full_name, OTHER);
    whole.all.stop().await;
}

async fn i5_what_annulled_can_be_annulled(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let client = whole.client("civil-status");
    submit(&client, &renamed(&number)).await;
    let items = ["birth_full_name"];
    let mut last = "c-1".to_owned();
    for (turn, name) in [CHILD, OTHER, CHILD, OTHER].into_iter().enumerate() {
        let key = format!("a-{turn}");
        submit(&client, &annulment(&key, "civil-status-correction", &last, &items)).await;
        assert!(known_as(&whole, &number, name).await, "{key}");
        last = key;
    }
    whole.persons().await;
    whole.all.stop().await;
}

async fn the_number_of_a_birth_that_was_annulled_is_cancelled(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let client = whole.client("civil-status");
    submit(&client, &annulment("a-1", "birth-registration", "b-1", &BIRTH)).await;
    assert!(!known_as(&whole, &number, CHILD).await);
    let moved = residence("r-1", about(&number, CHILD, BORN), "Số 7");
    assert_eq!(reasons(&refuse(&whole.client("residence"), &moved).await), ["PERSON_NOT_FOUND"]);
    let sql = "SELECT COUNT(*) FROM identifier WHERE state = 'cancelled'";
    assert_eq!(whole.count("identity", sql).await, 1, "it is kept");
    // The child is registered again, elsewhere in the book, and has another number.
    let again = submit(&client, &birth("b-2", CHILD)).await.answer.personal_number;
    assert_ne!(again, number);
    assert!(known_as(&whole, &again, CHILD).await);
    // And if it was right after all, the number is the child's again.
    submit(&client, &annulment("a-2", "birth-registration", "a-1", &BIRTH)).await;
    assert!(known_as(&whole, &number, CHILD).await);
    assert_eq!(whole.count("identity", sql).await, 0);
    whole.persons().await;
    whole.all.stop().await;
}

async fn what_a_source_has_not_contributed_it_cannot_annul(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let client = whole.client("civil-status");
    let dead = death("d-1", about(&number, CHILD, BORN));
    let seen = submit(&client, &dead).await.answer.version;
    refuse(&client, &death("d-2", about(&number, CHILD, BORN))).await;
    let of = |key: &str, annulled: &str, items: &[&str]| {
        annulment(key, "death-registration", annulled, items)
    };
    let stale =
        SubmitContributionRequest { expected_version: seen - 1, ..of("a-5", "d-1", &DEATH) };
    for (request, expect) in [
        (of("a-1", "nothing", &DEATH), "NOTHING_TO_ANNUL"),
        // What was rejected is nothing.
        (of("a-2", "d-2", &DEATH), "NOTHING_TO_ANNUL"),
        // Not all of what it spoke of is named, so it was not decided that it may.
        (of("a-3", "b-1", &DEATH), "NOTHING_TO_ANNUL"),
        // It does not annul itself.
        (of("a-4", "a-4", &DEATH), "NOTHING_TO_ANNUL"),
        (stale, "VERSION_CHANGED"),
    ] {
        assert_eq!(reasons(&refuse(&client, &request).await), [expect]);
    }
    // Under another connection the key is another contribution's, or nobody's.
    let mut other = of("a-1", "d-1", &["permanent_residence"]);
    other.basis = residence("", about(&number, CHILD, BORN), "").basis;
    let refused = refuse(&whole.client("residence"), &other).await;
    assert_eq!(reasons(&refused), ["NOTHING_TO_ANNUL"]);
    let sql = "SELECT COUNT(*) FROM assertion WHERE says = 'annuls'";
    assert_eq!(whole.count("identity", sql).await, 0);
    submit(&client, &of("a-6", "d-1", &DEATH)).await;
    let twice = refuse(&client, &of("a-7", "d-1", &DEATH)).await;
    assert_eq!(reasons(&twice), ["NOTHING_TO_ANNUL"]);
    whole.all.stop().await;
}

async fn i4_an_annulment_is_one_contribution(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let client = whole.client("civil-status");
    submit(&client, &renamed(&number)).await;
    let items = ["birth_full_name"];
    let request = annulment("a-1", "civil-status-correction", "c-1", &items);
    let check = SubmitContributionRequest { validate_only: true, ..request.clone() };
    let checked = submit(&client, &check).await.answer;
    assert_eq!(checked.state(), ContributionState::Validated);
    assert!(known_as(&whole, &number, OTHER).await, "a check changes nothing");
    let first = submit(&client, &request).await;
    let second = submit(&client, &request).await;
    assert!(first.answer == second.answer && first.receipt == second.receipt);
    let sql = "SELECT COUNT(*) FROM assertion WHERE says = 'annuls'";
    assert_eq!(whole.count("identity", sql).await, 1);
    whole.all.stop().await;
}

async fn i2_what_may_not_be_contributed_cannot_be_annulled(engine: Engine) {
    let whole = Whole::start(engine).await;
    child(&whole).await;
    let client = whole.client("civil-status");
    let religion = annulment("a-1", "civil-status-correction", "b-1", &["sex", "religion"]);
    let refused = refuse(&client, &religion).await;
    assert_eq!(
        (refused.code.as_str(), refused.reason.as_str()),
        ("PermissionDenied", "ITEM_NOT_ALLOWED")
    );
    // Nor under a procedure under which nothing is contributed.
    let other = annulment("a-2", "burial-allowance", "b-1", &BIRTH);
    assert_eq!(refuse(&client, &other).await.code, "PermissionDenied");
    let sql = "SELECT COUNT(*) FROM assertion WHERE says = 'annuls'";
    assert_eq!(whole.count("identity", sql).await, 0);
    whole.all.stop().await;
}
