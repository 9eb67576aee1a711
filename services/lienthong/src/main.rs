//! The one binary. So far it checks receipts offline; serving comes with the services.

mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Joins the National Population Database with the other databases (Decision 1911/QD-TTg).
#[derive(Parser)]
#[command(name = "lienthong", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The access log.
    #[command(subcommand)]
    Audit(Audit),
}

#[derive(Subcommand)]
enum Audit {
    /// Checks, offline, that a request got this answer and that the log holds the record of it.
    Verify(verify::Arguments),
}

fn main() -> ExitCode {
    let Command::Audit(Audit::Verify(arguments)) = Cli::parse().command;
    match verify::run(&arguments, &mut std::io::stdout()) {
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
