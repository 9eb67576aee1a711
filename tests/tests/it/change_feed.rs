//! What agencies follow themselves: pages of changes, lists of persons, those who are followed by name.

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    identity::v1::{
        FollowPersonsRequest, GetPersonRequest, ListPersonChangesRequest, ListPersonsRequest,
        LookupOutcome, PersonChange, RotateTokensRequest, UnfollowPersonsRequest,
    },
    r#type::v1::{AccessBasis, ChangeKind},
};
use identity::Newcomer;
use lienthong::client::{Changes, Client, PersonsPage, Refused};
use model::{Name, PartialDate, PersonalNumber, Sex, Value};
use rand::{Rng as _, SeedableRng, rngs::StdRng};
use store::Engine;
use tests::{Options, World, ask, basis, on_both_engines, people};

use crate::{answered, why};

mod gaps;
mod kept;
mod kinds;
mod watch;

on_both_engines!(
    i1_each_change_is_recorded_before_it_is_sent_and_holds_no_value,
    i7_whether_a_hidden_person_or_nobody_came_cannot_be_told,
    i7_a_token_that_is_not_the_callers_own_is_followed_like_any_other,
    who_is_followed_stays_followed_when_tokens_are_rotated,
    i2_who_has_no_agreement_to_follow_is_told_nothing,
    a_cursor_is_its_callers_alone_and_outlives_the_process,
    a_list_and_the_changes_after_it_are_what_is_there,
    every_fault_of_a_request_is_named_at_once,
);

const ITEMS: [&str; 2] = ["birth_full_name", "date_of_birth"];
const UPKEEP: &str = "database-upkeep";

fn items(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn after(cursor: &str, page_size: u32) -> ListPersonChangesRequest {
    ListPersonChangesRequest {
        basis: Some(basis(UPKEEP)),
        items: items(&ITEMS),
        cursor: cursor.to_owned(),
        followed_only: false,
        page_size,
    }
}

async fn page(client: &Client, request: &ListPersonChangesRequest) -> Changes {
    client.list_person_changes(request).await.unwrap().unwrap_or_else(|refused| panic!("{refused}"))
}

async fn no_page(client: &Client, request: &ListPersonChangesRequest) -> Refused {
    client.list_person_changes(request).await.unwrap().err().expect("nothing is listed")
}

/// Where the register is now, for this caller.
async fn now(client: &Client) -> String {
    let first = page(client, &after("", 0)).await;
    assert!(first.changes.is_empty() && first.end_reached);
    first.cursor
}

/// Everything that a caller hears from a cursor on, by pages of this size, and the cursor at the end.
async fn all_after(
    client: &Client,
    request: ListPersonChangesRequest,
) -> (Vec<PersonChange>, String) {
    let (mut heard, mut request) = (Vec::new(), request);
    loop {
        let page = page(client, &request).await;
        heard.extend(page.changes.into_iter().map(|change| change.answer));
        request.cursor = page.cursor;
        if page.end_reached {
            return (heard, request.cursor);
        }
    }
}

async fn persons(client: &Client, page_size: u32, page_token: String) -> PersonsPage {
    let request = ListPersonsRequest {
        basis: Some(basis(UPKEEP)),
        items: items(&ITEMS),
        followed_only: false,
        page_size,
        page_token,
    };
    client.list_persons(&request).await.unwrap().unwrap_or_else(|refused| panic!("{refused}"))
}

/// All the persons of a list, with their versions, and its cursor.
async fn listed(client: &Client, page_size: u32) -> (BTreeMap<String, u64>, String) {
    let (mut all, mut token) = (BTreeMap::new(), String::new());
    loop {
        let page = persons(client, page_size, token).await;
        for person in page.persons {
            let new = all.insert(person.answer.token, person.answer.version);
            assert!(new.is_none(), "each is listed once");
        }
        token = page.next_page_token;
        if token.is_empty() {
            return (all, page.cursor);
        }
    }
}

/// Somebody who comes into the register.
fn newcomer(id: u32, protected: bool) -> Newcomer {
    let born = PartialDate::new(1990, 5, 6).unwrap();
    let said = |item: &str, value| (item.to_owned(), value, "civil-status".to_owned(), Some(born));
    let name = Name::new(&format!("Lê Giả Định {id}")).unwrap();
    Newcomer {
        person_id: format!("new-{id:06}"),
        number: PersonalNumber::compose(999, Sex::Male, 1990, 900_000 + id).unwrap(),
        old_number: None,
        protected,
        said: vec![
            said("birth_full_name", Value::Name(name.into())),
            said("date_of_birth", Value::Date(born)),
        ],
    }
}

fn newcomers(ids: std::ops::Range<u32>) -> Vec<Newcomer> {
    ids.map(|id| newcomer(id, false)).collect()
}

fn by_token(world: &World, token: &str, min_version: u64) -> GetPersonRequest {
    GetPersonRequest {
        subject: people::by_token(token),
        claims: None,
        basis: Some(basis(UPKEEP)),
        min_version,
        ..ask(world.plain(), &["birth_full_name"])
    }
}

async fn i1_each_change_is_recorded_before_it_is_sent_and_holds_no_value(engine: Engine) {
    let mut world = World::new(engine).await;
    let client = world.client("insurance");
    let cursor = now(&client).await;
    world.add(newcomers(0..7)).await;
    let before = world.records().await;
    let first = page(&client, &after(&cursor, 5)).await;
    assert_eq!((first.changes.len(), first.end_reached), (5, false));
    assert_eq!(world.records().await, before + 5);
    let rest = page(&client, &after(&first.cursor, 5)).await;
    assert_eq!((rest.changes.len(), rest.end_reached), (2, true));
    let all: Vec<_> = first.changes.into_iter().chain(rest.changes).collect();
    let mut last = 0;
    for change in &all {
        change.verify(&world.log).unwrap();
        let answer = &change.answer;
        assert_eq!(answer.items, ITEMS);
        assert_eq!(answer.kind(), ChangeKind::Registered);
        assert_eq!(answer.bulk_job, "load/added");
        assert!(answer.version > last, "in the order of versions");
        last = answer.version;
        // What the token leads to is read under a decision of the caller's own.
        let found = answered(&client, &by_token(&world, &answer.token, answer.version)).await;
        assert_eq!(found.answer.outcome(), LookupOutcome::Match);
        assert_eq!(found.answer.version, answer.version);
    }
    // A page of nobody is not recorded, and one that cannot be is not sent.
    let records = world.records().await;
    assert!(page(&client, &after(&rest.cursor, 5)).await.changes.is_empty());
    assert_eq!(world.records().await, records);
    world.stop_audit().await;
    let refused = no_page(&client, &after(&cursor, 5)).await;
    assert_eq!(why(&refused), ("Unavailable", "AUDIT_UNAVAILABLE"));
    world.stop().await;
}

/// What one caller holds and can count when it asks for a page, for a list, and again from where that led: with whoever came
/// into the register meanwhile.
async fn i7_whether_a_hidden_person_or_nobody_came_cannot_be_told(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let mut seen = Vec::new();
    let (_, cursor) = listed(&client, 500).await;
    for (which, came) in [
        ("nobody", Vec::new()),
        ("one who is hidden", vec![newcomer(1, true)]),
        ("several", (2..40).map(|id| newcomer(id, true)).collect()),
    ] {
        world.add(came).await;
        let (records, statements) = (world.records().await, world.statements());
        let (mut held, mut cursor) = (Vec::new(), cursor.clone());
        for size in [1, 30, 500] {
            let page = page(&client, &after(&cursor, size)).await;
            held.push((page.changes.len(), page.end_reached, page.seen_time, page.cursor.len()));
            assert_ne!(page.cursor, cursor, "it says nothing of what happened");
            cursor = page.cursor;
        }
        let persons = persons(&client, 500, String::new()).await;
        let list = (persons.persons.len(), persons.next_page_token.len(), persons.cursor.len());
        let counted = (world.records().await - records, world.statements() - statements);
        seen.push((which, held, list, counted));
    }
    for (which, held, list, counted) in &seen {
        assert_eq!((held, list, counted), (&seen[0].1, &seen[0].2, &seen[0].3), "{which}");
    }
    // Whoever comes and may be known of is heard of, at once.
    world.add(newcomers(50..51)).await;
    let (heard, _) = all_after(&client, after(&cursor, 1)).await;
    assert_eq!(heard.len(), 1);
    world.stop().await;
}

pub(crate) fn followed(tokens: &[String]) -> FollowPersonsRequest {
    FollowPersonsRequest {
        basis: Some(basis(UPKEEP)),
        items: items(&ITEMS),
        tokens: tokens.to_vec(),
        request_id: "r-1".to_owned(),
    }
}

async fn follow(client: &Client, tokens: &[String]) -> u64 {
    let call = client.follow_persons(&followed(tokens)).await.unwrap();
    call.unwrap_or_else(|refused| panic!("{refused}")).answer.followed
}

async fn i7_a_token_that_is_not_the_callers_own_is_followed_like_any_other(engine: Engine) {
    let options = Options { followed_max: 4, ..Options::default() };
    let mut world = World::with(engine, options).await;
    let (client, police) = (world.client("insurance"), world.client("police"));
    let start = now(&client).await;
    world.add(newcomers(0..3)).await;
    let (heard, cursor) = all_after(&client, after(&start, 0)).await;
    let own: Vec<String> = heard.iter().map(|change| change.token.clone()).collect();
    let (foreign, _) = listed(&police, 500).await;
    let foreign = foreign.into_keys().next().unwrap();
    let mut seen = Vec::new();
    for token in [&own[0], &foreign, &"0123456789abcdef0123456789abcdef".to_owned()] {
        let (records, statements) = (world.records().await, world.statements());
        let call = client.follow_persons(&followed(std::slice::from_ref(token))).await.unwrap();
        let call = call.unwrap_or_else(|refused| panic!("{refused}"));
        call.verify(&world.log).unwrap();
        // Again is the same.
        assert_eq!(follow(&client, std::slice::from_ref(token)).await, call.answer.followed);
        seen.push((
            call.answer_bytes.len(),
            world.records().await - records,
            world.statements() - statements,
        ));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    assert_eq!(follow(&client, &own[..1]).await, 3);
    // All or none; and another caller has a list of its own.
    let full = client.follow_persons(&followed(&own)).await.unwrap().err().expect("too many");
    assert_eq!(why(&full), ("ResourceExhausted", "FOLLOWED_FULL"));
    assert_eq!(full.get("followed_max"), Some("4"));
    assert!(full.get("record_index").is_some());
    assert_eq!(follow(&client, &own[..1]).await, 3);
    assert_eq!(follow(&police, &[foreign]).await, 1);

    let only = |cursor: &str| ListPersonChangesRequest { followed_only: true, ..after(cursor, 1) };
    let (heard, _) = all_after(&client, only(&start)).await;
    assert_eq!(heard.iter().map(|change| &change.token).collect::<Vec<_>>(), [&own[0]]);
    assert!(all_after(&client, only(&cursor)).await.0.is_empty());
    let request_list = || ListPersonsRequest {
        basis: Some(basis(UPKEEP)),
        items: items(&ITEMS),
        followed_only: true,
        ..ListPersonsRequest::default()
    };
    let list = client.list_persons(&request_list()).await.unwrap().unwrap();
    assert_eq!(list.persons.len(), 1);
    assert_eq!(list.persons[0].answer.token, own[0]);
    // The list outlives the process, until somebody is taken off it.
    let request = UnfollowPersonsRequest {
        basis: Some(basis(UPKEEP)),
        items: items(&ITEMS),
        tokens: own[..2].to_vec(),
        request_id: "r-2".to_owned(),
    };
    let left = client.unfollow_persons(&request).await.unwrap().unwrap();
    left.verify(&world.log).unwrap();
    assert_eq!(left.answer.followed, 2);
    assert!(all_after(&client, only(&start)).await.0.is_empty());
    // Somebody who is protected since is on it, and is nobody.
    assert_eq!(follow(&client, &own[..2]).await, 4);
    assert_eq!(all_after(&client, only(&start)).await.0.len(), 2);
    world.stop_identity().await;
    let protect = &["UPDATE person SET protected = TRUE, \
         record = REPLACE(record, '\"protected\":false', '\"protected\":true') \
         WHERE person_id = 'new-000000'"][..];
    let (register, migrations) = (world.register_database(), identity::migrations());
    assert_eq!(tests::behind_its_back(register, migrations, protect).await, [1]);
    world.start_identity().await;
    let client = world.client("insurance");
    assert_eq!(follow(&client, &own[..1]).await, 4);
    let (heard, _) = all_after(&client, only(&start)).await;
    assert_eq!(heard.iter().map(|change| &change.token).collect::<Vec<_>>(), [&own[1]]);
    let list = client.list_persons(&request_list()).await.unwrap().unwrap();
    assert_eq!(list.persons.iter().map(|p| &p.answer.token).collect::<Vec<_>>(), [&own[1]]);
    world.stop().await;
}

/// A person has a token in each epoch; by whichever of them it is followed or taken off the list, it is that person.
async fn who_is_followed_stays_followed_when_tokens_are_rotated(engine: Engine) {
    let world = World::with(engine, Options { followed_max: 2, ..Options::default() }).await;
    let client = world.client("insurance");
    let start = now(&client).await;
    world.add(newcomers(0..2)).await;
    let heard = async || all_after(&client, after(&start, 0)).await.0;
    let first: Vec<String> = heard().await.into_iter().map(|change| change.token).collect();
    assert_eq!(follow(&client, &first[..1]).await, 1);
    let rotation = RotateTokensRequest {
        idempotency_key: "r-1".to_owned(),
        basis: Some(basis(UPKEEP)),
        end_earlier_at_once: false,
        request_id: "rotation-1".to_owned(),
    };
    client.rotate_tokens(&rotation).await.unwrap().unwrap();
    let second: Vec<String> = heard().await.into_iter().map(|change| change.token).collect();
    assert!(second.iter().all(|token| !first.contains(token)));
    let told = async || {
        let only = ListPersonChangesRequest { followed_only: true, ..after(&start, 0) };
        let list = ListPersonsRequest {
            basis: Some(basis(UPKEEP)),
            items: items(&ITEMS),
            followed_only: true,
            ..ListPersonsRequest::default()
        };
        let (heard, _) = all_after(&client, only).await;
        let list = client.list_persons(&list).await.unwrap().unwrap().persons;
        let heard: Vec<String> = heard.into_iter().map(|change| change.token).collect();
        assert_eq!(heard, list.into_iter().map(|one| one.answer.token).collect::<Vec<_>>());
        heard
    };
    // It is still followed, and named by its token of now; once, also where it is followed by both.
    assert_eq!(told().await, second[..1]);
    assert_eq!(follow(&client, &second[..1]).await, 1, "it is one person");
    assert_eq!(told().await, second[..1]);
    assert_eq!(follow(&client, &[first[0].clone(), second[0].clone()]).await, 2);
    assert_eq!(told().await, second[..1]);
    let unfollow = async |tokens: &[String]| {
        let FollowPersonsRequest { basis, items, tokens, request_id } = followed(tokens);
        let request = UnfollowPersonsRequest { basis, items, tokens, request_id };
        client.unfollow_persons(&request).await.unwrap().unwrap().answer.followed
    };
    assert_eq!(unfollow(&second[1..]).await, 2, "somebody else");
    assert_eq!(unfollow(&second[..1]).await, 0, "followed by the token of before, too");
    assert!(told().await.is_empty());
    // The other way round, beside a token of nobody.
    let nobodys = "0123456789abcdef0123456789abcdef".to_owned();
    assert_eq!(follow(&client, &[second[1].clone(), nobodys.clone()]).await, 2);
    assert_eq!(unfollow(&first[1..]).await, 1);
    assert_eq!(unfollow(&[nobodys]).await, 0);
    world.stop().await;
}

async fn i2_who_has_no_agreement_to_follow_is_told_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let single: AccessBasis = basis("child-health-insurance-card");
    for (caller, basis, wanted, reason) in [
        ("suspended", basis(UPKEEP), &ITEMS[..], "CONNECTION_NOT_ACTIVE"),
        ("stranger", basis(UPKEEP), &ITEMS, "CONNECTION_NOT_ACTIVE"),
        ("insurance", single, &ITEMS, "NO_AGREEMENT"),
        ("insurance", basis(UPKEEP), &["sex"], "NOTHING_ALLOWED"),
    ] {
        let client = world.client(caller);
        let (ground, wanted) = (Some(basis), items(wanted));
        let changes = ListPersonChangesRequest {
            basis: ground.clone(),
            items: wanted.clone(),
            ..after("", 0)
        };
        let persons = ListPersonsRequest {
            basis: ground.clone(),
            items: wanted.clone(),
            ..ListPersonsRequest::default()
        };
        let follow =
            FollowPersonsRequest { basis: ground, items: wanted, ..followed(&["0123".to_owned()]) };
        let before = world.records().await;
        let refused = [
            no_page(&client, &changes).await,
            client.list_persons(&persons).await.unwrap().err().expect("nobody is listed"),
            client.follow_persons(&follow).await.unwrap().err().expect("nobody is followed"),
        ];
        for (place, refused) in (0..).zip(refused) {
            assert_eq!(why(&refused), ("PermissionDenied", reason), "{caller}");
            let index = (before + place).to_string();
            assert_eq!(refused.get("record_index"), Some(index.as_str()), "each is recorded");
        }
    }
    world.stop().await;
}

async fn a_cursor_is_its_callers_alone_and_outlives_the_process(engine: Engine) {
    let mut world = World::new(engine).await;
    let cursor = now(&world.client("insurance")).await;
    world.stop_identity().await;
    world.start_identity().await;
    let client = world.client("insurance");
    world.add(newcomers(0..3)).await;
    let (heard, next) = all_after(&client, after(&cursor, 2)).await;
    assert_eq!(heard.len(), 3);
    // The same cursor gives the same again.
    assert!(all_after(&client, after(&cursor, 3)).await.0 == heard);
    let page_token = persons(&client, 1, String::new()).await.next_page_token;
    let mut wrong = cursor.clone();
    wrong.replace_range(40..41, if &cursor[40..41] == "0" { "1" } else { "0" });
    for (caller, cursor) in [
        ("police", &next),
        ("insurance", &wrong),
        ("insurance", &page_token),
        ("insurance", &"0.0".to_owned()),
        ("insurance", &"x".to_owned()),
    ] {
        let refused = no_page(&world.client(caller), &after(cursor, 0)).await;
        assert_eq!(why(&refused), ("InvalidArgument", "UNKNOWN_CURSOR"), "{caller} {cursor}");
    }
    // A register that was set back to an earlier state was never there.
    world.stop_identity().await;
    let back = &[
        "DELETE FROM token WHERE person_id LIKE 'new-%'",
        "DELETE FROM change WHERE person_id LIKE 'new-%'",
        "UPDATE register SET version = 600",
    ][..];
    let (register, migrations) = (world.register_database(), identity::migrations());
    tests::behind_its_back(register, migrations, back).await;
    world.start_identity().await;
    let refused = no_page(&world.client("insurance"), &after(&next, 0)).await;
    assert_eq!(why(&refused), ("InvalidArgument", "UNKNOWN_CURSOR"));
    world.stop().await;
}

/// A list whose pages are read while persons come, and then what changed since it began: whatever the sizes of pages, and
/// whoever came when, they are together what a new list says.
async fn a_list_and_the_changes_after_it_are_what_is_there(engine: Engine) {
    let seed = std::env::var("LIENTHONG_TEST_SEED").ok().map_or(1911, |s| s.parse().unwrap());
    let world = World::with(engine, Options { persons: 60, ..Options::default() }).await;
    let client = world.client("insurance");
    let mut random = StdRng::seed_from_u64(seed);
    let mut next_id = 0;
    for round in 0..3 {
        let (mut copy, mut token) = (BTreeMap::new(), String::new());
        let come = async |random: &mut StdRng, next_id: &mut u32| {
            let many = random.random_range(0..4);
            let new = (*next_id..*next_id + many).map(|id| newcomer(id, random.random_bool(0.3)));
            let new: Vec<_> = new.collect();
            *next_id += many;
            world.add(new).await;
        };
        let cursor = loop {
            come(&mut random, &mut next_id).await;
            let page = persons(&client, random.random_range(10..70), token).await;
            copy.extend(page.persons.into_iter().map(|p| (p.answer.token, p.answer.version)));
            token = page.next_page_token;
            if token.is_empty() {
                break page.cursor;
            }
        };
        come(&mut random, &mut next_id).await;
        let (changes, _) = all_after(&client, after(&cursor, random.random_range(1..6))).await;
        let mut versions = BTreeSet::new();
        for change in changes {
            assert!(versions.insert(change.version), "told once");
            // What the list had at a later version is newer than what is told.
            let known = copy.entry(change.token).or_default();
            *known = change.version.max(*known);
        }
        let (live, _) = listed(&client, 500).await;
        assert!(copy == live, "engine {engine:?}, seed {seed}, round {round}");
    }
    // Not everybody who came may be known of.
    let (live, _) = listed(&client, 100).await;
    assert!(next_id > 10 && live.len() < world.people().len() + next_id as usize);
    world.stop().await;
}

async fn every_fault_of_a_request_is_named_at_once(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let fields = |refused: Refused| {
        assert_eq!(why(&refused), ("InvalidArgument", "INVALID_REQUEST"));
        refused.fields.into_iter().map(|(field, _)| field).collect::<Vec<_>>()
    };
    let long = "0".repeat(513);
    let changes = ListPersonChangesRequest {
        basis: None,
        items: items(&["*"]),
        cursor: long.clone(),
        page_size: 501,
        followed_only: false,
    };
    let wrong = fields(no_page(&client, &changes).await);
    assert_eq!(wrong, ["basis", "items[0]", "page_size", "cursor"]);
    let list = ListPersonsRequest { page_token: long, page_size: 501, ..Default::default() };
    let wrong = fields(client.list_persons(&list).await.unwrap().err().unwrap());
    assert_eq!(wrong, ["basis", "items", "page_size", "page_token"]);
    let tokens = ["a", "a", "", &"x".repeat(65)].map(str::to_owned);
    let request = FollowPersonsRequest { request_id: String::new(), ..followed(&tokens) };
    let wrong = fields(client.follow_persons(&request).await.unwrap().err().unwrap());
    assert_eq!(wrong, ["tokens[1]", "tokens[2]", "tokens[3]", "request_id"]);
    for tokens in [Vec::new(), vec!["x".to_owned(); 1001]] {
        let wrong = client.follow_persons(&followed(&tokens)).await.unwrap().err().unwrap();
        assert_eq!(fields(wrong), ["tokens"]);
    }
    world.stop().await;
}
