//! `lienthong audit erase` and `lienthong audit rewrap`: the keys of records.

use std::{io::Write, path::PathBuf};

use anyhow::{Context as _, Result};
use lienthong::process::Runtime;
use serde_json::json;

use super::settings_of;
use crate::commands::output::{Format, Output, print, say};

#[derive(clap::Args)]
pub(crate) struct Erasure {
    /// Configuration file of `serve audit` or `serve all`.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Indexes of the records.
    #[arg(long = "record", value_name = "INDEX", required = true, num_args = 1..)]
    records: Vec<u64>,
    /// Number of the document that orders the erasure.
    #[arg(long, value_name = "NUMBER")]
    document: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Rewrapping {
    /// Configuration file of `serve audit` or `serve all`.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn erase(arguments: &Erasure, out: &mut impl Write) -> Result<()> {
    let Erasure { config, records, document, output } = arguments;
    let database = settings_of(Some(config))?.database;
    let clock = Runtime::system().clock;
    let erased = audit::erase(database.reveal(), records, document, &clock).await;
    let audit::Erased { records, before, archived } = erased.context("cannot erase")?;
    match output.format {
        Format::Text => {
            writeln!(
                out,
                "erased       {records}\nwere before  {before}\narchived     {archived}"
            )?;
            if archived > 0 {
                say(
                    "what opens the archived ones is in the archive's files: whoever keeps those erases them there",
                );
            }
            Ok(())
        }
        Format::Json => {
            print(&json!({ "erased": records, "before": before, "archived": archived }), out)
        }
    }
}

pub(crate) async fn rewrap(arguments: &Rewrapping, out: &mut impl Write) -> Result<()> {
    let days = audit::rewrap(&settings_of(Some(&arguments.config))?).await;
    let days = days.context("cannot wrap anew")?;
    match arguments.output.format {
        Format::Text => {
            writeln!(out, "days         {days}")?;
            Ok(())
        }
        Format::Json => print(&json!({ "days": days }), out),
    }
}
