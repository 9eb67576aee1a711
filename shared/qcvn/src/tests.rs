//! What is committed as samples, what comes back, what is refused, and the README.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod hostile;
mod inputs;
mod property;
mod readme;
mod samples;

use model::{CodeLists, CodedValue, Name, PartialDate, Value};

use crate::{Collection, Item, Outcome, Person, Qcvn, Said, Table, Told};

fn qcvn() -> Qcvn {
    Qcvn::new(Table::shipped().unwrap(), CodeLists::shipped().unwrap())
}

fn said() -> Said {
    let mut said = Said::default();
    said.list("ethnic-group", "1979");
    said.list("province", "2025");
    said
}

fn coded(list: &str, version: &str, code: &str) -> CodedValue {
    CodedValue {
        code_system: list.into(),
        code_system_version: version.into(),
        code: code.into(),
        display: None,
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn date(year: i32, month: u8, day: u8) -> PartialDate {
    PartialDate::new(year, month, day).unwrap()
}

fn held(id: &str, values: Vec<Value>) -> Item {
    Item { id: id.into(), outcome: Outcome::of(values) }
}

fn one(items: Vec<Item>) -> Collection {
    Collection { time: None, persons: vec![Person { items }] }
}

/// Places and names of what is told.
fn short(told: &[Told]) -> Vec<String> {
    told.iter().map(|told| format!("{} {}", told.place, told.what.name())).collect()
}

/// A message of one person with the given elements in it.
fn message(inner: &str) -> String {
    format!(
        "<c:CongdanCollection xmlns:c=\"http://www.mic.gov.vn/dancu/1.0\"><c:CongDan>{inner}\
         </c:CongDan></c:CongdanCollection>"
    )
}
