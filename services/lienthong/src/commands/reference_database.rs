//! `lienthong reference-database`: a database that is connected, simulated, as a process of its own. It registers one
//! event more whenever it gets SIGUSR1.

use std::{fs, io::Write, path::PathBuf};

use anyhow::{Context as _, Result};
use lienthong::{
    databases::{Database, Wanted},
    process::{Runtime, ended},
};
use serde::Deserialize;
use server::channel::Peer;
use tokio::signal::unix::{SignalKind, signal};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which database: civil-status, residence, citizen-id, medical, social-insurance or one-stop.
    profile: String,
    /// Where it keeps its file. A second start keeps what is there.
    #[arg(long, value_name = "DIR", default_value = ".lienthong")]
    data_dir: PathBuf,
    /// Address and port to listen on; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: String,
    /// The CA that callers are verified against (PEM).
    #[arg(long, value_name = "FILE")]
    ca: String,
    /// The database's certificate chain (PEM).
    #[arg(long, value_name = "FILE")]
    certificate: String,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE")]
    key: String,
    /// The trust domain of every identity.
    #[arg(long, default_value = "lienthong.test")]
    trust_domain: String,
    /// A SPIFFE id that may call it; may be given several times.
    #[arg(long, value_name = "SPIFFE_ID")]
    allow: Vec<String>,
    /// Who signs warrants: the SPIFFE id of the policy service.
    #[arg(
        long,
        value_name = "SPIFFE_ID",
        default_value = "spiffe://lienthong.test/service/policy"
    )]
    warrant_issuer: String,
    /// The keys that it publishes (JWKS), read again when a warrant names another one. Without them nobody is told of a person.
    #[arg(long, value_name = "FILE")]
    warrant_keys: Option<String>,
    /// Where the register listens: whoever it is told has changed is looked up there, where the profile follows anybody.
    #[arg(long, value_name = "HOST:PORT")]
    register: Option<String>,
    /// The name in the register's certificate: of a demonstration, `all`.
    #[arg(long, default_value = "identity")]
    register_service: String,
    /// Synthetic persons in a new database.
    #[arg(long, default_value_t = 200)]
    persons: usize,
    /// Changes that a new source has registered, besides one that is not kept any more.
    #[arg(long, default_value_t = 20)]
    changes: usize,
    /// Seed of the persons.
    #[arg(long, default_value_t = 1911)]
    seed: u64,
    /// Writes what the conformance kit must be told of it.
    #[arg(long, value_name = "FILE")]
    fixtures: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Defaults {
    server: server::Config,
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let end = ended()?;
    let runtime = Runtime::system();
    let Defaults { server } = server::config::load(&[server::config::DEFAULTS], None)?;
    let Arguments { profile, data_dir, listen, ca, certificate, key, trust_domain, .. } = arguments;
    fs::create_dir_all(&data_dir).with_context(|| format!("cannot make {}", data_dir.display()))?;
    let wanted = Wanted {
        profile: &profile,
        folder: &data_dir,
        // Whoever runs it here waits for nobody to notice that it ends.
        server: server::Config {
            listen,
            trust_domain,
            certificate,
            key,
            ca,
            lame_duck_seconds: 0,
            ..server
        },
        allow: arguments.allow,
        warrant_issuer: arguments.warrant_issuer,
        warrant_keys_file: arguments.warrant_keys.unwrap_or_default(),
        persons: arguments.persons,
        changes: arguments.changes,
        seed: arguments.seed,
    };
    let database = Database::start(&wanted, &runtime).await?;
    if let Some(register) = arguments.register {
        database.follow(&Peer::direct(register, arguments.register_service), &wanted.server)?;
    }
    if let Some(file) = arguments.fixtures {
        let text = database.fixtures().await?;
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    // From here on it is no signal that ends the process.
    let mut asked = signal(SignalKind::user_defined1())?;
    // One line for whoever started it and does not know the port.
    writeln!(out, "{}", serde_json::json!({ "database": profile, "listen": database.endpoint() }))?;
    out.flush()?;
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            // Whoever tries the database wants to see a change come.
            Some(()) = asked.recv() => {
                database.register_one(&runtime).await?;
            }
        }
    }
    database.stop().await;
    Ok(())
}
