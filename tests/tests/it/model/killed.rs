//! Contribution and identity killed (SIGKILL) between every two steps of a contribution, while many stream in, on PostgreSQL:
//! whatever had no response is sent again under the same key, and the register then says what the oracle says
//! (I4, I5, I13).
//!
//! Where a step stands still: a trigger, or the row of the register, waits for a lock that the test has; when somebody waits for
//! it, the process is killed, and the lock let go. In each round, each person is in one contribution only, so that their order,
//! which a stream does not give, makes no difference.
//!
//! What would fail it: a contribution that is applied twice or never, or answered otherwise when it is sent again; a value,
//! reason, outranked item or number that is another than the oracle's; a record that is not the fold of its assertions; a
//! leaf that was shown and is not in the log. The seed is printed; `LIENTHONG_TEST_SEED=n` begins with that one.

mod step;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use contract::{
    contribution::v1::{
        ContributionReceipt, StreamContributionsResponse, SubmitContributionRequest,
        contribution_service_client::ContributionServiceClient,
    },
    identity::v1::{GetPersonRequest, LookupOutcome},
    r#type::v1::AccessBasis,
};
use futures::stream;
use lienthong::client::{Client, Refused};
use prost::Message as _;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use server::config::Secret;
use step::{Lock, STEPS, Step, stands_still};
use store::{Engine, Sql, Store};
use tests::{
    events::{about, birth, ground, register_config},
    processes::{Fleet, Shape},
    whole::{LOADED_US, shows_civil_status},
};

use super::{
    ITEMS, PERSONS, Round, Running, Sent,
    annulled::Annulment,
    couple::Couple,
    drawn::{order, told, written},
    oracle::{Day, Wish},
    people,
};
use crate::kill::{Acknowledged, finish, log_holds};

/// Contributions of a round, about.
const BATCH: usize = 10;
/// The callers.
const CALLERS: [(&str, &str, &str); 2] =
    [("civil-status", "Z01.DEMO.HOTICH", "ho-tich"), ("residence", "Z05.DEMO.CUTRU", "cu-tru")];

/// Who is killed.
const VICTIMS: [&[&str]; 3] = [&["contribution"], &["identity"], &["contribution", "identity"]];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_killed_between_every_two_steps_of_streamed_contributions_on_postgres() {
    let full = std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full");
    let first =
        std::env::var("LIENTHONG_TEST_SEED").ok().map_or(1911, |seed| seed.parse().unwrap());
    for seed in first..first + if full { 20 } else { 1 } {
        println!("killed: seed {seed}");
        Round::begin(seed).await.survive().await;
    }
}

/// Real processes, and who calls them.
struct Processes {
    fleet: Fleet,
    clients: BTreeMap<&'static str, (Client, Client)>,
}

impl Running for Processes {
    fn contributes(&self, name: &str) -> Client {
        self.clients[name].0.clone()
    }

    fn looks(&self, name: &str) -> Client {
        self.clients[name].1.clone()
    }
}

/// What a contribution does where it is taken.
enum Effect {
    Said(Wish),
    Wed { wedding: bool, from: Day },
    Annulled { key: String },
    Born { name: String },
}

/// A contribution of a round.
struct Asked {
    who: Vec<usize>,
    items: Vec<String>,
    client: &'static str,
    request: SubmitContributionRequest,
    /// The reasons for which the oracle refuses it.
    expected: Vec<String>,
    effect: Effect,
}

/// What a response says.
#[derive(Clone, PartialEq, Debug)]
enum Told {
    Taken(Box<(ContributionReceipt, contract::audit::v1::Receipt)>),
    Refused(Vec<String>),
}

impl Round<Processes> {
    async fn begin(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        // The rules are the same before and after the day on which those of `model` change.
        let rules = order(&mut random);
        let rules = [rules.clone(), rules];
        let mut file = String::new();
        let mut fleet = Fleet::prepared(Shape::Each, Engine::Postgres, &[], |settings| {
            let registry = &settings.policy.registry_file;
            let items = [&ITEMS[..], &["family_relations"]].concat();
            shows_civil_status(registry, &items);
            file = format!("{registry}-authority");
            std::fs::write(&file, written(&rules)).unwrap();
            settings.identity.authority_file.clone_from(&file);
        })
        .await;
        let (people, newcomers) = people(&mut random);
        let config = identity::Config {
            database: Secret::new(fleet.database("identity")),
            authority_file: file,
            ..register_config()
        };
        let register = identity::Service::register(&config).await.unwrap();
        register.load(newcomers, "model", LOADED_US).await.unwrap();
        register.close().await;
        tokio::task::block_in_place(|| fleet.start_missing());
        let clients = CALLERS.map(|(name, agency, system)| {
            let clients = fleet.clients(name, agency, system);
            (name, clients)
        });
        for step in &STEPS {
            stands_still(fleet.database(step.database), step).await;
        }
        let clients = clients.into_iter().collect();
        Self::of(Processes { fleet, clients }, random, people, rules)
    }

    async fn survive(mut self) {
        let mut births: Vec<(String, String)> = Vec::new();
        let mut acknowledged = Vec::new();
        let mut all = BTreeMap::new();
        for step in &STEPS {
            for victims in VICTIMS {
                let asked = self.batch();
                let told = tests::within(self.killed(step, victims, &asked)).await;
                assert_eq!(told.len(), asked.len(), "{}", step.name);
                for asked in asked {
                    let told = told[&asked.request.idempotency_key].clone();
                    if let Told::Taken(taken) = &told {
                        acknowledged.push(kept(&asked.request, taken));
                    }
                    all.insert(
                        asked.request.idempotency_key.clone(),
                        (asked.client, asked.request.clone(), told.clone()),
                    );
                    self.became(asked, told, &mut births).await;
                }
            }
        }
        self.holds(&births, &all).await;
        let taken = acknowledged.len();
        println!(
            "killed: {} times, {} sent, {taken} applied",
            STEPS.len() * VICTIMS.len(),
            all.len()
        );
        assert!(taken > all.len() / 4, "hardly anything was applied: {taken}");
        let Processes { mut fleet, .. } = self.whole;
        tokio::task::block_in_place(|| fleet.terminate());
        let fleet = finish(fleet).await;
        log_holds(&fleet, &acknowledged).await;
    }

    /// Contributions about other persons each, whose marriages are nobody else's either: what becomes of each does not depend on
    /// their order.
    fn batch(&mut self) -> Vec<Asked> {
        let (mut used, mut batch) = (BTreeSet::new(), Vec::new());
        for _ in 0..BATCH {
            let who = self.random.random_range(0..PERSONS);
            let asked = match self.random.random_range(0..10) {
                0 | 1 => Some(self.is_born()),
                2 | 3 => self.weds_one(who, &used),
                4 => self.annuls_one(&used),
                _ => self.says_one(who, &used),
            };
            let Some(asked) = asked else { continue };
            used.extend(asked.who.iter().flat_map(|who| self.near(*who)));
            // Its place, so that the next one has another key.
            self.sent.push(Sent {
                who: asked.who.clone(),
                items: asked.items.clone(),
                client: asked.client,
                request: asked.request.clone(),
                came: Err(Vec::new()),
            });
            batch.push(asked);
        }
        batch
    }

    /// A person with all whom it ever married.
    fn near(&self, who: usize) -> BTreeSet<usize> {
        let place = |value: &str| value.rsplit('/').next().unwrap().parse::<usize>().unwrap();
        let spouses = self.persons[who].spouses.iter().map(|said| place(&said.value));
        spouses.chain([who]).collect()
    }

    fn is_born(&mut self) -> Asked {
        let key = format!("m-{}", self.sent.len());
        let name = format!("Giả Định Mới {key}").replace('-', " ");
        let name = name.replace(char::is_numeric, "") + &letters(self.sent.len());
        let request = birth(&key, &name);
        let (who, items, expected) = (Vec::new(), Vec::new(), Vec::new());
        let effect = Effect::Born { name };
        Asked { who, items, client: "civil-status", request, expected, effect }
    }

    fn says_one(&mut self, who: usize, used: &BTreeSet<usize>) -> Option<Asked> {
        if used.contains(&who) {
            return None;
        }
        let (client, wish, request) = self.wish(who);
        let expected = self.persons[who].refuses(&wish, self.order(self.turned));
        let expected = expected.into_iter().map(str::to_owned).collect();
        let (who, items) = (vec![who], vec![wish.said.item.to_owned()]);
        Some(Asked { who, items, client, request, expected, effect: Effect::Said(wish) })
    }

    fn weds_one(&mut self, who: usize, used: &BTreeSet<usize>) -> Option<Asked> {
        let (wedding, other) = self.couple(who, 0.7, 0.0);
        let mut near = self.near(who);
        near.extend(self.near(other));
        if !near.is_disjoint(used) {
            return None;
        }
        let Couple { from, items, request, expected } = self.weds_whom(who, other, wedding);
        let expected = expected.into_iter().map(|(reason, _)| reason).collect();
        let (who, effect) = (vec![who, other], Effect::Wed { wedding, from });
        Some(Asked { who, items, client: "civil-status", request, expected, effect })
    }

    fn annuls_one(&mut self, used: &BTreeSet<usize>) -> Option<Asked> {
        let place = self.random.random_range(0..self.sent.len().max(1));
        let earlier = self.sent.get(place).filter(|sent| !sent.who.is_empty())?;
        let near: BTreeSet<usize> = earlier.who.iter().flat_map(|who| self.near(*who)).collect();
        if !near.is_disjoint(used) {
            return None;
        }
        let Annulment { who, items, client, key, request, refused, .. } = self.annulment(place);
        let expected = refused.into_iter().map(str::to_owned).collect();
        Some(Asked { who, items, client, request, expected, effect: Effect::Annulled { key } })
    }

    /// Sends a batch, kills somebody where it stands still, and sends again what had no response until all have one.
    async fn killed(
        &mut self,
        step: &Step,
        victims: &[&str],
        batch: &[Asked],
    ) -> BTreeMap<String, Told> {
        let url = self.whole.fleet.database(step.database).to_owned();
        let lock = Lock::take(&url, step).await;
        let sending = self.send(batch.iter().map(|asked| (asked.client, &asked.request)));
        lock.is_waited_for().await;
        for victim in victims {
            self.whole.fleet.kill(victim);
        }
        lock.release().await;
        tokio::task::block_in_place(|| self.whole.fleet.start_missing());
        let mut told = sending.await.unwrap();
        while told.len() < batch.len() {
            let left = batch.iter().filter(|a| !told.contains_key(&a.request.idempotency_key));
            let again = self.send(left.map(|asked| (asked.client, &asked.request)));
            told.extend(again.await.unwrap());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        told
    }

    /// Sends contributions on a stream of each caller; what is told of them before the streams end.
    fn send<'a>(
        &self,
        requests: impl Iterator<Item = (&'static str, &'a SubmitContributionRequest)>,
    ) -> tokio::task::JoinHandle<BTreeMap<String, Told>> {
        let mut of: BTreeMap<&str, Vec<SubmitContributionRequest>> = BTreeMap::new();
        for (client, request) in requests {
            of.entry(client).or_default().push(request.clone());
        }
        let streams = of.into_iter().map(|(name, requests)| {
            let channel = self.whole.contributes(name).channel().clone();
            async move {
                let mut told = BTreeMap::new();
                let mut client = ContributionServiceClient::new(channel);
                let Ok(stream) = client.stream_contributions(stream::iter(requests)).await else {
                    return told;
                };
                let mut responses = stream.into_inner();
                // Until the stream ends, by whatever.
                while let Ok(Some(response)) = responses.message().await {
                    let key = response.idempotency_key.clone();
                    if let Some(one) = heard(response) {
                        assert!(told.insert(key, one).is_none(), "one response each");
                    }
                }
                told
            }
        });
        let streams: Vec<_> = streams.collect();
        tokio::spawn(async move {
            futures::future::join_all(streams).await.into_iter().flatten().collect()
        })
    }

    /// What was told is what the oracle says, and the oracle hears of it.
    async fn became(&mut self, asked: Asked, told: Told, births: &mut Vec<(String, String)>) {
        let Asked { who, request, expected, effect, .. } = asked;
        let key = request.idempotency_key.clone();
        let place = self.sent.iter().position(|sent| sent.request == request).unwrap();
        let taken = match told {
            Told::Refused(mut reasons) => {
                if let Effect::Annulled { .. } = effect {
                    // It is said of each person whom it was about.
                    reasons.truncate(1);
                }
                assert_eq!(reasons, expected, "{key}");
                return;
            }
            Told::Taken(taken) => taken.0,
        };
        assert!(expected.is_empty(), "{key} was applied, not refused: {expected:?}");
        self.sent[place].came = Ok(taken.encode_to_vec());
        match effect {
            Effect::Said(wish) => {
                let outranked = self.persons[who[0]].outranks(&wish.said, self.order(self.turned));
                let named: Vec<&str> = outranked.then_some(wish.said.item).into_iter().collect();
                assert_eq!(taken.outranked_items, named, "{wish:?}");
                self.persons[who[0]].said.push(wish.said);
            }
            Effect::Wed { wedding, from } => {
                self.says_of_both(who[0], who[1], wedding, from, &key);
            }
            Effect::Annulled { key: annulled } => self.annul(&who, &annulled, &key),
            Effect::Born { name } => births.push((taken.personal_number.clone(), name)),
        }
        self.taken(&who, &who, &taken);
        for who in who {
            self.compare(who, None, None).await;
        }
    }

    /// The register is what the oracle says, everything is there once, and is told again in the same words.
    async fn holds(
        &mut self,
        births: &[(String, String)],
        all: &BTreeMap<String, (&'static str, SubmitContributionRequest, Told)>,
    ) {
        for who in 0..PERSONS {
            self.compare(who, None, None).await;
            self.compare_spouses(who).await;
        }
        for _ in 0..PERSONS {
            self.looks_back().await;
        }
        for (number, name) in births {
            self.compare_child(number, name).await;
        }
        let again = self.send(all.values().map(|(client, request, _)| (*client, request)));
        let again = tests::within(again).await.unwrap();
        for (key, (.., told)) in all {
            assert_eq!(&again[key], told, "{key}");
        }
        let fleet = &self.whole.fleet;
        let store = Store::open_read_only(fleet.database("identity"), identity::migrations())
            .await
            .unwrap();
        let count = async |sql: &'static str| -> i64 {
            let rows = store.read(&Sql::same(sql), Vec::new()).await.unwrap();
            rows[0].try_get_by(0).unwrap()
        };
        let persons = (PERSONS + births.len()) as i64;
        assert_eq!(count("SELECT COUNT(*) FROM person").await, persons);
        assert_eq!(count("SELECT COUNT(*) FROM application").await, all.len() as i64);
        let kept = "SELECT COUNT(*) FROM contributed_entry e WHERE EXISTS (SELECT 1 FROM application a \
                    WHERE a.contribution_id = e.contribution_id)";
        assert_eq!(count(kept).await, count("SELECT COUNT(*) FROM contributed_entry").await);
        let twice = "SELECT COUNT(*) FROM (SELECT source, entry FROM contributed_entry WHERE NOT annulled \
                     GROUP BY source, entry HAVING COUNT(*) > 1) twice";
        assert_eq!(count(twice).await, 0);
        store.close().await;
        let config = identity::Config {
            database: Secret::new(fleet.database("identity")),
            ..register_config()
        };
        let register = identity::Service::register(&config).await.unwrap();
        let recomputed = register.recompute().await.unwrap();
        assert_eq!((recomputed.different, recomputed.wrongly_keyed), (0, 0));
        assert_eq!(recomputed.persons, persons.unsigned_abs());
        register.close().await;
    }

    async fn compare_child(&self, number: &str, name: &str) {
        let (subject, claims) = about(number, name, (2026, 3, 1));
        let request = GetPersonRequest {
            subject: Some(subject),
            claims: Some(claims),
            items: vec!["birth_full_name".to_owned(), "sex".to_owned()],
            basis: Some(AccessBasis {
                legal_basis: "1911-2021-art-2-1".to_owned(),
                ..ground("civil-status-correction", "Z01.DEMO.HOTICH")
            }),
            request_id: "r-1".to_owned(),
            min_version: 0,
            as_of: None,
        };
        let answer = crate::answered(&self.whole.looks("civil-status"), &request).await.answer;
        assert_eq!(answer.outcome(), LookupOutcome::Match, "{name}");
        let held: Vec<_> = answer.items.iter().map(told).collect();
        assert_eq!(held, [Some(name.to_owned()), Some("2".to_owned())]);
    }
}

/// A number in letters: names have no digits.
fn letters(number: usize) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

fn kept(
    request: &SubmitContributionRequest,
    taken: &(ContributionReceipt, contract::audit::v1::Receipt),
) -> Acknowledged {
    let (answer, receipt) = taken;
    Acknowledged {
        request: request.clone(),
        answer: answer.encode_to_vec(),
        receipt: receipt.clone(),
        number: answer.personal_number.clone(),
    }
}

/// What a response says; nothing where something was away, and it is to be sent again.
fn heard(response: StreamContributionsResponse) -> Option<Told> {
    if let Some(answer) = response.answer {
        return Some(Told::Taken(Box::new((answer, response.receipt.unwrap()))));
    }
    let refused = Refused::from_status_bytes(&response.status).unwrap();
    if refused.reason == "CONTRIBUTION_REJECTED" {
        return Some(Told::Refused(refused.unmet.into_iter().map(|(reason, _)| reason).collect()));
    }
    assert!(["Unavailable", "DeadlineExceeded"].contains(&refused.code.as_str()), "{refused:?}");
    None
}
