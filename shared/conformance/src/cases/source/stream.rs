//! SRC-30 to SRC-33: the list as a stream.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use contract::database::v1::StreamChangesRequest;
use futures::future::join_all;
use prost::Message as _;
use tonic::Code;

use super::{Listed, Page, difference, listing, page_size_max, parsed, walk, whole};
use crate::{
    cases::transport::begun,
    found::{Found, Tried, Trouble, failed, no_answer},
    kit::{Kit, call, path, shown},
    wire::{Ask, NoAnswer, Reply, Wire},
};

const FOLLOWED: Duration = Duration::from_millis(1500);
const LATE: Duration = Duration::from_secs(1);

fn request(cursor: &str, follow: bool) -> StreamChangesRequest {
    StreamChangesRequest { cursor: cursor.to_owned(), follow }
}

/// One message of a stream.
fn part(tried: &str, message: &Bytes) -> Result<(Page, Vec<Listed>), Trouble> {
    let page = Page::decode(message.clone()).map_err(|error| {
        failed(tried, "a message of the contract", format!("it cannot be parsed: {error}"))
    })?;
    let changes = parsed(tried, &page)?;
    Ok((page, changes))
}

/// The changes of a stream that ended.
fn streamed(tried: &str, reply: &Reply) -> Result<Vec<Listed>, Trouble> {
    let mut changes = Vec::new();
    for message in &reply.messages {
        changes.extend(part(tried, message)?.1);
    }
    Ok(changes)
}

/// Some cursors of the list: the oldest, one in the middle, the last but two.
fn cursors(listing: &super::Listing) -> Vec<String> {
    let count = listing.changes.len();
    let places = [count / 2, count.saturating_sub(3)];
    let own = places.into_iter().filter_map(|place| listing.changes.get(place));
    let own = own.map(|listed| listed.change.cursor.clone());
    std::iter::once(String::new()).chain(own).collect()
}

async fn stream(wire: &Wire, tried: &str, cursor: &str) -> Tried<Reply> {
    call(wire, tried, path::STREAM, &request(cursor, false)).await
}

/// SRC-30.
pub(crate) async fn as_listed(kit: &Kit, found: &mut Found) -> Tried {
    let listing = whole(kit, 4).await?;
    let wire = kit.connect().await?;
    for (number, cursor) in cursors(listing).into_iter().enumerate() {
        let tried = format!("StreamChanges and ListChanges from the same cursor ({})", number + 1);
        let expected = walk(&wire, &cursor, page_size_max(kit)).await?;
        let reply = stream(&wire, &tried, &cursor).await?;
        let most = usize::try_from(page_size_max(kit)).unwrap_or(0);
        let mut streamed = Vec::new();
        for message in &reply.messages {
            let (page, changes) = part(&tried, message)?;
            let holds = (1..=most).contains(&changes.len()) && !page.next_cursor.is_empty();
            let seen = format!("{} changes, cursor `{}`", changes.len(), page.next_cursor);
            let expected = format!("messages of 1 to {most} changes, with a cursor");
            found.check(holds, tried.as_str(), expected, seen);
            streamed.extend(changes);
        }
        if let Some(seen) = difference(&expected.changes, &streamed, true) {
            found.fail(tried, "the same changes", seen);
        }
    }
    Ok(())
}

/// SRC-31.
pub(crate) async fn ends(kit: &Kit, found: &mut Found) -> Tried {
    let listing = whole(kit, 1).await?;
    let wire = kit.connect().await?;
    let end = listing.pages.last().map(|read| read.page.next_cursor.clone());
    let end = end.filter(|end| !end.is_empty()).map(|end| ("from the end", end));
    for (what, cursor) in [("from the oldest", String::new())].into_iter().chain(end) {
        let tried = format!("StreamChanges without follow, {what}");
        let reply = stream(&wire, &tried, &cursor).await?;
        let holds = reply.status.code() == Code::Ok;
        found.check(holds, tried, "OK at the end of the list", shown(&reply.status));
    }
    Ok(())
}

/// SRC-32.
pub(crate) async fn follows(kit: &Kit, found: &mut Found) -> Tried {
    let listing = whole(kit, 4).await?;
    let wire = kit.connect().await?;
    let last = listing.changes.iter().rev();
    // The end, and a little before it: what is there comes first.
    let places = last.enumerate().filter(|(before, _)| matches!(before, 0 | 2));
    let calls = places.map(|(before, listed)| {
        let ask = Ask::of(path::STREAM, &request(&listed.change.cursor, true)).due_in(FOLLOWED);
        let call = async { wire.open(ask).await?.rest(kit.patience()).await };
        async move { (before, call.await) }
    });
    for (before, outcome) in join_all(calls).await {
        let tried =
            format!("StreamChanges with follow, {before} changes before the end, due in 1.5 s");
        let expected = "an end, 1.5 to 2.5 s after its begin";
        let reply = match outcome {
            Ok(reply) => reply,
            Err(error) => {
                found.fail(tried, expected, error.to_string());
                continue;
            }
        };
        let stayed = reply.took >= FOLLOWED.mul_f64(0.9) && reply.took <= FOLLOWED + LATE;
        let seen = format!("{} after {:.2} s", shown(&reply.status), reply.took.as_secs_f64());
        found.check(stayed, tried.as_str(), expected, seen);
        let count = streamed(&tried, &reply)?.len();
        let expected = format!("{before} changes or more");
        found.check(count >= before, tried, expected, format!("{count} changes"));
    }
    new_ones(kit, &wire, listing, found).await
}

/// With a command that commits a change: a stream that follows brings it.
async fn new_ones(kit: &Kit, wire: &Wire, listing: &super::Listing, found: &mut Found) -> Tried {
    let Some(change) = &kit.plan.change else {
        found.remark(
            "chưa thử: luồng `follow` mang thay đổi ghi nhận trong khi nó mở (--change 'LỆNH')",
            "not tried: that a stream with follow brings what is committed while it is open (--change \
             'COMMAND')",
        );
        return Ok(());
    };
    let Some(last) = listing.changes.last() else { return Ok(()) };
    // What was committed since the list was read is not what is waited for.
    let since = walk(wire, &last.change.cursor, page_size_max(kit)).await?;
    let end = since.changes.last().unwrap_or(last);
    let tried = "StreamChanges with follow, while a change is committed";
    let lost = |error: NoAnswer| no_answer(tried, &error);
    // The command has its own time.
    let ask = Ask::of(path::STREAM, &request(&end.change.cursor, true)).due_in(kit.patience() * 6);
    let mut open = wire.open(ask).await.map_err(lost)?;
    begun(&mut open).await.map_err(lost)?;
    change.done().await.map_err(|error| failed(tried, "the command --change succeeds", error))?;
    let known: BTreeSet<&str> =
        listing.changes.iter().chain(&since.changes).map(Listed::id).collect();
    while let Some(message) = open.next(kit.patience()).await.map_err(lost)? {
        if part(tried, &message)?.1.iter().any(|listed| !known.contains(listed.id())) {
            open.cancel();
            return Ok(());
        }
    }
    found.fail(tried, "the new change", "the end of the stream");
    Ok(())
}

/// SRC-33.
pub(crate) async fn resumed(kit: &Kit, found: &mut Found) -> Tried {
    listing(kit, 4).await?;
    let wire = kit.connect().await?;
    let unbroken = stream(&wire, "StreamChanges", "").await?;
    let expected = streamed("StreamChanges", &unbroken)?;
    for parts in 1..=3 {
        let tried = format!("StreamChanges, broken off after {parts} messages and continued");
        let lost = |error: NoAnswer| no_answer(&tried, &error);
        let mut open = wire.open(Ask::of(path::STREAM, &request("", false))).await.map_err(lost)?;
        let mut read = Vec::new();
        let mut cursor = String::new();
        for _ in 0..parts {
            let Some(message) = open.next(kit.patience()).await.map_err(lost)? else { break };
            let (page, changes) = part(&tried, &message)?;
            read.extend(changes);
            cursor = page.next_cursor;
        }
        open.cancel();
        let reply = stream(&wire, &tried, &cursor).await?;
        read.extend(streamed(&tried, &reply)?);
        if let Some(seen) = difference(&expected, &read, false) {
            found.fail(tried, "what a stream gives that is not broken off", seen);
        }
    }
    Ok(())
}
