//! Decisions that are kept: asked for once, dropped when policy tells of a revision that touches them, and not used while it says
//! nothing.

use std::time::Instant;

use contract::identity::v1::{GetPersonRequest, LookupStreamOpening, LookupStreamQuery};
use lienthong::client::Client;
use server::runtime::Clock;
use store::Engine;
use tests::{Options, World, ask, basis, behind_its_back, on_both_engines, people, world::NOW};
use time::Duration;

use crate::{answered, refused, why};

on_both_engines!(
    i2_a_connection_that_is_revoked_is_refused_as_soon_as_policy_tells,
    i2_a_change_of_one_agreement_drops_the_decisions_of_its_connection_only,
    i2_a_thousand_persons_on_one_stream_take_one_decision,
    i9_while_policy_is_silent_nothing_is_given_and_then_it_goes_on,
    i9_a_database_of_policy_that_was_set_back_is_refused,
    i9_a_decision_that_policy_did_not_sign_is_none,
    i9_a_clock_that_was_set_back_revives_nothing,
    i9_a_decision_that_ended_is_none,
);

const ACTIVE: &str =
    "system = \"health-insurance\"\ndatabase = \"social-insurance\"\nstate = \"ACTIVE\"";
/// What is tried again because a busy machine may keep a sign of policy for longer than kept decisions are used.
const TRIES: usize = 20;

fn request(world: &World) -> GetPersonRequest {
    ask(world.plain(), &["sex"])
}

/// The id of the decision under which a lookup is answered.
async fn decision(client: &Client, request: &GetPersonRequest) -> String {
    answered(client, request).await.answer.decision_id
}

async fn i2_a_connection_that_is_revoked_is_refused_as_soon_as_policy_tells(engine: Engine) {
    let mut world = World::new(engine).await;
    world.told().await;
    let (client, request) = (world.client("insurance"), request(&world));
    for state in ["SUSPENDED", "REVOKED"] {
        for _ in 0..3 {
            answered(&client, &request).await;
        }
        let ended = ACTIVE.replace("ACTIVE", state);
        world.revise(ACTIVE, &ended).await;
        let records = world.records().await;
        for _ in 0..3 {
            let refused = refused(&client, &request).await;
            assert_eq!(why(&refused), ("PermissionDenied", "CONNECTION_NOT_ACTIVE"));
        }
        assert_eq!(world.records().await, records + 3);
        // Nobody keeps a denial: it is over as soon as policy is asked.
        world.revise(&ended, ACTIVE).await;
        answered(&client, &request).await;
    }
    world.stop().await;
}

async fn i2_a_change_of_one_agreement_drops_the_decisions_of_its_connection_only(engine: Engine) {
    let mut world = World::new(engine).await;
    world.told().await;
    let request = request(&world);
    let basis = Some(basis("investigation-identification"));
    let of_police = &GetPersonRequest { basis, ..request.clone() };
    let (insurance, police) = (world.client("insurance"), world.client("police"));
    let ends = ["2099-01-01", "2098-01-01"];
    let agreement = |ends: &str| {
        format!(
            "id = \"agr-insurance\"\nconnection = \"conn-insurance\"\nvalid_from = \"2026-01-01\"\nvalid_to = \"{ends}\""
        )
    };
    let mut kept = false;
    for turn in 0..TRIES {
        let before = decision(&police, of_police).await;
        let of_insurance = decision(&insurance, &request).await;
        world.revise(&agreement(ends[turn % 2]), &agreement(ends[(turn + 1) % 2])).await;
        assert_ne!(decision(&insurance, &request).await, of_insurance, "it was dropped");
        kept = decision(&police, of_police).await == before;
        if kept {
            break;
        }
    }
    assert!(kept, "others were dropped, too, each of {TRIES} times");
    // What is kept is asked for by nobody.
    let mut asked = u64::MAX;
    for _ in 0..TRIES {
        decision(&police, of_police).await;
        let before = world.policy().decisions();
        for _ in 0..20 {
            decision(&police, of_police).await;
        }
        asked = asked.min(world.policy().decisions() - before);
    }
    assert_eq!(asked, 0);
    world.stop().await;
}

/// Whoever answers in the place of policy, with whatever certificate, decides nothing without its key; which is changed without
/// a call being refused.
async fn i9_a_decision_that_policy_did_not_sign_is_none(engine: Engine) {
    let mut world = World::new(engine).await;
    // Each time another item, because what is kept needs no answer.
    let told = async |world: &World, item: &str| {
        world.told().await;
        let request = ask(world.plain(), &[item]);
        world.client("insurance").get_person(&request).await.unwrap().map(|_| ())
    };
    assert!(told(&world, "sex").await.is_ok());
    world.sign_decisions(1).await;
    let refused = told(&world, "ethnic_group").await.unwrap_err();
    assert_eq!(why(&refused), ("Unavailable", "POLICY_UNAVAILABLE"));
    assert!(told(&world, "sex").await.is_ok(), "what was signed is kept");
    world.sign_decisions(0).await;
    for (believed, signs) in [(&[0, 1][..], 0), (&[0, 1], 1), (&[1], 1)] {
        world.believe_decisions(believed).await;
        world.sign_decisions(signs).await;
        assert!(told(&world, "sex").await.is_ok(), "{believed:?} {signs}");
    }
    world.sign_decisions(0).await;
    let refused = told(&world, "birth_full_name").await.unwrap_err();
    assert_eq!(why(&refused), ("Unavailable", "POLICY_UNAVAILABLE"));
    // Whoever knows no key at all does not start.
    world.stop_identity().await;
    for keys in ["", "# none yet\n", "policy"] {
        let error = world.refuses_keys(keys).await;
        assert!(matches!(error, identity::Error::PolicyKeys(_)), "{error}");
    }
    world.believe_decisions(&[0]).await;
    world.stop().await;
}

/// What policy signed earlier opens nothing when it is brought again: it has ended.
async fn i9_a_decision_that_ended_is_none(engine: Engine) {
    let mut world = World::new(engine).await;
    for (behind, item, given) in [(60, "sex", true), (121, "birth_full_name", false)] {
        world.set_policy_clock(Clock::fixed(NOW - Duration::seconds(behind))).await;
        world.told().await;
        let request = ask(world.plain(), &[item]);
        let told = world.client("insurance").get_person(&request).await.unwrap();
        match told {
            Ok(_) => assert!(given, "{behind}"),
            Err(refused) => {
                assert_eq!(why(&refused), ("Unavailable", "POLICY_UNAVAILABLE"));
                assert!(!given, "{behind}");
            }
        }
    }
    world.stop().await;
}

/// An agreement that ended by its day is not in force again because somebody set the clock back, nor is anything else decided then.
async fn i9_a_clock_that_was_set_back_revives_nothing(engine: Engine) {
    const ENDS: &str = "id = \"agr-insurance\"\nconnection = \"conn-insurance\"\nvalid_from = \"2026-01-01\"\nvalid_to = ";
    let mut world = World::new(engine).await;
    let tomorrow = (NOW.date() + Duration::DAY).to_string();
    world.revise(&format!("{ENDS}\"2099-01-01\""), &format!("{ENDS}\"{tomorrow}\"")).await;
    let asked = async |world: &World, item: &str| {
        world.told().await;
        let request = ask(world.plain(), &[item]);
        let told = world.client("insurance").get_person(&request).await.unwrap();
        told.map(|_| ()).map_err(|refused| why(&refused).1.to_owned())
    };
    assert_eq!(asked(&world, "sex").await, Ok(()));
    world.hands.step(Duration::days(2));
    assert_eq!(asked(&world, "sex").await, Err("NO_AGREEMENT".to_owned()));
    world.hands.step(Duration::days(-2));
    let away = Err("POLICY_UNAVAILABLE".to_owned());
    assert_eq!(asked(&world, "ethnic_group").await, away);
    // Nor by a process that never saw the later day.
    world.stop_policy().await;
    world.start_policy().await;
    assert_eq!(asked(&world, "birth_full_name").await, away);
    world.hands.step(Duration::days(2));
    assert_eq!(asked(&world, "sex").await, Err("NO_AGREEMENT".to_owned()));
    world.stop().await;
}

async fn i2_a_thousand_persons_on_one_stream_take_one_decision(engine: Engine) {
    const ASKED: u64 = 1_000;
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let plain: Vec<_> = world.people().iter().filter(|person| person.is_plain()).collect();
    let mut asked = Vec::new();
    // Each time for other items, so that none is kept from before.
    for items in
        [&["sex"][..], &["sex", "ethnic_group"], &["birth_full_name"], &["ethnic_group", "sex"]]
    {
        world.told().await;
        let before = world.policy().decisions();
        let opening = LookupStreamOpening {
            items: items.iter().map(|&item| item.to_owned()).collect(),
            basis: Some(basis("child-health-insurance-card")),
            request_id: "bulk-1".to_owned(),
            as_of: None,
        };
        let opened = client.lookup_stream(opening).await.unwrap();
        let (asking, mut answers) = opened.unwrap_or_else(|refused| panic!("{refused}"));
        let queries = (1..=ASKED).zip(plain.iter().cycle()).map(|(id, person)| LookupStreamQuery {
            correlation_id: id,
            subject: people::by_number(person.number()),
            claims: Some(person.claims()),
            min_version: 0,
        });
        let queries: Vec<_> = queries.collect();
        let ask = async move {
            for query in queries {
                asking.ask(query).await.unwrap();
            }
        };
        let read = async {
            let mut came = 0;
            while let Some(told) = answers.next().await.unwrap().unwrap_or_else(|e| panic!("{e}")) {
                // What is withheld from everybody is refused query by query; what is asked for here is not.
                came += u64::from(told.answer.is_ok());
            }
            came
        };
        let ((), came) = tokio::join!(ask, read);
        assert_eq!(came, ASKED);
        asked.push(world.policy().decisions() - before);
        if asked.last() == Some(&1) {
            break;
        }
    }
    assert!(asked.contains(&1), "decisions for {ASKED} persons, each time: {asked:?}");
    world.stop().await;
}

/// Policy neither answers nor says anything: what is kept is used for less than a second, then there is no decision, and no denial
/// either.
async fn i9_while_policy_is_silent_nothing_is_given_and_then_it_goes_on(engine: Engine) {
    let mut world = World::new(engine).await;
    world.told().await;
    let (client, request) = (world.client("insurance"), request(&world));
    answered(&client, &request).await;
    world.to_policy.stall();
    // What is not kept is asked for, on every connection there is to policy: each holds back what comes, too, from then on.
    let each = ["birth_full_name", "date_of_birth", "sex", "death_or_missing_date"];
    let wanted: Vec<_> =
        (0..4).flat_map(|n| [vec![each[n]], vec![each[n], each[(n + 1) % 4]]]).collect();
    let asked = wanted.iter().filter(|items| **items != ["sex"]);
    let asked = asked.map(|items| ask(world.plain(), items)).collect::<Vec<_>>();
    let asked = futures::future::join_all(asked.iter().map(|request| refused(&client, request)));
    for refused in asked.await {
        assert_eq!(why(&refused), ("Unavailable", "POLICY_UNAVAILABLE"));
    }
    let silent = loop {
        if let Err(refused) = client.get_person(&request).await.unwrap() {
            break refused;
        }
    };
    assert_eq!(why(&silent), ("Unavailable", "POLICY_UNAVAILABLE"));
    let records = world.records().await;
    let again = refused(&client, &request).await;
    assert_eq!(why(&again), ("Unavailable", "POLICY_UNAVAILABLE"));
    assert_eq!(world.records().await, records);
    world.open_policy_road();
    loop {
        match client.get_person(&request).await.unwrap() {
            Ok(_) => break,
            Err(refused) => assert_eq!(refused.reason, "POLICY_UNAVAILABLE"),
        }
    }
    world.told().await;
    world.stop().await;
}

async fn i9_a_database_of_policy_that_was_set_back_is_refused(engine: Engine) {
    let mut world = World::new(engine).await;
    world.told().await;
    let (client, request) = (world.client("insurance"), request(&world));
    world.revise(ACTIVE, &ACTIVE.replace("ACTIVE", "SUSPENDED")).await;
    world.revise(&ACTIVE.replace("ACTIVE", "SUSPENDED"), ACTIVE).await;
    answered(&client, &request).await;
    let newest = world.policy().revision_number().await.unwrap();
    assert_eq!(newest, 3);
    world.stop_policy().await;
    let url = world.policy_database().to_owned();
    assert_eq!(behind_its_back(&url, policy::migrations(), BACK).await, [1, 2, 2]);
    world.start_policy().await;
    // The way to policy may have to be found again; what it says then is not used, however often it says so.
    let before = world.policy().decisions();
    let records = world.records().await;
    while world.policy().decisions() < before + 5 {
        let refused = refused(&client, &request).await;
        assert_eq!(why(&refused), ("Unavailable", "POLICY_UNAVAILABLE"));
    }
    assert_eq!(world.records().await, records);
    // When it is again what it was, it goes on.
    world.stop_policy().await;
    behind_its_back(&url, policy::migrations(), FORWARD).await;
    world.start_policy().await;
    loop {
        match client.get_person(&request).await.unwrap() {
            Ok(_) => break,
            Err(refused) => assert_eq!(refused.reason, "POLICY_UNAVAILABLE"),
        }
    }
    world.stop().await;
}

/// As in a database that was restored from before the last two revisions.
const BACK: &[&str] = &[
    "UPDATE registry_revision SET number = 1",
    "DELETE FROM revision_connection WHERE number > 1",
    "DELETE FROM revision WHERE number > 1",
];
/// As they were. `registry_revision` kept its digest, which is that of the first and the third, whose registry is the same.
const FORWARD: &[&str] = &[
    "UPDATE registry_revision SET number = 3",
    "INSERT INTO revision (number, digest, everything) SELECT 2, 'of the suspended', FALSE FROM registry_revision",
    "INSERT INTO revision (number, digest, everything) SELECT 3, digest, FALSE FROM registry_revision",
];

/// Figures, and no claims: how long after a suspension the first lookup is refused, and what keeping decisions is worth.
/// `LIENTHONG_TEST_SCALE=full cargo test --workspace --test it -- --nocapture figures_of_kept_decisions`, with the machine for itself;
/// otherwise a few of each.
async fn figures(engine: Engine) {
    let full = std::env::var("LIENTHONG_TEST_SCALE").is_ok_and(|scale| scale == "full");
    let (tries, lookups) = if full { (20, 2_000) } else { (2, 50) };
    let mut world = World::with(engine, Options::default()).await;
    world.told().await;
    let (client, request) = (world.client("insurance"), request(&world));
    let ended = ACTIVE.replace("ACTIVE", "SUSPENDED");
    let mut took = Vec::new();
    for _ in 0..tries {
        answered(&client, &request).await;
        world.change(ACTIVE, &ended).await;
        let began = Instant::now();
        while client.get_person(&request).await.unwrap().is_ok() {}
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
        world.change(&ended, ACTIVE).await;
        while client.get_person(&request).await.unwrap().is_err() {}
    }
    took.sort_by(f64::total_cmp);
    println!(
        "{engine:?}: first refusal after a suspension, of {tries}: median {:.1} ms, longest {:.1} ms",
        took[tries / 2],
        took[tries - 1]
    );
    let mut rates = Vec::new();
    for kept in [true, false] {
        if !kept {
            world.keep_nothing();
        }
        let before = world.policy().decisions();
        let began = Instant::now();
        let calls = (0..lookups).map(|_| client.get_person(&request));
        let calls = futures::StreamExt::buffer_unordered(futures::stream::iter(calls), 16);
        let answers: Vec<_> = futures::StreamExt::collect(calls).await;
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(Result::is_ok)));
        let rate = lookups as f64 / began.elapsed().as_secs_f64();
        let one = {
            let began = Instant::now();
            for _ in 0..lookups / 10 {
                answered(&client, &request).await;
            }
            began.elapsed().as_secs_f64() * 10_000.0 / lookups as f64
        };
        rates.push((rate, one, world.policy().decisions() - before));
    }
    for ((rate, one, asked), how) in rates.iter().zip(["kept", "asked for"]) {
        println!(
            "{engine:?}: decisions {how}: {rate:.0} lookups/s at 16 at once, one alone {one:.2} ms, {asked} asked for"
        );
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_kept_decisions_on_sqlite() {
    figures(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_kept_decisions_on_postgres() {
    figures(Engine::Postgres).await;
}
