//! Events about persons of the register: a death, a move, a correction; and persons whom a source may not
//! know of.

use contract::r#type::v1::item_value;
use tests::{
    events::{correction, date, death, name, residence},
    whole::{born, full_name},
};

use super::*;

on_both_engines!(
    a_death_is_entered_once_and_ends_moves,
    a_move_takes_the_place_of_the_last_and_keeps_it_in_the_history,
    a_correction_wins_against_what_it_corrects,
    what_corrects_nothing_is_rejected,
    what_rests_on_a_record_that_has_changed_is_rejected,
    i6_what_is_learnt_later_is_known_later_whatever_the_clock_says,
    i7_nobody_is_found_by_contributing,
    i7_a_hidden_person_is_nobodys_mother,
    contributions_are_no_way_to_guess,
);

/// A child that was born here, with its number.
async fn child(whole: &Whole) -> String {
    submit(&whole.client("civil-status"), &birth("b-1", CHILD)).await.answer.personal_number
}

fn reasons(refused: &Refused) -> Vec<String> {
    assert_eq!(refused.reason, "CONTRIBUTION_REJECTED", "{refused:?}");
    refused.unmet.iter().map(|(reason, _)| reason.clone()).collect()
}

async fn a_death_is_entered_once_and_ends_moves(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let who = || about(&number, CHILD, BORN);
    let client = whole.client("civil-status");
    let applied = submit(&client, &death("d-1", who())).await.answer;
    assert!(applied.personal_number.is_empty() && applied.version > 0);
    let refused = refuse(&client, &death("d-2", who())).await;
    assert_eq!(reasons(&refused), ["PERSON_DECEASED"]);
    let moved = residence("r-1", who(), "Số 7");
    let refused = refuse(&whole.client("residence"), &moved).await;
    assert_eq!(reasons(&refused), ["PERSON_DECEASED"]);
    let sql = "SELECT COUNT(*) FROM assertion \
               WHERE item = 'death_or_missing_date' AND contribution_id <> 'synthetic'";
    assert_eq!(whole.count("identity", sql).await, 1);
    whole.persons().await;
    whole.all.stop().await;
}

async fn a_move_takes_the_place_of_the_last_and_keeps_it_in_the_history(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let client = whole.client("residence");
    let first = residence("r-1", about(&number, CHILD, BORN), "Số 7");
    submit(&client, &first).await;
    let mut second = residence("r-2", about(&number, CHILD, BORN), "Số 8");
    let Some(Event::Residence(moved)) = &mut second.event else { panic!() };
    moved.effective_date = date(2026, 5, 1);
    let version = submit(&client, &second).await.answer.version;
    let items = ["permanent_residence"];
    let found = look(&whole, &number, CHILD, BORN, &items, version).await;
    let (value, source) = value(&found.answer.items, "permanent_residence").unwrap();
    let item_value::Value::Address(address) = value else { panic!() };
    assert_eq!((address.text.as_str(), source.as_str()), ("Số 8", "residence"));
    let sql = "SELECT COUNT(*) FROM assertion WHERE item = 'permanent_residence' \
               AND (value LIKE '%\"Số 7\"%' OR value LIKE '%\"Số 8\"%')";
    assert_eq!(whole.count("identity", sql).await, 2, "nothing is overwritten");
    whole.persons().await;
    whole.all.stop().await;
}

async fn a_correction_wins_against_what_it_corrects(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let corrected = "Trần Giả Định Bảo Ân";
    let value = item_value::Value::Name(name(corrected).unwrap());
    let who = about(&number, CHILD, BORN);
    let request = correction("c-1", who, "birth_full_name", value, date(2026, 3, 1));
    let version = submit(&whole.client("civil-status"), &request).await.answer.version;
    let items = ["birth_full_name"];
    let found = look(&whole, &number, corrected, BORN, &items, version).await.answer;
    assert_eq!(found.outcome(), contract::identity::v1::LookupOutcome::Match);
    // Who still claims the old name finds nobody: marks tell names apart.
    let old = look(&whole, &number, CHILD, BORN, &items, version).await.answer;
    assert_eq!(old.outcome(), contract::identity::v1::LookupOutcome::NoMatch);
    whole.persons().await;
    whole.all.stop().await;
}

async fn what_corrects_nothing_is_rejected(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let client = whole.client("civil-status");
    let who = || about(&number, CHILD, BORN);
    let text = || item_value::Value::Text("x".to_owned());
    let named = || item_value::Value::Name(name("Trần Giả Định Bảo Ân").unwrap());
    let code = tests::events::code("marital-status", "1", "1").unwrap();
    let coded = item_value::Value::Coded(code);
    for (entry, item, value, from, expect) in [
        ("c-1", "marital_status", coded, date(2026, 3, 1), "NOTHING_TO_CORRECT"),
        ("c-2", "birth_full_name", text(), date(2026, 3, 1), "WRONG_TYPE"),
        ("c-3", "birth_full_name", named(), date(2026, 2, 1), "DATE_OUT_OF_RANGE"),
    ] {
        let refused = refuse(&client, &correction(entry, who(), item, value, from)).await;
        assert_eq!(reasons(&refused), [expect], "{item}");
        assert_eq!(refused.unmet[0].1, item);
    }
    let found = look(&whole, &number, CHILD, BORN, &["birth_full_name"], 0).await.answer;
    assert_eq!(found.outcome(), contract::identity::v1::LookupOutcome::Match);
    whole.all.stop().await;
}

/// Of two sources that read one record, the second to write reads it again.
async fn what_rests_on_a_record_that_has_changed_is_rejected(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let client = whole.client("residence");
    let seen = look(&whole, &number, CHILD, BORN, &["birth_full_name"], 0).await.answer.version;
    let moved = |key: &str, text: &str, expected_version: u64| SubmitContributionRequest {
        expected_version,
        ..residence(key, about(&number, CHILD, BORN), text)
    };
    let first = submit(&client, &moved("r-1", "Số 7", seen)).await.answer;
    let late = moved("r-2", "Số 8", seen);
    let check = SubmitContributionRequest { validate_only: true, ..late.clone() };
    for request in [&check, &late, &late] {
        assert_eq!(reasons(&refuse(&client, request).await), ["VERSION_CHANGED"]);
    }
    // Nobody learns of a version by guessing at it: who the person is comes first.
    let other = about(&number, "Trần Giả Định Bảo Ân", BORN);
    let other =
        SubmitContributionRequest { expected_version: seen, ..residence("r-3", other, "x") };
    assert_eq!(reasons(&refuse(&client, &other).await), ["PERSON_NOT_FOUND"]);
    // The version of a receipt is that of the record; and what rests on nothing is taken as before.
    let second = submit(&client, &moved("r-4", "Số 9", first.version)).await.answer;
    assert!(second.version > first.version);
    submit(&client, &moved("r-5", "Số 10", 0)).await;
    whole.persons().await;
    whole.all.stop().await;
}

/// Two corrections from the same day, the second while the clock stands an hour back: the second is the later.
async fn i6_what_is_learnt_later_is_known_later_whatever_the_clock_says(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = child(&whole).await;
    let client = whole.client("civil-status");
    let correct = |entry: &str, from: &str, to: &str| {
        let value = item_value::Value::Name(name(to).unwrap());
        correction(entry, about(&number, from, BORN), "birth_full_name", value, date(2026, 3, 1))
    };
    let (first, second) = ("Trần Giả Định Bảo Ân", "Trần Giả Định Bảo Ấn");
    submit(&client, &correct("c-1", CHILD, first)).await;
    whole.hands.step(-time::Duration::HOUR);
    submit(&client, &correct("c-2", first, second)).await;
    let found = look(&whole, &number, second, BORN, &["birth_full_name"], 0).await.answer;
    assert_eq!(found.outcome(), contract::identity::v1::LookupOutcome::Match);
    let sql =
        "SELECT COUNT(DISTINCT known_at_us) FROM assertion WHERE contribution_id <> 'synthetic'";
    assert_eq!(whole.count("identity", sql).await, 3, "a birth and two corrections");
    whole.all.stop().await;
}

/// A child's mother is named to whoever asks for the child's relations, unless she is protected.
async fn i7_a_hidden_person_is_nobodys_mother(engine: Engine) {
    let whole = Whole::start(engine).await;
    let nobody = model::PersonalNumber::compose(990, model::Sex::Female, 1990, 7).unwrap();
    let (plain, protected) = (whole.person(false), whole.person(true));
    // A protected mother is no less there than one whom the register does not hold.
    for (entry, mother, number, seen) in [
        ("b-1", plain, &plain.number, true),
        ("b-2", protected, &protected.number, false),
        ("b-3", protected, &nobody, false),
    ] {
        let mut request = birth(entry, CHILD);
        let Some(Event::Birth(birth)) = &mut request.event else { panic!() };
        birth.parents[0].name = name(full_name(mother));
        birth.parents[0].identifier = Some(contract::r#type::v1::Identifier {
            kind: contract::r#type::v1::IdentifierKind::PersonalNumber.into(),
            value: number.as_str().to_owned(),
        });
        let number = submit(&whole.client("civil-status"), &request).await.answer.personal_number;
        let found = look(&whole, &number, CHILD, BORN, &["family_relations"], 0).await.answer;
        let outcome = found.items[0].outcome.as_ref().unwrap();
        let named = matches!(outcome, item_outcome::Outcome::Value(_));
        assert_eq!(named, seen, "{entry}");
        assert_eq!(!named, matches!(outcome, item_outcome::Outcome::NotHeld(_)));
    }
    whole.all.stop().await;
}

/// A protected person, an absent one and one of whom the claims differ: the same reply, as many records, and
/// the same trace in our own books.
async fn i7_nobody_is_found_by_contributing(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("civil-status");
    let protected = whole.person(true);
    let plain = whole.person(false);
    let day = |date: model::PartialDate| (date.year(), date.month().into(), date.day().into());
    let cases = [
        about(protected.number.as_str(), full_name(protected), day(born(protected))),
        about("990126999999", full_name(plain), day(born(plain))),
        about(plain.number.as_str(), "Lê Giả Định Khác", day(born(plain))),
    ];
    let mut seen = Vec::new();
    for (place, who) in cases.into_iter().enumerate() {
        let before = whole.records().await;
        let spent = || {
            whole.count("identity", "SELECT CAST(COALESCE(SUM(misses), 0) AS BIGINT) FROM guessing")
        };
        let misses = spent().await;
        let mut refused = refuse(&client, &death(&format!("d-{place}"), who)).await;
        assert_eq!(reasons(&refused), ["PERSON_NOT_FOUND"]);
        refused.metadata.retain(|(key, _)| key != "record_index");
        seen.push((refused, whole.records().await - before, spent().await - misses));
    }
    assert_eq!(seen[0].2, 1, "a person not found is a miss");
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    let unchanged = "SELECT COUNT(*) FROM source_entry";
    assert_eq!(whole.count("identity", unchanged).await, 0);
    whole.all.stop().await;
}

async fn contributions_are_no_way_to_guess(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("residence");
    let plain = whole.person(false);
    let day = (born(plain).year(), born(plain).month().into(), born(plain).day().into());
    let mut check = residence("r-1", about("990126999999", full_name(plain), day), "Số 7");
    check.validate_only = true;
    let max = whole.settings().identity.misses_max;
    for _ in 0..max {
        assert_eq!(reasons(&refuse(&client, &check).await), ["PERSON_NOT_FOUND"]);
    }
    // From here on even a right guess is not answered.
    let right = about(plain.number.as_str(), full_name(plain), day);
    let refused = refuse(&client, &residence("r-2", right.clone(), "Số 7")).await;
    assert_eq!(refused.code, "ResourceExhausted");
    assert_eq!(refused.reason, "GUESSING_BUDGET_SPENT");
    assert!(refused.get("retry_after_seconds").is_some());
    // What was received is not lost: when the window turns it is applied under the same key.
    whole.hands.step(time::Duration::hours(1));
    submit(&client, &residence("r-2", right, "Số 7")).await;
    whole.all.stop().await;
}
