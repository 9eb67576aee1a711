//! Dates of which the day, or the day and the month, may be unknown.

use serde::{Deserialize, Serialize};
use time::{Date, Month, OffsetDateTime, macros::offset};

/// Why year, month and day make no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// The year is not 1800 to 2399.
    #[error("the year must be 1800 to 2399")]
    Year,
    /// The month is not 0 to 12.
    #[error("the month must be 1 to 12, or 0 when unknown")]
    Month,
    /// The month has no such day.
    #[error("the calendar has no such day")]
    Day,
    /// A day of an unknown month.
    #[error("a day needs a month")]
    DayWithoutMonth,
}

/// How much of a date is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// The year alone.
    Year,
    /// Year and month.
    Month,
    /// The whole date.
    Day,
}

/// A date as far as it is known. A year alone stays a year and never becomes 1
/// January. The order is that of the calendar, the less precise first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct PartialDate {
    year: i32,
    month: u8,
    day: u8,
}

redacted_debug!(PartialDate);

/// The stored form; unknown parts are left out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    year: i32,
    #[serde(default, skip_serializing_if = "unknown")]
    month: u8,
    #[serde(default, skip_serializing_if = "unknown")]
    day: u8,
}

fn unknown(part: &u8) -> bool {
    *part == 0
}

impl PartialDate {
    /// Makes a date; month and day are 0 when unknown.
    ///
    /// # Errors
    /// When the calendar has no such day, or a day stands without a month.
    pub fn new(year: i32, month: u8, day: u8) -> Result<Self, DateError> {
        if !(1800..=2399).contains(&year) {
            return Err(DateError::Year);
        }
        if month > 12 {
            return Err(DateError::Month);
        }
        if month == 0 && day != 0 {
            return Err(DateError::DayWithoutMonth);
        }
        if day != 0 {
            let month = Month::try_from(month).map_err(|_| DateError::Month)?;
            Date::from_calendar_date(year, month, day).map_err(|_| DateError::Day)?;
        }
        Ok(Self { year, month, day })
    }

    /// The year.
    #[must_use]
    pub fn year(&self) -> i32 {
        self.year
    }

    /// The month, 0 when unknown.
    #[must_use]
    pub fn month(&self) -> u8 {
        self.month
    }

    /// The day, 0 when unknown.
    #[must_use]
    pub fn day(&self) -> u8 {
        self.day
    }

    /// How much is known.
    #[must_use]
    pub fn precision(&self) -> Precision {
        match (self.month, self.day) {
            (0, _) => Precision::Year,
            (_, 0) => Precision::Month,
            _ => Precision::Day,
        }
    }

    /// The first day it can be, as year, month, day.
    #[must_use]
    pub fn earliest(&self) -> (i32, u8, u8) {
        (self.year, self.month.max(1), self.day.max(1))
    }

    /// The last day it can be, as year, month, day.
    #[must_use]
    pub fn latest(&self) -> (i32, u8, u8) {
        let month = if self.month == 0 { 12 } else { self.month };
        let last = Month::try_from(month).map_or(31, |month| month.length(self.year));
        (self.year, month, if self.day == 0 { last } else { self.day })
    }

    /// Whether it is certainly after `date`: the test of "in the future". The current year alone is not.
    #[must_use]
    pub fn is_after(&self, date: &Date) -> bool {
        self.earliest() > parts(*date)
    }

    /// Whether what a caller claims agrees with the record (the caller's claim against the register's
    /// date of birth). A year claim matches a more precise record only where the legal profile lets
    /// a year suffice; a claim more precise than the record never matches, as nothing supports it.
    #[must_use]
    pub fn claim_matches(claim: &Self, record: &Self, year_suffices: bool) -> bool {
        if claim.precision() == record.precision() {
            return claim == record;
        }
        claim.precision() == Precision::Year && year_suffices && claim.year == record.year
    }
}

/// Year, month and day of a calendar date, comparable with [`PartialDate::earliest`] and its twin.
pub(crate) fn parts(date: Date) -> (i32, u8, u8) {
    (date.year(), u8::from(date.month()), date.day())
}

impl TryFrom<Date> for PartialDate {
    type Error = DateError;
    fn try_from(date: Date) -> Result<Self, DateError> {
        let (year, month, day) = parts(date);
        Self::new(year, month, day)
    }
}

impl TryFrom<Parts> for PartialDate {
    type Error = DateError;
    fn try_from(parts: Parts) -> Result<Self, DateError> {
        Self::new(parts.year, parts.month, parts.day)
    }
}

impl From<PartialDate> for Parts {
    fn from(date: PartialDate) -> Self {
        Self { year: date.year, month: date.month, day: date.day }
    }
}

/// The day in Viet Nam of a moment, in microseconds since 1970 (UTC); of one that no calendar has, the first of 1970.
#[must_use]
pub fn day_in_viet_nam(at_us: i64) -> Date {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_us) * 1_000);
    moment.unwrap_or(OffsetDateTime::UNIX_EPOCH).to_offset(offset!(+7)).date()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
    use time::macros::date;

    use super::*;

    fn day(year: i32, month: u8, day: u8) -> PartialDate {
        PartialDate::new(year, month, day).unwrap()
    }

    #[test]
    fn takes_real_days_only() {
        for (year, month, day, expected) in [
            (1800, 0, 0, None),
            (2399, 12, 31, None),
            (2024, 2, 29, None),
            (1990, 2, 0, None),
            (2023, 2, 29, Some(DateError::Day)),
            (1900, 2, 29, Some(DateError::Day)),
            (2000, 4, 31, Some(DateError::Day)),
            (1799, 0, 0, Some(DateError::Year)),
            (2400, 0, 0, Some(DateError::Year)),
            (2000, 13, 0, Some(DateError::Month)),
            (2000, 0, 1, Some(DateError::DayWithoutMonth)),
        ] {
            assert_eq!(PartialDate::new(year, month, day).err(), expected, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn the_future_is_certain_or_it_is_not_the_future() {
        let today = date!(2026 - 11 - 24);
        for (date, future) in [
            (day(2026, 11, 24), false),
            (day(2026, 11, 25), true),
            (day(2026, 11, 0), false),
            (day(2026, 12, 0), true),
            (day(2026, 0, 0), false),
            (day(2027, 0, 0), true),
        ] {
            assert_eq!(date.is_after(&today), future, "{:?}", date.earliest());
        }
    }

    #[test]
    fn bounds_hold_every_day_the_date_can_be() {
        assert_eq!(day(2024, 0, 0).latest(), (2024, 12, 31));
        assert_eq!(day(2024, 2, 0).latest(), (2024, 2, 29));
        assert_eq!(day(2023, 2, 0).latest(), (2023, 2, 28));
        assert_eq!(day(2023, 2, 0).earliest(), (2023, 2, 1));
        assert_eq!(day(2023, 5, 6).latest(), day(2023, 5, 6).earliest());
    }

    #[test]
    fn claims_match_as_the_profile_says() {
        let (full, month, year) = (day(1990, 5, 6), day(1990, 5, 0), day(1990, 0, 0));
        for (claim, record, strict, lenient) in [
            (full, full, true, true),
            (day(1990, 5, 7), full, false, false),
            (year, full, false, true),
            (day(1991, 0, 0), full, false, false),
            (year, year, true, true),
            (full, year, false, false),
            (day(1990, 1, 1), year, false, false),
            (month, year, false, false),
            (month, full, false, false),
            (month, month, true, true),
            (year, month, false, true),
        ] {
            let case = format!("{:?} {:?}", claim.latest(), record.latest());
            assert_eq!(PartialDate::claim_matches(&claim, &record, false), strict, "{case}");
            assert_eq!(PartialDate::claim_matches(&claim, &record, true), lenient, "{case}");
        }
    }

    #[test]
    fn a_stored_year_stays_a_year() {
        assert_eq!(serde_json::to_string(&day(1950, 0, 0)).unwrap(), r#"{"year":1950}"#);
        assert!(serde_json::from_str::<PartialDate>(r#"{"year":1950,"day":1}"#).is_err());
        assert_eq!(format!("{:?}", day(1950, 0, 0)), "PartialDate([personal])");
    }
}
