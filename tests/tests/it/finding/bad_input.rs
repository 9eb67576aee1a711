//! What is wrong with a request is said field by field, all at once, before anybody is looked for; what only looks wrong is
//! taken.

use contract::{
    identity::v1::{FurtherFacts, NameLevel, ResolvePersonRequest, SearchPersonsRequest, UnitCode},
    r#type::v1::{CodedValue, PartialDate},
};
use store::Engine;
use tests::on_both_engines;

use super::{PARENT, Somebody, level, of_name, resolved, search, sex, unit, unresolved, world_of};
use crate::why;

on_both_engines!(
    every_faulty_field_of_a_resolution_is_named,
    every_faulty_field_of_a_search_is_named,
    names_of_every_kind_are_names,
);

fn fields(refused: &lienthong::client::Refused) -> Vec<&str> {
    assert_eq!(why(refused), ("InvalidArgument", "INVALID_REQUEST"));
    let mut fields: Vec<_> = refused.fields.iter().map(|(field, _)| field.as_str()).collect();
    fields.sort_unstable();
    fields
}

async fn every_faulty_field_of_a_resolution_is_named(engine: Engine) {
    let world = world_of(engine, &[]).await;
    let client = world.client("insurance");
    let before = world.records().await;
    let refused = unresolved(&client, &ResolvePersonRequest::default()).await;
    assert_eq!(fields(&refused), ["basis", "date_of_birth", "full_name", "further", "request_id"]);
    let bad_unit = |code: &str, version: &str| {
        Some(UnitCode { code: code.to_owned(), units_version: version.to_owned() })
    };
    let everything = ResolvePersonRequest {
        full_name: "ễ".repeat(101),
        date_of_birth: Some(PartialDate { year: 2027, month: 1, day: 1 }),
        further: Some(FurtherFacts {
            sex: Some(CodedValue { code: "9x".to_owned(), ..sex("1").unwrap() }),
            native_province: bad_unit("99", "2025"),
            permanent_commune: bad_unit("1", "1875"),
            parent_full_name: "An\u{0}h".to_owned(),
        }),
        basis: None,
        request_id: "x".repeat(41),
        min_version: 0,
    };
    let refused = unresolved(&client, &everything).await;
    assert_eq!(
        fields(&refused),
        [
            "basis",
            "date_of_birth",
            "full_name",
            "further.native_province.code",
            "further.parent_full_name",
            "further.permanent_commune.code",
            "further.permanent_commune.units_version",
            "further.sex",
            "request_id",
        ]
    );
    // What is missing to the nearest combination.
    let none = FurtherFacts::default;
    for (facts, named) in [
        (FurtherFacts { sex: sex("1"), ..none() }, "further.native_province"),
        (FurtherFacts { native_province: unit("01"), ..none() }, "further.sex"),
        (none(), "further"),
        (
            FurtherFacts { permanent_commune: bad_unit("00001", ""), ..none() },
            "further.permanent_commune.units_version",
        ),
    ] {
        let request = ResolvePersonRequest { further: Some(facts), ..of_name("Lê Giả Định") };
        assert_eq!(fields(&unresolved(&client, &request).await), [named]);
    }
    assert_eq!(world.records().await, before);
    world.stop().await;
}

async fn every_faulty_field_of_a_search_is_named(engine: Engine) {
    let world = world_of(engine, &[]).await;
    let client = world.client("insurance");
    let unlisted = |request: SearchPersonsRequest| {
        let client = client.clone();
        async move {
            match client.search_persons(&request).await.unwrap() {
                Ok(_) => panic!("it was answered"),
                Err(refused) => refused,
            }
        }
    };
    let refused = unlisted(SearchPersonsRequest::default()).await;
    assert_eq!(fields(&refused), ["basis", "full_name", "name_level", "request_id"]);
    let refused = unlisted(SearchPersonsRequest {
        full_name: " \u{200b} ".to_owned(),
        name_level: 77,
        birth_year_from: 2001,
        birth_year_to: 1500,
        sex: Some(CodedValue::default()),
        native_province: Some(UnitCode::default()),
        cursor: "x".repeat(201),
        page_size: 21,
        ..search::of_name("", NameLevel::Exact)
    })
    .await;
    let named = fields(&refused);
    for field in [
        "full_name",
        "name_level",
        "birth_year_to",
        "native_province.code",
        "native_province.units_version",
        "cursor",
        "page_size",
    ] {
        assert!(named.contains(&field), "{field} in {named:?}");
    }
    assert!(named.iter().any(|field| field.starts_with("sex")), "{named:?}");
    // Of letters outside the alphabet nothing is left without marks.
    let refused = unlisted(search::of_name("ꨌꩌ", NameLevel::MarksFree)).await;
    assert_eq!(fields(&refused), ["name_level"]);
    world.stop().await;
}

/// Names as they come: in pieces and in two orders, with Eth, without a surname, of minority peoples, a hundred letters long.
async fn names_of_every_kind_are_names(engine: Engine) {
    const HUNDRED: &str = "Ễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễễ";
    assert_eq!(HUNDRED.chars().count(), 100);
    let names = ["Đặng Thị Việt", "Y", "H'Ñăm Êban", "Ƀăng Niê-Kđăm Giả", "ꨌꩌ ꨀꨯ", HUNDRED];
    let people: Vec<_> = (1..).zip(names).map(|(id, name)| Somebody::new(id, name)).collect();
    let world = world_of(engine, &people).await;
    let client = world.client("insurance");
    for (typed, expected) in [
        ("Ða\u{306}\u{323}ng Thị Vie\u{302}\u{323}t", NameLevel::Exact),
        ("Đặng Thị Vie\u{323}\u{302}t", NameLevel::Exact),
        ("Y", NameLevel::Exact),
        ("y", NameLevel::Case),
        ("H’Ñăm Êban", NameLevel::Spelling),
        ("ɃĂNG NIÊ-KĐĂM GIẢ", NameLevel::Case),
        ("Ƀăng Niê\u{2011}Kđăm Giả", NameLevel::Spelling),
        ("ꨌꩌ  ꨀꨯ", NameLevel::Exact),
        (HUNDRED, NameLevel::Exact),
    ] {
        let request = of_name(typed);
        assert_eq!(request.further.as_ref().unwrap().parent_full_name, PARENT);
        let answer = resolved(&client, &request).await.answer;
        assert_eq!(level(&answer), Some(expected), "{typed}");
    }
    // In another script a name is searched by its spelling.
    let found = search::listed(&client, &search::of_name("ꨌꩌ ꨀꨯ", NameLevel::Spelling)).await;
    assert_eq!(found.parts.len(), 1);
    world.stop().await;
}
