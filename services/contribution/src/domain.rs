//! What a contribution asks of the register, and what became of it. Pure: no I/O, no async.

pub(crate) mod conflict;
pub(crate) mod quality;

use std::collections::BTreeSet;

use model::{Disagreement, EventKind, Said, item::NUMBER};
use serde::{Deserialize, Serialize};
use wire::event::{Event, Evidence, Further, Target};

/// What the register is asked to apply.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Application {
    /// The database that contributes.
    pub(crate) source: String,
    /// Its connection.
    #[serde(default)]
    pub(crate) connection: String,
    /// Whom it is about.
    pub(crate) target: Target,
    /// The source's own entry, unique at the source; empty when it has none.
    pub(crate) entry: String,
    /// What is asserted.
    pub(crate) said: Vec<Said>,
    /// Whom else it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) further: Vec<Further>,
    /// The kind of event; none where it was not kept.
    #[serde(default)]
    pub(crate) event: Option<EventKind>,
    /// The documents on which it rests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) evidence: Vec<Evidence>,
    /// The version of the person's record on which it rests; 0 when on none.
    #[serde(default)]
    pub(crate) expected_version: u64,
}

/// What became of a contribution.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It is in the register.
    Applied {
        /// Version of the register that holds it.
        version: u64,
        /// The number issued; empty when none was.
        number: String,
        /// When the register learnt it, microseconds since 1970.
        known_at_us: i64,
        /// Items of which a source with more authority says what is held.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        outranked: Vec<String>,
        /// Who says otherwise than what is held, since this.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        disagree: BTreeSet<Disagreement>,
        /// Who does not any more.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        agree: BTreeSet<Disagreement>,
    },
    /// The register rejected it, for all these reasons.
    Rejected(Vec<Rejection>),
}

/// One reason of a rejection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejection {
    /// The faulty item, of another person of the event after the person's place in it; empty when the fault lies with the
    /// whole.
    pub(crate) item: String,
    /// Stable reason.
    pub(crate) reason: String,
}

impl Application {
    /// What an event asks; its source is not known yet.
    pub(crate) fn of(event: Event, evidence: Vec<Evidence>, expected_version: u64) -> Self {
        let Event { kind, target, entry, said, further } = event;
        let (source, connection) = (String::new(), String::new());
        let event = Some(kind);
        Self { source, connection, target, entry, said, further, event, evidence, expected_version }
    }

    /// The items it is about, each once.
    pub(crate) fn items(&self) -> Vec<String> {
        match &self.target {
            Target::Earlier { items, .. } => return items.clone(),
            Target::Decided { item, .. } => return vec![item.clone()],
            // Which number is a person's is what such a decision says.
            // A source that says which records are one person may speak of numbers.
            Target::Merged { .. } | Target::Split { .. } => return vec![NUMBER.to_owned()],
            Target::New { .. } | Target::Known { .. } | Target::Affected { .. } => {}
        }
        let mut items: Vec<String> = Vec::new();
        for said in self.said.iter().chain(self.further.iter().flat_map(|person| &person.said)) {
            if !items.contains(&said.item) {
                items.push(said.item.clone());
            }
        }
        items
    }
}
