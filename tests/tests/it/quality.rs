//! How good the values are that sources contribute: consistent, complete, accurate and timely, counted from what became of them
//! (Decision 1911/QD-TTg, Art. 2(2)).

use contract::{
    contribution::v1::{
        ConflictOutcome, ItemQuality, ListQualityAnswer, ListQualityRequest, QualityCounts,
        QualityShare, SubmitContributionRequest, submit_contribution_request::Event,
    },
    r#type::v1::{Identifier, IdentifierKind, item_value},
};
use lienthong::client::{Client, Refused};
use store::Engine;
use tests::{
    events::{about, annulment, birth, correction, date, ground, residence},
    on_both_engines,
    whole::Whole,
};

use crate::conflict::{THERE, decision, disputed, start};

on_both_engines!(
    what_was_applied_is_counted_by_item_and_month,
    i4_what_is_sent_again_counts_once,
    what_is_rejected_or_taken_back_is_no_value,
    what_is_corrected_or_annulled_was_not_accurate,
    what_is_disputed_is_not_consistent,
    a_decision_counts_against_the_side_that_it_sets_aside,
    what_is_annulled_of_a_decision_counts_no_more,
    what_an_earlier_version_decided_is_counted_too,
    nobody_is_shown_the_figures_of_another,
    pages_lead_to_all_of_them_once,
    bad_requests_are_refused_with_every_fault,
);

const CHILD: &str = "Trần Giả Định Bảo An";
const MONTH: &str = "2026-11";

fn months(from: &str, to: &str) -> ListQualityRequest {
    ListQualityRequest {
        from_month: from.to_owned(),
        to_month: to.to_owned(),
        page_token: String::new(),
        page_size: 0,
        request_id: "r-1".to_owned(),
    }
}

async fn asked(
    client: &Client,
    request: &ListQualityRequest,
) -> Result<ListQualityAnswer, Refused> {
    Ok(client.list_quality(request).await.unwrap()?.answer)
}

/// The figures of a source in the month in which the tests begin, once all is counted.
async fn figures(whole: &Whole, source: &str) -> Vec<ItemQuality> {
    whole.all.contribution().count_quality().await.unwrap();
    asked(&whole.client(source), &months(MONTH, MONTH)).await.unwrap().figures
}

async fn figure(whole: &Whole, source: &str, item: &str) -> ItemQuality {
    let all = figures(whole, source).await;
    let found = all.iter().find(|figure| figure.item == item);
    found.unwrap_or_else(|| panic!("{source} has no figures of {item}")).clone()
}

fn counts(figure: &ItemQuality) -> QualityCounts {
    figure.counts.unwrap()
}

fn share(share: &Option<QualityShare>) -> (u64, u64) {
    let QualityShare { part, all } = share.as_ref().unwrap();
    (*part, *all)
}

async fn submitted(whole: &Whole, source: &str, request: &SubmitContributionRequest) -> String {
    let answered = whole.client(source).submit_contribution(request).await.unwrap();
    answered.unwrap_or_else(|error| panic!("{error}")).answer.personal_number
}

async fn refused(whole: &Whole, source: &str, request: &SubmitContributionRequest) {
    assert!(whole.client(source).submit_contribution(request).await.unwrap().is_err());
}

/// A birth whose mother is named with a number.
fn with_number_of_mother(
    mut request: SubmitContributionRequest,
    number: &str,
) -> SubmitContributionRequest {
    let Some(Event::Birth(birth)) = &mut request.event else { panic!() };
    birth.parents[0].identifier =
        Some(Identifier { kind: IdentifierKind::PersonalNumber.into(), value: number.to_owned() });
    request
}

async fn what_was_applied_is_counted_by_item_and_month(engine: Engine) {
    let whole = Whole::start(engine).await;
    assert!(figures(&whole, "civil-status").await.is_empty());
    submitted(&whole, "civil-status", &birth("b-1", CHILD)).await;
    // The mother's number says a man.
    let second = with_number_of_mother(birth("b-2", CHILD), "990098000001");
    let number = submitted(&whole, "civil-status", &second).await;
    let all = figures(&whole, "civil-status").await;
    assert_eq!(all.len(), 9, "each item of a birth");
    assert!(all.iter().all(|figure| figure.database == "civil-status" && figure.month == MONTH));
    assert!(all.iter().all(|figure| share(&figure.consistency) == (2, 2)));
    assert!(all.iter().all(|figure| share(&figure.accuracy) == (2, 2)));
    let born = figure(&whole, "civil-status", "date_of_birth").await;
    assert_eq!(share(&born.completeness), (2, 2));
    // Born in March, heard of in November.
    assert_eq!(share(&born.timeliness), (0, 2));
    assert_eq!(counts(&born).delays.unwrap().later, 2);
    assert_eq!(counts(&born).number_differs, 0, "the number is made of it");
    let relatives = figure(&whole, "civil-status", "family_relations").await;
    assert_eq!(share(&relatives.completeness), (1, 2), "one has a number");
    assert_eq!(counts(&relatives).number_differs, 1);
    // What is told in time, in another month.
    whole.hands.step(time::Duration::days(30));
    let mut moved = residence("m-1", about(&number, CHILD, (2026, 3, 1)), THERE);
    let Some(Event::Residence(change)) = &mut moved.event else { panic!() };
    change.effective_date = date(2026, 12, 14);
    submitted(&whole, "residence", &moved).await;
    assert!(figures(&whole, "residence").await.is_empty());
    let december = asked(&whole.client("residence"), &months("2026-12", "2026-12")).await.unwrap();
    assert_eq!(december.timely_days, 15);
    let items: Vec<&str> = december.figures.iter().map(|one| one.item.as_str()).collect();
    assert_eq!(items, ["permanent_residence", "residence_file_number"]);
    for figure in &december.figures {
        assert_eq!(share(&figure.timeliness), (1, 1));
        assert_eq!(counts(figure).delays.unwrap().within_15_days, 1);
    }
    whole.all.stop().await;
}

async fn i4_what_is_sent_again_counts_once(engine: Engine) {
    let whole = Whole::start(engine).await;
    for _ in 0..3 {
        submitted(&whole, "civil-status", &birth("b-1", CHILD)).await;
        whole.all.contribution().count_quality().await.unwrap();
    }
    assert_eq!(counts(&figure(&whole, "civil-status", "sex").await).values, 1);
    // A check is none at all.
    let check = SubmitContributionRequest { validate_only: true, ..birth("b-2", CHILD) };
    whole.client("civil-status").submit_contribution(&check).await.unwrap().unwrap();
    assert_eq!(counts(&figure(&whole, "civil-status", "sex").await).values, 1);
    let whole = whole.restarted(&[]).await;
    assert_eq!(counts(&figure(&whole, "civil-status", "sex").await).values, 1);
    whole.all.stop().await;
}

async fn what_is_rejected_or_taken_back_is_no_value(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = submitted(&whole, "civil-status", &birth("b-1", CHILD)).await;
    // The same entry under another key; and a correction from before the birth.
    let again =
        SubmitContributionRequest { idempotency_key: "key:b-2".to_owned(), ..birth("b-1", CHILD) };
    refused(&whole, "civil-status", &again).await;
    let other = tests::events::code("sex", "1", "1").unwrap();
    let early = correction(
        "c-1",
        about(&number, CHILD, (2026, 3, 1)),
        "sex",
        item_value::Value::Coded(other),
        date(2020, 1, 1),
    );
    refused(&whole, "civil-status", &early).await;
    let sex = figure(&whole, "civil-status", "sex").await;
    assert_eq!((counts(&sex).values, share(&sex.accuracy)), (1, (1, 1)));
    assert_eq!((counts(&sex).rejected, counts(&sex).rejected_for_it), (2, 1));
    let name = counts(&figure(&whole, "civil-status", "birth_full_name").await);
    assert_eq!((name.rejected, name.rejected_for_it), (1, 0));
    // What the source took back is its own affair.
    const TAKEN_BACK: &str = "UPDATE submission SET counted = 0, \
        outcome = '{\"rejected\":[{\"item\":\"\",\"reason\":\"WITHDRAWN\"}]}' WHERE idempotency_key = 'key:b-2'";
    let whole = whole
        .changed(
            "contribution",
            &[
                TAKEN_BACK,
                "DELETE FROM quality",
                "UPDATE submission SET counted = 0 \
            WHERE idempotency_key = 'key:c-1'",
            ],
        )
        .await;
    let sex = counts(&figure(&whole, "civil-status", "sex").await);
    assert_eq!((sex.rejected, sex.rejected_for_it), (1, 1));
    whole.all.stop().await;
}

async fn what_is_corrected_or_annulled_was_not_accurate(engine: Engine) {
    let whole = Whole::start(engine).await;
    let number = submitted(&whole, "civil-status", &birth("b-1", CHILD)).await;
    let name = |text: &str| item_value::Value::Name(tests::events::name(text).unwrap());
    let who = about(&number, CHILD, (2026, 3, 1));
    let corrected =
        correction("c-1", who, "birth_full_name", name("Trần Giả Định Bảo Anh"), date(2026, 3, 1));
    submitted(&whole, "civil-status", &corrected).await;
    let found = figure(&whole, "civil-status", "birth_full_name").await;
    assert_eq!((counts(&found).values, counts(&found).corrections), (2, 1));
    assert_eq!(share(&found.accuracy), (1, 2));
    assert_eq!(share(&found.timeliness), (0, 1), "a correction is not late");
    // A correction that is annulled was wrong itself; there was nothing to correct.
    let items = ["birth_full_name"];
    let annulled = annulment("a-1", "civil-status-correction", "c-1", &items);
    submitted(&whole, "civil-status", &annulled).await;
    let found = figure(&whole, "civil-status", "birth_full_name").await;
    assert_eq!((counts(&found).annulled, share(&found.accuracy)), (1, (1, 2)));
    // It counts again when its annulment is annulled.
    let back = annulment("a-2", "civil-status-correction", "a-1", &items);
    submitted(&whole, "civil-status", &back).await;
    let found = figure(&whole, "civil-status", "birth_full_name").await;
    assert_eq!((counts(&found).annulled, share(&found.accuracy)), (0, (1, 2)));
    // What is annulled belongs to the month in which it was contributed.
    whole.hands.step(time::Duration::days(40));
    let all = [
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
    submitted(&whole, "civil-status", &annulment("a-3", "birth-registration", "b-1", &all)).await;
    let sex = figure(&whole, "civil-status", "sex").await;
    assert_eq!((counts(&sex).annulled, share(&sex.accuracy)), (1, (0, 1)));
    assert_eq!(share(&figure(&whole, "civil-status", "birth_full_name").await.accuracy), (0, 2));
    let later = asked(&whole.client("civil-status"), &months("2027-01", "2027-01")).await.unwrap();
    assert!(later.figures.is_empty());
    whole.all.stop().await;
}

async fn what_is_disputed_is_not_consistent(engine: Engine) {
    let whole = start(engine).await;
    disputed(&whole).await;
    let low = figure(&whole, "residence", "permanent_residence").await;
    assert_eq!((share(&low.consistency), share(&low.accuracy)), ((0, 1), (1, 1)));
    assert_eq!(
        (counts(&low).disputed, counts(&low).decided_for, counts(&low).decided_against),
        (1, 0, 0)
    );
    let file = figure(&whole, "residence", "residence_file_number").await;
    assert_eq!(share(&file.consistency), (1, 1), "of this they do not disagree");
    let high = figure(&whole, "citizen-id", "permanent_residence").await;
    assert_eq!(share(&high.consistency), (1, 1));
    whole.all.stop().await;
}

async fn a_decision_counts_against_the_side_that_it_sets_aside(engine: Engine) {
    for (outcome, for_it) in [(ConflictOutcome::Accepted, true), (ConflictOutcome::Rejected, false)]
    {
        let whole = start(engine).await;
        let (_, conflict) = disputed(&whole).await;
        let decided = decision("d-1", &conflict.conflict_id, outcome);
        submitted(&whole, "citizen-id", &decided).await;
        let low = figure(&whole, "residence", "permanent_residence").await;
        assert_eq!((counts(&low).disputed, share(&low.consistency)), (1, (0, 1)));
        let (yes, no) = (u64::from(for_it), u64::from(!for_it));
        assert_eq!((counts(&low).decided_for, counts(&low).decided_against), (yes, no));
        assert_eq!((counts(&low).set_aside, share(&low.accuracy)), (no, (yes, 1)));
        let high = figure(&whole, "citizen-id", "permanent_residence").await;
        assert_eq!((counts(&high).set_aside, share(&high.accuracy)), (yes, (no, 1)));
        assert_eq!(share(&high.consistency), (1, 1));
        whole.all.stop().await;
    }
}

async fn what_is_annulled_of_a_decision_counts_no_more(engine: Engine) {
    let whole = start(engine).await;
    let (_, conflict) = disputed(&whole).await;
    let decided = decision("d-1", &conflict.conflict_id, ConflictOutcome::Accepted);
    submitted(&whole, "citizen-id", &decided).await;
    let high = figure(&whole, "citizen-id", "permanent_residence").await;
    assert_eq!(counts(&high).set_aside, 1);
    let annulled = annulment("a-1", "conflict-resolution", "d-1", &["permanent_residence"]);
    let annulled = SubmitContributionRequest {
        basis: Some(ground("conflict-resolution", "Z06.DEMO.CANCUOC")),
        ..annulled
    };
    submitted(&whole, "citizen-id", &annulled).await;
    let high = figure(&whole, "citizen-id", "permanent_residence").await;
    assert_eq!((counts(&high).set_aside, share(&high.accuracy)), (0, (1, 1)));
    let low = counts(&figure(&whole, "residence", "permanent_residence").await);
    assert_eq!((low.disputed, low.decided_for, low.decided_against), (1, 0, 0), "it is open again");
    whole.all.stop().await;
}

async fn what_an_earlier_version_decided_is_counted_too(engine: Engine) {
    let whole = start(engine).await;
    let (_, conflict) = disputed(&whole).await;
    let decided = decision("d-1", &conflict.conflict_id, ConflictOutcome::Accepted);
    submitted(&whole, "citizen-id", &decided).await;
    let before = [figures(&whole, "citizen-id").await, figures(&whole, "residence").await];
    assert!(before.iter().all(|figures| !figures.is_empty()));
    // As if nothing had ever been counted; and a submission that no version can read is in the way.
    const NOTHING: [&str; 4] = [
        "DELETE FROM quality",
        "DELETE FROM contributed_value",
        "UPDATE submission SET counted = 0",
        "INSERT INTO submission (connection, idempotency_key, contribution_id, digest, application, \
         received_at_us, outcome) SELECT connection, 'key:x', 'x', digest, 'none', 0, outcome FROM submission \
         WHERE idempotency_key = 'key:d-1'",
    ];
    let whole = whole.changed("contribution", &NOTHING).await;
    assert_eq!([figures(&whole, "citizen-id").await, figures(&whole, "residence").await], before);
    assert_eq!(whole.all.contribution().count_quality().await.unwrap(), 0);
    whole.all.stop().await;
}

async fn nobody_is_shown_the_figures_of_another(engine: Engine) {
    let whole = start(engine).await;
    disputed(&whole).await;
    let (own, records) = (figures(&whole, "residence").await, whole.records().await);
    assert!(own.iter().all(|figure| figure.database == "residence"));
    assert!(figures(&whole, "medical").await.is_empty());
    // The register's own officers see all.
    let register = whole.client_with(&whole.issue("npd", "/agency/Z08.DEMO.DANCU/system/dan-cu"));
    let all = asked(&register, &months("2026-01", "2026-12")).await.unwrap().figures;
    let mut databases: Vec<&str> = all.iter().map(|figure| figure.database.as_str()).collect();
    databases.dedup();
    assert_eq!(databases, ["citizen-id", "civil-status", "residence"]);
    assert!(own.iter().all(|figure| all.contains(figure)));
    // A token of theirs shows nobody more.
    let token = ListQualityRequest { page_size: 1, ..months("2026-01", "2026-12") };
    let token = asked(&register, &token).await.unwrap().next_page_token;
    let with_token = ListQualityRequest { page_token: token, ..months("2026-01", "2026-12") };
    let found = asked(&whole.client("residence"), &with_token).await.unwrap().figures;
    assert_eq!(found, own);
    let former = whole.client_with(&whole.issue("former", "/agency/Z04.DEMO.CU/system/cu"));
    let denied = asked(&former, &months(MONTH, MONTH)).await.unwrap_err();
    assert_eq!(denied.reason, "CONNECTION_NOT_ACTIVE");
    assert_eq!(whole.records().await, records + 5, "each of these, and the denial");
    whole.all.stop().await;
}

async fn pages_lead_to_all_of_them_once(engine: Engine) {
    let whole = Whole::start(engine).await;
    submitted(&whole, "civil-status", &birth("b-1", CHILD)).await;
    whole.hands.step(time::Duration::days(40));
    submitted(&whole, "civil-status", &birth("b-2", CHILD)).await;
    whole.all.contribution().count_quality().await.unwrap();
    let client = whole.client("civil-status");
    let all = asked(&client, &months("2026-11", "2027-01")).await.unwrap();
    assert_eq!((all.figures.len(), all.next_page_token.as_str()), (18, ""));
    let mut request = ListQualityRequest { page_size: 5, ..months("2026-11", "2027-01") };
    let mut seen = Vec::new();
    loop {
        let page = asked(&client, &request).await.unwrap();
        assert!(page.figures.len() <= 5);
        seen.extend(page.figures);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, all.figures);
    let months_of =
        |figures: &[ItemQuality]| figures.iter().filter(|one| one.month == MONTH).count();
    assert_eq!(months_of(&seen), 9);
    assert_eq!(asked(&client, &months("2027-01", "2027-01")).await.unwrap().figures, seen[9..]);
    assert!(asked(&client, &months("2026-12", "2026-12")).await.unwrap().figures.is_empty());
    whole.all.stop().await;
}

async fn bad_requests_are_refused_with_every_fault(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("civil-status");
    let fields = |refused: Refused| -> Vec<String> {
        assert_eq!(refused.reason, "INVALID_REQUEST");
        refused.fields.into_iter().map(|(field, _)| field).collect()
    };
    let none = ListQualityRequest { page_size: 1001, ..ListQualityRequest::default() };
    let found = fields(asked(&client, &none).await.unwrap_err());
    assert_eq!(found, ["from_month", "to_month", "request_id", "page_size"]);
    let found = fields(asked(&client, &months("2026-13", "26-01")).await.unwrap_err());
    assert_eq!(found, ["from_month", "to_month"]);
    let found = fields(asked(&client, &months("2026-02", "2026-01")).await.unwrap_err());
    assert_eq!(found, ["to_month"]);
    let records = whole.records().await;
    for token in [
        "x",
        "q1.",
        "q1.2026-11",
        "q1.2026-11/a",
        "q1.2026-11//a",
        "q1.2026-10/a/b",
        "q1.2026-99/a/b",
    ] {
        let request = ListQualityRequest { page_token: token.to_owned(), ..months(MONTH, MONTH) };
        assert_eq!(asked(&client, &request).await.unwrap_err().reason, "UNKNOWN_CURSOR", "{token}");
    }
    assert_eq!(whole.records().await, records + 7);
    whole.all.stop().await;
}
