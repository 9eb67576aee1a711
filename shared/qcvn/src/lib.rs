//! The names of QCVN 109:2017/BTTTT, the message of citizens' data that today's platform exchanges, and the items of
//! the contract: values one way and the other, and the inputs of today's lookup as a request of ours.
//!
//! | module | job |
//! |---|---|
//! | `table` | the mapping, as data |
//! | `write` | values to a message |
//! | `read` | a message to values |
//! | `tree` | XML, without what makes it dangerous |
//! | `inputs` | the inputs of a lookup, both ways |
//! | `told` | what a conversion tells: faults, what was left out, notes |
//!
//! No I/O and no clock. What has no place on the other side is told and never dropped in silence, and nothing that is
//! told repeats a value (I8).

mod inputs;
mod read;
mod table;
mod told;
mod tree;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use inputs::{Asked, Inputs};
use model::{CodeLists, CodedValue, Value};
pub use read::Read;
pub use table::{Absent, Element, Form, Input, Kind, Origin, Part, Service, Table, TableError};
use time::OffsetDateTime;
pub use told::{Position, Severity, Told, What};
pub use write::Written;

/// The longest message that is read, in bytes.
pub const BYTES_MAX: usize = 1 << 20;

/// Persons as a message carries them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Collection {
    /// As of when the data are, to the second.
    pub time: Option<OffsetDateTime>,
    /// The persons.
    pub persons: Vec<Person>,
}

/// What is said of one person.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// What became of each item.
    pub items: Vec<Item>,
}

/// What became of one item.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// The item's id in the catalogue.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an item (Circular 13/2017/TT-BTTTT, Art. 8(2)).
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The values.
    Value(Vec<Value>),
    /// The values, of which something is known to be missing.
    Partial(Vec<Value>),
    /// No value is held.
    NotHeld,
    /// The value, if any, is not given to this caller.
    Withheld,
    /// There is no such item.
    Unknown,
}

/// Debug that names the type and nothing of its contents (I8).
macro_rules! redacted_debug {
    ($($name:ident),+ $(,)?) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "([personal])"))
            }
        }
    )+};
}
use redacted_debug;

redacted_debug!(Collection, Person, Item, Outcome);

impl Outcome {
    /// The outcome of an item that has values.
    #[must_use]
    pub fn of(values: Vec<Value>) -> Self {
        if values.iter().any(Value::is_partial) {
            Self::Partial(values)
        } else {
            Self::Value(values)
        }
    }
}

/// Which version of a code list a message means, as whoever reads it says: the message does not.
#[derive(Debug, Clone, Default)]
pub struct Said(BTreeMap<String, String>);

impl Said {
    /// Says which version of a list is meant.
    pub fn list(&mut self, list: &str, version: &str) {
        self.0.insert(list.to_owned(), version.to_owned());
    }

    fn version<'a>(&'a self, element: &'a Element) -> Option<&'a str> {
        let list = element.list.as_ref()?;
        self.0.get(list).or(element.version.as_ref()).map(String::as_str)
    }
}

/// The converter: the mapping, and the lists that codes are of.
#[derive(Debug, Clone)]
pub struct Qcvn {
    table: Table,
    lists: CodeLists,
}

impl Qcvn {
    /// A converter by a mapping and code lists.
    #[must_use]
    pub fn new(table: Table, lists: CodeLists) -> Self {
        Self { table, lists }
    }

    /// Writes persons as a message.
    ///
    /// # Errors
    /// Every fault: a value of another type than its item's, or a character that no XML can hold.
    pub fn write(&self, collection: &Collection) -> Result<Written, Vec<Told>> {
        write::write(self, collection)
    }

    /// Reads a message of persons.
    ///
    /// # Errors
    /// Every fault, with its line and column: no XML, a DTD or an entity of its own, another root, or a value that
    /// has not the form it must have.
    pub fn read(&self, xml: &[u8], said: &Said) -> Result<Read, Vec<Told>> {
        read::read(self, xml, said)
    }

    /// Reads the inputs of a lookup.
    ///
    /// # Errors
    /// Every fault.
    pub fn ask(&self, given: &Inputs) -> Result<(Asked, Vec<Told>), Vec<Told>> {
        inputs::read(&self.table, given)
    }

    /// Writes what is asked as the inputs of a lookup.
    ///
    /// # Errors
    /// Every fault: what is longer than its input, and a date that has no form there.
    pub fn inputs(&self, asked: &Asked) -> Result<Inputs, Vec<Told>> {
        inputs::write(&self.table, asked)
    }

    /// The code as its list has it, if it has it.
    fn coded(&self, list: &str, version: &str, code: &str) -> Option<CodedValue> {
        let value = CodedValue {
            code_system: list.to_owned(),
            code_system_version: version.to_owned(),
            code: code.to_owned(),
            display: None,
        };
        self.lists.holds(&value).then_some(value)
    }
}
