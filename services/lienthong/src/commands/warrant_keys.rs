//! `lienthong warrant-keys`: the keys by which a database checks warrants, as the policy service publishes them.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use contract::policy::v1::{
    GetWarrantKeysRequest, warrant_key_service_client::WarrantKeyServiceClient,
};
use serde_json::json;
use warrant::KeySet;

use super::{
    connection::Connection,
    output::{Format, Output, print, refuse, say},
};

/// Who asks, in a demonstration.
const CALLER: &str = "operator";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// File of the JWKS that a database reads. It is replaced whole, so that whoever reads it finds the one or the other.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let client = arguments.connection.open(CALLER)?.client;
    let mut service = WarrantKeyServiceClient::new(client.channel());
    let published = match service.get_warrant_keys(client.request(GetWarrantKeysRequest {})).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return refuse(&status.into(), arguments.output.format, out),
    };
    // What is no set of keys would lock everybody out.
    let keys = KeySet::parse(&published.jwks).context("what was published is no JWKS")?;
    anyhow::ensure!(!keys.is_empty(), "no key that signs warrants was published");
    let text = keys.to_json()?;
    if let Some(file) = &arguments.write {
        replace(file, &text).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    if arguments.output.format == Format::Json {
        let keys: serde_json::Value = serde_json::from_str(&text)?;
        let refresh = published.refresh_after.map(|after| after.seconds);
        let told = json!({ "issuer": published.issuer, "jwks": keys, "refresh_seconds": refresh });
        return print(&told, out);
    }
    say(&format!("nơi cấp / issuer  {}", published.issuer));
    writeln!(out, "{text}")?;
    Ok(())
}

fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, format!("{text}\n"))?;
    std::fs::rename(&beside, file)
}
