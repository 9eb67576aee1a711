//! Legal grounds, dated. The law behind Decision 1911/QD-TTg changes, so a ground is a row with a first
//! and a last day, and what is cited is the row in force on the day of the decision.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::{Date, OffsetDateTime, Time, UtcOffset, macros::offset};

use crate::Error;

time::serde::format_description!(pub(super) day, Date, "[year]-[month]-[day]");

/// Viet Nam's time of day: UTC+7, without summer time.
const VIET_NAM: UtcOffset = offset!(+7);

/// The day in Viet Nam at a moment.
pub fn today(now: OffsetDateTime) -> Date {
    now.to_offset(VIET_NAM).date()
}

/// The moment at which a day begins in Viet Nam.
pub fn start_of(day: Date) -> OffsetDateTime {
    day.with_time(Time::MIDNIGHT).assume_offset(VIET_NAM)
}

/// One legal ground.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasisRow {
    /// Its id, as requests and rules name it.
    pub id: String,
    /// Number of the instrument.
    pub instrument: String,
    /// The article.
    pub article: String,
    /// The clause; empty where the whole article is meant.
    pub clause: String,
    /// How it is cited.
    pub citation: String,
    /// First day in force; absent where it began before any request this system can get.
    #[serde(default, with = "day::option")]
    pub effective_from: Option<Date>,
    /// First day on which it is no longer in force.
    #[serde(default, with = "day::option")]
    pub effective_to: Option<Date>,
    /// The row that took its place.
    pub replaced_by: Option<String>,
}

impl BasisRow {
    /// Whether it is in force on a day.
    #[must_use]
    pub fn in_force(&self, day: Date) -> bool {
        self.effective_from.is_none_or(|from| from <= day)
            && self.effective_to.is_none_or(|to| day < to)
    }
}

/// All legal grounds known.
#[derive(Clone, Debug)]
pub struct LegalBasis {
    rows: BTreeMap<String, BasisRow>,
}

/// The file, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    row: Vec<BasisRow>,
}

impl LegalBasis {
    /// Reads the table; ids are distinct and every successor exists.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let file: File = toml::from_str(text).map_err(|e| Error::data("legal basis", e))?;
        let mut rows = BTreeMap::new();
        for row in file.row {
            let id = row.id.clone();
            if rows.insert(id.clone(), row).is_some() {
                return Err(Error::data("legal basis", format!("`{id}` is there twice")));
            }
        }
        for row in rows.values() {
            if let Some(next) = &row.replaced_by
                && !rows.contains_key(next)
            {
                return Err(Error::data("legal basis", format!("`{next}` is not there")));
            }
        }
        Ok(Self { rows })
    }

    /// The row of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&BasisRow> {
        self.rows.get(id)
    }

    /// Every row, by id.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &BasisRow> {
        self.rows.values()
    }

    /// The row of an id if it is in force on a day.
    #[must_use]
    pub fn in_force(&self, id: &str, day: Date) -> Option<&BasisRow> {
        self.get(id).filter(|row| row.in_force(day))
    }

    /// The row that stands for an id on a day: itself, or the successor in force. What was replaced is
    /// never cited as if it still held.
    #[must_use]
    pub fn current(&self, id: &str, day: Date) -> Option<&BasisRow> {
        let mut row = self.get(id)?;
        // No chain of successors is longer than the table, so a circle ends too.
        for _ in 0..self.rows.len() {
            if row.in_force(day) {
                return Some(row);
            }
            row = self.get(row.replaced_by.as_deref()?)?;
        }
        None
    }

    /// How an id is cited; empty if it is not known.
    pub fn citation(&self, id: &str) -> String {
        self.get(id).map(|row| row.citation.clone()).unwrap_or_default()
    }
}
