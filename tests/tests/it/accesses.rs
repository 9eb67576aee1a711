//! Who saw me: what is told of the accesses to a person, to the citizen's own portal, and what proves it.

use contract::{
    identity::v1::{
        AccessDetails, AccessEnding, AccessUntold, ConsentRecipient, ListAccessesAnswer,
        ListAccessesRequest, LookupOutcome, PersonAccess, RecordConsentRequest,
        person_access::Told,
    },
    r#type::v1::AccessBasis,
};
use lienthong::client::{Answered, Client, history::verify_access};
use prost::Message as _;
use store::{Engine, Sql, Store};
use tests::{Person, World, ask, basis, behind_its_back, on_both_engines, people};
use time::Duration;

use crate::{
    answered,
    consents::{after, consent, given},
    why,
};

on_both_engines!(
    every_access_is_listed_with_its_proof_and_its_running_number,
    pages_go_on_without_a_gap,
    an_access_of_an_investigation_is_counted_and_not_shown_until_its_date,
    i2_without_a_consent_nobody_is_told_who_saw_them,
    i7_a_protected_person_and_an_absent_one_have_the_same_answer,
    i8_what_stands_under_a_number_that_nobody_bears_is_a_keyed_digest,
    bad_requests_name_every_fault,
);

const OWN: &str = "own-record";
const NUMBER: &str = "personal_id_number";
/// A number that nobody bears.
pub(crate) const NOBODYS: &str = "999300999999";

fn own(reference: &str) -> AccessBasis {
    AccessBasis {
        legal_basis: "circular-46-2022-art-12".to_owned(),
        consent_reference: reference.to_owned(),
        ..basis(OWN)
    }
}

/// A consent that the portal sees who accessed the person.
pub(crate) fn to_the_portal(person: &Person) -> RecordConsentRequest {
    RecordConsentRequest {
        items: vec![NUMBER.to_owned()],
        basis: Some(own("")),
        recipient: Some(ConsentRecipient {
            agency: "Z99.TEST".to_owned(),
            system: "portal".to_owned(),
        }),
        end_time: after(Duration::minutes(10)),
        ..consent(person, "own-1")
    }
}

pub(crate) fn accesses(person: &Person, reference: &str) -> ListAccessesRequest {
    ListAccessesRequest {
        subject: people::by_number(person.number()),
        claims: Some(person.claims()),
        basis: Some(own(reference)),
        request_id: "seen-1".to_owned(),
        page_size: 0,
        page_token: String::new(),
    }
}

/// The reference of a consent that is recorded, which is an access itself.
pub(crate) async fn consented(world: &World, person: &Person) -> String {
    let answered = given(&world.client("portal"), &to_the_portal(person)).await;
    answered.answer.consent.unwrap().reference
}

pub(crate) async fn listed(
    client: &Client,
    request: &ListAccessesRequest,
) -> Answered<ListAccessesAnswer> {
    let listed = client.list_accesses(request).await.unwrap();
    listed.unwrap_or_else(|refused| panic!("{refused}"))
}

pub(crate) fn details(access: &PersonAccess) -> &AccessDetails {
    match access.told.as_ref().unwrap() {
        Told::Details(details) => details,
        Told::Untold(why) => panic!("untold: {why}"),
    }
}

/// Method, system and ending of each, newest first.
fn summary(answer: &ListAccessesAnswer) -> Vec<(String, String, AccessEnding)> {
    let one = |access: &PersonAccess| {
        let details = details(access);
        let method = details.method.rsplit('/').next().unwrap().to_owned();
        (method, details.system.clone(), details.ending())
    };
    answer.accesses.iter().map(one).collect()
}

fn numbers(answer: &ListAccessesAnswer) -> Vec<u64> {
    answer.accesses.iter().map(|access| access.number).collect()
}

async fn every_access_is_listed_with_its_proof_and_its_running_number(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let insurance = world.client("insurance");
    let request = ask(&person, &["sex", "religion"]);
    let given = answered(&insurance, &request).await;
    let mut wrong = request.clone();
    wrong.claims.as_mut().unwrap().full_name = "Không Phải Tên Đó".to_owned();
    assert_eq!(answered(&insurance, &wrong).await.answer.outcome(), LookupOutcome::NoMatch);
    // Somebody else is of no concern here.
    let other = world.person(|p| p.is_plain() && p.number() != person.number());
    answered(&insurance, &ask(other, &["sex"])).await;
    let reference = consented(&world, &person).await;

    let portal = world.client("portal");
    let request = accesses(&person, &reference);
    let told = listed(&portal, &request).await;
    told.verify(&world.log).unwrap();
    let answer = &told.answer;
    assert_eq!(answer.outcome(), LookupOutcome::Match);
    assert!(answer.withheld.is_none());
    let of = |method: &str, system: &str, ending| (method.to_owned(), system.to_owned(), ending);
    let expected = [
        of("RecordConsent", "portal", AccessEnding::Answered),
        of("GetPerson", "health-insurance", AccessEnding::NothingGiven),
        of("GetPerson", "health-insurance", AccessEnding::Answered),
    ];
    assert_eq!(summary(answer), expected);
    assert_eq!((numbers(answer), answer.counts[0]), (vec![3, 2, 1], 3));
    assert_eq!(answer.counts[1..].iter().sum::<u64>(), 0, "nobody asked before there was a bearer");
    assert_eq!(answer.next_page_token, "");

    let first = details(&answer.accesses[2]);
    assert_eq!(first.index, given.receipt.index);
    assert_eq!(first.leaf, given.receipt.leaf);
    assert_eq!(
        (first.agency.as_str(), first.procedure.as_str()),
        ("Z24.TEST", "child-health-insurance-card")
    );
    assert_eq!(first.purpose, "social-insurance");
    let item = |item: &str| first.items.iter().find(|i| i.item == item).unwrap();
    assert!(item("sex").disclosed && item("sex").article.contains("1911"));
    assert!(!item("religion").disclosed, "without a consent");
    // Where nothing was given, no item was.
    assert!(details(&answer.accesses[1]).items.iter().all(|item| !item.disclosed));
    let signed = world.log.verify(&answer.checkpoint).unwrap();
    for access in &answer.accesses {
        verify_access(details(access), &signed).unwrap();
    }
    // What proves one proves no other, nor what was changed.
    let mut forged = first.clone();
    forged.leaf = details(&answer.accesses[1]).leaf.clone();
    verify_access(&forged, &signed).unwrap_err();
    let mut forged = first.clone();
    forged.record_time.as_mut().unwrap().seconds += 1;
    verify_access(&forged, &signed).unwrap_err();

    // To be told is an access, too.
    let again = listed(&portal, &request).await.answer;
    assert_eq!(summary(&again)[0], of("ListAccesses", "portal", AccessEnding::Answered));
    assert_eq!(numbers(&again), [4, 3, 2, 1]);
    assert!(details(&again.accesses[0]).items.iter().all(|item| !item.disclosed), "no value of it");
    world.stop().await;
}

async fn pages_go_on_without_a_gap(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    for _ in 0..7 {
        answered(&world.client("insurance"), &ask(&person, &["sex"])).await;
    }
    let reference = consented(&world, &person).await;
    let portal = world.client("portal");
    let mut request = ListAccessesRequest { page_size: 3, ..accesses(&person, &reference) };
    let mut seen = Vec::new();
    loop {
        let answer = listed(&portal, &request).await.answer;
        seen.extend(numbers(&answer));
        if answer.next_page_token.is_empty() {
            break;
        }
        assert_eq!(answer.accesses.len(), 3);
        request.page_token = answer.next_page_token;
    }
    // A place is of one person, and of one caller; anything else is none.
    let other = world.person(|p| p.is_plain() && p.number() != person.number()).clone();
    let mut consent = to_the_portal(&other);
    consent.idempotency_key = "own-2".to_owned();
    let reference = given(&portal, &consent).await.answer.consent.unwrap().reference;
    let page_token = request.page_token.clone();
    for page_token in [page_token, "00".to_owned()] {
        let request = ListAccessesRequest { page_token, ..accesses(&other, &reference) };
        let unknown = portal.list_accesses(&request).await.unwrap().err().unwrap();
        assert_eq!(why(&unknown), ("InvalidArgument", "UNKNOWN_CURSOR"));
    }
    // Those that listing added meanwhile are newer than the page that was begun with.
    assert_eq!(seen, (1..=8).rev().collect::<Vec<u64>>());
    world.stop().await;
}

async fn an_access_of_an_investigation_is_counted_and_not_shown_until_its_date(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let mut request = ask(&person, &["birth_full_name"]);
    request.basis = Some(basis("investigation-identification"));
    answered(&world.client("police"), &request).await;
    answered(&world.client("insurance"), &ask(&person, &["sex"])).await;
    let portal = world.client("portal");
    let reference = consented(&world, &person).await;
    let answer = listed(&portal, &accesses(&person, &reference)).await.answer;
    assert_eq!((numbers(&answer), answer.counts[0]), (vec![3, 2, 1], 3));
    let sealed = &answer.accesses[2];
    assert_eq!(sealed.told, Some(Told::Untold(AccessUntold::Sealed.into())));
    // Nothing of the answer says who it was.
    let bytes = String::from_utf8_lossy(&answer.encode_to_vec()).into_owned();
    assert!(!bytes.contains("investigation") && bytes.contains("health-insurance"));
    world.hands.step(Duration::days(365));
    let reference = given(
        &portal,
        &RecordConsentRequest {
            end_time: after(Duration::days(365) + Duration::minutes(10)),
            idempotency_key: "own-2".to_owned(),
            ..to_the_portal(&person)
        },
    )
    .await;
    let reference = reference.answer.consent.unwrap().reference;
    let answer = listed(&portal, &accesses(&person, &reference)).await.answer;
    let signed = world.log.verify(&answer.checkpoint).unwrap();
    let opened = details(answer.accesses.last().unwrap());
    assert_eq!(opened.system, "investigation");
    assert_eq!(opened.procedure, "investigation-identification");
    verify_access(opened, &signed).unwrap();
    world.stop().await;
}

/// Where a log can be pruned while it is served.
#[tokio::test]
async fn an_access_that_is_archived_is_told_as_its_number() {
    let world = World::new(Engine::Postgres).await;
    let person = world.plain().clone();
    let first = answered(&world.client("insurance"), &ask(&person, &["sex"])).await;
    answered(&world.client("insurance"), &ask(&person, &["sex"])).await;
    let portal = world.client("portal");
    let reference = consented(&world, &person).await;
    // As `audit prune` sets it, which wants more records than these.
    let order: &'static str = format!(
        "INSERT INTO pruning (minimum, newest_ms, days, document, time_ms) \
         VALUES ({}, 1, 400, '1', 1)",
        first.receipt.index + 1
    )
    .leak();
    behind_its_back(world.audit_database(), audit::migrations(), vec![order].leak()).await;
    let answer = listed(&portal, &accesses(&person, &reference)).await.answer;
    assert_eq!((numbers(&answer), answer.counts[0]), (vec![3, 2, 1], 3));
    let archived = Some(Told::Untold(AccessUntold::Archived.into()));
    assert_eq!(answer.accesses[2].told, archived);
    assert_eq!(details(&answer.accesses[1]).method.rsplit('/').next(), Some("GetPerson"));
    world.stop().await;
}

async fn i2_without_a_consent_nobody_is_told_who_saw_them(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let portal = world.client("portal");
    let none = portal.list_accesses(&accesses(&person, "")).await.unwrap().err().unwrap();
    assert_eq!(why(&none), ("PermissionDenied", "NOTHING_ALLOWED"));
    let unknown = listed(&portal, &accesses(&person, "DY-1")).await.answer;
    assert_eq!(unknown.outcome(), LookupOutcome::NoMatch);
    assert!(unknown.accesses.is_empty() && unknown.counts.is_empty());
    // A consent to something else is none to this.
    let mut other = to_the_portal(&person);
    other.items = vec!["sex".to_owned()];
    let reference = given(&portal, &other).await.answer.consent.unwrap().reference;
    let answer = listed(&portal, &accesses(&person, &reference)).await.answer;
    assert!(answer.accesses.is_empty() && answer.counts.is_empty() && answer.checkpoint.is_empty());
    // Whose agreement does not say so is told nothing, whatever the consent.
    let refused = world.client("insurance").list_accesses(&accesses(&person, &reference)).await;
    assert_eq!(why(&refused.unwrap().err().unwrap()), ("PermissionDenied", "NO_AGREEMENT"));
    world.stop().await;
}

async fn i7_a_protected_person_and_an_absent_one_have_the_same_answer(engine: Engine) {
    let world = World::new(engine).await;
    let portal = world.client("portal");
    let reference = consented(&world, world.plain()).await;
    let protected = world.person(|p| p.0.protected && p.has_whole_date()).clone();
    let mut absent = accesses(&protected, &reference);
    absent.subject = people::by_number(NOBODYS);
    let mut answers = Vec::new();
    for request in [accesses(&protected, &reference), absent] {
        let (records, statements) = (world.records().await, world.statements());
        let told = listed(&portal, &request).await;
        told.verify(&world.log).unwrap();
        let answer = ListAccessesAnswer { decision_id: String::new(), ..told.answer };
        let appended = world.records().await - records;
        answers.push((answer, told.receipt.leaf.len(), world.statements() - statements, appended));
    }
    assert_eq!(answers[0].0.outcome(), LookupOutcome::NoMatch);
    assert_eq!(answers[0], answers[1]);
    world.stop().await;
}

async fn i8_what_stands_under_a_number_that_nobody_bears_is_a_keyed_digest(engine: Engine) {
    let world = World::new(engine).await;
    let insurance = world.client("insurance");
    let mut request = ask(world.plain(), &["sex"]);
    request.subject = people::by_number(NOBODYS);
    let first = answered(&insurance, &request).await;
    let second = answered(&insurance, &request).await;
    assert_eq!(first.answer.outcome(), LookupOutcome::NoMatch);
    let log = Store::open_read_only(world.audit_database(), audit::migrations()).await.unwrap();
    let subjects =
        Sql::same("SELECT subject, number, position FROM subject_entry ORDER BY position");
    let rows = log.read(&subjects, vec![]).await.unwrap();
    log.close().await;
    let rows: Vec<(String, i64, i64)> = rows
        .iter()
        .map(|row| (row.try_get_by(0), row.try_get_by(1), row.try_get_by(2)))
        .map(|(a, b, c)| (a.unwrap(), b.unwrap(), c.unwrap()))
        .collect();
    let of = |index: u64| {
        let at = |row: &&(String, i64, i64)| row.2.unsigned_abs() == index;
        rows.iter().find(at).unwrap().clone()
    };
    let (one, two) = (of(first.receipt.index), of(second.receipt.index));
    assert_eq!((&one.0, one.1 + 1), (&two.0, two.1));
    assert!(one.0.starts_with("m:") && one.0.len() == 66);
    let guessed = hex::encode(tlog::digest(NOBODYS.as_bytes()));
    assert!(!one.0.contains(NOBODYS) && !one.0.contains(&guessed));
    world.stop().await;
}

async fn bad_requests_name_every_fault(engine: Engine) {
    let world = World::new(engine).await;
    let portal = world.client("portal");
    let request = ListAccessesRequest { page_size: 101, ..ListAccessesRequest::default() };
    let refused = portal.list_accesses(&request).await.unwrap().err().unwrap();
    assert_eq!(why(&refused), ("InvalidArgument", "INVALID_REQUEST"));
    let fields: Vec<&str> = refused.fields.iter().map(|(field, ..)| field.as_str()).collect();
    for field in ["subject", "basis", "request_id", "page_size"] {
        assert!(fields.contains(&field), "{field} of {fields:?}");
    }
    world.stop().await;
}
