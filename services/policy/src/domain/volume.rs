//! How many persons a grant lets be told of, and how much of that a process is leased (Decision 1911/QD-TTg, Art. 3(4)(b): what both
//! sides agreed on).

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use time::{Date, Month};

use super::rules::Act;

/// The most that a volume may be.
pub(crate) const PERSONS_MAX: u64 = 1_000_000_000;
/// Of what is left no more than this part is leased beyond what is needed at once, so that one process leaves enough to others, and
/// one that is killed loses little.
const PART: u64 = 8;

/// A time in which is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Period {
    Day,
    Month,
    Term,
}

impl Period {
    /// The first day of the period in which a day lies, and the first day after it, of what is granted in a term.
    pub(crate) fn of(self, day: Date, term: (Date, Date)) -> (Date, Date) {
        let (begins, ends) = match self {
            Self::Day => (day, day.next_day()),
            Self::Month => {
                let begins = day.replace_day(1).unwrap_or(day);
                let next = day.month().next();
                let year = day.year() + i32::from(next == Month::January);
                (begins, Date::from_calendar_date(year, next, 1).ok())
            }
            Self::Term => (term.0, None),
        };
        // What is granted no more has no volume either.
        (begins, ends.map_or(term.1, |ends| ends.min(term.1)))
    }
}

/// How many persons in which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Volume {
    pub(crate) persons: u64,
    pub(crate) period: Period,
}

/// How many are leased of what is left: what is needed, and beyond it no more than a part.
pub(crate) fn leased(left: u64, needed: u32, wanted: u32) -> u32 {
    let more = (left / PART).min(wanted.into());
    let all = more.max(needed.into()).min(left);
    u32::try_from(all).unwrap_or(u32::MAX)
}

/// What an agreement grants for one act, procedure and ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrantKey {
    pub(crate) agreement: String,
    pub(crate) act: Act,
    pub(crate) procedure: String,
    pub(crate) legal_basis: String,
}

impl GrantKey {
    /// As it is named to whoever leases of it.
    pub(crate) fn written(&self) -> String {
        let Self { agreement, act, procedure, legal_basis } = self;
        hex::encode([agreement, act.name(), procedure, legal_basis].join("\0"))
    }

    /// What is named so.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let text = String::from_utf8(hex::decode(text).ok()?).ok()?;
        let mut parts = text.split('\0').map(str::to_owned);
        let (agreement, act) = (parts.next()?, Act::of(&parts.next()?)?);
        let key = Self { agreement, act, procedure: parts.next()?, legal_basis: parts.next()? };
        parts.next().is_none().then_some(key)
    }
}
