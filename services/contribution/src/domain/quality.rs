//! How good the values are that a source contributes: consistent, complete, accurate, timely (Decision 1911/QD-TTg, Art. 2(2)).
//! Pure.
//!
//! What is counted of an item of a contribution ([`Contributed`]) says by itself what it adds to the sums of its source, item and
//! month. Whatever becomes of it later changes it, and the sums by the difference; so it does not matter in which order that is
//! heard.
//!
//! | module | job |
//! |---|---|
//! | `count` | counting contributions |

pub(crate) mod count;

use std::collections::BTreeMap;

use model::{
    Identifier, PartialDate, PersonalNumber, Precision, RelationKind, Said, Sex, Subject, Value,
    day_in_viet_nam,
    item::{BORN, SEX},
};
use serde::{Deserialize, Serialize};
use time::{Date, Month};
use wire::event::Target;

use super::{Application, Rejection, conflict::State};

/// Whether nothing is counted; such counts are not stored.
fn nothing(count: &i64) -> bool {
    *count == 0
}

/// The reason of a contribution that its source took back.
const WITHDRAWN: &str = "WITHDRAWN";

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What is counted: sums, and differences of sums.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub(crate) struct Counts {
            $($(#[$doc])* #[serde(skip_serializing_if = "nothing")] pub(crate) $name: i64,)*
        }

        impl Counts {
            /// Adds others.
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// What has to be added to `was` for it to be this.
            pub(crate) fn since(&self, was: &Self) -> Self {
                Self { $($name: self.$name - was.$name,)* }
            }
        }
    };
}

counts! {
    /// Values that were said to hold and were applied.
    said,
    /// Of these, whole ones.
    whole,
    /// Values that say from which day they are true, and correct nothing.
    dated,
    /// Of these, those received in time.
    timely,
    /// Of the dated ones, received the day after at the latest.
    within_1,
    /// After 2 to 7 days.
    within_7,
    /// After 8 to 15 days.
    within_15,
    /// After 16 to 30 days.
    within_30,
    /// After 31 to 60 days.
    within_60,
    /// Later.
    later,
    /// Of the values, those that correct what the source said before.
    corrections,
    /// Those whose contribution is annulled.
    annulled,
    /// Those that a decision set aside.
    set_aside,
    /// Those that are any of the last three.
    inaccurate,
    /// Those about which there was a conflict, as the side that disagrees.
    disputed,
    /// Of these, those that a decision let hold.
    decided_for,
    /// Of these, those that a decision did not let hold.
    decided_against,
    /// Of those that a decision let hold or not, those of which it was received within 7 days of them.
    decided_within_7,
    /// After 8 to 30 days.
    decided_within_30,
    /// Later.
    decided_later,
    /// Values that say another sex or year of birth than the number.
    number_differs,
    /// Contributions that spoke of the item and were rejected.
    rejected,
    /// Of these, those of which a reason names the item.
    rejected_for_it,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// How many of them.
    pub(crate) part: u64,
    /// Of how many.
    pub(crate) all: u64,
}

/// The four figures of the Decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Values that never said otherwise than a source with more authority.
    pub(crate) consistency: Share,
    /// Whole values.
    pub(crate) completeness: Share,
    /// Values of which nothing says that they, or what they correct, were wrong.
    pub(crate) accuracy: Share,
    /// Of the values that say from which day they are true, those received in time.
    pub(crate) timeliness: Share,
}

impl Figures {
    /// The figures of what was counted.
    pub(crate) fn of(counts: &Counts) -> Self {
        let share = |part: i64, all: i64| {
            let count = |count: i64| u64::try_from(count).unwrap_or_default();
            Share { part: count(part), all: count(all) }
        };
        Self {
            consistency: share(counts.said - counts.disputed, counts.said),
            completeness: share(counts.whole, counts.said),
            accuracy: share(counts.said - counts.inaccurate, counts.said),
            timeliness: share(counts.timely, counts.dated),
        }
    }
}

/// Whose sums are counted in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The database.
    pub(crate) source: String,
    /// The month, YYYY-MM.
    pub(crate) month: String,
    /// The item.
    pub(crate) item: String,
}

/// What a contribution says of an item, and what has become of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contributed {
    /// The database; none while what it says is not counted, because that something became of it was heard first.
    pub(crate) source: String,
    /// The month in which it was received.
    pub(crate) month: String,
    /// What is counted of the values themselves.
    said: Counts,
    /// Where the conflict stands in which it is the side that disagrees; none when there never was one.
    pub(crate) conflict: Option<State>,
    /// Whether a decision set it aside that counts.
    pub(crate) set_aside: bool,
    /// Whether its contribution is annulled.
    pub(crate) annulled: bool,
    /// When it was received, microseconds since 1970; 0 where it was counted before that was kept.
    #[serde(default)]
    received_at_us: i64,
    /// When the last decision was received about it as the side that disagrees; 0 where there was none, or that was not kept.
    #[serde(default)]
    decided_at_us: i64,
}

impl Contributed {
    /// The same with what is said, which does not depend on what becomes of it.
    pub(crate) fn saying(self, said: Self) -> Self {
        let Self { source, month, said, received_at_us, .. } = said;
        Self { source, month, said, received_at_us, ..self }
    }

    /// The same with a decision that was received then.
    pub(crate) fn decided(&mut self, at_us: i64) {
        // In whatever order they are counted.
        self.decided_at_us = self.decided_at_us.max(at_us);
    }

    /// After how many days the conflict was decided that it is in; none where it is not, or that is not known.
    fn decided_after(&self) -> Option<i64> {
        let decided = matches!(self.conflict, Some(State::Accepted | State::Rejected));
        let known = decided && self.received_at_us > 0 && self.decided_at_us > 0;
        let days = || day_in_viet_nam(self.decided_at_us) - day_in_viet_nam(self.received_at_us);
        known.then(|| days().whole_days())
    }

    /// What it adds to the sums.
    pub(crate) fn counts(&self) -> Counts {
        let said = self.said.said;
        if self.source.is_empty() || said == 0 {
            return Counts::default();
        }
        // Conflicts and decisions are counted once, also where the item is said of several persons.
        let one = |is: bool| i64::from(is);
        let after = self.decided_after();
        let (annulled, set_aside) = (if self.annulled { said } else { 0 }, one(self.set_aside));
        Counts {
            annulled,
            set_aside,
            inaccurate: annulled.max(self.said.corrections).max(set_aside),
            disputed: one(self.conflict.is_some()),
            decided_for: one(self.conflict == Some(State::Accepted)),
            decided_against: one(self.conflict == Some(State::Rejected)),
            decided_within_7: one(after.is_some_and(|days| days <= 7)),
            decided_within_30: one(after.is_some_and(|days| (8..=30).contains(&days))),
            decided_later: one(after.is_some_and(|days| days > 30)),
            ..self.said
        }
    }
}

/// The month of a moment in Viet Nam, as YYYY-MM.
fn month_of(at_us: i64) -> String {
    let day = day_in_viet_nam(at_us);
    format!("{:04}-{:02}", day.year(), u8::from(day.month()))
}

/// Whether a text is a month, as YYYY-MM.
pub(crate) fn is_month(text: &str) -> bool {
    let digits = |part: &str, many| part.len() == many && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('-').is_some_and(|(year, month)| {
        let real = month.parse().is_ok_and(|month: u8| (1..=12).contains(&month));
        digits(year, 4) && digits(month, 2) && real
    })
}

/// What a contribution that was applied says, by item.
fn contributed(
    application: &Application,
    issued: &str,
    received_at_us: i64,
    timely_days: u32,
) -> BTreeMap<String, Contributed> {
    let (number, corrects) = match &application.target {
        Target::Known { subject, corrects, .. } => (personal(subject), *corrects),
        Target::Affected { subject, .. } => (personal(subject), false),
        Target::New { .. }
        | Target::Merged { .. }
        | Target::Split { .. }
        | Target::Earlier { .. }
        | Target::Decided { .. } => (None, false),
    };
    // A number that was set because of it is the one that counts.
    let number = PersonalNumber::parse(issued).ok().or(number);
    let further = application.further.iter().map(|one| (personal(&one.subject), &one.said));
    let received = day_in_viet_nam(received_at_us);
    let mut all: BTreeMap<String, Contributed> = BTreeMap::new();
    for (number, said) in std::iter::once((number, &application.said)).chain(further) {
        for one in said {
            let Some(value) = one.held() else { continue };
            let unit = all.entry(one.item.clone()).or_insert_with(|| Contributed {
                source: application.source.clone(),
                month: month_of(received_at_us),
                received_at_us,
                ..Contributed::default()
            });
            unit.said.add(&said_of(one, value, number.as_ref(), corrects, received, timely_days));
        }
    }
    all
}

/// What is counted of one value.
fn said_of(
    said: &Said,
    value: &Value,
    number: Option<&PersonalNumber>,
    corrects: bool,
    received: Date,
    timely_days: u32,
) -> Counts {
    let mut counts = Counts {
        said: 1,
        whole: i64::from(value.is_whole()),
        corrections: i64::from(corrects),
        number_differs: i64::from(differs(number, &said.item, value)),
        ..Counts::default()
    };
    // What is corrected is about an earlier day, however soon it is corrected.
    let from = said.valid_from.filter(|_| !corrects).and_then(day);
    let Some(from) = from else { return counts };
    let days = (received - from).whole_days();
    counts.dated = 1;
    counts.timely = i64::from(days <= i64::from(timely_days));
    *match days {
        ..=1 => &mut counts.within_1,
        2..=7 => &mut counts.within_7,
        8..=15 => &mut counts.within_15,
        16..=30 => &mut counts.within_30,
        31..=60 => &mut counts.within_60,
        61.. => &mut counts.later,
    } = 1;
    counts
}

fn personal(subject: &Subject) -> Option<PersonalNumber> {
    match subject {
        Subject::Personal(number) => Some(number.clone()),
        Subject::Old(_) => None,
    }
}

/// The day, where a date has one.
fn day(date: PartialDate) -> Option<Date> {
    let month =
        Month::try_from(date.month()).ok().filter(|_| date.precision() == Precision::Day)?;
    Date::from_calendar_date(date.year(), month, date.day()).ok()
}

/// Whether a value says another sex or year of birth than the digits of the number of whom it is said.
fn differs(number: Option<&PersonalNumber>, item: &str, value: &Value) -> bool {
    let (number, sex, born) = match value {
        Value::Relation(relation) => {
            let Some(Identifier::PersonalNumber(number)) = &relation.identifier else {
                return false;
            };
            let sex = match relation.kind {
                RelationKind::Father => Some(Sex::Male),
                RelationKind::Mother => Some(Sex::Female),
                RelationKind::Spouse
                | RelationKind::Child
                | RelationKind::LegalRepresentative
                | RelationKind::RepresentedPerson
                | RelationKind::HouseholdHead
                | RelationKind::HouseholdMember => None,
            };
            (Some(number), sex, relation.date_of_birth)
        }
        Value::Coded(code) if item == SEX => {
            let sex = match code.code.as_str() {
                "1" => Some(Sex::Male),
                "2" => Some(Sex::Female),
                _ => None,
            };
            (number, sex, None)
        }
        Value::Date(date) if item == BORN => (number, None, Some(*date)),
        Value::Text(_)
        | Value::Date(_)
        | Value::Name(_)
        | Value::Address(_)
        | Value::Coded(_)
        | Value::Identifier(_)
        | Value::Document(_) => return false,
    };
    let Some(hints) = number.and_then(PersonalNumber::hints) else { return false };
    sex.is_some_and(|sex| sex != hints.sex)
        || born.is_some_and(|born| born.year() != hints.birth_year)
}

/// What a contribution that was rejected adds to the sums, by item.
fn rejected(application: &Application, reasons: &[Rejection]) -> BTreeMap<String, Counts> {
    if reasons.iter().any(|reason| reason.reason == WITHDRAWN) {
        return BTreeMap::new();
    }
    // Of a further person the item stands after the person's place.
    let named = |item: &str| {
        let ends = |reason: &Rejection| reason.item.rsplit('.').next() == Some(item);
        i64::from(reasons.iter().any(|reason| reason.item == item || ends(reason)))
    };
    let counts = |item: String| {
        let rejected_for_it = named(&item);
        (item, Counts { rejected: 1, rejected_for_it, ..Counts::default() })
    };
    application.items().into_iter().map(counts).collect()
}

#[cfg(test)]
#[path = "quality_tests.rs"]
mod tests;
