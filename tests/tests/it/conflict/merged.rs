//! What is decided of two who were taken for one does not outlast that.

use contract::{
    contribution::v1::{Marriage, RecordMerge, RecordSplit, life_event::Event as Life, marriage},
    identity::v1::{AsOf, GetPersonRequest},
    r#type::v1::{AccessBasis, item_outcome},
};
use tests::{
    events::{about, annulment, life, party},
    whole::LOADED_US,
};

use super::{
    couple::{COUPLE, number, single},
    *,
};

on_both_engines!(
    i5_what_is_rejected_of_two_who_were_one_goes_with_the_split,
    i5_what_is_accepted_of_two_who_were_one_goes_with_the_split,
    i5_what_is_decided_before_a_merge_stays_and_what_still_disagrees_is_open_again,
    what_is_decided_is_of_those_who_are_one_today,
    i7_what_was_decided_of_one_who_is_protected_today_is_not_told_of_the_other,
);

const ONE: (&str, model::Sex, i32) = COUPLE[0];
const OTHER: (&str, model::Sex, i32) = COUPLE[1];
const DUPLICATES: (&str, &str) = ("duplicate-record-handling", "Z06.DEMO.CANCUOC");

type Who = (contract::r#type::v1::SubjectRef, contract::r#type::v1::Claims);

fn who(one: (&str, model::Sex, i32)) -> Who {
    about(number(one).as_str(), one.0, (one.2, 5, 6))
}

/// Everything, with two who may be one.
async fn two(engine: Engine) -> Whole {
    two_of(engine, ITEM).await
}

/// The same, where citizen identification has the last word of an item.
async fn two_of(engine: Engine, item: &str) -> Whole {
    let mut prepared = Prepared::new(engine).await;
    let rules = prepared.folder().join("authority.toml");
    std::fs::write(&rules, RULES.replace(ITEM, item)).unwrap();
    prepared.settings.identity.authority_file = rules.display().to_string();
    prepared.shows_civil_status(&[item]);
    let registry = &prepared.settings.policy.registry_file;
    let decides = |item: &str| format!("items = [\"{item}\"]");
    let agreed = AGREED.replace(&decides(ITEM), &decides(item));
    let agreed = std::fs::read_to_string(registry).unwrap() + &agreed;
    std::fs::write(registry, agreed).unwrap();
    let register = identity::Service::register(&prepared.settings.identity).await.unwrap();
    register.load(COUPLE.map(single).into(), "couple", LOADED_US).await.unwrap();
    register.close().await;
    prepared.start().await
}

async fn submit(whole: &Whole, source: &str, request: &SubmitContributionRequest) {
    let answered = whole.client(source).submit_contribution(request).await.unwrap();
    answered.unwrap_or_else(|error| panic!("{}: {error}", request.idempotency_key));
}

async fn moved(whole: &Whole, source: &str, key: &str, (subject, claims): Who, text: &str) {
    let mut request = lives(source, key, "", text);
    let Some(Event::Residence(moved)) = &mut request.event else { panic!() };
    (moved.subject, moved.claims) = (Some(subject), Some(claims));
    submit(whole, source, &request).await;
}

async fn merge(whole: &Whole, key: &str) {
    let surviving_person = Some(party(who(OTHER)));
    let merge = RecordMerge { surviving_person, decision_number: "QD-1".to_owned() };
    let merge = life(key, DUPLICATES, who(ONE), (2026, 5, 1), Life::Merge(merge));
    submit(whole, "citizen-id", &merge).await;
}

async fn split(whole: &Whole, key: &str) {
    let restored_subject = Some(who(ONE).0);
    let split = RecordSplit { restored_subject, decision_number: "QD-2".to_owned() };
    let split = life(key, DUPLICATES, who(OTHER), (2026, 6, 1), Life::Split(split));
    submit(whole, "citizen-id", &split).await;
}

/// Annuls a merge or a split.
async fn annul(whole: &Whole, key: &str, annulled: &str) {
    let request = annulment(key, DUPLICATES.0, annulled, &["personal_id_number"]);
    let basis = Some(ground(DUPLICATES.0, DUPLICATES.1));
    submit(whole, "citizen-id", &SubmitContributionRequest { basis, ..request }).await;
}

async fn decide(whole: &Whole, key: &str, outcome: ConflictOutcome) {
    let open = owned(&whole.client("citizen-id")).await;
    assert_eq!(open.len(), 1);
    submit(whole, "citizen-id", &decision(key, &open[0].conflict_id, outcome)).await;
    assert!(owned(&whole.client("citizen-id")).await.is_empty());
}

macro_rules! holds {
    ($person:literal, $text:literal) => {
        concat!(
            "SELECT COUNT(*) FROM person WHERE person_id = '",
            $person,
            "' AND record LIKE '%",
            $text,
            "%'"
        )
    };
}

/// Which address the record of each holds.
async fn addresses(whole: &Whole) -> [Option<&'static str>; 2] {
    let mut held = [None, None];
    for (place, sql, text) in [
        (0, holds!("p-1990", "Số 1 phố"), HERE),
        (0, holds!("p-1990", "Số 2 phố"), THERE),
        (1, holds!("p-1991", "Số 1 phố"), HERE),
        (1, holds!("p-1991", "Số 2 phố"), THERE),
    ] {
        if whole.count("identity", sql).await == 1 {
            assert_eq!(held[place].replace(text), None);
        }
    }
    held
}

async fn i5_what_is_rejected_of_two_who_were_one_goes_with_the_split(engine: Engine) {
    goes_with_the_split(engine, ConflictOutcome::Rejected, HERE).await;
}

async fn i5_what_is_accepted_of_two_who_were_one_goes_with_the_split(engine: Engine) {
    goes_with_the_split(engine, ConflictOutcome::Accepted, THERE).await;
}

async fn goes_with_the_split(engine: Engine, outcome: ConflictOutcome, decided: &'static str) {
    let whole = two(engine).await;
    moved(&whole, "citizen-id", "m-1", who(ONE), HERE).await;
    moved(&whole, "residence", "m-2", who(OTHER), THERE).await;
    let apart = [Some(HERE), Some(THERE)];
    assert_eq!(addresses(&whole).await, apart);
    merge(&whole, "merge").await;
    decide(&whole, "decide", outcome).await;
    assert_eq!(addresses(&whole).await, [None, Some(decided)]);
    split(&whole, "split").await;
    assert_eq!(addresses(&whole).await, apart, "each has its own");
    assert!(owned(&whole.client("citizen-id")).await.is_empty(), "and they do not disagree");
    whole.persons().await;
    // What was no split leaves it as it was decided, and to undo that is a split again.
    annul(&whole, "again", "split").await;
    assert_eq!(addresses(&whole).await, [None, Some(decided)]);
    assert!(owned(&whole.client("citizen-id")).await.is_empty());
    annul(&whole, "never", "again").await;
    assert_eq!(addresses(&whole).await, apart);
    annul(&whole, "after", "never").await;
    assert_eq!(addresses(&whole).await, [None, Some(decided)]);
    annul(&whole, "last", "merge").await;
    assert_eq!(addresses(&whole).await, apart);
    whole.persons().await;
    whole.all.stop().await;
}

async fn i5_what_is_decided_before_a_merge_stays_and_what_still_disagrees_is_open_again(
    engine: Engine,
) {
    let whole = two(engine).await;
    moved(&whole, "citizen-id", "m-1", who(ONE), HERE).await;
    moved(&whole, "residence", "m-2", who(ONE), THERE).await;
    let before = owned(&whole.client("citizen-id")).await;
    // What is open is of the one who stays, and of the other again.
    merge(&whole, "merge-1").await;
    decide(&whole, "decide-1", ConflictOutcome::Accepted).await;
    assert_eq!(addresses(&whole).await, [None, Some(THERE)]);
    split(&whole, "split-1").await;
    assert_eq!(addresses(&whole).await, [Some(HERE), None]);
    let open = owned(&whole.client("citizen-id")).await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].conflict_id, before[0].conflict_id, "nobody decided it of that person");
    decide(&whole, "decide-2", ConflictOutcome::Accepted).await;
    assert_eq!(addresses(&whole).await, [Some(THERE), None]);
    merge(&whole, "merge-2").await;
    assert_eq!(addresses(&whole).await, [None, Some(THERE)]);
    split(&whole, "split-2").await;
    assert_eq!(addresses(&whole).await, [Some(THERE), None], "decided of that one alone");
    assert!(owned(&whole.client("citizen-id")).await.is_empty());
    whole.persons().await;
    whole.all.stop().await;
}

/// One contribution speaks of several persons: what it says of one who was told apart again is not decided along.
async fn what_is_decided_is_of_those_who_are_one_today(engine: Engine) {
    let status = "marital_status";
    let whole = two_of(engine, status).await;
    merge(&whole, "merge-1").await;
    split(&whole, "split-1").await;
    let spouse = Some(marriage::Spouse::RegisteredSpouse(party(who(OTHER))));
    let registered = ("marriage-registration", "Z01.DEMO.HOTICH");
    let wedding = Life::Marriage(Marriage { spouse });
    let wedding = life("w-1", registered, who(ONE), (2020, 2, 3), wedding);
    submit(&whole, "civil-status", &wedding).await;
    let open = owned(&whole.client("citizen-id")).await;
    assert_eq!(open.len(), 2, "of each the source of what is held says otherwise");
    let mut decided = decision("d-1", &open[0].conflict_id, ConflictOutcome::Accepted);
    let Some(Event::ConflictDecision(one)) = &mut decided.event else { panic!() };
    one.item = status.to_owned();
    submit(&whole, "citizen-id", &decided).await;
    let left = owned(&whole.client("citizen-id")).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].conflict_id, open[1].conflict_id);
    let sql = "SELECT COUNT(*) FROM assertion WHERE item = 'marital_status' AND says = 'annuls'";
    assert_eq!(whole.count("identity", sql).await, 1);
    whole.persons().await;
    whole.all.stop().await;
}

/// While the two were one it was decided against what was said of the one who is shown today.
async fn i7_what_was_decided_of_one_who_is_protected_today_is_not_told_of_the_other(
    engine: Engine,
) {
    const PROTECT: &[&str] = &["UPDATE person SET protected = TRUE, \
         record = REPLACE(record, '\"protected\":false', '\"protected\":true') WHERE person_id = 'p-1990'"];
    let whole = two(engine).await;
    moved(&whole, "citizen-id", "m-1", who(ONE), HERE).await;
    moved(&whole, "residence", "m-2", who(OTHER), THERE).await;
    merge(&whole, "merge").await;
    decide(&whole, "decide", ConflictOutcome::Rejected).await;
    let then_us = whole.count("identity", "SELECT known_at_us FROM register").await;
    split(&whole, "split").await;
    assert_eq!(lived(&whole, then_us).await.as_deref(), Some(HERE), "the two were one");
    let whole = whole.changed("identity", PROTECT).await;
    assert_eq!(lived(&whole, then_us).await.as_deref(), Some(THERE));
    whole.all.stop().await;
}

/// Where it was known at a moment that the other one of the two lives.
async fn lived(whole: &Whole, known_at_us: i64) -> Option<String> {
    let (subject, claims) = who(OTHER);
    let known_time = prost_types::Timestamp {
        seconds: known_at_us / 1_000_000,
        nanos: i32::try_from(known_at_us % 1_000_000).unwrap() * 1_000,
    };
    let looking = ground("civil-status-correction", "Z01.DEMO.HOTICH");
    let request = GetPersonRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: vec![ITEM.to_owned()],
        basis: Some(AccessBasis { legal_basis: "1911-2021-art-2-1".to_owned(), ..looking }),
        request_id: "r-1".to_owned(),
        min_version: 0,
        as_of: Some(AsOf { known_time: Some(known_time), valid_date: None }),
    };
    let answer = crate::answered(&whole.client("civil-status"), &request).await.answer;
    let Some(item_outcome::Outcome::Value(held)) = &answer.items[0].outcome else { return None };
    let value = held.values[0].value.as_ref().unwrap().value.as_ref().unwrap();
    let item_value::Value::Address(place) = value else { panic!("a place") };
    Some(place.text.clone())
}
