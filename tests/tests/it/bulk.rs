//! A stream of lookups: many persons, one decision, a record and a receipt for each; what goes wrong with one query is
//! no other one's business.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use contract::identity::v1::{
    GetPersonAnswer, GetPersonRequest, LookupOutcome, LookupStreamOpening, LookupStreamQuery,
    LookupStreamRequest,
};
use futures::{StreamExt as _, stream};
use lienthong::client::{Answered, Answers, Client, LOOKUP_STREAM, Queries, Refused, Told};
use prost::Message as _;
use store::Engine;
use tests::{Options, Person, World, ask, basis, on_both_engines, people};

use crate::{answered, why};

mod ends;
mod faulty;

on_both_engines!(
    i1_a_thousand_persons_on_one_stream_have_a_receipt_each,
    i1_a_receipt_proves_the_opening_and_the_query,
    an_answer_is_that_of_a_single_call,
    i7_hidden_looks_absent_on_a_stream,
    the_budget_ends_in_the_middle_of_a_stream,
    i2_a_connection_that_is_suspended_is_refused_on_a_stream_that_is_open,
    i2_what_the_stream_may_not_have_is_refused_query_by_query,
    i11_a_reader_that_stalls_holds_back_nobody_else,
    i11_a_caller_has_eight_streams_at_once_and_no_more,
    each_query_answered_with_somebody_is_one_of_the_volume,
);

const ITEMS: [&str; 3] = ["birth_full_name", "sex", "ethnic_group"];

type Answer = Result<Answered<GetPersonAnswer>, Refused>;

fn opening() -> LookupStreamOpening {
    LookupStreamOpening {
        items: ITEMS.iter().map(|item| (*item).to_owned()).collect(),
        basis: Some(basis("child-health-insurance-card")),
        request_id: "bulk-1".to_owned(),
        as_of: None,
    }
}

fn query(correlation_id: u64, person: &Person) -> LookupStreamQuery {
    let subject = people::by_number(person.number());
    LookupStreamQuery { correlation_id, subject, claims: Some(person.claims()), min_version: 0 }
}

/// Of nobody.
fn guess(correlation_id: u64, world: &World) -> LookupStreamQuery {
    let subject = people::by_number("999300999999");
    LookupStreamQuery { subject, ..query(correlation_id, world.plain()) }
}

/// So many queries about persons whom everybody may learn of, each person in turn.
fn many(world: &World, count: u64) -> Vec<LookupStreamQuery> {
    let plain: Vec<&Person> = world.people().iter().filter(|p| p.is_plain()).collect();
    (1..=count).zip(plain.into_iter().cycle()).map(|(id, person)| query(id, person)).collect()
}

async fn open(client: &Client, opening: LookupStreamOpening) -> (Queries, Answers) {
    client.lookup_stream(opening).await.unwrap().unwrap_or_else(|refused| panic!("{refused}"))
}

/// The next answer of a stream that has one.
async fn next(answers: &mut Answers) -> Told {
    answers.next().await.unwrap().unwrap_or_else(|ended| panic!("{ended}")).expect("an answer")
}

/// Asks all of it and reads meanwhile; what came of each, and how the stream ended.
async fn all(
    (asking, mut answers): (Queries, Answers),
    queries: Vec<LookupStreamQuery>,
) -> (BTreeMap<u64, Answer>, Option<Refused>) {
    let ask = async move {
        for query in queries {
            // A stream that ends early says so on its other side.
            if asking.ask(query).await.is_err() {
                return;
            }
        }
    };
    let read = async {
        let mut came = BTreeMap::new();
        loop {
            match answers.next().await.unwrap() {
                Ok(None) => return (came, None),
                Err(ended) => return (came, Some(ended)),
                Ok(Some(Told { correlation_id, answer })) => {
                    assert!(came.insert(correlation_id, answer).is_none(), "one answer each");
                }
            }
        }
    };
    let ((), read) = tokio::join!(ask, read);
    read
}

fn of_a_match(answer: Answer) -> Answered<GetPersonAnswer> {
    let answered = answer.unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(answered.answer.outcome(), LookupOutcome::Match);
    answered
}

async fn i1_a_thousand_persons_on_one_stream_have_a_receipt_each(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let before = world.records().await;
    let (asking, mut answers) = open(&client, opening()).await;
    let mut queries = many(&world, 1_000);
    asking.ask(queries.remove(0)).await.unwrap();
    let first = of_a_match(next(&mut answers).await.answer);
    let (came, ended) = all((asking, answers), queries).await;
    assert_eq!(ended, None);
    assert_eq!(came.len(), 999);
    let numbers: HashMap<u64, String> = many(&world, 1_000)
        .into_iter()
        .map(|query| (query.correlation_id, name_of(&query)))
        .collect();
    let mut indices = vec![first.receipt.index];
    for (id, answer) in came {
        let answered = of_a_match(answer);
        answered.verify(&world.log).unwrap();
        assert_eq!(name_in(&answered.answer), numbers[&id], "the answer to another query");
        indices.push(answered.receipt.index);
    }
    indices.sort_unstable();
    assert!(indices.into_iter().eq(before..before + 1_000), "one record each");
    assert_eq!(world.records().await, before + 1_000);
    world.stop().await;
}

fn name_of(query: &LookupStreamQuery) -> String {
    query.claims.as_ref().unwrap().full_name.clone()
}

/// The full name in an answer.
fn name_in(answer: &GetPersonAnswer) -> String {
    use contract::r#type::v1::{item_outcome::Outcome, item_value::Value};
    let Some(Outcome::Value(held)) = &answer.items[0].outcome else { panic!("no name") };
    let Some(Value::Name(name)) = &held.values[0].value.as_ref().unwrap().value else {
        panic!("not a name")
    };
    name.full_name.clone()
}

/// Read as one message, what a receipt proves has both parts, and no byte of either can be changed.
async fn i1_a_receipt_proves_the_opening_and_the_query(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let asked = query(7, world.plain());
    let (came, ended) = all(open(&client, opening()).await, vec![asked.clone()]).await;
    assert_eq!(ended, None);
    let mut whole = of_a_match(came.into_values().next().unwrap());
    let verified = whole.verify(&world.log).unwrap();
    assert_eq!(verified.method, LOOKUP_STREAM);
    assert_eq!(verified.caller, "spiffe://lienthong.test/agency/Z24.TEST/system/health-insurance");
    let read = LookupStreamRequest::decode(whole.request.as_slice()).unwrap();
    assert_eq!(read, LookupStreamRequest { opening: Some(opening()), query: Some(asked) });
    for at in 0..whole.request.len() {
        whole.request[at] ^= 1;
        assert!(whole.verify(&world.log).is_err(), "byte {at}");
        whole.request[at] ^= 1;
    }
    whole.verify(&world.log).unwrap();
    world.stop().await;
}

/// Apart from its ids, what a stream answers is what a single call does.
async fn an_answer_is_that_of_a_single_call(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let single = answered(&client, &ask(world.plain(), &ITEMS)).await.answer;
    let (came, _) = all(open(&client, opening()).await, vec![query(1, world.plain())]).await;
    let streamed = of_a_match(came.into_values().next().unwrap()).answer;
    assert_eq!(streamed.request_id, "bulk-1");
    let ids = |answer: &GetPersonAnswer| (answer.decision_id.clone(), answer.request_id.clone());
    let (decision_id, request_id) = ids(&single);
    assert_eq!(GetPersonAnswer { decision_id, request_id, ..streamed }, single);
    world.stop().await;
}

/// One stream has one decision, so the answers can be compared byte by byte.
async fn i7_hidden_looks_absent_on_a_stream(engine: Engine) {
    let world = World::with(engine, Options { misses_max: 3, ..Options::default() }).await;
    let client = world.client("insurance");
    let protected = world.person(|p| p.0.protected && p.has_whole_date());
    let hidden = query(1, protected);
    let absent = LookupStreamQuery { correlation_id: 2, ..guess(2, &world) };
    let absent = LookupStreamQuery { claims: hidden.claims.clone(), ..absent };
    let claimed = LookupStreamQuery {
        correlation_id: 3,
        subject: people::by_number(world.plain().number()),
        ..hidden.clone()
    };
    let (asking, mut answers) = open(&client, opening()).await;
    // The decision is made before anything is counted.
    asking.ask(query(9, world.plain())).await.unwrap();
    of_a_match(next(&mut answers).await.answer);
    let mut seen = Vec::new();
    for query in [hidden, absent, claimed] {
        let (statements, records) = (world.statements(), world.records().await);
        asking.ask(query).await.unwrap();
        let answered = next(&mut answers).await.answer.unwrap();
        answered.verify(&world.log).unwrap();
        assert_eq!(answered.answer.outcome(), LookupOutcome::NoMatch);
        assert_eq!(world.records().await, records + 1);
        let lengths = [answered.receipt.leaf.len(), answered.receipt.opening.len()];
        seen.push((answered.answer_bytes, lengths, world.statements() - statements));
    }
    assert!(
        seen.iter().all(|one| *one == seen[0]),
        "{:?}",
        seen.iter().map(|s| s.2).collect::<Vec<_>>()
    );
    // Each was charged as a miss: the budget is spent.
    asking.ask(query(4, world.plain())).await.unwrap();
    let refused = next(&mut answers).await.answer.err().expect("the budget is spent");
    assert_eq!(why(&refused), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"));
    world.stop().await;
}

async fn the_budget_ends_in_the_middle_of_a_stream(engine: Engine) {
    const MISSES_MAX: u32 = 5;
    let world = World::with(engine, Options { misses_max: MISSES_MAX, ..Options::default() }).await;
    let client = world.client("insurance");
    let queries = (1..=200).map(|id| guess(id, &world)).collect();
    let (came, ended) = all(open(&client, opening()).await, queries).await;
    assert_eq!(ended, None);
    assert_eq!(came.len(), 200);
    let mut missed = 0;
    for answer in came.into_values() {
        match answer {
            Ok(answered) => {
                assert_eq!(answered.answer.outcome(), LookupOutcome::NoMatch);
                missed += 1;
            }
            Err(refused) => {
                assert_eq!(why(&refused), ("ResourceExhausted", "GUESSING_BUDGET_SPENT"));
                assert!(refused.get("record_index").is_some(), "it is recorded");
            }
        }
    }
    assert_eq!(missed, MISSES_MAX);
    assert_eq!(world.records().await, 200);
    // A single call of the same connection finds the same budget spent.
    let request = ask(world.plain(), &ITEMS);
    let refused = client.get_person(&request).await.unwrap().err().expect("it is spent");
    assert_eq!(refused.reason, "GUESSING_BUDGET_SPENT");
    world.stop().await;
}

/// What is asked after policy told of the suspension is refused, and recorded.
async fn i2_a_connection_that_is_suspended_is_refused_on_a_stream_that_is_open(engine: Engine) {
    let mut world = World::new(engine).await;
    let client = world.client("insurance");
    let person = world.plain().clone();
    let (asking, mut answers) = open(&client, opening()).await;
    asking.ask(query(1, &person)).await.unwrap();
    of_a_match(next(&mut answers).await.answer);
    let active =
        "system = \"health-insurance\"\ndatabase = \"social-insurance\"\nstate = \"ACTIVE\"";
    world.revise(active, &active.replace("ACTIVE", "SUSPENDED")).await;
    asking.ask(query(3, &person)).await.unwrap();
    let refused = next(&mut answers).await.answer.err().expect("nothing is given any more");
    assert_eq!(why(&refused), ("PermissionDenied", "CONNECTION_NOT_ACTIVE"));
    let records = world.records().await;
    assert_eq!(refused.get("record_index"), Some((records - 1).to_string().as_str()));
    // Each that follows is refused and recorded by itself; the stream goes on.
    let queries = (4..24).map(|id| query(id, &person)).collect();
    let (came, ended) = all((asking, answers), queries).await;
    assert_eq!((came.len(), ended), (20, None));
    for answer in came.into_values() {
        assert_eq!(answer.err().expect("refused").reason, "CONNECTION_NOT_ACTIVE");
    }
    assert_eq!(world.records().await, records + 20);
    world.stop().await;
}

/// As a single call would be refused, so is each query: by whoever asks, for what, and on which ground.
async fn i2_what_the_stream_may_not_have_is_refused_query_by_query(engine: Engine) {
    let world = World::new(engine).await;
    type Change = fn(&mut LookupStreamOpening);
    let changes: [(&str, Change, &str); 5] = [
        ("suspended", |_| (), "CONNECTION_NOT_ACTIVE"),
        ("stranger", |_| (), "CONNECTION_NOT_ACTIVE"),
        ("insurance", |o| o.basis = Some(basis("birth-registration")), "NO_AGREEMENT"),
        ("insurance", |o| o.items = vec!["ethnic_group".into()], "NOTHING_ALLOWED"),
        // Another moment is an action of its own, which the agreement does not grant.
        (
            "insurance",
            |o| {
                let known_time = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
                o.as_of = Some(contract::identity::v1::AsOf { known_time, valid_date: None });
            },
            "NO_AGREEMENT",
        ),
    ];
    for (caller, change, reason) in changes {
        let mut opening = opening();
        change(&mut opening);
        let before = world.records().await;
        let queries = many(&world, 3);
        let (came, ended) = all(open(&world.client(caller), opening).await, queries).await;
        assert_eq!((came.len(), ended), (3, None), "{reason}");
        for answer in came.into_values() {
            let refused = answer.err().expect("it is refused");
            assert_eq!(why(&refused), ("PermissionDenied", reason));
        }
        assert_eq!(world.records().await, before + 3, "{reason}");
    }
    world.stop().await;
}

/// A caller that asks and does not read is read no further, and what waits for it is no more than a stream may have under
/// way; another stream of the same caller goes its way meanwhile. When it reads, nothing is missing.
async fn i11_a_reader_that_stalls_holds_back_nobody_else(engine: Engine) {
    const ASKED: u64 = 1_000;
    // What the client's own window of 2 MiB takes of answers of 5 KB each, what the transport holds, and the 64 behind it.
    const STALLED_MAX: u64 = 800;
    let world = World::new(engine).await;
    let mut wide = opening();
    wide.items.extend((0..60).map(|n| format!("{n:02}_{}", "x".repeat(60))));
    let (asking, mut answers) = open(&world.client("insurance"), wide).await;
    let queries = many(&world, ASKED);
    let asked = tokio::spawn(async move {
        for query in queries {
            asking.ask(query).await.unwrap();
        }
    });
    let healthy = world.client("insurance");
    for _ in 0..4 {
        let (came, ended) = all(open(&healthy, opening()).await, many(&world, 100)).await;
        assert_eq!((came.len(), ended), (100, None));
        came.into_values().for_each(|answer| drop(of_a_match(answer)));
    }
    // It comes to a stand: then the log grows by what others ask, and by nothing else.
    let mut others = 400;
    let stalled = loop {
        let before = world.records().await;
        for _ in 0..20 {
            answered(&healthy, &ask(world.plain(), &ITEMS)).await;
        }
        others += 20;
        if world.records().await == before + 20 {
            break before + 20 - others;
        }
    };
    assert!(stalled < STALLED_MAX, "{stalled} were answered to nobody");
    for _ in 0..ASKED {
        of_a_match(next(&mut answers).await.answer);
    }
    asked.await.unwrap();
    assert!(answers.next().await.unwrap().unwrap().is_none());
    assert_eq!(world.records().await, others + ASKED);
    println!("{stalled} of {ASKED} were answered while nobody read");
    world.stop().await;
}

async fn i11_a_caller_has_eight_streams_at_once_and_no_more(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let mut streams = Vec::new();
    for query in many(&world, 8) {
        let (asking, mut answers) = open(&client, opening()).await;
        asking.ask(query).await.unwrap();
        of_a_match(next(&mut answers).await.answer);
        streams.push((asking, answers));
    }
    let (_ninth, mut answers) = open(&client, opening()).await;
    let refused = answers.next().await.unwrap().err().expect("it is one too many");
    assert_eq!(why(&refused), ("Unavailable", "OVERLOADED"));
    // When one has ended there is room, and another caller has its own.
    let (asking, mut answers) = streams.pop().unwrap();
    drop(asking);
    assert!(answers.next().await.unwrap().unwrap().is_none());
    let (came, ended) = all(open(&client, opening()).await, many(&world, 1)).await;
    assert_eq!((came.len(), ended), (1, None));
    drop(streams);
    world.stop().await;
}

/// A figure, and no claim: how long calls take on one connection, one after the other and 64 at once, against one stream of
/// as many. A thousand of them in full, which on a busy machine takes longer than other tests may.
async fn a_stream_against_calls(engine: Engine) {
    let full = std::env::var("LIENTHONG_TEST_SCALE").is_ok_and(|scale| scale == "full");
    let count = if full { 1_000 } else { 100 };
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let plain: Vec<&Person> = world.people().iter().filter(|p| p.is_plain()).collect();
    let requests: Vec<GetPersonRequest> =
        plain.iter().cycle().take(count).map(|person| ask(person, &ITEMS)).collect();
    let mut took = Vec::new();
    for at_once in [1, 64] {
        let began = Instant::now();
        let calls = stream::iter(&requests).map(|request| client.get_person(request));
        let calls: Vec<_> = calls.buffer_unordered(at_once).collect().await;
        calls.into_iter().for_each(|answer| drop(of_a_match(answer.unwrap())));
        took.push(began.elapsed().as_secs_f64());
    }
    let began = Instant::now();
    let (came, _) = all(open(&client, opening()).await, many(&world, count as u64)).await;
    assert_eq!(came.len(), count);
    let streamed = began.elapsed().as_secs_f64();
    println!(
        "{engine:?}: {count} calls one by one {:.2} s, 64 at once {:.2} s, one stream {streamed:.2} s: {:.1} and {:.1} times",
        took[0],
        took[1],
        took[0] / streamed,
        took[1] / streamed,
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figure_of_a_stream_against_calls_on_sqlite() {
    a_stream_against_calls(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figure_of_a_stream_against_calls_on_postgres() {
    a_stream_against_calls(Engine::Postgres).await;
}

/// On a stream as by single calls: who is there counts, a guess does not, and when nobody is left each query is refused by itself.
async fn each_query_answered_with_somebody_is_one_of_the_volume(engine: Engine) {
    let mut world = World::new(engine).await;
    world.limit(30).await;
    let client = world.client("insurance");
    let before = world.records().await;
    let guesses = (1..=40).map(|id| guess(id, &world)).collect();
    let (came, ended) = all(open(&client, opening()).await, guesses).await;
    assert_eq!((came.len(), ended), (40, None));
    assert!(came.into_values().all(|answer| answer.is_ok()));
    let (came, ended) = all(open(&client, opening()).await, many(&world, 50)).await;
    assert_eq!((came.len(), ended), (50, None));
    assert_eq!(world.records().await, before + 90);
    let mut told = 0;
    for answer in came.into_values() {
        match answer {
            Ok(answered) => told += u32::from(answered.answer.outcome() == LookupOutcome::Match),
            Err(refused) => assert_eq!(why(&refused), ("PermissionDenied", "VOLUME_USED_UP")),
        }
    }
    assert_eq!((told, world.leased("obtain").await), (30, 30));
    world.stop().await;
}
