//! `lienthong pki`: a development certificate authority in a folder.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use lienthong::{
    demo::TRUST_DOMAIN,
    pki::{Pki, Wanted, day, shown},
    process::Runtime,
};
use serde_json::json;
use server::Caller;

use super::output::{Ending, Format, Output, print};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes a CA and an empty revocation list in a folder that has none.
    Init(Init),
    /// Issues a certificate for a system of an agency, a service, or an operator.
    Issue(Issue),
    /// Revokes the certificate of a name and publishes the revocation list.
    Revoke(Revoke),
    /// Publishes the revocation list anew, before the last one passes its date.
    Crl(Crl),
}

/// The folder of a CA, and the format.
#[derive(clap::Args)]
struct Folder {
    /// Folder of the CA.
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// How long a revocation list is valid.
#[derive(clap::Args)]
struct CrlDays {
    /// Days until the revocation list passes its date; servers that use it let nobody in after that.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=365))]
    crl_days: u16,
}

#[derive(clap::Args)]
pub(crate) struct Init {
    #[command(flatten)]
    folder: Folder,
    /// Trust domain of the identities it will issue.
    #[arg(long, value_name = "NAME", default_value = TRUST_DOMAIN)]
    trust_domain: String,
    #[command(flatten)]
    crl: CrlDays,
}

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("whose").required(true).args(["agency", "service", "operator"])))]
pub(crate) struct Issue {
    #[command(flatten)]
    folder: Folder,
    /// Name of the files: NAME.pem and NAME.key.
    #[arg(long)]
    name: String,
    /// Code of the agency whose system it is for.
    #[arg(long, value_name = "CODE", requires = "system")]
    agency: Option<String>,
    /// Id of the agency's system.
    #[arg(long, value_name = "ID", requires = "agency")]
    system: Option<String>,
    /// Name of one of our services: identity, contribution, policy, audit, or all.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Id of an officer of the operator.
    #[arg(long, value_name = "ID")]
    operator: Option<String>,
    /// How long it is valid.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// DNS name or address under which it is reached, repeated; localhost and 127.0.0.1 by default.
    #[arg(long = "dns", value_name = "NAME")]
    hosts: Vec<String>,
}

#[derive(clap::Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    folder: Folder,
    /// Name of the certificate's files.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    crl: CrlDays,
}

#[derive(clap::Args)]
pub(crate) struct Crl {
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    crl: CrlDays,
}

pub(crate) fn run(command: &Command, out: &mut impl Write) -> Result<()> {
    match command {
        Command::Init(arguments) => init(arguments, out),
        Command::Issue(arguments) => issue(arguments, out),
        Command::Revoke(arguments) => revoke(arguments, out),
        Command::Crl(arguments) => crl(arguments, out),
    }
}

fn init(arguments: &Init, out: &mut impl Write) -> Result<()> {
    let Folder { dir, output } = &arguments.folder;
    let trust_domain = &arguments.trust_domain;
    spiffe_id(trust_domain, "service/x")?;
    Pki::create(dir, trust_domain, arguments.crl.crl_days, Runtime::system().clock)?;
    let (ca, crl) = (shown(&dir.join("ca.pem")), shown(&dir.join("crl.pem")));
    match output.format {
        Format::Text => writeln!(
            out,
            "A development CA of {trust_domain}: not for production.\n  certificate  {ca}\n  \
             revocations  {crl}, for {} days",
            arguments.crl.crl_days
        )?,
        Format::Json => {
            print(&json!({ "trust_domain": trust_domain, "ca": ca, "crl": crl }), out)?;
        }
    }
    Ok(())
}

fn issue(arguments: &Issue, out: &mut impl Write) -> Result<()> {
    let Issue { name, agency, system, service, operator, days, hosts, .. } = arguments;
    let pki = open(&arguments.folder.dir)?;
    let trust_domain = pki.trust_domain()?.unwrap_or_else(|| TRUST_DOMAIN.to_owned());
    let path = match (agency, system, service, operator) {
        (Some(agency), Some(system), ..) => format!("agency/{agency}/system/{system}"),
        (.., Some(service), _) => format!("service/{service}"),
        (.., operator) => format!("operator/{}", operator.as_deref().unwrap_or_default()),
    };
    let spiffe_id = &spiffe_id(&trust_domain, &path)?;
    let wanted = Wanted { name, spiffe_id, days: *days, hosts: hosts.clone() };
    let (files, issued) = pki.issue_new(&wanted)?;
    match arguments.folder.output.format {
        Format::Text => writeln!(
            out,
            "{spiffe_id}, until {}\n  certificate  {}\n  key          {}\n  serial       {}",
            day(issued.not_after),
            files.certificate,
            files.key,
            issued.serial
        )?,
        Format::Json => print(
            &json!({
                "name": issued.name,
                "spiffe_id": issued.spiffe_id,
                "serial": issued.serial,
                "not_after": day(issued.not_after),
                "certificate": files.certificate,
                "key": files.key,
                "ca": files.ca,
            }),
            out,
        )?,
    }
    Ok(())
}

fn revoke(arguments: &Revoke, out: &mut impl Write) -> Result<()> {
    let Folder { dir, output } = &arguments.folder;
    let revoked = open(dir)?.revoke(&arguments.name, arguments.crl.crl_days)?;
    let crl = shown(&dir.join("crl.pem"));
    match output.format {
        Format::Text => writeln!(
            out,
            "{} is revoked.\n  serial       {}\n  revocations  {crl}, for {} days\nServers read the \
             list when they start: restart those with `server.crl`.",
            revoked.name, revoked.serial, arguments.crl.crl_days
        )?,
        Format::Json => print(
            &json!({ "name": revoked.name, "serial": revoked.serial, "at": revoked.at, "crl": crl }),
            out,
        )?,
    }
    Ok(())
}

fn crl(arguments: &Crl, out: &mut impl Write) -> Result<()> {
    let path = shown(&open(&arguments.folder.dir)?.publish(arguments.crl.crl_days)?);
    match arguments.folder.output.format {
        Format::Text => writeln!(out, "{path}, for {} days", arguments.crl.crl_days)?,
        Format::Json => {
            print(&json!({ "crl": path, "days": arguments.crl.crl_days }), out)?;
        }
    }
    Ok(())
}

fn open(folder: &Path) -> Result<Pki> {
    Pki::existing(folder, Runtime::system().clock)
        .with_context(|| format!("no CA in {} (see `lienthong pki init`)", shown(folder)))
}

/// The identity, if it is one that our servers will read.
fn spiffe_id(trust_domain: &str, path: &str) -> Result<String, Ending> {
    let id = format!("spiffe://{trust_domain}/{path}");
    let domain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let named = !trust_domain.is_empty() && trust_domain.chars().all(domain);
    if named && Caller::parse(&id, trust_domain).is_ok() {
        return Ok(id);
    }
    Err(Ending::Usage(format!("`{id}` is no identity: use letters, digits, `-`, `_` and `.`")))
}
