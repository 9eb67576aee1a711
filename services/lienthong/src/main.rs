//! The one binary.

mod commands;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match commands::run(commands::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The terminal is where a person reads why.
            #[expect(clippy::print_stderr, reason = "a command's error goes to the terminal")]
            {
                eprintln!("lienthong: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
