//! The tables of a report as CSV (RFC 4180), a file for each.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use model::report::{Report, Share};
use serde::Serialize;

/// Writes the tables into a folder that is empty or not there. A part that is missing has no file.
pub(super) fn write(report: &Report, folder: &Path) -> Result<()> {
    let shown = folder.display();
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{shown}`"))?;
    ensure!(fs::read_dir(folder)?.next().is_none(), "`{shown}` is not empty");
    let accesses = &report.accesses;
    let head = ["month", "operation", "agency", "purpose", "outcome", "requests"];
    table(folder, "requests", &head, &accesses.requests)?;
    let head = ["item", "vi", "agency", "purpose", "disclosed", "withheld"];
    table(folder, "items", &head, &accesses.items)?;
    table(folder, "refusals", &["agency", "reason", "requests"], &accesses.refusals)?;
    let head = ["operation", "requests", "p50_us", "p95_us", "p99_us"];
    table(folder, "latency", &head, &accesses.latency)?;
    table(folder, "outages", &["from", "until", "seconds"], &report.availability.outages)?;
    if let Some(databases) = &report.databases {
        let rows = databases.iter().map(|one| {
            let lacking = one.obstacles.iter().map(|lacking| lacking.obstacle.as_str());
            let lacking = lacking.collect::<Vec<_>>().join(" ");
            (&one.database, &one.vi, &one.en, &one.agency, &one.agency_vi, &one.state, lacking)
        });
        let head = ["database", "vi", "en", "agency", "agency_vi", "state", "obstacles"];
        table(folder, "databases", &head, rows)?;
    }
    if let Some(assessments) = &report.assessments {
        let rows = assessments.iter().map(|one| {
            (&one.connection, &one.agency, one.done.join(" "), &one.next_day, one.state)
        });
        let head = ["connection", "agency", "done", "next_day", "state"];
        table(folder, "assessments", &head, rows)?;
    }
    if let Some(suspensions) = &report.suspensions {
        let head = ["connection", "agency", "cause", "article", "from", "until"];
        table(folder, "suspensions", &head, suspensions)?;
    }
    if let Some(conflicts) = &report.conflicts {
        let head = [
            "database",
            "disputed",
            "decided_for",
            "decided_against",
            "within_7_days",
            "within_30_days",
            "later",
        ];
        table(folder, "conflicts", &head, conflicts)?;
    }
    if let Some(quality) = &report.quality {
        let share = |Share { part, all }: Share| (part, all);
        let rows = quality.iter().map(|one| {
            let first = (share(one.consistency), share(one.completeness));
            let last = (share(one.accuracy), share(one.timeliness));
            (&one.database, one.values, one.rejected, first, last)
        });
        let head = [
            "database",
            "values",
            "rejected",
            "consistent",
            "consistent_of",
            "complete",
            "complete_of",
            "accurate",
            "accurate_of",
            "timely",
            "timely_of",
        ];
        table(folder, "quality", &head, rows)?;
    }
    Ok(())
}

/// Rows with the names of their columns, also where there are none.
fn table<T: Serialize>(
    folder: &Path,
    name: &str,
    head: &[&str],
    rows: impl IntoIterator<Item = T>,
) -> Result<()> {
    let file = folder.join(format!("{name}.csv"));
    let write = || -> Result<()> {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_path(&file)?;
        writer.write_record(head)?;
        for row in rows {
            writer.serialize(row)?;
        }
        Ok(writer.flush()?)
    };
    write().with_context(|| format!("cannot write `{}`", file.display()))
}
