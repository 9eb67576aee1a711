//! Finding persons whose number is not known: one of whom enough is known, or nothing; several, listed for whoever may.

mod bad_input;
mod budget;
mod hidden;
pub(crate) mod search;

use contract::{
    identity::v1::{
        FurtherFacts, GetPersonRequest, LookupOutcome, NameLevel, ResolveOutcome,
        ResolvePersonAnswer, ResolvePersonRequest, UnitCode,
    },
    r#type::v1::PartialDate as WireDate,
};
use identity::Newcomer;
use lienthong::client::{Answered, Client, Refused};
use model::{
    Address, CodedValue, Identifier, Name, PartialDate, PersonalNumber, Relation, RelationKind,
    Sex, Value,
};
use store::Engine;
use tests::{
    World, basis, behind_its_back,
    events::{code, correction, date},
    on_both_engines, people,
    whole::{LOADED_US, Prepared},
};

use crate::{answered, why};

on_both_engines!(
    one_person_is_resolved_by_each_combination,
    the_level_of_the_name_is_said_and_marks_count,
    an_ambiguous_answer_gives_nobody,
    a_year_alone_is_a_record_of_the_year_alone,
    i2_only_by_items_that_are_all_granted,
    a_token_is_its_callers_alone,
    i5_keys_follow_the_fold,
    whoever_has_no_keys_is_given_some,
    whoever_is_resolved_is_one_of_the_volume,
);

const NAME: &str = "Lê Giả Định Hoà Lý";
const PARENT: &str = "Trần Giả Định Thu Hà";

/// Somebody to be found: male, of province 01 and commune 00001, whose mother is Thu Hà.
struct Somebody {
    id: u32,
    name: &'static str,
    born: (i32, u8, u8),
    protected: bool,
    mother: Option<PersonalNumber>,
}

impl Somebody {
    const fn new(id: u32, name: &'static str) -> Self {
        Self { id, name, born: (1990, 5, 6), protected: false, mother: None }
    }

    fn number(&self) -> PersonalNumber {
        PersonalNumber::compose(999, Sex::Male, self.born.0, 990_000 + self.id).unwrap()
    }

    fn newcomer(&self) -> Newcomer {
        let (year, month, day) = self.born;
        let born = PartialDate::new(year, month, day).unwrap();
        let place = |commune: Option<&str>| {
            Value::Address(Address {
                text: "Phường Giả Định".to_owned(),
                province_code: Some("01".to_owned()),
                commune_code: commune.map(str::to_owned),
                units_version: Some("2025".to_owned()),
                ..Address::default()
            })
        };
        let mother = Value::Relation(Relation {
            kind: RelationKind::Mother,
            name: Name::new(PARENT).unwrap().into(),
            identifier: self.mother.clone().map(Identifier::PersonalNumber),
            date_of_birth: None,
            nationality: None,
        });
        let sex = CodedValue {
            code_system: "sex".to_owned(),
            code_system_version: "1".to_owned(),
            code: "1".to_owned(),
            display: None,
        };
        let said = [
            ("birth_full_name", Value::Name(Name::new(self.name).unwrap().into())),
            ("date_of_birth", Value::Date(born)),
            ("sex", Value::Coded(sex)),
            ("native_place", place(None)),
            ("permanent_residence", place(Some("00001"))),
            ("family_relations", mother),
        ];
        let said = said.map(|(item, value)| (item.to_owned(), value, "civil-status".into(), None));
        Newcomer {
            person_id: format!("found-{:04}", self.id),
            number: self.number(),
            old_number: None,
            protected: self.protected,
            said: said.into(),
        }
    }
}

fn unit(code: &str) -> Option<UnitCode> {
    Some(UnitCode { code: code.to_owned(), units_version: "2025".to_owned() })
}

/// Looks for somebody of this name, born on 6 May 1990, whose mother is Thu Hà.
fn of_name(name: &str) -> ResolvePersonRequest {
    ResolvePersonRequest {
        full_name: name.to_owned(),
        date_of_birth: date(1990, 5, 6),
        further: Some(FurtherFacts {
            parent_full_name: PARENT.to_owned(),
            ..FurtherFacts::default()
        }),
        basis: Some(basis("portal-form-prefill")),
        request_id: "request-1".to_owned(),
        min_version: 0,
    }
}

fn further(further: FurtherFacts) -> ResolvePersonRequest {
    ResolvePersonRequest { further: Some(further), ..of_name(NAME) }
}

async fn resolved(
    client: &Client,
    request: &ResolvePersonRequest,
) -> Answered<ResolvePersonAnswer> {
    client.resolve_person(request).await.unwrap().unwrap_or_else(|refused| panic!("{refused}"))
}

async fn unresolved(client: &Client, request: &ResolvePersonRequest) -> Refused {
    match client.resolve_person(request).await.unwrap() {
        Ok(_) => panic!("it was answered"),
        Err(refused) => refused,
    }
}

/// The level of a match, of an answer that is whole.
fn level(answer: &ResolvePersonAnswer) -> Option<NameLevel> {
    let found = answer.outcome() == ResolveOutcome::Resolved;
    assert!(found || answer.outcome() == ResolveOutcome::NoMatch);
    assert_eq!(found, !answer.token.is_empty());
    assert_eq!(found, answer.name_level() != NameLevel::Unspecified);
    assert!(!answer.decision_id.is_empty() && !answer.policy_revision.is_empty());
    assert!(answer.answer_time.is_some());
    found.then_some(answer.name_level())
}

async fn world_of(engine: Engine, people: &[Somebody]) -> World {
    let world = World::new(engine).await;
    world.add(people.iter().map(Somebody::newcomer).collect()).await;
    world
}

fn sex(digit: &str) -> Option<contract::r#type::v1::CodedValue> {
    code("sex", "1", digit)
}

async fn one_person_is_resolved_by_each_combination(engine: Engine) {
    let world = world_of(engine, &[Somebody::new(1, NAME)]).await;
    let client = world.client("insurance");
    let none = FurtherFacts::default;
    let parent = |name: &str| FurtherFacts { parent_full_name: name.to_owned(), ..none() };
    let birth =
        |sex, province: &str| FurtherFacts { sex, native_province: unit(province), ..none() };
    let commune = |code: &str| FurtherFacts { permanent_commune: unit(code), ..none() };
    let all = |digit| FurtherFacts {
        permanent_commune: unit("00001"),
        parent_full_name: PARENT.to_owned(),
        ..birth(sex(digit), "01")
    };
    for (facts, found) in [
        (birth(sex("1"), "01"), true),
        (birth(sex("2"), "01"), false),
        (commune("00001"), true),
        (commune("00002"), false),
        (parent(&PARENT.to_uppercase()), true),
        (all("1"), true),
        // Everything that is stated must be true.
        (all("2"), false),
        (parent("Trần Giả Định Thu Hạ"), false),
    ] {
        let before = world.records().await;
        let call = resolved(&client, &further(facts.clone())).await;
        assert_eq!(level(&call.answer).is_some(), found, "{facts:?}");
        assert_eq!(world.records().await, before + 1);
        call.verify(&world.log).unwrap();
    }
    world.stop().await;
}

async fn the_level_of_the_name_is_said_and_marks_count(engine: Engine) {
    let other = Somebody { born: (1991, 1, 2), ..Somebody::new(2, "H'Lan Giả Định Êban") };
    let world = world_of(engine, &[Somebody::new(1, NAME), other]).await;
    let client = world.client("insurance");
    let apart: String =
        NAME.chars().map(|c| if c == 'à' { "a\u{300}".into() } else { c.to_string() }).collect();
    for (name, expected) in [
        (NAME, Some(NameLevel::Exact)),
        (apart.as_str(), Some(NameLevel::Exact)),
        ("  Lê  Giả\u{a0}Định Hoà Lý ", Some(NameLevel::Exact)),
        ("LÊ GIẢ ĐỊNH HOÀ LÝ", Some(NameLevel::Case)),
        ("LÊ GIẢ ÐỊNH HOÀ LÝ", Some(NameLevel::Case)),
        ("lê giả định hòa lý", Some(NameLevel::TonePlacement)),
        ("Lê Giả Định Hòa Lí", Some(NameLevel::Spelling)),
        // Marks are part of a name: without them, or with others, it is nobody's.
        ("LE GIA DINH HOA LY", None),
        ("Lê Giả Định Hoá Lý", None),
    ] {
        let answer = resolved(&client, &of_name(name)).await.answer;
        assert_eq!(level(&answer), expected, "{name}");
    }
    let typed = ResolvePersonRequest {
        date_of_birth: date(1991, 1, 2),
        ..of_name("H’Lan Giả Định Êban")
    };
    let answer = resolved(&client, &typed).await.answer;
    assert_eq!(level(&answer), Some(NameLevel::Spelling));
    world.stop().await;
}

/// Two of whom all is true are nobody; and so is one beside another whose name is only spelt otherwise.
async fn an_ambiguous_answer_gives_nobody(engine: Engine) {
    let world = world_of(
        engine,
        &[
            Somebody::new(1, "Lê Giả Định Một"),
            Somebody::new(2, "Lê Giả Định Một"),
            Somebody::new(3, "Lê Giả Định Mi"),
            Somebody::new(4, "Lê Giả Định My"),
            Somebody { born: (1990, 5, 7), ..Somebody::new(5, "Lê Giả Định Hai") },
            Somebody::new(6, "Lê Giả Định Hai"),
        ],
    )
    .await;
    let client = world.client("insurance");
    for (name, found) in
        [("Lê Giả Định Một", false), ("Lê Giả Định My", false), ("Lê Giả Định Hai", true)]
    {
        let answer = resolved(&client, &of_name(name)).await.answer;
        assert_eq!(level(&answer).is_some(), found, "{name}");
    }
    world.stop().await;
}

async fn a_year_alone_is_a_record_of_the_year_alone(engine: Engine) {
    let year_only = Somebody { born: (1990, 0, 0), ..Somebody::new(2, "Lê Giả Định Năm") };
    let world = world_of(engine, &[Somebody::new(1, NAME), year_only]).await;
    let client = world.client("insurance");
    for (name, born, found) in [
        ("Lê Giả Định Năm", (1990, 0, 0), true),
        ("Lê Giả Định Năm", (1990, 1, 1), false),
        ("Lê Giả Định Năm", (1991, 0, 0), false),
        (NAME, (1990, 5, 6), true),
        (NAME, (1990, 0, 0), false),
        (NAME, (1990, 5, 0), false),
    ] {
        let (year, month, day) = born;
        let date_of_birth = Some(WireDate { year, month, day });
        let request = ResolvePersonRequest { date_of_birth, ..of_name(name) };
        let answer = resolved(&client, &request).await.answer;
        assert_eq!(level(&answer).is_some(), found, "{name} {born:?}");
    }
    world.stop().await;
}

/// What is not granted is not searched by, not even where it is one of several; that it was asked is recorded.
async fn i2_only_by_items_that_are_all_granted(engine: Engine) {
    let world = world_of(engine, &[Somebody::new(1, NAME)]).await;
    let client = world.client("insurance");
    let person = world.plain().clone();
    for (procedure, reason) in
        [("child-health-insurance-card", "NOTHING_ALLOWED"), ("database-upkeep", "NO_AGREEMENT")]
    {
        let request = ResolvePersonRequest { basis: Some(basis(procedure)), ..of_name(NAME) };
        let before = world.records().await;
        let refused = unresolved(&client, &request).await;
        assert_eq!(why(&refused), ("PermissionDenied", reason));
        assert_eq!(world.records().await, before + 1);
    }
    // To obtain is not to find, nor the other way round.
    answered(&client, &people::ask(&person, &["sex"])).await;
    world.stop().await;
}

/// A lookup by it needs no claims; another connection has another token, and knows nobody by this one.
async fn a_token_is_its_callers_alone(engine: Engine) {
    let world = world_of(engine, &[Somebody::new(1, NAME)]).await;
    let (insurance, police) = (world.client("insurance"), world.client("police"));
    let ours = resolved(&insurance, &of_name(NAME)).await.answer.token;
    assert_eq!(resolved(&insurance, &of_name(NAME)).await.answer.token, ours);
    let request = ResolvePersonRequest {
        basis: Some(basis("investigation-identification")),
        ..of_name(NAME)
    };
    let theirs = resolved(&police, &request).await.answer.token;
    assert_ne!(ours, theirs);
    let by = |token: &str| GetPersonRequest {
        subject: people::by_token(token),
        claims: None,
        ..people::ask(world.plain(), &["birth_full_name"])
    };
    for (token, expected) in [(&ours, LookupOutcome::Match), (&theirs, LookupOutcome::NoMatch)] {
        assert_eq!(answered(&insurance, &by(token)).await.answer.outcome(), expected);
    }
    world.stop().await;
}

/// After a correction the name of before finds nobody any more.
async fn i5_keys_follow_the_fold(engine: Engine) {
    let prepared = Prepared::new(engine).await;
    let person = Somebody::new(1, NAME);
    let register = identity::Service::register(&prepared.settings.identity).await.unwrap();
    register.load(vec![person.newcomer()], "added", LOADED_US).await.unwrap();
    register.close().await;
    let whole = prepared.start().await;
    let client = whole.client("civil-status");
    let who = tests::events::about(person.number().as_str(), NAME, (1990, 5, 6));
    let basis = Some(crate::authority::obtaining());
    let ask = |name: &str| ResolvePersonRequest { basis: basis.clone(), ..of_name(name) };
    let (before, after) = (NAME, "Lê Giả Định Tên Mới");
    let first = resolved(&client, &ask(before)).await.answer;
    assert!(level(&first).is_some());
    assert_eq!(level(&resolved(&client, &ask(after)).await.answer), None);
    let value = contract::r#type::v1::item_value::Value::Name(tests::events::name(after).unwrap());
    let request = correction("CC-1", who, "birth_full_name", value, date(2026, 5, 4));
    let submitted = client.submit_contribution(&request).await.unwrap();
    let version = submitted.unwrap_or_else(|refused| panic!("{refused}")).answer.version;
    let renamed = ResolvePersonRequest { min_version: version, ..ask(after) };
    let second = resolved(&client, &renamed).await.answer;
    assert_eq!(second.token, first.token);
    assert_eq!(level(&resolved(&client, &ask(before)).await.answer), None);
    let behind = ResolvePersonRequest { min_version: version + 1000, ..ask(after) };
    assert_eq!(why(&unresolved(&client, &behind).await).1, "REGISTER_BEHIND");
    assert!(whole.persons().await > 0);
    whole.all.stop().await;
}

/// As after this service has come to a register of before, and beside a process of before.
async fn whoever_has_no_keys_is_given_some(engine: Engine) {
    let mut world = world_of(engine, &[Somebody::new(1, NAME)]).await;
    for changes in [
        &["DELETE FROM search_key", "UPDATE search SET form = 0, version = 0"][..],
        // It was stopped while it gave them.
        &["DELETE FROM search_key", "UPDATE search SET form = -1, version = 0"],
        &["DELETE FROM search_key WHERE person_id = 'found-0001'", "UPDATE search SET version = 0"],
        &["UPDATE search_key SET name_l3 = 'x', version = 0", "UPDATE search SET version = 0"],
    ] {
        world.stop_identity().await;
        behind_its_back(world.register_database(), identity::migrations(), changes).await;
        world.start_identity().await;
        let client = world.client("insurance");
        // Until everybody has keys nobody is said to be absent.
        loop {
            match client.resolve_person(&of_name(NAME)).await.unwrap() {
                Ok(call) if level(&call.answer).is_some() => break,
                // Who was written beside this process is found once it has looked.
                Ok(_) => world.hands.step(time::Duration::HOUR),
                Err(refused) => assert_eq!(refused.reason, "REGISTER_UNAVAILABLE"),
            }
            tokio::task::yield_now().await;
        }
    }
    world.stop().await;
}

async fn whoever_is_resolved_is_one_of_the_volume(engine: Engine) {
    let hidden = Somebody { protected: true, ..Somebody::new(2, "Lê Giả Định Ẩn Danh") };
    let mut world = world_of(engine, &[Somebody::new(1, NAME), hidden]).await;
    world.limit(2).await;
    let client = world.client("insurance");
    for _ in 0..2 {
        for name in ["Lê Giả Định Ẩn Danh", "Lê Giả Định Vắng"] {
            assert!(resolved(&client, &of_name(name)).await.answer.token.is_empty());
        }
        assert!(!resolved(&client, &of_name(NAME)).await.answer.token.is_empty());
    }
    for name in [NAME, "Lê Giả Định Ẩn Danh", "Lê Giả Định Vắng"] {
        let refused = unresolved(&client, &of_name(name)).await;
        assert_eq!(why(&refused), ("PermissionDenied", "VOLUME_USED_UP"), "{name}");
    }
    assert_eq!(world.leased("resolve").await, 2);
    world.stop().await;
}
