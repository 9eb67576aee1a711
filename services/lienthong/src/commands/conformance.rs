//! `lienthong conformance`: the kit that says whether a database keeps the contract.

mod kept;
mod watched;

use std::{io::Write, path::PathBuf, time::Duration};

use ::conformance::{
    Act, Fixtures, Pem, Plan, Report, Role, Seed, Verdict, WarrantKey, report::page, run,
};
use anyhow::{Context as _, Result};
use lienthong::process::{Runtime, ended};

use self::watched::Watch;
use super::output::{Ending, Format, Output};

/// Which database is looked at, and with what.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    looking: Looking,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes a key that signs reports.
    Key(kept::Key),
    /// Makes a key that signs the warrants of the kit, and prints what the database is told to trust.
    WarrantKey(kept::WarrantKey),
    /// Checks, offline, that a report is what its key signed.
    Verify(kept::Verify),
}

#[derive(clap::Args)]
pub(crate) struct Looking {
    /// Where the database listens.
    #[arg(long, value_name = "HOST:PORT", help_heading = "Database", required = true)]
    target: Option<String>,
    /// Name that its certificate carries, where that is not the host.
    #[arg(long, value_name = "NAME", help_heading = "Database")]
    server_name: Option<String>,
    /// PEM file of the CA that issued its certificate.
    #[arg(long, value_name = "FILE", help_heading = "Database", required = true)]
    ca: Option<String>,
    /// PEM file of the kit's certificate chain: an identity on the database's allow list.
    #[arg(long, value_name = "FILE", help_heading = "Who calls", required = true)]
    certificate: Option<String>,
    /// PEM file of its private key.
    #[arg(long, value_name = "FILE", help_heading = "Who calls", required = true)]
    key: Option<String>,
    /// PEM file of a good certificate that is not on the allow list (DB-3).
    #[arg(long, value_name = "FILE", help_heading = "Who calls", requires = "stranger_key")]
    stranger_certificate: Option<String>,
    /// PEM file of its private key.
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Who calls",
        requires = "stranger_certificate"
    )]
    stranger_key: Option<String>,
    /// File of the key that signs the kit's warrants (`lienthong conformance warrant-key`), for the role lookup.
    #[arg(long, value_name = "FILE", help_heading = "Who calls")]
    warrant_key: Option<String>,
    /// Who signs warrants, as the database was told.
    #[arg(
        long,
        value_name = "SPIFFE_ID",
        help_heading = "Who calls",
        default_value = "spiffe://lienthong.test/service/policy"
    )]
    warrant_issuer: String,
    /// A role that is looked at, repeated; those of the description when none is said.
    #[arg(long = "role", value_enum, help_heading = "What is tried")]
    roles: Vec<RoleName>,
    /// The only rules that are tried, repeated; such a run is never whole.
    #[arg(long = "case", value_name = "RULE", help_heading = "What is tried")]
    cases: Vec<String>,
    /// What the kit must be told of the database's records (TOML; shared/conformance/README.md).
    #[arg(long, value_name = "FILE", help_heading = "What is tried")]
    fixtures: Option<String>,
    /// What every request is made from; the same seed makes the same requests. Another one each time
    /// when none is said: a sink knows the events of an earlier run.
    #[arg(long, value_name = "N", help_heading = "What is tried")]
    seed: Option<u64>,
    /// Shell command that restarts the database (SRC-9, SNK-7).
    #[arg(long, value_name = "COMMAND", help_heading = "What is tried")]
    restart: Option<String>,
    /// Shell command that commits one more synthetic change (SRC-24, SRC-32).
    #[arg(long, value_name = "COMMAND", help_heading = "What is tried")]
    change: Option<String>,
    /// How long one answer is waited for.
    #[arg(
        long,
        value_name = "SECONDS",
        help_heading = "What is tried",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(4..=600)
    )]
    patience: u64,
    /// Folder for report.json, report.txt and, with a key, report.json.sig.
    #[arg(long, value_name = "FOLDER", help_heading = "Result")]
    report: Option<PathBuf>,
    /// File of the key that signs the report (`lienthong conformance key`).
    #[arg(long, value_name = "FILE", help_heading = "Result", requires = "report")]
    signing_key: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum RoleName {
    Source,
    Lookup,
    Sink,
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Source => Self::Source,
            RoleName::Lookup => Self::Lookup,
            RoleName::Sink => Self::Sink,
        }
    }
}

pub(crate) async fn run_command(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    match arguments.command {
        Some(Command::Key(key)) => key.make(out),
        Some(Command::WarrantKey(key)) => key.make(out),
        Some(Command::Verify(verify)) => verify.check(out),
        None => look(arguments.looking, out).await,
    }
}

async fn look(looking: Looking, out: &mut impl Write) -> Result<()> {
    let runtime = Runtime::system();
    // What would keep the report from being written is known before anything is tried.
    let folder = looking.report.clone().map(|path| kept::Folder::prepare(&path)).transpose()?;
    let signer = looking.signing_key.as_deref().map(kept::signer).transpose()?;
    let fixtures = looking.fixtures.as_deref().map(Fixtures::read).transpose();
    let fixtures = fixtures.map_err(refused)?.unwrap_or_default();
    let warrants = looking.warrant_key.as_deref();
    let warrants = warrants.map(|path| WarrantKey::read(path, &looking.warrant_issuer));
    let warrants = warrants.transpose().map_err(refused)?;
    let seed = match looking.seed {
        Some(seed) => Seed::Given(seed),
        None => Seed::Fresh(u64::from_be_bytes(runtime.entropy.array())),
    };
    let (again, format) = (again(&looking, seed), looking.output.format);
    let plan = Plan {
        target: needed(looking.target)?,
        server_name: looking.server_name,
        ca: needed(looking.ca)?,
        identity: Pem { certificate: needed(looking.certificate)?, key: needed(looking.key)? },
        stranger: looking
            .stranger_certificate
            .zip(looking.stranger_key)
            .map(|(certificate, key)| Pem { certificate, key }),
        roles: looking.roles.into_iter().map(Role::from).collect(),
        only: looking.cases,
        fixtures,
        warrants,
        seed,
        restart: looking.restart.map(Act::command),
        change: looking.change.map(Act::command),
        patience: Duration::from_secs(looking.patience),
        clock: runtime.clock,
    };
    let watch = Watch::new();
    let report = run(plan, ended()?, |event| watch.see(event)).await;
    watch.finish();
    let report = report.map_err(refused)?;
    let (json, text) = (report.to_json()?, page(&report, &again));
    if let Some(folder) = folder {
        folder.keep(&json, &text, signer.as_ref())?;
    }
    match format {
        Format::Text => write!(out, "{text}")?,
        Format::Json => write!(out, "{json}")?,
    }
    out.flush().context("cannot print the report")?;
    end(&report)
}

/// What the arguments require wherever no other command stands.
fn needed(value: Option<String>) -> Result<String, Ending> {
    value.ok_or_else(|| Ending::Usage("--target, --ca, --certificate, --key".into()))
}

fn end(report: &Report) -> Result<()> {
    if report.interrupted {
        let why =
            "bị ngắt; báo cáo nói những gì đã thử / interrupted; the report says what was tried";
        return Err(Ending::Interrupted(why.into()).into());
    }
    match report.verdict {
        Verdict::Passed => Ok(()),
        Verdict::Incomplete => Err(Ending::Incomplete.into()),
        Verdict::Failed => Err(Ending::Failed.into()),
    }
}

fn refused(refusal: ::conformance::Refusal) -> anyhow::Error {
    if let ::conformance::Refusal::Usage(why) = refusal {
        return Ending::Usage(why).into();
    }
    refusal.into()
}

/// The command that makes the same requests again.
fn again(looking: &Looking, seed: Seed) -> String {
    let quoted = |text: &str| match text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._/:-=".contains(c))
    {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    };
    let seed = seed.number().to_string();
    let mut words = vec!["lienthong conformance".to_owned()];
    for (name, value) in [
        ("--target", looking.target.as_ref()),
        ("--server-name", looking.server_name.as_ref()),
        ("--ca", looking.ca.as_ref()),
        ("--certificate", looking.certificate.as_ref()),
        ("--key", looking.key.as_ref()),
        ("--stranger-certificate", looking.stranger_certificate.as_ref()),
        ("--stranger-key", looking.stranger_key.as_ref()),
        ("--warrant-key", looking.warrant_key.as_ref()),
        ("--warrant-issuer", Some(&looking.warrant_issuer)),
        ("--fixtures", looking.fixtures.as_ref()),
        ("--restart", looking.restart.as_ref()),
        ("--change", looking.change.as_ref()),
        ("--seed", Some(&seed)),
    ] {
        words.extend(value.map(|value| format!("{name} {}", quoted(value))));
    }
    words.join(" ")
}
