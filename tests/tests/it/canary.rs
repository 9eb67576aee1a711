//! No personal data outside the data (I8): nothing of a person who is looked up, and nothing that a caller
//! claims, is met in any log line of any crate at any level, or in any error; `sources` has what is contributed.

mod sources;

use std::{
    collections::{BTreeSet, HashSet},
    io,
    sync::{
        Mutex, OnceLock, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use contract::identity::v1::{
    FurtherFacts, GetConsentRequest, GetHouseholdRequest, GetPersonRequest, ListRelationsRequest,
    NameLevel, RelationDirection, ResolvePersonRequest, SearchPersonsRequest,
};
use lienthong::client::Refused;
use model::Value;
use store::Engine;
use tests::{Options, World, ask, basis, on_both_engines, people};
use tracing_subscriber::{
    filter::dynamic_filter_fn,
    fmt::{self, MakeWriter},
    layer::{Layer as _, SubscriberExt as _},
};

use crate::{
    change_feed::followed,
    consents::consent,
    usage::Portal,
    verify::{about, claimed, name, verify},
};

/// What a caller may claim of a person, and what it may send where a number belongs.
const CANARIES: [&str; 5] =
    ["Ca Na Ry Quacking", "canary-request", "canary-number", "99020400001", "canary-token"];

/// What must not be met.
#[derive(Default)]
struct Needles {
    /// Numbers of everybody, compared with every run of digits.
    numbers: HashSet<String>,
    /// Names and claims of those who are looked up, and names of their families.
    texts: BTreeSet<String>,
}

impl Needles {
    fn of(world: &World) -> Self {
        let numbers = world.people().iter().flat_map(|person| {
            [Some(person.number()), person.old_number()].into_iter().flatten().map(str::to_owned)
        });
        let mut texts: BTreeSet<String> = CANARIES.map(str::to_owned).into();
        for person in [world.plain(), hidden(world)] {
            texts.insert(person.name().to_owned());
            for (_, value, ..) in person.said("family_relations") {
                let Value::Relation(to) = value else { panic!("a relation") };
                texts.insert(to.name.full_name.as_str().to_owned());
            }
        }
        Self { numbers: numbers.chain(["999300999999".to_owned()]).collect(), texts }
    }

    fn met(&self, text: &str) -> bool {
        let mut runs = text.split(|c: char| !c.is_ascii_digit());
        runs.any(|run| self.numbers.contains(run))
            || self.texts.iter().any(|needle| text.contains(needle.as_str()))
    }
}

fn hidden(world: &World) -> &tests::Person {
    world.person(|p| p.0.protected && p.has_whole_date())
}

/// Reads every log line of this test program while a test of this file runs, whoever makes it.
struct Watch {
    needles: RwLock<Needles>,
    /// Tests that watch.
    watching: AtomicUsize,
    lines: AtomicUsize,
    found: Mutex<Vec<String>>,
}

static WATCH: OnceLock<Watch> = OnceLock::new();

struct Lines(&'static Watch);

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.lines.fetch_add(1, Ordering::Relaxed);
        if self.0.met(&text) {
            // Shown when the test fails; synthetic persons only.
            self.0.found.lock().unwrap().push(text.into_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        Lines(self.0)
    }
}

impl Watch {
    /// Looks for these, too.
    fn also(&self, needles: Needles) {
        assert!(needles.texts.iter().all(|text| text.len() >= 6));
        let mut all = self.needles.write().unwrap();
        all.numbers.extend(needles.numbers);
        all.texts.extend(needles.texts);
    }

    fn met(&self, text: &str) -> bool {
        self.needles.read().unwrap().met(text)
    }

    /// Nothing is met in an error, however it is printed.
    fn reads(&self, refused: &Refused) {
        let said = format!("{refused} {refused:?}");
        assert!(!self.met(&said), "in an error: {said}");
    }

    /// Stops to read, and nothing was met.
    fn ends(&self) {
        self.watching.fetch_sub(1, Ordering::SeqCst);
        assert!(self.lines.load(Ordering::Relaxed) > 1_000, "the log was read");
        assert_eq!(*self.found.lock().unwrap(), [""; 0], "in log lines");
    }
}

/// Starts to read lines of every level.
fn watch(needles: Needles) -> &'static Watch {
    let (number, text) = (needles.numbers.iter().next().cloned(), needles.texts.first().cloned());
    let mut first = false;
    let watch = WATCH.get_or_init(|| {
        first = true;
        let none = AtomicUsize::default;
        Watch {
            needles: RwLock::default(),
            watching: none(),
            lines: none(),
            found: Mutex::default(),
        }
    });
    watch.also(needles);
    watch.watching.fetch_add(1, Ordering::SeqCst);
    if first {
        let on = dynamic_filter_fn(|_, _| {
            WATCH.get().is_some_and(|watch| watch.watching.load(Ordering::SeqCst) > 0)
        });
        let lines = fmt::layer().with_writer(Lines(watch)).with_ansi(false).with_filter(on);
        let all = tracing_subscriber::registry().with(lines);
        tracing::subscriber::set_global_default(all).unwrap();
        // The watch sees what it must see.
        tracing::trace!(number = number.unwrap(), "a control");
        tracing::trace!("a control {}", text.unwrap());
        assert_eq!(std::mem::take(&mut *watch.found.lock().unwrap()).len(), 2);
    }
    watch
}

/// Good, bad and denied lookups, each with personal data in every place that takes any.
fn calls(world: &World) -> Vec<(&'static str, GetPersonRequest)> {
    let plain = world.plain();
    let hidden = hidden(world);
    let all = ["birth_full_name", "date_of_birth", "family_relations", "permanent_residence"];
    let mut calls = vec![
        ("insurance", ask(plain, &all)),
        ("insurance", ask(hidden, &all)),
        ("revoked", ask(plain, &all)),
        ("stranger", ask(plain, &all)),
        ("insurance", ask(plain, &["ethnic_group"])),
        ("insurance", GetPersonRequest { min_version: 1 << 40, ..ask(plain, &all) }),
        ("insurance", GetPersonRequest { basis: None, ..ask(plain, &all) }),
        ("insurance", GetPersonRequest { claims: None, ..ask(plain, &all) }),
        ("insurance", GetPersonRequest { basis: Some(basis("none")), ..ask(plain, &all) }),
    ];
    for number in ["99020400001", "canary-number", "999300999999"] {
        let mut request = ask(plain, &all);
        request.subject = people::by_number(number);
        calls.push(("insurance", request.clone()));
        request.subject = people::by_old_number(number);
        calls.push(("insurance", request));
    }
    let mut claimed = ask(plain, &all);
    claimed.claims.as_mut().unwrap().full_name = "Ca Na Ry Quacking".to_owned();
    calls.push(("insurance", claimed.clone()));
    claimed.claims.as_mut().unwrap().full_name = "Ca Na Ry Quacking".repeat(20);
    claimed.items = vec![plain.number().to_owned(), format!("{}*", plain.name())];
    claimed.basis.as_mut().unwrap().officer = plain.number().to_owned();
    claimed.basis.as_mut().unwrap().acting_unit = plain.name().to_owned();
    claimed.request_id = "canary-request".repeat(10);
    calls.push(("insurance", claimed));
    calls
}

/// Finding the same persons, and somebody who is not there; with faults, too. What was refused.
async fn find(world: &World) -> Vec<Refused> {
    let police = world.client("police");
    let basis = Some(basis("investigation-identification"));
    let names = [world.plain().name(), hidden(world).name(), "Ca Na Ry Quacking"];
    let mut refused = Vec::new();
    for (name, request_id) in names.iter().flat_map(|name| [(*name, "r-1"), (*name, "")]) {
        let further = FurtherFacts { parent_full_name: name.to_owned(), ..FurtherFacts::default() };
        let resolve = ResolvePersonRequest {
            full_name: name.to_owned(),
            date_of_birth: world.plain().claims().date_of_birth,
            further: Some(further),
            basis: basis.clone(),
            request_id: request_id.to_owned(),
            min_version: 0,
        };
        refused.extend(police.resolve_person(&resolve).await.unwrap().err());
        let search = SearchPersonsRequest {
            full_name: name.to_owned(),
            name_level: NameLevel::MarksFree.into(),
            cursor: if request_id.is_empty() { name.to_owned() } else { String::new() },
            basis: basis.clone(),
            request_id: "r-1".to_owned(),
            ..SearchPersonsRequest::default()
        };
        refused.extend(police.search_persons(&search).await.unwrap().err());
    }
    refused
}

/// Whom the same persons are related to, and who lives with them; with faults, too. What was refused.
async fn relate(world: &World) -> Vec<Refused> {
    let police = world.client("police");
    let basis = Some(basis("investigation-identification"));
    let mut refused = Vec::new();
    for person in [world.plain(), hidden(world)] {
        for (item, direction) in [
            ("birth_full_name", RelationDirection::Forward),
            ("birth_full_name", RelationDirection::Inverse),
            (person.name(), RelationDirection::Inverse),
        ] {
            let (subject, claims) = (people::by_number(person.number()), Some(person.claims()));
            let relations = ListRelationsRequest {
                subject: subject.clone(),
                claims: claims.clone(),
                direction: direction.into(),
                items: vec![item.to_owned()],
                basis: basis.clone(),
                request_id: "r-1".to_owned(),
                min_version: 0,
            };
            refused.extend(police.list_relations(&relations).await.unwrap().err());
            let household = GetHouseholdRequest {
                subject,
                claims,
                items: vec![item.to_owned()],
                basis: basis.clone(),
                request_id: "r-1".to_owned(),
                min_version: 0,
            };
            refused.extend(police.get_household(&household).await.unwrap().err());
        }
    }
    refused
}

/// Persons who are followed by name, by tokens that are none, and with faults, too. What was refused.
async fn follow(world: &World) -> Vec<Refused> {
    let tokens = ["canary-token", hidden(world).name(), world.plain().number()].map(str::to_owned);
    let twice = [&tokens[..], &tokens[..1]].concat();
    let mut refused = Vec::new();
    for (caller, tokens) in
        [("insurance", &tokens[..]), ("insurance", &twice), ("stranger", &tokens)]
    {
        refused.extend(world.client(caller).follow_persons(&followed(tokens)).await.unwrap().err());
    }
    refused
}

/// Consents of the same persons, and of somebody who is not there, with faults, too; and references that are none. What was refused.
async fn consents(world: &World) -> Vec<Refused> {
    let portal = world.client("portal");
    let mut refused = Vec::new();
    for person in [world.plain(), hidden(world)] {
        for number in [person.number(), "canary-number", "999300999999"] {
            let mut request = consent(person, person.number());
            request.subject = people::by_number(number);
            refused.extend(portal.record_consent(&request).await.unwrap().err());
            request.items.push(person.name().to_owned());
            request.notice_version = person.name().repeat(9);
            refused.extend(portal.record_consent(&request).await.unwrap().err());
        }
        for reference in [person.name(), "canary-token"] {
            let consent_reference = reference.to_owned();
            let basis = Some(basis("burial-allowance"));
            let request_id = if reference == person.name() { "" } else { "r-1" };
            let request =
                GetConsentRequest { consent_reference, basis, request_id: request_id.to_owned() };
            refused.extend(portal.get_consent(&request).await.unwrap().err());
        }
    }
    refused
}

/// The same persons, over HTTP, where their numbers are in the line of the request; with faults, too. What was answered that is no list.
async fn saw(world: &World) -> Vec<String> {
    let mut refused = Vec::new();
    for person in [world.plain(), hidden(world)] {
        let portal = Portal::of(world, person, person.number()).await;
        let strange = format!("&limit=0&{}=canary-number", person.number());
        for (caller, more) in [("portal", ""), ("stranger", ""), ("portal", &strange)] {
            let got = portal.asks_as(caller, more).await;
            if got.status != 200 {
                refused.push(String::from_utf8(got.body).unwrap());
            }
        }
    }
    refused
}

async fn i8_nothing_of_a_person_is_in_a_log_line_or_an_error(engine: Engine) {
    let options = Options { misses_max: 5, ..Options::default() };
    let mut world = World::with(engine, options).await;
    let watch = watch(Needles::of(&world));
    let untold = relate(&world).await;
    assert!(untold.len() >= 4);
    untold.iter().for_each(|refused| watch.reads(refused));
    let mut reasons = BTreeSet::new();
    let mut run = async |world: &World| {
        let (person, raw) = (world.plain(), world.raw("insurance").await);
        let mut claims = about(person, vec![claimed("birth_full_name", name(person))]);
        let good = verify(&raw, &claims).await.err();
        claims.claimed_values.push(claimed(person.number(), name(hidden(world))));
        claims.request_id.clear();
        let bad = verify(&raw, &claims).await.err();
        let unfound = find(world).await;
        // Half of them have a fault.
        assert!(unfound.len() >= 6);
        let unfollowed = follow(world).await;
        assert!(unfollowed.len() >= 2);
        let unseen = saw(world).await;
        assert!(unseen.len() >= 4);
        unseen.iter().for_each(|said| assert!(!watch.met(said), "in an error: {said}"));
        let unconsented = consents(world).await;
        assert!(unconsented.len() >= 8);
        for refused in
            [good, bad].into_iter().flatten().chain(unfound).chain(unfollowed).chain(unconsented)
        {
            watch.reads(&refused);
        }
        for (caller, request) in calls(world) {
            let Err(refused) = world.client(caller).get_person(&request).await.unwrap() else {
                continue;
            };
            watch.reads(&refused);
            reasons.insert(refused.reason);
        }
    };
    // On good days, until the guessing budget is spent, and without each of the services behind.
    run(&world).await;
    run(&world).await;
    world.stop_audit().await;
    run(&world).await;
    world.start_audit().await;
    world.stop_policy().await;
    run(&world).await;
    world.start_policy().await;
    world.stop().await;
    watch.ends();
    let expected = [
        "AUDIT_UNAVAILABLE",
        "CONNECTION_NOT_ACTIVE",
        "GUESSING_BUDGET_SPENT",
        "INVALID_REQUEST",
        "NOTHING_ALLOWED",
        "NO_AGREEMENT",
        "POLICY_UNAVAILABLE",
        "REGISTER_BEHIND",
    ];
    assert_eq!(reasons, expected.map(str::to_owned).into());
}

/// Messages do not show what they carry, wherever somebody prints one.
async fn i8_debug_of_a_message_shows_no_person(engine: Engine) {
    let world = World::new(engine).await;
    let needles = Needles::of(&world);
    let mut answered = 0;
    for (caller, request) in calls(&world).into_iter().take(3) {
        let mut shown = format!("{request:?}");
        if let Ok(call) = world.client(caller).get_person(&request).await.unwrap() {
            shown += &format!("{:?} {:?}", call.answer, call.receipt);
            answered += 1;
        }
        assert!(!needles.met(&shown), "{shown}");
    }
    assert!(answered > 0, "an answer was shown");
    world.stop().await;
}

on_both_engines!(
    i8_nothing_of_a_person_is_in_a_log_line_or_an_error,
    i8_debug_of_a_message_shows_no_person,
);
