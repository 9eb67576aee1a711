//! The one binary.

mod commands;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    commands::ended(commands::run(commands::Cli::parse()))
}
