//! What an event does to a record, and what is said of one. Pure: no I/O, no async; time is an argument.

use model::{
    Agreement, Assertion, AuthorityInForce, GoldenRecord, HeldValue, Identifier, PersonalNumber,
    Provenance, Said, Says, Subject, Value, fold, item::NUMBER,
};
use wire::event::{Event, Target};

use crate::profile::Profile;

/// An event that was registered here.
pub(crate) struct Registration {
    /// Id of the change that lists it.
    pub(crate) change_id: String,
    /// What is listed, but for its place in the order.
    pub(crate) listed: Vec<u8>,
    /// What it says.
    pub(crate) read: Event,
}

/// An event that was delivered.
pub(crate) struct Delivered {
    /// Its id.
    pub(crate) id: String,
    /// Its place among those for this database.
    pub(crate) sequence: u64,
    /// The event as it came.
    pub(crate) bytes: Vec<u8>,
    /// What tells it from another under its id: all but its sequence and time (rule SNK-3).
    pub(crate) content: Vec<u8>,
    /// What it is about; none when it is of a kind that is not known here.
    pub(crate) about: Option<About>,
}

/// What an event is about, as far as it changes something here.
pub(crate) enum About {
    /// A person that is followed, at a version of the register.
    Person {
        /// The person's token.
        token: String,
        /// The version.
        version: u64,
    },
    /// A change of ours that is in the register.
    Applied {
        /// The change.
        change_id: String,
        /// Id of the contribution.
        contribution_id: String,
        /// The number that was issued; none when none was.
        number: Option<PersonalNumber>,
    },
    /// Something that changes nothing.
    Other,
}

/// What the register said of a person that is followed.
pub(crate) struct Learnt {
    /// The person's token.
    pub(crate) token: String,
    /// The version that was looked up.
    pub(crate) version: u64,
    /// What it says of the person; none where it says that there is nobody.
    pub(crate) said: Option<Vec<Said>>,
}

impl Learnt {
    /// The personal number, where the register gave it.
    pub(crate) fn number(&self) -> Option<&PersonalNumber> {
        let number = self.said.iter().flatten().find(|said| said.item == NUMBER)?;
        match number.held()? {
            Value::Identifier(Identifier::PersonalNumber(number)) => Some(number),
            Value::Identifier(Identifier::OldNumber9(_))
            | Value::Text(_)
            | Value::Date(_)
            | Value::Name(_)
            | Value::Address(_)
            | Value::Coded(_)
            | Value::Relation(_)
            | Value::Document(_) => None,
        }
    }
}

/// Where a value of this database comes from.
pub(crate) struct Origin<'a> {
    /// The database.
    pub(crate) source: &'a str,
    /// The change or load that brought it.
    pub(crate) contribution_id: &'a str,
    /// When it was learnt, microseconds since 1970.
    pub(crate) known_at_us: i64,
}

/// Whether every number of the event is a synthetic one.
pub(crate) fn is_synthetic(event: &Event) -> bool {
    let fictional = |subject: &Subject| match subject {
        Subject::Personal(number) => number.is_synthetic(),
        Subject::Old(number) => number.as_str().starts_with("999"),
    };
    let known = match &event.target {
        Target::New { prefix } => is_fictional(prefix),
        Target::Earlier { .. } | Target::Decided { .. } => true,
        Target::Known { subject, .. } | Target::Affected { subject, .. } => fictional(subject),
        Target::Merged { subject, .. } => {
            fictional(subject) && event.further.iter().all(|other| fictional(&other.subject))
        }
        Target::Split { subject, restored, .. } => fictional(subject) && fictional(restored),
    };
    let numbers = event.said.iter().filter_map(Said::held).filter_map(|value| match value {
        Value::Relation(relation) => relation.identifier.as_ref(),
        Value::Identifier(number) => Some(number),
        Value::Text(_)
        | Value::Date(_)
        | Value::Name(_)
        | Value::Address(_)
        | Value::Coded(_)
        | Value::Document(_) => None,
    });
    known && numbers.into_iter().all(|number| number.as_str().starts_with("99"))
}

fn is_fictional(prefix: &str) -> bool {
    prefix.parse().is_ok_and(|prefix: u16| model::SYNTHETIC_PREFIXES.contains(&prefix))
}

/// A record with nothing in it.
pub(crate) fn empty(record_id: &str) -> GoldenRecord {
    fold(record_id, false, &[], &AuthorityInForce::equal())
}

/// What of a population or an event this database keeps: the items of its profile.
pub(crate) fn take(
    record: &GoldenRecord,
    profile: &Profile,
    said: &[Said],
    origin: &Origin<'_>,
) -> GoldenRecord {
    let held = record.items.iter().flat_map(|(item, held)| held.iter().map(move |one| (item, one)));
    let mut all: Vec<Assertion> = held
        .map(|(item, held)| assertion(record, item, held.value.clone(), held.provenance.clone()))
        .collect();
    let held = said.iter().filter_map(|said| Some((said, said.held()?)));
    for (said, value) in held.filter(|(said, _)| profile.holds(&said.item)) {
        let provenance = Provenance {
            source: origin.source.to_owned(),
            contribution_id: origin.contribution_id.to_owned(),
            valid_from: said.valid_from,
            known_at_us: origin.known_at_us,
        };
        all.push(assertion(record, &said.item, value.clone(), provenance));
    }
    fold(&record.person_id, false, &all, &AuthorityInForce::equal())
}

/// Two records of one person as one, under the id of the first.
pub(crate) fn merge(first: &GoldenRecord, second: &GoldenRecord) -> GoldenRecord {
    let of = |record: &GoldenRecord| -> Vec<Assertion> {
        let held =
            record.items.iter().flat_map(|(item, held)| held.iter().map(move |one| (item, one)));
        held.map(|(item, held)| assertion(first, item, held.value.clone(), held.provenance.clone()))
            .collect()
    };
    fold(&first.person_id, false, &[of(first), of(second)].concat(), &AuthorityInForce::equal())
}

/// The number of a person, as a statement.
pub(crate) fn numbered(number: &PersonalNumber) -> Said {
    let value = Value::Identifier(Identifier::PersonalNumber(number.clone()));
    Said::holds(NUMBER, value, None)
}

fn assertion(record: &GoldenRecord, item: &str, value: Value, provenance: Provenance) -> Assertion {
    Assertion {
        person_id: record.person_id.clone(),
        item: item.to_owned(),
        value,
        provenance,
        version: 0,
        says: Says::Holds,
        event: None,
    }
}

/// What became of a requested item (rule LKP-5).
pub(crate) enum ItemOutcome<'a> {
    /// The current values.
    Value(&'a [HeldValue]),
    /// The current values, of which something is missing.
    Partial(&'a [HeldValue]),
    /// There is none of this person.
    NotHeld,
    /// The database does not hold such an item.
    Unknown,
}

/// What is said of an item of a record.
pub(crate) fn outcome<'a>(
    profile: &Profile,
    record: &'a GoldenRecord,
    item: &str,
) -> ItemOutcome<'a> {
    if !profile.holds(item) {
        return ItemOutcome::Unknown;
    }
    match record.values(item) {
        [] => ItemOutcome::NotHeld,
        held if held.iter().any(|held| held.value.is_partial()) => ItemOutcome::Partial(held),
        held => ItemOutcome::Value(held),
    }
}

/// What is said of a claimed value (rule LKP-20).
pub(crate) enum ClaimOutcome {
    /// Something is held.
    Held(Agreement),
    /// Nothing is.
    NotHeld,
    /// The database does not hold such an item.
    Unknown,
}

/// What a record says of a claimed value.
pub(crate) fn verdict(
    profile: &Profile,
    record: &GoldenRecord,
    item: &str,
    claim: &Value,
) -> ClaimOutcome {
    if !profile.holds(item) {
        return ClaimOutcome::Unknown;
    }
    let agreement = Agreement::of(claim, record.values(item), false);
    agreement.map_or(ClaimOutcome::NotHeld, ClaimOutcome::Held)
}
