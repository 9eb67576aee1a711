//! Persons who were registered twice: their records become one, and two again, and nothing is moved or lost.

mod accesses;
mod numbers;
mod past;

use contract::{
    contribution::v1::{Marriage, RecordMerge, RecordSplit, marriage},
    identity::v1::{AsOf, ExplainValueAnswer, GetPersonAnswer, ValueStanding},
};
use tests::events::correction;

use super::*;

on_both_engines!(
    a_number_of_a_merged_record_leads_to_the_one_that_stays_and_says_so,
    i5_a_merge_and_a_split_leave_the_records_as_they_were,
    i5_what_is_said_meanwhile_stays_with_the_number_that_was_named,
    an_annulment_of_a_merge_is_a_split_and_one_of_a_split_is_a_merge,
    records_are_merged_one_into_the_other_and_split_in_any_order,
    whoever_cannot_be_one_is_not_merged,
    i7_a_protected_person_is_merged_no_more_than_an_absent_one,
    i4_a_merge_is_one_contribution_and_a_check_changes_nothing,
    i2_only_whoever_may_says_which_records_are_one,
);

pub(super) const DUPLICATES: (&str, &str) = ("duplicate-record-handling", "Z06.DEMO.CANCUOC");
const OTHER: &str = "life_event.merge.surviving_person";
/// Protects who may be taken for one, as an operator does today.
pub(super) const PROTECT: [&[&str]; 2] = [
    &["UPDATE person SET protected = TRUE, \
       record = REPLACE(record, '\"protected\":false', '\"protected\":true') WHERE person_id = 'p-1991'"],
    &["UPDATE person SET protected = TRUE, \
       record = REPLACE(record, '\"protected\":false', '\"protected\":true') WHERE person_id = 'p-1992'"],
];

pub(super) fn merged(key: &str, one: &Villager, into: &Villager) -> SubmitContributionRequest {
    let surviving_person = Some(party(into.about()));
    let decision_number = format!("QD-{key}");
    let merge = Life::Merge(RecordMerge { surviving_person, decision_number });
    life(key, DUPLICATES, one.about(), (2026, 5, 1), merge)
}

pub(super) fn split(
    key: &str,
    whole: (SubjectRef, Claims),
    restored: &Villager,
) -> SubmitContributionRequest {
    let restored_subject = Some(restored.about().0);
    let split = Life::Split(RecordSplit { restored_subject, decision_number: format!("QD-{key}") });
    life(key, DUPLICATES, whole, (2026, 6, 1), split)
}

fn unmerged(key: &str, annulled: &str) -> SubmitContributionRequest {
    let mut request =
        annulment(key, "duplicate-record-handling", annulled, &["personal_id_number"]);
    request.basis = Some(ground("duplicate-record-handling", "Z06.DEMO.CANCUOC"));
    request
}

/// Named by the number of one, known by name and birth of another.
pub(super) fn as_other(number: &Villager, known: &Villager) -> (SubjectRef, Claims) {
    (number.about().0, known.about().1)
}

/// What is held of all that can be asked, by somebody's number and somebody's claims.
async fn told_at(
    whole: &Whole,
    (subject, claims): (SubjectRef, Claims),
    as_of: Option<AsOf>,
) -> GetPersonAnswer {
    let request = GetPersonRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: ITEMS.iter().map(|item| (*item).to_owned()).collect(),
        basis: Some(looking()),
        request_id: "r-1".to_owned(),
        min_version: 0,
        as_of,
    };
    crate::answered(&whole.client("civil-status"), &request).await.answer
}

async fn told(whole: &Whole, whom: (SubjectRef, Claims)) -> GetPersonAnswer {
    told_at(whole, whom, None).await
}

/// What is shown, without what says when it was asked.
fn shown(answer: GetPersonAnswer) -> GetPersonAnswer {
    assert_eq!(answer.outcome(), LookupOutcome::Match);
    GetPersonAnswer {
        version: 0,
        etag: String::new(),
        answer_time: None,
        valid_until: None,
        decision_id: String::new(),
        ..answer
    }
}

async fn a_number_of_a_merged_record_leads_to_the_one_that_stays_and_says_so(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    submit(&whole.client("residence"), &residence("r-1", BINH.about(), "Số 7")).await;
    let receipt = submit(&client, &merged("m-1", &BINH, &CHI)).await.answer;
    assert!(receipt.personal_number.is_empty());
    let newest = whole.count("identity", "SELECT version FROM register").await;
    assert_eq!(receipt.version, newest.unsigned_abs());
    // What was said of both is one record, by the claims of whoever stays.
    let by_own = told(&whole, CHI.about()).await;
    assert!(!by_own.record_merged && !by_own.number_replaced);
    let by_other = told(&whole, as_other(&BINH, &CHI)).await;
    assert!(by_other.record_merged && by_other.number_replaced);
    assert_eq!((by_own.version, &by_own.items), (by_other.version, &by_other.items));
    assert_eq!(by_own.version, receipt.version);
    let Some((item_value::Value::Address(moved), _)) = value(&by_own.items, "permanent_residence")
    else {
        panic!("what was said of the duplicate is the person's")
    };
    assert_eq!(moved.text, "Số 7");
    // The name is one, that of the later entry; by the other one nobody is known any more.
    assert_eq!(told(&whole, BINH.about()).await.outcome(), LookupOutcome::NoMatch);
    let sql =
        "SELECT COUNT(*) FROM change WHERE person_id IN ('p-1991', 'p-1992') AND version > 306";
    assert_eq!(whole.count("identity", sql).await, 3, "a move, and an event of each");
    let keys = "SELECT COUNT(*) FROM search_key WHERE person_id = 'p-1991' AND name_l3 IS NOT NULL";
    assert_eq!(whole.count("identity", keys).await, 0, "whoever is merged is found by nothing");
    // Whoever names the duplicate as a relative still names somebody.
    submit(&whole.client("civil-status"), &{
        let spouse = Some(marriage::Spouse::RegisteredSpouse(party(as_other(&BINH, &CHI))));
        let wedding = ("marriage-registration", "Z01.DEMO.HOTICH");
        life("w-1", wedding, AN.about(), (2026, 5, 2), Life::Marriage(Marriage { spouse }))
    })
    .await;
    assert_eq!(
        related(&whole, &AN, "family_relations").await,
        [(RelationKind::Spouse, CHI.0.to_owned())]
    );
    assert_eq!(held_code(&whole, &CHI, "marital_status").await.as_deref(), Some("2"));
    whole.persons().await;
    whole.all.stop().await;
}

/// Everything that the register keeps of two persons beside versions and history.
async fn state(whole: &Whole) -> Vec<(i64, GetPersonAnswer)> {
    let mut all = Vec::new();
    for one in [&BINH, &CHI] {
        let keys = match one.2 {
            1991 => {
                "SELECT COUNT(*) FROM search_key WHERE person_id = 'p-1991' \
                     AND born = '1991-05-06' AND name_l3 IS NOT NULL"
            }
            _ => {
                "SELECT COUNT(*) FROM search_key WHERE person_id = 'p-1992' \
                  AND born = '1992-05-06' AND name_l3 IS NOT NULL"
            }
        };
        all.push((whole.count("identity", keys).await, shown(told(whole, one.about()).await)));
    }
    all
}

async fn i5_a_merge_and_a_split_leave_the_records_as_they_were(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    submit(&whole.client("residence"), &residence("r-1", BINH.about(), "Số 7")).await;
    submit(&whole.client("residence"), &residence("r-2", CHI.about(), "Số 9")).await;
    let before = state(&whole).await;
    assert!(before.iter().all(|(keys, _)| *keys == 1));
    for round in 0..2 {
        submit(&client, &merged(&format!("m-{round}"), &BINH, &CHI)).await;
        whole.persons().await;
        let split = split(&format!("s-{round}"), CHI.about(), &BINH);
        submit(&client, &split).await;
        assert!(state(&whole).await == before, "as if it had never been");
        whole.persons().await;
    }
    let sql = "SELECT COUNT(*) FROM identifier WHERE state <> 'active'";
    assert_eq!(whole.count("identity", sql).await, 0);
    // The other way round: what is said of the later birth is what holds of both, so the number is set anew.
    let set = submit(&client, &merged("m-9", &CHI, &BINH)).await.answer.personal_number;
    assert!(!set.is_empty());
    assert_eq!(told(&whole, BINH.about()).await.outcome(), LookupOutcome::NoMatch);
    submit(&client, &split("s-9", as_other(&BINH, &CHI), &CHI)).await;
    assert!(state(&whole).await == before);
    assert_eq!(whole.count("identity", sql).await, 1, "that number is nobody's");
    let sql = "SELECT COUNT(*) FROM person WHERE merged_into IS NOT NULL";
    assert_eq!(whole.count("identity", sql).await, 0);
    whole.persons().await;
    whole.all.stop().await;
}

async fn i5_what_is_said_meanwhile_stays_with_the_number_that_was_named(engine: Engine) {
    let whole = village(engine).await;
    let (client, residences) = (whole.client("citizen-id"), whole.client("residence"));
    submit(&client, &merged("m-1", &BINH, &CHI)).await;
    submit(&residences, &residence("r-1", as_other(&BINH, &CHI), "Số 7")).await;
    let away = Life::Absence(TemporaryAbsence { declaration: "Đi xa".to_owned() });
    let procedure = ("temporary-absence-declaration", "Z05.DEMO.CUTRU");
    let away = life("a-1", procedure, CHI.about(), (2026, 5, 20), away);
    submit(&residences, &away).await;
    for item in ["permanent_residence", "temporary_absence"] {
        assert_eq!(held(&whole, &CHI, item).await.len(), 1, "both are the one person's: {item}");
    }
    submit(&client, &split("s-1", CHI.about(), &BINH)).await;
    for (item, of, not_of) in
        [("permanent_residence", &BINH, &CHI), ("temporary_absence", &CHI, &BINH)]
    {
        assert_eq!(held(&whole, of, item).await.len(), 1, "{item}");
        assert_eq!(held(&whole, not_of, item).await.len(), 0, "{item}");
    }
    // What was contributed under the number can be annulled, whoever it is of today.
    let mut never = annulment(
        "n-1",
        "permanent-residence-registration",
        "r-1",
        &["permanent_residence", "residence_file_number"],
    );
    never.basis = residence("", BINH.about(), "").basis;
    submit(&residences, &never).await;
    assert_eq!(held(&whole, &BINH, "permanent_residence").await.len(), 0);
    whole.persons().await;
    whole.all.stop().await;
}

async fn an_annulment_of_a_merge_is_a_split_and_one_of_a_split_is_a_merge(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    let before = state(&whole).await;
    submit(&client, &merged("m-1", &BINH, &CHI)).await;
    let once = shown(told(&whole, CHI.about()).await);
    submit(&client, &unmerged("a-1", "m-1")).await;
    assert!(state(&whole).await == before);
    submit(&client, &unmerged("a-2", "a-1")).await;
    assert!(shown(told(&whole, CHI.about()).await) == once);
    assert!(told(&whole, as_other(&BINH, &CHI)).await.record_merged);
    submit(&client, &split("s-1", CHI.about(), &BINH)).await;
    assert!(state(&whole).await == before);
    submit(&client, &unmerged("a-3", "s-1")).await;
    assert!(shown(told(&whole, CHI.about()).await) == once);
    whole.persons().await;
    // A split that was wrong cannot be annulled any more where the two are merged otherwise by now.
    submit(&client, &split("s-2", CHI.about(), &BINH)).await;
    submit(&client, &merged("m-2", &CHI, &BINH)).await;
    let refused = rejected(&client, &unmerged("a-4", "s-2")).await;
    assert_eq!(refused, only("ALREADY_MERGED", ""));
    submit(&client, &unmerged("a-5", "m-2")).await;
    submit(&client, &merged("m-3", &BINH, &HOA)).await;
    let refused = rejected(&client, &unmerged("a-6", "s-2")).await;
    assert_eq!(refused, only("ALREADY_MERGED", ""));
    whole.persons().await;
    whole.all.stop().await;
}

async fn records_are_merged_one_into_the_other_and_split_in_any_order(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    submit(&whole.client("residence"), &residence("r-1", BINH.about(), "Số 7")).await;
    let before = state(&whole).await;
    let hoa = shown(told(&whole, HOA.about()).await);
    submit(&client, &merged("m-1", &BINH, &CHI)).await;
    submit(&client, &merged("m-2", &CHI, &HOA)).await;
    for one in [&BINH, &CHI] {
        let answer = told(&whole, as_other(one, &HOA)).await;
        assert!(answer.record_merged);
        assert!(value(&answer.items, "permanent_residence").is_some());
    }
    whole.persons().await;
    // The first of the chain alone.
    submit(&client, &split("s-1", HOA.about(), &BINH)).await;
    assert!(before[0].1 == shown(told(&whole, BINH.about()).await));
    assert!(told(&whole, as_other(&CHI, &HOA)).await.record_merged);
    submit(&client, &unmerged("a-1", "s-1")).await;
    assert!(told(&whole, as_other(&BINH, &HOA)).await.record_merged);
    whole.persons().await;
    // The second, with the first in it.
    submit(&client, &split("s-2", HOA.about(), &CHI)).await;
    assert!(shown(told(&whole, HOA.about()).await) == hoa);
    assert!(told(&whole, as_other(&BINH, &CHI)).await.record_merged);
    whole.persons().await;
    submit(&client, &split("s-3", CHI.about(), &BINH)).await;
    assert!(state(&whole).await == before);
    whole.persons().await;
    whole.all.stop().await;
}

async fn whoever_cannot_be_one_is_not_merged(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    let books = whole.client("civil-status");
    let (_, twice) = BINH.about();
    let mut same = merged("m-0", &BINH, &BINH);
    let Some(Event::LifeEvent(event)) = &mut same.event else { panic!() };
    event.claims = Some(twice);
    assert_eq!(refuse(&client, &same).await.reason, "INVALID_REQUEST");
    // Spouses.
    let spouse = Some(marriage::Spouse::RegisteredSpouse(party(BINH.about())));
    let wedding = ("marriage-registration", "Z01.DEMO.HOTICH");
    let wed = life("w-1", wedding, AN.about(), (2020, 2, 3), Life::Marriage(Marriage { spouse }));
    submit(&books, &wed).await;
    let related = only("PERSONS_RELATED", "family_relations");
    assert_eq!(rejected(&client, &merged("m-1", &AN, &BINH)).await, related);
    // Two spouses by a merge.
    let spouse = Some(marriage::Spouse::RegisteredSpouse(party(CHI.about())));
    let wed = life("w-2", wedding, DUNG.about(), (2020, 2, 3), Life::Marriage(Marriage { spouse }));
    submit(&books, &wed).await;
    assert_eq!(
        rejected(&client, &merged("m-2", &BINH, &CHI)).await,
        only("ALREADY_MARRIED", "family_relations")
    );
    // Whoever is dead and whoever lives.
    submit(&books, &death("d-1", HOA.about())).await;
    for (key, one, other) in [("m-3", &HOA, &BINH), ("m-4", &BINH, &HOA)] {
        let refused = rejected(&client, &merged(key, one, other)).await;
        assert_eq!(refused, only("PERSON_DECEASED", ""));
    }
    submit(&books, &death("d-2", CHI.about())).await;
    submit(&client, &merged("m-5", &CHI, &HOA)).await;
    // Whoever is merged has no record of its own.
    let again = rejected(&client, &merged("m-6", &CHI, &HOA)).await;
    assert_eq!(again, only("PERSON_NOT_FOUND", ""), "it is known as the one who stays");
    let known = |mut request: SubmitContributionRequest| {
        let Some(Event::LifeEvent(event)) = &mut request.event else { panic!() };
        event.claims = Some(HOA.about().1);
        request
    };
    let again = rejected(&client, &known(merged("m-7", &CHI, &HOA))).await;
    assert_eq!(again, only("PERSON_REPEATED", OTHER));
    let away = rejected(&client, &known(merged("m-8", &CHI, &AN))).await;
    assert_eq!(away, only("ALREADY_MERGED", ""));
    let mut stale = merged("m-9", &AN, &DUNG);
    stale.expected_version = 1;
    assert_eq!(rejected(&client, &stale).await, only("VERSION_CHANGED", ""));
    let nobody = Villager("Không Ai Cả", Sex::Male, 1971);
    for (key, whom, other) in [
        ("s-1", HOA.about(), &BINH),
        ("s-2", as_other(&CHI, &HOA), &HOA),
        ("s-3", AN.about(), &CHI),
        ("s-4", HOA.about(), &nobody),
    ] {
        assert_eq!(rejected(&client, &split(key, whom, other)).await, only("NOT_MERGED", ""));
    }
    let stale =
        SubmitContributionRequest { expected_version: 1, ..split("s-5", HOA.about(), &CHI) };
    assert_eq!(rejected(&client, &stale).await, only("VERSION_CHANGED", ""));
    submit(&client, &split("s-6", HOA.about(), &CHI)).await;
    whole.persons().await;
    whole.all.stop().await;
}

async fn i7_a_protected_person_is_merged_no_more_than_an_absent_one(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    let nobody = Villager("Không Ai Cả", Sex::Female, 1971);
    let statements = || whole.all.identity().store().statements();
    let mut costs = Vec::new();
    for (place, other) in [&HIDDEN, &nobody].into_iter().enumerate() {
        let (before, records) = (statements(), whole.records().await);
        let first = rejected(&client, &merged(&format!("m-{place}"), other, &BINH)).await;
        assert_eq!(first, only("PERSON_NOT_FOUND", ""));
        let second = rejected(&client, &merged(&format!("n-{place}"), &BINH, other)).await;
        assert_eq!(second, only("PERSON_NOT_FOUND", OTHER));
        let third = split(&format!("s-{place}"), BINH.about(), other);
        assert_eq!(rejected(&client, &third).await, only("NOT_MERGED", ""));
        costs.push((statements() - before, whole.records().await - records));
    }
    assert_eq!(costs[0], costs[1]);
    let sql = "SELECT COUNT(*) FROM once_merged";
    assert_eq!(whole.count("identity", sql).await, 0);
    whole.all.stop().await;
}

async fn i4_a_merge_is_one_contribution_and_a_check_changes_nothing(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    let request = merged("m-1", &BINH, &CHI);
    let check = SubmitContributionRequest { validate_only: true, ..request.clone() };
    assert_eq!(submit(&client, &check).await.answer.state(), ContributionState::Validated);
    assert_eq!(told(&whole, BINH.about()).await.outcome(), LookupOutcome::Match);
    let first = submit(&client, &request).await;
    let second = submit(&client, &request).await;
    assert!(first.answer == second.answer && first.receipt == second.receipt);
    let sql = "SELECT COUNT(*) FROM assertion WHERE event = 'merge'";
    assert_eq!(whole.count("identity", sql).await, 2);
    let mut twice = request.clone();
    twice.idempotency_key = "key:other".to_owned();
    assert_eq!(rejected(&client, &twice).await, only("ALREADY_REGISTERED", ""));
    let undo = split("s-1", CHI.about(), &BINH);
    let check = SubmitContributionRequest { validate_only: true, ..undo.clone() };
    assert_eq!(submit(&client, &check).await.answer.state(), ContributionState::Validated);
    assert_eq!(told(&whole, BINH.about()).await.outcome(), LookupOutcome::NoMatch);
    submit(&client, &undo).await;
    whole.persons().await;
    whole.all.stop().await;
}

async fn i2_only_whoever_may_says_which_records_are_one(engine: Engine) {
    let whole = village(engine).await;
    let mut other = merged("m-1", &BINH, &CHI);
    other.basis = Some(ground("duplicate-record-handling", "Z01.DEMO.HOTICH"));
    let refused = refuse(&whole.client("civil-status"), &other).await;
    assert_eq!(refused.code, "PermissionDenied");
    let mut other = merged("m-2", &BINH, &CHI);
    other.basis = Some(ground("identity-document-issue", "Z06.DEMO.CANCUOC"));
    assert_eq!(refuse(&whole.client("citizen-id"), &other).await.code, "PermissionDenied");
    // No source speaks of what the register keeps under the item of its own.
    let named = item_value::Value::Text("p-1992".to_owned());
    let request = correction("c-1", BINH.about(), "merged_into", named, date(2026, 1, 1));
    assert_eq!(refuse(&whole.client("civil-status"), &request).await.code, "PermissionDenied");
    assert_eq!(told(&whole, BINH.about()).await.outcome(), LookupOutcome::Match);
    whole.all.stop().await;
}
