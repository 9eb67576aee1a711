//! `lienthong audit`: the access log, from outside of its service.

mod archive;
pub(super) mod copy;
mod export;
mod keys;
mod mirror;
mod receipt;
mod signature;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use audit::FileKeys;
use lienthong::{
    demo::KEK,
    settings::{self, Settings as _},
};
use serde_json::json;
use server::runtime::Entropy;
use tlog::{LogSigner, LogVerifier};

use super::{
    connection::log_key,
    output::{Ending, Format, Output, print, say},
};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Checks, offline, a receipt: that a request got this answer and that the log holds the record of it. With `--copy`, a copy of
    /// the log: every entry and every hash, and that it extends a checkpoint.
    Verify(receipt::Arguments),
    /// Makes a copy of the log, or brings one up to date, for auditors. It is not taken over if the log was set back or forked.
    Mirror(Box<mirror::Arguments>),
    /// Prints the newest signed checkpoint of a log, and checks its signature.
    ///
    /// The log is only read; its service may be running meanwhile.
    Checkpoint(Stored),
    /// Checks a log whole, in its database: every leaf, what opens it, every hash and every checkpoint.
    ///
    /// The log is only read; its service may be running meanwhile. With `--log-key` no secret is read, and no record is opened.
    Fsck(Stored),
    /// Opens records of a log and writes them into a file, for inspectors: with a copy of the log, whoever has it counts reports again.
    ///
    /// The log is only read; its service may be running meanwhile. What is written is personal: only its owner can read it.
    Export(export::Arguments),
    /// Verifies the signature that a caller made over its request, and writes what it takes to verify it without this program: who signed
    /// what cannot deny it.
    ///
    /// The log is only read; its service may be running meanwhile.
    Signature(signature::Arguments),
    /// Deletes records that are older than the retention, once an archive is verified to hold them. Hashes and checkpoints stay, so that
    /// every receipt and proof holds; entries below the new minimum index are shown no more.
    ///
    /// A run that was stopped is gone on with by the same command. services/audit/README.md says what an archive is. A log on SQLite
    /// must not be served meanwhile.
    Prune(Box<archive::Order>),
    /// Brings a log back from its archive, whole or not at all, into a database on which no process ever started.
    ///
    /// Never go on recording in a log that was brought back from an archive older than what was answered: its witnesses would say so.
    Import(archive::Import),
    /// Deletes the keys of records, because a document orders it: nobody can open them any more. The log and its proofs stay valid.
    ///
    /// services/audit/README.md says when that is final. A log on SQLite must not be served meanwhile.
    Erase(keys::Erasure),
    /// Wraps the keys of all days by the first key-encryption key, after which the others can go.
    ///
    /// A log on SQLite must not be served meanwhile.
    Rewrap(keys::Rewrapping),
}

/// A log in its database.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("where").required(true).args(["config", "data_dir"])))]
pub(crate) struct Stored {
    /// Configuration file of `serve audit` or `serve all`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of a demonstration.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// File of the log's verifier key (C2SP vkey), where another one than the log's own is trusted.
    #[arg(long, value_name = "FILE")]
    log_key: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(command: &Command, out: &mut impl Write) -> Result<()> {
    match command {
        Command::Verify(arguments) if arguments.copy => copy::verify(arguments, out),
        Command::Verify(arguments) => receipt::run(arguments, out),
        Command::Mirror(arguments) => mirror::run(arguments, out).await,
        Command::Checkpoint(arguments) => checkpoint(arguments, out).await,
        Command::Fsck(arguments) => fsck(arguments, out).await,
        Command::Export(arguments) => export::run(arguments, out).await,
        Command::Signature(arguments) => signature::run(arguments, out).await,
        Command::Prune(arguments) => archive::prune(arguments, out).await,
        Command::Import(arguments) => archive::import(arguments, out).await,
        Command::Erase(arguments) => keys::erase(arguments, out).await,
        Command::Rewrap(arguments) => keys::rewrap(arguments, out).await,
    }
}

impl Stored {
    /// Where the log is, and the key that its checkpoints must be signed by: that of `--log-key`, where it is given, and no other is
    /// looked at.
    fn log(&self) -> Result<(String, LogVerifier)> {
        let trusted = self.log_key.as_ref().map(log_key).transpose()?.map(|(_, log)| log);
        match &self.data_dir {
            Some(folder) => demo(folder, trusted),
            None => configured(self.config.as_deref(), trusted),
        }
    }

    /// What opens its records: nothing where the log is looked at by its public key alone.
    fn keys(&self) -> Result<Option<FileKeys>> {
        if self.log_key.is_some() {
            return Ok(None);
        }
        let files = match &self.data_dir {
            Some(folder) => vec![folder.join(KEK).display().to_string()],
            None => settings_of(self.config.as_deref())?.key_encryption_key_files,
        };
        Ok(Some(FileKeys::open(&files, Entropy::system())?))
    }
}

async fn fsck(arguments: &Stored, out: &mut impl Write) -> Result<()> {
    let (database, log) = arguments.log()?;
    let told = |size: u64| {
        if size.is_multiple_of(copy::TOLD) {
            say(&format!("{size}"));
        }
    };
    let keys = arguments.keys()?;
    let checked = audit::fsck(&database, &log, keys, told).await.context("cannot read the log")?;
    let damages: Vec<_> = checked.damages.iter().map(ToString::to_string).collect();
    let root = checked.root.map(hex::encode);
    match arguments.output.format {
        Format::Text => {
            for damage in &damages {
                writeln!(out, "{damage}")?;
            }
            let sound =
                if damages.is_empty() { "The log is sound." } else { "The log is damaged." };
            writeln!(
                out,
                "{sound}\n  records      {}\n  pruned       {}\n  openings     {}\n  signatures   {}\n  erased       {}\n  not opened   {}\n  checkpoints  {}",
                checked.size,
                checked.pruned,
                checked.openings,
                checked.signatures,
                checked.erased,
                checked.unopened,
                checked.checkpoints
            )?;
            if checked.left > 0 {
                writeln!(
                    out,
                    "  {} of those that are pruned are still here: `audit prune` was stopped, and can be run again",
                    checked.left
                )?;
            }
            match root {
                Some(root) => writeln!(out, "  root         {root}")?,
                None => writeln!(out, "  There is more, which was not read.")?,
            }
        }
        Format::Json => print(
            &json!({
                "sound": damages.is_empty(),
                "size": checked.size,
                "pruned": checked.pruned,
                "left": checked.left,
                "root": root,
                "openings": checked.openings,
                "signatures": checked.signatures,
                "erased": checked.erased,
                "unopened": checked.unopened,
                "checkpoints": checked.checkpoints,
                "damages": damages,
            }),
            out,
        )?,
    }
    if damages.is_empty() { Ok(()) } else { Err(Ending::Failed.into()) }
}

async fn checkpoint(arguments: &Stored, out: &mut impl Write) -> Result<()> {
    let (database, log) = arguments.log()?;
    let newest = audit::read_checkpoint(&database).await.context("cannot read the log")?;
    let audit::Newest { checkpoint: note, minimum_index } = newest;
    let checkpoint = log.verify(&note).context("the checkpoint cannot be trusted")?;
    match arguments.output.format {
        // The note alone, so that what was printed is the note.
        Format::Text => {
            write!(out, "{note}")?;
            say(&format!("{} records; the signature holds", checkpoint.size));
            if minimum_index > 0 {
                say(&format!("minimum index {minimum_index}: what is below is in the archive"));
            }
        }
        Format::Json => print(
            &json!({
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "root": hex::encode(checkpoint.root),
                "note": note,
                "minimum_index": minimum_index,
                "holds": true,
            }),
            out,
        )?,
    }
    Ok(())
}

/// Database and key of a demonstration.
fn demo(folder: &Path, trusted: Option<LogVerifier>) -> Result<(String, LogVerifier)> {
    let own = || Ok::<_, anyhow::Error>(log_key(&folder.join("log.vkey"))?.1);
    let log = trusted.map_or_else(own, Ok)?;
    Ok((format!("sqlite://{}", folder.join("audit.db").display()), log))
}

/// The settings of a log.
fn settings_of(file: Option<&Path>) -> Result<audit::Config> {
    match settings::Audit::load(file) {
        Ok(settings) => Ok(settings.audit),
        // The file may be that of a process that runs every service.
        Err(error) => Ok(settings::All::load(file).map_err(|_| error)?.audit),
    }
}

/// Database and key of a configured log: the public half of the key that signs it.
fn configured(file: Option<&Path>, trusted: Option<LogVerifier>) -> Result<(String, LogVerifier)> {
    let audit = settings_of(file)?;
    let own = || {
        let path = &audit.signing_key_file;
        let key = fs::read_to_string(path).with_context(|| format!("cannot read `{path}`"))?;
        let signer =
            LogSigner::parse(key.trim()).with_context(|| format!("`{path}` holds no key"))?;
        Ok::<_, anyhow::Error>(LogVerifier::new(signer.verifier_key())?)
    };
    let log = trusted.map_or_else(own, Ok)?;
    Ok((audit.database.reveal().to_owned(), log))
}
