//! `lienthong report verify`: the figures of accesses counted again, offline, from the records between a report's two checkpoints.

use std::{fs, io::Write, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use audit::{
    Figures, Opened,
    openings::{Files, Handed},
};
use model::report::{Accesses, Report};
use serde_json::json;
use time::{Duration, OffsetDateTime, Time, format_description::well_known::Rfc3339};
use tlog::{Checkpoint, Leaf, LogVerifier};

use super::{
    super::{
        audit::copy::{Copy, opened},
        connection::log_key,
        output::{Ending, Format, Output, print, say},
    },
    gathered::name_items,
    period::OFFSET,
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The report (JSON), as `lienthong report --format json` wrote it.
    #[arg(value_name = "REPORT")]
    report: PathBuf,
    /// Folder of a copy of the log, as `lienthong audit mirror` makes it.
    #[arg(long, value_name = "FOLDER")]
    copy: PathBuf,
    /// Files of openings, as `lienthong audit export` makes them.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    openings: Vec<PathBuf>,
    /// File of the log's verifier key (C2SP vkey).
    #[arg(long, value_name = "FILE")]
    log_key: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// What was counted again.
struct Recounted {
    records: u64,
    erased: u64,
    /// Records of the period that came after the report's second checkpoint.
    late: u64,
    /// Whether any of them is of too long before the end to have been on its way.
    cut: bool,
    accesses: Accesses,
}

/// For how long before the end a record may have been on its way when the report was made.
const LATE_MS: u64 = 5 * 60_000;
/// What is not counted from the log.
const NOT_CHECKED: [&str; 7] = [
    "databases",
    "assessments",
    "suspensions",
    "conflicts",
    "quality",
    "availability",
    "names of agencies",
];

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let report = read(&arguments.report)?;
    let (_, log) = log_key(&arguments.log_key)?;
    let copy = Copy::at(&arguments.copy);
    let _unchanged = copy.shared()?;
    let [first, last] = checkpoints(&report, &log)?;
    let newest = copy.checkpoint(&log)?.context("there is no copy of a log")?;
    ensure!(newest.origin == last.origin, "the copy is of another log");
    ensure!(newest.size >= last.size, "the copy is older than the report: bring it up to date");
    copy.verify(&newest, &[&first, &last]).context("the copy does not hold")?;
    let recounted = recount(&report, &copy, newest.size, arguments)?;
    let differing = differing(&report, &recounted);
    told(arguments.output.format, &report, &recounted, &differing, out)?;
    if differing.is_empty() { Ok(()) } else { Err(Ending::Failed.into()) }
}

fn read(file: &PathBuf) -> Result<Report> {
    let shown = file.display();
    let text = fs::read(file).with_context(|| format!("cannot read `{shown}`"))?;
    let report: Report =
        serde_json::from_slice(&text).with_context(|| format!("`{shown}` is no report"))?;
    ensure!(report.form == Report::FORM, "`{shown}` is of another form: {}", report.form);
    Ok(report)
}

/// The report's checkpoints, if the log signed them and they are what it says of them.
fn checkpoints(report: &Report, log: &LogVerifier) -> Result<[Checkpoint; 2]> {
    let part = &report.log;
    let first = log.verify(&part.first).context("the first checkpoint cannot be trusted")?;
    let last = log.verify(&part.last).context("the last checkpoint cannot be trusted")?;
    let stated = (first.size, last.size) == (part.first_size, part.last_size)
        && last.origin == part.origin
        && first.size <= last.size;
    ensure!(stated, "the checkpoints are not what the report says of them");
    Ok([first, last])
}

/// Goes through every entry of the copy: that none of the period is left out can be seen only so.
fn recount(report: &Report, copy: &Copy, size: u64, arguments: &Arguments) -> Result<Recounted> {
    let (from, until) = counted(report)?;
    let mut openings = Files::new(opened(&arguments.openings)?);
    let (mut records, mut erased, mut late, mut cut) = (0, 0, 0, false);
    let mut figures = Figures::default();
    copy.entries(size, |index, entry| {
        let leaf = Leaf::parse(entry).context("an entry is no leaf")?;
        if !(from..until).contains(&leaf.time_ms) {
            return Ok(());
        }
        ensure!(index >= report.log.first_size, "record {index} of the period is left out");
        if index >= report.log.last_size {
            late += 1;
            cut |= leaf.time_ms + LATE_MS < until;
            return Ok(());
        }
        let found = openings.next(index).context("a file of openings is none")?;
        let found = found.with_context(|| format!("record {index} is not among the openings"))?;
        count(&mut figures, report, &leaf, found, (&mut records, &mut erased))
    })?;
    let mut accesses = figures.counted();
    name_items(&mut accesses.items)?;
    Ok(Recounted { records, erased, late, cut, accesses })
}

fn count(
    figures: &mut Figures,
    report: &Report,
    leaf: &Leaf,
    found: Handed,
    (records, erased): (&mut u64, &mut u64),
) -> Result<()> {
    let index = found.index;
    let own = |context: &str| {
        report.agency.as_ref().is_none_or(|agency| audit::agency_of(context) == agency.code)
    };
    match found.opened {
        Opened::Whole(opening) => {
            ensure!(opening.opens(leaf), "record {index} is not what its leaf commits to");
            if own(&opening.context) {
                *records += 1;
                let added = figures.add(leaf.time_ms, &opening.context, &opening.decision);
                ensure!(added, "record {index} cannot be read");
            }
        }
        Opened::Erased { context } if own(&context) => {
            *records += 1;
            *erased += 1;
        }
        Opened::Erased { .. } => {}
        Opened::Undone | Opened::Damaged | Opened::Closed => {
            bail!("record {index} cannot be opened")
        }
    }
    Ok(())
}

/// The milliseconds that were counted, half-open, if the days that the report names are those of its moments.
fn counted(report: &Report) -> Result<(u64, u64)> {
    let moment = |text: &str| {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok().filter(|at| at.nanosecond() == 0);
        at.map(|at| at.to_offset(OFFSET)).context("a moment of the report is none")
    };
    let (period, until) = (&report.period, moment(&report.log.until)?);
    let (from, end) = (moment(&period.from)?, moment(&period.until)?);
    let days = [from.date().to_string(), (end.date() - Duration::DAY).to_string()];
    let midnight = [from, end].iter().all(|at| at.time() == Time::MIDNIGHT);
    ensure!(
        midnight && days == [period.first_day.clone(), period.last_day.clone()],
        "the days of the period are not those of its moments"
    );
    ensure!(from <= until && until <= end, "more was counted than the period");
    let ms = |at: OffsetDateTime| anyhow::Ok(u64::try_from(at.unix_timestamp())? * 1_000);
    Ok((ms(from)?, ms(until)?))
}

/// In what the report says otherwise.
fn differing(report: &Report, recounted: &Recounted) -> Vec<&'static str> {
    let (said, counted) = (&report.accesses, &recounted.accesses);
    [
        ("records", report.log.records == recounted.records),
        ("erased", report.log.erased == recounted.erased),
        ("last checkpoint", !recounted.cut),
        ("requests", said.requests == counted.requests),
        ("items", said.items == counted.items),
        ("refusals", said.refusals == counted.refusals),
        // An agency is not told of it.
        ("latency", said.latency.is_empty() || said.latency == counted.latency),
    ]
    .into_iter()
    .filter_map(|(what, same)| (!same).then_some(what))
    .collect()
}

fn not_checked(report: &Report) -> Vec<&'static str> {
    let latency = report.accesses.latency.is_empty().then_some("latency");
    NOT_CHECKED.into_iter().chain(latency).collect()
}

fn told(
    format: Format,
    report: &Report,
    recounted: &Recounted,
    differing: &[&str],
    out: &mut impl Write,
) -> Result<()> {
    let Recounted { records, erased, late, .. } = recounted;
    let unchecked = not_checked(report);
    if format == Format::Json {
        let told = json!({
            "holds": differing.is_empty(),
            "differing": differing,
            "records": records,
            "erased": erased,
            "late": late,
            "until": report.log.until,
            "not_checked": unchecked,
            "first_size": report.log.first_size,
            "last_size": report.log.last_size,
        });
        return print(&told, out);
    }
    if differing.is_empty() {
        let (first, last) = (report.log.first_size, report.log.last_size);
        writeln!(
            out,
            "The figures of accesses hold.\n  records      {records}, from {first} to {last}"
        )?;
        writeln!(out, "  until        {}", report.log.until)?;
        writeln!(out, "  erased       {erased}, of which only that can be seen")?;
        writeln!(out, "  not checked  {}", unchecked.join(", "))?;
    } else {
        say(&format!(
            "lienthong: the report does not hold: it differs in {}",
            differing.join(", ")
        ));
    }
    if *erased > report.log.erased {
        say("  keys of records were erased since it was made");
    }
    if *late > 0 {
        say(&format!("  {late} records of the period came after its second checkpoint"));
    }
    Ok(())
}
