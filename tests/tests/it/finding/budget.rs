//! Guessing ends at a budget: of a caller, and of a caller for persons of a name. Neither a restart nor another spelling
//! refills it.

use contract::identity::v1::{NameLevel, ResolvePersonRequest, SearchPersonsRequest};
use store::{Engine, Sql, Store};
use tests::{Options, World, events::date, on_both_engines};

use super::{NAME, Somebody, level, of_name, resolved, search, unresolved, world_of};
use crate::why;

on_both_engines!(
    dates_of_birth_tried_for_a_name_end_at_its_budget,
    halving_a_range_of_years_ends_before_it_tells_one,
    misses_are_those_of_lookups,
    guesses_at_the_same_time_do_not_get_past_the_end,
    i8_the_budget_of_a_name_does_not_tell_it,
);

/// `tries_per_name_max` as it is shipped.
const TRIES_MAX: usize = 20;
/// Searches that it is enough for.
const SEARCHES_MAX: usize = 5;

fn spent(refused: &lienthong::client::Refused) {
    assert_eq!(why(refused), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"));
    assert!(refused.get("retry_after_seconds").is_some() && refused.get("record_index").is_some());
}

fn born_on(day: i32, name: &str) -> ResolvePersonRequest {
    ResolvePersonRequest { date_of_birth: date(1990, 7, day), ..of_name(name) }
}

async fn dates_of_birth_tried_for_a_name_end_at_its_budget(engine: Engine) {
    let mut world = world_of(engine, &[Somebody::new(1, NAME)]).await;
    let client = world.client("insurance");
    // Whoever knows the person spends it, too: who is right is not known before.
    for _ in 0..TRIES_MAX - 5 {
        assert!(level(&resolved(&client, &of_name(NAME)).await.answer).is_some());
    }
    let spellings = [NAME, "LE GIA DINH HOA LY", "lê giả định hòa lí", "Lê Giả Định Hoá Lỳ", NAME];
    for (day, name) in (1..).zip(spellings) {
        assert_eq!(level(&resolved(&client, &born_on(day, name)).await.answer), None);
    }
    // Now not even the right date is answered, nor after a restart; another name is another budget.
    spent(&unresolved(&client, &of_name(NAME)).await);
    world.stop_identity().await;
    world.start_identity().await;
    let client = world.client("insurance");
    spent(&unresolved(&client, &of_name(NAME)).await);
    assert_eq!(level(&resolved(&client, &born_on(1, "Lê Giả Định Khác")).await.answer), None);
    // And so is another caller's.
    let basis = Some(tests::basis("investigation-identification"));
    let theirs = ResolvePersonRequest { basis, ..of_name(NAME) };
    assert!(level(&resolved(&world.client("police"), &theirs).await.answer).is_some());
    world.hands.step(time::Duration::HOUR);
    assert!(level(&resolved(&client, &of_name(NAME)).await.answer).is_some());
    world.stop().await;
}

/// A binary search over the years of birth of one person, whom every search finds or does not.
async fn halving_a_range_of_years_ends_before_it_tells_one(engine: Engine) {
    let world = world_of(engine, &[Somebody::new(1, NAME)]).await;
    let client = world.client("insurance");
    let (mut from, mut to) = (1900, 2026);
    let mut asked = 0;
    while from < to {
        let middle = i32::midpoint(from, to);
        let request = SearchPersonsRequest {
            birth_year_from: from,
            birth_year_to: middle,
            ..search::of_name(NAME, NameLevel::Exact)
        };
        match client.search_persons(&request).await.unwrap() {
            Ok(found) if found.parts.is_empty() => from = middle + 1,
            Ok(_) => to = middle,
            Err(refused) => {
                spent(&refused);
                break;
            }
        }
        asked += 1;
    }
    assert_eq!(asked, SEARCHES_MAX);
    assert!(to - from > 1, "a year was told");
    // The budget is the same for both ways of finding.
    spent(&unresolved(&client, &of_name(NAME)).await);
    world.stop().await;
}

/// Who matches nobody under ever other names ends at the caller's own budget.
async fn misses_are_those_of_lookups(engine: Engine) {
    let world = World::with(engine, Options { misses_max: 3, ..Options::default() }).await;
    let client = world.client("insurance");
    for name in ["Lê Giả Định Một", "Lê Giả Định Hai", "Lê Giả Định Ba"] {
        assert_eq!(level(&resolved(&client, &of_name(name)).await.answer), None);
    }
    spent(&unresolved(&client, &of_name("Lê Giả Định Bốn")).await);
    let request = tests::ask(world.plain(), &["sex"]);
    spent(&crate::refused(&client, &request).await);
    world.stop().await;
}

async fn guesses_at_the_same_time_do_not_get_past_the_end(engine: Engine) {
    // The right day is one of them.
    let somebody = Somebody { born: (1990, 7, 15), ..Somebody::new(1, NAME) };
    let world = world_of(engine, &[somebody]).await;
    let client = world.client("insurance");
    let requests: Vec<_> = (1..=30).map(|day| born_on(day, NAME)).collect();
    let guesses = requests.iter().map(|request| client.resolve_person(request));
    let mut answers = 0;
    for guess in futures::future::join_all(guesses).await {
        match guess.unwrap() {
            Ok(_) => answers += 1,
            Err(refused) => spent(&refused),
        }
    }
    assert_eq!(answers, TRIES_MAX);
    assert_eq!(world.records().await, 30);
    world.stop().await;
}

/// Two registers name the budget of one name in two ways, and neither is a digest that anybody can make.
async fn i8_the_budget_of_a_name_does_not_tell_it(engine: Engine) {
    let world = world_of(engine, &[]).await;
    resolved(&world.client("insurance"), &of_name(NAME)).await;
    let store = Store::open_read_only(world.register_database(), identity::migrations()).await;
    let store = store.unwrap();
    let rows = Sql::same("SELECT connection FROM guessing WHERE connection LIKE '% name %'");
    let rows = store.read(&rows, Vec::new()).await.unwrap();
    assert_eq!(rows.len(), 1);
    let budget: String = rows[0].try_get_by(0).unwrap();
    let digest = budget.strip_prefix("conn-insurance name ").unwrap();
    assert_eq!(digest.len(), 64);
    assert!(digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let name = model::Name::new(NAME).unwrap();
    for level in model::NameLevel::ALL {
        assert_ne!(hex::encode(tlog::digest(name.match_key(level).as_bytes())), digest);
    }
    store.close().await;
    world.stop().await;
}
