//! Searching: ids and levels alone, in pages, up to an end, each person a record of its own.

use std::collections::BTreeSet;

use contract::identity::v1::{NameLevel, SearchPersonsRequest};
use lienthong::client::{Client, Found, Refused};
use store::Engine;
use tests::{basis, on_both_engines};

use super::{Somebody, sex, unit, world_of};
use crate::why;

on_both_engines!(
    names_agree_up_to_the_level_that_is_asked_for,
    years_sex_and_province_narrow_a_search,
    i1_each_person_listed_is_a_record_and_a_search_has_an_end,
    a_cursor_is_of_its_search_and_its_caller,
    i2_only_whoever_is_granted_it_may_search,
    each_person_listed_is_one_of_the_volume,
);

pub(crate) fn of_name(name: &str, level: NameLevel) -> SearchPersonsRequest {
    SearchPersonsRequest {
        full_name: name.to_owned(),
        name_level: level.into(),
        basis: Some(basis("portal-form-prefill")),
        request_id: "request-1".to_owned(),
        ..SearchPersonsRequest::default()
    }
}

pub(crate) async fn listed(client: &Client, request: &SearchPersonsRequest) -> Found {
    client.search_persons(request).await.unwrap().unwrap_or_else(|refused| panic!("{refused}"))
}

async fn unlisted(client: &Client, request: &SearchPersonsRequest) -> Refused {
    match client.search_persons(request).await.unwrap() {
        Ok(_) => panic!("it was answered"),
        Err(refused) => refused,
    }
}

fn levels(found: &Found) -> Vec<NameLevel> {
    let mut levels: Vec<_> = found.parts.iter().map(|p| p.answer.name_level()).collect();
    levels.sort_unstable();
    levels
}

async fn names_agree_up_to_the_level_that_is_asked_for(engine: Engine) {
    use NameLevel::{Case, Exact, MarksFree, Spelling, TonePlacement};
    let names =
        ["Hoà Giả Lý", "HOÀ GIẢ LÝ", "Hòa Giả Lý", "Hoà Giả Lí", "Hoá Gia Lỹ", "Y Giả Blok"];
    let people: Vec<_> = (1..).zip(names).map(|(id, name)| Somebody::new(id, name)).collect();
    let world = world_of(engine, &people).await;
    let client = world.client("insurance");
    let all = [Exact, Case, TonePlacement, Spelling, MarksFree];
    for (place, level) in all.into_iter().enumerate() {
        let found = listed(&client, &of_name("Hoà Giả Lý", level)).await;
        assert_eq!(levels(&found), all[..=place], "{level:?}");
    }
    // Without spaces and marks, as clients of the existing interface write.
    world.hands.step(time::Duration::HOUR);
    let found = listed(&client, &of_name("HOAGIALY", MarksFree)).await;
    assert_eq!(levels(&found), [MarksFree; 5]);
    let found = listed(&client, &of_name("Y GIẢ BLOK", Case)).await;
    assert_eq!(levels(&found), [Case]);
    world.stop().await;
}

async fn years_sex_and_province_narrow_a_search(engine: Engine) {
    const NAME: &str = "Lê Giả Định Tìm";
    let born = |id, born| Somebody { born, ..Somebody::new(id, NAME) };
    let people = [born(1, (1950, 0, 0)), born(2, (1990, 5, 6)), born(3, (2001, 1, 31))];
    let world = world_of(engine, &people).await;
    let client = world.client("insurance");
    let any = of_name(NAME, NameLevel::Exact);
    let years =
        |from, to| SearchPersonsRequest { birth_year_from: from, birth_year_to: to, ..any.clone() };
    let of_sex = |digit| SearchPersonsRequest { sex: sex(digit), ..any.clone() };
    let of = |code| SearchPersonsRequest { native_province: unit(code), ..any.clone() };
    for (request, count) in [
        (any.clone(), 3),
        (years(1950, 1990), 2),
        (years(1951, 0), 2),
        (years(0, 1950), 1),
        (years(2002, 0), 0),
        (of_sex("1"), 3),
        (of_sex("2"), 0),
        (of("01"), 3),
        (of("04"), 0),
    ] {
        let found = listed(&client, &request).await;
        assert_eq!(found.parts.len(), count, "{request:?}");
        assert_eq!(found.page.answer.listed as usize, count);
        world.hands.step(time::Duration::HOUR);
    }
    world.stop().await;
}

/// More persons than a search lists: five pages, all different, each person with a receipt that holds; then it has to be
/// narrower.
async fn i1_each_person_listed_is_a_record_and_a_search_has_an_end(engine: Engine) {
    const NAME: &str = "Lê Giả Định Đông";
    let people: Vec<_> = (1..=103).map(|id| Somebody::new(id, NAME)).collect();
    let world = world_of(engine, &people).await;
    let client = world.client("insurance");
    let (mut tokens, mut request) = (BTreeSet::new(), of_name(NAME, NameLevel::TonePlacement));
    for page in 1..=5 {
        let before = world.records().await;
        let found = listed(&client, &request).await;
        assert_eq!(world.records().await - before, 21, "20 persons and the page");
        found.page.verify(&world.log).unwrap();
        let mut indices = BTreeSet::from([found.page.receipt.index]);
        for person in &found.parts {
            person.verify(&world.log).unwrap();
            indices.insert(person.receipt.index);
            tokens.insert(person.answer.token.clone());
        }
        assert_eq!(indices.len(), 21);
        let answer = found.page.answer;
        assert_eq!((answer.truncated, answer.next_cursor.is_empty()), (page == 5, page == 5));
        request.cursor = answer.next_cursor;
    }
    assert_eq!(tokens.len(), 100);
    // The same page again, and pages of another length.
    let mut request =
        SearchPersonsRequest { page_size: 7, ..of_name(NAME, NameLevel::TonePlacement) };
    let mut again = BTreeSet::new();
    loop {
        let found = listed(&client, &request).await;
        again.extend(found.parts.iter().map(|person| person.answer.token.clone()));
        request.cursor = found.page.answer.next_cursor;
        if request.cursor.is_empty() {
            break;
        }
    }
    assert_eq!(again, tokens);
    world.stop().await;
}

async fn a_cursor_is_of_its_search_and_its_caller(engine: Engine) {
    const NAME: &str = "Lê Giả Định Trang";
    let people: Vec<_> = (1..=3).map(|id| Somebody::new(id, NAME)).collect();
    let world = world_of(engine, &people).await;
    let client = world.client("insurance");
    let first = SearchPersonsRequest { page_size: 2, ..of_name(NAME, NameLevel::Exact) };
    let cursor = listed(&client, &first).await.page.answer.next_cursor;
    let on = SearchPersonsRequest { cursor: cursor.clone(), ..first.clone() };
    let found = listed(&client, &on).await;
    assert_eq!((found.parts.len(), found.page.answer.next_cursor.as_str()), (1, ""));
    let (listed_so_far, rest) = cursor.split_once('.').unwrap();
    assert_eq!(listed_so_far, "2");
    for other in [
        SearchPersonsRequest { name_level: NameLevel::Case.into(), ..on.clone() },
        SearchPersonsRequest { full_name: "Lê Giả Định Tráng".into(), ..on.clone() },
        SearchPersonsRequest { birth_year_from: 1990, ..on.clone() },
        SearchPersonsRequest { sex: sex("1"), ..on.clone() },
        SearchPersonsRequest { native_province: unit("01"), ..on.clone() },
        SearchPersonsRequest { cursor: format!("0.{rest}"), ..on.clone() },
        SearchPersonsRequest { cursor: "2.x.y".into(), ..on.clone() },
        SearchPersonsRequest { cursor: "x".into(), ..on.clone() },
    ] {
        let refused = unlisted(&client, &other).await;
        assert_eq!(why(&refused), ("InvalidArgument", "UNKNOWN_CURSOR"), "{other:?}");
    }
    let theirs = SearchPersonsRequest { basis: Some(basis("investigation-identification")), ..on };
    let refused = unlisted(&world.client("police"), &theirs).await;
    assert_eq!(why(&refused), ("InvalidArgument", "UNKNOWN_CURSOR"));
    world.stop().await;
}

/// To resolve is not to search.
async fn i2_only_whoever_is_granted_it_may_search(engine: Engine) {
    let world = world_of(engine, &[]).await;
    let client = world.client("insurance");
    let basis = Some(basis("child-health-insurance-card"));
    let request = SearchPersonsRequest { basis, ..of_name("Lê Giả Định", NameLevel::Exact) };
    let before = world.records().await;
    assert_eq!(why(&unlisted(&client, &request).await), ("PermissionDenied", "NO_AGREEMENT"));
    assert_eq!(world.records().await, before + 1);
    world.stop().await;
}

/// A page ends where the volume does, and the next one is refused; whoever resolves takes one, and a miss none.
async fn each_person_listed_is_one_of_the_volume(engine: Engine) {
    const NAME: &str = "Lê Giả Định Đông";
    let people: Vec<_> = (1..=7).map(|id| Somebody::new(id, NAME)).collect();
    let mut world = world_of(engine, &people).await;
    world.limit(4).await;
    let client = world.client("insurance");
    // Nobody is listed, so nobody is counted.
    let nobody = listed(&client, &of_name("Lê Giả Định Vắng", NameLevel::Exact)).await;
    assert!(nobody.parts.is_empty());
    let request = of_name(NAME, NameLevel::Exact);
    let first = listed(&client, &SearchPersonsRequest { page_size: 3, ..request.clone() }).await;
    assert_eq!(first.parts.len(), 3);
    let cursor = first.page.answer.next_cursor;
    let request = SearchPersonsRequest { cursor, ..request };
    let second = listed(&client, &request).await;
    assert_eq!((second.parts.len(), second.page.answer.truncated), (1, false));
    let cursor = second.page.answer.next_cursor;
    assert!(!cursor.is_empty());
    let request = SearchPersonsRequest { cursor, ..request };
    for request in [&request, &of_name("Lê Giả Định Vắng", NameLevel::Exact)] {
        let refused = unlisted(&client, request).await;
        assert_eq!(why(&refused), ("PermissionDenied", "VOLUME_USED_UP"), "{refused:?}");
    }
    assert_eq!(world.leased("search").await, 4);
    // Where it was is where it goes on the next day.
    world.hands.step(time::Duration::DAY);
    assert_eq!(listed(&client, &request).await.parts.len(), 3);
    world.stop().await;
}
