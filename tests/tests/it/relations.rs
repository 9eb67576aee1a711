//! Who is related to a person, in both directions, and who lives with it.

mod bad_input;
mod hidden;
mod household;
mod index;

use contract::{
    identity::v1::{
        GetPersonRequest, ListRelationsAnswer, ListRelationsRequest, LookupOutcome, PersonRelation,
        RelationDirection,
    },
    r#type::v1::{ItemOutcome, RelationKind as Kind, item_outcome::Outcome, item_value},
};
use identity::Newcomer;
use lienthong::client::{Client, Pages, Refused};
use model::{
    CodedValue, Identifier, Name, OldNumber, PartialDate, PersonalNumber, Relation, RelationKind,
    Sex, Value,
};
use store::Engine;
use tests::{World, basis, on_both_engines, people};

use crate::{answered, why};

on_both_engines!(
    i1_whom_a_record_names_is_told_by_token_each_a_record,
    whose_records_name_a_person_by_any_number_is_told,
    i2_each_direction_is_a_permission_of_its_own,
    i3_a_name_that_is_not_granted_is_withheld,
    no_more_than_a_hundred_are_told,
    i7_the_subject_and_each_other_is_one_of_the_volume_and_nobody_hidden,
);

const NAME: &str = "birth_full_name";
const RELATIVES: &str = "family_relations";
const HOUSEHOLD: &str = "household_members";
const BOTH_WAYS: &str = "portal-form-prefill";
const FORWARD_ONLY: &str = "child-health-insurance-card";
const POLICE: &str = "investigation-identification";
const MOTHER: Kin = Kin::of(1, "Lê Giả Định Mẹ Hiền");
const FATHER_BY_NAME: &str = "Trần Giả Định Cha Vắng";

/// Somebody of the register, born on 6 May 1990.
#[derive(Clone)]
struct Kin {
    id: u32,
    name: &'static str,
    protected: bool,
    old: Option<&'static str>,
    said: Vec<(&'static str, Value)>,
}

impl Kin {
    const fn of(id: u32, name: &'static str) -> Self {
        Self { id, name, protected: false, old: None, said: Vec::new() }
    }

    fn hidden(self) -> Self {
        Self { protected: true, ..self }
    }

    /// Adds what its record says of somebody, by a number or by name alone.
    fn says(
        mut self,
        item: &'static str,
        kind: RelationKind,
        of: &str,
        by: Option<Identifier>,
    ) -> Self {
        let relation = Relation {
            kind,
            name: Name::new(of).unwrap().into(),
            identifier: by,
            date_of_birth: None,
            nationality: None,
        };
        self.said.push((item, Value::Relation(relation)));
        self
    }

    fn child_of(self, of: &Self) -> Self {
        let number = of.identifier();
        self.says(RELATIVES, RelationKind::Mother, of.name, Some(number))
    }

    fn lives_with(self, of: &Self, kind: RelationKind) -> Self {
        let number = of.identifier();
        self.says(HOUSEHOLD, kind, of.name, Some(number))
    }

    fn with(mut self, item: &'static str, value: Value) -> Self {
        self.said.push((item, value));
        self
    }

    fn number(&self) -> PersonalNumber {
        PersonalNumber::compose(998, Sex::Male, 1990, 880_000 + self.id).unwrap()
    }

    fn identifier(&self) -> Identifier {
        Identifier::PersonalNumber(self.number())
    }

    fn newcomer(&self) -> Newcomer {
        let born = PartialDate::new(1990, 5, 6).unwrap();
        let name = Value::Name(Name::new(self.name).unwrap().into());
        let sex = CodedValue {
            code_system: "sex".to_owned(),
            code_system_version: "1".to_owned(),
            code: "1".to_owned(),
            display: None,
        };
        let own = [(NAME, name), ("date_of_birth", Value::Date(born)), ("sex", Value::Coded(sex))];
        let said = own.into_iter().chain(self.said.iter().cloned());
        let said =
            said.map(|(item, value)| (item.to_owned(), value, "civil-status".into(), Some(born)));
        Newcomer {
            person_id: format!("kin-{:04}", self.id),
            number: self.number(),
            old_number: self.old.map(|old| OldNumber::parse(old).unwrap()),
            protected: self.protected,
            said: said.collect(),
        }
    }

    fn claims(&self) -> Option<contract::r#type::v1::Claims> {
        Some(contract::r#type::v1::Claims {
            full_name: self.name.to_owned(),
            date_of_birth: tests::events::date(1990, 5, 6),
        })
    }
}

fn related(to: &Kin, direction: RelationDirection, procedure: &str) -> ListRelationsRequest {
    ListRelationsRequest {
        subject: people::by_number(to.number().as_str()),
        claims: to.claims(),
        direction: direction.into(),
        items: Vec::new(),
        basis: Some(basis(procedure)),
        request_id: "request-1".to_owned(),
        min_version: 0,
    }
}

fn named(request: ListRelationsRequest) -> ListRelationsRequest {
    ListRelationsRequest { items: vec![NAME.to_owned()], ..request }
}

type Told = Pages<ListRelationsAnswer, PersonRelation>;

async fn told(client: &Client, request: &ListRelationsRequest) -> Told {
    client.list_relations(request).await.unwrap().unwrap_or_else(|refused| panic!("{refused}"))
}

async fn untold(client: &Client, request: &ListRelationsRequest) -> Refused {
    match client.list_relations(request).await.unwrap() {
        Ok(_) => panic!("it was answered"),
        Err(refused) => refused,
    }
}

async fn world_of(engine: Engine, people: &[Kin]) -> World {
    let world = World::new(engine).await;
    world.add(people.iter().map(Kin::newcomer).collect()).await;
    world
}

/// The name among outcomes.
fn name_in(items: &[ItemOutcome]) -> Option<String> {
    let outcome = items.iter().find(|outcome| outcome.item == NAME)?;
    let Some(Outcome::Value(held)) = &outcome.outcome else { return None };
    match held.values[0].value.as_ref()?.value.as_ref()? {
        item_value::Value::Name(name) => Some(name.full_name.clone()),
        item_value::Value::Text(_)
        | item_value::Value::Date(_)
        | item_value::Value::Address(_)
        | item_value::Value::Coded(_)
        | item_value::Value::Identifier(_)
        | item_value::Value::Relation(_)
        | item_value::Value::Document(_) => None,
    }
}

/// Kind and name of each.
fn kinds(told: &Told) -> Vec<(Kind, Option<String>)> {
    let mut kinds: Vec<_> =
        told.parts.iter().map(|p| (p.answer.kind(), name_in(&p.answer.items))).collect();
    kinds.sort();
    kinds
}

/// The name of the person of a token, looked up without claims.
async fn name_of(client: &Client, token: &str, procedure: &str) -> Option<String> {
    let request = GetPersonRequest {
        subject: people::by_token(token),
        claims: None,
        items: vec![NAME.to_owned()],
        basis: Some(basis(procedure)),
        request_id: "request-2".to_owned(),
        min_version: 0,
        as_of: None,
    };
    name_in(&answered(client, &request).await.answer.items)
}

/// The mother, and three children whose records name her, one of them by her old number; hers names nobody.
fn family() -> Vec<Kin> {
    let mother = Kin { old: Some("999990001"), ..MOTHER };
    let old = Identifier::OldNumber9(OldNumber::parse("999990001").unwrap());
    let first = Kin::of(2, "Trần Giả Định Con Cả").child_of(&mother);
    let first = first.says(RELATIVES, RelationKind::Father, FATHER_BY_NAME, None);
    let second = Kin::of(3, "Trần Giả Định Con Hai");
    let second = second.says(RELATIVES, RelationKind::Mother, "Lê Giả Định Mẹ", Some(old));
    let hidden = Kin::of(4, "Trần Giả Định Con Út").child_of(&mother).hidden();
    vec![mother, first, second, hidden]
}

async fn i1_whom_a_record_names_is_told_by_token_each_a_record(engine: Engine) {
    let people = family();
    let world = world_of(engine, &people).await;
    let client = world.client("insurance");
    let request = named(related(&people[1], RelationDirection::Forward, FORWARD_ONLY));
    let before = world.records().await;
    let found = told(&client, &request).await;
    // The subject's, and one for each of the two others.
    assert_eq!(world.records().await, before + 3);
    found.page.verify(&world.log).unwrap();
    let answer = &found.page.answer;
    assert_eq!(answer.outcome(), LookupOutcome::Match);
    assert_eq!((answer.listed, answer.truncated), (2, false));
    assert!(answer.withheld.is_none() && answer.version > 0);
    let expected =
        [(Kind::Father, Some(FATHER_BY_NAME.to_owned())), (Kind::Mother, Some(MOTHER.name.into()))];
    assert_eq!(kinds(&found), expected);
    for part in &found.parts {
        part.verify(&world.log).unwrap();
        assert_eq!(part.answer.direction(), RelationDirection::Forward);
        let provenance = part.answer.provenance.as_ref().unwrap();
        assert_eq!(
            (provenance.source.as_str(), provenance.contribution_id.as_str()),
            ("civil-status", "added")
        );
        assert!(provenance.known_time.is_some());
        assert_eq!(provenance.valid_from, tests::events::date(1990, 5, 6));
        // Who is entered by name alone is nobody of the register.
        assert_eq!(part.answer.token.is_empty(), part.answer.kind() == Kind::Father);
        if part.answer.kind() == Kind::Mother {
            let name = name_of(&client, &part.answer.token, FORWARD_ONLY).await;
            assert_eq!(name.as_deref(), Some(MOTHER.name));
            // Another caller knows nobody by it.
            assert_eq!(name_of(&world.client("police"), &part.answer.token, POLICE).await, None);
        }
    }
    world.stop().await;
}

async fn whose_records_name_a_person_by_any_number_is_told(engine: Engine) {
    let people = family();
    let world = world_of(engine, &people).await;
    let police = world.client("police");
    let inverse = |kin: &Kin| named(related(kin, RelationDirection::Inverse, POLICE));
    let found = told(&police, &inverse(&people[0])).await;
    let children: Vec<_> =
        people[1..].iter().map(|child| (Kind::Mother, Some(child.name.to_owned()))).collect();
    let mut expected = children.clone();
    expected.sort();
    assert_eq!(kinds(&found), expected);
    for part in &found.parts {
        assert_eq!(part.answer.direction(), RelationDirection::Inverse);
        assert!(!part.answer.token.is_empty());
    }
    // The same of whoever is named by the old number, or by a token; and in the same order.
    let tokens = |told: &Told| -> Vec<String> {
        told.parts.iter().map(|part| part.answer.token.clone()).collect()
    };
    let by_old =
        ListRelationsRequest { subject: people::by_old_number("999990001"), ..inverse(&people[0]) };
    assert_eq!(tokens(&told(&police, &by_old).await), tokens(&found));
    let forward = named(related(&people[1], RelationDirection::Forward, POLICE));
    let forward = told(&police, &forward).await;
    let mother = forward.parts.iter().find(|p| p.answer.kind() == Kind::Mother).unwrap();
    let by_token = ListRelationsRequest {
        subject: people::by_token(&mother.answer.token),
        claims: None,
        ..inverse(&people[0])
    };
    assert_eq!(tokens(&told(&police, &by_token).await), tokens(&found));
    // Nobody names the children.
    assert!(told(&police, &inverse(&people[1])).await.parts.is_empty());
    world.stop().await;
}

async fn i2_each_direction_is_a_permission_of_its_own(engine: Engine) {
    let people = family();
    let world = world_of(engine, &people).await;
    let client = world.client("insurance");
    let (forward, inverse) = (RelationDirection::Forward, RelationDirection::Inverse);
    assert_eq!(told(&client, &related(&people[0], inverse, BOTH_WAYS)).await.parts.len(), 2);
    for (procedure, direction) in
        [(FORWARD_ONLY, inverse), ("database-upkeep", forward), ("database-upkeep", inverse)]
    {
        let before = world.records().await;
        let refused = untold(&client, &related(&people[0], direction, procedure)).await;
        assert_eq!(why(&refused), ("PermissionDenied", "NO_AGREEMENT"));
        assert_eq!(world.records().await, before + 1);
    }
    world.stop().await;
}

async fn i3_a_name_that_is_not_granted_is_withheld(engine: Engine) {
    let people = family();
    let world = world_of(engine, &people).await;
    let client = world.client("insurance");
    for direction in [RelationDirection::Forward, RelationDirection::Inverse] {
        for kin in &people[..2] {
            let found = told(&client, &named(related(kin, direction, BOTH_WAYS))).await;
            for part in &found.parts {
                let [ItemOutcome { outcome: Some(Outcome::Withheld(_)), item, .. }] =
                    &part.answer.items[..]
                else {
                    panic!("{:?}", part.answer)
                };
                assert_eq!(item, NAME);
            }
            let found = told(&client, &related(kin, direction, BOTH_WAYS)).await;
            assert!(found.parts.iter().all(|part| part.answer.items.is_empty()));
        }
    }
    world.stop().await;
}

async fn no_more_than_a_hundred_are_told(engine: Engine) {
    let mother = MOTHER;
    let child = |id| Kin::of(id, "Trần Giả Định Con Đàn").child_of(&mother);
    let mut people: Vec<Kin> = (10..110).map(child).collect();
    people.push(mother.clone());
    let world = world_of(engine, &people).await;
    let client = world.client("insurance");
    let request = related(&mother, RelationDirection::Inverse, BOTH_WAYS);
    for truncated in [false, true] {
        let found = told(&client, &request).await;
        assert_eq!((found.parts.len(), found.page.answer.truncated), (100, truncated));
        world.add(vec![child(if truncated { 201 } else { 200 }).newcomer()]).await;
    }
    world.stop().await;
}

async fn i7_the_subject_and_each_other_is_one_of_the_volume_and_nobody_hidden(engine: Engine) {
    let mother = MOTHER;
    let child = |id| Kin::of(id, "Trần Giả Định Con Đàn").child_of(&mother);
    let mut people: Vec<Kin> = (10..15).map(child).collect();
    people.extend((20..25).map(|id| child(id).hidden()));
    people.push(mother.clone());
    let mut world = world_of(engine, &people).await;
    world.limit(10).await;
    let client = world.client("insurance");
    let request = related(&mother, RelationDirection::Inverse, BOTH_WAYS);
    // Herself and five, then herself and what is left.
    for (parts, truncated) in [(5, false), (3, true)] {
        let found = told(&client, &request).await;
        assert_eq!((found.parts.len(), found.page.answer.truncated), (parts, truncated));
        assert_eq!(usize::try_from(found.page.answer.listed).unwrap(), parts);
    }
    assert_eq!(world.leased("inverse-relations").await, 10);
    let before = world.records().await;
    let hidden = related(&child(20).hidden(), RelationDirection::Inverse, BOTH_WAYS);
    for request in [&request, &hidden] {
        assert_eq!(why(&untold(&client, request).await).1, "VOLUME_USED_UP");
    }
    assert_eq!(world.records().await, before + 2);
    // A household is another act, with a volume of its own.
    let request = household::of(&mother, BOTH_WAYS, &[NAME]);
    let household = household::told(&client, &request).await;
    assert!(household.parts.is_empty());
    assert_eq!(world.leased("household").await, 1);
    world.stop().await;
}
