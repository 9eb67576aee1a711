//! One contribution of which another source says otherwise about two persons.

use contract::contribution::v1::{Marriage, life_event, marriage};
use model::{Name, PartialDate, PersonalNumber, Sex, Value};
use tests::{
    events::{about, life, party},
    whole::LOADED_US,
};

use super::*;

on_both_engines!(of_two_persons_each_has_a_conflict);

pub(super) const COUPLE: [(&str, Sex, i32); 2] =
    [("Nguyễn Giả Định An", Sex::Male, 1990), ("Trần Giả Định Bình", Sex::Female, 1991)];
const SINGLE: &str = "1";

pub(super) fn number((_, sex, year): (&str, Sex, i32)) -> PersonalNumber {
    PersonalNumber::compose(997, sex, year, u32::try_from(year).unwrap()).unwrap()
}

fn coded(list: &str, code: &str) -> Value {
    Value::Coded(model::CodedValue {
        code_system: list.into(),
        code_system_version: "1".into(),
        code: code.into(),
        display: None,
    })
}

/// Somebody of whom citizen identification, which has the last word, says that it is single.
pub(super) fn single(one @ (name, sex, year): (&str, Sex, i32)) -> identity::Newcomer {
    let born = PartialDate::new(year, 5, 6).unwrap();
    let said = |item: &str, value, source: &str, from| {
        (item.to_owned(), value, source.to_owned(), Some(from))
    };
    let sex = coded("sex", if sex == Sex::Male { "1" } else { "2" });
    let number_of = Value::Identifier(model::Identifier::PersonalNumber(number(one)));
    let since = PartialDate::new(2015, 1, 1).unwrap();
    identity::Newcomer {
        person_id: format!("p-{year}"),
        number: number(one),
        old_number: None,
        protected: false,
        said: vec![
            said(
                "birth_full_name",
                Value::Name(Name::new(name).unwrap().into()),
                "civil-status",
                born,
            ),
            said("date_of_birth", Value::Date(born), "civil-status", born),
            said("sex", sex, "civil-status", born),
            said("marital_status", coded("marital-status", SINGLE), "citizen-id", since),
            ("personal_id_number".to_owned(), number_of, "npd".to_owned(), None),
        ],
    }
}

async fn of_two_persons_each_has_a_conflict(engine: Engine) {
    let mut prepared = Prepared::new(engine).await;
    let rules = prepared.folder().join("authority.toml");
    std::fs::write(&rules, RULES.replace(ITEM, "marital_status")).unwrap();
    prepared.settings.identity.authority_file = rules.display().to_string();
    let register = identity::Service::register(&prepared.settings.identity).await.unwrap();
    register.load(COUPLE.map(single).into(), "couple", LOADED_US).await.unwrap();
    register.close().await;
    let whole = prepared.start().await;
    let [one, other] =
        COUPLE.map(|person| about(number(person).as_str(), person.0, (person.2, 5, 6)));
    let spouse = Some(marriage::Spouse::RegisteredSpouse(party(other)));
    let wedding = life_event::Event::Marriage(Marriage { spouse });
    let registered = ("marriage-registration", "Z01.DEMO.HOTICH");
    let wedding = life("w-1", registered, one, (2020, 2, 3), wedding);
    let client = whole.client("civil-status");
    client.submit_contribution(&wedding).await.unwrap().unwrap_or_else(|error| panic!("{error}"));
    let conflicts = owned(&whole.client("citizen-id")).await;
    let items: Vec<&str> = conflicts.iter().map(|one| one.item.as_str()).collect();
    assert_eq!(items, ["marital_status", "marital_status"]);
    assert_ne!(conflicts[0].conflict_id, conflicts[1].conflict_id);
    let opened = "SELECT COUNT(DISTINCT person) FROM conflict WHERE owner = 'citizen-id'";
    assert_eq!(whole.count("contribution", opened).await, 2);
    // It is told of each to the one whose contribution it is.
    assert_eq!(told(&client).await.len(), 2);
    whole.all.stop().await;
}
