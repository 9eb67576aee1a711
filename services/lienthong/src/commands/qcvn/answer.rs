//! Answers to lookups, as they were kept or printed, and persons as `lookup` prints them.

use anyhow::{Result, anyhow, bail};
use contract::{
    identity::v1::LookupOutcome,
    r#type::v1::{self as types, item_outcome},
};
use lienthong::client::{Refused, kept_answer, moment};
use model::CodeLists;
use qcvn::{Collection, Item, Outcome, Person};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::commands::{input::without_values, lookup, values::ItemValue};

/// What `lookup --format json` and `from-xml` print, as far as a message can carry it.
#[derive(Deserialize)]
struct Printed {
    outcome: Option<String>,
    items: Option<Vec<PrintedItem>>,
    persons: Option<Vec<PrintedPerson>>,
    answer_time: Option<String>,
}

#[derive(Deserialize)]
struct PrintedPerson {
    items: Vec<PrintedItem>,
}

#[derive(Deserialize)]
struct PrintedItem {
    item: String,
    outcome: Option<PrintedOutcome>,
    #[serde(default)]
    values: Vec<PrintedValue>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PrintedOutcome {
    Value,
    Partial,
    NotHeld,
    UnknownItem,
    Withheld,
}

#[derive(Deserialize)]
struct PrintedValue {
    value: Option<ItemValue>,
}

/// What became of an item, its values as the contract writes them.
struct Given {
    item: String,
    outcome: Option<Outcome>,
    values: Vec<Option<types::ItemValue>>,
}

/// Reads an answer: bytes or JSON, by what stands there. The inner error names every faulty value.
///
/// # Errors
/// When it is no answer.
pub(super) fn read(bytes: &[u8], lists: &CodeLists) -> Result<Result<Collection, Refused>> {
    // No answer in bytes begins with a brace: it would be a field that there is not.
    let json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let (time, persons) = if json { printed(bytes)? } else { kept(bytes)? };
    let time = time.and_then(|time| OffsetDateTime::parse(&time, &Rfc3339).ok());
    let mut faults = wire::Faults::default();
    let persons = persons.into_iter().map(|given| person(given, lists, &mut faults)).collect();
    Ok(match faults.finish() {
        Ok(()) => Ok(Collection { time, persons }),
        Err(status) => Err(Refused::from(status)),
    })
}

/// When it was answered, and what of each person.
type Persons = (Option<String>, Vec<Vec<Given>>);

fn kept(bytes: &[u8]) -> Result<Persons> {
    let answer = kept_answer(bytes)?;
    let time = moment(answer.answer_time);
    let outcome = answer.outcome();
    let items = answer.items.into_iter().map(|of| {
        let (outcome, held) = match of.outcome {
            Some(item_outcome::Outcome::Value(held) | item_outcome::Outcome::Partial(held)) => {
                (None, held.values)
            }
            Some(item_outcome::Outcome::NotHeld(_)) => (Some(Outcome::NotHeld), vec![]),
            Some(item_outcome::Outcome::Withheld(_)) => (Some(Outcome::Withheld), vec![]),
            Some(item_outcome::Outcome::UnknownItem(_)) | None => (Some(Outcome::Unknown), vec![]),
        };
        let values = held.into_iter().map(|held| held.value).collect();
        Given { item: of.item, outcome, values }
    });
    match outcome {
        LookupOutcome::Match => Ok((time, vec![items.collect()])),
        LookupOutcome::NoMatch => Ok((time, vec![])),
        LookupOutcome::Unspecified => bail!("the bytes are no answer to a lookup"),
    }
}

fn printed(bytes: &[u8]) -> Result<Persons> {
    let printed: Printed = serde_json::from_slice(bytes)
        .map_err(|error| anyhow!("the answer cannot be read: {}", without_values(&error)))?;
    let Printed { outcome, items, persons, answer_time } = printed;
    let no_match = outcome.as_deref() == Some(lookup::outcome(LookupOutcome::NoMatch));
    let persons = match (persons, items) {
        (Some(persons), None) => persons.into_iter().map(|person| person.items).collect(),
        (None, Some(_)) if no_match => vec![],
        (None, Some(items)) => vec![items],
        _ => bail!("the answer cannot be read: it needs `items` or `persons`"),
    };
    let given = |of: PrintedItem| {
        let outcome = match of.outcome {
            Some(PrintedOutcome::Value | PrintedOutcome::Partial) => None,
            Some(PrintedOutcome::NotHeld) => Some(Outcome::NotHeld),
            Some(PrintedOutcome::Withheld) => Some(Outcome::Withheld),
            Some(PrintedOutcome::UnknownItem) | None => Some(Outcome::Unknown),
        };
        let values = of.values.into_iter().map(|held| held.value.map(Into::into)).collect();
        Given { item: of.item, outcome, values }
    };
    let persons = persons.into_iter().map(|items| items.into_iter().map(given).collect());
    Ok((answer_time, persons.collect()))
}

fn person(given: Vec<Given>, lists: &CodeLists, faults: &mut wire::Faults) -> Person {
    let mut person = Person::default();
    for Given { item: id, outcome, values } in given {
        let mut read = Vec::new();
        for (place, value) in values.iter().enumerate() {
            let field = format!("{id}[{place}]");
            read.extend(wire::value::Reader::new(lists, faults).value(&field, value.as_ref()));
        }
        person.items.push(Item { id, outcome: outcome.unwrap_or_else(|| Outcome::of(read)) });
    }
    person
}

/// Persons in the form in which `lookup` prints one.
pub(super) fn json(collection: &Collection, lists: &CodeLists) -> Value {
    let item = |item: &Item| {
        let held = |outcome: &str, values: &[model::Value]| {
            let value = |value| ItemValue::read(wire::value::write(value, lists));
            let values: Vec<_> = values.iter().map(|v| json!({ "value": value(v) })).collect();
            json!({ "item": item.id, "outcome": outcome, "values": values })
        };
        match &item.outcome {
            Outcome::Value(values) => held("value", values),
            Outcome::Partial(values) => held("partial", values),
            Outcome::NotHeld => json!({ "item": item.id, "outcome": "not_held" }),
            Outcome::Withheld => json!({ "item": item.id, "outcome": "withheld" }),
            Outcome::Unknown => json!({ "item": item.id, "outcome": "unknown_item" }),
        }
    };
    let persons: Vec<Value> = collection
        .persons
        .iter()
        .map(|person| json!({ "items": person.items.iter().map(item).collect::<Vec<_>>() }))
        .collect();
    let time = collection.time.and_then(|time| time.format(&Rfc3339).ok());
    json!({ "answer_time": time, "persons": persons })
}
