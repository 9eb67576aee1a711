//! The register against an oracle: contributions, corrections, deaths, marriages of two persons, merges and splits of records,
//! what ends, annulments, repetitions, stale versions and a change of the rules of authority, in an order that a seed gives,
//! and after each what the register says held against what the oracle works out: now, and for moments and days that are past
//! (I4, I5, I6).
//!
//! What would fail it: a value, a reason, an outranked item, or an answer to the same bytes that is another than the
//! oracle's. What it does not try: several writers at once (`follow`, `kill`), relations but to spouses, protected persons.
//!
//! A round is one register with its own rules and `PERSONS` persons, each of whom is a case. The seeds are printed;
//! `LIENTHONG_TEST_SEED=n` begins with that one.

mod annulled;
mod couple;
mod drawn;
mod killed;
mod merge;
mod oracle;
mod wish;

use std::time::Duration;

use contract::{
    contribution::v1::{ContributionReceipt, SubmitContributionRequest},
    identity::v1::{AsOf, GetPersonRequest, LookupOutcome},
    r#type::v1::{AccessBasis, Claims, SubjectRef},
};
use drawn::{day, loaded, newcomer, order, told, written};
use lienthong::client::{Answered, Client, Refused};
use merge::Merge;
use model::{PersonalNumber, Sex};
use oracle::{Annulled, Day, Order, Person, Said};
use prost::Message as _;
use prost_types::Timestamp;
use rand::{Rng as _, SeedableRng, rngs::StdRng};
use store::Engine;
use tests::{
    events::{about, date, ground},
    whole::{LOADED_US, Prepared, Whole},
};

/// Persons of a round.
const PERSONS: usize = 30;
/// Steps of a round, and of one in the full scale.
const STEPS: usize = 200;
const STEPS_FULL: usize = 360;
/// What is said of persons, and asked.
const ITEMS: [&str; 8] = [
    "birth_full_name",
    "sex",
    "ethnic_group",
    "nationality",
    "permanent_residence",
    "temporary_residence",
    "death_or_missing_date",
    "marital_status",
];
/// Whoever speaks of them.
const SOURCES: [&str; 4] = ["civil-status", "citizen-id", "residence", "nationality"];
/// The day on which the rules change.
const TURN: &str = "2026-12-01";
/// Nothing is said of a later day.
const LAST: Day = (2026, 11, 20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_the_register_says_what_the_oracle_says_on_sqlite() {
    rounds(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_the_register_says_what_the_oracle_says_on_postgres() {
    rounds(Engine::Postgres).await;
}

/// Two rounds, or a hundred in the full scale (`./tests/run --scale full -p tests model`).
async fn rounds(engine: Engine) {
    let full = std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full");
    let first =
        std::env::var("LIENTHONG_TEST_SEED").ok().map_or(1911, |seed| seed.parse().unwrap());
    let mut taken = 0;
    let (rounds, steps) = if full { (100, STEPS_FULL) } else { (2, STEPS) };
    for seed in first..first + rounds {
        println!("model: {engine:?}, seed {seed}");
        taken += Round::start(engine, seed).await.run(steps).await;
    }
    println!(
        "model: {engine:?}, {} persons, {taken} contributions applied",
        rounds * PERSONS as u64
    );
}

/// A moment after which what was known then does not change.
struct Moment {
    who: usize,
    known: Timestamp,
    place: usize,
    turned: bool,
}

/// What was sent, and what came of it.
struct Sent {
    who: Vec<usize>,
    items: Vec<String>,
    client: &'static str,
    request: SubmitContributionRequest,
    came: Result<Vec<u8>, Vec<(String, String)>>,
}

/// What the register answered.
type Came = Result<Answered<ContributionReceipt>, Refused>;

/// What the register runs in.
trait Running {
    /// A caller that contributes.
    fn contributes(&self, name: &str) -> Client;
    /// A caller that looks persons up.
    fn looks(&self, name: &str) -> Client;
}

impl Running for Whole {
    fn contributes(&self, name: &str) -> Client {
        self.client(name)
    }

    fn looks(&self, name: &str) -> Client {
        self.client(name)
    }
}

/// One register under way.
struct Round<R> {
    whole: R,
    random: StdRng,
    numbers: Vec<PersonalNumber>,
    persons: Vec<Person>,
    /// Whose record was merged into whose.
    merges: Vec<Merge>,
    /// The version of each record that was seen last, and whether it has changed since.
    seen: Vec<(u64, bool)>,
    /// The rules before and after the day.
    rules: [Order; 2],
    turned: bool,
    /// How much was said.
    said: usize,
    moments: Vec<Moment>,
    sent: Vec<Sent>,
}

impl Round<Whole> {
    async fn start(engine: Engine, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let rules = [order(&mut random), order(&mut random)];
        let mut prepared = Prepared::new(engine).await;
        let file = prepared.folder().join("authority.toml");
        std::fs::write(&file, written(&rules)).unwrap();
        prepared.settings.identity.authority_file = file.display().to_string();
        let (people, newcomers) = people(&mut random);
        let register = identity::Service::register(&prepared.settings.identity).await.unwrap();
        register.load(newcomers, "model", LOADED_US).await.unwrap();
        register.close().await;
        prepared.shows_civil_status(&[&ITEMS[..], &["family_relations"]].concat());
        Self::of(prepared.start().await, random, people, rules)
    }

    async fn run(mut self, steps: usize) -> usize {
        for step in 0..steps {
            // A round takes what the machine takes; a step that hangs ends.
            tests::within(self.step()).await;
            if step == steps / 2 {
                self.turn().await;
            }
        }
        for who in 0..PERSONS {
            self.compare(who, None, None).await;
        }
        for _ in 0..PERSONS {
            self.looks_back().await;
        }
        self.whole.persons().await;
        let taken = self.sent.iter().filter(|sent| sent.came.is_ok()).count();
        assert!(taken > steps / 10, "hardly anything was applied: {taken}");
        self.whole.all.stop().await;
        taken
    }

    async fn step(&mut self) {
        let who = self.random.random_range(0..PERSONS);
        match self.random.random_range(0..12) {
            0 => self.again().await,
            1 => self.looks_back().await,
            2 => self.whole.hands.step(time::Duration::minutes(self.random.random_range(-3..9))),
            3 => self.compare(who, None, None).await,
            4 => self.annuls().await,
            5 => self.weds(who).await,
            6 => self.merges(who).await,
            7 => self.splits(who).await,
            _ => self.says(who).await,
        }
    }

    /// Other rules hold, everybody is folded anew, and whoever looks otherwise has a new version.
    async fn turn(&mut self) {
        self.whole.hands.step(time::Duration::days(8));
        let mut changed = 0;
        let own = |who: &usize| self.root(*who, usize::MAX) == *who;
        for who in (0..PERSONS).filter(own).collect::<Vec<_>>() {
            // Who says it is part of what is held.
            let [before, after] = [false, true].map(|turned| {
                let held = self.held(who, turned, self.said, None).into_iter();
                held.map(|held| held.map(|held| held.place)).collect::<Vec<_>>()
            });
            if before != after {
                self.seen[who].1 = true;
                changed += 1;
            }
        }
        self.turned = true;
        // One is broken off somewhere, and two go on side by side.
        let identity = self.whole.all.identity().clone();
        let broken_off = tokio::spawn(async move { identity.refold().await });
        tokio::time::sleep(Duration::from_millis(self.random.random_range(0..12))).await;
        broken_off.abort();
        let whole = broken_off.await.is_ok();
        let identity = self.whole.all.identity();
        let (first, second) = tokio::join!(identity.refold(), identity.refold());
        let refolded = first.unwrap().changed + second.unwrap().changed;
        println!("model: {changed} look otherwise, {refolded} left by one that ended: {whole}");
    }
}

/// The persons of a round: their numbers, what was said of each, and how much that is.
struct People {
    numbers: Vec<PersonalNumber>,
    persons: Vec<Person>,
    said: usize,
}

/// Persons as the oracle knows them, and as they are loaded.
fn people(random: &mut StdRng) -> (People, Vec<identity::Newcomer>) {
    let (mut numbers, mut persons, mut newcomers) = (Vec::new(), Vec::new(), Vec::new());
    let mut said = 0;
    for place in 0..PERSONS {
        let born = (random.random_range(1950..2000), 5, 6);
        let random_digits = u32::try_from(place).unwrap() + 100_000;
        let number = PersonalNumber::compose(997, Sex::Male, born.0, random_digits).unwrap();
        let person = newcomer(random, place, born, &mut said);
        newcomers.push(identity::Newcomer {
            person_id: format!("p-model-{place}"),
            number: number.clone(),
            old_number: None,
            protected: false,
            said: loaded(&person),
        });
        numbers.push(number);
        persons.push(person);
    }
    (People { numbers, persons, said }, newcomers)
}

impl<R: Running> Round<R> {
    /// A register that holds these persons and folds them by these rules.
    fn of(whole: R, random: StdRng, people: People, rules: [Order; 2]) -> Self {
        let People { numbers, persons, said } = people;
        let seen = vec![(0, true); PERSONS];
        let (turned, moments, sent, merges) = (false, Vec::new(), Vec::new(), Vec::new());
        Self { whole, random, numbers, persons, merges, seen, rules, turned, said, moments, sent }
    }

    fn order(&self, turned: bool) -> &Order {
        &self.rules[usize::from(turned)]
    }

    /// What holds of each item.
    fn held(&self, who: usize, turned: bool, known: usize, on: Option<Day>) -> Vec<Option<Said>> {
        let (order, person) = (self.order(turned), self.person(who, known));
        ITEMS.iter().map(|item| person.held(item, order, known, on).cloned()).collect()
    }

    fn claims(&self, who: usize) -> (SubjectRef, Claims) {
        let name = self.held(who, self.turned, self.said, None).remove(0).unwrap().value;
        about(self.numbers[who].as_str(), &name, self.now(who).born)
    }

    /// Somebody says something of a person.
    async fn says(&mut self, who: usize) {
        let (client, wish, request) = self.wish(who);
        let item = wish.said.item;
        let person = self.now(who);
        let expected = person.refuses(&wish, self.order(self.turned));
        let came = submit(&self.whole.contributes(client), &request).await;
        match &came {
            Ok(answered) => {
                assert!(expected.is_empty(), "{wish:?} was applied, not refused: {expected:?}");
                let outranked = person.outranks(&wish.said, self.order(self.turned));
                let named: Vec<&str> = outranked.then_some(wish.said.item).into_iter().collect();
                assert_eq!(answered.answer.outranked_items, named, "{wish:?}");
                self.persons[who].said.push(wish.said);
                let root = self.root(who, usize::MAX);
                self.taken(&[who], &[root], &answered.answer);
            }
            Err(refused) => {
                assert_eq!(refused.reason, "CONTRIBUTION_REJECTED", "{refused:?}");
                let reasons: Vec<&str> =
                    refused.unmet.iter().map(|(reason, _)| reason.as_str()).collect();
                assert_eq!(reasons, expected, "{wish:?}, {person:?}");
            }
        }
        let items = vec![item.to_owned()];
        self.sent.push(Sent { who: vec![who], items, client, request, came: kept(came) });
        if self.random.random_bool(0.5) {
            self.compare(who, None, None).await;
        }
    }

    /// What was said of persons now is known from now on, of the last of several records in the version of the receipt.
    fn taken(&mut self, who: &[usize], records: &[usize], answer: &ContributionReceipt) {
        self.said += 1;
        let (place, turned) = (self.said, self.turned);
        for (before_last, record) in records.iter().rev().enumerate() {
            self.seen[*record] = (answer.version - before_last as u64, false);
        }
        for who in who {
            let known = answer.known_time.unwrap();
            self.moments.push(Moment { who: *who, known, place, turned });
        }
    }

    /// The same bytes have the same outcome, and other bytes under the same key none.
    async fn again(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let sent = &self.sent[self.random.random_range(0..self.sent.len())];
        let client = self.whole.contributes(sent.client);
        let came = kept(submit(&client, &sent.request).await);
        assert!(came == sent.came, "{:?}", sent.request.idempotency_key);
        let other =
            SubmitContributionRequest { request_id: "other".into(), ..sent.request.clone() };
        let refused = submit(&client, &other).await.err().unwrap();
        assert_eq!(refused.reason, "KEY_REUSED");
    }

    /// What was known at a moment that is past, on a day or on none.
    async fn looks_back(&mut self) {
        if self.moments.is_empty() {
            return;
        }
        let place = self.random.random_range(0..self.moments.len());
        let on = self.random.random_bool(0.5).then(|| day(&mut self.random, 1960, LAST.0, false));
        let Moment { who, .. } = self.moments[place];
        self.compare(who, Some(place), on).await;
    }

    /// Asks the register and the oracle.
    async fn compare(&mut self, who: usize, moment: Option<usize>, on: Option<Day>) {
        let (subject, claims) = self.claims(who);
        let basis = AccessBasis {
            legal_basis: "1911-2021-art-2-1".to_owned(),
            ..ground("civil-status-correction", "Z01.DEMO.HOTICH")
        };
        let moment = moment.map(|place| &self.moments[place]);
        let as_of = (moment.is_some() || on.is_some()).then(|| AsOf {
            known_time: moment.map(|moment| moment.known),
            valid_date: on.and_then(|(year, month, day)| date(year, month, day)),
        });
        let past = as_of.is_some();
        let request = GetPersonRequest {
            subject: Some(subject),
            claims: Some(claims),
            items: ITEMS.iter().map(|item| (*item).to_owned()).collect(),
            basis: Some(basis),
            request_id: "r-1".to_owned(),
            min_version: 0,
            as_of,
        };
        let client = self.whole.looks("civil-status");
        let answer = crate::answered(&client, &request).await.answer;
        assert_eq!(answer.outcome(), LookupOutcome::Match);
        let told: Vec<_> = answer.items.iter().map(told).collect();
        let (turned, known) =
            moment.map_or((self.turned, self.said), |moment| (moment.turned, moment.place));
        let expected: Vec<_> = self.held(who, turned, known, on);
        let expected: Vec<_> =
            expected.into_iter().map(|held| held.map(|held| held.value)).collect();
        let person = self.person(who, known);
        assert_eq!(told, expected, "known {known}, on {on:?}, of {person:?}");
        let root = self.root(who, usize::MAX);
        assert_eq!(answer.record_merged, root != who);
        if !past {
            let (seen, changed) = self.seen[root];
            assert!(changed || answer.version == seen, "the version changed by itself");
            self.seen[root] = (answer.version, false);
        }
    }
}

async fn submit(client: &Client, request: &SubmitContributionRequest) -> Came {
    client.submit_contribution(request).await.unwrap()
}

/// What must be the same when the same bytes are sent again.
fn kept(came: Came) -> Result<Vec<u8>, Vec<(String, String)>> {
    came.map(|answered| answered.answer.encode_to_vec()).map_err(|refused| refused.unmet)
}
