//! Databases that follow persons: told by the exchange service, once and in order, and looking up whom they hear of.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use contract::{
    contribution::v1::{RecordMerge, RecordSplit, life_event, submit_contribution_request::Event},
    database::v1::{DiscrepancyKind, PersonChanged, event::Kind},
    exchange::v1::ListRoutesRequest,
    identity::v1::GetPersonRequest,
    r#type::v1::{AccessBasis, Identifier, IdentifierKind},
};
use lienthong::demo::TRUST_DOMAIN;
use server::channel::{self, Peer};
use store::Engine;
use tests::{
    databases::{Listener, Reference, connect, following, route},
    events::{about, birth, ground, life, name, party},
    on_both_engines, people,
    whole::{Prepared, Whole, full_name},
};

use crate::exchange::{letters, officer, progress, until};

const CHILD: &str = "Trần Giả Định Bảo An";
/// Where the register stands when a test begins: its population, which it learnt in one moment.
const BEGIN: &str = "300.1767225600000000";
const RESIDENCE: (&str, &str) = ("Z05.DEMO.CUTRU", "cu-tru");
const ITEMS: [&str; 3] = ["birth_full_name", "date_of_birth", "death_or_missing_date"];
const INSURANCE: (&str, &str) = ("Z02.DEMO.BHXH", "bhyt");

/// The route of a database that follows.
fn follower(name: &str, (agency, system): (&str, &str), endpoint: &str) -> String {
    let id = format!("spiffe://{TRUST_DOMAIN}/agency/{agency}/system/{system}");
    route(name, &id, endpoint, "\"sink\"") + &following(agency, &ITEMS)
}

/// Everything, with the residence database as a listener that has begun to follow.
async fn followed(engine: Engine) -> (Whole, Listener, server::Running) {
    by(engine, "residence", |endpoint| follower("residence", RESIDENCE, endpoint)).await
}

/// Everything, with a listener that has begun to follow by a route of this name.
async fn by(
    engine: Engine,
    name: &str,
    route: impl Fn(&str) -> String,
) -> (Whole, Listener, server::Running) {
    let (mut prepared, listener) = (Prepared::new(engine).await, Listener::default());
    let running = listener.start(&prepared, name).await;
    connect(&mut prepared, &[route(&running.address().to_string())]);
    // Small pages are many.
    prepared.settings.exchange.page_size = 2;
    let whole = prepared.start().await;
    begun(&whole, name).await;
    (whole, listener, running)
}

async fn begun(whole: &Whole, database: &str) -> String {
    until(async || progress(whole, database).await.followed).await
}

/// A birth, and the version that holds it.
async fn born(whole: &Whole, entry: &str) -> u64 {
    let client = whole.client("civil-status");
    client.submit_contribution(&birth(entry, CHILD)).await.unwrap().unwrap().answer.version
}

/// What a listener has heard, as soon as there are so many.
async fn heard(listener: &Listener, many: usize) -> Vec<(String, PersonChanged)> {
    until(async || Some(listener.changed()).filter(|all| all.len() >= many)).await
}

/// Versions are given out by writers that commit side by side: none is passed over because a later one was seen before.
async fn a_follower_hears_of_everybody_once_and_in_order(engine: Engine) {
    const WRITERS: usize = 8;
    const EACH: usize = 5;
    let (whole, listener, _running) = followed(engine).await;
    let write = async |writer: usize| {
        let mut versions = Vec::new();
        for number in 0..EACH {
            versions.push(born(&whole, &format!("{writer}-{number}")).await);
        }
        versions
    };
    // It follows while they are written.
    let written = futures::future::join_all((0..WRITERS).map(write)).await;
    let written: BTreeSet<u64> = written.into_iter().flatten().collect();
    let heard = heard(&listener, WRITERS * EACH).await;
    let versions: Vec<u64> = heard.iter().map(|(_, changed)| changed.version).collect();
    assert_eq!(versions, written.into_iter().collect::<Vec<_>>());
    let tokens: BTreeSet<&String> = heard.iter().map(|(_, changed)| &changed.token).collect();
    assert_eq!(tokens.len(), WRITERS * EACH);
    // Only what it follows is named, whatever else a birth says.
    let followed = ["birth_full_name", "date_of_birth"];
    assert!(heard.iter().all(|(_, changed)| changed.items == followed));
    assert!(letters(&whole).await.is_empty());
    whole.all.stop().await;
}

async fn i4_what_is_told_again_is_the_same_event(engine: Engine) {
    let (whole, listener, _running) = followed(engine).await;
    let begin = progress(&whole, "residence").await.followed.unwrap();
    for entry in ["b-1", "b-2", "b-3"] {
        born(&whole, entry).await;
    }
    let first = heard(&listener, 3).await;
    // A backup of the exchange is restored: it is where it was before the births, and has told nothing.
    assert_eq!(begin, BEGIN);
    let set_back = &["DELETE FROM delivery", "UPDATE follower SET cursor = '300.1767225600000000'"];
    let whole = whole.restarted(set_back).await;
    let all = heard(&listener, 6).await;
    // The database knows each by its id and content, so it takes effect once.
    assert!(all[3..] == first[..]);
    whole.all.stop().await;
}

async fn i11_a_follower_that_hangs_delays_no_other(engine: Engine) {
    let mut prepared = Prepared::new(engine).await;
    let (hanging, listener) =
        (Listener { hangs: true, ..Listener::default() }, Listener::default());
    let first = hanging.start(&prepared, "residence").await;
    let second = listener.start(&prepared, "social-insurance").await;
    connect(
        &mut prepared,
        &[
            follower("residence", RESIDENCE, &first.address().to_string()),
            follower("social-insurance", INSURANCE, &second.address().to_string()),
        ],
    );
    let whole = prepared.start().await;
    begun(&whole, "residence").await;
    begun(&whole, "social-insurance").await;
    for entry in ["b-1", "b-2"] {
        born(&whole, entry).await;
    }
    let heard = heard(&listener, 2).await;
    assert_eq!(heard.len(), 2);
    until(async || (progress(&whole, "residence").await.waiting == 2).then_some(())).await;
    assert!(hanging.changed().is_empty());
    whole.all.stop().await;
}

/// The register was restored from a backup that is older than what followers have heard of.
async fn a_register_that_was_set_back_is_noticed_and_followed_on(engine: Engine) {
    let (whole, listener, _running) = followed(engine).await;
    // Ahead of the register; and at a version that it has, which was another change when it was given.
    let whole = whole.restarted(&["UPDATE follower SET cursor = '999999.1'"]).await;
    let letter = until(async || letters(&whole).await.pop()).await;
    assert_eq!(
        (letter.reason.as_str(), letter.about.as_str(), letter.owner.as_str()),
        ("REGISTER_SET_BACK", "999999.1", "Z09.RESIDENCE")
    );
    let whole = whole.restarted(&["UPDATE follower SET cursor = '299.7'"]).await;
    until(async || (letters(&whole).await.len() == 2).then_some(())).await;
    let at = progress(&whole, "residence").await.followed;
    assert_eq!(at.as_deref(), Some(BEGIN));
    let version = born(&whole, "b-1").await;
    assert_eq!(heard(&listener, 1).await[0].1.version, version);
    whole.all.stop().await;
}

/// The register keeps changes for three years: whoever comes later is told that there is a gap, and what is kept.
async fn a_follower_that_was_behind_for_too_long_is_told_of_the_gap(engine: Engine) {
    let (whole, listener, _running) = followed(engine).await;
    whole.hands.step(time::Duration::days(1_100));
    let taken = whole.all.identity().take_old_changes_away().await.unwrap();
    assert_eq!(taken, 300, "the population that was loaded");
    let whole = whole.restarted(&["UPDATE follower SET cursor = '7.1767225600000000'"]).await;
    let letter = until(async || letters(&whole).await.pop()).await;
    assert_eq!(
        (letter.reason.as_str(), letter.about.as_str(), letter.owner.as_str()),
        ("CHANGES_NOT_KEPT", "7.1767225600000000", "Z09.RESIDENCE")
    );
    let told = until(async || listener.told.lock().unwrap().pop()).await;
    let Some(Kind::Discrepancy(gap)) = told.kind else { panic!("it is told of the gap") };
    assert_eq!(gap.discrepancy(), DiscrepancyKind::Gap);
    assert_eq!(progress(&whole, "residence").await.followed.as_deref(), Some(BEGIN));
    let version = born(&whole, "b-1").await;
    assert_eq!(heard(&listener, 1).await[0].1.version, version);
    whole.all.stop().await;
}

async fn a_follower_looks_up_whom_it_hears_of_by_the_token(engine: Engine) {
    let mut prepared = Prepared::new(engine).await;
    let database = Reference::start(&prepared, "residence", engine).await;
    let files = prepared.files("residence").clone();
    connect(&mut prepared, &[follower("residence", RESIDENCE, &database.endpoint())]);
    let whole = prepared.start().await;
    begun(&whole, "residence").await;
    let client = whole.client("civil-status");
    let born = client.submit_contribution(&birth("b-1", CHILD)).await.unwrap().unwrap().answer;
    let number = model::PersonalNumber::parse(&born.personal_number).unwrap();
    // It has heard before it can look anybody up, and looks up what it has heard.
    until(async || {
        let now = progress(&whole, "residence").await;
        (now.waiting == 0 && now.followed.as_deref() != Some(BEGIN)).then_some(())
    })
    .await;
    assert!(database.service.person(&number).await.unwrap().is_none());
    let records = whole.records().await;
    let peer = Peer::direct(whole.all.address().to_string(), lienthong::process::ALL);
    database.service.follow(channel::to_service(&peer, TRUST_DOMAIN, &files).unwrap());
    let known = until(async || database.service.person(&number).await.unwrap()).await;
    let items: Vec<&str> = known.items.keys().map(String::as_str).collect();
    assert_eq!(items, ["birth_full_name", "date_of_birth", "personal_id_number"]);
    // It asked once, and that is in the log.
    assert_eq!(whole.records().await, records + 1);
    whole.all.stop().await;
}

/// Of a child nobody is told that its mother was entered, where she is protected: whoever looked would find nothing.
async fn i7_nothing_is_heard_of_a_relation_to_a_protected_person(engine: Engine) {
    let (agency, system) = INSURANCE;
    let id = format!("spiffe://{TRUST_DOMAIN}/agency/{agency}/system/{system}");
    let items = ["birth_full_name", "family_relations"];
    let (whole, listener, _running) = by(engine, "social-insurance", |endpoint| {
        route("social-insurance", &id, endpoint, "\"sink\"") + &following(agency, &items)
    })
    .await;
    let nobody = model::PersonalNumber::compose(990, model::Sex::Female, 1990, 7).unwrap();
    let (plain, protected) = (whole.person(false), whole.person(true));
    for (entry, mother, number) in [
        ("b-1", plain, &plain.number),
        ("b-2", protected, &protected.number),
        // Who is protected is told no more and no less than who is not there.
        ("b-3", protected, &nobody),
    ] {
        let mut request = birth(entry, CHILD);
        let Some(Event::Birth(birth)) = &mut request.event else { panic!() };
        birth.parents.truncate(1);
        birth.parents[0].name = name(full_name(mother));
        birth.parents[0].identifier = Some(Identifier {
            kind: IdentifierKind::PersonalNumber.into(),
            value: number.as_str().to_owned(),
        });
        whole.client("civil-status").submit_contribution(&request).await.unwrap().unwrap();
    }
    let heard = heard(&listener, 3).await;
    assert_eq!(heard[0].1.items, items);
    assert_eq!(heard[1].1.items, ["birth_full_name"]);
    assert_eq!(heard[2].1.items, ["birth_full_name"]);
    whole.all.stop().await;
}

/// The register keeps what a database cannot take: its list does not grow with its outage, and nothing is lost.
async fn a_follower_that_takes_nothing_is_not_heaped_up_and_hears_all_later(engine: Engine) {
    const BIRTHS: usize = 25;
    let (whole, listener, _running) = followed(engine).await;
    listener.away.store(true, Ordering::SeqCst);
    let mut versions = Vec::new();
    for number in 0..BIRTHS {
        versions.push(born(&whole, &format!("b-{number}")).await);
    }
    until(async || (progress(&whole, "residence").await.waiting == 20).then_some(())).await;
    let stands = progress(&whole, "residence").await.followed;
    listener.away.store(false, Ordering::SeqCst);
    let heard = heard(&listener, BIRTHS).await;
    assert!(heard.iter().map(|(_, changed)| changed.version).eq(versions));
    assert_ne!(begun(&whole, "residence").await, stands.unwrap());
    // Nothing is kept of what was taken.
    let rows = "SELECT COUNT(*) FROM delivery";
    until(async || (whole.count("exchange", rows).await == 0).then_some(())).await;
    whole.all.stop().await;
}

/// What was listed under an agreement is not told when it has ended, and is when it stands again.
async fn i2_what_waits_is_told_only_while_the_agreement_stands(engine: Engine) {
    let (whole, listener, _running) = followed(engine).await;
    listener.away.store(true, Ordering::SeqCst);
    let mut versions = Vec::new();
    for number in 0..3 {
        versions.push(born(&whole, &format!("b-{number}")).await);
    }
    until(async || (progress(&whole, "residence").await.waiting == 3).then_some(())).await;
    let standing = whole.registry();
    let mut ended = standing.clone();
    let connection = ended.connections.iter_mut().find(|one| one.id == "demo-residence").unwrap();
    connection.state = policy::domain::registry::State::Suspended;
    whole.apply_registry(&ended).await;
    let mut officer = officer(&whole);
    let refused = until(async || {
        let routes = officer.list_routes(ListRoutesRequest {}).await.unwrap().into_inner().routes;
        routes[0].roles.iter().find(|role| role.role == "follower" && role.failures > 0).cloned()
    });
    assert_eq!(refused.await.reason, "CONNECTION_NOT_ACTIVE");
    assert_eq!(progress(&whole, "residence").await.waiting, 0);
    listener.away.store(false, Ordering::SeqCst);
    whole.apply_registry(&standing).await;
    let heard = heard(&listener, 3).await;
    let found: Vec<u64> = heard.iter().map(|(_, changed)| changed.version).collect();
    assert_eq!(found, versions);
    whole.all.stop().await;
}

/// Two births that were one: whoever follows both hears with which of its tokens it goes on, and later that they are two.
async fn a_follower_is_told_which_tokens_are_one_person_today(engine: Engine) {
    let (whole, listener, _running) = followed(engine).await;
    let client = whole.client("civil-status");
    let mut numbers = Vec::new();
    for entry in ["b-1", "b-2"] {
        let born = client.submit_contribution(&birth(entry, CHILD)).await.unwrap().unwrap();
        numbers.push(born.answer.personal_number);
    }
    let before = heard(&listener, 2).await;
    let [first, second] = [0, 1].map(|place| before[place].1.token.clone());
    let child = |place: usize| about(&numbers[place], CHILD, (2026, 3, 1));
    let procedure = ("duplicate-record-handling", "Z06.DEMO.CANCUOC");
    let merge = life_event::Event::Merge(RecordMerge {
        surviving_person: Some(party(child(1))),
        decision_number: "QD-1".to_owned(),
    });
    let merge = life("m-1", procedure, child(0), (2026, 5, 1), merge);
    let keeper = whole.client("citizen-id");
    keeper.submit_contribution(&merge).await.unwrap().unwrap();
    let merged = heard(&listener, 3).await.remove(2).1;
    assert_eq!((&merged.token, &merged.surviving_token), (&first, &second));
    assert_eq!(merged.items, ["birth_full_name", "date_of_birth"]);
    // The token stays good, and leads to the one who stays.
    let look = async |token: &str| {
        let request = GetPersonRequest {
            subject: people::by_token(token),
            claims: None,
            items: vec!["birth_full_name".to_owned()],
            basis: Some(AccessBasis {
                legal_basis: "1911-2021-art-2-1".to_owned(),
                ..ground("database-upkeep", "Z05.DEMO.CUTRU")
            }),
            request_id: "r-1".to_owned(),
            min_version: 0,
            as_of: None,
        };
        crate::answered(&whole.client("residence"), &request).await.answer
    };
    let (by_first, by_second) = (look(&first).await, look(&second).await);
    assert!(by_first.record_merged && !by_second.record_merged);
    assert!(by_first.items == by_second.items && by_first.version == by_second.version);
    let split = life_event::Event::Split(RecordSplit {
        restored_subject: Some(child(0).0),
        decision_number: "QD-2".to_owned(),
    });
    let split = life("s-1", procedure, child(1), (2026, 6, 1), split);
    keeper.submit_contribution(&split).await.unwrap().unwrap();
    let again = heard(&listener, 4).await.remove(3).1;
    assert_eq!((&again.token, again.surviving_token.as_str()), (&first, ""));
    let by_first = look(&first).await;
    assert!(!by_first.record_merged && by_first.version != by_second.version);
    whole.persons().await;
    whole.all.stop().await;
}

on_both_engines!(
    a_follower_that_takes_nothing_is_not_heaped_up_and_hears_all_later,
    i2_what_waits_is_told_only_while_the_agreement_stands,
    i7_nothing_is_heard_of_a_relation_to_a_protected_person,
    a_follower_hears_of_everybody_once_and_in_order,
    i4_what_is_told_again_is_the_same_event,
    i11_a_follower_that_hangs_delays_no_other,
    a_register_that_was_set_back_is_noticed_and_followed_on,
    a_follower_that_was_behind_for_too_long_is_told_of_the_gap,
    a_follower_looks_up_whom_it_hears_of_by_the_token,
    a_follower_is_told_which_tokens_are_one_person_today,
);
