//! Faulty contributions: every faulty field is named at once, and nothing changes.

use contract::{
    contribution::v1::CorrectedValue,
    r#type::v1::{Claims, Relation, RelationKind},
};
use tests::events::{annulment, code, correction, date, death, name, residence};

use super::*;

on_both_engines!(every_faulty_field_of_each_event_is_named_at_once);

async fn every_faulty_field_of_each_event_is_named_at_once(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("civil-status");
    let (persons, records) = (whole.persons().await, whole.records().await);
    for (request, expect) in cases() {
        let refused = refuse(&client, &request).await;
        assert_eq!(refused.code, "InvalidArgument");
        assert_eq!(refused.reason, "INVALID_REQUEST");
        let found: Vec<(&str, &str)> = refused
            .fields
            .iter()
            .map(|(field, text)| (field.as_str(), text.split(':').next().unwrap()))
            .collect();
        assert_eq!(found, expect);
    }
    assert_eq!(whole.persons().await, persons);
    assert_eq!(whole.records().await, records);
    assert_eq!(whole.count("contribution", "SELECT COUNT(*) FROM submission").await, 0);
    whole.all.stop().await;
}

type Case = (SubmitContributionRequest, Vec<(&'static str, &'static str)>);

fn cases() -> Vec<Case> {
    vec![
        nothing(),
        of_a_birth(),
        of_a_future_birth(),
        of_a_birth_that_no_register_could_take(),
        of_a_birth_that_expects_a_record(),
        of_a_death(),
        of_a_move(),
        of_a_correction(),
        of_an_annulment(),
    ]
}

fn nothing() -> Case {
    let request = SubmitContributionRequest::default();
    let missing = ["idempotency_key", "request_id", "basis", "event"];
    (request, missing.map(|field| (field, "MISSING")).to_vec())
}

fn of_a_birth() -> Case {
    let mut request = birth("b-1", "");
    request.idempotency_key = "khóa".to_owned();
    let Some(Event::Birth(entry)) = &mut request.event else { panic!() };
    entry.entry_number = String::new();
    entry.registration_place_code = "99".to_owned();
    entry.registration_date = date(2026, 2, 1);
    entry.date_of_birth = date(2026, 3, 0);
    entry.sex = code("sex", "1", "0");
    entry.ethnic_group = code("ethnic-group", "gso-15172", "99");
    entry.nationality = None;
    entry.native_place.as_mut().unwrap().province_code = "07".to_owned();
    let stranger = Relation {
        kind: RelationKind::Child.into(),
        name: name("Trần Giả Định"),
        ..Relation::default()
    };
    entry.parents.push(stranger);
    let expect = vec![
        ("idempotency_key", "MALFORMED"),
        ("birth.entry_number", "MISSING"),
        ("birth.registration_place_code", "UNKNOWN_CODE"),
        ("birth.full_name.full_name", "MISSING"),
        ("birth.native_place.province_code", "UNKNOWN_CODE"),
        ("birth.ethnic_group", "UNKNOWN_CODE"),
        ("birth.nationality", "MISSING"),
        ("birth.date_of_birth", "NOT_WHOLE"),
        ("birth.registration_date", "TOO_EARLY"),
        ("birth.sex", "NOT_ALLOWED"),
        ("birth.parents[1].kind", "NOT_ALLOWED"),
    ];
    (request, expect)
}

fn of_an_annulment() -> Case {
    let mut request = annulment("a-1", "death-registration", "d 1", &["sex", "*", "sex"]);
    let Some(Event::Annulment(annulled)) = &mut request.event else { panic!() };
    annulled.decision_number = String::new();
    annulled.decision_date = date(2027, 1, 1);
    let expect = vec![
        ("annulment.annulled_key", "MALFORMED"),
        ("annulment.annulled_items[1]", "WILDCARD"),
        ("annulment.annulled_items[2]", "REPEATED"),
        ("annulment.decision_number", "MISSING"),
        ("annulment.decision_date", "IN_THE_FUTURE"),
    ];
    (request, expect)
}

fn of_a_birth_that_expects_a_record() -> Case {
    let request = SubmitContributionRequest { expected_version: 1, ..birth("b-3", CHILD) };
    (request, vec![("expected_version", "NOT_ALLOWED")])
}

fn of_a_future_birth() -> Case {
    let mut request = birth("b-1", CHILD);
    let Some(Event::Birth(entry)) = &mut request.event else { panic!() };
    // The tests' day is 24 November 2026.
    entry.date_of_birth = date(2026, 11, 25);
    entry.registration_date = date(2026, 11, 26);
    let expect = vec![
        ("birth.registration_date", "IN_THE_FUTURE"),
        ("birth.date_of_birth", "IN_THE_FUTURE"),
    ];
    (request, expect)
}

/// What one engine would refuse, or a number has no digits for: it must not be stored and tried for ever.
fn of_a_birth_that_no_register_could_take() -> Case {
    let mut request = birth("1\u{0}", CHILD);
    request.idempotency_key = "key:nul".to_owned();
    let Some(Event::Birth(entry)) = &mut request.event else { panic!() };
    entry.date_of_birth = date(1826, 3, 1);
    entry.registration_place.as_mut().unwrap().commune_code = String::new();
    let place = entry.place_of_birth.as_mut().unwrap();
    place.units_version = String::new();
    let expect = vec![
        ("birth.entry_number", "MALFORMED"),
        ("birth.registration_place.commune_code", "MISSING"),
        ("birth.place_of_birth.units_version", "MISSING"),
        ("birth.date_of_birth", "NOT_ALLOWED"),
    ];
    (request, expect)
}

fn of_a_death() -> Case {
    let (subject, _) = about("99012600000", CHILD, BORN);
    let mut request = death("", (subject, Claims::default()));
    let Some(Event::Death(entry)) = &mut request.event else { panic!() };
    entry.date_of_death = date(2026, 12, 0);
    let expect = vec![
        ("death.subject.personal_number", "MALFORMED"),
        ("death.claims.full_name", "MISSING"),
        ("death.claims.date_of_birth", "MISSING"),
        ("death.entry_number", "MISSING"),
        ("death.date_of_death", "IN_THE_FUTURE"),
        ("death.registration_date", "TOO_EARLY"),
    ];
    (request, expect)
}

fn of_a_move() -> Case {
    let who = about("990126000000", CHILD, (2030, 1, 1));
    let mut request = residence("r-1", who, "");
    let Some(Event::Residence(entry)) = &mut request.event else { panic!() };
    entry.kind = 0;
    entry.effective_date = None;
    entry.residence_file_number = "1".repeat(65);
    let expect = vec![
        ("residence.claims.date_of_birth", "IN_THE_FUTURE"),
        ("residence.kind", "MISSING"),
        ("residence.residence_file_number", "TOO_LONG"),
        ("residence.address.text", "MISSING"),
        ("residence.effective_date", "MISSING"),
    ];
    (request, expect)
}

fn of_a_correction() -> Case {
    let who = about("990126000000", CHILD, BORN);
    let number = item_value::Value::Text("x".to_owned());
    let mut request = correction("c-1", who, "*", number, None);
    let Some(Event::Correction(entry)) = &mut request.event else { panic!() };
    entry.claims = None;
    entry.correction_date = date(2027, 1, 1);
    let relation = Relation {
        kind: RelationKind::Mother.into(),
        name: name("Trần Giả Định"),
        ..Relation::default()
    };
    let value = Some(contract::r#type::v1::ItemValue {
        value: Some(item_value::Value::Relation(relation)),
    });
    let related =
        CorrectedValue { item: "family_relations".to_owned(), value, valid_from: date(2027, 1, 1) };
    entry.corrected_values.push(related);
    entry.corrected_values.push(CorrectedValue::default());
    let expect = vec![
        ("correction.claims.full_name", "MISSING"),
        ("correction.claims.date_of_birth", "MISSING"),
        ("correction.corrected_values[0].item", "WILDCARD"),
        ("correction.corrected_values[2].item", "MISSING"),
        ("correction.corrected_values[0].valid_from", "MISSING"),
        ("correction.corrected_values[2].value", "MISSING"),
        ("correction.corrected_values[2].valid_from", "MISSING"),
        ("correction.correction_date", "IN_THE_FUTURE"),
        ("correction.corrected_values[1].valid_from", "IN_THE_FUTURE"),
        ("correction.corrected_values[1].value", "NOT_ALLOWED"),
    ];
    (request, expect)
}
