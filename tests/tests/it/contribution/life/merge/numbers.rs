//! Numbers and entries of records that are merged and split.

use super::*;

on_both_engines!(
    numbers_are_explained_with_what_became_of_them,
    a_number_set_anew_by_a_merge_is_gone_with_it,
    a_number_set_anew_for_whoever_was_no_other_is_gone_with_the_split,
    an_entry_of_a_split_that_was_annulled_is_free_again,
);

pub(super) async fn explained(
    whole: &Whole,
    (subject, claims): (SubjectRef, Claims),
    item: &str,
) -> ExplainValueAnswer {
    let request = ExplainValueRequest {
        subject: Some(subject),
        claims: Some(claims),
        item: item.to_owned(),
        basis: Some(looking()),
        request_id: "r-1".to_owned(),
        min_version: 0,
    };
    let told = whole.client("civil-status").explain_value(&request).await.unwrap();
    told.unwrap_or_else(|error| panic!("{error}")).answer
}

async fn numbers_are_explained_with_what_became_of_them(engine: Engine) {
    let prepared = Prepared::new(engine).await;
    let register = identity::Service::register(&prepared.settings.identity).await.unwrap();
    let village = VILLAGE.iter().map(Villager::newcomer).collect();
    register.load(village, "village", LOADED_US).await.unwrap();
    register.close().await;
    prepared.shows_civil_status(&[&ITEMS[..], &["personal_id_number"]].concat());
    let whole = prepared.start().await;
    submit(&whole.client("citizen-id"), &merged("m-1", &BINH, &CHI)).await;
    let set = submit(&whole.client("civil-status"), &of_other_sex("s-1", &CHI, 2)).await;
    let answer = explained(&whole, as_other(&BINH, &CHI), "personal_id_number").await;
    assert!(answer.record_merged);
    let all: Vec<_> = answer
        .values
        .iter()
        .map(|one| {
            let value = one.held.as_ref().unwrap().value.as_ref().unwrap().value.as_ref().unwrap();
            let item_value::Value::Identifier(number) = value else { panic!() };
            (number.value.clone(), one.standing(), one.event.clone())
        })
        .collect();
    let number = |of: &Villager| of.number().as_str().to_owned();
    assert_eq!(
        all,
        [
            (set.answer.personal_number, ValueStanding::Current, "civil-status-change".to_owned()),
            (number(&CHI), ValueStanding::Superseded, String::new()),
            (number(&BINH), ValueStanding::Merged, String::new()),
        ]
    );
    whole.all.stop().await;
}

/// The duplicate is of another sex, and its source of the later birth wins: the number of the record that stays is set anew.
async fn a_number_set_anew_by_a_merge_is_gone_with_it(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    let (an, binh) =
        (shown(told(&whole, AN.about()).await), shown(told(&whole, BINH.about()).await));
    let set = submit(&client, &merged("m-1", &BINH, &AN)).await.answer.personal_number;
    let hints = PersonalNumber::parse(&set).unwrap().hints().unwrap();
    assert_eq!((hints.sex, hints.birth_year), (Sex::Female, BINH.2));
    let (subject, _) = about(&set, "", (1, 1, 1));
    let found = told(&whole, (subject.clone(), BINH.about().1)).await;
    assert!(found.outcome() == LookupOutcome::Match && !found.number_replaced);
    assert!(told(&whole, as_other(&AN, &BINH)).await.number_replaced);
    submit(&client, &split("s-1", as_other(&AN, &BINH), &BINH)).await;
    assert!(shown(told(&whole, AN.about()).await) == an);
    assert!(shown(told(&whole, BINH.about()).await) == binh);
    let found = told(&whole, (subject.clone(), BINH.about().1)).await;
    assert_eq!(found.outcome(), LookupOutcome::NoMatch, "that number is nobody's for ever");
    whole.persons().await;
    submit(&client, &unmerged("a-1", "s-1")).await;
    assert_eq!(told(&whole, (subject, BINH.about().1)).await.outcome(), LookupOutcome::Match);
    whole.persons().await;
    whole.all.stop().await;
}

/// What is said meanwhile by the number of the duplicate sets the number of the record that stays; and told apart, it is the
/// duplicate whose number is set.
async fn a_number_set_anew_for_whoever_was_no_other_is_gone_with_the_split(engine: Engine) {
    let whole = village(engine).await;
    let (client, books) = (whole.client("citizen-id"), whole.client("civil-status"));
    let chi = shown(told(&whole, CHI.about()).await);
    submit(&client, &merged("m-1", &BINH, &CHI)).await;
    let mut changed = of_other_sex("c-1", &BINH, 2);
    let Some(Event::LifeEvent(event)) = &mut changed.event else { panic!() };
    event.claims = Some(CHI.about().1);
    let second = submit(&books, &changed).await.answer.personal_number;
    assert!(told(&whole, CHI.about()).await.number_replaced);
    let by = |number: &str, known: &Villager| (about(number, "", (1, 1, 1)).0, known.about().1);
    let active = "SELECT COUNT(*) FROM identifier WHERE person_id = 'p-1992' AND state = 'active'";
    let all = "SELECT COUNT(*) FROM identifier WHERE person_id = 'p-1992'";
    assert_eq!(whole.count("identity", active).await, 2);
    let own = submit(&client, &split("s-1", CHI.about(), &BINH)).await.answer.personal_number;
    let hints = PersonalNumber::parse(&own).unwrap().hints().unwrap();
    assert_eq!((hints.sex, hints.birth_year), (Sex::Male, BINH.2));
    assert!(shown(told(&whole, CHI.about()).await) == chi, "by the first number, as it was");
    let gone = told(&whole, by(&second, &CHI)).await.outcome();
    assert_eq!(gone, LookupOutcome::NoMatch, "that number was never due");
    assert_eq!(whole.count("identity", active).await, 1);
    assert_eq!(whole.count("identity", all).await, 2);
    assert!(told(&whole, BINH.about()).await.number_replaced);
    let found = told(&whole, by(&own, &BINH)).await;
    assert!(found.outcome() == LookupOutcome::Match && !found.number_replaced);
    whole.persons().await;
    // What was no split leaves the number that had been set.
    submit(&client, &unmerged("a-1", "s-1")).await;
    let found = told(&whole, by(&second, &CHI)).await;
    assert!(found.outcome() == LookupOutcome::Match && !found.number_replaced);
    assert!(told(&whole, as_other(&BINH, &CHI)).await.number_replaced);
    let gone = told(&whole, by(&own, &CHI)).await.outcome();
    assert_eq!(gone, LookupOutcome::NoMatch);
    whole.persons().await;
    whole.all.stop().await;
}

async fn an_entry_of_a_split_that_was_annulled_is_free_again(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    submit(&client, &merged("m-1", &BINH, &CHI)).await;
    let first = split("s-1", CHI.about(), &BINH);
    let mut again = first.clone();
    again.idempotency_key = "key:s-2".to_owned();
    submit(&client, &first).await;
    let taken = only("ALREADY_REGISTERED", "");
    assert_eq!(rejected(&client, &again).await, taken);
    submit(&client, &unmerged("a-1", "s-1")).await;
    assert!(told(&whole, as_other(&BINH, &CHI)).await.record_merged);
    again.idempotency_key = "key:s-3".to_owned();
    submit(&client, &again).await;
    assert_eq!(told(&whole, BINH.about()).await.outcome(), LookupOutcome::Match);
    // The first one cannot count again beside it, and can where that one does not.
    assert_eq!(rejected(&client, &unmerged("a-2", "a-1")).await, taken);
    submit(&client, &unmerged("a-3", "s-3")).await;
    submit(&client, &unmerged("a-4", "a-1")).await;
    assert_eq!(told(&whole, BINH.about()).await.outcome(), LookupOutcome::Match);
    again.idempotency_key = "key:s-4".to_owned();
    assert_eq!(rejected(&client, &again).await, taken);
    whole.persons().await;
    whole.all.stop().await;
}
