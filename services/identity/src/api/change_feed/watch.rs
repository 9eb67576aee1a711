//! `WatchPersonChanges`: changes as they come, and heartbeats.

use std::{sync::Arc, time::Duration};

use contract::identity::v1::{WatchPersonChangesRequest, WatchPersonChangesResponse};
use disclosure::{
    Exact, Released,
    streaming::{self, Place, Responses, Telling},
};
use server::{Caller, Closing, Deadline};
use tokio::{sync::watch, time::Instant};
use tonic::Status;
use wire::{policy::Act, timestamp_us};

use super::{WATCH_PERSON_CHANGES, news, read, told};
use crate::{
    api::{Shared, call::Call, deciding::Deciding},
    app::Wanted,
};

/// Streams of one caller that are open at once. It is in the contract.
pub(in crate::api) const STREAMS_MAX: usize = 8;
/// Changes of one message, which are recorded together. It is in the contract.
const CHANGES_MAX: usize = 32;
/// Messages that are made and not taken by the transport.
const AHEAD_MAX: usize = 1;
/// How long one message may take to be made: what a stream lasts is no time for one.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(30);

/// Starts to tell.
pub(super) fn start(
    shared: Arc<Shared>,
    caller: Caller,
    deadline: Deadline,
    closing: Closing,
    exact: Exact<WatchPersonChangesRequest>,
) -> Responses<WatchPersonChangesResponse> {
    streaming::tell((deadline, closing), AHEAD_MAX, |telling| async move {
        let _stream = shared.following.open(&caller)?;
        tell(&shared, &caller, deadline, &exact, &telling).await
    })
}

/// Tells until the caller goes away or the stream must end.
async fn tell(
    shared: &Shared,
    caller: &Caller,
    deadline: Deadline,
    exact: &Exact<WatchPersonChangesRequest>,
    telling: &Telling<WatchPersonChangesResponse>,
) -> Result<(), Status> {
    let (asked, heartbeat) = read::watch(exact.message(), CHANGES_MAX)?;
    let (basis, items) = (asked.basis, asked.items);
    let deciding = Deciding { caller, act: Act::Follow, basis, items, kept: Default::default() };
    let mut cursor = asked.wanted.from.to_owned();
    let mut tide = shared.tide.watched();
    // A heartbeat is due at once, so that a caller that begins has a cursor.
    let mut due = Instant::now();
    loop {
        let Some(place) = telling.place().await? else { return Ok(()) };
        // What comes while this is read is seen by the next one.
        tide.mark_unchanged();
        let deadline = deadline.within(MESSAGE_TIME_MAX);
        let call = Call::new(shared, caller, deadline, WATCH_PERSON_CHANGES, exact.bytes());
        let decision = deciding.now(shared, deadline).await?;
        let wanted = Wanted { from: &cursor, ..asked.wanted };
        let heard = news(&call, &wanted, &decision).await?;
        let caught_up = heard.end_reached;
        if !heard.heard.is_empty() || due <= Instant::now() {
            let changes = told(&call, &decision, heard.heard).await?;
            let seen_time = timestamp_us(heard.seen_at_us);
            cursor.clone_from(&heard.cursor);
            let message = Released::<WatchPersonChangesResponse>::changes(
                changes,
                heard.cursor,
                caught_up,
                seen_time,
            );
            telling.send(message, place).await;
            due = Instant::now() + heartbeat;
        } else {
            cursor = heard.cursor;
            drop::<Place>(place);
        }
        if caught_up && more(&mut tide, due, telling).await?.is_none() {
            return Ok(());
        }
    }
}

/// Waits until the register has come further, or a heartbeat is due; none when the caller has gone away.
async fn more(
    tide: &mut watch::Receiver<u64>,
    due: Instant,
    telling: &Telling<WatchPersonChangesResponse>,
) -> Result<Option<()>, Status> {
    tokio::select! {
        biased;
        ended = telling.ends() => ended.map(|()| None),
        () = tokio::time::sleep_until(due) => Ok(Some(())),
        // Whoever looks lives as long as the service.
        _looked = tide.changed() => Ok(Some(())),
    }
}
