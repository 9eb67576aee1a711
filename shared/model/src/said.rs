//! What an event says, before the register holds it as an assertion.

use serde::{Deserialize, Serialize};

use crate::{PartialDate, Value};

/// What an event says of one item.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The item.
    pub item: String,
    /// The value; of what ends, which one: none where the item holds one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// From when it is true, or holds no more.
    pub valid_from: Option<PartialDate>,
    /// Whether it holds.
    #[serde(default, skip_serializing_if = "Saying::holds")]
    pub says: Saying,
}

redacted_debug!(Said);

/// What is said of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saying {
    /// It holds.
    #[default]
    Holds,
    /// It holds no more; without it there is nothing to say so of.
    Ends,
    /// It holds no more, if it was held.
    EndsIfHeld,
}

impl Saying {
    fn holds(&self) -> bool {
        *self == Self::Holds
    }
}

impl Said {
    /// That a value holds from a day on.
    #[must_use]
    pub fn holds(item: &str, value: Value, from: Option<PartialDate>) -> Self {
        Self { item: item.to_owned(), value: Some(value), valid_from: from, says: Saying::Holds }
    }

    /// The value, where one is said to hold.
    #[must_use]
    pub fn held(&self) -> Option<&Value> {
        self.value.as_ref().filter(|_| self.says.holds())
    }
}
