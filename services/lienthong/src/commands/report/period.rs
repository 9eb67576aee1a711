//! Periods of reports: which days they are, in Viet Nam's time.

use anyhow::{Context as _, Result, bail, ensure};
use model::report::{Months, Period};
use serde::Deserialize;
use time::{Date, Duration, Month, OffsetDateTime, Time, UtcOffset, macros::offset};

/// Viet Nam has no other time (Asia/Ho_Chi_Minh).
pub(super) const OFFSET: UtcOffset = offset!(+7);

/// When years and halves begin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Beginnings {
    year: String,
    second_half: String,
}

/// A period, as moments and as it is written.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) from: OffsetDateTime,
    pub(super) until: OffsetDateTime,
    pub(super) written: Period,
    /// The months that end in it.
    pub(super) months: Months,
}

/// The period of a name, by the beginnings that a file gives.
pub(super) fn read(name: &str, beginnings: &str) -> Result<Asked> {
    let beginnings: Beginnings =
        toml::from_str(beginnings).context("the periods cannot be read")?;
    let (year, half) = match name.split_once('-') {
        None => (name, None),
        Some((year, half @ ("H1" | "H2"))) => (year, Some(half)),
        Some(_) => bail!("`{name}` is no period: 2026, 2026-H1 or 2026-H2"),
    };
    let digits = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    let year: i32 = year
        .parse()
        .ok()
        .filter(|_| digits)
        .with_context(|| format!("`{name}` is no period: 2026, 2026-H1 or 2026-H2"))?;
    let (month, day) = month_and_day(&beginnings.year)?;
    let second = month_and_day(&beginnings.second_half)?;
    ensure!((month, day) != second, "a year and its second half begin on the same day");
    // What begins later in the year than its second half begins in the year before.
    let before = i32::from((month, day) > second);
    let begins = |year: i32| date(year - before, month, day);
    let middle = date(year, second.0, second.1)?;
    let (first, end) = match half {
        None => (begins(year)?, begins(year + 1)?),
        Some("H1") => (begins(year)?, middle),
        Some(_) => (middle, begins(year + 1)?),
    };
    Ok(asked(name, first, end))
}

fn asked(name: &str, first: Date, end: Date) -> Asked {
    let moment = |day: Date| day.with_time(Time::MIDNIGHT).assume_offset(OFFSET);
    let (from, until, last) = (moment(first), moment(end), end - Duration::DAY);
    let month = |day: Date| format!("{:04}-{:02}", day.year(), u8::from(day.month()));
    // So each month is in one report, and whole when that is made.
    let whole = last.day() == last.month().length(last.year());
    let ended = if whole { last } else { last - Duration::days(i64::from(last.day())) };
    let written = Period {
        name: name.to_owned(),
        first_day: first.to_string(),
        last_day: last.to_string(),
        from: super::moment(from),
        until: super::moment(until),
    };
    Asked { from, until, written, months: Months { first: month(first), last: month(ended) } }
}

fn month_and_day(text: &str) -> Result<(u8, u8)> {
    let parts = text
        .split_once('-')
        .and_then(|(month, day)| Some((month.parse().ok()?, day.parse().ok()?)));
    parts.with_context(|| format!("`{text}` is no day of a year, as `MM-DD`"))
}

fn date(year: i32, month: u8, day: u8) -> Result<Date> {
    let month = Month::try_from(month)?;
    Ok(Date::from_calendar_date(year, month, day)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SHIPPED: &str = include_str!("../../../data/report-periods.toml");

    #[test]
    fn halves_follow_on_one_another_and_make_the_year() {
        for (name, first, last, months) in [
            ("2026", "2025-12-15", "2026-12-14", ("2025-12", "2026-11")),
            ("2026-H1", "2025-12-15", "2026-06-14", ("2025-12", "2026-05")),
            ("2026-H2", "2026-06-15", "2026-12-14", ("2026-06", "2026-11")),
        ] {
            let Asked { written, months: Months { first: from, last: to }, .. } =
                read(name, SHIPPED).unwrap();
            assert_eq!((written.first_day.as_str(), written.last_day.as_str()), (first, last));
            assert_eq!((from.as_str(), to.as_str()), months);
        }
        let at = |name| read(name, SHIPPED).unwrap();
        assert_eq!(at("2026-H1").until, at("2026-H2").from);
        assert_eq!(at("2026-H2").until, at("2027-H1").from);
        assert_eq!(at("2026").from, at("2026-H1").from);
        assert_eq!(at("2026").written.from, "2025-12-15T00:00:00+07:00");
    }

    #[test]
    fn years_may_be_those_of_the_calendar() {
        let calendar = "year = \"01-01\"\nsecond_half = \"07-01\"\n";
        let half = read("2026-H1", calendar).unwrap();
        assert_eq!(half.written.first_day, "2026-01-01");
        assert_eq!(half.written.last_day, "2026-06-30");
        assert_eq!(half.months, Months { first: "2026-01".to_owned(), last: "2026-06".to_owned() });
        assert_eq!(read("2026", calendar).unwrap().written.last_day, "2026-12-31");
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for name in ["", "26", "2026-Q1", "2026-H3", "2026H1", "+026", "20266", "2026-H1-"] {
            assert!(read(name, SHIPPED).is_err(), "{name}");
        }
        for beginnings in [
            "",
            "year = \"02-30\"\nsecond_half = \"06-15\"",
            "year = \"x\"",
            "year = \"06-15\"\nsecond_half = \"06-15\"",
        ] {
            assert!(read("2026", beginnings).is_err());
        }
    }
}
