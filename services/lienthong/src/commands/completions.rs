//! `lienthong completions`: what a shell needs to complete commands and arguments.

use std::io::Write;

use anyhow::Result;
use clap::CommandFactory as _;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which shell.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(crate) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    // By way of memory: the generator panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Cli::command(), "lienthong", &mut script);
    out.write_all(&script)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_gets_every_command() {
        for shell in clap_complete::Shell::value_variants() {
            let mut out = Vec::new();
            run(&Arguments { shell: *shell }, &mut out).unwrap();
            let script = String::from_utf8(out).unwrap();
            for command in ["lookup", "contribute", "check-config", "checkpoint", "revoke"] {
                assert!(script.contains(command), "{shell}: {command}");
            }
        }
    }
}
