//! What was known before records were merged and split, and while they were one.

use super::*;

on_both_engines!(
    i6_what_was_known_before_a_merge_and_before_a_split_does_not_change,
    i7_whoever_is_protected_today_never_was_taken_for_another,
);

fn at(known_time: Option<prost_types::Timestamp>) -> Option<AsOf> {
    Some(AsOf { known_time, valid_date: None })
}

/// What is told, without what says when it was asked.
fn bare(answer: GetPersonAnswer) -> (Vec<ItemOutcome>, Option<prost_types::Timestamp>) {
    let answer = shown(answer);
    (answer.items, answer.known_time)
}

async fn i6_what_was_known_before_a_merge_and_before_a_split_does_not_change(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    let moved = residence("r-1", BINH.about(), "Số 7");
    let first = submit(&whole.client("residence"), &moved).await.answer.known_time;
    let second = submit(&client, &merged("m-1", &BINH, &CHI)).await.answer.known_time;
    // By the number of the duplicate, what its own record held then; by the other, that one's.
    let duplicate = bare(told_at(&whole, as_other(&BINH, &CHI), at(first)).await);
    assert!(value(&duplicate.0, "permanent_residence").is_some());
    let stays = bare(told_at(&whole, CHI.about(), at(first)).await);
    assert!(value(&stays.0, "permanent_residence").is_none());
    let one = bare(told_at(&whole, CHI.about(), at(second)).await);
    assert!(value(&one.0, "permanent_residence").is_some());
    assert!(bare(told_at(&whole, as_other(&BINH, &CHI), at(second)).await) == one);
    submit(&client, &split("s-1", CHI.about(), &BINH)).await;
    assert!(bare(told_at(&whole, BINH.about(), at(first)).await) == duplicate);
    assert!(bare(told_at(&whole, CHI.about(), at(first)).await) == stays);
    // While they were taken for one, either number led to that one.
    assert!(bare(told_at(&whole, BINH.about(), at(second)).await) == one);
    assert!(bare(told_at(&whole, CHI.about(), at(second)).await) == one);
    whole.all.stop().await;
}

/// Two who were taken for one, by the number of each as of then; the other of the two became protected since.
async fn i7_whoever_is_protected_today_never_was_taken_for_another(engine: Engine) {
    const PROTECT: [&[&str]; 2] = [
        &["UPDATE person SET protected = TRUE, \
           record = REPLACE(record, '\"protected\":false', '\"protected\":true') WHERE person_id = 'p-1991'"],
        &["UPDATE person SET protected = TRUE, \
           record = REPLACE(record, '\"protected\":false', '\"protected\":true') WHERE person_id = 'p-1992'"],
    ];
    for (protect, hidden, other) in [(PROTECT[0], &BINH, &CHI), (PROTECT[1], &CHI, &BINH)] {
        let whole = village(engine).await;
        let (client, residences) = (whole.client("citizen-id"), whole.client("residence"));
        submit(&residences, &residence("r-1", hidden.about(), "Số 7")).await;
        let then = submit(&client, &merged("m-1", &BINH, &CHI)).await.answer.known_time;
        let since = submit(&client, &split("s-1", CHI.about(), &BINH)).await.answer.known_time;
        let alone = bare(told_at(&whole, other.about(), at(since)).await).0;
        let before = bare(told_at(&whole, other.about(), at(then)).await).0;
        assert!(value(&before, "permanent_residence").is_some(), "the two were one");
        let whole = whole.changed("identity", protect).await;
        let after = bare(told_at(&whole, other.about(), at(then)).await).0;
        assert!(value(&after, "permanent_residence").is_none());
        assert!(after == alone, "as if there had been no merge");
        whole.all.stop().await;
    }
}
