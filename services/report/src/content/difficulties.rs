//! What of the figures is a difficulty: only what they show themselves.

use model::report::{AssessmentState, Outcome, Report};
use serde::Serialize;

use super::{Names, Part};
use crate::{
    Error,
    table::{Table, UPRIGHT, summed},
    text::{self, number},
};

/// Each is none where there is nothing to say.
#[derive(Debug, Serialize)]
pub(crate) struct Difficulties {
    /// Databases that are not connected, of how many, and what they lack.
    unconnected: Option<(String, String)>,
    owed: Option<Table>,
    overdue: Option<(String, String)>,
    due: Option<(String, String)>,
    /// Connections that are stopped still.
    stopped: Option<(String, String)>,
    /// Outages, and how long they were together.
    outages: Option<(String, String)>,
    conflicts: Option<String>,
    shed: Option<String>,
    erased: Option<String>,
    /// Parts that are absent, and why.
    missing: Vec<(String, String)>,
    none: bool,
}

/// So many names are said in a sentence.
const NAMED: usize = 5;

pub(super) fn difficulties(report: &Report, names: &Names<'_>) -> Result<Difficulties, Error> {
    let databases = report.databases.as_deref().unwrap_or_default();
    let open = databases.iter().filter(|database| database.state != "active").count();
    let assessments = report.assessments.as_deref().unwrap_or_default();
    let assessed = |state| {
        let of = assessments.iter().filter(move |row| row.state == state);
        listed(of.map(|row| format!("{} ({})", row.connection, names.agency(&row.agency))))
    };
    let suspensions = report.suspensions.as_deref().unwrap_or_default();
    let stopped = suspensions.iter().filter(|row| row.until.is_empty());
    let stopped = stopped.map(|row| {
        format!("{} – {}", names.agency(&row.agency), names.words.of("cause", &row.cause))
    });
    let outages = &report.availability.outages;
    let lost = outages.iter().fold(0_u64, |sum, outage| sum.saturating_add(outage.seconds));
    let count = |count: u128| (count > 0).then(|| number(count));
    let undecided = match super::part(report, "conflicts", &report.conflicts, |all| {
        let open = all.iter().map(|row| {
            u128::from(row.disputed)
                .saturating_sub(u128::from(row.decided_for) + u128::from(row.decided_against))
        });
        Ok(open.sum())
    })? {
        Part::Here(open) => open,
        Part::Absent(_) => 0,
    };
    let shed = report.accesses.requests.iter().filter(|row| row.outcome == Outcome::Shed);
    let mut found = Difficulties {
        unconnected: count(open as u128).map(|open| (open, number(databases.len() as u128))),
        owed: owed(report, names),
        overdue: assessed(AssessmentState::Overdue),
        due: assessed(AssessmentState::Due),
        stopped: listed(stopped),
        outages: count(outages.len() as u128).map(|count| (count, text::duration(lost))),
        conflicts: count(undecided),
        shed: count(shed.map(|row| u128::from(row.requests)).sum()),
        erased: count(u128::from(report.log.erased)),
        missing: report
            .missing
            .iter()
            .map(|missing| (names.words.of("part", &missing.part), missing.reason.clone()))
            .collect(),
        none: false,
    };
    found.none = found.unconnected.is_none()
        && found.owed.is_none()
        && found.overdue.is_none()
        && found.due.is_none()
        && found.stopped.is_none()
        && found.outages.is_none()
        && found.conflicts.is_none()
        && found.shed.is_none()
        && found.erased.is_none()
        && found.missing.is_empty();
    Ok(found)
}

/// How many, and the first of their names.
fn listed(all: impl Iterator<Item = String>) -> Option<(String, String)> {
    let all: Vec<_> = all.collect();
    let named: Vec<_> = all.iter().take(NAMED).cloned().collect();
    let rest = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        rest => format!("; và {} kết nối khác", number(rest as u128)),
    };
    (!all.is_empty()).then(|| (number(all.len() as u128), format!("{}{rest}", named.join("; "))))
}

/// What is missing for connecting, by who owes it.
fn owed(report: &Report, names: &Names<'_>) -> Option<Table> {
    let databases = report.databases.iter().flatten();
    let obstacles = databases.flat_map(|database| &database.obstacles);
    let sums = summed(obstacles.map(|obstacle| {
        let by = names.words.of("owed-by", &obstacle.owed_by);
        ((by, names.words.of("obstacle", &obstacle.obstacle)), [1_u128])
    }));
    let mut table = Table::new("Điều kiện còn thiếu theo trách nhiệm")
        .words("Điều kiện còn thiếu", 1.0)
        .figures("Số cơ sở dữ liệu, hệ thống");
    let mut rows: Vec<_> = sums.into_iter().collect();
    // The most frequent first, of each who owes them.
    rows.sort_by(|((a, _), x), ((b, _), y)| a.cmp(b).then(y.cmp(x)));
    let mut owes = None;
    for ((by, what), [count]) in rows {
        if owes.as_ref() != Some(&by) {
            table.group(by.clone());
            owes = Some(by);
        }
        table.row([what, number(count)]);
    }
    (!table.is_empty()).then(|| table.fit(UPRIGHT))
}
