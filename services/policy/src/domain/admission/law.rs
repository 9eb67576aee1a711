//! What the law says of admissions, as data: the checklist, causes, deadlines, and who owes what.

use std::collections::BTreeSet;

use serde::Deserialize;
use time::{Date, Duration, OffsetDateTime};

use super::super::basis::{day, start_of, today};
use super::super::calendar::Calendar;
use super::super::catalogue::Catalogue;
use super::{Admission, Stage};
use crate::Error;

/// The moves of officers after which the law may set a time.
const MOVES: [&str; 10] = [
    "apply",
    "check",
    "agree",
    "conform",
    "assess",
    "activate",
    "suspend",
    "resume",
    "propose-end",
    "end",
];

/// The cause of a suspension that the service itself records.
pub(crate) const LAPSED: &str = "assessment-lapsed";

/// A part of the checklist.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListedPart {
    pub(crate) id: String,
    vi: String,
    en: String,
}

/// A cause of a suspension or of an end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cause {
    pub(crate) id: String,
    vi: String,
    en: String,
    pub(crate) article: String,
    /// Only the service itself gives it.
    #[serde(default)]
    pub(crate) service: bool,
    /// It is one for what was never opened, and for nothing else.
    #[serde(default)]
    pub(crate) unopened: bool,
}

/// Who owes what is missing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Owed {
    condition: Condition,
    by: By,
    article: String,
}

/// What may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Condition {
    Applied,
    Checked,
    Agreed,
    Conformant,
    Assessed,
    Findings,
    Opened,
}

const CONDITIONS: usize = 7;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    Owner,
    Operator,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deadline {
    id: String,
    after: String,
    limit: u32,
    unit: Unit,
    vi: String,
    en: String,
    article: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Unit {
    WorkingDays,
    Days,
    Hours,
}

/// A database that has to be connected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Obliged {
    pub(crate) id: String,
    pub(crate) vi: String,
    pub(crate) en: String,
    pub(crate) owner_vi: String,
    pub(crate) owner_en: String,
    pub(crate) article: String,
    #[serde(with = "day")]
    pub(crate) since: Date,
    #[serde(default)]
    pub(crate) several: bool,
}

/// The list of obliged databases.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObligedList {
    #[serde(with = "day")]
    pub(crate) due_day: Date,
    pub(crate) due_article: String,
    #[serde(rename = "database")]
    pub(crate) databases: Vec<Obliged>,
}

/// A time that the law set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) id: String,
    pub(crate) vi: String,
    pub(crate) en: String,
    pub(crate) article: String,
    /// The moment at which it is over.
    pub(crate) at: OffsetDateTime,
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Law {
    /// The least level of security.
    pub(crate) security_level: u32,
    pub(crate) parts: Vec<ListedPart>,
    suspensions: Vec<Cause>,
    ends: Vec<Cause>,
    owed: Vec<Owed>,
    deadlines: Vec<Deadline>,
    pub(crate) obliged: ObligedList,
    calendar: Calendar,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdmissionFile {
    security_level: u32,
    part: Vec<ListedPart>,
    suspension: Vec<Cause>,
    end: Vec<Cause>,
    owed: Vec<Owed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeadlineFile {
    deadline: Vec<Deadline>,
}

impl Law {
    /// Reads the shipped data; a fault in them keeps the service from starting (I9).
    pub(crate) fn shipped(calendar: Calendar) -> Result<Self, Error> {
        Self::read(
            include_str!("../../../data/admission.toml"),
            include_str!("../../../data/deadlines.toml"),
            include_str!("../../../data/obliged.toml"),
            calendar,
        )
    }

    fn read(
        admission: &str,
        deadlines: &str,
        obliged: &str,
        calendar: Calendar,
    ) -> Result<Self, Error> {
        let file: AdmissionFile =
            toml::from_str(admission).map_err(|e| Error::data("admission", e))?;
        let deadlines: DeadlineFile =
            toml::from_str(deadlines).map_err(|e| Error::data("deadlines", e))?;
        let obliged: ObligedList =
            toml::from_str(obliged).map_err(|e| Error::data("obliged", e))?;
        let law = Self {
            security_level: file.security_level,
            parts: file.part,
            suspensions: file.suspension,
            ends: file.end,
            owed: file.owed,
            deadlines: deadlines.deadline,
            obliged,
            calendar,
        };
        law.check()?;
        Ok(law)
    }

    fn check(&self) -> Result<(), Error> {
        distinct("checklist", self.parts.iter().map(|part| (&part.id, [&part.vi, &part.en])))?;
        let causes = self.suspensions.iter().map(|c| (&c.id, [&c.vi, &c.en]));
        distinct("causes", causes)?;
        distinct("causes", self.ends.iter().map(|c| (&c.id, [&c.vi, &c.en])))?;
        distinct("obliged", self.obliged.databases.iter().map(|d| (&d.id, [&d.vi, &d.en])))?;
        distinct("deadlines", self.deadlines.iter().map(|d| (&d.id, [&d.vi, &d.en])))?;
        let conditions: BTreeSet<_> = self.owed.iter().map(|owed| owed.condition).collect();
        if conditions.len() != CONDITIONS || self.owed.len() != CONDITIONS {
            return Err(Error::data("admission", "not every condition is owed once"));
        }
        if !self.suspension(LAPSED).is_some_and(|cause| cause.service) {
            return Err(Error::data("admission", format!("`{LAPSED}` is not the service's")));
        }
        for Deadline { id, after, .. } in &self.deadlines {
            let known = match after.split_once(':') {
                Some(("suspend", cause)) => self.suspension(cause).is_some(),
                Some(_) => false,
                None => MOVES.contains(&after.as_str()),
            };
            if !known {
                return Err(Error::data("deadlines", format!("`{id}` is after no move")));
            }
        }
        Ok(())
    }

    pub(crate) fn suspension(&self, id: &str) -> Option<&Cause> {
        self.suspensions.iter().find(|cause| cause.id == id)
    }

    pub(crate) fn end(&self, id: &str) -> Option<&Cause> {
        self.ends.iter().find(|cause| cause.id == id)
    }

    /// The article of the cause for which an admission stands as it does; empty where there is none.
    pub(crate) fn article<'a>(&'a self, admission: &Admission) -> &'a str {
        let cause = match &admission.stage {
            Stage::Suspended { cause } => self.suspension(cause),
            Stage::Ended { cause } => self.end(cause),
            Stage::Admitting | Stage::Active | Stage::Expired => None,
        };
        cause.map_or("", |cause| &cause.article)
    }

    /// Who owes a condition, and under which article.
    pub(crate) fn owed(&self, condition: Condition) -> (&'static str, &str) {
        let owed = self.owed.iter().find(|owed| owed.condition == condition);
        owed.map_or(("", ""), |owed| {
            let by = match owed.by {
                By::Owner => "owner",
                By::Operator => "operator",
            };
            (by, &owed.article)
        })
    }

    /// The time that the law sets after a move, by the move's name.
    pub(crate) fn deadline(&self, moved: &str, at_us: i64) -> Option<Due> {
        let found = self.deadlines.iter().find(|deadline| deadline.after == moved)?;
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_us) * 1_000).ok()?;
        // A day is over when the next one begins.
        let end_of = |day: Date| day.next_day().map(start_of);
        let over = match found.unit {
            Unit::WorkingDays => end_of(self.calendar.after(today(at), found.limit))?,
            Unit::Days => end_of(today(at).checked_add(Duration::days(found.limit.into()))?)?,
            Unit::Hours => at.checked_add(Duration::hours(found.limit.into()))?,
        };
        let Deadline { id, vi, en, article, .. } = found.clone();
        Some(Due { id, vi, en, article, at: over })
    }

    /// Whether the catalogue has a ground in force on a day, itself or what took its place.
    pub(crate) fn in_force(catalogue: &Catalogue, basis: &str, day: Date) -> bool {
        catalogue.legal_basis().current(basis, day).is_some()
    }
}

/// Ids are not empty and not there twice, and have words in both languages.
fn distinct<'a>(
    file: &'static str,
    entries: impl Iterator<Item = (&'a String, [&'a String; 2])>,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for (id, words) in entries {
        if id.is_empty() || !seen.insert(id) || words.iter().any(|words| words.is_empty()) {
            return Err(Error::data(
                file,
                format!("`{id}` is empty, there twice or without words"),
            ));
        }
    }
    if seen.is_empty() { Err(Error::data(file, "it is empty")) } else { Ok(()) }
}
