//! What comes after: corrections, other numbers and names, annulments, and what is heard of in another order.

use contract::contribution::v1::{
    Divorce, HouseholdChange, HouseholdMember, Marriage, divorce, marriage,
};
use tests::events::correction;

use super::*;

on_both_engines!(
    a_death_of_which_the_day_was_corrected_is_a_death,
    a_divorce_names_the_spouse_by_any_number_and_by_a_new_name,
    i5_a_divorce_that_is_heard_of_before_the_marriage_ends_it,
    whoever_left_one_household_for_another_stays_in_the_other,
    i7_what_is_held_of_a_hidden_relative_cannot_be_found_out_by_ending_it,
    a_number_is_set_anew_as_often_as_it_has_to_be,
    what_an_annulment_brings_back_is_checked,
    an_entry_that_was_annulled_can_be_contributed_again,
);

const WEDDING: (&str, &str) = ("marriage-registration", "Z01.DEMO.HOTICH");
const DIVORCE: (&str, &str) = ("divorce-entry", "Z01.DEMO.HOTICH");
const RELATIVES: &str = "family_relations";

type About = (SubjectRef, Claims);

fn married(key: &str, one: About, other: About, year: i32) -> SubmitContributionRequest {
    let spouse = Some(marriage::Spouse::RegisteredSpouse(party(other)));
    life(key, WEDDING, one, (year, 2, 3), Life::Marriage(Marriage { spouse }))
}

fn divorced(key: &str, one: About, other: About, year: i32) -> SubmitContributionRequest {
    let spouse = Some(divorce::Spouse::RegisteredSpouse(party(other)));
    life(key, DIVORCE, one, (year, 2, 3), Life::Divorce(Divorce { spouse }))
}

/// The value of one item is corrected by civil status.
fn corrected(
    key: &str,
    of: About,
    item: &str,
    value: item_value::Value,
    from: (i32, i32, i32),
) -> SubmitContributionRequest {
    correction(key, of, item, value, date(from.0, from.1, from.2))
}

async fn a_death_of_which_the_day_was_corrected_is_a_death(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    submit(&client, &married("w-1", AN.about(), BINH.about(), 2020)).await;
    submit(&client, &death("d-1", AN.about())).await;
    let day = item_value::Value::Date(date(2026, 3, 9).unwrap());
    submit(&client, &corrected("c-1", AN.about(), "death_or_missing_date", day, (2026, 3, 10)))
        .await;
    let moved = residence("r-1", AN.about(), "Số 7");
    assert_eq!(rejected(&whole.client("residence"), &moved).await, only("PERSON_DECEASED", ""));
    submit(&client, &married("w-2", BINH.about(), DUNG.about(), 2026)).await;
    // A birth date after the death cannot be one.
    let born = item_value::Value::Date(date(2026, 4, 1).unwrap());
    let born = corrected("c-2", AN.about(), "date_of_birth", born, (2026, 4, 1));
    assert_eq!(rejected(&client, &born).await, only("DATE_OUT_OF_RANGE", "date_of_birth"));
    whole.persons().await;
    whole.all.stop().await;
}

async fn a_divorce_names_the_spouse_by_any_number_and_by_a_new_name(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    submit(&client, &married("w-1", AN.about(), BINH.about(), 2020)).await;
    let set = submit(&client, &of_other_sex("s-1", &AN, 2)).await.answer.personal_number;
    let renamed = item_value::Value::Name(name(CHI.0).unwrap());
    submit(&client, &corrected("c-1", AN.about(), "birth_full_name", renamed, (AN.2, 5, 6))).await;
    let now = about(&set, CHI.0, (AN.2, 5, 6));
    submit(&client, &divorced("v-1", BINH.about(), now.clone(), 2024)).await;
    assert!(related(&whole, &BINH, RELATIVES).await.is_empty());
    submit(&client, &married("w-2", BINH.about(), DUNG.about(), 2025)).await;
    // Married again under the new name and number, somebody is held once.
    submit(&client, &married("w-3", now, HOA.about(), 2025)).await;
    whole.persons().await;
    whole.all.stop().await;
}

async fn i5_a_divorce_that_is_heard_of_before_the_marriage_ends_it(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    submit(&client, &divorced("v-1", AN.about(), BINH.about(), 2022)).await;
    submit(&client, &married("w-1", AN.about(), BINH.about(), 2020)).await;
    for one in [&AN, &BINH] {
        assert!(related(&whole, one, RELATIVES).await.is_empty());
        assert_eq!(held_code(&whole, one, "marital_status").await.as_deref(), Some("3"));
    }
    whole.persons().await;
    whole.all.stop().await;
}

async fn whoever_left_one_household_for_another_stays_in_the_other(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("residence");
    let household = |key: &str, head: &Villager, members: &[&Villager], left: &[&Villager], day| {
        let member = |of: &&Villager| HouseholdMember {
            person: Some(party(of.about())),
            relation_to_head: None,
        };
        let change = Life::Household(HouseholdChange {
            residence_file_number: format!("SYN-{}", head.2),
            members: members.iter().map(member).collect(),
            left: left.iter().map(|of| party(of.about())).collect(),
            left_file_number: String::new(),
        });
        life(key, ("household-change", "Z05.DEMO.CUTRU"), head.about(), (2026, 1, day), change)
    };
    submit(&client, &household("h-1", &DUNG, &[&AN], &[], 1)).await;
    // An has a household of his own from the fifth on; that he left the other is heard of afterwards.
    submit(&client, &household("h-2", &AN, &[], &[], 5)).await;
    submit(&client, &household("h-3", &DUNG, &[], &[&AN], 5)).await;
    let file = held(&whole, &AN, "residence_file_number").await;
    assert!(matches!(file.as_slice(), [item_value::Value::Text(text)] if text == "SYN-1990"));
    assert_eq!(held_code(&whole, &AN, "relation_to_household_head").await.as_deref(), Some("CH01"));
    assert!(related(&whole, &AN, "household_members").await.is_empty());
    whole.persons().await;
    whole.all.stop().await;
}

async fn i7_what_is_held_of_a_hidden_relative_cannot_be_found_out_by_ending_it(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    let mut seen = Vec::new();
    // Of the first another source said that she is his wife; of the second nobody ever said anything.
    for (key, name_of) in [("e-1", HIDDEN.0), ("e-2", "Đỗ Giả Định Ẩm")] {
        let relation = Relation {
            kind: RelationKind::Spouse.into(),
            name: name(name_of),
            ..Relation::default()
        };
        let value = Some(ItemValue { value: Some(item_value::Value::Relation(relation)) });
        let ended_values = vec![EndedValue { item: RELATIVES.to_owned(), value }];
        let end = Life::End(ValueEnd { ended_values });
        let mut request = life(key, DIVORCE, DUNG.about(), (2026, 1, 1), end);
        request.validate_only = true;
        seen.push(rejected(&client, &request).await);
    }
    assert_eq!(seen, [only("NOTHING_TO_END", RELATIVES), only("NOTHING_TO_END", RELATIVES)]);
    submit(&client, &married("w-1", DUNG.about(), BINH.about(), 2020)).await;
    whole.all.stop().await;
}

async fn a_number_is_set_anew_as_often_as_it_has_to_be(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    submit(&client, &of_other_sex("s-1", &AN, 2)).await;
    let born = item_value::Value::Date(date(1989, 5, 6).unwrap());
    let born = corrected("c-1", AN.about(), "date_of_birth", born, (AN.2, 5, 6));
    let set = submit(&client, &born).await.answer.personal_number;
    let hints = PersonalNumber::parse(&set).unwrap().hints().unwrap();
    assert_eq!((hints.sex, hints.birth_year), (Sex::Female, 1989));
    // When one of the two was never so, the number says what is so.
    let annulled = annulment("a-1", "civil-status-change", "s-1", &["sex"]);
    let set = submit(&client, &annulled).await.answer.personal_number;
    let hints = PersonalNumber::parse(&set).unwrap().hints().unwrap();
    assert_eq!((hints.sex, hints.birth_year), (Sex::Male, 1989));
    whole.persons().await;
    whole.all.stop().await;
}

async fn what_an_annulment_brings_back_is_checked(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    submit(&client, &married("w-1", AN.about(), BINH.about(), 2020)).await;
    submit(&client, &divorced("v-1", AN.about(), BINH.about(), 2022)).await;
    submit(&client, &married("w-2", BINH.about(), DUNG.about(), 2024)).await;
    let items = ["marital_status", RELATIVES];
    let undone = |key: &str| annulment(key, "divorce-entry", "v-1", &items);
    assert_eq!(rejected(&client, &undone("a-1")).await, only("ALREADY_MARRIED", RELATIVES));
    submit(&client, &annulment("a-2", "marriage-registration", "w-2", &items)).await;
    submit(&client, &undone("a-3")).await;
    assert_eq!(related(&whole, &BINH, RELATIVES).await.len(), 1);
    whole.persons().await;
    whole.all.stop().await;
}

async fn an_entry_that_was_annulled_can_be_contributed_again(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    submit(&client, &married("w-1", AN.about(), BINH.about(), 2020)).await;
    // It was Chi whom he married, and the entry of the book is the same.
    let mut right = married("w-1", AN.about(), CHI.about(), 2020);
    right.idempotency_key = "key:w-1b".to_owned();
    assert_eq!(rejected(&client, &right).await.first().unwrap().0, "ALREADY_REGISTERED");
    let items = ["marital_status", RELATIVES];
    submit(&client, &annulment("a-1", "marriage-registration", "w-1", &items)).await;
    right.idempotency_key = "key:w-1c".to_owned();
    submit(&client, &right).await;
    // Then what was annulled cannot count again beside it.
    let again = annulment("a-2", "marriage-registration", "a-1", &items);
    let reasons = rejected(&client, &again).await;
    assert!(reasons.contains(&("ALREADY_REGISTERED".to_owned(), String::new())), "{reasons:?}");
    whole.persons().await;
    whole.all.stop().await;
}
