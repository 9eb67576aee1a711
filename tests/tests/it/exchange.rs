//! The exchange service: sources are read and told, and no database delays another.

use std::{sync::Arc, time::Duration};

use contract::{
    contribution::v1::submit_contribution_request::Event as Submitted,
    database::v1::change::Event,
    exchange::v1::{
        ListDeadLettersRequest, ListRoutesRequest, SettleDeadLetterRequest,
        route_service_client::RouteServiceClient,
    },
};
use exchange::{DeadLetter, Progress};
use lienthong::{client::Refused, demo::TRUST_DOMAIN};
use model::PersonalNumber;
use server::Channel;
use store::Engine;
use tests::{
    databases::{BAD, Bad, Reference, Small, connect, route},
    events::{about, birth, death, residence},
    on_both_engines, ports,
    whole::{Prepared, Whole},
};

on_both_engines!(
    a_birth_that_is_fetched_gets_its_number_back,
    i4_what_is_fetched_again_is_one_contribution,
    a_change_that_is_rejected_is_told_and_has_an_owner,
    i11_no_database_delays_another,
    a_sink_that_takes_one_event_at_a_time_is_told_all_and_one_it_refuses_is_put_aside,
    src_1_changes_of_many_writers_are_listed_in_order_and_once,
    a_database_with_another_certificate_is_not_read,
    a_database_that_changes_its_certificate_is_not_read_until_it_is_itself_again,
    a_dead_letter_is_put_away_and_open_again_when_the_same_happens_again,
);

const CHILD: &str = "Trần Giả Định Bảo An";

fn civil_status() -> String {
    format!("spiffe://{TRUST_DOMAIN}/agency/Z01.DEMO.HOTICH/system/ho-tich")
}

fn source(database: &Reference) -> String {
    route("civil-status", &civil_status(), &database.endpoint(), "\"source\", \"sink\"")
}

/// Everything with a civil-status database, and whatever else is connected.
async fn connected(engine: Engine, others: &[String], prepared: Prepared) -> (Whole, Reference) {
    let mut prepared = prepared;
    let database = Reference::start(&prepared, "civil-status", engine).await;
    connect(&mut prepared, &[&[source(&database)], others].concat());
    (prepared.start().await, database)
}

fn listed(request: contract::contribution::v1::SubmitContributionRequest) -> Event {
    match request.event.unwrap() {
        Submitted::Birth(birth) => Event::Birth(birth),
        Submitted::Death(death) => Event::Death(death),
        Submitted::Residence(residence) => Event::Residence(residence),
        Submitted::Correction(correction) => Event::Correction(correction),
        Submitted::Annulment(annulment) => Event::Annulment(annulment),
        Submitted::LifeEvent(event) => Event::LifeEvent(event),
        Submitted::ConflictDecision(_) => panic!("no database lists decisions"),
    }
}

/// What `look` gives, as soon as it gives something: how far the work of others is, nobody says.
pub(crate) async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn numbered(database: &Reference, change: &str) -> PersonalNumber {
    until(async || database.service.number(change).await.unwrap()).await
}

pub(crate) async fn progress(whole: &Whole, database: &str) -> Progress {
    let all = whole.all.exchange().unwrap().progress().await.unwrap();
    all.into_iter().find(|route| route.database == database).unwrap()
}

pub(crate) async fn letters(whole: &Whole) -> Vec<DeadLetter> {
    whole.all.exchange().unwrap().dead_letters().await.unwrap()
}

async fn a_birth_that_is_fetched_gets_its_number_back(engine: Engine) {
    let (whole, database) = connected(engine, &[], Prepared::new(engine).await).await;
    let before = (whole.persons().await, whole.records().await);
    let change = database.service.register(listed(birth("1/2026", CHILD))).await.unwrap();
    let number = numbered(&database, &change).await;
    assert!(number.is_synthetic());
    assert_eq!(whole.persons().await, before.0 + 1);
    // The register recorded that it applied it, and contribution that it answered.
    assert_eq!(whole.records().await, before.1 + 2);
    let now = progress(&whole, "civil-status").await;
    assert_eq!((now.changes, now.sequence, now.dead_letters), (1, 1, 0));
    until(async || (progress(&whole, "civil-status").await.waiting == 0).then_some(())).await;
    whole.all.stop().await;
}

async fn i4_what_is_fetched_again_is_one_contribution(engine: Engine) {
    let (whole, database) = connected(engine, &[], Prepared::new(engine).await).await;
    let mut numbers = Vec::new();
    let mut changes = Vec::new();
    for entry in ["1/2026", "2/2026", "3/2026"] {
        let change = database.service.register(listed(birth(entry, CHILD))).await.unwrap();
        numbers.push(numbered(&database, &change).await);
        changes.push(change);
    }
    let persons = whole.persons().await;
    // The database is set back to nothing read, as when a backup of the exchange is restored.
    let whole = whole.restarted(&["DELETE FROM route", "DELETE FROM delivery"]).await;
    until(async || (progress(&whole, "civil-status").await.changes == 3).then_some(())).await;
    assert_eq!(whole.persons().await, persons);
    // The sources are told again, of the same.
    until(async || (progress(&whole, "civil-status").await.waiting == 0).then_some(())).await;
    assert!(letters(&whole).await.is_empty());
    for (change, number) in changes.iter().zip(&numbers) {
        assert!(database.service.number(change).await.unwrap().as_ref() == Some(number));
    }
    whole.all.stop().await;
}

async fn a_change_that_is_rejected_is_told_and_has_an_owner(engine: Engine) {
    let (whole, database) = connected(engine, &[], Prepared::new(engine).await).await;
    let nobody = PersonalNumber::compose(990, model::Sex::Male, 1990, 1).unwrap();
    let event = death("7/2026", about(nobody.as_str(), CHILD, (1990, 1, 1)));
    let rejected = database.service.register(listed(event)).await.unwrap();
    // What comes after it is not held up.
    let change = database.service.register(listed(birth("1/2026", CHILD))).await.unwrap();
    numbered(&database, &change).await;
    let letters = letters(&whole).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].reason.as_str(), &letters[0].about),
        ("CONTRIBUTION_REJECTED", &rejected)
    );
    assert_eq!(letters[0].owner, "Z09.CIVIL-STATUS");
    until(async || (database.service.told(&rejected).await.unwrap() == Some(false)).then_some(()))
        .await;
    assert_eq!(database.service.told(&change).await.unwrap(), Some(true));
    whole.all.stop().await;
}

async fn i11_no_database_delays_another(engine: Engine) {
    let prepared = Prepared::new(engine).await;
    let (mut running, mut routes) = (Vec::new(), Vec::new());
    for bad in BAD {
        let started = bad.start(&prepared).await;
        let (name, id) = bad.identity();
        routes.push(route(&name, &id, &started.address().to_string(), "\"source\", \"sink\""));
        running.push(started);
    }
    let (whole, database) = connected(engine, &routes, prepared).await;
    let before = whole.persons().await;
    let change = database.service.register(listed(birth("1/2026", CHILD))).await.unwrap();
    numbered(&database, &change).await;
    // The one that hangs has all the time there is: nobody waited for it.
    // Each is caught, and its owner told.
    for (bad, reason) in BAD.iter().filter_map(|bad| Some((bad, bad.reason()?))) {
        let (name, _) = bad.identity();
        let told = async || {
            let letters = letters(&whole).await;
            letters.into_iter().find(|l| l.database == name && l.reason == reason)
        };
        assert_eq!(until(told).await.owner, format!("Z09.{}", name.to_uppercase()), "{bad:?}");
    }
    assert_eq!(whole.persons().await, before + 1);
    let second = database.service.register(listed(birth("2/2026", CHILD))).await.unwrap();
    numbered(&database, &second).await;
    whole.all.stop().await;
}

async fn a_database_with_another_certificate_is_not_read(engine: Engine) {
    let prepared = Prepared::new(engine).await;
    // What the residence database lists is not read under the name of another.
    let other = Reference::start(&prepared, "residence", engine).await;
    let nobody = PersonalNumber::compose(990, model::Sex::Male, 1990, 1).unwrap();
    let moved = residence("m-1", about(nobody.as_str(), CHILD, (1990, 1, 1)), "Số 1 phố Giả Định");
    other.service.register(listed(moved)).await.unwrap();
    let id = format!("spiffe://{TRUST_DOMAIN}/agency/Z09.OTHER/system/other");
    let (endpoint, roles) = (other.endpoint(), "\"source\"");
    let routes = [
        route("other", &id, &endpoint, roles),
        // Under its own name it is.
        route("residence", &residence_id(), &endpoint, roles),
    ];
    let (whole, _database) = connected(engine, &routes, prepared).await;
    until(async || (progress(&whole, "residence").await.changes == 1).then_some(())).await;
    let unread = progress(&whole, "other").await;
    assert_eq!((unread.cursor.as_str(), unread.changes), ("", 0));
    whole.all.stop().await;
}

/// What somebody lists who answers in its place is not read, however long the route was open.
async fn a_database_that_changes_its_certificate_is_not_read_until_it_is_itself_again(
    engine: Engine,
) {
    let mut prepared = Prepared::new(engine).await;
    let address = ports::free();
    let own = prepared.files("civil-status").clone();
    let id = format!("spiffe://{TRUST_DOMAIN}/agency/Z09.OTHER/system/other");
    let other = prepared.pki.issue("other", &id).unwrap();
    connect(&mut prepared, &[route("civil-status", &civil_status(), &address, "\"source\"")]);
    let listing = |entries: &[&str]| {
        let births = entries.iter().map(|entry| listed(birth(entry, CHILD))).collect();
        Small { births: Arc::new(births), ..Small::default() }
    };
    let server = prepared.settings.server.clone();
    let running = listing(&["1/2026"]).start_at(&server, &own, &address).await;
    let whole = prepared.start().await;
    until(async || (progress(&whole, "civil-status").await.changes == 1).then_some(())).await;
    running.stop().await;
    let running = listing(&["1/2026", "2/2026"]).start_at(&server, &other, &address).await;
    let mut officer = officer(&whole);
    let failing = until(async || {
        let routes = officer.list_routes(ListRoutesRequest {}).await.unwrap().into_inner().routes;
        routes[0].roles.iter().find(|role| role.failures > 0).cloned()
    });
    let failing = failing.await;
    assert_eq!((failing.role.as_str(), failing.reason.as_str()), ("source", "DATABASE_AWAY"));
    assert_eq!(progress(&whole, "civil-status").await.changes, 1);
    running.stop().await;
    let _running = listing(&["1/2026", "2/2026"]).start_at(&server, &own, &address).await;
    until(async || (progress(&whole, "civil-status").await.changes == 2).then_some(())).await;
    whole.all.stop().await;
}

/// The routes as an officer of the operator sees them.
pub(crate) fn officer(whole: &Whole) -> RouteServiceClient<Channel> {
    let client = whole.client_with(&whole.issue("officer", "/operator/7"));
    RouteServiceClient::new(client.channel())
}

async fn a_dead_letter_is_put_away_and_open_again_when_the_same_happens_again(engine: Engine) {
    let prepared = Prepared::new(engine).await;
    let bad = [Bad::OutOfOrder, Bad::Stuck];
    let (mut running, mut routes) = (Vec::new(), Vec::new());
    for bad in bad {
        let started = bad.start(&prepared).await;
        let (name, id) = bad.identity();
        routes.push(route(&name, &id, &started.address().to_string(), "\"source\""));
        running.push(started);
    }
    let (whole, _database) = connected(engine, &routes, prepared).await;
    until(async || (letters(&whole).await.len() == 2).then_some(())).await;
    let mut service = officer(&whole);
    // One on a page, until there is no more.
    let mut asked = ListDeadLettersRequest { page_size: 1, ..Default::default() };
    let mut found = Vec::new();
    loop {
        let page = service.list_dead_letters(asked.clone()).await.unwrap().into_inner();
        found.extend(page.dead_letters);
        asked.page_token = page.next_page_token;
        if asked.page_token.is_empty() {
            break;
        }
    }
    let mut ids: Vec<&str> = found.iter().map(|letter| letter.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["outoforder/OUT_OF_ORDER/", "stuck/STUCK/"]);
    assert!(found.iter().all(|letter| letter.settle_time.is_none() && !letter.owner.is_empty()));
    // It fails on, so whatever is put away is open again.
    whole.hands.step(time::Duration::HOUR);
    let id = ids[0].to_owned();
    let put_away = SettleDeadLetterRequest { id: id.clone() };
    assert!(service.settle_dead_letter(put_away).await.unwrap().into_inner().settled);
    let database = "outoforder".to_owned();
    let asked = ListDeadLettersRequest { database, with_settled: true, ..Default::default() };
    let before = found.iter().find(|letter| letter.id == id).unwrap().note_time;
    until(async || {
        let page = service.list_dead_letters(asked.clone()).await.unwrap().into_inner();
        let [letter] = page.dead_letters.as_slice() else { panic!("one of this database") };
        // Meanwhile it says who put it away.
        match letter.settle_time {
            Some(_) => assert!(letter.settled_by.ends_with("/operator/7")),
            None => assert_ne!(letter.note_time, before),
        }
        letter.settle_time.is_none().then_some(())
    })
    .await;
    let nothing = SettleDeadLetterRequest { id: "x".to_owned() };
    assert!(!service.settle_dead_letter(nothing).await.unwrap().into_inner().settled);
    // Every fault is named at once, and nobody but an officer is answered.
    let faulty = ListDeadLettersRequest {
        page_size: 1001,
        page_token: "x".to_owned(),
        ..Default::default()
    };
    let refused = Refused::from(service.list_dead_letters(faulty).await.unwrap_err());
    let fields: Vec<&str> = refused.fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["page_size", "page_token"]);
    let mut agency = RouteServiceClient::new(whole.client("civil-status").channel());
    let refused = Refused::from(agency.list_routes(ListRoutesRequest {}).await.unwrap_err());
    assert_eq!(refused.reason, "METHOD_NOT_ALLOWED");
    whole.all.stop().await;
}

fn residence_id() -> String {
    format!("spiffe://{TRUST_DOMAIN}/agency/Z05.DEMO.CUTRU/system/cu-tru")
}

async fn a_sink_that_takes_one_event_at_a_time_is_told_all_and_one_it_refuses_is_put_aside(
    engine: Engine,
) {
    let mut prepared = Prepared::new(engine).await;
    let entries = ["1/2026", "2/2026", "3/2026", "4/2026"];
    let births = entries.map(|entry| listed(birth(entry, CHILD)));
    let small = Small { births: Arc::new(births.to_vec()), ..Small::default() };
    let running = small.start(&prepared, "civil-status").await;
    let (endpoint, roles) = (running.address().to_string(), "\"source\", \"sink\"");
    connect(&mut prepared, &[route("civil-status", &civil_status(), &endpoint, roles)]);
    let whole = prepared.start().await;
    until(async || (small.told.lock().unwrap().len() == 3).then_some(())).await;
    let sequences: Vec<u64> = small.told.lock().unwrap().iter().map(|e| e.sequence).collect();
    assert_eq!(sequences, [1, 3, 4]);
    let letters = letters(&whole).await;
    let found: Vec<_> = letters.iter().map(|l| (l.reason.as_str(), l.about.as_str())).collect();
    assert_eq!(found, [("REFUSED_EVENT", "sequence-2")]);
    whole.all.stop().await;
}

async fn src_1_changes_of_many_writers_are_listed_in_order_and_once(engine: Engine) {
    const WRITERS: usize = 8;
    const EACH: usize = 5;
    let (whole, database) = connected(engine, &[], Prepared::new(engine).await).await;
    let write = |writer: usize| {
        let service = database.service.clone();
        async move {
            for number in 0..EACH {
                let entry = format!("{writer}-{number}/2026");
                service.register(listed(birth(&entry, CHILD))).await.unwrap();
            }
        }
    };
    // They are read while they are written.
    futures::future::join_all((0..WRITERS).map(write)).await;
    let all = (WRITERS * EACH) as u64;
    until(async || (progress(&whole, "civil-status").await.changes == all).then_some(())).await;
    assert_eq!(progress(&whole, "civil-status").await.sequence, all);
    assert!(letters(&whole).await.is_empty());
    whole.all.stop().await;
}
