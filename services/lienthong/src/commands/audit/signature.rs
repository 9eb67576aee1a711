//! `lienthong audit signature`: what a caller signed, as the log holds it, for an inspector or a court.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use audit::SignedRequest;
use serde_json::json;

use super::{
    super::output::{Ending, Format, print, say},
    Stored,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    stored: Stored,
    /// Index of the record.
    #[arg(long, value_name = "INDEX")]
    record: u64,
    /// File of the exact bytes of the request, as whoever has them shows them: whether they are those that were signed. The log holds
    /// their digest alone.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Folder to write into: `signed.bin`, the bytes that were signed; `signature.bin`; and `certificate.der`.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let (database, _) = arguments.stored.log()?;
    let keys = arguments.stored.keys()?.ok_or_else(|| {
        Ending::Usage("a record is opened with its keys, and not by --log-key".to_owned())
    })?;
    let index = arguments.record;
    let found =
        audit::signed_request(&database, keys, index).await.context("the record cannot be read")?;
    let Some(signed) = found else {
        say(&format!("lienthong: record {index} has no signature that can be read"));
        return Err(Ending::Failed.into());
    };
    if let Some(folder) = &arguments.out {
        write(folder, &signed)?;
    }
    let same = match &arguments.request {
        Some(file) => {
            let bytes =
                fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
            Some(tlog::digest(&bytes) == signed.request_digest)
        }
        None => None,
    };
    tell(index, &signed, same, arguments.stored.output.format, out)
}

fn tell(
    index: u64,
    signed: &SignedRequest,
    same: Option<bool>,
    format: Format,
    out: &mut impl Write,
) -> Result<()> {
    let fault = signed.verify().err().map(|fault| fault.name());
    let holds = fault.is_none() && same != Some(false);
    let digest = hex::encode(signed.request_digest);
    let certificate = hex::encode(&signed.signature.certificate_thumbprint);
    if format == Format::Json {
        print(
            &json!({
                "record": index,
                "holds": holds,
                "fault": fault,
                "method": signed.method,
                "caller": signed.caller,
                "algorithm": signed.signature.algorithm,
                "certificate": certificate,
                "request_digest": digest,
                "request_is_the_signed_one": same,
            }),
            out,
        )?;
    } else {
        let word = if holds { "The signature holds." } else { "The signature does not hold." };
        writeln!(
            out,
            "{word}\n  record       {index}\n  method       {}\n  caller       {}\n  algorithm    {}\n  certificate  {certificate}\n  request      {digest}",
            signed.method, signed.caller, signed.signature.algorithm
        )?;
        match same {
            Some(true) => writeln!(out, "  the request that is shown is the one that was signed")?,
            Some(false) => writeln!(out, "  the request that is shown is another one")?,
            None => {}
        }
        if let Some(fault) = fault {
            writeln!(out, "  wrong        {fault}")?;
        }
    }
    if holds { Ok(()) } else { Err(Ending::Failed.into()) }
}

fn write(folder: &Path, signed: &SignedRequest) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let to_sign = signed.to_sign();
    let files: [(&str, &[u8]); 3] = [
        ("signed.bin", &to_sign),
        ("signature.bin", &signed.signature.signature),
        ("certificate.der", &signed.certificate),
    ];
    for (name, bytes) in files {
        let file = folder.join(name);
        fs::write(&file, bytes).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    Ok(())
}
