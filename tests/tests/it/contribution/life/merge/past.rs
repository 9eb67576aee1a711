//! What was known before records were merged and split, and while they were one.

use super::*;

on_both_engines!(
    i6_what_was_known_before_a_merge_and_before_a_split_does_not_change,
    i7_whoever_is_protected_today_never_was_taken_for_another,
    i7_a_number_that_was_set_because_of_whoever_is_protected_today_never_was,
    i7_who_are_one_are_protected_together,
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

/// The numbers that are told of an item, with how each stands where that was asked.
async fn numbers(whole: &Whole, of: &Villager, then: Option<AsOf>) -> Vec<String> {
    let (subject, claims) = of.about();
    let request = GetPersonRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: vec!["personal_id_number".to_owned()],
        basis: Some(looking()),
        request_id: "r-1".to_owned(),
        min_version: 0,
        as_of: then,
    };
    let answer = crate::answered(&whole.client("civil-status"), &request).await.answer;
    assert_eq!(answer.outcome(), LookupOutcome::Match);
    let Some(item_outcome::Outcome::Value(held)) = &answer.items[0].outcome else { panic!() };
    let number = |held: &HeldValue| {
        let value = held.value.as_ref().unwrap().value.as_ref().unwrap();
        let item_value::Value::Identifier(number) = value else { panic!() };
        number.value.clone()
    };
    held.values.iter().map(number).collect()
}

/// By the merge itself, and by what was said of the other one meanwhile.
async fn i7_a_number_that_was_set_because_of_whoever_is_protected_today_never_was(engine: Engine) {
    for (other, set_by_merge) in [(&AN, true), (&CHI, false)] {
        let prepared = Prepared::new(engine).await;
        let register = identity::Service::register(&prepared.settings.identity).await.unwrap();
        let village = VILLAGE.iter().map(Villager::newcomer).collect();
        register.load(village, "village", LOADED_US).await.unwrap();
        register.close().await;
        prepared.shows_civil_status(&[&ITEMS[..], &["personal_id_number"]].concat());
        let whole = prepared.start().await;
        let (client, own) = (whole.client("citizen-id"), vec![other.number().as_str().to_owned()]);
        let mut answer = submit(&client, &merged("m-1", &BINH, other)).await.answer;
        if !set_by_merge {
            assert!(answer.personal_number.is_empty());
            let mut changed = of_other_sex("c-1", &BINH, 2);
            let Some(Event::LifeEvent(event)) = &mut changed.event else { panic!() };
            event.claims = Some(CHI.about().1);
            answer = submit(&whole.client("civil-status"), &changed).await.answer;
        }
        let (set, then) = (answer.personal_number, at(answer.known_time));
        // Where the other's birth won, that is by what it was known.
        let known = if set_by_merge { &BINH } else { &CHI };
        submit(&client, &split("s-1", as_other(other, known), &BINH)).await;
        assert_eq!(numbers(&whole, other, None).await, own);
        assert_eq!(numbers(&whole, other, then).await, std::slice::from_ref(&set));
        let all = explained_numbers(&whole, other).await;
        assert!(all.contains(&set), "that it was so is told");
        let whole = whole.changed("identity", PROTECT[0]).await;
        assert_eq!(numbers(&whole, other, then).await, own);
        assert_eq!(explained_numbers(&whole, other).await, own);
        assert_eq!(numbers(&whole, other, None).await, own);
        whole.all.stop().await;
    }
}

/// Every number that is explained.
async fn explained_numbers(whole: &Whole, of: &Villager) -> Vec<String> {
    let answer = super::numbers::explained(whole, of.about(), "personal_id_number").await;
    let number = |one: &contract::identity::v1::ExplainedValue| {
        let value = one.held.as_ref().unwrap().value.as_ref().unwrap().value.as_ref().unwrap();
        let item_value::Value::Identifier(number) = value else { panic!() };
        number.value.clone()
    };
    answer.values.iter().map(number).collect()
}

/// No call makes one of two who are one protected; whoever writes it into the database makes a register that is damaged, and says so.
async fn i7_who_are_one_are_protected_together(engine: Engine) {
    let mut whole = village(engine).await;
    submit(&whole.client("citizen-id"), &merged("m-1", &BINH, &CHI)).await;
    whole.persons().await;
    for (protect, damaged) in [(PROTECT[0], 1), (PROTECT[1], 0)] {
        whole = whole.changed("identity", protect).await;
        let recomputed = whole.all.identity().store().recompute().await.unwrap();
        assert_eq!(recomputed.different, damaged);
    }
    // Whoever asks by either finds nobody.
    for number in [&BINH, &CHI] {
        let answer = told(&whole, as_other(number, &CHI)).await;
        assert_eq!(answer.outcome(), LookupOutcome::NoMatch);
    }
    whole.all.stop().await;
}
