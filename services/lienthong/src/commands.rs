//! The commands. Each has a file of its own: its arguments, what it does, and how it prints the result.
//!
//! | module | job |
//! |---|---|
//! | `demo`, `serve`, `reference_database` | running services |
//! | `outcomes`, `conflicts` | what became of contributions, and who has to act where sources disagree |
//! | `lookup`, `lookup_stream`, `verify`, `explain`, `resolve`, `search`, `relations`, `household`, `accesses`, `rotate_tokens`, `consent`, `follow`, `contribute` | calling them as an agency does |
//! | `quality` | how good the values are that sources contribute |
//! | `audit` | the access log |
//! | `report` | what Articles 3(1)(dd) and 3(4)(dd) have reported each half-year |
//! | `routes` | the connections to databases, for the operator |
//! | `admission` | who may be connected, for officers of the operator |
//! | `agreement` | what both sides of a connection signed |
//! | `decision` | why a decision is what it is, and what may ever be asked for |
//! | `pki` | a development certificate authority |
//! | `migrate`, `check_config`, `synth` | an operator's preparations |
//! | `qcvn` | the names of today's platform, both ways |
//! | `conformance` | whether a database keeps the contract |
//! | `completions` | for shells |
//! | `connection`, `ground`, `evidence`, `values` | what calls have in common |
//! | `input` | what commands read |
//! | `output` | formats, and how a command ends |

mod accesses;
mod admission;
mod agreement;
mod audit;
mod check_config;
mod completions;
mod conflicts;
mod conformance;
mod connection;
mod consent;
mod contribute;
mod decision;
mod demo;
mod evidence;
mod explain;
mod follow;
mod ground;
mod household;
mod input;
mod lookup;
mod lookup_stream;
mod migrate;
mod outcomes;
mod output;
mod pki;
mod policy;
mod qcvn;
mod quality;
mod question;
mod reference_database;
mod relations;
mod report;
mod resolve;
mod rotate_tokens;
mod routes;
mod search;
mod serve;
mod synth;
#[cfg(test)]
mod tests;
mod values;
mod verify;
mod warrant_keys;

use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub(crate) use output::ended;
use tracing_subscriber::{filter::LevelFilter, prelude::*};

/// Joins the National Population Database with the other databases (Decision 1911/QD-TTg).
///
/// A command ends with 0 when it did what it was asked, with 1 when it could not, with 2 when it was asked
/// wrongly, with 3 where its own help says what that means, with 130 when it was interrupted, and with 141 when
/// nobody reads its output any more. Results go to standard output, all else to standard error.
#[derive(Parser)]
#[command(name = "lienthong", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a demonstration with synthetic persons in one folder: the tour, then serves until Ctrl-C.
    Demo(demo::Arguments),
    /// Runs every service in one process, or one of them.
    Serve(ServiceArguments),
    /// Looks a person up, as an agency does, and prints the answer.
    ///
    /// Arguments are seen by others on the machine: name synthetic persons only, or use a machine of your
    /// own.
    Lookup(Box<lookup::Arguments>),
    /// Looks many persons up on one stream, and prints each answer as it comes, with the place of its line.
    ///
    /// Ends with 3 when the stream ended well and a query was refused; what was printed says why.
    LookupStream(Box<lookup_stream::Arguments>),
    /// Holds claimed values against the register, which says whether it agrees and never what it holds.
    ///
    /// Arguments are seen by others on the machine: name synthetic persons only, or use a machine of your
    /// own.
    Verify(Box<verify::Arguments>),
    /// Says how the values of an item of a person came about: who said what, which is current, and by which rule.
    ///
    /// Arguments are seen by others on the machine: name synthetic persons only, or use a machine of your
    /// own.
    Explain(Box<explain::Arguments>),
    /// Finds the one person of whom name, date of birth and something else are known, or nobody.
    ///
    /// Arguments are seen by others on the machine: name synthetic persons only, or use a machine of your
    /// own.
    Resolve(Box<resolve::Arguments>),
    /// Lists persons of a name, for tasks that have to choose among several.
    ///
    /// Arguments are seen by others on the machine: name synthetic persons only, or use a machine of your
    /// own.
    Search(Box<search::Arguments>),
    /// Prints what changes in the register, as an agency that follows it is told: tokens, never a value.
    ///
    /// It ends with Ctrl-C, and goes on where it ended by its cursor file.
    Follow(Box<follow::Arguments>),
    /// Lists to whom a person is related: whom its record names, or whose records name it.
    ///
    /// Arguments are seen by others on the machine: name synthetic persons only, or use a machine of your
    /// own.
    Relations(Box<relations::Arguments>),
    /// Lists who lives with a person.
    ///
    /// Arguments are seen by others on the machine: name synthetic persons only, or use a machine of your
    /// own.
    Household(Box<household::Arguments>),
    /// Lists who asked about a person, when, why and on what ground, and what was given; each access with its proof.
    ///
    /// Arguments are seen by others on the machine: name synthetic persons only, or use a machine of your
    /// own.
    Accesses(Box<accesses::Arguments>),
    /// Has persons named to the caller by new tokens from now on.
    RotateTokens(Box<rotate_tokens::Arguments>),
    /// What persons consented to that somebody obtains of them: recorded, withdrawn, shown.
    #[command(subcommand)]
    Consent(Box<consent::Command>),
    /// Contributes an event in a person's life, as a database does, and prints what became of it.
    Contribute(Box<contribute::Arguments>),
    /// Lists what became of the caller's contributions, and of conflicts about them, from a cursor on.
    Outcomes(Box<outcomes::List>),
    /// Takes a contribution back that has no outcome yet, and prints what has become of it.
    Withdraw(Box<outcomes::Withdraw>),
    /// Where sources disagree: who has to act, and what both say.
    #[command(subcommand)]
    Conflicts(Box<conflicts::Command>),
    /// How consistent, complete, accurate and timely the values are that the caller contributed; for the register's own officers
    /// of all sources. By month, database and item.
    Quality(Box<quality::Arguments>),
    /// The access log.
    #[command(subcommand)]
    Audit(audit::Command),
    /// The report on the results of connection and sharing of a half-year or year (Decision 1911/QD-TTg, Art. 3(1)(dd), 3(4)(dd)): every
    /// agency on itself, auditors on all.
    ///
    /// Ends with 3 when a part of it could not be asked; the report says which, and why.
    Report(Box<report::Arguments>),
    /// Says, rule by rule, whether a database keeps the contract lienthong.database.v1.
    ///
    /// Ends with 0 when every MUST of the roles was tried and held, with 1 when one did not hold, and with 3 when
    /// nothing failed but something could not be tried. It runs on synthetic records only.
    Conformance(Box<conformance::Arguments>),
    /// The connections to databases, for officers of the operator: how far, what fails, what waits for whom.
    #[command(subcommand)]
    Routes(Box<routes::Command>),
    /// Admission of databases, for officers of the operator: who is obliged, what is missing, who moved what.
    #[command(subcommand)]
    Connection(Box<admission::Command>),
    /// What both sides of a connection agreed on: drafted, signed by each, proposed, kept.
    #[command(subcommand)]
    Agreement(Box<agreement::Command>),
    /// Which procedures, legal grounds and rules decide: tried on what was asked, proposed by one officer, put in force by another.
    #[command(subcommand)]
    Policy(Box<policy::Command>),
    /// The keys by which a database checks warrants, as the policy service publishes them (JWKS).
    WarrantKeys(Box<warrant_keys::Arguments>),
    /// What would be decided and why, and what a connection may ever ask for: for agencies about their own, for officers about
    /// any.
    #[command(subcommand)]
    Decision(decision::Command),
    /// A development certificate authority; production takes certificates from outside.
    #[command(subcommand)]
    Pki(pki::Command),
    /// Brings the schema of a service's database up to date.
    Migrate(migrate::Arguments),
    /// Prints the effective configuration, with secrets hidden, and every fault in it.
    ///
    /// Ends with 1 where it is not usable.
    CheckConfig(check_config::Arguments),
    /// Loads a seeded population of synthetic persons into a register.
    Synth(synth::Arguments),
    /// Runs a reference database: a peer with synthetic persons that implements the contract of databases.
    ///
    /// It says on standard output where it listens, and registers one event more whenever it gets SIGUSR1.
    ReferenceDatabase(reference_database::Arguments),
    /// The message and the inputs of today's platform (QCVN 109), converted both ways.
    ///
    /// Results go to standard output; what was left out and notes go to standard error. Nothing is sent.
    #[command(subcommand)]
    Qcvn(qcvn::Command),
    /// Prints completions for a shell.
    Completions(completions::Arguments),
}

/// A service and its configuration.
#[derive(Args)]
struct ServiceArguments {
    /// Which service.
    #[arg(value_enum)]
    service: ServiceName,
    /// Configuration file (TOML), laid over the defaults; `LIENTHONG__TABLE__KEY` variables over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ServiceName {
    All,
    Identity,
    Contribution,
    Policy,
    Audit,
    Exchange,
}

pub(crate) fn run(cli: Cli) -> Result<()> {
    let out = &mut std::io::stdout();
    match cli.command {
        Command::Demo(arguments) => {
            log(LevelFilter::ERROR);
            runtime()?.block_on(demo::run(arguments))
        }
        Command::Serve(arguments) => {
            log(LevelFilter::INFO);
            runtime()?.block_on(serve::run(&arguments))
        }
        Command::ReferenceDatabase(arguments) => {
            log(LevelFilter::INFO);
            runtime()?.block_on(reference_database::run(arguments, out))
        }
        Command::Lookup(arguments) => runtime()?.block_on(lookup::run(*arguments, out)),
        Command::LookupStream(arguments) => {
            runtime()?.block_on(lookup_stream::run(*arguments, out))
        }
        Command::Verify(arguments) => runtime()?.block_on(verify::run(*arguments, out)),
        Command::Explain(arguments) => runtime()?.block_on(explain::run(*arguments, out)),
        Command::Resolve(arguments) => runtime()?.block_on(resolve::run(*arguments, out)),
        Command::Search(arguments) => runtime()?.block_on(search::run(*arguments, out)),
        Command::Follow(arguments) => runtime()?.block_on(follow::run(*arguments, out)),
        Command::Relations(arguments) => runtime()?.block_on(relations::run(*arguments, out)),
        Command::Household(arguments) => runtime()?.block_on(household::run(*arguments, out)),
        Command::Accesses(arguments) => runtime()?.block_on(accesses::run(*arguments, out)),
        Command::RotateTokens(arguments) => {
            runtime()?.block_on(rotate_tokens::run(*arguments, out))
        }
        Command::Consent(command) => runtime()?.block_on(consent::run(*command, out)),
        Command::Contribute(arguments) => runtime()?.block_on(contribute::run(*arguments, out)),
        Command::Outcomes(arguments) => runtime()?.block_on(outcomes::list(*arguments, out)),
        Command::Withdraw(arguments) => runtime()?.block_on(outcomes::withdraw(*arguments, out)),
        Command::Conflicts(command) => runtime()?.block_on(conflicts::run(*command, out)),
        Command::Quality(arguments) => runtime()?.block_on(quality::run(*arguments, out)),
        Command::Report(arguments) => runtime()?.block_on(report::run(*arguments, out)),
        Command::Audit(command) => runtime()?.block_on(audit::run(&command, out)),
        Command::Conformance(arguments) => {
            runtime()?.block_on(conformance::run_command(*arguments, out))
        }
        Command::Routes(command) => runtime()?.block_on(routes::run(*command, out)),
        Command::WarrantKeys(arguments) => runtime()?.block_on(warrant_keys::run(&arguments, out)),
        Command::Connection(command) => runtime()?.block_on(admission::run(*command, out)),
        Command::Agreement(command) => runtime()?.block_on(agreement::run(*command, out)),
        Command::Policy(command) => runtime()?.block_on(policy::run(*command, out)),
        Command::Decision(command) => runtime()?.block_on(decision::run(command, out)),
        Command::Pki(command) => pki::run(&command, out),
        Command::Migrate(arguments) => runtime()?.block_on(migrate::run(&arguments, out)),
        Command::CheckConfig(arguments) => check_config::run(&arguments, out),
        Command::Synth(arguments) => runtime()?.block_on(synth::run(&arguments, out)),
        Command::Qcvn(command) => qcvn::run(command, out),
        Command::Completions(arguments) => completions::run(&arguments, out),
    }
}

/// Structured lines on standard error; nothing in them is personal data (I8).
fn log(level: LevelFilter) {
    let lines = tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines.with_filter(level)).init();
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let workers = workers(std::thread::available_parallelism().ok());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(workers).enable_all().build().context("no runtime")
}

/// How many threads run tasks: as many as there are processors to run on. On Linux that counts the affinity and the
/// quota of the control group, versions 1 and 2, in whole processors rounded down (std's documentation of
/// `available_parallelism`): the CPU limit of a container. Two at least, so that one long computation does not keep
/// health from being answered (I11).
fn workers(available: Option<NonZeroUsize>) -> usize {
    available.map_or(1, NonZeroUsize::get).max(2)
}
