//! Contributions, through the whole of `serve all`: applied once, answered once, and what is rejected changes
//! nothing.

mod amend;
mod annul;
mod bad_input;
mod cancel;
mod copies;
mod life;
mod stream;

use contract::{
    audit::v1::DecisionRecord,
    contribution::v1::{
        ContributionReceipt, ContributionState, SubmitContributionRequest,
        submit_contribution_request::Event,
    },
    identity::v1::{GetPersonAnswer, GetPersonRequest},
    r#type::v1::{AccessBasis, ItemOutcome, item_outcome, item_value},
};
use lienthong::client::{Answered, Client, Refused};
use prost::Message as _;
use store::Engine;
use tests::{
    events::{about, birth},
    on_both_engines,
    whole::Whole,
};

on_both_engines!(
    a_birth_gets_a_number_of_the_law_and_can_be_read_at_its_version,
    i4_same_key_same_bytes_is_one_contribution,
    i4_same_key_other_bytes_is_refused_with_the_first_digest,
    one_entry_is_one_person_whatever_key_it_is_sent_under,
    a_number_is_issued_with_fictional_prefixes_only,
    what_no_agreement_grants_cannot_be_contributed,
    i1_the_record_of_a_contribution_names_its_ground,
    a_check_changes_nothing,
);

const CHILD: &str = "Trần Giả Định Bảo An";
const BORN: (i32, i32, i32) = (2026, 3, 1);

async fn submit(
    client: &Client,
    request: &SubmitContributionRequest,
) -> Answered<ContributionReceipt> {
    client.submit_contribution(request).await.unwrap().unwrap_or_else(|error| panic!("{error}"))
}

async fn refuse(client: &Client, request: &SubmitContributionRequest) -> Refused {
    match client.submit_contribution(request).await.unwrap() {
        Ok(answered) => panic!("{:?} was applied", answered.answer.contribution_id),
        Err(refused) => {
            assert!(!refused.message.is_empty() && !refused.vi.is_empty());
            refused
        }
    }
}

/// Looks a person up as social insurance does.
async fn look(
    whole: &Whole,
    number: &str,
    name: &str,
    born: (i32, i32, i32),
    items: &[&str],
    min_version: u64,
) -> Answered<GetPersonAnswer> {
    let (subject, claims) = about(number, name, born);
    let request = GetPersonRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        basis: Some(AccessBasis {
            procedure: "child-health-insurance-card".to_owned(),
            legal_basis: "1911-2021-art-2-1".to_owned(),
            case_reference: "TEST-0002".to_owned(),
            acting_unit: "Z02.DEMO.BHXH".to_owned(),
            officer: "can-bo-02".to_owned(),
            ..AccessBasis::default()
        }),
        request_id: "r-1".to_owned(),
        min_version,
        as_of: None,
    };
    whole.client("social-insurance").get_person(&request).await.unwrap().unwrap()
}

/// The one value of an item, and its source.
fn value(items: &[ItemOutcome], item: &str) -> Option<(item_value::Value, String)> {
    let outcome = items.iter().find(|outcome| outcome.item == item)?.outcome.clone()?;
    let item_outcome::Outcome::Value(held) = outcome else { return None };
    let held = held.values.first()?.clone();
    Some((held.value?.value?, held.provenance?.source))
}

async fn a_birth_gets_a_number_of_the_law_and_can_be_read_at_its_version(engine: Engine) {
    let whole = Whole::start(engine).await;
    let answered = submit(&whole.client("civil-status"), &birth("b-1", CHILD)).await;
    answered.verify(&whole.log).unwrap();
    let receipt = &answered.answer;
    assert_eq!(receipt.state(), ContributionState::Applied);
    let number = model::PersonalNumber::parse(&receipt.personal_number).unwrap();
    assert_eq!(number.prefix(), "990");
    let hints = number.hints().unwrap();
    assert_eq!((hints.sex, hints.birth_year), (model::Sex::Female, 2026));
    // i10: the version of the receipt is seen by the next lookup.
    let items = ["birth_full_name", "personal_id_number", "sex", "family_relations"];
    let found = look(&whole, number.as_str(), CHILD, BORN, &items, receipt.version).await;
    let (name, source) = value(&found.answer.items, "birth_full_name").unwrap();
    let item_value::Value::Name(name) = name else { panic!() };
    assert_eq!((name.full_name.as_str(), source.as_str()), (CHILD, "civil-status"));
    let (issued, source) = value(&found.answer.items, "personal_id_number").unwrap();
    let item_value::Value::Identifier(issued) = issued else { panic!() };
    assert_eq!((issued.value.as_str(), source.as_str()), (number.as_str(), "npd"));
    assert!(value(&found.answer.items, "family_relations").is_some());
    whole.all.stop().await;
}

async fn i4_same_key_same_bytes_is_one_contribution(engine: Engine) {
    let whole = Whole::start(engine).await;
    let persons = whole.persons().await;
    let request = birth("b-1", CHILD);
    let sends = (0..40).map(|_| {
        let (client, request) = (whole.client("civil-status"), request.clone());
        tokio::spawn(async move { submit(&client, &request).await })
    });
    let mut answers = Vec::new();
    for send in sends.collect::<Vec<_>>() {
        answers.push(send.await.unwrap());
    }
    let first = submit(&whole.client("civil-status"), &request).await;
    for answered in &answers {
        assert!(answered.answer_bytes == first.answer_bytes);
        assert!(answered.receipt == first.receipt, "one contribution, one receipt");
        answered.verify(&whole.log).unwrap();
    }
    assert_eq!(whole.persons().await, persons + 1);
    assert_eq!(whole.count("contribution", "SELECT COUNT(*) FROM submission").await, 1);
    assert_eq!(whole.count("identity", "SELECT COUNT(*) FROM application").await, 1);
    let events = whole.count("identity", "SELECT COUNT(*) FROM change").await;
    assert_eq!(events.unsigned_abs(), persons + 1, "one change event");
    whole.all.stop().await;
}

async fn i4_same_key_other_bytes_is_refused_with_the_first_digest(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("civil-status");
    let first = birth("b-1", CHILD);
    submit(&client, &first).await;
    let persons = whole.persons().await;
    let mut other = birth("b-2", CHILD);
    other.idempotency_key.clone_from(&first.idempotency_key);
    let refused = refuse(&client, &other).await;
    assert_eq!((refused.code.as_str(), refused.reason.as_str()), ("AlreadyExists", "KEY_REUSED"));
    let digest = hex::encode(tlog::digest(&first.encode_to_vec()));
    assert_eq!(refused.get("first_digest"), Some(digest.as_str()));
    assert_eq!(whole.persons().await, persons);
    whole.all.stop().await;
}

async fn one_entry_is_one_person_whatever_key_it_is_sent_under(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("civil-status");
    submit(&client, &birth("b-1", CHILD)).await;
    let persons = whole.persons().await;
    let mut again = birth("b-1", CHILD);
    again.idempotency_key = "key:another".to_owned();
    let refused = refuse(&client, &again).await;
    assert_eq!(refused.code, "FailedPrecondition");
    assert_eq!(refused.reason, "CONTRIBUTION_REJECTED");
    assert_eq!(refused.unmet, [("ALREADY_REGISTERED".to_owned(), String::new())]);
    // What was rejected is rejected again with the record it had.
    let repeated = refuse(&client, &again).await;
    assert_eq!(repeated.get("record_index"), refused.get("record_index"));
    assert!(refused.get("record_index").is_some());
    assert_eq!(whole.persons().await, persons);
    whole.all.stop().await;
}

async fn a_number_is_issued_with_fictional_prefixes_only(engine: Engine) {
    let whole = Whole::start(engine).await;
    let persons = whole.persons().await;
    let mut real = birth("b-1", CHILD);
    let Some(Event::Birth(entry)) = &mut real.event else { panic!() };
    entry.registration_place_code = "001".to_owned();
    let refused = refuse(&whole.client("civil-status"), &real).await;
    assert_eq!(refused.unmet, [("PREFIX_NOT_ISSUED".to_owned(), String::new())]);
    assert_eq!(whole.persons().await, persons);
    whole.all.stop().await;
}

async fn what_no_agreement_grants_cannot_be_contributed(engine: Engine) {
    let whole = Whole::start(engine).await;
    let before = whole.records().await;
    // No grant at all.
    let refused = refuse(&whole.client("social-insurance"), &birth("b-1", CHILD)).await;
    assert_eq!(
        (refused.code.as_str(), refused.reason.as_str()),
        ("PermissionDenied", "NO_AGREEMENT")
    );
    // A grant, but not of every item.
    let person = about("990126000000", CHILD, BORN);
    let religion = item_value::Value::Text("không".to_owned());
    let from = tests::events::date(2026, 3, 1);
    let mut request = tests::events::correction("c-1", person, "religion", religion, from);
    let Some(Event::Correction(correction)) = &mut request.event else { panic!() };
    let mut granted = correction.corrected_values[0].clone();
    granted.item = "native_place".to_owned();
    correction.corrected_values.push(granted);
    let refused = refuse(&whole.client("civil-status"), &request).await;
    assert_eq!(
        (refused.code.as_str(), refused.reason.as_str()),
        ("PermissionDenied", "ITEM_NOT_ALLOWED")
    );
    assert_eq!(refused.get("items"), Some("religion"));
    assert_eq!(refused.get("rule"), Some("agreement-scope"));
    assert_eq!(whole.records().await, before + 2, "denials are recorded one by one");
    assert_eq!(whole.count("contribution", "SELECT COUNT(*) FROM submission").await, 0);
    whole.all.stop().await;
}

async fn a_check_changes_nothing(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("civil-status");
    let persons = whole.persons().await;
    let mut request = birth("b-1", CHILD);
    request.validate_only = true;
    let answered = submit(&client, &request).await;
    assert_eq!(answered.answer.state(), ContributionState::Validated);
    assert!(answered.answer.personal_number.is_empty() && answered.answer.version == 0);
    answered.verify(&whole.log).unwrap();
    assert_eq!(whole.persons().await, persons);
    for (service, sql) in [
        ("contribution", "SELECT COUNT(*) FROM submission"),
        ("identity", "SELECT COUNT(*) FROM application"),
        ("identity", "SELECT COUNT(*) FROM source_entry"),
    ] {
        assert_eq!(whole.count(service, sql).await, 0, "{sql}");
    }
    // The key is free still.
    request.validate_only = false;
    submit(&client, &request).await;
    whole.all.stop().await;
}

async fn i1_the_record_of_a_contribution_names_its_ground(engine: Engine) {
    let whole = Whole::start(engine).await;
    let request = birth("b-1", CHILD);
    let index = submit(&whole.client("civil-status"), &request).await.receipt.index;
    let mut opened = whole.all.audit().open_records(&[index]).await.unwrap();
    let Some(audit::Opened::Whole(opening)) = opened.remove(&index) else { panic!("not there") };
    let record = DecisionRecord::decode(opening.decision.as_slice()).unwrap();
    assert_eq!(record.basis, request.basis);
    assert_eq!(record.purpose, "civil-status");
    whole.all.stop().await;
}
