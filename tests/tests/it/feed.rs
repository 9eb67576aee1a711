//! The register's change feed, and the tokens it issues: who is told of whom, recorded before it is sent.

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    identity::v1::{GetPersonRequest, LookupOutcome},
    register::v1::{
        FollowedChange, ListChangesRequest, ListChangesResponse,
        feed_service_client::FeedServiceClient,
    },
    r#type::v1::AccessBasis,
};
use server::{
    Channel,
    channel::{self, Peer},
};
use store::{Engine, Sql, Store};
use tests::{
    Options, World, ask, basis, behind_its_back, on_both_engines, people,
    world::{NOW, TRUST_DOMAIN},
};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{answered, refused, why};

/// The cursor before the first change.
const FIRST: &str = "0.0";
const UPKEEP: &str = "database-upkeep";
const INSURANCE: &str = "spiffe://lienthong.test/agency/Z24.TEST/system/health-insurance";
const POLICE: &str = "spiffe://lienthong.test/agency/Z01.TEST/system/investigation";

/// The feed as one of our own services calls it.
fn feed_as(world: &World, service: &str) -> FeedServiceClient<Channel> {
    let id = format!("spiffe://{TRUST_DOMAIN}/service/{service}");
    let peer = Peer::direct(world.address().to_string(), "identity");
    let channel = channel::to_service(&peer, TRUST_DOMAIN, &world.issue(service, &id));
    FeedServiceClient::new(channel.unwrap())
}

fn asked(follower: &str, items: &[&str], cursor: &str) -> ListChangesRequest {
    ListChangesRequest {
        follower: follower.to_owned(),
        basis: Some(basis(UPKEEP)),
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        cursor: cursor.to_owned(),
        page_size: 100,
    }
}

async fn page(world: &World, request: ListChangesRequest) -> ListChangesResponse {
    feed_as(world, "exchange").list_changes(request).await.unwrap().into_inner()
}

/// Why nothing is listed, and where that is recorded.
async fn no_page(world: &World, service: &str, request: ListChangesRequest) -> (String, bool) {
    let status = feed_as(world, service).list_changes(request).await.unwrap_err();
    let info = status.get_error_details().error_info().unwrap().clone();
    (info.reason, info.metadata.contains_key("record_index"))
}

/// Everything a follower hears from the first change on.
async fn all(world: &World, follower: &str, items: &[&str]) -> Vec<FollowedChange> {
    let (mut heard, mut cursor) = (Vec::new(), FIRST.to_owned());
    loop {
        let before = world.records().await;
        let page = page(world, asked(follower, items, &cursor)).await;
        // One record for each change, and they stand before it is sent (I1).
        assert_eq!(world.records().await, before + page.changes.len() as u64);
        for change in page.changes {
            assert!(!change.receipt.unwrap().checkpoint.is_empty());
            heard.push(change.answer.unwrap());
        }
        assert!(page.end_reached || page.next_cursor != cursor);
        cursor = page.next_cursor;
        if page.end_reached {
            return heard;
        }
    }
}

fn by_token(token: &str, items: &[&str], world: &World) -> GetPersonRequest {
    let (subject, basis) = (people::by_token(token), Some(basis(UPKEEP)));
    GetPersonRequest { subject, claims: None, basis, ..ask(world.plain(), items) }
}

async fn i7_the_feed_tells_of_whom_may_be_known_and_of_nobody_else(engine: Engine) {
    let world = World::new(engine).await;
    let heard = all(&world, INSURANCE, &["birth_full_name"]).await;
    let known = world.people().iter().filter(|person| !person.0.protected).count();
    assert!(known < world.people().len() && heard.len() == known);
    assert!(heard.windows(2).all(|two| two[0].version < two[1].version));
    let tokens: BTreeSet<&String> = heard.iter().map(|change| &change.token).collect();
    assert_eq!(tokens.len(), known);
    assert!(heard.iter().all(|change| change.items == ["birth_full_name"]));
    // No number, name or id of anybody is in it.
    let text = format!("{:?}", heard.iter().map(|c| &c.token).collect::<Vec<_>>());
    let named = |text: &str| world.people().iter().any(|p| text.contains(&p.0.person_id));
    assert!(
        !named(&text) && !world.people().iter().flat_map(|p| p.texts()).any(|t| text.contains(&t))
    );
    // Nobody was given a token for a protected person, and asking again gives the same ones.
    assert_eq!(tokens_issued(&world).await, known as i64);
    let again = all(&world, INSURANCE, &["birth_full_name"]).await;
    assert!(again == heard);
    // Another follower knows the same persons under other tokens.
    let other = all(&world, POLICE, &["birth_full_name"]).await;
    assert_eq!(other.len(), known);
    assert!(!other.iter().any(|change| tokens.contains(&change.token)));
    world.stop().await;
}

async fn i3_a_follower_hears_of_what_it_follows_and_might_obtain(engine: Engine) {
    let world = World::new(engine).await;
    let dead = |person: &&tests::Person| person.said("death_or_missing_date").next().is_some();
    let dead = world.people().iter().filter(|p| !p.0.protected).filter(dead).count();
    let heard = all(&world, INSURANCE, &["death_or_missing_date"]).await;
    assert!(dead > 0 && heard.len() == dead);
    // What its agreement does not grant it is not told of, beside what it is.
    let heard = all(&world, POLICE, &["death_or_missing_date", "date_of_birth"]).await;
    assert!(heard.iter().all(|change| change.items == ["date_of_birth"]));
    // A consent opens nothing to whoever follows, whatever is named: nobody can give one for persons who are not known.
    let consent = AccessBasis { consent_reference: "consent-1".to_owned(), ..basis(UPKEEP) };
    let request =
        ListChangesRequest { basis: Some(consent), ..asked(INSURANCE, &["religion"], FIRST) };
    let refused = no_page(&world, "exchange", request).await;
    assert_eq!(refused, ("NOTHING_ALLOWED".to_owned(), true));
    world.stop().await;
}

async fn a_token_needs_no_claims_and_is_its_callers_alone(engine: Engine) {
    let options = Options { misses_max: 3, ..Options::default() };
    let world = World::with(engine, options).await;
    let (insurance, police) = (world.client("insurance"), world.client("police"));
    let items = ["personal_id_number", "birth_full_name"];
    let heard = all(&world, INSURANCE, &["birth_full_name"]).await;
    let mut numbers = BTreeMap::new();
    for change in &heard[..5] {
        let request = GetPersonRequest {
            min_version: change.version,
            ..by_token(&change.token, &items, &world)
        };
        let answer = answered(&insurance, &request).await;
        answer.verify(&world.log).unwrap();
        assert_eq!(answer.answer.outcome(), LookupOutcome::Match);
        assert_eq!(answer.answer.version, change.version);
        numbers.insert(change.token.clone(), answer.answer.items);
    }
    // Each is a person of its own, the one that has this number.
    let texts: BTreeSet<String> = numbers.values().map(|items| format!("{items:?}")).collect();
    assert_eq!(texts.len(), 1, "no answer prints what it holds");
    let distinct: BTreeSet<Vec<u8>> =
        numbers.values().map(|items| prost::Message::encode_to_vec(&items[0])).collect();
    assert_eq!(distinct.len(), 5);
    // For another caller, and for one that was never issued, there is nobody; claims that are given must hold.
    let token = heard[0].token.as_str();
    let claims = ask(world.person(|p| p.is_plain() && p.has_whole_date()), &[]).claims;
    let mut wrong = claims.unwrap();
    wrong.full_name = "Giả Định Không Có".to_owned();
    let mut seen = Vec::new();
    for (client, request) in [
        (&police, by_token(token, &items, &world)),
        (&insurance, by_token("0123456789abcdef0123456789abcdef", &items, &world)),
        (&insurance, GetPersonRequest { claims: Some(wrong), ..by_token(token, &items, &world) }),
        (&insurance, by_token("x", &items, &world)),
    ] {
        let before = world.records().await;
        let answer = answered(client, &request).await.answer;
        assert_eq!(world.records().await, before + 1);
        assert_eq!(answer.outcome(), LookupOutcome::NoMatch);
        seen.push((answer.items.len(), answer.version, answer.etag));
    }
    assert!(seen.iter().all(|one| *one == (0, 0, String::new())));
    // They cost what every miss costs.
    let spent = refused(&insurance, &by_token("y", &items, &world)).await;
    assert_eq!(why(&spent), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"));
    world.stop().await;
}

/// The one that was issued for somebody who is protected since is a token that was never issued.
async fn i7_a_token_of_somebody_who_is_protected_since_is_nobodys(engine: Engine) {
    let mut world = World::new(engine).await;
    let heard = all(&world, INSURANCE, &["birth_full_name"]).await;
    let token = &heard[0].token;
    let items = ["birth_full_name"];
    let client = world.client("insurance");
    let found = answered(&client, &by_token(token, &items, &world)).await.answer;
    assert_eq!(found.outcome(), LookupOutcome::Match);
    world.stop_identity().await;
    let protect = &["UPDATE person SET protected = TRUE, \
         record = REPLACE(record, '\"protected\":false', '\"protected\":true') \
         WHERE person_id = (SELECT c.person_id FROM change c \
         JOIN token t ON t.person_id = c.person_id ORDER BY c.version LIMIT 1)"][..];
    let (register, migrations) = (world.register_database(), identity::migrations());
    assert_eq!(behind_its_back(register, migrations, protect).await, [1]);
    world.start_identity().await;
    let client = world.client("insurance");
    let mut seen = Vec::new();
    for token in [token.as_str(), "0123456789abcdef0123456789abcdef"] {
        let (records, statements) = (world.records().await, world.statements());
        let call = answered(&client, &by_token(token, &items, &world)).await;
        assert_eq!(call.answer.outcome(), LookupOutcome::NoMatch);
        seen.push((
            call.answer_bytes.len(),
            call.receipt.leaf.len(),
            world.records().await - records,
            world.statements() - statements,
        ));
    }
    assert_eq!(seen[0], seen[1]);
    // The feed is as if the person had never been there.
    let now = all(&world, INSURANCE, &["birth_full_name"]).await;
    assert!(now == heard[1..]);
    world.stop().await;
}

/// How many tokens there are.
async fn tokens_issued(world: &World) -> i64 {
    let url = world.register_database();
    let store = Store::open_read_only(url, identity::migrations()).await.unwrap();
    let rows = store.read(&Sql::same("SELECT COUNT(*) FROM token"), Vec::new()).await.unwrap();
    store.close().await;
    rows[0].try_get_by(0).unwrap()
}

async fn i2_who_has_no_agreement_to_follow_is_told_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let system = |name: &str| format!("spiffe://{TRUST_DOMAIN}/agency/Z99.TEST/system/{name}");
    let named = |follower: &str| asked(follower, &["birth_full_name"], FIRST);
    let single = ListChangesRequest {
        basis: Some(basis("child-health-insurance-card")),
        ..named(INSURANCE)
    };
    for (request, reason) in [
        (named(&system("suspended")), "CONNECTION_NOT_ACTIVE"),
        (named(&system("revoked")), "CONNECTION_NOT_ACTIVE"),
        (named(&system("lapsed")), "CONNECTION_NOT_ACTIVE"),
        (named(&system("stranger")), "CONNECTION_NOT_ACTIVE"),
        (single, "NO_AGREEMENT"),
        (asked(INSURANCE, &["sex"], FIRST), "NOTHING_ALLOWED"),
    ] {
        let before = world.records().await;
        assert_eq!(no_page(&world, "exchange", request).await, (reason.to_owned(), true));
        assert_eq!(world.records().await, before + 1, "{reason}");
    }
    // No caller but the exchange service is told, whoever it names.
    for service in ["contribution", "audit"] {
        let refused = no_page(&world, service, named(INSURANCE)).await;
        assert_eq!(refused, ("METHOD_NOT_ALLOWED".to_owned(), false), "{service}");
    }
    world.stop().await;
}

async fn i1_what_is_not_recorded_is_not_told(engine: Engine) {
    let mut world = World::new(engine).await;
    world.stop_audit().await;
    let request = asked(INSURANCE, &["birth_full_name"], FIRST);
    let (reason, _) = no_page(&world, "exchange", request.clone()).await;
    assert_eq!(reason, "AUDIT_UNAVAILABLE");
    world.start_audit().await;
    // The way to the log is there again as soon as it is tried again.
    loop {
        match feed_as(&world, "exchange").list_changes(request.clone()).await {
            Ok(page) => break assert!(!page.into_inner().changes.is_empty()),
            Err(status) => assert_eq!(status.code(), Code::Unavailable),
        }
    }
    world.stop().await;
}

async fn who_begins_hears_of_what_comes_after(engine: Engine) {
    let world = World::new(engine).await;
    let before = world.records().await;
    let first = page(&world, asked(INSURANCE, &["birth_full_name"], "")).await;
    assert!(first.changes.is_empty() && first.end_reached);
    let at_us = NOW.unix_timestamp_nanos() / 1_000;
    assert_eq!(first.next_cursor, format!("{}.{at_us}", world.people().len()));
    let next = page(&world, asked(INSURANCE, &["birth_full_name"], &first.next_cursor)).await;
    assert_eq!(next, first);
    // What tells of nobody is not recorded.
    assert_eq!(world.records().await, before);
    // A cursor of a later state than the register's is none of its own; nor is one in another writing.
    let (ahead, other) = (format!("601.{at_us}"), format!("600.{}", at_us + 1));
    for cursor in
        [&ahead, &other, "x", "600", "+5.1", "05.1", "0.1", "-1.1", "18446744073709551616.1"]
    {
        let request = asked(INSURANCE, &["birth_full_name"], cursor);
        let (reason, _) = no_page(&world, "exchange", request).await;
        assert_eq!(reason, "UNKNOWN_CURSOR", "`{cursor}`");
    }
    world.stop().await;
}

async fn every_fault_of_a_request_is_named_at_once(engine: Engine) {
    let world = World::new(engine).await;
    let nothing = ListChangesRequest::default();
    let wrong = ListChangesRequest {
        follower: format!("spiffe://{TRUST_DOMAIN}/service/audit"),
        items: vec!["*".to_owned()],
        page_size: 1001,
        ..asked(INSURANCE, &[], FIRST)
    };
    let faults: [(ListChangesRequest, &[&str]); 2] = [
        (nothing, &["follower", "basis", "items", "page_size"]),
        (wrong, &["follower", "items[0]", "page_size"]),
    ];
    for (request, fields) in faults {
        let status = feed_as(&world, "exchange").list_changes(request).await.unwrap_err();
        let details = status.get_error_details();
        let named = &details.bad_request().unwrap().field_violations;
        assert_eq!(named.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), fields);
    }
    world.stop().await;
}

on_both_engines!(
    i7_a_token_of_somebody_who_is_protected_since_is_nobodys,
    i7_the_feed_tells_of_whom_may_be_known_and_of_nobody_else,
    i3_a_follower_hears_of_what_it_follows_and_might_obtain,
    a_token_needs_no_claims_and_is_its_callers_alone,
    i2_who_has_no_agreement_to_follow_is_told_nothing,
    i1_what_is_not_recorded_is_not_told,
    who_begins_hears_of_what_comes_after,
    every_fault_of_a_request_is_named_at_once,
);
