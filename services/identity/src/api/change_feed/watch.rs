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
    let deciding = Deciding { caller, act: Act::Follow, basis, items };
    let mut cursor = asked.wanted.from.to_owned();
    let mut waiting = Waiting {
        shared,
        deciding: &deciding,
        tide: shared.tide.watched(),
        revisions: shared.clients.policy.told(),
        known: None,
    };
    // A heartbeat is due at once, so that a caller that begins has a cursor.
    let mut due = Instant::now();
    loop {
        let Some(place) = telling.place().await? else { return Ok(()) };
        waiting.begin();
        let soon = deadline.within(MESSAGE_TIME_MAX);
        let call =
            Call::new(shared, caller, soon, WATCH_PERSON_CHANGES, exact.asked()).on(asked.basis);
        let decision = deciding.now(shared, soon).await?;
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
        if caught_up && waiting.more(deadline, due, telling).await?.is_none() {
            return Ok(());
        }
    }
}

/// What a stream waits for that has caught up.
struct Waiting<'a> {
    shared: &'a Shared,
    deciding: &'a Deciding<'a>,
    tide: watch::Receiver<u64>,
    revisions: watch::Receiver<Option<u64>>,
    /// The revision of policy that the last message was made under.
    known: Option<u64>,
}

impl Waiting<'_> {
    /// A message is made: what comes meanwhile is seen by the next one.
    fn begin(&mut self) {
        self.tide.mark_unchanged();
        self.known = *self.revisions.borrow();
    }

    /// Waits until the register has come further, a heartbeat is due, or the caller may not be told any more: that is said at
    /// once, and not when there are news. None when the caller has gone away.
    async fn more(
        &mut self,
        deadline: Deadline,
        due: Instant,
        telling: &Telling<WatchPersonChangesResponse>,
    ) -> Result<Option<()>, Status> {
        let Self { shared, deciding, tide, revisions, known } = self;
        loop {
            // That policy is away is seen with the next message.
            let other = |told: &Option<u64>| told.is_some() && told != known;
            tokio::select! {
                biased;
                ended = telling.ends() => return ended.map(|()| None),
                () = tokio::time::sleep_until(due) => return Ok(Some(())),
                // Whoever looks lives as long as the service.
                _looked = tide.changed() => return Ok(Some(())),
                told = revisions.wait_for(other) => {
                    let Ok(told) = told.map(|told| *told) else { return Ok(Some(())) };
                    *known = told;
                }
            }
            let decision = deciding.now(shared, deadline.within(MESSAGE_TIME_MAX)).await?;
            // Whether the request is signed as it must be from now on is seen with the next message.
            if decision.verdict.is_err() || decision.signed_requests {
                return Ok(Some(()));
            }
        }
    }
}
