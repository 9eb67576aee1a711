//! `lienthong report`: the report on the results of connection and sharing (Decision 1911/QD-TTg, Art. 3(1)(dd), 3(4)(dd)). Each figure
//! is asked for from the service that keeps it, over one half-open period of Viet Nam's time.

mod admitted;
mod contributed;
mod counted;
mod csv;
mod gathered;
mod period;
mod shown;
mod verify;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
};

use anyhow::{Context as _, Result};
use lienthong::process::Runtime;
use model::report::Report;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use self::{gathered::Gathered, period::Asked};
use super::{
    connection::Connection,
    output::{Ending, Format, Output, print, refuse, say},
};

/// Who asks, in a demonstration.
const CALLER: &str = "auditor";
/// The program that sets a report as a document; its typesetter would more than double what every service is made of.
const SETTER: &str = "lienthong-report";

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verify: Option<Verify>,
    #[command(flatten)]
    make: Make,
}

#[derive(clap::Subcommand)]
enum Verify {
    /// Counts a report's figures of accesses again, offline, from a copy of the log and the openings of its records.
    Verify(verify::Arguments),
}

#[derive(clap::Args)]
struct Make {
    #[command(flatten)]
    connection: Connection,
    /// The period: a year as 2026, or its halves as 2026-H1 and 2026-H2.
    #[arg(long, help_heading = "Report", value_name = "PERIOD", required = true)]
    period: Option<String>,
    /// Code of the agency that is reported on; left out, all of them.
    #[arg(long, help_heading = "Report", value_name = "CODE")]
    agency: Option<String>,
    /// When years and halves begin (TOML), where it is not as in `data/report-periods.toml`.
    #[arg(long, help_heading = "Report", value_name = "FILE")]
    periods: Option<PathBuf>,
    /// Where policy listens, if not at `--endpoint`: what databases are connected, assessed and suspended.
    #[arg(long, help_heading = "Connection", value_name = "HOST:PORT", conflicts_with = "demo")]
    policy_endpoint: Option<String>,
    /// Where contribution listens, if not at `--endpoint`: quality and conflicts.
    #[arg(long, help_heading = "Connection", value_name = "HOST:PORT", conflicts_with = "demo")]
    contribution_endpoint: Option<String>,
    /// Also writes the report as a document (PDF), by `lienthong-report` beside this program or on the path.
    #[arg(long, help_heading = "Result", value_name = "FILE")]
    pdf: Option<PathBuf>,
    /// What the document says of whoever reports (TOML), for `--pdf`.
    #[arg(long, help_heading = "Result", value_name = "FILE", requires = "pdf")]
    form: Option<PathBuf>,
    /// Also writes each table into this folder (CSV), which is empty or not there.
    #[arg(long, help_heading = "Result", value_name = "FOLDER")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    if let Some(Verify::Verify(arguments)) = arguments.verify {
        return verify::run(&arguments, out);
    }
    let make = arguments.make;
    let asked = asked(&make)?;
    let now = Runtime::system().clock.now();
    if asked.from >= now - gathered::UNDER_WAY {
        let why = format!("`{}` has not begun", asked.written.name);
        return Err(Ending::Usage(why).into());
    }
    let connected = make.connection.open(CALLER)?;
    let at = |service, endpoint: &Option<String>| match endpoint {
        Some(endpoint) => make.connection.open_elsewhere(service, endpoint),
        None => Ok(connected.client.clone()),
    };
    let gathered = Gathered {
        connected: &connected,
        policy: at("policy", &make.policy_endpoint)?,
        contribution: at("contribution", &make.contribution_endpoint)?,
        asked: &asked,
        agency: make.agency.as_deref(),
        now,
        synthetic: make.connection.is_demo(),
    };
    let report = match gathered.report().await? {
        Ok(report) => report,
        Err(refused) => return refuse(&refused, make.output.format, out),
    };
    if let Some(folder) = &make.csv {
        csv::write(&report, folder)?;
    }
    if let Some(pdf) = &make.pdf {
        set(&report, pdf, make.form.as_deref())?;
    }
    match make.output.format {
        Format::Json => print(&serde_json::to_value(&report)?, out)?,
        Format::Text => shown::text(&report, out)?,
    }
    // What could not be asked is in the report, and a program has to know it, too.
    if report.missing.is_empty() { Ok(()) } else { Err(Ending::Incomplete.into()) }
}

fn asked(make: &Make) -> Result<Asked> {
    let shipped = include_str!("../../data/report-periods.toml").to_owned();
    let beginnings = match &make.periods {
        None => shipped,
        Some(file) => {
            fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?
        }
    };
    let name = make.period.as_deref().unwrap_or_default();
    period::read(name, &beginnings).map_err(|error| Ending::Usage(format!("{error:#}")).into())
}

/// A moment in Viet Nam's time, RFC 3339.
fn moment(at: OffsetDateTime) -> String {
    at.to_offset(period::OFFSET).format(&Rfc3339).unwrap_or_default()
}

fn request_id() -> String {
    Runtime::system().entropy.id()
}

/// Sets the report as a document.
fn set(report: &Report, pdf: &Path, form: Option<&Path>) -> Result<()> {
    let own = std::env::current_exe().ok();
    let beside =
        own.and_then(|own| Some(own.parent()?.join(SETTER))).filter(|beside| beside.exists());
    let setter = beside.unwrap_or_else(|| SETTER.into());
    let mut command = Process::new(&setter);
    command.arg("-").arg("--out").arg(pdf).stdin(Stdio::piped());
    if let Some(form) = form {
        command.arg("--form").arg(form);
    }
    let mut setting = command.spawn().with_context(|| {
        format!(
            "cannot run `{}`, which makes the document: `cargo build --release -p report`",
            setter.display()
        )
    })?;
    let report = serde_json::to_vec(report)?;
    let given = setting.stdin.take().map(|mut input| input.write_all(&report));
    let ended = setting.wait()?;
    // Where it has said why, that it read no more says less.
    anyhow::ensure!(ended.success(), "`{SETTER}` failed");
    given.transpose()?;
    say(&format!("wrote {}", pdf.display()));
    Ok(())
}
