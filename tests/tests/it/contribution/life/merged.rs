//! What whoever follows, lists and looks for relatives is told of records that are merged into others.

use contract::{
    contribution::v1::{Marriage, marriage},
    identity::v1::{
        FollowPersonsRequest, ListPersonChangesRequest, ListPersonsRequest, ListRelationsRequest,
        PersonChange, RelationDirection, UnfollowPersonsRequest,
    },
    r#type::v1::ChangeKind,
};

use super::{
    merge::{DUPLICATES, PROTECT, as_other, merged, split},
    *,
};

on_both_engines!(
    whoever_follows_a_merged_record_by_name_hears_what_its_token_shows,
    whoever_follows_the_first_of_a_chain_hears_where_it_leads,
    a_list_has_the_one_who_stays_once_and_takes_all_off_by_its_token,
    whoever_names_a_merged_record_names_the_one_who_stays,
    i7_of_whoever_is_protected_today_no_merge_is_heard_of,
);

/// The village, of which social insurance follows these items beside residences.
async fn followed_village(engine: Engine) -> Whole {
    let prepared = Prepared::new(engine).await;
    let register = identity::Service::register(&prepared.settings.identity).await.unwrap();
    let village = VILLAGE.iter().map(Villager::newcomer).collect();
    register.load(village, "village", LOADED_US).await.unwrap();
    register.close().await;
    prepared.shows_civil_status(&ITEMS);
    let file = &prepared.settings.policy.registry_file;
    let mut text = std::fs::read_to_string(file).unwrap();
    let agreement = text.find("id = \"demo-2026-social-insurance\"").unwrap();
    // What is followed has to be obtained, too: the grant after it.
    let mut at = agreement + text[agreement..].find("action = \"follow\"").unwrap();
    for _ in 0..2 {
        let list = at + text[at..].find("items = ").unwrap();
        let ends = list + text[list..].find(']').unwrap() + 1;
        text.replace_range(list..ends, "items = [\"blood_type\", \"permanent_residence\"]");
        at = list + text[list..].find(']').unwrap();
    }
    std::fs::write(file, text).unwrap();
    prepared.start().await
}

fn upkeep() -> Option<AccessBasis> {
    let ground = ground("database-upkeep", "Z02.DEMO.BHXH");
    Some(AccessBasis { legal_basis: "1911-2021-art-2-1".to_owned(), ..ground })
}

/// What social insurance hears of an item after a cursor, and where it goes on.
async fn heard(
    whole: &Whole,
    item: &str,
    followed_only: bool,
    cursor: &str,
) -> (Vec<PersonChange>, String) {
    let request = ListPersonChangesRequest {
        basis: upkeep(),
        items: vec![item.to_owned()],
        cursor: cursor.to_owned(),
        followed_only,
        page_size: 500,
    };
    let page = whole.client("social-insurance").list_person_changes(&request).await.unwrap();
    let page = page.unwrap_or_else(|refused| panic!("{refused}"));
    assert!(page.end_reached);
    (page.changes.into_iter().map(|change| change.answer).collect(), page.cursor)
}

/// The tokens by which social insurance knows these, each of whom moves for that.
async fn known<const N: usize>(whole: &Whole, persons: [&Villager; N]) -> [String; N] {
    let (_, cursor) = heard(whole, "permanent_residence", false, "").await;
    for one in persons {
        let key = format!("moved-{}", one.2);
        submit(&whole.client("residence"), &residence(&key, one.about(), "Số 1")).await;
    }
    let (moved, _) = heard(whole, "permanent_residence", false, &cursor).await;
    let tokens: Vec<String> = moved.into_iter().map(|change| change.token).collect();
    tokens.try_into().unwrap()
}

async fn follow(whole: &Whole, tokens: &[&String]) -> u64 {
    let request = FollowPersonsRequest {
        basis: upkeep(),
        items: vec!["blood_type".to_owned()],
        tokens: tokens.iter().map(|token| (*token).clone()).collect(),
        request_id: "r-1".to_owned(),
    };
    let call = whole.client("social-insurance").follow_persons(&request).await.unwrap();
    call.unwrap_or_else(|refused| panic!("{refused}")).answer.followed
}

async fn unfollow(whole: &Whole, token: &str) -> u64 {
    let request = UnfollowPersonsRequest {
        basis: upkeep(),
        items: vec!["blood_type".to_owned()],
        tokens: vec![token.to_owned()],
        request_id: "r-1".to_owned(),
    };
    let call = whole.client("social-insurance").unfollow_persons(&request).await.unwrap();
    call.unwrap_or_else(|refused| panic!("{refused}")).answer.followed
}

/// The tokens of the list of those whom social insurance follows.
async fn listed(whole: &Whole) -> Vec<String> {
    let request = ListPersonsRequest {
        basis: upkeep(),
        // Whoever holds nothing of what is asked about is not listed.
        items: vec!["permanent_residence".to_owned()],
        followed_only: true,
        page_size: 500,
        page_token: String::new(),
    };
    let page = whole.client("social-insurance").list_persons(&request).await.unwrap();
    let page = page.unwrap_or_else(|refused| panic!("{refused}"));
    assert!(page.next_page_token.is_empty());
    page.persons.into_iter().map(|person| person.answer.token).collect()
}

async fn tested(whole: &Whole, of: &Villager) {
    let blood = Life::BloodTest(BloodTest { blood_type: code("blood-type", "1", "03") });
    let medical = ("blood-type-update", "Z07.DEMO.YTE");
    let blood = life(&format!("b-{}", of.2), medical, of.about(), (2026, 1, 2), blood);
    submit(&whole.client("medical"), &blood).await;
}

/// Each change by its token and that of the one who stays.
fn pairs(heard: &[PersonChange]) -> Vec<(&str, &str)> {
    assert!(heard.iter().all(|change| change.items == ["blood_type"]));
    heard.iter().map(|one| (one.token.as_str(), one.surviving_token.as_str())).collect()
}

/// The record that goes holds no blood type, and by its token one is shown all the same.
async fn whoever_follows_a_merged_record_by_name_hears_what_its_token_shows(engine: Engine) {
    let whole = followed_village(engine).await;
    let client = whole.client("citizen-id");
    let [binh, chi] = known(&whole, [&BINH, &CHI]).await;
    tested(&whole, &CHI).await;
    assert_eq!(follow(&whole, &[&binh]).await, 1);
    let (_, cursor) = heard(&whole, "blood_type", true, "").await;
    submit(&client, &merged("m-1", &BINH, &CHI)).await;
    let (news, cursor) = heard(&whole, "blood_type", true, &cursor).await;
    assert_eq!(pairs(&news), [(binh.as_str(), chi.as_str())]);
    submit(&client, &split("s-1", CHI.about(), &BINH)).await;
    let (news, cursor) = heard(&whole, "blood_type", true, &cursor).await;
    assert_eq!(pairs(&news), [(binh.as_str(), "")], "that one is of somebody else again");
    // The other way round: the one who stays has what the other one brought, and the other's token shows the same.
    submit(&client, &merged("m-2", &CHI, &BINH)).await;
    let (news, cursor) = heard(&whole, "blood_type", true, &cursor).await;
    assert_eq!(pairs(&news), [(binh.as_str(), "")]);
    assert_eq!(follow(&whole, &[&chi]).await, 2);
    submit(&client, &split("s-2", as_other(&BINH, &CHI), &CHI)).await;
    let (news, _) = heard(&whole, "blood_type", true, &cursor).await;
    let mut told = pairs(&news);
    told.sort_unstable();
    let mut both = [(binh.as_str(), ""), (chi.as_str(), "")];
    both.sort_unstable();
    assert_eq!(told, both);
    whole.persons().await;
    whole.all.stop().await;
}

async fn whoever_follows_the_first_of_a_chain_hears_where_it_leads(engine: Engine) {
    let whole = followed_village(engine).await;
    let client = whole.client("citizen-id");
    let [binh, chi, hoa] = known(&whole, [&BINH, &CHI, &HOA]).await;
    tested(&whole, &HOA).await;
    assert_eq!(follow(&whole, &[&binh]).await, 1);
    submit(&client, &merged("m-1", &BINH, &CHI)).await;
    let (_, cursor) = heard(&whole, "blood_type", true, "").await;
    let receipt = submit(&client, &merged("m-2", &CHI, &HOA)).await.answer;
    let newest = whole.count("identity", "SELECT version FROM register").await;
    assert_eq!(receipt.version, newest.unsigned_abs());
    let stays = "SELECT version FROM person WHERE person_id = 'p-1994'";
    assert_eq!(whole.count("identity", stays).await, newest, "the receipt's is that of the record");
    let (news, cursor) = heard(&whole, "blood_type", true, &cursor).await;
    assert_eq!(pairs(&news), [(binh.as_str(), hoa.as_str())]);
    whole.persons().await;
    // The second is told apart, with the first in it; and is the same again.
    submit(&client, &split("s-1", HOA.about(), &CHI)).await;
    let (news, cursor) = heard(&whole, "blood_type", true, &cursor).await;
    assert_eq!(pairs(&news)[0], (binh.as_str(), chi.as_str()));
    whole.persons().await;
    let mut again = annulment("a-1", DUPLICATES.0, "s-1", &["personal_id_number"]);
    again.basis = Some(ground(DUPLICATES.0, DUPLICATES.1));
    submit(&client, &again).await;
    let (news, _) = heard(&whole, "blood_type", true, &cursor).await;
    assert_eq!(pairs(&news)[0], (binh.as_str(), hoa.as_str()));
    whole.persons().await;
    whole.all.stop().await;
}

async fn a_list_has_the_one_who_stays_once_and_takes_all_off_by_its_token(engine: Engine) {
    let whole = followed_village(engine).await;
    let client = whole.client("citizen-id");
    let [binh, chi, hoa] = known(&whole, [&BINH, &CHI, &HOA]).await;
    submit(&client, &merged("m-1", &BINH, &CHI)).await;
    submit(&client, &merged("m-2", &CHI, &HOA)).await;
    // By whomever it is followed, the list shows one, by whose token all are taken off it.
    assert_eq!(follow(&whole, &[&binh, &chi]).await, 2);
    assert_eq!(listed(&whole).await, std::slice::from_ref(&hoa));
    assert_eq!(unfollow(&whole, &hoa).await, 0);
    assert!(listed(&whole).await.is_empty());
    // Whoever is followed beside one into whom it is merged goes on to be followed when it is told apart.
    assert_eq!(follow(&whole, &[&binh]).await, 1);
    assert_eq!(follow(&whole, &[&hoa]).await, 2);
    submit(&client, &split("s-1", HOA.about(), &BINH)).await;
    let mut both = listed(&whole).await;
    both.sort_unstable();
    let mut expected = vec![binh.clone(), hoa.clone()];
    expected.sort_unstable();
    assert_eq!(both, expected);
    assert_eq!(unfollow(&whole, &hoa).await, 1, "that one is somebody else now");
    assert_eq!(listed(&whole).await, [binh]);
    whole.all.stop().await;
}

/// Two who were taken for one, of whom one became protected since: whoever reads the changes of then hears what it would have heard
/// had they never been one, each change once and none of the other's.
async fn i7_of_whoever_is_protected_today_no_merge_is_heard_of(engine: Engine) {
    for (protect, hidden, shown) in [(PROTECT[0], &BINH, &CHI), (PROTECT[1], &CHI, &BINH)] {
        let whole = followed_village(engine).await;
        let (client, residences) = (whole.client("citizen-id"), whole.client("residence"));
        let [token, _] = known(&whole, [shown, &HOA]).await;
        let (_, start) = heard(&whole, "blood_type", false, "").await;
        tested(&whole, hidden).await;
        submit(&client, &merged("m-1", &BINH, &CHI)).await;
        // Of the one who is shown: by the number of its own, while it was taken for the other.
        submit(&residences, &residence("r-1", as_other(shown, &CHI), "Số 7")).await;
        submit(&client, &split("s-1", CHI.about(), &BINH)).await;
        let of = |news: &[PersonChange]| news.iter().filter(|one| one.token == token).count();
        let (before, _) = heard(&whole, "blood_type", false, &start).await;
        assert!(of(&before) >= 2, "they were one, and are not");
        let whole = whole.changed("identity", protect).await;
        let (after, _) = heard(&whole, "blood_type", false, &start).await;
        assert!(after.is_empty(), "{after:?}");
        let (after, cursor) = heard(&whole, "permanent_residence", false, &start).await;
        assert_eq!((after.len(), of(&after)), (1, 1), "it moved once");
        assert!(after[0].surviving_token.is_empty());
        assert_eq!(after[0].kind(), ChangeKind::Changed, "nothing of it was annulled");
        // Of somebody who was never taken for another it costs the same, whether anything is heard or nothing.
        let moved = residence("r-2", HOA.about(), "Số 8");
        submit(&whole.client("residence"), &moved).await;
        for (item, news) in [("blood_type", 0), ("permanent_residence", 1)] {
            let of_hidden = cost(&whole, item, &start, news).await;
            assert_eq!(of_hidden, cost(&whole, item, &cursor, news).await, "{item}");
        }
        whole.persons().await;
        whole.all.stop().await;
    }
}

/// How many statements a page costs of which so much is heard, without what the service does by itself meanwhile.
async fn cost(whole: &Whole, item: &str, cursor: &str, news: usize) -> u64 {
    let statements = || whole.all.identity().store().statements();
    let mut least = u64::MAX;
    for _ in 0..4 {
        let before = statements();
        let (changes, _) = heard(whole, item, false, cursor).await;
        assert!(changes.len() >= news && (news > 0 || changes.is_empty()));
        least = least.min(statements() - before);
    }
    least
}

/// Whose records name somebody, by name.
async fn named_by(whole: &Whole, (subject, claims): (SubjectRef, Claims)) -> Vec<String> {
    let request = ListRelationsRequest {
        subject: Some(subject),
        claims: Some(claims),
        direction: RelationDirection::Inverse.into(),
        items: vec!["birth_full_name".to_owned()],
        basis: Some(looking()),
        request_id: "r-1".to_owned(),
        min_version: 0,
    };
    let told = whole.client("civil-status").list_relations(&request).await.unwrap();
    let told = told.unwrap_or_else(|refused| panic!("{refused}"));
    let name = |one: &contract::identity::v1::PersonRelation| {
        let outcome = one.items[0].outcome.as_ref().unwrap();
        let item_outcome::Outcome::Value(held) = outcome else { panic!("a name is held") };
        let value = held.values[0].value.as_ref().unwrap().value.as_ref().unwrap();
        let item_value::Value::Name(name) = value else { panic!("it is a name") };
        name.full_name.clone()
    };
    told.parts.iter().map(|part| name(&part.answer)).collect()
}

async fn whoever_names_a_merged_record_names_the_one_who_stays(engine: Engine) {
    let whole = village(engine).await;
    let (client, books) = (whole.client("citizen-id"), whole.client("civil-status"));
    let spouse = Some(marriage::Spouse::RegisteredSpouse(party(BINH.about())));
    let wedding = Life::Marriage(Marriage { spouse });
    let procedure = ("marriage-registration", "Z01.DEMO.HOTICH");
    submit(&books, &life("w-1", procedure, AN.about(), (2020, 2, 3), wedding)).await;
    assert_eq!(named_by(&whole, BINH.about()).await, [AN.0]);
    assert!(named_by(&whole, CHI.about()).await.is_empty());
    submit(&client, &merged("m-1", &BINH, &CHI)).await;
    // By the number of either; who is named by the number of one who is merged may be named, as the one who stays.
    for number in [&BINH, &CHI] {
        assert_eq!(named_by(&whole, as_other(number, &CHI)).await, [AN.0]);
    }
    assert_eq!(related(&whole, &AN, "family_relations").await.len(), 1);
    // The record that went names nobody, and the one that stays does in its place.
    assert_eq!(named_by(&whole, AN.about()).await, [CHI.0]);
    submit(&client, &merged("m-2", &CHI, &HOA)).await;
    for number in [&BINH, &CHI, &HOA] {
        assert_eq!(named_by(&whole, as_other(number, &HOA)).await, [AN.0]);
    }
    assert_eq!(named_by(&whole, AN.about()).await, [HOA.0]);
    submit(&client, &split("s-1", HOA.about(), &BINH)).await;
    assert!(named_by(&whole, HOA.about()).await.is_empty());
    assert_eq!(named_by(&whole, BINH.about()).await, [AN.0]);
    whole.persons().await;
    whole.all.stop().await;
}
