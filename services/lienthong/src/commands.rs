//! The commands.

use std::{io::Write, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use lienthong::{
    demo::{Demo, Options},
    process::{self, Runtime, ended},
    settings::{self, Settings},
};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

use crate::verify;

/// Joins the National Population Database with the other databases (Decision 1911/QD-TTg).
#[derive(Parser)]
#[command(name = "lienthong", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a demonstration with synthetic persons in one folder: the tour, then serves until Ctrl-C.
    Demo(DemoArguments),
    /// Runs every service in one process, or one of them.
    Serve(ServeArguments),
    /// Prints the effective configuration, with secrets hidden, and ends with 1 where it is not usable.
    CheckConfig(ServeArguments),
    /// The access log.
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Args)]
struct DemoArguments {
    /// Folder of everything the demonstration keeps.
    #[arg(long, default_value = ".lienthong")]
    data_dir: PathBuf,
    /// Address that agencies reach; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:7443")]
    listen: String,
    /// Synthetic persons in a new register.
    #[arg(long, default_value_t = 500)]
    persons: usize,
    /// Ends after the tour.
    #[arg(long)]
    exit: bool,
}

#[derive(Args)]
struct ServeArguments {
    /// What to run.
    #[arg(value_enum)]
    service: ServiceName,
    /// Configuration file (TOML), laid over the defaults; `LIENTHONG__TABLE__KEY` variables over it.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ServiceName {
    All,
    Identity,
    Contribution,
    Policy,
    Audit,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Checks, offline, that a request got this answer and that the log holds the record of it.
    Verify(verify::Arguments),
}

pub(crate) fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Demo(arguments) => {
            log(LevelFilter::ERROR);
            runtime()?.block_on(demo(arguments))
        }
        Command::Serve(arguments) => {
            log(LevelFilter::INFO);
            runtime()?.block_on(serve(&arguments))
        }
        Command::CheckConfig(arguments) => check_config(&arguments),
        Command::Audit(AuditCommand::Verify(arguments)) => {
            verify::run(&arguments, &mut std::io::stdout())
        }
    }
}

/// Structured lines on standard error; nothing in them is personal data (I8).
fn log(level: LevelFilter) {
    let lines = tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines.with_filter(level)).init();
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")
}

async fn demo(arguments: DemoArguments) -> Result<()> {
    let mut out = std::io::stdout();
    let end = ended()?;
    let options = Options {
        folder: arguments.data_dir,
        listen: arguments.listen,
        persons: arguments.persons,
        seed: 1911,
    };
    let demo = Demo::start(&options, Runtime::system()).await?;
    let folder = options.folder.display();
    writeln!(out, "lienthong: all services at {}, everything in {folder}/", demo.endpoint())?;
    writeln!(
        out,
        "All persons are synthetic; their numbers start with 990 to 999, as nobody's do."
    )?;
    let toured = demo.tour(&mut out).await;
    if toured.is_ok() && !arguments.exit {
        writeln!(out, "\nServing until Ctrl-C. To try by hand:")?;
        writeln!(out, "  lienthong audit verify {folder}/tour")?;
        writeln!(
            out,
            "  any gRPC client with {folder}/demo.json: endpoint, CA, callers, subjects"
        )?;
        end.await;
        writeln!(out, "\nStopping.")?;
    }
    demo.stop().await;
    toured
}

async fn serve(arguments: &ServeArguments) -> Result<()> {
    let end = ended()?;
    let file = arguments.config.as_deref();
    match arguments.service {
        ServiceName::All => {
            let all = process::All::start(settings::All::load(file)?, Runtime::system()).await?;
            tracing::info!(address = %all.address(), "serving");
            end.await;
            tracing::info!("draining");
            all.stop().await;
            tracing::info!("ended");
            Ok(())
        }
        ServiceName::Identity => {
            process::identity(settings::Identity::load(file)?, Runtime::system(), end).await
        }
        ServiceName::Contribution => {
            process::contribution(settings::Contribution::load(file)?, Runtime::system(), end).await
        }
        ServiceName::Policy => {
            process::policy(settings::Policy::load(file)?, Runtime::system(), end).await
        }
        ServiceName::Audit => process::audit(settings::Audit::load(file)?, end).await,
    }
}

fn check_config(arguments: &ServeArguments) -> Result<()> {
    let file = arguments.config.as_deref();
    match arguments.service {
        ServiceName::All => print(&settings::All::load(file)?),
        ServiceName::Identity => print(&settings::Identity::load(file)?),
        ServiceName::Contribution => print(&settings::Contribution::load(file)?),
        ServiceName::Policy => print(&settings::Policy::load(file)?),
        ServiceName::Audit => print(&settings::Audit::load(file)?),
    }
}

fn print<S: Settings>(settings: &S) -> Result<()> {
    write!(std::io::stdout(), "{}", toml::to_string(settings)?)?;
    Ok(())
}
