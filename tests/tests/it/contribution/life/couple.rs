//! Marriages and divorces: one event, said of both, or of nobody.

use contract::contribution::v1::{Divorce, Marriage, divorce, marriage};

use super::*;

on_both_engines!(
    a_marriage_is_said_of_both_and_a_divorce_ends_it_for_both,
    nobody_has_two_living_spouses,
    i4_a_marriage_is_one_contribution_and_is_annulled_for_both,
    of_two_persons_both_are_named_as_missing_and_nothing_changes,
    i7_a_protected_spouse_is_told_from_an_absent_one_by_nothing,
    somebody_who_is_not_in_the_register_can_be_married_and_divorced,
);

const WEDDING: (&str, &str) = ("marriage-registration", "Z01.DEMO.HOTICH");
const DIVORCE: (&str, &str) = ("divorce-entry", "Z01.DEMO.HOTICH");
const SPOUSE: &str = "life_event.marriage.registered_spouse";

fn married(key: &str, one: &Villager, other: &Villager, year: i32) -> SubmitContributionRequest {
    let spouse = Some(marriage::Spouse::RegisteredSpouse(party(other.about())));
    life(key, WEDDING, one.about(), (year, 2, 3), Life::Marriage(Marriage { spouse }))
}

fn divorced(key: &str, one: &Villager, other: &Villager, year: i32) -> SubmitContributionRequest {
    let spouse = Some(divorce::Spouse::RegisteredSpouse(party(other.about())));
    life(key, DIVORCE, one.about(), (year, 2, 3), Life::Divorce(Divorce { spouse }))
}

/// Status and spouse of somebody.
async fn status(whole: &Whole, of: &Villager) -> (Option<String>, Vec<String>) {
    let spouses = related(whole, of, "family_relations").await.into_iter();
    let spouses = spouses.filter(|(kind, _)| *kind == RelationKind::Spouse).map(|(_, name)| name);
    (held_code(whole, of, "marital_status").await, spouses.collect())
}

fn is(status: &str, spouse: Option<&Villager>) -> (Option<String>, Vec<String>) {
    (Some(status.to_owned()), spouse.iter().map(|spouse| spouse.0.to_owned()).collect())
}

async fn a_marriage_is_said_of_both_and_a_divorce_ends_it_for_both(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    let receipt = submit(&client, &married("w-1", &AN, &BINH, 2020)).await.answer;
    assert_eq!(status(&whole, &AN).await, is("2", Some(&BINH)));
    assert_eq!(status(&whole, &BINH).await, is("2", Some(&AN)));
    let sql = "SELECT COUNT(*) FROM change WHERE items LIKE '%marital_status%' \
               AND person_id IN ('p-1990', 'p-1991')";
    assert_eq!(whole.count("identity", sql).await, 2, "an event of each");
    // i10: whoever quotes the version of the receipt sees both.
    let newest = whole.count("identity", "SELECT version FROM register").await;
    assert_eq!(receipt.version, newest.unsigned_abs());
    submit(&client, &divorced("v-1", &BINH, &AN, 2024)).await;
    assert_eq!(status(&whole, &AN).await, is("3", None));
    assert_eq!(status(&whole, &BINH).await, is("3", None));
    submit(&client, &married("w-2", &AN, &CHI, 2025)).await;
    assert_eq!(status(&whole, &AN).await, is("2", Some(&CHI)));
    assert_eq!(status(&whole, &BINH).await, is("3", None));
    // One entry is one event, whatever key it is sent under and whoever stands first in it.
    let mut twice = married("w-2", &CHI, &AN, 2025);
    twice.idempotency_key = "key:other".to_owned();
    assert_eq!(rejected(&client, &twice).await, only("ALREADY_REGISTERED", ""));
    whole.persons().await;
    whole.all.stop().await;
}

async fn nobody_has_two_living_spouses(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    submit(&client, &married("w-1", &AN, &BINH, 2020)).await;
    let bigamous = |key: &str| married(key, &DUNG, &BINH, 2021);
    let at = format!("{SPOUSE}.family_relations");
    assert_eq!(rejected(&client, &bigamous("w-2")).await, only("ALREADY_MARRIED", &at));
    assert_eq!(
        rejected(&client, &married("w-3", &AN, &CHI, 2021)).await,
        only("ALREADY_MARRIED", "family_relations")
    );
    assert!(held(&whole, &CHI, "marital_status").await.is_empty(), "nothing changed for either");
    // A declaration of being missing ends no marriage; a death does.
    let missing = life("m-1", MISSING, AN.about(), (2022, 1, 1), missing());
    submit(&client, &missing).await;
    assert_eq!(rejected(&client, &bigamous("w-4")).await, only("ALREADY_MARRIED", &at));
    submit(&client, &death("d-1", AN.about())).await;
    submit(&client, &bigamous("w-5")).await;
    assert_eq!(status(&whole, &DUNG).await, is("2", Some(&BINH)));
    whole.persons().await;
    whole.all.stop().await;
}

async fn i4_a_marriage_is_one_contribution_and_is_annulled_for_both(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    let request = married("w-1", &AN, &BINH, 2020);
    let check = SubmitContributionRequest { validate_only: true, ..request.clone() };
    assert_eq!(submit(&client, &check).await.answer.state(), ContributionState::Validated);
    assert!(held(&whole, &AN, "marital_status").await.is_empty(), "a check changes nothing");
    let first = submit(&client, &request).await;
    let second = submit(&client, &request).await;
    assert!(first.answer == second.answer && first.receipt == second.receipt);
    let sql = "SELECT COUNT(*) FROM assertion WHERE event = 'marriage'";
    assert_eq!(whole.count("identity", sql).await, 4);
    let items = ["marital_status", "family_relations"];
    submit(&client, &annulment("a-1", "marriage-registration", "w-1", &items)).await;
    for one in [&AN, &BINH] {
        assert_eq!(status(&whole, one).await, (None, Vec::new()));
    }
    submit(&client, &annulment("a-2", "marriage-registration", "a-1", &items)).await;
    assert_eq!(status(&whole, &AN).await, is("2", Some(&BINH)));
    assert_eq!(status(&whole, &BINH).await, is("2", Some(&AN)));
    whole.persons().await;
    whole.all.stop().await;
}

async fn of_two_persons_both_are_named_as_missing_and_nothing_changes(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    let nobody = Villager("Không Ai Cả", Sex::Male, 1971);
    let other = Villager("Không Ai Khác", Sex::Female, 1972);
    let missing = ("PERSON_NOT_FOUND".to_owned(), SPOUSE.to_owned());
    let of_one = rejected(&client, &married("w-1", &AN, &nobody, 2020)).await;
    assert_eq!(of_one, std::slice::from_ref(&missing));
    assert_eq!(
        rejected(&client, &married("w-2", &other, &nobody, 2020)).await,
        [("PERSON_NOT_FOUND".to_owned(), String::new()), missing]
    );
    // Each of those who were not found is a guess.
    let sql =
        "SELECT CAST(SUM(misses) AS BIGINT) FROM guessing WHERE connection LIKE '%civil-status%'";
    assert_eq!(whole.count("identity", sql).await, 3);
    assert!(held(&whole, &AN, "marital_status").await.is_empty());
    whole.all.stop().await;
}

async fn i7_a_protected_spouse_is_told_from_an_absent_one_by_nothing(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    let nobody = Villager("Đỗ Giả Định Ẩm", Sex::Female, 1973);
    let mut seen = Vec::new();
    for (key, other) in [("w-1", &HIDDEN), ("w-2", &nobody)] {
        let before = whole.records().await;
        let refused = refuse(&client, &married(key, &AN, other, 2020)).await;
        let records = whole.records().await - before;
        seen.push((refused.code, refused.reason, refused.unmet, refused.message, records));
    }
    assert_eq!(seen[0], seen[1]);
    whole.all.stop().await;
}

async fn somebody_who_is_not_in_the_register_can_be_married_and_divorced(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    let other = Relation {
        kind: RelationKind::Spouse.into(),
        name: name("John Placeholder"),
        date_of_birth: date(1990, 0, 0),
        nationality: code("nationality", "iso-3166-1", "LA"),
        ..Relation::default()
    };
    let spouse = Some(marriage::Spouse::OtherSpouse(other.clone()));
    let wedding = Life::Marriage(Marriage { spouse });
    submit(&client, &life("w-1", WEDDING, AN.about(), (2020, 1, 1), wedding)).await;
    assert_eq!(status(&whole, &AN).await.1, ["John Placeholder"]);
    // Of whom the register holds nothing it does not hold the death either.
    assert_eq!(
        rejected(&client, &married("w-2", &AN, &CHI, 2021)).await,
        only("ALREADY_MARRIED", "family_relations")
    );
    let spouse = Some(divorce::Spouse::OtherSpouse(other));
    let parted = Life::Divorce(Divorce { spouse });
    submit(&client, &life("v-1", DIVORCE, AN.about(), (2022, 1, 1), parted)).await;
    assert_eq!(status(&whole, &AN).await, is("3", None));
    whole.persons().await;
    whole.all.stop().await;
}
