//! `lienthong audit prune` and `lienthong audit import`: records into the archive, and a log back from it.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use audit::{Imported, Progress, Pruning, PruningDone, RETENTION, Retention, Target};
use lienthong::process::Runtime;
use serde_json::json;
use time::{
    Date, Time,
    macros::{format_description, offset},
};

use super::{
    super::{
        input,
        output::{Ending, Format, Output, print, say},
    },
    Stored,
    copy::{Copy, TOLD},
    settings_of,
};

/// An archive: a copy of the log, and what opens its records.
#[derive(clap::Args)]
struct Archived {
    /// Folder of a copy of the log, as `lienthong audit mirror` makes it.
    #[arg(long, help_heading = "Archive", value_name = "FOLDER")]
    copy: PathBuf,
    /// Files of openings, as `lienthong audit export` makes them. Of a record that is in several, an erasure counts.
    #[arg(long, help_heading = "Archive", value_name = "FILE", required = true, num_args = 1..)]
    openings: Vec<PathBuf>,
}

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["until", "below"])))]
pub(crate) struct Order {
    #[command(flatten)]
    stored: Stored,
    #[command(flatten)]
    archive: Archived,
    /// Prune the records of before this day (`YYYY-MM-DD`, in Viet Nam's time).
    #[arg(long, value_name = "DATE", value_parser = day)]
    until: Option<Date>,
    /// Prune the records below this index. Whole bundles of 256 are pruned, and never the newest record.
    #[arg(long, value_name = "INDEX")]
    below: Option<u64>,
    /// Number of the document that orders it.
    #[arg(long, value_name = "NUMBER")]
    document: String,
    /// The retention policy (TOML), where it is not as in `services/audit/data/retention.toml`.
    #[arg(long, value_name = "FILE")]
    retention: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct Import {
    /// Configuration file of `serve audit` or `serve all`: of an empty database, and of the keys of the log.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    archive: Archived,
    #[command(flatten)]
    output: Output,
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| format!("`{text}` is no day, as YYYY-MM-DD"))
}

pub(super) async fn prune(arguments: &Order, out: &mut impl Write) -> Result<()> {
    let Order { stored, archive, until, below, document, retention } = arguments;
    let (database, log) = stored.log()?;
    let target = match (until, below) {
        (Some(day), _) => Target::Before(midnight(*day)?),
        (None, Some(index)) => Target::Below(*index),
        (None, None) => return Err(Ending::Usage("--until or --below".to_owned()).into()),
    };
    let retention = read_retention(retention.as_deref())?;
    let (archive, _unchanged) = Copy::at(&archive.copy).archive(&archive.openings)?;
    let order = Pruning { target, retention, document: document.clone() };
    let clock = Runtime::system().clock;
    let done = audit::prune(&database, &log, archive, order, &clock, told).await;
    let PruningDone { minimum, before, deleted, size } = done.context("cannot prune the log")?;
    if stored.output.format == Format::Json {
        let told =
            json!({ "minimum_index": minimum, "before": before, "deleted": deleted, "size": size });
        return print(&told, out);
    }
    writeln!(
        out,
        "minimum index  {minimum}\nbefore         {before}\ndeleted        {deleted}\nrecords        {size}"
    )?;
    Ok(())
}

pub(super) async fn import(arguments: &Import, out: &mut impl Write) -> Result<()> {
    let Import { config, archive, output } = arguments;
    let settings = settings_of(Some(config))?;
    let (archive, _unchanged) = Copy::at(&archive.copy).archive(&archive.openings)?;
    let clock = Runtime::system().clock;
    let done = audit::import(&settings, archive, &clock, told).await;
    let Imported { size, root, openings, erased } = done.context("cannot import the log")?;
    let root = hex::encode(root);
    if output.format == Format::Json {
        let told = json!({ "size": size, "root": root, "openings": openings, "erased": erased });
        return print(&told, out);
    }
    writeln!(out, "records   {size}\nopenings  {openings}\nerased    {erased}\nroot      {root}")?;
    Ok(())
}

fn told(progress: Progress) {
    match progress {
        Progress::Verified(size) if size.is_multiple_of(TOLD) => say(&format!("verified {size}")),
        Progress::Done(size) if size.is_multiple_of(TOLD) => say(&format!("done {size}")),
        Progress::Verified(_) | Progress::Done(_) => {}
    }
}

fn read_retention(file: Option<&Path>) -> Result<Retention> {
    let text = file.map_or_else(|| Ok(RETENTION.to_owned()), input::text)?;
    toml::from_str(&text).context("the retention policy cannot be read")
}

/// The first moment of a day, in milliseconds since 1970.
fn midnight(day: Date) -> Result<u64> {
    // Viet Nam has no other time (Asia/Ho_Chi_Minh).
    let moment = day.with_time(Time::MIDNIGHT).assume_offset(offset!(+7));
    let seconds = u64::try_from(moment.unix_timestamp());
    Ok(seconds.context("there are no records of before 1970")? * 1_000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_shipped_retention_is_five_years_and_a_file_of_another_form_is_refused() {
        assert_eq!(read_retention(None).unwrap(), Retention { days: 1_827 });
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, days) in [("days = 400", Some(400)), ("", None), ("days = 400\nyears = 1", None)]
        {
            std::fs::write(file.path(), text).unwrap();
            let read = read_retention(Some(file.path())).ok();
            assert_eq!(read, days.map(|days| Retention { days }), "{text}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_viet_nam() {
        assert_eq!(midnight(day("1970-01-02").unwrap()).unwrap(), (24 - 7) * 3_600_000);
        assert!(midnight(day("1970-01-01").unwrap()).is_err());
        for text in ["", "2026", "2026-13-01", "01-02-2026", "2026-02-30"] {
            assert!(day(text).is_err(), "{text}");
        }
    }
}
