//! Working days in Viet Nam: not Saturday, not Sunday, and none of the holidays that the operator configures, because which
//! they are is announced anew for each year.

use std::collections::BTreeSet;

use time::{Date, Weekday};

use crate::Error;

/// Days looked at before it is said that none of them is a working one.
const DAYS_MAX: u32 = 10_000;

/// The holidays.
#[derive(Clone, Debug, Default)]
pub struct Calendar(BTreeSet<Date>);

impl Calendar {
    /// Of days written `YYYY-MM-DD`.
    ///
    /// # Errors
    /// [`Error::Data`] where one is no day.
    pub fn parse(holidays: &[String]) -> Result<Self, Error> {
        let one = |text: &String| {
            read_day(text).ok_or_else(|| Error::data("holidays", format!("`{text}` is no day")))
        };
        holidays.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Whether offices work on a day.
    #[must_use]
    pub fn works(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !self.0.contains(&day)
    }

    /// The day that is so many working days after another, which is not counted itself.
    #[must_use]
    pub fn after(&self, day: Date, working_days: u32) -> Date {
        let (mut at, mut left) = (day, working_days);
        for _ in 0..DAYS_MAX {
            if left == 0 {
                break;
            }
            let Some(next) = at.next_day() else { break };
            at = next;
            left -= u32::from(self.works(at));
        }
        at
    }
}

/// A day written `YYYY-MM-DD`.
#[must_use]
pub fn read_day(text: &str) -> Option<Date> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    Date::parse(text, format).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use time::macros::date;

    use super::*;

    #[test]
    fn weekends_and_holidays_are_not_counted() {
        let check = |holidays: &[&str], from, days, expect| {
            let holidays: Vec<_> = holidays.iter().map(|day| (*day).to_owned()).collect();
            assert_eq!(Calendar::parse(&holidays).unwrap().after(from, days), expect);
        };
        // A Tuesday.
        check(&[], date!(2026 - 11 - 24), 1, date!(2026 - 11 - 25));
        check(&[], date!(2026 - 11 - 24), 5, date!(2026 - 12 - 01));
        check(&["2026-11-25"], date!(2026 - 11 - 24), 5, date!(2026 - 12 - 02));
        // A holiday on a Sunday takes no working day.
        check(&["2026-11-29"], date!(2026 - 11 - 24), 5, date!(2026 - 12 - 01));
        check(&[], date!(2026 - 11 - 28), 1, date!(2026 - 11 - 30));
        check(&[], date!(2026 - 11 - 28), 0, date!(2026 - 11 - 28));
        assert!(Calendar::parse(&["2026-02-30".to_owned()]).is_err());
    }
}
