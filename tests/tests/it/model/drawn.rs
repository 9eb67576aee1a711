//! What a round is made of, drawn at random, and how it is written for the register and read from it.

use contract::r#type::v1::{ItemOutcome, item_outcome, item_value};
use model::{Name, PartialDate, Value};
use rand::{Rng as _, rngs::StdRng};
use tests::events::{code, name};

use super::{
    ITEMS, LAST, SOURCES, TURN,
    oracle::{Day, Order, Person, Said},
};

/// An order of sources for some of the items.
pub(super) fn order(random: &mut StdRng) -> Order {
    let mut order = Order::new();
    for item in ITEMS {
        let mut sources = SOURCES.to_vec();
        let mut named = Vec::new();
        for _ in 0..random.random_range(0..=3) {
            named.push(sources.swap_remove(random.random_range(0..sources.len())));
        }
        if !named.is_empty() {
            order.insert(item, named);
        }
    }
    order
}

/// The rules as a file of the operator.
pub(super) fn written([before, after]: &[Order; 2]) -> String {
    let mut text = "version = 3\n".to_owned();
    for (rules, day) in [(before, "effective_to"), (after, "effective_from")] {
        for (item, sources) in rules {
            text += &format!(
                "[[rule]]\nitem = \"{item}\"\nsources = {sources:?}\n{day} = \"{TURN}\"\nbasis = \"Law A\"\n"
            );
        }
    }
    text
}

/// A day between the year before `from` and `to`, perhaps one of which only a part is known.
pub(super) fn day(random: &mut StdRng, from: i32, to: i32, partial: bool) -> Day {
    let (month, day) = (random.random_range(1..=12), random.random_range(1..=28));
    let found = (random.random_range(from - 1..=to), month, day).min(LAST);
    match if partial { random.random_range(0..4) } else { 3 } {
        0 => (found.0, 0, 0),
        1 => (found.0, found.1, 0),
        _ => found,
    }
}

pub(super) fn value(random: &mut StdRng, item: &str) -> String {
    let one = |random: &mut StdRng, of: &[&str]| of[random.random_range(0..of.len())].to_owned();
    match item {
        "birth_full_name" => one(
            random,
            &[
                "Lê Giả Định Bình Minh",
                "Lê Giả Định Hoà",
                "H'Giả Định Êban",
                "Y Giả Định",
                "Đỗ Giả Định Ly",
            ],
        ),
        "sex" => one(random, &["1", "2"]),
        "ethnic_group" => one(random, &["01", "04", "11"]),
        "nationality" => one(random, &["VN", "LA", "KH"]),
        _ => format!("Số {} phố Giả Định", random.random_range(1..999)),
    }
}

/// The list of an item's codes, and its version.
pub(super) fn list(item: &str) -> (&'static str, &'static str) {
    match item {
        "sex" => ("sex", "1"),
        "ethnic_group" => ("ethnic-group", "gso-15172"),
        _ => ("nationality", "iso-3166-1"),
    }
}

pub(super) fn written_value(item: &str, value: &str) -> item_value::Value {
    if item == "birth_full_name" {
        return item_value::Value::Name(name(value).unwrap());
    }
    let (list, version) = list(item);
    item_value::Value::Coded(code(list, version, value).unwrap())
}

/// Somebody of whom several sources spoke before.
pub(super) fn newcomer(
    random: &mut StdRng,
    nth_person: usize,
    born: Day,
    said: &mut usize,
) -> Person {
    let day = i32::try_from(nth_person).unwrap();
    let mut all = Vec::new();
    for item in &ITEMS[..5] {
        for (nth, source) in SOURCES.iter().enumerate() {
            // Civil status has always said the name; nobody else knows a name to say.
            let name = *item == "birth_full_name";
            let says = if name { nth == 0 } else { random.random_bool(0.4) };
            if says {
                // No two on one day, of whomever: what was loaded at once has no order of its own.
                let from = (born.0 + i32::try_from(nth).unwrap(), 7 + day / 28, 1 + day % 28);
                let (value, place) = (value(random, item), *said);
                let (ends, missing, key) = (false, false, String::new());
                all.push(Said { item, value, source, from, ends, missing, place, key });
                *said += 1;
            }
        }
    }
    Person { born, said: all, spouses: Vec::new(), annulled: Vec::new() }
}

/// What is loaded of a person.
pub(super) fn loaded(person: &Person) -> Vec<(String, Value, String, Option<PartialDate>)> {
    let day = |(year, month, day): Day| {
        PartialDate::new(year, u8::try_from(month).unwrap(), u8::try_from(day).unwrap()).unwrap()
    };
    let born = Value::Date(day(person.born));
    let birth = ("date_of_birth".into(), born, "civil-status".into(), Some(day(person.born)));
    let one = |said: &Said| {
        let value = match said.item {
            "birth_full_name" => Value::Name(Name::new(&said.value).unwrap().into()),
            "permanent_residence" => Value::Address(model::Address {
                text: said.value.clone(),
                ..model::Address::default()
            }),
            item => Value::Coded(model::CodedValue {
                code_system: list(item).0.into(),
                code_system_version: list(item).1.into(),
                code: said.value.clone(),
                display: None,
            }),
        };
        (said.item.to_owned(), value, said.source.to_owned(), Some(day(said.from)))
    };
    person.said.iter().map(one).chain([birth]).collect()
}

/// What is told of an item, as the oracle writes it.
pub(super) fn told(outcome: &ItemOutcome) -> Option<String> {
    match outcome.outcome.as_ref().unwrap() {
        item_outcome::Outcome::NotHeld(_) => None,
        item_outcome::Outcome::Value(held) => {
            assert_eq!(held.values.len(), 1);
            Some(match held.values[0].value.as_ref().unwrap().value.as_ref().unwrap() {
                item_value::Value::Name(name) => name.full_name.clone(),
                item_value::Value::Coded(code) => code.code.clone(),
                item_value::Value::Address(address) => address.text.clone(),
                item_value::Value::Date(date) => {
                    format!("{}-{}-{}", date.year, date.month, date.day)
                }
                item_value::Value::Text(_)
                | item_value::Value::Identifier(_)
                | item_value::Value::Relation(_)
                | item_value::Value::Document(_) => panic!("{}", outcome.item),
            })
        }
        item_outcome::Outcome::Partial(_)
        | item_outcome::Outcome::UnknownItem(_)
        | item_outcome::Outcome::Withheld(_) => panic!("{}", outcome.item),
    }
}
