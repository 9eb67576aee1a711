//! `lienthong audit mirror`: a copy of the access log, brought up to date. Whatever comes is checked before it is kept: that the log
//! extends what was copied before, and that its entries are those that it signed.

use std::{io::Write, path::PathBuf};

use anyhow::{Context as _, Result, anyhow};
use contract::audit::v1::{
    GetConsistencyProofRequest, GetEntryBundleRequest, log_service_client::LogServiceClient,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use lienthong::client::{Client, Refused};
use serde_json::json;
use tlog::{
    Checkpoint, LogVerifier,
    tile::{self, FULL, Row, Tile},
};

use super::{
    super::{
        connection::Connection,
        output::{Ending, Format, Output, print, refuse, say},
    },
    copy::{Copy, TOLD},
};

/// Who asks, in a demonstration.
const CALLER: &str = "auditor";
/// Bundles that are under way at once.
const AHEAD: usize = 8;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Folder of the copy, as C2SP tlog-tiles lays it out. One that is there is continued, if the log extends it.
    folder: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// There are not so many records: a shorter log than was signed.
const NOT_IN_LOG: &str = "NOT_IN_LOG";
const PROOF: &str =
    "it was set back or forked; keep the copy, the signature on its checkpoint proves it";

/// What keeps a copy from being made.
enum Failed {
    Refused(Refused),
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Some((_, log)) = connected.log else {
        return Err(Ending::Usage("a log is copied with --log-key".to_owned()).into());
    };
    let copy = Copy::at(&arguments.folder);
    let before = copy.checkpoint(&log)?.map_or(0, |held| held.size);
    let newest = match update(&copy, &connected.client, &log).await {
        Ok(newest) => newest,
        Err(Failed::Refused(refused)) => return refuse(&refused, arguments.output.format, out),
        Err(Failed::Other(error)) => return Err(error),
    };
    let (size, root) = (newest.size, hex::encode(newest.root));
    if arguments.output.format == Format::Json {
        let told =
            json!({ "origin": newest.origin, "size": size, "root": root, "copied": size - before });
        return print(&told, out);
    }
    writeln!(out, "{}\n  records  {size}\n  new      {}", newest.origin, size - before)?;
    Ok(())
}

async fn update(copy: &Copy, client: &Client, log: &LogVerifier) -> Result<Checkpoint, Failed> {
    let held = copy.checkpoint(log)?;
    let (newest, note) = extends(held.as_ref(), client, log).await?;
    let before = held.map_or(0, |held| held.size);
    let mut pieces = copy.resume(before)?;
    let bundles = Tile::all(Row::Entries, newest.size);
    let wanted = bundles.skip(usize::try_from(before / FULL)?).map(|piece| bundle(client, piece));
    let mut bundles = stream::iter(wanted).buffered(AHEAD);
    while let Some((piece, bytes)) = bundles.try_next().await? {
        let entries = tile::entries(&bytes).with_context(|| format!("`{piece}`"))?;
        if entries.len() as u64 != piece.width() {
            return Err(
                anyhow::anyhow!("`{piece}` has not as many entries as was asked for").into()
            );
        }
        // Of the first one a part may be there already.
        let had = pieces.size() - piece.places().start;
        for entry in entries.into_iter().skip(usize::try_from(had)?) {
            for (piece, bytes) in pieces.push(entry)? {
                copy.add(&piece, &bytes)?;
            }
        }
        if pieces.size().is_multiple_of(TOLD) {
            say(&format!("{} / {}", pieces.size(), newest.size));
        }
    }
    if pieces.root()? != newest.root {
        return Err(
            anyhow!("the entries that were sent are not those that the log has signed").into()
        );
    }
    for (piece, bytes) in pieces.partial()? {
        copy.add(&piece, &bytes)?;
    }
    copy.end(before, &newest, &note)?;
    Ok(newest)
}

/// The newest checkpoint and its note, if the log extends what was copied.
async fn extends(
    held: Option<&Checkpoint>,
    client: &Client,
    log: &LogVerifier,
) -> Result<(Checkpoint, String), Failed> {
    let mut service = LogServiceClient::new(client.channel());
    let old_size = held.map_or(0, |held| held.size);
    let request = client.request(GetConsistencyProofRequest { old_size });
    let answer = match service.get_consistency_proof(request).await.map_err(Refused::from) {
        Ok(answer) => answer.into_inner(),
        Err(refused) if refused.reason == NOT_IN_LOG => {
            return Err(
                anyhow!("the log has not the {old_size} records of the copy: {PROOF}").into()
            );
        }
        Err(refused) => return Err(Failed::Refused(refused)),
    };
    let newest = log.verify(&answer.checkpoint).context("the checkpoint cannot be trusted")?;
    if let Some(held) = held.filter(|held| held.size > 0) {
        let (old, new) = ((held.size, &held.root), (newest.size, &newest.root));
        let proof = tlog::hashes(&answer.proof)?;
        tlog::verify_consistency(old, new, &proof).with_context(|| {
            format!(
                "the log of {} records does not extend the copy of {old_size}: {PROOF}",
                newest.size
            )
        })?;
    }
    Ok((newest, answer.checkpoint))
}

async fn bundle(client: &Client, piece: Tile) -> Result<(Tile, Vec<u8>), Failed> {
    let mut service = LogServiceClient::new(client.channel());
    let (index, width) = (piece.places().start / FULL, u32::try_from(piece.width())?);
    let asked = service.get_entry_bundle(client.request(GetEntryBundleRequest { index, width }));
    let answer = asked.await.map_err(|status| Failed::Refused(status.into()))?;
    Ok((piece, answer.into_inner().bundle))
}
