//! A report on the terminal: the sums, and what is missing.

use std::{collections::BTreeMap, io::Write};

use anyhow::Result;
use model::report::{AssessmentState, Outcome, Report, Share};

use super::super::output;

/// Tables that are longer go on in JSON, CSV or the document.
const SHOWN: usize = 10;

pub(super) fn text(report: &Report, out: &mut impl Write) -> Result<()> {
    let Report { period, log, availability, .. } = report;
    let whose = report.agency.as_ref().map_or("all agencies", |agency| agency.code.as_str());
    writeln!(out, "{}, {} to {}, {whose}", period.name, period.first_day, period.last_day)?;
    writeln!(out, "  records       {} of {} to {}", log.records, log.first_size, log.last_size)?;
    if log.erased > 0 {
        writeln!(out, "  erased        {}, in no figure", log.erased)?;
    }
    let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
    let (mut agencies, mut operations) = (BTreeMap::new(), BTreeMap::new());
    for row in &report.accesses.requests {
        *outcomes.entry(row.outcome).or_default() += row.requests;
        *agencies.entry(row.agency.as_str()).or_default() += row.requests;
        *operations.entry(row.operation.as_str()).or_default() += row.requests;
    }
    writeln!(out, "requests")?;
    for (outcome, requests) in outcomes {
        writeln!(out, "  {:<12}  {requests}", word(outcome))?;
    }
    most(out, "agencies", agencies, "the operator")?;
    most(out, "operations", operations, "")?;
    let mut items: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &report.accesses.items {
        *items.entry(&row.item).or_default() += row.disclosed;
    }
    most(out, "items given", items, "")?;
    parts(report, out)?;
    if availability.known_from.is_empty() {
        writeln!(out, "availability    not known")?;
    } else {
        let part = Share { part: availability.available_seconds, all: availability.known_seconds };
        let outages = availability.outages.len();
        writeln!(
            out,
            "availability    {} since {}, {outages} outages",
            percentage(part),
            availability.known_from
        )?;
    }
    for missing in &report.missing {
        writeln!(out, "missing         {}: {}", missing.part, missing.reason)?;
    }
    Ok(())
}

/// What other services than the log said.
fn parts(report: &Report, out: &mut impl Write) -> Result<()> {
    if let Some(databases) = &report.databases {
        let connected = databases.iter().filter(|one| one.state == "active").count();
        writeln!(out, "databases       {connected} of {} connected", databases.len())?;
    }
    if let Some(assessments) = &report.assessments {
        let count = |state| assessments.iter().filter(|one| one.state == state).count();
        let done = assessments.iter().filter(|one| !one.done.is_empty()).count();
        let (due, overdue) = (count(AssessmentState::Due), count(AssessmentState::Overdue));
        writeln!(
            out,
            "assessments     {done} done, {due} due, {overdue} overdue, of {}",
            assessments.len()
        )?;
    }
    if let Some(suspensions) = &report.suspensions {
        writeln!(out, "suspensions     {}", suspensions.len())?;
    }
    if let Some(conflicts) = &report.conflicts {
        let disputed: u64 = conflicts.iter().map(|one| one.disputed).sum();
        let decided: u64 = conflicts.iter().map(|one| one.decided_for + one.decided_against).sum();
        writeln!(out, "conflicts       {disputed}, {decided} decided")?;
    }
    for one in report.quality.iter().flatten() {
        writeln!(
            out,
            "quality         {}: consistent {}, complete {}, accurate {}, timely {}",
            one.database,
            percentage(one.consistency),
            percentage(one.completeness),
            percentage(one.accuracy),
            percentage(one.timeliness),
        )?;
    }
    Ok(())
}

/// The largest counts, and the sum of the rest.
fn most(
    out: &mut impl Write,
    what: &str,
    counts: BTreeMap<&str, u64>,
    unnamed: &str,
) -> Result<()> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let rest: u64 = counts.iter().skip(SHOWN).map(|(_, count)| count).sum();
    writeln!(out, "{what}")?;
    for (name, count) in counts.iter().take(SHOWN) {
        let name = if name.is_empty() { unnamed } else { name };
        writeln!(out, "  {count:>12}  {name}")?;
    }
    if rest > 0 {
        writeln!(out, "  {rest:>12}  of {} others", counts.len() - SHOWN)?;
    }
    Ok(())
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "answered",
        Outcome::NoMatch => "no match",
        Outcome::Refused => "refused",
        Outcome::Contributed => "contributed",
        Outcome::Rejected => "rejected",
        Outcome::Administered => "administered",
        Outcome::Shed => "shed",
    }
}

fn percentage(Share { part, all }: Share) -> String {
    output::percentage(part, all)
}
