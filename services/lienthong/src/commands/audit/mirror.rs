//! `lienthong audit mirror`: a copy of the access log, brought up to date. Nothing is part of the copy before it is known that the log
//! extends what was copied before, and that the entries are those that it signed.

use std::{io::Write, path::PathBuf};

use anyhow::{Context as _, Result, anyhow};
use contract::audit::v1::{
    GetCheckpointRequest, GetConsistencyProofRequest, GetEntryBundleRequest,
    log_service_client::LogServiceClient,
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
/// There are not so many records.
const NOT_IN_LOG: &str = "NOT_IN_LOG";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Folder of the copy, as C2SP tlog-tiles lays it out. One that is there is continued, if the log extends it.
    folder: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// What keeps a copy from being brought up to date.
enum Failed {
    Refused(Refused),
    /// What is shown is not proven to extend what was seen. The file holds it.
    Conflict {
        seen: u64,
        shown: u64,
        file: PathBuf,
    },
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
    let format = arguments.output.format;
    let (before, newest) = match update(&copy, &connected.client, &log).await {
        Ok(done) => done,
        Err(Failed::Refused(refused)) => return refuse(&refused, format, out),
        Err(Failed::Conflict { seen, shown, file }) => {
            return conflict(seen, shown, &file, format, out);
        }
        Err(Failed::Other(error)) => return Err(error),
    };
    let (size, root, new) = (newest.size, hex::encode(newest.root), newest.size - before);
    if format == Format::Json {
        let told = json!({ "origin": newest.origin, "size": size, "root": root, "copied": new });
        return print(&told, out);
    }
    writeln!(out, "{}\n  records  {size}\n  new      {new}", newest.origin)?;
    Ok(())
}

/// A checkpoint that is not shown to extend the one that was seen, both signed by the log.
fn conflict(
    seen: u64,
    shown: u64,
    file: &std::path::Path,
    format: Format,
    out: &mut impl Write,
) -> Result<()> {
    let file = file.display().to_string();
    match format {
        Format::Json => {
            let told = json!({ "seen_size": seen, "shown_size": shown, "checkpoint": file });
            print(&json!({ "conflict": told }), out)?;
        }
        Format::Text => say(&format!(
            "lienthong: the log of {shown} records that is shown was not proven to extend that of {seen} which was seen\n  the copy is \
             left as it was, and both checkpoints are kept; services/audit/README.md says what they prove\n  {file}"
        )),
    }
    Err(Ending::Failed.into())
}

/// Gives the size before, and what the copy is of now.
async fn update(
    copy: &Copy,
    client: &Client,
    log: &LogVerifier,
) -> Result<(u64, Checkpoint), Failed> {
    let mut update = copy.update()?;
    let held = copy.checkpoint(log)?;
    let seen = copy.seen(log)?.into_iter().chain(held.clone()).max_by_key(|seen| seen.size);
    let (newest, note) = extends(copy, seen.as_ref(), client, log).await?;
    let begin = held.as_ref().map_or(0, |held| held.size);
    not_pruned(client, begin, newest.size).await?;
    copy.see(&note)?;
    let mut pieces = copy.resume(held.as_ref()).context("the copy is damaged")?;
    let before = pieces.size();
    let bundles = Tile::all(Row::Entries, newest.size);
    let wanted = bundles.skip(usize::try_from(before / FULL)?).map(|piece| bundle(client, piece));
    let mut bundles = stream::iter(wanted).buffered(AHEAD);
    while let Some((piece, bytes)) = bundles.try_next().await? {
        let entries = tile::entries(&bytes).with_context(|| format!("`{piece}`"))?;
        if entries.len() as u64 != piece.width() {
            return Err(anyhow!("`{piece}` has not as many entries as were asked for").into());
        }
        // Of the first one a part may be there already.
        let had = usize::try_from(pieces.size() - piece.places().start)?;
        for entry in entries.into_iter().skip(had) {
            for (piece, bytes) in pieces.push(entry)? {
                update.add(piece, &bytes)?;
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
        update.add(piece, &bytes)?;
    }
    update.end(before, &newest, &note)?;
    Ok((before, newest))
}

/// A copy goes on with entries that the log still shows.
async fn not_pruned(client: &Client, begin: u64, size: u64) -> Result<(), Failed> {
    let mut service = LogServiceClient::new(client.channel());
    let asked = service.get_checkpoint(client.request(GetCheckpointRequest {})).await;
    // As long as its witnesses have cosigned nothing, it is not told; what is pruned is refused then when it is asked for.
    let Ok(answer) = asked else { return Ok(()) };
    let minimum = answer.into_inner().minimum_index;
    // The last bundle of the copy is asked for whole.
    if begin < size && begin / FULL * FULL < minimum {
        return Err(anyhow!(
            "the log shows no entries below {minimum}, which are in its archive, and the copy has {begin}: begin with a copy of the archive's, \
             put into this folder"
        )
        .into());
    }
    Ok(())
}

/// The newest checkpoint and its note, if the log extends what was seen of it.
async fn extends(
    copy: &Copy,
    seen: Option<&Checkpoint>,
    client: &Client,
    log: &LogVerifier,
) -> Result<(Checkpoint, String), Failed> {
    let old_size = seen.map_or(0, |seen| seen.size);
    let mut shown = asked(client, old_size).await?;
    if shown.0.is_none() && log.verify(&shown.1).is_ok_and(|newest| newest.size >= old_size) {
        // It has grown since it had not so many records.
        shown = asked(client, old_size).await?;
    }
    let (proof, note) = shown;
    let newest = log.verify(&note).context("the checkpoint cannot be trusted")?;
    let Some(seen) = seen.filter(|seen| seen.size > 0) else { return Ok((newest, note)) };
    let (old, new) = ((seen.size, &seen.root), (newest.size, &newest.root));
    if proof.is_some_and(|proof| tlog::verify_consistency(old, new, &proof).is_ok()) {
        return Ok((newest, note));
    }
    let file = copy.keep_conflicting(&newest, &note)?;
    Err(Failed::Conflict { seen: seen.size, shown: newest.size, file })
}

/// The newest checkpoint, with the proof that it extends an old one; none where the log has not so many records.
async fn asked(
    client: &Client,
    old_size: u64,
) -> Result<(Option<Vec<tlog::Hash>>, String), Failed> {
    let mut service = LogServiceClient::new(client.channel());
    let request = client.request(GetConsistencyProofRequest { old_size });
    match service.get_consistency_proof(request).await.map_err(Refused::from) {
        Ok(answer) => {
            let answer = answer.into_inner();
            Ok((Some(tlog::hashes(&answer.proof)?), answer.checkpoint))
        }
        // What it says that it is, it signs. Its witnesses may have seen less of it, or nothing yet, so that nothing else is shown.
        Err(refused) if refused.reason == NOT_IN_LOG => {
            let request = client.request(GetConsistencyProofRequest { old_size: 0 });
            let answer = service.get_consistency_proof(request).await;
            let answer = answer.map_err(|status| Failed::Refused(status.into()))?;
            Ok((None, answer.into_inner().checkpoint))
        }
        Err(refused) => Err(Failed::Refused(refused)),
    }
}

async fn bundle(client: &Client, piece: Tile) -> Result<(Tile, Vec<u8>), Failed> {
    let mut service = LogServiceClient::new(client.channel());
    let (index, width) = (piece.places().start / FULL, u32::try_from(piece.width())?);
    let asked = service.get_entry_bundle(client.request(GetEntryBundleRequest { index, width }));
    let answer = asked.await.map_err(|status| Failed::Refused(status.into()))?;
    Ok((piece, answer.into_inner().bundle))
}
