//! What must hold of what is said of somebody whom the register holds.

use model::{
    Assertion, AuthorityInForce, Claims, EventKind, GoldenRecord, HeldValue, PartialDate, Said,
    Saying, Says, Standing, Value, explain, fold, gone_by,
    item::{BORN, DEATH, NAME, NUMBER, RELATIVES, SEX},
    merge::is_link,
};
use time::Date;

use super::{
    Reason, Rejection,
    relatives::{Bearers, not_older, parent_not_older},
};
use crate::domain::lookup::Ending;

/// What everybody always has, so that it does not end (the same article, items 1, 3 to 9 and 11).
const LIFELONG: [&str; 9] = [
    NAME,
    NUMBER,
    BORN,
    SEX,
    "place_of_birth",
    "birth_registration_place",
    "native_place",
    "ethnic_group",
    "nationality",
];

/// What a contribution says of one person of the register.
pub(crate) struct Asked<'a> {
    /// The database that says it.
    pub(crate) source: &'a str,
    /// By what kind of event; none where it was not kept.
    pub(crate) event: Option<EventKind>,
    /// What it says.
    pub(crate) said: &'a [Said],
    /// Whether that corrects what the source said before.
    pub(crate) corrects: bool,
    /// The version of the record on which it rests; 0 when on none.
    pub(crate) expected_version: u64,
    /// Whether there is another spouse, who may be alive.
    pub(crate) married: bool,
}

/// A person of the register, as one source may be told of it.
pub(crate) struct Known {
    /// The record as it is stored.
    pub(crate) held: GoldenRecord,
    /// Everything that was said.
    pub(crate) all: Vec<Assertion>,
    /// The fold of that by the rules of today.
    now: GoldenRecord,
    /// What of it the source may be told.
    pub(crate) told: GoldenRecord,
    /// Who bears the numbers that relations name.
    pub(crate) bearers: Bearers,
}

impl Known {
    /// A person whose record folds to `now`; `source` is told of it.
    pub(crate) fn new(
        (held, all, now): (GoldenRecord, Vec<Assertion>, GoldenRecord),
        bearers: Bearers,
        source: &str,
    ) -> Self {
        let told = bearers.told(&now, source);
        Self { held, all, now, told, bearers }
    }
}

/// The person whom a contribution is about; otherwise how the person was not found, and who that was. `record` is the person
/// that bears the number, if there is one. A protected person is not told from an absent one (I7): what is to be said of it
/// comes through the operator.
pub(crate) fn found(
    record: Option<GoldenRecord>,
    claims: &Claims,
) -> Result<GoldenRecord, (Ending, Option<String>)> {
    let person_id = record.as_ref().map(|record| record.person_id.clone());
    match record {
        None => Err((Ending::Absent, person_id)),
        Some(record) if !claims.agree(&record, false) => Err((Ending::ClaimsDiffer, person_id)),
        Some(record) if record.protected => Err((Ending::Hidden, person_id)),
        Some(record) => Ok(record),
    }
}

/// Checks what is said of a person of the register, and names all that is wrong.
pub(crate) fn check_known(
    asked: &Asked<'_>,
    known: &Known,
    rules: &AuthorityInForce,
    today: Date,
) -> Vec<Rejection> {
    let mut reasons = Vec::new();
    let mut reject = |item: &str, reason| reasons.push(Rejection::of(item, reason));
    // Nothing new is said of the dead; what was held of them can be corrected, and can end.
    let adds = asked.said.iter().any(|said| said.says == Saying::Holds) && !asked.corrects;
    let gone = gone_by(&known.held.person_id, &known.all, rules);
    if adds && gone == Some(EventKind::Death) {
        reject("", Reason::PersonDeceased);
    }
    if ![0, known.held.version].contains(&asked.expected_version) {
        reject("", Reason::VersionChanged);
    }
    if asked.married {
        reject(RELATIVES, Reason::AlreadyMarried);
    }
    let person = Person { asked, known, gone, born: born(asked, &known.now), rules, today };
    for said in asked.said {
        let found = match (&said.value, said.says) {
            (Some(value), Saying::Holds) => person.check_held(said, value),
            (None, Saying::Holds) => Some(Reason::WrongType),
            (_, Saying::Ends | Saying::EndsIfHeld) => person.check_ended(said),
        };
        if let Some(reason) = found {
            reasons.push(Rejection::of(&said.item, reason));
        }
    }
    reasons
}

/// The date of birth as it will be held: what is said of it counts, by whoever said what is held.
fn born(asked: &Asked<'_>, record: &GoldenRecord) -> Option<PartialDate> {
    let held = record.values(BORN).first()?;
    let own = held.provenance.source == asked.source;
    let said = asked.said.iter().find(|said| own && said.item == BORN);
    let value = said.and_then(Said::held).unwrap_or(&held.value);
    if let Value::Date(date) = value { Some(*date) } else { None }
}

/// A person of whom something is said.
struct Person<'a> {
    asked: &'a Asked<'a>,
    known: &'a Known,
    /// How the person is held as dead or missing, if so.
    gone: Option<EventKind>,
    born: Option<PartialDate>,
    rules: &'a AuthorityInForce,
    today: Date,
}

impl Person<'_> {
    /// What is wrong with a value that is said to hold.
    fn check_held(&self, said: &Said, value: &Value) -> Option<Reason> {
        let held = self.known.now.values(&said.item);
        if held.iter().any(|held| other_type(&held.value, value)) {
            return Some(Reason::WrongType);
        }
        if self.asked.corrects
            && let Some(reason) = self.check_corrected(said, held)
        {
            return Some(reason);
        }
        let date = if let Value::Date(date) = value { Some(*date) } else { None };
        if said.valid_from.into_iter().chain(date).any(|date| self.out_of_range(date)) {
            return Some(Reason::DateOutOfRange);
        }
        // Whoever was missing after the day of death, or found, cannot have died on it; that has to be annulled first.
        if said.item == DEATH && self.stands_from_later(said) {
            return Some(Reason::DateOutOfRange);
        }
        if said.item == BORN
            && let Some(reason) = self.check_born(date)
        {
            return Some(reason);
        }
        parent_not_older(said, self.born).then_some(Reason::ParentNotOlder)
    }

    /// What is wrong with another date of birth: what is held cannot be so any more.
    fn check_born(&self, born: Option<PartialDate>) -> Option<Reason> {
        let died = self.known.now.values(DEATH).first().map(|held| &held.value);
        if let (Some(Value::Date(died)), Some(born)) = (died, born)
            && died.latest() < born.earliest()
        {
            return Some(Reason::DateOutOfRange);
        }
        let mut relatives = self.known.told.values(RELATIVES).iter();
        relatives.any(|held| not_older(&held.value, born)).then_some(Reason::ParentNotOlder)
    }

    /// What is wrong with a correction: it stands against what its source said, whether that shows or another one outranks
    /// it, and not against what another source with as much authority said later, which is that source's to correct.
    fn check_corrected(&self, said: &Said, held: &[HeldValue]) -> Option<Reason> {
        let source = self.asked.source;
        let rank = |source: &str| self.rules.rank(&said.item, source);
        let others = held.iter().map(|held| held.provenance.source.as_str());
        let mut others = others.filter(|other| *other != source);
        // Which records are one, and what counts as never said, holds whoever said it.
        let own = self.known.all.iter().filter(|said| {
            said.provenance.source == source || said.says == Says::Annuls || is_link(&said.item)
        });
        let own: Vec<Assertion> = own.cloned().collect();
        let own = fold(&self.known.now.person_id, false, &own, &self.rules.without_order());
        let own = own.values(&said.item);
        if others.any(|other| rank(other) >= rank(source)) || own.is_empty() {
            // Whose value it is has the book to correct it by (Law 60/2014/QH13, Art. 60(2)).
            let nothing = held.is_empty();
            return Some(if nothing { Reason::NothingToCorrect } else { Reason::OtherSource });
        }
        // What is true from an earlier day does not win against what it said (I5), so it corrects nothing.
        let later = own.iter().any(|own| own.provenance.valid_from > said.valid_from);
        later.then_some(Reason::DateOutOfRange)
    }

    /// What is wrong with a value that is said to hold no more.
    fn check_ended(&self, said: &Said) -> Option<Reason> {
        let lifelong = LIFELONG.contains(&said.item.as_str()) || said.item == DEATH;
        if self.asked.event != Some(EventKind::Found) && lifelong {
            return Some(Reason::CannotEnd);
        }
        let held = self.known.bearers.named(&self.known.told, &said.item, said.value.as_ref());
        if held.is_empty() {
            return (said.says == Saying::Ends).then_some(Reason::NothingToEnd);
        }
        if said.item == DEATH && self.gone != Some(EventKind::Missing) {
            return Some(Reason::NothingToEnd);
        }
        // Nothing ends before it began.
        let later = |held: &&HeldValue| held.provenance.valid_from > said.valid_from;
        let early = said.valid_from.is_some() && held.iter().any(later);
        let out = said.valid_from.is_some_and(|date| self.out_of_range(date));
        (early || out).then_some(Reason::DateOutOfRange)
    }

    fn out_of_range(&self, date: PartialDate) -> bool {
        let unborn = |born: PartialDate| date.latest() < born.earliest();
        date.is_after(&self.today) || self.born.is_some_and(unborn)
    }

    /// Whether what stands of an item is true from a later day, said by a source with as much authority.
    fn stands_from_later(&self, said: &Said) -> bool {
        let all = explain(&self.known.now.person_id, &said.item, &self.known.all, self.rules);
        let current = all.first().and_then(|said| said.first());
        let rank = |source: &str| self.rules.rank(&said.item, source);
        current.is_some_and(|(stands, standing)| {
            *standing == Standing::Current
                && rank(&stands.provenance.source) == rank(self.asked.source)
                && stands.provenance.valid_from > said.valid_from
        })
    }
}

/// Whether two values are of other kinds, or codes of other lists.
fn other_type(held: &Value, said: &Value) -> bool {
    match (held, said) {
        (Value::Coded(held), Value::Coded(said)) => held.code_system != said.code_system,
        _ => std::mem::discriminant(held) != std::mem::discriminant(said),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use model::{CodedValue, Name, Provenance};
    use time::macros::date;

    use super::*;

    fn code(list: &str, code: &str) -> Value {
        Value::Coded(CodedValue {
            code_system: list.into(),
            code_system_version: "1".into(),
            code: code.into(),
            display: None,
        })
    }

    fn day(year: i32, month: u8, day: u8) -> PartialDate {
        PartialDate::new(year, month, day).unwrap()
    }

    fn said() -> Vec<Assertion> {
        let held = |item: &str, value, source: &str| Assertion {
            person_id: "p".into(),
            item: item.into(),
            value,
            provenance: Provenance {
                source: source.into(),
                contribution_id: "c".into(),
                valid_from: Some(day(2000, 1, 1)),
                known_at_us: 1,
            },
            version: 1,
            says: Says::Holds,
            event: None,
        };
        vec![
            held("birth_full_name", Value::Name(name().into()), "civil-status"),
            held("date_of_birth", Value::Date(day(2000, 1, 1)), "civil-status"),
            held("sex", code("sex", "1"), "civil-status"),
            held("blood_type", code("blood-type", "01"), "medical"),
            // A source with as much authority said something else after it.
            held("marital_status", code("marital-status", "1"), "civil-status"),
            held("marital_status", code("marital-status", "2"), "residence"),
            // Of this, another source has the last word.
            held("nationality", code("nationality", "LA"), "civil-status"),
            held("nationality", code("nationality", "VN"), "nationality"),
        ]
    }

    fn rules() -> AuthorityInForce {
        let rules = "version = 1\n[[rule]]\nitem = \"nationality\"\nsources = [\"nationality\"]\nbasis = \"Law A\"\n";
        model::Authority::parse(rules).unwrap().in_force(date!(2026 - 11 - 25))
    }

    fn record() -> GoldenRecord {
        fold("p", false, &said(), &rules())
    }

    fn name() -> Name {
        Name::new("Lê Giả Định An").unwrap()
    }

    /// What becomes of one value said by civil status.
    fn check(item: &str, value: Value, from: PartialDate, corrects: bool) -> Vec<Reason> {
        let claims = Claims { full_name: name(), date_of_birth: day(2000, 1, 1) };
        let event = if corrects { EventKind::Correction } else { EventKind::Residence };
        let asked = Asked {
            source: "civil-status",
            event: Some(event),
            said: &[Said::holds(item, value, Some(from))],
            corrects,
            expected_version: 0,
            married: false,
        };
        let record = found(Some(record()), &claims).ok().unwrap();
        let all = (record.clone(), said(), record);
        let known = Known::new(all, Bearers::default(), asked.source);
        let found = check_known(&asked, &known, &rules(), date!(2026 - 11 - 25));
        found.into_iter().map(|rejection| rejection.reason).collect()
    }

    #[test]
    fn a_correction_stands_against_what_the_same_source_said_of_the_same_kind() {
        let then = day(2000, 1, 1);
        assert_eq!(check("sex", code("sex", "2"), then, true), []);
        assert_eq!(check("sex", code("religion", "02"), then, true), [Reason::WrongType]);
        assert_eq!(check("sex", Value::Text("2".into()), then, true), [Reason::WrongType]);
        assert_eq!(
            check("blood_type", code("blood-type", "02"), then, true),
            [Reason::OtherSource]
        );
        assert_eq!(
            check("religion", code("religion", "02"), then, true),
            [Reason::NothingToCorrect]
        );
        // Another source of as much authority said something later, which is that source's to correct.
        let divorced = code("marital-status", "3");
        assert_eq!(check("marital_status", divorced, day(2020, 1, 1), true), [Reason::OtherSource]);
        assert_eq!(check("sex", code("sex", "2"), day(1999, 1, 1), true), [Reason::DateOutOfRange]);
        // What it said it can put right, also where it does not show.
        assert_eq!(check("nationality", code("nationality", "KH"), then, true), []);
        // What adds needs nothing to be there, and may come from anybody whom policy lets.
        assert_eq!(check("religion", code("religion", "02"), then, false), []);
        assert_eq!(
            check("sex", code("sex", "2"), day(2027, 1, 1), false),
            [Reason::DateOutOfRange]
        );
    }
}
